/* SPDX-License-Identifier: BSD-3-Clause */
/* ixgbe_tx.c once more, for a device without an IOMMU: see nics/xlate.h. */
#define WEIR_PHYS
#include "nics/ixgbe/ixgbe_tx.c"
