/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive bursts over advanced descriptors, written once and compiled for each row of intel_paths[].
 *
 * What may be believed of a descriptor. The device writes 16 bytes, in one or more writes to memory,
 * while we read. PCIe lets a write become visible piece by piece, in the order of addresses at best,
 * and DD stands before the length. But root complexes put aligned words of 8 bytes into memory whole,
 * and both x86-64 and arm64 read such a word whole; what decides about a packet (DD, EOP, errors,
 * length, tag) is in one, so it is read once, and never again. A load of 32 bytes is no more than
 * several loads of 8 in any order: each word in it is as good as one read alone, and says nothing of
 * the others in the same line, so that a group of four is taken only as far as each has its own DD.
 * The other word (types, hash) may be older than the DD beside it, even from the same load: it is read
 * after the status, behind a barrier (x86-64 keeps loads in order, so there it is the compiler's).
 * Whatever a device does against these rules, a length was checked in the register it is used from.
 *
 * Which slots may be looked at is known from our own counts alone.
 */
#ifndef WEIR_NICS_INTEL_RX_H
#define WEIR_NICS_INTEL_RX_H

#include "core/io.h"
#include "nics/intel_queue.h"
#include "nics/xlate.h"

#define RX_REFILL_MAX 32
#define RX_DONE	      (INTEL_RXD_DD | INTEL_RXD_EOP)

static inline bool rx_len_ok(uint64_t st)
{
	return INTEL_RXD_LEN(st) - 1u < WEIR_BUF_ROOM;
}

INTEL_INLINE void rx_set(uint32_t buf, uint64_t st, struct weir_pkt *p)
{
	*p = (struct weir_pkt){
		.buf = buf,
		.off = WEIR_BUF_HEADROOM,
		.len = INTEL_RXD_LEN(st),
	};
}

/* Tag, checksum verdict and hash; they stand in the packet's last descriptor. */
INTEL_INLINE void rx_meta(const struct intel_rxq *q, const volatile union intel_rx_desc *d,
			  uint64_t st, struct weir_pkt *p)
{
	unsigned flags = intel_rx_csum((uint32_t)st & q->csum, q->l4e);
	uint32_t info;

	weir_dma_rmb();
	info = weir_from_le32(d->wb.info);
	if (q->udp_zero && info & INTEL_RXD_PKT_UDP)
		flags &= ~(unsigned)WEIR_PKT_RX_L4_BAD;
	if (st & q->vlan) {
		flags |= WEIR_PKT_VLAN;
		p->vlan = INTEL_RXD_VLAN(st);
	}
	if (q->hash && info & INTEL_RXD_RSS_TYPE_MASK) {
		flags |= WEIR_PKT_HASH;
		p->hash = weir_from_le32(d->wb.rss);
	}
	p->flags |= (uint16_t)flags;
}

/* Writing 0 where the status is takes DD away. */
INTEL_INLINE void rx_post(volatile union intel_rx_desc *d, uint32_t *to, uint32_t buf,
			  struct xlate x)
{
	*to = buf;
	d->read.pkt_addr = weir_le64(xlate_buf(x, buf, 0));
	d->read.hdr_addr = weir_le64(0);
}

#ifdef INTEL_AVX2
#include "nics/intel_avx2.h"
#else
#include "nics/intel_scalar.h"
#endif

/* Take @want handles off the stack where they lie, or as many as the pool has, over @own. */
INTEL_INLINE const uint32_t *rx_alloc(struct weir_cache *c, uint32_t *own, unsigned *want)
{
	if (weir_unlikely(c->n < *want)) {
		*want = weir_buf_alloc(c, own, *want);
		return own;
	}
	c->n -= *want;
	return &c->buf[c->n];
}

#ifdef INTEL_AVX512
#include "nics/intel_avx512.h"
#else

/* Two groups at a time, all or nothing; here nothing. Return: whether it was done. */
INTEL_INLINE bool wide_rx(const volatile union intel_rx_desc *d, const uint32_t *bufs, uint32_t rxe,
			  struct weir_pkt *p, intel_acc *acc)
{
	(void)d;
	(void)bufs;
	(void)rxe;
	(void)p;
	(void)acc;
	return false;
}

INTEL_INLINE bool wide_fill(volatile union intel_rx_desc *d, uint32_t *bufs, const uint32_t *from,
			    struct xlate x)
{
	(void)d;
	(void)bufs;
	(void)from;
	(void)x;
	return false;
}

INTEL_INLINE bool wide_tx(volatile struct intel_tx_desc *d, uint32_t *bufs,
			  const struct weir_pkt *p, struct xlate x, const struct intel_like *l,
			  intel_acc *acc)
{
	(void)d;
	(void)bufs;
	(void)p;
	(void)x;
	(void)l;
	(void)acc;
	return false;
}

#endif

/*
 * Blocks go off the stack straight into the ring, and end with a line of descriptors, so that no line
 * is written twice, and the device fetches whole ones. Return: see struct intel_path.
 */
INTEL_INLINE unsigned rx_fill(struct intel_rxq *q)
{
	unsigned room = q->size - 1u - q->posted, slot = q->fill, given = 0;
	struct xlate x = xlate_begin(&q->q.dma, WEIR_BUF_HEADROOM);

	while (room >= INTEL_GROUP) {
		unsigned want = weir_min_u(weir_min_u(room, RX_REFILL_MAX), q->size - slot), n, i;
		volatile union intel_rx_desc *d = &q->ring[slot];
		uint32_t *bufs = &q->bufs[slot];
		const uint32_t *from;

		want -= (slot + want) % INTEL_GROUP;
		n = want;
		from = rx_alloc(q->q.cache, bufs, &n);
		for (i = 0; i + INTEL_WIDE <= n; i += INTEL_WIDE)
			if (!wide_fill(&d[i], &bufs[i], &from[i], x))
				break;
		for (; i + INTEL_GROUP <= n; i += INTEL_GROUP)
			group_fill(&d[i], &bufs[i], &from[i], x);
		for (; weir_unlikely(i < n); i++)
			rx_post(&d[i], &bufs[i], from[i], x);
		given += n;
		room -= n;
		slot = slot + n == q->size ? 0 : slot + n;
		if (weir_unlikely(n < want)) {
			weir_drop(&q->q.stats, WEIR_DROP_NO_BUF, 1);
			break;
		}
	}
	if (!given)
		return 0;
	q->fill = (uint16_t)slot;
	q->posted = (uint16_t)(q->posted + given);
	intel_rx_tail(q, slot);
	return given;
}

/* End of each burst: take over where it got to, count, refill. */
INTEL_INLINE void rx_done(struct intel_rxq *q, unsigned slot, unsigned left, unsigned packets,
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
		rx_fill(q);
}

static void rx_drop(struct intel_rxq *q, unsigned slot, unsigned segs, enum weir_drop reason)
{
	for (unsigned i = 0; i < segs; i++) {
		weir_buf_free1(q->q.cache, q->bufs[slot]);
		slot = intel_next(slot, q->size);
	}
	weir_drop(&q->q.stats, reason, 1);
}

/* A packet that fills more than a buffer, or that makes no sense: count it once, up to its end. */
static void rx_bad(struct intel_rxq *q, unsigned slot, uint64_t st)
{
	bool flagged = st & q->rxe && st & INTEL_RXD_EOP;

	if (q->skip)
		weir_buf_free1(q->q.cache, q->bufs[slot]);
	else
		rx_drop(q, slot, 1, flagged ? WEIR_DROP_DEV_ERR : WEIR_DROP_BAD_LEN);
	q->skip = !(st & INTEL_RXD_EOP);
}

/* Whole groups from @slot on; @most lie within the ring. Return: packets taken. */
INTEL_INLINE unsigned rx_groups(const struct intel_rxq *q, unsigned slot, unsigned most,
				struct weir_pkt *p, intel_acc *acc, const bool meta)
{
	const volatile union intel_rx_desc *d = &q->ring[slot];
	const uint32_t *bufs = &q->bufs[slot], rxe = q->rxe;
	unsigned left, k;

	if (weir_unlikely(q->skip))
		return 0;
	left = most;
	while (!meta && left >= INTEL_WIDE && wide_rx(d, bufs, rxe, p, acc)) {
		d += INTEL_WIDE;
		bufs += INTEL_WIDE;
		p += INTEL_WIDE;
		left -= INTEL_WIDE;
	}
	for (; left >= INTEL_GROUP; left -= INTEL_GROUP) {
		k = group_rx(q, d, bufs, rxe, p, acc, meta);
		if (weir_unlikely(k < INTEL_GROUP))
			return most - left + k;
		d += INTEL_GROUP;
		bufs += INTEL_GROUP;
		p += INTEL_GROUP;
	}
	return most - left;
}

INTEL_INLINE unsigned rx_single(struct weir_rxq *rxq, struct weir_pkt *pkts, unsigned n,
				const bool meta)
{
	struct intel_rxq *q = intel_rxq_of(rxq);
	unsigned slot = q->next, left = q->posted, got = 0, k;
	intel_acc acc = acc_zero();
	uint64_t bytes = 0;

	if (weir_unlikely(weir_port_failed(rxq->port)))
		return 0;
	while (got < n && left) {
		uint64_t st;

		k = rx_groups(q, slot, weir_min_u(weir_min_u(n - got, left), q->size - slot),
			      &pkts[got], &acc, meta);
		got += k;
		left -= k;
		slot = slot + k == q->size ? 0 : slot + k;
		if (got == n || !left)
			break;
		st = intel_rx_status(q, slot);
		if (!(st & INTEL_RXD_DD))
			break;
		if (weir_likely((st & (INTEL_RXD_EOP | q->rxe)) == INTEL_RXD_EOP && rx_len_ok(st) &&
				!q->skip)) {
			rx_set(q->bufs[slot], st, &pkts[got]);
			if (meta)
				rx_meta(q, &q->ring[slot], st, &pkts[got]);
			bytes += INTEL_RXD_LEN(st);
			got++;
		} else {
			rx_bad(q, slot, st);
		}
		slot = intel_next(slot, q->size);
		left--;
	}
	/* Nobody may read a packet's data before its descriptor said that it is there. */
	weir_dma_rmb();
	rx_done(q, slot, left, got, bytes + acc_sum(acc));
	return got;
}

/*
 * Find the end of the packet that begins at @slot; @st receives the status of each descriptor.
 * Return: descriptors up to its end; 0 if it is not there yet; one more than WEIR_MAX_SEGS if it
 * does not end within that many.
 */
static unsigned rx_scan(const struct intel_rxq *q, unsigned slot, unsigned left, uint64_t *st)
{
	for (unsigned i = 0; i < WEIR_MAX_SEGS; i++) {
		if (i == left)
			return 0;
		st[i] = intel_rx_status(q, slot);
		if (!(st[i] & INTEL_RXD_DD))
			return 0;
		if (st[i] & INTEL_RXD_EOP)
			return i + 1;
		slot = intel_next(slot, q->size);
	}
	return WEIR_MAX_SEGS + 1;
}

/* Hand out a packet of @segs segments. Return: its bytes, or 0 if it was dropped. */
static unsigned rx_packet(struct intel_rxq *q, unsigned slot, const uint64_t *st, unsigned segs,
			  struct weir_pkt *p)
{
	unsigned bytes = 0, at = slot;

	for (unsigned i = 0; i < segs; i++) {
		if (weir_unlikely(!rx_len_ok(st[i]))) {
			rx_drop(q, slot, segs, WEIR_DROP_BAD_LEN);
			return 0;
		}
		rx_set(q->bufs[at], st[i], &p[i]);
		bytes += INTEL_RXD_LEN(st[i]);
		if (i + 1 < segs) {
			p[i].flags = WEIR_PKT_MORE;
			at = intel_next(at, q->size);
		}
	}
	if (weir_unlikely(st[segs - 1] & q->rxe)) {
		rx_drop(q, slot, segs, WEIR_DROP_DEV_ERR);
		return 0;
	}
	/* The verdict is in the last descriptor, and belongs into the first handle. */
	rx_meta(q, &q->ring[at], st[segs - 1], &p[0]);
	return bytes;
}

/*
 * The packet at @slot, of however many buffers, behind @got segments of a burst of @n; @bytes grows if
 * it is good, and stays if it was dropped. Return: descriptors taken; 0 to stop: it has not ended, or
 * there is no room for it.
 */
static unsigned rx_any(struct intel_rxq *q, unsigned slot, unsigned left, struct weir_pkt *pkts,
		       unsigned got, unsigned n, uint64_t *bytes)
{
	uint64_t st[WEIR_MAX_SEGS] = { 0 };
	unsigned segs = rx_scan(q, slot, left, st);

	if (weir_unlikely(q->skip && left && st[0] & INTEL_RXD_DD)) {
		rx_bad(q, slot, st[0]);
		return 1;
	}
	if (weir_unlikely(segs > WEIR_MAX_SEGS)) {
		rx_drop(q, slot, WEIR_MAX_SEGS, WEIR_DROP_TOO_MANY);
		q->skip = true;
		return WEIR_MAX_SEGS;
	}
	if (segs <= n - got) {
		*bytes += segs ? rx_packet(q, slot, st, segs, &pkts[got]) : 0;
		return segs;
	}
	if (got || !weir_rxq_short(&q->q, segs))
		return 0;
	rx_drop(q, slot, segs, WEIR_DROP_TOO_MANY);
	return segs;
}

/* Packets of several buffers, with or without offloads. Those of one, in groups, go the short way. */
INTEL_INLINE unsigned rx_jumbo(struct weir_rxq *rxq, struct weir_pkt *pkts, unsigned n)
{
	struct intel_rxq *q = intel_rxq_of(rxq);
	unsigned slot = q->next, left = q->posted, got = 0, packets = 0, k;
	intel_acc acc = acc_zero();
	uint64_t bytes = 0, before;

	if (weir_unlikely(weir_port_failed(rxq->port)))
		return 0;
	while (got < n) {
		k = rx_groups(q, slot, weir_min_u(weir_min_u(n - got, left), q->size - slot),
			      &pkts[got], &acc, true);
		got += k;
		packets += k;
		left -= k;
		slot = slot + k == q->size ? 0 : slot + k;
		if (got == n)
			break;
		before = bytes;
		k = rx_any(q, slot, left, pkts, got, n, &bytes);
		if (!k)
			break;
		if (bytes != before) {
			got += k;
			packets++;
		}
		left -= k;
		slot += k;
		if (slot >= q->size)
			slot -= q->size;
	}
	weir_dma_rmb();
	rx_done(q, slot, left, packets, bytes + acc_sum(acc));
	return got;
}

#endif
