/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NIC drivers, and the way from a device string to a port. The table of drivers is explicit and
 * const (nics/table.c): nothing registers itself, nothing vanishes in a static link.
 */
#ifndef WEIR_NICS_NICS_H
#define WEIR_NICS_NICS_H

#include "core/port.h"
#include "pci/pci.h"

WEIR_BEGIN_DECLS

/**
 * struct weir_pci_id - a device that a driver knows
 * @vendor: PCI vendor id
 * @device: PCI device id
 * @name: as people call it
 */
struct weir_pci_id {
	uint16_t vendor, device;
	const char *name;
};

/**
 * struct weir_driver - a driver for PCI NICs, or for ports without PCI
 * @name: "igb"
 * @ids: devices, ended by an entry with vendor 0; NULL for drivers without PCI
 * @probe: make a port of an open device. On success the port owns @d and closes it in its close
 *         op; on failure @d stays the caller's and is as it was
 * @scheme: for drivers without PCI: the part of a device string before the colon ("pcap")
 * @open: for drivers without PCI: make a port of the part after the colon
 */
struct weir_driver {
	const char *name;
	const struct weir_pci_id *ids;
	int (*probe)(struct weir_pci *d, const char *name, struct weir_port **out);
	const char *scheme;
	int (*open)(struct weir *w, const char *name, const char *rest, struct weir_port **out);
};

/* All drivers, NULL at the end. */
WEIR_API extern const struct weir_driver *const weir_drivers[];

/* The driver for a device, or NULL; @id receives the matching entry if not NULL. */
WEIR_API const struct weir_driver *weir_driver_for(const struct weir_pci_info *info,
						   const struct weir_pci_id **id);
/* The driver for a device string of the form "scheme:rest", or NULL. */
WEIR_API const struct weir_driver *weir_driver_for_scheme(const char *devstr);

/* The path in "vfio-user:PATH", or NULL for any other device string. */
WEIR_API const char *weir_user_path(const char *devstr);

/**
 * struct weir_port_open_opts - how to open a port
 * @mode: for devices on the PCI bus; WEIR_MODE_AUTO chooses
 * @ioas: address space to attach to; NULL for the default one of the mode
 */
struct weir_port_open_opts {
	enum weir_mode mode;
	struct weir_ioas *ioas;
};

/**
 * weir_port_open() - make a port of a device string
 * @iommu: place for address spaces; arenas must exist before
 * @devstr: "0000:03:00.0", "03:00.0", "vfio-user:PATH", "vhost-user:PATH", "null:",
 *          "pcap:in.pcap,out.pcap"
 * @opts: NULL for defaults
 * @out: close with weir_port_close()
 * Return: 0; -EINVAL (string), -ENODEV, -EOPNOTSUPP (no driver), or see weir_iodev_open().
 */
WEIR_API int weir_port_open(struct weir_iommu *iommu, const char *devstr,
			    const struct weir_port_open_opts *opts, struct weir_port **out);

/* The PCI device below a port, NULL if there is none. */
WEIR_API struct weir_pci *weir_port_pci(struct weir_port *p);

WEIR_END_DECLS

#endif
