/* SPDX-License-Identifier: BSD-3-Clause */
/* Is there an IOMMU, and does the kernel offer it? */
#include "apps/doctor/doctor.h"
#include "core/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ARGUMENT                                                                       \
	"/etc/default/grub: GRUB_CMDLINE_LINUX=\"... %s\", then `update-grub` (elsewhere: " \
	"`grubby --update-kernel=ALL --args=%s`), and boot"

static bool has_table(struct doctor *d, const char *name)
{
	char path[PATH_MAX];

	weir_path(path, "%s/firmware/acpi/tables/%s", weir_sysfs(d->w), name);
	return !access(path, F_OK);
}

/* Names of the IOMMUs that the kernel drives: "dmar0, dmar1". */
static void iommu_names(struct doctor *d, char *out, size_t size)
{
	char path[PATH_MAX];
	struct dirent **list = NULL;
	size_t n = 0;
	int count;

	snprintf(out, size, "of a kind without a name");
	weir_path(path, "%s/class/iommu", weir_sysfs(d->w));
	count = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (list[i]->d_name[0] != '.' && n < size)
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "",
					      list[i]->d_name);
		free(list[i]);
	}
	free(list);
}

/* A table of the firmware's says that there is one, and the kernel does not use it. */
static void iommu_unused(struct doctor *d, const char *table, const char *kind, const char *key)
{
	char arg[32];

	snprintf(arg, sizeof(arg), "%s=on", key);
	doctor_say(d, DOCTOR_FAIL, "no-iommu",
		   "the machine has %s (ACPI table %s), but the kernel does not use it: no IOMMU "
		   "groups",
		   kind, table);
	if (doctor_cmdline(d, key, "off") || doctor_cmdline(d, "iommu", "off"))
		doctor_why(d,
			   "the kernel was told so: %s=off or iommu=off stands in "
			   "/proc/cmdline",
			   key);
	else if (!strcmp(table, "IVRS"))
		doctor_why(d, "Linux uses it unasked when it was built with CONFIG_AMD_IOMMU; "
			      "`dmesg | grep AMD-Vi` has the reason");
	else
		doctor_why(d, "many kernels wait for the argument %s", arg);
	doctor_fix(d, "boot with the kernel argument %s, without %s=off and iommu=off", arg, key);
	doctor_keep(d, BOOT_ARGUMENT, arg, arg);
}

static void iommu_absent(struct doctor *d)
{
	char flags[4096];

	doctor_say(
		d, DOCTOR_FAIL, "no-iommu",
		"there is no IOMMU: no groups, and no ACPI table DMAR, IVRS or VIOT tells of one");
	doctor_proc(d, "cpuinfo", "flags", flags, sizeof(flags));
	if (strstr(flags, " hypervisor")) {
		doctor_why(d, "this is a virtual machine whose hypervisor gives it none; devices "
			      "could only be used in no-IOMMU mode or by vfio-user");
		doctor_fix(d, "give it one: QEMU -M q35,kernel-irqchip=split -device "
			      "intel-iommu,intremap=on,caching-mode=on");
		return;
	}
	doctor_why(d, "VFIO hands a device out only behind an IOMMU, which keeps it away from all "
		      "other memory");
	doctor_fix(d,
		   "switch VT-d (Intel) or AMD-Vi/IOMMU (AMD) on in the firmware's setup; Intel: "
		   "and boot with intel_iommu=on");
	doctor_keep(d, BOOT_ARGUMENT, "intel_iommu=on", "intel_iommu=on");
}

