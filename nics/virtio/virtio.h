/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-net, inside: transports, rings, queues, and what the files of this folder call of each
 * other. Nothing outside the folder includes this.
 */
#ifndef WEIR_NICS_VIRTIO_H
#define WEIR_NICS_VIRTIO_H

#include "core/clock.h"
#include "core/io.h"
#include "core/port.h"
#include "nics/nics.h"
#include "nics/vhost_opts.h"
#include "nics/virtio_regs.h"

/* --- transport --- */

struct virtio_transport;

/**
 * struct virtio_queue_conf - one virtqueue, as a transport hands it to the device
 * @index: number of the queue
 * @size: descriptors
 * @vector: interrupt vector, VIRTIO_MSI_NO_VECTOR for none
 * @packed: kind of ring
 * @base: where the device begins, as vhost counts: split: index in the available ring; packed: position
 *        and wrap counter (bit 15) of the available, and in the upper half of the used. As a ring is
 *        handed over it is 0 (packed: wrap counters set), unless the ring goes on
 * @desc: descriptor area, driver area and device area
 */
struct virtio_queue_conf {
	unsigned index;
	unsigned size;
	uint16_t vector;
	bool packed;
	uint32_t base;
	void *desc;
	void *driver;
	void *device;
};

/**
 * struct virtio_transport_ops - the way to a device
 *
 * Nothing here is on the fast path save @kick, and that only where a queue has no doorbell.
 *
 * @reset: device status to 0 and wait until the device says so; it does no DMA afterwards
 * @status: device status; VIRTIO_STATUS_GONE or negative errno when there is no device any more
 * @set_status: write it
 * @features: what the device offers
 * @set_features: what the driver accepts
 * @config_read: @len bytes of device configuration, all of one generation
 * @queue_size: largest size of a queue, 0 if the device does not have it
 * @queue_enable: set the queue up; @doorbell receives the 16-bit register to write the queue's
 *                index to, or NULL where @kick must be called
 * @kick: tell the device about new buffers; absent where each queue has a doorbell
 * @set_dma: let the device reach memory, or not
 * @suspend: before a reset: finish what is under way and stand still. Absent where that is not done
 * @max_vectors: interrupt vectors there are
 * @vectors: make @n vectors usable, 0 takes them away
 * @vector_fd: eventfd of one
 * @config_vector: which vector tells of changes in configuration
 * @service: look after the connection to a device that is a process: 0, or -ENOTCONN while there is
 *           none. Absent where a device does not come back once it is gone
 * @begin: messages to it follow. As a @whole they take a few seconds at most, however slow it is. Else
 *         they take a fraction of a second, and what was begun is done again in further calls until
 *         it is not @unfinished: what was sent is not sent again then
 * @reconnect: try once to have it again, when it is time to (-EAGAIN if not). Then the device is as
 *             after opening
 * @unfinished: the time was not enough: what was done since @begin has not succeeded, whatever it
 *              returned, nor failed
 * @disconnect: end a connection that cannot be used, with the reason
 * @resumes: can rings that were in use go on with the device as they are? (@in_order: it uses buffers
 *           in the order in which it gets them, and leaves alone what it has not given back.) Absent, as the others from @begin on, with @service
 * @track: before rings are handed over: there will be @rings of @size descriptors at most, and they go
 *         on (@resume) or begin. Absent where no transport's device wants to know
 * @close: free the transport and what is below it
 */
struct virtio_transport_ops {
	int (*reset)(struct virtio_transport *t);
	int (*status)(struct virtio_transport *t);
	void (*set_status)(struct virtio_transport *t, uint8_t status);
	int (*features)(struct virtio_transport *t, uint64_t *features);
	int (*set_features)(struct virtio_transport *t, uint64_t features);
	int (*config_read)(struct virtio_transport *t, unsigned off, void *buf, unsigned len);
	unsigned (*queue_size)(struct virtio_transport *t, unsigned index);
	int (*queue_enable)(struct virtio_transport *t, const struct virtio_queue_conf *qc,
			    volatile void **doorbell);
	void (*kick)(struct virtio_transport *t, unsigned index);
	int (*set_dma)(struct virtio_transport *t, bool on);
	void (*suspend)(struct virtio_transport *t);
	int (*max_vectors)(struct virtio_transport *t);
	int (*vectors)(struct virtio_transport *t, unsigned n);
	int (*vector_fd)(struct virtio_transport *t, unsigned i);
	int (*config_vector)(struct virtio_transport *t, uint16_t vector);
	int (*service)(struct virtio_transport *t);
	void (*begin)(struct virtio_transport *t, bool whole);
	int (*reconnect)(struct virtio_transport *t);
	bool (*unfinished)(struct virtio_transport *t);
	void (*disconnect)(struct virtio_transport *t, const char *why);
	bool (*resumes)(struct virtio_transport *t, bool in_order);
	int (*track)(struct virtio_transport *t, unsigned rings, unsigned size, bool resume);
	void (*close)(struct virtio_transport *t);
};

