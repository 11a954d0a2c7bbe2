/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver for the Intel 82576 (physical functions), written from its datasheet. QEMU's igb is a
 * model of the same device; where it differs a comment says so. docs/drivers.md tells what a driver
 * is made of.
 */
#include "nics/igb/igb.h"

#include <stdlib.h>

#define ENABLE_WAIT_US 10000
/* After RXEN and EN are off the packet under way is finished; at 10 Mb/s a large one takes 8 ms. */
#define QUIET_US 10000

static const struct weir_pci_id ids[] = {
	{ 0x8086, 0x10c9, "Intel 82576" },
	{ 0x8086, 0x10e6, "Intel 82576 (fiber)" },
	{ 0x8086, 0x10e7, "Intel 82576 (SerDes)" },
	{ 0x8086, 0x10e8, "Intel 82576 (quad copper)" },
	{ 0x8086, 0x150a, "Intel 82576NS" },
	{ 0x8086, 0x150d, "Intel 82576 (quad SerDes)" },
	{ 0x8086, 0x1518, "Intel 82576NS (SerDes)" },
	{ 0x8086, 0x1526, "Intel 82576 (quad copper, ET2)" },
	{ 0, 0, NULL },
};

static void igb_caps(struct weir_port *p, struct weir_port_caps *caps)
{
	caps->driver = "igb";
	caps->max_rxq = IGB_MAX_QUEUES;
	caps->max_txq = IGB_MAX_QUEUES;
	caps->min_desc = IGB_MIN_DESC;
	caps->max_desc = IGB_MAX_DESC;
	caps->desc_align = IGB_DESC_ALIGN;
	caps->max_mtu = IGB_MAX_MTU;
	caps->offloads = IGB_OFFLOADS;
	caps->rss_types = IGB_RSS_TYPES;
	caps->rss_key_len = IGB_RSSRK_LEN;
	caps->reta_len = IGB_RETA_LEN;
	caps->max_tx_segs = WEIR_MAX_SEGS;
	caps->rx_intr = true;
	caps->is_process = weir_pci_info_of(igb_of(p)->pci)->is_process;
	caps->node = weir_pci_info_of(igb_of(p)->pci)->node;
}

static int check_mtu(struct igb *g, unsigned mtu)
{
	if (mtu <= IGB_SINGLE_MTU || g->port.conf.offloads & WEIR_OFF_RX_JUMBO)
		return 0;
	return weir_fail(g->port.w, EINVAL, "mtu",
			 "%s: frames of an MTU of %u do not fit one buffer; ask for "
			 "WEIR_OFF_RX_JUMBO, or stay at %d or below",
			 g->port.name, mtu, IGB_SINGLE_MTU);
}

static int igb_mtu_set(struct weir_port *p, unsigned mtu)
{
	struct igb *g = igb_of(p);

	/* Before it is configured nobody knows whether packets may have several segments. */
	return p->state == WEIR_PORT_OPEN ? 0 : check_mtu(g, mtu);
}

static void igb_unconfigure(struct weir_port *p)
{
	struct igb *g = igb_of(p);

	igb_queues_destroy(g);
	/* The vector of the link stays: its eventfd may be in use. */
	if (g->n_vec > 1)
		igb_intr_setup(g, 1);
}

/* The common part completes RSS for several queues only; its hash can be wanted with one too. */
static void complete_rss(struct weir_rss *rss)
{
	if (!rss->types)
		rss->types = IGB_RSS_TYPES;
	if (!rss->key_len) {
		rss->key_len = IGB_RSSRK_LEN;
		memcpy(rss->key, weir_rss_default_key, IGB_RSSRK_LEN);
	}
	/* One queue: whatever the table held, it is all zeroes now. */
	rss->reta_len = IGB_RETA_LEN;
	memset(rss->reta, 0, sizeof(rss->reta));
}

