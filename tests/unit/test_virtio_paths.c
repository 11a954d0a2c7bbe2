/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All rows of virtio_paths[] do the same to the last byte. Twins, one for each row that this
 * processor can run, get the same packets to send and see the same device: well-behaved, out of
 * order, or hostile. After each call everything is compared: what came back, counters, rings, and
 * what the driver remembers.
 *
 * A device here is what its owner writes into memory, decided on the first twin's and written to
 * all. WEIR_PATTERNS in the environment is how many used descriptors it writes (see main()).
 */
#include "unit.h"

#include "nics/virtio/virtio_ring.h"

#define MAX_TWINS 4
#define BUFS	  1500
#define IOVA	  0x240000000ull
#define MOST	  96

struct area {
	uint8_t *desc, *driver, *device;
	unsigned size;
};

struct twin {
	struct virtio_transport t;
	const struct virtio_path *path;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_port *port;
	struct area q[2];
	uint64_t offered;
	uint8_t status;
	unsigned kicks;
};

/* What kind of device it is; a row of the test's table. */
struct kind {
	bool packed, in_order, csum;
	unsigned size;
};

enum mood { GOOD, ODD_LENGTHS, RUDE, HOSTILE };

static struct twin twin[MAX_TWINS];
static unsigned n_twins;
static const struct kind *kind;
static uint64_t seed, patterns, failures, packets;
/* This life: buffers are used in any order; packets to send are of any kind. */
static bool shuffled, dressed;

/* The device's place in either ring, and buffers it has taken and not used yet (split: heads). */
static struct {
	uint16_t avail, used;
	uint16_t held[1024];
	uint16_t descs[1024];
	unsigned n;
} dev[2];

static uint32_t rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 11) % n);
}

/* --- transport: nothing behind it --- */

static struct twin *of(struct virtio_transport *t)
{
	return weir_container_of(t, struct twin, t);
}

static int t_reset(struct virtio_transport *t)
{
	of(t)->status = 0;
	return 0;
}

static int t_status(struct virtio_transport *t)
{
	return of(t)->status;
}

static void t_set_status(struct virtio_transport *t, uint8_t s)
{
	of(t)->status = s;
}

static int t_features(struct virtio_transport *t, uint64_t *f)
{
	*f = of(t)->offered;
	return 0;
}

static int t_set_features(struct virtio_transport *t, uint64_t f)
{
	assert_int_equal(f & ~of(t)->offered, 0);
	return 0;
}

static int t_config(struct virtio_transport *t, unsigned off, void *buf, unsigned len)
{
	(void)t;
	(void)off;
	memset(buf, 2, len);
	return 0;
}

static unsigned t_size(struct virtio_transport *t, unsigned i)
{
	(void)t;
	return i < 2 ? 1024 : 0;
}

static int t_enable(struct virtio_transport *t, const struct virtio_queue_conf *qc,
		    volatile void **doorbell)
{
	of(t)->q[qc->index] = (struct area){
		.desc = qc->desc, .driver = qc->driver, .device = qc->device, .size = qc->size
	};
	*doorbell = NULL;
	return 0;
}

static void t_kick(struct virtio_transport *t, unsigned i)
{
	(void)i;
	of(t)->kicks++;
}

static int t_dma(struct virtio_transport *t, bool on)
{
	(void)t;
	(void)on;
	return 0;
}

static int t_vectors(struct virtio_transport *t)
{
	(void)t;
	return 0;
}

static void t_close(struct virtio_transport *t)
{
	(void)t;
}

static const struct virtio_transport_ops ops = {
	.reset = t_reset,
	.status = t_status,
	.set_status = t_set_status,
	.features = t_features,
	.set_features = t_set_features,
	.config_read = t_config,
	.queue_size = t_size,
	.queue_enable = t_enable,
	.kick = t_kick,
	.set_dma = t_dma,
	.max_vectors = t_vectors,
	.close = t_close,
};

/* --- the device's side of memory: read in the first twin, written in all --- */

static uint64_t get(const uint8_t *p, unsigned len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return v;
}

static void put(unsigned q, size_t at, uint64_t v, unsigned len)
{
	for (unsigned i = 0; i < n_twins; i++) {
		uint8_t *area = kind->packed ? twin[i].q[q].desc : twin[i].q[q].device;

		memcpy(area + at, &v, len);
	}
}

