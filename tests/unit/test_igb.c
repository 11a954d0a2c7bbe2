/* SPDX-License-Identifier: BSD-3-Clause */
/* The igb driver's control side against a small 82576 made of memory (fake_igb.h). */
#include "igb_env.h"

/* --- control --- */

static void test_probe(void **state)
{
	uint8_t mac[6], want[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	struct weir_port_caps caps;

	(void)state;
	fake.phy[IGB_PHY_ANAR] = 0x0de1;
	open_port();
	assert_int_equal(fake.resets, 1);
	assert_int_equal(weir_port_mac_get(env.port, mac), 0);
	assert_memory_equal(mac, want, 6);
	assert_true(reg(IGB_CTRL_EXT) & IGB_CTRL_EXT_DRV_LOAD);
	assert_true(reg(IGB_CTRL) & IGB_CTRL_SLU);
	/* PAUSE is no longer promised, and the other side is told */
	assert_int_equal(fake.phy[IGB_PHY_ANAR], 0x01e1);
	assert_int_equal(fake.an_restarts, 1);
	/* the semaphores are free again */
	assert_int_equal(reg(IGB_SW_FW_SYNC), 0);
	assert_false(reg(IGB_SWSM) & IGB_SWSM_SWESMBI);
	assert_int_equal(reg(IGB_EIMS), 0);
	assert_int_equal(weir_port_caps(env.port, &caps), 0);
	assert_int_equal(caps.max_rxq, 16);
	assert_int_equal(caps.max_mtu, 9702);
	assert_ptr_equal(env.port->bus, &fake.pci);
	assert_int_equal(env.messages, 0);
}

static void test_probe_quiet_link(void **state)
{
	(void)state;
	open_port();
	/* link up, nothing to change: it stays up */
	assert_int_equal(fake.an_restarts, 0);
}

static void test_probe_odd(void **state)
{
	uint8_t mac[6];

	(void)state;
	/* QEMU: no Auto_RD; a board without EEPROM; a semaphore left behind; link down */
	fake.no_auto_rd = true;
	fake.mac_lo = 0;
	fake.mac_hi = 0;
	fake.link = false;
	fake.pci.info.bdf = (struct weir_bdf){ 0, 3, 1, 1 };
	open_port();
	assert_int_equal(weir_port_mac_get(env.port, mac), 0);
	assert_int_equal(mac[0], 2);
	assert_int_equal(mac[3], 3);
	assert_int_equal(fake.an_restarts, 1);
	assert_true(igb()->no_auto_rd);
}

static void test_probe_fails(void **state)
{
	struct weir_port *p;

	(void)state;
	fake.bar_size = 0x4000;
	assert_int_equal(weir_igb_driver.probe(&fake.pci, "x", &p), -ENOTSUP);
	fake.bar_size = FAKE_BAR;
	fake.reset_stuck = true;
	assert_int_equal(weir_igb_driver.probe(&fake.pci, "x", &p), -EIO);
	assert_string_equal(env.last_id, "device-reset");
	fake.reset_stuck = false;
	fake.gone = true;
	assert_int_equal(weir_igb_driver.probe(&fake.pci, "x", &p), -ENODEV);
	assert_string_equal(env.last_id, "device-gone");
	assert_false(fake.pci.closed);
}

static void test_conf_errors(void **state)
{
	(void)state;
	open_port();
	assert_int_equal(try_start((struct weir_port_conf){ .mtu = 9000 }), -EINVAL);
	assert_int_equal(try_start((struct weir_port_conf){ .rx_desc = 100 }), -EINVAL);
	assert_int_equal(try_start((struct weir_port_conf){ .rx_desc = 4104 }), -EINVAL);
	assert_int_equal(try_start((struct weir_port_conf){ .n_rxq = 17 }), -EINVAL);
	fake.pci.max_vec = 10;
	assert_int_equal(try_start((struct weir_port_conf){ .n_rxq = 16, .rx_intr = true }),
			 -ENOSPC);
	fake.enable_stuck = true;
	assert_int_equal(try_start((struct weir_port_conf){ 0 }), -EIO);
	assert_string_equal(env.last_id, "device-timeout");
	fake.enable_stuck = false;
	assert_int_equal(try_start((struct weir_port_conf){ 0 }), 0);
}

static void test_arena_full(void **state)
{
	unsigned n = 0;
	void *p[4096];

	(void)state;
	open_port();
	while (n < 4096 && (p[n] = weir_arena_alloc(env.arena, 4096, 64)))
		n++;
	assert_int_equal(
		try_start((struct weir_port_conf){ .n_rxq = 4, .n_txq = 4, .rx_desc = 64 }),
		-ENOMEM);
	while (n--)
		weir_arena_free(env.arena, p[n]);
	assert_int_equal(
		try_start((struct weir_port_conf){ .n_rxq = 4, .n_txq = 4, .rx_desc = 64 }), 0);
}

static void test_start_registers(void **state)
{
	uint32_t rctl = IGB_RCTL_RXEN | IGB_RCTL_LPE | IGB_RCTL_BAM | IGB_RCTL_SECRC;
	uint32_t prom = IGB_RCTL_UPE | IGB_RCTL_MPE | IGB_RCTL_PMCF;

	(void)state;
	start((struct weir_port_conf){ .promisc = true });
	assert_true(fake.pci.master);
	assert_int_equal(reg(IGB_RCTL), rctl | prom);
	assert_int_equal(reg(IGB_RLPML), 1526);
	assert_int_equal(reg(IGB_RDLEN(0)), 512 * 16);
	assert_int_equal(reg(IGB_SRRCTL(0)), 2 | 1u << 25);
	assert_int_equal(reg(IGB_RDT(0)), 508);
	assert_true(reg(IGB_TCTL) & IGB_TCTL_EN);
	assert_int_equal(reg(IGB_MRQC), 0);
	assert_int_equal(reg(IGB_RXCSUM), 0);
	assert_false(reg(IGB_CTRL) & (IGB_CTRL_VME | IGB_CTRL_RFCE | IGB_CTRL_TFCE));
	assert_int_equal(weir_port_promisc(env.port, false), 0);
	assert_int_equal(reg(IGB_RCTL), rctl);
	assert_int_equal(weir_port_allmulti(env.port, true), 0);
	assert_int_equal(reg(IGB_RCTL), rctl | IGB_RCTL_MPE);
	weir_port_stop(env.port);
	assert_int_equal(reg(IGB_RCTL), 0);
	assert_false(fake.pci.master);
	assert_int_equal(fake.resets, 2);
}

static void test_filters(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	uint8_t mc[40][6];
	unsigned h;

	(void)state;
	open_port();
	for (unsigned i = 0; i < 40; i++)
		memcpy(mc[i], (uint8_t[6]){ 1, 0, 0x5e, 0, (uint8_t)i, (uint8_t)(3 * i) }, 6);
	assert_int_equal(weir_port_mac_set(env.port, mac), 0);
	assert_int_equal(weir_port_mc_list(env.port, (const uint8_t(*)[6])mc, 40), 0);
	assert_int_equal(reg(IGB_RAL(0)), 2);
	assert_int_equal(reg(IGB_RAH(0)), IGB_RAH_AV | 9u << 8);
	/* 23 groups exactly, the second register block among them ... */
	assert_int_equal(reg(0x54e0 + 8 * 7), 0x005e0001);
	assert_int_equal(reg(0x54e4 + 8 * 7), IGB_RAH_AV | 66u << 8 | 22);
	/* ... and the others by their hash */
	h = (69u << 8 | 23) >> 4;
	assert_true(reg(IGB_MTA(h / 32)) & 1u << h % 32);
	/* both survive the reset that a stop brings */
	assert_int_equal(try_start((struct weir_port_conf){ 0 }), 0);
	weir_port_stop(env.port);
	assert_int_equal(reg(IGB_RAL(0)), 2);
	assert_true(reg(IGB_MTA(h / 32)) & 1u << h % 32);
	assert_int_equal(weir_port_mc_list(env.port, NULL, 0), 0);
	assert_int_equal(reg(IGB_MTA(h / 32)), 0);
	assert_int_equal(reg(IGB_RAH(1)), 0);
}

static void test_vlans(void **state)
{
	static const uint16_t vids[] = { 5, 4094 };

	(void)state;
	open_port();
	assert_int_equal(weir_port_vlan_filter(env.port, vids, 2), 0);
	assert_int_equal(try_start((struct weir_port_conf){ .promisc = true }), 0);
	assert_int_equal(reg(IGB_VFTA(0)), 1u << 5);
	assert_int_equal(reg(IGB_VFTA(127)), 1u << 30);
	assert_true(reg(IGB_RCTL) & IGB_RCTL_VFE);
	assert_int_equal(weir_port_vlan_filter(env.port, NULL, 0), 0);
	assert_int_equal(reg(IGB_VFTA(127)), 0);
	assert_false(reg(IGB_RCTL) & IGB_RCTL_VFE);
	assert_int_equal(weir_port_vlan_filter(env.port, vids, 1), 0);
	assert_true(reg(IGB_RCTL) & IGB_RCTL_VFE);
	weir_port_stop(env.port);
	assert_int_equal(reg(IGB_VFTA(0)), 1u << 5);
	assert_int_equal(reg(IGB_VFTA(127)), 0);
}

static void test_rss(void **state)
{
	struct weir_rss r = { .types = WEIR_RSS_IPV4_TCP }, back;

	(void)state;
	start((struct weir_port_conf){ .n_rxq = 3, .offloads = WEIR_OFF_RX_CSUM });
	assert_int_equal(reg(IGB_RSSRK(0)), 0xda565a6d);
	assert_int_equal(reg(IGB_RSSRK(9)), 0xfa01acbe);
	assert_int_equal(reg(IGB_RETA(0)), 0x00020100);
	assert_int_equal(reg(IGB_RETA(31)), 0x01000201);
	assert_int_equal(reg(IGB_MRQC), 2 | 0x00f70000);
	assert_int_equal(reg(IGB_RXCSUM), 1u << 8 | 1u << 9 | 1u << 13);
	assert_true(reg(IGB_SRRCTL(2)) & IGB_SRRCTL_DROP_EN);
	r.reta_len = 128;
	for (unsigned i = 0; i < 128; i++)
		r.reta[i] = 2;
	r.key_len = 40;
	memset(r.key, 0x11, 40);
	assert_int_equal(weir_port_rss_set(env.port, &r), 0);
	assert_int_equal(reg(IGB_RETA(7)), 0x02020202);
	assert_int_equal(reg(IGB_RSSRK(3)), 0x11111111);
	assert_int_equal(reg(IGB_MRQC), 2 | IGB_MRQC_TCP_IPV4);
	assert_int_equal(weir_port_rss_get(env.port, &back), 0);
	assert_memory_equal(&back, &r, sizeof(r));
	r.reta[5] = 3;
	assert_int_equal(weir_port_rss_set(env.port, &r), -EINVAL);
	/* one queue: only the hash is wanted, all goes to queue 0 */
	weir_port_stop(env.port);
	assert_int_equal(try_start((struct weir_port_conf){ .offloads = WEIR_OFF_RX_HASH }), 0);
	assert_int_equal(reg(IGB_RETA(0)), 0);
	assert_int_equal(reg(IGB_MRQC), 2 | 0x00f70000);
}

static void test_link(void **state)
{
	static const struct {
		uint32_t mode, status, pcs;
		struct weir_link want;
	} rows[] = {
		{ 0, 0, 0, { false, false, 0 } },
		{ 0, 0x02, 0, { true, false, 10 } },
		{ 0, 0x43, 0, { true, true, 100 } },
		{ 0, 0x83, 0, { true, true, 1000 } },
		{ 0, 0xc3, 0, { true, true, 1000 } },
		{ IGB_CTRL_EXT_LINK_MODE_SERDES, 0, 0x1d, { true, true, 1000 } },
		{ IGB_CTRL_EXT_LINK_MODE_SERDES, 2, 0x01, { false, false, 0 } },
		{ IGB_CTRL_EXT_LINK_MODE_SGMII, 2, 0x13, { true, false, 100 } },
	};
	struct weir_link l;

	(void)state;
	open_port();
	fake.link = false;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		igb()->link_mode = rows[i].mode;
		fake.reg[IGB_STATUS / 4] = rows[i].status;
		fake.reg[IGB_PCS_LSTAT / 4] = rows[i].pcs;
		assert_int_equal(weir_port_link(env.port, &l), 0);
		assert_int_equal(l.up, rows[i].want.up);
		assert_int_equal(l.mbps, rows[i].want.mbps);
		assert_int_equal(l.full_duplex, rows[i].want.full_duplex);
	}
}

