/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir list vfio-user:PATH`: what the config space and the regions of a server's device say. */
#include "apps/list_user.h"

#include <libsmartcols/libsmartcols.h>
#include <linux/pci_regs.h>
#include <stdarg.h>

/* PCI Local Bus 3.0, 6.7, and PCIe 5.0, 7.6.3: more than fit into config space are a loop. */
#define CAPS_MAX     48
#define EXT_CAPS_MAX 480

struct cap {
	unsigned at, id;
	bool ext;
};

struct facts {
	const struct weir_pci_info *info;
	const struct weir_driver *drv;
	const struct weir_pci_id *id;
	struct weir_region bars[6];
	struct cap caps[CAPS_MAX + EXT_CAPS_MAX];
	unsigned n_caps;
	int msix;
};

static const char *cap_name(const struct cap *c)
{
	static const struct {
		unsigned id;
		bool ext;
		const char *name;
	} names[] = {
		{ PCI_CAP_ID_PM, false, "power management" },
		{ PCI_CAP_ID_VPD, false, "vital product data" },
		{ PCI_CAP_ID_MSI, false, "MSI" },
		{ PCI_CAP_ID_VNDR, false, "vendor" },
		{ PCI_CAP_ID_EXP, false, "PCIe" },
		{ PCI_CAP_ID_MSIX, false, "MSI-X" },
		{ PCI_CAP_ID_AF, false, "advanced features" },
		{ PCI_EXT_CAP_ID_ERR, true, "AER" },
		{ PCI_EXT_CAP_ID_DSN, true, "serial number" },
		{ PCI_EXT_CAP_ID_VNDR, true, "vendor" },
		{ PCI_EXT_CAP_ID_ACS, true, "ACS" },
		{ PCI_EXT_CAP_ID_ARI, true, "ARI" },
		{ PCI_EXT_CAP_ID_ATS, true, "ATS" },
		{ PCI_EXT_CAP_ID_SRIOV, true, "SR-IOV" },
		{ PCI_EXT_CAP_ID_LTR, true, "LTR" },
		{ PCI_EXT_CAP_ID_PASID, true, "PASID" },
	};

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(names); i++)
		if (names[i].id == c->id && names[i].ext == c->ext)
			return names[i].name;
	return "?";
}

static int read_caps(struct weir_pci *d, struct facts *f)
{
	uint32_t v;
	int err = weir_pci_cfg_read(d, PCI_STATUS, 2, &v);

	if (err || !(v & PCI_STATUS_CAP_LIST))
		return err;
	err = weir_pci_cfg_read(d, PCI_CAPABILITY_LIST, 1, &v);
	while (!err && f->n_caps < CAPS_MAX && (v & ~3u) >= PCI_STD_HEADER_SIZEOF) {
		unsigned at = v & 0xfc;

		err = weir_pci_cfg_read(d, at, 2, &v);
		if (err || v == 0xffff)
			break;
		f->caps[f->n_caps++] = (struct cap){ .at = at, .id = v & 0xff };
		v >>= 8;
	}
	return err;
}

static int read_ext_caps(struct weir_pci *d, struct facts *f)
{
	unsigned at = PCI_CFG_SPACE_SIZE;
	struct weir_region r;
	uint32_t v;
	int err = weir_iodev_region(weir_pci_iodev(d), WEIR_REGION_CONFIG, &r);

	while (!err && f->n_caps < CAPS_MAX + EXT_CAPS_MAX && at >= PCI_CFG_SPACE_SIZE &&
	       at + 4 <= r.size) {
		err = weir_pci_cfg_read(d, at, 4, &v);
		if (err || !v || v == UINT32_MAX)
			break;
		f->caps[f->n_caps++] =
			(struct cap){ .at = at, .id = PCI_EXT_CAP_ID(v), .ext = true };
		at = PCI_EXT_CAP_NEXT(v);
	}
	return err;
}

static int read_facts(struct weir_pci *d, struct facts *f)
{
	int err = 0;

	f->info = weir_pci_info_of(d);
	f->drv = weir_driver_for(f->info, &f->id);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(f->bars) && !err; i++)
		err = weir_iodev_region(weir_pci_iodev(d), i, &f->bars[i]);
	if (!err)
		err = read_caps(d, f);
	if (!err)
		err = read_ext_caps(d, f);
	f->msix = err ? 0 : weir_pci_msix_count(d);
	return err ? err : f->msix < 0 ? f->msix : 0;
}

/* --- for people --- */

static void cell(struct libscols_line *l, unsigned col, const char *fmt, ...) weir_printf(3, 4);

static void cell(struct libscols_line *l, unsigned col, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	scols_line_set_data(l, col, text);
}

static void print_device(const char *dev, const struct facts *f)
{
	static const char *const cols[] = {
		"DEVICE", "ID", "NAME", "WEIR", "CLASS", "REV", "MSI-X"
	};
	struct libscols_table *t = scols_new_table();
	struct libscols_line *l;

	for (unsigned c = 0; c < WEIR_ARRAY_SIZE(cols); c++)
		scols_table_new_column(t, cols[c], 0, 0);
	l = scols_table_new_line(t, NULL);
	cell(l, 0, "%s", dev);
	cell(l, 1, "%04x:%04x", f->info->vendor, f->info->device);
	cell(l, 2, "%s", f->id ? f->id->name : "-");
	cell(l, 3, "%s", f->drv ? f->drv->name : "unsupported");
	cell(l, 4, "%06x", f->info->class_code);
	cell(l, 5, "%02x", f->info->revision);
	cell(l, 6, "%d", f->msix);
	scols_print_table(t);
	scols_unref_table(t);
}

static void print_bars(const struct facts *f)
{
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(f->bars); i++) {
		const struct weir_region *r = &f->bars[i];

		if (!r->size)
			continue;
		printf("  BAR %u    %llu bytes, %s", i, (unsigned long long)r->size,
		       !(r->flags & WEIR_REGION_MMAP) ? "by messages"
		       : r->n_sparse		      ? "mapped at"
						      : "mapped");
		for (unsigned k = 0; k < r->n_sparse; k++)
			printf(" %#llx+%#llx", (unsigned long long)r->sparse[k].off,
			       (unsigned long long)r->sparse[k].size);
		printf("\n");
	}
}

static void print_facts(const char *dev, const struct facts *f)
{
	print_device(dev, f);
	print_bars(f);
	for (unsigned i = 0; i < f->n_caps; i++)
		printf("  at %03x   %s%s (%0*x)\n", f->caps[i].at, cap_name(&f->caps[i]),
		       f->caps[i].ext ? ", extended" : "", f->caps[i].ext ? 4 : 2, f->caps[i].id);
}

/* --- for programs --- */

static void add_hex(json_object *o, const char *key, unsigned digits, uint32_t v)
{
	char text[16];

	snprintf(text, sizeof(text), "%0*x", (int)digits, v);
	json_object_object_add(o, key, json_object_new_string(text));
}

static json_object *bar_json(unsigned index, const struct weir_region *r)
{
	json_object *o = json_object_new_object(), *areas = json_object_new_array();

	json_object_object_add(o, "bar", json_object_new_int((int)index));
	json_object_object_add(o, "size", json_object_new_int64((int64_t)r->size));
	json_object_object_add(o, "mapped",
			       json_object_new_boolean(!!(r->flags & WEIR_REGION_MMAP)));
	for (unsigned k = 0; k < r->n_sparse; k++) {
		json_object *a = json_object_new_object();

		json_object_object_add(a, "offset",
				       json_object_new_int64((int64_t)r->sparse[k].off));
		json_object_object_add(a, "size",
				       json_object_new_int64((int64_t)r->sparse[k].size));
		json_object_array_add(areas, a);
	}
	json_object_object_add(o, "areas", areas);
	return o;
}

static json_object *cap_json(const struct cap *c)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "offset", json_object_new_int((int)c->at));
	json_object_object_add(o, "id", json_object_new_int((int)c->id));
	json_object_object_add(o, "extended", json_object_new_boolean(c->ext));
	json_object_object_add(o, "name", json_object_new_string(cap_name(c)));
	return o;
}

static json_object *facts_json(const char *dev, const struct facts *f)
{
	json_object *o = json_object_new_object(), *bars = json_object_new_array();
	json_object *caps = json_object_new_array();
	const struct weir_pci_info *i = f->info;
	char hex[16];

	json_object_object_add(o, "device", json_object_new_string(dev));
	snprintf(hex, sizeof(hex), "%04x:%04x", i->vendor, i->device);
	json_object_object_add(o, "id", json_object_new_string(hex));
	snprintf(hex, sizeof(hex), "%04x:%04x", i->subvendor, i->subdevice);
	json_object_object_add(o, "subsystem", json_object_new_string(hex));
	json_object_object_add(o, "name", f->id ? json_object_new_string(f->id->name) : NULL);
	json_object_object_add(o, "supported", json_object_new_boolean(f->drv != NULL));
	json_object_object_add(o, "weir_driver",
			       f->drv ? json_object_new_string(f->drv->name) : NULL);
	add_hex(o, "class", 6, i->class_code);
	add_hex(o, "revision", 2, i->revision);
	json_object_object_add(o, "msix_vectors", json_object_new_int(f->msix));
	for (unsigned k = 0; k < WEIR_ARRAY_SIZE(f->bars); k++)
		if (f->bars[k].size)
			json_object_array_add(bars, bar_json(k, &f->bars[k]));
	json_object_object_add(o, "bars", bars);
	for (unsigned k = 0; k < f->n_caps; k++)
		json_object_array_add(caps, cap_json(&f->caps[k]));
	json_object_object_add(o, "capabilities", caps);
	json_object_object_add(o, "auto", json_object_new_string("vfio-user"));
	return o;
}

int list_user(struct weir *w, const char *dev, json_object *into)
{
	struct weir_iommu *iommu;
	struct facts f = { .n_caps = 0 };
	struct weir_pci *d;
	int err = weir_iommu_open(w, &iommu);

	if (err)
		return err;
	err = weir_pci_open_user(iommu, weir_user_path(dev), NULL, WEIR_PCI_LOOK, &d);
	if (!err) {
		err = read_facts(d, &f);
		if (!err && into)
			json_object_array_add(into, facts_json(dev, &f));
		else if (!err)
			print_facts(dev, &f);
		weir_pci_close(d);
	}
	weir_iommu_close(iommu);
	return err;
}
