/* SPDX-License-Identifier: BSD-3-Clause */
/* virtio-net: probing, features, control queue, offloads, interrupts, a device that goes away. */
#include "virtio_fixture.h"

/* --- probe --- */

static void refused(struct fix *f, int err, const char *id)
{
	assert_int_equal(fix_probe(f), err);
	assert_string_equal(f->dev.log, id);
	assert_null(f->port);
}

static void test_probe_refuses(void **state)
{
	struct fix *f = *state;
	uint64_t offered = f->dev.offered;

	f->dev.offered = offered & ~VIRTIO_F_VERSION_1;
	refused(f, -EOPNOTSUPP, "virtio-not-modern");
	f->dev.offered = offered & ~VIRTIO_F_ACCESS_PLATFORM;
	refused(f, -EOPNOTSUPP, "virtio-access-platform");
	f->dev.offered = offered;
	f->dev.q[0].max = 8;
	refused(f, -EIO, "virtio-queue-size");
	f->dev.q[0].max = 0x8001;
	refused(f, -EIO, "virtio-queue-size");
	f->dev.q[0].max = 64;
	f->dev.stuck = true;
	f->dev.status = 1;
	refused(f, -ETIMEDOUT, "virtio-reset-timeout");
	f->dev.stuck = false;
	f->dev.gone = true;
	refused(f, -ENODEV, "device-gone");
	f->dev.gone = false;
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(f->dev.status, 0);
}

/* Capabilities that lie: each alone makes the interface incomplete. */
static void test_probe_bad_caps(void **state)
{
	struct fix *f = *state;
	const struct {
		unsigned cap, off, size;
		uint32_t v;
	} bad[] = {
		{ 0x40, VIRTIO_CAP_BAR, 1, 6 },
		{ 0x40, VIRTIO_CAP_BAR, 1, 0xff },
		{ 0x40, VIRTIO_CAP_BAR, 1, 2 },
		{ 0x40, VIRTIO_CAP_OFFSET, 4, 0xfffffffc },
		{ 0x40, VIRTIO_CAP_OFFSET, 4, FAKE_BAR_SIZE },
		{ 0x40, VIRTIO_CAP_OFFSET, 4, 2 },
		{ 0x40, VIRTIO_CAP_LENGTH, 4, VIRTIO_COMMON_SIZE - 1 },
		{ 0x40, VIRTIO_CAP_LENGTH, 4, UINT32_MAX },
		{ 0x40, VIRTIO_CAP_LEN, 1, 15 },
		{ 0x40, VIRTIO_CAP_CFG_TYPE, 1, 99 },
		{ 0x68, VIRTIO_CAP_LENGTH, 4, 0 },
		{ 0x68, VIRTIO_CAP_LENGTH, 4, FAKE_BAR_SIZE },
		{ 0x7c, VIRTIO_CAP_LENGTH, 4, 1 },
		{ 0x7c, VIRTIO_CAP_LEN, 1, VIRTIO_CAP_SIZE },
		{ 0x7c, VIRTIO_CAP_NOTIFY_MULT, 4, 3 },
	};

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		uint8_t keep[sizeof(f->dev.cfg)];

		memcpy(keep, f->dev.cfg, sizeof(keep));
		memcpy(&f->dev.cfg[bad[i].cap + bad[i].off], &bad[i].v, bad[i].size);
		refused(f, -ENODEV, "virtio-not-modern");
		memcpy(f->dev.cfg, keep, sizeof(keep));
	}
}

/* A bad capability in front of a good one does no harm. */
static void test_probe_second_cap(void **state)
{
	struct fix *f = *state;

	f->dev.cfg[0x34] = 0xa0;
	fake_add_cap(0xa0, 0x40, VIRTIO_PCI_CAP_COMMON_CFG, 0x3f0, 0x1000);
	assert_int_equal(fix_probe(f), 0);
}

/* A chain of capabilities that leads back to its start: found out, whether all are in it or not. */
static void test_probe_cap_loop(void **state)
{
	struct fix *f = *state;

	f->dev.cfg[0x54 + 1] = 0x40;
	refused(f, -ENODEV, "virtio-not-modern");
	f->dev.cfg[0x54 + 1] = 0x68;
	f->dev.cfg[0x7c + 1] = 0x40;
	assert_int_equal(fix_probe(f), 0);
}

