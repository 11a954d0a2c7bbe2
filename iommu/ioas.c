/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address spaces: what is common to all backends. The list of mappings is weir's own, so that
 * overlap, part-unmapping and the locked-memory limit get a sentence before the kernel is asked.
 */
#include "iommu/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_RANGES 64
/* Keep clear of the first 4 GiB: the MSI window and the firmware's reserved regions are there. */
#define IOVA_MIN (4ull << 30)

const struct weir_arena *weir_arena_of(struct weir *w, const void *va, size_t len)
{
	const char *p = va;

	for (struct weir_arena *a = weir_arena_next(w, NULL); a; a = weir_arena_next(w, a)) {
		struct weir_arena_info i = weir_arena_info(a);

		if (p >= i.base && p < i.base + i.size && len <= (size_t)(i.base + i.size - p))
			return a;
	}
	return NULL;
}

int weir_ioas_create(struct weir_iommu *iommu, enum weir_mode mode, struct weir_ioas **out)
{
	struct weir_ioas *as;
	int err;

	if (mode <= WEIR_MODE_AUTO || mode >= WEIR_MODE_MAX)
		return weir_fail(iommu->w, EINVAL, "mode",
				 "an address space needs a definite mode, not auto");
	as = calloc(1, sizeof(*as));
	if (!as)
		return -ENOMEM;
	as->iommu = iommu;
	as->be = weir_backends[mode];
	as->fd = -1;
	err = as->be->as_create(as);
	if (err) {
		free(as);
		return err;
	}
	as->next = iommu->spaces;
	iommu->spaces = as;
	*out = as;
	return 0;
}

bool weir_ioas_ready(struct weir_ioas *as)
{
	return !as->be->as_ready || as->be->as_ready(as);
}

int weir_ioas_destroy(struct weir_ioas *as)
{
	struct weir_iommu *iommu = as->iommu;
	struct weir_ioas **p;

	if (as->devices)
		return weir_fail(iommu->w, EBUSY, "ioas-busy",
				 "an address space with %u devices attached cannot be destroyed",
				 as->devices);
	while (as->maps)
		if (weir_map_end(as, &as->maps))
			/* Destroying the kernel's object drops what it would not unmap. */
			weir_map_drop(as, &as->maps);
	as->be->as_destroy(as);
	for (p = &iommu->spaces; *p != as; p = &(*p)->next)
		;
	*p = as->next;
	for (unsigned i = 0; i < WEIR_MODE_MAX; i++)
		if (iommu->dflt[i] == as)
			iommu->dflt[i] = NULL;
	free(as);
	return 0;
}

int weir_ioas_default(struct weir_iommu *iommu, enum weir_mode mode, struct weir_ioas **out)
{
	int err = 0;

	if (mode <= WEIR_MODE_AUTO || mode >= WEIR_MODE_MAX)
		return -EINVAL;
	if (!iommu->dflt[mode])
		err = weir_ioas_create(iommu, mode, &iommu->dflt[mode]);
	*out = iommu->dflt[mode];
	return err;
}

int weir_ioas_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n, uint64_t *align)
{
	uint64_t a = 0;
	int have;

	if (!weir_ioas_ready(as))
		return weir_fail(as->iommu->w, EAGAIN, "ioas-empty",
				 "in %s mode the allowed IOVAs are known only once a device is "
				 "attached",
				 weir_mode_name(as->be->mode));
	have = as->be->as_ranges(as, r, n, &a);
	if (have < 0)
		return weir_fail(as->iommu->w, have, "iova-ranges",
				 "cannot read the allowed IOVA ranges: %s", weir_strerror(have));
	*align = weir_is_pow2(a) ? a : 4096;
	return have;
}

/* Lowest room outside of the window: an arena may yet come anywhere in that. */
static int find_room(struct weir_ioas *as, const struct weir_iova_range *r, unsigned n,
		     uint64_t min, uint64_t len, uint64_t align, uint64_t *at)
{
	uint64_t size = weir_window(as->iommu->w).size;
	int err = weir_iova_find(r, n, as->maps, min, len, align, at);

	if (!err && as->has_window && *at < as->window_iova + size && as->window_iova < *at + len)
		err = weir_iova_find(r, n, as->maps, as->window_iova + size, len, align, at);
	return err;
}

/* At the largest page that fits, so that the IOMMU can use it; closer together if need be. */
static int find_aligned(struct weir_ioas *as, const struct weir_iova_range *r, unsigned n,
			uint64_t min, uint64_t len, uint64_t align, uint64_t *at)
{
	static const uint64_t pages[] = { 1ull << 30, 1ull << 21 };

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(pages); i++)
		if (pages[i] > align && pages[i] <= len &&
		    !find_room(as, r, n, min, len, pages[i], at))
			return 0;
	return find_room(as, r, n, min, len, align, at);
}

