/* SPDX-License-Identifier: BSD-3-Clause */
/* tests/bench/pool.c with DPDK's packet buffers. */
#include "tests/bench/peer/peer.h"

#define SET   PEER_MBUFS
#define LOOPS 4096

static struct rte_mempool *pool;
static struct rte_mbuf *all[SET + 64];

struct pool_bench {
	unsigned bulk;
};

static uint64_t hot(void *arg)
{
	const struct pool_bench *b = arg;
	struct rte_mbuf *m[64];

	for (unsigned i = 0; i < LOOPS; i++) {
		if (rte_pktmbuf_alloc_bulk(pool, m, b->bulk))
			continue;
		__asm__ volatile("" : : "r"(m) : "memory");
		rte_pktmbuf_free_bulk(m, b->bulk);
		__asm__ volatile("" : : : "memory");
	}
	return (uint64_t)LOOPS * b->bulk;
}

static uint64_t hot_one(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < LOOPS; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		__asm__ volatile("" : "+r"(m) : : "memory");
		rte_pktmbuf_free(m);
		__asm__ volatile("" : : : "memory");
	}
	return LOOPS;
}

static uint64_t wide(void *arg)
{
	const struct pool_bench *b = arg;
	unsigned n = 0;

	while (n + b->bulk <= SET && !rte_pktmbuf_alloc_bulk(pool, all + n, b->bulk))
		n += b->bulk;
	for (unsigned i = 0; i < n; i += b->bulk)
		rte_pktmbuf_free_bulk(all + i, b->bulk);
	return n;
}

static uint64_t wide_one(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < SET; i++)
		all[i] = rte_pktmbuf_alloc(pool);
	for (unsigned i = 0; i < SET; i++)
		rte_pktmbuf_free(all[i]);
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

	peer_init(NULL, NULL);
	pool = peer_pool(SET + 1024);
	bench_main(argc > 1 ? argv[1] : NULL, cases, WEIR_ARRAY_SIZE(cases));
	return 0;
}
