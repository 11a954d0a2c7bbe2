/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port of the tests' own: what it receives is laid ready for it, what it is given to transmit is
 * kept for looking at, and its ring is as full as the test says.
 */
#ifndef WEIR_TESTS_FAKE_PORT_H
#define WEIR_TESTS_FAKE_PORT_H

#include "unit.h"

#include "core/port.h"

#define FP_SENT 65536

struct fp_rxq {
	struct weir_rxq q;
	unsigned frames; /* so many more arrive, numbered from @next on */
	unsigned next;
	unsigned segs;	  /* segments of each frame */
	unsigned at_most; /* frames a burst, 0: no limit */
};

struct fp_txq {
	struct weir_txq q;
	unsigned room;	    /* segments that still fit */
	unsigned in_flight; /* told by reap */
	unsigned kicks;
	unsigned split; /* packets that came without their end: must not be */
	unsigned n_sent;
	uint32_t sent[FP_SENT]; /* numbers of the frames */
};

struct fp_port {
	struct weir_port port;
	struct weir_port_caps caps;
	/* what was called, and what the calls shall return */
	char called[256];
	int ret;
	struct weir_port_conf conf;
	struct weir_rss rss;
	struct fp_rxq rx[WEIR_MAX_QUEUES];
	struct fp_txq *tx;
	uint8_t mac[6];
	uint32_t vlans[WEIR_VLAN_WORDS];
};

static inline void fp_call(struct weir_port *p, const char *what)
{
	struct fp_port *f = (struct fp_port *)p;

	assert_true(strlen(f->called) + strlen(what) + 2 < sizeof(f->called));
	strcat(f->called, what);
	strcat(f->called, " ");
}

/* A frame carries its number in its first four bytes, and in each further segment. */
static inline unsigned fp_burst(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	struct fp_rxq *r = (struct fp_rxq *)q;
	unsigned at = 0, frames = 0;

	while (r->frames && n - at >= r->segs && !(r->at_most && frames == r->at_most)) {
		uint32_t bufs[WEIR_MAX_SEGS];

		if (weir_buf_alloc(q->cache, bufs, r->segs) < r->segs)
			break;
		for (unsigned i = 0; i < r->segs; i++) {
			pkts[at + i] = (struct weir_pkt){ .buf = bufs[i],
							  .off = WEIR_BUF_HEADROOM,
							  .len = 60,
							  .flags = WEIR_PKT_RX_IP_GOOD };
			if (i + 1 < r->segs)
				pkts[at + i].flags |= WEIR_PKT_MORE;
			memset(weir_pkt_data(q->dma.va_base, &pkts[at + i]), 0xee, 60);
			memcpy(weir_pkt_data(q->dma.va_base, &pkts[at + i]) + 20, &r->next, 4);
		}
		at += r->segs;
		frames++;
		r->next++;
		r->frames--;
	}
	weir_count(&q->stats.packets, frames);
	return at;
}

static inline unsigned fp_post(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	struct fp_txq *t = (struct fp_txq *)q;
	unsigned at = 0;

	while (at < n) {
		unsigned segs = weir_pkt_segs(pkts + at, n - at);

		t->split += !segs;
		if (!segs || segs > t->room)
			break;
		for (unsigned i = 0; i < segs; i++) {
			assert_int_equal(pkts[at + i].flags & WEIR_PKT_RX_ONLY, 0);
			assert_memory_equal(weir_pkt_data(q->dma.va_base, &pkts[at + i]) + 20,
					    weir_pkt_data(q->dma.va_base, &pkts[at]) + 20, 4);
		}
		assert_true(t->n_sent < FP_SENT);
		memcpy(&t->sent[t->n_sent++], weir_pkt_data(q->dma.va_base, &pkts[at]) + 20, 4);
		weir_pkt_free(q->cache, pkts + at, segs);
		t->room -= segs;
		at += segs;
	}
	q->unkicked += at;
	return at;
}

static inline void fp_kick(struct weir_txq *q)
{
	((struct fp_txq *)q)->kicks++;
	q->unkicked = 0;
}

static inline unsigned fp_reap(struct weir_txq *q)
{
	return ((struct fp_txq *)q)->in_flight;
}

static inline void fp_caps(struct weir_port *p, struct weir_port_caps *c)
{
	*c = ((struct fp_port *)p)->caps;
}

