/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mappings: what is checked before the kernel is asked, what stands behind each, and who shares
 * locked memory with whom. The kernel's half is the backend's.
 */
#include "iommu/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define MAX_RANGES 64

/* --- before the kernel is asked --- */

#define CAP_IPC_LOCK_BIT 14 /* lifts the limit */

static int check_memlock(struct weir_ioas *as, uint64_t len)
{
	struct weir *w = as->iommu->w;
	uint64_t need = as->iommu->pinned + len;
	struct rlimit rl;

	if (getrlimit(RLIMIT_MEMLOCK, &rl) || rl.rlim_cur == RLIM_INFINITY || need <= rl.rlim_cur ||
	    weir_has_cap(w, CAP_IPC_LOCK_BIT))
		return 0;
	return weir_fail(
		w, ENOMEM, "memlock",
		"mapping needs %llu KiB of locked memory, the limit is %llu KiB: raise it "
		"with `ulimit -l %llu`, or LimitMEMLOCK=%lluK in the service, or run with "
		"CAP_IPC_LOCK",
		(unsigned long long)(need + 1023) >> 10, (unsigned long long)rl.rlim_cur >> 10,
		(unsigned long long)(need + 1023) >> 10, (unsigned long long)(need + 1023) >> 10);
}

static int check_map(struct weir_ioas *as, const struct weir_iova_map *t)
{
	struct weir_iova_range r[MAX_RANGES];
	struct weir *w = as->iommu->w;
	const struct weir_iova_map *m;
	uint64_t align = 4096;
	int n;

	if (!t->len || !t->prot || t->prot & ~(unsigned)WEIR_PROT_RW ||
	    t->iova + t->len - 1 < t->iova)
		return weir_fail(w, EINVAL, "map",
				 "mapping %llu bytes at %#llx with access %u is not possible",
				 (unsigned long long)t->len, (unsigned long long)t->iova, t->prot);
	m = weir_iova_overlap(as->maps, t->iova, t->len);
	if (m)
		return weir_fail(w, EEXIST, "map-overlap",
				 "%#llx + %#llx overlaps what is mapped at %#llx + %#llx",
				 (unsigned long long)t->iova, (unsigned long long)t->len,
				 (unsigned long long)m->iova, (unsigned long long)m->len);
	n = weir_ioas_ready(as) ? weir_ioas_ranges(as, r, MAX_RANGES, &align) : 0;
	if (n < 0)
		return n;
	if (((uintptr_t)t->va | t->off | t->iova | t->len) & (align - 1))
		return weir_fail(w, EINVAL, "map-align",
				 "address %p, offset %#llx, IOVA %#llx and length %#llx must be "
				 "multiples of %llu",
				 t->va, (unsigned long long)t->off, (unsigned long long)t->iova,
				 (unsigned long long)t->len, (unsigned long long)align);
	if (weir_ioas_ready(as) &&
	    !weir_iova_allowed(r, weir_min_u((unsigned)n, MAX_RANGES), t->iova, t->len))
		return weir_fail(w, ERANGE, "map-reserved",
				 "%#llx + %#llx is reserved or past what the IOMMU translates",
				 (unsigned long long)t->iova, (unsigned long long)t->len);
	return as->be->as_check ? as->be->as_check(as, t) : 0;
}

/* --- locked memory, counted once --- */

static void unpin(struct weir_iommu *iommu, struct weir_pin *p)
{
	if (!p || --p->refs)
		return;
	iommu->pinned -= p->len;
	free(p);
}

/* A new account for @m, or a share of that of the mapping it is a copy of. */
static int pin(struct weir_ioas *as, struct weir_iova_map *m, struct weir_pin *shared)
{
	int err;

	if (!as->be->pins || m->source == WEIR_SOURCE_BAR)
		return 0;
	if (shared) {
		shared->refs++;
		m->pin = shared;
		return 0;
	}
	err = check_memlock(as, m->len);
	if (err)
		return err;
	m->pin = calloc(1, sizeof(*m->pin));
	if (!m->pin)
		return -ENOMEM;
	*m->pin = (struct weir_pin){ .refs = 1, .len = m->len };
	as->iommu->pinned += m->len;
	return 0;
}

/* --- making and ending --- */

/* What @m alone owns. */
static void free_map(struct weir_ioas *as, struct weir_iova_map *m)
{
	unpin(as->iommu, m->pin);
	if (m->own_va)
		munmap(m->va, m->len);
	if (m->source == WEIR_SOURCE_FILE || m->source == WEIR_SOURCE_BAR)
		weir_close_fd(&m->fd);
	free(m);
}

