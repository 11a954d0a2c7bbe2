/* SPDX-License-Identifier: BSD-3-Clause */
/* Page tables that the application makes: nesting, page requests, written pages; on the model. */
#include "iommu_env.h"

#include "iommu/hwpt.h"
#include "iommu/internal.h"

static struct weir_iodev *dev;
static struct weir_ioas *as;

static const struct weir_hwpt_opts under = { .flags = WEIR_HWPT_NEST_PARENT };

static int setup(void **state)
{
	(void)state;
	fv_begin();
	fake.devs[0].pasid_log2 = 8;
	env_begin();
	assert_int_equal(try_open(0, WEIR_MODE_CDEV, &dev), 0);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &as), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_iodev_close(dev);
	return env_end();
}

static int try_nested(struct weir_hwpt *parent, struct weir_faults *f, struct weir_hwpt **h)
{
	static const struct weir_vtd_stage1 data = { .table = 0x1000, .address_bits = 48 };
	const struct weir_hwpt_opts o = { .parent = parent,
					  .faults = f,
					  .data_type = WEIR_HWPT_VTD_STAGE1,
					  .data_len = sizeof(data),
					  .data = &data };

	return weir_hwpt_create(dev, as, &o, h);
}

static struct weir_hwpt *table(const struct weir_hwpt_opts *o)
{
	struct weir_hwpt *h;

	assert_int_equal(weir_hwpt_create(dev, as, o, &h), 0);
	return h;
}

static void test_nested(void **state)
{
	struct weir_hwpt *parent = table(&under), *plain = table(NULL), *h;
	uint64_t entries[] = { 1, 2, 13, 4 };
	struct weir_ioas *other;
	uint32_t n = 2;

	(void)state;
	assert_int_equal(try_nested(plain, NULL, &h), -EINVAL);
	assert_said("hwpt");
	assert_int_equal(try_nested(parent, NULL, &h), 0);
	assert_ptr_equal(weir_hwpt_ioas(h), as);
	assert_int_equal(weir_hwpt_users(parent), 1);
	assert_int_equal(weir_hwpt_destroy(parent), -EBUSY);
	assert_said("hwpt-busy");
	/* First attach, replacement, and what an address space with a table in use says. */
	assert_int_equal(weir_iodev_attach_hwpt(dev, h), 0);
	assert_ptr_equal(weir_iodev_ioas(dev), as);
	assert_int_equal(weir_ioas_devices(as), 1);
	assert_int_equal(weir_hwpt_destroy(h), -EBUSY);
	assert_int_equal(weir_ioas_destroy(as), -EBUSY);
	assert_int_equal(weir_hwpt_invalidate(h, 0, 8, entries, &n), 0);
	assert_int_equal(n, 2);
	n = 4;
	assert_int_equal(weir_hwpt_invalidate(h, 0, 8, entries, &n), -EOPNOTSUPP);
	assert_said("hwpt-invalidate");
	assert_text("2 of 4");
	assert_int_equal(n, 2);
	assert_int_equal(fake.invalidated, 4);
	assert_int_equal(weir_iodev_attach_hwpt(dev, plain), 0);
	assert_int_equal(weir_ioas_devices(as), 1);
	assert_int_equal(weir_hwpt_destroy(h), 0);
	assert_int_equal(weir_hwpt_destroy(parent), 0);
	/* From a table to another address space and away: the table stays the caller's. */
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_CDEV, &other), 0);
	assert_int_equal(weir_iodev_move(dev, other), 0);
	assert_int_equal(weir_hwpt_users(plain), 0);
	assert_int_equal(weir_hwpt_destroy(plain), 0);
	assert_int_equal(weir_hwpt_destroy(NULL), 0);
}

static void test_refused(void **state)
{
	const struct weir_hwpt_opts odd = { .flags = 64 };
	struct weir_iodev *d;
	struct weir_ioas *group;
	struct weir_hwpt *h = table(NULL);
	uint32_t pasid;

	(void)state;
	assert_int_equal(weir_hwpt_create(dev, as, &odd, &h), -EINVAL);
	assert_int_equal(weir_ioas_create(iommu, WEIR_MODE_GROUP, &group), 0);
	assert_int_equal(weir_hwpt_create(dev, group, NULL, &h), -EOPNOTSUPP);
	weir_iodev_close(dev);
	assert_int_equal(try_open(0, WEIR_MODE_GROUP, &d), 0);
	assert_int_equal(weir_hwpt_create(d, as, NULL, &h), -EOPNOTSUPP);
	assert_int_equal(weir_iodev_attach_hwpt(d, h), -EOPNOTSUPP);
	assert_int_equal(weir_iodev_pasid_attach_hwpt(d, h, &pasid), -EOPNOTSUPP);
	weir_iodev_close(d);
	dev = NULL;
}

