/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transport: the kernel's own back end, "tap:NAME": a TAP interface, and /dev/vhost-net, which moves
 * packets between it and our rings without a system call each. So any Linux machine has a fast way
 * into its own network stack. A queue pair is a queue of the interface and one opened /dev/vhost-net.
 */
#include "core/file.h"
#include "nics/virtio/virtio.h"

/*
 * What is between the driver and vhost-net. Ahead of <linux/vhost.h>, which brings macros of the same
 * names: there they are the numbers of bits.
 */
static const uint64_t features_passed =
	VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_IN_ORDER | VIRTIO_NET_F_MRG_RXBUF;

#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_CALLS   (1 + WEIR_MAX_QUEUES)
#define MAX_REGIONS 64

/**
 * struct tap_pair - a queue pair
 * @tap: a queue of the interface
 * @vhost: /dev/vhost-net; its vring 0 is what we receive from, 1 what we send to
 * @kick: of each vring
 * @rings: vrings set up, a bit each
 */
struct tap_pair {
	int tap, vhost;
	int kick[2];
	unsigned rings;
};

struct virtio_tap {
	struct virtio_transport t;
	struct vhost_opts o;
	unsigned pairs;
	uint64_t offered;
	uint8_t status;
	struct tap_pair pair[WEIR_MAX_QUEUES];
	int call[MAX_CALLS];
	unsigned n_call;
};

static struct virtio_tap *to_tap(struct virtio_transport *t)
{
	return weir_container_of(t, struct virtio_tap, t);
}

static int failed(struct virtio_tap *v, const char *what)
{
	return weir_fail(v->t.w, errno, "vhost-net", "%s: %s: %s", v->t.name, what,
			 weir_strerror(errno));
}

/* --- operations --- */

static int attach_ring(struct tap_pair *p, unsigned ring, int fd)
{
	struct vhost_vring_file f = { .index = ring, .fd = fd };

	return ioctl(p->vhost, VHOST_NET_SET_BACKEND, &f);
}

/* Without a backend a ring is not looked at any more, once this returns. */
static int tap_reset(struct virtio_transport *t)
{
	struct virtio_tap *v = to_tap(t);

	for (unsigned i = 0; i < v->pairs; i++) {
		for (unsigned r = 0; r < 2; r++)
			if (v->pair[i].rings & 1u << r && attach_ring(&v->pair[i], r, -1))
				return failed(v, "taking a ring back");
		v->pair[i].rings = 0;
	}
	v->status = 0;
	return 0;
}

static int tap_status(struct virtio_transport *t)
{
	return to_tap(t)->status;
}

static void tap_set_status(struct virtio_transport *t, uint8_t status)
{
	to_tap(t)->status = status;
}

static int tap_features(struct virtio_transport *t, uint64_t *features)
{
	struct virtio_tap *v = to_tap(t);

	*features = (v->offered & features_passed) | VIRTIO_NET_F_STATUS;
	if (v->o.has_mac)
		*features |= VIRTIO_NET_F_MAC;
	if (v->pairs > 1)
		*features |= VIRTIO_NET_F_MQ;
	*features &= ~v->o.masked;
	return 0;
}

/* Memory is reached where it is in this process. */
static int set_memory(struct virtio_tap *v, int vhost)
{
	union {
		struct vhost_memory m;
		char room[sizeof(struct vhost_memory) +
			  MAX_REGIONS * sizeof(struct vhost_memory_region)];
	} u = { .m = { 0 } };

	for (struct weir_arena *a = weir_arena_next(v->t.w, NULL); a;
	     a = weir_arena_next(v->t.w, a)) {
		struct weir_arena_info i = weir_arena_info(a);

		if (i.is_private)
			continue;
		if (u.m.nregions == MAX_REGIONS)
			return weir_fail(v->t.w, ENOSPC, "vhost-net",
					 "%s: vhost-net takes %u arenas, there are more", v->t.name,
					 MAX_REGIONS);
		u.m.regions[u.m.nregions++] = (struct vhost_memory_region){
			.guest_phys_addr = (uintptr_t)i.base,
			.userspace_addr = (uintptr_t)i.base,
			.memory_size = i.size,
		};
	}
	return ioctl(vhost, VHOST_SET_MEM_TABLE, &u.m) ? failed(v, "memory") : 0;
}

