/* SPDX-License-Identifier: BSD-3-Clause */
/* What is mapped, by address, file, copy and BAR, and what moves: on a model of the kernel. */
#include "iommu_env.h"

#include "iommu/internal.h"

#include <sys/resource.h>

#define AT   (1ull << 33)
#define SIZE (64u << 10)
#define MIB  (1u << 20)

static int file;

static const enum weir_mode modes[] = { WEIR_MODE_CDEV, WEIR_MODE_GROUP };

static int setup(void **state)
{
	(void)state;
	fv_begin();
	fake.vtd_cap = 1ull << 34 | 1ull << 35 | 47ull << 16;
	fake.vtd_ecap = 1ull << 40 | 1ull << 43 | 1ull << 46;
	fake.devs[0].pasid_log2 = 8;
	file = __real_memfd_create("test", MFD_CLOEXEC);
	assert_true(file >= 0 && !__real_ftruncate(file, SIZE));
	return env_begin();
}

static int teardown(void **state)
{
	(void)state;
	env_end();
	close(file);
	return 0;
}

/* A space with a device on it. */
static struct weir_ioas *space(enum weir_mode mode, unsigned dev, struct weir_iodev **d)
{
	struct weir_ioas *as;

	assert_int_equal(weir_ioas_create(iommu, mode, &as), 0);
	*d = open_dev(dev, mode);
	assert_int_equal(weir_iodev_attach(*d, as), 0);
	return as;
}

static struct weir_arena *arena(void)
{
	struct weir_arena *a;

	assert_int_equal(weir_arena_create(w, MIB, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &a), 0);
	return a;
}

static struct weir_mapping first(struct weir_ioas *as)
{
	struct weir_mapping m;

	assert_true(weir_ioas_map_next(as, NULL, &m));
	return m;
}

/* --- by file --- */

static void test_file(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		enum weir_mode mode = modes[i % 2];
		struct weir_iodev *d;
		struct weir_ioas *as;
		bool by_va;
		unsigned n;

		fake.no_map_file = i >= 2;
		by_va = mode == WEIR_MODE_GROUP || fake.no_map_file;
		as = space(mode, 0, &d);
		n = unit_maps();
		assert_int_equal(weir_ioas_map_file(as, file, 4096, SIZE, AT, 3), -EINVAL);
		assert_said("map-file");
		assert_int_equal(weir_ioas_map_file(as, file, 2ull << 40, 4096, AT, 3), -EINVAL);
		assert_int_equal(weir_ioas_map_file(as, file, 100, 4096, AT, 3), -EINVAL);
		assert_said("map-align");
		assert_int_equal(weir_ioas_map_file(as, -1, 0, 4096, AT, 3), -EBADF);
		assert_int_equal(weir_ioas_map_file(as, file, 4096, 8192, AT, WEIR_PROT_READ), 0);
		assert_int_equal(fv_maps(), 1);
		assert_int_equal(first(as).source, WEIR_SOURCE_FILE);
		assert_int_equal(first(as).prot, WEIR_PROT_READ);
		assert_int_equal(first(as).page_size, 4096);
		assert_int_equal(first(as).va != NULL, by_va);
		assert_int_equal(unit_maps() > n, by_va);
		assert_int_equal(iommu->pinned, 8192);
		assert_int_equal(weir_ioas_unmap(as, AT, 4096), -EINVAL);
		assert_int_equal(weir_ioas_unmap(as, AT, 8192), 0);
		assert_int_equal(unit_maps(), n);
		assert_int_equal(iommu->pinned, 0);
		/* What is left goes with the address space. */
		assert_int_equal(weir_ioas_map_file(as, file, 0, SIZE, AT, 3), 0);
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
	}
}

/* --- by copy --- */

