/* SPDX-License-Identifier: BSD-3-Clause */
/* The forwarding loop between fake ports: nothing lost, doubled or split, and exact counts. */
#include "fake_port.h"

#include "apps/capring.c"
#include "apps/fwd.c"

#include <sys/eventfd.h>
#include <unistd.h>

#define BUFS 2048

static struct weir *w;
static struct weir_arena *arena;
static struct weir_pool *pool;
static struct weir_cache *cache[2];
static struct fp_port *rx, *tx;
static struct fwd_worker *fw[2];
static int stop;

static struct fwd_worker *worker(unsigned i)
{
	struct fwd_worker *f = aligned_alloc(64, sizeof(*f));
	struct fwd_route *r;

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	f->n_routes = 1;
	f->burst = 32;
	f->idle = FWD_YIELD;
	f->stop = &stop;
	f->hold_cycles = UINT64_MAX;
	f->cpu = -1;
	f->cache = cache[i];
	r = &f->routes[0];
	r->rxq = rx->port.rxq[i];
	r->txq = tx->port.txq[i];
	return f;
}

static int setup(void **state)
{
	struct weir_port_conf c = { .n_rxq = 2, .n_txq = 2 };

	(void)state;
	stop = 0;
	w = unit_weir();
	assert_int_equal(
		weir_arena_create(w, 8u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &arena), 0);
	assert_int_equal(weir_pool_create(arena, BUFS, &pool), 0);
	rx = fp_open(w, &fp_ops);
	tx = fp_open(w, &fp_ops);
	assert_int_equal(weir_port_configure(&rx->port, &c), 0);
	assert_int_equal(weir_port_configure(&tx->port, &c), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(weir_cache_create(pool, &cache[i]), 0);
		weir_port_queue_cache(&rx->port, i, cache[i]);
		weir_port_queue_cache(&tx->port, i, cache[i]);
		fw[i] = worker(i);
	}
	return 0;
}

/* Every buffer has come back: neither lost nor freed twice. */
static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		free(fw[i]);
		weir_cache_destroy(cache[i]);
	}
	weir_port_close(&rx->port);
	weir_port_close(&tx->port);
	free(rx);
	free(tx);
	assert_int_equal(weir_pool_destroy(pool), 0);
	weir_close(w);
	return 0;
}

