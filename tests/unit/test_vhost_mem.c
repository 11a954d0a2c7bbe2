/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping a front end's memory: files in huge pages, and files that change while they are looked at. */
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A front end that cuts its file short right after its length was asked for. */
static bool cut;

static int stat_and_cut(int fd, struct stat *st)
{
	int err = fstat(fd, st);

	if (cut)
		(void)!ftruncate(fd, 0);
	return err;
}

#define fstat stat_and_cut
#include "nics/vhost/vhost_mem.c"
#undef fstat

#define SIZE (4u << 20)

static int set(struct vhost_mem *mem, int fd, uint64_t size)
{
	struct vhost_memory table = { .n = 1, .region = { { 0, size, 0, 0 } } };
	struct vhost_fds fds = { .n = 1, .fd = { fd } };

	return vhost_mem_set(NULL, mem, &table, &fds);
}

static int file(unsigned flags)
{
	int fd = memfd_create("guest", flags | MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	return fd;
}

static bool is_mapped(void *at)
{
	return !msync(at, 1, MS_ASYNC);
}

/* A guest's first region ends at 640 KiB, which is no whole number of huge pages. */
static void test_huge_pages(void **state)
{
	int fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	struct vhost_mem mem;
	void *at;

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(set(&mem, fd, 640 << 10), 0);
	at = mem.map[0].map;
	assert_true(is_mapped(at));
	vhost_mem_clear(&mem);
	assert_false(is_mapped(at));
	close(fd);
}

/* Its length holds from before it is looked at: the seal comes first. */
static void test_cut_short(void **state)
{
	int fd = file(MFD_ALLOW_SEALING);
	struct vhost_mem mem;
	struct stat st;

	(void)state;
	cut = true;
	assert_int_equal(set(&mem, fd, SIZE), 0);
	cut = false;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	memset(mem.map[0].va, 1, SIZE);
	vhost_mem_clear(&mem);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_huge_pages),
		cmocka_unit_test(test_cut_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
