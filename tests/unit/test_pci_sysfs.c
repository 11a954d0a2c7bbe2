/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking at PCI devices, taking them and giving them back, on a machine of files. Writes to
 * sysfs go to a small model of the kernel's driver core, which also can be told to refuse.
 */
#include "fake_sysfs.h"

#include "pci/internal.h"

#define DEV "0000:03:00.0"
static const struct weir_bdf bdf = { 0, 3, 0, 0 };

static struct {
	bool vfio_refuses; /* probe of vfio-pci fails, as without reset or in a busy group */
	bool igb_gone;	   /* the module was unloaded meanwhile */
	unsigned fail_at;  /* this write fails; 0: none */
	int fail_errno;
	unsigned writes;
	unsigned held_open; /* unbinding while in use would block for ever: must not be tried */
} kernel;

static struct weir *w;

/* --- the kernel's side --- */

static void driver_of(const char *dev, char out[64])
{
	char dir[PATH_MAX];

	fs_path(dir, "%s", fs_dev(dev, ""));
	if (weir_link_base(dir, "driver", out, 64))
		out[0] = '\0';
}

static void override_of(const char *dev, char out[64])
{
	char path[PATH_MAX];

	fs_path(path, "%s", fs_dev(dev, "driver_override"));
	if (weir_file_read(path, out, 64) || !strcmp(out, "(null)"))
		out[0] = '\0';
}

static int kernel_bind(const char *dev, const char *driver)
{
	char now[64], only[64];

	driver_of(dev, now);
	override_of(dev, only);
	if (*now)
		return -EBUSY;
	if (*only && strcmp(only, driver))
		return -ENODEV;
	if (!strcmp(driver, "vfio-pci")) {
		if (kernel.vfio_refuses || !*only)
			return -EINVAL;
		fs_dir(fs_dev(dev, "vfio-dev/vfio0"));
	} else if (strcmp(driver, "igb") || kernel.igb_gone) {
		return -ENODEV;
	}
	fs_drive(dev, driver);
	return 0;
}

/* The write succeeds although nothing binds: as in the kernel. */
static int kernel_probe(const char *dev)
{
	char only[64];

	override_of(dev, only);
	kernel_bind(dev, *only ? only : "igb");
	return 0;
}

static int kernel_unbind(const char *dev)
{
	char now[64];

	driver_of(dev, now);
	if (!*now)
		return -ENODEV;
	assert_int_equal(kernel.held_open, 0);
	fs_remove(fs_dev(dev, "driver"));
	fs_remove(fs_dev(dev, "vfio-dev"));
	return 0;
}

static int kernel_vfs(const char *text)
{
	char path[PATH_MAX];
	uint64_t now, total;

	fs_path(path, "%s", fs_dev(DEV, "sriov_totalvfs"));
	assert_int_equal(weir_file_u64(path, &total), 0);
	fs_path(path, "%s", fs_dev(DEV, "sriov_numvfs"));
	assert_int_equal(weir_file_u64(path, &now), 0);
	if (now && atoi(text))
		return -EBUSY;
	if (strtoull(text, NULL, 10) > total)
		return -ERANGE;
	fs_put(text, fs_dev(DEV, "sriov_numvfs"));
	return 0;
}

int __wrap_weir_file_write(const char *path, const char *text);

int __wrap_weir_file_write(const char *path, const char *text)
{
	const char *name = strrchr(path, '/') + 1;
	char dir[PATH_MAX];

	assert_memory_equal(path, fs_root, strlen(fs_root));
	if (++kernel.writes == kernel.fail_at)
		return -kernel.fail_errno;
	if (access(path, F_OK))
		return -ENOENT;
	if (!strcmp(name, "driver_override")) {
		fs_put(!strcmp(text, "\n") ? "(null)\n" : text, fs_dev(DEV, name));
		return 0;
	}
	if (!strcmp(name, "unbind"))
		return kernel_unbind(text);
	if (!strcmp(name, "drivers_probe"))
		return kernel_probe(text);
	if (!strcmp(name, "sriov_numvfs"))
		return kernel_vfs(text);
	assert_string_equal(name, "bind");
	snprintf(dir, sizeof(dir), "%.*s", (int)(name - 1 - path), path);
	return kernel_bind(text, strrchr(dir, '/') + 1);
}

