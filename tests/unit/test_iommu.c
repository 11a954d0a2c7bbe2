/* SPDX-License-Identifier: BSD-3-Clause */
/* Address spaces and devices over both backends, on a model of the kernel. */
#include "iommu_env.h"

#include "iommu/internal.h"
#include "pci/pci.h"

#include <sys/resource.h>

static int setup(void **state)
{
	(void)state;
	fv_begin();
	return env_begin();
}

static int teardown(void **state)
{
	(void)state;
	return env_end();
}

static const enum weir_mode modes[] = { WEIR_MODE_CDEV, WEIR_MODE_GROUP, WEIR_MODE_COMPAT,
					WEIR_MODE_TYPE1 };
#define MODES WEIR_ARRAY_SIZE(modes)

/* The modes that claim whole groups; whether mappings outlive the groups. */
static const struct {
	enum weir_mode mode;
	bool lasting;
} group_modes[] = {
	{ WEIR_MODE_GROUP, false },
	{ WEIR_MODE_COMPAT, true },
	{ WEIR_MODE_TYPE1, false },
};

static int try_dev(unsigned i, enum weir_mode mode)
{
	struct weir_iodev *d = NULL;
	char dir[PATH_MAX];
	int err;

	weir_pci_sysdev(w, fv_bdf[i], dir, sizeof(dir));
	unit_hush();
	err = weir_iodev_open(iommu, dir, mode, &d);
	if (err)
		assert_null(d);
	else
		weir_iodev_close(d);
	return err;
}

static struct weir_arena *arena(void)
{
	struct weir_arena *a;

	assert_int_equal(weir_arena_create(w, 1u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &a),
			 0);
	return a;
}

static void test_mode_names(void **state)
{
	enum weir_mode m;

	(void)state;
	for (unsigned i = 0; i < WEIR_MODE_MAX; i++) {
		assert_int_equal(weir_mode_parse(weir_mode_name(i), &m), 0);
		assert_int_equal(m, i);
	}
	assert_int_equal(weir_mode_parse("", &m), -EINVAL);
	assert_int_equal(weir_mode_parse("cde", &m), -EINVAL);
	assert_int_equal(weir_mode_parse("noiommux", &m), -EINVAL);
	assert_string_equal(weir_mode_name(99), "?");
}

/* A space with a device on it, in each mode. */
static struct weir_ioas *space(enum weir_mode mode, struct weir_iodev **d)
{
	struct weir_ioas *as;

	assert_int_equal(weir_ioas_create(iommu, mode, &as), 0);
	*d = open_dev(0, mode);
	assert_int_equal(weir_iodev_attach(*d, as), 0);
	return as;
}

static void test_map(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct weir_iodev *d;
		struct weir_ioas *as = space(modes[m], &d);
		char *va = weir_arena_info(arena()).base;
		const uint64_t at = 1ull << 33;

		assert_int_equal(weir_ioas_map(as, va, 0x10000, at, WEIR_PROT_RW), 0);
		assert_int_equal(fv_maps(), 1);
		/* Overlap, from each side and within. */
		assert_int_equal(weir_ioas_map(as, va, 0x1000, at + 0xf000, WEIR_PROT_RW), -EEXIST);
		assert_said("map-overlap");
		assert_int_equal(weir_ioas_map(as, va, 0x2000, at - 0x1000, WEIR_PROT_RW), -EEXIST);
		assert_int_equal(weir_ioas_map(as, va, 0x40000, at - 0x1000, WEIR_PROT_RW),
				 -EEXIST);
		/* Crooked. */
		assert_int_equal(weir_ioas_map(as, va + 1, 0x1000, at + 0x10000, 3), -EINVAL);
		assert_said("map-align");
		assert_int_equal(weir_ioas_map(as, va, 0x1001, at + 0x10000, 3), -EINVAL);
		assert_int_equal(weir_ioas_map(as, va, 0x1000, at + 0x10001, 3), -EINVAL);
		assert_int_equal(weir_ioas_map(as, va, 0, at + 0x10000, 3), -EINVAL);
		assert_said("map");
		assert_int_equal(weir_ioas_map(as, va, 0x1000, at + 0x10000, 0), -EINVAL);
		assert_int_equal(weir_ioas_map(as, va, 0x1000, at + 0x10000, 4), -EINVAL);
		assert_int_equal(weir_ioas_map(as, va, 0x2000, 0ull - 0x1000, 3), -EINVAL);
		/* The interrupt window, its edges, and past the address width. */
		assert_int_equal(weir_ioas_map(as, va, 0x1000, 0xfee00000, 3), -ERANGE);
		assert_said("map-reserved");
		assert_int_equal(weir_ioas_map(as, va, 0x2000, 0xfedff000, 3), -ERANGE);
		assert_int_equal(weir_ioas_map(as, va, 0x1000, 1ull << 39, 3), -ERANGE);
		assert_int_equal(weir_ioas_map(as, va, 0x1000, 0xfedff000, WEIR_PROT_READ), 0);
		/* Only whole mappings are taken away. */
		assert_int_equal(weir_ioas_unmap(as, at, 0x8000), -EINVAL);
		assert_said("unmap");
		assert_int_equal(weir_ioas_unmap(as, at + 0x1000, 0xf000), -EINVAL);
		assert_int_equal(weir_ioas_unmap(as, at, 0x20000), -EINVAL);
		assert_int_equal(fv_maps(), 2);
		assert_int_equal(weir_ioas_unmap(as, at, 0x10000), 0);
		assert_int_equal(weir_ioas_unmap(as, at, 0x10000), -EINVAL);
		assert_int_equal(fv_maps(), 1);
		/* Busy until the device has gone. */
		assert_int_equal(weir_ioas_destroy(as), -EBUSY);
		assert_said("ioas-busy");
		assert_int_equal(weir_ioas_devices(as), 1);
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
		assert_int_equal(fv_live_spaces(), 0);
	}
}

