/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two tenants on one NIC, all of it: the library's assignment of queues, its vfio-user client and its
 * ixgbe driver in this thread; the simulated NIC and its IOMMU, behind a socket, in another. What a
 * tenant that means no good can reach of the other one; and the set-up path with each of its steps
 * failing in its turn. (The linker wraps what fails, see the Makefile.)
 */
#include "nicsim_assign_env.h"

static void test_forward(void **state)
{
	(void)state;
	assert_int_not_equal(c.t[0].a.pasid, c.t[1].a.pasid);
	assert_int_equal(pasids(), TENANTS);
	for (unsigned n = 0; n < 3 * DESC; n++)
		for (unsigned q = 0; q < PAIRS; q++)
			forward(q, n * PAIRS + q);
	assert_int_equal(faults(), 0);
	for (unsigned q = 0; q < PAIRS; q++)
		assert_int_equal(weir_port_queue_stopped(c.port, q), 0);
}

/* --- a tenant that means no good --- */

/* The second tenant's memory as it is now, to be compared after the attack. */
static uint8_t *before;

static void remember(void)
{
	struct weir_arena_info i = weir_arena_info(c.t[1].arena);

	before = malloc(i.size);
	assert_non_null(before);
	memcpy(before, i.base, i.size);
}

static void assert_unchanged(void)
{
	struct weir_arena_info i = weir_arena_info(c.t[1].arena);

	assert_memory_equal(before, i.base, i.size);
	free(before);
}

/* Descriptors of pair @q as its tenant sees them: the ring lies in the tenant's memory. */
static volatile uint64_t *ring(const struct tenant *t, unsigned q, bool tx)
{
	struct nic *n = nic_hold();
	uint64_t base = tx ? n->tx[q].r.base : n->rx[q].base;
	struct weir_arena_info i = weir_arena_info(t->arena);
	char *va = t->a.dma.va_base + (base - t->a.dma.iova_base);

	nic_let_go();
	assert_true(va >= i.base && va + DESC * 16 <= i.base + i.size);
	return (volatile uint64_t *)va;
}

static weir_iova_t stolen(void)
{
	return weir_dma_iova(&c.t[1].a.dma, weir_arena_info(c.t[1].arena).base + 8192);
}

static void assert_fault(bool tx, enum dma_dir dir, uint64_t iova)
{
	const struct dma_fault *f = nic_hold()->dma.kept;

	assert_int_equal(f->who.pasid, c.t[0].a.pasid);
	assert_int_equal(f->who.queue, 1);
	assert_int_equal(f->who.tx, tx);
	assert_int_equal(f->dir, dir);
	assert_int_equal(f->iova, iova);
	assert_int_equal(server.vu->nic.pasid_stops, 1);
	nic_let_go();
	assert_int_equal(weir_port_queue_stopped(c.port, 1), 1);
	assert_int_equal(weir_port_queue_stopped(c.port, 0), 0);
	assert_int_equal(weir_port_queue_stopped(c.port, 2), 0);
}

static void others_go_on(void)
{
	uint64_t n = faults();

	/* Whoever looks after the port has no reason to restart it. */
	assert_int_equal(weir_port_check(c.port), 0);
	for (unsigned i = 0; i < 2 * DESC; i++) {
		forward(0, i);
		forward(2, i);
	}
	assert_int_equal(faults(), n);
}

/* What an operator of the model sees of it. */
static void assert_summary(void)
{
	char *text = NULL, want[128];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	nic_hold();
	summary_print(server.vu, false, f);
	summary_print(server.vu, true, f);
	nic_let_go();
	fclose(f);
	snprintf(want, sizeof(want), "RX queue 1, PASID %u, write of 300 bytes at 0x%llx",
		 c.t[0].a.pasid, (unsigned long long)stolen());
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "queue pairs stopped for a fault: 1"));
	snprintf(want, sizeof(want), "\"pasid\":%u,", c.t[0].a.pasid);
	assert_non_null(strstr(text, want));
	assert_non_null(strstr(text, "\"stopped_queues\":1"));
	assert_non_null(strstr(text, "\"dma_faults\":1,"));
	free(text);
}

