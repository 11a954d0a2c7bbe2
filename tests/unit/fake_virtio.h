/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio network device made of plain functions: registers behind the MMIO accessors, and both
 * ring layouts from the device's side. It reaches memory by IOVA only, and checks each access.
 */
#ifndef WEIR_TESTS_FAKE_VIRTIO_H
#define WEIR_TESTS_FAKE_VIRTIO_H

#include "fake_phys.h"

#include "core/io.h"
#include "nics/nics.h"
#include "nics/virtio_regs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define FAKE_QUEUES   9
#define FAKE_IOVA     0x180000000ull
#define FAKE_COMMON   0x000
#define FAKE_ISR      0x080
#define FAKE_DEVICE   0x100
#define FAKE_NOTIFY   0x200
#define FAKE_MULT     4
#define FAKE_BAR_SIZE 0x400
#define FAKE_CHAIN    40

struct fake_queue {
	unsigned max, size;
	uint16_t vector, notify_off;
	uint64_t desc, driver, device;
	bool enabled;
	/* positions of the device: packed ones count on, so that their wrap is the bit above */
	uint16_t avail, used;
	unsigned kicks;
};

/* A chain that the device took out of a ring. */
struct fake_chain {
	unsigned id, n, descs;
	bool indirect;
	struct {
		uint8_t *va;
		uint64_t addr;
		uint32_t len;
		bool write;
	} seg[FAKE_CHAIN];
};

struct fake_cmd {
	uint8_t class, cmd;
	unsigned len;
	uint8_t data[1200];
};

struct fake {
	uint8_t cfg[256];
	char bar[FAKE_BAR_SIZE];
	uint8_t net[24];
	uint64_t offered, accepted, refuse;
	uint32_t dev_sel, drv_sel;
	uint16_t sel, config_vector, num_queues;
	uint8_t status, generation, ack;
	bool gone, wild, stuck, mute, wrong_id, no_vectors, master;
	unsigned vectors, closed;
	struct fake_queue q[FAKE_QUEUES];
	struct weir *w;
	struct weir_arena *arena;
	struct weir_dma dma;
	struct weir_pci_info info;
	struct fake_cmd cmd[64];
	unsigned n_cmds;
	char log[512];
};

static struct fake *fake;

/* --- memory, as the device sees it --- */

static uint8_t *fake_mem(uint64_t iova, size_t len)
{
	struct weir_arena_info i = weir_arena_info(fake->arena);
	char *va = fake_dma_va(&fake->dma, iova);

	assert_true(fake->master);
	assert_true(va >= i.base && va + len <= i.base + i.size);
	return (uint8_t *)va;
}

static struct pvirtq_desc *fake_pdesc(struct fake_queue *q, unsigned pos)
{
	return (void *)fake_mem(q->desc + (pos & (q->size - 1)) * 16, 16);
}

static struct virtq_avail *fake_avail(struct fake_queue *q)
{
	return (void *)fake_mem(q->driver, 6 + 2 * q->size);
}

static struct virtq_used *fake_used(struct fake_queue *q)
{
	return (void *)fake_mem(q->device, 6 + 8 * q->size);
}

static bool fake_packed(void)
{
	return fake->accepted & VIRTIO_F_RING_PACKED;
}

static void fake_seg(struct fake_chain *c, uint64_t addr, uint32_t len, bool write)
{
	assert_true(c->n < FAKE_CHAIN);
	assert_true(len > 0);
	c->seg[c->n].addr = addr;
	c->seg[c->n].va = fake_mem(addr, len);
	c->seg[c->n].len = len;
	c->seg[c->n++].write = write;
}

static void fake_indirect(struct fake_chain *c, uint64_t table, uint32_t bytes, bool packed)
{
	struct virtq_desc *t = (void *)fake_mem(table, bytes);
	unsigned n = bytes / 16;

	assert_true(fake->accepted & VIRTIO_F_INDIRECT_DESC);
	assert_int_equal(bytes % 16, 0);
	c->indirect = true;
	for (unsigned i = 0; i < n; i++) {
		fake_seg(c, weir_from_le64(t[i].addr), weir_from_le32(t[i].len), false);
		if (packed) {
			assert_int_equal(weir_from_le16(t[i].next), 0);
			continue;
		}
		assert_int_equal(weir_from_le16(t[i].flags), i + 1 < n ? VIRTQ_DESC_F_NEXT : 0);
		if (i + 1 < n)
			assert_int_equal(weir_from_le16(t[i].next), i + 1);
	}
}

