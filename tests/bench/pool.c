/* SPDX-License-Identifier: BSD-3-Clause */
/* Packet buffers: allocate and free, hot on one stack and over a large working set. */
#include "tests/bench/bench.h"

#include "core/pool.h"

#define SET   49152
#define LOOPS 4096

struct pool_bench {
	struct weir_cache *c;
	unsigned bulk;
	uint32_t *all;
};

static uint64_t hot(void *arg)
{
	struct pool_bench *b = arg;
	uint32_t bufs[64];

	for (unsigned i = 0; i < LOOPS; i++) {
		unsigned n = weir_buf_alloc(b->c, bufs, b->bulk);

		weir_buf_free(b->c, bufs, n);
	}
	return (uint64_t)LOOPS * b->bulk;
}

/* Take all buffers of a large set, then give all back: each passes through the shared pool. */
static uint64_t wide(void *arg)
{
	struct pool_bench *b = arg;
	unsigned n = 0;

	while (n + b->bulk <= SET)
		n += weir_buf_alloc(b->c, b->all + n, b->bulk);
	for (unsigned i = 0; i < n; i += b->bulk)
		weir_buf_free(b->c, b->all + i, b->bulk);
	return n;
}

int main(void)
{
	static const unsigned bulks[] = { 1, 8, 32 };
	struct pool_bench b = { .all = calloc(SET + 64, sizeof(uint32_t)) };
	struct weir_opts quiet = { .log_level = WEIR_LOG_ERR };
	struct weir_arena *a;
	struct weir_pool *p;
	struct weir *w;

	bench_pin(1);
	bench_need(weir_open(&quiet, &w), "open");
	bench_need(weir_pool_arena(w, SET + WEIR_CACHE_SIZE, 0, WEIR_NODE_ANY, 0, &a), "arena");
	bench_need(weir_pool_create(a, SET + WEIR_CACHE_SIZE, &p), "pool");
	bench_need(weir_cache_create(p, &b.c), "cache");
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bulks); i++) {
		char param[32];

		b.bulk = bulks[i];
		snprintf(param, sizeof(param), "bulk %u", b.bulk);
		bench("pool: allocate + free, hot", param, hot, &b);
		bench("pool: allocate + free, 49,152 buffers", param, wide, &b);
	}
	weir_cache_destroy(b.c);
	weir_pool_destroy(p);
	weir_arena_destroy(a);
	weir_close(w);
	free(b.all);
	return 0;
}
