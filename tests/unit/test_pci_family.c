/* SPDX-License-Identifier: BSD-3-Clause */
/* A device's group, its bridges, and the requester ids that these put in the place of its own. */
#include "fake_sysfs.h"

#include "pci/pci.h"

static struct weir *w;
static const struct weir_bdf nic = { .bus = 3 };

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

static void link_bridge(const char *above, const char *name)
{
	char at[300], to[300];

	snprintf(at, sizeof(at), "sys/devices/pci0000:00%s/%s", above, name);
	snprintf(to, sizeof(to), "sys/bus/pci/devices/%s", name);
	fs_link(at, to);
}

/* A bridge below @above ("" for the root), with its PCIe port type, or -1 for a conventional one. */
static void bridge(const char *above, const char *name, int type, const char *secondary)
{
	char c[256] = { [0x34] = 0x40 }, at[300], path[PATH_MAX];
	FILE *f;

	c[0x40] = type < 0 ? 0x01 : 0x10;
	c[0x42] = (char)(type < 0 ? 0 : type << 4 | 2);
	snprintf(at, sizeof(at), "sys/devices/pci0000:00%s/%s/secondary_bus_number", above, name);
	fs_put(secondary, at);
	snprintf(at, sizeof(at), "sys/devices/pci0000:00%s/%s/config", above, name);
	fs_put("", at);
	fs_path(path, "%s", at);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(c, 1, sizeof(c), f), sizeof(c));
	fclose(f);
	link_bridge(above, name);
}

static void device(const char *above)
{
	char at[300];

	snprintf(at, sizeof(at), "sys/devices/pci0000:00%s/0000:03:00.0/vendor", above);
	fs_put("0x8086\n", at);
	snprintf(at, sizeof(at), "sys/devices/pci0000:00%s/0000:03:00.0", above);
	fs_link(at, "sys/bus/pci/devices/0000:03:00.0");
}

static void expect(unsigned n, const char *first, const char *second)
{
	struct weir_bdf a[2];
	char name[WEIR_BDF_LEN];

	assert_int_equal(weir_pci_aliases(w, nic, a, 2), n);
	if (n > 0) {
		weir_bdf_format(a[0], name);
		assert_string_equal(name, first);
	}
	if (n > 1) {
		weir_bdf_format(a[1], name);
		assert_string_equal(name, second);
	}
}

static void test_express(void **state)
{
	struct weir_bdf up;

	(void)state;
	bridge("", "0000:00:1c.0", 4, "1\n");
	bridge("/0000:00:1c.0", "0000:01:00.0", 5, "2\n");
	bridge("/0000:00:1c.0/0000:01:00.0", "0000:02:00.0", 6, "3\n");
	device("/0000:00:1c.0/0000:01:00.0/0000:02:00.0");
	expect(0, NULL, NULL);
	assert_int_equal(weir_pci_parent(w, nic, &up), 0);
	assert_int_equal(up.bus, 2);
	assert_int_equal(weir_pci_parent(w, up, &up), 0);
	assert_int_equal(weir_pci_parent(w, up, &up), 0);
	assert_int_equal(up.dev, 0x1c);
	assert_int_equal(weir_pci_parent(w, up, &up), -ENOENT);
}

static void test_conventional(void **state)
{
	(void)state;
	/* Below a bridge from PCI Express to PCI: (secondary bus, 0, 0). */
	bridge("", "0000:00:1c.0", 4, "2\n");
	bridge("/0000:00:1c.0", "0000:02:00.0", 7, "5\n");
	device("/0000:00:1c.0/0000:02:00.0");
	expect(1, "0000:05:00.0", NULL);
	/* The device itself stands there: no other id. */
	bridge("/0000:00:1c.0", "0000:02:00.0", 7, "3\n");
	expect(0, NULL, NULL);
	/* A conventional bridge below that: its own id, and then the other's. */
	bridge("/0000:00:1c.0", "0000:02:00.0", 7, "5\n");
	bridge("/0000:00:1c.0/0000:02:00.0", "0000:05:01.0", -1, "3\n");
	fs_remove("sys/bus/pci/devices/0000:03:00.0");
	device("/0000:00:1c.0/0000:02:00.0/0000:05:01.0");
	expect(2, "0000:05:01.0", "0000:05:00.0");
}

static void test_group(void **state)
{
	struct weir_bdf b[2] = { { .bus = 9 }, { .bus = 9 } };

	(void)state;
	fs_add("0000:03:00.0", -1, "igb");
	assert_int_equal(weir_pci_members(w, nic, b, 2), -ENODEV);
	fs_remove("sys/bus/pci/devices/0000:03:00.0");
	fs_add("0000:03:00.0", 7, "igb");
	assert_int_equal(weir_pci_members(w, nic, b, 2), 0);
	fs_add("0000:04:00.1", 7, "igb");
	fs_add("0000:04:00.0", 7, "");
	fs_add("0000:02:00.0", 7, "");
	fs_add("0000:05:00.0", 8, "");
	assert_int_equal(weir_pci_members(w, nic, b, 1), 3);
	assert_int_equal(b[0].bus, 2);
	assert_int_equal(b[1].bus, 9); /* no room, not written */
	assert_int_equal(weir_pci_members(w, nic, b, 2), 3);
	assert_int_equal(b[1].fn, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_express), T(test_conventional), T(test_group) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