/* --- the machine --- */

static int setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	kernel.fail_errno = EIO;
	fs_begin();
	fs_put("", "sys/bus/pci/drivers/igb/unbind");
	fs_put("", "sys/bus/pci/drivers/vfio-pci/unbind");
	fs_add(DEV, 5, "igb");
	w = fs_weir();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_close(w);
	fs_end();
	return 0;
}

#define assert_driver(want)                     \
	do {                                    \
		char now[64];                   \
		driver_of(DEV, now);            \
		assert_string_equal(now, want); \
	} while (0)

#define assert_override(want)                   \
	do {                                    \
		char now[64];                   \
		override_of(DEV, now);          \
		assert_string_equal(now, want); \
	} while (0)

#define RECORD "run/bind/" DEV

/* --- looking --- */

static void test_info(void **state)
{
	struct weir_pci_info i;

	(void)state;
	fs_put("1\n", fs_dev(DEV, "numa_node"));
	fs_put("7\n", fs_dev(DEV, "sriov_totalvfs"));
	fs_put("2\n", fs_dev(DEV, "sriov_numvfs"));
	fs_dir(fs_dev(DEV, "net/eth7"));
	assert_int_equal(weir_pci_info(w, bdf, &i), 0);
	assert_int_equal(i.vendor, 0x8086);
	assert_int_equal(i.device, 0x10c9);
	assert_int_equal(i.subvendor, 0x8086);
	assert_int_equal(i.subdevice, 0xa03c);
	assert_int_equal(i.revision, 1);
	assert_int_equal(i.class_code, 0x020000);
	assert_string_equal(i.driver, "igb");
	assert_string_equal(i.prior, "");
	assert_int_equal(i.node, 1);
	assert_int_equal(i.group, 5);
	assert_string_equal(i.cdev, "");
	assert_int_equal(i.n_netdevs, 1);
	assert_string_equal(i.netdevs[0], "eth7");
	assert_int_equal(i.vf_total, 7);
	assert_int_equal(i.vf_count, 2);
	assert_false(i.is_vf);
}

static void test_info_bare(void **state)
{
	struct weir_bdf other = { 0, 4, 0, 0 };
	struct weir_pci_info i;

	(void)state;
	/* A device of which next to nothing is known; a virtual function of the first. */
	fs_put("0x1af4\n", fs_dev("0000:04:00.0", "vendor"));
	fs_link(fs_dev(DEV, ""), fs_dev("0000:04:00.0", "physfn"));
	fs_dir(fs_dev("0000:04:00.0", "virtio3/net/ens4"));
	assert_int_equal(weir_pci_info(w, other, &i), 0);
	assert_int_equal(i.node, -1);
	assert_int_equal(i.group, -1);
	assert_string_equal(i.driver, "");
	assert_true(i.is_vf);
	assert_int_equal(i.n_netdevs, 1);
	assert_string_equal(i.netdevs[0], "ens4");
	other.bus = 5;
	assert_int_equal(weir_pci_info(w, other, &i), -ENODEV);
	assert_said("no-device");
	assert_text("0000:05:00.0");
}

