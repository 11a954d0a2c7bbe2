/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-net: the paths of packets, with a well-behaved device and with hostile ones. */
#include "virtio_fixture.h"

static void test_rx_round_trip(void **state)
{
	struct fix *f = *state;
	struct weir_qstats *s;
	struct weir_pkt p[32];
	unsigned got = 0;

	fix_up(f);
	s = &fix_rxq(f)->stats;
	/* Far enough that all 16-bit counters wrap. */
	for (unsigned i = 0; i < 70000; i += 7) {
		unsigned n;

		for (unsigned k = 0; k < 7; k++)
			fix_receive(f, 1, 60 + k, (uint8_t)(i + k));
		n = weir_rx(fix_rxq(f), p, 32);
		assert_int_equal(n, 7);
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(p[k].len, 60 + k);
			assert_int_equal(p[k].off, VIRTIO_RX_START + VIRTIO_NET_HDR_LEN);
			assert_int_equal(p[k].flags, 0);
			assert_int_equal(weir_pkt_data(f->dev.dma.va_base, &p[k])[59],
					 (uint8_t)(i + k));
		}
		weir_pkt_free(f->cache, p, n);
		got += n;
	}
	assert_int_equal(s->packets, got);
	assert_int_equal(s->bytes, got * 63);
	assert_int_equal(s->empty, 0);
	assert_true(s->kicks > 0 && s->kicks <= s->calls);
}

static void test_rx_any_order(void **state)
{
	struct fix *f = *state;
	struct fake_chain c[40];
	struct weir_pkt p[40];

	fix_up(f);
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < 40; i++)
			assert_true(fake_pop(0, &c[i]));
		for (unsigned i = 40; i-- > 0;) {
			c[i].seg[0].va[VIRTIO_NET_HDR_LEN] = (uint8_t)i;
			fake_push(0, c[i].id, 72, 1);
		}
		assert_int_equal(weir_rx(fix_rxq(f), p, 40), 40);
		for (unsigned i = 0; i < 40; i++)
			assert_int_equal(weir_pkt_data(f->dev.dma.va_base, &p[i])[0], 39 - i);
		weir_pkt_free(f->cache, p, 40);
	}
}

static void test_rx_multi_segment(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[16];

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	f->conf.mtu = 9000;
	fix_up(f);
	for (unsigned i = 0; i < 200; i++) {
		fix_receive(f, 3, WEIR_BUF_ROOM, 10);
		fix_receive(f, 1, 100, 20);
		assert_int_equal(weir_rx(fix_rxq(f), p, 16), 4);
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(p[k].len, WEIR_BUF_ROOM);
			assert_int_equal(p[k].flags, k < 2 ? WEIR_PKT_MORE : 0);
			assert_int_equal(weir_pkt_data(f->dev.dma.va_base, &p[k])[0], 10 + k);
		}
		assert_int_equal(p[1].off, VIRTIO_RX_START);
		assert_int_equal(p[3].len, 100);
		weir_pkt_free(f->cache, p, 4);
	}
	assert_int_equal(fix_rxq(f)->stats.packets, 400);
	assert_int_equal(fix_rxq(f)->stats.bytes, 200 * (3 * WEIR_BUF_ROOM + 100));
}

/* Neither what does not fit into the burst nor what has not arrived yet is split. */
static void test_rx_never_splits(void **state)
{
	struct fix *f = *state;
	struct fake_chain c[3];
	struct weir_pkt p[16];

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	for (unsigned i = 0; i < 3; i++)
		fix_receive(f, 3, 1000, 0);
	assert_int_equal(weir_rx(fix_rxq(f), p, 8), 6);
	weir_pkt_free(f->cache, p, 6);
	assert_int_equal(weir_rx(fix_rxq(f), p, 8), 3);
	weir_pkt_free(f->cache, p, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_true(fake_pop(0, &c[i]));
	((struct virtio_net_hdr *)c[0].seg[0].va)->num_buffers = weir_le16(3);
	fake_push(0, c[0].id, 500, 1);
	fake_push(0, c[1].id, 500, 1);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 0);
	fake_push(0, c[2].id, 500, 1);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 3);
	weir_pkt_free(f->cache, p, 3);
}

