/* SPDX-License-Identifier: BSD-3-Clause */
/* The igb driver's bursts against a small 82576 made of memory (fake_igb.h). */
#include "igb_env.h"

#define OK (IGB_RXD_EOP)

static const struct weir_port_conf small = { .rx_desc = 32, .tx_desc = 32 };

static void check_frame(const struct weir_pkt *p, unsigned len, unsigned seed)
{
	uint8_t want[WEIR_BUF_ROOM];

	frame(want, len, seed);
	assert_int_equal(p->len, len);
	assert_int_equal(p->off, WEIR_BUF_HEADROOM);
	assert_memory_equal(weir_pkt_data(fake.pci.dma.va_base, p), want, len);
}

/* --- receive --- */

static void test_rx_one(void **state)
{
	uint8_t data[WEIR_BUF_ROOM];
	struct weir_pkt p[8];

	(void)state;
	start((struct weir_port_conf){ 0 });
	assert_int_equal(weir_rx(rxq(), p, 8), 0);
	frame(data, 60, 3);
	assert_true(fake_rx(0, data, 60));
	frame(data, WEIR_BUF_ROOM, 4);
	assert_true(fake_rx(0, data, WEIR_BUF_ROOM));
	assert_int_equal(weir_rx(rxq(), p, 8), 2);
	check_frame(&p[0], 60, 3);
	check_frame(&p[1], WEIR_BUF_ROOM, 4);
	assert_int_equal(p[0].flags, 0);
	assert_int_equal(rxq()->stats.packets, 2);
	assert_int_equal(rxq()->stats.bytes, 60 + WEIR_BUF_ROOM);
	assert_int_equal(rxq()->stats.calls, 2);
	assert_int_equal(rxq()->stats.empty, 1);
	drop_all(p, 2);
}

/* Many times around rings of several sizes, in bursts of several sizes. */
static void test_rx_wrap(void **state)
{
	static const unsigned sizes[] = { 32, 40, 64, 512 };

	(void)state;
	open_port();
	for (unsigned s = 0; s < WEIR_ARRAY_SIZE(sizes); s++) {
		unsigned in = 0, out = 0, before;
		struct weir_pkt p[64];
		uint8_t data[128];

		assert_int_equal(try_start((struct weir_port_conf){ .rx_desc = sizes[s] }), 0);
		before = fake.rdt_writes;
		while (out < 5000) {
			unsigned burst = 1 + (out * 7) % 64, n;

			for (unsigned i = 0; i < burst % 40 + 1; i++, in++) {
				frame(data, 60 + in % 60, in);
				if (!fake_rx(0, data, 60 + in % 60))
					break;
			}
			n = weir_rx(rxq(), p, burst);
			assert_in_range(n, 0, burst);
			for (unsigned i = 0; i < n; i++, out++)
				check_frame(&p[i], 60 + out % 60, out);
			drop_all(p, n);
		}
		assert_in_range(in, out, out + sizes[s]);
		/* doorbells come for batches of buffers, not for each (those of the library: unseen) */
		if (!fake_phys)
			assert_in_range(fake.rdt_writes - before, 1,
					5000 / (sizes[s] < 128 ? 8 : 32) + 10);
		weir_port_stop(env.port);
	}
}

static void rx_row(uint64_t st, uint32_t info, uint16_t flags)
{
	struct weir_pkt p[8];
	uint8_t data[64] = { 0 };

	assert_true(fake_rx_seg(0, data, 64, st | OK, info, 0xcafef00d));
	assert_int_equal(weir_rx(rxq(), p, 8), 1);
	assert_int_equal(p[0].flags, flags);
	if (flags & WEIR_PKT_HASH)
		assert_int_equal(p[0].hash, 0xcafef00d);
	if (flags & WEIR_PKT_VLAN)
		assert_int_equal(p[0].vlan, 0x8123);
	drop_all(p, 1);
}

