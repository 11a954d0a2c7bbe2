/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user: port and a back end that comes back badly: it fails in the middle of being set up, with
 * rings in its hands.
 */
#include "vhost_back.h"

/* What becomes of a connection. */
enum plan { GOOD, REFUSE_OWNER, REFUSE_ENABLE, HANG_UP };

/* Of each connection; the last one's goes on. */
static enum plan plans[4];

/* The driver finds a buffer used that it would take for a packet. */
static void use_one(const struct back *b)
{
	back_use_split(b, 0, 0, 0, 112);
}

static enum back_does by_plan(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	unsigned n = b->connections - 1;
	enum plan plan = plans[n < b->arg ? n : b->arg - 1];

	if (plan == HANG_UP)
		return BACK_CLOSES;
	if (plan == REFUSE_OWNER && req->req == VHOST_USER_SET_OWNER)
		m->u64 = 1;
	if (plan == REFUSE_ENABLE && req->req == VHOST_USER_SET_VRING_ENABLE &&
	    req->num.index == 1) {
		use_one(b);
		m->u64 = 1;
	}
	return BACK_SENDS;
}

/* A port with its first connection up, and that one's end. */
static void begin(struct back *b, const enum plan *plan, unsigned n)
{
	memcpy(plans, plan, n * sizeof(*plan));
	back_begin(b, 0, 0, by_plan);
	b->arg = n;
	assert_int_equal(back_port(b, "", 1), 0);
	assert_true(back_is_up(b));
	back_dies(b);
}

/* Until there have been @n connections, and the link is up. */
static void until(struct back *b, unsigned n)
{
	struct weir_pkt got[4];

	for (unsigned i = 0; back_connections(b) < n && i < 5000; i++) {
		assert_int_equal(weir_rx(b->fe.port->rxq[0], got, 4), 0);
		weir_port_service(b->fe.port);
		weir_sleep_us(1000);
	}
	assert_int_equal(back_connections(b), n);
	assert_true(back_run(b, 5000, true));
}

/* What it did to the rings before it failed is not there any more when the next one gets them. */
static void test_fails_with_rings(void **state)
{
	static const enum plan plan[] = { GOOD, REFUSE_ENABLE, GOOD };
	struct weir_pkt got[4];
	struct back b;

	(void)state;
	begin(&b, plan, 3);
	until(&b, 3);
	assert_int_equal(weir_rx(b.fe.port->rxq[0], got, 4), 0);
	use_one(&b);
	assert_int_equal(weir_rx(b.fe.port->rxq[0], got, 4), 1);
	weir_pkt_free(b.fe.cache, got, 1);
	back_end(&b);
}

/* A connection whose first messages fail is closed, and not taken for one that was made. */
static void test_refuses_owner(void **state)
{
	static const enum plan plan[] = { GOOD, REFUSE_OWNER, GOOD };
	struct back b;

	(void)state;
	begin(&b, plan, 3);
	until(&b, 3);
	back_end(&b);
}

/* It accepts and hangs up: attempts become rare. */
static void test_hangs_up(void **state)
{
	static const enum plan plan[] = { GOOD, HANG_UP };
	struct back b;

	(void)state;
	begin(&b, plan, 2);
	back_run(&b, 1000, true);
	/* At 0, 20, 60, 140, 300, 620 ms. */
	assert_in_range(back_connections(&b), 3, 8);
	back_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fails_with_rings),
		cmocka_unit_test(test_refuses_owner),
		cmocka_unit_test(test_hangs_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
