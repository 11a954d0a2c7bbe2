/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backend interface. A backend is one const table in one file (cdev.c, group.c); an absent op
 * means "not supported". What is common to all stands in iommu.c and ioas.c.
 */
#ifndef WEIR_IOMMU_INTERNAL_H
#define WEIR_IOMMU_INTERNAL_H

#include "core/file.h"
#include "iommu/group.h"
#include "iommu/hwpt.h"
#include "iommu/iommu.h"
#include "iommu/iova.h"

#include <pthread.h>

struct weir_pasid;

/* Reset of a slot or bus: vfio_hot_reset.c. */
struct weir_hot_reset_ops {
	int (*info)(struct weir_iodev *d, struct weir_reset_peer *peers, unsigned n);
	int (*reset)(struct weir_iodev *d);
};

/**
 * struct weir_devio_ops - how regions, interrupts and reset of an attached device are reached
 *
 * Kernel VFIO has one implementation for all its modes (vfio_dev.c), vfio-user its own
 * (vfio_user_dev.c). Errors of @region and of a device
 * that is gone have been reported; others are the caller's to report. A region's file_off is what
 * @read, @write and @mmap count from. @hot is NULL where there is no slot and no bus to reset.
 */
struct weir_devio_ops {
	int (*region)(struct weir_iodev *d, unsigned index, struct weir_region *r,
		      uint64_t *file_off);
	int (*read)(struct weir_iodev *d, uint64_t file_off, void *buf, size_t len);
	int (*write)(struct weir_iodev *d, uint64_t file_off, const void *buf, size_t len);
	int (*mmap)(struct weir_iodev *d, uint64_t file_off, size_t len, void **va);
	int (*irq_count)(struct weir_iodev *d, unsigned index);
	int (*irq_set)(struct weir_iodev *d, unsigned index, unsigned n, const int *fds);
	int (*reset)(struct weir_iodev *d);
	int (*service)(struct weir_iodev *d);
	const struct weir_hot_reset_ops *hot;
};

/**
 * struct weir_backend - one way to talk to the IOMMU
 * @mode: its place in enum weir_mode
 * @scheme: what its device strings begin with ("vfio-user:"); NULL for folders in sysfs
 * @kind: of a group backend
 * @only_asked: never taken by WEIR_MODE_AUTO
 * @pins: mappings count against the locked-memory limit
 * @probe: look at a device without touching it; on failure fills @why and @id
 * @as_create: make the kernel's object for an address space
 * @as_destroy: end it; nothing is mapped or attached
 * @as_ready: whether mappings can be made and ranges asked now; NULL means always
 * @as_check: whether it could be mapped at all, reported if not; NULL means yes
 * @as_map: as weir_ioas_map(), arguments checked. Where the backend says @files, of m->fd when that
 *          is a file; -ENOTTY when this kernel cannot, and m->va is NULL
 * @as_refused: say why @as_map failed so, where the backend knows more than the error; 0 if not.
 *              Optional
 * @files: see @as_map; other backends find files mapped at m->va
 * @as_copy: as @as_map, of what @from has mapped at @iova; NULL: it is mapped once more
 * @as_unmap: exactly one earlier mapping
 * @as_ranges: as weir_ioas_ranges()
 * @dev_open: open the device, or take @d->fd if one was handed in; guarantees nothing is left open
 *            on failure
 * @dev_close: undo dev_open; the device is detached
 * @dev_attach: attach to @d->as (set by the caller). Mappings made before must hold afterwards
 * @dev_detach: undo dev_attach
 * @dev_move: put @d, which is on @d->as, on another; NULL: cannot be done in one step
 * @pasid_move: the same for one of its PASIDs
 * @pasid_bits: as weir_iodev_pasid_bits(); NULL: this mode has no PASIDs
 * @pasid_attach: attach @pasid of a device that is attached to an address space
 * @pasid_detach: undo it
 * @io: device access once attached
 */
