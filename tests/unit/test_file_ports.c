/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports without a device: device strings, null:, and pcap: from file to file. */
#include "unit.h"

#include "nics/nics.h"

#include <fcntl.h>
#include <pcap/pcap.h>
#include <unistd.h>

#define BUFS 64

static struct weir *w;
static struct weir_iommu *iommu;
static struct weir_arena *arena;
static struct weir_pool *pool;
static struct weir_cache *cache;
static struct weir_port *port;
static char in[] = "/tmp/weir-in-XXXXXX", out[] = "/tmp/weir-out-XXXXXX";
static uint8_t frame[WEIR_MAX_SEGS * WEIR_BUF_ROOM + 1];

static int setup(void **state)
{
	(void)state;
	strcpy(in + strlen(in) - 6, "XXXXXX");
	strcpy(out + strlen(out) - 6, "XXXXXX");
	close(mkstemp(in));
	close(mkstemp(out));
	w = unit_weir();
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	assert_int_equal(
		weir_arena_create(w, 1u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &arena), 0);
	assert_int_equal(weir_pool_create(arena, BUFS, &pool), 0);
	assert_int_equal(weir_cache_create(pool, &cache), 0);
	port = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_port_close(port);
	weir_cache_destroy(cache);
	assert_int_equal(weir_pool_destroy(pool), 0);
	weir_iommu_close(iommu);
	weir_close(w);
	unlink(in);
	unlink(out);
	return 0;
}

static void start(const char *name)
{
	struct weir_port_conf c = { .arena = arena };

	assert_int_equal(weir_port_open(iommu, name, NULL, &port), 0);
	assert_string_equal(port->name, name);
	assert_null(weir_port_pci(port));
	assert_int_equal(weir_port_configure(port, &c), 0);
	assert_int_equal(weir_port_queue_cache(port, 0, cache), 0);
	assert_int_equal(weir_port_start(port), 0);
}

static void start_pcap(void)
{
	char name[64];

	snprintf(name, sizeof(name), "pcap:%s,%s", in, out);
	start(name);
}

/* Frame @n of @len bytes. */
static void make_frame(unsigned n, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + n);
}

static void write_in(const unsigned *lens, unsigned n)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, sizeof(frame));
	pcap_dumper_t *d = pcap_dump_open(dead, in);

	assert_non_null(d);
	for (unsigned i = 0; i < n; i++) {
		struct pcap_pkthdr h = { .caplen = lens[i], .len = lens[i] };

		make_frame(i, lens[i]);
		pcap_dump((u_char *)d, &h, frame);
	}
	pcap_dump_close(d);
	pcap_close(dead);
}

static void test_strings(void **state)
{
	static const struct {
		const char *text;
		int err;
		const char *id;
	} bad[] = {
		{ "", -EINVAL, "device-string" },
		{ "null", -EINVAL, "device-string" },
		{ "nul:", -EINVAL, "device-string" },
		{ "nullx:", -EINVAL, "device-string" },
		{ ":", -EINVAL, "device-string" },
		{ "null:x", -EINVAL, "device-string" },
		{ "null:13", -EINVAL, "device-string" },
		{ "null:2049", -EINVAL, "device-string" },
		{ "null:-1", -EINVAL, "device-string" },
		{ "pcap:/none", -EINVAL, "file-open" },
		{ "pcap:,/no/dir/x", -EIO, "file-open" },
		{ "pcap:/dev/null", -EINVAL, "file-open" },
		{ "fff:00:00.0", -EINVAL, "device-string" },
	};

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		unit_hush();
		assert_int_equal(weir_port_open(iommu, bad[i].text, NULL, &port), bad[i].err);
		assert_said(bad[i].id);
		assert_null(port);
	}
	assert_null(weir_driver_for_scheme("0000:03:00.0"));
	assert_string_equal(weir_driver_for_scheme("null:")->name, "null");
	for (unsigned i = 0; weir_drivers[i]; i++) {
		const struct weir_driver *d = weir_drivers[i];

		assert_true(d->ids ? d->probe != NULL : !d->open != !d->open_mapped);
	}
}

