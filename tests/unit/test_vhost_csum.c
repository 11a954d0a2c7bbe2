/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums over vhost-user: left to a vhost: port by a driver, finished there or handed on, and left
 * to a driver by the port. What arrives is compared with sums made here, byte by byte.
 */
#include "vhost_env.h"

#define IP_LEN 20

/* 14 or 18 bytes of Ethernet, IPv4 or IPv6, TCP or UDP, payload. */
static const struct frame {
	const char *name;
	bool vlan, v6, tcp;
	unsigned len, segs;
} frames[] = {
	{ "tcp4", false, false, true, 60, 1 },
	{ "udp4", false, false, false, 61, 1 },
	{ "tcp6", false, true, true, 1400, 1 },
	{ "udp6 in a vlan", true, true, false, 99, 1 },
	{ "tcp4 of 3 segments", false, false, true, 1433, 3 },
	{ "udp4 of 2 odd segments", false, false, false, 147, 2 },
};

static unsigned l2_of(const struct frame *f)
{
	return f->vlan ? 18 : 14;
}

static unsigned l4_of(const struct frame *f)
{
	return l2_of(f) + (f->v6 ? 40 : IP_LEN);
}

/* Sum of big-endian words. */
static uint32_t add(uint32_t sum, const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		sum += i & 1 ? b[i] : (unsigned)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo(const struct frame *f, const uint8_t *d, unsigned len)
{
	unsigned ip = l2_of(f), n = len - l4_of(f);
	uint32_t sum = f->v6 ? add(0, d + ip + 8, 32) : add(0, d + ip + 12, 8);

	sum += (f->tcp ? 6 : 17) + n;
	return (sum & 0xffff) + (sum >> 16);
}

static unsigned csum_at(const struct frame *f)
{
	return l4_of(f) + (f->tcp ? 16 : 6);
}

/* Bytes of a whole frame whose checksum field is the pseudo header's sum. */
static void make(const struct frame *f, uint8_t *d, unsigned seed)
{
	unsigned ip = l2_of(f), type = f->v6 ? 0x86dd : 0x0800;
	uint32_t p;

	for (unsigned i = 0; i < f->len; i++)
		d[i] = (uint8_t)(seed + i * 13 + i / 7);
	if (f->vlan) {
		d[12] = 0x81;
		d[13] = 0;
	}
	d[ip - 2] = (uint8_t)(type >> 8);
	d[ip - 1] = (uint8_t)type;
	d[ip] = f->v6 ? 0x60 : 0x45;
	d[ip + (f->v6 ? 6 : 9)] = f->tcp ? 6 : 17;
	p = pseudo(f, d, f->len);
	d[csum_at(f)] = (uint8_t)(p >> 8);
	d[csum_at(f) + 1] = (uint8_t)p;
}

/* A finished checksum, together with the pseudo header, sums up to all ones. */
static bool whole(const struct frame *f, const uint8_t *d)
{
	uint32_t sum = pseudo(f, d, f->len) + add(0, d + l4_of(f), f->len - l4_of(f));

	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static void put(struct env_side *s, const struct frame *f, struct weir_pkt *p, unsigned seed)
{
	uint8_t d[2048];
	unsigned at = 0;

	make(f, d, seed);
	env_packet(s, p, f->segs, f->len, 0);
	for (unsigned i = 0; i < f->segs; i++) {
		memcpy(weir_pkt_data(weir_window(s->w).base, &p[i]), d + at, p[i].len);
		at += p[i].len;
	}
	p->flags |= f->tcp ? WEIR_PKT_TX_TCP_CSUM : WEIR_PKT_TX_UDP_CSUM;
	p->flags |= f->v6 ? WEIR_PKT_TX_IPV6 : 0;
	p->txo.l2_len = (uint8_t)l2_of(f);
	p->txo.l3_len = (uint8_t)(l4_of(f) - l2_of(f));
}

static void send_one(struct env_side *s, const struct frame *f, unsigned seed)
{
	struct weir_pkt p[WEIR_MAX_SEGS];

	put(s, f, p, seed);
	assert_int_equal(weir_tx_post(s->port->txq[0], p, f->segs), f->segs);
	weir_tx_kick(s->port->txq[0]);
}

static struct weir_pkt get_one(struct env_side *s)
{
	struct weir_pkt p;

	assert_int_equal(weir_rx(s->port->rxq[0], &p, 1), 1);
	return p;
}

static void begin(struct env *e, const char *be_opts, const char *fe_opts, unsigned be_offloads)
{
	struct weir_port_conf b = { .offloads = be_offloads };
	struct weir_port_conf f = { .rx_desc = 64,
				    .tx_desc = 64,
				    .offloads = WEIR_OFF_TX_CSUM | WEIR_OFF_RX_CSUM };

	env_begin(e);
	env_back(e, be_opts, &b);
	assert_int_equal(env_front(e, fe_opts, &f), 0);
}

static const char *const rings[] = { "", ",packed=off", ",inflight=off",
				     ",packed=off,inflight=off" };

/* What a driver leaves to us is finished when it arrives, and said to be good. */
static void test_finished(void **state)
{
	struct env e;

	(void)state;
	for (unsigned k = 0; k < WEIR_ARRAY_SIZE(rings); k++) {
		begin(&e, "", rings[k], WEIR_OFF_RX_CSUM);
		for (unsigned i = 0; i < 50 * WEIR_ARRAY_SIZE(frames); i++) {
			const struct frame *f = &frames[i % WEIR_ARRAY_SIZE(frames)];
			struct weir_pkt p;

			send_one(&e.fe, f, i);
			p = get_one(&e.be);
			if (!whole(f, weir_pkt_data(weir_window(e.be.w).base, &p)))
				fail_msg("%s: wrong checksum", f->name);
			assert_int_equal(p.flags, WEIR_PKT_RX_L4_GOOD);
			weir_pkt_free(e.be.cache, &p, 1);
			weir_tx_reap(e.fe.port->txq[0]);
		}
		env_end(&e);
	}
}

/* Asked for, it is handed on with what a NIC needs to know, and so it goes to the next driver. */
static void test_handed_on(void **state)
{
	struct env e;

	(void)state;
	for (unsigned k = 0; k < WEIR_ARRAY_SIZE(rings); k++) {
		begin(&e, "", rings[k], WEIR_OFF_RX_PARTIAL | WEIR_OFF_TX_CSUM);
		for (unsigned i = 0; i < WEIR_ARRAY_SIZE(frames); i++) {
			const struct frame *f = &frames[i];
			struct weir_pkt p, want[WEIR_MAX_SEGS];

			send_one(&e.fe, f, i);
			p = get_one(&e.be);
			put(&e.be, f, want, i);
			assert_int_equal(p.flags, want[0].flags & ~WEIR_PKT_MORE);
			assert_int_equal(p.txo.l2_len, want[0].txo.l2_len);
			assert_int_equal(p.txo.l3_len, want[0].txo.l3_len);
			assert_false(whole(f, weir_pkt_data(weir_window(e.be.w).base, &p)));
			weir_pkt_free(e.be.cache, want, f->segs);
			assert_int_equal(weir_tx_post(e.be.port->txq[0], &p, 1), 1);
			/* Our own driver finishes it for whoever reads. */
			p = get_one(&e.fe);
			assert_true(whole(f, weir_pkt_data(weir_window(e.fe.w).base, &p)));
			weir_pkt_free(e.fe.cache, &p, 1);
			weir_tx_reap(e.fe.port->txq[0]);
		}
		env_end(&e);
	}
}

/* A driver that does not finish checksums gets finished ones, also when it had no room at first. */
static void test_finished_for_driver(void **state)
{
	struct weir_port_conf b = { .offloads = WEIR_OFF_TX_CSUM };
	struct weir_port_conf c = { .rx_desc = 32, .tx_desc = 32 };
	struct env e;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		unsigned sent = 0, seen = 0, n = 200;
		struct weir_pkt p[WEIR_MAX_SEGS];

		env_begin(&e);
		env_back(&e, "", &b);
		assert_int_equal(env_front(&e, k ? ",packed=off,csum=off" : ",csum=off", &c), 0);
		put(&e.be, &frames[0], p, 0);
		while (seen < n) {
			const struct frame *f = &frames[sent % WEIR_ARRAY_SIZE(frames)];

			if (sent < n && weir_tx_post(e.be.port->txq[0], p, weir_pkt_segs(p, 8))) {
				sent++;
				f = &frames[sent % WEIR_ARRAY_SIZE(frames)];
				put(&e.be, f, p, sent);
				continue;
			}
			for (;; seen++) {
				struct weir_pkt g;

				if (!weir_rx(e.fe.port->rxq[0], &g, 1))
					break;
				f = &frames[seen % WEIR_ARRAY_SIZE(frames)];
				if (!whole(f, weir_pkt_data(weir_window(e.fe.w).base, &g)))
					fail_msg("%s: wrong checksum", f->name);
				weir_pkt_free(e.fe.cache, &g, 1);
			}
		}
		weir_pkt_free(e.be.cache, p, weir_pkt_segs(p, 8));
		env_end(&e);
	}
}

/* Header lengths that point past the packet: not sent, and nothing is written there. */
static void test_bad_lengths(void **state)
{
	struct weir_pkt p;
	struct env e;

	(void)state;
	begin(&e, "", "", WEIR_OFF_TX_CSUM);
	for (unsigned i = 0; i < 3; i++) {
		put(&e.be, &frames[0], &p, i);
		if (i == 0)
			p.txo.l3_len = 60;
		else if (i == 1)
			p.txo.l2_len = 13;
		else
			p.txo.l3_len = 0;
		assert_int_equal(weir_tx_post(e.be.port->txq[0], &p, 1), 1);
		assert_int_equal(e.be.port->txq[0]->stats.drops[WEIR_DROP_TX_INVALID], i + 1);
	}
	env_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finished),
		cmocka_unit_test(test_handed_on),
		cmocka_unit_test(test_finished_for_driver),
		cmocka_unit_test(test_bad_lengths),
	};

	return cmocka_run_group_tests_name("vhost_csum", tests, NULL, NULL);
}
