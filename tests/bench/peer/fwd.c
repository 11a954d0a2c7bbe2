/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From one virtual device of DPDK's to another: tests/bench/fwd.c over net_null, or with arguments
 * packets of a file: fwd IN OUT COUNT, and cycles a packet.
 */
#include "tests/bench/peer/peer.h"

#include <rte_ether.h>

#define PASSES 1024

struct fwd {
	unsigned burst;
	bool swap;
	uint16_t from, to;
};

static void swap_macs(struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct rte_ether_hdr *h = rte_pktmbuf_mtod(m[i], struct rte_ether_hdr *);
		struct rte_ether_addr a = h->dst_addr;

		h->dst_addr = h->src_addr;
		h->src_addr = a;
	}
}

static unsigned pass(const struct fwd *f, uint16_t from, uint16_t to)
{
	struct rte_mbuf *m[64];
	unsigned n = rte_eth_rx_burst(from, 0, m, (uint16_t)f->burst), sent;

	if (!n)
		return 0;
	if (f->swap)
		swap_macs(m, n);
	sent = rte_eth_tx_burst(to, 0, m, (uint16_t)n);
	if (sent < n)
		rte_pktmbuf_free_bulk(m + sent, n - sent);
	return sent;
}

struct fwd_bench {
	unsigned burst;
	bool swap;
};

static uint64_t forward(void *arg)
{
	const struct fwd_bench *b = arg;
	const struct fwd f = { .burst = b->burst, .swap = b->swap };
	uint64_t n = 0;

	for (unsigned i = 0; i < PASSES; i++)
		n += pass(&f, 0, 1) + pass(&f, 1, 0);
	return n;
}

/* As in tests/bench/fwd.c. */
static void null_ports(const char *turns)
{
	static struct fwd_bench b[] = { { 8, 0 }, { 32, 0 }, { 64, 0 },
					{ 8, 1 }, { 32, 1 }, { 64, 1 } };
	static const char plain[] = "null ports", swap[] = "null ports, MAC rewrite";
	static const struct bench_case cases[] = {
		{ plain, "burst 8", forward, &b[0] },  { plain, "burst 32", forward, &b[1] },
		{ plain, "burst 64", forward, &b[2] }, { swap, "burst 8", forward, &b[3] },
		{ swap, "burst 32", forward, &b[4] },  { swap, "burst 64", forward, &b[5] },
	};

	bench_main(turns, cases, WEIR_ARRAY_SIZE(cases));
}

int main(int argc, char **argv)
{
	const char *in = argc > 3 ? argv[1] : "net_null0,size=64";
	const char *out = argc > 3 ? argv[2] : "net_null1,size=64";
	uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0, n = 0, t;
	struct fwd f = { .burst = 32 };
	struct rte_mempool *pool;

	peer_init(in, out);
	pool = peer_pool(8191);
	for (unsigned i = 0; i < 2; i++)
		peer_start(i, pool, 512);
	if (!count) {
		null_ports(argc > 1 ? argv[1] : NULL);
		return 0;
	}
	t = weir_cycles();
	while (n < count)
		n += pass(&f, 0, 1);
	rte_eth_dev_stop(1);
	rte_eth_dev_close(1);
	printf("%.2f\n", (double)(weir_cycles() - t) / (double)n);
	return 0;
}
