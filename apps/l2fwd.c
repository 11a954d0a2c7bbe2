/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir l2fwd`: pairs of ports forward to each other */
#include "apps/config.h"
#include "apps/report.h"
#include "core/clock.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

struct l2fwd_opts {
	struct rt_opts rt;
	struct pcapw_opts cap;
	char *cap_text;
	uint64_t duration, stats;
	bool json, set_dst;
	enum fwd_rewrite rewrite;
	uint8_t dst[6];
	struct app_args args;
};

/* Six fields of one or two digits. */
static bool parse_mac(const char *s, uint8_t mac[6])
{
	for (unsigned i = 0; i < 6; i++) {
		size_t digits = strspn(s, "0123456789abcdefABCDEF");

		if (!digits || digits > 2 || s[digits] != (i < 5 ? ':' : '\0'))
			return false;
		mac[i] = (uint8_t)strtoul(s, NULL, 16);
		s += digits + 1;
	}
	return true;
}

static bool parse_idle(const char *s, enum fwd_idle *idle)
{
	static const char *const words[] = {
		[FWD_SPIN] = "spin", [FWD_YIELD] = "yield", [FWD_SLEEP] = "sleep"
	};

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(words); i++)
		if (!strcmp(s, words[i])) {
			*idle = (enum fwd_idle)i;
			return true;
		}
	return false;
}

/* FILE[:FILTER] */
static bool parse_capture(struct l2fwd_opts *o, const char *s)
{
	char *colon;

	free(o->cap_text);
	o->cap_text = strdup(s);
	if (!o->cap_text || !*s || *s == ':')
		return false;
	colon = strchr(o->cap_text, ':');
	if (colon)
		*colon = '\0';
	o->cap = (struct pcapw_opts){ .file = o->cap_text,
				      .filter = colon ? colon + 1 : NULL,
				      .snaplen = 65535 };
	o->rt.capture = &o->cap;
	return true;
}

enum {
	OPT_CORES = 256,
	OPT_COUNT,
	OPT_RXD,
	OPT_TXD,
	OPT_MTU,
	OPT_BURST,
	OPT_HOLD,
	OPT_IDLE,
	OPT_CAPTURE,
	OPT_WATCHDOG,
	OPT_KEEP_GOING,
	OPT_IOMMU_FD,
	OPT_MEMORY_FD,
	OPT_CONFIG,
	OPT_SWAP,
};

static const struct option long_opts[] = {
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "mode", required_argument, NULL, 'm' },
	{ "queues", required_argument, NULL, 'q' },
	{ "cores", required_argument, NULL, OPT_CORES },
	{ "duration", required_argument, NULL, 'd' },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "stats", required_argument, NULL, 's' },
	{ "mac-rewrite", optional_argument, NULL, 'M' },
	{ "mac-swap", no_argument, NULL, OPT_SWAP },
	{ "capture", required_argument, NULL, OPT_CAPTURE },
	{ "rx-desc", required_argument, NULL, OPT_RXD },
	{ "tx-desc", required_argument, NULL, OPT_TXD },
	{ "mtu", required_argument, NULL, OPT_MTU },
	{ "burst", required_argument, NULL, OPT_BURST },
	{ "hold", required_argument, NULL, OPT_HOLD },
	{ "idle", required_argument, NULL, OPT_IDLE },
	{ "watchdog", required_argument, NULL, OPT_WATCHDOG },
	{ "keep-going", no_argument, NULL, OPT_KEEP_GOING },
	{ "iommu-fd", required_argument, NULL, OPT_IOMMU_FD },
	{ "memory-fd", required_argument, NULL, OPT_MEMORY_FD },
	{ "force", no_argument, NULL, 'f' },
	{ "json", no_argument, NULL, 'j' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Options whose argument is a number. Return: false if @c is none of them or the number is bad. */
static bool number_option(struct l2fwd_opts *o, int c, bool *mine)
{
	const struct {
		int c;
		const char *name;
		uint64_t min, max;
		uint64_t *u64;
		unsigned *u;
	} nums[] = {
		{ 'q', "--queues", 1, WEIR_MAX_QUEUES, NULL, &o->rt.queues },
		{ 'd', "--duration", 1, UINT32_MAX, &o->duration, NULL },
		{ OPT_COUNT, "--count", 1, INT64_MAX, &o->rt.count, NULL },
		{ 's', "--stats", 1, 86400, &o->stats, NULL },
		{ OPT_RXD, "--rx-desc", 1, 65536, NULL, &o->rt.rx_desc },
		{ OPT_TXD, "--tx-desc", 1, 65536, NULL, &o->rt.tx_desc },
		{ OPT_MTU, "--mtu", WEIR_MTU_MIN, 65535, NULL, &o->rt.mtu },
		{ OPT_BURST, "--burst", 1, FWD_BURST_MAX, NULL, &o->rt.burst },
		{ OPT_HOLD, "--hold", 1, 60000, NULL, &o->rt.hold_ms },
		{ OPT_WATCHDOG, "--watchdog", 100, 3600000, NULL, &o->rt.stall_ms },
	};

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(nums); i++) {
		uint64_t v;

		if (nums[i].c != c)
			continue;
		*mine = true;
		if (!app_number(&cmd_l2fwd, nums[i].name, optarg, nums[i].min, nums[i].max, &v))
			return false;
		if (nums[i].u64)
			*nums[i].u64 = v;
		else
			*nums[i].u = (unsigned)v;
		return true;
	}
	*mine = false;
	return true;
}

/* Return: -1 to go on, else an exit status. */
static int option(struct l2fwd_opts *o, int c)
{
	bool mine;
	int n;

	if (!number_option(o, c, &mine))
		return APP_USAGE;
	if (mine)
		return -1;
	switch (c) {
	case 'm':
		if (weir_mode_parse(optarg, &o->rt.mode))
			return app_usage(
				&cmd_l2fwd,
				"--mode is auto, cdev, group, compat, type1 or noiommu, not \"%s\".",
				optarg);
		return -1;
	case OPT_CORES:
		n = app_cores(optarg, o->rt.cpus, RT_MAX_WORKERS);
		if (n < 0)
			return app_usage(&cmd_l2fwd,
					 "--cores wants CPUs like 0 or 1,3 or 2-5 (at most "
					 "%d), not \"%s\".",
					 RT_MAX_WORKERS, optarg);
		o->rt.n_cpus = (unsigned)n;
		return -1;
	case 'M':
		o->rewrite = FWD_SET_MAC;
		o->set_dst = optarg != NULL;
		if (optarg && !parse_mac(optarg, o->dst))
			return app_usage(&cmd_l2fwd, "\"%s\" is no MAC address.", optarg);
		return -1;
	case OPT_SWAP:
		o->rewrite = FWD_SWAP_MAC;
		return -1;
	case OPT_CAPTURE:
		if (!parse_capture(o, optarg))
			return app_usage(&cmd_l2fwd, "--capture wants FILE or FILE:FILTER.");
		return -1;
	case OPT_IDLE:
		if (!parse_idle(optarg, &o->rt.idle))
			return app_usage(&cmd_l2fwd, "--idle is spin, yield or sleep, not \"%s\".",
					 optarg);
		return -1;
	case OPT_KEEP_GOING:
		o->rt.keep_going = true;
		return -1;
	case OPT_IOMMU_FD:
		o->rt.iommu_fd = optarg;
		return -1;
	case OPT_MEMORY_FD:
		o->rt.memory_fd = optarg;
		return -1;
	case 'f':
		o->rt.force = true;
		return -1;
	case 'j':
		o->json = true;
		return -1;
	case 'v':
		o->rt.verbose++;
		return -1;
	case OPT_CONFIG: /* app_config() takes it out, unless it is cut short */
		return app_usage(&cmd_l2fwd, "write --config FILE in full.");
	case 'h':
		return app_help(&cmd_l2fwd, stdout);
	default:
		return app_usage(&cmd_l2fwd, "see the options.");
	}
}

static int parse(struct l2fwd_opts *o, int argc, char **argv)
{
	int c, status = app_config(&cmd_l2fwd, long_opts, argc, argv, &o->args);

	if (status >= 0)
		return status;
	argc = o->args.argc;
	argv = o->args.argv;
	o->rt.queues = 1;
	o->rt.burst = 32;
	while ((c = getopt_long(argc, argv, "m:q:d:s:M::fjvh", long_opts, NULL)) != -1) {
		status = option(o, c);
		if (status >= 0)
			return status;
	}
	if (o->rt.mtu > WEIR_BUF_ROOM - 64 && o->rt.burst < WEIR_MAX_SEGS)
		return app_usage(
			&cmd_l2fwd,
			"--burst must be %d at least with --mtu %u: a packet can have that "
			"many segments.",
			WEIR_MAX_SEGS, o->rt.mtu);
	o->rt.devs = argv + optind;
	o->rt.n_devs = (unsigned)(argc - optind);
	if (!o->rt.n_devs) {
		o->rt.devs = o->args.devs;
		o->rt.n_devs = o->args.n_devs;
	}
	if (o->rt.n_devs == 1 && o->rewrite)
		return -1;
	if (o->rt.n_devs == 1)
		return app_usage(&cmd_l2fwd, "one device is a mirror with --mac-swap or "
					     "--mac-rewrite; else name pairs of devices.");
	if (o->rt.n_devs < 2 || o->rt.n_devs % 2 || o->rt.n_devs > RT_MAX_PORTS)
		return app_usage(&cmd_l2fwd, "name pairs of devices: 2, 4, ... up to %d, not %u.",
				 RT_MAX_PORTS, o->rt.n_devs);
	return -1;
}

static int route_pairs(struct rt *rt, const struct l2fwd_opts *o)
{
	int err = 0;

	for (unsigned i = 0; i < rt->n_ports && !err; i++)
		err = rt_route(rt, i, (int)(rt->n_ports > 1 ? i ^ 1 : i),
			       o->set_dst ? o->dst : NULL, o->rewrite);
	return err;
}

/* Until a signal, the end of the time, or the end of the work. */
static void wait_and_show(struct rt *rt, const struct l2fwd_opts *o, struct report *rep)
{
	uint64_t now = weir_now_ns(), began = now, shown = now;

	while (!app_stop && !rt_done(rt)) {
		weir_sleep_us(20000);
		now = weir_now_ns();
		if (o->stats && now - shown >= o->stats * 1000000000ull) {
			/* Standard output is one JSON value, then. */
			report_tick(rep, o->json ? stderr : stdout);
			shown = now;
		}
		if (o->duration && now - began >= o->duration * 1000000000ull)
			break;
	}
}

static int forward(const struct l2fwd_opts *o)
{
	bool live = o->stats && isatty(STDOUT_FILENO) && !o->json;
	struct rt *rt = calloc(1, sizeof(*rt));
	struct report *rep = NULL;
	int err, status;

	if (!rt)
		return APP_FAIL;
	err = rt_open(rt, &o->rt);
	if (err)
		goto out;
	err = route_pairs(rt, o);
	if (!err)
		err = report_open(rt, live, &rep);
	if (!err)
		err = rt_start(rt);
	if (!err) {
		fprintf(stderr, "forwarding between %u ports, %u worker%s\n", rt_left(rt, RT_HERE),
			rt->n_workers, rt->n_workers == 1 ? "" : "s");
		if (live)
			printf("\033[2J");
		wait_and_show(rt, o, rep);
		report_links(rep);
		rt_stop(rt);
		report_final(rep, o->json);
	}
	report_close(rep);
	if (err)
		rt_close(rt);
	else
		err = rt_close(rt);
out:
	status = rt_status(rt, err);
	free(rt);
	return status;
}

static int run(int argc, char **argv)
{
	struct l2fwd_opts o = { 0 };
	int status = parse(&o, argc, argv);

	if (status < 0) {
		app_catch_signals();
		status = forward(&o);
	}
	free(o.cap_text);
	app_config_end(&o.args);
	return status;
}

const struct app_cmd cmd_l2fwd = {
	.name = "l2fwd",
	.args = "[OPTIONS] DEV [DEV [DEV DEV...]]",
	.summary = "forward frames between pairs of NICs",
	.help = "      --config FILE      options and devices from a JSON file, keys named\n"
		"                         as the long options (config/l2fwd.json shows one);\n"
		"                         what is typed wins\n"
		"  -m, --mode MODE        how to claim NICs: auto (default), cdev, group, compat,\n"
		"                         type1 or noiommu; of one of them: DEV,mode=MODE\n"
		"  -q, --queues N         RX and TX queues a port, spread by RSS (default 1)\n"
		"      --cores LIST       one worker a CPU, pinned: 1 or 1,3 or 2-5\n"
		"  -d, --duration S       stop after S seconds\n"
		"      --count N          stop after N packets\n"
		"  -s, --stats S          show counters every S seconds: a live table on a\n"
		"                         terminal, lines elsewhere\n"
		"  -M, --mac-rewrite[=MAC]  source becomes the sending port's address, and the\n"
		"                         destination MAC if given; otherwise frames pass as they are\n"
		"      --mac-swap         source and destination addresses change places\n"
		"                         with either of these, one device will do: it gets back what\n"
		"                         it sent\n"
		"      --capture FILE[:FILTER]  write what passes to a pcap file (pcap-filter(7))\n"
		"      --idle WHAT        when there is nothing to do: spin (default), yield, or\n"
		"                         sleep on the NICs' interrupts\n"
		"      --mtu N            largest packet (default 1500)\n"
		"      --burst N          segments moved at once, 1 to 64 (default 32)\n"
		"      --hold MS          how long packets wait for a full TX ring before they are\n"
		"                         dropped (default 100); a route receives nothing meanwhile\n"
		"      --rx-desc N, --tx-desc N  ring sizes\n"
		"      --watchdog MS      a port whose queue stands still for so long is reset\n"
		"                         (default 2000)\n"
		"      --keep-going       leave out ports that cannot be opened or started, with\n"
		"                         their pairs, and forward between the others\n"
		"      --iommu-fd FD      an open /dev/iommu, for NICs that were handed in\n"
		"      --memory-fd FD     a memfd that becomes the packet memory\n"
		"  -f, --force            take a NIC although its interface is in use\n"
		"  -j, --json             print the summary as JSON; --stats goes to stderr\n"
		"  -v, --verbose          say more; twice for all\n"
		"\n"
		"A NIC can be handed in as an open cdev, fd:FD or fd:FD,bdf=0000:03:00.0, and a\n"
		"vfio-user server as a connected socket, vfio-user:fd=FD. FD is a number, or the\n"
		"name that systemd gave it (OpenFile=).\n"
		"\n"
		"NICs that a kernel driver has are taken for the run and given back after it.\n"
		"SIGINT, SIGTERM and SIGHUP end the run cleanly. A NIC that fails, or that the\n"
		"kernel asks back (unbound, removed, unplugged), leaves the run and the others go on;\n"
		"exit status 1 tells of the one, 3 of the other. One that stands still is reset first,\n"
		"three times at most unless a minute of good work lies between.\n",
	.run = run,
};
