/* SPDX-License-Identifier: BSD-3-Clause */
/* The checked way to a driver: states, arguments, defaults; and the RSS hash. */
#include "fake_port.h"

static struct weir *w;
static struct fp_port *f;
static struct weir_port *p;

static int setup(void **state)
{
	(void)state;
	w = unit_weir();
	f = fp_open(w, &fp_ops);
	p = &f->port;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_port_close(p);
	free(f);
	weir_close(w);
	return 0;
}

#define assert_called(what)                           \
	do {                                          \
		assert_string_equal(f->called, what); \
		f->called[0] = '\0';                  \
	} while (0)

static void configure(void)
{
	struct weir_port_conf c = { 0 };

	assert_int_equal(weir_port_configure(p, &c), 0);
	assert_called("configure ");
}

static void test_defaults(void **state)
{
	(void)state;
	assert_string_equal(p->name, "fake0");
	configure();
	assert_int_equal(f->conf.n_rxq, 1);
	assert_int_equal(f->conf.n_txq, 1);
	assert_int_equal(f->conf.rx_desc, 512);
	assert_int_equal(f->conf.tx_desc, 512);
	assert_int_equal(f->conf.mtu, 1500);
	/* A small device's limits are its defaults. */
	f->caps.max_desc = 64;
	f->caps.max_mtu = 1000;
	assert_int_equal(weir_port_configure(p, &(struct weir_port_conf){ 0 }), 0);
	assert_called("unconfigure configure ");
	assert_int_equal(f->conf.rx_desc, 64);
	assert_int_equal(f->conf.mtu, 1000);
}

static struct weir_cache *make_cache(struct weir *of, struct weir_pool **pool)
{
	struct weir_arena *a;
	struct weir_cache *c;

	assert_int_equal(weir_arena_create(of, 1 << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &a),
			 0);
	assert_int_equal(weir_pool_create(a, 8, pool), 0);
	assert_int_equal(weir_cache_create(*pool, &c), 0);
	return c;
}

static void test_states(void **state)
{
	struct weir_port_conf c = { .n_rxq = 2, .n_txq = 1 };
	struct weir_pool *pool;
	struct weir_cache *cache = make_cache(w, &pool);

	(void)state;
	assert_int_equal(weir_port_start(p), -EINVAL);
	assert_said("state");
	assert_text("configure the port");
	assert_int_equal(weir_port_stop(p), 0);
	assert_int_equal(weir_port_queue_cache(p, 0, cache), -EINVAL);
	assert_called("");
	assert_int_equal(weir_port_configure(p, &c), 0);
	assert_called("configure ");
	/* Not without a cache on each queue. */
	assert_int_equal(weir_port_start(p), -EINVAL);
	assert_text("no buffer cache");
	assert_int_equal(weir_port_queue_cache(p, 0, cache), 0);
	assert_int_equal(weir_port_start(p), -EINVAL);
	assert_text("queue 1");
	assert_int_equal(weir_port_queue_cache(p, 2, cache), -EINVAL);
	assert_int_equal(weir_port_queue_cache(p, 1, cache), 0);
	assert_ptr_equal(p->rxq[1]->cache, cache);
	/* A start that fails leaves the port stopped. */
	f->ret = -EIO;
	assert_int_equal(weir_port_start(p), -EIO);
	assert_int_equal(p->state, WEIR_PORT_READY);
	f->ret = 0;
	assert_int_equal(weir_port_start(p), 0);
	assert_called("start start ");
	assert_int_equal(weir_port_start(p), -EINVAL);
	assert_text("runs already");
	assert_int_equal(weir_port_configure(p, &c), -EBUSY);
	assert_int_equal(weir_port_mtu_set(p, 1000), -EBUSY);
	/* A queue that nobody polls may move to another thread's cache. */
	assert_int_equal(weir_port_queue_cache(p, 0, cache), 0);
	assert_called("");
	assert_int_equal(weir_port_stop(p), 0);
	assert_int_equal(weir_port_stop(p), 0);
	assert_called("stop ");
	assert_int_equal(weir_port_start(p), 0);
	/* Closing stops and unconfigures. */
	weir_port_close(p);
	assert_called("start stop unconfigure close ");
	weir_port_close(NULL);
	weir_cache_destroy(cache);
	weir_pool_destroy(pool);
	free(f);
	f = fp_open(w, &fp_ops);
	p = &f->port;
}