static void test_kernel_refuses_map(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct weir_iodev *d;
		struct weir_ioas *as = space(modes[m], &d);
		char *va = weir_arena_info(arena()).base;

		fake.armed = true;
		fake.calls = 0;
		fake.fail_errno = ENOMEM;
		/* the mapping itself is the last call */
		for (fake.fail_at = 1;; fake.fail_at++) {
			fake.calls = 0;
			unit_hush();
			if (!weir_ioas_map(as, va, 0x1000, 1ull << 33, WEIR_PROT_RW))
				break;
			assert_int_equal(fv_maps(), 0);
			assert_null(as->maps);
			assert_int_equal(as->mapped, 0);
		}
		fake.armed = false;
		assert_true(fake.fail_at > 2);
		assert_int_equal(as->mapped, 0x1000);
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
	}
}

/* Memory that is no arena's, and a kernel before MAP_FILE, are mapped by address. */
static void test_map_file(void **state)
{
	struct weir_iodev *d;
	struct weir_ioas *as = space(WEIR_MODE_CDEV, &d);
	char *va = weir_arena_info(arena()).base;
	void *other = aligned_alloc(4096, 4096);

	(void)state;
	assert_int_equal(weir_ioas_map(as, va + 4096, 8192, 1ull << 33, WEIR_PROT_RW), 0);
	fake.no_map_file = true;
	assert_int_equal(weir_ioas_map(as, va, 4096, 1ull << 34, WEIR_PROT_RW), 0);
	fake.no_map_file = false;
	assert_int_equal(weir_ioas_map(as, other, 4096, 1ull << 35, WEIR_PROT_RW), 0);
	assert_int_equal(fv_maps(), 3);
	assert_int_equal(said.n, 0);
	weir_iodev_close(d);
	assert_int_equal(weir_ioas_destroy(as), 0);
	free(other);
}

static void test_memlock(void **state)
{
	struct rlimit was, low;
	struct weir_iodev *d;
	struct weir_ioas *as = space(WEIR_MODE_CDEV, &d);
	char *va = weir_arena_info(arena()).base;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &was), 0);
	low = (struct rlimit){ .rlim_cur = 64 << 10, .rlim_max = was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	assert_int_equal(weir_ioas_map(as, va, 60 << 10, 1ull << 33, WEIR_PROT_RW), 0);
	/* What is mapped already counts. */
	assert_int_equal(weir_ioas_map(as, va, 8 << 10, 1ull << 34, WEIR_PROT_RW), -ENOMEM);
	assert_said("memlock");
	assert_text("LimitMEMLOCK=68K");
	assert_text("ulimit -l 68");
	assert_text("limit is 64 KiB");
	assert_int_equal(fv_maps(), 1);
	/* Who has CAP_IPC_LOCK is not bound. */
	fs_put("CapEff:\t0000000000004000\n", "proc/self/status");
	assert_int_equal(weir_ioas_map(as, va, 8 << 10, 1ull << 34, WEIR_PROT_RW), 0);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &was), 0);
	weir_iodev_close(d);
}

