/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated NIC's transmit side: segments, checksums, TSO, reports, malformed descriptors. */
#include "nicsim_env.h"

#define DATA	  ((uint64_t)TXD_DEXT | 3u << 20)
#define PAYLEN(n) ((uint64_t)(n) << 46)
#define TCP	  1u
#define UDP	  0u

static uint8_t frame[70000];
static unsigned slot;

static int setup(void **state)
{
	slot = 0;
	return env_setup(state);
}

static void put(uint64_t lo, uint64_t hi)
{
	tx_desc(slot)[0] = lo;
	tx_desc(slot)[1] = hi;
	slot = (slot + 1) % RING;
}

/* The frame at offset @at of the buffer area, @len bytes of it. */
static uint64_t data_at(unsigned at)
{
	return IOVA + AT_TBUF + at;
}

static void context(unsigned l4t, unsigned l4len, unsigned mss, unsigned vlan)
{
	put(20 | 14u << 9 | (uint64_t)vlan << 16, (uint64_t)TXD_DEXT | 2u << 20 | 1u << 10 |
							  l4t << 11 | (uint64_t)l4len << 40 |
							  (uint64_t)mss << 48);
}

static unsigned kick(void)
{
	reg(R_TXQ + Q_TAIL, slot);
	return nic_tx(&env->nic, 0, 1000);
}

static void load(unsigned len)
{
	memcpy(env->mem + AT_TBUF, frame, len);
}

static void test_one(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	tx_start();
	load(len);
	put(data_at(0), DATA | TXD_EOP | TXD_RS | PAYLEN(len) | len);
	assert_int_equal(kick(), 1);
	assert_int_equal(env->n_sent, 1);
	assert_int_equal(env->sent[0].len, len);
	assert_memory_equal(env->sent[0].f, frame, len);
	assert_true(tx_desc(0)[1] & TXD_DD);
	assert_int_equal(rd(R_TXQ + Q_HEAD), 1);
	assert_int_equal(rd(R_GPTC), 1);
	assert_int_equal(rd(R_QPTC), 1);
	assert_int_equal(rd(R_TXQ + 0x30), 0); /* the same register, and it was read */
	assert_int_equal(kick(), 0);
}

/* HLREG0.LPBK: what is sent comes back, and the wire sees nothing of it. */
static void test_loopback(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	tx_start();
	rx_start(0, 8);
	reg(R_HLREG0, rd(R_HLREG0) | HLREG0_LPBK);
	load(len);
	put(data_at(0), DATA | TXD_EOP | TXD_RS | PAYLEN(len) | len);
	assert_int_equal(kick(), 1);
	assert_int_equal(env->n_sent, 0);
	assert_true(rx_desc(0, 0)[1] & RXD_DD);
	assert_memory_equal(rx_buf(0, 0), frame, len);
	assert_int_equal(rd(R_GPTC), 1);
	assert_int_equal(rd(R_GPRC), 1);
}

static void test_segments_and_padding(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 600);

	(void)state;
	tx_start();
	load(len);
	put(data_at(0), DATA | PAYLEN(len) | 100);
	put(data_at(100), DATA | 1);
	put(data_at(101), DATA | TXD_EOP | TXD_RS | (len - 101));
	put(data_at(0), DATA | TXD_EOP | PAYLEN(42) | 42);
	assert_int_equal(kick(), 2);
	assert_int_equal(env->sent[0].len, len);
	assert_memory_equal(env->sent[0].f, frame, len);
	assert_int_equal(env->sent[1].len, 60);
	/* Only those with RS are reported. */
	assert_false(tx_desc(0)[1] & TXD_DD);
	assert_true(tx_desc(2)[1] & TXD_DD);
	assert_false(tx_desc(3)[1] & TXD_DD);
}

/* A frame may end after the doorbell that began it. */
static void test_in_two_kicks(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 600);

	(void)state;
	tx_start();
	load(len);
	put(data_at(0), DATA | PAYLEN(len) | 100);
	kick();
	assert_int_equal(env->n_sent, 0);
	put(data_at(100), DATA | TXD_EOP | (len - 100));
	kick();
	assert_int_equal(env->n_sent, 1);
	assert_memory_equal(env->sent[0].f, frame, len);
}

/* What software leaves in the field: the sum over the pseudo header; with its length or not. */
static void seed_sum(unsigned at, uint8_t proto, unsigned with_len)
{
	uint8_t n[4] = { 0, 0, (uint8_t)(with_len >> 8), (uint8_t)with_len };
	struct net_pkt p = { .l3 = 4, .l3_off = 14, .proto = proto };

	net_put16(frame + at, net_fold(net_sum(n, 4, net_pseudo(frame, &p))));
}

