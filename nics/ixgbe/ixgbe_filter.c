/* SPDX-License-Identifier: BSD-3-Clause */
/* Which frames are received (7.1.1), and on which queue (7.1.2.8). */
#include "nics/ixgbe/ixgbe.h"

static void rar_write(struct ixgbe *x, unsigned i, const uint8_t mac[6])
{
	ixgbe_wr(x, IXGBE_RAL(i),
		 (uint32_t)mac[3] << 24 | (uint32_t)mac[2] << 16 | (uint32_t)mac[1] << 8 | mac[0]);
	ixgbe_wr(x, IXGBE_RAH(i), IXGBE_RAH_AV | (uint32_t)mac[5] << 8 | mac[4]);
}

static void rar_clear(struct ixgbe *x, unsigned i)
{
	ixgbe_wr(x, IXGBE_RAL(i), 0);
	ixgbe_wr(x, IXGBE_RAH(i), 0);
}

static void mc_apply(struct ixgbe *x)
{
	uint32_t mta[IXGBE_MTA_LEN] = { 0 };

	for (unsigned i = 1; i < IXGBE_RAR_LEN; i++) {
		if (i <= x->n_mc)
			rar_write(x, i, x->mc[i - 1]);
		else
			rar_clear(x, i);
	}
	for (unsigned i = IXGBE_RAR_LEN - 1; i < x->n_mc; i++) {
		unsigned h = ((unsigned)x->mc[i][5] << 8 | x->mc[i][4]) >> 4;

		mta[h >> 5] |= IXGBE_BIT(h & 31);
	}
	for (unsigned i = 0; i < IXGBE_MTA_LEN; i++)
		ixgbe_wr(x, IXGBE_MTA(i), mta[i]);
	/* MO 00b: the table's index is bits 47:36 of the address. */
	ixgbe_wr(x, IXGBE_MCSTCTRL, x->n_mc >= IXGBE_RAR_LEN ? IXGBE_MCSTCTRL_MFE : 0);
}

/* While the table is written no frame of the new VLANs is missed, and none of others for long. */
static void vlan_apply(struct ixgbe *x)
{
	uint32_t ctrl = ixgbe_rd(x, IXGBE_VLNCTRL) & ~IXGBE_VLNCTRL_VFE;

	static_assert(IXGBE_VFTA_LEN == WEIR_VLAN_WORDS, "a word is a register");
	if (!x->vlan_filter)
		ixgbe_wr(x, IXGBE_VLNCTRL, ctrl);
	for (unsigned i = 0; i < IXGBE_VFTA_LEN; i++)
		ixgbe_wr(x, IXGBE_VFTA(i), x->vlans[i]);
	if (x->vlan_filter)
		ixgbe_wr(x, IXGBE_VLNCTRL, ctrl | IXGBE_VLNCTRL_VFE);
}

/**
 * ixgbe_filter_apply() - write the address filters
 * @x: port
 *
 * The first RAR is the port's own address. Multicast groups get an exact slot each while there are
 * some; the others go through the hash table. No filter is reset with the device, so all of them
 * are written.
 */
void ixgbe_filter_apply(struct ixgbe *x)
{
	rar_write(x, 0, x->mac);
	mc_apply(x);
	vlan_apply(x);
}

/**
 * ixgbe_fctrl_apply() - write FCTRL from the port's state
 * @x: port; it must not be receiving while the filter is written (8.2.3.7.1), or only MPE and UPE
 *     change
 */
void ixgbe_fctrl_apply(struct ixgbe *x)
{
	uint32_t v = IXGBE_FCTRL_BAM;

	if (x->promisc)
		v |= IXGBE_FCTRL_UPE | IXGBE_FCTRL_MPE;
	if (x->allmulti)
		v |= IXGBE_FCTRL_MPE;
	ixgbe_wr(x, IXGBE_FCTRL, v);
	ixgbe_wr(x, IXGBE_MFLCN, x->promisc ? IXGBE_MFLCN_PMCF : 0);
}

static uint32_t rss_fields(unsigned types)
{
	static const struct {
		unsigned type;
		uint32_t field;
	} map[] = {
		{ WEIR_RSS_IPV4, IXGBE_MRQC_IPV4 },
		{ WEIR_RSS_IPV4_TCP, IXGBE_MRQC_TCP_IPV4 },
		{ WEIR_RSS_IPV4_UDP, IXGBE_MRQC_UDP_IPV4 },
		{ WEIR_RSS_IPV6, IXGBE_MRQC_IPV6 },
		{ WEIR_RSS_IPV6_TCP, IXGBE_MRQC_TCP_IPV6 },
		{ WEIR_RSS_IPV6_UDP, IXGBE_MRQC_UDP_IPV6 },
	};
	uint32_t v = 0;

	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(map); i++)
		if (types & map[i].type)
			v |= map[i].field;
	return v;
}

