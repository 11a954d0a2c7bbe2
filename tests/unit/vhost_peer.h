/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front end for a vhost: port, made by hand: it can send what no good front end would, and its rings
 * hold what a test puts there.
 */
#ifndef WEIR_TESTS_VHOST_PEER_H
#define WEIR_TESTS_VHOST_PEER_H

#include "vhost_env.h"

#include "nics/vhost_msg.h"
#include "nics/virtio_regs.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define MEM_SIZE (4u << 20)
#define GUEST	 0x100000000ull
#define USER	 0x7f0000000000ull
#define RINGSIZE 64
/* Within the memory: rings of queue 0 and 1, an area for tables, and data. */
#define AT_RING(q) ((q)*0x10000u)
#define AT_AVAIL   0x4000u
#define AT_USED	   0x8000u
#define AT_TABLE   0x40000u
#define AT_DATA	   0x100000u

struct peer {
	struct env e;
	int sock, memfd, kick[2], call[2];
	char *mem;
	bool packed;
	uint64_t protocol; /* features of it */
	uint64_t more;	   /* features besides */
	int inflight_fd;   /* -1: none is sent */
	struct vhost_inflight inflight;
};

static inline void service(struct peer *p)
{
	weir_port_service(p->e.be.port);
}

static inline void peer_connect(struct peer *p)
{
	p->sock = vhost_connect(p->e.path);
	assert_true(p->sock >= 0);
	service(p);
}

/* Its memory and eventfds; no connection yet. */
static inline void peer_make(struct peer *p, bool packed)
{
	p->sock = p->inflight_fd = -1;
	p->more = 0;
	p->protocol = VHOST_PROTOCOL_F_MQ | VHOST_PROTOCOL_F_REPLY_ACK;
	p->packed = packed;
	p->memfd = memfd_create("guest", MFD_CLOEXEC);
	assert_true(p->memfd >= 0);
	assert_int_equal(ftruncate(p->memfd, MEM_SIZE), 0);
	p->mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p->memfd, 0);
	assert_true(p->mem != MAP_FAILED);
	for (unsigned i = 0; i < 2; i++) {
		p->kick[i] = eventfd(0, EFD_NONBLOCK);
		p->call[i] = eventfd(0, EFD_NONBLOCK);
	}
}

static inline void peer_begin(struct peer *p, bool packed)
{
	struct weir_port_conf c = { .n_rxq = 1, .n_txq = 1, .rx_intr = true };

	env_begin(&p->e);
	env_back(&p->e, "", &c);
	peer_make(p, packed);
	peer_connect(p);
}

static inline void peer_unmake(struct peer *p)
{
	close(p->sock);
	if (p->inflight_fd >= 0)
		close(p->inflight_fd);
	munmap(p->mem, MEM_SIZE);
	close(p->memfd);
	for (unsigned i = 0; i < 2; i++) {
		close(p->kick[i]);
		close(p->call[i]);
	}
}

static inline void peer_end(struct peer *p)
{
	peer_unmake(p);
	weir_port_close(p->e.be.port);
	p->e.be.port = NULL;
	env_end(&p->e);
}

static inline void send_fds(struct peer *p, const struct vhost_msg *m, const int *fds, unsigned n)
{
	assert_int_equal(vhost_send(p->sock, m, fds, n, weir_deadline_us(1000000)), 0);
}

static inline void post(struct peer *p, uint32_t req, const void *body, unsigned len, int fd)
{
	struct vhost_msg m = { .req = req, .flags = VHOST_MSG_VERSION, .size = len };

	if (len)
		memcpy(m.bytes, body, len);
	send_fds(p, &m, &fd, fd >= 0);
}

static inline void put64(struct peer *p, uint32_t req, uint64_t v, int fd)
{
	post(p, req, &v, sizeof(v), fd);
}

static inline void putnum(struct peer *p, uint32_t req, uint32_t index, uint32_t num)
{
	struct vhost_vring_num n = { index, num };

	post(p, req, &n, sizeof(n), -1);
}

static inline void put_area(struct peer *p, uint32_t index, uint64_t user)
{
	struct vhost_vring_area a = {
		.index = index, .desc = user, .avail = user + AT_AVAIL, .used = user + AT_USED
	};

	post(p, VHOST_USER_SET_VRING_ADDR, &a, sizeof(a), -1);
}

