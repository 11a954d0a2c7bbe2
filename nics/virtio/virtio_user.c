/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transport: vhost-user, front end. The device is another process, reached over a UNIX socket; it
 * maps our arenas by their memfds, and sees memory at our own addresses. A back end that goes away
 * may come back: the connection is looked after on the control path.
 */
#include "nics/virtio/virtio_user.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* In server mode: how long opening waits for the back end to connect. */
#ifndef USER_ACCEPT_US
#define USER_ACCEPT_US 15000000
#endif
#define ACCEPT_POLL_US 2000

/* Connections that break in their first messages, when a port is opened. */
#ifndef HANDSHAKE_TRIES
#define HANDSHAKE_TRIES 3
#endif

/* Features that are the rings' and the headers', between the driver and the back end. */
#define FEATURES_PASSED                                                                           \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MRG_RXBUF |                   \
	 VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED | VIRTIO_F_IN_ORDER | \
	 VIRTIO_F_ORDER_PLATFORM)
/* Features that the front end itself serves. */
#define FEATURES_OWN (VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS)

#define PROTOCOL_WANTED                                                               \
	(VHOST_PROTOCOL_F_MQ | VHOST_PROTOCOL_F_REPLY_ACK | VHOST_PROTOCOL_F_CONFIG | \
	 VHOST_PROTOCOL_F_INFLIGHT | VHOST_PROTOCOL_F_RESET_DEVICE | VHOST_PROTOCOL_F_STATUS)

static struct virtio_user *to_user(struct virtio_transport *t)
{
	return weir_container_of(t, struct virtio_user, t);
}

/* --- connection --- */

/* The back end's address and nothing else: link and queue pairs are ours to know. */
static int read_config(struct virtio_user *u)
{
	const unsigned want = offsetof(struct vhost_config, data) + sizeof(u->mac);
	struct vhost_msg m = { .req = VHOST_USER_GET_CONFIG,
			       .size = want,
			       .config = { .offset = VIRTIO_NET_CFG_MAC, .size = sizeof(u->mac) } };
	struct virtio_user_answer a = { .max = want };
	struct vhost_config c;
	int err;

	if (!(u->protocol & VHOST_PROTOCOL_F_CONFIG) || !(u->backend & VIRTIO_NET_F_MAC) ||
	    u->has_mac)
		return 0;
	err = virtio_user_ask(u, &m, &a);
	/* An empty answer means that there is none. */
	if (err || !a.m.size)
		return err;
	c = a.m.config;
	if (a.m.size != want || c.offset != m.config.offset || c.size != m.config.size)
		return virtio_user_nonsense(
			u, m.req,
			"expected %u bytes from %u on (payload %u), got %u from %u on (%u)",
			m.config.size, m.config.offset, want, c.size, c.offset, a.m.size);
	memcpy(u->mac, c.data, sizeof(u->mac));
	u->has_mac = !(u->mac[0] & 1);
	return 0;
}

static int read_pairs(struct virtio_user *u, uint64_t *pairs)
{
	int err = 0;

	*pairs = 1;
	if (u->protocol & VHOST_PROTOCOL_F_MQ)
		err = virtio_user_get(u, VHOST_USER_GET_QUEUE_NUM, pairs);
	if (err)
		return err;
	if (!*pairs || *pairs > VHOST_MAX_PAIRS)
		return virtio_user_nonsense(u, VHOST_USER_GET_QUEUE_NUM,
					    "expected 1 to %u queue pairs, got %llu",
					    VHOST_MAX_PAIRS, (unsigned long long)*pairs);
	*pairs = weir_min_u((unsigned)*pairs, u->o.pairs ? u->o.pairs : WEIR_MAX_QUEUES);
	return 0;
}

