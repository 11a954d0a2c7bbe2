/* SPDX-License-Identifier: BSD-3-Clause */
/* The two ABIs of the model in fake_vfio.h, which includes this: IOMMUFD with cdev, and group. */
#ifndef WEIR_TESTS_FAKE_VFIO_ABI_H
#define WEIR_TESTS_FAKE_VFIO_ABI_H

static int fv_container(int fd, unsigned long req, void *arg);

/* --- objects --- */

static unsigned fv_live_spaces(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FV_SPACES; i++)
		n += fake.spaces[i].alive;
	return n;
}

static unsigned fv_live_hwpts(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FV_HWPTS; i++)
		n += fake.hwpts[i].alive;
	return n;
}

static unsigned fv_live_fds(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FV_FDS; i++)
		n += fake.fds[i].kind != FV_NONE;
	return n;
}

static unsigned fv_live_bars(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(fake.bars); i++)
		n += fake.bars[i].va != NULL;
	return n;
}

static inline unsigned fv_maps(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FV_SPACES; i++)
		n += fake.spaces[i].alive ? fake.spaces[i].n_maps : 0;
	return n;
}

/* Locked memory, what copies share once. */
static inline uint64_t fv_pinned(void)
{
	uint64_t sum = 0;

	for (unsigned pin = 1; pin <= fake.pins; pin++) {
		uint64_t most = 0;

		for (unsigned i = 0; i < FV_SPACES; i++)
			for (unsigned k = 0; fake.spaces[i].alive && k < fake.spaces[i].n_maps; k++)
				if (fake.spaces[i].maps[k].pin == pin &&
				    fake.spaces[i].maps[k].len > most)
					most = fake.spaces[i].maps[k].len;
		sum += most;
	}
	return sum;
}

static struct fv_space *fv_new_space(int owner, unsigned *id)
{
	for (unsigned i = 1; i < FV_SPACES; i++)
		if (!fake.spaces[i].alive) {
			fake.spaces[i] = (struct fv_space){ .alive = true, .owner = owner };
			*id = i;
			return &fake.spaces[i];
		}
	fail_msg("too many address spaces");
	return NULL;
}

static int fv_add_map(struct fv_space *s, uint64_t iova, uint64_t len)
{
	bool allowed = false;

	if (!len || (iova | len) & 4095 || iova + len - 1 < iova)
		return fv_err(EINVAL);
	for (unsigned i = 0; i < fake.n_ranges; i++)
		allowed |= iova >= fake.ranges[i].start && iova + len - 1 <= fake.ranges[i].last;
	if (!allowed)
		return fv_err(EINVAL);
	for (unsigned i = 0; i < s->n_maps; i++)
		if (s->maps[i].iova < iova + len && iova < s->maps[i].iova + s->maps[i].len)
			return fv_err(EEXIST);
	assert_true(s->n_maps < FV_MAPS);
	s->maps[s->n_maps++] = (struct fv_map){ .iova = iova, .len = len, .pin = ++fake.pins };
	return 0;
}

/* A device that still masters the bus would write to memory that is no longer its. */
static void fv_check_quiet(void)
{
	for (unsigned i = 0; i < FV_DEVS; i++)
		fake.dma_faults += fake.devs[i].fd >= 0 && fake.devs[i].config[PCI_COMMAND] & 4;
}

static int fv_del_map(struct fv_space *s, uint64_t iova, uint64_t len)
{
	for (unsigned i = 0; i < s->n_maps; i++)
		if (s->maps[i].iova == iova && s->maps[i].len == len) {
			s->maps[i] = s->maps[--s->n_maps];
			fv_check_quiet();
			return 0;
		}
	return fv_err(ENOENT);
}

static bool fv_bars_of(unsigned dev)
{
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(fake.bars); i++)
		if (fake.bars[i].va && fake.bars[i].dev == dev)
			return true;
	return false;
}

/* --- /dev/iommu --- */

static struct fv_space *fv_ioas(int fd, uint32_t id)
{
	if (id >= FV_SPACES || !fake.spaces[id].alive || fake.spaces[id].owner != fd)
		return NULL;
	return &fake.spaces[id];
}

