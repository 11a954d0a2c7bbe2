/* SPDX-License-Identifier: BSD-3-Clause */
/* The ixgbe driver's control side against a small 82599 made of memory (fake_igb.h). */
#include "ixgbe_env.h"

/* --- control --- */

static void test_probe(void **state)
{
	uint8_t mac[6], want[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	struct weir_port_caps caps;

	(void)state;
	open_port();
	assert_int_equal(fake.resets, 1);
	assert_int_equal(fake.link_resets, 1);
	assert_int_equal(weir_port_mac_get(env.port, mac), 0);
	assert_memory_equal(mac, want, 6);
	assert_true(reg(IXGBE_CTRL_EXT) & IXGBE_CTRL_EXT_DRV_LOAD);
	assert_int_equal(reg(IXGBE_RXPBSIZE(0)), 512 << 10);
	assert_int_equal(reg(IXGBE_RQSMR(0)), 0x03020100);
	assert_int_equal(reg(IXGBE_TQSM(3)), 0x0f0e0d0c);
	assert_int_equal(reg(IXGBE_DCA_CTRL), 1);
	assert_int_equal(reg(IXGBE_EIMS), 0);
	/* a link that is up is left alone */
	assert_int_equal(fake.an_restarts, 0);
	assert_int_equal(weir_port_caps(env.port, &caps), 0);
	assert_int_equal(caps.max_rxq, 16);
	assert_int_equal(caps.max_mtu, 9702);
	assert_int_equal(caps.reta_len, 128);
	assert_ptr_equal(env.port->bus, &fake.pci);
	assert_int_equal(!fake.messages, env_reach == REACH_ALL);
	assert_int_equal(env.messages, 0);
}

static void test_link_start(void **state)
{
	(void)state;
	/* down: negotiation starts, under the semaphores, which are free again afterwards */
	fake.link = false;
	fake.reg[IXGBE_AUTOC / 4] = 0x6000;
	open_port();
	assert_int_equal(fake.an_restarts, 1);
	assert_int_equal(reg(IXGBE_AUTOC), 0x6000);
	assert_int_equal(reg(IXGBE_SW_FW_SYNC), 0);
	assert_int_equal(reg(IXGBE_SWSM) & IXGBE_SWSM_SWESMBI, 0);
	weir_port_close(env.port);
	/* held by firmware that never lets go: after a bounded wait it starts all the same */
	fake.reg[IXGBE_SW_FW_SYNC / 4] = IXGBE_SW_FW_SYNC_FW_MAC_CSR;
	open_port();
	assert_int_equal(fake.an_restarts, 2);
	assert_int_equal(reg(IXGBE_SW_FW_SYNC), IXGBE_SW_FW_SYNC_FW_MAC_CSR);
	weir_port_close(env.port);
	/* copper: firmware does it */
	fake.pci.info.device = 0x1528;
	open_port();
	assert_int_equal(fake.an_restarts, 2);
	assert_int_equal(reg(IXGBE_RXPBSIZE(0)), 384 << 10);
}

static void test_probe_odd(void **state)
{
	uint8_t mac[6];

	(void)state;
	/* no Auto_RD; a board without EEPROM; requests to memory that never end */
	fake.no_auto_rd = true;
	fake.master_stuck = true;
	fake.mac_lo = 0;
	fake.mac_hi = 0;
	fake.pci.info.bdf = (struct weir_bdf){ 0, 3, 1, 1 };
	open_port();
	assert_int_equal(weir_port_mac_get(env.port, mac), 0);
	assert_int_equal(mac[0], 2);
	assert_int_equal(mac[3], 3);
	/* each has a warning, and the reset is done twice */
	assert_int_equal(env.messages, 3);
	assert_int_equal(fake.resets, 2);
}

static void test_probe_fails(void **state)
{
	struct weir_port *p;

	(void)state;
	fake.bar_size = 0x4000;
	assert_int_equal(weir_ixgbe_driver.probe(&fake.pci, "x", &p), -ENOTSUP);
	fake.bar_size = FAKE_BAR;
	fake.reset_stuck = true;
	assert_int_equal(weir_ixgbe_driver.probe(&fake.pci, "x", &p), -EIO);
	assert_string_equal(env.last_id, "device-reset");
	fake.reset_stuck = false;
	fake.gone = true;
	assert_int_equal(weir_ixgbe_driver.probe(&fake.pci, "x", &p), -ENODEV);
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
	uint32_t prom = IXGBE_FCTRL_UPE | IXGBE_FCTRL_MPE;

	(void)state;
	start((struct weir_port_conf){ .promisc = true });
	assert_true(fake.pci.master);
	assert_int_equal(reg(IXGBE_FCTRL), IXGBE_FCTRL_BAM | prom);
	assert_int_equal(reg(IXGBE_MFLCN), IXGBE_MFLCN_PMCF);
	assert_int_equal(reg(IXGBE_MAXFRS), 1526 << 16);
	assert_int_equal(reg(IXGBE_HLREG0), 0x407);
	assert_int_equal(reg(IXGBE_RXQ(0) + IXGBE_XDLEN), 512 * 16);
	assert_int_equal(reg(IXGBE_SRRCTL(0)), 2 | 4u << 8 | 1u << 25);
	assert_int_equal(reg(IXGBE_RDT(0)), 508);
	assert_int_equal(reg(IXGBE_RXDCTL(0)), IXGBE_XDCTL_ENABLE);
	assert_int_equal(reg(IXGBE_DCA_RXCTRL(0)), 0xa200);
	assert_int_equal(reg(IXGBE_TXDCTL(0)), IXGBE_XDCTL_ENABLE | 0x120);
	assert_int_equal(reg(IXGBE_TDWBAL(0)), 0);
	assert_int_equal(reg(IXGBE_DMATXCTL), IXGBE_DMATXCTL_TE);
	assert_int_equal(reg(IXGBE_DTXMXSZRQ), 0xfff);
	assert_int_equal(reg(IXGBE_RTTDCS), 0);
	assert_int_equal(reg(IXGBE_RDRXCTL), 0x0600000a);
	assert_int_equal(reg(IXGBE_RXCTRL), IXGBE_RXCTRL_RXEN);
	assert_int_equal(reg(IXGBE_SECRXCTRL), 0);
	assert_int_equal(reg(IXGBE_MRQC), 0);
	assert_int_equal(weir_port_promisc(env.port, false), 0);
	assert_int_equal(reg(IXGBE_FCTRL), IXGBE_FCTRL_BAM);
	assert_int_equal(weir_port_allmulti(env.port, true), 0);
	assert_int_equal(reg(IXGBE_FCTRL), IXGBE_FCTRL_BAM | IXGBE_FCTRL_MPE);
	weir_port_stop(env.port);
	assert_int_equal(reg(IXGBE_RXCTRL), 0);
	assert_false(fake.pci.master);
	/* reset, but the link stays up */
	assert_int_equal(fake.resets, 2);
	assert_int_equal(fake.link_resets, 1);
}

static void test_filters(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	uint8_t mc[128][6];
	unsigned h;

	(void)state;
	open_port();
	for (unsigned i = 0; i < 128; i++)
		memcpy(mc[i], (uint8_t[6]){ 1, 0, 0x5e, 0, (uint8_t)i, (uint8_t)(3 * i) }, 6);
	assert_int_equal(weir_port_mac_set(env.port, mac), 0);
	assert_int_equal(weir_port_mc_list(env.port, (const uint8_t(*)[6])mc, 128), 0);
	assert_int_equal(reg(0x5400), 2);
	assert_int_equal(reg(0x5404), IXGBE_RAH_AV | 9u << 8);
	/* 127 groups exactly, the second register block among them ... */
	assert_int_equal(reg(0x5400 + 8 * 15), 0x005e0001);
	assert_int_equal(reg(0x5404 + 8 * 15), IXGBE_RAH_AV | 42u << 8 | 14);
	assert_int_equal(reg(0xa200 + 8 * 127), 0x005e0001);
	assert_int_equal(reg(0xa204 + 8 * 127), IXGBE_RAH_AV | 0x7au << 8 | 126);
	/* ... and the last by its hash */
	h = (0x7du << 8 | 127) >> 4;
	assert_int_equal(reg(IXGBE_MTA(h / 32)), 1u << h % 32);
	assert_int_equal(reg(IXGBE_MCSTCTRL), IXGBE_MCSTCTRL_MFE);
	/* both survive the reset that a stop brings */
	assert_int_equal(try_start((struct weir_port_conf){ 0 }), 0);
	weir_port_stop(env.port);
	assert_int_equal(reg(0x5400), 2);
	assert_int_equal(reg(IXGBE_MTA(h / 32)), 1u << h % 32);
	assert_int_equal(weir_port_mc_list(env.port, NULL, 0), 0);
	assert_int_equal(reg(IXGBE_MTA(h / 32)), 0);
	assert_int_equal(reg(IXGBE_MCSTCTRL), 0);
	assert_int_equal(reg(IXGBE_RAH(1)), 0);
}

static void test_vlans(void **state)
{
	static const uint16_t vids[] = { 5, 4094 };

	(void)state;
	open_port();
	assert_int_equal(weir_port_vlan_filter(env.port, vids, 2), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(reg(IXGBE_VFTA(0)), 1u << 5);
		assert_int_equal(reg(IXGBE_VFTA(127)), 1u << 30);
		assert_true(reg(IXGBE_VLNCTRL) & IXGBE_VLNCTRL_VFE);
		/* survives the reset that a stop brings */
		assert_int_equal(i ? weir_port_stop(env.port)
				   : try_start((struct weir_port_conf){ .promisc = true }),
				 0);
	}
	assert_int_equal(weir_port_vlan_filter(env.port, NULL, 0), 0);
	assert_int_equal(reg(IXGBE_VFTA(127)), 0);
	assert_false(reg(IXGBE_VLNCTRL) & IXGBE_VLNCTRL_VFE);
}

static void test_rss(void **state)
{
	struct weir_rss r = { .types = WEIR_RSS_IPV4_TCP }, back;

	(void)state;
	start((struct weir_port_conf){ .n_rxq = 3, .offloads = WEIR_OFF_RX_CSUM });
	assert_int_equal(reg(IXGBE_RSSRK(0)), 0xda565a6d);
	assert_int_equal(reg(IXGBE_RSSRK(9)), 0xfa01acbe);
	assert_int_equal(reg(IXGBE_RETA(0)), 0x00020100);
	assert_int_equal(reg(IXGBE_RETA(31)), 0x01000201);
	assert_int_equal(reg(IXGBE_MRQC), 1 | 0x00f30000);
	assert_int_equal(reg(IXGBE_RXCSUM), 1u << 13);
	assert_true(reg(IXGBE_SRRCTL(2)) & IXGBE_SRRCTL_DROP_EN);
	r.reta_len = 128;
	for (unsigned i = 0; i < 128; i++)
		r.reta[i] = 2;
	r.key_len = 40;
	memset(r.key, 0x11, 40);
	assert_int_equal(weir_port_rss_set(env.port, &r), 0);
	assert_int_equal(reg(IXGBE_RETA(7)), 0x02020202);
	assert_int_equal(reg(IXGBE_RSSRK(3)), 0x11111111);
	assert_int_equal(reg(IXGBE_MRQC), 1 | IXGBE_MRQC_TCP_IPV4);
	assert_int_equal(weir_port_rss_get(env.port, &back), 0);
	assert_memory_equal(&back, &r, sizeof(r));
	r.reta[5] = 3;
	assert_int_equal(weir_port_rss_set(env.port, &r), -EINVAL);
	/* one queue: only the hash is wanted, all goes to queue 0 */
	weir_port_stop(env.port);
	assert_int_equal(try_start((struct weir_port_conf){ .offloads = WEIR_OFF_RX_HASH }), 0);
	assert_int_equal(reg(IXGBE_RETA(0)), 0);
	assert_int_equal(reg(IXGBE_MRQC), 1 | 0x00f30000);
}

/* The X550's table is four times as long, and in two places. */
static void test_rss_x550(void **state)
{
	struct weir_port_caps caps;

	(void)state;
	fake.pci.info.device = 0x1563;
	start((struct weir_port_conf){ .n_rxq = 16, .rx_desc = 32 });
	assert_int_equal(weir_port_caps(env.port, &caps), 0);
	assert_int_equal(caps.reta_len, 512);
	assert_int_equal(reg(0x5c00), 0x03020100);
	assert_int_equal(reg(0x5c7c), 0x0f0e0d0c);
	assert_int_equal(reg(0xee80), 0x03020100);
	assert_int_equal(reg(0xeffc), 0x0f0e0d0c);
	assert_int_equal(reg(0x5c80), 0xda565a6d);
}

static void test_link(void **state)
{
	static const struct {
		uint32_t links;
		struct weir_link want;
	} rows[] = {
		{ 0x30000000, { false, false, 0 } },  { 0x70000000, { true, true, 10000 } },
		{ 0x60000000, { true, true, 1000 } }, { 0x50000000, { true, true, 100 } },
		{ 0x40000000, { true, true, 10 } },   { 0x78000000, { true, true, 2500 } },
		{ 0x58000000, { true, true, 5000 } },
	};
	struct weir_link l;

	(void)state;
	open_port();
	fake.link = false;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		fake.reg[IXGBE_LINKS / 4] = rows[i].links;
		assert_int_equal(weir_port_link(env.port, &l), 0);
		assert_int_equal(l.up, rows[i].want.up);
		assert_int_equal(l.mbps, rows[i].want.mbps);
		assert_int_equal(l.full_duplex, rows[i].want.full_duplex);
	}
}

