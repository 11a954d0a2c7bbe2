/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The functions of a row of virtio_paths[]. A file that knows groups includes this after them, with
 * VIRTIO_FN(name) as the names of its row.
 */
#include "nics/virtio/virtio_rxtx.h"

unsigned VIRTIO_FN(virtio_rx_split)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_plain((struct virtio_rxq *)q, pkts, n, false);
}

unsigned VIRTIO_FN(virtio_rx_packed)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_plain((struct virtio_rxq *)q, pkts, n, true);
}

unsigned VIRTIO_FN(virtio_tx_split)(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post((struct virtio_txq *)q, pkts, n, false);
}

unsigned VIRTIO_FN(virtio_tx_packed)(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post((struct virtio_txq *)q, pkts, n, true);
}

unsigned VIRTIO_FN(virtio_reap_split)(struct weir_txq *q)
{
	return tx_reap((struct virtio_txq *)q, false);
}

unsigned VIRTIO_FN(virtio_reap_packed)(struct weir_txq *q)
{
	return tx_reap((struct virtio_txq *)q, true);
}
