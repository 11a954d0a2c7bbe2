/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir capture`: what arrives at a NIC, into pcap files, with tcpdump's habits */
#include "apps/runtime.h"
#include "core/clock.h"

#include <getopt.h>
#include <stdlib.h>

struct capture_opts {
	struct rt_opts rt;
	struct pcapw_opts file;
	uint64_t count, duration;
	char *filter;
	bool quiet;
};

/* The rest of the command line is the filter, as tcpdump has it. */
static char *join(char **words, int n)
{
	size_t len = 1;
	char *s;

	for (int i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	s = calloc(1, len);
	for (int i = 0; s && i < n; i++) {
		strcat(s, words[i]);
		if (i + 1 < n)
			strcat(s, " ");
	}
	return s;
}

static int number(const char *opt, uint64_t min, uint64_t max, uint64_t *v)
{
	return app_number(&cmd_capture, opt, optarg, min, max, v) ? -1 : APP_USAGE;
}

static int option(struct capture_opts *o, int c)
{
	uint64_t v = 0;
	int r = -1;

	switch (c) {
	case 'w':
		o->file.file = optarg;
		return -1;
	case 'c':
		return number("-c", 1, INT64_MAX, &o->count);
	case 's':
		r = number("-s", 0, 262144, &v);
		o->file.snaplen = v ? (unsigned)v : 262144;
		return r;
	case 'C':
		r = number("-C", 1, 1u << 20, &v);
		o->file.rotate_bytes = v * 1000000;
		return r;
	case 'G':
		r = number("-G", 1, UINT32_MAX, &v);
		o->file.rotate_s = (unsigned)v;
		return r;
	case 'W':
		r = number("-W", 1, UINT32_MAX, &v);
		o->file.files = (unsigned)v;
		return r;
	case 'd':
		return number("--duration", 1, UINT32_MAX, &o->duration);
	case 'U':
		o->file.unbuffered = true;
		return -1;
	case 'q':
		o->quiet = true;
		return -1;
	case 'm':
		if (weir_mode_parse(optarg, &o->rt.mode))
			return app_usage(
				&cmd_capture,
				"--mode is auto, cdev, group, compat, type1 or noiommu, not \"%s\".",
				optarg);
		return -1;
	case 'I':
		o->rt.iommu_fd = optarg;
		return -1;
	case 'f':
		o->rt.force = true;
		return -1;
	case 'v':
		o->rt.verbose++;
		return -1;
	case 'h':
		return app_help(&cmd_capture, stdout);
	default:
		return app_usage(&cmd_capture, "see the options.");
	}
}

static int parse(struct capture_opts *o, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "mode", required_argument, NULL, 'm' },
		{ "duration", required_argument, NULL, 'd' },
		{ "iommu-fd", required_argument, NULL, 'I' },
		{ "force", no_argument, NULL, 'f' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, status;

	o->file.snaplen = 262144;
	while ((c = getopt_long(argc, argv, "w:c:s:C:G:W:Uqfvh", opts, NULL)) != -1) {
		status = option(o, c);
		if (status >= 0)
			return status;
	}
	if (optind == argc)
		return app_usage(&cmd_capture, "name the device to capture from.");
	if (!o->file.file)
		return app_usage(&cmd_capture, "name the file to write with -w (\"-\" is standard "
					       "output).");
	o->rt.devs = argv + optind;
	o->rt.n_devs = 1;
	o->filter = join(argv + optind + 1, argc - optind - 1);
	o->file.filter = o->filter;
	o->rt.capture = &o->file;
	o->rt.queues = 1;
	o->rt.burst = 32;
	o->rt.lossless = true;
	o->rt.rx_desc = RT_DESC_MOST;
	return -1;
}

static void wait_for(struct rt *rt, const struct capture_opts *o)
{
	uint64_t began = weir_now_ns();

	while (!app_stop && !rt_done(rt)) {
		if (o->count && __atomic_load_n(&rt->cap_written, __ATOMIC_RELAXED) >= o->count)
			break;
		if (o->duration && weir_now_ns() - began >= o->duration * 1000000000ull)
			break;
		weir_sleep_us(2000);
	}
}

/* What the NIC itself had no descriptor for, where it counts that; nothing if it has left. */
static uint64_t missed_by_nic(struct weir_port *p)
{
	struct weir_xstat x[256];
	uint64_t n = 0;
	int have = p ? weir_port_xstats(p, x, WEIR_ARRAY_SIZE(x)) : 0;

	for (int i = 0; i < have && i < (int)WEIR_ARRAY_SIZE(x); i++)
		if (!strcmp(x[i].name, "mpc") || !strncmp(x[i].name, "rqdpc", 5))
			n += x[i].value;
	return n;
}

static int capture(struct capture_opts *o)
{
	struct rt *rt = calloc(1, sizeof(*rt));
	struct rt_sides s;
	uint64_t missed;
	int err, status;

	if (!rt)
		return APP_FAIL;
	o->rt.capture_count = o->count;
	err = rt_open(rt, &o->rt);
	if (err)
		goto out;
	err = rt_route(rt, 0, -1, NULL, FWD_AS_IT_IS);
	if (!err)
		err = rt_start(rt);
	if (!err) {
		fprintf(stderr, "capturing on %s to %s\n", rt->ports[0].name, o->file.file);
		wait_for(rt, o);
		missed = missed_by_nic(rt->ports[0].port);
		rt_stop(rt);
		rt_sides(&rt->ports[0], 0, &s);
		if (!o->quiet)
			fprintf(stderr,
				"%llu packets captured\n%llu packets received by filter\n"
				"%llu packets dropped\n",
				(unsigned long long)rt->cap_written,
				(unsigned long long)s.rx.packets,
				(unsigned long long)(rt_capture_missed(rt) + missed));
		err = rt_close(rt);
	} else {
		rt_close(rt);
	}
out:
	status = rt_status(rt, err);
	free(rt);
	return status;
}

static int run(int argc, char **argv)
{
	struct capture_opts o = { 0 };
	int status = parse(&o, argc, argv);

	if (status < 0) {
		app_catch_signals();
		status = capture(&o);
	}
	free(o.filter);
	return status;
}

const struct app_cmd cmd_capture = {
	.name = "capture",
	.args = "DEV -w FILE [OPTIONS] [FILTER]",
	.summary = "write what arrives at a NIC to a pcap file",
	.help = "  -w FILE        file to write; - is standard output\n"
		"  -c N           stop after N packets that the filter lets through\n"
		"  -s SNAPLEN     bytes of a packet to keep; 0 or nothing: all\n"
		"  -C MB          begin a new file (FILE1, FILE2, ...) after MB million bytes\n"
		"  -G S           begin a new file every S seconds; FILE may have strftime(3) fields\n"
		"  -W N           with -C: go round over N files; with -G: end after N files\n"
		"  -U             write each packet out at once\n"
		"  -q             do not print counts at the end\n"
		"      --duration S    stop after S seconds\n"
		"      --mode MODE     how to claim the NIC: auto (default), cdev, group, compat,\n"
		"                      type1 or noiommu\n"
		"      --iommu-fd FD   an open /dev/iommu, for a NIC that was handed in (fd:FD)\n"
		"  -f, --force    take the NIC although its interface is in use\n"
		"  -v, --verbose  say more; twice for all\n"
		"\n"
		"FILTER is an expression as in pcap-filter(7). Time stamps are in nanoseconds.\n",
	.run = run,
};