/* Memory of another handle means other addresses: refused before a device is told of it. */
static void test_two_handles(void **state)
{
	struct weir *other = unit_weir();
	struct weir_pool *pool;
	struct weir_cache *cache = make_cache(other, &pool);
	struct weir_port_conf c = { .arena = weir_arena_next(other, NULL) };

	(void)state;
	assert_int_equal(weir_port_configure(p, &c), -EINVAL);
	assert_said("arena");
	p->bus = f;
	c.arena = NULL;
	assert_int_equal(weir_port_configure(p, &c), -EINVAL);
	assert_text("weir_port_conf.arena");
	p->bus = NULL;
	configure();
	unit_hush();
	assert_int_equal(weir_port_queue_cache(p, 0, cache), -EINVAL);
	assert_said("pool");
	assert_null(p->rxq[0]->cache);
	weir_cache_destroy(cache);
	weir_pool_destroy(pool);
	weir_close(other);
}

static void test_configure_fails(void **state)
{
	(void)state;
	configure();
	f->ret = -ENOMEM;
	assert_int_equal(weir_port_configure(p, &(struct weir_port_conf){ 0 }), -ENOMEM);
	assert_called("unconfigure configure ");
	assert_int_equal(p->state, WEIR_PORT_OPEN);
	assert_null(p->rxq[0]);
	f->ret = 0;
	configure();
}

/* What a port cannot do is refused before the driver is asked, and what it had stays. */
static void test_bad_conf(void **state)
{
	const struct {
		struct weir_port_conf c;
		int err;
		const char *id;
	} bad[] = {
		{ { .n_rxq = 5 }, -EINVAL, "queues" },
		{ { .n_txq = 5 }, -EINVAL, "queues" },
		{ { .n_rxq = UINT32_MAX }, -EINVAL, "queues" },
		{ { .rx_desc = 31 }, -EINVAL, "ring-size" },
		{ { .rx_desc = 33 }, -EINVAL, "ring-size" },
		{ { .tx_desc = 4097 }, -EINVAL, "ring-size" },
		{ { .tx_desc = 8192 }, -EINVAL, "ring-size" },
		{ { .mtu = 67 }, -EINVAL, "mtu" },
		{ { .mtu = 9001 }, -EINVAL, "mtu" },
		{ { .offloads = WEIR_OFF_TX_VLAN }, -EOPNOTSUPP, "offload" },
		{ { .offloads = 1u << 31 }, -EOPNOTSUPP, "offload" },
		{ { .n_rxq = 2, .rss = { .types = WEIR_RSS_IPV6 } }, -EOPNOTSUPP, "rss" },
		{ { .n_rxq = 2, .rss = { .key_len = 39 } }, -EINVAL, "rss" },
		{ { .n_rxq = 2, .rss = { .key_len = 1000 } }, -EINVAL, "rss" },
		{ { .n_rxq = 2, .rss = { .reta_len = 64 } }, -EINVAL, "rss" },
		{ { .n_rxq = 2, .rss = { .reta_len = 128, .reta = { [7] = 2 } } }, -EINVAL, "rss" },
	};

	(void)state;
	configure();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		unit_hush();
		assert_int_equal(weir_port_configure(p, &bad[i].c), bad[i].err);
		assert_said(bad[i].id);
		assert_called("");
		assert_int_equal(p->state, WEIR_PORT_READY);
	}
	f->caps.desc_pow2 = true;
	assert_int_equal(weir_port_configure(p, &(struct weir_port_conf){ .rx_desc = 96 }),
			 -EINVAL);
	assert_text("power of 2");
	f->caps.rx_intr = false;
	assert_int_equal(weir_port_configure(p, &(struct weir_port_conf){ .rx_intr = true }),
			 -EOPNOTSUPP);
	assert_text("RX interrupts");
}

