/* SPDX-License-Identifier: BSD-3-Clause */
/* vhost-user from both ends: our front end on our back end, in all the ways they can agree. */
#include "vhost_env.h"

#include <poll.h>

static const struct row {
	const char *name, *opts;
	unsigned queues;
	bool jumbo;
} rows[] = {
	{ "packed", "", 1, false },
	{ "split", ",packed=off", 1, false },
	{ "packed, any order", ",in-order=off", 1, false },
	{ "split, any order", ",packed=off,in-order=off", 1, false },
	{ "packed, mergeable", "", 1, true },
	{ "split, mergeable", ",packed=off", 1, true },
	{ "packed, 4 queues", "", 4, false },
	{ "split, 4 queues", ",packed=off", 4, true },
	{ "packed, no indirect", ",indirect=off", 2, false },
	{ "split, no indirect", ",indirect=off,packed=off", 2, true },
};

static void up(struct env *e, const struct row *r)
{
	struct weir_port_conf c = { .n_rxq = r->queues,
				    .n_txq = r->queues,
				    .rx_desc = 64,
				    .tx_desc = 64,
				    .mtu = r->jumbo ? 9000 : 1500,
				    .offloads = r->jumbo ? WEIR_OFF_RX_JUMBO : 0 };

	env_begin(e);
	env_back(e, "", &c);
	assert_int_equal(env_front(e, r->opts, &c), 0);
}

static void test_round_trip(void **state)
{
	struct env e;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		/* Under the sanitizers, far enough for a ring to wrap; else for 16-bit counters. */
		unsigned n = UNIT_SLOW ? 300 : 9000 * rows[i].queues;

		up(&e, &rows[i]);
		for (unsigned k = 0; k < n; k++) {
			unsigned q = k % rows[i].queues, len = 60 + k % 1400;

			env_pass(&e.fe, &e.be, q, 1 + k % 3, len, k);
			env_pass(&e.be, &e.fe, q, 1 + k % 3, len, k + 1);
		}
		assert_int_equal(e.fe.port->rxq[0]->stats.packets, n / rows[i].queues);
		env_end(&e);
	}
}

static void test_wrap(void **state)
{
	struct env e;

	(void)state;
	for (unsigned i = 0; i < 2 && !UNIT_SLOW; i++) {
		up(&e, &rows[i]);
		for (unsigned k = 0; k < 140000; k++)
			env_pass(&e.fe, &e.be, 0, 1, 60, k);
		env_end(&e);
	}
}

/* Packets of several buffers on either side, up to the largest. */
static void test_jumbo(void **state)
{
	struct env e;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		if (!rows[i].jumbo)
			continue;
		up(&e, &rows[i]);
		for (unsigned k = 0; k < 200; k++) {
			unsigned len = 1990 + k * 35, segs = 1 + len / 2000;

			env_pass(&e.fe, &e.be, 0, segs, len, k);
			env_pass(&e.be, &e.fe, 0, segs, len, k);
		}
		env_end(&e);
	}
}

/* A packet that no burst has room for is dropped in the end, and the next one is not. */
static void test_short_bursts(void **state)
{
	struct weir_pkt p[4];
	struct weir_rxq *rx;
	struct env e;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		if (!rows[i].jumbo)
			continue;
		up(&e, &rows[i]);
		rx = e.be.port->rxq[0];
		env_packet(&e.fe, p, 3, 5000, 1);
		env_packet(&e.fe, p + 3, 1, 100, 2);
		assert_int_equal(weir_tx_post(e.fe.port->txq[0], p, 4), 4);
		weir_tx_kick(e.fe.port->txq[0]);
		for (unsigned k = 1; k < WEIR_SHORT_BURSTS; k++)
			assert_int_equal(weir_rx(rx, p, 2), 0);
		assert_int_equal(weir_rx(rx, p, 2), 1);
		assert_int_equal(env_check(&e.be, p, 1, 100, 2), 1);
		weir_pkt_free(e.be.cache, p, 1);
		assert_int_equal(rx->stats.drops[WEIR_DROP_TOO_MANY], 1);
		weir_tx_reap(e.fe.port->txq[0]);
		env_end(&e);
	}
}