static void test_serdes(void **state)
{
	(void)state;
	fake.reg[IGB_CTRL_EXT / 4] = IGB_CTRL_EXT_LINK_MODE_SERDES;
	open_port();
	assert_int_equal(fake.an_restarts, 0);
	assert_true(reg(IGB_PCS_LCTL) & IGB_PCS_LCTL_AN_RESTART);
	assert_true(reg(IGB_PCS_CFG) & IGB_PCS_CFG_PCS_EN);
}

static uint64_t xstat(const char *name)
{
	struct weir_xstat x[128];
	int n = weir_port_xstats(env.port, x, 128);

	assert_in_range(n, 10, 128);
	for (int i = 0; i < n; i++)
		if (!strcmp(x[i].name, name))
			return x[i].value;
	fail_msg("no counter %s", name);
	return 0;
}

static void test_xstats(void **state)
{
	(void)state;
	start((struct weir_port_conf){ 0 });
	fake.reg[0x4074 / 4] = 0xfffffff0;
	fake.reg[0x4088 / 4] = 5;
	fake.reg[0x408c / 4] = 2;
	fake.reg[IGB_RQDPC(0) / 4] = 7;
	assert_int_equal(xstat("gprc"), 0xfffffff0);
	fake.reg[0x4074 / 4] = 0x20;
	fake.reg[IGB_RQDPC(0) / 4] = 1;
	assert_int_equal(xstat("gprc"), UINT64_C(0x100000010));
	assert_int_equal(xstat("gorc"), UINT64_C(0x200000005));
	assert_int_equal(xstat("rqdpc0"), 8);
	/* a reset takes the registers, not the sums */
	fake.reg[0x4010 / 4] = 3;
	weir_port_stop(env.port);
	assert_int_equal(xstat("mpc"), 3);
	assert_int_equal(xstat("rqdpc0"), 8);
}