static void test_rss_defaults(void **state)
{
	struct weir_port_conf c = { .n_rxq = 3 };
	struct weir_rss r = { 0 };

	(void)state;
	assert_int_equal(weir_port_configure(p, &c), 0);
	assert_int_equal(f->conf.rss.types, f->caps.rss_types);
	assert_int_equal(f->conf.rss.key_len, 40);
	assert_memory_equal(f->conf.rss.key, weir_rss_default_key, 40);
	assert_int_equal(f->conf.rss.reta_len, 128);
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(f->conf.rss.reta[i], i % 3);
	/* At run time: completed the same way, kept only if the driver took it. */
	r.types = WEIR_RSS_IPV4;
	assert_int_equal(weir_port_rss_set(p, &r), 0);
	assert_int_equal(f->rss.key_len, 40);
	assert_int_equal(f->rss.reta[4], 1);
	assert_int_equal(p->conf.rss.types, WEIR_RSS_IPV4);
	f->ret = -EIO;
	r.types = WEIR_RSS_IPV4_TCP;
	assert_int_equal(weir_port_rss_set(p, &r), -EIO);
	assert_int_equal(p->conf.rss.types, WEIR_RSS_IPV4);
	f->ret = 0;
	r.reta_len = 128;
	r.reta[127] = 3;
	assert_int_equal(weir_port_rss_set(p, &r), -EINVAL);
	assert_int_equal(weir_port_rss_get(p, &r), -EOPNOTSUPP);
	f->caps.rss_types = 0;
	assert_int_equal(weir_port_rss_set(p, &(struct weir_rss){ 0 }), -EOPNOTSUPP);
}

static void test_addresses(void **state)
{
	static const uint8_t multi[2][6] = { { 1, 0, 0x5e, 0, 0, 1 }, { 2, 0, 0, 0, 0, 1 } };
	static const uint8_t zero[6], good[6] = { 2, 0, 0, 0, 0, 7 };
	static uint8_t many[WEIR_MAX_MC_ADDRS + 1][6];
	uint8_t mac[6];

	(void)state;
	assert_int_equal(weir_port_mac_set(p, multi[0]), -EINVAL);
	assert_said("mac");
	assert_int_equal(weir_port_mac_set(p, zero), -EINVAL);
	assert_called("");
	assert_int_equal(weir_port_mac_set(p, good), 0);
	assert_int_equal(weir_port_mac_get(p, mac), 0);
	assert_memory_equal(mac, good, 6);
	assert_called("mac ");
	assert_int_equal(weir_port_mc_list(p, multi, 1), 0);
	assert_int_equal(weir_port_mc_list(p, NULL, 0), 0);
	assert_called("mc mc ");
	assert_int_equal(weir_port_mc_list(p, multi, 2), -EINVAL);
	assert_said("multicast");
	assert_int_equal(weir_port_mc_list(p, (const void *)many, WEIR_MAX_MC_ADDRS + 1), -EINVAL);
	assert_called("");
}

static void test_vlans(void **state)
{
	static const uint16_t vids[] = { 0, 31, 32, 4095 }, bad[] = { 1, 4096 };

	(void)state;
	assert_int_equal(weir_port_vlan_filter(p, vids, 4), 0);
	assert_called("vlans ");
	assert_int_equal(f->vlans[0], 0x80000001);
	assert_int_equal(f->vlans[1], 1);
	assert_int_equal(f->vlans[127], 0x80000000);
	assert_int_equal(weir_port_vlan_filter(p, bad, 2), -EINVAL);
	assert_said("vlan");
	assert_called("");
	assert_int_equal(weir_port_vlan_filter(p, vids, 0), 0);
	assert_called("vlans ");
	assert_int_equal(f->vlans[0] | f->vlans[1] | f->vlans[127], 0);
	assert_int_equal(weir_port_vlan_filter(p, NULL, 0), 0);
	assert_called("no-vlans ");
}