static void rx_meta_rows(unsigned offloads)
{
	bool c = offloads & WEIR_OFF_RX_CSUM;

	rx_row(0, 0, 0);
	rx_row(IGB_RXD_IPCS, 0, c ? WEIR_PKT_RX_IP_GOOD : 0);
	rx_row(IGB_RXD_IPCS | IGB_RXD_IPE, 0, c ? WEIR_PKT_RX_IP_BAD : 0);
	rx_row(IGB_RXD_L4CS, 0, c ? WEIR_PKT_RX_L4_GOOD : 0);
	rx_row(IGB_RXD_L4CS | IGB_RXD_L4E | IGB_RXD_IPCS, 0,
	       c ? WEIR_PKT_RX_L4_BAD | WEIR_PKT_RX_IP_GOOD : 0);
	/* an error bit without the bit that says "looked at" */
	rx_row(IGB_RXD_L4E | IGB_RXD_IPE, 0, 0);
	rx_row(0, 2, offloads & WEIR_OFF_RX_HASH ? WEIR_PKT_HASH : 0);
	rx_row(IGB_RXD_VP | UINT64_C(0x8123) << 48, 0,
	       offloads & WEIR_OFF_RX_VLAN_STRIP ? WEIR_PKT_VLAN : 0);
}

static void test_rx_meta(void **state)
{
	static const unsigned rows[] = {
		0,
		WEIR_OFF_RX_CSUM,
		WEIR_OFF_RX_VLAN_STRIP,
		WEIR_OFF_RX_HASH,
		WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_HASH,
		WEIR_OFF_RX_CSUM | WEIR_OFF_RX_HASH | WEIR_OFF_RX_JUMBO,
	};

	(void)state;
	open_port();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		assert_int_equal(try_start((struct weir_port_conf){ .offloads = rows[i] }), 0);
		assert_int_equal(!!(reg(IGB_CTRL) & IGB_CTRL_VME),
				 !!(rows[i] & WEIR_OFF_RX_VLAN_STRIP));
		rx_meta_rows(rows[i]);
		weir_port_stop(env.port);
	}
}

static void test_rx_hostile_single(void **state)
{
	struct weir_pkt p[16];
	struct weir_qstats *s;

	(void)state;
	start((struct weir_port_conf){ 0 });
	s = &rxq()->stats;
	fake_rx_seg(0, NULL, 0, OK, 0, 0);
	fake_rx_seg(0, NULL, WEIR_BUF_ROOM + 1, OK, 0, 0);
	fake_rx_seg(0, NULL, 0xffff, OK, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 0);
	assert_int_equal(drops(s, WEIR_DROP_BAD_LEN), 3);
	fake_rx_seg(0, NULL, 64, OK | IGB_RXD_RXE, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 0);
	assert_int_equal(drops(s, WEIR_DROP_DEV_ERR), 1);
	/* a packet over three buffers, where one buffer a packet was agreed: one drop */
	fake_rx_seg(0, NULL, 2048, 0, 0, 0);
	fake_rx_seg(0, NULL, 2048, 0, 0, 0);
	fake_rx_seg(0, NULL, 64, OK, 0, 0);
	fake_rx_seg(0, NULL, 65, OK, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 1);
	assert_int_equal(p[0].len, 65);
	assert_int_equal(drops(s, WEIR_DROP_BAD_LEN), 4);
	assert_int_equal(s->packets, 1);
	drop_all(p, 1);
}

/* The device marks the whole ring as done, again and again, whatever is in it. */
static void test_rx_hostile_ring(void **state)
{
	struct weir_pkt p[64];

	(void)state;
	for (unsigned jumbo = 0; jumbo < 2; jumbo++) {
		if (jumbo)
			weir_port_stop(env.port);
		else
			open_port();
		assert_int_equal(
			try_start((struct weir_port_conf){
				.rx_desc = 32, .offloads = jumbo ? WEIR_OFF_RX_JUMBO : 0 }),
			0);
		for (unsigned round = 0; round < 50; round++) {
			unsigned n;

			for (unsigned i = 0; i < 32; i++)
				fake_rx_desc(0, i)->wb.status =
					weir_le64(OK | IGB_RXD_DD | UINT64_C(60) << 32);
			n = weir_rx(rxq(), p, 64);
			/* never more than there were buffers in the ring */
			assert_in_range(n, 1, 31);
			drop_all(p, n);
		}
	}
}

