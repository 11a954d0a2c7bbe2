/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Each row of intel_paths[] against a device that works at the same time, on a thread of its own. It
 * writes a descriptor as a NIC may: the word with types and hash, then the one with DD, and the
 * descriptors of a burst in any order. What is received must be of one packet, never of the one that
 * the slot held before; what is sent must still be there when the device reads it.
 *
 * WEIR_PATTERNS in the environment is how many packets each row gets.
 */
#include "unit.h"

#include "nics/intel_queue.h"

#include <pthread.h>
#include <sched.h>

#define IOVA  0x340000000ull
#define SIZE  64
#define BUFS  256
#define BURST 32

static struct bed {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_port port;
	struct intel_rxq *rx;
	struct intel_txq *tx;
	char *base;
	enum intel_rx_kind kind;
	/* registers: by the driver */
	__le32 rdt, tdt;
	/* the device's */
	pthread_t thread;
	unsigned rx_head, tx_head;
	uint64_t made, sent, total;
	/* what it found wrong; and that it is to end */
	const char *wrong;
	bool end;
} bed;

/* What packet @seq is like. */
static uint32_t hash_of(uint64_t seq)
{
	return (uint32_t)(seq * 0x9e3779b97f4a7c15ull >> 32);
}

static unsigned len_of(uint64_t seq)
{
	return 60 + hash_of(seq) % 1900;
}

/* The last segment of a packet? Of five, one goes on, for one more. */
static bool ends(uint64_t seq)
{
	return bed.kind != INTEL_RX_JUMBO || hash_of(seq) % 5 || !(hash_of(seq - 1) % 5);
}

static volatile uint64_t *data_at(uint64_t iova)
{
	return (volatile uint64_t *)(uintptr_t)(bed.base + (iova - IOVA));
}

/* --- the device --- */

static unsigned tail(const __le32 *reg)
{
	return weir_from_le32(__atomic_load_n(reg, __ATOMIC_ACQUIRE));
}

static void fill(volatile union intel_rx_desc *d, uint64_t seq)
{
	*data_at(weir_from_le64(d->read.pkt_addr)) = seq;
	/* Types and hash: one word. */
	d->read.pkt_addr = weir_le64((uint64_t)hash_of(seq) << 32 | 1);
}

static uint64_t done(uint64_t seq)
{
	return INTEL_RXD_DD | (ends(seq) ? INTEL_RXD_EOP : 0) | INTEL_RXD_VP |
	       (uint64_t)len_of(seq) << 32 | (uint64_t)(uint16_t)seq << 48;
}

static unsigned device_rx(void)
{
	unsigned n = (tail(&bed.rdt) + SIZE - bed.rx_head) % SIZE;

	n = weir_min_u(n, 1 + hash_of(bed.made) % 9);
	n = (unsigned)(bed.total - bed.made < n ? bed.total - bed.made : n);
	for (unsigned i = 0; i < n; i++)
		fill(&bed.rx->ring[(bed.rx_head + i) % SIZE], bed.made + i);
	for (unsigned i = 0; i < n; i++) {
		/* Backwards, as often as not. */
		unsigned k = bed.made & 1 ? i : n - 1 - i;

		__atomic_thread_fence(__ATOMIC_RELEASE);
		bed.rx->ring[(bed.rx_head + k) % SIZE].wb.status = weir_le64(done(bed.made + k));
	}
	bed.rx_head = (bed.rx_head + n) % SIZE;
	bed.made += n;
	return n;
}

/* Some of what it was given: it is late. */
static unsigned device_tx(void)
{
	unsigned n = (tail(&bed.tdt) + SIZE - bed.tx_head) % SIZE;

	n = weir_min_u(n, 1 + hash_of(bed.made + bed.sent) % 12);
	for (unsigned i = 0; i < n; i++, bed.tx_head = (bed.tx_head + 1) % SIZE) {
		volatile struct intel_tx_desc *d = &bed.tx->ring[bed.tx_head];
		uint64_t hi = weir_from_le64(d->hi);

		if ((hi & UINT16_MAX) != len_of(bed.sent))
			bed.wrong = "length sent";
		if (*data_at(weir_from_le64(d->lo)) != bed.sent++)
			bed.wrong = "data sent";
		__atomic_thread_fence(__ATOMIC_RELEASE);
		if (hi & INTEL_TXD_RS)
			d->hi = weir_le64(INTEL_TXD_DD);
	}
	return n;
}

static void *device(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&bed.end, __ATOMIC_ACQUIRE))
		if (!device_rx() + !device_tx() == 2)
			sched_yield();
	return NULL;
}

/* --- the host --- */

static void check(const struct weir_pkt *p, unsigned n, uint64_t seq)
{
	uint64_t first = seq;

	for (unsigned i = 0; i < n; i++, seq++) {
		const struct weir_pkt *head = &p[first - (seq - i)];
		uint64_t data = *(const uint64_t *)weir_pkt_data(bed.base, &p[i]);

		assert_int_equal(data, seq);
		assert_int_equal(p[i].len, len_of(seq));
		assert_int_equal(!(p[i].flags & WEIR_PKT_MORE), ends(seq));
		if (!ends(seq))
			continue;
		first = seq + 1;
		if (bed.kind == INTEL_RX_PLAIN)
			continue;
		/* What the packet's last descriptor says is in its first handle. */
		assert_int_equal(head->hash, hash_of(seq));
		assert_int_equal(head->vlan, (uint16_t)seq);
	}
	assert_int_equal(first, seq);
}

