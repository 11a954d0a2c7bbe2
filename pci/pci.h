/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PCI devices: find them, take them from a kernel driver and give them back, open them, and reach
 * their BARs, config space and interrupts.
 */
#ifndef WEIR_PCI_PCI_H
#define WEIR_PCI_PCI_H

#include "iommu/iommu.h"

WEIR_BEGIN_DECLS

/* Domain, bus, device, function. */
struct weir_bdf {
	uint32_t domain;
	uint8_t bus, dev, fn;
};

#define WEIR_BDF_LEN 20

static inline bool weir_bdf_equal(struct weir_bdf a, struct weir_bdf b)
{
	return a.domain == b.domain && a.bus == b.bus && a.dev == b.dev && a.fn == b.fn;
}

/**
 * weir_bdf_parse() - read "0000:03:00.0" or "03:00.0"
 * Return: 0, or -EINVAL for anything else.
 */
WEIR_API int weir_bdf_parse(const char *s, struct weir_bdf *bdf);
/* Writes the full form, "0000:03:00.0". */
WEIR_API void weir_bdf_format(struct weir_bdf bdf, char out[WEIR_BDF_LEN]);

#define WEIR_MAX_NETDEVS 4

/**
 * struct weir_pci_info - what sysfs says about a device
 * @bdf: address
 * @vendor: vendor id, device id, subsystem ids, revision and 24-bit class code follow
 * @driver: kernel driver bound, "" if none
 * @prior: driver that weir_pci_bind() took it from, "" if weir did not
 * @node: NUMA node, -1 if unknown
 * @group: IOMMU group, -1 without an IOMMU
 * @cdev: "/dev/vfio/devices/vfioN" while bound to a vfio driver, "" otherwise
 * @netdevs: network interfaces, @n_netdevs of them
 * @vf_total: VFs it can have, 0 without SR-IOV
 * @vf_count: VFs it has now
 * @is_vf: it is itself a virtual function
 * @is_process: it is no hardware but a process at the other end of a socket (vfio-user)
 */
struct weir_pci_info {
	struct weir_bdf bdf;
	uint16_t vendor, device, subvendor, subdevice;
	uint8_t revision;
	uint32_t class_code;
	char driver[32];
	char prior[32];
	int node;
	int group;
	char cdev[128];
	char netdevs[WEIR_MAX_NETDEVS][16];
	unsigned n_netdevs;
	unsigned vf_total, vf_count;
	bool is_vf;
	bool is_process;
};

#define WEIR_PCI_CLASS_NETWORK 0x02

/* Return: 0; -ENODEV with a sentence if there is no such device. */
WEIR_API int weir_pci_info(struct weir *w, struct weir_bdf bdf, struct weir_pci_info *info);

/**
 * weir_pci_scan() - list devices
 * @w: handle
 * @base_class: base class (the class code's top byte) to list, -1 for all
 * @out: array sorted by address; free() it
 * @n: its length
 */
WEIR_API int weir_pci_scan(struct weir *w, int base_class, struct weir_pci_info **out, unsigned *n);

/* Writes the device's folder in sysfs. Return: 0, or -ENAMETOOLONG. */
WEIR_API int weir_pci_sysdev(struct weir *w, struct weir_bdf bdf, char *out, size_t size);

/**
 * weir_pci_members() - the other devices of a device's IOMMU group
 * @w: handle
 * @bdf: device
 * @out: filled, ascending
 * @n: room in @out
 *
 * The IOMMU cannot tell a group's devices apart, or they can reach each other without it: the kernel
 * hands out all of them, to one process, or none.
 * Return: how many there are (may exceed @n), -ENODEV without an IOMMU.
 */
WEIR_API int weir_pci_members(struct weir *w, struct weir_bdf bdf, struct weir_bdf *out,
			      unsigned n);

/* The bridge or port that a device hangs on. Return: 0; -ENOENT at the root. */
WEIR_API int weir_pci_parent(struct weir *w, struct weir_bdf bdf, struct weir_bdf *parent);

