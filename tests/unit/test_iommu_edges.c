/* SPDX-License-Identifier: BSD-3-Clause */
/* Objects that do not belong together, and what is left after a failure: on a model of the kernel. */
#include "iommu_env.h"

#include "iommu/internal.h"

#define AT  (1ull << 33)
#define MIB (1u << 20)

static int setup(void **state)
{
	(void)state;
	fv_begin();
	fake.devs[0].pasid_log2 = 8;
	return env_begin();
}

static int teardown(void **state)
{
	(void)state;
	return env_end();
}

static struct weir_ioas *space(struct weir_iommu *at, enum weir_mode mode)
{
	struct weir_ioas *as;

	assert_int_equal(weir_ioas_create(at, mode, &as), 0);
	return as;
}

#define assert_foreign(call)                       \
	do {                                       \
		unit_hush();                       \
		assert_int_equal((call), -EINVAL); \
		assert_said("ioas-place");         \
	} while (0)

/* The kernel's numbers are those of one /dev/iommu: elsewhere they name something else. */
static void test_other_place(void **state)
{
	struct weir_iodev *d = open_dev(0, WEIR_MODE_CDEV), *e = open_dev(1, WEIR_MODE_CDEV);
	struct weir_ioas *as = space(iommu, WEIR_MODE_CDEV), *foreign;
	struct weir_iommu *other;
	struct weir_hwpt *h;
	uint32_t pasid, mine;

	(void)state;
	assert_int_equal(weir_iommu_open(w, &other), 0);
	foreign = space(other, WEIR_MODE_CDEV);
	assert_foreign(weir_iodev_attach(d, foreign));
	assert_int_equal(weir_iodev_attach(d, as), 0);
	assert_foreign(weir_iodev_move(d, foreign));
	assert_foreign(weir_iodev_pasid_attach(d, foreign, &pasid));
	assert_int_equal(weir_iodev_pasid_attach(d, as, &mine), 0);
	assert_foreign(weir_iodev_pasid_move(d, mine, foreign));
	assert_foreign(weir_hwpt_create(d, foreign, NULL, &h));
	assert_int_equal(weir_iodev_attach(e, as), 0);
	assert_foreign(weir_ioas_map_bar(foreign, e, 0, 0, 4096, AT, WEIR_PROT_RW));
	assert_int_equal(weir_ioas_devices(foreign), 0);
	assert_ptr_equal(weir_iodev_ioas(d), as);
	assert_ptr_equal(weir_iodev_pasid_ioas(d, mine), as);
	weir_iodev_close(e);
	weir_iodev_close(d);
	weir_iommu_close(other);
}

/* Mappings made before the first group: all come with it, or none. They stay in compat mode. */
static void test_none_or_all(void **state)
{
	static const enum weir_mode modes[] = { WEIR_MODE_GROUP, WEIR_MODE_COMPAT,
						WEIR_MODE_TYPE1 };
	char *va = aligned_alloc(4096, 3u * 4096);

	(void)state;
	for (unsigned m = 0; m < WEIR_ARRAY_SIZE(modes); m++) {
		struct weir_iodev *d = open_dev(0, modes[m]);
		struct weir_ioas *as = space(iommu, modes[m]);
		unsigned tries = 0;

		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(
				weir_ioas_map(as, va + 4096 * i, 4096, AT + 8192 * i, WEIR_PROT_RW),
				0);
		assert_int_equal(fv_maps(), 0);
		fake.armed = true;
		fake.fail_errno = ENOMEM;
		for (fake.fail_at = 1;; fake.fail_at++, tries++) {
			fake.calls = 0;
			unit_hush();
			if (!weir_iodev_attach(d, as))
				break;
			assert_int_equal(fv_maps(), as->ready ? 3 : 0);
		}
		fake.armed = false;
		assert_true(tries >= 5);
		assert_int_equal(fv_maps(), 3);
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
	}
	free(va);
}

/* Nothing of a part could stand in the table of physical addresses. */
static void test_part_without_iommu(void **state)
{
	struct weir_ioas *as;
	struct weir_arena *a;
	struct weir_dma dma;
	uint64_t iova;
	char *base;

	(void)state;
	fv_no_iommu();
	assert_int_equal(weir_arena_create(w, 4u * MIB, WEIR_NODE_ANY, WEIR_ARENA_HUGE_ONLY, &a),
			 0);
	as = space(iommu, WEIR_MODE_NOIOMMU);
	assert_int_equal(weir_ioas_map_arena(as, a, &dma), 0);
	assert_int_equal(weir_ioas_unmap_arena(as, a), 0);
	base = weir_arena_info(a).base;
	iova = as->window_iova + (uint64_t)(base - weir_window(w).base);
	unit_hush();
	assert_int_equal(weir_ioas_map(as, base + 4096, 4096, iova + 4096, WEIR_PROT_RW),
			 -EOPNOTSUPP);
	assert_said("noiommu-map");
	assert_null(as->maps);
	assert_int_equal(weir_ioas_destroy(as), 0);
	weir_arena_destroy(a);
}

