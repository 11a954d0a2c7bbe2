/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive and transmit of the igb and ixgbe drivers with a model device in the same thread: it reads
 * buffer addresses from receive descriptors, writes a frame's headers there and the descriptor back,
 * reads transmit descriptors, and reports those with RS. Between two of its steps one burst is
 * received and sent again. Only that burst is measured; intel.sh counts its instructions.
 *
 *   PROGRAM KIND BURST ROUNDS
 *
 * KIND: plain; meta: checksums, hash, and a VLAN tag out and in; jumbo; head: write-back of the TX head
 *
 * A program includes this after the driver's control files and a fake device for their registers;
 * the burst functions are the library's. It defines RDT, TDT and TDWB of queue 0.
 */
#ifndef WEIR_TESTS_BENCH_INTEL_H
#define WEIR_TESTS_BENCH_INTEL_H

#include "nics/intel_adv.h"
#include "tests/bench/bench.h"

#define RING   512
#define FRAME  60
#define BUFS   4096
#define ROUNDS BENCH_ROUNDS

/* What of the device a step needs; heads are its own. */
struct model {
	volatile union intel_rx_desc *rx;
	volatile struct intel_tx_desc *tx;
	volatile __le32 *wb;
	unsigned rx_head, tx_head;
	bool meta;
};

struct side {
	struct weir_port *port;
	struct weir_rxq *rxq;
	struct weir_txq *txq;
	struct model m;
	unsigned burst;
};

/* Up to @n frames into buffers that it has. */
static void step_rx(struct model *m, unsigned n)
{
	uint64_t st = INTEL_RXD_DD | INTEL_RXD_EOP | (uint64_t)FRAME << 32;

	if (m->meta)
		st |= INTEL_RXD_IPCS | INTEL_RXD_L4I | INTEL_RXD_VP | UINT64_C(5) << 48;
	for (; n && m->rx_head != fake.reg[RDT / 4]; n--) {
		volatile union intel_rx_desc *d = &m->rx[m->rx_head];

		memset(fake_va(weir_from_le64(d->read.pkt_addr)), 0x45, 64);
		d->wb.info = weir_le32(m->meta ? 1 : 0);
		d->wb.rss = weir_le32(0x12345678);
		weir_dma_wmb();
		d->wb.status = weir_le64(st);
		m->rx_head = (m->rx_head + 1) % RING;
	}
}

static void step_tx(struct model *m)
{
	while (m->tx_head != fake.reg[TDT / 4]) {
		volatile struct intel_tx_desc *d = &m->tx[m->tx_head];
		uint64_t hi = weir_from_le64(d->hi);

		m->tx_head = (m->tx_head + 1) % RING;
		if (!(hi & INTEL_TXD_RS))
			continue;
		if (m->wb)
			*m->wb = weir_le32(m->tx_head);
		else
			d->hi = weir_le64(INTEL_TXD_DD);
	}
}

/* The two that are measured. They must be seen by name, and come back: no jump to another function. */
unsigned bench_rx(struct side *s, struct weir_pkt *p);
void bench_tx(struct side *s, const struct weir_pkt *p, unsigned n);

__attribute__((noinline)) unsigned bench_rx(struct side *s, struct weir_pkt *p)
{
	unsigned n = weir_rx(s->rxq, p, s->burst);

	weir_compiler_barrier();
	return n;
}

__attribute__((noinline)) void bench_tx(struct side *s, const struct weir_pkt *p, unsigned n)
{
	if (weir_tx_post(s->txq, p, n) != n)
		bench_need(-ENOSPC, "TX ring");
	weir_tx_kick(s->txq);
	weir_compiler_barrier();
}

/* Return: packets; adds their cycles to *busy. */
static unsigned pass(struct side *s, uint64_t *busy)
{
	struct weir_pkt p[64];
	uint64_t t;
	unsigned n;

	step_rx(&s->m, s->burst);
	t = weir_cycles();
	n = bench_rx(s, p);
	*busy += weir_cycles() - t;
	for (unsigned i = 0; i < n; i++)
		p[i].flags &= (uint16_t)~WEIR_PKT_RX_ONLY;
	t = weir_cycles();
	bench_tx(s, p, n);
	*busy += weir_cycles() - t;
	step_tx(&s->m);
	return n;
}