static void check_sent(unsigned q, unsigned n)
{
	struct fp_txq *t = &tx->tx[q];

	assert_int_equal(t->n_sent, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(t->sent[i], i);
	assert_int_equal(t->split, 0);
}

static void test_forward(void **state)
{
	(void)state;
	rx->rx[0].frames = 1000;
	for (unsigned i = 0; i < 100; i++)
		fwd_pass(fw[0]);
	check_sent(0, 1000);
	assert_int_equal(fw[0]->forwarded, 1000);
	/* One doorbell a pass at the most, none for nothing. */
	assert_int_equal(tx->tx[0].kicks, (1000 + 31) / 32);
	assert_int_equal(tx->port.txq[0]->unkicked, 0);
}

/* The ring takes a few at a time: what waits goes first, in order, and once. */
static void test_ring_full(void **state)
{
	(void)state;
	rx->rx[0].frames = 500;
	tx->tx[0].room = 0;
	for (unsigned i = 0; i < 20; i++) {
		fwd_pass(fw[0]);
		assert_int_equal(fw[0]->routes[0].n_held, 32);
		assert_int_equal(rx->rx[0].next, 32);
	}
	for (unsigned i = 0; i < 2000 && tx->tx[0].n_sent < 500; i++) {
		tx->tx[0].room = i % 5;
		fwd_pass(fw[0]);
	}
	check_sent(0, 500);
	assert_int_equal(fw[0]->forwarded, 500);
	assert_int_equal(fw[0]->routes[0].n_held, 0);
	assert_int_equal(tx->port.txq[0]->stats.drops[WEIR_DROP_TX_FULL], 0);
	/* And goes on afterwards. */
	rx->rx[0].frames = 100;
	tx->tx[0].room = UINT32_MAX;
	for (unsigned i = 0; i < 10; i++)
		fwd_pass(fw[0]);
	check_sent(0, 600);
}

static void test_give_up(void **state)
{
	(void)state;
	fw[0]->hold_cycles = 0;
	rx->rx[0].frames = 96;
	tx->tx[0].room = 10;
	for (unsigned i = 0; i < 10; i++)
		fwd_pass(fw[0]);
	assert_int_equal(tx->tx[0].n_sent, 10);
	assert_int_equal(tx->port.txq[0]->stats.drops[WEIR_DROP_TX_FULL], 86);
	assert_int_equal(fw[0]->forwarded, 10);
	assert_int_equal(fw[0]->dropped, 86);
	assert_int_equal(fw[0]->routes[0].n_held, 0);
}

static void test_segments(void **state)
{
	(void)state;
	rx->rx[0].frames = 200;
	rx->rx[0].segs = 5;
	for (unsigned i = 0; i < 5000 && tx->tx[0].n_sent < 200; i++) {
		tx->tx[0].room = i % 17;
		fwd_pass(fw[0]);
	}
	check_sent(0, 200);
	assert_int_equal(fw[0]->forwarded, 200);
	/* Given up, they count as packets, not as segments. */
	rx->rx[0].frames = 4;
	tx->tx[0].room = 0;
	fw[0]->hold_cycles = 0;
	for (unsigned i = 0; i < 4; i++)
		fwd_pass(fw[0]);
	assert_int_equal(tx->port.txq[0]->stats.drops[WEIR_DROP_TX_FULL], 4);
}

static void test_rewrite(void **state)
{
	static const uint8_t macs[12] = { 2, 1, 1, 1, 1, 1, 2, 9, 9, 9, 9, 9 };
	uint8_t frame[2][64] = { { 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xbb, 0xbb, 0xbb } };
	struct fwd_route *r = &fw[0]->routes[0];
	struct weir_pkt p[3];
	uint32_t bufs[3];

	(void)state;
	memcpy(r->mac, macs, 12);
	assert_int_equal(weir_buf_alloc(cache[0], bufs, 3), 3);
	for (unsigned i = 0; i < 3; i++) {
		p[i] = (struct weir_pkt){ .buf = bufs[i], .len = 60 };
		memcpy(weir_pkt_data(r->rxq->dma.va_base, &p[i]), frame[0], 64);
	}
	/* A packet of two segments, then one that is too short to have addresses. */
	p[0].flags = WEIR_PKT_MORE;
	p[2].len = 11;
	set_macs(r, p, 3);
	memcpy(frame[1], weir_pkt_data(r->rxq->dma.va_base, &p[0]), 64);
	assert_memory_equal(frame[1], frame[0], 6);
	assert_memory_equal(frame[1] + 6, macs + 6, 6);
	assert_memory_equal(frame[1] + 12, frame[0] + 12, 48);
	assert_memory_equal(weir_pkt_data(r->rxq->dma.va_base, &p[1]), frame[0], 64);
	assert_memory_equal(weir_pkt_data(r->rxq->dma.va_base, &p[2]), frame[0], 64);
	r->set_dst = true;
	set_macs(r, p, 1);
	assert_memory_equal(weir_pkt_data(r->rxq->dma.va_base, &p[0]), macs, 12);
	weir_buf_free(cache[0], bufs, 3);
}

static void test_swap(void **state)
{
	static const uint8_t want[14] = { 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6, 13, 14 };
	struct fwd_route *r = &fw[0]->routes[0];
	struct weir_pkt p[3];
	uint32_t bufs[3];

	(void)state;
	for (unsigned fn = 0; fn < 2; fn++) {
		assert_int_equal(weir_buf_alloc(cache[0], bufs, 3), 3);
		for (unsigned i = 0; i < 3; i++) {
			p[i] = (struct weir_pkt){ .buf = bufs[i], .off = 64, .len = 60 };
			for (unsigned k = 0; k < 14; k++)
				weir_pkt_data(r->rxq->dma.va_base, &p[i])[k] = (uint8_t)(k + 1);
		}
		/* Too short, and without flags two packets, with MORE one of two segments. */
		p[0].len = 11;
		p[1].flags = fn ? 0 : WEIR_PKT_MORE;
		(fn ? swap_plain : swap)(r, p, 3);
		assert_int_equal(weir_pkt_data(r->rxq->dma.va_base, &p[0])[0], 1);
		assert_memory_equal(weir_pkt_data(r->rxq->dma.va_base, &p[1]), want, 14);
		assert_int_equal(weir_pkt_data(r->rxq->dma.va_base, &p[2])[0], fn ? 7 : 1);
		weir_buf_free(cache[0], bufs, 3);
	}
}

/* The budget of all workers is used up to the last packet and never overdrawn. */
static void test_budget(void **state)
{
	int64_t budget = 77;

	(void)state;
	fw[0]->budget = &budget;
	rx->rx[0].frames = 1000;
	for (unsigned i = 0; i < 20; i++)
		fwd_pass(fw[0]);
	check_sent(0, 77);
	assert_int_equal(budget, 0);
	/* What was not received is put back. */
	budget = 50;
	rx->rx[0].frames = 3;
	for (unsigned i = 0; i < 20; i++)
		fwd_pass(fw[0]);
	check_sent(0, 80);
	assert_int_equal(budget, 47);
}

/* Jumbo frames: the last ones have more segments than the budget has packets. */
static void test_budget_jumbo(void **state)
{
	int64_t budget = 13;

	(void)state;
	rx->port.conf.offloads = WEIR_OFF_RX_JUMBO;
	fw[0]->budget = &budget;
	for (unsigned segs = 1; segs <= WEIR_MAX_SEGS; segs++) {
		rx->rx[0].frames = 1000;
		rx->rx[0].segs = segs;
		for (unsigned i = 0; i < 20; i++)
			fwd_pass(fw[0]);
		check_sent(0, 13 * segs);
		assert_int_equal(budget, 0);
		budget = 13;
	}
}

static void test_budget_two_workers(void **state)
{
	const unsigned total = 100000;

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		int64_t budget = total / 2 + round * 13;
		unsigned want = (unsigned)budget;

		__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
		for (unsigned i = 0; i < 2; i++) {
			rx->rx[i].frames = total;
			rx->rx[i].next = 0;
			tx->tx[i].n_sent = 0;
			fw[i]->budget = &budget;
			fw[i]->forwarded = 0;
			assert_int_equal(pthread_create(&fw[i]->thread, NULL, fwd_run, fw[i]), 0);
		}
		while (__atomic_load_n(&fw[0]->forwarded, __ATOMIC_RELAXED) +
			       __atomic_load_n(&fw[1]->forwarded, __ATOMIC_RELAXED) <
		       want)
			sched_yield();
		/* Let them try to take more. */
		for (unsigned i = 0; i < 1000; i++)
			sched_yield();
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
		for (unsigned i = 0; i < 2; i++)
			pthread_join(fw[i]->thread, NULL);
		assert_int_equal(budget, 0);
		assert_int_equal(fw[0]->forwarded + fw[1]->forwarded, want);
		check_sent(0, (unsigned)fw[0]->forwarded);
		check_sent(1, (unsigned)fw[1]->forwarded);
	}
}

