/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front end's connection: one at a time. Each message is checked against the order and the
 * limits of the protocol; what breaks them ends the connection, and the next one may come.
 */
#include "nics/vhost/vhost.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* A message that has begun must be there within this time. Nobody waits for it meanwhile. */
#ifndef VHOST_TIMEOUT_NS
#define VHOST_TIMEOUT_NS 1000000000ull
#endif
/* Messages served in one go: whoever floods us must not keep the caller. */
#define MESSAGES_AT_ONCE 128
/* While nothing runs yet, the next messages are waited for so long in all: start-up takes many. */
#define NEXT_US	 10000
#define RETRY_NS 200000000ull

#define FEATURES                                                                                   \
	(VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MRG_RXBUF |                    \
	 VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED | \
	 VIRTIO_F_IN_ORDER | VHOST_USER_F_PROTOCOL_FEATURES)
#define PROTOCOL                                                                       \
	(VHOST_PROTOCOL_F_MQ | VHOST_PROTOCOL_F_REPLY_ACK | VHOST_PROTOCOL_F_NET_MTU | \
	 VHOST_PROTOCOL_F_RESET_DEVICE | VHOST_PROTOCOL_F_STATUS | VHOST_PROTOCOL_F_INFLIGHT)

static bool is_full(int eventfd)
{
	struct pollfd f = { .fd = eventfd, .events = POLLOUT };

	return poll(&f, 1, 0) >= 0 && !(f.revents & POLLOUT);
}

/*
 * A front end can make an eventfd blocking again and fill it: then a worker hangs in its call, with
 * the ring locked. Nothing that could be written to it in another way would not (eventfds take
 * RWF_NOWAIT for reading only); but taking out what is in there sets the worker free.
 * Return: whether it was full. Nobody counts that far by calls.
 */
bool vhost_ring_unblock(struct vhost_ring *r)
{
	if (r->call < 0 || !is_full(r->call))
		return false;
	vhost_eventfd_drain(r->call);
	return true;
}

void vhost_lock(struct vhost_ring *r)
{
	for (unsigned i = 1; !vhost_try(r); i++) {
		sched_yield();
		if (i % 1024 == 0)
			vhost_ring_unblock(r);
	}
}

