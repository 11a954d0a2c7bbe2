/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user back end that does as little as a back end can, so that the front end is what a bench
 * measures: it plays the ring protocol, writes a header and 64 bytes into every receive buffer there
 * is, and takes every packet that is sent to it. It serves weir's front end and DPDK's alike.
 *
 *   backend SOCKET COUNTERS [packed] [in-order] [mergeable] [burst=N] [check] [sleep]
 *
 * With "check" what comes back is compared, with "sleep" a back end without work sleeps: under
 * callgrind, where the front end is slow and instructions count, not time.
 *
 * COUNTERS is a file of six 64-bit numbers that grow: time stamp, packets taken, packets given, cycles
 * in which there was something to do, packets found wrong (with check), connections. One connection
 * at a time, until killed.
 */
#include "nics/vhost_msg.h"
#include "nics/virtio_regs.h"

#include "core/io.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME 64
#define HDR   VIRTIO_NET_HDR_LEN
/* Passes between two looks at the socket. */
#define LOOK 4096

struct counters {
	uint64_t tsc, taken, given, busy, wrong, connections;
};

struct ring {
	unsigned size;
	bool on;
	uint16_t avail, used;
	union {
		struct virtq_desc *desc;
		struct pvirtq_desc *pdesc;
	};
	union {
		struct virtq_avail *driver;
		struct pvirtq_event_suppress *driver_event;
	};
	union {
		struct virtq_used *device;
		struct pvirtq_event_suppress *device_event;
	};
};

struct region {
	uint64_t guest, user, size;
	char *va, *map;
	size_t map_size;
};

struct backend {
	uint64_t offered, features;
	unsigned burst, n_regions;
	bool check, sleep, in_order, packed;
	struct region region[VHOST_MAX_REGIONS];
	struct region *last;
	struct ring rx, tx;
	struct vhost_vring_area area[2];
	volatile struct counters *c;
	uint8_t frame[FRAME];
};

static void die(const char *what, int err)
{
	fprintf(stderr, "backend: %s: %s\n", what, strerror(-err));
	exit(1);
}

/* --- memory --- */

static char *find(struct backend *b, uint64_t addr, uint64_t len, bool user)
{
	for (unsigned i = 0; i < b->n_regions; i++) {
		struct region *r = &b->region[i];
		uint64_t off = addr - (user ? r->user : r->guest);

		if (off < r->size && len <= r->size - off) {
			b->last = r;
			return r->va + off;
		}
	}
	die("an address that is in no region", -EFAULT);
	return NULL;
}

static inline char *data(struct backend *b, uint64_t addr, uint64_t len)
{
	uint64_t off = addr - b->last->guest;

	if (weir_likely(off < b->last->size && len <= b->last->size - off))
		return b->last->va + off;
	return find(b, addr, len, false);
}

static void forget_memory(struct backend *b)
{
	while (b->n_regions) {
		struct region *r = &b->region[--b->n_regions];

		munmap(r->map, r->map_size);
	}
}

static void map_memory(struct backend *b, struct vhost_memory m, struct vhost_fds *fds)
{
	forget_memory(b);
	for (unsigned i = 0; i < m.n && i < fds->n; i++) {
		const struct vhost_region *v = &m.region[i];
		struct region *r = &b->region[b->n_regions];
		struct stat st;

		r->map_size = v->mmap_off + v->size;
		/* Hugepages are mapped whole. */
		if (!fstat(fds->fd[i], &st) && st.st_blksize > 4096)
			r->map_size = WEIR_ALIGN_UP(r->map_size, (size_t)st.st_blksize);
		r->map = mmap(NULL, r->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			      fds->fd[i], 0);
		if (r->map == MAP_FAILED)
			die("mmap", -errno);
		r->guest = v->guest_addr;
		r->user = v->user_addr;
		r->size = v->size;
		r->va = r->map + v->mmap_off;
		b->n_regions++;
	}
	b->last = &b->region[0];
}

/* --- split rings --- */

