/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user back end, inside: we are the device. A front end (QEMU for a guest, DPDK's virtio-user)
 * hands its memory and rings over a socket, and packets are copied between them and our buffers.
 * Nothing that stands in that memory is trusted. Nothing outside the folder includes this.
 *
 * Threads: the control path (weir_port_service()) serves messages while workers poll rings. Each ring
 * has a lock for that: a worker that finds it taken goes away, the control path waits.
 */
#ifndef WEIR_NICS_VHOST_H
#define WEIR_NICS_VHOST_H

#include "core/io.h"
#include "core/port.h"
#include "nics/nics.h"
#include "nics/vhost_msg.h"
#include "nics/vhost_opts.h"
#include "nics/virtio_regs.h"

/* Pieces of one chain: descriptors, and what they are cut into at the borders of regions. */
#define VHOST_MAX_PIECES 64
/* Buffers of the front end that one packet may be spread over (VIRTIO_NET_F_MRG_RXBUF). */
#define VHOST_MAX_MERGE 32
#define VHOST_RINGS	(2 * WEIR_MAX_QUEUES)

/**
 * struct vhost_map - a region of the front end's memory
 * @guest: first address, as descriptors name it
 * @user: the same byte, as ring addresses name it
 * @size: bytes
 * @va: where it is mapped here
 * @map: start and @map_len length of the mapping
 * @iommu, @guard: where faults in it are caught, and its slot there; -1 for none
 */
struct vhost_map {
	uint64_t guest, user, size;
	char *va;
	void *map;
	size_t map_len;
	struct weir_iommu *iommu;
	int guard;
};

struct vhost_mem {
	unsigned n;
	struct vhost_map map[VHOST_MAX_REGIONS];
};

/**
 * vhost_mem_set() - map what a memory table describes
 * @iommu: whose application may catch faults (weir_iommu_bus_fault()), or NULL
 * @mem: filled; empty on failure
 * @fds: one for each region; left to the caller
 *
 * Return: 0; -EINVAL (numbers that cannot be), -ERANGE (a file shorter than its region), or errno.
 */
int vhost_mem_set(struct weir_iommu *iommu, struct vhost_mem *mem, const struct vhost_memory *table,
		  const struct vhost_fds *fds);
void vhost_mem_clear(struct vhost_mem *mem);
/* One region of a file; end it with vhost_mem_unmap(). Errors as above. */
int vhost_mem_map(struct weir_iommu *iommu, struct vhost_map *m, const struct vhost_region *r,
		  int fd);
/* Whether it has faulted: its file was cut short. */
bool vhost_mem_hit(const struct vhost_map *m);
/* Also of one that is not mapped (all zeroes). */
void vhost_mem_unmap(struct vhost_map *m);
/* All of [@user, @user + @len) here, or NULL. */
void *vhost_mem_user(const struct vhost_mem *mem, uint64_t user, uint64_t len, unsigned align);

/* The byte at @guest, and how many follow it in one piece (*@room > 0); NULL if it is nowhere. */
static inline char *vhost_mem_guest(const struct vhost_mem *mem, uint64_t guest, uint64_t *room)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vhost_map *m = &mem->map[i];
		uint64_t off = guest - m->guest;

		if (off < m->size) {
			*room = m->size - off;
			return m->va + off;
		}
	}
	return NULL;
}

/* What is to be done for each packet: copying; checksums too; that and notes on what is in flight. */
enum vhost_path { VHOST_PATH_PLAIN, VHOST_PATH_CSUM, VHOST_PATH_EXTRA };

/* A chain that the back end before us has fetched: when, where it is noted, its descriptors if packed. */
struct vhost_again {
	uint64_t counter;
	uint16_t index, num;
};

/**
 * struct vhost_track - what is noted in the front end's memory of a ring's descriptors in flight
 * @split, @packed: the ring's part of that memory. What is read from it is checked: the front end
 *                  can write it
 * @counter: of the next chain
 * @last: split: chain given back last; packed: first free entry
 * @out: packed: entries in use
 * @batch: packed: chains in the batch that is being gathered
 * @batch_head, @batch_tail: packed: their entries, which become free with it: first and last
 * @at, @n: chains to be served again: the next one, and how many there are
 * @again: them, in the order of their counters
 */
