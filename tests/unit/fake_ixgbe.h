/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small 82599 for the unit test of its driver: registers with side effects, and a DMA engine that
 * moves when the test says so. It can also misbehave. The driver's sources are included by the test
 * with their MMIO accessors replaced by this file's.
 */
#ifndef WEIR_TESTS_FAKE_IXGBE_H
#define WEIR_TESTS_FAKE_IXGBE_H

#include "fake_no_caps.h"
#include "fake_phys.h"

#include "core/io.h"
#include "nics/intel_adv.h"
#include "nics/ixgbe/ixgbe_regs.h"
#include "pci/pci.h"

#include <stdio.h>
#include <stdlib.h>

#define FAKE_BAR    0x20000
#define FAKE_FRAMES 4096
#define FAKE_IOVA   UINT64_C(0x100000000)

/* A frame that the device sent, with what its descriptors said. */
struct fake_frame {
	unsigned len, segs;
	uint64_t hi;
	uint64_t ctx_lo, ctx_hi;
	uint8_t head[64];
};

struct weir_pci {
	struct weir *w;
	struct weir_pci_info info;
	struct weir_dma dma;
	unsigned n_vec, max_vec;
	bool master, closed;
};

/* What of BAR 0 can be mapped. */
enum fake_reach { REACH_ALL, REACH_DOORBELLS, REACH_NOTHING };

static struct fake {
	uint32_t reg[FAKE_BAR / 4];
	uint32_t mac_lo, mac_hi;
	bool link;
	enum fake_reach reach;
	/* misbehaviour */
	bool gone, reset_stuck, enable_stuck, tx_stuck, no_auto_rd, no_swsm, master_stuck;
	unsigned gone_after; /* accesses until it is gone, 0 for never */
	unsigned bar_size;
	/* what was seen */
	unsigned resets, link_resets, rdt_writes, tdt_writes, an_restarts, ctx_descs, rs_descs;
	unsigned messages;
	uint64_t ctx_lo, ctx_hi;
	struct fake_frame frames[FAKE_FRAMES];
	unsigned n_frames;
	struct weir_pci pci;
} fake;

static volatile uint8_t *fake_bar(void)
{
	return (volatile uint8_t *)fake.reg;
}

static void *fake_va(uint64_t iova)
{
	return fake_dma_va(&fake.pci.dma, iova);
}

static uint64_t fake_pair(unsigned lo, unsigned hi)
{
	return (uint64_t)fake.reg[hi / 4] << 32 | fake.reg[lo / 4];
}

static uint64_t fake_ring(unsigned reg)
{
	return fake_pair(reg + IXGBE_XDBAL, reg + IXGBE_XDBAH);
}

static void fake_reset(bool link_too)
{
	uint32_t autoc = fake.reg[IXGBE_AUTOC / 4], sync = fake.reg[IXGBE_SW_FW_SYNC / 4];

	memset(fake.reg, 0, sizeof(fake.reg));
	fake.reg[IXGBE_AUTOC / 4] = autoc;
	fake.reg[IXGBE_SW_FW_SYNC / 4] = sync;
	fake.reg[IXGBE_RAL(0) / 4] = fake.mac_lo;
	fake.reg[IXGBE_RAH(0) / 4] = fake.mac_hi | IXGBE_RAH_AV;
	if (!fake.no_auto_rd)
		fake.reg[IXGBE_EEC / 4] = IXGBE_EEC_AUTO_RD;
	fake.reg[IXGBE_RDRXCTL / 4] = IXGBE_RDRXCTL_DMAIDONE | IXGBE_BIT(17);
	fake.reg[IXGBE_SECRXSTAT / 4] = IXGBE_SECRXSTAT_RDY;
	fake.reg[IXGBE_HLREG0 / 4] = IXGBE_HLREG0_TXCRCEN | IXGBE_HLREG0_TXPADEN;
	for (unsigned q = 0; q < 16; q++)
		fake.reg[IXGBE_DCA_RXCTRL(q) / 4] = 0xb200 | IXGBE_DCA_RXCTRL_MUST_BE_0;
	fake.resets++;
	fake.link_resets += link_too;
}

