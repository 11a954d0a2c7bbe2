/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive bursts. The device writes into the ring at any time, so a status is read once, into a
 * register, then checked and used; which slots may be looked at is known from our own counts alone.
 */
#include "nics/ixgbe/ixgbe.h"
#include "nics/xlate.h"

#define REFILL_MAX 32

#define RX_DONE (INTEL_RXD_DD | INTEL_RXD_EOP)

static inline uint64_t rx_status(const struct ixgbe_rxq *q, unsigned slot)
{
	return weir_from_le64(q->ring[slot].wb.status);
}

static inline void rx_post(struct ixgbe_rxq *q, unsigned slot, uint32_t buf)
{
	struct xlate x = xlate_begin(&q->q.dma, WEIR_BUF_HEADROOM);

	q->ring[slot].read.pkt_addr = weir_le64(xlate_buf(x, buf, 0));
	q->ring[slot].read.hdr_addr = weir_le64(0);
}

static void rx_doorbell(struct ixgbe_rxq *q, unsigned slot)
{
	if (weir_likely(q->tail != NULL))
		weir_mmio_write32(q->tail, 0, slot);
	else
		ixgbe_wr(ixgbe_of(q->q.port), IXGBE_RDT(q->q.index), slot);
}

/**
 * ixgbe_rx_fill() - give the device buffers for all free slots, and ring the doorbell
 * @q: queue
 *
 * Takes blocks off the stack straight into the ring's list. A pool that has too few is counted
 * once; the next call tries again.
 * Return: buffers given.
 */
unsigned XLATE_FN(ixgbe_rx_fill)(struct ixgbe_rxq *q)
{
	unsigned room = q->size - 1u - q->posted, slot = q->fill, given = 0;

	while (room) {
		unsigned want = weir_min_u(weir_min_u(room, REFILL_MAX), q->size - slot);
		unsigned n = weir_buf_alloc(q->q.cache, &q->bufs[slot], want);

		for (unsigned i = 0; i < n; i++)
			rx_post(q, slot + i, q->bufs[slot + i]);
		given += n;
		room -= n;
		slot = slot + n == q->size ? 0 : slot + n;
		if (n < want) {
			weir_drop(&q->q.stats, WEIR_DROP_NO_BUF, 1);
			break;
		}
	}
	if (!given)
		return 0;
	q->fill = (uint16_t)slot;
	q->posted = (uint16_t)(q->posted + given);
	rx_doorbell(q, slot);
	return given;
}

/* End of each burst: take over where it got to, count, refill. */
static inline void rx_done(struct ixgbe_rxq *q, unsigned slot, unsigned left, unsigned packets,
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
		XLATE_FN(ixgbe_rx_fill)(q);
}

static void rx_drop(struct ixgbe_rxq *q, unsigned slot, unsigned segs, enum weir_drop reason)
{
	for (unsigned i = 0; i < segs; i++) {
		weir_buf_free1(q->q.cache, q->bufs[slot]);
		slot = ixgbe_next(slot, q->size);
	}
	weir_drop(&q->q.stats, reason, 1);
}

/* A packet that fills more than a buffer, or that makes no sense: count it once, up to its end. */
static void rx_bad(struct ixgbe_rxq *q, unsigned slot, uint64_t st)
{
	bool flagged = st & INTEL_RXD_RXE && st & INTEL_RXD_EOP;

	if (q->skip)
		weir_buf_free1(q->q.cache, q->bufs[slot]);
	else
		rx_drop(q, slot, 1, flagged ? WEIR_DROP_DEV_ERR : WEIR_DROP_BAD_LEN);
	q->skip = !(st & INTEL_RXD_EOP);
}

static inline bool len_ok(uint64_t st)
{
	return INTEL_RXD_LEN(st) - 1u < WEIR_BUF_ROOM;
}

/* The same of four: each length less one has no bit beyond those of a buffer's offset. */
static inline bool lens_ok(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	static_assert((WEIR_BUF_ROOM & (WEIR_BUF_ROOM - 1)) == 0, "a power of two");
	return ((INTEL_RXD_LEN(a) - 1u) | (INTEL_RXD_LEN(b) - 1u) | (INTEL_RXD_LEN(c) - 1u) |
		(INTEL_RXD_LEN(d) - 1u)) < WEIR_BUF_ROOM;
}

