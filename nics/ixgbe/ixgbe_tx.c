/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transmit. Packets of one segment without offloads, which are nearly all, take a loop of their
 * own that keeps the queue's state in registers. Every 32nd descriptor, and the last one before a
 * doorbell, asks for a report (RS): what is done before it is ours again.
 */
#include "nics/ixgbe/ixgbe.h"
#include "nics/xlate.h"

#define RS_EVERY 32
/* HLREG0.TXPADEN pads, but from this length on only (7.2.1.2). */
#define TX_MIN_LEN 17
#define TX_MAX_LEN (IXGBE_MAX_FRAME - IXGBE_FCS)
/* 7.2.3.2.4 asks for nothing less than this much payload in a frame that TSO makes. */
#define TX_MIN_MSS 64

#define TXD_DATA    (INTEL_TXD_DTYP_DATA | INTEL_TXD_DEXT | INTEL_TXD_IFCS)
#define TX_UNCOMMON (WEIR_PKT_MORE | WEIR_PKT_TX_OFFLOAD)

/* --- reclaim --- */

/* Take @n buffers off the list of those in flight; at most half a stack at a time. */
static void tx_free(struct ixgbe_txq *q, unsigned n)
{
	q->in_flight = (uint16_t)(q->in_flight - n);
	while (n) {
		unsigned run = weir_min_u(n, q->size - (unsigned)q->buf_head);

		run = weir_min_u(run, WEIR_CACHE_SIZE / 2);
		weir_buf_free(q->q.cache, &q->bufs[q->buf_head], run);
		n -= run;
		q->buf_head = (uint16_t)(q->buf_head + run);
		if (q->buf_head == q->size)
			q->buf_head = 0;
	}
}

static void tx_broken(struct ixgbe_txq *q, uint32_t head)
{
	struct weir_port *p = q->q.port;

	weir_port_set_failed(p);
	weir_fail(p->w, EIO, "device-misbehaved",
		  "%s: the device says that TX queue %u is done up to descriptor %u, which it was "
		  "not given; close the port",
		  p->name, q->q.index, head);
}

/*
 * Descriptors that the device has finished, by its head. Those before it that are in use end at
 * our tail: a head anywhere else is a lie, after which nothing about the ring can be believed.
 */
static unsigned tx_head_done(struct ixgbe_txq *q)
{
	unsigned used = q->size - 1u - q->free, done;
	uint32_t head = weir_from_le32(*q->head_wb);
	unsigned oldest = q->tail >= used ? q->tail - used : q->tail + q->size - used;

	done = head >= oldest ? head - oldest : head + q->size - oldest;
	if (weir_likely(head < q->size && done <= used))
		return done;
	tx_broken(q, head);
	return 0;
}

/* Whether the oldest descriptor with RS was reported; @done counts down with a head in memory. */
static inline bool tx_reported(const struct ixgbe_txq *q, const struct ixgbe_rs *r, unsigned *done)
{
	if (!q->head_wb)
		return weir_from_le64(q->ring[r->slot].hi) & INTEL_TXD_DD;
	if (*done < r->descs)
		return false;
	*done -= r->descs;
	return true;
}

static void tx_reclaim(struct ixgbe_txq *q)
{
	unsigned bufs = 0, done = 0;

	if (weir_unlikely(weir_port_failed(q->q.port)))
		return;
	if (q->head_wb && q->n_rs)
		done = tx_head_done(q);
	while (q->n_rs) {
		const struct ixgbe_rs *r = &q->rs[q->rs_head];

		if (!tx_reported(q, r, &done))
			break;
		bufs += r->bufs;
		q->free = (uint16_t)(q->free + r->descs);
		q->rs_head = (uint16_t)ixgbe_next(q->rs_head, q->size);
		q->n_rs--;
	}
	if (!bufs) {
		if (q->n_rs)
			weir_txq_idle(&q->q);
		return;
	}
	weir_txq_busy(&q->q);
	weir_dma_rmb();
	tx_free(q, bufs);
}

