/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings whose chains in flight are noted. */
#define VHOST_CSUM  1
#define VHOST_EXTRA 1
#include "nics/vhost/vhost_rxtx.h"

unsigned vhost_rx_extra(struct vhost_rxq *q, struct vhost_ring *r, struct weir_pkt *pkts,
			unsigned n)
{
	return rx_burst(q, r, pkts, n);
}

unsigned vhost_tx_extra(struct vhost_txq *q, struct vhost_ring *r, const struct weir_pkt *pkts,
			unsigned n)
{
	return tx_burst(q, r, pkts, n);
}