static void test_intr(void **state)
{
	uint8_t data[64];
	struct weir_pkt p[4];

	(void)state;
	frame(data, 64, 1);
	start((struct weir_port_conf){ .n_rxq = 10, .rx_intr = true, .rx_desc = 64 });
	assert_int_equal(fake.pci.n_vec, 11);
	assert_int_equal(reg(0x1700), 0x008900 << 8 | 0x81);
	assert_int_equal(reg(0x171c), 0x88);
	assert_int_equal(reg(IGB_IVAR_MISC), 0x8000);
	assert_int_equal(reg(IGB_EIAC), 0x7ff);
	assert_int_equal(reg(IGB_EIAM), 0x7fe);
	assert_int_equal(reg(IGB_EIMS), 1);
	assert_int_equal(reg(IGB_IMS), IGB_INT_LSC);
	assert_int_equal(weir_port_rx_intr_fd(env.port, 9), 1010);
	assert_int_equal(weir_port_lsc_fd(env.port), 1000);
	/* a cause from before is forgotten, a packet in the ring is not */
	fake.reg[IGB_EICR / 4] = 0x7ff;
	assert_int_equal(weir_port_rx_intr_arm(env.port, 0), 0);
	assert_int_equal(reg(IGB_EICR), 0x7fd);
	assert_int_equal(reg(IGB_EIMS), 3);
	assert_int_equal(weir_port_rx_intr_disarm(env.port, 0), 0);
	assert_int_equal(reg(IGB_EIMS), 1);
	assert_true(fake_rx(0, data, 64));
	assert_int_equal(weir_port_rx_intr_arm(env.port, 0), 1);
	assert_int_equal(reg(IGB_EIMS), 1);
	assert_int_equal(weir_rx(rxq(), p, 4), 1);
	drop_all(p, 1);
	assert_int_equal(weir_port_rx_intr_arm(env.port, 0), 0);
	/* the vectors outlive a stop, armed queues do not */
	weir_port_stop(env.port);
	assert_int_equal(reg(IGB_EIMS), 1);
}

