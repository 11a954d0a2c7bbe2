/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet memory. A handle has one *window* of virtual addresses; *arenas* (memfd, hugepages, one
 * NUMA node each) are placed in it. An address space maps the window at one IOVA base, so for all
 * memory of a handle: iova = iova_base + (virtual address - window base). Nothing is left in any
 * file system when the process dies, and the memfd can be handed to another process.
 */
#ifndef WEIR_CORE_ARENA_H
#define WEIR_CORE_ARENA_H

#include "core/weir.h"

WEIR_BEGIN_DECLS

/**
 * struct weir_window - the address range in which all arenas of a handle lie
 * @base: first byte; aligned to 1 GiB
 * @size: bytes
 */
struct weir_window {
	char *base;
	size_t size;
};

WEIR_API struct weir_window weir_window(const struct weir *w);

enum weir_arena_flags {
	/* Refuse (-ENOMEM) rather than fall back to ordinary pages. */
	WEIR_ARENA_HUGE_ONLY = 1 << 0,
	/* Do not even try hugepages. */
	WEIR_ARENA_SMALL_PAGES = 1 << 1,
	/* For one tenant: weir_ioas_map_arenas() leaves it out, weir_ioas_map_arena() maps it. */
	WEIR_ARENA_PRIVATE = 1 << 2,
};

#define WEIR_NODE_ANY (-1)

struct weir_arena;

/**
 * weir_arena_create() - allocate packet memory
 * @w: handle
 * @size: bytes; rounded up to whole pages of the size used
 * @node: NUMA node, or WEIR_NODE_ANY
 * @flags: enum weir_arena_flags
 * @out: the arena; end with weir_arena_destroy()
 *
 * Tries 2 MiB hugepages on @node. Where too few are free it falls back to ordinary pages, unless
 * told not to, and prints the remedy once a handle. Every page is touched: what returns is there.
 * Not thread-safe against other calls that change arenas of the same handle.
 * Return: 0, -ENOMEM (no hugepages, or window full), -EINVAL, or an errno of the system calls.
 */
WEIR_API int weir_arena_create(struct weir *w, size_t size, int node, unsigned flags,
			       struct weir_arena **out);

/**
 * weir_arena_create_fd() - packet memory that somebody else allocated
 * @w: handle
 * @fd: a memfd, read-write, of whole pages; it is taken, and closed on failure too
 * @flags: WEIR_ARENA_PRIVATE or 0
 * @out: as above
 *
 * Its size and page size are the arena's. It is sealed against shrinking, which would kill this
 * process; a file that cannot be is refused. What it held is not kept.
 * Return: 0; -EINVAL (no memfd, can shrink, no whole pages), -EBADF, -ENOMEM.
 */
WEIR_API int weir_arena_create_fd(struct weir *w, int fd, unsigned flags, struct weir_arena **out);

/**
 * weir_arena_destroy() - give the memory back
 * @a: arena or NULL; no allocation in use, by a device neither. Address spaces in which it is still
 *     mapped lose it
 */
WEIR_API void weir_arena_destroy(struct weir_arena *a);

/**
 * struct weir_arena_info - facts about an arena
 * @base: first byte
 * @size: bytes
 * @page_size: 4096 or 2 MiB (or whatever the system's hugepage size is)
 * @node: NUMA node asked for
 * @fd: the memfd; stays the arena's
 * @used: bytes handed out by weir_arena_alloc()
 * @is_private: made with WEIR_ARENA_PRIVATE
 */
struct weir_arena_info {
	char *base;
	size_t size;
	size_t page_size;
	int node;
	int fd;
	size_t used;
	bool is_private;
};

WEIR_API struct weir_arena_info weir_arena_info(const struct weir_arena *a);

/**
 * struct weir_arena_watch - to be told before an arena of a handle goes
 * @gone: called by weir_arena_destroy() while the memory is still there
 */
struct weir_arena_watch {
	struct weir_arena_watch *next;
	void (*gone)(struct weir_arena_watch *watch, const struct weir_arena *a);
};

/* @watch stays the caller's and must be removed before it goes. */
WEIR_API void weir_arena_watch(struct weir *w, struct weir_arena_watch *watch);
WEIR_API void weir_arena_unwatch(struct weir *w, struct weir_arena_watch *watch);

/* The handle an arena belongs to. */
WEIR_API struct weir *weir_arena_handle(const struct weir_arena *a);

/**
 * weir_arena_next() - walk the arenas of a handle
 * @w: handle
 * @prev: NULL for the first
 * Return: the next arena, or NULL.
 */
WEIR_API struct weir_arena *weir_arena_next(struct weir *w, const struct weir_arena *prev);

/**
 * weir_arena_alloc() - carve out DMA-able memory for rings and buffers
 * @a: arena
 * @size: bytes, > 0
 * @align: power of two; at least a cache line is used
 *
 * Set-up path only; not thread-safe. The memory is zeroed. What
 * fits a WEIR_DMA_PAGE lies within one, so it is in one piece for any device.
 * Return: pointer, or NULL when the arena is full. Free with weir_arena_free().
 */
WEIR_API void *weir_arena_alloc(struct weir_arena *a, size_t size, size_t align);
WEIR_API void weir_arena_free(struct weir_arena *a, void *p);

/* Without an IOMMU: pieces of the window, each in one piece in physical memory (2 MiB). */
#define WEIR_DMA_PAGE_SHIFT 21
#define WEIR_DMA_PAGE	    ((size_t)1 << WEIR_DMA_PAGE_SHIFT)

/**
 * struct weir_dma - how a device sees the window
 * @va_base: window base
 * @iova_base: IOVA at which the window starts in the device's address space
 * @pages: NULL; without an IOMMU the physical address of each WEIR_DMA_PAGE of the window, and
 *         @iova_base means nothing. Belongs to the address space
 *
 * Drivers keep a copy in each queue: translation is one addition, without a look-up. For @pages
 * they have functions of their own (nics/xlate.h), chosen when a queue is set up.
 */
struct weir_dma {
	char *va_base;
	weir_iova_t iova_base;
	const uint64_t *pages;
};

/**
 * weir_dma_iova() - what to tell a device of memory in an arena; for set-up
 * @d: device
 * @p: in an arena that is mapped
 */
static inline weir_iova_t weir_dma_iova(const struct weir_dma *d, const void *p)
{
	size_t off = (size_t)((const char *)p - d->va_base);

	if (d->pages)
		return d->pages[off >> WEIR_DMA_PAGE_SHIFT] + (off & (WEIR_DMA_PAGE - 1));
	return d->iova_base + off;
}

/**
 * weir_dma_whole() - whether a device sees memory in one piece, as a descriptor ring must be
 * @d: device
 * @p: start, in an arena
 * @len: bytes, > 0
 */
static inline bool weir_dma_whole(const struct weir_dma *d, const void *p, size_t len)
{
	size_t at = (size_t)((const char *)p - d->va_base) >> WEIR_DMA_PAGE_SHIFT;
	size_t last = (size_t)((const char *)p + len - 1 - d->va_base) >> WEIR_DMA_PAGE_SHIFT;

	for (; d->pages && at < last; at++)
		if (d->pages[at + 1] != d->pages[at] + WEIR_DMA_PAGE)
			return false;
	return true;
}

WEIR_END_DECLS

#endif
