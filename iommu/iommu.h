/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address spaces, and devices as VFIO knows them. Opening does not attach, attaching does not map,
 * asking sets nothing up. How the kernel is talked to (cdev + IOMMUFD, group + container) is a
 * backend: one const table in one file, chosen per device, with the reason kept.
 *
 * Life of a device: weir_iodev_open() -> weir_iodev_attach() -> regions, interrupts, reset ->
 * weir_iodev_detach() -> weir_iodev_close(). Control path only: no call here is thread-safe
 * against another on the same weir_iommu.
 */
#ifndef WEIR_IOMMU_IOMMU_H
#define WEIR_IOMMU_IOMMU_H

#include "core/arena.h"

WEIR_BEGIN_DECLS

/*
 * In order of safety; AUTO tries from the first down, and never takes NOIOMMU. cdev hands out one
 * device, and only that, with address spaces of its own; the others hand out a whole group. Of these,
 * type1v2 in its own container is what has been used the longest; IOMMUFD's imitation of it gives the
 * same protection, and is there where a kernel has no container any more; type1 in its first version
 * comes last, for its unmapping may silently take away more than was asked for.
 */
enum weir_mode {
	WEIR_MODE_AUTO,
	WEIR_MODE_CDEV,	     /* VFIO cdev + IOMMUFD */
	WEIR_MODE_GROUP,     /* VFIO group + container, type1v2 */
	WEIR_MODE_COMPAT,    /* VFIO group + IOMMUFD as the container */
	WEIR_MODE_TYPE1,     /* VFIO group + container, type1 */
	WEIR_MODE_VFIO_USER, /* a server on a UNIX socket, "vfio-user:PATH"; never for other devices */
	WEIR_MODE_VDPA,	     /* vhost-vdpa, "vdpa:/dev/vhost-vdpa-N"; never for other devices */
	WEIR_MODE_NOIOMMU, /* VFIO group without an IOMMU: the device can reach all memory */
	WEIR_MODE_MAX,
};

/* "auto", "cdev", "group", "compat", "type1", "vfio-user", "noiommu" */
WEIR_API const char *weir_mode_name(enum weir_mode mode);
/* Return: 0, or -EINVAL. */
WEIR_API int weir_mode_parse(const char *s, enum weir_mode *mode);

#define WEIR_WHY_LEN 256

/**
 * struct weir_mode_report - which modes a device can use, and why not
 * @usable: 0, or the negative errno with which the mode would fail
 * @why: a sentence for each mode that is not usable, with its remedy; "" for a usable one, and for
 *       one that is not made for this kind of device
 * @id: stable id of that reason
 * @chosen: mode in use or that AUTO would take; WEIR_MODE_AUTO when none is usable
 */
struct weir_mode_report {
	int usable[WEIR_MODE_MAX];
	char why[WEIR_MODE_MAX][WEIR_WHY_LEN];
	const char *id[WEIR_MODE_MAX];
	enum weir_mode chosen;
};

struct weir_iommu;
struct weir_ioas;
struct weir_iodev;

/**
 * weir_iommu_open() - a place for address spaces of one handle
 * @w: handle
 * @out: end with weir_iommu_close(). Opens nothing in the kernel yet
 */
WEIR_API int weir_iommu_open(struct weir *w, struct weir_iommu **out);

/**
 * weir_iommu_close() - end it
 * @iommu: or NULL; devices closed before (if not, that is said, and the last one's end is its end).
 *         Destroys address spaces that are left
 */
WEIR_API void weir_iommu_close(struct weir_iommu *iommu);

/* The handle it was opened with. */
WEIR_API struct weir *weir_iommu_handle(const struct weir_iommu *iommu);

/**
 * weir_iommu_set_fd() - use an open /dev/iommu instead of opening it
 * @iommu: with which nothing was opened in cdev mode yet
 * @fd: open for reading and writing; it is taken, and closed on failure too
 *
 * For a process that may not open it, together with weir_iodev_open_fd(). Locked memory counts
 * against the limit of the process that maps, not of the one that opened the file.
 * Return: 0; -EBADF, -EINVAL (no iommufd), -EBUSY (too late).
 */
WEIR_API int weir_iommu_set_fd(struct weir_iommu *iommu, int fd);

