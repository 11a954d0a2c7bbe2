/* SPDX-License-Identifier: BSD-3-Clause */
/* The front end's memory, mapped. */
#include "nics/vhost/vhost.h"

#include "iommu/guard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* What a process can have mapped. */
#define MOST (1ull << 46)

/*
 * A file that is cut short under us would end this process (SIGBUS). Where the front end allows it,
 * seal it against that, and only then look how long it is; where not, the fault is caught if the
 * application does so (weir_iommu_bus_fault()). *@len, what is to be mapped, becomes whole pages of the file: huge ones
 * can be mapped but not unmapped in parts, and regions of a guest end where they like.
 */
static int check_file(int fd, uint64_t *len)
{
	struct stat st;

	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if ((uint64_t)st.st_size < *len)
		return -ERANGE;
	if (st.st_blksize > 0)
		*len = (*len + (uint64_t)st.st_blksize - 1) / (uint64_t)st.st_blksize *
		       (uint64_t)st.st_blksize;
	return 0;
}

int vhost_mem_map(struct weir_iommu *iommu, struct vhost_map *m, const struct vhost_region *r,
		  int fd)
{
	uint64_t len = r->mmap_off + r->size;
	void *map;
	int err;

	if (!r->size || r->size > MOST || r->mmap_off > MOST || r->guest_addr + r->size < r->size ||
	    r->user_addr + r->size < r->size)
		return -EINVAL;
	err = check_file(fd, &len);
	if (err)
		return err;
	/* From the file's start: the offset need not be a multiple of its page size. */
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	m->map = map;
	m->map_len = len;
	m->va = (char *)m->map + r->mmap_off;
	m->guest = r->guest_addr;
	m->user = r->user_addr;
	m->size = r->size;
	m->iommu = iommu;
	m->guard = iommu ? weir_guard_enter(iommu, map, len) : -1;
	return 0;
}

int vhost_mem_set(struct weir_iommu *iommu, struct vhost_mem *mem, const struct vhost_memory *table,
		  const struct vhost_fds *fds)
{
	int err = 0;

	mem->n = 0;
	if (!table->n || table->n > VHOST_MAX_REGIONS || table->n != fds->n)
		return -EINVAL;
	for (unsigned i = 0; i < table->n && !err; i++) {
		err = vhost_mem_map(iommu, &mem->map[i], &table->region[i], fds->fd[i]);
		if (!err)
			mem->n++;
	}
	if (err)
		vhost_mem_clear(mem);
	return err;
}

void vhost_mem_unmap(struct vhost_map *m)
{
	if (!m->map)
		return;
	weir_guard_leave(m->iommu, m->guard);
	munmap(m->map, m->map_len);
	memset(m, 0, sizeof(*m));
}

bool vhost_mem_hit(const struct vhost_map *m)
{
	return m->map && weir_guard_hit(m->iommu, m->guard);
}

void vhost_mem_clear(struct vhost_mem *mem)
{
	while (mem->n)
		vhost_mem_unmap(&mem->map[--mem->n]);
}

void *vhost_mem_user(const struct vhost_mem *mem, uint64_t user, uint64_t len, unsigned align)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vhost_map *m = &mem->map[i];
		uint64_t off = user - m->user;

		if (off < m->size && len <= m->size - off && !((uintptr_t)(m->va + off) % align))
			return m->va + off;
	}
	return NULL;
}
