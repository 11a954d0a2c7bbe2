/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A back end for a vhost-user: port that a test has in its hands: a thread that answers each message
 * as it should, unless the test's hook has it otherwise. It serves one connection after the other. As it
 * is in the same process, ring addresses are good for it as they are.
 */
#ifndef WEIR_TESTS_VHOST_BACK_H
#define WEIR_TESTS_VHOST_BACK_H

#include "vhost_env.h"

#include "nics/vhost_msg.h"
#include "nics/virtio_regs.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define BACK_RINGS 8
/* Between looks at what the test wants. */
#define BACK_NAP_US 2000

/* What a hook says of an answer: send it, say nothing, or close the connection. */
enum back_does { BACK_SENDS, BACK_SILENT, BACK_CLOSES };

struct back;
/* @req as it came, with @fds; @answer as it would be sent (size 0: not at all), with b->out fds. */
typedef enum back_does back_hook(struct back *b, const struct vhost_msg *req,
				 struct vhost_msg *answer);

/*
 * @features, @protocol: offered. @hook: NULL for an honest one; @arg: its own. @end: this connection
 * ends; @stop: so does the thread. @seen: how often each request came. @area, @base: as it was told.
 * @out: fds that go with the answer, closed then; @track: the file that it was given by SET_INFLIGHT_FD,
 * and @region: what came with it
 */
struct back {
	struct env_side fe;
	char path[64];
	int listener, sock, stop, end;
	unsigned connections;
	uint64_t features, protocol;
	back_hook *hook;
	unsigned arg;
	unsigned seen[VHOST_USER_MAX];
	struct vhost_vring_area area[BACK_RINGS];
	uint32_t base[BACK_RINGS];
	int out[VHOST_MAX_FDS];
	unsigned n_out;
	struct stat track;
	struct vhost_inflight region;
	pthread_t thread;
};