/**
 * weir_iommu_bus_fault() - after SIGBUS: put all ones in place of a BAR whose device has vanished
 * @iommu: any; open
 * @addr: siginfo_t.si_addr
 *
 * Touching the BAR of a device that was unplugged, or whose memory decoding was turned off, can be
 * SIGBUS. The library installs no handler; one of the application calls this and returns if the
 * answer is true: the access is done again, reads all ones, and the driver finds its device gone
 * (weir_pci_events() tells WEIR_PCI_EVENT_FAULT). If false, the fault is another's.
 * Async-signal-safe; any thread.
 * Return: whether @addr lay in a mapped BAR and memory was put there.
 */
WEIR_API bool weir_iommu_bus_fault(struct weir_iommu *iommu, void *addr);

/**
 * weir_iommu_set_timeout() - how long a vfio-user server may take to answer
 * @ms: milliseconds, > 0; 5000 unless set. Devices opened later have it
 */
WEIR_API void weir_iommu_set_timeout(struct weir_iommu *iommu, unsigned ms);

/**
 * weir_mode_probe() - look at a device without touching it
 * @w: handle
 * @sysdev: its folder in sysfs, e.g. "/sys/bus/pci/devices/0000:03:00.0", or "vfio-user:PATH"
 * @r: filled for every mode
 */
WEIR_API void weir_mode_probe(struct weir *w, const char *sysdev, struct weir_mode_report *r);

/* --- address spaces --- */

/* What stands behind a mapping. */
enum weir_map_source {
	WEIR_SOURCE_ADDRESS, /* memory of the caller's */
	WEIR_SOURCE_ARENA,   /* an arena: memfd */
	WEIR_SOURCE_FILE,    /* a file, weir_ioas_map_file() */
	WEIR_SOURCE_BAR,     /* another device's registers, weir_ioas_map_bar() */
	WEIR_SOURCE_MAX,
};

enum weir_prot { WEIR_PROT_READ = 1, WEIR_PROT_WRITE = 2, WEIR_PROT_RW = 3 };

struct weir_iova_range {
	uint64_t start;
	uint64_t last; /* inclusive */
};

/**
 * weir_ioas_create() - a new, empty address space
 * @iommu: place
 * @mode: backend whose devices can be attached: not WEIR_MODE_AUTO
 * @out: destroy with weir_ioas_destroy() when no device is attached
 */
WEIR_API int weir_ioas_create(struct weir_iommu *iommu, enum weir_mode mode,
			      struct weir_ioas **out);

/**
 * weir_ioas_destroy() - unmap all and end it
 * Return: 0, or -EBUSY while a device is attached (nothing is changed then).
 */
WEIR_API int weir_ioas_destroy(struct weir_ioas *as);

/**
 * weir_ioas_default() - the address space shared by all devices of one mode
 * @iommu: place
 * @mode: not WEIR_MODE_AUTO
 * @out: belongs to @iommu
 */
WEIR_API int weir_ioas_default(struct weir_iommu *iommu, enum weir_mode mode,
			       struct weir_ioas **out);

/**
 * weir_ioas_ranges() - IOVAs that may be mapped
 * @as: address space; in group mode known only once a device is attached
 * @r: up to @n ranges, ascending
 * @n: room in @r
 * @align: page size that mappings must keep to
 * Return: number of ranges there are (may exceed @n), or negative errno.
 */
WEIR_API int weir_ioas_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n,
			      uint64_t *align);

/**
 * weir_ioas_map() - let attached devices reach memory
 * @as: address space
 * @va: start, page-aligned
 * @len: bytes, whole pages
 * @iova: where; checked against the allowed ranges and what is mapped already
 * @prot: enum weir_prot, as seen by the device
 *
 * Locked memory is computed against the limit before the kernel is asked. Without an IOMMU no
 * address can be chosen: -EOPNOTSUPP, weir_ioas_map_arena() is the way.
 * Return: 0; -EINVAL (alignment, overflow), -EEXIST (overlap), -ERANGE (reserved or past the
 * address width), -ENOMEM (memlock), or the kernel's errno.
 */
WEIR_API int weir_ioas_map(struct weir_ioas *as, void *va, size_t len, weir_iova_t iova,
			   unsigned prot);

/**
 * weir_ioas_map_file() - let attached devices reach a memfd
 * @as: address space
 * @fd: memfd, hugepages or not; a duplicate is kept, the caller's may be closed
 * @off: where in it, page-aligned
 * @len: bytes, whole pages
 * @iova: as for weir_ioas_map()
 * @prot: likewise
 *
 * Where IOMMUFD can map files (Linux 6.13) no address of this process is in between; elsewhere the
 * file is mapped for as long as the mapping lives.
 * Return: as weir_ioas_map(); -EINVAL past the end of the file.
 */
