/* SPDX-License-Identifier: BSD-3-Clause */
/* Checksums and VLAN tags, in and out. */
#include "tests/vm/programs/nictest/nictest.h"

#define GOOD (WEIR_PKT_RX_IP_GOOD | WEIR_PKT_RX_L4_GOOD)
#define BAD  (WEIR_PKT_RX_IP_BAD | WEIR_PKT_RX_L4_BAD)

static const struct {
	bool v6, tcp;
} protos[] = { { false, false }, { false, true }, { true, false }, { true, true } };

static void ip_in(struct nt *t, struct nt_frame *f, unsigned i)
{
	nt_frame_ip(f, t->mac, t->peer_mac, protos[i].v6, protos[i].tcp, 3 + i, 200 + i);
}

/* Checksum flags of a frame from the peer; ~0 when it did not arrive as it was sent. */
static unsigned verdict(struct nt *t, const struct nt_frame *f)
{
	nt_peer_send(t, f, false);
	if (!nt_receive(t, f) || !nt_same(t, f))
		return ~0u;
	return t->got.pkt.flags & (GOOD | BAD);
}

/* A device that looks at every frame. */
static void verdicts_igb(struct nt *t, unsigned i)
{
	struct nt_frame f;
	unsigned v;

	ip_in(t, &f, i);
	v = verdict(t, &f);
	nt_check(v == (f.v6 ? WEIR_PKT_RX_L4_GOOD : GOOD), "%s, right checksums: good (%#x)",
		 nt_proto(&f), v);
	ip_in(t, &f, i);
	f.b[f.csum] ^= 0x10;
	v = verdict(t, &f);
	nt_check(v == (f.v6 ? WEIR_PKT_RX_L4_BAD : WEIR_PKT_RX_L4_BAD | WEIR_PKT_RX_IP_GOOD),
		 "%s, wrong checksum: bad (%#x)", nt_proto(&f), v);
	ip_in(t, &f, i);
	f.b[f.len - 20] ^= 1;
	v = verdict(t, &f);
	nt_check(v != ~0u && v & WEIR_PKT_RX_L4_BAD && !(v & WEIR_PKT_RX_L4_GOOD),
		 "%s, wrong data: bad (%#x)", nt_proto(&f), v);
	if (f.v6)
		return;
	ip_in(t, &f, i);
	f.b[f.l2 + 10] ^= 1;
	v = verdict(t, &f);
	nt_check(v != ~0u && v & WEIR_PKT_RX_IP_BAD && !(v & WEIR_PKT_RX_IP_GOOD),
		 "%s, wrong IP checksum: bad (%#x)", nt_proto(&f), v);
}

/* A device that says "good" when it knows, and nothing otherwise. */
static void verdicts_virtio(struct nt *t, unsigned i)
{
	struct nt_frame f, whole;
	unsigned v;

	ip_in(t, &f, i);
	f.b[f.csum] ^= 0x10;
	v = verdict(t, &f);
	nt_check(v != ~0u && !(v & WEIR_PKT_RX_L4_GOOD), "%s, wrong checksum: not good (%#x)",
		 nt_proto(&f), v);
	ip_in(t, &f, i);
	v = verdict(t, &f);
	nt_check(v != ~0u && !(v & BAD), "%s, right checksums: not bad (%#x)", nt_proto(&f), v);
	if (!t->vnet) {
		nt_skip("a checksum left open is filled in",
			"a QEMU hub carries no checksum flags");
		return;
	}
	ip_in(t, &f, i);
	whole = f;
	nt_frame_open_sum(&f);
	nt_peer_send(t, &f, true);
	nt_check(nt_receive(t, &f) && t->got.pkt.flags & WEIR_PKT_RX_L4_GOOD && nt_same(t, &whole),
		 "%s, checksum left open: filled in, and good", nt_proto(&f));
}

/* Over several segments. */
static void large_in(struct nt *t)
{
	struct weir_port_conf c = { .mtu = 9000, .offloads = WEIR_OFF_RX_CSUM | WEIR_OFF_RX_JUMBO };
	bool open = !t->igb && t->vnet;
	struct nt_frame f, whole;

	if (!t->igb && !t->vnet) {
		nt_skip("verdicts on large frames", "a QEMU hub carries no checksum flags");
		return;
	}
	if (!nt_up(t, &c))
		return;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(protos); i++) {
		nt_frame_ip(&f, t->mac, t->peer_mac, protos[i].v6, protos[i].tcp, i, 6001 + i);
		whole = f;
		if (open)
			nt_frame_open_sum(&f);
		nt_peer_send(t, &f, open);
		nt_check(nt_receive(t, &f) && nt_same(t, &whole) && t->got.segs > 1 &&
				 (t->got.pkt.flags & (WEIR_PKT_RX_L4_GOOD | BAD)) ==
					 WEIR_PKT_RX_L4_GOOD,
			 "%s, %u bytes in %u segments: good", nt_proto(&f), f.len, t->got.segs);
	}
	nt_down(t);
}

