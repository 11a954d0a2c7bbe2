/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The claim path on a real kernel, with every system call failing in its turn.
 *
 *   claim sweep MODE DEV     open, attach, map, probe, configure, start, stop, close: the n-th call
 *                            fails, for each n, until none is left to fail
 *   claim bind DEV           the same for binding to vfio-pci and giving back
 *   claim share MODE DEV...  several devices on one address space, in several orders of leaving
 *   claim fault MODE DEV     turn the device's memory decoding off and touch its registers: SIGBUS from
 *                            the kernel, and all ones after it
 *   claim drop UID KIB COMMAND...  run a command as a user without privileges, with a limit on
 *                            locked memory
 *
 * Linked with --wrap for the calls counted below. Exits with 0 when nothing was left behind.
 */
#include "nics/nics.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- failing the n-th call --- */

static unsigned calls, fail_at;
static const char *failed_what;

static bool fails(const char *what)
{
	if (!fail_at || ++calls != fail_at)
		return false;
	failed_what = what;
	errno = calls % 2 ? EIO : ENOMEM;
	return true;
}

int __real_ioctl(int fd, unsigned long req, void *arg);
int __wrap_ioctl(int fd, unsigned long req, void *arg);
int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	return fails("ioctl") ? -1 : __real_ioctl(fd, req, arg);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	return fails("open") ? -1 : __real_open(path, flags, 0666);
}

void *__real_mmap(void *a, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *a, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *a, size_t len, int prot, int flags, int fd, off_t off)
{
	/* Giving a range back to the reservation is part of cleaning up: it has to work. */
	if (prot == PROT_NONE && flags & MAP_FIXED)
		return __real_mmap(a, len, prot, flags, fd, off);
	return fails("mmap") ? MAP_FAILED : __real_mmap(a, len, prot, flags, fd, off);
}

int __real_eventfd(unsigned v, int flags);
int __wrap_eventfd(unsigned v, int flags);
int __wrap_eventfd(unsigned v, int flags)
{
	return fails("eventfd") ? -1 : __real_eventfd(v, flags);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
	return fails("memfd_create") ? -1 : __real_memfd_create(name, flags);
}

ssize_t __real_pread(int fd, void *buf, size_t n, off_t off);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t off);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t off)
{
	return fails("pread") ? -1 : __real_pread(fd, buf, n, off);
}

ssize_t __real_pwrite(int fd, const void *buf, size_t n, off_t off);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t off);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t off)
{
	return fails("pwrite") ? -1 : __real_pwrite(fd, buf, n, off);
}

/* --- what must not be left behind --- */

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Mappings of devices and packet memory, and the window's reservation. */
static unsigned mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long a, b;
	unsigned n = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, "vfio") || strstr(line, "weir-arena"))
			n++;
		else if (sscanf(line, "%lx-%lx", &a, &b) == 2 && b - a >= 1ul << 30)
			n++;
	}
	if (f)
		fclose(f);
	return n;
}

static char last_said[1024];

static void hear(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	if (level <= WEIR_LOG_ERR)
		snprintf(last_said, sizeof(last_said), "%s [%s]", msg, id);
}

static const struct weir_opts quiet = { .log = hear };

/* --- sweep --- */

struct claim {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_iommu *iommu;
	struct weir_port *port;
};

static int claim(struct claim *c, const char *dev, enum weir_mode mode)
{
	struct weir_port_open_opts oo = { .mode = mode };
	struct weir_port_conf conf = { .promisc = true, .rx_intr = true };
	int err = weir_open(&quiet, &c->w);

	if (!err)
		err = weir_pool_arena(c->w, 2048, 1 << 20, WEIR_NODE_ANY, 0, &c->arena);
	if (!err)
		err = weir_pool_create(c->arena, 2048, &c->pool);
	if (!err)
		err = weir_cache_create(c->pool, &c->cache);
	if (!err)
		err = weir_iommu_open(c->w, &c->iommu);
	if (!err)
		err = weir_port_open(c->iommu, dev, &oo, &c->port);
	conf.arena = c->arena;
	if (!err)
		err = weir_port_configure(c->port, &conf);
	if (!err)
		err = weir_port_queue_cache(c->port, 0, c->cache);
	if (!err)
		err = weir_port_start(c->port);
	return err;
}