int weir_ioas_alloc_iova(struct weir_ioas *as, uint64_t len, uint64_t align, weir_iova_t *iova)
{
	struct weir_iova_range r[MAX_RANGES];
	uint64_t page = 4096, at;
	int n = weir_ioas_ranges(as, r, MAX_RANGES, &page);

	if (n < 0)
		return n;
	n = (int)weir_min_u((unsigned)n, MAX_RANGES);
	if (align < page)
		align = page;
	if (find_aligned(as, r, (unsigned)n, IOVA_MIN, len, align, &at) &&
	    find_aligned(as, r, (unsigned)n, page, len, align, &at))
		return weir_fail(as->iommu->w, ENOSPC, "iova-full",
				 "no %llu MiB of IOVA are free; lower weir_opts.window_size",
				 (unsigned long long)len >> 20);
	*iova = at;
	return 0;
}

static int place_window(struct weir_ioas *as, struct weir_window win)
{
	weir_iova_t at;
	int err;

	if (as->has_window)
		return 0;
	/* Congruent to the virtual address modulo 1 GiB, so that the largest pages can be used. */
	err = weir_ioas_alloc_iova(as, win.size, 1ull << 30, &at);
	if (err)
		return err;
	as->window_iova = at;
	as->has_window = true;
	return 0;
}

static bool is_mapped(const struct weir_ioas *as, const struct weir_arena_info *i, uint64_t iova)
{
	const struct weir_iova_map *m = weir_iova_overlap(as->maps, iova, i->size);

	return m && m->iova == iova && m->len == i->size && m->va == i->base;
}

int weir_ioas_map_arena(struct weir_ioas *as, const struct weir_arena *a, struct weir_dma *dma)
{
	struct weir_window win = weir_window(as->iommu->w);
	struct weir_arena_info i = weir_arena_info(a);
	int err = place_window(as, win);
	uint64_t iova;

	if (err)
		return err;
	iova = as->window_iova + (uint64_t)(i.base - win.base);
	if (!is_mapped(as, &i, iova))
		err = weir_ioas_map(as, i.base, i.size, iova, WEIR_PROT_RW);
	*dma = (struct weir_dma){ .va_base = win.base,
				  .iova_base = as->window_iova,
				  .pages = as->pages };
	return err;
}

int weir_ioas_map_arenas(struct weir_ioas *as, struct weir_dma *dma)
{
	struct weir *w = as->iommu->w;
	int err = place_window(as, weir_window(w));

	*dma = (struct weir_dma){ .va_base = weir_window(w).base,
				  .iova_base = as->window_iova,
				  .pages = as->pages };
	for (struct weir_arena *a = weir_arena_next(w, NULL); a && !err; a = weir_arena_next(w, a))
		if (!weir_arena_info(a).is_private)
			err = weir_ioas_map_arena(as, a, dma);
	return err;
}

int weir_ioas_unmap_arena(struct weir_ioas *as, const struct weir_arena *a)
{
	struct weir_arena_info i = weir_arena_info(a);
	struct weir_window win = weir_window(as->iommu->w);

	if (!as->has_window)
		return 0;
	return weir_ioas_unmap(as, as->window_iova + (uint64_t)(i.base - win.base), i.size);
}

static struct weir_iova_map *map_of(const struct weir_ioas *as, const struct weir_arena *a)
{
	struct weir_arena_info i = weir_arena_info(a);
	struct weir_iova_map *m = as->maps;

	while (m && (m->source != WEIR_SOURCE_ARENA || m->va != i.base || m->len != i.size))
		m = m->next;
	return m;
}

int weir_ioas_hold_arena(struct weir_ioas *as, const struct weir_arena *a, struct weir_dma *dma)
{
	bool was = map_of(as, a);
	int err = weir_ioas_map_arena(as, a, dma);
	struct weir_iova_map *m = err ? NULL : map_of(as, a);

	if (m && !m->holders++)
		m->for_holders = !was;
	return err;
}

int weir_ioas_drop_arena(struct weir_ioas *as, const struct weir_arena *a)
{
	struct weir_iova_map *m = map_of(as, a);

	if (!m || !m->holders || --m->holders || !m->for_holders)
		return 0;
	return weir_ioas_unmap_arena(as, a);
}

void weir_ioas_left(struct weir_ioas *as)
{
	if (!--as->devices)
		as->page_sizes = 0;
}

enum weir_mode weir_ioas_mode(const struct weir_ioas *as)
{
	return as->be->mode;
}

unsigned weir_ioas_devices(const struct weir_ioas *as)
{
	return as->devices;
}
