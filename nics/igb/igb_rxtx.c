/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bursts. The device writes into the rings at any time, so a descriptor is read once, into a
 * register, then checked and used; which slots may be looked at is known from our own counts alone.
 */
#include "nics/igb/igb.h"
#include "nics/xlate.h"

/* A descriptor a cache line and a bit: RS every so many, so that a write-back pays for many. */
#define RS_EVERY   32
#define REFILL_MAX 32
/* TCTL.PSP pads, but from this length on only (8.12.1). */
#define TX_MIN_LEN 17
#define TX_MAX_LEN (IGB_MAX_FRAME - IGB_FCS)

#define TXD_DATA (INTEL_TXD_DTYP_DATA | INTEL_TXD_DEXT | INTEL_TXD_IFCS)

/* --- receive --- */

static inline uint64_t rx_status(const struct igb_rxq *q, unsigned slot)
{
	return weir_from_le64(q->ring[slot].wb.status);
}

static inline unsigned next_slot(unsigned slot, unsigned size)
{
	return slot + 1 == size ? 0 : slot + 1;
}

static inline void rx_post(struct igb_rxq *q, unsigned slot, uint32_t buf)
{
	struct xlate x = xlate_begin(&q->q.dma, WEIR_BUF_HEADROOM);

	q->bufs[slot] = buf;
	q->ring[slot].read.pkt_addr = weir_le64(xlate_buf(x, buf, 0));
	q->ring[slot].read.hdr_addr = weir_le64(0);
}

/**
 * igb_rx_fill() - give the device buffers for all free slots, and ring the doorbell
 * @q: queue
 *
 * A pool that has too few is counted once; the next call tries again.
 * Return: buffers given.
 */
unsigned XLATE_FN(igb_rx_fill)(struct igb_rxq *q)
{
	unsigned room = q->size - 1u - q->posted, slot = q->fill, given = 0;
	uint32_t bufs[REFILL_MAX];

	while (room) {
		unsigned want = weir_min_u(room, REFILL_MAX);
		unsigned n = weir_buf_alloc(q->q.cache, bufs, want);

		for (unsigned i = 0; i < n; i++) {
			rx_post(q, slot, bufs[i]);
			slot = next_slot(slot, q->size);
		}
		given += n;
		room -= n;
		if (n < want) {
			weir_drop(&q->q.stats, WEIR_DROP_NO_BUF, 1);
			break;
		}
	}
	if (!given)
		return 0;
	q->fill = (uint16_t)slot;
	q->posted = (uint16_t)(q->posted + given);
	weir_mmio_write32(q->tail, 0, slot);
	return given;
}

/* End of each burst: take over where it got to, count, refill. */
static inline void rx_done(struct igb_rxq *q, unsigned slot, unsigned left, unsigned packets,
			   uint64_t bytes)
{
	struct weir_qstats *s = &q->q.stats;

	q->next = (uint16_t)slot;
	q->posted = (uint16_t)left;
	weir_count(&s->calls, 1);
	if (packets) {
		weir_count(&s->packets, packets);
		weir_count(&s->bytes, bytes);
	} else {
		weir_count(&s->empty, 1);
	}
	if (q->size - 1u - left >= q->batch)
		XLATE_FN(igb_rx_fill)(q);
}

static void rx_drop(struct igb_rxq *q, unsigned slot, unsigned segs, enum weir_drop reason)
{
	for (unsigned i = 0; i < segs; i++) {
		weir_buf_free1(q->q.cache, q->bufs[slot]);
		slot = next_slot(slot, q->size);
	}
	weir_drop(&q->q.stats, reason, 1);
}

/* A packet that fills more than a buffer, or that makes no sense: count it once, up to its end. */
static void rx_bad(struct igb_rxq *q, unsigned slot, uint64_t st)
{
	if (q->skip)
		weir_buf_free1(q->q.cache, q->bufs[slot]);
	else
		rx_drop(q, slot, 1,
			st & IGB_RXD_RXE && st & INTEL_RXD_EOP ? WEIR_DROP_DEV_ERR
							       : WEIR_DROP_BAD_LEN);
	q->skip = !(st & INTEL_RXD_EOP);
}

static inline bool len_ok(uint64_t st)
{
	return INTEL_RXD_LEN(st) - 1u < WEIR_BUF_ROOM;
}

static inline uint16_t csum_flags(uint32_t st)
{
	unsigned flags = 0;

	if (st & (uint32_t)INTEL_RXD_IPCS)
		flags |= st & (uint32_t)IGB_RXD_IPE ? WEIR_PKT_RX_IP_BAD : WEIR_PKT_RX_IP_GOOD;
	if (st & (uint32_t)INTEL_RXD_L4I)
		flags |= st & (uint32_t)IGB_RXD_L4E ? WEIR_PKT_RX_L4_BAD : WEIR_PKT_RX_L4_GOOD;
	return (uint16_t)flags;
}