/* Never waits, whatever the front end made of the fd's flags. */
void vhost_eventfd_drain(int fd)
{
	uint64_t n;
	struct iovec iov = { .iov_base = &n, .iov_len = sizeof(n) };

	/* Before Linux 5.8 eventfds do not know the flag. */
	if (preadv2(fd, &iov, 1, -1, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP &&
	    !fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		(void)!read(fd, &n, sizeof(n));
}

static unsigned pairs_of(const struct vhost_port *v)
{
	return v->port.conf.n_rxq > v->port.conf.n_txq ? v->port.conf.n_rxq : v->port.conf.n_txq;
}

static uint64_t offered(const struct vhost_port *v)
{
	return (FEATURES | (pairs_of(v) > 1 ? VIRTIO_NET_F_MQ : 0)) & ~v->o.masked;
}

static uint64_t offered_protocol(const struct vhost_port *v)
{
	return PROTOCOL & ~(v->o.inflight ? 0 : VHOST_PROTOCOL_F_INFLIGHT);
}

/* --- rings --- */

static bool ring_areas(const struct vhost_port *v, struct vhost_ring *r)
{
	uint64_t avail = r->packed ? 4 : 6 + 2ull * r->num,
		 used = r->packed ? 4 : 6 + 8ull * r->num;

	r->desc = vhost_mem_user(&v->mem, r->area.desc, 16ull * r->num, 16);
	r->avail = vhost_mem_user(&v->mem, r->area.avail, avail, r->packed ? 4 : 2);
	r->used = vhost_mem_user(&v->mem, r->area.used, used, 4);
	return r->desc && r->avail && r->used;
}

static void count_live(struct vhost_port *v)
{
	unsigned n = 0;

	while (n < pairs_of(v) && v->ring[2 * n].live)
		n++;
	__atomic_store_n(&v->pairs_live, n, __ATOMIC_RELAXED);
}

/* Where a ring starts that was not live until now. */
static void set_position(struct vhost_ring *r)
{
	if (!r->packed) {
		r->next_avail = r->next_used = (uint16_t)r->base;
		return;
	}
	r->next_avail = r->base & 0x7fff;
	r->avail_wrap = r->base >> 15 & 1;
	r->next_used = r->base >> 16 & 0x7fff;
	r->used_wrap = r->base >> 31;
	/* Front ends that tell of one position mean both: nothing was in flight. */
	if (!(r->base >> 16)) {
		r->next_used = r->next_avail;
		r->used_wrap = r->avail_wrap;
	}
}

/* All is there for a ring to be used: from where. Return: false if it cannot be. */
static bool begin_ring(struct vhost_port *v, struct vhost_ring *r)
{
	int err;

	set_position(r);
	if (r->packed && (r->next_avail >= r->size || r->next_used >= r->size))
		return false;
	err = vhost_track_begin(v, r);
	if (err >= 0) {
		r->owed = err > 0;
		return true;
	}
	r->broken = true;
	weir_log(v->port.w, WEIR_LOG_WARN, "vhost-inflight",
		 "%s: ring %u: what the front end has kept of descriptors in flight cannot be "
		 "used: %s; the ring is left alone until it is set up again",
		 v->port.name, (unsigned)(r - v->ring), weir_strerror(err));
	return false;
}

/* Which of the paths: the one that does what has to be done, and no more. */
static enum vhost_path path_of(const struct vhost_port *v, const struct vhost_ring *r)
{
	bool from = (r - v->ring) % 2;
	bool csum =
		from ? v->features & VIRTIO_NET_F_CSUM : v->port.conf.offloads & WEIR_OFF_TX_CSUM;

	return r->track ? VHOST_PATH_EXTRA : csum ? VHOST_PATH_CSUM : VHOST_PATH_PLAIN;
}

/* Whoever sleeps on a queue is to look at its ring. The fd is our own: nobody else can fill it. */
static void wake(struct vhost_port *v, unsigned ring)
{
	if (ring % 2 && ring / 2 < v->port.conf.n_rxq)
		eventfd_write(v->rxq[ring / 2].wake, 1);
}

/* The ring is locked. */
static void update_locked(struct vhost_port *v, struct vhost_ring *r)
{
	bool was = r->live, live;

	r->packed = v->features & VIRTIO_F_RING_PACKED;
	r->mrg = v->features & VIRTIO_NET_F_MRG_RXBUF;
	/* 5.1.6.1: legacy drivers without mergeable buffers have a shorter header. */
	r->hdr_len = r->mrg || v->features & VIRTIO_F_VERSION_1 ? VIRTIO_NET_HDR_LEN : 10;
	r->partial = v->features & VIRTIO_NET_F_GUEST_CSUM;
	r->event = v->features & VIRTIO_F_EVENT_IDX;
	r->mem = &v->mem;
	r->size = (uint16_t)r->num;
	live = r->started && r->enabled && r->num && r->have_area && !r->broken &&
	       (r->packed || weir_is_pow2(r->num)) && ring_areas(v, r);
	if (live && !was)
		live = begin_ring(v, r);
	r->path = path_of(v, r);
	__atomic_store_n(&r->live, live, __ATOMIC_RELAXED);
	/* What it holds may have been kicked for long ago, or not at all. */
	if (live && vhost_ring_arm(r, r->armed))
		wake(v, (unsigned)(r - v->ring));
	/* Where it stands is where it goes on. */
	if (was && !live)
		r->base = r->packed ? r->next_avail | (unsigned)r->avail_wrap << 15 |
					      (unsigned)r->next_used << 16 |
					      (unsigned)r->used_wrap << 31
				    : r->next_avail;
	if (!live)
		vhost_track_end(r);
	if (live && r->owed && r->call >= 0) {
		r->owed = false;
		/* Nobody could set us free, and whoever has it full is woken anyway. */
		if (!is_full(r->call))
			eventfd_write(r->call, 1);
	}
}

void vhost_ring_update(struct vhost_port *v, struct vhost_ring *r)
{
	vhost_lock(r);
	update_locked(v, r);
	vhost_unlock(r);
	count_live(v);
}

static void set_fd(int *place, int fd)
{
	if (*place >= 0)
		close(*place);
	*place = fd;
}

/* The queue's epoll waits for what the front end sends on. */
static void set_kick(struct vhost_port *v, struct vhost_ring *r, int fd)
{
	unsigned index = (unsigned)(r - v->ring);
	struct epoll_event e = { .events = EPOLLIN };
	int epoll = index % 2 && index / 2 < v->port.conf.n_rxq ? v->rxq[index / 2].epoll : -1;

	/* It does not leave by being closed: the front end still has it. */
	if (epoll >= 0 && r->kick >= 0)
		epoll_ctl(epoll, EPOLL_CTL_DEL, r->kick, NULL);
	set_fd(&r->kick, fd);
	if (epoll >= 0 && fd >= 0)
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

/* A worker that finds a ring broken says so before it leaves it: wait for that. */
bool vhost_any_live(struct vhost_port *v)
{
	bool live = false;

	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		vhost_lock(&v->ring[i]);
		live |= v->ring[i].live;
		vhost_unlock(&v->ring[i]);
	}
	return live;
}

void vhost_ring_clear(struct vhost_port *v, struct vhost_ring *r)
{
	vhost_lock(r);
	__atomic_store_n(&r->live, false, __ATOMIC_RELAXED);
	vhost_track_end(r);
	set_kick(v, r, -1);
	set_fd(&r->call, -1);
	r->broken = r->started = r->enabled = r->have_area = false;
	r->num = 0;
	r->base = 0;
	vhost_unlock(r);
}

/* --- messages --- */

/* A ring's number that there is. */
static struct vhost_ring *ring_of(struct vhost_port *v, uint32_t index)
{
	return index < 2 * pairs_of(v) ? &v->ring[index] : NULL;
}

static int set_features(struct vhost_port *v, uint64_t features)
{
	if (features & ~offered(v))
		return -EPROTO;
	/* What a ring's positions and buffers mean is not changed under it. */
	if ((features ^ v->features) & ~VHOST_F_LOG_ALL && vhost_any_live(v))
		return -EPROTO;
	v->features = features;
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		struct vhost_ring *r = &v->ring[i];

		/* Without protocol features a ring is on from the start. */
		if (!(features & VHOST_USER_F_PROTOCOL_FEATURES))
			r->enabled = true;
		vhost_ring_update(v, r);
	}
	return 0;
}

static int set_memory(struct vhost_port *v, const struct vhost_msg *m, const struct vhost_fds *fds)
{
	const struct vhost_memory table = m->mem;
	struct vhost_mem old = v->mem, new;
	int err;

	if (m->size < offsetof(struct vhost_memory, region) ||
	    m->size < offsetof(struct vhost_memory, region) +
			      (uint64_t)m->mem.n * sizeof(m->mem.region[0]))
		return -EPROTO;
	err = vhost_mem_set(v->iommu, &new, &table, fds);
	if (err)
		return weir_fail(v->port.w, err, "vhost-memory",
				 "%s: the front end's memory (%u regions, %u files) cannot be "
				 "mapped: %s",
				 v->port.name, m->mem.n, fds->n, weir_strerror(err));
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		vhost_lock(&v->ring[i]);
	v->mem = new;
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		update_locked(v, &v->ring[i]);
		vhost_unlock(&v->ring[i]);
	}
	count_live(v);
	vhost_mem_clear(&old);
	return 0;
}