static struct weir_iova_map *new_map(weir_iova_t iova, size_t len, unsigned prot)
{
	struct weir_iova_map *m = calloc(1, sizeof(*m));

	if (m)
		*m = (struct weir_iova_map){ .iova = iova, .len = len, .prot = prot, .fd = -1 };
	return m;
}

static int refused(struct weir_ioas *as, const struct weir_iova_map *m, int err)
{
	int said = as->be->as_refused ? as->be->as_refused(as, m, err) : 0;

	if (said)
		return said;
	return weir_fail(as->iommu->w, err, "map", "mapping %llu KiB at %#llx was refused: %s%s",
			 (unsigned long long)m->len >> 10, (unsigned long long)m->iova,
			 weir_strerror(err),
			 err == -ENOMEM ? "; other processes of this user may hold locked "
					  "memory: see LimitMEMLOCK="
					: "");
}

/* Enter what has been made, or forget what could not be; @err has been reported. */
static int finish(struct weir_ioas *as, struct weir_iova_map *m, int err)
{
	if (err) {
		free_map(as, m);
		return err;
	}
	weir_iova_insert(&as->maps, m);
	as->mapped += m->len;
	return 0;
}

void weir_map_drop(struct weir_ioas *as, struct weir_iova_map **link)
{
	struct weir_iova_map *m = *link;

	*link = m->next;
	as->mapped -= m->len;
	free_map(as, m);
}

int weir_map_end(struct weir_ioas *as, struct weir_iova_map **link)
{
	struct weir_iova_map *m = *link;
	int err = weir_ioas_ready(as) ? as->be->as_unmap(as, m) : 0;

	if (err)
		return weir_fail(as->iommu->w, err, "unmap", "unmapping %#llx + %#llx: %s",
				 (unsigned long long)m->iova, (unsigned long long)m->len,
				 weir_strerror(err));
	weir_map_drop(as, link);
	return 0;
}

int weir_ioas_unmap(struct weir_ioas *as, weir_iova_t iova, size_t len)
{
	struct weir_iova_map **p;

	for (p = &as->maps; *p; p = &(*p)->next)
		if ((*p)->iova == iova && (*p)->len == len)
			return weir_map_end(as, p);
	return weir_fail(as->iommu->w, EINVAL, "unmap",
			 "%#llx + %#zx is not a mapping; only whole mappings can be taken away",
			 (unsigned long long)iova, len);
}

/* The file of @m as memory of this process, where the kernel takes nothing else. */
static int need_va(struct weir_ioas *as, struct weir_iova_map *m)
{
	int prot = PROT_READ | (m->prot & WEIR_PROT_WRITE ? PROT_WRITE : 0);
	void *va = mmap(NULL, m->len, prot, MAP_SHARED, m->fd, (off_t)m->off);

	if (va == MAP_FAILED)
		return refused(as, m, -errno);
	m->va = va;
	m->own_va = true;
	return 0;
}

/* The kernel's half of a mapping that is no copy. */
static int make(struct weir_ioas *as, struct weir_iova_map *m)
{
	bool by_file = m->source == WEIR_SOURCE_FILE;
	int err = pin(as, m, NULL);

	if (!err && by_file && !m->va && !as->be->files)
		err = need_va(as, m);
	if (err || !weir_ioas_ready(as))
		return err;
	err = as->be->as_map(as, m);
	if (err == -ENOTTY && by_file && !m->va) {
		err = need_va(as, m);
		if (err)
			return err;
		err = as->be->as_map(as, m);
	}
	return err ? refused(as, m, err) : 0;
}

/* --- by address --- */

/* Another address space in which the kernel has this part of an arena already. */
static struct weir_iova_map *twin_of(struct weir_ioas *as, const struct weir_iova_map *m,
				     struct weir_ioas **from)
{
	for (struct weir_ioas *o = as->iommu->spaces; o; o = o->next)
		for (struct weir_iova_map *t = o->maps; t && o != as && o->be == as->be;
		     t = t->next)
			if (t->source == WEIR_SOURCE_ARENA && t->fd == m->fd && t->off <= m->off &&
			    m->len <= t->len && m->off - t->off <= t->len - m->len &&
			    (t->prot & m->prot) == m->prot) {
				*from = o;
				return t;
			}
	return NULL;
}

/* An arena that another address space has is copied: its pages are locked already. */
static int make_shared(struct weir_ioas *as, struct weir_iova_map *m)
{
	struct weir_ioas *from;
	struct weir_iova_map *t = NULL;

	if (as->be->as_copy && m->source == WEIR_SOURCE_ARENA)
		t = twin_of(as, m, &from);
	if (!t || as->be->as_copy(as, m, from, t->iova + (m->off - t->off)))
		return make(as, m);
	m->copied = true;
	return pin(as, m, t->pin);
}

