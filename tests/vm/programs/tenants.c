/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address spaces by PASID on a real kernel: what the IOMMU's page tables hold, as the kernel shows
 * them, compared page by page with the memory that was meant.
 *
 *   tenants queues DEV         two queue pairs for two tenants: each PASID's table has the tenant's
 *                              pages and nothing else, the device's own has neither; after release
 *                              they are gone
 *   tenants domains DEV1 DEV2  DEV1 on one address space, a PASID of it on a second, another PASID of
 *                              it and DEV2 on a third
 *   tenants refused DEV        a device that cannot send PASIDs: refused, or shared and called so
 *   tenants raw DEV            what the kernel itself says about such a device
 *   tenants sweep DEV          assigning and releasing with every system call failing in its turn
 *
 * Exits with 0 when all was right.
 */
#include "iommu/uapi.h"
#include "nics/nics.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TENANTS	  2
#define BUFS	  256
#define TABLE_MAX 65536
#define PFN_MASK  ((1ull << 55) - 1)

static char last_said[1024];

#define NEED(x)                                                                          \
	do {                                                                             \
		int need_err = (x);                                                      \
		if (need_err) {                                                          \
			printf("%s: %s (%s)\n", #x, weir_strerror(need_err), last_said); \
			return 1;                                                        \
		}                                                                        \
	} while (0)

static void hear(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	if (level <= WEIR_LOG_WARN)
		snprintf(last_said, sizeof(last_said), "%s [%s]", msg, id);
}

/* --- failing the n-th call --- */

static unsigned calls, fail_at;

static bool fails(void)
{
	if (!fail_at || ++calls != fail_at)
		return false;
	errno = ENOMEM;
	return true;
}

int __real_ioctl(int fd, unsigned long req, void *arg);
int __wrap_ioctl(int fd, unsigned long req, void *arg);
int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	return fails() ? -1 : __real_ioctl(fd, req, arg);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

ssize_t __real_pread(int fd, void *buf, size_t n, off_t off);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t off);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t off)
{
	return fails() ? -1 : __real_pread(fd, buf, n, off);
}

/* --- the kernel's view --- */

struct page {
	uint64_t iova, pa;
};

struct table {
	unsigned n;
	bool there;
	struct page p[TABLE_MAX];
};

static struct table seen, meant;

static void add(struct table *t, uint64_t iova, uint64_t pa, uint64_t len)
{
	for (uint64_t at = 0; at < len && t->n < TABLE_MAX; at += 4096)
		t->p[t->n++] = (struct page){ iova + at, pa + at };
}

/* "IOVA_PFN | PML5E PML4E PDPE [PDE [PTE]]": the last is the leaf, its depth tells the page's size. */
static int read_line(const char *line)
{
	uint64_t pfn, e[5], leaf;
	unsigned n = 0, shift;
	const char *s = strchr(line, '|');
	char *end;

	if (!s || strncmp(line, "0x", 2) != 0)
		return 0;
	pfn = strtoull(line, NULL, 16);
	for (s++; n < 5; n++, s = end) {
		e[n] = strtoull(s, &end, 16);
		if (end == s)
			break;
	}
	if (n < 3)
		return 1;
	leaf = e[n - 1];
	shift = n == 5 ? 12 : n == 4 ? 21 : 30;
	if ((leaf & 3) != 3) {
		printf("IOVA page %#llx may not be read and written: %#llx\n",
		       (unsigned long long)pfn, (unsigned long long)leaf);
		return 1;
	}
	add(&seen, pfn << 12, leaf & ((1ull << 52) - 1) & ~((1ull << shift) - 1), 1ull << shift);
	return 0;
}

/* Table of a device (@pasid 0), or of one of its PASIDs. */
static int read_table(const char *dev, uint32_t pasid)
{
	char path[160], sub[16] = "", line[512];
	FILE *f;
	int bad = 0;

	if (pasid)
		snprintf(sub, sizeof(sub), "/%x", pasid);
	snprintf(path, sizeof(path), "/sys/kernel/debug/iommu/intel/%s%s/domain_translation_struct",
		 dev, sub);
	seen.n = 0;
	f = fopen(path, "re");
	seen.there = f != NULL;
	while (f && fgets(line, sizeof(line), f))
		bad |= read_line(line);
	if (f)
		fclose(f);
	return bad;
}

