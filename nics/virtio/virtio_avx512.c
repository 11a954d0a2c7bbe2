/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths of packets in groups of eight with AVX-512: two cache lines of descriptors at a time. */
#include "nics/virtio/virtio_ring.h"

#ifdef __x86_64__
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(                                                   \
	__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2"))), \
	apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2")
#endif

#include "nics/virtio/virtio_avx512.h"
#include "nics/virtio/virtio_rxtx.h"

unsigned virtio_rx_split_avx512(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_plain((struct virtio_rxq *)q, pkts, n, false);
}

unsigned virtio_rx_packed_avx512(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_plain((struct virtio_rxq *)q, pkts, n, true);
}

unsigned virtio_tx_split_avx512(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post((struct virtio_txq *)q, pkts, n, false);
}

unsigned virtio_tx_packed_avx512(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post((struct virtio_txq *)q, pkts, n, true);
}

unsigned virtio_reap_split_avx512(struct weir_txq *q)
{
	return tx_reap((struct virtio_txq *)q, false);
}

unsigned virtio_reap_packed_avx512(struct weir_txq *q)
{
	return tx_reap((struct virtio_txq *)q, true);
}

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
