/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * l2fwd's own loop from null port to null port: what the framework costs. With three arguments: fwd
 * IN OUT COUNT, the same loop between any two ports, and cycles a packet.
 */
#include "tests/bench/bench.h"

#include "apps/fwd.h"
#include "nics/nics.h"

#define PASSES 1024

struct fwd_bench {
	unsigned burst;
	enum fwd_rewrite rewrite;
};

static struct fwd_worker *w;

static uint64_t forward(void *arg)
{
	const struct fwd_bench *b = arg;
	uint64_t n = 0;

	w->burst = b->burst;
	w->routes[0].rewrite = w->routes[1].rewrite = b->rewrite;
	for (unsigned i = 0; i < PASSES; i++)
		n += fwd_pass(w);
	return n;
}

static struct weir_port *open_port(struct weir_iommu *iommu, struct weir_arena *a,
				   struct weir_cache *c, const char *dev)
{
	struct weir_port_conf conf = { .arena = a };
	struct weir_port *p;

	bench_need(weir_port_open(iommu, dev, NULL, &p), "open");
	bench_need(weir_port_configure(p, &conf), "configure");
	bench_need(weir_port_queue_cache(p, 0, c), "cache");
	bench_need(weir_port_start(p), "start");
	return p;
}

static void null_ports(const char *turns)
{
	static struct fwd_bench b[] = { { 8, FWD_AS_IT_IS },  { 32, FWD_AS_IT_IS },
					{ 64, FWD_AS_IT_IS }, { 8, FWD_SWAP_MAC },
					{ 32, FWD_SWAP_MAC }, { 64, FWD_SWAP_MAC } };
	static const char plain[] = "null ports", swap[] = "null ports, MAC rewrite";
	static const struct bench_case cases[] = {
		{ plain, "burst 8", forward, &b[0] },  { plain, "burst 32", forward, &b[1] },
		{ plain, "burst 64", forward, &b[2] }, { swap, "burst 8", forward, &b[3] },
		{ swap, "burst 32", forward, &b[4] },  { swap, "burst 64", forward, &b[5] },
	};

	bench_main(turns, cases, WEIR_ARRAY_SIZE(cases));
}

/* Stopping a port writes out what it still holds, so that belongs to the time. */
static void count(struct weir_port **port, uint64_t n)
{
	uint64_t t = weir_cycles(), done = 0;

	w->burst = 32;
	while (done < n)
		done += fwd_pass(w);
	weir_port_stop(port[1]);
	printf("%.2f\n", (double)(weir_cycles() - t) / (double)done);
}

int main(int argc, char **argv)
{
	struct weir_opts quiet = { .log_level = WEIR_LOG_ERR };
	struct weir_port *port[2];
	struct weir_iommu *iommu;
	struct weir_arena *a;
	struct weir_pool *p;
	struct weir *h;

	bench_pin(1);
	w = aligned_alloc(WEIR_CACHE_LINE, sizeof(*w));
	bench_need(w ? 0 : -ENOMEM, "worker");
	memset(w, 0, sizeof(*w));
	bench_need(weir_open(&quiet, &h), "open");
	bench_need(weir_iommu_open(h, &iommu), "iommu");
	bench_need(weir_pool_arena(h, 8192, 1 << 20, WEIR_NODE_ANY, 0, &a), "arena");
	bench_need(weir_pool_create(a, 8192, &p), "pool");
	bench_need(weir_cache_create(p, &w->cache), "cache");
	for (unsigned i = 0; i < 2; i++)
		port[i] = open_port(iommu, a, w->cache, argc > 3 ? argv[1 + i] : "null:64");
	w->n_routes = argc > 3 ? 1 : 2;
	for (unsigned i = 0; i < w->n_routes; i++) {
		w->routes[i].rxq = port[i]->rxq[0];
		w->routes[i].txq = port[!i]->txq[0];
		w->routes[i].plain = true;
	}
	if (argc > 3)
		count(port, strtoull(argv[3], NULL, 10));
	else
		null_ports(argc > 1 ? argv[1] : NULL);
	for (unsigned i = 0; i < 2; i++)
		weir_port_close(port[i]);
	weir_iommu_close(iommu);
	weir_cache_destroy(w->cache);
	weir_pool_destroy(p);
	weir_arena_destroy(a);
	weir_close(h);
	free(w);
	return 0;
}