static void test_write_attack(void **state)
{
	volatile uint64_t *d = ring(&c.t[0], 1, false);
	uint8_t f[LEN];

	(void)state;
	remember();
	make_frame(f, 1);
	for (unsigned i = 0; i < DESC; i++)
		d[2 * i] = stolen();
	assert_int_equal(arrive(1, f), RX_DROPPED);
	assert_int_equal(faults(), 1);
	assert_fault(false, DMA_DEV_WRITE, stolen());
	assert_unchanged();
	assert_int_equal(arrive(1, f), RX_DROPPED);
	assert_int_equal(faults(), 1);
	others_go_on();
	assert_summary();
}

/* The handle of a buffer that is another tenant's: the descriptor comes out right, and leads nowhere. */
static void test_read_attack(void **state)
{
	struct weir_pkt p = { .off = WEIR_BUF_HEADROOM, .len = LEN };
	uint8_t *data;

	(void)state;
	assert_int_equal(weir_buf_alloc(c.t[1].cache, &p.buf, 1), 1);
	data = weir_pkt_data(c.t[1].a.dma.va_base, &p);
	make_frame(data, 7);
	remember();
	server.n_sent = 0;
	assert_int_equal(weir_tx_post(c.port->txq[1], &p, 1), 1);
	weir_tx_kick(c.port->txq[1]);
	settle();
	assert_int_equal(server.n_sent, 0);
	assert_int_equal(faults(), 1);
	assert_fault(true, DMA_DEV_READ, weir_dma_iova(&c.t[1].a.dma, data));
	assert_unchanged();
	others_go_on();
	/* The driver still holds the buffer; it comes back to the cache of the pair, and from there here. */
	weir_port_stop(c.port);
	assert_int_equal(weir_buf_alloc(c.t[0].cache, &p.buf, 1), 1);
	weir_buf_free1(c.t[1].cache, p.buf);
}

/* The word that a tenant has the device write, and its rings, are memory of the tenant too. */
static void test_ring_attack(void **state)
{
	struct nic *n = nic_hold();
	uint8_t f[LEN];

	(void)state;
	/* Registers are the driver's; what if it were talked into the wrong ones? */
	n->rx[1].base = stolen();
	nic_let_go();
	remember();
	make_frame(f, 1);
	assert_int_equal(arrive(1, f), RX_DROPPED);
	assert_int_equal(faults(), 1);
	assert_unchanged();
	others_go_on();
}

/* One IOVA, two address spaces, different memory: each tenant sends and receives its own. */
static void test_same_iova(void **state)
{
	const weir_iova_t at = 0x7000000000;
	uint8_t f[TENANTS][LEN];

	(void)state;
	for (unsigned i = 0; i < TENANTS; i++) {
		struct weir_arena_info a = weir_arena_info(c.t[i].arena);
		struct weir_pkt p = { .off = WEIR_BUF_HEADROOM, .len = LEN };
		volatile uint64_t *d = ring(&c.t[i], i + 1, true);

		/* The last page of the arena: no buffer is there. */
		make_frame((uint8_t *)a.base + a.size - 4096, 100 + i);
		memcpy(f[i], a.base + a.size - 4096, LEN);
		assert_int_equal(weir_ioas_map(c.t[i].as, a.base + a.size - 4096, 4096, at, 3), 0);
		assert_int_equal(weir_buf_alloc(c.t[i].cache, &p.buf, 1), 1);
		assert_int_equal(weir_tx_post(c.port->txq[i + 1], &p, 1), 1);
		d[0] = at;
	}
	for (unsigned i = 0; i < TENANTS; i++) {
		server.n_sent = 0;
		weir_tx_kick(c.port->txq[i + 1]);
		settle();
		assert_int_equal(server.n_sent, 1);
		assert_memory_equal(server.sent[0], f[i], LEN);
		assert_int_equal(weir_tx_reap(c.port->txq[i + 1]), 0);
	}
	assert_memory_not_equal(f[0], f[1], LEN);
	assert_int_equal(faults(), 0);
	for (unsigned i = 0; i < TENANTS; i++)
		assert_int_equal(weir_ioas_unmap(c.t[i].as, at, 4096), 0);
}