static void test_doorbell_outside(void **state)
{
	struct fix *f = *state;

	f->dev.cfg[0x7c + VIRTIO_CAP_LENGTH] = 4;
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(fix_start(f), -EIO);
	assert_string_equal(f->dev.log, "virtio-notify");
	assert_int_equal(f->cache->n + weir_pool_available(f->pool), BUFS);
}

static void test_caps(void **state)
{
	struct fix *f = *state;
	struct weir_port_caps c;
	uint8_t mac[6];

	f->dev.q[1].max = 48;
	assert_int_equal(fix_probe(f), 0);
	weir_port_caps(f->port, &c);
	assert_string_equal(c.driver, "virtio");
	assert_int_equal(c.max_rxq, 4);
	assert_int_equal(c.max_desc, 64);
	assert_int_equal(fix_net(f)->tx_size, 32);
	assert_int_equal(c.max_mtu, VIRTIO_MTU_JUMBO);
	assert_int_equal(c.offloads, WEIR_OFF_TX_CSUM | WEIR_OFF_RX_CSUM | WEIR_OFF_RX_HASH |
					     WEIR_OFF_RX_JUMBO);
	assert_int_equal(c.rss_types, 0x3f);
	assert_int_equal(c.rss_key_len, 40);
	assert_int_equal(c.reta_len, 128);
	assert_true(c.rx_intr);
	weir_port_mac_get(f->port, mac);
	assert_int_equal(mac[5], 0x56);
}

/* Numbers that cannot be cost the feature, not the device. */
static void test_caps_of_a_liar(void **state)
{
	struct fix *f = *state;
	struct weir_port_caps c;

	f->dev.offered |= VIRTIO_NET_F_MTU;
	fake_put16(VIRTIO_NET_CFG_MTU, 3);
	fake_put16(VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS, 0x8001);
	f->dev.net[VIRTIO_NET_CFG_RSS_MAX_KEY_SIZE] = 0;
	assert_int_equal(fix_probe(f), 0);
	weir_port_caps(f->port, &c);
	assert_int_equal(c.max_rxq, 1);
	assert_int_equal(c.rss_types, 0);
	assert_int_equal(c.max_mtu, VIRTIO_MTU_JUMBO);
	assert_int_equal(c.offloads & WEIR_OFF_RX_HASH, 0);
}

/* More pairs than queues, so that the control queue is not where it should be. */
static void test_pairs_of_a_liar(void **state)
{
	struct fix *f = *state;

	fake_put16(VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS, 5);
	f->conf.n_rxq = f->conf.n_txq = 2;
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(fix_start(f), -EIO);
	assert_string_equal(f->dev.log, "virtio-queue-size");
	assert_int_equal(f->cache->n + weir_pool_available(f->pool), BUFS);
}

/* One queue pair, then several: the device's queues come and go with MQ. */
static void test_queues_come_back(void **state)
{
	struct fix *f = *state;
	struct weir_port_caps c;

	fix_up(f);
	assert_int_equal(f->dev.num_queues, 3);
	weir_port_close(f->port);
	f->dev.closed = 0;
	assert_int_equal(fix_probe(f), 0);
	weir_port_caps(f->port, &c);
	assert_int_equal(c.max_rxq, 4);
	f->conf.n_rxq = f->conf.n_txq = 4;
	assert_int_equal(fix_start(f), 0);
}

static void test_mtu(void **state)
{
	struct fix *f = *state;
	struct weir_port_caps c;

	f->dev.offered |= VIRTIO_NET_F_MTU;
	fake_put16(VIRTIO_NET_CFG_MTU, 3000);
	assert_int_equal(fix_probe(f), 0);
	weir_port_caps(f->port, &c);
	assert_int_equal(c.max_mtu, 3000);
	f->conf.mtu = 3000;
	assert_int_equal(fix_start(f), -EINVAL);
	f->conf.offloads = WEIR_OFF_RX_JUMBO;
	assert_int_equal(fix_start(f), 0);
	weir_port_stop(f->port);
	assert_int_equal(weir_port_mtu_set(f->port, 2000), 0);
	assert_int_equal(weir_port_start(f->port), 0);
	assert_int_equal(fix_net(f)->tx[0].max_len, 2022);
}

/* --- features --- */