static inline int back_memory(uint64_t size)
{
	int fd = memfd_create("track", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, (off_t)size)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Return: bytes of answer that stand in @m. */
static inline unsigned back_answer(struct back *b, struct vhost_msg *m, const struct vhost_fds *fds)
{
	switch (m->req) {
	case VHOST_USER_GET_FEATURES:
		m->u64 = b->features;
		return 8;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		m->u64 = b->protocol;
		return 8;
	case VHOST_USER_GET_QUEUE_NUM:
		m->u64 = BACK_RINGS / 2;
		return 8;
	case VHOST_USER_GET_STATUS:
		m->u64 = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
			 VIRTIO_STATUS_FEATURES_OK;
		return 8;
	case VHOST_USER_GET_VRING_BASE:
		m->num.num = 0;
		return sizeof(m->num);
	case VHOST_USER_GET_CONFIG:
		memcpy(m->config.data, "\x02\x12\x34\x56\x78\x9a", 6);
		return m->size;
	case VHOST_USER_GET_INFLIGHT_FD:
		m->inflight.mmap_size = 4096;
		m->inflight.mmap_off = 0;
		b->out[b->n_out++] = back_memory(4096);
		return sizeof(m->inflight);
	case VHOST_USER_SET_INFLIGHT_FD:
		b->region = m->inflight;
		if (fds->n == 1)
			fstat(fds->fd[0], &b->track);
		break;
	case VHOST_USER_SET_VRING_ADDR:
		b->area[m->area.index % BACK_RINGS] = m->area;
		break;
	case VHOST_USER_SET_VRING_BASE:
		b->base[m->num.index % BACK_RINGS] = m->num.num;
		break;
	default:
		break;
	}
	m->u64 = 0;
	return m->flags & VHOST_MSG_NEED_REPLY ? 8 : 0;
}

/* Answer one message. Return: does the connection go on? */
static inline bool back_serve(struct back *b)
{
	enum back_does does = BACK_SENDS;
	struct vhost_msg req, m;
	struct vhost_fds fds;
	int err;

	if (vhost_recv(b->sock, &m, &fds, weir_deadline_us(1000000)))
		return false;
	req = m;
	if (m.req < VHOST_USER_MAX)
		__atomic_fetch_add(&b->seen[m.req], 1, __ATOMIC_RELEASE);
	m.size = back_answer(b, &m, &fds);
	m.flags = VHOST_MSG_VERSION | VHOST_MSG_REPLY;
	if (b->hook)
		does = b->hook(b, &req, &m);
	err = does == BACK_SENDS && m.size
		      ? vhost_send(b->sock, &m, b->out, b->n_out, weir_deadline_us(1000000))
		      : 0;
	while (b->n_out)
		close(b->out[--b->n_out]);
	vhost_fds_close(&fds);
	return !err && does != BACK_CLOSES;
}

static inline void *back_thread(void *arg)
{
	struct back *b = arg;

	while (!__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE)) {
		b->sock = vhost_accept(b->listener);
		if (b->sock < 0) {
			vhost_wait(b->listener, POLLIN, weir_deadline_us(BACK_NAP_US));
			continue;
		}
		__atomic_fetch_add(&b->connections, 1, __ATOMIC_RELEASE);
		while (!__atomic_load_n(&b->end, __ATOMIC_ACQUIRE)) {
			int r = vhost_peek(b->sock);

			if (r < 0 || (r > 0 && !back_serve(b)))
				break;
			if (!r)
				vhost_wait(b->sock, POLLIN, weir_deadline_us(BACK_NAP_US));
		}
		close(b->sock);
		__atomic_store_n(&b->end, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static inline unsigned back_connections(const struct back *b)
{
	return __atomic_load_n(&b->connections, __ATOMIC_ACQUIRE);
}

/* A back end that listens, and a handle for the front end. */
static inline void back_begin(struct back *b, uint64_t features, uint64_t protocol, back_hook *hook)
{
	static unsigned count;

	memset(b, 0, sizeof(*b));
	unit_hush();
	b->features = features | VIRTIO_F_VERSION_1 | VHOST_USER_F_PROTOCOL_FEATURES;
	b->protocol = protocol | VHOST_PROTOCOL_F_REPLY_ACK;
	b->hook = hook;
	snprintf(b->path, sizeof(b->path), "/tmp/weir-back-%d-%u", (int)getpid(), count++);
	b->listener = vhost_listen(b->path);
	assert_true(b->listener >= 0);
	assert_int_equal(pthread_create(&b->thread, NULL, back_thread, b), 0);
	env_side_open(&b->fe);
}

static inline int back_port(struct back *b, const char *opts, unsigned pairs)
{
	struct weir_port_conf c = { .n_rxq = pairs, .n_txq = pairs, .rx_desc = 64, .tx_desc = 64 };

	return env_port(&b->fe, "vhost-user", b->path, opts, &c);
}

static inline void back_end(struct back *b)
{
	env_side_close(&b->fe);
	__atomic_store_n(&b->stop, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&b->end, 1, __ATOMIC_RELEASE);
	pthread_join(b->thread, NULL);
	close(b->listener);
	unlink(b->path);
}

static inline bool back_is_up(const struct back *b)
{
	struct weir_link l;

	return !weir_port_link(b->fe.port, &l) && l.up;
}

/* Poll and serve as an application does for @ms, or until the link is @want. */
static inline bool back_run(struct back *b, unsigned ms, bool want)
{
	struct weir_deadline end = weir_deadline_us(ms * 1000ull);
	struct weir_port *p = b->fe.port;
	struct weir_pkt got[4];

	while (back_is_up(b) != want && !weir_deadline_passed(end)) {
		for (unsigned q = 0; q < p->conf.n_rxq; q++)
			weir_pkt_free(b->fe.cache, got, weir_rx(p->rxq[q], got, 4));
		weir_port_service(p);
		weir_sleep_us(500);
	}
	return back_is_up(b) == want;
}

/* The connection ends, and the port has seen it. */
static inline void back_dies(struct back *b)
{
	__atomic_store_n(&b->end, 1, __ATOMIC_RELEASE);
	assert_true(back_run(b, 2000, false));
}

/* Ring @i, as the driver has set it up. */
static inline struct virtq_used *back_used(const struct back *b, unsigned i)
{
	return (void *)(uintptr_t)b->area[i].used;
}

static inline struct pvirtq_desc *back_pdesc(const struct back *b, unsigned i)
{
	return (void *)(uintptr_t)b->area[i].desc;
}

/* The device has used the chain @id of a split ring, as number @at. */
static inline void back_use_split(const struct back *b, unsigned ring, unsigned at, uint32_t id,
				  uint32_t len)
{
	struct virtq_used *u = back_used(b, ring);

	u->ring[at % 64].id = weir_le32(id);
	u->ring[at % 64].len = weir_le32(len);
	__atomic_store_n(&u->idx, weir_le16((uint16_t)(at + 1)), __ATOMIC_RELEASE);
}

/* The same of a packed ring in its first round, at position @at. */
static inline void back_use_packed(const struct back *b, unsigned ring, unsigned at, uint16_t id,
				   uint32_t len)
{
	struct pvirtq_desc *d = &back_pdesc(b, ring)[at];

	d->id = weir_le16(id);
	d->len = weir_le32(len);
	__atomic_store_n(&d->flags, weir_le16(PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED),
			 __ATOMIC_RELEASE);
}

#endif