/* VT-d specification 11.4.3: bit 3 of the extended capabilities, interrupt remapping. */
static void interrupt_remapping(struct doctor *d)
{
	char text[32], param[8];
	uint64_t ecap;

	if (!*doctor_sysfs(d, text, sizeof(text), "class/iommu/dmar0/intel-iommu/ecap"))
		return;
	ecap = strtoull(text, NULL, 16);
	if (ecap >> 3 & 1 && !doctor_cmdline(d, "intremap", "off")) {
		doctor_say(d, DOCTOR_OK, "interrupt-remapping",
			   "interrupts are remapped: a device cannot forge another's");
		return;
	}
	doctor_sysfs(d, param, sizeof(param),
		     "module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	doctor_say(d, *param == 'Y' ? DOCTOR_WARN : DOCTOR_FAIL, "interrupt-remapping",
		   "the IOMMU does not remap interrupts%s",
		   ecap >> 3 & 1 ? ": intremap=off stands in /proc/cmdline" : "");
	doctor_why(d, "VFIO refuses devices that could raise any interrupt of the machine (EPERM)");
	doctor_fix(d, "boot without intremap=off, with x2APIC on in the firmware; or, if all "
		      "programs with devices are trusted: echo Y > "
		      "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	doctor_keep(d, "/etc/modprobe.d/weir.conf: options vfio_iommu_type1 "
		       "allow_unsafe_interrupts=1");
}

/* Groups that an IOMMU stands behind; no-IOMMU mode makes some too, with a name of their own. */
static unsigned real_groups(struct doctor *d)
{
	char path[PATH_MAX], name[64];
	struct dirent **list = NULL;
	unsigned n = 0;
	int count;

	weir_path(path, "%s/kernel/iommu_groups", weir_sysfs(d->w));
	count = scandir(path, &list, NULL, NULL);
	for (int i = 0; i < count; i++) {
		if (list[i]->d_name[0] != '.')
			n += strcmp(doctor_sysfs(d, name, sizeof(name),
						 "kernel/iommu_groups/%s/name", list[i]->d_name),
				    "vfio-noiommu") != 0;
		free(list[i]);
	}
	free(list);
	return n;
}

void doctor_iommu(struct doctor *d)
{
	unsigned groups = real_groups(d);
	char names[128];

	if (groups) {
		iommu_names(d, names, sizeof(names));
		doctor_say(d, DOCTOR_OK, "no-iommu", "IOMMU %s: %u groups", names, groups);
		interrupt_remapping(d);
	} else if (has_table(d, "DMAR")) {
		iommu_unused(d, "DMAR", "VT-d", "intel_iommu");
	} else if (has_table(d, "IVRS")) {
		iommu_unused(d, "IVRS", "AMD-Vi", "amd_iommu");
	} else {
		iommu_absent(d);
	}
}

/* --- VFIO --- */

enum node_state { NODE_OK, NODE_ABSENT, NODE_LOCKED };

static enum node_state look_at_node(struct doctor *d, const char *name, char *who, size_t size)
{
	char path[PATH_MAX];
	const struct passwd *pw;
	const struct group *gr;
	struct stat st;

	weir_path(path, "%s/%s", weir_dev(d->w), name);
	if (stat(path, &st))
		return NODE_ABSENT;
	if (!faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS))
		return NODE_OK;
	pw = getpwuid(st.st_uid);
	gr = getgrgid(st.st_gid);
	snprintf(who, size, "%s (%s:%s mode %03o)", path, pw ? pw->pw_name : "?",
		 gr ? gr->gr_name : "?", st.st_mode & 0777);
	return NODE_LOCKED;
}

static void locked(struct doctor *d, enum doctor_level level, const char *who)
{
	doctor_say(d, level, "permission", "no permission to read and write %s", who);
	doctor_fix(d, "run as root, or: groupadd -r weir; usermod -aG weir $USER; cp "
		      "config/60-weir.rules /etc/udev/rules.d/; udevadm control --reload; udevadm "
		      "trigger --subsystem-match=vfio --subsystem-match=vfio-dev "
		      "--subsystem-match=misc");
	doctor_keep(d, "the udev rule is what lasts; log in again for the group");
}

/* The module's name stands in /etc/modules-load.d at boot. */
static void load(struct doctor *d, const char *module)
{
	doctor_fix(d, "modprobe %s", module);
	doctor_keep(d, "echo %s >> /etc/modules-load.d/weir.conf", module);
}

static void vfio_pci(struct doctor *d)
{
	char path[PATH_MAX];

	weir_path(path, "%s/bus/pci/drivers/vfio-pci", weir_sysfs(d->w));
	if (!access(path, F_OK)) {
		doctor_say(d, DOCTOR_OK, "no-vfio-pci", "the driver vfio-pci is there");
		return;
	}
	doctor_say(d, DOCTOR_FAIL, "no-vfio-pci", "the kernel has no vfio-pci driver loaded");
	doctor_why(d, "it is what holds a NIC while a program drives it");
	load(d, "vfio-pci");
}

