/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet buffers: each is somewhere exactly once, whatever the stacks and the pool do. */
#include "unit.h"

#include "core/pool.h"
#include "core/ring.h"

#include <pthread.h>

#define HALF  (WEIR_CACHE_SIZE / 2)
#define SWAPS (UNIT_SLOW ? 100000u : 1000000u)

static struct weir *w;
static struct weir_arena *arena;

static int setup(void **state)
{
	(void)state;
	w = unit_weir();
	return weir_arena_create(w, 32u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &arena);
}

static int teardown(void **state)
{
	(void)state;
	weir_close(w);
	return 0;
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* All of the pool's buffers, each once, in the arena, not one reaching into the next. */
static void check_all(struct weir_pool *p, uint32_t *bufs, unsigned n)
{
	struct weir_arena_info i = weir_arena_info(arena);
	const char *base = weir_pool_va_base(p);

	qsort(bufs, n, sizeof(*bufs), ascending);
	for (unsigned k = 0; k < n; k++) {
		const char *at = weir_buf_addr(base, bufs[k]);

		assert_true(at >= i.base && at + WEIR_BUF_SIZE <= i.base + i.size);
		/* None crosses a page. */
		assert_true((uintptr_t)at % i.page_size + WEIR_BUF_SIZE <= i.page_size);
		assert_true(!k || (char *)weir_buf_addr(base, bufs[k - 1]) + WEIR_BUF_SIZE <= at);
	}
}

/* On small pages too, where it is made a second time, it is what was asked for. */
static void test_private_arena(void **state)
{
	static const unsigned flags[] = { 0, WEIR_ARENA_SMALL_PAGES };
	struct weir_arena *a;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(weir_pool_arena(w, 64, 4096, WEIR_NODE_ANY,
						 flags[i] | WEIR_ARENA_PRIVATE, &a),
				 0);
		assert_true(weir_arena_info(a).is_private);
		weir_arena_destroy(a);
		assert_int_equal(weir_pool_arena(w, 64, 4096, WEIR_NODE_ANY, flags[i], &a), 0);
		assert_false(weir_arena_info(a).is_private);
		weir_arena_destroy(a);
	}
}

static void test_arguments(void **state)
{
	struct weir_pool *p = NULL;

	(void)state;
	assert_int_equal(weir_pool_create(arena, 0, &p), -EINVAL);
	assert_said("pool");
	assert_int_equal(weir_pool_create(arena, (1u << 24) + 1, &p), -EINVAL);
	assert_int_equal(weir_pool_create(arena, 1u << 20, &p), -ENOMEM);
	assert_said("pool");
	assert_text("KiB free");
	assert_null(p);
	assert_int_equal(weir_arena_info(arena).used, 0);
	assert_int_equal(weir_pool_destroy(NULL), 0);
	weir_cache_destroy(NULL);
}

/* Counts around powers of two; all can be taken, then none, then all again. */
static void test_exhaustion(void **state)
{
	static const unsigned counts[] = { 1, 2, 3, 63, 64, 65, 1000, 1024, 1025, 4096 };

	(void)state;
	for (unsigned c = 0; c < WEIR_ARRAY_SIZE(counts); c++) {
		unsigned n = counts[c], got = 0;
		uint32_t *bufs = calloc(n + 1, sizeof(*bufs));
		struct weir_cache *cache;
		struct weir_pool *p;

		assert_int_equal(weir_pool_create(arena, n, &p), 0);
		assert_int_equal(weir_pool_count(p), n);
		assert_int_equal(weir_pool_available(p), n);
		assert_int_equal(weir_cache_create(p, &cache), 0);
		for (unsigned round = 0; round < 3; round++) {
			for (got = 0; got < n;) {
				if (round & 1) {
					bufs[got] = weir_buf_alloc1(cache);
					assert_int_not_equal(bufs[got++], WEIR_BUF_NONE);
					continue;
				}
				assert_int_equal(weir_buf_alloc(cache, bufs + got, 1), 1);
				got++;
			}
			assert_int_equal(weir_buf_alloc(cache, bufs + n, 1), 0);
			assert_int_equal(weir_buf_alloc1(cache), WEIR_BUF_NONE);
			check_all(p, bufs, n);
			for (unsigned k = 0; k < n; k++)
				weir_buf_free1(cache, bufs[k]);
		}
		weir_cache_destroy(cache);
		assert_int_equal(weir_pool_available(p), n);
		assert_int_equal(weir_pool_destroy(p), 0);
		assert_int_equal(weir_arena_info(arena).used, 0);
		free(bufs);
	}
}

