/* SPDX-License-Identifier: BSD-3-Clause */
/* A VFIO device file descriptor of the kernel: the same in cdev and in group mode. */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Larger than any chain of capabilities that a region has; more is a broken kernel. */
#define REGION_INFO_MAX 65536

static void read_sparse(const struct vfio_region_info *info, size_t len, size_t at,
			struct weir_region *r)
{
	const struct vfio_region_info_cap_sparse_mmap *cap;
	unsigned mappable = r->flags & WEIR_REGION_MMAP;

	/* A list that is empty, or of which nothing can be believed: nothing can be mapped. */
	r->flags &= ~(unsigned)WEIR_REGION_MMAP;
	if (at > len || len - at < sizeof(*cap))
		return;
	cap = (const void *)((const char *)info + at);
	if (cap->nr_areas > (len - at - sizeof(*cap)) / sizeof(cap->areas[0]))
		return;
	for (unsigned i = 0; i < cap->nr_areas && r->n_sparse < WEIR_MAX_SPARSE; i++) {
		uint64_t off = cap->areas[i].offset, size = cap->areas[i].size;

		if (!size || off > r->size || size > r->size - off)
			continue;
		r->sparse[r->n_sparse].off = off;
		r->sparse[r->n_sparse].size = size;
		r->n_sparse++;
		r->flags |= mappable;
	}
}

static void read_caps(const struct vfio_region_info *info, size_t len, struct weir_region *r)
{
	size_t at = info->cap_offset;

	/* Offsets only ever grow in a sane chain: one that turns back would loop. */
	while (at % 8 == 0 && at >= sizeof(*info) &&
	       at <= len - sizeof(struct vfio_info_cap_header)) {
		const struct vfio_info_cap_header *h = (const void *)((const char *)info + at);

		if (h->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			read_sparse(info, len, at, r);
		if (h->next <= at)
			break;
		at = h->next;
	}
}

static int vfio_region(struct weir_iodev *d, unsigned index, struct weir_region *r,
		       uint64_t *file_off)
{
	struct vfio_region_info *info;
	size_t len = sizeof(*info);
	int err;

	info = calloc(1, REGION_INFO_MAX);
	if (!info)
		return -ENOMEM;
	for (;;) {
		info->argsz = (__u32)len;
		info->index = index;
		err = weir_ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, info);
		if (err < 0 || info->argsz <= len)
			break;
		len = info->argsz;
		err = -EIO;
		if (len > REGION_INFO_MAX)
			break;
	}
	if (err < 0) {
		weir_fail(d->w, err, "region", "%s: cannot read about region %u: %s", d->name,
			  index, weir_strerror(err));
		goto out;
	}
	memset(r, 0, sizeof(*r));
	r->size = info->size;
	r->flags = (info->flags & VFIO_REGION_INFO_FLAG_READ ? WEIR_REGION_READ : 0) |
		   (info->flags & VFIO_REGION_INFO_FLAG_WRITE ? WEIR_REGION_WRITE : 0) |
		   (info->flags & VFIO_REGION_INFO_FLAG_MMAP ? WEIR_REGION_MMAP : 0);
	if (info->flags & VFIO_REGION_INFO_FLAG_CAPS)
		read_caps(info, len, r);
	*file_off = info->offset;
	err = 0;
out:
	free(info);
	return err;
}

int weir_vfio_dmabuf(struct weir_iodev *d, unsigned region, uint64_t off, uint64_t len)
{
	struct {
		struct uapi_vfio_feature head;
		struct uapi_vfio_dmabuf buf;
	} cmd = {
		.head = { .argsz = sizeof(cmd),
			  .flags = VFIO_DEVICE_FEATURE_GET | UAPI_VFIO_FEATURE_DMABUF },
		.buf = { .region_index = region,
			 .open_flags = O_RDWR | O_CLOEXEC,
			 .nr_ranges = 1,
			 .offset = off,
			 .length = len },
	};

	return weir_ioctl(d->fd, VFIO_DEVICE_FEATURE, &cmd);
}

static int vfio_read(struct weir_iodev *d, uint64_t file_off, void *buf, size_t len)
{
	ssize_t n = pread(d->fd, buf, len, (off_t)file_off);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int vfio_write(struct weir_iodev *d, uint64_t file_off, const void *buf, size_t len)
{
	ssize_t n = pwrite(d->fd, buf, len, (off_t)file_off);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int vfio_mmap(struct weir_iodev *d, uint64_t file_off, size_t len, void **va)
{
	/* The caller has reserved [*va, *va + len), or passes NULL. */
	int flags = MAP_SHARED | (*va ? MAP_FIXED : 0);
	void *p = mmap(*va, len, PROT_READ | PROT_WRITE, flags, d->fd, (off_t)file_off);

	if (p == MAP_FAILED)
		return -errno;
	*va = p;
	return 0;
}

static int vfio_irq_count(struct weir_iodev *d, unsigned index)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };
	int err = weir_ioctl(d->fd, VFIO_DEVICE_GET_IRQ_INFO, &info);

	if (err < 0)
		return err;
	if (!(info.flags & VFIO_IRQ_INFO_EVENTFD))
		return 0;
	return info.count > INT_MAX ? -EIO : (int)info.count;
}

static int vfio_irq_set(struct weir_iodev *d, unsigned index, unsigned n, const int *fds)
{
	size_t len = sizeof(struct vfio_irq_set) + n * sizeof(__s32);
	struct vfio_irq_set *set = calloc(1, len);
	int err;

	if (!set)
		return -ENOMEM;
	set->argsz = (__u32)len;
	set->index = index;
	set->count = n;
	set->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (n ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	if (n)
		memcpy(set->data, fds, n * sizeof(__s32));
	err = weir_ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set);
	free(set);
	return err < 0 ? err : 0;
}

static int vfio_reset(struct weir_iodev *d)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	int err = weir_ioctl(d->fd, VFIO_DEVICE_GET_INFO, &info);

	if (err < 0)
		return err;
	if (!(info.flags & VFIO_DEVICE_FLAGS_RESET))
		return -EOPNOTSUPP;
	err = weir_ioctl(d->fd, VFIO_DEVICE_RESET, NULL);
	return err < 0 ? err : 0;
}

const struct weir_devio_ops weir_vfio_devio = {
	.region = vfio_region,
	.read = vfio_read,
	.write = vfio_write,
	.mmap = vfio_mmap,
	.irq_count = vfio_irq_count,
	.irq_set = vfio_irq_set,
	.reset = vfio_reset,
	.hot = &weir_vfio_hot_reset,
};
