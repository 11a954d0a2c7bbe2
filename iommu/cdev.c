/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backend: VFIO device cdev + IOMMUFD. One /dev/iommu is shared by all address spaces of a
 * weir_iommu, so that several devices can stand on one IOAS.
 */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Path of the device's cdev node. Return: 0 or -errno of looking. */
static int cdev_node(struct weir *w, const char *sysdev, char out[PATH_MAX])
{
	char dir[PATH_MAX], name[64];
	int err;

	err = weir_path(dir, "%s/vfio-dev", sysdev);
	if (!err)
		err = weir_dir_first(dir, "vfio", name, sizeof(name));
	return err ? err : weir_path(out, "%s/vfio/devices/%s", weir_dev(w), name);
}

static int cdev_probe(const struct weir_backend *be, struct weir *w, const char *sysdev,
		      char why[WEIR_WHY_LEN], const char **id)
{
	char node[PATH_MAX];
	int err;

	(void)be;
	weir_path(node, "%s/iommu", weir_dev(w));
	err = weir_probe_node(node,
			      "the kernel has no IOMMUFD (CONFIG_IOMMUFD, Linux 6.2 or later), "
			      "or its module is not loaded: try `modprobe iommufd`",
			      why, id);
	if (err)
		return err;
	err = weir_probe_common(sysdev, why, id);
	if (err)
		return err;
	if (cdev_node(w, sysdev, node))
		return weir_why(why, id, ENOENT, "no-cdev",
				"the kernel gives VFIO devices no cdev: it needs Linux 6.6 with "
				"CONFIG_VFIO_DEVICE_CDEV");
	return weir_probe_node(node,
			       "make the node with mknod from the numbers in the device's "
			       "vfio-dev/vfioN/dev",
			       why, id);
}

static int need_iommufd(struct weir_iommu *iommu)
{
	char node[PATH_MAX];

	if (iommu->iommufd >= 0)
		return 0;
	weir_path(node, "%s/iommu", weir_dev(iommu->w));
	iommu->iommufd = open(node, O_RDWR | O_CLOEXEC);
	if (iommu->iommufd < 0)
		return weir_fail(iommu->w, errno, "iommufd-open", "cannot open %s: %s", node,
				 weir_strerror(errno));
	return 0;
}

static int cdev_as_create(struct weir_ioas *as)
{
	struct uapi_ioas_alloc cmd = { .size = sizeof(cmd) };
	struct weir_iommu *iommu = as->iommu;
	int err = need_iommufd(iommu);

	if (err)
		return err;
	err = weir_ioctl(iommu->iommufd, UAPI_IOMMU_IOAS_ALLOC, &cmd);
	if (err < 0)
		return weir_fail(iommu->w, err, "ioas-alloc",
				 "the kernel made no address space (IOMMU_IOAS_ALLOC): %s",
				 weir_strerror(err));
	as->id = cmd.out_ioas_id;
	return 0;
}

static void cdev_as_destroy(struct weir_ioas *as)
{
	struct uapi_iommu_destroy cmd = { .size = sizeof(cmd), .id = as->id };
	int err;

	while (as->hwpts)
		weir_hwpt_end(as->hwpts);
	err = weir_ioctl(as->iommu->iommufd, UAPI_IOMMU_DESTROY, &cmd);
	if (err < 0)
		weir_warn(as->iommu->w, "IOMMU_DESTROY of IOAS %u: %s", as->id, weir_strerror(err));
}

static __u32 map_flags(const struct weir_iova_map *m)
{
	return UAPI_MAP_FIXED_IOVA | (m->prot & WEIR_PROT_READ ? UAPI_MAP_READABLE : 0) |
	       (m->prot & WEIR_PROT_WRITE ? UAPI_MAP_WRITEABLE : 0);
}

/*
 * By file where there is one: the mapping then does not hang on this process's address space.
 * Linux before 6.13 does not know the call (ENOTTY).
 */
static int map_file(struct weir_ioas *as, const struct weir_iova_map *m)
{
	struct uapi_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(m),
		.ioas_id = as->id,
		.fd = m->fd,
		.start = m->off,
		.length = m->len,
		.iova = m->iova,
	};
	int err = weir_ioctl(as->iommu->iommufd, UAPI_IOMMU_IOAS_MAP_FILE, &cmd);

	return err < 0 ? err : 0;
}

static int map_address(struct weir_ioas *as, const struct weir_iova_map *m)
{
	struct uapi_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(m),
		.ioas_id = as->id,
		.user_va = (uintptr_t)m->va,
		.length = m->len,
		.iova = m->iova,
	};
	int err = weir_ioctl(as->iommu->iommufd, UAPI_IOMMU_IOAS_MAP, &cmd);

	return err < 0 ? err : 0;
}

static int cdev_as_map(struct weir_ioas *as, const struct weir_iova_map *m)
{
	int err = m->fd >= 0 ? map_file(as, m) : -ENOTTY;

	if (m->va && (err == -ENOTTY || err == -EOPNOTSUPP))
		err = map_address(as, m);
	return err;
}

