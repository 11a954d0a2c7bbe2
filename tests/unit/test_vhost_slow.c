/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user: port and a back end that takes its time: opening, starting and stopping end in time as a
 * whole, and looking after the port takes a fraction of a second, whatever the back end does. The front
 * end's files are compiled into this program, with less patience than in the library.
 */
#define USER_TIMEOUT_US 800000
#include "nics/virtio/virtio_user.c"
#include "nics/virtio/virtio_user_msg.c"

#include "vhost_back.h"

#define TIMEOUT_MS (USER_TIMEOUT_US / 1000)
/* No call to look after a port is longer: a slice, and a message that has begun. */
#define CALL_MS (3 * USER_SLICE_US / 1000)

#define ALL (VHOST_PROTOCOL_F_INFLIGHT | VHOST_PROTOCOL_F_STATUS | VHOST_PROTOCOL_F_MQ)

static uint64_t ms(void)
{
	return weir_now_ns() / 1000000;
}

/* Look after the port until its link is up, for @most ms. Return: the longest call, in ms. */
static unsigned longest_call(struct back *b, unsigned most, unsigned *calls)
{
	uint64_t begin = ms();
	struct weir_pkt got[4];
	unsigned longest = 0;

	for (*calls = 0; !back_is_up(b) && ms() - begin < most; ++*calls) {
		uint64_t before;

		weir_rx(b->fe.port->rxq[0], got, 4);
		before = ms();
		weir_port_service(b->fe.port);
		if (ms() - before > longest)
			longest = (unsigned)(ms() - before);
		weir_sleep_us(1000);
	}
	return longest;
}

/* Each answer takes b->arg ms, from the second connection on. */
static enum back_does takes_time(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	(void)req;
	(void)m;
	if (b->connections > 1)
		weir_sleep_us(__atomic_load_n(&b->arg, __ATOMIC_RELAXED) * 1000);
	return BACK_SENDS;
}

/* It comes back over several calls; each message is sent once. */
static void test_comes_back_slowly(void **state)
{
	unsigned calls, once[VHOST_USER_MAX];
	struct weir_pkt p, got;
	struct back b;

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		back_begin(&b, packed ? VIRTIO_F_RING_PACKED : 0, ALL, takes_time);
		b.arg = 20;
		assert_int_equal(back_port(&b, "", 1), 0);
		memcpy(once, b.seen, sizeof(once));
		memset(b.seen, 0, sizeof(b.seen));
		/* Of a status there are more when a device is looked at first, see identify(). */
		once[VHOST_USER_SET_STATUS] = 5;
		/* The file is there. */
		once[VHOST_USER_GET_INFLIGHT_FD] = 0;
		back_dies(&b);
		assert_in_range(longest_call(&b, 4000, &calls), USER_SLICE_US / 1000, CALL_MS);
		assert_true(back_is_up(&b));
		assert_int_equal(b.connections, 2);
		for (unsigned i = 0; i < VHOST_USER_MAX; i++)
			if (b.seen[i] != once[i])
				fail_msg("%s: %u times, not %u", vhost_req_name(i), b.seen[i],
					 once[i]);
		/* And rings are rings. */
		env_packet(&b.fe, &p, 1, 80, 1);
		assert_int_equal(weir_tx_post(b.fe.port->txq[0], &p, 1), 1);
		if (packed)
			back_use_packed(&b, 0, 0, 0, 112);
		else
			back_use_split(&b, 0, 0, 0, 112);
		assert_int_equal(weir_rx(b.fe.port->rxq[0], &got, 1), 1);
		weir_pkt_free(b.fe.cache, &got, 1);
		back_end(&b);
	}
}

/* The same with rings that begin anew, with a file of notes that is asked for in between. */
static void test_begins_slowly(void **state)
{
	struct back b;
	unsigned calls;

	(void)state;
	back_begin(&b, 0, ALL & ~VHOST_PROTOCOL_F_INFLIGHT, takes_time);
	b.arg = 20;
	assert_int_equal(back_port(&b, "", 1), 0);
	b.protocol |= VHOST_PROTOCOL_F_INFLIGHT;
	back_dies(&b);
	assert_in_range(longest_call(&b, 4000, &calls), 0, CALL_MS);
	assert_true(back_is_up(&b));
	assert_int_equal(b.seen[VHOST_USER_GET_INFLIGHT_FD], 1);
	assert_int_equal(b.seen[VHOST_USER_SET_INFLIGHT_FD], 1);
	assert_int_not_equal(b.track.st_ino, 0);
	back_end(&b);
}

