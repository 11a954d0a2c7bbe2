/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine without an IOMMU for the tests of drivers: the pages of the window lie in physical
 * memory in another order, with gaps, so that a wrong page or an address past one is noticed.
 */
#ifndef WEIR_TESTS_FAKE_PHYS_H
#define WEIR_TESTS_FAKE_PHYS_H

#include "core/arena.h"

#define FAKE_PHYS_PAGES 512 /* a window of 1 GiB */

static weir_iova_t fake_phys_table[FAKE_PHYS_PAGES];
/* Whether tests run as without an IOMMU; a row of their groups. */
static bool fake_phys;

static inline const uint64_t *fake_phys_pages(void)
{
	for (unsigned i = 0; i < FAKE_PHYS_PAGES; i++)
		fake_phys_table[i] = UINT64_C(0x7000000000) +
				     (i * 5 + 3) % FAKE_PHYS_PAGES * UINT64_C(3) * WEIR_DMA_PAGE;
	return fake_phys ? fake_phys_table : NULL;
}

/* What a device finds at an address; NULL for what is not the window's. */
static inline void *fake_dma_va(const struct weir_dma *d, uint64_t iova)
{
	if (!d->pages)
		return d->va_base + (iova - d->iova_base);
	for (size_t i = 0; i < FAKE_PHYS_PAGES; i++)
		if (iova - d->pages[i] < WEIR_DMA_PAGE)
			return d->va_base + i * WEIR_DMA_PAGE + (iova - d->pages[i]);
	return NULL;
}

#endif
