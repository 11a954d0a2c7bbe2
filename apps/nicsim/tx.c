/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transmit: descriptors to frames (82599 datasheet 7.2). A strict judge: what the datasheet does
 * not allow (empty segments, lengths that do not add up) makes no frame and is counted.
 */
#include "apps/nicsim/nic.h"
#include "apps/nicsim/wire.h"

#include <stdlib.h>

#define DESC	 16u
#define HEADROOM 4u /* for a tag */
#define MAX_LEN	 (9728u - 4)

/* Legacy commands, bits of the second quadword (7.2.3.2.1). */
#define LEG_VLE TXD_VLE
#define LEG_IC	TXD_IC

static struct dma_who who(const struct nic *n, unsigned q)
{
	return (struct dma_who){ .tx = true, .queue = (uint16_t)q, .pasid = nic_pasid(n, q) };
}

void nic_tx_reset(struct nic *n, unsigned q)
{
	struct nic_txq *t = &n->tx[q];

	t->have = 0;
	t->begun = t->bad = false;
	memset(t->ctx, 0, sizeof(t->ctx));
}

static void bad(struct nic_txq *t)
{
	t->r.drops[NIC_DROP_TX_BAD]++;
}

/* Out to the wire; HEADROOM bytes in front of @f may be written. */
static void emit(struct nic *n, struct nic_txq *t, uint8_t *f, unsigned len, bool vle, uint16_t tci)
{
	if (vle) {
		memmove(f - 4, f, 12);
		f -= 4;
		len += 4;
		net_put16(f + 12, n->reg[R_DMATXCTL / 4] >> 16);
		net_put16(f + 14, tci);
	}
	if (len < NET_ETH_MIN && n->reg[R_HLREG0 / 4] & HLREG0_TXPADEN) {
		memset(f + len, 0, NET_ETH_MIN - len);
		len = NET_ETH_MIN;
	}
	t->r.frames++;
	t->r.bytes += len;
	t->r.r_frames++;
	t->r.r_bytes += len;
	stats_tx(n, f, len);
	if (nic_loops(n)) {
		nic_rx(n, f, len, false);
		return;
	}
	if (n->wire && !wire_send(n->wire, f, len))
		t->r.drops[NIC_DROP_WIRE]++;
}

/* Where the checksum is in a header of type L4T: UDP, TCP. */
static unsigned csum_at(unsigned l4t)
{
	return l4t == 1 ? 16 : 6;
}

/*
 * The field holds what software put there: the sum over the pseudo header. A wrong one gives a
 * wrong checksum, as with the real device.
 */
static bool l4_csum(uint8_t *f, unsigned len, const struct nic_ctx *c, unsigned extra)
{
	unsigned l4 = c->maclen + c->iplen, at = l4 + csum_at(c->l4t);
	const uint8_t n[4] = { 0, 0, (uint8_t)(extra >> 8), (uint8_t)extra };
	uint16_t v;

	if (c->l4t > 1 || c->maclen < 14 || at + 2 > len)
		return false;
	v = (uint16_t)~net_fold(net_sum(f + l4, len - l4, net_sum(n, 4, 0)));
	net_put16(f + at, c->l4t == 0 && !v ? 0xFFFF : v);
	return true;
}

static bool ip_csum(uint8_t *f, unsigned len, const struct nic_ctx *c)
{
	if (c->maclen < 14 || c->iplen < 20 || c->maclen + c->iplen > len)
		return false;
	net_put16(f + c->maclen + 10, (uint16_t)~net_fold(net_sum(f + c->maclen, c->iplen, 0)));
	return true;
}

static void single(struct nic *n, struct nic_txq *t, const struct nic_ctx *c)
{
	uint8_t *f = t->buf + HEADROOM;

	if (t->have > MAX_LEN || t->have < 14 || t->first >> 46 != t->have) {
		bad(t);
		return;
	}
	if ((t->first & TXD_TXSM && !l4_csum(f, t->have, c, 0)) ||
	    (t->first & TXD_IXSM && !ip_csum(f, t->have, c))) {
		bad(t);
		return;
	}
	emit(n, t, f, t->have, t->first & TXD_VLE, c->vlan);
}

/* Which of the TCP flags a segment keeps (7.2.4.7). */
static uint16_t flag_mask(struct nic *n, bool first, bool last)
{
	uint32_t lo = n->reg[R_DTXTCPFLGL / 4], hi = n->reg[R_DTXTCPFLGH / 4];
	uint32_t m = 0xFFF;

	if (first && last)
		return 0xFFF;
	if (first)
		m = lo;
	else if (last)
		m = hi;
	else
		m = lo >> 16;
	return m & 0xFFF;
}

