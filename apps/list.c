/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir list`: NICs, and in which modes they can be used, and why not */
#include "apps/list_tree.h"
#include "apps/list_user.h"

#include <getopt.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

enum {
	COL_DEV,
	COL_NAME,
	COL_DRIVER,
	COL_KERNEL,
	COL_IFACE,
	COL_GROUP,
	COL_CDEV,
	COL_NUMA,
	COL_MODES
};

static const char *const columns[] = {
	[COL_DEV] = "DEVICE",	[COL_NAME] = "NAME",   [COL_DRIVER] = "WEIR",
	[COL_KERNEL] = "BOUND", [COL_IFACE] = "IFACE", [COL_GROUP] = "GROUP",
	[COL_CDEV] = "CDEV",	[COL_NUMA] = "NUMA",   [COL_MODES] = "MODES",
};

#define MAX_RELATED 32

struct entry {
	const struct weir_pci_info *info;
	const struct weir_driver *drv;
	const struct weir_pci_id *id;
	struct weir_mode_report modes;
	char dev[WEIR_BDF_LEN], name[48];
	struct weir_bdf members[MAX_RELATED], aliases[MAX_RELATED];
	unsigned n_members, n_aliases;
};

static unsigned at_most(int n)
{
	return n < 0 ? 0 : weir_min_u((unsigned)n, MAX_RELATED);
}

static void look(struct weir *w, const struct weir_pci_info *info, struct entry *e)
{
	e->info = info;
	e->id = NULL;
	e->drv = weir_driver_for(info, &e->id);
	weir_pci_modes(w, info->bdf, &e->modes);
	e->n_members = at_most(weir_pci_members(w, info->bdf, e->members, MAX_RELATED));
	e->n_aliases = at_most(weir_pci_aliases(w, info->bdf, e->aliases, MAX_RELATED));
	weir_bdf_format(info->bdf, e->dev);
	if (e->id)
		snprintf(e->name, sizeof(e->name), "%s", e->id->name);
	else
		snprintf(e->name, sizeof(e->name), "%04x:%04x", info->vendor, info->device);
}

static void mode_words(const struct entry *e, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned m = WEIR_MODE_AUTO + 1; m < WEIR_MODE_MAX; m++)
		if (!e->modes.usable[m])
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "",
					      weir_mode_name(m));
	if (!n)
		snprintf(out, size,
			 strcmp(e->modes.id[WEIR_MODE_CDEV], "not-bound") ? "none" : "bind first");
}

static void fill_line(struct libscols_line *l, const struct entry *e)
{
	const struct weir_pci_info *i = e->info;
	const char *cdev = strrchr(i->cdev, '/');
	char group[16] = "-", numa[16] = "-", modes[96];

	if (i->group >= 0)
		snprintf(group, sizeof(group), "%d", i->group);
	if (i->node >= 0)
		snprintf(numa, sizeof(numa), "%d", i->node);
	mode_words(e, modes, sizeof(modes));
	scols_line_set_data(l, COL_DEV, e->dev);
	scols_line_set_data(l, COL_NAME, e->name);
	scols_line_set_data(l, COL_DRIVER, e->drv ? e->drv->name : "unsupported");
	scols_line_set_data(l, COL_KERNEL, *i->driver ? i->driver : "-");
	scols_line_set_data(l, COL_IFACE, i->n_netdevs ? i->netdevs[0] : "-");
	scols_line_set_data(l, COL_GROUP, group);
	scols_line_set_data(l, COL_CDEV, cdev ? cdev + 1 : "-");
	scols_line_set_data(l, COL_NUMA, numa);
	scols_line_set_data(l, COL_MODES, modes);
}

/* Why a mode is not usable, as far as that is worth a line: no-IOMMU only when nothing else is. */
static const char *reason(const struct entry *e, unsigned m)
{
	if (!e->modes.usable[m] || (m == WEIR_MODE_NOIOMMU && e->modes.chosen != WEIR_MODE_AUTO) ||
	    (m == WEIR_MODE_NOIOMMU && !strcmp(e->modes.id[m], "has-iommu")))
		return "";
	return e->modes.why[m];
}

/* Modes often share a reason: "DEV  not cdev, group, compat: REASON". */
static void print_reasons(const struct entry *e)
{
	for (unsigned m = WEIR_MODE_AUTO + 1; m < WEIR_MODE_MAX; m++) {
		const char *why = reason(e, m);
		unsigned first = WEIR_MODE_AUTO + 1;

		while (first < m && strcmp(reason(e, first), why))
			first++;
		if (!*why || first < m)
			continue;
		printf("%s  not ", e->dev);
		for (unsigned k = m; k < WEIR_MODE_MAX; k++)
			if (!strcmp(reason(e, k), why))
				printf("%s%s", k == m ? "" : ", ",
				       weir_mode_name((enum weir_mode)k));
		printf(": %s\n", why);
	}
}

static void print_bdfs(const char *dev, const char *what, const struct weir_bdf *b, unsigned n)
{
	char name[WEIR_BDF_LEN];

	if (!n)
		return;
	printf("%s  %s:", dev, what);
	for (unsigned i = 0; i < n; i++) {
		weir_bdf_format(b[i], name);
		printf(" %s", name);
	}
	printf("\n");
}

static void print_related(const struct entry *e)
{
	print_bdfs(e->dev, "in one IOMMU group with", e->members, e->n_members);
	print_bdfs(e->dev, "its DMA may carry the requester id of", e->aliases, e->n_aliases);
}

static int print_table(const struct entry *list, unsigned n, bool all)
{
	struct libscols_table *t = scols_new_table();

	if (!t)
		return APP_FAIL;
	for (unsigned c = 0; c < WEIR_ARRAY_SIZE(columns); c++)
		scols_table_new_column(t, columns[c], 0, 0);
	for (unsigned i = 0; i < n; i++)
		fill_line(scols_table_new_line(t, NULL), &list[i]);
	scols_print_table(t);
	scols_unref_table(t);
	printf("\n");
	for (unsigned i = 0; i < n; i++) {
		if (list[i].drv || all)
			print_reasons(&list[i]);
		if (all)
			print_related(&list[i]);
	}
	return APP_OK;
}

static json_object *text_or_null(const char *s)
{
	return *s ? json_object_new_string(s) : NULL;
}

json_object *list_modes_json(const struct weir_mode_report *r)
{
	json_object *o = json_object_new_object();

	for (unsigned m = WEIR_MODE_AUTO + 1; m < WEIR_MODE_MAX; m++) {
		json_object *e;

		/* Without a reason it is a mode for another kind of device. */
		if (r->usable[m] && !*r->why[m])
			continue;
		e = json_object_new_object();
		json_object_object_add(e, "usable", json_object_new_boolean(!r->usable[m]));
		if (r->usable[m]) {
			json_object_object_add(e, "id", text_or_null(r->id[m]));
			json_object_object_add(e, "why", text_or_null(r->why[m]));
		}
		json_object_object_add(o, weir_mode_name(m), e);
	}
	return o;
}

static json_object *bdfs_json(const struct weir_bdf *b, unsigned n)
{
	json_object *a = json_object_new_array();
	char name[WEIR_BDF_LEN];

	for (unsigned i = 0; i < n; i++) {
		weir_bdf_format(b[i], name);
		json_object_array_add(a, json_object_new_string(name));
	}
	return a;
}

static json_object *entry_json(const struct entry *e)
{
	json_object *o = json_object_new_object(), *ifs = json_object_new_array();
	const struct weir_pci_info *i = e->info;
	char hex[16];

	json_object_object_add(o, "device", json_object_new_string(e->dev));
	snprintf(hex, sizeof(hex), "%04x:%04x", i->vendor, i->device);
	json_object_object_add(o, "id", json_object_new_string(hex));
	json_object_object_add(o, "name", e->id ? json_object_new_string(e->id->name) : NULL);
	json_object_object_add(o, "supported", json_object_new_boolean(e->drv != NULL));
	json_object_object_add(o, "weir_driver",
			       e->drv ? json_object_new_string(e->drv->name) : NULL);
	json_object_object_add(o, "kernel_driver", text_or_null(i->driver));
	json_object_object_add(o, "prior_driver", text_or_null(i->prior));
	for (unsigned k = 0; k < i->n_netdevs; k++)
		json_object_array_add(ifs, json_object_new_string(i->netdevs[k]));
	json_object_object_add(o, "interfaces", ifs);
	json_object_object_add(o, "iommu_group",
			       i->group < 0 ? NULL : json_object_new_int(i->group));
	json_object_object_add(o, "group_members", bdfs_json(e->members, e->n_members));
	json_object_object_add(o, "dma_aliases", bdfs_json(e->aliases, e->n_aliases));
	json_object_object_add(o, "cdev", text_or_null(i->cdev));
	json_object_object_add(o, "numa_node", json_object_new_int(i->node));
	json_object_object_add(o, "vf", json_object_new_boolean(i->is_vf));
	json_object_object_add(o, "vfs", json_object_new_int((int)i->vf_count));
	json_object_object_add(o, "max_vfs", json_object_new_int((int)i->vf_total));
	json_object_object_add(o, "modes", list_modes_json(&e->modes));
	json_object_object_add(o, "auto",
			       e->modes.chosen == WEIR_MODE_AUTO
				       ? NULL
				       : json_object_new_string(weir_mode_name(e->modes.chosen)));
	return o;
}

static void add_json(json_object *a, const struct entry *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		json_object_array_add(a, entry_json(&list[i]));
}

static void print_json(json_object *a)
{
	puts(json_object_to_json_string_ext(a, JSON_C_TO_STRING_PRETTY |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* Those named on the command line, or all NICs. */
static int gather(struct weir *w, char **names, int n_names, struct weir_pci_info **infos,
		  unsigned *n)
{
	int err = 0;

	if (!n_names)
		return weir_pci_scan(w, WEIR_PCI_CLASS_NETWORK, infos, n);
	*infos = calloc((size_t)n_names, sizeof(**infos));
	if (!*infos)
		return -ENOMEM;
	for (int i = 0; i < n_names && !err; i++) {
		struct weir_bdf bdf;

		if (weir_user_path(names[i]))
			continue;
		err = weir_bdf_parse(names[i], &bdf);
		if (err)
			weir_fail(
				w, err, "device-string",
				"\"%s\" is no PCI address like 0000:03:00.0 and no vfio-user:SOCKET",
				names[i]);
		else
			err = weir_pci_info(w, bdf, &(*infos)[(*n)++]);
	}
	return err;
}

/* Servers' devices, after those of the PCI bus. */
static int list_users(struct weir *w, char **names, int n_names, json_object *into)
{
	int err = 0;

	for (int i = 0; i < n_names && !err; i++)
		if (weir_user_path(names[i]))
			err = list_user(w, names[i], into);
	return err;
}

static int list(struct weir *w, char **names, int n_names, bool json, bool all)
{
	json_object *a = json ? json_object_new_array() : NULL;
	struct weir_pci_info *infos = NULL;
	struct entry *entries = NULL;
	int status = APP_FAIL;
	unsigned n = 0;

	if (gather(w, names, n_names, &infos, &n))
		goto out;
	entries = calloc(n + 1, sizeof(*entries));
	if (!entries)
		goto out;
	for (unsigned i = 0; i < n; i++)
		look(w, &infos[i], &entries[i]);
	if (json)
		add_json(a, entries, n);
	else if (n && print_table(entries, n, all))
		goto out;
	if (!json && !n_names && !n)
		printf("no network devices on the PCI bus\n");
	if (list_users(w, names, n_names, a))
		goto out;
	if (json)
		print_json(a);
	status = APP_OK;
out:
	json_object_put(a);
	free(entries);
	free(infos);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "tree", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false, tree = false;
	unsigned verbose = 0;
	struct weir *w;
	int c, status;

	while ((c = getopt_long(argc, argv, "jtvh", opts, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 't')
			tree = true;
		else if (c == 'v')
			verbose++;
		else if (c == 'h')
			return app_help(&cmd_list, stdout);
		else
			return app_usage(&cmd_list, "see the options.");
	}
	if (tree && optind < argc)
		return app_usage(&cmd_list, "--tree shows all; name no device.");
	if (app_open(verbose, &w))
		return APP_FAIL;
	status = tree ? list_tree(w, json)
		      : list(w, argv + optind, argc - optind, json, verbose > 0);
	weir_close(w);
	return status;
}

const struct app_cmd cmd_list = {
	.name = "list",
	.args = "[--json] [--tree | DEV...]",
	.summary = "show NICs: driver, IOMMU group, usable modes and why not",
	.help = "  -j, --json     as JSON\n"
		"  -t, --tree     running processes: devices, RID and PASIDs, address spaces, mappings\n"
		"  -v, --verbose  IOMMU groups' other members and DMA aliases, too, and the reasons of\n"
		"                 NICs that weir does not drive; twice for all messages\n",
	.run = run,
};
