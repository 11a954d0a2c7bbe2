/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Binding and releasing as transactions: look first, record what was, change, check the driver
 * link (the kernel's files accept a write even when nothing came of it), and go back on failure.
 */
#include "pci/internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct target {
	struct weir *w;
	char name[WEIR_BDF_LEN];
	char dir[PATH_MAX];
	struct weir_pci_info info;
};

static int look_up(struct weir *w, struct weir_bdf bdf, struct target *t)
{
	int err = weir_pci_info(w, bdf, &t->info);

	t->w = w;
	weir_bdf_format(bdf, t->name);
	return err ? err : weir_pci_sysdev(w, bdf, t->dir, sizeof(t->dir));
}

/* --- the record --- */

static int record_path(struct weir *w, const char *bdf, const char *suffix, char out[PATH_MAX])
{
	return weir_path(out, "%s/bind/%s%s", weir_run(w), bdf, suffix);
}

int weir_pci_record_read(struct weir *w, const char *bdf, char *driver, size_t size)
{
	char path[PATH_MAX];
	int err = record_path(w, bdf, "", path);

	return err ? err : weir_file_read(path, driver, size);
}

static int record_write(struct target *t)
{
	char dir[PATH_MAX], path[PATH_MAX], tmp[PATH_MAX];
	const char *driver = t->info.driver;
	FILE *f;
	int err = 0;

	/* Without a driver now, an earlier record still says whose it was. */
	if (!*driver)
		driver = *t->info.prior ? t->info.prior : "-";

	weir_path(dir, "%s/bind", weir_run(t->w));
	mkdir(weir_run(t->w), 0755);
	mkdir(dir, 0755);
	record_path(t->w, t->name, "", path);
	record_path(t->w, t->name, ".new", tmp);
	f = fopen(tmp, "we");
	if (!f)
		return weir_fail(t->w, errno, "record",
				 "cannot record the driver of %s in %s: %s; nothing was changed",
				 t->name, tmp, weir_strerror(errno));
	if (fprintf(f, "%s\n", driver) < 0)
		err = -EIO;
	if (fclose(f))
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err) {
		unlink(tmp);
		return weir_fail(t->w, err, "record", "cannot write %s: %s; nothing was changed",
				 path, weir_strerror(err));
	}
	return 0;
}

static void record_remove(struct target *t)
{
	char path[PATH_MAX];

	if (!record_path(t->w, t->name, "", path))
		unlink(path);
}

/* --- single steps --- */

static int set_override(struct target *t, const char *driver)
{
	char path[PATH_MAX];

	weir_path(path, "%s/driver_override", t->dir);
	return weir_file_write(path, driver);
}

static int unbind(struct target *t)
{
	char path[PATH_MAX];
	int err;

	weir_path(path, "%s/driver/unbind", t->dir);
	err = weir_file_write(path, t->name);
	return err == -ENOENT ? 0 : err; /* no driver: nothing to do */
}

static int probe(struct target *t)
{
	char path[PATH_MAX];

	weir_path(path, "%s/bus/pci/drivers_probe", weir_sysfs(t->w));
	return weir_file_write(path, t->name);
}

static int bind_to(struct target *t, const char *driver)
{
	char path[PATH_MAX];

	weir_path(path, "%s/bus/pci/drivers/%s/bind", weir_sysfs(t->w), driver);
	return weir_file_write(path, t->name);
}

/* Driver bound now, "" for none. */
static const char *driver_now(struct target *t)
{
	if (weir_link_base(t->dir, "driver", t->info.driver, sizeof(t->info.driver)))
		t->info.driver[0] = '\0';
	return t->info.driver;
}

/* --- bind --- */

/* An interface that is in another network namespace: its folder is there, and looks empty. */
static bool netdev_elsewhere(const struct target *t)
{
	char net[PATH_MAX], child[64];

	if (t->info.n_netdevs)
		return false;
	weir_path(net, "%s/net", t->dir);
	if (access(net, F_OK) && !weir_dir_first(t->dir, "virtio", child, sizeof(child)))
		weir_path(net, "%s/%s/net", t->dir, child);
	return !access(net, F_OK);
}

/* Whoever runs the machine has told the kernel to give out devices without an IOMMU. */
static bool may_go_without(struct weir *w)
{
	char path[PATH_MAX], text[8];

	weir_path(path, "%s/module/vfio/parameters/enable_unsafe_noiommu_mode", weir_sysfs(w));
	return weir_file_read(path, text, sizeof(text)) >= 0 && *text == 'Y';
}

