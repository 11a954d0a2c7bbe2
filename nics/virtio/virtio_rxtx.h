/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The paths of packets, written once for both ring layouts: each function takes a constant
 * `packed`, and virtio_rxtx_split.c and virtio_rxtx_packed.c make the real functions of it.
 */
#ifndef WEIR_NICS_VIRTIO_RXTX_H
#define WEIR_NICS_VIRTIO_RXTX_H

#include "nics/virtio/virtio_ring.h"
#include "nics/xlate.h"

/* All that a header may need, so that "is there room" does not depend on what was negotiated. */
#define VIRTIO_HDR_ROOM VIRTIO_NET_HDR_HASH_LEN

/* --- receive --- */

VIRTIO_INLINE void rx_notify(struct virtio_rxq *q, const bool packed)
{
	if (!q->unnotified)
		return;
	q->unnotified = false;
	if (!vq_wants_kick(&q->vq, packed))
		return;
	vq_ring_doorbell(&q->vq, q->net->t);
	weir_count(&q->base.stats.kicks, 1);
}

/* The header goes right before the data, so the buffer starts that much earlier. */
VIRTIO_INLINE void rx_post_block(struct virtio_rxq *q, const uint32_t *bufs, unsigned n,
				 const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	struct virtio_post po = vq_post_begin(vq);
	struct xlate x = xlate_begin(&q->base.dma, WEIR_BUF_HEADROOM - vq->hdr_len);

	for (unsigned i = 0; i < n; i++) {
		uint16_t id = vq_next_id(vq);

		vq->slot[id].buf = bufs[i];
		vq_put(vq, &po, id, xlate_buf(x, bufs[i], 0), WEIR_BUF_ROOM + vq->hdr_len,
		       VIRTQ_DESC_F_WRITE, packed);
		vq_put_head(vq, id, packed);
	}
	vq_publish(vq, &po, packed);
}

/* Post what fits, in blocks; with an empty pool go on with what the ring has. */
VIRTIO_INLINE void rx_refill(struct virtio_rxq *q, const bool packed)
{
	uint32_t bufs[VIRTIO_RX_BLOCK];
	unsigned room = vq_free_descs(&q->vq);

	while (room >= q->block) {
		unsigned got = weir_buf_alloc(q->base.cache, bufs, q->block);

		if (got) {
			rx_post_block(q, bufs, got, packed);
			q->unnotified = true;
		}
		if (weir_unlikely(got < q->block)) {
			weir_drop(&q->base.stats, WEIR_DROP_NO_BUF, 1);
			return;
		}
		room -= got;
	}
}

/* The buffer behind an id, WEIR_BUF_NONE if the device must not have named it. */
VIRTIO_INLINE uint32_t rx_lookup(const struct virtio_vq *vq, uint32_t id)
{
	return weir_likely(id <= vq->mask) ? vq->slot[id].buf : WEIR_BUF_NONE;
}

VIRTIO_INLINE void rx_claim(struct virtio_vq *vq, uint32_t id)
{
	vq->slot[id].buf = WEIR_BUF_NONE;
	vq_put_id(vq, (uint16_t)id);
	vq->used_idx++;
}

static inline void rx_bad_ring(struct virtio_rxq *q, bool packed)
{
	struct virtio_vq *vq = &q->vq;

	weir_drop(&q->base.stats, WEIR_DROP_BAD_ID, 1);
	virtio_misbehaved(q->net, vq->index,
			  packed ? "flags of a receive descriptor" : "index of the used ring",
			  packed ? vq->done & vq->mask : virtio_read16(&vq->used->idx),
			  vq_inflight(vq));
}

static inline void rx_bad_id(struct virtio_rxq *q, uint32_t id)
{
	weir_drop(&q->base.stats, WEIR_DROP_BAD_ID, 1);
	virtio_misbehaved(q->net, q->vq.index, "id of a received buffer", id, q->vq.mask + 1u);
}

