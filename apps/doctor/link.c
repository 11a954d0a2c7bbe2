/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a NIC is plugged in: its PCIe link, its NUMA node, and whether a PASID gets from it to the IOMMU. */
#include "apps/doctor/doctor.h"
#include "core/file.h"

#include <linux/pci_regs.h>
#include <stdlib.h>

/* --- the link: PCIe 5.0, 7.5.3.6 and 7.5.3.8, as sysfs shows them --- */

struct link {
	double speed, max_speed; /* GT/s; 0: not known */
	unsigned width, max_width;
};

static double speed_of(struct doctor *d, const char *dev, const char *name)
{
	char text[64];

	return strtod(doctor_sysfs(d, text, sizeof(text), "bus/pci/devices/%s/%s", dev, name),
		      NULL);
}

static unsigned width_of(struct doctor *d, const char *dev, const char *name)
{
	char text[64];
	unsigned long v;

	v = strtoul(doctor_sysfs(d, text, sizeof(text), "bus/pci/devices/%s/%s", dev, name), NULL,
		    10);
	return v > 32 ? 0 : (unsigned)v; /* the kernel's "unknown" is 255 */
}

static void read_link(struct doctor *d, const char *dev, struct link *l)
{
	l->speed = speed_of(d, dev, "current_link_speed");
	l->max_speed = speed_of(d, dev, "max_link_speed");
	l->width = width_of(d, dev, "current_link_width");
	l->max_width = width_of(d, dev, "max_link_width");
}

/* The device that another hangs on. Return: false at the root. */
static bool parent_of(struct doctor *d, const char *dev, char *out, size_t size)
{
	char name[WEIR_BDF_LEN];
	struct weir_bdf bdf;

	if (weir_bdf_parse(dev, &bdf) || weir_pci_parent(d->w, bdf, &bdf))
		return false;
	weir_bdf_format(bdf, name);
	snprintf(out, size, "%s", name);
	return true;
}

void doctor_link(struct doctor *d, const struct weir_pci_info *info)
{
	struct link l, up = { 0 };
	char port[64] = "";

	(void)info;
	read_link(d, d->about, &l);
	if (l.speed <= 0 || !l.width)
		return; /* virtual, or no PCIe */
	if (l.speed >= l.max_speed && l.width >= l.max_width) {
		doctor_say(d, DOCTOR_OK, "link", "PCIe link: %.1f GT/s x%u, all it can", l.speed,
			   l.width);
		return;
	}
	doctor_say(d, DOCTOR_WARN, "link", "PCIe link: %.1f GT/s x%u, it can %.1f GT/s x%u",
		   l.speed, l.width, l.max_speed, l.max_width);
	if (parent_of(d, d->about, port, sizeof(port)))
		read_link(d, port, &up);
	if (up.max_width && (up.max_width < l.max_width || up.max_speed < l.max_speed)) {
		doctor_why(d, "the slot gives no more: port %s can %.1f GT/s x%u", port,
			   up.max_speed, up.max_width);
		doctor_fix(d, "take a slot of x%u and %.1f GT/s", l.max_width, l.max_speed);
	} else {
		doctor_why(d,
			   "the link was trained below what both ends can: a bad contact, a riser, "
			   "a slot that shares lanes, or power saving");
		doctor_fix(d, "seat the card anew; then look again: lspci -vv -s %s | grep LnkSta",
			   d->about);
	}
}

/* --- NUMA --- */

void doctor_node(struct doctor *d, const struct weir_pci_info *info)
{
	char cpus[256];

	doctor_sysfs(d, cpus, sizeof(cpus), "bus/pci/devices/%s/local_cpulist", d->about);
	if (info->node < 0) {
		if (*doctor_sysfs(d, cpus, sizeof(cpus), "devices/system/node/online") &&
		    strcmp(cpus, "0"))
			doctor_say(d, DOCTOR_NOTE, "numa",
				   "the firmware does not say on which NUMA node it is (nodes %s)",
				   cpus);
		return;
	}
	doctor_say(d, DOCTOR_OK, "numa", "on NUMA node %d, near CPUs %s: use --cores of these",
		   info->node, *cpus ? cpus : "?");
}

/* --- PASID --- */

#define CONFIG_SIZE 4096
#define CHAIN_MAX   480 /* extended capabilities that fit into config space */

/* Config space as sysfs shows it: vfio-pci hides nothing here. Return: bytes read. */
static size_t read_config(struct doctor *d, const char *dev, uint8_t *c)
{
	char path[PATH_MAX];
	size_t n;
	FILE *f;

	weir_path(path, "%s/bus/pci/devices/%s/config", weir_sysfs(d->w), dev);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(c, 1, CONFIG_SIZE, f);
	fclose(f);
	return n;
}

static uint32_t get32(const uint8_t *c, size_t n, unsigned at)
{
	return at + 4 > n ? 0
			  : (uint32_t)c[at] | (uint32_t)c[at + 1] << 8 | (uint32_t)c[at + 2] << 16 |
				    (uint32_t)c[at + 3] << 24;
}

