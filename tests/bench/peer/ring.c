/* SPDX-License-Identifier: BSD-3-Clause */
/* tests/bench/ring.c with DPDK's ring, one producer and one consumer. */
#include "tests/bench/peer/peer.h"

#include <rte_ring.h>

#define SLOTS 1024
#define LOOPS 8192

static inline unsigned ring_push(void *ring, void **objs, unsigned n)
{
	return rte_ring_sp_enqueue_bulk(ring, objs, n, NULL);
}

static inline unsigned ring_pop(void *ring, void **objs, unsigned n)
{
	return rte_ring_sc_dequeue_bulk(ring, objs, n, NULL);
}

#include "tests/bench/handover.h"

struct ring_bench {
	unsigned bulk;
};

static struct handover two;
static struct rte_ring *own, *shared;

static uint64_t same(void *arg)
{
	const struct ring_bench *b = arg;
	void *objs[32] = { NULL };

	for (unsigned i = 0; i < LOOPS; i++) {
		rte_ring_enqueue_bulk(own, objs, b->bulk, NULL);
		rte_ring_dequeue_bulk(own, objs, b->bulk, NULL);
	}
	return (uint64_t)LOOPS * b->bulk;
}

static uint64_t shared_same(void *arg)
{
	const struct ring_bench *b = arg;
	void *objs[32] = { NULL };

	for (unsigned i = 0; i < LOOPS; i++) {
		rte_ring_enqueue_bulk(shared, objs, b->bulk, NULL);
		rte_ring_dequeue_bulk(shared, objs, b->bulk, NULL);
	}
	return (uint64_t)LOOPS * b->bulk;
}

static uint64_t across(void *arg)
{
	return handover(&two, ((const struct ring_bench *)arg)->bulk);
}

static struct rte_ring *ring(const char *name, unsigned flags)
{
	struct rte_ring *r = rte_ring_create(name, SLOTS, SOCKET_ID_ANY, flags);

	bench_need(r ? 0 : -ENOMEM, "ring");
	return r;
}

int main(int argc, char **argv)
{
	static struct ring_bench bulk[] = { { 1 }, { 8 }, { 32 }, { 0 } };
	static const struct bench_case cases[] = {
		{ "a line there and back", "two cores", across, &bulk[3] },
		{ "ring, two cores", "bulk 1", across, &bulk[0] },
		{ "ring, two cores", "bulk 8", across, &bulk[1] },
		{ "ring, two cores", "bulk 32", across, &bulk[2] },
		{ "ring, one core", "bulk 1", same, &bulk[0] },
		{ "ring, one core", "bulk 8", same, &bulk[1] },
		{ "ring, one core", "bulk 32", same, &bulk[2] },
		{ "ring mpmc, one core", "bulk 1", shared_same, &bulk[0] },
		{ "ring mpmc, one core", "bulk 8", shared_same, &bulk[1] },
		{ "ring mpmc, one core", "bulk 32", shared_same, &bulk[2] },
	};

	peer_init(NULL, NULL);
	own = ring("one", RING_F_SP_ENQ | RING_F_SC_DEQ);
	shared = ring("shared", 0);
	handover_start(&two, ring("two", RING_F_SP_ENQ | RING_F_SC_DEQ));
	bench_main(argc > 1 ? argv[1] : NULL, cases, WEIR_ARRAY_SIZE(cases));
	return 0;
}
