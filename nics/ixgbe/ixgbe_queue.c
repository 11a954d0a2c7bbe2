/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues: their memory, which functions work on them, and how they start and stop (4.6.7, 4.6.8). */
#include "nics/ixgbe/ixgbe.h"

#define ENABLE_WAIT_US 10000
/* Packets under way are finished within this time; at 100 Mb/s a large one takes 0.8 ms. */
#define QUIET_US 2000
#define SECRX_US 1000

/* --- memory: see nics/intel_queue.h --- */

static void rx_tail(struct weir_port *p, unsigned q, uint32_t v)
{
	ixgbe_wr(ixgbe_of(p), IXGBE_RDT(q), v);
}

static void tx_tail(struct weir_port *p, unsigned q, uint32_t v)
{
	ixgbe_wr(ixgbe_of(p), IXGBE_TDT(q), v);
}

/**
 * ixgbe_queues_create() - make all queues of the configuration
 * @x: port
 * Return: 0; on failure no queue is left.
 */
int ixgbe_queues_create(struct ixgbe *x)
{
	struct intel_kind k = {
		.rxe = (uint32_t)INTEL_RXD_RXE,
		.l4e = (uint32_t)INTEL_RXD_L4E,
		.udp_zero = x->kind->udp_zero,
		.rx_tail = rx_tail,
		.tx_tail = tx_tail,
	};
	const struct weir_dma *dma = weir_pci_dma(x->pci);
	struct weir_port *p = &x->port;
	int err = 0;

	static_assert(INTEL_RXD_IPE == INTEL_RXD_L4E << 1, "see struct intel_kind");
	for (unsigned i = 0; i < p->conf.n_rxq && !err; i++)
		err = intel_rxq_create(p, dma, weir_port_ring_arena(p, i), i,
				       ixgbe_doorbell(x, IXGBE_RDT(i)), &k);
	for (unsigned i = 0; i < p->conf.n_txq && !err; i++)
		err = intel_txq_create(p, dma, weir_port_ring_arena(p, i), i,
				       ixgbe_doorbell(x, IXGBE_TDT(i)), &k);
	if (err)
		ixgbe_queues_destroy(x);
	return err;
}

/**
 * ixgbe_queues_destroy() - free all queues; the port is stopped
 * @x: port
 */
void ixgbe_queues_destroy(struct ixgbe *x)
{
	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++) {
		intel_rxq_destroy(&x->port, weir_port_ring_arena(&x->port, i), i);
		intel_txq_destroy(&x->port, weir_port_ring_arena(&x->port, i), i);
	}
}

/* --- start --- */

static void ring_base(struct ixgbe *x, unsigned reg, const struct weir_dma *dma,
		      const volatile void *ring, unsigned n)
{
	weir_iova_t iova = weir_dma_iova(dma, (const void *)(uintptr_t)ring);

	ixgbe_wr(x, reg + IXGBE_XDBAL, (uint32_t)iova);
	ixgbe_wr(x, reg + IXGBE_XDBAH, (uint32_t)(iova >> 32));
	ixgbe_wr(x, reg + IXGBE_XDLEN, n * 16);
	ixgbe_wr(x, reg + IXGBE_XDH, 0);
	ixgbe_wr(x, reg + IXGBE_XDT, 0);
}

/* The tail must not move before ENABLE reads back as set. */
static int enable_queue(struct ixgbe *x, unsigned reg, uint32_t v, const char *side, unsigned q)
{
	int err;

	ixgbe_wr(x, reg, v | IXGBE_XDCTL_ENABLE);
	err = ixgbe_wait(x, reg, IXGBE_XDCTL_ENABLE, IXGBE_XDCTL_ENABLE, ENABLE_WAIT_US);
	if (!err || err == -ENODEV)
		return err;
	return weir_fail(x->port.w, EIO, "device-timeout",
			 "%s: %s queue %u does not come up within %u ms", x->port.name, side, q,
			 ENABLE_WAIT_US / 1000);
}

