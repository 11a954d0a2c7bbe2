/* SPDX-License-Identifier: BSD-3-Clause */
/* Page tables of the model in fake_vfio_abi.h, which includes this: HWPTs, PASIDs, replacement. */
#ifndef WEIR_TESTS_FAKE_VFIO_HWPT_H
#define WEIR_TESTS_FAKE_VFIO_HWPT_H

#include <sys/socket.h>

static struct fv_hwpt *fv_hwpt(int fd, uint32_t id)
{
	struct fv_hwpt *h = id - FV_HWPT0 < FV_HWPTS ? &fake.hwpts[id - FV_HWPT0] : NULL;

	return h && h->alive && h->owner == fd ? h : NULL;
}

static unsigned *fv_users(int fd, uint32_t id)
{
	struct fv_space *s = fv_ioas(fd, id);
	struct fv_hwpt *h = fv_hwpt(fd, id);

	return s ? &s->users : h ? &h->users : NULL;
}

static int fv_destroy_hwpt(struct fv_hwpt *h)
{
	if (h->users) {
		fake.order_faults++;
		return fv_err(EBUSY);
	}
	--*fv_users(h->owner, h->pt);
	fake.faults.users -= h->faults;
	h->alive = false;
	return 0;
}

static struct fv_dev *fv_bound(int fd, uint32_t id)
{
	struct fv_dev *d = id - FV_DEVID < FV_DEVS ? &fake.devs[id - FV_DEVID] : NULL;

	return d && d->fd >= 0 && d->iommufd == fd ? d : NULL;
}

static int fv_hw_info(int fd, struct uapi_hw_info *c)
{
	struct uapi_hw_vtd vtd = { .cap_reg = fake.vtd_cap, .ecap_reg = fake.vtd_ecap };
	struct fv_dev *d = fv_bound(fd, c->dev_id);

	if (fake.no_hw_info)
		return fv_err(ENOTTY);
	if (c->size != sizeof(*c) || c->flags || !d)
		return fv_err(EOPNOTSUPP);
	memcpy((void *)(uintptr_t)c->data_uptr, &vtd,
	       c->data_len < sizeof(vtd) ? c->data_len : sizeof(vtd));
	c->data_len = sizeof(vtd);
	c->out_data_type = fake.vtd_cap ? UAPI_HW_VTD : 0;
	c->out_max_pasid_log2 = (__u8)d->pasid_log2;
	c->out_capabilities = UAPI_HW_CAP_NO_ATS;
	return 0;
}

static int fv_hwpt_alloc(int fd, struct uapi_hwpt_alloc *c)
{
	struct fv_dev *d = fv_bound(fd, c->dev_id);
	unsigned *under = fv_users(fd, c->pt_id);
	struct fv_hwpt *parent = fv_hwpt(fd, c->pt_id);

	if (c->size != sizeof(*c) || c->reserved || c->reserved2 || !d)
		return fv_err(EINVAL);
	if (!under || !c->data_type != !c->data_len)
		return fv_err(EINVAL);
	if (c->flags & UAPI_HWPT_PASID && fake.no_hwpt_pasid)
		return fv_err(EOPNOTSUPP);
	if (parent && !(parent->flags & UAPI_HWPT_NEST_PARENT && c->data_type))
		return fv_err(EINVAL);
	if (c->flags & UAPI_HWPT_FAULTS && (c->fault_id != FV_FAULT || !fake.faults.alive))
		return fv_err(ENOENT);
	for (unsigned i = 0; i < FV_HWPTS; i++) {
		if (fake.hwpts[i].alive)
			continue;
		fake.hwpts[i] = (struct fv_hwpt){ .alive = true,
						  .owner = fd,
						  .pt = c->pt_id,
						  .flags = c->flags,
						  .iommu = d->iommu };
		fake.hwpts[i].nested = parent;
		fake.hwpts[i].faults = c->flags & UAPI_HWPT_FAULTS;
		fake.faults.users += fake.hwpts[i].faults;
		c->out_hwpt_id = FV_HWPT0 + i;
		++*under;
		return 0;
	}
	fail_msg("too many page tables");
	return -1;
}

/* --- user-managed tables, page requests, written pages --- */

/* Entries are one number each; 13 is one that the IOMMU does not take. */
static int fv_invalidate(int fd, struct uapi_hwpt_invalidate *c)
{
	struct fv_hwpt *h = fv_hwpt(fd, c->hwpt_id);
	const uint64_t *e = (void *)(uintptr_t)c->data_uptr;
	unsigned n = c->entry_num;

	c->entry_num = 0;
	if (c->size != sizeof(*c) || c->reserved || !h || !h->nested)
		return fv_err(EINVAL);
	for (unsigned i = 0; i < n; i++) {
		if (c->entry_len != sizeof(*e) || e[i] == 13)
			return fv_err(EOPNOTSUPP);
		c->entry_num++;
		fake.invalidated++;
	}
	return 0;
}

static int fv_fault_alloc(struct uapi_fault_alloc *c)
{
	int fds[2];

	if (c->size != sizeof(*c) || c->flags || fake.faults.alive)
		return fv_err(EOPNOTSUPP);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	fake.fds[fds[0]].kind = FV_FAULTS;
	fake.faults.alive = true;
	fake.faults.fd = fds[0];
	fake.faults.peer = fds[1];
	c->out_fault_id = FV_FAULT;
	c->out_fault_fd = (__u32)fds[0];
	return 0;
}

