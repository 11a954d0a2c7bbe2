/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A packet in flight is a 16-byte value. There is no metadata block beside the buffer: whoever
 * holds the value owns the buffer, and forwarding touches descriptor and (if it wishes) header.
 */
#ifndef WEIR_CORE_PKT_H
#define WEIR_CORE_PKT_H

#include "core/arena.h"

WEIR_BEGIN_DECLS

/* Buffers are addressed in cache lines from the window's base: 32 bits reach 256 GiB. */
#define WEIR_BUF_SHIFT 6
#define WEIR_BUF_NONE  UINT32_MAX

/*
 * Where whoever makes a packet puts its data; a transport's own header goes right before it. A
 * received packet says in its @off where its data starts, which can be earlier (virtio: behind the
 * device's header, which begins at 64). At least 64 bytes in front of it are free.
 */
#define WEIR_BUF_HEADROOM 128
/* Room for data behind the headroom: what a receive descriptor may be told. */
#define WEIR_BUF_ROOM 2048
#define WEIR_BUF_SIZE (WEIR_BUF_HEADROOM + WEIR_BUF_ROOM)

/* Most segments of one packet: 9,728 bytes of jumbo frame in buffers of 2,048, with slack. */
#define WEIR_MAX_SEGS 8

enum weir_pkt_flags {
	/* The next handle of the burst is a further segment of this packet. */
	WEIR_PKT_MORE = 1 << 0,
	/* RX: vlan holds a tag that was taken out; TX: insert it. */
	WEIR_PKT_VLAN = 1 << 1,
	/* RX: hash is the RSS hash. */
	WEIR_PKT_HASH = 1 << 2,
	/* RX: the device checked the checksum; neither flag means that it did not look. */
	WEIR_PKT_RX_IP_GOOD = 1 << 3,
	WEIR_PKT_RX_IP_BAD = 1 << 4,
	WEIR_PKT_RX_L4_GOOD = 1 << 5,
	WEIR_PKT_RX_L4_BAD = 1 << 6,
	/*
	 * TX: have the device fill in the checksum. txo.l2_len and txo.l3_len say where. The L4
	 * checksum field must hold the pseudo-header sum (not inverted), as Linux's
	 * CHECKSUM_PARTIAL has it; the IPv4 header checksum field must be 0.
	 */
	WEIR_PKT_TX_IP_CSUM = 1 << 7,
	WEIR_PKT_TX_TCP_CSUM = 1 << 8,
	WEIR_PKT_TX_UDP_CSUM = 1 << 9,
	/* TX: the L3 header is IPv6 (else IPv4); needed with the flags above. */
	WEIR_PKT_TX_IPV6 = 1 << 10,
	/*
	 * TX: cut a long TCP packet into frames of txo.mss bytes of payload each. Only for a port with
	 * WEIR_OFF_TX_TSO; txo.l2_len, l3_len and mss are given, all headers lie in the first segment,
	 * and the TCP checksum field holds the pseudo-header sum with a length of 0. The device writes
	 * lengths and checksums of each frame; TX_*_CSUM need not be set.
	 */
	WEIR_PKT_TX_TSO = 1 << 11,
};

#define WEIR_PKT_TX_L4_CSUM (WEIR_PKT_TX_TCP_CSUM | WEIR_PKT_TX_UDP_CSUM)
#define WEIR_PKT_TX_OFFLOAD \
	(WEIR_PKT_VLAN | WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM | WEIR_PKT_TX_TSO)
/* What only means something on the way in; a forwarder clears these before it transmits. */
#define WEIR_PKT_RX_ONLY                                                                  \
	(WEIR_PKT_HASH | WEIR_PKT_RX_IP_GOOD | WEIR_PKT_RX_IP_BAD | WEIR_PKT_RX_L4_GOOD | \
	 WEIR_PKT_RX_L4_BAD)

/**
 * struct weir_pkt - one segment in flight
 * @buf: buffer, in cache lines from the window's base
 * @off: bytes from the buffer's start to the first byte of data
 * @len: bytes of data in this segment
 * @flags: enum weir_pkt_flags; those of a packet stand in its first segment, MORE in each but
 *         the last
 * @vlan: tag control information in host order, with WEIR_PKT_VLAN
 * @hash: RSS hash on receive
 * @txo: header lengths for transmit checksums, @l3_len 0 means "not given"; payload of a frame with
 *       WEIR_PKT_TX_TSO
 */
struct weir_pkt {
	uint32_t buf;
	uint16_t off;
	uint16_t len;
	uint16_t flags;
	uint16_t vlan;
	union {
		uint32_t hash;
		struct {
			uint8_t l2_len;
			uint8_t l3_len;
			uint16_t mss;
		} txo;
	};
};
static_assert(sizeof(struct weir_pkt) == 16, "a packet is a 16-byte value");

static inline void *weir_buf_addr(const char *va_base, uint32_t buf)
{
	return (void *)(va_base + ((size_t)buf << WEIR_BUF_SHIFT));
}

/**
 * weir_pkt_data() - first byte of a segment
 * @va_base: weir_window().base, or the copy in a queue
 * @p: segment
 */
static inline uint8_t *weir_pkt_data(const char *va_base, const struct weir_pkt *p)
{
	return (uint8_t *)weir_buf_addr(va_base, p->buf) + p->off;
}

static inline weir_iova_t weir_pkt_iova(weir_iova_t iova_base, const struct weir_pkt *p)
{
	return iova_base + ((uint64_t)p->buf << WEIR_BUF_SHIFT) + p->off;
}

/**
 * weir_pkt_segs() - segments of the packet at the head of a burst
 * @p: burst
 * @n: handles in it, > 0
 * Return: number of handles, 0 when the run does not end within the burst.
 */
static inline unsigned weir_pkt_segs(const struct weir_pkt *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!(p[i].flags & WEIR_PKT_MORE))
			return i + 1;
	return 0;
}

WEIR_END_DECLS

#endif