static int check_bind(struct target *t, unsigned flags)
{
	char path[PATH_MAX], what[256];
	struct weir *w = t->w;

	for (unsigned i = 0; i < t->info.n_netdevs && !(flags & WEIR_BIND_FORCE); i++)
		if (weir_netdev_in_use(w, t->info.netdevs[i], what, sizeof(what)))
			return weir_fail(
				w, EBUSY, "interface-in-use",
				"%s is the interface %s, which is in use:%s; take that away "
				"from it, or use --force",
				t->name, t->info.netdevs[i], what);
	if (!(flags & WEIR_BIND_FORCE) && netdev_elsewhere(t))
		return weir_fail(
			w, EBUSY, "interface-elsewhere",
			"%s is an interface in another network namespace (a container's, "
			"see `lsns -t net`) and may be in use there; use --force to take it",
			t->name);
	if (t->info.group < 0 && !may_go_without(w))
		return weir_fail(
			w, ENODEV, "no-iommu",
			"%s stands behind no IOMMU, so vfio-pci would refuse it: switch VT-d "
			"or AMD-Vi on in the firmware and boot with intel_iommu=on (AMD: "
			"amd_iommu=on)",
			t->name);
	if (t->info.group < 0)
		weir_log(
			w, WEIR_LOG_WARN, "noiommu-unsafe",
			"%s stands behind NO IOMMU: it can be used in noiommu mode only, and whoever "
			"uses it can reach all of the machine's memory",
			t->name);
	weir_path(path, "%s/bus/pci/drivers/" WEIR_VFIO_DRIVER, weir_sysfs(w));
	if (access(path, F_OK))
		return weir_fail(w, ENOENT, "no-vfio-pci",
				 "the kernel has no vfio-pci driver loaded: `modprobe vfio-pci`");
	weir_path(path, "%s/driver_override", t->dir);
	if (access(path, W_OK))
		return weir_fail(w, errno, "permission", "cannot write %s: %s; binding needs root",
				 path, weir_strerror(errno));
	return 0;
}

/* All is as it was before; a record from before, of a device that has no driver yet, stays. */
static bool rolled_back(struct target *t, const char *prior)
{
	if (*prior || !*t->info.prior)
		record_remove(t);
	return true;
}

/* Back to the driver that the device had. Return: whether it has it. */
static bool roll_back(struct target *t, const char *prior)
{
	set_override(t, "\n");
	if (!strcmp(driver_now(t), prior))
		return rolled_back(t, prior);
	unbind(t);
	if (*prior && bind_to(t, prior))
		probe(t);
	if (!strcmp(driver_now(t), prior))
		return rolled_back(t, prior);
	weir_log(t->w, WEIR_LOG_ERR, "rollback",
		 "%s could not be given back to %s; it has %s now. `weir release %s` tries again",
		 t->name, *prior ? prior : "no driver", *t->info.driver ? t->info.driver : "none",
		 t->name);
	return false;
}

static int take(struct target *t)
{
	int err = set_override(t, WEIR_VFIO_DRIVER);

	if (!err)
		err = unbind(t);
	if (!err)
		err = probe(t);
	if (!err && strcmp(driver_now(t), WEIR_VFIO_DRIVER))
		err = -ENXIO;
	return err;
}

int weir_pci_bind(struct weir *w, struct weir_bdf bdf, unsigned flags)
{
	struct target t;
	char prior[sizeof(t.info.driver)];
	int err = look_up(w, bdf, &t);
	bool back;

	if (err)
		return err;
	if (!strcmp(t.info.driver, WEIR_VFIO_DRIVER))
		return 1;
	strcpy(prior, t.info.driver);
	err = check_bind(&t, flags);
	if (!err)
		err = record_write(&t);
	if (err)
		return err;
	err = take(&t);
	if (!err)
		return 0;
	back = roll_back(&t, prior);
	return weir_fail(w, err, "bind",
			 "vfio-pci did not take %s (%s)%s%s. The kernel's log has the reason: "
			 "`dmesg | tail`",
			 t.name, weir_strerror(err),
			 back ? "; it was given back to " : ", nor did ",
			 *prior ? prior : "no driver");
}

/* --- release --- */

/* "/dev/vfio/5", or "/dev/vfio/noiommu-5". */
static bool is_group_node(const char *target, int group)
{
	const char *s = strstr(target, "/dev/vfio/");
	char *end;

	if (!s)
		return false;
	s += strlen("/dev/vfio/");
	if (!strncmp(s, "noiommu-", strlen("noiommu-")))
		s += strlen("noiommu-");
	return *s >= '0' && *s <= '9' && strtol(s, &end, 10) == group && !*end;
}

