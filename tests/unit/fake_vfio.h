/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model of the kernel's VFIO and IOMMUFD interfaces behind wrapped system calls: it checks sizes
 * and flags, enforces the order of calls as the kernel does, counts what is alive, and fails the
 * n-th call when told to. Device nodes are files below the fake /dev of fake_sysfs.h.
 */
#ifndef WEIR_TESTS_FAKE_VFIO_H
#define WEIR_TESTS_FAKE_VFIO_H

#include "fake_sysfs.h"

#include "iommu/uapi.h"
#include "pci/pci.h"

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define FV_DEVS	       3
#define FV_SPACES      16
#define FV_MAPS	       64
#define FV_HWPTS       24
#define FV_HWPT0       100u /* number of the first page table */
#define FV_DEVID       77u
#define FV_FAULT       200u /* the one fault queue */
#define FV_FDS	       1024
#define FV_BAR	       0x20000u
#define FV_BAR3	       0x4000u
#define FV_VECTORS     10
#define FV_REGION(off) ((unsigned)((off) >> 40))

enum fv_kind {
	FV_NONE,
	FV_FAULTS,
	FV_IOMMUFD,
	FV_CDEV,
	FV_CONTAINER,
	FV_GROUP,
	FV_DEVICE,
	FV_PAGEMAP
};

struct fv_map {
	uint64_t iova, len;
	unsigned pin; /* copies share it */
	unsigned flags;
};

/* An IOAS, or the IOMMU domain of a container. */
struct fv_space {
	bool alive;
	bool physical; /* of a container without an IOMMU */
	int owner;     /* fd */
	unsigned users;
	struct fv_map maps[FV_MAPS];
	unsigned n_maps;
};

/* A page table of an IOAS, or a nested one. */
struct fv_hwpt {
	bool alive;
	int owner;   /* fd */
	unsigned pt; /* IOAS or parent */
	unsigned flags, iommu, users;
	bool nested, faults, tracking;
};

struct fv_dev {
	const char *name;
	unsigned group;
	int fd;	     /* open device, -1 not; a device has one opener */
	int iommufd; /* cdev: bound to */
	unsigned pt; /* cdev: attached to IOAS or page table, 0 not */
	struct {
		unsigned pasid, pt;
	} pasids[8];
	unsigned iommu;	     /* which one it is behind */
	unsigned pasid_log2; /* PASIDs that it can send */
	unsigned irqs;
	int events[2]; /* eventfds of the error and the request interrupt, -1: none */
	uint8_t config[4096];
};

struct fv_group {
	int fd, container;
	bool not_viable;
};

static struct fake {
	/* what the machine is like */
	struct uapi_iova_range ranges[80];
	unsigned n_ranges;
	unsigned growing; /* so many more queries find one more range each */
	uint64_t page_sizes;
	bool no_hw_info, no_hwpt_pasid, no_ioas, no_attach, no_copy, no_dmabuf, no_replace;
	unsigned pins; /* so many were made */
	uint64_t vtd_cap, vtd_ecap;
	bool no_iommu; /* see fv_no_iommu() */
	bool pagemap_hidden, pagemap_crooked;
	bool unset_fails;
	bool no_map_file, no_type1v2, no_caps, no_reset, cdev_refuses, no_aer;
	/* BAR 3's capabilities as raw bytes, from offset sizeof(struct vfio_region_info) on */
	uint8_t blob[512];
	unsigned blob_len, cap_offset;
	/* failing calls */
	bool armed;
	unsigned calls, fail_at;
	int fail_errno;
	char failed[64];
	/* state */
	struct {
		enum fv_kind kind;
		unsigned index;
	} fds[FV_FDS];
	struct fv_space spaces[FV_SPACES];
	struct fv_hwpt hwpts[FV_HWPTS];
	struct fv_dev devs[FV_DEVS];
	struct fv_group groups[8];
	struct {
		char *va;
		size_t len;
		unsigned dev;
	} bars[16];
	struct {
		bool alive;
		int fd, peer; /* what the device and the kernel are */
		unsigned users;
	} faults;
	unsigned invalidated;
	/* what must not happen */
	unsigned order_faults, dma_faults;
	unsigned resets;
	/* the bus of hot resets: devices on it, a bit each; 0: it cannot be reset */
	unsigned bus, hot_resets;
} fake;

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_fstat(int fd, struct stat *st);
int __real_ioctl(int fd, unsigned long req, void *arg);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *at, size_t len);
ssize_t __real_pread(int fd, void *buf, size_t len, off_t off);
ssize_t __real_pwrite(int fd, const void *buf, size_t len, off_t off);
int __real_eventfd(unsigned v, int flags);
int __real_memfd_create(const char *name, unsigned flags);
int __real_ftruncate(int fd, off_t len);
int __real_madvise(void *at, size_t len, int how);
void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
char *__real_strdup(const char *s);
ssize_t __real_readlink(const char *path, char *buf, size_t size);