static void test_scan(void **state)
{
	struct weir_pci_info *list;
	unsigned n;

	(void)state;
	fs_add("0001:00:00.0", 9, "");
	fs_add("0000:03:00.1", 6, "");
	fs_add("0000:02:1f.7", 6, "");
	fs_put("0x060400\n", fs_dev("0000:02:1f.7", "class"));
	fs_put("rubbish", "sys/bus/pci/devices/README");
	assert_int_equal(weir_pci_scan(w, WEIR_PCI_CLASS_NETWORK, &list, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].bdf.fn, 0);
	assert_int_equal(list[1].bdf.fn, 1);
	assert_int_equal(list[2].bdf.domain, 1);
	free(list);
	assert_int_equal(weir_pci_scan(w, -1, &list, &n), 0);
	assert_int_equal(n, 4);
	assert_int_equal(list[0].bdf.bus, 2);
	free(list);
	fs_remove("sys/bus/pci");
	assert_int_equal(weir_pci_scan(w, -1, &list, &n), 0);
	assert_int_equal(n, 0);
	assert_null(list);
}

/* --- taking --- */

static void test_bind_and_release(void **state)
{
	struct weir_pci_info i;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
		assert_driver("vfio-pci");
		assert_override("vfio-pci");
		assert_true(fs_is(RECORD));
		assert_int_equal(weir_pci_info(w, bdf, &i), 0);
		assert_string_equal(i.prior, "igb");
		assert_non_null(strstr(i.cdev, "/dev/vfio/devices/vfio0"));
		/* Binding again is fine and forgets nothing. */
		assert_int_equal(weir_pci_bind(w, bdf, 0), 1);
		assert_int_equal(weir_pci_info(w, bdf, &i), 0);
		assert_string_equal(i.prior, "igb");
		assert_int_equal(weir_pci_release(w, bdf), 0);
		assert_driver("igb");
		assert_override("");
		assert_false(fs_is(RECORD));
		assert_int_equal(weir_pci_release(w, bdf), 1);
		assert_driver("igb");
	}
	assert_int_equal(said.n, 0);
}

static void test_bind_without_driver(void **state)
{
	struct weir_pci_info i;

	(void)state;
	fs_remove(fs_dev(DEV, "driver"));
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
	assert_driver("vfio-pci");
	assert_int_equal(weir_pci_info(w, bdf, &i), 0);
	assert_string_equal(i.prior, "-");
	assert_int_equal(weir_pci_release(w, bdf), 0);
	assert_driver("");
	assert_override("");
	assert_false(fs_is(RECORD));
}

static void nothing_changed(const char *driver)
{
	assert_driver(driver);
	assert_override("");
	assert_false(fs_is(RECORD));
	assert_false(fs_is(RECORD ".new"));
}

static void test_vfio_refuses(void **state)
{
	(void)state;
	kernel.vfio_refuses = true;
	assert_true(weir_pci_bind(w, bdf, 0) < 0);
	assert_said("bind");
	assert_text("igb");
	assert_text("dmesg");
	nothing_changed("igb");
	/* Nor does the prior driver take it back: said, and remembered for a later release. */
	kernel.igb_gone = true;
	assert_true(weir_pci_bind(w, bdf, 0) < 0);
	assert_said("bind");
	assert_text("nor did igb");
	assert_int_equal(said.n, 3);
	assert_driver("");
	assert_true(fs_is(RECORD));
	/* A further bind that fails forgets nothing either. */
	assert_true(weir_pci_bind(w, bdf, 0) < 0);
	assert_true(fs_is(RECORD));
	kernel.igb_gone = false;
	/* Nor does a bind that works in between forget it. */
	kernel.vfio_refuses = false;
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
	kernel.vfio_refuses = true;
	assert_int_equal(weir_pci_release(w, bdf), 0);
	nothing_changed("igb");
	fs_remove(fs_dev(DEV, "driver"));
	assert_true(weir_pci_bind(w, bdf, 0) < 0);
	nothing_changed("");
}

/* Every write on the way fails in turn; the device is as before, or that it is not is said. */
static void test_bind_sweep(void **state)
{
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		int err;

		kernel.writes = 0;
		kernel.fail_at = n;
		unit_hush();
		err = weir_pci_bind(w, bdf, 0);
		if (!err)
			break;
		assert_true(err < 0);
		assert_said("bind");
		kernel.fail_at = 0;
		nothing_changed("igb");
	}
	assert_int_equal(n, 4); /* override, unbind, probe */
}