int weir_ioas_map(struct weir_ioas *as, void *va, size_t len, weir_iova_t iova, unsigned prot)
{
	const struct weir_arena *a = weir_arena_of(as->iommu->w, va, len);
	struct weir_iova_map *m = new_map(iova, len, prot);
	int err;

	if (!m)
		return -ENOMEM;
	m->va = va;
	if (a) {
		struct weir_arena_info i = weir_arena_info(a);

		m->source = WEIR_SOURCE_ARENA;
		m->fd = i.fd;
		m->off = (uint64_t)((char *)va - i.base);
	}
	err = check_map(as, m);
	return finish(as, m, err ? err : make_shared(as, m));
}

/* --- by file --- */

static int check_file(struct weir_ioas *as, const struct weir_iova_map *m)
{
	struct stat st;

	if (fstat(m->fd, &st))
		return refused(as, m, -errno);
	if (m->off > (uint64_t)st.st_size || m->len > (uint64_t)st.st_size - m->off)
		return weir_fail(as->iommu->w, EINVAL, "map-file",
				 "%llu bytes at %#llx are not within the file, which has %llu",
				 (unsigned long long)m->len, (unsigned long long)m->off,
				 (unsigned long long)st.st_size);
	return check_map(as, m);
}

int weir_ioas_map_file(struct weir_ioas *as, int fd, uint64_t off, size_t len, weir_iova_t iova,
		       unsigned prot)
{
	struct weir_iova_map *m = new_map(iova, len, prot);
	int err;

	if (!m)
		return -ENOMEM;
	m->source = WEIR_SOURCE_FILE;
	m->off = off;
	m->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (m->fd < 0)
		return finish(as, m, refused(as, m, -errno));
	err = check_file(as, m);
	return finish(as, m, err ? err : make(as, m));
}

/* --- by copy --- */

/* The mapping that @len bytes at @iova are a part of, or NULL. */
static struct weir_iova_map *part_of(struct weir_ioas *from, uint64_t iova, uint64_t len)
{
	for (struct weir_iova_map *m = from->maps; m; m = m->next)
		if (iova >= m->iova && iova - m->iova < m->len && len <= m->len - (iova - m->iova))
			return m;
	return NULL;
}

/* What of @s a copy has in common; what @s owns it gets of its own. */
static int describe_copy(struct weir_iova_map *m, const struct weir_iova_map *s, uint64_t delta)
{
	m->source = s->source;
	m->dev = s->dev;
	m->fd = s->fd;
	m->off = s->fd >= 0 ? s->off + delta : 0;
	m->va = s->va && !s->own_va ? (char *)s->va + delta : NULL;
	if (s->fd < 0 || s->source == WEIR_SOURCE_ARENA)
		return 0;
	m->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
	return m->fd < 0 ? -errno : 0;
}

static int copy(struct weir_ioas *dst, struct weir_iova_map *m, struct weir_ioas *src,
		const struct weir_iova_map *s, uint64_t src_iova)
{
	int err = describe_copy(m, s, src_iova - s->iova);

	if (err)
		return refused(dst, m, err);
	err = check_map(dst, m);
	if (err)
		return err;
	if (!dst->be->as_copy || dst->be != src->be)
		return make(dst, m);
	err = dst->be->as_copy(dst, m, src, src_iova);
	if (err)
		return refused(dst, m, err);
	m->copied = true;
	return pin(dst, m, s->pin);
}

int weir_ioas_copy(struct weir_ioas *dst, weir_iova_t dst_iova, struct weir_ioas *src,
		   weir_iova_t src_iova, size_t len, unsigned prot)
{
	const struct weir_iova_map *s = part_of(src, src_iova, len);
	struct weir *w = dst->iommu->w;
	struct weir_iova_map *m;

	if (dst->iommu != src->iommu)
		return weir_fail(w, EINVAL, "copy", "both address spaces must be of one place");
	if (!s)
		return weir_fail(w, ENOENT, "copy",
				 "%#llx + %#zx is not within one mapping of the address space to "
				 "copy from",
				 (unsigned long long)src_iova, len);
	if (prot & ~s->prot)
		return weir_fail(w, EACCES, "copy",
				 "a copy cannot give more access (%u) than there is (%u)", prot,
				 s->prot);
	if (s->source == WEIR_SOURCE_BAR && (!dst->be->as_copy || dst->be != src->be))
		return weir_fail(w, EOPNOTSUPP, "copy",
				 "registers of %s can be copied in cdev mode only: map them there "
				 "once more with weir_ioas_map_bar()",
				 s->dev->name);
	m = new_map(dst_iova, len, prot);
	if (!m)
		return -ENOMEM;
	return finish(dst, m, copy(dst, m, src, s, src_iova));
}

