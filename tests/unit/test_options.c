/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tool makes of its command line. */
#include "unit.h"

#include "apps/config.c"
#include "apps/l2fwd.c"

#include <fcntl.h>

/* Only the parsing is looked at here: what would run stands still. */
int rt_open(struct rt *rt, const struct rt_opts *o)
{
	(void)rt;
	(void)o;
	return -EIO;
}

int rt_route(struct rt *rt, unsigned from, int to, const uint8_t *dst_mac, enum fwd_rewrite rewrite)
{
	(void)rt;
	(void)from;
	(void)to;
	(void)dst_mac;
	(void)rewrite;
	return -EIO;
}

int rt_start(struct rt *rt)
{
	(void)rt;
	return -EIO;
}

bool rt_done(struct rt *rt)
{
	(void)rt;
	return true;
}

void rt_stop(struct rt *rt)
{
	(void)rt;
}

int rt_close(struct rt *rt)
{
	(void)rt;
	return 0;
}

int rt_status(const struct rt *rt, int err)
{
	(void)rt;
	return err ? APP_FAIL : APP_OK;
}

void rt_sides(const struct rt_port *p, unsigned q, struct rt_sides *s)
{
	(void)p;
	(void)q;
	memset(s, 0, sizeof(*s));
}

int report_open(const struct rt *rt, bool live, struct report **out)
{
	(void)rt;
	(void)live;
	(void)out;
	return -EIO;
}

void report_close(struct report *r)
{
	(void)r;
}

void report_tick(struct report *r, FILE *to)
{
	(void)to;
	(void)r;
}

void report_links(struct report *r)
{
	(void)r;
}

void report_final(struct report *r, bool json)
{
	(void)r;
	(void)json;
}

#include "apps/app.c"

/* Complaints are expected here: keep them out of the test's own output. */
static int loud_fd;

static void hush(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert_true(null >= 0);
	loud_fd = dup(STDERR_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

static void loud(void)
{
	dup2(loud_fd, STDERR_FILENO);
	close(loud_fd);
}

static bool number(const char *s, uint64_t min, uint64_t max, uint64_t *v)
{
	bool ok;

	hush();
	ok = app_number(&cmd_l2fwd, "-x", s, min, max, v);
	loud();
	return ok;
}

static void test_number(void **state)
{
	static const char *const bad[] = { "",
					   " 5",
					   "5 ",
					   "+5",
					   "-5",
					   "0x10",
					   "1e3",
					   "five",
					   "5.0",
					   "18446744073709551616",
					   "99999999999999999999999",
					   "5k" };
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++)
		if (number(bad[i], 0, UINT64_MAX, &v))
			fail_msg("\"%s\" was taken for a number", bad[i]);
	assert_true(number("18446744073709551615", 0, UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	assert_true(number("010", 1, 16, &v));
	assert_int_equal(v, 10);
	assert_false(number("0", 1, 16, &v));
	assert_true(number("16", 1, 16, &v));
	assert_false(number("17", 1, 16, &v));
}

static void test_cores(void **state)
{
	static const struct {
		const char *text;
		int n;
		unsigned cpus[4];
	} rows[] = {
		{ "0", 1, { 0 } },
		{ "3,1", 2, { 3, 1 } },
		{ "2-5", 4, { 2, 3, 4, 5 } },
		{ "7,1-2", 3, { 7, 1, 2 } },
		{ "1023", 1, { 1023 } },
		{ "", -EINVAL, { 0 } },
		{ "1024", -EINVAL, { 0 } },
		{ "1,", -EINVAL, { 0 } },
		{ ",1", -EINVAL, { 0 } },
		{ "1-", -EINVAL, { 0 } },
		{ "-1", -EINVAL, { 0 } },
		{ "5-2", -EINVAL, { 0 } },
		{ "1-2-3", -EINVAL, { 0 } },
		{ "1;2", -EINVAL, { 0 } },
		{ "0-4", -EINVAL, { 0 } }, /* five, where there is room for four */
		{ "0-4294967296", -EINVAL, { 0 } },
		{ "99999999999999999999", -EINVAL, { 0 } },
		{ "a", -EINVAL, { 0 } },
	};

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		unsigned cpus[5] = { 0, 0, 0, 0, 4711 };

		if (app_cores(rows[i].text, cpus, 4) != rows[i].n)
			fail_msg("\"%s\": %d", rows[i].text, app_cores(rows[i].text, cpus, 4));
		for (int k = 0; k < rows[i].n; k++)
			assert_int_equal(cpus[k], rows[i].cpus[k]);
		assert_int_equal(cpus[4], 4711);
	}
}

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:",
		"02:00:00:00:00:01:",
		"02:00:00:00:00:01:02",
		"02-00-00-00-00-01",
		"02:00:00:00:00:g1",
		"02:00:00:00:00:100",
		"0x2:00:00:00:00:01",
		" 02:00:00:00:00:01",
		"02:00:00:00:00:01 ",
		"02:00:00:00:00:-1",
		"02:00:00:00:00:+1",
		"02: 0:00:00:00:01",
		"020000000001",
	};
	uint8_t mac[6];

	(void)state;
	assert_true(parse_mac("02:00:Ab:cD:0f:FF", mac));
	assert_memory_equal(mac, "\x02\x00\xab\xcd\x0f\xff", 6);
	assert_true(parse_mac("2:0:a:b:c:d", mac));
	assert_memory_equal(mac, "\x02\x00\x0a\x0b\x0c\x0d", 6);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++)
		if (parse_mac(bad[i], mac))
			fail_msg("\"%s\" was taken for a MAC address", bad[i]);
}

