/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The paths of packets, written once for both ring layouts: each function takes a constant
 * `packed`, and virtio_rxtx_split.c and virtio_rxtx_packed.c make the real functions of it.
 */
#ifndef WEIR_NICS_VIRTIO_RXTX_H
#define WEIR_NICS_VIRTIO_RXTX_H

#include "nics/virtio/virtio_ring.h"
#include "nics/xlate.h"

#ifndef VIRTIO_GROUP
#include "nics/virtio/virtio_scalar.h"
#endif

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

VIRTIO_INLINE void rx_post_one(struct virtio_rxq *q, struct virtio_post *po, uint32_t buf,
			       const bool packed)
{
	struct xlate x = xlate_begin(&q->base.dma, VIRTIO_RX_START);
	struct virtio_vq *vq = &q->vq;
	uint16_t id = vq_next_id(vq);

	vq->buf[vq->posted & vq->mask] = buf;
	vq_put(vq, po, id, xlate_buf(x, buf, 0), WEIR_BUF_ROOM + vq->hdr_len, VIRTQ_DESC_F_WRITE,
	       packed);
	vq_put_head(vq, id, packed);
}

VIRTIO_INLINE void rx_post_block(struct virtio_rxq *q, const uint32_t *bufs, unsigned n,
				 const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	struct virtio_post po = vq_post_begin(vq);
	unsigned i = 0;

	if (weir_unlikely(vq->odd))
		vq_straighten(vq, n);
	while (i < n) {
		for (unsigned run = vq_post_run(vq, n - i); run; run--, i += VIRTIO_GROUP)
			group_rx_post(q, &po, &bufs[i], packed);
		if (i < n)
			rx_post_one(q, &po, bufs[i++], packed);
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
	int ahead = vq_place(vq, id);

	return weir_likely(ahead >= 0) ? vq->buf[(vq->done + (unsigned)ahead) & vq->mask]
				       : WEIR_BUF_NONE;
}

/* Take it back. There is at least one in flight. */
VIRTIO_INLINE uint32_t rx_claim(struct virtio_vq *vq, uint32_t id)
{
	if (weir_unlikely(id != vq_ids(vq)[vq->done & vq->mask])) {
		int ahead = vq_place(vq, id);

		if (ahead < 0)
			return WEIR_BUF_NONE;
		vq_bring_forward(vq, (unsigned)ahead, 1);
	}
	vq->used_idx++;
	return vq->buf[vq->done++ & vq->mask];
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

/* Used buffers that may be looked at. Return: how many at most, -1 if the ring is broken. */
VIRTIO_INLINE int rx_ready(const struct virtio_vq *vq, unsigned n, const bool packed)
{
	int used = packed ? (int)vq_inflight(vq) : split_used(vq);

	return used < (int)n ? used : (int)n;
}

/* The next used buffer. Return: 1 with a packet, 2 without, 0 if there is none, -1 broken. */
VIRTIO_INLINE int rx_one(struct virtio_rxq *q, struct weir_pkt *p, const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	unsigned hdr = vq->hdr_len;
	struct virtio_used e;
	uint32_t buf;
	int r;

	if (packed) {
		r = packed_peek(vq, vq->done, &e);
		if (r <= 0)
			return r;
		weir_dma_rmb();
	} else {
		split_read_used(vq, vq->used_idx, &e);
	}
	buf = rx_claim(vq, e.id);
	if (weir_unlikely(buf == WEIR_BUF_NONE)) {
		rx_bad_id(q, e.id);
		return 0;
	}
	if (weir_unlikely(e.len - (hdr + WEIR_ETH_HLEN) > WEIR_BUF_ROOM - WEIR_ETH_HLEN)) {
		weir_drop(&q->base.stats, WEIR_DROP_BAD_LEN, 1);
		weir_buf_free1(q->base.cache, buf);
		return 2;
	}
	*p = (struct weir_pkt){ .buf = buf,
				.off = (uint16_t)(VIRTIO_RX_START + hdr),
				.len = (uint16_t)(e.len - hdr) };
	return 1;
}

/* One packet a buffer, nothing in the header that matters: the header is not even read. */
VIRTIO_INLINE unsigned rx_plain(struct virtio_rxq *q, struct weir_pkt *pkts, unsigned n,
				const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	virtio_acc acc = acc_zero();
	unsigned out = 0;
	uint64_t bytes = 0;
	int left, r = 1;

	if (weir_unlikely(virtio_failed(q->base.port)))
		return 0;
	left = rx_ready(vq, n, packed);
	if (weir_unlikely(left < 0))
		r = -1;
	while (left > 0) {
		for (unsigned run = vq_done_run(vq, (unsigned)left);
		     run && group_rx(q, &pkts[out], &acc, packed); run--) {
			out += VIRTIO_GROUP;
			left -= VIRTIO_GROUP;
		}
		for (unsigned k = 0; left && k <= VIRTIO_GROUP; k++, left--) {
			r = rx_one(q, &pkts[out], packed);
			if (r <= 0)
				goto end;
			bytes += r == 1 ? pkts[out].len : 0;
			out += r == 1;
		}
	}
end:
	/* Flags that are neither come to the same as an index that is nowhere. */
	if (weir_unlikely(r < 0)) {
		rx_bad_ring(q, packed);
		if (!out)
			return 0;
	}
	rx_end(q, out, bytes + acc_sum(acc), packed);
	return out;
}

/* Throw one used buffer away. Return: false if its id is wrong. */
static inline bool rx_discard(struct virtio_rxq *q, uint32_t id)
{
	uint32_t buf = rx_claim(&q->vq, id);

	if (buf == WEIR_BUF_NONE) {
		rx_bad_id(q, id);
		return false;
	}
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
		uint32_t buf = rx_claim(vq, e[i].id), skip = i ? 0 : hdr;

		if (weir_unlikely(buf == WEIR_BUF_NONE)) {
			rx_bad_id(q, e[i].id);
			weir_pkt_free(q->base.cache, p, i);
			return -1;
		}
		ok &= e[i].len - skip - 1 < WEIR_BUF_ROOM + hdr - skip;
		p[i] = (struct weir_pkt){ .buf = buf,
					  .off = (uint16_t)(VIRTIO_RX_START + skip),
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
	h = (const void *)((const char *)weir_buf_addr(q->base.dma.va_base, buf) + VIRTIO_RX_START);
	nb = rx_segments(q, h, e->len, &why);
	if (weir_unlikely(!nb)) {
		weir_drop(&q->base.stats, why, 1);
		return rx_discard(q, e->id) ? 1 : 0;
	}
	/* Nothing of this burst is used yet: nor will any of the next ones, if they are like it. */
	if (weir_unlikely(nb > room && !*out && weir_rxq_short(&q->base, nb))) {
		weir_drop(&q->base.stats, WEIR_DROP_TOO_MANY, 1);
		q->skip = (uint16_t)(nb - 1);
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

/* Take the buffers of the chain at vq->done, or of its indirect table, into @freed. */
static inline unsigned tx_release_chain(struct virtio_txq *q, uint32_t *freed)
{
	struct virtio_vq *vq = &q->vq;
	unsigned pos = vq->done & vq->mask, n = vq_chains(vq)[pos], k = 0;

	vq->chains--;
	if (n & VIRTIO_CHAIN_INDIRECT) {
		k = n & ~VIRTIO_CHAIN_INDIRECT;
		memcpy(freed, &q->ind_bufs[vq_ids(vq)[pos] * WEIR_MAX_SEGS], k * sizeof(*freed));
		vq_chains(vq)[pos] = 1;
		vq->done++;
		return k;
	}
	for (unsigned i = 0; i < n; i++) {
		pos = vq->done++ & vq->mask;
		if (vq->buf[pos] != WEIR_BUF_NONE)
			freed[k++] = vq->buf[pos];
		vq_chains(vq)[pos] = 1;
	}
	return k;
}

/*
 * Next finished chain, which then stands at vq->done. In order, one notice may stand for several
 * chains: @batch descriptors, then. Return: 1; 0 for none; -1 if the ring is broken, with *id.
 */
VIRTIO_INLINE int tx_next_used(struct virtio_vq *vq, unsigned *left, unsigned *batch, uint32_t *id,
			       const bool packed)
{
	struct virtio_used e;
	int r = 1, ahead;

	if (*batch)
		return 1;
	if (packed) {
		r = vq->posted == vq->done ? 0 : packed_peek(vq, vq->done, &e);
		if (r <= 0)
			return r;
	} else {
		if (!*left)
			return 0;
		--*left;
		/* 2.7.9: in order there may be nothing but the index. */
		if (vq->in_order) {
			vq->used_idx++;
			return vq_inflight(vq) ? 1 : -1;
		}
		split_read_used(vq, vq->used_idx++, &e);
	}
	*id = e.id;
	ahead = vq_place(vq, e.id);
	if (weir_unlikely(ahead < 0))
		return -1;
	if (vq->in_order)
		*batch = (unsigned)ahead + 1;
	else if (weir_unlikely(ahead))
		vq_bring_forward(
			vq, (unsigned)ahead,
			chain_descs(vq_chains(vq)[(vq->done + (unsigned)ahead) & vq->mask]));
	return 1;
}

static inline void tx_bad_ring(struct virtio_txq *q, uint32_t id)
{
	weir_drop(&q->base.stats, WEIR_DROP_BAD_ID, 1);
	virtio_misbehaved(q->net, q->vq.index, "id or index of a transmitted buffer", id,
			  vq_inflight(&q->vq));
}

/*
 * Finished buffers that stand in a row from vq->done, when all in flight are single: at most
 * @max. Return: how many; 0 means nothing but that the general way must look.
 */
VIRTIO_INLINE unsigned tx_row(const struct virtio_txq *q, unsigned max, const bool packed)
{
	const struct virtio_vq *vq = &q->vq;
	unsigned n = 0;

	if (weir_unlikely(vq->chains))
		return 0;
	max = weir_min_u(max, vq_size(vq) - (vq->done & vq->mask));
	max = weir_min_u(max, WEIR_CACHE_SIZE / 2);
	if (!packed && vq->in_order)
		return max;
	if (vq->odd)
		return 0;
	while (VIRTIO_GROUP && n + VIRTIO_GROUP <= max && group_used(vq, n, packed))
		n += VIRTIO_GROUP;
	return n;
}

/* The same when one notice stands for the next @batch descriptors. */
VIRTIO_INLINE unsigned tx_batch_row(const struct virtio_vq *vq, unsigned batch)
{
	batch = weir_min_u(batch, vq_size(vq) - (vq->done & vq->mask));
	return weir_min_u(batch, WEIR_CACHE_SIZE / 2);
}

/* The chain at vq->done is finished. Return: its buffers. */
VIRTIO_INLINE unsigned tx_release(struct virtio_txq *q, uint32_t *freed, unsigned *batch)
{
	struct virtio_vq *vq = &q->vq;
	unsigned pos = vq->done & vq->mask, n = vq_chains(vq)[pos], k = 1;

	if (*batch)
		*batch -= weir_min_u(*batch, chain_descs(n));
	if (weir_likely(n == 1)) {
		freed[0] = vq->buf[pos];
		vq->done++;
	} else {
		k = tx_release_chain(q, freed);
	}
	return k;
}

/* Everything the device has finished with goes to the cache: the next that is received into. */
VIRTIO_INLINE unsigned tx_reap(struct virtio_txq *q, const bool packed)
{
	uint32_t freed[WEIR_MAX_SEGS], id = UINT32_MAX;
	struct virtio_vq *vq = &q->vq;
	unsigned total = 0, left = 0, batch = 0;
	int r = packed ? 0 : split_used(vq);

	if (weir_unlikely(virtio_failed(q->base.port)))
		return q->segs;
	if (!packed && r > 0)
		left = (unsigned)r;
	while (r >= 0) {
		unsigned max = batch ? batch : packed ? vq_inflight(vq) : left;
		unsigned k =
			batch && !vq->chains ? tx_batch_row(vq, batch) : tx_row(q, max, packed);

		if (k) {
			weir_buf_free(q->base.cache, &vq->buf[vq->done & vq->mask], k);
			vq->done = (uint16_t)(vq->done + k);
			if (packed) {
				batch -= weir_min_u(batch, k);
			} else {
				vq->used_idx = (uint16_t)(vq->used_idx + k);
				left -= k;
			}
			total += k;
			continue;
		}
		r = tx_next_used(vq, &left, &batch, &id, packed);
		if (r <= 0)
			break;
		if (batch && !vq->chains)
			continue;
		k = tx_release(q, freed, &batch);
		if (weir_likely(k == 1))
			weir_buf_free1(q->base.cache, freed[0]);
		else
			weir_buf_free(q->base.cache, freed, k);
		total += k;
	}
	q->segs -= total;
	if (weir_unlikely(r < 0))
		tx_bad_ring(q, id);
	if (weir_likely(total) || !q->segs)
		weir_txq_busy(&q->base);
	else
		weir_txq_idle(&q->base);
	return q->segs;
}

/* Header of a packet about which there is nothing to say. */
VIRTIO_INLINE void tx_no_header(uint8_t *data, unsigned hdr)
{
	memset(data - VIRTIO_NET_HDR_LEN, 0, VIRTIO_NET_HDR_LEN);
	if (weir_unlikely(hdr > VIRTIO_NET_HDR_LEN))
		memset(data - hdr, 0, hdr - VIRTIO_NET_HDR_LEN);
}

/* One buffer with headroom, nothing to ask of the device: header and data in one descriptor. */
VIRTIO_INLINE void tx_one(struct virtio_txq *q, struct virtio_post *po, const struct weir_pkt *p,
			  const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	uint16_t id = vq_next_id(vq);
	unsigned hdr = vq->hdr_len;

	tx_no_header(weir_pkt_data(q->base.dma.va_base, p), hdr);
	vq->buf[vq->posted & vq->mask] = p->buf;
	vq_put(vq, po, id, xlate_pkt(xlate_begin(&q->base.dma, 0), p, hdr), p->len + hdr, 0,
	       packed);
	vq_put_head(vq, id, packed);
}

/* A descriptor of a chain; the first one says how many follow it (@n), the others 0. */
VIRTIO_INLINE void tx_link(struct virtio_txq *q, struct virtio_post *po, uint16_t head, unsigned n,
			   uint32_t buf, weir_iova_t addr, unsigned len, bool more,
			   const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	unsigned pos = vq->posted & vq->mask;

	vq->buf[pos] = buf;
	vq_chains(vq)[pos] = (uint16_t)n;
	vq_put(vq, po, head, addr, len, more ? VIRTQ_DESC_F_NEXT : 0, packed);
}

/* Direct chain: header in the headroom of the first buffer, or in a descriptor of its own. */
VIRTIO_INLINE void tx_chain(struct virtio_txq *q, struct virtio_post *po, const struct weir_pkt *p,
			    unsigned segs, const bool packed)
{
	struct xlate x = xlate_begin(&q->base.dma, 0);
	uint16_t head = vq_next_id(&q->vq);
	bool own = p->off < VIRTIO_HDR_ROOM;
	unsigned n = segs + own, hdr = q->vq.hdr_len;

	q->vq.chains += n > 1;
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
		/* The application is trusted; but a slip must not send what is in other buffers. */
		if (!p[i].len || (unsigned)p[i].off + p[i].len > WEIR_BUF_SIZE)
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

		vq->chains++;
		vq->buf[vq->posted & vq->mask] = WEIR_BUF_NONE;
		vq_chains(vq)[vq->posted & vq->mask] = (uint16_t)(segs | VIRTIO_CHAIN_INDIRECT);
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

/* Groups of packets that there is room for in a row. */
VIRTIO_INLINE unsigned tx_run(const struct virtio_txq *q, unsigned n)
{
	n = weir_min_u(n, vq_free_descs(&q->vq));
	return weir_likely(q->vq.hdr_len == VIRTIO_NET_HDR_LEN) ? vq_post_run(&q->vq, n) : 0;
}

/* Can this packet go the short way? */
VIRTIO_INLINE bool tx_simple(const struct virtio_txq *q, const struct weir_pkt *p, unsigned slow)
{
	return !(p->flags & slow) && p->off >= VIRTIO_HDR_ROOM && p->off <= q->short_off &&
	       p->len >= WEIR_ETH_HLEN && p->len <= q->short_len;
}

/* One packet, of whatever kind. Return: segments accepted, 0 if there is no room. */
VIRTIO_INLINE unsigned tx_any(struct virtio_txq *q, struct virtio_post *po,
			      const struct weir_pkt *p, unsigned left, unsigned slow,
			      struct virtio_tx_sum *sum, const bool packed)
{
	if (weir_unlikely(!tx_simple(q, p, slow)))
		return tx_slow(q, po, p, left, sum, packed);
	if (!vq_free_descs(&q->vq))
		return 0;
	tx_one(q, po, p, packed);
	sum->packets++;
	sum->bytes += p->len;
	sum->segs++;
	return 1;
}

VIRTIO_INLINE unsigned tx_post(struct virtio_txq *q, const struct weir_pkt *pkts, unsigned n,
			       const bool packed)
{
	unsigned i = 0, grouped = 0, slow = WEIR_PKT_MORE;
	struct virtio_vq *vq = &q->vq;
	struct virtio_tx_sum sum = { 0 };
	virtio_acc acc = acc_zero();
	struct virtio_post po;

	if (vq_free_descs(vq) < n + vq_size(vq) / 4)
		tx_reap(q, packed);
	if (weir_unlikely(virtio_failed(q->base.port)))
		return 0;
	if (weir_unlikely(vq->odd))
		vq_straighten(vq, n);
	po = vq_post_begin(vq);
	if (q->csum)
		slow |= WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM;
	while (i < n) {
		unsigned took = 0;

		for (unsigned run = tx_run(q, n - i);
		     run && group_tx(q, &po, &pkts[i], slow, &acc, packed); run--) {
			i += VIRTIO_GROUP;
			grouped += VIRTIO_GROUP;
		}
		for (unsigned k = 0; i < n && k <= VIRTIO_GROUP; k++) {
			took = tx_any(q, &po, &pkts[i], n - i, slow, &sum, packed);
			i += took;
			if (!took)
				goto end;
		}
	}
end:
	vq_publish(vq, &po, packed);
	sum.packets += grouped;
	sum.segs += grouped;
	sum.bytes += acc_sum(acc);
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
