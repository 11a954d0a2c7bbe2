/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measuring: the median of many rounds, since these machines are noisy. A line of output is
 * WHAT, PARAMETER, MEDIAN, MIN, MAX, separated by tabs; run.sh makes the table.
 */
#ifndef WEIR_TESTS_BENCH_H
#define WEIR_TESTS_BENCH_H

#include "core/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define BENCH_ROUNDS 31

static inline int bench_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/**
 * bench() - run @round often and print
 * @what: what is measured
 * @param: with which parameter
 * @round: one round; returns the number of operations it did
 * @arg: for @round
 *
 * One round warms up and is not counted.
 */
static inline void bench(const char *what, const char *param, uint64_t (*round)(void *arg),
			 void *arg)
{
	double v[BENCH_ROUNDS];

	round(arg);
	for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
		uint64_t t = weir_cycles(), ops = round(arg);

		v[i] = (double)(weir_cycles() - t) / (double)ops;
	}
	qsort(v, BENCH_ROUNDS, sizeof(v[0]), bench_cmp);
	printf("%s\t%s\t%.2f\t%.2f\t%.2f\n", what, param, v[BENCH_ROUNDS / 2], v[0],
	       v[BENCH_ROUNDS - 1]);
	fflush(stdout);
}

/* Pin the calling thread; on a machine with fewer processors it stays where it is. */
static inline void bench_pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Give up with a sentence. */
static inline void bench_need(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

#endif
