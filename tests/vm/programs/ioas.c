/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address spaces of IOMMUFD on a real kernel, compared with what the kernel's own files show.
 *
 *   ioas info DEV          what the IOMMU behind the device can do
 *   ioas nopasid DEV       a device without PASIDs: attaching one is refused
 *   ioas share DEV DEV     one arena in three address spaces: locked once, right page tables
 *   ioas move DEV          from one address space to another, while attached
 *   ioas file DEV          memfds by fd, read-only, of small and of huge pages
 *   ioas bar DEV DEV       the second one's BAR 0 for the first
 *
 * The page tables are read from debugfs (Intel VT-d) and compared page by page with
 * /proc/self/pagemap. Exits with 0 when all is as it should be.
 */
#include "iommu/hwpt.h"
#include "iommu/uapi.h"
#include "pci/pci.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define NEED(call)                                                                 \
	do {                                                                       \
		int r_ = (call);                                                   \
		if (r_) {                                                          \
			fprintf(stderr, "line %d: %s: %d\n", __LINE__, #call, r_); \
			exit(1);                                                   \
		}                                                                  \
	} while (0)

static struct weir *w;
static struct weir_iommu *iommu;

static struct weir_iodev *open_dev(const char *bdf)
{
	struct weir_iodev *d;
	char dir[256];

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s", bdf);
	NEED(weir_iodev_open(iommu, dir, WEIR_MODE_CDEV, &d));
	return d;
}

static struct weir_ioas *space(void)
{
	struct weir_ioas *as;

	NEED(weir_ioas_create(iommu, WEIR_MODE_CDEV, &as));
	return as;
}

/* --- what the kernel shows --- */

/* A number of a file of "name value" lines. */
static unsigned long long number(const char *path, const char *name)
{
	unsigned long long v = 0;
	char line[256];
	FILE *f = fopen(path, "re");

	NEED(!f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			v = strtoull(line + strlen(name), NULL, 0);
	fclose(f);
	return v;
}

/* Pages pinned in the whole machine; nothing else pins any in these tests. */
static long long pinned(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	char none;

	/* Each processor keeps some of the count to itself until it is asked for. */
	NEED(fd < 0 || read(fd, &none, 1) < 0);
	close(fd);
	return (long long)(number("/proc/vmstat", "nr_foll_pin_acquired ") -
			   number("/proc/vmstat", "nr_foll_pin_released "));
}

static uint64_t physical(const void *va)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t e = 0;

	NEED(fd < 0 || pread(fd, &e, 8, (off_t)((uintptr_t)va / 4096 * 8)) != 8);
	close(fd);
	NEED(!(e >> 63));
	return (e & ((1ull << 55) - 1)) * 4096;
}

struct entry {
	uint64_t iova, phys, size;
	bool writable;
};

/* A leaf is the last column that there is: PDPE (1 GiB), PDE (2 MiB), PTE. */
static bool parse(const char *line, struct entry *e)
{
	unsigned long long pfn, at[5] = { 0 };
	int n = sscanf(line, "%llx | %llx %llx %llx %llx %llx", &pfn, &at[0], &at[1], &at[2],
		       &at[3], &at[4]);

	if (n < 4)
		return false;
	e->iova = pfn << 12;
	e->size = 1ull << (12 + 9 * (6 - n));
	e->phys = at[n - 2] & 0xffffffffff000 & ~(e->size - 1);
	e->writable = at[n - 2] & 2;
	return true;
}

/* The page table of a device, or of one of its PASIDs. Return: entries, at most @max. */
static unsigned table(const char *bdf, uint32_t pasid, struct entry *e, unsigned max)
{
	char path[256], line[512], by[16] = "";
	unsigned n = 0;
	FILE *f;

	if (pasid)
		snprintf(by, sizeof(by), "/%x", pasid);
	snprintf(path, sizeof(path), "/sys/kernel/debug/iommu/intel/%s%s/domain_translation_struct",
		 bdf, by);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f) && n < max)
		n += parse(line, &e[n]);
	fclose(f);
	return n;
}

/* Where an address space's mapping leads at @iova; false if nothing is mapped there. */
static bool expected(const struct weir_ioas *as, uint64_t iova, struct weir_mapping *m)
{
	for (bool ok = weir_ioas_map_next(as, NULL, m); ok; ok = weir_ioas_map_next(as, m, m))
		if (iova >= m->iova && iova - m->iova < m->len)
			return true;
	return false;
}

