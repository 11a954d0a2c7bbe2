/* SPDX-License-Identifier: BSD-3-Clause */
/* Is a network interface in use? Taking the host's way to the world away must be asked for. */
#include "pci/internal.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* How sysfs names its links to the interfaces above one. */
#define UPPER "upper_"

static void weir_printf(3, 4) add(char *s, size_t size, const char *fmt, ...)
{
	size_t n = strlen(s);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s + n, size - n, fmt, ap);
	va_end(ap);
}

static bool address_text(const struct sockaddr *sa, char *out, size_t size)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in = (const void *)sa;

	if (sa && sa->sa_family == AF_INET)
		return inet_ntop(AF_INET, &in->sin_addr, out, (socklen_t)size);
	/* A link-local address comes by itself whenever an interface is up. */
	if (sa && sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
		return inet_ntop(AF_INET6, &in6->sin6_addr, out, (socklen_t)size);
	return false;
}

/* Return: addresses of an interface that is up. */
static unsigned addresses(const char *ifname, char *what, size_t size)
{
	struct ifaddrs *list, *a;
	char text[INET6_ADDRSTRLEN];
	unsigned n = 0;

	if (getifaddrs(&list))
		return 0;
	for (a = list; a; a = a->ifa_next) {
		if (strcmp(a->ifa_name, ifname) || !(a->ifa_flags & IFF_UP) ||
		    !address_text(a->ifa_addr, text, sizeof(text)))
			continue;
		add(what, size, "%s%s", n++ ? ", " : " address ", text);
	}
	freeifaddrs(list);
	return n;
}

/* IPv4 routes through the interface: /proc/net/route holds addresses in hexadecimal. */
static unsigned routes(struct weir *w, const char *ifname, char *what, size_t size)
{
	char path[PATH_MAX], line[256], name[32], text[INET_ADDRSTRLEN];
	unsigned n = 0, dst, mask;
	FILE *f;

	weir_path(path, "%s/net/route", weir_proc(w));
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		struct in_addr in;

		if (sscanf(line, "%31s %x %*x %*x %*d %*d %*d %x", name, &dst, &mask) != 3 ||
		    strcmp(name, ifname))
			continue;
		in.s_addr = dst;
		inet_ntop(AF_INET, &in, text, sizeof(text));
		add(what, size, "%s%s/%d", n++ ? ", " : " route ", dst || mask ? text : "default",
		    __builtin_popcount(mask));
	}
	fclose(f);
	return n;
}

/* What stands on it: a bridge, a bond, a VLAN. Addresses are up there then, and none is here. */
static unsigned uppers(struct weir *w, const char *ifname, char *what, size_t size)
{
	char dir[PATH_MAX], upper[64];

	if (weir_path(dir, "%s/class/net/%s", weir_sysfs(w), ifname) ||
	    weir_dir_first(dir, UPPER, upper, sizeof(upper)))
		return 0;
	add(what, size, " part of %s", upper + strlen(UPPER));
	return 1;
}

bool weir_netdev_in_use(struct weir *w, const char *ifname, char *what, size_t size)
{
	unsigned n;

	what[0] = '\0';
	n = addresses(ifname, what, size);
	n += routes(w, ifname, what, size);
	return n + uppers(w, ifname, what, size) > 0;
}