/* The list of ranges grows while it is being read. */
static void test_growing_ranges(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct weir_iova_range r[80];
		struct weir_iodev *d;
		struct weir_ioas *as = space(modes[m], &d);
		uint64_t align;
		int n;

		fake.growing = 3;
		n = weir_ioas_ranges(as, r, 80, &align);
		assert_int_equal(n, fake.n_ranges);
		for (int i = 0; i < n; i++)
			assert_int_equal(r[i].last, fake.ranges[i].last);
		assert_int_equal(align, 4096);
		/* Less room than there are. */
		memset(r, 0xff, sizeof(r));
		assert_int_equal(weir_ioas_ranges(as, r, 1, &align), n);
		assert_int_equal(r[1].start, UINT64_MAX);
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
	}
}

static void test_old_type1(void **state)
{
	struct weir_iova_range r[4];
	struct weir_iodev *d;
	struct weir_ioas *as = space(WEIR_MODE_GROUP, &d);
	uint64_t align;

	(void)state;
	/* All bits from 4 KiB up: that says nothing about the tables. */
	assert_int_equal(weir_ioas_ranges(as, r, 4, &align), 2);
	assert_int_equal(as->page_sizes, 0);
	/* Large pages only: mappings must keep to them. */
	fake.page_sizes = 0x200000 | 1u << 30;
	assert_int_equal(weir_ioas_ranges(as, r, 4, &align), 2);
	assert_int_equal(align, 0x200000);
	assert_int_equal(as->page_sizes, 0x40200000);
	/* A kernel that tells no ranges. */
	fake.no_caps = true;
	assert_int_equal(weir_ioas_ranges(as, r, 4, &align), 1);
	assert_int_equal(r[0].start, 1ull << 32);
	weir_iodev_close(d);
}

static void test_alloc_iova(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct weir_iodev *d;
		struct weir_ioas *as = space(modes[m], &d);
		struct weir_arena *a = arena();
		weir_iova_t at, prev = 0;
		struct weir_dma dma;

		assert_int_equal(weir_ioas_map_arenas(as, &dma), 0);
		assert_ptr_equal(dma.va_base, weir_window(w).base);
		assert_int_equal(dma.iova_base % (1u << 30), 0);
		for (unsigned i = 0; i < 4; i++) {
			/* Never where the window lies: an arena may come there yet. */
			assert_int_equal(weir_ioas_alloc_iova(as, 4096, 4096, &at), 0);
			assert_true(at > prev);
			assert_true(at + 4096 <= dma.iova_base ||
				    at >= dma.iova_base + weir_window(w).size);
			assert_int_equal(weir_ioas_map(as, weir_arena_info(a).base, 4096, at, 1),
					 0);
			prev = at;
		}
		assert_int_equal(weir_ioas_alloc_iova(as, 1ull << 40, 4096, &at), -ENOSPC);
		assert_said("iova-full");
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
		weir_arena_destroy(a);
	}
}

static void test_map_arenas(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct weir_iodev *d;
		struct weir_ioas *as = space(modes[m], &d);
		struct weir_arena *a = arena(), *b;
		struct weir_dma dma, again;
		unsigned before = fv_maps();

		assert_int_equal(weir_ioas_map_arenas(as, &dma), 0);
		assert_int_equal(fv_maps(), before + 1);
		/* A second arena, later: the first is not mapped twice. */
		b = arena();
		assert_int_equal(weir_ioas_map_arenas(as, &again), 0);
		assert_int_equal(fv_maps(), before + 2);
		assert_int_equal(again.iova_base, dma.iova_base);
		assert_int_equal(weir_dma_iova(&dma, weir_arena_info(b).base) - dma.iova_base,
				 weir_arena_info(b).base - weir_window(w).base);
		assert_int_equal(weir_ioas_unmap_arena(as, a), 0);
		assert_int_equal(weir_ioas_unmap_arena(as, a), -EINVAL);
		weir_arena_destroy(a);
		/* Something else lies where an arena must go: said, not skipped. */
		assert_int_equal(weir_ioas_map(as, weir_arena_info(b).base, 4096, dma.iova_base, 3),
				 0);
		a = arena();
		assert_ptr_equal(weir_arena_info(a).base, weir_window(w).base);
		unit_hush();
		assert_int_equal(weir_ioas_map_arenas(as, &again), -EEXIST);
		assert_said("map-overlap");
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
		weir_arena_destroy(a);
		weir_arena_destroy(b);
	}
}