static void test_rx_bad_num_buffers(void **state)
{
	struct fix *f = *state;
	struct weir_qstats *s;
	struct weir_pkt p[16];
	unsigned lost = 0;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	s = &fix_rxq(f)->stats;
	fix_receive(f, 1, 100, 0)->num_buffers = 0;
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 0);
	assert_int_equal(s->drops[WEIR_DROP_BAD_LEN], 1);
	/* More than a packet can have: all its buffers are thrown away, the next packet is not. */
	fix_receive(f, WEIR_MAX_SEGS + 3, 100, 0);
	fix_receive(f, 1, 77, 5);
	for (unsigned i = 0; i < 4 && !lost; i++)
		lost = weir_rx(fix_rxq(f), p, 16);
	assert_int_equal(lost, 1);
	assert_int_equal(p[0].len, 77);
	weir_pkt_free(f->cache, p, 1);
	assert_int_equal(s->drops[WEIR_DROP_TOO_MANY], 1);
	/* More than the ring has: only the buffer itself goes. */
	fix_receive(f, 1, 100, 0)->num_buffers = weir_le16(60000);
	fix_receive(f, 1, 78, 5);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 1);
	assert_int_equal(p[0].len, 78);
	weir_pkt_free(f->cache, p, 1);
	assert_int_equal(s->drops[WEIR_DROP_TOO_MANY], 2);
	assert_false(f->port->failed);
}

static void rx_bad_lengths(struct fix *f)
{
	const uint32_t bad[] = { 0,
				 1,
				 11,
				 VIRTIO_NET_HDR_LEN,
				 VIRTIO_NET_HDR_LEN + 13,
				 WEIR_BUF_ROOM + VIRTIO_NET_HDR_LEN + 1,
				 0x10000,
				 UINT32_MAX };
	struct weir_pkt p[16];

	fix_up(f);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		struct fake_chain c;

		assert_true(fake_pop(0, &c));
		((struct virtio_net_hdr *)c.seg[0].va)->num_buffers = weir_le16(1);
		fake_push(0, c.id, bad[i], 1);
		fix_receive(f, 1, 64, 1);
		assert_int_equal(weir_rx(fix_rxq(f), p, 16), 1);
		weir_pkt_free(f->cache, p, 1);
		assert_int_equal(fix_rxq(f)->stats.drops[WEIR_DROP_BAD_LEN], i + 1);
	}
	assert_false(f->port->failed);
}

static void test_rx_bad_lengths(void **state)
{
	rx_bad_lengths(*state);
}

static void test_rx_bad_lengths_full(void **state)
{
	struct fix *f = *state;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	rx_bad_lengths(f);
}

/* A later segment of length 0, or too long: the whole packet goes. */
static void test_rx_bad_segment(void **state)
{
	struct fix *f = *state;
	const uint32_t bad[] = { 0, WEIR_BUF_ROOM + VIRTIO_NET_HDR_LEN + 1, UINT32_MAX };
	struct fake_chain c[3];
	struct weir_pkt p[16];

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	for (unsigned k = 0; k < WEIR_ARRAY_SIZE(bad); k++) {
		for (unsigned i = 0; i < 3; i++)
			assert_true(fake_pop(0, &c[i]));
		((struct virtio_net_hdr *)c[0].seg[0].va)->num_buffers = weir_le16(3);
		for (unsigned i = 0; i < 3; i++)
			fake_push(0, c[i].id, i == 1 ? bad[k] : 500, 1);
		assert_int_equal(weir_rx(fix_rxq(f), p, 16), 0);
		assert_int_equal(fix_rxq(f)->stats.drops[WEIR_DROP_BAD_LEN], k + 1);
	}
}

