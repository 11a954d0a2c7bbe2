/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir doctor`: what keeps NICs from being used, and what to do about it. Touches nothing. */
#include "apps/doctor/doctor.h"
#include "apps/list_user.h"
#include "apps/runtime.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH  100
#define INDENT 8

struct doctor_opts {
	char **devs;
	unsigned n_devs;
	uint64_t queues;
	bool json;
	unsigned verbose;
};

/* --- what is examined --- */

static void add_node(struct doctor *d, int node)
{
	for (unsigned i = 0; i < d->n_nodes; i++)
		if (d->nodes[i] == node)
			return;
	if (d->n_nodes < DOCTOR_NODES)
		d->nodes[d->n_nodes++] = node;
}

static void size_up(struct doctor *d, const struct doctor_opts *o)
{
	struct rt_opts r = { .n_devs = o->n_devs > 2 ? o->n_devs : 2,
			     .queues = (unsigned)o->queues };

	d->ports = r.n_devs;
	d->queues = r.queues;
	d->wanted = rt_memory(&r);
}

static void machine(struct doctor *d, bool pci)
{
	d->about = "machine";
	if (pci) {
		doctor_iommu(d);
		doctor_vfio(d);
		doctor_iommufd(d);
	}
	doctor_memory(d);
	doctor_cpu(d);
	doctor_confined(d);
}

/* Whether binding it to vfio-pci is all that it takes. */
static bool could_bind(const struct weir_mode_report *r)
{
	for (unsigned m = WEIR_MODE_AUTO + 1; m < WEIR_MODE_MAX; m++)
		if (r->usable[m] && !strcmp(r->id[m], "not-bound"))
			return true;
	return false;
}

static json_object *modes_entry(const char *name, const struct weir_mode_report *r)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "device", json_object_new_string(name));
	json_object_object_add(o, "modes", list_modes_json(r));
	json_object_object_add(o, "auto",
			       r->chosen == WEIR_MODE_AUTO
				       ? NULL
				       : json_object_new_string(weir_mode_name(r->chosen)));
	return o;
}

static void pci_device(struct doctor *d, const struct weir_pci_info *info, json_object *modes)
{
	struct weir_mode_report r;
	char name[WEIR_BDF_LEN];

	weir_bdf_format(info->bdf, name);
	d->about = name;
	doctor_binding(d, info);
	doctor_group(d, info);
	weir_pci_modes(d->w, info->bdf, &r);
	doctor_modes(d, name, &r, could_bind(&r));
	doctor_functions(d, info);
	doctor_pasid(d, info);
	doctor_link(d, info);
	doctor_node(d, info);
	json_object_array_add(modes, modes_entry(name, &r));
	d->about = "machine";
}

static void other_device(struct doctor *d, const char *dev, json_object *modes)
{
	struct weir_mode_report r;

	d->about = dev;
	if (weir_driver_for_scheme(dev)) {
		doctor_say(d, DOCTOR_OK, "mode", "a port without a device; nothing is needed");
	} else {
		weir_mode_probe(d->w, dev, &r);
		doctor_modes(d, dev, &r, false);
		json_object_array_add(modes, modes_entry(dev, &r));
	}
	d->about = "machine";
}

/* --- without DEV: each NIC in one line --- */

/* The best mode that is made for the device and cannot be had. */
static unsigned first_reason(const struct weir_mode_report *r)
{
	unsigned m = WEIR_MODE_AUTO + 1;

	while (m < WEIR_MODE_MAX - 1 && !*r->why[m])
		m++;
	return m;
}

static void candidate(struct doctor *d, const struct weir_pci_info *info, unsigned *usable)
{
	const struct weir_pci_id *id = NULL;
	const struct weir_driver *drv = weir_driver_for(info, &id);
	const char *kernel = *info->driver ? info->driver : "no driver";
	struct weir_mode_report r;
	char what[256], name[WEIR_BDF_LEN];
	unsigned m;

	weir_bdf_format(info->bdf, name);
	d->about = name;
	weir_pci_modes(d->w, info->bdf, &r);
	for (unsigned i = 0; drv && i < info->n_netdevs; i++)
		if (weir_netdev_in_use(d->w, info->netdevs[i], what, sizeof(what))) {
			doctor_say(d, DOCTOR_NOTE, "interface-in-use",
				   "%s (%s): left alone, its interface %s is in use:%s", id->name,
				   kernel, info->netdevs[i], what);
			goto out;
		}
	if (!drv) {
		doctor_say(d, DOCTOR_NOTE, "no-driver", "%04x:%04x (%s): not supported",
			   info->vendor, info->device, kernel);
	} else if (r.chosen != WEIR_MODE_AUTO) {
		doctor_say(d, DOCTOR_OK, "mode", "%s (%s): usable, in %s mode", id->name, kernel,
			   weir_mode_name(r.chosen));
		++*usable;
	} else if (could_bind(&r)) {
		doctor_say(d, DOCTOR_OK, "not-bound", "%s (%s): usable once bound", id->name,
			   kernel);
		doctor_fix(d, "weir bind %s", name);
		++*usable;
	} else {
		m = first_reason(&r);
		doctor_say(d, DOCTOR_WARN, r.id[m], "%s (%s): not usable: %s", id->name, kernel,
			   r.why[m]);
		doctor_fix(d, "weir doctor %s tells more", name);
	}
out:
	d->about = "machine";
}

static int all_devices(struct doctor *d)
{
	struct weir_pci_info *infos = NULL;
	unsigned n = 0, usable = 0;
	int err = weir_pci_scan(d->w, WEIR_PCI_CLASS_NETWORK, &infos, &n);

	for (unsigned i = 0; i < n; i++)
		if (weir_driver_for(&infos[i], NULL))
			add_node(d, infos[i].node);
	if (!err)
		machine(d, true);
	for (unsigned i = 0; i < n; i++)
		candidate(d, &infos[i], &usable);
	d->about = "NICs";
	if (!err && !usable) {
		doctor_say(d, DOCTOR_WARN, "no-device",
			   "no NIC here can be used by weir now (%u seen)", n);
		doctor_fix(d, "to try weir without one: weir nicsim --help");
	}
	free(infos);
	return err;
}

static int named_devices(struct doctor *d, const struct doctor_opts *o, json_object *modes)
{
	struct weir_pci_info *infos = calloc(o->n_devs, sizeof(*infos));
	bool pci = false;
	int err = infos ? 0 : -ENOMEM;

	for (unsigned i = 0; i < o->n_devs && !err; i++) {
		struct weir_bdf bdf;

		if (weir_bdf_parse(o->devs[i], &bdf))
			continue;
		err = weir_pci_info(d->w, bdf, &infos[i]);
		pci = true;
		if (!err)
			add_node(d, infos[i].node);
	}
	if (!err)
		machine(d, pci);
	for (unsigned i = 0; i < o->n_devs && !err; i++) {
		if (infos[i].vendor)
			pci_device(d, &infos[i], modes);
		else
			other_device(d, o->devs[i], modes);
	}
	free(infos);
	return err;
}

/* --- output --- */

static unsigned count(const struct doctor *d, enum doctor_level level)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->n; i++)
		n += d->list[i].level == level;
	return n;
}

/* Words after a label, wrapped below the first. */
static void wrapped(const char *label, const char *text, unsigned width)
{
	unsigned at = (unsigned)printf("%s", label);
	bool first = true;

	while (*text) {
		unsigned n = (unsigned)strcspn(text, " ");

		if (!first && at + 1 + n > width) {
			printf("\n%*s", INDENT + 6, "");
			at = INDENT + 6;
		} else if (!first) {
			at += (unsigned)printf(" ");
		}
		at += (unsigned)printf("%.*s", (int)n, text);
		first = false;
		text += n;
		text += *text == ' ';
	}
	printf("\n");
}

static void print_finding(const struct doctor_finding *f, unsigned width)
{
	char label[64], fact[sizeof(f->fact) + 64];

	snprintf(label, sizeof(label), "  %-6s", doctor_level_name(f->level));
	snprintf(fact, sizeof(fact), "%s [%s]", f->fact, f->id);
	wrapped(label, fact, width);
	if (*f->why)
		wrapped("        why:  ", f->why, width);
	/* A command stays in one line, so that it can be copied. */
	if (*f->fix)
		printf("        do:   %s\n", f->fix);
	if (*f->keep)
		printf("        keep: %s\n", f->keep);
}

static void print_text(const struct doctor *d)
{
	const char *about = "";
	unsigned width = WIDTH;
	struct winsize ws;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col >= 60)
		width = ws.ws_col;
	for (unsigned i = 0; i < d->n; i++) {
		if (strcmp(about, d->list[i].about))
			printf("%s%s\n", *about ? "\n" : "", d->list[i].about);
		about = d->list[i].about;
		print_finding(&d->list[i], width);
	}
	printf("\n%u fail, %u could be better, %u notes, %u fine\n", count(d, DOCTOR_FAIL),
	       count(d, DOCTOR_WARN), count(d, DOCTOR_NOTE), count(d, DOCTOR_OK));
}

static void add_text(json_object *o, const char *key, const char *s)
{
	if (*s)
		json_object_object_add(o, key, json_object_new_string(s));
}

static void print_json(const struct doctor *d, json_object *modes)
{
	static const char *const levels[DOCTOR_LEVELS] = { "ok", "note", "warn", "fail" };
	json_object *o = json_object_new_object(), *a = json_object_new_array();

	for (unsigned i = 0; i < d->n; i++) {
		const struct doctor_finding *f = &d->list[i];
		json_object *e = json_object_new_object();

		add_text(e, "about", f->about);
		add_text(e, "id", f->id);
		add_text(e, "level", levels[f->level]);
		add_text(e, "fact", f->fact);
		add_text(e, "why", f->why);
		add_text(e, "fix", f->fix);
		add_text(e, "keep", f->keep);
		json_object_array_add(a, e);
	}
	json_object_object_add(o, "fails", json_object_new_int((int)count(d, DOCTOR_FAIL)));
	json_object_object_add(o, "warnings", json_object_new_int((int)count(d, DOCTOR_WARN)));
	json_object_object_add(o, "checks", a);
	json_object_object_add(o, "devices", json_object_get(modes));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static int examine(const struct doctor_opts *o)
{
	struct doctor d = { .about = "machine" };
	json_object *modes = json_object_new_array();
	int err, status = APP_FAIL;

	if (app_open(o->verbose, &d.w))
		goto out;
	size_up(&d, o);
	err = o->n_devs ? named_devices(&d, o, modes) : all_devices(&d);
	if (err)
		goto out;
	if (o->json)
		print_json(&d, modes);
	else
		print_text(&d);
	status = count(&d, DOCTOR_FAIL) ? APP_FAIL : APP_OK;
out:
	json_object_put(modes);
	free(d.list);
	weir_close(d.w);
	return status;
}

/* Return: -1 when all is understood. */
static int check_names(const struct doctor_opts *o)
{
	struct weir_bdf bdf;

	for (unsigned i = 0; i < o->n_devs; i++)
		if (weir_bdf_parse(o->devs[i], &bdf) && !strchr(o->devs[i], ':'))
			return app_usage(
				&cmd_doctor,
				"\"%s\" is no device: take a PCI address (0000:03:00.0) or "
				"vfio-user:SOCKET.",
				o->devs[i]);
	return -1;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "queues", required_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct doctor_opts o = { .queues = 1 };
	int c, status;

	while ((c = getopt_long(argc, argv, "jq:vh", opts, NULL)) != -1) {
		if (c == 'j')
			o.json = true;
		else if (c == 'v')
			o.verbose++;
		else if (c == 'h')
			return app_help(&cmd_doctor, stdout);
		else if (c != 'q')
			return app_usage(&cmd_doctor, "see the options.");
		else if (!app_number(&cmd_doctor, "--queues", optarg, 1, WEIR_MAX_QUEUES,
				     &o.queues))
			return APP_USAGE;
	}
	o.devs = argv + optind;
	o.n_devs = (unsigned)(argc - optind);
	status = check_names(&o);
	return status < 0 ? examine(&o) : status;
}

const struct app_cmd cmd_doctor = {
	.name = "doctor",
	.args = "[--json] [DEV...]",
	.summary = "find what keeps NICs from being used, and what to do",
	.help = "  -j, --json      as JSON\n"
		"  -q, --queues N  reckon with so many queues a port (default 1)\n"
		"  -v, --verbose   say more; twice for all\n"
		"\n"
		"Without DEV it examines the machine and names each NIC; with DEV it goes into that\n"
		"one. It only looks, nothing is changed. The ids in brackets are those of weir's\n"
		"error messages. Exit status: 0 fine, 1 something fails, 2 bad usage.\n",
	.run = run,
};