/* Headers of a segment of @chunk bytes that begins @at bytes into the payload (7.2.4). */
static void patch(struct nic *n, uint8_t *f, const struct nic_ctx *c, unsigned i, unsigned at,
		  unsigned chunk, bool last)
{
	uint8_t *ip = f + c->maclen, *l4 = ip + c->iplen;

	if (c->ip4) {
		net_put16(ip + 2, c->iplen + c->l4len + chunk);
		net_put16(ip + 4, net_get16(ip + 4) + i);
	} else {
		net_put16(ip + 4, c->iplen - 40 + c->l4len + chunk);
	}
	if (c->l4t == 1) {
		uint16_t flags = net_get16(l4 + 12);

		net_put32(l4 + 4, net_get32(l4 + 4) + at);
		net_put16(l4 + 12, flags & (0xF000 | flag_mask(n, i == 0, last)));
	} else {
		net_put16(l4 + 4, c->l4len + chunk);
	}
}

static bool tso_ok(const struct nic_txq *t, const struct nic_ctx *c, unsigned hdr)
{
	if (!c->mss || c->l4t > 1 || c->maclen < 14 || c->iplen < (c->ip4 ? 20 : 40))
		return false;
	if (c->l4len < (c->l4t == 1 ? 20 : 8) || hdr > t->have || hdr + c->mss > MAX_LEN)
		return false;
	return t->first >> 46 == t->have - hdr;
}

static void tso(struct nic *n, struct nic_txq *t, const struct nic_ctx *c)
{
	unsigned hdr = (unsigned)c->maclen + c->iplen + c->l4len, total, at = 0, i = 0;
	const uint8_t *src = t->buf + HEADROOM;
	uint8_t *f = n->frame + HEADROOM;

	if (!tso_ok(t, c, hdr)) {
		bad(t);
		return;
	}
	total = t->have - hdr;
	do {
		unsigned chunk = weir_min_u(total - at, c->mss);

		memcpy(f, src, hdr);
		memcpy(f + hdr, src + hdr + at, chunk);
		patch(n, f, c, i++, at, chunk, at + chunk == total);
		if (c->ip4 && t->first & TXD_IXSM)
			ip_csum(f, hdr + chunk, c);
		if (t->first & TXD_TXSM)
			l4_csum(f, hdr + chunk, c, c->l4len + chunk);
		emit(n, t, f, hdr + chunk, t->first & TXD_VLE, c->vlan);
		at += chunk;
	} while (at < total);
}

static void context(struct nic_txq *t, uint64_t lo, uint64_t hi)
{
	struct nic_ctx *c = &t->ctx[hi >> 36 & 1];

	c->iplen = lo & 0x1FF;
	c->maclen = lo >> 9 & 0x7F;
	c->vlan = (uint16_t)(lo >> 16);
	c->ip4 = hi >> 10 & 1;
	c->l4t = hi >> 11 & 3;
	c->l4len = hi >> 40 & 0xFF;
	c->mss = (uint16_t)(hi >> 48);
}

static bool gather(struct nic *n, unsigned q, uint64_t addr, unsigned len)
{
	struct nic_txq *t = &n->tx[q];

	if (!t->buf)
		t->buf = malloc(HEADROOM + NIC_TSO_MAX + NET_ETH_MIN);
	if (!t->buf || !len || len > NIC_TSO_MAX - t->have) {
		t->bad = true;
		return true;
	}
	if (dma_read(&n->dma, who(n, q), addr, t->buf + HEADROOM + t->have, len)) {
		t->have += len;
		return true;
	}
	t->bad = true;
	return false;
}

static void finish(struct nic *n, struct nic_txq *t)
{
	const struct nic_ctx *c = &t->ctx[t->first >> 36 & 1];

	if (t->bad)
		bad(t);
	else if (t->first & TXD_TSE)
		tso(n, t, c);
	else
		single(n, t, c);
}

