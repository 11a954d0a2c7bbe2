/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backends: VFIO group + container, in four kinds that are rows at the end of this file. A container
 * is one address space. The kernel gives it an IOMMU only when the first group enters, and most kinds
 * lose the mappings when the last one leaves; so mappings are kept in weir_ioas and made again
 * whenever a first group enters.
 */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A group that is open; shared by the devices in it. */
struct weir_group {
	struct weir_group *next;
	int id, fd;
	unsigned refs;	   /* devices open */
	unsigned attached; /* devices attached, all to @as */
	struct weir_ioas *as;
};

/* --- address space = container --- */

static int group_as_create(struct weir_ioas *as)
{
	const struct weir_group_kind *k = as->be->kind;
	struct weir *w = as->iommu->w;
	char node[PATH_MAX];
	int err;

	weir_path(node, "%s/%s", weir_dev(w), k->container);
	as->fd = open(node, O_RDWR | O_CLOEXEC);
	if (as->fd < 0)
		return weir_fail(w, errno, "container-open", "cannot open %s: %s", node,
				 weir_strerror(errno));
	err = weir_ioctl(as->fd, VFIO_GET_API_VERSION, NULL);
	if (err == VFIO_API_VERSION) {
		err = weir_ioctl(as->fd, VFIO_CHECK_EXTENSION, (void *)k->type);
		if (err > 0)
			err = k->physical ? weir_phys_create(as) : 0;
		else
			err = err < 0 ? err : -EOPNOTSUPP;
		if (!err)
			return 0;
	}
	weir_close_fd(&as->fd);
	return weir_fail(w, err < 0 ? err : EOPNOTSUPP, "container-type", "%s offers no %s: %s",
			 node, k->type_name, k->no_type);
}

static void group_as_destroy(struct weir_ioas *as)
{
	/* A group that would not leave is in no address space of ours any more. */
	for (struct weir_group *g = as->iommu->groups; g; g = g->next)
		if (g->as == as)
			g->as = NULL;
	weir_close_fd(&as->fd);
	weir_phys_destroy(as);
}

static bool group_as_ready(struct weir_ioas *as)
{
	return as->ready || as->be->kind->physical;
}

static int group_as_map(struct weir_ioas *as, const struct weir_iova_map *m)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = (m->prot & WEIR_PROT_READ ? VFIO_DMA_MAP_FLAG_READ : 0u) |
			 (m->prot & WEIR_PROT_WRITE ? VFIO_DMA_MAP_FLAG_WRITE : 0u),
		.vaddr = (uintptr_t)m->va,
		.iova = m->iova,
		.size = m->len,
	};
	int err = weir_ioctl(as->fd, VFIO_IOMMU_MAP_DMA, &cmd);

	return err < 0 ? err : 0;
}

static int group_as_unmap(struct weir_ioas *as, const struct weir_iova_map *m)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.iova = m->iova,
		.size = m->len,
	};
	int err = weir_ioctl(as->fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	if (err < 0)
		return err;
	return cmd.size == m->len ? 0 : -EIO;
}

static int read_ranges(const struct vfio_iommu_type1_info *info, size_t len,
		       struct weir_iova_range *r, unsigned n)
{
	size_t at = info->cap_offset;

	while (at % 8 == 0 && at >= sizeof(*info) &&
	       at <= len - sizeof(struct vfio_info_cap_header)) {
		const struct vfio_info_cap_header *h = (const void *)((const char *)info + at);
		const struct vfio_iommu_type1_info_cap_iova_range *c = (const void *)h;

		if (h->id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE && len - at >= sizeof(*c) &&
		    c->nr_iovas <= (len - at - sizeof(*c)) / sizeof(c->iova_ranges[0])) {
			for (unsigned i = 0; i < c->nr_iovas && i < n; i++)
				r[i] = (struct weir_iova_range){ c->iova_ranges[i].start,
								 c->iova_ranges[i].end };
			return (int)c->nr_iovas;
		}
		if (h->next <= at)
			break;
		at = h->next;
	}
	return 0;
}

