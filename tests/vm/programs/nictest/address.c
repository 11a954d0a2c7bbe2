/* SPDX-License-Identifier: BSD-3-Clause */
/* Link, address, and which frames are let in. */
#include "tests/vm/programs/nictest/nictest.h"

static bool in(struct nt *t, const uint8_t dst[6])
{
	struct nt_frame f;

	nt_frame(&f, dst, t->peer_mac, 80);
	return nt_arrives(t, &f) == 1;
}

static bool out(struct nt *t, const uint8_t dst[6])
{
	struct nt_frame f;

	nt_frame(&f, dst, t->peer_mac, 80);
	return nt_arrives(t, &f) == 0;
}

void nt_link(struct nt *t)
{
	struct weir_port_conf c = { .promisc = true };
	unsigned mbps = t->igb ? 1000 : 10000;
	struct weir_link link;
	uint8_t mac[6] = { 0 };

	if (!nt_up(t, &c))
		return;
	nt_check(!weir_port_link(t->port, &link) && link.up, "the link is up");
	nt_check(link.mbps == mbps && link.full_duplex, "it has %u Mb/s, full duplex (%u, %d)",
		 mbps, link.mbps, link.full_duplex);
	nt_check(!weir_port_mac_get(t->port, mac) && !memcmp(mac, t->mac, 6),
		 "the address is the NIC's: %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	nt_down(t);
}

/* The address, also over a stop and a start, which resets the device. */
static void own_address(struct nt *t)
{
	static const uint8_t moved[6] = { 0x02, 0x57, 0x45, 0x49, 0x52, 0x01 };
	uint8_t mac[6] = { 0 };

	nt_check(!weir_port_mac_set(t->port, moved), "the address can be changed");
	nt_check(in(t, moved), "a frame to the new address arrives");
	nt_check(out(t, t->mac), "one to the old address does not");
	nt_check(!weir_port_mac_get(t->port, mac) && !memcmp(mac, moved, 6),
		 "the new address can be read");
	nt_check(!nt_restart(t), "stop and start");
	nt_check(in(t, moved) && out(t, t->mac), "the new address is kept over that");
	nt_check(!weir_port_mac_set(t->port, t->mac) && in(t, t->mac) && out(t, moved),
		 "the old address can be set again");
	nt_check(weir_port_mac_set(t->port, nt_broadcast) == -EINVAL && in(t, t->mac),
		 "a group's address is refused");
}

void nt_unicast(struct nt *t)
{
	static const uint8_t other[6] = { 0x02, 0x99, 0x99, 0x99, 0x99, 0x99 };
	struct weir_port_conf c = { 0 };

	if (!nt_up(t, &c))
		return;
	nt_check(in(t, t->mac), "a frame to the NIC's address arrives");
	nt_check(out(t, other), "one to another address does not");
	nt_check(in(t, nt_broadcast), "a broadcast arrives");
	nt_check(!weir_port_promisc(t->port, true) && in(t, other),
		 "in promiscuous mode a frame to another address arrives");
	nt_check(!weir_port_promisc(t->port, false) && out(t, other),
		 "and without it not any more");
	own_address(t);
	nt_down(t);
}

/* Groups that differ in each hash that an 82576 can use. */
static void group(uint8_t mac[6], unsigned i)
{
	memcpy(mac, (uint8_t[]){ 0x01, 0x00, 0x5e, 0x10, (uint8_t)(i * 16), (uint8_t)i }, 6);
}

static unsigned many_arrive(struct nt *t, unsigned n)
{
	uint8_t macs[WEIR_MAX_MC_ADDRS][6];
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++)
		group(macs[i], i);
	if (weir_port_mc_list(t->port, macs, n))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		bool ok = in(t, macs[i]);

		if (!ok)
			nt_note("group %u of %u does not arrive", i, n);
		got += ok;
	}
	return got;
}

static void all_groups(struct nt *t, const uint8_t (*g)[6])
{
	nt_check(!weir_port_allmulti(t->port, true) && in(t, g[0]) && in(t, g[1]),
		 "with all-multicast every group arrives");
	nt_check(!weir_port_allmulti(t->port, false) && in(t, g[0]) && out(t, g[1]),
		 "and without it only that on the list");
	nt_check(!weir_port_mc_list(t->port, NULL, 0) && out(t, g[0]),
		 "with an empty list no group arrives");
	nt_check(!weir_port_promisc(t->port, true) && in(t, g[1]),
		 "in promiscuous mode a group that is not on the list arrives");
	nt_check(!weir_port_promisc(t->port, false) && out(t, g[1]), "and not after it");
}

void nt_multicast(struct nt *t)
{
	struct weir_port_conf c = { 0 };
	uint8_t g[2][6], far[6];

	group(g[0], 1);
	group(g[1], 2);
	group(far, 200);
	if (!nt_up(t, &c))
		return;
	nt_check(out(t, g[0]), "a multicast frame of no group on the list does not arrive");
	nt_check(!weir_port_mc_list(t->port, g, 1) && in(t, g[0]), "one of the group joined does");
	nt_check(out(t, g[1]), "one of another group does not");
	nt_check(!nt_restart(t), "stop and start");
	nt_check(in(t, g[0]) && out(t, g[1]), "the list is kept over that");
	all_groups(t, g);
	nt_check(many_arrive(t, 40) == 40 && out(t, far),
		 "of 40 groups all arrive, and another does not");
	nt_check(many_arrive(t, WEIR_MAX_MC_ADDRS) == WEIR_MAX_MC_ADDRS, "of %u groups all arrive",
		 WEIR_MAX_MC_ADDRS);
	nt_down(t);
}

static int tagged(struct nt *t, uint16_t vid)
{
	struct nt_frame f;

	nt_frame(&f, t->mac, t->peer_mac, 80);
	nt_frame_tag(&f, (uint16_t)(0x4000 | vid));
	return nt_arrives(t, &f);
}

static void no_vlan_filter(struct nt *t)
{
	static const uint16_t one[] = { 5 };

	nt_check(weir_port_vlan_filter(t->port, one, 1) == -EOPNOTSUPP,
		 "this driver has none, and says so");
	nt_check(tagged(t, 6) == 1, "and lets every VLAN in");
}

void nt_vlans(struct nt *t)
{
	static const uint16_t some[] = { 5, 33, 4094 };
	struct weir_port_conf c = { 0 };

	if (!nt_up(t, &c))
		return;
	if (!t->igb) {
		no_vlan_filter(t);
		nt_down(t);
		return;
	}
	nt_check(tagged(t, 5) == 1 && tagged(t, 6) == 1, "frames of all VLANs arrive");
	nt_check(!weir_port_vlan_filter(t->port, some, 3), "the filter can be set");
	nt_check(tagged(t, 5) == 1 && tagged(t, 33) == 1 && tagged(t, 4094) == 1,
		 "frames of the VLANs on the list arrive");
	nt_check(tagged(t, 6) == 0 && tagged(t, 37) == 0 && tagged(t, 0) == 0,
		 "those of others do not");
	nt_check(in(t, t->mac), "one without a tag does");
	nt_check(!nt_restart(t) && tagged(t, 33) == 1 && tagged(t, 6) == 0,
		 "the list is kept over a stop and a start");
	nt_check(!weir_port_vlan_filter(t->port, some, 0) && tagged(t, 5) == 0,
		 "with an empty list no tagged frame arrives");
	nt_check(!weir_port_vlan_filter(t->port, NULL, 0) && tagged(t, 6) == 1,
		 "without a filter they all do again");
	nt_down(t);
}
