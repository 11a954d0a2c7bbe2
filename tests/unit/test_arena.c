/* SPDX-License-Identifier: BSD-3-Clause */
/* The window, the arenas in it and what is carved out of them; nothing may be left behind. */
#include "unit.h"

#include "core/arena.c"

#define MIB (1u << 20)

static bool in_window(struct weir *w, const struct weir_arena *a)
{
	struct weir_arena_info i = weir_arena_info(a);
	struct weir_window win = weir_window(w);

	return i.base >= win.base && i.base + i.size <= win.base + win.size;
}

static struct weir_arena *small(struct weir *w, size_t size)
{
	struct weir_arena *a;

	assert_int_equal(weir_arena_create(w, size, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &a), 0);
	assert_true(in_window(w, a));
	return a;
}

static void test_window(void **state)
{
	static const size_t bad[] = { 1, 1u << 29, (1u << 30) + 1, 3ull << 30, 512ull << 30 };
	struct weir_opts o = { .log = unit_log };
	struct weir *w = NULL;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		unit_hush();
		o.window_size = bad[i];
		assert_int_equal(weir_open(&o, &w), -EINVAL);
		assert_said("window");
		assert_null(w);
	}
	for (size_t size = 1u << 30; size <= 16ull << 30; size <<= 2) {
		o.window_size = size;
		assert_int_equal(weir_open(&o, &w), 0);
		assert_int_equal(weir_window(w).size, size);
		assert_int_equal((uintptr_t)weir_window(w).base % (1u << 30), 0);
		weir_close(w);
	}
	assert_int_equal(weir_open(NULL, &w), 0);
	assert_int_equal(weir_window(w).size, 16ull << 30);
	assert_string_equal(weir_sysfs(w), "/sys");
	assert_string_equal(weir_run(w), "/run/weir");
	weir_close(w);
	weir_close(NULL);
}

static void test_log(void **state)
{
	struct weir_opts o = { .log = unit_log, .window_size = 1u << 30 };
	char longer[3000];
	struct weir *w;

	(void)state;
	assert_int_equal(weir_open(&o, &w), 0);
	unit_hush();
	weir_info(w, "not delivered by default");
	weir_debug(w, "nor this");
	assert_int_equal(said.n, 0);
	weir_warn(w, "%d warnings", 1);
	assert_string_equal(said.text, "1 warnings");
	assert_int_equal(weir_fail(w, 0, "x", "no errno given"), -EIO);
	assert_int_equal(weir_fail(w, ENOENT, "x", "positive"), -ENOENT);
	assert_int_equal(weir_fail(w, -ENOENT, "x", "negative"), -ENOENT);
	/* Longer than a line: cut, not overrun. */
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	weir_log(w, WEIR_LOG_ERR, "long", "%s", longer);
	assert_true(strlen(said.text) > 500 && strlen(said.text) < sizeof(said.text));
	assert_string_equal(weir_strerror(-ENOENT), weir_strerror(ENOENT));
	assert_string_equal(weir_strerror(99999), "unknown error");
	weir_close(w);
}

