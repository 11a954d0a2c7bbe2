/* SPDX-License-Identifier: BSD-3-Clause */
/* From a device string to a port. */
#include "nics/nics.h"

#include <stdio.h>

const struct weir_driver *weir_driver_for(const struct weir_pci_info *info,
					  const struct weir_pci_id **id)
{
	for (unsigned i = 0; weir_drivers[i]; i++)
		for (const struct weir_pci_id *e = weir_drivers[i]->ids; e && e->vendor; e++)
			if (e->vendor == info->vendor && e->device == info->device) {
				if (id)
					*id = e;
				return weir_drivers[i];
			}
	return NULL;
}

const struct weir_driver *weir_driver_for_scheme(const char *devstr)
{
	const char *colon = strchr(devstr, ':');

	for (unsigned i = 0; colon && weir_drivers[i]; i++) {
		const char *s = weir_drivers[i]->scheme;

		if (s && strlen(s) == (size_t)(colon - devstr) &&
		    !strncmp(s, devstr, (size_t)(colon - devstr)))
			return weir_drivers[i];
	}
	return NULL;
}

static int no_driver(struct weir *w, const char *name, const struct weir_pci_info *info)
{
	return weir_fail(w, EOPNOTSUPP, "no-driver",
			 "%s (%04x:%04x, class %06x) has no driver in weir; `weir list` shows "
			 "which devices are supported",
			 name, info->vendor, info->device, info->class_code);
}

static int probe(const struct weir_driver *drv, struct weir_pci *d, const char *name,
		 struct weir_port **out)
{
	int err = drv->probe(d, name, out);

	if (err)
		weir_pci_close(d);
	return err;
}

static int open_pci(struct weir_iommu *iommu, struct weir_bdf bdf,
		    const struct weir_port_open_opts *opts, struct weir_port **out)
{
	struct weir *w = weir_iommu_handle(iommu);
	const struct weir_driver *drv;
	struct weir_pci_info info;
	char name[WEIR_BDF_LEN];
	struct weir_pci *d;
	int err;

	weir_bdf_format(bdf, name);
	err = weir_pci_info(w, bdf, &info);
	if (err)
		return err;
	drv = weir_driver_for(&info, NULL);
	if (!drv)
		return no_driver(w, name, &info);
	err = weir_pci_open(iommu, bdf, opts->mode, opts->ioas, &d);
	return err ? err : probe(drv, d, name, out);
}

/* What a server's device is shows only once it is open. */
static int open_user(struct weir_iommu *iommu, const char *devstr, const char *path,
		     const struct weir_port_open_opts *opts, struct weir_port **out)
{
	const struct weir_driver *drv;
	struct weir_pci *d;
	int err = weir_pci_open_user(iommu, path, opts->ioas, 0, &d);

	if (err)
		return err;
	drv = weir_driver_for(weir_pci_info_of(d), NULL);
	if (drv)
		return probe(drv, d, devstr, out);
	err = no_driver(weir_iommu_handle(iommu), devstr, weir_pci_info_of(d));
	weir_pci_close(d);
	return err;
}

/* "N" or "N,bdf=BDF". */
static bool parse_fd(const char *s, int *fd, struct weir_bdf *bdf, bool *has_bdf)
{
	unsigned n;
	int end = 0;

	if (sscanf(s, "%9u%n", &n, &end) != 1 || *s == '+' || *s == '-')
		return false;
	*fd = (int)n;
	*has_bdf = !strncmp(s + end, ",bdf=", 5) && !weir_bdf_parse(s + end + 5, bdf);
	return *has_bdf || !s[end];
}