/* Whether a process holds one of the device's nodes open. */
static bool held_by(struct weir *w, const struct weir_pci_info *info, const char *pid)
{
	char dir[PATH_MAX], link[PATH_MAX], target[PATH_MAX];
	struct dirent *e;
	bool held = false;
	ssize_t n;
	DIR *d;

	weir_path(dir, "%s/%s/fd", weir_proc(w), pid);
	d = opendir(dir);
	if (!d)
		return false;
	while (!held && (e = readdir(d))) {
		weir_path(link, "%s/%s", dir, e->d_name);
		n = readlink(link, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		held = (*info->cdev && !strcmp(target, info->cdev)) ||
		       is_group_node(target, info->group);
	}
	closedir(d);
	return held;
}

int weir_pci_holder(struct weir *w, const struct weir_pci_info *info, char *comm, size_t size)
{
	DIR *d = opendir(weir_proc(w));
	char path[PATH_MAX];
	struct dirent *e;
	int pid = 0;

	if (!d)
		return 0;
	while (!pid && (e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !held_by(w, info, e->d_name))
			continue;
		pid = atoi(e->d_name);
		weir_path(path, "%s/%s/comm", weir_proc(w), e->d_name);
		if (weir_file_read(path, comm, size))
			snprintf(comm, size, "?");
	}
	closedir(d);
	return pid;
}

/* Unbinding a device that is open would wait for its end for ever. */
static int check_unused(struct target *t)
{
	char comm[32];
	int pid = weir_pci_holder(t->w, &t->info, comm, sizeof(comm));

	return pid ? weir_fail(t->w, EBUSY, "in-use",
			       "%s is in use by process %d (%s); end it first", t->name, pid, comm)
		   : 0;
}

static int give_back(struct target *t, const char *prior)
{
	int err = set_override(t, "\n");

	if (!err)
		err = unbind(t);
	if (err || !strcmp(prior, "-"))
		return err;
	if (*prior)
		err = bind_to(t, prior);
	if (!*prior || err)
		err = probe(t);
	if (!err && *prior && strcmp(driver_now(t), prior))
		err = -ENXIO;
	return err;
}

int weir_pci_release(struct weir *w, struct weir_bdf bdf)
{
	char prior[sizeof(((struct weir_pci_info *)0)->prior)];
	struct target t;
	int err = look_up(w, bdf, &t);

	if (err)
		return err;
	strcpy(prior, t.info.prior);
	/* Without any driver, an earlier release got stuck midway: go on with it. */
	if (strcmp(t.info.driver, WEIR_VFIO_DRIVER) &&
	    (*t.info.driver || !*prior || !strcmp(prior, "-"))) {
		/* Somebody else gave it back; forget what is left of our own doing. */
		if (*prior) {
			set_override(&t, "\n");
			record_remove(&t);
		}
		return 1;
	}
	err = check_unused(&t);
	if (err)
		return err;
	err = give_back(&t, prior);
	if (err)
		return weir_fail(w, err, "release", "%s could not be given back to %s: %s", t.name,
				 *prior ? prior : "a kernel driver", weir_strerror(err));
	record_remove(&t);
	return 0;
}

/* --- SR-IOV --- */

int weir_pci_set_vfs(struct weir *w, struct weir_bdf bdf, unsigned n)
{
	char path[PATH_MAX], text[16];
	struct target t;
	int err = look_up(w, bdf, &t);

	if (err)
		return err;
	if (n > t.info.vf_total)
		return weir_fail(w, EINVAL, "sriov",
				 "%s can have %u virtual functions, %u were asked for%s", t.name,
				 t.info.vf_total, n,
				 t.info.vf_total ? "" : " (no SR-IOV in the device or its driver)");
	if (n == t.info.vf_count)
		return 0;
	weir_path(path, "%s/sriov_numvfs", t.dir);
	/* The kernel changes the number only from or to zero. */
	if (n && t.info.vf_count)
		err = weir_file_write(path, "0");
	snprintf(text, sizeof(text), "%u", n);
	if (!err)
		err = weir_file_write(path, text);
	if (err)
		return weir_fail(
			w, err, "sriov",
			"the kernel made no %u virtual functions of %s: %s; the driver (%s) "
			"must support it%s",
			n, t.name, weir_strerror(err), *t.info.driver ? t.info.driver : "none",
			strcmp(t.info.driver, WEIR_VFIO_DRIVER)
				? ""
				: ", for vfio-pci with its parameter enable_sriov=1");
	return 0;
}
