/* SPDX-License-Identifier: BSD-3-Clause */
/* Who stands beside and above a device: its IOMMU group, its bridges, and what they make of its RID. */
#include "pci/internal.h"

#include <dirent.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int weir_pci_members(struct weir *w, struct weir_bdf bdf, struct weir_bdf *out, unsigned n)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent **list = NULL;
	struct weir_bdf other;
	int count, found = 0;

	if (weir_pci_sysdev(w, bdf, dir, sizeof(dir)) ||
	    weir_path(path, "%s/iommu_group/devices", dir))
		return -ENAMETOOLONG;
	count = scandir(path, &list, NULL, by_name);
	if (count < 0)
		return -ENODEV;
	for (int i = 0; i < count; i++) {
		if (!weir_bdf_parse(list[i]->d_name, &other) && !weir_bdf_equal(other, bdf)) {
			if ((unsigned)found < n)
				out[found] = other;
			found++;
		}
		free(list[i]);
	}
	free(list);
	return found;
}

int weir_pci_parent(struct weir *w, struct weir_bdf bdf, struct weir_bdf *parent)
{
	char dir[PATH_MAX], real[PATH_MAX], *slash;

	if (weir_pci_sysdev(w, bdf, dir, sizeof(dir)) || !realpath(dir, real))
		return -ENODEV;
	/* The folder above is the bridge's; at a root it is the domain's, "pci0000:00". */
	slash = strrchr(real, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	slash = strrchr(real, '/');
	return !slash || weir_bdf_parse(slash + 1, parent) ? -ENOENT : 0;
}

/* PCI Express capability's device/port type (PCIe 5.0, 7.5.3.2), or -1 without one. */
static int port_type(const char *dir)
{
	uint8_t c[PCI_CFG_SPACE_SIZE] = { 0 };
	char path[PATH_MAX];
	unsigned at;
	size_t n;
	FILE *f;

	weir_path(path, "%s/config", dir);
	f = fopen(path, "re");
	if (!f)
		return -1;
	n = fread(c, 1, sizeof(c), f);
	fclose(f);
	at = c[PCI_CAPABILITY_LIST] & ~3u;
	for (unsigned i = 0; i < 48 && at >= PCI_STD_HEADER_SIZEOF && at + 4 <= n; i++) {
		if (c[at] == PCI_CAP_ID_EXP)
			return c[at + PCI_EXP_FLAGS] >> 4;
		at = c[at + 1] & ~3u;
	}
	return -1;
}

/*
 * What a bridge makes of the requester ids below it. PCI Express carries them as they are; a bridge
 * to conventional PCI, where requests have no id, puts (secondary bus, 0, 0) there, and one that is
 * itself conventional its own. Return: whether it changes them.
 */
static bool bridge_alias(struct weir *w, struct weir_bdf bridge, struct weir_bdf *alias)
{
	char dir[PATH_MAX], path[PATH_MAX];
	uint64_t bus;

	weir_pci_sysdev(w, bridge, dir, sizeof(dir));
	*alias = bridge;
	switch (port_type(dir)) {
	case PCI_EXP_TYPE_ROOT_PORT:
	case PCI_EXP_TYPE_UPSTREAM:
	case PCI_EXP_TYPE_DOWNSTREAM:
		return false;
	case PCI_EXP_TYPE_PCI_BRIDGE:
		weir_path(path, "%s/secondary_bus_number", dir);
		if (weir_file_u64(path, &bus) || bus > UINT8_MAX)
			return false;
		*alias = (struct weir_bdf){ .domain = bridge.domain, .bus = (uint8_t)bus };
		return true;
	default:
		return true;
	}
}

int weir_pci_aliases(struct weir *w, struct weir_bdf bdf, struct weir_bdf *out, unsigned n)
{
	struct weir_bdf at = bdf, alias;
	unsigned found = 0;

	/* 256 busses: more bridges than that are a loop of links. */
	for (unsigned i = 0; i < 256 && !weir_pci_parent(w, at, &at); i++) {
		if (!bridge_alias(w, at, &alias) || weir_bdf_equal(alias, bdf))
			continue;
		if (found < n)
			out[found] = alias;
		found++;
	}
	return (int)found;
}
