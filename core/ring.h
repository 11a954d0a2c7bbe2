/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bounded queues between threads: one producer and one consumer (spsc), or any number of both
 * (mpmc). Elements are 4, 8 or 16 bytes and are copied; a call moves a burst. No call blocks.
 *
 * Positions are free-running 32-bit counters; a slot is position & mask. In spsc each side keeps
 * a private copy of the other's position and reads the shared one only when the copy says that
 * there is no room: a cache line moves between cores once a burst at the most.
 */
#ifndef WEIR_CORE_RING_H
#define WEIR_CORE_RING_H

#include "core/io.h"

#include <sched.h>

WEIR_BEGIN_DECLS

/**
 * struct weir_ring_side - one end of a ring
 * @pos: everything below it is published (producer) or free again (consumer)
 * @claim: mpmc: everything below it is taken by some thread. spsc: private copy of the other
 *         side's @pos
 */
struct weir_ring_side {
	uint32_t pos;
	uint32_t claim;
} weir_cacheline;

/**
 * struct weir_ring - a ring; made by weir_ring_create()
 * @mask: slots - 1
 * @esize: bytes of an element
 * @slots: the elements
 * @prod: where producers are
 * @cons: where consumers are
 */
struct weir_ring {
	uint32_t mask;
	uint32_t esize;
	char *slots;
	struct weir_ring_side prod;
	struct weir_ring_side cons;
} weir_cacheline;

/**
 * weir_ring_create() - make a ring
 * @slots: power of two, 2 to 2^30; all of them can be filled
 * @esize: 4, 8 or 16
 * @out: end with weir_ring_destroy()
 * Return: 0, -EINVAL, -ENOMEM.
 */
WEIR_API int weir_ring_create(unsigned slots, unsigned esize, struct weir_ring **out);
WEIR_API void weir_ring_destroy(struct weir_ring *r);

/* Elements in it; exact only when nobody else is at work. */
static inline unsigned weir_ring_count(const struct weir_ring *r)
{
	uint32_t cons = __atomic_load_n(&r->cons.pos, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&r->prod.pos, __ATOMIC_ACQUIRE) - cons;
}

/*
 * @esize is a constant in every caller, so that one element becomes a plain move, and so do more where
 * their number is a constant, too.
 */
static inline __attribute__((always_inline)) void weir_ring_copy(void *to, const void *from,
								 unsigned n, unsigned esize)
{
	if (n == 1)
		memcpy(to, from, esize);
	else
		memcpy(to, from, (size_t)n * esize);
}

static inline __attribute__((always_inline)) void weir_ring_put(struct weir_ring *r, uint32_t pos,
								const void *objs, unsigned n,
								unsigned esize)
{
	unsigned slot = pos & r->mask;
	unsigned first = r->mask + 1 - slot;

	if (weir_likely(n <= first)) {
		weir_ring_copy(r->slots + (size_t)slot * esize, objs, n, esize);
		return;
	}
	memcpy(r->slots + (size_t)slot * esize, objs, (size_t)first * esize);
	memcpy(r->slots, (const char *)objs + (size_t)first * esize, (size_t)(n - first) * esize);
}

static inline __attribute__((always_inline)) void weir_ring_get(const struct weir_ring *r,
								uint32_t pos, void *objs,
								unsigned n, unsigned esize)
{
	unsigned slot = pos & r->mask;
	unsigned first = r->mask + 1 - slot;

	if (weir_likely(n <= first)) {
		weir_ring_copy(objs, r->slots + (size_t)slot * esize, n, esize);
		return;
	}
	memcpy(objs, r->slots + (size_t)slot * esize, (size_t)first * esize);
	memcpy((char *)objs + (size_t)first * esize, r->slots, (size_t)(n - first) * esize);
}

/* Bytes that a consumer of bursts asks for before it needs them: eight lines are on their way at once. */
#define WEIR_RING_AHEAD 512u

/*
 * Ask for a burst that is published and lies a few bursts ahead. Never for what is not published: the
 * producer would have to take the line back.
 */
static inline __attribute__((always_inline)) void weir_ring_prefetch(const struct weir_ring *r,
								     uint32_t pos, unsigned have,
								     unsigned n, unsigned esize)
{
	unsigned ahead = WEIR_RING_AHEAD / esize;

	if (n * esize < WEIR_CACHE_LINE || have < n + ahead)
		return;
	for (unsigned i = 0; i < n; i += WEIR_CACHE_LINE / esize)
		__builtin_prefetch(r->slots + (size_t)((pos + ahead + i) & r->mask) * esize);
}

/**
 * weir_spsc_push() - add up to @n elements; the producer thread only
 * @objs: elements
 * @n: how many
 * @esize: the ring's element size, as a constant
 * Return: how many fitted.
 */
