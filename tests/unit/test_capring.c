/* SPDX-License-Identifier: BSD-3-Clause */
/* The capture ring: records of any length from one thread to another; what is missed is counted. */
#include "unit.h"

#include "apps/capring.c"

#include <pthread.h>
#include <sched.h>

#define FRAMES (UNIT_SLOW ? 100000u : 600000u)

/* Frames are cut from this; "buffers" are its cache lines. */
static char area[64 * 1024] weir_cacheline;

static void fill_area(void)
{
	for (unsigned i = 0; i < sizeof(area); i++)
		area[i] = (char)(i * 31 + i / 256);
}

/* Frame number @n: its length and where it begins follow from the number. */
static unsigned frame_len(unsigned n)
{
	return 1 + n * 7919 % 1900;
}

static unsigned frame_at(unsigned n)
{
	return n % 256 * 64;
}

/* In one segment, or cut into three. Return: segments. */
static unsigned make_frame(unsigned n, struct weir_pkt *p)
{
	unsigned len = frame_len(n), at = frame_at(n);

	if (n % 3 || len < 200) {
		*p = (struct weir_pkt){ .buf = at / 64, .off = 0, .len = (uint16_t)len };
		return 1;
	}
	p[0] = (struct weir_pkt){ .buf = at / 64, .len = 64, .flags = WEIR_PKT_MORE };
	p[1] = (struct weir_pkt){ .buf = at / 64, .off = 64, .len = 61, .flags = WEIR_PKT_MORE };
	p[2] = (struct weir_pkt){ .buf = at / 64, .off = 125, .len = (uint16_t)(len - 125) };
	return 3;
}

static void check_frame(const struct caprec *rec, unsigned n, unsigned snaplen)
{
	assert_int_equal(rec->len, frame_len(n));
	assert_int_equal(rec->caplen, weir_min_u(frame_len(n), snaplen));
	assert_memory_equal(rec + 1, area + frame_at(n), rec->caplen);
}

struct job {
	struct capring *r;
	unsigned snaplen;
	bool lossless;
	unsigned sent;
};

static void *produce(void *arg)
{
	struct job *j = arg;
	unsigned next = 0;

	while (next < FRAMES) {
		struct weir_pkt p[12];
		unsigned n = 0, first = next, burst = 1 + next % 4;

		if (j->lossless && !capring_room(j->r, 12)) {
			sched_yield();
			continue;
		}
		for (unsigned i = 0; i < burst && next < FRAMES; i++, next++)
			n += make_frame(next, p + n);
		/* The port carries what tells the frames apart. */
		for (unsigned i = 0; i < n; first++) {
			unsigned segs = weir_pkt_segs(p + i, n - i);

			capring_push(j->r, area, p + i, segs, j->snaplen, first);
			i += segs;
		}
		j->sent = next;
	}
	return NULL;
}

static unsigned run(size_t size, unsigned snaplen, bool lossless, uint64_t *missed)
{
	struct job j = { .snaplen = snaplen, .lossless = lossless };
	const struct caprec *rec;
	unsigned got = 0;
	int64_t last = -1;
	pthread_t t;
	bool ended = false;

	assert_int_equal(capring_create(size, &j.r), 0);
	assert_int_equal(pthread_create(&t, NULL, produce, &j), 0);
	for (;;) {
		rec = capring_peek(j.r);
		if (!rec) {
			if (ended)
				break;
			if (!pthread_tryjoin_np(t, NULL))
				ended = true;
			else
				sched_yield();
			continue;
		}
		assert_true((int64_t)rec->port > last);
		if (lossless)
			assert_int_equal(rec->port, last + 1);
		check_frame(rec, rec->port, snaplen);
		last = rec->port;
		got++;
		capring_pop(j.r, rec);
	}
	*missed = j.r->missed;
	assert_int_equal(j.sent, FRAMES);
	capring_destroy(j.r);
	return got;
}

