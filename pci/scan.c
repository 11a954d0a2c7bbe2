/* SPDX-License-Identifier: BSD-3-Clause */
/* What sysfs says about PCI devices. Only looks. */
#include "pci/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

int weir_pci_sysdev(struct weir *w, struct weir_bdf bdf, char *out, size_t size)
{
	char name[WEIR_BDF_LEN];

	weir_bdf_format(bdf, name);
	if (snprintf(out, size, "%s/bus/pci/devices/%s", weir_sysfs(w), name) >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

static uint64_t number(const char *dir, const char *name, uint64_t dflt)
{
	char path[PATH_MAX];
	uint64_t v;

	weir_path(path, "%s/%s", dir, name);
	return weir_file_u64(path, &v) ? dflt : v;
}

/* numa_node is -1 where the firmware does not say, which is no unsigned number. */
static int numa_node(const char *dir)
{
	char path[PATH_MAX], text[16];

	weir_path(path, "%s/numa_node", dir);
	return weir_file_read(path, text, sizeof(text)) ? -1 : atoi(text);
}

static void read_netdevs(const char *dir, struct weir_pci_info *info)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d;

	weir_path(path, "%s/net", dir);
	d = opendir(path);
	/* virtio interfaces hang below the virtio device that hangs below the PCI device. */
	if (!d) {
		char child[64];

		if (weir_dir_first(dir, "virtio", child, sizeof(child)))
			return;
		weir_path(path, "%s/%s/net", dir, child);
		d = opendir(path);
	}
	if (!d)
		return;
	while ((e = readdir(d)) && info->n_netdevs < WEIR_MAX_NETDEVS) {
		char *name = info->netdevs[info->n_netdevs];

		if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(info->netdevs[0]))
			continue;
		strcpy(name, e->d_name);
		info->n_netdevs++;
	}
	closedir(d);
}

static int group_number(const char *dir)
{
	char text[32];

	return weir_link_base(dir, "iommu_group", text, sizeof(text)) ? -1 : atoi(text);
}

static void read_cdev(struct weir *w, const char *dir, struct weir_pci_info *info)
{
	char path[PATH_MAX], name[32];

	weir_path(path, "%s/vfio-dev", dir);
	if (weir_dir_first(path, "vfio", name, sizeof(name)))
		return;
	weir_path(path, "%s/vfio/devices/%s", weir_dev(w), name);
	if (strlen(path) < sizeof(info->cdev))
		strcpy(info->cdev, path);
}

int weir_pci_info(struct weir *w, struct weir_bdf bdf, struct weir_pci_info *info)
{
	char dir[PATH_MAX], path[PATH_MAX], name[WEIR_BDF_LEN];
	uint64_t vendor;
	int err = weir_pci_sysdev(w, bdf, dir, sizeof(dir));

	if (err)
		return err;
	memset(info, 0, sizeof(*info));
	info->bdf = bdf;
	weir_bdf_format(bdf, name);
	weir_path(path, "%s/vendor", dir);
	if (weir_file_u64(path, &vendor))
		return weir_fail(
			w, ENODEV, "no-device",
			"there is no PCI device %s; `weir list` shows those that are there", name);
	info->vendor = (uint16_t)vendor;
	info->device = (uint16_t)number(dir, "device", 0);
	info->subvendor = (uint16_t)number(dir, "subsystem_vendor", 0);
	info->subdevice = (uint16_t)number(dir, "subsystem_device", 0);
	info->revision = (uint8_t)number(dir, "revision", 0);
	info->class_code = (uint32_t)number(dir, "class", 0);
	info->node = numa_node(dir);
	info->group = group_number(dir);
	if (weir_link_base(dir, "driver", info->driver, sizeof(info->driver)))
		info->driver[0] = '\0';
	if (weir_pci_record_read(w, name, info->prior, sizeof(info->prior)))
		info->prior[0] = '\0';
	read_cdev(w, dir, info);
	read_netdevs(dir, info);
	info->vf_total = (unsigned)number(dir, "sriov_totalvfs", 0);
	info->vf_count = (unsigned)number(dir, "sriov_numvfs", 0);
	info->is_vf = !weir_link_base(dir, "physfn", path, sizeof(path));
	return 0;
}

static int by_address(const void *pa, const void *pb)
{
	const struct weir_bdf *a = &((const struct weir_pci_info *)pa)->bdf;
	const struct weir_bdf *b = &((const struct weir_pci_info *)pb)->bdf;
	uint64_t x =
		(uint64_t)a->domain << 24 | (uint64_t)a->bus << 16 | (uint64_t)a->dev << 8 | a->fn;
	uint64_t y =
		(uint64_t)b->domain << 24 | (uint64_t)b->bus << 16 | (uint64_t)b->dev << 8 | b->fn;

	return (x > y) - (x < y);
}

static bool of_class(struct weir *w, const char *name, int base_class)
{
	char dir[PATH_MAX];

	weir_path(dir, "%s/bus/pci/devices/%s", weir_sysfs(w), name);
	return base_class < 0 || number(dir, "class", 0) >> 16 == (uint64_t)base_class;
}

int weir_pci_scan(struct weir *w, int base_class, struct weir_pci_info **out, unsigned *n)
{
	struct weir_pci_info *list = NULL, *more;
	char dir[PATH_MAX];
	struct weir_bdf bdf;
	struct dirent *e;
	unsigned count = 0;
	DIR *d;

	*out = NULL;
	*n = 0;
	weir_path(dir, "%s/bus/pci/devices", weir_sysfs(w));
	d = opendir(dir);
	if (!d)
		return errno == ENOENT ? 0
				       : weir_fail(w, errno, "sysfs", "cannot read %s: %s", dir,
						   weir_strerror(errno));
	while ((e = readdir(d))) {
		if (weir_bdf_parse(e->d_name, &bdf) || !of_class(w, e->d_name, base_class))
			continue;
		more = realloc(list, (count + 1) * sizeof(*list));
		if (!more) {
			free(list);
			closedir(d);
			return -ENOMEM;
		}
		list = more;
		if (!weir_pci_info(w, bdf, &list[count]))
			count++;
	}
	closedir(d);
	if (count)
		qsort(list, count, sizeof(*list), by_address);
	*out = list;
	*n = count;
	return 0;
}

void weir_pci_modes(struct weir *w, struct weir_bdf bdf, struct weir_mode_report *r)
{
	char dir[PATH_MAX] = "";

	weir_pci_sysdev(w, bdf, dir, sizeof(dir));
	weir_mode_probe(w, dir, r);
}
