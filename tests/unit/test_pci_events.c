/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and errors of an open device, in both modes: told once, and nothing is left of them. */
#include "fake_vfio.h"

#include "apps/fault.c"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct weir *w;
static struct weir_iommu *iommu;
static struct weir_pci *dev;
static unsigned fds_before;

#define BOTH (WEIR_PCI_EVENT_REQUEST | WEIR_PCI_EVENT_ERROR)

static int setup(void **state)
{
	fv_begin();
	fds_before = unit_fds();
	w = fs_weir();
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	assert_int_equal(weir_pci_open(iommu, fv_bdf[0], *(enum weir_mode *)*state, NULL, &dev), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_pci_close(dev);
	weir_iommu_close(iommu);
	weir_close(w);
	fv_check_empty();
	assert_int_equal(fv_maps(), 0);
	assert_int_equal(unit_fds(), fds_before);
	fs_end();
	return 0;
}

/* As the kernel does it. */
static void signal_event(unsigned i)
{
	uint64_t one = 1;

	assert_true(fake.devs[0].events[i] >= 0);
	assert_int_equal(write(fake.devs[0].events[i], &one, sizeof(one)), sizeof(one));
}

static void test_watch(void **state)
{
	unsigned fds = unit_fds();

	(void)state;
	assert_int_equal(weir_pci_events(dev), 0);
	assert_int_equal(weir_pci_event_fd(dev, WEIR_PCI_EVENT_REQUEST), -EINVAL);
	assert_int_equal(weir_pci_watch(dev), BOTH);
	assert_int_equal(weir_pci_watch(dev), BOTH);
	assert_int_equal(unit_fds(), fds + 2);
	assert_int_equal(weir_pci_event_fd(dev, WEIR_PCI_EVENT_ERROR), fake.devs[0].events[0]);
	assert_int_equal(weir_pci_event_fd(dev, WEIR_PCI_EVENT_REQUEST), fake.devs[0].events[1]);
	assert_int_equal(weir_pci_events(dev), 0);
	/* The kernel asks again and again; it is told once a look. */
	signal_event(1);
	signal_event(1);
	assert_int_equal(weir_pci_events(dev), WEIR_PCI_EVENT_REQUEST);
	assert_int_equal(weir_pci_events(dev), 0);
	signal_event(0);
	signal_event(1);
	assert_int_equal(weir_pci_events(dev), BOTH);
	/* Other interrupts are none of its business. */
	assert_int_equal(weir_pci_msix(dev, 2), 0);
	assert_int_equal(weir_pci_msix(dev, 0), 0);
	assert_true(fake.devs[0].events[1] >= 0);
}

/* A conventional PCI device has no error interrupt: requests come all the same. */
static void test_no_aer(void **state)
{
	(void)state;
	fake.no_aer = true;
	assert_int_equal(weir_pci_watch(dev), WEIR_PCI_EVENT_REQUEST);
	assert_int_equal(weir_pci_event_fd(dev, WEIR_PCI_EVENT_ERROR), -EINVAL);
	signal_event(1);
	assert_int_equal(weir_pci_events(dev), WEIR_PCI_EVENT_REQUEST);
}

/* Each call on the way fails in turn: what could not be had is left out, and no eventfd with it. */
static void test_sweep(void **state)
{
	unsigned fds = unit_fds();

	(void)state;
	fake.fail_errno = EMFILE;
	for (fake.fail_at = 1;; fake.fail_at++) {
		int got, open = 0;

		fake.calls = 0;
		fake.armed = true;
		got = weir_pci_watch(dev);
		fake.armed = false;
		if (fake.calls < fake.fail_at)
			break;
		for (unsigned i = 0; i < 2; i++)
			open += fake.devs[0].events[i] >= 0;
		assert_int_not_equal(got, BOTH);
		assert_int_equal(unit_fds(), fds + (unsigned)open);
		if (got >= 0)
			assert_int_equal(got, (fake.devs[0].events[0] >= 0) * 2 |
						      (fake.devs[0].events[1] >= 0));
		weir_pci_close(dev);
		assert_int_equal(fake.devs[0].events[0] & fake.devs[0].events[1], -1);
		assert_int_equal(
			weir_pci_open(iommu, fv_bdf[0], *(enum weir_mode *)*state, NULL, &dev), 0);
	}
	assert_int_equal(fake.fail_at, 9); /* count, eventfd, calloc, set: twice */
}

/* Vectors that stay keep their eventfds when the number changes: somebody may wait on them. */
static void test_vectors_stay(void **state)
{
	int link;

	(void)state;
	assert_int_equal(weir_pci_msix(dev, 1), 0);
	link = weir_pci_msix_fd(dev, 0);
	assert_int_equal(weir_pci_msix(dev, 5), 0);
	assert_int_equal(fake.devs[0].irqs, 5);
	assert_int_equal(weir_pci_msix_fd(dev, 0), link);
	assert_int_equal(weir_pci_msix(dev, 1), 0);
	assert_int_equal(fake.devs[0].irqs, 1);
	assert_int_equal(weir_pci_msix_fd(dev, 0), link);
	assert_int_equal(weir_pci_msix_fd(dev, 1), -EINVAL);
}

/* --- BARs that vanish --- */

/* The fake's BARs are pages of the file behind the device's fd: cut off, they fault. */
static volatile uint32_t *vanishing_bar(void)
{
	struct weir_bar b;

	assert_int_equal(weir_pci_bar(dev, 0, &b), 0);
	((volatile uint32_t *)b.va)[1] = 0x1234;
	assert_int_equal(__real_ftruncate(fake.devs[0].fd, 0), 0);
	return b.va;
}

static void test_bar_gone(void **state)
{
	volatile uint32_t *bar;
	uint32_t v = 0;

	(void)state;
	fault_catch(iommu);
	bar = vanishing_bar();
	assert_int_equal(weir_pci_events(dev), 0);
	assert_int_equal(bar[1], UINT32_MAX);
	assert_int_equal(weir_pci_events(dev), WEIR_PCI_EVENT_FAULT);
	assert_int_equal(bar[FV_BAR / 4 - 1], UINT32_MAX);
	assert_int_equal(weir_pci_reg_read32(dev, 0, 8, &v), 0);
	assert_int_equal(v, UINT32_MAX);
	/* Writes go nowhere that matters. */
	bar[2] = 7;
	fault_release();
}

/* From the end, which is filled last. */
static void *touch(void *arg)
{
	volatile uint32_t *bar = arg;

	for (unsigned i = FV_BAR / 4; i-- > 0;)
		if (bar[i] != UINT32_MAX)
			return (void *)&bar[i];
	return NULL;
}

/* Several threads at once: each sees ones, none the zeroes of fresh memory. */
static void test_bar_gone_threads(void **state)
{
	fault_catch(iommu);
	for (unsigned round = 0; round < 100; round++) {
		volatile uint32_t *bar = vanishing_bar();
		pthread_t t[4];

		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&t[i], NULL, touch, (void *)(uintptr_t)bar),
					 0);
		for (unsigned i = 0; i < 4; i++) {
			void *bad;

			pthread_join(t[i], &bad);
			assert_null(bad);
		}
		weir_pci_close(dev);
		assert_int_equal(
			weir_pci_open(iommu, fv_bdf[0], *(enum weir_mode *)*state, NULL, &dev), 0);
	}
	fault_release();
}

