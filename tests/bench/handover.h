/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Handing over between two processors: a thread on processor 0 produces what the caller, on 1, takes.
 * Both sides of a comparison have these loops; before including this a program defines
 *
 *   static inline unsigned ring_push(void *ring, void **objs, unsigned n);
 *   static inline unsigned ring_pop(void *ring, void **objs, unsigned n);
 *
 * which return how many they moved. Bulks are constants where they are called.
 */
#ifndef WEIR_TESTS_BENCH_HANDOVER_H
#define WEIR_TESTS_BENCH_HANDOVER_H

#include "tests/bench/bench.h"

#include "core/io.h"

#include <semaphore.h>

/* A round: about a millisecond. */
#define HANDOVER_ITEMS (1u << 17)

/* Times that a line goes there and back in a round. */
#define HANDOVER_LINES 2000u

struct handover {
	void *ring;
	sem_t go;
	/* 0: no ring, but a line that goes to and fro */
	unsigned bulk;
	/* The producer runs. */
	uint32_t ready;
	/* Objects that did not come in order: a ring that loses something is fast. The consumer's own. */
	uint64_t wrong weir_cacheline;
	/* Odd: the producer's turn. */
	uint32_t line weir_cacheline;
};

static inline __attribute__((always_inline)) void handover_put(void *ring, unsigned bulk)
{
	uintptr_t sent = 0;
	void *objs[32];

	while (sent < HANDOVER_ITEMS) {
		unsigned n, at = 0;

		for (unsigned i = 0; i < bulk; i++)
			objs[i] = (void *)(sent + i);
		while ((n = ring_push(ring, objs + at, bulk - at)) < bulk - at) {
			at += n;
			weir_pause();
		}
		sent += bulk;
	}
}

static inline __attribute__((always_inline)) void handover_take(struct handover *h, void *ring,
								unsigned bulk)
{
	uintptr_t got = 0;
	uint64_t wrong = 0;
	void *objs[32];

	/* Counted in a register: in memory the additions would wait for each other and hide the ring. */
	while (got < HANDOVER_ITEMS) {
		unsigned n = ring_pop(ring, objs, bulk);

		for (unsigned i = 0; i < n; i++)
			wrong += (uintptr_t)objs[i] != got + i;
		got += n;
		if (!n)
			weir_pause();
	}
	h->wrong += wrong;
}

static void handover_line(uint32_t *line, uint32_t mine)
{
	for (unsigned i = 0; i < HANDOVER_LINES; i++) {
		uint32_t v;

		while (((v = __atomic_load_n(line, __ATOMIC_ACQUIRE)) & 1) != mine)
			;
		__atomic_store_n(line, v + 1, __ATOMIC_RELEASE);
	}
}

static void *handover_thread(void *arg)
{
	struct handover *h = arg;

	for (;;) {
		while (sem_wait(&h->go))
			;
		__atomic_store_n(&h->ready, 1, __ATOMIC_RELEASE);
		if (!h->bulk)
			handover_line(&h->line, 1);
		else if (h->bulk == 1)
			handover_put(h->ring, 1);
		else if (h->bulk == 8)
			handover_put(h->ring, 8);
		else
			handover_put(h->ring, 32);
	}
	return NULL;
}

/* One round; operations are objects, or round trips of the line. It begins when the producer is awake. */
static uint64_t handover(struct handover *h, unsigned bulk)
{
	h->bulk = bulk;
	h->ready = 0;
	sem_post(&h->go);
	while (!__atomic_load_n(&h->ready, __ATOMIC_ACQUIRE))
		weir_pause();
	bench_began = weir_cycles();
	if (!bulk) {
		handover_line(&h->line, 0);
		return HANDOVER_LINES;
	}
	if (bulk == 1)
		handover_take(h, h->ring, 1);
	else if (bulk == 8)
		handover_take(h, h->ring, 8);
	else
		handover_take(h, h->ring, 32);
	bench_need(h->wrong ? -EBADMSG : 0, "the ring's objects");
	return HANDOVER_ITEMS;
}

static inline void handover_start(struct handover *h, void *ring)
{
	pthread_t t;

	h->ring = ring;
	sem_init(&h->go, 0, 0);
	bench_need(bench_thread(&t, handover_thread, h), "thread");
}

#endif