int weir_ioas_clone(struct weir_ioas *dst, struct weir_ioas *src)
{
	int err = 0;

	if (dst->maps)
		return weir_fail(dst->iommu->w, EEXIST, "copy",
				 "the address space to copy to has mappings already");
	for (const struct weir_iova_map *m = src->maps; m && !err; m = m->next)
		err = weir_ioas_copy(dst, m->iova, src, m->iova, m->len, m->prot);
	while (err && dst->maps)
		if (weir_map_end(dst, &dst->maps))
			weir_map_drop(dst, &dst->maps);
	if (!err) {
		dst->has_window = src->has_window;
		dst->window_iova = src->window_iova;
	}
	return err;
}

/* --- other devices' registers --- */

static int bar_told(struct weir_iodev *d, unsigned region, int err)
{
	return weir_fail(d->w, err, "map-bar",
			 "%s: region %u cannot be mapped for other devices: %s%s", d->name, region,
			 weir_strerror(err),
			 err == -EOPNOTSUPP ? "; in cdev mode that needs a kernel that hands out "
					      "BARs as dma-buf (CONFIG_VFIO_PCI_DMABUF), in group "
					      "mode a region that can be mapped; other modes have "
					      "no such thing"
					    : "");
}

/* What the kernel takes: a dma-buf where the backend maps files, else an address. */
static int open_bar(struct weir_ioas *as, struct weir_iova_map *m, unsigned region, uint64_t off)
{
	struct weir_iodev *d = m->dev;
	int err;

	if (!as->be->pins || d->be != as->be)
		return bar_told(d, region, -EOPNOTSUPP);
	if (as->be->files) {
		m->fd = weir_vfio_dmabuf(d, region, off, m->len);
		err = m->fd < 0 ? m->fd : 0;
		return err ? bar_told(d, region, err == -ENOTTY ? -EOPNOTSUPP : err) : 0;
	}
	if (!(d->regions[region].r.flags & WEIR_REGION_MMAP))
		return bar_told(d, region, -EOPNOTSUPP);
	err = d->be->io->mmap(d, d->regions[region].file_off + off, m->len, &m->va);
	m->own_va = !err;
	return err ? bar_told(d, region, err) : 0;
}

int weir_ioas_map_bar(struct weir_ioas *as, struct weir_iodev *d, unsigned region, uint64_t off,
		      size_t len, weir_iova_t iova, unsigned prot)
{
	struct weir_region r;
	struct weir_iova_map *m;
	int err = weir_iodev_check_ioas(d, as);

	if (!err)
		err = weir_iodev_region(d, region, &r);
	if (err)
		return err;
	if (off > r.size || len > r.size - off)
		return weir_fail(d->w, EINVAL, "map-bar",
				 "%s: %zu bytes at %#llx are not within region %u (%llu bytes)",
				 d->name, len, (unsigned long long)off, region,
				 (unsigned long long)r.size);
	m = new_map(iova, len, prot);
	if (!m)
		return -ENOMEM;
	m->source = WEIR_SOURCE_BAR;
	m->dev = d;
	err = check_map(as, m);
	if (!err)
		err = open_bar(as, m, region, off);
	return finish(as, m, err ? err : make(as, m));
}

/* --- what goes takes its mappings with it --- */

static void end_where(struct weir_iommu *iommu,
		      bool (*is)(const struct weir_iova_map *, const void *), const void *arg)
{
	for (struct weir_ioas *as = iommu->spaces; as; as = as->next)
		for (struct weir_iova_map **p = &as->maps; *p;)
			if (!is(*p, arg))
				p = &(*p)->next;
			else if (weir_map_end(as, p))
				weir_map_drop(as, p);
}

static bool is_of_arena(const struct weir_iova_map *m, const void *a)
{
	return m->source == WEIR_SOURCE_ARENA && m->fd == weir_arena_info(a).fd;
}

static bool is_of_dev(const struct weir_iova_map *m, const void *d)
{
	return m->source == WEIR_SOURCE_BAR && m->dev == d;
}

void weir_map_arena_gone(struct weir_arena_watch *watch, const struct weir_arena *a)
{
	struct weir_iommu *iommu =
		(struct weir_iommu *)((char *)watch - offsetof(struct weir_iommu, watch));

	end_where(iommu, is_of_arena, a);
}

void weir_map_dev_gone(struct weir_iodev *d)
{
	end_where(d->iommu, is_of_dev, d);
}
