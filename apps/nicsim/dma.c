/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/nicsim/dma.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* First mapping that ends behind @iova. */
static unsigned dma_lower(const struct dma *d, uint64_t iova)
{
	unsigned lo = 0, hi = d->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (d->maps[mid].iova + (d->maps[mid].size - 1) < iova)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int dma_check(const struct dma *d, uint64_t iova, uint64_t size, unsigned prot)
{
	unsigned i;

	if (!size || (iova | size) & 4095 || iova + (size - 1) < iova)
		return -EINVAL;
	if (!prot || prot & ~(unsigned)(DMA_DEV_READ | DMA_DEV_WRITE))
		return -EINVAL;
	i = dma_lower(d, iova);
	if (i < d->n && d->maps[i].iova <= iova + (size - 1))
		return -EEXIST;
	return d->n == DMA_MAPS_MAX ? -ENOSPC : 0;
}

static int dma_insert(struct dma *d, const struct dma_map *m)
{
	unsigned i = dma_lower(d, m->iova);

	if (!d->maps)
		d->maps = calloc(DMA_MAPS_MAX, sizeof(*d->maps));
	if (!d->maps)
		return -ENOMEM;
	memmove(d->maps + i + 1, d->maps + i, (d->n - i) * sizeof(*d->maps));
	d->maps[i] = *m;
	d->n++;
	return 0;
}

/* A file on hugetlbfs is mapped by whole huge pages only; its block size tells which. */
static int dma_map_file(struct dma_map *m, int fd, uint64_t off)
{
	int prot = (m->prot & DMA_DEV_READ ? PROT_READ : 0) |
		   (m->prot & DMA_DEV_WRITE ? PROT_WRITE : 0);
	uint64_t unit, start;
	struct stat st;
	void *p;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || off & 4095 || off > (uint64_t)st.st_size ||
	    m->size > (uint64_t)st.st_size - off)
		return -EINVAL;
	unit = st.st_blksize > 4096 && weir_is_pow2((uint64_t)st.st_blksize)
		       ? (uint64_t)st.st_blksize
		       : 4096;
	start = WEIR_ALIGN_DOWN(off, unit);
	m->file_len = WEIR_ALIGN_UP(off + m->size, unit) - start;
	p = mmap(NULL, m->file_len, prot, MAP_SHARED, fd, (off_t)start);
	if (p == MAP_FAILED)
		return -errno;
	m->file_va = p;
	m->va = m->file_va + (off - start);
	return 0;
}

static void dma_drop(struct dma_map *m)
{
	if (m->file_va)
		munmap(m->file_va, m->file_len);
}

int dma_map(struct dma *d, uint64_t iova, uint64_t size, unsigned prot, int fd, uint64_t off)
{
	struct dma_map m = { .iova = iova, .size = size, .prot = prot };
	int err = dma_check(d, iova, size, prot);

	if (!err && fd >= 0)
		err = dma_map_file(&m, fd, off);
	if (err)
		return err;
	err = dma_insert(d, &m);
	if (err)
		dma_drop(&m);
	return err;
}

int dma_map_va(struct dma *d, uint64_t iova, uint64_t size, unsigned prot, void *va)
{
	struct dma_map m = { .iova = iova, .size = size, .prot = prot, .va = va };
	int err = dma_check(d, iova, size, prot);

	return err ? err : dma_insert(d, &m);
}

int dma_unmap(struct dma *d, uint64_t iova, uint64_t size)
{
	uint64_t last = iova + (size - 1);
	unsigned i, end;

	if (!size || last < iova)
		return -EINVAL;
	i = dma_lower(d, iova);
	for (end = i; end < d->n && d->maps[end].iova <= last; end++)
		if (d->maps[end].iova < iova || d->maps[end].iova + (d->maps[end].size - 1) > last)
			return -EINVAL;
	if (end == i)
		return -ENOENT;
	for (unsigned k = i; k < end; k++)
		dma_drop(&d->maps[k]);
	memmove(d->maps + i, d->maps + end, (d->n - end) * sizeof(*d->maps));
	d->n -= end - i;
	return 0;
}

void dma_unmap_all(struct dma *d)
{
	for (unsigned i = 0; i < d->n; i++)
		dma_drop(&d->maps[i]);
	d->n = 0;
	free(d->maps);
	d->maps = NULL;
}

static void dma_refuse(struct dma *d, struct dma_who who, uint64_t iova, size_t len,
		       enum dma_dir dir, const char *why)
{
	struct dma_fault f = { .iova = iova, .len = len, .who = who, .dir = dir, .why = why };

	if (d->faults < DMA_KEEP)
		d->kept[d->faults] = f;
	d->faults++;
	if (d->report)
		d->report(d->report_arg, &f);
}