/*
 * Sizes that the IOMMU's tables really have: a handful. IOMMUFD as a container sets all bits from its
 * alignment up, and so says nothing about them.
 */
static uint64_t table_pages(const struct vfio_iommu_type1_info *info)
{
	bool told = info->flags & VFIO_IOMMU_INFO_PGSIZES;

	return told && __builtin_popcountll(info->iova_pgsizes) <= 4 ? info->iova_pgsizes : 0;
}

#define IOMMU_INFO_MAX 65536

static int group_as_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n,
			   uint64_t *align)
{
	struct vfio_iommu_type1_info *info = calloc(1, IOMMU_INFO_MAX);
	size_t len = sizeof(*info);
	int err = -ENOMEM;

	if (!info)
		return err;
	/* The answer may have grown since its size was asked; cut short, it would name no range. */
	for (;;) {
		info->argsz = (__u32)len;
		err = weir_ioctl(as->fd, VFIO_IOMMU_GET_INFO, info);
		if (err < 0 || info->argsz <= len)
			break;
		len = info->argsz;
		err = -EIO;
		if (len > IOMMU_INFO_MAX)
			break;
	}
	if (err < 0)
		goto out;
	as->page_sizes = table_pages(info);
	*align = info->flags & VFIO_IOMMU_INFO_PGSIZES && info->iova_pgsizes
			 ? info->iova_pgsizes & -info->iova_pgsizes
			 : 4096;
	err = info->flags & VFIO_IOMMU_INFO_CAPS ? read_ranges(info, len, r, n) : 0;
	if (!err) {
		/* Linux before 5.4 does not tell: what every VT-d and AMD-Vi can translate. */
		if (n)
			r[0] = (struct weir_iova_range){ 1ull << 32, (1ull << 39) - 1 };
		err = 1;
	}
out:
	free(info);
	return err;
}

/* --- devices --- */

static struct weir_group *find_group(struct weir_iommu *iommu, int id)
{
	struct weir_group *g;

	for (g = iommu->groups; g && g->id != id; g = g->next)
		;
	return g;
}

int weir_group_fd(const struct weir_iommu *iommu, int id)
{
	for (const struct weir_group *g = iommu->groups; g; g = g->next)
		if (g->id == id)
			return g->fd;
	return -1;
}

