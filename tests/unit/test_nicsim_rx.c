/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated NIC's receive side: filters, RSS, descriptors, faults. */
#include "nicsim_env.h"

static uint8_t frame[NIC_FRAME_MAX];

#define assert_status(q, i, bits)                                                              \
	assert_int_equal((uint32_t)rx_desc(q, i)[1] & (RXD_DD | RXD_EOP | RXD_L4I | RXD_IPCS | \
						       RXD_L4E | RXD_IPE | RXD_VP),            \
			 (bits))

static unsigned rx_len(unsigned q, unsigned i)
{
	return rx_desc(q, i)[1] >> 32 & 0xFFFF;
}

static void test_one(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	rx_start(0, 8);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	assert_status(0, 0, RXD_DD | RXD_EOP | RXD_L4I | RXD_IPCS);
	assert_int_equal(rx_len(0, 0), len);
	assert_memory_equal(rx_buf(0, 0), frame, len);
	assert_int_equal(rx_desc(0, 0)[0] & 0xFFF0, PTYPE_IP4 | PTYPE_UDP);
	assert_int_equal(rd(R_RXQ + Q_HEAD), 1);
	/* Counters say so once. */
	assert_int_equal(rd(R_GPRC), 1);
	assert_int_equal(rd(R_GPRC), 0);
	assert_int_equal(rd(R_GORCL), len + 4);
	assert_int_equal(rd(R_RXQ + Q_QPRC), 1);
	assert_int_equal(rd(R_RXQ + Q_QPRC), 0);
}

static void test_bad_sums(void **state)
{
	unsigned len = make_frame(frame, NET_TCP, 61);

	(void)state;
	rx_start(0, 8);
	frame[len - 1] ^= 1;
	nic_rx(&env->nic, frame, len, true);
	assert_status(0, 0, RXD_DD | RXD_EOP | RXD_L4I | RXD_IPCS | RXD_L4E);
	frame[len - 1] ^= 1;
	frame[22]--;
	nic_rx(&env->nic, frame, len, true);
	assert_status(0, 1, RXD_DD | RXD_EOP | RXD_L4I | RXD_IPCS | RXD_IPE);
	/* UDP without a checksum is not judged. */
	len = make_frame(frame, NET_UDP, 30);
	net_put16(frame + 40, 0);
	nic_rx(&env->nic, frame, len, true);
	assert_status(0, 2, RXD_DD | RXD_EOP | RXD_IPCS);
}

static void test_short_is_padded(void **state)
{
	(void)state;
	rx_start(0, 8);
	make_frame(frame, NET_UDP, 0);
	assert_int_equal(nic_rx(&env->nic, frame, 42, true), RX_DONE);
	assert_int_equal(rx_len(0, 0), 60);
	assert_int_equal(nic_rx(&env->nic, frame, 13, true), RX_DROPPED);
}

static void test_jumbo(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 4958);

	(void)state;
	rx_start(0, 8);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	assert_int_equal(rd(R_ROC), 1);
	reg(R_HLREG0, rd(R_HLREG0) | HLREG0_JUMBOEN);
	reg(R_MAXFRS, (len + 4) << 16);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	assert_status(0, 0, RXD_DD);
	assert_status(0, 1, RXD_DD);
	assert_status(0, 2, RXD_DD | RXD_EOP | RXD_L4I | RXD_IPCS);
	assert_int_equal(rx_len(0, 0), 2048);
	assert_int_equal(rx_len(0, 2), len - 4096);
	assert_memory_equal(rx_buf(0, 1), frame + 2048, 2048);
	assert_int_equal(rd(R_RXQ + Q_HEAD), 3);
	/* Not enough descriptors: none is touched. */
	reg(R_RXQ + Q_TAIL, 5);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_WAIT);
	assert_status(0, 3, 0);
}