/* The descriptor, and each table, hold it. */
static int fv_destroy_faults(void)
{
	if (!fake.faults.alive)
		return fv_err(ENOENT);
	if (fake.faults.users || fake.faults.fd >= 0) {
		fake.order_faults++;
		return fv_err(EBUSY);
	}
	fake.faults.alive = false;
	return 0;
}

static int fv_set_dirty(int fd, struct uapi_set_dirty *c)
{
	struct fv_hwpt *h = fv_hwpt(fd, c->hwpt_id);

	if (c->size != sizeof(*c) || c->flags > 1 || c->reserved || !h ||
	    !(h->flags & UAPI_HWPT_DIRTY))
		return fv_err(EOPNOTSUPP);
	h->tracking = c->flags;
	return 0;
}

/* Every other page was written to. */
static int fv_get_dirty(int fd, struct uapi_get_dirty *c)
{
	struct fv_hwpt *h = fv_hwpt(fd, c->hwpt_id);
	uint64_t *bits = (void *)(uintptr_t)c->data;

	if (c->size != sizeof(*c) || c->flags & ~UAPI_DIRTY_KEEP || c->reserved || !h ||
	    !h->tracking)
		return fv_err(EINVAL);
	for (uint64_t i = 0; i < c->length / c->page_size; i += 2)
		bits[i / 64] |= 1ull << i % 64;
	return 0;
}

/* --- attaching --- */

static unsigned *fv_slot(struct fv_dev *d, uint32_t pasid, bool make)
{
	unsigned n = WEIR_ARRAY_SIZE(d->pasids);

	if (!pasid)
		return &d->pt;
	for (unsigned i = 0; i < n; i++)
		if (d->pasids[i].pt && d->pasids[i].pasid == pasid)
			return &d->pasids[i].pt;
	for (unsigned i = 0; i < n && make; i++)
		if (!d->pasids[i].pt) {
			d->pasids[i].pasid = pasid;
			return &d->pasids[i].pt;
		}
	return NULL;
}

static bool fv_for_pasids(const struct fv_dev *d, uint32_t pt)
{
	struct fv_hwpt *h = fv_hwpt(d->iommufd, pt);

	return h && h->flags & UAPI_HWPT_PASID;
}

/* What the kernel asks for of tables under a device that has PASIDs attached. */
static bool fv_fits(const struct fv_dev *d, uint32_t pasid, uint32_t pt)
{
	struct fv_hwpt *h = fv_hwpt(d->iommufd, pt);
	bool any = false;

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(d->pasids); i++)
		any |= d->pasids[i].pt != 0;
	if (h && h->iommu != d->iommu)
		return false;
	if (pasid)
		return fv_for_pasids(d, pt) && (!d->pt || fv_for_pasids(d, d->pt));
	return !any || fv_for_pasids(d, pt);
}

static void fv_leave_pt(struct fv_dev *d, unsigned *slot)
{
	unsigned *users = *slot ? fv_users(d->iommufd, *slot) : NULL;

	if (users)
		--*users;
	*slot = 0;
}

static int fv_attach(struct fv_dev *d, struct uapi_vfio_attach_pt *c)
{
	bool by_pasid = c->flags == UAPI_VFIO_PT_PASID;
	unsigned *users = fv_users(d->iommufd, c->pt_id), *slot;
	size_t need = by_pasid ? sizeof(*c) : offsetof(struct uapi_vfio_attach_pt, pasid);

	if (c->argsz != need || c->flags & ~UAPI_VFIO_PT_PASID || !users || fake.no_attach)
		return fv_err(EINVAL);
	/* A device that cannot send any: the kernel forgets to ask. */
	if (by_pasid && (!c->pasid || (d->pasid_log2 && c->pasid >> d->pasid_log2)))
		return fv_err(EINVAL);
	if (!fv_fits(d, by_pasid ? c->pasid : 0, c->pt_id))
		return fv_err(EINVAL);
	slot = fv_slot(d, by_pasid ? c->pasid : 0, true);
	if (*slot && fake.no_replace)
		return fv_err(EBUSY);
	fv_leave_pt(d, slot);
	*slot = c->pt_id;
	++*users;
	return 0;
}

static void fv_detach_all(struct fv_dev *d)
{
	fv_leave_pt(d, &d->pt);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(d->pasids); i++)
		fv_leave_pt(d, &d->pasids[i].pt);
}

static int fv_detach(struct fv_dev *d, struct uapi_vfio_detach_pt *c)
{
	bool by_pasid = c->flags == UAPI_VFIO_PT_PASID;
	size_t need = by_pasid ? sizeof(*c) : offsetof(struct uapi_vfio_detach_pt, pasid);
	unsigned *slot;

	if (c->argsz != need || c->flags & ~UAPI_VFIO_PT_PASID)
		return fv_err(EINVAL);
	slot = fv_slot(d, by_pasid ? c->pasid : 0, false);
	if (!slot)
		return fv_err(ENOENT);
	fv_leave_pt(d, slot);
	return 0;
}

#endif
