/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Groups of four for any processor, as intel_avx2.h has them: what is received is judged together and
 * taken one by one; what is sent is not worth it.
 */
#ifndef WEIR_NICS_INTEL_SCALAR_H
#define WEIR_NICS_INTEL_SCALAR_H

#include "nics/intel_queue.h"
#include "nics/xlate.h"

typedef uint64_t intel_acc;

INTEL_INLINE intel_acc acc_zero(void)
{
	return 0;
}

INTEL_INLINE uint64_t acc_sum(intel_acc acc)
{
	return acc;
}

/* Each length less one has no bit beyond those of a buffer's offset. */
static inline bool rx_lens_ok(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	static_assert((WEIR_BUF_ROOM & (WEIR_BUF_ROOM - 1)) == 0, "a power of two");
	return ((INTEL_RXD_LEN(a) - 1u) | (INTEL_RXD_LEN(b) - 1u) | (INTEL_RXD_LEN(c) - 1u) |
		(INTEL_RXD_LEN(d) - 1u)) < WEIR_BUF_ROOM;
}

/*
 * A group of descriptors, all with the device, as packets. Return: how many were taken, from the first
 * on: those before the first that is not done, or not good, or fewer.
 */
INTEL_INLINE unsigned group_rx(const struct intel_rxq *q, const volatile union intel_rx_desc *d,
			       const uint32_t *bufs, uint32_t rxe, struct weir_pkt *p,
			       intel_acc *bytes, const bool meta)
{
	uint64_t st[INTEL_GROUP], all = RX_DONE, any = 0;

	for (unsigned i = 0; i < INTEL_GROUP; i++) {
		st[i] = weir_from_le64(d[i].wb.status);
		all &= st[i];
		any |= st[i];
	}
	if (all != RX_DONE || any & rxe || !rx_lens_ok(st[0], st[1], st[2], st[3]))
		return 0;
	for (unsigned i = 0; i < INTEL_GROUP; i++) {
		rx_set(bufs[i], st[i], &p[i]);
		if (meta)
			rx_meta(q, &d[i], st[i], &p[i]);
		*bytes += INTEL_RXD_LEN(st[i]);
	}
	return INTEL_GROUP;
}

/* A group of buffers into the ring's list and its descriptors. */
INTEL_INLINE void group_fill(volatile union intel_rx_desc *d, uint32_t *bufs, const uint32_t *from,
			     struct xlate x)
{
	for (unsigned i = 0; i < INTEL_GROUP; i++)
		rx_post(&d[i], &bufs[i], from[i], x);
}

/* A group of packets as descriptors. Return: false, and nothing done, if any is not alike. */
INTEL_INLINE bool group_tx(volatile struct intel_tx_desc *d, uint32_t *bufs,
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
