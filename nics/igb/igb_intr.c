/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts (7.3, 8.8): MSI-X vector 0 tells of the link, vector 1 + q of packets on RX queue q.
 * A vector's cause is cleared when its message goes out (EIAC); that of a queue is also masked
 * then (EIAM), so that an armed queue interrupts once.
 */
#include "nics/igb/igb.h"

#define LINK_VECTOR 0

static uint32_t rx_bit(unsigned q)
{
	return IGB_BIT(1 + q);
}

/**
 * igb_intr_setup() - get MSI-X vectors
 * @g: port
 * @n_vec: vectors; 0 gives them back
 * Return: 0, or negative errno with a sentence.
 */
int igb_intr_setup(struct igb *g, unsigned n_vec)
{
	int err;

	if (n_vec == g->n_vec)
		return 0;
	err = weir_pci_msix(g->pci, n_vec);
	/* On failure those that were there before are gone too. */
	g->n_vec = err ? 0 : n_vec;
	if (!weir_port_failed(&g->port))
		igb_intr_apply(g);
	return n_vec ? err : 0;
}

static void ivar_apply(struct igb *g)
{
	uint32_t ivar[8] = { 0 };

	for (unsigned q = 0; q + 1 < g->n_vec; q++)
		ivar[q & 7] |= (IGB_IVAR_VALID | (1 + q)) << IGB_IVAR_RX_SHIFT(q);
	for (unsigned q = 0; q < 8; q++)
		igb_wr(g, IGB_IVAR(q), ivar[q]);
	igb_wr(g, IGB_IVAR_MISC, (IGB_IVAR_VALID | LINK_VECTOR) << IGB_IVAR_MISC_OTHER_SHIFT);
}

/**
 * igb_intr_apply() - write the interrupt registers; no queue is armed afterwards
 * @g: port
 */
void igb_intr_apply(struct igb *g)
{
	uint32_t all = IGB_BIT(g->n_vec) - 1;

	igb_wr(g, IGB_IMC, UINT32_MAX);
	igb_wr(g, IGB_EIMC, UINT32_MAX);
	if (!g->n_vec) {
		igb_wr(g, IGB_GPIE, 0);
		return;
	}
	/* First of all: the meaning of the others depends on it. */
	igb_wr(g, IGB_GPIE,
	       IGB_GPIE_NSICR | IGB_GPIE_MULTIPLE_MSIX | IGB_GPIE_EIAME | IGB_GPIE_PBA_SUPPORT);
	for (unsigned v = 0; v < g->n_vec; v++)
		igb_wr(g, IGB_EITR(v), IGB_EITR_CNT_INGR);
	ivar_apply(g);
	igb_wr(g, IGB_EIAC, all);
	igb_wr(g, IGB_EIAM, all & ~IGB_BIT(LINK_VECTOR));
	igb_wr(g, IGB_EICR, all);
	(void)igb_rd(g, IGB_ICR);
	igb_wr(g, IGB_EIMS, IGB_BIT(LINK_VECTOR));
	igb_wr(g, IGB_IMS, IGB_INT_LSC);
	igb_flush(g);
}

int igb_rx_intr_fd(struct weir_port *p, unsigned q)
{
	return weir_pci_msix_fd(igb_of(p)->pci, (int)(1 + q));
}

/*
 * The old cause is cleared, the vector enabled, and only then the ring is looked at: a packet that
 * comes in between is either seen here or interrupts. The read of STATUS makes both writes arrive,
 * and descriptors written before its answer be seen.
 */
int igb_rx_intr_arm(struct weir_port *p, unsigned q)
{
	struct igb *g = igb_of(p);

	if (weir_port_failed(p))
		return -ENODEV;
	igb_wr(g, IGB_EICR, rx_bit(q));
	igb_wr(g, IGB_EIMS, rx_bit(q));
	if (igb_alive(g))
		return -ENODEV;
	weir_mb();
	if (!intel_rx_pending(intel_rxq_of(p->rxq[q])))
		return 0;
	igb_wr(g, IGB_EIMC, rx_bit(q));
	return 1;
}

int igb_rx_intr_disarm(struct weir_port *p, unsigned q)
{
	struct igb *g = igb_of(p);

	igb_wr(g, IGB_EIMC, rx_bit(q));
	return igb_alive(g);
}

int igb_lsc_fd(struct weir_port *p)
{
	struct igb *g = igb_of(p);
	int err;

	if (igb_alive(g))
		return -ENODEV;
	err = g->n_vec ? 0 : igb_intr_setup(g, 1);
	return err ? err : weir_pci_msix_fd(g->pci, LINK_VECTOR);
}