static void test_copy(void **state)
{
	struct weir_iodev *d, *e;
	struct weir_ioas *a = space(WEIR_MODE_CDEV, 0, &d), *b = space(WEIR_MODE_CDEV, 2, &e);
	char *va = aligned_alloc(4096, SIZE);

	(void)state;
	assert_non_null(va);
	assert_int_equal(weir_ioas_copy(b, AT, a, AT, SIZE, 1), -ENOENT);
	assert_said("copy");
	assert_int_equal(weir_ioas_map(a, va, SIZE, AT, WEIR_PROT_READ), 0);
	assert_int_equal(weir_ioas_copy(b, AT, a, AT, SIZE, WEIR_PROT_RW), -EACCES);
	assert_int_equal(weir_ioas_copy(b, AT, a, AT + 4096, SIZE, 1), -ENOENT);
	assert_int_equal(weir_ioas_copy(b, AT, a, AT, 2 * SIZE, 1), -ENOENT);
	assert_int_equal(weir_ioas_copy(b, AT, a, AT - 4096, SIZE, 1), -ENOENT);
	assert_int_equal(fv_maps(), 1);
	/* All of it elsewhere, then a part of it. */
	assert_int_equal(weir_ioas_copy(b, AT + MIB, a, AT, SIZE, 1), 0);
	assert_int_equal(weir_ioas_copy(b, AT, a, AT + 4096, 8192, 1), 0);
	assert_int_equal(weir_ioas_copy(b, AT + 4096, a, AT, 4096, 1), -EEXIST);
	assert_int_equal(fv_maps(), 3);
	assert_int_equal(fv_pinned(), SIZE);
	assert_int_equal(iommu->pinned, SIZE);
	assert_true(first(b).copied);
	assert_ptr_equal(first(b).va, va + 4096);
	/* The first may go first: what is copied stays. */
	assert_int_equal(weir_ioas_unmap(a, AT, SIZE), 0);
	assert_int_equal(fv_pinned(), SIZE);
	assert_int_equal(iommu->pinned, SIZE);
	assert_int_equal(weir_ioas_unmap(b, AT + MIB, SIZE), 0);
	assert_int_equal(weir_ioas_unmap(b, AT, 8192), 0);
	assert_int_equal(iommu->pinned, 0);
	/* A kernel that will not: said, and nothing is locked twice behind the caller's back. */
	assert_int_equal(weir_ioas_map(a, va, SIZE, AT, WEIR_PROT_RW), 0);
	fake.no_copy = true;
	assert_int_equal(weir_ioas_copy(b, AT, a, AT, SIZE, 1), -EOPNOTSUPP);
	assert_said("map");
	assert_int_equal(iommu->pinned, SIZE);
	weir_iodev_close(d);
	weir_iodev_close(e);
	free(va);
}

/* Files keep an fd for each copy; in modes without copies the memory is mapped again. */
static void test_copy_file(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct weir_iodev *d, *e;
		struct weir_ioas *a = space(modes[i], 0, &d), *b = space(modes[i], 2, &e);

		assert_int_equal(weir_ioas_map_file(a, file, 0, SIZE, AT, 3), 0);
		assert_int_equal(weir_ioas_copy(b, AT, a, AT + 4096, 4096, 3), 0);
		assert_int_equal(weir_ioas_unmap(a, AT, SIZE), 0);
		assert_int_equal(first(b).source, WEIR_SOURCE_FILE);
		assert_int_equal(first(b).copied, modes[i] == WEIR_MODE_CDEV);
		assert_int_equal(fv_maps(), 1);
		weir_iodev_close(d);
		weir_iodev_close(e);
		assert_int_equal(weir_ioas_destroy(a), 0);
		assert_int_equal(weir_ioas_destroy(b), 0);
	}
}

