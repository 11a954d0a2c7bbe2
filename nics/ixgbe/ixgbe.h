/* SPDX-License-Identifier: BSD-3-Clause */
/* What the ixgbe driver's files share; nobody else includes this. */
#ifndef WEIR_NICS_IXGBE_H
#define WEIR_NICS_IXGBE_H

#include "core/clock.h"
#include "core/io.h"
#include "core/port.h"
#include "nics/intel_queue.h"
#include "nics/ixgbe/ixgbe_regs.h"
#include "nics/nics.h"

#define IXGBE_MAX_QUEUES 16
#define IXGBE_MIN_DESC	 32
#define IXGBE_MAX_DESC	 4096
#define IXGBE_DESC_ALIGN 8 /* RDLEN and TDLEN are multiples of 128 bytes */

/* Largest frame, FCS included, and what surrounds the MTU in one. */
#define IXGBE_MAX_FRAME	  9728
#define IXGBE_FCS	  4
#define IXGBE_L2_OVERHEAD (WEIR_ETH_HLEN + 2 * WEIR_VLAN_HLEN)
#define IXGBE_MAX_MTU	  (IXGBE_MAX_FRAME - IXGBE_FCS - IXGBE_L2_OVERHEAD)
/* With one buffer a packet. */
#define IXGBE_SINGLE_MTU (WEIR_BUF_ROOM - IXGBE_L2_OVERHEAD)

#define IXGBE_OFFLOADS                                                                     \
	(WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_HASH | WEIR_OFF_TX_CSUM | \
	 WEIR_OFF_TX_VLAN | WEIR_OFF_TX_TSO | WEIR_OFF_RX_JUMBO)
#define IXGBE_RSS_TYPES                                                          \
	(WEIR_RSS_IPV4 | WEIR_RSS_IPV4_TCP | WEIR_RSS_IPV4_UDP | WEIR_RSS_IPV6 | \
	 WEIR_RSS_IPV6_TCP | WEIR_RSS_IPV6_UDP)

/* Counters of the port, and those of each queue: see ixgbe_stats.c. */
#define IXGBE_N_PORT_STATS  58
#define IXGBE_N_QUEUE_STATS 5

/**
 * struct ixgbe_kind - in what the members of the family differ
 * @reta_len: entries of the RSS table
 * @rxpb_kb: receive packet buffer
 * @autoc: the link is set up by AUTOC; else firmware negotiates for a copper PHY
 * @udp_zero: see struct intel_kind
 */
struct ixgbe_kind {
	unsigned reta_len;
	unsigned rxpb_kb;
	bool autoc;
	bool udp_zero;
};

/**
 * struct ixgbe - a port
 * @port: common part; @port.bus is @pci
 * @pci: device
 * @kind: member of the family
 * @bar: BAR 0, or NULL
 * @mapped: all of it can be touched; otherwise registers go by message, doorbells perhaps not
 * @mac: address in force; the reset takes it out of RAR 0, so it is kept here
 * @mc: multicast groups
 * @n_mc: how many
 * @vlans: as weir_port_ops.vlan_filter has them
 * @promisc: take all frames
 * @allmulti: take all multicast frames
 * @vlan_filter: take frames of @vlans only
 * @receiving: RXCTRL.RXEN is set
 * @server: the device is a vfio-user server's
 * @refused: an access to memory was refused since the port was started
 * @n_vec: MSI-X vectors: q for RX queue q, the last for the link; 0 if there are none
 * @tag: where PASIDs of queue pairs are set, @tag.queues of them; 0: nowhere (ixgbe_tag.c)
 * @stats: the port's counters, summed up over reads (which clear them) and resets
 * @qstats: those of each queue
 */
struct ixgbe {
	struct weir_port port;
	struct weir_pci *pci;
	const struct ixgbe_kind *kind;
	volatile char *bar;
	bool mapped;
	bool promisc;
	bool allmulti;
	bool vlan_filter;
	bool receiving;
	bool server;
	bool refused;
	unsigned n_vec;
	unsigned n_mc;
	uint8_t mac[6];
	uint32_t vlans[WEIR_VLAN_WORDS];
	uint8_t mc[WEIR_MAX_MC_ADDRS][6];
	struct {
		unsigned bar, queues, bits;
		uint32_t off;
	} tag;
	uint64_t stats[IXGBE_N_PORT_STATS];
	uint64_t qstats[IXGBE_MAX_QUEUES][IXGBE_N_QUEUE_STATS];
};

