/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices and their PASIDs on the address spaces of IOMMUFD.
 *
 * A device that sends no PASIDs is attached to the IOAS, and the kernel finds or makes the page
 * table. One that does must stand on a page table made for PASIDs, and so must each PASID: a raw
 * IOAS under the device would block them all. Those tables are made here, and shared by all
 * devices and PASIDs of the address space for which the kernel takes them.
 */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <stdio.h>

/* To an IOAS or a page table. WEIR_PASID_NONE means the device's requests without one. */
static int attach_pt(struct weir_iodev *d, uint32_t pasid, uint32_t pt_id)
{
	struct uapi_vfio_attach_pt cmd = {
		.argsz = pasid ? sizeof(cmd) : offsetof(struct uapi_vfio_attach_pt, pasid),
		.flags = pasid ? UAPI_VFIO_PT_PASID : 0,
		.pt_id = pt_id,
		.pasid = pasid,
	};
	int err = weir_ioctl(d->fd, UAPI_VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd);

	return err < 0 ? err : 0;
}

static int detach_pt(struct weir_iodev *d, uint32_t pasid)
{
	struct uapi_vfio_detach_pt cmd = {
		.argsz = pasid ? sizeof(cmd) : offsetof(struct uapi_vfio_detach_pt, pasid),
		.flags = pasid ? UAPI_VFIO_PT_PASID : 0,
		.pasid = pasid,
	};
	int err = weir_ioctl(d->fd, UAPI_VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd);

	return err < 0 ? err : 0;
}

/* The kernel says -EINVAL for a table that does not fit the device's IOMMU: try the next. */
static int attach_shared(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as,
			 struct weir_hwpt **out)
{
	for (struct weir_hwpt *h = as->hwpts; h; h = h->next) {
		int err = h->automatic ? attach_pt(d, pasid, h->id) : -EINVAL;

		if (!err)
			*out = weir_hwpt_get(h);
		if (err != -EINVAL)
			return err;
	}
	return -EINVAL;
}

static int told(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as, int err)
{
	char what[32] = "it";

	if (pasid)
		snprintf(what, sizeof(what), "its PASID %u", pasid);
	return weir_fail(d->w, err, "attach", "%s: the kernel did not attach %s to IOAS %u: %s%s",
			 d->name, what, as->id, weir_strerror(err),
			 err == -EADDRINUSE ? "; what is mapped there collides with the device's "
					      "reserved regions"
					    : "");
}

/* Without page tables for PASIDs the device is of use all the same. */
static int attach_plain(struct weir_iodev *d, struct weir_ioas *as)
{
	int err = attach_pt(d, WEIR_PASID_NONE, as->id);

	d->hw.pasid_bits = 0;
	d->hw.iommu_pasids = false;
	return err ? told(d, WEIR_PASID_NONE, as, err) : 0;
}

static int attach_new(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as,
		      struct weir_hwpt **out)
{
	static const struct weir_hwpt_opts opts = { .flags = WEIR_HWPT_PASID };
	struct weir_hwpt *h;
	int err = weir_iommufd_hwpt(as, d->devid, &opts, &h);

	if (err == -EOPNOTSUPP && !pasid)
		return attach_plain(d, as);
	if (err)
		return weir_hwpt_told(d->w, d->name, &opts, err);
	err = attach_pt(d, pasid, h->id);
	if (err) {
		weir_hwpt_end(h);
		return told(d, pasid, as, err);
	}
	h->automatic = true;
	*out = weir_hwpt_get(h);
	return 0;
}

/* What all IOMMUs of the address space can map with. */
static void note_pages(const struct weir_iodev *d, struct weir_ioas *as)
{
	uint64_t have = d->hw_known ? d->hw.page_sizes : 0;

	as->page_sizes = as->page_sizes ? as->page_sizes & have : have;
}

/*
 * Put the device or one of its PASIDs on an address space. Where it stands on another one the
 * kernel replaces that; on failure it stays where it is.
 */
static int put_on(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as,
		  struct weir_hwpt **out)
{
	bool pasids = !weir_hw(d) && d->hw.pasid_bits;
	int err;