static int fv_ranges(struct uapi_ioas_iova_ranges *c)
{
	struct uapi_iova_range *out = (void *)(uintptr_t)c->allowed_iovas;
	unsigned room = c->num_iovas;

	if (fake.growing) {
		uint64_t at = fake.ranges[fake.n_ranges - 1].last;

		/* Another hole near the end. */
		fake.growing--;
		fake.ranges[fake.n_ranges].last = at;
		fake.ranges[fake.n_ranges].start = at - 0xfffff;
		fake.ranges[fake.n_ranges - 1].last = at - 0x200000;
		fake.n_ranges++;
	}
	c->num_iovas = fake.n_ranges;
	c->out_iova_alignment = 4096;
	for (unsigned i = 0; i < weir_min_u(room, fake.n_ranges); i++)
		out[i] = fake.ranges[i];
	return room < fake.n_ranges ? fv_err(EMSGSIZE) : 0;
}

static int fv_map_ioas(int fd, struct uapi_ioas_map *c)
{
	struct fv_space *s = fv_ioas(fd, c->ioas_id);

	if (c->size != sizeof(*c) || c->reserved || !(c->flags & UAPI_MAP_FIXED_IOVA))
		return fv_err(EOPNOTSUPP);
	return s ? fv_add_map(s, c->iova, c->length) : fv_err(ENOENT);
}

static int fv_map_file(int fd, struct uapi_ioas_map_file *c)
{
	struct fv_space *s = fv_ioas(fd, c->ioas_id);
	struct stat st;

	if (fake.no_map_file)
		return fv_err(ENOTTY);
	if (c->size != sizeof(*c) || !(c->flags & UAPI_MAP_FIXED_IOVA))
		return fv_err(EOPNOTSUPP);
	if (fstat(c->fd, &st) || c->start + c->length > (uint64_t)st.st_size)
		return fv_err(EINVAL);
	return s ? fv_add_map(s, c->iova, c->length) : fv_err(ENOENT);
}

static int fv_copy(int fd, struct uapi_ioas_copy *c)
{
	struct fv_space *dst = fv_ioas(fd, c->dst_ioas_id), *src = fv_ioas(fd, c->src_ioas_id);

	if (fake.no_copy)
		return fv_err(EOPNOTSUPP);
	if (c->size != sizeof(*c) || !(c->flags & UAPI_MAP_FIXED_IOVA) || !dst || !src)
		return fv_err(EINVAL);
	for (unsigned i = 0; i < src->n_maps; i++) {
		struct fv_map *m = &src->maps[i];

		if (c->src_iova < m->iova || c->src_iova + c->length > m->iova + m->len)
			continue;
		if (fv_add_map(dst, c->dst_iova, c->length))
			return -1;
		dst->maps[dst->n_maps - 1].pin = m->pin;
		return 0;
	}
	return fv_err(ENOENT);
}

#include "fake_vfio_hwpt.h"

static int fv_destroy(int fd, struct uapi_iommu_destroy *c)
{
	struct fv_space *s = fv_ioas(fd, c->id);

	if (c->size == sizeof(*c) && c->id == FV_FAULT)
		return fv_destroy_faults();
	if (c->size == sizeof(*c) && fv_hwpt(fd, c->id))
		return fv_destroy_hwpt(fv_hwpt(fd, c->id));

	if (c->size != sizeof(*c) || !s)
		return fv_err(ENOENT);
	if (s->users) {
		fake.order_faults++;
		return fv_err(EBUSY);
	}
	s->alive = false;
	return 0;
}

static int fv_iommufd(int fd, unsigned long req, void *arg)
{
	struct uapi_ioas_alloc *alloc = arg;
	struct uapi_ioas_unmap *un = arg;
	struct fv_space *s;

	switch (req) {
	case UAPI_IOMMU_IOAS_ALLOC:
		if (alloc->size != sizeof(*alloc) || alloc->flags || fake.no_ioas)
			return fv_err(EOPNOTSUPP);
		fv_new_space(fd, &alloc->out_ioas_id);
		return 0;
	case UAPI_IOMMU_IOAS_IOVA_RANGES:
		if (!fv_ioas(fd, ((struct uapi_ioas_iova_ranges *)arg)->ioas_id))
			return fv_err(ENOENT);
		return fv_ranges(arg);
	case UAPI_IOMMU_IOAS_MAP:
		return fv_map_ioas(fd, arg);
	case UAPI_IOMMU_IOAS_MAP_FILE:
		return fv_map_file(fd, arg);
	case UAPI_IOMMU_IOAS_COPY:
		return fv_copy(fd, arg);
	case UAPI_IOMMU_IOAS_UNMAP:
		s = fv_ioas(fd, un->ioas_id);
		return s && un->size == sizeof(*un) ? fv_del_map(s, un->iova, un->length)
						    : fv_err(ENOENT);
	case UAPI_IOMMU_DESTROY:
		return fv_destroy(fd, arg);
	case UAPI_IOMMU_GET_HW_INFO:
		return fv_hw_info(fd, arg);
	case UAPI_IOMMU_HWPT_INVALIDATE:
		return fv_invalidate(fd, arg);
	case UAPI_IOMMU_FAULT_QUEUE_ALLOC:
		return fv_fault_alloc(arg);
	case UAPI_IOMMU_SET_DIRTY:
		return fv_set_dirty(fd, arg);
	case UAPI_IOMMU_GET_DIRTY:
		return fv_get_dirty(fd, arg);
	case UAPI_IOMMU_HWPT_ALLOC:
		return fv_hwpt_alloc(fd, arg);
	default:
		return fv_container(fd, req, arg);
	}
}