static void fill_frame(struct backend *b, char *to)
{
	static const uint8_t hdr[HDR] = { [10] = 1 };

	memcpy(to, hdr, HDR);
	memcpy(to + HDR, b->frame, FRAME);
}

/* What comes back must have its addresses swapped, and an empty header. */
static bool right(struct backend *b, const char *p, uint32_t len)
{
	static const uint8_t hdr[HDR];

	return len == HDR + FRAME && !memcmp(p, hdr, HDR) && !memcmp(p + HDR, b->frame + 6, 6) &&
	       !memcmp(p + HDR + 6, b->frame, 6) &&
	       !memcmp(p + HDR + 12, b->frame + 12, FRAME - 12);
}

static unsigned waiting(const struct backend *b, const struct ring *r)
{
	uint16_t n = (uint16_t)(*(volatile __le16 *)&r->driver->idx - r->avail);

	weir_dma_rmb();
	return weir_min_u(n, b->burst);
}

static unsigned give_split(struct backend *b)
{
	struct ring *r = &b->rx;
	unsigned n = waiting(b, r), mask = r->size - 1;
	char *to[256];

	for (unsigned i = 0; i < n; i++) {
		struct virtq_desc *d = &r->desc[r->driver->ring[(r->avail + i) & mask] & mask];

		to[i] = data(b, d->addr, HDR + FRAME);
		__builtin_prefetch(to[i], 1);
		__builtin_prefetch(to[i] + 64, 1);
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned at = (r->used + i) & mask;

		r->device->ring[at].id = r->driver->ring[(r->avail + i) & mask];
		r->device->ring[at].len = HDR + FRAME;
		fill_frame(b, to[i]);
	}
	weir_dma_wmb();
	r->avail = (uint16_t)(r->avail + n);
	r->used = (uint16_t)(r->used + n);
	*(volatile __le16 *)&r->device->idx = r->used;
	return n;
}

static unsigned take_split(struct backend *b)
{
	struct ring *r = &b->tx;
	unsigned n = waiting(b, r), mask = r->size - 1;

	if (!n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned id = r->driver->ring[(r->avail + i) & mask] & mask;
		struct virtq_desc *d = &r->desc[id];
		char *p = data(b, d->addr, d->len);

		if (weir_unlikely(b->check))
			b->c->wrong += !right(b, p, d->len);
		if (!b->in_order || i == n - 1) {
			r->device->ring[(r->used + i) & mask].id = id;
			r->device->ring[(r->used + i) & mask].len = 0;
		}
	}
	weir_dma_wmb();
	r->avail = (uint16_t)(r->avail + n);
	r->used = (uint16_t)(r->used + n);
	*(volatile __le16 *)&r->device->idx = r->used;
	return n;
}

/* --- packed rings --- */

static inline uint64_t *word(struct pvirtq_desc *d)
{
	return (uint64_t *)(void *)&d->len;
}

/* Has the driver made the descriptor at @pos available? */
static bool is_avail(const struct ring *r, uint16_t pos, uint64_t w)
{
	bool lap = !(pos & r->size);
	unsigned f = (unsigned)(w >> 48);

	return !!(f & PVIRTQ_DESC_F_AVAIL) == lap && !!(f & PVIRTQ_DESC_F_USED) != lap;
}

static uint64_t used_word(const struct ring *r, uint16_t pos, uint64_t id, uint32_t len)
{
	uint64_t f = pos & r->size ? 0 : PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED;

	return f << 48 | id << 32 | len;
}

static unsigned give_packed(struct backend *b)
{
	struct ring *r = &b->rx;
	unsigned n = 0, mask = r->size - 1;
	uint64_t w[256];

	for (; n < b->burst; n++) {
		struct pvirtq_desc *d = &r->pdesc[(r->avail + n) & mask];
		char *to;

		w[n] = *(volatile uint64_t *)word(d);
		if (!is_avail(r, (uint16_t)(r->avail + n), w[n]))
			break;
		weir_dma_rmb();
		to = data(b, d->addr, HDR + FRAME);
		__builtin_prefetch(to, 1);
		__builtin_prefetch(to + 64, 1);
	}
	for (unsigned i = 0; i < n; i++)
		fill_frame(b, data(b, r->pdesc[(r->avail + i) & mask].addr, HDR + FRAME));
	weir_dma_wmb();
	for (unsigned i = 0; i < n; i++) {
		uint16_t pos = (uint16_t)(r->avail + i);

		*(volatile uint64_t *)word(&r->pdesc[pos & mask]) =
			used_word(r, pos, (uint16_t)(w[i] >> 32), HDR + FRAME);
	}
	r->avail = (uint16_t)(r->avail + n);
	return n;
}