static bool fake_pop_split(struct fake_queue *q, struct fake_chain *c)
{
	struct virtq_avail *a = fake_avail(q);
	uint16_t flags = VIRTQ_DESC_F_NEXT, id;

	if (q->avail == weir_from_le16(a->idx))
		return false;
	id = weir_from_le16(a->ring[q->avail++ & (q->size - 1)]);
	c->id = id;
	while (flags & VIRTQ_DESC_F_NEXT) {
		struct virtq_desc *d = (void *)fake_mem(q->desc + id * 16u, 16);

		assert_true(id < q->size);
		flags = weir_from_le16(d->flags);
		if (flags & VIRTQ_DESC_F_INDIRECT)
			fake_indirect(c, weir_from_le64(d->addr), weir_from_le32(d->len), false);
		else
			fake_seg(c, weir_from_le64(d->addr), weir_from_le32(d->len),
				 flags & VIRTQ_DESC_F_WRITE);
		id = weir_from_le16(d->next);
		c->descs++;
	}
	return true;
}

static bool fake_pop_packed(struct fake_queue *q, struct fake_chain *c)
{
	uint16_t flags = VIRTQ_DESC_F_NEXT;

	while (flags & VIRTQ_DESC_F_NEXT) {
		struct pvirtq_desc *d = fake_pdesc(q, q->avail);
		bool wrap = !(q->avail & q->size);

		flags = weir_from_le16(d->flags);
		if (!!(flags & PVIRTQ_DESC_F_AVAIL) != wrap ||
		    !!(flags & PVIRTQ_DESC_F_USED) == wrap) {
			/* Else the head would have come before its chain, or we wrote over it. */
			assert_true(c->descs == 0 || fake->wild);
			return false;
		}
		if (flags & VIRTQ_DESC_F_INDIRECT)
			fake_indirect(c, weir_from_le64(d->addr), weir_from_le32(d->len), true);
		else
			fake_seg(c, weir_from_le64(d->addr), weir_from_le32(d->len),
				 flags & VIRTQ_DESC_F_WRITE);
		c->id = weir_from_le16(d->id);
		c->descs++;
		q->avail++;
	}
	return true;
}

/* Next chain that the driver made available, false if there is none. */
static bool fake_pop(unsigned index, struct fake_chain *c)
{
	struct fake_queue *q = &fake->q[index];

	assert_true(q->enabled && (fake->status & VIRTIO_STATUS_DRIVER_OK));
	memset(c, 0, sizeof(*c));
	return fake_packed() ? fake_pop_packed(q, c) : fake_pop_split(q, c);
}

/* Used, with any id and length. */
static void fake_push(unsigned index, unsigned id, uint32_t len, unsigned descs)
{
	struct fake_queue *q = &fake->q[index];

	if (fake_packed()) {
		struct pvirtq_desc *d = fake_pdesc(q, q->used);
		uint16_t both = PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED;

		d->id = weir_le16((uint16_t)id);
		d->len = weir_le32(len);
		d->flags = weir_le16(q->used & q->size ? 0 : both);
		q->used += descs;
	} else {
		struct virtq_used *u = fake_used(q);

		u->ring[q->used & (q->size - 1)].id = weir_le32(id);
		u->ring[q->used & (q->size - 1)].len = weir_le32(len);
		u->idx = weir_le16(++q->used);
	}
}

/* --- control queue --- */

/* 5.1.2: behind all pairs, which are one as long as nobody wants several. */
static unsigned fake_ctrl_index(void)
{
	bool mq = fake->accepted & (VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS);

	return mq ? 2u * fake->net[VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS] : 2;
}

static void fake_ctrl(void)
{
	struct fake_chain c;

	while (!fake->mute && fake_pop(fake_ctrl_index(), &c)) {
		struct fake_cmd *m = &fake->cmd[fake->n_cmds++ % WEIR_ARRAY_SIZE(fake->cmd)];

		assert_int_equal(c.n, 3);
		assert_int_equal(c.seg[0].len, 2);
		assert_int_equal(c.seg[2].len, 1);
		assert_false(c.seg[0].write || c.seg[1].write);
		assert_true(c.seg[2].write);
		m->class = c.seg[0].va[0];
		m->cmd = c.seg[0].va[1];
		m->len = c.seg[1].len;
		memcpy(m->data, c.seg[1].va, m->len);
		*c.seg[2].va = fake->ack;
		fake_push(fake_ctrl_index(), c.id + fake->wrong_id, 1, c.descs);
	}
}

