/* SPDX-License-Identifier: BSD-3-Clause */
/* Capture files: what libpcap reads back is what was written; rotation; a disk that is full. */
#include "unit.h"

/* cmocka has a macro of that name. */
#undef fail
#include "apps/pcapw.c"
#define fail() _fail(__FILE__, __LINE__)

#include <sys/mount.h>

#define T0 1700000000123456789ull

static struct weir *w;
static char dir[64];
static uint8_t frame[2000];

static int setup(void **state)
{
	(void)state;
	w = unit_weir();
	strcpy(dir, "/tmp/weir-pcapw-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static const char *in_dir(const char *name)
{
	static char path[4][400];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[0]), "%s/%s", dir, name);
	return path[turn];
}

static int teardown(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	(void)state;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlink(in_dir(e->d_name));
	closedir(d);
	rmdir(dir);
	weir_close(w);
	return 0;
}

static unsigned files(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* Frame @n: IPv4 and UDP to port 1000 + n % 3, of a length that follows from n. */
static unsigned make_frame(unsigned n)
{
	unsigned len = 60 + n * 97 % 1400;

	for (unsigned i = 0; i < len; i++)
		frame[i] = (uint8_t)(i + n);
	memset(frame, 2, 12);
	memcpy(frame + 12, "\x08\x00\x45\x00", 4);
	frame[20] = frame[21] = 0; /* no fragment */
	frame[23] = 17;
	frame[36] = (uint8_t)((1000 + n % 3) >> 8);
	frame[37] = (uint8_t)(1000 + n % 3);
	return len;
}

static int write_frame(struct pcapw *p, unsigned n)
{
	unsigned len = make_frame(n);

	return pcapw_write(p, T0 + n, frame, len, len);
}

static struct pcapw *start(const struct pcapw_opts *o)
{
	struct pcapw *p = NULL;

	assert_int_equal(pcapw_open(w, o, &p), 0);
	assert_int_equal(pcapw_start(p), 0);
	return p;
}

/* Frames @from, @from + @step, ... below @to are in the file, exactly. */
static void check_file(const char *path, unsigned from, unsigned to, unsigned step,
		       unsigned snaplen)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *in = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	struct pcap_pkthdr *h;
	const u_char *data;

	if (!in)
		fail_msg("%s: %s", path, why);
	assert_int_equal(pcap_datalink(in), DLT_EN10MB);
	for (unsigned n = from; n < to; n += step) {
		unsigned len = make_frame(n);

		assert_int_equal(pcap_next_ex(in, &h, &data), 1);
		assert_int_equal(h->len, len);
		assert_int_equal(h->caplen, weir_min_u(len, snaplen));
		assert_memory_equal(data, frame, h->caplen);
		assert_int_equal(h->ts.tv_sec, (T0 + n) / 1000000000);
		assert_int_equal(h->ts.tv_usec, (T0 + n) % 1000000000);
	}
	assert_int_equal(pcap_next_ex(in, &h, &data), PCAP_ERROR_BREAK);
	pcap_close(in);
}

static void test_write(void **state)
{
	const char *path = in_dir("a.pcap");
	struct pcapw_opts o = { .file = path, .snaplen = 262144 };
	struct pcapw *p = start(&o);

	(void)state;
	for (unsigned n = 0; n < 5000; n++)
		assert_int_equal(write_frame(p, n), 1);
	assert_int_equal(pcapw_count(p), 5000);
	assert_string_equal(pcapw_path(p), path);
	assert_int_equal(pcapw_close(p), 0);
	assert_int_equal(pcapw_close(NULL), 0);
	check_file(path, 0, 5000, 1, 262144);
	/* The same name again: replaced. An empty capture is a file all the same. */
	p = start(&o);
	assert_int_equal(pcapw_close(p), 0);
	check_file(path, 0, 0, 1, 262144);
}

static void test_filter_and_snaplen(void **state)
{
	const char *path = in_dir("b.pcap");
	struct pcapw_opts o = { .file = path, .filter = "udp dst port 1001", .snaplen = 38 };
	struct pcapw *p = start(&o);

	(void)state;
	for (unsigned n = 0; n < 300; n++)
		assert_int_equal(write_frame(p, n), n % 3 == 1);
	assert_int_equal(pcapw_count(p), 100);
	assert_int_equal(pcapw_close(p), 0);
	check_file(path, 1, 300, 3, 38);
}

static void test_bad_filter(void **state)
{
	static const char *const bad[] = { "tcp port", "no such thing", "((", "ether host xyz" };
	struct pcapw_opts o = { .file = in_dir("c.pcap"), .snaplen = 1500 };
	struct pcapw *p = NULL;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		unit_hush();
		o.filter = bad[i];
		assert_int_equal(pcapw_open(w, &o, &p), -EINVAL);
		assert_said("filter");
		assert_text(bad[i]);
		assert_null(p);
	}
	/* No file was touched. */
	assert_int_equal(files(), 0);
}

static void test_rotate_by_size(void **state)
{
	struct pcapw_opts o = { .file = in_dir("r"), .snaplen = 65535, .rotate_bytes = 20000 };
	struct pcapw *p = start(&o);
	unsigned from = 0, n;

	(void)state;
	for (n = 0; n < 200; n++)
		assert_int_equal(write_frame(p, n), 1);
	assert_int_equal(pcapw_close(p), 0);
	assert_true(files() > 5);
	/* FILE, FILE1, FILE2, ...: each a whole capture that goes on where the last one ended. */
	for (unsigned k = 0; k < files(); k++) {
		unsigned size = 24, to = from;
		char name[16] = "r";

		if (k)
			snprintf(name, sizeof(name), "r%u", k);
		while (to < 200 && size < 20000)
			size += 16 + make_frame(to++);
		check_file(in_dir(name), from, to, 1, 65535);
		from = to;
	}
	assert_int_equal(from, 200);
}

