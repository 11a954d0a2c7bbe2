/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that were handed in: /dev/iommu, cdevs, memory. What is not right is refused with a
 * sentence, every one of them is closed in the end, and each call on the way fails in turn.
 */
#include "iommu_env.h"

static int setup(void **state)
{
	(void)state;
	fv_begin();
	return env_begin();
}

static int teardown(void **state)
{
	(void)state;
	return env_end();
}

/* What the launcher opens. */
static int launcher(const char *node)
{
	char path[PATH_MAX];
	int fd;

	fs_path(path, "dev/%s", node);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	fcntl(fd, F_SETFD, 0);
	return fd;
}

/* Afterwards nobody can open them by their names. */
static void hide(bool sys)
{
	fs_remove("dev");
	if (sys)
		fs_remove("sys");
}

static void test_open(void **state)
{
	int io = launcher("iommu"), fd = launcher("vfio/devices/vfio2");
	const struct weir_mode_report *r;
	struct weir_pci *d;

	(void)state;
	hide(false);
	assert_int_equal(weir_iommu_set_fd(iommu, io), 0);
	assert_int_equal(fcntl(io, F_GETFD), FD_CLOEXEC);
	assert_int_equal(weir_pci_open_fd(iommu, fd, NULL, NULL, &d), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fake.devs[2].fd, fd);
	assert_string_equal(weir_pci_name(d), "0000:04:00.0");
	assert_true(weir_bdf_equal(weir_pci_info_of(d)->bdf, fv_bdf[2]));
	assert_int_equal(weir_pci_info_of(d)->group, 6);
	assert_int_equal(weir_iodev_mode(weir_pci_iodev(d)), WEIR_MODE_CDEV);
	r = weir_iodev_report(weir_pci_iodev(d));
	assert_int_equal(r->chosen, WEIR_MODE_CDEV);
	assert_int_equal(r->usable[WEIR_MODE_CDEV], 0);
	assert_string_equal(r->id[WEIR_MODE_GROUP], "handed-in");
	weir_pci_close(d);
	/* It is really let go: whoever waits for the device gets it. */
	assert_int_equal(fake.devs[2].fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* Two devices on one address space, one of them named by its address. */
static void test_share(void **state)
{
	int io = launcher("iommu"), a = launcher("vfio/devices/vfio0");
	int b = launcher("vfio/devices/vfio1");
	struct weir_pci *d[2];

	(void)state;
	hide(false);
	assert_int_equal(weir_iommu_set_fd(iommu, io), 0);
	assert_int_equal(weir_pci_open_fd(iommu, a, &fv_bdf[0], NULL, &d[0]), 0);
	assert_int_equal(weir_pci_open_fd(iommu, b, NULL, NULL, &d[1]), 0);
	assert_ptr_equal(weir_iodev_ioas(weir_pci_iodev(d[0])),
			 weir_iodev_ioas(weir_pci_iodev(d[1])));
	weir_pci_close(d[0]);
	weir_pci_close(d[1]);
}

/* A container without /sys: the device works, what is unknown is said, and it is not made up. */
static void test_no_sysfs(void **state)
{
	int io = launcher("iommu"), fd = launcher("vfio/devices/vfio0");
	struct weir_pci *d;
	char name[16];

	(void)state;
	memcpy(fake.devs[0].config, "\x86\x80\xc9\x10", 4);
	hide(true);
	assert_int_equal(weir_iommu_set_fd(iommu, io), 0);
	assert_int_equal(weir_pci_open_fd(iommu, fd, NULL, NULL, &d), 0);
	snprintf(name, sizeof(name), "fd:%d", fd);
	assert_string_equal(weir_pci_name(d), name);
	assert_int_equal(weir_pci_info_of(d)->device, 0x10c9);
	assert_int_equal(weir_pci_info_of(d)->node, -1);
	assert_int_equal(weir_pci_info_of(d)->group, -1);
	assert_false(weir_iodev_has_sysdev(weir_pci_iodev(d)));
	weir_pci_close(d);
	/* With an address it is called so, on trust, which is said. */
	fs_put("", "dev/vfio/devices/vfio0");
	fd = launcher("vfio/devices/vfio0");
	assert_int_equal(weir_pci_open_fd(iommu, fd, &fv_bdf[0], NULL, &d), 0);
	assert_text("cannot be checked");
	assert_string_equal(weir_pci_name(d), "0000:03:00.0");
	assert_int_equal(weir_pci_info_of(d)->bdf.bus, 3);
	weir_pci_close(d);
}

static void test_refused(void **state)
{
	struct weir_pci *d = NULL;
	int io, fd, file;

	(void)state;
	fd = launcher("vfio/devices/vfio0");
	/* Another device than the one named. */
	assert_int_equal(weir_pci_open_fd(iommu, fd, &fv_bdf[1], NULL, &d), -EINVAL);
	assert_said("handed-in");
	assert_text("511:0, which is not that of 0000:03:00.1");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	/* A file, and none. */
	file = __real_memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(weir_pci_open_fd(iommu, file, NULL, NULL, &d), -EINVAL);
	assert_text("is no device");
	assert_int_equal(fcntl(file, F_GETFD), -1);
	assert_int_equal(weir_pci_open_fd(iommu, 1000, NULL, NULL, &d), -EBADF);
	/* A device where an iommufd belongs, one that is not open, and one that comes too late. */
	fd = launcher("vfio/devices/vfio0");
	assert_int_equal(weir_iommu_set_fd(iommu, fd), -EINVAL);
	assert_said("iommufd");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(weir_iommu_set_fd(iommu, 1000), -EBADF);
	assert_int_equal(weir_iommu_set_fd(iommu, launcher("iommu")), 0);
	io = launcher("iommu");
	assert_int_equal(weir_iommu_set_fd(iommu, io), -EBUSY);
	assert_int_equal(fcntl(io, F_GETFD), -1);
	assert_null(d);
}

/* --- memory --- */

static int memory(size_t size, unsigned seals)
{
	int fd = __real_memfd_create("packets", MFD_ALLOW_SEALING);

	assert_true(fd >= 0 && !__real_ftruncate(fd, (off_t)size));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void test_memory(void **state)
{
	struct weir_arena *a = NULL, *own;
	struct weir_arena_info i;
	int fd = memory(4u << 20, 0);

	(void)state;
	assert_int_equal(
		weir_arena_create(w, 1u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &own), 0);
	assert_int_equal(weir_arena_create_fd(w, fd, WEIR_ARENA_PRIVATE, &a), 0);
	i = weir_arena_info(a);
	assert_int_equal(i.size, 4u << 20);
	assert_int_equal(i.page_size, sysconf(_SC_PAGESIZE));
	assert_int_equal(i.fd, fd);
	assert_true(i.is_private);
	/* It cannot be pulled from under us, and it is the very memory. */
	assert_int_equal(__real_ftruncate(fd, 0), -1);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	strcpy(weir_arena_alloc(a, 64, 64), "shared");
	assert_int_equal(__real_pread(fd, (char[8]){ 0 }, 7, 0), 7);
	assert_ptr_equal(weir_arena_next(w, own), a);
	weir_arena_destroy(a);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	weir_arena_destroy(own);
}

static void test_memory_refused(void **state)
{
	static const struct {
		size_t size;
		unsigned seals;
		int err;
		const char *text;
	} rows[] = {
		{ 0, 0, -EINVAL, "whole pages" },
		{ 4097, 0, -EINVAL, "whole pages" },
		{ 8192, F_SEAL_SEAL, -EINVAL, "made shorter" },
		{ 8192, F_SEAL_WRITE, -EPERM, "cannot be placed" },
		{ 2ull << 30, 0, -ENOMEM, "cannot be placed" },
	};
	struct weir_arena *a = NULL;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		int fd = memory(rows[i].size, rows[i].seals);

		assert_int_equal(weir_arena_create_fd(w, fd, 0, &a), rows[i].err);
		assert_said("arena-fd");
		assert_text(rows[i].text);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
	}
	assert_int_equal(weir_arena_create_fd(w, open("/proc/self/exe", O_RDONLY), 0, &a), -EINVAL);
	assert_text("no memfd that can be sealed");
	assert_int_equal(weir_arena_create_fd(w, 1000, 0, &a), -EBADF);
	assert_int_equal(weir_arena_create_fd(w, -1, 0, &a), -EINVAL);
	assert_null(a);
}

/* --- the sweep --- */

static int claim(struct weir_iommu **io, struct weir_pci **d, struct weir_arena **a)
{
	int iofd = launcher("iommu"), fd = launcher("vfio/devices/vfio0");
	int mem = memory(1u << 20, 0), err;

	fake.calls = 0;
	fake.armed = true;
	err = weir_iommu_open(w, io);
	if (err)
		goto close_io;
	err = weir_arena_create_fd(w, mem, 0, a);
	if (err)
		goto close_io_dev;
	err = weir_iommu_set_fd(*io, iofd);
	if (err)
		goto close_dev;
	return weir_pci_open_fd(*io, fd, &fv_bdf[0], NULL, d);
	/* What was not handed over yet is the launcher's. */
close_io:
	close(mem);
close_io_dev:
	close(iofd);
close_dev:
	close(fd);
	return err;
}

static void test_sweep(void **state)
{
	unsigned fds = unit_fds(), maps = unit_maps(), failures = 0;

	(void)state;
	fake.fail_errno = ENOMEM;
	for (fake.fail_at = 1;; fake.fail_at++) {
		struct weir_iommu *io = NULL;
		struct weir_arena *a = NULL;
		struct weir_pci *d = NULL;
		int err;

		unit_hush();
		err = claim(&io, &d, &a);
		fake.armed = false;
		failures += err != 0;
		if (fake.calls < fake.fail_at)
			assert_int_equal(err, 0);
		weir_pci_close(d);
		weir_iommu_close(io);
		weir_arena_destroy(a);
		fake.dma_faults = 0;
		if (fv_live_fds() || fv_live_spaces() || fake.order_faults || unit_fds() != fds ||
		    unit_maps() != maps)
			fail_msg("call %u (%s) left %u of %u fds, %u spaces", fake.fail_at,
				 fake.failed, unit_fds(), fds, fv_live_spaces());
		if (fake.calls < fake.fail_at)
			break;
	}
	assert_true(failures > 8);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_open),	T(test_share),		T(test_no_sysfs), T(test_refused),
		T(test_memory), T(test_memory_refused), T(test_sweep),
	};

	return cmocka_run_group_tests_name("given", tests, NULL, NULL);
}