static void test_features(void **state)
{
	struct fix *f = *state;
	uint64_t never = VIRTIO_NET_F_CTRL_VLAN | VIRTIO_F_EVENT_IDX;
	uint64_t opt = VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_HASH_REPORT |
		       VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_RSS | VIRTIO_NET_F_MQ;

	fix_up(f);
	assert_int_equal(f->dev.accepted & (never | opt), 0);
	assert_true(f->dev.accepted & VIRTIO_F_ACCESS_PLATFORM);
	assert_int_equal(!!(f->dev.accepted & VIRTIO_F_RING_PACKED),
			 !!(f->dev.offered & VIRTIO_F_RING_PACKED));
	weir_port_stop(f->port);
	f->conf.offloads =
		WEIR_OFF_TX_CSUM | WEIR_OFF_RX_CSUM | WEIR_OFF_RX_HASH | WEIR_OFF_RX_JUMBO;
	f->conf.n_rxq = f->conf.n_txq = 2;
	assert_int_equal(fix_start(f), 0);
	assert_int_equal(f->dev.accepted & opt, opt);
	assert_int_equal(f->dev.accepted & never, 0);
	weir_port_stop(f->port);
	f->conf.split_rings = true;
	assert_int_equal(fix_start(f), 0);
	assert_false(fake_packed());
}

static void test_features_refused(void **state)
{
	struct fix *f = *state;

	f->dev.refuse = VIRTIO_NET_F_STATUS;
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(fix_start(f), -EOPNOTSUPP);
	assert_string_equal(f->dev.log, "virtio-features");
	f->dev.refuse = 0;
	assert_int_equal(fix_start(f), 0);
}

/* Too little memory, a little more each time: either all is there or nothing is. */
static void test_no_memory(void **state)
{
	struct fix *f = *state;
	struct weir_arena *small;
	size_t used;
	int err = -ENOMEM;

	f->conf.n_rxq = f->conf.n_txq = 2;
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(
		weir_arena_create(f->w, 1 << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &small), 0);
	for (used = weir_arena_info(small).size; err; used -= 4096) {
		struct weir_port_conf c = f->conf;
		void *hog = weir_arena_alloc(small, used - 64, 64);

		c.arena = small;
		assert_non_null(hog);
		err = weir_port_configure(f->port, &c);
		weir_arena_free(small, hog);
		if (err)
			assert_int_equal(weir_arena_info(small).used, 0);
		assert_true(!err || err == -ENOMEM);
	}
	weir_port_close(f->port);
	assert_int_equal(weir_arena_info(small).used, 0);
	weir_arena_destroy(small);
	f->port = NULL;
	f->dev.closed = 0;
}

/* --- control queue --- */

static void test_filters(void **state)
{
	struct fix *f = *state;
	const uint8_t mc[2][6] = { { 1, 0, 0x5e, 0, 0, 1 }, { 0x33, 0x33, 0, 0, 0, 2 } };
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct fake_cmd *c;

	f->conf.promisc = true;
	assert_int_equal(fix_probe(f), 0);
	/* Set before it runs, applied at start, and again at the next one. */
	assert_int_equal(weir_port_mac_set(f->port, mac), 0);
	assert_int_equal(weir_port_allmulti(f->port, true), 0);
	assert_int_equal(weir_port_mc_list(f->port, mc, 2), 0);
	assert_int_equal(f->dev.n_cmds, 0);
	assert_int_equal(fix_start(f), 0);
	for (unsigned round = 0; round < 2; round++) {
		c = fake_find_cmd(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC);
		assert_true(c && c->len == 1 && c->data[0] == 1);
		c = fake_find_cmd(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI);
		assert_true(c && c->len == 1 && c->data[0] == 1);
		c = fake_find_cmd(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET);
		assert_true(c && c->len == 6 && !memcmp(c->data, mac, 6));
		c = fake_find_cmd(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET);
		assert_true(c && c->len == 20 && c->data[0] == 0 && c->data[4] == 2);
		assert_memory_equal(&c->data[8], mc, 12);
		weir_port_stop(f->port);
		f->dev.n_cmds = 0;
		assert_int_equal(weir_port_start(f->port), 0);
	}
	assert_int_equal(weir_port_promisc(f->port, false), 0);
	c = fake_find_cmd(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC);
	assert_int_equal(c->data[0], 0);
	/* Many commands: the small ring wraps. */
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(weir_port_promisc(f->port, i & 1), 0);
}

