/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver for the physical functions of Intel's 82599, X540 and X550, written from the public
 * datasheets. docs/drivers.md tells what a driver is made of, and what is special about this one.
 */
#include "nics/ixgbe/ixgbe.h"

#include <stdlib.h>

/* Boards with a PHY on the other side of MDIO (82599 T3 LOM, X550EM) want more than is done here. */
static const struct weir_pci_id ids[] = {
	{ 0x8086, 0x10fb, "Intel 82599 (SFP+)" },
	{ 0x8086, 0x10f7, "Intel 82599 (KX4)" },
	{ 0x8086, 0x10f8, "Intel 82599 (backplane)" },
	{ 0x8086, 0x10f9, "Intel 82599 (CX4)" },
	{ 0x8086, 0x10fc, "Intel 82599 (XAUI)" },
	{ 0x8086, 0x1507, "Intel 82599 (SFP+, EM)" },
	{ 0x8086, 0x1514, "Intel 82599 (KX4 mezzanine)" },
	{ 0x8086, 0x1517, "Intel 82599 (KR)" },
	{ 0x8086, 0x1529, "Intel 82599 (SFP+, FCoE)" },
	{ 0x8086, 0x152a, "Intel 82599 (backplane, FCoE)" },
	{ 0x8086, 0x154a, "Intel 82599 (quad SFP+)" },
	{ 0x8086, 0x154d, "Intel 82599 (SFP+, SF2)" },
	{ 0x8086, 0x1557, "Intel 82599EN (SFP+)" },
	{ 0x8086, 0x1558, "Intel 82599 (QSFP+)" },
	{ 0x8086, 0x1528, "Intel X540-T2" },
	{ 0x8086, 0x1560, "Intel X540-T1" },
	{ 0x8086, 0x1563, "Intel X550-T2" },
	{ 0x8086, 0x15d1, "Intel X550-T1" },
	{ 0, 0, NULL },
};

static const struct ixgbe_kind kind_82599 = {
	.reta_len = IXGBE_RETA_LEN,
	.rxpb_kb = 512,
	.autoc = true,
	.udp_zero = true,
};

static const struct ixgbe_kind kind_x540 = {
	.reta_len = IXGBE_RETA_LEN,
	.rxpb_kb = 384,
};

static const struct ixgbe_kind kind_x550 = {
	.reta_len = IXGBE_RETA_LEN_X550,
	.rxpb_kb = 384,
};

static const struct ixgbe_kind *kind_of(uint16_t device)
{
	switch (device) {
	case 0x1528:
	case 0x1560:
		return &kind_x540;
	case 0x1563:
	case 0x15d1:
		return &kind_x550;
	default:
		return &kind_82599;
	}
}

static void ixgbe_caps(struct weir_port *p, struct weir_port_caps *caps)
{
	struct ixgbe *x = ixgbe_of(p);

	caps->driver = "ixgbe";
	caps->max_rxq = IXGBE_MAX_QUEUES;
	caps->max_txq = IXGBE_MAX_QUEUES;
	caps->min_desc = IXGBE_MIN_DESC;
	caps->max_desc = IXGBE_MAX_DESC;
	caps->desc_align = IXGBE_DESC_ALIGN;
	caps->max_mtu = IXGBE_MAX_MTU;
	caps->offloads = IXGBE_OFFLOADS;
	caps->rss_types = IXGBE_RSS_TYPES;
	caps->rss_key_len = IXGBE_RSSRK_LEN;
	caps->reta_len = x->kind->reta_len;
	caps->max_tx_segs = WEIR_MAX_SEGS;
	caps->rx_intr = true;
	caps->tag_queues = x->tag.queues ? 1 : 0;
	caps->is_process = weir_pci_info_of(x->pci)->is_process;
	caps->node = weir_pci_info_of(x->pci)->node;
}

