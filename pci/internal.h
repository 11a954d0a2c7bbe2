/* SPDX-License-Identifier: BSD-3-Clause */
/* What pci's own files share; not installed. */
#ifndef WEIR_PCI_INTERNAL_H
#define WEIR_PCI_INTERNAL_H

#include "core/file.h"
#include "pci/pci.h"

#define WEIR_VFIO_DRIVER "vfio-pci"

/**
 * weir_netdev_in_use() - whether an interface carries traffic someone relies on
 * @what: filled with its addresses and routes, and what stands on it, as text
 * Return: true if it is up with an address (IPv6 link-local apart) or a route, or part of a bridge,
 * a bond, a VLAN interface.
 */
bool weir_netdev_in_use(struct weir *w, const char *ifname, char *what, size_t size);

/* Prior driver as weir_pci_bind() recorded it: "-" for none. Return: 0 or -ENOENT. */
int weir_pci_record_read(struct weir *w, const char *bdf, char *driver, size_t size);

#endif
