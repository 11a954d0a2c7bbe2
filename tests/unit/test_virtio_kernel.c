/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "vdpa:" and "tap:" on a model of the kernel (fake_vhost.h): a life of each kind of device, every
 * call of it failing in its turn, and answers that make no sense. After each nothing is open, mapped
 * or running.
 */
#include "fake_vhost.h"

#include <sys/resource.h>

#define BUFS 256

struct row {
	const char *name, *dev;
	unsigned queues;
	bool packed, ctrl, own_group, bells, intr;
	bool second; /* another one is there already, and shares its address space */
};

#define VDPA .dev = "vdpa:/dev/null"
static const struct row rows[] = {
	{ .name = "vdpa", VDPA, .queues = 1 },
	{ .name = "vdpa, control queue",
	  VDPA,
	  .queues = 1,
	  .ctrl = true,
	  .own_group = true,
	  .intr = true },
	{ .name = "vdpa, pairs", VDPA, .queues = 2, .ctrl = true, .bells = true },
	{ .name = "vdpa, packed", VDPA, .queues = 1, .packed = true, .bells = true, .intr = true },
	{ .name = "vdpa, the second",
	  VDPA,
	  .queues = 1,
	  .ctrl = true,
	  .own_group = true,
	  .second = true },
	{ .name = "tap", .dev = "tap:t0", .queues = 1 },
	{ .name = "tap, pairs",
	  .dev = "tap:t0,queues=2,mac=02:00:00:00:00:01",
	  .queues = 2,
	  .intr = true },
};

static bool is_tap(const struct row *r)
{
	return !strncmp(r->dev, "tap:", 4);
}

static void model(const struct row *r)
{
	memset(&fk, 0, sizeof(fk));
	fk.features = f_base | (is_tap(r) ? 0 : f_vdpa) | (r->packed ? f_packed : 0) |
		      (r->ctrl ? f_ctrl : 0);
	fk.backend = 1ull << VHOST_BACKEND_F_IOTLB_MSG_V2 | 1ull << VHOST_BACKEND_F_IOTLB_BATCH |
		     1ull << VHOST_BACKEND_F_IOTLB_ASID;
	fk.pairs = (uint16_t)r->queues;
	fk.n_vqs = 2 * r->queues + r->ctrl;
	fk.spaces = r->own_group ? 2 : 1;
	fk.own_group = r->own_group;
	fk.ring_max = 256;
	fk.range = (struct vhost_vdpa_iova_range){ 0, (1ull << 48) - 1 };
	fk.bells = r->bells;
}

/* What a life needs that has nothing to do with the kernel's answers. */
struct life {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_iommu *iommu;
	struct weir_port *port, *first;
	unsigned fds, maps;
};

static void begin(struct life *l, const struct row *r)
{
	struct weir_opts o = { .log = unit_log, .window_size = 1u << 30, .dev = FK_DEV };

	l->fds = unit_fds();
	l->maps = unit_maps();
	l->port = l->first = NULL;
	unit_hush();
	assert_int_equal(weir_open(&o, &l->w), 0);
	assert_int_equal(
		weir_arena_create(l->w, 2u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &l->arena),
		0);
	assert_int_equal(weir_pool_create(l->arena, BUFS, &l->pool), 0);
	assert_int_equal(weir_cache_create(l->pool, &l->cache), 0);
	assert_int_equal(weir_iommu_open(l->w, &l->iommu), 0);
	if (r->second)
		assert_int_equal(weir_port_open(l->iommu, r->dev, NULL, &l->first), 0);
	unit_hush();
}