/* Key, table and queue mode, in this order: nothing is spread by a table half written. */
static void rss_write(struct ixgbe *x, const struct weir_rss *rss)
{
	for (unsigned i = 0; i < IXGBE_RSSRK_LEN / 4; i++) {
		const uint8_t *k = &rss->key[4 * i];

		ixgbe_wr(x, IXGBE_RSSRK(i),
			 (uint32_t)k[3] << 24 | (uint32_t)k[2] << 16 | (uint32_t)k[1] << 8 | k[0]);
	}
	for (unsigned i = 0; i < x->kind->reta_len / 4; i++) {
		const uint16_t *r = &rss->reta[4 * i];

		ixgbe_wr(x, IXGBE_RETA(i),
			 (uint32_t)r[3] << 24 | (uint32_t)r[2] << 16 | (uint32_t)r[1] << 8 | r[0]);
	}
	ixgbe_wr(x, IXGBE_MRQC, IXGBE_MRQC_RSS | rss_fields(rss->types));
}

/**
 * ixgbe_rss_apply() - write RSS and checksum registers from the configuration
 * @x: configured port
 *
 * With one queue RSS is on only for its hash. Hash and fragment checksum share a field of the
 * descriptor: PCSD gives it to the hash. Checksums are always verified.
 */
void ixgbe_rss_apply(struct ixgbe *x)
{
	const struct weir_port_conf *c = &x->port.conf;

	ixgbe_wr(x, IXGBE_RXCSUM, IXGBE_RXCSUM_PCSD);
	if (c->n_rxq > 1 || c->offloads & WEIR_OFF_RX_HASH)
		rss_write(x, &c->rss);
	else
		ixgbe_wr(x, IXGBE_MRQC, 0);
}

int ixgbe_rss_set(struct weir_port *p, const struct weir_rss *rss)
{
	struct ixgbe *x = ixgbe_of(p);

	if (ixgbe_alive(x))
		return -ENODEV;
	p->conf.rss = *rss;
	/* A port that is not running gets it at its start. */
	if (x->receiving)
		ixgbe_rss_apply(x);
	return 0;
}

int ixgbe_rss_get(struct weir_port *p, struct weir_rss *rss)
{
	*rss = p->conf.rss;
	return 0;
}

int ixgbe_mac_get(struct weir_port *p, uint8_t mac[6])
{
	memcpy(mac, ixgbe_of(p)->mac, 6);
	return 0;
}

int ixgbe_mac_set(struct weir_port *p, const uint8_t mac[6])
{
	struct ixgbe *x = ixgbe_of(p);

	if (ixgbe_alive(x))
		return -ENODEV;
	memcpy(x->mac, mac, 6);
	rar_write(x, 0, mac);
	return 0;
}

static int set_mode(struct ixgbe *x, bool *mode, bool on)
{
	if (ixgbe_alive(x))
		return -ENODEV;
	*mode = on;
	if (x->receiving)
		ixgbe_fctrl_apply(x);
	return 0;
}

int ixgbe_promisc(struct weir_port *p, bool on)
{
	struct ixgbe *x = ixgbe_of(p);

	return set_mode(x, &x->promisc, on);
}

int ixgbe_allmulti(struct weir_port *p, bool on)
{
	struct ixgbe *x = ixgbe_of(p);

	return set_mode(x, &x->allmulti, on);
}

int ixgbe_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n)
{
	struct ixgbe *x = ixgbe_of(p);

	if (ixgbe_alive(x))
		return -ENODEV;
	if (n)
		memcpy(x->mc, macs, n * sizeof(x->mc[0]));
	x->n_mc = n;
	mc_apply(x);
	return 0;
}

int ixgbe_vlan_filter(struct weir_port *p, const uint32_t *vlans)
{
	struct ixgbe *x = ixgbe_of(p);

	if (ixgbe_alive(x))
		return -ENODEV;
	x->vlan_filter = vlans;
	memset(x->vlans, 0, sizeof(x->vlans));
	if (vlans)
		memcpy(x->vlans, vlans, sizeof(x->vlans));
	vlan_apply(x);
	return 0;
}
