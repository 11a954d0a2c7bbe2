/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part g of the laboratory, DPDK's side of tests/vm/programs/labclaim.c: peer-claim DEV EAL-ARGUMENTS... The
 * arguments ask for the memory (-m) and for no device; that is probed when all else is there.
 */
#include "tests/bench/peer/peer.h"
#include "tests/bench/vm/marks.h"

#include <rte_dev.h>

int main(int argc, char **argv)
{
	const char *dev = argc > 1 ? argv[1] : "";
	struct rte_mempool *pool;
	uint64_t t, claimed;

	bench_need(rte_eal_init(argc - 1, argv + 1) < 0 ? -EINVAL : 0, "rte_eal_init");
	bench_need(rte_eth_dev_count_avail() ? -EBUSY : 0, "no device before");
	bench_need(rte_eal_get_physmem_size() >= 1ull << 30 ? 0 : -ENOMEM, "a GiB");
	pool = peer_pool(8191);

	t = weir_now_ns();
	bench_need(rte_dev_probe(dev), "rte_dev_probe");
	claimed = weir_now_ns() - t;
	peer_start(0, pool, LAB_RING);
	printf("claimed dpdk %llu %llu\n", (unsigned long long)claimed / 1000,
	       (unsigned long long)(weir_now_ns() - t) / 1000);

	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	rte_eal_cleanup();
	return 0;
}
