/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transport: vhost-vdpa, "vdpa:/dev/vhost-vdpa-N". The kernel passes on to a device what a driver
 * does with registers; rings, doorbells and interrupts are the device's own. Where the device can
 * tell address spaces apart, the control queue gets one to itself, so that nothing else in it can be
 * reached by whoever serves that queue.
 */
#include "nics/virtio/virtio.h"

#include <linux/vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef VHOST_VDPA_GET_VRING_SIZE
#define VHOST_VDPA_GET_VRING_SIZE _IOWR(VHOST_VIRTIO, 0x82, struct vhost_vring_state)
#endif

#define MAX_RINGS (2 * WEIR_MAX_QUEUES + 1)
#define MAX_CALLS (1 + WEIR_MAX_QUEUES)
/* Room for the control queue: a ring of 8 and one command. */
#define CTRL_ARENA 16384

/**
 * struct virtio_vdpa - transport
 * @t: common part, first
 * @o: options
 * @d: device; @fd: of it
 * @n_vqs: virtqueues; @max_size: of any
 * @ctrl_as: address space of the control queue, NULL without
 * @ctrl_asid: its number
 * @kick: eventfds; @bell: doorbells, mapped; by slot
 * @ring: number of the virtqueue in a slot; @n_rings: slots in use
 * @call: eventfds of vectors, @n_call of them
 */
struct virtio_vdpa {
	struct virtio_transport t;
	struct vhost_opts o;
	struct weir_iodev *d;
	int fd;
	uint32_t n_vqs;
	uint16_t max_size;
	struct weir_ioas *ctrl_as;
	uint32_t ctrl_asid;
	int kick[MAX_RINGS];
	void *bell[MAX_RINGS];
	unsigned ring[MAX_RINGS];
	unsigned n_rings;
	int call[MAX_CALLS];
	unsigned n_call;
};

static struct virtio_vdpa *to_vdpa(struct virtio_transport *t)
{
	return weir_container_of(t, struct virtio_vdpa, t);
}

