/* SPDX-License-Identifier: BSD-3-Clause */
/* nics/intel_rxtx.c once more, for a device without an IOMMU: see nics/xlate.h. */
#define WEIR_PHYS
#include "nics/intel_rxtx.c"