static inline __attribute__((always_inline)) unsigned weir_spsc_push(struct weir_ring *r,
								     const void *objs, unsigned n,
								     unsigned esize)
{
	uint32_t pos = r->prod.pos;
	uint32_t room = r->mask + 1 - (pos - r->prod.claim);

	if (weir_unlikely(room < n)) {
		r->prod.claim = __atomic_load_n(&r->cons.pos, __ATOMIC_ACQUIRE);
		room = r->mask + 1 - (pos - r->prod.claim);
		n = weir_min_u(n, room);
		/* A position that is written again is a line that the other side has to fetch. */
		if (!n)
			return 0;
	}
	weir_ring_put(r, pos, objs, n, esize);
	__atomic_store_n(&r->prod.pos, pos + n, __ATOMIC_RELEASE);
	return n;
}

/**
 * weir_spsc_pop() - take up to @n elements, oldest first; the consumer thread only
 * Return: how many there were.
 */
static inline __attribute__((always_inline)) unsigned weir_spsc_pop(struct weir_ring *r, void *objs,
								    unsigned n, unsigned esize)
{
	uint32_t pos = r->cons.pos;
	uint32_t have = r->cons.claim - pos;

	if (weir_unlikely(have < n)) {
		r->cons.claim = __atomic_load_n(&r->prod.pos, __ATOMIC_ACQUIRE);
		have = r->cons.claim - pos;
		n = weir_min_u(n, have);
		if (!n)
			return 0;
	}
	weir_ring_prefetch(r, pos, have, n, esize);
	weir_ring_get(r, pos, objs, n, esize);
	__atomic_store_n(&r->cons.pos, pos + n, __ATOMIC_RELEASE);
	return n;
}

/*
 * Publish in the order of the claims. A thread that was preempted between claim and publish
 * holds up the others: yield to it rather than spin out the time slice.
 */
static inline void weir_ring_publish(struct weir_ring_side *s, uint32_t from, uint32_t to)
{
	unsigned spins = 0;

	/* Acquire: what the thread before us read or wrote is handed on by our own release. */
	while (__atomic_load_n(&s->pos, __ATOMIC_ACQUIRE) != from) {
		if (++spins % 256 == 0)
			sched_yield();
		else
			weir_pause();
	}
	__atomic_store_n(&s->pos, to, __ATOMIC_RELEASE);
}

/* weir_mpmc_push() - as weir_spsc_push(), from any thread */
static inline __attribute__((always_inline)) unsigned weir_mpmc_push(struct weir_ring *r,
								     const void *objs, unsigned n,
								     unsigned esize)
{
	uint32_t claim = __atomic_load_n(&r->prod.claim, __ATOMIC_ACQUIRE);
	uint32_t room, want = n;

	/*
	 * Acquire and release on the claim: who reads a claim reads a cons.pos no older than the
	 * claimant did. Else there could seem to be less room than there is, and a pool whose ring
	 * has just as many slots as buffers would lose what does not fit.
	 */
	do {
		/* Acquire: the slots below cons.pos have been read; pairs with the publish. */
		room = r->mask + 1 - (claim - __atomic_load_n(&r->cons.pos, __ATOMIC_ACQUIRE));
		/* A stale claim may lie behind cons.pos; the exchange below then fails. */
		n = room > r->mask + 1 ? 0 : weir_min_u(want, room);
		if (!n && __atomic_load_n(&r->prod.claim, __ATOMIC_RELAXED) == claim)
			return 0;
	} while (!__atomic_compare_exchange_n(&r->prod.claim, &claim, claim + n, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	weir_ring_put(r, claim, objs, n, esize);
	weir_ring_publish(&r->prod, claim, claim + n);
	return n;
}

/* weir_mpmc_pop() - as weir_spsc_pop(), from any thread */
static inline __attribute__((always_inline)) unsigned weir_mpmc_pop(struct weir_ring *r, void *objs,
								    unsigned n, unsigned esize)
{
	uint32_t claim = __atomic_load_n(&r->cons.claim, __ATOMIC_RELAXED);
	uint32_t have, want = n;

	do {
		have = __atomic_load_n(&r->prod.pos, __ATOMIC_ACQUIRE) - claim;
		n = have > r->mask + 1 ? 0 : weir_min_u(want, have);
		if (!n && __atomic_load_n(&r->cons.claim, __ATOMIC_RELAXED) == claim)
			return 0;
	} while (!__atomic_compare_exchange_n(&r->cons.claim, &claim, claim + n, false,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	weir_ring_get(r, claim, objs, n, esize);
	weir_ring_publish(&r->cons, claim, claim + n);
	return n;
}

WEIR_END_DECLS

#endif
