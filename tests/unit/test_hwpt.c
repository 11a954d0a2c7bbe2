/* SPDX-License-Identifier: BSD-3-Clause */
/* IOMMUFD's page tables and PASIDs on a model of the kernel: who shares which, and what is left. */
#include "iommu_env.h"

#include "iommu/hwpt.h"
#include "iommu/internal.h"

/* VT-d as QEMU 11 has it with scalable-mode=on: see the kernel's line "DMAR: dmar0". */
#define CAP_2M_1G (1ull << 34 | 1ull << 35 | 47ull << 16)
#define ECAP_SM	  (1ull << 40 | 1ull << 43 | 1ull << 46)

static int setup(void **state)
{
	(void)state;
	fv_begin();
	fake.vtd_cap = CAP_2M_1G;
	fake.vtd_ecap = ECAP_SM;
	for (unsigned i = 0; i < FV_DEVS; i++)
		fake.devs[i].pasid_log2 = 20;
	return env_begin();
}

static int teardown(void **state)
{
	(void)state;
	return env_end();
}

static struct weir_ioas *space(void)
{
	struct weir_ioas *as;

	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &as), 0);
	return as;
}

/* --- what the IOMMU can do --- */

static void test_hw_info(void **state)
{
	static const struct {
		uint64_t cap, ecap, s1, s2, both;
		bool nesting, pasids;
	} rows[] = {
		/* Legacy mode: second stage only, whether or not the bit is set. */
		{ CAP_2M_1G, 0, 0, 0x40201000, 0x40201000, false, false },
		{ 38ull << 16, 1ull << 40, 0, 0x1000, 0x1000, false, false },
		/* Scalable: first stage alone, both, both with different sizes. */
		{ 47ull << 16, 1ull << 43 | 1ull << 47, 0x201000, 0, 0x201000, false, false },
		{ CAP_2M_1G, ECAP_SM | 1ull << 47, 0x201000, 0x40201000, 0x201000, false, true },
		{ CAP_2M_1G | 1ull << 56, ECAP_SM | 1ull << 47 | 1ull << 26, 0x40201000, 0x40201000,
		  0x40201000, true, true },
	};
	struct weir_iodev *d;
	struct weir_hw_info hi;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		fake.vtd_cap = rows[i].cap;
		fake.vtd_ecap = rows[i].ecap;
		d = open_dev(0, WEIR_MODE_CDEV);
		assert_int_equal(weir_iodev_hw_info(d, &hi), 0);
		assert_int_equal(hi.type, WEIR_HW_VTD);
		assert_int_equal(hi.raw[0], rows[i].cap);
		assert_int_equal(hi.raw[1], rows[i].ecap);
		assert_int_equal(hi.stage1_pages, rows[i].s1);
		assert_int_equal(hi.stage2_pages, rows[i].s2);
		assert_int_equal(hi.page_sizes, rows[i].both);
		assert_int_equal(hi.nesting, rows[i].nesting);
		assert_int_equal(hi.iommu_pasids, rows[i].pasids);
		assert_int_equal(hi.address_bits, (rows[i].cap >> 16 & 63) + 1);
		assert_int_equal(hi.pasid_bits, 20);
		assert_false(hi.ats);
		weir_iodev_close(d);
	}
	fake.vtd_cap = 0;
	d = open_dev(0, WEIR_MODE_CDEV);
	assert_int_equal(weir_iodev_hw_info(d, &hi), 0);
	assert_int_equal(hi.type, WEIR_HW_NONE);
	assert_int_equal(hi.page_sizes, 4096);
	weir_iodev_close(d);
	assert_string_equal(weir_hw_type_name(WEIR_HW_VTD), "Intel VT-d");
	assert_string_equal(weir_hw_type_name(77), "unknown");
}

static void test_hw_info_missing(void **state)
{
	struct weir_hw_info hi;
	struct weir_iodev *d;

	(void)state;
	fake.no_hw_info = true;
	d = open_dev(0, WEIR_MODE_CDEV);
	assert_int_equal(weir_iodev_hw_info(d, &hi), -EOPNOTSUPP);
	assert_said("hw-info");
	weir_iodev_close(d);
	assert_int_equal(try_open(0, WEIR_MODE_GROUP, &d), 0);
	assert_int_equal(weir_iodev_hw_info(d, &hi), -EOPNOTSUPP);
	weir_iodev_close(d);
}

