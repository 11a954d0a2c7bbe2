/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small 82576 for the unit test of its driver: registers with side effects, a PHY, and a DMA
 * engine that moves when the test says so. It can also misbehave. The driver's sources are included
 * by the test with their MMIO accessors replaced by this file's.
 */
#ifndef WEIR_TESTS_FAKE_IGB_H
#define WEIR_TESTS_FAKE_IGB_H

#include "fake_phys.h"

#include "core/io.h"
#include "core/pkt.h"
#include "nics/igb/igb_regs.h"
#include "pci/pci.h"

#include <stdio.h>
#include <stdlib.h>

/* --- descriptors, as the 82576's datasheet has them; the driver uses nics/intel_adv.h --- */

/**
 * union igb_rx_desc - advanced receive descriptor, one buffer (7.1.5)
 * @read: as software writes it
 * @wb: as the device writes it back; @status holds status and errors in bits 31:0, the length in
 *      47:32 and the VLAN tag in 63:48, so that one load gets a consistent set
 *
 * @read.hdr_addr lies under @wb.status: writing 0 there takes DD away.
 */
union igb_rx_desc {
	struct {
		__le64 pkt_addr;
		__le64 hdr_addr;
	} read;
	struct {
		__le32 info;
		__le32 rss;
		__le64 status;
	} wb;
};
static_assert(sizeof(union igb_rx_desc) == 16, "a receive descriptor has 16 bytes");

#define IGB_RXD_RSS_TYPE_MASK 0xf
#define IGB_RXD_DD	      (UINT64_C(1) << 0)
#define IGB_RXD_EOP	      (UINT64_C(1) << 1)
#define IGB_RXD_VP	      (UINT64_C(1) << 3)
#define IGB_RXD_L4CS	      (UINT64_C(1) << 5)
#define IGB_RXD_IPCS	      (UINT64_C(1) << 6)
#define IGB_RXD_LEN(s)	      ((uint16_t)((s) >> 32))
#define IGB_RXD_VLAN(s)	      ((uint16_t)((s) >> 48))

/**
 * struct igb_tx_desc - advanced transmit data descriptor (7.2.2.3)
 * @addr: IOVA of the segment
 * @cmd_type_len: length, type, command
 * @olinfo: options and payload length; the device writes DD here
 */
struct igb_tx_desc {
	__le64 addr;
	__le32 cmd_type_len;
	__le32 olinfo;
};
static_assert(sizeof(struct igb_tx_desc) == 16, "a transmit descriptor has 16 bytes");

#define IGB_TXD_DTYP_CTX  (UINT32_C(2) << 20)
#define IGB_TXD_DTYP_DATA (UINT32_C(3) << 20)
#define IGB_TXD_EOP	  IGB_BIT(24)
#define IGB_TXD_IFCS	  IGB_BIT(25)
#define IGB_TXD_RS	  IGB_BIT(27)
#define IGB_TXD_DEXT	  IGB_BIT(29)
#define IGB_TXD_VLE	  IGB_BIT(30)
#define IGB_TXD_DD	  IGB_BIT(0)
#define IGB_TXD_IXSM	  IGB_BIT(8)
#define IGB_TXD_TXSM	  IGB_BIT(9)
#define IGB_TXD_PAYLEN(n) ((uint32_t)(n) << 14)

/**
 * struct igb_tx_ctx - advanced transmit context descriptor (7.2.2.2)
 * @vlan_macip_lens: VLAN tag 31:16, MACLEN 15:9, IPLEN 8:0
 * @launch_time: 0
 * @type_tucmd: type and protocol
 * @mss_l4len_idx: context 0 of the queue: 0
 */
struct igb_tx_ctx {
	__le32 vlan_macip_lens;
	__le32 launch_time;
	__le32 type_tucmd;
	__le32 mss_l4len_idx;
};
static_assert(sizeof(struct igb_tx_ctx) == 16, "a context descriptor has 16 bytes");

#define IGB_CTX_IPLEN_MAX     511
#define IGB_CTX_MACLEN_SHIFT  9
#define IGB_CTX_MACLEN_MAX    127
#define IGB_CTX_VLAN_SHIFT    16
#define IGB_CTX_TUCMD_IPV4    IGB_BIT(10)
#define IGB_CTX_TUCMD_L4T_TCP IGB_BIT(11)

#define FAKE_BAR    0x20000
#define FAKE_FRAMES 4096
#define FAKE_IOVA   UINT64_C(0x100000000)

/* A frame that the device sent, with what its descriptors said. */
struct fake_frame {
	unsigned len, segs;
	uint32_t cmd, olinfo;
	uint32_t macip, tucmd;
	uint8_t head[64];
};

struct weir_pci {
	struct weir *w;
	struct weir_pci_info info;
	struct weir_dma dma;
	unsigned n_vec, max_vec;
	bool master, closed;
};

