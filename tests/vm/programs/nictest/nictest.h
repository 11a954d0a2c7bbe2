/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of nictest share: one NIC under test, driven by weir, and at the other end of its
 * wire a packet socket on an interface that the kernel drives.
 */
#ifndef WEIR_TESTS_NICTEST_H
#define WEIR_TESTS_NICTEST_H

#include "nics/nics.h"

#include <stdio.h>

#define NT_FRAME_MAX 9800
#define NT_QUEUES    2
#define NT_WAIT_US   5000000

/**
 * struct nt_frame - a frame, known again by its last four bytes
 * @id: these four bytes
 * @len: bytes
 * @l2: where the network header starts
 * @l3: bytes of it
 * @csum: where the transport checksum is, 0 for none
 * @v6: IPv6
 * @tcp: TCP, else UDP
 * @b: the bytes
 */
struct nt_frame {
	uint32_t id;
	unsigned len;
	unsigned l2, l3, csum;
	bool v6, tcp;
	uint8_t b[NT_FRAME_MAX];
};

/**
 * struct nt_got - a packet that the NIC received
 * @pkt: its first segment
 * @segs: how many
 * @queue: which RX queue it came by
 * @len: bytes
 * @b: the bytes, segments put together
 */
struct nt_got {
	struct weir_pkt pkt;
	unsigned segs, queue, len;
	uint8_t b[NT_FRAME_MAX];
};

/**
 * struct nt - the NIC under test, what belongs to it, and its peer
 * @peer: packet socket
 * @mac: the NIC's address, as the kernel's driver had it
 * @peer_mac: the peer's
 * @igb: the driver is igb, else virtio
 * @vnet: checksums left open by the peer reach the NIC as such: a wire of TAP devices
 * @queues: queue pairs that the wire carries
 * @txq: queue that nt_send() uses
 * @got: what nt_receive() found last
 */
struct nt {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_iommu *iommu;
	struct weir_port *port;
	struct weir_port_caps caps;
	int peer;
	uint8_t mac[6], peer_mac[6];
	bool igb, vnet;
	unsigned queues, txq;
	struct nt_got got;
};

/* --- results --- */

/* Print "ok NAME" or "not ok NAME". Return: @good. */
bool nt_check(bool good, const char *fmt, ...) weir_printf(2, 3);
void nt_skip(const char *name, const char *why);
void nt_note(const char *fmt, ...) weir_printf(1, 2);
/* Failed checks so far, and all. */
extern unsigned nt_failed, nt_checks;

/* --- the NIC --- */

int nt_open(struct nt *t, enum weir_mode mode, const char *dev);
void nt_close(struct nt *t);
/* Configure with @c (arena is filled in), start, wait for the link. Return: success; a failed check if not. */
bool nt_up(struct nt *t, struct weir_port_conf *c);
/* Stop. Return: success; a failed check unless all buffers are back. */
bool nt_down(struct nt *t);
/* Start a configured port, wait for the link; the same after a stop. Return: 0 or negative errno. */
int nt_start(struct nt *t);
int nt_restart(struct nt *t);
/* Buffers that are free: in the pool and on the one stack. */
unsigned nt_buffers(const struct nt *t);

/* Receive until @f arrives, or for @us. Return: whether it did; then it is in t->got. */
bool nt_receive_for(struct nt *t, const struct nt_frame *f, uint64_t us);
bool nt_receive(struct nt *t, const struct nt_frame *f);
/* Return: whether what was received last is @f, bit by bit. */
bool nt_same(const struct nt *t, const struct nt_frame *f);
/* Send in segments of @seg bytes; flags, tag and header lengths are taken from @p. */
int nt_send(struct nt *t, const struct nt_frame *f, unsigned seg, const struct weir_pkt *p);

/**
 * nt_arrives() - send a frame from the peer, and a broadcast after it
 * Return: 1 when it arrived before the broadcast, 0 when only the broadcast did, -1 for neither.
 */
int nt_arrives(struct nt *t, const struct nt_frame *f);

/* --- the peer --- */

/* @where is [NETNS:]INTERFACE. Exits with a sentence when that does not work. */
void nt_peer_open(struct nt *t, const char *where);
/* @open: the transport checksum is left to the NIC (the field holds the pseudo-header's sum). */
void nt_peer_send(struct nt *t, const struct nt_frame *f, bool open);
/* Wait for a frame with the id of @f at the peer. Return: its length, its tag put back; 0 for none. */
unsigned nt_peer_receive(struct nt *t, const struct nt_frame *f, uint8_t *b, uint64_t us);
/* Whether @f comes out of the peer's interface bit by bit. */
bool nt_peer_gets(struct nt *t, const struct nt_frame *f);

/* --- frames --- */

/* A frame of @len bytes without a protocol, with a new id. */
void nt_frame(struct nt_frame *f, const uint8_t dst[6], const uint8_t src[6], unsigned len);
/* From the peer to the NIC. */
void nt_frame_in(struct nt *t, struct nt_frame *f, unsigned len);
/* An IP packet; @flow picks addresses and ports. All checksums are right. */
void nt_frame_ip(struct nt_frame *f, const uint8_t dst[6], const uint8_t src[6], bool v6, bool tcp,
		 unsigned flow, unsigned len);
/* Insert a VLAN tag. */
void nt_frame_tag(struct nt_frame *f, uint16_t tci);
/* Write the last bytes (a new id) and the transport checksum anew. */
void nt_frame_seal(struct nt_frame *f);
void nt_frame_sum(struct nt_frame *f);
/* The checksum field holds what a sender leaves there who wants it filled in. */
void nt_frame_open_sum(struct nt_frame *f);
/* Change the data so that the transport checksum's sum is 0, which UDP has to write as 0xffff. */
void nt_frame_zero_sum(struct nt_frame *f);
const char *nt_proto(const struct nt_frame *f);

extern const uint8_t nt_broadcast[6];

/* --- the parts --- */

void nt_link(struct nt *t);
void nt_unicast(struct nt *t);
void nt_multicast(struct nt *t);
void nt_vlans(struct nt *t);
void nt_jumbo(struct nt *t);
void nt_mtu(struct nt *t);
void nt_counters(struct nt *t);
void nt_rounds(struct nt *t);
void nt_rx_csum(struct nt *t);
void nt_tx_csum(struct nt *t);
void nt_vlan(struct nt *t);
void nt_rss(struct nt *t);
void nt_interrupts(struct nt *t);
void nt_link_change(struct nt *t);

#endif
