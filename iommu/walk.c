/* SPDX-License-Identifier: BSD-3-Clause */
/* What address spaces there are and what is mapped in them, for tools that show it. Only looks. */
#include "iommu/internal.h"

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
	};

	return (unsigned)source < WEIR_SOURCE_MAX ? names[source] : "?";
}

static void describe(const struct weir_ioas *as, const struct weir_iova_map *m,
		     struct weir_mapping *out)
{
	const struct weir_arena *a = weir_arena_of(as->iommu->w, m->va, m->len);

	*out = (struct weir_mapping){
		.iova = m->iova,
		.len = m->len,
		.va = m->va,
		.prot = m->prot,
		.source = WEIR_SOURCE_ADDRESS,
	};
	if (!a)
		return;
	out->source = WEIR_SOURCE_ARENA;
	out->page_size = weir_arena_info(a).page_size;
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