static void test_capture_spec(void **state)
{
	struct l2fwd_opts o = { 0 };

	(void)state;
	assert_true(parse_capture(&o, "a.pcap"));
	assert_string_equal(o.cap.file, "a.pcap");
	assert_null(o.cap.filter);
	assert_ptr_equal(o.rt.capture, &o.cap);
	/* An IPv6 filter has colons of its own. */
	assert_true(parse_capture(&o, "b.pcap:ip6 host fe80::1"));
	assert_string_equal(o.cap.file, "b.pcap");
	assert_string_equal(o.cap.filter, "ip6 host fe80::1");
	assert_true(parse_capture(&o, "c.pcap:"));
	assert_string_equal(o.cap.filter, "");
	assert_false(parse_capture(&o, ""));
	assert_false(parse_capture(&o, ":udp"));
	free(o.cap_text);
}

static int parse_line(struct l2fwd_opts *o, const char *line)
{
	static char text[500];
	static char *argv[64];
	int argc = 1;

	memset(o, 0, sizeof(*o));
	snprintf(text, sizeof(text), "%s", line);
	argv[0] = (char[]){ "l2fwd" };
	for (char *s = strtok(text, " "); s; s = strtok(NULL, " "))
		argv[argc++] = s;
	assert_true(argc < (int)WEIR_ARRAY_SIZE(argv));
	argv[argc] = NULL;
	optind = 0;
	hush();
	argc = parse(o, argc, argv);
	app_config_end(&o->args);
	loud();
	return argc;
}

static void test_l2fwd(void **state)
{
	struct l2fwd_opts o;

	(void)state;
	assert_int_equal(parse_line(&o, "null: null:"), -1);
	assert_int_equal(o.rt.n_devs, 2);
	assert_int_equal(o.rt.queues, 1);
	assert_int_equal(o.rt.burst, 32);
	assert_int_equal(o.rt.mode, WEIR_MODE_AUTO);
	assert_int_equal(parse_line(&o,
				    "-m group -q 4 --cores 2,3 -d 7 --count 1000 -s 2 -f -j -vv "
				    "--mac-rewrite=02:00:00:00:00:09 --rx-desc 256 --tx-desc "
				    "128 --mtu 9000 --burst 64 --idle sleep a b c d"),
			 -1);
	assert_int_equal(o.rt.mode, WEIR_MODE_GROUP);
	assert_int_equal(o.rt.queues, 4);
	assert_int_equal(o.rt.n_cpus, 2);
	assert_int_equal(o.rt.cpus[1], 3);
	assert_int_equal(o.duration, 7);
	assert_int_equal(o.rt.count, 1000);
	assert_int_equal(o.stats, 2);
	assert_true(o.rt.force && o.json && o.rewrite && o.set_dst);
	assert_int_equal(o.rt.verbose, 2);
	assert_int_equal(o.dst[5], 9);
	assert_int_equal(o.rt.rx_desc, 256);
	assert_int_equal(o.rt.tx_desc, 128);
	assert_int_equal(o.rt.mtu, 9000);
	assert_int_equal(o.rt.burst, 64);
	assert_int_equal(o.rt.idle, FWD_SLEEP);
	assert_int_equal(o.rt.n_devs, 4);
	assert_int_equal(parse_line(&o, "-M a b"), -1);
	assert_true(o.rewrite && !o.set_dst);
}

static char config[] = "/tmp/weir-config-XXXXXX";

/* Parse a line in which '%' stands for a file with @text. */
static int with_config(struct l2fwd_opts *o, const char *text, const char *line)
{
	const char *at = strchr(line, '%');
	char whole[512];
	FILE *f;
	int fd, status;

	strcpy(config, "/tmp/weir-config-XXXXXX");
	fd = mkstemp(config);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	snprintf(whole, sizeof(whole), "%.*s%s%s", (int)(at - line), line, config, at + 1);
	status = parse_line(o, whole);
	unlink(config);
	return status;
}

