/* SPDX-License-Identifier: BSD-3-Clause */
/* A place of devices on the model of the kernel (fake_vfio.h), for one test; nothing may be left of it. */
#ifndef WEIR_TESTS_IOMMU_ENV_H
#define WEIR_TESTS_IOMMU_ENV_H

#include "fake_vfio.h"

static struct weir *w;
static struct weir_iommu *iommu;
static unsigned env_fds, env_maps;

/* After fv_begin() and what the test changes of the model. */
static inline int env_begin(void)
{
	env_fds = unit_fds();
	env_maps = unit_maps();
	w = fs_weir();
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	return 0;
}

static inline int env_end(void)
{
	weir_iommu_close(iommu);
	weir_close(w);
	fv_check_empty();
	assert_int_equal(fv_maps(), 0);
	assert_false(fake.faults.alive);
	assert_int_equal(unit_fds(), env_fds);
	assert_int_equal(unit_maps(), env_maps);
	fs_end();
	return 0;
}

static inline int try_open(unsigned i, enum weir_mode mode, struct weir_iodev **d)
{
	char dir[PATH_MAX];

	*d = NULL;
	assert_int_equal(weir_pci_sysdev(w, fv_bdf[i], dir, sizeof(dir)), 0);
	return weir_iodev_open(iommu, dir, mode, d);
}

static inline struct weir_iodev *open_dev(unsigned i, enum weir_mode mode)
{
	struct weir_iodev *d;

	assert_int_equal(try_open(i, mode, &d), 0);
	return d;
}

#endif