static inline struct fake_cmd *fake_find_cmd(uint8_t class, uint8_t cmd)
{
	for (unsigned i = fake->n_cmds; i-- > 0;)
		if (fake->cmd[i].class == class && fake->cmd[i].cmd == cmd)
			return &fake->cmd[i];
	return NULL;
}

/* --- registers --- */

static void fake_dev_reset(void)
{
	for (unsigned i = 0; i < FAKE_QUEUES; i++) {
		unsigned max = fake->q[i].max;

		fake->q[i] = (struct fake_queue){ .max = max,
						  .size = max,
						  .vector = VIRTIO_MSI_NO_VECTOR,
						  .notify_off = (uint16_t)i };
	}
	fake->accepted = 0;
	fake->config_vector = VIRTIO_MSI_NO_VECTOR;
	fake->status = 0;
}

static uint64_t fake_common_read(unsigned off)
{
	struct fake_queue *q = &fake->q[fake->sel % FAKE_QUEUES];
	bool exists = fake->sel < fake->num_queues;

	switch (off) {
	case VIRTIO_COMMON_DEVICE_FEATURE:
		return (uint32_t)(fake->offered >> (fake->dev_sel ? 32 : 0));
	case VIRTIO_COMMON_CONFIG_MSIX_VECTOR:
		return fake->config_vector;
	case VIRTIO_COMMON_NUM_QUEUES:
		return fake->num_queues;
	case VIRTIO_COMMON_DEVICE_STATUS:
		return fake->status;
	case VIRTIO_COMMON_CONFIG_GENERATION:
		return fake->generation;
	case VIRTIO_COMMON_QUEUE_SIZE:
		return exists ? q->size : 0;
	case VIRTIO_COMMON_QUEUE_MSIX_VECTOR:
		return q->vector;
	case VIRTIO_COMMON_QUEUE_NOTIFY_OFF:
		return q->notify_off;
	default:
		fail_msg("read of common register 0x%x", off);
		return 0;
	}
}

static void fake_set64(uint64_t *x, bool high, uint32_t v)
{
	*x = high ? (*x & UINT32_MAX) | (uint64_t)v << 32 : (*x & ~(uint64_t)UINT32_MAX) | v;
}

static void fake_set_status(uint8_t v)
{
	if (!v) {
		if (!fake->stuck)
			fake_dev_reset();
		return;
	}
	assert_int_equal(v & fake->status, fake->status);
	if (v & VIRTIO_STATUS_DRIVER_OK)
		assert_true(fake->master);
	if ((v & VIRTIO_STATUS_FEATURES_OK) && (fake->accepted & fake->refuse))
		v &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
	/* As QEMU does it; a reset does not bring them back. */
	if ((v & ~fake->status) & VIRTIO_STATUS_FEATURES_OK)
		fake->num_queues =
			(fake->accepted & (VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS)) ? FAKE_QUEUES : 3;
	fake->status = v;
}

static void fake_common_write(unsigned off, uint32_t v)
{
	struct fake_queue *q = &fake->q[fake->sel % FAKE_QUEUES];

	switch (off) {
	case VIRTIO_COMMON_DEVICE_FEATURE_SELECT:
		fake->dev_sel = v;
		break;
	case VIRTIO_COMMON_DRIVER_FEATURE_SELECT:
		fake->drv_sel = v;
		break;
	case VIRTIO_COMMON_DRIVER_FEATURE:
		fake_set64(&fake->accepted, fake->drv_sel, v);
		assert_int_equal(fake->accepted & ~fake->offered, 0);
		break;
	case VIRTIO_COMMON_CONFIG_MSIX_VECTOR:
		fake->config_vector = fake->no_vectors ? VIRTIO_MSI_NO_VECTOR : (uint16_t)v;
		break;
	case VIRTIO_COMMON_DEVICE_STATUS:
		fake_set_status((uint8_t)v);
		break;
	case VIRTIO_COMMON_QUEUE_SELECT:
		fake->sel = (uint16_t)v;
		break;
	case VIRTIO_COMMON_QUEUE_SIZE:
		assert_true(v <= q->max);
		q->size = v;
		break;
	case VIRTIO_COMMON_QUEUE_MSIX_VECTOR:
		q->vector = fake->no_vectors ? VIRTIO_MSI_NO_VECTOR : (uint16_t)v;
		break;
	case VIRTIO_COMMON_QUEUE_ENABLE:
		assert_true(fake->status & VIRTIO_STATUS_FEATURES_OK);
		assert_true(fake->sel < fake->num_queues);
		q->enabled = true;
		break;
	default:
		assert_true(off >= VIRTIO_COMMON_QUEUE_DESC && off < VIRTIO_COMMON_SIZE);
		fake_set64(off < VIRTIO_COMMON_QUEUE_DRIVER   ? &q->desc
			   : off < VIRTIO_COMMON_QUEUE_DEVICE ? &q->driver
							      : &q->device,
			   off & 4, v);
	}
}