static void test_refusals(void **state)
{
	(void)state;
	fs_remove(fs_dev(DEV, "iommu_group"));
	assert_int_equal(weir_pci_bind(w, bdf, 0), -ENODEV);
	assert_said("no-iommu");
	assert_text("intel_iommu=on");
	fs_add(DEV, 5, "igb");
	fs_remove("sys/bus/pci/drivers/vfio-pci");
	assert_int_equal(weir_pci_bind(w, bdf, 0), -ENOENT);
	assert_said("no-vfio-pci");
	assert_text("modprobe vfio-pci");
	assert_int_equal(kernel.writes, 0);
	nothing_changed("igb");
	assert_int_equal(weir_pci_bind(w, (struct weir_bdf){ 0, 9, 0, 0 }, 0), -ENODEV);
	assert_said("no-device");
	assert_int_equal(weir_pci_release(w, (struct weir_bdf){ 0, 9, 0, 0 }), -ENODEV);
}

/* Where the record cannot be written, nothing is touched. */
static void test_no_record_no_bind(void **state)
{
	(void)state;
	fs_put("a file where a folder should be", "run");
	assert_true(weir_pci_bind(w, bdf, 0) < 0);
	assert_said("record");
	assert_text("nothing was changed");
	assert_int_equal(kernel.writes, 0);
	assert_driver("igb");
}

/* Whoever runs the machine allows devices without an IOMMU: bound, and said loudly. */
static void test_bind_without_iommu(void **state)
{
	(void)state;
	fs_remove(fs_dev(DEV, "iommu_group"));
	fs_put("N\n", "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	assert_int_equal(weir_pci_bind(w, bdf, 0), -ENODEV);
	assert_said("no-iommu");
	fs_put("Y\n", "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
	assert_said("noiommu-unsafe");
	assert_driver("vfio-pci");
	assert_int_equal(weir_pci_release(w, bdf), 0);
	assert_driver("igb");
}

static void test_interface_in_use(void **state)
{
	(void)state;
	/* The one interface that every machine has up, with an address. */
	fs_dir(fs_dev(DEV, "net/lo"));
	assert_int_equal(weir_pci_bind(w, bdf, 0), -EBUSY);
	assert_said("interface-in-use");
	assert_text("127.0.0.1");
	assert_text("--force");
	assert_int_equal(kernel.writes, 0);
	nothing_changed("igb");
	assert_int_equal(weir_pci_bind(w, bdf, WEIR_BIND_FORCE), 0);
	assert_driver("vfio-pci");
}

/* sysfs shows the folder of an interface, but not that of another namespace in it. */
static void test_interface_elsewhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const char *net = fs_dev(DEV, i ? "virtio0/net" : "net");

		fs_dir(net);
		assert_int_equal(weir_pci_bind(w, bdf, 0), -EBUSY);
		assert_said("interface-elsewhere");
		assert_text("--force");
		assert_int_equal(kernel.writes, 0);
		nothing_changed("igb");
		fs_remove(fs_dev(DEV, i ? "virtio0" : "net"));
	}
	fs_dir(fs_dev(DEV, "net"));
	assert_int_equal(weir_pci_bind(w, bdf, WEIR_BIND_FORCE), 0);
	assert_driver("vfio-pci");
}

static void test_interface_routes(void **state)
{
	char what[256];

	(void)state;
	fs_put("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
	       "wan0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
	       "wan0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
	       "proc/net/route");
	assert_true(weir_netdev_in_use(w, "wan0", what, sizeof(what)));
	assert_non_null(strstr(what, "default"));
	assert_non_null(strstr(what, "10.0.2.0/24"));
	assert_false(weir_netdev_in_use(w, "wan1", what, sizeof(what)));
	fs_dir(fs_dev(DEV, "net/wan0"));
	assert_int_equal(weir_pci_bind(w, bdf, 0), -EBUSY);
	assert_text("wan0");
	/* More routes than there is room to tell of. */
	assert_true(weir_netdev_in_use(w, "wan0", what, 12));
	assert_true(strlen(what) < 12);
}

