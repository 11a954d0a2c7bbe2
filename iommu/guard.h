/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where devices' BARs are mapped, for weir_iommu_bus_fault(): a table that a signal handler can read
 * at any time. Between pci and iommu; not installed.
 */
#ifndef WEIR_IOMMU_GUARD_H
#define WEIR_IOMMU_GUARD_H

#include "iommu/iommu.h"

/* Enter a range. Return: its slot, or -ENOSPC: then a fault in it is not caught. */
int weir_guard_enter(struct weir_iommu *iommu, void *va, size_t len);
/* Before the range is unmapped. A negative slot is fine. */
void weir_guard_leave(struct weir_iommu *iommu, int slot);
/* Whether the range has faulted since it was entered. */
bool weir_guard_hit(const struct weir_iommu *iommu, int slot);

#endif
