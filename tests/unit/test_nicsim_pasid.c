/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two tenants of one simulated NIC: pairs 1 and 2 carry PASIDs, each has memory of its own, both at the
 * same IOVAs. What one reaches, what it does not, and who is stopped for trying.
 */
#include "nicsim_env.h"

#define TENANTS 2
#define T_SIZE	0x10000u
#define T_IOVA	0x40000000u /* the same for both */
#define T_OTHER 0x50000000u /* mapped for the second one only */
#define T_TX	0x1000u
#define T_RBUF	0x2000u
#define T_TBUF	0x8000u
#define T_WB	0xF000u

static uint8_t *mem[TENANTS], frame[2048];
static const uint32_t pasid[TENANTS] = { 5, 0xFFFFF };

static unsigned pair(unsigned t)
{
	return t + 1;
}

static int setup(void **state)
{
	env_setup(state);
	env->nic.pasid_bits = 20;
	for (unsigned t = 0; t < TENANTS; t++) {
		mem[t] = aligned_alloc(4096, T_SIZE);
		assert_non_null(mem[t]);
		memset(mem[t], 0x10 + (int)t, T_SIZE);
		assert_int_equal(dma_pasid_add(&env->nic.dma, pasid[t]), 0);
		assert_int_equal(
			dma_map_va(dma_pasid(&env->nic.dma, pasid[t]), T_IOVA, T_SIZE, 3, mem[t]),
			0);
		reg(R_XPASID + 4 * pair(t), XPASID_EN | pasid[t]);
	}
	assert_int_equal(dma_map_va(dma_pasid(&env->nic.dma, pasid[1]), T_OTHER, T_SIZE, 3, mem[1]),
			 0);
	return 0;
}

static int teardown(void **state)
{
	for (unsigned t = 0; t < TENANTS; t++)
		free(mem[t]);
	return env_teardown(state);
}

/* Pair @q with rings at @ring; its first RX buffer at @buf. */
static void start(unsigned q, uint64_t ring, uint8_t *at, uint64_t buf)
{
	uint32_t r = R_RXQ + q * Q_STRIDE, x = R_TXQ + q * Q_STRIDE;

	memset(at, 0, 0x1000 + RING * 16);
	memcpy(at, &buf, 8);
	reg(r + Q_BAL, (uint32_t)ring);
	reg(r + Q_LEN, RING * 16);
	reg(r + Q_SRRCTL, 2 | 1u << 25 | SRRCTL_DROP);
	reg(r + Q_HEAD, 0);
	reg(r + Q_DCTL, DCTL_ENABLE);
	reg(r + Q_TAIL, 1);
	reg(x + Q_BAL, (uint32_t)ring + T_TX);
	reg(x + Q_LEN, RING * 16);
	reg(x + Q_DCTL, DCTL_ENABLE);
	reg(R_RXCTRL, RXCTRL_RXEN);
	reg(R_DMATXCTL, rd(R_DMATXCTL) | DMATXCTL_TE);
}

static void tenants_start(uint64_t rbuf0)
{
	start(pair(0), T_IOVA, mem[0], rbuf0);
	start(pair(1), T_IOVA, mem[1], T_IOVA + T_RBUF);
}

static enum rx_result receive(unsigned q)
{
	for (unsigned i = 0; i < 32; i++)
		reg(R_RETA + 4 * i, q * 0x01010101u);
	reg(R_MRQC, 1 | MRQC_IP4 | MRQC_UDP4);
	return nic_rx(&env->nic, frame, make_frame(frame, NET_UDP, 100), false);
}

static unsigned send(unsigned q, uint8_t *ring, uint64_t addr)
{
	const unsigned len = 100;
	uint64_t d[2] = { addr,
			  TXD_DEXT | 3u << 20 | TXD_EOP | TXD_RS | (uint64_t)len << 46 | len };

	memcpy(ring + T_TX, d, sizeof(d));
	reg(R_TXQ + q * Q_STRIDE + Q_TAIL, 1);
	return nic_tx(&env->nic, q, 10);
}