/* Told to stop with packets waiting: they leave if they can, and are counted if they cannot. */
static void test_drain(void **state)
{
	(void)state;
	rx->rx[0].frames = 32;
	tx->tx[0].room = 5;
	fwd_pass(fw[0]);
	assert_int_equal(fw[0]->routes[0].n_held, 27);
	tx->tx[0].room = UINT32_MAX;
	stop = 1;
	fwd_run(fw[0]);
	check_sent(0, 32);
	/* Stuck for good. */
	stop = 0;
	rx->rx[0].frames = 32;
	tx->tx[0].room = 0;
	fwd_pass(fw[0]);
	stop = 1;
	fwd_run(fw[0]);
	assert_int_equal(tx->port.txq[0]->stats.drops[WEIR_DROP_TX_FULL], 32);
}

static void test_bad_cpu(void **state)
{
	(void)state;
	stop = 1;
	fw[0]->cpu = CPU_SETSIZE - 1;
	fwd_run(fw[0]);
	assert_true(fw[0]->err < 0);
}

static void test_capture(void **state)
{
	const struct caprec *rec;
	unsigned n = 0;

	(void)state;
	assert_int_equal(capring_create(1u << 22, &fw[0]->cap), 0);
	fw[0]->snaplen = 40;
	fw[0]->routes[0].port = 7;
	rx->rx[0].frames = 100;
	for (unsigned i = 0; i < 10; i++)
		fwd_pass(fw[0]);
	check_sent(0, 100);
	for (; (rec = capring_peek(fw[0]->cap)); n++) {
		assert_int_equal(rec->len, 60);
		assert_int_equal(rec->caplen, 40);
		assert_int_equal(rec->port, 7);
		assert_memory_equal((const char *)(rec + 1) + 20, &n, 4);
		capring_pop(fw[0]->cap, rec);
	}
	assert_int_equal(n, 100);
	/* To the capture alone; when it is full the packets stay in the NIC. */
	fw[0]->routes[0].txq = NULL;
	fw[0]->lossless = true;
	fw[0]->snaplen = UINT32_MAX;
	rx->rx[0].frames = 1000000;
	for (unsigned i = 0; i < 100000; i++)
		fwd_pass(fw[0]);
	assert_true(rx->rx[0].frames > 0);
	for (n = 100; (rec = capring_peek(fw[0]->cap)); n++)
		capring_pop(fw[0]->cap, rec);
	assert_int_equal(n, rx->rx[0].next);
	assert_int_equal(fw[0]->cap->missed, 0);
	assert_true(fwd_pass(fw[0]) > 0);
	capring_destroy(fw[0]->cap);
}