/* What ends each burst: fill up, tell the device once, count. */
VIRTIO_INLINE void rx_end(struct virtio_rxq *q, uint64_t packets, uint64_t bytes, const bool packed)
{
	struct weir_qstats *s = &q->base.stats;

	rx_refill(q, packed);
	rx_notify(q, packed);
	weir_count(&s->calls, 1);
	if (packets) {
		weir_count(&s->packets, packets);
		weir_count(&s->bytes, bytes);
	} else {
		weir_count(&s->empty, 1);
	}
}

/* One packet a buffer, nothing in the header that matters: the header is not even read. */
VIRTIO_INLINE unsigned rx_plain(struct virtio_rxq *q, struct weir_pkt *pkts, unsigned n,
				const bool packed)
{
	struct virtio_used e[VIRTIO_GATHER];
	struct virtio_vq *vq = &q->vq;
	unsigned out = 0, shortest = vq->hdr_len + WEIR_ETH_HLEN;
	uint64_t bytes = 0;
	int cnt;

	if (weir_unlikely(virtio_failed(q->base.port)))
		return 0;
	cnt = vq_gather(vq, e, weir_min_u(n, VIRTIO_GATHER), packed);
	if (weir_unlikely(cnt < 0)) {
		rx_bad_ring(q, packed);
		return 0;
	}
	for (int i = 0; i < cnt; i++) {
		uint32_t buf = rx_lookup(vq, e[i].id);

		if (weir_unlikely(buf == WEIR_BUF_NONE)) {
			rx_bad_id(q, e[i].id);
			break;
		}
		rx_claim(vq, e[i].id);
		if (weir_unlikely(e[i].len - shortest > WEIR_BUF_ROOM - WEIR_ETH_HLEN)) {
			weir_drop(&q->base.stats, WEIR_DROP_BAD_LEN, 1);
			weir_buf_free1(q->base.cache, buf);
			continue;
		}
		pkts[out++] = (struct weir_pkt){ .buf = buf,
						 .off = WEIR_BUF_HEADROOM,
						 .len = (uint16_t)(e[i].len - vq->hdr_len) };
		bytes += e[i].len - vq->hdr_len;
	}
	rx_end(q, out, bytes, packed);
	return out;
}

/* Throw one used buffer away. Return: false if its id is wrong. */
static inline bool rx_discard(struct virtio_rxq *q, uint32_t id)
{
	uint32_t buf = rx_lookup(&q->vq, id);

	if (buf == WEIR_BUF_NONE) {
		rx_bad_id(q, id);
		return false;
	}
	rx_claim(&q->vq, id);
	weir_buf_free1(q->base.cache, buf);
	return true;
}

/* Buffers of the packet whose first one is @e; 0 when it is to be dropped, with *why. */
static inline unsigned rx_segments(struct virtio_rxq *q, const struct virtio_net_hdr *h,
				   uint32_t len, enum weir_drop *why)
{
	unsigned nb = q->mrg ? virtio_read16(&h->num_buffers) : 1;

	*why = WEIR_DROP_BAD_LEN;
	if (len - (q->vq.hdr_len + WEIR_ETH_HLEN) > WEIR_BUF_ROOM - WEIR_ETH_HLEN)
		return 0;
	if (nb <= WEIR_MAX_SEGS)
		return nb;
	*why = WEIR_DROP_TOO_MANY;
	/* A believable number: its further buffers go the same way as they arrive. */
	if (nb <= vq_size(&q->vq))
		q->skip = (uint16_t)(nb - 1);
	return 0;
}

/* Flags and hash out of the header. Return: false if its offsets make no sense. */
static inline bool rx_header(struct virtio_rxq *q, const struct virtio_net_hdr *h,
			     struct weir_pkt *p, unsigned n)
{
	uint8_t flags = *(const volatile uint8_t *)&h->flags;

