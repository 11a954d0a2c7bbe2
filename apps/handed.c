/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/handed.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* sd_listen_fds(3): the first one, and the most that this looks through. */
#define LISTEN_FIRST 3
#define LISTEN_MAX   64

static int number(const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	return isdigit((unsigned char)*s) && !*end && v <= 1u << 20 ? (int)v : -1;
}

/* Descriptors that systemd passed to this very process. */
static int listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

	if (!pid || !fds || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	return number(fds) > LISTEN_MAX ? LISTEN_MAX : number(fds);
}

/* Names stand in LISTEN_FDNAMES in the order of the numbers, with colons between. */
static int by_name(const char *name)
{
	const char *at = getenv("LISTEN_FDNAMES");
	int n = listen_fds();

	for (int i = 0; at && i < n; i++) {
		size_t len = strcspn(at, ":");

		if (len == strlen(name) && !strncmp(at, name, len))
			return LISTEN_FIRST + i;
		at = at[len] ? at + len + 1 : NULL;
	}
	return -1;
}

int handed_fd(struct weir *w, const char *s)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int fd = number(s);

	if (fd < 0)
		fd = by_name(s);
	if (fd < 0)
		return weir_fail(w, ENOENT, "handed-in",
				 "no file is handed in as \"%s\": take a number, or a name that "
				 "systemd gave (LISTEN_FDNAMES is \"%s\", for process %s)",
				 s, names ? names : "",
				 getenv("LISTEN_PID") ? getenv("LISTEN_PID") : "none");
	if (fcntl(fd, F_GETFD) < 0)
		return weir_fail(w, EBADF, "handed-in", "fd %d (\"%s\") is not open", fd, s);
	return fd;
}

int handed_device(struct weir *w, const char *dev, char **out)
{
	static const char *const begins[] = { "fd:", "vfio-user:fd=" };
	char name[64];

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(begins); i++) {
		size_t at = strlen(begins[i]), len;
		int fd;

		if (strncmp(dev, begins[i], at))
			continue;
		len = strcspn(dev + at, ",");
		snprintf(name, sizeof(name), "%.*s", (int)len, dev + at);
		fd = handed_fd(w, name);
		if (fd < 0)
			return fd;
		return asprintf(out, "%s%d%s", begins[i], fd, dev + at + len) < 0 ? -ENOMEM : 0;
	}
	*out = strdup(dev);
	return *out ? 0 : -ENOMEM;
}