static void test_lsc_alone(void **state)
{
	struct weir_link l;

	(void)state;
	start((struct weir_port_conf){ 0 });
	assert_int_equal(fake.pci.n_vec, 0);
	assert_int_equal(weir_port_lsc_fd(env.port), 1000);
	assert_int_equal(reg(IGB_IMS), IGB_INT_LSC);
	fake.reg[IGB_ICR / 4] = IGB_INT_LSC;
	assert_int_equal(weir_port_link(env.port, &l), 0);
	assert_int_equal(reg(IGB_ICR), 0);
}

static int gone_at(unsigned n)
{
	int err;

	fake.gone_after = n;
	env.port = NULL;
	err = weir_igb_driver.probe(&fake.pci, "igb0", &env.port);
	if (!err)
		err = try_start((struct weir_port_conf){ .n_rxq = 2, .n_txq = 2, .rx_intr = true });
	weir_port_close(env.port);
	env.port = NULL;
	fake.gone_after = 0;
	return err;
}

/* The device disappears at the n-th access, for each n on the way up. */
static void test_gone_sweep(void **state)
{
	unsigned n = 1;

	(void)state;
	for (; n < 3000; n += n < 400 ? 1 : 17) {
		int err;

		fake.gone = false;
		memset(fake.reg, 0, sizeof(fake.reg));
		err = gone_at(n);
		if (!err && !fake.gone)
			break;
		assert_true(!err || err == -ENODEV);
	}
	assert_in_range(n, 200, 2999);
}

