/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Model of an Intel 82599: its registers and what they do. It knows nothing of sockets: memory
 * comes through struct dma, frames through struct wire, interrupts leave through a callback. So a
 * test can drive it by function calls.
 */
#ifndef WEIR_APPS_NICSIM_NIC_H
#define WEIR_APPS_NICSIM_NIC_H

#include "apps/nicsim/dma.h"
#include "apps/nicsim/net.h"
#include "apps/nicsim/regs.h"

#define NIC_BAR0      0x20000u
#define NIC_PAGE      4096u
#define NIC_QUEUES    16u
#define NIC_RINGS     64u /* queues that registers exist for */
#define NIC_VECTORS   64u
#define NIC_EEPROM    1024u /* words */
#define NIC_FRAME_MAX 16384u
#define NIC_UNKNOWN   16u
#define NIC_TSO_MAX   (256u * 1024u)

/* How to misbehave; rows of nic_fault_table. */
enum nic_fault {
	FAULT_NONE,
	FAULT_RX_LEN_HUGE,
	FAULT_RX_LEN_ZERO,
	FAULT_RX_NO_DATA,
	FAULT_RX_NO_EOP,
	FAULT_RX_STALL,
	FAULT_TX_STALL,
	FAULT_STUCK_RX,
	FAULT_STUCK_TX,
	FAULT_STUCK_RESET,
	FAULT_STUCK_EERD,
	FAULT_STUCK_SEM,
	FAULT_EEPROM_SUM,
	FAULT_NO_LINK,
	FAULT_ONES,
	FAULT_GONE,
	FAULT_STALL,
	FAULT_ONES_FRAME,
	FAULT_GONE_FRAME,
	FAULT_STALL_FRAME,
	FAULT_DMA,
	FAULT_REQUEST,
	FAULT_ERROR,
};

struct nic_fault_row {
	const char *name;
	enum nic_fault id;
	uint64_t arg; /* when none is given */
	const char *help;
};

extern const struct nic_fault_row nic_fault_table[];
extern const unsigned nic_fault_count;

/* Frames that never reached a descriptor, by reason. */
enum nic_drop {
	NIC_DROP_FILTER,   /* address or VLAN filter */
	NIC_DROP_LEN,	   /* longer than MAXFRS */
	NIC_DROP_NO_DESC,  /* ring empty */
	NIC_DROP_DISABLED, /* RX, queue or link off */
	NIC_DROP_FAULT,	   /* DMA refused */
	NIC_DROP_TX_BAD,   /* descriptors that make no frame */
	NIC_DROP_WIRE,	   /* the wire took it not */
	NIC_DROP_MAX,
};

struct nic_ring {
	bool on;
	bool halted; /* a descriptor could not be reached; until the queue is disabled */
	uint64_t base;
	uint32_t size; /* descriptors */
	uint32_t head;
	uint64_t frames, bytes, faults;
	uint64_t drops[NIC_DROP_MAX];
	/* registers that reading clears */
	uint32_t r_frames, r_drops;
	uint64_t r_bytes;
};

/* Context that a TX queue remembers (7.2.3.2.3). */
struct nic_ctx {
	uint16_t vlan, mss;
	uint16_t maclen, iplen, l4len;
	uint8_t l4t;
	bool ip4;
};

struct nic_txq {
	struct nic_ring r;
	struct nic_ctx ctx[2];
	/* the frame being gathered */
	uint8_t *buf;
	uint32_t have;
	bool begun, bad;
	uint64_t first; /* second quadword of its first descriptor */
};

/* Two wires to the SFP+ module: as the driver holds them, and what the module does. */
struct nic_i2c {
	bool scl, sda, out, acked;
	uint8_t state, bit, shift, at;
};

struct nic_stats {
	uint32_t gprc, bprc, mprc, gptc, bptc, mptc, roc, ruc, rlec, xec, rx_miss, tpr, tpt, xoff;
	uint64_t gorc, gotc, tor;
	uint32_t prc[6], ptc[6];
};

struct wire;

/**
 * struct nic - a NIC
 * @dma: its IOMMU
 * @wire: what its port is plugged into, or NULL
 * @queues: rings that it has on each side
 * @pasid_bits: width of the PASIDs that queues can carry; 0: no such thing
 * @pasid_stops: queue pairs stopped for a fault of their tenant
 * @page: contents of the two register pages that a client may map: RX and TX queues
 * @reg: all other registers
 */
struct nic {
	struct dma dma;
	struct wire *wire;
	unsigned queues;
	uint8_t mac[6];
	volatile uint32_t *page[2];
	uint32_t reg[NIC_BAR0 / 4];
	uint16_t eeprom[NIC_EEPROM];
	struct nic_ring rx[NIC_QUEUES];
	struct nic_txq tx[NIC_QUEUES];
	struct nic_stats stats;
	struct nic_i2c i2c;
	struct net_rss rss;
	bool rss_dirty, bus_master;
	unsigned pasid_bits;
	uint64_t pasid_stops;

	/* interrupts */
	uint64_t q_cause, q_mask, q_automask, q_sent;
	uint32_t o_cause, o_mask, o_automask, o_sent;
	uint64_t itr_next[NIC_VECTORS];
	void (*raise)(void *arg, unsigned vector);
	void *raise_arg;
	uint64_t raised, itr_wait;

