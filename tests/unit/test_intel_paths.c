/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All rows of intel_paths[] do the same to the last byte. Twins, one for each row that this processor
 * can run, get the same packets to send and see the same device: well-behaved, careless, or hostile.
 * After each call everything is compared: what came back, counters, rings, tails, the stacks of free
 * buffers, and what the queues remember.
 *
 * A device here is what is written into the rings, and into all twins' at once. WEIR_PATTERNS in the
 * environment is how many descriptors it writes.
 */
#include "unit.h"

#include "nics/intel_queue.h"

#define MAX_TWINS 4
#define IOVA	  0x240000000ull
#define MOST	  96

/* What kind of port it is; a row of the test's table. */
struct kind {
	unsigned size, bufs, offloads;
	bool ixgbe, head_wb;
};

enum mood { GOOD, ODD, RUDE, HOSTILE };

struct twin {
	const struct intel_path *path;
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_port port;
	struct intel_rxq *rx;
	struct intel_txq *tx;
	__le32 rdt, tdt;
};

static struct twin twin[MAX_TWINS];
static unsigned n_twins;
static const struct kind *kind;
static uint64_t seed, patterns, packets, failures, metas, dropped, segments;
/* The device's heads. */
static unsigned rx_head, tx_head;

static uint64_t rnd64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static uint32_t rnd(uint32_t n)
{
	return (uint32_t)((rnd64() >> 32) % n);
}

/* --- the device: decided on the first twin's memory, written to all --- */

static void put_rx(unsigned slot, uint64_t lo, uint64_t status)
{
	patterns++;
	for (unsigned i = 0; i < n_twins; i++) {
		twin[i].rx->ring[slot].read.pkt_addr = weir_le64(lo);
		twin[i].rx->ring[slot].wb.status = weir_le64(status);
	}
}

static uint64_t odd_status(uint64_t st)
{
	static const uint32_t lens[] = { 0,    1,      2047,   2048,   2049,
					 4096, 0x7fff, 0x8000, 0xf800, 0xffff };
	uint64_t rxe = kind->ixgbe ? INTEL_RXD_RXE : INTEL_BIT64(31);

	switch (rnd(4)) {
	case 0:
		return st | rxe;
	case 1:
		return st & ~INTEL_RXD_EOP;
	case 2:
		st &= ~((uint64_t)UINT16_MAX << 32);
		return st | (uint64_t)lens[rnd(WEIR_ARRAY_SIZE(lens))] << 32;
	default:
		return st ^ INTEL_BIT64(rnd(64));
	}
}

static void rx_one(unsigned slot, enum mood mood)
{
	uint64_t st = INTEL_RXD_DD | INTEL_RXD_EOP | (uint64_t)(1 + rnd(rnd(4) ? 100 : 2048)) << 32;

	/* Errors of checksums, verdicts, a tag; RXE is not among them. */
	st |= rnd64() &
	      (INTEL_RXD_VP | INTEL_RXD_L4I | INTEL_RXD_IPCS | INTEL_BIT64(30) |
	       (kind->ixgbe ? INTEL_BIT64(31) : INTEL_BIT64(29)) | (uint64_t)UINT16_MAX << 48);
	if (kind->offloads & WEIR_OFF_RX_JUMBO && !rnd(4))
		st &= ~INTEL_RXD_EOP;
	if (mood != GOOD && !rnd(mood == ODD ? 30 : 8))
		st = odd_status(st);
	if (mood == HOSTILE && !rnd(20))
		st = rnd64();
	put_rx(slot, rnd64() & (rnd(2) ? UINT64_MAX : ~UINT64_C(15)), st);
}

static void device_rx(enum mood mood)
{
	unsigned n = rnd(rnd(3) ? 40 : 6), tail = weir_from_le32(twin[0].rdt);

	for (; n-- && rx_head != tail; rx_head = (rx_head + 1) % kind->size)
		rx_one(rx_head, mood);
	/* Anywhere, whether it has been given that or not. */
	if (mood == HOSTILE && !rnd(4))
		rx_one(rnd(kind->size), mood);
}