/* --- transmit --- */

static void fake_tx_data(const struct intel_tx_desc *d, struct fake_frame *f)
{
	uint64_t hi = weir_from_le64(d->hi);
	unsigned len = hi & 0xffff;

	if (f->len < sizeof(f->head)) {
		unsigned n = weir_min_u(len, (unsigned)sizeof(f->head) - f->len);

		memcpy(f->head + f->len, fake_va(weir_from_le64(d->lo)), n);
	}
	if (!f->segs) {
		f->hi = hi;
		f->ctx_lo = fake.ctx_lo;
		f->ctx_hi = fake.ctx_hi;
	}
	f->len += len;
	f->segs++;
	if (!(hi & INTEL_TXD_EOP))
		return;
	fake.n_frames = (fake.n_frames + 1) % FAKE_FRAMES;
	memset(&fake.frames[fake.n_frames], 0, sizeof(*f));
}

static void fake_tx_report(unsigned q, struct intel_tx_desc *d, uint32_t head)
{
	uint64_t wb = fake_pair(IXGBE_TDWBAL(q), IXGBE_TDWBAH(q));

	fake.rs_descs++;
	if (wb & IXGBE_TDWBAL_EN)
		*(__le32 *)fake_va(wb & ~UINT64_C(3)) = weir_le32(head);
	else
		d->hi = weir_le64(INTEL_TXD_DD);
}

static void fake_tx(unsigned q)
{
	uint32_t head = fake.reg[IXGBE_TDH(q) / 4];
	uint32_t size = fake.reg[(IXGBE_TXQ(q) + IXGBE_XDLEN) / 4] / 16;
	struct intel_tx_desc *ring = fake_va(fake_ring(IXGBE_TXQ(q)));

	if (!(fake.reg[IXGBE_DMATXCTL / 4] & IXGBE_DMATXCTL_TE))
		return;
	while (head != fake.reg[IXGBE_TDT(q) / 4]) {
		struct intel_tx_desc *d = &ring[head];
		uint64_t hi = weir_from_le64(d->hi);

		if ((hi & INTEL_TXD_DTYP_MASK) == INTEL_TXD_DTYP_DATA) {
			fake_tx_data(d, &fake.frames[fake.n_frames]);
		} else {
			fake.ctx_lo = weir_from_le64(d->lo);
			fake.ctx_hi = hi;
			fake.ctx_descs++;
		}
		head = (head + 1) % size;
		if (hi & INTEL_TXD_RS)
			fake_tx_report(q, d, head);
	}
	fake.reg[IXGBE_TDH(q) / 4] = head;
}

/* --- receive --- */

static union intel_rx_desc *fake_rx_desc(unsigned q, unsigned slot)
{
	union intel_rx_desc *ring = fake_va(fake_ring(IXGBE_RXQ(q)));

	return &ring[slot];
}

static uint32_t fake_rx_size(unsigned q)
{
	return fake.reg[(IXGBE_RXQ(q) + IXGBE_XDLEN) / 4] / 16;
}

static unsigned fake_rx_room(unsigned q)
{
	uint32_t size = fake_rx_size(q);

	return (fake.reg[IXGBE_RDT(q) / 4] + size - fake.reg[IXGBE_RDH(q) / 4]) % size;
}

