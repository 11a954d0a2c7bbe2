/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's mock IOMMU (CONFIG_IOMMUFD_TEST) under weir's own functions: page tables, nesting and
 * invalidation, page requests, written pages, PASIDs, moves.
 *
 *   mock all | pasid | move | nest | faults | dirty
 *
 * A mock device has no VFIO: its descriptor here is none of the kernel's, and the two VFIO calls that
 * attach and detach go to the test command of /dev/iommu instead. All else is the real thing: the
 * devices are made by hand, and weir attaches them as it attaches any other.
 */
#include "iommu/internal.h"
#include "iommu/uapi.h"

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

/* --- the test command --- */

#define TEST_CMD UAPI_IOMMUFD(32)

enum {
	OP_CHECK_MAP = 3,
	OP_REPLACE = 10,
	OP_MOCK_FLAGS = 12,
	OP_DIRTY = 13,
	OP_CHECK_IOTLB = 14,
	OP_PAGE_REQUEST = 15,
	OP_PASID_ATTACH = 18,
	OP_PASID_REPLACE = 19,
	OP_PASID_DETACH = 20,
	OP_PASID_CHECK = 21,
};

#define DEV_HAS_PASIDS (1u << 2)

/* Formats that the mock alone has. */
#define DATA_MOCK	0xdeadu
#define INVALIDATE_MOCK 0xdeadbeefu
#define HW_MOCK		0xfeedbeefu

struct test_cmd {
	uint32_t size, op, id, zero;
	union {
		uint32_t w[12];
		uint64_t q[6];
	};
	uint32_t last, pad;
};

/* The IOVAs that the mock translates. */
#define AT  (1ull << 25)
#define LEN (64u << 10)

static struct weir *w;
static struct weir_iommu *iommu;
static struct weir_ioas *nowhere; /* where a mock device is when it is nowhere */

int __real_ioctl(int fd, unsigned long req, void *arg);
int __wrap_ioctl(int fd, unsigned long req, void *arg);

static int test(uint32_t op, uint32_t id, struct test_cmd *c)
{
	c->size = sizeof(*c);
	c->op = op;
	c->id = id;
	return __real_ioctl(iommu->iommufd, TEST_CMD, c) < 0 ? -errno : 0;
}

/* --- mock devices --- */

#define MOCK_FD 5000

static struct mock {
	struct weir_iodev d;
	uint32_t stdev;
	bool on[64]; /* PASIDs */
} mocks[4];

static int attach(struct mock *m, const struct uapi_vfio_attach_pt *a)
{
	struct test_cmd c = { .w = { a->pt_id } };

	if (!(a->flags & UAPI_VFIO_PT_PASID))
		return test(OP_REPLACE, m->stdev, &c);
	c.w[0] = a->pasid;
	c.w[1] = a->pt_id;
	NEED(a->pasid >= 64);
	return test(m->on[a->pasid] ? OP_PASID_REPLACE : OP_PASID_ATTACH, m->stdev, &c);
}

static int detach(struct mock *m, const struct uapi_vfio_detach_pt *a)
{
	struct test_cmd c = { .w = { a->pasid } };

	if (a->flags & UAPI_VFIO_PT_PASID)
		return test(OP_PASID_DETACH, m->stdev, &c);
	c.w[0] = nowhere->id;
	return test(OP_REPLACE, m->stdev, &c);
}

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	struct mock *m = &mocks[fd - MOCK_FD];
	struct uapi_vfio_attach_pt *a = arg;
	struct uapi_vfio_detach_pt *x = arg;
	bool to = req == UAPI_VFIO_DEVICE_ATTACH_IOMMUFD_PT;
	int err;

	if (fd < MOCK_FD)
		return __real_ioctl(fd, req, arg);
	NEED(!to && req != UAPI_VFIO_DEVICE_DETACH_IOMMUFD_PT);
	err = to ? attach(m, a) : detach(m, x);
	if (!err && to && a->flags)
		m->on[a->pasid] = true;
	if (!err && !to && x->flags)
		m->on[x->pasid] = false;
	errno = -err;
	return err ? -1 : 0;
}

static struct weir_iodev *device(unsigned i, bool pasids)
{
	struct test_cmd c = { .w = { [3] = pasids ? DEV_HAS_PASIDS : 0 } };
	struct mock *m = &mocks[i];

	NEED(test(OP_MOCK_FLAGS, nowhere->id, &c));
	m->stdev = c.w[0];
	m->d = (struct weir_iodev){ .iommu = iommu,
				    .w = w,
				    .be = &weir_backend_cdev,
				    .name = "mock",
				    .fd = MOCK_FD + (int)i,
				    .devid = c.w[2] };
	return &m->d;
}

