/* SPDX-License-Identifier: BSD-3-Clause */
/* What a NIC knows of packets: headers, checksums, the Toeplitz hash. */
#ifndef WEIR_APPS_NICSIM_NET_H
#define WEIR_APPS_NICSIM_NET_H

#include "core/types.h"

#define NET_ETH_MIN   60u
#define NET_VLAN_TPID 0x8100
#define NET_KEY	      40u /* bytes of an RSS key */
#define NET_TUPLE_MAX 36u /* bytes that are hashed at most */

/**
 * struct net_pkt - what was found in a frame
 * @vlan: has a tag, @tci
 * @l3: 4, 6 or 0
 * @proto: of what follows the IP headers; meaningful if @l4 is set
 * @frag: a fragment, so that L4 is not looked at
 * @ext: IPv4 options or IPv6 extension headers
 * @l4: a whole TCP, UDP or SCTP header is there
 * @l3_off: where IP begins
 * @l4_off: where what follows it begins
 * @end: end of the IP packet; padding may follow
 * @l4_end: end of the L4 header
 */
struct net_pkt {
	bool vlan, frag, ext, l4;
	uint8_t l3, proto;
	uint16_t tci;
	unsigned l3_off, l4_off, l4_end, end;
};

/* Contents of a hash table made from a key: XOR of one entry for each byte of the input. */
struct net_rss {
	uint32_t t[NET_TUPLE_MAX][256];
};

enum { NET_TCP = 6, NET_UDP = 17, NET_SCTP = 132 };

void net_parse(const uint8_t *f, unsigned len, struct net_pkt *p);

static inline uint16_t net_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t net_get32(const uint8_t *p)
{
	return (uint32_t)net_get16(p) << 16 | net_get16(p + 2);
}

static inline void net_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void net_put32(uint8_t *p, uint32_t v)
{
	net_put16(p, v >> 16);
	net_put16(p + 2, v & 0xFFFF);
}

/* Add up 16-bit words in network order; @acc is the sum so far. */
uint64_t net_sum(const uint8_t *p, size_t len, uint64_t acc);
/* One's complement sum, not inverted. */
uint16_t net_fold(uint64_t acc);
/* Sum of the pseudo header without the length. */
uint64_t net_pseudo(const uint8_t *f, const struct net_pkt *p);

bool net_ip_ok(const uint8_t *f, const struct net_pkt *p);
bool net_l4_ok(const uint8_t *f, const struct net_pkt *p);

/* IEEE 802.3 frame check sequence. */
uint32_t net_crc32(const uint8_t *p, size_t len);

void net_rss_key(struct net_rss *r, const uint8_t key[NET_KEY]);

static inline uint32_t net_rss_hash(const struct net_rss *r, const uint8_t *in, unsigned len)
{
	uint32_t h = 0;

	for (unsigned i = 0; i < len; i++)
		h ^= r->t[i][in[i]];
	return h;
}

/* Addresses, and with @ports the ports behind them, as they are hashed. Return: bytes. */
unsigned net_tuple(const uint8_t *f, const struct net_pkt *p, bool ports, uint8_t *out);

#endif