static void test_mtu_and_promisc(void **state)
{
	(void)state;
	configure();
	assert_int_equal(weir_port_mtu_set(p, 67), -EINVAL);
	assert_int_equal(weir_port_mtu_set(p, 9001), -EINVAL);
	assert_called("");
	assert_int_equal(weir_port_mtu_set(p, 9000), 0);
	assert_int_equal(p->conf.mtu, 9000);
	assert_int_equal(weir_port_promisc(p, true), 0);
	assert_true(p->conf.promisc);
	f->ret = -EIO;
	assert_int_equal(weir_port_mtu_set(p, 1500), -EIO);
	assert_int_equal(weir_port_promisc(p, false), -EIO);
	assert_int_equal(p->conf.mtu, 9000);
	assert_true(p->conf.promisc);
	assert_called("mtu on mtu off ");
}

static void test_interrupts(void **state)
{
	struct weir_port_conf c = { .n_rxq = 2, .rx_intr = true };

	(void)state;
	assert_int_equal(weir_port_rx_intr_fd(p, 0), -EINVAL);
	configure();
	assert_int_equal(weir_port_rx_intr_arm(p, 0), -EINVAL);
	assert_said("rx-intr");
	assert_called("");
	assert_int_equal(weir_port_configure(p, &c), 0);
	assert_int_equal(weir_port_rx_intr_fd(p, 1), 1);
	assert_int_equal(weir_port_rx_intr_arm(p, 1), 1);
	assert_int_equal(weir_port_rx_intr_disarm(p, 0), 0);
	assert_int_equal(weir_port_rx_intr_fd(p, 2), -EINVAL);
	assert_int_equal(weir_port_rx_intr_disarm(p, UINT32_MAX), -EINVAL);
}

