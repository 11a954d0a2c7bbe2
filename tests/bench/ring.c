/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings: on one core, and handing over between two. */
#include "tests/bench/bench.h"

#include "core/ring.h"

#define ITEMS (1u << 20)
#define LOOPS 8192

struct ring_bench {
	struct weir_ring *r;
	unsigned bulk;
	bool mpmc;
};

static uint64_t same(void *arg)
{
	struct ring_bench *b = arg;
	uint64_t objs[64] = { 0 };

	for (unsigned i = 0; i < LOOPS; i++) {
		if (b->mpmc) {
			weir_mpmc_push(b->r, objs, b->bulk, 8);
			weir_mpmc_pop(b->r, objs, b->bulk, 8);
		} else {
			weir_spsc_push(b->r, objs, b->bulk, 8);
			weir_spsc_pop(b->r, objs, b->bulk, 8);
		}
	}
	return (uint64_t)LOOPS * b->bulk;
}

static void *produce(void *arg)
{
	struct ring_bench *b = arg;
	uint64_t objs[64] = { 0 };
	unsigned sent = 0;

	bench_pin(0);
	while (sent < ITEMS) {
		unsigned n = b->mpmc ? weir_mpmc_push(b->r, objs, b->bulk, 8)
				     : weir_spsc_push(b->r, objs, b->bulk, 8);

		sent += n;
		if (!n)
			weir_pause();
	}
	return NULL;
}

static uint64_t across(void *arg)
{
	struct ring_bench *b = arg;
	uint64_t objs[64], got = 0;
	pthread_t t;

	bench_need(-pthread_create(&t, NULL, produce, b), "thread");
	while (got < ITEMS) {
		unsigned n = b->mpmc ? weir_mpmc_pop(b->r, objs, b->bulk, 8)
				     : weir_spsc_pop(b->r, objs, b->bulk, 8);

		got += n;
		if (!n)
			weir_pause();
	}
	pthread_join(t, NULL);
	/* What came beyond a multiple of the bulk. */
	while (weir_spsc_pop(b->r, objs, 64, 8))
		;
	return got;
}

int main(void)
{
	static const unsigned bulks[] = { 1, 8, 32 };
	struct ring_bench b = { 0 };

	bench_pin(1);
	for (unsigned m = 0; m < 2; m++) {
		for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bulks); i++) {
			char param[32];

			bench_need(weir_ring_create(1024, 8, &b.r), "ring");
			b.mpmc = m;
			b.bulk = bulks[i];
			snprintf(param, sizeof(param), "bulk %u", b.bulk);
			bench(m ? "ring: mpmc, one core" : "ring: spsc, one core", param, same, &b);
			bench(m ? "ring: mpmc, two cores" : "ring: spsc, two cores", param, across,
			      &b);
			weir_ring_destroy(b.r);
		}
	}
	return 0;
}