/* The queue must be dead, every buffer come back at stop, and start say why not. */
static void assert_dead(struct fix *f)
{
	struct weir_pkt p[16];

	assert_true(f->port->failed);
	assert_string_equal(f->dev.log, "device-misbehaved");
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 0);
	fix_packet(f, p, 1, 60, 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 1), 0);
	weir_pkt_free(f->cache, p, 1);
	weir_tx_kick(fix_txq(f));
	weir_tx_reap(fix_txq(f));
	assert_int_equal(weir_port_stop(f->port), 0);
	assert_int_equal(weir_port_start(f->port), -EIO);
}

static void test_rx_id_out_of_range(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[16];

	fix_up(f);
	fix_receive(f, 1, 64, 1);
	fake_push(0, fake_packed() ? 64 : 0x10003, 100, 1);
	/* What came before is good. */
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 1);
	weir_pkt_free(f->cache, p, 1);
	assert_int_equal(fix_rxq(f)->stats.drops[WEIR_DROP_BAD_ID], 1);
	assert_dead(f);
}

static void test_rx_id_twice(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[16];
	struct fake_chain c;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	assert_true(fake_pop(0, &c));
	((struct virtio_net_hdr *)c.seg[0].va)->num_buffers = weir_le16(1);
	fake_push(0, c.id, 100, 1);
	fake_push(0, c.id, 100, 1);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 1);
	weir_pkt_free(f->cache, p, 1);
	assert_dead(f);
}

/* The wrong id is in the middle of a packet: what was taken of it comes back. */
static void test_rx_id_in_packet(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[16];
	struct fake_chain c[2];

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	assert_true(fake_pop(0, &c[0]) && fake_pop(0, &c[1]));
	((struct virtio_net_hdr *)c[0].seg[0].va)->num_buffers = weir_le16(3);
	fake_push(0, c[0].id, 100, 1);
	fake_push(0, c[1].id, 100, 1);
	fake_push(0, c[1].id, 100, 1);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 0);
	assert_dead(f);
}

/* Split: an index further than what is in flight. Packed: flags that are neither here nor there. */
static void test_rx_ring_inconsistent(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[16];

	fix_up(f);
	if (fake_packed())
		fake_pdesc(&f->dev.q[0], 0)->flags =
			weir_le16(PVIRTQ_DESC_F_USED | VIRTQ_DESC_F_WRITE);
	else
		fake_used(&f->dev.q[0])->idx = weir_le16(65);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 0);
	assert_dead(f);
}

static void test_tx_ring_inconsistent(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[1];

	fix_up(f);
	fix_packet(f, p, 1, 60, 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 1), 1);
	if (fake_packed())
		fake_pdesc(&f->dev.q[1], 0)->flags = weir_le16(PVIRTQ_DESC_F_USED);
	else
		fake_used(&f->dev.q[1])->idx = weir_le16(2);
	weir_tx_reap(fix_txq(f));
	assert_dead(f);
}

static void test_tx_bad_id(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[3];
	struct fake_chain c;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	fix_packet(f, p, 3, 100, 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 3), 3);
	assert_true(fake_pop(1, &c));
	/* In the ring, but not the head of its chain. */
	fake_push(1, c.id + 1, 0, 1);
	assert_int_equal(weir_tx_reap(fix_txq(f)), 3);
	assert_int_equal(fix_txq(f)->stats.drops[WEIR_DROP_BAD_ID], 1);
	assert_dead(f);
}

static void test_tx_id_twice(void **state)
{
	struct fix *f = *state;
	struct fake_chain c;
	struct weir_pkt p[2];

	fix_up(f);
	fix_packet(f, &p[0], 1, 100, 0);
	fix_packet(f, &p[1], 1, 100, 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 2), 2);
	assert_true(fake_pop(1, &c));
	fake_push(1, c.id, 0, 1);
	fake_push(1, c.id, 0, 1);
	weir_tx_reap(fix_txq(f));
	assert_dead(f);
}