/* --- devices --- */

static void test_states(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct weir_ioas *as, *other;
		struct weir_region r;
		struct weir_iodev *d = open_dev(0, modes[m]);
		uint32_t v = 0;

		assert_int_equal(weir_iodev_mode(d), modes[m]);
		/* Not attached: no region, no interrupt, no reset. */
		assert_int_equal(weir_iodev_region(d, 0, &r), -ENODEV);
		assert_said("not-attached");
		assert_int_equal(weir_iodev_read(d, 7, 0, &v, 4), -ENODEV);
		assert_int_equal(weir_iodev_irq_count(d, WEIR_IRQ_MSIX), -ENODEV);
		assert_int_equal(weir_iodev_irq_set(d, WEIR_IRQ_MSIX, 0, NULL), -ENODEV);
		assert_int_equal(weir_iodev_reset(d), -ENODEV);
		assert_int_equal(weir_iodev_detach(d), 0);
		/* An address space of the other mode. */
		assert_int_equal(weir_ioas_create(iommu, modes[(m + 1) % MODES], &other), 0);
		assert_int_equal(weir_iodev_attach(d, other), -EINVAL);
		assert_said("attach");
		assert_int_equal(weir_ioas_destroy(other), 0);
		assert_int_equal(weir_ioas_default(iommu, modes[m], &as), 0);
		assert_int_equal(weir_iodev_attach(d, as), 0);
		assert_ptr_equal(weir_iodev_ioas(d), as);
		assert_int_equal(weir_iodev_attach(d, as), -EBUSY);
		assert_int_equal(weir_iodev_irq_count(d, WEIR_IRQ_MSIX), FV_VECTORS);
		/* Config space: to its last byte and not past it; no overflow. */
		assert_int_equal(weir_iodev_read(d, 7, 4092, &v, 4), 0);
		assert_int_equal(weir_iodev_read(d, 7, 4093, &v, 4), -EINVAL);
		assert_int_equal(weir_iodev_read(d, 7, UINT64_MAX, &v, 4), -EINVAL);
		assert_int_equal(weir_iodev_read(d, 8, 0, &v, 1), -EINVAL);
		assert_int_equal(weir_iodev_read(d, 9, 0, &v, 1), -EINVAL);
		assert_int_equal(weir_iodev_read(d, UINT32_MAX, 0, &v, 1), -EINVAL);
		assert_int_equal(weir_iodev_detach(d), 0);
		assert_int_equal(weir_iodev_detach(d), 0);
		assert_int_equal(weir_iodev_region(d, 0, &r), -ENODEV);
		weir_iodev_close(d);
	}
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_AUTO, &(struct weir_ioas *){ NULL }),
			 -EINVAL);
	assert_int_equal(weir_ioas_default(iommu, 17, &(struct weir_ioas *){ NULL }), -EINVAL);
}

/* The wrong order: said, and the device goes on until it is closed. */
static void test_closed_early(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct weir_iodev *d = open_dev(0, modes[m]);
		struct weir_ioas *as;
		uint32_t v = 0;

		assert_int_equal(weir_ioas_default(iommu, modes[m], &as), 0);
		assert_int_equal(weir_iodev_attach(d, as), 0);
		weir_iommu_close(iommu);
		assert_said("iommu-busy");
		assert_int_equal(weir_iodev_read(d, 7, 0, &v, 4), 0);
		weir_iodev_close(d);
		fv_check_empty();
		assert_int_equal(unit_fds(), env_fds);
		assert_int_equal(weir_iommu_open(w, &iommu), 0);
	}
}

/* Somebody else has the device, or its group. */
static void test_busy(void **state)
{
	struct weir_iodev *d;
	struct weir_iommu *other = iommu;

	(void)state;
	d = open_dev(0, WEIR_MODE_CDEV);
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	assert_int_equal(try_dev(0, WEIR_MODE_CDEV), -EBUSY);
	assert_said("cdev-bind");
	assert_int_equal(try_dev(0, WEIR_MODE_AUTO), -EBUSY);
	weir_iodev_close(d);
	weir_iommu_close(iommu);
	iommu = other;
	d = open_dev(0, WEIR_MODE_GROUP);
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	assert_int_equal(try_dev(1, WEIR_MODE_GROUP), -EBUSY);
	assert_said("group-open");
	assert_text("another process");
	weir_iommu_close(iommu);
	iommu = other;
	weir_iodev_close(d);
}