int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_ioctl(int fd, unsigned long req, void *arg);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *at, size_t len);
ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t off);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t off);
int __wrap_eventfd(unsigned v, int flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_madvise(void *at, size_t len, int how);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
char *__wrap_strdup(const char *s);
ssize_t __wrap_readlink(const char *path, char *buf, size_t size);

/* Count a call; whether it shall fail. */
static bool fv_fails(const char *what)
{
	if (!fake.armed || ++fake.calls != fake.fail_at)
		return false;
	snprintf(fake.failed, sizeof(fake.failed), "%s", what);
	errno = fake.fail_errno;
	return true;
}

static int fv_err(int err)
{
	errno = err;
	return -1;
}

#include "fake_vfio_abi.h"

/* --- system calls --- */

static int fv_open_node(const char *node)
{
	enum fv_kind kind = FV_NONE;
	unsigned index = 0;
	int fd;

	if (!strcmp(node, "iommu"))
		kind = FV_IOMMUFD;
	else if (!strcmp(node, "vfio/vfio"))
		kind = FV_CONTAINER;
	else if (sscanf(node, "vfio/devices/vfio%u", &index) == 1)
		kind = FV_CDEV;
	else if (sscanf(node, "vfio/%u", &index) == 1 ||
		 sscanf(node, "vfio/noiommu-%u", &index) == 1)
		kind = FV_GROUP;
	assert_int_not_equal(kind, FV_NONE);
	if (kind == FV_GROUP && fake.groups[index].fd >= 0)
		return fv_err(EBUSY);
	fd = __real_memfd_create("fake-node", MFD_CLOEXEC);
	assert_true(fd >= 0 && fd < FV_FDS && !__real_ftruncate(fd, 8 << 20));
	if (kind == FV_GROUP)
		fake.groups[index].fd = fd;
	fake.fds[fd].kind = kind;
	fake.fds[fd].index = index;
	return fd;
}

/* Physical memory of the machine without an IOMMU: hugepages in no order. */
static uint64_t fv_phys(uintptr_t va)
{
	uint64_t page = va >> 21;

	return ((page * 2654435761u) % 100003 + 5) << 21 | (va & ((1u << 21) - 1));
}

static int fv_open_pagemap(void)
{
	int fd = __real_memfd_create("fake-pagemap", MFD_CLOEXEC);

	assert_true(fd >= 0 && fd < FV_FDS);
	fake.fds[fd].kind = FV_PAGEMAP;
	return fd;
}

static uint64_t fv_pagemap_word(off_t off)
{
	uintptr_t va = (uintptr_t)off / 8 * 4096;
	uint64_t pfn = fv_phys(va) >> 12;

	if (fake.pagemap_hidden)
		pfn = 0;
	/* The last page of a hugepage is elsewhere: it was none. */
	if (fake.pagemap_crooked && (va >> 12 & 511) == 511)
		pfn ^= 1u << 12;
	return 1ull << 63 | pfn;
}

int __wrap_open(const char *path, int flags, ...)
{
	char dev[PATH_MAX];
	mode_t mode = 0;
	va_list ap;

	fs_path(dev, "dev/");
	if (!strncmp(path, dev, strlen(dev))) {
		assert_int_equal(flags, O_RDWR | O_CLOEXEC);
		if (fv_fails(path + strlen(dev)))
			return -1;
		return access(path, F_OK) ? -1 : fv_open_node(path + strlen(dev));
	}
	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (fv_fails("open-file"))
		return -1;
	fs_path(dev, "proc/self/pagemap");
	return strcmp(path, dev) ? __real_open(path, flags, mode) : fv_open_pagemap();
}

static void fv_close_device(struct fv_dev *d)
{
	d->fd = -1;
	d->irqs = 0;
	d->events[0] = d->events[1] = -1;
	fake.dma_faults += d->config[PCI_COMMAND] >> 2 & 1;
	fv_detach_all(d);
}

int __wrap_close(int fd)
{
	if (fd >= 0 && fd < FV_FDS) {
		unsigned i = fake.fds[fd].index;

		switch (fake.fds[fd].kind) {
		case FV_NONE:
		case FV_PAGEMAP:
			break;
		case FV_FAULTS:
			__real_close(fake.faults.peer);
			fake.faults.fd = -1;
			break;
		case FV_IOMMUFD:
			fake.order_faults += fv_groups_in(fd);
			for (unsigned k = 0; k < FV_DEVS; k++)
				fake.order_faults +=
					fake.devs[k].fd >= 0 && fake.devs[k].iommufd == fd;
			for (unsigned k = 1; k < FV_SPACES; k++)
				if (fake.spaces[k].owner == fd)
					fake.spaces[k].alive = false;
			for (unsigned k = 0; k < FV_HWPTS; k++)
				if (fake.hwpts[k].owner == fd)
					fake.hwpts[k].alive = false;
			break;
		case FV_CONTAINER:
			fake.order_faults += fv_groups_in(fd);
			break;
		case FV_GROUP:
			fake.order_faults += fv_group_in_use(i);
			fake.groups[i].fd = -1;
			if (fake.groups[i].container >= 0)
				fv_leave(&fake.groups[i]);
			break;
		case FV_CDEV:
		case FV_DEVICE:
			if (fake.devs[i].fd == fd)
				fv_close_device(&fake.devs[i]);
			break;
		}
		fake.fds[fd].kind = FV_NONE;
	}
	return __real_close(fd);
}

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	unsigned i = fake.fds[fd].index;
	char what[64];

	snprintf(what, sizeof(what), "ioctl %c %lu", (int)_IOC_TYPE(req), _IOC_NR(req));
	if (fv_fails(what))
		return -1;
	switch (fake.fds[fd].kind) {
	case FV_IOMMUFD:
		return fv_iommufd(fd, req, arg);
	case FV_CDEV:
		return fv_cdev(fd, &fake.devs[i], req, arg);
	case FV_CONTAINER:
		return fv_container(fd, req, arg);
	case FV_GROUP:
		return fv_group(i, req, arg);
	case FV_DEVICE:
		return fv_device(&fake.devs[i], req, arg);
	default:
		return fv_err(EBADF);
	}
}