WEIR_API int weir_ioas_map_file(struct weir_ioas *as, int fd, uint64_t off, size_t len,
				weir_iova_t iova, unsigned prot);

/**
 * weir_ioas_map_bar() - let attached devices reach another device's BAR (peer to peer)
 * @as: address space, in cdev or group mode
 * @d: whose BAR; attached, in the same mode. Detaching it takes the mapping away
 * @region: its number
 * @off: where in it, page-aligned
 * @len: bytes, whole pages
 * @iova: as for weir_ioas_map()
 * @prot: likewise
 *
 * Whether requests between the two devices find their way is the PCI topology's matter.
 * Return: 0; -EOPNOTSUPP where the mode or the kernel cannot; else as weir_ioas_map().
 */
WEIR_API int weir_ioas_map_bar(struct weir_ioas *as, struct weir_iodev *d, unsigned region,
			       uint64_t off, size_t len, weir_iova_t iova, unsigned prot);

/**
 * weir_ioas_copy() - map what another address space has mapped
 * @dst: address space
 * @dst_iova: where in it
 * @src: the other one, of the same place
 * @src_iova: where in that; with @len within one mapping
 * @len: bytes, whole pages
 * @prot: no more than the mapping has
 *
 * In cdev mode the kernel shares the locked pages: they are locked, and count, once. Other modes map
 * them once more. Either may be unmapped first. Arenas need no call of this: mapping one that another
 * address space has copies it where that can be done.
 * Return: 0; -ENOENT where nothing, or only a part, is mapped; -EACCES for too much @prot; -EOPNOTSUPP
 * for a BAR outside of cdev mode (weir_ioas_map_bar() maps it once more); else as weir_ioas_map().
 */
WEIR_API int weir_ioas_copy(struct weir_ioas *dst, weir_iova_t dst_iova, struct weir_ioas *src,
			    weir_iova_t src_iova, size_t len, unsigned prot);

/**
 * weir_ioas_clone() - map all that another address space has mapped, at the same IOVAs
 * @dst: empty, of the same place
 * @src: what to copy; the place of its window too
 *
 * So that a device can be moved from one to the other while it works: see weir_iodev_move().
 * Return: 0; else as weir_ioas_copy(), with @dst empty again.
 */
WEIR_API int weir_ioas_clone(struct weir_ioas *dst, struct weir_ioas *src);

/**
 * weir_ioas_unmap() - take a mapping away
 * @iova: start of a mapping
 * @len: its length; parts of a mapping are refused with -EINVAL
 */
WEIR_API int weir_ioas_unmap(struct weir_ioas *as, weir_iova_t iova, size_t len);

/**
 * weir_ioas_alloc_iova() - find room
 * @len: bytes
 * @align: power of two. Where there is room the result is aligned to the largest page (1 GiB, 2 MiB)
 *         that fits into @len, too
 * @iova: free and allowed at the time of the call; not reserved for the caller
 * Return: 0 or -ENOSPC.
 */
WEIR_API int weir_ioas_alloc_iova(struct weir_ioas *as, uint64_t len, uint64_t align,
				  weir_iova_t *iova);

/**
 * weir_ioas_map_arenas() - map every arena of the handle that is not mapped yet
 * @as: address space with at least one device attached
 * @dma: filled: how devices in @as see the window
 *
 * The first call chooses where in the address space the window lies.
 */
WEIR_API int weir_ioas_map_arenas(struct weir_ioas *as, struct weir_dma *dma);

/* Unmap one arena, before it is destroyed. No device may use it any more. */
WEIR_API int weir_ioas_unmap_arena(struct weir_ioas *as, const struct weir_arena *a);

/**
 * weir_ioas_map_arena() - map one arena at its place in the window
 * @as: address space with at least one device, or one of its PASIDs, attached
 * @a: arena, also a private one (WEIR_ARENA_PRIVATE); mapping it again is fine
 * @dma: filled: how what is attached to @as sees the window
 */
WEIR_API int weir_ioas_map_arena(struct weir_ioas *as, const struct weir_arena *a,
				 struct weir_dma *dma);

/**
 * weir_ioas_hold_arena() - map one arena for as long as somebody holds it
 *
 * As weir_ioas_map_arena(), and counts. Each success wants a weir_ioas_drop_arena().
 */
