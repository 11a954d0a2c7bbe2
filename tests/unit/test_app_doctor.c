/* SPDX-License-Identifier: BSD-3-Clause */
/* Each check of `weir doctor` both ways, over a machine of files. */
#include "fake_sysfs.h"

#include "apps/doctor/doctor.h"

#include <stdlib.h>
#include <sys/ioctl.h>

#define NIC "0000:03:00.0"

static struct doctor d;

/* Calls that the model of /dev/iommu knows, by number; 0 ends it. */
static const unsigned *known_calls;

int __wrap_ioctl(int fd, unsigned long req, void *arg);

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	(void)fd;
	assert_int_equal(*(uint32_t *)arg, 0); /* it only asks */
	errno = ENOTTY;
	for (const unsigned *k = known_calls; k && *k; k++)
		if (_IO(';', *k) == req)
			errno = EINVAL;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	fs_begin();
	memset(&d, 0, sizeof(d));
	d.w = fs_weir();
	d.about = "machine";
	d.wanted = 14u << 20;
	d.ports = 2;
	d.queues = 1;
	known_calls = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(d.list);
	weir_close(d.w);
	fs_end();
	return 0;
}

static void anew(void)
{
	free(d.list);
	d.list = NULL;
	d.n = 0;
}

static const struct doctor_finding *find(const char *id)
{
	for (unsigned i = 0; i < d.n; i++)
		if (!strcmp(d.list[i].id, id))
			return &d.list[i];
	return NULL;
}

static void says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static const struct doctor_finding *must(const char *id)
{
	static const struct doctor_finding none;
	const struct doctor_finding *f = find(id);

	if (!f)
		fail_msg("no finding %s", id);
	return f ? f : &none;
}

/* The finding of @id is there, of @level, and names what is needed. */
static const struct doctor_finding *expect(const char *id, enum doctor_level level,
					   const char *fact)
{
	const struct doctor_finding *f = must(id);

	if (f->level != level)
		fail_msg("%s is %s: %s", id, doctor_level_name(f->level), f->fact);
	says(f->fact, fact);
	/* What does not work comes with a reason or a remedy. */
	if (level >= DOCTOR_WARN)
		assert_true(*f->why || *f->fix);
	return f;
}

static void run(void (*check)(struct doctor *))
{
	anew();
	check(&d);
}

static struct weir_pci_info look(void)
{
	struct weir_pci_info info;

	assert_int_equal(weir_pci_info(d.w, (struct weir_bdf){ .bus = 3 }, &info), 0);
	return info;
}

static void run_dev(void (*check)(struct doctor *, const struct weir_pci_info *))
{
	struct weir_pci_info info = look();

	anew();
	d.about = NIC;
	check(&d, &info);
}

/* --- the IOMMU --- */

static void test_no_iommu(void **state)
{
	(void)state;
	run(doctor_iommu);
	says(expect("no-iommu", DOCTOR_FAIL, "no ACPI table")->fix, "firmware");
	fs_put("flags\t\t: fpu hypervisor tsc\n", "proc/cpuinfo");
	run(doctor_iommu);
	says(expect("no-iommu", DOCTOR_FAIL, "no ACPI table")->fix, "QEMU");
}

static void test_iommu_unused(void **state)
{
	const struct doctor_finding *f;

	(void)state;
	fs_put("", "sys/firmware/acpi/tables/DMAR");
	fs_put("root=/dev/sda quiet\n", "proc/cmdline");
	run(doctor_iommu);
	f = expect("no-iommu", DOCTOR_FAIL, "VT-d (ACPI table DMAR)");
	says(f->fix, "intel_iommu=on");
	says(f->keep, "GRUB_CMDLINE_LINUX");
	fs_put("intel_iommu=sm_on,off\n", "proc/cmdline");
	run(doctor_iommu);
	says(expect("no-iommu", DOCTOR_FAIL, "VT-d")->why, "intel_iommu=off");
	fs_remove("sys/firmware");
	fs_put("", "sys/firmware/acpi/tables/IVRS");
	fs_put("quiet\n", "proc/cmdline");
	run(doctor_iommu);
	says(expect("no-iommu", DOCTOR_FAIL, "AMD-Vi")->fix, "amd_iommu=on");
}

