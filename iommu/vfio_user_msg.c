/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio-user messages over a UNIX socket. One command is under way at a time; while its reply is
 * awaited the server may send commands of its own (DMA_READ, DMA_WRITE), which are served from the
 * list of what it may reach. A server that breaks the framing cannot be understood any more: the
 * connection is shut down, reported once, and every later call fails with -ENODEV.
 */
#include "core/clock.h"
#include "iommu/vfio_user.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* Messages served in one vu_service(): an endless stream must not hold the caller. */
#define SERVICE_MAX 64

/* --- the end of a connection --- */

static void shut(struct vu_conn *c)
{
	c->broken = true;
	shutdown(c->sock, SHUT_RDWR);
}

static int vviolation(struct vu_conn *c, const char *fmt, va_list ap)
{
	char what[160];

	if (c->broken)
		return -ENODEV;
	vsnprintf(what, sizeof(what), fmt, ap);
	shut(c);
	return weir_fail(c->w, EPROTO, "vfio-user-protocol",
			 "%s: the server broke the vfio-user protocol (%s); the device is not used "
			 "any more: restart the server",
			 c->name, what);
}

/* With the lock held. */
static int weir_printf(2, 3) violation(struct vu_conn *c, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = vviolation(c, fmt, ap);
	va_end(ap);
	return err;
}

int vu_violation(struct vu_conn *c, const char *fmt, ...)
{
	va_list ap;
	int err;

	pthread_mutex_lock(&c->lock);
	va_start(ap, fmt);
	err = vviolation(c, fmt, ap);
	va_end(ap);
	pthread_mutex_unlock(&c->lock);
	return err;
}

bool vu_is_broken(struct vu_conn *c)
{
	bool b;

	pthread_mutex_lock(&c->lock);
	b = c->broken;
	pthread_mutex_unlock(&c->lock);
	return b;
}

/* A system call on the socket failed, the server hung up, or it did not answer in time. */
static int lost(struct vu_conn *c, int err)
{
	if (c->broken)
		return -ENODEV;
	shut(c);
	if (err == -ETIMEDOUT)
		return weir_fail(c->w, ETIMEDOUT, "vfio-user-timeout",
				 "%s: the server did not answer within %u ms; it hangs, or serves "
				 "another client",
				 c->name, c->timeout_ms);
	return weir_fail(c->w, ENODEV, "device-gone", "%s: the server is gone (%s)", c->name,
			 err == -ENODEV ? "it closed the socket" : weir_strerror(err));
}

/* --- bytes and fds --- */

void vu_fds_close(struct vu_fds *fds)
{
	for (unsigned i = 0; i < fds->n; i++)
		if (fds->fd[i] >= 0)
			close(fds->fd[i]);
	fds->n = 0;
}

