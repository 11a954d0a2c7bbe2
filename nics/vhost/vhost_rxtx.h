/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets between the front end's memory and our buffers: a copy each way. Compiled once for each enum
 * vhost_path, so that no ring pays for what another one needs: VHOST_CSUM 1 with checksums,
 * VHOST_EXTRA 1 with notes on chains in flight.
 */
#include "nics/vhost/vhost_track.h"

/* The lock of a ring that is in use is free again after a burst. */
#define BURST 64

/* --- what both directions need --- */

/* Nothing of this ring is looked at any more until the front end sets it up anew. */
static void ring_broken(struct vhost_port *v, struct vhost_ring *r, struct weir_qstats *s)
{
	r->broken = true;
	__atomic_store_n(&r->live, false, __ATOMIC_RELAXED);
	weir_drop(s, WEIR_DROP_BAD_ID, 1);
	weir_log(
		v->port.w, WEIR_LOG_WARN, "vhost-bad-ring",
		"%s: ring %u: an index or a chain makes no sense; it is left alone until the front "
		"end sets it up again",
		v->port.name, (unsigned)(r - v->ring));
}

static void bad_chain(struct vhost_port *v, struct weir_qstats *s)
{
	weir_drop(s, WEIR_DROP_BAD_LEN, 1);
	__atomic_fetch_add(&v->bad_chains, 1, __ATOMIC_RELAXED);
	if (!__atomic_exchange_n(&v->said_bad, true, __ATOMIC_RELAXED))
		weir_log(v->port.w, WEIR_LOG_WARN, "vhost-bad-chain",
			 "%s: a descriptor points past the front end's memory or is of a kind or "
			 "length that cannot be; dropped, as will be others like it",
			 v->port.name);
}

static int pop(struct vhost_ring *r, struct vhost_chain *c)
{
	if (VHOST_EXTRA) {
		if (r->track && r->track->at < r->track->n)
			return track_pop_again(r, c);
		c->again = false;
		c->pos = r->next_avail;
	}
	return ring_pop(r, c);
}

/* A popped chain is used. Return: false when the ring is broken. */
static bool take(struct vhost_ring *r, struct vhost_chain *c)
{
	return !VHOST_EXTRA || track_take(r, c);
}

static void push(struct vhost_ring *r, struct vhost_done *done, const struct vhost_chain *c,
		 uint32_t len)
{
	if (VHOST_EXTRA && r->track)
		track_push(r, c);
	ring_push(r, done, c->id, c->descs, len);
}

static void flush(struct vhost_ring *r, const struct vhost_done *done)
{
	if (!done->n)
		return;
	if (VHOST_EXTRA && r->track)
		track_show(r);
	ring_show(r, done);
	if (VHOST_EXTRA && r->track)
		track_shown(r, done->n);
	ring_call(r, done);
}

/* Put the chain that was popped last back: it did not fit. */
struct place {
	uint16_t avail;
	bool wrap;
	unsigned again;
};

static struct place place_of(const struct vhost_ring *r)
{
	return (struct place){ .avail = r->next_avail,
			       .wrap = r->avail_wrap,
			       .again = VHOST_EXTRA && r->track ? r->track->at : 0 };
}

static void go_back(struct vhost_ring *r, struct place at)
{
	r->next_avail = at.avail;
	r->avail_wrap = at.wrap;
	if (VHOST_EXTRA && r->track)
		r->track->at = at.again;
}

/* Where copying stands within a chain. */
struct cursor {
	const struct vhost_chain *c;
	unsigned i;
	uint32_t off;
};

/* Move @len bytes between @buf and the chain, which has as many. */
static inline void copy(struct cursor *cur, char *buf, uint32_t len, const bool out)
{
	while (len) {
		uint32_t room = cur->c->piece[cur->i].size - cur->off;
		uint32_t n = weir_min_u(room, len);
		char *va = cur->c->piece[cur->i].va + cur->off;

		if (buf && out)
			memcpy(va, buf, n);
		else if (buf)
			memcpy(buf, va, n);
		if (buf)
			buf += n;
		len -= n;
		cur->off += n;
		if (cur->off == cur->c->piece[cur->i].size) {
			cur->i++;
			cur->off = 0;
		}
	}
}

/* --- receive: from the front end's transmit ring --- */

/* Largest packet this queue may bring, in bytes and in segments. */
static unsigned max_segs(const struct weir_rxq *q)
{
	return q->port->conf.offloads & WEIR_OFF_RX_JUMBO ? WEIR_MAX_SEGS : 1;
}

/* Fill buffers from a chain. */
static void take_packet(const struct vhost_rxq *q, const struct vhost_ring *r,
			const struct vhost_chain *c, const uint32_t *bufs, unsigned n,
			struct weir_pkt *p)
{
	struct cursor cur = { .c = c };
	uint32_t left = c->len - r->hdr_len;
	struct virtio_net_hdr h = { 0 };

	copy(&cur, VHOST_CSUM ? (char *)&h : NULL, r->hdr_len, false);
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = weir_min_u(left, WEIR_BUF_ROOM);

