/* SPDX-License-Identifier: BSD-3-Clause */
/* igb's queues from start to stop and again, and who may run which functions (fake_igb.h). */
#include "igb_env.h"

#ifdef __x86_64__
/* Functions are taken only by a processor that has all that they were compiled for. */
static void test_processor(void **state)
{
	static const struct {
		const char *feature;
		bool avx2;
	} lacks[] = {
		{ "avx2", false },    { "bmi", false },	    { "avx512f", true },
		{ "avx512bw", true }, { "avx512dq", true }, { "avx512vl", true },
	};
	bool all = true;

	(void)state;
	open_port();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(lacks); i++) {
		env_lacks = lacks[i].feature;
		all &= !weir_port_configure(env.port,
					    &(struct weir_port_conf){ .arena = env.arena }) &&
		       rxq()->burst != intel_rx_plain_avx512 &&
		       (lacks[i].avx2 || rxq()->burst != intel_rx_plain_avx2);
		env_lacks = "";
	}
	assert_true(all);
}
#endif

static void test_restart(void **state)
{
	struct weir_pkt p[32];
	uint8_t data[64] = { 0 };

	(void)state;
	start((struct weir_port_conf){ .n_rxq = 2, .n_txq = 2 });
	for (unsigned i = 0; i < 5; i++) {
		fake.tx_stuck = i & 1;
		for (unsigned k = 0; k < 20 + i; k++)
			fake_rx(k & 1, data, 64);
		assert_int_equal(weir_rx(env.port->rxq[1], p, 7), 7);
		assert_int_equal(weir_tx_post(env.port->txq[1], p, 7), 7);
		if (i != 2)
			weir_tx_kick(env.port->txq[1]);
		weir_port_stop(env.port);
		assert_int_equal(env.cache->n + weir_pool_available(env.pool), BUFS);
		assert_int_equal(weir_port_start(env.port), 0);
	}
}

/* Nothing of what was before a stop is left over: in the midst of packets on both sides. */
static void test_restart_forgets(void **state)
{
	uint8_t data[64] = { 0 };
	struct weir_pkt p[80];

	(void)state;
	open_port();
	for (unsigned n = 5; n <= 80; n += 5) {
		struct weir_port_conf c = { .offloads = WEIR_OFF_TX_VLAN, .tx_head_wb = n > 40 };

		if (n == 5 || n == 45)
			assert_int_equal(try_start(c), 0);
		/* Posted, a context among them, with reports asked for and without; not kicked. */
		for (unsigned k = 0; k < n; k++) {
			make(&p[k], 1, 60, k);
			p[k].flags = k & 1 ? 0 : WEIR_PKT_VLAN;
		}
		assert_int_equal(weir_tx_post(txq(), p, n), n);
		/* The first half of a packet, of which nothing may come. */
		assert_true(fake_rx_seg(0, data, 64, 0, 0, 0));
		assert_int_equal(weir_rx(rxq(), p, 8), 0);
		assert_int_equal(weir_port_stop(env.port), 0);
		assert_int_equal(env.cache->n + weir_pool_available(env.pool), BUFS);
		assert_int_equal(weir_port_start(env.port), 0);
		assert_true(fake_rx(0, data, 64));
		assert_int_equal(weir_rx(rxq(), p, 8), 1);
		p[0].flags = WEIR_PKT_VLAN;
		assert_int_equal(weir_tx_post(txq(), p, 1), 1);
		fake.ctx_descs = 0;
		fake.tx_stuck = true;
		weir_tx_kick(txq());
		assert_int_equal(weir_tx_reap(txq()), 1);
		fake.tx_stuck = false;
		fake_tx(0);
		assert_int_equal(fake.ctx_descs, 1);
		assert_int_equal(weir_tx_reap(txq()), 0);
		if (n == 40)
			assert_int_equal(weir_port_stop(env.port), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_restart),
		T(test_restart_forgets),
#ifdef __x86_64__
		T(test_processor),
#endif
	};
	int failed;

	fake_phys = false;
	failed = cmocka_run_group_tests_name("igb_restart", tests, NULL, NULL);
	env_scalar = true;
	failed += cmocka_run_group_tests_name("igb_restart (scalar)", tests, NULL, NULL);
	fake_phys = true;
	return failed + cmocka_run_group_tests_name("igb_restart (physical)", tests, NULL, NULL);
}
