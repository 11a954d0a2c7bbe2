/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the IOMMU's tables as VT-d's debugfs shows them. */
#include "fake_sysfs.h"

#include "apps/iopages.h"

#define DIR_OF_DEV "sys/kernel/debug/iommu/intel/0000:03:00.0/"

/* One leaf of each size, and lines that are none. */
static const char table[] =
	"Device 0000:03:00.0 @0x10a4c000\n"
	"IOVA_PFN\t\tPML5E\t\t\tPML4E\t\t\tPDPE\t\t\tPDE\t\t\tPTE\n"
	"0x0000000040000 |\t0x0000000000000000\t0x0000000010a4d027\t0x0000000040000083\n"
	"0x0000000100000 |\t0x0000000000000000\t0x0000000010a4d027\t0x0000000010a4e027\t0x0000000012c00083\n"
	"0x0000000100200 |\t0x0000000000000000\t0x0000000010a4d027\t0x0000000010a4e027\t0x0000000012e00083\n"
	"0x0000000100400 |\t0x0000000000000000\t0x0000000010a4d027\t0x0000000010a4e027\t0x0000000010a4f027\t0x0000000011111003\n"
	"nonsense | 0x1 0x2\n";

static struct weir *w;

static int setup(void **state)
{
	(void)state;
	fs_begin();
	w = fs_weir();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_close(w);
	fs_end();
	return 0;
}

static void expect(uint32_t pasid, uint64_t iova, uint64_t len, unsigned g, unsigned m, unsigned k)
{
	struct iopages p;

	assert_int_equal(iopages_read(w, "0000:03:00.0", pasid, iova, len, &p), 0);
	assert_int_equal(p.n[IOPAGE_1G], g);
	assert_int_equal(p.n[IOPAGE_2M], m);
	assert_int_equal(p.n[IOPAGE_4K], k);
}

static void test_counts(void **state)
{
	(void)state;
	fs_put(table, DIR_OF_DEV "domain_translation_struct");
	expect(0, 0, 1ull << 40, 1, 2, 1);
	/* Only what lies in the range; a leaf counts when part of it does. */
	expect(0, 0x100000000, 4 << 20, 0, 2, 0);
	expect(0, 0x100400000, 4096, 0, 0, 1);
	expect(0, 0x100401000, 4096, 0, 0, 0);
	expect(0, 0x7ffff000, 4096, 1, 0, 0);
	expect(0, 0x1001ff000, 8192, 0, 2, 0);
}

static void test_pasid(void **state)
{
	struct iopages p;

	(void)state;
	assert_int_equal(iopages_read(w, "0000:03:00.0", 0, 0, 1, &p), -ENOENT);
	/* The kernel names the folder of a PASID in hexadecimal. */
	fs_put(table, DIR_OF_DEV "1f/domain_translation_struct");
	assert_int_equal(iopages_read(w, "0000:03:00.0", 0, 0, 1, &p), -ENOENT);
	expect(31, 0, 1ull << 40, 1, 2, 1);
}

static void test_size(void **state)
{
	char s[32];

	(void)state;
	assert_string_equal(iopages_size(0, s, sizeof(s)), "0 B");
	assert_string_equal(iopages_size(4096, s, sizeof(s)), "4 KiB");
	assert_string_equal(iopages_size(14 << 20, s, sizeof(s)), "14 MiB");
	assert_string_equal(iopages_size(3ull << 30, s, sizeof(s)), "3 GiB");
	assert_string_equal(iopages_size((1 << 20) + 4096, s, sizeof(s)), "1028 KiB");
	assert_string_equal(iopages_size(1ull << 50, s, sizeof(s)), "1024 TiB");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_counts), T(test_pasid), T(test_size) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
