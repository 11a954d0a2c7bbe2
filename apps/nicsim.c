/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir nicsim`: an Intel 82599 made of software, served over vfio-user */
#include "apps/app.h"
#include "apps/nicsim/summary.h"
#include "core/clock.h"

#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define BUDGET	    64u
#define SPIN_PASSES 200u
/* How long to sleep at the most: a doorbell in shared memory wakes nobody. */
#define SLEEP_MIN_NS 20000u
#define SLEEP_MAX_NS 1000000u

/* Somebody wants a summary now. */
static volatile sig_atomic_t asked;

struct nicsim_opts {
	const char *socket, *wire, *fault, *mac;
	uint64_t queues, stats_s, seed, pasid;
	bool json, once, no_mmap, by_message;
	unsigned verbose;
};

static int number(const char *opt, uint64_t min, uint64_t max, uint64_t *v)
{
	return app_number(&cmd_nicsim, opt, optarg, min, max, v) ? -1 : APP_USAGE;
}

static int help(void)
{
	app_help(&cmd_nicsim, stdout);
	printf("\nWIRE is one of\n");
	for (unsigned i = 0; wire_kinds[i]; i++)
		printf("  %s\n", wire_kinds[i]->help);
	printf("\nNAME of a fault is one of\n");
	for (unsigned i = 0; i < nic_fault_count; i++)
		printf("  %-16s %s\n", nic_fault_table[i].name, nic_fault_table[i].help);
	return APP_OK;
}

static int option(struct nicsim_opts *o, int c)
{
	switch (c) {
	case 's':
		o->socket = optarg;
		return -1;
	case 'w':
		o->wire = optarg;
		return -1;
	case 'q':
		return number("--queues", 1, NIC_QUEUES, &o->queues);
	case 'm':
		o->mac = optarg;
		return -1;
	case 'S':
		return number("--stats", 1, 86400, &o->stats_s);
	case 'f':
		o->fault = optarg;
		return -1;
	case 'r':
		return number("--seed", 0, UINT64_MAX, &o->seed);
	case 'p':
		return number("--pasid", 1, VU_X_PASID_BITS, &o->pasid);
	case 'j':
		o->json = true;
		return -1;
	case 'o':
		o->once = true;
		return -1;
	case 'n':
		o->no_mmap = true;
		return -1;
	case 'd':
		o->by_message = true;
		return -1;
	case 'v':
		o->verbose++;
		return -1;
	case 'h':
		return help();
	default:
		return app_usage(&cmd_nicsim, "see the options.");
	}
}

static int parse(struct nicsim_opts *o, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "wire", required_argument, NULL, 'w' },
		{ "queues", required_argument, NULL, 'q' },
		{ "mac", required_argument, NULL, 'm' },
		{ "stats", required_argument, NULL, 'S' },
		{ "fault", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 'r' },
		{ "pasid", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "once", no_argument, NULL, 'o' },
		{ "no-mmap", no_argument, NULL, 'n' },
		{ "dma-messages", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c, status;

	o->queues = NIC_QUEUES;
	while ((c = getopt_long(argc, argv, "s:w:q:m:jvh", opts, NULL)) != -1) {
		status = option(o, c);
		if (status >= 0)
			return status;
	}
	if (optind != argc)
		return app_usage(&cmd_nicsim, "\"%s\" is one argument too many.", argv[optind]);
	if (!*o->socket || !*o->wire)
		return app_usage(&cmd_nicsim, "it needs --socket and --wire.");
	return -1;
}

/* Given, or a local one made from the seed and the socket's name, so that two NICs differ. */
static bool make_mac(const struct nicsim_opts *o, uint8_t mac[6])
{
	uint32_t h = net_crc32((const uint8_t *)o->socket, strlen(o->socket)) ^ (uint32_t)o->seed;
	int end = 0;

	if (!o->mac) {
		const uint8_t m[6] = {
			0x02,	   0x82, (uint8_t)(h >> 24), (uint8_t)(h >> 16), (uint8_t)(h >> 8),
			(uint8_t)h
		};

		memcpy(mac, m, 6);
		return true;
	}
	return sscanf(o->mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2],
		      &mac[3], &mac[4], &mac[5], &end) == 6 &&
	       !o->mac[end] && !(mac[0] & 1);
}

/* Sleep until a socket has something, or for @ns. */
static void doze(struct vu *v, uint64_t ns)
{
	struct pollfd p[3] = { { .fd = v->fd >= 0 ? -1 : v->listen, .events = POLLIN },
			       { .fd = v->fd, .events = POLLIN } };
	struct wire *wire = v->nic.wire;
	struct timespec ts = { .tv_nsec = (long)ns };

	p[2].fd = wire->ops->fd && nic_rx_ready(&v->nic) ? wire->ops->fd(wire) : -1;
	p[2].events = POLLIN;
	if (v->nic.itr_wait && v->nic.itr_wait < ns)
		ts.tv_nsec = (long)v->nic.itr_wait;
	ppoll(p, 3, &ts, NULL);
}

/* Nothing to do: spin a little, then sleep longer and longer. */
static void idle(struct vu *v, unsigned passes)
{
	uint64_t ns = SLEEP_MIN_NS;

	if (passes < SPIN_PASSES) {
		if (passes % 8 == 7)
			sched_yield();
		weir_pause();
		return;
	}
	if (v->fd < 0)
		ns = 100 * SLEEP_MAX_NS;
	else if (passes > SPIN_PASSES + 1000)
		ns = SLEEP_MAX_NS;
	if (passes == SPIN_PASSES && v->nic.wire->ops->idle)
		v->nic.wire->ops->idle(v->nic.wire);
	doze(v, ns);
}

static void on_ask(int sig)
{
	(void)sig;
	asked = 1;
}

static void catch_ask(void)
{
	struct sigaction sa = { .sa_handler = on_ask };

	sigaction(SIGUSR1, &sa, NULL);
}

static void serve(struct vu *v, const struct nicsim_opts *o)
{
	uint64_t next = weir_now_ns() + o->stats_s * 1000000000u;
	unsigned passes = 0;

	while (!app_stop) {
		unsigned work = 0;
		int r = 0;

		if (vu_accept(v)) {
			work = nic_poll(&v->nic, BUDGET);
			r = vu_poll(v);
		}
		if (r < 0 &&
		    (o->once || v->nic.fault == FAULT_GONE || v->nic.fault == FAULT_GONE_FRAME))
			break;
		if (o->stats_s && weir_now_ns() >= next) {
			summary_line(v, stderr);
			next += o->stats_s * 1000000000u;
		}
		if (asked) {
			asked = 0;
			summary_print(v, o->json, stdout);
		}
		passes = work || r > 0 ? 0 : passes + 1;
		if (passes)
			idle(v, passes);
	}
}

static void tell_fault(void *arg, const struct dma_fault *f)
{
	struct weir *w = arg;
	char pasid[24] = "";

	if (f->who.pasid)
		snprintf(pasid, sizeof(pasid), ", PASID %u", f->who.pasid);
	weir_log(w, WEIR_LOG_WARN, "dma-fault", "%s queue %u%s: %s of %zu bytes at IOVA 0x%llx: %s",
		 f->who.tx ? "TX" : "RX", f->who.queue, pasid,
		 f->dir == DMA_DEV_READ ? "read" : "write", f->len, (unsigned long long)f->iova,
		 f->why);
}

/* Tells the first ones; a driver gone wild could make millions. */
static void on_fault(void *arg, const struct dma_fault *f)
{
	struct vu *v = arg;

	if (v->nic.dma.faults <= DMA_KEEP)
		tell_fault(v->w, f);
}

static int open_nic(struct weir *w, const struct nicsim_opts *o, struct vu **out)
{
	uint8_t mac[6];
	struct vu *v;
	int err;

	if (!make_mac(o, mac))
		return weir_fail(w, EINVAL, "nicsim-mac", "\"%s\" is no unicast MAC address",
				 o->mac);
	err = vu_open(w, o->socket, (unsigned)o->queues, mac, &v);
	if (err)
		return err;
	v->no_mmap = o->no_mmap;
	v->by_message = o->by_message;
	if (o->pasid)
		vu_set_pasid(v, (unsigned)o->pasid);
	v->nic.dma.report = on_fault;
	v->nic.dma.report_arg = v;
	if (o->fault && nic_set_fault(&v->nic, o->fault))
		err = weir_fail(w, EINVAL, "nicsim-fault",
				"there is no fault \"%s\"; `weir nicsim --help` lists them",
				o->fault);
	if (!err)
		err = wire_open(w, o->wire, o->seed, &v->nic.wire);
	if (err) {
		vu_close(v);
		return err;
	}
	*out = v;
	return 0;
}

static int nicsim(const struct nicsim_opts *o)
{
	struct weir *w;
	struct vu *v = NULL;
	int err = app_open(o->verbose, &w);

	if (err)
		return APP_FAIL;
	err = open_nic(w, o, &v);
	if (!err && v) {
		vu_catch_sigbus(v);
		/* Short sleeps are to be short. */
		prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
		fprintf(stderr, "serving an 82599 at %s, its wire is %s\n", o->socket, o->wire);
		serve(v, o);
		err = wire_close(summary_print(v, o->json, stdout));
		vu_close(v);
	}
	weir_close(w);
	return err ? APP_FAIL : APP_OK;
}

static int run(int argc, char **argv)
{
	struct nicsim_opts o = { .socket = "", .wire = "" };
	int status = parse(&o, argc, argv);

	if (status >= 0)
		return status;
	app_catch_signals();
	catch_ask();
	return nicsim(&o);
}

const struct app_cmd cmd_nicsim = {
	.name = "nicsim",
	.args = "--socket PATH --wire WIRE [OPTIONS]",
	.summary = "serve a simulated Intel 82599 over vfio-user",
	.help = "  -s, --socket PATH  where drivers connect: vfio-user:PATH\n"
		"  -w, --wire WIRE    what the port is plugged into\n"
		"  -q, --queues N     RX and TX queues, 1 to 16 (16)\n"
		"  -m, --mac MAC      its address; by default made from PATH and seed\n"
		"      --stats S      a line every S seconds on standard error\n"
		"      --fault NAME[:N][,once]  misbehave on purpose; once: until a reset\n"
		"      --seed N       for what is made up\n"
		"      --no-mmap      each register access is a message, doorbells too\n"
		"      --pasid BITS   PASIDs of 1 to 20 bits, one a queue pair (experimental)\n"
		"      --dma-messages  each access to memory is a message too (slow)\n"
		"      --once         end when the first client has gone\n"
		"  -j, --json         summary at the end as JSON\n"
		"  -v, --verbose      say more\n"
		"\n"
		"It ends at SIGINT or SIGTERM, with a summary on standard output; at SIGUSR1 it\n"
		"prints one and goes on.\n",
	.run = run,
};
