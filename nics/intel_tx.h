/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Posting packets as advanced descriptors, written once and compiled for each row of intel_paths[].
 * Packets of one segment that are alike, which are nearly all, take a loop of their own that keeps the
 * queue's state in registers. Every 32nd descriptor, and the last one before a doorbell, asks for a
 * report (RS): what is done before it is ours again.
 */
#ifndef WEIR_NICS_INTEL_TX_H
#define WEIR_NICS_INTEL_TX_H

#include "nics/intel_rx.h"

#define TX_RS_EVERY 32
#define TX_MAX_LEN  (INTEL_MAX_FRAME - INTEL_FCS)
/* 82599 7.2.3.2.4 asks for nothing less than this much payload in a frame that TSO makes. */
#define TX_MIN_MSS 64

/**
 * struct tx_sum - what a post adds to the statistics
 * @packets: packets written
 * @bytes: their bytes, but for those in an intel_acc
 */
struct tx_sum {
	unsigned packets;
	uint64_t bytes;
};

static inline bool seg_ok(const struct weir_pkt *p)
{
	return p->len && (unsigned)p->off + p->len <= WEIR_BUF_SIZE;
}

/* The second half of a packet, all that struct intel_like looks at. */
static inline uint64_t pkt_rest(const struct weir_pkt *p)
{
	uint64_t v;

	static_assert(offsetof(struct weir_pkt, flags) == 8, "flags, tag and header lengths");
	memcpy(&v, &p->flags, sizeof(v));
	return v;
}

/* Packets without anything to be asked of the device. */
INTEL_INLINE struct intel_like like_plain(void)
{
	return (struct intel_like){
		.mask = TX_UNCOMMON,
		.hi = TXD_WHOLE,
		.least = TX_MIN_LEN,
	};
}

/*
 * Packets like @p, whose offloads are @o. What a flag does not ask for may hold anything: a packet
 * that was received has its hash where header lengths are.
 */
static struct intel_like like_of(const struct weir_pkt *p, const struct intel_tx_off *o)
{
	struct weir_pkt m = { .flags = TX_UNCOMMON }, w = *p;
	struct intel_like l = { .hi = TXD_WHOLE | o->bits, .least = TX_MIN_LEN };
	unsigned l4 = p->flags & WEIR_PKT_TX_TCP_CSUM	? 20
		      : p->flags & WEIR_PKT_TX_UDP_CSUM ? 8
							: 0;

	/* Every packet to be cut needs a look at its header. */
	if (p->flags & WEIR_PKT_TX_TSO)
		return (struct intel_like){ 0 };
	if (p->flags & WEIR_PKT_VLAN)
		m.vlan = UINT16_MAX;
	if (p->flags & INTEL_TX_HEADERS) {
		m.flags |= WEIR_PKT_TX_IPV6;
		m.txo.l2_len = m.txo.l3_len = UINT8_MAX;
		l.least = (unsigned)p->txo.l2_len + p->txo.l3_len + l4;
	}
	w.flags &= (uint16_t)~WEIR_PKT_MORE;
	l.mask = pkt_rest(&m);
	l.want = pkt_rest(&w) & l.mask;
	return l;
}

static inline bool tx_like_ok(const struct weir_pkt *p, const struct intel_like *l)
{
	return (pkt_rest(p) & l->mask) == l->want && p->len >= l->least &&
	       (unsigned)p->off + p->len <= WEIR_BUF_SIZE;
}

static inline uint64_t tx_hi(unsigned len, const struct intel_like *l)
{
	return l->hi | INTEL_TXD_PAYLEN(len) | len;
}

/*
 * Packets that are alike, up to the first that is not, or that asks for RS, or the end of either ring.
 * Return: packets written.
 */
