/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's interface as far as weir uses it and Debian 12's headers do not have it yet:
 * /dev/iommu (IOMMUFD, Linux 6.2 and later) and the VFIO device cdev (Linux 6.6). Layouts are the
 * kernel's ABI; names and comments are weir's. What is older comes from <linux/vfio.h>.
 */
#ifndef WEIR_IOMMU_UAPI_H
#define WEIR_IOMMU_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vfio.h>

/* --- /dev/iommu: every struct begins with its own size, which the kernel checks --- */

#define UAPI_IOMMUFD(nr) _IO(';', 0x80 + (nr))

#define UAPI_IOMMU_DESTROY	     UAPI_IOMMUFD(0)
#define UAPI_IOMMU_IOAS_ALLOC	     UAPI_IOMMUFD(1)
#define UAPI_IOMMU_IOAS_COPY	     UAPI_IOMMUFD(3)
#define UAPI_IOMMU_IOAS_IOVA_RANGES  UAPI_IOMMUFD(4)
#define UAPI_IOMMU_IOAS_MAP	     UAPI_IOMMUFD(5)
#define UAPI_IOMMU_IOAS_UNMAP	     UAPI_IOMMUFD(6)
#define UAPI_IOMMU_HWPT_ALLOC	     UAPI_IOMMUFD(9)
#define UAPI_IOMMU_GET_HW_INFO	     UAPI_IOMMUFD(10)
#define UAPI_IOMMU_SET_DIRTY	     UAPI_IOMMUFD(11)
#define UAPI_IOMMU_GET_DIRTY	     UAPI_IOMMUFD(12)
#define UAPI_IOMMU_HWPT_INVALIDATE   UAPI_IOMMUFD(13)
#define UAPI_IOMMU_FAULT_QUEUE_ALLOC UAPI_IOMMUFD(14)
#define UAPI_IOMMU_IOAS_MAP_FILE     UAPI_IOMMUFD(15)

#define UAPI_MAP_FIXED_IOVA (1u << 0)
#define UAPI_MAP_WRITEABLE  (1u << 1)
#define UAPI_MAP_READABLE   (1u << 2)

struct uapi_iommu_destroy {
	__u32 size;
	__u32 id;
};

struct uapi_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

struct uapi_iova_range {
	__aligned_u64 start;
	__aligned_u64 last;
};

struct uapi_ioas_iova_ranges {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 reserved;
	__aligned_u64 allowed_iovas; /* user pointer to struct uapi_iova_range[] */
	__aligned_u64 out_iova_alignment;
};

struct uapi_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};

struct uapi_ioas_map_file {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__s32 fd;
	__aligned_u64 start;
	__aligned_u64 length;
	__aligned_u64 iova;
};

struct uapi_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length; /* in: 0 means all; out: bytes unmapped */
};

/* A mapping of one IOAS once more in another: the kernel pins its pages once. */
struct uapi_ioas_copy {
	__u32 size;
	__u32 flags; /* UAPI_MAP_* */
	__u32 dst_ioas_id;
	__u32 src_ioas_id;
	__aligned_u64 length;
	__aligned_u64 dst_iova;
	__aligned_u64 src_iova;
};

/* --- the IOMMU behind a device (Linux 6.6; PASID width since 6.15) --- */

#define UAPI_HW_VTD   1u
#define UAPI_HW_SMMU3 2u
#define UAPI_HW_AMD   4u

#define UAPI_HW_CAP_DIRTY      (1u << 0)
#define UAPI_HW_CAP_PASID_EXEC (1u << 1)
#define UAPI_HW_CAP_PASID_PRIV (1u << 2)
#define UAPI_HW_CAP_NO_ATS     (1u << 3)

struct uapi_hw_info {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 data_len; /* in: room; out: what the kernel has */
	__aligned_u64 data_uptr;
	__u32 out_data_type;
	__u8 out_max_pasid_log2;
	__u8 reserved[3];
	__aligned_u64 out_capabilities;
};

