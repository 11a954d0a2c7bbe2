/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Measuring: the median of many short rounds, since these machines are noisy. A line of output is
 * WHAT, PARAMETER, MEDIAN, MIN, MAX, separated by tabs; run.sh makes the table.
 *
 * A program with cases (bench_main()) runs them all, or, with the argument "turns", those that
 * lab.py asks for: a number on a line of standard input is a case, one line is the answer. Between
 * turns it waits for input and uses no processor, so that it and its peer can live side by side.
 */
#ifndef WEIR_TESTS_BENCH_H
#define WEIR_TESTS_BENCH_H

#include "core/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define BENCH_ROUNDS 31
/* In a turn; there are several turns. */
#define BENCH_TURN 11

/**
 * struct bench_case - something to measure
 * @what: what it is
 * @with: with which parameter
 * @round: one round of it, some ten to thousand microseconds; returns the number of operations it did
 * @arg: for @round
 *
 * A round that has something to wait for first sets bench_began when it really begins.
 */
struct bench_case {
	const char *what;
	char with[32];
	uint64_t (*round)(void *arg);
	void *arg;
};

static uint64_t bench_began __attribute__((unused));

static inline int bench_cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Run @n rounds of a case and print. One round warms up and is not counted. */
static inline void bench(const struct bench_case *c, unsigned n)
{
	double v[BENCH_ROUNDS];

	c->round(c->arg);
	for (unsigned i = 0; i < n; i++) {
		uint64_t ops;

		bench_began = weir_cycles();
		ops = c->round(c->arg);
		v[i] = (double)(weir_cycles() - bench_began) / (double)ops;
	}
	qsort(v, n, sizeof(v[0]), bench_cmp);
	printf("%s\t%s\t%.2f\t%.2f\t%.2f\n", c->what, c->with, v[n / 2], v[0], v[n - 1]);
	fflush(stdout);
}

/**
 * bench_main() - all cases, or those that are asked for in turn
 * @turns: argv[1] of the program, or NULL
 * @c: cases
 * @n: how many
 */
static inline void bench_main(const char *turns, const struct bench_case *c, unsigned n)
{
	char line[16];

	if (!turns || strcmp(turns, "turns") != 0) {
		for (unsigned i = 0; i < n; i++)
			bench(&c[i], BENCH_ROUNDS);
		return;
	}
	/* What there is to ask for, and an empty line. */
	for (unsigned i = 0; i < n; i++)
		printf("%s\t%s\n", c[i].what, c[i].with);
	printf("\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		unsigned i = (unsigned)atoi(line);

		if (i < n)
			bench(&c[i], BENCH_TURN);
	}
}

/* Pin the calling thread; on a machine with fewer processors it stays where it is. */
static inline void bench_pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * A thread that is on processor 0 from its first instruction: under SCHED_FIFO it would never get
 * away from a processor where another spins.
 */
static inline int bench_thread(pthread_t *t, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int err;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	err = pthread_create(t, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return -err;
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