static bool eventually(bool (*done)(const struct fwd_worker *f), const struct fwd_worker *f)
{
	for (unsigned i = 0; i < 10000 && !done(f); i++)
		weir_sleep_us(1000);
	return done(f);
}

/* A port leaves a running loop: its routes go both ways, what it held comes back, others go on. */
static void test_leave(void **state)
{
	struct fp_port *other = fp_open(w, &fp_ops);
	struct weir_port_conf c = { .n_rxq = 1, .n_txq = 1 };

	(void)state;
	assert_int_equal(weir_port_configure(&other->port, &c), 0);
	weir_port_queue_cache(&other->port, 0, cache[0]);
	/* rx -> tx, which is full; tx -> rx; other -> other. */
	fw[0]->n_routes = 3;
	fw[0]->routes[1].rxq = tx->port.rxq[0];
	fw[0]->routes[1].txq = rx->port.txq[0];
	fw[0]->routes[2].rxq = other->port.rxq[0];
	fw[0]->routes[2].txq = other->port.txq[0];
	rx->rx[0].frames = 100;
	tx->tx[0].room = 0;
	other->rx[0].frames = 300;
	fwd_pass(fw[0]);
	assert_int_equal(fw[0]->routes[0].n_held, 32);
	assert_int_equal(pthread_create(&fw[0]->thread, NULL, fwd_run, fw[0]), 0);
	fwd_leave(fw[0], &tx->port);
	assert_true(eventually(fwd_left, fw[0]));
	assert_int_equal(fw[0]->n_routes, 1);
	assert_ptr_equal(fw[0]->routes[0].rxq, other->port.rxq[0]);
	assert_int_equal(fw[0]->dropped, 32);
	assert_int_equal(rx->rx[0].frames, 68);
	/* Nothing moves while it is paused: neither thread would notice the other's frames. */
	fwd_pause(fw[0]);
	assert_true(eventually(fwd_paused, fw[0]));
	other->rx[0].frames += 100;
	weir_sleep_us(2000);
	assert_true(other->rx[0].frames >= 100);
	fwd_resume(fw[0]);
	for (unsigned i = 0;
	     i < 10000 && __atomic_load_n(&fw[0]->forwarded, __ATOMIC_RELAXED) < 400; i++)
		weir_sleep_us(1000);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(fw[0]->thread, NULL);
	assert_int_equal(fw[0]->forwarded, 400);
	assert_int_equal(other->tx[0].n_sent, 400);
	assert_int_equal(tx->tx[0].n_sent, 0);
	weir_port_close(&other->port);
	free(other);
}