static const struct area *mem(unsigned q)
{
	return &twin[0].q[q];
}

static bool take_split(unsigned q)
{
	const struct area *a = mem(q);
	unsigned mask = a->size - 1, n = 1;
	uint16_t id;

	if (dev[q].avail == (uint16_t)get(a->driver + 2, 2))
		return false;
	id = (uint16_t)get(a->driver + 4 + 2 * (dev[q].avail++ & mask), 2);
	assert_true(id < a->size);
	dev[q].held[dev[q].n] = id;
	while (get(a->desc + id * 16 + 12, 2) & VIRTQ_DESC_F_NEXT) {
		id = (uint16_t)get(a->desc + id * 16 + 14, 2);
		assert_true(id < a->size && n++ < a->size);
	}
	dev[q].descs[dev[q].n++] = 1;
	return true;
}

static bool take_packed(unsigned q)
{
	const struct area *a = mem(q);
	unsigned mask = a->size - 1, n = 0;
	uint16_t flags = VIRTQ_DESC_F_NEXT;

	while (flags & VIRTQ_DESC_F_NEXT) {
		const uint8_t *d = a->desc + (dev[q].avail & mask) * 16;
		bool lap = !(dev[q].avail & a->size);

		flags = (uint16_t)get(d + 14, 2);
		if (!!(flags & PVIRTQ_DESC_F_AVAIL) != lap || !!(flags & PVIRTQ_DESC_F_USED) == lap)
			return false;
		dev[q].held[dev[q].n] = (uint16_t)get(d + 12, 2);
		dev[q].avail++;
		n++;
	}
	dev[q].descs[dev[q].n++] = (uint16_t)n;
	return true;
}

/* One used descriptor, of any content. */
static void use(unsigned q, uint32_t id, uint32_t len, unsigned descs, uint16_t wrong_flags)
{
	unsigned size = mem(q)->size, at = dev[q].used & (size - 1);

	patterns++;
	if (kind->packed) {
		uint16_t f = dev[q].used & size ? 0 : PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED;

		put(q, at * 16 + 8, len, 4);
		put(q, at * 16 + 12, id, 2);
		put(q, at * 16 + 14, f ^ wrong_flags, 2);
	} else {
		put(q, 4 + at * 8, id, 4);
		put(q, 8 + at * 8, len, 4);
		put(q, 2, (uint16_t)(dev[q].used + 1 + wrong_flags), 2);
	}
	dev[q].used = (uint16_t)(dev[q].used + descs);
}

static uint32_t odd_length(void)
{
	static const uint32_t some[] = { 0,	  1,	       11,	   12,	    25,
					 26,	  2059,	       2060,	   2061,    0x10000,
					 0x1000a, 0x80000000u, UINT32_MAX, 0x1001a, 0x7fffffff };

	return some[rnd(WEIR_ARRAY_SIZE(some))];
}

/* Also ids that differ in one bit from the right one. */
static uint32_t odd_id(unsigned q, uint32_t right)
{
	switch (rnd(4)) {
	case 0:
		return mem(q)->size + rnd(3);
	case 1:
		return right ^ 1u << rnd(32);
	case 2:
		return UINT32_MAX - rnd(2);
	default:
		return rnd(mem(q)->size);
	}
}

/* Use one of the buffers that are held, as the mood is. */
static void use_one(unsigned q, enum mood mood)
{
	unsigned i = shuffled && !kind->in_order && !rnd(4) ? rnd(dev[q].n) : 0;
	uint32_t id = dev[q].held[i], len = q ? 0 : 26 + rnd(rnd(8) ? 100 : 2035);
	unsigned descs = dev[q].descs[i], chance = mood == HOSTILE ? 40 : 400;
	static const uint16_t flags[] = { PVIRTQ_DESC_F_AVAIL, PVIRTQ_DESC_F_USED,
					  PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED };
	uint16_t wrong = 0;

	dev[q].n--;
	memmove(&dev[q].held[i], &dev[q].held[i + 1], (dev[q].n - i) * sizeof(dev[q].held[0]));
	memmove(&dev[q].descs[i], &dev[q].descs[i + 1], (dev[q].n - i) * sizeof(dev[q].descs[0]));
	if (mood != GOOD && !rnd(30))
		len = odd_length();
	if (mood >= RUDE && !rnd(chance))
		id = odd_id(q, id);
	if (mood >= RUDE && !rnd(chance))
		wrong = rnd(2) ? flags[rnd(3)] : (uint16_t)rnd(0x10000);
	use(q, id, len, descs, wrong);
}

