/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resetting a whole slot or bus (VFIO_DEVICE_PCI_HOT_RESET): for devices without a function reset, or
 * that it does not help. It hits all that sits there, so the kernel wants proof that all of it is the
 * caller's: the files of their groups, or, with cdevs, that they are bound to the same iommufd.
 */
#include "iommu/group.h"
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <stdio.h>
#include <stdlib.h>

/* A bus has 256 functions at most. */
#define AFFECTED_MAX 256

struct affected {
	unsigned n;
	bool by_devid;
	struct vfio_pci_dependent_device dev[AFFECTED_MAX];
};

static int ask_affected(struct weir_iodev *d, struct affected *a)
{
	size_t len = sizeof(struct vfio_pci_hot_reset_info) + sizeof(a->dev);
	struct vfio_pci_hot_reset_info *info = calloc(1, len);
	int err;

	if (!info)
		return -ENOMEM;
	info->argsz = (__u32)len;
	err = weir_ioctl(d->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
	if (err == -ENODEV || err == -ENOTTY)
		err = weir_fail(d->w, EOPNOTSUPP, "hot-reset",
				"%s: neither its slot nor its bus can be reset", d->name);
	else if (err < 0)
		weir_fail(d->w, err, "hot-reset", "%s: VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: %s",
			  d->name, weir_strerror(err));
	else if (info->count > AFFECTED_MAX)
		err = weir_fail(d->w, EIO, "hot-reset",
				"%s: the kernel tells of %u devices on one bus", d->name,
				info->count);
	if (err >= 0) {
		a->n = info->count;
		a->by_devid = info->flags & UAPI_HOT_RESET_DEV_ID;
		memcpy(a->dev, info->devices, a->n * sizeof(a->dev[0]));
		err = 0;
	}
	free(info);
	return err;
}

/* A device of ours: in a group that is open here, or bound to our iommufd. */
static bool is_ours(struct weir_iodev *d, const struct affected *a, unsigned i)
{
	if (a->by_devid)
		return a->dev[i].group_id != UAPI_DEVID_NOT_OWNED;
	return weir_group_fd(d->iommu, (int)a->dev[i].group_id) >= 0;
}

static void describe(struct weir_iodev *d, const struct affected *a, unsigned i,
		     struct weir_reset_peer *p)
{
	const struct vfio_pci_dependent_device *dev = &a->dev[i];
	char dir[PATH_MAX];

	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%04x:%02x:%02x.%x", dev->segment, dev->bus,
		 dev->devfn >> 3, dev->devfn & 7);
	p->ours = is_ours(d, a, i);
	if (weir_path(dir, "%s/bus/pci/devices/%s", weir_sysfs(d->w), p->name) ||
	    weir_link_base(dir, "driver", p->driver, sizeof(p->driver)))
		p->driver[0] = '\0';
}

static int vfio_hot_reset_info(struct weir_iodev *d, struct weir_reset_peer *peers, unsigned n)
{
	struct affected *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	err = ask_affected(d, a);
	for (unsigned i = 0; !err && i < a->n && i < n; i++)
		describe(d, a, i, &peers[i]);
	if (!err)
		err = (int)a->n;
	free(a);
	return err;
}

/* Refuse with all that is not ours. */
static int check_ours(struct weir_iodev *d, const struct affected *a)
{
	char list[800] = "";
	unsigned others = 0;
	size_t len = 0;

	for (unsigned i = 0; i < a->n; i++) {
		struct weir_reset_peer p;

		describe(d, a, i, &p);
		if (p.ours)
			continue;
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s (%s)",
						others ? ", " : "", p.name,
						*p.driver ? p.driver : "no driver");
		others++;
	}
	if (!others)
		return 0;
	return weir_fail(d->w, EPERM, "hot-reset",
			 "%s: resetting its slot or bus would hit %u device%s that %s not open "
			 "here: %s; bind and open %s as well",
			 d->name, others, others == 1 ? "" : "s", others == 1 ? "is" : "are", list,
			 others == 1 ? "it" : "them");
}

/* The files of all groups that are hit, each once. Return: how many. */
static unsigned collect_groups(struct weir_iodev *d, const struct affected *a, __s32 *fds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < a->n; i++) {
		int fd = weir_group_fd(d->iommu, (int)a->dev[i].group_id);
		unsigned k = 0;

		while (k < n && fds[k] != fd)
			k++;
		if (k == n)
			fds[n++] = fd;
	}
	return n;
}

static int reset_affected(struct weir_iodev *d, const struct affected *a)
{
	struct vfio_pci_hot_reset *cmd = calloc(1, sizeof(*cmd) + a->n * sizeof(__s32));
	int err;

	if (!cmd)
		return -ENOMEM;
	/* With cdevs none: the kernel looks at what is bound to the iommufd. */
	cmd->count = a->by_devid ? 0 : collect_groups(d, a, cmd->group_fds);
	cmd->argsz = (__u32)(sizeof(*cmd) + cmd->count * sizeof(__s32));
	err = weir_ioctl(d->fd, VFIO_DEVICE_PCI_HOT_RESET, cmd);
	free(cmd);
	if (err < 0)
		return weir_fail(d->w, err, "hot-reset", "%s: VFIO_DEVICE_PCI_HOT_RESET: %s",
				 d->name, weir_strerror(err));
	return 0;
}

static int vfio_hot_reset(struct weir_iodev *d)
{
	struct affected *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	err = ask_affected(d, a);
	if (!err)
		err = check_ours(d, a);
	if (!err)
		err = reset_affected(d, a);
	free(a);
	return err;
}

const struct weir_hot_reset_ops weir_vfio_hot_reset = {
	.info = vfio_hot_reset_info,
	.reset = vfio_hot_reset,
};

static int no_hot_reset(struct weir_iodev *d)
{
	return weir_fail(d->w, EOPNOTSUPP, "hot-reset",
			 "%s has no slot and no bus that could be reset: its server resets the "
			 "device alone (weir_iodev_reset())",
			 d->name);
}

int weir_iodev_hot_reset_info(struct weir_iodev *d, struct weir_reset_peer *peers, unsigned n)
{
	if (!d->as)
		return weir_iodev_not_attached(d);
	return d->be->io->hot ? d->be->io->hot->info(d, peers, n) : no_hot_reset(d);
}

int weir_iodev_hot_reset(struct weir_iodev *d)
{
	if (!d->as)
		return weir_iodev_not_attached(d);
	return d->be->io->hot ? d->be->io->hot->reset(d) : no_hot_reset(d);
}