/* --- giving back --- */

/* A bridge's or bond's member has no address of its own, and yet the host may hang on it. */
static void test_interface_below(void **state)
{
	(void)state;
	fs_dir(fs_dev(DEV, "net/wan0"));
	fs_dir("sys/class/net/wan0/upper_br0");
	assert_int_equal(weir_pci_bind(w, bdf, 0), -EBUSY);
	assert_said("interface-in-use");
	assert_text("part of br0");
	nothing_changed("igb");
	fs_remove("sys/class/net/wan0/upper_br0");
	fs_dir("sys/class/net/wan0/lower_eth9");
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
}

static void test_release_without_record(void **state)
{
	(void)state;
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
	fs_remove("run");
	assert_int_equal(weir_pci_release(w, bdf), 0);
	assert_driver("igb");
	assert_override("");
}

/* Somebody rebound the device by hand: what weir left is cleared away, the driver stays. */
static void test_release_after_others(void **state)
{
	(void)state;
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
	fs_drive(DEV, "igb");
	assert_int_equal(weir_pci_release(w, bdf), 1);
	nothing_changed("igb");
}

static void test_release_in_use(void **state)
{
	char target[PATH_MAX], path[PATH_MAX];

	(void)state;
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
	kernel.held_open = 1;
	fs_put("weir\n", "proc/4711/comm");
	fs_dir("proc/4711/fd");
	fs_dir("proc/12/fd");
	/* By its cdev, then by its group. */
	fs_link("dev/vfio/devices/vfio0", "proc/4711/fd/7");
	assert_int_equal(weir_pci_release(w, bdf), -EBUSY);
	assert_said("in-use");
	assert_text("4711 (weir)");
	fs_link("dev/vfio/5", "proc/4711/fd/7");
	assert_int_equal(weir_pci_release(w, bdf), -EBUSY);
	assert_driver("vfio-pci");
	assert_true(fs_is(RECORD));
	/* Another group's number that ends alike is not ours. */
	fs_path(path, "proc/4711/fd/7");
	fs_path(target, "dev/vfio/15");
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
	kernel.held_open = 0;
	assert_int_equal(weir_pci_release(w, bdf), 0);
	assert_driver("igb");
}

/* A release that failed midway can be repeated and still knows whose the device was. */
static void test_release_repeated(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		int err;

		assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
		kernel.writes = 0;
		kernel.fail_at = n;
		kernel.igb_gone = n == 4;
		unit_hush();
		err = weir_pci_release(w, bdf);
		if (n < 3 || n == 4) {
			assert_true(err < 0);
			assert_said("release");
			assert_true(fs_is(RECORD));
		} else {
			/* bind refused: the probe after it does */
			assert_int_equal(err, 0);
		}
		kernel.fail_at = 0;
		kernel.igb_gone = false;
		assert_true(weir_pci_release(w, bdf) >= 0);
		nothing_changed("igb");
		if (n == 5)
			break;
	}
}

/* --- virtual functions --- */

