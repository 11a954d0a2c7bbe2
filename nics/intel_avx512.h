/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Eight descriptors, two cache lines, at a time with AVX-512: all of them or none, then the groups of
 * nics/intel_avx2.h have their turn. Words are kept in the order 0, 4, 1, 5, 2, 6, 3, 7, for the same
 * reason as there.
 */
#ifndef WEIR_NICS_INTEL_AVX512_H
#define WEIR_NICS_INTEL_AVX512_H

#include "nics/intel_avx2.h"

INTEL_INLINE __m512i read512(const volatile void *p)
{
	return *(const volatile __m512i_u *)p;
}

INTEL_INLINE void write512(volatile void *p, __m512i v)
{
	*(volatile __m512i_u *)p = v;
}

INTEL_INLINE __m512i wide_lanes(uint64_t v)
{
	return _mm512_set1_epi64((int64_t)v);
}

/* Eight buffers as words, in the order that these have. */
INTEL_INLINE __m512i wide_bufs(__m256i bufs)
{
	const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);

	return _mm512_cvtepu32_epi64(_mm256_permutevar8x32_epi32(bufs, order));
}

INTEL_INLINE intel_acc wide_sum(intel_acc acc, __m512i v)
{
	acc = _mm256_add_epi64(acc, _mm512_castsi512_si256(v));
	return _mm256_add_epi64(acc, _mm512_extracti64x4_epi64(v, 1));
}

/* Two groups without offloads. Return: false, and nothing said, if any is not good. */
INTEL_INLINE bool wide_rx(const volatile union intel_rx_desc *d, const uint32_t *bufs, uint32_t rxe,
			  struct weir_pkt *p, intel_acc *acc)
{
	const uint64_t done = INTEL_RXD_DD | INTEL_RXD_EOP;
	__m512i st = _mm512_unpackhi_epi64(read512(&d[0]), read512(&d[4]));
	__m512i v = _mm512_sub_epi64(st, wide_lanes(UINT64_C(1) << 32)), first;
	uint64_t seen = (uint64_t)(UINT16_MAX & -WEIR_BUF_ROOM) << 32 | done | rxe;

	v = _mm512_and_si512(v, wide_lanes(seen));
	if (_mm512_cmpneq_epi64_mask(v, wide_lanes(done)))
		return false;
	first = wide_bufs(_mm256_loadu_si256((const void *)bufs));
	first = _mm512_or_si512(first, wide_lanes((uint64_t)WEIR_BUF_HEADROOM << 32));
	first = _mm512_mask_mov_epi16(first, 0x88888888, _mm512_slli_epi64(st, 16));
	write512(&p[0], _mm512_unpacklo_epi64(first, _mm512_setzero_si512()));
	write512(&p[4], _mm512_unpackhi_epi64(first, _mm512_setzero_si512()));
	*acc = wide_sum(*acc, _mm512_srli_epi64(first, 48));
	return true;
}

INTEL_INLINE bool wide_fill(volatile union intel_rx_desc *d, uint32_t *bufs, const uint32_t *from,
			    struct xlate x)
{
	__m256i b = _mm256_loadu_si256((const void *)from);
	__m512i addr = _mm512_slli_epi64(wide_bufs(b), WEIR_BUF_SHIFT);

	_mm256_storeu_si256((void *)bufs, b);
	addr = _mm512_add_epi64(addr, wide_lanes(x.base));
	write512(&d[0], _mm512_unpacklo_epi64(addr, _mm512_setzero_si512()));
	write512(&d[4], _mm512_unpackhi_epi64(addr, _mm512_setzero_si512()));
	return true;
}

/* Are eight packets alike, and good? See tx_alike(). */
INTEL_INLINE bool wide_alike(__m512i where, __m512i rest, const struct intel_like *l)
{
	__m512i least = wide_lanes((uint64_t)l->least << 48);
	__m512i most = wide_lanes(~(uint64_t)0 ^ (uint64_t)(UINT16_MAX ^ WEIR_BUF_SIZE) << 32);
	__m512i end = _mm512_adds_epu16(_mm512_srli_epi64(where, 16), where), bad;

	bad = _mm512_or_si512(_mm512_subs_epu16(least, where), _mm512_subs_epu16(end, most));
	rest = _mm512_and_si512(rest, wide_lanes(l->mask));
	bad = _mm512_or_si512(bad, _mm512_xor_si512(rest, wide_lanes(l->want)));
	return !_mm512_test_epi64_mask(bad, bad);
}

/* Two groups. Return: false, and nothing done, if any packet is not alike. */
INTEL_INLINE bool wide_tx(volatile struct intel_tx_desc *d, uint32_t *bufs,
			  const struct weir_pkt *p, struct xlate x, const struct intel_like *l,
			  intel_acc *acc)
{
	const __m256i order = _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0);
	__m512i a = _mm512_loadu_si512(&p[0]), b = _mm512_loadu_si512(&p[4]);
	__m512i where = _mm512_unpacklo_epi64(a, b), at, len, hi;

	if (!wide_alike(where, _mm512_unpackhi_epi64(a, b), l))
		return false;
	_mm256_storeu_si256((void *)bufs,
			    _mm256_permutevar8x32_epi32(_mm512_cvtepi64_epi32(where), order));
	len = _mm512_srli_epi64(where, 48);
	*acc = wide_sum(*acc, len);
	at = _mm512_and_si512(_mm512_srli_epi64(where, 32), wide_lanes(UINT16_MAX));
	where = _mm512_mul_epu32(where, wide_lanes(1 << WEIR_BUF_SHIFT));
	at = _mm512_add_epi64(_mm512_add_epi64(at, where), wide_lanes(x.base));
	hi = _mm512_or_si512(len, _mm512_slli_epi64(len, 46));
	hi = _mm512_or_si512(hi, wide_lanes(l->hi));
	write512(&d[0], _mm512_unpacklo_epi64(at, hi));
	write512(&d[4], _mm512_unpackhi_epi64(at, hi));
	return true;
}

#endif