/* The second address space of an arena costs no locked memory, so a limit that is just enough is. */
static void test_arena_once(void **state)
{
	struct rlimit was, just = { .rlim_cur = MIB + 4096, .rlim_max = RLIM_INFINITY };
	struct weir_iodev *d, *e;
	struct weir_ioas *a = space(WEIR_MODE_CDEV, 0, &d), *b = space(WEIR_MODE_CDEV, 2, &e);
	struct weir_arena *ar = arena();
	struct weir_dma dma;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &was), 0);
	just.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &just), 0);
	assert_int_equal(weir_ioas_map_arenas(a, &dma), 0);
	assert_int_equal(weir_ioas_map_arenas(b, &dma), 0);
	assert_false(first(a).copied);
	assert_true(first(b).copied);
	assert_int_equal(fv_pinned(), MIB);
	assert_int_equal(iommu->pinned, MIB);
	assert_int_equal(weir_ioas_map_file(a, file, 0, SIZE, AT - SIZE, 3), -ENOMEM);
	assert_said("memlock");
	/* Where the kernel copies nothing it has to be locked again, and that is too much. */
	assert_int_equal(weir_ioas_unmap_arena(b, ar), 0);
	fake.no_copy = true;
	assert_int_equal(weir_ioas_map_arenas(b, &dma), -ENOMEM);
	assert_said("memlock");
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &was), 0);
	assert_int_equal(weir_ioas_map_arenas(b, &dma), 0);
	assert_int_equal(fv_pinned(), 2 * MIB);
	weir_iodev_close(d);
	weir_iodev_close(e);
}

/* An arena that goes is nowhere mapped any more. */
static void test_arena_gone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct weir_arena *one = arena(), *two = arena();
		struct weir_iodev *d, *e;
		struct weir_ioas *a = space(modes[i], 0, &d), *b = space(modes[i], 2, &e);
		struct weir_dma dma;

		assert_int_equal(weir_ioas_map_arenas(a, &dma), 0);
		assert_int_equal(weir_ioas_map_arenas(b, &dma), 0);
		assert_int_equal(fv_maps(), 4);
		weir_arena_destroy(one);
		assert_int_equal(fv_maps(), 2);
		assert_ptr_equal(first(a).va, weir_arena_info(two).base);
		weir_arena_destroy(two);
		assert_int_equal(fv_maps(), 0);
		assert_int_equal(iommu->pinned, 0);
		weir_iodev_close(d);
		weir_iodev_close(e);
		assert_int_equal(weir_ioas_destroy(a), 0);
		assert_int_equal(weir_ioas_destroy(b), 0);
	}
}

/* --- moving --- */

static void test_move(void **state)
{
	struct weir_iodev *d, *e;
	struct weir_ioas *a = space(WEIR_MODE_CDEV, 0, &d), *b, *c;
	struct weir_dma dma;
	uint32_t x;

	(void)state;
	arena();
	assert_int_equal(weir_ioas_map_arenas(a, &dma), 0);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &b), 0);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &c), 0);
	assert_int_equal(weir_iodev_pasid_attach(d, c, &x), 0);
	assert_int_equal(weir_ioas_clone(b, a), 0);
	assert_int_equal(first(b).iova, first(a).iova);
	assert_int_equal(fv_pinned(), MIB);
	assert_int_equal(weir_ioas_clone(b, a), -EEXIST);
	assert_int_equal(weir_iodev_move(d, b), 0);
	assert_ptr_equal(weir_iodev_ioas(d), b);
	assert_ptr_equal(weir_iodev_pasid_ioas(d, x), c);
	assert_int_equal(weir_ioas_devices(a), 0);
	assert_int_equal(weir_ioas_devices(b), 1);
	assert_int_equal(fv_hwpt(fake.devs[0].iommufd, fake.devs[0].pt)->pt, weir_ioas_id(b));
	assert_int_equal(fv_live_hwpts(), 2);
	assert_int_equal(weir_ioas_destroy(a), 0);
	/* To where it is already. */
	assert_int_equal(weir_iodev_move(d, b), 0);
	assert_int_equal(fv_live_hwpts(), 2);
	/* The PASID, onto the device's own table. */
	assert_int_equal(weir_iodev_pasid_move(d, x + 1, b), -EINVAL);
	assert_int_equal(weir_iodev_pasid_move(d, x, b), 0);
	assert_ptr_equal(weir_iodev_pasid_ioas(d, x), b);
	assert_int_equal(fv_live_hwpts(), 1);
	assert_int_equal(weir_ioas_destroy(b), -EBUSY);
	/* One that cannot send PASIDs stands on the IOAS itself. */
	e = open_dev(2, WEIR_MODE_CDEV);
	assert_int_equal(weir_iodev_move(e, b), -EINVAL);
	assert_int_equal(weir_iodev_attach(e, b), 0);
	assert_int_equal(weir_iodev_move(e, c), 0);
	assert_int_equal(fake.devs[2].pt, weir_ioas_id(c));
	/* A kernel that refuses: the device is where it was. */
	fake.no_replace = true;
	assert_int_equal(weir_iodev_move(e, b), -EBUSY);
	assert_said("attach");
	assert_ptr_equal(weir_iodev_ioas(e), c);
	assert_int_equal(weir_iodev_move(d, c), -EBUSY);
	assert_ptr_equal(weir_iodev_ioas(d), b);
	assert_int_equal(fv_live_hwpts(), 1);
	weir_iodev_close(e);
	weir_iodev_close(d);
}

