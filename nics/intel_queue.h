/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of advanced descriptors (nics/intel_adv.h), and the functions that move packets over them:
 * what igb and ixgbe have in common. A driver makes the queues, gives their rings to its device, and
 * fills in what only it can know; no register is touched here but the two tails.
 */
#ifndef WEIR_NICS_INTEL_QUEUE_H
#define WEIR_NICS_INTEL_QUEUE_H

#include "nics/intel_adv.h"

/* Largest frame, FCS included, of every device that has these descriptors. */
#define INTEL_MAX_FRAME 9728
#define INTEL_FCS	4

struct intel_rxq;
struct intel_txq;

/* Write a tail where that takes more than a store; the queue's number, and what to write. */
typedef void intel_tail_fn(struct weir_port *p, unsigned q, uint32_t v);

/**
 * struct intel_kind - in what the drivers differ
 * @rxe: status bit of a frame that the device found bad
 * @l4e: status bit of a wrong L4 checksum; that of a wrong IPv4 one is the next
 * @udp_zero: a UDP packet without checksum may be flagged as a bad one (82599)
 * @rx_tail: write RDT of a queue without @tail
 * @tx_tail: the same for TDT
 */
struct intel_kind {
	uint32_t rxe, l4e;
	bool udp_zero;
	intel_tail_fn *rx_tail, *tx_tail;
};

/**
 * struct intel_rxq - receive queue
 * @q: common part
 * @ring: descriptors; the device writes here at any time
 * @bufs: buffer of each slot
 * @tail: RDT, or NULL if it takes @tail_fn
 * @size: slots, a multiple of 8
 * @next: slot that the device completes next
 * @fill: slot that gets the next buffer; what RDT holds
 * @posted: buffers with the device: slots @next ... @fill - 1. At most @size - 1: RDT equal to RDH
 *          means an empty ring. Given are whole lines of four, while there is room for one
 * @batch: refill when so many slots are free
 * @skip: drop up to the end of the packet whose beginning was dropped
 * @hash: RSS types are looked at
 * @udp_zero: see struct intel_kind
 * @rxe: see struct intel_kind
 * @l4e: see struct intel_kind
 * @csum: status bits that become checksum flags
 * @vlan: INTEL_RXD_VP if tags are stripped
 * @flags: packet flags by checksum bits: IPCS, L4I, and the two errors, from high to low
 * @fill_fn: gives the device buffers
 * @tail_fn: see struct intel_kind
 */
struct intel_rxq {
	struct weir_rxq q;
	volatile union intel_rx_desc *ring weir_cacheline;
	uint32_t *bufs;
	volatile void *tail;
	uint16_t size;
	uint16_t next;
	uint16_t fill;
	uint16_t posted;
	uint16_t batch;
	bool skip;
	bool hash;
	bool udp_zero;
	uint32_t rxe;
	uint32_t l4e;
	uint32_t csum;
	uint32_t vlan;
	/* packets with offloads only */
	uint8_t flags[16] weir_cacheline;
	/* not touched on the fast path */
	unsigned (*fill_fn)(struct intel_rxq *q);
	intel_tail_fn *tail_fn;
};
static_assert(offsetof(struct intel_rxq, flags) - offsetof(struct intel_rxq, ring) <=
		      WEIR_CACHE_LINE,
	      "what a burst without offloads touches fits a line");

/**
 * struct intel_rs - a descriptor with RS set: all before it are done when it is reported
 * @slot: where it is
 * @descs: descriptors since the one before
 * @bufs: buffers among these
 */
struct intel_rs {
	uint16_t slot;
	uint16_t descs;
	uint16_t bufs;
};

/**
 * struct intel_like - packets of one segment that differ in buffer, place and length alone
 * @mask: of the second half of struct weir_pkt, what has to be the same
 * @want: what it has to be
 * @hi: upper half of their descriptors, without lengths
 * @least: bytes that each has at least
 */
struct intel_like {
	uint64_t mask, want;
	uint64_t hi;
	unsigned least;
};