static int claim(struct life *l, const struct row *r)
{
	struct weir_port_conf c = { .n_rxq = r->queues,
				    .n_txq = r->queues,
				    .rx_desc = 64,
				    .tx_desc = 64,
				    .promisc = r->ctrl,
				    .rx_intr = r->intr,
				    .arena = l->arena };
	int err = weir_port_open(l->iommu, r->dev, NULL, &l->port);

	if (err) {
		l->port = NULL;
		return err;
	}
	err = weir_port_configure(l->port, &c);
	for (unsigned q = 0; !err && q < r->queues; q++)
		err = weir_port_queue_cache(l->port, q, l->cache);
	return err ? err : weir_port_start(l->port);
}

/* Nothing is left, whatever happened. */
static void end(struct life *l)
{
	weir_port_close(l->port);
	weir_port_close(l->first);
	weir_iommu_close(l->iommu);
	weir_cache_destroy(l->cache);
	assert_int_equal(weir_pool_available(l->pool), BUFS);
	assert_int_equal(weir_pool_destroy(l->pool), 0);
	assert_int_equal(weir_arena_info(l->arena).used, 0);
	weir_arena_destroy(l->arena);
	weir_close(l->w);
	assert_int_equal(fk.files, 0);
	assert_int_equal(fk.pages, 0);
	assert_int_equal(fk.wrong, 0);
	assert_int_equal(unit_fds(), l->fds);
	assert_int_equal(unit_maps(), l->maps);
}

static void send_one(struct life *l)
{
	struct weir_pkt p = { .off = WEIR_BUF_HEADROOM, .len = 60 };

	assert_int_equal(weir_buf_alloc(l->cache, &p.buf, 1), 1);
	memset(weir_pkt_data(weir_window(l->w).base, &p), 1, 60);
	assert_int_equal(weir_tx_post(l->port->txq[0], &p, 1), 1);
	weir_tx_kick(l->port->txq[0]);
}

/* The kernel's file of the device's first queue. */
static struct fk_file *opened(enum fk_kind kind)
{
	for (int i = 0; i < FK_FDS; i++)
		if (fk.file[i] && fk.file[i]->kind == kind && fk.file[i]->vq[1].num)
			return fk.file[i];
	fail_msg("no file of kind %d is open", kind);
	return NULL;
}

static void test_lives(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct life l;

		model(r);
		begin(&l, r);
		if (claim(&l, r))
			fail_msg("%s: %s", r->name, said.text);
		assert_int_equal(fk.files, is_tap(r) ? 2 * r->queues : 1u + r->second);
		assert_int_equal(fk.pages, r->bells ? fk.n_vqs : 0);
		assert_int_equal(fk.commands > 0, r->ctrl);
		weir_port_stop(l.port);
		assert_int_equal(fk.pages, 0);
		assert_int_equal(weir_port_start(l.port), 0);
		end(&l);
	}
}

/* A doorbell that is mapped is what is written to; else the eventfd is. */
static void test_doorbells(void **state)
{
	const unsigned tx = 1;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		eventfd_t n = 0;
		struct life l;
		int kick;

		model(r);
		begin(&l, r);
		assert_int_equal(claim(&l, r), 0);
		kick = opened(is_tap(r) ? FK_VHOST : FK_VDPA)->vq[tx].kick;
		send_one(&l);
		if (r->bells) {
			for (unsigned k = 0; k < fk.pages; k++)
				if (fk.page_vq[k] == tx)
					n += *(uint16_t *)fk.page[k];
			assert_int_equal(n, tx);
			assert_int_not_equal(eventfd_read(kick, &n), 0);
		} else {
			assert_int_equal(eventfd_read(kick, &n), 0);
			assert_int_equal(n, 1);
		}
		end(&l);
	}
}

/* With an address space of its own, what serves the control queue reaches nothing else. */
static void test_isolated(void **state)
{
	const struct row *r = &rows[1];
	struct fk_file *f;
	struct life l;
	unsigned n = 0;

	(void)state;
	model(r);
	begin(&l, r);
	assert_int_equal(claim(&l, r), 0);
	f = opened(FK_VDPA);
	assert_int_equal(f->asid[0], 0);
	assert_int_equal(f->asid[1], 1);
	for (unsigned i = 0; i < f->n_maps; i++)
		if (f->map_asid[i]) {
			assert_true(f->maps[i].size <= 65536);
			n++;
		}
	assert_int_equal(n, 1);
	end(&l);
}