/* The kernel registers numbers for "vfio-dev" (cdevs) and "vfio" (groups) when it was built with them. */
static bool has_numbers(struct doctor *d, const char *name)
{
	char path[PATH_MAX], line[128], have[64];
	bool found = false;
	FILE *f;

	weir_path(path, "%s/devices", weir_proc(d->w));
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*u %63s", have) == 1 && !strcmp(have, name);
	fclose(f);
	return found;
}

static void cdev_mode(struct doctor *d, enum doctor_level bad)
{
	char who[PATH_MAX + 128];
	enum node_state s = look_at_node(d, "iommu", who, sizeof(who));

	if (s == NODE_ABSENT) {
		doctor_say(d, bad, "no-node", "cdev mode: %s/iommu is not there", weir_dev(d->w));
		doctor_why(d,
			   "the kernel has no IOMMUFD (CONFIG_IOMMUFD, Linux 6.2), or its module "
			   "is not loaded");
		load(d, "iommufd");
	} else if (s == NODE_LOCKED) {
		locked(d, bad, who);
	} else if (!has_numbers(d, "vfio-dev")) {
		doctor_say(d, bad, "no-cdev", "cdev mode: VFIO gives devices no cdev");
		doctor_why(d, "it needs Linux 6.6 with CONFIG_VFIO_DEVICE_CDEV, and vfio loaded");
		doctor_fix(d,
			   "modprobe vfio-pci; if it stays so, a kernel with "
			   "CONFIG_VFIO_DEVICE_CDEV=y (Debian's own have none); group mode works "
			   "meanwhile");
	} else {
		doctor_say(d, DOCTOR_OK, "no-cdev",
			   "cdev mode: IOMMUFD and VFIO's cdevs are there");
	}
}

static void group_mode(struct doctor *d, enum doctor_level bad)
{
	char who[PATH_MAX + 128], path[PATH_MAX];
	enum node_state s = look_at_node(d, "vfio/vfio", who, sizeof(who));

	weir_path(path, "%s/module/vfio_iommu_type1", weir_sysfs(d->w));
	if (s == NODE_ABSENT) {
		doctor_say(d, bad, "no-node", "group mode: %s/vfio/vfio is not there",
			   weir_dev(d->w));
		doctor_why(d, "the kernel has no VFIO container (CONFIG_VFIO_GROUP, "
			      "CONFIG_VFIO_CONTAINER), or it is not loaded");
		load(d, "vfio-pci");
	} else if (s == NODE_LOCKED) {
		locked(d, bad, who);
	} else if (access(path, F_OK)) {
		doctor_say(d, bad, "container-type", "group mode: no type1 IOMMU driver is loaded");
		doctor_why(d, "a container needs it (CONFIG_VFIO_IOMMU_TYPE1), unless IOMMUFD "
			      "provides the container (CONFIG_IOMMUFD_VFIO_CONTAINER)");
		load(d, "vfio_iommu_type1");
	} else {
		doctor_say(d, DOCTOR_OK, "container-type",
			   "group mode: the container and type1 are there");
	}
}

static bool mode_works(struct doctor *d, const char *node, bool more)
{
	char who[PATH_MAX + 128];

	return look_at_node(d, node, who, sizeof(who)) == NODE_OK && more;
}

static void noiommu(struct doctor *d)
{
	char text[8];

	doctor_sysfs(d, text, sizeof(text), "module/vfio/parameters/enable_unsafe_noiommu_mode");
	if (!*text)
		return;
	if (*text != 'Y') {
		doctor_say(d, DOCTOR_OK, "noiommu-off",
			   "no-IOMMU mode is off (vfio's enable_unsafe_noiommu_mode)");
		return;
	}
	doctor_say(d, DOCTOR_WARN, "noiommu-unsafe",
		   "no-IOMMU mode is on (vfio's enable_unsafe_noiommu_mode)");
	doctor_why(d, "a device without an IOMMU can be handed out, and then reaches all memory; "
		      "weir does that only with --mode noiommu");
	doctor_fix(d, "unless that is wanted: echo N > "
		      "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode");
	doctor_keep(d, "remove it from /etc/modprobe.d and from the kernel's arguments");
}