/* A full ring takes no more, loses nothing, and goes on. */
static void test_full(void **state)
{
	struct weir_pkt p[128], got[64];
	struct env e;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned n = 0, seen = 0, k;

		up(&e, &rows[i]);
		for (k = 0; k < 128; k++)
			env_packet(&e.be, &p[k], 1, 100, k);
		while ((k = weir_tx_post(e.be.port->txq[0], p + n, 128 - n)))
			n += k;
		assert_int_equal(n, 64);
		while ((k = weir_rx(e.fe.port->rxq[0], got, 64))) {
			for (unsigned j = 0; j < k; j++)
				env_check(&e.fe, &got[j], 1, 100, seen + j);
			weir_pkt_free(e.fe.cache, got, k);
			seen += k;
			/* The front end has filled its ring again. */
			n += weir_tx_post(e.be.port->txq[0], p + n, 128 - n);
		}
		assert_int_equal(n, 128);
		assert_int_equal(seen, 128);
		env_end(&e);
	}
}

/* A back end with more queues than the front end uses sends all to those there are. */
static void test_fewer_queues(void **state)
{
	struct weir_port_conf four = { .n_rxq = 4, .n_txq = 4 };
	struct weir_port_conf one = { .rx_desc = 64, .tx_desc = 64 };
	struct weir_pkt p, got;
	struct env e;

	(void)state;
	env_begin(&e);
	env_back(&e, "", &four);
	assert_int_equal(env_front(&e, "", &one), 0);
	for (unsigned q = 0; q < 4; q++) {
		env_packet(&e.be, &p, 1, 80, q);
		assert_int_equal(weir_tx_post(e.be.port->txq[q], &p, 1), 1);
		assert_int_equal(weir_rx(e.fe.port->rxq[0], &got, 1), 1);
		env_check(&e.fe, &got, 1, 80, q);
		weir_pkt_free(e.fe.cache, &got, 1);
		assert_int_equal(weir_rx(e.be.port->rxq[q], &got, 1), 0);
	}
	env_end(&e);
}

static bool is_up(struct env_side *s)
{
	struct weir_link l;

	assert_int_equal(weir_port_link(s->port, &l), 0);
	return l.up;
}

/* Serve both sides, polling as a worker does, until the front end's link is @want. */
static void until_link(struct env *e, bool want)
{
	struct weir_deadline end = weir_deadline_us(10000000);
	struct weir_pkt got[32];

	while (is_up(&e->fe) != want || (e->be.port && is_up(&e->be) != want)) {
		assert_false(weir_deadline_passed(end));
		for (unsigned q = 0; q < e->fe.port->conf.n_rxq; q++) {
			unsigned n = weir_rx(e->fe.port->rxq[q], got, 32);

			weir_pkt_free(e->fe.cache, got, n);
		}
		if (e->be.port)
			env_serving(e, true);
		assert_int_equal(weir_port_service(e->fe.port), 0);
		env_serving(e, false);
		weir_sleep_us(1000);
	}
}

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

/* The packets that were on their way are there, each once and whole. */
static void all_arrive(struct env *e, unsigned n)
{
	struct weir_pkt got[64];

	assert_int_equal(weir_rx(e->be.port->rxq[0], got, 64), n);
	for (unsigned k = 0; k < n; k++)
		assert_int_equal(env_check(&e->be, &got[k], 1, 100, k), 1);
	weir_pkt_free(e->be.cache, got, n);
}

/*
 * The back end ends with packets in flight both ways, and comes again: twice. Where nobody knows what
 * it had taken, they are lost and counted; else they arrive.
 */
static void test_back_end_restarts(void **state)
{
	static const struct row ways[] = {
		{ "packed", ",inflight=off", 1, false },
		{ "split", ",packed=off,inflight=off", 1, false },
		{ "packed, any order", ",in-order=off,inflight=off", 1, false },
		{ "split, any order", ",packed=off,in-order=off,inflight=off", 1, false },
		{ "packed, noted", "", 1, false },
		{ "packed, any order, noted", ",in-order=off", 1, false },
		{ "split, any order, noted", ",packed=off,in-order=off", 1, false },
	};
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64 };
	struct weir_pkt p[20];
	struct env e;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(ways); i++) {
		bool lost = strstr(ways[i].opts, "inflight=off") && strcmp(ways[i].name, "split");

		up(&e, &ways[i]);
		for (unsigned round = 1; round <= 2; round++) {
			for (unsigned k = 0; k < 20; k++)
				env_packet(&e.fe, &p[k], 1, 100, k);
			assert_int_equal(weir_tx_post(e.fe.port->txq[0], p, 20), 20);
			weir_port_close(e.be.port);
			e.be.port = NULL;
			until_link(&e, false);
			assert_int_equal(weir_tx_reap(e.fe.port->txq[0]), lost ? 0 : 20);
			assert_int_equal(xstat(e.fe.port, "tx_lost"), lost ? 20 * round : 0);
			/* Nobody takes anything meanwhile, and nobody minds. */
			env_packet(&e.fe, p, 1, 100, 0);
			assert_int_equal(weir_tx_post(e.fe.port->txq[0], p, 1), 0);
			weir_tx_kick(e.fe.port->txq[0]);
			weir_pkt_free(e.fe.cache, p, 1);
			env_back(&e, "", &c);
			until_link(&e, true);
			assert_non_null(strstr(e.fe.ids, "vhost-user-back"));
			assert_int_equal(xstat(e.fe.port, "reconnects"), round);
			all_arrive(&e, lost ? 0 : 20);
			assert_int_equal(weir_tx_reap(e.fe.port->txq[0]), 0);
			for (unsigned k = 0; k < 300; k++) {
				env_pass(&e.fe, &e.be, 0, 1 + k % 2, 60 + k, k);
				env_pass(&e.be, &e.fe, 0, 1 + k % 2, 60 + k, k);
			}
		}
		env_end(&e);
	}
}