WEIR_API int weir_ioas_hold_arena(struct weir_ioas *as, const struct weir_arena *a,
				  struct weir_dma *dma);

/**
 * weir_ioas_drop_arena() - one holder less
 *
 * The last one unmaps it, unless it was mapped already when the first came: then it stays for
 * whoever mapped it. Fine where it is not mapped, or not held. Return: as weir_ioas_unmap().
 */
WEIR_API int weir_ioas_drop_arena(struct weir_ioas *as, const struct weir_arena *a);

WEIR_API enum weir_mode weir_ioas_mode(const struct weir_ioas *as);
/* Devices and PASIDs attached now. */
WEIR_API unsigned weir_ioas_devices(const struct weir_ioas *as);

/* --- looking at address spaces --- */

/**
 * weir_ioas_next() - walk the address spaces of a place, the newest first
 * @iommu: place
 * @prev: NULL for the first
 * Return: the next one, or NULL. Creating or destroying one ends the walk.
 */
WEIR_API struct weir_ioas *weir_ioas_next(struct weir_iommu *iommu, const struct weir_ioas *prev);

/* The kernel's number of it in cdev mode (IOAS id); 0 in modes that have no such number. */
WEIR_API uint32_t weir_ioas_id(const struct weir_ioas *as);

/* Bytes mapped. */
WEIR_API uint64_t weir_ioas_mapped(const struct weir_ioas *as);

/* "address", "arena", "file", "BAR" */
WEIR_API const char *weir_map_source_name(enum weir_map_source source);

/**
 * struct weir_mapping - one mapping, as weir_ioas_map() made it
 * @iova: start
 * @len: bytes
 * @va: memory behind it
 * @prot: enum weir_prot
 * @source: what that memory is
 * @page_size: of that memory, in bytes; 0 where weir does not know. The IOMMU's pages may be larger
 *             (where memory happens to be contiguous) or smaller (where an end is not aligned)
 * @copied: it shares the pinned pages of another address space
 * @iommu_page: the largest page of the IOMMU that it has room for; 0 where its sizes are not known
 */
struct weir_mapping {
	weir_iova_t iova;
	uint64_t len;
	void *va;
	unsigned prot;
	enum weir_map_source source;
	bool copied;
	uint64_t page_size, iommu_page;
};

/**
 * weir_ioas_map_next() - walk the mappings of an address space by ascending IOVA
 * @as: address space
 * @prev: the one before, NULL for the first; mappings may come and go between two calls
 * @out: filled; may be @prev
 * Return: false when there is none left.
 */
WEIR_API bool weir_ioas_map_next(const struct weir_ioas *as, const struct weir_mapping *prev,
				 struct weir_mapping *out);

/* --- devices --- */

/**
 * weir_iodev_open() - open a device that is bound to vfio-pci, or that a vfio-user server has
 * @iommu: place
 * @sysdev: its folder in sysfs, "vfio-user:PATH", or "vfio-user:fd=N" for a socket that is
 *          connected already (it is taken, and closed with the device)
 * @mode: WEIR_MODE_AUTO chooses, see weir_iodev_report()
 * @out: close with weir_iodev_close()
 *
 * Return: 0; -ENODEV, -EACCES, -EBUSY, -EOPNOTSUPP with a sentence and a remedy.
 */
WEIR_API int weir_iodev_open(struct weir_iommu *iommu, const char *sysdev, enum weir_mode mode,
			     struct weir_iodev **out);
/**
 * weir_iodev_open_fd() - open a device by its cdev that somebody else has opened
 * @iommu: place; see weir_iommu_set_fd()
 * @fd: an open /dev/vfio/devices/vfioN to which no iommufd was bound yet; it is taken, and closed on
 *      failure too. The device is let go only once every copy of it is closed, in other processes too
 * @sysdev: folder of the device in sysfs, checked against @fd; or NULL to look for it
 * @out: close with weir_iodev_close()
 *
 * The mode is cdev. Without sysfs the device is called "fd:N", and that is said.
 * Return: 0; -EBADF, -EINVAL (no VFIO cdev, or of another device), or what the kernel said.
 */
WEIR_API int weir_iodev_open_fd(struct weir_iommu *iommu, int fd, const char *sysdev,
				struct weir_iodev **out);
