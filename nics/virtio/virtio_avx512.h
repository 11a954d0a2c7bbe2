/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The groups that virtio_rxtx.h asks for, eight descriptors each: two cache lines of a descriptor
 * table, one of a used ring. Only for files compiled for AVX-512 (F, BW, DQ, VL), which include it
 * first. What virtio_avx2.h says of groups goes here, too.
 */
#ifndef WEIR_NICS_VIRTIO_AVX512_H
#define WEIR_NICS_VIRTIO_AVX512_H

#include "nics/virtio/virtio_ring.h"

#define VIRTIO_GROUP 8
/* All of a group, in a mask. */
#define VIRTIO_ALL 0xff

/* Eight sums of 64 bits. */
typedef __m512i virtio_acc;

VIRTIO_INLINE virtio_acc acc_zero(void)
{
	return _mm512_setzero_si512();
}

VIRTIO_INLINE uint64_t acc_sum(virtio_acc acc)
{
	return (uint64_t)_mm512_reduce_add_epi64(acc);
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

VIRTIO_INLINE __m512i load512(const void *p)
{
	return _mm512_loadu_si512(p);
}

typedef __m512i __attribute__((aligned(1), may_alias)) virtio_m512_any;

/* From memory that the device writes: once, whatever the compiler would like better. */
VIRTIO_INLINE __m512i read512(const void *p)
{
	return *(const volatile virtio_m512_any *)p;
}

VIRTIO_INLINE void store512(void *p, __m512i v)
{
	_mm512_storeu_si512(p, v);
}

/* A constant of one word of 64 bits for each lane, from halves. */
VIRTIO_INLINE __m512i lanes(uint32_t high, uint32_t low)
{
	return _mm512_set1_epi64((int64_t)((uint64_t)high << 32 | low));
}

/* 0, 1, 2 ... 7, each @shift bits up. */
VIRTIO_INLINE __m512i counting(unsigned shift)
{
	return _mm512_slli_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), shift);
}

/* Upper halves of the eight pairs of words in @a and @b, and lower ones. */
VIRTIO_INLINE __m512i upper_words(__m512i a, __m512i b)
{
	return _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1), b);
}

VIRTIO_INLINE __m512i lower_words(__m512i a, __m512i b)
{
	return _mm512_permutex2var_epi64(a, _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), b);
}

/* Write eight pairs of words. */
VIRTIO_INLINE void store_pairs(void *p, __m512i lower, __m512i upper)
{
	const __m512i first = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
	const __m512i last = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);

	store512(p, _mm512_permutex2var_epi64(lower, first, upper));
	store512((char *)p + 64, _mm512_permutex2var_epi64(lower, last, upper));
}

/* Length, id and flags of the packed descriptors at @d. */
VIRTIO_INLINE __m512i packed_words(const struct pvirtq_desc *d)
{
	return upper_words(read512(&d[0]), read512(&d[4]));
}

/* What id and flags of used descriptors at @at and behind must be, in the upper half. */
VIRTIO_INLINE __m512i packed_want(const struct virtio_vq *vq, uint16_t at)
{
	uint32_t first = (uint32_t)packed_used_bits(vq, at) << 16 | (at & vq->mask);

	return _mm512_add_epi64(lanes(first, 0), counting(32));
}

/*
 * The next eight used buffers: lengths without header and without the shortest frame in the upper
 * half (@packed: lower), 0 in the other half if id and flags are right.
 */
VIRTIO_INLINE __m512i rx_words(const struct virtio_vq *vq, const bool packed)
{
	uint32_t shortest = vq->hdr_len + WEIR_ETH_HLEN, pos = vq->done & vq->mask;
	const uint32_t seen = (PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED) << 16 | 0xffff;
	__m512i w, want;

	if (packed) {
		w = _mm512_and_si512(packed_words(&vq->pdesc[pos]), lanes(seen, UINT32_MAX));
		want = _mm512_or_si512(packed_want(vq, vq->done), lanes(0, shortest));
	} else {
		w = read512(&vq->used->ring[pos]);
		want = _mm512_add_epi64(lanes(shortest, pos), counting(0));
	}
	return _mm512_sub_epi32(w, want);
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
	__m512i len = rx_words(vq, packed), pkt;
	/* Offset and shortest length where they stand in a struct weir_pkt. */
	uint32_t fixed = (WEIR_ETH_HLEN << 16) | (VIRTIO_RX_START + vq->hdr_len);

	if (_mm512_cmpgt_epu32_mask(len, packed ? lanes(0, range) : lanes(range, 0)))
		return false;
	rx_prefetch(q, bufs);
	len = packed ? _mm512_slli_epi64(len, 48) : _mm512_slli_epi64(len, 16);
	pkt = _mm512_add_epi64(len, lanes(fixed, 0));
	*acc = _mm512_add_epi64(*acc, _mm512_srli_epi64(pkt, 48));
	pkt = _mm512_or_si512(pkt, _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)bufs)));
	store_pairs(p, pkt, _mm512_setzero_si512());
	vq->done += VIRTIO_GROUP;
	vq->used_idx += VIRTIO_GROUP;
	return true;
}

/* Length, id and flags of packed descriptors to post, all but the first one's flags final. */
VIRTIO_INLINE __m512i packed_new(const struct virtio_vq *vq, struct virtio_post *po, __m512i len,
				 uint16_t flags)
{
	uint16_t pos = vq->posted;
	__m512i w;

	flags |= packed_avail_bits(vq, pos);
	w = lanes((uint32_t)flags << 16 | (pos & vq->mask), 0);
	w = _mm512_add_epi64(_mm512_add_epi64(len, w), counting(32));
	if (pos == po->start) {
		po->head_flags = flags;
		/* With AVAIL the wrong way round it is not the device's yet. */
		w = _mm512_mask_xor_epi64(w, 1, w, lanes((uint32_t)PVIRTQ_DESC_F_AVAIL << 16, 0));
	}
	return w;
}