static void test_sweep(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		unsigned failures = 0, n = 0;

		for (bool hit = true; hit; n++) {
			struct life l;
			int err;

			model(&rows[i]);
			begin(&l, &rows[i]);
			fk.fail_at = n + 1;
			fk.armed = true;
			err = claim(&l, &rows[i]);
			fk.armed = false;
			hit = fk.failed != NULL;
			failures += hit && err;
			/* Whoever fails says why, if not for want of memory. */
			if (hit && err && err != -ENOMEM && !*said.id)
				fail_msg("%s: call %u (%s) failed without a word: %d", rows[i].name,
					 n + 1, fk.failed, err);
			if (!hit && err)
				fail_msg("%s: %s", rows[i].name, said.text);
			end(&l);
		}
		assert_true(n > 25 && failures > n / 2);
	}
}

/* --- answers that make no sense --- */

/* @ok: it can be lived with. */
static const struct odd {
	unsigned row;
	unsigned long request;
	uint64_t answer;
	int error;
	bool ok;
	const char *id;
} odds[] = {
	{ 0, VHOST_GET_BACKEND_FEATURES, 0, 0, false, "vdpa-open" },
	{ 0, VHOST_SET_OWNER, 0, EBUSY, false, "vdpa-open" },
	{ 0, VHOST_VDPA_GET_IOVA_RANGE, 0, EINVAL, true, "" },
	{ 0, VHOST_VDPA_GET_IOVA_RANGE, 1ull << 40, 0, false, "iova-full" },
	{ 0, VHOST_VDPA_GET_VQS_COUNT, 0, 0, false, "vdpa" },
	{ 0, VHOST_VDPA_GET_VQS_COUNT, 1, 0, false, "vdpa" },
	{ 0, VHOST_VDPA_GET_VQS_COUNT, UINT32_MAX, 0, false, "vdpa" },
	{ 0, VHOST_VDPA_GET_VRING_NUM, 0, 0, false, "virtio-queue-size" },
	{ 0, VHOST_VDPA_GET_VRING_NUM, 3, 0, false, "virtio-queue-size" },
	{ 0, VHOST_VDPA_GET_VRING_SIZE, 0, 0, true, "" },
	{ 0, VHOST_VDPA_GET_VRING_SIZE, UINT32_MAX, 0, true, "" },
	{ 0, VHOST_VDPA_GET_VRING_SIZE, 100, 0, true, "" },
	{ 0, VHOST_GET_FEATURES, 0, EIO, false, "vdpa" },
	{ 0, VHOST_GET_FEATURES, 0, 0, false, "virtio-not-modern" },
	{ 0, VHOST_GET_FEATURES, 1ull << 32 /* VERSION_1 */, 0, false, "virtio-access-platform" },
	{ 0, VHOST_SET_FEATURES, 0, EINVAL, false, "vdpa" },
	{ 0, VHOST_VDPA_GET_STATUS, 0xff, 0, false, "" },
	{ 0, VHOST_VDPA_GET_STATUS, 0, 0, false, "virtio-features" },
	{ 0, VHOST_VDPA_GET_CONFIG, 0, EIO, false, "virtio-config" },
	{ 1, VHOST_VDPA_GET_VRING_GROUP, UINT32_MAX, 0, true, "" },
	{ 1, VHOST_VDPA_GET_VRING_GROUP, 0, 0, true, "" },
	{ 1, VHOST_VDPA_GET_VRING_GROUP, 0, EIO, true, "" },
	{ 1, VHOST_VDPA_GET_AS_NUM, 0, 0, true, "" },
	{ 1, VHOST_VDPA_GET_AS_NUM, UINT32_MAX, 0, true, "" },
	{ 1, VHOST_VDPA_SET_GROUP_ASID, 0, EOPNOTSUPP, false, "vdpa" },
	{ 5, VHOST_GET_FEATURES, 0, 0, false, "virtio-not-modern" },
	{ 5, VHOST_GET_FEATURES, UINT64_MAX, 0, false, "vhost-net" },
	{ 5, TUNSETIFF, 0, EBUSY, false, "vhost-net" },
	{ 6, VHOST_SET_MEM_TABLE, 0, E2BIG, false, "vhost-net" },
};

