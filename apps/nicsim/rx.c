/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receive: filter, queue, descriptors (82599 datasheet 7.1). Descriptors of a frame are fetched one
 * by one and read once each; whether there are enough is known before the first is touched.
 */
#include "apps/nicsim/filter.h"

#define DESC 16u

/* SRRCTL.DESCTYPE */
enum { TYPE_LEGACY = 0, TYPE_ONE = 1, TYPE_SPLIT = 2, TYPE_SPLIT_ALWAYS = 5 };

/* A frame on its way into memory: its tag may be cut out, a check sequence appended. */
struct rx_frame {
	const uint8_t *part[3];
	unsigned len[3];
	unsigned total, hdr; /* bytes; of these in the header buffer */
	unsigned q, slot;
	unsigned at, part_no, part_at;
	struct rss rss;
	uint32_t ptype, status;
	uint16_t vlan;
	bool fault;
};

static struct dma_who who(const struct nic *n, unsigned q)
{
	return (struct dma_who){ .tx = false, .queue = (uint16_t)q, .pasid = nic_pasid(n, q) };
}

bool nic_rx_ready(struct nic *n)
{
	return !n->gone && n->bus_master && n->reg[R_RXCTRL / 4] & RXCTRL_RXEN &&
	       n->fault != FAULT_NO_LINK;
}

static enum rx_result drop(struct nic_ring *r, enum nic_drop why)
{
	r->drops[why]++;
	return RX_DROPPED;
}

static unsigned max_frame(struct nic *n, bool vlan)
{
	unsigned max = n->reg[R_HLREG0 / 4] & HLREG0_JUMBOEN ? n->reg[R_MAXFRS / 4] >> 16 : 1518;

	return max - 4 + (vlan ? 4 : 0);
}

/* Types that the descriptor tells, and the verdict on checksums (7.1.6.2, 7.1.11). */
static void classify(const uint8_t *f, const struct net_pkt *p, struct rx_frame *x)
{
	if (!p->l3)
		return;
	x->ptype |= p->l3 == 4 ? PTYPE_IP4 : PTYPE_IP6;
	if (p->ext)
		x->ptype |= p->l3 == 4 ? PTYPE_IP4E : PTYPE_IP6E;
	if (p->l3 == 4)
		x->status |= RXD_IPCS | (net_ip_ok(f, p) ? 0 : RXD_IPE);
	if (!p->l4)
		return;
	x->ptype |= p->proto == NET_TCP ? PTYPE_TCP : p->proto == NET_UDP ? PTYPE_UDP : PTYPE_SCTP;
	if (p->proto == NET_SCTP)
		return;
	/* A UDP datagram over IPv4 may come without. */
	if (p->proto == NET_UDP && p->l3 == 4 && !net_get16(f + p->l4_off + 6)) {
		x->status |= RXD_UDPV;
		return;
	}
	x->status |= RXD_L4I | (net_l4_ok(f, p) ? 0 : RXD_L4E);
}

static void parts(struct nic *n, const uint8_t *f, unsigned len, const struct net_pkt *p,
		  struct rx_frame *x, uint8_t *fcs)
{
	bool strip = p->vlan && *nic_rxreg(n, x->q, Q_DCTL) & RXDCTL_VME;

	if (p->vlan)
		x->status |= RXD_VP;
	x->part[0] = f;
	x->len[0] = strip ? 12 : len;
	if (strip) {
		x->vlan = p->tci;
		x->part[1] = f + 16;
		x->len[1] = len - 16;
	}
	if (!(n->reg[R_HLREG0 / 4] & HLREG0_RXCRCSTRP)) {
		uint32_t crc = net_crc32(f, len);

		memcpy(fcs, &crc, 4);
		x->part[2] = fcs;
		x->len[2] = 4;
	}
	x->total = x->len[0] + x->len[1] + x->len[2];
}

