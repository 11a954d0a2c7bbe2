/* SPDX-License-Identifier: BSD-3-Clause */
/* What the subcommands of `weir` share. */
#ifndef WEIR_APPS_APP_H
#define WEIR_APPS_APP_H

#include "nics/nics.h"

#include <sched.h>
#include <stdio.h>

/* Exit statuses: done; could not be done; not understood; done but for a NIC that was asked back. */
enum { APP_OK = 0, APP_FAIL = 1, APP_USAGE = 2, APP_ASKED = 3 };

/**
 * struct app_cmd - a subcommand; one file each, listed in main.c
 * @name: as typed
 * @args: synopsis of its arguments
 * @summary: one line
 * @help: options, one a line
 * @run: its main(); argv[0] is its name. Return: exit status
 */
struct app_cmd {
	const char *name;
	const char *args;
	const char *summary;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct app_cmd cmd_list, cmd_top, cmd_doctor, cmd_bind, cmd_release, cmd_reset,
	cmd_l2fwd, cmd_capture, cmd_nicsim;

/* Set by SIGINT, SIGTERM or SIGHUP after app_catch_signals(). */
extern volatile int app_stop;

void app_catch_signals(void);

/* Print the subcommand's help to @to. Return: APP_OK. */
int app_help(const struct app_cmd *cmd, FILE *to);

/* "weir CMD: ..." and a hint at --help on stderr. Return: APP_USAGE. */
int app_usage(const struct app_cmd *cmd, const char *fmt, ...) weir_printf(2, 3);

/* A handle that logs to stderr; @verbose counts -v. Return: 0 or negative errno. */
int app_open(unsigned verbose, struct weir **out);

/* Whole number from @min to @max. Return: false (and a message) for anything else. */
bool app_number(const struct app_cmd *cmd, const char *opt, const char *s, uint64_t min,
		uint64_t max, uint64_t *v);

/**
 * app_cores() - read a list of CPUs: "0", "1,3", "2-5,8"
 * @s: text
 * @cpus: filled in the order given
 * @max: room
 * Return: how many, or -EINVAL.
 */
int app_cores(const char *s, unsigned *cpus, unsigned max);

#endif