		p[i] = (struct weir_pkt){ .buf = bufs[i],
					  .off = WEIR_BUF_HEADROOM,
					  .len = (uint16_t)len,
					  .flags = i + 1 < n ? WEIR_PKT_MORE : 0 };
		copy(&cur, (char *)weir_pkt_data(q->base.dma.va_base, &p[i]), len, false);
		left -= len;
	}
	if (VHOST_CSUM && h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		vhost_rx_csum(&q->base, &h, p, n);
}

/* Segments that a chain's packet takes, 0 if it is none that could be taken. */
static unsigned segments(const struct vhost_rxq *q, const struct vhost_ring *r,
			 const struct vhost_chain *c)
{
	uint32_t len = c->len - r->hdr_len;

	if (c->bad || !c->n || c->write || c->len < r->hdr_len + (unsigned)WEIR_ETH_HLEN ||
	    len > max_segs(&q->base) * (unsigned)WEIR_BUF_ROOM)
		return 0;
	return (len + WEIR_BUF_ROOM - 1) / WEIR_BUF_ROOM;
}

/* All or none. */
static bool alloc(struct weir_cache *c, uint32_t *bufs, unsigned n)
{
	unsigned got = weir_buf_alloc(c, bufs, n);

	if (got == n)
		return true;
	weir_buf_free(c, bufs, got);
	return false;
}

/*
 * Take one chain, behind @out segments of a burst of @max. Return: segments it brought (0: dropped),
 * -1 when there is none or no room, -2 when the ring is broken.
 */
static int rx_one(struct vhost_rxq *q, struct vhost_ring *r, struct weir_pkt *pkts, unsigned out,
		  unsigned max, struct vhost_done *done)
{
	struct place at = place_of(r);
	uint32_t bufs[WEIR_MAX_SEGS] = { 0 };
	struct vhost_chain c;
	unsigned n;
	int got = pop(r, &c);

	if (got <= 0)
		return got ? -2 : -1;
	n = segments(q, r, &c);
	if (!n) {
		bad_chain(q->v, &q->base.stats);
	} else if (n > max && !out && weir_rxq_short(&q->base, n)) {
		weir_drop(&q->base.stats, WEIR_DROP_TOO_MANY, 1);
		n = 0;
	} else if (n > max - out || !alloc(q->base.cache, bufs, n)) {
		go_back(r, at);
		if (n <= max - out)
			weir_drop(&q->base.stats, WEIR_DROP_NO_BUF, 1);
		return -1;
	}
	if (!take(r, &c)) {
		weir_buf_free(q->base.cache, bufs, n);
		return -2;
	}
	if (n)
		take_packet(q, r, &c, bufs, n, &pkts[out]);
	push(r, done, &c, 0);
	return (int)n;
}

static unsigned rx_burst(struct vhost_rxq *q, struct vhost_ring *r, struct weir_pkt *pkts,
			 unsigned n)
{
	struct weir_qstats *s = &q->base.stats;
	struct vhost_done done = { 0 };
	unsigned out = 0, packets = 0;
	uint64_t bytes = 0;

	for (unsigned k = 0; k < BURST && out < n; k++) {
		int got = rx_one(q, r, pkts, out, n, &done);

		if (got == -2)
			ring_broken(q->v, r, s);
		if (got < 0)
			break;
		for (int i = 0; i < got; i++)
			bytes += pkts[out + (unsigned)i].len;
		out += (unsigned)got;
		packets += got > 0;
	}
	flush(r, &done);
	if (packets) {
		weir_count(&s->packets, packets);
		weir_count(&s->bytes, bytes);
	}
	return out;
}

/* --- transmit: into the front end's receive ring --- */

/* Chains that one packet goes into. */
struct merge {
	unsigned n;
	uint32_t room;
	struct vhost_chain c[VHOST_MAX_MERGE];
};

/*
 * Gather chains until @need bytes fit. Return: 1; 0 when there are too few now; -1 when the ring is
 * broken; -2 when the packet does not fit what the front end has.
 */
static int gather(struct vhost_port *v, struct vhost_ring *r, uint32_t need, struct merge *m,
		  struct vhost_done *done, struct weir_qstats *s)
{
	m->n = 0;
	m->room = 0;
	m->c[0].len = 0;
	while (m->room < need) {
		struct vhost_chain *c = &m->c[m->n];
		int got;

		if (m->n == VHOST_MAX_MERGE || (m->n && !r->mrg))
			return -2;
		got = pop(r, c);
		if (got <= 0)
			return got;
		/* The header lies in the first one whole, and somebody has to read 14 bytes. */
		if (c->bad || !c->n || !c->write || (!m->n && c->len < r->hdr_len)) {
			bad_chain(v, s);
			if (m->n) {
				/* It goes back with the others. */
				m->n++;
				return -2;
			}
			if (!take(r, c))
				return -1;
			push(r, done, c, 0);
			/* The guest may add more while we look: the rest is for the next call. */
			if (++done->bad == BURST)
				return 0;
			continue;
		}
		m->room += c->len;
		m->n++;
	}
	return 1;
}

