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
 * @va: memory behind it
 * @prot: enum weir_prot
 */
struct weir_iova_map {
	struct weir_iova_map *next;
	uint64_t iova, len;
	void *va;
	unsigned prot;
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