static void report(unsigned slot, unsigned head)
{
	patterns++;
	for (unsigned i = 0; i < n_twins; i++) {
		struct intel_txq *q = twin[i].tx;

		if (q->head_wb)
			*q->head_wb = weir_le32(head);
		else
			q->ring[slot].hi = weir_le64(INTEL_TXD_DD);
	}
}

static void device_tx(enum mood mood)
{
	unsigned n = rnd(rnd(3) ? 80 : 6), tail = weir_from_le32(twin[0].tdt);

	while (n-- && tx_head != tail) {
		unsigned slot = tx_head;
		bool rs = weir_from_le64(twin[0].tx->ring[slot].hi) & INTEL_TXD_RS;

		tx_head = (tx_head + 1) % kind->size;
		if (rs)
			report(slot, tx_head);
	}
	if (mood == HOSTILE && !rnd(10))
		report(rnd(kind->size), rnd(4) ? rnd(kind->size + 2) : (uint32_t)rnd64());
}

/* --- comparing --- */

static void same(const volatile void *a, const volatile void *b, size_t len, const char *what,
		 unsigned i)
{
	if (memcmp((const void *)(uintptr_t)a, (const void *)(uintptr_t)b, len))
		fail_msg("%s: %s differs from %s after %llu patterns", what, twin[i].path->name,
			 twin[0].path->name, (unsigned long long)patterns);
}

static void same_rx(unsigned i)
{
	const struct intel_rxq *a = twin[0].rx, *b = twin[i].rx;

	assert_int_equal(a->next, b->next);
	assert_int_equal(a->fill, b->fill);
	assert_int_equal(a->posted, b->posted);
	assert_int_equal(a->skip, b->skip);
	assert_int_equal(twin[0].rdt, twin[i].rdt);
	same(a->ring, b->ring, kind->size * sizeof(a->ring[0]), "rx ring", i);
	same(a->bufs, b->bufs, kind->size * sizeof(a->bufs[0]), "rx buffers", i);
	same(&a->q.stats, &b->q.stats, sizeof(a->q.stats), "rx counters", i);
}

static void same_tx(unsigned i)
{
	const struct intel_txq *a = twin[0].tx, *b = twin[i].tx;
	const size_t from = offsetof(struct intel_txq, size);

	/* All that is a number; last_hi too. */
	same((const char *)a + from, (const char *)b + from,
	     offsetof(struct intel_txq, head_wb) - from, "tx state", i);
	assert_int_equal(a->ctx_lo, b->ctx_lo);
	assert_int_equal(a->ctx_hi, b->ctx_hi);
	assert_int_equal(a->q.unkicked, b->q.unkicked);
	assert_int_equal(twin[0].tdt, twin[i].tdt);
	same(a->ring, b->ring, kind->size * sizeof(a->ring[0]), "tx ring", i);
	same(a->bufs, b->bufs, kind->size * sizeof(a->bufs[0]), "tx buffers", i);
	same(a->rs, b->rs, kind->size * sizeof(a->rs[0]), "reports", i);
	same(&a->q.stats, &b->q.stats, sizeof(a->q.stats), "tx counters", i);
}

static void same_all(void)
{
	for (unsigned i = 1; i < n_twins; i++) {
		same_rx(i);
		same_tx(i);
		assert_int_equal(twin[0].port.failed, twin[i].port.failed);
		assert_int_equal(twin[0].cache->n, twin[i].cache->n);
		same(twin[0].cache->buf, twin[i].cache->buf, twin[0].cache->n * sizeof(uint32_t),
		     "cache", i);
	}
}

/* --- the host's side --- */

/* Each handle lies in its buffer, whatever the device said. */
static void sane(const struct weir_pkt *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(p[i].off, WEIR_BUF_HEADROOM);
		assert_in_range(p[i].len, 1, WEIR_BUF_ROOM);
		metas += p[i].flags & ~(unsigned)WEIR_PKT_MORE ? 1 : 0;
		segments += p[i].flags & WEIR_PKT_MORE;
	}
	if (n)
		assert_false(p[n - 1].flags & WEIR_PKT_MORE);
}