/* In order, one notice may stand for several; for buffers to transmit, whose lengths are nothing. */
static void use_batch(unsigned k)
{
	unsigned descs = 0;

	for (unsigned i = 0; i < k; i++)
		descs += dev[1].descs[i];
	if (kind->packed) {
		use(1, dev[1].held[k - 1], 0, descs, 0);
	} else {
		dev[1].used = (uint16_t)(dev[1].used + k - 1);
		use(1, dev[1].held[k - 1], 0, 1, 0);
	}
	dev[1].n -= k;
	memmove(&dev[1].held[0], &dev[1].held[k], dev[1].n * sizeof(dev[1].held[0]));
	memmove(&dev[1].descs[0], &dev[1].descs[k], dev[1].n * sizeof(dev[1].descs[0]));
}

static void device(unsigned q, enum mood mood)
{
	unsigned n = rnd(rnd(3) ? 40 : 6);
	static bool quiet;

	while (dev[q].n < 1000 && (kind->packed ? take_packed(q) : take_split(q)))
		;
	n = weir_min_u(n, dev[q].n);
	if (q && kind->in_order && n && rnd(2)) {
		use_batch(n);
		return;
	}
	while (n--)
		use_one(q, mood);
	/* Whether it wants to be told. */
	quiet = !rnd(8) ? !quiet : quiet;
	for (unsigned i = 0; i < n_twins; i++)
		twin[i].q[q].device[kind->packed ? 2 : 0] = quiet;
}

/* --- comparing --- */

static struct virtio_net *net(unsigned i)
{
	return virtio_net_of(twin[i].port);
}

static void same_bytes(const void *a, const void *b, size_t len, const char *what, unsigned i)
{
	if (memcmp(a, b, len))
		fail_msg("%s: %s differs from %s after %llu patterns", what, twin[i].path->name,
			 twin[0].path->name, (unsigned long long)patterns);
}

static void same_ring(const struct virtio_vq *a, const struct virtio_vq *b, unsigned i)
{
	unsigned n = vq_size(a);

	assert_int_equal(a->posted, b->posted);
	assert_int_equal(a->done, b->done);
	assert_int_equal(a->avail_idx, b->avail_idx);
	assert_int_equal(a->used_idx, b->used_idx);
	assert_int_equal(a->odd, b->odd);
	assert_int_equal(a->chains, b->chains);
	same_bytes(vq_ids(a), vq_ids(b), 3 * n * sizeof(uint16_t), "ids", i);
	for (uint16_t k = a->done; k != a->posted; k++)
		assert_int_equal(a->buf[k & a->mask], b->buf[k & a->mask]);
	same_bytes(a->desc, b->desc, n * 16, "descriptors", i);
	if (!a->packed)
		same_bytes(a->avail, b->avail, 4 + 2 * n, "available ring", i);
}

/* A ring's ids are a permutation, its places the inverse, and odd counts what is not in its place. */
static void sound(const struct virtio_vq *vq)
{
	unsigned odd = 0;

	for (unsigned i = 0; i < vq_size(vq); i++) {
		assert_int_equal(vq_places(vq)[vq_ids(vq)[i]], i);
		odd += vq_ids(vq)[i] != i;
	}
	assert_int_equal(odd, vq->odd);
}