static int igb_configure(struct weir_port *p)
{
	struct igb *g = igb_of(p);
	int err;

	if (igb_alive(g))
		return -ENODEV;
	err = check_mtu(g, p->conf.mtu);
	if (err)
		return err;
	if (p->conf.n_rxq == 1)
		complete_rss(&p->conf.rss);
	err = igb_queues_create(g);
	if (err)
		return err;
	err = p->conf.rx_intr ? igb_intr_setup(g, 1 + p->conf.n_rxq) : 0;
	if (err) {
		igb_queues_destroy(g);
		return err;
	}
	g->promisc = p->conf.promisc;
	return 0;
}

static void ring_base(struct igb *g, unsigned reg, const struct weir_dma *dma,
		      const volatile void *ring, unsigned n)
{
	weir_iova_t iova = weir_dma_iova(dma, (const void *)(uintptr_t)ring);

	/* xDBAL, xDBAH, xDLEN, and further on xDH and xDT stand alike on both sides. */
	igb_wr(g, reg + 0x00, (uint32_t)iova);
	igb_wr(g, reg + 0x04, (uint32_t)(iova >> 32));
	igb_wr(g, reg + 0x08, n * 16);
	igb_wr(g, reg + 0x10, 0);
	igb_wr(g, reg + 0x18, 0);
}

/* 4.5.9: the tail must not move before ENABLE reads back as set. */
static int enable_queue(struct igb *g, unsigned reg, uint32_t thresholds, const char *side,
			unsigned q)
{
	int err;

	igb_wr(g, reg, thresholds | IGB_XDCTL_ENABLE);
	err = igb_wait(g, reg, IGB_XDCTL_ENABLE, IGB_XDCTL_ENABLE, ENABLE_WAIT_US);
	if (!err || err == -ENODEV)
		return err;
	return weir_fail(g->port.w, EIO, "device-timeout",
			 "%s: %s queue %u does not come up within %u ms", g->port.name, side, q,
			 ENABLE_WAIT_US / 1000);
}

static int start_rxq(struct igb *g, struct intel_rxq *q)
{
	uint32_t srrctl = IGB_SRRCTL_BSIZEPACKET_2K | IGB_SRRCTL_DESCTYPE_ADV_ONE;
	unsigned i = q->q.index;
	int err;

	static_assert(WEIR_BUF_ROOM == 2048, "SRRCTL counts in KiB");
	/* One queue that nobody empties must not block the packet buffer for the others. */
	if (g->port.conf.n_rxq > 1)
		srrctl |= IGB_SRRCTL_DROP_EN;
	igb_wr(g, IGB_RXDCTL(i), 0);
	igb_wr(g, IGB_SRRCTL(i), srrctl);
	ring_base(g, IGB_RXQ(i), &q->q.dma, q->ring, q->size);
	err = enable_queue(g, IGB_RXDCTL(i),
			   IGB_XDCTL_PTHRESH(8) | IGB_XDCTL_HTHRESH(8) | IGB_XDCTL_WTHRESH(1), "RX",
			   i);
	if (err)
		return err;
	if (!q->fill_fn(q))
		return weir_fail(g->port.w, ENOMEM, "pool-empty",
				 "%s: the pool has no buffer left for RX queue %u; make it larger",
				 g->port.name, i);
	return 0;
}

/*
 * WTHRESH 0: a descriptor with RS is reported at once, and only such ones are: by a write-back, or by
 * the head in the word behind the ring (7.2.3).
 */
static int start_txq(struct igb *g, struct intel_txq *q)
{
	weir_iova_t wb = weir_dma_iova(&q->q.dma, (const void *)(uintptr_t)&q->ring[q->size]);
	unsigned i = q->q.index;

	/* The reset leaves queue 0 of both sides enabled, with no ring. */
	igb_wr(g, IGB_TXDCTL(i), 0);
	ring_base(g, IGB_TXQ(i), &q->q.dma, q->ring, q->size);
	igb_wr(g, IGB_TDWBAH(i), q->head_wb ? (uint32_t)(wb >> 32) : 0);
	igb_wr(g, IGB_TDWBAL(i), q->head_wb ? (uint32_t)wb | IGB_TDWBAL_EN : 0);
	return enable_queue(g, IGB_TXDCTL(i), IGB_XDCTL_PTHRESH(8) | IGB_XDCTL_HTHRESH(1), "TX", i);
}