/* Return: buffers that did not come back. */
static unsigned unclaim(struct claim *c)
{
	unsigned lost;

	weir_port_close(c->port);
	weir_iommu_close(c->iommu);
	weir_cache_destroy(c->cache);
	lost = weir_pool_destroy(c->pool);
	weir_arena_destroy(c->arena);
	weir_close(c->w);
	memset(c, 0, sizeof(*c));
	return lost;
}

static int sweep(const char *mode_name, const char *dev)
{
	unsigned fds = open_fds(), maps = mappings(), bad = 0, tolerated = 0;
	struct claim c = { 0 };
	enum weir_mode mode;

	if (weir_mode_parse(mode_name, &mode))
		return 2;
	for (unsigned n = 1;; n++) {
		bool hit;
		unsigned lost;
		int err;

		calls = 0;
		fail_at = n;
		failed_what = NULL;
		last_said[0] = '\0';
		err = claim(&c, dev, mode);
		hit = failed_what != NULL;
		fail_at = 0;
		lost = unclaim(&c);
		if (lost || open_fds() != fds || mappings() != maps) {
			printf("call %u (%s) failed: %u buffers, %d descriptors, %d mappings are left\n",
			       n, failed_what ? failed_what : "none", lost, (int)(open_fds() - fds),
			       (int)(mappings() - maps));
			bad++;
		}
		if (hit && !err)
			tolerated++;
		if (hit && err && !last_said[0]) {
			printf("call %u (%s) failed without a sentence: %s\n", n, failed_what,
			       weir_strerror(err));
			bad++;
		}
		if (!hit) {
			printf("%u calls failed in their turn, %u of them did not matter, %u left "
			       "something behind; then: %s\n",
			       n - 1, tolerated, bad, err ? last_said : "claimed");
			return bad || err || n < 20;
		}
	}
}

/* --- bind --- */

static int driver_of(const char *dev, char *out, size_t size)
{
	struct weir_pci_info info;
	struct weir_bdf bdf;
	struct weir *w;
	int err = weir_bdf_parse(dev, &bdf);

	if (!err)
		err = weir_open(&quiet, &w);
	if (err)
		return err;
	err = weir_pci_info(w, bdf, &info);
	snprintf(out, size, "%s%s%s", info.driver, *info.prior ? " after " : "", info.prior);
	weir_close(w);
	return err;
}

static int bind_sweep(const char *dev)
{
	char before[96], after[96], want[128];
	unsigned fds = open_fds(), bad = 0;
	struct weir_bdf bdf;

	if (weir_bdf_parse(dev, &bdf) || driver_of(dev, before, sizeof(before)))
		return 2;
	for (unsigned n = 1;; n++) {
		struct weir *w;
		bool hit;
		int err;

		if (weir_open(&quiet, &w))
			return 2;
		calls = 0;
		fail_at = n;
		failed_what = NULL;
		err = weir_pci_bind(w, bdf, 0);
		hit = failed_what != NULL;
		fail_at = 0;
		driver_of(dev, after, sizeof(after));
		snprintf(want, sizeof(want), "vfio-pci after %s", before);
		if (strcmp(after, err ? before : want) || open_fds() - fds > 0) {
			printf("call %u failed: the driver is \"%s\", it was \"%s\" (%s)\n", n,
			       after, before, last_said);
			bad++;
		}
		if (!err && weir_pci_release(w, bdf) != 0)
			bad++;
		driver_of(dev, after, sizeof(after));
		if (strcmp(after, before)) {
			printf("after releasing, the driver is \"%s\", it was \"%s\"\n", after,
			       before);
			return 1;
		}
		weir_close(w);
		if (!hit) {
			printf("%u calls failed in their turn; the driver was %s each time\n",
			       n - 1, before);
			return bad || n < 5;
		}
	}
}

/* --- several devices on one address space --- */

