/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BARs: address space for the whole BAR, and in it those areas that the kernel lets be mapped.
 * What lies between (the MSI-X table, where the kernel keeps it) faults when touched.
 */
#include "core/io.h"
#include "iommu/guard.h"
#include "pci/dev.h"

#include <sys/mman.h>
#include <unistd.h>

/* The kernel offers whole pages only; anything else is no area to rely on. */
static int map_area(struct weir_pci *d, unsigned index, uint64_t off, uint64_t size)
{
	void *va = (char *)d->bars[index].va + off;

	if (off % (uint64_t)sysconf(_SC_PAGESIZE))
		return -EINVAL;
	return weir_iodev_mmap(d->io, index, off, size, &va);
}

static int map_areas(struct weir_pci *d, unsigned index, const struct weir_region *r)
{
	int err = 0;

	if (!r->n_sparse)
		return map_area(d, index, 0, r->size);
	for (unsigned i = 0; i < r->n_sparse && !err; i++)
		err = map_area(d, index, r->sparse[i].off, r->sparse[i].size);
	return err;
}

int weir_pci_bar(struct weir_pci *d, unsigned index, struct weir_bar *bar)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct weir_region r;
	void *va;
	int err;

	if (index >= WEIR_PCI_BARS)
		return weir_fail(d->w, EINVAL, "bar", "%s: there is no BAR %u", d->name, index);
	if (d->bars[index].va)
		goto done;
	err = weir_iodev_region(d->io, index, &r);
	if (err)
		return err;
	if (!r.size || r.size > SIZE_MAX / 2)
		return weir_fail(d->w, ENODEV, "bar", "%s: BAR %u does not exist", d->name, index);
	if (!(r.flags & WEIR_REGION_MMAP))
		return weir_fail(
			d->w, ENOTSUP, "bar",
			"%s: BAR %u (%llu bytes) cannot be mapped: it is smaller than a page "
			"or an I/O BAR, or its vfio-user server shares no memory for it",
			d->name, index, (unsigned long long)r.size);
	d->bars[index].len = WEIR_ALIGN_UP((size_t)r.size, page);
	va = mmap(NULL, d->bars[index].len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		  -1, 0);
	if (va == MAP_FAILED)
		return weir_fail(d->w, errno, "bar", "%s: no address space for BAR %u: %s", d->name,
				 index, weir_strerror(errno));
	d->bars[index].va = va;
	err = map_areas(d, index, &r);
	if (err) {
		munmap(va, d->bars[index].len);
		d->bars[index].va = NULL;
		return weir_fail(d->w, err, "bar", "%s: cannot map BAR %u: %s", d->name, index,
				 weir_strerror(err));
	}
	d->bars[index].r = r;
	d->bars[index].guard = weir_guard_enter(d->iommu, va, d->bars[index].len);
done:
	bar->va = d->bars[index].va;
	bar->size = d->bars[index].r.size;
	return 0;
}

bool weir_bar_ok(struct weir_pci *d, unsigned index, uint64_t off, uint64_t len)
{
	const struct weir_region *r;

	if (index >= WEIR_PCI_BARS || !d->bars[index].va)
		return false;
	r = &d->bars[index].r;
	if (off > r->size || len > r->size - off)
		return false;
	for (unsigned i = 0; i < r->n_sparse; i++)
		if (off >= r->sparse[i].off && off - r->sparse[i].off <= r->sparse[i].size &&
		    len <= r->sparse[i].size - (off - r->sparse[i].off))
			return true;
	return !r->n_sparse;
}

static bool whole_mapped(struct weir_pci *d, unsigned index)
{
	return index < WEIR_PCI_BARS && weir_bar_ok(d, index, 0, d->bars[index].r.size);
}

int weir_pci_reg_read32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t *v)
{
	__le32 raw;
	int err;

	*v = UINT32_MAX;
	if (bar >= WEIR_PCI_BARS || off % 4)
		return -EINVAL;
	if (whole_mapped(d, bar)) {
		if (!weir_bar_ok(d, bar, off, 4))
			return -EINVAL;
		*v = weir_mmio_read32(d->bars[bar].va, off);
		return 0;
	}
	err = weir_iodev_read(d->io, bar, off, &raw, sizeof(raw));
	if (!err)
		*v = weir_from_le32(raw);
	return err;
}

int weir_pci_reg_write32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t v)
{
	__le32 raw = weir_le32(v);

	if (bar >= WEIR_PCI_BARS || off % 4)
		return -EINVAL;
	if (!whole_mapped(d, bar))
		return weir_iodev_write(d->io, bar, off, &raw, sizeof(raw));
	if (!weir_bar_ok(d, bar, off, 4))
		return -EINVAL;
	weir_mmio_write32(d->bars[bar].va, off, v);
	return 0;
}

bool weir_pci_bar_faulted(const struct weir_pci *d)
{
	for (unsigned i = 0; i < WEIR_PCI_BARS; i++)
		if (d->bars[i].va && weir_guard_hit(d->iommu, d->bars[i].guard))
			return true;
	return false;
}

void weir_pci_unmap_bars(struct weir_pci *d)
{
	for (unsigned i = 0; i < WEIR_PCI_BARS; i++) {
		if (!d->bars[i].va)
			continue;
		weir_guard_leave(d->iommu, d->bars[i].guard);
		munmap(d->bars[i].va, d->bars[i].len);
		d->bars[i].va = NULL;
	}
}