/* --- PASIDs --- */

/* Each reason for which there are none; the kernel would say yes to all of them. */
static void test_no_pasids(void **state)
{
	static const struct {
		bool no_info;
		uint64_t ecap;
		const char *why;
	} rows[] = {
		{ true, ECAP_SM, "6.15" },
		{ false, 0, "scalable mode" },
		{ false, ECAP_SM, "no PASID capability" },
	};

	(void)state;
	fake.devs[0].pasid_log2 = 0;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		char why[WEIR_WHY_LEN] = "";
		struct weir_ioas *as = space();
		struct weir_iodev *d;
		uint32_t pasid;

		fake.no_hw_info = rows[i].no_info;
		fake.vtd_ecap = rows[i].ecap;
		d = open_dev(0, WEIR_MODE_CDEV);
		assert_int_equal(weir_iodev_attach(d, as), 0);
		/* On the IOAS itself: no table of ours. */
		assert_int_equal(fv_live_hwpts(), 0);
		assert_int_equal(weir_iodev_pasid_bits(d, why), -EOPNOTSUPP);
		assert_non_null(strstr(why, rows[i].why));
		assert_int_equal(weir_iodev_pasid_attach(d, as, &pasid), -EOPNOTSUPP);
		assert_said("pasid");
		assert_text(rows[i].why);
		weir_iodev_close(d);
		assert_int_equal(weir_ioas_destroy(as), 0);
	}
}

static unsigned pt_of(unsigned dev, uint32_t pasid)
{
	unsigned *slot = fv_slot(&fake.devs[dev], pasid, false);

	return slot ? *slot : 0;
}

/*
 * The three domains of the IOMMU design discussion: RID 1 on domain 1, [RID 1, PASID x] on
 * domain 2, [RID 1, PASID y] and RID 2 on domain 3.
 */
static void test_three_domains(void **state)
{
	struct weir_ioas *a1 = space(), *a2 = space(), *a3 = space();
	struct weir_iodev *d1 = open_dev(0, WEIR_MODE_CDEV), *d2 = open_dev(2, WEIR_MODE_CDEV);
	char why[WEIR_WHY_LEN];
	uint32_t x, y;

	(void)state;
	assert_int_equal(weir_iodev_pasid_bits(d1, why), 20);
	assert_int_equal(weir_iodev_pasid_attach(d1, a2, &x), -EINVAL);
	assert_int_equal(weir_iodev_attach(d1, a1), 0);
	assert_int_equal(weir_iodev_pasid_attach(d1, a2, &x), 0);
	assert_int_equal(weir_iodev_pasid_attach(d1, a3, &y), 0);
	assert_int_equal(weir_iodev_attach(d2, a3), 0);
	assert_int_not_equal(x, y);
	assert_ptr_equal(weir_iodev_pasid_ioas(d1, x), a2);
	assert_int_equal(weir_ioas_devices(a3), 2);
	/* Three tables, the last one shared. */
	assert_int_equal(fv_live_hwpts(), 3);
	assert_int_equal(pt_of(0, y), pt_of(2, 0));
	assert_int_not_equal(pt_of(0, x), pt_of(0, y));
	assert_int_not_equal(pt_of(0, 0), pt_of(0, x));
	assert_int_equal(fv_maps(), 0);
	assert_int_equal(weir_ioas_destroy(a2), -EBUSY);
	assert_int_equal(weir_iodev_pasid_detach(d1, x), 0);
	assert_int_equal(pt_of(0, x), 0);
	assert_int_equal(fv_live_hwpts(), 2);
	assert_int_equal(weir_ioas_destroy(a2), 0);
	/* The device takes its PASIDs with it; the other one stays on the shared table. */
	assert_int_equal(weir_iodev_detach(d1), 0);
	assert_int_equal(pt_of(0, y), 0);
	assert_int_equal(fv_live_hwpts(), 1);
	weir_iodev_close(d1);
	weir_iodev_close(d2);
	assert_int_equal(fv_live_hwpts(), 0);
}

