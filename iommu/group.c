/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backend: VFIO group + container, type1v2. A container is one address space. The kernel gives it
 * an IOMMU only when the first group enters, and takes the mappings away when the last one leaves;
 * so mappings are kept in weir_ioas and made again whenever a first group enters.
 */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <dirent.h>
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

static bool member_is_bridge(const char *dir)
{
	char path[PATH_MAX];
	uint64_t class;

	weir_path(path, "%s/class", dir);
	return !weir_file_u64(path, &class) && class >> 8 == 0x0604;
}

/* Append "0000:03:00.1 (igb, eth1)" for a member that keeps the group from being viable. */
static void add_offender(char *list, size_t size, const char *name, const char *driver,
			 const char *dir)
{
	char net[PATH_MAX], child[64], ifname[32] = "";
	size_t n = strlen(list);

	weir_path(net, "%s/net", dir);
	/* An interface of virtio hangs below the virtio device that hangs below this one. */
	if (weir_dir_first(net, "", ifname, sizeof(ifname)) &&
	    !weir_dir_first(dir, "virtio", child, sizeof(child))) {
		weir_path(net, "%s/%s/net", dir, child);
		weir_dir_first(net, "", ifname, sizeof(ifname));
	}
	snprintf(list + n, size - n, "%s%s (%s%s%s)", n ? ", " : "", name, driver,
		 *ifname ? ", " : "", ifname);
}

/* Members of the group that are bound to something other than VFIO. Return: how many. */
static unsigned offenders(const char *sysdev, char *list, size_t size)
{
	char dir[PATH_MAX], member[PATH_MAX], driver[64];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	list[0] = '\0';
	weir_path(dir, "%s/iommu_group/devices", sysdev);
	d = opendir(dir);
	if (!d)
		return 0;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || weir_path(member, "%s/%s", dir, e->d_name))
			continue;
		if (weir_link_base(member, "driver", driver, sizeof(driver)) ||
		    weir_sys_is_vfio(driver) || !strcmp(driver, "pci-stub") ||
		    member_is_bridge(member))
			continue;
		add_offender(list, size, e->d_name, driver, member);
		n++;
	}
	closedir(d);
	return n;
}

static int group_probe(struct weir *w, const char *sysdev, char why[WEIR_WHY_LEN], const char **id)
{
	char node[PATH_MAX], list[160];
	int err;

	weir_path(node, "%s/vfio/vfio", weir_dev(w));
	err = weir_probe_node(
		node,
		"the kernel has no VFIO container (CONFIG_VFIO_GROUP, "
		"CONFIG_VFIO_CONTAINER), or it is not loaded: try `modprobe vfio-pci`",
		why, id);
	if (!err)
		err = weir_probe_common(sysdev, why, id);
	if (err)
		return err;
	if (offenders(sysdev, list, sizeof(list)))
		return weir_why(why, id, EBUSY, "group-not-viable",
				"its IOMMU group %d is not viable: bind or release with it: %s",
				weir_sys_group(sysdev), list);
	weir_path(node, "%s/vfio/%d", weir_dev(w), weir_sys_group(sysdev));
	return weir_probe_node(node, "the kernel has no VFIO groups (CONFIG_VFIO_GROUP)", why, id);
}

/* --- address space = container --- */

static int group_as_create(struct weir_ioas *as)
{
	struct weir *w = as->iommu->w;
	char node[PATH_MAX];
	int err;

	weir_path(node, "%s/vfio/vfio", weir_dev(w));
	as->fd = open(node, O_RDWR | O_CLOEXEC);
	if (as->fd < 0)
		return weir_fail(w, errno, "container-open", "cannot open %s: %s", node,
				 weir_strerror(errno));
	err = weir_ioctl(as->fd, VFIO_GET_API_VERSION, NULL);
	if (err == VFIO_API_VERSION) {
		err = weir_ioctl(as->fd, VFIO_CHECK_EXTENSION, (void *)VFIO_TYPE1v2_IOMMU);
		if (err > 0)
			return 0;
	}
	weir_close_fd(&as->fd);
	return weir_fail(w, err < 0 ? err : EOPNOTSUPP, "container-type",
			 "%s offers no type1v2 IOMMU (CONFIG_VFIO_IOMMU_TYPE1; try "
			 "`modprobe vfio_iommu_type1`)",
			 node);
}

static void group_as_destroy(struct weir_ioas *as)
{
	weir_close_fd(&as->fd);
}

static bool group_as_ready(struct weir_ioas *as)
{
	return as->ready;
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

static int open_group(struct weir_iodev *d, int id, struct weir_group **out)
{
	struct vfio_group_status st = { .argsz = sizeof(st) };
	struct weir_group *g = calloc(1, sizeof(*g));
	char node[PATH_MAX], list[200];
	int err;

	if (!g)
		return -ENOMEM;
	g->id = id;
	weir_path(node, "%s/vfio/%d", weir_dev(d->w), id);
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
		offenders(d->sysdev, list, sizeof(list));
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

/* Give a container its IOMMU, and the mappings that were made or asked for before. */
static int make_ready(struct weir_ioas *as)
{
	int err = weir_ioctl(as->fd, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);

	if (err < 0)
		return err;
	for (struct weir_iova_map *m = as->maps; m; m = m->next) {
		err = group_as_map(as, m);
		if (err)
			return err;
	}
	as->ready = true;
	return 0;
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
			  "%s: cannot give the container a type1v2 IOMMU with its mappings: %s",
			  d->name, weir_strerror(err));
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
	g->as = NULL;
	for (struct weir_group *o = d->iommu->groups; o; o = o->next)
		last &= o->as != d->as;
	if (last)
		d->as->ready = false;
	return err < 0 ? err : 0;
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
	return 0;
}

static int group_dev_detach(struct weir_iodev *d)
{
	weir_close_fd(&d->fd);
	d->group->attached--;
	return leave(d);
}

const struct weir_backend weir_backend_group = {
	.mode = WEIR_MODE_GROUP,
	.pins = true,
	.probe = group_probe,
	.as_create = group_as_create,
	.as_destroy = group_as_destroy,
	.as_ready = group_as_ready,
	.as_map = group_as_map,
	.as_unmap = group_as_unmap,
	.as_ranges = group_as_ranges,
	.dev_open = group_dev_open,
	.dev_close = group_dev_close,
	.dev_attach = group_dev_attach,
	.dev_detach = group_dev_detach,
	.io = &weir_vfio_devio,
};