	/* misbehaviour */
	enum nic_fault fault;
	uint64_t fault_arg, fault_seen;
	bool fault_once, fault_shown; /* once it has shown, a reset heals it */
	bool gone;		      /* all ones from now on */

	uint64_t accesses, unknown;
	uint32_t unknown_off[NIC_UNKNOWN]; /* the first offsets that nothing was known at */
	unsigned n_unknown;
	uint8_t frame[NIC_FRAME_MAX];
};

/* --- nic.c --- */

/**
 * nic_init() - power on
 * @queues: 1 to NIC_QUEUES
 * @pages: two pages for the queue registers, zeroed
 */
void nic_init(struct nic *n, unsigned queues, const uint8_t mac[6], void *pages[2]);
void nic_fini(struct nic *n);

/* Reset as CTRL.RST, FLR and the bus do it; mappings of the IOMMU stay. */
void nic_reset(struct nic *n);

/* One pass over all that there is to do. Return: frames moved. */
unsigned nic_poll(struct nic *n, unsigned budget);

/* Notice what a client wrote into the mapped pages. */
void nic_sync(struct nic *n);

/* Parse "NAME[:ARG][,once]". Return: 0 or -EINVAL. */
int nic_set_fault(struct nic *n, const char *text);
const char *nic_drop_name(enum nic_drop d);

/* --- regs.c --- */
uint32_t nic_read(struct nic *n, uint32_t off);
void nic_write(struct nic *n, uint32_t off, uint32_t v);
/* Values after a reset. */
void nic_regs_reset(struct nic *n);
/* Name of a register, NULL if the model has none there. */
const char *nic_reg_name(uint32_t off);

/* From now on all registers read as ones. */
void nic_vanish(struct nic *n);

/* A register's plain content, without side effects. */
static inline volatile uint32_t *nic_reg(struct nic *n, uint32_t off)
{
	if (off / NIC_PAGE == R_RXQ / NIC_PAGE)
		return n->page[0] + off % NIC_PAGE / 4;
	if (off / NIC_PAGE == R_TXQ / NIC_PAGE)
		return n->page[1] + off % NIC_PAGE / 4;
	return (volatile uint32_t *)&n->reg[off / 4];
}

static inline volatile uint32_t *nic_rxreg(struct nic *n, unsigned q, unsigned which)
{
	return n->page[0] + (q * Q_STRIDE + which) / 4;
}

static inline volatile uint32_t *nic_txreg(struct nic *n, unsigned q, unsigned which)
{
	return n->page[1] + (q * Q_STRIDE + which) / 4;
}

/* --- pasid.c: the experimental block, a PASID for each queue pair --- */

/* What the requests of a pair carry, 0: none. */
static inline uint32_t nic_pasid(const struct nic *n, unsigned q)
{
	uint32_t v = n->reg[R_XPASID / 4 + q];

	return v & XPASID_EN ? v & XPASID_MASK : 0;
}

static inline bool nic_pasid_stopped(const struct nic *n, unsigned q)
{
	return n->reg[R_XPASID / 4 + q] & XPASID_STOPPED;
}

void nic_pasid_write(struct nic *n, unsigned q, uint32_t v);
/*
 * An access of the pair was refused: if it is a tenant's it stops, and all others go on; if it is the
 * device's own, that is an error of the device (EICR.PCI).
 */
void nic_pasid_fault(struct nic *n, unsigned q);

/* --- nvm.c --- */
void nvm_fill(struct nic *n);
uint32_t nvm_eerd(struct nic *n, uint32_t v);

/* --- i2c.c --- */
uint32_t i2c_read(const struct nic *n);
void i2c_write(struct nic *n, uint32_t v);
void i2c_reset(struct nic *n);

/* --- intr.c --- */
void intr_reset(struct nic *n);
uint32_t intr_read(struct nic *n, uint32_t off);
void intr_write(struct nic *n, uint32_t off, uint32_t v);
/* A queue has news. */
void intr_queue(struct nic *n, bool tx, unsigned q);
/* Another cause, a bit of EICR. */
void intr_other(struct nic *n, uint32_t cause);
/* Deliver what is due. Return: ns until the next that moderation holds back, 0 if none. */
uint64_t intr_poll(struct nic *n);

/* --- stats.c --- */
uint32_t stats_read(struct nic *n, uint32_t off);
void stats_reset(struct nic *n);
void stats_rx(struct nic *n, const uint8_t *f, unsigned len);
void stats_tx(struct nic *n, const uint8_t *f, unsigned len);

/* --- rx.c --- */
enum rx_result { RX_DONE, RX_DROPPED, RX_WAIT };

/**
 * nic_rx() - a frame arrives from the wire
 * @f: without FCS
 * @len: its length
 * @wait: answer RX_WAIT, and change nothing, where it would be lost for want of descriptors or
 *        because reception is not on
 */
enum rx_result nic_rx(struct nic *n, const uint8_t *f, unsigned len, bool wait);
bool nic_rx_ready(struct nic *n);

/* MAC loopback: what is sent is received, and the wire is off. */
static inline bool nic_loops(const struct nic *n)
{
	return n->reg[R_HLREG0 / 4] & HLREG0_LPBK;
}

/* --- tx.c --- */
unsigned nic_tx(struct nic *n, unsigned q, unsigned budget);
void nic_tx_reset(struct nic *n, unsigned q);

#endif