/* --- transmit --- */

static void tx_check_frame(struct fake_chain *c, unsigned len, uint8_t seed)
{
	assert_true(fake_pop(1, c));
	assert_int_equal(c->n, 1);
	assert_false(c->seg[0].write);
	assert_int_equal(c->seg[0].len, VIRTIO_NET_HDR_LEN + len);
	for (unsigned i = 0; i < VIRTIO_NET_HDR_LEN; i++)
		assert_int_equal(c->seg[0].va[i], 0);
	assert_int_equal(c->seg[0].va[VIRTIO_NET_HDR_LEN], seed);
	assert_int_equal(c->seg[0].va[c->seg[0].len - 1], seed);
}

static void test_tx_round_trip(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[7];
	struct fake_chain c[7];

	fix_up(f);
	for (unsigned i = 0; i < 70000; i += 7) {
		for (unsigned k = 0; k < 7; k++)
			fix_packet(f, &p[k], 1, 60 + k, (uint8_t)(i + k));
		assert_int_equal(weir_tx_post(fix_txq(f), p, 7), 7);
		assert_int_equal(fix_txq(f)->unkicked, 7);
		weir_tx_kick(fix_txq(f));
		assert_int_equal(fix_txq(f)->unkicked, 0);
		for (unsigned k = 0; k < 7; k++)
			tx_check_frame(&c[k], 60 + k, (uint8_t)(i + k));
		for (unsigned k = 0; k < 7; k++) {
			/* every other round from behind */
			struct fake_chain *x = i & 1 ? &c[6 - k] : &c[k];

			fake_push(1, x->id, 0, x->descs);
		}
		if (i % 3 == 0)
			assert_int_equal(weir_tx_reap(fix_txq(f)), 0);
	}
	assert_int_equal(fix_txq(f)->stats.packets, 70000);
	assert_int_equal(fix_txq(f)->stats.kicks, 10000);
	assert_int_equal(f->dev.q[1].kicks, 10000);
}

static void test_tx_full(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[100];
	struct fake_chain c;

	fix_up(f);
	for (unsigned i = 0; i < 100; i++)
		fix_packet(f, &p[i], 1, 60, (uint8_t)i);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 100), 64);
	assert_int_equal(weir_tx_post(fix_txq(f), p + 64, 36), 0);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(fake_pop(1, &c));
		fake_push(1, c.id, 0, 1);
	}
	/* Reaps by itself. */
	assert_int_equal(weir_tx_post(fix_txq(f), p + 64, 36), 10);
	assert_int_equal(weir_tx_reap(fix_txq(f)), 64);
	weir_pkt_free(f->cache, p + 74, 26);
}

static void test_tx_multi_segment(void **state)
{
	struct fix *f = *state;
	unsigned free_before;
	struct weir_pkt p[8];
	struct fake_chain c;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	f->conf.mtu = 9000;
	fix_up(f);
	free_before = f->cache->n + weir_pool_available(f->pool);
	/* Chains of 3 and 5 in a ring of 64: each place of the ring gets its turn as a head. */
	for (unsigned i = 0; i < 3000; i++) {
		unsigned n = i & 1 ? 3 : 5;

		fix_packet(f, p, n, 1000, (uint8_t)i);
		assert_int_equal(weir_tx_post(fix_txq(f), p, n), n);
		assert_true(fake_pop(1, &c));
		assert_int_equal(c.n, n);
		assert_int_equal(c.descs, n);
		assert_int_equal(c.seg[0].len, 1000 + VIRTIO_NET_HDR_LEN);
		for (unsigned k = 1; k < n; k++) {
			assert_int_equal(c.seg[k].len, 1000);
			assert_int_equal(c.seg[k].va[999], (uint8_t)(i + k));
		}
		fake_push(1, c.id, 0, c.descs);
		weir_tx_kick(fix_txq(f));
		assert_int_equal(weir_tx_reap(fix_txq(f)), 0);
	}
	assert_int_equal(f->cache->n + weir_pool_available(f->pool), free_before);
}