static int open_fd(struct weir_iommu *iommu, const char *devstr, const char *rest,
		   const struct weir_port_open_opts *opts, struct weir_port **out)
{
	struct weir *w = weir_iommu_handle(iommu);
	const struct weir_driver *drv;
	struct weir_pci *d;
	struct weir_bdf bdf;
	bool has_bdf;
	int fd, err;

	if (!parse_fd(rest, &fd, &bdf, &has_bdf))
		return weir_fail(w, EINVAL, "device-string",
				 "\"%s\" is no device: take fd:N or fd:N,bdf=0000:03:00.0, with N "
				 "the number of an open /dev/vfio/devices/vfioN",
				 devstr);
	err = weir_pci_open_fd(iommu, fd, has_bdf ? &bdf : NULL, opts->ioas, &d);
	if (err)
		return err;
	drv = weir_driver_for(weir_pci_info_of(d), NULL);
	if (drv)
		return probe(drv, d, weir_pci_name(d), out);
	err = no_driver(w, weir_pci_name(d), weir_pci_info_of(d));
	weir_pci_close(d);
	return err;
}

const char *weir_user_path(const char *devstr)
{
	static const char scheme[] = "vfio-user:";

	return strncmp(devstr, scheme, sizeof(scheme) - 1) ? NULL : devstr + sizeof(scheme) - 1;
}

int weir_devstr_split(const char *devstr, char *name, size_t size, enum weir_mode *mode)
{
	const char *comma = strchr(devstr, ',');
	size_t n = comma ? (size_t)(comma - devstr) : strlen(devstr);
	struct weir_bdf bdf;

	if (n >= size)
		return -EINVAL;
	memcpy(name, devstr, n);
	name[n] = '\0';
	if (!comma || weir_bdf_parse(name, &bdf))
		return snprintf(name, size, "%s", devstr) < (int)size ? 0 : -EINVAL;
	if (strncmp(comma, ",mode=", strlen(",mode=")))
		return -EINVAL;
	return weir_mode_parse(comma + strlen(",mode="), mode);
}

/* A device of the PCI bus, perhaps with a mode of its own. */
static int open_named(struct weir_iommu *iommu, const char *devstr,
		      const struct weir_port_open_opts *opts, struct weir_port **out)
{
	struct weir_port_open_opts o = *opts;
	struct weir *w = weir_iommu_handle(iommu);
	struct weir_bdf bdf;
	char name[64];

	if (weir_devstr_split(devstr, name, sizeof(name), &o.mode))
		return weir_fail(w, EINVAL, "device-string",
				 "\"%s\": after the address of a device comes nothing, or "
				 "\",mode=\" and auto, cdev, group, compat, type1 or noiommu",
				 devstr);
	if (weir_bdf_parse(name, &bdf))
		return weir_fail(w, EINVAL, "device-string",
				 "\"%s\" is no device: take a PCI address (0000:03:00.0), "
				 "vfio-user:SOCKET, vhost-user:SOCKET, vhost:SOCKET, "
				 "vdpa:DEVICE, tap:NAME, null: or pcap:IN,OUT",
				 devstr);
	return open_pci(iommu, bdf, &o, out);
}

int weir_port_open(struct weir_iommu *iommu, const char *devstr,
		   const struct weir_port_open_opts *opts, struct weir_port **out)
{
	static const struct weir_port_open_opts none;
	struct weir *w = weir_iommu_handle(iommu);
	const struct weir_driver *drv = weir_driver_for_scheme(devstr);
	const char *path = weir_user_path(devstr);

	if (drv && drv->open_mapped)
		return drv->open_mapped(iommu, devstr, strchr(devstr, ':') + 1, opts ? opts : &none,
					out);
	if (drv)
		return drv->open(w, devstr, strchr(devstr, ':') + 1, out);
	if (path)
		return open_user(iommu, devstr, path, opts ? opts : &none, out);
	if (!strncmp(devstr, "fd:", 3))
		return open_fd(iommu, devstr, devstr + 3, opts ? opts : &none, out);
	return open_named(iommu, devstr, opts ? opts : &none, out);
}

struct weir_pci *weir_port_pci(struct weir_port *p)
{
	return p->bus;
}
