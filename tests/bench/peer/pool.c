/* SPDX-License-Identifier: BSD-3-Clause */
/* tests/bench/pool.c with DPDK's packet buffers. */
#include "tests/bench/peer/peer.h"

#define SET   PEER_MBUFS
#define LOOPS 4096

struct pool_bench {
	struct rte_mempool *p;
	unsigned bulk;
	struct rte_mbuf **all;
};

static uint64_t hot(void *arg)
{
	struct pool_bench *b = arg;
	struct rte_mbuf *m[64];

	for (unsigned i = 0; i < LOOPS; i++)
		if (!rte_pktmbuf_alloc_bulk(b->p, m, b->bulk))
			rte_pktmbuf_free_bulk(m, b->bulk);
	return (uint64_t)LOOPS * b->bulk;
}

static uint64_t wide(void *arg)
{
	struct pool_bench *b = arg;
	unsigned n = 0;

	while (n + b->bulk <= SET && !rte_pktmbuf_alloc_bulk(b->p, b->all + n, b->bulk))
		n += b->bulk;
	for (unsigned i = 0; i < n; i += b->bulk)
		rte_pktmbuf_free_bulk(b->all + i, b->bulk);
	return n;
}

int main(void)
{
	static const unsigned bulks[] = { 1, 8, 32 };
	struct pool_bench b = { .all = calloc(SET + 64, sizeof(*b.all)) };

	peer_init(NULL, NULL);
	b.p = peer_pool(SET + 1024);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bulks); i++) {
		char param[32];

		b.bulk = bulks[i];
		snprintf(param, sizeof(param), "bulk %u", b.bulk);
		bench("pool: allocate + free, hot", param, hot, &b);
		bench("pool: allocate + free, 49,152 buffers", param, wide, &b);
	}
	return 0;
}
