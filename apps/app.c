/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/app.h"

#include <ctype.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

volatile int app_stop;

static void on_signal(int sig)
{
	(void)sig;
	app_stop = 1;
}

void app_catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	/* The terminal is gone: give the NICs back; unless nohup(1) said otherwise. */
	if (signal(SIGHUP, SIG_IGN) != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int app_help(const struct app_cmd *cmd, FILE *to)
{
	fprintf(to, "usage: weir %s %s\n\n%s.\n\n%s", cmd->name, cmd->args, cmd->summary,
		cmd->help);
	return APP_OK;
}

int app_usage(const struct app_cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "weir %s: ", cmd->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry `weir %s --help`.\n", cmd->name);
	return APP_USAGE;
}

static void log_line(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "weir: %s%s%s%s\n", msg, *id ? " [" : "", id, *id ? "]" : "");
}

int app_open(unsigned verbose, struct weir **out)
{
	struct weir_opts o = {
		.log = log_line,
		.log_level = verbose > 1 ? WEIR_LOG_DEBUG
			     : verbose	 ? WEIR_LOG_INFO
					 : WEIR_LOG_WARN,
		/* Tests show the tool a machine of their own making. */
		.sysfs = getenv("WEIR_SYSFS"),
		.dev = getenv("WEIR_DEV"),
		.proc = getenv("WEIR_PROC"),
		.run = getenv("WEIR_RUN"),
	};

	return weir_open(&o, out);
}

bool app_number(const struct app_cmd *cmd, const char *opt, const char *s, uint64_t min,
		uint64_t max, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 10);
	if (isdigit((unsigned char)*s) && !*end && !errno && *v >= min && *v <= max)
		return true;
	app_usage(cmd, "%s wants a whole number from %llu to %llu, not \"%s\".", opt,
		  (unsigned long long)min, (unsigned long long)max, s);
	return false;
}

int app_cores(const char *s, unsigned *cpus, unsigned max)
{
	unsigned n = 0;

	for (;;) {
		char *end;
		unsigned long a, b;

		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		a = b = strtoul(s, &end, 10);
		if (*end == '-') {
			if (!isdigit((unsigned char)end[1]))
				return -EINVAL;
			b = strtoul(end + 1, &end, 10);
		}
		if (b < a || b >= CPU_SETSIZE)
			return -EINVAL;
		for (; a <= b; a++) {
			if (n == max)
				return -EINVAL;
			cpus[n++] = (unsigned)a;
		}
		if (!*end)
			return (int)n;
		if (*end != ',')
			return -EINVAL;
		s = end + 1;
	}
}
