/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/nicsim/pcicfg.h"

#include <linux/pci_regs.h>

/* Where the capabilities are, as on the real device. */
enum {
	CAP_PM = 0x40,
	CAP_MSI = 0x50,
	CAP_MSIX = 0x70,
	CAP_EXP = 0xA0,
	CAP_AER = 0x100,
	CAP_DSN = 0x140,
	CAP_PASID = 0x150,
	CAP_X = 0x160,
};

static void set(struct pcicfg *c, unsigned off, unsigned len, uint32_t v, uint32_t mask)
{
	for (unsigned i = 0; i < len; i++) {
		c->b[off + i] = (uint8_t)(v >> 8 * i);
		c->mask[off + i] = (uint8_t)(mask >> 8 * i);
	}
}

static void header(struct pcicfg *c)
{
	set(c, PCI_VENDOR_ID, 4, 0x10FB8086, 0);
	set(c, PCI_COMMAND, 2, 0, 0x0547);
	set(c, PCI_STATUS, 2, PCI_STATUS_CAP_LIST, 0);
	set(c, PCI_CLASS_REVISION, 4, 0x02000001, 0);
	set(c, PCI_CACHE_LINE_SIZE, 1, 0, 0xFF);
	/* BAR 0: registers, 64 bit, prefetchable; BAR 2: I/O; BAR 4: MSI-X, 64 bit. */
	set(c, PCI_BASE_ADDRESS_0, 4, 0xC, 0xFFFE0000);
	set(c, PCI_BASE_ADDRESS_1, 4, 0, UINT32_MAX);
	set(c, PCI_BASE_ADDRESS_2, 4, 0x1, 0xFFFFFFE0);
	set(c, PCI_BASE_ADDRESS_4, 4, 0xC, ~(PCICFG_BAR_MSIX - 1));
	set(c, PCI_BASE_ADDRESS_5, 4, 0, UINT32_MAX);
	set(c, PCI_SUBSYSTEM_VENDOR_ID, 4, 0x00038086, 0);
	set(c, PCI_CAPABILITY_LIST, 1, CAP_PM, 0);
	set(c, PCI_INTERRUPT_LINE, 1, 0, 0xFF);
	set(c, PCI_INTERRUPT_PIN, 1, 1, 0);
}

static void capabilities(struct pcicfg *c)
{
	set(c, CAP_PM, 4, PCI_CAP_ID_PM | CAP_MSI << 8 | 0x4823u << 16, 0);
	set(c, CAP_PM + PCI_PM_CTRL, 2, 0x2000, 0x0103);
	/* MSI: 64-bit addresses, one vector, maskable. */
	set(c, CAP_MSI, 2, PCI_CAP_ID_MSI | CAP_MSIX << 8, 0);
	set(c, CAP_MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT, 0x71);
	set(c, CAP_MSI + PCI_MSI_ADDRESS_LO, 4, 0, 0xFFFFFFFC);
	set(c, CAP_MSI + PCI_MSI_ADDRESS_HI, 4, 0, UINT32_MAX);
	set(c, CAP_MSI + PCI_MSI_DATA_64, 2, 0, 0xFFFF);
	set(c, CAP_MSI + PCI_MSI_MASK_64, 4, 0, 1);
	/* MSI-X: table and pending bits in BAR 4. */
	set(c, CAP_MSIX, 2, PCI_CAP_ID_MSIX | CAP_EXP << 8, 0);
	set(c, CAP_MSIX + PCI_MSIX_FLAGS, 2, PCICFG_MSIX_N - 1,
	    PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	set(c, CAP_MSIX + PCI_MSIX_TABLE, 4, 4, 0);
	set(c, CAP_MSIX + PCI_MSIX_PBA, 4, PCICFG_MSIX_PBA | 4, 0);
}

static void express(struct pcicfg *c)
{
	/* Endpoint, version 2; FLR; 512-byte payloads; 5 GT/s x8. */
	set(c, CAP_EXP, 4, PCI_CAP_ID_EXP | 0x0002u << 16, 0);
	set(c, CAP_EXP + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_FLR | PCI_EXP_DEVCAP_RBER | 2, 0);
	set(c, CAP_EXP + PCI_EXP_DEVCTL, 2, 0x2810, 0x7FFF);
	set(c, CAP_EXP + PCI_EXP_LNKCAP, 4, 0x82, 0);
	set(c, CAP_EXP + PCI_EXP_LNKCTL, 2, 0, 0x01FB);
	set(c, CAP_EXP + PCI_EXP_LNKSTA, 2, 0x1082, 0);
	set(c, CAP_EXP + PCI_EXP_DEVCAP2, 4, 0x1F, 0);
	set(c, CAP_EXP + PCI_EXP_DEVCTL2, 2, 0, 0x1F);
	set(c, CAP_EXP + PCI_EXP_LNKCTL2, 2, 2, 0x1FF);
}

static void extended(struct pcicfg *c, const uint8_t mac[6])
{
	static const uint8_t fill[2] = { 0xFF, 0xFF };

	set(c, CAP_AER, 4, PCI_EXT_CAP_ID_ERR | 1u << 16 | (uint32_t)CAP_DSN << 20, 0);
	set(c, CAP_AER + PCI_ERR_UNCOR_MASK, 4, 0, 0x001FF030);
	set(c, CAP_AER + PCI_ERR_UNCOR_SEVER, 4, 0x00062030, 0x001FF030);
	set(c, CAP_AER + PCI_ERR_COR_MASK, 4, 0x2000, 0x000031C1);
	set(c, CAP_AER + PCI_ERR_CAP, 4, 0xA0, 0x140);
	/* 9.4.2: the serial number is the address with FF:FF in its middle. */
	set(c, CAP_DSN, 4, PCI_EXT_CAP_ID_DSN | 1u << 16, 0);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t b = i < 3 ? mac[5 - i] : i < 5 ? fill[i - 3] : mac[7 - i];

		set(c, CAP_DSN + 4 + i, 1, b, 0);
	}
}