static int vdpa_ioctl(struct virtio_vdpa *v, unsigned long req, void *arg)
{
	int r;

	do
		r = ioctl(v->fd, req, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int failed(struct virtio_vdpa *v, int err, const char *what)
{
	return weir_fail(v->t.w, err, "vdpa", "%s: %s: %s", v->t.name, what, weir_strerror(err));
}

static int set_state(struct virtio_vdpa *v, unsigned long req, unsigned index, unsigned num,
		     const char *what)
{
	struct vhost_vring_state s = { .index = index, .num = num };
	int err = vdpa_ioctl(v, req, &s);

	return err ? failed(v, err, what) : 0;
}

/* --- operations --- */

static int vdpa_status(struct virtio_transport *t)
{
	uint8_t s = 0;
	int err = vdpa_ioctl(to_vdpa(t), VHOST_VDPA_GET_STATUS, &s);

	return err ? err : s;
}

static void vdpa_set_status(struct virtio_transport *t, uint8_t status)
{
	int err = vdpa_ioctl(to_vdpa(t), VHOST_VDPA_SET_STATUS, &status);

	/* What was not set is seen by the driver, which reads it. */
	if (err)
		weir_debug(t->w, "%s: status 0x%02x: %s", t->name, status, weir_strerror(err));
}

static void forget_rings(struct virtio_vdpa *v)
{
	while (v->n_rings) {
		v->n_rings--;
		if (v->bell[v->n_rings])
			munmap(v->bell[v->n_rings], (size_t)sysconf(_SC_PAGESIZE));
		close(v->kick[v->n_rings]);
	}
}

/* The kernel returns from it once the device has been reset. */
static int vdpa_reset(struct virtio_transport *t)
{
	struct virtio_vdpa *v = to_vdpa(t);
	uint8_t zero = 0;
	int err = vdpa_ioctl(v, VHOST_VDPA_SET_STATUS, &zero);

	if (err)
		return failed(v, err, "reset");
	forget_rings(v);
	return 0;
}

static int vdpa_features(struct virtio_transport *t, uint64_t *features)
{
	struct virtio_vdpa *v = to_vdpa(t);
	int err = vdpa_ioctl(v, VHOST_GET_FEATURES, features);

	if (err)
		return failed(v, err, "features it offers");
	*features &= ~v->o.masked;
	return 0;
}

static int group_of(struct virtio_vdpa *v, unsigned index)
{
	struct vhost_vring_state s = { .index = index };
	int err = vdpa_ioctl(v, VHOST_VDPA_GET_VRING_GROUP, &s);

	return err ? err : (int)s.num;
}

/* Return: number of a group that no queue of packets is in, or negative errno. */
static int own_group(struct virtio_vdpa *v, unsigned index)
{
	int group = group_of(v, index), packets = group_of(v, 0);

	if (group < 0 || packets < 0)
		return group < 0 ? group : packets;
	return group == packets ? -EINVAL : group;
}

/* A reset puts all groups into space 0. */
static int assign_ctrl(struct virtio_vdpa *v, unsigned index)
{
	int group = own_group(v, index);

	if (group < 0)
		return failed(v, group, "group of the control queue");
	return set_state(v, VHOST_VDPA_SET_GROUP_ASID, (unsigned)group, v->ctrl_asid,
			 "address space of the control queue");
}

static int vdpa_set_features(struct virtio_transport *t, uint64_t features)
{
	struct virtio_vdpa *v = to_vdpa(t);
	int err = vdpa_ioctl(v, VHOST_SET_FEATURES, &features);

	return err ? failed(v, err, "features") : 0;
}

static int vdpa_config_read(struct virtio_transport *t, unsigned off, void *buf, unsigned len)
{
	/* struct vhost_vdpa_config, whose end is open, with room */
	struct {
		__u32 off, len;
		uint8_t data[64];
	} c = { .off = off, .len = len };
	int err;

	if (len > sizeof(c.data))
		return -EINVAL;
	err = vdpa_ioctl(to_vdpa(t), VHOST_VDPA_GET_CONFIG, &c);
	memcpy(buf, c.data, len);
	return err;
}

static unsigned vdpa_queue_size(struct virtio_transport *t, unsigned index)
{
	struct virtio_vdpa *v = to_vdpa(t);
	struct vhost_vring_state s = { .index = index };

	if (index >= v->n_vqs)
		return 0;
	/* Each queue's own size where the kernel tells it (Linux 6.10). */
	if (!vdpa_ioctl(v, VHOST_VDPA_GET_VRING_SIZE, &s) && s.num && s.num <= v->max_size)
		return s.num;
	return v->max_size;
}

/* Where the device's doorbell can be mapped, it is written to; else an eventfd is. */
static void map_bell(struct virtio_vdpa *v, unsigned slot)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_WRITE, MAP_SHARED, v->fd, (off_t)(v->ring[slot] * page));

	v->bell[slot] = p == MAP_FAILED ? NULL : p;
}

static int set_fd(struct virtio_vdpa *v, unsigned long req, unsigned index, int fd,
		  const char *what)
{
	struct vhost_vring_file f = { .index = index, .fd = fd };
	int err = vdpa_ioctl(v, req, &f);

	return err ? failed(v, err, what) : 0;
}

static int new_ring(struct virtio_vdpa *v, unsigned index)
{
	int fd;

	if (v->n_rings == MAX_RINGS)
		return -ENOSPC;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return failed(v, -errno, "eventfd");
	v->kick[v->n_rings] = fd;
	v->ring[v->n_rings] = index;
	map_bell(v, v->n_rings);
	v->n_rings++;
	return 0;
}

/* Which queue is the control queue depends on what was negotiated (5.1.2); its memory does not. */
static bool is_ctrl(const struct virtio_transport *t, const void *ring)
{
	struct weir_arena_info i;

	if (!t->ctrl_arena)
		return false;
	i = weir_arena_info(t->ctrl_arena);
	return (uintptr_t)ring - (uintptr_t)i.base < i.size;
}

/* A packed ring starts at position 0 with both wrap counters set. */
#define PACKED_BASE 0x80008000u