/* The data starts so early that no header fits in front of it: it goes into its own slot. */
static void test_tx_no_headroom(void **state)
{
	struct fix *f = *state;
	struct fake_chain c;
	struct weir_pkt p;

	fix_up(f);
	for (unsigned i = 0; i < 200; i++) {
		fix_packet(f, &p, 1, 100, 7);
		p.off = VIRTIO_HDR_ROOM - 1;
		memset(weir_pkt_data(f->dev.dma.va_base, &p), 8, p.len);
		assert_int_equal(weir_tx_post(fix_txq(f), &p, 1), 1);
		assert_true(fake_pop(1, &c));
		assert_int_equal(c.n, 2);
		assert_int_equal(c.seg[0].len, VIRTIO_NET_HDR_LEN);
		assert_int_equal(c.seg[1].len, 100);
		assert_int_equal(c.seg[1].va[0], 8);
		fake_push(1, c.id, 0, c.descs);
		assert_int_equal(weir_tx_reap(fix_txq(f)), 0);
	}
}

/* One descriptor left: a packet of several segments still goes, through a table. */
static void test_tx_indirect(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[64], m[8];
	struct fake_chain c;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	f->conf.mtu = 9000;
	fix_up(f);
	for (unsigned i = 0; i < 63; i++)
		fix_packet(f, &p[i], 1, 60, 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 63), 63);
	fix_packet(f, m, 4, 500, 40);
	m[0].off = 0;
	assert_int_equal(weir_tx_post(fix_txq(f), m, 4), 4);
	for (unsigned i = 0; i < 63; i++) {
		assert_true(fake_pop(1, &c));
		fake_push(1, c.id, 0, 1);
	}
	assert_true(fake_pop(1, &c));
	assert_true(c.indirect);
	assert_int_equal(c.descs, 1);
	assert_int_equal(c.n, 5);
	assert_int_equal(c.seg[0].len, VIRTIO_NET_HDR_LEN);
	assert_int_equal(c.seg[4].va[0], 43);
	assert_int_equal(weir_tx_reap(fix_txq(f)), 4);
	fake_push(1, c.id, 0, 1);
	assert_int_equal(weir_tx_reap(fix_txq(f)), 0);
}

/* Without the feature the packet waits, whole, and nothing behind it overtakes. */
static void test_tx_whole_packets(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[70];
	unsigned took;

	f->dev.offered &= ~VIRTIO_F_INDIRECT_DESC;
	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	for (unsigned i = 0; i < 63; i++)
		fix_packet(f, &p[i], 1, 60, 0);
	fix_packet(f, &p[63], 3, 200, 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 66), 63);
	weir_pkt_free(f->cache, &p[63], 3);
	/* A run whose end the caller did not pass is not accepted either. */
	fix_packet(f, p, 3, 200, 0);
	took = weir_tx_post(fix_txq(f), p, 2);
	assert_int_equal(took, 0);
	weir_pkt_free(f->cache, p, 3);
}

static void test_tx_invalid(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[16];
	struct fake_chain c;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	fix_packet(f, &p[0], 1, 60, 0);
	p[0].len = 0;
	fix_packet(f, &p[1], 1, 60, 0);
	p[1].len = 13;
	fix_packet(f, &p[2], 1, 1523, 0);
	fix_packet(f, &p[3], 2, 60, 0);
	p[4].len = 0;
	fix_packet(f, &p[5], 10, 60, 0);
	fix_packet(f, &p[15], 1, 1522, 9);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 16), 16);
	assert_int_equal(fix_txq(f)->stats.drops[WEIR_DROP_TX_INVALID], 5);
	assert_int_equal(fix_txq(f)->unkicked, 1);
	tx_check_frame(&c, 1522, 9);
	assert_false(fake_pop(1, &c));
}

