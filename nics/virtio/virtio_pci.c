/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The PCI transport, modern interface (4.1): structures in BARs, found through vendor-specific
 * capabilities. A device writes these, so no offset is used before it was checked.
 */
#include "nics/virtio/virtio.h"
#include <stdlib.h>

#ifndef RESET_TIMEOUT_US
#define RESET_TIMEOUT_US 1000000
#endif
#define RESET_POLL_US 50
/* A device that changes its configuration faster than we read it is broken. */
#define GENERATION_TRIES 100
/* No more fit into config space: a longer chain is a loop. */
#define MAX_CAPS 48

/* Where a structure lies. */
struct area {
	volatile char *va;
	uint32_t len;
};

struct virtio_pci {
	struct virtio_transport t;
	struct weir_pci *d;
	struct area common;
	struct area notify;
	struct area device;
	uint32_t notify_mult;
};

static struct virtio_pci *to_pci(struct virtio_transport *t)
{
	return weir_container_of(t, struct virtio_pci, t);
}

static uint16_t common_read16(const struct virtio_pci *p, unsigned off)
{
	return weir_mmio_read16(p->common.va, off);
}

static void common_write16(const struct virtio_pci *p, unsigned off, uint16_t v)
{
	weir_mmio_write16(p->common.va, off, v);
}

/* 4.1.3.1: 64-bit fields as two halves. */
static void common_write64(const struct virtio_pci *p, unsigned off, uint64_t v)
{
	weir_mmio_write32(p->common.va, off, (uint32_t)v);
	weir_mmio_write32(p->common.va, off + 4, (uint32_t)(v >> 32));
}

/* --- capabilities --- */

struct cap {
	unsigned pos;
	uint32_t len, type, bar, offset, length;
};

static int cap_read(struct weir_pci *d, unsigned pos, struct cap *c)
{
	int err = 0;

	c->pos = pos;
	err |= weir_pci_cfg_read(d, pos + VIRTIO_CAP_LEN, 1, &c->len);
	err |= weir_pci_cfg_read(d, pos + VIRTIO_CAP_CFG_TYPE, 1, &c->type);
	err |= weir_pci_cfg_read(d, pos + VIRTIO_CAP_BAR, 1, &c->bar);
	err |= weir_pci_cfg_read(d, pos + VIRTIO_CAP_OFFSET, 4, &c->offset);
	err |= weir_pci_cfg_read(d, pos + VIRTIO_CAP_LENGTH, 4, &c->length);
	return err ? -EIO : 0;
}

/* Map what a capability describes. Return: 0, or -EINVAL with a debug message why not. */
static int cap_map(struct virtio_pci *p, const struct cap *c, uint32_t min_len, uint32_t align,
		   struct area *a)
{
	uint64_t end = (uint64_t)c->offset + c->length;
	struct weir_bar bar;

	if (a->va)
		return 0; /* 4.1.4.1: the first one is the device's preferred one */
	if (c->len < VIRTIO_CAP_SIZE || c->bar > 5 || c->length < min_len || c->offset % align ||
	    end > UINT32_MAX) {
		weir_debug(p->t.w,
			   "%s: virtio capability at 0x%x of type %u is invalid (BAR %u, offset "
			   "0x%x, length 0x%x): skipped",
			   p->t.name, c->pos, c->type, c->bar, c->offset, c->length);
		return -EINVAL;
	}
	if (weir_pci_bar(p->d, c->bar, &bar) || !weir_bar_ok(p->d, c->bar, c->offset, c->length)) {
		weir_debug(p->t.w,
			   "%s: virtio capability at 0x%x: 0x%x bytes at 0x%x of BAR %u cannot be "
			   "mapped: skipped",
			   p->t.name, c->pos, c->length, c->offset, c->bar);
		return -EINVAL;
	}
	a->va = (volatile char *)bar.va + c->offset;
	a->len = c->length;
	return 0;
}

static void cap_use(struct virtio_pci *p, const struct cap *c)
{
	uint32_t mult;

	switch (c->type) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		cap_map(p, c, VIRTIO_COMMON_SIZE, 4, &p->common);
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		cap_map(p, c, VIRTIO_NET_CFG_STATUS, 4, &p->device);
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		if (p->notify.va || c->len < VIRTIO_CAP_NOTIFY_SIZE ||
		    weir_pci_cfg_read(p->d, c->pos + VIRTIO_CAP_NOTIFY_MULT, 4, &mult))
			break;
		/* 4.1.4.4.1: an even power of two, or 0 */
		if ((mult & 1) || cap_map(p, c, 2, 2, &p->notify))
			break;
		p->notify_mult = mult;
		break;
	default:
		/* ISR: MSI-X takes its place; the others are not needed. */
		break;
	}
}

