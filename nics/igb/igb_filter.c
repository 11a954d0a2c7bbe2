/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames are received, and on which queue: addresses (8.10), RSS (7.1.1). */
#include "nics/igb/igb.h"

static void rar_write(struct igb *g, unsigned i, const uint8_t mac[6])
{
	uint32_t lo = 0, hi = 0;

	if (mac) {
		lo = (uint32_t)mac[3] << 24 | (uint32_t)mac[2] << 16 | (uint32_t)mac[1] << 8 |
		     mac[0];
		hi = IGB_RAH_AV | (uint32_t)mac[5] << 8 | mac[4];
	}
	igb_wr(g, IGB_RAL(i), lo);
	igb_wr(g, IGB_RAH(i), hi);
}

/**
 * igb_filter_apply() - write the address filters
 * @g: port
 *
 * The first RAR is the port's own address. Multicast groups get an exact slot each while there are
 * some; the others go through the hash table, whose index is bits 47:36 of the address (RCTL.MO
 * 00b). The tables are not reset with the device, so all of them is written.
 */
void igb_filter_apply(struct igb *g)
{
	uint32_t mta[IGB_MTA_LEN] = { 0 };

	rar_write(g, 0, g->mac);
	for (unsigned i = 1; i < IGB_RAR_LEN; i++)
		rar_write(g, i, i <= g->n_mc ? g->mc[i - 1] : NULL);
	for (unsigned i = IGB_RAR_LEN - 1; i < g->n_mc; i++) {
		unsigned h = ((unsigned)g->mc[i][5] << 8 | g->mc[i][4]) >> 4;

		mta[h >> 5] |= IGB_BIT(h & 31);
	}
	for (unsigned i = 0; i < IGB_MTA_LEN; i++)
		igb_wr(g, IGB_MTA(i), mta[i]);
	static_assert(IGB_VFTA_LEN == WEIR_VLAN_WORDS, "a word is a register");
	for (unsigned i = 0; i < IGB_VFTA_LEN; i++)
		igb_wr(g, IGB_VFTA(i), g->vlans[i]);
}

/**
 * igb_rctl_apply() - write RCTL from the port's state
 * @g: port
 *
 * Long packets are always enabled: RLPML alone says how long, so that a full frame with two VLAN
 * tags passes. The FCS is taken off.
 */
void igb_rctl_apply(struct igb *g)
{
	uint32_t v = IGB_RCTL_LPE | IGB_RCTL_BAM | IGB_RCTL_SECRC;

	if (g->receiving)
		v |= IGB_RCTL_RXEN;
	if (g->promisc)
		v |= IGB_RCTL_UPE | IGB_RCTL_MPE | IGB_RCTL_PMCF;
	if (g->allmulti)
		v |= IGB_RCTL_MPE;
	if (g->vlan_filter)
		v |= IGB_RCTL_VFE;
	igb_wr(g, IGB_RCTL, v);
}

static uint32_t rss_fields(unsigned types)
{
	static const struct {
		unsigned type;
		uint32_t field;
	} map[] = {
		{ WEIR_RSS_IPV4, IGB_MRQC_IPV4 },
		{ WEIR_RSS_IPV4_TCP, IGB_MRQC_TCP_IPV4 },
		{ WEIR_RSS_IPV4_UDP, IGB_MRQC_UDP_IPV4 },
		{ WEIR_RSS_IPV6, IGB_MRQC_IPV6 },
		/* QEMU's model looks at the _EX bit alone. */
		{ WEIR_RSS_IPV6_TCP, IGB_MRQC_TCP_IPV6 | IGB_MRQC_TCP_IPV6_EX },
		{ WEIR_RSS_IPV6_UDP, IGB_MRQC_UDP_IPV6 },
	};
	uint32_t v = 0;

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(map); i++)
		if (types & map[i].type)
			v |= map[i].field;
	return v;
}

