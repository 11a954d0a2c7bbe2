/* SPDX-License-Identifier: BSD-3-Clause */
/* Which IOVAs are allowed and which are taken: arithmetic only, no kernel. */
#ifndef WEIR_IOMMU_IOVA_H
#define WEIR_IOMMU_IOVA_H

#include "iommu/iommu.h"

/**
 * struct weir_iova_map - one mapping, or one taken range
 * @next: list by ascending iova
 * @iova: start
 * @len: bytes, > 0
 * @va: memory behind it; NULL where that is reached by @fd alone
 * @prot: enum weir_prot
 * @source: what the memory is
 * @fd: file behind it, of the mapping's own unless it is an arena's; else -1 (source tells)
 * @off: where in the file
 * @own_va: @va was mapped for this mapping and goes with it
 * @copied: made of another mapping by the kernel, whose pages it shares
 * @pin: locked memory that it shares with its copies; NULL when nothing is locked
 * @dev: whose BAR it is
 */
struct weir_iova_map {
	struct weir_iova_map *next;
	uint64_t iova, len;
	void *va;
	unsigned prot;
	enum weir_map_source source;
	int fd;
	uint64_t off;
	bool own_va, copied;
	/* weir_ioas_hold_arena(): how often, and whether the first of them made the mapping */
	bool for_holders;
	unsigned holders;
	struct weir_pin *pin;
	struct weir_iodev *dev;
};

/* Whether @len bytes at @iova lie within one of the ranges; false on overflow or @len 0. */
bool weir_iova_allowed(const struct weir_iova_range *r, unsigned n, uint64_t iova, uint64_t len);

/* The mapping that overlaps, or NULL. */
const struct weir_iova_map *weir_iova_overlap(const struct weir_iova_map *list, uint64_t iova,
					      uint64_t len);

/* Keep the list sorted. */
void weir_iova_insert(struct weir_iova_map **list, struct weir_iova_map *m);

/**
 * weir_iova_find() - lowest free, allowed range
 * @r: allowed ranges, ascending
 * @n: how many
 * @list: taken ranges, ascending
 * @min: no lower than this
 * @len: bytes, > 0
 * @align: power of two
 * @iova: result
 * Return: 0 or -ENOSPC.
 */
int weir_iova_find(const struct weir_iova_range *r, unsigned n, const struct weir_iova_map *list,
		   uint64_t min, uint64_t len, uint64_t align, uint64_t *iova);

#endif