INTEL_INLINE unsigned tx_run(struct intel_txq *q, const struct weir_pkt *p, unsigned n,
			     const struct intel_like l, struct tx_sum *sum, intel_acc *acc)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];
	uint32_t *bufs = &q->bufs[q->buf_tail];
	struct xlate x = xlate_begin(&q->q.dma, 0);
	uint64_t bytes = 0, hi;
	unsigned i, left;

	n = weir_min_u(weir_min_u(n, q->free), q->size - (unsigned)q->tail);
	n = weir_min_u(n, q->size - (unsigned)q->buf_tail);
	/* A packet of many segments may have gone past the limit; its end then had RS. */
	n = weir_min_u(n, TX_RS_EVERY - (unsigned)q->rs_descs);
	left = n;
	while (left >= INTEL_WIDE && wide_tx(d, bufs, p, x, &l, acc)) {
		d += INTEL_WIDE;
		bufs += INTEL_WIDE;
		p += INTEL_WIDE;
		left -= INTEL_WIDE;
	}
	for (; left >= INTEL_GROUP && group_tx(d, bufs, p, x, &l, acc); left -= INTEL_GROUP) {
		d += INTEL_GROUP;
		bufs += INTEL_GROUP;
		p += INTEL_GROUP;
	}
	for (; left && weir_likely(tx_like_ok(p, &l)); left--) {
		*bufs++ = p->buf;
		d->lo = weir_le64(xlate_pkt(x, p, 0));
		d->hi = weir_le64(tx_hi(p->len, &l));
		bytes += p->len;
		d++;
		p++;
	}
	i = n - left;
	if (!i)
		return 0;
	hi = tx_hi(p[-1].len, &l);
	q->last = (uint16_t)(q->tail + i - 1);
	q->last_hi = hi;
	q->tail = (uint16_t)(q->last + 1u == q->size ? 0 : q->last + 1);
	q->buf_tail = (uint16_t)(q->buf_tail + i == q->size ? 0 : q->buf_tail + i);
	q->free = (uint16_t)(q->free - i);
	q->in_flight = (uint16_t)(q->in_flight + i);
	q->rs_descs = (uint16_t)(q->rs_descs + i);
	q->rs_bufs = (uint16_t)(q->rs_bufs + i);
	if (q->rs_descs == TX_RS_EVERY) {
		q->last_hi = hi | INTEL_TXD_RS;
		d[-1].hi = weir_le64(q->last_hi);
		intel_tx_mark(q, q->last);
	}
	sum->packets += i;
	sum->bytes += bytes;
	return i;
}

/* One segment of a packet of several, or with offloads. */
static void tx_write(struct intel_txq *q, const struct weir_pkt *p, uint64_t hi)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];

	q->bufs[q->buf_tail] = p->buf;
	q->buf_tail = (uint16_t)intel_next(q->buf_tail, q->size);
	q->in_flight++;
	q->rs_bufs++;
	q->rs_descs++;
	q->free--;
	hi |= TXD_DATA | p->len;
	if (hi & INTEL_TXD_EOP && q->rs_descs >= TX_RS_EVERY) {
		hi |= INTEL_TXD_RS;
		intel_tx_mark(q, q->tail);
	}
	d->lo = weir_le64(xlate_pkt(xlate_begin(&q->q.dma, 0), p, 0));
	d->hi = weir_le64(hi);
	q->last = q->tail;
	q->last_hi = hi;
	q->tail = (uint16_t)intel_next(q->tail, q->size);
}

/* The context stays in the device until it is overwritten. */
static void tx_write_context(struct intel_txq *q, const struct intel_tx_off *o)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];

	d->lo = weir_le64(o->lo);
	d->hi = weir_le64(o->hi);
	q->ctx_lo = o->lo;
	q->ctx_hi = o->hi;
	q->tail = (uint16_t)intel_next(q->tail, q->size);
	q->free--;
	q->rs_descs++;
}

/*
 * Whether a packet can be sent at all; what TSO makes of it is looked at later.
 * Return: its length, 0 if not.
 */