static void test_ctrl_refused(void **state)
{
	struct fix *f = *state;
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct weir_xstat x[4];
	uint8_t now[6];

	fix_up(f);
	f->dev.ack = 1;
	assert_int_equal(weir_port_mac_set(f->port, mac), -EIO);
	assert_string_equal(f->dev.log, "virtio-ctrl-refused");
	weir_port_mac_get(f->port, now);
	assert_int_equal(now[5], 0x56);
	f->dev.ack = 0;
	assert_int_equal(weir_port_mac_set(f->port, mac), 0);
	weir_port_mac_get(f->port, now);
	assert_int_equal(now[5], 9);
	assert_int_equal(weir_port_xstats(f->port, x, 4), 2);
	assert_string_equal(x[1].name, "ctrl_refused");
	assert_int_equal(x[1].value, 1);
}

static void test_ctrl_timeout(void **state)
{
	struct fix *f = *state;

	fix_up(f);
	f->dev.mute = true;
	assert_int_equal(weir_port_promisc(f->port, true), -ETIMEDOUT);
	assert_int_equal(weir_port_promisc(f->port, true), -EIO);
	f->dev.mute = false;
	weir_port_stop(f->port);
	assert_int_equal(weir_port_start(f->port), 0);
	assert_int_equal(weir_port_promisc(f->port, true), 0);
	/* Start fails while the control queue is mute, and leaves nothing behind. */
	weir_port_stop(f->port);
	f->dev.mute = true;
	assert_int_equal(weir_port_start(f->port), -ETIMEDOUT);
	assert_int_equal(f->cache->n + weir_pool_available(f->pool), BUFS);
}

static void test_ctrl_wrong_answer(void **state)
{
	struct fix *f = *state;

	fix_up(f);
	f->dev.wrong_id = true;
	assert_int_equal(weir_port_promisc(f->port, true), -EIO);
	assert_true(f->port->failed);
}

static void test_no_ctrl_queue(void **state)
{
	struct fix *f = *state;
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct weir_port_caps c;

	f->dev.offered &= ~(VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_MAC);
	fix_up(f);
	weir_port_caps(f->port, &c);
	assert_int_equal(c.max_rxq, 1);
	assert_int_equal(f->dev.n_cmds, 0);
	assert_int_equal(weir_port_promisc(f->port, true), 0);
	assert_int_equal(weir_port_promisc(f->port, false), -EOPNOTSUPP);
	assert_int_equal(weir_port_mac_set(f->port, mac), -EOPNOTSUPP);
	assert_int_equal(fix_net(f)->mac[0] & 3, 2);
}

static void test_rss(void **state)
{
	struct fix *f = *state;
	struct weir_rss rss = { .types = WEIR_RSS_IPV4 | WEIR_RSS_IPV6_UDP };
	struct fake_cmd *c;

	f->conf.n_rxq = 3;
	f->conf.n_txq = 4;
	fix_up(f);
	assert_true(f->dev.q[2 * 2].enabled && f->dev.q[2 * 3 + 1].enabled);
	assert_false(f->dev.q[2 * 3].enabled);
	assert_true(f->dev.q[8].enabled);
	c = fake_find_cmd(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG);
	assert_non_null(c);
	assert_int_equal(c->len, 4 + 2 + 2 + 256 + 2 + 1 + 40);
	assert_int_equal(c->data[0], 0x3f);
	assert_int_equal(c->data[4], 127);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(c->data[8 + 2 * i], i % 3);
	assert_int_equal(c->data[264], 4);
	assert_int_equal(c->data[266], 40);
	assert_memory_equal(&c->data[267], weir_rss_default_key, 40);
	rss.reta_len = 128;
	rss.reta[5] = 2;
	assert_int_equal(weir_port_rss_set(f->port, &rss), 0);
	c = fake_find_cmd(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG);
	assert_int_equal(c->data[0], 0x21);
	assert_int_equal(c->data[8 + 10], 2);
	f->dev.ack = 1;
	rss.types = WEIR_RSS_IPV6;
	assert_int_equal(weir_port_rss_set(f->port, &rss), -EIO);
	assert_int_equal(weir_port_rss_get(f->port, &rss), 0);
	assert_int_equal(rss.types, 0x21);
}