static void test_not_viable(void **state)
{
	(void)state;
	/* By the kernel's word, and by sysfs'. */
	fake.groups[5].not_viable = true;
	assert_int_equal(try_dev(0, WEIR_MODE_GROUP), -EBUSY);
	assert_said("group-not-viable");
	fs_drive("0000:03:00.1", "igb");
	fs_dir(fs_dev("0000:03:00.1", "net/eth3"));
	assert_int_equal(try_dev(0, WEIR_MODE_GROUP), -EBUSY);
	assert_said("group-not-viable");
	assert_text("0000:03:00.1 (igb, eth3)");
	assert_int_equal(fv_live_fds(), 0);
}

static void test_no_type1(void **state)
{
	struct weir_ioas *as = NULL;

	(void)state;
	fake.no_type1v2 = true;
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_GROUP, &as), -EOPNOTSUPP);
	assert_said("container-type");
	assert_text("modprobe vfio_iommu_type1");
	assert_int_equal(fv_live_fds(), 0);
}

/* Two devices of one group share the address space, and the last one out takes the group along. */
static void one_group_in(enum weir_mode mode, bool lasting)
{
	struct weir_iodev *a = open_dev(0, mode), *b = open_dev(1, mode);
	struct weir_ioas *as, *other;
	struct weir_dma dma;

	assert_int_equal(weir_ioas_create(iommu, mode, &as), 0);
	assert_int_equal(weir_ioas_create(iommu, mode, &other), 0);
	assert_int_equal(weir_iodev_attach(a, as), 0);
	assert_int_equal(weir_iodev_attach(b, other), -EBUSY);
	assert_said("group-shared");
	assert_int_equal(weir_iodev_attach(b, as), 0);
	assert_int_equal(weir_ioas_devices(as), 2);
	assert_int_equal(weir_ioas_map_arenas(as, &dma), 0);
	weir_iodev_close(a);
	assert_int_equal(fv_maps(), 1);
	weir_iodev_close(b);
	assert_int_equal(fv_live_spaces(), lasting);
	assert_int_equal(weir_ioas_destroy(as), 0);
	assert_int_equal(weir_ioas_destroy(other), 0);
}

/* Two groups in one container; then none, and in again: the mappings are there as before. */
static void two_groups_in(enum weir_mode mode, bool lasting)
{
	struct weir_iodev *a = open_dev(0, mode), *b = open_dev(2, mode);
	struct weir_ioas *as;
	struct weir_dma dma, again;

	assert_int_equal(weir_ioas_default(iommu, mode, &as), 0);
	/* Before any device: no ranges, but a mapping may be asked for. */
	assert_int_equal(weir_ioas_ranges(as, NULL, 0, &(uint64_t){ 0 }), -EAGAIN);
	assert_said("ioas-empty");
	assert_int_equal(weir_ioas_map(as, weir_window(w).base, 4096, 1ull << 38, 3), 0);
	assert_int_equal(weir_ioas_map(as, weir_window(w).base, 4096, 1ull << 38, 3), -EEXIST);
	assert_int_equal(weir_iodev_attach(a, as), 0);
	assert_int_equal(weir_iodev_attach(b, as), 0);
	assert_int_equal(fv_groups_in(as->fd), 2);
	assert_int_equal(weir_ioas_map_arenas(as, &dma), 0);
	assert_int_equal(fv_maps(), 2);
	assert_int_equal(weir_iodev_detach(a), 0);
	assert_int_equal(fv_maps(), 2);
	assert_int_equal(weir_iodev_detach(b), 0);
	assert_int_equal(fv_live_spaces(), lasting);
	/* Unmapping while nobody is in takes it out of the book alone. */
	assert_int_equal(weir_ioas_unmap(as, 1ull << 38, 4096), 0);
	assert_int_equal(fv_maps(), lasting);
	assert_int_equal(weir_iodev_attach(b, as), 0);
	assert_int_equal(fv_maps(), 1);
	assert_int_equal(weir_ioas_map_arenas(as, &again), 0);
	assert_int_equal(again.iova_base, dma.iova_base);
	assert_int_equal(fv_maps(), 1);
	weir_iodev_close(a);
	weir_iodev_close(b);
	assert_int_equal(weir_ioas_destroy(as), 0);
}