static void receive(struct weir_pkt *p, unsigned *have)
{
	unsigned want = weir_min_u(1 + rnd(64), MOST - *have), got = 0;
	struct weir_pkt other[64 + 1];

	for (unsigned i = 0; i < n_twins; i++) {
		struct weir_pkt *to = i ? other : p + *have, end = to[want];
		unsigned n = weir_rx(&twin[i].rx->q, to, want);

		if (!i)
			got = n;
		assert_int_equal(n, got);
		/* Nothing behind the room that there was. */
		same(&end, &to[want], sizeof(end), "behind the burst", i);
		same(p + *have, to, n * sizeof(*to), "received", i);
	}
	sane(p + *have, got);
	*have += got;
	packets += got;
}

/* What an application might do to a packet before it sends it, wrong things too. */
static void dress(struct weir_pkt *p, unsigned n)
{
	static const uint16_t flags[] = { WEIR_PKT_VLAN, WEIR_PKT_TX_TCP_CSUM, WEIR_PKT_TX_TSO,
					  WEIR_PKT_TX_UDP_CSUM | WEIR_PKT_TX_IP_CSUM };

	for (unsigned i = 0; i < n; i++) {
		p[i].flags &= WEIR_PKT_MORE;
		p[i].hash = 0;
		if (p[i].len < 60)
			p[i].len = 60;
		switch (rnd(60)) {
		case 0:
			p[i].off = (uint16_t)rnd(rnd(2) ? 3000 : 65536);
			break;
		case 1:
			p[i].len = (uint16_t)rnd(rnd(2) ? 20 : 65536);
			break;
		case 2:
			p[i].len = (uint16_t)(WEIR_BUF_ROOM - 2 + rnd(5));
			break;
		case 3:
			p[i].flags = i + 1 < n ? WEIR_PKT_MORE : 0;
			break;
		case 4:
			p[i].flags |= flags[rnd(WEIR_ARRAY_SIZE(flags))];
			p[i].vlan = (uint16_t)rnd(4096);
			p[i].txo.l2_len = 14;
			p[i].txo.l3_len = 20;
			p[i].txo.mss = (uint16_t)rnd(2000);
			break;
		case 5:
			p[i].flags |= (uint16_t)rnd(65536) & WEIR_PKT_RX_ONLY;
			break;
		default:
			break;
		}
	}
}

/* Packets that ask for the same; now and then one does not. */
static void uniform(struct weir_pkt *p, unsigned n)
{
	static const uint16_t flags[] = { WEIR_PKT_VLAN, WEIR_PKT_TX_TCP_CSUM,
					  WEIR_PKT_TX_UDP_CSUM | WEIR_PKT_VLAN,
					  WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_IPV6, WEIR_PKT_TX_TSO };
	uint16_t f = flags[rnd(WEIR_ARRAY_SIZE(flags))], vlan = (uint16_t)rnd(3);

	for (unsigned i = 0; i < n; i++) {
		p[i].flags = f;
		p[i].vlan = rnd(20) ? vlan : (uint16_t)rnd(3);
		p[i].hash = (uint32_t)rnd64();
		p[i].txo.l2_len = 14;
		p[i].txo.l3_len = rnd(20) ? 20 : (uint8_t)rnd(60);
		if (!rnd(20))
			p[i].flags ^= (uint16_t)(1u << rnd(12));
		if (!rnd(20))
			p[i].len = (uint16_t)rnd(64);
	}
	p[n - 1].flags &= (uint16_t)~WEIR_PKT_MORE;
}

