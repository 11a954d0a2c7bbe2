/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/capring.h"
#include "core/stats.h"

#include <stdlib.h>
#include <time.h>

#define FRAME_MAX (WEIR_MAX_SEGS * (WEIR_BUF_ROOM + 64))

int capring_create(size_t size, struct capring **out)
{
	struct capring *r = aligned_alloc(WEIR_CACHE_LINE, sizeof(*r));

	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->size = size;
	r->data = aligned_alloc(WEIR_CACHE_LINE, size);
	if (!r->data) {
		free(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void capring_destroy(struct capring *r)
{
	if (!r)
		return;
	free(r->data);
	free(r);
}

static size_t rec_size(uint32_t caplen)
{
	return WEIR_ALIGN_UP(sizeof(struct caprec) + caplen, (size_t)8);
}

/* Contiguous room for @need bytes at *head, skipping the end of the ring if it must. */
static struct caprec *room_for(struct capring *r, uint64_t *head, size_t need)
{
	uint64_t at = *head & (r->size - 1), skip = 0;

	if (at + need > r->size)
		skip = r->size - at;
	if (*head + skip + need - r->tail_seen > r->size) {
		r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
		if (*head + skip + need - r->tail_seen > r->size)
			return NULL;
	}
	if (skip) {
		/* Records are multiples of 8 and the marker needs 16: less is implied. */
		if (skip >= sizeof(struct caprec))
			((struct caprec *)(r->data + at))->caplen = CAPREC_SKIP;
		*head += skip;
	}
	return (struct caprec *)(r->data + (*head & (r->size - 1)));
}

static void copy_packet(uint8_t *to, const char *va_base, const struct weir_pkt *p, uint32_t caplen)
{
	uint32_t at = 0;

	for (; at < caplen; p++) {
		uint32_t n = weir_min_u(p->len, caplen - at);

		memcpy(to + at, weir_pkt_data(va_base, p), n);
		at += n;
	}
}

void capring_push(struct capring *r, const char *va_base, const struct weir_pkt *p, unsigned n,
		  unsigned snaplen, unsigned port)
{
	uint64_t head = r->head, ns;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ns = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
	while (n) {
		unsigned segs = weir_pkt_segs(p, n);
		struct caprec *rec;
		uint32_t len = 0;

		if (!segs)
			break;
		for (unsigned i = 0; i < segs; i++)
			len += p[i].len;
		rec = room_for(r, &head, rec_size(weir_min_u(len, snaplen)));
		if (!rec) {
			weir_count(&r->missed, 1);
		} else {
			*rec = (struct caprec){ .ts_ns = ns,
						.len = len,
						.caplen = weir_min_u(len, snaplen),
						.port = port };
			copy_packet((uint8_t *)(rec + 1), va_base, p, rec->caplen);
			head += rec_size(rec->caplen);
		}
		p += segs;
		n -= segs;
	}
	__atomic_store_n(&r->head, head, __ATOMIC_RELEASE);
}

bool capring_room(struct capring *r, unsigned n)
{
	size_t need = ((size_t)n + 1) * rec_size(FRAME_MAX);

	if (r->head + need - r->tail_seen > r->size)
		r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
	return r->head + need - r->tail_seen <= r->size;
}

const struct caprec *capring_peek(struct capring *r)
{
	for (;;) {
		uint64_t at = r->tail & (r->size - 1);
		const struct caprec *rec = (const struct caprec *)(r->data + at);

		if (r->tail == __atomic_load_n(&r->head, __ATOMIC_ACQUIRE))
			return NULL;
		if (r->size - at >= sizeof(*rec) && rec->caplen != CAPREC_SKIP)
			return rec;
		__atomic_store_n(&r->tail, r->tail + r->size - at, __ATOMIC_RELEASE);
	}
}

void capring_pop(struct capring *r, const struct caprec *rec)
{
	__atomic_store_n(&r->tail, r->tail + rec_size(rec->caplen), __ATOMIC_RELEASE);
}