static const struct dma_fault *only_fault(void)
{
	assert_int_equal(env->nic.dma.faults, 1);
	return &env->nic.dma.kept[0];
}

static bool stopped(unsigned q)
{
	bool s = rd(R_XPASID + 4 * q) & XPASID_STOPPED;

	assert_int_equal(s, !(rd(R_RXQ + q * Q_STRIDE + Q_DCTL) & DCTL_ENABLE));
	assert_int_equal(s, !(rd(R_TXQ + q * Q_STRIDE + Q_DCTL) & DCTL_ENABLE));
	return s;
}

/* The same IOVAs, descriptors, buffers and all, lead to different memory. */
static void test_same_iova(void **state)
{
	unsigned len = make_frame(frame, NET_UDP, 100);

	(void)state;
	tenants_start(T_IOVA + T_RBUF);
	assert_int_equal(receive(pair(1)), RX_DONE);
	assert_memory_equal(mem[1] + T_RBUF, frame, len);
	assert_int_equal(mem[0][T_RBUF], 0x10);
	for (unsigned t = 0; t < TENANTS; t++) {
		env->n_sent = 0;
		assert_int_equal(send(pair(t), mem[t], T_IOVA + T_TBUF), 1);
		assert_int_equal(env->sent[0].len, 100);
		assert_memory_equal(env->sent[0].f, mem[t] + T_TBUF, 100);
		assert_false(stopped(pair(t)));
	}
	assert_int_equal(env->nic.dma.faults, 0);
	assert_int_equal(env->nic.pasid_stops, 0);
}

/* The other tenant, and a pair of the device's own, go on. */
static void others_go_on(void)
{
	assert_true(stopped(pair(0)));
	assert_false(stopped(pair(1)));
	assert_int_equal(env->nic.pasid_stops, 1);
	assert_int_equal(receive(pair(1)), RX_DONE);
	assert_int_equal(send(pair(1), mem[1], T_IOVA + T_TBUF), 1);
	rx_start(0, 4);
	assert_int_equal(receive(0), RX_DONE);
	assert_int_equal(env->nic.dma.faults, 1);
}

static void test_write_refused(void **state)
{
	const struct dma_fault *f;

	(void)state;
	tenants_start(T_OTHER + T_RBUF);
	assert_int_equal(receive(pair(0)), RX_DROPPED);
	f = only_fault();
	assert_int_equal(f->iova, T_OTHER + T_RBUF);
	assert_int_equal(f->who.pasid, 5);
	assert_int_equal(f->who.queue, pair(0));
	assert_false(f->who.tx);
	assert_int_equal(f->dir, DMA_DEV_WRITE);
	for (unsigned i = 0; i < 2048; i++)
		assert_int_equal(mem[1][T_RBUF + i], 0x11);
	assert_int_equal(receive(pair(0)), RX_DROPPED);
	others_go_on();
}

static void test_read_refused(void **state)
{
	const struct dma_fault *f;

	(void)state;
	tenants_start(T_IOVA + T_RBUF);
	send(pair(0), mem[0], T_OTHER + T_TBUF);
	f = only_fault();
	assert_int_equal(f->iova, T_OTHER + T_TBUF);
	assert_int_equal(f->who.pasid, 5);
	assert_true(f->who.tx);
	assert_int_equal(f->dir, DMA_DEV_READ);
	assert_int_equal(env->n_sent, 0);
	reg(R_TXQ + pair(0) * Q_STRIDE + Q_TAIL, 3);
	assert_int_equal(nic_tx(&env->nic, pair(0), 10), 0);
	others_go_on();
}

/* The memory of the device itself is no tenant's either, nor is a tenant's that of the device. */
static void test_device_memory(void **state)
{
	(void)state;
	tenants_start(T_IOVA + T_RBUF);
	send(pair(0), mem[0], IOVA);
	assert_int_equal(only_fault()->iova, IOVA);
	others_go_on();
	rx_desc(0, 1)[0] = T_IOVA + T_RBUF;
	assert_int_equal(receive(0), RX_DROPPED);
	assert_int_equal(env->nic.dma.kept[1].who.pasid, 0);
	assert_int_equal(env->nic.dma.kept[1].iova, T_IOVA + T_RBUF);
	/* No tenant's queue: it is not stopped. */
	assert_false(rd(R_XPASID) & XPASID_STOPPED);
	assert_true(rd(R_RXQ + Q_DCTL) & DCTL_ENABLE);
}

