/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues: see nics/intel_queue.h. */
#include "nics/igb/igb.h"

/* Tails are mapped always: map_bar() sees to it. */
static const struct intel_kind igb_kind = { .rxe = IGB_RXD_RXE, .l4e = IGB_RXD_L4E };
static_assert(IGB_RXD_IPE == IGB_RXD_L4E << 1, "see struct intel_kind");

/**
 * igb_queues_create() - make all queues of the configuration
 * @g: port
 * Return: 0; on failure no queue is left.
 */
int igb_queues_create(struct igb *g)
{
	const struct weir_port_conf *c = &g->port.conf;
	const struct weir_dma *dma = weir_pci_dma(g->pci);
	int err = 0;

	for (unsigned i = 0; i < c->n_rxq && !err; i++)
		err = intel_rxq_create(&g->port, dma, c->arena, i, g->bar + IGB_RDT(i), &igb_kind);
	for (unsigned i = 0; i < c->n_txq && !err; i++)
		err = intel_txq_create(&g->port, dma, c->arena, i, g->bar + IGB_TDT(i), &igb_kind);
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
		intel_rxq_destroy(&g->port, g->port.conf.arena, i);
		intel_txq_destroy(&g->port, g->port.conf.arena, i);
	}
}