/* A tenant's address space changes under a running queue: before and after the move its own. */
static void test_move(void **state)
{
	const weir_iova_t at = 0x7000000000;
	struct weir_arena_info a = weir_arena_info(c.t[0].arena);
	struct weir_iodev *d = weir_pci_iodev(weir_port_pci(c.port));
	uint8_t *page[2] = { (uint8_t *)a.base + a.size - 4096, (uint8_t *)a.base + a.size - 8192 };
	uint32_t pasid = c.t[0].a.pasid;
	struct weir_ioas *next, *was = c.t[0].as;
	struct weir_dma dma;

	(void)state;
	/* The other one holds the same memory, but for one page that is another at the same IOVA. */
	assert_int_equal(weir_ioas_create(c.iommu, WEIR_MODE_VFIO_USER, &next), 0);
	assert_int_equal(weir_ioas_map_arena(next, c.t[0].arena, &dma), 0);
	assert_int_equal(dma.iova_base, c.t[0].a.dma.iova_base);
	for (unsigned i = 0; i < 2; i++) {
		make_frame(page[i], 50 + i);
		assert_int_equal(weir_ioas_map(i ? next : was, page[i], 4096, at, 3), 0);
	}
	/* A server that refuses any of it leaves the queue where it is. */
	for (unsigned n = 1; n <= 2; n++) {
		fail_begin("dma_map", true, ENOMEM, n);
		assert_int_equal(weir_iodev_pasid_move(d, pasid, next), -ENOMEM);
		fail_end();
		assert_ptr_equal(weir_iodev_pasid_ioas(d, pasid), was);
		assert_int_equal(pasids(), TENANTS);
		assert_int_equal(weir_ioas_devices(next), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct weir_pkt p = { .off = WEIR_BUF_HEADROOM, .len = LEN };
		volatile uint64_t *ring_of = ring(&c.t[0], 1, true);

		if (i)
			assert_int_equal(weir_iodev_pasid_move(d, pasid, next), 0);
		assert_int_equal(weir_buf_alloc(c.t[0].cache, &p.buf, 1), 1);
		assert_int_equal(weir_tx_post(c.port->txq[1], &p, 1), 1);
		ring_of[2 * i] = at;
		server.n_sent = 0;
		weir_tx_kick(c.port->txq[1]);
		settle();
		assert_int_equal(server.n_sent, 1);
		assert_memory_equal(server.sent[0], page[i], LEN);
		assert_int_equal(weir_tx_reap(c.port->txq[1]), 0);
	}
	assert_int_equal(pasids(), TENANTS);
	assert_int_equal(weir_ioas_devices(was), 0);
	assert_int_equal(weir_ioas_devices(next), 1);
	for (unsigned q = 0; q < PAIRS; q++)
		forward(q, q);
	assert_int_equal(faults(), 0);
	/* What is unmapped now is unmapped there, and the old one's concern is nobody's. */
	assert_int_equal(weir_ioas_unmap(next, at, 4096), 0);
	assert_int_equal(weir_ioas_unmap(was, at, 4096), 0);
	assert_int_equal(weir_port_stop(c.port), 0);
	c.t[0].a.ioas = next;
	assert_int_equal(weir_queue_release(&c.t[0].a), 0);
	assert_int_equal(weir_ioas_destroy(next), 0);
}

/* Stopped stays stopped while the port runs; a restart is a new start for all. */
static void test_restart(void **state)
{
	uint8_t f[LEN];

	test_write_attack(state);
	assert_int_equal(weir_port_stop(c.port), 0);
	caches_and_start();
	assert_int_equal(weir_port_queue_stopped(c.port, 1), 0);
	for (unsigned q = 0; q < PAIRS; q++)
		forward(q, q);
	make_frame(f, 2);
	assert_int_equal(faults(), 1);
}

/* --- assigning and releasing --- */

/* @n mappings of the device itself in the model, and @own of PASID's. */
static void assert_maps(uint32_t pasid, unsigned want)
{
	struct nic *n = nic_hold();
	struct dma *d = pasid ? dma_pasid(&n->dma, pasid) : &n->dma;
	unsigned have = d ? d->n : 0;

	nic_let_go();
	assert_int_equal(have, want);
}

static void test_release(void **state)
{
	struct weir_port_conf k = { .arena = c.own.arena, .n_rxq = 2, .n_txq = 2, .promisc = true };
	uint32_t pasid;

	(void)state;
	assert_int_equal(assign(0, 0), 0);
	assert_int_equal(assign(1, 0), 0);
	pasid = c.t[0].a.pasid;
	assert_false(c.t[0].a.shared);
	assert_ptr_equal(weir_iodev_pasid_ioas(weir_pci_iodev(weir_port_pci(c.port)), pasid),
			 c.t[0].as);
	/* The device sees its own arena, each tenant its own: nobody more than one. */
	assert_maps(0, 1);
	assert_maps(pasid, 1);
	assert_int_equal(weir_ioas_destroy(c.t[0].as), -EBUSY);
	assert_int_equal(weir_port_configure(c.port, &k), -EBUSY);
	assert_text("release it");
	assert_int_equal(weir_queue_release(&c.t[0].a), 0);
	assert_int_equal(pasids(), 1);
	assert_maps(pasid, 0);
	assert_int_equal(weir_ioas_devices(c.t[0].as), 0);
	assert_int_equal(weir_ioas_mapped(c.t[0].as), 0);
	/* Twice is fine; the number is free again. */
	assert_int_equal(weir_queue_release(&c.t[0].a), 0);
	assert_int_equal(assign(0, 0), 0);
	assert_int_equal(c.t[0].a.pasid, pasid);
	assert_int_equal(weir_queue_release(&c.t[0].a), 0);
	assert_int_equal(weir_queue_release(&c.t[1].a), 0);
	/* The pair is an ordinary one again. */
	assert_int_equal(weir_port_configure(c.port, &k), 0);
	assert_int_equal(weir_port_queue_cache(c.port, 0, c.own.cache), 0);
	assert_int_equal(weir_port_queue_cache(c.port, 1, c.own.cache), 0);
	assert_int_equal(weir_port_start(c.port), 0);
	forward(1, 5);
	assert_int_equal(faults(), 0);
}

static void test_refusals(void **state)
{
	struct weir_port_conf k = conf();
	struct weir_assign a;
	char why[WEIR_WHY_LEN];

	(void)state;
	assert_int_equal(weir_queue_assignable(c.port, why), 20);
	assert_int_equal(weir_queue_assign(c.port, PAIRS, c.t[0].as, c.t[0].arena, 0, &a), -EINVAL);
	assert_said("queue-assign");
	/* Another's rings. */
	assert_int_equal(weir_queue_assign(c.port, 1, c.t[1].as, c.t[1].arena, 0, &a), -EINVAL);
	assert_said("queue-arena");
	assert_int_equal(assign(0, 0), 0);
	assert_int_equal(weir_queue_assign(c.port, 1, c.t[0].as, c.t[0].arena, 0, &a), -EBUSY);
	assert_text("already");
	/* Buffers that the pair could not reach: named before or after. */
	assert_int_equal(weir_port_queue_cache(c.port, 1, c.own.cache), -EINVAL);
	assert_said("pool");
	for (unsigned q = 0; q < PAIRS; q++)
		assert_int_equal(
			weir_port_queue_cache(c.port, q, q == 1 ? c.t[0].cache : c.own.cache), 0);
	assert_int_equal(assign(1, 0), 0);
	assert_int_equal(weir_port_start(c.port), -EINVAL);
	assert_said("pool");
	caches_and_start();
	assert_int_equal(weir_queue_assign(c.port, 2, c.t[1].as, c.t[1].arena, 0, &a), -EBUSY);
	assert_int_equal(weir_queue_release(&c.t[0].a), -EBUSY);
	assert_int_equal(pasids(), TENANTS);
	forward(1, 1);
	assert_int_equal(weir_port_stop(c.port), 0);
	for (unsigned i = 0; i < TENANTS; i++)
		assert_int_equal(weir_queue_release(&c.t[i].a), 0);
	/* Not configured any more: there are no pairs. */
	k.n_rxq = k.n_txq = 1;
	assert_int_equal(weir_port_configure(c.port, &k), 0);
	assert_int_equal(assign(0, 0), -EINVAL);
}

/* Two pairs of one tenant: an address space for both, which ends with the second. */
static void test_two_pairs(void **state)
{
	struct weir_port_conf k = conf();
	struct weir_assign a[2];

	(void)state;
	k.queue_arena[2] = c.t[0].arena;
	assert_int_equal(weir_port_configure(c.port, &k), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			weir_queue_assign(c.port, i + 1, c.t[0].as, c.t[0].arena, 0, &a[i]), 0);
	assert_int_equal(weir_ioas_devices(c.t[0].as), 2);
	assert_maps(a[0].pasid, 1);
	assert_maps(a[1].pasid, 1);
	assert_int_equal(weir_queue_release(&a[0]), 0);
	assert_maps(a[1].pasid, 1);
	/* What is mapped already is refused to the next pair: that one is not attached either. */
	fail_begin("dma_map", true, ENOMEM, 1);
	assert_int_equal(weir_queue_assign(c.port, 1, c.t[0].as, c.t[0].arena, 0, &a[0]), -ENOMEM);
	fail_end();
	assert_int_equal(pasids(), 1);
	assert_maps(a[1].pasid, 1);
	assert_int_equal(weir_ioas_devices(c.t[0].as), 1);
	assert_int_equal(weir_queue_release(&a[1]), 0);
	assert_int_equal(weir_ioas_mapped(c.t[0].as), 0);
	assert_int_equal(pasids(), 0);
}

/* One arena for two pairs of a device that shares: it is there until the last pair lets go. */
static void release_in_any_order(void)
{
	struct weir_port_conf k = conf();
	struct weir_assign a[2];

	k.queue_arena[2] = c.t[0].arena;
	assert_int_equal(weir_port_configure(c.port, &k), 0);
	for (unsigned first = 0; first < 2; first++) {
		for (unsigned i = 0; i < 2; i++)
			assert_int_equal(weir_queue_assign(c.port, i + 1, NULL, c.t[0].arena,
							   WEIR_ASSIGN_OR_SHARE, &a[i]),
					 0);
		assert_maps(0, 2);
		assert_int_equal(weir_queue_release(&a[first]), 0);
		assert_maps(0, 2);
		assert_int_equal(weir_queue_release(&a[!first]), 0);
		assert_maps(0, 1);
	}
}

/* A device without: refused with the reason, or shared and called so. */
static void test_without(void **state)
{
	char why[WEIR_WHY_LEN] = "";

	(void)state;
	server_start(0);
	client_open();
	assert_int_equal(weir_queue_assignable(c.port, why), -EOPNOTSUPP);
	assert_non_null(strstr(why, "PASID"));
	assert_int_equal(assign(0, 0), -EOPNOTSUPP);
	assert_said("queue-assign");
	assert_text(why);
	assert_maps(0, 1);
	assert_int_equal(weir_port_queue_tag(c.port, 1, 1, &c.t[0].a.dma), -EOPNOTSUPP);
	for (unsigned i = 0; i < TENANTS; i++) {
		assert_int_equal(assign(i, WEIR_ASSIGN_OR_SHARE), 0);
		assert_true(c.t[i].a.shared);
		assert_string_equal(c.t[i].a.why, why);
		assert_int_equal(c.t[i].a.pasid, 0);
		assert_ptr_equal(c.t[i].a.ioas,
				 weir_iodev_ioas(weir_pci_iodev(weir_port_pci(c.port))));
		assert_maps(0, 2 + i);
	}
	caches_and_start();
	for (unsigned q = 0; q < PAIRS; q++)
		forward(q, q);
	assert_int_equal(faults(), 0);
	assert_int_equal(weir_port_stop(c.port), 0);
	for (unsigned i = 0; i < TENANTS; i++)
		assert_int_equal(weir_queue_release(&c.t[i].a), 0);
	assert_maps(0, 1);
	release_in_any_order();
	client_close();
	server_stop();
}

/* What a device says of its block, and cannot be: it is taken for a device without. */
static void test_hostile_block(void **state)
{
	static const struct {
		uint32_t at;
		unsigned queues, bits;
	} rows[] = {
		{ R_XPASID | 6, 4, 20 }, /* there is no BAR 6 */
		{ R_XPASID | 3, 4, 20 }, /* nor is this one there */
		{ R_XPASID | 2, 4, 20 }, /* 32 bytes, I/O */
		{ NIC_BAR0 - 8, 3, 20 }, { NIC_BAR0, 1, 20 },	 { 0xFFFFFFF8, 4, 20 },
		{ R_XPASID, 0, 20 },	 { R_XPASID, 4, 0 },	 { R_XPASID, 4, 21 },
		{ R_XPASID, 4, 31 },	 { R_XPASID, 65535, 8 },
	};
	char why[WEIR_WHY_LEN];

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		server_start(20);
		nic_hold();
		server.vu->cfg.pasid_at = rows[i].at;
		server.vu->cfg.pasid_queues = rows[i].queues;
		server.vu->cfg.pasid_bits = rows[i].bits;
		pcicfg_init(&server.vu->cfg, server.vu->nic.mac);
		nic_let_go();
		client_open();
		if (weir_queue_assignable(c.port, why) != -EOPNOTSUPP)
			fail_msg("row %u is believed", i);
		assert_int_equal(assign(0, 0), -EOPNOTSUPP);
		client_close();
		server_stop();
	}
}