static void move(void)
{
	struct weir_pkt p[BURST];
	uint64_t seq = 0;

	while (seq < bed.total) {
		unsigned n = weir_rx(&bed.rx->q, p, 8 + hash_of(seq) % (BURST - 8)), sent = 0;

		check(p, n, seq);
		seq += n;
		for (unsigned i = 0; i < n; i++)
			p[i].flags &= WEIR_PKT_MORE;
		while (sent < n) {
			sent += weir_tx_post(&bed.tx->q, p + sent, n - sent);
			weir_tx_kick(&bed.tx->q);
			if (sent < n)
				sched_yield();
		}
		if (!n && weir_tx_reap(&bed.tx->q) + 1)
			sched_yield();
	}
	while (weir_tx_reap(&bed.tx->q))
		sched_yield();
}

static void start(const struct intel_path *path)
{
	const struct intel_kind k = { .rxe = (uint32_t)INTEL_RXD_RXE,
				      .l4e = (uint32_t)INTEL_RXD_L4E };
	static const unsigned offloads[] = {
		[INTEL_RX_META] = WEIR_OFF_RX_HASH | WEIR_OFF_RX_VLAN_STRIP,
		[INTEL_RX_JUMBO] = WEIR_OFF_RX_HASH | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_JUMBO,
	};
	struct weir_dma dma = { .va_base = bed.base, .iova_base = IOVA };

	bed.port = (struct weir_port){ .w = bed.w, .name = (char *)(uintptr_t) "race" };
	bed.port.conf = (struct weir_port_conf){
		.rx_desc = SIZE,
		.tx_desc = SIZE,
		.offloads = offloads[bed.kind],
	};
	bed.rdt = bed.tdt = 0;
	bed.rx_head = bed.tx_head = 0;
	bed.made = bed.sent = 0;
	bed.end = false;
	bed.wrong = NULL;
	assert_int_equal(intel_rxq_create(&bed.port, &dma, bed.arena, 0, &bed.rdt, &k), 0);
	assert_int_equal(intel_txq_create(&bed.port, &dma, bed.arena, 0, &bed.tdt, &k), 0);
	bed.rx = intel_rxq_of(bed.port.rxq[0]);
	bed.tx = intel_txq_of(bed.port.txq[0]);
	bed.rx->q.cache = bed.tx->q.cache = bed.cache;
	bed.rx->q.burst = path->rx[bed.kind];
	bed.tx->q.post = path->tx[0];
	assert_true(path->fill(bed.rx) > 0);
	assert_int_equal(pthread_create(&bed.thread, NULL, device, NULL), 0);
}

static void stop(void)
{
	__atomic_store_n(&bed.end, true, __ATOMIC_RELEASE);
	pthread_join(bed.thread, NULL);
	if (bed.wrong)
		fail_msg("%s: packet %llu", bed.wrong, (unsigned long long)bed.sent);
	assert_int_equal(bed.sent, bed.total);
	intel_rx_drain(bed.rx);
	intel_tx_drain(bed.tx);
	intel_rxq_destroy(&bed.port, bed.arena, 0);
	intel_txq_destroy(&bed.port, bed.arena, 0);
	assert_int_equal(bed.cache->n + weir_pool_available(bed.pool), BUFS);
}

static void test_race(void **state)
{
	const char *s = getenv("WEIR_PATTERNS");

	bed.kind = *(const enum intel_rx_kind *)*state;
	bed.total = s ? strtoull(s, NULL, 10) : 300000;
	/* The last packet must have an end. */
	while (!ends(bed.total - 1))
		bed.total++;
	for (const struct intel_path *p = intel_paths; p->name; p++) {
		if (!p->usable())
			continue;
		start(p);
		move();
		stop();
	}
}

static int setup(void **state)
{
	struct weir_opts o = { .window_size = 1ull << 30 };

	(void)state;
	assert_int_equal(weir_open(&o, &bed.w), 0);
	bed.base = weir_window(bed.w).base;
	assert_int_equal(weir_arena_create(bed.w, 4 << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES,
					   &bed.arena),
			 0);
	assert_int_equal(weir_pool_create(bed.arena, BUFS, &bed.pool), 0);
	assert_int_equal(weir_cache_create(bed.pool, &bed.cache), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_cache_destroy(bed.cache);
	assert_int_equal(weir_pool_destroy(bed.pool), 0);
	weir_arena_destroy(bed.arena);
	weir_close(bed.w);
	return 0;
}

#define K(i, name)                                                        \
	{                                                                 \
		name, test_race, NULL, NULL, (void *)(uintptr_t)&kinds[i] \
	}

int main(void)
{
	static const enum intel_rx_kind kinds[] = { INTEL_RX_PLAIN, INTEL_RX_META, INTEL_RX_JUMBO };
	const struct CMUnitTest tests[] = { K(0, "plain"), K(1, "offloads"), K(2, "jumbo") };

	return cmocka_run_group_tests(tests, setup, teardown);
}
