/* SPDX-License-Identifier: BSD-3-Clause */
/* Processors as poll-mode workers like them, and what a container may keep from us. */
#include "apps/doctor/doctor.h"
#include "core/file.h"

#include <sys/statvfs.h>
#include <unistd.h>

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *s = strstr(list, word); s; s = strstr(s + 1, word))
		if ((s == list || s[-1] == ' ') && (!s[n] || s[n] == ' '))
			return true;
	return false;
}

static void time_source(struct doctor *d)
{
	char flags[8192], source[32];

	doctor_proc(d, "cpuinfo", "flags", flags, sizeof(flags));
	doctor_sysfs(d, source, sizeof(source),
		     "devices/system/clocksource/clocksource0/current_clocksource");
	if (!*flags)
		return; /* no x86: the architecture's counter is invariant by definition */
	if (!has_word(flags, "constant_tsc") || !has_word(flags, "nonstop_tsc")) {
		doctor_say(d, DOCTOR_WARN, "tsc",
			   "the time stamp counter is not invariant (constant_tsc, nonstop_tsc)");
		doctor_why(d, "weir's hold times and rates are measured with it and will drift");
		doctor_fix(d, "in a virtual machine: hand it through (QEMU: -cpu host,+invtsc)");
	} else if (*source && strcmp(source, "tsc") && strcmp(source, "kvm-clock")) {
		doctor_say(d, DOCTOR_NOTE, "tsc",
			   "the time stamp counter is invariant, but the kernel keeps time by %s",
			   source);
		doctor_why(d, "it distrusts the counter, and reading the clock is a slow register "
			      "access then; `dmesg | grep -i tsc` has the reason");
	} else {
		doctor_say(d, DOCTOR_OK, "tsc", "the time stamp counter is invariant");
	}
}

static void isolation(struct doctor *d)
{
	char isolated[256], ticks[256];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	doctor_sysfs(d, isolated, sizeof(isolated), "devices/system/cpu/isolated");
	doctor_sysfs(d, ticks, sizeof(ticks), "devices/system/cpu/nohz_full");
	if (*isolated) {
		doctor_say(d, DOCTOR_OK, "cpu-isolation", "CPUs %s are isolated%s%s", isolated,
			   *ticks && ticks[0] != '(' ? ", without ticks: " : "",
			   *ticks && ticks[0] != '(' ? ticks : "");
		return;
	}
	doctor_say(d, DOCTOR_NOTE, "cpu-isolation", "no CPU is isolated");
	if (cpus < 2)
		doctor_why(d, "with a single CPU a spinning worker leaves nothing for others: use "
			      "--idle yield or sleep");
	else {
		doctor_why(d, "the scheduler puts other work onto the CPUs of workers: each such "
			      "slice is a burst that waits");
		doctor_keep(d, "kernel arguments isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST, and "
			       "--cores LIST");
	}
}

static void frequency(struct doctor *d)
{
	char governor[32];

	doctor_sysfs(d, governor, sizeof(governor),
		     "devices/system/cpu/cpu0/cpufreq/scaling_governor");
	if (!*governor || !strcmp(governor, "performance"))
		return;
	doctor_say(d, DOCTOR_NOTE, "cpu-governor", "the frequency governor is %s", governor);
	doctor_why(d, "rates change with it, and a worker that wakes up does so slowly");
	doctor_fix(d, "cpupower frequency-set -g performance");
	doctor_keep(d, "kernel argument cpufreq.default_governor=performance");
}

void doctor_cpu(struct doctor *d)
{
	time_source(d);
	isolation(d);
	frequency(d);
}

/* --- containers --- */

static bool read_only(const char *path)
{
	struct statvfs s;

	return !statvfs(path, &s) && s.f_flag & ST_RDONLY;
}

/* What a control group's path gives away. */
static const char *container(struct doctor *d)
{
	static const char *const kinds[] = { "kubepods", "docker", "libpod", "lxc", "containerd" };
	char path[PATH_MAX], text[4096];

	weir_path(path, "%s/self/cgroup", weir_proc(d->w));
	if (weir_file_read(path, text, sizeof(text)))
		return NULL;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(kinds); i++)
		if (strstr(text, kinds[i]))
			return kinds[i];
	return NULL;
}

void doctor_confined(struct doctor *d)
{
	const char *kind = container(d);
	char text[32];

	if (kind) {
		doctor_say(d, DOCTOR_NOTE, "container", "this is a container (%s)", kind);
		doctor_why(d, "it sees only the nodes it was given; binding is the host's");
		doctor_fix(d, "on the host: weir bind DEV; then start the container with --device "
			      "/dev/iommu --device /dev/vfio/devices/vfioN --ulimit memlock=-1");
	}
	if (read_only(weir_sysfs(d->w))) {
		doctor_say(d, DOCTOR_NOTE, "sysfs-read-only", "%s is mounted read-only",
			   weir_sysfs(d->w));
		doctor_why(d, "NICs cannot be bound or released from here");
		doctor_fix(d, "weir bind DEV outside, where sysfs can be written");
	}
	doctor_proc(d, "self/status", "Seccomp:", text, sizeof(text));
	if (!strcmp(text, "2")) {
		doctor_say(d, DOCTOR_NOTE, "seccomp", "a seccomp filter is in force");
		doctor_why(d,
			   "weir needs ioctl, mmap, memfd_create, mbind, eventfd2, madvise; where "
			   "the filter refuses one, the error is EPERM or ENOSYS");
		doctor_fix(d, "allow these in the profile (docker: --security-opt seccomp=FILE; "
			      "systemd: SystemCallFilter=)");
	}
}
