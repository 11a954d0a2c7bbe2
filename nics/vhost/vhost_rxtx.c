/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings as they mostly are, and what leads to the others. */
#define VHOST_CSUM  0
#define VHOST_EXTRA 0
#include "nics/vhost/vhost_rxtx.h"

/* --- receive --- */

unsigned vhost_rx(struct weir_rxq *rxq, struct weir_pkt *pkts, unsigned n)
{
	struct vhost_rxq *q = (struct vhost_rxq *)rxq;
	struct vhost_ring *r = q->ring;
	unsigned got = 0;

	if (__atomic_load_n(&r->live, __ATOMIC_RELAXED) && vhost_try(r)) {
		if (r->live)
			got = r->path == VHOST_PATH_PLAIN  ? rx_burst(q, r, pkts, n)
			      : r->path == VHOST_PATH_CSUM ? vhost_rx_csum_burst(q, r, pkts, n)
							   : vhost_rx_extra(q, r, pkts, n);
		vhost_unlock(r);
	}
	weir_count(&rxq->stats.calls, 1);
	if (!got)
		weir_count(&rxq->stats.empty, 1);
	return got;
}

/* --- transmit --- */

/* The ring to send to: this queue's, or another one where the front end uses fewer. */
static struct vhost_ring *tx_ring(struct vhost_txq *q)
{
	unsigned live = __atomic_load_n(&q->v->pairs_live, __ATOMIC_RELAXED);

	if (!live)
		return NULL;
	return &q->v->ring[2 * (q->base.index < live ? q->base.index : q->base.index % live)];
}

static unsigned tx_path(struct vhost_txq *q, struct vhost_ring *r, const struct weir_pkt *pkts,
			unsigned n)
{
	if (r->path == VHOST_PATH_PLAIN)
		return tx_burst(q, r, pkts, n);
	return r->path == VHOST_PATH_CSUM ? vhost_tx_csum_burst(q, r, pkts, n)
					  : vhost_tx_extra(q, r, pkts, n);
}

unsigned vhost_tx(struct weir_txq *txq, const struct weir_pkt *pkts, unsigned n)
{
	struct vhost_txq *q = (struct vhost_txq *)txq;
	struct vhost_ring *r = tx_ring(q);
	unsigned sent = 0;

	if (r && vhost_try(r)) {
		if (r->live)
			sent = tx_path(q, r, pkts, weir_min_u(n, BURST));
		vhost_unlock(r);
	}
	weir_count(&txq->stats.calls, 1);
	return sent;
}

void vhost_tx_kick(struct weir_txq *q)
{
	q->unkicked = 0;
}

/* What was posted was copied. */
unsigned vhost_tx_reap(struct weir_txq *q)
{
	(void)q;
	return 0;
}

/* --- interrupts --- */

/*
 * With VIRTIO_F_EVENT_IDX a split ring has no flag for it: a position that has been passed is not
 * reached again for a whole turn of the index.
 */
static void arm_split(struct vhost_ring *r, bool on)
{
	__le16 *avail_event = (__le16 *)(void *)&r->used->ring[r->size];

	if (r->event)
		ring_write16(avail_event, (uint16_t)(r->next_avail - !on));
	ring_write16(&r->used->flags, on || r->event ? 0 : VIRTQ_USED_F_NO_NOTIFY);
}

static void arm_packed(struct vhost_ring *r, bool on)
{
	unsigned ask = r->event ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE;

	if (on && r->event) {
		ring_write16(&r->device_event->desc,
			     (uint16_t)(r->next_avail | r->avail_wrap << 15));
		weir_dma_wmb();
	}
	ring_write16(&r->device_event->flags, (uint16_t)(on ? ask : RING_EVENT_FLAGS_DISABLE));
}

int vhost_ring_arm(struct vhost_ring *r, bool on)
{
	r->armed = on;
	if (!r->live)
		return 0;
	if (r->packed)
		arm_packed(r, on);
	else
		arm_split(r, on);
	if (!on) {
		if (r->kick >= 0)
			vhost_eventfd_drain(r->kick);
		return 0;
	}
	/* The wish must be seen before we look. */
	weir_mb();
	return ring_has(r);
}
