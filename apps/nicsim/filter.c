/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames a port takes, and which queue gets them (82599 datasheet 7.1.1, 7.1.2). */
#include "apps/nicsim/filter.h"

#define RAR_COUNT 128u

static bool exact(struct nic *n, const uint8_t *mac)
{
	uint32_t lo = (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 |
		      (uint32_t)mac[3] << 24;
	uint32_t hi = (uint32_t)mac[4] | (uint32_t)mac[5] << 8 | RAH_AV;
	const uint32_t *rar = &n->reg[R_RAL / 4];

	for (unsigned i = 0; i < RAR_COUNT; i++)
		if (rar[2 * i] == lo && (rar[2 * i + 1] & (RAH_AV | 0xFFFF)) == hi)
			return true;
	return false;
}

/* 8.2.3.7.7: twelve bits of the last two bytes of the address choose a bit of the table. */
static bool hashed(struct nic *n, const uint8_t *mac)
{
	static const uint8_t shift[] = { 4, 3, 2, 0 };
	uint32_t ctl = n->reg[R_MCSTCTRL / 4];
	unsigned v = (unsigned)(mac[4] | mac[5] << 8) >> shift[ctl & 3] & 0xFFF;

	return ctl & MCSTCTRL_MFE && n->reg[R_MTA / 4 + (v >> 5)] >> (v & 31) & 1;
}

static bool address(struct nic *n, const uint8_t *mac)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };
	uint32_t fctrl = n->reg[R_FCTRL / 4];

	if (exact(n, mac))
		return true;
	if (!memcmp(mac, all, 6))
		return fctrl & FCTRL_BAM;
	if (mac[0] & 1)
		return fctrl & FCTRL_MPE || hashed(n, mac);
	return fctrl & FCTRL_UPE;
}

bool filter_pass(struct nic *n, const uint8_t *f, const struct net_pkt *p)
{
	if (!address(n, f))
		return false;
	if (!p->vlan || !(n->reg[R_VLNCTRL / 4] & VLNCTRL_VFE))
		return true;
	return n->reg[R_VFTA / 4 + (p->tci >> 5 & 127)] >> (p->tci & 31) & 1;
}

/* Type of hash by the headers and the types that are on, the most specific first (7.1.2.8.1). */
static unsigned rss_type(uint32_t mrqc, const struct net_pkt *p, bool *ports)
{
	bool tcp = p->l4 && p->proto == NET_TCP, udp = p->l4 && p->proto == NET_UDP;

	*ports = true;
	if (p->l3 == 4) {
		if (tcp && mrqc & MRQC_TCP4)
			return 1;
		if (udp && mrqc & MRQC_UDP4)
			return 7;
		*ports = false;
		return mrqc & MRQC_IP4 ? 2 : 0;
	}
	if (p->l3 != 6)
		return 0;
	if (tcp && mrqc & (MRQC_TCP6 | MRQC_TCP6EX))
		return mrqc & MRQC_TCP6 ? 3 : 6;
	if (udp && mrqc & (MRQC_UDP6 | MRQC_UDP6EX))
		return mrqc & MRQC_UDP6 ? 8 : 9;
	*ports = false;
	return mrqc & MRQC_IP6 ? 5 : mrqc & MRQC_IP6EX ? 4 : 0;
}

static void load_key(struct nic *n)
{
	uint8_t key[NET_KEY];

	for (unsigned i = 0; i < NET_KEY; i++)
		key[i] = (uint8_t)(n->reg[R_RSSRK / 4 + i / 4] >> 8 * (i & 3));
	net_rss_key(&n->rss, key);
	n->rss_dirty = false;
}

static bool rss_on(uint32_t mrqc)
{
	unsigned mode = mrqc & 0xF;

	return mode == 1 || mode == 4 || mode == 5;
}

unsigned filter_queue(struct nic *n, const uint8_t *f, const struct net_pkt *p, struct rss *r)
{
	uint32_t mrqc = n->reg[R_MRQC / 4];
	uint8_t tuple[NET_TUPLE_MAX];
	unsigned len, entry;
	bool ports;

	r->type = rss_on(mrqc) ? rss_type(mrqc, p, &ports) : 0;
	r->hash = 0;
	if (!r->type)
		return 0;
	if (n->rss_dirty)
		load_key(n);
	len = net_tuple(f, p, ports, tuple);
	r->hash = net_rss_hash(&n->rss, tuple, len);
	entry = r->hash & 127;
	return n->reg[R_RETA / 4 + entry / 4] >> 8 * (entry & 3) & 0xF;
}