/**
 * struct virtio_transport - what every transport begins with
 * @ops: its table
 * @w: handle
 * @name: device, for messages
 * @dma: how the device sees memory
 * @node: NUMA node
 * @is_process: the device is one
 * @translated: device addresses are IOVAs, so VIRTIO_F_ACCESS_PLATFORM must be negotiated
 * @direct_mq: queue pairs are in use once they are enabled: no control queue is needed for that
 * @ctrl_arena: where the control queue lives, if not with the others
 * @ctrl_dma: how the device sees that
 */
struct virtio_transport {
	const struct virtio_transport_ops *ops;
	struct weir *w;
	const char *name;
	struct weir_dma dma;
	int node;
	bool is_process;
	bool translated;
	bool direct_mq;
	struct weir_arena *ctrl_arena;
	struct weir_dma ctrl_dma;
};

/**
 * virtio_pci_open() - the PCI transport
 * @d: open device; on success it belongs to the transport
 * @out: transport; end with ops->close(), or with virtio_pci_abandon() to keep @d
 *
 * Return: 0; -ENODEV when the modern interface is missing or its capabilities cannot be used.
 */
int virtio_pci_open(struct weir_pci *d, struct virtio_transport **out);
void virtio_pci_abandon(struct virtio_transport *t);

/**
 * virtio_user_open() - the vhost-user transport, front end
 * @name: whole device string
 * @rest: PATH[,OPTION=VALUE...]
 * @out: connected, with features known
 *
 * Return: 0; -ETIMEDOUT, -ENOENT, -ECONNREFUSED ... with a sentence.
 */
int virtio_user_open(struct weir *w, const char *name, const char *rest,
		     struct virtio_transport **out);

/* The transport by the kernel's vhost-net and a TAP interface; likewise. */
int virtio_tap_open(struct weir *w, const char *name, const char *rest,
		    struct virtio_transport **out);

/* The vhost-vdpa transport; likewise. */
int virtio_vdpa_open(struct weir_iommu *iommu, const char *name, const char *rest,
		     const struct weir_port_open_opts *opts, struct virtio_transport **out);

/* --- rings --- */

/* Set in the length of a chain that is one descriptor pointing to an indirect table. */
#define VIRTIO_CHAIN_INDIRECT 0x8000

/**
 * struct virtio_vq - a ring, split or packed: the line that every burst touches
 * @desc: descriptors, of a split ring
 * @pdesc: descriptors, of a packed ring
 * @avail: driver area, of a split ring
 * @driver_event: driver area, of a packed ring
 * @used: device area, of a split ring
 * @device_event: device area, of a packed ring
 * @buf: by position (mod size): packet buffer, WEIR_BUF_NONE where a descriptor has none. Behind it
 *       stand the tables of vq_ids(), vq_places() and vq_chains(). Private memory, so what is read
 *       there is what was written
 * @doorbell: 16-bit register; NULL means transport's kick
 * @mask: size - 1
 * @posted: descriptors given to the device, ever (mod 2^16)
 * @done: descriptors taken back, ever. In a packed ring both are also ring positions, and the wrap
 *        counter is the bit above the mask
 * @avail_idx: split: chains given to the device
 * @used_idx: split: chains taken back
 * @index: number of the queue
 * @odd: positions whose id is not the position
 * @chains: chains in flight that are not just one descriptor with one buffer
 * @hdr_len: bytes of struct virtio_net_hdr in use
 * @packed: which kind
 * @in_order: VIRTIO_F_IN_ORDER negotiated
 *
 * Descriptors in flight are [@done, @posted), and everything about them is kept by position. A
 * device that uses buffers in the order in which it got them, as nearly all do, thus costs nothing:
 * the next one used is the one at @done. When a device uses another one, that chain is brought
 * forward to @done and those it overtook move back (vq_bring_forward()). Which id a position has
 * changes by that alone; ids go back to where they belong when they are next posted.
 *
 * The size is a power of two for both kinds, VIRTQ_SIZE_MAX at most, so 16-bit counters do.
 */
