/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues: their memory, which functions work on them, and how they start and stop (4.6.7, 4.6.8). */
#include "nics/ixgbe/ixgbe.h"
#include "nics/xlate.h"

#include <stdlib.h>

#define REFILL_BATCH   32
#define ENABLE_WAIT_US 10000
/* Packets under way are finished within this time; at 100 Mb/s a large one takes 0.8 ms. */
#define QUIET_US 2000
#define SECRX_US 1000

/* --- memory --- */

static void *queue_alloc(size_t size)
{
	void *q = aligned_alloc(WEIR_CACHE_LINE, WEIR_ALIGN_UP(size, (size_t)WEIR_CACHE_LINE));

	if (q)
		memset(q, 0, size);
	return q;
}

/* 16 bytes a descriptor, aligned to 128 bytes; @extra bytes follow. */
static void *ring_alloc(struct ixgbe *x, unsigned n, size_t extra, const char *side, unsigned index)
{
	void *ring = weir_arena_alloc(weir_port_ring_arena(&x->port, index), (size_t)n * 16 + extra,
				      128);

	if (!ring)
		weir_fail(x->port.w, ENOMEM, "arena-full",
			  "%s: no room in the arena for %s ring %u of %u descriptors; make the "
			  "arena larger",
			  x->port.name, side, index, n);
	return nic_ring_whole(&x->port, weir_pci_dma(x->pci), ring, (size_t)n * 16 + extra);
}

static weir_rx_fn *rx_fn(unsigned offloads, bool phys)
{
	if (offloads & WEIR_OFF_RX_JUMBO)
		return phys ? ixgbe_rx_jumbo_phys : ixgbe_rx_jumbo;
	if (offloads & (WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_HASH))
		return phys ? ixgbe_rx_meta_phys : ixgbe_rx_meta;
	return phys ? ixgbe_rx_plain_phys : ixgbe_rx_plain;
}

static void rxq_free(struct ixgbe *x, struct ixgbe_rxq *q)
{
	if (!q)
		return;
	if (q->ring)
		weir_arena_free(weir_port_ring_arena(&x->port, q->q.index),
				(void *)(uintptr_t)q->ring);
	free(q->bufs);
	free(q);
}

static int rxq_create(struct ixgbe *x, unsigned index)
{
	const struct weir_port_conf *c = &x->port.conf;
	struct ixgbe_rxq *q = queue_alloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->q.index = index;
	q->bufs = calloc(c->rx_desc, sizeof(*q->bufs));
	q->ring = q->bufs ? ring_alloc(x, c->rx_desc, 0, "RX", index) : NULL;
	if (!q->ring) {
		rxq_free(x, q);
		return -ENOMEM;
	}
	q->q.dma = *weir_pci_dma(x->pci);
	q->q.burst = rx_fn(c->offloads, q->q.dma.pages != NULL);
	q->q.port = &x->port;
	q->tail = ixgbe_doorbell(x, IXGBE_RDT(index));
	q->size = (uint16_t)c->rx_desc;
	q->batch = (uint16_t)weir_min_u(REFILL_BATCH, c->rx_desc / 4);
	q->hash = c->offloads & WEIR_OFF_RX_HASH;
	q->udp_zero = x->kind->udp_zero;
	q->vlan = c->offloads & WEIR_OFF_RX_VLAN_STRIP ? (uint32_t)INTEL_RXD_VP : 0;
	q->csum =
		c->offloads & WEIR_OFF_RX_CSUM
			? (uint32_t)(INTEL_RXD_IPCS | INTEL_RXD_L4I | INTEL_RXD_IPE | INTEL_RXD_L4E)
			: 0;
	x->port.rxq[index] = &q->q;
	return 0;
}

static void txq_free(struct ixgbe *x, struct ixgbe_txq *q)
{
	if (!q)
		return;
	if (q->ring)
		weir_arena_free(weir_port_ring_arena(&x->port, q->q.index),
				(void *)(uintptr_t)q->ring);
	free(q->bufs);
	free(q->rs);
	free(q);
}

static void txq_offloads(struct ixgbe_txq *q, unsigned offloads)
{
	if (offloads & WEIR_OFF_TX_CSUM)
		q->offload |= WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM;
	if (offloads & WEIR_OFF_TX_VLAN)
		q->offload |= WEIR_PKT_VLAN;
	/* The device fills in the checksums of what it cuts, whoever asked for that. */
	if (offloads & WEIR_OFF_TX_TSO)
		q->offload |= WEIR_PKT_TX_TSO | WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM;
}

static int txq_create(struct ixgbe *x, unsigned index)
{
	const struct weir_port_conf *c = &x->port.conf;
	struct ixgbe_txq *q = queue_alloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->q.index = index;
	q->bufs = calloc(c->tx_desc, sizeof(*q->bufs));
	q->rs = calloc(c->tx_desc, sizeof(*q->rs));
	q->ring = q->bufs && q->rs ? ring_alloc(x, c->tx_desc, WEIR_CACHE_LINE, "TX", index) : NULL;
	if (!q->ring) {
		txq_free(x, q);
		return -ENOMEM;
	}
	q->q.dma = *weir_pci_dma(x->pci);
	q->q.post = q->q.dma.pages ? ixgbe_tx_post_phys : ixgbe_tx_post;
	q->q.kick = ixgbe_tx_kick;
	q->q.reap = ixgbe_tx_reap;
	q->q.port = &x->port;
	q->tail_reg = ixgbe_doorbell(x, IXGBE_TDT(index));
	q->size = (uint16_t)c->tx_desc;
	q->free = q->size - 1;
	if (c->tx_head_wb)
		q->head_wb = (volatile __le32 *)&q->ring[c->tx_desc];
	txq_offloads(q, c->offloads);
	x->port.txq[index] = &q->q;
	return 0;
}

/**
 * ixgbe_queues_create() - make all queues of the configuration
 * @x: port
 * Return: 0; on failure no queue is left.
 */
int ixgbe_queues_create(struct ixgbe *x)
{
	int err = 0;

	for (unsigned i = 0; i < x->port.conf.n_rxq && !err; i++)
		err = rxq_create(x, i);
	for (unsigned i = 0; i < x->port.conf.n_txq && !err; i++)
		err = txq_create(x, i);
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
		if (x->port.rxq[i])
			rxq_free(x, ixgbe_rxq_of(x->port.rxq[i]));
		if (x->port.txq[i])
			txq_free(x, ixgbe_txq_of(x->port.txq[i]));
		x->port.rxq[i] = NULL;
		x->port.txq[i] = NULL;
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

static int start_rxq(struct ixgbe *x, struct ixgbe_rxq *q)
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
	if (!(q->q.dma.pages ? ixgbe_rx_fill_phys(q) : ixgbe_rx_fill(q)))
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
static int start_txq(struct ixgbe *x, struct ixgbe_txq *q)
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
		err = start_txq(x, ixgbe_txq_of(x->port.txq[i]));
	if (err)
		return err;
	prepare_rx_side(x);
	for (unsigned i = 0; i < x->port.conf.n_rxq && !err; i++)
		err = start_rxq(x, ixgbe_rxq_of(x->port.rxq[i]));
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
