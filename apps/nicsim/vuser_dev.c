/* SPDX-License-Identifier: BSD-3-Clause */
/* Regions, interrupts and reset, as messages see them. */
#include "apps/nicsim/vuser.h"

#include <linux/vfio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const uint32_t region_size[VU_N_REGIONS] = {
	[VFIO_PCI_BAR0_REGION_INDEX] = NIC_BAR0,
	[VFIO_PCI_BAR2_REGION_INDEX] = PCICFG_BAR_IO,
	[VFIO_PCI_BAR4_REGION_INDEX] = PCICFG_BAR_MSIX,
	[VFIO_PCI_CONFIG_REGION_INDEX] = PCICFG_SIZE,
};

static const uint32_t irq_count[VU_N_IRQS] = {
	[VFIO_PCI_INTX_IRQ_INDEX] = 1,
	[VFIO_PCI_MSI_IRQ_INDEX] = 1,
	[VFIO_PCI_MSIX_IRQ_INDEX] = NIC_VECTORS,
	[VFIO_PCI_ERR_IRQ_INDEX] = 1,
	[VFIO_PCI_REQ_IRQ_INDEX] = 1,
};

/* The pages with the doorbells can be mapped; all else has side effects. */
static void add_sparse(struct vu *v)
{
	struct vu_cap_sparse *s = vu_out(v, sizeof(*s) + 2 * sizeof(s->areas[0]));

	s->cap.id = VU_CAP_SPARSE;
	s->cap.version = 1;
	s->n = 2;
	s->areas[0].offset = R_RXQ;
	s->areas[0].size = NIC_PAGE;
	s->areas[1].offset = R_TXQ;
	s->areas[1].size = NIC_PAGE;
}

int vu_region_info(struct vu *v, const void *msg, size_t len)
{
	const struct vu_region_info *in = msg;
	size_t need = sizeof(*in);
	struct vu_region_info *out;
	bool map;

	if (len < sizeof(*in) || in->argsz < sizeof(*in) || in->index >= VU_N_REGIONS)
		return -EINVAL;
	map = in->index == VFIO_PCI_BAR0_REGION_INDEX && !v->no_mmap;
	if (map)
		need += sizeof(struct vu_cap_sparse) + 32;
	out = vu_out(v, sizeof(*out));
	out->argsz = (uint32_t)need;
	out->index = in->index;
	out->size = region_size[in->index];
	if (out->size)
		out->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (!map)
		return 0;
	out->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	/* Too little room: the client asks again with what argsz tells. QEMU takes no flag before. */
	if (in->argsz < need)
		return 0;
	out->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	out->cap_offset = sizeof(*out);
	add_sparse(v);
	v->out_fd = v->pages_fd;
	return 0;
}

static int check_rw(const struct vu_region_rw *rw, size_t len)
{
	if (len < sizeof(*rw) || rw->region >= VU_N_REGIONS || !rw->count ||
	    rw->count > VU_XFER_MAX)
		return -EINVAL;
	if (rw->offset >= region_size[rw->region] ||
	    rw->count > region_size[rw->region] - rw->offset)
		return -EINVAL;
	return 0;
}

/* Registers are 32 bits wide; wider accesses are several. */
static int bar0_read(struct vu *v, uint32_t off, uint32_t count, void *data)
{
	if ((off | count) & 3)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i += 4) {
		uint32_t r = nic_read(&v->nic, off + i);

		memcpy((char *)data + i, &r, 4);
	}
	return 0;
}

static int bar0_write(struct vu *v, uint32_t off, uint32_t count, const void *data)
{
	if ((off | count) & 3)
		return -EINVAL;
	for (uint32_t i = 0; i < count; i += 4) {
		uint32_t r;

		memcpy(&r, (const char *)data + i, 4);
		nic_write(&v->nic, off + i, r);
	}
	return 0;
}

/* The I/O BAR is a window of two words: address, data. */
static int io_rw(struct vu *v, uint32_t off, uint32_t count, void *data, bool write)
{
	if (count != 4 || (off != 0 && off != 4))
		return -EINVAL;
	if (off == 0)
		memcpy(write ? (void *)&v->io_addr : data, write ? data : (void *)&v->io_addr, 4);
	else if (v->io_addr > NIC_BAR0 - 4)
		return -EINVAL;
	else
		return write ? bar0_write(v, v->io_addr, 4, data)
			     : bar0_read(v, v->io_addr, 4, data);
	return 0;
}

static int region_rw(struct vu *v, const struct vu_region_rw *rw, void *data, bool write)
{
	uint32_t off = (uint32_t)rw->offset;

	switch (rw->region) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		return write ? bar0_write(v, off, rw->count, data)
			     : bar0_read(v, off, rw->count, data);
	case VFIO_PCI_BAR2_REGION_INDEX:
		return io_rw(v, off, rw->count, data, write);
	case VFIO_PCI_BAR4_REGION_INDEX:
		if (!write)
			memcpy(data, v->msix + off, rw->count);
		else if (off + rw->count <= PCICFG_MSIX_PBA)
			memcpy(v->msix + off, data, rw->count);
		return 0;
	default:
		break;
	}
	if (!write) {
		pcicfg_read(&v->cfg, off, data, rw->count);
		return 0;
	}
	if (pcicfg_write(&v->cfg, off, data, rw->count))
		return vu_device_reset(v);
	v->nic.bus_master = pcicfg_bus_master(&v->cfg);
	return 0;
}

