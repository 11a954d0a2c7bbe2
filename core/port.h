/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port is what moves packets: a NIC, a file, nothing at all. Control calls go through one table
 * a port; bursts go through a function pointer that stands in the queue itself, next to what it
 * needs. A queue belongs to one thread at a time; control calls of one port must not overlap.
 *
 * A port goes OPEN -> configure -> READY -> start -> RUNNING -> stop -> READY ... -> close.
 */
#ifndef WEIR_CORE_PORT_H
#define WEIR_CORE_PORT_H

#include "core/clock.h"
#include "core/pkt.h"
#include "core/pool.h"
#include "core/stats.h"

WEIR_BEGIN_DECLS

#define WEIR_MAX_QUEUES	  16
#define WEIR_MAX_RETA	  512
#define WEIR_MAX_RSS_KEY  52
#define WEIR_MAX_MC_ADDRS 128
#define WEIR_VLAN_WORDS	  128 /* a bit for each of 4096 VLANs */
#define WEIR_ETH_HLEN	  14
#define WEIR_VLAN_HLEN	  4
#define WEIR_MTU_MIN	  68
/* For weir_port_conf.stall_ms: a device that is a process waits for a processor like any other. */
#define WEIR_STALL_MS 2000
/* Bursts that may be too short for a packet before it is dropped, see weir_rx_fn. */
#define WEIR_SHORT_BURSTS 64

struct weir_port;
struct weir_rxq;
struct weir_txq;

/**
 * weir_rx_fn - receive up to @n segments
 *
 * Never splits a packet over two bursts: one of more than @n segments waits for a larger burst, so
 * where such can come (WEIR_OFF_RX_JUMBO, and pcap files with frames of more than WEIR_BUF_ROOM) ask
 * for WEIR_MAX_SEGS at least. When WEIR_SHORT_BURSTS in a row were too short for the same packet, it
 * is dropped (WEIR_DROP_TOO_MANY), which is said once a queue ("burst-too-short"). Refills the ring
 * from the queue's cache before it returns.
 */
typedef unsigned weir_rx_fn(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n);

/**
 * weir_tx_fn - write descriptors for up to @n segments, without ringing the doorbell
 *
 * Accepts whole packets only. Accepted buffers belong to the queue, which frees them into its
 * cache when the device is done. A packet that can never be sent (length 0, too long; virtio also
 * looks whether each segment lies in its buffer) is counted as WEIR_DROP_TX_INVALID, freed, and
 * counts as accepted.
 * Return: segments accepted; the rest stays the caller's.
 */
typedef unsigned weir_tx_fn(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n);

/* Ring the doorbell for all that was posted. */
typedef void weir_kick_fn(struct weir_txq *q);

/* Take back finished buffers into the cache. Return: segments still in flight. */
typedef unsigned weir_reap_fn(struct weir_txq *q);

/**
 * struct weir_rx_watch - what weir_port_check() remembers of an RX queue
 * @since: since when the device has received, and handed out nothing, in weir_now_ns(); 0 unknown
 * @arrived: what the device had counted then
 * @moved: what the queue had counted then
 * @calls: bursts asked for by the last look
 */
struct weir_rx_watch {
	uint64_t since, arrived, moved, calls;
};

/**
 * struct weir_rxq - what every receive queue begins with; a driver embeds it
 * @burst: see weir_rx_fn
 * @cache: stack of the thread that owns the queue
 * @dma: translation
 * @port: back pointer
 * @index: queue number
 * @stats: counters, written by the owner only
 * @watch: the control thread's
 * @shorts: bursts too short for the next packet, since @short_at; @short_said: told of it
 * @short_at: what the queue had counted then
 */
struct weir_rxq {
	weir_rx_fn *burst;
	struct weir_cache *cache;
	struct weir_dma dma;
	/* not touched on the fast path */
	struct weir_port *port;
	unsigned index;
	struct weir_qstats stats;
	struct weir_rx_watch watch;
	uint64_t short_at;
	uint16_t shorts;
	bool short_said;
} weir_cacheline;

struct weir_txq {
	weir_tx_fn *post;
	weir_kick_fn *kick;
	struct weir_cache *cache;
	struct weir_dma dma;
	struct weir_port *port;
	/* segments posted since the last kick */
	uint32_t unkicked;
	/* not touched on the fast path */
	unsigned index;
	weir_reap_fn *reap;
	struct weir_qstats stats;
	/* when the owner first and last saw nothing finished of what is in flight; see weir_txq_idle() */
	uint64_t idle_since, idle_seen;
} weir_cacheline;