#include "fake_vfio_reset.h"

/* --- a device, reached by cdev or group --- */

static int fv_region(struct fv_dev *d, struct vfio_region_info *r)
{
	unsigned room = r->argsz;

	(void)d;
	if (room < sizeof(*r) || r->index >= VFIO_PCI_NUM_REGIONS)
		return fv_err(EINVAL);
	r->flags = r->cap_offset = 0;
	r->size = 0;
	r->offset = (uint64_t)r->index << 40;
	if (r->index == 7) {
		r->size = sizeof(d->config);
		r->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	}
	if (r->index == 0 || r->index == 3) {
		r->size = r->index ? FV_BAR3 : FV_BAR;
		r->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
			   VFIO_REGION_INFO_FLAG_MMAP;
	}
	if (r->index == 1) /* too small to be mapped */
		*r = (struct vfio_region_info){
			.argsz = r->argsz, .flags = 3, .index = 1, .size = 32, .offset = 1ull << 40
		};
	if (r->index == 3 && fake.blob_len) {
		r->flags |= VFIO_REGION_INFO_FLAG_CAPS;
		if (room < sizeof(*r) + fake.blob_len) {
			r->argsz = (__u32)sizeof(*r) + fake.blob_len;
			return 0;
		}
		memcpy(r + 1, fake.blob, fake.blob_len);
		r->cap_offset = fake.cap_offset;
	}
	return 0;
}

static int fv_set_irqs(struct fv_dev *d, struct vfio_irq_set *s)
{
	bool fds = s->flags & VFIO_IRQ_SET_DATA_EVENTFD;
	unsigned event = s->index - VFIO_PCI_ERR_IRQ_INDEX;

	if (s->argsz != sizeof(*s) + (fds ? s->count * 4 : 0) ||
	    (s->index != VFIO_PCI_MSIX_IRQ_INDEX && event > 1))
		return fv_err(EINVAL);
	/* The error and the request interrupt: one each. */
	if (event <= 1) {
		if (s->start || s->count > 1 || (event == 0 && fake.no_aer))
			return fv_err(EINVAL);
		d->events[event] = fds ? ((int *)s->data)[0] : -1;
		return 0;
	}
	if (!(s->flags & VFIO_IRQ_SET_ACTION_TRIGGER) || s->start + s->count > FV_VECTORS)
		return fv_err(EINVAL);
	for (unsigned i = 0; fds && i < s->count; i++)
		if (fcntl(((int *)s->data)[i], F_GETFD) < 0)
			return fv_err(EBADF);
	d->irqs = fds ? s->count : 0;
	return 0;
}

/* A BAR as a dma-buf; BAR 0 alone can be one. */
static int fv_dmabuf(struct fv_dev *d, struct vfio_device_feature *f)
{
	struct uapi_vfio_dmabuf *b = (void *)f->data;
	int fd;

	(void)d;
	if (fake.no_dmabuf || (f->flags & VFIO_DEVICE_FEATURE_MASK) != UAPI_VFIO_FEATURE_DMABUF)
		return fv_err(ENOTTY);
	if (f->argsz != sizeof(*f) + sizeof(*b) || !(f->flags & VFIO_DEVICE_FEATURE_GET) ||
	    b->nr_ranges != 1 || b->flags || b->open_flags != (O_RDWR | O_CLOEXEC))
		return fv_err(EINVAL);
	if (b->region_index || b->offset + b->length > FV_BAR)
		return fv_err(EINVAL);
	fd = __real_memfd_create("fake-dmabuf", MFD_CLOEXEC);
	assert_true(fd >= 0 && !__real_ftruncate(fd, (off_t)b->length));
	return fd;
}