/* Write a group of descriptors. @w: length, flags and the rest, see packed_new(). */
VIRTIO_INLINE void put_descs(struct virtio_vq *vq, __m512i addr, __m512i w)
{
	store_pairs(&vq->desc[vq->posted & vq->mask], addr, w);
	vq->posted += VIRTIO_GROUP;
}

/* Heads into the available ring, where they are not there already; see virtio_avx2.h. */
VIRTIO_INLINE void put_heads(struct virtio_vq *vq)
{
	unsigned at = vq->avail_idx & vq->mask, id = vq->posted & vq->mask;
	__m128i heads =
		_mm_add_epi16(_mm_set1_epi16((int16_t)id), _mm_set_epi16(7, 6, 5, 4, 3, 2, 1, 0));
	void *to = &vq->avail->ring[at];

	if (weir_likely(at + VIRTIO_GROUP <= vq_size(vq))) {
		if (weir_unlikely(_mm_cmpneq_epi16_mask(_mm_loadu_si128(to), heads)))
			_mm_storeu_si128(to, heads);
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
	__m256i b = _mm256_loadu_si256((const void *)bufs);
	__m512i addr = _mm512_slli_epi64(_mm512_cvtepu32_epi64(b), WEIR_BUF_SHIFT);
	uint32_t len = WEIR_BUF_ROOM + vq->hdr_len;
	__m512i w;

	_mm256_storeu_si256((void *)&vq->buf[vq->posted & vq->mask], b);
	addr = _mm512_add_epi64(
		addr, _mm512_set1_epi64((int64_t)(q->base.dma.iova_base + VIRTIO_RX_START)));
	if (packed) {
		w = packed_new(vq, po, lanes(0, len), VIRTQ_DESC_F_WRITE);
	} else {
		w = lanes(VIRTQ_DESC_F_WRITE, len);
		put_heads(vq);
	}
	put_descs(vq, addr, w);
}

/* Headers of the packets whose data is @at in the window. */
VIRTIO_INLINE void no_headers(const struct virtio_txq *q, __m512i at)
{
	char *base = q->base.dma.va_base;
	uint64_t where[VIRTIO_GROUP];

	static_assert(VIRTIO_NET_HDR_LEN == 12, "two stores");
	store512(where, at);
	for (unsigned i = 0; i < VIRTIO_GROUP; i++) {
		const uint64_t zero = 0;

		memcpy(base + where[i] - 12, &zero, 8);
		memcpy(base + where[i] - 4, &zero, 4);
	}
}

/* Flags, offsets and lengths of a group of packets: all as tx_simple() wants them? */
VIRTIO_INLINE bool tx_all_simple(const struct virtio_txq *q, __m512i where, __m512i rest,
				 unsigned slow)
{
	__m512i least = lanes(WEIR_ETH_HLEN << 16 | VIRTIO_HDR_ROOM, 0);
	__m512i most = lanes((uint32_t)q->short_len << 16 | q->short_off, UINT32_MAX);
	__m512i bad =
		_mm512_or_si512(_mm512_subs_epu16(least, where), _mm512_subs_epu16(where, most));

	bad = _mm512_or_si512(bad, _mm512_and_si512(rest, lanes(0, slow)));
	return !_mm512_test_epi64_mask(bad, bad);
}

/* Post a group of packets. Return: false, and nothing done, if any is not simple. */
VIRTIO_INLINE bool group_tx(struct virtio_txq *q, struct virtio_post *po, const struct weir_pkt *p,
			    unsigned slow, virtio_acc *acc, const bool packed)
{
	__m512i a = load512(&p[0]), b = load512(&p[4]), where = lower_words(a, b), at, len;
	struct virtio_vq *vq = &q->vq;

	if (!tx_all_simple(q, where, upper_words(a, b), slow))
		return false;
	_mm256_storeu_si256((void *)&vq->buf[vq->posted & vq->mask], _mm512_cvtepi64_epi32(where));
	at = _mm512_slli_epi64(_mm512_and_si512(where, lanes(0, UINT32_MAX)), WEIR_BUF_SHIFT);
	at = _mm512_add_epi64(at,
			      _mm512_and_si512(_mm512_srli_epi64(where, 32), lanes(0, UINT16_MAX)));
	no_headers(q, at);
	len = _mm512_srli_epi64(where, 48);
	*acc = _mm512_add_epi64(*acc, len);
	len = _mm512_add_epi64(len, lanes(0, VIRTIO_NET_HDR_LEN));
	at = _mm512_add_epi64(
		at, _mm512_set1_epi64((int64_t)(q->base.dma.iova_base - VIRTIO_NET_HDR_LEN)));
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
	__m512i w, want;

	if (packed) {
		w = _mm512_and_si512(packed_words(&vq->pdesc[pos]), lanes(seen, 0));
		want = packed_want(vq, at);
	} else {
		pos = (vq->used_idx + ahead) & vq->mask;
		if (weir_unlikely(pos + VIRTIO_GROUP > vq_size(vq)))
			return false;
		w = _mm512_and_si512(read512(&vq->used->ring[pos]), lanes(0, UINT32_MAX));
		want = _mm512_add_epi64(lanes(0, at & vq->mask), counting(0));
	}
	return _mm512_cmpeq_epi64_mask(w, want) == VIRTIO_ALL;
}

#endif