/* A mapping asked for before the first device, where this device's IOMMU has a hole. */
static void early_map_in_hole_in(enum weir_mode mode, bool lasting)
{
	struct weir_iodev *d = open_dev(0, mode);
	struct weir_ioas *as;

	assert_int_equal(weir_ioas_default(iommu, mode, &as), 0);
	assert_int_equal(weir_ioas_map(as, weir_window(w).base, 4096, 0xfee00000, 3), 0);
	assert_true(weir_iodev_attach(d, as) < 0);
	assert_said("attach");
	assert_int_equal(weir_ioas_devices(as), 0);
	assert_int_equal(fv_live_spaces(), lasting);
	assert_int_equal(weir_ioas_unmap(as, 0xfee00000, 4096), 0);
	assert_int_equal(weir_iodev_attach(d, as), 0);
	weir_iodev_close(d);
	assert_int_equal(weir_ioas_destroy(as), 0);
}

static void test_groups(void **state)
{
	struct weir_arena *a = arena();

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(group_modes); i++) {
		one_group_in(group_modes[i].mode, group_modes[i].lasting);
		two_groups_in(group_modes[i].mode, group_modes[i].lasting);
		early_map_in_hole_in(group_modes[i].mode, group_modes[i].lasting);
	}
	weir_arena_destroy(a);
}

/* A group that the kernel does not let out stays where it is, in our book too. */
static void test_group_stays(void **state)
{
	struct weir_iodev *d = open_dev(0, WEIR_MODE_GROUP);
	struct weir_ioas *as, *other;

	(void)state;
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_GROUP, &as), 0);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_GROUP, &other), 0);
	assert_int_equal(weir_iodev_attach(d, as), 0);
	fake.unset_fails = true;
	unit_hush();
	assert_int_equal(weir_iodev_detach(d), -EINVAL);
	assert_int_equal(weir_iodev_attach(d, other), -EBUSY);
	assert_said("group-shared");
	/* It can be used where it is. */
	assert_int_equal(weir_iodev_attach(d, as), 0);
	weir_iodev_close(d);
	fake.unset_fails = false;
	assert_int_equal(weir_ioas_destroy(as), 0);
	assert_int_equal(weir_ioas_destroy(other), 0);
}

/* --- no IOMMU --- */

static void test_noiommu_asked(void **state)
{
	struct weir_mode_report r;
	char dir[PATH_MAX];

	(void)state;
	weir_pci_sysdev(w, fv_bdf[0], dir, sizeof(dir));
	/* There is an IOMMU: nobody goes without. */
	assert_int_equal(try_dev(0, WEIR_MODE_NOIOMMU), -EOPNOTSUPP);
	assert_said("has-iommu");
	fv_no_iommu();
	weir_mode_probe(w, dir, &r);
	assert_int_equal(r.usable[WEIR_MODE_NOIOMMU], 0);
	for (unsigned m = 0; m < MODES; m++)
		assert_string_equal(r.id[modes[m]], "no-iommu");
	/* It could be used, and is not chosen. */
	assert_int_equal(r.chosen, WEIR_MODE_AUTO);
	assert_int_equal(try_dev(0, WEIR_MODE_AUTO), -ENODEV);
	assert_said("no-iommu");
	assert_int_equal(try_dev(0, WEIR_MODE_NOIOMMU), 0);
	/* Without the right to. */
	fs_put("CapEff:\t0000000000000000\n", "proc/self/status");
	assert_int_equal(try_dev(0, WEIR_MODE_NOIOMMU), -EPERM);
	assert_said("noiommu-caps");
	fs_put("CapEff:\t0000000000020000\n", "proc/self/status");
	assert_int_equal(try_dev(0, WEIR_MODE_NOIOMMU), -EPERM);
	fs_put("CapEff:\t0000000000220000\n", "proc/self/status");
	assert_int_equal(try_dev(0, WEIR_MODE_NOIOMMU), 0);
	/* The kernel was not told to allow it when the device was bound. */
	fs_remove(fs_dev("0000:03:00.0", "iommu_group"));
	assert_int_equal(try_dev(0, WEIR_MODE_NOIOMMU), -EPERM);
	assert_said("noiommu-off");
	assert_text("enable_unsafe_noiommu_mode");
	fs_remove(fs_dev("0000:03:00.0", "driver"));
	assert_int_equal(try_dev(0, WEIR_MODE_NOIOMMU), -ENODEV);
	assert_said("not-bound");
}