struct virtio_vq {
	union {
		struct virtq_desc *desc;
		struct pvirtq_desc *pdesc;
	};
	union {
		struct virtq_avail *avail;
		struct pvirtq_event_suppress *driver_event;
	};
	union {
		struct virtq_used *used;
		struct pvirtq_event_suppress *device_event;
	};
	uint32_t *buf;
	volatile void *doorbell;
	uint16_t mask;
	uint16_t posted;
	uint16_t done;
	uint16_t avail_idx;
	uint16_t used_idx;
	uint16_t index;
	uint16_t odd;
	uint16_t chains;
	uint8_t hdr_len;
	bool packed;
	bool in_order;
} weir_cacheline;
static_assert(sizeof(struct virtio_vq) == WEIR_CACHE_LINE, "a ring is one line");

/**
 * virtio_vq_alloc() - memory of a ring
 * @vq: zeroed; filled
 * @a: arena for what the device reaches
 * @size: descriptors, a power of two
 * @packed: kind
 * Return: 0 or -ENOMEM. End with virtio_vq_free(), which is fine with a zeroed ring, too.
 */
int virtio_vq_alloc(struct virtio_vq *vq, struct weir_arena *a, unsigned size, bool packed);
void virtio_vq_free(struct virtio_vq *vq, struct weir_arena *a);
/* As after virtio_vq_alloc(): nothing posted, no interrupts wanted. */
void virtio_vq_reset(struct virtio_vq *vq);
/*
 * Where a device is to go on in a ring that one before it has left: behind all that was used. While
 * the owner keeps away. Return: false when the ring cannot be trusted.
 */
bool virtio_vq_base(const struct virtio_vq *vq, uint32_t *base);
/* Hand the ring to the device. */
int virtio_vq_enable(struct virtio_vq *vq, struct virtio_transport *t, unsigned index,
		     uint16_t vector);
/* Tell the device that there is something in the ring. */
void vq_ring_doorbell(const struct virtio_vq *vq, struct virtio_transport *t);
/* Give the buffers of a ring that the device does not use any more to @c. */
void virtio_vq_drain(struct virtio_vq *vq, struct weir_cache *c);

/* --- queues --- */

/* Rings of fewer descriptors are not worth having. */
#define VIRTIO_MIN_DESC 16
/* Receive descriptors are posted in blocks of this many (fewer in very small rings). */
#define VIRTIO_RX_BLOCK 32

/**
 * struct virtio_rxq - receive queue
 * @base: common part, first
 * @vq: ring
 * @skip: buffers still to be thrown away: the rest of a packet with too many
 * @block: descriptors posted at a time
 * @unnotified: posted, and the device not told yet
 * @csum, @hash, @mrg: what in the header is to be looked at
 * @net: back pointer
 * @live_burst: the path of packets, while another one stands in its place (virtio_revive.c)
 */
struct virtio_rxq {
	struct weir_rxq base;
	struct virtio_vq vq;
	uint16_t skip;
	uint16_t block;
	bool unnotified;
	bool csum;
	bool hash;
	bool mrg;
	struct virtio_net *net;
	/* not touched on the fast path */
	weir_rx_fn *live_burst;
};

/* Indirect table: header slot and WEIR_MAX_SEGS segments, rounded up to whole lines. */
#define VIRTIO_IND_DESCS 12
/* Separate header: for a packet without headroom. */
#define VIRTIO_HDR_SLOT 32

