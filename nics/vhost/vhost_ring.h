/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rings from the device's side, both layouts. Whatever the front end can write is read once, into a
 * local, and checked there.
 */
#ifndef WEIR_NICS_VHOST_RING_H
#define WEIR_NICS_VHOST_RING_H

#include "nics/vhost/vhost.h"

#include <sys/eventfd.h>

/* Descriptors of a chain, empty ones among them; who sends more is not served any more. */
#define VHOST_MAX_DESCS 1024

/**
 * struct vhost_chain - one buffer of the front end, taken out of a ring
 * @id: to give back
 * @descs: descriptors it takes in the ring
 * @n: pieces
 * @len: bytes in all of them
 * @bad: an address or a length makes no sense; the chain is to be given back unused
 * @write: pieces are for us to write
 * @again: on the path VHOST_PATH_EXTRA: it was left by the back end before us
 * @pos: likewise, packed: where it begins in the ring
 * @entry, @last: likewise, packed: where it is noted, first and last descriptor
 * @va, @size: a piece
 */
struct vhost_chain {
	uint16_t id;
	uint16_t descs;
	unsigned n;
	uint32_t len;
	bool bad;
	bool write;
	bool again;
	uint16_t pos, entry, last;
	struct {
		char *va;
		uint32_t size;
	} piece[VHOST_MAX_PIECES];
};

static inline uint16_t ring_read16(const __le16 *p)
{
	return weir_from_le16(*(const volatile __le16 *)p);
}

static inline void ring_write16(__le16 *p, uint16_t v)
{
	*(volatile __le16 *)p = weir_le16(v);
}

/* A descriptor as read: both layouts have address and length in the same place. */
struct vhost_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next; /* packed: id */
};

static inline struct vhost_desc read_split(const struct virtq_desc *d)
{
	const volatile struct virtq_desc *v = d;

	return (struct vhost_desc){ .addr = weir_from_le64(v->addr),
				    .len = weir_from_le32(v->len),
				    .flags = weir_from_le16(v->flags),
				    .next = weir_from_le16(v->next) };
}

static inline struct vhost_desc read_packed(const struct pvirtq_desc *d)
{
	const volatile struct pvirtq_desc *v = d;

	return (struct vhost_desc){ .addr = weir_from_le64(v->addr),
				    .len = weir_from_le32(v->len),
				    .flags = weir_from_le16(v->flags),
				    .next = weir_from_le16(v->id) };
}

/* Add what a descriptor points to. */
static inline void chain_add(const struct vhost_ring *r, struct vhost_chain *c,
			     const struct vhost_desc *d)
{
	bool write = d->flags & VIRTQ_DESC_F_WRITE;
	uint64_t addr = d->addr, room;
	uint32_t left = d->len;

	if (c->n && write != c->write)
		c->bad = true;
	c->write = write;
	/* A sum that wraps would be believed. */
	if (c->len + left < left)
		c->bad = true;
	while (left && !c->bad) {
		char *va = vhost_mem_guest(r->mem, addr, &room);

		if (!va || c->n == VHOST_MAX_PIECES) {
			c->bad = true;
			return;
		}
		c->piece[c->n].va = va;
		c->piece[c->n].size = room < left ? (uint32_t)room : left;
		left -= c->piece[c->n].size;
		addr += c->piece[c->n].size;
		c->len += c->piece[c->n].size;
		c->n++;
	}
}

/* An indirect table must lie in one piece of memory, aligned, and be of whole descriptors. */
static inline void chain_indirect(const struct vhost_ring *r, struct vhost_chain *c,
				  const struct vhost_desc *t)
{
	unsigned n = t->len / (unsigned)sizeof(struct virtq_desc), k = 0;
	uint64_t room = 0;
	char *va = vhost_mem_guest(r->mem, t->addr, &room);

	if (!va || (uintptr_t)va % 8 || !n || room < t->len || t->len % sizeof(struct virtq_desc) ||
	    n > VHOST_MAX_PIECES) {
		c->bad = true;
		return;
	}
	for (unsigned steps = 0; steps < n && !c->bad; steps++) {
		struct vhost_desc d;

		if (r->packed) {
			d = read_packed((struct pvirtq_desc *)(void *)va + steps);
		} else {
			d = read_split((struct virtq_desc *)(void *)va + k);
			k = d.next;
		}
		if (d.flags & VIRTQ_DESC_F_INDIRECT)
			c->bad = true;
		chain_add(r, c, &d);
		if (r->packed)
			continue;
		if (!(d.flags & VIRTQ_DESC_F_NEXT))
			return;
		if (k >= n)
			c->bad = true;
	}
	/* A split table that never ends. */
	if (!r->packed)
		c->bad = true;
}

