/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What virtio_rxtx.h needs of a processor, for a processor with nothing special: there are no
 * groups, every descriptor goes the general way.
 *
 * A file with vector code defines VIRTIO_GROUP and all of this for itself, before it includes
 * virtio_rxtx.h; see virtio_avx2.c.
 */
#ifndef WEIR_NICS_VIRTIO_SCALAR_H
#define WEIR_NICS_VIRTIO_SCALAR_H

#include "nics/virtio/virtio_ring.h"

#define VIRTIO_GROUP 0

/* A sum over the packets of a burst. */
typedef uint64_t virtio_acc;

VIRTIO_INLINE virtio_acc acc_zero(void)
{
	return 0;
}

VIRTIO_INLINE uint64_t acc_sum(virtio_acc acc)
{
	return acc;
}

/* Whole groups among the next @n to be taken back, or to be posted, that stand in a row. */
VIRTIO_INLINE unsigned vq_done_run(const struct virtio_vq *vq, unsigned n)
{
	(void)vq;
	(void)n;
	return 0;
}

VIRTIO_INLINE unsigned vq_post_run(const struct virtio_vq *vq, unsigned n)
{
	(void)vq;
	(void)n;
	return 0;
}

/* The next group of used buffers as packets. Return: false, and nothing done, if any is not good. */
VIRTIO_INLINE bool group_rx(struct virtio_rxq *q, struct weir_pkt *p, virtio_acc *acc,
			    const bool packed)
{
	(void)q;
	(void)p;
	(void)acc;
	(void)packed;
	return false;
}

/* Post a group of receive buffers. */
VIRTIO_INLINE void group_rx_post(struct virtio_rxq *q, struct virtio_post *po, const uint32_t *bufs,
				 const bool packed)
{
	(void)q;
	(void)po;
	(void)bufs;
	(void)packed;
}

/* Post a group of packets. Return: false, and nothing done, if any is not simple. */
VIRTIO_INLINE bool group_tx(struct virtio_txq *q, struct virtio_post *po, const struct weir_pkt *p,
			    unsigned slow, virtio_acc *acc, const bool packed)
{
	(void)q;
	(void)po;
	(void)p;
	(void)slow;
	(void)acc;
	(void)packed;
	return false;
}

/* Has the device used the group that stands @ahead of vq->done, one by one and in order? */
VIRTIO_INLINE bool group_used(const struct virtio_vq *vq, unsigned ahead, const bool packed)
{
	(void)vq;
	(void)ahead;
	(void)packed;
	return false;
}

#endif
