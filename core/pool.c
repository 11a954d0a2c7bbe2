/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/pool.h"
#include "core/ring.h"

#include <stdlib.h>

/* Refill and spill leave the stack about half full, so that neither follows the other at once. */
#define CACHE_HALF (WEIR_CACHE_SIZE / 2)

struct weir_pool {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_ring *free;
	void *mem;
	char *va_base;
	unsigned count;
};

size_t weir_pool_bytes(unsigned count, size_t page_size)
{
	size_t in_page = page_size / WEIR_BUF_SIZE;

	if (in_page <= 1)
		return (size_t)count * page_size;
	/* One buffer's worth may be left unused at the end of each page. */
	return ((size_t)count + count / in_page + 2) * WEIR_BUF_SIZE;
}

/*
 * No buffer crosses a page: a device model that maps a segment in one piece can then do so (QEMU's
 * igb drops the frame otherwise), and physical addresses stay usable where there is no IOMMU.
 */
static void fill(struct weir_pool *p, size_t page)
{
	uintptr_t at = (uintptr_t)p->mem;

	for (unsigned i = 0; i < p->count; i++) {
		uint32_t buf;

		if (WEIR_ALIGN_DOWN(at, page) != WEIR_ALIGN_DOWN(at + WEIR_BUF_SIZE - 1, page))
			at = WEIR_ALIGN_UP(at, page);
		buf = (uint32_t)((at - (uintptr_t)p->va_base) >> WEIR_BUF_SHIFT);
		weir_mpmc_push(p->free, &buf, 1, sizeof(buf));
		at += WEIR_BUF_SIZE;
	}
}

int weir_pool_create(struct weir_arena *a, unsigned count, struct weir_pool **out)
{
	struct weir_arena_info i = weir_arena_info(a);
	size_t bytes = weir_pool_bytes(count, i.page_size);
	struct weir *w = weir_arena_handle(a);
	struct weir_pool *p;
	unsigned slots = 2;
	int err = -ENOMEM;

	static_assert(WEIR_BUF_SIZE % WEIR_CACHE_LINE == 0, "buffers start on cache lines");
	if (!count || count > 1u << 24)
		return weir_fail(w, EINVAL, "pool", "a pool of %u buffers is not possible", count);
	while (slots < count)
		slots <<= 1;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->w = w;
	p->arena = a;
	p->count = count;
	p->va_base = weir_window(w).base;
	p->mem = weir_arena_alloc(a, bytes, i.page_size > 65536 ? WEIR_CACHE_LINE : i.page_size);
	if (!p->mem) {
		weir_fail(w, ENOMEM, "pool", "%u buffers need %zu KiB, the arena has %zu KiB free",
			  count, bytes >> 10, (i.size - i.used) >> 10);
		goto free_pool;
	}
	err = weir_ring_create(slots, sizeof(uint32_t), &p->free);
	if (err)
		goto free_mem;
	fill(p, i.page_size);
	*out = p;
	return 0;
free_mem:
	weir_arena_free(a, p->mem);
free_pool:
	free(p);
	return err;
}

int weir_pool_arena(struct weir *w, unsigned count, size_t extra, int node, unsigned flags,
		    struct weir_arena **out)
{
	size_t huge = 2u << 20, small;
	int err = weir_arena_create(w, weir_pool_bytes(count, huge) + extra, node, flags, out);

	if (err || weir_arena_info(*out).page_size >= huge)
		return err;
	/* It became ordinary pages, into each of which fewer buffers go: take more of them. */
	small = weir_arena_info(*out).page_size;
	weir_arena_destroy(*out);
	return weir_arena_create(w, weir_pool_bytes(count, small) + extra + small, node,
				 (flags & ~(unsigned)WEIR_ARENA_HUGE_ONLY) | WEIR_ARENA_SMALL_PAGES,
				 out);
}

unsigned weir_pool_destroy(struct weir_pool *p)
{
	unsigned missing;

	if (!p)
		return 0;
	missing = p->count - weir_pool_available(p);
	if (missing)
		weir_log(p->w, WEIR_LOG_ERR, "pool-leak",
			 "%u of %u packet buffers had not come back when their pool was ended",
			 missing, p->count);
	weir_arena_free(p->arena, p->mem);
	weir_ring_destroy(p->free);
	free(p);
	return missing;
}

unsigned weir_pool_count(const struct weir_pool *p)
{
	return p->count;
}

unsigned weir_pool_available(const struct weir_pool *p)
{
	return weir_ring_count(p->free);
}

const struct weir_arena *weir_pool_memory(const struct weir_pool *p)
{
	return p->arena;
}

const char *weir_pool_va_base(const struct weir_pool *p)
{
	return p->va_base;
}

int weir_cache_create(struct weir_pool *p, struct weir_cache **out)
{
	struct weir_cache *c = aligned_alloc(WEIR_CACHE_LINE, sizeof(*c));

	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof(*c));
	c->pool = p;
	*out = c;
	return 0;
}

void weir_cache_destroy(struct weir_cache *c)
{
	if (!c)
		return;
	weir_mpmc_push(c->pool->free, c->buf, c->n, sizeof(c->buf[0]));
	free(c);
}

unsigned weir_cache_refill(struct weir_cache *c, unsigned want)
{
	unsigned target = want > CACHE_HALF ? want : CACHE_HALF;

	if (c->n < target)
		c->n += weir_mpmc_pop(c->pool->free, &c->buf[c->n], target - c->n,
				      sizeof(c->buf[0]));
	return c->n;
}

void weir_cache_spill(struct weir_cache *c, unsigned room)
{
	unsigned keep = room > CACHE_HALF ? WEIR_CACHE_SIZE - room : CACHE_HALF;
	unsigned n = c->n > keep ? c->n - keep : 0;

	/* The coldest, at the bottom of the stack, go; the pool has a slot for every buffer. */
	weir_mpmc_push(c->pool->free, c->buf, n, sizeof(c->buf[0]));
	memmove(c->buf, c->buf + n, (c->n - n) * sizeof(c->buf[0]));
	c->n -= n;
}