static uint64_t xstat(const char *name)
{
	struct weir_xstat x[256];
	int n = weir_port_xstats(env.port, x, 256);

	assert_in_range(n, 60, 256);
	for (int i = 0; i < n; i++)
		if (!strcmp(x[i].name, name))
			return x[i].value;
	fail_msg("no counter %s", name);
	return 0;
}

static void test_xstats(void **state)
{
	(void)state;
	start((struct weir_port_conf){ .n_rxq = 16, .rx_desc = 32 });
	fake.reg[0x4074 / 4] = 0xfffffff0;
	fake.reg[0x4088 / 4] = 5;
	fake.reg[0x408c / 4] = 2;
	fake.reg[IXGBE_QPRDC(15) / 4] = 7;
	fake.reg[IXGBE_QBRC_L(3) / 4] = 9;
	fake.reg[IXGBE_QBRC_H(3) / 4] = 1;
	fake.reg[IXGBE_QBTC_L(0) / 4] = 11;
	assert_int_equal(xstat("gprc"), 0xfffffff0);
	fake.reg[0x4074 / 4] = 0x20;
	fake.reg[IXGBE_QPRDC(15) / 4] = 1;
	assert_int_equal(xstat("gprc"), UINT64_C(0x100000010));
	assert_int_equal(xstat("gorc"), UINT64_C(0x200000005));
	assert_int_equal(xstat("qprdc15"), 8);
	assert_int_equal(xstat("qbrc3"), UINT64_C(0x100000009));
	assert_int_equal(xstat("qbtc0"), 11);
	/* a reset takes the registers, not the sums */
	fake.reg[0x3fa0 / 4] = 3;
	weir_port_stop(env.port);
	assert_int_equal(xstat("mpc0"), 3);
	assert_int_equal(xstat("qprdc15"), 8);
}

