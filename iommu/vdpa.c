/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backend: vhost-vdpa, /dev/vhost-vdpa-N. The kernel knows where a device's memory is translated, by
 * the platform's IOMMU or on the device's own chip; either way mappings are told by IOTLB messages
 * written to the device. An address space is the book of mappings and a list of those who have it:
 * devices, and further address spaces of devices (ASIDs; PASIDs in weir's interface).
 */
#include "iommu/internal.h"

#include <fcntl.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEME "vdpa:"

/* Newer than Debian 12's headers; numbers of bits. */
#define BACKEND_F_RESUME	0x5
#define BACKEND_F_IOTLB_PERSIST 0x8

#define BIT(n)	       (1ull << (n))
#define BACKEND_NEEDED (BIT(VHOST_BACKEND_F_IOTLB_MSG_V2))
#define BACKEND_WANTED                                                                         \
	(BACKEND_NEEDED | BIT(VHOST_BACKEND_F_IOTLB_BATCH) | BIT(VHOST_BACKEND_F_IOTLB_ASID) | \
	 BIT(VHOST_BACKEND_F_SUSPEND) | BIT(BACKEND_F_RESUME) | BIT(BACKEND_F_IOTLB_PERSIST))

/* Who has an address space. */
struct vdpa_user {
	struct vdpa_user *next;
	struct vdpa_dev *dev;
	uint32_t asid;
};

/**
 * struct vdpa_dev - a device
 * @fd: of /dev/vhost-vdpa-N
 * @backend: features of the kernel's half, negotiated
 * @spaces: address spaces it can tell apart
 * @range: IOVAs it can reach
 * @mapped: bytes, in all its spaces
 * @self: the device itself, ASID 0
 */
struct vdpa_dev {
	struct weir *w;
	const char *name;
	int fd;
	uint64_t backend;
	unsigned spaces;
	struct vhost_vdpa_iova_range range;
	uint64_t mapped;
	struct vdpa_user self;
};

static const char *node_path(const char *dev)
{
	return dev + strlen(SCHEME);
}

static int vdpa_probe(const struct weir_backend *be, struct weir *w, const char *dev,
		      char why[WEIR_WHY_LEN], const char **id)
{
	const char *path = node_path(dev);
	struct stat st;

	(void)be;
	(void)w;
	if (stat(path, &st))
		return weir_why(why, id, errno, "no-vdpa",
				"%s: %s; make a device with `vdpa dev add` and bind it to the "
				"driver vhost_vdpa",
				path, weir_strerror(errno));
	if (!S_ISCHR(st.st_mode))
		return weir_why(why, id, ENOTTY, "no-vdpa",
				"%s is no device node; take /dev/vhost-vdpa-N", path);
	if (access(path, R_OK | W_OK))
		return weir_why(why, id, errno, "vdpa-access",
				"%s: %s; it belongs to user %u, mode %03o", path,
				weir_strerror(errno), st.st_uid, st.st_mode & 0777);
	return 0;
}

/* --- messages --- */

/*
 * The kernel reports whatever went wrong with a message as EFAULT. What goes wrong is the limit on
 * locked memory, which it holds root to as well. Return: 0 if it is something else.
 */
static int over_limit(const struct vdpa_dev *v, uint64_t len)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl) || rl.rlim_cur == RLIM_INFINITY ||
	    v->mapped + len <= rl.rlim_cur)
		return 0;
	return weir_fail(v->w, ENOMEM, "memlock",
			 "%s: %llu KiB of locked memory are needed, the limit is %llu KiB, and "
			 "vhost-vdpa makes no exception for root: `ulimit -l unlimited`, or "
			 "LimitMEMLOCK=infinity in the service",
			 v->name, (unsigned long long)(v->mapped + len) >> 10,
			 (unsigned long long)rl.rlim_cur >> 10);
}

static int send_iotlb(const struct vdpa_dev *v, uint32_t asid, const struct vhost_iotlb_msg *iotlb)
{
	struct vhost_msg_v2 m = { .type = VHOST_IOTLB_MSG_V2, .asid = asid, .iotlb = *iotlb };
	ssize_t n = write(v->fd, &m, sizeof(m));

	if (n == sizeof(m))
		return 0;
	return n < 0 ? -errno : -EIO;
}

static int user_map(const struct vdpa_user *u, const struct weir_iova_map *m)
{
	struct vhost_iotlb_msg msg = {
		.type = VHOST_IOTLB_UPDATE,
		.iova = m->iova,
		.size = m->len,
		.uaddr = (uintptr_t)m->va,
		.perm = (uint8_t)((m->prot & WEIR_PROT_READ ? VHOST_ACCESS_RO : 0) |
				  (m->prot & WEIR_PROT_WRITE ? VHOST_ACCESS_WO : 0)),
	};

	int err = send_iotlb(u->dev, u->asid, &msg);

	u->dev->mapped += err ? 0 : m->len;
	return err;
}

