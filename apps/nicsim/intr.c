/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts (82599 datasheet 7.3). Causes of queues are bits 0 to 63, one a vector, of which EICR
 * shows the first 16; all other causes are the upper half of EICR. A cause that is set and not
 * masked raises its vector once, no sooner than EITR allows, until it is cleared or armed again.
 */
#include "apps/nicsim/nic.h"
#include "core/clock.h"

#define Q_LOW	0xFFFFu
#define O_BITS	0x7FFF0000u
#define OCD_CLR 0x3FFF0000u /* what a read clears when GPIE.OCD is set */

static bool msix(struct nic *n)
{
	return *nic_reg(n, R_GPIE) & GPIE_MSIX;
}

void intr_reset(struct nic *n)
{
	n->q_cause = n->q_mask = n->q_automask = n->q_sent = 0;
	n->o_mask = n->o_automask = n->o_sent = 0;
	n->o_cause = n->fault == FAULT_NO_LINK ? 0 : EICR_LSC;
	memset(n->itr_next, 0, sizeof(n->itr_next));
}

static void clear(struct nic *n, uint64_t q, uint32_t other)
{
	n->q_cause &= ~q;
	n->q_sent &= ~q;
	n->o_cause &= ~other;
	n->o_sent &= ~other;
}

/* Low half of a register is of queues 0 to 15, the upper half of the rest. */
static uint64_t low(uint64_t q, uint32_t v)
{
	return (q & ~(uint64_t)Q_LOW) | (v & Q_LOW);
}

static uint64_t ex(uint64_t q, uint32_t off, uint32_t v)
{
	return off & 4 ? (q & UINT32_MAX) | (uint64_t)v << 32 : (q & ~(uint64_t)UINT32_MAX) | v;
}

static uint32_t read_cause(struct nic *n)
{
	uint32_t v = (n->o_cause & O_BITS) | (uint32_t)(n->q_cause & Q_LOW);

	if (*nic_reg(n, R_GPIE) & GPIE_OCD)
		clear(n, 0, OCD_CLR);
	else
		clear(n, Q_LOW, O_BITS);
	/* Without MSI-X the read is what masks (7.3.1.3). */
	if (!msix(n)) {
		n->q_mask &= ~n->q_automask;
		n->o_mask &= ~n->o_automask;
	}
	return v;
}

uint32_t intr_read(struct nic *n, uint32_t off)
{
	switch (off) {
	case R_EICR:
		return read_cause(n);
	case R_EIMS:
	case R_EIMC:
		return (n->o_mask & O_BITS) | (uint32_t)(n->q_mask & Q_LOW);
	case R_EIAC:
		return n->reg[R_EIAC / 4];
	case R_EIAM:
		return (n->o_automask & O_BITS) | (uint32_t)(n->q_automask & Q_LOW);
	case R_EIMS_EX:
	case R_EIMS_EX + 4:
		return (uint32_t)(n->q_mask >> (off & 4 ? 32 : 0));
	case R_EIAM_EX:
	case R_EIAM_EX + 4:
		return (uint32_t)(n->q_automask >> (off & 4 ? 32 : 0));
	default:
		return 0;
	}
}

static void unmask(struct nic *n, uint64_t q, uint32_t other)
{
	n->q_mask |= q;
	n->q_sent &= ~q;
	n->o_mask |= other;
	n->o_sent &= ~other;
}

void intr_write(struct nic *n, uint32_t off, uint32_t v)
{
	switch (off) {
	case R_EICR:
		clear(n, v & Q_LOW, v & O_BITS);
		break;
	case R_EICS:
		n->q_cause |= v & Q_LOW;
		n->o_cause |= v & O_BITS;
		break;
	case R_EIMS:
		unmask(n, v & Q_LOW, v & O_BITS);
		break;
	case R_EIMC:
		n->q_mask &= ~(uint64_t)(v & Q_LOW);
		n->o_mask &= ~(v & O_BITS);
		break;
	case R_EIAC:
		n->reg[R_EIAC / 4] = v;
		break;
	case R_EIAM:
		n->q_automask = low(n->q_automask, v);
		n->o_automask = v & O_BITS;
		break;
	case R_EICS_EX:
	case R_EICS_EX + 4:
		n->q_cause |= ex(0, off, v);
		break;
	case R_EIMS_EX:
	case R_EIMS_EX + 4:
		unmask(n, ex(0, off, v), 0);
		break;
	case R_EIMC_EX:
	case R_EIMC_EX + 4:
		n->q_mask &= ~ex(0, off, v);
		break;
	case R_EIAM_EX:
	case R_EIAM_EX + 4:
		n->q_automask = ex(n->q_automask, off, v);
		break;
	default:
		break;
	}
}

void intr_queue(struct nic *n, bool tx, unsigned q)
{
	/* 8.2.3.5.16: RX and TX of an even queue, RX and TX of the odd one after it. */
	uint32_t ivar = n->reg[(R_IVAR + q / 2 * 4) / 4];
	uint32_t e = ivar >> (8 * ((q & 1) * 2 + tx)) & 0xFF;

	if (e & IVAR_VALID)
		n->q_cause |= 1ull << (e & (msix(n) ? 63 : 15));
}

void intr_other(struct nic *n, uint32_t cause)
{
	n->o_cause |= cause;
}

/* Raise @v now, or tell that moderation holds it back. */
static bool deliver(struct nic *n, unsigned v, uint64_t now)
{
	uint32_t itr = *nic_reg(n, v < 24 ? R_EITR0 + v * 4 : R_EITR24 + (v - 24) * 4);

	if (now < n->itr_next[v]) {
		uint64_t left = n->itr_next[v] - now;

		if (!n->itr_wait || left < n->itr_wait)
			n->itr_wait = left;
		return false;
	}
	/* Steps of 2 us (8.2.3.5.12). */
	n->itr_next[v] = now + (uint64_t)EITR_INTERVAL(itr) * 2048;
	n->raised++;
	if (n->raise)
		n->raise(n->raise_arg, v);
	return true;
}

static void sent_queue(struct nic *n, unsigned v)
{
	uint64_t bit = 1ull << v;

	n->q_sent |= bit;
	if (!msix(n))
		return;
	if (v >= 16 || n->reg[R_EIAC / 4] & bit)
		clear(n, bit, 0);
	if (*nic_reg(n, R_GPIE) & GPIE_EIAME)
		n->q_mask &= ~(n->q_automask & bit);
}

static void poll_other(struct nic *n, uint64_t now)
{
	uint32_t due = n->o_cause & n->o_mask & ~n->o_sent;
	uint32_t e = n->reg[R_IVAR_MISC / 4] >> 8 & 0xFF;

	if (!due || (msix(n) && !(e & IVAR_VALID)))
		return;
	if (!deliver(n, msix(n) ? e & 63 : 0, now))
		return;
	n->o_sent |= due;
	if (!msix(n))
		return;
	clear(n, 0, due & n->reg[R_EIAC / 4]);
	if (*nic_reg(n, R_GPIE) & GPIE_EIAME)
		n->o_mask &= ~(n->o_automask & due);
}

uint64_t intr_poll(struct nic *n)
{
	uint64_t due = n->q_cause & n->q_mask & ~n->q_sent, now;

	n->itr_wait = 0;
	if (!due && !(n->o_cause & n->o_mask & ~n->o_sent))
		return 0;
	now = weir_now_ns();
	poll_other(n, now);
	for (; due; due &= due - 1) {
		unsigned v = (unsigned)__builtin_ctzll(due);

		if (deliver(n, msix(n) ? v : 0, now))
			sent_queue(n, v);
	}
	return n->itr_wait;
}