/* A driver without an op: refused with a sentence that names the driver. */
static void test_absent_ops(void **state)
{
	static const uint8_t mac[6] = { 2 };
	struct fp_port *b = fp_open(w, &fp_bare_ops);
	struct weir_port *q = &b->port;
	struct weir_link link;
	uint8_t got[6];

	(void)state;
	assert_int_equal(weir_port_link(q, &link), -EOPNOTSUPP);
	assert_said("unsupported");
	assert_text("fake driver");
	assert_int_equal(weir_port_mac_get(q, got), -EOPNOTSUPP);
	assert_int_equal(weir_port_mac_set(q, mac), -EOPNOTSUPP);
	assert_int_equal(weir_port_promisc(q, true), -EOPNOTSUPP);
	assert_int_equal(weir_port_allmulti(q, true), -EOPNOTSUPP);
	assert_int_equal(weir_port_mc_list(q, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(weir_port_mtu_set(q, 1500), -EOPNOTSUPP);
	assert_int_equal(weir_port_rss_set(q, &(struct weir_rss){ 0 }), -EOPNOTSUPP);
	assert_int_equal(weir_port_lsc_fd(q), -EOPNOTSUPP);
	assert_int_equal(weir_port_xstats(q, NULL, 0), 0);
	assert_false(q->conf.promisc);
	weir_port_close(q);
	free(b);
}

/* --- queues that carry a PASID, two pairs together --- */

static struct {
	unsigned q, calls;
	uint32_t pasid;
	const struct weir_dma *dma;
	int ret;
} tag;

static int on_tag(struct weir_port *port, unsigned q, uint32_t pasid, const struct weir_dma *dma)
{
	assert_ptr_equal(port, p);
	tag.q = q;
	tag.pasid = pasid;
	tag.dma = dma;
	tag.calls++;
	return tag.ret;
}

static int on_stopped(struct weir_port *port, unsigned q)
{
	assert_ptr_equal(port, p);
	return q == 2;
}

static void test_tags(void **state)
{
	struct weir_port_ops ops = fp_ops;
	struct weir_port_conf c = { .n_rxq = 4, .n_txq = 3 };
	struct weir_arena *a, *b;
	struct weir_pool *pool[2];
	struct weir_cache *cache[2];
	struct weir_dma dma = { .iova_base = 1 };
	struct weir *other = unit_weir();

	(void)state;
	memset(&tag, 0, sizeof(tag));
	p->ops = &ops;
	for (unsigned i = 0; i < 2; i++) {
		struct weir_arena **arena = i ? &b : &a;

		assert_int_equal(
			weir_arena_create(w, 1 << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, arena),
			0);
		assert_int_equal(weir_pool_create(*arena, 8, &pool[i]), 0);
		assert_int_equal(weir_cache_create(pool[i], &cache[i]), 0);
	}
	/* Announced without the op, or the op without a word: neither tags. */
	f->caps.tag_queues = 2;
	assert_int_equal(weir_port_queue_tag(p, 0, 1, &dma), -EOPNOTSUPP);
	ops.queue_tag = on_tag;
	ops.queue_stopped = on_stopped;
	f->caps.tag_queues = 0;
	assert_int_equal(weir_port_queue_tag(p, 0, 1, &dma), -EOPNOTSUPP);
	assert_said("unsupported");
	f->caps.tag_queues = 2;
	assert_int_equal(weir_port_queue_tag(p, 0, 1, &dma), -EINVAL); /* not configured */
	c.arena = a;
	c.queue_arena[0] = c.queue_arena[1] = b;
	assert_int_equal(weir_port_configure(p, &c), 0);
	assert_ptr_equal(weir_port_ring_arena(p, 1), b);
	assert_ptr_equal(weir_port_ring_arena(p, 2), a);
	assert_int_equal(weir_port_queue_tag(p, 1, 1, &dma), -EINVAL); /* not the first of two */
	assert_int_equal(weir_port_queue_tag(p, 4, 1, &dma), -EINVAL);
	assert_int_equal(weir_port_queue_tag(p, 0, 1, NULL), -EINVAL);
	assert_int_equal(weir_port_queue_tag(p, 0, 0, &dma), -EINVAL);
	assert_int_equal(tag.calls, 0);
	tag.ret = -EIO;
	assert_int_equal(weir_port_queue_tag(p, 0, 7, &dma), -EIO);
	assert_int_equal(p->pasid[0], 0);
	tag.ret = 0;
	assert_int_equal(weir_port_queue_tag(p, 0, 7, &dma), 0);
	assert_int_equal(tag.pasid, 7);
	assert_ptr_equal(tag.dma, &dma);
	assert_int_equal(p->pasid[0], 7);
	assert_int_equal(p->pasid[1], 7);
	assert_int_equal(p->pasid[2], 0);
	assert_int_equal(weir_port_configure(p, &c), -EBUSY);
	/* Its buffers lie in its memory, others' wherever they like. */
	assert_int_equal(weir_port_queue_cache(p, 1, cache[0]), -EINVAL);
	assert_said("pool");
	for (unsigned q = 0; q < 4; q++)
		assert_int_equal(weir_port_queue_cache(p, q, cache[q < 2]), 0);
	assert_int_equal(weir_port_queue_stopped(p, 2), 0); /* nothing runs */
	assert_int_equal(weir_port_start(p), 0);
	assert_int_equal(weir_port_queue_stopped(p, 2), 1);
	assert_int_equal(weir_port_queue_stopped(p, 0), 0);
	assert_int_equal(weir_port_queue_stopped(p, WEIR_MAX_QUEUES), 0);
	assert_int_equal(weir_port_queue_tag(p, 0, 0, NULL), -EBUSY);
	assert_int_equal(weir_port_stop(p), 0);
	assert_int_equal(weir_port_queue_tag(p, 0, 0, NULL), 0);
	assert_int_equal(p->pasid[1], 0);
	/* An arena of another handle is no tenant's here. */
	assert_int_equal(weir_arena_create(other, 1 << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES,
					   &c.queue_arena[3]),
			 0);
	assert_int_equal(weir_port_configure(p, &c), -EINVAL);
	assert_said("arena");
	weir_close(other);
	for (unsigned i = 0; i < 2; i++) {
		weir_cache_destroy(cache[i]);
		assert_int_equal(weir_pool_destroy(pool[i]), 0);
	}
	/* What is closed at the end has its usual table. */
	p->ops = &fp_ops;
}

/* --- Toeplitz: the verification suite of Microsoft's RSS specification --- */

struct vector {
	const char *src, *dst;
	uint16_t sport, dport;
	uint32_t with_ports, without;
};

static void check_vectors(const struct vector *v, unsigned n, unsigned alen)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t in[36];

		memcpy(in, v[i].src, alen);
		memcpy(in + alen, v[i].dst, alen);
		in[2 * alen] = (uint8_t)(v[i].sport >> 8);
		in[2 * alen + 1] = (uint8_t)v[i].sport;
		in[2 * alen + 2] = (uint8_t)(v[i].dport >> 8);
		in[2 * alen + 3] = (uint8_t)v[i].dport;
		assert_int_equal(weir_toeplitz(weir_rss_default_key, in, 2 * alen), v[i].without);
		assert_int_equal(weir_toeplitz(weir_rss_default_key, in, 2 * alen + 4),
				 v[i].with_ports);
	}
}

