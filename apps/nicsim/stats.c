/* SPDX-License-Identifier: BSD-3-Clause */
/* Statistics registers: reading clears them (82599 datasheet 8.2.3.23). */
#include "apps/nicsim/nic.h"

/* Bounds of the size classes, FCS included; the last class is open. */
static unsigned size_class(unsigned len)
{
	static const unsigned top[] = { 64, 127, 255, 511, 1023 };
	unsigned i = 0;

	while (i < WEIR_ARRAY_SIZE(top) && len > top[i])
		i++;
	return i;
}

static uint32_t take32(uint32_t *v)
{
	uint32_t r = *v;

	*v = 0;
	return r;
}

/* 36 bits in two registers; each half is cleared by its own read, so that nothing is lost between. */
static uint32_t take64(uint64_t *v, bool high)
{
	uint64_t r = *v;

	if (!high) {
		*v = r & ~(uint64_t)UINT32_MAX;
		return (uint32_t)r;
	}
	*v = r & UINT32_MAX;
	return (uint32_t)(r >> 32) & 0xF;
}

static uint32_t *word(struct nic_stats *s, uint32_t off)
{
	switch (off) {
	case R_MPC:
		return &s->rx_miss;
	case R_RLEC:
		return &s->rlec;
	case R_GPRC:
		return &s->gprc;
	case R_BPRC:
		return &s->bprc;
	case R_MPRC:
		return &s->mprc;
	case R_GPTC:
		return &s->gptc;
	case R_ROC:
		return &s->roc;
	case R_RUC:
		return &s->ruc;
	case R_TPR:
		return &s->tpr;
	case R_TPT:
		return &s->tpt;
	case R_MPTC:
		return &s->mptc;
	case R_BPTC:
		return &s->bptc;
	case R_LXOFFRXCNT:
		return &s->xoff;
	case R_XEC:
		return &s->xec;
	default:
		break;
	}
	if (off >= R_PRC64 && off < R_PRC64 + 24)
		return &s->prc[(off - R_PRC64) / 4];
	if (off >= R_PTC64 && off < R_PTC64 + 24)
		return &s->ptc[(off - R_PTC64) / 4];
	return NULL;
}

static uint64_t *wide(struct nic_stats *s, uint32_t off)
{
	switch (off & ~4u) {
	case R_GORCL:
		return &s->gorc;
	case R_GOTCL & ~4u:
		return &s->gotc;
	case R_TORL:
		return &s->tor;
	default:
		return NULL;
	}
}

static uint32_t queue_read(struct nic *n, uint32_t off)
{
	unsigned q = off % NIC_PAGE / Q_STRIDE % NIC_QUEUES;

	switch (off % NIC_PAGE % Q_STRIDE) {
	case Q_QPRC:
		return off >= R_QPRDC ? take32(&n->rx[q].r_drops) : take32(&n->rx[q].r_frames);
	case R_QBRCL % Q_STRIDE:
		return take64(&n->rx[q].r_bytes, false);
	default:
		return take64(&n->rx[q].r_bytes, true);
	}
}

uint32_t stats_read(struct nic *n, uint32_t off)
{
	uint32_t *w;
	uint64_t *l;

	if (off / NIC_PAGE == R_RXQ / NIC_PAGE)
		return queue_read(n, off);
	if (off >= R_QPTC && off < R_QPTC + 4 * NIC_QUEUES)
		return take32(&n->tx[(off - R_QPTC) / 4].r.r_frames);
	if (off >= R_QBTCL && off < R_QBTCL + 8 * NIC_QUEUES)
		return take64(&n->tx[(off - R_QBTCL) / 8].r.r_bytes, off & 4);
	w = word(&n->stats, off);
	if (w)
		return take32(w);
	l = wide(&n->stats, off);
	return l ? take64(l, off & 4) : 0;
}

void stats_reset(struct nic *n)
{
	memset(&n->stats, 0, sizeof(n->stats));
	for (unsigned q = 0; q < NIC_QUEUES; q++) {
		n->rx[q].r_frames = n->rx[q].r_drops = n->tx[q].r.r_frames = 0;
		n->rx[q].r_bytes = n->tx[q].r.r_bytes = 0;
	}
}

static bool broadcast(const uint8_t *f)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 };

	return !memcmp(f, all, 6);
}

/* Bytes of these registers include the FCS. */
void stats_rx(struct nic *n, const uint8_t *f, unsigned len)
{
	struct nic_stats *s = &n->stats;

	s->gprc++;
	s->gorc += len + 4;
	s->prc[size_class(len + 4)]++;
	if (broadcast(f))
		s->bprc++;
	else if (f[0] & 1)
		s->mprc++;
}

void stats_tx(struct nic *n, const uint8_t *f, unsigned len)
{
	struct nic_stats *s = &n->stats;

	s->gptc++;
	s->tpt++;
	s->gotc += len + 4;
	s->ptc[size_class(len + 4)]++;
	if (broadcast(f))
		s->bptc++;
	else if (f[0] & 1)
		s->mptc++;
}