static uint32_t fake_read(const volatile void *bar, size_t off, unsigned width)
{
	size_t at = (size_t)((const volatile char *)bar - fake->bar) + off;
	uint32_t v = 0;

	assert_true(at + width <= FAKE_BAR_SIZE);
	if (fake->gone)
		return width == 4 ? UINT32_MAX : (1u << (8 * width)) - 1;
	if (at < FAKE_COMMON + VIRTIO_COMMON_SIZE)
		return (uint32_t)fake_common_read((unsigned)at - FAKE_COMMON);
	assert_true(at >= FAKE_DEVICE && at + width <= FAKE_DEVICE + sizeof(fake->net));
	memcpy(&v, &fake->net[at - FAKE_DEVICE], width);
	return v;
}

static void fake_write(volatile void *bar, size_t off, uint32_t v, unsigned width)
{
	size_t at = (size_t)((volatile char *)bar - fake->bar) + off;

	assert_true(at + width <= FAKE_BAR_SIZE);
	if (fake->gone)
		return;
	if (at < FAKE_COMMON + VIRTIO_COMMON_SIZE) {
		fake_common_write((unsigned)at - FAKE_COMMON, v);
		return;
	}
	assert_true(at >= FAKE_NOTIFY && width == 2);
	assert_int_equal(at, FAKE_NOTIFY + v * FAKE_MULT);
	fake->q[v].kicks++;
	if ((fake->accepted & VIRTIO_NET_F_CTRL_VQ) && v == fake_ctrl_index())
		fake_ctrl();
}

static inline uint32_t fake_read32(const volatile void *bar, size_t off)
{
	return fake_read(bar, off, 4);
}

static inline uint16_t fake_read16(const volatile void *bar, size_t off)
{
	return (uint16_t)fake_read(bar, off, 2);
}

static inline uint8_t fake_read8(const volatile void *bar, size_t off)
{
	return (uint8_t)fake_read(bar, off, 1);
}

#define weir_mmio_read32	       fake_read32
#define weir_mmio_read16	       fake_read16
#define weir_mmio_read8		       fake_read8
#define weir_mmio_write32(bar, off, v) fake_write(bar, off, v, 4)
#define weir_mmio_write16(bar, off, v) fake_write(bar, off, v, 2)
#define weir_mmio_write8(bar, off, v)  fake_write(bar, off, v, 1)

/* --- what pci/ does --- */

struct weir *weir_pci_handle(const struct weir_pci *d)
{
	(void)d;
	return fake->w;
}

const struct weir_pci_info *weir_pci_info_of(const struct weir_pci *d)
{
	(void)d;
	return &fake->info;
}

const char *weir_pci_name(const struct weir_pci *d)
{
	(void)d;
	return "0000:00:03.0";
}

const struct weir_dma *weir_pci_dma(const struct weir_pci *d)
{
	(void)d;
	return &fake->dma;
}

int weir_pci_cfg_read(struct weir_pci *d, unsigned off, unsigned size, uint32_t *v)
{
	(void)d;
	if (off + size > sizeof(fake->cfg))
		return -EINVAL;
	*v = 0;
	memcpy(v, &fake->cfg[off], size);
	return 0;
}

int weir_pci_find_cap(struct weir_pci *d, unsigned id, unsigned after)
{
	(void)d;
	for (unsigned p = after ? fake->cfg[after + 1] : fake->cfg[0x34]; p; p = fake->cfg[p + 1])
		if (fake->cfg[p] == id)
			return (int)p;
	return 0;
}

int weir_pci_bus_master(struct weir_pci *d, bool on)
{
	(void)d;
	fake->master = on;
	return 0;
}

