/* SPDX-License-Identifier: BSD-3-Clause */
/* Objects that do not belong together, and what is left after a failure: on a model of the kernel. */
#include "fake_vfio.h"

#include "iommu/internal.h"

#define AT  (1ull << 33)
#define MIB (1u << 20)

static struct weir *w;
static struct weir_iommu *iommu;
static unsigned fds_before, maps_before;

static int setup(void **state)
{
	(void)state;
	fv_begin();
	fake.devs[0].pasid_log2 = 8;
	fds_before = unit_fds();
	maps_before = unit_maps();
	w = fs_weir();
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_iommu_close(iommu);
	weir_close(w);
	fv_check_empty();
	assert_int_equal(unit_fds(), fds_before);
	assert_int_equal(unit_maps(), maps_before);
	fs_end();
	return 0;
}

static struct weir_iodev *open_dev(unsigned i, enum weir_mode mode)
{
	struct weir_iodev *d = NULL;
	char dir[PATH_MAX];

	assert_int_equal(weir_pci_sysdev(w, fv_bdf[i], dir, sizeof(dir)), 0);
	assert_int_equal(weir_iodev_open(iommu, dir, mode, &d), 0);
	return d;
}

static struct weir_ioas *space(struct weir_iommu *at, enum weir_mode mode)
{
	struct weir_ioas *as;

	assert_int_equal(weir_ioas_create(at, mode, &as), 0);
	return as;
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_none_or_all),
		T(test_part_without_iommu),
	};

	return cmocka_run_group_tests_name("iommu_edges", tests, NULL, NULL);
}
