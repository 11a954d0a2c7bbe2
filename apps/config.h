/* SPDX-License-Identifier: BSD-3-Clause */
/* A subcommand's options and devices from a file. */
#ifndef WEIR_APPS_CONFIG_H
#define WEIR_APPS_CONFIG_H

#include "apps/app.h"

#include <getopt.h>

/**
 * struct app_args - a command line that a file has been put in front of
 * @argc: words in @argv
 * @argv: the subcommand's name, the file's options, what was typed but for --config; NULL at the end
 * @devs: devices that the file names, for when none were typed; @n_devs of them
 */
struct app_args {
	int argc;
	char **argv;
	char **devs;
	unsigned n_devs;
	/* private: words that are ours to free */
	char **words;
	unsigned n_words;
};

/**
 * app_config() - look for --config FILE, and read the file
 * @cmd: subcommand, for messages
 * @opts: its options, "config" among them
 * @argc: as typed
 * @argv: as typed
 * @out: end with app_config_end(), whatever this returned
 *
 * The file is a JSON object, in which comments are allowed. A key is the name of a long option; its
 * value is text or a number for an option that takes something, a list of these for one that takes a
 * list, or true and false for one that takes nothing. "devices" is a list of device strings, or of
 * objects with "device" and "mode". What is typed comes later and so wins.
 * Return: -1 to go on, else an exit status.
 */
int app_config(const struct app_cmd *cmd, const struct option *opts, int argc, char **argv,
	       struct app_args *out);

void app_config_end(struct app_args *a);

#endif