/**
 * weir_pci_aliases() - other requester ids that a device's DMA may carry
 * @w: handle
 * @bdf: device
 * @out: filled, nearest first
 * @n: room in @out
 *
 * Bridges to and of conventional PCI put an id of theirs in the place of the device's (PCI Express to
 * PCI/PCI-X Bridge 1.0, 2.3). Their kind stands where only root may read: others see none. Nor are
 * ids seen that a device uses against the specification, for which the kernel has a list.
 * Return: how many there are (may exceed @n).
 */
WEIR_API int weir_pci_aliases(struct weir *w, struct weir_bdf bdf, struct weir_bdf *out,
			      unsigned n);

/**
 * weir_netdev_in_use() - whether an interface carries traffic someone relies on
 * @w: handle
 * @ifname: interface, of the caller's network namespace
 * @what: filled with its addresses and routes, and what stands on it, as text
 * @size: of @what
 * Return: true if it is up with an address (IPv6 link-local apart) or a route, or part of a bridge,
 * a bond, a VLAN interface.
 */
WEIR_API bool weir_netdev_in_use(struct weir *w, const char *ifname, char *what, size_t size);

/**
 * weir_pci_holder() - which process has a device's VFIO nodes open
 * @w: handle
 * @info: of the device
 * @comm: filled with the process's name
 * @size: of @comm
 *
 * Only root sees other users' processes. Return: process id, 0 if nobody is seen to have it.
 */
WEIR_API int weir_pci_holder(struct weir *w, const struct weir_pci_info *info, char *comm,
			     size_t size);

/* Which modes the device could be used in, and why not; see weir_mode_probe(). */
WEIR_API void weir_pci_modes(struct weir *w, struct weir_bdf bdf, struct weir_mode_report *r);

enum weir_bind_flags { WEIR_BIND_FORCE = 1 };

/**
 * weir_pci_bind() - take a device from its kernel driver for vfio-pci, or leave all as it was
 * @w: handle
 * @bdf: device
 * @flags: WEIR_BIND_FORCE takes it although its interface is in use
 *
 * Looks before it unbinds; checks the driver link afterwards; rolls back on failure. The prior
 * driver is recorded under weir_run() before anything is changed. Binding a bound device is fine.
 * Return: 0 (1 if it was bound already); -EBUSY (interface in use: an address, a route, part of a
 * bridge, bond or VLAN), -ENODEV, -ENOENT (vfio-pci not in the kernel), -EPERM, or what the
 * kernel said.
 */
WEIR_API int weir_pci_bind(struct weir *w, struct weir_bdf bdf, unsigned flags);

/**
 * weir_pci_release() - give a device back to the driver it had
 *
 * Clears driver_override; probes the recorded driver, or lets the kernel choose when there is no
 * record. Can be repeated. Return: 0 (1 if there was nothing to do), or negative errno.
 */
WEIR_API int weir_pci_release(struct weir *w, struct weir_bdf bdf);

/**
 * weir_pci_set_vfs() - create or remove virtual functions
 * @bdf: physical function
 * @n: how many it shall have; 0 removes them
 */
WEIR_API int weir_pci_set_vfs(struct weir *w, struct weir_bdf bdf, unsigned n);

/* --- an open device --- */

struct weir_pci;

/**
 * weir_pci_open() - open, attach to an address space, map the arenas
 * @iommu: place
 * @bdf: bound to vfio-pci
 * @mode: backend, or WEIR_MODE_AUTO
 * @as: address space of the mode that results, or NULL for the mode's default one
 * @out: close with weir_pci_close()
 *
 * The device is reset if it can be, and bus mastering is off.
 */
WEIR_API int weir_pci_open(struct weir_iommu *iommu, struct weir_bdf bdf, enum weir_mode mode,
			   struct weir_ioas *as, struct weir_pci **out);

