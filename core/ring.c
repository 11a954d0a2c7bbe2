/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/ring.h"

#include <stdlib.h>

int weir_ring_create(unsigned slots, unsigned esize, struct weir_ring **out)
{
	struct weir_ring *r;
	size_t bytes;

	if (!weir_is_pow2(slots) || slots < 2 || slots > 1u << 30 ||
	    (esize != 4 && esize != 8 && esize != 16))
		return -EINVAL;
	r = aligned_alloc(WEIR_CACHE_LINE, sizeof(*r));
	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	bytes = WEIR_ALIGN_UP((size_t)slots * esize, (size_t)WEIR_CACHE_LINE);
	r->slots = aligned_alloc(WEIR_CACHE_LINE, bytes);
	if (!r->slots) {
		free(r);
		return -ENOMEM;
	}
	memset(r->slots, 0, bytes);
	r->mask = slots - 1;
	r->esize = esize;
	*out = r;
	return 0;
}

void weir_ring_destroy(struct weir_ring *r)
{
	if (!r)
		return;
	free(r->slots);
	free(r);
}