static int check_mtu(struct ixgbe *x, unsigned mtu)
{
	if (mtu <= IXGBE_SINGLE_MTU || x->port.conf.offloads & WEIR_OFF_RX_JUMBO)
		return 0;
	return weir_fail(x->port.w, EINVAL, "mtu",
			 "%s: frames of an MTU of %u do not fit one buffer; ask for "
			 "WEIR_OFF_RX_JUMBO, or stay at %d or below",
			 x->port.name, mtu, IXGBE_SINGLE_MTU);
}

static int ixgbe_mtu_set(struct weir_port *p, unsigned mtu)
{
	struct ixgbe *x = ixgbe_of(p);

	/* Before it is configured nobody knows whether packets may have several segments. */
	return p->state == WEIR_PORT_OPEN ? 0 : check_mtu(x, mtu);
}

static void ixgbe_unconfigure(struct weir_port *p)
{
	struct ixgbe *x = ixgbe_of(p);

	ixgbe_queues_destroy(x);
	/* The vector of the link alone can stay: its eventfd may be in use. */
	if (x->n_vec > 1)
		ixgbe_intr_setup(x, 0);
}

/* The common part completes RSS for several queues only; its hash can be wanted with one too. */
static void complete_rss(const struct ixgbe *x, struct weir_rss *rss)
{
	if (!rss->types)
		rss->types = IXGBE_RSS_TYPES;
	if (!rss->key_len) {
		rss->key_len = IXGBE_RSSRK_LEN;
		memcpy(rss->key, weir_rss_default_key, IXGBE_RSSRK_LEN);
	}
	/* One queue: whatever the table held, it is all zeroes now. */
	rss->reta_len = x->kind->reta_len;
	memset(rss->reta, 0, sizeof(rss->reta));
}

static int ixgbe_configure(struct weir_port *p)
{
	struct ixgbe *x = ixgbe_of(p);
	int err;

	if (ixgbe_alive(x))
		return -ENODEV;
	err = check_mtu(x, p->conf.mtu);
	if (err)
		return err;
	if (p->conf.n_rxq == 1)
		complete_rss(x, &p->conf.rss);
	err = ixgbe_queues_create(x);
	if (err)
		return err;
	err = p->conf.rx_intr ? ixgbe_intr_setup(x, p->conf.n_rxq + 1) : 0;
	if (err) {
		ixgbe_queues_destroy(x);
		return err;
	}
	x->promisc = p->conf.promisc;
	return 0;
}

/*
 * A queue that is merely disabled may still have writes under way; after master disable and reset
 * there are none. A device that is gone does no DMA either. The link stays up.
 */
static void ixgbe_stop(struct weir_port *p)
{
	struct ixgbe *x = ixgbe_of(p);

	ixgbe_queues_stop(x);
	if (!p->closing)
		ixgbe_stats_update(x);
	if (!ixgbe_reset(x, false) && !p->closing)
		ixgbe_restore(x);
	weir_pci_bus_master(x->pci, false);
	for (unsigned i = 0; i < p->conf.n_rxq; i++)
		intel_rx_drain(intel_rxq_of(p->rxq[i]));
	for (unsigned i = 0; i < p->conf.n_txq; i++)
		intel_tx_drain(intel_txq_of(p->txq[i]));
}

static int ixgbe_start(struct weir_port *p)
{
	struct ixgbe *x = ixgbe_of(p);
	int err;

	if (ixgbe_alive(x))
		return -ENODEV;
	err = check_mtu(x, p->conf.mtu);
	if (err)
		return err;
	err = weir_pci_bus_master(x->pci, true);
	if (err)
		return err;
	x->refused = false;
	err = ixgbe_queues_start(x);
	if (err)
		ixgbe_stop(p);
	return err;
}

static void ixgbe_close(struct weir_port *p)
{
	struct ixgbe *x = ixgbe_of(p);

	if (!ixgbe_alive(x)) {
		ixgbe_wr(x, IXGBE_CTRL_EXT, ixgbe_rd(x, IXGBE_CTRL_EXT) & ~IXGBE_CTRL_EXT_DRV_LOAD);
		ixgbe_flush(x);
	}
	ixgbe_intr_setup(x, 0);
	weir_pci_close(x->pci);
	weir_port_fini(p);
	free(x);
}

