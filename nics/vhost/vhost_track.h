/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Noting a ring's chains in memory that outlives us, step by step as the vhost-user document has it
 * under "Inflight I/O tracking". We may be killed between any two stores: their order is what counts,
 * and for that it is enough that the compiler keeps it.
 */
#ifndef WEIR_NICS_VHOST_TRACK_H
#define WEIR_NICS_VHOST_TRACK_H

#include "nics/vhost/vhost_ring.h"

/* A chain of the back end before us, the next in order. Return: as ring_pop(). */
static inline int track_pop_again(struct vhost_ring *r, struct vhost_chain *c)
{
	struct vhost_track *t = r->track;
	uint16_t i = t->again[t->at].index, num = t->again[t->at].num;
	struct vhost_desc d;
	bool more;

	chain_begin(c);
	c->again = true;
	c->entry = i;
	if (!r->packed) {
		c->id = i;
		t->at++;
		return chain_follow(r, c, i) ? 1 : -1;
	}
	for (;;) {
		const volatile struct vhost_packed_state *e = &t->packed->desc[i];

		d = (struct vhost_desc){ e->addr, e->len, e->flags, e->id };
		c->last = i;
		more = chain_step(r, c, &d);
		/* All of them belong to it, whatever their flags say. */
		if (more != (c->descs < num))
			c->bad = true;
		if (c->descs == num)
			break;
		i = e->next;
		if (i >= r->size)
			return -1;
	}
	c->id = d.next;
	t->at++;
	return 1;
}

static inline bool track_take_packed(struct vhost_ring *r, struct vhost_chain *c)
{
	struct vhost_track *t = r->track;
	struct vhost_packed_region *p = t->packed;
	uint16_t pos = c->pos, i = t->last;
	bool wrap = false;

	if (t->out + c->descs > r->size || i >= r->size)
		return false;
	c->entry = i;
	p->desc[i].num = 0;
	p->desc[i].counter = t->counter++;
	weir_compiler_barrier();
	p->desc[i].inflight = 1;
	for (unsigned k = 0; k < c->descs; k++) {
		struct vhost_desc d = read_packed(&r->pdesc[pos]);

		if (i >= r->size)
			return false;
		p->desc[c->entry].num++;
		p->desc[i].addr = d.addr;
		p->desc[i].len = d.len;
		p->desc[i].flags = d.flags;
		p->desc[i].id = d.next;
		c->last = i;
		i = ((volatile struct vhost_packed_state *)p->desc)[i].next;
		packed_advance(r, &pos, &wrap, 1);
	}
	p->desc[c->entry].last = c->last;
	p->free_head = i;
	weir_compiler_barrier();
	p->old_free_head = i;
	t->last = i;
	t->out += c->descs;
	return true;
}

/*
 * A chain is ours now: before its buffers are touched. Return: false when the driver has made more
 * descriptors available than the ring has, or the region was overwritten.
 */
static inline bool track_take(struct vhost_ring *r, struct vhost_chain *c)
{
	struct vhost_track *t = r->track;
	struct vhost_split_state *d;

	if (!t || c->again)
		return true;
	if (r->packed)
		return track_take_packed(r, c);
	d = &t->split->desc[c->id];
	d->counter = t->counter++;
	weir_compiler_barrier();
	d->inflight = 1;
	weir_compiler_barrier();
	return true;
}

/*
 * A chain goes back with the batch that is being gathered. Packed: its entries are free when the batch
 * is shown and not before, or the next chain would be noted over this one.
 */
static inline void track_push(struct vhost_ring *r, const struct vhost_chain *c)
{
	struct vhost_track *t = r->track;

	if (!r->packed) {
		t->split->desc[c->id].next = t->last;
		weir_compiler_barrier();
		t->split->last_batch_head = t->last = c->id;
		weir_compiler_barrier();
		return;
	}
	if (t->batch)
		t->packed->desc[c->last].next = t->batch_head;
	else
		t->batch_tail = c->last;
	t->batch_head = c->entry;
	t->batch++;
	t->out -= c->descs;
}

/* Right before the driver can see the batch. */
static inline void track_show(struct vhost_ring *r)
{
	struct vhost_track *t = r->track;

	if (!r->packed)
		return;
	t->packed->desc[t->batch_tail].next = t->last;
	weir_compiler_barrier();
	t->packed->free_head = t->last = t->batch_head;
	t->packed->used_idx = r->next_used;
	t->packed->used_wrap = r->used_wrap;
	t->batch = 0;
	weir_compiler_barrier();
}

/* It can: none of the batch's @n chains is in flight any more. */
static inline void track_shown(struct vhost_ring *r, unsigned n)
{
	struct vhost_track *t = r->track;
	uint16_t at = t->last;

	weir_compiler_barrier();
	for (; n && at < r->size && !r->packed; n--) {
		t->split->desc[at].inflight = 0;
		at = ((volatile struct vhost_split_state *)t->split->desc)[at].next;
	}
	for (; n && at < r->size && r->packed; n--) {
		volatile struct vhost_packed_state *d = t->packed->desc;
		uint16_t last = d[at].last;

		d[at].inflight = 0;
		if (last >= r->size)
			break;
		at = d[last].next;
	}
	weir_compiler_barrier();
	if (!r->packed) {
		t->split->used_idx = r->next_used;
		return;
	}
	t->packed->old_free_head = t->last;
	t->packed->old_used_idx = r->next_used;
	t->packed->old_used_wrap = r->used_wrap;
}

#endif