static void test_iommu(void **state)
{
	(void)state;
	fs_add(NIC, 5, "igb");
	fs_dir("sys/class/iommu/dmar0");
	fs_dir("sys/class/iommu/dmar1");
	run(doctor_iommu);
	expect("no-iommu", DOCTOR_OK, "dmar0, dmar1: 1 groups");
	assert_null(find("interrupt-remapping"));
	fs_put("f00f5a\n", "sys/class/iommu/dmar0/intel-iommu/ecap");
	run(doctor_iommu);
	expect("interrupt-remapping", DOCTOR_OK, "remapped");
	fs_put("intremap=off\n", "proc/cmdline");
	run(doctor_iommu);
	expect("interrupt-remapping", DOCTOR_FAIL, "intremap=off");
	fs_put("quiet\n", "proc/cmdline");
	fs_put("f00f52\n", "sys/class/iommu/dmar0/intel-iommu/ecap");
	fs_put("Y\n", "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	run(doctor_iommu);
	expect("interrupt-remapping", DOCTOR_WARN, "does not remap");
	/* Groups that no-IOMMU mode made are none of an IOMMU. */
	fs_remove("sys/class/iommu");
	run(doctor_iommu);
	expect("no-iommu", DOCTOR_OK, "1 groups");
	fs_put("vfio-noiommu\n", "sys/kernel/iommu_groups/5/name");
	run(doctor_iommu);
	expect("no-iommu", DOCTOR_FAIL, "there is no IOMMU");
}

/* --- VFIO --- */

static void test_vfio_absent(void **state)
{
	(void)state;
	fs_remove("sys/bus/pci/drivers/vfio-pci");
	run(doctor_vfio);
	says(expect("no-vfio-pci", DOCTOR_FAIL, "no vfio-pci")->fix, "modprobe vfio-pci");
	says(must("no-vfio-pci")->keep, "/etc/modules-load.d");
	says(expect("no-node", DOCTOR_FAIL, "/iommu is not there")->fix, "modprobe iommufd");
	assert_null(find("noiommu-off"));
	assert_false(d.cdev || d.group);
}

static void test_vfio_modes(void **state)
{
	(void)state;
	/* Group mode alone: cdev mode's absence is worth a note, no more. */
	fs_put("", "dev/vfio/vfio");
	run(doctor_vfio);
	says(expect("container-type", DOCTOR_FAIL, "no type1")->fix, "modprobe vfio_iommu_type1");
	fs_dir("sys/module/vfio_iommu_type1");
	run(doctor_vfio);
	expect("no-vfio-pci", DOCTOR_OK, "vfio-pci");
	expect("container-type", DOCTOR_OK, "group mode");
	expect("no-node", DOCTOR_NOTE, "cdev mode");
	assert_true(d.group && !d.cdev);
	/* IOMMUFD without cdevs. */
	fs_put("", "dev/iommu");
	fs_put("Character devices:\n 10 misc\n511 vfio\n", "proc/devices");
	run(doctor_vfio);
	expect("compat-mode", DOCTOR_OK, "IOMMUFD as the container");
	expect("no-cdev", DOCTOR_NOTE, "no cdev");
	fs_put("Character devices:\n 10 misc\n510 vfio-dev\n", "proc/devices");
	run(doctor_vfio);
	expect("no-cdev", DOCTOR_OK, "cdevs are there");
	assert_true(d.cdev);
	assert_null(find("compat-mode"));
	/* And cdev mode alone. */
	fs_remove("dev/vfio/vfio");
	run(doctor_vfio);
	expect("no-node", DOCTOR_NOTE, "group mode");
}

static void test_noiommu(void **state)
{
	(void)state;
	fs_put("N\n", "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	run(doctor_vfio);
	expect("noiommu-off", DOCTOR_OK, "off");
	fs_put("Y\n", "sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	run(doctor_vfio);
	says(expect("noiommu-unsafe", DOCTOR_WARN, "on")->why, "all memory");
}

static void test_iommufd(void **state)
{
	static const unsigned old[] = { 0x81, 0x83, 0x89, 0x8a, 0 };
	static const unsigned new[] = { 0x81, 0x83, 0x89, 0x8a, 0x8b, 0x8d, 0x8e, 0x8f, 0 };

	(void)state;
	run(doctor_iommufd);
	assert_int_equal(d.n, 0); /* nothing to ask */
	fs_put("", "dev/iommu");
	run(doctor_iommufd);
	expect("iommufd-open", DOCTOR_FAIL, "no IOMMUFD");
	known_calls = new;
	run(doctor_iommufd);
	assert_int_equal(d.n, 1);
	expect("iommufd-calls", DOCTOR_OK, "IOAS_MAP_FILE");
	known_calls = old;
	run(doctor_iommufd);
	assert_int_equal(d.n, 5);
	says(expect("iommufd-map-file", DOCTOR_NOTE, "IOAS_MAP_FILE")->why, "6.13");
	expect("iommufd-faults", DOCTOR_NOTE, "FAULT_QUEUE_ALLOC");
	expect("iommufd-dirty", DOCTOR_NOTE, "dirty");
	assert_null(find("iommufd-hwpt"));
}

/* --- memory --- */

static void hugepages(const char *where, const char *have, const char *free_now)
{
	char name[128];

	snprintf(name, sizeof(name), "sys/%s/hugepages-2048kB/nr_hugepages", where);
	fs_put(have, name);
	snprintf(name, sizeof(name), "sys/%s/hugepages-2048kB/free_hugepages", where);
	fs_put(free_now, name);
}

static void test_hugepages(void **state)
{
	(void)state;
	run(doctor_memory);
	expect("hugepages", DOCTOR_WARN, "no hugepages");
	fs_put("MemTotal: 1 kB\nHugepagesize:    2048 kB\n", "proc/meminfo");
	hugepages("kernel/mm/hugepages", "8\n", "7\n");
	run(doctor_memory);
	expect("hugepages", DOCTOR_OK, "7 wanted (2 ports, 1 queue), 7 free of 8");
	hugepages("kernel/mm/hugepages", "8\n", "3\n");
	run(doctor_memory);
	says(expect("hugepages", DOCTOR_WARN, "3 free")->fix, "hugeadm --pool-pages-min 2048KB:12");
	says(must("hugepages")->keep, "vm.nr_hugepages=12");
}

static void test_hugepages_by_node(void **state)
{
	(void)state;
	fs_put("Hugepagesize:    2048 kB\n", "proc/meminfo");
	hugepages("devices/system/node/node0/hugepages", "64\n", "64\n");
	hugepages("devices/system/node/node1/hugepages", "0\n", "0\n");
	d.nodes[d.n_nodes++] = 0;
	run(doctor_memory);
	expect("hugepages", DOCTOR_OK, "on NUMA node 0");
	d.nodes[0] = 1;
	run(doctor_memory);
	says(expect("hugepages", DOCTOR_WARN, "on NUMA node 1")->fix, "echo 7 > ");
	says(must("hugepages")->fix, "node1/hugepages/hugepages-2048kB/nr_hugepages");
	says(must("hugepages")->keep, "hugepages=1:7");
}

static void test_memlock(void **state)
{
	static const char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max locked memory         8388608              8388608              bytes     \n";

	(void)state;
	fs_put("CapEff:\t0000000000000000\n", "proc/self/status");
	fs_put(limits, "proc/self/limits");
	run(doctor_memory);
	says(expect("memlock", DOCTOR_FAIL, "14336 KiB will be locked, the limit is 8192 KiB")
		     ->keep,
	     "LimitMEMLOCK=14336K");
	/* As much again on the second node. */
	d.nodes[0] = 0, d.nodes[1] = 1, d.n_nodes = 2;
	run(doctor_memory);
	expect("memlock", DOCTOR_FAIL, "28672 KiB");
	fs_put("CapEff:\t0000000000004000\n", "proc/self/status");
	run(doctor_memory);
	expect("memlock", DOCTOR_OK, "CAP_IPC_LOCK");
	fs_put("CapEff:\t0000000000003fff\n", "proc/self/status");
	fs_put("Max locked memory         unlimited            unlimited            bytes\n",
	       "proc/self/limits");
	run(doctor_memory);
	expect("memlock", DOCTOR_OK, "no limit");
	fs_put("Max locked memory         67108864             67108864             bytes\n",
	       "proc/self/limits");
	run(doctor_memory);
	expect("memlock", DOCTOR_OK, "65536 KiB");
}

/* --- processors, containers --- */

static void test_cpu(void **state)
{
	(void)state;
	run(doctor_cpu);
	assert_null(find("tsc"));
	expect("cpu-isolation", DOCTOR_NOTE, "no CPU is isolated");
	fs_put("flags\t\t: tsc nonstop_tsc not_constant_tsc\n", "proc/cpuinfo");
	fs_put("2-3\n", "sys/devices/system/cpu/isolated");
	fs_put("powersave\n", "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	run(doctor_cpu);
	expect("tsc", DOCTOR_WARN, "not invariant");
	expect("cpu-isolation", DOCTOR_OK, "CPUs 2-3");
	expect("cpu-governor", DOCTOR_NOTE, "powersave");
	fs_put("flags\t\t: tsc constant_tsc nonstop_tsc\n", "proc/cpuinfo");
	fs_put("hpet\n", "sys/devices/system/clocksource/clocksource0/current_clocksource");
	fs_put("performance\n", "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	run(doctor_cpu);
	expect("tsc", DOCTOR_NOTE, "hpet");
	assert_null(find("cpu-governor"));
	fs_put("tsc\n", "sys/devices/system/clocksource/clocksource0/current_clocksource");
	run(doctor_cpu);
	expect("tsc", DOCTOR_OK, "invariant");
}

static void test_confined(void **state)
{
	(void)state;
	fs_put("0::/user.slice\n", "proc/self/cgroup");
	fs_put("Seccomp:\t0\n", "proc/self/status");
	run(doctor_confined);
	assert_int_equal(d.n, 0);
	fs_put("0::/system.slice/docker-4711.scope\n", "proc/self/cgroup");
	fs_put("Name:\tweir\nSeccomp:\t2\nSeccomp_filters:\t1\n", "proc/self/status");
	run(doctor_confined);
	says(expect("container", DOCTOR_NOTE, "docker")->fix, "--device /dev/iommu");
	expect("seccomp", DOCTOR_NOTE, "in force");
}

/* --- a device --- */

static void test_binding(void **state)
{
	(void)state;
	fs_add(NIC, 5, "igb");
	run_dev(doctor_binding);
	assert_int_equal(d.n, 1);
	expect("no-driver", DOCTOR_OK, "igb");
	fs_put("0x9999\n", fs_dev(NIC, "device"));
	run_dev(doctor_binding);
	expect("no-driver", DOCTOR_FAIL, "8086:9999");
}

static void test_left_over(void **state)
{
	(void)state;
	fs_add(NIC, 5, "");
	fs_put("uio_pci_generic\n", fs_dev(NIC, "driver_override"));
	run_dev(doctor_binding);
	says(expect("driver-override", DOCTOR_WARN, "uio_pci_generic")->fix, "driver_override");
	/* Ours, with a record: `weir release` knows. */
	fs_put("igb\n", "run/bind/" NIC);
	run_dev(doctor_binding);
	assert_null(find("driver-override"));
}

static void test_in_use(void **state)
{
	char path[PATH_MAX];

	(void)state;
	fs_add(NIC, 5, "vfio-pci");
	fs_dir(fs_dev(NIC, "vfio-dev/vfio3"));
	fs_put("", "dev/vfio/devices/vfio3");
	fs_put("l2fwd\n", "proc/77/comm");
	run_dev(doctor_binding);
	assert_null(find("in-use"));
	fs_link("dev/vfio/devices/vfio3", "proc/77/fd/9");
	fs_path(path, "proc/77/fd/9");
	run_dev(doctor_binding);
	expect("in-use", DOCTOR_WARN, "process 77 (l2fwd)");
}

static void test_group(void **state)
{
	(void)state;
	fs_add(NIC, 5, "vfio-pci");
	run_dev(doctor_group);
	expect("group-not-viable", DOCTOR_OK, "alone in IOMMU group 5");
	fs_add("0000:03:00.1", 5, "vfio-pci");
	run_dev(doctor_group);
	expect("group-not-viable", DOCTOR_NOTE, "1 other device: 0000:03:00.1 (vfio-pci)");
	fs_add("0000:03:00.2", 5, "igb");
	fs_dir(fs_dev("0000:03:00.2", "net/eth7"));
	fs_add("0000:03:00.3", 5, "");
	fs_add("0000:02:00.0", 5, "pcieport");
	fs_put("0x060400\n", fs_dev("0000:02:00.0", "class"));
	run_dev(doctor_group);
	expect("group-not-viable", DOCTOR_FAIL,
	       "0000:03:00.2 (igb, eth7), 0000:03:00.3 (no driver)");
	/* The least that must be done: nothing about those that are not in the way. */
	says(must("group-not-viable")->fix, "weir bind 0000:03:00.2;");
	fs_put("vfio-noiommu\n", "sys/kernel/iommu_groups/5/name");
	run_dev(doctor_group);
	expect("noiommu-unsafe", DOCTOR_WARN, "group 5");
}

static void test_modes(void **state)
{
	struct weir_mode_report r;

	(void)state;
	fs_add(NIC, 5, "igb");
	weir_pci_modes(d.w, (struct weir_bdf){ .bus = 3 }, &r);
	anew();
	doctor_modes(&d, NIC, &r, false);
	expect("mode", DOCTOR_FAIL, "any mode");
	expect("no-node", DOCTOR_NOTE, "cdev mode: no: ");
	anew();
	doctor_modes(&d, NIC, &r, true);
	says(expect("not-bound", DOCTOR_WARN, "vfio-pci")->fix, "weir bind " NIC);
	fs_drive(NIC, "vfio-pci");
	fs_put("", "dev/iommu");
	fs_put("", "dev/vfio/devices/vfio3");
	fs_dir(fs_dev(NIC, "vfio-dev/vfio3"));
	weir_pci_modes(d.w, (struct weir_bdf){ .bus = 3 }, &r);
	anew();
	doctor_modes(&d, NIC, &r, false);
	expect("mode", DOCTOR_OK, "cdev mode: would be taken");
}

/* Usable, but never chosen: neither fine nor a failure. */
static void test_mode_only_asked(void **state)
{
	struct weir_mode_report r = { .chosen = WEIR_MODE_AUTO };

	(void)state;
	for (unsigned m = WEIR_MODE_AUTO + 1; m < WEIR_MODE_MAX; m++) {
		r.usable[m] = m == WEIR_MODE_NOIOMMU ? 0 : -ENODEV;
		r.id[m] = "no-iommu";
		snprintf(r.why[m], WEIR_WHY_LEN, "%s", m == WEIR_MODE_NOIOMMU ? "" : "no IOMMU");
	}
	anew();
	doctor_modes(&d, NIC, &r, false);
	expect("mode", DOCTOR_OK, "with --mode noiommu");
	assert_int_equal(d.list[d.n - 1].level, DOCTOR_WARN);
	says(d.list[d.n - 1].fact, "noiommu mode alone");
}

static void test_functions(void **state)
{
	(void)state;
	fs_add(NIC, 5, "vfio-pci");
	run_dev(doctor_functions);
	expect("reset", DOCTOR_NOTE, "no way");
	assert_null(find("vf-token"));
	fs_put("flr bus\n", fs_dev(NIC, "reset_method"));
	fs_put("0x00000000fee00000 0x00000000feefffff msi\n",
	       "sys/kernel/iommu_groups/5/reserved_regions");
	run_dev(doctor_functions);
	expect("reset", DOCTOR_OK, "flr bus");
	assert_null(find("rmrr"));
	fs_put("0x00000000bdf6f000 0x00000000bdf7efff direct\n"
	       "0x00000000fee00000 0x00000000feefffff msi\n",
	       "sys/kernel/iommu_groups/5/reserved_regions");
	run_dev(doctor_functions);
	expect("rmrr", DOCTOR_FAIL, "0xbdf6f000");
	fs_put("0x00000000bdf6f000 0x00000000bdf7efff direct-relaxable\n",
	       "sys/kernel/iommu_groups/5/reserved_regions");
	run_dev(doctor_functions);
	assert_null(find("rmrr"));
}

static void test_vf(void **state)
{
	(void)state;
	fs_add("0000:03:01.0", 6, "igb");
	fs_add(NIC, 5, "vfio-pci");
	fs_link("sys/bus/pci/devices/0000:03:01.0", fs_dev(NIC, "physfn"));
	run_dev(doctor_functions);
	expect("vf-token", DOCTOR_OK, "0000:03:01.0 (igb)");
	fs_remove("sys/bus/pci/devices/0000:03:01.0/driver");
	fs_drive("0000:03:01.0", "vfio-pci");
	run_dev(doctor_functions);
	says(expect("vf-token", DOCTOR_WARN, "VF token")->fix, "VF_TOKEN");
}

static void put_link(const char *dev, const char *speed, const char *width, const char *max_speed,
		     const char *max_width)
{
	fs_put(speed, fs_dev(dev, "current_link_speed"));
	fs_put(width, fs_dev(dev, "current_link_width"));
	fs_put(max_speed, fs_dev(dev, "max_link_speed"));
	fs_put(max_width, fs_dev(dev, "max_link_width"));
}

static void test_link(void **state)
{
	(void)state;
	fs_add("0000:00:01.0", 1, "pcieport");
	fs_add("0000:00:01.0/" NIC, 5, "igb");
	fs_link("sys/bus/pci/devices/0000:00:01.0/" NIC, "sys/bus/pci/devices/" NIC);
	run_dev(doctor_link);
	assert_int_equal(d.n, 0);
	put_link(NIC, "Unknown\n", "255\n", "Unknown\n", "255\n");
	run_dev(doctor_link);
	assert_int_equal(d.n, 0);
	put_link(NIC, "8.0 GT/s PCIe\n", "8\n", "8.0 GT/s PCIe\n", "8\n");
	run_dev(doctor_link);
	expect("link", DOCTOR_OK, "8.0 GT/s x8");
	put_link(NIC, "8.0 GT/s PCIe\n", "4\n", "8.0 GT/s PCIe\n", "8\n");
	put_link("0000:00:01.0", "8.0 GT/s PCIe\n", "4\n", "16.0 GT/s PCIe\n", "16\n");
	run_dev(doctor_link);
	says(expect("link", DOCTOR_WARN, "x4, it can 8.0 GT/s x8")->fix, "lspci");
	put_link("0000:00:01.0", "8.0 GT/s PCIe\n", "4\n", "8.0 GT/s PCIe\n", "4\n");
	run_dev(doctor_link);
	says(expect("link", DOCTOR_WARN, "x4")->why, "port 0000:00:01.0 can 8.0 GT/s x4");
}

static void test_node(void **state)
{
	(void)state;
	fs_add(NIC, 5, "igb");
	run_dev(doctor_node);
	assert_int_equal(d.n, 0);
	fs_put("0-1\n", "sys/devices/system/node/online");
	run_dev(doctor_node);
	expect("numa", DOCTOR_NOTE, "nodes 0-1");
	fs_put("1\n", fs_dev(NIC, "numa_node"));
	fs_put("8-15\n", fs_dev(NIC, "local_cpulist"));
	run_dev(doctor_node);
	expect("numa", DOCTOR_OK, "node 1, near CPUs 8-15");
}

/* Config space with a PCIe capability at 0x40 and, if @pasid, PASIDs of 20 bits at 0x100. */
static void put_config(const char *dev, size_t size, bool prefixes, bool pasid)
{
	uint8_t c[4096] = { [0x34] = 0x40, [0x40] = 0x10, [0x41] = 0 };
	char path[PATH_MAX];
	FILE *f;

	c[0x40 + 0x24 + 2] = prefixes ? 0x20 : 0;
	if (pasid) {
		c[0x100] = 0x1b;
		c[0x102] = 0x01;
		c[0x105] = 20;
	}
	fs_path(path, "%s", fs_dev(dev, "config"));
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(c, 1, size, f), size);
	fclose(f);
}

static void test_pasid(void **state)
{
	(void)state;
	fs_add("0000:00:01.0", 1, "pcieport");
	fs_add("0000:00:01.0/" NIC, 5, "igb");
	fs_link("sys/bus/pci/devices/0000:00:01.0/" NIC, "sys/bus/pci/devices/" NIC);
	put_config("0000:00:01.0", 4096, true, false);
	put_config(NIC, 64, true, true);
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_NOTE, "root only");
	put_config(NIC, 4096, true, false);
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_NOTE, "no PASID capability");
	put_config(NIC, 4096, true, true);
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_OK, "20 bits");
	put_config(NIC, 4096, false, true);
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_WARN, NIC " carries no");
	put_config(NIC, 4096, true, true);
	put_config("0000:00:01.0", 4096, false, false);
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_WARN, "0000:00:01.0 carries no");
	put_config("0000:00:01.0", 4096, true, false);
	fs_put("f00f5a\n", fs_dev(NIC, "iommu/intel-iommu/ecap"));
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_WARN, "no scalable mode");
	fs_put("9ef0f5a\n", fs_dev(NIC, "iommu/intel-iommu/ecap"));
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_WARN, "no scalable mode");
	fs_put("90000f00f5a\n", fs_dev(NIC, "iommu/intel-iommu/ecap"));
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_OK, "20 bits");
	fs_put("intel_iommu=on,sm_off\n", "proc/cmdline");
	run_dev(doctor_pasid);
	says(expect("pasid", DOCTOR_WARN, "sm_off")->fix, "sm_on");
}