/**
 * struct virtio_txq - transmit queue
 * @base: common part, first
 * @vq: ring
 * @segs: buffers in flight
 * @max_len: longest frame
 * @short_len, @short_off: a segment that is no longer, and starts no later, is sure to lie in its buffer
 * @csum: VIRTIO_NET_F_CSUM negotiated and wanted
 * @hdrs: separate headers, VIRTIO_HDR_SLOT bytes for each id
 * @ind: indirect tables, VIRTIO_IND_DESCS descriptors for each id; NULL without the feature
 * @ind_bufs: buffers of each table, WEIR_MAX_SEGS for each id
 * @net: back pointer
 * @live_post, @live_kick, @live_reap: see virtio_rxq.live_burst
 * @resumed: where a device that came back went on (virtio_vq_base()), plus 2^32
 */
struct virtio_txq {
	struct weir_txq base;
	struct virtio_vq vq;
	uint32_t segs;
	uint16_t max_len;
	uint16_t short_len;
	uint16_t short_off;
	bool csum;
	uint8_t *hdrs;
	struct virtq_desc *ind;
	uint32_t *ind_bufs;
	struct virtio_net *net;
	weir_tx_fn *live_post;
	weir_kick_fn *live_kick;
	weir_reap_fn *live_reap;
	uint64_t resumed;
};

/**
 * struct virtio_path - functions that move packets, for one kind of processor
 * @name: of the processor's feature
 * @usable: is this one of them?
 * @rx, @tx, @reap: for split rings and for packed ones
 * @rx_full: with offloads, or several buffers a packet
 *
 * All rows do the same to the last byte, whatever the device does.
 */
struct virtio_path {
	const char *name;
	bool (*usable)(void);
	weir_rx_fn *rx[2];
	weir_tx_fn *tx[2];
	weir_reap_fn *reap[2];
	weir_rx_fn *rx_full[2];
};

/* Best first, ended by a row without name; the last one before it runs everywhere. */
extern const struct virtio_path virtio_paths[];
const struct virtio_path *virtio_best_path(const struct weir_dma *dma);

weir_rx_fn virtio_rx_split, virtio_rx_split_full, virtio_rx_packed, virtio_rx_packed_full;
weir_tx_fn virtio_tx_split, virtio_tx_packed;
weir_reap_fn virtio_reap_split, virtio_reap_packed;
/* The same for a device without an IOMMU (nics/xlate.h). */
weir_rx_fn virtio_rx_split_phys, virtio_rx_split_full_phys;
weir_rx_fn virtio_rx_packed_phys, virtio_rx_packed_full_phys;
weir_tx_fn virtio_tx_split_phys, virtio_tx_packed_phys;
/* The same with AVX2. */
weir_rx_fn virtio_rx_split_avx2, virtio_rx_packed_avx2;
weir_tx_fn virtio_tx_split_avx2, virtio_tx_packed_avx2;
weir_reap_fn virtio_reap_split_avx2, virtio_reap_packed_avx2;
/* The same with AVX-512. */
weir_rx_fn virtio_rx_split_avx512, virtio_rx_packed_avx512;
weir_tx_fn virtio_tx_split_avx512, virtio_tx_packed_avx512;
weir_reap_fn virtio_reap_split_avx512, virtio_reap_packed_avx512;
weir_kick_fn virtio_kick_split, virtio_kick_packed;

/* Fill a receive ring from the queue's cache, without telling the device. */
void virtio_rx_fill_split(struct virtio_rxq *q);
void virtio_rx_fill_packed(struct virtio_rxq *q);
void virtio_rx_fill_split_phys(struct virtio_rxq *q);
void virtio_rx_fill_packed_phys(struct virtio_rxq *q);
/* Tell the device about buffers, as far as it wants to know. */
void virtio_rx_notify_split(struct virtio_rxq *q);
void virtio_rx_notify_packed(struct virtio_rxq *q);
/* Interrupt on or off. Return: 1 if packets are there already, else 0. */
int virtio_rx_intr_split(struct virtio_rxq *q, bool on);
int virtio_rx_intr_packed(struct virtio_rxq *q, bool on);

/**
 * virtio_rx_finish_csum() - do what VIRTIO_NET_HDR_F_NEEDS_CSUM leaves to the receiver
 * @va_base: of the queue
 * @p: segments of one packet
 * @n: how many
 * @start: first byte that the sum covers
 * @off: where the sum goes, from @start
 *
 * The field holds the pseudo-header's sum, as with WEIR_PKT_TX_TCP_CSUM.
 * Return: false when the offsets point past the packet, which is then unchanged.
 */