/* The descriptor in @slot has RS: when it is done, so is all since the last one that had. */
static void tx_mark(struct ixgbe_txq *q, unsigned slot)
{
	q->rs[q->rs_tail] = (struct ixgbe_rs){
		.slot = (uint16_t)slot,
		.descs = q->rs_descs,
		.bufs = q->rs_bufs,
	};
	q->rs_tail = (uint16_t)ixgbe_next(q->rs_tail, q->size);
	q->n_rs++;
	q->rs_descs = 0;
	q->rs_bufs = 0;
}

/* --- post --- */

/**
 * struct tx_sum - what a post adds to the statistics
 * @packets: packets written
 * @bytes: their bytes
 */
struct tx_sum {
	unsigned packets;
	uint64_t bytes;
};

static inline bool seg_ok(const struct weir_pkt *p)
{
	return p->len && (unsigned)p->off + p->len <= WEIR_BUF_SIZE;
}

static inline bool tx_plain_ok(const struct weir_pkt *p)
{
	return !(p->flags & TX_UNCOMMON) && p->len >= TX_MIN_LEN &&
	       (unsigned)p->off + p->len <= WEIR_BUF_SIZE;
}

/*
 * Packets of one segment without offloads, up to the first that is not one, or that asks for RS,
 * or the end of either ring. Return: packets written.
 */
static inline unsigned tx_run(struct ixgbe_txq *q, const struct weir_pkt *p, unsigned n,
			      struct tx_sum *sum)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];
	uint32_t *bufs = &q->bufs[q->buf_tail];
	struct xlate x = xlate_begin(&q->q.dma, 0);
	uint64_t bytes = 0, hi = 0;
	unsigned i;

	n = weir_min_u(weir_min_u(n, q->free), q->size - (unsigned)q->tail);
	n = weir_min_u(n, q->size - (unsigned)q->buf_tail);
	/* A packet of many segments may have gone past the limit; its end then had RS. */
	n = weir_min_u(n, RS_EVERY - (unsigned)q->rs_descs);
	for (i = 0; i < n && weir_likely(tx_plain_ok(&p[i])); i++) {
		bufs[i] = p[i].buf;
		hi = TXD_DATA | INTEL_TXD_EOP | INTEL_TXD_PAYLEN(p[i].len) | p[i].len;
		if (i + 1u + q->rs_descs == RS_EVERY)
			hi |= INTEL_TXD_RS;
		d[i].lo = weir_le64(xlate_pkt(x, &p[i], 0));
		d[i].hi = weir_le64(hi);
		bytes += p[i].len;
	}
	if (!i)
		return 0;
	q->last = (uint16_t)(q->tail + i - 1);
	q->last_hi = hi;
	q->tail = (uint16_t)(q->last + 1u == q->size ? 0 : q->last + 1);
	q->buf_tail = (uint16_t)(q->buf_tail + i == q->size ? 0 : q->buf_tail + i);
	q->free = (uint16_t)(q->free - i);
	q->in_flight = (uint16_t)(q->in_flight + i);
	q->rs_descs = (uint16_t)(q->rs_descs + i);
	q->rs_bufs = (uint16_t)(q->rs_bufs + i);
	if (hi & INTEL_TXD_RS)
		tx_mark(q, q->last);
	sum->packets += i;
	sum->bytes += bytes;
	return i;
}

/* One segment of a packet of several, or with offloads. */
static void tx_write(struct ixgbe_txq *q, const struct weir_pkt *p, uint64_t hi)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];

	q->bufs[q->buf_tail] = p->buf;
	q->buf_tail = (uint16_t)ixgbe_next(q->buf_tail, q->size);
	q->in_flight++;
	q->rs_bufs++;
	q->rs_descs++;
	q->free--;
	hi |= TXD_DATA | p->len;
	if (hi & INTEL_TXD_EOP && q->rs_descs >= RS_EVERY) {
		hi |= INTEL_TXD_RS;
		tx_mark(q, q->tail);
	}
	d->lo = weir_le64(xlate_pkt(xlate_begin(&q->q.dma, 0), p, 0));
	d->hi = weir_le64(hi);
	q->last = q->tail;
	q->last_hi = hi;
	q->tail = (uint16_t)ixgbe_next(q->tail, q->size);
}

/* The context stays in the device until it is overwritten. */
static void tx_write_context(struct ixgbe_txq *q, const struct intel_tx_off *o)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];

	d->lo = weir_le64(o->lo);
	d->hi = weir_le64(o->hi);
	q->ctx_lo = o->lo;
	q->ctx_hi = o->hi;
	q->tail = (uint16_t)ixgbe_next(q->tail, q->size);
	q->free--;
	q->rs_descs++;
}