/* A cdev is a character device, number 511:N. */
int __wrap_fstat(int fd, struct stat *st)
{
	int r = __real_fstat(fd, st);

	if (!r && fd < FV_FDS && fake.fds[fd].kind == FV_CDEV) {
		st->st_mode = S_IFCHR | 0600;
		st->st_rdev = makedev(511, fake.fds[fd].index);
	}
	return r;
}

static struct fv_dev *fv_dev_of(int fd)
{
	bool is = fd >= 0 && fd < FV_FDS &&
		  (fake.fds[fd].kind == FV_CDEV || fake.fds[fd].kind == FV_DEVICE);

	return is ? &fake.devs[fake.fds[fd].index] : NULL;
}

ssize_t __wrap_pread(int fd, void *buf, size_t len, off_t off)
{
	struct fv_dev *d = fv_dev_of(fd);

	if (fv_fails("pread"))
		return -1;
	if (fd >= 0 && fd < FV_FDS && fake.fds[fd].kind == FV_PAGEMAP) {
		uint64_t word = fv_pagemap_word(off);

		assert_int_equal(len, 8);
		memcpy(buf, &word, 8);
		return 8;
	}
	if (!d)
		return __real_pread(fd, buf, len, off);
	assert_int_equal(FV_REGION(off), 7);
	memcpy(buf, d->config + (off & 0xfff), len);
	return (ssize_t)len;
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	struct fv_dev *d = fv_dev_of(fd);

	if (fv_fails("pwrite"))
		return -1;
	if (!d)
		return __real_pwrite(fd, buf, len, off);
	assert_int_equal(FV_REGION(off), 7);
	memcpy(d->config + (off & 0xfff), buf, len);
	return (ssize_t)len;
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	struct fv_dev *d = fv_dev_of(fd);
	unsigned i = 0;
	void *va;

	if (fv_fails("mmap"))
		return MAP_FAILED;
	if (d)
		off = (off_t)(FV_REGION(off) << 20 | (off & 0xfffff));
	va = __real_mmap(at, len, prot, flags, fd, off);
	if (!d || va == MAP_FAILED)
		return va;
	while (fake.bars[i].va)
		i++;
	fake.bars[i].va = va;
	fake.bars[i].len = len;
	fake.bars[i].dev = (unsigned)(d - fake.devs);
	return va;
}

int __wrap_munmap(void *at, size_t len)
{
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(fake.bars); i++)
		if (fake.bars[i].va && fake.bars[i].va >= (char *)at &&
		    fake.bars[i].va < (char *)at + len)
			fake.bars[i].va = NULL;
	return __real_munmap(at, len);
}