static void test_ring_of_files(void **state)
{
	struct pcapw_opts o = {
		.file = in_dir("k"), .snaplen = 65535, .rotate_bytes = 20000, .files = 3
	};
	struct pcapw *p = start(&o);

	(void)state;
	for (unsigned n = 0; n < 500; n++)
		assert_int_equal(write_frame(p, n), 1);
	assert_int_equal(pcapw_count(p), 500);
	assert_int_equal(pcapw_close(p), 0);
	assert_int_equal(files(), 3);
	/* As wide as the last one's number, and none without. */
	assert_int_equal(access(in_dir("k0"), F_OK), 0);
	assert_int_equal(access(in_dir("k2"), F_OK), 0);
	assert_int_not_equal(access(in_dir("k"), F_OK), 0);
}

/* Time passes when the test says so. */
static void test_rotate_by_time(void **state)
{
	struct pcapw_opts o = {
		.file = in_dir("t-%Y-%H%M%S"), .snaplen = 65535, .rotate_s = 60, .files = 3
	};
	struct pcapw *p = start(&o);
	char first[500], want[500];
	struct tm tm;

	(void)state;
	strcpy(first, pcapw_path(p));
	localtime_r(&p->began, &tm);
	strftime(want, sizeof(want), o.file, &tm);
	assert_string_equal(first, want);
	for (unsigned k = 0; k < 3; k++) {
		for (unsigned n = 0; n < 10; n++)
			assert_int_equal(write_frame(p, n), 1);
		if (k == 2)
			break;
		/* Names have seconds: give each file another one. */
		p->began -= 60;
		assert_int_equal(rename(pcapw_path(p), in_dir(k ? "two" : "one")), 0);
	}
	p->began -= 60;
	/* The third of three files was the last. */
	assert_int_equal(write_frame(p, 10), -ECANCELED);
	assert_int_equal(pcapw_count(p), 30);
	strcpy(first, pcapw_path(p));
	assert_int_equal(pcapw_close(p), 0);
	check_file(in_dir("one"), 0, 10, 1, 65535);
	check_file(in_dir("two"), 0, 10, 1, 65535);
	check_file(first, 0, 10, 1, 65535);
}

static void test_unbuffered(void **state)
{
	const char *path = in_dir("u.pcap");
	struct pcapw_opts o = { .file = path, .snaplen = 65535, .unbuffered = true };
	struct pcapw *p = start(&o);

	(void)state;
	for (unsigned n = 0; n < 10; n++) {
		assert_int_equal(write_frame(p, n), 1);
		/* Complete at every moment. */
		check_file(path, 0, n + 1, 1, 65535);
	}
	assert_int_equal(pcapw_close(p), 0);
}

static void test_cannot_open(void **state)
{
	struct pcapw_opts o = { .file = in_dir("no/such/folder"), .snaplen = 65535 };
	struct pcapw *p;
	unsigned fds = unit_fds();

	(void)state;
	assert_int_equal(pcapw_open(w, &o, &p), 0);
	assert_int_equal(pcapw_start(p), -ENOENT);
	assert_said("file-write");
	assert_text("no/such/folder");
	assert_int_equal(write_frame(p, 0), -ENOENT);
	assert_int_equal(pcapw_close(p), -ENOENT);
	o.file = "/dev/full";
	assert_int_equal(pcapw_open(w, &o, &p), 0);
	assert_int_equal(pcapw_start(p), -ENOSPC);
	assert_said("disk-full");
	assert_int_equal(pcapw_close(p), -ENOSPC);
	assert_int_equal(unit_fds(), fds);
}

/* The disk runs full in mid-capture: the file ends with the last whole frame, and is readable. */
static void test_disk_full(void **state)
{
	const char *path = in_dir("disk/f.pcap"), *disk = in_dir("disk");
	struct pcapw_opts o = { .file = path, .snaplen = 65535 };
	char mine[400], where[400];
	unsigned n, kept = 0, size = 24;
	struct stat st;
	struct pcapw *p;
	int r = 1;

	(void)state;
	strcpy(mine, path);
	strcpy(where, disk);
	o.file = mine;
	assert_int_equal(mkdir(where, 0755), 0);
	if (mount("weir", where, "tmpfs", 0, "size=3M")) {
		rmdir(where);
		skip();
	}
	p = start(&o);
	for (n = 0; n < 20000 && r == 1; n++)
		r = write_frame(p, n);
	assert_int_equal(r, -ENOSPC);
	assert_said("disk-full");
	assert_int_equal(write_frame(p, 0), -ENOSPC);
	assert_int_equal(said.n, 1);
	assert_int_equal(pcapw_close(p), -ENOSPC);
	assert_int_equal(stat(mine, &st), 0);
	/* A megabyte's buffer may be lost, no more, and nothing is cut in the middle. */
	assert_true(st.st_size > 1000000 && st.st_size <= 3 << 20);
	while (size < st.st_size)
		size += 16 + make_frame(kept++);
	assert_int_equal(size, st.st_size);
	check_file(mine, 0, kept, 1, 65535);
	unlink(mine);
	umount(where);
	rmdir(where);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_write),		T(test_filter_and_snaplen), T(test_bad_filter),
		T(test_rotate_by_size), T(test_ring_of_files),	    T(test_rotate_by_time),
		T(test_unbuffered),	T(test_cannot_open),	    T(test_disk_full),
	};

	return cmocka_run_group_tests_name("pcapw", tests, NULL, NULL);
}