/* Offloads: asked for in weir_port_conf.offloads, offered in weir_port_caps.offloads. */
enum weir_offload {
	WEIR_OFF_RX_CSUM = 1 << 0,	 /* set RX_IP_* and RX_L4_* flags */
	WEIR_OFF_RX_VLAN_STRIP = 1 << 1, /* take tags out, into weir_pkt.vlan */
	WEIR_OFF_RX_HASH = 1 << 2,	 /* fill weir_pkt.hash */
	WEIR_OFF_TX_CSUM = 1 << 3,	 /* honour TX_*_CSUM */
	WEIR_OFF_TX_VLAN = 1 << 4,	 /* insert weir_pkt.vlan */
	WEIR_OFF_RX_JUMBO = 1 << 5,	 /* packets of several segments may arrive */
	WEIR_OFF_TX_TSO = 1 << 6,	 /* honour TX_TSO */
	/*
	 * Packets may arrive with TX_*_CSUM set and checksums unfinished, as a guest hands them over:
	 * for whoever sends them on through ports with WEIR_OFF_TX_CSUM and nowhere else.
	 */
	WEIR_OFF_RX_PARTIAL = 1 << 7,
};

/* What RSS hashes; a device that cannot do one leaves it out of its capabilities. */
enum weir_rss_type {
	WEIR_RSS_IPV4 = 1 << 0,
	WEIR_RSS_IPV4_TCP = 1 << 1,
	WEIR_RSS_IPV4_UDP = 1 << 2,
	WEIR_RSS_IPV6 = 1 << 3,
	WEIR_RSS_IPV6_TCP = 1 << 4,
	WEIR_RSS_IPV6_UDP = 1 << 5,
};

/**
 * struct weir_rss - receive side scaling
 * @types: enum weir_rss_type to hash
 * @key_len: bytes of @key; 0 means the well-known Toeplitz key of the RSS specification
 * @key: Toeplitz key
 * @reta_len: entries of @reta; 0 means spread evenly over the port's RX queues
 * @reta: redirection table: low bits of the hash to RX queue
 */
struct weir_rss {
	unsigned types;
	unsigned key_len;
	uint8_t key[WEIR_MAX_RSS_KEY];
	unsigned reta_len;
	uint16_t reta[WEIR_MAX_RETA];
};

/**
 * struct weir_port_caps - what a port can do
 * @driver: name of the driver
 * @max_rxq: RX queues
 * @max_txq: TX queues
 * @min_desc: fewest descriptors a ring may have
 * @max_desc: most
 * @desc_align: ring sizes are multiples of this; a power of two is always right if
 *              @desc_pow2 is set
 * @desc_pow2: ring sizes must be powers of two
 * @max_mtu: largest MTU
 * @offloads: enum weir_offload
 * @rss_types: enum weir_rss_type; 0 without RSS
 * @rss_key_len: bytes
 * @reta_len: entries
 * @max_tx_segs: segments of one packet to transmit
 * @rx_intr: RX interrupts can be armed
 * @tag_queues: queue pairs that carry one PASID together, see weir_port_queue_tag(); 0: none can
 * @is_process: the device is a process (vfio-user, vhost-user), which waits for a processor like
 *              any other: its rings can stand still for longer than a NIC's ever do
 * @node: NUMA node the device sits on, WEIR_NODE_ANY if unknown
 */
struct weir_port_caps {
	const char *driver;
	unsigned max_rxq, max_txq;
	unsigned min_desc, max_desc, desc_align;
	bool desc_pow2;
	unsigned max_mtu;
	unsigned offloads;
	unsigned rss_types, rss_key_len, reta_len;
	unsigned max_tx_segs;
	bool rx_intr;
	unsigned tag_queues;
	bool is_process;
	int node;
};