/* Bytes for the header buffer (7.1.10). */
static unsigned split_at(struct nic *n, const struct net_pkt *p, const struct rx_frame *x,
			 uint32_t srrctl)
{
	unsigned type = srrctl >> 25 & 7, room = (srrctl >> 8 & 0x3F) * 64;
	unsigned hdr = p->l4 ? p->l4_end : p->l3 ? p->l4_off : 0;

	if (type != TYPE_SPLIT && type != TYPE_SPLIT_ALWAYS)
		return 0;
	if (x->len[1])
		hdr -= hdr ? 4 : 0;
	if (!n->reg[R_PSRTYPE / 4] || hdr > room)
		hdr = 0;
	if (!hdr && type == TYPE_SPLIT_ALWAYS && x->total <= room)
		hdr = x->total;
	return hdr;
}

/* Move the next @want bytes to @iova. A refused write is a fault, but the frame goes on. */
static void put(struct nic *n, struct rx_frame *x, uint64_t iova, unsigned want)
{
	while (want) {
		unsigned left = x->len[x->part_no] - x->part_at, k = weir_min_u(left, want);

		if (!k) {
			x->part_no++;
			x->part_at = 0;
			continue;
		}
		if (n->fault == FAULT_RX_NO_DATA && n->fault_seen == n->fault_arg)
			;
		else if (!dma_write(&n->dma, who(n, x->q), iova, x->part[x->part_no] + x->part_at,
				    k))
			x->fault = true;
		iova += k;
		x->part_at += k;
		x->at += k;
		want -= k;
	}
}

static uint64_t advanced_low(struct nic *n, const struct rx_frame *x)
{
	uint64_t lo = x->rss.type | x->ptype;

	if (x->hdr)
		lo |= (uint64_t)x->hdr << 21 | RXD_SPH;
	if (n->reg[R_RXCSUM / 4] & RXCSUM_PCSD)
		lo |= (uint64_t)x->rss.hash << 32;
	return lo;
}

static uint64_t legacy_high(const struct rx_frame *x, uint64_t status, unsigned len)
{
	uint64_t err = (status & RXD_L4E ? 1u << 6 : 0) | (status & RXD_IPE ? 1u << 7 : 0) |
		       (status & RXD_RXE ? 1u : 0);

	return len | (status & 0xFF) << 32 | err << 40 | (uint64_t)x->vlan << 48;
}

/* Lies about the length, or about the end, where asked to. */
static void misbehave(struct nic *n, uint64_t *status, unsigned *len)
{
	if (n->fault_seen != n->fault_arg)
		return;
	if (n->fault == FAULT_RX_LEN_HUGE)
		*len = 0xFFFF;
	else if (n->fault == FAULT_RX_LEN_ZERO)
		*len = 0;
	else if (n->fault == FAULT_RX_NO_EOP)
		*status &= ~(uint64_t)RXD_EOP;
}

/* Write a descriptor back; the half with DD last. Return: false if it could not be reached. */
static bool write_back(struct nic *n, struct rx_frame *x, uint64_t iova, unsigned len, bool last)
{
	uint64_t status = RXD_DD | (last ? RXD_EOP | x->status : 0), d[2];
	bool legacy = !(*nic_rxreg(n, x->q, Q_SRRCTL) >> 25 & 7);

	if (last && x->fault)
		status |= RXD_RXE;
	misbehave(n, &status, &len);
	if (n->fault == FAULT_RX_STALL && n->fault_seen >= n->fault_arg) {
		n->fault_shown = true;
		return true;
	}
	if (legacy) {
		d[1] = legacy_high(x, status, len);
		return dma_store(&n->dma, who(n, x->q), iova + 8, &d[1], 8);
	}
	d[0] = last ? advanced_low(n, x) : 0;
	d[1] = status | (uint64_t)len << 32 | (uint64_t)(last ? x->vlan : 0) << 48;
	return dma_store(&n->dma, who(n, x->q), iova, d, DESC);
}

/* One descriptor. Return: false if it could not be reached. */
static bool one(struct nic *n, struct nic_ring *r, struct rx_frame *x, unsigned buf_len)
{
	uint64_t iova = r->base + (uint64_t)x->slot * DESC, addr[2];
	unsigned len;

	if (!dma_read(&n->dma, who(n, x->q), iova, addr, DESC))
		return false;
	if (x->hdr && !x->at)
		put(n, x, addr[1] & ~1ull, x->hdr);
	len = weir_min_u(x->total - x->at, buf_len);
	put(n, x, addr[0], len);
	if (!write_back(n, x, iova, len, x->at == x->total))
		return false;
	x->slot = x->slot + 1 == r->size ? 0 : x->slot + 1;
	return true;
}