/* The device's table has exactly what weir says is mapped, with the pages that it promised. */
static void compare(const char *bdf, uint32_t pasid, const struct weir_ioas *as)
{
	static struct entry e[65536];
	unsigned n = table(bdf, pasid, e, WEIR_ARRAY_SIZE(e));
	uint64_t sum = 0, largest = 0;
	struct weir_mapping m;

	for (unsigned i = 0; i < n; i++) {
		NEED(!expected(as, e[i].iova, &m));
		NEED(e[i].size > m.len - (e[i].iova - m.iova));
		NEED(e[i].writable != !!(m.prot & WEIR_PROT_WRITE));
		if (m.va)
			NEED(physical((char *)m.va + (e[i].iova - m.iova)) != e[i].phys);
		largest = e[i].size > largest ? e[i].size : largest;
		sum += e[i].size;
	}
	if (sum != weir_ioas_mapped(as)) {
		fprintf(stderr, "%s PASID %u: %llu bytes in %u entries, mapped are %llu\n", bdf,
			pasid, (unsigned long long)sum, n,
			(unsigned long long)weir_ioas_mapped(as));
		exit(1);
	}
	for (bool ok = weir_ioas_map_next(as, NULL, &m); ok; ok = weir_ioas_map_next(as, &m, &m))
		NEED(m.iommu_page > largest);
	printf("%s PASID %u: %u entries, %llu KiB, pages of up to %llu KiB, as mapped\n", bdf,
	       pasid, n, (unsigned long long)sum >> 10, (unsigned long long)largest >> 10);
}

/* --- the tests --- */

static void info(const char *bdf)
{
	struct weir_iodev *d = open_dev(bdf);
	struct weir_hw_info hi;

	NEED(weir_iodev_hw_info(d, &hi));
	printf("type %s\npasid-bits %u\naddress-bits %u\npages %#llx\nstage1 %#llx\nstage2 %#llx\n"
	       "nesting %d\ndirty %d\nats %d\niommu-pasids %d\ncap %#llx\necap %#llx\n",
	       weir_hw_type_name(hi.type), hi.pasid_bits, hi.address_bits,
	       (unsigned long long)hi.page_sizes, (unsigned long long)hi.stage1_pages,
	       (unsigned long long)hi.stage2_pages, hi.nesting, hi.dirty_tracking, hi.ats,
	       hi.iommu_pasids, (unsigned long long)hi.raw[0], (unsigned long long)hi.raw[1]);
	weir_iodev_close(d);
}

/* What the kernel says when asked to attach a PASID all the same, on descriptors of its own. */
static int raw_attach(const char *bdf)
{
	struct uapi_vfio_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct uapi_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct uapi_hwpt_alloc hwpt = { .size = sizeof(hwpt), .flags = UAPI_HWPT_PASID };
	struct uapi_vfio_attach_pt at = { .argsz = sizeof(at),
					  .flags = UAPI_VFIO_PT_PASID,
					  .pasid = 1 };
	char path[256], name[64];
	int err = 0, fd, iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	FILE *p;

	snprintf(path, sizeof(path), "ls /sys/bus/pci/devices/%s/vfio-dev", bdf);
	p = popen(path, "re");
	NEED(!p || fscanf(p, "%63s", name) != 1);
	pclose(p);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	NEED(fd < 0 || iommufd < 0);
	bind.iommufd = iommufd;
	NEED(ioctl(fd, UAPI_VFIO_DEVICE_BIND_IOMMUFD, &bind));
	NEED(ioctl(iommufd, UAPI_IOMMU_IOAS_ALLOC, &ioas));
	hwpt.dev_id = bind.out_devid;
	hwpt.pt_id = ioas.out_ioas_id;
	if (ioctl(iommufd, UAPI_IOMMU_HWPT_ALLOC, &hwpt))
		err = -errno;
	at.pt_id = hwpt.out_hwpt_id;
	if (!err && ioctl(fd, UAPI_VFIO_DEVICE_ATTACH_IOMMUFD_PT, &at))
		err = -errno;
	close(fd);
	close(iommufd);
	return err;
}

static void nopasid(const char *bdf)
{
	struct weir_iodev *d;
	struct weir_ioas *as = space();
	char why[WEIR_WHY_LEN] = "";
	uint32_t pasid;
	int err = raw_attach(bdf);

	printf("the kernel's ioctl says %d (%s)\n", err, weir_strerror(err));
	d = open_dev(bdf);
	NEED(weir_iodev_attach(d, as));
	NEED(weir_iodev_pasid_bits(d, why) != -EOPNOTSUPP);
	printf("weir says: %s\n", why);
	NEED(weir_iodev_pasid_attach(d, as, &pasid) != -EOPNOTSUPP);
	weir_iodev_close(d);
}

static void share(const char *one, const char *two)
{
	struct weir_ioas *a = space(), *b = space(), *c = space();
	struct weir_iodev *d = open_dev(one), *e = open_dev(two);
	long long before, once;
	struct weir_mapping m;
	struct weir_arena *ar;
	struct weir_dma dma;

	NEED(weir_arena_create(w, 8 << 20, WEIR_NODE_ANY, WEIR_ARENA_HUGE_ONLY, &ar));
	NEED(weir_iodev_attach(d, a));
	NEED(weir_iodev_attach(e, b));
	before = pinned();
	NEED(weir_ioas_map_arenas(a, &dma));
	once = pinned();
	printf("pinned for the first address space: %lld\n", once - before);
	NEED(once - before <= 0);
	NEED(weir_ioas_map_arenas(b, &dma));
	NEED(weir_ioas_clone(c, a));
	printf("for two more: %lld\n", pinned() - once);
	NEED(pinned() != once);
	NEED(!weir_ioas_map_next(b, NULL, &m) || !m.copied);
	compare(one, 0, a);
	compare(two, 0, b);
	/* The one that pinned them goes first. */
	weir_iodev_close(d);
	NEED(weir_ioas_destroy(a));
	compare(two, 0, b);
	NEED(pinned() != once);
	/* An arena that is still mapped goes: so do its entries. */
	weir_arena_destroy(ar);
	NEED(weir_ioas_mapped(b) || weir_ioas_mapped(c));
	compare(two, 0, b);
	NEED(pinned() != before);
	weir_iodev_close(e);
}

