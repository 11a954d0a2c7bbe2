/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths of packets in groups of four with AVX2: a cache line of descriptors at a time. */
#include "nics/virtio/virtio_ring.h"

#ifdef __x86_64__
#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2")
#endif

#include "nics/virtio/virtio_avx2.h"

#define VIRTIO_FN(name) name##_avx2
#include "nics/virtio/virtio_row.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
