/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths of packets over split rings (2.7), made from virtio_rxtx.h. */
#include "nics/virtio/virtio_rxtx.h"

unsigned XLATE_FN(virtio_rx_split)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_plain((struct virtio_rxq *)q, pkts, n, false);
}

unsigned XLATE_FN(virtio_rx_split_full)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_full((struct virtio_rxq *)q, pkts, n, false);
}

void XLATE_FN(virtio_rx_fill_split)(struct virtio_rxq *q)
{
	rx_refill(q, false);
}

unsigned XLATE_FN(virtio_tx_split)(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post((struct virtio_txq *)q, pkts, n, false);
}

#ifndef WEIR_PHYS

void virtio_rx_notify_split(struct virtio_rxq *q)
{
	rx_notify(q, false);
}

int virtio_rx_intr_split(struct virtio_rxq *q, bool on)
{
	struct virtio_vq *vq = &q->vq;

	virtio_write16(&vq->avail->flags, on ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT);
	if (!on)
		return 0;
	/* Wanting an interrupt must be seen before we look: else one could fall in between. */
	weir_mb();
	return virtio_read16(&vq->used->idx) != vq->used_idx;
}

unsigned virtio_reap_split(struct weir_txq *q)
{
	return tx_reap((struct virtio_txq *)q, false);
}

void virtio_kick_split(struct weir_txq *q)
{
	tx_kick((struct virtio_txq *)q, false);
}

#endif
