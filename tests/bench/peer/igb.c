/* SPDX-License-Identifier: BSD-3-Clause */
/* Part h of the laboratory, DPDK's side of tests/vm/programs/labigb.c: peer-igb NETDEV EAL-ARGUMENTS... */
#include "tests/bench/peer/peer.h"
#include "tests/bench/vm/marks.h"

static unsigned pass(void *arg)
{
	struct rte_mbuf *m[LAB_BURST];
	unsigned n, sent;

	(void)arg;
	MARK(MARK_BEGIN);
	n = rte_eth_rx_burst(0, 0, m, LAB_BURST);
	MARK(MARK_RX);
	if (!n)
		return 0;
	sent = rte_eth_tx_burst(1, 0, m, (uint16_t)n);
	if (sent < n)
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	if (n == LAB_BURST)
		MARK(MARK_COMMIT);
	return n;
}

static bool up(void *arg, unsigned port)
{
	struct rte_eth_link l;

	(void)arg;
	return !rte_eth_link_get_nowait((uint16_t)port, &l) && l.link_status;
}

int main(int argc, char **argv)
{
	struct rte_mempool *pool;
	const char *netdev = argc > 1 ? argv[1] : "";

	bench_need(rte_eal_init(argc - 1, argv + 1) < 0 ? -EINVAL : 0, "rte_eal_init");
	pool = peer_pool(8191);
	for (unsigned i = 0; i < 2; i++) {
		peer_start(i, pool, LAB_RING);
		bench_need(rte_eth_promiscuous_enable((uint16_t)i), "promiscuous");
	}
	lab_links(up, NULL);
	lab_count("dpdk", netdev, pass, NULL);
	for (unsigned i = 0; i < 2; i++) {
		rte_eth_dev_stop((uint16_t)i);
		rte_eth_dev_close((uint16_t)i);
	}
	rte_eal_cleanup();
	return 0;
}