/* Tag, checksum verdict and hash; they stand in the packet's last descriptor. */
static inline void rx_meta(const struct igb_rxq *q, unsigned slot, uint64_t st, struct weir_pkt *p)
{
	p->flags |= csum_flags((uint32_t)st & q->csum);
	if (st & q->vlan) {
		p->flags |= WEIR_PKT_VLAN;
		p->vlan = INTEL_RXD_VLAN(st);
	}
	if (q->hash) {
		weir_dma_rmb();
		if (weir_from_le32(q->ring[slot].wb.info) & INTEL_RXD_RSS_TYPE_MASK) {
			p->flags |= WEIR_PKT_HASH;
			p->hash = weir_from_le32(q->ring[slot].wb.rss);
		}
	}
}

static inline unsigned rx_single(struct weir_rxq *rxq, struct weir_pkt *pkts, unsigned n, bool meta)
{
	struct igb_rxq *q = igb_rxq_of(rxq);
	unsigned slot = q->next, left = q->posted, got = 0;
	uint64_t bytes = 0;

	if (weir_unlikely(weir_port_failed(rxq->port)))
		return 0;
	while (got < n && left) {
		uint64_t st = rx_status(q, slot);

		if (!(st & INTEL_RXD_DD))
			break;
		if (weir_likely((st & (INTEL_RXD_EOP | IGB_RXD_RXE)) == INTEL_RXD_EOP &&
				len_ok(st) && !q->skip)) {
			pkts[got] = (struct weir_pkt){
				.buf = q->bufs[slot],
				.off = WEIR_BUF_HEADROOM,
				.len = INTEL_RXD_LEN(st),
			};
			if (meta)
				rx_meta(q, slot, st, &pkts[got]);
			bytes += INTEL_RXD_LEN(st);
			got++;
		} else {
			rx_bad(q, slot, st);
		}
		slot = next_slot(slot, q->size);
		left--;
	}
	/* Nobody may read a packet's data before its descriptor said that it is there. */
	weir_dma_rmb();
	rx_done(q, slot, left, got, bytes);
	return got;
}

/* One buffer a packet, no offload. */
unsigned XLATE_FN(igb_rx_plain)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_single(q, pkts, n, false);
}

/* One buffer a packet. */
unsigned XLATE_FN(igb_rx_meta)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_single(q, pkts, n, true);
}

/*
 * Find the end of the packet that begins at @slot; @st receives the status of each descriptor.
 * Return: descriptors up to its end; 0 if it is not there yet; one more than WEIR_MAX_SEGS if it
 * does not end within that many.
 */
static unsigned rx_scan(const struct igb_rxq *q, unsigned slot, unsigned left, uint64_t *st)
{
	for (unsigned i = 0; i < WEIR_MAX_SEGS; i++) {
		if (i == left)
			return 0;
		st[i] = rx_status(q, slot);
		if (!(st[i] & INTEL_RXD_DD))
			return 0;
		if (st[i] & INTEL_RXD_EOP)
			return i + 1;
		slot = next_slot(slot, q->size);
	}
	return WEIR_MAX_SEGS + 1;
}

/* Hand out a packet of @segs segments. Return: its bytes, or 0 if it was dropped. */
static unsigned rx_packet(struct igb_rxq *q, unsigned slot, const uint64_t *st, unsigned segs,
			  struct weir_pkt *p)
{
	unsigned bytes = 0, at = slot;

	for (unsigned i = 0; i < segs; i++) {
		if (weir_unlikely(!len_ok(st[i]))) {
			rx_drop(q, slot, segs, WEIR_DROP_BAD_LEN);
			return 0;
		}
		p[i] = (struct weir_pkt){
			.buf = q->bufs[at],
			.off = WEIR_BUF_HEADROOM,
			.len = INTEL_RXD_LEN(st[i]),
			.flags = i + 1 < segs ? WEIR_PKT_MORE : 0,
		};
		bytes += INTEL_RXD_LEN(st[i]);
		if (i + 1 < segs)
			at = next_slot(at, q->size);
	}
	if (weir_unlikely(st[segs - 1] & IGB_RXD_RXE)) {
		rx_drop(q, slot, segs, WEIR_DROP_DEV_ERR);
		return 0;
	}
	rx_meta(q, at, st[segs - 1], p);
	return bytes;
}