struct uapi_hw_vtd {
	__u32 flags;
	__u32 reserved;
	__aligned_u64 cap_reg;
	__aligned_u64 ecap_reg;
};

/* --- page tables as objects: HWPT --- */

#define UAPI_HWPT_NEST_PARENT (1u << 0)
#define UAPI_HWPT_DIRTY	      (1u << 1)
#define UAPI_HWPT_FAULTS      (1u << 2) /* fault_id is meant */
#define UAPI_HWPT_PASID	      (1u << 3)

struct uapi_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id; /* an IOAS; or the parent of a nested table */
	__u32 out_hwpt_id;
	__u32 reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 fault_id;
	__u32 reserved2;
};

struct uapi_hwpt_invalidate {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 data_uptr;
	__u32 data_type;
	__u32 entry_len;
	__u32 entry_num; /* out: how many were done */
	__u32 reserved;
};

struct uapi_set_dirty {
	__u32 size;
	__u32 flags; /* 1: on */
	__u32 hwpt_id;
	__u32 reserved;
};

#define UAPI_DIRTY_KEEP 1u

struct uapi_get_dirty {
	__u32 size;
	__u32 hwpt_id;
	__u32 flags;
	__u32 reserved;
	__aligned_u64 iova;
	__aligned_u64 length;
	__aligned_u64 page_size;
	__aligned_u64 data; /* user pointer to a bitmap of __u64 */
};

struct uapi_fault_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_fault_id;
	__u32 out_fault_fd;
};

/* Read from a fault queue's fd ... */
struct uapi_pgfault {
	__u32 flags;
	__u32 dev_id;
	__u32 pasid;
	__u32 grpid;
	__u32 perm;
	__u32 reserved;
	__aligned_u64 addr;
	__u32 length;
	__u32 cookie;
};

#define UAPI_PGFAULT_PASID (1u << 0)
#define UAPI_PGFAULT_LAST  (1u << 1)

/* ... and written to it. */
struct uapi_page_response {
	__u32 cookie;
	__u32 code; /* 0: try again, 1: invalid */
};

/* --- VFIO device cdev --- */

#define UAPI_VFIO_DEVICE_BIND_IOMMUFD	   _IO(';', 100 + 18)
#define UAPI_VFIO_DEVICE_ATTACH_IOMMUFD_PT _IO(';', 100 + 19)
#define UAPI_VFIO_DEVICE_DETACH_IOMMUFD_PT _IO(';', 100 + 20)

/* VFIO_DEVICE_GET_PCI_HOT_RESET_INFO of a cdev: group_id holds a device id of its iommufd. */
#define UAPI_HOT_RESET_DEV_ID (1u << 0)
#define UAPI_HOT_RESET_OWNED  (1u << 1) /* all of them can be reset */
#define UAPI_DEVID_OWNED      0u	/* not open, but in a group that is ours */
#define UAPI_DEVID_NOT_OWNED  UINT32_MAX

struct uapi_vfio_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};

struct uapi_vfio_attach_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
	__u32 pasid; /* Linux 6.15 */
};

struct uapi_vfio_detach_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pasid;
};

/* Data of VFIO_DEVICE_FEATURE_GET: a part of a region as a dma-buf, for peer-to-peer mappings. */
#define UAPI_VFIO_FEATURE_DMABUF 11

/* What VFIO_DEVICE_FEATURE begins with. */
struct uapi_vfio_feature {
	__u32 argsz;
	__u32 flags;
};

struct uapi_vfio_dmabuf {
	__u32 region_index;
	__u32 open_flags;
	__u32 flags;
	__u32 nr_ranges; /* 1 here; the kernel takes more */
	__u64 offset;
	__u64 length;
};

/* In flags of both; without it argsz ends before the PASID, as older kernels know it. */
#define UAPI_VFIO_PT_PASID (1u << 0)

#endif