static int start_queues(struct igb *g)
{
	int err = 0;

	for (unsigned i = 0; i < g->port.conf.n_txq && !err; i++)
		err = start_txq(g, intel_txq_of(g->port.txq[i]));
	for (unsigned i = 0; i < g->port.conf.n_rxq && !err; i++)
		err = start_rxq(g, intel_rxq_of(g->port.rxq[i]));
	return err;
}

static void enable_sides(struct igb *g)
{
	const struct weir_port_conf *c = &g->port.conf;
	uint32_t ctrl = igb_rd(g, IGB_CTRL) & ~IGB_CTRL_VME;
	uint32_t tctl = igb_rd(g, IGB_TCTL) & ~IGB_TCTL_CT_MASK;

	if (c->offloads & WEIR_OFF_RX_VLAN_STRIP)
		ctrl |= IGB_CTRL_VME;
	igb_wr(g, IGB_CTRL, ctrl);
	igb_wr(g, IGB_RLPML, c->mtu + IGB_L2_OVERHEAD + IGB_FCS);
	igb_rss_apply(g);
	igb_wr(g, IGB_TCTL, tctl | IGB_TCTL_EN | IGB_TCTL_PSP | IGB_TCTL_CT(15));
	/* Last of all: now packets come. TIPG is right as the reset leaves it. */
	g->receiving = true;
	igb_rctl_apply(g);
	igb_flush(g);
}

static void quiesce(struct igb *g)
{
	const struct weir_port_conf *c = &g->port.conf;

	if (igb_alive(g))
		return;
	igb_wr(g, IGB_RCTL, 0);
	igb_wr(g, IGB_TCTL, igb_rd(g, IGB_TCTL) & ~IGB_TCTL_EN);
	for (unsigned i = 0; i < c->n_rxq; i++)
		igb_wr(g, IGB_RXDCTL(i), 0);
	for (unsigned i = 0; i < c->n_txq; i++)
		igb_wr(g, IGB_TXDCTL(i), 0);
	igb_flush(g);
	weir_sleep_us(QUIET_US);
}

/*
 * A queue that is merely disabled may still have writes under way; after master disable and reset
 * there are none. A device that is gone does no DMA either.
 */
static void igb_stop(struct weir_port *p)
{
	struct igb *g = igb_of(p);

	quiesce(g);
	if (!p->closing)
		igb_stats_update(g);
	if (!igb_reset(g, false) && !p->closing)
		igb_restore(g);
	weir_pci_bus_master(g->pci, false);
	for (unsigned i = 0; i < p->conf.n_rxq; i++)
		intel_rx_drain(intel_rxq_of(p->rxq[i]));
	for (unsigned i = 0; i < p->conf.n_txq; i++)
		intel_tx_drain(intel_txq_of(p->txq[i]));
}

static int igb_start(struct weir_port *p)
{
	struct igb *g = igb_of(p);
	int err;

	if (igb_alive(g))
		return -ENODEV;
	err = check_mtu(g, p->conf.mtu);
	if (err)
		return err;
	err = weir_pci_bus_master(g->pci, true);
	if (err)
		return err;
	err = start_queues(g);
	if (err) {
		igb_stop(p);
		return err;
	}
	enable_sides(g);
	err = igb_alive(g);
	if (err)
		igb_stop(p);
	return err;
}

static void igb_close(struct weir_port *p)
{
	struct igb *g = igb_of(p);

	if (!igb_alive(g)) {
		igb_wr(g, IGB_CTRL_EXT, igb_rd(g, IGB_CTRL_EXT) & ~IGB_CTRL_EXT_DRV_LOAD);
		igb_flush(g);
	}
	igb_intr_setup(g, 0);
	weir_pci_close(g->pci);
	weir_port_fini(p);
	free(g);
}

/* Reading ICR takes the cause of the link interrupt away, so that the next change signals again. */
static int igb_link(struct weir_port *p, struct weir_link *link)
{
	struct igb *g = igb_of(p);
	uint32_t status;

	if (igb_alive(g))
		return -ENODEV;
	if (g->n_vec)
		(void)igb_rd(g, IGB_ICR);
	status = igb_rd(g, IGB_STATUS);
	if (weir_mmio_gone(status))
		return igb_alive(g);
	igb_link_read(g, status, link);
	return 0;
}