/*
 * Whether a packet can be sent at all; what TSO makes of it is looked at later.
 * Return: its length, 0 if not.
 */
static unsigned tx_check(const struct ixgbe_txq *q, const struct weir_pkt *p, unsigned segs)
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
static bool tx_offloads(const struct ixgbe_txq *q, const struct weir_pkt *p, unsigned len,
			struct intel_tx_off *o)
{
	if (!intel_tx_offload(p, len, q->q.dma.va_base, o))
		return false;
	if (!o->hdr)
		return true;
	return p->txo.mss >= TX_MIN_MSS && len > o->hdr &&
	       o->hdr + p->txo.mss <= TX_MAX_LEN - WEIR_VLAN_HLEN;
}

static unsigned tx_refuse(struct ixgbe_txq *q, const struct weir_pkt *p, unsigned segs)
{
	weir_drop(&q->q.stats, WEIR_DROP_TX_INVALID, 1);
	weir_pkt_free(q->q.cache, p, segs);
	return segs;
}

/*
 * A packet of several segments, with offloads, or that must be refused.
 * Return: segments taken; 0 if there is no room, or no end to the packet in the burst.
 */
static unsigned tx_packet(struct ixgbe_txq *q, const struct weir_pkt *p, unsigned n,
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
	o.bits |= INTEL_TXD_PAYLEN(len - o.hdr);
	for (unsigned i = 0; i < segs; i++)
		tx_write(q, &p[i], o.bits | (i + 1 == segs ? INTEL_TXD_EOP : 0));
	sum->packets++;
	sum->bytes += len;
	return segs;
}

unsigned XLATE_FN(ixgbe_tx_post)(struct weir_txq *txq, const struct weir_pkt *pkts, unsigned n)
{
	struct ixgbe_txq *q = ixgbe_txq_of(txq);
	struct tx_sum sum = { 0 };
	unsigned done = 0, before;

	if (q->free < 2 * n || q->free < q->size / 4u)
		tx_reclaim(q);
	if (weir_unlikely(weir_port_failed(txq->port)))
		return 0;
	before = q->in_flight;
	while (done < n) {
		unsigned took = tx_run(q, &pkts[done], n - done, &sum);

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
		weir_count(&txq->stats.bytes, sum.bytes);
	}
	return done;
}

#ifndef WEIR_PHYS

/*
 * The device has not been told of the last descriptor yet, so it can still be given RS: nothing
 * that was kicked is left without a report.
 */
void ixgbe_tx_kick(struct weir_txq *txq)
{
	struct ixgbe_txq *q = ixgbe_txq_of(txq);

	txq->unkicked = 0;
	if (weir_unlikely(weir_port_failed(txq->port)))
		return;
	if (q->rs_descs) {
		q->ring[q->last].hi = weir_le64(q->last_hi | INTEL_TXD_RS);
		tx_mark(q, q->last);
	}
	if (weir_likely(q->tail_reg != NULL))
		weir_mmio_write32(q->tail_reg, 0, q->tail);
	else
		ixgbe_wr(ixgbe_of(txq->port), IXGBE_TDT(txq->index), q->tail);
	weir_count(&txq->stats.kicks, 1);
}

unsigned ixgbe_tx_reap(struct weir_txq *txq)
{
	struct ixgbe_txq *q = ixgbe_txq_of(txq);

	tx_reclaim(q);
	return q->in_flight;
}

/**
 * ixgbe_tx_drain() - give the buffers back; the device is stopped
 * @q: queue
 */
void ixgbe_tx_drain(struct ixgbe_txq *q)
{
	tx_free(q, q->in_flight);
	q->q.unkicked = 0;
	q->tail = 0;
	q->free = q->size - 1;
	q->buf_head = 0;
	q->buf_tail = 0;
	q->rs_head = 0;
	q->rs_tail = 0;
	q->n_rs = 0;
	q->rs_descs = 0;
	q->rs_bufs = 0;
	q->ctx_lo = 0;
	q->ctx_hi = 0;
	if (q->head_wb)
		*q->head_wb = weir_le32(0);
}

#endif
