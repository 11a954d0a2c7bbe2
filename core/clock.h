/* SPDX-License-Identifier: BSD-3-Clause */
/* Time: CLOCK_MONOTONIC in nanoseconds, and the cycle counter for measuring. */
#ifndef WEIR_CORE_CLOCK_H
#define WEIR_CORE_CLOCK_H

#include "core/types.h"
#include <time.h>

WEIR_BEGIN_DECLS

/**
 * weir_now_ns() - monotonic time
 * Return: nanoseconds since an arbitrary start; never goes back. Any thread.
 */
static inline uint64_t weir_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/**
 * weir_cycles() - the processor's time stamp counter (x86: TSC, aarch64: CNTVCT_EL0)
 *
 * Not serialising: an instruction before it may still be in flight. Its rate is constant but not
 * the core's clock; weir_cycles_hz() tells it.
 * Return: ticks.
 */
static inline uint64_t weir_cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#else
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#endif
}

/**
 * weir_cycles_hz() - rate of weir_cycles()
 *
 * Measures against CLOCK_MONOTONIC for 20 ms at every call: ask once and keep it.
 * Return: ticks a second.
 */
WEIR_API uint64_t weir_cycles_hz(void);

/**
 * weir_sleep_us() - sleep, restarting after signals
 * @us: microseconds
 */
WEIR_API void weir_sleep_us(unsigned us);

/**
 * struct weir_deadline - bound on a wait for hardware
 * @end: weir_now_ns() value at which the wait is over
 */
struct weir_deadline {
	uint64_t end;
};

static inline struct weir_deadline weir_deadline_us(uint64_t us)
{
	return (struct weir_deadline){ .end = weir_now_ns() + us * 1000 };
}

static inline bool weir_deadline_passed(struct weir_deadline d)
{
	return weir_now_ns() >= d.end;
}

WEIR_END_DECLS

#endif
