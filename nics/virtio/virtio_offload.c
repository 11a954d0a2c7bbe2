/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Off the fast path: checksums that the device leaves to us or takes from us, and indirect tables.
 */
#include "nics/virtio/virtio_rxtx.h"

#define TCP_CSUM_OFFSET 16
#define UDP_CSUM_OFFSET 6
#define IP_CSUM_OFFSET	10
#define IP_HLEN_MIN	20
#define IP_HLEN_MAX	60

/* Internet checksum (RFC 1071) of bytes, the first of which stands at an odd place if @odd. */
static uint64_t csum_add(const uint8_t *b, unsigned len, bool odd)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < len; i++)
		sum += (i & 1) == odd ? (uint64_t)b[i] << 8 : b[i];
	return sum;
}

static uint16_t csum_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void csum_store(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

bool virtio_rx_finish_csum(const char *va_base, const struct weir_pkt *p, unsigned n,
			   unsigned start, unsigned off)
{
	uint8_t *first = weir_pkt_data(va_base, p);
	uint64_t sum = 0;
	unsigned pos = 0;
	uint16_t v;

	if (start + off + 2 > p->len)
		return false;
	for (unsigned i = 0; i < n; i++) {
		unsigned from = i ? 0 : start;

		sum += csum_add(weir_pkt_data(va_base, &p[i]) + from, p[i].len - from, pos & 1);
		pos += p[i].len - from;
	}
	v = csum_fold(sum);
	/* In UDP a 0 would mean "none"; its complement is the same number to everyone else. */
	csum_store(first + start + off, v ? v : 0xffff);
	return true;
}

/* The device has no offload for the IPv4 header: 20 bytes that are in the cache anyway. */
static bool tx_ip_csum(const struct virtio_txq *q, const struct weir_pkt *p)
{
	uint8_t *ip = weir_pkt_data(q->base.dma.va_base, p) + p->txo.l2_len;
	unsigned len = p->txo.l3_len;

	if (len < IP_HLEN_MIN || len > IP_HLEN_MAX || (len & 3) || p->txo.l2_len + len > p->len)
		return false;
	csum_store(ip + IP_CSUM_OFFSET, 0);
	csum_store(ip + IP_CSUM_OFFSET, csum_fold(csum_add(ip, len, false)));
	return true;
}

/**
 * virtio_tx_header() - fill in the header of a packet
 * @q: queue
 * @p: packet of @segs segments
 * @h: where its header goes
 * Return: false if the header lengths that came with the packet point past it.
 */
bool virtio_tx_header(struct virtio_txq *q, const struct weir_pkt *p, unsigned segs,
		      struct virtio_net_hdr *h)
{
	unsigned start = p->txo.l2_len + (unsigned)p->txo.l3_len, off, total = 0;

	memset(h, 0, q->vq.hdr_len);
	if (!q->csum || !(p->flags & (WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM)))
		return true;
	if ((p->flags & WEIR_PKT_TX_IP_CSUM) && !(p->flags & WEIR_PKT_TX_IPV6) && !tx_ip_csum(q, p))
		return false;
	if (!(p->flags & WEIR_PKT_TX_L4_CSUM))
		return true;
	off = p->flags & WEIR_PKT_TX_TCP_CSUM ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET;
	for (unsigned i = 0; i < segs; i++)
		total += p[i].len;
	if (p->txo.l2_len < WEIR_ETH_HLEN || p->txo.l3_len < IP_HLEN_MIN || start + off + 2 > total)
		return false;
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = weir_le16((uint16_t)start);
	h->csum_offset = weir_le16((uint16_t)off);
	return true;
}

/* 2.7.5.3.2: chained by next; 2.8.7: in order, and flags other than WRITE are reserved. */
static void ind_put(struct virtq_desc *t, unsigned i, uint64_t addr, uint32_t len, bool more,
		    bool packed)
{
	t[i].addr = weir_le64(addr);
	t[i].len = weir_le32(len);
	t[i].flags = weir_le16(more && !packed ? VIRTQ_DESC_F_NEXT : 0);
	t[i].next = weir_le16(more && !packed ? (uint16_t)(i + 1) : 0);
}

/**
 * virtio_tx_indirect() - fill the indirect table of an id
 * @q: queue
 * @id: the one descriptor that the packet will take
 * @p: packet of @segs segments, whose header is written
 * @packed: layout
 *
 * The two layouts differ in the table, too: a packed one has id and flags where a split one has
 * flags and next, but all that is 0 in a packed table.
 * Return: entries.
 */
unsigned virtio_tx_indirect(struct virtio_txq *q, uint16_t id, const struct weir_pkt *p,
			    unsigned segs, bool packed)
{
	struct virtq_desc *t = &q->ind[id * VIRTIO_IND_DESCS];
	bool own = p->off < VIRTIO_HDR_ROOM;
	unsigned n = 0, hdr = q->vq.hdr_len;

	if (own)
		ind_put(t, n++, weir_dma_iova(&q->base.dma, q->hdrs + id * VIRTIO_HDR_SLOT), hdr,
			true, packed);
	for (unsigned i = 0; i < segs; i++) {
		const uint8_t *data = weir_pkt_data(q->base.dma.va_base, &p[i]);
		unsigned pre = i || own ? 0 : hdr;

		ind_put(t, n++, weir_dma_iova(&q->base.dma, data - pre), p[i].len + pre,
			i + 1 < segs, packed);
		q->ind_bufs[id * WEIR_MAX_SEGS + i] = p[i].buf;
	}
	return n;
}

/**
 * virtio_tx_drain_indirect() - give back the buffers that indirect tables hold
 * @q: queue of a device that was reset; virtio_vq_drain() comes after it
 */
void virtio_tx_drain_indirect(struct virtio_txq *q)
{
	struct virtio_vq *vq = &q->vq;

	for (uint16_t i = vq->done; q->ind_bufs && i != vq->posted; i++) {
		unsigned n = vq_chains(vq)[i & vq->mask], id = vq_ids(vq)[i & vq->mask];

		if (n & VIRTIO_CHAIN_INDIRECT)
			weir_buf_free(q->base.cache, &q->ind_bufs[id * WEIR_MAX_SEGS],
				      n & ~VIRTIO_CHAIN_INDIRECT);
	}
}
