/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/nicsim/nic.h"
#include "apps/nicsim/wire.h"

#include <stdlib.h>

const struct nic_fault_row nic_fault_table[] = {
	{ "rx-len-huge", FAULT_RX_LEN_HUGE, 10, "length 65535 in the N-th received frame" },
	{ "rx-len-zero", FAULT_RX_LEN_ZERO, 10, "length 0 in the N-th received frame" },
	{ "rx-no-data", FAULT_RX_NO_DATA, 10, "N-th received frame reported, but not written" },
	{ "rx-no-eop", FAULT_RX_NO_EOP, 10, "N-th received frame without an end" },
	{ "rx-stall", FAULT_RX_STALL, 10,
	  "nothing is reported as received from the N-th frame on" },
	{ "tx-stall", FAULT_TX_STALL, 10, "nothing is reported as sent from the N-th time on" },
	{ "stuck-rx", FAULT_STUCK_RX, 0, "RXDCTL.ENABLE never sets" },
	{ "stuck-tx", FAULT_STUCK_TX, 0, "TXDCTL.ENABLE never sets" },
	{ "stuck-reset", FAULT_STUCK_RESET, 0, "CTRL.RST never clears" },
	{ "stuck-eeprom", FAULT_STUCK_EERD, 0, "EERD.DONE never sets" },
	{ "stuck-semaphore", FAULT_STUCK_SEM, 0, "SWSM.SMBI is always taken" },
	{ "eeprom-checksum", FAULT_EEPROM_SUM, 0, "the EEPROM's checksum is wrong" },
	{ "no-link", FAULT_NO_LINK, 0, "the link never comes up" },
	{ "ones", FAULT_ONES, 1000, "registers read as ones after N accesses" },
	{ "gone", FAULT_GONE, 1000, "the socket closes at the N-th message" },
	{ "stall", FAULT_STALL, 1000, "no answer from the N-th message on" },
	{ "ones-frame", FAULT_ONES_FRAME, 1000, "registers read as ones after N received frames" },
	{ "gone-frame", FAULT_GONE_FRAME, 1000, "the socket closes after N received frames" },
	{ "stall-frame", FAULT_STALL_FRAME, 1000, "no answer after N received frames" },
	{ "dma", FAULT_DMA, 100, "the N-th access to memory is refused" },
	{ "request", FAULT_REQUEST, 1000, "the device is asked back after N received frames" },
	{ "error", FAULT_ERROR, 1000, "the bus reports an error after N received frames" },
};
const unsigned nic_fault_count = WEIR_ARRAY_SIZE(nic_fault_table);

const char *nic_drop_name(enum nic_drop d)
{
	static const char *const names[NIC_DROP_MAX] = {
		[NIC_DROP_FILTER] = "filter",
		[NIC_DROP_LEN] = "too-long",
		[NIC_DROP_NO_DESC] = "no-descriptor",
		[NIC_DROP_DISABLED] = "disabled",
		[NIC_DROP_FAULT] = "dma-fault",
		[NIC_DROP_TX_BAD] = "tx-malformed",
		[NIC_DROP_WIRE] = "wire",
	};

	return names[d];
}

/* "[:NUMBER][,once]" */
static bool fault_options(struct nic *n, const char *s)
{
	char *end;

	if (*s == ':') {
		if (s[1] < '0' || s[1] > '9')
			return false;
		n->fault_arg = strtoull(s + 1, &end, 10);
		s = end;
	}
	n->fault_once = !strcmp(s, ",once");
	return !*s || n->fault_once;
}

int nic_set_fault(struct nic *n, const char *text)
{
	size_t len = strcspn(text, ":,");

	for (unsigned i = 0; i < nic_fault_count; i++) {
		const struct nic_fault_row *f = &nic_fault_table[i];

		if (strlen(f->name) != len || strncmp(f->name, text, len) != 0)
			continue;
		n->fault = f->id;
		n->fault_arg = f->arg;
		if (!fault_options(n, text + len))
			return -EINVAL;
		if (f->id == FAULT_DMA)
			n->dma.fail_at = n->fault_arg;
		nvm_fill(n);
		nic_reset(n);
		return 0;
	}
	return -EINVAL;
}