/* Whether sysfs tells about the device, by the name weir_iodev_name(). */
WEIR_API bool weir_iodev_has_sysdev(const struct weir_iodev *d);
/* Detaches if it must. NULL is fine. */
WEIR_API void weir_iodev_close(struct weir_iodev *d);

/**
 * weir_iodev_attach() - give the device an address space
 * @d: open, not attached
 * @as: of the same mode and the same weir_iommu_open(), as wherever a device meets an address space
 *
 * Only now can regions, interrupts and reset be used (in group mode the kernel hands the device
 * out no earlier).
 */
WEIR_API int weir_iodev_attach(struct weir_iodev *d, struct weir_ioas *as);

/**
 * weir_iodev_attach_default() - attach to the address space that all devices of its mode share
 * @d: open, not attached
 * @as: that address space
 *
 * Where WEIR_MODE_AUTO has chosen the mode, and the kernel makes no address space or does not attach
 * the device to it, the device is opened in the next mode, and the reason kept in its report.
 * Return: 0; else the last mode's error: then @d can only be closed.
 */
WEIR_API int weir_iodev_attach_default(struct weir_iodev *d, struct weir_ioas **as);
WEIR_API int weir_iodev_detach(struct weir_iodev *d);

/**
 * weir_iodev_move() - put an attached device on another address space, in one step
 * @d: attached, in cdev mode
 * @as: of the same mode; what the device uses is mapped there (weir_ioas_clone())
 *
 * The device keeps its regions, interrupts and PASIDs. It reaches the old address space or the new
 * one, never both, never anything else: there is no moment in which it is without translation and
 * could reach memory by physical address. Once this returns it reaches only @as. If it fails the
 * device is where it was. What the kernel's IOMMU driver does with requests that arrive during
 * the switch itself is its own: Linux 7.3 blocks them on Intel VT-d (they fault) for a device's
 * requests without a PASID, and switches without a gap for those with one.
 * Return: 0; -EOPNOTSUPP in modes that cannot (in group mode all devices of the container must be
 * detached and attached anew); else the kernel's errno.
 */
WEIR_API int weir_iodev_move(struct weir_iodev *d, struct weir_ioas *as);

/* --- PASIDs: address spaces for parts of a device --- */

#define WEIR_PASID_NONE 0 /* requests without a PASID; also the first number never given out */

/**
 * weir_iodev_pasid_bits() - how many PASIDs a device can really send
 * @d: open
 *
 * From what the kernel knows of device and IOMMU (or the server of a device has agreed to), never
 * from whether attaching one succeeds: Linux says yes to devices that cannot send any.
 * Return: width of a PASID in bits; -EOPNOTSUPP with the reason in @why where there are none.
 */
WEIR_API int weir_iodev_pasid_bits(struct weir_iodev *d, char why[WEIR_WHY_LEN]);

/**
 * weir_iodev_pasid_attach() - give requests that carry a PASID their own address space
 * @d: attached
 * @as: of the same mode; may also have devices, or other PASIDs, attached
 * @pasid: the number chosen, unused on this device until now
 *
 * The device sends it only once its driver has been told to.
 * Return: 0; -EOPNOTSUPP with the reason where weir_iodev_pasid_bits() says no; -ENOSPC.
 */
WEIR_API int weir_iodev_pasid_attach(struct weir_iodev *d, struct weir_ioas *as, uint32_t *pasid);
/* The device must not send it any more. Detaching the device detaches its PASIDs before. */
WEIR_API int weir_iodev_pasid_detach(struct weir_iodev *d, uint32_t pasid);
/* As weir_iodev_move(), for the requests that carry one PASID. */
WEIR_API int weir_iodev_pasid_move(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as);
/* The address space of a PASID; NULL if it has none. */
WEIR_API struct weir_ioas *weir_iodev_pasid_ioas(const struct weir_iodev *d, uint32_t pasid);
/* The lowest attached PASID above @prev; WEIR_PASID_NONE when there is none. Begin with that. */
WEIR_API uint32_t weir_iodev_pasid_next(const struct weir_iodev *d, uint32_t prev);

WEIR_API enum weir_mode weir_iodev_mode(const struct weir_iodev *d);
WEIR_API struct weir_ioas *weir_iodev_ioas(const struct weir_iodev *d);
WEIR_API const struct weir_mode_report *weir_iodev_report(const struct weir_iodev *d);
WEIR_API struct weir *weir_iodev_handle(const struct weir_iodev *d);
/* In vdpa mode: the device node, for the requests of vhost; it stays the device's. Else -1. */
WEIR_API int weir_iodev_fd(const struct weir_iodev *d);
/* Name for messages: the last part of the sysfs path, or "vfio-user:PATH". */
WEIR_API const char *weir_iodev_name(const struct weir_iodev *d);