enum weir_pci_user_flags {
	/* Only look: no reset, no change to the device, memory is not shared with it. */
	WEIR_PCI_LOOK = 1,
};

/**
 * weir_pci_open_user() - the same for a device that another process serves by vfio-user
 * @iommu: place
 * @path: the server's UNIX socket, or "fd=N" for one that is connected already: it is taken
 * @as: address space of WEIR_MODE_VFIO_USER, or NULL for the default one
 * @flags: enum weir_pci_user_flags
 * @out: close with weir_pci_close()
 *
 * Its weir_pci_info comes from config space; node and group are -1, the address is all zeroes.
 * Return: 0; -ENOENT, -ECONNREFUSED (no server), -EPROTO, -ETIMEDOUT, -ENODEV.
 */
WEIR_API int weir_pci_open_user(struct weir_iommu *iommu, const char *path, struct weir_ioas *as,
				unsigned flags, struct weir_pci **out);

/**
 * weir_pci_open_fd() - the same for a device whose cdev somebody else has opened
 * @iommu: place; see weir_iommu_set_fd()
 * @fd: see weir_iodev_open_fd(); it is taken, and closed on failure too
 * @bdf: its address, which is checked, or NULL to look for it
 * @as: address space of WEIR_MODE_CDEV, or NULL for the default one
 * @out: close with weir_pci_close()
 *
 * Where sysfs does not tell about it, its weir_pci_info comes from config space; node and group are
 * -1 then, and the address all zeroes unless @bdf is given.
 */
WEIR_API int weir_pci_open_fd(struct weir_iommu *iommu, int fd, const struct weir_bdf *bdf,
			      struct weir_ioas *as, struct weir_pci **out);

/**
 * weir_pci_close() - bus mastering off, reset, interrupts off, BARs unmapped, detached, closed
 * @d: or NULL
 */
WEIR_API void weir_pci_close(struct weir_pci *d);

WEIR_API struct weir *weir_pci_handle(const struct weir_pci *d);
WEIR_API const struct weir_pci_info *weir_pci_info_of(const struct weir_pci *d);
/* Name for messages: the BDF as text, or "vfio-user:PATH". */
WEIR_API const char *weir_pci_name(const struct weir_pci *d);
WEIR_API struct weir_iodev *weir_pci_iodev(struct weir_pci *d);
/* How the device sees the window: for filling in descriptors. */
WEIR_API const struct weir_dma *weir_pci_dma(const struct weir_pci *d);

/* Config space. @size is 1, 2 or 4; @off a multiple of it. */
WEIR_API int weir_pci_cfg_read(struct weir_pci *d, unsigned off, unsigned size, uint32_t *v);
WEIR_API int weir_pci_cfg_write(struct weir_pci *d, unsigned off, unsigned size, uint32_t v);

/**
 * weir_pci_find_cap() - find a capability
 * @id: PCI_CAP_ID_*
 * @after: offset of the one before, 0 for the first
 *
 * Survives chains that loop or run out of config space.
 * Return: offset in config space, 0 if there is none, or negative errno.
 */
WEIR_API int weir_pci_find_cap(struct weir_pci *d, unsigned id, unsigned after);
/* The same for extended capabilities. */
WEIR_API int weir_pci_find_ext_cap(struct weir_pci *d, unsigned id, unsigned after);

/* Bus mastering: nothing is read or written by the device while it is off. */
WEIR_API int weir_pci_bus_master(struct weir_pci *d, bool on);

/**
 * struct weir_bar - a mapped BAR
 * @va: start; only the areas that the kernel lets be mapped may be touched (see weir_bar_ok())
 * @size: bytes of the whole BAR
 */
struct weir_bar {
	volatile void *va;
	uint64_t size;
};

/**
 * weir_pci_bar() - map a memory BAR; later calls return the same mapping
 * @index: 0 to 5
 *
 * Address space for the whole BAR is reserved; areas that cannot be mapped (the MSI-X table on
 * some kernels) stay inaccessible. Unmapped by weir_pci_close().
 * Return: 0; -ENODEV if the BAR does not exist, -ENOTSUP if it cannot be mapped.
 */