static void transmit(struct weir_pkt *p, unsigned *have, bool kick)
{
	unsigned n = weir_min_u(1 + rnd(64), *have), took = 0;

	if (rnd(2))
		dress(p, n);
	else if (rnd(2))
		uniform(p, n);
	for (unsigned i = 0; i < n_twins; i++) {
		unsigned k = weir_tx_post(&twin[i].tx->q, p, n);

		if (!i)
			took = k;
		assert_int_equal(k, took);
		if (kick)
			weir_tx_kick(&twin[i].tx->q);
	}
	*have -= took;
	memmove(p, p + took, *have * sizeof(*p));
}

static void give_back(const struct weir_pkt *p, unsigned n)
{
	for (unsigned i = 0; i < n_twins; i++)
		weir_pkt_free(twin[i].cache, p, n);
}

/* --- set-up --- */

static void start(struct twin *t)
{
	const struct intel_kind k = {
		.rxe = kind->ixgbe ? (uint32_t)INTEL_RXD_RXE : 1u << 31,
		.l4e = kind->ixgbe ? (uint32_t)INTEL_RXD_L4E : 1u << 29,
		.udp_zero = kind->ixgbe,
	};
	struct weir_dma dma = { .va_base = weir_window(t->w).base, .iova_base = IOVA };
	unsigned o = kind->offloads;
	enum intel_rx_kind r = o & WEIR_OFF_RX_JUMBO  ? INTEL_RX_JUMBO
			       : o & WEIR_OFF_RX_HASH ? INTEL_RX_META
						      : INTEL_RX_PLAIN;

	assert_int_equal(weir_pool_create(t->arena, kind->bufs, &t->pool), 0);
	assert_int_equal(weir_cache_create(t->pool, &t->cache), 0);
	t->port = (struct weir_port){ .w = t->w, .name = (char *)(uintptr_t) "twin" };
	t->port.conf = (struct weir_port_conf){ .rx_desc = kind->size,
						.tx_desc = kind->size,
						.offloads = o,
						.tx_head_wb = kind->head_wb };
	t->rdt = t->tdt = 0;
	assert_int_equal(intel_rxq_create(&t->port, &dma, t->arena, 0, &t->rdt, &k), 0);
	assert_int_equal(intel_txq_create(&t->port, &dma, t->arena, 0, &t->tdt, &k), 0);
	t->rx = intel_rxq_of(t->port.rxq[0]);
	t->tx = intel_txq_of(t->port.txq[0]);
	memset((void *)(uintptr_t)t->rx->ring, 0, kind->size * 16);
	memset((void *)(uintptr_t)t->tx->ring, 0, kind->size * 16 + WEIR_CACHE_LINE);
	t->rx->q.cache = t->tx->q.cache = t->cache;
	t->rx->q.burst = t->path->rx[r];
	t->tx->q.post = t->path->tx[t->tx->offload != 0];
	assert_true(t->path->fill(t->rx) > 0);
}

/* All buffers are back, whatever the device did. */
static void stop(struct twin *t)
{
	for (unsigned i = 0; i < WEIR_DROP_MAX; i++)
		dropped += t->rx->q.stats.drops[i];
	intel_rx_drain(t->rx);
	intel_tx_drain(t->tx);
	intel_rxq_destroy(&t->port, t->arena, 0);
	intel_txq_destroy(&t->port, t->arena, 0);
	weir_cache_destroy(t->cache);
	assert_int_equal(weir_pool_available(t->pool), kind->bufs);
	assert_int_equal(weir_pool_destroy(t->pool), 0);
	assert_int_equal(weir_arena_info(t->arena).used, 0);
}

static void no_log(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	(void)level;
	(void)id;
	(void)msg;
}

