/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What no 82599 has: an experimental block with a PASID for each pair of queues (docs/nicsim.md). All
 * that a tagged pair reads or writes carries its PASID: descriptors, what is written back, packets.
 */
#include "apps/nicsim/nic.h"

void nic_pasid_write(struct nic *n, unsigned q, uint32_t v)
{
	uint32_t *r = &n->reg[R_XPASID / 4 + q];
	uint32_t pasid = v & XPASID_MASK;

	if (q >= n->queues || !n->pasid_bits)
		return;
	/* A number that cannot be is not taken: the driver reads back what it got. */
	if (pasid >> n->pasid_bits || (v & XPASID_EN && !pasid))
		v = 0;
	*r = (*r & ~v & XPASID_STOPPED) | (v & (XPASID_EN | XPASID_MASK));
}

void nic_pasid_fault(struct nic *n, unsigned q)
{
	if (!nic_pasid(n, q)) {
		intr_other(n, EICR_PCI);
		return;
	}
	if (nic_pasid_stopped(n, q))
		return;
	n->reg[R_XPASID / 4 + q] |= XPASID_STOPPED;
	n->pasid_stops++;
	/* Neither queue of the pair comes up again before the driver has cleared the bit. */
	nic_sync(n);
}