/* A device behind another IOMMU cannot share the table, but it can share the address space. */
static void test_two_iommus(void **state)
{
	struct weir_iodev *d1 = open_dev(0, WEIR_MODE_CDEV), *d2 = open_dev(2, WEIR_MODE_CDEV);
	struct weir_ioas *as = space();
	uint32_t x;

	(void)state;
	fake.devs[2].iommu = 1;
	assert_int_equal(weir_iodev_attach(d1, as), 0);
	assert_int_equal(weir_iodev_attach(d2, as), 0);
	assert_int_equal(fv_live_hwpts(), 2);
	assert_int_equal(weir_iodev_pasid_attach(d2, as, &x), 0);
	assert_int_equal(fv_live_hwpts(), 2);
	assert_int_equal(pt_of(2, x), pt_of(2, 0));
	weir_iodev_close(d2);
	assert_int_equal(fv_live_hwpts(), 1);
	weir_iodev_close(d1);
}

/* A kernel that knows PASIDs but makes no tables for them: the device works without. */
static void test_no_tables_for_pasids(void **state)
{
	struct weir_iodev *d = open_dev(0, WEIR_MODE_CDEV);
	struct weir_ioas *as = space();
	char why[WEIR_WHY_LEN];
	uint32_t x;

	(void)state;
	fake.no_hwpt_pasid = true;
	assert_int_equal(weir_iodev_pasid_bits(d, why), 20);
	assert_int_equal(weir_iodev_attach(d, as), 0);
	assert_int_equal(weir_iodev_pasid_bits(d, why), -EOPNOTSUPP);
	assert_int_equal(weir_iodev_pasid_attach(d, as, &x), -EOPNOTSUPP);
	weir_iodev_close(d);
}

/* --- the sweep --- */

/* All three domains; @left: how far it came. */
static int topology(void)
{
	struct weir_iodev *d1 = NULL, *d2 = NULL;
	struct weir_ioas *as[3];
	uint32_t x, y;
	int err = 0;

	w = NULL;
	iommu = NULL;
	err = fs_try_weir(&w);
	if (!err)
		err = weir_iommu_open(w, &iommu);
	for (unsigned i = 0; i < 3 && !err; i++)
		err = weir_ioas_create(iommu, WEIR_MODE_CDEV, &as[i]);
	if (!err)
		err = try_open(0, WEIR_MODE_CDEV, &d1);
	if (!err)
		err = try_open(2, WEIR_MODE_CDEV, &d2);
	if (!err)
		err = weir_iodev_attach(d1, as[0]);
	if (!err)
		err = weir_iodev_pasid_attach(d1, as[1], &x);
	if (!err)
		err = weir_iodev_pasid_attach(d1, as[2], &y);
	if (!err)
		err = weir_iodev_attach(d2, as[2]);
	if (!err)
		err = weir_iodev_pasid_detach(d1, x);
	weir_iodev_close(d1);
	weir_iodev_close(d2);
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
	fs_end();
	return 0;
}

static void test_sweep(void **state)
{
	unsigned n, failures = 0, fds = unit_fds(), maps = unit_maps();

	(void)state;
	fake.armed = true;
	fake.fail_errno = EIO;
	for (n = 1;; n++) {
		int err;

		fake.calls = 0;
		fake.fail_at = n;
		fake.failed[0] = '\0';
		unit_hush();
		err = topology();
		if (fake.calls < n)
			break;
		if (err && !said.n && err != -ENOMEM)
			fail_msg("call %u (%s): %d without a word", n, fake.failed, err);
		failures += err != 0;
		fake.fail_at = 0;
		if (fv_live_fds() || fv_live_spaces() || fv_live_hwpts() || unit_fds() != fds ||
		    unit_maps() != maps)
			fail_msg("call %u (%s) left: fds %u, spaces %u, tables %u", n, fake.failed,
				 fv_live_fds(), fv_live_spaces(), fv_live_hwpts());
	}
	fake.armed = false;
	print_message("%u calls, %u failed the whole\n", n - 1, failures);
	assert_true(n > 40 && failures > 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hw_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hw_info_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_pasids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_three_domains, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_iommus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_tables_for_pasids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sweep, sweep_setup, sweep_teardown),
	};

	return cmocka_run_group_tests_name("hwpt", tests, NULL, NULL);
}