int weir_pci_bar(struct weir_pci *d, unsigned index, struct weir_bar *bar)
{
	(void)d;
	assert_true(index < 6);
	*bar = (struct weir_bar){ .va = fake->bar, .size = FAKE_BAR_SIZE };
	return index == 4 ? 0 : -ENODEV;
}

bool weir_bar_ok(struct weir_pci *d, unsigned index, uint64_t off, uint64_t len)
{
	(void)d;
	return index == 4 && off <= FAKE_BAR_SIZE && len <= FAKE_BAR_SIZE - off;
}

int weir_pci_msix(struct weir_pci *d, unsigned n)
{
	(void)d;
	fake->vectors = n;
	return 0;
}

int weir_pci_msix_count(struct weir_pci *d)
{
	(void)d;
	return 4;
}

int weir_pci_msix_fd(struct weir_pci *d, unsigned i)
{
	(void)d;
	return i < fake->vectors ? 100 + (int)i : -EINVAL;
}

void weir_pci_close(struct weir_pci *d)
{
	(void)d;
	fake->closed++;
}

/* --- making one --- */

static void fake_add_cap(unsigned pos, unsigned next, unsigned type, uint32_t off, uint32_t len)
{
	uint8_t *c = &fake->cfg[pos];
	uint32_t mult = FAKE_MULT;

	c[0] = VIRTIO_CAP_ID;
	c[1] = (uint8_t)next;
	c[VIRTIO_CAP_LEN] = VIRTIO_CAP_NOTIFY_SIZE;
	c[VIRTIO_CAP_CFG_TYPE] = (uint8_t)type;
	c[VIRTIO_CAP_BAR] = 4;
	memcpy(&c[VIRTIO_CAP_OFFSET], &off, 4);
	memcpy(&c[VIRTIO_CAP_LENGTH], &len, 4);
	memcpy(&c[VIRTIO_CAP_NOTIFY_MULT], &mult, 4);
}

static void fake_put16(unsigned off, uint16_t v)
{
	memcpy(&fake->net[off], &v, 2);
}

static void fake_put32(unsigned off, uint32_t v)
{
	memcpy(&fake->net[off], &v, 4);
}

/* As QEMU makes it with mq=on,rss=on,hash=on,iommu_platform=on: four pairs. */
static void fake_defaults(bool packed)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

	fake->cfg[0x34] = 0x40;
	fake_add_cap(0x40, 0x54, VIRTIO_PCI_CAP_COMMON_CFG, FAKE_COMMON, VIRTIO_COMMON_SIZE);
	fake_add_cap(0x54, 0x68, VIRTIO_PCI_CAP_ISR_CFG, FAKE_ISR, 4);
	fake_add_cap(0x68, 0x7c, VIRTIO_PCI_CAP_DEVICE_CFG, FAKE_DEVICE, sizeof(fake->net));
	fake_add_cap(0x7c, 0, VIRTIO_PCI_CAP_NOTIFY_CFG, FAKE_NOTIFY, FAKE_QUEUES * FAKE_MULT);
	fake->offered = VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_ORDER_PLATFORM |
			VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_NET_F_MAC |
			VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_STATUS | VIRTIO_NET_F_CTRL_VQ |
			VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_VLAN | VIRTIO_NET_F_MQ |
			VIRTIO_NET_F_CTRL_MAC_ADDR | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM |
			VIRTIO_NET_F_RSS | VIRTIO_NET_F_HASH_REPORT | VIRTIO_NET_F_SPEED_DUPLEX |
			(packed ? VIRTIO_F_RING_PACKED : 0);
	memcpy(fake->net, mac, 6);
	fake_put16(VIRTIO_NET_CFG_STATUS, VIRTIO_NET_S_LINK_UP);
	fake_put16(VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS, 4);
	fake_put32(VIRTIO_NET_CFG_SPEED, UINT32_MAX);
	fake->net[VIRTIO_NET_CFG_DUPLEX] = 0xff;
	fake->net[VIRTIO_NET_CFG_RSS_MAX_KEY_SIZE] = 40;
	fake_put16(VIRTIO_NET_CFG_RSS_MAX_RETA_LENGTH, 128);
	fake_put32(VIRTIO_NET_CFG_SUPPORTED_HASHES, 0x1ff);
	fake->num_queues = FAKE_QUEUES;
	for (unsigned i = 0; i < FAKE_QUEUES; i++)
		fake->q[i].max = 64;
	fake->info.node = -1;
	fake_dev_reset();
}

#endif