static void test_move_not_in_group_mode(void **state)
{
	struct weir_iodev *d;
	struct weir_ioas *a = space(WEIR_MODE_GROUP, 0, &d), *b;

	(void)state;
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_GROUP, &b), 0);
	assert_int_equal(weir_iodev_move(d, b), -EOPNOTSUPP);
	assert_said("move");
	assert_text("detach it and all devices that share its group");
	assert_ptr_equal(weir_iodev_ioas(d), a);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &b), 0);
	assert_int_equal(weir_iodev_move(d, b), -EINVAL);
	weir_iodev_close(d);
}

/* --- peer to peer --- */

static void test_bar(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct weir_iodev *d, *e;
		struct weir_ioas *a = space(modes[i], 0, &d), *b = space(modes[i], 2, &e);
		unsigned n = unit_maps(), fds = unit_fds();

		assert_int_equal(weir_ioas_map_bar(a, e, 0, FV_BAR - 4096, 8192, AT, 3), -EINVAL);
		assert_said("map-bar");
		assert_int_equal(weir_ioas_map_bar(a, e, 9, 0, 4096, AT, 3), -EINVAL);
		assert_int_equal(weir_ioas_map_bar(a, e, 0, 0x10000, 8192, AT, 3), 0);
		assert_int_equal(first(a).source, WEIR_SOURCE_BAR);
		assert_int_equal(fv_maps(), 1);
		assert_int_equal(iommu->pinned, 0);
		assert_int_equal(weir_ioas_unmap(a, AT, 8192), 0);
		assert_int_equal(unit_maps(), n);
		assert_int_equal(unit_fds(), fds);
		/* The device takes its registers with it. */
		assert_int_equal(weir_ioas_map_bar(a, e, 0, 0, 4096, AT, 3), 0);
		weir_iodev_close(e);
		assert_int_equal(fv_maps(), 0);
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(a), 0);
		assert_int_equal(weir_ioas_destroy(b), 0);
	}
}

static void test_no_bar(void **state)
{
	struct weir_iodev *d, *e;
	struct weir_ioas *a = space(WEIR_MODE_CDEV, 0, &d), *b = space(WEIR_MODE_GROUP, 2, &e);

	(void)state;
	assert_int_equal(weir_ioas_map_bar(a, e, 0, 0, 4096, AT, 3), -EOPNOTSUPP);
	assert_said("map-bar");
	assert_int_equal(weir_ioas_map_bar(b, d, 0, 0, 4096, AT, 3), -EOPNOTSUPP);
	fake.no_dmabuf = true;
	assert_int_equal(weir_ioas_map_bar(a, d, 0, 0, 4096, AT, 3), -EOPNOTSUPP);
	assert_said("map-bar");
	assert_text("CONFIG_VFIO_PCI_DMABUF");
	assert_int_equal(fv_maps(), 0);
	weir_iodev_close(d);
	weir_iodev_close(e);
}