static int handshake(struct virtio_user *u)
{
	uint64_t pairs = 1, wanted = PROTOCOL_WANTED;
	int err;

	if (!u->o.inflight)
		wanted &= ~VHOST_PROTOCOL_F_INFLIGHT;
	u->protocol = 0;
	err = virtio_user_get(u, VHOST_USER_GET_FEATURES, &u->backend);
	if (!err && (u->backend & VHOST_USER_F_PROTOCOL_FEATURES)) {
		uint64_t offered;

		err = virtio_user_get(u, VHOST_USER_GET_PROTOCOL_FEATURES, &offered);
		if (!err)
			err = virtio_user_set(u, VHOST_USER_SET_PROTOCOL_FEATURES,
					      offered & wanted);
		if (!err)
			u->protocol = offered & wanted;
	}
	if (!err)
		err = read_pairs(u, &pairs);
	if (!err) {
		struct vhost_msg m = { .req = VHOST_USER_SET_OWNER };

		err = virtio_user_tell(u, &m, NULL, 0);
	}
	if (!err)
		err = read_config(u);
	if (!err && pairs < u->pairs) {
		virtio_user_drop(u, "vhost-user-changed", "GET_QUEUE_NUM",
				 "the back end has fewer queues than the one before it");
		return -ENOTCONN;
	}
	u->pairs = u->pairs ? u->pairs : (unsigned)pairs;
	return err;
}

/* Try once to have a connection; on failure, which -EAGAIN is not, there is none. */
static int attach(struct virtio_user *u)
{
	int err;

	if (u->sock < 0) {
		int fd = u->listener >= 0 ? vhost_accept(u->listener) : vhost_connect(u->o.path);

		if (fd < 0)
			return fd;
		u->sock = fd;
		u->track_new = false;
		if (u->sliced)
			u->end = weir_deadline_us(USER_TIMEOUT_US);
	}
	err = handshake(u);
	if (err == -EAGAIN)
		return err;
	if (err)
		virtio_user_drop(u, "vhost-user-refused", "first messages",
				 virtio_user_reason(err));
	u->ready = !err;
	virtio_user_done(u);
	return err;
}

static int first_connection(struct virtio_user *u)
{
	struct weir_deadline end = weir_deadline_us(USER_ACCEPT_US);
	unsigned tries = 0;
	int err;

	if (u->o.server) {
		u->listener = vhost_listen(u->o.path);
		if (u->listener < 0)
			return weir_fail(u->t.w, u->listener, "no-socket",
					 "%s: cannot listen there: %s", u->t.name,
					 weir_strerror(u->listener));
	}
	virtio_user_begin(u, true);
	err = attach(u);
	/* One that is just starting may close a first connection again. */
	while ((err == -EAGAIN && !weir_deadline_passed(end)) ||
	       (err == -ENOTCONN && tries++ != HANDSHAKE_TRIES)) {
		weir_sleep_us(err == -EAGAIN ? ACCEPT_POLL_US : USER_RETRY_FIRST_MS * 10000);
		/* The time for messages begins when there is somebody to send them to. */
		if (err == -EAGAIN)
			virtio_user_begin(u, true);
		err = attach(u);
	}
	if (!err)
		return 0;
	if (err == -EAGAIN)
		return weir_fail(u->t.w, ETIMEDOUT, "no-socket",
				 "%s: no back end has connected within %u s", u->t.name,
				 USER_ACCEPT_US / 1000000);
	return weir_fail(u->t.w, err, "no-socket",
			 "%s: the back end cannot be reached: %s; start it first, or, where it is "
			 "the one that connects, add server=on",
			 u->t.name, weir_strerror(err));
}

static int user_service(struct virtio_transport *t)
{
	struct virtio_user *u = to_user(t);
	int r;

	if (!u->ready)
		return -ENOTCONN;
	r = vhost_peek(u->sock);
	if (r < 0)
		virtio_user_drop(u, "vhost-user-lost", "connection", virtio_user_reason(-ENOTCONN));
	else if (r > 0)
		virtio_user_drop(u, "vhost-user-protocol", "connection",
				 "a message that nobody asked for");
	return r ? -ENOTCONN : 0;
}