static void test_arguments(void **state)
{
	static const struct {
		size_t size;
		int node;
		unsigned flags;
	} bad[] = {
		{ 0, WEIR_NODE_ANY, 0 },
		{ (1u << 30) + 1, WEIR_NODE_ANY, 0 },
		{ SIZE_MAX, WEIR_NODE_ANY, 0 },
		{ 4096, -2, 0 },
		{ 4096, WEIR_NODE_ANY, WEIR_ARENA_HUGE_ONLY | WEIR_ARENA_SMALL_PAGES },
	};
	struct weir *w = unit_weir();
	struct weir_arena *a = NULL;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		unit_hush();
		assert_int_equal(weir_arena_create(w, bad[i].size, bad[i].node, bad[i].flags, &a),
				 -EINVAL);
		assert_said("arena");
		assert_null(a);
	}
	weir_arena_destroy(NULL);
	weir_close(w);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = { 1, 4095, 4096, 4097, MIB, 3 * MIB + 1 };
	struct weir *w = unit_weir();

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(sizes); i++) {
		struct weir_arena *a = small(w, sizes[i]);
		struct weir_arena_info info = weir_arena_info(a);
		off_t end = lseek(info.fd, 0, SEEK_END);

		assert_int_equal(info.size, WEIR_ALIGN_UP(sizes[i], 4096));
		assert_int_equal(info.page_size, 4096);
		assert_int_equal(end, info.size);
		assert_int_equal(fcntl(info.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		/* All of it is there, and the fd is the same memory. */
		memset(info.base, 0x5a, info.size);
		assert_int_equal(pread(info.fd, &(char){ 0 }, 1, (off_t)info.size - 1), 1);
		assert_ptr_equal(weir_arena_handle(a), w);
		weir_arena_destroy(a);
	}
	assert_null(weir_arena_next(w, NULL));
	weir_close(w);
}

/* Arenas do not overlap, are walked by address, and a gap is used again. */
static void test_gaps(void **state)
{
	struct weir *w = unit_weir();
	struct weir_arena *a[8], *walk = NULL;
	char *gap;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		a[i] = small(w, (i + 1) * MIB);
		memset(weir_arena_info(a[i]).base, (int)i, weir_arena_info(a[i]).size);
	}
	for (unsigned i = 0; i < 8; i++) {
		struct weir_arena_info info = weir_arena_info(a[i]);

		walk = weir_arena_next(w, walk);
		assert_ptr_equal(walk, a[i]);
		assert_int_equal(info.base[0], i);
		assert_int_equal(info.base[info.size - 1], i);
	}
	assert_null(weir_arena_next(w, walk));
	gap = weir_arena_info(a[3]).base;
	weir_arena_destroy(a[3]);
	weir_arena_destroy(a[0]);
	/* Too large for either hole, then just right. */
	a[0] = small(w, 5 * MIB);
	assert_true(weir_arena_info(a[0]).base > weir_arena_info(a[7]).base);
	a[3] = small(w, 4 * MIB);
	assert_ptr_equal(weir_arena_info(a[3]).base, gap);
	for (unsigned i = 4; i < 8; i++)
		assert_int_equal(weir_arena_info(a[i]).base[0], i);
	weir_close(w);
}

static void test_window_full(void **state)
{
	struct weir *w = unit_weir();
	struct weir_arena *a, *b = NULL;

	(void)state;
	/* A file that large is sparse until it is touched: fill the book, not the machine. */
	a = calloc(1, sizeof(*a));
	a->w = w;
	a->base = weir_window(w).base;
	a->size = weir_window(w).size - MIB;
	w->arenas = a;
	assert_int_equal(weir_arena_create(w, 2 * MIB, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &b),
			 -ENOMEM);
	assert_said("window-full");
	assert_text("window_size");
	assert_null(b);
	assert_ptr_equal(w->arenas, a);
	w->arenas = NULL;
	free(a);
	weir_close(w);
}

/* With pages as large as 1 GiB the next place for one may lie past the next arena. */
static void test_gap_with_huge_alignment(void **state)
{
	const size_t gib = 1ull << 30;
	struct weir_arena c = { .size = gib }, b = { .size = 2 * MIB, .next = &c };
	struct weir_arena a = { .size = 2 * MIB, .next = &b }, **link;
	struct weir_opts o = { .window_size = 4 * gib };
	struct weir *w;
	char *at;

	(void)state;
	assert_int_equal(weir_open(&o, &w), 0);
	a.base = w->win.base;
	b.base = a.base + 4 * MIB;
	c.base = a.base + gib;
	w->arenas = &a;
	at = find_gap(w, gib, gib, &link);
	assert_ptr_equal(at, w->win.base + 2 * gib);
	assert_ptr_equal(link, &c.next);
	/* A page of 2 MiB goes between a and b. */
	at = find_gap(w, 2 * MIB, 2 * MIB, &link);
	assert_ptr_equal(at, a.base + 2 * MIB);
	assert_ptr_equal(link, &a.next);
	w->arenas = NULL;
	weir_close(w);
}