#define WEIR_MAX_SPARSE 8

/**
 * struct weir_region - one region of a device (VFIO numbering: BAR0 = 0 ... config space = 7)
 * @size: bytes; 0 means that the region does not exist
 * @flags: WEIR_REGION_*
 * @n_sparse: mappable areas; 0 with WEIR_REGION_MMAP means all of it is
 * @sparse: offset and size of each
 */
struct weir_region {
	uint64_t size;
	unsigned flags;
	unsigned n_sparse;
	struct {
		uint64_t off, size;
	} sparse[WEIR_MAX_SPARSE];
};

enum weir_region_flags {
	WEIR_REGION_READ = 1,
	WEIR_REGION_WRITE = 2,
	WEIR_REGION_MMAP = 4,
};

#define WEIR_REGION_CONFIG 7

enum weir_irq_index { WEIR_IRQ_INTX, WEIR_IRQ_MSI, WEIR_IRQ_MSIX, WEIR_IRQ_ERR, WEIR_IRQ_REQ };

WEIR_API int weir_iodev_region(struct weir_iodev *d, unsigned index, struct weir_region *r);
/* Whole transfers only; -EIO for less. Offsets past the region: -EINVAL. */
WEIR_API int weir_iodev_read(struct weir_iodev *d, unsigned index, uint64_t off, void *buf,
			     size_t len);
WEIR_API int weir_iodev_write(struct weir_iodev *d, unsigned index, uint64_t off, const void *buf,
			      size_t len);
/*
 * Map a part of a region; page-aligned. *@va is where (replacing what is there), or NULL for
 * anywhere. Unmap with munmap().
 */
WEIR_API int weir_iodev_mmap(struct weir_iodev *d, unsigned index, uint64_t off, size_t len,
			     void **va);
/* Return: vectors of an interrupt index, or negative errno. */
WEIR_API int weir_iodev_irq_count(struct weir_iodev *d, enum weir_irq_index index);

/**
 * weir_iodev_irq_set() - connect interrupt vectors to eventfds
 * @index: kind
 * @n: vectors 0 .. n - 1; 0 turns this kind of interrupt off
 * @fds: eventfds, -1 leaves a vector without one
 */
WEIR_API int weir_iodev_irq_set(struct weir_iodev *d, enum weir_irq_index index, unsigned n,
				const int *fds);
/**
 * weir_iodev_service() - do what a vfio-user server asks for, without waiting
 *
 * A server that has not mapped memory asks the client to read and write it by messages. They are
 * served whenever the client waits for an answer, and here. Nothing to do in other modes. Any
 * thread may call it.
 * Return: 0; -ENODEV when the server is gone or has broken the protocol (reported once).
 */
WEIR_API int weir_iodev_service(struct weir_iodev *d);

/**
 * struct weir_reset_peer - a device that resetting a slot or bus hits
 * @name: its PCI address
 * @driver: its kernel driver, "" if it has none or that is not known
 * @ours: open in the same weir_iommu (or in its group), so that the kernel lets us
 */
struct weir_reset_peer {
	char name[20];
	char driver[32];
	bool ours;
};

/**
 * weir_iodev_hot_reset_info() - what weir_iodev_hot_reset() would hit, the device itself included
 * @peers: up to @n of them
 * Return: how many there are (may exceed @n); -EOPNOTSUPP where neither slot nor bus can be reset.
 */
WEIR_API int weir_iodev_hot_reset_info(struct weir_iodev *d, struct weir_reset_peer *peers,
				       unsigned n);

/**
 * weir_iodev_hot_reset() - reset the slot, or else the bus, that the device sits in
 *
 * For a device without a function reset, or that it does not bring back. Every device there loses its
 * state; config spaces are restored by the kernel. Ports on them must be closed, or stopped and
 * configured again.
 * Return: 0; -EPERM with the list of devices that would be hit and are not ours; -EOPNOTSUPP.
 */
WEIR_API int weir_iodev_hot_reset(struct weir_iodev *d);

/* Function reset; -EOPNOTSUPP if the device has none. Config space is restored by the kernel. */
WEIR_API int weir_iodev_reset(struct weir_iodev *d);

WEIR_END_DECLS

#endif
