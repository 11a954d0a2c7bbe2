/* SPDX-License-Identifier: BSD-3-Clause */
/* What an application may ask for: bursts too short for a packet, segments past their buffer. Rings. */
#include "virtio_fixture.h"

/* A packet that no burst has room for waits, but not for good. */
static void test_rx_short_bursts(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[16];
	struct weir_qstats *s;

	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	fix_up(f);
	s = &fix_rxq(f)->stats;
	f->dev.log[0] = '\0';
	for (unsigned round = 1; round < 4; round++) {
		fix_receive(f, 3, 1000, 0);
		fix_receive(f, 1, 77, 5);
		for (unsigned i = 1; i < WEIR_SHORT_BURSTS; i++)
			assert_int_equal(weir_rx(fix_rxq(f), p, 2), 0);
		/* It is there for whoever asks for more. */
		assert_int_equal(weir_rx(fix_rxq(f), p, 16), 4);
		weir_pkt_free(f->cache, p, 4);
		assert_int_equal(s->drops[WEIR_DROP_TOO_MANY], 0);
	}
	for (unsigned round = 1; round < 4; round++) {
		unsigned got = 0, calls = 0;

		fix_receive(f, 3, 1000, 0);
		fix_receive(f, 1, 77, 5);
		for (; !got && calls < 1000; calls++)
			got = weir_rx(fix_rxq(f), p, 2);
		assert_in_range(calls, WEIR_SHORT_BURSTS, WEIR_SHORT_BURSTS + 2);
		assert_int_equal(got, 1);
		assert_int_equal(p[0].len, 77);
		weir_pkt_free(f->cache, p, 1);
		assert_int_equal(s->drops[WEIR_DROP_TOO_MANY], round);
		if (round == 1)
			assert_string_equal(f->dev.log, "burst-too-short");
		else
			assert_string_equal(f->dev.log, "");
		f->dev.log[0] = '\0';
	}
}

/* Up to its buffer's last byte a segment is sent, a byte further it is not. */
static void test_tx_past_the_buffer(void **state)
{
	static const struct {
		unsigned off, len, segs;
		bool good;
	} row[] = {
		{ WEIR_BUF_SIZE - 1500, 1500, 1, true },
		{ WEIR_BUF_SIZE - 1500, 1501, 1, false },
		{ WEIR_BUF_SIZE - 1499, 1500, 1, false },
		{ WEIR_BUF_SIZE - 60, 60, 1, true },
		{ WEIR_BUF_SIZE - 59, 60, 1, false },
		{ UINT16_MAX, 60, 1, false },
		{ WEIR_BUF_SIZE - 100, 100, 3, true },
		{ WEIR_BUF_SIZE - 99, 100, 3, false },
		{ UINT16_MAX - 50, 100, 2, false },
		{ WEIR_BUF_HEADROOM, 1522, 1, true },
		{ WEIR_BUF_SIZE, WEIR_ETH_HLEN, 1, false },
	};
	struct fix *f = *state;
	struct weir_pkt p[12];
	struct fake_chain c;

	fix_up(f);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(row); i++) {
		struct weir_qstats before = fix_txq(f)->stats;
		unsigned n = row[i].segs;

		/* Good ones around it, so that groups are tried, too. */
		for (unsigned k = 0; k < 3; k++)
			fix_packet(f, &p[k], 1, 60, 1);
		fix_packet(f, &p[3], n, 60, 9);
		fix_packet(f, &p[3 + n], 1, 61, 3);
		p[2 + n].off = (uint16_t)row[i].off;
		p[2 + n].len = (uint16_t)row[i].len;
		if (row[i].good)
			memset(weir_pkt_data(f->dev.dma.va_base, &p[2 + n]), 9 + (int)n - 1,
			       row[i].len);
		assert_int_equal(weir_tx_post(fix_txq(f), p, 4 + n), 4 + n);
		assert_int_equal(fix_txq(f)->stats.packets - before.packets, 4 + row[i].good);
		assert_int_equal(fix_txq(f)->stats.drops[WEIR_DROP_TX_INVALID] -
					 before.drops[WEIR_DROP_TX_INVALID],
				 !row[i].good);
		while (fake_pop(1, &c))
			fake_push(1, c.id, 0, c.descs);
		weir_tx_reap(fix_txq(f));
	}
	assert_int_equal(fix_txq(f)->stats.packets, 4 * WEIR_ARRAY_SIZE(row) + 4);
}

/* What the device writes and what the driver writes share no line; elements begin one. */
static void test_lines(void **state)
{
	struct fix *f = *state;
	struct virtio_vq *vq;

	fix_up(f);
	vq = &fix_net(f)->rx[0].vq;
	assert_int_equal((uintptr_t)vq->desc % WEIR_CACHE_LINE, 0);
	assert_int_equal((uintptr_t)vq->avail % WEIR_CACHE_LINE, 0);
	if (vq->packed) {
		assert_int_equal((uintptr_t)vq->device_event % WEIR_CACHE_LINE, 0);
		return;
	}
	assert_int_equal((uintptr_t)vq->used->ring % WEIR_CACHE_LINE, 0);
	assert_true((char *)&vq->avail->ring[vq_size(vq)] <=
		    (char *)vq->used->ring - WEIR_CACHE_LINE);
}

/* Kinds of rings that the device has, and the application does without. */
static void test_kinds(void **state)
{
	struct fix *f = *state;
	bool packed = f->dev.offered & VIRTIO_F_RING_PACKED;

	f->dev.offered |= VIRTIO_F_IN_ORDER;
	fix_up(f);
	for (unsigned i = 0; i < 4; i++) {
		struct virtio_vq *vq;

		f->conf.split_rings = i & 1;
		f->conf.any_order = i & 2;
		assert_int_equal(weir_port_stop(f->port), 0);
		assert_int_equal(fix_start(f), 0);
		vq = &fix_net(f)->tx[0].vq;
		assert_int_equal(vq->packed, packed && !(i & 1));
		assert_int_equal(vq->in_order, !(i & 2));
		assert_int_equal(!!(f->dev.accepted & VIRTIO_F_RING_PACKED), vq->packed);
		assert_int_equal(!!(f->dev.accepted & VIRTIO_F_IN_ORDER), vq->in_order);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_rx_short_bursts),
		ROW(test_tx_past_the_buffer),
		ROW(test_lines),
		ROW(test_kinds),
	};

	int failed;

	fake_phys = false;
	failed = cmocka_run_group_tests_name("virtio, application", tests, NULL, NULL);
	fake_phys = true;
	return failed +
	       cmocka_run_group_tests_name("virtio, application (physical)", tests, NULL, NULL);
}