static void test_rx_jumbo(void **state)
{
	uint8_t data[9728];
	struct weir_pkt p[16];
	unsigned at = 0;

	(void)state;
	start((struct weir_port_conf){ .mtu = 9702, .offloads = WEIR_OFF_RX_JUMBO });
	assert_int_equal(reg(IGB_RLPML), 9728);
	frame(data, 9724, 9);
	assert_true(fake_rx(0, data, 9724));
	assert_true(fake_rx(0, data, 9724));
	assert_true(fake_rx(0, data, 60));
	/* a packet is not split over two bursts */
	assert_int_equal(weir_rx(rxq(), p, 9), 5);
	assert_int_equal(weir_pkt_segs(p, 5), 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_memory_equal(weir_pkt_data(fake.pci.dma.va_base, &p[i]), data + at,
				    p[i].len);
		at += p[i].len;
	}
	assert_int_equal(at, 9724);
	drop_all(p, 5);
	assert_int_equal(weir_rx(rxq(), p, 16), 6);
	assert_int_equal(p[5].len, 60);
	assert_int_equal(rxq()->stats.packets, 3);
	assert_int_equal(rxq()->stats.bytes, 2 * 9724 + 60);
	drop_all(p, 6);
	/* nor is one handed out before its end is there */
	fake_rx_seg(0, data, 2048, 0, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 0);
	fake_rx_seg(0, data, 100, OK | IGB_RXD_L4CS, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 2);
	assert_int_equal(p[0].flags, WEIR_PKT_MORE);
	drop_all(p, 2);
	for (unsigned i = 0; i < 8; i++)
		fake_rx_seg(0, data, 2048, i == 7 ? OK : 0, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 8);
	drop_all(p, 8);
	/* one that no burst has room for is dropped in the end */
	for (unsigned i = 0; i < 8; i++)
		fake_rx_seg(0, data, 2048, i == 7 ? OK : 0, 0, 0);
	assert_true(fake_rx(0, data, 60));
	for (unsigned i = 1; i < WEIR_SHORT_BURSTS; i++)
		assert_int_equal(weir_rx(rxq(), p, 7), 0);
	assert_int_equal(weir_rx(rxq(), p, 7), 1);
	assert_int_equal(p[0].len, 60);
	drop_all(p, 1);
	assert_int_equal(drops(&rxq()->stats, WEIR_DROP_TOO_MANY), 1);
}

static void test_rx_jumbo_hostile(void **state)
{
	struct weir_pkt p[16];
	struct weir_qstats *s;

	(void)state;
	start((struct weir_port_conf){ .offloads = WEIR_OFF_RX_JUMBO });
	s = &rxq()->stats;
	/* a chain that is too long is dropped up to its end */
	for (unsigned i = 0; i < 20; i++)
		fake_rx_seg(0, NULL, 2048, 0, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 0);
	assert_int_equal(drops(s, WEIR_DROP_TOO_MANY), 1);
	fake_rx_seg(0, NULL, 64, OK, 0, 0);
	fake_rx_seg(0, NULL, 65, OK, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 1);
	assert_int_equal(p[0].len, 65);
	assert_int_equal(drops(s, WEIR_DROP_TOO_MANY), 1);
	drop_all(p, 1);
	/* bad lengths in the middle and at the end, an error at the end */
	fake_rx_seg(0, NULL, 2049, 0, 0, 0);
	fake_rx_seg(0, NULL, 10, OK, 0, 0);
	fake_rx_seg(0, NULL, 2048, 0, 0, 0);
	fake_rx_seg(0, NULL, 0, OK, 0, 0);
	fake_rx_seg(0, NULL, 2048, 0, 0, 0);
	fake_rx_seg(0, NULL, 10, OK | IGB_RXD_RXE, 0, 0);
	fake_rx_seg(0, NULL, 66, OK, 0, 0);
	assert_int_equal(weir_rx(rxq(), p, 16), 1);
	assert_int_equal(p[0].len, 66);
	assert_int_equal(drops(s, WEIR_DROP_BAD_LEN), 2);
	assert_int_equal(drops(s, WEIR_DROP_DEV_ERR), 1);
	drop_all(p, 1);
}