static void ring_off(struct nic_ring *r)
{
	r->on = r->halted = false;
	r->head = r->size = 0;
	r->base = 0;
}

void nic_reset(struct nic *n)
{
	if (n->fault_once && n->fault_shown)
		n->fault = FAULT_NONE;
	nic_regs_reset(n);
	n->reg[R_RAL / 4] = (uint32_t)n->mac[0] | (uint32_t)n->mac[1] << 8 |
			    (uint32_t)n->mac[2] << 16 | (uint32_t)n->mac[3] << 24;
	n->reg[R_RAL / 4 + 1] = (uint32_t)n->mac[4] | (uint32_t)n->mac[5] << 8 | RAH_AV;
	for (unsigned q = 0; q < NIC_QUEUES; q++) {
		ring_off(&n->rx[q]);
		ring_off(&n->tx[q].r);
		nic_tx_reset(n, q);
	}
	n->rss_dirty = true;
	i2c_reset(n);
	intr_reset(n);
	stats_reset(n);
}

void nic_init(struct nic *n, unsigned queues, const uint8_t mac[6], void *pages[2])
{
	memset(n, 0, sizeof(*n));
	n->queues = queues;
	n->page[0] = pages[0];
	n->page[1] = pages[1];
	memcpy(n->mac, mac, 6);
	nvm_fill(n);
	nic_reset(n);
}

void nic_fini(struct nic *n)
{
	for (unsigned q = 0; q < NIC_QUEUES; q++)
		free(n->tx[q].buf);
	dma_unmap_all(&n->dma);
	dma_pasid_end(&n->dma);
}

/* What the ring's registers say when its queue is enabled counts until it is disabled. */
static void ring_sync(struct nic *n, volatile uint32_t *q, struct nic_ring *r, bool held,
		      enum nic_fault stuck)
{
	bool on = q[Q_DCTL / 4] & DCTL_ENABLE;

	if (on && (held || n->fault == stuck)) {
		q[Q_DCTL / 4] &= ~DCTL_ENABLE;
		on = false;
		n->fault_shown |= n->fault == stuck;
	}
	if (on == r->on)
		return;
	ring_off(r);
	r->on = on;
	if (!on)
		return;
	r->base = (uint64_t)q[Q_BAH / 4] << 32 | (q[Q_BAL / 4] & ~127u);
	r->size = (q[Q_LEN / 4] & 0xFFF80u) / 16;
	r->head = q[Q_HEAD / 4] & 0xFFFF;
	if (r->head >= r->size)
		r->head = 0;
}

void nic_sync(struct nic *n)
{
	if (n->gone)
		return;
	for (unsigned q = 0; q < n->queues; q++) {
		struct nic_txq *t = &n->tx[q];
		bool was = t->r.on, held = nic_pasid_stopped(n, q);

		ring_sync(n, nic_rxreg(n, q, 0), &n->rx[q], held, FAULT_STUCK_RX);
		ring_sync(n, nic_txreg(n, q, 0), &t->r, held, FAULT_STUCK_TX);
		if (t->r.on && !was)
			nic_tx_reset(n, q);
	}
}

unsigned nic_poll(struct nic *n, unsigned budget)
{
	unsigned work = 0;

	nic_sync(n);
	if (n->fault == FAULT_ONES_FRAME && n->fault_seen >= n->fault_arg && !n->gone)
		nic_vanish(n);
	for (unsigned q = 0; q < n->queues; q++)
		work += nic_tx(n, q, budget);
	if (n->wire && !nic_loops(n))
		work += wire_poll(n->wire, n, budget);
	intr_poll(n);
	return work;
}