	if (q->hash && virtio_read16(&h->hash_report)) {
		p->hash = virtio_read16(&h->hash_value_lo) |
			  (uint32_t)virtio_read16(&h->hash_value_hi) << 16;
		p->flags |= WEIR_PKT_HASH;
	}
	if (!q->csum)
		return true;
	if (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		p->flags |= WEIR_PKT_RX_L4_GOOD;
		return virtio_rx_finish_csum(q->base.dma.va_base, p, n,
					     virtio_read16(&h->csum_start),
					     virtio_read16(&h->csum_offset));
	}
	if (flags & VIRTIO_NET_HDR_F_DATA_VALID)
		p->flags |= WEIR_PKT_RX_L4_GOOD;
	return true;
}

/*
 * Take the @nb buffers of one packet. Return: its bytes, 0 if it was dropped, -1 on a wrong id (then
 * what was taken is back in the cache).
 */
static inline int rx_assemble(struct virtio_rxq *q, const struct virtio_used *e, unsigned nb,
			      struct weir_pkt *p)
{
	struct virtio_vq *vq = &q->vq;
	unsigned hdr = vq->hdr_len, total = 0;
	const struct virtio_net_hdr *h;
	bool ok = true;

	for (unsigned i = 0; i < nb; i++) {
		uint32_t buf = rx_lookup(vq, e[i].id), skip = i ? 0 : hdr;

		if (weir_unlikely(buf == WEIR_BUF_NONE)) {
			rx_bad_id(q, e[i].id);
			weir_pkt_free(q->base.cache, p, i);
			return -1;
		}
		rx_claim(vq, e[i].id);
		ok &= e[i].len - skip - 1 < WEIR_BUF_ROOM + hdr - skip;
		p[i] = (struct weir_pkt){ .buf = buf,
					  .off = (uint16_t)(WEIR_BUF_HEADROOM - hdr + skip),
					  .len = (uint16_t)(e[i].len - skip),
					  .flags = i + 1 < nb ? WEIR_PKT_MORE : 0 };
		total += p[i].len;
	}
	h = (const void *)(weir_pkt_data(q->base.dma.va_base, p) - hdr);
	if (weir_likely(ok && rx_header(q, h, p, nb)))
		return (int)total;
	weir_drop(&q->base.stats, ok ? WEIR_DROP_DEV_ERR : WEIR_DROP_BAD_LEN, 1);
	weir_pkt_free(q->base.cache, p, nb);
	return 0;
}

/*
 * The packet whose first used buffer is e[0] of @left. Return: used buffers consumed, 0 to stop (it
 * does not fit, is not complete, or the ring is broken). @out and @bytes grow if it was good.
 */
static inline unsigned rx_packet(struct virtio_rxq *q, const struct virtio_used *e, unsigned left,
				 struct weir_pkt *p, unsigned room, unsigned *out, uint64_t *bytes)
{
	uint32_t buf = rx_lookup(&q->vq, e->id);
	const struct virtio_net_hdr *h;
	enum weir_drop why;
	unsigned nb;
	int len;

	if (buf == WEIR_BUF_NONE) {
		rx_bad_id(q, e->id);
		return 0;
	}
	h = (const void *)((const char *)weir_buf_addr(q->base.dma.va_base, buf) +
			   WEIR_BUF_HEADROOM - q->vq.hdr_len);
	nb = rx_segments(q, h, e->len, &why);
	if (weir_unlikely(!nb)) {
		weir_drop(&q->base.stats, why, 1);
		return rx_discard(q, e->id) ? 1 : 0;
	}
	if (nb > left || nb > room)
		return 0;
	len = rx_assemble(q, e, nb, p);
	if (len > 0) {
		*out += nb;
		*bytes += (unsigned)len;
	}
	return len < 0 ? 0 : nb;
}