static unsigned tx_check(const struct intel_txq *q, const struct weir_pkt *p, unsigned segs)
{
	unsigned len = 0, most = TX_MAX_LEN;

	if (segs > WEIR_MAX_SEGS || p->flags & WEIR_PKT_TX_OFFLOAD & ~q->offload)
		return 0;
	for (unsigned i = 0; i < segs; i++) {
		if (!seg_ok(&p[i]))
			return 0;
		len += p[i].len;
	}
	if (p->flags & WEIR_PKT_TX_TSO)
		return len;
	if (p->flags & WEIR_PKT_VLAN)
		most -= WEIR_VLAN_HLEN;
	return len < TX_MIN_LEN || len > most ? 0 : len;
}

/* Offloads, and the frames that TSO makes: each as long as a frame may be, and not too many. */
static bool tx_offloads(const struct intel_txq *q, const struct weir_pkt *p, unsigned len,
			struct intel_tx_off *o)
{
	if (!intel_tx_offload(p, len, q->q.dma.va_base, o))
		return false;
	if (!o->hdr)
		return true;
	return p->txo.mss >= TX_MIN_MSS && len > o->hdr &&
	       o->hdr + p->txo.mss <= TX_MAX_LEN - WEIR_VLAN_HLEN;
}

static unsigned tx_refuse(struct intel_txq *q, const struct weir_pkt *p, unsigned segs)
{
	weir_drop(&q->q.stats, WEIR_DROP_TX_INVALID, 1);
	weir_pkt_free(q->q.cache, p, segs);
	return segs;
}

/*
 * A packet of several segments, with offloads, or that must be refused.
 * Return: segments taken; 0 if there is no room, or no end to the packet in the burst.
 */
static unsigned tx_packet(struct intel_txq *q, const struct weir_pkt *p, unsigned n,
			  struct tx_sum *sum)
{
	unsigned segs = weir_pkt_segs(p, n), len;
	struct intel_tx_off o = { 0 };
	bool ctx;

	if (!segs)
		return 0;
	len = tx_check(q, p, segs);
	if (!len || (p->flags & WEIR_PKT_TX_OFFLOAD && !tx_offloads(q, p, len, &o)))
		return tx_refuse(q, p, segs);
	ctx = o.hi && (o.hi != q->ctx_hi || o.lo != q->ctx_lo);
	if (q->free < segs + ctx)
		return 0;
	if (ctx)
		tx_write_context(q, &o);
	if (o.hi)
		q->like = like_of(p, &o);
	o.bits |= INTEL_TXD_PAYLEN(len - o.hdr);
	for (unsigned i = 0; i < segs; i++)
		tx_write(q, &p[i], o.bits | (i + 1 == segs ? INTEL_TXD_EOP : 0));
	sum->packets++;
	sum->bytes += len;
	return segs;
}

/* @full: packets may ask for offloads; those like the last that did go the short way too. */
INTEL_INLINE unsigned tx_post(struct weir_txq *txq, const struct weir_pkt *pkts, unsigned n,
			      const bool full)
{
	struct intel_txq *q = intel_txq_of(txq);
	intel_acc acc = acc_zero();
	struct tx_sum sum = { 0 };
	unsigned done = 0, before;

	if (q->free < 2 * n || q->free < q->size / 4u)
		intel_tx_reclaim(q);
	if (weir_unlikely(weir_port_failed(txq->port)))
		return 0;
	before = q->in_flight;
	while (done < n) {
		unsigned took;

		if (full && pkts[done].flags & WEIR_PKT_TX_OFFLOAD)
			took = q->like.mask ? tx_run(q, &pkts[done], n - done, q->like, &sum, &acc)
					    : 0;
		else
			took = tx_run(q, &pkts[done], n - done, like_plain(), &sum, &acc);
		/* A run also ends at RS and at the rings' ends: only one that took nothing is stuck. */
		if (!took && q->free)
			took = tx_packet(q, &pkts[done], n - done, &sum);
		if (!took)
			break;
		done += took;
	}
	txq->unkicked += q->in_flight - before;
	weir_count(&txq->stats.calls, 1);
	if (sum.packets) {
		weir_count(&txq->stats.packets, sum.packets);
		weir_count(&txq->stats.bytes, sum.bytes + acc_sum(acc));
	}
	return done;
}

#endif