static int fv_device(struct fv_dev *d, unsigned long req, void *arg)
{
	struct vfio_device_info *info = arg;
	struct vfio_irq_info *irq = arg;

	switch (req) {
	case VFIO_DEVICE_GET_INFO:
		if (info->argsz < offsetof(struct vfio_device_info, num_irqs))
			return fv_err(EINVAL);
		info->flags =
			VFIO_DEVICE_FLAGS_PCI | (fake.no_reset ? 0u : VFIO_DEVICE_FLAGS_RESET);
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return fv_region(d, arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		if (irq->argsz < sizeof(*irq) || irq->index >= VFIO_PCI_NUM_IRQS)
			return fv_err(EINVAL);
		if (irq->index == VFIO_PCI_ERR_IRQ_INDEX && fake.no_aer)
			return fv_err(EINVAL);
		irq->flags = VFIO_IRQ_INFO_EVENTFD;
		irq->count = irq->index == VFIO_PCI_MSIX_IRQ_INDEX ? FV_VECTORS : 1;
		return 0;
	case VFIO_DEVICE_SET_IRQS:
		return fv_set_irqs(d, arg);
	case VFIO_DEVICE_FEATURE:
		return fv_dmabuf(d, arg);
	case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
		return fv_hot_reset_info(d, fake.fds[d->fd].kind == FV_CDEV, arg);
	case VFIO_DEVICE_PCI_HOT_RESET:
		return fv_hot_reset(d, fake.fds[d->fd].kind == FV_CDEV, arg);
	case VFIO_DEVICE_RESET:
		fake.resets++;
		return 0;
	default:
		return fv_err(ENOTTY);
	}
}

static int fv_bind(int fd, struct fv_dev *d, struct uapi_vfio_bind_iommufd *c)
{
	if (c->argsz != sizeof(*c) || c->flags || fake.fds[c->iommufd].kind != FV_IOMMUFD)
		return fv_err(EINVAL);
	if (fake.cdev_refuses)
		return fv_err(EPERM);
	if (d->fd >= 0)
		return fv_err(EBUSY);
	d->fd = fd;
	d->iommufd = c->iommufd;
	c->out_devid = FV_DEVID + (unsigned)(d - fake.devs);
	return 0;
}

static int fv_cdev(int fd, struct fv_dev *d, unsigned long req, void *arg)
{
	if (req == UAPI_VFIO_DEVICE_BIND_IOMMUFD)
		return fv_bind(fd, d, arg);
	/* The kernel lets nothing else through before that. */
	if (d->fd != fd)
		return fv_err(EINVAL);
	if (req == UAPI_VFIO_DEVICE_ATTACH_IOMMUFD_PT)
		return fv_attach(d, arg);
	if (req == UAPI_VFIO_DEVICE_DETACH_IOMMUFD_PT)
		return fv_detach(d, arg);
	return fv_device(d, req, arg);
}

/* --- container and group --- */

static struct fv_space *fv_domain(int fd)
{
	for (unsigned i = 1; i < FV_SPACES; i++)
		if (fake.spaces[i].alive && fake.spaces[i].owner == fd)
			return &fake.spaces[i];
	return NULL;
}

static unsigned fv_groups_in(int container)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(fake.groups); i++)
		n += fake.groups[i].container == container;
	return n;
}

static int fv_info(struct vfio_iommu_type1_info *info)
{
	struct vfio_iommu_type1_info_cap_iova_range *c = (void *)(info + 1);
	struct uapi_ioas_iova_ranges grow = { .num_iovas = 0 };
	unsigned room = info->argsz, need;

	fv_ranges(&grow);
	need = (unsigned)(sizeof(*info) + sizeof(*c) + fake.n_ranges * sizeof(c->iova_ranges[0]));
	info->flags = VFIO_IOMMU_INFO_PGSIZES;
	info->iova_pgsizes = fake.page_sizes;
	info->cap_offset = 0;
	if (fake.no_caps)
		return 0;
	info->flags |= VFIO_IOMMU_INFO_CAPS;
	info->argsz = need;
	if (room < need)
		return 0;
	info->cap_offset = sizeof(*info);
	c->header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	c->header.next = 0;
	c->nr_iovas = fake.n_ranges;
	for (unsigned i = 0; i < fake.n_ranges; i++) {
		c->iova_ranges[i].start = fake.ranges[i].start;
		c->iova_ranges[i].end = fake.ranges[i].last;
	}
	return 0;
}

static bool fv_has_type(uintptr_t type)
{
	if (type == VFIO_NOIOMMU_IOMMU)
		return fake.no_iommu;
	return !fake.no_iommu && (type == VFIO_TYPE1_IOMMU || type == VFIO_TYPE1v2_IOMMU) &&
	       !(type == VFIO_TYPE1v2_IOMMU && fake.no_type1v2);
}

