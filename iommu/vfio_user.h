/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user client, in layers: messages over a socket (vfio_user_msg.c), the first exchange
 * (vfio_user_version.c), a device's regions and interrupts (vfio_user_dev.c), and the backend with
 * its address spaces (vfio_user.c). Not installed.
 *
 * The server is not trusted: every length, number and fd that it sends is checked, every wait has
 * a deadline, and a connection on which the protocol was broken is never used again.
 */
#ifndef WEIR_IOMMU_VFIO_USER_H
#define WEIR_IOMMU_VFIO_USER_H

#include "iommu/internal.h"
#include "iommu/vfio_user_proto.h"

#include <pthread.h>

/* What this client takes: fds in one message, and data in one message. */
#define VU_MAX_FDS  8
#define VU_MAX_XFER VU_DEF_DATA_XFER
/* The kernel's own limit of fds in one message (SCM_MAX_FD). */
#define VU_SEND_FDS 253

/* fds that came with a message; who takes one out sets it to -1. */
struct vu_fds {
	int fd[VU_MAX_FDS];
	unsigned n;
	bool over; /* there were more than allowed */
};

/* Memory that the server may reach: a copy of the address space's list, under the lock. */
struct vu_map {
	uint64_t iova, len;
	char *va;
	unsigned prot;
};

/**
 * struct vu_conn - a connection
 * @w: for messages
 * @name: for messages, "vfio-user:PATH"
 * @lock: one exchange at a time; workers arm interrupts while others read counters
 * @sock: non-blocking socket
 * @timeout_ms: bound on every exchange
 * @broken: gone, or the protocol was violated: nothing is sent or read any more
 * @told_fault: a refused DMA message has been reported
 * @next_id: message id
 * @max_fds: the server's limits follow, in the words of the specification
 * @pasid_bits: width of PASIDs that both ends know how to give address spaces; 0: none
 * @maps: what DMA messages may reach
 */
struct vu_conn {
	struct weir *w;
	const char *name;
	pthread_mutex_t lock;
	int sock;
	unsigned timeout_ms;
	bool broken;
	bool told_fault;
	uint16_t next_id;
	uint32_t max_fds, max_xfer, max_maps, pasid_bits;
	uint64_t pgsizes;
	struct vu_map *maps;
	unsigned n_maps, room;
};

/**
 * struct vu_call - a command, and what its reply may bring
 * @cmd: enum vu_cmd
 * @quiet: the caller reports an error reply
 * @req: payload
 * @data: more of it
 * @fds: sent along
 * @reply: where the reply's payload goes
 * @rdata: where what does not fit into @reply goes
 * @min: fewest bytes of payload that make a reply
 * @len: result: bytes of payload that came
 * @rfds: where fds go; they are closed if NULL
 */
struct vu_call {
	enum vu_cmd cmd;
	bool quiet;
	const void *req, *data;
	size_t req_len, data_len;
	const int *fds;
	unsigned n_fds;
	void *reply, *rdata;
	size_t reply_len, rdata_len;
	size_t min;
	size_t len;
	struct vu_fds *rfds;
};

struct vu_dev;

/**
 * struct vu_user - what an address space is for: a device, or one of its PASIDs
 * @next: another one of the same address space
 * @dev: device
 * @pasid: WEIR_PASID_NONE for the device itself
 */
struct vu_user {
	struct vu_user *next;
	struct vu_dev *dev;
	uint32_t pasid;
};

/**
 * struct vu_dev - a device
 * @c: connection to its server
 * @self: the device as user of an address space
 * @pasid_maps: mappings that PASIDs have, all together
 */
struct vu_dev {
	struct vu_conn c;
	struct vu_user self;
	unsigned pasid_maps;
	uint32_t flags, num_regions, num_irqs;
	struct {
		int fd; /* -1: cannot be mapped */
		uint64_t off;
	} regions[WEIR_MAX_REGIONS];
};

/* --- vfio_user_msg.c --- */

/*
 * Connect to @path, or take @fd if it is not -1. Return: 0 or -errno; the connection needs
 * vu_disconnect() in either case.
 */
int vu_connect(struct vu_conn *c, struct weir *w, const char *name, const char *path, int fd,
	       unsigned timeout_ms);
void vu_disconnect(struct vu_conn *c);

/**
 * vu_call() - send a command and wait for its reply
 *
 * Return: 0; the server's errno; -EPROTO, -ETIMEDOUT or -ENODEV when the connection broke, and
 * -ENODEV from then on.
 */
int vu_call(struct vu_conn *c, struct vu_call *call);
/* Serve what the server has asked for until now. Return: 0 or -ENODEV. */
int vu_service(struct vu_conn *c);
/* Report that the server broke the protocol, and never use the connection again. */
int vu_violation(struct vu_conn *c, const char *fmt, ...) weir_printf(2, 3);
/* Whether it is past use; any thread may have found out. */
bool vu_is_broken(struct vu_conn *c);

void vu_fds_close(struct vu_fds *fds);

/* Let DMA messages reach memory; -ENOMEM. Lock not held. */
int vu_allow(struct vu_conn *c, const struct weir_iova_map *m);
void vu_forbid(struct vu_conn *c, uint64_t iova);

/* --- vfio_user_version.c --- */

/* The first exchange: version and capabilities. */
int vu_negotiate(struct vu_conn *c);

/* --- vfio_user_dev.c --- */

extern const struct weir_devio_ops weir_user_devio;

/* Read about the device itself. */
int vu_dev_info(struct vu_dev *u);
void vu_dev_close_regions(struct vu_dev *u);

#endif