struct vhost_track {
	union {
		struct vhost_split_region *split;
		struct vhost_packed_region *packed;
	};
	uint64_t counter;
	uint16_t last;
	uint16_t batch_head, batch_tail;
	unsigned batch;
	unsigned out;
	unsigned at, n;
	struct vhost_again again[];
};

/**
 * struct vhost_ring - a virtqueue, from the device's side
 * @lock: 1 while somebody uses what stands here
 * @live: can be used; then all that follows holds
 * @packed: layout
 * @broken: the front end wrote nonsense: not used until it is set up anew
 * @armed: the front end shall kick
 * @hdr_len: bytes in front of each packet
 * @mrg: packets may be spread over several buffers
 * @partial: who receives finishes checksums (VIRTIO_NET_F_GUEST_CSUM)
 * @event: VIRTIO_F_EVENT_IDX
 * @path: enum vhost_path
 * @size: descriptors
 * @next_avail: split: chains seen; packed: position in the ring
 * @next_used: the same for what was given back
 * @avail_wrap, @used_wrap: packed: wrap counters at these positions
 * @desc, @pdesc, @avail, @driver_event, @used, @device_event: areas, as in struct virtio_vq
 * @mem: memory that descriptors point to
 * @kick, @call: eventfds, -1 for none
 * @track: chains in flight are noted there; NULL: nowhere
 * @owed: call once: the back end before us may have died before it did
 * @num, @base, @area, @have_area, @started, @enabled: as the front end said
 */
struct vhost_ring {
	int lock;
	bool live;
	bool packed;
	bool broken;
	bool armed;
	bool mrg;
	bool partial;
	bool event;
	uint8_t path;
	uint8_t hdr_len;
	uint16_t size;
	uint16_t next_avail, next_used;
	bool avail_wrap, used_wrap;
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
	const struct vhost_mem *mem;
	int call;
	/* not touched on the fast path */
	int kick;
	struct vhost_track *track;
	unsigned num;
	uint32_t base;
	struct vhost_vring_area area;
	bool have_area, started, enabled;
	bool owed;
} weir_cacheline;

static inline bool vhost_try(struct vhost_ring *r)
{
	return !__atomic_load_n(&r->lock, __ATOMIC_RELAXED) &&
	       !__atomic_exchange_n(&r->lock, 1, __ATOMIC_ACQUIRE);
}

static inline void vhost_unlock(struct vhost_ring *r)
{
	__atomic_store_n(&r->lock, 0, __ATOMIC_RELEASE);
}

/* For the control path: waits for the worker, which holds it for one burst. */
void vhost_lock(struct vhost_ring *r);
/* For the control path: free a worker that hangs in a call. Return: whether one could. */
bool vhost_ring_unblock(struct vhost_ring *r);
/* Take out what is in an eventfd of the front end's. */
void vhost_eventfd_drain(int fd);

struct vhost_port;

struct vhost_rxq {
	struct weir_rxq base;
	struct vhost_ring *ring;
	struct vhost_port *v;
	int epoll; /* wraps the ring's kick, which comes and goes, and @wake */
	int wake;  /* ours: the ring has become live with something in it */
};

struct vhost_txq {
	struct weir_txq base;
	struct vhost_port *v;
};

/**
 * struct vhost_port - port
 * @port: common part, first
 * @o: options
 * @listener: -1 in client mode; @sock: the front end, -1 while there is none
 * @owned: SET_OWNER was seen
 * @features: negotiated; @protocol: likewise
 * @status: as the front end set it
 * @pairs_live: queue pairs whose rings are live, counted from the first
 * @mac: of the port
 * @mem: the front end's memory
 * @inflight: memory for descriptors in flight, for @inflight_rings rings of @inflight_size
 * @iommu: whose application catches faults
 * @in, @in_fds: message of which @in_done bytes have come since @in_since
 * @answer_fd: to go with the next answer, -1 for none
 * @connections: front ends that were here
 * @bad_chains: chains whose addresses or lengths made no sense
 * @said_bad: it has been said for this connection
 * @retry_at: client mode: not before this
 * @ring: 2 * i is what the front end receives from, 2 * i + 1 what it sends to
 */
