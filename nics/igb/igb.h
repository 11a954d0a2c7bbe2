/* SPDX-License-Identifier: BSD-3-Clause */
/* What the igb driver's files share; nobody else includes this. */
#ifndef WEIR_NICS_IGB_H
#define WEIR_NICS_IGB_H

#include "core/clock.h"
#include "core/io.h"
#include "core/port.h"
#include "nics/igb/igb_regs.h"
#include "nics/intel_queue.h"
#include "nics/nics.h"

#define IGB_MAX_QUEUES	 16
#define IGB_MIN_DESC	 32
#define IGB_MAX_DESC	 4096
#define IGB_DESC_ALIGN	 8 /* RDLEN and TDLEN are multiples of 128 bytes */
#define IGB_DEFAULT_RING 512

/* Largest frame, FCS included (RLPML's reset value), and what surrounds the MTU in one. */
#define IGB_MAX_FRAME	9728
#define IGB_FCS		4
#define IGB_L2_OVERHEAD (WEIR_ETH_HLEN + 2 * WEIR_VLAN_HLEN)
#define IGB_MAX_MTU	(IGB_MAX_FRAME - IGB_FCS - IGB_L2_OVERHEAD)
/* With one buffer a packet. */
#define IGB_SINGLE_MTU (WEIR_BUF_ROOM - IGB_L2_OVERHEAD)

#define IGB_OFFLOADS                                                                       \
	(WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_HASH | WEIR_OFF_TX_CSUM | \
	 WEIR_OFF_TX_VLAN | WEIR_OFF_RX_JUMBO)
#define IGB_RSS_TYPES                                                            \
	(WEIR_RSS_IPV4 | WEIR_RSS_IPV4_TCP | WEIR_RSS_IPV4_UDP | WEIR_RSS_IPV6 | \
	 WEIR_RSS_IPV6_TCP | WEIR_RSS_IPV6_UDP)

#define IGB_N_STATS 76

/**
 * struct igb - a port
 * @port: common part; @port.bus is @pci
 * @pci: device
 * @bar: BAR 0
 * @mac: address in force; the reset takes it out of RAR 0, so it is kept here
 * @mc: multicast groups
 * @n_mc: how many
 * @promisc: take all frames
 * @vlan_filter: take frames of @vlans only
 * @vlans: as weir_port_ops.vlan_filter has them
 * @allmulti: take all multicast frames
 * @receiving: RCTL.RXEN is set
 * @no_auto_rd: device never reported that it read its EEPROM: QEMU's model
 * @lan: which of the controller's ports this is
 * @link_mode: CTRL_EXT.LINK_MODE
 * @n_vec: MSI-X vectors: 0 for the link, 1 + q for RX queue q; 0 if there are none
 * @stats: counters, summed up over reads (which clear them) and resets
 */
struct igb {
	struct weir_port port;
	struct weir_pci *pci;
	volatile char *bar;
	uint8_t mac[6];
	uint8_t mc[WEIR_MAX_MC_ADDRS][6];
	unsigned n_mc;
	bool promisc;
	bool vlan_filter;
	uint32_t vlans[WEIR_VLAN_WORDS];
	bool allmulti;
	bool receiving;
	bool no_auto_rd;
	unsigned lan;
	uint32_t link_mode;
	unsigned n_vec;
	uint64_t stats[IGB_N_STATS];
};

static inline struct igb *igb_of(struct weir_port *p)
{
	return weir_container_of(p, struct igb, port);
}

static inline uint32_t igb_rd(const struct igb *g, unsigned reg)
{
	return weir_mmio_read32(g->bar, reg);
}

static inline void igb_wr(const struct igb *g, unsigned reg, uint32_t v)
{
	weir_mmio_write32(g->bar, reg, v);
}

/* Reading makes earlier writes arrive. */
static inline void igb_flush(const struct igb *g)
{
	(void)igb_rd(g, IGB_STATUS);
}

/* igb_hw.c */
int igb_alive(struct igb *g);
int igb_wait(struct igb *g, unsigned reg, uint32_t mask, uint32_t want, unsigned us);
int igb_reset(struct igb *g, bool phy_too);
void igb_restore(struct igb *g);

/* igb_phy.c */
void igb_link_start(struct igb *g);
void igb_link_read(struct igb *g, uint32_t status, struct weir_link *link);

/* igb_filter.c */
void igb_filter_apply(struct igb *g);
void igb_rctl_apply(struct igb *g);
void igb_rss_apply(struct igb *g);
int igb_mac_get(struct weir_port *p, uint8_t mac[6]);
int igb_mac_set(struct weir_port *p, const uint8_t mac[6]);
int igb_promisc(struct weir_port *p, bool on);
int igb_allmulti(struct weir_port *p, bool on);
int igb_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n);
int igb_vlan_filter(struct weir_port *p, const uint32_t *vlans);
int igb_rss_set(struct weir_port *p, const struct weir_rss *rss);
int igb_rss_get(struct weir_port *p, struct weir_rss *rss);

/* igb_stats.c */
void igb_stats_update(struct igb *g);
int igb_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n);
int igb_arrived(struct weir_port *p, unsigned q, uint64_t *n);

/* igb_intr.c */
int igb_intr_setup(struct igb *g, unsigned n_vec);
void igb_intr_apply(struct igb *g);
int igb_rx_intr_fd(struct weir_port *p, unsigned q);
int igb_rx_intr_arm(struct weir_port *p, unsigned q);
int igb_rx_intr_disarm(struct weir_port *p, unsigned q);
int igb_lsc_fd(struct weir_port *p);

/* igb_queue.c */
int igb_queues_create(struct igb *g);
void igb_queues_destroy(struct igb *g);

#endif