static void gone(struct weir_iodev *d)
{
	struct mock *m = &mocks[d->fd - MOCK_FD];
	struct uapi_iommu_destroy c = { .size = sizeof(c), .id = m->stdev };

	NEED(weir_iodev_detach(d));
	NEED(__real_ioctl(iommu->iommufd, UAPI_IOMMU_DESTROY, &c));
}

static struct weir_ioas *space(void)
{
	struct weir_ioas *as;

	NEED(weir_ioas_create(iommu, WEIR_MODE_CDEV, &as));
	return as;
}

static void *memory(void)
{
	char *p = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(p == MAP_FAILED);
	memset(p, 1, LEN);
	return p;
}

/* What a page table really translates to: the mock compares the pages. */
static int translates(uint32_t hwpt, uint64_t iova, const void *va, size_t len)
{
	struct test_cmd c = { .q = { iova, len, (uintptr_t)va } };

	return test(OP_CHECK_MAP, hwpt, &c);
}

/* --- PASIDs and moves --- */

/* [PASID] of the mock stands on this table and no other. */
static int stands(struct weir_iodev *d, uint32_t pasid, uint32_t hwpt)
{
	struct test_cmd c = { .w = { pasid, hwpt } };

	return test(OP_PASID_CHECK, mocks[d->fd - MOCK_FD].stdev, &c);
}

static uint32_t table_of(struct weir_iodev *d, uint32_t pasid)
{
	struct weir_pasid *p = weir_pasid_find(d, pasid);

	NEED(!p || !p->hwpt);
	return p->hwpt->id;
}

static void pasid(void)
{
	struct weir_iodev *d = device(0, true), *e = device(1, true), *f = device(2, false);
	struct weir_ioas *one = space(), *two = space(), *three = space();
	char why[WEIR_WHY_LEN];
	void *a = memory(), *b = memory();
	uint32_t x, y, z;

	NEED(weir_iodev_pasid_bits(d, why) != 20);
	NEED(weir_iodev_pasid_bits(f, why) != -EOPNOTSUPP);
	NEED(weir_iodev_attach(d, one));
	NEED(weir_iodev_attach(f, one));
	NEED(weir_iodev_pasid_attach(f, one, &z) != -EOPNOTSUPP);
	NEED(weir_iodev_pasid_attach(d, two, &x));
	NEED(weir_iodev_pasid_attach(d, three, &y));
	NEED(weir_iodev_attach(e, three));
	NEED(e->hwpt->id != table_of(d, y));
	NEED(stands(d, x, table_of(d, x)) || stands(d, y, e->hwpt->id));
	NEED(!stands(d, x, e->hwpt->id));
	/* Each tenant's pages, and those alone. */
	NEED(weir_ioas_map(two, a, LEN, AT, WEIR_PROT_RW));
	NEED(weir_ioas_map(three, b, LEN, AT, WEIR_PROT_RW));
	NEED(translates(table_of(d, x), AT, a, LEN));
	NEED(translates(table_of(d, y), AT, b, LEN));
	NEED(!translates(table_of(d, x), AT, b, LEN));
	NEED(!translates(d->hwpt->id, AT, a, LEN));
	/* From one tenant's to another's in one step. */
	NEED(weir_iodev_pasid_move(d, x, three));
	NEED(stands(d, x, e->hwpt->id));
	NEED(weir_ioas_destroy(two));
	NEED(weir_ioas_destroy(three) != -EBUSY);
	NEED(weir_iodev_pasid_detach(d, x));
	NEED(!stands(d, x, e->hwpt->id));
	gone(e);
	NEED(stands(d, y, table_of(d, y)));
	gone(d);
	gone(f);
	NEED(weir_ioas_destroy(three));
	printf("three address spaces by RID and PASID, on the tables they should be on\n");
}

static void move(void)
{
	struct weir_iodev *d = device(0, true), *e = device(1, false);
	struct weir_ioas *one = space(), *two = space();
	void *a = memory();

	NEED(weir_iodev_attach(d, one));
	NEED(weir_iodev_attach(e, one));
	NEED(weir_ioas_map(one, a, LEN, AT, WEIR_PROT_RW));
	NEED(weir_ioas_clone(two, one));
	for (unsigned i = 0; i < 100; i++) {
		NEED(weir_iodev_move(d, i & 1 ? one : two));
		NEED(weir_iodev_move(e, i & 1 ? one : two));
		NEED(translates(d->hwpt->id, AT, a, LEN));
	}
	NEED(weir_iodev_move(d, two));
	NEED(weir_iodev_move(e, two));
	/* The copy outlives what it was made of. */
	NEED(weir_ioas_destroy(one));
	NEED(translates(d->hwpt->id, AT, a, LEN));
	gone(d);
	gone(e);
	printf("a hundred moves\n");
}

/* --- nesting --- */