static struct fake {
	uint32_t reg[FAKE_BAR / 4];
	uint16_t phy[32];
	uint32_t mac_lo, mac_hi;
	bool link, no_auto_rd, no_swsm;
	/* misbehaviour */
	bool gone, reset_stuck, enable_stuck, tx_stuck;
	unsigned gone_after; /* accesses until it is gone, 0 for never */
	unsigned bar_size;
	/* what was seen */
	unsigned resets, rdt_writes, tdt_writes, an_restarts, ctx_descs, rs_descs;
	uint32_t macip, tucmd;
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

static uint64_t fake_ring(unsigned reg)
{
	return (uint64_t)fake.reg[(reg + 4) / 4] << 32 | fake.reg[reg / 4];
}

static void fake_reset(void)
{
	uint32_t ext = fake.reg[IGB_CTRL_EXT / 4];

	memset(fake.reg, 0, sizeof(fake.reg));
	fake.reg[IGB_CTRL_EXT / 4] = ext & IGB_CTRL_EXT_LINK_MODE_MASK;
	fake.reg[IGB_RAL(0) / 4] = fake.mac_lo;
	fake.reg[IGB_RAH(0) / 4] = fake.mac_hi | IGB_RAH_AV;
	if (!fake.no_auto_rd)
		fake.reg[IGB_EEC / 4] = IGB_EEC_AUTO_RD;
	fake.reg[IGB_EEMNGCTL / 4] = IGB_EEMNGCTL_CFG_DONE(0) | IGB_EEMNGCTL_CFG_DONE(1);
	fake.resets++;
}

/* --- transmit --- */

static void fake_tx_data(const struct igb_tx_desc *d, struct fake_frame *f)
{
	uint32_t cmd = weir_from_le32(d->cmd_type_len), len = cmd & 0xffff;

	if (f->len < sizeof(f->head)) {
		unsigned n = weir_min_u(len, (unsigned)sizeof(f->head) - f->len);

		memcpy(f->head + f->len, fake_va(weir_from_le64(d->addr)), n);
	}
	if (!f->segs) {
		f->cmd = cmd;
		f->olinfo = weir_from_le32(d->olinfo);
		f->macip = fake.macip;
		f->tucmd = fake.tucmd;
	}
	f->len += len;
	f->segs++;
	if (!(cmd & IGB_TXD_EOP))
		return;
	fake.n_frames = (fake.n_frames + 1) % FAKE_FRAMES;
	memset(&fake.frames[fake.n_frames], 0, sizeof(*f));
}

/* A descriptor with RS is done; the head is behind it. */
static void fake_tx_report(unsigned q, struct igb_tx_desc *d, uint32_t head)
{
	uint64_t wb = fake_ring(IGB_TDWBAL(q));

	fake.rs_descs++;
	if (wb & IGB_TDWBAL_EN)
		*(__le32 *)fake_va(wb & ~UINT64_C(3)) = weir_le32(head);
	else
		d->olinfo = weir_le32(IGB_TXD_DD);
}

static void fake_tx(unsigned q)
{
	uint32_t head = fake.reg[IGB_TDH(q) / 4], size = fake.reg[IGB_TDLEN(q) / 4] / 16;
	struct igb_tx_desc *ring = fake_va(fake_ring(IGB_TDBAL(q)));

	while (head != fake.reg[IGB_TDT(q) / 4]) {
		struct igb_tx_desc *d = &ring[head];
		uint32_t cmd = weir_from_le32(d->cmd_type_len);

		if ((cmd & IGB_TXD_DTYP_DATA) == IGB_TXD_DTYP_DATA) {
			fake_tx_data(d, &fake.frames[fake.n_frames]);
		} else {
			struct igb_tx_ctx *c = (struct igb_tx_ctx *)d;

			fake.macip = weir_from_le32(c->vlan_macip_lens);
			fake.tucmd = weir_from_le32(c->type_tucmd);
			fake.ctx_descs++;
		}
		head = (head + 1) % size;
		if (cmd & IGB_TXD_RS)
			fake_tx_report(q, d, head);
	}
	fake.reg[IGB_TDH(q) / 4] = head;
}

/* --- receive --- */

static union igb_rx_desc *fake_rx_desc(unsigned q, unsigned slot)
{
	union igb_rx_desc *ring = fake_va(fake_ring(IGB_RDBAL(q)));

