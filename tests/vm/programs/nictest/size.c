/* SPDX-License-Identifier: BSD-3-Clause */
/* Large frames, limits, counters, and starting again and again. */
#include "core/clock.h"
#include "tests/vm/programs/nictest/nictest.h"

static const unsigned sizes[] = { 64, 1514, 2047, 2048, 2049, 4096, 4097, 8948, 8999, 9014 };

/* Buffers that a received frame fills. With virtio those after the first have room for its header, too. */
static unsigned segments(const struct nt *t, unsigned len)
{
	unsigned room = WEIR_BUF_ROOM + (t->igb ? 0 : 12);

	return len <= WEIR_BUF_ROOM ? 1 : 1 + (len - WEIR_BUF_ROOM + room - 1) / room;
}

static bool both_ways(struct nt *t, unsigned len)
{
	struct nt_frame f;

	nt_frame_in(t, &f, len);
	nt_peer_send(t, &f, false);
	if (!nt_receive(t, &f) || !nt_same(t, &f) || t->got.segs != segments(t, len)) {
		nt_note("received: %u bytes in %u segments", t->got.len, t->got.segs);
		return false;
	}
	nt_frame(&f, t->peer_mac, t->mac, len);
	if (nt_send(t, &f, WEIR_BUF_ROOM, NULL) || !nt_peer_gets(t, &f))
		return false;
	/* Segments that are not full, and more of them than needed. */
	nt_frame(&f, t->peer_mac, t->mac, len);
	return !nt_send(t, &f, len < 8 ? len : (len + 7) / 8, NULL) && nt_peer_gets(t, &f);
}

/* One that was received goes out again, its segments as they came. */
static bool comes_back(struct nt *t, unsigned len)
{
	struct weir_deadline d = weir_deadline_us(NT_WAIT_US);
	struct weir_pkt p[WEIR_MAX_SEGS];
	struct nt_frame f;
	unsigned n;

	nt_frame_in(t, &f, len);
	nt_peer_send(t, &f, false);
	do
		n = weir_rx(t->port->rxq[0], p, WEIR_MAX_SEGS);
	while (!n && !weir_deadline_passed(d));
	if (weir_tx_post(t->port->txq[0], p, n) != n) {
		weir_pkt_free(t->cache, p, n);
		return false;
	}
	weir_tx_kick(t->port->txq[0]);
	return n > 1 && nt_peer_gets(t, &f);
}

void nt_jumbo(struct nt *t)
{
	struct weir_port_conf c = { .mtu = 9000, .offloads = WEIR_OFF_RX_JUMBO };

	if (!nt_up(t, &c))
		return;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(sizes); i++)
		nt_check(both_ways(t, sizes[i]),
			 "%u bytes at an MTU of 9000, both ways, %u segments", sizes[i],
			 (sizes[i] + WEIR_BUF_ROOM - 1) / WEIR_BUF_ROOM);
	for (unsigned len = 8901; len < 8909; len++)
		if (!comes_back(t, len)) {
			nt_check(false, "a frame of %u bytes comes back", len);
			break;
		} else if (len == 8908) {
			nt_check(true, "frames of 8,9xx bytes come back as their segments came");
		}
	nt_down(t);
}

static uint64_t xstat(struct nt *t, const char *name)
{
	struct weir_xstat x[128];
	int n = weir_port_xstats(t->port, x, WEIR_ARRAY_SIZE(x));

	for (int i = 0; i < n && i < (int)WEIR_ARRAY_SIZE(x); i++)
		if (!strcmp(x[i].name, name))
			return x[i].value;
	nt_note("there is no counter %s", name);
	return UINT64_MAX;
}

static uint64_t all_drops(const struct weir_qstats *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < WEIR_DROP_MAX; i++)
		n += s->drops[i];
	return n;
}

