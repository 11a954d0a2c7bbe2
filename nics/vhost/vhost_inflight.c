/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors in flight, off the fast path: memory that the front end keeps when we die, and what the
 * one before us left in it.
 */
#include "nics/vhost/vhost_ring.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static bool describes(const struct vhost_inflight *d)
{
	return d->queues && d->queues <= VHOST_RINGS && d->size && d->size <= VIRTQ_SIZE_MAX;
}

/* The front end keeps it; it may neither cut it short under us nor under whoever comes after us. */
int vhost_inflight_get(struct vhost_port *v, struct vhost_inflight *d)
{
	int fd, err;

	if (!describes(d))
		return -EPROTO;
	/* Features may still change: room for the larger of the two layouts. */
	d->mmap_size = d->queues * vhost_inflight_stride(d->size, true);
	d->mmap_off = 0;
	fd = memfd_create("vhost-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)d->mmap_size)) {
		err = -errno;
		close(fd);
		return err;
	}
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	v->answer_fd = fd;
	return 0;
}

void vhost_inflight_clear(struct vhost_port *v)
{
	vhost_mem_unmap(&v->inflight);
	v->inflight_rings = v->inflight_size = 0;
}

int vhost_inflight_set(struct vhost_port *v, const struct vhost_inflight *d,
		       const struct vhost_fds *fds)
{
	const struct vhost_region r = { .size = d->mmap_size, .mmap_off = d->mmap_off };
	struct vhost_map new = { 0 };
	int err;

	if (!describes(d) || fds->n != 1 || d->mmap_off % 8)
		return -EPROTO;
	if (vhost_any_live(v))
		return -EPROTO;
	err = vhost_mem_map(v->iommu, &new, &r, fds->fd[0]);
	if (err)
		return err;
	vhost_inflight_clear(v);
	v->inflight = new;
	v->inflight_rings = d->queues;
	v->inflight_size = d->size;
	return 0;
}

/* --- taking up what was left --- */

static int by_counter(const void *a, const void *b)
{
	uint64_t x = ((const struct vhost_again *)a)->counter,
		 y = ((const struct vhost_again *)b)->counter;

	return x < y ? -1 : x > y;
}

/* All that are to be served again are in the list: put them in order, go on counting. */
static void set_order(struct vhost_track *t)
{
	qsort(t->again, t->n, sizeof(t->again[0]), by_counter);
	t->counter = t->n ? t->again[t->n - 1].counter + 1 : 0;
}

static void begin_split(const struct vhost_ring *r, struct vhost_split_region *s)
{
	memset(s, 0, vhost_inflight_stride(r->size, false));
	s->desc_num = r->size;
	s->used_idx = ring_read16(&r->used->idx);
	weir_compiler_barrier();
	s->version = VHOST_INFLIGHT_VERSION;
}

/*
 * The last batch may have been shown to the driver without having been noted as given back: what the
 * used ring is ahead by.
 */
static int settle_split(const struct vhost_ring *r, struct vhost_split_region *s, uint16_t used)
{
	volatile struct vhost_split_region *vs = s;
	uint16_t n = (uint16_t)(used - vs->used_idx), at = vs->last_batch_head;

	if (vs->desc_num != r->size || n > r->size)
		return -EINVAL;
	while (n--) {
		if (at >= r->size)
			return -EINVAL;
		s->desc[at].inflight = 0;
		at = ((volatile struct vhost_split_state *)s->desc)[at].next;
	}
	weir_compiler_barrier();
	s->used_idx = used;
	return 0;
}

static int resume_split(struct vhost_ring *r, struct vhost_track *t)
{
	uint16_t used = ring_read16(&r->used->idx);
	int err = settle_split(r, t->split, used);

	if (err)
		return err;
	for (uint16_t i = 0; i < r->size; i++) {
		const volatile struct vhost_split_state *d = &t->split->desc[i];

		if (d->inflight)
			t->again[t->n++] = (struct vhost_again){ d->counter, i, 0 };
	}
	set_order(t);
	t->last = t->split->last_batch_head;
	if (t->last >= r->size)
		t->last = 0;
	r->next_used = used;
	r->next_avail = (uint16_t)(used + t->n);
	return 0;
}

