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

#define VIRTIO_FN(name) name##_avx512
#include "nics/virtio/virtio_row.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