/* A PASID on a table of choice; one that is not made for PASIDs is refused by the kernel. */
static void test_pasid(void **state)
{
	const struct weir_hwpt_opts opts = { .flags = WEIR_HWPT_PASID };
	struct weir_hwpt *h = table(&opts), *plain = table(NULL);
	uint32_t pasid;

	(void)state;
	assert_int_equal(weir_iodev_attach_hwpt(dev, h), 0);
	assert_int_equal(weir_iodev_pasid_attach_hwpt(dev, plain, &pasid), -EINVAL);
	assert_said("attach");
	assert_int_equal(weir_hwpt_users(plain), 0);
	assert_int_equal(weir_iodev_pasid_attach_hwpt(dev, h, &pasid), 0);
	assert_int_equal(weir_hwpt_users(h), 2);
	assert_ptr_equal(weir_iodev_pasid_ioas(dev, pasid), as);
	assert_int_equal(weir_iodev_pasid_detach(dev, pasid), 0);
	assert_int_equal(weir_hwpt_users(h), 1);
	assert_int_equal(weir_iodev_detach(dev), 0);
	assert_int_equal(weir_hwpt_destroy(h), 0);
}

static void test_faults(void **state)
{
	const struct uapi_pgfault two[] = {
		{ .dev_id = 77, .grpid = 3, .perm = 1, .addr = 0x5000, .cookie = 9 },
		{ .flags = 3,
		  .dev_id = 77,
		  .pasid = 6,
		  .grpid = 3,
		  .perm = 14,
		  .addr = 0x6000,
		  .length = 4096,
		  .cookie = 9 },
	};
	struct weir_hwpt *parent = table(&under), *h;
	struct uapi_page_response r;
	struct weir_faults *f;
	struct weir_fault got[4];

	(void)state;
	assert_int_equal(weir_faults_create(iommu, &f), 0);
	assert_int_equal(try_nested(parent, f, &h), 0);
	assert_int_equal(weir_faults_destroy(f), -EBUSY);
	assert_said("faults");
	assert_int_equal(weir_faults_fd(f), fake.faults.fd);
	assert_int_equal(weir_faults_read(f, got, 4), 0);
	assert_int_equal(write(fake.faults.peer, two, sizeof(two)), sizeof(two));
	assert_int_equal(weir_faults_read(f, got, 4), 2);
	assert_true(got[0].read && !got[0].write && !got[0].exec && !got[0].priv && !got[0].last);
	assert_true(!got[1].read && got[1].write && got[1].exec && got[1].priv && got[1].last);
	assert_int_equal(got[0].pasid, WEIR_PASID_NONE);
	assert_int_equal(got[1].pasid, 6);
	assert_int_equal(got[0].addr, 0x5000);
	assert_int_equal(got[1].len, 4096);
	assert_int_equal(got[1].group, 3);
	assert_int_equal(got[1].devid, weir_iodev_devid(dev));
	assert_int_equal(weir_faults_answer(f, got[1].cookie, false), 0);
	assert_int_equal(read(fake.faults.peer, &r, sizeof(r)), sizeof(r));
	assert_int_equal(r.cookie, 9);
	assert_int_equal(r.code, 1);
	assert_int_equal(weir_faults_answer(f, 9, true), 0);
	assert_int_equal(read(fake.faults.peer, &r, sizeof(r)), sizeof(r));
	assert_int_equal(r.code, 0);
	/* As the kernel does with a group larger than the room: readable, and nothing is read. */
	assert_int_equal(send(fake.faults.peer, "", 0, 0), 0);
	assert_int_equal(send(fake.faults.peer, "", 0, 0), 0);
	assert_int_equal(weir_faults_read(f, got, 1), -EMSGSIZE);
	assert_int_equal(weir_hwpt_destroy(h), 0);
	assert_int_equal(weir_faults_destroy(f), 0);
	assert_int_equal(weir_faults_destroy(NULL), 0);
}

