/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated NIC's server and a client of the tests' own that writes its messages by hand. */
#ifndef WEIR_TESTS_NICSIM_VUSER_ENV_H
#define WEIR_TESTS_NICSIM_VUSER_ENV_H

#include "apps/nicsim/vuser.h"
#include "unit.h"

#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct weir *w;
static struct vu *vu;
static int sock;
static char path[64];
static uint8_t buf[VU_MSG_MAX];
static int got_fd;

static inline void dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(sock, (void *)&a, sizeof(a)), 0);
	assert_true(vu_accept(vu));
}

static inline int setup(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };

	(void)state;
	w = unit_weir();
	snprintf(path, sizeof(path), "/tmp/nicsim-test-%d.sock", (int)getpid());
	assert_int_equal(vu_open(w, path, 4, mac, &vu), 0);
	dial();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	close(sock);
	vu_close(vu);
	weir_close(w);
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

static inline void transmit(const void *data, size_t len, const int *fds, unsigned n_fds)
{
	struct iovec iov = { (void *)(uintptr_t)data, len };
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(128 * sizeof(int))];
	} ctl = { 0 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		mh.msg_control = ctl.b;
		mh.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		CMSG_FIRSTHDR(&mh)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&mh)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&mh)->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&mh)), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &mh, MSG_NOSIGNAL), (ssize_t)len);
}

static inline void command(unsigned cmd, const void *payload, size_t len, const int *fds,
			   unsigned n_fds)
{
	static uint8_t m[VU_MSG_MAX];
	struct vu_hdr h = { .id = 77, .cmd = (uint16_t)cmd, .size = (uint32_t)(sizeof(h) + len) };

	memcpy(m, &h, sizeof(h));
	if (len)
		memcpy(m + sizeof(h), payload, len);
	transmit(m, sizeof(h) + len, fds, n_fds);
}

/* The reply: 0 or negative errno, its payload in buf; -ECONNRESET if the server hung up. */
static inline int answer(void)
{
	struct iovec iov = { buf, sizeof(buf) };
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(8 * sizeof(int))];
	} ctl;
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = ctl.b,
			     .msg_controllen = sizeof(ctl.b) };
	struct vu_hdr h;
	ssize_t n;

	vu_poll(vu);
	got_fd = -1;
	n = recvmsg(sock, &mh, MSG_DONTWAIT);
	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	memcpy(&h, buf, sizeof(h));
	assert_int_equal(h.size, n);
	assert_int_equal(h.id, 77);
	assert_int_equal(h.flags & VU_F_TYPE_MASK, VU_F_REPLY);
	if (CMSG_FIRSTHDR(&mh))
		memcpy(&got_fd, CMSG_DATA(CMSG_FIRSTHDR(&mh)), sizeof(int));
	if (h.flags & VU_F_ERROR) {
		assert_int_equal(h.size, sizeof(h));
		return -(int)h.error;
	}
	memmove(buf, buf + sizeof(h), (size_t)n - sizeof(h));
	return 0;
}

static inline int ask(unsigned cmd, const void *payload, size_t len)
{
	command(cmd, payload, len, NULL, 0);
	return answer();
}

static inline void negotiate(void)
{
	struct vu_version v = { .major = VU_MAJOR, .minor = VU_MINOR };

	assert_int_equal(ask(VU_VERSION, &v, sizeof(v)), 0);
	assert_non_null(strstr((char *)buf + sizeof(v), "max_msg_fds\":16,"));
}

static inline uint32_t reg_read(unsigned region, uint64_t off)
{
	struct vu_region_rw rw = { .offset = off, .region = region, .count = 4 };
	uint32_t v;

	assert_int_equal(ask(VU_REGION_READ, &rw, sizeof(rw)), 0);
	memcpy(&v, buf + sizeof(rw), 4);
	return v;
}

static inline int reg_write(unsigned region, uint64_t off, uint32_t v)
{
	struct {
		struct vu_region_rw rw;
		uint32_t v;
		uint32_t pad;
	} m = { { .offset = off, .region = region, .count = 4 }, v, 0 };

	return ask(VU_REGION_WRITE, &m, sizeof(m.rw) + 4);
}

#endif