static void test_alloc(void **state)
{
	struct weir *w = unit_weir();
	struct weir_arena *a = small(w, MIB);
	char *p, *q;

	(void)state;
	assert_null(weir_arena_alloc(a, 0, 64));
	assert_null(weir_arena_alloc(a, 64, 48));
	assert_null(weir_arena_alloc(a, 64, 0));
	assert_null(weir_arena_alloc(a, MIB + 1, 64));
	assert_null(weir_arena_alloc(a, SIZE_MAX, 64));
	memset(weir_arena_info(a).base, 0xff, MIB);
	p = weir_arena_alloc(a, 1, 1);
	assert_non_null(p);
	assert_int_equal(weir_arena_info(a).used, 64);
	assert_int_equal(*p, 0);
	q = weir_arena_alloc(a, 100, 4096);
	assert_int_equal((uintptr_t)q % 4096, 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(q[i], 0);
	assert_null(weir_arena_alloc(a, MIB, 64));
	weir_arena_free(a, p);
	weir_arena_free(a, NULL);
	unit_hush();
	weir_arena_free(a, p);
	assert_said("arena-free");
	weir_arena_free(a, q);
	/* All merged again: the whole arena is one piece. */
	assert_int_equal(weir_arena_info(a).used, 0);
	p = weir_arena_alloc(a, MIB, 4096);
	assert_ptr_equal(p, weir_arena_info(a).base);
	weir_arena_free(a, p);
	weir_close(w);
}

/* Against a plain model: pieces lie apart, are aligned and zeroed; afterwards all is one piece. */
static void test_alloc_model(void **state)
{
	struct {
		unsigned char *p;
		size_t size;
	} have[64] = { { NULL, 0 } };
	struct weir *w = unit_weir();
	struct weir_arena *a = small(w, MIB);
	uint64_t seed = 7;
	unsigned made = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = (unsigned)(unit_random(&seed) % WEIR_ARRAY_SIZE(have));

		if (have[i].p) {
			for (size_t k = 0; k < have[i].size; k++)
				assert_int_equal(have[i].p[k], i + 1);
			weir_arena_free(a, have[i].p);
			have[i].p = NULL;
			continue;
		}
		size_t align = 1ull << unit_random(&seed) % 14;

		have[i].size = 1 + unit_random(&seed) % 40000;
		have[i].p = weir_arena_alloc(a, have[i].size, align);
		if (!have[i].p)
			continue;
		made++;
		assert_int_equal((uintptr_t)have[i].p % align, 0);
		for (size_t k = 0; k < have[i].size; k++)
			assert_int_equal(have[i].p[k], 0);
		memset(have[i].p, (int)i + 1, have[i].size);
	}
	assert_true(made > 1000);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(have); i++)
		weir_arena_free(a, have[i].p);
	assert_int_equal(weir_arena_info(a).used, 0);
	assert_non_null(weir_arena_alloc(a, MIB, 64));
	weir_close(w);
}

/* A ring must be in one piece for a device that sees physical pages. */
static void test_whole(void **state)
{
	static const weir_iova_t pages[] = { 0, 2 * WEIR_DMA_PAGE, 9 * WEIR_DMA_PAGE,
					     10 * WEIR_DMA_PAGE };
	struct weir *w = unit_weir();
	struct weir_arena *a = small(w, 8 * MIB);
	char *base = weir_arena_info(a).base, *p, *q;
	struct weir_dma dma = { .va_base = base, .iova_base = 1u << 30 };

	(void)state;
	p = weir_arena_alloc(a, WEIR_DMA_PAGE * 3 / 4, 64);
	q = weir_arena_alloc(a, WEIR_DMA_PAGE / 2, 64);
	assert_ptr_equal(p, base);
	assert_ptr_equal(q, base + WEIR_DMA_PAGE);
	/* What is left before it is not lost, and what fits no page goes where there is room. */
	assert_ptr_equal(weir_arena_alloc(a, WEIR_DMA_PAGE / 4, 64), p + WEIR_DMA_PAGE * 3 / 4);
	assert_ptr_equal(weir_arena_alloc(a, WEIR_DMA_PAGE + 64, 64), q + WEIR_DMA_PAGE / 2);
	assert_true(weir_dma_whole(&dma, base, 8 * MIB));
	assert_int_equal(weir_dma_iova(&dma, q), dma.iova_base + WEIR_DMA_PAGE);
	dma.pages = pages;
	assert_int_equal(weir_dma_iova(&dma, base + 3 * WEIR_DMA_PAGE + 7), 10 * WEIR_DMA_PAGE + 7);
	assert_true(weir_dma_whole(&dma, base, WEIR_DMA_PAGE));
	assert_false(weir_dma_whole(&dma, base, WEIR_DMA_PAGE + 1));
	assert_false(weir_dma_whole(&dma, base + 2 * WEIR_DMA_PAGE - 1, 2));
	assert_true(weir_dma_whole(&dma, base + 2 * WEIR_DMA_PAGE, 2 * WEIR_DMA_PAGE));
	weir_close(w);
}

/* --- hugepages --- */

static bool machine_has_hugepages(struct weir *w)
{
	size_t huge = huge_size(w);

	return huge == 2 * MIB && huge_free(w, WEIR_NODE_ANY, huge) >= 2;
}

