/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * foreground: run a program with the signals of a foreground job.
 *
 *   foreground COMMAND ARGUMENTS...
 *
 * A shell starts "COMMAND &" with SIGINT and SIGQUIT ignored, and a program may honour that. The
 * tests send SIGINT as a user's ^C would, so it must not be ignored from the start.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs("usage: foreground COMMAND ARGUMENTS...\n", stderr);
		return 2;
	}
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	execvp(argv[1], argv + 1);
	fprintf(stderr, "cannot run %s: %s\n", argv[1], strerror(errno));
	return 127;
}