/* Several queues to transmit and one to receive: all packets go to that one. */
static void test_rss_one_rxq(void **state)
{
	struct fix *f = *state;
	struct fake_cmd *c;

	f->conf.n_rxq = 1;
	f->conf.n_txq = 2;
	fix_up(f);
	assert_null(fake_find_cmd(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET));
	c = fake_find_cmd(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG);
	assert_non_null(c);
	assert_int_equal(c->len, 4 + 2 + 2 + 2 + 2 + 1 + 40);
	assert_int_equal(c->data[4] | c->data[6] | c->data[8], 0);
	assert_int_equal(c->data[10], 2);
}

/* With one queue nobody has looked at what stands in the configuration. */
static void test_rss_not_asked(void **state)
{
	struct fix *f = *state;
	struct weir_rss rss;

	f->conf.rss = (struct weir_rss){ .types = UINT32_MAX, .key_len = 60000, .reta_len = 60000 };
	f->conf.offloads = WEIR_OFF_RX_HASH;
	fix_up(f);
	assert_int_equal(weir_port_rss_get(f->port, &rss), 0);
	assert_int_equal(rss.types, 0x3f);
	assert_int_equal(rss.key_len, 40);
	assert_int_equal(rss.reta_len, 1);
}

static void test_mq_without_rss(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[4];
	struct fake_cmd *c;

	f->dev.offered &= ~VIRTIO_NET_F_RSS;
	f->conf.n_rxq = 1;
	f->conf.n_txq = 2;
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(fix_start(f), -EINVAL);
	f->conf.n_rxq = 2;
	assert_int_equal(fix_start(f), 0);
	c = fake_find_cmd(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET);
	assert_true(c && c->len == 2 && c->data[0] == 2 && c->data[1] == 0);
	fix_packet(f, p, 1, 60, 0);
	assert_int_equal(weir_tx_post(f->port->txq[1], p, 1), 1);
	weir_tx_kick(f->port->txq[1]);
	assert_int_equal(f->dev.q[3].kicks, 1);
}

/* --- offloads --- */

static void test_tx_csum(void **state)
{
	struct fix *f = *state;
	struct virtio_net_hdr *h;
	struct fake_chain c;
	struct weir_pkt p;
	uint8_t *ip;

	f->conf.offloads = WEIR_OFF_TX_CSUM;
	fix_up(f);
	fix_packet(f, &p, 1, 100, 0);
	ip = weir_pkt_data(f->dev.dma.va_base, &p) + 14;
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[3] = 86;
	p.flags = WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_UDP_CSUM;
	p.txo.l2_len = 14;
	p.txo.l3_len = 20;
	assert_int_equal(weir_tx_post(fix_txq(f), &p, 1), 1);
	assert_true(fake_pop(1, &c));
	h = (void *)c.seg[0].va;
	assert_int_equal(h->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(weir_from_le16(h->csum_start), 34);
	assert_int_equal(weir_from_le16(h->csum_offset), 6);
	assert_int_equal(csum_fold(csum_add(ip, 20, false)), 0);
	fake_push(1, c.id, 0, 1);
	/* Past the packet; without lengths; a header that is not a multiple of 4. */
	const uint16_t bad[][2] = { { 14, 80 }, { 0, 0 }, { 14, 21 }, { 14, 0 }, { 65535, 65532 } };

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		fix_packet(f, &p, 1, 100, 0);
		p.flags = WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_TCP_CSUM;
		p.txo.l2_len = bad[i][0];
		p.txo.l3_len = bad[i][1];
		assert_int_equal(weir_tx_post(fix_txq(f), &p, 1), 1);
		assert_int_equal(fix_txq(f)->stats.drops[WEIR_DROP_TX_INVALID], i + 1);
	}
}