/**
 * struct weir_port_conf - what the caller wants; zeroes ask for one queue and defaults
 * @n_rxq: RX queues; 0 means 1
 * @n_txq: TX queues; 0 means 1
 * @rx_desc: descriptors of an RX ring; 0 means the driver's default
 * @tx_desc: the same for TX
 * @mtu: 0 means 1500
 * @offloads: enum weir_offload; -EOPNOTSUPP if the port lacks one
 * @rss: used when @n_rxq > 1
 * @promisc: take all frames
 * @rx_intr: prepare RX interrupts
 * @tx_head_wb: have the device report progress of TX queues in one word of memory instead of in
 *              descriptors, where it can
 * @split_rings: virtio: split rings, although the device offers packed ones
 * @any_order: virtio: do without VIRTIO_F_IN_ORDER, for a device that promises it and does otherwise
 *             (which ends the port), or to compare
 * @stall_ms: how long a queue may stand still before weir_port_check() says so; 0 means
 *            WEIR_STALL_MS
 * @arena: where rings are allocated; of the port's handle. Ports without a device need none
 * @queue_arena: for each queue pair that is to be given its own address space: where its rings, and
 *               all that the device writes back for it, are allocated instead; NULL means @arena.
 *               Only ports with caps.tag_queues look at it
 */
struct weir_port_conf {
	unsigned n_rxq, n_txq;
	unsigned rx_desc, tx_desc;
	unsigned mtu;
	unsigned offloads;
	struct weir_rss rss;
	bool promisc;
	bool rx_intr;
	bool tx_head_wb;
	bool split_rings;
	bool any_order;
	unsigned stall_ms;
	struct weir_arena *arena;
	struct weir_arena *queue_arena[WEIR_MAX_QUEUES];
};

/**
 * struct weir_link - state of the link
 * @up: carrier
 * @full_duplex: as it says
 * @mbps: speed, 0 when unknown
 */
struct weir_link {
	bool up;
	bool full_duplex;
	unsigned mbps;
};

/**
 * struct weir_xstat - one hardware counter
 * @name: as the datasheet names it, in lower case with underscores
 * @value: since the port was opened
 */
struct weir_xstat {
	const char *name;
	uint64_t value;
};

/**
 * struct weir_port_ops - a driver's control table
 *
 * An absent op means "not supported": the wrapper returns -EOPNOTSUPP with a sentence. Wrappers
 * check arguments and states, so ops need not.
 *
 * @caps: fill capabilities; guaranteed to work from open on
 * @configure: allocate and set up @port->rxq[] / @port->txq[] by @port->conf (already completed
 *             with defaults and checked against caps). On failure leaves nothing allocated
 * @unconfigure: free what configure made; the port is stopped
 * @start: fill rings, enable the device. After return packets flow. On failure the port is stopped
 * @stop: after return the device does no DMA; buffers of both rings are back in the caches
 * @close: free the port itself; stopped and unconfigured
 * @link: read link state
 * @mac_get: current address
 * @mac_set: change it; also while running
 * @promisc: take all frames; also while running
 * @allmulti: take all multicast frames
 * @mc_list: receive exactly these @n multicast groups (besides what promisc, allmulti bring)
 * @vlan_filter: receive tagged frames of these VLANs only: bit v % 32 of word v / 32; NULL: of all
 * @mtu_set: while stopped; checked against caps.max_mtu
 * @rss_set: complete (no zero lengths) and checked; also while running
 * @rss_get: what is in force
 * @xstats: fill up to @n, return how many there are
 * @rx_intr_fd: eventfd of a queue's interrupt; stays the driver's
 * @rx_intr_arm: interrupt when packets arrive on @q. Return 1 if some are there already, else 0
 * @rx_intr_disarm: no more interrupts from @q
 * @lsc_fd: eventfd that is signalled when the link changes, or negative errno. A driver may make
 *          another one when the port is configured again
 * @service: see weir_port_service(); absent where nothing is to be looked after
 * @check: look whether the device is there and reports a fault of its own: 0, -ENODEV, -EIO (stop
 *         and start may help) with a sentence. Only while running. Absent where whoever is behind
 *         the device may keep it waiting for as long as he likes (virtio): then nothing is watched
 * @arrived: packets that the device has counted as received for queue @q, also those for which there
 *           was no descriptor; any start, no end but that of 64 bits. Only while running
 * @queue_tag: from the next start on all DMA of pair @q (and of the others that are tagged with it)
 *             carries @pasid, and memory is where @dma says; 0 and NULL: none, and the device's own
 * @queue_stopped: 1 if the device stopped pair @q for an access that was refused, 0 if not
 */
