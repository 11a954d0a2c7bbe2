/* SPDX-License-Identifier: BSD-3-Clause */
/* One NIC: who has it, who shares its group, and in which modes it can be used. */
#include "apps/doctor/doctor.h"
#include "core/file.h"

#include <stdlib.h>
#include <unistd.h>

static bool is_vfio(const char *driver)
{
	return strstr(driver, "vfio") != NULL;
}

/* Whether the device would come to another driver by itself when it is probed again. */
static void override(struct doctor *d, const struct weir_pci_info *info)
{
	char text[64];

	doctor_sysfs(d, text, sizeof(text), "bus/pci/devices/%s/driver_override", d->about);
	if (!*text || !strcmp(text, "(null)") || is_vfio(info->driver) || *info->prior)
		return;
	doctor_say(d, DOCTOR_WARN, "driver-override", "driver_override is \"%s\", the driver is %s",
		   text, *info->driver ? info->driver : "none");
	doctor_why(d, "somebody took the device and did not give it back: no other driver will "
		      "bind");
	doctor_fix(d,
		   "echo > /sys/bus/pci/devices/%s/driver_override; echo %s > "
		   "/sys/bus/pci/drivers_probe",
		   d->about, d->about);
}

static void interfaces(struct doctor *d, const struct weir_pci_info *info)
{
	char what[256];

	for (unsigned i = 0; i < info->n_netdevs; i++) {
		if (!weir_netdev_in_use(d->w, info->netdevs[i], what, sizeof(what)))
			continue;
		doctor_say(d, DOCTOR_FAIL, "interface-in-use", "its interface %s is in use:%s",
			   info->netdevs[i], what);
		doctor_why(d, "taking the NIC takes these away from the host");
		doctor_fix(d, "if that is meant: weir bind --force %s, else choose another NIC",
			   d->about);
	}
}

/* A driver that is known, and nobody at work with the device. */
void doctor_binding(struct doctor *d, const struct weir_pci_info *info)
{
	const struct weir_pci_id *id = NULL;
	const struct weir_driver *drv = weir_driver_for(info, &id);
	char comm[32];
	int pid;

	if (drv)
		doctor_say(d, DOCTOR_OK, "no-driver", "%s, which weir drives by %s", id->name,
			   drv->name);
	else {
		doctor_say(d, DOCTOR_FAIL, "no-driver",
			   "%04x:%04x, class %06x, is no device that weir has a driver for",
			   info->vendor, info->device, info->class_code);
		doctor_fix(d, "weir list shows which NICs are supported");
	}
	pid = weir_pci_holder(d->w, info, comm, sizeof(comm));
	if (pid) {
		doctor_say(d, DOCTOR_WARN, "in-use", "process %d (%s) has it open", pid, comm);
		doctor_why(d, "a device has one user at a time");
		doctor_fix(d, "end that process: kill %d", pid);
	}
	interfaces(d, info);
	override(d, info);
}

/* --- the IOMMU group --- */

struct members {
	char all[400];	/* for people */
	char bind[256]; /* those that a kernel driver has */
	unsigned bad;	/* how many these are */
};

static void add_member(struct doctor *d, struct members *m, struct weir_bdf bdf)
{
	size_t n = strlen(m->all), b = strlen(m->bind);
	struct weir_pci_info info;
	char name[WEIR_BDF_LEN];

	if (weir_pci_info(d->w, bdf, &info))
		return;
	weir_bdf_format(bdf, name);
	snprintf(m->all + n, sizeof(m->all) - n, "%s%s (%s%s%s)", n ? ", " : "", name,
		 *info.driver ? info.driver : "no driver", info.n_netdevs ? ", " : "",
		 info.n_netdevs ? info.netdevs[0] : "");
	/* Bridges have no DMA of their own, and pcieport is safe. */
	if (!*info.driver || is_vfio(info.driver) || !strcmp(info.driver, "pci-stub") ||
	    info.class_code >> 8 == 0x0604)
		return;
	m->bad++;
	snprintf(m->bind + b, sizeof(m->bind) - b, " %s", name);
}