/* --- buffers --- */

static void test_empty_pool(void **state)
{
	struct fix *f = *state;
	uint32_t hoard[BUFS];
	struct weir_pkt p[64];
	unsigned n = 0, got = 0;

	fix_up(f);
	while (weir_buf_alloc(f->cache, &hoard[n], 1))
		n++;
	/* The ring runs dry, the packets in it still arrive. */
	for (unsigned i = 0; i < 64; i++)
		fix_receive(f, 1, 60, 0);
	for (unsigned i = 0; i < 4; i++)
		got += weir_rx(fix_rxq(f), &p[got], 32);
	assert_int_equal(got, 64);
	assert_true(fix_rxq(f)->stats.drops[WEIR_DROP_NO_BUF] > 0);
	assert_int_equal(weir_rx(fix_rxq(f), p, 32), 0);
	/* Five buffers come back, then all. */
	weir_pkt_free(f->cache, p, 5);
	assert_int_equal(weir_rx(fix_rxq(f), p, 32), 0);
	for (unsigned i = 0; i < 5; i++)
		fix_receive(f, 1, 60, 0);
	assert_int_equal(weir_rx(fix_rxq(f), p, 32), 5);
	weir_pkt_free(f->cache, p, 64);
	for (unsigned i = 0; i < n; i++)
		weir_buf_free1(f->cache, hoard[i]);
	weir_rx(fix_rxq(f), p, 32);
	for (unsigned i = 0; i < 64; i++)
		fix_receive(f, 1, 60, 0);
	assert_int_equal(weir_rx(fix_rxq(f), p, 64), 64);
	weir_pkt_free(f->cache, p, 64);
}

/* Stop with packets everywhere: in both rings, in chains, in tables; and start again. */
static void test_stop_gives_back(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[64];

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	f->conf.tx_desc = 16;
	fix_up(f);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 12; i++)
			fix_packet(f, &p[i], 1, 60, 0);
		fix_packet(f, &p[12], 3, 60, 0);
		fix_packet(f, &p[15], 4, 60, 0);
		assert_int_equal(weir_tx_post(fix_txq(f), p, 19), 19);
		fix_receive(f, 2, 500, 0);
		assert_int_equal(weir_port_stop(f->port), 0);
		assert_int_equal(f->dev.status, 0);
		assert_false(f->dev.master);
		assert_int_equal(f->cache->n + weir_pool_available(f->pool), BUFS);
		assert_int_equal(weir_port_start(f->port), 0);
		fix_receive(f, 2, 500, 0);
		assert_int_equal(weir_rx(fix_rxq(f), p, 64), 2);
		weir_pkt_free(f->cache, p, 2);
	}
}

/* A device that asks not to be told is not told. */
static void test_no_notify(void **state)
{
	struct fix *f = *state;
	unsigned rx_kicks;
	struct weir_pkt p[40];

	fix_up(f);
	rx_kicks = f->dev.q[0].kicks;
	assert_int_equal(rx_kicks, 1);
	for (unsigned q = 0; q < 2; q++) {
		if (fake_packed())
			((struct pvirtq_event_suppress *)fake_mem(f->dev.q[q].device, 4))->flags =
				weir_le16(RING_EVENT_FLAGS_DISABLE);
		else
			fake_used(&f->dev.q[q])->flags = weir_le16(VIRTQ_USED_F_NO_NOTIFY);
	}
	fix_packet(f, p, 1, 60, 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 1), 1);
	weir_tx_kick(fix_txq(f));
	assert_int_equal(fix_txq(f)->unkicked, 0);
	for (unsigned i = 0; i < 40; i++)
		fix_receive(f, 1, 60, 0);
	assert_int_equal(weir_rx(fix_rxq(f), p, 40), 40);
	weir_pkt_free(f->cache, p, 40);
	assert_int_equal(f->dev.q[0].kicks, rx_kicks);
	assert_int_equal(f->dev.q[1].kicks, 0);
}

