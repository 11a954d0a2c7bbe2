/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver on the fake device, and the row {split, packed} that each test runs over. */
#ifndef WEIR_TESTS_VIRTIO_FIXTURE_H
#define WEIR_TESTS_VIRTIO_FIXTURE_H

#define CTRL_TIMEOUT_US	 20000
#define RESET_TIMEOUT_US 20000

#include "fake_virtio.h"

#include "nics/virtio/virtio.c"
#include "nics/virtio/virtio_ctrl.c"
#include "nics/virtio/virtio_offload.c"
#include "nics/virtio/virtio_ops.c"
#include "nics/virtio/virtio_paths.c"
#include "nics/virtio/virtio_pci.c"
#include "nics/virtio/virtio_queue.c"
#include "nics/virtio/virtio_revive.c"
#include "nics/virtio/virtio_rxtx_packed.c"
#include "nics/virtio/virtio_rxtx_split.c"

#define BUFS 600

struct fix {
	struct fake dev;
	struct weir *w;
	struct weir_arena *arena;
	void *filler; /* so that the buffers lie in more than one physical page */
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_port *port;
	struct weir_port_conf conf;
};

static const bool row_split = false, row_packed = true;

static void fix_log(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	struct fix *f = arg;

	(void)msg;
	if (level <= WEIR_LOG_ERR)
		snprintf(f->dev.log, sizeof(f->dev.log), "%s", id);
}

static int fix_setup(void **state)
{
	bool packed = *(const bool *)*state;
	struct fix *f = calloc(1, sizeof(*f));
	struct weir_opts opts = { .log = fix_log, .log_arg = f, .window_size = 1ull << 30 };

	assert_non_null(f);
	fake = &f->dev;
	assert_int_equal(weir_open(&opts, &f->w), 0);
	assert_int_equal(
		weir_arena_create(f->w, 8 << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &f->arena),
		0);
	if (fake_phys)
		f->filler = weir_arena_alloc(f->arena, WEIR_DMA_PAGE * 3 / 4, 4096);
	assert_int_equal(weir_pool_create(f->arena, BUFS, &f->pool), 0);
	assert_int_equal(weir_cache_create(f->pool, &f->cache), 0);
	f->dev.w = f->w;
	f->dev.arena = f->arena;
	f->dev.dma = (struct weir_dma){ .va_base = weir_window(f->w).base,
					.iova_base = FAKE_IOVA,
					.pages = fake_phys_pages() };
	fake_defaults(packed);
	f->conf = (struct weir_port_conf){ .rx_desc = 64, .tx_desc = 64, .arena = f->arena };
	*state = f;
	return 0;
}

/* Whatever a test did: every buffer is back. */
static int fix_teardown(void **state)
{
	struct fix *f = *state;
	int lost;

	weir_port_close(f->port);
	assert_int_equal(f->dev.closed, f->port ? 1 : 0);
	weir_cache_destroy(f->cache);
	assert_int_equal(weir_pool_available(f->pool), BUFS);
	lost = (int)weir_pool_destroy(f->pool);
	weir_arena_free(f->arena, f->filler);
	assert_int_equal(weir_arena_info(f->arena).used, 0);
	weir_arena_destroy(f->arena);
	weir_close(f->w);
	free(f);
	return lost;
}

static int fix_probe(struct fix *f)
{
	return weir_virtio_driver.probe((struct weir_pci *)f, "0000:00:03.0", &f->port);
}

static struct virtio_net *fix_net(struct fix *f)
{
	return virtio_net_of(f->port);
}

static int fix_start(struct fix *f)
{
	int err = weir_port_configure(f->port, &f->conf);

	for (unsigned q = 0; !err && q < virtio_pairs(fix_net(f)); q++)
		err = weir_port_queue_cache(f->port, q, f->cache);
	return err ? err : weir_port_start(f->port);
}

/* Up and running with f->conf. */
static void fix_up(struct fix *f)
{
	assert_int_equal(fix_probe(f), 0);
	assert_int_equal(fix_start(f), 0);
}

/* Take @n buffers as one packet; each byte of segment i is seed + i. */
static void fix_packet(struct fix *f, struct weir_pkt *p, unsigned n, unsigned len, uint8_t seed)
{
	uint32_t bufs[16];

	assert_int_equal(weir_buf_alloc(f->cache, bufs, n), n);
	for (unsigned i = 0; i < n; i++) {
		p[i] = (struct weir_pkt){ .buf = bufs[i],
					  .off = WEIR_BUF_HEADROOM,
					  .len = (uint16_t)len,
					  .flags = i + 1 < n ? WEIR_PKT_MORE : 0 };
		memset(weir_pkt_data(f->dev.dma.va_base, &p[i]), seed + (int)i, len);
	}
}

static struct weir_rxq *fix_rxq(struct fix *f)
{
	return f->port->rxq[0];
}

static struct weir_txq *fix_txq(struct fix *f)
{
	return f->port->txq[0];
}

/*
 * Let the device receive a packet of @n buffers, each filled with @len bytes (the header is in the
 * first one besides). Return: its header.
 */
static struct virtio_net_hdr *fix_receive(struct fix *f, unsigned n, unsigned len, uint8_t seed)
{
	struct virtio_net_hdr *first = NULL;
	unsigned hdr = fix_net(f)->rx[0].vq.hdr_len;

	for (unsigned i = 0; i < n; i++) {
		unsigned pre = i ? 0 : hdr;
		struct fake_chain c;

		assert_true(fake_pop(0, &c));
		assert_int_equal(c.n, 1);
		assert_true(c.seg[0].write && c.seg[0].len == WEIR_BUF_ROOM + hdr);
		if (!i) {
			first = (void *)c.seg[0].va;
			memset(first, 0, hdr);
			first->num_buffers = weir_le16((uint16_t)n);
		}
		memset(c.seg[0].va + pre, seed + (int)i, len);
		fake_push(0, c.id, pre + len, 1);
	}
	return first;
}

#define ROW(fn)                                                                  \
	{ #fn "(split)", fn, fix_setup, fix_teardown, (void *)&row_split },      \
	{                                                                        \
#fn "(packed)", fn, fix_setup, fix_teardown, (void *)&row_packed \
	}

#endif