struct weir_port_ops {
	void (*caps)(struct weir_port *p, struct weir_port_caps *caps);
	int (*configure)(struct weir_port *p);
	void (*unconfigure)(struct weir_port *p);
	int (*start)(struct weir_port *p);
	void (*stop)(struct weir_port *p);
	void (*close)(struct weir_port *p);
	int (*link)(struct weir_port *p, struct weir_link *link);
	int (*mac_get)(struct weir_port *p, uint8_t mac[6]);
	int (*mac_set)(struct weir_port *p, const uint8_t mac[6]);
	int (*promisc)(struct weir_port *p, bool on);
	int (*allmulti)(struct weir_port *p, bool on);
	int (*mc_list)(struct weir_port *p, const uint8_t (*macs)[6], unsigned n);
	int (*vlan_filter)(struct weir_port *p, const uint32_t *vlans);
	int (*mtu_set)(struct weir_port *p, unsigned mtu);
	int (*rss_set)(struct weir_port *p, const struct weir_rss *rss);
	int (*rss_get)(struct weir_port *p, struct weir_rss *rss);
	int (*xstats)(struct weir_port *p, struct weir_xstat *x, unsigned n);
	int (*rx_intr_fd)(struct weir_port *p, unsigned q);
	int (*rx_intr_arm)(struct weir_port *p, unsigned q);
	int (*rx_intr_disarm)(struct weir_port *p, unsigned q);
	int (*lsc_fd)(struct weir_port *p);
	int (*service)(struct weir_port *p);
	int (*check)(struct weir_port *p);
	int (*arrived)(struct weir_port *p, unsigned q, uint64_t *n);
	int (*queue_tag)(struct weir_port *p, unsigned q, uint32_t pasid,
			 const struct weir_dma *dma);
	int (*queue_stopped)(struct weir_port *p, unsigned q);
};

enum weir_port_state { WEIR_PORT_OPEN, WEIR_PORT_READY, WEIR_PORT_RUNNING };

/**
 * struct weir_port - what every port begins with; a driver embeds it
 * @w: handle
 * @ops: control table
 * @name: device string; owned by the port
 * @state: where in its life it is
 * @conf: in force
 * @rxq: RX queues, conf.n_rxq of them
 * @txq: TX queues
 * @pasid: what each queue pair is tagged with, 0: nothing
 * @bus: what is below the port (a struct weir_pci), set by the layer that opened it, or NULL
 * @closing: being closed: a stop may leave out what only another start or a look at the counters
 *           would need; somebody may be waiting for the device
 * @failed: the device is gone or was stopped because it misbehaved: set once by the queue's owner
 *          or a control call, never cleared; bursts bring nothing any more. Threads differ: read
 *          and set it with weir_port_failed() and weir_port_set_failed()
 * @paused: when the link partner last asked for a pause, in weir_now_ns(); set by the check op
 * @stalled: weir_port_check() found that the port must be stopped and started
 */
struct weir_port {
	struct weir *w;
	const struct weir_port_ops *ops;
	char *name;
	enum weir_port_state state;
	struct weir_port_conf conf;
	struct weir_rxq *rxq[WEIR_MAX_QUEUES];
	struct weir_txq *txq[WEIR_MAX_QUEUES];
	void *bus;
	uint32_t pasid[WEIR_MAX_QUEUES];
	bool failed;
	bool closing;
	bool stalled;
	uint64_t paused;
};

/* Any thread may ask; the answer is about now. */
static inline bool weir_port_failed(const struct weir_port *p)
{
	return __atomic_load_n(&p->failed, __ATOMIC_RELAXED);
}

/* For drivers. Return: whether it had failed before: whoever gets false says why. */
static inline bool weir_port_set_failed(struct weir_port *p)
{
	return __atomic_exchange_n(&p->failed, true, __ATOMIC_RELAXED);
}

/*
 * For drivers: the owner looked for finished descriptors, and none of those in flight is. That is
 * seldom enough to look at the clock: the ring is short of room, or there is nothing else to do.
 */
static inline void weir_txq_idle(struct weir_txq *q)
{
	uint64_t now = weir_now_ns();

	if (!q->idle_since)
		__atomic_store_n(&q->idle_since, now, __ATOMIC_RELAXED);
	__atomic_store_n(&q->idle_seen, now, __ATOMIC_RELAXED);
}