static void test_rx_pool_empty(void **state)
{
	struct weir_pkt p[64], *held = malloc(BUFS * sizeof(*held));
	uint8_t data[64] = { 0 };
	unsigned have = 0, n;

	(void)state;
	start(small);
	/* keep all that comes until the pool is empty and the ring has run dry */
	while (fake_rx(0, data, 64)) {
		n = weir_rx(rxq(), p, 64);
		memcpy(&held[have], p, n * sizeof(*p));
		have += n;
	}
	assert_int_equal(have, BUFS);
	assert_true(drops(&rxq()->stats, WEIR_DROP_NO_BUF) > 0);
	assert_true(intel_rx_pending(intel_rxq_of(rxq())));
	n = (unsigned)drops(&rxq()->stats, WEIR_DROP_NO_BUF);
	assert_int_equal(weir_rx(rxq(), p, 64), 0);
	assert_int_equal(drops(&rxq()->stats, WEIR_DROP_NO_BUF), n + 1);
	/* one buffer is enough to go on */
	drop_all(&held[--have], 1);
	assert_int_equal(weir_rx(rxq(), p, 64), 0);
	assert_true(fake_rx(0, data, 64));
	assert_int_equal(weir_rx(rxq(), p, 64), 1);
	drop_all(p, 1);
	drop_all(held, have);
	free(held);
	/* and none at all is an error at start, not later */
	weir_port_stop(env.port);
}

/* Random statuses, a million of them: no crash, no buffer lost, nothing out of bounds. */
static void test_rx_noise(void **state)
{
	uint64_t seed = 88172645463325252u;
	struct weir_pkt p[32];

	(void)state;
	open_port();
	for (unsigned i = 0; i < 200000; i++) {
		unsigned n;

		if (i % 50000 == 0) {
			weir_port_stop(env.port);
			assert_int_equal(try_start((struct weir_port_conf){
						 .rx_desc = 64,
						 .offloads = i < 100000 ? WEIR_OFF_RX_JUMBO
									: WEIR_OFF_RX_CSUM }),
					 0);
		}
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		if (seed & 4)
			seed &= ~(UINT64_C(0xf000) << 32);
		fake_rx_seg(0, NULL, 0, 0, 0, 0);
		fake_rx_desc(0, (reg(IGB_RDH(0)) + 63) % 64)->wb.status = weir_le64(seed | 1);
		n = weir_rx(rxq(), p, 32);
		for (unsigned k = 0; k < n; k++)
			assert_in_range(p[k].len, 1, WEIR_BUF_ROOM);
		drop_all(p, n);
	}
}

/* --- transmit --- */

static void test_tx_round(void **state)
{
	struct weir_pkt p[16];
	uint8_t want[64];

	(void)state;
	start(small);
	for (unsigned i = 0; i < 500; i++) {
		unsigned segs = 1 + i % 8, at = fake.n_frames;

		make(p, 1, 60, i);
		make(p + 1, segs, 100, i + 1);
		assert_int_equal(weir_tx_post(txq(), p, 1 + segs), 1 + segs);
		assert_int_equal(txq()->unkicked, 1 + segs);
		weir_tx_kick(txq());
		assert_int_equal(txq()->unkicked, 0);
		assert_int_equal(fake.n_frames, at + 2);
		assert_int_equal(fake.frames[at].len, 60);
		frame(want, 60, i);
		assert_memory_equal(fake.frames[at].head, want, 60);
		assert_int_equal(fake.frames[at + 1].len, segs * 100);
		assert_int_equal(fake.frames[at + 1].segs, segs);
		assert_int_equal(fake.frames[at + 1].olinfo, (segs * 100) << 14);
		assert_int_equal(weir_tx_reap(txq()), 0);
	}
	assert_int_equal(txq()->stats.packets, 1000);
	assert_int_equal(txq()->stats.kicks, 500);
	assert_int_equal(fake.tdt_writes, 501); /* one when the ring was set up */
	/* the ends of packets alone carry EOP; without offloads there is no context */
	assert_int_equal(fake.ctx_descs, 0);
}

