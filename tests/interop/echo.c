/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * echo: frames of a pcap file out of a port whose other side sends everything back, and each one
 * compared when it is back: every byte, and the order within its queue.
 *
 *   echo [-q QUEUES] [-r ROUNDS] [-b CONNECTIONS] [-w] DEV FILE.pcap
 *
 * Frame i takes queue i mod QUEUES. So few are under way at a time that nobody has to drop any. With
 * -b the other side may break off (and come back): what has not come back after a while is sent again,
 * and it goes on until there have been so many connections after the first (a front end) or in all.
 * With -w it begins when its standard input ends: a driver may set its device up more than once before
 * it is ready, and frames that came before that are lost by right. Prints what passed; exits with 0 when all frames were back.
 */
#include "core/clock.h"
#include "nics/nics.h"

#include <pcap/pcap.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFS	   8192
#define WINDOW	   16
#define MAX_FRAMES 100000
#define LINK_US	   20000000
#define STILL_US   30000000
#define AGAIN_NS   400000000ull

struct frame {
	unsigned len;
	uint8_t *data;
};

/* By queue: positions in its own sequence of frames. */
struct queue {
	uint64_t sent, back, end;
};

static struct {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_iommu *iommu;
	struct weir_port *port;
	struct frame frame[MAX_FRAMES];
	unsigned n_frames, n_queues;
	unsigned breaks;
	uint64_t again;
	struct queue q[WEIR_MAX_QUEUES];
} t;

static void die(const char *what)
{
	fprintf(stderr, "echo: %s\n", what);
	exit(1);
}

static void load(const char *path)
{
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, err);
	struct pcap_pkthdr *h;
	const u_char *d;

	if (!p)
		die(err);
	while (pcap_next_ex(p, &h, &d) == 1 && t.n_frames < MAX_FRAMES) {
		struct frame *f = &t.frame[t.n_frames++];

		f->len = h->caplen;
		f->data = malloc(h->caplen);
		if (!f->data)
			die("no memory");
		memcpy(f->data, d, h->caplen);
	}
	pcap_close(p);
	if (!t.n_frames)
		die("no frames");
}

/* The frame at position @pos of queue @q. */
static const struct frame *frame_at(unsigned q, uint64_t pos)
{
	return &t.frame[(pos * t.n_queues + q) % t.n_frames];
}

static void open_port(const char *dev)
{
	struct weir_port_conf c = { .n_rxq = t.n_queues, .n_txq = t.n_queues };

	if (weir_open(&(struct weir_opts){ .log_level = WEIR_LOG_WARN }, &t.w) ||
	    weir_pool_arena(t.w, BUFS, 4u << 20, WEIR_NODE_ANY, 0, &t.arena) ||
	    weir_pool_create(t.arena, BUFS, &t.pool) || weir_cache_create(t.pool, &t.cache) ||
	    weir_iommu_open(t.w, &t.iommu) || weir_port_open(t.iommu, dev, NULL, &t.port))
		die("the port cannot be opened");
	c.arena = t.arena;
	if (weir_port_configure(t.port, &c))
		die("the port cannot be configured");
	for (unsigned q = 0; q < t.n_queues; q++)
		if (weir_port_queue_cache(t.port, q, t.cache))
			die("no cache");
	if (weir_port_start(t.port))
		die("the port does not start");
}

static void close_port(void)
{
	weir_port_close(t.port);
	weir_iommu_close(t.iommu);
	weir_cache_destroy(t.cache);
	if (weir_pool_available(t.pool) != BUFS)
		die("buffers are missing");
	weir_pool_destroy(t.pool);
	weir_arena_destroy(t.arena);
	weir_close(t.w);
}

/* A counter of the port's, @none where it has none of the name. */
static uint64_t xstat(const char *name, uint64_t none)
{
	struct weir_xstat x[16];
	int n = weir_port_xstats(t.port, x, 16);

	for (int i = 0; i < n && i < 16; i++)
		if (!strcmp(x[i].name, name))
			return x[i].value;
	return none;
}

/* A driver switches its queues on one after the other: with those that are there, until all are. */
static void wait_for_link(void)
{
	struct weir_deadline end = weir_deadline_us(LINK_US);
	struct weir_link l = { 0 };

	while (!l.up || xstat("pairs_live", t.n_queues) < t.n_queues) {
		weir_port_service(t.port);
		if (weir_port_link(t.port, &l) || weir_deadline_passed(end))
			die("the link does not come up");
		weir_sleep_us(1000);
	}
}

static void wait_for_word(void)
{
	struct pollfd word = { .fd = STDIN_FILENO, .events = POLLIN };
	char c;

	while (!poll(&word, 1, 1) || read(STDIN_FILENO, &c, 1) > 0)
		weir_port_service(t.port);
}