/* Packets of several buffers, with or without offloads. */
unsigned XLATE_FN(igb_rx_jumbo)(struct weir_rxq *rxq, struct weir_pkt *pkts, unsigned n)
{
	struct igb_rxq *q = igb_rxq_of(rxq);
	unsigned slot = q->next, left = q->posted, got = 0, packets = 0;
	uint64_t st[WEIR_MAX_SEGS] = { 0 }, bytes = 0;

	if (weir_unlikely(weir_port_failed(rxq->port)))
		return 0;
	while (got < n) {
		unsigned segs = rx_scan(q, slot, left, st), len = 0;

		if (weir_unlikely(q->skip && left && (segs || st[0] & INTEL_RXD_DD))) {
			segs = 1;
			rx_bad(q, slot, st[0]);
		} else if (!segs) {
			break;
		} else if (weir_unlikely(segs > WEIR_MAX_SEGS)) {
			segs = WEIR_MAX_SEGS;
			rx_drop(q, slot, segs, WEIR_DROP_TOO_MANY);
			q->skip = true;
		} else if (segs > n - got) {
			if (got || !weir_rxq_short(rxq, segs))
				break;
			rx_drop(q, slot, segs, WEIR_DROP_TOO_MANY);
		} else {
			len = rx_packet(q, slot, st, segs, &pkts[got]);
		}
		if (len) {
			got += segs;
			packets++;
			bytes += len;
		}
		left -= segs;
		slot += segs;
		if (slot >= q->size)
			slot -= q->size;
	}
	weir_dma_rmb();
	rx_done(q, slot, left, packets, bytes);
	return got;
}

#ifndef WEIR_PHYS

/**
 * igb_rx_pending() - whether a burst has something to do
 * @q: queue
 *
 * That is so too when the ring has run dry: no interrupt would come, only a burst can refill it.
 */
bool igb_rx_pending(const struct igb_rxq *q)
{
	return !q->posted || rx_status(q, q->next) & INTEL_RXD_DD;
}

/**
 * igb_rx_drain() - give the buffers back; the device is stopped
 * @q: queue
 */
void igb_rx_drain(struct igb_rxq *q)
{
	for (; q->posted; q->posted--) {
		weir_buf_free1(q->q.cache, q->bufs[q->next]);
		q->next = (uint16_t)next_slot(q->next, q->size);
	}
	q->next = 0;
	q->fill = 0;
	q->skip = false;
}

#endif

/* --- transmit --- */

/* Take @n buffers off the list of those in flight; at most half a stack at a time. */
static void tx_free(struct igb_txq *q, unsigned n)
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

/* Look at the oldest descriptor with RS, then the next: what is done before them is ours again. */
static void tx_reclaim(struct igb_txq *q)
{
	unsigned bufs = 0;

	while (q->n_rs) {
		const struct igb_rs *r = &q->rs[q->rs_head];

		if (!(weir_from_le64(q->ring[r->slot].hi) & INTEL_TXD_DD))
			break;
		bufs += r->bufs;
		q->free = (uint16_t)(q->free + r->descs);
		q->rs_head = (uint16_t)next_slot(q->rs_head, q->size);
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
static void tx_mark(struct igb_txq *q, unsigned slot)
{
	q->rs[q->rs_tail] = (struct igb_rs){
		.slot = (uint16_t)slot,
		.descs = q->rs_descs,
		.bufs = q->rs_bufs,
	};
	q->rs_tail = (uint16_t)next_slot(q->rs_tail, q->size);
	q->n_rs++;
	q->rs_descs = 0;
	q->rs_bufs = 0;
}

static inline void tx_write(struct igb_txq *q, const struct weir_pkt *p, uint64_t bits)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];

	q->bufs[q->buf_tail] = p->buf;
	q->buf_tail = (uint16_t)next_slot(q->buf_tail, q->size);
	q->in_flight++;
	q->rs_bufs++;
	q->rs_descs++;
	q->free--;
	bits |= TXD_DATA | p->len;
	if (bits & INTEL_TXD_EOP && q->rs_descs >= RS_EVERY) {
		bits |= INTEL_TXD_RS;
		tx_mark(q, q->tail);
	}
	d->lo = weir_le64(xlate_pkt(xlate_begin(&q->q.dma, 0), p, 0));
	d->hi = weir_le64(bits);
	q->last = q->tail;
	q->last_hi = bits;
	q->tail = (uint16_t)next_slot(q->tail, q->size);
}

static inline bool seg_ok(const struct weir_pkt *p)
{
	return p->len && (unsigned)p->off + p->len <= WEIR_BUF_SIZE;
}

/* Whether a packet can be sent at all. Return: its length, 0 if not. */
static unsigned tx_check(const struct igb_txq *q, const struct weir_pkt *p, unsigned segs)
{
	unsigned len = 0;

	if (segs > WEIR_MAX_SEGS || p->flags & WEIR_PKT_TX_OFFLOAD & ~q->offload)
		return 0;
	for (unsigned i = 0; i < segs; i++) {
		if (!seg_ok(&p[i]))
			return 0;
		len += p[i].len;
	}
	if (p->flags & WEIR_PKT_VLAN && len > TX_MAX_LEN - WEIR_VLAN_HLEN)
		return 0;
	return len < TX_MIN_LEN || len > TX_MAX_LEN ? 0 : len;
}