/* Bursts of every size up to the largest allowed, in and out, so that stacks fill and spill. */
static void test_refill_and_spill(void **state)
{
	const unsigned count = 3000;
	uint32_t *bufs = calloc(count + HALF, sizeof(*bufs));
	struct weir_cache *cache;
	struct weir_pool *p;
	uint64_t seed = 42;
	unsigned held = 0;

	(void)state;
	assert_int_equal(weir_pool_create(arena, count, &p), 0);
	assert_int_equal(weir_cache_create(p, &cache), 0);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned n = (unsigned)(unit_random(&seed) % (HALF + 1));

		if (unit_random(&seed) & 1) {
			unsigned rest = count - held, got = weir_buf_alloc(cache, bufs + held, n);

			assert_int_equal(got, weir_min_u(n, rest));
			held += got;
		} else {
			n = weir_min_u(n, held);
			held -= n;
			weir_buf_free(cache, bufs + held, n);
		}
		assert_true(cache->n <= WEIR_CACHE_SIZE);
		assert_int_equal(held + cache->n + weir_pool_available(p), count);
	}
	held += weir_buf_alloc(cache, bufs + held, HALF);
	check_all(p, bufs, held);
	weir_buf_free(cache, bufs, weir_min_u(held, HALF));
	for (unsigned i = HALF; i < held; i++)
		weir_buf_free1(cache, bufs[i]);
	weir_cache_destroy(cache);
	assert_int_equal(weir_pool_destroy(p), 0);
	free(bufs);
}

/* The stack gives back what came last: that is what is warm in the processor's cache. */
static void test_lifo(void **state)
{
	struct weir_cache *cache;
	struct weir_pool *p;
	uint32_t a[4], b[4];

	(void)state;
	assert_int_equal(weir_pool_create(arena, 2048, &p), 0);
	assert_int_equal(weir_cache_create(p, &cache), 0);
	assert_int_equal(weir_buf_alloc(cache, a, 4), 4);
	weir_buf_free(cache, a, 4);
	assert_int_equal(weir_buf_alloc(cache, b, 4), 4);
	assert_memory_equal(a, b, sizeof(a));
	weir_buf_free(cache, a, 4);
	/* One burst more than fits spills the coldest, never the burst itself. */
	while (cache->n < WEIR_CACHE_SIZE - 3) {
		struct weir_cache *other;

		assert_int_equal(weir_cache_create(p, &other), 0);
		assert_int_equal(weir_buf_alloc(other, b, 1), 1);
		weir_buf_free1(cache, b[0]);
		weir_cache_destroy(other);
	}
	assert_int_equal(weir_buf_alloc(cache, a, 4), 4);
	weir_buf_free(cache, a, 4);
	assert_int_equal(weir_buf_alloc(cache, b, 4), 4);
	assert_memory_equal(a, b, sizeof(a));
	weir_buf_free(cache, b, 4);
	weir_cache_destroy(cache);
	assert_int_equal(weir_pool_destroy(p), 0);
}

static void test_leak(void **state)
{
	struct weir_cache *cache;
	struct weir_pool *p;
	uint32_t bufs[3];

	(void)state;
	assert_int_equal(weir_pool_create(arena, 100, &p), 0);
	assert_int_equal(weir_cache_create(p, &cache), 0);
	assert_int_equal(weir_buf_alloc(cache, bufs, 3), 3);
	weir_cache_destroy(cache);
	unit_hush();
	assert_int_equal(weir_pool_destroy(p), 3);
	assert_said("pool-leak");
	assert_text("3 of 100");
	assert_int_equal(weir_arena_info(arena).used, 0);
}

