/* SPDX-License-Identifier: BSD-3-Clause */
/* Page tables as objects of /dev/iommu, and who uses them. */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <stdlib.h>

static_assert(WEIR_HWPT_NEST_PARENT == UAPI_HWPT_NEST_PARENT, "");
static_assert(WEIR_HWPT_DIRTY == UAPI_HWPT_DIRTY, "");
static_assert(WEIR_HWPT_PASID == UAPI_HWPT_PASID, "");

#define ALL_FLAGS (WEIR_HWPT_NEST_PARENT | WEIR_HWPT_DIRTY | WEIR_HWPT_PASID)

int weir_iommufd_hwpt(struct weir_ioas *as, uint32_t devid, const struct weir_hwpt_opts *o,
		      struct weir_hwpt **out)
{
	struct uapi_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = o->flags | (o->faults ? UAPI_HWPT_FAULTS : 0),
		.dev_id = devid,
		.pt_id = o->parent ? o->parent->id : as->id,
		.data_type = o->data_type,
		.data_len = o->data_len,
		.data_uptr = (uintptr_t)o->data,
		.fault_id = o->faults ? o->faults->id : 0,
	};
	struct weir_hwpt *h;
	int err;

	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	err = weir_ioctl(as->iommu->iommufd, UAPI_IOMMU_HWPT_ALLOC, &cmd);
	if (err < 0) {
		free(h);
		return err == -ENOTTY ? -EOPNOTSUPP : err;
	}
	*h = (struct weir_hwpt){
		.next = as->hwpts,
		.iommu = as->iommu,
		.as = as,
		.parent = weir_hwpt_get(o->parent),
		.faults = o->faults,
		.id = cmd.out_hwpt_id,
		.flags = o->flags,
	};
	if (h->faults)
		h->faults->users++;
	as->hwpts = h;
	*out = h;
	return 0;
}

int weir_hwpt_told(struct weir *w, const char *name, const struct weir_hwpt_opts *o, int err)
{
	return weir_fail(w, err, "hwpt",
			 "%s: the kernel made no page table (flags %#x, format %#x): %s%s", name,
			 o->flags, o->data_type, weir_strerror(err),
			 err == -EOPNOTSUPP ? "; this IOMMU has none of this kind" : "");
}

int weir_hwpt_create(struct weir_iodev *d, struct weir_ioas *as, const struct weir_hwpt_opts *o,
		     struct weir_hwpt **out)
{
	static const struct weir_hwpt_opts plain = { .flags = 0 };
	int err = weir_iodev_check_ioas(d, as);

	if (err)
		return err;
	o = o ? o : &plain;
	if (d->be->mode != WEIR_MODE_CDEV || as->be != d->be)
		return weir_fail(d->w, EOPNOTSUPP, "hwpt",
				 "%s: page tables of its own need cdev mode, for the device and "
				 "for the address space",
				 d->name);
	if (o->flags & ~(unsigned)ALL_FLAGS || (o->parent && o->parent->as != as) ||
	    (o->faults && o->faults->iommu != as->iommu))
		return weir_fail(d->w, EINVAL, "hwpt",
				 "%s: no page table with flags %#x; a parent must be of the same "
				 "address space, a fault queue of the same weir_iommu_open()",
				 d->name, o->flags);
	err = weir_iommufd_hwpt(as, d->devid, o, out);
	return err ? weir_hwpt_told(d->w, d->name, o, err) : 0;
}

int weir_hwpt_end(struct weir_hwpt *h)
{
	struct uapi_iommu_destroy cmd = { .size = sizeof(cmd), .id = h->id };
	int err = weir_ioctl(h->iommu->iommufd, UAPI_IOMMU_DESTROY, &cmd);
	struct weir_hwpt **p = &h->as->hwpts, *parent = h->parent;

	if (err < 0)
		weir_warn(h->iommu->w, "IOMMU_DESTROY of page table %u: %s", h->id,
			  weir_strerror(err));
	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	if (h->faults)
		h->faults->users--;
	free(h);
	weir_hwpt_put(parent);
	return err < 0 ? err : 0;
}

int weir_hwpt_destroy(struct weir_hwpt *h)
{
	if (!h)
		return 0;
	if (h->users)
		return weir_fail(h->iommu->w, EBUSY, "hwpt-busy",
				 "a page table that %u devices, PASIDs or other tables use cannot "
				 "be destroyed",
				 h->users);
	return weir_hwpt_end(h);
}

struct weir_hwpt *weir_hwpt_get(struct weir_hwpt *h)
{
	if (h)
		h->users++;
	return h;
}

void weir_hwpt_put(struct weir_hwpt *h)
{
	if (h && !--h->users && h->automatic)
		weir_hwpt_end(h);
}

struct weir_ioas *weir_hwpt_ioas(const struct weir_hwpt *h)
{
	return h->as;
}

unsigned weir_hwpt_users(const struct weir_hwpt *h)
{
	return h->users;
}

int weir_hwpt_invalidate(struct weir_hwpt *h, uint32_t data_type, uint32_t entry_len,
			 const void *entries, uint32_t *n)
{
	struct uapi_hwpt_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = h->id,
		.data_uptr = (uintptr_t)entries,
		.data_type = data_type,
		.entry_len = entry_len,
		.entry_num = *n,
	};
	uint32_t asked = *n;
	int err = weir_ioctl(h->iommu->iommufd, UAPI_IOMMU_HWPT_INVALIDATE, &cmd);

	*n = cmd.entry_num <= asked ? cmd.entry_num : 0;
	if (err < 0)
		return weir_fail(h->iommu->w, err, "hwpt-invalidate",
				 "page table %u: %u of %u invalidations were done: %s", h->id, *n,
				 asked, weir_strerror(err));
	return 0;
}