/* Write one buffer and its descriptor; @st are status and error bits, DD comes by itself. */
static bool fake_rx_seg(unsigned q, const void *data, unsigned len, uint64_t st, uint32_t info,
			uint32_t rss)
{
	uint32_t head = fake.reg[IXGBE_RDH(q) / 4];
	union intel_rx_desc *d = fake_rx_desc(q, head);

	if (!(fake.reg[IXGBE_RXCTRL / 4] & IXGBE_RXCTRL_RXEN) || !fake_rx_room(q))
		return false;
	if (data)
		memcpy(fake_va(weir_from_le64(d->read.pkt_addr)), data, len);
	d->wb.info = weir_le32(info);
	d->wb.rss = weir_le32(rss);
	d->wb.status = weir_le64(st | INTEL_RXD_DD | (uint64_t)len << 32);
	fake.reg[IXGBE_RDH(q) / 4] = (head + 1) % fake_rx_size(q);
	fake.reg[IXGBE_EICR / 4] |= IXGBE_BIT(q);
	return true;
}

/* Receive a frame over as many buffers as it takes. */
static inline bool fake_rx(unsigned q, const uint8_t *data, unsigned len)
{
	if (fake_rx_room(q) < (len + WEIR_BUF_ROOM - 1) / WEIR_BUF_ROOM)
		return false;
	for (; len > WEIR_BUF_ROOM; data += WEIR_BUF_ROOM, len -= WEIR_BUF_ROOM)
		fake_rx_seg(q, data, WEIR_BUF_ROOM, 0, 0, 0);
	return fake_rx_seg(q, data, len, INTEL_RXD_EOP, 0, 0);
}

/* --- registers --- */

static bool fake_is_gone(void)
{
	if (fake.gone_after && !--fake.gone_after)
		fake.gone = true;
	return fake.gone;
}

static bool fake_clears(size_t at)
{
	bool queue = at >= 0x1000 && at < 0x1800 && (at & 0x3f) >= 0x30;
	bool tx = at >= 0x6000 && at < 0x6400 && (at & 0x3f) == 0x30;

	return (at >= 0x4000 && at < 0x4200) || (at >= 0x3fa0 && at < 0x3fc0) || queue || tx ||
	       (at >= 0x8700 && at < 0x8780);
}

static uint32_t fake_get(size_t at)
{
	uint32_t *r = &fake.reg[at / 4], v = *r;

	if (fake_is_gone())
		return UINT32_MAX;
	if (at == IXGBE_STATUS &&
	    (!(fake.reg[IXGBE_CTRL / 4] & IXGBE_CTRL_MASTER_DISABLE) || fake.master_stuck))
		v |= IXGBE_STATUS_MASTER_EN;
	if (at == IXGBE_LINKS && fake.link)
		v |= IXGBE_LINKS_UP | 3u << IXGBE_LINKS_SPEED_SHIFT;
	if (fake_clears(at))
		*r = 0;
	if (at == IXGBE_EICR)
		*r &= fake.reg[IXGBE_GPIE / 4] & IXGBE_GPIE_OCD ? IXGBE_EI_RTXQ : 0;
	if (at == IXGBE_SWSM && !fake.no_swsm)
		*r |= IXGBE_SWSM_SMBI;
	return v;
}

static bool fake_is(size_t at, unsigned first, unsigned reg)
{
	return at >= first && at < first + 16 * 0x40 && (at & 0x3f) == reg;
}

static void fake_put(size_t at, uint32_t v)
{
	uint32_t *r = &fake.reg[at / 4];

	if (fake_is_gone())
		return;
	if (at == IXGBE_CTRL && v & IXGBE_CTRL_RST && !fake.reset_stuck)
		fake_reset(v & IXGBE_CTRL_LRST);
	else if (at == IXGBE_EICR)
		*r &= ~v;
	else if (at == IXGBE_EIMS || at == IXGBE_EIMS_EX(0) || at == IXGBE_EIMS_EX(1))
		*r |= v;
	else if (at == IXGBE_EIMC)
		fake.reg[IXGBE_EIMS / 4] &= ~v;
	else if (at == IXGBE_EIMC_EX(0) || at == IXGBE_EIMC_EX(1))
		fake.reg[(at - 0x10) / 4] &= ~v;
	else if ((fake_is(at, 0x1000, 0x28) || fake_is(at, 0x6000, 0x28)) && fake.enable_stuck)
		*r = v & ~IXGBE_XDCTL_ENABLE;
	else
		*r = v;
	if (at == IXGBE_AUTOC && v & IXGBE_AUTOC_RESTART_AN) {
		*r &= ~IXGBE_AUTOC_RESTART_AN;
		fake.an_restarts++;
	}
	if (fake_is(at, 0x1000, 0x18))
		fake.rdt_writes++;
	if (fake_is(at, 0x6000, 0x18)) {
		fake.tdt_writes++;
		if (!fake.tx_stuck)
			fake_tx((unsigned)(at - 0x6000) / 0x40);
	}
}

