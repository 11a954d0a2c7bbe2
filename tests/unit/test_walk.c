/* SPDX-License-Identifier: BSD-3-Clause */
/* Walking address spaces, their mappings and a device's PASIDs. */
#include "iommu_env.h"

#include "iommu/internal.h"

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

static void test_spaces(void **state)
{
	struct weir_ioas *a, *b;

	(void)state;
	assert_null(weir_ioas_next(iommu, NULL));
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &a), 0);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &b), 0);
	assert_ptr_equal(weir_ioas_next(iommu, NULL), b);
	assert_ptr_equal(weir_ioas_next(iommu, b), a);
	assert_null(weir_ioas_next(iommu, a));
	assert_int_not_equal(weir_ioas_id(a), 0);
	assert_int_not_equal(weir_ioas_id(a), weir_ioas_id(b));
}

static void test_mappings(void **state)
{
	struct weir_iodev *d = open_dev(0, WEIR_MODE_CDEV);
	struct weir_mapping m;
	struct weir_arena *ar;
	struct weir_ioas *as;
	struct weir_dma dma;
	void *own;

	(void)state;
	assert_int_equal(weir_arena_create(w, 1 << 20, -1, WEIR_ARENA_SMALL_PAGES, &ar), 0);
	own = aligned_alloc(4096, 8192);
	assert_non_null(own);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &as), 0);
	assert_int_equal(weir_iodev_attach(d, as), 0);
	assert_false(weir_ioas_map_next(as, NULL, &m));
	assert_int_equal(weir_ioas_map_arenas(as, &dma), 0);
	assert_int_equal(weir_ioas_map(as, own, 8192, 0x100000, WEIR_PROT_READ), 0);
	assert_int_equal(weir_ioas_mapped(as), 8192 + (1 << 20));
	assert_int_equal(fv_maps(), 2);

	assert_true(weir_ioas_map_next(as, NULL, &m));
	assert_int_equal(m.iova, 0x100000);
	assert_int_equal(m.len, 8192);
	assert_ptr_equal(m.va, own);
	assert_int_equal(m.prot, WEIR_PROT_READ);
	assert_int_equal(m.source, WEIR_SOURCE_ADDRESS);
	assert_int_equal(m.page_size, 0);
	assert_true(weir_ioas_map_next(as, &m, &m));
	assert_int_equal(m.iova, dma.iova_base);
	assert_int_equal(m.len, 1 << 20);
	assert_ptr_equal(m.va, weir_arena_info(ar).base);
	assert_int_equal(m.prot, WEIR_PROT_RW);
	assert_int_equal(m.source, WEIR_SOURCE_ARENA);
	assert_int_equal(m.page_size, weir_arena_info(ar).page_size);
	assert_false(weir_ioas_map_next(as, &m, &m));
	weir_iodev_close(d);
	assert_int_equal(weir_ioas_destroy(as), 0);
	free(own);
}

static void test_pasids(void **state)
{
	struct weir_pasid seven = { .pasid = 7 }, three = { .next = &seven, .pasid = 3 };
	struct weir_pasid five = { .next = &three, .pasid = 5 };
	struct weir_iodev d = { .pasids = &five };

	(void)state;
	assert_int_equal(weir_iodev_pasid_next(&d, WEIR_PASID_NONE), 3);
	assert_int_equal(weir_iodev_pasid_next(&d, 3), 5);
	assert_int_equal(weir_iodev_pasid_next(&d, 5), 7);
	assert_int_equal(weir_iodev_pasid_next(&d, 7), WEIR_PASID_NONE);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_spaces), T(test_mappings), T(test_pasids) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
