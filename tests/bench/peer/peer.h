/* SPDX-License-Identifier: BSD-3-Clause */
/* The peer's side of the benches: DPDK through its public API, in the shape of tests/bench/bench.h. */
#ifndef WEIR_TESTS_BENCH_PEER_H
#define WEIR_TESTS_BENCH_PEER_H

#include "tests/bench/bench.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#define PEER_MBUFS 49152

/*
 * As small an environment as there is. PEER_NO_HUGE in the environment: ordinary pages, as weir has
 * them then, too.
 */
static inline void peer_init(const char *vdev0, const char *vdev1)
{
	char *argv[24], cpu[] = "1";
	int n = 0;

	argv[n++] = (char *)"peer";
	argv[n++] = (char *)"-l";
	argv[n++] = cpu;
	argv[n++] = (char *)"--no-pci";
	if (getenv("PEER_NO_HUGE")) {
		argv[n++] = (char *)"--no-huge";
		argv[n++] = (char *)"--no-shconf";
	} else {
		argv[n++] = (char *)"--in-memory";
		argv[n++] = (char *)"--single-file-segments";
	}
	argv[n++] = (char *)"--iova-mode=va";
	argv[n++] = (char *)"--no-telemetry";
	argv[n++] = (char *)"--log-level=error";
	argv[n++] = (char *)"-m";
	argv[n++] = (char *)"256";
	if (vdev0) {
		argv[n++] = (char *)"--vdev";
		argv[n++] = (char *)vdev0;
	}
	if (vdev1) {
		argv[n++] = (char *)"--vdev";
		argv[n++] = (char *)vdev1;
	}
	if (rte_eal_init(n, argv) < 0) {
		fprintf(stderr, "peer: rte_eal_init() failed\n");
		exit(1);
	}
}

/* Default cache and headroom, as most applications and testpmd have them. */
static inline struct rte_mempool *peer_pool(unsigned n)
{
	struct rte_mempool *p = rte_pktmbuf_pool_create("peer", n, RTE_MEMPOOL_CACHE_MAX_SIZE, 0,
							RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

	bench_need(p ? 0 : -ENOMEM, "rte_pktmbuf_pool_create");
	return p;
}

static inline void peer_start(unsigned port, struct rte_mempool *pool, unsigned desc)
{
	struct rte_eth_conf conf = { 0 };

	bench_need(rte_eth_dev_configure((uint16_t)port, 1, 1, &conf), "configure");
	bench_need(rte_eth_rx_queue_setup((uint16_t)port, 0, (uint16_t)desc, 0, NULL, pool), "rx");
	bench_need(rte_eth_tx_queue_setup((uint16_t)port, 0, (uint16_t)desc, 0, NULL), "tx");
	bench_need(rte_eth_dev_start((uint16_t)port), "start");
}

#endif