/* Several buffers a packet, checksums, hashes: as asked for. */
VIRTIO_INLINE unsigned rx_full(struct virtio_rxq *q, struct weir_pkt *pkts, unsigned n,
			       const bool packed)
{
	struct virtio_used e[VIRTIO_GATHER];
	unsigned i = 0, out = 0;
	uint64_t bytes = 0, packets = 0;
	int cnt;

	if (weir_unlikely(virtio_failed(q->base.port)))
		return 0;
	cnt = vq_gather(&q->vq, e, weir_min_u(n, VIRTIO_GATHER), packed);
	if (weir_unlikely(cnt < 0)) {
		rx_bad_ring(q, packed);
		return 0;
	}
	while (i < (unsigned)cnt) {
		unsigned before = out, used;

		if (weir_unlikely(q->skip)) {
			if (!rx_discard(q, e[i].id))
				break;
			q->skip--;
			i++;
			continue;
		}
		used = rx_packet(q, &e[i], (unsigned)cnt - i, &pkts[out], n - out, &out, &bytes);
		if (!used)
			break;
		i += used;
		packets += out != before;
	}
	rx_end(q, packets, bytes, packed);
	return out;
}

/* --- transmit --- */

/* Take the buffers of a finished chain, or of an indirect table, into @freed. */
static inline unsigned tx_release_chain(struct virtio_txq *q, uint16_t head, uint32_t *freed)
{
	struct virtio_vq *vq = &q->vq;
	unsigned n = vq->slot[head].n, k = 0;
	uint16_t id = head;

	vq->slot[head].n = 0;
	if (n & VIRTIO_SLOT_INDIRECT) {
		k = n & ~VIRTIO_SLOT_INDIRECT;
		memcpy(freed, &q->ind_bufs[head * WEIR_MAX_SEGS], k * sizeof(*freed));
		vq_put_id(vq, head);
		return k;
	}
	for (unsigned i = 0; i < n; i++) {
		struct virtio_slot *s = &vq->slot[id];

		if (s->buf != WEIR_BUF_NONE)
			freed[k++] = s->buf;
		s->buf = WEIR_BUF_NONE;
		vq_put_id(vq, id);
		id = s->next;
	}
	return k;
}

/* Next finished chain. Return: 1 with its id, 0 for none, -1 if the ring is broken. */
VIRTIO_INLINE int tx_next_used(struct virtio_vq *vq, unsigned *left, uint32_t *id,
			       const bool packed)
{
	struct virtio_used e;
	int r;

	if (packed) {
		r = vq->posted == vq->done ? 0 : packed_peek(vq, vq->done, &e);
		if (r <= 0)
			return r;
	} else {
		if (!*left)
			return 0;
		--*left;
		split_read_used(vq, vq->used_idx++, &e);
	}
	*id = e.id;
	return 1;
}

static inline void tx_bad_ring(struct virtio_txq *q, uint32_t id)
{
	weir_drop(&q->base.stats, WEIR_DROP_BAD_ID, 1);
	virtio_misbehaved(q->net, q->vq.index, "id or index of a transmitted buffer", id,
			  vq_inflight(&q->vq));
}

/* Everything the device has finished with goes to the cache: the next that is received into. */
VIRTIO_INLINE unsigned tx_reap(struct virtio_txq *q, const bool packed)
{
	uint32_t freed[VIRTIO_GATHER + WEIR_MAX_SEGS], id = UINT32_MAX;
	struct virtio_vq *vq = &q->vq;
	unsigned k = 0, total = 0, left = 0;
	int r = packed ? 0 : split_used(vq);

	if (weir_unlikely(virtio_failed(q->base.port)))
		return q->segs;
	if (!packed && r > 0)
		left = (unsigned)r;
	while (r >= 0 && (r = tx_next_used(vq, &left, &id, packed)) > 0) {
		if (weir_unlikely(id > vq->mask || !vq->slot[id].n)) {
			r = -1;
			break;
		}
		if (weir_likely(vq->slot[id].n == 1)) {
			freed[k++] = vq->slot[id].buf;
			vq->slot[id].buf = WEIR_BUF_NONE;
			vq->slot[id].n = 0;
			vq_put_id(vq, (uint16_t)id);
		} else {
			k += tx_release_chain(q, (uint16_t)id, &freed[k]);
		}
		if (k >= VIRTIO_GATHER) {
			weir_buf_free(q->base.cache, freed, k);
			total += k;
			k = 0;
		}
	}
	if (k)
		weir_buf_free(q->base.cache, freed, k);
	q->segs -= total + k;
	if (weir_unlikely(r < 0))
		tx_bad_ring(q, id);
	return q->segs;
}

