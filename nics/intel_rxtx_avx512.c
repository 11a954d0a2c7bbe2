/* SPDX-License-Identifier: BSD-3-Clause */
/* nics/intel_rxtx.c once more, eight at a time by AVX-512, and then four. */
#ifdef __x86_64__
#include "core/io.h"
#include "nics/intel_queue.h"
#include "nics/xlate.h"

#include <immintrin.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi"))), \
			     apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,bmi")
#endif

#define INTEL_AVX2
#define INTEL_AVX512
#define INTEL_FN(name) name##_avx512
#include "nics/intel_rxtx.c"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