/* What comes back lacks a feature that the rings were made with: no. */
static void test_back_end_changes(void **state)
{
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64 };
	struct weir_pkt p;
	struct env e;

	(void)state;
	up(&e, &rows[0]);
	weir_port_close(e.be.port);
	e.be.port = NULL;
	until_link(&e, false);
	env_back(&e, ",packed=off", &c);
	for (unsigned i = 0; i < 300 && !strstr(e.fe.ids, "vhost-user-changed"); i++) {
		weir_rx(e.fe.port->rxq[0], &p, 1);
		env_serving(&e, true);
		weir_port_service(e.fe.port);
		env_serving(&e, false);
		weir_sleep_us(1000);
	}
	assert_non_null(strstr(e.fe.ids, "vhost-user-changed"));
	assert_false(is_up(&e.fe));
	env_end(&e);
}

/* Stopped and started without the back end noticing more than that; then stopped while it is away. */
static void test_stop_start(void **state)
{
	struct env e;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		up(&e, &rows[i]);
		for (unsigned k = 0; k < 3; k++) {
			env_pass(&e.fe, &e.be, 0, 1, 99, k);
			env_serving(&e, true);
			weir_port_stop(e.fe.port);
			assert_int_equal(weir_port_start(e.fe.port), 0);
			env_serving(&e, false);
			env_pass(&e.be, &e.fe, 0, 1, 98, k);
		}
		weir_port_close(e.be.port);
		e.be.port = NULL;
		until_link(&e, false);
		weir_port_stop(e.fe.port);
		assert_int_equal(weir_port_start(e.fe.port), -ENOTCONN);
		env_end(&e);
	}
}

/* The front end goes, another one comes. */
static void test_front_end_restarts(void **state)
{
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64 };
	struct weir_pkt p;
	struct env e;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		up(&e, &rows[i]);
		for (unsigned k = 0; k < 3; k++) {
			env_pass(&e.be, &e.fe, 0, 1, 99, k);
			env_serving(&e, true);
			weir_port_close(e.fe.port);
			e.fe.port = NULL;
			env_serving(&e, false);
			weir_port_service(e.be.port);
			assert_false(is_up(&e.be));
			env_packet(&e.be, &p, 1, 100, 0);
			assert_int_equal(weir_tx_post(e.be.port->txq[0], &p, 1), 0);
			weir_pkt_free(e.be.cache, &p, 1);
			assert_int_equal(env_front(&e, rows[3 - i].opts, &c), 0);
			env_pass(&e.fe, &e.be, 0, 1, 99, k);
		}
		assert_int_equal(xstat(e.be.port, "connections"), 4);
		env_end(&e);
	}
}