static unsigned take_packed(struct backend *b)
{
	struct ring *r = &b->tx;
	unsigned n = 0, mask = r->size - 1;
	uint64_t w[256];

	for (; n < b->burst; n++) {
		struct pvirtq_desc *d = &r->pdesc[(r->avail + n) & mask];

		w[n] = *(volatile uint64_t *)word(d);
		if (!is_avail(r, (uint16_t)(r->avail + n), w[n]))
			break;
		weir_dma_rmb();
		if (weir_unlikely(b->check))
			b->c->wrong += !right(b, data(b, d->addr, (uint32_t)w[n]), (uint32_t)w[n]);
	}
	weir_dma_wmb();
	/* 2.8.10: in order, one notice for all of them. */
	if (b->in_order && n)
		*(volatile uint64_t *)word(&r->pdesc[r->avail & mask]) =
			used_word(r, r->avail, (uint16_t)(w[n - 1] >> 32), 0);
	for (unsigned i = 0; i < n && !b->in_order; i++) {
		uint16_t pos = (uint16_t)(r->avail + i);

		*(volatile uint64_t *)word(&r->pdesc[pos & mask]) =
			used_word(r, pos, (uint16_t)(w[i] >> 32), 0);
	}
	r->avail = (uint16_t)(r->avail + n);
	return n;
}

/* --- protocol --- */

static void start_ring(struct backend *b, unsigned i)
{
	struct ring *r = i ? &b->tx : &b->rx;
	const struct vhost_vring_area *a = &b->area[i];

	r->desc = (void *)find(b, a->desc, r->size * 16, true);
	r->driver = (void *)find(b, a->avail, 4, true);
	r->device = (void *)find(b, a->used, 4, true);
	b->last = &b->region[0];
	/* Nobody needs to tell us. */
	if (b->packed)
		r->device_event->flags = RING_EVENT_FLAGS_DISABLE;
	else
		r->device->flags = VIRTQ_USED_F_NO_NOTIFY;
	r->on = true;
}

static void stop_ring(struct backend *b, unsigned i, struct vhost_msg *m)
{
	struct ring *r = i ? &b->tx : &b->rx;

	r->on = false;
	m->num.num = b->packed ? (r->avail & (r->size - 1)) | (r->avail & r->size ? 0 : 0x8000)
			       : r->avail;
	if (b->packed)
		m->num.num |= m->num.num << 16;
	m->size = sizeof(m->num);
}

static void set_base(struct backend *b, struct vhost_vring_num n)
{
	struct ring *r = n.index & 1 ? &b->tx : &b->rx;

	r->avail = r->used = (uint16_t)n.num;
	/* Position 0, wrap counter set; nobody starts elsewhere. */
	if (b->packed)
		r->avail = r->used = 0;
}

static void set_features(struct backend *b, uint64_t f)
{
	b->features = f;
	b->packed = f & VIRTIO_F_RING_PACKED;
	b->in_order = f & VIRTIO_F_IN_ORDER;
}

