/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part g of the laboratory, weir's side: labclaim DEV MODE... With a GiB of hugepages there and touched, the
 * time until a device is claimed with all of that mapped, and until it runs with a pair of queues, by
 * each mode in turn; microseconds. tests/bench/peer/claim.c is the same on DPDK.
 */
#include "nics/nics.h"
#include "tests/bench/vm/marks.h"

#define GIB (1ull << 30)

static void touch(const struct weir_arena *a)
{
	struct weir_arena_info info = weir_arena_info(a);

	bench_need(info.size >= GIB && info.page_size == 2u << 20 ? 0 : -ENOMEM, "hugepages");
	for (uint64_t i = 0; i < info.size; i += info.page_size)
		((volatile char *)info.base)[i] = 0;
}

static void claim(struct weir *w, const char *dev, const char *mode, struct weir_port_conf *conf,
		  struct weir_cache *cache)
{
	struct weir_port_open_opts oo = { 0 };
	struct weir_iommu *iommu;
	struct weir_port *port;
	uint64_t t, claimed;

	bench_need(weir_mode_parse(mode, &oo.mode), mode);
	bench_need(weir_iommu_open(w, &iommu), "iommu");
	t = weir_now_ns();
	bench_need(weir_port_open(iommu, dev, &oo, &port), "port");
	claimed = weir_now_ns() - t;
	bench_need(weir_port_configure(port, conf), "configure");
	bench_need(weir_port_queue_cache(port, 0, cache), "queue");
	bench_need(weir_port_start(port), "start");
	printf("claimed %s %llu %llu\n", mode, (unsigned long long)claimed / 1000,
	       (unsigned long long)(weir_now_ns() - t) / 1000);
	weir_port_close(port);
	weir_iommu_close(iommu);
}

int main(int argc, char **argv)
{
	struct weir_port_conf conf = { .rx_desc = LAB_RING, .tx_desc = LAB_RING };
	struct weir_opts quiet = { .log_level = WEIR_LOG_ERR };
	struct weir_cache *cache;
	struct weir_pool *pool;
	struct weir *w;

	bench_need(argc > 2 ? 0 : -EINVAL, "labclaim DEV MODE...");
	bench_pin(1);
	bench_need(weir_open(&quiet, &w), "open");
	bench_need(weir_arena_create(w, GIB, WEIR_NODE_ANY, 0, &conf.arena), "arena");
	touch(conf.arena);
	bench_need(weir_pool_create(conf.arena, 8192, &pool), "pool");
	bench_need(weir_cache_create(pool, &cache), "cache");
	for (int i = 2; i < argc; i++)
		claim(w, argv[1], argv[i], &conf, cache);
	weir_cache_destroy(cache);
	weir_pool_destroy(pool);
	weir_arena_destroy(conf.arena);
	weir_close(w);
	return 0;
}