static int fv_container(int fd, unsigned long req, void *arg)
{
	struct vfio_iommu_type1_dma_unmap *un = arg;
	struct vfio_iommu_type1_dma_map *map = arg;
	struct fv_space *s = fv_domain(fd);
	unsigned id;

	switch (req) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return fv_has_type((uintptr_t)arg);
	case VFIO_SET_IOMMU:
		/* Only once a group has entered; a container takes one, IOMMUFD has made its own. */
		if (!fv_groups_in(fd) || !fv_has_type((uintptr_t)arg) ||
		    !s != (fake.fds[fd].kind == FV_CONTAINER))
			return fv_err(EINVAL);
		if (!s)
			fv_new_space(fd, &id)->physical = (uintptr_t)arg == VFIO_NOIOMMU_IOMMU;
		return 0;
	}
	if (!s || s->physical)
		return fv_err(s ? ENOTTY : EINVAL);
	switch (req) {
	case VFIO_IOMMU_GET_INFO:
		return fv_info(arg);
	case VFIO_IOMMU_MAP_DMA:
		if (map->argsz != sizeof(*map) || map->flags & ~3u || !map->flags)
			return fv_err(EINVAL);
		return fv_add_map(s, map->iova, map->size);
	case VFIO_IOMMU_UNMAP_DMA:
		if (un->argsz != sizeof(*un) || un->flags)
			return fv_err(EINVAL);
		return fv_del_map(s, un->iova, un->size);
	default:
		return fv_err(ENOTTY);
	}
}

/* The last group takes the IOMMU and its mappings with it. */
static void fv_leave(struct fv_group *g)
{
	int container = g->container;
	struct fv_space *s = fv_domain(container);

	g->container = -1;
	/* IOMMUFD keeps what it has until its descriptor ends. */
	if (s && !fv_groups_in(container) && fake.fds[container].kind == FV_CONTAINER)
		s->alive = false;
}

static int fv_get_device(unsigned group, const char *name)
{
	struct fv_group *g = &fake.groups[group];
	int fd;

	if (g->container < 0 || !fv_domain(g->container))
		return fv_err(EINVAL);
	for (unsigned i = 0; i < FV_DEVS; i++) {
		struct fv_dev *d = &fake.devs[i];

		if (d->group != group || strcmp(d->name, name))
			continue;
		if (d->fd >= 0)
			return fv_err(EBUSY);
		fd = __real_memfd_create("fake-device", MFD_CLOEXEC);
		assert_true(fd >= 0 && fd < FV_FDS && !__real_ftruncate(fd, 8 << 20));
		fake.fds[fd].kind = FV_DEVICE;
		fake.fds[fd].index = i;
		d->fd = fd;
		return fd;
	}
	return fv_err(ENODEV);
}

static bool fv_group_in_use(unsigned group)
{
	for (unsigned i = 0; i < FV_DEVS; i++)
		if (fake.devs[i].group == group && (fake.devs[i].fd >= 0 || fv_bars_of(i)))
			return true;
	return false;
}

static int fv_enter(struct fv_group *g, int fd)
{
	enum fv_kind kind = fake.fds[fd].kind;
	unsigned id;

	if (g->container >= 0 || (kind != FV_CONTAINER && kind != FV_IOMMUFD))
		return fv_err(EINVAL);
	if (kind == FV_IOMMUFD && !fv_domain(fd))
		fv_new_space(fd, &id);
	g->container = fd;
	return 0;
}

static int fv_group(unsigned index, unsigned long req, void *arg)
{
	struct fv_group *g = &fake.groups[index];
	struct vfio_group_status *st = arg;

	switch (req) {
	case VFIO_GROUP_GET_STATUS:
		if (st->argsz != sizeof(*st))
			return fv_err(EINVAL);
		st->flags = (g->not_viable ? 0u : VFIO_GROUP_FLAGS_VIABLE) |
			    (g->container < 0 ? 0u : VFIO_GROUP_FLAGS_CONTAINER_SET);
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		return fv_enter(g, *(int *)arg);
	case VFIO_GROUP_UNSET_CONTAINER:
		if (g->container < 0 || fake.unset_fails)
			return fv_err(EINVAL);
		if (fv_group_in_use(index)) {
			fake.order_faults++;
			return fv_err(EBUSY);
		}
		fv_leave(g);
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return fv_get_device(index, arg);
	default:
		return fv_err(ENOTTY);
	}
}

#endif