/* Any other SIGBUS ends the process as ever: in memory that is no BAR, and one that was sent. */
static void test_other_fault(void **state)
{
	(void)state;
	for (unsigned sent = 0; sent < 2; sent++) {
		pid_t pid = fork();
		int st;

		if (!pid) {
			struct rlimit none = { 0, 0 };
			char *p = __real_mmap(NULL, 4096, PROT_READ, MAP_SHARED,
					      __real_memfd_create("short", 0), 0);

			setrlimit(RLIMIT_CORE, &none);
			fault_catch(iommu);
			if (sent)
				raise(SIGBUS);
			else
				_exit(*(volatile char *)p);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &st, 0), pid);
		assert_true(WIFSIGNALED(st) && WTERMSIG(st) == SIGBUS);
	}
	assert_false(weir_iommu_bus_fault(iommu, NULL));
	assert_false(weir_iommu_bus_fault(iommu, &fake));
}

static enum weir_mode modes[] = { WEIR_MODE_CDEV, WEIR_MODE_GROUP };

#define T(name, m)                                      \
	{                                               \
#name, name, setup, teardown, &modes[m] \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_watch, 0),
		T(test_watch, 1),
		T(test_no_aer, 0),
		T(test_no_aer, 1),
		T(test_sweep, 0),
		T(test_sweep, 1),
		T(test_vectors_stay, 0),
		T(test_vectors_stay, 1),
		T(test_bar_gone, 0),
		T(test_bar_gone, 1),
		T(test_bar_gone_threads, 0),
		T(test_other_fault, 0),
	};

	return cmocka_run_group_tests_name("pci_events", tests, NULL, NULL);
}
