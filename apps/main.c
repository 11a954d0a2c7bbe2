/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir`: an application of libweir like any other, with one subcommand a file. */
#include "apps/app.h"

#include <poll.h>
#include <unistd.h>

static const struct app_cmd *const commands[] = {
	&cmd_list,  &cmd_top,	&cmd_doctor,  &cmd_bind,   &cmd_release,
	&cmd_reset, &cmd_l2fwd, &cmd_capture, &cmd_nicsim,
};

static int usage(FILE *to)
{
	fprintf(to, "usage: weir COMMAND [OPTIONS] ...\n\n"
		    "Userspace NIC drivers over VFIO cdev and IOMMUFD, or vfio-user.\n\n");
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(to,
		"\n`weir COMMAND --help` tells more, `weir --version` which this is. A device is\n"
		"a PCI address (0000:03:00.0), an open cdev fd:FD, vfio-user:SOCKET,\n"
		"vhost-user:SOCKET, vhost:SOCKET, vdpa:DEVICE, tap:NAME, null: or pcap:IN,OUT.\n");
	return to == stdout ? APP_OK : APP_USAGE;
}

/* What was said has to arrive, or a script takes half a summary for a whole one. */
static int said(const char *name, int status)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	if (!fflush(stdout) && !ferror(stdout))
		return status;
	/* Whoever closed the pipe has read enough. */
	if (poll(&out, 1, 0) == 1 && out.revents & POLLERR)
		return status;
	fprintf(stderr,
		"weir %s: standard output could not be written in full: see whether there is room "
		"on its disk\n",
		name);
	return status == APP_OK ? APP_FAIL : status;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage(stderr);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return usage(stdout);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("weir " WEIR_VERSION);
		return APP_OK;
	}
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i]->name))
			return said(argv[1], commands[i]->run(argc - 1, argv + 1));
	fprintf(stderr, "weir: there is no command \"%s\".\n", argv[1]);
	return usage(stderr);
}