static inline void chain_begin(struct vhost_chain *c)
{
	c->descs = 0;
	c->n = 0;
	c->len = 0;
	c->bad = false;
	c->write = false;
}

/* One descriptor of a chain. Return: whether another follows. */
static inline bool chain_step(const struct vhost_ring *r, struct vhost_chain *c,
			      const struct vhost_desc *d)
{
	if (d->flags & VIRTQ_DESC_F_INDIRECT) {
		if (c->descs || d->flags & VIRTQ_DESC_F_NEXT)
			c->bad = true;
		else
			chain_indirect(r, c, d);
	} else {
		chain_add(r, c, d);
	}
	c->descs++;
	return d->flags & VIRTQ_DESC_F_NEXT;
}

/* The chain that starts at @id < r->size. Return: false if it makes no sense for the ring. */
static inline bool chain_follow(const struct vhost_ring *r, struct vhost_chain *c, uint16_t id)
{
	for (;;) {
		struct vhost_desc d = read_split(&r->desc[id]);

		if (!chain_step(r, c, &d))
			return true;
		/* Longer than the ring: it runs in a circle. */
		if (d.next >= r->size || c->descs >= weir_min_u(r->size, VHOST_MAX_DESCS))
			return false;
		id = d.next;
	}
}

/* 2.7.13: Return: 1 with a chain, 0 for none, -1 for a ring that cannot be. */
static inline int pop_split(struct vhost_ring *r, struct vhost_chain *c)
{
	uint16_t n = (uint16_t)(ring_read16(&r->avail->idx) - r->next_avail), id;

	if (!n)
		return 0;
	if (n > r->size)
		return -1;
	weir_dma_rmb();
	id = ring_read16(&r->avail->ring[r->next_avail & (r->size - 1)]);
	if (id >= r->size)
		return -1;
	chain_begin(c);
	c->id = id;
	if (!chain_follow(r, c, id))
		return -1;
	r->next_avail++;
	return 1;
}

static inline bool packed_avail(uint16_t flags, bool wrap)
{
	return !!(flags & PVIRTQ_DESC_F_AVAIL) == wrap && !!(flags & PVIRTQ_DESC_F_USED) != wrap;
}

static inline bool packed_used(uint16_t flags, bool wrap)
{
	return !!(flags & PVIRTQ_DESC_F_AVAIL) == wrap && !!(flags & PVIRTQ_DESC_F_USED) == wrap;
}

static inline void packed_advance(const struct vhost_ring *r, uint16_t *pos, bool *wrap, unsigned n)
{
	*pos = (uint16_t)(*pos + n);
	if (*pos >= r->size) {
		*pos = (uint16_t)(*pos - r->size);
		*wrap = !*wrap;
	}
}

/* 2.8.21; as above. */
static inline int pop_packed(struct vhost_ring *r, struct vhost_chain *c)
{
	uint16_t pos = r->next_avail;
	bool wrap = r->avail_wrap;
	struct vhost_desc d;

	if (!packed_avail(ring_read16(&r->pdesc[pos].flags), wrap))
		return 0;
	weir_dma_rmb();
	chain_begin(c);
	for (;;) {
		bool more;

		d = read_packed(&r->pdesc[pos]);
		more = chain_step(r, c, &d);
		packed_advance(r, &pos, &wrap, 1);
		if (!more)
			break;
		if (c->descs >= weir_min_u(r->size, VHOST_MAX_DESCS))
			return -1;
	}
	c->id = d.next;
	r->next_avail = pos;
	r->avail_wrap = wrap;
	return 1;
}

