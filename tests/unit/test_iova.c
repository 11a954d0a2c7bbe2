/* SPDX-License-Identifier: BSD-3-Clause */
/* Which IOVAs are allowed, which are taken, and where room is: arithmetic up to 2^64. */
#include "unit.h"

#include "iommu/iova.h"

/* What an IOMMU of 48 bits with VT-d's interrupt window says. */
static const struct weir_iova_range vtd[] = {
	{ 0, 0xfedfffff },
	{ 0xfef00000, (1ull << 48) - 1 },
};

static void test_allowed(void **state)
{
	static const struct weir_iova_range all = { 0, UINT64_MAX };

	(void)state;
	assert_true(weir_iova_allowed(vtd, 2, 0, 4096));
	assert_true(weir_iova_allowed(vtd, 2, 0xfedff000, 4096));
	assert_false(weir_iova_allowed(vtd, 2, 0xfedff000, 4097));
	assert_false(weir_iova_allowed(vtd, 2, 0xfee00000, 4096));
	assert_false(weir_iova_allowed(vtd, 2, 0xfee00000 - 4096, 0x200000));
	assert_true(weir_iova_allowed(vtd, 2, 0xfef00000, 1));
	assert_true(weir_iova_allowed(vtd, 2, (1ull << 48) - 4096, 4096));
	assert_false(weir_iova_allowed(vtd, 2, (1ull << 48) - 4096, 8192));
	assert_false(weir_iova_allowed(vtd, 2, 1ull << 48, 4096));
	assert_false(weir_iova_allowed(vtd, 2, 0, 0));
	assert_false(weir_iova_allowed(vtd, 0, 0, 4096));
	/* To the last byte there is, and past it. */
	assert_true(weir_iova_allowed(&all, 1, UINT64_MAX - 4095, 4096));
	assert_false(weir_iova_allowed(&all, 1, UINT64_MAX - 4095, 4097));
	assert_false(weir_iova_allowed(&all, 1, 4096, UINT64_MAX));
}

static void test_overlap(void **state)
{
	struct weir_iova_map high = { .iova = UINT64_MAX - 0xfff, .len = 0x1000 };
	struct weir_iova_map low = { .next = &high, .iova = 0x10000, .len = 0x2000 };

	(void)state;
	assert_null(weir_iova_overlap(NULL, 0, 4096));
	assert_null(weir_iova_overlap(&low, 0xf000, 0x1000));
	assert_ptr_equal(weir_iova_overlap(&low, 0xf000, 0x1001), &low);
	assert_ptr_equal(weir_iova_overlap(&low, 0x10000, 0x2000), &low);
	assert_ptr_equal(weir_iova_overlap(&low, 0x11fff, 1), &low);
	assert_null(weir_iova_overlap(&low, 0x12000, 0x1000));
	assert_ptr_equal(weir_iova_overlap(&low, 0, 1ull << 40), &low);
	assert_ptr_equal(weir_iova_overlap(&low, UINT64_MAX, 1), &high);
	assert_ptr_equal(weir_iova_overlap(&low, UINT64_MAX - 0x1fff, 0x1001), &high);
	assert_null(weir_iova_overlap(&low, UINT64_MAX - 0x1fff, 0x1000));
}

static void test_insert(void **state)
{
	struct weir_iova_map m[4] = {
		{ .iova = 3, .len = 1 },
		{ .iova = 1, .len = 1 },
		{ .iova = 4, .len = 1 },
		{ .iova = 2, .len = 1 },
	};
	struct weir_iova_map *list = NULL, *at;
	uint64_t want = 1;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		weir_iova_insert(&list, &m[i]);
	for (at = list; at; at = at->next)
		assert_int_equal(at->iova, want++);
	assert_int_equal(want, 5);
}

static void test_find(void **state)
{
	struct weir_iova_map b = { .iova = 0xfef00000, .len = 0x100000 };
	struct weir_iova_map a = { .next = &b, .iova = 0x1000, .len = 0x1000 };
	uint64_t at = 0;

	(void)state;
	/* Before, between and behind what is taken. */
	assert_int_equal(weir_iova_find(vtd, 2, &a, 0, 0x1000, 0x1000, &at), 0);
	assert_int_equal(at, 0);
	assert_int_equal(weir_iova_find(vtd, 2, &a, 0, 0x2000, 0x1000, &at), 0);
	assert_int_equal(at, 0x2000);
	assert_int_equal(weir_iova_find(vtd, 2, &a, 0x3001, 0x1000, 0x1000, &at), 0);
	assert_int_equal(at, 0x4000);
	/* Not into the interrupt window; what lies behind it is taken. */
	assert_int_equal(weir_iova_find(vtd, 2, &a, 0xfedff001, 0x1000, 0x1000, &at), 0);
	assert_int_equal(at, 0xff000000);
	/* 1 GiB aligned: the third GiB ends before the window, the fourth has it inside. */
	assert_int_equal(weir_iova_find(vtd, 2, &a, 0x80000001, 1u << 30, 1u << 30, &at), 0);
	assert_int_equal(at, 0x100000000);
	/* Too large, or too high. */
	assert_int_equal(weir_iova_find(vtd, 2, &a, 0, 1ull << 48, 0x1000, &at), -ENOSPC);
	assert_int_equal(weir_iova_find(vtd, 2, &a, 1ull << 48, 0x1000, 0x1000, &at), -ENOSPC);
	assert_int_equal(weir_iova_find(vtd, 2, &a, UINT64_MAX, 0x1000, 0x1000, &at), -ENOSPC);
	assert_int_equal(weir_iova_find(vtd, 0, &a, 0, 0x1000, 0x1000, &at), -ENOSPC);
}