static int find_areas(struct virtio_pci *p)
{
	struct cap c;
	int pos = 0;

	for (unsigned steps = 0; steps < MAX_CAPS; steps++) {
		pos = weir_pci_find_cap(p->d, VIRTIO_CAP_ID, (unsigned)pos);
		if (pos <= 0)
			break;
		if (!cap_read(p->d, (unsigned)pos, &c))
			cap_use(p, &c);
	}
	if (p->common.va && p->notify.va && p->device.va)
		return 0;
	return weir_fail(
		p->t.w, ENODEV, "virtio-not-modern",
		"%s: no usable modern virtio interface (missing:%s%s%s); a legacy-only device "
		"cannot be used, give it disable-legacy=on,disable-modern=off",
		p->t.name, p->common.va ? "" : " common", p->notify.va ? "" : " notify",
		p->device.va ? "" : " device");
}

/* --- operations --- */

static int pci_status(struct virtio_transport *t)
{
	return weir_mmio_read8(to_pci(t)->common.va, VIRTIO_COMMON_DEVICE_STATUS);
}

static void pci_set_status(struct virtio_transport *t, uint8_t status)
{
	weir_mmio_write8(to_pci(t)->common.va, VIRTIO_COMMON_DEVICE_STATUS, status);
}

static int pci_reset(struct virtio_transport *t)
{
	struct weir_deadline end = weir_deadline_us(RESET_TIMEOUT_US);
	int status;

	pci_set_status(t, 0);
	for (;;) {
		status = pci_status(t);
		if (!status)
			return 0;
		if (status == VIRTIO_STATUS_GONE)
			return -ENODEV;
		if (weir_deadline_passed(end))
			break;
		weir_sleep_us(RESET_POLL_US);
	}
	return weir_fail(t->w, ETIMEDOUT, "virtio-reset-timeout",
			 "%s: the device is not through with its reset after %u ms (status 0x%02x)",
			 t->name, RESET_TIMEOUT_US / 1000, status);
}

static int pci_features(struct virtio_transport *t, uint64_t *features)
{
	volatile char *c = to_pci(t)->common.va;

	weir_mmio_write32(c, VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 0);
	*features = weir_mmio_read32(c, VIRTIO_COMMON_DEVICE_FEATURE);
	weir_mmio_write32(c, VIRTIO_COMMON_DEVICE_FEATURE_SELECT, 1);
	*features |= (uint64_t)weir_mmio_read32(c, VIRTIO_COMMON_DEVICE_FEATURE) << 32;
	return *features == UINT64_MAX ? -ENODEV : 0;
}

static int pci_set_features(struct virtio_transport *t, uint64_t features)
{
	volatile char *c = to_pci(t)->common.va;

	weir_mmio_write32(c, VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 0);
	weir_mmio_write32(c, VIRTIO_COMMON_DRIVER_FEATURE, (uint32_t)features);
	weir_mmio_write32(c, VIRTIO_COMMON_DRIVER_FEATURE_SELECT, 1);
	weir_mmio_write32(c, VIRTIO_COMMON_DRIVER_FEATURE, (uint32_t)(features >> 32));
	return 0;
}

/* 4.1.3.1: a field is read by its own width; byte arrays byte by byte. */
static void config_copy(volatile char *va, unsigned off, uint8_t *out, unsigned len)
{
	uint32_t v;

	if (len == 4 || len == 2) {
		v = len == 4 ? weir_mmio_read32(va, off) : weir_mmio_read16(va, off);
		memcpy(out, &v, len);
		return;
	}
	for (unsigned i = 0; i < len; i++)
		out[i] = weir_mmio_read8(va, off + i);
}

static int pci_config_read(struct virtio_transport *t, unsigned off, void *buf, unsigned len)
{
	struct virtio_pci *p = to_pci(t);
	uint8_t before, after;

	if (off + len > p->device.len)
		return -EINVAL;
	for (unsigned i = 0; i < GENERATION_TRIES; i++) {
		before = weir_mmio_read8(p->common.va, VIRTIO_COMMON_CONFIG_GENERATION);
		config_copy(p->device.va, off, buf, len);
		after = weir_mmio_read8(p->common.va, VIRTIO_COMMON_CONFIG_GENERATION);
		if (before == after)
			return 0;
	}
	return -EIO;
}

static unsigned pci_queue_size(struct virtio_transport *t, unsigned index)
{
	struct virtio_pci *p = to_pci(t);
	unsigned size;

	common_write16(p, VIRTIO_COMMON_QUEUE_SELECT, (uint16_t)index);
	size = common_read16(p, VIRTIO_COMMON_QUEUE_SIZE);
	return size > VIRTQ_SIZE_MAX ? 0 : size;
}

