/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet buffers: allocate and free, hot on one stack and over a large working set. One buffer at a
 * time is measured by the calls for one, too: each side's better way counts (lab.py).
 */
#include "tests/bench/bench.h"

#include "core/pool.h"

#define SET   49152
#define LOOPS 4096

static struct weir_cache *cache;
static uint32_t all[SET + 64];

struct pool_bench {
	unsigned bulk;
};

static uint64_t hot(void *arg)
{
	const struct pool_bench *b = arg;
	uint32_t bufs[64];

	for (unsigned i = 0; i < LOOPS; i++) {
		unsigned n = weir_buf_alloc(cache, bufs, b->bulk);

		/* The handles are used, and what is free is in memory. */
		__asm__ volatile("" : : "r"(bufs) : "memory");
		weir_buf_free(cache, bufs, n);
		__asm__ volatile("" : : : "memory");
	}
	return (uint64_t)LOOPS * b->bulk;
}

static uint64_t hot_one(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < LOOPS; i++) {
		uint32_t buf = weir_buf_alloc1(cache);

		__asm__ volatile("" : "+r"(buf) : : "memory");
		weir_buf_free1(cache, buf);
		__asm__ volatile("" : : : "memory");
	}
	return LOOPS;
}

/* Take all buffers of a large set, then give all back: each passes through the shared pool. */
static uint64_t wide(void *arg)
{
	const struct pool_bench *b = arg;
	unsigned n = 0;

	while (n + b->bulk <= SET)
		n += weir_buf_alloc(cache, all + n, b->bulk);
	for (unsigned i = 0; i < n; i += b->bulk)
		weir_buf_free(cache, all + i, b->bulk);
	return n;
}

static uint64_t wide_one(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < SET; i++)
		all[i] = weir_buf_alloc1(cache);
	for (unsigned i = 0; i < SET; i++)
		weir_buf_free1(cache, all[i]);
	return SET;
}

int main(int argc, char **argv)
{
	static struct pool_bench bulk[] = { { 1 }, { 8 }, { 32 } };
	static const char hot_name[] = "buffers, hot", wide_name[] = "buffers, 49,152 in use";
	static const struct bench_case cases[] = {
		{ hot_name, "bulk 1", hot, &bulk[0] },	 { hot_name, "one", hot_one, NULL },
		{ hot_name, "bulk 8", hot, &bulk[1] },	 { hot_name, "bulk 32", hot, &bulk[2] },
		{ wide_name, "bulk 1", wide, &bulk[0] }, { wide_name, "one", wide_one, NULL },
		{ wide_name, "bulk 8", wide, &bulk[1] }, { wide_name, "bulk 32", wide, &bulk[2] },
	};
	struct weir_opts quiet = { .log_level = WEIR_LOG_ERR };
	struct weir_arena *a;
	struct weir_pool *p;
	struct weir *w;

	bench_pin(1);
	bench_need(weir_open(&quiet, &w), "open");
	bench_need(weir_pool_arena(w, SET + WEIR_CACHE_SIZE, 0, WEIR_NODE_ANY, 0, &a), "arena");
	bench_need(weir_pool_create(a, SET + WEIR_CACHE_SIZE, &p), "pool");
	bench_need(weir_cache_create(p, &cache), "cache");
	bench_main(argc > 1 ? argv[1] : NULL, cases, WEIR_ARRAY_SIZE(cases));
	weir_cache_destroy(cache);
	weir_pool_destroy(p);
	weir_arena_destroy(a);
	weir_close(w);
	return 0;
}