static int cached(uint32_t hwpt, uint32_t id, uint32_t value)
{
	struct test_cmd c = { .w = { id, value } };

	return test(OP_CHECK_IOTLB, hwpt, &c);
}

static struct weir_hwpt *nested(struct weir_iodev *d, struct weir_hwpt *parent,
				struct weir_faults *faults, uint32_t value)
{
	const uint32_t data[2] = { value, 0 };
	const struct weir_hwpt_opts o = { .parent = parent,
					  .faults = faults,
					  .data_type = DATA_MOCK,
					  .data_len = sizeof(data),
					  .data = data };
	struct weir_hwpt *h;

	NEED(weir_hwpt_create(d, weir_hwpt_ioas(parent), &o, &h));
	return h;
}

static void nest(void)
{
	static const struct weir_hwpt_opts under = { .flags = WEIR_HWPT_NEST_PARENT };
	const uint32_t one[][2] = { { 0, 1 }, { 0, 3 } }, all[][2] = { { 1, 0 } };
	const uint32_t bad[][2] = { { 0, 2 }, { 2, 0 } };
	struct weir_iodev *d = device(0, false);
	struct weir_ioas *as = space(), *other = space();
	struct weir_hwpt *parent, *plain, *h, *none = NULL;
	struct weir_hwpt_opts o = { .data_type = DATA_MOCK };
	uint32_t n = 2;

	NEED(weir_hwpt_create(d, as, &under, &parent));
	NEED(weir_hwpt_create(d, as, NULL, &plain));
	o.parent = plain;
	NEED(weir_hwpt_create(d, as, &o, &none) != -EINVAL);
	NEED(weir_hwpt_create(d, other, &o, &none) != -EINVAL);
	h = nested(d, parent, NULL, 77);
	NEED(weir_hwpt_users(parent) != 1 || weir_hwpt_destroy(parent) != -EBUSY);
	NEED(weir_iodev_attach_hwpt(d, h));
	NEED(weir_iodev_ioas(d) != as || weir_hwpt_destroy(h) != -EBUSY);
	NEED(weir_ioas_destroy(as) != -EBUSY);
	/* Entries 1 and 3 of the mock's cache, then one that it refuses, then all. */
	NEED(weir_hwpt_invalidate(h, INVALIDATE_MOCK, 8, one, &n) || n != 2);
	NEED(cached(h->id, 0, 77) || cached(h->id, 1, 0) || cached(h->id, 2, 77));
	NEED(cached(h->id, 3, 0));
	n = 2;
	NEED(weir_hwpt_invalidate(h, INVALIDATE_MOCK, 8, bad, &n) == 0 || n != 1);
	NEED(cached(h->id, 0, 77) || cached(h->id, 2, 0));
	n = 1;
	NEED(weir_hwpt_invalidate(h, INVALIDATE_MOCK, 8, all, &n) || n != 1);
	NEED(cached(h->id, 0, 0));
	n = 0;
	NEED(weir_hwpt_invalidate(h, 1234, 8, NULL, &n) != -EINVAL);
	n = 0;
	NEED(weir_hwpt_invalidate(h, INVALIDATE_MOCK, 8, NULL, &n));
	/* Back to a table of the kernel's, in one step. */
	NEED(weir_iodev_attach_hwpt(d, plain));
	NEED(weir_hwpt_destroy(h));
	NEED(weir_hwpt_destroy(parent));
	gone(d);
	NEED(weir_hwpt_destroy(plain));
	NEED(weir_ioas_destroy(as));
	printf("a nested table, its invalidations, and back\n");
}

/* --- page requests --- */

static void ask(struct weir_iodev *d, uint32_t group, uint32_t perm, uint64_t addr)
{
	struct test_cmd c = { .w = { d->devid, 0, group, perm } };

	c.q[2] = addr;
	NEED(test(OP_PAGE_REQUEST, 0, &c));
}