static int set_vector(struct virtio_pci *p, unsigned reg, uint16_t vector)
{
	common_write16(p, reg, vector);
	if (common_read16(p, reg) == vector)
		return 0;
	return weir_fail(p->t.w, EBUSY, "virtio-vector",
			 "%s: the device could not assign interrupt vector %u; give it more with "
			 "vectors=N",
			 p->t.name, vector);
}

/* The queue's doorbell (4.1.4.4), once its offset is known to lie in the structure. */
static int find_doorbell(struct virtio_pci *p, unsigned index, volatile void **doorbell)
{
	unsigned off = common_read16(p, VIRTIO_COMMON_QUEUE_NOTIFY_OFF);
	uint64_t at = (uint64_t)off * p->notify_mult;

	if (at + 2 > p->notify.len)
		return weir_fail(
			p->t.w, EIO, "virtio-notify",
			"%s: queue %u has its doorbell at 0x%llx of a structure of 0x%x bytes",
			p->t.name, index, (unsigned long long)at, p->notify.len);
	*doorbell = p->notify.va + at;
	return 0;
}

static int pci_queue_enable(struct virtio_transport *t, const struct virtio_queue_conf *qc,
			    volatile void **doorbell)
{
	struct virtio_pci *p = to_pci(t);
	unsigned max = pci_queue_size(t, qc->index);
	int err;

	if (max < qc->size)
		return weir_fail(t->w, EIO, "virtio-queue-size",
				 "%s: queue %u has room for %u descriptors, %u are needed", t->name,
				 qc->index, max, qc->size);
	common_write16(p, VIRTIO_COMMON_QUEUE_SIZE, (uint16_t)qc->size);
	err = set_vector(p, VIRTIO_COMMON_QUEUE_MSIX_VECTOR, qc->vector);
	if (err)
		return err;
	common_write64(p, VIRTIO_COMMON_QUEUE_DESC, weir_dma_iova(&t->dma, qc->desc));
	common_write64(p, VIRTIO_COMMON_QUEUE_DRIVER, weir_dma_iova(&t->dma, qc->driver));
	common_write64(p, VIRTIO_COMMON_QUEUE_DEVICE, weir_dma_iova(&t->dma, qc->device));
	err = find_doorbell(p, qc->index, doorbell);
	if (!err)
		common_write16(p, VIRTIO_COMMON_QUEUE_ENABLE, 1);
	return err;
}

static int pci_set_dma(struct virtio_transport *t, bool on)
{
	return weir_pci_bus_master(to_pci(t)->d, on);
}

static int pci_max_vectors(struct virtio_transport *t)
{
	return weir_pci_msix_count(to_pci(t)->d);
}

static int pci_vectors(struct virtio_transport *t, unsigned n)
{
	return weir_pci_msix(to_pci(t)->d, n);
}

static int pci_vector_fd(struct virtio_transport *t, unsigned i)
{
	return weir_pci_msix_fd(to_pci(t)->d, i);
}

static int pci_config_vector(struct virtio_transport *t, uint16_t vector)
{
	return set_vector(to_pci(t), VIRTIO_COMMON_CONFIG_MSIX_VECTOR, vector);
}

static void pci_close(struct virtio_transport *t)
{
	weir_pci_close(to_pci(t)->d);
	free(to_pci(t));
}

static const struct virtio_transport_ops virtio_pci_ops = {
	.reset = pci_reset,
	.status = pci_status,
	.set_status = pci_set_status,
	.features = pci_features,
	.set_features = pci_set_features,
	.config_read = pci_config_read,
	.queue_size = pci_queue_size,
	.queue_enable = pci_queue_enable,
	.set_dma = pci_set_dma,
	.max_vectors = pci_max_vectors,
	.vectors = pci_vectors,
	.vector_fd = pci_vector_fd,
	.config_vector = pci_config_vector,
	.close = pci_close,
};

int virtio_pci_open(struct weir_pci *d, struct virtio_transport **out)
{
	struct virtio_pci *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->d = d;
	p->t.ops = &virtio_pci_ops;
	p->t.w = weir_pci_handle(d);
	p->t.name = weir_pci_name(d);
	p->t.dma = *weir_pci_dma(d);
	p->t.is_process = weir_pci_info_of(d)->is_process;
	p->t.node = weir_pci_info_of(d)->node;
	/* Both backends there are translate; one without an IOMMU would say so here. */
	p->t.translated = true;
	err = find_areas(p);
	if (err) {
		free(p);
		return err;
	}
	*out = &p->t;
	return 0;
}

void virtio_pci_abandon(struct virtio_transport *t)
{
	free(to_pci(t));
}