static void test_rx_csum(void **state)
{
	struct fix *f = *state;
	struct virtio_net_hdr *h;
	struct weir_pkt p[16];
	uint8_t *d;

	f->conf.offloads = WEIR_OFF_RX_CSUM | WEIR_OFF_RX_JUMBO;
	fix_up(f);
	fix_receive(f, 1, 60, 0)->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	fix_receive(f, 1, 60, 0);
	/* A sum left to us, over two segments, the first of odd length. */
	h = fix_receive(f, 2, 101, 3);
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = weir_le16(34);
	h->csum_offset = weir_le16(6);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 4);
	assert_int_equal(p[0].flags, WEIR_PKT_RX_L4_GOOD);
	assert_int_equal(p[1].flags, 0);
	assert_int_equal(p[2].flags, WEIR_PKT_RX_L4_GOOD | WEIR_PKT_MORE);
	d = weir_pkt_data(f->dev.dma.va_base, &p[2]);
	/* 67 bytes of 3 and 101 of 4, where bytes 6 and 7 of it held 0x0303 as the pseudo sum. */
	uint64_t sum = (34 * 0x300) + (33 * 3) + (50 * 0x400) + (51 * 4);

	assert_int_equal(d[40] << 8 | d[41], csum_fold(sum));
	weir_pkt_free(f->cache, p, 4);
	h = fix_receive(f, 1, 60, 3);
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = weir_le16(0xffff);
	h->csum_offset = weir_le16(0xffff);
	assert_int_equal(weir_rx(fix_rxq(f), p, 16), 0);
	assert_int_equal(fix_rxq(f)->stats.drops[WEIR_DROP_DEV_ERR], 1);
}

static void test_rx_hash(void **state)
{
	struct fix *f = *state;
	struct virtio_net_hdr *h;
	struct fake_cmd *cmd;
	struct fake_chain c;
	struct weir_pkt p[4];

	f->conf.offloads = WEIR_OFF_RX_HASH;
	fix_up(f);
	cmd = fake_find_cmd(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_HASH_CONFIG);
	assert_true(cmd && cmd->len == 4 + 8 + 1 + 40 && cmd->data[0] == 0x3f);
	h = fix_receive(f, 1, 60, 0);
	h->hash_value_lo = weir_le16(0x5678);
	h->hash_value_hi = weir_le16(0x1234);
	h->hash_report = weir_le16(2);
	fix_receive(f, 1, 61, 0);
	assert_int_equal(weir_rx(fix_rxq(f), p, 4), 2);
	assert_int_equal(p[0].flags, WEIR_PKT_HASH);
	assert_int_equal(p[0].hash, 0x12345678);
	assert_int_equal(p[1].flags, 0);
	weir_pkt_free(f->cache, &p[1], 1);
	/* Transmit headers have grown, too. */
	p[0].flags = 0;
	assert_int_equal(weir_tx_post(fix_txq(f), p, 1), 1);
	assert_true(fake_pop(1, &c));
	assert_int_equal(c.seg[0].len, VIRTIO_NET_HDR_HASH_LEN + 60);
	for (unsigned i = 0; i < VIRTIO_NET_HDR_HASH_LEN; i++)
		assert_int_equal(c.seg[0].va[i], 0);
}

/* --- link, interrupts, the end --- */

static void test_link(void **state)
{
	struct fix *f = *state;
	struct weir_link l;

	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(weir_port_link(f->port, &l), 0);
	assert_true(l.up && l.full_duplex);
	assert_int_equal(l.mbps, 0);
	fake_put16(VIRTIO_NET_CFG_STATUS, 0);
	fake_put32(VIRTIO_NET_CFG_SPEED, 25000);
	f->dev.net[VIRTIO_NET_CFG_DUPLEX] = 0;
	assert_int_equal(weir_port_link(f->port, &l), 0);
	assert_false(l.up || l.full_duplex);
	assert_int_equal(l.mbps, 25000);
}

static bool interrupts_on(struct fix *f, unsigned q)
{
	if (fake_packed())
		return !((struct pvirtq_event_suppress *)fake_mem(f->dev.q[q].driver, 4))->flags;
	return !fake_avail(&f->dev.q[q])->flags;
}