/* RS in long runs every 32 descriptors, and always where a kick ends. */
static void test_tx_rs(void **state)
{
	struct weir_pkt p[100];

	(void)state;
	start((struct weir_port_conf){ 0 });
	for (unsigned i = 0; i < 100; i++)
		make(&p[i], 1, 60, i);
	assert_int_equal(weir_tx_post(txq(), p, 100), 100);
	assert_int_equal(fake.n_frames, 0);
	assert_int_equal(weir_tx_reap(txq()), 100);
	weir_tx_kick(txq());
	assert_int_equal(fake.n_frames, 100);
	assert_int_equal(fake.rs_descs, 4);
	assert_int_equal(weir_tx_reap(txq()), 0);
	make(p, 1, 60, 1);
	assert_int_equal(weir_tx_post(txq(), p, 1), 1);
	weir_tx_kick(txq());
	assert_int_equal(fake.rs_descs, 5);
	assert_int_equal(weir_tx_reap(txq()), 0);
}

static void test_tx_full(void **state)
{
	struct weir_pkt p[40];

	(void)state;
	start(small);
	fake.tx_stuck = true;
	for (unsigned i = 0; i < 40; i += 2)
		make(&p[i], 2, 60, i);
	/* 31 slots: 15 packets of two segments, and no half packet */
	assert_int_equal(weir_tx_post(txq(), p, 40), 30);
	weir_tx_kick(txq());
	assert_int_equal(weir_tx_post(txq(), p + 30, 10), 0);
	assert_int_equal(weir_tx_reap(txq()), 30);
	/* a run without an end is not taken */
	fake.tx_stuck = false;
	weir_mmio_write32(fake_bar(), IGB_TDT(0), reg(IGB_TDT(0)));
	assert_int_equal(weir_tx_post(txq(), p + 30, 1), 0);
	assert_int_equal(weir_tx_post(txq(), p + 30, 3), 2);
	assert_int_equal(weir_tx_post(txq(), p + 32, 8), 8);
	weir_tx_kick(txq());
	assert_int_equal(weir_tx_reap(txq()), 0);
	assert_int_equal(fake.n_frames, 20);
}

static void refused(struct weir_pkt *p, unsigned segs)
{
	uint64_t before = drops(&txq()->stats, WEIR_DROP_TX_INVALID);

	assert_int_equal(weir_tx_post(txq(), p, segs), segs);
	assert_int_equal(drops(&txq()->stats, WEIR_DROP_TX_INVALID), before + 1);
	assert_int_equal(txq()->unkicked, 0);
}

static void test_tx_invalid(void **state)
{
	struct weir_pkt p[WEIR_MAX_SEGS + 1];

	(void)state;
	start(small);
	for (unsigned len = 0; len < 17; len++) {
		make(p, 1, len, 1);
		refused(p, 1);
	}
	make(p, 1, 60, 1);
	p[0].off = WEIR_BUF_SIZE - 59;
	refused(p, 1);
	make(p, 1, 60, 1);
	p[0].len = 0xffff;
	refused(p, 1);
	make(p, 3, 60, 1);
	p[1].len = 0;
	refused(p, 3);
	make(p, 5, 2000, 1);
	refused(p, 5);
	make(p, WEIR_MAX_SEGS + 1, 60, 1);
	refused(p, WEIR_MAX_SEGS + 1);
	/* an offload that the port was not set up for */
	make(p, 1, 60, 1);
	p[0].flags = WEIR_PKT_VLAN;
	refused(p, 1);
	weir_tx_kick(txq());
	assert_int_equal(fake.n_frames, 0);
	/* the longest and the shortest */
	make(p, 5, 1944, 1);
	p[4].len = 1948;
	assert_int_equal(weir_tx_post(txq(), p, 5), 5);
	make(p, 1, 17, 1);
	assert_int_equal(weir_tx_post(txq(), p, 1), 1);
	weir_tx_kick(txq());
	assert_int_equal(fake.n_frames, 2);
	assert_int_equal(fake.frames[0].len, 9724);
}

