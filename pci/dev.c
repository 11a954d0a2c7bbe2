/* SPDX-License-Identifier: BSD-3-Clause */
/* An open PCI device: config space, bus mastering, reset, interrupts. BARs are in bar.c. */
#include "pci/dev.h"

#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- config space --- */

int weir_pci_cfg_read(struct weir_pci *d, unsigned off, unsigned size, uint32_t *v)
{
	__le32 raw = 0;
	int err;

	if ((size != 1 && size != 2 && size != 4) || off % size)
		return -EINVAL;
	err = weir_iodev_read(d->io, WEIR_REGION_CONFIG, off, &raw, size);
	*v = weir_from_le32(raw);
	return err;
}

int weir_pci_cfg_write(struct weir_pci *d, unsigned off, unsigned size, uint32_t v)
{
	__le32 raw = weir_le32(v);

	if ((size != 1 && size != 2 && size != 4) || off % size)
		return -EINVAL;
	return weir_iodev_write(d->io, WEIR_REGION_CONFIG, off, &raw, size);
}

/* PCI Local Bus 3.0, 6.7: at most 48 capabilities fit; more steps are a loop. */
int weir_pci_find_cap(struct weir_pci *d, unsigned id, unsigned after)
{
	uint32_t v;
	int err = weir_pci_cfg_read(d, PCI_STATUS, 2, &v);

	if (err || !(v & PCI_STATUS_CAP_LIST))
		return err;
	err = weir_pci_cfg_read(d, after ? after + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST, 1, &v);
	for (unsigned steps = 0; !err && steps < 48; steps++) {
		unsigned at = v & ~3u;

		if (at < PCI_STD_HEADER_SIZEOF)
			return 0;
		err = weir_pci_cfg_read(d, at, 2, &v);
		if (err || v == 0xffff)
			return err;
		if ((v & 0xff) == id)
			return (int)at;
		v >>= 8;
	}
	return err;
}

/* PCIe 5.0, 7.6.3: extended capabilities start at 100h, each at least 8 bytes. */
int weir_pci_find_ext_cap(struct weir_pci *d, unsigned id, unsigned after)
{
	unsigned at = after ? after : PCI_CFG_SPACE_SIZE;
	struct weir_region r;
	bool skip = after;
	uint32_t v;
	int err = weir_iodev_region(d->io, WEIR_REGION_CONFIG, &r);

	for (unsigned steps = 0; !err && steps < 480; steps++) {
		if (at < PCI_CFG_SPACE_SIZE || at + 4 > r.size)
			return 0;
		err = weir_pci_cfg_read(d, at, 4, &v);
		if (err || !v || v == UINT32_MAX)
			return err;
		if (PCI_EXT_CAP_ID(v) == id && !skip)
			return (int)at;
		skip = false;
		at = PCI_EXT_CAP_NEXT(v);
	}
	return err;
}

int weir_pci_bus_master(struct weir_pci *d, bool on)
{
	uint32_t cmd;
	int err = weir_pci_cfg_read(d, PCI_COMMAND, 2, &cmd);

	if (err)
		return err;
	if (cmd == 0xffff)
		return weir_fail(d->w, ENODEV, "device-gone",
				 "%s answers with ones only: it is gone or hangs", d->name);
	cmd = (cmd & ~(uint32_t)PCI_COMMAND_MASTER) | PCI_COMMAND_MEMORY |
	      (on ? PCI_COMMAND_MASTER : 0u);
	return weir_pci_cfg_write(d, PCI_COMMAND, 2, cmd);
}

int weir_pci_reset(struct weir_pci *d)
{
	int err = weir_iodev_reset(d->io);

	if (err == -EOPNOTSUPP)
		weir_debug(d->w, "%s has no function reset", d->name);
	else if (err && (err != -ENODEV || weir_iodev_mode(d->io) != WEIR_MODE_VFIO_USER))
		/* (a server that is gone has been reported by its backend) */
		weir_fail(d->w, err, "reset", "%s: it was not reset: %s", d->name,
			  weir_strerror(err));
	/* The kernel restores config space, and with it a bus master bit that was set. */
	weir_pci_bus_master(d, false);
	return err;
}

int weir_pci_hot_reset(struct weir_pci *d)
{
	int err = weir_iodev_hot_reset(d->io);

	weir_pci_bus_master(d, false);
	return err;
}

/* --- interrupts --- */

int weir_pci_msix_count(struct weir_pci *d)
{
	return weir_iodev_irq_count(d->io, WEIR_IRQ_MSIX);
}