#define NEED(x)                                                                          \
	do {                                                                             \
		int need_err = (x);                                                      \
		if (need_err) {                                                          \
			printf("%s: %s (%s)\n", #x, weir_strerror(need_err), last_said); \
			return 1;                                                        \
		}                                                                        \
	} while (0)

static int share(const char *mode_name, char **devs, unsigned n)
{
	struct weir_pci *d[8] = { 0 };
	struct weir_iommu *iommu;
	struct weir_arena *a, *b;
	struct weir_ioas *as;
	enum weir_mode mode;
	struct weir_bdf bdf;
	struct weir *w;

	if (weir_mode_parse(mode_name, &mode) || n > 8)
		return 2;
	NEED(weir_open(&quiet, &w));
	NEED(weir_arena_create(w, 4 << 20, WEIR_NODE_ANY, 0, &a));
	NEED(weir_iommu_open(w, &iommu));
	NEED(weir_ioas_create(iommu, mode, &as));
	for (unsigned round = 0; round < 3; round++) {
		const struct weir_dma *first;
		struct weir_dma dma;

		for (unsigned i = 0; i < n; i++) {
			NEED(weir_bdf_parse(devs[i], &bdf));
			NEED(weir_pci_open(iommu, bdf, mode, as, &d[i]));
		}
		first = weir_pci_dma(d[0]);
		for (unsigned i = 1; i < n; i++)
			NEED(weir_pci_dma(d[i])->iova_base != first->iova_base);
		NEED(weir_ioas_devices(as) != n);
		NEED(weir_ioas_destroy(as) != -EBUSY);
		/* Memory that comes later, and goes before the devices do. */
		NEED(weir_arena_create(w, 2 << 20, WEIR_NODE_ANY, 0, &b));
		NEED(weir_ioas_map_arenas(as, &dma));
		NEED(weir_ioas_unmap_arena(as, b));
		weir_arena_destroy(b);
		/* Leave in another order each time; the last one takes a container's mappings along. */
		for (unsigned i = 0; i < n; i++)
			weir_pci_close(d[(i + round) % n]);
		NEED(weir_ioas_devices(as));
	}
	NEED(weir_ioas_destroy(as));
	weir_iommu_close(iommu);
	weir_arena_destroy(a);
	weir_close(w);
	printf("%u devices shared one address space, three times\n", n);
	return 0;
}

/* --- without privileges --- */

static int drop(char **argv)
{
	rlim_t kib = strtoul(argv[1], NULL, 10);
	struct rlimit rl = { kib << 10, kib << 10 };
	uid_t uid = (uid_t)strtoul(argv[0], NULL, 10);

	if (setrlimit(RLIMIT_MEMLOCK, &rl) || setgroups(0, NULL) || setgid(uid) || setuid(uid)) {
		perror("claim drop");
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}

/* --- registers that fault --- */

static struct weir_iommu *faulting;
static volatile sig_atomic_t faults;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	faults = faults + 1;
	if (!weir_iommu_bus_fault(faulting, info->si_addr))
		signal(sig, SIG_DFL);
}

static int fault(const char *mode_name, const char *dev)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	uint32_t before = 0, after = 0, command = 0;
	struct weir_pci *d = NULL;
	enum weir_mode mode;
	struct weir_bdf bdf;
	struct weir_bar b;
	struct weir *w;
	unsigned events;

	if (weir_mode_parse(mode_name, &mode) || weir_bdf_parse(dev, &bdf) || weir_open(NULL, &w) ||
	    weir_iommu_open(w, &faulting) || weir_pci_open(faulting, bdf, mode, NULL, &d) ||
	    weir_pci_bar(d, 0, &b))
		return 2;
	sigaction(SIGBUS, &sa, NULL);
	before = *(volatile uint32_t *)b.va;
	weir_pci_cfg_read(d, 4, 2, &command);
	weir_pci_cfg_write(d, 4, 2, command & ~2u);
	after = *(volatile uint32_t *)b.va;
	events = weir_pci_events(d);
	printf("before %08x, after %08x, %d faults, events %u\n", before, after, (int)faults,
	       events);
	weir_pci_close(d);
	weir_iommu_close(faulting);
	weir_close(w);
	return before != UINT32_MAX && after == UINT32_MAX && faults == 1 &&
			       events == WEIR_PCI_EVENT_FAULT
		       ? 0
		       : 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "fault"))
		return fault(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "sweep"))
		return sweep(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "bind"))
		return bind_sweep(argv[2]);
	if (argc > 4 && !strcmp(argv[1], "share"))
		return share(argv[2], argv + 3, (unsigned)argc - 3);
	if (argc > 4 && !strcmp(argv[1], "drop"))
		return drop(argv + 2);
	fprintf(stderr,
		"usage: claim sweep MODE DEV | bind DEV | fault MODE DEV | share MODE DEV... | drop UID KIB COMMAND...\n");
	return 2;
}
