/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums that a front end leaves to us (VIRTIO_NET_F_CSUM) or takes from us unfinished
 * (VIRTIO_NET_F_GUEST_CSUM): 5.1.6.2, 5.1.6.4. Only packets that have one come here.
 */
#include "nics/vhost/vhost_ring.h"

#define TCP_CSUM_OFFSET 16
#define UDP_CSUM_OFFSET 6
#define IP_CSUM_OFFSET	10
#define IP_HLEN_MIN	20
#define IP6_HLEN	40
#define ETHERTYPE_AT	12
#define ETHERTYPE_VLAN	0x8100
#define ETHERTYPE_IPV4	0x0800
#define ETHERTYPE_IPV6	0x86dd

/* RFC 1071: the sum does not care in which order a machine has its bytes. */
static uint64_t sum_bytes(const uint8_t *b, unsigned len)
{
	uint64_t sum = 0;
	uint32_t word;
	uint8_t tail[4] = { 0 };

	for (; len >= 4; b += 4, len -= 4) {
		memcpy(&word, b, 4);
		sum += word;
	}
	memcpy(tail, b, len);
	memcpy(&word, tail, 4);
	return sum + word;
}

static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Over a packet from @start in its first segment to its end. */
static uint16_t sum_packet(const char *va_base, const struct weir_pkt *p, unsigned n,
			   unsigned start)
{
	uint64_t sum = 0;
	bool odd = false;

	for (unsigned i = 0; i < n; i++) {
		unsigned from = i ? 0 : start, len = p[i].len - from;
		uint16_t s = fold(sum_bytes(weir_pkt_data(va_base, &p[i]) + from, len));

		sum += odd ? (uint16_t)(s << 8 | s >> 8) : s;
		odd ^= len & 1;
	}
	return (uint16_t)~fold(sum);
}

/* In UDP a 0 would mean "none"; its complement is the same number to everyone else. */
static void store(uint8_t *at, uint16_t csum)
{
	uint16_t v = csum ? csum : 0xffff;

	memcpy(at, &v, sizeof(v));
}

/* Say where the headers are, for whoever is to finish the checksum. Return: false if we cannot. */
static bool describe(const uint8_t *d, struct weir_pkt *p, unsigned start, unsigned off)
{
	unsigned l2 = WEIR_ETH_HLEN, type;

	if (off != TCP_CSUM_OFFSET && off != UDP_CSUM_OFFSET)
		return false;
	type = (unsigned)d[ETHERTYPE_AT] << 8 | d[ETHERTYPE_AT + 1];
	if (type == ETHERTYPE_VLAN && p->len >= WEIR_ETH_HLEN + WEIR_VLAN_HLEN) {
		type = (unsigned)d[ETHERTYPE_AT + 4] << 8 | d[ETHERTYPE_AT + 5];
		l2 += WEIR_VLAN_HLEN;
	}
	if (start < l2 + IP_HLEN_MIN || start - l2 > UINT8_MAX ||
	    (type == ETHERTYPE_IPV4 && start - l2 != (d[l2] & 0xfu) * 4) ||
	    (type == ETHERTYPE_IPV6 && start - l2 < IP6_HLEN) ||
	    (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6))
		return false;
	p->txo.l2_len = (uint8_t)l2;
	p->txo.l3_len = (uint8_t)(start - l2);
	p->flags |= off == TCP_CSUM_OFFSET ? WEIR_PKT_TX_TCP_CSUM : WEIR_PKT_TX_UDP_CSUM;
	p->flags |= type == ETHERTYPE_IPV6 ? WEIR_PKT_TX_IPV6 : 0;
	return true;
}

void vhost_rx_csum(const struct weir_rxq *q, const struct virtio_net_hdr *h, struct weir_pkt *p,
		   unsigned n)
{
	unsigned start = weir_from_le16(h->csum_start), off = weir_from_le16(h->csum_offset);
	unsigned offloads = q->port->conf.offloads;
	uint8_t *d = weir_pkt_data(q->dma.va_base, p);

	if (start + off + 2 > p->len) {
		p->flags |= offloads & WEIR_OFF_RX_CSUM ? WEIR_PKT_RX_L4_BAD : 0;
		return;
	}
	if (offloads & WEIR_OFF_RX_PARTIAL && describe(d, p, start, off))
		return;
	store(d + start + off, sum_packet(q->dma.va_base, p, n, start));
	p->flags |= offloads & WEIR_OFF_RX_CSUM ? WEIR_PKT_RX_L4_GOOD : 0;
}

static bool ip_csum(uint8_t *d, const struct weir_pkt *p)
{
	unsigned len = p->txo.l3_len;
	uint16_t v;

	if (len < IP_HLEN_MIN || len & 3 || p->txo.l2_len + len > p->len)
		return false;
	d += p->txo.l2_len;
	memset(d + IP_CSUM_OFFSET, 0, sizeof(v));
	v = (uint16_t)~fold(sum_bytes(d, len));
	memcpy(d + IP_CSUM_OFFSET, &v, sizeof(v));
	return true;
}

bool vhost_tx_csum(const struct weir_txq *q, bool partial, const struct weir_pkt *p, unsigned n,
		   struct virtio_net_hdr *h)
{
	unsigned start = p->txo.l2_len + (unsigned)p->txo.l3_len, off;
	uint8_t *d = weir_pkt_data(q->dma.va_base, p);

	if (p->flags & WEIR_PKT_TX_IP_CSUM && !(p->flags & WEIR_PKT_TX_IPV6) && !ip_csum(d, p))
		return false;
	if (!(p->flags & WEIR_PKT_TX_L4_CSUM))
		return true;
	off = p->flags & WEIR_PKT_TX_TCP_CSUM ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET;
	if (p->txo.l2_len < WEIR_ETH_HLEN || p->txo.l3_len < IP_HLEN_MIN ||
	    start + off + 2 > p->len)
		return false;
	if (partial) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = weir_le16((uint16_t)start);
		h->csum_offset = weir_le16((uint16_t)off);
		return true;
	}
	store(d + start + off, sum_packet(q->dma.va_base, p, n, start));
	return true;
}