/* What the device is told is what pagemap says. */
static void test_noiommu_addresses(void **state)
{
	struct weir_arena *a, *b;
	struct weir_iodev *d;
	struct weir_ioas *as;
	struct weir_dma dma;
	weir_iova_t nowhere;
	char *base;

	(void)state;
	fv_no_iommu();
	assert_int_equal(weir_arena_create(w, 8u << 20, WEIR_NODE_ANY, 0, &a), 0);
	assert_int_equal(weir_arena_create(w, 4u << 20, WEIR_NODE_ANY, 0, &b), 0);
	unit_hush();
	as = space(WEIR_MODE_NOIOMMU, &d);
	assert_said("noiommu-unsafe");
	assert_text("0000:03:00.0");
	assert_int_equal(weir_ioas_map_arena(as, a, &dma), 0);
	base = weir_arena_info(a).base;
	for (size_t at = 0; at < 8u << 20; at += 4096 + 64)
		assert_int_equal(weir_dma_iova(&dma, base + at), fv_phys((uintptr_t)base + at));
	assert_true(weir_dma_whole(&dma, base, 2u << 20));
	assert_false(weir_dma_whole(&dma, base + 4096, 2u << 20));
	/* What is not mapped is nowhere. */
	nowhere = weir_dma_iova(&dma, weir_arena_info(b).base);
	assert_true(nowhere >> 63);
	assert_int_equal(weir_ioas_map_arenas(as, &dma), 0);
	assert_int_equal(weir_dma_iova(&dma, weir_arena_info(b).base + 7),
			 fv_phys((uintptr_t)weir_arena_info(b).base + 7));
	assert_int_equal(weir_ioas_unmap_arena(as, b), 0);
	assert_int_equal(weir_dma_iova(&dma, weir_arena_info(b).base), nowhere);
	/* An address cannot be chosen. */
	assert_int_equal(weir_ioas_map(as, base, 2u << 20, 1ull << 40, WEIR_PROT_RW), -EOPNOTSUPP);
	assert_said("noiommu-map");
	assert_int_equal(fv_maps(), 0);
	weir_iodev_close(d);
	assert_int_equal(weir_ioas_destroy(as), 0);
	weir_arena_destroy(a);
	weir_arena_destroy(b);
}

static void test_noiommu_refuses(void **state)
{
	struct weir_arena *small, *huge;
	struct weir_iodev *d;
	struct weir_ioas *as;
	struct weir_dma dma;

	(void)state;
	fv_no_iommu();
	small = arena();
	assert_int_equal(weir_arena_create(w, 4u << 20, WEIR_NODE_ANY, WEIR_ARENA_HUGE_ONLY, &huge),
			 0);
	as = space(WEIR_MODE_NOIOMMU, &d);
	assert_int_equal(weir_ioas_map_arena(as, small, &dma), -ENOMEM);
	assert_said("noiommu-hugepages");
	assert_text("hugeadm");
	fake.pagemap_hidden = true;
	assert_int_equal(weir_ioas_map_arena(as, huge, &dma), -EPERM);
	fake.pagemap_hidden = false;
	fake.pagemap_crooked = true;
	assert_int_equal(weir_ioas_map_arena(as, huge, &dma), -EFAULT);
	fake.pagemap_crooked = false;
	assert_true(weir_dma_iova(&dma, weir_arena_info(huge).base) >> 63);
	assert_int_equal(weir_ioas_map_arena(as, huge, &dma), 0);
	weir_iodev_close(d);
	assert_int_equal(weir_ioas_destroy(as), 0);
	weir_arena_destroy(small);
	weir_arena_destroy(huge);
}

/* --- the choice of a mode --- */