static int tap_set_features(struct virtio_transport *t, uint64_t features)
{
	struct virtio_tap *v = to_tap(t);
	int err = 0;

	features &= v->offered & features_passed;
	for (unsigned i = 0; i < v->pairs && !err; i++) {
		if (ioctl(v->pair[i].vhost, VHOST_SET_FEATURES, &features))
			return failed(v, "features");
		err = set_memory(v, v->pair[i].vhost);
	}
	return err;
}

static int tap_config_read(struct virtio_transport *t, unsigned off, void *buf, unsigned len)
{
	struct virtio_tap *v = to_tap(t);
	uint8_t cfg[VIRTIO_NET_CFG_MTU] = { 0 };

	if (off + len > sizeof(cfg))
		return -EINVAL;
	memcpy(cfg + VIRTIO_NET_CFG_MAC, v->o.mac, sizeof(v->o.mac));
	cfg[VIRTIO_NET_CFG_STATUS] = VIRTIO_NET_S_LINK_UP;
	cfg[VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS] = (uint8_t)v->pairs;
	memcpy(buf, cfg + off, len);
	return 0;
}

static unsigned tap_queue_size(struct virtio_transport *t, unsigned index)
{
	return index < 2 * to_tap(t)->pairs ? VIRTQ_SIZE_MAX : 0;
}

static int set_fd(struct virtio_tap *v, int vhost, unsigned long req, unsigned ring, int fd)
{
	struct vhost_vring_file f = { .index = ring, .fd = fd };

	return ioctl(vhost, req, &f) ? failed(v, "eventfd of a ring") : 0;
}

