/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings: nothing lost, nothing doubled, in order, for each element size and kind. */
#include "unit.h"

#include "core/ring.h"

#include <pthread.h>

#define ITEMS	  (UNIT_SLOW ? 400000u : 4000000u)
#define PRODUCERS 2
#define CONSUMERS 2
#define MAX_BURST 37

/* Element sizes must be constants where the rings are used. */
static unsigned push(struct weir_ring *r, bool many, const void *objs, unsigned n)
{
	if (r->esize == 4)
		return many ? weir_mpmc_push(r, objs, n, 4) : weir_spsc_push(r, objs, n, 4);
	if (r->esize == 8)
		return many ? weir_mpmc_push(r, objs, n, 8) : weir_spsc_push(r, objs, n, 8);
	return many ? weir_mpmc_push(r, objs, n, 16) : weir_spsc_push(r, objs, n, 16);
}

static unsigned pop(struct weir_ring *r, bool many, void *objs, unsigned n)
{
	if (r->esize == 4)
		return many ? weir_mpmc_pop(r, objs, n, 4) : weir_spsc_pop(r, objs, n, 4);
	if (r->esize == 8)
		return many ? weir_mpmc_pop(r, objs, n, 8) : weir_spsc_pop(r, objs, n, 8);
	return many ? weir_mpmc_pop(r, objs, n, 16) : weir_spsc_pop(r, objs, n, 16);
}

/* Every byte of an element depends on its number, so that a torn copy shows. */
static void make(void *obj, unsigned esize, uint32_t v)
{
	uint32_t words[4] = { v, v * 2654435761u, ~v, v ^ 0x5a5a5a5au };

	memcpy(obj, words, esize);
}

static uint32_t check(const void *obj, unsigned esize)
{
	uint32_t want[4], v;

	memcpy(&v, obj, sizeof(v));
	make(want, esize, v);
	assert_memory_equal(obj, want, esize);
	return v;
}

static void test_create(void **state)
{
	static const struct {
		unsigned slots, esize;
	} bad[] = { { 0, 4 }, { 1, 4 }, { 3, 4 },  { 6, 8 },  { 1u << 31, 4 },
		    { 8, 0 }, { 8, 1 }, { 8, 12 }, { 8, 32 }, { 8, 5 } };
	struct weir_ring *r = NULL;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		assert_int_equal(weir_ring_create(bad[i].slots, bad[i].esize, &r), -EINVAL);
		assert_null(r);
	}
	weir_ring_destroy(NULL);
}

/* Fill to the last slot, refuse more, empty, refuse again; the counters about to overflow. */
static void full_and_empty(unsigned esize, bool many, uint32_t start)
{
	uint32_t in[8 * 4], out[8 * 4];
	struct weir_ring *r;

	assert_int_equal(weir_ring_create(8, esize, &r), 0);
	r->prod.pos = r->cons.pos = r->prod.claim = r->cons.claim = start;
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 8; i++)
			make((char *)in + i * esize, esize, round * 100 + i);
		assert_int_equal(pop(r, many, out, 3), 0);
		assert_int_equal(push(r, many, in, 5), 5);
		assert_int_equal(weir_ring_count(r), 5);
		/* Of six more, three fit. */
		assert_int_equal(push(r, many, (char *)in + 5 * esize, 3), 3);
		assert_int_equal(push(r, many, in, 6), 0);
		assert_int_equal(weir_ring_count(r), 8);
		assert_int_equal(pop(r, many, out, 3), 3);
		assert_int_equal(pop(r, many, (char *)out + 3 * esize, 8), 5);
		assert_memory_equal(in, out, 8 * esize);
		assert_int_equal(push(r, many, in, 0), 0);
		assert_int_equal(pop(r, many, out, 0), 0);
		/* Shift, so that each round wraps elsewhere. */
		assert_int_equal(push(r, many, in, 3), 3);
		assert_int_equal(push(r, many, in, 8), 5);
		assert_int_equal(pop(r, many, out, 8), 8);
		assert_memory_equal((char *)out + 3 * esize, in, 5 * esize);
		assert_int_equal(push(r, many, in, 3), 3);
		assert_int_equal(pop(r, many, out, 8), 3);
	}
	weir_ring_destroy(r);
}

