/* SPDX-License-Identifier: BSD-3-Clause */
/* What address spaces there are and what is mapped in them, for tools that show it. Only looks. */
#include "iommu/internal.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

struct weir_ioas *weir_ioas_next(struct weir_iommu *iommu, const struct weir_ioas *prev)
{
	return prev ? prev->next : iommu->spaces;
}

uint32_t weir_ioas_id(const struct weir_ioas *as)
{
	return as->id;
}

uint64_t weir_ioas_mapped(const struct weir_ioas *as)
{
	return as->mapped;
}

const char *weir_map_source_name(enum weir_map_source source)
{
	static const char *const names[WEIR_SOURCE_MAX] = {
		[WEIR_SOURCE_ADDRESS] = "address",
		[WEIR_SOURCE_ARENA] = "arena",
		[WEIR_SOURCE_FILE] = "file",
		[WEIR_SOURCE_BAR] = "BAR",
	};

	return (unsigned)source < WEIR_SOURCE_MAX ? names[source] : "?";
}

static uint64_t memory_page(const struct weir_ioas *as, const struct weir_iova_map *m)
{
	const struct weir_arena *a =
		m->source == WEIR_SOURCE_ARENA ? weir_arena_of(as->iommu->w, m->va, m->len) : NULL;
	struct statfs fs;

	if (a)
		return weir_arena_info(a).page_size;
	/* A file of hugepages has them as its block size; of others that says little. */
	if (m->source == WEIR_SOURCE_FILE && !fstatfs(m->fd, &fs))
		return fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize
						    : (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

/* Whether a whole, aligned page of @size lies in the mapping, and over whole pages of the memory. */
static bool has_page(const struct weir_iova_map *m, uint64_t memory, uint64_t size)
{
	uint64_t at = WEIR_ALIGN_UP(m->iova, size);
	uint64_t behind = m->fd >= 0 ? m->off : (uintptr_t)m->va;

	return size <= memory && !((m->iova - behind) & (size - 1)) && at >= m->iova &&
	       at - m->iova < m->len && size <= m->len - (at - m->iova);
}

uint64_t weir_map_iommu_page(const struct weir_ioas *as, const struct weir_iova_map *m,
			     uint64_t memory)
{
	uint64_t least = as->page_sizes & -as->page_sizes;

	for (uint64_t size = 1ull << 30; size > least; size >>= 1)
		if (as->page_sizes & size && has_page(m, memory, size))
			return size;
	return least;
}

static void describe(const struct weir_ioas *as, const struct weir_iova_map *m,
		     struct weir_mapping *out)
{
	uint64_t page = memory_page(as, m);

	*out = (struct weir_mapping){
		.iova = m->iova,
		.len = m->len,
		.va = m->va,
		.prot = m->prot,
		.source = m->source,
		.copied = m->copied,
		.page_size = page,
		.iommu_page = weir_map_iommu_page(as, m, page),
	};
}

bool weir_ioas_map_next(const struct weir_ioas *as, const struct weir_mapping *prev,
			struct weir_mapping *out)
{
	const struct weir_iova_map *m = as->maps;

	while (m && prev && m->iova <= prev->iova)
		m = m->next;
	if (!m)
		return false;
	describe(as, m, out);
	return true;
}

uint32_t weir_iodev_pasid_next(const struct weir_iodev *d, uint32_t prev)
{
	uint32_t best = WEIR_PASID_NONE;

	for (const struct weir_pasid *p = d->pasids; p; p = p->next)
		if (p->pasid > prev && (best == WEIR_PASID_NONE || p->pasid < best))
			best = p->pasid;
	return best;
}
