/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir reset`: a function, or all that sits in a slot or on a bus */
#include "apps/app.h"

#include <getopt.h>
#include <stdlib.h>

#define RESET_MAX 16

struct reset_opts {
	char **devs;
	unsigned n_devs, verbose;
	enum weir_mode mode;
	bool hot, list;
};

static int open_one(struct weir_iommu *iommu, const struct reset_opts *o, const char *dev,
		    struct weir_pci **out)
{
	const char *path = weir_user_path(dev);
	struct weir_bdf bdf;

	if (path)
		return weir_pci_open_user(iommu, path, NULL, o->list ? WEIR_PCI_LOOK : 0, out);
	weir_bdf_parse(dev, &bdf);
	return weir_pci_open(iommu, bdf, o->mode, NULL, out);
}

/* What would be hit. */
static int show(struct weir_pci *d)
{
	struct weir_reset_peer p[256];
	int n = weir_iodev_hot_reset_info(weir_pci_iodev(d), p, WEIR_ARRAY_SIZE(p));

	for (int i = 0; i < n && i < (int)WEIR_ARRAY_SIZE(p); i++)
		printf("%s %s, %s\n", p[i].name, *p[i].driver ? p[i].driver : "no driver",
		       p[i].ours ? "open here" : "not open here");
	return n < 0 ? n : 0;
}

static int reset_all(struct weir_pci **d, const struct reset_opts *o)
{
	int err = 0;

	if (o->list)
		return show(d[0]);
	if (o->hot) {
		err = weir_pci_hot_reset(d[0]);
		if (!err)
			printf("%s: slot or bus reset\n", weir_pci_name(d[0]));
		return err;
	}
	for (unsigned i = 0; i < o->n_devs; i++) {
		int one = weir_pci_reset(d[i]);

		if (!one)
			printf("%s: function reset\n", weir_pci_name(d[i]));
		else if (one == -EOPNOTSUPP)
			fprintf(stderr, "weir: %s has no function reset; see --hot\n",
				weir_pci_name(d[i]));
		if (one)
			err = one;
	}
	return err;
}

static int reset(const struct reset_opts *o)
{
	struct weir_pci *d[RESET_MAX] = { NULL };
	struct weir_iommu *iommu = NULL;
	struct weir *w;
	int err = app_open(o->verbose, &w);

	if (err)
		return APP_FAIL;
	err = weir_iommu_open(w, &iommu);
	for (unsigned i = 0; i < o->n_devs && !err; i++)
		err = open_one(iommu, o, o->devs[i], &d[i]);
	if (!err)
		err = reset_all(d, o);
	for (unsigned i = 0; i < o->n_devs; i++)
		weir_pci_close(d[i]);
	weir_iommu_close(iommu);
	weir_close(w);
	return err ? APP_FAIL : APP_OK;
}

static int check(const struct reset_opts *o)
{
	struct weir_bdf bdf;

	if (!o->n_devs || o->n_devs > RESET_MAX)
		return app_usage(&cmd_reset, "name 1 to %d devices.", RESET_MAX);
	for (unsigned i = 0; i < o->n_devs; i++)
		if (!weir_user_path(o->devs[i]) && weir_bdf_parse(o->devs[i], &bdf))
			return app_usage(&cmd_reset,
					 "\"%s\" is no PCI address like 0000:03:00.0 and no "
					 "vfio-user:SOCKET.",
					 o->devs[i]);
	return -1;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "hot", no_argument, NULL, 'H' },	  { "list", no_argument, NULL, 'l' },
		{ "mode", required_argument, NULL, 'm' }, { "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },	  { NULL, 0, NULL, 0 },
	};
	struct reset_opts o = { .hot = false };
	int c;

	while ((c = getopt_long(argc, argv, "m:vh", opts, NULL)) != -1) {
		switch (c) {
		case 'H':
			o.hot = true;
			break;
		case 'l':
			o.hot = o.list = true;
			break;
		case 'm':
			if (weir_mode_parse(optarg, &o.mode))
				return app_usage(&cmd_reset,
						 "--mode is auto, cdev, group, compat, type1 or "
						 "noiommu, not \"%s\".",
						 optarg);
			break;
		case 'v':
			o.verbose++;
			break;
		case 'h':
			return app_help(&cmd_reset, stdout);
		default:
			return app_usage(&cmd_reset, "see the options.");
		}
	}
	o.devs = argv + optind;
	o.n_devs = (unsigned)(argc - optind);
	c = check(&o);
	return c < 0 ? reset(&o) : c;
}

const struct app_cmd cmd_reset = {
	.name = "reset",
	.args = "[--hot | --list] DEV...",
	.summary = "reset NICs that are bound to vfio-pci, or a whole slot or bus",
	.help = "      --hot          reset the slot or the bus of the first DEV; refused unless all that\n"
		"                     sits there is among the DEVs, with a list of the rest\n"
		"      --list         only show what --hot would hit\n"
		"  -m, --mode MODE    how to claim the NICs (default auto)\n"
		"  -v, --verbose      say more; twice for all\n",
	.run = run,
};
