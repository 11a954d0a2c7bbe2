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

WEIR_END_DECLS

#endif
