/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vfio-user server for the tests of the client: a small PCI device on a UNIX socket, in a thread
 * of its own. A test may look at every reply before it is sent, change it, or do something else
 * instead.
 */
#ifndef WEIR_TESTS_FAKE_VFIO_USER_H
#define WEIR_TESTS_FAKE_VFIO_USER_H

#include "unit.h"

#include "iommu/vfio_user_proto.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define VUS_BODY  (80u << 10)
#define VUS_FDS	  253
#define VUS_MAPS  64
#define VUS_BAR	  0x8000u
#define VUS_AREA  0x1000u /* the page of BAR 0 that can be mapped */
#define VUS_VECS  8
#define VUS_CAPS  "{\"capabilities\":{\"max_msg_fds\":2,\"max_data_xfer_size\":1024}}"
#define VUS_MAGIC 0x600df00du

struct vus_msg {
	struct vu_hdr h;
	uint8_t body[VUS_BODY];
	size_t len;
	int fds[VUS_FDS];
	unsigned n_fds;
	bool drop; /* do not send it */
};

struct vus_map {
	uint64_t addr, size;
	uint32_t flags;
	uint8_t *va; /* NULL: came without an fd */
};

struct vus {
	char dir[32], path[64], dev[80];
	int listen, sock, memfd;
	pthread_t thread;
	pthread_mutex_t lock; /* what follows is looked at while the thread runs */
	/* behaviour */
	const char *caps;
	uint32_t info_flags;
	void (*tweak)(struct vus *s, const struct vus_msg *req, struct vus_msg *rep);
	unsigned at; /* for tweaks: the message (1, 2, ...) to act on */
	uint64_t seed;
	/* the device */
	uint8_t cfg[4096], bar[VUS_BAR];
	uint8_t *area;
	int irqs[VUS_VECS];
	/* what was seen */
	struct vus_map maps[VUS_MAPS];
	unsigned n_maps, n_msgs, n_resets, n_irq_msgs, n_by_cmd[32];
	uint32_t max_count;
	struct vu_hdr answer; /* the client's reply to a command of the server */
	uint8_t answer_body[256];
};

/*
 * Shared memory mapped in this process: what a leak of the client would leave. (Threads leave
 * inaccessible mappings of their own, which unit_maps() would count.)
 */
static inline unsigned vus_mapped(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:") != NULL;
	fclose(f);
	return n;
}

/* --- messages --- */

/* Return: false when the client has closed the socket. */
static inline bool vus_recv(struct vus *s, struct vus_msg *m)
{
	char ctl[CMSG_SPACE(VUS_FDS * sizeof(int))];
	size_t at = 0, want = sizeof(m->h);

	m->n_fds = 0;
	m->len = 0;
	while (at < want) {
		char *to = at < sizeof(m->h) ? (char *)&m->h + at
					     : (char *)m->body + at - sizeof(m->h);
		struct iovec iov = { to, (at < sizeof(m->h) ? sizeof(m->h) : want) - at };
		struct msghdr mh = { .msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = ctl,
				     .msg_controllen = sizeof(ctl) };
		ssize_t n = recvmsg(s->sock, &mh, MSG_CMSG_CLOEXEC);
		struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL;

		if (n <= 0)
			return false;
		if (c) {
			m->n_fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
		}
		at += (size_t)n;
		if (at == sizeof(m->h)) {
			want = m->h.size;
			assert(want >= sizeof(m->h) && want <= sizeof(m->h) + VUS_BODY);
		}
	}
	m->len = want - sizeof(m->h);
	return true;
}

