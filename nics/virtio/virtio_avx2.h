/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The groups that virtio_rxtx.h asks for, four descriptors each: one cache line of a descriptor
 * table, half of one of a used ring. Only for files compiled for AVX2, which include it first.
 *
 * A group that is not in every respect what it should be is left alone and goes the general way, so
 * that each check is one comparison of all four against what a good group looks like.
 */
#ifndef WEIR_NICS_VIRTIO_AVX2_H
#define WEIR_NICS_VIRTIO_AVX2_H

#include "nics/virtio/virtio_ring.h"

#define VIRTIO_GROUP 4

/* Four sums of 64 bits. */
typedef __m256i virtio_acc;

VIRTIO_INLINE virtio_acc acc_zero(void)
{
	return _mm256_setzero_si256();
}

VIRTIO_INLINE uint64_t acc_sum(virtio_acc acc)
{
	__m128i s = _mm_add_epi64(_mm256_castsi256_si128(acc), _mm256_extracti128_si256(acc, 1));

	return (uint64_t)_mm_cvtsi128_si64(s) + (uint64_t)_mm_extract_epi64(s, 1);
}

VIRTIO_INLINE unsigned vq_run(const struct virtio_vq *vq, unsigned at, unsigned n)
{
	unsigned to_end = vq_size(vq) - (at & vq->mask);

	if (weir_unlikely(vq->odd))
		return 0;
	return weir_min_u(n, to_end) / VIRTIO_GROUP;
}

/* Whole groups among the next @n to be taken back that stand in a row, each id in its place. */
VIRTIO_INLINE unsigned vq_done_run(const struct virtio_vq *vq, unsigned n)
{
	return vq_run(vq, vq->done, n);
}

/* The same for those to be posted. */
VIRTIO_INLINE unsigned vq_post_run(const struct virtio_vq *vq, unsigned n)
{
	return vq_run(vq, vq->posted, n);
}

/* Lanes a, c, b, d of 64 bits to a, b, c, d; it is its own inverse. */
#define VIRTIO_SWAP_MIDDLE 0xd8

VIRTIO_INLINE __m256i load256(const void *p)
{
	return _mm256_loadu_si256(p);
}

/* From memory that the device writes: once, whatever the compiler would like better. */
VIRTIO_INLINE __m256i read256(const void *p)
{
	return *(const volatile __m256i_u *)p;
}

VIRTIO_INLINE void store256(void *p, __m256i v)
{
	_mm256_storeu_si256(p, v);
}

/* A constant of one word of 64 bits for each lane, from halves. */
VIRTIO_INLINE __m256i lanes(uint32_t high, uint32_t low)
{
	return _mm256_set1_epi64x((int64_t)((uint64_t)high << 32 | low));
}

/* Is every 32-bit word of @v, unsigned, at most that of @max? */
VIRTIO_INLINE bool at_most(__m256i v, __m256i max)
{
	return _mm256_movemask_epi8(_mm256_cmpeq_epi32(_mm256_min_epu32(v, max), v)) == -1;
}

/* Length, id and flags of the packed descriptors at @d. */
VIRTIO_INLINE __m256i packed_words(const struct pvirtq_desc *d)
{
	__m256i w = _mm256_unpackhi_epi64(read256(&d[0]), read256(&d[2]));

	return _mm256_permute4x64_epi64(w, VIRTIO_SWAP_MIDDLE);
}

/* What id and flags of used descriptors at @pos and behind must be, in the upper half. */
VIRTIO_INLINE __m256i packed_want(const struct virtio_vq *vq, uint16_t at)
{
	uint32_t first = (uint32_t)packed_used_bits(vq, at) << 16 | (at & vq->mask);
	const __m256i count = _mm256_set_epi64x(3ll << 32, 2ll << 32, 1ll << 32, 0);

	return _mm256_add_epi64(lanes(first, 0), count);
}

/*
 * The next four used buffers: lengths without header and without the shortest frame in the upper
 * half (@packed: lower), 0 in the other half if id and flags are right.
 */
VIRTIO_INLINE __m256i rx_words(const struct virtio_vq *vq, const bool packed)
{
	uint32_t shortest = vq->hdr_len + WEIR_ETH_HLEN, pos = vq->done & vq->mask;
	const uint32_t seen = (PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED) << 16 | 0xffff;
	__m256i w, want;

	if (packed) {
		w = _mm256_and_si256(packed_words(&vq->pdesc[pos]), lanes(seen, UINT32_MAX));
		want = _mm256_or_si256(packed_want(vq, vq->done), lanes(0, shortest));
	} else {
		w = read256(&vq->used->ring[pos]);
		want = _mm256_add_epi64(lanes(shortest, pos), _mm256_set_epi64x(3, 2, 1, 0));
	}
	return _mm256_sub_epi32(w, want);
}

