/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults on BARs. The memory behind one can vanish: the device is unplugged, its decoding is turned
 * off, or the server of a vfio-user device breaks its word. A touch is SIGBUS then. All ones, as
 * the bus answers for a device that is gone, is what drivers know how to take.
 */
#include "iommu/guard.h"
#include "iommu/internal.h"

#include <sys/mman.h>
#include <unistd.h>

/* Larger BARs (frame buffers, device memory) are replaced by the page. */
#define WHOLE_MAX (1u << 20)

int weir_guard_enter(struct weir_iommu *iommu, void *va, size_t len)
{
	iommu->page_size = (size_t)sysconf(_SC_PAGESIZE);
	for (int i = 0; i < WEIR_GUARDS; i++) {
		struct weir_guard *g = &iommu->guards[i];

		if (g->va)
			continue;
		g->len = len;
		__atomic_store_n(&g->hit, false, __ATOMIC_RELAXED);
		__atomic_store_n(&g->va, va, __ATOMIC_RELEASE);
		return i;
	}
	weir_debug(iommu->w, "more than %d BARs are mapped: a fault in one more is not caught",
		   WEIR_GUARDS);
	return -ENOSPC;
}

void weir_guard_leave(struct weir_iommu *iommu, int slot)
{
	if (slot >= 0)
		__atomic_store_n(&iommu->guards[slot].va, NULL, __ATOMIC_RELEASE);
}

bool weir_guard_hit(const struct weir_iommu *iommu, int slot)
{
	return slot >= 0 && __atomic_load_n(&iommu->guards[slot].hit, __ATOMIC_ACQUIRE);
}

/*
 * The ones are made elsewhere and moved into place in one step: another thread sees the fault or the
 * ones, never the zeroes of fresh memory.
 */
static bool replace(char *at, size_t len)
{
	void *ones = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (ones == MAP_FAILED)
		return false;
	memset(ones, 0xff, len);
	if (mremap(ones, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED)
		return true;
	munmap(ones, len);
	return false;
}

bool weir_iommu_bus_fault(struct weir_iommu *iommu, void *addr)
{
	size_t page = iommu->page_size;

	for (int i = 0; i < WEIR_GUARDS; i++) {
		struct weir_guard *g = &iommu->guards[i];
		char *va = __atomic_load_n(&g->va, __ATOMIC_ACQUIRE);
		size_t off = (size_t)((char *)addr - va);

		if (!va || (char *)addr < va || off >= g->len)
			continue;
		__atomic_store_n(&g->hit, true, __ATOMIC_RELEASE);
		if (g->len <= WHOLE_MAX)
			return replace(va, g->len);
		return replace(va + off / page * page, page);
	}
	return false;
}
