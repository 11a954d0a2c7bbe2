/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir bind` and `weir release` */
#include "apps/app.h"

#include <getopt.h>

/* Run @op on each address. All are tried; the worst result is the exit status. */
static int each(const struct app_cmd *cmd, int argc, char **argv, unsigned verbose,
		int (*op)(struct weir *w, struct weir_bdf bdf, const char *name, unsigned arg),
		unsigned arg)
{
	struct weir_bdf bdf;
	struct weir *w;
	int status = APP_OK;

	if (!argc)
		return app_usage(cmd, "name at least one device.");
	for (int i = 0; i < argc; i++)
		if (weir_bdf_parse(argv[i], &bdf))
			return app_usage(cmd, "\"%s\" is no PCI address like 0000:03:00.0.",
					 argv[i]);
	if (app_open(verbose, &w))
		return APP_FAIL;
	for (int i = 0; i < argc; i++) {
		char name[WEIR_BDF_LEN];

		weir_bdf_parse(argv[i], &bdf);
		weir_bdf_format(bdf, name);
		if (op(w, bdf, name, arg) < 0)
			status = APP_FAIL;
	}
	weir_close(w);
	return status;
}

static int bind_one(struct weir *w, struct weir_bdf bdf, const char *name, unsigned flags)
{
	struct weir_pci_info info;
	int r = weir_pci_bind(w, bdf, flags);

	if (r == 1)
		printf("%s is bound to vfio-pci already\n", name);
	if (!r && !weir_pci_info(w, bdf, &info))
		printf("%s bound to vfio-pci (%s before)\n", name,
		       strcmp(info.prior, "-") ? info.prior : "no driver");
	return r;
}

static int set_vfs(struct weir *w, struct weir_bdf bdf, const char *name, unsigned n)
{
	int r = weir_pci_set_vfs(w, bdf, n);

	if (!r)
		printf("%s has %u virtual functions\n", name, n);
	return r;
}

static int run_bind(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "force", no_argument, NULL, 'f' },
		{ "vfs", required_argument, NULL, 'V' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned flags = 0, verbose = 0;
	uint64_t vfs = UINT64_MAX;
	int c;

	while ((c = getopt_long(argc, argv, "fvh", opts, NULL)) != -1) {
		switch (c) {
		case 'f':
			flags |= WEIR_BIND_FORCE;
			break;
		case 'V':
			if (!app_number(&cmd_bind, "--vfs", optarg, 0, 256, &vfs))
				return APP_USAGE;
			break;
		case 'v':
			verbose++;
			break;
		case 'h':
			return app_help(&cmd_bind, stdout);
		default:
			return app_usage(&cmd_bind, "see the options.");
		}
	}
	if (vfs != UINT64_MAX)
		return each(&cmd_bind, argc - optind, argv + optind, verbose, set_vfs,
			    (unsigned)vfs);
	return each(&cmd_bind, argc - optind, argv + optind, verbose, bind_one, flags);
}

const struct app_cmd cmd_bind = {
	.name = "bind",
	.args = "[--force] DEV...",
	.summary = "take NICs from their kernel drivers for vfio-pci",
	.help = "  -f, --force    even if the interface is in use: an address, a route, part of a bridge\n"
		"      --vfs N    do not bind: have DEV make N virtual functions (0 removes them)\n"
		"  -v, --verbose  say more; twice for all\n"
		"\n"
		"The driver that a device had is recorded; `weir release` gives it back.\n",
	.run = run_bind,
};

static int release_one(struct weir *w, struct weir_bdf bdf, const char *name, unsigned arg)
{
	struct weir_pci_info info;
	int r = weir_pci_release(w, bdf);

	(void)arg;
	if (r < 0 || weir_pci_info(w, bdf, &info))
		return r;
	if (r)
		printf("%s is not bound to vfio-pci; its driver is %s\n", name,
		       *info.driver ? info.driver : "none");
	else
		printf("%s given back to %s\n", name, *info.driver ? info.driver : "no driver");
	return 0;
}

static int run_release(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned verbose = 0;
	int c;

	while ((c = getopt_long(argc, argv, "vh", opts, NULL)) != -1) {
		if (c == 'v')
			verbose++;
		else if (c == 'h')
			return app_help(&cmd_release, stdout);
		else
			return app_usage(&cmd_release, "see the options.");
	}
	return each(&cmd_release, argc - optind, argv + optind, verbose, release_one, 0);
}

const struct app_cmd cmd_release = {
	.name = "release",
	.args = "DEV...",
	.summary = "give NICs back to the kernel drivers they had",
	.help = "  -v, --verbose  say more; twice for all\n",
	.run = run_release,
};
