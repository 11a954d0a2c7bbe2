/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of queues, and which functions work on them. */
#include "nics/igb/igb.h"
#include "nics/xlate.h"

#include <stdlib.h>

#define REFILL_BATCH 32

static void *queue_alloc(size_t size)
{
	void *q = aligned_alloc(WEIR_CACHE_LINE, WEIR_ALIGN_UP(size, (size_t)WEIR_CACHE_LINE));

	if (q)
		memset(q, 0, size);
	return q;
}

static void *ring_alloc(struct igb *g, unsigned n, const char *side, unsigned index)
{
	/* 16 bytes a descriptor; the base is aligned to 128 bytes */
	void *ring = weir_arena_alloc(g->port.conf.arena, (size_t)n * 16, 128);

	if (!ring)
		weir_fail(g->port.w, ENOMEM, "arena-full",
			  "%s: no room in the arena for %s ring %u of %u descriptors; make the "
			  "arena larger",
			  g->port.name, side, index, n);
	return nic_ring_whole(&g->port, weir_pci_dma(g->pci), ring, (size_t)n * 16);
}

static weir_rx_fn *rx_fn(unsigned offloads, bool phys)
{
	if (offloads & WEIR_OFF_RX_JUMBO)
		return phys ? igb_rx_jumbo_phys : igb_rx_jumbo;
	if (offloads & (WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_HASH))
		return phys ? igb_rx_meta_phys : igb_rx_meta;
	return phys ? igb_rx_plain_phys : igb_rx_plain;
}

static void rxq_free(struct igb *g, struct igb_rxq *q)
{
	if (!q)
		return;
	if (q->ring)
		weir_arena_free(g->port.conf.arena, (void *)(uintptr_t)q->ring);
	free(q->bufs);
	free(q);
}

static int rxq_create(struct igb *g, unsigned index)
{
	const struct weir_port_conf *c = &g->port.conf;
	struct igb_rxq *q = queue_alloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->bufs = calloc(c->rx_desc, sizeof(*q->bufs));
	q->ring = q->bufs ? ring_alloc(g, c->rx_desc, "RX", index) : NULL;
	if (!q->ring) {
		rxq_free(g, q);
		return -ENOMEM;
	}
	q->q.dma = *weir_pci_dma(g->pci);
	q->q.burst = rx_fn(c->offloads, q->q.dma.pages != NULL);
	q->q.port = &g->port;
	q->q.index = index;
	q->tail = g->bar + IGB_RDT(index);
	q->size = (uint16_t)c->rx_desc;
	q->batch = (uint16_t)weir_min_u(REFILL_BATCH, c->rx_desc / 4);
	q->hash = c->offloads & WEIR_OFF_RX_HASH;
	q->vlan = c->offloads & WEIR_OFF_RX_VLAN_STRIP ? (uint32_t)INTEL_RXD_VP : 0;
	q->csum = c->offloads & WEIR_OFF_RX_CSUM
			  ? (uint32_t)(INTEL_RXD_IPCS | INTEL_RXD_L4I | IGB_RXD_IPE | IGB_RXD_L4E)
			  : 0;
	g->port.rxq[index] = &q->q;
	return 0;
}

static void txq_free(struct igb *g, struct igb_txq *q)
{
	if (!q)
		return;
	if (q->ring)
		weir_arena_free(g->port.conf.arena, (void *)(uintptr_t)q->ring);
	free(q->bufs);
	free(q->rs);
	free(q);
}

static int txq_create(struct igb *g, unsigned index)
{
	const struct weir_port_conf *c = &g->port.conf;
	struct igb_txq *q = queue_alloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->bufs = calloc(c->tx_desc, sizeof(*q->bufs));
	q->rs = calloc(c->tx_desc, sizeof(*q->rs));
	q->ring = q->bufs && q->rs ? ring_alloc(g, c->tx_desc, "TX", index) : NULL;
	if (!q->ring) {
		txq_free(g, q);
		return -ENOMEM;
	}
	q->q.dma = *weir_pci_dma(g->pci);
	q->q.post = q->q.dma.pages ? igb_tx_post_phys : igb_tx_post;
	q->q.kick = igb_tx_kick;
	q->q.reap = igb_tx_reap;
	q->q.port = &g->port;
	q->q.index = index;
	q->tail_reg = g->bar + IGB_TDT(index);
	q->size = (uint16_t)c->tx_desc;
	q->free = q->size - 1;
	if (c->offloads & WEIR_OFF_TX_CSUM)
		q->offload |= WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM;
	if (c->offloads & WEIR_OFF_TX_VLAN)
		q->offload |= WEIR_PKT_VLAN;
	g->port.txq[index] = &q->q;
	return 0;
}

/**
 * igb_queues_create() - make all queues of the configuration
 * @g: port
 * Return: 0; on failure no queue is left.
 */
int igb_queues_create(struct igb *g)
{
	int err = 0;

	for (unsigned i = 0; i < g->port.conf.n_rxq && !err; i++)
		err = rxq_create(g, i);
	for (unsigned i = 0; i < g->port.conf.n_txq && !err; i++)
		err = txq_create(g, i);
	if (err)
		igb_queues_destroy(g);
	return err;
}

/**
 * igb_queues_destroy() - free all queues; the port is stopped
 * @g: port
 */
void igb_queues_destroy(struct igb *g)
{
	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++) {
		if (g->port.rxq[i])
			rxq_free(g, igb_rxq_of(g->port.rxq[i]));
		if (g->port.txq[i])
			txq_free(g, igb_txq_of(g->port.txq[i]));
		g->port.rxq[i] = NULL;
		g->port.txq[i] = NULL;
	}
}
