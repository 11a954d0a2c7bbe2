/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port without a device: "null:" gives 64-byte frames as fast as they are asked for and frees
 * what it is sent. "null:0" gives nothing, "null:LEN" frames of that length. It measures what the
 * framework itself costs.
 */
#include "nics/nics.h"

#include <stdlib.h>

#define NULL_BURST 64

struct null_rxq {
	struct weir_rxq q;
	uint16_t len;
};

struct null_port {
	struct weir_port port;
	uint16_t len;
	struct null_rxq rxq[WEIR_MAX_QUEUES];
	struct weir_txq txq[WEIR_MAX_QUEUES];
};

static unsigned null_rx(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	uint16_t len = ((struct null_rxq *)q)->len;
	uint32_t bufs[NULL_BURST];

	n = weir_buf_alloc(q->cache, bufs, weir_min_u(n, NULL_BURST));
	for (unsigned i = 0; i < n; i++)
		pkts[i] = (struct weir_pkt){ .buf = bufs[i], .off = WEIR_BUF_HEADROOM, .len = len };
	weir_count(&q->stats.packets, n);
	weir_count(&q->stats.bytes, (uint64_t)n * len);
	weir_count(&q->stats.calls, 1);
	if (weir_unlikely(!n))
		weir_drop(&q->stats, WEIR_DROP_NO_BUF, 1);
	return n;
}

static unsigned null_rx_nothing(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	(void)pkts;
	(void)n;
	weir_count(&q->stats.calls, 1);
	weir_count(&q->stats.empty, 1);
	return 0;
}

static unsigned null_post(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	uint64_t bytes = 0, packets = 0;

	for (unsigned i = 0; i < n; i++) {
		bytes += pkts[i].len;
		packets += !(pkts[i].flags & WEIR_PKT_MORE);
	}
	weir_pkt_free(q->cache, pkts, n);
	weir_count(&q->stats.packets, packets);
	weir_count(&q->stats.bytes, bytes);
	weir_count(&q->stats.calls, 1);
	q->unkicked += n;
	return n;
}

static void null_kick(struct weir_txq *q)
{
	weir_count(&q->stats.kicks, 1);
	q->unkicked = 0;
}

static unsigned null_reap(struct weir_txq *q)
{
	(void)q;
	return 0;
}

static void null_caps(struct weir_port *p, struct weir_port_caps *c)
{
	(void)p;
	c->driver = "null";
	c->max_rxq = c->max_txq = WEIR_MAX_QUEUES;
	c->min_desc = 1;
	c->max_desc = 65536;
	c->desc_align = 1;
	c->max_mtu = WEIR_BUF_ROOM - WEIR_ETH_HLEN;
	c->max_tx_segs = WEIR_MAX_SEGS;
}

static int null_configure(struct weir_port *p)
{
	struct weir_dma dma = { .va_base = weir_window(p->w).base };
	struct null_port *n = (struct null_port *)p;

	for (unsigned i = 0; i < p->conf.n_rxq; i++) {
		n->rxq[i] = (struct null_rxq){
			.q = { .burst = n->len ? null_rx : null_rx_nothing,
			       .dma = dma,
			       .port = p,
			       .index = i },
			.len = n->len,
		};
		p->rxq[i] = &n->rxq[i].q;
	}
	for (unsigned i = 0; i < p->conf.n_txq; i++) {
		n->txq[i] = (struct weir_txq){ .post = null_post,
					       .kick = null_kick,
					       .reap = null_reap,
					       .dma = dma,
					       .port = p,
					       .index = i };
		p->txq[i] = &n->txq[i];
	}
	return 0;
}

static void null_nothing(struct weir_port *p)
{
	(void)p;
}

static int null_start(struct weir_port *p)
{
	(void)p;
	return 0;
}

static void null_close(struct weir_port *p)
{
	weir_port_fini(p);
	free(p);
}

static int null_link(struct weir_port *p, struct weir_link *link)
{
	(void)p;
	link->up = link->full_duplex = true;
	return 0;
}

/* A locally administered address, so that --mac-rewrite has one to write. */
static int null_mac_get(struct weir_port *p, uint8_t mac[6])
{
	static const uint8_t addr[6] = { 0x02, 'w', 'e', 'i', 'r', 0 };

	(void)p;
	memcpy(mac, addr, 6);
	return 0;
}

static int null_promisc(struct weir_port *p, bool on)
{
	(void)p;
	(void)on;
	return 0;
}

static const struct weir_port_ops null_ops = {
	.caps = null_caps,
	.configure = null_configure,
	.unconfigure = null_nothing,
	.start = null_start,
	.stop = null_nothing,
	.close = null_close,
	.link = null_link,
	.mac_get = null_mac_get,
	.promisc = null_promisc,
};

static int null_open(struct weir *w, const char *name, const char *rest, struct weir_port **out)
{
	unsigned long len = 64;
	struct null_port *n;
	char *end;
	int err;

	if (*rest) {
		len = strtoul(rest, &end, 10);
		if (*end || len > WEIR_BUF_ROOM || (len && len < WEIR_ETH_HLEN))
			return weir_fail(w, EINVAL, "device-string",
					 "%s: the frame length must be 0, or %u to %u", name,
					 WEIR_ETH_HLEN, WEIR_BUF_ROOM);
	}
	n = aligned_alloc(WEIR_CACHE_LINE, sizeof(*n));
	if (!n)
		return -ENOMEM;
	memset(n, 0, sizeof(*n));
	n->len = (uint16_t)len;
	err = weir_port_init(&n->port, w, &null_ops, name);
	if (err) {
		free(n);
		return err;
	}
	*out = &n->port;
	return 0;
}

const struct weir_driver weir_null_driver = {
	.name = "null",
	.scheme = "null",
	.open = null_open,
};