static void test_checksums(void **state)
{
	struct net_pkt p;
	unsigned len;

	(void)state;
	tx_start();
	for (unsigned i = 0; i < 2; i++) {
		uint8_t proto = i ? NET_TCP : NET_UDP;

		len = make_frame(frame, proto, 333);
		seed_sum(i ? 50 : 40, proto, len - 34);
		net_put16(frame + 24, 0);
		load(len);
		context(i ? TCP : UDP, 0, 0, 0);
		put(data_at(0), DATA | TXD_EOP | TXD_IXSM | TXD_TXSM | PAYLEN(len) | len);
		kick();
		net_parse(env->sent[i].f, len, &p);
		assert_true(p.l4);
		assert_true(net_ip_ok(env->sent[i].f, &p));
		assert_true(net_l4_ok(env->sent[i].f, &p));
	}
}

static void test_vlan(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	reg(R_DMATXCTL, 0x81000000);
	tx_start();
	load(len);
	context(UDP, 0, 0, 0x2064);
	put(data_at(0), DATA | TXD_EOP | TXD_VLE | PAYLEN(len) | len);
	kick();
	assert_int_equal(env->sent[0].len, len + 4);
	assert_memory_equal(env->sent[0].f, frame, 12);
	assert_int_equal(net_get32(env->sent[0].f + 12), 0x81002064);
	assert_memory_equal(env->sent[0].f + 16, frame + 12, len - 12);
}

static void check_segment(unsigned i, unsigned payload, uint32_t seq, unsigned flags, unsigned id)
{
	const uint8_t *f = env->sent[i].f;
	struct net_pkt p;

	net_parse(f, env->sent[i].len, &p);
	assert_true(p.l4);
	assert_true(net_ip_ok(f, &p));
	assert_true(net_l4_ok(f, &p));
	assert_int_equal(p.end - p.l4_end, payload);
	assert_int_equal(net_get32(f + 38), seq);
	assert_int_equal(f[47], flags);
	assert_int_equal(net_get16(f + 18), id);
	assert_memory_equal(f + 54, env->mem + AT_TBUF + 54 + (seq - 0xFFFFFF00u), payload);
}

static void test_tso(void **state)
{
	unsigned len = make_frame(frame, NET_TCP, 3000);

	(void)state;
	net_put32(frame + 38, 0xFFFFFF00); /* wraps */
	frame[47] = 0x19;		   /* FIN PSH ACK */
	net_put16(frame + 18, 0xFFFF);
	net_put16(frame + 24, 0);
	seed_sum(50, NET_TCP, 0);
	tx_start();
	load(len);
	context(TCP, 20, 1400, 0);
	put(data_at(0), DATA | TXD_TSE | TXD_IXSM | TXD_TXSM | PAYLEN(3000) | 54);
	put(data_at(54), DATA | TXD_EOP | TXD_RS | 3000);
	kick();
	assert_int_equal(env->n_sent, 3);
	check_segment(0, 1400, 0xFFFFFF00, 0x10, 0xFFFF);
	check_segment(1, 1400, 0xFFFFFF00 + 1400, 0x10, 0);
	check_segment(2, 200, 0xFFFFFF00 + 2800, 0x19, 1);
}

static void test_head_write_back(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);
	uint32_t head;

	(void)state;
	reg(R_TXQ + Q_WBAL, (IOVA + AT_WB) | 1);
	tx_start();
	load(len);
	put(data_at(0), DATA | TXD_EOP | PAYLEN(len) | len);
	put(data_at(0), DATA | TXD_EOP | TXD_RS | PAYLEN(len) | len);
	kick();
	memcpy(&head, env->mem + AT_WB, 4);
	assert_int_equal(head, 2);
	assert_false(tx_desc(1)[1] & TXD_DD);
}

static void test_legacy(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);
	struct net_pkt p;

	(void)state;
	tx_start();
	seed_sum(40, NET_UDP, len - 34);
	load(len);
	put(data_at(0), TXD_EOP | TXD_RS | TXD_IC | 40u << 16 | 34ull << 40 | len);
	kick();
	assert_int_equal(env->sent[0].len, len);
	net_parse(env->sent[0].f, len, &p);
	assert_true(net_l4_ok(env->sent[0].f, &p));
	assert_true(tx_desc(0)[1] & TXD_DD);
}

/* Each makes no frame, is reported as done, and leaves the queue working. */
static void test_malformed(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);
	const uint64_t rows[] = {
		DATA | TXD_EOP | TXD_RS | PAYLEN(len),		   /* no data */
		DATA | TXD_EOP | TXD_RS | PAYLEN(len) | (len + 1), /* sums do not agree */
		DATA | TXD_EOP | TXD_RS | PAYLEN(13) | 13,	   /* no header */
		DATA | TXD_EOP | TXD_RS | PAYLEN(9725) | 9725,	   /* too long */
		DATA | TXD_EOP | TXD_RS | TXD_TXSM | PAYLEN(len) |
			len,					       /* context without lengths */
		DATA | TXD_EOP | TXD_RS | TXD_TSE | PAYLEN(len) | len, /* TSO without */
		(uint64_t)TXD_DEXT | 7u << 20 | TXD_EOP | TXD_RS | len, /* no such type */
		TXD_EOP | TXD_RS | TXD_IC | 255u << 16 | len,		/* sum past the end */
	};

	(void)state;
	tx_start();
	load(len);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		put(data_at(0), rows[i]);
		kick();
		assert_int_equal(env->n_sent, 0);
		assert_int_equal(env->nic.tx[0].r.drops[NIC_DROP_TX_BAD], i + 1);
		assert_true(tx_desc(i)[1] & TXD_DD);
	}
	put(data_at(0), DATA | TXD_EOP | PAYLEN(len) | len);
	kick();
	assert_int_equal(env->n_sent, 1);
	/* A tail past the ring is not followed. */
	env->page[1][Q_TAIL / 4] = 1000;
	assert_int_equal(nic_tx(&env->nic, 0, 1000), 0);
}