/* The n-th message of the second connection is not answered, nor any after it. */
static enum back_does falls_silent(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	static unsigned n;

	(void)req;
	(void)m;
	n = b->connections == 2 ? n + 1 : 0;
	return b->connections == 2 && n >= b->arg ? BACK_SILENT : BACK_SENDS;
}

/* Wherever it is, it is given up in time, and another one is taken. */
static void test_never_answers(void **state)
{
	static const unsigned at[] = { 1, 8, 14 };
	struct back b;
	unsigned calls;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(at); i++) {
		back_begin(&b, 0, ALL, falls_silent);
		b.arg = at[i];
		assert_int_equal(back_port(&b, "", 1), 0);
		back_dies(&b);
		assert_in_range(longest_call(&b, TIMEOUT_MS + 2500, &calls),
				USER_SLICE_US / 1000 - 10, CALL_MS);
		assert_true(calls >= TIMEOUT_MS / CALL_MS);
		assert_int_equal(b.connections, 3);
		assert_true(back_is_up(&b));
		back_end(&b);
	}
}

static enum back_does silent(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	(void)m;
	return b->arg && (req->req == b->arg || b->seen[b->arg]) ? BACK_SILENT : BACK_SENDS;
}

/* Opening, starting and stopping take no longer together than is said, whichever answer is missing. */
static void test_whole_in_time(void **state)
{
	static const unsigned req[] = { VHOST_USER_GET_FEATURES, VHOST_USER_SET_MEM_TABLE,
					VHOST_USER_SET_VRING_ENABLE };
	struct back b;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(req); i++) {
		uint64_t begin;

		back_begin(&b, 0, ALL, silent);
		b.arg = req[i];
		begin = ms();
		assert_int_equal(back_port(&b, "", 1), -ENOTCONN);
		assert_in_range(ms() - begin, TIMEOUT_MS, TIMEOUT_MS + 1000);
		assert_non_null(strstr(b.fe.ids, "vhost-user-lost"));
		back_end(&b);
	}
	/* One that answers everything, each time late, is not waited for without end either. */
	back_begin(&b, 0, ALL, takes_time);
	b.connections = 1;
	b.arg = 200;
	{
		uint64_t begin = ms();

		assert_int_equal(back_port(&b, "", 1), -ENOTCONN);
		/* Opening and starting have a time of their own each. */
		assert_in_range(ms() - begin, TIMEOUT_MS, 2 * TIMEOUT_MS + 1000);
	}
	back_end(&b);
	back_begin(&b, 0, ALL, silent);
	assert_int_equal(back_port(&b, "", 4), 0);
	b.arg = VHOST_USER_GET_VRING_BASE;
	{
		uint64_t begin = ms();

		weir_port_stop(b.fe.port);
		assert_in_range(ms() - begin, TIMEOUT_MS, TIMEOUT_MS + 500);
	}
	back_end(&b);
}

/* Stopped while it comes back, at every moment: the connection is another one then. */
static void test_stopped_meanwhile(void **state)
{
	unsigned stopped = 0;
	struct back b;

	(void)state;
	for (unsigned n = 1; n <= 7; n++) {
		struct weir_pkt got[4];

		back_begin(&b, 0, ALL, takes_time);
		assert_int_equal(back_port(&b, "", 1), 0);
		back_dies(&b);
		__atomic_store_n(&b.arg, 30, __ATOMIC_RELAXED);
		assert_int_equal(weir_rx(b.fe.port->rxq[0], got, 4), 0);
		for (unsigned i = 0; i < n; i++)
			weir_port_service(b.fe.port);
		assert_int_equal(b.connections, 2);
		__atomic_store_n(&b.arg, 0, __ATOMIC_RELAXED);
		weir_port_stop(b.fe.port);
		assert_int_equal(weir_port_start(b.fe.port), 0);
		assert_true(back_is_up(&b));
		stopped += b.connections == 3;
		back_end(&b);
	}
	assert_in_range(stopped, 2, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_back_slowly), cmocka_unit_test(test_begins_slowly),
		cmocka_unit_test(test_never_answers),	  cmocka_unit_test(test_whole_in_time),
		cmocka_unit_test(test_stopped_meanwhile),
	};

	return cmocka_run_group_tests_name("vhost_slow", tests, NULL, NULL);
}
