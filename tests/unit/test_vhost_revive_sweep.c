/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front end of vhost-user opens, loses its back end, and has it again, with the n-th system call
 * failing, for every n: opening may fail; a port that runs comes back, then or with a later connection,
 * with every packet sent or counted. The front end's files are compiled into this program, with shorter
 * naps than in the library. The calls are wrapped by the linker (see the Makefile); those of the
 * serving thread are left alone.
 */
#define HANDSHAKE_TRIES	    0u
#define USER_RETRY_FIRST_MS 2
#define USER_RETRY_MOST_MS  10
#include "nics/virtio/virtio_user.c"
#include "nics/virtio/virtio_user_msg.c"

#include "sweep.h"
#include "vhost_back.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

SWEEP_WRAP(int, -1, socket, (int d, int t, int p), (d, t, p))
SWEEP_WRAP(int, -1, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
SWEEP_WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(ssize_t, -1, recv, (int fd, void *p, size_t n, int f), (fd, p, n, f))
SWEEP_WRAP(int, -1, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))
SWEEP_WRAP(int, -1, fcntl, (int fd, int cmd, long arg), (fd, cmd, arg))
SWEEP_WRAP(int, -1, fstat, (int fd, struct stat *st), (fd, st))
SWEEP_WRAP(int, -1, eventfd, (unsigned v, int f), (v, f))

static const struct sweep_kind kinds[] = {
	{ "socket", EMFILE },	{ "connect", EACCES }, { "connect", EAGAIN },
	{ "sendmsg", EPIPE },	{ "sendmsg", EAGAIN }, { "sendmsg", EINTR },
	{ "recvmsg", EINTR },	{ "recvmsg", EAGAIN }, { "recvmsg", ECONNRESET },
	{ "recv", ECONNRESET }, { "poll", ENOMEM },    { "poll", EINTR },
	{ "fcntl", EINVAL },	{ "fstat", EIO },      { "eventfd", EMFILE },
};

#define POSTED 3

static uint64_t tx_lost(struct back *b)
{
	struct weir_xstat x[16];
	int n = weir_port_xstats(b->fe.port, x, 16);

	for (int i = 0; i < n; i++)
		if (!strcmp(x[i].name, "tx_lost"))
			return x[i].value;
	return UINT64_MAX;
}

/* Packets wait in the ring, the back end goes and comes. */
static void go_and_come(struct back *b)
{
	struct weir_txq *q = b->fe.port->txq[0];
	struct weir_pkt p[POSTED];

	env_packet(&b->fe, p, POSTED, 300, 1);
	assert_int_equal(weir_tx_post(q, p, POSTED), POSTED);
	sweep.on = true;
	weir_tx_kick(q);
	__atomic_store_n(&b->end, 1, __ATOMIC_RELEASE);
	back_run(b, 3000, false);
	if (!back_run(b, 5000, true))
		fail_msg("%s number %u: not up again: %s", sweep.kind, sweep.fail, b->fe.ids);
	sweep.on = false;
	assert_int_equal(weir_tx_reap(q) + tx_lost(b), POSTED);
}

/* Return: the first error. */
static int life(const struct sweep_kind *k, unsigned fail, bool sweep_open)
{
	unsigned fds = unit_fds();
	struct back b;
	int err;

	back_begin(&b, VIRTIO_F_RING_PACKED, VHOST_PROTOCOL_F_INFLIGHT | VHOST_PROTOCOL_F_STATUS,
		   NULL);
	sweep_begin(k, fail);
	sweep.on = sweep_open;
	err = back_port(&b, "", 1);
	sweep.on = false;
	if (!err && !sweep_open)
		go_and_come(&b);
	sweep.on = sweep_open;
	weir_port_close(b.fe.port);
	b.fe.port = NULL;
	sweep.on = false;
	back_end(&b);
	assert_int_equal(unit_fds(), fds);
	return err;
}

static void sweep_lives(bool sweep_open)
{
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(kinds); i++) {
		const struct sweep_kind *k = &kinds[i];
		unsigned n, failed = 0;

		assert_int_equal(life(k, 0, sweep_open), 0);
		n = weir_min_u(sweep.seen, 60);
		for (unsigned fail = 1; fail <= n; fail++) {
			int err = life(k, fail, sweep_open);

			if (err && (k->error == EINTR || !sweep_open))
				fail_msg("%s %u: %d (%s)", k->name, fail, err, said.text);
			failed += err != 0;
		}
		/* All but a look at the connection, which is made again, are needed to open a port. */
		if (sweep_open && k->error != EINTR && k->error != EAGAIN && n && !failed &&
		    strcmp(k->name, "recv"))
			fail_msg("none of %u %s that failed made a difference", n, k->name);
	}
}

static void test_open(void **state)
{
	(void)state;
	sweep_lives(true);
}

static void test_come_back(void **state)
{
	(void)state;
	sweep_lives(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_come_back),
	};

	return cmocka_run_group_tests_name("vhost_revive_sweep", tests, NULL, NULL);
}
