/* SPDX-License-Identifier: BSD-3-Clause */
/* PASIDs: which of a device's numbers are in use, and for which address space. */
#include "iommu/internal.h"

#include <stdio.h>
#include <stdlib.h>

int weir_iodev_pasid_bits(struct weir_iodev *d, char why[WEIR_WHY_LEN])
{
	if (!d->be->pasid_bits) {
		snprintf(why, WEIR_WHY_LEN,
			 "%s mode has no PASIDs; they need cdev mode, or a vfio-user server that "
			 "offers them",
			 weir_mode_name(d->be->mode));
		return -EOPNOTSUPP;
	}
	return d->be->pasid_bits(d, why);
}

struct weir_pasid *weir_pasid_find(struct weir_iodev *d, uint32_t pasid)
{
	struct weir_pasid *p = d->pasids;

	while (p && p->pasid != pasid)
		p = p->next;
	return p;
}

static struct weir_pasid **find(struct weir_iodev *d, uint32_t pasid)
{
	struct weir_pasid **p = &d->pasids;

	while (*p && (*p)->pasid != pasid)
		p = &(*p)->next;
	return p;
}

/* The lowest free number of @bits; 0 belongs to requests without a PASID. */
static uint32_t lowest_free(struct weir_iodev *d, int bits)
{
	uint32_t end = bits >= 20 ? 1u << 20 : 1u << bits;

	for (uint32_t n = 1; n < end; n++)
		if (!*find(d, n))
			return n;
	return WEIR_PASID_NONE;
}

static int check(struct weir_iodev *d, const struct weir_ioas *as, uint32_t *pasid)
{
	char why[WEIR_WHY_LEN] = "";
	int bits = weir_iodev_pasid_bits(d, why);
	int err = weir_iodev_check_ioas(d, as);

	if (err)
		return err;
	if (bits < 0)
		return weir_fail(d->w, bits, "pasid", "%s: no address space by PASID: %s", d->name,
				 why);
	if (!d->as || as->be != d->be)
		return weir_fail(d->w, EINVAL, "pasid",
				 "%s: a PASID needs the device attached, and an address space of "
				 "its mode",
				 d->name);
	*pasid = lowest_free(d, bits);
	if (*pasid == WEIR_PASID_NONE)
		return weir_fail(d->w, ENOSPC, "pasid", "%s: all PASIDs of %d bits are in use",
				 d->name, bits);
	return 0;
}

int weir_pasid_attach(struct weir_iodev *d, struct weir_ioas *as, struct weir_hwpt *h,
		      uint32_t *pasid)
{
	struct weir_pasid *p;
	int err = check(d, as, pasid);

	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*p = (struct weir_pasid){ .next = d->pasids, .as = as, .hwpt = h, .pasid = *pasid };
	d->pasids = p;
	err = d->be->pasid_attach(d, *pasid, as);
	if (err) {
		d->pasids = p->next;
		free(p);
		return err;
	}
	as->devices++;
	return 0;
}

int weir_iodev_pasid_attach(struct weir_iodev *d, struct weir_ioas *as, uint32_t *pasid)
{
	return weir_pasid_attach(d, as, NULL, pasid);
}

static int end(struct weir_iodev *d, struct weir_pasid **link)
{
	struct weir_pasid *p = *link;
	int err = d->be->pasid_detach(d, p->pasid, p->as);

	if (err)
		weir_warn(d->w, "%s: detaching PASID %u: %s", d->name, p->pasid,
			  weir_strerror(err));
	*link = p->next;
	weir_ioas_left(p->as);
	free(p);
	return err;
}

int weir_iodev_pasid_detach(struct weir_iodev *d, uint32_t pasid)
{
	struct weir_pasid **p = find(d, pasid);

	if (!*p)
		return weir_fail(d->w, EINVAL, "pasid", "%s: PASID %u has no address space",
				 d->name, pasid);
	return end(d, p);
}

int weir_iodev_pasid_move(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct weir_pasid *p = weir_pasid_find(d, pasid);
	int err = weir_iodev_check_ioas(d, as);

	if (err)
		return err;
	if (!p || as->be != d->be)
		return weir_fail(d->w, EINVAL, "move",
				 "%s: PASID %u has no address space, or the new one is of another "
				 "mode",
				 d->name, pasid);
	if (!d->be->pasid_move)
		return weir_fail(d->w, EOPNOTSUPP, "move",
				 "%s: in %s mode a PASID cannot change its address space in one "
				 "step: detach it and attach it anew",
				 d->name, weir_mode_name(d->be->mode));
	err = as == p->as ? 0 : d->be->pasid_move(d, p, as);
	if (err)
		return err;
	as->devices++;
	weir_ioas_left(p->as);
	p->as = as;
	return 0;
}

struct weir_ioas *weir_iodev_pasid_ioas(const struct weir_iodev *d, uint32_t pasid)
{
	for (const struct weir_pasid *p = d->pasids; p; p = p->next)
		if (p->pasid == pasid)
			return p->as;
	return NULL;
}

void weir_pasids_end(struct weir_iodev *d)
{
	while (d->pasids)
		end(d, &d->pasids);
}