static void test_hugepages(void **state)
{
	struct weir *w = unit_weir();
	struct weir_arena *a;
	long before;

	(void)state;
	if (!machine_has_hugepages(w)) {
		weir_close(w);
		skip();
	}
	before = huge_free(w, WEIR_NODE_ANY, 2 * MIB);
	assert_int_equal(weir_arena_create(w, 3 * MIB, WEIR_NODE_ANY, WEIR_ARENA_HUGE_ONLY, &a), 0);
	assert_int_equal(weir_arena_info(a).page_size, 2 * MIB);
	assert_int_equal(weir_arena_info(a).size, 4 * MIB);
	assert_int_equal(huge_free(w, WEIR_NODE_ANY, 2 * MIB), before - 2);
	memset(weir_arena_info(a).base, 1, 4 * MIB);
	weir_arena_destroy(a);
	assert_int_equal(huge_free(w, WEIR_NODE_ANY, 2 * MIB), before);
	weir_close(w);
}

static void put_meminfo(const char *dir, const char *text)
{
	char path[80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/meminfo", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_fallback(void **state)
{
	char dir[] = "/tmp/weir-arena-XXXXXX", path[80];
	struct weir_opts o = { .log = unit_log, .window_size = 1u << 30, .proc = dir };
	struct weir_arena *a, *b, *c = NULL;
	struct weir *w;

	(void)state;
	unit_hush();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(weir_open(&o, &w), 0);
	/* Of a size that this processor does not have: asking for them fails on any machine. */
	put_meminfo(dir, "MemTotal: 1 kB\nHugepagesize:       8192 kB\n");
	assert_int_equal(weir_arena_create(w, MIB, WEIR_NODE_ANY, 0, &a), 0);
	assert_int_equal(weir_arena_info(a).page_size, 4096);
	assert_said("hugepages");
	assert_text("hugeadm --pool-pages-min 8192KB:+1");
	assert_int_equal(said.n, 1);
	/* Once a handle. */
	assert_int_equal(weir_arena_create(w, MIB, WEIR_NODE_ANY, 0, &b), 0);
	assert_int_equal(said.n, 1);
	/* Refusal, with the node named. */
	assert_int_equal(weir_arena_create(w, 20 * MIB, 0, WEIR_ARENA_HUGE_ONLY, &c), -ENOMEM);
	assert_int_equal(said.n, 2);
	assert_said("hugepages");
	assert_text("on NUMA node 0");
	assert_text("8192KB:+3");
	assert_text("refused");
	assert_null(c);
	/* A kernel without hugepages at all. */
	put_meminfo(dir, "MemTotal: 1 kB\n");
	unit_hush();
	assert_int_equal(weir_arena_create(w, MIB, WEIR_NODE_ANY, WEIR_ARENA_HUGE_ONLY, &c),
			 -ENOMEM);
	assert_said("hugepages");
	unit_hush();
	assert_int_equal(weir_arena_create(w, MIB, WEIR_NODE_ANY, 0, &c), 0);
	assert_int_equal(said.n, 0);
	weir_close(w);
	snprintf(path, sizeof(path), "%s/meminfo", dir);
	unlink(path);
	rmdir(dir);
}

static void test_nothing_left(void **state)
{
	unsigned fds = unit_fds(), maps = unit_maps();

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		struct weir *w = unit_weir();

		for (unsigned i = 0; i < 4; i++)
			weir_arena_alloc(small(w, (i + 1) * MIB), 5000, 64);
		assert_int_equal(unit_fds(), fds + 4);
		assert_true(unit_maps() > maps);
		/* One destroyed by hand, the rest by the handle. */
		weir_arena_destroy(weir_arena_next(w, NULL));
		weir_close(w);
		assert_int_equal(unit_fds(), fds);
		assert_int_equal(unit_maps(), maps);
	}
}

/* A device that is a process has the file, too: it must neither cut it short nor seal it for others. */
static void test_sealed(void **state)
{
	struct weir *w = unit_weir();
	struct weir_arena *a = small(w, MIB);
	int fd = weir_arena_info(a).fd;

	(void)state;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	weir_arena_destroy(a);
	weir_close(w);
}

/* Two handles in one process do not know of each other. */
static void test_two_handles(void **state)
{
	struct weir *w1 = unit_weir(), *w2 = unit_weir();
	struct weir_arena *a1 = small(w1, MIB), *a2 = small(w2, MIB);

	(void)state;
	assert_false(in_window(w1, a2));
	assert_false(in_window(w2, a1));
	weir_close(w1);
	memset(weir_arena_info(a2).base, 1, MIB);
	weir_close(w2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_window_full),
		cmocka_unit_test(test_gap_with_huge_alignment),
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_alloc_model),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_hugepages),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_nothing_left),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_two_handles),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