static bool fake_reachable(uint64_t off, uint64_t len)
{
	if (fake.reach == REACH_DOORBELLS)
		return (off >= 0x1000 && off + len <= 0x2000) ||
		       (off >= 0x6000 && off + len <= 0x7000);
	return fake.reach == REACH_ALL && off + len <= fake.bar_size;
}

static uint32_t fake_read(const volatile void *bar, size_t off)
{
	size_t at = (size_t)((const volatile uint8_t *)bar - fake_bar()) + off;

	if (!fake_reachable(at, 4))
		abort();
	return fake_get(at);
}

static void fake_write(volatile void *bar, size_t off, uint32_t v)
{
	size_t at = (size_t)((volatile uint8_t *)bar - fake_bar()) + off;

	if (!fake_reachable(at, 4))
		abort();
	fake_put(at, v);
}

/* --- what pci/ and iommu/ would do --- */

int weir_pci_reg_read32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t *v)
{
	(void)d;
	(void)bar;
	fake.messages++;
	*v = fake_get(off);
	return fake.gone ? -EIO : 0;
}

int weir_pci_reg_write32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t v)
{
	(void)d;
	(void)bar;
	fake.messages++;
	fake_put(off, v);
	return 0;
}

struct weir_iodev *weir_pci_iodev(struct weir_pci *d)
{
	return (struct weir_iodev *)d;
}

enum weir_mode weir_iodev_mode(const struct weir_iodev *d)
{
	(void)d;
	return WEIR_MODE_CDEV;
}

int weir_iodev_region(struct weir_iodev *d, unsigned index, struct weir_region *r)
{
	(void)d;
	(void)index;
	*r = (struct weir_region){
		.size = fake.bar_size,
		.flags = WEIR_REGION_READ | WEIR_REGION_WRITE |
			 (fake.reach == REACH_NOTHING ? 0 : WEIR_REGION_MMAP),
	};
	return 0;
}

int weir_pci_bar(struct weir_pci *d, unsigned index, struct weir_bar *bar)
{
	(void)d;
	if (index)
		return -ENODEV;
	bar->va = fake_bar();
	bar->size = fake.bar_size;
	return 0;
}

bool weir_bar_ok(struct weir_pci *d, unsigned index, uint64_t off, uint64_t len)
{
	(void)d;
	return !index && fake_reachable(off, len);
}

struct weir *weir_pci_handle(const struct weir_pci *d)
{
	return d->w;
}

const struct weir_pci_info *weir_pci_info_of(const struct weir_pci *d)
{
	return &d->info;
}

const struct weir_dma *weir_pci_dma(const struct weir_pci *d)
{
	return &d->dma;
}

int weir_pci_msix(struct weir_pci *d, unsigned n)
{
	if (n > d->max_vec)
		return -ENOSPC;
	d->n_vec = n;
	return 0;
}

int weir_pci_msix_fd(struct weir_pci *d, unsigned i)
{
	return i < d->n_vec ? 1000 + (int)i : -EINVAL;
}

int weir_pci_bus_master(struct weir_pci *d, bool on)
{
	d->master = on;
	return 0;
}

void weir_pci_close(struct weir_pci *d)
{
	d->closed = true;
}

#endif
