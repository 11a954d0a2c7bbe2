/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In-flight tracking at the front end of vhost-user: what a back end that ended has not given back goes
 * to the next one with the file in which it kept notes, and rings go on; and all the ways in which such a
 * file can be wrong.
 */
#include "vhost_back.h"

#include <fcntl.h>

#define TRACKS VHOST_PROTOCOL_F_INFLIGHT
/* Segments in flight: one alone, one of three, one alone. */
#define POSTED 5

static uint64_t xstat(struct weir_port *p, const char *name)
{
	struct weir_xstat x[16];
	int n = weir_port_xstats(p, x, 16);

	for (int i = 0; i < n; i++)
		if (!strcmp(x[i].name, name))
			return x[i].value;
	fail_msg("no xstat %s", name);
	return 0;
}

static void post(struct back *b)
{
	struct weir_txq *q = b->fe.port->txq[0];
	struct weir_pkt p[POSTED];

	env_packet(&b->fe, &p[0], 1, 80, 1);
	env_packet(&b->fe, &p[1], 3, 300, 2);
	env_packet(&b->fe, &p[4], 1, 80, 3);
	assert_int_equal(weir_tx_post(q, p, POSTED), POSTED);
	weir_tx_kick(q);
}

static void use(const struct back *b, bool packed, unsigned nth, unsigned at, uint16_t id)
{
	if (packed)
		back_use_packed(b, 1, at, id, 0);
	else
		back_use_split(b, 1, nth, id, 0);
}

/*
 * The chain of three (id 1) is used first, before its neighbours, and nobody sees that before the end.
 * Used positions count descriptors in packed rings, chains in split ones.
 */
static void rings_go_on(bool packed)
{
	struct stat first;
	struct back b;

	back_begin(&b, packed ? VIRTIO_F_RING_PACKED : 0, TRACKS, NULL);
	assert_int_equal(back_port(&b, "", 1), 0);
	assert_int_equal(b.seen[VHOST_USER_GET_INFLIGHT_FD], 1);
	assert_int_equal(b.region.queues, 2);
	assert_int_equal(b.region.size, 64);
	assert_int_equal(b.region.mmap_size, 4096);
	assert_int_equal(b.base[1], packed ? 0x80008000 : 0);
	first = b.track;
	assert_int_not_equal(first.st_ino, 0);
	post(&b);
	use(&b, packed, 0, 0, 1);
	back_dies(&b);
	memset(&b.track, 0, sizeof(b.track));
	assert_true(back_run(&b, 3000, true));
	/* The same file, and no other was asked for. */
	assert_int_equal(b.seen[VHOST_USER_GET_INFLIGHT_FD], 1);
	assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 2);
	assert_int_equal(b.track.st_ino, first.st_ino);
	assert_int_equal(b.region.queues, 2);
	/* Behind what is used; nothing was of the ring to receive. */
	assert_int_equal(b.base[1], packed ? 0x80038003 : 1);
	assert_int_equal(b.base[0], packed ? 0x80008000 : 0);
	assert_int_equal(xstat(b.fe.port, "tx_lost"), 0);
	assert_int_equal(weir_tx_reap(b.fe.port->txq[0]), POSTED - 3);
	use(&b, packed, 1, 3, 0);
	use(&b, packed, 2, 4, 4);
	assert_int_equal(weir_tx_reap(b.fe.port->txq[0]), 0);
	assert_int_equal(xstat(b.fe.port, "reconnects"), 1);
	back_end(&b);
}

static void test_rings_go_on(void **state)
{
	(void)state;
	rings_go_on(false);
	rings_go_on(true);
}

/* What was received before the end is not lost either. */
static void received_goes_on(bool packed)
{
	struct weir_pkt got[4];
	struct back b;

	back_begin(&b, packed ? VIRTIO_F_RING_PACKED : 0, TRACKS, NULL);
	assert_int_equal(back_port(&b, "", 1), 0);
	if (packed)
		back_use_packed(&b, 0, 0, 0, 112);
	else
		back_use_split(&b, 0, 0, 0, 112);
	__atomic_store_n(&b.end, 1, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 5000 && !strstr(b.fe.ids, "vhost-user-lost"); i++) {
		weir_port_service(b.fe.port);
		weir_sleep_us(200);
	}
	assert_true(back_run(&b, 3000, true));
	assert_int_equal(b.base[0], packed ? 0x80018001 : 1);
	assert_int_equal(weir_rx(b.fe.port->rxq[0], got, 4), 1);
	weir_pkt_free(b.fe.cache, got, 1);
	back_end(&b);
}

static void test_received_goes_on(void **state)
{
	(void)state;
	received_goes_on(false);
	received_goes_on(true);
}

