/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space of a device without extended capabilities, for tests that stand in for the bus. */
#ifndef WEIR_TESTS_FAKE_NO_CAPS_H
#define WEIR_TESTS_FAKE_NO_CAPS_H

#include "pci/pci.h"

int weir_pci_find_ext_cap(struct weir_pci *d, unsigned id, unsigned after)
{
	(void)d;
	(void)id;
	(void)after;
	return 0;
}

int weir_pci_cfg_read(struct weir_pci *d, unsigned off, unsigned size, uint32_t *v)
{
	(void)d;
	(void)off;
	(void)size;
	*v = UINT32_MAX;
	return -EIO;
}

#endif
