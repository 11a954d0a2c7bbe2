/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The IOMMU in front of the simulated NIC: it reaches only what its client mapped for it, in the
 * direction that was allowed. Everything else is a fault, counted and told, never a crash.
 */
#ifndef WEIR_APPS_NICSIM_DMA_H
#define WEIR_APPS_NICSIM_DMA_H

#include "core/io.h"

#define DMA_MAPS_MAX   32768 /* behind a virtual IOMMU a guest maps page by page */
#define DMA_KEEP       16
#define DMA_ASK_MAX    16384u
#define DMA_PASIDS_MAX 64 /* attached at a time */

/* Rights of a mapping, seen from the device; as the flags of a DMA_MAP message. */
enum dma_dir {
	DMA_DEV_READ = 1,
	DMA_DEV_WRITE = 2,
};

/**
 * struct dma_who - on whose behalf memory is reached
 * @tx: a TX queue, otherwise an RX queue
 * @queue: its number
 * @pasid: what its requests carry; 0: none
 */
struct dma_who {
	bool tx;
	uint16_t queue;
	uint32_t pasid;
};

struct dma_map {
	uint64_t iova, size;
	uint8_t *va; /* NULL: the client is asked for each access */
	uint8_t *file_va;
	size_t file_len;
	unsigned prot;
};

/**
 * struct dma_fault - a refused access
 * @iova: where
 * @len: how much
 * @who: for which queue
 * @dir: what was tried
 * @why: in words
 */
struct dma_fault {
	uint64_t iova;
	size_t len;
	struct dma_who who;
	enum dma_dir dir;
	const char *why;
};

/**
 * struct dma - an address space
 * @maps: sorted by IOVA, @n of them
 * @hit: index of the mapping used last, for each direction
 * @ops: accesses so far
 * @fail_at: refuse this access (counted from 1); 0 none
 * @faults: refused so far; the first DMA_KEEP are in @kept
 * @report: called for each fault, or NULL
 * @ask: reach memory that came without a file, at most DMA_ASK_MAX bytes; NULL: that is a fault
 * @pasids: address spaces of requests with a PASID; their faults count here
 */
struct dma {
	struct dma_map *maps;
	unsigned n;
	unsigned hit[2];
	uint64_t ops, fail_at;
	uint64_t faults;
	struct dma_fault kept[DMA_KEEP];
	void (*report)(void *arg, const struct dma_fault *f);
	void *report_arg;
	bool (*ask)(void *arg, enum dma_dir dir, uint64_t iova, void *buf, size_t len);
	void *ask_arg;
	struct dma_pasid *pasids;
	unsigned n_pasids;
};

/**
 * struct dma_pasid - where requests with a PASID lead
 * @next: another one
 * @pasid: number
 * @space: its mappings; of the rest nothing is used
 */
struct dma_pasid {
	struct dma_pasid *next;
	uint32_t pasid;
	struct dma space;
};

/**
 * dma_map() - let the device reach [@iova, @iova + @size)
 * @d: address space
 * @iova: page aligned
 * @size: likewise, not 0
 * @prot: enum dma_dir, or-ed
 * @fd: file that backs it, stays the caller's; -1: none, see struct dma.ask
 * @off: offset in the file
 * Return: 0, -EINVAL (alignment, rights, overflow, past the file's end), -EEXIST (overlap),
 * -ENOSPC, or errno of mmap().
 */
int dma_map(struct dma *d, uint64_t iova, uint64_t size, unsigned prot, int fd, uint64_t off);

/* As dma_map(), for memory of this process; for tests. */
int dma_map_va(struct dma *d, uint64_t iova, uint64_t size, unsigned prot, void *va);

/* Forget all mappings that lie wholly inside. Return: 0, -EINVAL if one is cut, -ENOENT. */
int dma_unmap(struct dma *d, uint64_t iova, uint64_t size);
void dma_unmap_all(struct dma *d);

/* --- address spaces by PASID (dma_pasid.c) --- */

/* An empty one for @pasid. Return: 0, -EINVAL (0), -EEXIST, -ENOSPC, -ENOMEM. */
int dma_pasid_add(struct dma *d, uint32_t pasid);
/* Forget it and its mappings. Return: 0 or -ENOENT. */
int dma_pasid_del(struct dma *d, uint32_t pasid);
/* @pasid has the mappings of @with from now on; @with and its own are gone. Return: 0 or -ENOENT. */
int dma_pasid_replace(struct dma *d, uint32_t pasid, uint32_t with);
/* Mappings of @pasid; NULL without. */
struct dma *dma_pasid(struct dma *d, uint32_t pasid);
void dma_pasid_end(struct dma *d);

/* Copy; a range may span mappings. Return: false after a fault; a part may have been copied. */
bool dma_read(struct dma *d, struct dma_who who, uint64_t iova, void *buf, size_t len);
bool dma_write(struct dma *d, struct dma_who who, uint64_t iova, const void *buf, size_t len);

/**
 * dma_store() - write what the other side polls: 4 bytes, or words of 8, aligned, the last one last
 * Return: false (and a fault is counted) if it does not lie in one mapping, or may not be written.
 */
bool dma_store(struct dma *d, struct dma_who who, uint64_t iova, const void *buf, size_t len);

/* What a byte of this process's memory belongs to, for the SIGBUS handler. NULL: none of ours. */
const struct dma_map *dma_find_va(const struct dma *d, const void *va);

#endif