/* It opens, but there is no address space to be had, or the kernel does not attach it. */
static void test_auto_attach(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct weir_iodev *d = open_dev(0, WEIR_MODE_AUTO);
		const struct weir_mode_report *r = weir_iodev_report(d);
		struct weir_ioas *as;

		if (iommu->dflt[WEIR_MODE_CDEV])
			assert_int_equal(weir_ioas_destroy(iommu->dflt[WEIR_MODE_CDEV]), 0);
		fake.no_ioas = i;
		fake.no_attach = !i;
		assert_int_equal(weir_iodev_attach_default(d, &as), 0);
		assert_int_equal(weir_iodev_mode(d), WEIR_MODE_GROUP);
		assert_int_equal(weir_ioas_mode(as), WEIR_MODE_GROUP);
		assert_int_equal(r->chosen, WEIR_MODE_GROUP);
		assert_int_equal(r->usable[WEIR_MODE_CDEV], i ? -EOPNOTSUPP : -EINVAL);
		assert_string_equal(r->id[WEIR_MODE_CDEV], "refused");
		assert_non_null(strstr(r->why[WEIR_MODE_CDEV], "attach"));
		weir_iodev_close(d);
		/* Not when that mode was asked for. */
		d = open_dev(0, WEIR_MODE_CDEV);
		assert_true(weir_iodev_attach_default(d, &as) < 0);
		assert_int_equal(weir_iodev_mode(d), WEIR_MODE_CDEV);
		weir_iodev_close(d);
		/* And not when no other mode can take it either. */
		d = open_dev(0, WEIR_MODE_AUTO);
		fake.groups[5].not_viable = true;
		assert_true(weir_iodev_attach_default(d, &as) < 0);
		assert_int_equal(weir_iodev_report(d)->chosen, WEIR_MODE_AUTO);
		weir_iodev_close(d);
		fake.groups[5].not_viable = false;
		fake.no_ioas = fake.no_attach = false;
	}
}

static void test_auto(void **state)
{
	const struct weir_mode_report *r;
	struct weir_iodev *d = open_dev(0, WEIR_MODE_AUTO);

	(void)state;
	assert_int_equal(weir_iodev_mode(d), WEIR_MODE_CDEV);
	assert_int_equal(weir_iodev_report(d)->chosen, WEIR_MODE_CDEV);
	weir_iodev_close(d);
	/* It looks usable, but the kernel refuses. */
	fake.cdev_refuses = true;
	d = open_dev(0, WEIR_MODE_AUTO);
	assert_int_equal(weir_iodev_mode(d), WEIR_MODE_GROUP);
	r = weir_iodev_report(d);
	assert_int_equal(r->usable[WEIR_MODE_CDEV], -EPERM);
	assert_string_equal(r->id[WEIR_MODE_CDEV], "refused");
	assert_non_null(strstr(r->why[WEIR_MODE_CDEV], "refused"));
	weir_iodev_close(d);
	fake.cdev_refuses = false;
	/* It is not there. */
	fs_remove("dev/iommu");
	d = open_dev(0, WEIR_MODE_AUTO);
	r = weir_iodev_report(d);
	assert_int_equal(r->chosen, WEIR_MODE_GROUP);
	assert_string_equal(r->id[WEIR_MODE_CDEV], "no-node");
	assert_non_null(strstr(r->why[WEIR_MODE_CDEV], "modprobe iommufd"));
	weir_iodev_close(d);
	assert_int_equal(try_dev(0, WEIR_MODE_CDEV), -ENOENT);
	assert_said("no-node");
	fs_remove("dev/vfio/5");
	assert_true(try_dev(0, WEIR_MODE_AUTO) < 0);
	assert_text("cdev:");
	assert_text("group:");
	fs_remove(fs_dev("0000:03:00.0", "driver"));
	fs_put("", "dev/iommu");
	assert_int_equal(try_dev(0, WEIR_MODE_AUTO), -ENODEV);
	assert_said("not-bound");
	assert_text("weir bind 0000:03:00.0");
	fs_remove(fs_dev("0000:03:00.0", "iommu_group"));
	assert_int_equal(try_dev(0, WEIR_MODE_AUTO), -ENODEV);
	assert_said("no-iommu");
	assert_int_equal(try_dev(0, WEIR_MODE_MAX), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_mode_names),	 T(test_map),		T(test_kernel_refuses_map),
		T(test_map_file),	 T(test_memlock),	T(test_growing_ranges),
		T(test_old_type1),	 T(test_alloc_iova),	T(test_map_arenas),
		T(test_states),		 T(test_closed_early),	T(test_busy),
		T(test_not_viable),	 T(test_no_type1),	T(test_groups),
		T(test_group_stays),	 T(test_noiommu_asked), T(test_noiommu_addresses),
		T(test_noiommu_refuses), T(test_auto),		T(test_auto_attach),
	};

	return cmocka_run_group_tests_name("iommu", tests, NULL, NULL);
}