/* The next one does not track: rings are new, and what was on its way is lost and counted. */
static void test_next_does_not(void **state)
{
	struct back b;

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		back_begin(&b, packed ? VIRTIO_F_RING_PACKED : 0, TRACKS, NULL);
		assert_int_equal(back_port(&b, "", 1), 0);
		post(&b);
		use(&b, packed, 0, 0, 1);
		b.protocol &= ~TRACKS;
		back_dies(&b);
		assert_true(back_run(&b, 3000, true));
		assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 1);
		assert_int_equal(b.base[1], packed ? 0x80008000 : 0);
		assert_int_equal(xstat(b.fe.port, "tx_lost"), POSTED);
		assert_int_equal(weir_tx_reap(b.fe.port->txq[0]), 0);
		/* One that tracks again gets a file of its own with rings that begin. */
		b.protocol |= TRACKS;
		back_dies(&b);
		assert_true(back_run(&b, 3000, true));
		assert_int_equal(b.seen[VHOST_USER_GET_INFLIGHT_FD], 2);
		assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 2);
		back_end(&b);
	}
}

/* It ends of what it is given, each time: not for ever. */
static void test_poison(void **state)
{
	struct back b;

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		back_begin(&b, packed ? VIRTIO_F_RING_PACKED : 0, TRACKS, NULL);
		assert_int_equal(back_port(&b, "", 1), 0);
		post(&b);
		for (unsigned i = 0; i < 4; i++) {
			back_dies(&b);
			assert_true(back_run(&b, 3000, true));
			assert_int_equal(xstat(b.fe.port, "tx_lost"), i < 3 ? 0 : POSTED);
		}
		/* Who gets forward is not taken for one of those. */
		post(&b);
		for (unsigned i = 0; i < 3; i++) {
			use(&b, packed, i, i > 1 ? 4 : 3 * i, (uint16_t[]){ 1, 0, 4 }[i]);
			back_dies(&b);
			assert_true(back_run(&b, 3000, true));
			assert_int_equal(xstat(b.fe.port, "tx_lost"), POSTED);
		}
		assert_int_equal(weir_tx_reap(b.fe.port->txq[0]), 0);
		/* Nor one that nothing is in flight with. */
		for (unsigned i = 0; i < 4; i++) {
			back_dies(&b);
			assert_true(back_run(&b, 3000, true));
		}
		assert_int_equal(b.base[1], packed ? 0x80058005 : 3);
		back_end(&b);
	}
}

/*
 * Notes are good for the back end that comes right after. One that took none, and had the rings as it
 * used them in order, has left them behind.
 */
static void test_old_notes(void **state)
{
	struct back b;

	(void)state;
	back_begin(&b, VIRTIO_F_IN_ORDER, TRACKS, NULL);
	assert_int_equal(back_port(&b, "", 1), 0);
	b.protocol &= ~TRACKS;
	back_dies(&b);
	assert_true(back_run(&b, 3000, true));
	b.protocol |= TRACKS;
	back_dies(&b);
	assert_true(back_run(&b, 3000, true));
	assert_int_equal(b.seen[VHOST_USER_GET_INFLIGHT_FD], 2);
	assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 2);
	back_end(&b);
}

/* Rings that begin have no notes of others: another file with each start. Off is off. */
static void test_start_and_off(void **state)
{
	struct stat first;
	struct back b;

	(void)state;
	back_begin(&b, 0, TRACKS | VHOST_PROTOCOL_F_MQ, NULL);
	assert_int_equal(back_port(&b, "", 2), 0);
	assert_int_equal(b.region.queues, 4);
	first = b.track;
	weir_port_stop(b.fe.port);
	assert_int_equal(weir_port_start(b.fe.port), 0);
	assert_int_equal(b.seen[VHOST_USER_GET_INFLIGHT_FD], 2);
	assert_int_not_equal(b.track.st_ino, first.st_ino);
	back_end(&b);
	back_begin(&b, 0, TRACKS, NULL);
	assert_int_equal(back_port(&b, ",inflight=off", 1), 0);
	assert_int_equal(b.seen[VHOST_USER_GET_INFLIGHT_FD], 0);
	assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 0);
	back_end(&b);
}

/*
 * Who uses buffers in order needs no notes, unless it writes over what it has not given back yet: in a
 * packed ring all of a batch but its first place may hold what was used, and not what we offered.
 */
static void test_in_order(void **state)
{
	struct back b;

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		back_begin(&b, VIRTIO_F_IN_ORDER | (packed ? VIRTIO_F_RING_PACKED : 0), 0, NULL);
		assert_int_equal(back_port(&b, "", 1), 0);
		post(&b);
		/* It dies before it shows the first one. */
		if (packed)
			back_use_packed(&b, 1, 1, 1, 0);
		else
			back_use_split(&b, 1, 1, 1, 0);
		back_dies(&b);
		assert_true(back_run(&b, 3000, true));
		assert_int_equal(b.base[1], packed ? 0x80008000 : 2);
		assert_int_equal(xstat(b.fe.port, "tx_lost"), packed ? POSTED : 0);
		assert_int_equal(weir_tx_reap(b.fe.port->txq[0]), packed ? 0 : 1);
		back_end(&b);
	}
}