/* --- pages --- */

static void test_alignment(void **state)
{
	struct weir_iodev *d;
	struct weir_ioas *as = space(WEIR_MODE_CDEV, 0, &d);
	char *va = aligned_alloc(4096, SIZE);
	weir_iova_t at;

	(void)state;
	assert_non_null(va);
	/* Something small in the way of whatever comes next. */
	assert_int_equal(weir_ioas_alloc_iova(as, SIZE, 1, &at), 0);
	assert_int_equal(weir_ioas_map(as, va, SIZE, at, 3), 0);
	assert_int_equal(weir_ioas_alloc_iova(as, SIZE, 1, &at), 0);
	assert_int_equal(at & 4095, 0);
	assert_int_not_equal(at & ((2u << 20) - 1), 0);
	assert_int_equal(weir_ioas_alloc_iova(as, 2u << 20, 1, &at), 0);
	assert_int_equal(at & ((2u << 20) - 1), 0);
	assert_int_not_equal(at & ((1u << 30) - 1), 0);
	assert_int_equal(weir_ioas_alloc_iova(as, 3ull << 30, 4096, &at), 0);
	assert_int_equal(at & ((1u << 30) - 1), 0);
	/* No room for it so: less well aligned is better than nothing. */
	fake.ranges[0] = (struct uapi_iova_range){ 0x100000, 0x100000 + (2u << 20) - 1 };
	fake.n_ranges = 1;
	assert_int_equal(weir_ioas_alloc_iova(as, 2u << 20, 1, &at), 0);
	assert_int_equal(at, 0x100000);
	weir_iodev_close(d);
	free(va);
}

