/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user protocol: messages over a UNIX socket with which a front end (the driver's side)
 * hands rings and memory to a back end (the device's side). Names are those of QEMU's
 * docs/interop/vhost-user. Both sides use this: nics/virtio has the front end, nics/vhost the back
 * end. Numbers are in the byte order of the machine.
 */
#ifndef WEIR_NICS_VHOST_MSG_H
#define WEIR_NICS_VHOST_MSG_H

#include "core/clock.h"
#include "core/types.h"

/* Front end's requests. */
enum vhost_req {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_LOG_BASE = 6,
	VHOST_USER_SET_LOG_FD = 7,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SEND_RARP = 19,
	VHOST_USER_NET_SET_MTU = 20,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD = 32,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_SET_STATUS = 39,
	VHOST_USER_GET_STATUS = 40,
	VHOST_USER_MAX,
};

/* "GET_FEATURES", or "?" for a number that has no name here. */
const char *vhost_req_name(uint32_t req);

#define VHOST_MSG_VERSION      0x1u
#define VHOST_MSG_VERSION_MASK 0x3u
#define VHOST_MSG_REPLY	       0x4u
#define VHOST_MSG_NEED_REPLY   0x8u

/* A bit among the virtio features: the side has protocol features. */
#define VHOST_USER_F_PROTOCOL_FEATURES (1ull << 30)
#define VHOST_F_LOG_ALL		       (1ull << 26)

#define VHOST_PROTOCOL_F_MQ	      (1ull << 0)
#define VHOST_PROTOCOL_F_REPLY_ACK    (1ull << 3)
#define VHOST_PROTOCOL_F_NET_MTU      (1ull << 4)
#define VHOST_PROTOCOL_F_CONFIG	      (1ull << 9)
#define VHOST_PROTOCOL_F_INFLIGHT     (1ull << 12)
#define VHOST_PROTOCOL_F_RESET_DEVICE (1ull << 13)
#define VHOST_PROTOCOL_F_STATUS	      (1ull << 16)

/* Of SET_VRING_KICK and _CALL: the low bits are the ring, this one says that no fd comes with it. */
#define VHOST_VRING_INDEX 0xffu
#define VHOST_VRING_NOFD  0x100u

#define VHOST_MAX_REGIONS 8
#define VHOST_MAX_FDS	  8
#define VHOST_MAX_CONFIG  256
/* Queue pairs: a ring's number has eight bits. */
#define VHOST_MAX_PAIRS 128

struct vhost_region {
	__u64 guest_addr; /* as descriptors name it */
	__u64 size;
	__u64 user_addr; /* as ring addresses name it: the front end's own */
	__u64 mmap_off;	 /* of the region in its fd */
};

struct vhost_memory {
	__u32 n;
	__u32 padding;
	struct vhost_region region[VHOST_MAX_REGIONS];
};

struct vhost_vring_num {
	__u32 index;
	__u32 num;
};

struct vhost_vring_area {
	__u32 index;
	__u32 flags;
	__u64 desc;
	__u64 used;
	__u64 avail;
	__u64 log;
};

struct vhost_config {
	__u32 offset;
	__u32 size;
	__u32 flags;
	__u8 data[VHOST_MAX_CONFIG];
};

struct vhost_inflight {
	__u64 mmap_size;
	__u64 mmap_off;
	__u16 queues;
	__u16 size;
};
/* Its two paddings travel along or not. */
#define VHOST_INFLIGHT_LEN 20

/*
 * What the region behind it holds for each ring, in the byte order of the machine: which descriptors
 * a back end has fetched and not given back, so that the next one can take them up. Names as in the
 * document's "Inflight I/O tracking".
 */
struct vhost_split_state {
	__u8 inflight;
	__u8 padding[5];
	__u16 next;
	__u64 counter;
};
struct vhost_split_region {
	__u64 features;
	__u16 version;
	__u16 desc_num;
	__u16 last_batch_head;
	__u16 used_idx;
	struct vhost_split_state desc[];
};
struct vhost_packed_state {
	__u8 inflight;
	__u8 padding;
	__u16 next;
	__u16 last;
	__u16 num;
	__u64 counter;
	__u16 id;
	__u16 flags;
	__u32 len;
	__u64 addr;
};
struct vhost_packed_region {
	__u64 features;
	__u16 version;
	__u16 desc_num;
	__u16 free_head;
	__u16 old_free_head;
	__u16 used_idx;
	__u16 old_used_idx;
	__u8 used_wrap;
	__u8 old_used_wrap;
	__u8 padding[7];
	struct vhost_packed_state desc[];
};
static_assert(sizeof(struct vhost_split_region) == 16 && sizeof(struct vhost_split_state) == 16 &&
		      offsetof(struct vhost_packed_region, desc) == 32 &&
		      sizeof(struct vhost_packed_state) == 32,
	      "layout by the document");
#define VHOST_INFLIGHT_VERSION 1

/* From one ring's part to the next: whole cache lines, as everybody has it. */
static inline uint64_t vhost_inflight_stride(unsigned size, bool packed)
{
	return WEIR_ALIGN_UP((packed ? 32ull : 16ull) * (1 + (uint64_t)size), 64);
}

#define VHOST_HDR_LEN 12

/**
 * struct vhost_msg - a message
 * @req: enum vhost_req
 * @flags: VHOST_MSG_*
 * @size: bytes of payload
 */
struct vhost_msg {
	__u32 req;
	__u32 flags;
	__u32 size;
	union {
		__u64 u64;
		struct vhost_vring_num num;
		struct vhost_vring_area area;
		struct vhost_memory mem;
		struct vhost_config config;
		struct vhost_inflight inflight;
		__u8 bytes[sizeof(struct vhost_config)];
	} __attribute__((packed));
} __attribute__((packed));
static_assert(offsetof(struct vhost_msg, u64) == VHOST_HDR_LEN, "no gap behind the header");

/**
 * struct vhost_fds - file descriptors that came with a message
 * @fd: them; the receiver's to close
 * @n: how many
 */
struct vhost_fds {
	int fd[VHOST_MAX_FDS];
	unsigned n;
};

/* Close what is left in @f. */
void vhost_fds_close(struct vhost_fds *f);
/* Take fd @i out of @f, so that vhost_fds_close() leaves it. */
int vhost_fds_take(struct vhost_fds *f, unsigned i);

/* Wait until @sock is ready for @events of poll(). Return: 0, -ETIMEDOUT, or negative errno. */
int vhost_wait(int sock, short events, struct weir_deadline end);

/**
 * vhost_send() - send a whole message
 * @sock: non-blocking socket
 * @fds: @n of them travel along
 * Return: 0; -ETIMEDOUT; -EPIPE or another errno when the peer is gone.
 */
int vhost_send(int sock, const struct vhost_msg *m, const int *fds, unsigned n,
	       struct weir_deadline end);

/**
 * vhost_recv() - receive a whole message
 * @m: filled; payload that is not there is zero
 * @fds: filled; nothing to close on failure
 *
 * Return: 0; -ETIMEDOUT; -ENOTCONN (closed); -EPROTO (longer than any message, wrong version, more
 * fds than any message has).
 */
int vhost_recv(int sock, struct vhost_msg *m, struct vhost_fds *fds, struct weir_deadline end);

/**
 * vhost_recv_part() - the same without waiting
 * @m: what has come so far, kept by the caller between calls; so are @fds
 * @done: bytes of it; 0 before the first call and after each whole message
 *
 * Return: 1 with a whole message; 0 when the rest has not come yet (with *@done > 0, @fds may hold
 * some already); -ENOTCONN, -EPROTO and other errno: as above.
 */
int vhost_recv_part(int sock, struct vhost_msg *m, struct vhost_fds *fds, size_t *done);

/**
 * vhost_connect() - connect to a back end's (or front end's) socket
 * Return: a non-blocking socket, or negative errno.
 */
int vhost_connect(const char *path);

/**
 * vhost_listen() - make a socket at @path that others connect to
 *
 * A socket there that nobody listens on is what a process left that died: it is replaced. Any other
 * file is not.
 * Return: a non-blocking listening socket; -EADDRINUSE; or negative errno.
 */
int vhost_listen(const char *path);

/* Take a connection. Return: a non-blocking socket; -EAGAIN when there is none; negative errno. */
int vhost_accept(int listener);

/* Whether @sock has something to read (1), nothing (0), or was closed (-ENOTCONN). */
int vhost_peek(int sock);

#endif
