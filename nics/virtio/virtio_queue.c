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

static size_t vq_bytes(unsigned size, bool packed)
{
	return desc_bytes(size) + driver_bytes(size, packed) + device_bytes(size, packed);
}

int virtio_vq_alloc(struct virtio_vq *vq, struct weir_arena *a, unsigned size, bool packed)
{
	char *mem = weir_arena_alloc(a, vq_bytes(size, packed), 4096);

	vq->slot = calloc(size, sizeof(*vq->slot));
	vq->order = calloc(size, sizeof(*vq->order));
	if (!mem || !vq->slot || !vq->order) {
		free(vq->slot);
		free(vq->order);
		weir_arena_free(a, mem);
		memset(vq, 0, sizeof(*vq));
		return -ENOMEM;
	}
	vq->desc = (void *)mem;
	vq->avail = (void *)(mem + desc_bytes(size));
	vq->used = (void *)(mem + desc_bytes(size) + driver_bytes(size, packed));
	vq->mask = (uint16_t)(size - 1);
	vq->packed = packed;
	virtio_vq_reset(vq);
	return 0;
}

void virtio_vq_free(struct virtio_vq *vq, struct weir_arena *a)
{
	free(vq->slot);
	free(vq->order);
	weir_arena_free(a, vq->desc);
	memset(vq, 0, sizeof(*vq));
}

void virtio_vq_reset(struct virtio_vq *vq)
{
	unsigned size = vq_size(vq);

	memset(vq->desc, 0, vq_bytes(size, vq->packed));
	for (unsigned i = 0; i < size; i++) {
		vq->slot[i] = (struct virtio_slot){ .buf = WEIR_BUF_NONE };
		vq->order[i] = (uint16_t)i;
	}
	vq->posted = vq->done = vq->avail_idx = vq->used_idx = 0;
	vq->doorbell = NULL;
	if (vq->packed)
		vq->driver_event->flags = weir_le16(RING_EVENT_FLAGS_DISABLE);
	else
		vq->avail->flags = weir_le16(VIRTQ_AVAIL_F_NO_INTERRUPT);
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
	return t->ops->queue_enable(t, &qc, &vq->doorbell);
}

void virtio_vq_drain(struct virtio_vq *vq, struct weir_cache *c)
{
	for (unsigned i = 0; i < vq_size(vq); i++)
		if (vq->slot[i].buf != WEIR_BUF_NONE) {
			weir_buf_free1(c, vq->slot[i].buf);
			vq->slot[i].buf = WEIR_BUF_NONE;
		}
}
