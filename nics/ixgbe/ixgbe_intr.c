/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts (7.3): MSI-X vector q tells of packets on RX queue q, the last one of the link. A
 * queue's cause is cleared when its message goes out (EIAC) and masked then too (EIAM), so that an
 * armed queue interrupts once. Other causes are cleared by reading EICR.
 */
#include "nics/ixgbe/ixgbe.h"

static uint32_t rx_bits(const struct ixgbe *x)
{
	return IXGBE_BIT(x->n_vec - 1) - 1;
}

/**
 * ixgbe_intr_setup() - get MSI-X vectors
 * @x: port
 * @n_vec: vectors; 0 gives them back
 * Return: 0, or negative errno with a sentence.
 */
int ixgbe_intr_setup(struct ixgbe *x, unsigned n_vec)
{
	int err;

	if (n_vec == x->n_vec)
		return 0;
	err = weir_pci_msix(x->pci, n_vec);
	/* On failure those that were there before are gone too. */
	x->n_vec = err ? 0 : n_vec;
	if (!weir_port_failed(&x->port))
		ixgbe_intr_apply(x);
	return n_vec ? err : 0;
}

static void ivar_apply(struct ixgbe *x)
{
	uint32_t ivar[IXGBE_MAX_QUEUES / 2] = { 0 };

	for (unsigned q = 0; q + 1 < x->n_vec; q++)
		ivar[q / 2] |= (IXGBE_IVAR_VALID | q) << IXGBE_IVAR_RX_SHIFT(q);
	for (unsigned i = 0; i < IXGBE_MAX_QUEUES / 2; i++)
		ixgbe_wr(x, IXGBE_IVAR(i), ivar[i]);
	ixgbe_wr(x, IXGBE_IVAR_MISC, (IXGBE_IVAR_VALID | (x->n_vec - 1)) << IXGBE_IVAR_OTHER_SHIFT);
}

/**
 * ixgbe_intr_apply() - write the interrupt registers; no queue is armed afterwards
 * @x: port
 */
void ixgbe_intr_apply(struct ixgbe *x)
{
	ixgbe_wr(x, IXGBE_EIMC, UINT32_MAX);
	ixgbe_wr(x, IXGBE_EIMC_EX(0), UINT32_MAX);
	ixgbe_wr(x, IXGBE_EIMC_EX(1), UINT32_MAX);
	if (!x->n_vec) {
		ixgbe_wr(x, IXGBE_GPIE, 0);
		return;
	}
	/* First of all: the meaning of the others depends on it. */
	ixgbe_wr(x, IXGBE_GPIE,
		 IXGBE_GPIE_MSIX | IXGBE_GPIE_OCD | IXGBE_GPIE_EIAME | IXGBE_GPIE_PBA_SUPPORT);
	/* No moderation: an armed queue interrupts once anyway. */
	for (unsigned v = 0; v < x->n_vec; v++)
		ixgbe_wr(x, IXGBE_EITR(v), 0);
	ivar_apply(x);
	ixgbe_wr(x, IXGBE_EIAC, IXGBE_EI_RTXQ);
	ixgbe_wr(x, IXGBE_EIAM_EX(0), rx_bits(x));
	ixgbe_wr(x, IXGBE_EIAM_EX(1), 0);
	ixgbe_wr(x, IXGBE_EICR, UINT32_MAX);
	ixgbe_wr(x, IXGBE_EIMS, IXGBE_EI_LSC);
	ixgbe_flush(x);
}

int ixgbe_rx_intr_fd(struct weir_port *p, unsigned q)
{
	return weir_pci_msix_fd(ixgbe_of(p)->pci, q);
}

/*
 * The old cause is cleared, the vector enabled, and only then the ring is looked at: a packet that
 * comes in between is either seen here or interrupts. The read of STATUS makes both writes arrive,
 * and descriptors written before its answer be seen.
 */
int ixgbe_rx_intr_arm(struct weir_port *p, unsigned q)
{
	struct ixgbe *x = ixgbe_of(p);

	if (weir_port_failed(p))
		return -ENODEV;
	ixgbe_wr(x, IXGBE_EICR, IXGBE_BIT(q));
	ixgbe_wr(x, IXGBE_EIMS_EX(0), IXGBE_BIT(q));
	if (ixgbe_alive(x))
		return -ENODEV;
	weir_mb();
	if (!intel_rx_pending(intel_rxq_of(p->rxq[q])))
		return 0;
	ixgbe_wr(x, IXGBE_EIMC_EX(0), IXGBE_BIT(q));
	return 1;
}

int ixgbe_rx_intr_disarm(struct weir_port *p, unsigned q)
{
	struct ixgbe *x = ixgbe_of(p);

	ixgbe_wr(x, IXGBE_EIMC_EX(0), IXGBE_BIT(q));
	return ixgbe_alive(x);
}

int ixgbe_lsc_fd(struct weir_port *p)
{
	struct ixgbe *x = ixgbe_of(p);
	int err;

	if (ixgbe_alive(x))
		return -ENODEV;
	err = x->n_vec ? 0 : ixgbe_intr_setup(x, 1);
	return err ? err : weir_pci_msix_fd(x->pci, x->n_vec - 1);
}