static int user_reconnect(struct virtio_transport *t)
{
	struct virtio_user *u = to_user(t);
	uint64_t now = weir_now_ns();
	unsigned wait = u->retry_ms;
	int err;

	if (u->ready)
		return 0;
	if (u->sock < 0 && now < u->retry_at)
		return -EAGAIN;
	err = attach(u);
	if (!err) {
		u->retry_ms = USER_RETRY_FIRST_MS;
		return 0;
	}
	/* Twice as long each time (one that was dropped counts); whoever waits for one need not hurry. */
	if (err != -EAGAIN) {
		u->retry_at = now + wait * 1000000ull;
		u->retry_ms = weir_min_u(2 * wait, USER_RETRY_MOST_MS);
	}
	return err;
}

static void user_begin(struct virtio_transport *t, bool whole)
{
	virtio_user_begin(to_user(t), whole);
}

static bool user_unfinished(struct virtio_transport *t)
{
	struct virtio_user *u = to_user(t);

	if (u->paused)
		return true;
	virtio_user_done(u);
	return false;
}

static void user_disconnect(struct virtio_transport *t, const char *why)
{
	struct virtio_user *u = to_user(t);

	virtio_user_drop(u, "vhost-user-changed", "connection", why);
	u->retry_at += USER_RETRY_MOST_MS * 1000000ull;
}

/* --- operations --- */

static void stop_ring(struct virtio_user *u, unsigned index)
{
	struct vhost_msg m = { .req = VHOST_USER_GET_VRING_BASE,
			       .size = sizeof(m.num),
			       .num = { .index = index } };
	struct virtio_user_answer a = { .min = sizeof(m.num), .max = sizeof(m.num) };

	if (u->backend & VHOST_USER_F_PROTOCOL_FEATURES)
		virtio_user_num(u, VHOST_USER_SET_VRING_ENABLE, index, 0);
	/* The answer says that the back end has let go of the ring. */
	if (!virtio_user_ask(u, &m, &a) && a.m.num.index != index)
		virtio_user_nonsense(u, m.req, "expected ring %u, got %u", index, a.m.num.index);
}

/* A back end that is gone, or does not answer and is cut off, is as good as reset. */
static int user_reset(struct virtio_transport *t)
{
	struct virtio_user *u = to_user(t);
	uint32_t rings = u->started;

	for (unsigned i = 0; i < USER_MAX_RINGS && u->sock >= 0; i++)
		if (rings & 1u << i)
			stop_ring(u, i);
	u->started = 0;
	if (rings && u->sock >= 0 && (u->protocol & VHOST_PROTOCOL_F_RESET_DEVICE)) {
		struct vhost_msg m = { .req = VHOST_USER_RESET_DEVICE };

		virtio_user_tell(u, &m, NULL, 0);
	}
	t->ops->set_status(t, 0);
	return 0;
}

static int user_status(struct virtio_transport *t)
{
	return to_user(t)->status;
}

static void user_set_status(struct virtio_transport *t, uint8_t status)
{
	struct virtio_user *u = to_user(t);
	uint64_t got;

	u->status = status;
	if (u->sock < 0 || !(u->protocol & VHOST_PROTOCOL_F_STATUS))
		return;
	if (virtio_user_set(u, VHOST_USER_SET_STATUS, status))
		return;
	/* Only here the device has a say. */
	if (!(status & VIRTIO_STATUS_FEATURES_OK) || status & VIRTIO_STATUS_DRIVER_OK ||
	    virtio_user_get(u, VHOST_USER_GET_STATUS, &got))
		return;
	if (got > UINT8_MAX)
		virtio_user_nonsense(u, VHOST_USER_GET_STATUS, "expected eight bits, got 0x%llx",
				     (unsigned long long)got);
	if (!(got & VIRTIO_STATUS_FEATURES_OK))
		u->status &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
}

static int user_features(struct virtio_transport *t, uint64_t *features)
{
	struct virtio_user *u = to_user(t);

	*features = (u->backend & FEATURES_PASSED) | VIRTIO_NET_F_STATUS;
	if (u->has_mac)
		*features |= VIRTIO_NET_F_MAC;
	if (u->pairs > 1)
		*features |= VIRTIO_NET_F_MQ;
	*features &= ~u->o.masked;
	return 0;
}