static int vdpa_queue_enable(struct virtio_transport *t, const struct virtio_queue_conf *qc,
			     volatile void **doorbell)
{
	struct virtio_vdpa *v = to_vdpa(t);
	bool ctrl = is_ctrl(t, qc->desc);
	const struct weir_dma *dma = ctrl ? &t->ctrl_dma : &t->dma;
	struct vhost_vring_addr a = {
		.index = qc->index,
		.desc_user_addr = weir_dma_iova(dma, qc->desc),
		.avail_user_addr = weir_dma_iova(dma, qc->driver),
		.used_user_addr = weir_dma_iova(dma, qc->device),
	};
	int call = qc->vector < v->n_call ? v->call[qc->vector] : -1;
	int err = ctrl ? assign_ctrl(v, qc->index) : 0;

	if (!err)
		err = set_state(v, VHOST_SET_VRING_NUM, qc->index, qc->size, "ring size");
	if (!err)
		err = set_state(v, VHOST_SET_VRING_BASE, qc->index, qc->packed ? PACKED_BASE : 0,
				"ring position");
	if (!err && vdpa_ioctl(v, VHOST_SET_VRING_ADDR, &a))
		err = failed(v, -errno, "ring addresses");
	if (!err)
		err = new_ring(v, qc->index);
	if (!err)
		err = set_fd(v, VHOST_SET_VRING_CALL, qc->index, call, "call eventfd");
	if (!err)
		err = set_fd(v, VHOST_SET_VRING_KICK, qc->index, v->kick[v->n_rings - 1],
			     "kick eventfd");
	if (!err)
		err = set_state(v, VHOST_VDPA_SET_VRING_ENABLE, qc->index, 1, "ring enable");
	*doorbell = err ? NULL : v->bell[v->n_rings - 1];
	return err;
}

static void vdpa_kick(struct virtio_transport *t, unsigned index)
{
	struct virtio_vdpa *v = to_vdpa(t);

	for (unsigned i = 0; i < v->n_rings; i++)
		if (v->ring[i] == index)
			eventfd_write(v->kick[i], 1);
}

/*
 * Off: a device that can be suspended leaves its rings in order first; either way the reset that came
 * before ended all DMA.
 */
static int vdpa_set_dma(struct virtio_transport *t, bool on)
{
	(void)t;
	(void)on;
	return 0;
}

/* What it is doing is finished, and the rings stand still, before it is reset. */
static void vdpa_suspend(struct virtio_transport *t)
{
	vdpa_ioctl(to_vdpa(t), VHOST_VDPA_SUSPEND, NULL);
}

static int vdpa_max_vectors(struct virtio_transport *t)
{
	(void)t;
	return MAX_CALLS;
}

static int vdpa_vectors(struct virtio_transport *t, unsigned n)
{
	struct virtio_vdpa *v = to_vdpa(t);
	int none = -1;

	if (!n)
		vdpa_ioctl(v, VHOST_VDPA_SET_CONFIG_CALL, &none);
	while (v->n_call)
		close(v->call[--v->n_call]);
	for (; v->n_call < n && n <= MAX_CALLS; v->n_call++) {
		v->call[v->n_call] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (v->call[v->n_call] < 0)
			return failed(v, -errno, "eventfd");
	}
	return 0;
}

static int vdpa_vector_fd(struct virtio_transport *t, unsigned i)
{
	struct virtio_vdpa *v = to_vdpa(t);

	return i < v->n_call ? v->call[i] : -EINVAL;
}

static int vdpa_config_vector(struct virtio_transport *t, uint16_t vector)
{
	struct virtio_vdpa *v = to_vdpa(t);
	int err = vector < v->n_call ? vdpa_ioctl(v, VHOST_VDPA_SET_CONFIG_CALL, &v->call[vector])
				     : -EINVAL;

	return err ? failed(v, err, "configuration interrupt") : 0;
}

static void vdpa_close(struct virtio_transport *t)
{
	struct virtio_vdpa *v = to_vdpa(t);
	struct weir_ioas *as = v->ctrl_as;

	forget_rings(v);
	if (v->d)
		vdpa_vectors(t, 0);
	weir_iodev_close(v->d);
	/* Its arena takes its mapping along. */
	weir_arena_destroy(t->ctrl_arena);
	if (as)
		weir_ioas_destroy(as);
	vhost_opts_free(&v->o);
	free(v);
}