/* Context 0 of the queue stays in the device until it is overwritten. */
static void tx_write_context(struct igb_txq *q, const struct intel_tx_off *o)
{
	volatile struct intel_tx_desc *d = &q->ring[q->tail];

	d->lo = weir_le64(o->lo);
	d->hi = weir_le64(o->hi);
	q->ctx_lo = o->lo;
	q->ctx_hi = o->hi;
	q->tail = (uint16_t)next_slot(q->tail, q->size);
	q->free--;
	q->rs_descs++;
}

/**
 * struct tx_sum - what a post adds to the statistics
 * @packets: packets written
 * @bytes: their bytes
 */
struct tx_sum {
	unsigned packets;
	uint64_t bytes;
};

static unsigned tx_refuse(struct igb_txq *q, const struct weir_pkt *p, unsigned segs)
{
	weir_drop(&q->q.stats, WEIR_DROP_TX_INVALID, 1);
	weir_pkt_free(q->q.cache, p, segs);
	return segs;
}

/*
 * A packet of several segments or with offloads.
 * Return: segments taken; 0 if there is no room, or no end to the packet in the burst.
 */
static unsigned tx_packet(struct igb_txq *q, const struct weir_pkt *p, unsigned n,
			  struct tx_sum *sum)
{
	unsigned segs = weir_pkt_segs(p, n), len;
	struct intel_tx_off o = { 0 };
	bool ctx;

	if (!segs)
		return 0;
	len = tx_check(q, p, segs);
	if (!len ||
	    (p->flags & WEIR_PKT_TX_OFFLOAD && !intel_tx_offload(p, len, q->q.dma.va_base, &o)))
		return tx_refuse(q, p, segs);
	ctx = o.hi && (o.hi != q->ctx_hi || o.lo != q->ctx_lo);
	if (q->free < segs + ctx)
		return 0;
	if (ctx)
		tx_write_context(q, &o);
	o.bits |= INTEL_TXD_PAYLEN(len);
	for (unsigned i = 0; i < segs; i++)
		tx_write(q, &p[i], o.bits | (i + 1 == segs ? INTEL_TXD_EOP : 0));
	sum->packets++;
	sum->bytes += len;
	return segs;
}

static inline unsigned tx_one(struct igb_txq *q, const struct weir_pkt *p, unsigned n,
			      struct tx_sum *sum)
{
	if (weir_unlikely(p->flags & (WEIR_PKT_MORE | WEIR_PKT_TX_OFFLOAD)))
		return tx_packet(q, p, n, sum);
	if (weir_unlikely(p->len < TX_MIN_LEN || !seg_ok(p)))
		return tx_refuse(q, p, 1);
	if (!q->free)
		return 0;
	tx_write(q, p, INTEL_TXD_EOP | INTEL_TXD_PAYLEN(p->len));
	sum->packets++;
	sum->bytes += p->len;
	return 1;
}

unsigned XLATE_FN(igb_tx_post)(struct weir_txq *txq, const struct weir_pkt *pkts, unsigned n)
{
	struct igb_txq *q = igb_txq_of(txq);
	struct tx_sum sum = { 0 };
	unsigned done = 0, took, before = q->in_flight;

	if (weir_unlikely(weir_port_failed(txq->port)))
		return 0;
	if (q->free < 2 * n || q->free < q->size / 4u) {
		tx_reclaim(q);
		before = q->in_flight;
	}
	while (done < n) {
		took = tx_one(q, &pkts[done], n - done, &sum);
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
 * that was kicked is left without a completion.
 */
void igb_tx_kick(struct weir_txq *txq)
{
	struct igb_txq *q = igb_txq_of(txq);

	txq->unkicked = 0;
	if (weir_unlikely(weir_port_failed(txq->port)))
		return;
	if (q->rs_descs) {
		q->ring[q->last].hi = weir_le64(q->last_hi | INTEL_TXD_RS);
		tx_mark(q, q->last);
	}
	weir_mmio_write32(q->tail_reg, 0, q->tail);
	weir_count(&txq->stats.kicks, 1);
}

unsigned igb_tx_reap(struct weir_txq *txq)
{
	struct igb_txq *q = igb_txq_of(txq);

	tx_reclaim(q);
	return q->in_flight;
}

/**
 * igb_tx_drain() - give the buffers back; the device is stopped
 * @q: queue
 */
void igb_tx_drain(struct igb_txq *q)
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
}

#endif