static const struct fake_frame *sent(uint16_t flags, uint16_t vlan, uint16_t l2, uint16_t l3)
{
	struct weir_pkt p;
	unsigned at = fake.n_frames;

	make(&p, 1, 200, 1);
	p.flags = flags;
	p.vlan = vlan;
	p.txo.l2_len = l2;
	p.txo.l3_len = l3;
	assert_int_equal(weir_tx_post(txq(), &p, 1), 1);
	weir_tx_kick(txq());
	weir_tx_reap(txq());
	return fake.n_frames == at ? NULL : &fake.frames[at];
}

static const unsigned tx_offloads = WEIR_OFF_TX_CSUM | WEIR_OFF_TX_VLAN;

static void test_tx_offload(void **state)
{
	uint16_t tcp4 = WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_TCP_CSUM;
	const struct fake_frame *f;

	(void)state;
	start((struct weir_port_conf){ .offloads = tx_offloads });
	f = sent(tcp4, 0, 14, 20);
	assert_int_equal(f->macip, 14 << 9 | 20);
	assert_int_equal(f->tucmd, 2u << 20 | 1u << 29 | 1u << 10 | 1u << 11);
	assert_int_equal(f->olinfo, 200u << 14 | 1u << 8 | 1u << 9);
	assert_false(f->cmd & IGB_TXD_VLE);
	assert_int_equal(fake.ctx_descs, 1);
	/* the same again: the context is still there; a packet without offloads does not disturb */
	sent(tcp4, 0, 14, 20);
	f = sent(0, 0, 0, 0);
	assert_int_equal(f->olinfo, 200u << 14);
	sent(tcp4, 0, 14, 20);
	assert_int_equal(fake.ctx_descs, 1);
	f = sent(WEIR_PKT_TX_UDP_CSUM | WEIR_PKT_TX_IPV6, 0, 18, 40);
	assert_int_equal(f->macip, 18 << 9 | 40);
	assert_int_equal(f->tucmd, 2u << 20 | 1u << 29);
	assert_int_equal(f->olinfo, 200u << 14 | 1u << 9);
	assert_int_equal(fake.ctx_descs, 2);
	f = sent(WEIR_PKT_VLAN, 0x2abc, 0, 0);
	assert_int_equal(f->macip >> 16, 0x2abc);
	assert_true(f->cmd & IGB_TXD_VLE);
	assert_int_equal(f->olinfo, 200u << 14);
	f = sent(WEIR_PKT_VLAN | tcp4, 5, 14, 24);
	assert_int_equal(f->macip, 5u << 16 | 14 << 9 | 24);
	assert_int_equal(fake.ctx_descs, 4);
	assert_int_equal(intel_txq_of(txq())->free, 511);
	/* after a restart the device knows no context */
	weir_port_stop(env.port);
	assert_int_equal(weir_port_start(env.port), 0);
	sent(WEIR_PKT_VLAN | tcp4, 5, 14, 24);
	assert_int_equal(fake.ctx_descs, 5);
}

