/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user protocol on the wire, as QEMU's docs/interop/vfio-user.rst specifies it. All
 * numbers are in the byte order of the host: both ends run on one machine. Region and interrupt
 * numbers, and their flags, are those of VFIO (linux/vfio.h).
 *
 * Client (iommu/vfio_user*.c) and server (weir nicsim) share this file; it is not installed.
 */
#ifndef WEIR_IOMMU_VFIO_USER_PROTO_H
#define WEIR_IOMMU_VFIO_USER_PROTO_H

#include "core/types.h"

#define VU_MAJOR 0
#define VU_MINOR 0

enum vu_cmd {
	VU_VERSION = 1,
	VU_DMA_MAP = 2,
	VU_DMA_UNMAP = 3,
	VU_GET_INFO = 4,
	VU_GET_REGION_INFO = 5,
	VU_GET_REGION_IO_FDS = 6,
	VU_GET_IRQ_INFO = 7,
	VU_SET_IRQS = 8,
	VU_REGION_READ = 9,
	VU_REGION_WRITE = 10,
	VU_DMA_READ = 11,  /* server to client */
	VU_DMA_WRITE = 12, /* server to client */
	VU_RESET = 13,
	VU_REGION_WRITE_MULTI = 15,
	VU_DEVICE_FEATURE = 16,
	VU_MIG_DATA_READ = 17,
	VU_MIG_DATA_WRITE = 18,
	/* weir's own, between ends that have both told "x_weir_pasid"; see struct vu_pasid */
	VU_X_PASID_ATTACH = 0x5701,
	VU_X_PASID_DETACH = 0x5702,
	VU_X_PASID_MAP = 0x5703,
	VU_X_PASID_UNMAP = 0x5704,
	VU_X_PASID_REPLACE = 0x5705,
};

/* Header flags: the type is a number in four bits. */
#define VU_F_TYPE_MASK 0xfu
#define VU_F_COMMAND   0x0u
#define VU_F_REPLY     0x1u
#define VU_F_NO_REPLY  0x10u
#define VU_F_ERROR     0x20u

/**
 * struct vu_hdr - in front of every message
 * @id: chosen by the sender of a command, echoed in its reply
 * @cmd: enum vu_cmd
 * @size: bytes of the whole message, this header included
 * @flags: VU_F_*
 * @error: in a reply with VU_F_ERROR: a positive errno, or 0; such a reply has no payload
 */
struct vu_hdr {
	uint16_t id;
	uint16_t cmd;
	uint32_t size;
	uint32_t flags;
	uint32_t error;
};

/* VU_VERSION, both ways; followed by JSON text with its NUL, or by nothing. */
struct vu_version {
	uint16_t major;
	uint16_t minor;
};

/* What holds where the JSON does not say. */
#define VU_DEF_MSG_FDS	 1u
#define VU_DEF_DATA_XFER (1u << 20)
#define VU_DEF_DMA_MAPS	 65535u
#define VU_DEF_PGSIZES	 4096u

#define VU_DMA_READABLE	 1u
#define VU_DMA_WRITEABLE 2u

/* VU_DMA_MAP; the memory's fd by SCM_RIGHTS, or none. The reply has no payload. */
struct vu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /* in the fd */
	uint64_t addr;	 /* IOVA */
	uint64_t size;
};

/* VU_DMA_UNMAP, command and reply. */
struct vu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t addr;
	uint64_t size;
};

/*
 * Address spaces by PASID, not in the specification. A client that wants them tells the capability
 * "x_weir_pasid": {"bits": N}; a server that has them answers with its own N, and the smaller one
 * counts. Replies have no payload. Memory is always given with its fd.
 */
struct vu_pasid {
	uint32_t argsz;
	uint32_t flags; /* 0 */
	uint32_t pasid; /* not 0 */
	uint32_t reserved;
};

struct vu_pasid_map {
	struct vu_pasid p; /* flags: VU_DMA_* */
	uint64_t offset, addr, size;
};