static void close_eventfds(struct weir_pci *d)
{
	for (unsigned i = 0; i < d->n_vectors; i++)
		close(d->vectors[i]);
	free(d->vectors);
	d->vectors = NULL;
	d->n_vectors = 0;
}

/* Those that are there stay: somebody may wait on them. */
static int make_eventfds(struct weir_pci *d, unsigned n)
{
	int *vectors = calloc(n, sizeof(*vectors));

	if (!vectors)
		return -ENOMEM;
	while (d->n_vectors > n)
		close(d->vectors[--d->n_vectors]);
	if (d->n_vectors)
		memcpy(vectors, d->vectors, d->n_vectors * sizeof(*vectors));
	free(d->vectors);
	d->vectors = vectors;
	for (; d->n_vectors < n; d->n_vectors++) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		if (fd < 0)
			return weir_fail(d->w, errno, "eventfd",
					 "%s: no eventfd for interrupt %u: %s; see `ulimit -n`",
					 d->name, d->n_vectors, weir_strerror(errno));
		d->vectors[d->n_vectors] = fd;
	}
	return 0;
}

int weir_pci_msix(struct weir_pci *d, unsigned n)
{
	int err = 0, have;

	if (d->n_vectors)
		weir_iodev_irq_set(d->io, WEIR_IRQ_MSIX, 0, NULL);
	if (!n) {
		close_eventfds(d);
		return 0;
	}
	have = weir_pci_msix_count(d);
	if (have < 0 || (unsigned)have < n) {
		close_eventfds(d);
		return weir_fail(d->w, have < 0 ? have : ENOSPC, "msix",
				 "%s: %u MSI-X vectors wanted, the device has %d", d->name, n,
				 have < 0 ? 0 : have);
	}
	err = make_eventfds(d, n);
	if (!err)
		err = weir_iodev_irq_set(d->io, WEIR_IRQ_MSIX, n, d->vectors);
	if (err) {
		close_eventfds(d);
		return weir_fail(d->w, err, "msix", "%s: cannot enable %u MSI-X vectors: %s",
				 d->name, n, weir_strerror(err));
	}
	return 0;
}

int weir_pci_msix_fd(struct weir_pci *d, unsigned i)
{
	return i < d->n_vectors ? d->vectors[i] : -EINVAL;
}

uint64_t weir_eventfd_drain(int fd)
{
	uint64_t v = 0;

	return read(fd, &v, sizeof(v)) == (ssize_t)sizeof(v) ? v : 0;
}

/* --- open and close --- */

static int tame(struct weir_pci *d)
{
	/* Whoever had the device before may have left it running. */
	int err = weir_pci_bus_master(d, false);

	if (!err)
		err = weir_pci_reset(d);
	return err == -EOPNOTSUPP ? 0 : err;
}

static int set_up(struct weir_pci *d, struct weir_ioas *as)
{
	int err = as ? weir_iodev_attach(d->io, as) : weir_iodev_attach_default(d->io, &as);

	if (err || d->look)
		return err;
	err = tame(d);
	if (!err)
		err = weir_ioas_map_arenas(as, &d->dma);
	if (err)
		weir_iodev_detach(d->io);
	return err;
}

static struct weir_pci *new_device(struct weir_iommu *iommu)
{
	struct weir_pci *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->iommu = iommu;
	d->w = weir_iommu_handle(iommu);
	for (unsigned i = 0; i < WEIR_PCI_EVENTS; i++)
		d->events[i] = -1;
	return d;
}

int weir_pci_open(struct weir_iommu *iommu, struct weir_bdf bdf, enum weir_mode mode,
		  struct weir_ioas *as, struct weir_pci **out)
{
	struct weir *w = weir_iommu_handle(iommu);
	struct weir_pci *d = new_device(iommu);
	char dir[PATH_MAX];
	int err;

	if (!d)
		return -ENOMEM;
	weir_bdf_format(bdf, d->name);
	err = weir_pci_info(w, bdf, &d->info);
	if (!err)
		err = weir_pci_sysdev(w, bdf, dir, sizeof(dir));
	if (!err)
		err = weir_iodev_open(iommu, dir, mode, &d->io);
	if (err)
		goto fail;
	err = set_up(d, as);
	if (err)
		goto fail;
	weir_info(w, "%s: open in %s mode", d->name, weir_mode_name(weir_iodev_mode(d->io)));
	*out = d;
	return 0;
fail:
	weir_iodev_close(d->io);
	free(d);
	return err;
}