static enum rx_result deliver(struct nic *n, struct nic_ring *r, struct rx_frame *x,
			      unsigned buf_len)
{
	uint64_t faults = n->dma.faults;

	n->fault_seen += n->fault != FAULT_TX_STALL;
	do {
		if (one(n, r, x, buf_len))
			continue;
		/* Without its descriptors a queue cannot go on. */
		r->halted = true;
		break;
	} while (x->at < x->total);
	r->head = x->slot;
	*nic_rxreg(n, x->q, Q_HEAD) = r->head;
	intr_queue(n, false, x->q);
	if (n->dma.faults != faults) {
		r->faults += n->dma.faults - faults;
		nic_pasid_fault(n, x->q);
		return drop(r, NIC_DROP_FAULT);
	}
	r->frames++;
	r->bytes += x->total;
	r->r_frames++;
	r->r_bytes += x->total;
	return RX_DONE;
}

static enum rx_result no_room(struct nic *n, struct nic_ring *r, unsigned q)
{
	if (*nic_rxreg(n, q, Q_SRRCTL) & SRRCTL_DROP)
		r->r_drops++;
	else
		n->stats.rx_miss++;
	intr_other(n, EICR_RX_MISS);
	return drop(r, NIC_DROP_NO_DESC);
}

/* Filters passed: find room in the queue. */
static enum rx_result enqueue(struct nic *n, const uint8_t *f, unsigned len,
			      const struct net_pkt *p, bool wait)
{
	struct rx_frame x = { 0 };
	struct nic_ring *r;
	uint32_t srrctl, tail;
	unsigned buf_len, need;
	uint8_t fcs[4];

	x.q = filter_queue(n, f, p, &x.rss);
	if (x.q >= n->queues)
		return drop(&n->rx[0], NIC_DROP_DISABLED);
	r = &n->rx[x.q];
	if (!r->on || r->halted || !r->size)
		return wait && !r->on ? RX_WAIT : drop(r, NIC_DROP_DISABLED);
	srrctl = *nic_rxreg(n, x.q, Q_SRRCTL);
	buf_len = (srrctl & 0x1F ? srrctl & 0x1F : 2) * 1024;
	parts(n, f, len, p, &x, fcs);
	x.hdr = split_at(n, p, &x, srrctl);
	need = x.total > x.hdr ? (x.total - x.hdr + buf_len - 1) / buf_len : 1;
	tail = *nic_rxreg(n, x.q, Q_TAIL);
	if (tail >= r->size || (tail + r->size - r->head) % r->size < need) {
		if (wait && need < r->size)
			return RX_WAIT;
		/* The MAC has counted it by the time that a queue turns out to be full. */
		stats_rx(n, f, len);
		return no_room(n, r, x.q);
	}
	/* Descriptors before the tail, as the driver wrote them. */
	weir_dma_rmb();
	classify(f, p, &x);
	x.slot = r->head;
	stats_rx(n, f, len);
	return deliver(n, r, &x, buf_len);
}

enum rx_result nic_rx(struct nic *n, const uint8_t *f, unsigned len, bool wait)
{
	struct net_pkt p;

	if (!nic_rx_ready(n))
		return wait ? RX_WAIT : drop(&n->rx[0], NIC_DROP_DISABLED);
	if (len < 14 || len > NIC_FRAME_MAX)
		return drop(&n->rx[0], NIC_DROP_LEN);
	/* The other end of a wire would have padded it. */
	if (len < NET_ETH_MIN) {
		memcpy(n->frame, f, len);
		memset(n->frame + len, 0, NET_ETH_MIN - len);
		f = n->frame;
		len = NET_ETH_MIN;
	}
	net_parse(f, len, &p);
	if (len > max_frame(n, p.vlan)) {
		n->stats.roc++;
		return drop(&n->rx[0], NIC_DROP_LEN);
	}
	if (!filter_pass(n, f, &p))
		return drop(&n->rx[0], NIC_DROP_FILTER);
	return enqueue(n, f, len, &p, wait);
}
