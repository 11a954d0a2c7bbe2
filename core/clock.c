/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/clock.h"

uint64_t weir_cycles_hz(void)
{
	uint64_t t0 = weir_now_ns(), c0 = weir_cycles();
	uint64_t t1, c1;

	do {
		t1 = weir_now_ns();
		c1 = weir_cycles();
	} while (t1 - t0 < 20000000);
	return (uint64_t)((double)(c1 - c0) * 1e9 / (double)(t1 - t0));
}

void weir_sleep_us(unsigned us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}
