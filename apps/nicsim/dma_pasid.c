/* SPDX-License-Identifier: BSD-3-Clause */
/* Address spaces of requests that carry a PASID: a table each, besides that of the device. */
#include "apps/nicsim/dma.h"

#include <stdlib.h>

struct dma *dma_pasid(struct dma *d, uint32_t pasid)
{
	for (struct dma_pasid *p = d->pasids; p; p = p->next)
		if (p->pasid == pasid)
			return &p->space;
	return NULL;
}

int dma_pasid_add(struct dma *d, uint32_t pasid)
{
	struct dma_pasid *p;

	if (!pasid)
		return -EINVAL;
	if (dma_pasid(d, pasid))
		return -EEXIST;
	if (d->n_pasids == DMA_PASIDS_MAX)
		return -ENOSPC;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->pasid = pasid;
	p->next = d->pasids;
	d->pasids = p;
	d->n_pasids++;
	return 0;
}

static void end(struct dma *d, struct dma_pasid **link)
{
	struct dma_pasid *p = *link;

	*link = p->next;
	d->n_pasids--;
	dma_unmap_all(&p->space);
	free(p);
}

int dma_pasid_del(struct dma *d, uint32_t pasid)
{
	for (struct dma_pasid **p = &d->pasids; *p; p = &(*p)->next)
		if ((*p)->pasid == pasid) {
			end(d, p);
			return 0;
		}
	return -ENOENT;
}

int dma_pasid_replace(struct dma *d, uint32_t pasid, uint32_t with)
{
	struct dma *to = dma_pasid(d, pasid), *from = dma_pasid(d, with), was;

	if (!to || !from || to == from)
		return -ENOENT;
	was = *to;
	*to = *from;
	*from = was;
	return dma_pasid_del(d, with);
}

void dma_pasid_end(struct dma *d)
{
	while (d->pasids)
		end(d, &d->pasids);
}