static void aliases(struct doctor *d, const struct weir_pci_info *info)
{
	char name[WEIR_BDF_LEN], all[128] = "";
	struct weir_bdf ids[4];
	int n = weir_pci_aliases(d->w, info->bdf, ids, WEIR_ARRAY_SIZE(ids));

	for (int i = 0; i < n && i < (int)WEIR_ARRAY_SIZE(ids); i++) {
		size_t at = strlen(all);

		weir_bdf_format(ids[i], name);
		snprintf(all + at, sizeof(all) - at, "%s%s", at ? ", " : "", name);
	}
	if (!n)
		return;
	doctor_say(d, DOCTOR_NOTE, "dma-alias", "its DMA carries a bridge's requester id: %s", all);
	doctor_why(d,
		   "the IOMMU sees all devices below that bridge as one, and none can have PASIDs");
}

#define MEMBERS 32

void doctor_group(struct doctor *d, const struct weir_pci_info *info)
{
	struct weir_bdf others[MEMBERS];
	struct members m = { .bad = 0 };
	char name[64];
	int n;

	aliases(d, info);
	if (info->group < 0)
		return; /* the modes' reports say so */
	doctor_sysfs(d, name, sizeof(name), "kernel/iommu_groups/%d/name", info->group);
	if (!strcmp(name, "vfio-noiommu")) {
		doctor_say(d, DOCTOR_WARN, "noiommu-unsafe",
			   "its group %d is of no-IOMMU mode: nothing keeps its DMA in bounds",
			   info->group);
		doctor_why(d, "a fault of the device or of its program can change any memory; use "
			      "it for trusted programs only");
		return;
	}
	n = weir_pci_members(d->w, info->bdf, others, MEMBERS);
	for (int i = 0; i < n && i < MEMBERS; i++)
		add_member(d, &m, others[i]);
	if (n <= 0) {
		doctor_say(d, DOCTOR_OK, "group-not-viable", "alone in IOMMU group %d",
			   info->group);
		return;
	}
	doctor_say(d, m.bad ? DOCTOR_FAIL : DOCTOR_NOTE, "group-not-viable",
		   "IOMMU group %d has %d other device%s: %s", info->group, n, n == 1 ? "" : "s",
		   m.all);
	doctor_why(d, "the IOMMU cannot tell them apart, so the kernel hands out all or none, and "
		      "all to one process");
	if (m.bad)
		doctor_fix(d,
			   "weir bind%s; or put the card into a slot with ACS, where it is alone",
			   m.bind);
}

/* Regions that the firmware wants mapped one to one: VFIO refuses such a device. */
static void direct_regions(struct doctor *d, const struct weir_pci_info *info)
{
	char path[PATH_MAX], line[128];
	FILE *f;

	weir_path(path, "%s/kernel/iommu_groups/%d/reserved_regions", weir_sysfs(d->w),
		  info->group);
	f = info->group < 0 ? NULL : fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		unsigned long long start, end;
		char type[32];

		if (sscanf(line, "%llx %llx %31s", &start, &end, type) != 3 ||
		    strcmp(type, "direct"))
			continue;
		doctor_say(d, DOCTOR_FAIL, "rmrr",
			   "the firmware wants %#llx to %#llx mapped one to one for it (RMRR)",
			   start, end);
		doctor_why(d, "the kernel refuses to hand such a device out");
		doctor_fix(d, "switch off in the firmware's setup what keeps using the device "
			      "(management, \"shared memory\"), or take another slot");
	}
	fclose(f);
}

/* --- modes --- */

static void one_mode(struct doctor *d, const struct weir_mode_report *r, unsigned m)
{
	const char *name = weir_mode_name((enum weir_mode)m);

	if (m == r->chosen)
		doctor_say(d, DOCTOR_OK, "mode", "%s mode: would be taken", name);
	else if (!r->usable[m])
		doctor_say(d, DOCTOR_OK, "mode", "%s mode: possible, with --mode %s", name, name);
	else
		doctor_say(d, DOCTOR_NOTE, *r->id[m] ? r->id[m] : "mode", "%s mode: no: %s", name,
			   r->why[m]);
}