static inline void rx_set(const struct ixgbe_rxq *q, unsigned slot, uint64_t st, struct weir_pkt *p)
{
	*p = (struct weir_pkt){
		.buf = q->bufs[slot],
		.off = WEIR_BUF_HEADROOM,
		.len = INTEL_RXD_LEN(st),
	};
}

/* @info is looked at only where it can change a verdict: 82599 errata, UDP without checksum. */
static inline unsigned csum_flags(const struct ixgbe_rxq *q, uint32_t st, uint32_t info)
{
	unsigned flags = 0;

	if (st & (uint32_t)INTEL_RXD_IPCS)
		flags |= st & (uint32_t)INTEL_RXD_IPE ? WEIR_PKT_RX_IP_BAD : WEIR_PKT_RX_IP_GOOD;
	if (!(st & (uint32_t)INTEL_RXD_L4I))
		return flags;
	if (!(st & (uint32_t)INTEL_RXD_L4E))
		flags |= WEIR_PKT_RX_L4_GOOD;
	else if (!q->udp_zero || !(info & INTEL_RXD_PKT_UDP))
		flags |= WEIR_PKT_RX_L4_BAD;
	return flags;
}

/* Tag, checksum verdict and hash; they stand in the packet's last descriptor. */
static inline void rx_meta(const struct ixgbe_rxq *q, unsigned slot, uint64_t st,
			   struct weir_pkt *p)
{
	uint32_t info;

	/* What else is in the descriptor is valid since its status is. */
	weir_dma_rmb();
	info = weir_from_le32(q->ring[slot].wb.info);
	p->flags |= (uint16_t)csum_flags(q, (uint32_t)st & q->csum, info);
	if (st & q->vlan) {
		p->flags |= WEIR_PKT_VLAN;
		p->vlan = INTEL_RXD_VLAN(st);
	}
	if (q->hash && info & INTEL_RXD_RSS_TYPE_MASK) {
		p->flags |= WEIR_PKT_HASH;
		p->hash = weir_from_le32(q->ring[slot].wb.rss);
	}
}

/*
 * Four descriptors at a time, a cache line's worth, as long as all of them are done and good.
 * Return: packets taken, a multiple of four.
 */
static inline unsigned rx_quads(const struct ixgbe_rxq *q, unsigned slot, unsigned most,
				struct weir_pkt *p, uint64_t *bytes, bool meta)
{
	unsigned got;

	for (got = 0; got + 4 <= most; got += 4, slot += 4, p += 4) {
		uint64_t a = rx_status(q, slot), b = rx_status(q, slot + 1);
		uint64_t c = rx_status(q, slot + 2), d = rx_status(q, slot + 3);

		if ((a & b & c & d & RX_DONE) != RX_DONE || (a | b | c | d) & INTEL_RXD_RXE ||
		    !lens_ok(a, b, c, d))
			break;
		rx_set(q, slot, a, &p[0]);
		rx_set(q, slot + 1, b, &p[1]);
		rx_set(q, slot + 2, c, &p[2]);
		rx_set(q, slot + 3, d, &p[3]);
		if (meta) {
			rx_meta(q, slot, a, &p[0]);
			rx_meta(q, slot + 1, b, &p[1]);
			rx_meta(q, slot + 2, c, &p[2]);
			rx_meta(q, slot + 3, d, &p[3]);
		}
		*bytes += (uint64_t)INTEL_RXD_LEN(a) + INTEL_RXD_LEN(b) + INTEL_RXD_LEN(c) +
			  INTEL_RXD_LEN(d);
	}
	return got;
}