bool virtio_rx_finish_csum(const char *va_base, const struct weir_pkt *p, unsigned n,
			   unsigned start, unsigned off);

/* Off the fast path of transmission, virtio_offload.c. */
bool virtio_tx_header(struct virtio_txq *q, const struct weir_pkt *p, unsigned segs,
		      struct virtio_net_hdr *h);
unsigned virtio_tx_indirect(struct virtio_txq *q, uint16_t id, const struct weir_pkt *p,
			    unsigned segs, bool packed);
void virtio_tx_drain_indirect(struct virtio_txq *q);

/* The ring cannot be trusted any more: say so once, and stop using the port. */
void virtio_misbehaved(struct virtio_net *v, unsigned queue, const char *what, unsigned a,
		       unsigned b);

/* --- control queue --- */

#define VIRTIO_CTRL_DATA 1152

/**
 * struct virtio_ctrl_mem - what one command takes of memory that the device reaches
 * @class: class and command, the header
 * @ack: written by the device
 * @data: the command's
 */
struct virtio_ctrl_mem {
	__u8 class;
	__u8 cmd;
	__u8 pad[62];
	__u8 ack;
	__u8 pad2[63];
	__u8 data[VIRTIO_CTRL_DATA];
};

/**
 * struct virtio_ctrl - control queue
 * @vq: ring; a zeroed one means that there is no control queue
 * @mem: command
 * @dead: a command was never answered: the queue is of no use until the device is reset
 * @commands: sent; @refused: not answered with VIRTIO_NET_OK
 */
struct virtio_ctrl {
	struct virtio_vq vq;
	struct virtio_ctrl_mem *mem;
	bool dead;
	uint64_t commands;
	uint64_t refused;
};

/* Longest frame around an MTU: Ethernet header and two VLAN tags. */
#define VIRTIO_FRAME(mtu) ((mtu) + WEIR_ETH_HLEN + 2 * WEIR_VLAN_HLEN)
/* Largest MTU with receive buffers that can be chained, and with single ones. */
#define VIRTIO_MTU_JUMBO  9216
#define VIRTIO_MTU_SINGLE (WEIR_BUF_ROOM - WEIR_ETH_HLEN - 2 * WEIR_VLAN_HLEN)

int virtio_ctrl_promisc(struct virtio_net *v);
int virtio_ctrl_allmulti(struct virtio_net *v);
int virtio_ctrl_mac(struct virtio_net *v);
int virtio_ctrl_mac_table(struct virtio_net *v);
int virtio_ctrl_queues(struct virtio_net *v);

/* --- the device --- */

/**
 * struct virtio_net - port
 * @port: common part, first
 * @t: transport
 * @offered: features of the device
 * @features: those negotiated by the last start
 * @path: functions that move packets
 * @max_pairs: queue pairs
 * @rx_size: largest receive ring; @tx_size: largest transmit ring
 * @dev_mtu: largest MTU
 * @hash_types: what the device can hash; @rss_key_max and @reta_max: its other limits
 * @rss: in force, or at the next start
 * @mac: address; @mac_set: it is ours, not what the device came with
 * @promisc: take all; @allmulti: all multicast; @mc: these groups, @n_mc of them
 * @packed: kind of all rings of this configuration
 * @rx: queues, port.conf.n_rxq; @tx: port.conf.n_txq
 * @ctrl: control queue
 * @lost: the device went away while running, and is waited for
 * @resume: rings go on where they are when it comes back
 * @stuck: times in a row that it went on and ended again without a packet of some ring sent
 * @left: by queue pair: its owner keeps away from the rings; written by the owner
 * @tx_lost: segments that were with a device when it went away
 * @reconnects: times it came back
 */