static inline void vus_send_raw(struct vus *s, const void *p, size_t len, const int *fds,
				unsigned n_fds)
{
	char ctl[CMSG_SPACE(VUS_FDS * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)p, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		struct cmsghdr *c;

		mh.msg_control = ctl;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	/* The client may be gone by now; that is no error of the server's. */
	(void)!sendmsg(s->sock, &mh, MSG_NOSIGNAL);
}

static inline void vus_send(struct vus *s, const struct vus_msg *m)
{
	vus_send_raw(s, m, sizeof(m->h) + m->len, m->fds, m->n_fds);
}

/* Send a command to the client and wait for its reply, into s->answer. */
static inline bool vus_ask(struct vus *s, unsigned cmd, uint64_t addr, uint64_t count,
			   const void *data, size_t len)
{
	static const struct vu_hdr none;
	struct vu_dma_rw rw = { addr, count };
	struct vus_msg *m = calloc(1, sizeof(*m));
	bool ok;

	m->h = (struct vu_hdr){ .id = 77, .cmd = (uint16_t)cmd };
	m->len = sizeof(rw) + len;
	memcpy(m->body, &rw, sizeof(rw));
	if (len)
		memcpy(m->body + sizeof(rw), data, len);
	m->h.size = (uint32_t)(sizeof(m->h) + m->len);
	vus_send(s, m);
	ok = vus_recv(s, m);
	pthread_mutex_lock(&s->lock);
	s->answer = ok ? m->h : none;
	memcpy(s->answer_body, m->body, sizeof(s->answer_body));
	pthread_mutex_unlock(&s->lock);
	free(m);
	return ok;
}

/* --- the device --- */

static inline void vus_error(struct vus_msg *rep, int err)
{
	rep->h.flags |= VU_F_ERROR;
	rep->h.error = (uint32_t)err;
	rep->len = 0;
}

static inline void vus_region_info(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	struct {
		struct vu_region_info i;
		struct vu_cap cap;
		uint32_t n, reserved;
		uint64_t off, size;
	} r = { .i = { .argsz = sizeof(r.i) } };

	memcpy(&r.i.index, &((const struct vu_region_info *)req->body)->index, 4);
	if (r.i.index == VFIO_PCI_CONFIG_REGION_INDEX)
		r.i.size = sizeof(s->cfg);
	if (r.i.index == 0)
		r.i.size = VUS_BAR;
	if (r.i.size)
		r.i.flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	rep->len = sizeof(r.i);
	if (r.i.index == 0) {
		r.i.flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
		r.i.argsz = sizeof(r);
		r.i.cap_offset = sizeof(r.i);
		r.cap.id = VU_CAP_SPARSE;
		r.cap.version = 1;
		r.n = 1;
		r.off = VUS_AREA;
		r.size = 0x1000;
		rep->len = sizeof(r);
		rep->fds[rep->n_fds++] = s->memfd;
	}
	memcpy(rep->body, &r, sizeof(r));
}

static inline void vus_access(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	struct vu_region_rw rw;
	uint8_t *mem;
	size_t size;

	memcpy(&rw, req->body, sizeof(rw));
	mem = rw.region ? s->cfg : s->bar;
	size = rw.region ? sizeof(s->cfg) : sizeof(s->bar);
	if (rw.count > s->max_count)
		s->max_count = rw.count;
	if (rw.offset > size || rw.count > size - rw.offset || rw.count > 1024) {
		vus_error(rep, EINVAL);
		return;
	}
	memcpy(rep->body, &rw, sizeof(rw));
	rep->len = sizeof(rw);
	if (req->h.cmd == VU_REGION_WRITE) {
		memcpy(mem + rw.offset, req->body + sizeof(rw), rw.count);
	} else {
		memcpy(rep->body + sizeof(rw), mem + rw.offset, rw.count);
		rep->len += rw.count;
	}
}

static inline void vus_dma_map(struct vus *s, struct vus_msg *req, struct vus_msg *rep)
{
	struct vu_dma_map r;
	struct vus_map *m = &s->maps[s->n_maps];

	memcpy(&r, req->body, sizeof(r));
	for (unsigned i = 0; i < s->n_maps; i++)
		if (s->maps[i].addr == r.addr) {
			vus_error(rep, EEXIST);
			return;
		}
	*m = (struct vus_map){ .addr = r.addr, .size = r.size, .flags = r.flags };
	if (req->n_fds) {
		m->va = mmap(NULL, r.size, PROT_READ | PROT_WRITE, MAP_SHARED, req->fds[0],
			     (off_t)r.offset);
		assert(m->va != MAP_FAILED);
	}
	s->n_maps++;
}

static inline void vus_dma_unmap(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	struct vu_dma_unmap r;

	memcpy(&r, req->body, sizeof(r));
	for (unsigned i = 0; i < s->n_maps; i++) {
		if (s->maps[i].addr != r.addr || s->maps[i].size != r.size)
			continue;
		if (s->maps[i].va)
			munmap(s->maps[i].va, r.size);
		s->maps[i] = s->maps[--s->n_maps];
		memcpy(rep->body, &r, sizeof(r));
		rep->len = sizeof(r);
		return;
	}
	vus_error(rep, ENOENT);
}

static inline void vus_set_irqs(struct vus *s, struct vus_msg *req, struct vus_msg *rep)
{
	struct vu_irq_set r;

	memcpy(&r, req->body, sizeof(r));
	s->n_irq_msgs++;
	if (req->n_fds > 2 || r.start + r.count > VUS_VECS) {
		vus_error(rep, EINVAL);
		return;
	}
	for (unsigned i = 0; i < VUS_VECS; i++) {
		bool mine = !r.count || (i >= r.start && i < r.start + r.count);

		if (mine && s->irqs[i] >= 0) {
			close(s->irqs[i]);
			s->irqs[i] = -1;
		}
	}
	for (unsigned i = 0; i < req->n_fds; i++) {
		s->irqs[r.start + i] = req->fds[i];
		req->fds[i] = -1;
	}
}

static inline void vus_version(struct vus *s, struct vus_msg *rep)
{
	size_t n = s->caps ? strlen(s->caps) + 1 : 0;

	memset(rep->body, 0, sizeof(struct vu_version));
	if (n)
		memcpy(rep->body + sizeof(struct vu_version), s->caps, n);
	rep->len = sizeof(struct vu_version) + n;
}

static inline void vus_irq_info(const struct vus_msg *req, struct vus_msg *rep)
{
	struct vu_irq_info r;

	memcpy(&r, req->body, sizeof(r));
	r.flags = VFIO_IRQ_INFO_EVENTFD;
	r.count = r.index == VFIO_PCI_MSIX_IRQ_INDEX ? VUS_VECS : 0;
	memcpy(rep->body, &r, sizeof(r));
	rep->len = sizeof(r);
}

static inline void vus_serve(struct vus *s, struct vus_msg *req, struct vus_msg *rep)
{
	struct vu_device_info info = { sizeof(info), s->info_flags, 9, 5 };

	if (req->h.cmd < 32)
		s->n_by_cmd[req->h.cmd]++;
	switch (req->h.cmd) {
	case VU_VERSION:
		vus_version(s, rep);
		break;
	case VU_GET_INFO:
		memcpy(rep->body, &info, sizeof(info));
		rep->len = sizeof(info);
		break;
	case VU_GET_REGION_INFO:
		vus_region_info(s, req, rep);
		break;
	case VU_GET_IRQ_INFO:
		vus_irq_info(req, rep);
		break;
	case VU_SET_IRQS:
		vus_set_irqs(s, req, rep);
		break;
	case VU_REGION_READ:
	case VU_REGION_WRITE:
		vus_access(s, req, rep);
		break;
	case VU_DMA_MAP:
		vus_dma_map(s, req, rep);
		break;
	case VU_DMA_UNMAP:
		vus_dma_unmap(s, req, rep);
		break;
	case VU_RESET:
		s->n_resets++;
		break;
	default:
		vus_error(rep, ENOTSUP);
	}
}

/* --- the thread --- */

static inline void vus_one(struct vus *s, struct vus_msg *req, struct vus_msg *rep)
{
	rep->h = (struct vu_hdr){ .id = req->h.id, .cmd = req->h.cmd, .flags = VU_F_REPLY };
	rep->len = rep->n_fds = 0;
	rep->drop = false;
	pthread_mutex_lock(&s->lock);
	s->n_msgs++;
	vus_serve(s, req, rep);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < req->n_fds; i++)
		if (req->fds[i] >= 0)
			close(req->fds[i]);
	rep->h.size = (uint32_t)(sizeof(rep->h) + rep->len);
	if (s->tweak)
		s->tweak(s, req, rep);
	if (!rep->drop)
		vus_send(s, rep);
}