static const struct virtio_transport_ops virtio_vdpa_ops = {
	.reset = vdpa_reset,
	.status = vdpa_status,
	.set_status = vdpa_set_status,
	.features = vdpa_features,
	.set_features = vdpa_set_features,
	.config_read = vdpa_config_read,
	.queue_size = vdpa_queue_size,
	.queue_enable = vdpa_queue_enable,
	.kick = vdpa_kick,
	.set_dma = vdpa_set_dma,
	.suspend = vdpa_suspend,
	.max_vectors = vdpa_max_vectors,
	.vectors = vdpa_vectors,
	.vector_fd = vdpa_vector_fd,
	.config_vector = vdpa_config_vector,
	.close = vdpa_close,
};

/* --- opening --- */

static int open_device(struct virtio_vdpa *v, struct weir_iommu *iommu,
		       const struct weir_port_open_opts *opts)
{
	struct weir_ioas *as = opts->ioas;
	char dev[4096];
	int err;

	snprintf(dev, sizeof(dev), "vdpa:%s", v->o.path);
	err = weir_iodev_open(iommu, dev, opts->mode, &v->d);
	if (err)
		return err;
	v->fd = weir_iodev_fd(v->d);
	if (!as)
		err = weir_ioas_default(iommu, WEIR_MODE_VDPA, &as);
	if (!err)
		err = weir_iodev_attach(v->d, as);
	return err ? err : weir_ioas_map_arenas(as, &v->t.dma);
}

static int ask_queues(struct virtio_vdpa *v)
{
	int err = vdpa_ioctl(v, VHOST_VDPA_GET_VRING_NUM, &v->max_size);

	if (!err)
		err = vdpa_ioctl(v, VHOST_VDPA_GET_VQS_COUNT, &v->n_vqs);
	if (err)
		return failed(v, err, "number and size of its queues");
	if (v->n_vqs < 2 || v->n_vqs > 65536)
		return failed(v, -EINVAL, "number of its queues");
	return 0;
}

/*
 * A space of its own for the control queue, when it is in a group of its own: whichever it will be,
 * the third queue (a pair in use) or the last one.
 */
static int isolate_ctrl(struct virtio_vdpa *v, struct weir_iommu *iommu)
{
	char why[WEIR_WHY_LEN];
	int err;

	if (v->n_vqs % 2 == 0 || weir_iodev_pasid_bits(v->d, why) < 1 || own_group(v, 2) < 0 ||
	    own_group(v, v->n_vqs - 1) < 0)
		return 0;
	err = weir_arena_create(v->t.w, CTRL_ARENA, WEIR_NODE_ANY,
				WEIR_ARENA_SMALL_PAGES | WEIR_ARENA_PRIVATE, &v->t.ctrl_arena);
	if (!err)
		err = weir_ioas_create(iommu, WEIR_MODE_VDPA, &v->ctrl_as);
	if (!err)
		err = weir_iodev_pasid_attach(v->d, v->ctrl_as, &v->ctrl_asid);
	if (!err)
		err = weir_ioas_map_arena(v->ctrl_as, v->t.ctrl_arena, &v->t.ctrl_dma);
	if (!err)
		weir_info(v->t.w, "%s: the control queue has address space %u to itself", v->t.name,
			  v->ctrl_asid);
	return err;
}

int virtio_vdpa_open(struct weir_iommu *iommu, const char *name, const char *rest,
		     const struct weir_port_open_opts *opts, struct virtio_transport **out)
{
	struct virtio_vdpa *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	v->fd = -1;
	v->t.ops = &virtio_vdpa_ops;
	v->t.w = weir_iommu_handle(iommu);
	v->t.node = WEIR_NODE_ANY;
	v->t.translated = true;
	err = vhost_opts_parse(v->t.w, name, rest, &v->o);
	if (!err) {
		v->t.name = v->o.name;
		err = open_device(v, iommu, opts);
	}
	if (!err)
		err = ask_queues(v);
	if (!err)
		err = isolate_ctrl(v, iommu);
	if (err) {
		vdpa_close(&v->t);
		return err;
	}
	*out = &v->t;
	return 0;
}
