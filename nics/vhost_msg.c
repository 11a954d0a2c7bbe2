/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of vhost-user over a socket: whole ones, bounded in length, fds and time. */
#include "nics/vhost_msg.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const names[VHOST_USER_MAX] = {
	[VHOST_USER_GET_FEATURES] = "GET_FEATURES",
	[VHOST_USER_SET_FEATURES] = "SET_FEATURES",
	[VHOST_USER_SET_OWNER] = "SET_OWNER",
	[VHOST_USER_RESET_OWNER] = "RESET_OWNER",
	[VHOST_USER_SET_MEM_TABLE] = "SET_MEM_TABLE",
	[VHOST_USER_SET_LOG_BASE] = "SET_LOG_BASE",
	[VHOST_USER_SET_LOG_FD] = "SET_LOG_FD",
	[VHOST_USER_SET_VRING_NUM] = "SET_VRING_NUM",
	[VHOST_USER_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[VHOST_USER_SET_VRING_BASE] = "SET_VRING_BASE",
	[VHOST_USER_GET_VRING_BASE] = "GET_VRING_BASE",
	[VHOST_USER_SET_VRING_KICK] = "SET_VRING_KICK",
	[VHOST_USER_SET_VRING_CALL] = "SET_VRING_CALL",
	[VHOST_USER_SET_VRING_ERR] = "SET_VRING_ERR",
	[VHOST_USER_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[VHOST_USER_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[VHOST_USER_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[VHOST_USER_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[VHOST_USER_SEND_RARP] = "SEND_RARP",
	[VHOST_USER_NET_SET_MTU] = "NET_SET_MTU",
	[VHOST_USER_GET_CONFIG] = "GET_CONFIG",
	[VHOST_USER_GET_INFLIGHT_FD] = "GET_INFLIGHT_FD",
	[VHOST_USER_SET_INFLIGHT_FD] = "SET_INFLIGHT_FD",
	[VHOST_USER_RESET_DEVICE] = "RESET_DEVICE",
	[VHOST_USER_SET_STATUS] = "SET_STATUS",
	[VHOST_USER_GET_STATUS] = "GET_STATUS",
};

const char *vhost_req_name(uint32_t req)
{
	return req < VHOST_USER_MAX && names[req] ? names[req] : "?";
}

void vhost_fds_close(struct vhost_fds *f)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->fd[i] >= 0)
			close(f->fd[i]);
	f->n = 0;
}

int vhost_fds_take(struct vhost_fds *f, unsigned i)
{
	int fd = i < f->n ? f->fd[i] : -1;

	if (i < f->n)
		f->fd[i] = -1;
	return fd;
}

int vhost_wait(int sock, short events, struct weir_deadline end)
{
	struct pollfd p = { .fd = sock, .events = events };

	for (;;) {
		uint64_t now = weir_now_ns();
		int n;

		if (now >= end.end)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)weir_min_u64((end.end - now + 999999) / 1000000, 60000));
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static void put_fds(struct msghdr *mh, void *ctl, const int *fds, unsigned n)
{
	struct cmsghdr *c;

	mh->msg_control = ctl;
	mh->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

int vhost_send(int sock, const struct vhost_msg *m, const int *fds, unsigned n,
	       struct weir_deadline end)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(VHOST_MAX_FDS * sizeof(int))];
	} ctl = { 0 };
	size_t len = VHOST_HDR_LEN + m->size, done = 0;

	if (n > VHOST_MAX_FDS || len > sizeof(*m))
		return -EINVAL;
	while (done < len) {
		struct iovec iov = { .iov_base = (char *)m + done, .iov_len = len - done };
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t r;
		int err;

		if (fds && n && !done)
			put_fds(&mh, &ctl, fds, n);
		r = sendmsg(sock, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r > 0) {
			done += (size_t)r;
			continue;
		}
		if (r < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		err = vhost_wait(sock, POLLOUT, end);
		if (err)
			return err;
	}
	return 0;
}

/* Keep the fds of one recvmsg(). Return: 0; -EPROTO when there are more than there may be. */
static int get_fds(struct msghdr *mh, struct vhost_fds *fds)
{
	int err = mh->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		unsigned n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (fds->n < VHOST_MAX_FDS) {
				fds->fd[fds->n++] = fd;
			} else {
				close(fd);
				err = -EPROTO;
			}
		}
	}
	return err;
}

/* Read up to @len bytes; fds may come with any part of a message. Return: bytes, or negative errno. */
static int recv_bytes(int sock, void *buf, size_t len, struct vhost_fds *fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(VHOST_MAX_FDS * sizeof(int))];
	} ctl;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl)
	};
	ssize_t r = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int err;

	if (!r)
		return -ENOTCONN;
	if (r < 0)
		return -errno;
	err = get_fds(&mh, fds);
	return err ? err : (int)r;
}

/* Bytes that the message has, as far as is known. */
static size_t msg_len(const struct vhost_msg *m, size_t done)
{
	return done < VHOST_HDR_LEN ? VHOST_HDR_LEN : VHOST_HDR_LEN + (size_t)m->size;
}

int vhost_recv_part(int sock, struct vhost_msg *m, struct vhost_fds *fds, size_t *done)
{
	int r;

	if (!*done) {
		memset(m, 0, sizeof(*m));
		fds->n = 0;
	}
	while (!*done || *done < msg_len(m, *done)) {
		r = recv_bytes(sock, (char *)m + *done, msg_len(m, *done) - *done, fds);
		if (r == -EAGAIN)
			return 0;
		if (r == -EINTR)
			continue;
		if (r > 0)
			*done += (size_t)r;
		if (r > 0 && *done == VHOST_HDR_LEN &&
		    (m->size > sizeof(*m) - VHOST_HDR_LEN ||
		     (m->flags & VHOST_MSG_VERSION_MASK) != VHOST_MSG_VERSION))
			r = -EPROTO;
		if (r < 0) {
			vhost_fds_close(fds);
			*done = 0;
			return r;
		}
	}
	*done = 0;
	return 1;
}

int vhost_recv(int sock, struct vhost_msg *m, struct vhost_fds *fds, struct weir_deadline end)
{
	size_t done = 0;

	for (;;) {
		int r = vhost_recv_part(sock, m, fds, &done);

		if (!r)
			r = vhost_wait(sock, POLLIN, end);
		else if (r > 0)
			return 0;
		if (r < 0) {
			vhost_fds_close(fds);
			return r;
		}
	}
}

static int address(const char *path, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	strcpy(sa->sun_path, path);
	return 0;
}

int vhost_connect(const char *path)
{
	struct sockaddr_un sa;
	int err = address(path, &sa), fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Whether @path is a socket that its process has left behind. */
static bool is_stale(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = vhost_connect(path);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

int vhost_listen(const char *path)
{
	struct sockaddr_un sa;
	int err = address(path, &sa), fd;

	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (is_stale(path))
		unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		err = -errno;
		close(fd);
		return err;
	}
	if (listen(fd, 1)) {
		err = -errno;
		close(fd);
		unlink(path);
		return err;
	}
	return fd;
}

int vhost_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int vhost_peek(int sock)
{
	char c;
	ssize_t r = recv(sock, &c, 1, MSG_PEEK | MSG_DONTWAIT);

	if (r > 0)
		return 1;
	if (!r)
		return -ENOTCONN;
	return errno == EAGAIN || errno == EINTR ? 0 : -ENOTCONN;
}