static void begin_packed(const struct vhost_ring *r, struct vhost_packed_region *p)
{
	memset(p, 0, vhost_inflight_stride(r->size, true));
	p->desc_num = r->size;
	for (uint16_t i = 0; i < r->size; i++)
		p->desc[i].next = (uint16_t)(i + 1);
	p->used_idx = p->old_used_idx = r->next_used;
	p->used_wrap = p->old_used_wrap = r->used_wrap;
	weir_compiler_barrier();
	p->version = VHOST_INFLIGHT_VERSION;
}

/* The last batch was shown to the driver, by the flags of its first descriptor, or never happened. */
static int settle_packed(const struct vhost_ring *r, struct vhost_track *t)
{
	volatile struct vhost_packed_region *p = t->packed;
	uint16_t old = p->old_used_idx, used = p->used_idx, left = r->size, at;
	bool old_wrap = p->old_used_wrap, wrap = p->used_wrap;

	if (p->desc_num != r->size || old >= r->size || used >= r->size)
		return -EINVAL;
	if ((old != used || old_wrap != wrap) &&
	    !packed_avail(ring_read16(&r->pdesc[old].flags), old_wrap)) {
		p->old_free_head = p->free_head;
		p->old_used_idx = used;
		p->old_used_wrap = wrap;
	} else {
		p->free_head = p->old_free_head;
		p->used_idx = old;
		p->used_wrap = old_wrap;
	}
	t->last = p->free_head;
	for (at = t->last; at < r->size; at = p->desc[at].next) {
		if (!left--)
			return -EINVAL;
		p->desc[at].inflight = 0;
	}
	return 0;
}

/*
 * All places of a batch but the first are written before the driver can see it. Where it never could,
 * they look used: whoever shows a smaller batch over them would show what stands behind it, too.
 */
static void hide_unseen(struct vhost_ring *r, unsigned places)
{
	uint16_t pos = r->next_used;
	bool wrap = r->used_wrap;

	while (places--) {
		if (packed_used(ring_read16(&r->pdesc[pos].flags), wrap))
			ring_write16(&r->pdesc[pos].flags,
				     wrap ? PVIRTQ_DESC_F_AVAIL : PVIRTQ_DESC_F_USED);
		packed_advance(r, &pos, &wrap, 1);
	}
}

static int resume_packed(struct vhost_ring *r, struct vhost_track *t)
{
	const volatile struct vhost_packed_region *p = t->packed;
	int err = settle_packed(r, t);

	if (err)
		return err;
	for (uint16_t i = 0; i < r->size; i++) {
		struct vhost_again a = { p->desc[i].counter, i, p->desc[i].num };

		if (!p->desc[i].inflight)
			continue;
		if (!a.num)
			return -EINVAL;
		t->again[t->n++] = a;
		t->out += a.num;
	}
	r->next_used = p->used_idx;
	if (t->out > r->size || r->next_used >= r->size)
		return -EINVAL;
	set_order(t);
	r->next_avail = r->next_used;
	r->avail_wrap = r->used_wrap = p->used_wrap;
	hide_unseen(r, t->out);
	packed_advance(r, &r->next_avail, &r->avail_wrap, t->out);
	return 0;
}

static int begin(struct vhost_ring *r, struct vhost_track *t)
{
	uint16_t version;
	int err;

	if (r->packed)
		version = ((volatile struct vhost_packed_region *)t->packed)->version;
	else
		version = ((volatile struct vhost_split_region *)t->split)->version;
	if (version > VHOST_INFLIGHT_VERSION)
		return -EINVAL;
	if (version) {
		err = r->packed ? resume_packed(r, t) : resume_split(r, t);
		return err ? err : 1;
	}
	if (r->packed)
		begin_packed(r, t->packed);
	else
		begin_split(r, t->split);
	return 0;
}

int vhost_track_begin(struct vhost_port *v, struct vhost_ring *r)
{
	uint64_t stride = vhost_inflight_stride(v->inflight_size, r->packed);
	unsigned index = (unsigned)(r - v->ring);
	struct vhost_track *t;
	int err;

	vhost_track_end(r);
	if (!v->inflight.map)
		return 0;
	if (index >= v->inflight_rings || r->size > v->inflight_size ||
	    (index + 1) * stride > v->inflight.size)
		return -EINVAL;
	t = calloc(1, sizeof(*t) + r->size * sizeof(t->again[0]));
	if (!t)
		return -ENOMEM;
	t->split = (void *)(v->inflight.va + index * stride);
	err = begin(r, t);
	if (err < 0) {
		free(t);
		return err;
	}
	r->track = t;
	return err;
}

void vhost_track_end(struct vhost_ring *r)
{
	free(r->track);
	r->track = NULL;
}
