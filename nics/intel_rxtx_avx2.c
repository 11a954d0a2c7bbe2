/* SPDX-License-Identifier: BSD-3-Clause */
/* nics/intel_rxtx.c once more, with groups of four by AVX2. */
#ifdef __x86_64__
#include "core/io.h"
#include "nics/intel_queue.h"
#include "nics/xlate.h"

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,bmi"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi")
#endif

#define INTEL_AVX2
#define INTEL_FN(name) name##_avx2
#include "nics/intel_rxtx.c"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