VIRTIO_INLINE void rx_prefetch(const struct virtio_rxq *q, const uint32_t *bufs)
{
	for (unsigned i = 0; i < VIRTIO_GROUP; i++)
		__builtin_prefetch((const char *)weir_buf_addr(q->base.dma.va_base, bufs[i]) +
					   VIRTIO_RX_START,
				   1);
}

/* The next group of used buffers as packets. Return: false, and nothing done, if any is not good. */
VIRTIO_INLINE bool group_rx(struct virtio_rxq *q, struct weir_pkt *p, virtio_acc *acc,
			    const bool packed)
{
	const uint32_t range = WEIR_BUF_ROOM - WEIR_ETH_HLEN;
	struct virtio_vq *vq = &q->vq;
	const uint32_t *bufs = &vq->buf[vq->done & vq->mask];
	__m256i len = rx_words(vq, packed), pkt;
	/* Offset and shortest length where they stand in a struct weir_pkt. */
	uint32_t fixed = (WEIR_ETH_HLEN << 16) | (VIRTIO_RX_START + vq->hdr_len);

	if (!at_most(len, packed ? lanes(0, range) : lanes(range, 0)))
		return false;
	rx_prefetch(q, bufs);
	len = packed ? _mm256_slli_epi64(len, 48) : _mm256_slli_epi64(len, 16);
	pkt = _mm256_add_epi64(len, lanes(fixed, 0));
	*acc = _mm256_add_epi64(*acc, _mm256_srli_epi64(pkt, 48));
	pkt = _mm256_or_si256(pkt, _mm256_cvtepu32_epi64(_mm_loadu_si128((const void *)bufs)));
	pkt = _mm256_permute4x64_epi64(pkt, VIRTIO_SWAP_MIDDLE);
	store256(&p[0], _mm256_unpacklo_epi64(pkt, _mm256_setzero_si256()));
	store256(&p[2], _mm256_unpackhi_epi64(pkt, _mm256_setzero_si256()));
	vq->done += VIRTIO_GROUP;
	vq->used_idx += VIRTIO_GROUP;
	return true;
}

/* Length, id and flags of four packed descriptors to post, all but the first one's flags final. */
VIRTIO_INLINE __m256i packed_new(const struct virtio_vq *vq, struct virtio_post *po, __m256i len,
				 uint16_t flags)
{
	const __m256i count = _mm256_set_epi64x(3ll << 32, 2ll << 32, 1ll << 32, 0);
	uint16_t pos = vq->posted;
	__m256i w;

	flags |= packed_avail_bits(vq, pos);
	w = lanes((uint32_t)flags << 16 | (pos & vq->mask), 0);
	w = _mm256_add_epi64(_mm256_add_epi64(len, w), count);
	if (pos == po->start) {
		po->head_flags = flags;
		/* With AVAIL the wrong way round it is not the device's yet. */
		w = _mm256_xor_si256(
			w, _mm256_set_epi64x(0, 0, 0, (int64_t)PVIRTQ_DESC_F_AVAIL << 48));
	}
	return w;
}

/* Write four descriptors. @w: length, flags and the rest, see packed_new(). */
VIRTIO_INLINE void put_descs(struct virtio_vq *vq, __m256i addr, __m256i w)
{
	__m256i even = _mm256_unpacklo_epi64(addr, w), odd = _mm256_unpackhi_epi64(addr, w);
	struct virtq_desc *d = &vq->desc[vq->posted & vq->mask];

	store256(&d[0], _mm256_permute2x128_si256(even, odd, 0x20));
	store256(&d[2], _mm256_permute2x128_si256(even, odd, 0x31));
	vq->posted += VIRTIO_GROUP;
}

/*
 * Four heads into the available ring. A ring whose ids are where they belong has the right ones
 * there already, and a line that is not written need not move to the device.
 */
VIRTIO_INLINE void put_heads(struct virtio_vq *vq)
{
	unsigned at = vq->avail_idx & vq->mask, id = vq->posted & vq->mask;
	uint64_t heads = id * 0x0001000100010001ull + 0x0003000200010000ull, are;

	if (weir_likely(at + VIRTIO_GROUP <= vq_size(vq))) {
		memcpy(&are, &vq->avail->ring[at], sizeof(are));
		if (weir_unlikely(are != heads))
			memcpy(&vq->avail->ring[at], &heads, sizeof(heads));
	} else {
		for (unsigned i = 0; i < VIRTIO_GROUP; i++)
			vq->avail->ring[(at + i) & vq->mask] = weir_le16((uint16_t)(id + i));
	}
	vq->avail_idx += VIRTIO_GROUP;
}