static void test_no_descriptors(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_WAIT);
	assert_int_equal(nic_rx(&env->nic, frame, len, false), RX_DROPPED);
	rx_start(0, 1);
	assert_int_equal(nic_rx(&env->nic, frame, len, false), RX_DONE);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_WAIT);
	assert_int_equal(nic_rx(&env->nic, frame, len, false), RX_DROPPED);
	assert_int_equal(rd(R_QPRDC), 1);
	assert_int_equal(rd(R_GPRC), 2);
	assert_int_equal(env->nic.rx[0].drops[NIC_DROP_NO_DESC], 1);
	/* A tail past the ring is none. */
	env->page[0][Q_TAIL / 4] = 100000;
	assert_int_equal(nic_rx(&env->nic, frame, len, false), RX_DROPPED);
}

static void test_fcs(void **state)
{
	uint32_t crc;
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	rx_start(0, 8);
	reg(R_HLREG0, rd(R_HLREG0) & ~HLREG0_RXCRCSTRP);
	nic_rx(&env->nic, frame, len, true);
	assert_int_equal(rx_len(0, 0), len + 4);
	memcpy(&crc, rx_buf(0, 0) + len, 4);
	assert_int_equal(crc, net_crc32(frame, len));
	assert_int_equal(net_crc32((const uint8_t *)"123456789", 9), 0xCBF43926);
}

static void test_vlan(void **state)
{
	unsigned len = make_frame(frame + 4, NET_UDP, 100) + 4;

	(void)state;
	memmove(frame, frame + 4, 12);
	net_put16(frame + 12, 0x8100);
	net_put16(frame + 14, 0x2064);
	rx_start(0, 8);
	nic_rx(&env->nic, frame, len, true);
	assert_status(0, 0, RXD_DD | RXD_EOP | RXD_L4I | RXD_IPCS | RXD_VP);
	assert_int_equal(rx_len(0, 0), len);
	reg(R_RXQ + Q_DCTL, DCTL_ENABLE | RXDCTL_VME);
	nic_rx(&env->nic, frame, len, true);
	assert_int_equal(rx_len(0, 1), len - 4);
	assert_int_equal(rx_desc(0, 1)[1] >> 48, 0x2064);
	assert_memory_equal(rx_buf(0, 1), frame, 12);
	assert_memory_equal(rx_buf(0, 1) + 12, frame + 16, len - 16);
	/* The filter: VLAN 100 is not in the table, then it is. */
	reg(R_VLNCTRL, rd(R_VLNCTRL) | VLNCTRL_VFE);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	reg(R_VFTA + 4 * 3, 1u << 4);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
}

static void test_addresses(void **state)
{
	static const uint8_t multi[6] = { 1, 0, 0x5E, 0, 0x12, 0x34 };
	unsigned len = make_frame(frame, NET_UDP, 100), v = (0x12 >> 4 | 0x34 << 4) & 0xFFF;

	(void)state;
	rx_start(0, 15);
	memset(frame, 0xFF, 6);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	reg(R_FCTRL, FCTRL_BAM);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	memcpy(frame, multi, 6);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	reg(R_MCSTCTRL, MCSTCTRL_MFE);
	reg(R_MTA + 4 * (v >> 5), 1u << (v & 31));
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	frame[0] = 2;
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	reg(R_RAL + 8, 0x005E0002);
	reg(R_RAL + 12, 0x3412 | RAH_AV);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	frame[1] = 9;
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	reg(R_FCTRL, FCTRL_UPE);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	assert_int_equal(env->nic.rx[0].drops[NIC_DROP_FILTER], 4);
}

