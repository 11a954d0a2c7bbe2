/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From buffers to what a device is told of them, for functions that move bursts. Behind an IOMMU
 * that is one addition. Without one it is a look-up of the physical page, in functions of their own:
 * a driver compiles its burst functions a second time, in a file that defines WEIR_PHYS and includes
 * them, and chooses when it sets up a queue. So neither kind asks, for each packet, which it is.
 *
 * No buffer crosses a page (core/pool.c), so a buffer has one physical address.
 */
#ifndef WEIR_NICS_XLATE_H
#define WEIR_NICS_XLATE_H

#include "core/port.h"

/* What a loop over buffers keeps in registers. */
struct xlate {
	weir_iova_t base;
	const uint64_t *pages;
};

/* The name of what stands in both kinds. */
#ifdef WEIR_PHYS
#define XLATE_FN(name) name##_phys
#else
#define XLATE_FN(name) name
#endif

#ifdef WEIR_PHYS

#define XLATE_PAGE_BUFS (1u << (WEIR_DMA_PAGE_SHIFT - WEIR_BUF_SHIFT))

static inline struct xlate xlate_begin(const struct weir_dma *d, unsigned off)
{
	return (struct xlate){ .base = off, .pages = d->pages };
}

static inline weir_iova_t xlate_ptr(const struct weir_dma *d, const void *p)
{
	size_t off = (size_t)((const char *)p - d->va_base);

	return d->pages[off >> WEIR_DMA_PAGE_SHIFT] + (off & (WEIR_DMA_PAGE - 1));
}

static inline weir_iova_t xlate_buf(struct xlate x, uint32_t buf, unsigned off)
{
	weir_iova_t in_page = (weir_iova_t)(buf % XLATE_PAGE_BUFS) << WEIR_BUF_SHIFT;

	return x.pages[buf / XLATE_PAGE_BUFS] + in_page + x.base + off;
}

#else

/* @off: added to every address */
static inline struct xlate xlate_begin(const struct weir_dma *d, unsigned off)
{
	return (struct xlate){ .base = d->iova_base + off };
}

/* What lies beside the buffers. */
static inline weir_iova_t xlate_ptr(const struct weir_dma *d, const void *p)
{
	return d->iova_base + (weir_iova_t)((const char *)p - d->va_base);
}

static inline weir_iova_t xlate_buf(struct xlate x, uint32_t buf, unsigned off)
{
	return x.base + ((weir_iova_t)buf << WEIR_BUF_SHIFT) + off;
}

#endif

/**
 * nic_ring_whole() - a ring that the device sees in one piece, or none
 * @p: port
 * @dma: of the device
 * @arena: that @ring was allocated from
 * @ring: or NULL
 * @len: bytes
 * Return: @ring; NULL after a sentence if it is in pieces. It is freed then.
 */
static inline void *nic_ring_whole(struct weir_port *p, const struct weir_dma *dma,
				   struct weir_arena *arena, void *ring, size_t len)
{
	if (!ring || weir_dma_whole(dma, ring, len))
		return ring;
	weir_arena_free(arena, ring);
	weir_fail(p->w, ENOMEM, "ring-in-pieces",
		  "%s: without an IOMMU a ring must lie in one piece of physical memory, and its "
		  "%zu KiB do not: ask for fewer descriptors",
		  p->name, (len + 1023) >> 10);
	return NULL;
}

/* Where a segment's data is, @pre bytes of headroom included. */
static inline weir_iova_t xlate_pkt(struct xlate x, const struct weir_pkt *p, unsigned pre)
{
	return xlate_buf(x, p->buf, p->off) - pre;
}

#endif
