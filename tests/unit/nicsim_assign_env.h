/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port of the library with two tenants in this thread, and the simulated NIC that it drives by
 * vfio-user in another; calls of both can be made to fail.
 */
#ifndef WEIR_TESTS_NICSIM_ASSIGN_ENV_H
#define WEIR_TESTS_NICSIM_ASSIGN_ENV_H

#include "apps/nicsim/summary.h"
#include "apps/nicsim/vuser.h"
#include "apps/nicsim/wire.h"
#include "nics/nics.h"
#include "sweep.h"

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define TENANTS 2
#define PAIRS	3 /* the device's own, and one for each tenant */
#define BUFS	512
#define DESC	64
#define SENT	64
#define LEN	300u

/* --- failing the n-th call --- */

SWEEP_WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
SWEEP_WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *m, int f), (fd, m, f))
SWEEP_WRAP(int, -sweep.error, dma_pasid_add, (struct dma * d, uint32_t p), (d, p))
SWEEP_WRAP(int, -sweep.error, dma_pasid_del, (struct dma * d, uint32_t p), (d, p))
SWEEP_WRAP(int, -sweep.error, dma_unmap, (struct dma * d, uint64_t a, uint64_t n), (d, a, n))
SWEEP_WRAP(int, -sweep.error, dma_map,
	   (struct dma * d, uint64_t a, uint64_t n, unsigned p, int fd, uint64_t o),
	   (d, a, n, p, fd, o))

/* --- the NIC, in a thread of its own --- */

static struct server {
	struct weir *w;
	struct vu *vu;
	struct wire wire;
	char path[64], dev[80];
	pthread_t thread;
	pthread_mutex_t lock; /* held over each pass */
	bool stop;
	uint8_t sent[SENT][2048];
	unsigned n_sent;
} server;

static bool on_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	(void)wire;
	memcpy(server.sent[server.n_sent++ % SENT], f, weir_min_u(len, 2048));
	return true;
}

static const struct wire_ops wire_ops = { .prefix = "test:", .send = on_send };

static void *serve(void *arg)
{
	(void)arg;
	for (bool stop = false; !stop; sched_yield()) {
		pthread_mutex_lock(&server.lock);
		if (vu_accept(server.vu)) {
			nic_poll(&server.vu->nic, 64);
			vu_poll(server.vu);
		}
		stop = server.stop;
		pthread_mutex_unlock(&server.lock);
	}
	return NULL;
}

static struct nic *nic_hold(void)
{
	pthread_mutex_lock(&server.lock);
	return &server.vu->nic;
}

static inline void nic_let_go(void)
{
	pthread_mutex_unlock(&server.lock);
}

static uint64_t faults(void)
{
	uint64_t n = nic_hold()->dma.faults;

	nic_let_go();
	return n;
}

static unsigned pasids(void)
{
	unsigned n = nic_hold()->dma.n_pasids;

	nic_let_go();
	return n;
}

static inline void server_start(unsigned bits)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 4 };

	memset(&server, 0, sizeof(server));
	server.w = unit_weir();
	snprintf(server.path, sizeof(server.path), "/tmp/nicsim-assign-%d.sock", (int)getpid());
	snprintf(server.dev, sizeof(server.dev), "vfio-user:%s", server.path);
	assert_int_equal(vu_open(server.w, server.path, 4, mac, &server.vu), 0);
	if (bits)
		vu_set_pasid(server.vu, bits);
	server.wire.ops = &wire_ops;
	server.vu->nic.wire = &server.wire;
	pthread_mutex_init(&server.lock, NULL);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static inline void server_stop(void)
{
	nic_hold();
	server.stop = true;
	nic_let_go();
	pthread_join(server.thread, NULL);
	server.vu->nic.wire = NULL;
	vu_close(server.vu);
	weir_close(server.w);
}

/* From now on calls of this thread, or of the NIC's, count. */
static inline void fail_begin(const char *kind, bool in_server, int err, unsigned fail)
{
	nic_hold();
	sweep_begin(&(struct sweep_kind){ kind, err }, fail);
	sweep.others = in_server;
	sweep.on = true;
	nic_let_go();
}

static inline void fail_end(void)
{
	nic_hold();
	sweep.on = false;
	nic_let_go();
}

/* --- the driver's side --- */

struct tenant {
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_ioas *as;
	struct weir_assign a;
};

static struct client {
	struct weir *w;
	struct weir_iommu *iommu;
	struct weir_port *port;
	struct tenant own, t[TENANTS];
} c;

static inline void memory(struct tenant *t, unsigned flags)
{
	assert_int_equal(weir_pool_arena(c.w, BUFS, 1u << 20, WEIR_NODE_ANY,
					 flags | WEIR_ARENA_SMALL_PAGES, &t->arena),
			 0);
	assert_int_equal(weir_pool_create(t->arena, BUFS, &t->pool), 0);
	assert_int_equal(weir_cache_create(t->pool, &t->cache), 0);
}