static void test_intr(void **state)
{
	uint8_t data[64];
	struct weir_pkt p[4];

	(void)state;
	frame(data, 64, 1);
	start((struct weir_port_conf){ .n_rxq = 10, .rx_intr = true, .rx_desc = 64 });
	assert_int_equal(fake.pci.n_vec, 11);
	assert_int_equal(reg(IXGBE_IVAR(0)), 0x00810080);
	assert_int_equal(reg(IXGBE_IVAR(4)), 0x00890088);
	assert_int_equal(reg(IXGBE_IVAR(5)), 0);
	assert_int_equal(reg(IXGBE_IVAR_MISC), 0x8a00);
	assert_int_equal(reg(IXGBE_EIAC), 0xffff);
	assert_int_equal(reg(IXGBE_EIAM_EX(0)), 0x3ff);
	assert_int_equal(reg(IXGBE_EIMS), IXGBE_EI_LSC);
	assert_int_equal(reg(IXGBE_EIMS_EX(0)), 0);
	assert_int_equal(weir_port_rx_intr_fd(env.port, 9), 1009);
	assert_int_equal(weir_port_lsc_fd(env.port), 1010);
	/* a cause from before is forgotten, a packet in the ring is not */
	fake.reg[IXGBE_EICR / 4] = 0x3ff;
	assert_int_equal(weir_port_rx_intr_arm(env.port, 0), 0);
	assert_int_equal(reg(IXGBE_EICR), 0x3fe);
	assert_int_equal(reg(IXGBE_EIMS_EX(0)), 1);
	assert_int_equal(weir_port_rx_intr_disarm(env.port, 0), 0);
	assert_int_equal(reg(IXGBE_EIMS_EX(0)), 0);
	assert_true(fake_rx(0, data, 64));
	assert_int_equal(weir_port_rx_intr_arm(env.port, 0), 1);
	assert_int_equal(reg(IXGBE_EIMS_EX(0)), 0);
	assert_int_equal(weir_rx(rxq(), p, 4), 1);
	drop_all(p, 1);
	assert_int_equal(weir_port_rx_intr_arm(env.port, 0), 0);
	/* the vectors outlive a stop, armed queues do not */
	weir_port_stop(env.port);
	assert_int_equal(reg(IXGBE_EIMS_EX(0)), 0);
	assert_int_equal(reg(IXGBE_EIMS), IXGBE_EI_LSC);
}

