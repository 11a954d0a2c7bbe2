/* SPDX-License-Identifier: BSD-3-Clause */
/* From a device string to a port. */
#include "nics/nics.h"

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
		return weir_fail(
			w, EOPNOTSUPP, "no-driver",
			"%s (%04x:%04x, class %06x) has no driver in weir; `weir list` shows "
			"which devices are supported",
			name, info.vendor, info.device, info.class_code);
	err = weir_pci_open(iommu, bdf, opts->mode, opts->ioas, &d);
	if (err)
		return err;
	err = drv->probe(d, name, out);
	if (err)
		weir_pci_close(d);
	return err;
}

int weir_port_open(struct weir_iommu *iommu, const char *devstr,
		   const struct weir_port_open_opts *opts, struct weir_port **out)
{
	static const struct weir_port_open_opts none;
	struct weir *w = weir_iommu_handle(iommu);
	const struct weir_driver *drv = weir_driver_for_scheme(devstr);
	struct weir_bdf bdf;

	if (drv)
		return drv->open(w, devstr, strchr(devstr, ':') + 1, out);
	if (weir_bdf_parse(devstr, &bdf))
		return weir_fail(w, EINVAL, "device-string",
				 "\"%s\" is no device: take a PCI address (0000:03:00.0), null: or "
				 "pcap:IN,OUT",
				 devstr);
	return open_pci(iommu, bdf, opts ? opts : &none, out);
}

struct weir_pci *weir_port_pci(struct weir_port *p)
{
	return p->bus;
}
