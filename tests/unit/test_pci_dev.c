/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open PCI devices on the model of the kernel: config space, BARs, interrupts, and the sweep:
 * each call on the way from weir_open() to weir_pci_close() fails in turn, and nothing is left.
 */
#include "iommu_env.h"

static struct weir_pci *dev;
static enum weir_mode mode;

static int setup(void **state)
{
	(void)state;
	fv_begin();
	env_begin();
	assert_int_equal(weir_pci_open(iommu, fv_bdf[0], WEIR_MODE_AUTO, NULL, &dev), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_pci_close(dev);
	return env_end();
}

static void put_config(unsigned off, uint32_t v, unsigned size)
{
	memcpy(fake.devs[0].config + off, &v, size);
}

/* --- config space --- */

static void test_config(void **state)
{
	uint32_t v;

	(void)state;
	put_config(0, 0x10c98086, 4);
	assert_int_equal(weir_pci_cfg_read(dev, 0, 4, &v), 0);
	assert_int_equal(v, 0x10c98086);
	assert_int_equal(weir_pci_cfg_read(dev, 2, 2, &v), 0);
	assert_int_equal(v, 0x10c9);
	assert_int_equal(weir_pci_cfg_read(dev, 1, 1, &v), 0);
	assert_int_equal(v, 0x80);
	assert_int_equal(weir_pci_cfg_read(dev, 1, 2, &v), -EINVAL);
	assert_int_equal(weir_pci_cfg_read(dev, 0, 3, &v), -EINVAL);
	assert_int_equal(weir_pci_cfg_read(dev, 0, 0, &v), -EINVAL);
	assert_int_equal(weir_pci_cfg_read(dev, 4096, 4, &v), -EINVAL);
	assert_int_equal(weir_pci_cfg_write(dev, 2, 4, v), -EINVAL);
	assert_int_equal(weir_pci_cfg_write(dev, 0x40, 2, 0xbeef), 0);
	assert_int_equal(weir_pci_cfg_read(dev, 0x40, 4, &v), 0);
	assert_int_equal(v, 0xbeef);
}

static void test_bus_master(void **state)
{
	uint32_t v;

	(void)state;
	put_config(PCI_COMMAND, 0x0407, 2);
	assert_int_equal(weir_pci_bus_master(dev, false), 0);
	assert_int_equal(weir_pci_cfg_read(dev, PCI_COMMAND, 2, &v), 0);
	assert_int_equal(v, 0x0403);
	assert_int_equal(weir_pci_bus_master(dev, true), 0);
	assert_int_equal(weir_pci_cfg_read(dev, PCI_COMMAND, 2, &v), 0);
	assert_int_equal(v, 0x0407);
	/* Reset by somebody who restores it. */
	assert_int_equal(weir_pci_reset(dev), 0);
	assert_int_equal(weir_pci_cfg_read(dev, PCI_COMMAND, 2, &v), 0);
	assert_int_equal(v & 4, 0);
	put_config(PCI_COMMAND, 0xffff, 2);
	assert_int_equal(weir_pci_bus_master(dev, true), -ENODEV);
	assert_said("device-gone");
	put_config(PCI_COMMAND, 0, 2);
	fake.no_reset = true;
	assert_int_equal(weir_pci_reset(dev), -EOPNOTSUPP);
}

static void test_caps(void **state)
{
	(void)state;
	assert_int_equal(weir_pci_find_cap(dev, 0x11, 0), 0);
	put_config(PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
	put_config(PCI_CAPABILITY_LIST, 0x40, 1);
	put_config(0x40, 0x09 | 0x50 << 8, 2);
	put_config(0x50, 0x11 | 0x60 << 8, 2);
	put_config(0x60, 0x09 | 0x00 << 8, 2);
	assert_int_equal(weir_pci_find_cap(dev, 0x11, 0), 0x50);
	assert_int_equal(weir_pci_find_cap(dev, 0x11, 0x50), 0);
	assert_int_equal(weir_pci_find_cap(dev, 0x09, 0), 0x40);
	assert_int_equal(weir_pci_find_cap(dev, 0x09, 0x40), 0x60);
	assert_int_equal(weir_pci_find_cap(dev, 0x05, 0), 0);
	/* In a circle, into the header, to the last bytes, all ones. */
	put_config(0x60, 0x09 | 0x40 << 8, 2);
	assert_int_equal(weir_pci_find_cap(dev, 0x05, 0), 0);
	put_config(0x60, 0x09 | 0x10 << 8, 2);
	assert_int_equal(weir_pci_find_cap(dev, 0x05, 0), 0);
	put_config(0x60, 0x09 | 0xff << 8, 2);
	put_config(0xfc, 0x05, 2);
	assert_int_equal(weir_pci_find_cap(dev, 0x05, 0), 0xfc);
	put_config(0xfc, 0xffff, 2);
	assert_int_equal(weir_pci_find_cap(dev, 0xff, 0), 0);
}

static void test_ext_caps(void **state)
{
	(void)state;
	assert_int_equal(weir_pci_find_ext_cap(dev, 3, 0), 0);
	put_config(0x100, 0x0001 | 1 << 16 | 0x140 << 20, 4);
	put_config(0x140, 0x0003 | 1 << 16 | 0xffcu << 20, 4);
	put_config(0xffc, 0x0001 | 1 << 16, 4);
	assert_int_equal(weir_pci_find_ext_cap(dev, 3, 0), 0x140);
	assert_int_equal(weir_pci_find_ext_cap(dev, 1, 0), 0x100);
	assert_int_equal(weir_pci_find_ext_cap(dev, 1, 0x100), 0xffc);
	assert_int_equal(weir_pci_find_ext_cap(dev, 1, 0xffc), 0);
	put_config(0x140, 0x0003 | 1 << 16 | 0x100u << 20, 4);
	assert_int_equal(weir_pci_find_ext_cap(dev, 9, 0), 0);
	put_config(0x140, 0x0003 | 1 << 16 | 0x0fcu << 20, 4);
	assert_int_equal(weir_pci_find_ext_cap(dev, 9, 0), 0);
	put_config(0x140, 0xffffffff, 4);
	assert_int_equal(weir_pci_find_ext_cap(dev, 9, 0), 0);
}

/* --- BARs --- */

static void test_bars(void **state)
{
	struct weir_bar b, again;

	(void)state;
	assert_int_equal(weir_pci_bar(dev, 6, &b), -EINVAL);
	assert_said("bar");
	assert_int_equal(weir_pci_bar(dev, UINT32_MAX, &b), -EINVAL);
	assert_int_equal(weir_pci_bar(dev, 2, &b), -ENODEV);
	assert_int_equal(weir_pci_bar(dev, 1, &b), -ENOTSUP);
	assert_text("smaller than a page");
	assert_false(weir_bar_ok(dev, 0, 0, 4));
	assert_int_equal(weir_pci_bar(dev, 0, &b), 0);
	assert_int_equal(b.size, FV_BAR);
	((volatile uint32_t *)b.va)[FV_BAR / 4 - 1] = 0x1234;
	assert_int_equal(weir_pci_bar(dev, 0, &again), 0);
	assert_ptr_equal(again.va, b.va);
	assert_int_equal(fv_live_bars(), 1);
	assert_true(weir_bar_ok(dev, 0, 0, FV_BAR));
	assert_true(weir_bar_ok(dev, 0, FV_BAR, 0));
	assert_false(weir_bar_ok(dev, 0, FV_BAR, 1));
	assert_false(weir_bar_ok(dev, 0, FV_BAR - 4, 8));
	assert_false(weir_bar_ok(dev, 0, UINT64_MAX, 4));
	assert_false(weir_bar_ok(dev, 0, 4, UINT64_MAX));
	assert_false(weir_bar_ok(dev, 6, 0, 4));
}

struct areas {
	struct vfio_info_cap_header h;
	uint32_t n, reserved;
	struct vfio_region_sparse_mmap_area a[12];
};

static void put_blob(unsigned at, const void *p, size_t len)
{
	memcpy(fake.blob + at, p, len);
	fake.blob_len = weir_min_u(sizeof(fake.blob), at + (unsigned)len);
	fake.cap_offset = sizeof(struct vfio_region_info);
}

static void put_areas(unsigned n, uint64_t off0, uint64_t size0, uint64_t off1, uint64_t size1)
{
	struct areas c = { .h = { .id = VFIO_REGION_INFO_CAP_SPARSE_MMAP, .version = 1 }, .n = n };

	c.a[0] = (struct vfio_region_sparse_mmap_area){ off0, size0 };
	c.a[1] = (struct vfio_region_sparse_mmap_area){ off1, size1 };
	put_blob(0, &c, 16 + 16 * weir_min_u(n, 12));
}

static void test_sparse_bar(void **state)
{
	struct weir_bar b;

	(void)state;
	/* The MSI-X table's page, the second, is the kernel's. */
	put_areas(2, 0, 0x1000, 0x2000, 0x2000);
	assert_int_equal(weir_pci_bar(dev, 3, &b), 0);
	assert_int_equal(fv_live_bars(), 2);
	((volatile char *)b.va)[0xfff] = 1;
	((volatile char *)b.va)[0x2000] = 1;
	assert_true(weir_bar_ok(dev, 3, 0xffc, 4));
	assert_false(weir_bar_ok(dev, 3, 0xffe, 4));
	assert_false(weir_bar_ok(dev, 3, 0x1000, 4));
	assert_false(weir_bar_ok(dev, 3, 0, 0x4000));
	assert_true(weir_bar_ok(dev, 3, 0x2000, 0x2000));
}

/* What a region's capabilities must not be able to do. Each row: what it says, and what comes. */
static void test_hostile_areas(void **state)
{
	static const struct {
		unsigned n;
		uint64_t off0, size0, off1, size1;
		int err;
	} rows[] = {
		{ 0, 0, 0, 0, 0, -ENOTSUP },
		{ 1, 0, 0, 0, 0, -ENOTSUP },
		{ 1, 0x5000, 0x1000, 0, 0, -ENOTSUP },
		{ 1, 0x1000, UINT64_MAX - 0x800, 0, 0, -ENOTSUP },
		{ 1, UINT64_MAX - 0xfff, 0x2000, 0, 0, -ENOTSUP },
		{ 1, 0, 0x5000, 0, 0, -ENOTSUP },
		{ 1, 0x800, 0x800, 0, 0, -EINVAL },
		{ 2, 0, 0x5000, 0x3000, 0x1000, 0 },
		{ 12, 0, 0x1000, 0x1000, 0x1000, 0 },
		{ UINT32_MAX, 0, 0x1000, 0x1000, 0x1000, -ENOTSUP },
	};
	struct weir_bar b;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		put_areas(rows[i].n, rows[i].off0, rows[i].size0, rows[i].off1, rows[i].size1);
		assert_int_equal(weir_pci_bar(dev, 3, &b), rows[i].err);
		assert_int_equal(fv_live_bars() > 0, !rows[i].err);
		/* Begin anew: what is known about regions goes with the attachment. */
		weir_pci_close(dev);
		assert_int_equal(fv_live_bars(), 0);
		assert_int_equal(weir_pci_open(iommu, fv_bdf[0], WEIR_MODE_AUTO, NULL, &dev), 0);
	}
}

/* Chains that loop, point behind their end, or stand crooked: they end, and nothing is mapped. */
static void test_hostile_chains(void **state)
{
	static const struct {
		uint32_t next[3]; /* of the capabilities at 32, 48 and 64 */
		unsigned first;
	} rows[] = {
		{ { 48, 64, 32 }, 32 },	      /* a circle */
		{ { 32, 0, 0 }, 32 },	      /* itself */
		{ { 48, 32, 0 }, 32 },	      /* back */
		{ { 0xfffffff8, 0, 0 }, 32 }, /* far out */
		{ { 504 + 32, 0, 0 }, 32 },   /* the last bytes */
		{ { 41, 0, 0 }, 32 },	      /* crooked */
		{ { 0, 0, 0 }, 8 },	      /* into the struct */
		{ { 0, 0, 0 }, 0xfffffff0 },
	};
	struct weir_region r;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		memset(fake.blob, 0, sizeof(fake.blob));
		for (unsigned k = 0; k < 3; k++) {
			struct vfio_info_cap_header h = { .id = 77, .next = rows[i].next[k] };

			put_blob(k * 16, &h, sizeof(h));
		}
		fake.blob_len = sizeof(fake.blob);
		fake.cap_offset = rows[i].first;
		assert_int_equal(weir_iodev_region(weir_pci_iodev(dev), 3, &r), 0);
		assert_int_equal(r.size, FV_BAR3);
		assert_int_equal(r.n_sparse, 0);
		weir_pci_close(dev);
		assert_int_equal(weir_pci_open(iommu, fv_bdf[0], WEIR_MODE_AUTO, NULL, &dev), 0);
	}
}