/* A frame that is too long to be received: not delivered, and counted where the device has a counter. */
static void too_long_in(struct nt *t, unsigned mtu, unsigned offloads, unsigned len)
{
	struct weir_port_conf c = { .mtu = mtu, .offloads = offloads };
	uint64_t roc;
	struct nt_frame f;

	if (!nt_up(t, &c))
		return;
	roc = t->igb ? xstat(t, "roc") : 0;
	nt_frame_in(t, &f, len);
	nt_check(nt_arrives(t, &f) == 0, "a frame of %u bytes at an MTU of %u is not delivered",
		 len, mtu);
	if (t->igb && xstat(t, "roc") == roc)
		nt_skip("it is counted", "QEMU's model of the 82576 leaves ROC at 0");
	else if (t->igb)
		nt_check(xstat(t, "roc") == roc + 1, "it is counted");
	nt_frame_in(t, &f, mtu + WEIR_ETH_HLEN);
	nt_check(nt_arrives(t, &f) == 1, "one of just the MTU is");
	nt_down(t);
}

static void too_long_out(struct nt *t)
{
	struct weir_port_conf c = { .mtu = 9000, .offloads = WEIR_OFF_RX_JUMBO };
	const struct weir_qstats *s;
	struct nt_frame f;

	if (!nt_up(t, &c))
		return;
	s = &t->port->txq[0]->stats;
	nt_frame(&f, t->peer_mac, t->mac, NT_FRAME_MAX);
	nt_check(!nt_send(t, &f, WEIR_BUF_ROOM, NULL) && s->drops[WEIR_DROP_TX_INVALID] == 1 &&
			 !s->packets,
		 "a frame of %u bytes is not sent, and counted", NT_FRAME_MAX);
	nt_frame(&f, t->peer_mac, t->mac, 1000);
	nt_check(!nt_send(t, &f, 1000, NULL) && nt_peer_gets(t, &f) && s->packets == 1,
		 "the next one is");
	nt_check(weir_port_mtu_set(t->port, 1500) == -EBUSY, "no new MTU while it runs");
	nt_down(t);
}

static void mtu_set(struct nt *t)
{
	struct weir_port_conf c = { 0 };

	if (!nt_up(t, &c))
		return;
	nt_down(t);
	nt_check(weir_port_mtu_set(t->port, 9000) == -EINVAL,
		 "an MTU of 9000 is refused without segments");
	nt_check(weir_port_mtu_set(t->port, t->caps.max_mtu + 1) == -EINVAL,
		 "one above %u in any case", t->caps.max_mtu);
	nt_check(!weir_port_mtu_set(t->port, 2000), "one of 2000 is set");
	if (!nt_check(!nt_start(t), "the port starts with it"))
		return;
	for (unsigned len = 2010; len <= 2014; len += 4) {
		struct nt_frame f;

		nt_frame_in(t, &f, len);
		nt_check(nt_arrives(t, &f) == 1, "and receives %u bytes", len);
	}
	nt_down(t);
}

void nt_mtu(struct nt *t)
{
	too_long_in(t, 1500, 0, 4000);
	if (t->igb) {
		too_long_in(t, 1500, 0, 1540);
		too_long_in(t, 4000, WEIR_OFF_RX_JUMBO, 4040);
	}
	too_long_out(t);
	mtu_set(t);
}

/* --- counters --- */

struct tally {
	unsigned unicast, multicast, broadcast, bytes;
};

static const uint8_t some_group[6] = { 0x01, 0x00, 0x5e, 0x22, 0x33, 0x44 };

/* Frames of three kinds, to be received. Return: what was sent. */
static struct tally send_in(struct nt *t)
{
	struct tally s = { 20, 5, 7, 0 };

	for (unsigned i = 0; i < s.unicast + s.multicast + s.broadcast; i++) {
		const uint8_t *dst = i < s.unicast		   ? t->mac
				     : i < s.unicast + s.multicast ? some_group
								   : nt_broadcast;
		struct nt_frame f;

		nt_frame(&f, dst, t->peer_mac, 64 + 37 * i);
		nt_peer_send(t, &f, false);
		s.bytes += f.len;
		if (!nt_receive(t, &f) || !nt_same(t, &f))
			nt_check(false, "frame %u is received", i);
	}
	return s;
}

static struct tally send_out(struct nt *t)
{
	struct tally s = { 11, 3, 2, 0 };