/* Post a group of receive buffers. */
VIRTIO_INLINE void group_rx_post(struct virtio_rxq *q, struct virtio_post *po, const uint32_t *bufs,
				 const bool packed)
{
	struct virtio_vq *vq = &q->vq;
	__m128i b = _mm_loadu_si128((const void *)bufs);
	__m256i addr = _mm256_slli_epi64(_mm256_cvtepu32_epi64(b), WEIR_BUF_SHIFT);
	uint32_t len = WEIR_BUF_ROOM + vq->hdr_len;
	__m256i w;

	_mm_storeu_si128((void *)&vq->buf[vq->posted & vq->mask], b);
	addr = _mm256_add_epi64(
		addr, _mm256_set1_epi64x((int64_t)(q->base.dma.iova_base + VIRTIO_RX_START)));
	if (packed) {
		w = packed_new(vq, po, lanes(0, len), VIRTQ_DESC_F_WRITE);
	} else {
		w = lanes(VIRTQ_DESC_F_WRITE, len);
		put_heads(vq);
	}
	put_descs(vq, addr, w);
}

VIRTIO_INLINE void no_header(char *data)
{
	const uint64_t zero = 0;

	static_assert(VIRTIO_NET_HDR_LEN == 12, "two stores");
	memcpy(data - 12, &zero, 8);
	memcpy(data - 4, &zero, 4);
}

/* Headers of four packets whose data is @at in the window. */
VIRTIO_INLINE void no_headers(const struct virtio_txq *q, __m256i at)
{
	__m128i low = _mm256_castsi256_si128(at), high = _mm256_extracti128_si256(at, 1);
	char *base = q->base.dma.va_base;

	no_header(base + _mm_cvtsi128_si64(low));
	no_header(base + _mm_extract_epi64(low, 1));
	no_header(base + _mm_cvtsi128_si64(high));
	no_header(base + _mm_extract_epi64(high, 1));
}

/* Flags, offsets and lengths of four packets: all as tx_simple() wants them? */
VIRTIO_INLINE bool tx_all_simple(const struct virtio_txq *q, __m256i where, __m256i rest,
				 unsigned slow)
{
	__m256i least = lanes(WEIR_ETH_HLEN << 16 | VIRTIO_HDR_ROOM, 0);
	__m256i most = lanes((uint32_t)q->short_len << 16 | q->short_off, UINT32_MAX);
	__m256i bad =
		_mm256_or_si256(_mm256_subs_epu16(least, where), _mm256_subs_epu16(where, most));

	bad = _mm256_or_si256(bad, _mm256_and_si256(rest, lanes(0, slow)));
	return _mm256_testz_si256(bad, bad);
}

/* Post a group of packets. Return: false, and nothing done, if any is not simple. */
VIRTIO_INLINE bool group_tx(struct virtio_txq *q, struct virtio_post *po, const struct weir_pkt *p,
			    unsigned slow, virtio_acc *acc, const bool packed)
{
	const __m256i even = _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0);
	__m256i a = load256(&p[0]), b = load256(&p[2]);
	__m256i where = _mm256_unpacklo_epi64(a, b), at, len;
	struct virtio_vq *vq = &q->vq;

	if (!tx_all_simple(q, where, _mm256_unpackhi_epi64(a, b), slow))
		return false;
	where = _mm256_permute4x64_epi64(where, VIRTIO_SWAP_MIDDLE);
	_mm_storeu_si128((void *)&vq->buf[vq->posted & vq->mask],
			 _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(where, even)));
	at = _mm256_slli_epi64(_mm256_and_si256(where, lanes(0, UINT32_MAX)), WEIR_BUF_SHIFT);
	at = _mm256_add_epi64(at,
			      _mm256_and_si256(_mm256_srli_epi64(where, 32), lanes(0, UINT16_MAX)));
	no_headers(q, at);
	len = _mm256_srli_epi64(where, 48);
	*acc = _mm256_add_epi64(*acc, len);
	len = _mm256_add_epi64(len, lanes(0, VIRTIO_NET_HDR_LEN));
	at = _mm256_add_epi64(
		at, _mm256_set1_epi64x((int64_t)(q->base.dma.iova_base - VIRTIO_NET_HDR_LEN)));
	if (packed)
		len = packed_new(vq, po, len, 0);
	else
		put_heads(vq);
	put_descs(vq, at, len);
	return true;
}

/* Has the device used the group that stands @ahead of vq->done, one by one and in order? */
VIRTIO_INLINE bool group_used(const struct virtio_vq *vq, unsigned ahead, const bool packed)
{
	uint16_t at = (uint16_t)(vq->done + ahead);
	const uint32_t seen = (PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED) << 16 | 0xffff;
	unsigned pos = at & vq->mask;
	__m256i w, want;

	if (packed) {
		w = _mm256_and_si256(packed_words(&vq->pdesc[pos]), lanes(seen, 0));
		want = packed_want(vq, at);
	} else {
		pos = (vq->used_idx + ahead) & vq->mask;
		if (weir_unlikely(pos + VIRTIO_GROUP > vq_size(vq)))
			return false;
		w = _mm256_and_si256(read256(&vq->used->ring[pos]), lanes(0, UINT32_MAX));
		want = _mm256_add_epi64(lanes(0, at & vq->mask), _mm256_set_epi64x(3, 2, 1, 0));
	}
	return _mm256_movemask_epi8(_mm256_cmpeq_epi64(w, want)) == -1;
}

#endif