struct weir_backend {
	enum weir_mode mode;
	const char *scheme;
	const struct weir_group_kind *kind;
	bool only_asked;
	bool pins;
	int (*probe)(const struct weir_backend *be, struct weir *w, const char *sysdev,
		     char why[WEIR_WHY_LEN], const char **id);
	int (*as_create)(struct weir_ioas *as);
	void (*as_destroy)(struct weir_ioas *as);
	bool (*as_ready)(struct weir_ioas *as);
	bool files;
	int (*as_check)(struct weir_ioas *as, const struct weir_iova_map *m);
	int (*as_map)(struct weir_ioas *as, const struct weir_iova_map *m);
	int (*as_refused)(struct weir_ioas *as, const struct weir_iova_map *m, int err);
	int (*as_copy)(struct weir_ioas *as, const struct weir_iova_map *m, struct weir_ioas *from,
		       uint64_t iova);
	int (*as_unmap)(struct weir_ioas *as, const struct weir_iova_map *m);
	int (*as_ranges)(struct weir_ioas *as, struct weir_iova_range *r, unsigned n,
			 uint64_t *align);
	int (*dev_open)(struct weir_iodev *d);
	void (*dev_close)(struct weir_iodev *d);
	int (*dev_attach)(struct weir_iodev *d);
	int (*dev_detach)(struct weir_iodev *d);
	int (*dev_move)(struct weir_iodev *d, struct weir_ioas *as);
	int (*pasid_move)(struct weir_iodev *d, struct weir_pasid *p, struct weir_ioas *as);
	int (*pasid_bits)(struct weir_iodev *d, char why[WEIR_WHY_LEN]);
	int (*pasid_attach)(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as);
	int (*pasid_detach)(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as);
	const struct weir_devio_ops *io;
};

extern const struct weir_backend weir_backend_cdev;
extern const struct weir_backend weir_backend_group;
extern const struct weir_backend weir_backend_compat;
extern const struct weir_backend weir_backend_type1;
extern const struct weir_backend weir_backend_noiommu;
extern const struct weir_backend weir_backend_user;
extern const struct weir_backend weir_backend_vdpa;
extern const struct weir_devio_ops weir_vfio_devio;
extern const struct weir_hot_reset_ops weir_vfio_hot_reset;

/* Indexed by mode; NULL for AUTO. */
extern const struct weir_backend *const weir_backends[WEIR_MODE_MAX];

struct weir_group; /* group.c */
struct vu_dev;	   /* vfio_user.h */
struct vu_user;	   /* likewise */
struct vdpa_dev;   /* vdpa.c */
struct vdpa_user;  /* likewise */

/* A mapped BAR (guard.c): read by signal handlers; @va is NULL while the slot is free. */
struct weir_guard {
	char *va;
	size_t len;
	bool hit;
};

#define WEIR_GUARDS 64

struct weir_iommu {
	struct weir *w;
	struct weir_ioas *spaces;
	struct weir_ioas *dflt[WEIR_MODE_MAX];
	int iommufd;		       /* cdev.c: opened with the first address space or device */
	struct weir_group *groups;     /* group.c */
	struct weir_arena_watch watch; /* map.c */
	uint64_t pinned;	       /* map.c: locked memory, each page once */
	unsigned timeout_ms;	       /* vfio_user.c: for an answer */
	unsigned devices;	       /* open */
	struct weir_guard guards[WEIR_GUARDS];
	size_t page_size; /* guard.c */
	bool closed;	  /* too early: it ends with the last device */
};

struct weir_ioas {
	struct weir_iommu *iommu;
	const struct weir_backend *be;
	struct weir_ioas *next;
	struct weir_iova_map *maps;
	uint64_t mapped;
	uint64_t page_sizes; /* of the IOMMUs of its devices; 0: not known */
	unsigned devices;
	bool has_window;
	uint64_t window_iova;
	uint32_t id;		 /* cdev.c: IOAS id */
	struct weir_hwpt *hwpts; /* hwpt.c: page tables made of it */
	int fd;			 /* group.c: the container */
	bool ready;		 /* group.c: an IOMMU driver has been set */
	uint64_t *pages;	 /* phys.c: physical address of each page of the window */
	struct vu_user *users;	 /* vfio_user.c: devices and PASIDs attached */
	struct vdpa_user *vdpas; /* vdpa.c: likewise */
};

/* A PASID of a device and where it leads (pasid.c). */
struct weir_pasid {
	struct weir_pasid *next;
	struct weir_ioas *as;
	struct weir_hwpt *hwpt; /* cdev_attach.c */
	uint32_t pasid;
};

