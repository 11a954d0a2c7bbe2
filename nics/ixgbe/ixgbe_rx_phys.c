/* SPDX-License-Identifier: BSD-3-Clause */
/* ixgbe_rx.c once more, for a device without an IOMMU: see nics/xlate.h. */
#define WEIR_PHYS
#include "nics/ixgbe/ixgbe_rx.c"