static void test_full_and_empty(void **state)
{
	static const uint32_t starts[] = { 0, 5, UINT32_MAX - 3, UINT32_MAX / 2 };

	(void)state;
	for (unsigned esize = 4; esize <= 16; esize *= 2)
		for (unsigned i = 0; i < WEIR_ARRAY_SIZE(starts); i++) {
			full_and_empty(esize, false, starts[i]);
			full_and_empty(esize, true, starts[i]);
		}
}

/* --- threads --- */

struct job {
	struct weir_ring *r;
	bool many;
	unsigned id, items;
	unsigned *left; /* items not consumed yet, over all consumers */
	uint8_t *seen;	/* one byte an item and producer */
	pthread_t thread;
};

/* The number carries the producer in its top bits. */
static void *produce(void *arg)
{
	uint32_t buf[MAX_BURST * 4];
	struct job *j = arg;
	unsigned next = 0, burst = 1;

	while (next < j->items) {
		unsigned n = weir_min_u(burst, j->items - next), put;

		for (unsigned i = 0; i < n; i++)
			make((char *)buf + i * j->r->esize, j->r->esize, j->id << 28 | (next + i));
		put = push(j->r, j->many, buf, n);
		next += put;
		burst = burst % MAX_BURST + 1;
		if (!put)
			sched_yield();
	}
	return NULL;
}

static void *consume(void *arg)
{
	uint32_t buf[MAX_BURST * 4];
	struct job *j = arg;
	int64_t last[PRODUCERS] = { -1, -1 };
	unsigned burst = MAX_BURST;

	while (__atomic_load_n(j->left, __ATOMIC_RELAXED)) {
		unsigned n = pop(j->r, j->many, buf, burst);

		for (unsigned i = 0; i < n; i++) {
			uint32_t v = check((char *)buf + i * j->r->esize, j->r->esize);
			unsigned who = v >> 28, what = v & 0xfffffff;

			assert_true(who < PRODUCERS && what < j->items);
			assert_true(last[who] < (int64_t)what);
			last[who] = what;
			assert_int_equal(j->seen[who * j->items + what]++, 0);
		}
		__atomic_fetch_sub(j->left, n, __ATOMIC_RELAXED);
		burst = burst > 1 ? burst - 1 : MAX_BURST;
		if (!n)
			sched_yield();
	}
	return NULL;
}

static void run_threads(unsigned slots, unsigned esize, unsigned producers, unsigned consumers)
{
	struct job p[PRODUCERS], c[CONSUMERS];
	unsigned items = ITEMS / producers, left = items * producers;
	uint8_t *seen = calloc(PRODUCERS, items);
	bool many = producers + consumers > 2;
	struct weir_ring *r;

	assert_non_null(seen);
	assert_int_equal(weir_ring_create(slots, esize, &r), 0);
	/* The counters overflow on the way. */
	r->prod.pos = r->cons.pos = r->prod.claim = r->cons.claim = UINT32_MAX - ITEMS / 2;
	for (unsigned i = 0; i < consumers; i++) {
		c[i] = (struct job){ .r = r, .many = many, .left = &left, .seen = seen };
		c[i].items = items;
		assert_int_equal(pthread_create(&c[i].thread, NULL, consume, &c[i]), 0);
	}
	for (unsigned i = 0; i < producers; i++) {
		p[i] = (struct job){ .r = r, .many = many, .id = i, .items = items };
		assert_int_equal(pthread_create(&p[i].thread, NULL, produce, &p[i]), 0);
	}
	for (unsigned i = 0; i < producers; i++)
		pthread_join(p[i].thread, NULL);
	for (unsigned i = 0; i < consumers; i++)
		pthread_join(c[i].thread, NULL);
	for (unsigned i = 0; i < producers * items; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(weir_ring_count(r), 0);
	weir_ring_destroy(r);
	free(seen);
}

static void test_spsc_threads(void **state)
{
	(void)state;
	run_threads(64, 4, 1, 1);
	run_threads(1024, 8, 1, 1);
	run_threads(32, 16, 1, 1);
}

static void test_mpmc_threads(void **state)
{
	(void)state;
	run_threads(64, 4, PRODUCERS, CONSUMERS);
	run_threads(1024, 8, PRODUCERS, 1);
	run_threads(32, 16, 1, CONSUMERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_full_and_empty),
		cmocka_unit_test(test_spsc_threads),
		cmocka_unit_test(test_mpmc_threads),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
