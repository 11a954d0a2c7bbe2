/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEIR_APPS_NICSIM_FILTER_H
#define WEIR_APPS_NICSIM_FILTER_H

#include "apps/nicsim/nic.h"

/**
 * struct rss - how a frame was hashed
 * @type: as in the descriptor, 0: not at all
 * @hash: Toeplitz hash
 */
struct rss {
	unsigned type;
	uint32_t hash;
};

/* Whether address and VLAN filters let a frame in. */
bool filter_pass(struct nic *n, const uint8_t *f, const struct net_pkt *p);

/* Queue of a frame. */
unsigned filter_queue(struct nic *n, const uint8_t *f, const struct net_pkt *p, struct rss *r);

#endif
