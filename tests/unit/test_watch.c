/* SPDX-License-Identifier: BSD-3-Clause */
/* weir_port_check(): what is a queue that stands still, and what only looks like one. */
#include "fake_port.h"

#define MS UINT64_C(1000000)

static struct weir *w;
static struct fp_port *f;
static struct weir_port *p;
static struct weir_cache *cache;
static struct weir_pool *pool;
static struct weir_arena *arena;
static struct weir_port_ops ops;
/* What the device says. */
static uint64_t arrived[2];
static bool link_up, gone;
static int fault;

static int dev_link(struct weir_port *port, struct weir_link *link)
{
	if (gone)
		weir_port_set_failed(port);
	link->up = link_up;
	return gone ? -ENODEV : 0;
}

static int dev_check(struct weir_port *port)
{
	if (fault == -ENODEV)
		weir_port_set_failed(port);
	return fault;
}

static int dev_arrived(struct weir_port *port, unsigned q, uint64_t *n)
{
	(void)port;
	*n = arrived[q];
	return 0;
}

static int setup(void **state)
{
	struct weir_port_conf c = { .n_rxq = 2, .n_txq = 2, .stall_ms = 500 };

	(void)state;
	w = unit_weir();
	ops = fp_ops;
	ops.link = dev_link;
	ops.check = dev_check;
	ops.arrived = dev_arrived;
	link_up = true;
	gone = false;
	fault = 0;
	memset(arrived, 0, sizeof(arrived));
	f = fp_open(w, &ops);
	p = &f->port;
	assert_int_equal(
		weir_arena_create(w, 1 << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &arena), 0);
	assert_int_equal(weir_pool_create(arena, 8, &pool), 0);
	assert_int_equal(weir_cache_create(pool, &cache), 0);
	assert_int_equal(weir_port_configure(p, &c), 0);
	assert_int_equal(weir_port_queue_cache(p, 0, cache), 0);
	assert_int_equal(weir_port_queue_cache(p, 1, cache), 0);
	assert_int_equal(weir_port_start(p), 0);
	unit_hush();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_port_close(p);
	free(f);
	weir_cache_destroy(cache);
	assert_int_equal(weir_pool_destroy(pool), 0);
	weir_arena_destroy(arena);
	weir_close(w);
	return 0;
}

static void well(void)
{
	assert_int_equal(weir_port_check(p), 0);
	assert_int_equal(said.n, 0);
}

/* Said once; the answer stays until the port is started again. */
static void ill(const char *id)
{
	assert_int_equal(weir_port_check(p), -EIO);
	assert_said(id);
	assert_text("fake0");
	assert_int_equal(weir_port_check(p), -EIO);
	assert_int_equal(said.n, 1);
	unit_hush();
	assert_int_equal(weir_port_stop(p), 0);
	well();
	assert_int_equal(weir_port_start(p), 0);
	well();
	well();
}

static void tx_idle(unsigned q, uint64_t since, uint64_t seen)
{
	p->txq[q]->idle_since = since;
	p->txq[q]->idle_seen = seen;
}

static void test_tx(void **state)
{
	(void)state;
	well();
	tx_idle(1, 10 * MS, 509 * MS);
	well();
	tx_idle(1, 10 * MS, 510 * MS);
	ill("tx-stall");
	/* Cleared and set anew while it is looked at. */
	tx_idle(0, 900 * MS, 10 * MS);
	well();
}

/* As long as the other end asks for pauses, and for as long after the last. */
static void test_tx_pause(void **state)
{
	(void)state;
	tx_idle(0, 1000 * MS, 3000 * MS);
	p->paused = 2600 * MS;
	well();
	p->paused = 3001 * MS;
	well();
	p->paused = 2500 * MS;
	ill("tx-stall");
	assert_int_equal(p->paused, 0);
}

/* However long ago the owner looked for the first time: what counts is when it did for the last. */
static void test_tx_owner(void **state)
{
	struct weir_txq *q = p->txq[0];

	(void)state;
	weir_txq_idle(q);
	assert_true(q->idle_since && q->idle_seen == q->idle_since);
	q->idle_since -= 3000 * MS;
	q->idle_seen -= 3000 * MS;
	well();
	weir_txq_busy(q);
	well();
	weir_txq_idle(q);
	well();
	q->idle_since -= 3000 * MS;
	weir_txq_idle(q);
	ill("tx-stall");
}

static void test_tx_link(void **state)
{
	(void)state;
	tx_idle(0, 10 * MS, 9000 * MS);
	link_up = false;
	well();
	gone = true;
	assert_int_equal(weir_port_check(p), -ENODEV);
	assert_int_equal(weir_port_check(p), -ENODEV);
}

/* The device has counted one more, the owner has polled, and so much time has gone by. */
static void rx_pass(unsigned q, unsigned n, unsigned calls, unsigned packets, unsigned ms)
{
	arrived[q] += n;
	p->rxq[q]->stats.calls += calls;
	p->rxq[q]->stats.packets += packets;
	if (p->rxq[q]->watch.since)
		p->rxq[q]->watch.since -= ms * MS;
}

static void test_rx(void **state)
{
	(void)state;
	well();
	rx_pass(1, 5, 100, 0, 200);
	well();
	rx_pass(1, 0, 100, 0, 200);
	well();
	rx_pass(1, 0, 100, 0, 200);
	ill("rx-stall");
}

static void test_rx_well(void **state)
{
	static const struct {
		unsigned n, calls, packets;
	} rows[] = {
		{ 0, 100, 0 },	/* nothing arrives */
		{ 5, 0, 0 },	/* nobody polls */
		{ 5, 100, 5 },	/* all is well */
		{ 500, 100, 1 } /* it cannot keep up */
	};

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++)
		for (unsigned k = 0; k < 10; k++) {
			rx_pass(0, rows[i].n, rows[i].calls, rows[i].packets, 400);
			well();
		}
	/* Dropped is handed out too, and a pool without buffers is not the device's fault. */
	for (unsigned k = 0; k < 20; k++) {
		rx_pass(0, 5, 100, 0, 400);
		weir_drop(&p->rxq[0]->stats, k & 1 ? WEIR_DROP_BAD_LEN : WEIR_DROP_NO_BUF, 1);
		well();
	}
}

static void test_device(void **state)
{
	(void)state;
	fault = -EIO;
	assert_int_equal(weir_port_check(p), -EIO);
	fault = 0;
	/* until it is started again */
	assert_int_equal(weir_port_check(p), -EIO);
	assert_int_equal(weir_port_stop(p), 0);
	assert_int_equal(weir_port_start(p), 0);
	well();
	fault = -ENODEV;
	assert_int_equal(weir_port_check(p), -ENODEV);
	assert_true(weir_port_failed(p));
}

/* A driver without counters, and one that does not want to be watched. */
static void test_bare(void **state)
{
	(void)state;
	ops.arrived = NULL;
	ops.link = NULL;
	rx_pass(0, 5, 100, 0, 400);
	well();
	rx_pass(0, 5, 100, 0, 4000);
	well();
	tx_idle(0, 10 * MS, 9000 * MS);
	ill("tx-stall");
	ops.check = NULL;
	tx_idle(0, 10 * MS, 9000 * MS);
	well();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_tx), T(test_tx_owner), T(test_tx_pause), T(test_tx_link),
		T(test_rx), T(test_rx_well),  T(test_device),	T(test_bare),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
