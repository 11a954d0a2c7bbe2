/* SPDX-License-Identifier: BSD-3-Clause */
/* What the group backends ask before they touch a device: its group, and who else is in it. */
#include "iommu/internal.h"

#include <dirent.h>
#include <stdio.h>

static bool member_is_bridge(const char *dir)
{
	char path[PATH_MAX];
	uint64_t class;

	weir_path(path, "%s/class", dir);
	return !weir_file_u64(path, &class) && class >> 8 == 0x0604;
}

/* Append "0000:03:00.1 (igb, eth1)" for a member that keeps the group from being viable. */
static void add_offender(char *list, size_t size, const char *name, const char *driver,
			 const char *dir)
{
	char net[PATH_MAX], child[64], ifname[32] = "";
	size_t n = strlen(list);

	weir_path(net, "%s/net", dir);
	/* An interface of virtio hangs below the virtio device that hangs below this one. */
	if (weir_dir_first(net, "", ifname, sizeof(ifname)) &&
	    !weir_dir_first(dir, "virtio", child, sizeof(child))) {
		weir_path(net, "%s/%s/net", dir, child);
		weir_dir_first(net, "", ifname, sizeof(ifname));
	}
	snprintf(list + n, size - n, "%s%s (%s%s%s)", n ? ", " : "", name, driver,
		 *ifname ? ", " : "", ifname);
}

unsigned weir_group_offenders(const char *sysdev, char *list, size_t size)
{
	char dir[PATH_MAX], member[PATH_MAX], driver[64];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	list[0] = '\0';
	weir_path(dir, "%s/iommu_group/devices", sysdev);
	d = opendir(dir);
	if (!d)
		return 0;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || weir_path(member, "%s/%s", dir, e->d_name))
			continue;
		if (weir_link_base(member, "driver", driver, sizeof(driver)) ||
		    weir_sys_is_vfio(driver) || !strcmp(driver, "pci-stub") ||
		    member_is_bridge(member))
			continue;
		add_offender(list, size, e->d_name, driver, member);
		n++;
	}
	closedir(d);
	return n;
}

/* --- no-IOMMU --- */

#define CAP_SYS_RAWIO_BIT 17
#define CAP_SYS_ADMIN_BIT 21

static int physical_probe(struct weir *w, const char *sysdev, char why[WEIR_WHY_LEN],
			  const char **id)
{
	char driver[64];

	if (weir_sys_group(sysdev) >= 0 && !weir_sys_group_is_fake(sysdev))
		return weir_why(why, id, EOPNOTSUPP, "has-iommu",
				"an IOMMU stands before the device: cdev and group mode are safe");
	if (weir_sys_group(sysdev) < 0 &&
	    !weir_link_base(sysdev, "driver", driver, sizeof(driver)) && weir_sys_is_vfio(driver))
		return weir_why(
			why, id, EPERM, "noiommu-off",
			"the kernel does not allow it: CONFIG_VFIO_NOIOMMU and "
			"vfio.enable_unsafe_noiommu_mode=1 are needed when the device is bound, "
			"and then it can reach all memory");
	if (weir_sys_group(sysdev) < 0)
		return weir_probe_driver(sysdev, why, id);
	if (!weir_has_cap(w, CAP_SYS_RAWIO_BIT) || !weir_has_cap(w, CAP_SYS_ADMIN_BIT))
		return weir_why(
			why, id, EPERM, "noiommu-caps",
			"it takes CAP_SYS_RAWIO to open and CAP_SYS_ADMIN to learn physical "
			"addresses: run as root");
	return weir_probe_driver(sysdev, why, id);
}

int weir_group_probe(const struct weir_backend *be, struct weir *w, const char *sysdev, char *why,
		     const char **id)
{
	const struct weir_group_kind *k = be->kind;
	char node[PATH_MAX], list[160];
	int err;

	weir_path(node, "%s/%s", weir_dev(w), k->container);
	err = weir_probe_node(node, k->no_container, why, id);
	if (!err)
		err = k->physical ? physical_probe(w, sysdev, why, id)
				  : weir_probe_common(sysdev, why, id);
	if (err)
		return err;
	if (weir_group_offenders(sysdev, list, sizeof(list)))
		return weir_why(why, id, EBUSY, "group-not-viable",
				"its IOMMU group %d is not viable: bind or release with it: %s",
				weir_sys_group(sysdev), list);
	weir_path(node, "%s/%s%d", weir_dev(w), k->nodes, weir_sys_group(sysdev));
	return weir_probe_node(node, "the kernel has no VFIO groups (CONFIG_VFIO_GROUP)", why, id);
}