static void run(struct side *s, const char *what, unsigned rounds)
{
	double v[ROUNDS];
	uint64_t packets = 0, busy;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t n = 0;

		busy = 0;
		for (unsigned k = 0; k < rounds; k++)
			n += pass(s, &busy);
		if (n != (uint64_t)rounds * s->burst)
			bench_need(-EIO, "packets lost");
		v[i] = (double)busy / (double)n;
		packets += n;
	}
	qsort(v, ROUNDS, sizeof(v[0]), bench_cmp);
	printf("%s: RX + TX\tburst %u\t%.2f\t%.2f\t%.2f\t%llu\n", what, s->burst, v[ROUNDS / 2],
	       v[0], v[ROUNDS - 1], (unsigned long long)packets);
}

static void conf_of(struct weir_port_conf *c, const char *kind)
{
	*c = (struct weir_port_conf){ .rx_desc = RING, .tx_desc = RING };
	if (!strcmp(kind, "meta"))
		c->offloads = WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_HASH |
			      WEIR_OFF_TX_VLAN;
	else if (!strcmp(kind, "jumbo"))
		c->offloads = WEIR_OFF_RX_JUMBO;
	else if (!strcmp(kind, "head"))
		c->tx_head_wb = true;
	else if (strcmp(kind, "plain"))
		bench_need(-EINVAL, kind);
}

static void *ring_va(unsigned lo)
{
	return fake_va((uint64_t)fake.reg[lo / 4 + 1] << 32 | (fake.reg[lo / 4] & ~1u));
}

/* Registers of queue 0 by their datasheets; the same for both families but for their base. */
static int bench_intel(int argc, char **argv, const char *name, const struct weir_driver *drv,
		       unsigned rdbal, unsigned tdbal, unsigned tdwbal)
{
	const char *kind = argc > 1 ? argv[1] : "plain";
	struct side s = { .burst = argc > 2 ? (unsigned)atoi(argv[2]) : 32 };
	unsigned rounds = argc > 3 ? (unsigned)atoi(argv[3]) : 2000;
	struct weir_opts o = { .log_level = WEIR_LOG_ERR };
	struct weir_port_conf c;
	struct weir_cache *cache;
	struct weir_pool *pool;
	char what[64];
	struct weir *w;

	if (!s.burst || s.burst > 64 || !rounds)
		bench_need(-EINVAL, "KIND BURST ROUNDS");
	conf_of(&c, kind);
	bench_need(weir_open(&o, &w), "open");
	bench_need(weir_pool_arena(w, BUFS, 1 << 20, WEIR_NODE_ANY, 0, &c.arena), "arena");
	bench_need(weir_pool_create(c.arena, BUFS, &pool), "pool");
	bench_need(weir_cache_create(pool, &cache), "cache");
	fake.bar_size = FAKE_BAR;
	fake.pci.w = w;
	fake.pci.dma = (struct weir_dma){ weir_window(w).base, FAKE_IOVA, NULL };
	bench_need(drv->probe(&fake.pci, name, &s.port), "probe");
	bench_need(weir_port_configure(s.port, &c), "configure");
	bench_need(weir_port_queue_cache(s.port, 0, cache), "cache");
	bench_need(weir_port_start(s.port), "start");
	s.rxq = s.port->rxq[0];
	s.txq = s.port->txq[0];
	s.m.rx = ring_va(rdbal);
	s.m.tx = ring_va(tdbal);
	s.m.wb = fake.reg[tdwbal / 4] & 1 ? ring_va(tdwbal) : NULL;
	s.m.meta = !strcmp(kind, "meta");
	snprintf(what, sizeof(what), "%s, %s%s", name, kind,
		 c.tx_head_wb && !s.m.wb ? " (not taken)" : "");
	run(&s, what, rounds);
	weir_port_close(s.port);
	weir_cache_destroy(cache);
	weir_pool_destroy(pool);
	weir_arena_destroy(c.arena);
	weir_close(w);
	return 0;
}

#endif