void doctor_vfio(struct doctor *d)
{
	char path[PATH_MAX];
	bool compat;

	weir_path(path, "%s/module/vfio_iommu_type1", weir_sysfs(d->w));
	d->cdev = mode_works(d, "iommu", has_numbers(d, "vfio-dev"));
	d->group = mode_works(d, "vfio/vfio", !access(path, F_OK));
	vfio_pci(d);
	compat = mode_works(d, "iommu", has_numbers(d, "vfio"));
	/* One of them is enough. */
	cdev_mode(d, d->group || compat ? DOCTOR_NOTE : DOCTOR_FAIL);
	group_mode(d, d->cdev || compat ? DOCTOR_NOTE : DOCTOR_FAIL);
	if (compat)
		doctor_say(d, DOCTOR_OK, "compat-mode",
			   "compat mode: groups, with IOMMUFD as the container");
	noiommu(d);
}

/* --- IOMMUFD's calls --- */

/* The kernel compares the size first: with 0 a call that it knows is EINVAL, another ENOTTY. */
static bool knows(int fd, unsigned nr)
{
	uint32_t arg[32] = { 0 };

	return ioctl(fd, _IO(';', nr), arg) < 0 && errno == EINVAL;
}

static const struct {
	unsigned nr;
	const char *id, *what, *since, *without;
} calls[] = {
	{ 0x83, "iommufd-copy", "sharing pinned pages (IOAS_COPY)", "6.2",
	  "pages are pinned twice" },
	{ 0x8a, "iommufd-hw-info", "hardware information (GET_HW_INFO)", "6.6",
	  "neither PASIDs nor nesting can be relied on" },
	{ 0x89, "iommufd-hwpt", "page tables of a kind (HWPT_ALLOC)", "6.6",
	  "no PASIDs, nesting or dirty tracking" },
	{ 0x8b, "iommufd-dirty", "dirty page tracking (HWPT_SET_DIRTY_TRACKING)", "6.7",
	  "written pages cannot be told" },
	{ 0x8d, "iommufd-invalidate", "user-managed tables (HWPT_INVALIDATE)", "6.8",
	  "no nesting" },
	{ 0x8e, "iommufd-faults", "page requests (FAULT_QUEUE_ALLOC)", "6.11",
	  "no page requests by devices" },
	{ 0x8f, "iommufd-map-file", "mapping by memfd (IOAS_MAP_FILE)", "6.13",
	  "memory is mapped by address" },
};

void doctor_iommufd(struct doctor *d)
{
	char path[PATH_MAX], known[512] = "";
	size_t n = 0;
	int fd;

	weir_path(path, "%s/iommu", weir_dev(d->w));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	/* The oldest call, IOAS_ALLOC: without it this is no IOMMUFD. */
	if (!knows(fd, 0x81)) {
		doctor_say(d, DOCTOR_FAIL, "iommufd-open", "%s is no IOMMUFD", path);
		doctor_why(d, "the node has another device's numbers, or is a plain file");
		doctor_fix(d,
			   "rm %s; modprobe iommufd; where no devtmpfs makes the node, mknod it "
			   "from /sys/class/misc/iommu/dev",
			   path);
		close(fd);
		return;
	}
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(calls); i++) {
		if (knows(fd, calls[i].nr)) {
			n += (size_t)snprintf(known + n, n < sizeof(known) ? sizeof(known) - n : 0,
					      "%s%s", n ? ", " : "", calls[i].what);
			continue;
		}
		doctor_say(d, DOCTOR_NOTE, calls[i].id, "this kernel's IOMMUFD has no %s",
			   calls[i].what);
		doctor_why(d, "%s; it came with Linux %s", calls[i].without, calls[i].since);
	}
	close(fd);
	doctor_say(d, DOCTOR_OK, "iommufd-calls", "IOMMUFD has %s", n ? known : "the basic calls");
}
