/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device's life with the n-th system call or allocation of the client failing, for every n. The
 * calls are wrapped by the linker (see the Makefile); those of the server's thread are left alone.
 */
#include "vfio_user_script.h"

#include <sys/eventfd.h>
#include <sys/stat.h>

static struct {
	pthread_t thread;
	bool on;
	unsigned seen; /* calls of the kind until now */
	unsigned fail; /* the one that fails; 0: none */
	int error;
	const char *kind;
} sweep;

static bool fails(const char *kind)
{
	if (!pthread_equal(pthread_self(), sweep.thread) || !sweep.on ||
	    strcmp(kind, sweep.kind) != 0)
		return false;
	if (++sweep.seen != sweep.fail)
		return false;
	errno = sweep.error;
	return true;
}

#define WRAP(ret, bad, name, args, pass)                          \
	ret __real_##name args;                                   \
	ret __wrap_##name args;                                   \
	ret __wrap_##name args                                    \
	{                                                         \
		return fails(#name) ? (bad) : __real_##name pass; \
	}

WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, realloc, (void *p, size_t size), (p, size))
WRAP(int, -1, socket, (int d, int t, int p), (d, t, p))
WRAP(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAP(int, -1, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
WRAP(void *, MAP_FAILED, mmap, (void *a, size_t n, int p, int f, int fd, off_t o),
     (a, n, p, f, fd, o))
WRAP(int, -1, fcntl, (int fd, int cmd, long arg), (fd, cmd, arg))
WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st))
WRAP(int, -1, eventfd, (unsigned v, int f), (v, f))

static void arm(bool on)
{
	sweep.on = on;
}

static const struct kind {
	const char *name;
	int error;
} kinds[] = {
	{ "calloc", ENOMEM },  { "realloc", ENOMEM },	  { "socket", EMFILE },
	{ "connect", EACCES }, { "sendmsg", EPIPE },	  { "sendmsg", ENOMEM },
	{ "sendmsg", EINTR },  { "recvmsg", ECONNRESET }, { "recvmsg", EINTR },
	{ "poll", ENOMEM },    { "poll", EINTR },	  { "mmap", ENOMEM },
	{ "fcntl", EPERM },    { "fstat", EIO },	  { "eventfd", EMFILE },
};

static int run(const struct kind *k, unsigned fail)
{
	struct script t;

	sweep.kind = k->name;
	sweep.error = k->error;
	sweep.seen = 0;
	sweep.fail = fail;
	sweep.thread = pthread_self();
	script_begin(&t, 5000);
	t.arm = arm;
	return script_run(&t);
}

static void test_sweep(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(kinds); i++) {
		unsigned n, failed = 0;

		assert_int_equal(run(&kinds[i], 0), 0);
		n = sweep.seen;
		assert_true(n > 0);
		for (unsigned fail = 1; fail <= n; fail++) {
			int err = run(&kinds[i], fail);

			if (err && kinds[i].error == EINTR)
				fail_msg("%s %u interrupted: %d (%s)", kinds[i].name, fail, err,
					 said.text);
			failed += err != 0;
		}
		if (kinds[i].error != EINTR && !failed)
			fail_msg("none of %u %s that failed made a difference", n, kinds[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sweep) };

	return cmocka_run_group_tests_name("vfio_user_sweep", tests, NULL, NULL);
}