void nt_rx_csum(struct nt *t)
{
	struct weir_port_conf c = { .offloads = WEIR_OFF_RX_CSUM };
	struct nt_frame f;
	unsigned v;

	if (!nt_up(t, &c))
		return;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(protos); i++) {
		if (t->igb)
			verdicts_igb(t, i);
		else
			verdicts_virtio(t, i);
	}
	nt_frame_in(t, &f, 200);
	v = verdict(t, &f);
	nt_check(v == 0, "what is not IP gets no verdict (%#x)", v);
	nt_down(t);
	c.offloads = 0;
	if (!nt_up(t, &c))
		return;
	ip_in(t, &f, 0);
	v = verdict(t, &f);
	nt_check(v == 0, "unasked there is no verdict (%#x)", v);
	nt_down(t);
	large_in(t);
}

/* --- transmit --- */

/* What is handed to the NIC: checksums left open, and the packet that says so. */
static struct weir_pkt leave_open(struct nt_frame *f)
{
	struct weir_pkt p = {
		.flags = f->tcp ? WEIR_PKT_TX_TCP_CSUM : WEIR_PKT_TX_UDP_CSUM,
		.txo = { .l2_len = (uint16_t)f->l2, .l3_len = (uint16_t)f->l3 },
	};

	nt_frame_open_sum(f);
	if (f->v6) {
		p.flags |= WEIR_PKT_TX_IPV6;
	} else {
		p.flags |= WEIR_PKT_TX_IP_CSUM;
		memset(f->b + f->l2 + 10, 0, 2);
	}
	return p;
}

static void filled_in(struct nt *t, unsigned i, unsigned len, unsigned seg, bool tagged)
{
	struct nt_frame whole, f;
	struct weir_pkt p;

	nt_frame_ip(&whole, t->peer_mac, t->mac, protos[i].v6, protos[i].tcp, 11 + i, len);
	if (tagged)
		nt_frame_tag(&whole, 0x2123);
	f = whole;
	p = leave_open(&f);
	nt_check(memcmp(f.b, whole.b, f.len) && !nt_send(t, &f, seg, &p) && nt_peer_gets(t, &whole),
		 "%s%s: checksums are filled in, %u segments", nt_proto(&f),
		 tagged ? ", tagged" : "", (f.len + seg - 1) / seg);
}

/* A UDP checksum of 0 would mean that there is none. */
static void filled_in_as_ffff(struct nt *t, bool v6)
{
	struct nt_frame whole, f;
	struct weir_pkt p;

	nt_frame_ip(&whole, t->peer_mac, t->mac, v6, false, 9, 222);
	nt_frame_zero_sum(&whole);
	f = whole;
	p = leave_open(&f);
	nt_check(whole.b[whole.csum] == 0xff && whole.b[whole.csum + 1] == 0xff &&
			 !nt_send(t, &f, 500, &p) && nt_peer_gets(t, &whole),
		 "%s: a sum of 0 is written as 0xffff", nt_proto(&f));
}

/* Flags that contradict the packet. */
static void nonsense(struct nt *t)
{
	const struct weir_qstats *s = &t->port->txq[0]->stats;
	struct nt_frame f;
	struct weir_pkt p;

	nt_frame_ip(&f, t->peer_mac, t->mac, false, true, 1, 100);
	p = leave_open(&f);
	p.txo.l3_len = 250;
	nt_check(!nt_send(t, &f, 200, &p) && s->drops[WEIR_DROP_TX_INVALID] == 1,
		 "header lengths past the packet: not sent, and counted");
}

