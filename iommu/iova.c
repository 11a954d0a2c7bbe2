/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/iova.h"

bool weir_iova_allowed(const struct weir_iova_range *r, unsigned n, uint64_t iova, uint64_t len)
{
	uint64_t last = iova + len - 1;

	if (!len || last < iova)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (iova >= r[i].start && last <= r[i].last)
			return true;
	return false;
}

const struct weir_iova_map *weir_iova_overlap(const struct weir_iova_map *list, uint64_t iova,
					      uint64_t len)
{
	uint64_t last = iova + len - 1;

	for (; list && list->iova <= last; list = list->next)
		if (list->iova + list->len - 1 >= iova)
			return list;
	return NULL;
}

void weir_iova_insert(struct weir_iova_map **list, struct weir_iova_map *m)
{
	while (*list && (*list)->iova < m->iova)
		list = &(*list)->next;
	m->next = *list;
	*list = m;
}

/* Round up; false when that runs past the end of the number space. */
static bool align_up(uint64_t *v, uint64_t align)
{
	uint64_t up = WEIR_ALIGN_UP(*v, align);

	if (up < *v)
		return false;
	*v = up;
	return true;
}

/* Lowest fit in one range. */
static bool find_in(uint64_t start, uint64_t last, const struct weir_iova_map *list, uint64_t len,
		    uint64_t align, uint64_t *iova)
{
	uint64_t at = start;

	while (align_up(&at, align) && at <= last && last - at >= len - 1) {
		const struct weir_iova_map *m = weir_iova_overlap(list, at, len);

		if (!m) {
			*iova = at;
			return true;
		}
		at = m->iova + m->len;
		if (!at)
			return false;
	}
	return false;
}

int weir_iova_find(const struct weir_iova_range *r, unsigned n, const struct weir_iova_map *list,
		   uint64_t min, uint64_t len, uint64_t align, uint64_t *iova)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t start = r[i].start > min ? r[i].start : min;

		if (start <= r[i].last && find_in(start, r[i].last, list, len, align, iova))
			return 0;
	}
	return -ENOSPC;
}