static void test_tx_offload_invalid(void **state)
{
	uint16_t tcp4 = WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_TCP_CSUM;
	struct weir_pkt p[6];

	(void)state;
	start((struct weir_port_conf){ .offloads = tx_offloads, .tx_desc = 32 });
	assert_null(sent(tcp4, 0, 0, 0));
	assert_null(sent(tcp4, 0, 13, 20));
	assert_null(sent(tcp4, 0, 128, 20));
	assert_null(sent(tcp4, 0, 14, 19));
	assert_null(sent(tcp4, 0, 14, 512));
	assert_null(sent(tcp4, 0, 14, 167));
	assert_non_null(sent(tcp4, 0, 14, 166));
	assert_null(sent(tcp4 | WEIR_PKT_TX_UDP_CSUM, 0, 14, 20));
	assert_null(sent(tcp4 | WEIR_PKT_TX_IPV6, 0, 14, 40));
	assert_null(sent(WEIR_PKT_TX_TCP_CSUM | WEIR_PKT_TX_IPV6, 0, 14, 20));
	assert_int_equal(drops(&txq()->stats, WEIR_DROP_TX_INVALID), 9);
	/* no room for a tag */
	make(p, 5, 1944, 1);
	p[4].len = 1948;
	p[0].flags |= WEIR_PKT_VLAN;
	refused(p, 5);
	p[0].flags = 0;
}

/* What a burst asks for: two tags, nothing, and a tag with a checksum; what is not asked for is noise. */
static void alike(struct weir_pkt *p, unsigned i)
{
	make(p, 1, 200, i);
	p->hash = i * 0x01010101;
	p->vlan = i < 8 ? 7 : i < 16 ? 9 : i < 20 ? (uint16_t)i : 7;
	if (i < 16 || i >= 20)
		p->flags = WEIR_PKT_VLAN;
	if (i < 20)
		return;
	p->flags |= WEIR_PKT_TX_TCP_CSUM;
	p->txo.l2_len = 14;
	p->txo.l3_len = 20;
	p->txo.mss = (uint16_t)i;
}

static void test_tx_alike(void **state)
{
	struct weir_pkt p[24];

	(void)state;
	start((struct weir_port_conf){ .offloads = WEIR_OFF_TX_VLAN | WEIR_OFF_TX_CSUM });
	for (unsigned i = 0; i < 24; i++)
		alike(&p[i], i);
	assert_int_equal(weir_tx_post(txq(), p, 24), 24);
	weir_tx_kick(txq());
	assert_int_equal(fake.n_frames, 24);
	assert_int_equal(fake.ctx_descs, 3);
	for (unsigned i = 0; i < 24; i++) {
		const struct fake_frame *f = &fake.frames[i];
		bool tag = i < 16 || i >= 20;

		assert_int_equal(f->len, 200);
		assert_int_equal(!!(f->cmd & IGB_TXD_VLE), tag);
		assert_int_equal(f->olinfo, 200u << 14 | (i >= 20 ? IGB_TXD_TXSM : 0));
		if (tag)
			assert_int_equal(f->macip >> 16, i < 8 || i >= 20 ? 7 : 9);
		if (i >= 20)
			assert_int_equal(f->macip & 0xffff, 14 << 9 | 20);
	}
	/* one that ends before its headers do */
	for (unsigned i = 0; i < 8; i++)
		alike(&p[i], 20);
	p[2].len = 53;
	p[3].len = 54;
	assert_int_equal(weir_tx_post(txq(), p, 8), 8);
	weir_tx_kick(txq());
	assert_int_equal(fake.n_frames, 31);
	assert_int_equal(fake.ctx_descs, 3);
	/* as the first were, but the device has another context now */
	alike(p, 0);
	assert_int_equal(weir_tx_post(txq(), p, 1), 1);
	weir_tx_kick(txq());
	assert_int_equal(fake.ctx_descs, 4);
	assert_int_equal(fake.frames[31].macip, 7 << 16 | 14 << 9);
	assert_int_equal(drops(&txq()->stats, WEIR_DROP_TX_INVALID), 1);
}