static void test_vfs(void **state)
{
	struct weir_pci_info i;

	(void)state;
	assert_int_equal(weir_pci_set_vfs(w, bdf, 1), -EINVAL);
	assert_said("sriov");
	assert_text("no SR-IOV");
	fs_put("7\n", fs_dev(DEV, "sriov_totalvfs"));
	fs_put("0\n", fs_dev(DEV, "sriov_numvfs"));
	assert_int_equal(weir_pci_set_vfs(w, bdf, 8), -EINVAL);
	assert_int_equal(kernel.writes, 0);
	assert_int_equal(weir_pci_set_vfs(w, bdf, 0), 0);
	assert_int_equal(kernel.writes, 0);
	assert_int_equal(weir_pci_set_vfs(w, bdf, 7), 0);
	/* The kernel goes from 7 to 3 only by way of 0. */
	assert_int_equal(weir_pci_set_vfs(w, bdf, 3), 0);
	assert_int_equal(weir_pci_info(w, bdf, &i), 0);
	assert_int_equal(i.vf_count, 3);
	assert_int_equal(weir_pci_set_vfs(w, bdf, 0), 0);
	kernel.writes = 0;
	kernel.fail_at = 1;
	kernel.fail_errno = ENOENT;
	assert_int_equal(weir_pci_set_vfs(w, bdf, 2), -ENOENT);
	assert_said("sriov");
}

/* --- which modes --- */

static void test_modes(void **state)
{
	struct weir_mode_report r;

	(void)state;
	weir_pci_modes(w, bdf, &r);
	assert_int_equal(r.chosen, WEIR_MODE_AUTO);
	assert_string_equal(r.id[WEIR_MODE_CDEV], "no-node");
	assert_string_equal(r.id[WEIR_MODE_GROUP], "no-node");
	fs_put("", "dev/iommu");
	fs_put("", "dev/vfio/vfio");
	weir_pci_modes(w, bdf, &r);
	assert_string_equal(r.id[WEIR_MODE_CDEV], "not-bound");
	assert_non_null(strstr(r.why[WEIR_MODE_CDEV], "weir bind " DEV));
	assert_int_equal(weir_pci_bind(w, bdf, 0), 0);
	fs_put("", "dev/vfio/5");
	/* A neighbour in the group that a kernel driver has; a bridge does no harm. */
	fs_add("0000:03:00.1", 5, "igb");
	fs_dir(fs_dev("0000:03:00.1", "net/eth9"));
	fs_add("0000:02:00.0", 5, "pcieport");
	fs_put("0x060400\n", fs_dev("0000:02:00.0", "class"));
	weir_pci_modes(w, bdf, &r);
	assert_string_equal(r.id[WEIR_MODE_GROUP], "group-not-viable");
	assert_non_null(strstr(r.why[WEIR_MODE_GROUP], "0000:03:00.1 (igb, eth9)"));
	assert_null(strstr(r.why[WEIR_MODE_GROUP], "0000:02:00.0"));
	assert_string_equal(r.id[WEIR_MODE_CDEV], "no-node");
	fs_put("", "dev/vfio/devices/vfio0");
	fs_remove(fs_dev("0000:03:00.1", "driver"));
	weir_pci_modes(w, bdf, &r);
	assert_int_equal(r.usable[WEIR_MODE_GROUP], 0);
	assert_int_equal(r.usable[WEIR_MODE_CDEV], 0);
	assert_int_equal(r.chosen, WEIR_MODE_CDEV);
	fs_remove(fs_dev(DEV, "iommu_group"));
	weir_pci_modes(w, bdf, &r);
	assert_string_equal(r.id[WEIR_MODE_CDEV], "no-iommu");
	assert_string_equal(r.id[WEIR_MODE_GROUP], "no-iommu");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_info),
		T(test_info_bare),
		T(test_scan),
		T(test_bind_and_release),
		T(test_bind_without_driver),
		T(test_vfio_refuses),
		T(test_bind_sweep),
		T(test_refusals),
		T(test_no_record_no_bind),
		T(test_bind_without_iommu),
		T(test_interface_in_use),
		T(test_interface_elsewhere),
		T(test_interface_routes),
		T(test_interface_below),
		T(test_release_without_record),
		T(test_release_after_others),
		T(test_release_in_use),
		T(test_release_repeated),
		T(test_vfs),
		T(test_modes),
	};

	return cmocka_run_group_tests_name("pci_sysfs", tests, NULL, NULL);
}