static int user_unmap(const struct vdpa_user *u, const struct weir_iova_map *m)
{
	struct vhost_iotlb_msg msg = { .type = VHOST_IOTLB_INVALIDATE,
				       .iova = m->iova,
				       .size = m->len };
	int err = send_iotlb(u->dev, u->asid, &msg);

	u->dev->mapped -= err ? 0 : m->len;
	return err;
}

/*
 * Several mappings at once: a device with tables on the chip then takes them in one step. At its
 * end is where such a device fails.
 */
static int batch(const struct vdpa_user *u, uint8_t type)
{
	struct vhost_iotlb_msg msg = { .type = type };

	return u->dev->backend & BIT(VHOST_BACKEND_F_IOTLB_BATCH)
		       ? send_iotlb(u->dev, u->asid, &msg)
		       : 0;
}

/* Everything up to @end away again. */
static void unmap_upto(const struct vdpa_user *u, const struct weir_iova_map *m,
		       const struct weir_iova_map *end)
{
	batch(u, VHOST_IOTLB_BATCH_BEGIN);
	for (; m != end; m = m->next)
		user_unmap(u, m);
	batch(u, VHOST_IOTLB_BATCH_END);
}

/* All that is mapped in @as, for a new user. On failure nothing is. */
static int join(struct weir_ioas *as, struct vdpa_user *u)
{
	const struct weir_iova_map *m = as->maps;
	int err = batch(u, VHOST_IOTLB_BATCH_BEGIN), end;

	if (!err) {
		while (!err && m) {
			err = user_map(u, m);
			m = err ? m : m->next;
		}
		end = batch(u, VHOST_IOTLB_BATCH_END);
		err = err ? err : end;
	}
	if (err) {
		unmap_upto(u, as->maps, m);
		end = err == -EFAULT && m ? over_limit(u->dev, m->len) : 0;
		if (end)
			return end;
		return weir_fail(u->dev->w, err, "attach",
				 "%s: the kernel refused to map what is in its address space: %s",
				 u->dev->name, weir_strerror(err));
	}
	u->next = as->vdpas;
	as->vdpas = u;
	return 0;
}

static void leave(struct weir_ioas *as, struct vdpa_user *u)
{
	struct vdpa_user **p = &as->vdpas;

	while (*p != u)
		p = &(*p)->next;
	*p = u->next;
	unmap_upto(u, as->maps, NULL);
}

/* --- address spaces --- */

static int vdpa_as_create(struct weir_ioas *as)
{
	as->vdpas = NULL;
	return 0;
}

static void vdpa_as_destroy(struct weir_ioas *as)
{
	(void)as;
}

static int vdpa_as_map(struct weir_ioas *as, const struct weir_iova_map *m)
{
	for (struct vdpa_user *u = as->vdpas; u; u = u->next) {
		int err = user_map(u, m);

		if (err) {
			for (struct vdpa_user *v = as->vdpas; v != u; v = v->next)
				user_unmap(v, m);
			return err;
		}
	}
	return 0;
}

static int vdpa_as_refused(struct weir_ioas *as, const struct weir_iova_map *m, int err)
{
	int said = 0;

	for (struct vdpa_user *u = as->vdpas; u && err == -EFAULT && !said; u = u->next)
		said = over_limit(u->dev, m->len);
	return said;
}

static int vdpa_as_unmap(struct weir_ioas *as, const struct weir_iova_map *m)
{
	int err = 0;

	for (struct vdpa_user *u = as->vdpas; u; u = u->next) {
		int e = user_unmap(u, m);

		err = err ? err : e;
	}
	return err;
}

/* What all users reach. */
static int vdpa_as_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n,
			  uint64_t *align)
{
	struct weir_iova_range all = { 0, (1ull << 48) - 1 };

	*align = (uint64_t)sysconf(_SC_PAGESIZE);
	for (const struct vdpa_user *u = as->vdpas; u; u = u->next) {
		if (u->dev->range.first > all.start)
			all.start = u->dev->range.first;
		if (u->dev->range.last < all.last)
			all.last = u->dev->range.last;
	}
	if (all.start > all.last)
		return 0;
	if (n)
		r[0] = all;
	return 1;
}

/* --- devices --- */

