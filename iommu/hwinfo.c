/* SPDX-License-Identifier: BSD-3-Clause */
/* The IOMMU behind a device: what the kernel says about it, decoded. */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <stdio.h>

#define PAGE_4K (1ull << 12)
#define PAGE_2M (1ull << 21)
#define PAGE_1G (1ull << 30)

/* VT-d specification, 11.4.2 and 11.4.3. */
#define CAP_MGAW(c)  ((unsigned)((c) >> 16 & 0x3f) + 1)
#define CAP_SLLPS_2M (1ull << 34)
#define CAP_SLLPS_1G (1ull << 35)
#define CAP_FS1GP    (1ull << 56)
#define ECAP_NEST    (1ull << 26)
#define ECAP_PRS     (1ull << 29)
#define ECAP_PASID   (1ull << 40)
#define ECAP_SMTS    (1ull << 43)
#define ECAP_SSTS    (1ull << 46)
#define ECAP_FSTS    (1ull << 47)

static void decode_vtd(struct weir_hw_info *hi, const struct uapi_hw_vtd *v)
{
	uint64_t cap = v->cap_reg, ecap = v->ecap_reg;
	bool scalable = ecap & ECAP_SMTS;

	hi->raw[0] = cap;
	hi->raw[1] = ecap;
	hi->address_bits = CAP_MGAW(cap);
	hi->iommu_pasids = scalable && ecap & ECAP_PASID;
	hi->nesting = scalable && ecap & ECAP_NEST;
	hi->page_requests = ecap & ECAP_PRS;
	/* Second stage is all there is outside of scalable mode, whatever the bit says. */
	if (!scalable || ecap & ECAP_SSTS)
		hi->stage2_pages = PAGE_4K | (cap & CAP_SLLPS_2M ? PAGE_2M : 0) |
				   (cap & CAP_SLLPS_1G ? PAGE_1G : 0);
	if (scalable && ecap & ECAP_FSTS)
		hi->stage1_pages = PAGE_4K | PAGE_2M | (cap & CAP_FS1GP ? PAGE_1G : 0);
	/* Which stage the kernel takes depends on what it is for: promise what both have. */
	hi->page_sizes = (hi->stage1_pages ? hi->stage1_pages : ~0ull) &
			 (hi->stage2_pages ? hi->stage2_pages : ~0ull);
}

int weir_iommufd_hw_info(struct weir_iommu *iommu, uint32_t devid, struct weir_hw_info *hi)
{
	struct uapi_hw_vtd vtd = { .flags = 0 };
	struct uapi_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = devid,
		.data_len = sizeof(vtd),
		.data_uptr = (uintptr_t)&vtd,
	};
	int err = weir_ioctl(iommu->iommufd, UAPI_IOMMU_GET_HW_INFO, &cmd);

	if (err < 0)
		return err == -ENOTTY ? -EOPNOTSUPP : err;
	*hi = (struct weir_hw_info){
		.type = cmd.out_data_type,
		.pasid_bits = cmd.out_max_pasid_log2,
		.page_sizes = PAGE_4K,
		.dirty_tracking = cmd.out_capabilities & UAPI_HW_CAP_DIRTY,
		.ats = !(cmd.out_capabilities & UAPI_HW_CAP_NO_ATS),
		.pasid_exec = cmd.out_capabilities & UAPI_HW_CAP_PASID_EXEC,
		.pasid_priv = cmd.out_capabilities & UAPI_HW_CAP_PASID_PRIV,
		.iommu_pasids = cmd.out_max_pasid_log2 > 0,
	};
	if (cmd.out_data_type == UAPI_HW_VTD && cmd.data_len >= sizeof(vtd))
		decode_vtd(hi, &vtd);
	else if (cmd.out_data_type == UAPI_HW_AMD)
		/* Both of its table formats have them. */
		hi->page_sizes = PAGE_4K | PAGE_2M | PAGE_1G;
	return 0;
}

int weir_hw(struct weir_iodev *d)
{
	int err = 0;

	if (d->be->mode != WEIR_MODE_CDEV)
		return -EOPNOTSUPP;
	if (!d->hw_known)
		err = weir_iommufd_hw_info(d->iommu, d->devid, &d->hw);
	d->hw_known = !err;
	return err;
}

int weir_iodev_hw_info(struct weir_iodev *d, struct weir_hw_info *hi)
{
	int err = weir_hw(d);

	if (err)
		return weir_fail(d->w, err, "hw-info",
				 "%s: the kernel says nothing about its IOMMU: %s%s", d->name,
				 weir_strerror(err),
				 err == -EOPNOTSUPP ? "; that needs cdev mode and Linux 6.6" : "");
	*hi = d->hw;
	return 0;
}

const char *weir_hw_type_name(unsigned type)
{
	static const char *const names[] = {
		[WEIR_HW_NONE] = "not told",	 [WEIR_HW_VTD] = "Intel VT-d",
		[WEIR_HW_SMMUV3] = "Arm SMMUv3", [WEIR_HW_TEGRA241] = "NVIDIA Tegra241",
		[WEIR_HW_AMD] = "AMD IOMMU",
	};

	return type < WEIR_ARRAY_SIZE(names) ? names[type] : "unknown";
}