/* An eventfd and nothing else: a pipe could block us, or kill us. */
static bool is_eventfd(int fd)
{
	char path[64], text[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	return !strcmp(text, "anon_inode:[eventfd]") && !fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

static int set_eventfd(struct vhost_port *v, const struct vhost_msg *m, struct vhost_fds *fds)
{
	struct vhost_ring *r = ring_of(v, m->u64 & VHOST_VRING_INDEX);
	bool none = m->u64 & VHOST_VRING_NOFD;
	int fd = -1;

	if (!r || fds->n != !none)
		return -EPROTO;
	if (!none && !is_eventfd(fds->fd[0]))
		return -EPROTO;
	if (!none)
		fd = vhost_fds_take(fds, 0);
	if (m->req == VHOST_USER_SET_VRING_ERR) {
		set_fd(&fd, -1);
		return 0;
	}
	vhost_lock(r);
	if (m->req == VHOST_USER_SET_VRING_CALL) {
		set_fd(&r->call, fd);
	} else {
		set_kick(v, r, fd);
		r->started = true;
	}
	update_locked(v, r);
	vhost_unlock(r);
	count_live(v);
	return 0;
}

static int set_num(struct vhost_port *v, struct vhost_ring *r, uint32_t num)
{
	if (!num || num > VIRTQ_SIZE_MAX || r->live)
		return -EPROTO;
	r->num = num;
	vhost_ring_update(v, r);
	return 0;
}

/* SET_VRING_NUM, _BASE, _ENABLE. */
static int set_vring(struct vhost_port *v, const struct vhost_msg *m)
{
	struct vhost_ring *r = ring_of(v, m->num.index);

	if (!r || m->size < sizeof(m->num))
		return -EPROTO;
	if (m->req == VHOST_USER_SET_VRING_NUM)
		return set_num(v, r, m->num.num);
	if (m->req == VHOST_USER_SET_VRING_ENABLE) {
		if (m->num.num > 1)
			return -EPROTO;
		r->enabled = m->num.num;
	} else {
		if (r->live)
			return -EPROTO;
		r->base = m->num.num;
	}
	vhost_ring_update(v, r);
	return 0;
}

static int set_area(struct vhost_port *v, const struct vhost_msg *m)
{
	struct vhost_ring *r = ring_of(v, m->area.index);

	if (!r || m->size < sizeof(m->area))
		return -EPROTO;
	vhost_lock(r);
	r->area = m->area;
	r->have_area = true;
	r->broken = false;
	update_locked(v, r);
	vhost_unlock(r);
	count_live(v);
	return 0;
}

/* Stops the ring; the answer says that nobody looks at it any more, and where it stands. */
static int get_base(struct vhost_port *v, struct vhost_msg *m)
{
	struct vhost_ring *r = ring_of(v, m->num.index);

	if (!r || m->size < sizeof(m->num))
		return -EPROTO;
	vhost_lock(r);
	r->started = false;
	r->broken = false;
	update_locked(v, r);
	set_kick(v, r, -1);
	set_fd(&r->call, -1);
	vhost_unlock(r);
	count_live(v);
	m->num.num = r->base;
	return sizeof(m->num);
}

static int reset_device(struct vhost_port *v)
{
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		vhost_ring_clear(v, &v->ring[i]);
	count_live(v);
	vhost_inflight_clear(v);
	v->status = 0;
	return 0;
}

/* GET_ and SET_INFLIGHT_FD. */
static int inflight(struct vhost_port *v, struct vhost_msg *m, const struct vhost_fds *fds)
{
	struct vhost_inflight d = m->inflight;
	int err;

	if (!(v->protocol & VHOST_PROTOCOL_F_INFLIGHT))
		return -EOPNOTSUPP;
	if (m->size < VHOST_INFLIGHT_LEN)
		return -EPROTO;
	if (m->req == VHOST_USER_SET_INFLIGHT_FD)
		return vhost_inflight_set(v, &d, fds);
	err = vhost_inflight_get(v, &d);
	m->inflight = d;
	return err ? err : (int)weir_min_u(m->size, sizeof(d));
}

static int set_protocol(struct vhost_port *v, uint64_t features)
{
	if (features & ~offered_protocol(v))
		return -EPROTO;
	v->protocol = features;
	return 0;
}

static int get_u64(struct vhost_msg *m, uint64_t value)
{
	m->u64 = value;
	return sizeof(m->u64);
}

/* Requests whose payload is one number. */
static bool takes_number(uint32_t req)
{
	return req == VHOST_USER_SET_FEATURES || req == VHOST_USER_SET_PROTOCOL_FEATURES ||
	       req == VHOST_USER_SET_VRING_KICK || req == VHOST_USER_SET_VRING_CALL ||
	       req == VHOST_USER_SET_VRING_ERR || req == VHOST_USER_SET_STATUS ||
	       req == VHOST_USER_NET_SET_MTU;
}

/* Return: 0; > 0: bytes of answer in @m; -EOPNOTSUPP; other errno: the request failed. */
static int serve(struct vhost_port *v, struct vhost_msg *m, struct vhost_fds *fds)
{
	if (takes_number(m->req) && m->size < sizeof(m->u64))
		return -EPROTO;
	switch (m->req) {
	case VHOST_USER_GET_FEATURES:
		return get_u64(m, offered(v));
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return get_u64(m, offered_protocol(v));
	case VHOST_USER_GET_QUEUE_NUM:
		return get_u64(m, pairs_of(v));
	case VHOST_USER_GET_STATUS:
		return get_u64(m, v->status);
	case VHOST_USER_SET_FEATURES:
		return set_features(v, m->u64);
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		return set_protocol(v, m->u64);
	case VHOST_USER_SET_MEM_TABLE:
		return set_memory(v, m, fds);
	case VHOST_USER_SET_VRING_NUM:
	case VHOST_USER_SET_VRING_BASE:
	case VHOST_USER_SET_VRING_ENABLE:
		return set_vring(v, m);
	case VHOST_USER_SET_VRING_ADDR:
		return set_area(v, m);
	case VHOST_USER_GET_VRING_BASE:
		return get_base(v, m);
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		return set_eventfd(v, m, fds);
	case VHOST_USER_GET_INFLIGHT_FD:
	case VHOST_USER_SET_INFLIGHT_FD:
		return inflight(v, m, fds);
	case VHOST_USER_SET_STATUS:
		v->status = (uint8_t)m->u64;
		return 0;
	case VHOST_USER_RESET_DEVICE:
		return reset_device(v);
	case VHOST_USER_SET_OWNER:
	case VHOST_USER_RESET_OWNER:
	case VHOST_USER_NET_SET_MTU:
		return 0;
	case VHOST_USER_SET_LOG_BASE:
		return weir_fail(
			v->port.w, EOPNOTSUPP, "vhost-no-log",
			"%s: the front end wants to know what is written to its memory, for "
			"live migration; that is not kept: move the guest while it is off, "
			"or unplug this NIC first",
			v->port.name);
	default:
		return -EOPNOTSUPP;
	}
}

/* The flag alone says nothing: it must have been agreed on. */
static bool needs_reply(const struct vhost_port *v, const struct vhost_msg *m)
{
	return m->flags & VHOST_MSG_NEED_REPLY && v->protocol & VHOST_PROTOCOL_F_REPLY_ACK;
}

/* Send what @m asked for, or whether it went well if that was asked for. */
static int reply(struct vhost_port *v, struct vhost_msg *m, int result)
{
	if (result <= 0) {
		if (!needs_reply(v, m))
			return 0;
		m->u64 = result ? 1 : 0;
		result = sizeof(m->u64);
	}
	m->size = (uint32_t)result;
	m->flags = VHOST_MSG_VERSION | VHOST_MSG_REPLY;
	return vhost_send(v->sock, m, &v->answer_fd, v->answer_fd >= 0, weir_deadline_us(0));
}

/* As much of the next message as there is. Return: 1 when it is whole; 0; negative errno. */
static int next_message(struct vhost_port *v)
{
	uint64_t now = weir_now_ns();
	int r;

	if (!v->in_done)
		v->in_since = now;
	r = vhost_recv_part(v->sock, &v->in, &v->in_fds, &v->in_done);
	if (!r && v->in_done && now - v->in_since > VHOST_TIMEOUT_NS)
		return -ETIMEDOUT;
	return r;
}

/* One message. Return: 1; 0 when there is none yet; -ENOTCONN when the connection has ended. */
static int message(struct vhost_port *v)
{
	struct vhost_msg m;
	char what[96];
	int err = next_message(v), result;

	if (err < 0) {
		vhost_disconnect(v, err == -EPROTO ? "vhost-protocol" : "vhost-gone",
				 err == -EPROTO	     ? "it sent what is no message of the protocol"
				 : err == -ETIMEDOUT ? "the rest of a message has not come"
						     : "the front end has closed the connection");
		return -ENOTCONN;
	}
	if (!err)
		return 0;
	m = v->in;
	result = serve(v, &m, &v->in_fds);
	vhost_fds_close(&v->in_fds);
	if (result == -EOPNOTSUPP)
		weir_debug(v->port.w, "%s: request %u (%s) is not served", v->port.name, m.req,
			   vhost_req_name(m.req));
	if (result < 0 && result != -EOPNOTSUPP && !needs_reply(v, &m)) {
		snprintf(what, sizeof(what), "%s (%u) with numbers that cannot be: %s",
			 vhost_req_name(m.req), m.req, weir_strerror(result));
		vhost_disconnect(v, "vhost-protocol", what);
		return -ENOTCONN;
	}
	err = reply(v, &m, result);
	set_fd(&v->answer_fd, -1);
	if (!err)
		return 1;
	vhost_disconnect(v, "vhost-gone", "the front end does not take its answers");
	return -ENOTCONN;
}

/* --- connection --- */

void vhost_disconnect(struct vhost_port *v, const char *id, const char *why)
{
	if (v->sock < 0)
		return;
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		vhost_ring_clear(v, &v->ring[i]);
	count_live(v);
	vhost_mem_clear(&v->mem);
	vhost_inflight_clear(v);
	close(v->sock);
	v->sock = -1;
	if (v->in_done)
		vhost_fds_close(&v->in_fds);
	v->in_done = 0;
	v->features = v->protocol = 0;
	v->status = 0;
	v->retry_at = weir_now_ns() + RETRY_NS;
	if (id)
		weir_log(v->port.w, WEIR_LOG_WARN, id, "%s: %s; waiting for the next one",
			 v->port.name, why);
}

static bool connected(struct vhost_port *v)
{
	int fd;

	if (v->sock >= 0)
		return true;
	if (v->listener < 0 && weir_now_ns() < v->retry_at)
		return false;
	fd = v->listener >= 0 ? vhost_accept(v->listener) : vhost_connect(v->o.path);
	if (fd < 0) {
		v->retry_at = weir_now_ns() + RETRY_NS;
		return false;
	}
	v->sock = fd;
	v->said_bad = false;
	v->connections++;
	weir_info(v->port.w, "%s: a front end has connected", v->port.name);
	return true;
}

/* What workers found out, and what the front end did to them. */
static void look_after(struct vhost_port *v)
{
	bool blocked = false, hit = vhost_mem_hit(&v->inflight);

	for (unsigned i = 0; i < v->mem.n; i++)
		hit |= vhost_mem_hit(&v->mem.map[i]);
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		blocked |= vhost_ring_unblock(&v->ring[i]);
	count_live(v);
	if (blocked)
		vhost_disconnect(v, "vhost-protocol",
				 "it filled an eventfd up, so that whoever calls it waits");
	else if (hit)
		vhost_disconnect(v, "vhost-memory", "memory that it handed over is gone");
}

int vhost_service(struct weir_port *p)
{
	struct weir_deadline end = weir_deadline_us(NEXT_US);
	struct vhost_port *v = vhost_of(p);

	if (p->state != WEIR_PORT_RUNNING || !connected(v))
		return 0;
	look_after(v);
	for (unsigned i = 0; i < MESSAGES_AT_ONCE && v->sock >= 0; i++) {
		int got = message(v);

		if (got < 0)
			break;
		if (!got && (!i || v->pairs_live || vhost_wait(v->sock, POLLIN, end)))
			break;
	}
	return 0;
}