/**
 * struct intel_txq - transmit queue
 * @q: common part
 * @ring: descriptors
 * @bufs: buffers in flight, in order; a ring of @size entries of its own, since context
 *        descriptors have no buffer
 * @rs: descriptors with RS set, in order; likewise
 * @tail_reg: TDT, or NULL if it takes @tail_fn
 * @size: slots
 * @tail: slot to be written next
 * @free: slots that may be written; one stays empty
 * @buf_head: oldest entry of @bufs
 * @buf_tail: entry of @bufs to be written next
 * @in_flight: entries in @bufs
 * @rs_head: oldest entry of @rs
 * @rs_tail: entry of @rs to be written next
 * @n_rs: entries in @rs
 * @rs_descs: descriptors after the last one with RS
 * @rs_bufs: buffers after it
 * @last: slot of the last descriptor written, which ends a packet
 * @last_hi: what its second half holds
 * @head_wb: where the device writes its head, NULL if it marks descriptors instead
 * @offload: packet flags that may be honoured
 * @ctx_lo: context that the device holds for this queue
 * @ctx_hi: its second half, 0 if there is none
 * @like: packets that this context is right for; @like.mask 0: none
 * @tail_fn: see struct intel_kind
 */
struct intel_txq {
	struct weir_txq q;
	volatile struct intel_tx_desc *ring weir_cacheline;
	uint32_t *bufs;
	struct intel_rs *rs;
	volatile void *tail_reg;
	uint16_t size;
	uint16_t tail;
	uint16_t free;
	uint16_t buf_head;
	uint16_t buf_tail;
	uint16_t in_flight;
	uint16_t rs_head;
	uint16_t rs_tail;
	uint16_t n_rs;
	uint16_t rs_descs;
	uint16_t rs_bufs;
	uint16_t last;
	uint64_t last_hi;
	/* once a reclaim, and packets with offloads only */
	volatile __le32 *head_wb;
	uint32_t offload;
	uint64_t ctx_lo;
	uint64_t ctx_hi;
	struct intel_like like;
	/* not touched on the fast path */
	intel_tail_fn *tail_fn;
};
static_assert(offsetof(struct intel_txq, head_wb) - offsetof(struct intel_txq, ring) <=
		      WEIR_CACHE_LINE,
	      "what a post without offloads touches fits a line");

/* What a receive queue is asked for; see struct intel_path. */
enum intel_rx_kind { INTEL_RX_PLAIN, INTEL_RX_META, INTEL_RX_JUMBO, INTEL_RX_KINDS };

/**
 * struct intel_path - one way to move packets
 * @name: for people
 * @usable: whether this processor can
 * @rx: one buffer a packet and no offload; one buffer a packet; packets of several buffers
 * @tx: without offloads; with some
 * @fill: give the device buffers for free slots, and write the tail. A pool that has too few is
 *        counted once; the next call tries again. Return: buffers given
 *
 * All do the same, to the last bit of what they leave in memory: tests/unit/test_intel_paths.c.
 */
struct intel_path {
	const char *name;
	bool (*usable)(void);
	weir_rx_fn *rx[INTEL_RX_KINDS];
	weir_tx_fn *tx[2];
	unsigned (*fill)(struct intel_rxq *q);
};

/* Best first; ends with a row without a name. */
extern const struct intel_path intel_paths[];

/**
 * intel_rxq_create() - make a receive queue of the port's configuration
 * @p: port; the queue becomes p->rxq[index]
 * @dma: how the device sees memory
 * @arena: where the ring is allocated
 * @index: queue
 * @tail: RDT, or NULL
 * @k: of the driver
 * Return: 0, or -ENOMEM with a sentence.
 */
int intel_rxq_create(struct weir_port *p, const struct weir_dma *dma, struct weir_arena *arena,
		     unsigned index, volatile void *tail, const struct intel_kind *k);

/**
 * intel_txq_create() - make a transmit queue of the port's configuration
 * @p: port; the queue becomes p->txq[index]
 * @dma: how the device sees memory
 * @arena: where the ring is allocated
 * @index: queue
 * @tail: TDT, or NULL
 * @k: of the driver
 *
 * A cache line behind the ring is for the head that the device writes, if that was asked for.
 * Return: 0, or -ENOMEM with a sentence.
 */