/* Who listens and who connects can be the other way round. */
static void test_roles_swapped(void **state)
{
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64 };
	struct env e;

	(void)state;
	env_begin(&e);
	env_back(&e, ",client=on", &c);
	assert_int_equal(env_front(&e, ",server=on", &c), 0);
	env_pass(&e.fe, &e.be, 0, 1, 99, 1);
	env_pass(&e.be, &e.fe, 0, 1, 99, 2);
	env_end(&e);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_interrupts(void **state)
{
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64, .rx_intr = true };
	struct env_side *sides[2], *s, *o;
	struct weir_pkt p;
	struct env e;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		env_begin(&e);
		env_back(&e, "", &c);
		assert_int_equal(env_front(&e, rows[i].opts, &c), 0);
		sides[0] = &e.fe;
		sides[1] = &e.be;
		for (unsigned k = 0; k < 6; k++) {
			int fd;

			s = sides[k % 2];
			o = sides[!(k % 2)];
			fd = weir_port_rx_intr_fd(s->port, 0);
			assert_int_equal(weir_port_rx_intr_arm(s->port, 0), 0);
			assert_false(readable(fd));
			env_pass(o, s, 0, 1, 77, k);
			assert_true(readable(fd));
			assert_int_equal(weir_port_rx_intr_disarm(s->port, 0), 0);
			weir_eventfd_drain(fd);
			assert_false(readable(fd));
			/* Disarmed, it stays quiet; armed late, it says that something is there. */
			env_packet(o, &p, 1, 77, k);
			assert_int_equal(weir_tx_post(o->port->txq[0], &p, 1), 1);
			weir_tx_kick(o->port->txq[0]);
			assert_false(readable(fd));
			assert_int_equal(weir_port_rx_intr_arm(s->port, 0), 1);
			assert_int_equal(weir_port_rx_intr_disarm(s->port, 0), 0);
			assert_int_equal(weir_rx(s->port->rxq[0], &p, 1), 1);
			weir_pkt_free(s->cache, &p, 1);
			weir_tx_reap(o->port->txq[0]);
		}
		env_end(&e);
	}
}

/* A back end out of buffers leaves packets where they are. */
static void test_no_buffers(void **state)
{
	static uint32_t bufs[ENV_BUFS];
	struct weir_pkt p, got;
	struct env e;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned n = 0, k;

		up(&e, &rows[i]);
		while (n < ENV_BUFS && (k = weir_buf_alloc(e.be.cache, bufs + n, 1)))
			n += k;
		env_packet(&e.fe, &p, 1, 70, 5);
		assert_int_equal(weir_tx_post(e.fe.port->txq[0], &p, 1), 1);
		assert_int_equal(weir_rx(e.be.port->rxq[0], &got, 1), 0);
		assert_int_equal(e.be.port->rxq[0]->stats.drops[WEIR_DROP_NO_BUF], 1);
		while (n)
			weir_buf_free1(e.be.cache, bufs[--n]);
		assert_int_equal(weir_rx(e.be.port->rxq[0], &got, 1), 1);
		env_check(&e.be, &got, 1, 70, 5);
		weir_pkt_free(e.be.cache, &got, 1);
		env_end(&e);
	}
}

static void test_strings(void **state)
{
	static const char *const bad[] = {
		"vhost-user:",
		"vhost-user:/x,packed",
		"vhost-user:/x,packed=maybe",
		"vhost-user:/x,queues=0",
		"vhost-user:/x,queues=17",
		"vhost:/x,queues=1x",
		"vhost-user:/x,size=4",
		"vhost:/x,mac=02:00:00:00:00",
		"vhost:/x,mac=01:00:00:00:00:01",
		"vhost:",
	};
	struct weir_port *p;
	struct env e;

	(void)state;
	env_begin(&e);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		unit_hush();
		assert_int_equal(weir_port_open(e.fe.iommu, bad[i], NULL, &p), -EINVAL);
		assert_said("device-string");
	}
	assert_int_equal(weir_port_open(e.fe.iommu, "vhost-user:/nowhere/at/all", NULL, &p),
			 -ENOENT);
	assert_said("no-socket");
	assert_int_equal(weir_port_open(e.fe.iommu, "vhost:/nowhere/at/all", NULL, &p), -ENOENT);
	assert_said("no-socket");
	env_end(&e);
}

static void test_mac(void **state)
{
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64 };
	uint8_t a[6], b[6];
	struct env e;

	(void)state;
	env_begin(&e);
	env_back(&e, ",mac=02:00:00:00:00:07", &c);
	assert_int_equal(env_front(&e, ",mac=06:00:00:00:00:09", &c), 0);
	weir_port_mac_get(e.be.port, a);
	weir_port_mac_get(e.fe.port, b);
	assert_int_equal(a[0] << 8 | a[5], 0x207);
	assert_int_equal(b[0] << 8 | b[5], 0x609);
	env_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_jumbo),
		cmocka_unit_test(test_short_bursts),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_fewer_queues),
		cmocka_unit_test(test_back_end_restarts),
		cmocka_unit_test(test_back_end_changes),
		cmocka_unit_test(test_stop_start),
		cmocka_unit_test(test_front_end_restarts),
		cmocka_unit_test(test_roles_swapped),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_no_buffers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests_name("vhost", tests, NULL, NULL);
}