struct virtio_net {
	struct weir_port port;
	struct virtio_transport *t;
	uint64_t offered;
	uint64_t features;
	const struct virtio_path *path;
	bool packed;
	bool mac_set;
	bool promisc;
	bool allmulti;
	uint8_t mac[6];
	unsigned max_pairs;
	unsigned rx_size, tx_size;
	unsigned dev_mtu;
	unsigned hash_types, rss_key_max, reta_max;
	struct weir_rss rss;
	unsigned n_mc;
	uint8_t mc[WEIR_MAX_MC_ADDRS][6];
	struct virtio_rxq *rx;
	struct virtio_txq *tx;
	struct virtio_ctrl ctrl;
	bool lost;
	bool resume;
	unsigned stuck;
	bool left[WEIR_MAX_QUEUES];
	uint64_t tx_lost;
	uint64_t reconnects;
};

static inline struct virtio_net *virtio_net_of(struct weir_port *p)
{
	return weir_container_of(p, struct virtio_net, port);
}

/* The largest power of two that is not above @x; 0 for 0. */
static inline unsigned virtio_pow2(unsigned x)
{
	return x ? 1u << (31 - __builtin_clz(x)) : 0;
}

static inline bool virtio_has(const struct virtio_net *v, uint64_t feature)
{
	return (v->features & feature) != 0;
}

static inline bool virtio_failed(const struct weir_port *p)
{
	return weir_port_failed(p);
}

/* Where the control queue lives, and how the device sees that. */
static inline struct weir_arena *virtio_ctrl_arena(const struct virtio_net *v)
{
	return v->t->ctrl_arena ? v->t->ctrl_arena : v->port.conf.arena;
}

static inline const struct weir_dma *virtio_ctrl_dma(const struct virtio_net *v)
{
	return v->t->ctrl_arena ? &v->t->ctrl_dma : &v->t->dma;
}

/* Queue pairs that the device must serve. */
static inline unsigned virtio_pairs(const struct virtio_net *v)
{
	const struct weir_port_conf *c = &v->port.conf;

	return c->n_rxq > c->n_txq ? c->n_rxq : c->n_txq;
}

/* Control ops, virtio_ops.c. */
void virtio_caps(struct weir_port *p, struct weir_port_caps *caps);
int virtio_link(struct weir_port *p, struct weir_link *link);
int virtio_mac_get(struct weir_port *p, uint8_t mac[6]);
int virtio_mac_set(struct weir_port *p, const uint8_t mac[6]);
int virtio_promisc(struct weir_port *p, bool on);
int virtio_allmulti(struct weir_port *p, bool on);
int virtio_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n);
int virtio_mtu_set(struct weir_port *p, unsigned mtu);
int virtio_rss_set(struct weir_port *p, const struct weir_rss *rss);
int virtio_rss_get(struct weir_port *p, struct weir_rss *rss);
int virtio_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n);
int virtio_rx_intr_fd(struct weir_port *p, unsigned q);
int virtio_rx_intr_arm(struct weir_port *p, unsigned q);
int virtio_rx_intr_disarm(struct weir_port *p, unsigned q);
int virtio_lsc_fd(struct weir_port *p);

/**
 * virtio_make() - a port on a transport
 * @t: on success it belongs to the port; on failure it is as it was
 * @name: of the port
 */
int virtio_make(struct virtio_transport *t, const char *name, struct weir_port **out);

/* Steps of start that coming back takes, too (virtio.c). 3.1.1, steps 1 to 6: */
int virtio_negotiate(struct virtio_net *v);
/* Rings as new, those to receive filled. By the queue's owner, or while nobody owns it. */
void virtio_fresh_rxq(struct virtio_rxq *q);
void virtio_fresh_txq(struct virtio_txq *q);
/* Buffers of both rings of a pair back into the caches. */
void virtio_drain_pair(struct virtio_net *v, unsigned i);
/* Tell the device of all rings, as they are. */
int virtio_enable_queues(struct virtio_net *v);
/* From there on to DRIVER_OK. */
int virtio_go(struct virtio_net *v);

/* Look after a device that may go and come back, virtio_revive.c. */
int virtio_service(struct weir_port *p);
/* The port stops: the paths of packets are the usual ones again. */
void virtio_revive_end(struct virtio_net *v);

/* Can frames of this MTU be received as configured? Return: 0 or -EINVAL with a sentence. */
int virtio_check_mtu(struct virtio_net *v, unsigned mtu);

/* Is the device still there and well? Return: 0, or -ENODEV / -EIO with the port marked failed. */
int virtio_check(struct virtio_net *v);

#endif