static int start_rxq(struct ixgbe *x, struct intel_rxq *q)
{
	uint32_t srrctl = IXGBE_SRRCTL_BSIZEPACKET_2K | IXGBE_SRRCTL_BSIZEHEADER_256 |
			  IXGBE_SRRCTL_DESCTYPE_ADV_ONE;
	unsigned i = q->q.index;
	uint32_t ctl;
	int err;

	static_assert(WEIR_BUF_ROOM == 2048, "SRRCTL counts in KiB");
	/* One queue that nobody empties must not block the packet buffer for the others. */
	if (x->port.conf.n_rxq > 1)
		srrctl |= IXGBE_SRRCTL_DROP_EN;
	ctl = ixgbe_rd(x, IXGBE_RXDCTL(i)) & ~(IXGBE_XDCTL_ENABLE | IXGBE_RXDCTL_VME);
	ixgbe_wr(x, IXGBE_RXDCTL(i), ctl);
	ixgbe_wr(x, IXGBE_SRRCTL(i), srrctl);
	ring_base(x, IXGBE_RXQ(i), &q->q.dma, q->ring, q->size);
	if (x->port.conf.offloads & WEIR_OFF_RX_VLAN_STRIP)
		ctl |= IXGBE_RXDCTL_VME;
	err = enable_queue(x, IXGBE_RXDCTL(i), ctl, "RX", i);
	if (err)
		return err;
	if (!q->fill_fn(q))
		return weir_fail(x->port.w, ENOMEM, "pool-empty",
				 "%s: the pool has no buffer left for RX queue %u; make it larger",
				 x->port.name, i);
	/* 4.6.7: once the queue is enabled; the reset sets it. */
	ixgbe_wr(x, IXGBE_DCA_RXCTRL(i),
		 ixgbe_rd(x, IXGBE_DCA_RXCTRL(i)) & ~IXGBE_DCA_RXCTRL_MUST_BE_0);
	return 0;
}

/*
 * WTHRESH 0: a descriptor with RS is reported at once, as head write-back demands too (7.2.3.5.2).
 * The word for that is behind the ring.
 */
static int start_txq(struct ixgbe *x, struct intel_txq *q)
{
	weir_iova_t wb = weir_dma_iova(&q->q.dma, (const void *)(uintptr_t)&q->ring[q->size]);
	unsigned i = q->q.index;

	ixgbe_wr(x, IXGBE_TXDCTL(i), 0);
	ring_base(x, IXGBE_TXQ(i), &q->q.dma, q->ring, q->size);
	ixgbe_wr(x, IXGBE_TDWBAH(i), q->head_wb ? (uint32_t)(wb >> 32) : 0);
	ixgbe_wr(x, IXGBE_TDWBAL(i), q->head_wb ? (uint32_t)wb | IXGBE_TDWBAL_EN : 0);
	return enable_queue(x, IXGBE_TXDCTL(i), IXGBE_TXDCTL_PTHRESH(32) | IXGBE_TXDCTL_HTHRESH(1),
			    "TX", i);
}

/* 4.6.11.3.4: one traffic class, no virtualisation; only while the arbiter stands still. */
static void start_tx_side(struct ixgbe *x)
{
	uint32_t arb = ixgbe_rd(x, IXGBE_RTTDCS) & ~IXGBE_RTTDCS_ARBDIS;

	ixgbe_wr(x, IXGBE_HLREG0,
		 ixgbe_rd(x, IXGBE_HLREG0) | IXGBE_HLREG0_TXCRCEN | IXGBE_HLREG0_TXPADEN |
			 IXGBE_HLREG0_RXCRCSTRP | IXGBE_HLREG0_JUMBOEN);
	ixgbe_wr(x, IXGBE_RTTDCS, arb | IXGBE_RTTDCS_ARBDIS);
	ixgbe_wr(x, IXGBE_MTQC, 0);
	ixgbe_wr(x, IXGBE_DTXMXSZRQ, IXGBE_DTXMXSZRQ_MAX);
	ixgbe_wr(x, IXGBE_RTTDCS, arb);
	ixgbe_wr(x, IXGBE_DMATXCTL, ixgbe_rd(x, IXGBE_DMATXCTL) | IXGBE_DMATXCTL_TE);
}

