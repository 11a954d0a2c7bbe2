/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The groups of nics/intel_rx.h and nics/intel_tx.h with AVX2: four descriptors, a cache line of a
 * ring, are two registers. Two words of four packets are kept in one register, in the order 0, 2, 1, 3
 * in which descriptors and packets come apart into words, and go together again, without a detour.
 */
#ifndef WEIR_NICS_INTEL_AVX2_H
#define WEIR_NICS_INTEL_AVX2_H

#include "nics/intel_queue.h"
#include "nics/xlate.h"

/* Four sums of 64 bits. */
typedef __m256i intel_acc;

INTEL_INLINE intel_acc acc_zero(void)
{
	return _mm256_setzero_si256();
}

INTEL_INLINE uint64_t acc_sum(intel_acc acc)
{
	__m128i s = _mm_add_epi64(_mm256_castsi256_si128(acc), _mm256_extracti128_si256(acc, 1));

	return (uint64_t)_mm_cvtsi128_si64(s) + (uint64_t)_mm_extract_epi64(s, 1);
}

/* From memory that the device writes: once, whatever the compiler would like better. */
INTEL_INLINE __m256i read256(const volatile void *p)
{
	return *(const volatile __m256i_u *)p;
}

INTEL_INLINE void write256(volatile void *p, __m256i v)
{
	*(volatile __m256i_u *)p = v;
}

/* One word of 64 bits in each lane. */
INTEL_INLINE __m256i lanes(uint64_t v)
{
	return _mm256_set1_epi64x((int64_t)v);
}

/* The lanes in which a word has none of @bits become ones, others zero. */
INTEL_INLINE __m256i without(__m256i v, uint64_t bits)
{
	return _mm256_cmpeq_epi64(_mm256_and_si256(v, lanes(bits)), _mm256_setzero_si256());
}

/* Four buffers, in the order of a group's words. */
INTEL_INLINE __m256i load_bufs(const uint32_t *bufs)
{
	return _mm256_cvtepu32_epi64(
		_mm_shuffle_epi32(_mm_loadu_si128((const void *)bufs), _MM_SHUFFLE(3, 1, 2, 0)));
}

/*
 * A bit for each of four statuses that is done and good: whole packet, no error, 1 to 2048 bytes. A
 * length less one has no bit beyond those of a buffer's offset; 0 less one borrows, and has all.
 */
INTEL_INLINE unsigned rx_good(__m256i st, uint32_t rxe)
{
	const uint64_t done = INTEL_RXD_DD | INTEL_RXD_EOP;
	__m256i v = _mm256_sub_epi64(st, lanes(UINT64_C(1) << 32));

	static_assert((WEIR_BUF_ROOM & (WEIR_BUF_ROOM - 1)) == 0, "a power of two");
	v = _mm256_and_si256(v, lanes((uint64_t)(UINT16_MAX & -WEIR_BUF_ROOM) << 32 | done | rxe));
	return (unsigned)_mm256_movemask_pd(
		_mm256_castsi256_pd(_mm256_cmpeq_epi64(v, lanes(done))));
}

/* Flags of checksums: four bits of the status choose them from the queue's table. */
INTEL_INLINE __m256i rx_csum_flags(const struct intel_rxq *q, __m256i st, __m256i info)
{
	__m128i l4e = _mm_cvtsi32_si128(__builtin_ctz(q->l4e));
	__m256i table = _mm256_broadcastsi128_si256(_mm_load_si128((const void *)q->flags));
	__m256i i = _mm256_and_si256(_mm256_srl_epi64(st, l4e), lanes(3)), flags;

	i = _mm256_or_si256(i, _mm256_and_si256(_mm256_srli_epi64(st, 3), lanes(12)));
	/* All other bytes choose the table's first entry: nothing looked at, no flag. */
	flags = _mm256_shuffle_epi8(table, i);
	if (q->udp_zero) {
		static_assert(INTEL_RXD_PKT_UDP >> 3 == WEIR_PKT_RX_L4_BAD, "a shift by 3");
		info = _mm256_and_si256(_mm256_srli_epi64(info, 3), lanes(WEIR_PKT_RX_L4_BAD));
		flags = _mm256_andnot_si256(info, flags);
	}
	return flags;
}

/*
 * The second words of four packets: flags, tag and hash. @lo are the other words of the descriptors,
 * read after @st.
 */
INTEL_INLINE __m256i rx_metas(const struct intel_rxq *q, __m256i st, __m256i lo)
{
	__m256i v = rx_csum_flags(q, st, lo), none, tag, hash;

	none = without(st, q->vlan);
	tag = _mm256_slli_epi64(_mm256_srli_epi64(st, 48), 16);
	v = _mm256_or_si256(v,
			    _mm256_andnot_si256(none, _mm256_or_si256(tag, lanes(WEIR_PKT_VLAN))));
	none = without(lo, q->hash ? INTEL_RXD_RSS_TYPE_MASK : 0);
	hash = _mm256_slli_epi64(_mm256_srli_epi64(lo, 32), 32);
	return _mm256_or_si256(
		v, _mm256_andnot_si256(none, _mm256_or_si256(hash, lanes(WEIR_PKT_HASH))));
}

