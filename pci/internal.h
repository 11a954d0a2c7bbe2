/* SPDX-License-Identifier: BSD-3-Clause */
/* What pci's own files share; not installed. */
#ifndef WEIR_PCI_INTERNAL_H
#define WEIR_PCI_INTERNAL_H

#include "core/file.h"
#include "pci/pci.h"

#define WEIR_VFIO_DRIVER "vfio-pci"

/* Prior driver as weir_pci_bind() recorded it: "-" for none. Return: 0 or -ENOENT. */
int weir_pci_record_read(struct weir *w, const char *bdf, char *driver, size_t size);

#endif