/* Write @len bytes over the chains from where *k and *cur stand; *used counts the present chain's. */
static void spread(struct merge *m, unsigned *k, struct cursor *cur, uint32_t *used, char *buf,
		   uint32_t len)
{
	while (len) {
		uint32_t n = weir_min_u(m->c[*k].len - *used, len);

		copy(cur, buf, n, true);
		*used += n;
		buf += n;
		len -= n;
		if (*used == m->c[*k].len && *k + 1 < m->n) {
			++*k;
			*cur = (struct cursor){ .c = &m->c[*k] };
			*used = 0;
		}
	}
}

static void put_packet(struct vhost_ring *r, struct merge *m, struct virtio_net_hdr *h,
		       const char *va_base, const struct weir_pkt *p, unsigned segs,
		       struct vhost_done *done)
{
	struct cursor cur = { .c = &m->c[0] };
	uint32_t used = 0;
	unsigned k = 0;

	h->num_buffers = weir_le16((uint16_t)m->n);
	spread(m, &k, &cur, &used, (char *)h, r->hdr_len);
	for (unsigned i = 0; i < segs; i++)
		spread(m, &k, &cur, &used, (char *)weir_pkt_data(va_base, &p[i]), p[i].len);
	for (unsigned i = 0; i < m->n; i++)
		push(r, done, &m->c[i], i < m->n - 1 ? m->c[i].len : used);
}

/* Give back what was gathered for a packet that did not fit. */
static void give_back(struct vhost_ring *r, const struct merge *m, struct vhost_done *done)
{
	for (unsigned i = 0; i < m->n; i++)
		push(r, done, &m->c[i], 0);
}

static bool take_all(struct vhost_ring *r, struct merge *m)
{
	for (unsigned i = 0; VHOST_EXTRA && i < m->n; i++)
		if (!take(r, &m->c[i]))
			return false;
	return true;
}

/* 0 for one that reaches past a buffer. */
static uint32_t packet_len(const struct weir_pkt *p, unsigned segs)
{
	uint32_t len = 0;

	for (unsigned i = 0; i < segs; i++) {
		if (p[i].off + (unsigned)p[i].len > WEIR_BUF_SIZE)
			return 0;
		len += p[i].len;
	}
	return len;
}

/* Return: false if the packet cannot be sent. */
static bool checksums(const struct vhost_txq *q, const struct vhost_ring *r,
		      const struct weir_pkt *p, unsigned segs, struct virtio_net_hdr *h)
{
	return !VHOST_CSUM || !(p->flags & (WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM)) ||
	       !(q->base.port->conf.offloads & WEIR_OFF_TX_CSUM) ||
	       vhost_tx_csum(&q->base, r->partial, p, segs, h);
}

/* Return: 1 sent, 0 no room now, -1 dropped, -2 ring broken. */
static int tx_one(struct vhost_txq *q, struct vhost_ring *r, const struct weir_pkt *p,
		  unsigned segs, struct merge *m, struct vhost_done *done)
{
	uint32_t len = packet_len(p, segs);
	struct place at = place_of(r);
	struct weir_qstats *s = &q->base.stats;
	struct virtio_net_hdr h = { 0 };
	unsigned before = done->n;
	int got;

	if (len < WEIR_ETH_HLEN || segs > WEIR_MAX_SEGS) {
		weir_drop(s, WEIR_DROP_TX_INVALID, 1);
		return -1;
	}
	got = gather(q->v, r, len + r->hdr_len, m, done, s);
	/* Whole or not at all; bad chains before it were given back and stay so. */
	if (!got && done->n == before) {
		go_back(r, at);
		return 0;
	}
	/* Not before it is sure to go: what is left is offered again, and a sum is made once. */
	if (got > 0 && !checksums(q, r, p, segs, &h))
		got = -2;
	if (got == -1 || !take_all(r, m))
		return -2;
	if (got > 0) {
		put_packet(r, m, &h, q->base.dma.va_base, p, segs, done);
		weir_count(&s->bytes, len);
		return 1;
	}
	give_back(r, m, done);
	if (!got)
		return 0;
	weir_drop(s, WEIR_DROP_TX_INVALID, 1);
	return -1;
}

static unsigned tx_burst(struct vhost_txq *q, struct vhost_ring *r, const struct weir_pkt *pkts,
			 unsigned n)
{
	struct vhost_done done = { 0 };
	unsigned i = 0, packets = 0;
	struct merge m;

	while (i < n) {
		unsigned segs = weir_pkt_segs(&pkts[i], n - i);
		int got;

		if (!segs)
			break;
		got = tx_one(q, r, &pkts[i], segs, &m, &done);
		if (got == -2)
			ring_broken(q->v, r, &q->base.stats);
		if (got == 0 || got == -2)
			break;
		packets += got > 0;
		i += segs;
	}
	flush(r, &done);
	weir_count(&q->base.stats.packets, packets);
	weir_pkt_free(q->base.cache, pkts, i);
	return i;
}