static void test_interrupts(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[4];

	f->conf.rx_intr = true;
	f->conf.n_rxq = f->conf.n_txq = 4;
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(fix_start(f), -ENOSPC);
	f->conf.n_rxq = f->conf.n_txq = 2;
	f->dev.no_vectors = true;
	assert_int_equal(fix_start(f), -EBUSY);
	f->dev.no_vectors = false;
	assert_int_equal(fix_start(f), 0);
	assert_int_equal(f->dev.vectors, 3);
	assert_int_equal(f->dev.config_vector, 0);
	assert_int_equal(f->dev.q[2].vector, 2);
	assert_int_equal(f->dev.q[1].vector, VIRTIO_MSI_NO_VECTOR);
	assert_int_equal(weir_port_rx_intr_fd(f->port, 1), 102);
	assert_int_equal(weir_port_lsc_fd(f->port), 100);
	assert_false(interrupts_on(f, 0));
	assert_int_equal(weir_port_rx_intr_arm(f->port, 0), 0);
	assert_true(interrupts_on(f, 0));
	assert_int_equal(weir_port_rx_intr_disarm(f->port, 0), 0);
	assert_false(interrupts_on(f, 0));
	fix_receive(f, 1, 60, 0);
	assert_int_equal(weir_port_rx_intr_arm(f->port, 0), 1);
	assert_int_equal(weir_rx(fix_rxq(f), p, 4), 1);
	weir_pkt_free(f->cache, p, 1);
	assert_int_equal(weir_port_rx_intr_arm(f->port, 0), 0);
}

static void test_no_interrupts(void **state)
{
	struct fix *f = *state;

	fix_up(f);
	assert_int_equal(f->dev.vectors, 0);
	assert_int_equal(f->dev.q[0].vector, VIRTIO_MSI_NO_VECTOR);
	for (unsigned q = 0; q < 3; q++)
		assert_false(interrupts_on(f, q));
	assert_int_equal(weir_port_lsc_fd(f->port), -EOPNOTSUPP);
}

static void test_gone(void **state)
{
	struct fix *f = *state;
	struct weir_pkt p[4];
	struct weir_link l;

	fix_up(f);
	fix_packet(f, p, 2, 60, 0);
	f->dev.gone = true;
	assert_int_equal(weir_port_link(f->port, &l), -ENODEV);
	assert_string_equal(f->dev.log, "device-gone");
	assert_true(f->port->failed);
	assert_int_equal(weir_rx(fix_rxq(f), p, 4), 0);
	assert_int_equal(weir_tx_post(fix_txq(f), p, 1), 0);
	assert_int_equal(weir_port_promisc(f->port, true), -ENODEV);
	weir_pkt_free(f->cache, p, 2);
}

static void test_gone_at_start(void **state)
{
	struct fix *f = *state;

	assert_int_equal(fix_probe(f), 0);
	f->dev.gone = true;
	assert_int_equal(fix_start(f), -ENODEV);
	assert_int_equal(f->cache->n + weir_pool_available(f->pool), BUFS);
}

static void test_needs_reset(void **state)
{
	struct fix *f = *state;
	struct weir_link l;

	fix_up(f);
	f->dev.status |= VIRTIO_STATUS_NEEDS_RESET;
	assert_int_equal(weir_port_link(f->port, &l), -EIO);
	assert_string_equal(f->dev.log, "device-needs-reset");
	assert_true(f->port->failed);
}

/* A device that never finishes its reset: stop and close come to an end all the same. */
static void test_stuck_reset(void **state)
{
	struct fix *f = *state;

	fix_up(f);
	f->dev.stuck = true;
	assert_int_equal(weir_port_stop(f->port), 0);
	assert_string_equal(f->dev.log, "virtio-reset-timeout");
	assert_false(f->dev.master);
	assert_int_equal(f->cache->n + weir_pool_available(f->pool), BUFS);
	assert_int_equal(weir_port_start(f->port), -ETIMEDOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_probe_refuses),
		ROW(test_probe_bad_caps),
		ROW(test_probe_second_cap),
		ROW(test_probe_cap_loop),
		ROW(test_doorbell_outside),
		ROW(test_caps),
		ROW(test_caps_of_a_liar),
		ROW(test_pairs_of_a_liar),
		ROW(test_queues_come_back),
		ROW(test_mtu),
		ROW(test_features),
		ROW(test_features_refused),
		ROW(test_no_memory),
		ROW(test_filters),
		ROW(test_ctrl_refused),
		ROW(test_ctrl_timeout),
		ROW(test_ctrl_wrong_answer),
		ROW(test_no_ctrl_queue),
		ROW(test_rss),
		ROW(test_rss_one_rxq),
		ROW(test_rss_not_asked),
		ROW(test_mq_without_rss),
		ROW(test_tx_csum),
		ROW(test_rx_csum),
		ROW(test_rx_hash),
		ROW(test_link),
		ROW(test_interrupts),
		ROW(test_no_interrupts),
		ROW(test_gone),
		ROW(test_gone_at_start),
		ROW(test_needs_reset),
		ROW(test_stuck_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
