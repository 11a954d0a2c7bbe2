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

struct weir_port_open_opts;

/**
 * struct weir_driver - a driver for PCI NICs, or for ports without PCI
 * @name: "igb"
 * @ids: devices, ended by an entry with vendor 0; NULL for drivers without PCI
 * @probe: make a port of an open device. On success the port owns @d and closes it in its close
 *         op; on failure @d stays the caller's and is as it was
 * @scheme: for drivers without PCI: the part of a device string before the colon ("pcap")
 * @open: for drivers without PCI: make a port of the part after the colon
 * @open_mapped: the same for devices that memory is mapped for
 */
struct weir_driver {
	const char *name;
	const struct weir_pci_id *ids;
	int (*probe)(struct weir_pci *d, const char *name, struct weir_port **out);
	const char *scheme;
	int (*open)(struct weir *w, const char *name, const char *rest, struct weir_port **out);
	int (*open_mapped)(struct weir_iommu *iommu, const char *name, const char *rest,
			   const struct weir_port_open_opts *opts, struct weir_port **out);
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
 * weir_devstr_split() - take ",mode=MODE" off a device string of the PCI bus
 * @devstr: "0000:03:00.0,mode=group"; anything else is left alone
 * @name: receives what comes before, "0000:03:00.0"
 * @size: room in @name
 * @mode: set if the string names one
 * Return: 0; -EINVAL for another option, or a mode that there is not.
 */
WEIR_API int weir_devstr_split(const char *devstr, char *name, size_t size, enum weir_mode *mode);

/**
 * weir_port_open() - make a port of a device string
 * @iommu: place for address spaces; arenas must exist before
 * @devstr: "0000:03:00.0", "03:00.0", either with ",mode=MODE" (which goes before @opts),
 *          "vfio-user:PATH", "vhost-user:PATH", "vhost:PATH",
 *          "vdpa:/dev/vhost-vdpa-N", "null:", "pcap:in.pcap,out.pcap";
 *          files that were handed in: "fd:N" or "fd:N,bdf=0000:03:00.0"
 *          (a VFIO cdev), "vfio-user:fd=N" (a connected socket); they are taken, and closed with
 *          the port or on failure
 * @opts: NULL for defaults
 * @out: close with weir_port_close()
 * Return: 0; -EINVAL (string), -ENODEV, -EOPNOTSUPP (no driver), or see weir_iodev_open().
 */
WEIR_API int weir_port_open(struct weir_iommu *iommu, const char *devstr,
			    const struct weir_port_open_opts *opts, struct weir_port **out);

/* The PCI device below a port, NULL if there is none. */
WEIR_API struct weir_pci *weir_port_pci(struct weir_port *p);

/* --- queues with an address space of their own (nics/assign.c) --- */

/**
 * weir_queue_assignable() - whether queue pairs of a port can have address spaces of their own
 * @p: port, in any state
 * @why: filled when they cannot: the reason and its remedy
 *
 * It takes a driver that can tag queues, a device that sends PASIDs, and an IOMMU and a kernel (or a
 * vfio-user server) that translate them. Nothing is tried out on the device.
 * Return: width of a PASID in bits, or -EOPNOTSUPP.
 */
WEIR_API int weir_queue_assignable(struct weir_port *p, char why[WEIR_WHY_LEN]);

enum weir_assign_flags {
	/* Without PASIDs map the arena where the whole device can reach it, and say so. */
	WEIR_ASSIGN_OR_SHARE = 1 << 0,
};

/**
 * struct weir_assign - a queue pair that has been given to a tenant
 * @port: port
 * @queue: pair: RX and TX queue of this number, and those that are tagged with it
 * @ioas: where the tenant's memory is mapped: the one asked for, or the device's if @shared; whoever
 *        moves @pasid (weir_iodev_pasid_move()) sets it anew
 * @arena: the tenant's memory
 * @dma: how the pair sees it
 * @pasid: what all requests of the pair carry; 0 if @shared
 * @shared: nothing keeps the other queues of the device from this arena, nor this pair from theirs
 * @why: with @shared: why it is not separated
 */
struct weir_assign {
	struct weir_port *port;
	unsigned queue;
	struct weir_ioas *ioas;
	const struct weir_arena *arena;
	struct weir_dma dma;
	uint32_t pasid;
	bool shared;
	char why[WEIR_WHY_LEN];
};

/**
 * weir_queue_assign() - let a queue pair reach one tenant's memory and nothing else
 * @p: configured port, not running
 * @q: pair; the first of those that the device tags together (weir_port_caps.tag_queues)
 * @as: the tenant's address space, of the mode of the port's device. Several pairs, of several
 *      ports too, may share one
 * @arena: the tenant's memory (WEIR_ARENA_PRIVATE, or every device reaches it anyway)
 * @flags: enum weir_assign_flags
 * @out: what came of it; end with weir_queue_release(). May be moved, not copied
 *
 * Chooses a PASID, attaches it to @as, maps @arena there, and has the driver tag the pair. The order
 * of calls:
 *
 *   weir_arena_create(WEIR_ARENA_PRIVATE), weir_pool_create() in it, weir_ioas_create()
 *   weir_port_configure() with conf.queue_arena[q] = the arena, so that rings lie in it
 *   weir_queue_assign(), weir_port_queue_cache() with a cache of the tenant's pool
 *   weir_port_start() ... weir_port_stop()
 *   weir_queue_release(), then the port may be configured anew or closed
 *
 * Frames come to the pair by the RSS table (weir_port_rss_set()) or a filter. A pair whose access was
 * refused may be stopped by the device: weir_port_queue_stopped().
 *
 * On failure all is as it was before. Control path: not concurrent with other calls on the port or
 * its struct weir_iommu.
 * Return: 0; -EOPNOTSUPP with the reason (never with WEIR_ASSIGN_OR_SHARE for want of PASIDs);
 * -EINVAL (no such pair, rings elsewhere, address space of another mode); -EBUSY (running, or
 * assigned already); -ENOSPC (PASIDs); or see weir_ioas_map().
 */
WEIR_API int weir_queue_assign(struct weir_port *p, unsigned q, struct weir_ioas *as,
			       const struct weir_arena *arena, unsigned flags,
			       struct weir_assign *out);

/**
 * weir_queue_release() - undo weir_queue_assign()
 * @a: assignment; its port is not running
 *
 * Takes the tag away, detaches the PASID, and unmaps the arena when no other assignment holds it
 * there (weir_ioas_hold_arena()) or nothing is attached to that address space any more. The order in
 * which assignments are released does not matter. Goes on after a failure.
 * Return: 0; -EBUSY while running (nothing is changed then); the first error.
 */
WEIR_API int weir_queue_release(struct weir_assign *a);

WEIR_END_DECLS

#endif