static void test_null(void **state)
{
	struct weir_pkt p[64];
	unsigned got;

	(void)state;
	start("null:100");
	/* As many as there are buffers, then none, and that is counted. */
	got = weir_rx(port->rxq[0], p, 64);
	assert_int_equal(got, 64);
	assert_int_equal(p[63].len, 100);
	assert_int_equal(weir_rx(port->rxq[0], p, 64), 0);
	assert_int_equal(port->rxq[0]->stats.drops[WEIR_DROP_NO_BUF], 1);
	assert_int_equal(port->rxq[0]->stats.bytes, 6400);
	p[0].flags = WEIR_PKT_MORE;
	assert_int_equal(weir_tx_post(port->txq[0], p, 64), 64);
	assert_int_equal(port->txq[0]->stats.packets, 63);
	weir_tx_kick(port->txq[0]);
	weir_tx_kick(port->txq[0]);
	assert_int_equal(port->txq[0]->stats.kicks, 1);
	weir_port_close(port);
	start("null:0");
	assert_int_equal(weir_rx(port->rxq[0], p, 64), 0);
	assert_int_equal(port->rxq[0]->stats.empty, 1);
}

/* Receive all in bursts of @burst, send it on. Return: packets. */
static unsigned pump(unsigned burst)
{
	struct weir_pkt p[64];
	unsigned n, packets = 0;

	while ((n = weir_rx(port->rxq[0], p, burst))) {
		unsigned at = 0;

		for (unsigned segs; at < n; at += segs, packets++) {
			segs = weir_pkt_segs(p + at, n - at);
			assert_true(segs);
		}
		assert_int_equal(weir_tx_post(port->txq[0], p, n), n);
		weir_tx_kick(port->txq[0]);
	}
	return packets;
}

static void check_out(const unsigned *lens, unsigned n)
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *h;
	const u_char *data;
	pcap_t *f = pcap_open_offline(out, why);

	assert_non_null(f);
	for (unsigned i = 0; i < n; i++) {
		if (!lens[i] || lens[i] > WEIR_MAX_SEGS * WEIR_BUF_ROOM)
			continue;
		make_frame(i, lens[i]);
		assert_int_equal(pcap_next_ex(f, &h, &data), 1);
		assert_int_equal(h->caplen, lens[i]);
		assert_memory_equal(data, frame, lens[i]);
	}
	assert_int_equal(pcap_next_ex(f, &h, &data), PCAP_ERROR_BREAK);
	pcap_close(f);
}

/* From 1 byte to eight buffers; empty and longer ones are counted, not sent. */
static void test_pcap(void **state)
{
	static const unsigned lens[] = { 60,   1,    2048, 2049, 4096,	0,     1514,
					 9728, 4097, 60,   14,	 16384, 16385, 60 };
	const unsigned n = WEIR_ARRAY_SIZE(lens);

	(void)state;
	write_in(lens, n);
	for (unsigned burst = WEIR_MAX_SEGS; burst <= 64; burst += 7) {
		start_pcap();
		assert_int_equal(pump(burst), n - 2);
		assert_int_equal(port->rxq[0]->stats.drops[WEIR_DROP_BAD_LEN], 1);
		assert_int_equal(port->rxq[0]->stats.drops[WEIR_DROP_TOO_MANY], 1);
		assert_int_equal(port->rxq[0]->stats.packets, n - 2);
		assert_int_equal(port->txq[0]->stats.packets, n - 2);
		assert_int_equal(port->txq[0]->stats.bytes, port->rxq[0]->stats.bytes);
		weir_port_close(port);
		port = NULL;
		check_out(lens, n);
	}
}

/* Frames that no burst has room for do not keep the others. */
static void test_pcap_short_bursts(void **state)
{
	static const unsigned lens[] = { 60, 9728, 60, 16384, 5000, 60 };
	struct weir_pkt p[4];
	unsigned got = 0;

	(void)state;
	write_in(lens, WEIR_ARRAY_SIZE(lens));
	start_pcap();
	for (unsigned i = 0; i < 4 * WEIR_SHORT_BURSTS; i++) {
		unsigned n = weir_rx(port->rxq[0], p, 4);

		weir_pkt_free(cache, p, n);
		got += n;
	}
	assert_int_equal(got, 6);
	assert_int_equal(port->rxq[0]->stats.packets, 4);
	assert_int_equal(port->rxq[0]->stats.drops[WEIR_DROP_TOO_MANY], 2);
}