struct vhost_port {
	struct weir_port port;
	struct vhost_opts o;
	int listener, sock;
	uint64_t features, protocol;
	uint8_t status;
	unsigned pairs_live;
	uint8_t mac[6];
	struct vhost_mem mem;
	struct vhost_map inflight;
	unsigned inflight_rings, inflight_size;
	struct weir_iommu *iommu;
	struct vhost_msg in;
	struct vhost_fds in_fds;
	size_t in_done;
	uint64_t in_since;
	int answer_fd;
	uint64_t connections;
	uint64_t bad_chains;
	bool said_bad;
	uint64_t retry_at;
	struct vhost_ring ring[VHOST_RINGS];
	struct vhost_rxq rxq[WEIR_MAX_QUEUES];
	struct vhost_txq txq[WEIR_MAX_QUEUES];
};

static inline struct vhost_port *vhost_of(struct weir_port *p)
{
	return weir_container_of(p, struct vhost_port, port);
}

/* Paths of packets, vhost_rxtx.c. */
weir_rx_fn vhost_rx;
weir_tx_fn vhost_tx;
weir_kick_fn vhost_tx_kick;
weir_reap_fn vhost_tx_reap;
/* One burst on a locked ring of another path than the plain one, vhost_rxtx_*.c. */
unsigned vhost_rx_csum_burst(struct vhost_rxq *q, struct vhost_ring *r, struct weir_pkt *pkts,
			     unsigned n);
unsigned vhost_tx_csum_burst(struct vhost_txq *q, struct vhost_ring *r, const struct weir_pkt *pkts,
			     unsigned n);
unsigned vhost_rx_extra(struct vhost_rxq *q, struct vhost_ring *r, struct weir_pkt *pkts,
			unsigned n);
unsigned vhost_tx_extra(struct vhost_txq *q, struct vhost_ring *r, const struct weir_pkt *pkts,
			unsigned n);

/* --- checksums (vhost_csum.c) --- */

/* A packet that arrived with @h, which says that its checksum is unfinished. */
void vhost_rx_csum(const struct weir_rxq *q, const struct virtio_net_hdr *h, struct weir_pkt *p,
		   unsigned n);
/*
 * A packet to be sent that has TX_*_CSUM: finish its checksums, or leave that to whoever receives it
 * (@partial). Return: false if its header lengths point past its first segment.
 */
bool vhost_tx_csum(const struct weir_txq *q, bool partial, const struct weir_pkt *p, unsigned n,
		   struct virtio_net_hdr *h);
/* Wish to be kicked or not; the ring is locked. Return: 1 if there is something already. */
int vhost_ring_arm(struct vhost_ring *r, bool on);

/* Serve the front end: accept, messages, its end (vhost_conn.c). */
int vhost_service(struct weir_port *p);
/* End the connection; rings and memory go. @id NULL: without a word. */
void vhost_disconnect(struct vhost_port *v, const char *id, const char *why);
/* Whether a ring is live. If none is, nobody is in one any more, and only the control path changes that. */
bool vhost_any_live(struct vhost_port *v);
/* Decide anew whether a ring is live. */
void vhost_ring_update(struct vhost_port *v, struct vhost_ring *r);
/* A ring as before the first message. */
void vhost_ring_clear(struct vhost_port *v, struct vhost_ring *r);

/* --- descriptors in flight (vhost_inflight.c) --- */

/**
 * vhost_inflight_get() - GET_INFLIGHT_FD: make memory for what the front end describes
 * @d: rings and their size; the rest is filled in
 * Return: 0 with the fd in @v->answer_fd; -EPROTO; or negative errno.
 */
int vhost_inflight_get(struct vhost_port *v, struct vhost_inflight *d);
/* SET_INFLIGHT_FD: use it from now on. Not while a ring is live. */
int vhost_inflight_set(struct vhost_port *v, const struct vhost_inflight *d,
		       const struct vhost_fds *fds);
void vhost_inflight_clear(struct vhost_port *v);

/**
 * vhost_track_begin() - note a ring's chains from now on, and take up what was in flight
 * @r: locked, about to be live, areas and position set; its position becomes that of the last back
 *     end where there was one
 *
 * Return: 0, also where nothing is to be noted; 1 when there was one before us; -ENOMEM; -EINVAL
 * (the region is not one of this ring, or makes no sense).
 */
int vhost_track_begin(struct vhost_port *v, struct vhost_ring *r);
void vhost_track_end(struct vhost_ring *r);

#endif
