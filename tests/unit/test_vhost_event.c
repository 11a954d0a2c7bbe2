/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VIRTIO_F_EVENT_IDX on a vhost: port: calls when the driver's position is passed and no other ones,
 * kicks asked for at the port's own, in both layouts and over many laps of a ring.
 */
#include "vhost_peer.h"

static char *ring_at(struct peer *p)
{
	return p->mem + AT_RING(1);
}

/* Packet number @k of the ring, alone in its descriptor. */
static void put_packet(struct peer *p, unsigned k)
{
	struct d d = { DATA, 100, 0, (uint16_t)(p->packed ? 1 : 0) };
	struct virtq_avail *a = (void *)(ring_at(p) + AT_AVAIL);
	bool wrap = !(k / RINGSIZE % 2);

	put_desc(p, ring_at(p) + k % RINGSIZE * 16, &d,
		 wrap ? PVIRTQ_DESC_F_AVAIL : PVIRTQ_DESC_F_USED);
	a->ring[k % RINGSIZE] = weir_le16((uint16_t)(k % RINGSIZE));
	if (!p->packed)
		a->idx = weir_le16((uint16_t)(k + 1));
}

/* Where packet number @k stands, as a driver of a packed ring writes it. */
static uint16_t off_wrap(unsigned k)
{
	return (uint16_t)(k % RINGSIZE | (k / RINGSIZE % 2 ? 0 : 0x8000));
}

/* The driver wants to hear when number @k has been given back. */
static void want_call(struct peer *p, unsigned k)
{
	struct virtq_avail *a = (void *)(ring_at(p) + AT_AVAIL);
	struct pvirtq_event_suppress *e = (void *)a;

	if (p->packed) {
		e->desc = weir_le16(off_wrap(k));
		e->flags = weir_le16(RING_EVENT_FLAGS_DESC);
	} else {
		a->ring[RINGSIZE] = weir_le16((uint16_t)k);
	}
}

static bool called(struct peer *p)
{
	eventfd_t n;

	return !eventfd_read(p->call[1], &n);
}

static void take(struct peer *p, unsigned n)
{
	struct weir_pkt got[32];

	assert_int_equal(weir_rx(p->e.be.port->rxq[0], got, 32), n);
	weir_pkt_free(p->e.be.cache, got, n);
}

static void begin(struct peer *p, bool packed)
{
	peer_begin(p, packed);
	p->more = VIRTIO_F_EVENT_IDX;
	peer_up(p);
	while (called(p))
		;
}

/* Batches of any length, and wishes anywhere in the next 40: heard once, when they are passed. */
static void test_calls(void **state)
{
	uint64_t seed = 88172645463325252ull;
	struct peer p;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		/* Over the end of a split ring's index, too. */
		unsigned at = 0, rounds = UNIT_SLOW ? 3000 : 12000, event = 3, heard = 0;

		begin(&p, k);
		want_call(&p, event);
		for (unsigned i = 0; i < rounds; i++) {
			unsigned n = 1 + (unsigned)unit_random(&seed) % 16;

			for (unsigned j = 0; j < n; j++)
				put_packet(&p, at + j);
			take(&p, n);
			at += n;
			if (called(&p) != (event < at && event >= at - n))
				fail_msg("%s: %u at %u, %u of them, wished for %u",
					 k ? "packed" : "split", i, at, n, event);
			if (event >= at)
				continue;
			heard++;
			event = at + (unsigned)unit_random(&seed) % 40;
			want_call(&p, event);
		}
		assert_true(heard > rounds / 10);
		peer_end(&p);
	}
}

/* A packed ring's flags still mean what they say. */
static void test_flags(void **state)
{
	struct pvirtq_event_suppress *e;
	struct peer p;

	(void)state;
	begin(&p, true);
	e = (void *)(ring_at(&p) + AT_AVAIL);
	e->flags = weir_le16(RING_EVENT_FLAGS_ENABLE);
	put_packet(&p, 0);
	take(&p, 1);
	assert_true(called(&p));
	e->flags = weir_le16(RING_EVENT_FLAGS_DISABLE);
	put_packet(&p, 1);
	take(&p, 1);
	assert_false(called(&p));
	peer_end(&p);
}

/* What a driver decides from what the port wrote, when it has added number @k. */
static bool would_kick(struct peer *p, unsigned k)
{
	struct virtq_used *u = (void *)(ring_at(p) + AT_USED);
	struct pvirtq_event_suppress *e = (void *)u;
	uint16_t event = weir_from_le16(*(__le16 *)(void *)&u->ring[RINGSIZE]);

	if (!p->packed)
		return weir_from_le16(u->flags) == 0 && event == (uint16_t)k;
	if (weir_from_le16(e->flags) == RING_EVENT_FLAGS_DESC)
		return weir_from_le16(e->desc) == off_wrap(k);
	return weir_from_le16(e->flags) == RING_EVENT_FLAGS_ENABLE;
}

static void test_kicks(void **state)
{
	struct weir_port *port;
	struct peer p;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		begin(&p, k);
		port = p.e.be.port;
		for (unsigned i = 0; i < 3 * RINGSIZE; i++) {
			/* Polling, none; asleep, for the next one and not for those behind it. */
			assert_false(would_kick(&p, i));
			assert_int_equal(weir_port_rx_intr_arm(port, 0), 0);
			assert_true(would_kick(&p, i));
			assert_false(would_kick(&p, i + 1));
			put_packet(&p, i);
			assert_int_equal(weir_port_rx_intr_arm(port, 0), 1);
			assert_int_equal(weir_port_rx_intr_disarm(port, 0), 0);
			assert_false(would_kick(&p, i));
			take(&p, 1);
		}
		peer_end(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_kicks),
	};

	return cmocka_run_group_tests_name("vhost_event", tests, NULL, NULL);
}