/* Key, table and queue mode, in this order: nothing is spread by a table half written. */
static void rss_write(struct igb *g, const struct weir_rss *rss)
{
	for (unsigned i = 0; i < IGB_RSSRK_LEN / 4; i++) {
		const uint8_t *k = &rss->key[4 * i];

		igb_wr(g, IGB_RSSRK(i),
		       (uint32_t)k[3] << 24 | (uint32_t)k[2] << 16 | (uint32_t)k[1] << 8 | k[0]);
	}
	for (unsigned i = 0; i < IGB_RETA_LEN / 4; i++) {
		const uint16_t *r = &rss->reta[4 * i];

		igb_wr(g, IGB_RETA(i),
		       (uint32_t)r[3] << 24 | (uint32_t)r[2] << 16 | (uint32_t)r[1] << 8 | r[0]);
	}
	igb_wr(g, IGB_MRQC, IGB_MRQC_RSS | rss_fields(rss->types));
}

/**
 * igb_rss_apply() - write RSS and checksum registers from the configuration
 * @g: configured port
 *
 * With one queue RSS is on only for its hash. Hash and checksum share a field of the descriptor:
 * PCSD gives it to the hash.
 */
void igb_rss_apply(struct igb *g)
{
	const struct weir_port_conf *c = &g->port.conf;
	uint32_t csum = 0;

	if (c->offloads & WEIR_OFF_RX_CSUM)
		csum |= IGB_RXCSUM_IPOFLD | IGB_RXCSUM_TUOFLD;
	if (c->n_rxq > 1 || c->offloads & WEIR_OFF_RX_HASH) {
		igb_wr(g, IGB_RXCSUM, csum | IGB_RXCSUM_PCSD);
		rss_write(g, &c->rss);
	} else {
		igb_wr(g, IGB_RXCSUM, csum);
		igb_wr(g, IGB_MRQC, 0);
	}
}

int igb_rss_set(struct weir_port *p, const struct weir_rss *rss)
{
	struct igb *g = igb_of(p);

	if (igb_alive(g))
		return -ENODEV;
	p->conf.rss = *rss;
	/* A port that is not running gets it at its start. */
	if (g->receiving)
		igb_rss_apply(g);
	return 0;
}

int igb_rss_get(struct weir_port *p, struct weir_rss *rss)
{
	*rss = p->conf.rss;
	return 0;
}

int igb_mac_get(struct weir_port *p, uint8_t mac[6])
{
	memcpy(mac, igb_of(p)->mac, 6);
	return 0;
}

int igb_mac_set(struct weir_port *p, const uint8_t mac[6])
{
	struct igb *g = igb_of(p);

	if (igb_alive(g))
		return -ENODEV;
	memcpy(g->mac, mac, 6);
	rar_write(g, 0, mac);
	return 0;
}

static int set_mode(struct igb *g, bool *mode, bool on)
{
	if (igb_alive(g))
		return -ENODEV;
	*mode = on;
	if (g->receiving)
		igb_rctl_apply(g);
	return 0;
}

int igb_promisc(struct weir_port *p, bool on)
{
	struct igb *g = igb_of(p);

	return set_mode(g, &g->promisc, on);
}

int igb_allmulti(struct weir_port *p, bool on)
{
	struct igb *g = igb_of(p);

	return set_mode(g, &g->allmulti, on);
}

int igb_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n)
{
	struct igb *g = igb_of(p);

	if (igb_alive(g))
		return -ENODEV;
	if (n)
		memcpy(g->mc, macs, n * sizeof(g->mc[0]));
	g->n_mc = n;
	igb_filter_apply(g);
	return 0;
}

int igb_vlan_filter(struct weir_port *p, const uint32_t *vlans)
{
	struct igb *g = igb_of(p);

	if (igb_alive(g))
		return -ENODEV;
	g->vlan_filter = vlans;
	memset(g->vlans, 0, sizeof(g->vlans));
	if (vlans)
		memcpy(g->vlans, vlans, sizeof(g->vlans));
	igb_filter_apply(g);
	/* A port that is not running gets it at its start. */
	if (g->receiving)
		igb_rctl_apply(g);
	return 0;
}