static void test_config(void **state)
{
	static const char text[] =
		"// two NICs\n"
		"{ \"devices\": [\"0000:03:00.0\", {\"device\": \"04:00.0\", \"mode\": \"type1\"}],\n"
		"  \"mode\": \"compat\", \"queues\": 3, \"cores\": [4, \"6-7\"], \"idle\": \"sleep\",\n"
		"  \"mac-rewrite\": true, \"json\": false, \"force\": true }\n";
	struct l2fwd_opts o;

	(void)state;
	assert_int_equal(with_config(&o, text, "--config %"), -1);
	assert_int_equal(o.rt.n_devs, 2);
	assert_int_equal(o.rt.mode, WEIR_MODE_COMPAT);
	assert_int_equal(o.rt.queues, 3);
	assert_int_equal(o.rt.n_cpus, 3);
	assert_int_equal(o.rt.cpus[0], 4);
	assert_int_equal(o.rt.cpus[2], 7);
	assert_int_equal(o.rt.idle, FWD_SLEEP);
	assert_true(o.rewrite && !o.set_dst && !o.json && o.rt.force);
	/* What is typed wins, wherever it stands; devices replace devices. */
	assert_int_equal(with_config(&o, text, "-q 5 --config=% --mode cdev a b c d"), -1);
	assert_int_equal(o.rt.queues, 5);
	assert_int_equal(o.rt.mode, WEIR_MODE_CDEV);
	assert_int_equal(o.rt.n_devs, 4);
	assert_int_equal(with_config(&o, "{ \"queues\": 3 }\n// end", "--config % a b"), -1);
	assert_int_equal(o.rt.queues, 3);
	/* After "--" all is a device. */
	assert_int_equal(with_config(&o, text, "-- --config %"), -1);
	assert_int_equal(o.rt.n_devs, 2);
	assert_int_equal(o.rt.queues, 1);
}

static void test_config_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"devices\":[\"a\",\"b\"]",
		"{\"devices\":[]}",
		"{\"devices\":\"a\"}",
		"{\"devices\":[\"a\",1]}",
		"{\"devices\":[\"a\",{\"mode\":\"cdev\"}]}",
		"{\"devices\":[\"a\",{\"device\":\"b\",\"moed\":\"cdev\"}]}",
		"{\"devices\":[\"a\",{\"device\":\"b\",\"mode\":1}]}",
		"{\"devices\":[\"a\",{\"device\":1}]}",
		"{\"queues\":1} x",
		"{\"queues\":1},{\"queues\":2}",
		"{\"queues\":1}],[{}",
		"null",
		"{\"queue\":1}",
		"{\"queues\":1.5}",
		"{\"queues\":true}",
		"{\"queues\":null}",
		"{\"queues\":\"1 \"}",
		"{\"cores\":[]}",
		"{\"cores\":[[1]]}",
		"{\"json\":\"yes\"}",
		"{\"config\":\"x\"}",
		"{\"help\":true}",
	};
	struct l2fwd_opts o;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++)
		if (with_config(&o, bad[i], "--config % a b") != APP_USAGE)
			fail_msg("%s was accepted", bad[i]);
	assert_int_equal(parse_line(&o, "--config /nonexistent a b"), APP_USAGE);
	assert_int_equal(parse_line(&o, "a b --config"), APP_USAGE);
	assert_int_equal(parse_line(&o, "--conf /nonexistent a b"), APP_USAGE);
}

static void test_l2fwd_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"a",
		"a b c",
		"-q 0 a b",
		"-q 17 a b",
		"-q x a b",
		"--burst 0 a b",
		"--burst 7 --mtu 9000 a b",
		"--burst 65 a b",
		"--mtu 67 a b",
		"--mtu 65536 a b",
		"--mode vfio a b",
		"--idle never a b",
		"--cores x a b",
		"--cores 0-16 a b",
		"--count 0 a b",
		"--duration -1 a b",
		"--mac-rewrite=x a b",
		"--capture : a b",
		"--nonsense a b",
		"-q",
		"a b c d e f g h i j k l m n o p q r",
	};
	struct l2fwd_opts o;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		if (parse_line(&o, bad[i]) != APP_USAGE)
			fail_msg("\"%s\" was accepted", bad[i]);
		free(o.cap_text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number),	   cmocka_unit_test(test_cores),
		cmocka_unit_test(test_mac),	   cmocka_unit_test(test_capture_spec),
		cmocka_unit_test(test_l2fwd),	   cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_bad), cmocka_unit_test(test_l2fwd_bad),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