/* One buffer with headroom, nothing to ask of the device: header and data in one descriptor. */
VIRTIO_INLINE void tx_one(struct virtio_txq *q, struct virtio_post *po, const struct weir_pkt *p,
			  const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	uint16_t id = vq_next_id(vq);
	unsigned hdr = vq->hdr_len;

	memset(weir_pkt_data(q->base.dma.va_base, p) - VIRTIO_HDR_ROOM, 0, VIRTIO_HDR_ROOM);
	vq->slot[id].buf = p->buf;
	vq->slot[id].n = 1;
	vq_put(vq, po, id, xlate_pkt(xlate_begin(&q->base.dma, 0), p, hdr), p->len + hdr, 0,
	       packed);
	vq_put_head(vq, id, packed);
}

/* A descriptor of a chain, and what to remember of it. */
VIRTIO_INLINE void tx_link(struct virtio_txq *q, struct virtio_post *po, uint16_t head, unsigned n,
			   uint32_t buf, uint64_t addr, uint32_t len, bool more, const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	struct virtio_slot *s = &vq->slot[vq_next_id(vq)];

	s->buf = buf;
	s->n = (uint16_t)n;
	vq_put(vq, po, head, addr, len, more ? VIRTQ_DESC_F_NEXT : 0, packed);
	s->next = vq_next_id(vq);
}

/* Direct chain: header in the headroom of the first buffer, or in a descriptor of its own. */
VIRTIO_INLINE void tx_chain(struct virtio_txq *q, struct virtio_post *po, const struct weir_pkt *p,
			    unsigned segs, const bool packed)
{
	struct xlate x = xlate_begin(&q->base.dma, 0);
	uint16_t head = vq_next_id(&q->vq);
	bool own = p->off < VIRTIO_HDR_ROOM;
	unsigned n = segs + own, hdr = q->vq.hdr_len;

	if (own)
		tx_link(q, po, head, n, WEIR_BUF_NONE,
			xlate_ptr(&q->base.dma, q->hdrs + head * VIRTIO_HDR_SLOT), hdr, true,
			packed);
	for (unsigned i = 0; i < segs; i++) {
		unsigned pre = i || own ? 0 : hdr;

		tx_link(q, po, head, i || own ? 0 : n, p[i].buf, xlate_pkt(x, &p[i], pre),
			p[i].len + pre, i + 1 < segs, packed);
	}
	vq_put_head(&q->vq, head, packed);
}

/* Bytes of a packet, 0 if it can never be sent. */
static inline unsigned tx_check(const struct virtio_txq *q, const struct weir_pkt *p, unsigned segs)
{
	unsigned total = 0;

	if (segs > WEIR_MAX_SEGS)
		return 0;
	for (unsigned i = 0; i < segs; i++) {
		if (!p[i].len)
			return 0;
		total += p[i].len;
	}
	return total >= WEIR_ETH_HLEN && total <= q->max_len ? total : 0;
}

/* Counters of one post, written once at its end. */
struct virtio_tx_sum {
	uint64_t packets, bytes, invalid;
	unsigned segs;
};

/*
 * Several segments, checksums, no headroom, or not to be sent at all. Return: segments accepted, 0
 * when there is no room for them now.
 */
