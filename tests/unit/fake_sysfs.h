/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A machine of files: sysfs, /dev, /proc and /run below one temporary folder, with PCI devices,
 * drivers and IOMMU groups as the kernel shows them.
 */
#ifndef WEIR_TESTS_FAKE_SYSFS_H
#define WEIR_TESTS_FAKE_SYSFS_H

#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char fs_root[64];

static inline void weir_printf(2, 3) fs_path(char out[PATH_MAX], const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(out, PATH_MAX, "%s/", fs_root);

	va_start(ap, fmt);
	n += vsnprintf(out + n, PATH_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	assert_true(n < PATH_MAX);
}

/* Make the folders that @path lies in. */
static inline void fs_parents(const char *path)
{
	char dir[PATH_MAX];

	strcpy(dir, path);
	for (char *s = strchr(dir + strlen(fs_root) + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		mkdir(dir, 0755);
		*s = '/';
	}
}

static inline void fs_put(const char *text, const char *name)
{
	char path[PATH_MAX];
	FILE *f;

	fs_path(path, "%s", name);
	fs_parents(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline void fs_link(const char *target, const char *name)
{
	char path[PATH_MAX], to[PATH_MAX];

	fs_path(path, "%s", name);
	fs_path(to, "%s", target);
	fs_parents(path);
	unlink(path);
	assert_int_equal(symlink(to, path), 0);
}

static inline void fs_dir(const char *name)
{
	char path[PATH_MAX];

	fs_path(path, "%s/", name);
	fs_parents(path);
}

static inline bool fs_is(const char *name)
{
	char path[PATH_MAX];

	fs_path(path, "%s", name);
	return !access(path, F_OK);
}

static inline int fs_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void fs_remove(const char *name)
{
	char path[PATH_MAX];

	fs_path(path, "%s", name);
	nftw(path, fs_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fs_begin(void)
{
	strcpy(fs_root, "/tmp/weir-fs-XXXXXX");
	assert_non_null(mkdtemp(fs_root));
	fs_put("", "sys/bus/pci/drivers_probe");
	fs_put("", "sys/bus/pci/drivers/vfio-pci/bind");
	fs_put("", "sys/bus/pci/drivers/igb/bind");
	fs_dir("sys/bus/pci/devices");
	fs_dir("dev/vfio/devices");
	fs_dir("proc");
}

static inline void fs_end(void)
{
	fs_remove("");
}

/* A device's file, or what lies below it. */
static inline const char *fs_dev(const char *bdf, const char *name)
{
	static char path[4][300];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[0]), "sys/bus/pci/devices/%s/%s", bdf, name);
	return path[turn];
}

static inline void fs_drive(const char *bdf, const char *driver)
{
	char target[128];

	snprintf(target, sizeof(target), "sys/bus/pci/drivers/%s", driver);
	fs_dir(target);
	fs_link(target, fs_dev(bdf, "driver"));
}

/* A NIC (82576) in an IOMMU group; @group < 0: none. */
static inline void fs_add(const char *bdf, int group, const char *driver)
{
	char name[128];

	fs_put("0x8086\n", fs_dev(bdf, "vendor"));
	fs_put("0x10c9\n", fs_dev(bdf, "device"));
	fs_put("0x8086\n", fs_dev(bdf, "subsystem_vendor"));
	fs_put("0xa03c\n", fs_dev(bdf, "subsystem_device"));
	fs_put("0x01\n", fs_dev(bdf, "revision"));
	fs_put("0x020000\n", fs_dev(bdf, "class"));
	fs_put("-1\n", fs_dev(bdf, "numa_node"));
	fs_put("(null)\n", fs_dev(bdf, "driver_override"));
	if (*driver)
		fs_drive(bdf, driver);
	if (group < 0)
		return;
	snprintf(name, sizeof(name), "sys/kernel/iommu_groups/%d/devices/%s", group, bdf);
	fs_link(fs_dev(bdf, ""), name);
	snprintf(name, sizeof(name), "sys/kernel/iommu_groups/%d", group);
	fs_link(name, fs_dev(bdf, "iommu_group"));
}

static inline int fs_try_weir(struct weir **w)
{
	char sys[80], dev[80], proc[80], run[80];
	struct weir_opts o = { .log = unit_log,
			       .window_size = 1u << 30,
			       .sysfs = sys,
			       .dev = dev,
			       .proc = proc,
			       .run = run };

	snprintf(sys, sizeof(sys), "%s/sys", fs_root);
	snprintf(dev, sizeof(dev), "%s/dev", fs_root);
	snprintf(proc, sizeof(proc), "%s/proc", fs_root);
	snprintf(run, sizeof(run), "%s/run", fs_root);
	return weir_open(&o, w);
}

static inline struct weir *fs_weir(void)
{
	struct weir *w = NULL;

	unit_hush();
	assert_int_equal(fs_try_weir(&w), 0);
	return w;
}

#endif