/* The driver refuses the tag, with all else done: all of that is undone. */
static void test_tag_refused(void **state)
{
	(void)state;
	server_start(20);
	nic_hold();
	server.vu->cfg.pasid_bits = 1;
	pcicfg_init(&server.vu->cfg, server.vu->nic.mac);
	nic_let_go();
	client_open();
	assert_int_equal(assign(0, 0), 0);
	assert_int_equal(assign(1, 0), -EINVAL);
	assert_said("queue-tag");
	assert_int_equal(pasids(), 1);
	assert_int_equal(weir_ioas_devices(c.t[1].as), 0);
	assert_int_equal(weir_ioas_mapped(c.t[1].as), 0);
	client_close();
	server_stop();
}

/* A register that does not keep what was written: the port does not start, rather than unguarded. */
static void test_tag_not_taken(void **state)
{
	(void)state;
	assert_int_equal(assign(0, 0), 0);
	nic_hold()->pasid_bits = 0;
	nic_let_go();
	for (unsigned q = 0; q < PAIRS; q++)
		assert_int_equal(
			weir_port_queue_cache(c.port, q, q ? c.t[q - 1].cache : c.own.cache), 0);
	assert_int_equal(weir_port_start(c.port), -EIO);
	assert_said("queue-tag");
}

/* --- each step failing in its turn --- */

