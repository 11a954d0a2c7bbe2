/* SPDX-License-Identifier: BSD-3-Clause */
/* The open device, as pci's own files see it. */
#ifndef WEIR_PCI_DEV_H
#define WEIR_PCI_DEV_H

#include "pci/internal.h"

#define WEIR_PCI_BARS	6
#define WEIR_PCI_EVENTS 2

struct weir_pci {
	struct weir *w;
	struct weir_iommu *iommu;
	struct weir_iodev *io;
	struct weir_pci_info info;
	char name[128]; /* BDF, or "vfio-user:PATH": a socket's path has at most 107 characters */
	bool look;	/* opened to look only */
	struct weir_dma dma;
	struct {
		struct weir_region r;
		void *va;  /* NULL: not mapped */
		int guard; /* slot (iommu/guard.h) */
		size_t len;
	} bars[WEIR_PCI_BARS];
	int events[WEIR_PCI_EVENTS]; /* eventfds (events.c), -1: not watched */
	int *vectors;
	unsigned n_vectors;
};

/* No more events (events.c). */
void weir_pci_unwatch(struct weir_pci *d);
/* Whether a BAR was replaced by all ones (bar.c). */
bool weir_pci_bar_faulted(const struct weir_pci *d);
void weir_pci_unmap_bars(struct weir_pci *d);

#endif
