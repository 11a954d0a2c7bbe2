/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths of packets over packed rings (2.8), made from virtio_rxtx.h. */
#include "nics/virtio/virtio_rxtx.h"

unsigned XLATE_FN(virtio_rx_packed)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_plain((struct virtio_rxq *)q, pkts, n, true);
}

unsigned XLATE_FN(virtio_rx_packed_full)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_full((struct virtio_rxq *)q, pkts, n, true);
}

void XLATE_FN(virtio_rx_fill_packed)(struct virtio_rxq *q)
{
	rx_refill(q, true);
}

unsigned XLATE_FN(virtio_tx_packed)(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post((struct virtio_txq *)q, pkts, n, true);
}

#ifndef WEIR_PHYS

void virtio_rx_notify_packed(struct virtio_rxq *q)
{
	rx_notify(q, true);
}

int virtio_rx_intr_packed(struct virtio_rxq *q, bool on)
{
	struct virtio_vq *vq = &q->vq;
	struct virtio_used e;

	virtio_write16(&vq->driver_event->flags,
		       on ? RING_EVENT_FLAGS_ENABLE : RING_EVENT_FLAGS_DISABLE);
	if (!on)
		return 0;
	/* Wanting an interrupt must be seen before we look: else one could fall in between. */
	weir_mb();
	return vq_inflight(vq) && packed_peek(vq, vq->done, &e);
}

unsigned virtio_reap_packed(struct weir_txq *q)
{
	return tx_reap((struct virtio_txq *)q, true);
}

void virtio_kick_packed(struct weir_txq *q)
{
	tx_kick((struct virtio_txq *)q, true);
}

#endif
