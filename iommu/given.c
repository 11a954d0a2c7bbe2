/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that somebody else opened: /dev/iommu and VFIO device cdevs, handed to a process that could
 * not open them itself. Such a process may lack /sys and /dev altogether: what cannot be known then
 * is said.
 */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int weir_iommu_set_fd(struct weir_iommu *iommu, int fd)
{
	struct uapi_iommu_destroy nothing = { .size = sizeof(nothing) };
	int err;

	if (iommu->iommufd >= 0) {
		close(fd);
		return weir_fail(iommu->w, EBUSY, "iommufd",
				 "fd %d is handed in too late: /dev/iommu has been opened already",
				 fd);
	}
	/* No object has number 0: an iommufd says so, any other file does not know the question. */
	err = weir_ioctl(fd, UAPI_IOMMU_DESTROY, &nothing);
	if (err != -ENOENT) {
		if (err != -EBADF)
			close(fd);
		return weir_fail(iommu->w, err == -EBADF ? EBADF : EINVAL, "iommufd",
				 "fd %d is %s; open /dev/iommu for reading and writing and hand "
				 "that in",
				 fd, err == -EBADF ? "not open" : "no iommufd");
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	iommu->iommufd = fd;
	return 0;
}

/* The device's folder in sysfs by the number of its cdev. Return: 0 or negative errno. */
static int find_sysdev(struct weir *w, dev_t rdev, char out[PATH_MAX])
{
	char link[PATH_MAX], real[PATH_MAX], *end;
	int err = weir_path(link, "%s/dev/char/%u:%u", weir_sysfs(w), major(rdev), minor(rdev));

	if (err)
		return err;
	/* .../0000:03:00.0/vfio-dev/vfio0 */
	if (!realpath(link, real))
		return -errno;
	end = strstr(real, "/vfio-dev/");
	if (!end)
		return -ENODEV;
	*end = '\0';
	return weir_path(out, "%s/bus/pci/devices/%s", weir_sysfs(w), strrchr(real, '/') + 1);
}

/* Whether a folder's device has this cdev: 0, -EINVAL if another one, -ENOENT if none is told. */
static int check_sysdev(const char *sysdev, dev_t rdev)
{
	char dir[PATH_MAX], name[64], path[PATH_MAX], text[32];
	unsigned maj, min;
	int err = weir_path(dir, "%s/vfio-dev", sysdev);

	if (!err)
		err = weir_dir_first(dir, "vfio", name, sizeof(name));
	if (!err)
		err = weir_path(path, "%s/%s/dev", dir, name);
	if (!err)
		err = weir_file_read(path, text, sizeof(text));
	if (err)
		return err;
	if (sscanf(text, "%u:%u", &maj, &min) != 2)
		return -EINVAL;
	return makedev(maj, min) == rdev ? 0 : -EINVAL;
}

/* Fill in where the device is, as far as that can be told. */
static int locate(struct weir_iodev *d, int fd, const char *sysdev)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return weir_fail(d->w, errno, "handed-in", "fd %d is not open", fd);
	if (!S_ISCHR(st.st_mode))
		return weir_fail(d->w, EINVAL, "handed-in",
				 "fd %d is no device: hand in an open /dev/vfio/devices/vfioN", fd);
	if (!sysdev) {
		err = find_sysdev(d->w, st.st_rdev, d->sysdev);
		if (err)
			weir_info(d->w,
				  "fd %d: %s does not tell which device that is (%s): its address, "
				  "NUMA node and group stay unknown",
				  fd, weir_sysfs(d->w), weir_strerror(err));
		return 0;
	}
	strcpy(d->sysdev, sysdev);
	err = check_sysdev(sysdev, st.st_rdev);
	if (err == -EINVAL)
		return weir_fail(d->w, EINVAL, "handed-in",
				 "fd %d is the cdev %u:%u, which is not that of %s", fd,
				 major(st.st_rdev), minor(st.st_rdev), strrchr(sysdev, '/') + 1);
	if (err)
		weir_warn(d->w, "fd %d: that it is %s cannot be checked: %s/vfio-dev: %s", fd,
			  strrchr(sysdev, '/') + 1, sysdev, weir_strerror(err));
	return 0;
}

static void fill_report(struct weir_mode_report *r)
{
	r->chosen = WEIR_MODE_CDEV;
	for (unsigned i = 0; i < WEIR_MODE_MAX; i++) {
		r->id[i] = "";
		if (i == WEIR_MODE_CDEV || !weir_backends[i] || weir_backends[i]->scheme)
			continue;
		r->usable[i] = -EOPNOTSUPP;
		r->id[i] = "handed-in";
		snprintf(r->why[i], WEIR_WHY_LEN, "it was handed in as an open cdev");
	}
}

int weir_iodev_open_fd(struct weir_iommu *iommu, int fd, const char *sysdev,
		       struct weir_iodev **out)
{
	struct weir_iodev *d;
	int err;

	if (fd < 0 || (sysdev && (*sysdev != '/' || strlen(sysdev) >= PATH_MAX)))
		return -EINVAL;
	d = weir_iodev_new(iommu);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	d->be = &weir_backend_cdev;
	fill_report(&d->report);
	err = locate(d, fd, sysdev);
	if (!*d->sysdev)
		snprintf(d->sysdev, sizeof(d->sysdev), "fd:%d", fd);
	d->name = *d->sysdev == '/' ? strrchr(d->sysdev, '/') + 1 : d->sysdev;
	if (err != -EBADF) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		d->fd = fd;
	}
	if (!err)
		err = d->be->dev_open(d);
	if (err) {
		weir_close_fd(&d->fd);
		weir_iodev_free(d);
		return err;
	}
	iommu->devices++;
	*out = d;
	return 0;
}

bool weir_iodev_has_sysdev(const struct weir_iodev *d)
{
	return *d->sysdev == '/' && !access(d->sysdev, F_OK);
}