static inline void *vus_run(void *arg)
{
	struct vus *s = arg;
	struct vus_msg *m = calloc(2, sizeof(*m));

	s->sock = accept(s->listen, NULL, NULL);
	while (s->sock >= 0 && vus_recv(s, &m[0]))
		vus_one(s, &m[0], &m[1]);
	if (s->sock >= 0)
		close(s->sock);
	free(m);
	return NULL;
}

static inline void vus_put(struct vus *s, unsigned at, unsigned size, uint32_t v)
{
	memcpy(s->cfg + at, &v, size);
}

static inline void vus_config(struct vus *s)
{
	vus_put(s, PCI_VENDOR_ID, 4, 0xabcd1234);
	vus_put(s, PCI_CLASS_REVISION, 4, 0x02000007);
	vus_put(s, PCI_SUBSYSTEM_VENDOR_ID, 4, 0x00020001);
	vus_put(s, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	vus_put(s, PCI_CAPABILITY_LIST, 1, 0x40);
	vus_put(s, 0x40, 2, 0x5000 | PCI_CAP_ID_PM);
	vus_put(s, 0x50, 2, PCI_CAP_ID_EXP);
	vus_put(s, 0x100, 4, 0x20000000 | 1 << 16 | PCI_EXT_CAP_ID_ERR);
	vus_put(s, 0x200, 4, 1 << 16 | PCI_EXT_CAP_ID_DSN);
	memcpy(s->bar + 8, &(uint32_t){ VUS_MAGIC }, 4);
}

/* A server that behaves; set what shall be otherwise, then vus_start(). */
static inline struct vus *vus_new(void)
{
	struct vus *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	strcpy(s->dir, "/tmp/weir-vus-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/s", s->dir);
	snprintf(s->dev, sizeof(s->dev), "vfio-user:%s", s->path);
	pthread_mutex_init(&s->lock, NULL);
	s->caps = VUS_CAPS;
	s->info_flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	memset(s->irqs, 0xff, sizeof(s->irqs));
	s->memfd = memfd_create("vus", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(s->memfd >= 0 && !ftruncate(s->memfd, VUS_BAR));
	s->area = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, s->memfd, VUS_AREA);
	assert_ptr_not_equal(s->area, MAP_FAILED);
	vus_config(s);
	return s;
}

static inline void vus_start(struct vus *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, s->path);
	s->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listen >= 0);
	assert_int_equal(bind(s->listen, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->listen, 4), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, vus_run, s), 0);
}

/* After the client has closed. */
static inline void vus_end(struct vus *s)
{
	shutdown(s->listen, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listen);
	for (unsigned i = 0; i < VUS_VECS; i++)
		if (s->irqs[i] >= 0)
			close(s->irqs[i]);
	for (unsigned i = 0; i < s->n_maps; i++)
		if (s->maps[i].va)
			munmap(s->maps[i].va, s->maps[i].size);
	munmap(s->area, 0x1000);
	close(s->memfd);
	unlink(s->path);
	rmdir(s->dir);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

#endif