static void test_lsc_alone(void **state)
{
	struct weir_link l;

	(void)state;
	start((struct weir_port_conf){ 0 });
	assert_int_equal(fake.pci.n_vec, 0);
	assert_int_equal(weir_port_lsc_fd(env.port), 1000);
	assert_int_equal(reg(IXGBE_IVAR_MISC), 0x8000);
	assert_int_equal(reg(IXGBE_EIMS), IXGBE_EI_LSC);
	/* reading the link takes the cause away, but not those of queues */
	fake.reg[IXGBE_EICR / 4] = IXGBE_EI_LSC | 1;
	assert_int_equal(weir_port_link(env.port, &l), 0);
	assert_int_equal(reg(IXGBE_EICR), 1);
	assert_int_equal(env.messages, 0);
	fake.reg[IXGBE_EICR / 4] = IXGBE_EI_PCI;
	assert_int_equal(weir_port_link(env.port, &l), 0);
	assert_string_equal(env.last_id, "device-fault");
}

static int gone_at(unsigned n)
{
	int err;

	fake.gone_after = n;
	env.port = NULL;
	err = weir_ixgbe_driver.probe(&fake.pci, "ixgbe0", &env.port);
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
	for (; n < 6000; n += n < 300 ? 1 : 37) {
		int err;

		fake.gone = false;
		memset(fake.reg, 0, sizeof(fake.reg));
		err = gone_at(n);
		if (!err && !fake.gone)
			break;
		assert_true(!err || err == -ENODEV);
	}
	assert_in_range(n, 200, 5999);
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
	struct weir_pkt p[1];
	uint64_t n;

	(void)state;
	start((struct weir_port_conf){ 0 });
	assert_int_equal(weir_port_check(env.port), 0);
	/* with one queue the packet buffer's misses are its own */
	fake.reg[IXGBE_QPRC(0) / 4] = 3;
	fake.reg[IXGBE_QPRDC(0) / 4] = 2;
	fake.reg[0x3fa0 / 4] = 7;
	assert_int_equal(env.port->ops->arrived(env.port, 0, &n), 0);
	assert_int_equal(n, 12);
	assert_int_equal(env.port->ops->arrived(env.port, 0, &n), 0);
	assert_int_equal(n, 12);
	/* a pause that the other end asks for */
	assert_int_equal(env.port->paused, 0);
	fake.reg[0x41a8 / 4] = 1;
	assert_int_equal(weir_port_check(env.port), 0);
	assert_true(env.port->paused != 0);
	/* in flight: idle as often as it is looked for, until it is reported */
	fake.tx_stuck = true;
	make(p, 1, 100, 1);
	assert_int_equal(weir_tx_post(txq(), p, 1), 1);
	weir_tx_kick(txq());
	assert_int_equal(txq()->idle_since, 0);
	assert_int_equal(weir_tx_reap(txq()), 1);
	assert_true(txq()->idle_since != 0);
	fake.tx_stuck = false;
	fake_tx(0);
	assert_int_equal(weir_tx_reap(txq()), 0);
	assert_int_equal(txq()->idle_since, 0);
	assert_int_equal(weir_tx_reap(txq()), 0);
	assert_int_equal(txq()->idle_since, 0);
	/* refused memory: until the port is started again */
	fake.reg[IXGBE_EICR / 4] |= IXGBE_EI_PCI;
	assert_int_equal(weir_port_check(env.port), -EIO);
	assert_string_equal(env.last_id, "device-fault");
	assert_int_equal(weir_port_stop(env.port), 0);
	assert_int_equal(weir_port_start(env.port), 0);
	assert_int_equal(weir_port_check(env.port), 0);
	fake.gone = true;
	assert_int_equal(weir_port_check(env.port), -ENODEV);
	assert_string_equal(env.last_id, "device-gone");
	assert_int_equal(env.port->ops->arrived(env.port, 0, &n), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_probe),		 T(test_link_start),
		T(test_probe_odd),	 T(test_probe_fails),
		T(test_conf_errors),	 T(test_arena_full),
		T(test_start_registers), T(test_filters),
		T(test_vlans),		 T(test_rss),
		T(test_rss_x550),	 T(test_link),
		T(test_xstats),		 T(test_intr),
		T(test_lsc_alone),	 T(test_gone_sweep),
		T(test_gone_running),	 T(test_check),
	};

	return RUN_ALL("ixgbe", tests);
}