static int setup(void **state)
{
	struct weir_opts o = { .log = no_log, .window_size = 1ull << 30 };

	kind = *state;
	seed = 0x9e3779b97f4a7c15ull + kind->size;
	memset(twin, 0, sizeof(twin));
	n_twins = 0;
	for (const struct intel_path *p = intel_paths; p->name; p++) {
		struct twin *t = &twin[n_twins];

		if (!p->usable())
			continue;
		assert_true(n_twins++ < MAX_TWINS);
		t->path = p;
		assert_int_equal(weir_open(&o, &t->w), 0);
		assert_int_equal(weir_arena_create(t->w, 16 << 20, WEIR_NODE_ANY,
						   WEIR_ARENA_SMALL_PAGES, &t->arena),
				 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_twins; i++) {
		weir_arena_destroy(twin[i].arena);
		weir_close(twin[i].w);
	}
	return 0;
}

/* --- tests --- */

static uint64_t wanted(void)
{
	const char *s = getenv("WEIR_PATTERNS");

	return s ? strtoull(s, NULL, 10) : 1000000;
}

/* One life of the queues: until the device has done something that ends them, or for a while. */
static void episode(enum mood mood, uint64_t until)
{
	struct weir_pkt p[MOST + 1] = { 0 };
	unsigned have = 0;

	rx_head = tx_head = 0;
	for (unsigned i = 0; i < n_twins; i++)
		start(&twin[i]);
	for (unsigned i = 0; i < 80 && patterns < until && !twin[0].port.failed; i++) {
		device_rx(mood);
		receive(p, &have);
		if (rnd(4) && have)
			transmit(p, &have, rnd(8));
		device_tx(mood);
		for (unsigned k = 0; k < n_twins && !(i & 3); k++)
			weir_tx_reap(&twin[k].tx->q);
		if (have > MOST - 8 || !rnd(20)) {
			give_back(p, have);
			have = 0;
		}
		same_all();
	}
	failures += twin[0].port.failed;
	give_back(p, have);
	for (unsigned i = 0; i < n_twins; i++)
		stop(&twin[i]);
}

static const struct kind kinds[] = {
	{ .size = 64, .bufs = 1500 },
	{ .size = 512, .bufs = 1500, .ixgbe = true },
	{ .size = 104, .bufs = 150, .head_wb = true },
	{ .size = 512, .bufs = 300, .ixgbe = true, .head_wb = true },
	{ .size = 64,
	  .bufs = 1500,
	  .offloads = WEIR_OFF_RX_HASH | WEIR_OFF_RX_CSUM,
	  .ixgbe = true },
	{ .size = 256,
	  .bufs = 1500,
	  .offloads = WEIR_OFF_RX_HASH | WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP |
		      WEIR_OFF_TX_CSUM | WEIR_OFF_TX_VLAN },
	{ .size = 64, .bufs = 1500, .offloads = WEIR_OFF_RX_JUMBO },
	{ .size = 512,
	  .bufs = 1500,
	  .offloads = WEIR_OFF_RX_JUMBO | WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP |
		      WEIR_OFF_RX_HASH | WEIR_OFF_TX_TSO | WEIR_OFF_TX_CSUM | WEIR_OFF_TX_VLAN,
	  .ixgbe = true },
};

static void test_same(void **state)
{
	uint64_t began = patterns, until = patterns + wanted() / WEIR_ARRAY_SIZE(kinds);

	(void)state;
	packets = failures = metas = dropped = segments = 0;
	for (unsigned i = 0; patterns < until; i++)
		episode((enum mood)(i % 4), until);
	/* Something of each must have come. */
	assert_true(packets > (until - began) / 4);
	assert_true(dropped > packets / 100);
	assert_true(!kind->head_wb || failures > packets / 30000);
	if (kind->offloads & (WEIR_OFF_RX_HASH | WEIR_OFF_RX_CSUM))
		assert_true(metas > packets / 2);
	if (kind->offloads & WEIR_OFF_RX_JUMBO)
		assert_true(segments > packets / 10);
}

#define K(i, name)                                                             \
	{                                                                      \
		name, test_same, setup, teardown, (void *)(uintptr_t)&kinds[i] \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		K(0, "plain"),
		K(1, "plain, 82599"),
		K(2, "head write-back, few buffers, odd size"),
		K(3, "head write-back, fewer buffers than slots"),
		K(4, "hash and checksums, 82599"),
		K(5, "all offloads of one buffer"),
		K(6, "jumbo"),
		K(7, "jumbo and all offloads, 82599"),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