/* A PASID travels in an End-End TLP prefix: without that the kernel does not believe it. */
static void pasid(struct pcicfg *c)
{
	if (!c->pasid_bits)
		return;
	set(c, CAP_EXP + PCI_EXP_DEVCAP2, 4, 0x1F | PCI_EXP_DEVCAP2_EE_PREFIX | 1u << 22, 0);
	set(c, CAP_DSN + 2, 2, 1u | CAP_PASID << 4, 0);
	set(c, CAP_PASID, 4, PCI_EXT_CAP_ID_PASID | 1u << 16 | (uint32_t)CAP_X << 20, 0);
	set(c, CAP_PASID + PCI_PASID_CAP, 2, c->pasid_bits << 8, 0);
	set(c, CAP_PASID + PCI_PASID_CTRL, 2, 0, PCI_PASID_CTRL_ENABLE);
	set(c, CAP_X, 4, PCI_EXT_CAP_ID_VNDR | 1u << 16, 0);
	set(c, CAP_X + PCI_VNDR_HEADER, 4, PCICFG_X_ID | 1u << 16 | 24u << 20, 0);
	set(c, CAP_X + 8, 4, PCICFG_X_MAGIC, 0);
	/* BAR 0 in the low three bits, as MSI-X does it. */
	set(c, CAP_X + 12, 4, c->pasid_at, 0);
	set(c, CAP_X + 16, 4, c->pasid_queues | c->pasid_bits << 16, 0);
}

void pcicfg_init(struct pcicfg *c, const uint8_t mac[6])
{
	memset(c->b, 0, sizeof(c->b));
	memset(c->mask, 0, sizeof(c->mask));
	header(c);
	capabilities(c);
	express(c);
	extended(c, mac);
	pasid(c);
}

void pcicfg_read(const struct pcicfg *c, unsigned off, void *buf, unsigned len)
{
	memcpy(buf, c->b + off, len);
}

bool pcicfg_write(struct pcicfg *c, unsigned off, const void *buf, unsigned len)
{
	const unsigned flr = CAP_EXP + PCI_EXP_DEVCTL + 1;
	const uint8_t *v = buf;

	for (unsigned i = 0; i < len; i++) {
		uint8_t m = c->mask[off + i];

		c->b[off + i] = (uint8_t)((c->b[off + i] & ~m) | (v[i] & m));
	}
	/* The bit that starts a reset reads as zero. */
	return off <= flr && off + len > flr && v[flr - off] & PCI_EXP_DEVCTL_BCR_FLR >> 8;
}

bool pcicfg_bus_master(const struct pcicfg *c)
{
	return c->b[PCI_COMMAND] & PCI_COMMAND_MASTER;
}