static void move(const char *bdf)
{
	struct weir_ioas *a = space(), *b = space(), *empty = space();
	struct weir_iodev *d = open_dev(bdf);
	struct weir_arena *ar;
	struct weir_dma dma;

	NEED(weir_arena_create(w, 4 << 20, WEIR_NODE_ANY, 0, &ar));
	NEED(weir_iodev_attach(d, a));
	NEED(weir_ioas_map_arenas(a, &dma));
	NEED(weir_ioas_clone(b, a));
	for (unsigned i = 0; i < 100; i++) {
		struct weir_ioas *to = i % 3 == 0 ? b : i % 3 == 1 ? empty : a;
		uint32_t id = 0;

		NEED(weir_iodev_move(d, to));
		NEED(weir_iodev_read(d, WEIR_REGION_CONFIG, 0, &id, 4) || id + 1 <= 1);
		if (i < 6)
			compare(bdf, 0, to);
	}
	NEED(weir_iodev_move(d, empty));
	NEED(weir_ioas_destroy(a));
	NEED(weir_ioas_destroy(b));
	NEED(weir_ioas_destroy(empty) != -EBUSY);
	compare(bdf, 0, empty);
	weir_iodev_close(d);
}

static void file(const char *bdf)
{
	struct weir_ioas *as = space();
	struct weir_iodev *d = open_dev(bdf);
	weir_iova_t at;

	NEED(weir_iodev_attach(d, as));
	for (unsigned i = 0; i < 4; i++) {
		size_t len = 8 << 20;
		int fd = memfd_create("test", MFD_CLOEXEC | (i & 1 ? MFD_HUGETLB : 0));
		unsigned prot = i & 2 ? WEIR_PROT_READ : WEIR_PROT_RW;

		NEED(fd < 0 || ftruncate(fd, (off_t)len));
		NEED(weir_ioas_alloc_iova(as, len, 4096, &at));
		NEED(at & ((2 << 20) - 1));
		NEED(weir_ioas_map_file(as, fd, 0, len, at, prot));
		close(fd);
		compare(bdf, 0, as);
		NEED(weir_ioas_unmap(as, at, len / 2) != -EINVAL);
		if (i & 1)
			NEED(weir_ioas_unmap(as, at, len));
	}
	compare(bdf, 0, as);
	weir_iodev_close(d);
}

static void bar(const char *one, const char *two)
{
	struct weir_iodev *d = open_dev(one), *e = open_dev(two);
	struct weir_ioas *a = space(), *b = space();
	static struct entry t[4096];
	uint64_t start = 0, last = 0;
	char path[256];
	unsigned n;
	FILE *f;
	int err;

	NEED(weir_iodev_attach(d, a));
	NEED(weir_iodev_attach(e, b));
	err = weir_ioas_map_bar(a, e, 0, 0, 0x4000, 8ull << 30, WEIR_PROT_RW);
	if (err == -EOPNOTSUPP)
		exit(77);
	NEED(err);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/resource", two);
	f = fopen(path, "re");
	NEED(!f || fscanf(f, "%lx %lx", &start, &last) != 2);
	fclose(f);
	n = table(one, 0, t, WEIR_ARRAY_SIZE(t));
	NEED(n == 0 || t[0].iova != 8ull << 30 || t[0].phys != start);
	printf("%u entries lead to the BAR at %#llx\n", n, (unsigned long long)start);
	weir_iodev_close(e);
	NEED(table(one, 0, t, WEIR_ARRAY_SIZE(t)) != 0 || weir_ioas_mapped(a));
	weir_iodev_close(d);
}

static int run(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (argc == 3 && !strcmp(what, "info"))
		info(argv[2]);
	else if (argc == 3 && !strcmp(what, "nopasid"))
		nopasid(argv[2]);
	else if (argc == 4 && !strcmp(what, "share"))
		share(argv[2], argv[3]);
	else if (argc == 3 && !strcmp(what, "move"))
		move(argv[2]);
	else if (argc == 3 && !strcmp(what, "file"))
		file(argv[2]);
	else if (argc == 4 && !strcmp(what, "bar"))
		bar(argv[2], argv[3]);
	else
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	const struct weir_opts opts = { .window_size = 1ull << 30 };
	long long before = pinned();
	int err;

	NEED(weir_open(&opts, &w));
	NEED(weir_iommu_open(w, &iommu));
	err = run(argc, argv);
	weir_iommu_close(iommu);
	weir_close(w);
	if (!err)
		NEED(pinned() != before);
	else
		fprintf(stderr, "usage: see ioas.c\n");
	return err;
}
