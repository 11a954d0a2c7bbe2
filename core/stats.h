/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters that mean the same on each driver. One thread, the queue's owner, writes; anyone
 * reads, without locks.
 */
#ifndef WEIR_CORE_STATS_H
#define WEIR_CORE_STATS_H

#include "core/types.h"

WEIR_BEGIN_DECLS

/* Why a packet did not go on. Each is counted where it happens, on one queue. */
enum weir_drop {
	/*
	 * RX: times that the pool had too few buffers to refill with. Not packets: the ring goes on
	 * with what it has, and what the device drops when it is empty, it counts itself (xstats).
	 */
	WEIR_DROP_NO_BUF,
	WEIR_DROP_DEV_ERR,    /* RX: the device flagged the frame (CRC, length, ...) */
	WEIR_DROP_BAD_LEN,    /* device wrote a length that cannot be */
	WEIR_DROP_BAD_ID,     /* device wrote an id or index that is not in flight */
	WEIR_DROP_TOO_MANY,   /* more segments than WEIR_MAX_SEGS */
	WEIR_DROP_TX_FULL,    /* TX: ring full, the caller gave up */
	WEIR_DROP_TX_INVALID, /* TX: length 0, too long, or header lengths past the packet */
	WEIR_DROP_MAX,
};

/**
 * weir_drop_name() - name of a drop reason, as tables and JSON print it
 * @reason: enum weir_drop
 */
WEIR_API const char *weir_drop_name(enum weir_drop reason);

/**
 * struct weir_qstats - counters of one queue
 * @packets: packets (not segments) received or handed to the device
 * @bytes: bytes of these, from destination MAC to the last byte before the FCS
 * @calls: bursts asked for; for TX, posts
 * @empty: bursts that brought nothing
 * @kicks: doorbells rung
 * @drops: packets lost, by reason (save WEIR_DROP_NO_BUF, which counts refills)
 */
struct weir_qstats {
	uint64_t packets;
	uint64_t bytes;
	uint64_t calls;
	uint64_t empty;
	uint64_t kicks;
	uint64_t drops[WEIR_DROP_MAX];
} weir_cacheline;

/* Owner: a plain load and store, but one that readers see whole. */
static inline void weir_count(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, __atomic_load_n(c, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline void weir_drop(struct weir_qstats *s, enum weir_drop reason, uint64_t n)
{
	weir_count(&s->drops[reason], n);
}

/**
 * weir_qstats_read() - copy a queue's counters
 * @s: counters, being written by their owner
 * @out: copy; each counter is whole, the set is not a snapshot of one instant
 */
WEIR_API void weir_qstats_read(const struct weir_qstats *s, struct weir_qstats *out);

WEIR_END_DECLS

#endif