static inline bool dma_inside(const struct dma_map *m, uint64_t iova)
{
	return iova >= m->iova && iova - m->iova < m->size;
}

/* The mapping at @iova, with rights for @dir; NULL after a fault. */
static const struct dma_map *dma_find(struct dma *d, struct dma_who who, uint64_t iova, size_t len,
				      enum dma_dir dir)
{
	const char *why = NULL;
	struct dma_map *m = NULL;
	unsigned *hit = NULL;
	struct dma *s = d;
	bool none = false;

	if (who.pasid) {
		s = dma_pasid(d, who.pasid);
		none = !s;
	}
	if (!none) {
		hit = &s->hit[dir == DMA_DEV_WRITE];
		if (*hit >= s->n || !dma_inside(&s->maps[*hit], iova))
			*hit = dma_lower(s, iova);
		m = &s->maps[*hit];
	}
	if (weir_unlikely(++d->ops == d->fail_at))
		why = "refused on purpose";
	else if (none)
		why = "this PASID has no address space";
	else if (*hit >= s->n || !dma_inside(m, iova))
		why = "not mapped";
	else if (!(m->prot & (unsigned)dir))
		why = dir == DMA_DEV_READ ? "not readable" : "not writable";
	else if (!m->va && !d->ask)
		why = "mapped without a file";
	if (weir_likely(!why))
		return m;
	dma_refuse(d, who, iova, len, dir, why);
	return NULL;
}

/* By message; PASIDs have files always. */
static bool dma_ask(struct dma *d, struct dma_who who, uint64_t iova, void *buf, size_t len,
		    enum dma_dir dir)
{
	if (d->ask(d->ask_arg, dir, iova, buf, len))
		return true;
	dma_refuse(d, who, iova, len, dir, "the client did not serve it");
	return false;
}

/* Piece by piece, as mappings and messages go. */
static bool dma_copy(struct dma *d, struct dma_who who, uint64_t iova, uint8_t *buf, size_t len,
		     enum dma_dir dir)
{
	while (len) {
		const struct dma_map *m = dma_find(d, who, iova, len, dir);
		size_t n;

		if (!m)
			return false;
		n = weir_min_u64(len, m->size - (iova - m->iova));
		if (weir_unlikely(!m->va)) {
			n = weir_min_u64(n, DMA_ASK_MAX);
			if (!dma_ask(d, who, iova, buf, n, dir))
				return false;
		} else if (dir == DMA_DEV_READ) {
			memcpy(buf, m->va + (iova - m->iova), n);
		} else {
			memcpy(m->va + (iova - m->iova), buf, n);
		}
		iova += n;
		buf += n;
		len -= n;
	}
	return true;
}

bool dma_read(struct dma *d, struct dma_who who, uint64_t iova, void *buf, size_t len)
{
	return dma_copy(d, who, iova, buf, len, DMA_DEV_READ);
}

bool dma_write(struct dma *d, struct dma_who who, uint64_t iova, const void *buf, size_t len)
{
	return dma_copy(d, who, iova, (uint8_t *)(uintptr_t)buf, len, DMA_DEV_WRITE);
}

bool dma_store(struct dma *d, struct dma_who who, uint64_t iova, const void *buf, size_t len)
{
	const struct dma_map *m = dma_find(d, who, iova, len, DMA_DEV_WRITE);
	const uint64_t *from = buf;
	uint64_t *to;

	if (!m)
		return false;
	if (weir_unlikely(m->size - (iova - m->iova) < len)) {
		dma_refuse(d, who, iova, len, DMA_DEV_WRITE, "past the end of the mapping");
		return false;
	}
	if (weir_unlikely(!m->va))
		return dma_ask(d, who, iova, (void *)(uintptr_t)buf, len, DMA_DEV_WRITE);
	to = (uint64_t *)(void *)(m->va + (iova - m->iova));
	if (len == 4)
		__atomic_store_n((uint32_t *)to, *(const uint32_t *)buf, __ATOMIC_RELEASE);
	for (size_t i = 0; i < len / 8; i++)
		__atomic_store_n(&to[i], from[i], __ATOMIC_RELEASE);
	return true;
}

static const struct dma_map *find_va(const struct dma *d, const uint8_t *p)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->maps[i].file_va && p >= d->maps[i].file_va &&
		    p < d->maps[i].file_va + d->maps[i].file_len)
			return &d->maps[i];
	return NULL;
}

const struct dma_map *dma_find_va(const struct dma *d, const void *va)
{
	const struct dma_map *m = find_va(d, va);

	for (const struct dma_pasid *p = d->pasids; p && !m; p = p->next)
		m = find_va(&p->space, va);
	return m;
}