static int negotiate(struct vdpa_dev *v)
{
	uint64_t offered = 0, want;
	uint32_t spaces = 1;

	if (ioctl(v->fd, VHOST_SET_OWNER))
		return -errno;
	if (ioctl(v->fd, VHOST_GET_BACKEND_FEATURES, &offered))
		return -errno;
	if ((offered & BACKEND_NEEDED) != BACKEND_NEEDED)
		return -EOPNOTSUPP;
	want = offered & BACKEND_WANTED;
	if (ioctl(v->fd, VHOST_SET_BACKEND_FEATURES, &want))
		return -errno;
	v->backend = want;
	/* Kernels before 5.13 do not say: then all of 32 bits is safe. */
	if (ioctl(v->fd, VHOST_VDPA_GET_IOVA_RANGE, &v->range))
		v->range = (struct vhost_vdpa_iova_range){ 0, UINT32_MAX };
	if (want & BIT(VHOST_BACKEND_F_IOTLB_ASID) && !ioctl(v->fd, VHOST_VDPA_GET_AS_NUM, &spaces))
		v->spaces = spaces;
	return 0;
}

static int vdpa_dev_open(struct weir_iodev *d)
{
	struct vdpa_dev *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	v->w = d->w;
	v->name = d->name;
	v->spaces = 1;
	v->self.dev = v;
	v->fd = open(node_path(d->sysdev), O_RDWR | O_CLOEXEC);
	err = v->fd < 0 ? -errno : negotiate(v);
	if (err) {
		weir_fail(d->w, err, "vdpa-open", "%s cannot be used: %s%s", d->name,
			  weir_strerror(err), err == -EBUSY ? "; another process has it" : "");
		weir_close_fd(&v->fd);
		free(v);
		return err;
	}
	d->fd = v->fd;
	d->vdpa = v;
	return 0;
}

static void vdpa_dev_close(struct weir_iodev *d)
{
	weir_close_fd(&d->vdpa->fd);
	d->fd = -1;
	free(d->vdpa);
	d->vdpa = NULL;
}

static int vdpa_dev_attach(struct weir_iodev *d)
{
	return join(d->as, &d->vdpa->self);
}

static int vdpa_dev_detach(struct weir_iodev *d)
{
	leave(d->as, &d->vdpa->self);
	return 0;
}

static int vdpa_pasid_bits(struct weir_iodev *d, char why[WEIR_WHY_LEN])
{
	unsigned n = d->vdpa->spaces;

	if (n < 2) {
		snprintf(why, WEIR_WHY_LEN, "the vDPA device has one address space");
		return -EOPNOTSUPP;
	}
	/* Numbers are 0 to n - 1. */
	return 31 - __builtin_clz(n);
}

static int vdpa_pasid_attach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct vdpa_user *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->dev = d->vdpa;
	u->asid = pasid;
	err = join(as, u);
	if (err)
		free(u);
	return err;
}

static int vdpa_pasid_detach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct vdpa_user *u = as->vdpas;

	while (u->dev != d->vdpa || u->asid != pasid)
		u = u->next;
	leave(as, u);
	free(u);
	return 0;
}

/* --- what a device of VFIO has, and this one has not --- */

static int no_region(struct weir_iodev *d, unsigned index, struct weir_region *r, uint64_t *off)
{
	return weir_fail(d->w, EOPNOTSUPP, "region", "%s: a vDPA device has no region %u (%p, %p)",
			 d->name, index, (void *)r, (void *)off);
}

static int no_irq_count(struct weir_iodev *d, unsigned index)
{
	(void)d;
	(void)index;
	return 0;
}

static int no_irq_set(struct weir_iodev *d, unsigned index, unsigned n, const int *fds)
{
	(void)fds;
	return n ? weir_fail(d->w, EOPNOTSUPP, "irq", "%s: a vDPA device has no vectors of kind %u",
			     d->name, index)
		 : 0;
}

static int vdpa_reset(struct weir_iodev *d)
{
	uint8_t status = 0;

	return weir_ioctl(d->fd, VHOST_VDPA_SET_STATUS, &status) < 0 ? -EIO : 0;
}

static const struct weir_devio_ops vdpa_devio = {
	.region = no_region,
	.irq_count = no_irq_count,
	.irq_set = no_irq_set,
	.reset = vdpa_reset,
};

const struct weir_backend weir_backend_vdpa = {
	.mode = WEIR_MODE_VDPA,
	.scheme = SCHEME,
	.pins = true,
	.probe = vdpa_probe,
	.as_create = vdpa_as_create,
	.as_destroy = vdpa_as_destroy,
	.as_map = vdpa_as_map,
	.as_refused = vdpa_as_refused,
	.as_unmap = vdpa_as_unmap,
	.as_ranges = vdpa_as_ranges,
	.dev_open = vdpa_dev_open,
	.dev_close = vdpa_dev_close,
	.dev_attach = vdpa_dev_attach,
	.dev_detach = vdpa_dev_detach,
	.pasid_bits = vdpa_pasid_bits,
	.pasid_attach = vdpa_pasid_attach,
	.pasid_detach = vdpa_pasid_detach,
	.io = &vdpa_devio,
};