void nt_tx_csum(struct nt *t)
{
	struct weir_port_conf c = { .mtu = 9000, .offloads = WEIR_OFF_TX_CSUM | WEIR_OFF_RX_JUMBO };
	struct nt_frame f, g;
	struct weir_pkt p = { .flags = WEIR_PKT_TX_IP_CSUM,
			      .txo = { .l2_len = WEIR_ETH_HLEN, .l3_len = 20 } };

	if (!nt_up(t, &c))
		return;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(protos); i++) {
		filled_in(t, i, 131, WEIR_BUF_ROOM, false);
		filled_in(t, i, 1414, 301, false);
		filled_in(t, i, 900, WEIR_BUF_ROOM, true);
		filled_in(t, i, 8901 + i, WEIR_BUF_ROOM, false);
	}
	nt_frame_ip(&f, t->peer_mac, t->mac, false, false, 5, 150);
	g = f;
	memset(g.b + g.l2 + 10, 0, 2);
	nt_check(!nt_send(t, &g, 200, &p) && nt_peer_gets(t, &f), "the IPv4 checksum alone");
	nt_frame_ip(&f, t->peer_mac, t->mac, false, false, 6, 150);
	f.b[f.csum] ^= 1;
	nt_check(!nt_send(t, &f, 200, NULL) && nt_peer_gets(t, &f),
		 "without flags nothing is changed");
	filled_in_as_ffff(t, false);
	filled_in_as_ffff(t, true);
	nonsense(t);
	nt_down(t);
}

/* --- VLAN --- */

static void strip(struct nt *t)
{
	struct nt_frame plain, f;

	nt_frame_ip(&plain, t->mac, t->peer_mac, false, false, 1, 300);
	f = plain;
	nt_frame_tag(&f, 0x2abc);
	nt_peer_send(t, &f, false);
	nt_check(nt_receive(t, &f) && nt_same(t, &plain), "the tag is taken out");
	nt_check(t->got.pkt.flags & WEIR_PKT_VLAN && t->got.pkt.vlan == 0x2abc,
		 "it stands in the packet (%#x)", t->got.pkt.vlan);
	nt_frame_ip(&f, t->mac, t->peer_mac, false, false, 1, 300);
	nt_peer_send(t, &f, false);
	nt_check(nt_receive(t, &f) && nt_same(t, &f) && !(t->got.pkt.flags & WEIR_PKT_VLAN),
		 "a frame without a tag has none");
}

static void insert(struct nt *t, unsigned csum)
{
	for (unsigned i = 0; i < 3; i++) {
		struct weir_pkt p = { 0 };
		struct nt_frame f, tagged;
		uint16_t tci = (uint16_t)(0x6000 + 0x111 * i);

		nt_frame_ip(&f, t->peer_mac, t->mac, false, true, i, 200 + i);
		tagged = f;
		nt_frame_tag(&tagged, tci);
		if (csum)
			p = leave_open(&f);
		p.flags |= WEIR_PKT_VLAN;
		p.vlan = tci;
		nt_check(!nt_send(t, &f, 90, &p) && nt_peer_gets(t, &tagged), "tag %#x is put in%s",
			 tci, csum ? ", with checksums" : "");
	}
}

static void keep(struct nt *t)
{
	struct weir_port_conf c = { 0 };
	struct nt_frame f;

	if (!nt_up(t, &c))
		return;
	nt_frame_in(t, &f, 300);
	nt_frame_tag(&f, 0x2abc);
	nt_peer_send(t, &f, false);
	nt_check(nt_receive(t, &f) && nt_same(t, &f) && !(t->got.pkt.flags & WEIR_PKT_VLAN),
		 "unasked, a received tag stays where it is");
	nt_frame(&f, t->peer_mac, t->mac, 1514);
	nt_frame_tag(&f, 0x0007);
	nt_check(!nt_send(t, &f, WEIR_BUF_ROOM, NULL) && nt_peer_gets(t, &f),
		 "a full frame goes out with its tag");
	nt_frame_in(t, &f, 1514);
	nt_frame_tag(&f, 0x0008);
	nt_frame_tag(&f, 0x0009);
	nt_peer_send(t, &f, false);
	nt_check(nt_receive(t, &f) && nt_same(t, &f), "a full frame with two tags comes in");
	nt_down(t);
}

void nt_vlan(struct nt *t)
{
	struct weir_port_conf c = { .arena = t->arena, .offloads = WEIR_OFF_TX_VLAN };

	keep(t);
	if (!(t->caps.offloads & WEIR_OFF_TX_VLAN)) {
		nt_check(!t->igb && weir_port_configure(t->port, &c) == -EOPNOTSUPP,
			 "putting tags in is refused");
		c.offloads = WEIR_OFF_RX_VLAN_STRIP;
		nt_check(weir_port_configure(t->port, &c) == -EOPNOTSUPP,
			 "taking tags out is refused");
		return;
	}
	c.offloads |= WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_TX_CSUM;
	if (!nt_up(t, &c))
		return;
	strip(t);
	insert(t, false);
	insert(t, true);
	nt_down(t);
}
