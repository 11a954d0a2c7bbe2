/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of a ring, and handing it to the device. */
#include "nics/virtio/virtio_ring.h"
#include <stdlib.h>

/* Each area on lines of its own: driver and device never write to the same line. */
static size_t desc_bytes(unsigned size)
{
	return WEIR_ALIGN_UP(size * sizeof(struct virtq_desc), (size_t)WEIR_CACHE_LINE);
}

/* 2.7.6: flags, idx, one entry for each descriptor, used_event. */
static size_t driver_bytes(unsigned size, bool packed)
{
	size_t n = packed ? sizeof(struct pvirtq_event_suppress) : 6 + size * sizeof(__le16);

	return WEIR_ALIGN_UP(n, (size_t)WEIR_CACHE_LINE);
}

/* 2.7.8: flags, idx, the elements, avail_event. */
static size_t device_bytes(unsigned size, bool packed)
{
	size_t n = packed ? sizeof(struct pvirtq_event_suppress)
			  : 6 + size * sizeof(struct virtq_used_elem);

	return WEIR_ALIGN_UP(n, (size_t)WEIR_CACHE_LINE);
}

/*
 * The elements of the used ring begin a line, so that eight of them are one to move and not parts of
 * two; flags and index stand at the end of the line before.
 */
static size_t used_shift(bool packed)
{
	return packed ? 0 : WEIR_CACHE_LINE - sizeof(struct virtq_used);
}

static size_t vq_bytes(unsigned size, bool packed)
{
	return desc_bytes(size) + driver_bytes(size, packed) + used_shift(packed) +
	       device_bytes(size, packed);
}

/* Buffers, ids, places and chains, see struct virtio_vq. Vector loads may start at any of them. */
static size_t own_bytes(unsigned size)
{
	return size * (sizeof(uint32_t) + 3 * sizeof(uint16_t)) + WEIR_CACHE_LINE;
}

int virtio_vq_alloc(struct virtio_vq *vq, struct weir_arena *a, unsigned size, bool packed)
{
	char *mem = weir_arena_alloc(a, vq_bytes(size, packed), 4096);

	vq->buf = aligned_alloc(WEIR_CACHE_LINE,
				WEIR_ALIGN_UP(own_bytes(size), (size_t)WEIR_CACHE_LINE));
	if (!mem || !vq->buf) {
		free(vq->buf);
		weir_arena_free(a, mem);
		memset(vq, 0, sizeof(*vq));
		return -ENOMEM;
	}
	vq->desc = (void *)mem;
	vq->avail = (void *)(mem + desc_bytes(size));
	vq->used =
		(void *)(mem + desc_bytes(size) + driver_bytes(size, packed) + used_shift(packed));
	vq->mask = (uint16_t)(size - 1);
	vq->packed = packed;
	virtio_vq_reset(vq);
	return 0;
}

void virtio_vq_free(struct virtio_vq *vq, struct weir_arena *a)
{
	free(vq->buf);
	weir_arena_free(a, vq->desc);
	memset(vq, 0, sizeof(*vq));
}

void virtio_vq_reset(struct virtio_vq *vq)
{
	unsigned size = vq_size(vq);

	memset(vq->desc, 0, vq_bytes(size, vq->packed));
	for (unsigned i = 0; i < size; i++) {
		vq->buf[i] = WEIR_BUF_NONE;
		vq_ids(vq)[i] = vq_places(vq)[i] = (uint16_t)i;
		vq_chains(vq)[i] = 1;
		if (!vq->packed)
			vq->avail->ring[i] = weir_le16((uint16_t)i);
	}
	vq->posted = vq->done = vq->avail_idx = vq->used_idx = 0;
	vq->odd = vq->chains = 0;
	vq->doorbell = NULL;
	if (vq->packed)
		vq->driver_event->flags = weir_le16(RING_EVENT_FLAGS_DISABLE);
	else
		vq->avail->flags = weir_le16(VIRTQ_AVAIL_F_NO_INTERRUPT);
}

/* Position @to (mod size) gets what stood at @from, or what was saved from there. */
static void place(struct virtio_vq *vq, unsigned to, uint32_t buf, uint16_t id, uint16_t chain)
{
	to &= vq->mask;
	vq->odd = (uint16_t)(vq->odd + (id != to) - (vq_ids(vq)[to] != to));
	vq->buf[to] = buf;
	vq_ids(vq)[to] = id;
	vq_places(vq)[id] = (uint16_t)to;
	vq_chains(vq)[to] = chain;
}