int intel_txq_create(struct weir_port *p, const struct weir_dma *dma, struct weir_arena *arena,
		     unsigned index, volatile void *tail, const struct intel_kind *k);

/* Free a stopped queue, NULL too. @arena: where its ring is. */
void intel_rxq_destroy(struct weir_port *p, struct weir_arena *arena, unsigned index);
void intel_txq_destroy(struct weir_port *p, struct weir_arena *arena, unsigned index);

/**
 * intel_rx_pending() - whether a burst has something to do
 * @q: queue
 *
 * That is so too when the ring has run dry: no interrupt would come, only a burst can refill it.
 */
bool intel_rx_pending(const struct intel_rxq *q);

/* Give the buffers back; the device is stopped. */
void intel_rx_drain(struct intel_rxq *q);
void intel_tx_drain(struct intel_txq *q);

/* Write the tail: all slots up to @slot are the device's. */
void intel_rx_tail(struct intel_rxq *q, unsigned slot);

weir_kick_fn intel_tx_kick;
weir_reap_fn intel_tx_reap;
void intel_tx_reclaim(struct intel_txq *q);
void intel_tx_mark(struct intel_txq *q, unsigned slot);

/* Rows of intel_paths[]: nics/intel_rxtx.c is compiled for each. */
#define INTEL_PATH_FNS(s)             \
	weir_rx_fn intel_rx_plain##s; \
	weir_rx_fn intel_rx_meta##s;  \
	weir_rx_fn intel_rx_jumbo##s; \
	weir_tx_fn intel_tx_plain##s; \
	weir_tx_fn intel_tx_full##s;  \
	unsigned intel_rx_fill##s(struct intel_rxq *q)
INTEL_PATH_FNS(_scalar);
INTEL_PATH_FNS(_phys);
INTEL_PATH_FNS(_avx2);
INTEL_PATH_FNS(_avx512);

static inline struct intel_rxq *intel_rxq_of(struct weir_rxq *q)
{
	return weir_container_of(q, struct intel_rxq, q);
}

static inline struct intel_txq *intel_txq_of(struct weir_txq *q)
{
	return weir_container_of(q, struct intel_txq, q);
}

/* The slot after @slot in a ring. */
static inline unsigned intel_next(unsigned slot, unsigned size)
{
	return slot + 1 == size ? 0 : slot + 1;
}

/* One word, read once: what is in it belongs together (nics/intel_rx.h). */
static inline uint64_t intel_rx_status(const struct intel_rxq *q, unsigned slot)
{
	return weir_from_le64(q->ring[slot].wb.status);
}

/* --- what all rows of intel_paths[] agree about --- */

#define INTEL_INLINE static inline __attribute__((always_inline))

/* Four descriptors: a cache line. */
#define INTEL_GROUP 4
/* Two of these, where a processor can. */
#define INTEL_WIDE 8

/* Padding is the device's, but from this length on only (82576 8.12.1, 82599 7.2.1.2). */
#define TX_MIN_LEN 17

#define TXD_DATA    (INTEL_TXD_DTYP_DATA | INTEL_TXD_DEXT | INTEL_TXD_IFCS)
#define TXD_WHOLE   (TXD_DATA | INTEL_TXD_EOP)
#define TX_UNCOMMON (WEIR_PKT_MORE | WEIR_PKT_TX_OFFLOAD)

/* Packet flags of a checksum verdict: @st is masked by @csum. */
static inline unsigned intel_rx_csum(uint32_t st, uint32_t l4e)
{
	unsigned flags = 0;

	if (st & (uint32_t)INTEL_RXD_IPCS)
		flags |= st & (l4e << 1) ? WEIR_PKT_RX_IP_BAD : WEIR_PKT_RX_IP_GOOD;
	if (st & (uint32_t)INTEL_RXD_L4I)
		flags |= st & l4e ? WEIR_PKT_RX_L4_BAD : WEIR_PKT_RX_L4_GOOD;
	return flags;
}

#endif
