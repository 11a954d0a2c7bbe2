/* SPDX-License-Identifier: BSD-3-Clause */
/* Which pages devices have written to, as the IOMMU notes it. */
#include "iommu/internal.h"
#include "iommu/uapi.h"

static int not_tracking(struct weir_hwpt *h)
{
	return weir_fail(h->iommu->w, EOPNOTSUPP, "dirty",
			 "page table %u notes no written pages: it must be made with "
			 "WEIR_HWPT_DIRTY, on an IOMMU that can (weir_hw_info.dirty_tracking)",
			 h->id);
}

int weir_hwpt_dirty_track(struct weir_hwpt *h, bool on)
{
	struct uapi_set_dirty cmd = { .size = sizeof(cmd), .flags = on, .hwpt_id = h->id };
	int err;

	if (!(h->flags & WEIR_HWPT_DIRTY))
		return not_tracking(h);
	err = weir_ioctl(h->iommu->iommufd, UAPI_IOMMU_SET_DIRTY, &cmd);
	if (err < 0)
		return weir_fail(h->iommu->w, err, "dirty",
				 "turning the noting of written pages %s: %s", on ? "on" : "off",
				 weir_strerror(err));
	return 0;
}

int weir_hwpt_dirty_read(struct weir_hwpt *h, weir_iova_t iova, uint64_t len, uint64_t page,
			 uint64_t *bitmap, bool keep)
{
	struct uapi_get_dirty cmd = {
		.size = sizeof(cmd),
		.hwpt_id = h->id,
		.flags = keep ? UAPI_DIRTY_KEEP : 0,
		.iova = (__u64)iova,
		.length = len,
		.page_size = page,
		.data = (uintptr_t)bitmap,
	};
	int err;

	if (!(h->flags & WEIR_HWPT_DIRTY))
		return not_tracking(h);
	if (!len || !weir_is_pow2(page) || (iova | len) & (page - 1))
		return weir_fail(h->iommu->w, EINVAL, "dirty",
				 "%#llx + %#llx is not in whole pages of %llu",
				 (unsigned long long)iova, (unsigned long long)len,
				 (unsigned long long)page);
	err = weir_ioctl(h->iommu->iommufd, UAPI_IOMMU_GET_DIRTY, &cmd);
	if (err < 0)
		return weir_fail(h->iommu->w, err, "dirty",
				 "reading which pages of %#llx + %#llx were written to: %s",
				 (unsigned long long)iova, (unsigned long long)len,
				 weir_strerror(err));
	return 0;
}
