/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part h of the laboratory, weir's side: forward from one NIC to another while the emulator counts
 * instructions. labigb NETDEV DEV DEV; tests/bench/peer/igb.c is the same on DPDK.
 */
#include "nics/nics.h"
#include "tests/bench/vm/marks.h"

struct fwd {
	struct weir_port *port[2];
	struct weir_cache *cache;
};

static unsigned pass(void *arg)
{
	const struct fwd *f = arg;
	struct weir_rxq *from = f->port[0]->rxq[0];
	struct weir_txq *to = f->port[1]->txq[0];
	struct weir_pkt p[LAB_BURST];
	unsigned n, sent;

	MARK(MARK_BEGIN);
	n = weir_rx(from, p, LAB_BURST);
	MARK(MARK_RX);
	if (!n)
		return 0;
	sent = weir_tx_post(to, p, n);
	if (sent < n)
		weir_pkt_free(f->cache, p + sent, n - sent);
	weir_tx_kick(to);
	if (n == LAB_BURST)
		MARK(MARK_COMMIT);
	return n;
}

static bool up(void *arg, unsigned port)
{
	const struct fwd *f = arg;
	struct weir_link l;

	return !weir_port_link(f->port[port], &l) && l.up;
}

int main(int argc, char **argv)
{
	struct weir_opts quiet = { .log_level = WEIR_LOG_ERR };
	struct weir_port_conf conf = { .rx_desc = LAB_RING, .tx_desc = LAB_RING, .promisc = true };
	struct weir_iommu *iommu;
	struct weir_pool *pool;
	struct fwd f;
	struct weir *w;

	bench_need(argc == 4 ? 0 : -EINVAL, "labigb NETDEV DEV DEV");
	bench_pin(1);
	bench_need(weir_open(&quiet, &w), "open");
	bench_need(weir_iommu_open(w, &iommu), "iommu");
	bench_need(weir_pool_arena(w, 8192, 1 << 20, WEIR_NODE_ANY, 0, &conf.arena), "arena");
	bench_need(weir_pool_create(conf.arena, 8192, &pool), "pool");
	bench_need(weir_cache_create(pool, &f.cache), "cache");
	for (unsigned i = 0; i < 2; i++) {
		bench_need(weir_port_open(iommu, argv[2 + i], NULL, &f.port[i]), "port");
		bench_need(weir_port_configure(f.port[i], &conf), "configure");
		bench_need(weir_port_queue_cache(f.port[i], 0, f.cache), "queue");
		bench_need(weir_port_start(f.port[i]), "start");
	}
	lab_links(up, &f);
	lab_count("weir", argv[1], pass, &f);
	for (unsigned i = 0; i < 2; i++)
		weir_port_close(f.port[i]);
	weir_iommu_close(iommu);
	weir_cache_destroy(f.cache);
	weir_pool_destroy(pool);
	weir_arena_destroy(conf.arena);
	weir_close(w);
	return 0;
}