/* The rings as it left them make no sense: then there is nothing to go on with. */
static void test_bad_rings(void **state)
{
	struct back b;

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		back_begin(&b, kind ? VIRTIO_F_RING_PACKED : 0, TRACKS, NULL);
		assert_int_equal(back_port(&b, "", 1), 0);
		post(&b);
		if (kind == 0) /* more than there were */
			back_use_split(&b, 1, 3, 0, 0);
		else if (kind == 1) /* an id that is none */
			back_use_packed(&b, 1, 0, 64, 0);
		else if (kind == 2) /* within a chain */
			back_use_packed(&b, 1, 0, 2, 0);
		else
			for (unsigned at = 0; at < 4; at += 3) /* twice three, of five */
				back_use_packed(&b, 1, at, 1, 0);
		back_dies(&b);
		assert_false(back_run(&b, 300, true));
		assert_non_null(strstr(b.fe.ids, "device-misbehaved"));
		assert_true(weir_port_failed(b.fe.port));
		assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 1);
		back_end(&b);
	}
}

/* --- files that are wrong --- */

enum wrong {
	NO_FD,
	TWO_FDS,
	A_PIPE,
	A_DEVICE,
	TOO_SHORT,
	BEHIND_END,
	WRAPS,
	ENORMOUS,
	OTHER_QUEUES,
	OTHER_SIZE,
	SHORT_ANSWER,
	LONG_ANSWER,
	FD_WITH_ANOTHER,
	WRONGS,
};

static enum back_does wrong_file(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	struct vhost_inflight r = m->inflight;
	int pipes[2];

	if (b->arg == FD_WITH_ANOTHER && req->req == VHOST_USER_GET_FEATURES)
		b->out[b->n_out++] = back_memory(4096);
	if (req->req != VHOST_USER_GET_INFLIGHT_FD)
		return BACK_SENDS;
	if (b->arg == NO_FD || b->arg == A_PIPE || b->arg == A_DEVICE)
		close(b->out[--b->n_out]);
	if (b->arg == A_PIPE) {
		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		b->out[b->n_out++] = pipes[0];
		close(pipes[1]);
	} else if (b->arg == A_DEVICE) {
		b->out[b->n_out++] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	} else if (b->arg == TWO_FDS) {
		b->out[b->n_out++] = back_memory(4096);
	}
	r.mmap_size += b->arg == TOO_SHORT;
	if (b->arg == BEHIND_END)
		r.mmap_off = 8192;
	if (b->arg == WRAPS)
		r.mmap_off = UINT64_MAX - 100;
	if (b->arg == ENORMOUS)
		r.mmap_size = 1ull << 62;
	r.queues = (uint16_t)(r.queues + (b->arg == OTHER_QUEUES));
	r.size = (uint16_t)(r.size - (b->arg == OTHER_SIZE));
	m->size += b->arg == LONG_ANSWER ? 8 : 0;
	m->size -= b->arg == SHORT_ANSWER ? 8 : 0;
	m->inflight = r;
	return BACK_SENDS;
}

static void test_wrong_files(void **state)
{
	struct back b;

	(void)state;
	for (unsigned wrong = 0; wrong < WRONGS; wrong++) {
		unsigned fds = unit_fds();

		back_begin(&b, 0, TRACKS, wrong_file);
		b.arg = wrong;
		assert_int_equal(back_port(&b, "", 1), -ENOTCONN);
		if (!strstr(b.fe.ids, "vhost-user-protocol"))
			fail_msg("way %u: %s", wrong, b.fe.ids);
		assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 0);
		back_end(&b);
		assert_int_equal(unit_fds(), fds);
	}
}

static enum back_does no_notes(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	if (req->req == VHOST_USER_GET_INFLIGHT_FD) {
		close(b->out[--b->n_out]);
		m->inflight.mmap_size = 0;
	}
	return BACK_SENDS;
}

/* It may have no notes to take: that is no error, and nothing is known of its rings. */
static void test_no_notes(void **state)
{
	struct back b;

	(void)state;
	back_begin(&b, 0, TRACKS, no_notes);
	assert_int_equal(back_port(&b, "", 1), 0);
	assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 0);
	post(&b);
	back_dies(&b);
	assert_true(back_run(&b, 3000, true));
	assert_int_equal(xstat(b.fe.port, "tx_lost"), POSTED);
	back_end(&b);
}

/* The file cannot be cut short behind the next one's back. */
static enum back_does keep_file(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	(void)m;
	if (req->req == VHOST_USER_GET_INFLIGHT_FD)
		b->arg = (unsigned)fcntl(b->out[0], F_DUPFD_CLOEXEC, 0);
	return BACK_SENDS;
}

static void test_sealed(void **state)
{
	struct back b;

	(void)state;
	back_begin(&b, 0, TRACKS, keep_file);
	assert_int_equal(back_port(&b, "", 1), 0);
	assert_int_not_equal(ftruncate((int)b.arg, 0), 0);
	close((int)b.arg);
	back_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rings_go_on),   cmocka_unit_test(test_received_goes_on),
		cmocka_unit_test(test_next_does_not), cmocka_unit_test(test_old_notes),
		cmocka_unit_test(test_start_and_off), cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_bad_rings),     cmocka_unit_test(test_wrong_files),
		cmocka_unit_test(test_no_notes),      cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_poison),
	};

	return cmocka_run_group_tests_name("vhost_track", tests, NULL, NULL);
}