/* --- interrupts --- */

static void test_msix(void **state)
{
	unsigned fds = unit_fds();

	(void)state;
	assert_int_equal(weir_pci_msix_count(dev), FV_VECTORS);
	assert_int_equal(weir_pci_msix_fd(dev, 0), -EINVAL);
	assert_int_equal(weir_pci_msix(dev, FV_VECTORS + 1), -ENOSPC);
	assert_said("msix");
	assert_int_equal(weir_pci_msix(dev, 3), 0);
	assert_int_equal(fake.devs[0].irqs, 3);
	assert_int_equal(unit_fds(), fds + 3);
	for (unsigned i = 0; i < 3; i++) {
		int fd = weir_pci_msix_fd(dev, i);
		uint64_t two = 2;

		assert_int_equal(weir_eventfd_drain(fd), 0);
		assert_int_equal(write(fd, &two, 8), 8);
		assert_int_equal(write(fd, &two, 8), 8);
		assert_int_equal(weir_eventfd_drain(fd), 4);
		assert_int_equal(weir_eventfd_drain(fd), 0);
	}
	assert_int_equal(weir_pci_msix_fd(dev, 3), -EINVAL);
	/* Another number replaces the old ones. */
	assert_int_equal(weir_pci_msix(dev, FV_VECTORS), 0);
	assert_int_equal(fake.devs[0].irqs, FV_VECTORS);
	assert_int_equal(unit_fds(), fds + FV_VECTORS);
	assert_int_equal(weir_pci_msix(dev, 0), 0);
	assert_int_equal(fake.devs[0].irqs, 0);
	assert_int_equal(unit_fds(), fds);
	assert_int_equal(weir_pci_msix(dev, 0), 0);
	/* Each call on the way fails in turn: no vectors, and no eventfd left. */
	fake.fail_errno = EIO;
	for (fake.fail_at = 1;; fake.fail_at++) {
		int err;

		fake.calls = 0;
		fake.armed = true;
		err = weir_pci_msix(dev, 3);
		fake.armed = false;
		if (!err)
			break;
		assert_int_equal(unit_fds(), fds);
		assert_int_equal(weir_pci_msix_fd(dev, 0), -EINVAL);
	}
	assert_int_equal(fake.fail_at, 8); /* count, calloc, 3 eventfds, calloc, set */
}