static inline uint64_t features(const struct peer *p)
{
	return VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VHOST_USER_F_PROTOCOL_FEATURES |
	       VIRTIO_NET_F_MRG_RXBUF | (p->packed ? VIRTIO_F_RING_PACKED : 0) | p->more;
}

/* Memory in two regions that touch in guest addresses and lie apart in the file. */
static inline void put_memory(struct peer *p)
{
	struct vhost_msg m = { .req = VHOST_USER_SET_MEM_TABLE,
			       .flags = VHOST_MSG_VERSION,
			       .size = 8 + 2 * sizeof(struct vhost_region),
			       .mem = { .n = 2 } };
	int fds[2] = { p->memfd, p->memfd };

	m.mem.region[0] = (struct vhost_region){ GUEST, MEM_SIZE / 2, USER, 0 };
	m.mem.region[1] = (struct vhost_region){ GUEST + MEM_SIZE / 2, MEM_SIZE / 2,
						 USER + MEM_SIZE, MEM_SIZE / 2 };
	send_fds(p, &m, fds, 2);
}

static inline void put_ring(struct peer *p, unsigned q)
{
	putnum(p, VHOST_USER_SET_VRING_NUM, q, RINGSIZE);
	putnum(p, VHOST_USER_SET_VRING_BASE, q, p->packed ? 0x80008000u : 0);
	put_area(p, q, USER + AT_RING(q));
	put64(p, VHOST_USER_SET_VRING_CALL, q, p->call[q]);
	put64(p, VHOST_USER_SET_VRING_KICK, q, p->kick[q]);
	putnum(p, VHOST_USER_SET_VRING_ENABLE, q, 1);
}

static inline bool linked(struct peer *p)
{
	struct weir_link l;

	weir_port_link(p->e.be.port, &l);
	return l.up;
}

/* All messages up to running rings. */
static inline void peer_attach(struct peer *p)
{
	put64(p, VHOST_USER_SET_PROTOCOL_FEATURES, p->protocol, -1);
	put64(p, VHOST_USER_SET_FEATURES, features(p), -1);
	put_memory(p);
	if (p->inflight_fd >= 0)
		post(p, VHOST_USER_SET_INFLIGHT_FD, &p->inflight, sizeof(p->inflight),
		     p->inflight_fd);
	put_ring(p, 0);
	put_ring(p, 1);
}

/* As a good front end. */
static inline void peer_up(struct peer *p)
{
	memset(p->mem, 0, AT_DATA);
	peer_attach(p);
	service(p);
	assert_true(linked(p));
}

static inline bool is_closed(struct peer *p)
{
	char buf[512];
	ssize_t n;

	while ((n = recv(p->sock, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

struct d {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static inline void put_desc(struct peer *p, char *at, const struct d *d, uint16_t extra)
{
	struct virtq_desc v = { .addr = weir_le64(d->addr),
				.len = weir_le32(d->len),
				.flags = weir_le16(d->flags),
				.next = weir_le16(d->next) };
	struct pvirtq_desc pv = { .addr = v.addr,
				  .len = v.len,
				  .id = v.next,
				  .flags = weir_le16((uint16_t)(d->flags | extra)) };

	if (p->packed)
		memcpy(at, &pv, 16);
	else
		memcpy(at, &v, 16);
}

/* Fresh rings with @n descriptors at their start, and the first made available. */
static inline void offer(struct peer *p, unsigned q, const struct d *d, unsigned n)
{
	char *ring = p->mem + AT_RING(q);
	struct virtq_avail *a = (void *)(ring + AT_AVAIL);

	for (unsigned i = 0; i < n; i++)
		put_desc(p, ring + i * 16, &d[i], PVIRTQ_DESC_F_AVAIL);
	if (!p->packed) {
		a->ring[0] = weir_le16(0);
		a->idx = weir_le16(1);
	}
}

static inline bool given_back(struct peer *p, unsigned q)
{
	char *ring = p->mem + AT_RING(q);
	struct virtq_used *u = (void *)(ring + AT_USED);
	struct pvirtq_desc *d = (void *)ring;

	return p->packed ? weir_from_le16(d->flags) & PVIRTQ_DESC_F_USED
			 : weir_from_le16(u->idx) == 1;
}

#define NEXT  VIRTQ_DESC_F_NEXT
#define WRITE VIRTQ_DESC_F_WRITE
#define IND   VIRTQ_DESC_F_INDIRECT
#define DATA  (GUEST + AT_DATA)
#define TABLE (GUEST + AT_TABLE)

#endif