static int open_group(struct weir_iodev *d, int id, struct weir_group **out)
{
	struct vfio_group_status st = { .argsz = sizeof(st) };
	struct weir_group *g = calloc(1, sizeof(*g));
	char node[PATH_MAX], list[200];
	int err;

	if (!g)
		return -ENOMEM;
	g->id = id;
	weir_path(node, "%s/%s%d", weir_dev(d->w), d->be->kind->nodes, id);
	g->fd = open(node, O_RDWR | O_CLOEXEC);
	if (g->fd < 0) {
		err = weir_fail(d->w, errno, "group-open", "%s: cannot open %s: %s%s", d->name,
				node, weir_strerror(errno),
				errno == EBUSY ? "; another process has the group" : "");
		goto fail;
	}
	err = weir_ioctl(g->fd, VFIO_GROUP_GET_STATUS, &st);
	if (err < 0) {
		weir_fail(d->w, err, "group-status", "%s: VFIO_GROUP_GET_STATUS on %s: %s", d->name,
			  node, weir_strerror(err));
		goto fail;
	}
	if (!(st.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		weir_group_offenders(d->sysdev, list, sizeof(list));
		err = weir_fail(d->w, EBUSY, "group-not-viable",
				"%s: IOMMU group %d is not viable; bind or release with it: %s",
				d->name, id, list);
		goto fail;
	}
	g->next = d->iommu->groups;
	d->iommu->groups = g;
	*out = g;
	return 0;
fail:
	weir_close_fd(&g->fd);
	free(g);
	return err;
}

static void put_group(struct weir_iommu *iommu, struct weir_group *g)
{
	struct weir_group **p;

	if (--g->refs)
		return;
	for (p = &iommu->groups; *p != g; p = &(*p)->next)
		;
	*p = g->next;
	weir_close_fd(&g->fd);
	free(g);
}

static int group_dev_open(struct weir_iodev *d)
{
	int err, id = weir_sys_group(d->sysdev);

	if (id < 0)
		return weir_fail(d->w, ENODEV, "no-iommu", "%s has no IOMMU group any more",
				 d->name);
	d->group = find_group(d->iommu, id);
	if (!d->group) {
		err = open_group(d, id, &d->group);
		if (err)
			return err;
	}
	d->group->refs++;
	return 0;
}

static void group_dev_close(struct weir_iodev *d)
{
	put_group(d->iommu, d->group);
	d->group = NULL;
}

/* All, or none: compat containers outlive their groups, and would keep a part. */
static int map_again(struct weir_ioas *as)
{
	for (struct weir_iova_map *m = as->maps; m; m = m->next) {
		int err = group_as_map(as, m);

		if (!err)
			continue;
		for (struct weir_iova_map *done = as->maps; done != m; done = done->next)
			group_as_unmap(as, done);
		return err;
	}
	return 0;
}

/* Give a container its IOMMU, and the mappings that were made or asked for before. */
static int make_ready(struct weir_ioas *as)
{
	const struct weir_group_kind *k = as->be->kind;
	int err = weir_ioctl(as->fd, VFIO_SET_IOMMU, (void *)k->type);

	if (err >= 0)
		err = k->physical ? 0 : map_again(as);
	as->ready = !err;
	return err;
}

static int enter(struct weir_iodev *d)
{
	struct weir_group *g = d->group;
	struct weir_ioas *as = d->as;
	int err;

	if (g->as && g->as != as)
		return weir_fail(d->w, EBUSY, "group-shared",
				 "%s: IOMMU group %d is in another address space; all devices of a "
				 "group share one",
				 d->name, g->id);
	if (g->as)
		return 0;
	err = weir_ioctl(g->fd, VFIO_GROUP_SET_CONTAINER, &as->fd);
	if (err < 0)
		return weir_fail(d->w, err, "attach", "%s: VFIO_GROUP_SET_CONTAINER: %s", d->name,
				 weir_strerror(err));
	if (!as->ready)
		err = make_ready(as);
	if (err < 0) {
		weir_fail(d->w, err, "attach",
			  "%s: cannot give the container a %s with its mappings: %s", d->name,
			  d->be->kind->type_name, weir_strerror(err));
		weir_ioctl(g->fd, VFIO_GROUP_UNSET_CONTAINER, NULL);
		return err;
	}
	g->as = as;
	return 0;
}

static int leave(struct weir_iodev *d)
{
	struct weir_group *g = d->group;
	bool last = true;
	int err;

	if (g->attached)
		return 0;
	err = weir_ioctl(g->fd, VFIO_GROUP_UNSET_CONTAINER, NULL);
	if (err < 0)
		return err; /* still in there: closing the group takes it out */
	g->as = NULL;
	for (struct weir_group *o = d->iommu->groups; o; o = o->next)
		last &= o->as != d->as;
	if (last && !d->be->kind->lasting)
		d->as->ready = false;
	return 0;
}

static int group_dev_attach(struct weir_iodev *d)
{
	int err = enter(d);

	if (err)
		return err;
	d->fd = weir_ioctl(d->group->fd, VFIO_GROUP_GET_DEVICE_FD, (void *)d->name);
	if (d->fd < 0) {
		err = weir_fail(d->w, d->fd, "device-fd", "%s: VFIO_GROUP_GET_DEVICE_FD: %s",
				d->name, weir_strerror(d->fd));
		d->fd = -1;
		leave(d);
		return err;
	}
	fcntl(d->fd, F_SETFD, FD_CLOEXEC);
	d->group->attached++;
	if (d->be->kind->physical)
		weir_log(d->w, WEIR_LOG_WARN, "noiommu-unsafe",
			 "%s: NO IOMMU stands between this device and memory: it, and whoever "
			 "controls it, can read and write all of the machine's memory",
			 d->name);
	return 0;
}

static int group_dev_detach(struct weir_iodev *d)
{
	weir_close_fd(&d->fd);
	d->group->attached--;
	return leave(d);
}

/* --- the kinds --- */

#define CONTAINER_HELP                                                                        \
	"the kernel has no VFIO container (CONFIG_VFIO_GROUP, CONFIG_VFIO_CONTAINER), or it " \
	"is not loaded: try `modprobe vfio-pci`"
#define TYPE1_HELP "CONFIG_VFIO_IOMMU_TYPE1 is needed; try `modprobe vfio_iommu_type1`"

static const struct weir_group_kind kind_group = {
	.container = "vfio/vfio",
	.nodes = "vfio/",
	.type = VFIO_TYPE1v2_IOMMU,
	.type_name = "type1v2 IOMMU",
	.no_container = CONTAINER_HELP,
	.no_type = TYPE1_HELP,
};

/* IOMMUFD speaks the container's language too, and its mappings outlive their groups. */
static const struct weir_group_kind kind_compat = {
	.container = "iommu",
	.nodes = "vfio/",
	.type = VFIO_TYPE1v2_IOMMU,
	.type_name = "type1v2 IOMMU",
	.no_container = "the kernel has no IOMMUFD (CONFIG_IOMMUFD, Linux 6.2 or later), or its "
			"module is not loaded: try `modprobe iommufd`",
	.no_type = "this IOMMUFD does not speak as a container; use cdev mode",
	.lasting = true,
};

static const struct weir_group_kind kind_type1 = {
	.container = "vfio/vfio",
	.nodes = "vfio/",
	.type = VFIO_TYPE1_IOMMU,
	.type_name = "type1 IOMMU",
	.no_container = CONTAINER_HELP,
	.no_type = TYPE1_HELP,
};

static const struct weir_group_kind kind_noiommu = {
	.container = "vfio/vfio",
	.nodes = "vfio/noiommu-",
	.type = VFIO_NOIOMMU_IOMMU,
	.type_name = "no-IOMMU mode",
	.no_container = CONTAINER_HELP,
	.no_type = "CONFIG_VFIO_NOIOMMU and vfio.enable_unsafe_noiommu_mode=1 are needed, and then "
		   "a device can reach all memory",
	.physical = true,
};

#define GROUP_OPS                                                                                \
	.probe = weir_group_probe, .as_create = group_as_create, .as_destroy = group_as_destroy, \
	.as_ready = group_as_ready, .dev_open = group_dev_open, .dev_close = group_dev_close,    \
	.dev_attach = group_dev_attach, .dev_detach = group_dev_detach, .io = &weir_vfio_devio
#define TYPE1_OPS                                                                    \
	GROUP_OPS, .pins = true, .as_map = group_as_map, .as_unmap = group_as_unmap, \
		   .as_ranges = group_as_ranges

const struct weir_backend weir_backend_group = { .mode = WEIR_MODE_GROUP,
						 .kind = &kind_group,
						 TYPE1_OPS };
const struct weir_backend weir_backend_compat = { .mode = WEIR_MODE_COMPAT,
						  .kind = &kind_compat,
						  TYPE1_OPS };
const struct weir_backend weir_backend_type1 = { .mode = WEIR_MODE_TYPE1,
						 .kind = &kind_type1,
						 TYPE1_OPS };
const struct weir_backend weir_backend_noiommu = {
	.mode = WEIR_MODE_NOIOMMU,
	.kind = &kind_noiommu,
	.only_asked = true,
	GROUP_OPS,
	.as_check = weir_phys_check,
	.as_map = weir_phys_map,
	.as_unmap = weir_phys_unmap,
	.as_ranges = weir_phys_ranges,
};