/* How many of a group are good up to the first that is not; @good is in the order of its words. */
INTEL_INLINE unsigned rx_prefix(unsigned good)
{
	unsigned in_order = (good & 9) | (good & 2) << 1 | (good & 4) >> 1;

	return (unsigned)__builtin_ctz(~in_order);
}

INTEL_INLINE unsigned group_rx(const struct intel_rxq *q, const volatile union intel_rx_desc *d,
			       const uint32_t *bufs, uint32_t rxe, struct weir_pkt *p,
			       intel_acc *acc, const bool meta)
{
	__m256i st = _mm256_unpackhi_epi64(read256(&d[0]), read256(&d[2]));
	__m256i rest = _mm256_setzero_si256(), first;
	unsigned good = rx_good(st, rxe), k;
	uint64_t bytes = 0;

	if (meta) {
		weir_dma_rmb();
		rest = _mm256_unpacklo_epi64(read256(&d[0]), read256(&d[2]));
		rest = rx_metas(q, st, rest);
	}
	first = _mm256_or_si256(load_bufs(bufs), lanes((uint64_t)WEIR_BUF_HEADROOM << 32));
	first = _mm256_blend_epi16(first, _mm256_slli_epi64(st, 16), 0x88);
	/* There is room for four. What is not good is not told of. */
	_mm256_storeu_si256((void *)&p[0], _mm256_unpacklo_epi64(first, rest));
	_mm256_storeu_si256((void *)&p[2], _mm256_unpackhi_epi64(first, rest));
	if (weir_likely(good == 15)) {
		*acc = _mm256_add_epi64(*acc, _mm256_srli_epi64(first, 48));
		return INTEL_GROUP;
	}
	k = rx_prefix(good);
	for (unsigned i = 0; i < k; i++)
		bytes += p[i].len;
	*acc = _mm256_add_epi64(*acc, _mm256_set_epi64x(0, 0, 0, (int64_t)bytes));
	return k;
}

INTEL_INLINE void group_fill(volatile union intel_rx_desc *d, uint32_t *bufs, const uint32_t *from,
			     struct xlate x)
{
	__m128i b = _mm_loadu_si128((const void *)from);
	__m256i addr = _mm256_cvtepu32_epi64(_mm_shuffle_epi32(b, _MM_SHUFFLE(3, 1, 2, 0)));
	__m256i zero = _mm256_setzero_si256();

	_mm_storeu_si128((void *)bufs, b);
	addr = _mm256_add_epi64(_mm256_slli_epi64(addr, WEIR_BUF_SHIFT), lanes(x.base));
	write256(&d[0], _mm256_unpacklo_epi64(addr, zero));
	write256(&d[2], _mm256_unpackhi_epi64(addr, zero));
}

/* Are four packets alike, and good? @where: buffers, offsets, lengths; @rest: their second halves. */
INTEL_INLINE bool tx_alike(__m256i where, __m256i rest, const struct intel_like *l)
{
	__m256i least = lanes((uint64_t)l->least << 48);
	__m256i most = lanes(~(uint64_t)0 ^ (uint64_t)(UINT16_MAX ^ WEIR_BUF_SIZE) << 32);
	/* Where offsets are: offset + length, at most 65535. */
	__m256i end = _mm256_adds_epu16(_mm256_srli_epi64(where, 16), where);
	__m256i bad =
		_mm256_or_si256(_mm256_subs_epu16(least, where), _mm256_subs_epu16(end, most));

	rest = _mm256_and_si256(rest, lanes(l->mask));
	bad = _mm256_or_si256(bad, _mm256_xor_si256(rest, lanes(l->want)));
	return _mm256_testz_si256(bad, bad);
}

INTEL_INLINE bool group_tx(volatile struct intel_tx_desc *d, uint32_t *bufs,
			   const struct weir_pkt *p, struct xlate x, const struct intel_like *l,
			   intel_acc *acc)
{
	const __m256i handles = _mm256_set_epi32(7, 5, 3, 1, 6, 2, 4, 0);
	__m256i a = _mm256_loadu_si256((const void *)&p[0]);
	__m256i b = _mm256_loadu_si256((const void *)&p[2]);
	__m256i where = _mm256_unpacklo_epi64(a, b), at, len, hi;

	if (!tx_alike(where, _mm256_unpackhi_epi64(a, b), l))
		return false;
	_mm_storeu_si128((void *)bufs,
			 _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(where, handles)));
	len = _mm256_srli_epi64(where, 48);
	*acc = _mm256_add_epi64(*acc, len);
	at = _mm256_and_si256(_mm256_srli_epi64(where, 32), lanes(UINT16_MAX));
	/* The lower half of each word: buffers. */
	where = _mm256_mul_epu32(where, lanes(1 << WEIR_BUF_SHIFT));
	at = _mm256_add_epi64(_mm256_add_epi64(at, where), lanes(x.base));
	hi = _mm256_or_si256(_mm256_or_si256(len, _mm256_slli_epi64(len, 46)), lanes(l->hi));
	write256(&d[0], _mm256_unpacklo_epi64(at, hi));
	write256(&d[2], _mm256_unpackhi_epi64(at, hi));
	return true;
}

#endif
