/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir list --tree`: device, RID and PASIDs, address spaces, mappings, as processes published them. */
#include "apps/list_tree.h"
#include "apps/iopages.h"
#include "apps/publish.h"
#include "core/file.h"

#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

enum { COL_WHAT, COL_MODE, COL_IOAS, COL_ACCESS, COL_SIZE, COL_SOURCE, COL_PAGES, COL_IOMMU };

static const char *const columns[] = {
	[COL_WHAT] = "WHAT", [COL_MODE] = "MODE",     [COL_IOAS] = "IOAS",   [COL_ACCESS] = "DMA",
	[COL_SIZE] = "SIZE", [COL_SOURCE] = "SOURCE", [COL_PAGES] = "PAGES", [COL_IOMMU] = "IOMMU",
};

#define MAX_SPACES 256

struct tree {
	struct weir *w;
	struct libscols_table *t;
	json_object *spaces; /* of the process at hand */
	bool shown[MAX_SPACES];
	char owner[MAX_SPACES][64]; /* under which line a space was shown */
	bool guessed;		    /* IOMMU pages are what is possible */
};

/* --- what is in the JSON; missing or of another type reads as 0 or "" --- */

static json_object *get(json_object *o, const char *key)
{
	json_object *e = NULL;

	return json_object_object_get_ex(o, key, &e) ? e : NULL;
}

static const char *text(json_object *o, const char *key)
{
	json_object *e = get(o, key);

	return json_object_is_type(e, json_type_string) ? json_object_get_string(e) : "";
}

static uint64_t num(json_object *o, const char *key)
{
	json_object *e = get(o, key);

	if (json_object_is_type(e, json_type_string))
		return strtoull(json_object_get_string(e), NULL, 0);
	return json_object_get_uint64(e);
}

static size_t count(json_object *o, const char *key)
{
	json_object *e = get(o, key);

	return json_object_is_type(e, json_type_array) ? json_object_array_length(e) : 0;
}

static json_object *item(json_object *o, const char *key, size_t i)
{
	return json_object_array_get_idx(get(o, key), i);
}

/* --- IOMMU pages of a mapping --- */

static bool in_hardware(const char *mode)
{
	return strcmp(mode, "vfio-user") && strcmp(mode, "noiommu");
}

static void pages_words(const struct iopages *p, char *out, size_t size)
{
	size_t n = 0;
	char one[32];

	snprintf(out, size, "none");
	for (int i = IOPAGE_1G; i >= IOPAGE_4K && n < size; i--)
		if (p->n[i])
			n += (size_t)snprintf(out + n, size - n, "%s%llu x %s", n ? ", " : "",
					      (unsigned long long)p->n[i],
					      iopages_size(iopage_bytes(i), one, sizeof(one)));
}

static void iommu_words(struct tree *t, const char *dev, uint32_t pasid, json_object *m, char *out,
			size_t size)
{
	struct iopages p;
	char one[32];

	if (!iopages_read(t->w, dev, pasid, num(m, "iova"), num(m, "bytes"), &p)) {
		pages_words(&p, out, size);
		return;
	}
	if (!num(m, "iommu_page_bytes")) {
		snprintf(out, size, "?");
		return;
	}
	snprintf(out, size, "%s?", iopages_size(num(m, "iommu_page_bytes"), one, sizeof(one)));
	t->guessed = true;
}

/* --- lines --- */

static struct libscols_line *line(struct tree *t, struct libscols_line *parent, const char *what)
{
	struct libscols_line *l = scols_table_new_line(t->t, parent);

	if (l)
		scols_line_set_data(l, COL_WHAT, what);
	return l;
}

static void add_mapping(struct tree *t, struct libscols_line *parent, const char *dev,
			uint32_t pasid, const char *mode, json_object *m)
{
	bool rd = json_object_get_boolean(get(m, "read"));
	bool wr = json_object_get_boolean(get(m, "write"));
	struct libscols_line *l = line(t, parent, text(m, "iova"));
	char s[128];

	if (!l)
		return;
	scols_line_set_data(l, COL_ACCESS, rd && wr ? "rw" : rd ? "r" : wr ? "w" : "-");
	scols_line_set_data(l, COL_SIZE, iopages_size(num(m, "bytes"), s, sizeof(s)));
	snprintf(s, sizeof(s), "%s%s", text(m, "source"),
		 json_object_get_boolean(get(m, "copied")) ? ", copied" : "");
	scols_line_set_data(l, COL_SOURCE, s);
	if (num(m, "page_bytes"))
		scols_line_set_data(l, COL_PAGES, iopages_size(num(m, "page_bytes"), s, sizeof(s)));
	if (!in_hardware(mode))
		return;
	iommu_words(t, dev, pasid, m, s, sizeof(s));
	scols_line_set_data(l, COL_IOMMU, s);
}

/* A requester (RID or PASID) and the address space that it reaches. */
static void add_requester(struct tree *t, struct libscols_line *parent, const char *dev,
			  uint32_t pasid, json_object *requester)
{
	json_object *n = get(requester, "space"), *as;
	uint64_t i = num(requester, "space");
	struct libscols_line *l;
	char what[96] = "RID", s[96];

	if (pasid)
		snprintf(what, sizeof(what), "PASID %u", pasid);
	l = line(t, parent, what);
	as = n && json_object_get_int(n) >= 0 && json_object_is_type(t->spaces, json_type_array)
		     ? json_object_array_get_idx(t->spaces, i)
		     : NULL;
	if (!l || !as || i >= MAX_SPACES)
		return;
	scols_line_set_data(l, COL_MODE, text(as, "mode"));
	if (num(as, "ioas")) {
		snprintf(s, sizeof(s), "%llu", (unsigned long long)num(as, "ioas"));
		scols_line_set_data(l, COL_IOAS, s);
	}
	scols_line_set_data(l, COL_SIZE, iopages_size(num(as, "bytes"), s, sizeof(s)));
	/* Hardware may differ under two requesters; what is mapped cannot. */
	if (t->shown[i]) {
		snprintf(s, sizeof(s), "as %s", t->owner[i]);
		line(t, l, s);
		return;
	}
	t->shown[i] = true;
	snprintf(t->owner[i], sizeof(t->owner[i]), "%.40s %.20s", dev, what);
	for (size_t k = 0; k < count(as, "mappings"); k++)
		add_mapping(t, l, dev, pasid, text(as, "mode"), item(as, "mappings", k));
}

static void add_device(struct tree *t, struct libscols_line *parent, json_object *d)
{
	const char *dev = text(d, "device");
	struct libscols_line *l;
	char what[256];

	snprintf(what, sizeof(what), "%s (%s)", dev, text(d, "driver"));
	l = line(t, parent, what);
	if (!l)
		return;
	add_requester(t, l, dev, 0, d);
	for (size_t i = 0; i < count(d, "pasids"); i++) {
		json_object *p = item(d, "pasids", i);

		add_requester(t, l, dev, (uint32_t)num(p, "pasid"), p);
	}
}

/* "weir l2fwd 0000:03:00.0 ..." as it was started. */
static void command_of(struct weir *w, uint64_t pid, char *out, size_t size)
{
	char path[PATH_MAX];
	const char *name;
	size_t n = 0;
	FILE *f;

	snprintf(out, size, "?");
	weir_path(path, "%s/%llu/cmdline", weir_proc(w), (unsigned long long)pid);
	f = fopen(path, "re");
	if (!f)
		return;
	n = fread(out, 1, size - 1, f);
	fclose(f);
	out[n] = '\0';
	name = strrchr(out, '/');
	if (name) {
		n -= (size_t)(name + 1 - out);
		memmove(out, name + 1, n);
	}
	while (n && !out[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)out[i] < ' ')
			out[i] = ' ';
	out[n] = '\0';
}

static void add_process(struct tree *t, json_object *p)
{
	struct libscols_line *l;
	char what[320], cmd[256];
	size_t words;

	command_of(t->w, num(p, "pid"), cmd, sizeof(cmd));
	/* The table is wide enough: program and subcommand. */
	words = strcspn(cmd, " ");
	words += cmd[words] ? 1 + strcspn(cmd + words + 1, " ") : 0;
	snprintf(what, sizeof(what), "process %llu: %.*s", (unsigned long long)num(p, "pid"),
		 (int)words, cmd);
	l = line(t, NULL, what);
	t->spaces = get(p, "spaces");
	memset(t->shown, 0, sizeof(t->shown));
	for (size_t i = 0; l && i < count(p, "devices"); i++)
		add_device(t, l, item(p, "devices", i));
}

/* --- devices that no weir process has --- */

static bool has(json_object *all, const char *dev)
{
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		json_object *p = json_object_array_get_idx(all, i);

		for (size_t k = 0; k < count(p, "devices"); k++)
			if (!strcmp(text(item(p, "devices", k), "device"), dev))
				return true;
	}
	return false;
}

/* NICs that weir could drive and that nobody has published, as an array. */
static json_object *others(struct weir *w, json_object *all)
{
	json_object *a = json_object_new_array(), *o;
	struct weir_pci_info *infos = NULL;
	char dev[WEIR_BDF_LEN], comm[32];
	unsigned n = 0;

	weir_pci_scan(w, WEIR_PCI_CLASS_NETWORK, &infos, &n);
	for (unsigned i = 0; i < n; i++) {
		const struct weir_driver *drv = weir_driver_for(&infos[i], NULL);
		int pid;

		weir_bdf_format(infos[i].bdf, dev);
		if (!drv || has(all, dev))
			continue;
		pid = weir_pci_holder(w, &infos[i], comm, sizeof(comm));
		o = json_object_new_object();
		json_object_object_add(o, "device", json_object_new_string(dev));
		json_object_object_add(o, "weir_driver", json_object_new_string(drv->name));
		json_object_object_add(o, "kernel_driver",
				       *infos[i].driver ? json_object_new_string(infos[i].driver)
							: NULL);
		json_object_object_add(o, "pid", pid ? json_object_new_int(pid) : NULL);
		json_object_object_add(o, "process", pid ? json_object_new_string(comm) : NULL);
		json_object_array_add(a, o);
	}
	free(infos);
	return a;
}

static void add_others(struct tree *t, json_object *list)
{
	struct libscols_line *root;

	if (!json_object_array_length(list))
		return;
	root = line(t, NULL, "not in use by weir");
	for (size_t i = 0; root && i < json_object_array_length(list); i++) {
		json_object *o = json_object_array_get_idx(list, i);
		const char *drv = text(o, "kernel_driver");
		char what[256];

		if (num(o, "pid"))
			snprintf(what, sizeof(what), "%s (%s), process %llu (%s) has it",
				 text(o, "device"), drv, (unsigned long long)num(o, "pid"),
				 text(o, "process"));
		else
			snprintf(what, sizeof(what), "%s (%s)", text(o, "device"),
				 *drv ? drv : "no driver");
		line(t, root, what);
	}
}

/* --- the whole --- */

static json_object *pages_json(const struct iopages *p)
{
	json_object *o = json_object_new_object();
	char key[16];

	for (unsigned i = 0; i < IOPAGE_SIZES; i++) {
		snprintf(key, sizeof(key), "%llu", (unsigned long long)iopage_bytes(i));
		json_object_object_add(o, key, json_object_new_uint64(p->n[i]));
	}
	return o;
}

/* What the hardware's tables say, beside what was published. */
static void annotate_one(struct weir *w, json_object *p, const char *dev, uint32_t pasid,
			 json_object *requester)
{
	uint64_t i = num(requester, "space");
	json_object *as = i < count(p, "spaces") ? item(p, "spaces", i) : NULL;

	for (size_t k = 0; as && k < count(as, "mappings"); k++) {
		json_object *m = item(as, "mappings", k);
		struct iopages pages;

		if (in_hardware(text(as, "mode")) && !get(m, "iommu_pages") &&
		    !iopages_read(w, dev, pasid, num(m, "iova"), num(m, "bytes"), &pages))
			json_object_object_add(m, "iommu_pages", pages_json(&pages));
	}
}

static void annotate(struct weir *w, json_object *all)
{
	for (size_t i = 0; i < json_object_array_length(all); i++) {
		json_object *p = json_object_array_get_idx(all, i);
		char cmd[256];

		command_of(w, num(p, "pid"), cmd, sizeof(cmd));
		json_object_object_add(p, "command", json_object_new_string(cmd));
		for (size_t k = 0; k < count(p, "devices"); k++) {
			json_object *d = item(p, "devices", k);

			annotate_one(w, p, text(d, "device"), 0, d);
			for (size_t q = 0; q < count(d, "pasids"); q++)
				annotate_one(w, p, text(d, "device"),
					     (uint32_t)num(item(d, "pasids", q), "pasid"),
					     item(d, "pasids", q));
		}
	}
}

static void print_tree(struct tree *t, json_object *all, json_object *free_ones)
{
	for (unsigned c = 0; c < WEIR_ARRAY_SIZE(columns); c++)
		scols_table_new_column(t->t, columns[c], 0,
				       c == COL_WHAT			 ? SCOLS_FL_TREE
				       : c == COL_SIZE || c == COL_PAGES ? SCOLS_FL_RIGHT
									 : 0);
	for (size_t i = 0; i < json_object_array_length(all); i++)
		add_process(t, json_object_array_get_idx(all, i));
	add_others(t, free_ones);
	if (scols_table_is_empty(t->t)) {
		printf("no process of weir runs, and there is no NIC for one\n");
		return;
	}
	scols_print_table(t->t);
	if (t->guessed)
		printf("\n? what IOMMU, memory and alignment allow; as root, with VT-d's debugfs, "
		       "the IOMMU's tables are read\n");
}

int list_tree(struct weir *w, bool json)
{
	json_object *all, *free_ones, *o;
	struct tree t = { .w = w };

	if (publish_read(w, &all))
		return APP_FAIL;
	free_ones = others(w, all);
	if (json) {
		annotate(w, all);
		o = json_object_new_object();
		json_object_object_add(o, "processes", all);
		json_object_object_add(o, "others", free_ones);
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(o);
		return APP_OK;
	}
	t.t = scols_new_table();
	if (t.t) {
		print_tree(&t, all, free_ones);
		scols_unref_table(t.t);
	}
	json_object_put(all);
	json_object_put(free_ones);
	return t.t ? APP_OK : APP_FAIL;
}