static const struct weir_port_ops ops = {
	.caps = ixgbe_caps,
	.configure = ixgbe_configure,
	.unconfigure = ixgbe_unconfigure,
	.start = ixgbe_start,
	.stop = ixgbe_stop,
	.close = ixgbe_close,
	.link = ixgbe_link,
	.mac_get = ixgbe_mac_get,
	.mac_set = ixgbe_mac_set,
	.promisc = ixgbe_promisc,
	.allmulti = ixgbe_allmulti,
	.mc_list = ixgbe_mc_list,
	.vlan_filter = ixgbe_vlan_filter,
	.mtu_set = ixgbe_mtu_set,
	.rss_set = ixgbe_rss_set,
	.rss_get = ixgbe_rss_get,
	.xstats = ixgbe_xstats,
	.rx_intr_fd = ixgbe_rx_intr_fd,
	.rx_intr_arm = ixgbe_rx_intr_arm,
	.rx_intr_disarm = ixgbe_rx_intr_disarm,
	.lsc_fd = ixgbe_lsc_fd,
	.check = ixgbe_check,
	.arrived = ixgbe_arrived,
	.queue_tag = ixgbe_queue_tag,
	.queue_stopped = ixgbe_queue_stopped,
};

/* The reset loads RAR 0 from the EEPROM. Boards without one get an address of their own. */
static void read_mac(struct ixgbe *x)
{
	static const uint8_t zero[6];
	uint32_t lo = ixgbe_rd(x, IXGBE_RAL(0)), hi = ixgbe_rd(x, IXGBE_RAH(0));
	struct weir_bdf b = weir_pci_info_of(x->pci)->bdf;
	uint8_t mac[6] = { (uint8_t)lo,		(uint8_t)(lo >> 8), (uint8_t)(lo >> 16),
			   (uint8_t)(lo >> 24), (uint8_t)hi,	    (uint8_t)(hi >> 8) };

	if (mac[0] & 1 || !memcmp(mac, zero, 6)) {
		mac[0] = 0x02;
		mac[1] = (uint8_t)(b.domain >> 8);
		mac[2] = (uint8_t)b.domain;
		mac[3] = b.bus;
		mac[4] = b.dev;
		mac[5] = b.fn;
		weir_warn(x->port.w,
			  "%s: the device's EEPROM holds no usable MAC address; made one of its "
			  "PCI address",
			  x->port.name);
	}
	memcpy(x->mac, mac, 6);
}

static int bring_up(struct ixgbe *x)
{
	int err = ixgbe_bar(x);

	if (!err)
		err = ixgbe_alive(x);
	if (!err)
		err = ixgbe_tag_probe(x);
	if (!err)
		err = ixgbe_reset(x, true);
	if (err)
		return err;
	read_mac(x);
	ixgbe_restore(x);
	ixgbe_stats_update(x);
	memset(x->stats, 0, sizeof(x->stats));
	memset(x->qstats, 0, sizeof(x->qstats));
	return ixgbe_alive(x);
}

static int ixgbe_probe(struct weir_pci *d, const char *name, struct weir_port **out)
{
	struct ixgbe *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return -ENOMEM;
	err = weir_port_init(&x->port, weir_pci_handle(d), &ops, name);
	if (err)
		goto free;
	x->port.bus = d;
	x->pci = d;
	x->kind = kind_of(weir_pci_info_of(d)->device);
	err = bring_up(x);
	if (err)
		goto fini;
	*out = &x->port;
	return 0;
fini:
	weir_port_fini(&x->port);
free:
	free(x);
	return err;
}

const struct weir_driver weir_ixgbe_driver = {
	.name = "ixgbe",
	.ids = ids,
	.probe = ixgbe_probe,
};
