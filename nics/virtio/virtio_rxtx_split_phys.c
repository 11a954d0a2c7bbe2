/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio_rxtx_split.c once more, for a device without an IOMMU: see nics/xlate.h. */
#define WEIR_PHYS
#include "nics/virtio/virtio_rxtx_split.c"