/* A worker that is told to stop while it is paused stops. */
static void test_stop_paused(void **state)
{
	(void)state;
	assert_int_equal(pthread_create(&fw[0]->thread, NULL, fwd_run, fw[0]), 0);
	fwd_pause(fw[0]);
	assert_true(eventually(fwd_paused, fw[0]));
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(fw[0]->thread, NULL);
}

/* Asked to leave before it saw that the pause is over, a worker leaves; a pause given up is none. */
static void test_leave_after_pause(void **state)
{
	(void)state;
	fw[0]->n_routes = 0;
	assert_int_equal(pthread_create(&fw[0]->thread, NULL, fwd_run, fw[0]), 0);
	for (unsigned i = 0; i < 50; i++) {
		fwd_pause(fw[0]);
		assert_true(eventually(fwd_paused, fw[0]));
		fw[0]->routes[0].rxq = rx->port.rxq[0];
		fw[0]->routes[0].txq = tx->port.txq[0];
		fw[0]->n_routes = 1;
		fwd_resume(fw[0]);
		fwd_leave(fw[0], &tx->port);
		assert_true(eventually(fwd_left, fw[0]));
		assert_int_equal(__atomic_load_n(&fw[0]->n_routes, __ATOMIC_RELAXED), 0);
	}
	for (unsigned i = 0; i < 20000; i++) {
		fwd_pause(fw[0]);
		fwd_resume(fw[0]);
	}
	fwd_leave(fw[0], &tx->port);
	assert_true(eventually(fwd_left, fw[0]));
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(fw[0]->thread, NULL);
}

static int quiet_fd;

static int quiet_intr_fd(struct weir_port *p, unsigned q)
{
	(void)p;
	(void)q;
	return quiet_fd;
}

/* With frames left in a TX ring an idle worker sleeps in short naps. */
static void test_sleep_undrained(void **state)
{
	struct weir_port_ops ops = fp_ops;
	uint64_t began = weir_now_ns();

	(void)state;
	quiet_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ops.rx_intr_fd = quiet_intr_fd;
	rx->port.ops = &ops;
	rx->port.conf.rx_intr = true;
	rx->port.state = WEIR_PORT_RUNNING;
	fw[0]->idle = FWD_SLEEP;
	tx->tx[0].in_flight = 1;
	for (unsigned i = 0; i < 20; i++)
		idle(fw[0], IDLE_PASSES);
	assert_int_equal(fw[0]->sleeps, 20);
	assert_true(weir_now_ns() - began >= 19000000);
	assert_true(weir_now_ns() - began < 20ull * SLEEP_MS * 1000000);
	rx->port.state = WEIR_PORT_READY;
	rx->port.ops = &fp_ops;
	close(quiet_fd);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_forward),
		T(test_ring_full),
		T(test_give_up),
		T(test_segments),
		T(test_swap),
		T(test_rewrite),
		T(test_budget),
		T(test_budget_jumbo),
		T(test_budget_two_workers),
		T(test_drain),
		T(test_bad_cpu),
		T(test_capture),
		T(test_leave),
		T(test_stop_paused),
		T(test_sleep_undrained),
		T(test_leave_after_pause),
	};

	return cmocka_run_group_tests_name("fwd", tests, NULL, NULL);
}