/* What sysfs says of other devices, config space says of one that a server has. */
static int read_identity(struct weir_pci *d)
{
	uint32_t id = 0, class = 0, sub = 0;
	int err = weir_pci_cfg_read(d, PCI_VENDOR_ID, 4, &id);

	if (!err)
		err = weir_pci_cfg_read(d, PCI_CLASS_REVISION, 4, &class);
	if (!err)
		err = weir_pci_cfg_read(d, PCI_SUBSYSTEM_VENDOR_ID, 4, &sub);
	if (err)
		return err;
	if ((id & 0xffff) == 0xffff)
		return weir_fail(d->w, ENODEV, "device-gone",
				 "%s has no device: its config space reads as ones only", d->name);
	d->info.vendor = (uint16_t)id;
	d->info.device = (uint16_t)(id >> 16);
	d->info.revision = (uint8_t) class;
	d->info.class_code = class >> 8;
	d->info.subvendor = (uint16_t)sub;
	d->info.subdevice = (uint16_t)(sub >> 16);
	return 0;
}

int weir_pci_open_user(struct weir_iommu *iommu, const char *path, struct weir_ioas *as,
		       unsigned flags, struct weir_pci **out)
{
	struct weir_pci *d = new_device(iommu);
	int err;

	if (!d)
		return -ENOMEM;
	d->look = flags & WEIR_PCI_LOOK;
	d->info.is_process = true;
	d->info.node = d->info.group = -1;
	if ((size_t)snprintf(d->name, sizeof(d->name), "vfio-user:%s", path) >= sizeof(d->name)) {
		err = weir_fail(d->w, ENAMETOOLONG, "socket-path",
				"a UNIX socket's path has at most 107 characters: %s", path);
		goto fail;
	}
	err = weir_iodev_open(iommu, d->name, WEIR_MODE_AUTO, &d->io);
	if (!err)
		err = set_up(d, as);
	if (!err)
		err = read_identity(d);
	if (err)
		goto fail;
	weir_info(d->w, "%s: open, %04x:%04x", d->name, d->info.vendor, d->info.device);
	*out = d;
	return 0;
fail:
	weir_iodev_close(d->io);
	free(d);
	return err;
}

/* What sysfs says of it, or else config space. */
static int identify_fd(struct weir_pci *d, const struct weir_bdf *bdf)
{
	struct weir_bdf at;

	snprintf(d->name, sizeof(d->name), "%s", weir_iodev_name(d->io));
	if (weir_iodev_has_sysdev(d->io) && !weir_bdf_parse(d->name, &at))
		return weir_pci_info(d->w, at, &d->info);
	d->info.node = d->info.group = -1;
	if (bdf)
		d->info.bdf = *bdf;
	return read_identity(d);
}

int weir_pci_open_fd(struct weir_iommu *iommu, int fd, const struct weir_bdf *bdf,
		     struct weir_ioas *as, struct weir_pci **out)
{
	struct weir_pci *d = new_device(iommu);
	char dir[PATH_MAX];
	int err = d ? 0 : -ENOMEM;

	if (!err && bdf)
		err = weir_pci_sysdev(d->w, *bdf, dir, sizeof(dir));
	if (err) {
		close(fd);
		free(d);
		return err;
	}
	snprintf(d->name, sizeof(d->name), "fd:%d", fd);
	err = weir_iodev_open_fd(iommu, fd, bdf ? dir : NULL, &d->io);
	if (!err)
		err = set_up(d, as);
	if (!err)
		err = identify_fd(d, bdf);
	if (err)
		goto fail;
	weir_info(d->w, "%s: handed in, %04x:%04x", d->name, d->info.vendor, d->info.device);
	*out = d;
	return 0;
fail:
	weir_iodev_close(d->io);
	free(d);
	return err;
}

void weir_pci_close(struct weir_pci *d)
{
	if (!d)
		return;
	if (!d->look) {
		weir_pci_bus_master(d, false);
		weir_pci_msix(d, 0);
		weir_pci_reset(d);
	}
	weir_pci_unwatch(d);
	weir_pci_unmap_bars(d);
	weir_iodev_detach(d->io);
	weir_iodev_close(d->io);
	free(d);
}

struct weir *weir_pci_handle(const struct weir_pci *d)
{
	return d->w;
}

const struct weir_pci_info *weir_pci_info_of(const struct weir_pci *d)
{
	return &d->info;
}

const char *weir_pci_name(const struct weir_pci *d)
{
	return d->name;
}

struct weir_iodev *weir_pci_iodev(struct weir_pci *d)
{
	return d->io;
}

const struct weir_dma *weir_pci_dma(const struct weir_pci *d)
{
	return &d->dma;
}
