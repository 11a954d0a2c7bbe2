/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet buffers: a shared pool, and a stack for each thread in front of it. A buffer that a TX
 * queue has finished with goes on the stack of the thread that owns the queue and is the next one
 * that this thread's RX queue takes; the shared pool sees only imbalance.
 */
#ifndef WEIR_CORE_POOL_H
#define WEIR_CORE_POOL_H

#include "core/pkt.h"

WEIR_BEGIN_DECLS

struct weir_pool;

#define WEIR_CACHE_SIZE 1024

/**
 * struct weir_cache - one thread's stack of free buffers
 * @n: buffers on the stack
 * @pool: what it is filled from and spilled to
 * @buf: the stack
 *
 * Belongs to one thread at a time; made by weir_cache_create().
 */
struct weir_cache {
	uint32_t n;
	uint32_t pad;
	struct weir_pool *pool;
	uint32_t buf[WEIR_CACHE_SIZE] weir_cacheline;
} weir_cacheline;

/**
 * weir_pool_create() - buffers of WEIR_BUF_SIZE bytes in an arena
 * @a: arena; must outlive the pool
 * @count: buffers, > 0
 * @out: the pool; end with weir_pool_destroy()
 * Return: 0, -EINVAL, -ENOMEM (arena full; the message says how much is wanted).
 */
WEIR_API int weir_pool_create(struct weir_arena *a, unsigned count, struct weir_pool **out);

/**
 * weir_pool_destroy() - free the pool
 * @p: pool or NULL
 * Return: buffers that had not come back (0 is right; more is a leak in the caller, logged).
 */
WEIR_API unsigned weir_pool_destroy(struct weir_pool *p);

/**
 * weir_pool_bytes() - bytes of arena that a pool takes
 * @count: buffers
 * @page_size: of the arena; no buffer crosses a page
 */
WEIR_API size_t weir_pool_bytes(unsigned count, size_t page_size);

/**
 * weir_pool_arena() - an arena with room for a pool and something more
 * @w: handle
 * @count: buffers of the pool that will be made
 * @extra: further bytes, for rings
 * @node: see weir_arena_create()
 * @flags: see weir_arena_create()
 * @out: the arena, on hugepages or (larger) on ordinary pages
 */
WEIR_API int weir_pool_arena(struct weir *w, unsigned count, size_t extra, int node, unsigned flags,
			     struct weir_arena **out);
WEIR_API unsigned weir_pool_count(const struct weir_pool *p);
/* Buffers in the shared pool now; those on threads' stacks are not among them. Any thread. */
WEIR_API unsigned weir_pool_available(const struct weir_pool *p);
WEIR_API const char *weir_pool_va_base(const struct weir_pool *p);
/* The arena that its buffers lie in. */
WEIR_API const struct weir_arena *weir_pool_memory(const struct weir_pool *p);

WEIR_API int weir_cache_create(struct weir_pool *p, struct weir_cache **out);
/* Spills what is left to the pool. */
WEIR_API void weir_cache_destroy(struct weir_cache *c);

/* Slow halves of the two below: move a block between stack and pool. */
WEIR_API unsigned weir_cache_refill(struct weir_cache *c, unsigned want);
WEIR_API void weir_cache_spill(struct weir_cache *c, unsigned room);

/*
 * For one handle a call of memcpy() would cost more than all the rest. (The empty statement hides from
 * gcc 12 that no other is written, of which it warns at callers that loop over what they got.)
 */
static inline void weir_buf_copy(uint32_t *to, const uint32_t *from, unsigned n)
{
	if (n == 1) {
#ifndef __clang__
		__asm__("" : "+r"(to));
#endif
		*to = *from;
		return;
	}
	memcpy(to, from, n * sizeof(*to));
}

/**
 * weir_buf_alloc() - take free buffers
 * @c: this thread's stack
 * @bufs: where their handles go
 * @n: how many, at most WEIR_CACHE_SIZE / 2
 * Return: how many there were, fewer than @n only when the pool is empty.
 */
static inline unsigned weir_buf_alloc(struct weir_cache *c, uint32_t *bufs, unsigned n)
{
	if (weir_unlikely(c->n < n)) {
		unsigned have = weir_cache_refill(c, n);

		n = weir_min_u(n, have);
	}
	c->n -= n;
	weir_buf_copy(bufs, &c->buf[c->n], n);
	return n;
}

/**
 * weir_buf_alloc1() - take one free buffer
 * @c: this thread's stack
 * Return: its handle, WEIR_BUF_NONE when the pool is empty.
 */
static inline uint32_t weir_buf_alloc1(struct weir_cache *c)
{
	if (weir_unlikely(!c->n) && !weir_cache_refill(c, 1))
		return WEIR_BUF_NONE;
	return c->buf[--c->n];
}

/**
 * weir_buf_free() - give buffers back
 * @c: this thread's stack
 * @bufs: handles; none may be in use any more
 * @n: how many, at most WEIR_CACHE_SIZE / 2
 */
static inline void weir_buf_free(struct weir_cache *c, const uint32_t *bufs, unsigned n)
{
	if (weir_unlikely(c->n + n > WEIR_CACHE_SIZE))
		weir_cache_spill(c, n);
	weir_buf_copy(&c->buf[c->n], bufs, n);
	c->n += n;
}

/**
 * weir_buf_free1() - give one buffer back
 * @c: this thread's stack
 * @buf: its handle; it may not be in use any more
 */
static inline void weir_buf_free1(struct weir_cache *c, uint32_t buf)
{
	if (weir_unlikely(c->n == WEIR_CACHE_SIZE))
		weir_cache_spill(c, 1);
	c->buf[c->n++] = buf;
}

/* Give back the buffers of @n segments. */
static inline void weir_pkt_free(struct weir_cache *c, const struct weir_pkt *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		weir_buf_free1(c, p[i].buf);
}

WEIR_END_DECLS

#endif
