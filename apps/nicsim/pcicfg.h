/* SPDX-License-Identifier: BSD-3-Clause */
/* PCI configuration space of an 82599 (device 8086:10fb). */
#ifndef WEIR_APPS_NICSIM_PCICFG_H
#define WEIR_APPS_NICSIM_PCICFG_H

#include "core/types.h"

#define PCICFG_SIZE	4096u
#define PCICFG_BAR_IO	32u
#define PCICFG_BAR_MSIX 0x4000u
#define PCICFG_MSIX_N	64u
#define PCICFG_MSIX_PBA 0x2000u

/* What the vendor-specific capability of the experimental PASID block says (docs/nicsim.md). */
#define PCICFG_X_ID    0x5751u	   /* VSEC id, and so that nobody else's is taken for it: */
#define PCICFG_X_MAGIC 0x52494557u /* "WEIR" */

/**
 * struct pcicfg - the space
 * @b: contents, little-endian
 * @mask: bits that a write changes
 * @pasid_bits: width of PASIDs, 0: no such capability
 * @pasid_queues: queue pairs that can have one
 * @pasid_at: offset in BAR 0 of their registers
 */
struct pcicfg {
	uint8_t b[PCICFG_SIZE], mask[PCICFG_SIZE];
	unsigned pasid_bits, pasid_queues;
	uint32_t pasid_at;
};

/* As after power on; the PASID members are the caller's. */
void pcicfg_init(struct pcicfg *c, const uint8_t mac[6]);

/* @off + @len lies inside. */
void pcicfg_read(const struct pcicfg *c, unsigned off, void *buf, unsigned len);
/* Return: whether a function level reset was asked for. */
bool pcicfg_write(struct pcicfg *c, unsigned off, const void *buf, unsigned len);

bool pcicfg_bus_master(const struct pcicfg *c);

#endif
