/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two ring layouts, in the smallest steps that the paths above are made of. Everything read
 * from memory that the device writes is read once, into a local, and checked there.
 */
#ifndef WEIR_NICS_VIRTIO_RING_H
#define WEIR_NICS_VIRTIO_RING_H

#include "nics/virtio/virtio.h"

#define VIRTIO_INLINE static inline __attribute__((always_inline))

/* Used buffers taken from a ring in one go. */
#define VIRTIO_GATHER 64

/* All that a header may need, so that "is there room" does not depend on what was negotiated. */
#define VIRTIO_HDR_ROOM VIRTIO_NET_HDR_HASH_LEN

/*
 * Where the device writes in a receive buffer: its header begins a cache line, so that the header
 * and the MAC addresses of the frame are one line to move between two processors instead of two.
 */
#define VIRTIO_RX_START (WEIR_BUF_HEADROOM / 2)
static_assert(VIRTIO_RX_START % WEIR_CACHE_LINE == 0 && VIRTIO_RX_START >= VIRTIO_HDR_ROOM,
	      "the header begins a line, and leaves headroom for another");

/* A used buffer as the device describes it: nothing of it is checked yet. */
struct virtio_used {
	uint32_t id;
	uint32_t len;
};

VIRTIO_INLINE uint16_t virtio_read16(const __le16 *p)
{
	return weir_from_le16(*(const volatile __le16 *)p);
}

VIRTIO_INLINE void virtio_write16(__le16 *p, uint16_t v)
{
	*(volatile __le16 *)p = weir_le16(v);
}

VIRTIO_INLINE unsigned vq_size(const struct virtio_vq *vq)
{
	return vq->mask + 1u;
}

VIRTIO_INLINE unsigned vq_inflight(const struct virtio_vq *vq)
{
	return (uint16_t)(vq->posted - vq->done);
}

VIRTIO_INLINE unsigned vq_free_descs(const struct virtio_vq *vq)
{
	return vq_size(vq) - vq_inflight(vq);
}

/* By position: the id that the descriptor there has. */
VIRTIO_INLINE uint16_t *vq_ids(const struct virtio_vq *vq)
{
	return (uint16_t *)(void *)(vq->buf + vq_size(vq));
}

/* By id: the position that has it. */
VIRTIO_INLINE uint16_t *vq_places(const struct virtio_vq *vq)
{
	return vq_ids(vq) + vq_size(vq);
}

/*
 * By position: descriptors of the chain that starts there, 1 unless said otherwise, 0 within a
 * chain. With VIRTIO_CHAIN_INDIRECT: one descriptor, and the low bits count the buffers.
 */
VIRTIO_INLINE uint16_t *vq_chains(const struct virtio_vq *vq)
{
	return vq_ids(vq) + 2 * vq_size(vq);
}

VIRTIO_INLINE unsigned chain_descs(unsigned n)
{
	return n & VIRTIO_CHAIN_INDIRECT ? 1 : n;
}

/* --- packed: flags --- */

/* 2.8.1: AVAIL and USED of a descriptor that the driver makes available at position @pos. */
VIRTIO_INLINE uint16_t packed_avail_bits(const struct virtio_vq *vq, uint16_t pos)
{
	return (pos & vq_size(vq)) ? PVIRTQ_DESC_F_USED : PVIRTQ_DESC_F_AVAIL;
}

/* The same bits once the device has used it. */
VIRTIO_INLINE uint16_t packed_used_bits(const struct virtio_vq *vq, uint16_t pos)
{
	return (pos & vq_size(vq)) ? 0 : PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED;
}

typedef __le64 __attribute__((may_alias)) virtio_le64_alias;

/* Length, id and flags of a descriptor in one load, so that they belong together. */
VIRTIO_INLINE uint64_t packed_load(const struct pvirtq_desc *d)
{
	return weir_from_le64(*(const volatile virtio_le64_alias *)(const void *)&d->len);
}

VIRTIO_INLINE unsigned packed_flags(uint64_t w)
{
	return (unsigned)(w >> 48) & (PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED);
}

/*
 * Look at the descriptor at position @pos, which has been posted. Return: 1 if it is used (then
 * *e is filled), 0 if it still is the device's, -1 if its flags are neither.
 */
VIRTIO_INLINE int packed_peek(const struct virtio_vq *vq, uint16_t pos, struct virtio_used *e)
{
	uint64_t w = packed_load(&vq->pdesc[pos & vq->mask]);

	if (packed_flags(w) != packed_used_bits(vq, pos))
		return packed_flags(w) == packed_avail_bits(vq, pos) ? 0 : -1;
	e->len = (uint32_t)w;
	e->id = (uint16_t)(w >> 32);
	return 1;
}

/* --- taking back --- */

/* Chains that the device has used. Return: how many, -1 if it cannot have used that many. */
VIRTIO_INLINE int split_used(const struct virtio_vq *vq)
{
	uint16_t n = (uint16_t)(virtio_read16(&vq->used->idx) - vq->used_idx);

	if (weir_unlikely(n > (uint16_t)(vq->avail_idx - vq->used_idx)))
		return -1;
	weir_dma_rmb();
	return n;
}

VIRTIO_INLINE void split_read_used(const struct virtio_vq *vq, uint16_t pos, struct virtio_used *e)
{
	const volatile struct virtq_used_elem *u = &vq->used->ring[pos & vq->mask];

	e->id = weir_from_le32(u->id);
	e->len = weir_from_le32(u->len);
}

VIRTIO_INLINE int split_gather(const struct virtio_vq *vq, struct virtio_used *e, unsigned max)
{
	int n = split_used(vq);

	if (n > (int)max)
		n = (int)max;
	for (int i = 0; i < n; i++)
		split_read_used(vq, (uint16_t)(vq->used_idx + i), &e[i]);
	return n;
}