static void test_dirty(void **state)
{
	const struct weir_hwpt_opts opts = { .flags = WEIR_HWPT_DIRTY };
	struct weir_hwpt *h = table(&opts), *plain = table(NULL);
	uint64_t bits[2] = { 2, 0 };

	(void)state;
	assert_int_equal(weir_hwpt_dirty_track(plain, true), -EOPNOTSUPP);
	assert_said("dirty");
	assert_int_equal(weir_hwpt_dirty_read(plain, 0, 4096, 4096, bits, true), -EOPNOTSUPP);
	assert_int_equal(weir_hwpt_dirty_read(h, 0, 4096, 4096, bits, true), -EINVAL);
	assert_int_equal(weir_hwpt_dirty_track(h, true), 0);
	assert_int_equal(weir_hwpt_dirty_read(h, 100, 4096, 4096, bits, true), -EINVAL);
	assert_int_equal(weir_hwpt_dirty_read(h, 0, 4097, 4096, bits, true), -EINVAL);
	assert_int_equal(weir_hwpt_dirty_read(h, 0, 0, 4096, bits, true), -EINVAL);
	assert_int_equal(weir_hwpt_dirty_read(h, 0, 6000, 3000, bits, true), -EINVAL);
	assert_int_equal(weir_hwpt_dirty_read(h, 0, 4096 * 70, 4096, bits, false), 0);
	assert_int_equal(bits[0], 0x5555555555555557);
	assert_int_equal(bits[1], 0x15);
	assert_int_equal(weir_hwpt_dirty_track(h, false), 0);
}

/* --- the sweep --- */

static int everything(void)
{
	const struct weir_hwpt_opts opts = { .flags = WEIR_HWPT_DIRTY | WEIR_HWPT_PASID };
	struct weir_hwpt *parent, *plain, *h = NULL;
	struct weir_faults *f = NULL;
	uint32_t pasid;
	int err;

	w = NULL;
	iommu = NULL;
	dev = NULL;
	err = fs_try_weir(&w);
	if (!err)
		err = weir_iommu_open(w, &iommu);
	if (!err)
		err = try_open(0, WEIR_MODE_CDEV, &dev);
	if (!err)
		err = weir_ioas_create(iommu, WEIR_MODE_CDEV, &as);
	if (!err)
		err = weir_faults_create(iommu, &f);
	if (!err)
		err = weir_hwpt_create(dev, as, &under, &parent);
	if (!err)
		err = weir_hwpt_create(dev, as, &opts, &plain);
	if (!err)
		err = try_nested(parent, f, &h);
	if (!err)
		err = weir_iodev_attach_hwpt(dev, h);
	if (!err)
		err = weir_iodev_attach_hwpt(dev, plain);
	if (!err)
		err = weir_iodev_pasid_attach_hwpt(dev, plain, &pasid);
	if (!err)
		err = weir_hwpt_dirty_track(plain, true);
	weir_iodev_close(dev);
	if (h)
		weir_hwpt_destroy(h);
	weir_faults_destroy(f);
	weir_iommu_close(iommu);
	weir_close(w);
	return err;
}

static int sweep_setup(void **state)
{
	int err = setup(state);

	weir_iodev_close(dev);
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
		err = everything();
		if (fake.calls < n)
			break;
		if (err && !said.n && err != -ENOMEM)
			fail_msg("call %u (%s): %d without a word", n, fake.failed, err);
		failures += err != 0;
		/* Destroying was what failed: the kernel's object goes with the descriptor. */
		if (!err && !strcmp(fake.failed, "ioctl ; 128"))
			fake.faults.alive = false;
		fake.fail_at = 0;
		if (fv_live_fds() || fv_live_spaces() || fv_live_hwpts() || fake.faults.alive ||
		    unit_fds() != fds || unit_maps() != maps)
			fail_msg("call %u (%s) left: fds %u, spaces %u, tables %u, queue %d", n,
				 fake.failed, fv_live_fds(), fv_live_spaces(), fv_live_hwpts(),
				 fake.faults.alive);
		memset(&fake.faults, 0, sizeof(fake.faults));
		fake.faults.fd = -1;
	}
	fake.armed = false;
	print_message("%u calls, %u failed the whole\n", n - 1, failures);
	assert_true(n > 45 && failures > 25);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_nested),
		T(test_refused),
		T(test_pasid),
		T(test_faults),
		T(test_dirty),
		cmocka_unit_test_setup_teardown(test_sweep, sweep_setup, sweep_teardown),
	};

	return cmocka_run_group_tests_name("hwpt_user", tests, NULL, NULL);
}
