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

#define UAPI_IOMMU_DESTROY	    UAPI_IOMMUFD(0)
#define UAPI_IOMMU_IOAS_ALLOC	    UAPI_IOMMUFD(1)
#define UAPI_IOMMU_IOAS_IOVA_RANGES UAPI_IOMMUFD(4)
#define UAPI_IOMMU_IOAS_MAP	    UAPI_IOMMUFD(5)
#define UAPI_IOMMU_IOAS_UNMAP	    UAPI_IOMMUFD(6)
#define UAPI_IOMMU_IOAS_MAP_FILE    UAPI_IOMMUFD(15)

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

/* --- VFIO device cdev --- */

#define UAPI_VFIO_DEVICE_BIND_IOMMUFD	   _IO(';', 100 + 18)
#define UAPI_VFIO_DEVICE_ATTACH_IOMMUFD_PT _IO(';', 100 + 19)
#define UAPI_VFIO_DEVICE_DETACH_IOMMUFD_PT _IO(';', 100 + 20)

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
};

struct uapi_vfio_detach_pt {
	__u32 argsz;
	__u32 flags;
};

#endif
