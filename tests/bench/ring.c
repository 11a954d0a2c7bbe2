/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings: on one core, and handing over between two. */
#include "tests/bench/bench.h"

#include "core/ring.h"

#define SLOTS 1024
#define LOOPS 8192

static inline unsigned ring_push(void *ring, void **objs, unsigned n)
{
	return weir_spsc_push(ring, objs, n, sizeof(*objs));
}

static inline unsigned ring_pop(void *ring, void **objs, unsigned n)
{
	return weir_spsc_pop(ring, objs, n, sizeof(*objs));
}

#include "tests/bench/handover.h"

struct ring_bench {
	unsigned bulk;
};

static struct handover two;
static struct weir_ring *own, *shared;

static uint64_t spsc(void *arg)
{
	const struct ring_bench *b = arg;
	uint64_t objs[32] = { 0 };

	for (unsigned i = 0; i < LOOPS; i++) {
		weir_spsc_push(own, objs, b->bulk, 8);
		weir_spsc_pop(own, objs, b->bulk, 8);
	}
	return (uint64_t)LOOPS * b->bulk;
}

static uint64_t mpmc(void *arg)
{
	const struct ring_bench *b = arg;
	uint64_t objs[32] = { 0 };

	for (unsigned i = 0; i < LOOPS; i++) {
		weir_mpmc_push(shared, objs, b->bulk, 8);
		weir_mpmc_pop(shared, objs, b->bulk, 8);
	}
	return (uint64_t)LOOPS * b->bulk;
}

static uint64_t across(void *arg)
{
	return handover(&two, ((const struct ring_bench *)arg)->bulk);
}

int main(int argc, char **argv)
{
	static struct ring_bench bulk[] = { { 1 }, { 8 }, { 32 }, { 0 } };
	static const struct bench_case cases[] = {
		{ "a line there and back", "two cores", across, &bulk[3] },
		{ "ring, two cores", "bulk 1", across, &bulk[0] },
		{ "ring, two cores", "bulk 8", across, &bulk[1] },
		{ "ring, two cores", "bulk 32", across, &bulk[2] },
		{ "ring, one core", "bulk 1", spsc, &bulk[0] },
		{ "ring, one core", "bulk 8", spsc, &bulk[1] },
		{ "ring, one core", "bulk 32", spsc, &bulk[2] },
		{ "ring mpmc, one core", "bulk 1", mpmc, &bulk[0] },
		{ "ring mpmc, one core", "bulk 8", mpmc, &bulk[1] },
		{ "ring mpmc, one core", "bulk 32", mpmc, &bulk[2] },
	};
	struct weir_ring *r;

	bench_pin(1);
	bench_need(weir_ring_create(SLOTS, 8, &r), "ring");
	bench_need(weir_ring_create(SLOTS, 8, &own), "ring");
	bench_need(weir_ring_create(SLOTS, 8, &shared), "ring");
	handover_start(&two, r);
	bench_main(argc > 1 ? argv[1] : NULL, cases, WEIR_ARRAY_SIZE(cases));
	return 0;
}
