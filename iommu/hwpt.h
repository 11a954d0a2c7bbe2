/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the IOMMU behind a device can do, and its page tables as objects of their own. Needed by
 * nobody who only maps memory: weir_iodev_attach() makes and shares the tables that it needs.
 * cdev mode only; other modes say -EOPNOTSUPP. Control path, as in iommu.h.
 */
#ifndef WEIR_IOMMU_HWPT_H
#define WEIR_IOMMU_HWPT_H

#include "iommu/iommu.h"

WEIR_BEGIN_DECLS

/* Numbers as in the kernel's enum iommu_hw_info_type; others are possible. */
enum weir_hw_type {
	WEIR_HW_NONE, /* the IOMMU's driver tells nothing */
	WEIR_HW_VTD,
	WEIR_HW_SMMUV3,
	WEIR_HW_TEGRA241,
	WEIR_HW_AMD,
};

/**
 * struct weir_hw_info - the IOMMU as one device has it (IOMMU_GET_HW_INFO)
 * @type: enum weir_hw_type
 * @pasid_bits: width of the PASIDs that the device can send; 0: none
 * @address_bits: width of an IOVA; 0: not known
 * @page_sizes: sizes, one bit each, that every table of this IOMMU can use; 4 KiB at least
 * @stage1_pages: sizes for user-managed (VT-d: first-stage) tables; 0: none, or not known
 * @stage2_pages: sizes for second-stage tables; likewise
 * @nesting: user-managed tables can stand on the kernel's
 * @dirty_tracking: the IOMMU notes which pages were written to
 * @ats: the device may keep translations in a cache of its own
 * @page_requests: the IOMMU takes page requests; whether the device makes some is its own matter
 * @pasid_exec: a request with a PASID can ask for execute permission
 * @pasid_priv: ... for privileged mode
 * @iommu_pasids: the IOMMU has tables for PASIDs, whatever the device has
 * @raw: VT-d: capability and extended capability register (specification 11.4.2, 11.4.3)
 */
struct weir_hw_info {
	unsigned type;
	unsigned pasid_bits;
	unsigned address_bits;
	uint64_t page_sizes;
	uint64_t stage1_pages, stage2_pages;
	bool nesting, dirty_tracking, ats, page_requests, pasid_exec, pasid_priv, iommu_pasids;
	uint64_t raw[2];
};

/**
 * weir_iodev_hw_info() - what the IOMMU behind a device can do
 * @d: open, in cdev mode
 * @hi: filled
 * Return: 0; -EOPNOTSUPP in other modes, and where the kernel cannot tell (Linux before 6.6).
 */
WEIR_API int weir_iodev_hw_info(struct weir_iodev *d, struct weir_hw_info *hi);

/* "Intel VT-d", ..., "unknown" */
WEIR_API const char *weir_hw_type_name(unsigned type);

struct weir_hwpt;
struct weir_faults;

enum weir_hwpt_flags {
	/* Others can stand on it: needs weir_hw_info.nesting. */
	WEIR_HWPT_NEST_PARENT = 1 << 0,
	/* Written pages are noted: needs weir_hw_info.dirty_tracking. */
	WEIR_HWPT_DIRTY = 1 << 1,
	/* PASIDs can be attached to it, and to a device that is attached to it. */
	WEIR_HWPT_PASID = 1 << 3,
};

/**
 * struct weir_hwpt_opts - what kind of page table
 * @flags: enum weir_hwpt_flags
 * @parent: for a user-managed table: the kernel's that it stands on; else NULL
 * @faults: queue for page requests that the table cannot answer; or NULL
 * @data_type: of a user-managed table: its format as enum iommu_hwpt_data_type has it; else 0
 * @data_len: bytes at @data
 * @data: what the format wants to know, e.g. struct weir_vtd_stage1
 */
struct weir_hwpt_opts {
	unsigned flags;
	struct weir_hwpt *parent;
	struct weir_faults *faults;
	uint32_t data_type;
	uint32_t data_len;
	const void *data;
};

/**
 * weir_hwpt_create() - make a page table
 * @d: open device in cdev mode whose IOMMU shall walk it
 * @as: what a kernel-managed table translates: mappings made before and after are in it. For a
 *      user-managed one the address space of its parent
 * @o: kind; NULL: a plain one
 * @out: end with weir_hwpt_destroy(), or with @as
 *
 * Return: 0; -EOPNOTSUPP where IOMMU or kernel have none of this kind; -EINVAL.
 */
WEIR_API int weir_hwpt_create(struct weir_iodev *d, struct weir_ioas *as,
			      const struct weir_hwpt_opts *o, struct weir_hwpt **out);

/**
 * weir_hwpt_destroy() - end a page table
 * @h: or NULL
 * Return: 0, or -EBUSY while something is attached to it or stands on it.
 */
WEIR_API int weir_hwpt_destroy(struct weir_hwpt *h);

/* The address space whose memory it leads to. */
WEIR_API struct weir_ioas *weir_hwpt_ioas(const struct weir_hwpt *h);
/* Devices and PASIDs attached to it, and tables that stand on it. */
WEIR_API unsigned weir_hwpt_users(const struct weir_hwpt *h);

/**
 * weir_iodev_attach_hwpt() - put a device on a page table
 * @d: open, in cdev mode; attached or not: what it stands on is replaced, as weir_iodev_move() does
 * @h: made for @d, or for a device behind the same IOMMU
 *
 * From then on weir_iodev_ioas() is the address space of @h. For PASIDs @h must have been made with
 * WEIR_HWPT_PASID.
 */