/* A virtual function has no capability of its own: its physical function's counts. */
static void test_pasid_vf(void **state)
{
	(void)state;
	fs_add("0000:03:10.0", 6, "igb");
	fs_add(NIC, 5, "vfio-pci");
	put_config("0000:03:10.0", 4096, true, true);
	put_config(NIC, 4096, false, false);
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_NOTE, "no PASID capability");
	fs_link("sys/bus/pci/devices/0000:03:10.0", fs_dev(NIC, "physfn"));
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_OK, "20 bits");
}

/* A chain of capabilities that bites its tail ends all the same. */
static void test_config_loops(void **state)
{
	uint8_t c[4096] = { [0x34] = 0x40,  [0x40] = 0x01,  [0x41] = 0x40,
			    [0x100] = 0x03, [0x102] = 0x01, [0x103] = 0x10 };
	char path[PATH_MAX];
	FILE *f;

	(void)state;
	fs_add(NIC, 5, "igb");
	fs_path(path, "%s", fs_dev(NIC, "config"));
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(c, 1, sizeof(c), f);
	fclose(f);
	run_dev(doctor_pasid);
	expect("pasid", DOCTOR_NOTE, "no PASID capability");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_no_iommu),    T(test_iommu_unused), T(test_iommu),
		T(test_vfio_absent), T(test_vfio_modes),   T(test_noiommu),
		T(test_iommufd),     T(test_hugepages),	   T(test_hugepages_by_node),
		T(test_memlock),     T(test_cpu),	   T(test_confined),
		T(test_binding),     T(test_left_over),	   T(test_in_use),
		T(test_group),	     T(test_modes),	   T(test_mode_only_asked),
		T(test_functions),   T(test_vf),	   T(test_link),
		T(test_node),	     T(test_pasid),	   T(test_config_loops),
		T(test_pasid_vf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