/* What is sure, from the sizes that the IOMMU has, those of the memory, and how both are aligned. */
static void test_iommu_pages(void **state)
{
	static const struct {
		uint64_t iova, off, len, page, sizes, want;
	} rows[] = {
		{ 4ull << 30, 0, 1ull << 30, 1ull << 30, 0x40201000, 1ull << 30 },
		{ 4ull << 30, 0, 1ull << 30, 1ull << 30, 0x201000, 2u << 20 },
		{ 4ull << 30, 0, 1ull << 30, 2u << 20, 0x40201000, 2u << 20 },
		{ 4ull << 30, 0, 4u << 20, 2u << 20, 0x1000, 4096 },
		{ (4ull << 30) + MIB, MIB, 3u << 20, 2u << 20, 0x201000, 2u << 20 },
		{ (4ull << 30) + MIB, 0, 8u << 20, 2u << 20, 0x201000, 4096 },
		{ (4ull << 30) + MIB, MIB, 2u << 20, 2u << 20, 0x201000, 4096 },
		{ 4ull << 30, 0, 8u << 20, 4096, 0x201000, 4096 },
		{ 4ull << 30, 0, 8u << 20, 2u << 20, 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		struct weir_iova_map m = { .iova = rows[i].iova,
					   .len = rows[i].len,
					   .off = rows[i].off };
		struct weir_ioas as = { .page_sizes = rows[i].sizes };

		assert_int_equal(weir_map_iommu_page(&as, &m, rows[i].page), rows[i].want);
	}
}

/* Two IOMMUs under one address space: what both have. */
static void test_page_sizes(void **state)
{
	struct weir_iodev *d, *e = open_dev(2, WEIR_MODE_CDEV);
	struct weir_ioas *as = space(WEIR_MODE_CDEV, 0, &d);

	(void)state;
	assert_int_equal(as->page_sizes, 0x40201000);
	fake.vtd_cap = 1ull << 34;
	assert_int_equal(weir_iodev_attach(e, as), 0);
	assert_int_equal(as->page_sizes, 0x201000);
	weir_iodev_close(d);
	assert_int_equal(as->page_sizes, 0x201000);
	weir_iodev_close(e);
	assert_int_equal(as->page_sizes, 0);
}

/* --- the sweep --- */

static int all_ways(enum weir_mode mode)
{
	struct weir_iodev *d = NULL, *e = NULL;
	struct weir_ioas *a, *b, *c;
	struct weir_arena *ar;
	struct weir_dma dma;
	int err;

	w = NULL;
	iommu = NULL;
	err = fs_try_weir(&w);
	if (!err)
		err = weir_arena_create(w, MIB, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &ar);
	if (!err)
		err = weir_iommu_open(w, &iommu);
	if (!err)
		err = weir_ioas_create(iommu, mode, &a);
	if (!err)
		err = weir_ioas_create(iommu, mode, &b);
	if (!err)
		err = try_open(0, mode, &d);
	if (!err)
		err = try_open(2, mode, &e);
	if (!err)
		err = weir_iodev_attach(d, a);
	if (!err)
		err = weir_iodev_attach(e, b);
	if (!err)
		err = weir_ioas_map_arenas(a, &dma);
	if (!err)
		err = weir_ioas_map_arenas(b, &dma);
	if (!err)
		err = weir_ioas_map_file(a, file, 0, SIZE, 1u << 30, 3);
	if (!err)
		err = weir_ioas_map_bar(a, e, 0, 0, 4096, (1u << 30) + MIB, 3);
	if (!err)
		err = weir_ioas_copy(b, 1u << 30, a, 1u << 30, 4096, 1);
	if (!err)
		err = weir_ioas_create(iommu, mode, &c);
	if (!err && mode == WEIR_MODE_CDEV)
		err = weir_ioas_clone(c, b);
	if (!err && mode == WEIR_MODE_CDEV)
		err = weir_iodev_move(d, c);
	weir_iodev_close(d);
	weir_iodev_close(e);
	weir_iommu_close(iommu);
	weir_close(w);
	return err;
}

static int sweep_setup(void **state)
{
	int err = setup(state);

	weir_iommu_close(iommu);
	weir_close(w);
	return err;
}

static int sweep_teardown(void **state)
{
	(void)state;
	close(file);
	fs_end();
	return 0;
}

static void sweep(enum weir_mode mode)
{
	unsigned n, failures = 0, fds = unit_fds(), maps = unit_maps();

	fake.armed = true;
	fake.fail_errno = EIO;
	for (n = 1;; n++) {
		int err;

		fake.calls = 0;
		fake.fail_at = n;
		fake.failed[0] = '\0';
		unit_hush();
		err = all_ways(mode);
		if (fake.calls < n)
			break;
		if (err && !said.n && err != -ENOMEM)
			fail_msg("call %u (%s): %d without a word", n, fake.failed, err);
		failures += err != 0;
		fake.fail_at = 0;
		if (fv_live_fds() || fv_live_spaces() || fv_live_hwpts() || unit_fds() != fds ||
		    unit_maps() != maps)
			fail_msg("call %u (%s) left: fds %u %u/%u, spaces %u, tables %u, maps "
				 "%u/%u",
				 n, fake.failed, fv_live_fds(), unit_fds(), fds, fv_live_spaces(),
				 fv_live_hwpts(), unit_maps(), maps);
	}
	fake.armed = false;
	print_message("%u calls, %u failed the whole\n", n - 1, failures);
	assert_true(n > 60 && failures > 35);
}

static void test_sweep_cdev(void **state)
{
	(void)state;
	sweep(WEIR_MODE_CDEV);
}

static void test_sweep_group(void **state)
{
	(void)state;
	sweep(WEIR_MODE_GROUP);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_file),
		T(test_copy),
		T(test_copy_file),
		T(test_arena_once),
		T(test_arena_gone),
		T(test_move),
		T(test_move_not_in_group_mode),
		T(test_bar),
		T(test_no_bar),
		T(test_alignment),
		T(test_iommu_pages),
		T(test_page_sizes),
		cmocka_unit_test_setup_teardown(test_sweep_cdev, sweep_setup, sweep_teardown),
		cmocka_unit_test_setup_teardown(test_sweep_group, sweep_setup, sweep_teardown),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