static void test_find_at_the_end(void **state)
{
	static const struct weir_iova_range all = { 0, UINT64_MAX };
	struct weir_iova_map m = { .iova = UINT64_MAX - 0xfff, .len = 0x1000 };
	uint64_t at = 0;

	(void)state;
	assert_int_equal(weir_iova_find(&all, 1, NULL, UINT64_MAX - 0x1000, 0x1000, 0x1000, &at),
			 0);
	assert_int_equal(at, UINT64_MAX - 0xfff);
	/* Taken to the last byte: the search must not go on at 0. */
	assert_int_equal(weir_iova_find(&all, 1, &m, UINT64_MAX - 0xfff, 1, 1, &at), -ENOSPC);
	assert_int_equal(weir_iova_find(&all, 1, NULL, UINT64_MAX - 1, 1, 1ull << 63, &at),
			 -ENOSPC);
	assert_int_equal(weir_iova_find(&all, 1, NULL, 1, 1ull << 63, 1ull << 63, &at), 0);
	assert_int_equal(at, 1ull << 63);
	assert_int_equal(weir_iova_find(&all, 1, NULL, 1, UINT64_MAX, 1, &at), 0);
	assert_int_equal(at, 1);
}

/* --- against a model of 256 cells --- */

#define CELLS 256

struct world {
	bool allowed[CELLS], taken[CELLS];
	struct weir_iova_range r[CELLS];
	unsigned n;
	struct weir_iova_map m[CELLS], *list;
	uint64_t base; /* where the cells lie: the last world ends with 2^64 */
};

static void make_world(struct world *x, uint64_t *seed)
{
	memset(x, 0, sizeof(*x));
	x->base = unit_random(seed) % 3 ? unit_random(seed) % 8 * CELLS : 0ull - CELLS;
	for (unsigned i = 0; i < CELLS;) {
		unsigned len = weir_min_u(1 + unit_random(seed) % 60, CELLS - i);

		if (unit_random(seed) % 4) {
			x->r[x->n++] =
				(struct weir_iova_range){ x->base + i, x->base + i + len - 1 };
			memset(x->allowed + i, true, len);
		}
		/* Ranges that touch are still two. */
		i += len + (unit_random(seed) & 1);
	}
	for (unsigned i = 0; i < 12; i++) {
		unsigned at = unit_random(seed) % CELLS, len = 1 + unit_random(seed) % 20;

		len = weir_min_u(len, CELLS - at);
		if (memchr(x->taken + at, true, len))
			continue;
		memset(x->taken + at, true, len);
		x->m[i] = (struct weir_iova_map){ .iova = x->base + at, .len = len };
		weir_iova_insert(&x->list, &x->m[i]);
	}
}

static bool in_one_range(const struct world *x, uint64_t at, unsigned len)
{
	for (unsigned i = 0; i < x->n; i++)
		if (at >= x->r[i].start && at + len - 1 <= x->r[i].last)
			return true;
	return false;
}

static bool fits(const struct world *x, unsigned cell, unsigned len)
{
	return cell + len <= CELLS && !memchr(x->taken + cell, true, len) &&
	       in_one_range(x, x->base + cell, len);
}

static void test_model(void **state)
{
	uint64_t seed = 20260101, found = 0, full = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t min, at, align = 1ull << unit_random(&seed) % 6;
		unsigned len = 1 + unit_random(&seed) % 40, want;
		struct world x;
		int err;

		make_world(&x, &seed);
		min = x.base + unit_random(&seed) % CELLS;
		err = weir_iova_find(x.r, x.n, x.list, min, len, align, &at);
		for (want = 0; want < CELLS; want++)
			if (x.base + want >= min && !((x.base + want) & (align - 1)) &&
			    fits(&x, want, len))
				break;
		if (want == CELLS) {
			assert_int_equal(err, -ENOSPC);
			full++;
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(at - x.base, want);
		assert_true(weir_iova_allowed(x.r, x.n, at, len));
		assert_null(weir_iova_overlap(x.list, at, len));
		found++;
	}
	/* Both answers were put to the test. */
	assert_true(found > 1000 && full > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_allowed),		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_insert),		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_at_the_end), cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests_name("iova", tests, NULL, NULL);
}