/* The key and the vectors that every vendor prints. */
static const uint8_t rss_key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static void test_toeplitz(void **state)
{
	static const struct {
		uint8_t in[12];
		uint32_t ip, tcp;
	} rows[] = {
		{ { 66, 9, 149, 187, 161, 142, 100, 80, 0x0A, 0xEA, 0x06, 0xE6 },
		  0x323e8fc2,
		  0x51ccc178 },
		{ { 199, 92, 111, 2, 65, 69, 140, 83, 0x37, 0x96, 0x12, 0x83 },
		  0xd718262a,
		  0xc626b0ea },
		{ { 24, 19, 198, 95, 12, 22, 207, 184, 0x32, 0x62, 0x94, 0x88 },
		  0xd2d0a5de,
		  0x5c2b394a },
		{ { 38, 27, 205, 30, 209, 142, 163, 6, 0xBC, 0x64, 0x08, 0xA9 },
		  0x82989176,
		  0xafc7327f },
		{ { 153, 39, 163, 191, 202, 188, 127, 2, 0xAC, 0xDB, 0x05, 0x17 },
		  0x5d1809c5,
		  0x10e828a2 },
	};
	static const uint8_t six[36] = {
		0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0,    0,    0,	  0,
		0,    0,    0,	  7,	0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03,
		0,    0,    0,	  0,	0,    0,    0,	  1,	0x0A, 0xEA, 0x06, 0xE6,
	};
	struct net_rss *r = &env->nic.rss;

	(void)state;
	net_rss_key(r, rss_key);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		assert_int_equal(net_rss_hash(r, rows[i].in, 8), rows[i].ip);
		assert_int_equal(net_rss_hash(r, rows[i].in, 12), rows[i].tcp);
	}
	assert_int_equal(net_rss_hash(r, six, 32), 0x2cc18cd5);
	assert_int_equal(net_rss_hash(r, six, 36), 0x40207d3d);
}

static void test_rss(void **state)
{
	unsigned len = make_frame(frame, NET_TCP, 40);
	uint32_t word;

	(void)state;
	for (unsigned q = 0; q < 4; q++)
		rx_start(q, 8);
	for (unsigned i = 0; i < 10; i++) {
		memcpy(&word, rss_key + 4 * i, 4);
		reg(R_RSSRK + 4 * i, word);
	}
	for (unsigned i = 0; i < 32; i++)
		reg(R_RETA + 4 * i, 0x03020100);
	reg(R_RXCSUM, RXCSUM_PCSD);
	reg(R_MRQC, 1 | MRQC_TCP4 | MRQC_IP4);
	nic_rx(&env->nic, frame, len, true);
	/* 0x51ccc178: entry 120, queue 0. */
	assert_int_equal(rx_desc(0, 0)[0] >> 32, 0x51ccc178);
	assert_int_equal(rx_desc(0, 0)[0] & 0xF, 1);
	/* UDP is hashed by addresses alone, as its type is off: 0x323e8fc2, queue 2. */
	len = make_frame(frame, NET_UDP, 40);
	nic_rx(&env->nic, frame, len, true);
	assert_int_equal(rx_desc(2, 0)[0] >> 32, 0x323e8fc2);
	assert_int_equal(rx_desc(2, 0)[0] & 0xF, 2);
	/* A fragment has no ports. */
	reg(R_MRQC, 1 | MRQC_TCP4 | MRQC_IP4 | MRQC_UDP4);
	net_put16(frame + 20, 0x2000);
	nic_rx(&env->nic, frame, len, true);
	assert_int_equal(rx_desc(2, 1)[0] & 0xF, 2);
}

static void test_split(void **state)
{
	unsigned len = make_frame(frame, NET_TCP, 500);
	uint8_t *hdr = env->mem + AT_WB;

	(void)state;
	rx_start(0, 8);
	reg(R_PSRTYPE, 0x10);
	reg(R_RXQ + Q_SRRCTL, 2 | 4u << 8 | 2u << 25);
	rx_desc(0, 0)[1] = IOVA + AT_WB;
	nic_rx(&env->nic, frame, len, true);
	assert_int_equal(rx_desc(0, 0)[0] >> 21 & 0x3FF, 54);
	assert_true(rx_desc(0, 0)[0] & RXD_SPH);
	assert_int_equal(rx_len(0, 0), 500);
	assert_memory_equal(hdr, frame, 54);
	assert_memory_equal(rx_buf(0, 0), frame + 54, 500);
}