int vu_region_read(struct vu *v, const void *msg, size_t len)
{
	const struct vu_region_rw *rw = msg;
	int err = check_rw(rw, len);

	if (err)
		return err;
	memcpy(vu_out(v, sizeof(*rw)), rw, sizeof(*rw));
	return region_rw(v, rw, vu_out(v, rw->count), false);
}

int vu_region_write(struct vu *v, const void *msg, size_t len)
{
	const struct vu_region_rw *rw = msg;
	int err = check_rw(rw, len);

	if (err)
		return err;
	if (len - sizeof(*rw) < rw->count)
		return -EINVAL;
	memcpy(vu_out(v, sizeof(*rw)), rw, sizeof(*rw));
	return region_rw(v, rw, v->in + sizeof(struct vu_hdr) + sizeof(*rw), true);
}

int vu_irq_info(struct vu *v, const void *msg, size_t len)
{
	const struct vu_irq_info *in = msg;
	struct vu_irq_info *out;

	if (len < sizeof(*in) || in->argsz < sizeof(*in) || in->index >= VU_N_IRQS)
		return -EINVAL;
	out = vu_out(v, sizeof(*out));
	out->argsz = sizeof(*out);
	out->flags = VFIO_IRQ_INFO_EVENTFD;
	if (in->index == VFIO_PCI_MSIX_IRQ_INDEX || in->index == VFIO_PCI_MSI_IRQ_INDEX)
		out->flags |= VFIO_IRQ_INFO_NORESIZE;
	out->index = in->index;
	out->count = irq_count[in->index];
	return 0;
}

/* Slot of a vector's eventfd: MSI-X vectors first, then one for each other index. */
static int *irq_slot(struct vu *v, unsigned index, unsigned vector)
{
	return &v->irq[index == VFIO_PCI_MSIX_IRQ_INDEX ? vector : NIC_VECTORS + index];
}

static void irq_put(struct vu *v, unsigned index, unsigned vector, int fd)
{
	int *slot = irq_slot(v, index, vector);

	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

static void signal_fd(int fd)
{
	/* A full counter is a signal that waits already. */
	if (fd >= 0)
		(void)!write(fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

void vu_raise(void *arg, unsigned vector)
{
	struct vu *v = arg;

	if (*nic_reg(&v->nic, R_GPIE) & GPIE_MSIX) {
		signal_fd(v->irq[vector]);
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned order[] = { VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX,
						  VFIO_PCI_INTX_IRQ_INDEX };
		int fd = *irq_slot(v, order[i], 0);

		if (fd >= 0) {
			signal_fd(fd);
			return;
		}
	}
}

bool vu_irq_tell(struct vu *v, unsigned index)
{
	int fd = *irq_slot(v, index, 0);

	signal_fd(fd);
	return fd >= 0;
}

void vu_irqs_close(struct vu *v)
{
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(v->irq); i++) {
		if (v->irq[i] >= 0)
			close(v->irq[i]);
		v->irq[i] = -1;
	}
}

static int irq_trigger(struct vu *v, const struct vu_irq_set *s)
{
	unsigned data = s->flags & VFIO_IRQ_SET_DATA_TYPE_MASK;

	if (data == VFIO_IRQ_SET_DATA_EVENTFD) {
		if (v->n_fds && v->n_fds != s->count)
			return -EINVAL;
		for (unsigned i = 0; i < s->count; i++) {
			irq_put(v, s->index, s->start + i, v->n_fds ? v->fds[i] : -1);
			if (v->n_fds)
				v->fds[i] = -1;
		}
		return 0;
	}
	if (data != VFIO_IRQ_SET_DATA_NONE)
		return -EOPNOTSUPP;
	for (unsigned i = 0; !s->count && i < irq_count[s->index]; i++)
		irq_put(v, s->index, i, -1);
	for (unsigned i = 0; i < s->count; i++)
		signal_fd(*irq_slot(v, s->index, s->start + i));
	return 0;
}

int vu_irq_set(struct vu *v, const void *msg, size_t len)
{
	const struct vu_irq_set *s = msg;

	if (len < sizeof(*s) || s->argsz < sizeof(*s) || s->index >= VU_N_IRQS ||
	    s->start > irq_count[s->index] || s->count > irq_count[s->index] - s->start)
		return -EINVAL;
	switch (s->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_TRIGGER:
		return irq_trigger(v, s);
	case VFIO_IRQ_SET_ACTION_MASK:
	case VFIO_IRQ_SET_ACTION_UNMASK:
		/* Only INTx can be masked, and here it is not level triggered. */
		return s->index == VFIO_PCI_INTX_IRQ_INDEX ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

int vu_device_reset(struct vu *v)
{
	/* What FLR leaves alone: mappings of the IOMMU and the host's eventfds. */
	pcicfg_init(&v->cfg, v->nic.mac);
	memset(v->msix, 0, sizeof(v->msix));
	v->nic.bus_master = false;
	nic_reset(&v->nic);
	return 0;
}