/* --- our view --- */

/* Pages of an arena at the IOVAs of @dma. */
static int mean(const struct weir_arena *a, const struct weir_dma *dma)
{
	struct weir_arena_info i = weir_arena_info(a);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int bad = fd < 0;

	for (size_t at = 0; at < i.size && !bad; at += 4096) {
		uint64_t e;

		bad = pread(fd, &e, 8, (off_t)((uintptr_t)(i.base + at) >> 12 << 3)) != 8 ||
		      !(e >> 63) || !(e & PFN_MASK);
		add(&meant, weir_dma_iova(dma, i.base + at), (e & PFN_MASK) << 12, 4096);
	}
	if (fd >= 0)
		close(fd);
	if (bad)
		printf("pagemap does not tell\n");
	return bad;
}

static int by_iova(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	return x->iova < y->iova ? -1 : x->iova > y->iova;
}

static int compare(const char *dev, uint32_t pasid, const char *what)
{
	if (read_table(dev, pasid))
		return 1;
	qsort(seen.p, seen.n, sizeof(seen.p[0]), by_iova);
	qsort(meant.p, meant.n, sizeof(meant.p[0]), by_iova);
	printf("%s PASID %u, %s: %u pages, meant are %u\n", dev, pasid, what, seen.n, meant.n);
	for (unsigned i = 0; i < seen.n && i < meant.n; i++)
		if (memcmp(&seen.p[i], &meant.p[i], sizeof(seen.p[i]))) {
			printf("  page %u is %#llx at %#llx, not %#llx at %#llx\n", i,
			       (unsigned long long)seen.p[i].iova, (unsigned long long)seen.p[i].pa,
			       (unsigned long long)meant.p[i].iova,
			       (unsigned long long)meant.p[i].pa);
			return 1;
		}
	return !seen.there || seen.n != meant.n;
}

/* The table is exactly one arena, at the place that @dma says. */
static int exactly(const char *dev, uint32_t pasid, const struct weir_arena *a,
		   const struct weir_dma *dma, const char *what)
{
	meant.n = 0;
	return mean(a, dma) || compare(dev, pasid, what);
}

static int is_gone(const char *dev, uint32_t pasid)
{
	if (read_table(dev, pasid) || seen.there || seen.n)
		return printf("%s: the table of PASID %u is still there\n", dev, pasid);
	printf("%s: the table of PASID %u is gone\n", dev, pasid);
	return 0;
}

/* --- a port and two tenants --- */

struct tenant {
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_ioas *as;
	struct weir_assign a;
};

static struct world {
	struct weir *w;
	struct weir_iommu *iommu;
	struct weir_port *port;
	struct tenant own, t[TENANTS];
} v;

static int memory(struct tenant *t, unsigned flags)
{
	NEED(weir_pool_arena(v.w, BUFS, 256 << 10, WEIR_NODE_ANY, flags, &t->arena));
	NEED(weir_pool_create(t->arena, BUFS, &t->pool));
	NEED(weir_cache_create(t->pool, &t->cache));
	return 0;
}

static int world_open(const char *dev)
{
	struct weir_opts quiet = { .log = hear };
	struct weir_port_open_opts oo = { .mode = WEIR_MODE_CDEV };
	struct weir_port_conf conf = { .n_rxq = TENANTS + 1, .n_txq = TENANTS + 1 };

	memset(&v, 0, sizeof(v));
	NEED(weir_open(&quiet, &v.w));
	NEED(weir_iommu_open(v.w, &v.iommu));
	NEED(memory(&v.own, 0));
	/* One tenant on huge pages, one on small ones. */
	for (unsigned i = 0; i < TENANTS; i++) {
		NEED(memory(&v.t[i], WEIR_ARENA_PRIVATE | (i ? WEIR_ARENA_SMALL_PAGES : 0)));
		NEED(weir_ioas_create(v.iommu, WEIR_MODE_CDEV, &v.t[i].as));
		conf.queue_arena[i + 1] = v.t[i].arena;
	}
	NEED(weir_port_open(v.iommu, dev, &oo, &v.port));
	conf.arena = v.own.arena;
	NEED(weir_port_configure(v.port, &conf));
	return 0;
}