/* Jumbo frames are always enabled: MAXFRS alone says how long a frame may be, tags not counted. */
static void prepare_rx_side(struct ixgbe *x)
{
	uint32_t v = ixgbe_rd(x, IXGBE_RDRXCTL) & ~IXGBE_RDRXCTL_RSCFRSTSIZE_MASK;

	ixgbe_wr(x, IXGBE_RDRXCTL,
		 v | IXGBE_RDRXCTL_CRCSTRIP | IXGBE_RDRXCTL_RSCACKC | IXGBE_RDRXCTL_FCOE_WRFIX);
	ixgbe_wr(x, IXGBE_MAXFRS,
		 IXGBE_MAXFRS_MFS(x->port.conf.mtu + IXGBE_L2_OVERHEAD + IXGBE_FCS));
	ixgbe_rss_apply(x);
	ixgbe_fctrl_apply(x);
}

/* 4.6.7: RXEN changes while the path into the receiver is held. */
static void rx_switch(struct ixgbe *x, bool on)
{
	uint32_t sec = ixgbe_rd(x, IXGBE_SECRXCTRL) & ~IXGBE_SECRXCTRL_RX_DIS;
	uint32_t ctrl = ixgbe_rd(x, IXGBE_RXCTRL) & ~IXGBE_RXCTRL_RXEN;

	ixgbe_wr(x, IXGBE_SECRXCTRL, sec | IXGBE_SECRXCTRL_RX_DIS);
	/* Not ready within the time: no packet was in there that would end. */
	(void)ixgbe_wait(x, IXGBE_SECRXSTAT, IXGBE_SECRXSTAT_RDY, IXGBE_SECRXSTAT_RDY, SECRX_US);
	ixgbe_wr(x, IXGBE_RXCTRL, ctrl | (on ? IXGBE_RXCTRL_RXEN : 0));
	ixgbe_wr(x, IXGBE_SECRXCTRL, sec);
}

/**
 * ixgbe_queues_start() - program and enable all queues, and last of all the receiver
 * @x: configured port; its caches are there
 * Return: 0, or negative errno with a sentence; then the caller stops the port.
 */
int ixgbe_queues_start(struct ixgbe *x)
{
	int err = ixgbe_tag_start(x);

	if (err)
		return err;
	start_tx_side(x);
	for (unsigned i = 0; i < x->port.conf.n_txq && !err; i++)
		err = start_txq(x, intel_txq_of(x->port.txq[i]));
	if (err)
		return err;
	prepare_rx_side(x);
	for (unsigned i = 0; i < x->port.conf.n_rxq && !err; i++)
		err = start_rxq(x, intel_rxq_of(x->port.rxq[i]));
	if (err)
		return err;
	x->receiving = true;
	rx_switch(x, true);
	ixgbe_flush(x);
	return ixgbe_alive(x);
}

/**
 * ixgbe_queues_stop() - no new packets, and time for those under way
 * @x: port; a reset must follow, for writes may still be pending
 */
void ixgbe_queues_stop(struct ixgbe *x)
{
	const struct weir_port_conf *c = &x->port.conf;

	if (ixgbe_alive(x))
		return;
	rx_switch(x, false);
	for (unsigned i = 0; i < c->n_rxq; i++)
		ixgbe_wr(x, IXGBE_RXDCTL(i), ixgbe_rd(x, IXGBE_RXDCTL(i)) & ~IXGBE_XDCTL_ENABLE);
	for (unsigned i = 0; i < c->n_txq; i++)
		ixgbe_wr(x, IXGBE_TXDCTL(i), ixgbe_rd(x, IXGBE_TXDCTL(i)) & ~IXGBE_XDCTL_ENABLE);
	ixgbe_wr(x, IXGBE_DMATXCTL, ixgbe_rd(x, IXGBE_DMATXCTL) & ~IXGBE_DMATXCTL_TE);
	ixgbe_flush(x);
	weir_sleep_us(QUIET_US);
}