/* Without buffers a frame waits; it is not lost. */
static void test_pcap_no_buffers(void **state)
{
	static const unsigned lens[] = { 60, 8000, 60 };
	struct weir_pkt p[8];
	uint32_t bufs[BUFS];

	(void)state;
	write_in(lens, 3);
	start_pcap();
	assert_int_equal(weir_buf_alloc(cache, bufs, BUFS - 3), BUFS - 3);
	assert_int_equal(weir_rx(port->rxq[0], p, 8), 1);
	assert_int_equal(weir_rx(port->rxq[0], p + 1, 7), 0);
	assert_int_equal(port->rxq[0]->stats.drops[WEIR_DROP_NO_BUF], 0);
	weir_buf_free(cache, bufs, BUFS - 3);
	assert_int_equal(weir_tx_post(port->txq[0], p, 1), 1);
	assert_int_equal(pump(8), 2);
	weir_port_close(port);
	port = NULL;
	check_out(lens, 3);
}

/* A run that does not end within the post stays the caller's; an empty packet is refused. */
static void test_pcap_post(void **state)
{
	struct weir_pkt p[3];
	uint32_t bufs[3];

	(void)state;
	write_in(NULL, 0);
	start_pcap();
	assert_int_equal(weir_buf_alloc(cache, bufs, 3), 3);
	for (unsigned i = 0; i < 3; i++)
		p[i] = (struct weir_pkt){ .buf = bufs[i], .off = WEIR_BUF_HEADROOM };
	p[1].len = p[2].len = 60;
	p[2].flags = WEIR_PKT_MORE;
	assert_int_equal(weir_tx_post(port->txq[0], p, 3), 2);
	assert_int_equal(port->txq[0]->stats.drops[WEIR_DROP_TX_INVALID], 1);
	assert_int_equal(port->txq[0]->stats.packets, 1);
	weir_buf_free(cache, bufs + 2, 1);
}

/* What is whole is played; that there was more is said when the port stops. */
static void test_pcap_cut_short(void **state)
{
	static const unsigned lens[] = { 60, 200 };

	(void)state;
	write_in(lens, 2);
	assert_int_equal(truncate(in, 24 + 16 + 60 + 16 + 100), 0);
	start_pcap();
	assert_int_equal(pump(8), 1);
	assert_int_equal(said.n, 0);
	assert_int_equal(weir_port_stop(port), 0);
	assert_said("file-read");
	assert_int_equal(said.n, 1);
	weir_port_close(port);
	port = NULL;
	check_out(lens, 1);
}

/* Not Ethernet: refused with the name of what it is. */
/* A file of random frames, of which some are not ordinary, cut off somewhere. Return: its bytes. */
static size_t hostile_file(uint8_t *at, size_t room, uint64_t *seed)
{
	uint32_t snap = unit_random(seed) % 4 ? 65535 : 600;
	struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zero[2], snap, link;
	} head = { unit_random(seed) % 2 ? 0xa1b2c3d4 : 0xa1b23c4d, 2, 4, { 0 }, snap, DLT_EN10MB };
	size_t n = sizeof(head);

	memcpy(at, &head, sizeof(head));
	while (n + 16 + 4096 < room) {
		uint64_t kind = unit_random(seed) % 200;
		uint32_t len = (uint32_t)(unit_random(seed) % (kind < 190 ? 200 : 4096));
		/* sometimes longer than the snap length, sometimes than any frame */
		uint32_t says = kind == 199 ? (uint32_t)unit_random(seed) : len;
		uint32_t rec[4] = { 1, 2, says, says };

		memcpy(at + n, rec, sizeof(rec));
		n += sizeof(rec);
		for (uint32_t i = 0; i < len; i++)
			at[n++] = (uint8_t)unit_random(seed);
	}
	return unit_random(seed) % 2 ? n
				     : sizeof(head) + unit_random(seed) % (n - sizeof(head) + 1);
}