/*
 * A page table of the kernel's (hwpt.c). Those that attaching has made end with their last user;
 * those that the application has made end when it says so.
 */
struct weir_hwpt {
	struct weir_hwpt *next; /* of its address space */
	struct weir_iommu *iommu;
	struct weir_ioas *as;
	struct weir_hwpt *parent; /* of a nested one */
	struct weir_faults *faults;
	uint32_t id;
	unsigned flags; /* enum weir_hwpt_flags */
	unsigned users; /* devices and PASIDs attached, tables nested in it */
	bool automatic;
};

/* A queue of page requests (fault.c). */
struct weir_faults {
	struct weir_iommu *iommu;
	uint32_t id;
	int fd;
	unsigned users; /* tables */
};

#define WEIR_MAX_REGIONS 9

struct weir_iodev {
	struct weir_iommu *iommu;
	struct weir *w;
	const struct weir_backend *be;
	struct weir_ioas *as;
	struct weir_mode_report report;
	char sysdev[PATH_MAX]; /* or the device string of a backend with a scheme */
	const char *name;
	int fd;
	struct weir_pasid *pasids; /* pasid.c */
	uint32_t devid;		   /* cdev.c */
	struct weir_hwpt *hwpt;	   /* cdev_attach.c: NULL when it stands on the IOAS itself */
	struct weir_hw_info hw;	   /* hwinfo.c */
	bool hw_known;
	bool automatic;		  /* its mode was chosen here, and may be left for another */
	bool shut;		  /* nothing is open: that failed */
	struct weir_group *group; /* group.c */
	struct vu_dev *user;	  /* vfio_user.c */
	struct vdpa_dev *vdpa;	  /* vdpa.c */
	pthread_mutex_t lock;	  /* regions: registers may be read by any thread */
	struct {
		bool known;
		struct weir_region r;
		uint64_t file_off;
	} regions[WEIR_MAX_REGIONS];
};

/* --- what openers of devices share (iommu.c) --- */

/* An empty device, no fd. weir_iodev_free() frees it; nothing is open. */
struct weir_iodev *weir_iodev_new(struct weir_iommu *iommu);
void weir_iodev_free(struct weir_iodev *d);
/* A device or PASID has left: with the last one goes what is known about the IOMMU's pages. */
void weir_ioas_left(struct weir_ioas *as);
/* Whether both are of one weir_iommu_open(): the kernel's numbers mean nothing across. Reported. */
int weir_iodev_check_ioas(struct weir_iodev *d, const struct weir_ioas *as);
/* Says that it must be attached first. Return: -ENODEV. */
int weir_iodev_not_attached(struct weir_iodev *d);

/* --- helpers that backends share (sysfs.c) --- */

/* The arena that all of [@va, @va + @len) lies in, or NULL. */
const struct weir_arena *weir_arena_of(struct weir *w, const void *va, size_t len);
/* Detach what PASIDs are left (pasid.c). */
void weir_pasids_end(struct weir_iodev *d);
/* What is known about a PASID, or NULL. */
struct weir_pasid *weir_pasid_find(struct weir_iodev *d, uint32_t pasid);

/* --- mappings (map.c) --- */

/* Locked memory, and the mappings that stand on it. */
struct weir_pin {
	unsigned refs;
	uint64_t len;
};

/* Whether an address space can be asked and mapped now. */
bool weir_ioas_ready(struct weir_ioas *as);
/* End the mapping at *@link. */
int weir_map_end(struct weir_ioas *as, struct weir_iova_map **link);
/* Drop it: the kernel's half is gone, or goes with the address space. */
void weir_map_drop(struct weir_ioas *as, struct weir_iova_map **link);
/* An arena is about to go: unmap it everywhere. */
void weir_map_arena_gone(struct weir_arena_watch *watch, const struct weir_arena *a);
/* A device is about to go: unmap its BARs everywhere. */
void weir_map_dev_gone(struct weir_iodev *d);

/* The largest page of the IOMMU's that is sure to map a part, of memory in pages of @memory. */
uint64_t weir_map_iommu_page(const struct weir_ioas *as, const struct weir_iova_map *m,
			     uint64_t memory);
