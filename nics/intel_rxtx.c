/* SPDX-License-Identifier: BSD-3-Clause */
/* A row of intel_paths[]: for any processor, unless a file that includes this says otherwise. */
#ifndef INTEL_FN
#include "nics/xlate.h"
#ifdef WEIR_PHYS
#define INTEL_FN(name) name##_phys
#else
#define INTEL_FN(name) name##_scalar
#endif
#endif

#include "nics/intel_tx.h"

unsigned INTEL_FN(intel_rx_plain)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_single(q, pkts, n, false);
}

unsigned INTEL_FN(intel_rx_meta)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_single(q, pkts, n, true);
}

unsigned INTEL_FN(intel_rx_jumbo)(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return rx_jumbo(q, pkts, n);
}

unsigned INTEL_FN(intel_rx_fill)(struct intel_rxq *q)
{
	return rx_fill(q);
}

unsigned INTEL_FN(intel_tx_plain)(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post(q, pkts, n, false);
}

unsigned INTEL_FN(intel_tx_full)(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return tx_post(q, pkts, n, true);
}