void vq_bring_forward(struct virtio_vq *vq, unsigned ahead, unsigned n)
{
	/* One descriptor of the chain at a time, each past all that were before the chain. */
	for (unsigned k = 0; k < n; k++) {
		unsigned from = (vq->done + ahead + k) & vq->mask;
		uint16_t id = vq_ids(vq)[from], chain = vq_chains(vq)[from];
		uint32_t buf = vq->buf[from];

		for (unsigned i = ahead + k; i > k; i--) {
			unsigned prev = (vq->done + i - 1u) & vq->mask;

			place(vq, vq->done + i, vq->buf[prev], vq_ids(vq)[prev],
			      vq_chains(vq)[prev]);
		}
		place(vq, vq->done + k, buf, id, chain);
	}
}

void vq_straighten(struct virtio_vq *vq, unsigned n)
{
	unsigned room = vq_free_descs(vq);

	for (unsigned i = 0; i < n && i < room && vq->odd; i++) {
		unsigned to = (vq->posted + i) & vq->mask, from = vq_places(vq)[to];
		uint16_t id = vq_ids(vq)[to];

		if (id == to || ((from - vq->posted) & vq->mask) >= room)
			continue;
		place(vq, to, WEIR_BUF_NONE, (uint16_t)to, 1);
		place(vq, from, WEIR_BUF_NONE, id, 1);
	}
}

/* Position behind all that the device has used; -1 if it cannot have. */
static int packed_used_end(const struct virtio_vq *vq)
{
	unsigned done = 0, all = vq_inflight(vq);

	while (done < all) {
		struct virtio_used e;
		int r = packed_peek(vq, (uint16_t)(vq->done + done), &e), ahead;
		unsigned n;

		if (!r)
			break;
		ahead = r < 0 ? -1 : vq_place(vq, e.id);
		if (ahead < 0)
			return -1;
		n = chain_descs(vq_chains(vq)[(vq->done + (unsigned)ahead) & vq->mask]);
		/* In order, one notice may stand for all that were before it. */
		if (vq->in_order && (unsigned)ahead < done)
			return -1;
		done = vq->in_order ? (unsigned)ahead + n : done + n;
	}
	return done <= all ? (uint16_t)(vq->done + done) : -1;
}

bool virtio_vq_base(const struct virtio_vq *vq, uint32_t *base)
{
	int at = vq->packed ? packed_used_end(vq) : split_used(vq);

	if (at < 0)
		return false;
	if (!vq->packed) {
		*base = (uint16_t)(vq->used_idx + at);
		return true;
	}
	/* The wrap counter begins as 1, and is the bit above the mask here. */
	*base = ((unsigned)at & vq->mask) | ((unsigned)at & vq_size(vq) ? 0 : 0x8000);
	*base |= *base << 16;
	return true;
}

int virtio_vq_enable(struct virtio_vq *vq, struct virtio_transport *t, unsigned index,
		     uint16_t vector)
{
	struct virtio_queue_conf qc = {
		.index = index,
		.size = vq_size(vq),
		.vector = vector,
		.packed = vq->packed,
		.desc = vq->desc,
		.driver = vq->avail,
		.device = vq->used,
	};

	if (!weir_dma_whole(&t->dma, vq->desc, vq_bytes(qc.size, vq->packed)))
		return weir_fail(t->w, ENOMEM, "ring-in-pieces",
				 "%s: without an IOMMU a ring must lie in one piece of physical "
				 "memory, and that of queue %u does not: ask for fewer descriptors",
				 t->name, index);
	vq->index = (uint16_t)index;
	if (!virtio_vq_base(vq, &qc.base))
		return -EPROTO;
	return t->ops->queue_enable(t, &qc, &vq->doorbell);
}

void vq_ring_doorbell(const struct virtio_vq *vq, struct virtio_transport *t)
{
	if (weir_likely(vq->doorbell))
		weir_mmio_write16(vq->doorbell, 0, vq->index);
	else
		t->ops->kick(t, vq->index);
}

void virtio_vq_drain(struct virtio_vq *vq, struct weir_cache *c)
{
	while (vq_inflight(vq)) {
		unsigned pos = vq->done++ & vq->mask;

		if (vq->buf[pos] != WEIR_BUF_NONE)
			weir_buf_free1(c, vq->buf[pos]);
	}
}