static void test_dma_faults(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);
	struct dma *d = &env->nic.dma;

	(void)state;
	tx_start();
	load(len);
	put(0xDEAD0000, DATA | TXD_EOP | TXD_RS | PAYLEN(len) | len);
	put(data_at(0), DATA | TXD_EOP | TXD_RS | PAYLEN(len) | len);
	kick();
	assert_int_equal(env->n_sent, 1);
	assert_int_equal(d->faults, 1);
	assert_int_equal(d->kept[0].iova, 0xDEAD0000);
	assert_true(d->kept[0].who.tx);
	assert_int_equal(d->kept[0].dir, DMA_DEV_READ);
	/* The ring itself. */
	d->fail_at = d->ops + 1;
	put(data_at(0), DATA | TXD_EOP | TXD_RS | PAYLEN(len) | len);
	kick();
	assert_true(env->nic.tx[0].r.halted);
	assert_int_equal(kick(), 0);
	assert_int_equal(env->n_sent, 1);
}

/* A buffer that runs over two mappings, and one that runs out of the last. */
static void test_spanning(void **state)
{
	uint8_t *two = aligned_alloc(4096, 8192);
	struct dma d = { 0 };
	struct dma_who who = { .tx = true, .queue = 3 };
	uint8_t buf[200];

	(void)state;
	assert_non_null(two);
	for (unsigned i = 0; i < 8192; i++)
		two[i] = (uint8_t)i;
	assert_int_equal(dma_map_va(&d, 0x1000, 4096, 1, two), 0);
	assert_int_equal(dma_map_va(&d, 0x2000, 4096, 3, two + 4096), 0);
	assert_true(dma_read(&d, who, 0x1FA0, buf, 200));
	assert_memory_equal(buf, two + 0xFA0, 200);
	assert_false(dma_store(&d, who, 0x2FF8, buf, 16));
	assert_false(dma_read(&d, who, 0x2FA0, buf, 200));
	assert_false(dma_write(&d, who, 0x1FA0, buf, 4));
	assert_int_equal(d.faults, 3);
	assert_int_equal(d.kept[1].who.queue, 3);
	assert_int_equal(dma_map_va(&d, 0x2000, 4096, 1, two), -EEXIST);
	assert_int_equal(dma_map_va(&d, 0, 0x4000, 1, two), -EEXIST);
	assert_int_equal(dma_map_va(&d, 0x10, 4096, 1, two), -EINVAL);
	assert_int_equal(dma_map_va(&d, 0x4000, 0, 1, two), -EINVAL);
	assert_int_equal(dma_map_va(&d, 0x4000, 4096, 0, two), -EINVAL);
	assert_int_equal(dma_map_va(&d, 0x4000, 4096, 4, two), -EINVAL);
	assert_int_equal(dma_map_va(&d, UINT64_MAX - 4095, 8192, 1, two), -EINVAL);
	assert_int_equal(dma_map_va(&d, UINT64_MAX - 4095, 4096, 1, two), 0);
	assert_int_equal(dma_unmap(&d, 0x1000, 0x800), -EINVAL);
	assert_int_equal(dma_unmap(&d, 0x8000, 0x1000), -ENOENT);
	assert_int_equal(dma_unmap(&d, 0x1000, 0), -EINVAL);
	assert_int_equal(dma_unmap(&d, 0x1000, 0x2000), 0);
	assert_int_equal(d.n, 1);
	dma_unmap_all(&d);
	free(two);
}

static void test_noise(void **state)
{
	uint64_t seed = 9;

	(void)state;
	tx_start();
	for (unsigned i = 0; i < (UNIT_SLOW ? 5000 : 30000); i++) {
		uint64_t hi = unit_random(&seed);

		if (i & 1)
			hi = (hi & ~0xFu << 20) | TXD_DEXT | (i & 2 ? 3u : 2u) << 20;
		put(i & 4 ? data_at(0) : unit_random(&seed), hi);
		if (i % 32 == 31) {
			kick();
			env->n_sent = 0;
		}
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, env_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one),	      T(test_loopback),	       T(test_segments_and_padding),
		T(test_in_two_kicks), T(test_checksums),       T(test_vlan),
		T(test_tso),	      T(test_head_write_back), T(test_legacy),
		T(test_malformed),    T(test_dma_faults),      T(test_spanning),
		T(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