static void faults(void)
{
	static const struct weir_hwpt_opts under = { .flags = WEIR_HWPT_NEST_PARENT };
	struct weir_iodev *d = device(0, false);
	struct weir_ioas *as = space();
	struct weir_faults *q;
	struct weir_hwpt *parent, *h;
	struct weir_fault f[4];

	NEED(weir_faults_create(iommu, &q));
	NEED(weir_hwpt_create(d, as, &under, &parent));
	h = nested(d, parent, q, 1);
	NEED(weir_faults_destroy(q) != -EBUSY);
	NEED(weir_iodev_attach_hwpt(d, h));
	NEED(weir_faults_read(q, f, 4) != 0);
	ask(d, 7, 1, 0x1000);
	ask(d, 8, 3, 0x123000);
	NEED(weir_faults_read(q, f, 0) == 2);
	NEED(weir_faults_read(q, f, 4) != 2);
	NEED(f[0].group != 7 || f[0].addr != 0x1000 || !f[0].read || f[0].write);
	NEED(f[1].group != 8 || f[1].addr != 0x123000 || !f[1].read || !f[1].write);
	NEED(f[0].devid != weir_iodev_devid(d) || f[0].pasid || !f[0].last || !f[1].last);
	NEED(f[0].cookie == f[1].cookie);
	NEED(weir_faults_answer(q, f[1].cookie, false));
	NEED(weir_faults_answer(q, f[0].cookie, true));
	/* Once each. */
	NEED(weir_faults_answer(q, f[0].cookie, true) != -EINVAL);
	NEED(weir_faults_read(q, f, 4) != 0);
	/* One that nobody has answered when all goes. */
	ask(d, 9, 1, 0x1000);
	NEED(weir_faults_read(q, f, 4) != 1);
	gone(d);
	NEED(weir_hwpt_destroy(h));
	NEED(weir_hwpt_destroy(parent));
	NEED(weir_faults_destroy(q));
	NEED(weir_ioas_destroy(as));
	printf("page requests read and answered\n");
}

/* --- written pages --- */

static void write_pages(struct weir_hwpt *h, const uint64_t *bits)
{
	struct test_cmd c = { .q = { 0, AT, LEN, 4096, (uintptr_t)bits } };

	NEED(test(OP_DIRTY, h->id, &c));
}

static void dirty(void)
{
	static const struct weir_hwpt_opts noting = { .flags = WEIR_HWPT_DIRTY };
	const uint64_t wrote = 0x8421;
	struct weir_iodev *d = device(0, false);
	struct weir_ioas *as = space();
	struct weir_hwpt *h, *plain;
	struct weir_hw_info hi;
	char *a = memory();
	uint64_t bits = 0;

	NEED(weir_iodev_hw_info(d, &hi));
	NEED(!hi.dirty_tracking || hi.type != HW_MOCK);
	NEED(weir_hwpt_create(d, as, &noting, &h));
	NEED(weir_hwpt_create(d, as, NULL, &plain));
	NEED(weir_iodev_attach_hwpt(d, h));
	/* Page by page: memory that happens to lie side by side would share an entry and its bit. */
	for (unsigned i = 0; i < LEN; i += 4096)
		NEED(weir_ioas_map(as, a + i, 4096, AT + i, WEIR_PROT_RW));
	NEED(weir_hwpt_dirty_track(plain, true) != -EOPNOTSUPP);
	NEED(weir_hwpt_dirty_read(plain, AT, LEN, 4096, &bits, true) != -EOPNOTSUPP);
	NEED(weir_hwpt_dirty_track(h, true));
	NEED(weir_hwpt_dirty_read(h, AT, LEN, 4096, &bits, false) || bits);
	write_pages(h, &wrote);
	NEED(weir_hwpt_dirty_read(h, AT + 1, LEN, 4096, &bits, true) != -EINVAL);
	NEED(weir_hwpt_dirty_read(h, AT, LEN, 3000, &bits, true) != -EINVAL);
	/* Looked at twice, then taken. */
	for (unsigned i = 0; i < 3; i++) {
		bits = 0;
		NEED(weir_hwpt_dirty_read(h, AT, LEN, 4096, &bits, i < 2) || bits != wrote);
	}
	bits = 0;
	NEED(weir_hwpt_dirty_read(h, AT, LEN, 4096, &bits, false) || bits);
	/* In larger pages; turning it on again forgets. */
	write_pages(h, &wrote);
	NEED(weir_hwpt_dirty_read(h, AT, LEN, 16384, &bits, true) || bits != 0xf);
	NEED(weir_hwpt_dirty_track(h, false));
	NEED(weir_hwpt_dirty_track(h, true));
	bits = 0;
	NEED(weir_hwpt_dirty_read(h, AT, LEN, 4096, &bits, false) || bits);
	gone(d);
	NEED(weir_hwpt_destroy(h));
	NEED(weir_hwpt_destroy(plain));
	printf("written pages noted, read and forgotten\n");
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "pasid", pasid },   { "move", move },	  { "nest", nest },
	{ "faults", faults }, { "dirty", dirty },
};

int main(int argc, char **argv)
{
	const struct weir_opts opts = { .window_size = 1ull << 30 };
	const char *what = argc == 2 ? argv[1] : "";
	unsigned ran = 0;

	NEED(weir_open(&opts, &w));
	NEED(weir_iommu_open(w, &iommu));
	nowhere = space();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(tests); i++)
		if (!strcmp(what, "all") || !strcmp(what, tests[i].name)) {
			tests[i].run();
			ran++;
		}
	weir_iommu_close(iommu);
	weir_close(w);
	return ran ? 0 : 2;
}