static const struct kind {
	const char *name;
	bool server;
	int err;
	bool fatal; /* the connection does not survive it */
} kinds[] = {
	{ "calloc", false, ENOMEM, false },	{ "dma_pasid_add", true, ENOSPC, false },
	{ "dma_map", true, ENOMEM, false },	{ "dma_unmap", true, EIO, true },
	{ "dma_pasid_del", true, EIO, true },	{ "sendmsg", false, EPIPE, true },
	{ "recvmsg", false, ECONNRESET, true },
};

/* Both tenants come, run, and go; the n-th call fails. Return: the first error. */
static int life(const struct kind *k, unsigned fail)
{
	unsigned fds, done = 0;
	int err = 0, e;

	server_start(20);
	client_open();
	fds = unit_fds();
	fail_begin(k->name, k->server, k->err, fail);
	for (; done < TENANTS && !err; done++)
		err = assign(done, 0);
	if (err && !k->fatal) {
		/* As it was before, and the next try succeeds. */
		assert_int_equal(pasids(), done - 1);
		assert_int_equal(weir_ioas_devices(c.t[done - 1].as), 0);
		assert_int_equal(weir_ioas_mapped(c.t[done - 1].as), 0);
		assert_int_equal(c.port->pasid[done], 0);
		assert_int_equal(assign(done - 1, 0), 0);
	}
	for (unsigned i = TENANTS; i--;) {
		e = weir_queue_release(&c.t[i].a);
		err = err ? err : e;
	}
	fail_end();
	if (!k->fatal)
		assert_int_equal(pasids(), 0);
	assert_true(unit_fds() <= fds);
	for (unsigned i = 0; i < TENANTS; i++) {
		assert_int_equal(weir_ioas_devices(c.t[i].as), 0);
		assert_int_equal(c.port->pasid[i + 1], 0);
	}
	client_close();
	server_stop();
	return err;
}

static void test_sweep(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(kinds); i++) {
		unsigned n, said_so = 0;

		assert_int_equal(life(&kinds[i], 0), 0);
		n = sweep.seen;
		if (n < TENANTS)
			fail_msg("%s was called %u times", kinds[i].name, n);
		for (unsigned fail = 1; fail <= n; fail++)
			said_so += life(&kinds[i], fail) != 0 || said.n > 0;
		if (said_so != n)
			fail_msg("%u of %u %s that failed went unnoticed", n - said_so, n,
				 kinds[i].name);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define R(f) cmocka_unit_test_setup_teardown(f, setup_running, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(test_forward),
		R(test_write_attack),
		R(test_read_attack),
		R(test_ring_attack),
		R(test_same_iova),
		R(test_restart),
		R(test_move),
		T(test_release),
		T(test_refusals),
		T(test_two_pairs),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_hostile_block),
		T(test_tag_not_taken),
		cmocka_unit_test(test_tag_refused),
		cmocka_unit_test(test_sweep),
	};

	return cmocka_run_group_tests_name("nicsim_assign", tests, NULL, NULL);
}