	return &ring[slot];
}

static unsigned fake_rx_room(unsigned q)
{
	uint32_t size = fake.reg[IGB_RDLEN(q) / 4] / 16;

	return (fake.reg[IGB_RDT(q) / 4] + size - fake.reg[IGB_RDH(q) / 4]) % size;
}

/* Write one buffer and its descriptor; @st are status and error bits, DD comes by itself. */
static bool fake_rx_seg(unsigned q, const void *data, unsigned len, uint64_t st, uint32_t info,
			uint32_t rss)
{
	uint32_t head = fake.reg[IGB_RDH(q) / 4], size = fake.reg[IGB_RDLEN(q) / 4] / 16;
	union igb_rx_desc *d = fake_rx_desc(q, head);

	if (!(fake.reg[IGB_RCTL / 4] & IGB_RCTL_RXEN) || !fake_rx_room(q))
		return false;
	if (data)
		memcpy(fake_va(weir_from_le64(d->read.pkt_addr)), data, len);
	d->wb.info = weir_le32(info);
	d->wb.rss = weir_le32(rss);
	d->wb.status = weir_le64(st | IGB_RXD_DD | (uint64_t)len << 32);
	fake.reg[IGB_RDH(q) / 4] = (head + 1) % size;
	fake.reg[IGB_EICR / 4] |= IGB_BIT(1 + q);
	return true;
}

/* Receive a frame over as many buffers as it takes. */
static inline bool fake_rx(unsigned q, const uint8_t *data, unsigned len)
{
	if (fake_rx_room(q) < (len + WEIR_BUF_ROOM - 1) / WEIR_BUF_ROOM)
		return false;
	for (; len > WEIR_BUF_ROOM; data += WEIR_BUF_ROOM, len -= WEIR_BUF_ROOM)
		fake_rx_seg(q, data, WEIR_BUF_ROOM, 0, 0, 0);
	return fake_rx_seg(q, data, len, IGB_RXD_EOP, 0, 0);
}

/* --- registers --- */

static uint32_t fake_status(void)
{
	uint32_t v = fake.reg[IGB_STATUS / 4];

	if (fake.link)
		v |= IGB_STATUS_LU | IGB_STATUS_FD | 2u << IGB_STATUS_SPEED_SHIFT;
	if (!(fake.reg[IGB_CTRL / 4] & IGB_CTRL_GIO_MASTER_DISABLE))
		v |= IGB_STATUS_GIO_MASTER_EN;
	return v;
}

static bool fake_is_gone(void)
{
	if (fake.gone_after && !--fake.gone_after)
		fake.gone = true;
	return fake.gone;
}

static uint32_t fake_read(const volatile void *bar, size_t off)
{
	size_t at = (size_t)((const volatile uint8_t *)bar - fake_bar()) + off;
	uint32_t *r = &fake.reg[at / 4], v = *r;

	if (fake_is_gone())
		return UINT32_MAX;
	if (at == IGB_STATUS)
		return fake_status();
	if (at == IGB_ICR || (at >= 0x4000 && at < 0x4200))
		*r = 0;
	/* counters of 64 bits: the low half is cleared by reading the high one */
	if (at == 0x4088 || at == 0x4090 || at == 0x40c0 || at == 0x40c8 || at == 0x4128 ||
	    at == 0x4130)
		*r = v;
	if (at == 0x408c || at == 0x4094 || at == 0x40c4 || at == 0x40cc)
		r[-1] = 0;
	if (at >= 0xc000 && at < 0xc400 && (at & 0x3f) == 0x30)
		*r = 0;
	if (at == IGB_SWSM && !fake.no_swsm)
		*r |= IGB_SWSM_SMBI;
	return v;
}

static void fake_mdic(uint32_t v)
{
	unsigned reg = v >> IGB_MDIC_REGADD_SHIFT & 31;

	if (v & IGB_MDIC_OP_WRITE) {
		fake.phy[reg] =
			(uint16_t)v & (reg ? 0xffff : (uint16_t)~IGB_PHY_CONTROL_RESTART_AN);
		if (!reg && v & IGB_PHY_CONTROL_RESTART_AN)
			fake.an_restarts++;
	}
	fake.reg[IGB_MDIC / 4] = (v & ~(uint32_t)IGB_MDIC_DATA_MASK) | fake.phy[reg] | IGB_MDIC_R;
}

static void fake_write(volatile void *bar, size_t off, uint32_t v)
{
	size_t at = (size_t)((volatile uint8_t *)bar - fake_bar()) + off;
	uint32_t *r = &fake.reg[at / 4];

	if (fake_is_gone())
		return;
	if (at == IGB_CTRL && v & IGB_CTRL_RST && !fake.reset_stuck)
		fake_reset();
	else if (at == IGB_MDIC)
		fake_mdic(v);
	else if (at == IGB_EICR)
		*r &= ~v;
	else if (at == IGB_EIMS || at == IGB_IMS)
		*r |= v;
	else if (at == IGB_EIMC)
		fake.reg[IGB_EIMS / 4] &= ~v;
	else if (at == IGB_IMC)
		fake.reg[IGB_IMS / 4] &= ~v;
	else if (at >= 0xc000 && (at & 0x3f) == 0x28 && fake.enable_stuck)
		*r = v & ~IGB_XDCTL_ENABLE;
	else
		*r = v;
	if (at >= 0xc000 && at < 0xc400 && (at & 0x3f) == 0x18)
		fake.rdt_writes++;
	if (at >= 0xe000 && at < 0xe400 && (at & 0x3f) == 0x18) {
		fake.tdt_writes++;
		if (!fake.tx_stuck)
			fake_tx((unsigned)(at - 0xe000) / 0x40);
	}
}

/* --- what pci/ would do --- */

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
	return !index && off + len <= fake.bar_size;
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
