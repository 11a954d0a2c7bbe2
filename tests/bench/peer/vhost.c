/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A back end made of DPDK's net_vhost, with the counters of tests/bench/backend.c: sends 64-byte
 * frames as fast as the front end takes them, and frees what comes.
 *
 *   peer-vhost SOCKET COUNTERS
 */
#include "tests/bench/peer/peer.h"

#include <fcntl.h>
#include <rte_ether.h>
#include <sys/mman.h>
#include <unistd.h>

struct counters {
	uint64_t tsc, taken, given, busy, wrong, connections;
};

static unsigned give(struct rte_mempool *pool)
{
	struct rte_mbuf *m[32];
	unsigned sent;

	if (rte_pktmbuf_alloc_bulk(pool, m, 32))
		return 0;
	for (unsigned i = 0; i < 32; i++) {
		m[i]->data_len = 64;
		m[i]->pkt_len = 64;
	}
	sent = rte_eth_tx_burst(0, 0, m, 32);
	if (sent < 32)
		rte_pktmbuf_free_bulk(m + sent, 32 - sent);
	return sent;
}

int main(int argc, char **argv)
{
	volatile struct counters *c;
	struct rte_mempool *pool;
	struct rte_mbuf *m[32];
	uint64_t was;
	char vdev[256];
	int fd;

	bench_need(argc > 2 ? 0 : -EINVAL, "peer-vhost SOCKET COUNTERS");
	fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
	bench_need(fd >= 0 && !ftruncate(fd, sizeof(*c)) ? 0 : -errno, argv[2]);
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	bench_need(c != MAP_FAILED ? 0 : -errno, "counters");
	snprintf(vdev, sizeof(vdev), "net_vhost0,iface=%s", argv[1]);
	peer_init(vdev, NULL);
	bench_pin(0);
	pool = peer_pool(8191);
	peer_start(0, pool, 512);
	was = weir_cycles();
	for (;;) {
		unsigned got = rte_eth_rx_burst(0, 0, m, 32), put = give(pool);
		uint64_t now = weir_cycles();

		if (got)
			rte_pktmbuf_free_bulk(m, got);
		if (got || put) {
			c->taken += got;
			c->given += put;
			c->busy += now - was;
			c->tsc = now;
		}
		was = now;
	}
}