static void test_lossless(void **state)
{
	uint64_t missed;

	(void)state;
	assert_int_equal(run(1u << 18, UINT32_MAX, true, &missed), FRAMES);
	assert_int_equal(missed, 0);
	assert_int_equal(run(1u << 18, 96, true, &missed), FRAMES);
	assert_int_equal(missed, 0);
}

static void test_lossy(void **state)
{
	uint64_t missed;
	unsigned got;

	(void)state;
	got = run(4096, UINT32_MAX, false, &missed);
	assert_int_equal(got + missed, FRAMES);
	assert_true(got > 0);
}

static void push_one(struct capring *r, unsigned len, unsigned tag)
{
	struct weir_pkt p = { .buf = tag, .len = (uint16_t)len };

	capring_push(r, area, &p, 1, UINT32_MAX, tag);
}

static void pop_one(struct capring *r, unsigned len, unsigned tag)
{
	const struct caprec *rec = capring_peek(r);

	assert_non_null(rec);
	assert_int_equal(rec->port, tag);
	assert_int_equal(rec->caplen, len);
	assert_memory_equal(rec + 1, area + tag * 64, len);
	capring_pop(r, rec);
}

/* The space left at the ring's end is 0, 8, 16 (no room for a marker), 24 and 32 bytes. */
static void test_end_of_ring(void **state)
{
	(void)state;
	for (unsigned left = 0; left <= 40; left += 8) {
		struct capring *r;

		assert_int_equal(capring_create(256, &r), 0);
		push_one(r, 100 - 24 - 4, 1);
		pop_one(r, 100 - 24 - 4, 1);
		/* rec_size() of these adds up to 256 - left. */
		push_one(r, (unsigned)(256 - 96 - left - sizeof(struct caprec)), 2);
		assert_int_equal((r->head & 255), (256 - left) & 255);
		pop_one(r, (unsigned)(256 - 96 - left - sizeof(struct caprec)), 2);
		push_one(r, 60, 3);
		push_one(r, 1, 4);
		pop_one(r, 60, 3);
		pop_one(r, 1, 4);
		assert_null(capring_peek(r));
		assert_int_equal(r->missed, 0);
		capring_destroy(r);
	}
}

static void test_full(void **state)
{
	struct capring *r;

	(void)state;
	assert_int_equal(capring_create(256, &r), 0);
	/* Larger than the ring, and larger than what is left. */
	push_one(r, 500, 1);
	assert_int_equal(r->missed, 1);
	assert_null(capring_peek(r));
	push_one(r, 128 - 24, 2);
	push_one(r, 128 - 24, 3);
	push_one(r, 1, 4);
	assert_int_equal(r->missed, 2);
	pop_one(r, 128 - 24, 2);
	/* Half the ring is free; this is a little more than half. */
	push_one(r, 128 - 23, 5);
	assert_int_equal(r->missed, 3);
	push_one(r, 8, 6);
	pop_one(r, 128 - 24, 3);
	pop_one(r, 8, 6);
	assert_null(capring_peek(r));
	assert_false(capring_room(r, 1));
	capring_destroy(r);
	capring_destroy(NULL);
}

/* A run of segments that does not end within the burst is not pushed. */
static void test_open_run(void **state)
{
	struct weir_pkt p[2] = { { .buf = 0, .len = 10 },
				 { .buf = 1, .len = 10, .flags = WEIR_PKT_MORE } };
	struct capring *r;

	(void)state;
	assert_int_equal(capring_create(1024, &r), 0);
	capring_push(r, area, p, 2, UINT32_MAX, 0);
	pop_one(r, 10, 0);
	assert_null(capring_peek(r));
	capring_destroy(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end_of_ring), cmocka_unit_test(test_full),
		cmocka_unit_test(test_open_run),    cmocka_unit_test(test_lossless),
		cmocka_unit_test(test_lossy),
	};

	fill_area();
	return cmocka_run_group_tests_name("capring", tests, NULL, NULL);
}