/* Part of a region as a dma-buf (vfio_dev.c). Return: fd, or -errno; reports nothing. */
int weir_vfio_dmabuf(struct weir_iodev *d, unsigned region, uint64_t off, uint64_t len);

/* --- objects of /dev/iommu, by the kernel's numbers: a device there need not be VFIO's --- */

/* Open /dev/iommu if it is not open yet (cdev.c). */
int weir_iommufd_need(struct weir_iommu *iommu);
/* IOMMU_GET_HW_INFO, decoded (hwinfo.c). Reports nothing. */
int weir_iommufd_hw_info(struct weir_iommu *iommu, uint32_t devid, struct weir_hw_info *hi);
/* The same for a device of ours, asked for once. -EOPNOTSUPP outside of cdev mode. */
int weir_hw(struct weir_iodev *d);
/* As weir_hwpt_create() for a device by its number; reports nothing (hwpt.c). */
int weir_iommufd_hwpt(struct weir_ioas *as, uint32_t devid, const struct weir_hwpt_opts *o,
		      struct weir_hwpt **out);
/* Report that. */
int weir_hwpt_told(struct weir *w, const char *name, const struct weir_hwpt_opts *o, int err);
/* Another user; the last of an automatic one ends it. NULL is fine. */
struct weir_hwpt *weir_hwpt_get(struct weir_hwpt *h);
void weir_hwpt_put(struct weir_hwpt *h);
/* Without users: end it, whosever it is. */
int weir_hwpt_end(struct weir_hwpt *h);

/* --- phys.c: where nothing translates --- */

int weir_phys_create(struct weir_ioas *as);
void weir_phys_destroy(struct weir_ioas *as);
int weir_phys_check(struct weir_ioas *as, const struct weir_iova_map *m);
int weir_phys_map(struct weir_ioas *as, const struct weir_iova_map *m);
int weir_phys_unmap(struct weir_ioas *as, const struct weir_iova_map *m);
int weir_phys_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n, uint64_t *align);

/* weir_iodev_pasid_attach() on a table of choice; NULL: the backend chooses (pasid.c). */
int weir_pasid_attach(struct weir_iodev *d, struct weir_ioas *as, struct weir_hwpt *h,
		      uint32_t *pasid);

/* --- cdev_attach.c --- */

int weir_cdev_attach(struct weir_iodev *d);
int weir_cdev_detach(struct weir_iodev *d);
int weir_cdev_move(struct weir_iodev *d, struct weir_ioas *as);
int weir_cdev_pasid_move(struct weir_iodev *d, struct weir_pasid *p, struct weir_ioas *as);
int weir_cdev_pasid_bits(struct weir_iodev *d, char why[WEIR_WHY_LEN]);
int weir_cdev_pasid_attach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as);
int weir_cdev_pasid_detach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as);
/* Whether a driver name is one of VFIO's. */
bool weir_sys_is_vfio(const char *driver);
/* IOMMU group number, or -ENODEV. */
int weir_sys_group(const char *sysdev);
/* Whether the group is one that VFIO made up, because no IOMMU is there. */
bool weir_sys_group_is_fake(const char *sysdev);
/* Whether this process has a capability, by number, in its effective set. */
bool weir_has_cap(struct weir *w, unsigned bit);
/* Common first questions of every probe: is there an IOMMU, is the driver VFIO's. */
int weir_probe_common(const char *sysdev, char why[WEIR_WHY_LEN], const char **id);
/* The second of them. */
int weir_probe_driver(const char *sysdev, char why[WEIR_WHY_LEN], const char **id);
/* Whether @node can be opened for read and write; else fills @why with owner, mode and remedy. */
int weir_probe_node(const char *node, const char *what, char why[WEIR_WHY_LEN], const char **id);
/* Format into @why and return @err. */
int weir_why(char why[WEIR_WHY_LEN], const char **id, int err, const char *name, const char *fmt,
	     ...) weir_printf(5, 6);
/* ioctl() that restarts after EINTR. Return: result >= 0, or -errno. */
int weir_ioctl(int fd, unsigned long req, void *arg);
/* close() that keeps errno and does nothing for -1; sets *fd to -1. */
void weir_close_fd(int *fd);

#endif