static inline unsigned rx_single(struct weir_rxq *rxq, struct weir_pkt *pkts, unsigned n, bool meta)
{
	struct ixgbe_rxq *q = ixgbe_rxq_of(rxq);
	unsigned slot = q->next, left = q->posted, got = 0, quad;
	uint64_t bytes = 0;

	if (weir_unlikely(weir_port_failed(rxq->port)))
		return 0;
	while (got < n && left) {
		uint64_t st;

		quad = weir_likely(!q->skip)
			       ? rx_quads(q, slot,
					  weir_min_u(weir_min_u(n - got, left), q->size - slot),
					  &pkts[got], &bytes, meta)
			       : 0;
		got += quad;
		left -= quad;
		slot = slot + quad == q->size ? 0 : slot + quad;
		if (got == n || !left)
			break;
		st = rx_status(q, slot);
		if (!(st & INTEL_RXD_DD))
			break;
		if (weir_likely((st & (INTEL_RXD_EOP | INTEL_RXD_RXE)) == INTEL_RXD_EOP &&
				len_ok(st) && !q->skip)) {
			rx_set(q, slot, st, &pkts[got]);
			if (meta)
				rx_meta(q, slot, st, &pkts[got]);
			bytes += INTEL_RXD_LEN(st);
			got++;
		} else {
			rx_bad(q, slot, st);
		}
		slot = ixgbe_next(slot, q->size);
		left--;
	}
	/* Nobody may read a packet's data before its descriptor said that it is there. */
	weir_dma_rmb();
	rx_done(q, slot, left, got, bytes);
	return got;
}

/* One buffer a packet, no offload. */
unsigned XLATE_FN(ixgbe_rx_plain)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_single(q, pkts, n, false);
}

/* One buffer a packet. */
unsigned XLATE_FN(ixgbe_rx_meta)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_single(q, pkts, n, true);
}

/*
 * Find the end of the packet that begins at @slot; @st receives the status of each descriptor.
 * Return: descriptors up to its end; 0 if it is not there yet; one more than WEIR_MAX_SEGS if it
 * does not end within that many.
 */
static unsigned rx_scan(const struct ixgbe_rxq *q, unsigned slot, unsigned left, uint64_t *st)
{
	for (unsigned i = 0; i < WEIR_MAX_SEGS; i++) {
		if (i == left)
			return 0;
		st[i] = rx_status(q, slot);
		if (!(st[i] & INTEL_RXD_DD))
			return 0;
		if (st[i] & INTEL_RXD_EOP)
			return i + 1;
		slot = ixgbe_next(slot, q->size);
	}
	return WEIR_MAX_SEGS + 1;
}

/* Hand out a packet of @segs segments. Return: its bytes, or 0 if it was dropped. */
static unsigned rx_packet(struct ixgbe_rxq *q, unsigned slot, const uint64_t *st, unsigned segs,
			  struct weir_pkt *p)
{
	unsigned bytes = 0, at = slot;

	for (unsigned i = 0; i < segs; i++) {
		if (weir_unlikely(!len_ok(st[i]))) {
			rx_drop(q, slot, segs, WEIR_DROP_BAD_LEN);
			return 0;
		}
		rx_set(q, at, st[i], &p[i]);
		bytes += INTEL_RXD_LEN(st[i]);
		if (i + 1 < segs) {
			p[i].flags = WEIR_PKT_MORE;
			at = ixgbe_next(at, q->size);
		}
	}
	if (weir_unlikely(st[segs - 1] & INTEL_RXD_RXE)) {
		rx_drop(q, slot, segs, WEIR_DROP_DEV_ERR);
		return 0;
	}
	/* The verdict is in the last descriptor, and belongs into the first handle. */
	rx_meta(q, at, st[segs - 1], &p[0]);
	return bytes;
}

/* Packets of several buffers, with or without offloads. */
unsigned XLATE_FN(ixgbe_rx_jumbo)(struct weir_rxq *rxq, struct weir_pkt *pkts, unsigned n)
{
	struct ixgbe_rxq *q = ixgbe_rxq_of(rxq);
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
 * ixgbe_rx_pending() - whether a burst has something to do
 * @q: queue
 *
 * That is so too when the ring has run dry: no interrupt would come, only a burst can refill it.
 */
bool ixgbe_rx_pending(const struct ixgbe_rxq *q)
{
	return !q->posted || rx_status(q, q->next) & INTEL_RXD_DD;
}

/**
 * ixgbe_rx_drain() - give the buffers back; the device is stopped
 * @q: queue
 */
void ixgbe_rx_drain(struct ixgbe_rxq *q)
{
	for (; q->posted; q->posted--) {
		weir_buf_free1(q->q.cache, q->bufs[q->next]);
		q->next = (uint16_t)ixgbe_next(q->next, q->size);
	}
	q->next = 0;
	q->fill = 0;
	q->skip = false;
}

#endif