static void test_dma_faults(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);
	struct dma *d = &env->nic.dma;

	(void)state;
	rx_start(0, 8);
	/* A buffer that is not mapped: the frame is flagged, the queue lives. */
	rx_desc(0, 0)[0] = 0xDEAD0000;
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	assert_int_equal(d->faults, 1);
	assert_int_equal(d->kept[0].iova, 0xDEAD0000);
	assert_int_equal(d->kept[0].dir, DMA_DEV_WRITE);
	assert_false(d->kept[0].who.tx);
	assert_true(rx_desc(0, 0)[1] & RXD_RXE);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	/* The n-th access refused: a descriptor; the queue halts until it is disabled. */
	d->fail_at = d->ops + 1;
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	assert_true(env->nic.rx[0].halted);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	reg(R_RXQ + Q_DCTL, 0);
	rx_start(0, 8);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DONE);
	/* Memory that may only be read. */
	assert_int_equal(dma_unmap(d, IOVA, MEM_SIZE), 0);
	assert_int_equal(dma_map_va(d, IOVA, MEM_SIZE, DMA_DEV_READ, env->mem), 0);
	assert_int_equal(nic_rx(&env->nic, frame, len, true), RX_DROPPED);
	assert_string_equal(d->kept[2].why, "not writable");
}

static void test_lies(void **state)
{
	static const struct {
		const char *fault;
		unsigned len;
		bool eop;
	} rows[] = { { "rx-len-huge:2", 0xFFFF, true },
		     { "rx-len-zero:2", 0, true },
		     { "rx-no-eop:2", 142, false },
		     { "rx-no-data:2", 142, true } };
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		env->nic.fault_seen = 0;
		assert_int_equal(nic_set_fault(&env->nic, rows[i].fault), 0);
		memset(env->mem + AT_RBUF, 0, 4 * BUF_SIZE);
		rx_start(0, 8);
		nic_rx(&env->nic, frame, len, true);
		nic_rx(&env->nic, frame, len, true);
		assert_int_equal(rx_len(0, 0), len);
		assert_int_equal(rx_len(0, 1), rows[i].len);
		assert_int_equal(!!(rx_desc(0, 1)[1] & RXD_EOP), rows[i].eop);
		assert_int_equal(!rx_buf(0, 1)[0], !strncmp(rows[i].fault, "rx-no-data", 10));
	}
	assert_int_equal(nic_set_fault(&env->nic, "rx-no"), -EINVAL);
	assert_int_equal(nic_set_fault(&env->nic, "dma:x"), -EINVAL);
	assert_int_equal(nic_set_fault(&env->nic, "dma:"), -EINVAL);
}

/* Whatever comes from the wire, and whatever stands in the ring. */
static void test_noise(void **state)
{
	uint64_t seed = 5;

	(void)state;
	reg(R_FCTRL, FCTRL_UPE | FCTRL_MPE | FCTRL_BAM);
	reg(R_MRQC, 1 | 0x1FF0000);
	for (unsigned round = 0; round < (UNIT_SLOW ? 2000 : 10000); round++) {
		unsigned len = (unsigned)(unit_random(&seed) % 300);
		uint64_t *d = rx_desc(0, round % RING);

		if (round % 8 == 0)
			rx_start(0, RING - 1);
		for (unsigned i = 0; i < len; i++)
			frame[i] = (uint8_t)unit_random(&seed);
		if (len > 14)
			net_put16(frame + 12, round & 1 ? 0x0800 : round & 2 ? 0x86DD : 0x8100);
		if (len > 15)
			frame[14] = round & 1 ? 0x45 : 0x60;
		d[0] = unit_random(&seed);
		d[1] = unit_random(&seed);
		reg(R_RXQ + Q_SRRCTL, (uint32_t)unit_random(&seed));
		nic_rx(&env->nic, frame, len, round & 4);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one),   T(test_bad_sums),       T(test_short_is_padded),
		T(test_jumbo), T(test_no_descriptors), T(test_fcs),
		T(test_vlan),  T(test_addresses),      T(test_toeplitz),
		T(test_rss),   T(test_split),	       T(test_dma_faults),
		T(test_lies),  T(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
