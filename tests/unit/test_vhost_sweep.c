/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of both ends of vhost-user with the n-th system call or allocation failing, for every n.
 * The calls are wrapped by the linker (see the Makefile); those of the serving thread are left alone.
 */
#include "sweep.h"
#include "vhost_env.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

SWEEP_WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
SWEEP_WRAP(void *, NULL, aligned_alloc, (size_t a, size_t size), (a, size))
SWEEP_WRAP(char *, NULL, strdup, (const char *s), (s))
SWEEP_WRAP(int, -1, socket, (int d, int t, int p), (d, t, p))
SWEEP_WRAP(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
SWEEP_WRAP(int, -1, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
SWEEP_WRAP(int, -1, listen, (int fd, int n), (fd, n))
SWEEP_WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(int, -1, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
SWEEP_WRAP(int, -1, eventfd, (unsigned v, int f), (v, f))
SWEEP_WRAP(int, -1, epoll_create1, (int f), (f))

static const struct sweep_kind kinds[] = {
	{ "calloc", ENOMEM },	   { "aligned_alloc", ENOMEM }, { "strdup", ENOMEM },
	{ "socket", EMFILE },	   { "connect", EACCES },	{ "bind", EACCES },
	{ "listen", EACCES },	   { "sendmsg", ECONNRESET },	{ "sendmsg", EINTR },
	{ "recvmsg", ECONNRESET }, { "recvmsg", EINTR },	{ "poll", ENOMEM },
	{ "poll", EINTR },	   { "eventfd", EMFILE },	{ "epoll_create1", EMFILE },
};

static bool is_up(struct env_side *s)
{
	struct weir_link l;

	assert_int_equal(weir_port_link(s->port, &l), 0);
	return l.up;
}

/* Both ends up, a packet each way, both ends down. Return: the first error. */
static int life(void)
{
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64, .rx_intr = true };
	unsigned fds = unit_fds(), maps = unit_maps();
	static bool warm;
	struct env e;
	int err;

	env_begin(&e);
	sweep.on = true;
	err = env_port(&e.be, "vhost", e.path, "", &c);
	if (!err) {
		sweep.on = false;
		env_serving(&e, true);
		sweep.on = true;
		err = env_port(&e.fe, "vhost-user", e.path, "", &c);
		sweep.on = false;
		env_serving(&e, false);
	}
	sweep.on = false;
	/* Lost in its last messages, a back end is one that will come back. */
	if (!err && !is_up(&e.fe))
		err = -ENOLINK;
	if (!err) {
		env_pass(&e.fe, &e.be, 0, 1, 80, 1);
		env_pass(&e.be, &e.fe, 0, 1, 80, 2);
	}
	env_end(&e);
	/* What was opened is closed, and what was mapped is not any more. */
	assert_int_equal(unit_fds(), fds);
	/* A first thread leaves its stack for the next. */
	if (warm)
		assert_int_equal(unit_maps(), maps);
	warm = true;
	return err;
}

static void test_sweep(void **state)
{
	(void)state;
	sweep_all(kinds, WEIR_ARRAY_SIZE(kinds), life);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sweep) };

	return cmocka_run_group_tests_name("vhost_sweep", tests, NULL, NULL);
}