/* Progress by one word in memory: the descriptors stay as they are. */
static void test_tx_head_wb(void **state)
{
	struct weir_pkt p[40];

	(void)state;
	start((struct weir_port_conf){ .tx_desc = 64, .tx_head_wb = true });
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 40; i += 2)
			make(&p[i], 2, 60, i);
		assert_int_equal(weir_tx_post(txq(), p, 40), 40);
		assert_int_equal(weir_tx_reap(txq()), 40);
		weir_tx_kick(txq());
		assert_int_equal(weir_tx_reap(txq()), 0);
		assert_int_equal(intel_txq_of(txq())->free, 63);
	}
	/* a part: the first report is at the 32nd descriptor */
	fake.tx_stuck = true;
	for (unsigned i = 0; i < 40; i++)
		make(&p[i], 1, 60, i);
	assert_int_equal(weir_tx_post(txq(), p, 40), 40);
	weir_tx_kick(txq());
	*intel_txq_of(txq())->head_wb = weir_le32((800 + 32) % 64);
	assert_int_equal(weir_tx_reap(txq()), 8);
	*intel_txq_of(txq())->head_wb = weir_le32((800 + 39) % 64);
	assert_int_equal(weir_tx_reap(txq()), 8);
	assert_false(env.port->failed);
	/* a head that we have not reached yet */
	*intel_txq_of(txq())->head_wb = weir_le32((800 + 41) % 64);
	assert_int_equal(weir_tx_reap(txq()), 8);
	assert_true(env.port->failed);
	assert_string_equal(env.last_id, "device-misbehaved");
	make(p, 1, 60, 1);
	assert_int_equal(weir_tx_post(txq(), p, 1), 0);
	drop_all(p, 1);
	assert_int_equal(weir_rx(rxq(), p, 8), 0);
}

static void test_tx_head_wild(void **state)
{
	struct weir_pkt p;

	(void)state;
	start((struct weir_port_conf){ .tx_head_wb = true });
	fake.tx_stuck = true;
	make(&p, 1, 60, 1);
	assert_int_equal(weir_tx_post(txq(), &p, 1), 1);
	weir_tx_kick(txq());
	*intel_txq_of(txq())->head_wb = weir_le32(0x80000001);
	assert_int_equal(weir_tx_reap(txq()), 1);
	assert_true(env.port->failed);
}

/* A device that says "done" for all, always: buffers come back once, and nothing breaks. */
static void test_tx_early_done(void **state)
{
	struct igb_tx_desc *ring;
	struct weir_pkt p[8];

	(void)state;
	start(small);
	fake.tx_stuck = true;
	ring = fake_va(fake_ring(IGB_TDBAL(0)));
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned k = 0; k < 8; k++)
			make(&p[k], 1, 60, k);
		assert_int_equal(weir_tx_post(txq(), p, 8), 8);
		for (unsigned k = 0; k < 32; k++)
			ring[k].olinfo = weir_le32(UINT32_MAX);
		if (i % 3)
			weir_tx_kick(txq());
		for (unsigned k = 0; k < 32; k++)
			ring[k].olinfo = weir_le32(UINT32_MAX);
		assert_in_range(weir_tx_reap(txq()), 0, 31);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_rx_one),
		T(test_rx_wrap),
		T(test_rx_meta),
		T(test_rx_hostile_single),
		T(test_rx_hostile_ring),
		T(test_rx_jumbo),
		T(test_rx_jumbo_hostile),
		T(test_rx_pool_empty),
		T(test_rx_noise),
		T(test_tx_round),
		T(test_tx_rs),
		T(test_tx_full),
		T(test_tx_invalid),
		T(test_tx_offload),
		T(test_tx_offload_invalid),
		T(test_tx_alike),
		T(test_tx_head_wb),
		T(test_tx_head_wild),
		T(test_tx_early_done),
	};

	int failed;

	fake_phys = false;
	failed = cmocka_run_group_tests_name("igb_rxtx", tests, NULL, NULL);
	env_scalar = true;
	failed += cmocka_run_group_tests_name("igb_rxtx (scalar)", tests, NULL, NULL);
	fake_phys = true;
	return failed + cmocka_run_group_tests_name("igb_rxtx (physical)", tests, NULL, NULL);
}
