/* SPDX-License-Identifier: BSD-3-Clause */
/* tests/bench/ring.c, two cores, with DPDK's ring. */
#include "tests/bench/peer/peer.h"

#include <rte_ring.h>

#define ITEMS (1u << 20)

struct ring_bench {
	struct rte_ring *r;
	unsigned bulk;
};

static void *produce(void *arg)
{
	struct ring_bench *b = arg;
	void *objs[64] = { 0 };
	unsigned sent = 0;

	bench_pin(0);
	while (sent < ITEMS) {
		unsigned n = rte_ring_enqueue_burst(b->r, objs, b->bulk, NULL);

		sent += n;
		if (!n)
			rte_pause();
	}
	return NULL;
}

static uint64_t across(void *arg)
{
	struct ring_bench *b = arg;
	void *objs[64];
	uint64_t got = 0;
	pthread_t t;

	bench_need(-pthread_create(&t, NULL, produce, b), "thread");
	while (got < ITEMS) {
		unsigned n = rte_ring_dequeue_burst(b->r, objs, b->bulk, NULL);

		got += n;
		if (!n)
			rte_pause();
	}
	pthread_join(t, NULL);
	while (rte_ring_dequeue_burst(b->r, objs, 64, NULL))
		;
	return got;
}

int main(void)
{
	static const unsigned bulks[] = { 1, 8, 32 };
	struct ring_bench b;

	peer_init(NULL, NULL);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bulks); i++) {
		char param[32];

		b.r = rte_ring_create("peer", 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		bench_need(b.r ? 0 : -ENOMEM, "ring");
		b.bulk = bulks[i];
		snprintf(param, sizeof(param), "bulk %u", b.bulk);
		bench("ring: spsc, two cores", param, across, &b);
		rte_ring_free(b.r);
	}
	return 0;
}