WEIR_API int weir_iodev_attach_hwpt(struct weir_iodev *d, struct weir_hwpt *h);

/**
 * weir_iodev_pasid_attach_hwpt() - as weir_iodev_pasid_attach(), with a page table of choice
 * @h: made with WEIR_HWPT_PASID
 */
WEIR_API int weir_iodev_pasid_attach_hwpt(struct weir_iodev *d, struct weir_hwpt *h,
					  uint32_t *pasid);

/* --- user-managed tables --- */

/* weir_hwpt_opts.data_type and the type of its invalidations, for Intel VT-d. */
#define WEIR_HWPT_VTD_STAGE1	   1u
#define WEIR_INVALIDATE_VTD_STAGE1 0u

/**
 * struct weir_vtd_stage1 - weir_hwpt_opts.data for WEIR_HWPT_VTD_STAGE1
 * @flags: bit 0: supervisor requests, 1: extended access bit, 2: write protection
 * @table: address of its root as the parent translates it: an IOVA of the parent's address space
 * @address_bits: what the table translates: 48 (four levels) or 57 (five)
 * @zero: 0
 */
struct weir_vtd_stage1 {
	uint64_t flags;
	uint64_t table;
	uint32_t address_bits;
	uint32_t zero;
};

/**
 * struct weir_vtd_invalidate - one entry for weir_hwpt_invalidate()
 * @addr: of stage 1, aligned to 4 KiB; with @pages UINT64_MAX, 0: everything
 * @pages: so many of 4 KiB
 * @flags: bit 0: leaves alone have changed
 * @zero: 0
 */
struct weir_vtd_invalidate {
	uint64_t addr;
	uint64_t pages;
	uint32_t flags;
	uint32_t zero;
};

/**
 * weir_hwpt_invalidate() - tell the IOMMU that a user-managed table has changed
 * @h: nested
 * @data_type: of the entries
 * @entry_len: bytes of each
 * @entries: what has changed
 * @n: how many; 0 asks whether @data_type is known. Then: how many were done
 *
 * Needed after entries were taken away or changed; the device's own cache is included.
 */
WEIR_API int weir_hwpt_invalidate(struct weir_hwpt *h, uint32_t data_type, uint32_t entry_len,
				  const void *entries, uint32_t *n);

/* --- page requests --- */

/**
 * weir_faults_create() - a queue for page requests that a table cannot answer
 * @iommu: place; cdev mode
 * @out: for weir_hwpt_opts.faults; end it with weir_faults_destroy(), before @iommu
 */
WEIR_API int weir_faults_create(struct weir_iommu *iommu, struct weir_faults **out);
/* Return: 0, or -EBUSY while a table has it. What was not answered is answered with "invalid". */
WEIR_API int weir_faults_destroy(struct weir_faults *f);
/* For poll(): readable when there is a request. Stays the queue's. */
WEIR_API int weir_faults_fd(const struct weir_faults *f);

/**
 * struct weir_fault - one request; those of a group follow each other
 * @devid: who asks: weir_iodev_devid()
 * @pasid: with which PASID; WEIR_PASID_NONE: without
 * @group: the device's number of the group
 * @cookie: for weir_faults_answer(); one a group
 * @last: of its group
 * @read: what it wants to do; likewise the following
 * @addr: where
 * @len: a hint how much; 0: none
 */
struct weir_fault {
	uint32_t devid, pasid, group, cookie;
	bool last, read, write, exec, priv;
	uint64_t addr;
	uint32_t len;
};

/**
 * weir_faults_read() - fetch requests, without waiting
 * @f: queue
 * @out: up to @n; only whole groups come
 * @n: at least as many as a group has
 * Return: how many; 0: none are there; -EMSGSIZE: a group is larger than @n.
 */
WEIR_API int weir_faults_read(struct weir_faults *f, struct weir_fault *out, unsigned n);

/**
 * weir_faults_answer() - let the device try again, or tell it no
 * @f: queue
 * @cookie: of the group; answered once
 * @mapped: true: what it asked for is mapped now; false: it never will be
 */
WEIR_API int weir_faults_answer(struct weir_faults *f, uint32_t cookie, bool mapped);

/* The kernel's number of a device in cdev mode; 0 in other modes. */
WEIR_API uint32_t weir_iodev_devid(const struct weir_iodev *d);

/* --- written pages --- */

/**
 * weir_hwpt_dirty_track() - note which pages devices write to, or stop
 * @h: made with WEIR_HWPT_DIRTY
 * @on: turning it on forgets what was noted before
 */
WEIR_API int weir_hwpt_dirty_track(struct weir_hwpt *h, bool on);

/**
 * weir_hwpt_dirty_read() - which pages were written to
 * @h: tracking
 * @iova: start of mapped memory
 * @len: bytes
 * @page: bytes a bit stands for: a power of two; @iova and @len are multiples of it
 * @bitmap: @len / @page bits, from the lowest of the first word up; those of written pages are set,
 *          others left as they are. Memory that the IOMMU maps with a larger page is written to as a
 *          whole
 * @keep: do not forget them, for memory that is unmapped next anyhow: saves a flush
 */
WEIR_API int weir_hwpt_dirty_read(struct weir_hwpt *h, weir_iova_t iova, uint64_t len,
				  uint64_t page, uint64_t *bitmap, bool keep);

WEIR_END_DECLS

#endif