/* The head's copy is an access like any other. */
static void test_head_write_back(void **state)
{
	uint32_t x = R_TXQ + pair(0) * Q_STRIDE;

	(void)state;
	tenants_start(T_IOVA + T_RBUF);
	reg(x + Q_WBAL, (T_OTHER + T_WB) | 1);
	send(pair(0), mem[0], T_IOVA + T_TBUF);
	assert_int_equal(only_fault()->iova, T_OTHER + T_WB);
	assert_int_equal(mem[1][T_WB], 0x11);
	others_go_on();
}

/* Stopped, until the driver clears the bit; enabling alone does nothing. */
static void test_stop_is_sticky(void **state)
{
	uint32_t r = R_XPASID + 4 * pair(0), dctl = R_RXQ + pair(0) * Q_STRIDE + Q_DCTL;

	(void)state;
	tenants_start(T_OTHER + T_RBUF);
	receive(pair(0));
	reg(dctl, DCTL_ENABLE);
	assert_false(rd(dctl) & DCTL_ENABLE);
	reg(r, XPASID_EN | pasid[0]);
	assert_true(stopped(pair(0)));
	reg(r, XPASID_EN | XPASID_STOPPED | pasid[0]);
	assert_int_equal(rd(r), XPASID_EN | pasid[0]);
	tenants_start(T_IOVA + T_RBUF);
	assert_int_equal(receive(pair(0)), RX_DONE);
}

/* A PASID that leads nowhere, and what takes one away while its pair runs. */
static void test_no_space(void **state)
{
	(void)state;
	tenants_start(T_IOVA + T_RBUF);
	assert_int_equal(dma_pasid_del(&env->nic.dma, pasid[0]), 0);
	assert_int_equal(dma_pasid_del(&env->nic.dma, pasid[0]), -ENOENT);
	assert_int_equal(receive(pair(0)), RX_DROPPED);
	assert_string_equal(only_fault()->why, "this PASID has no address space");
	others_go_on();
}

static void test_registers(void **state)
{
	uint32_t r = R_XPASID + 4 * 3;

	(void)state;
	env->nic.pasid_bits = 4;
	reg(r, XPASID_EN | 15);
	assert_int_equal(rd(r), XPASID_EN | 15);
	reg(r, XPASID_EN | 16); /* too wide */
	assert_int_equal(rd(r), 0);
	reg(r, XPASID_EN); /* 0 is no tenant's */
	assert_int_equal(rd(r), 0);
	reg(r, XPASID_EN | 1);
	nic_reset(&env->nic);
	assert_int_equal(rd(r), 0);
	env->nic.pasid_bits = 0;
	reg(r, XPASID_EN | 1);
	assert_int_equal(rd(r), 0);
}

static void test_table(void **state)
{
	struct dma *d = &env->nic.dma;
	unsigned n;

	(void)state;
	assert_int_equal(dma_pasid_add(d, 0), -EINVAL);
	assert_int_equal(dma_pasid_add(d, 5), -EEXIST);
	for (n = 100; !dma_pasid_add(d, n); n++)
		;
	assert_int_equal(n, 100 + DMA_PASIDS_MAX - TENANTS);
	assert_int_equal(dma_pasid_add(d, n), -ENOSPC);
	dma_pasid_end(d);
	assert_null(dma_pasid(d, 5));
	assert_int_equal(dma_pasid_add(d, 5), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_same_iova),     T(test_write_refused),	T(test_read_refused),
		T(test_device_memory), T(test_head_write_back), T(test_stop_is_sticky),
		T(test_no_space),      T(test_registers),	T(test_table),
	};

	return cmocka_run_group_tests_name("nicsim_pasid", tests, NULL, NULL);
}