WEIR_API int weir_pci_bar(struct weir_pci *d, unsigned index, struct weir_bar *bar);
/* Whether @len bytes at @off lie in the BAR and in one mapped area. */
WEIR_API bool weir_bar_ok(struct weir_pci *d, unsigned index, uint64_t off, uint64_t len);

/**
 * weir_pci_reg_read32() - read a register, whether or not it can be mapped
 * @bar: 0 to 5; weir_pci_bar() need not have been called
 * @off: multiple of 4
 * @v: UINT32_MAX on failure, as a device that is gone would answer
 *
 * Control path. Plain MMIO where weir_pci_bar() has mapped the whole BAR; otherwise the device is
 * asked (a system call, or a message to a vfio-user server), also for offsets in an area that is
 * mapped: what a server shares as memory can have no side effects, and its registers may.
 * Any thread may call it while the device is open.
 * Return: 0 or negative errno.
 */
WEIR_API int weir_pci_reg_read32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t *v);
WEIR_API int weir_pci_reg_write32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t v);

/**
 * weir_pci_msix() - MSI-X vectors as eventfds
 * @n: vectors; 0 turns them off
 *
 * The eventfds are non-blocking and belong to the device: weir_pci_msix_fd(). When the number
 * changes, those of the vectors that stay are the same ones as before. On failure there are none.
 * Return: 0; -ENOSPC if the device has fewer.
 */
WEIR_API int weir_pci_msix(struct weir_pci *d, unsigned n);
WEIR_API int weir_pci_msix_count(struct weir_pci *d);
/* Eventfd of vector @i, or -EINVAL. */
WEIR_API int weir_pci_msix_fd(struct weir_pci *d, unsigned i);
/* Empty an eventfd. Return: the count that was in it. */
WEIR_API uint64_t weir_eventfd_drain(int fd);

enum weir_pci_event {
	/*
	 * The device is wanted back: its driver is being unbound, or it is removed or unplugged. The
	 * kernel waits for weir_pci_close(), and with it whoever asked.
	 */
	WEIR_PCI_EVENT_REQUEST = 1,
	/* PCI Express reported an error that was not corrected (AER): stop and close the device. */
	WEIR_PCI_EVENT_ERROR = 2,
	/*
	 * A BAR faulted and reads as all ones since (weir_iommu_bus_fault()): the device is of no use.
	 * Told at each look, and without weir_pci_watch(); it has no eventfd.
	 */
	WEIR_PCI_EVENT_FAULT = 4,
};

/**
 * weir_pci_watch() - have requests and errors told
 *
 * One eventfd each, non-blocking, the device's own; a second call changes nothing. An event that a
 * device or its server cannot tell is left out.
 * Return: the enum weir_pci_event that will be told, or negative errno (no eventfd left).
 */
WEIR_API int weir_pci_watch(struct weir_pci *d);
/* The eventfd of one event, for poll(); -EINVAL if it is not watched. */
WEIR_API int weir_pci_event_fd(struct weir_pci *d, enum weir_pci_event event);
/**
 * weir_pci_events() - what came since the last call; never waits
 *
 * Whoever gets WEIR_PCI_EVENT_REQUEST stops using the device and closes it, within a second if
 * others are not to wait. Any thread, one at a time.
 * Return: set of enum weir_pci_event.
 */
WEIR_API unsigned weir_pci_events(struct weir_pci *d);

/* Function reset; see weir_iodev_reset(). Bus mastering is off afterwards. */
WEIR_API int weir_pci_reset(struct weir_pci *d);
/* Reset of the slot or bus; see weir_iodev_hot_reset(). Bus mastering is off afterwards. */
WEIR_API int weir_pci_hot_reset(struct weir_pci *d);

WEIR_END_DECLS

#endif
