/* SPDX-License-Identifier: BSD-3-Clause */
/* Reset of a slot or bus, in cdev and in group mode: what is hit, who is refused, and why. */
#include "fake_vfio.h"

static struct weir *w;
static struct weir_iommu *iommu;
static struct weir_pci *dev[FV_DEVS];
static enum weir_mode mode;

static int setup(void **state)
{
	fv_begin();
	mode = *(enum weir_mode *)*state;
	w = fs_weir();
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	assert_int_equal(weir_pci_open(iommu, fv_bdf[0], mode, NULL, &dev[0]), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FV_DEVS; i++) {
		weir_pci_close(dev[i]);
		dev[i] = NULL;
	}
	weir_iommu_close(iommu);
	weir_close(w);
	fv_check_empty();
	assert_int_equal(fv_maps(), 0);
	fs_end();
	return 0;
}

static void open_too(unsigned i)
{
	assert_int_equal(weir_pci_open(iommu, fv_bdf[i], mode, NULL, &dev[i]), 0);
}

static unsigned ours(void)
{
	struct weir_reset_peer p[FV_DEVS];
	int n = weir_iodev_hot_reset_info(weir_pci_iodev(dev[0]), p, FV_DEVS);
	unsigned mask = 0;

	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		assert_string_equal(p[i].driver, "vfio-pci");
		mask |= (unsigned)p[i].ours << i;
	}
	return mask;
}

/* Alone in its slot. */
static void test_alone(void **state)
{
	(void)state;
	fake.bus = 1;
	assert_int_equal(ours(), 1);
	fake.devs[0].config[PCI_COMMAND] = 4;
	assert_int_equal(weir_pci_hot_reset(dev[0]), 0);
	assert_int_equal(fake.hot_resets, 1);
	assert_int_equal(fake.devs[0].config[PCI_COMMAND] & 4, 0);
}

/* Another of its group comes along with it; one of another group must be open here too. */
static void test_others(void **state)
{
	struct weir_reset_peer p;

	(void)state;
	fake.bus = 7;
	assert_int_equal(ours(), 3);
	assert_int_equal(weir_iodev_hot_reset_info(weir_pci_iodev(dev[0]), &p, 1), 3);
	assert_string_equal(p.name, "0000:03:00.0");
	fs_drive("0000:04:00.0", "igb");
	assert_int_equal(weir_pci_hot_reset(dev[0]), -EPERM);
	assert_said("hot-reset");
	assert_text("would hit 1 device that is not open here: 0000:04:00.0 (igb)");
	assert_int_equal(fake.hot_resets, 0);
	fs_drive("0000:04:00.0", "vfio-pci");
	open_too(2);
	assert_int_equal(ours(), 7);
	assert_int_equal(weir_pci_hot_reset(dev[0]), 0);
	open_too(1);
	assert_int_equal(weir_pci_hot_reset(dev[0]), 0);
	assert_int_equal(fake.hot_resets, 2);
	/* Open, but somewhere else. */
	weir_pci_close(dev[2]);
	dev[2] = NULL;
	assert_int_equal(weir_pci_hot_reset(dev[0]), -EPERM);
}

static void test_impossible(void **state)
{
	struct weir_iodev *d = weir_pci_iodev(dev[0]);

	(void)state;
	assert_int_equal(weir_pci_hot_reset(dev[0]), -EOPNOTSUPP);
	assert_text("neither its slot nor its bus");
	weir_iodev_detach(d);
	assert_int_equal(weir_iodev_hot_reset(d), -ENODEV);
	assert_int_equal(weir_iodev_hot_reset_info(d, NULL, 0), -ENODEV);
	assert_said("not-attached");
}

/* Each call fails in turn: an error, and a sentence unless memory was short. */
static void test_sweep(void **state)
{
	(void)state;
	fake.bus = 3;
	fake.fail_errno = EIO;
	for (fake.fail_at = 1;; fake.fail_at++) {
		int err;

		unit_hush();
		fake.calls = 0;
		fake.armed = true;
		err = weir_iodev_hot_reset(weir_pci_iodev(dev[0]));
		fake.armed = false;
		if (fake.calls < fake.fail_at)
			break;
		if (!strcmp(fake.failed, "readlink"))
			continue;
		assert_true(err < 0);
		if (err != -ENOMEM)
			assert_said("hot-reset");
	}
	assert_true(fake.fail_at > 5);
}

static enum weir_mode modes[] = { WEIR_MODE_CDEV, WEIR_MODE_GROUP };

#define T(name, m)                                      \
	{                                               \
#name, name, setup, teardown, &modes[m] \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_alone, 0),      T(test_alone, 1),      T(test_others, 0), T(test_others, 1),
		T(test_impossible, 0), T(test_impossible, 1), T(test_sweep, 0),	 T(test_sweep, 1),
	};

	return cmocka_run_group_tests_name("hot_reset", tests, NULL, NULL);
}