/* What the port brings is what libpcap reads, frame by frame, to the same kind of end. */
static void compare_with_libpcap(void)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *f = pcap_open_offline(in, why);
	const char *base = weir_window(w).base;
	struct weir_pkt p[BUFS / 2];
	struct pcap_pkthdr *h;
	const u_char *data;
	unsigned n;
	int got;

	assert_non_null(f);
	while ((n = weir_rx(port->rxq[0], p, BUFS / 2))) {
		for (unsigned i = 0, at = 0; i < n; i++) {
			if (!at)
				do /* frames without a byte are dropped, and those of many buffers */
					assert_int_equal(pcap_next_ex(f, &h, &data), 1);
				while (!h->caplen || h->caplen > WEIR_MAX_SEGS * WEIR_BUF_ROOM);
			assert_true(at + p[i].len <= h->caplen);
			assert_memory_equal(weir_pkt_data(base, &p[i]), data + at, p[i].len);
			at = p[i].flags & WEIR_PKT_MORE ? at + p[i].len : 0;
			if (!at)
				assert_true(p[i].len == h->caplen || h->caplen > WEIR_BUF_ROOM);
		}
		weir_pkt_free(cache, p, n);
	}
	do
		got = pcap_next_ex(f, &h, &data);
	while (got == 1 && (!h->caplen || h->caplen > WEIR_MAX_SEGS * WEIR_BUF_ROOM));
	assert_int_not_equal(got, 1);
	unit_hush();
	weir_port_stop(port);
	assert_int_equal(said.n, got == PCAP_ERROR);
	if (said.n)
		assert_said("file-read");
	pcap_close(f);
}

static void test_pcap_hostile(void **state)
{
	enum { ROOM = 700000 };
	uint8_t *file = malloc(ROOM);
	char name[64];
	uint64_t seed = 7;

	(void)state;
	snprintf(name, sizeof(name), "pcap:%s", in);
	for (unsigned round = 0; round < (UNIT_SLOW ? 20 : 200); round++) {
		size_t n = hostile_file(file, round % 8 ? 20000 : ROOM, &seed);
		FILE *f = fopen(in, "w");

		assert_int_equal(fwrite(file, 1, n, f), n);
		fclose(f);
		start(name);
		compare_with_libpcap();
		weir_port_close(port);
		port = NULL;
	}
	free(file);
}

/* Standard input may have been read from: what is played begins where it stands. */
static void test_pcap_in_the_middle(void **state)
{
	static const unsigned lens[] = { 100, 200 };
	const unsigned skip = 24 + 16 + 100;
	struct weir_pkt got[4];
	int old = dup(0), fd;
	char both[1024];
	ssize_t n;

	(void)state;
	write_in(lens, 2);
	/* Twice the same, the second time without its first frame. */
	fd = open(in, O_RDWR | O_CLOEXEC);
	n = read(fd, both, sizeof(both));
	assert_true(n > (ssize_t)skip);
	assert_int_equal(write(fd, both, 24), 24);
	assert_int_equal(write(fd, both + skip, (size_t)n - skip), n - (ssize_t)skip);
	assert_int_equal(lseek(fd, n, SEEK_SET), n);
	assert_int_equal(dup2(fd, 0), 0);
	close(fd);
	start("pcap:-");
	assert_int_equal(weir_rx(port->rxq[0], got, 4), 1);
	assert_int_equal(got[0].len, 200);
	weir_pkt_free(cache, got, 1);
	assert_int_equal(weir_rx(port->rxq[0], got, 4), 0);
	weir_port_close(port);
	port = NULL;
	dup2(old, 0);
	close(old);
	clearerr(stdin);
}

static void test_wrong_link_type(void **state)
{
	pcap_t *dead = pcap_open_dead(DLT_RAW, 100);
	char name[64];

	(void)state;
	pcap_dump_close(pcap_dump_open(dead, in));
	pcap_close(dead);
	snprintf(name, sizeof(name), "pcap:%s", in);
	assert_int_equal(weir_port_open(iommu, name, NULL, &port), -EINVAL);
	assert_said("file-open");
	assert_text("not Ethernet");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_strings),
		T(test_null),
		T(test_pcap),
		T(test_pcap_hostile),
		T(test_pcap_no_buffers),
		T(test_pcap_post),
		T(test_pcap_in_the_middle),
		T(test_wrong_link_type),
		T(test_pcap_cut_short),
		T(test_pcap_short_bursts),
	};

	return cmocka_run_group_tests_name("file_ports", tests, NULL, NULL);
}