static void test_toeplitz_ipv4(void **state)
{
	static const struct vector v[] = {
		{ "\x42\x09\x95\xbb", "\xa1\x8e\x64\x50", 2794, 1766, 0x51ccc178, 0x323e8fc2 },
		{ "\xc7\x5c\x6f\x02", "\x41\x45\x8c\x53", 14230, 4739, 0xc626b0ea, 0xd718262a },
		{ "\x18\x13\xc6\x5f", "\x0c\x16\xcf\xb8", 12898, 38024, 0x5c2b394a, 0xd2d0a5de },
		{ "\x26\x1b\xcd\x1e", "\xd1\x8e\xa3\x06", 48228, 2217, 0xafc7327f, 0x82989176 },
		{ "\x99\x27\xa3\xbf", "\xca\xbc\x7f\x02", 44251, 1303, 0x10e828a2, 0x5d1809c5 },
	};

	(void)state;
	check_vectors(v, WEIR_ARRAY_SIZE(v), 4);
}

static void test_toeplitz_ipv6(void **state)
{
	static const struct vector v[] = {
		{ "\x3f\xfe\x25\x01\x02\x00\x1f\xff\0\0\0\0\0\0\0\x07",
		  "\x3f\xfe\x25\x01\x02\x00\x00\x03\0\0\0\0\0\0\0\x01", 2794, 1766, 0x40207d3d,
		  0x2cc18cd5 },
		{ "\x3f\xfe\x05\x01\x00\x08\0\0\x02\x60\x97\xff\xfe\x40\xef\xab",
		  "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 14230, 4739, 0xdde51bbf, 0x0f0c461c },
		{ "\x3f\xfe\x19\x00\x45\x45\x00\x03\x02\x00\xf8\xff\xfe\x21\x67\xcf",
		  "\xfe\x80\0\0\0\0\0\0\x02\x00\xf8\xff\xfe\x21\x67\xcf", 44251, 38024, 0x02d1feef,
		  0x4b61e985 },
	};

	(void)state;
	check_vectors(v, WEIR_ARRAY_SIZE(v), 16);
	/* The longer key goes on with the shorter one's beginning. */
	assert_memory_equal(weir_rss_default_key + 40, weir_rss_default_key, 12);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_defaults),      T(test_states),	   T(test_configure_fails),
		T(test_two_handles),   T(test_bad_conf),   T(test_rss_defaults),
		T(test_addresses),     T(test_vlans),	   T(test_mtu_and_promisc),
		T(test_interrupts),    T(test_absent_ops), T(test_toeplitz_ipv4),
		T(test_toeplitz_ipv6), T(test_tags),
	};

	return cmocka_run_group_tests_name("port", tests, NULL, NULL);
}