/* Return: whether @m holds an answer now. */
static bool handle(struct backend *b, struct vhost_msg *m, struct vhost_fds *fds)
{
	switch (m->req) {
	case VHOST_USER_GET_FEATURES:
		m->u64 = b->offered;
		m->size = sizeof(m->u64);
		return true;
	case VHOST_USER_SET_FEATURES:
		set_features(b, m->u64);
		return false;
	case VHOST_USER_SET_MEM_TABLE:
		map_memory(b, m->mem, fds);
		return false;
	case VHOST_USER_SET_VRING_NUM:
		(m->num.index & 1 ? &b->tx : &b->rx)->size = m->num.num;
		return false;
	case VHOST_USER_SET_VRING_BASE:
		set_base(b, m->num);
		return false;
	case VHOST_USER_SET_VRING_ADDR:
		b->area[m->area.index & 1] = m->area;
		return false;
	case VHOST_USER_SET_VRING_KICK:
		start_ring(b, m->u64 & 1);
		return false;
	case VHOST_USER_GET_VRING_BASE:
		stop_ring(b, m->num.index & 1, m);
		return true;
	default:
		return false;
	}
}

static bool messages(struct backend *b, int sock)
{
	while (vhost_peek(sock) > 0) {
		struct vhost_fds fds;
		struct vhost_msg m;
		bool reply;

		if (vhost_recv(sock, &m, &fds, weir_deadline_us(1000000)))
			return false;
		reply = handle(b, &m, &fds);
		vhost_fds_close(&fds);
		m.flags = VHOST_MSG_VERSION | VHOST_MSG_REPLY;
		if (reply && vhost_send(sock, &m, NULL, 0, weir_deadline_us(1000000)))
			return false;
	}
	return vhost_peek(sock) == 0;
}

static void work(struct backend *b)
{
	uint64_t was = weir_cycles();

	for (unsigned i = 0; i < (b->sleep ? 64 : LOOK); i++) {
		unsigned got = b->packed ? take_packed(b) : take_split(b);
		unsigned put = b->packed ? give_packed(b) : give_split(b);
		uint64_t now = weir_cycles();

		if (got || put) {
			b->c->taken += got;
			b->c->given += put;
			b->c->busy += now - was;
			b->c->tsc = now;
		} else if (b->sleep) {
			usleep(1);
		} else {
			weir_pause();
		}
		was = now;
	}
}

static void serve(struct backend *b, int sock)
{
	b->c->connections++;
	while (messages(b, sock)) {
		if (b->rx.on && b->tx.on)
			work(b);
		else
			usleep(200);
	}
	b->rx.on = b->tx.on = false;
	forget_memory(b);
	close(sock);
}

static void options(struct backend *b, char **arg)
{
	for (; *arg; arg++) {
		if (!strcmp(*arg, "packed"))
			b->offered |= VIRTIO_F_RING_PACKED;
		else if (!strcmp(*arg, "in-order"))
			b->offered |= VIRTIO_F_IN_ORDER;
		else if (!strcmp(*arg, "mergeable"))
			b->offered |= VIRTIO_NET_F_MRG_RXBUF;
		else if (!strcmp(*arg, "check"))
			b->check = true;
		else if (!strcmp(*arg, "sleep"))
			b->sleep = true;
		else if (!strncmp(*arg, "burst=", 6))
			b->burst = weir_min_u((unsigned)atoi(*arg + 6), 256);
		else
			die(*arg, -EINVAL);
	}
}

int main(int argc, char **argv)
{
	struct backend b = { .offered = VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC, .burst = 32 };
	cpu_set_t set;
	int fd, listener;

	if (argc < 3)
		die("backend SOCKET COUNTERS [packed] [in-order] [burst=N] [check]", -EINVAL);
	options(&b, argv + 3);
	for (unsigned i = 0; i < FRAME; i++)
		b.frame[i] = (uint8_t)(i < 12 ? 2 * i + 2 : i);
	b.frame[12] = 0x08;
	fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*b.c)))
		die(argv[2], -errno);
	b.c = mmap(NULL, sizeof(*b.c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b.c == MAP_FAILED)
		die("counters", -errno);
	prctl(PR_SET_TIMERSLACK, 1000);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	listener = vhost_listen(argv[1]);
	if (listener < 0)
		die(argv[1], listener);
	for (;;) {
		struct pollfd p = { .fd = listener, .events = POLLIN };
		int sock;

		poll(&p, 1, -1);
		sock = vhost_accept(listener);
		if (sock >= 0)
			serve(&b, sock);
	}
}
