/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A PASID for each queue pair. No device of the family has this; weir nicsim does, in an experimental
 * block of registers that a vendor-specific capability of Intel's id, a length and a text points at
 * (docs/nicsim.md). Where that is not found, or makes no sense, nothing can be tagged.
 */
#include "nics/ixgbe/ixgbe.h"

#include <linux/pci_regs.h>

#define VSEC_ID	   0x5751u
#define VSEC_LEN   24u
#define VSEC_MAGIC 0x52494557u /* "WEIR" */
#define VSEC_MAX   32	       /* capabilities looked at */

#define TAG_EN	    (1u << 31)
#define TAG_STOPPED (1u << 30) /* writing 1 clears it */
#define PASID_BITS  20u	       /* PCIe 6.20.2: at most */

static bool is_ours(struct weir_pci *d, unsigned at)
{
	uint32_t head, magic;

	return !weir_pci_cfg_read(d, at + 4, 4, &head) &&
	       !weir_pci_cfg_read(d, at + 8, 4, &magic) && (head & 0xFFFF) == VSEC_ID &&
	       head >> 20 >= VSEC_LEN && magic == VSEC_MAGIC;
}

/* What it says must fit the BAR; a device that says otherwise is taken for one without. */
static void take(struct ixgbe *x, uint32_t where, uint32_t what)
{
	unsigned bar = where & 7, queues = what & 0xFFFF, bits = what >> 16 & 0x1F;
	uint32_t off = where & ~7u;
	struct weir_region r;

	if (bar > 5 || !queues || !bits || bits > PASID_BITS ||
	    weir_iodev_region(weir_pci_iodev(x->pci), bar, &r) || off > r.size ||
	    queues * 4ull > r.size - off) {
		weir_warn(
			x->port.w,
			"%s: its PASID block (%u queues, %u bits, %#x of BAR %u) cannot be; not used",
			x->port.name, queues, bits, off, bar);
		return;
	}
	x->tag.bar = bar;
	x->tag.off = off;
	x->tag.queues = weir_min_u(queues, IXGBE_MAX_QUEUES);
	x->tag.bits = bits;
}

/**
 * ixgbe_tag_probe() - look for the block
 * @x: port that is being made
 * Return: 0, found or not; negative errno if config space cannot be read.
 */
int ixgbe_tag_probe(struct ixgbe *x)
{
	uint32_t where, what;
	int at = 0;

	for (unsigned i = 0; i < VSEC_MAX; i++) {
		at = weir_pci_find_ext_cap(x->pci, PCI_EXT_CAP_ID_VNDR, (unsigned)at);
		if (at <= 0)
			return at;
		if (!is_ours(x->pci, (unsigned)at) ||
		    weir_pci_cfg_read(x->pci, (unsigned)at + 12, 4, &where) ||
		    weir_pci_cfg_read(x->pci, (unsigned)at + 16, 4, &what))
			continue;
		take(x, where, what);
		break;
	}
	return 0;
}

int ixgbe_queue_tag(struct weir_port *p, unsigned q, uint32_t pasid, const struct weir_dma *dma)
{
	struct ixgbe *x = ixgbe_of(p);

	if (q >= x->tag.queues || pasid >> x->tag.bits)
		return weir_fail(p->w, EINVAL, "queue-tag",
				 "%s: pair %u cannot carry PASID %u; the device tags %u pairs with "
				 "%u bits",
				 p->name, q, pasid, x->tag.queues, x->tag.bits);
	if (!dma)
		dma = weir_pci_dma(x->pci);
	p->rxq[q]->dma = *dma;
	p->txq[q]->dma = *dma;
	return 0;
}

/**
 * ixgbe_tag_start() - write all tags, before any queue comes up
 * @x: port after a reset, which cleared them
 *
 * A device that did not take a tag would reach memory with the rights of the whole device, so what
 * was written is read back.
 */
int ixgbe_tag_start(struct ixgbe *x)
{
	for (unsigned q = 0; q < x->tag.queues; q++) {
		uint32_t want = x->port.pasid[q] ? TAG_EN | x->port.pasid[q] : 0, got = 0;
		uint64_t off = x->tag.off + 4ull * q;
		int err = weir_pci_reg_write32(x->pci, x->tag.bar, off, want | TAG_STOPPED);

		if (!err)
			err = weir_pci_reg_read32(x->pci, x->tag.bar, off, &got);
		if (err || got != want)
			return weir_fail(x->port.w, err ? err : EIO, "queue-tag",
					 "%s: pair %u was to carry PASID %u, its register says %#x",
					 x->port.name, q, x->port.pasid[q], got);
	}
	return 0;
}

int ixgbe_queue_stopped(struct weir_port *p, unsigned q)
{
	struct ixgbe *x = ixgbe_of(p);
	uint32_t v;
	int err;

	if (q >= x->tag.queues)
		return 0;
	err = weir_pci_reg_read32(x->pci, x->tag.bar, x->tag.off + 4ull * q, &v);
	if (err || v == UINT32_MAX)
		return err ? err : -ENODEV;
	return !!(v & TAG_STOPPED);
}
