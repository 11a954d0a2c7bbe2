/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small fuzzer of what a vfio-user server sends: replies are changed, cut, repeated, mixed with
 * commands, and given fds, by a generator with a seed. Each seed is one life of a device; it must
 * come to its end in time without a leak (and, under the sanitizers, without a wrong access).
 *
 * FUZZ_SEEDS=N runs N of them; FUZZ_FIRST=N starts there: a failure names its seed.
 */
#include "vfio_user_script.h"

#define TIMEOUT_MS 15
#define SEEDS	   400

static uint64_t below(struct vus *s, uint64_t n)
{
	/* The low bits of this generator are its weakest. */
	return (unit_random(&s->seed) >> 11) % n;
}

/* Numbers that lengths and offsets go wrong at. */
static uint64_t edge(struct vus *s)
{
	static const uint64_t edges[] = {
		0,	    1,		15,	    16,
		17,	    31,		32,	    4095,
		4096,	    0x7fffffff, 0x80000000, UINT32_MAX,
		INT64_MAX,  1ull << 63, UINT64_MAX, UINT64_MAX - 4095,
		1ull << 48, VUS_BAR,
	};

	return edges[below(s, WEIR_ARRAY_SIZE(edges))] + below(s, 3) - 1;
}

static void change_bytes(struct vus *s, uint8_t *p, size_t len)
{
	for (uint64_t n = 1 + below(s, 4); n && len; n--)
		p[below(s, len)] ^= (uint8_t)(1 + below(s, 255));
}

static void change_word(struct vus *s, uint8_t *p, size_t len)
{
	uint64_t v = edge(s);
	size_t width = below(s, 2) ? 4 : 8;

	if (len >= width)
		memcpy(p + below(s, len / 4 - width / 4 + 1) * 4, &v, width);
}

static void change_length(struct vus *s, struct vus_msg *m)
{
	size_t len = below(s, 2) ? below(s, m->len + 1) : m->len + below(s, 64);

	if (len > m->len)
		memset(m->body + m->len, 0xa5, len - m->len);
	m->len = len;
	m->h.size = (uint32_t)(sizeof(m->h) + len);
}

static void command_first(struct vus *s)
{
	struct {
		struct vu_hdr h;
		struct vu_dma_rw rw;
		uint8_t data[64];
	} m = { .rw = { below(s, 2) ? edge(s) : (4ull << 30) + below(s, 1 << 17),
			below(s, 2) ? edge(s) : below(s, 64) } };
	unsigned len = below(s, 2) ? (unsigned)below(s, sizeof(m.data)) : (unsigned)m.rw.count & 63;

	m.h = (struct vu_hdr){ .id = (uint16_t)below(s, 9),
			       .cmd = (uint16_t)(VU_DMA_READ + below(s, 3)),
			       .size = (uint32_t)(32 + len),
			       .flags = below(s, 4) ? VU_F_NO_REPLY : VU_F_COMMAND };
	if (m.h.cmd == VU_DMA_READ)
		m.h.size = 32;
	/* Answers to it would be taken for commands: the server's own confusion is no matter here. */
	m.h.flags |= VU_F_NO_REPLY;
	vus_send_raw(s, &m, m.h.size, NULL, 0);
}

static void mutate(struct vus *s, struct vus_msg *m)
{
	switch (below(s, 9)) {
	case 0:
		change_bytes(s, (uint8_t *)&m->h, sizeof(m->h));
		break;
	case 1:
	case 2:
		change_bytes(s, m->body, m->len);
		break;
	case 3:
	case 4:
		change_word(s, m->body, m->len);
		break;
	case 5:
		change_length(s, m);
		break;
	case 6:
		for (uint64_t n = below(s, 12); n; n--)
			m->fds[m->n_fds++] = below(s, 2) ? s->memfd : s->sock;
		break;
	case 7:
		command_first(s);
		break;
	default:
		if (!below(s, 3))
			vus_send(s, m);
		else if (!below(s, 2))
			shutdown(s->sock, SHUT_WR);
		else
			m->drop = true;
	}
}

static void answer_fuzzed(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	(void)req;
	/* Most replies are left alone, or no seed would get far. */
	while (!below(s, 12))
		mutate(s, rep);
}

static unsigned setting(const char *name, unsigned v)
{
	return getenv(name) ? (unsigned)strtoul(getenv(name), NULL, 0) : v;
}

static void test_seeds(void **state)
{
	unsigned first = setting("FUZZ_FIRST", 1), n = setting("FUZZ_SEEDS", SEEDS), fine = 0;

	(void)state;
	for (unsigned i = first; i < first + n; i++) {
		struct script t;

		script_begin(&t, TIMEOUT_MS);
		t.s->seed = (uint64_t)i * 0x9e3779b97f4a7c15u;
		t.s->tweak = answer_fuzzed;
		fine += !script_run(&t);
		if (t.ms > 2000)
			fail_msg("seed %u took %u ms", i, t.ms);
	}
	/* A fuzzer that gets nowhere, or changes nothing, tests nothing. */
	if (n >= SEEDS && !UNIT_SLOW)
		assert_in_range(fine, n / 20, n - n / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_seeds) };

	return cmocka_run_group_tests_name("vfio_user_fuzz", tests, NULL, NULL);
}