static inline struct ixgbe *ixgbe_of(struct weir_port *p)
{
	return weir_container_of(p, struct ixgbe, port);
}

/* ixgbe_hw.c */
uint32_t ixgbe_msg_rd(const struct ixgbe *x, unsigned reg);
void ixgbe_msg_wr(const struct ixgbe *x, unsigned reg, uint32_t v);

/*
 * A software device offers memory for the pages with the doorbells alone. What is in these pages
 * besides has side effects (counters that reading clears), so unless the whole BAR is mapped each
 * register goes by message, and only doorbells by memory.
 */
static inline uint32_t ixgbe_rd(const struct ixgbe *x, unsigned reg)
{
	return x->mapped ? weir_mmio_read32(x->bar, reg) : ixgbe_msg_rd(x, reg);
}

static inline void ixgbe_wr(const struct ixgbe *x, unsigned reg, uint32_t v)
{
	if (x->mapped)
		weir_mmio_write32(x->bar, reg, v);
	else
		ixgbe_msg_wr(x, reg, v);
}

/* Reading makes earlier writes arrive. */
static inline void ixgbe_flush(const struct ixgbe *x)
{
	(void)ixgbe_rd(x, IXGBE_STATUS);
}

int ixgbe_bar(struct ixgbe *x);
volatile void *ixgbe_doorbell(const struct ixgbe *x, unsigned reg);
int ixgbe_alive(struct ixgbe *x);
int ixgbe_wait(struct ixgbe *x, unsigned reg, uint32_t mask, uint32_t want, unsigned us);
int ixgbe_reset(struct ixgbe *x, bool link_too);
void ixgbe_restore(struct ixgbe *x);

/* ixgbe_link.c */
void ixgbe_link_start(struct ixgbe *x);
int ixgbe_link(struct weir_port *p, struct weir_link *link);
int ixgbe_check(struct weir_port *p);

/* ixgbe_filter.c */
void ixgbe_filter_apply(struct ixgbe *x);
void ixgbe_fctrl_apply(struct ixgbe *x);
void ixgbe_rss_apply(struct ixgbe *x);
int ixgbe_mac_get(struct weir_port *p, uint8_t mac[6]);
int ixgbe_mac_set(struct weir_port *p, const uint8_t mac[6]);
int ixgbe_promisc(struct weir_port *p, bool on);
int ixgbe_allmulti(struct weir_port *p, bool on);
int ixgbe_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n);
int ixgbe_vlan_filter(struct weir_port *p, const uint32_t *vlans);
int ixgbe_rss_set(struct weir_port *p, const struct weir_rss *rss);
int ixgbe_rss_get(struct weir_port *p, struct weir_rss *rss);

/* ixgbe_stats.c */
void ixgbe_stats_map(struct ixgbe *x);
void ixgbe_stats_update(struct ixgbe *x);
int ixgbe_xstats(struct weir_port *p, struct weir_xstat *s, unsigned n);
void ixgbe_paused(struct ixgbe *x);
int ixgbe_arrived(struct weir_port *p, unsigned q, uint64_t *n);

/* ixgbe_intr.c */
int ixgbe_intr_setup(struct ixgbe *x, unsigned n_vec);
void ixgbe_intr_apply(struct ixgbe *x);
int ixgbe_rx_intr_fd(struct weir_port *p, unsigned q);
int ixgbe_rx_intr_arm(struct weir_port *p, unsigned q);
int ixgbe_rx_intr_disarm(struct weir_port *p, unsigned q);
int ixgbe_lsc_fd(struct weir_port *p);

/* ixgbe_tag.c */
int ixgbe_tag_probe(struct ixgbe *x);
int ixgbe_tag_start(struct ixgbe *x);
int ixgbe_queue_tag(struct weir_port *p, unsigned q, uint32_t pasid, const struct weir_dma *dma);
int ixgbe_queue_stopped(struct weir_port *p, unsigned q);

/* ixgbe_queue.c */
int ixgbe_queues_create(struct ixgbe *x);
void ixgbe_queues_destroy(struct ixgbe *x);
int ixgbe_queues_start(struct ixgbe *x);
void ixgbe_queues_stop(struct ixgbe *x);

#endif