static int tap_queue_enable(struct virtio_transport *t, const struct virtio_queue_conf *qc,
			    volatile void **doorbell)
{
	struct virtio_tap *v = to_tap(t);
	struct tap_pair *p = &v->pair[qc->index / 2];
	unsigned ring = qc->index % 2;
	struct vhost_vring_state num = { .index = ring, .num = qc->size };
	struct vhost_vring_state base = { .index = ring };
	struct vhost_vring_addr addr = { .index = ring,
					 .desc_user_addr = (uintptr_t)qc->desc,
					 .avail_user_addr = (uintptr_t)qc->driver,
					 .used_user_addr = (uintptr_t)qc->device };
	int call = qc->vector < v->n_call ? v->call[qc->vector] : -1, err;

	*doorbell = NULL;
	if (ioctl(p->vhost, VHOST_SET_VRING_NUM, &num) ||
	    ioctl(p->vhost, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(p->vhost, VHOST_SET_VRING_ADDR, &addr))
		return failed(v, "setting a ring up");
	err = set_fd(v, p->vhost, VHOST_SET_VRING_CALL, ring, call);
	if (!err)
		err = set_fd(v, p->vhost, VHOST_SET_VRING_KICK, ring, p->kick[ring]);
	if (!err)
		p->rings |= 1u << ring;
	return err;
}

static void tap_kick(struct virtio_transport *t, unsigned index)
{
	eventfd_write(to_tap(t)->pair[index / 2].kick[index % 2], 1);
}

/* With a backend a ring is in use. */
static int tap_set_dma(struct virtio_transport *t, bool on)
{
	struct virtio_tap *v = to_tap(t);

	for (unsigned i = 0; on && i < v->pairs; i++)
		for (unsigned r = 0; r < 2; r++)
			if (v->pair[i].rings & 1u << r &&
			    attach_ring(&v->pair[i], r, v->pair[i].tap))
				return failed(v, "connecting a ring to the interface");
	return 0;
}

static int tap_max_vectors(struct virtio_transport *t)
{
	(void)t;
	return MAX_CALLS;
}

static int tap_vectors(struct virtio_transport *t, unsigned n)
{
	struct virtio_tap *v = to_tap(t);

	while (v->n_call)
		close(v->call[--v->n_call]);
	for (; v->n_call < n && n <= MAX_CALLS; v->n_call++) {
		v->call[v->n_call] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (v->call[v->n_call] < 0)
			return failed(v, "eventfd");
	}
	return 0;
}

static int tap_vector_fd(struct virtio_transport *t, unsigned i)
{
	struct virtio_tap *v = to_tap(t);

	return i < v->n_call ? v->call[i] : -EINVAL;
}

static int tap_config_vector(struct virtio_transport *t, uint16_t vector)
{
	(void)t;
	return vector == 0 ? 0 : -EINVAL;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void tap_close(struct virtio_transport *t)
{
	struct virtio_tap *v = to_tap(t);

	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++) {
		struct tap_pair *p = &v->pair[i];

		close_one(p->vhost);
		close_one(p->tap);
		close_one(p->kick[0]);
		close_one(p->kick[1]);
	}
	tap_vectors(t, 0);
	vhost_opts_free(&v->o);
	free(v);
}

static const struct virtio_transport_ops virtio_tap_ops = {
	.reset = tap_reset,
	.status = tap_status,
	.set_status = tap_set_status,
	.features = tap_features,
	.set_features = tap_set_features,
	.config_read = tap_config_read,
	.queue_size = tap_queue_size,
	.queue_enable = tap_queue_enable,
	.kick = tap_kick,
	.set_dma = tap_set_dma,
	.max_vectors = tap_max_vectors,
	.vectors = tap_vectors,
	.vector_fd = tap_vector_fd,
	.config_vector = tap_config_vector,
	.close = tap_close,
};

/* --- opening --- */

static int open_node(struct virtio_tap *v, const char *node, int *fd)
{
	char path[PATH_MAX];

	weir_path(path, "%s/%s", weir_dev(v->t.w), node);
	*fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (*fd >= 0)
		return 0;
	return weir_fail(v->t.w, errno, "vhost-net",
			 "%s: %s: %s; it needs the modules tun and vhost_net, and rights on both "
			 "nodes (root, or the groups that own them)",
			 v->t.name, path, weir_strerror(errno));
}

/* A frame carries the header of virtio 1.x; the kernel completes checksums and cuts what is long. */
static int open_tap(struct virtio_tap *v, struct tap_pair *p)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int hdr = VIRTIO_NET_HDR_LEN, err = open_node(v, "net/tun", &p->tap);

	if (err)
		return err;
	if (v->pairs > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	strncpy(ifr.ifr_name, v->o.path, IFNAMSIZ - 1);
	if (ioctl(p->tap, TUNSETIFF, &ifr))
		return failed(v, "making the interface");
	if (ioctl(p->tap, TUNSETVNETHDRSZ, &hdr) || ioctl(p->tap, TUNSETOFFLOAD, 0))
		return failed(v, "setting the interface up");
	return 0;
}

static int open_pair(struct virtio_tap *v, struct tap_pair *p)
{
	int err = open_tap(v, p);

	if (!err)
		err = open_node(v, "vhost-net", &p->vhost);
	if (err)
		return err;
	if (ioctl(p->vhost, VHOST_SET_OWNER) || ioctl(p->vhost, VHOST_GET_FEATURES, &v->offered))
		return failed(v, "vhost-net");
	for (unsigned r = 0; r < 2; r++) {
		p->kick[r] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (p->kick[r] < 0)
			return failed(v, "eventfd");
	}
	return 0;
}

static int open_all(struct virtio_tap *v)
{
	int err = 0;

	if (strlen(v->o.path) >= IFNAMSIZ || strchr(v->o.path, '/'))
		return weir_fail(v->t.w, EINVAL, "device-string",
				 "%s: \"%s\" cannot be the name of an interface", v->t.name,
				 v->o.path);
	v->pairs = v->o.pairs ? v->o.pairs : 1;
	for (unsigned i = 0; i < v->pairs && !err; i++)
		err = open_pair(v, &v->pair[i]);
	return err;
}

int virtio_tap_open(struct weir *w, const char *name, const char *rest,
		    struct virtio_transport **out)
{
	struct virtio_tap *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++)
		v->pair[i] = (struct tap_pair){ .tap = -1, .vhost = -1, .kick = { -1, -1 } };
	v->t.ops = &virtio_tap_ops;
	v->t.w = w;
	v->t.node = WEIR_NODE_ANY;
	v->t.direct_mq = true;
	v->t.dma = (struct weir_dma){ .va_base = weir_window(w).base,
				      .iova_base = (weir_iova_t)(uintptr_t)weir_window(w).base };
	err = vhost_opts_parse(w, name, rest, &v->o);
	if (!err) {
		v->t.name = v->o.name;
		err = open_all(v);
	}
	if (err) {
		tap_close(&v->t);
		return err;
	}
	*out = &v->t;
	return 0;
}
