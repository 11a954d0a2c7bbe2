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

size_t weir_pool_bytes(unsigned count)
{
	return (size_t)count * WEIR_BUF_SIZE;
}

static void fill(struct weir_pool *p)
{
	uint32_t first = (uint32_t)(((char *)p->mem - p->va_base) >> WEIR_BUF_SHIFT);

	for (unsigned i = 0; i < p->count; i++) {
		uint32_t buf = first + i * (WEIR_BUF_SIZE >> WEIR_BUF_SHIFT);

		weir_mpmc_push(p->free, &buf, 1, sizeof(buf));
	}
}

int weir_pool_create(struct weir_arena *a, unsigned count, struct weir_pool **out)
{
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
	p->mem = weir_arena_alloc(a, weir_pool_bytes(count), WEIR_CACHE_LINE);
	if (!p->mem) {
		struct weir_arena_info i = weir_arena_info(a);

		weir_fail(w, ENOMEM, "pool", "%u buffers need %zu KiB, the arena has %zu KiB free",
			  count, weir_pool_bytes(count) >> 10, (i.size - i.used) >> 10);
		goto free_pool;
	}
	err = weir_ring_create(slots, sizeof(uint32_t), &p->free);
	if (err)
		goto free_mem;
	fill(p);
	*out = p;
	return 0;
free_mem:
	weir_arena_free(a, p->mem);
free_pool:
	free(p);
	return err;
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