static int world_close(void)
{
	struct tenant *all[] = { &v.own, &v.t[0], &v.t[1] };

	weir_port_close(v.port);
	for (unsigned i = 0; i < TENANTS; i++)
		NEED(weir_ioas_destroy(v.t[i].as));
	weir_iommu_close(v.iommu);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(all); i++) {
		weir_cache_destroy(all[i]->cache);
		NEED(weir_pool_destroy(all[i]->pool) != 0);
		weir_arena_destroy(all[i]->arena);
	}
	weir_close(v.w);
	return 0;
}

static int assign(unsigned i, unsigned flags)
{
	return weir_queue_assign(v.port, i + 1, v.t[i].as, v.t[i].arena, flags, &v.t[i].a);
}

static int queues(const char *dev)
{
	const struct weir_dma *own;
	uint32_t pasid[TENANTS];
	char why[WEIR_WHY_LEN] = "";

	NEED(world_open(dev));
	own = weir_pci_dma(weir_port_pci(v.port));
	NEED(weir_queue_assignable(v.port, why) != 20 && printf("assignable: %s\n", why));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < TENANTS; i++) {
			NEED(assign(i, 0));
			NEED(v.t[i].a.shared);
			pasid[i] = v.t[i].a.pasid;
		}
		for (unsigned i = 0; i < TENANTS; i++)
			NEED(exactly(dev, pasid[i], v.t[i].arena, &v.t[i].a.dma, "a tenant's"));
		NEED(exactly(dev, 0, v.own.arena, own, "the device's own"));
		/* The tags go through the kernel's VFIO to the device, which gives them back. */
		NEED(weir_port_queue_cache(v.port, 0, v.own.cache));
		for (unsigned i = 0; i < TENANTS; i++)
			NEED(weir_port_queue_cache(v.port, i + 1, v.t[i].cache));
		NEED(weir_port_start(v.port));
		NEED(weir_queue_release(&v.t[0].a) != -EBUSY);
		NEED(weir_port_stop(v.port));
		/* One goes, the other stays as it is. */
		NEED(weir_queue_release(&v.t[0].a));
		NEED(is_gone(dev, pasid[0]));
		NEED(exactly(dev, pasid[1], v.t[1].arena, &v.t[1].a.dma, "the other tenant's"));
		NEED(weir_queue_release(&v.t[1].a));
		NEED(is_gone(dev, pasid[1]));
		NEED(exactly(dev, 0, v.own.arena, own, "the device's own"));
	}
	return world_close();
}

/* --- three domains --- */

static int open_on(struct weir_iommu *iommu, const char *dev, struct weir_ioas *as,
		   struct weir_pci **d)
{
	struct weir_bdf bdf;
	int err = weir_bdf_parse(dev, &bdf);

	return err ? err : weir_pci_open(iommu, bdf, WEIR_MODE_CDEV, as, d);
}

