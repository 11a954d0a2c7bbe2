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

/**
 * struct pcicfg - the space
 * @b: contents, little-endian
 * @mask: bits that a write changes
 */
struct pcicfg {
	uint8_t b[PCICFG_SIZE], mask[PCICFG_SIZE];
};

void pcicfg_init(struct pcicfg *c, const uint8_t mac[6]);

/* @off + @len lies inside. */
void pcicfg_read(const struct pcicfg *c, unsigned off, void *buf, unsigned len);
/* Return: whether a function level reset was asked for. */
bool pcicfg_write(struct pcicfg *c, unsigned off, const void *buf, unsigned len);

bool pcicfg_bus_master(const struct pcicfg *c);

#endif
