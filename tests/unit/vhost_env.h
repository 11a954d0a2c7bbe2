/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both ends of vhost-user in one process: a vhost: port on one handle, a vhost-user: port on
 * another, each with memory of its own. The back end is served by a thread where the front end waits
 * for answers, and by the test itself elsewhere.
 */
#ifndef WEIR_TESTS_VHOST_ENV_H
#define WEIR_TESTS_VHOST_ENV_H

#include "unit.h"

#include "core/clock.h"
#include "core/io.h"
#include "nics/nics.h"

#include <pthread.h>
#include <unistd.h>

#define ENV_BUFS 1024

struct env_side {
	struct weir *w;
	struct weir_iommu *iommu;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_port *port;
	char ids[512]; /* of all that was said, newest last */
};

struct env {
	char path[64];
	struct env_side be, fe;
	pthread_t thread;
	bool serving;
	int stop;
};

static inline void env_log(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct env_side *s = arg;
	size_t n;

	pthread_mutex_lock(&lock);
	n = strlen(s->ids);
	if (n > sizeof(s->ids) - 64)
		n = 0;
	snprintf(s->ids + n, sizeof(s->ids) - n, "%s ", id);
	unit_log(NULL, level, id, msg);
	pthread_mutex_unlock(&lock);
}

static inline void env_side_open(struct env_side *s)
{
	struct weir_opts o = { .log = env_log, .log_arg = s, .window_size = 1u << 30 };

	assert_int_equal(weir_open(&o, &s->w), 0);
	assert_int_equal(
		weir_arena_create(s->w, 8u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &s->arena),
		0);
	assert_int_equal(weir_pool_create(s->arena, ENV_BUFS, &s->pool), 0);
	assert_int_equal(weir_cache_create(s->pool, &s->cache), 0);
	assert_int_equal(weir_iommu_open(s->w, &s->iommu), 0);
}

/* Whatever a test did: every buffer is back, and every ring. */
static inline void env_side_close(struct env_side *s)
{
	weir_port_close(s->port);
	weir_iommu_close(s->iommu);
	weir_cache_destroy(s->cache);
	assert_int_equal(weir_pool_available(s->pool), ENV_BUFS);
	assert_int_equal(weir_pool_destroy(s->pool), 0);
	assert_int_equal(weir_arena_info(s->arena).used, 0);
	weir_arena_destroy(s->arena);
	weir_close(s->w);
	memset(s, 0, sizeof(*s));
}

static inline int env_port(struct env_side *s, const char *scheme, const char *path,
			   const char *opts, const struct weir_port_conf *conf)
{
	struct weir_port_conf c = *conf;
	char dev[160];
	int err;

	snprintf(dev, sizeof(dev), "%s:%s%s", scheme, path, opts);
	err = weir_port_open(s->iommu, dev, NULL, &s->port);
	if (err) {
		s->port = NULL;
		return err;
	}
	c.arena = s->arena;
	err = weir_port_configure(s->port, &c);
	for (unsigned q = 0; !err && (q < c.n_rxq || q < c.n_txq || q < 1); q++)
		err = weir_port_queue_cache(s->port, q, s->cache);
	return err ? err : weir_port_start(s->port);
}

static inline void *env_serve(void *arg)
{
	struct env *e = arg;

	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE)) {
		weir_port_service(e->be.port);
		weir_sleep_us(200);
	}
	return NULL;
}

static inline void env_serving(struct env *e, bool on)
{
	if (on == e->serving)
		return;
	e->serving = on;
	__atomic_store_n(&e->stop, !on, __ATOMIC_RELEASE);
	if (on)
		assert_int_equal(pthread_create(&e->thread, NULL, env_serve, e), 0);
	else
		pthread_join(e->thread, NULL);
}

static inline void env_begin(struct env *e)
{
	static unsigned count;

	memset(e, 0, sizeof(*e));
	unit_hush();
	snprintf(e->path, sizeof(e->path), "/tmp/weir-vhost-%d-%u", (int)getpid(), count++);
	env_side_open(&e->be);
	env_side_open(&e->fe);
}

static inline void env_end(struct env *e)
{
	/* The front end says goodbye, and waits for answers. */
	if (e->be.port)
		env_serving(e, true);
	weir_port_close(e->fe.port);
	e->fe.port = NULL;
	env_serving(e, false);
	env_side_close(&e->fe);
	env_side_close(&e->be);
	assert_int_not_equal(access(e->path, F_OK), 0);
}

static inline void env_back(struct env *e, const char *opts, const struct weir_port_conf *conf)
{
	assert_int_equal(env_port(&e->be, "vhost", e->path, opts, conf), 0);
}

static inline int env_front(struct env *e, const char *opts, const struct weir_port_conf *conf)
{
	int err;

	env_serving(e, true);
	err = env_port(&e->fe, "vhost-user", e->path, opts, conf);
	env_serving(e, false);
	return err;
}

/* A packet of @segs segments, @len bytes in all; its bytes follow from @seed. */
static inline void env_packet(struct env_side *s, struct weir_pkt *p, unsigned segs, unsigned len,
			      unsigned seed)
{
	uint32_t bufs[WEIR_MAX_SEGS];
	unsigned at = 0;

	assert_int_equal(weir_buf_alloc(s->cache, bufs, segs), segs);
	for (unsigned i = 0; i < segs; i++) {
		unsigned n = i + 1 < segs ? len / segs : len - at;
		uint8_t *d;

		p[i] = (struct weir_pkt){ .buf = bufs[i],
					  .off = WEIR_BUF_HEADROOM,
					  .len = (uint16_t)n,
					  .flags = i + 1 < segs ? WEIR_PKT_MORE : 0 };
		d = weir_pkt_data(weir_window(s->w).base, &p[i]);
		for (unsigned k = 0; k < n; k++, at++)
			d[k] = (uint8_t)(seed + at * 7);
	}
}

/* Check one packet of @n segments at most. Return: its segments. */
static inline unsigned env_check(struct env_side *s, const struct weir_pkt *p, unsigned n,
				 unsigned len, unsigned seed)
{
	unsigned segs = weir_pkt_segs(p, n), at = 0;

	assert_true(segs > 0);
	for (unsigned i = 0; i < segs; i++) {
		const uint8_t *d = weir_pkt_data(weir_window(s->w).base, &p[i]);

		for (unsigned k = 0; k < p[i].len; k++, at++)
			assert_int_equal(d[k], (uint8_t)(seed + at * 7));
	}
	assert_int_equal(at, len);
	return segs;
}

/* One packet from @from to @to over queue @q, and a look at what comes. */
static inline void env_pass(struct env_side *from, struct env_side *to, unsigned q, unsigned segs,
			    unsigned len, unsigned seed)
{
	struct weir_pkt p[WEIR_MAX_SEGS], got[WEIR_MAX_SEGS];
	unsigned n;

	env_packet(from, p, segs, len, seed);
	assert_int_equal(weir_tx_post(from->port->txq[q], p, segs), segs);
	weir_tx_kick(from->port->txq[q]);
	n = weir_rx(to->port->rxq[q], got, WEIR_MAX_SEGS);
	assert_true(n > 0);
	assert_int_equal(env_check(to, got, n, len, seed), n);
	weir_pkt_free(to->cache, got, n);
	weir_tx_reap(from->port->txq[q]);
}

#endif
