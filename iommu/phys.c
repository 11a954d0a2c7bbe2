/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address spaces where nothing translates: what a device is told is where memory lies. Only arenas of
 * hugepages can be used, since the kernel neither swaps these nor moves them about while a process
 * holds them, and each is one piece of physical memory. Where they lie stands in a table by page of
 * the window, which weir_dma hands to the drivers.
 */
#include "iommu/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A page that is not mapped: no memory is there, so a stray access hits nothing. */
#define NOWHERE (UINT64_C(1) << 63)

/* Documentation/admin-guide/mm/pagemap.rst: one word for each base page. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_PFN	((UINT64_C(1) << 55) - 1)

static size_t window_pages(const struct weir_ioas *as)
{
	return weir_window(as->iommu->w).size >> WEIR_DMA_PAGE_SHIFT;
}

int weir_phys_create(struct weir_ioas *as)
{
	as->pages = calloc(window_pages(as), sizeof(*as->pages));
	if (!as->pages)
		return -ENOMEM;
	for (size_t i = 0; i < window_pages(as); i++)
		as->pages[i] = NOWHERE;
	return 0;
}

void weir_phys_destroy(struct weir_ioas *as)
{
	free(as->pages);
	as->pages = NULL;
}

int weir_phys_check(struct weir_ioas *as, const struct weir_iova_map *m)
{
	struct weir *w = as->iommu->w;
	const struct weir_arena *a = m->va ? weir_arena_of(w, m->va, m->len) : NULL;
	size_t n = m->len >> WEIR_DMA_PAGE_SHIFT;

	if (!a || m->va != weir_arena_info(a).base || m->len != weir_arena_info(a).size ||
	    !as->has_window ||
	    m->iova != as->window_iova + (uint64_t)((char *)m->va - weir_window(w).base))
		return weir_fail(
			w, EOPNOTSUPP, "noiommu-map",
			"without an IOMMU memory has the address it has: only whole arenas "
			"can be mapped, with weir_ioas_map_arena()");
	if (weir_arena_info(a).page_size % WEIR_DMA_PAGE)
		return weir_fail(
			w, ENOMEM, "noiommu-hugepages",
			"without an IOMMU packet memory must be hugepages of 2 MiB or more, "
			"and these %llu MiB are ordinary pages: reserve %zu hugepages with "
			"`hugeadm --pool-pages-min 2MB:+%zu` (package libhugetlbfs-bin)",
			(unsigned long long)m->len >> 20, n, n);
	return 0;
}

/* Physical address of a base page, by pagemap. */
static int look_up(int pagemap, const char *va, size_t base_page, uint64_t *phys)
{
	uint64_t word;
	off_t at = (off_t)((uintptr_t)va / base_page * sizeof(word));
	ssize_t n = pread(pagemap, &word, sizeof(word), at);

	if (n != (ssize_t)sizeof(word))
		return n < 0 ? -errno : -EIO;
	if (!(word & PAGEMAP_PRESENT))
		return -EFAULT;
	/* The kernel shows frame 0 to whom it does not trust with the number. */
	if (!(word & PAGEMAP_PFN))
		return -EPERM;
	*phys = (word & PAGEMAP_PFN) * base_page;
	return 0;
}

/* One WEIR_DMA_PAGE of an arena: its beginning and its end must belong together. */
static int look_up_page(int pagemap, const char *va, uint64_t *phys)
{
	size_t base_page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t end = 0;
	int err = look_up(pagemap, va, base_page, phys);

	if (!err)
		err = look_up(pagemap, va + WEIR_DMA_PAGE - base_page, base_page, &end);
	if (err)
		return err;
	if (*phys % WEIR_DMA_PAGE || end != *phys + WEIR_DMA_PAGE - base_page)
		return -EFAULT;
	return 0;
}

static size_t page_of(const struct weir_ioas *as, const struct weir_iova_map *m)
{
	return (size_t)(m->iova - as->window_iova) >> WEIR_DMA_PAGE_SHIFT;
}

int weir_phys_map(struct weir_ioas *as, const struct weir_iova_map *m)
{
	uint64_t *page = &as->pages[page_of(as, m)];
	char path[PATH_MAX];
	int fd, err = 0;

	weir_path(path, "%s/self/pagemap", weir_proc(as->iommu->w));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < m->len >> WEIR_DMA_PAGE_SHIFT && !err; i++)
		err = look_up_page(fd, (char *)m->va + i * WEIR_DMA_PAGE, &page[i]);
	close(fd);
	if (err)
		weir_phys_unmap(as, m);
	return err;
}

int weir_phys_unmap(struct weir_ioas *as, const struct weir_iova_map *m)
{
	for (size_t i = 0; i < m->len >> WEIR_DMA_PAGE_SHIFT; i++)
		as->pages[page_of(as, m) + i] = NOWHERE;
	return 0;
}

int weir_phys_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n, uint64_t *align)
{
	(void)as;
	/* A range to lay the window out in, as its place in the list of mappings; no device sees it. */
	if (n)
		r[0] = (struct weir_iova_range){ 0, (UINT64_C(1) << 62) - 1 };
	*align = 4096;
	return 1;
}