static int igb_check(struct weir_port *p)
{
	return igb_alive(igb_of(p));
}

static const struct weir_port_ops ops = {
	.caps = igb_caps,
	.configure = igb_configure,
	.unconfigure = igb_unconfigure,
	.start = igb_start,
	.stop = igb_stop,
	.close = igb_close,
	.link = igb_link,
	.mac_get = igb_mac_get,
	.mac_set = igb_mac_set,
	.promisc = igb_promisc,
	.allmulti = igb_allmulti,
	.mc_list = igb_mc_list,
	.vlan_filter = igb_vlan_filter,
	.mtu_set = igb_mtu_set,
	.rss_set = igb_rss_set,
	.rss_get = igb_rss_get,
	.xstats = igb_xstats,
	.rx_intr_fd = igb_rx_intr_fd,
	.rx_intr_arm = igb_rx_intr_arm,
	.rx_intr_disarm = igb_rx_intr_disarm,
	.lsc_fd = igb_lsc_fd,
	.check = igb_check,
	.arrived = igb_arrived,
};

/* The reset loads RAR 0 from the EEPROM. Boards without one get an address of their own. */
static void read_mac(struct igb *g)
{
	static const uint8_t zero[6];
	uint32_t lo = igb_rd(g, IGB_RAL(0)), hi = igb_rd(g, IGB_RAH(0));
	struct weir_bdf b = weir_pci_info_of(g->pci)->bdf;
	uint8_t mac[6] = { (uint8_t)lo,		(uint8_t)(lo >> 8), (uint8_t)(lo >> 16),
			   (uint8_t)(lo >> 24), (uint8_t)hi,	    (uint8_t)(hi >> 8) };

	if (mac[0] & 1 || !memcmp(mac, zero, 6)) {
		mac[0] = 0x02;
		mac[1] = (uint8_t)(b.domain >> 8);
		mac[2] = (uint8_t)b.domain;
		mac[3] = b.bus;
		mac[4] = b.dev;
		mac[5] = b.fn;
		weir_warn(g->port.w,
			  "%s: the device's EEPROM holds no usable MAC address; made one of its "
			  "PCI address",
			  g->port.name);
	}
	memcpy(g->mac, mac, 6);
}

static int map_bar(struct igb *g)
{
	struct weir_bar bar;
	int err = weir_pci_bar(g->pci, 0, &bar);

	if (err)
		return err;
	if (bar.size < IGB_BAR_NEED || !weir_bar_ok(g->pci, 0, 0, IGB_BAR_NEED))
		return weir_fail(g->port.w, ENOTSUP, "bar",
				 "%s: BAR 0 has %llu bytes that can be mapped, the registers need "
				 "%u",
				 g->port.name, (unsigned long long)bar.size, IGB_BAR_NEED);
	g->bar = bar.va;
	return 0;
}

static int bring_up(struct igb *g)
{
	int err = map_bar(g);

	if (!err)
		err = igb_alive(g);
	if (err)
		return err;
	g->lan = igb_rd(g, IGB_STATUS) >> IGB_STATUS_LAN_ID_SHIFT & IGB_STATUS_LAN_ID_MASK;
	/* The 82576 has two; a broken answer must not shift masks out of their registers. */
	g->lan &= 1;
	err = igb_reset(g, true);
	if (err)
		return err;
	read_mac(g);
	igb_restore(g);
	igb_stats_update(g);
	memset(g->stats, 0, sizeof(g->stats));
	return igb_alive(g);
}

static int igb_probe(struct weir_pci *d, const char *name, struct weir_port **out)
{
	struct igb *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	err = weir_port_init(&g->port, weir_pci_handle(d), &ops, name);
	if (err)
		goto free;
	g->port.bus = d;
	g->pci = d;
	err = bring_up(g);
	if (err)
		goto fini;
	*out = &g->port;
	return 0;
fini:
	weir_port_fini(&g->port);
free:
	free(g);
	return err;
}

const struct weir_driver weir_igb_driver = {
	.name = "igb",
	.ids = ids,
	.probe = igb_probe,
};
