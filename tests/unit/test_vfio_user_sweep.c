/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device's life with the n-th system call or allocation of the client failing, for every n. The
 * calls are wrapped by the linker (see the Makefile); those of the server's thread are left alone.
 */
#include "sweep.h"
#include "vfio_user_script.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

SWEEP_WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
SWEEP_WRAP(void *, NULL, realloc, (void *p, size_t size), (p, size))
SWEEP_WRAP(int, -1, socket, (int d, int t, int p), (d, t, p))
SWEEP_WRAP(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
SWEEP_WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(int, -1, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
SWEEP_WRAP(void *, MAP_FAILED, mmap, (void *a, size_t n, int p, int f, int fd, off_t o),
	   (a, n, p, f, fd, o))
SWEEP_WRAP(int, -1, fcntl, (int fd, int cmd, long arg), (fd, cmd, arg))
SWEEP_WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st))
SWEEP_WRAP(int, -1, eventfd, (unsigned v, int f), (v, f))

static void arm(bool on)
{
	sweep.on = on;
}

static const struct sweep_kind kinds[] = {
	{ "calloc", ENOMEM },  { "realloc", ENOMEM },	  { "socket", EMFILE },
	{ "connect", EACCES }, { "sendmsg", EPIPE },	  { "sendmsg", ENOMEM },
	{ "sendmsg", EINTR },  { "recvmsg", ECONNRESET }, { "recvmsg", EINTR },
	{ "poll", ENOMEM },    { "poll", EINTR },	  { "mmap", ENOMEM },
	{ "fcntl", EPERM },    { "fstat", EIO },	  { "eventfd", EMFILE },
};

static int life(void)
{
	struct script t;

	script_begin(&t, 5000);
	t.arm = arm;
	return script_run(&t);
}

static void test_sweep(void **state)
{
	(void)state;
	sweep_all(kinds, WEIR_ARRAY_SIZE(kinds), life);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sweep) };

	return cmocka_run_group_tests_name("vfio_user_sweep", tests, NULL, NULL);
}
