/* SPDX-License-Identifier: BSD-3-Clause */
/* SIGBUS on the registers of a device that has vanished must not end the run of the others. */
#ifndef WEIR_APPS_FAULT_H
#define WEIR_APPS_FAULT_H

#include "iommu/iommu.h"

/*
 * Catch SIGBUS for the BARs of one weir_iommu; any other ends the process as it would have. The
 * second ends that, before the weir_iommu is closed.
 */
void fault_catch(struct weir_iommu *iommu);
void fault_release(void);

#endif
