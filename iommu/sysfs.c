/* SPDX-License-Identifier: BSD-3-Clause */
/* What backends ask of sysfs and of device nodes, with answers a person can act on. */
#include "iommu/internal.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int weir_ioctl(int fd, unsigned long req, void *arg)
{
	int r;

	do {
		r = ioctl(fd, req, arg);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

void weir_close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int weir_why(char why[WEIR_WHY_LEN], const char **id, int err, const char *name, const char *fmt,
	     ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, WEIR_WHY_LEN, fmt, ap);
	va_end(ap);
	*id = name;
	return err < 0 ? err : -err;
}

bool weir_sys_is_vfio(const char *driver)
{
	return strstr(driver, "vfio") != NULL;
}

int weir_sys_group(const char *sysdev)
{
	char name[64], *end;
	long n;

	if (weir_link_base(sysdev, "iommu_group", name, sizeof(name)))
		return -ENODEV;
	n = strtol(name, &end, 10);
	return *end || end == name || n < 0 || n > INT_MAX ? -ENODEV : (int)n;
}

bool weir_sys_group_is_fake(const char *sysdev)
{
	char path[PATH_MAX], name[64];

	return !weir_path(path, "%s/iommu_group/name", sysdev) &&
	       weir_file_read(path, name, sizeof(name)) >= 0 &&
	       !strncmp(name, "vfio-noiommu", strlen("vfio-noiommu"));
}

bool weir_has_cap(struct weir *w, unsigned bit)
{
	char path[PATH_MAX], line[256];
	unsigned long long eff = 0;
	FILE *f;

	weir_path(path, "%s/self/status", weir_proc(w));
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &eff) == 1)
			break;
	fclose(f);
	return eff >> bit & 1;
}

int weir_probe_driver(const char *sysdev, char why[WEIR_WHY_LEN], const char **id)
{
	const char *name = strrchr(sysdev, '/');
	char driver[64];

	name = name ? name + 1 : sysdev;
	if (weir_link_base(sysdev, "driver", driver, sizeof(driver)))
		return weir_why(why, id, ENODEV, "not-bound",
				"no driver is bound: run `weir bind %s`", name);
	if (!weir_sys_is_vfio(driver))
		return weir_why(why, id, ENODEV, "not-bound",
				"the kernel driver %s has the device: run `weir bind %s`", driver,
				name);
	return 0;
}

int weir_probe_common(const char *sysdev, char why[WEIR_WHY_LEN], const char **id)
{
	if (weir_sys_group(sysdev) < 0 || weir_sys_group_is_fake(sysdev))
		return weir_why(
			why, id, ENODEV, "no-iommu",
			"no IOMMU stands before the device: switch VT-d or AMD-Vi on in the "
			"firmware and boot with intel_iommu=on (AMD: amd_iommu=on)");
	return weir_probe_driver(sysdev, why, id);
}

static void owner_name(const struct stat *st, char *out, size_t size)
{
	const struct passwd *pw = getpwuid(st->st_uid);
	const struct group *gr = getgrgid(st->st_gid);

	snprintf(out, size, "%s:%s mode %03o", pw ? pw->pw_name : "?", gr ? gr->gr_name : "?",
		 st->st_mode & 0777);
}

int weir_probe_node(const char *node, const char *what, char why[WEIR_WHY_LEN], const char **id)
{
	struct stat st;
	char owner[64];

	if (stat(node, &st) < 0)
		return weir_why(why, id, errno, "no-node", "%s is not there: %s", node, what);
	if (!faccessat(AT_FDCWD, node, R_OK | W_OK, AT_EACCESS))
		return 0;
	owner_name(&st, owner, sizeof(owner));
	return weir_why(why, id, EACCES, "permission",
			"no permission for %s (%s): run as root, or install "
			"config/60-weir.rules into /etc/udev/rules.d and join group weir",
			node, owner);
}