/* For drivers: some were finished, or the ring is empty. */
static inline void weir_txq_busy(struct weir_txq *q)
{
	if (q->idle_since)
		__atomic_store_n(&q->idle_since, 0, __ATOMIC_RELAXED);
}

/**
 * weir_rxq_short() - for drivers: a burst brings nothing, for its first packet is too long for it
 * @q: queue, by its owner
 * @segs: segments of that packet, more than were asked for
 *
 * Return: false to let it wait; true to drop it as WEIR_DROP_TOO_MANY, when it has waited for
 * WEIR_SHORT_BURSTS.
 */
WEIR_API bool weir_rxq_short(struct weir_rxq *q, unsigned segs);

/* --- fast path --- */

/*
 * A driver whose device goes away puts other functions in the place of these pointers, from the
 * control path: hence the loads.
 */
static inline unsigned weir_rx(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	return __atomic_load_n(&q->burst, __ATOMIC_RELAXED)(q, pkts, n);
}

static inline unsigned weir_tx_post(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	return __atomic_load_n(&q->post, __ATOMIC_RELAXED)(q, pkts, n);
}

static inline void weir_tx_kick(struct weir_txq *q)
{
	if (q->unkicked)
		__atomic_load_n(&q->kick, __ATOMIC_RELAXED)(q);
}

static inline unsigned weir_tx_reap(struct weir_txq *q)
{
	return __atomic_load_n(&q->reap, __ATOMIC_RELAXED)(q);
}

/* --- control path --- */

/* For drivers: initialise the common part. @name is copied. */
WEIR_API int weir_port_init(struct weir_port *p, struct weir *w, const struct weir_port_ops *ops,
			    const char *name);
/* For drivers: free what weir_port_init() made. */
WEIR_API void weir_port_fini(struct weir_port *p);

WEIR_API int weir_port_caps(struct weir_port *p, struct weir_port_caps *caps);

/**
 * weir_port_configure() - set up queues
 * @p: port in state OPEN or READY (then it is set up anew)
 * @conf: wishes; copied and completed
 *
 * Return: 0; -EINVAL with a sentence for what the port cannot do; -EOPNOTSUPP for an offload;
 * -ENOMEM; -EBUSY while running.
 */
WEIR_API int weir_port_configure(struct weir_port *p, const struct weir_port_conf *conf);

/**
 * weir_port_queue_cache() - name the stack of the thread that will own queue @q of both sides
 * @p: configured port
 * @q: queue number
 * @c: stack; must outlive the run. Its pool is of the port's handle, and in the arena of the pair's
 *     rings if that is tagged
 *
 * On a running port nobody may poll the queue meanwhile: so it moves to another thread, or to one
 * that stops the port while the old thread goes on with other queues.
 */
WEIR_API int weir_port_queue_cache(struct weir_port *p, unsigned q, struct weir_cache *c);

/* Start needs a cache on every queue. While it runs no other thread may use these caches. */
WEIR_API int weir_port_start(struct weir_port *p);
/* Callable when no thread polls the queues any more. Buffers return to the queues' caches. */
WEIR_API int weir_port_stop(struct weir_port *p);
/* Stops and unconfigures as needed. NULL is fine. */
WEIR_API void weir_port_close(struct weir_port *p);

WEIR_API int weir_port_link(struct weir_port *p, struct weir_link *link);
WEIR_API int weir_port_mac_get(struct weir_port *p, uint8_t mac[6]);
WEIR_API int weir_port_mac_set(struct weir_port *p, const uint8_t mac[6]);
WEIR_API int weir_port_promisc(struct weir_port *p, bool on);
WEIR_API int weir_port_allmulti(struct weir_port *p, bool on);
WEIR_API int weir_port_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n);

/**
 * weir_port_vlan_filter() - receive tagged frames of these VLANs only
 * @p: port, also while it runs; kept over stop and start
 * @vids: @n VLAN ids, 0 to 4095; NULL: frames of every VLAN, as after open
 * @n: how many; 0 (and @vids not NULL): no tagged frame at all
 *
 * The outer tag counts. Frames without one pass; one with a priority only is VLAN 0. The Intel NICs
 * filter in promiscuous mode too.
 * Return: 0; -EINVAL (id); -EOPNOTSUPP; -ENODEV.
 */