/* Return: whether one was sent. */
static bool send_one(unsigned q)
{
	struct queue *s = &t.q[q];
	const struct frame *f = frame_at(q, s->sent);
	struct weir_pkt p;
	uint32_t buf;

	if (s->sent == s->end || s->sent - s->back >= WINDOW || !weir_buf_alloc(t.cache, &buf, 1))
		return false;
	p = (struct weir_pkt){ .buf = buf, .off = WEIR_BUF_HEADROOM, .len = (uint16_t)f->len };
	memcpy(weir_pkt_data(weir_window(t.w).base, &p), f->data, f->len);
	if (!weir_tx_post(t.port->txq[q], &p, 1)) {
		weir_pkt_free(t.cache, &p, 1);
		return false;
	}
	s->sent++;
	return true;
}

static bool is_frame(const struct weir_pkt *p, const struct frame *f)
{
	return p->len == f->len &&
	       !memcmp(weir_pkt_data(weir_window(t.w).base, p), f->data, f->len);
}

/* Return: how many were what they should be. */
static unsigned receive(unsigned q)
{
	struct queue *s = &t.q[q];
	struct weir_pkt got[32];
	unsigned n = weir_rx(t.port->rxq[q], got, 32), good = 0;

	for (unsigned i = 0; i < n; i++) {
		if (s->back < s->sent && is_frame(&got[i], frame_at(q, s->back))) {
			s->back++;
			good++;
		} else if (!t.breaks) {
			fprintf(stderr, "echo: queue %u: frame %llu came back as something else\n",
				q, (unsigned long long)s->back);
			exit(1);
		}
	}
	weir_pkt_free(t.cache, got, n);
	return good;
}

static bool pass(void)
{
	bool moved = false;

	for (unsigned q = 0; q < t.n_queues; q++) {
		bool sent = false;

		while (send_one(q))
			sent = true;
		if (sent)
			weir_tx_kick(t.port->txq[q]);
		weir_tx_reap(t.port->txq[q]);
		moved |= receive(q) > 0;
	}
	return moved;
}

static bool all_back(void)
{
	for (unsigned q = 0; q < t.n_queues; q++)
		if (t.q[q].back < t.q[q].end)
			return false;
	return true;
}

static uint64_t connections(void)
{
	return xstat("reconnects", xstat("connections", 0));
}

/* Another round while connections are still to come. */
static bool more(void)
{
	if (connections() >= t.breaks)
		return false;
	for (unsigned q = 0; q < t.n_queues; q++)
		t.q[q].end += t.n_frames;
	return true;
}

static void run(void)
{
	uint64_t moved = weir_now_ns(), served = moved, now;
	struct weir_deadline end = weir_deadline_us(STILL_US);

	for (;;) {
		if (all_back() && !more())
			break;
		now = weir_now_ns();
		if (pass()) {
			moved = now;
			end = weir_deadline_us(STILL_US);
		} else {
			sched_yield();
		}
		if (now - served > 2000000) {
			weir_port_service(t.port);
			served = now;
		}
		if (weir_deadline_passed(end) || (!t.breaks && now - moved > 10000000000ull))
			die("frames do not come back");
		if (!t.breaks || now - moved < AGAIN_NS)
			continue;
		for (unsigned q = 0; q < t.n_queues; q++) {
			t.again += t.q[q].sent - t.q[q].back;
			t.q[q].sent = t.q[q].back;
		}
		moved = now;
	}
}

int main(int argc, char **argv)
{
	unsigned rounds = 1;
	uint64_t total, passed = 0;
	bool word = false;
	int c;

	t.n_queues = 1;
	while ((c = getopt(argc, argv, "q:r:b:w")) != -1) {
		if (c == 'q')
			t.n_queues = (unsigned)atoi(optarg);
		else if (c == 'r')
			rounds = (unsigned)atoi(optarg);
		else if (c == 'w')
			word = true;
		else if (c == 'b')
			t.breaks = (unsigned)atoi(optarg);
		else
			return 2;
	}
	if (argc - optind != 2 || !t.n_queues || t.n_queues > WEIR_MAX_QUEUES || !rounds)
		return 2;
	load(argv[optind + 1]);
	open_port(argv[optind]);
	if (word)
		wait_for_word();
	wait_for_link();
	total = (uint64_t)t.n_frames * rounds;
	for (unsigned q = 0; q < t.n_queues; q++)
		t.q[q].end = total / t.n_queues + (q < total % t.n_queues);
	run();
	for (unsigned q = 0; q < t.n_queues; q++)
		passed += t.q[q].back;
	printf("%llu frames back through %u queues, %llu sent again, %llu connections\n",
	       (unsigned long long)passed, t.n_queues, (unsigned long long)t.again,
	       (unsigned long long)connections());
	close_port();
	return 0;
}