static void test_info_of(void **state)
{
	(void)state;
	assert_string_equal(weir_pci_name(dev), "0000:03:00.0");
	assert_ptr_equal(weir_pci_handle(dev), w);
	assert_int_equal(weir_pci_info_of(dev)->device, 0x10c9);
	assert_ptr_equal(weir_pci_dma(dev)->va_base, weir_window(w).base);
	weir_pci_close(NULL);
}

/* --- the sweep --- */

enum stage { AT_OPEN, AT_ARENA, AT_IOMMU, AT_CLAIM, AT_BAR, AT_BAR3, AT_MSIX, AT_MASTER, AT_END };

/* All that a driver does to have its device, then all that it does to be rid of it. */
static unsigned calls_in;

static int claim(enum stage *stage)
{
	struct weir_pci *d = NULL;
	struct weir_arena *a;
	struct weir_bar b;
	int err;

	w = NULL;
	iommu = NULL;
	*stage = AT_OPEN;
	err = fs_try_weir(&w);
	if (!err && ++*stage)
		err = weir_arena_create(w, 1u << 20, WEIR_NODE_ANY,
					fake.no_iommu ? 0 : WEIR_ARENA_SMALL_PAGES, &a);
	if (!err && ++*stage)
		err = weir_iommu_open(w, &iommu);
	if (!err && ++*stage)
		err = weir_pci_open(iommu, fv_bdf[0], mode, NULL, &d);
	if (!err && ++*stage)
		err = weir_pci_bar(d, 0, &b);
	if (!err && ++*stage)
		err = weir_pci_bar(d, 3, &b);
	if (!err && ++*stage)
		err = weir_pci_msix(d, 3);
	if (!err && ++*stage)
		err = weir_pci_bus_master(d, true);
	if (!err && ++*stage)
		assert_int_equal(fv_maps(), !fake.no_iommu);
	calls_in = fake.calls;
	weir_pci_close(d);
	weir_iommu_close(iommu);
	weir_close(w);
	return err;
}

