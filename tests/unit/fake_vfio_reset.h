/* SPDX-License-Identifier: BSD-3-Clause */
/* Hot reset in the model of fake_vfio.h, which includes this. Devices in fake.bus share a bus. */
#ifndef WEIR_TESTS_FAKE_VFIO_RESET_H
#define WEIR_TESTS_FAKE_VFIO_RESET_H

/* As the kernel sees another device from one that is bound to an iommufd. */
static uint32_t fv_devid(const struct fv_dev *d, const struct fv_dev *other)
{
	if (other->fd >= 0 && other->iommufd == d->iommufd)
		return 77;
	for (unsigned i = 0; i < FV_DEVS; i++)
		if (fake.devs[i].group == other->group && fake.devs[i].fd >= 0 &&
		    fake.devs[i].iommufd == d->iommufd)
			return UAPI_DEVID_OWNED;
	return UAPI_DEVID_NOT_OWNED;
}

static int fv_hot_reset_info(struct fv_dev *d, bool cdev, struct vfio_pci_hot_reset_info *info)
{
	unsigned room = (info->argsz - (unsigned)sizeof(*info)) / sizeof(info->devices[0]);
	unsigned n = 0;

	if (info->argsz < sizeof(*info))
		return fv_err(EINVAL);
	if (!fake.bus)
		return fv_err(ENODEV);
	info->flags = cdev ? UAPI_HOT_RESET_DEV_ID | UAPI_HOT_RESET_OWNED : 0;
	for (unsigned i = 0; i < FV_DEVS; i++) {
		struct fv_dev *o = &fake.devs[i];

		if (!(fake.bus & 1u << i))
			continue;
		if (n < room) {
			info->devices[n] = (struct vfio_pci_dependent_device){
				.group_id = cdev ? fv_devid(d, o) : o->group,
				.bus = i < 2 ? 3 : 4,
				.devfn = i & 1,
			};
			if (cdev && info->devices[n].group_id == UAPI_DEVID_NOT_OWNED)
				info->flags &= ~UAPI_HOT_RESET_OWNED;
		}
		n++;
	}
	info->count = n;
	return n > room ? fv_err(ENOSPC) : 0;
}

/* Files of groups prove that devices are the caller's, or being bound to the same iommufd. */
static bool fv_proven(struct fv_dev *d, bool cdev, const struct vfio_pci_hot_reset *c, unsigned i)
{
	if (cdev)
		return fv_devid(d, &fake.devs[i]) != UAPI_DEVID_NOT_OWNED;
	for (unsigned k = 0; k < c->count; k++)
		if (c->group_fds[k] == fake.groups[fake.devs[i].group].fd)
			return true;
	return false;
}

static int fv_hot_reset(struct fv_dev *d, bool cdev, const struct vfio_pci_hot_reset *c)
{
	if (c->argsz != sizeof(*c) + c->count * sizeof(__s32) || c->flags || cdev != !c->count)
		return fv_err(EINVAL);
	for (unsigned k = 0; k < c->count; k++)
		for (unsigned l = 0; l < k; l++)
			if (c->group_fds[k] == c->group_fds[l])
				return fv_err(EINVAL);
	for (unsigned i = 0; i < FV_DEVS; i++)
		if (fake.bus & 1u << i && !fv_proven(d, cdev, c, i))
			return fv_err(EPERM);
	fake.hot_resets++;
	return 0;
}

#endif