static int domains(const char *dev1, const char *dev2)
{
	struct weir_opts quiet = { .log = hear };
	struct weir_pci *d1, *d2;
	struct weir_iommu *iommu;
	struct weir_arena *a[3];
	struct weir_ioas *as[3];
	struct weir_dma dma[3];
	struct weir_iodev *io;
	uint32_t x, y;
	struct weir *w;

	NEED(weir_open(&quiet, &w));
	NEED(weir_iommu_open(w, &iommu));
	for (unsigned i = 0; i < 3; i++) {
		NEED(weir_arena_create(w, (i + 1) << 20, WEIR_NODE_ANY,
				       WEIR_ARENA_PRIVATE | WEIR_ARENA_SMALL_PAGES, &a[i]));
		NEED(weir_ioas_create(iommu, WEIR_MODE_CDEV, &as[i]));
	}
	NEED(open_on(iommu, dev1, as[0], &d1));
	NEED(open_on(iommu, dev2, as[2], &d2));
	io = weir_pci_iodev(d1);
	NEED(weir_iodev_pasid_attach(io, as[1], &x));
	NEED(weir_iodev_pasid_attach(io, as[2], &y));
	for (unsigned i = 0; i < 3; i++)
		NEED(weir_ioas_map_arena(as[i], a[i], &dma[i]));
	NEED(exactly(dev1, 0, a[0], &dma[0], "domain 1"));
	NEED(exactly(dev1, x, a[1], &dma[1], "domain 2"));
	NEED(exactly(dev1, y, a[2], &dma[2], "domain 3"));
	NEED(exactly(dev2, 0, a[2], &dma[2], "domain 3"));
	/* What leaves domain 3 leaves the others where they are. */
	NEED(weir_iodev_pasid_detach(io, y));
	NEED(is_gone(dev1, y));
	NEED(exactly(dev2, 0, a[2], &dma[2], "domain 3"));
	NEED(exactly(dev1, x, a[1], &dma[1], "domain 2"));
	NEED(exactly(dev1, 0, a[0], &dma[0], "domain 1"));
	/* A device that goes takes its PASIDs along. */
	weir_pci_close(d1);
	NEED(is_gone(dev1, x));
	weir_pci_close(d2);
	for (unsigned i = 0; i < 3; i++) {
		NEED(weir_ioas_devices(as[i]) != 0);
		NEED(weir_ioas_destroy(as[i]));
		weir_arena_destroy(a[i]);
	}
	weir_iommu_close(iommu);
	weir_close(w);
	return 0;
}

/* --- without PASIDs --- */

static int refused(const char *dev)
{
	const struct weir_dma *own;
	char why[WEIR_WHY_LEN] = "";
	uint32_t pasid;

	NEED(world_open(dev));
	own = weir_pci_dma(weir_port_pci(v.port));
	NEED(weir_queue_assignable(v.port, why) != -EOPNOTSUPP);
	printf("queues: %s\n", why);
	NEED(!why[0]);
	NEED(assign(0, 0) != -EOPNOTSUPP);
	printf("assigning: %s\n", last_said);
	NEED(weir_iodev_pasid_attach(weir_pci_iodev(weir_port_pci(v.port)), v.t[0].as, &pasid) !=
	     -EOPNOTSUPP);
	printf("attaching: %s\n", last_said);
	NEED(exactly(dev, 0, v.own.arena, own, "the device's own"));
	NEED(assign(0, WEIR_ASSIGN_OR_SHARE));
	NEED(!v.t[0].a.shared || v.t[0].a.pasid);
	meant.n = 0;
	NEED(mean(v.own.arena, own));
	NEED(mean(v.t[0].arena, &v.t[0].a.dma));
	NEED(compare(dev, 0, "shared"));
	NEED(weir_queue_release(&v.t[0].a));
	NEED(exactly(dev, 0, v.own.arena, own, "the device's own"));
	return world_close();
}

/* --- what the kernel says when asked directly --- */

static int attach(int dev, uint32_t flags, uint32_t pt, uint32_t pasid)
{
	struct uapi_vfio_attach_pt a = {
		.argsz = flags ? sizeof(a) : offsetof(struct uapi_vfio_attach_pt, pasid),
		.flags = flags,
		.pt_id = pt,
		.pasid = pasid,
	};

	return ioctl(dev, UAPI_VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a) ? -errno : 0;
}