VIRTIO_INLINE int packed_gather(const struct virtio_vq *vq, struct virtio_used *e, unsigned max)
{
	unsigned n = 0;

	max = weir_min_u(max, vq_inflight(vq));
	for (; n < max; n++) {
		int r = packed_peek(vq, (uint16_t)(vq->done + n), &e[n]);

		if (r > 0)
			continue;
		if (weir_unlikely(r < 0 && n == 0))
			return -1;
		break;
	}
	weir_dma_rmb();
	return (int)n;
}

/**
 * vq_gather() - copy what the device has used, for rings where each buffer is one descriptor
 * @max: at most this many
 * Return: how many; -1 when the ring cannot be trusted any more.
 */
VIRTIO_INLINE int vq_gather(const struct virtio_vq *vq, struct virtio_used *e, unsigned max,
			    const bool packed)
{
	return packed ? packed_gather(vq, e, max) : split_gather(vq, e, max);
}

/**
 * vq_place() - where a chain in flight is that the device says it has used
 * @id: as the device wrote it
 * Return: chains' descriptors from vq->done to it, -1 if the device must not have named it.
 */
VIRTIO_INLINE int vq_place(const struct virtio_vq *vq, uint32_t id)
{
	unsigned pos, ahead;

	if (weir_unlikely(id > vq->mask))
		return -1;
	pos = vq_places(vq)[id];
	ahead = (pos - vq->done) & vq->mask;
	if (weir_unlikely(ahead >= vq_inflight(vq) || !vq_chains(vq)[pos]))
		return -1;
	return (int)ahead;
}

/* Make the chain of @n descriptors that stands @ahead of vq->done the next one. */
void vq_bring_forward(struct virtio_vq *vq, unsigned ahead, unsigned n);
/* Give ids of the next @n free positions back to where they belong, as far as they are free. */
void vq_straighten(struct virtio_vq *vq, unsigned n);

/* --- giving --- */

/**
 * struct virtio_post - a run of descriptors being made available together
 * @start: position of the first one
 * @head_flags: packed: its flags, written last (the device takes descriptors in ring order, so
 *              the ones behind it are out of sight until then)
 */
struct virtio_post {
	uint16_t start;
	uint16_t head_flags;
};

VIRTIO_INLINE struct virtio_post vq_post_begin(const struct virtio_vq *vq)
{
	return (struct virtio_post){ .start = vq->posted };
}

VIRTIO_INLINE void packed_put(struct virtio_vq *vq, struct virtio_post *po, uint16_t id,
			      uint64_t addr, uint32_t len, uint16_t flags)
{
	uint16_t pos = vq->posted;
	struct pvirtq_desc *d = &vq->pdesc[pos & vq->mask];

	d->addr = weir_le64(addr);
	d->len = weir_le32(len);
	d->id = weir_le16(id);
	flags |= packed_avail_bits(vq, pos);
	if (pos == po->start)
		po->head_flags = flags;
	else
		virtio_write16(&d->flags, flags);
}

VIRTIO_INLINE void split_put(struct virtio_vq *vq, uint16_t id, uint64_t addr, uint32_t len,
			     uint16_t flags)
{
	struct virtq_desc *d = &vq->desc[id];

	d->addr = weir_le64(addr);
	d->len = weir_le32(len);
	d->flags = weir_le16(flags);
	d->next = weir_le16(
		flags & VIRTQ_DESC_F_NEXT ? vq_ids(vq)[(uint16_t)(vq->posted + 1) & vq->mask] : 0);
}

/**
 * vq_put() - write the next descriptor
 * @po: run
 * @head: id of the first descriptor of this chain, see vq_next_id()
 * @flags: VIRTQ_DESC_F_*; they have the same values in both layouts
 */
VIRTIO_INLINE void vq_put(struct virtio_vq *vq, struct virtio_post *po, uint16_t head,
			  uint64_t addr, uint32_t len, uint16_t flags, const bool packed)
{
	if (packed)
		packed_put(vq, po, head, addr, len, flags);
	else
		split_put(vq, vq_ids(vq)[vq->posted & vq->mask], addr, len, flags);
	vq->posted++;
}

/* Id that the next descriptor will have. */
VIRTIO_INLINE uint16_t vq_next_id(const struct virtio_vq *vq)
{
	return vq_ids(vq)[vq->posted & vq->mask];
}

/* A chain is complete: put its head into the available ring. */
VIRTIO_INLINE void vq_put_head(struct virtio_vq *vq, uint16_t head, const bool packed)
{
	if (!packed)
		vq->avail->ring[vq->avail_idx++ & vq->mask] = weir_le16(head);
}

/* Let the device see the run. */
VIRTIO_INLINE void vq_publish(struct virtio_vq *vq, const struct virtio_post *po, const bool packed)
{
	if (vq->posted == po->start)
		return;
	weir_dma_wmb();
	if (packed)
		virtio_write16(&vq->pdesc[po->start & vq->mask].flags, po->head_flags);
	else
		virtio_write16(&vq->avail->idx, vq->avail_idx);
}

/* Does the device want to be told? Orders what was published against the question. */
VIRTIO_INLINE bool vq_wants_kick(const struct virtio_vq *vq, const bool packed)
{
	weir_mb();
	if (packed)
		return (virtio_read16(&vq->device_event->flags) & RING_EVENT_FLAGS_MASK) !=
		       RING_EVENT_FLAGS_DISABLE;
	return !(virtio_read16(&vq->used->flags) & VIRTQ_USED_F_NO_NOTIFY);
}

#endif