/* --- anything --- */

/* Small numbers are those that get far. */
static uint32_t some_number(unsigned *seed)
{
	unsigned r = (unsigned)rand_r(seed);

	return r % 8 == 0 ? (uint32_t)rand_r(seed) : r % 5 == 0 ? 70 + r / 8 % 2000 : r / 8 % 64;
}

static void some_use(unsigned q, unsigned *seed)
{
	struct fake_chain c = { 0 };
	unsigned r = (unsigned)rand_r(seed) % 100;

	if (r >= 90) {
		fake_push(q, some_number(seed), some_number(seed), 1);
		return;
	}
	if (!fake_pop(q, &c))
		return;
	if (q == 0)
		((struct virtio_net_hdr *)c.seg[0].va)->num_buffers =
			weir_le16(r < 70 ? 1 : r % 12);
	fake_push(q, c.id, q ? 0 : r < 80 ? 100 + r : some_number(seed), c.descs);
}

/* Packets in and out, by a device that sometimes writes nonsense. Return: rounds it lasted. */
static unsigned live_with_it(struct fix *f, unsigned *seed)
{
	struct weir_pkt p[32];
	unsigned i, n, took;

	for (i = 0; i < 300 && !f->port->failed; i++) {
		for (unsigned k = (unsigned)rand_r(seed) % 10; k > 0; k--)
			some_use(0, seed);
		for (unsigned k = (unsigned)rand_r(seed) % 10; k > 0; k--)
			some_use(1, seed);
		n = weir_rx(fix_rxq(f), p, 32);
		for (unsigned k = 0; k < n; k++)
			p[k].flags &= WEIR_PKT_MORE;
		took = weir_tx_post(fix_txq(f), p, n);
		weir_pkt_free(f->cache, p + took, n - took);
		weir_tx_kick(fix_txq(f));
	}
	return i;
}

static void hostile(struct fix *f, unsigned offloads)
{
	unsigned seed = 1, rounds = 0;

	f->dev.wild = true;
	f->conf.offloads = offloads;
	for (unsigned i = 0; i < 200; i++) {
		fix_up(f);
		rounds += live_with_it(f, &seed);
		weir_port_close(f->port);
		f->port = NULL;
		f->dev.closed = 0;
		assert_int_equal(f->cache->n + weir_pool_available(f->pool), BUFS);
	}
	assert_true(rounds > 200);
}

static void test_hostile(void **state)
{
	hostile(*state, 0);
}

static void test_hostile_full(void **state)
{
	hostile(*state, WEIR_OFF_RX_JUMBO | WEIR_OFF_RX_CSUM | WEIR_OFF_RX_HASH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_rx_round_trip),
		ROW(test_rx_any_order),
		ROW(test_rx_multi_segment),
		ROW(test_rx_never_splits),
		ROW(test_rx_bad_num_buffers),
		ROW(test_rx_bad_lengths),
		ROW(test_rx_bad_lengths_full),
		ROW(test_rx_bad_segment),
		ROW(test_rx_id_out_of_range),
		ROW(test_rx_id_twice),
		ROW(test_rx_id_in_packet),
		ROW(test_rx_ring_inconsistent),
		ROW(test_tx_ring_inconsistent),
		ROW(test_tx_bad_id),
		ROW(test_tx_id_twice),
		ROW(test_tx_round_trip),
		ROW(test_tx_full),
		ROW(test_tx_multi_segment),
		ROW(test_tx_no_headroom),
		ROW(test_tx_indirect),
		ROW(test_tx_whole_packets),
		ROW(test_tx_invalid),
		ROW(test_empty_pool),
		ROW(test_stop_gives_back),
		ROW(test_no_notify),
		ROW(test_hostile),
		ROW(test_hostile_full),
	};

	int failed;

	fake_phys = false;
	failed = cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
	fake_phys = true;
	return failed + cmocka_run_group_tests_name("virtio (physical)", tests, NULL, NULL);
}