/* Attach a PASID of a device that has none, and look what it knows of its PASIDs. */
static int raw(const char *dev)
{
	struct weir_opts quiet = { .log = hear };
	struct uapi_vfio_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct uapi_ioas_alloc as[2] = { { .size = sizeof(as[0]) }, { .size = sizeof(as[0]) } };
	struct uapi_hwpt_alloc pt[2] = { { .size = sizeof(pt[0]), .flags = UAPI_HWPT_PASID },
					 { .size = sizeof(pt[0]), .flags = UAPI_HWPT_PASID } };
	struct uapi_hw_info hw = { .size = sizeof(hw) };
	struct weir_pci_info info;
	struct weir_bdf bdf;
	struct weir *w;
	int fd, iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC), err;

	NEED(weir_open(&quiet, &w));
	NEED(weir_bdf_parse(dev, &bdf));
	NEED(weir_pci_info(w, bdf, &info));
	fd = open(info.cdev, O_RDWR | O_CLOEXEC);
	bind.iommufd = iommufd;
	NEED(fd < 0 || iommufd < 0);
	NEED(ioctl(fd, UAPI_VFIO_DEVICE_BIND_IOMMUFD, &bind));
	NEED(ioctl(iommufd, UAPI_IOMMU_IOAS_ALLOC, &as[0]));
	NEED(ioctl(iommufd, UAPI_IOMMU_IOAS_ALLOC, &as[1]));
	for (unsigned i = 0; i < 2; i++) {
		pt[i].dev_id = bind.out_devid;
		pt[i].pt_id = as[i].out_ioas_id;
		if (ioctl(iommufd, UAPI_IOMMU_HWPT_ALLOC, &pt[i])) {
			printf("the kernel: no table for PASIDs: %s\n", strerror(errno));
			pt[i].out_hwpt_id = as[i].out_ioas_id;
		}
	}
	NEED(attach(fd, 0, pt[0].out_hwpt_id, 0));
	err = attach(fd, UAPI_VFIO_PT_PASID, pt[1].out_hwpt_id, 1);
	hw.dev_id = bind.out_devid;
	NEED(ioctl(iommufd, UAPI_IOMMU_GET_HW_INFO, &hw));
	printf("the kernel: attaching PASID 1 returned %d; PASIDs of %u bits\n", err,
	       hw.out_max_pasid_log2);
	close(fd);
	close(iommufd);
	weir_close(w);
	return hw.out_max_pasid_log2 != 0;
}

/* --- each call failing --- */

/* Return: whether the call to fail was reached; *bad counts what was not right afterwards. */
static bool life(const char *dev, unsigned n, unsigned *bad, unsigned *noticed)
{
	int err = 0;

	calls = 0;
	fail_at = n;
	for (unsigned i = 0; i < TENANTS && !err; i++)
		err = assign(i, 0);
	if (calls >= n)
		fail_at = 0;
	for (unsigned i = 0; i < TENANTS; i++) {
		int e = weir_queue_release(&v.t[i].a);

		err = err ? err : e;
	}
	fail_at = 0;
	*noticed += err != 0;
	for (unsigned i = 0; i < TENANTS; i++)
		if (weir_ioas_devices(v.t[i].as) || v.port->pasid[i + 1]) {
			printf("call %u: tenant %u is still attached (%s)\n", n, i, last_said);
			++*bad;
		}
	if (weir_iodev_pasid_next(weir_pci_iodev(weir_port_pci(v.port)), 0) != WEIR_PASID_NONE)
		++*bad;
	/* The next one finds all as if nothing had been. */
	for (unsigned i = 0; i < TENANTS && n <= calls; i++)
		if (assign(i, 0) ||
		    exactly(dev, v.t[i].a.pasid, v.t[i].arena, &v.t[i].a.dma, "again") ||
		    weir_queue_release(&v.t[i].a)) {
			printf("call %u: then %s\n", n, last_said);
			++*bad;
		}
	return calls >= n;
}

static int sweep(const char *dev)
{
	unsigned n = 0, bad = 0, noticed = 0;

	NEED(world_open(dev));
	while (life(dev, ++n, &bad, &noticed))
		;
	printf("%u calls failed in their turn, %u were noticed, %u left something behind\n", n - 1,
	       noticed, bad);
	return world_close() || bad || n < 10 || !noticed;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "queues"))
		return queues(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "domains"))
		return domains(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "refused"))
		return refused(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "raw"))
		return raw(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "sweep"))
		return sweep(argv[2]);
	fprintf(stderr,
		"usage: tenants queues DEV | domains DEV1 DEV2 | refused DEV | raw DEV | sweep DEV\n");
	return 2;
}