	*out = NULL;
	if (!pasids)
		err = attach_pt(d, pasid, as->id);
	else
		err = attach_shared(d, pasid, as, out);
	if (pasids && err == -EINVAL)
		err = attach_new(d, pasid, as, out);
	else if (err)
		return told(d, pasid, as, err);
	if (!err)
		note_pages(d, as);
	return err;
}

int weir_cdev_attach(struct weir_iodev *d)
{
	return put_on(d, WEIR_PASID_NONE, d->as, &d->hwpt);
}

int weir_cdev_detach(struct weir_iodev *d)
{
	int err = detach_pt(d, WEIR_PASID_NONE);

	weir_hwpt_put(d->hwpt);
	d->hwpt = NULL;
	return err;
}

int weir_cdev_move(struct weir_iodev *d, struct weir_ioas *as)
{
	struct weir_hwpt *to;
	int err = put_on(d, WEIR_PASID_NONE, as, &to);

	if (err)
		return err;
	weir_hwpt_put(d->hwpt);
	d->hwpt = to;
	return 0;
}

int weir_cdev_pasid_move(struct weir_iodev *d, struct weir_pasid *p, struct weir_ioas *as)
{
	struct weir_hwpt *to;
	int err = put_on(d, p->pasid, as, &to);

	if (err)
		return err;
	weir_hwpt_put(p->hwpt);
	p->hwpt = to;
	return 0;
}

int weir_cdev_pasid_bits(struct weir_iodev *d, char why[WEIR_WHY_LEN])
{
	const char *because;
	int err = weir_hw(d);

	if (!err && d->hw.pasid_bits)
		return (int)d->hw.pasid_bits;
	if (err)
		because = "the kernel cannot say whether it sends PASIDs; that needs Linux 6.15";
	else if (d->hw.type == WEIR_HW_VTD && !d->hw.iommu_pasids)
		because = "the IOMMU has no scalable mode with PASIDs, or it is off: see "
			  "intel_iommu=sm_on and the firmware's settings";
	else
		because = "the device has no PASID capability, or the kernel could not enable it "
			  "(it needs End-End TLP prefixes, and ACS, on the whole way)";
	snprintf(why, WEIR_WHY_LEN, "%s", because);
	return -EOPNOTSUPP;
}

int weir_cdev_pasid_attach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct weir_pasid *p = weir_pasid_find(d, pasid);
	int err;

	if (!p->hwpt)
		return put_on(d, pasid, as, &p->hwpt);
	err = attach_pt(d, pasid, p->hwpt->id);
	if (err)
		return told(d, pasid, as, err);
	weir_hwpt_get(p->hwpt);
	note_pages(d, as);
	return 0;
}

int weir_cdev_pasid_detach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct weir_pasid *p = weir_pasid_find(d, pasid);
	int err = detach_pt(d, pasid);

	(void)as;
	weir_hwpt_put(p->hwpt);
	p->hwpt = NULL;
	return err;
}

/* --- on a page table of choice --- */

static int check_hwpt(struct weir_iodev *d, const struct weir_hwpt *h)
{
	if (d->be->mode == WEIR_MODE_CDEV && h->iommu == d->iommu)
		return 0;
	return weir_fail(d->w, EOPNOTSUPP, "hwpt",
			 "%s: page tables of its own need cdev mode, and one place for both",
			 d->name);
}

int weir_iodev_attach_hwpt(struct weir_iodev *d, struct weir_hwpt *h)
{
	int err = check_hwpt(d, h);

	if (err)
		return err;
	err = attach_pt(d, WEIR_PASID_NONE, h->id);
	if (err)
		return told(d, WEIR_PASID_NONE, h->as, err);
	weir_hwpt_get(h);
	weir_hwpt_put(d->hwpt);
	d->hwpt = h;
	h->as->devices++;
	if (d->as)
		weir_ioas_left(d->as);
	d->as = h->as;
	weir_hw(d);
	note_pages(d, d->as);
	return 0;
}

int weir_iodev_pasid_attach_hwpt(struct weir_iodev *d, struct weir_hwpt *h, uint32_t *pasid)
{
	int err = check_hwpt(d, h);

	return err ? err : weir_pasid_attach(d, h->as, h, pasid);
}

uint32_t weir_iodev_devid(const struct weir_iodev *d)
{
	return d->devid;
}
