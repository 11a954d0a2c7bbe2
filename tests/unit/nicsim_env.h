/* SPDX-License-Identifier: BSD-3-Clause */
/* A simulated NIC without a client: its memory is an array, its wire a list of frames. */
#ifndef WEIR_TESTS_NICSIM_ENV_H
#define WEIR_TESTS_NICSIM_ENV_H

#include "apps/nicsim/nic.h"
#include "apps/nicsim/wire.h"
#include "unit.h"

#define IOVA	 0x100000u
#define MEM_SIZE (2u << 20)
#define RING	 64u
#define BUF_SIZE 2048u
/* Where things are in the memory. */
#define AT_RX	0u
#define AT_TX	0x40000u
#define AT_WB	0x80000u
#define AT_RBUF 0x100000u
#define AT_TBUF 0x180000u

#define MAX_SENT 256

struct env {
	struct nic nic;
	struct wire wire;
	uint8_t *mem;
	_Alignas(4096) uint32_t page[2][1024];
	struct {
		uint8_t f[NIC_FRAME_MAX];
		unsigned len;
	} sent[MAX_SENT];
	unsigned n_sent;
	unsigned raised[NIC_VECTORS];
};

static struct env *env;

static bool env_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	(void)wire;
	if (env->n_sent == MAX_SENT)
		return false;
	memcpy(env->sent[env->n_sent].f, f, len);
	env->sent[env->n_sent++].len = len;
	return true;
}

static const struct wire_ops env_wire = { .prefix = "test:", .send = env_send };

static void env_raise(void *arg, unsigned vector)
{
	(void)arg;
	env->raised[vector]++;
}

static int env_setup(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 2 };
	void *pages[2];

	(void)state;
	env = aligned_alloc(4096, WEIR_ALIGN_UP(sizeof(*env), (size_t)4096));
	assert_non_null(env);
	memset(env, 0, sizeof(*env));
	env->mem = aligned_alloc(4096, MEM_SIZE);
	assert_non_null(env->mem);
	memset(env->mem, 0, MEM_SIZE);
	pages[0] = env->page[0];
	pages[1] = env->page[1];
	nic_init(&env->nic, NIC_QUEUES, mac, pages);
	env->wire.ops = &env_wire;
	env->nic.wire = &env->wire;
	env->nic.raise = env_raise;
	env->nic.bus_master = true;
	assert_int_equal(dma_map_va(&env->nic.dma, IOVA, MEM_SIZE, 3, env->mem), 0);
	return 0;
}

static int env_teardown(void **state)
{
	(void)state;
	nic_fini(&env->nic);
	free(env->mem);
	free(env);
	return 0;
}

static inline void reg(uint32_t off, uint32_t v)
{
	nic_write(&env->nic, off, v);
}

static inline uint32_t rd(uint32_t off)
{
	return nic_read(&env->nic, off);
}

static inline uint64_t *rx_desc(unsigned q, unsigned i)
{
	return (void *)(env->mem + AT_RX + q * 0x1000 + i * 16);
}

static inline uint64_t *tx_desc(unsigned i)
{
	return (void *)(env->mem + AT_TX + i * 16);
}

static inline uint8_t *rx_buf(unsigned q, unsigned i)
{
	return env->mem + AT_RBUF + (q * 16 + i % 16) * BUF_SIZE;
}

/* RX queue @q with @n buffers. */
static inline void rx_start(unsigned q, unsigned n)
{
	uint32_t r = R_RXQ + q * Q_STRIDE;

	for (unsigned i = 0; i < n; i++) {
		rx_desc(q, i)[0] = IOVA + (uint64_t)(rx_buf(q, i) - env->mem);
		rx_desc(q, i)[1] = 0;
	}
	reg(r + Q_BAL, IOVA + AT_RX + q * 0x1000);
	reg(r + Q_BAH, 0);
	reg(r + Q_LEN, RING * 16);
	reg(r + Q_SRRCTL, 2 | 1u << 25 | SRRCTL_DROP);
	reg(r + Q_DCTL, rd(r + Q_DCTL) | DCTL_ENABLE);
	reg(r + Q_TAIL, n);
	reg(R_RXCTRL, RXCTRL_RXEN);
}

static inline void tx_start(void)
{
	reg(R_TXQ + Q_BAL, IOVA + AT_TX);
	reg(R_TXQ + Q_LEN, RING * 16);
	reg(R_DMATXCTL, rd(R_DMATXCTL) | DMATXCTL_TE);
	reg(R_TXQ + Q_DCTL, DCTL_ENABLE);
}

/* Frame of UDP or TCP over IPv4 with right checksums. Return: its length. */
static inline unsigned make_frame(uint8_t *f, uint8_t proto, unsigned payload)
{
	unsigned l4 = proto == NET_TCP ? 20 : 8, len = 14 + 20 + l4 + payload;
	uint8_t n[4] = { 0, 0, (uint8_t)((l4 + payload) >> 8), (uint8_t)(l4 + payload) };
	struct net_pkt p;

	memset(f, 0, len);
	memcpy(f, "\2\0\0\0\0\2\2\0\0\0\0\1\10\0\x45", 15);
	net_put16(f + 16, len - 14);
	f[22] = 64;
	f[23] = proto;
	memcpy(f + 26, "\102\011\225\273\241\216\144\120", 8); /* 66.9.149.187, 161.142.100.80 */
	net_put16(f + 34, 2794);
	net_put16(f + 36, 1766);
	if (proto == NET_TCP)
		f[46] = 0x50;
	else
		net_put16(f + 38, l4 + payload);
	for (unsigned i = 0; i < payload; i++)
		f[34 + l4 + i] = (uint8_t)(i * 7);
	net_put16(f + 24, (uint16_t)~net_fold(net_sum(f + 14, 20, 0)));
	net_parse(f, len, &p);
	net_put16(f + (proto == NET_TCP ? 50 : 40),
		  (uint16_t)~net_fold(
			  net_sum(f + 34, l4 + payload, net_sum(n, 4, net_pseudo(f, &p)))));
	return len;
}

#endif