/* Each arena is a region, at the addresses that it has here. */
static int send_memory(struct virtio_user *u)
{
	struct vhost_msg m = { .req = VHOST_USER_SET_MEM_TABLE };
	int fds[VHOST_MAX_REGIONS];

	for (struct weir_arena *a = weir_arena_next(u->t.w, NULL); a;
	     a = weir_arena_next(u->t.w, a)) {
		struct weir_arena_info i = weir_arena_info(a);

		if (i.is_private)
			continue;
		if (m.mem.n == VHOST_MAX_REGIONS)
			return weir_fail(u->t.w, ENOSPC, "vhost-user-maps",
					 "%s: a back end takes %u arenas, there are more",
					 u->t.name, VHOST_MAX_REGIONS);
		fds[m.mem.n] = i.fd;
		m.mem.region[m.mem.n++] = (struct vhost_region){
			.guest_addr = (uintptr_t)i.base,
			.user_addr = (uintptr_t)i.base,
			.size = i.size,
		};
	}
	m.size = (uint32_t)(offsetof(struct vhost_memory, region) +
			    m.mem.n * sizeof(m.mem.region[0]));
	return virtio_user_tell(u, &m, fds, m.mem.n);
}

static int user_set_features(struct virtio_transport *t, uint64_t features)
{
	struct virtio_user *u = to_user(t);
	int err;

	features &= u->backend & ~FEATURES_OWN;
	features |= u->backend & VHOST_USER_F_PROTOCOL_FEATURES;
	err = virtio_user_set(u, VHOST_USER_SET_FEATURES, features);
	return err ? err : send_memory(u);
}

static int user_config_read(struct virtio_transport *t, unsigned off, void *buf, unsigned len)
{
	struct virtio_user *u = to_user(t);
	uint8_t cfg[VIRTIO_NET_CFG_MTU] = { 0 };

	if (off + len > sizeof(cfg))
		return -EINVAL;
	memcpy(cfg + VIRTIO_NET_CFG_MAC, u->mac, sizeof(u->mac));
	cfg[VIRTIO_NET_CFG_STATUS] = u->sock >= 0 ? VIRTIO_NET_S_LINK_UP : 0;
	cfg[VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS] = (uint8_t)u->pairs;
	memcpy(buf, cfg + off, len);
	return 0;
}

static unsigned user_queue_size(struct virtio_transport *t, unsigned index)
{
	return index < 2 * to_user(t)->pairs ? VIRTQ_SIZE_MAX : 0;
}

static int need_kick(struct virtio_user *u, unsigned index)
{
	if (index >= USER_MAX_RINGS)
		return -EINVAL;
	if (u->kick[index] < 0)
		u->kick[index] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return u->kick[index] < 0 ? -errno : 0;
}

static int user_queue_enable(struct virtio_transport *t, const struct virtio_queue_conf *qc,
			     volatile void **doorbell)
{
	struct virtio_user *u = to_user(t);
	struct vhost_msg area = { .req = VHOST_USER_SET_VRING_ADDR,
				  .size = sizeof(area.area),
				  .area = {
					  .index = qc->index,
					  .desc = (uintptr_t)qc->desc,
					  .avail = (uintptr_t)qc->driver,
					  .used = (uintptr_t)qc->device,
				  } };
	int fd = qc->vector < u->n_call ? u->call[qc->vector] : -1;
	int err = need_kick(u, qc->index);

	*doorbell = NULL;
	if (!err)
		err = virtio_user_num(u, VHOST_USER_SET_VRING_NUM, qc->index, qc->size);
	if (!err)
		err = virtio_user_num(u, VHOST_USER_SET_VRING_BASE, qc->index, qc->base);
	if (!err)
		err = virtio_user_tell(u, &area, NULL, 0);
	if (!err)
		err = virtio_user_fd(u, VHOST_USER_SET_VRING_CALL, qc->index, fd);
	if (!err)
		err = virtio_user_fd(u, VHOST_USER_SET_VRING_KICK, qc->index, u->kick[qc->index]);
	if (!err)
		u->started |= 1u << qc->index;
	return err;
}

