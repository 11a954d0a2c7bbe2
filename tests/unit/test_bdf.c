/* SPDX-License-Identifier: BSD-3-Clause */
/* PCI addresses as text. */
#include "unit.h"

#include "pci/pci.h"

static void test_good(void **state)
{
	static const struct {
		const char *text;
		struct weir_bdf bdf;
		const char *full;
	} good[] = {
		{ "0000:03:00.0", { 0, 3, 0, 0 }, "0000:03:00.0" },
		{ "03:00.0", { 0, 3, 0, 0 }, "0000:03:00.0" },
		{ "ff:1f.7", { 0, 255, 31, 7 }, "0000:ff:1f.7" },
		{ "00aB:Cd:1E.5", { 0xab, 0xcd, 0x1e, 5 }, "00ab:cd:1e.5" },
		{ "10000:e1:00.0", { 0x10000, 0xe1, 0, 0 }, "10000:e1:00.0" },
		{ "ffffffff:ff:1f.7", { 0xffffffff, 0xff, 0x1f, 7 }, "ffffffff:ff:1f.7" },
	};

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(good); i++) {
		struct weir_bdf b = { 1, 1, 1, 1 };
		char text[WEIR_BDF_LEN];

		assert_int_equal(weir_bdf_parse(good[i].text, &b), 0);
		assert_int_equal(b.domain, good[i].bdf.domain);
		assert_int_equal(b.bus, good[i].bdf.bus);
		assert_int_equal(b.dev, good[i].bdf.dev);
		assert_int_equal(b.fn, good[i].bdf.fn);
		weir_bdf_format(b, text);
		assert_string_equal(text, good[i].full);
	}
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"::",
		".",
		"03",
		"0000:03:00",
		"0000:03:00.",
		"0000:03:00.8",
		"0000:03:20.0",
		"0000:03:00.00",
		"0000:03:00.0 ",
		" 0000:03:00.0",
		"000:03:00.0",
		"0000:3:00.0",
		"0000:003:00.0",
		"0000:03:0.0",
		"0000:03:000.0",
		"000000000:03:00.0",
		"0000:03:00:0",
		"0000.03.00.0",
		"0000:03:00.g",
		"0x00:03:00.0",
		"-000:03:00.0",
		"0000:03:00.0\n",
		"0000:0000:03:00.0",
		"null:",
		"pcap:03:00.0",
		"vfio-user:/x.sock",
		"G000:03:00.0",
		"@@@@:03:00.0",
		"0000:`3:00.0",
	};

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		struct weir_bdf b = { 7, 7, 7, 7 };

		if (weir_bdf_parse(bad[i], &b) != -EINVAL)
			fail_msg("\"%s\" was taken for an address", bad[i]);
		/* Untouched. */
		assert_int_equal(b.domain + b.bus + b.dev + b.fn, 28);
	}
}

/* Every address comes back from its own text. */
static void test_round_trip(void **state)
{
	uint64_t seed = 99;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t v = unit_random(&seed);
		struct weir_bdf a = { .domain = (uint32_t)(v & 0x3ffff),
				      .bus = (uint8_t)(v >> 20),
				      .dev = v >> 28 & 31,
				      .fn = v >> 33 & 7 },
				b;
		char text[WEIR_BDF_LEN];

		weir_bdf_format(a, text);
		assert_int_equal(weir_bdf_parse(text, &b), 0);
		assert_true(a.domain == b.domain && a.bus == b.bus && a.dev == b.dev &&
			    a.fn == b.fn);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests_name("bdf", tests, NULL, NULL);
}