static void same_all(void)
{
	struct virtio_net *v = net(0);

	for (unsigned i = 1; i < n_twins; i++) {
		struct virtio_net *o = net(i);

		same_ring(&v->rx[0].vq, &o->rx[0].vq, i);
		same_ring(&v->tx[0].vq, &o->tx[0].vq, i);
		same_bytes(&v->rx[0].base.stats, &o->rx[0].base.stats, sizeof(struct weir_qstats),
			   "rx counters", i);
		same_bytes(&v->tx[0].base.stats, &o->tx[0].base.stats, sizeof(struct weir_qstats),
			   "tx counters", i);
		assert_int_equal(v->tx[0].segs, o->tx[0].segs);
		assert_int_equal(virtio_failed(&v->port), virtio_failed(&o->port));
		assert_int_equal(twin[0].kicks, twin[i].kicks);
		assert_int_equal(twin[0].cache->n, twin[i].cache->n);
		same_bytes(twin[0].cache->buf, twin[i].cache->buf,
			   twin[0].cache->n * sizeof(uint32_t), "cache", i);
	}
}

/* --- the host's side --- */

static void receive(struct weir_pkt *p, unsigned *have)
{
	unsigned want = 1 + rnd(64), got = 0;
	struct weir_pkt other[64];

	want = weir_min_u(want, MOST - *have);
	for (unsigned i = 0; i < n_twins; i++) {
		struct weir_pkt *to = i ? other : p + *have;
		unsigned n = weir_rx(twin[i].port->rxq[0], to, want);

		if (!i)
			got = n;
		assert_int_equal(n, got);
		same_bytes(p + *have, to, n * sizeof(*to), "received", i);
	}
	*have += got;
	packets += got;
}

/* What an application might do to a packet before it sends it, wrong things too. */
static void dress(struct weir_pkt *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		p[i].flags = 0;
		p[i].txo.mss = 0;
		switch (rnd(60)) {
		case 0:
			p[i].off = (uint16_t)rnd(VIRTIO_HDR_ROOM + 1);
			break;
		case 1:
			p[i].len = (uint16_t)rnd(WEIR_ETH_HLEN + 1);
			break;
		case 2:
			p[i].len = (uint16_t)(1510 + rnd(20));
			break;
		case 3:
			p[i].flags = i + 1 < n ? WEIR_PKT_MORE : 0;
			break;
		case 4:
			p[i].off = (uint16_t)(WEIR_BUF_SIZE - p[i].len - 2 + rnd(4));
			break;
		case 5:
			p[i].flags = WEIR_PKT_TX_TCP_CSUM;
			p[i].txo.l2_len = 14;
			p[i].txo.l3_len = 20;
			break;
		default:
			break;
		}
	}
}