static int wait_for(struct vu_conn *c, short what, struct weir_deadline end)
{
	struct pollfd p = { .fd = c->sock, .events = what };

	for (;;) {
		uint64_t now = weir_now_ns();
		int n;

		if (now >= end.end)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)((end.end - now + 999999) / 1000000));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static void put_fds(struct msghdr *m, const int *fds, unsigned n)
{
	struct cmsghdr *h;

	m->msg_controllen = CMSG_SPACE(n * sizeof(int));
	h = CMSG_FIRSTHDR(m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
}

static void advance(struct msghdr *m, size_t n)
{
	while (m->msg_iovlen && n >= m->msg_iov->iov_len) {
		n -= m->msg_iov->iov_len;
		m->msg_iov++;
		m->msg_iovlen--;
	}
	if (m->msg_iovlen) {
		m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + n;
		m->msg_iov->iov_len -= n;
	}
}

/* Send it all; the fds go with the first byte. */
static int send_all(struct vu_conn *c, struct iovec *iov, unsigned n_iov, const int *fds,
		    unsigned n_fds, struct weir_deadline end)
{
	union {
		char room[CMSG_SPACE(VU_SEND_FDS * sizeof(int))];
		struct cmsghdr align;
	} ctl = { .room = { 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n_iov };

	if (fds && n_fds) {
		m.msg_control = &ctl;
		put_fds(&m, fds, n_fds);
	}
	while (m.msg_iovlen) {
		ssize_t n = sendmsg(c->sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		int err = 0;

		if (n >= 0) {
			advance(&m, (size_t)n);
			m.msg_control = NULL;
			m.msg_controllen = 0;
		} else if (errno == EAGAIN) {
			err = wait_for(c, POLLOUT, end);
		} else if (errno != EINTR) {
			err = -errno;
		}
		if (err)
			return lost(c, err);
	}
	return 0;
}

static void take_fds(struct msghdr *m, struct vu_fds *fds)
{
	if (m->msg_flags & MSG_CTRUNC)
		fds->over = true;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		unsigned n = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (fds->n < VU_MAX_FDS) {
				fds->fd[fds->n++] = fd;
			} else {
				close(fd);
				fds->over = true;
			}
		}
	}
}

/* Return: bytes > 0, or negative errno when the connection is lost. */
static ssize_t recv_some(struct vu_conn *c, void *buf, size_t len, struct vu_fds *fds,
			 struct weir_deadline end)
{
	union {
		char room[CMSG_SPACE(VU_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} ctl;

	for (;;) {
		struct iovec iov = { .iov_base = buf, .iov_len = len };
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = &ctl,
				    .msg_controllen = sizeof(ctl) };
		ssize_t n = recvmsg(c->sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int err = 0;

		if (n > 0) {
			take_fds(&m, fds);
			return n;
		}
		if (!n)
			err = -ENODEV;
		else if (errno == EAGAIN)
			err = wait_for(c, POLLIN, end);
		else if (errno != EINTR)
			err = -errno;
		if (err)
			return lost(c, err);
	}
}

static int recv_all(struct vu_conn *c, void *buf, size_t len, struct vu_fds *fds,
		    struct weir_deadline end)
{
	for (size_t at = 0; at < len;) {
		ssize_t n;

		/* A trickle that is always ready would pass by the wait. */
		if (weir_deadline_passed(end))
			return lost(c, -ETIMEDOUT);
		n = recv_some(c, (char *)buf + at, len - at, fds, end);
		if (n < 0)
			return (int)n;
		at += (size_t)n;
	}
	return 0;
}

static int discard(struct vu_conn *c, size_t len, struct vu_fds *fds, struct weir_deadline end)
{
	char waste[4096];
	int err = 0;

	while (len && !err) {
		size_t n = len < sizeof(waste) ? len : sizeof(waste);

		err = recv_all(c, waste, n, fds, end);
		len -= n;
	}
	return err;
}

/* --- commands of the server --- */

static const struct vu_map *find(struct vu_conn *c, uint64_t addr, uint64_t count, unsigned prot)
{
	for (unsigned i = 0; i < c->n_maps; i++) {
		const struct vu_map *m = &c->maps[i];

		if (addr >= m->iova && addr - m->iova < m->len &&
		    count <= m->len - (addr - m->iova) && (m->prot & prot) == prot)
			return m;
	}
	return NULL;
}

/* Where @count bytes at @addr are, or NULL: the server has no business there. */
static char *reach(struct vu_conn *c, const struct vu_dma_rw *rw, unsigned prot)
{
	const struct vu_map *m = NULL;

	if (rw->count && rw->count <= VU_MAX_XFER)
		m = find(c, rw->addr, rw->count, prot);
	if (m)
		return m->va + (rw->addr - m->iova);
	if (!c->told_fault)
		weir_log(
			c->w, WEIR_LOG_WARN, "dma-fault",
			"%s: the server asked to %s %llu bytes at %#llx, which it may not; refused "
			"(reported once)",
			c->name, prot == WEIR_PROT_READ ? "read" : "write",
			(unsigned long long)rw->count, (unsigned long long)rw->addr);
	c->told_fault = true;
	return NULL;
}

static int reply(struct vu_conn *c, const struct vu_hdr *to, int error, struct iovec *body,
		 unsigned n, struct weir_deadline end)
{
	struct vu_hdr h = { .id = to->id, .cmd = to->cmd, .size = sizeof(h), .flags = VU_F_REPLY };
	struct iovec iov[3] = { { .iov_base = &h, .iov_len = sizeof(h) } };

	if (to->flags & VU_F_NO_REPLY)
		return 0;
	if (error) {
		h.flags |= VU_F_ERROR;
		h.error = (uint32_t)error;
		n = 0;
	}
	for (unsigned i = 0; i < n; i++) {
		iov[i + 1] = body[i];
		h.size += (uint32_t)body[i].iov_len;
	}
	return send_all(c, iov, n + 1, NULL, 0, end);
}

static int serve_dma(struct vu_conn *c, const struct vu_hdr *h, struct vu_fds *fds,
		     struct weir_deadline end)
{
	bool wr = h->cmd == VU_DMA_WRITE;
	size_t left = h->size - sizeof(*h);
	struct vu_dma_rw rw = { .count = 0 };
	struct iovec body[2] = { { &rw, sizeof(rw) } };
	char *va;
	int err;

	if (left < sizeof(rw))
		return violation(c, "a DMA request of %zu bytes", left);
	err = recv_all(c, &rw, sizeof(rw), fds, end);
	if (err)
		return err;
	left -= sizeof(rw);
	if (left != (wr ? rw.count : 0))
		return violation(c, "a DMA request for %llu bytes with %zu bytes of data",
				 (unsigned long long)rw.count, left);
	va = reach(c, &rw, wr ? WEIR_PROT_WRITE : WEIR_PROT_READ);
	if (!va) {
		err = discard(c, left, fds, end);
		return err ? err : reply(c, h, EFAULT, NULL, 0, end);
	}
	if (wr)
		err = recv_all(c, va, left, fds, end);
	else
		body[1] = (struct iovec){ .iov_base = va, .iov_len = (size_t)rw.count };
	return err ? err : reply(c, h, 0, body, wr ? 1 : 2, end);
}

static int serve(struct vu_conn *c, const struct vu_hdr *h, struct vu_fds *fds,
		 struct weir_deadline end)
{
	int err;

	if (h->cmd == VU_DMA_READ || h->cmd == VU_DMA_WRITE)
		return serve_dma(c, h, fds, end);
	err = discard(c, h->size - sizeof(*h), fds, end);
	return err ? err : reply(c, h, EOPNOTSUPP, NULL, 0, end);
}

/* --- replies --- */

static int recv_header(struct vu_conn *c, struct vu_hdr *h, struct vu_fds *fds,
		       struct weir_deadline end)
{
	int err = recv_all(c, h, sizeof(*h), fds, end);

	if (err)
		return err;
	if (h->size < sizeof(*h) || h->size - sizeof(*h) > VU_MAX_XFER + sizeof(struct vu_dma_rw))
		return violation(c, "a message of %u bytes", h->size);
	if ((h->flags & VU_F_TYPE_MASK) > VU_F_REPLY)
		return violation(c, "a message that is neither command nor reply: flags %#x",
				 h->flags);
	return 0;
}

static bool is_command(const struct vu_hdr *h)
{
	return (h->flags & VU_F_TYPE_MASK) == VU_F_COMMAND;
}

static int too_many_fds(struct vu_conn *c, const struct vu_fds *fds)
{
	return fds->over ? violation(c, "more than %d fds in one message", VU_MAX_FDS) : 0;
}

/* A command of the server, from its header to the answer. */
static int serve_one(struct vu_conn *c, const struct vu_hdr *h, struct vu_fds *fds,
		     struct weir_deadline end)
{
	int err = serve(c, h, fds, end);

	if (!err)
		err = too_many_fds(c, fds);
	vu_fds_close(fds);
	return err;
}

static int refused(struct vu_conn *c, struct vu_call *call, const struct vu_hdr *h,
		   struct vu_fds *fds, struct weir_deadline end)
{
	/* Without a number, or with one that is no errno, it is an error all the same. */
	int error = h->error && h->error < 4096 ? (int)h->error : EIO;
	int err = discard(c, h->size - sizeof(*h), fds, end);

	if (err)
		return err;
	if (call->quiet)
		return -error;
	return weir_fail(c->w, error, "vfio-user-refused", "%s: the server refused command %u: %s",
			 c->name, call->cmd, weir_strerror(error));
}

static int take_payload(struct vu_conn *c, struct vu_call *call, size_t len, struct vu_fds *fds,
			struct weir_deadline end)
{
	size_t first = len < call->reply_len ? len : call->reply_len;
	int err;

	if (len < call->min || len > call->reply_len + call->rdata_len)
		return violation(c, "%zu bytes in the reply to command %u", len, call->cmd);
	err = recv_all(c, call->reply, first, fds, end);
	if (!err && len > first)
		err = recv_all(c, call->rdata, len - first, fds, end);
	call->len = len;
	return err;
}

static int take_reply(struct vu_conn *c, struct vu_call *call, uint16_t id, struct vu_fds *fds,
		      struct weir_deadline end)
{
	struct vu_hdr h = { .size = 0 };
	int err;

	for (;;) {
		err = recv_header(c, &h, fds, end);
		if (err)
			return err;
		if (!is_command(&h))
			break;
		err = serve_one(c, &h, fds, end);
		if (err)
			return err;
	}
	if (h.id != id || h.cmd != call->cmd)
		return violation(c, "reply %u to command %u, expected was %u to %u", h.id, h.cmd,
				 id, call->cmd);
	if (h.flags & VU_F_ERROR)
		return refused(c, call, &h, fds, end);
	return take_payload(c, call, h.size - sizeof(h), fds, end);
}

static int exchange(struct vu_conn *c, struct vu_call *call, struct vu_fds *fds)
{
	struct weir_deadline end = weir_deadline_us(c->timeout_ms * 1000ull);
	struct vu_hdr h = {
		.id = c->next_id++,
		.cmd = (uint16_t)call->cmd,
		.size = (uint32_t)(sizeof(h) + call->req_len + call->data_len),
	};
	struct iovec iov[] = {
		{ .iov_base = &h, .iov_len = sizeof(h) },
		{ .iov_base = (void *)(uintptr_t)call->req, .iov_len = call->req_len },
		{ .iov_base = (void *)(uintptr_t)call->data, .iov_len = call->data_len },
	};
	int err = send_all(c, iov, WEIR_ARRAY_SIZE(iov), call->fds, call->n_fds, end);

	if (!err)
		err = take_reply(c, call, h.id, fds, end);
	/* An error reply may bring too many as well. */
	if (fds->over)
		err = too_many_fds(c, fds);
	return err;
}

int vu_call(struct vu_conn *c, struct vu_call *call)
{
	struct vu_fds fds = { .n = 0 };
	int err;

	pthread_mutex_lock(&c->lock);
	err = c->broken ? -ENODEV : exchange(c, call, &fds);
	pthread_mutex_unlock(&c->lock);
	if (!err && call->rfds)
		*call->rfds = fds;
	else
		vu_fds_close(&fds);
	return err;
}

static bool readable(struct vu_conn *c)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

int vu_service(struct vu_conn *c)
{
	int err = 0;

	pthread_mutex_lock(&c->lock);
	if (c->broken)
		err = -ENODEV;
	for (unsigned i = 0; i < SERVICE_MAX && !err && readable(c); i++) {
		struct weir_deadline end = weir_deadline_us(c->timeout_ms * 1000ull);
		struct vu_fds fds = { .n = 0 };
		struct vu_hdr h = { .size = 0 };

		err = recv_header(c, &h, &fds, end);
		if (!err && !is_command(&h))
			err = violation(c, "reply %u, which nobody waits for", h.id);
		if (!err)
			err = serve_one(c, &h, &fds, end);
		vu_fds_close(&fds);
	}
	pthread_mutex_unlock(&c->lock);
	return err ? -ENODEV : 0;
}

/* --- what the server may reach --- */

int vu_allow(struct vu_conn *c, const struct weir_iova_map *m)
{
	int err = 0;

	pthread_mutex_lock(&c->lock);
	if (c->n_maps == c->room) {
		unsigned room = c->room ? c->room * 2 : 16;
		struct vu_map *more = realloc(c->maps, room * sizeof(*more));

		if (more) {
			c->maps = more;
			c->room = room;
		} else {
			err = -ENOMEM;
		}
	}
	if (!err)
		c->maps[c->n_maps++] = (struct vu_map){ m->iova, m->len, m->va, m->prot };
	pthread_mutex_unlock(&c->lock);
	return err;
}

void vu_forbid(struct vu_conn *c, uint64_t iova)
{
	pthread_mutex_lock(&c->lock);
	for (unsigned i = 0; i < c->n_maps; i++) {
		if (c->maps[i].iova == iova) {
			c->maps[i] = c->maps[--c->n_maps];
			break;
		}
	}
	pthread_mutex_unlock(&c->lock);
}

/* --- connecting --- */

static int connect_by(int sock, const struct sockaddr_un *a, struct weir_deadline end)
{
	/* EAGAIN: the server's queue of connections is full. */
	for (;;) {
		if (!connect(sock, (const struct sockaddr *)a, sizeof(*a)))
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (weir_deadline_passed(end))
			return -ETIMEDOUT;
		weir_sleep_us(1000);
	}
}

/* A socket that somebody else connected. */
static int take_socket(struct vu_conn *c, int fd)
{
	c->sock = fd;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return weir_fail(c->w, errno, "socket", "%s: fd %d: %s", c->name, fd,
				 weir_strerror(errno));
	return 0;
}

int vu_connect(struct vu_conn *c, struct weir *w, const char *name, const char *path, int fd,
	       unsigned timeout_ms)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int err;

	*c = (struct vu_conn){ .w = w, .name = name, .sock = -1, .timeout_ms = timeout_ms };
	pthread_mutex_init(&c->lock, NULL);
	if (fd >= 0)
		return take_socket(c, fd);
	if (strlen(path) >= sizeof(a.sun_path))
		return weir_fail(w, ENAMETOOLONG, "socket-path",
				 "%s: a UNIX socket's path has at most %zu characters", name,
				 sizeof(a.sun_path) - 1);
	strcpy(a.sun_path, path);
	c->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->sock < 0)
		return weir_fail(w, errno, "socket", "%s: no socket: %s", name,
				 weir_strerror(errno));
	err = connect_by(c->sock, &a, weir_deadline_us(timeout_ms * 1000ull));
	if (err)
		return weir_fail(
			w, err, "vfio-user-connect", "%s: cannot connect: %s%s", name,
			weir_strerror(err),
			err == -ECONNREFUSED ? "; the server that made the socket has ended" : "");
	return 0;
}

void vu_disconnect(struct vu_conn *c)
{
	weir_close_fd(&c->sock);
	free(c->maps);
	c->maps = NULL;
	pthread_mutex_destroy(&c->lock);
}