/* Calls that may fail without the claim failing: what they would have told has a default. */
static bool optional(const char *what)
{
	return !strcmp(what, "open-file") || !strcmp(what, "readlink") || !strcmp(what, "pread") ||
	       !strcmp(what, "pwrite") || !strcmp(what, "ioctl ; 138"); /* GET_HW_INFO */
}

static void sweep(enum weir_mode m, int with_errno)
{
	unsigned n, fds, maps, failures = 0;
	enum stage stage;
	int err;

	mode = m;
	fds = unit_fds();
	maps = unit_maps();
	put_areas(2, 0, 0x1000, 0x2000, 0x2000);
	fake.armed = true;
	fake.fail_errno = with_errno;
	for (n = 1;; n++) {
		fake.calls = 0;
		fake.fail_at = n;
		fake.failed[0] = '\0';
		unit_hush();
		err = claim(&stage);
		if (fake.calls < n)
			break;
		if (err && !said.n && err != -ENOMEM)
			fail_msg("call %u (%s): %d without a word", n, fake.failed, err);
		/* In AUTO mode the other mode may have stepped in. */
		if (!err && stage != AT_END)
			fail_msg("call %u (%s): no error", n, fake.failed);
		failures += err != 0;
		fake.fail_at = 0;
		/* A device whose config space cannot be written is made quiet by the kernel. */
		if (optional(fake.failed))
			fake.dma_faults = 0;
		for (unsigned i = 0; i < FV_DEVS; i++)
			memset(fake.devs[i].config, 0, sizeof(fake.devs[i].config));
		if (fv_live_fds() || fv_live_spaces() || fv_live_bars() || fake.order_faults ||
		    fake.dma_faults || unit_fds() != fds || unit_maps() != maps)
			fail_msg("call %u (%s) left: fds %u, spaces %u, BARs %u, %u/%u fds, "
				 "%u/%u maps; %u out of order, %u DMA",
				 n, fake.failed, fv_live_fds(), fv_live_spaces(), fv_live_bars(),
				 unit_fds(), fds, unit_maps(), maps, fake.order_faults,
				 fake.dma_faults);
	}
	fake.armed = false;
	assert_int_equal(err, 0);
	assert_int_equal(stage, AT_END);
	assert_true(n > 40);
	assert_true(failures > 15);
	fv_check_empty();
}