/* Legacy descriptors carry the tag, and where to put a plain sum, themselves. */
static void finish_legacy(struct nic *n, struct nic_txq *t, uint64_t hi)
{
	unsigned cso = hi >> 16 & 0xFF, css = hi >> 40 & 0xFF;
	uint8_t *f = t->buf + HEADROOM;

	if (t->bad || t->have > MAX_LEN || t->have < 14 ||
	    (hi & LEG_IC && (css >= t->have || cso + 2 > t->have))) {
		bad(t);
		return;
	}
	if (hi & LEG_IC)
		net_put16(f + cso, (uint16_t)~net_fold(net_sum(f + css, t->have - css, 0)));
	emit(n, t, f, t->have, hi & LEG_VLE, (uint16_t)(hi >> 48));
}

/* Act on a descriptor. Return: 1 if it ended a frame. */
static unsigned one(struct nic *n, unsigned q, uint64_t lo, uint64_t hi)
{
	struct nic_txq *t = &n->tx[q];

	if (hi & TXD_DEXT && TXD_DTYP(hi) == TXD_CONTEXT) {
		context(t, lo, hi);
		return 0;
	}
	if (!t->begun) {
		t->begun = true;
		t->bad = hi & TXD_DEXT && TXD_DTYP(hi) != TXD_DATA;
		t->have = 0;
		t->first = hi;
	}
	if (!gather(n, q, lo, hi & 0xFFFF)) {
		t->r.faults++;
		nic_pasid_fault(n, q);
	}
	if (!(hi & TXD_EOP))
		return 0;
	if (hi & TXD_DEXT)
		finish(n, t);
	else
		finish_legacy(n, t, hi);
	t->begun = false;
	return 1;
}

/* Tell that all up to here is done: by the descriptor, or by the head's copy (7.2.3.5). */
static bool report(struct nic *n, unsigned q, uint64_t iova, uint64_t hi)
{
	uint32_t wb = *nic_txreg(n, q, Q_WBAL);

	if (n->fault == FAULT_TX_STALL && ++n->fault_seen >= n->fault_arg) {
		n->fault_shown = true;
		return true;
	}
	if (wb & 1)
		return true;
	hi |= TXD_DD;
	return dma_store(&n->dma, who(n, q), iova + 8, &hi, 8);
}

static void halt(struct nic *n, unsigned q)
{
	struct nic_ring *r = &n->tx[q].r;

	r->halted = true;
	r->faults++;
	nic_pasid_fault(n, q);
}

static void report_head(struct nic *n, unsigned q)
{
	uint32_t wb = *nic_txreg(n, q, Q_WBAL);
	uint64_t iova = (uint64_t)*nic_txreg(n, q, Q_WBAH) << 32 | (wb & ~3u);

	if (!(wb & 1) || (n->fault == FAULT_TX_STALL && n->fault_seen >= n->fault_arg))
		return;
	if (!dma_store(&n->dma, who(n, q), iova, &n->tx[q].r.head, 4))
		halt(n, q);
}

static bool tx_on(struct nic *n, const struct nic_ring *r)
{
	return r->on && !r->halted && r->size && !n->gone && n->bus_master &&
	       n->reg[R_DMATXCTL / 4] & DMATXCTL_TE;
}

unsigned nic_tx(struct nic *n, unsigned q, unsigned budget)
{
	struct nic_ring *r = &n->tx[q].r;
	uint32_t tail, from = r->head;
	unsigned frames = 0;
	bool rs = false;

	if (!tx_on(n, r))
		return 0;
	tail = *nic_txreg(n, q, Q_TAIL);
	if (tail >= r->size || tail == r->head)
		return 0;
	weir_dma_rmb();
	/* What makes a real port wait is told by frames that it counts. */
	if (n->wire && !wire_ready(n->wire))
		n->stats.xoff += n->stats.xoff < UINT32_MAX;
	while (r->head != tail && frames < budget && (!n->wire || wire_ready(n->wire))) {
		uint64_t iova = r->base + (uint64_t)r->head * DESC, d[2], hi;

		if (!dma_read(&n->dma, who(n, q), iova, d, DESC)) {
			halt(n, q);
			break;
		}
		hi = d[1];
		frames += one(n, q, d[0], hi);
		/* Stopped by a fault of its tenant. */
		if (!r->on)
			return frames + 1;
		if (hi & TXD_RS && !report(n, q, iova, hi)) {
			halt(n, q);
			break;
		}
		rs |= !!(hi & TXD_RS);
		r->head = r->head + 1 == r->size ? 0 : r->head + 1;
	}
	if (r->head == from)
		return 0;
	*nic_txreg(n, q, Q_HEAD) = r->head;
	if (rs) {
		report_head(n, q);
		intr_queue(n, true, q);
	}
	return frames ? frames : 1;
}