static inline int fp_configure(struct weir_port *p)
{
	struct fp_port *f = (struct fp_port *)p;
	struct weir_dma dma = { .va_base = weir_window(p->w).base };

	fp_call(p, "configure");
	f->conf = p->conf;
	if (f->ret)
		return f->ret;
	for (unsigned i = 0; i < p->conf.n_rxq; i++) {
		f->rx[i] = (struct fp_rxq){ .q = { .burst = fp_burst, .dma = dma, .port = p },
					    .segs = 1 };
		f->rx[i].q.index = i;
		p->rxq[i] = &f->rx[i].q;
	}
	f->tx = aligned_alloc(64, sizeof(*f->tx) * p->conf.n_txq);
	assert_non_null(f->tx);
	memset(f->tx, 0, sizeof(*f->tx) * p->conf.n_txq);
	for (unsigned i = 0; i < p->conf.n_txq; i++) {
		f->tx[i].q = (struct weir_txq){ .post = fp_post,
						.kick = fp_kick,
						.reap = fp_reap,
						.dma = dma,
						.index = i,
						.port = p };
		f->tx[i].room = UINT32_MAX;
		p->txq[i] = &f->tx[i].q;
	}
	return 0;
}

static inline void fp_unconfigure(struct weir_port *p)
{
	fp_call(p, "unconfigure");
	free(((struct fp_port *)p)->tx);
}

static inline int fp_start(struct weir_port *p)
{
	fp_call(p, "start");
	return ((struct fp_port *)p)->ret;
}

static inline void fp_stop(struct weir_port *p)
{
	fp_call(p, "stop");
}

/* The memory stays the test's: it looks at what was called. */
static inline void fp_close(struct weir_port *p)
{
	fp_call(p, "close");
	weir_port_fini(p);
}

static inline int fp_mac_get(struct weir_port *p, uint8_t mac[6])
{
	memcpy(mac, ((struct fp_port *)p)->mac, 6);
	return 0;
}

static inline int fp_mac_set(struct weir_port *p, const uint8_t mac[6])
{
	fp_call(p, "mac");
	memcpy(((struct fp_port *)p)->mac, mac, 6);
	return 0;
}

static inline int fp_on(struct weir_port *p, bool on)
{
	fp_call(p, on ? "on" : "off");
	return ((struct fp_port *)p)->ret;
}

static inline int fp_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n)
{
	(void)macs;
	(void)n;
	fp_call(p, "mc");
	return 0;
}

static inline int fp_vlan_filter(struct weir_port *p, const uint32_t *vlans)
{
	struct fp_port *f = (struct fp_port *)p;

	fp_call(p, vlans ? "vlans" : "no-vlans");
	if (vlans)
		memcpy(f->vlans, vlans, sizeof(f->vlans));
	return 0;
}

static inline int fp_mtu_set(struct weir_port *p, unsigned mtu)
{
	(void)mtu;
	fp_call(p, "mtu");
	return ((struct fp_port *)p)->ret;
}

static inline int fp_rss_set(struct weir_port *p, const struct weir_rss *rss)
{
	fp_call(p, "rss");
	((struct fp_port *)p)->rss = *rss;
	return ((struct fp_port *)p)->ret;
}

static inline int fp_intr(struct weir_port *p, unsigned q)
{
	fp_call(p, "intr");
	return (int)q;
}

static const struct weir_port_ops fp_ops = {
	.caps = fp_caps,
	.configure = fp_configure,
	.unconfigure = fp_unconfigure,
	.start = fp_start,
	.stop = fp_stop,
	.close = fp_close,
	.mac_get = fp_mac_get,
	.mac_set = fp_mac_set,
	.promisc = fp_on,
	.allmulti = fp_on,
	.mc_list = fp_mc_list,
	.vlan_filter = fp_vlan_filter,
	.mtu_set = fp_mtu_set,
	.rss_set = fp_rss_set,
	.rx_intr_fd = fp_intr,
	.rx_intr_arm = fp_intr,
	.rx_intr_disarm = fp_intr,
};

/* Only what every port must have. */
static const struct weir_port_ops fp_bare_ops = {
	.caps = fp_caps,
	.configure = fp_configure,
	.unconfigure = fp_unconfigure,
	.start = fp_start,
	.stop = fp_stop,
	.close = fp_close,
};

static inline struct fp_port *fp_open(struct weir *w, const struct weir_port_ops *ops)
{
	struct fp_port *f = aligned_alloc(64, sizeof(*f));

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	f->caps = (struct weir_port_caps){
		.driver = "fake",
		.max_rxq = 4,
		.max_txq = 4,
		.min_desc = 32,
		.max_desc = 4096,
		.desc_align = 8,
		.max_mtu = 9000,
		.offloads = WEIR_OFF_RX_CSUM | WEIR_OFF_RX_JUMBO,
		.rss_types = WEIR_RSS_IPV4 | WEIR_RSS_IPV4_TCP,
		.rss_key_len = 40,
		.reta_len = 128,
		.max_tx_segs = 8,
		.rx_intr = true,
		.node = WEIR_NODE_ANY,
	};
	assert_int_equal(weir_port_init(&f->port, w, ops, "fake0"), 0);
	return f;
}

#endif