WEIR_API int weir_port_vlan_filter(struct weir_port *p, const uint16_t *vids, unsigned n);
WEIR_API int weir_port_mtu_set(struct weir_port *p, unsigned mtu);
WEIR_API int weir_port_rss_set(struct weir_port *p, const struct weir_rss *rss);
WEIR_API int weir_port_rss_get(struct weir_port *p, struct weir_rss *rss);
WEIR_API int weir_port_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n);
WEIR_API int weir_port_rx_intr_fd(struct weir_port *p, unsigned q);
WEIR_API int weir_port_rx_intr_arm(struct weir_port *p, unsigned q);
WEIR_API int weir_port_rx_intr_disarm(struct weir_port *p, unsigned q);
WEIR_API int weir_port_lsc_fd(struct weir_port *p);

/**
 * weir_port_service() - look after a port whose other side is a process
 * @p: in any state; a control call like the others, while the queues' owners go on polling
 *
 * Call it every few milliseconds (l2fwd: 20). A back end that went away is waited for here, a front
 * end that connects is served here. Does not wait for a peer that is not there; one that is there may
 * take up to its time limit (5 s) to answer. Ports without a peer have nothing to do.
 * Return: 0, also while a peer is away; negative errno when the port has failed.
 */
WEIR_API int weir_port_service(struct weir_port *p);

/**
 * weir_port_check() - look whether a running port still does its work
 * @p: port
 *
 * A device can stop without a word: it is gone, it lost its way in a ring, an IOMMU refuses it
 * memory. Call this a few times a second, from the thread that makes the control calls, while others
 * poll. It finds
 *  - a device that does not answer any more;
 *  - faults that the device reports ("device-fault");
 *  - a TX queue of which nothing was reported as sent for weir_port_conf.stall_ms while the link
 *    is up and the other end asks for no pause ("tx-stall"); its owner must call weir_tx_reap() when it has nothing else to do;
 *  - an RX queue that is polled, brings nothing, and for which the device has counted packets for as
 *    long ("rx-stall"); where the driver has such counters.
 * A port that is not running, or whose driver cannot tell, is well.
 *
 * Return: 0; -ENODEV if the device is gone (then weir_port_failed() is true); -EIO, with a sentence,
 * if weir_port_stop() and weir_port_start(), which reset the device, may help. Said once a start.
 */
WEIR_API int weir_port_check(struct weir_port *p);

/**
 * weir_port_queue_tag() - have all DMA of a queue pair carry a PASID
 * @p: configured port, not running
 * @q: RX and TX queue of this number; the first of those that are tagged together
 * @pasid: attached to an address space before (weir_iodev_pasid_attach()); 0 takes the tag away
 * @dma: how that address space sees the window; NULL with 0
 *
 * weir_queue_assign() does this and all that belongs to it. A tagged port cannot be configured anew.
 * Return: 0; -EOPNOTSUPP if the port tags nothing; -EINVAL; -EBUSY while running.
 */
WEIR_API int weir_port_queue_tag(struct weir_port *p, unsigned q, uint32_t pasid,
				 const struct weir_dma *dma);

/**
 * weir_port_queue_stopped() - whether the device stopped a tagged queue pair
 * @p: running port
 * @q: pair
 *
 * A device may stop a pair that was refused an access to memory, and go on with all others. Stopping
 * and starting the port starts it again. Any thread may ask.
 * Return: 1 or 0; 0 where nothing can be tagged; -ENODEV if the device is gone.
 */
WEIR_API int weir_port_queue_stopped(struct weir_port *p, unsigned q);

/* For drivers that tag: where the rings of pair @q belong. */
static inline struct weir_arena *weir_port_ring_arena(const struct weir_port *p, unsigned q)
{
	return p->conf.queue_arena[q] ? p->conf.queue_arena[q] : p->conf.arena;
}

/* The Toeplitz key of the RSS specification, 40 bytes (52 with its tail repeated). */
WEIR_API extern const uint8_t weir_rss_default_key[WEIR_MAX_RSS_KEY];

/**
 * weir_toeplitz() - the RSS hash function
 * @key: at least @len + 4 bytes
 * @data: input in network order
 * @len: bytes
 */
WEIR_API uint32_t weir_toeplitz(const uint8_t *key, const uint8_t *data, unsigned len);

WEIR_END_DECLS

#endif