static void transmit(struct weir_pkt *p, unsigned *have)
{
	unsigned n = weir_min_u(1 + rnd(64), *have), took = 0;

	if (!n)
		return;
	if (dressed)
		dress(p, n);
	for (unsigned i = 0; i < n_twins; i++) {
		unsigned k = weir_tx_post(twin[i].port->txq[0], p, n);

		if (!i)
			took = k;
		assert_int_equal(k, took);
		weir_tx_kick(twin[i].port->txq[0]);
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

static void start(unsigned i)
{
	struct weir_port_conf c = { .rx_desc = kind->size,
				    .tx_desc = kind->size,
				    .offloads = kind->csum ? WEIR_OFF_TX_CSUM : 0,
				    .arena = twin[i].arena };

	assert_int_equal(virtio_make(&twin[i].t, "twin", &twin[i].port), 0);
	net(i)->path = twin[i].path;
	assert_int_equal(weir_port_configure(twin[i].port, &c), 0);
	assert_int_equal(weir_port_queue_cache(twin[i].port, 0, twin[i].cache), 0);
	assert_int_equal(weir_port_start(twin[i].port), 0);
}

/* All buffers are back after whatever the device did; then anew, in the same order in all. */
static void restart(void)
{
	memset(dev, 0, sizeof(dev));
	for (unsigned i = 0; i < n_twins; i++) {
		weir_port_close(twin[i].port);
		twin[i].port = NULL;
		weir_cache_destroy(twin[i].cache);
		twin[i].cache = NULL;
		assert_int_equal(weir_pool_available(twin[i].pool), BUFS);
		assert_int_equal(weir_pool_destroy(twin[i].pool), 0);
		assert_int_equal(weir_arena_info(twin[i].arena).used, 0);
		assert_int_equal(weir_pool_create(twin[i].arena, BUFS, &twin[i].pool), 0);
		assert_int_equal(weir_cache_create(twin[i].pool, &twin[i].cache), 0);
		start(i);
	}
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
	memset(dev, 0, sizeof(dev));
	n_twins = 0;
	for (const struct virtio_path *p = virtio_paths; p->name; p++) {
		struct twin *t = &twin[n_twins];

		if (!p->usable())
			continue;
		assert_true(n_twins < MAX_TWINS);
		assert_int_equal(weir_open(&o, &t->t.w), 0);
		assert_int_equal(weir_arena_create(t->t.w, 16 << 20, WEIR_NODE_ANY,
						   WEIR_ARENA_SMALL_PAGES, &t->arena),
				 0);
		t->path = p;
		t->t.ops = &ops;
		t->t.name = "twin";
		t->t.dma =
			(struct weir_dma){ .va_base = weir_window(t->t.w).base, .iova_base = IOVA };
		t->offered = VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
			     (kind->packed ? VIRTIO_F_RING_PACKED : 0) |
			     (kind->in_order ? VIRTIO_F_IN_ORDER : 0) |
			     (kind->csum ? VIRTIO_NET_F_CSUM : 0);
		t->offered |= VIRTIO_NET_F_MAC;
		assert_int_equal(weir_pool_create(t->arena, BUFS, &t->pool), 0);
		assert_int_equal(weir_cache_create(t->pool, &t->cache), 0);
		start(n_twins++);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < n_twins; i++) {
		weir_port_close(twin[i].port);
		weir_cache_destroy(twin[i].cache);
		assert_int_equal(weir_pool_destroy(twin[i].pool), 0);
		weir_arena_destroy(twin[i].arena);
		weir_close(twin[i].t.w);
	}
	return 0;
}

/* --- tests --- */

static uint64_t wanted(void)
{
	const char *s = getenv("WEIR_PATTERNS");

	return s ? strtoull(s, NULL, 10) : 1000000;
}

/* One life of the ports: until the device has done something that ends them, or for a while. */
static void episode(enum mood mood, uint64_t until)
{
	struct weir_pkt p[MOST];
	unsigned have = 0;

	shuffled = rnd(2);
	dressed = rnd(2);
	for (unsigned i = 0; i < (mood < RUDE ? 20 : 400) && patterns < until; i++) {
		device(0, mood);
		receive(p, &have);
		if (rnd(4))
			transmit(p, &have);
		device(1, mood);
		if (!rnd(4)) {
			for (unsigned k = 0; k < n_twins; k++)
				weir_tx_reap(twin[k].port->txq[0]);
		}
		if (have > MOST - 8 || !rnd(20)) {
			give_back(p, have);
			have = 0;
		}
		same_all();
		if (virtio_failed(twin[0].port)) {
			failures++;
			break;
		}
	}
	sound(&net(0)->rx[0].vq);
	sound(&net(0)->tx[0].vq);
	give_back(p, have);
}

static void test_same(void **state)
{
	uint64_t began = patterns, until = patterns + wanted() / 8, failed = failures;

	(void)state;
	packets = 0;
	for (unsigned i = 0; patterns < until; i++) {
		episode((enum mood)(i % 4), until);
		restart();
	}
	assert_true(packets > (until - began) / 4);
	/* Some of it must have been more than a driver can take. */
	assert_true(failures > failed + (until - began) / 2500);
}

static const struct kind kinds[] = {
	{ .size = 64 },
	{ .size = 256, .csum = true },
	{ .size = 64, .in_order = true },
	{ .size = 512, .in_order = true, .csum = true },
	{ .size = 64, .packed = true },
	{ .size = 256, .packed = true, .csum = true },
	{ .size = 64, .packed = true, .in_order = true },
	{ .size = 512, .packed = true, .in_order = true, .csum = true },
};

#define K(i, name)                                                  \
	{                                                           \
		name, test_same, setup, teardown, (void *)&kinds[i] \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		K(0, "split"),
		K(1, "split, 256, csum"),
		K(2, "split, in order"),
		K(3, "split, in order, 512, csum"),
		K(4, "packed"),
		K(5, "packed, 256, csum"),
		K(6, "packed, in order"),
		K(7, "packed, in order, 512, csum"),
	};

	print_message("# rows:");
	for (const struct virtio_path *p = virtio_paths; p->name; p++)
		print_message(" %s%s", p->name, p->usable() ? "" : " (not on this processor)");
	print_message("\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