	for (unsigned i = 0; i < s.unicast + s.multicast + s.broadcast; i++) {
		const uint8_t *dst = i < s.unicast		   ? t->peer_mac
				     : i < s.unicast + s.multicast ? some_group
								   : nt_broadcast;
		struct nt_frame f;

		nt_frame(&f, dst, t->mac, 64 + 53 * i);
		s.bytes += f.len;
		if (nt_send(t, &f, WEIR_BUF_ROOM, NULL) || !nt_peer_gets(t, &f))
			nt_check(false, "frame %u is sent", i);
	}
	return s;
}

static void igb_counter(struct nt *t, const char *name, uint64_t before, uint64_t want)
{
	uint64_t n = xstat(t, name) - before;

	nt_check(n == want, "%s counts %llu of %llu", name, (unsigned long long)n,
		 (unsigned long long)want);
}

static void igb_counters(struct nt *t)
{
	static const char *const names[] = { "gprc", "mprc", "bprc", "gorc",   "gptc",
					     "mptc", "bptc", "gotc", "crcerrs" };
	uint64_t before[WEIR_ARRAY_SIZE(names)], want[WEIR_ARRAY_SIZE(names)] = { 0 };
	struct tally in, out;

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(names); i++)
		before[i] = xstat(t, names[i]);
	in = send_in(t);
	out = send_out(t);
	want[0] = in.unicast + in.multicast + in.broadcast;
	want[1] = in.multicast;
	want[2] = in.broadcast;
	/* Octets from the destination address through the FCS. */
	want[3] = in.bytes + 4 * want[0];
	want[4] = out.unicast + out.multicast + out.broadcast;
	want[5] = out.multicast;
	want[6] = out.broadcast;
	want[7] = out.bytes + 4 * want[4];
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(names); i++)
		igb_counter(t, names[i], before[i], want[i]);
}

void nt_counters(struct nt *t)
{
	struct weir_port_conf c = { .promisc = true };
	const struct weir_qstats *rx, *tx;
	struct tally in, out;

	if (!nt_up(t, &c))
		return;
	rx = &t->port->rxq[0]->stats;
	tx = &t->port->txq[0]->stats;
	in = send_in(t);
	out = send_out(t);
	nt_check(rx->packets == 32 && rx->bytes == in.bytes && !all_drops(rx),
		 "the RX queue counts 32 packets and their bytes (%llu, %llu of %u)",
		 (unsigned long long)rx->packets, (unsigned long long)rx->bytes, in.bytes);
	nt_check(tx->packets == 16 && tx->bytes == out.bytes && !all_drops(tx),
		 "the TX queue counts 16 packets and their bytes (%llu, %llu of %u)",
		 (unsigned long long)tx->packets, (unsigned long long)tx->bytes, out.bytes);
	if (t->igb) {
		igb_counters(t);
	} else {
		uint64_t n = xstat(t, "ctrl_commands");

		nt_check(!weir_port_allmulti(t->port, true) && xstat(t, "ctrl_commands") == n + 1,
			 "a control command is counted");
		nt_check(xstat(t, "ctrl_refused") == 0, "the device has refused none");
	}
	nt_down(t);
}

/* --- again and again --- */

void nt_rounds(struct nt *t)
{
	struct weir_port_conf c = { .promisc = true };
	unsigned all = weir_pool_count(t->pool), round = 0;

	for (; round < 10; round++) {
		struct nt_frame f;
		bool good;

		/* Each other time without configuring anew; then each other with another kind of report. */
		c.tx_head_wb = round % 4 == 2;
		if (round % 2 ? nt_start(t) : !nt_up(t, &c))
			break;
		nt_frame_in(t, &f, 300);
		good = nt_arrives(t, &f) == 1;
		for (unsigned i = 0; i < 3 && good; i++) {
			nt_frame(&f, t->peer_mac, t->mac, 400);
			good = !nt_send(t, &f, 100, NULL) && nt_peer_gets(t, &f);
		}
		/* Some stay in the ring: stopping has to find them. */
		for (unsigned i = 0; i < 20; i++) {
			nt_frame_in(t, &f, 500);
			nt_peer_send(t, &f, false);
		}
		if (!nt_down(t) || !good)
			break;
	}
	nt_check(round == 10,
		 "started and stopped ten times, with traffic: %u, %u of %u buffers back", round,
		 nt_buffers(t), all);
}