/* Each call that an explicit mode cannot do without is reported when it fails on the way in. */
static void strict(enum weir_mode m)
{
	enum stage stage;
	unsigned n;
	int err;

	mode = m;
	fake.armed = true;
	fake.fail_errno = EIO;
	for (n = 1;; n++) {
		fake.calls = 0;
		fake.fail_at = n;
		err = claim(&stage);
		/* From here on, the calls of the way out. */
		if (calls_in < n)
			break;
		if (!err && !optional(fake.failed))
			fail_msg("call %u (%s) failed, the claim did not", n, fake.failed);
	}
	fake.armed = false;
	assert_true(n > 30);
}

static int sweep_setup(void **state)
{
	(void)state;
	fv_begin();
	return 0;
}

static int sweep_teardown(void **state)
{
	(void)state;
	fs_end();
	return 0;
}

static void test_sweep(void **state)
{
	static const enum weir_mode modes[] = {
		WEIR_MODE_CDEV,	 WEIR_MODE_GROUP, WEIR_MODE_COMPAT,
		WEIR_MODE_TYPE1, WEIR_MODE_AUTO,  WEIR_MODE_NOIOMMU
	};
	static const int errnos[] = { EIO, ENOMEM, EPERM };

	(void)state;
	for (unsigned m = 0; m < WEIR_ARRAY_SIZE(modes); m++) {
		if (modes[m] == WEIR_MODE_NOIOMMU)
			fv_no_iommu();
		for (unsigned e = 0; e < WEIR_ARRAY_SIZE(errnos); e++)
			sweep(modes[m], errnos[e]);
	}
}

static void test_sweep_strict(void **state)
{
	(void)state;
	strict(WEIR_MODE_CDEV);
	strict(WEIR_MODE_GROUP);
	strict(WEIR_MODE_COMPAT);
	strict(WEIR_MODE_TYPE1);
	fv_no_iommu();
	strict(WEIR_MODE_NOIOMMU);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_config),
		T(test_bus_master),
		T(test_caps),
		T(test_ext_caps),
		T(test_bars),
		T(test_sparse_bar),
		T(test_hostile_areas),
		T(test_hostile_chains),
		T(test_msix),
		T(test_info_of),
		cmocka_unit_test_setup_teardown(test_sweep, sweep_setup, sweep_teardown),
		cmocka_unit_test_setup_teardown(test_sweep_strict, sweep_setup, sweep_teardown),
	};

	return cmocka_run_group_tests_name("pci_dev", tests, NULL, NULL);
}