static unsigned ext_cap(const uint8_t *c, size_t n, unsigned id)
{
	unsigned at = PCI_CFG_SPACE_SIZE;

	for (unsigned i = 0; i < CHAIN_MAX && at >= PCI_CFG_SPACE_SIZE; i++) {
		uint32_t h = get32(c, n, at);

		if (!h || h == UINT32_MAX)
			break;
		if (PCI_EXT_CAP_ID(h) == id)
			return at;
		at = PCI_EXT_CAP_NEXT(h);
	}
	return 0;
}

/* PCIe 5.0, 7.5.3.15: Device Capabilities 2, bit 21, End-End TLP Prefix Supported. */
static bool carries_prefixes(const uint8_t *c, size_t n)
{
	unsigned at = n > PCI_CAPABILITY_LIST ? c[PCI_CAPABILITY_LIST] & ~3u : 0;

	for (unsigned i = 0; i < 48 && at >= PCI_STD_HEADER_SIZEOF && at + 2 <= n; i++) {
		if (c[at] == PCI_CAP_ID_EXP)
			return get32(c, n, at + PCI_EXP_DEVCAP2) & PCI_EXP_DEVCAP2_EE_PREFIX;
		at = c[at + 1] & ~3u;
	}
	return false;
}

/* The device from @first upwards that would drop the prefix, or "". */
static void blocker(struct doctor *d, const char *first, char *out, size_t size)
{
	char dev[64], up[64];
	uint8_t c[CONFIG_SIZE];
	size_t n;

	out[0] = '\0';
	snprintf(dev, sizeof(dev), "%s", first);
	do {
		n = read_config(d, dev, c);
		if (!carries_prefixes(c, n)) {
			snprintf(out, size, "%s", dev);
			return;
		}
		if (!parent_of(d, dev, up, sizeof(up)))
			return;
		snprintf(dev, sizeof(dev), "%s", up);
	} while (true);
}

/* VT-d specification 11.4.3: SMTS (43) and PASID (40). Unknown for IOMMUs of other makers. */
static bool iommu_lacks_pasid(struct doctor *d)
{
	char text[32];
	uint64_t ecap;

	doctor_sysfs(d, text, sizeof(text), "bus/pci/devices/%s/iommu/intel-iommu/ecap", d->about);
	ecap = strtoull(text, NULL, 16);
	return *text && (!(ecap >> 43 & 1) || !(ecap >> 40 & 1));
}

static void pasid_of(struct doctor *d, const uint8_t *c, size_t n, unsigned at, const char *owner)
{
	unsigned bits = get32(c, n, at + PCI_PASID_CAP) >> 8 & 0x1f;
	char who[64];

	blocker(d, owner, who, sizeof(who));
	if (*who) {
		doctor_say(d, DOCTOR_WARN, "pasid",
			   "it has PASIDs of %u bits, but %s carries no end-to-end TLP prefixes",
			   bits, who);
		doctor_why(d,
			   "the kernel enables PASIDs only where the whole way to the root does");
		doctor_fix(d, "another slot, without that bridge on the way");
	} else if (iommu_lacks_pasid(d)) {
		doctor_say(
			d, DOCTOR_WARN, "pasid",
			"it has PASIDs of %u bits, but its IOMMU has no scalable mode with PASIDs",
			bits);
		doctor_why(d, "queues cannot have address spaces of their own");
	} else if (doctor_cmdline(d, "intel_iommu", "sm_off")) {
		doctor_say(
			d, DOCTOR_WARN, "pasid",
			"it has PASIDs of %u bits, but scalable mode is off (intel_iommu=sm_off)",
			bits);
		doctor_fix(d, "boot with intel_iommu=on,sm_on");
	} else {
		doctor_say(
			d, DOCTOR_OK, "pasid",
			"it has PASIDs of %u bits; whether the kernel enabled them shows when it "
			"is opened (Linux 6.15, cdev mode)",
			bits);
	}
}

/* Virtual functions send PASIDs by their physical function's capability (PCIe 5.0, 7.8.8). */
static void config_owner(struct doctor *d, const struct weir_pci_info *info, char *out, size_t size)
{
	char path[PATH_MAX];

	weir_path(path, "%s/bus/pci/devices/%s", weir_sysfs(d->w), d->about);
	if (!info->is_vf || weir_link_base(path, "physfn", out, size))
		snprintf(out, size, "%s", d->about);
}

void doctor_pasid(struct doctor *d, const struct weir_pci_info *info)
{
	uint8_t c[CONFIG_SIZE];
	char owner[64];
	unsigned at;
	size_t n;

	config_owner(d, info, owner, sizeof(owner));
	n = read_config(d, owner, c);
	if (n < PCI_CFG_SPACE_SIZE) {
		doctor_say(d, DOCTOR_NOTE, "pasid",
			   "config space can be read by root only: PASIDs were not looked for");
		return;
	}
	at = ext_cap(c, n, PCI_EXT_CAP_ID_PASID);
	if (at)
		pasid_of(d, c, n, at, owner);
	else
		doctor_say(d, DOCTOR_NOTE, "pasid",
			   "no PASID capability: all its queues share one address space");
}