static void test_gone_running(void **state)
{
	struct weir_pkt p[4];
	struct weir_link l;
	unsigned told;

	(void)state;
	start((struct weir_port_conf){ 0 });
	fake.tx_stuck = true;
	make(p, 1, 100, 1);
	assert_int_equal(weir_tx_post(txq(), p, 1), 1);
	weir_tx_kick(txq());
	fake.gone = true;
	assert_int_equal(weir_port_link(env.port, &l), -ENODEV);
	assert_true(env.port->failed);
	told = env.messages;
	assert_int_equal(weir_port_promisc(env.port, true), -ENODEV);
	assert_int_equal(weir_port_lsc_fd(env.port), -ENODEV);
	assert_int_equal(env.messages, told);
	assert_int_equal(weir_rx(rxq(), p, 4), 0);
	make(p, 1, 100, 1);
	assert_int_equal(weir_tx_post(txq(), p, 1), 0);
	drop_all(p, 1);
	weir_tx_kick(txq());
	assert_int_equal(weir_tx_reap(txq()), 1);
}

/* What weir_port_check() learns from this driver; what it makes of it is in test_watch.c. */
static void test_check(void **state)
{
	struct weir_port_conf two = { .n_rxq = 2, .n_txq = 2, .stall_ms = 1 };
	struct weir_pkt p[4];
	uint64_t n;

	(void)state;
	start((struct weir_port_conf){ .stall_ms = 1 });
	/* with one queue all that the port has taken is its own, but for management's */
	fake.reg[0x4010 / 4] = 7;
	fake.reg[0x4074 / 4] = 30;
	fake.reg[0x40b4 / 4] = 20;
	fake.reg[IGB_RQDPC(0) / 4] = 2;
	assert_int_equal(env.port->ops->arrived(env.port, 0, &n), 0);
	assert_int_equal(n, 19);
	fake.reg[IGB_RQDPC(0) / 4] = 0;
	assert_int_equal(env.port->ops->arrived(env.port, 0, &n), 0);
	assert_int_equal(n, 19);
	/* counted, polled for, and not handed out */
	assert_int_equal(weir_port_check(env.port), 0);
	for (unsigned i = 0; i < 3; i++) {
		fake.reg[0x4074 / 4] = 1;
		weir_sleep_us(2000);
		assert_int_equal(weir_rx(rxq(), p, 4), 0);
		if (weir_port_check(env.port) == -EIO)
			break;
	}
	assert_string_equal(env.last_id, "rx-stall");
	assert_int_equal(weir_port_stop(env.port), 0);
	/* of several queues only what had no descriptors is known, each by itself */
	two.arena = env.arena;
	assert_int_equal(try_start(two), 0);
	fake.reg[0x4074 / 4] = 30;
	fake.reg[IGB_RQDPC(1) / 4] = 5;
	assert_int_equal(env.port->ops->arrived(env.port, 0, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(env.port->ops->arrived(env.port, 1, &n), 0);
	assert_int_equal(n, 5);
	fake.gone = true;
	assert_int_equal(env.port->ops->arrived(env.port, 1, &n), -ENODEV);
	assert_int_equal(igb()->stats[N_TABLE + 1], 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_probe),
		T(test_probe_quiet_link),
		T(test_probe_odd),
		T(test_probe_fails),
		T(test_conf_errors),
		T(test_arena_full),
		T(test_start_registers),
		T(test_filters),
		T(test_vlans),
		T(test_rss),
		T(test_link),
		T(test_serdes),
		T(test_xstats),
		T(test_intr),
		T(test_lsc_alone),
		T(test_gone_sweep),
		T(test_gone_running),
		T(test_check),
	};

	return cmocka_run_group_tests_name("igb", tests, NULL, NULL);
}
