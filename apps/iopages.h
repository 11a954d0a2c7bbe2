/* SPDX-License-Identifier: BSD-3-Clause */
/* Page sizes in the IOMMU's own tables, where the kernel shows them (debugfs of VT-d, root). */
#ifndef WEIR_APPS_IOPAGES_H
#define WEIR_APPS_IOPAGES_H

#include "core/weir.h"

enum iopage { IOPAGE_4K, IOPAGE_2M, IOPAGE_1G, IOPAGE_SIZES };

/**
 * struct iopages - how a range of IOVAs is mapped in hardware
 * @n: entries of each size
 */
struct iopages {
	uint64_t n[IOPAGE_SIZES];
};

uint64_t iopage_bytes(enum iopage p);

/**
 * iopages_read() - count the entries that map a range
 * @w: handle; debugfs is looked for below its sysfs
 * @dev: PCI address as text
 * @pasid: 0 for requests without one
 * @iova: start
 * @len: bytes
 * @out: filled
 * Return: 0, or -errno when the kernel does not show its tables.
 */
int iopages_read(struct weir *w, const char *dev, uint32_t pasid, uint64_t iova, uint64_t len,
		 struct iopages *out);

/* "2 MiB", "16 MiB", "8 KiB": exact where it is a multiple. */
char *iopages_size(uint64_t bytes, char *out, size_t size);

#endif