VIRTIO_INLINE unsigned tx_slow(struct virtio_txq *q, struct virtio_post *po,
			       const struct weir_pkt *p, unsigned left, struct virtio_tx_sum *sum,
			       const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	unsigned segs = weir_pkt_segs(p, left), room = vq_free_descs(vq), bytes;
	bool own = p->off < VIRTIO_HDR_ROOM, direct = segs + own <= room;
	uint16_t id = vq_next_id(vq);
	struct virtio_net_hdr *h;

	if (!segs || !room || (!direct && !q->ind && segs <= WEIR_MAX_SEGS))
		return 0;
	bytes = tx_check(q, p, segs);
	h = own ? (void *)(q->hdrs + id * VIRTIO_HDR_SLOT)
		: (void *)(weir_pkt_data(q->base.dma.va_base, p) - vq->hdr_len);
	if (!bytes || !virtio_tx_header(q, p, segs, h)) {
		weir_pkt_free(q->base.cache, p, segs);
		sum->invalid++;
		return segs;
	}
	if (direct) {
		tx_chain(q, po, p, segs, packed);
	} else {
		unsigned n = virtio_tx_indirect(q, id, p, segs, packed);

		vq->slot[id].n = (uint16_t)(segs | VIRTIO_SLOT_INDIRECT);
		vq_put(vq, po, id, xlate_ptr(&q->base.dma, &q->ind[id * VIRTIO_IND_DESCS]),
		       n * (unsigned)sizeof(*q->ind), VIRTQ_DESC_F_INDIRECT, packed);
		vq_put_head(vq, id, packed);
	}
	sum->packets++;
	sum->bytes += bytes;
	sum->segs += segs;
	return segs;
}

VIRTIO_INLINE void tx_count(struct virtio_txq *q, const struct virtio_tx_sum *sum)
{
	struct weir_qstats *s = &q->base.stats;

	weir_count(&s->calls, 1);
	if (weir_likely(sum->packets)) {
		weir_count(&s->packets, sum->packets);
		weir_count(&s->bytes, sum->bytes);
	}
	if (weir_unlikely(sum->invalid))
		weir_drop(s, WEIR_DROP_TX_INVALID, sum->invalid);
	q->segs += sum->segs;
	q->base.unkicked += sum->segs;
}

VIRTIO_INLINE unsigned tx_post(struct virtio_txq *q, const struct weir_pkt *pkts, unsigned n,
			       const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	unsigned i = 0, slow = WEIR_PKT_MORE;
	struct virtio_tx_sum sum = { 0 };
	struct virtio_post po;

	if (vq_free_descs(vq) < n + vq_size(vq) / 4)
		tx_reap(q, packed);
	if (weir_unlikely(virtio_failed(q->base.port)))
		return 0;
	po = vq_post_begin(vq);
	if (q->csum)
		slow |= WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM;
	while (i < n) {
		const struct weir_pkt *p = &pkts[i];
		unsigned took;

		if (weir_likely(!(p->flags & slow) && p->off >= VIRTIO_HDR_ROOM &&
				p->len - WEIR_ETH_HLEN <= q->max_len - WEIR_ETH_HLEN &&
				p->len >= WEIR_ETH_HLEN)) {
			if (!vq_free_descs(vq))
				break;
			tx_one(q, &po, p, packed);
			sum.packets++;
			sum.bytes += p->len;
			sum.segs++;
			i++;
			continue;
		}
		took = tx_slow(q, &po, p, n - i, &sum, packed);
		if (!took)
			break;
		i += took;
	}
	vq_publish(vq, &po, packed);
	tx_count(q, &sum);
	return i;
}

VIRTIO_INLINE void tx_kick(struct virtio_txq *q, const bool packed)
{
	q->base.unkicked = 0;
	if (virtio_failed(q->base.port) || !vq_wants_kick(&q->vq, packed))
		return;
	vq_ring_doorbell(&q->vq, q->net->t);
	weir_count(&q->base.stats.kicks, 1);
}

#endif
