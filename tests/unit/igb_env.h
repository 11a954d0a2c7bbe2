/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the tests of the igb driver share: the driver's sources on top of the fake device, and a
 * port in its house. Each test starts with nothing; at its end every buffer must be back.
 */
#ifndef WEIR_TESTS_IGB_ENV_H
#define WEIR_TESTS_IGB_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fake_igb.h"

/* Whether tests run as on a processor with nothing special; a row of their groups. */
static bool env_scalar;
/* A feature that the processor has not, though it may have those that usually come with it. */
static const char *env_lacks = "";

static inline bool env_cpu(const char *feature, bool has)
{
	return has && !env_scalar && strcmp(feature, env_lacks);
}

#define __builtin_cpu_supports(f) env_cpu(f, __builtin_cpu_supports(f))
#define weir_mmio_read32	  fake_read
#define weir_mmio_write32	  fake_write
#include "nics/igb/igb.c"
#include "nics/igb/igb_filter.c"
#include "nics/igb/igb_hw.c"
#include "nics/igb/igb_intr.c"
#include "nics/igb/igb_phy.c"
#include "nics/igb/igb_queue.c"
#include "nics/igb/igb_stats.c"
#include "nics/intel_queue.c"

#define BUFS 1200

/* --- a port in its house --- */

static struct env {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_port *port;
	char last_id[32];
	unsigned messages;
} env;

static void on_log(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	(void)level;
	(void)msg;
	env.messages++;
	snprintf(env.last_id, sizeof(env.last_id), "%s", id);
}

static inline int setup(void **state)
{
	struct weir_opts o = { .log = on_log, .log_level = WEIR_LOG_INFO, .window_size = 1u << 30 };

	(void)state;
	memset(&env, 0, sizeof(env));
	memset(&fake, 0, sizeof(fake));
	assert_int_equal(weir_open(&o, &env.w), 0);
	assert_int_equal(weir_arena_create(env.w, 8u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES,
					   &env.arena),
			 0);
	assert_int_equal(weir_pool_create(env.arena, BUFS, &env.pool), 0);
	assert_int_equal(weir_cache_create(env.pool, &env.cache), 0);
	fake.bar_size = FAKE_BAR;
	fake.link = true;
	fake.mac_lo = 0x12005452;
	fake.mac_hi = 0x5634;
	fake.phy[IGB_PHY_CONTROL] = 0x1140;
	fake.phy[IGB_PHY_ANAR] = 0x01e1;
	fake.pci.w = env.w;
	fake.pci.max_vec = 25;
	fake.pci.dma = (struct weir_dma){ weir_window(env.w).base, FAKE_IOVA, fake_phys_pages() };
	return 0;
}

static inline void open_port(void)
{
	assert_int_equal(weir_igb_driver.probe(&fake.pci, "igb0", &env.port), 0);
}

static inline struct igb *igb(void)
{
	return igb_of(env.port);
}

static inline uint32_t reg(unsigned r)
{
	return fake.reg[r / 4];
}

static inline int try_start(struct weir_port_conf c)
{
	int err;

	c.arena = env.arena;
	err = weir_port_configure(env.port, &c);
	for (unsigned q = 0; !err && q < 16 && (q < c.n_rxq || q < c.n_txq || !q); q++)
		weir_port_queue_cache(env.port, q, env.cache);
	return err ? err : weir_port_start(env.port);
}

static inline void start(struct weir_port_conf c)
{
	open_port();
	assert_int_equal(try_start(c), 0);
}

static inline struct weir_rxq *rxq(void)
{
	return env.port->rxq[0];
}

static inline struct weir_txq *txq(void)
{
	return env.port->txq[0];
}

/* The port closes cleanly and each buffer is back. */
static inline int teardown(void **state)
{
	(void)state;
	if (env.port) {
		weir_port_close(env.port);
		assert_true(fake.pci.closed);
	}
	weir_cache_destroy(env.cache);
	assert_int_equal(weir_pool_destroy(env.pool), 0);
	weir_arena_destroy(env.arena);
	weir_close(env.w);
	return 0;
}

static inline uint64_t drops(const struct weir_qstats *s, enum weir_drop reason)
{
	return s->drops[reason];
}

static inline void frame(uint8_t *d, unsigned len, unsigned seed)
{
	for (unsigned i = 0; i < len; i++)
		d[i] = (uint8_t)(seed * 31 + i * 7);
}

static inline void drop_all(struct weir_pkt *p, unsigned n)
{
	weir_pkt_free(env.cache, p, n);
}

/* A packet of @segs segments of @len bytes each, with content. */
static inline void make(struct weir_pkt *p, unsigned segs, unsigned len, unsigned seed)
{
	uint32_t bufs[WEIR_MAX_SEGS + 2];

	assert_int_equal(weir_buf_alloc(env.cache, bufs, segs), segs);
	for (unsigned i = 0; i < segs; i++) {
		p[i] = (struct weir_pkt){
			.buf = bufs[i],
			.off = WEIR_BUF_HEADROOM,
			.len = (uint16_t)len,
			.flags = i + 1 < segs ? WEIR_PKT_MORE : 0,
		};
		frame(weir_pkt_data(fake.pci.dma.va_base, &p[i]), len, seed + i);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