static inline int ring_pop(struct vhost_ring *r, struct vhost_chain *c)
{
	return r->packed ? pop_packed(r, c) : pop_split(r, c);
}

/* Whether a chain waits. */
static inline bool ring_has(const struct vhost_ring *r)
{
	if (r->track && r->track->at < r->track->n)
		return true;
	if (r->packed)
		return packed_avail(ring_read16(&r->pdesc[r->next_avail].flags), r->avail_wrap);
	return ring_read16(&r->avail->idx) != r->next_avail;
}

/**
 * struct vhost_done - chains being given back together
 * @n: how many
 * @bad: those among them that were no use, as far as the caller counts them
 * @head: packed: the first one's place; its flags are written last, and until then the front end,
 *        which looks at them in order, sees none
 * @head_flags: these
 */
struct vhost_done {
	unsigned n;
	unsigned bad;
	uint16_t head;
	uint16_t head_flags;
};

/* Give a chain back with @len bytes written to it. */
static inline void ring_push(struct vhost_ring *r, struct vhost_done *done, uint16_t id,
			     uint16_t descs, uint32_t len)
{
	if (r->packed) {
		struct pvirtq_desc *d = &r->pdesc[r->next_used];
		uint16_t flags = r->used_wrap ? PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED : 0;

		if (len)
			flags |= VIRTQ_DESC_F_WRITE;
		d->len = weir_le32(len);
		d->id = weir_le16(id);
		if (done->n) {
			weir_dma_wmb();
			ring_write16(&d->flags, flags);
		} else {
			done->head = r->next_used;
			done->head_flags = flags;
		}
		packed_advance(r, &r->next_used, &r->used_wrap, descs);
	} else {
		struct virtq_used_elem *e = &r->used->ring[r->next_used++ & (r->size - 1)];

		e->id = weir_le32(id);
		e->len = weir_le32(len);
	}
	done->n++;
}

/* Let the front end see what was given back. */
static inline void ring_show(struct vhost_ring *r, const struct vhost_done *done)
{
	weir_dma_wmb();
	if (r->packed)
		ring_write16(&r->pdesc[done->head].flags, done->head_flags);
	else
		ring_write16(&r->used->idx, r->next_used);
}

/* 2.7.10: whether one of the positions from @old up to @new, without @new, is @event. */
static inline bool passed(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

/* 2.8.10: positions of this lap and of the one before, on one line. */
static inline bool packed_wants(const struct vhost_ring *r, const struct vhost_done *done)
{
	uint16_t new = r->next_used, n = (uint16_t)(new - done->head), event;
	unsigned flags = ring_read16(&r->driver_event->flags) & RING_EVENT_FLAGS_MASK;

	if (flags == RING_EVENT_FLAGS_DISABLE)
		return false;
	if (!r->event || flags != RING_EVENT_FLAGS_DESC)
		return true;
	weir_dma_rmb();
	event = ring_read16(&r->driver_event->desc);
	if (new <= done->head)
		n = (uint16_t)(n + r->size);
	return passed((uint16_t)((event & 0x7fff) - (event >> 15 == r->used_wrap ? 0 : r->size)),
		      new, (uint16_t)(new - n));
}

/* With VIRTIO_F_EVENT_IDX each side says, behind its ring, at which position it wants to hear. */
static inline bool split_wants(const struct vhost_ring *r, const struct vhost_done *done)
{
	if (r->event)
		return passed(ring_read16(&r->avail->ring[r->size]), r->next_used,
			      (uint16_t)(r->next_used - done->n));
	return !(ring_read16(&r->avail->flags) & VIRTQ_AVAIL_F_NO_INTERRUPT);
}

/* Call the front end, if it wants that. */
static inline void ring_call(const struct vhost_ring *r, const struct vhost_done *done)
{
	bool want;

	weir_mb();
	want = r->packed ? packed_wants(r, done) : split_wants(r, done);
	if (want && r->call >= 0)
		eventfd_write(r->call, 1);
}

#endif