static void test_pkt_free(void **state)
{
	struct weir_cache *cache;
	struct weir_pkt pkts[8];
	struct weir_pool *p;
	uint32_t bufs[8];

	(void)state;
	assert_int_equal(weir_pool_create(arena, 8, &p), 0);
	assert_int_equal(weir_cache_create(p, &cache), 0);
	assert_int_equal(weir_buf_alloc(cache, bufs, 8), 8);
	for (unsigned i = 0; i < 8; i++)
		pkts[i] = (struct weir_pkt){ .buf = bufs[i], .off = WEIR_BUF_HEADROOM };
	assert_ptr_equal(weir_pkt_data(weir_pool_va_base(p), &pkts[1]),
			 (char *)weir_buf_addr(weir_pool_va_base(p), bufs[1]) + WEIR_BUF_HEADROOM);
	weir_pkt_free(cache, pkts, 8);
	assert_int_equal(cache->n, 8);
	weir_cache_destroy(cache);
	assert_int_equal(weir_pool_destroy(p), 0);
}

/* --- two threads that send each other their buffers --- */

struct peer {
	struct weir_pool *p;
	struct weir_ring *to, *from;
	uint8_t *owner; /* one byte a cache line of the window: who has the buffer */
	uint32_t first;
	uint8_t me;
	unsigned sent, got, bad;
	pthread_t thread;
};

static void *exchange(void *arg)
{
	struct peer *x = arg;
	struct weir_cache *c;
	uint32_t bufs[64];

	if (weir_cache_create(x->p, &c))
		return NULL;
	while (x->sent < SWAPS || x->got < SWAPS) {
		unsigned n = weir_min_u(1 + x->sent % 61, SWAPS - x->sent), put;

		n = weir_buf_alloc(c, bufs, n);
		for (unsigned i = 0; i < n; i++)
			x->bad += __atomic_exchange_n(&x->owner[bufs[i] - x->first], x->me,
						      __ATOMIC_RELAXED) != 0;
		put = weir_spsc_push(x->to, bufs, n, 4);
		for (unsigned i = put; i < n; i++)
			__atomic_store_n(&x->owner[bufs[i] - x->first], 0, __ATOMIC_RELAXED);
		weir_buf_free(c, bufs + put, n - put);
		x->sent += put;
		n = weir_spsc_pop(x->from, bufs, 64, 4);
		for (unsigned i = 0; i < n; i++)
			x->bad += __atomic_exchange_n(&x->owner[bufs[i] - x->first], 0,
						      __ATOMIC_RELAXED) != 3 - x->me;
		weir_buf_free(c, bufs, n);
		x->got += n;
		if (!n)
			sched_yield();
	}
	weir_cache_destroy(c);
	return NULL;
}

static void run_exchange(unsigned count)
{
	struct weir_ring *ring[2];
	struct peer x[2];
	struct weir_pool *p;
	struct weir_cache *c;
	uint8_t *owner = calloc(weir_arena_info(arena).size >> WEIR_BUF_SHIFT, 1);
	uint32_t first;

	assert_non_null(owner);
	assert_int_equal(weir_pool_create(arena, count, &p), 0);
	first = (uint32_t)((weir_arena_info(arena).base - weir_pool_va_base(p)) >> WEIR_BUF_SHIFT);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(weir_ring_create(128, 4, &ring[i]), 0);
	for (unsigned i = 0; i < 2; i++) {
		x[i] = (struct peer){ .p = p, .to = ring[i], .from = ring[1 - i], .owner = owner };
		x[i].me = (uint8_t)(i + 1);
		x[i].first = first;
		assert_int_equal(pthread_create(&x[i].thread, NULL, exchange, &x[i]), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(x[i].thread, NULL);
		assert_int_equal(x[i].bad, 0);
		assert_int_equal(x[i].sent, SWAPS);
		assert_int_equal(x[i].got, SWAPS);
	}
	assert_int_equal(weir_cache_create(p, &c), 0);
	assert_int_equal(weir_pool_available(p), count);
	weir_cache_destroy(c);
	assert_int_equal(weir_pool_destroy(p), 0);
	for (unsigned i = 0; i < 2; i++)
		weir_ring_destroy(ring[i]);
	free(owner);
}

/* Buffers move from stack to stack through the shared pool; a pool with as many slots as buffers. */
static void test_exchange(void **state)
{
	(void)state;
	run_exchange(4096);
	run_exchange(2048 + 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exhaustion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refill_and_spill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_private_arena, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lifo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leak, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pkt_free, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exchange, setup, teardown),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