static struct weir_port_conf conf(void)
{
	struct weir_port_conf k = {
		.n_rxq = PAIRS,
		.n_txq = PAIRS,
		.rx_desc = DESC,
		.tx_desc = DESC,
		.promisc = true,
		.arena = c.own.arena,
	};

	for (unsigned i = 0; i < TENANTS; i++)
		k.queue_arena[i + 1] = c.t[i].arena;
	return k;
}

static inline void client_open(void)
{
	struct weir_port_conf k;

	memset(&c, 0, sizeof(c));
	c.w = unit_weir();
	assert_int_equal(weir_iommu_open(c.w, &c.iommu), 0);
	memory(&c.own, 0);
	for (unsigned i = 0; i < TENANTS; i++) {
		memory(&c.t[i], WEIR_ARENA_PRIVATE);
		assert_int_equal(weir_ioas_create(c.iommu, WEIR_MODE_VFIO_USER, &c.t[i].as), 0);
	}
	assert_int_equal(weir_port_open(c.iommu, server.dev, NULL, &c.port), 0);
	k = conf();
	assert_int_equal(weir_port_configure(c.port, &k), 0);
}

static inline void memory_end(struct tenant *t)
{
	weir_cache_destroy(t->cache);
	assert_int_equal(weir_pool_destroy(t->pool), 0);
	weir_arena_destroy(t->arena);
}

static inline void client_close(void)
{
	weir_port_stop(c.port);
	for (unsigned i = TENANTS; i--;)
		weir_queue_release(&c.t[i].a);
	weir_port_close(c.port);
	for (unsigned i = 0; i < TENANTS; i++)
		assert_int_equal(weir_ioas_destroy(c.t[i].as), 0);
	weir_iommu_close(c.iommu);
	for (unsigned i = 0; i < TENANTS; i++)
		memory_end(&c.t[i]);
	memory_end(&c.own);
	weir_close(c.w);
}

static inline int assign(unsigned i, unsigned flags)
{
	return weir_queue_assign(c.port, i + 1, c.t[i].as, c.t[i].arena, flags, &c.t[i].a);
}

static inline void caches_and_start(void)
{
	assert_int_equal(weir_port_queue_cache(c.port, 0, c.own.cache), 0);
	for (unsigned i = 0; i < TENANTS; i++)
		assert_int_equal(weir_port_queue_cache(c.port, i + 1, c.t[i].cache), 0);
	assert_int_equal(weir_port_start(c.port), 0);
}

static inline int setup(void **state)
{
	(void)state;
	server_start(20);
	client_open();
	return 0;
}

static inline int setup_running(void **state)
{
	setup(state);
	for (unsigned i = 0; i < TENANTS; i++)
		assert_int_equal(assign(i, 0), 0);
	caches_and_start();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	client_close();
	assert_int_equal(pasids(), 0);
	server_stop();
	return 0;
}

/* --- traffic --- */

static inline void make_frame(uint8_t *f, unsigned seed)
{
	memset(f, 0, LEN);
	memcpy(f, "\2\0\0\0\0\4\2\0\0\0\0\1\10\0\x45", 15);
	net_put16(f + 16, LEN - 14);
	f[23] = NET_UDP;
	net_put32(f + 26, 0x0A000001);
	net_put32(f + 30, 0x0A000002);
	for (unsigned i = 42; i < LEN; i++)
		f[i] = (uint8_t)(seed * 31 + i);
}

/* All frames to one pair from now on, by the redirection table. */
static inline void steer(unsigned q)
{
	struct weir_rss rss;

	assert_int_equal(weir_port_rss_get(c.port, &rss), 0);
	for (unsigned i = 0; i < rss.reta_len; i++)
		rss.reta[i] = (uint16_t)q;
	assert_int_equal(weir_port_rss_set(c.port, &rss), 0);
}

static enum rx_result arrive(unsigned q, const uint8_t *f)
{
	enum rx_result r;

	steer(q);
	r = nic_rx(nic_hold(), f, LEN, false);
	nic_let_go();
	return r;
}

static inline void settle(void)
{
	struct nic *n = nic_hold();

	for (unsigned i = 0; i < 4; i++)
		nic_poll(n, 64);
	nic_let_go();
}

/* A frame comes in at @q and goes out there. */
static inline void forward(unsigned q, unsigned seed)
{
	struct weir_pkt p;
	uint8_t f[LEN];

	make_frame(f, seed);
	assert_int_equal(arrive(q, f), RX_DONE);
	assert_int_equal(weir_rx(c.port->rxq[q], &p, 1), 1);
	assert_int_equal(p.len, LEN);
	assert_int_equal(weir_tx_post(c.port->txq[q], &p, 1), 1);
	weir_tx_kick(c.port->txq[q]);
	server.n_sent = 0;
	settle();
	assert_int_equal(server.n_sent, 1);
	assert_memory_equal(server.sent[0], f, LEN);
	assert_int_equal(weir_tx_reap(c.port->txq[q]), 0);
}

#endif