static int cdev_as_copy(struct weir_ioas *as, const struct weir_iova_map *m, struct weir_ioas *from,
			uint64_t iova)
{
	struct uapi_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = map_flags(m),
		.dst_ioas_id = as->id,
		.src_ioas_id = from->id,
		.length = m->len,
		.dst_iova = m->iova,
		.src_iova = iova,
	};
	int err = weir_ioctl(as->iommu->iommufd, UAPI_IOMMU_IOAS_COPY, &cmd);

	return err < 0 ? err : 0;
}

static int cdev_as_unmap(struct weir_ioas *as, const struct weir_iova_map *m)
{
	struct uapi_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = as->id,
		.iova = m->iova,
		.length = m->len,
	};
	int err = weir_ioctl(as->iommu->iommufd, UAPI_IOMMU_IOAS_UNMAP, &cmd);

	return err < 0 ? err : 0;
}

static int cdev_as_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n,
			  uint64_t *align)
{
	struct uapi_ioas_iova_ranges cmd = { .size = sizeof(cmd), .ioas_id = as->id };
	struct uapi_iova_range *k = NULL;
	unsigned room = 0;
	int err;

	/* The number of ranges changes with every attach: ask until the answer fits. */
	for (;;) {
		cmd.num_iovas = room;
		cmd.allowed_iovas = (uintptr_t)k;
		err = weir_ioctl(as->iommu->iommufd, UAPI_IOMMU_IOAS_IOVA_RANGES, &cmd);
		if (err != -EMSGSIZE || cmd.num_iovas <= room || cmd.num_iovas > 65536)
			break;
		room = cmd.num_iovas;
		free(k);
		k = calloc(room, sizeof(*k));
		if (!k)
			return -ENOMEM;
	}
	if (err >= 0) {
		for (unsigned i = 0; i < cmd.num_iovas && i < n && i < room; i++)
			r[i] = (struct weir_iova_range){ k[i].start, k[i].last };
		*align = cmd.out_iova_alignment;
		err = (int)cmd.num_iovas;
	}
	free(k);
	return err;
}

/* Unless it was handed in (given.c). */
static int open_node(struct weir_iodev *d)
{
	char node[PATH_MAX];
	int err;

	if (d->fd >= 0)
		return 0;
	err = cdev_node(d->w, d->sysdev, node);
	if (err)
		return weir_fail(d->w, err, "no-cdev", "%s has no VFIO cdev any more: %s", d->name,
				 weir_strerror(err));
	d->fd = open(node, O_RDWR | O_CLOEXEC);
	if (d->fd < 0)
		return weir_fail(d->w, errno, "cdev-open", "%s: cannot open %s: %s%s", d->name,
				 node, weir_strerror(errno),
				 errno == EBUSY ? "; another process has the device" : "");
	return 0;
}

static const char *bind_hint(int err)
{
	switch (err) {
	case -ENOTTY:
		return "; it is no VFIO device";
	case -EBUSY:
	case -EINVAL:
	case -EPERM:
		return "; another process may have the device or one of its IOMMU group";
	default:
		return "";
	}
}

static int cdev_dev_open(struct weir_iodev *d)
{
	struct uapi_vfio_bind_iommufd cmd = { .argsz = sizeof(cmd) };
	int err = need_iommufd(d->iommu);

	if (!err)
		err = open_node(d);
	if (err)
		return err;
	cmd.iommufd = d->iommu->iommufd;
	err = weir_ioctl(d->fd, UAPI_VFIO_DEVICE_BIND_IOMMUFD, &cmd);
	if (err < 0) {
		weir_fail(d->w, err, "cdev-bind", "%s: VFIO_DEVICE_BIND_IOMMUFD: %s%s", d->name,
			  weir_strerror(err), bind_hint(err));
		weir_close_fd(&d->fd);
		return err;
	}
	d->devid = cmd.out_devid;
	return 0;
}

static void cdev_dev_close(struct weir_iodev *d)
{
	weir_close_fd(&d->fd);
}

const struct weir_backend weir_backend_cdev = {
	.mode = WEIR_MODE_CDEV,
	.pins = true,
	.probe = cdev_probe,
	.as_create = cdev_as_create,
	.as_destroy = cdev_as_destroy,
	.files = true,
	.as_map = cdev_as_map,
	.as_copy = cdev_as_copy,
	.as_unmap = cdev_as_unmap,
	.as_ranges = cdev_as_ranges,
	.dev_open = cdev_dev_open,
	.dev_close = cdev_dev_close,
	.dev_attach = weir_cdev_attach,
	.dev_detach = weir_cdev_detach,
	.dev_move = weir_cdev_move,
	.pasid_move = weir_cdev_pasid_move,
	.pasid_bits = weir_cdev_pasid_bits,
	.pasid_attach = weir_cdev_pasid_attach,
	.pasid_detach = weir_cdev_pasid_detach,
	.io = &weir_vfio_devio,
};

int weir_iommufd_need(struct weir_iommu *iommu)
{
	return need_iommufd(iommu);
}