/* Exactly what earlier messages mapped. */
struct vu_pasid_unmap {
	struct vu_pasid p;
	uint64_t addr, size;
};

/* From one access to the next @p.pasid has the table of @with, which ends; so does its own. */
struct vu_pasid_replace {
	struct vu_pasid p; /* flags: 0 */
	uint32_t with;
	uint32_t reserved;
};

#define VU_X_PASID_CAP	"x_weir_pasid"
#define VU_X_PASID_BITS 20u

/* VU_GET_INFO, command and reply; flags are VFIO_DEVICE_FLAGS_*. */
struct vu_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};

/*
 * VU_GET_REGION_INFO, command and reply; flags are VFIO_REGION_INFO_FLAG_*. In the reply a chain
 * of capabilities may follow (struct vu_cap, from cap_offset, relative to this struct), and the
 * fd comes with it when the region can be mapped.
 */
struct vu_region_info {
	uint32_t argsz; /* command: room for the reply's payload; reply: what it needs */
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset; /* for mmap() of the fd; sparse areas count from it */
};

struct vu_cap {
	uint16_t id;
	uint16_t version;
	uint32_t next; /* relative to struct vu_region_info; 0 ends the chain */
};

#define VU_CAP_SPARSE 1 /* VFIO_REGION_INFO_CAP_SPARSE_MMAP */

struct vu_cap_sparse {
	struct vu_cap cap;
	uint32_t n;
	uint32_t reserved;
	struct {
		uint64_t offset, size;
	} areas[];
};

/* VU_GET_REGION_IO_FDS, command and reply; @count structs vu_region_io_fd follow. */
struct vu_region_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

#define VU_IO_FD_IOEVENTFD  0u
#define VU_IO_FD_IOREGIONFD 1u

struct vu_region_io_fd {
	uint64_t offset, size;
	uint32_t fd_index;
	uint32_t type; /* VU_IO_FD_* */
	uint32_t flags;
	uint32_t pad;
	uint64_t datamatch; /* or, for an ioregionfd, user data */
};

/* VU_GET_IRQ_INFO, command and reply; flags are VFIO_IRQ_INFO_*. */
struct vu_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

/*
 * VU_SET_IRQS; flags are VFIO_IRQ_SET_*. Eventfds come by SCM_RIGHTS and not as data; with
 * VFIO_IRQ_SET_DATA_EVENTFD and no fd the vectors lose theirs. The reply has no payload.
 */
struct vu_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

/* VU_REGION_READ and _WRITE, command and reply; data follow in read replies, write commands. */
struct vu_region_rw {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};

/* VU_DMA_READ and _WRITE, command and reply; data follow in read replies, write commands. */
struct vu_dma_rw {
	uint64_t addr;
	uint64_t count;
};

static_assert(sizeof(struct vu_hdr) == 16, "vfio-user: header");
static_assert(sizeof(struct vu_version) == 4, "vfio-user: version");
static_assert(sizeof(struct vu_dma_map) == 32, "vfio-user: DMA_MAP");
static_assert(sizeof(struct vu_dma_unmap) == 24, "vfio-user: DMA_UNMAP");
static_assert(sizeof(struct vu_device_info) == 16, "vfio-user: GET_INFO");
static_assert(sizeof(struct vu_region_info) == 32, "vfio-user: GET_REGION_INFO");
static_assert(sizeof(struct vu_cap_sparse) == 16, "vfio-user: sparse mmap");
static_assert(sizeof(struct vu_region_io_fd) == 40, "vfio-user: GET_REGION_IO_FDS");
static_assert(sizeof(struct vu_irq_set) == 20, "vfio-user: SET_IRQS");
static_assert(sizeof(struct vu_region_rw) == 16, "vfio-user: REGION_READ");
static_assert(sizeof(struct vu_dma_rw) == 16, "vfio-user: DMA_READ");

#endif