int __wrap_eventfd(unsigned v, int flags)
{
	return fv_fails("eventfd") ? -1 : __real_eventfd(v, flags);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
	/* Ordinary memory passes for hugepages: not every machine has some. */
	if (fake.no_iommu && flags & MFD_HUGETLB)
		flags &= MFD_CLOEXEC | MFD_ALLOW_SEALING;
	return fv_fails("memfd_create") ? -1 : __real_memfd_create(name, flags);
}

int __wrap_ftruncate(int fd, off_t len)
{
	return fv_fails("ftruncate") ? -1 : __real_ftruncate(fd, len);
}

int __wrap_madvise(void *at, size_t len, int how)
{
	return fv_fails("madvise") ? -1 : __real_madvise(at, len, how);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fv_fails("calloc") ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
	return fv_fails("malloc") ? NULL : __real_malloc(size);
}

char *__wrap_strdup(const char *s)
{
	return fv_fails("strdup") ? NULL : __real_strdup(s);
}

ssize_t __wrap_readlink(const char *path, char *buf, size_t size)
{
	return fv_fails("readlink") ? -1 : __real_readlink(path, buf, size);
}

/* --- the machine: two devices in group 5, one in group 6 --- */

static const struct weir_bdf fv_bdf[FV_DEVS] = { { 0, 3, 0, 0 }, { 0, 3, 0, 1 }, { 0, 4, 0, 0 } };

static void fv_begin(void)
{
	static const char *const names[FV_DEVS] = { "0000:03:00.0", "0000:03:00.1",
						    "0000:04:00.0" };

	memset(&fake, 0, sizeof(fake));
	fake.ranges[0] = (struct uapi_iova_range){ 0, 0xfedfffff };
	fake.ranges[1] = (struct uapi_iova_range){ 0xfef00000, (1ull << 39) - 1 };
	fake.n_ranges = 2;
	fake.page_sizes = 0xfffffffffffff000ull;
	fs_begin();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(fake.groups); i++)
		fake.groups[i] = (struct fv_group){ -1, -1, false };
	for (unsigned i = 0; i < FV_DEVS; i++) {
		char name[64], number[16], target[300];

		fake.devs[i] = (struct fv_dev){
			.name = names[i], .group = i < 2 ? 5 : 6, .fd = -1, .events = { -1, -1 }
		};
		fs_add(names[i], (int)fake.devs[i].group, "vfio-pci");
		snprintf(name, sizeof(name), "vfio-dev/vfio%u/dev", i);
		snprintf(number, sizeof(number), "511:%u\n", i);
		fs_put(number, fs_dev(names[i], name));
		*strrchr(name, '/') = '\0';
		strcpy(target, fs_dev(names[i], name));
		snprintf(name, sizeof(name), "sys/dev/char/511:%u", i);
		fs_link(target, name);
		snprintf(name, sizeof(name), "dev/vfio/devices/vfio%u", i);
		fs_put("", name);
		snprintf(name, sizeof(name), "dev/vfio/%u", fake.devs[i].group);
		fs_put("", name);
	}
	fs_put("", "dev/iommu");
	fs_put("", "dev/vfio/vfio");
	fs_put("CapEff:\t0000000000000000\n", "proc/self/status");
}

/* The same machine without an IOMMU, and with a kernel that was told to allow that. */
static inline void fv_no_iommu(void)
{
	fake.no_iommu = true;
	for (unsigned g = 5; g <= 6; g++) {
		char name[64];

		snprintf(name, sizeof(name), "sys/kernel/iommu_groups/%u/name", g);
		fs_put("vfio-noiommu\n", name);
		snprintf(name, sizeof(name), "dev/vfio/%u", g);
		fs_remove(name);
		snprintf(name, sizeof(name), "dev/vfio/noiommu-%u", g);
		fs_put("", name);
	}
	for (unsigned i = 0; i < FV_DEVS; i++)
		fs_remove(fs_dev(fake.devs[i].name, "vfio-dev"));
	fs_remove("dev/vfio/devices");
	fs_put("CapEff:\t000001ffffffffff\n", "proc/self/status");
	fs_put("Hugepagesize:    2048 kB\n", "proc/meminfo");
	fs_put("", "proc/self/pagemap");
}

/* Nothing of the kernel's is left, and nothing was done in a wrong order. */
static void fv_check_empty(void)
{
	assert_int_equal(fv_live_fds(), 0);
	assert_int_equal(fv_live_spaces(), 0);
	assert_int_equal(fv_live_hwpts(), 0);
	assert_int_equal(fv_live_bars(), 0);
	assert_int_equal(fake.order_faults, 0);
	assert_int_equal(fake.dma_faults, 0);
}

#endif