/* A mode that works, and that weir does not choose by itself; WEIR_MODE_AUTO if there is none. */
static enum weir_mode only_asked(const struct weir_mode_report *r)
{
	for (unsigned m = WEIR_MODE_AUTO + 1; m < WEIR_MODE_MAX; m++)
		if (!r->usable[m])
			return (enum weir_mode)m;
	return WEIR_MODE_AUTO;
}

void doctor_modes(struct doctor *d, const char *name, const struct weir_mode_report *r,
		  bool could_bind)
{
	const char *said = "";

	for (unsigned m = WEIR_MODE_AUTO + 1; m < WEIR_MODE_MAX; m++) {
		/* No reason: a mode for another kind of device. */
		if (r->usable[m] && (!*r->why[m] || !strcmp(said, r->why[m])))
			continue;
		said = r->usable[m] ? r->why[m] : said;
		one_mode(d, r, m);
	}
	if (r->chosen != WEIR_MODE_AUTO)
		return;
	if (only_asked(r)) {
		doctor_say(d, DOCTOR_WARN, "mode", "it can be used in %s mode alone",
			   weir_mode_name(only_asked(r)));
		doctor_why(d,
			   "nothing would keep its DMA in bounds, so that mode is taken only when "
			   "asked for by name");
		return;
	}
	if (could_bind) {
		doctor_say(d, DOCTOR_WARN, "not-bound", "it is not bound to vfio-pci");
		doctor_why(d, "weir l2fwd and weir capture do that for their run; programs with "
			      "libweir expect it done");
		doctor_fix(d, "weir bind %s", name);
		doctor_keep(d, "systemctl enable weir-bind@%s.service (config/)", name);
		return;
	}
	doctor_say(d, DOCTOR_FAIL, "mode", "it cannot be used in any mode as things are");
	doctor_why(d, "of the reasons above, mend that of the first mode: it is the safest");
}

/* --- SR-IOV and reset --- */

static void virtual_function(struct doctor *d)
{
	char path[PATH_MAX], pf[64], driver[64] = "";

	weir_path(path, "%s/bus/pci/devices/%s", weir_sysfs(d->w), d->about);
	if (weir_link_base(path, "physfn", pf, sizeof(pf)))
		return;
	weir_path(path, "%s/bus/pci/devices/%s", weir_sysfs(d->w), pf);
	weir_link_base(path, "driver", driver, sizeof(driver));
	if (strcmp(driver, "vfio-pci")) {
		doctor_say(d, DOCTOR_OK, "vf-token",
			   "a virtual function of %s (%s); no VF token is needed", pf,
			   *driver ? driver : "no driver");
		return;
	}
	doctor_say(d, DOCTOR_WARN, "vf-token",
		   "a virtual function of %s, which vfio-pci has: it opens only with that one's VF "
		   "token",
		   pf);
	doctor_why(d, "whoever has the physical function can read and change what its virtual "
		      "functions do; the token says that both trust each other");
	doctor_fix(d,
		   "the owner of %s sets a token (VFIO_DEVICE_FEATURE_PCI_VF_TOKEN) and hands "
		   "it on",
		   pf);
}

void doctor_functions(struct doctor *d, const struct weir_pci_info *info)
{
	char reset[64];

	direct_regions(d, info);
	if (info->is_vf)
		virtual_function(d);
	if (info->vf_count)
		doctor_say(d, DOCTOR_NOTE, "sriov", "it has %u of %u virtual functions",
			   info->vf_count, info->vf_total);
	doctor_sysfs(d, reset, sizeof(reset), "bus/pci/devices/%s/reset_method", d->about);
	if (*reset) {
		doctor_say(d, DOCTOR_OK, "reset", "can be reset: %s", reset);
		return;
	}
	doctor_say(d, DOCTOR_NOTE, "reset", "the kernel knows no way to reset it alone");
	doctor_why(d,
		   "what a program left in it stays when the next one comes; weir's drivers reset "
		   "it by its own registers");
}