static void test_odd_answers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(odds); i++) {
		const struct odd *o = &odds[i];
		struct life l;
		int err;

		model(&rows[o->row]);
		begin(&l, &rows[o->row]);
		fk.odd_request = o->request;
		fk.odd_answer = o->answer;
		fk.odd_errno = o->error;
		err = claim(&l, &rows[o->row]);
		if (!err != o->ok || (*o->id && strcmp(said.id, o->id)))
			fail_msg("answer %u: %d, [%s] %s", i, err, said.id, said.text);
		fk.odd_request = 0;
		end(&l);
	}
}

/* A device with tables on the chip says at the end of a batch whether it has room for all of it. */
static void test_no_room(void **state)
{
	struct life l;

	(void)state;
	model(&rows[4]);
	begin(&l, &rows[4]);
	fk.no_room = true;
	assert_int_equal(claim(&l, &rows[4]), -ENOSPC);
	fk.no_room = false;
	assert_said("attach");
	end(&l);
}

/*
 * The kernel says EFAULT; the limit is said, once, with the remedy: as packet memory is mapped, and
 * as a second device comes to it.
 */
static void test_memlock(void **state)
{
	struct rlimit was, low = { 1u << 20, 1u << 20 };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &was), 0);
	low.rlim_max = was.rlim_max;
	if (low.rlim_cur > was.rlim_max)
		skip();
	for (unsigned i = 0; i < 2; i++) {
		const struct row *r = &rows[i ? 4 : 0];
		struct life l;
		int err;

		model(r);
		begin(&l, r);
		fk.over_limit = true;
		setrlimit(RLIMIT_MEMLOCK, &low);
		err = claim(&l, r);
		setrlimit(RLIMIT_MEMLOCK, &was);
		fk.over_limit = false;
		assert_int_equal(err, -ENOMEM);
		assert_said("memlock");
		assert_text("ulimit -l unlimited");
		assert_int_equal(said.n, 1);
		end(&l);
	}
}

/* More pairs than there are queues, in the configuration of a device that has few. */
static void test_too_few_queues(void **state)
{
	struct row r = rows[2];
	struct life l;

	(void)state;
	model(&r);
	fk.pairs = 0x7fff;
	r.queues = 4;
	begin(&l, &r);
	assert_int_not_equal(claim(&l, &r), 0);
	end(&l);
}

/* Whatever is answered: no crash, and nothing is left. */
static void test_noise(void **state)
{
	const unsigned lives = UNIT_SLOW ? 200 : 500;
	unsigned good = 0;

	(void)state;
	for (unsigned i = 0; i < lives; i++) {
		uint64_t seed = 0x9e3779b97f4a7c15ull * (i + 1);
		const struct row *r = &rows[i % WEIR_ARRAY_SIZE(rows)];
		struct life l;

		model(r);
		begin(&l, r);
		fk.random = &seed;
		good += !claim(&l, r);
		fk.random = NULL;
		/* A device that lies about its memory and its queues has only itself to blame. */
		fk.wrong = 0;
		end(&l);
	}
	assert_in_range(good, 0, lives - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lives),	    cmocka_unit_test(test_doorbells),
		cmocka_unit_test(test_isolated),    cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_odd_answers), cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_memlock),	    cmocka_unit_test(test_too_few_queues),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests_name("virtio_kernel", tests, NULL, NULL);
}