/* A device that AUTO could open in no other mode has nothing open; it says so until it is closed. */
static void test_attach_shut(void **state)
{
	struct weir_iodev *d = open_dev(0, WEIR_MODE_AUTO);
	struct weir_ioas *as, *group = space(iommu, WEIR_MODE_GROUP);

	(void)state;
	fake.no_attach = true;
	fake.groups[5].not_viable = true;
	assert_true(weir_iodev_attach_default(d, &as) < 0);
	fake.no_attach = fake.groups[5].not_viable = false;
	assert_true(d->shut);
	for (unsigned i = 0; i < 2; i++) {
		unit_hush();
		assert_int_equal(weir_iodev_attach_default(d, &as), -ENODEV);
		assert_said("attach");
		assert_text("open it anew");
	}
	assert_true(weir_iodev_attach(d, group) < 0);
	weir_iodev_close(d);
}

/* The address of a BAR is the mapping's own, in group mode: a copy would have none. */
static void test_copy_bar(void **state)
{
	struct weir_iodev *d = open_dev(0, WEIR_MODE_GROUP);
	struct weir_ioas *as = space(iommu, WEIR_MODE_GROUP), *to = space(iommu, WEIR_MODE_GROUP);

	(void)state;
	assert_int_equal(weir_iodev_attach(d, as), 0);
	assert_int_equal(weir_ioas_map_bar(as, d, 0, 0, 4096, AT, WEIR_PROT_RW), 0);
	unit_hush();
	assert_int_equal(weir_ioas_copy(to, AT, as, AT, 4096, WEIR_PROT_RW), -EOPNOTSUPP);
	assert_said("copy");
	assert_text("weir_ioas_map_bar()");
	assert_null(to->maps);
	weir_iodev_close(d);
}

/* A mapped BAR holds the device open in the kernel: with it, its group could not leave. */
static void test_bar_leaves(void **state)
{
	static const enum weir_mode modes[] = { WEIR_MODE_CDEV, WEIR_MODE_GROUP };

	(void)state;
	for (unsigned m = 0; m < WEIR_ARRAY_SIZE(modes); m++) {
		struct weir_iodev *d = open_dev(0, modes[m]), *e = open_dev(2, modes[m]);
		struct weir_ioas *a = space(iommu, modes[m]), *b = space(iommu, modes[m]);

		assert_int_equal(weir_iodev_attach(d, a), 0);
		assert_int_equal(weir_iodev_attach(e, b), 0);
		assert_int_equal(weir_ioas_map_bar(a, e, 0, 0, 4096, AT, WEIR_PROT_RW), 0);
		assert_int_equal(weir_iodev_detach(e), 0);
		assert_null(a->maps);
		assert_int_equal(fv_maps(), 0);
		weir_iodev_close(d);
		weir_iodev_close(e);
	}
}

/* Where nothing is attached any more, nobody knows what pages an IOMMU has. */
static void test_pages_left(void **state)
{
	struct weir_iodev *d = open_dev(0, WEIR_MODE_CDEV);
	struct weir_ioas *a = space(iommu, WEIR_MODE_CDEV), *b = space(iommu, WEIR_MODE_CDEV);
	struct weir_hwpt *h;
	uint32_t pasid;

	(void)state;
	assert_int_equal(weir_iodev_attach(d, a), 0);
	assert_int_not_equal(a->page_sizes, 0);
	assert_int_equal(weir_iodev_pasid_attach(d, b, &pasid), 0);
	assert_int_not_equal(b->page_sizes, 0);
	assert_int_equal(weir_iodev_pasid_detach(d, pasid), 0);
	assert_int_equal(b->page_sizes, 0);
	assert_int_equal(weir_iodev_move(d, b), 0);
	assert_int_equal(a->page_sizes, 0);
	assert_int_not_equal(b->page_sizes, 0);
	assert_int_equal(weir_iodev_pasid_attach(d, a, &pasid), 0);
	assert_int_equal(weir_iodev_pasid_move(d, pasid, b), 0);
	assert_int_equal(a->page_sizes, 0);
	assert_int_equal(weir_iodev_pasid_detach(d, pasid), 0);
	assert_int_equal(weir_hwpt_create(d, a, NULL, &h), 0);
	assert_int_equal(weir_iodev_attach_hwpt(d, h), 0);
	assert_int_equal(b->page_sizes, 0);
	weir_iodev_close(d);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_other_place), T(test_none_or_all), T(test_part_without_iommu),
		T(test_attach_shut), T(test_copy_bar),	  T(test_bar_leaves),
		T(test_pages_left),
	};

	return cmocka_run_group_tests_name("iommu_edges", tests, NULL, NULL);
}