static void user_kick(struct virtio_transport *t, unsigned index)
{
	eventfd_write(to_user(t)->kick[index], 1);
}

/* Rings are told of one by one and switched on together. */
static int user_set_dma(struct virtio_transport *t, bool on)
{
	struct virtio_user *u = to_user(t);
	int err = 0;

	if (!on || !(u->backend & VHOST_USER_F_PROTOCOL_FEATURES))
		return 0;
	for (unsigned i = 0; i < USER_MAX_RINGS && !err; i++)
		if (u->started & 1u << i)
			err = virtio_user_num(u, VHOST_USER_SET_VRING_ENABLE, i, 1);
	return err;
}

static int user_max_vectors(struct virtio_transport *t)
{
	(void)t;
	return USER_MAX_CALLS;
}

static int user_vectors(struct virtio_transport *t, unsigned n)
{
	struct virtio_user *u = to_user(t);

	while (u->n_call)
		close(u->call[--u->n_call]);
	for (; u->n_call < n && n <= USER_MAX_CALLS; u->n_call++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0)
			return weir_fail(t->w, errno, "eventfd", "%s: no eventfd: %s", t->name,
					 weir_strerror(errno));
		u->call[u->n_call] = fd;
	}
	return 0;
}

static int user_vector_fd(struct virtio_transport *t, unsigned i)
{
	struct virtio_user *u = to_user(t);

	return i < u->n_call ? u->call[i] : -EINVAL;
}

static int user_config_vector(struct virtio_transport *t, uint16_t vector)
{
	(void)t;
	return vector == 0 ? 0 : -EINVAL;
}

static void user_close(struct virtio_transport *t)
{
	struct virtio_user *u = to_user(t);

	if (u->sock >= 0)
		close(u->sock);
	if (u->track >= 0)
		close(u->track);
	if (u->listener >= 0) {
		close(u->listener);
		unlink(u->o.path);
	}
	for (unsigned i = 0; i < USER_MAX_RINGS; i++)
		if (u->kick[i] >= 0)
			close(u->kick[i]);
	user_vectors(t, 0);
	vhost_opts_free(&u->o);
	free(u);
}

static const struct virtio_transport_ops virtio_user_ops = {
	.reset = user_reset,
	.status = user_status,
	.set_status = user_set_status,
	.features = user_features,
	.set_features = user_set_features,
	.config_read = user_config_read,
	.queue_size = user_queue_size,
	.queue_enable = user_queue_enable,
	.kick = user_kick,
	.set_dma = user_set_dma,
	.max_vectors = user_max_vectors,
	.vectors = user_vectors,
	.vector_fd = user_vector_fd,
	.config_vector = user_config_vector,
	.service = user_service,
	.begin = user_begin,
	.reconnect = user_reconnect,
	.unfinished = user_unfinished,
	.disconnect = user_disconnect,
	.resumes = virtio_user_resumes,
	.track = virtio_user_track,
	.close = user_close,
};

int virtio_user_open(struct weir *w, const char *name, const char *rest,
		     struct virtio_transport **out)
{
	struct virtio_user *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->listener = u->sock = u->track = -1;
	for (unsigned i = 0; i < USER_MAX_RINGS; i++)
		u->kick[i] = -1;
	u->t.ops = &virtio_user_ops;
	u->t.w = w;
	u->t.name = name;
	u->t.is_process = true;
	u->t.node = WEIR_NODE_ANY;
	u->t.direct_mq = true;
	/* The back end sees memory where we do. */
	u->t.dma.va_base = weir_window(w).base;
	u->t.dma.iova_base = (weir_iova_t)(uintptr_t)weir_window(w).base;
	u->retry_ms = USER_RETRY_FIRST_MS;
	err = vhost_opts_parse(w, name, rest, &u->o);
	if (!err) {
		u->t.name = u->o.name;
		u->has_mac = u->o.has_mac;
		memcpy(u->mac, u->o.mac, sizeof(u->mac));
		err = first_connection(u);
	}
	if (err) {
		user_close(&u->t);
		return err;
	}
	*out = &u->t;
	return 0;
}
