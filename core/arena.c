/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arenas: memfd, hugepages when there are enough, placed in the handle's window. The allocator
 * inside an arena keeps its book outside of it, so that nothing a device writes can confuse it.
 */
#include "core/file.h"
#include "core/internal.h"

#include <fcntl.h>
#include <limits.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MFD_HUGE_SHIFT
#define MFD_HUGE_SHIFT 26
#endif

/* A piece of an arena, used or free; neighbours in a list by address. */
struct chunk {
	struct chunk *next;
	size_t off, len;
	bool used;
};

struct weir_arena {
	struct weir *w;
	struct weir_arena *next;
	char *base;
	size_t size, page;
	int node, fd;
	bool is_private;
	size_t used;
	struct chunk *chunks;
};

/* Size of the default hugepage, 0 if the kernel has none. */
static size_t huge_size(struct weir *w)
{
	char path[PATH_MAX], line[128];
	unsigned long kb = 0;
	FILE *f;

	weir_path(path, "%s/meminfo", w->proc);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Hugepagesize: %lu kB", &kb) == 1)
			break;
	fclose(f);
	return (size_t)kb << 10;
}

static long huge_free(struct weir *w, int node, size_t huge)
{
	char path[PATH_MAX];
	uint64_t v;

	if (node >= 0)
		weir_path(path,
			  "%s/devices/system/node/node%d/hugepages/hugepages-%zukB/free_hugepages",
			  w->sysfs, node, huge >> 10);
	else
		weir_path(path, "%s/kernel/mm/hugepages/hugepages-%zukB/free_hugepages", w->sysfs,
			  huge >> 10);
	return weir_file_u64(path, &v) ? -1 : (long)v;
}

static void tell_hugepages(struct weir *w, enum weir_log_level level, size_t size, size_t huge,
			   int node)
{
	size_t want = (size + huge - 1) / huge;
	long have = huge_free(w, node, huge);
	char where[32] = "";

	if (node >= 0)
		snprintf(where, sizeof(where), " on NUMA node %d", node);
	weir_log(w, level, "hugepages",
		 "%zu hugepages of %zu KiB wanted%s, %ld free: %s; reserve them with "
		 "`hugeadm --pool-pages-min %zuKB:+%zu` (package libhugetlbfs-bin)",
		 want, huge >> 10, where, have < 0 ? 0 : have,
		 level == WEIR_LOG_ERR ? "refused" : "using ordinary pages, which is slower",
		 huge >> 10, want);
}

/*
 * Devices that are processes are handed the file, to read and write. Cut short by one of them it
 * would kill this process (SIGBUS); sealed against writing it would be of no use to the next one.
 */
static int make_memfd(size_t size, size_t huge)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd, err;

	if (huge)
		flags |= MFD_HUGETLB | (unsigned)__builtin_ctzll(huge) << MFD_HUGE_SHIFT;
	fd = memfd_create("weir-arena", flags);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* First gap in the window that takes @size bytes aligned to @align; the list is kept sorted. */
static char *find_gap(struct weir *w, size_t size, size_t align, struct weir_arena ***link)
{
	char *at = w->win.base;
	struct weir_arena **p;

	for (p = &w->arenas; *p; p = &(*p)->next) {
		/* Aligning may have carried us past an arena that starts before @at. */
		if ((*p)->base >= at && (size_t)((*p)->base - at) >= size)
			break;
		if ((*p)->base + (*p)->size > at)
			at = (char *)WEIR_ALIGN_UP((uintptr_t)(*p)->base + (*p)->size, align);
	}
	*link = p;
	if (at > w->win.base + w->win.size || (size_t)(w->win.base + w->win.size - at) < size)
		return NULL;
	return at;
}

static void unplace(char *at, size_t size)
{
	/* Back to a reservation; failing that the range stays mapped, which is harmless. */
	(void)mmap(at, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		   0);
}

/*
 * Bind to the node, then make every page be there: MADV_POPULATE_WRITE (Linux 5.14) returns
 * an error where a plain touch of a missing hugepage would be SIGBUS.
 */
static int populate(struct weir *w, char *at, size_t size, size_t page, int node)
{
	if (node >= 0 && numa_available() >= 0) {
		struct bitmask *m = numa_allocate_nodemask();

		if (m) {
			numa_bitmask_setbit(m, (unsigned)node);
			if (mbind(at, size, MPOL_BIND, m->maskp, m->size + 1, 0) < 0)
				weir_debug(w, "mbind to node %d: %s", node, weir_strerror(errno));
			numa_free_nodemask(m);
		}
	}
#ifdef MADV_POPULATE_WRITE
	if (!madvise(at, size, MADV_POPULATE_WRITE))
		return 0;
	if (errno != EINVAL)
		return errno == EFAULT || errno == EHWPOISON ? -ENOMEM : -errno;
#endif
	/* An older kernel: ordinary pages may be touched; hugepages were reserved by mmap(). */
	for (size_t i = 0; i < size; i += page)
		*(volatile char *)(at + i) = 0;
	return 0;
}

/* Map a->fd into the window. Return: 0 and a->base set, -ENOSPC, or what the kernel said. */
static int place(struct weir_arena *a, struct weir_arena ***link)
{
	size_t align = a->page > 2u << 20 ? a->page : 2u << 20;
	char *at = find_gap(a->w, a->size, align, link);
	void *va;
	int err;

	if (!at)
		return -ENOSPC;
	va = mmap(at, a->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, a->fd, 0);
	/* A failed MAP_FIXED may have removed what was there. */
	err = va == MAP_FAILED ? -errno : populate(a->w, at, a->size, a->page, a->node);
	if (err)
		unplace(at, a->size);
	else
		a->base = at;
	return err;
}

/* One attempt with one page size. Return: 0 and *a filled, or negative errno. */
static int try_pages(struct weir_arena *a, size_t size, size_t huge, struct weir_arena ***link)
{
	int err;

	a->page = huge ? huge : (size_t)sysconf(_SC_PAGESIZE);
	a->size = WEIR_ALIGN_UP(size, a->page);
	a->fd = make_memfd(a->size, huge);
	if (a->fd < 0)
		return a->fd;
	err = place(a, link);
	if (err) {
		close(a->fd);
		a->fd = -1;
	}
	return err;
}

static int get_memory(struct weir_arena *a, size_t size, unsigned flags, struct weir_arena ***link)
{
	struct weir *w = a->w;
	size_t huge = flags & WEIR_ARENA_SMALL_PAGES ? 0 : huge_size(w);
	int err = -ENOMEM;

	if (huge) {
		err = try_pages(a, size, huge, link);
		if (!err)
			return 0;
	}
	if (flags & WEIR_ARENA_HUGE_ONLY) {
		tell_hugepages(w, WEIR_LOG_ERR, size, huge ? huge : 2u << 20, a->node);
		return -ENOMEM;
	}
	if (huge && err != -ENOSPC && !w->told_hugepages) {
		tell_hugepages(w, WEIR_LOG_WARN, size, huge, a->node);
		w->told_hugepages = true;
	}
	err = try_pages(a, size, 0, link);
	if (err == -ENOSPC)
		return weir_fail(w, ENOMEM, "window-full",
				 "no room for %zu MiB in the memory window of %zu MiB; raise "
				 "weir_opts.window_size",
				 size >> 20, w->win.size >> 20);
	if (err)
		return weir_fail(w, err, "arena", "cannot allocate %zu MiB of packet memory: %s",
				 size >> 20, weir_strerror(err));
	return 0;
}

static struct weir_arena *new_arena(struct weir *w, int node, unsigned flags)
{
	struct weir_arena *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->chunks = calloc(1, sizeof(*a->chunks));
	if (!a->chunks) {
		free(a);
		return NULL;
	}
	a->w = w;
	a->node = node;
	a->is_private = flags & WEIR_ARENA_PRIVATE;
	a->fd = -1;
	return a;
}

static struct weir_arena *enlist(struct weir_arena *a, struct weir_arena **link)
{
	a->chunks->len = a->size;
	a->next = *link;
	*link = a;
	return a;
}

int weir_arena_create(struct weir *w, size_t size, int node, unsigned flags,
		      struct weir_arena **out)
{
	const unsigned both = WEIR_ARENA_HUGE_ONLY | WEIR_ARENA_SMALL_PAGES;
	struct weir_arena *a, **link;
	int err;

	if (!size || size > w->win.size || (flags & both) == both || node < WEIR_NODE_ANY)
		return weir_fail(
			w, EINVAL, "arena",
			"an arena of %zu bytes on node %d does not fit a window of %zu MiB", size,
			node, w->win.size >> 20);
	a = new_arena(w, node, flags);
	if (!a)
		return -ENOMEM;
	err = get_memory(a, size, flags, &link);
	if (err) {
		free(a->chunks);
		free(a);
		return err;
	}
	*out = enlist(a, link);
	return 0;
}

/* Size and pages of a file that was handed in, if it can be relied on. */
static int inspect(struct weir_arena *a)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(a->fd, &fs))
		return weir_fail(a->w, errno, "arena-fd", "fd %d: %s", a->fd, weir_strerror(errno));
	if (fcntl(a->fd, F_GET_SEALS) < 0)
		return weir_fail(a->w, EINVAL, "arena-fd",
				 "fd %d is no memfd that can be sealed: hand in one made with "
				 "memfd_create(MFD_ALLOW_SEALING)",
				 a->fd);
	/* This fails where the seals themselves are sealed; then it must have been set before. */
	fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK);
	if (!(fcntl(a->fd, F_GET_SEALS) & F_SEAL_SHRINK))
		return weir_fail(
			a->w, EINVAL, "arena-fd",
			"fd %d can be made shorter, which would kill this process: seal it "
			"with F_SEAL_SHRINK",
			a->fd);
	/* Not before: now it stays as long as it is. */
	if (fstat(a->fd, &st))
		return weir_fail(a->w, errno, "arena-fd", "fd %d: %s", a->fd, weir_strerror(errno));
	a->page = fs.f_type == HUGETLBFS_MAGIC ? (size_t)fs.f_bsize : (size_t)sysconf(_SC_PAGESIZE);
	a->size = (size_t)st.st_size;
	if (!a->size || a->size % a->page)
		return weir_fail(a->w, EINVAL, "arena-fd",
				 "fd %d has %zu bytes: it must be whole pages of %zu", a->fd,
				 a->size, a->page);
	return 0;
}

int weir_arena_create_fd(struct weir *w, int fd, unsigned flags, struct weir_arena **out)
{
	struct weir_arena *a, **link;
	int err;

	if (fd < 0 || flags & ~(unsigned)WEIR_ARENA_PRIVATE)
		return weir_fail(w, EINVAL, "arena-fd", "fd %d: not with flags %#x", fd, flags);
	a = new_arena(w, WEIR_NODE_ANY, flags);
	if (!a) {
		close(fd);
		return -ENOMEM;
	}
	a->fd = fd;
	err = inspect(a);
	if (!err) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		err = place(a, &link);
		if (err)
			weir_fail(w, err == -ENOSPC ? ENOMEM : err, "arena-fd",
				  "fd %d: its %zu MiB cannot be placed in the memory window: %s",
				  fd, a->size >> 20, weir_strerror(err));
	}
	if (err) {
		if (err != -EBADF)
			close(fd);
		free(a->chunks);
		free(a);
		return err == -ENOSPC ? -ENOMEM : err;
	}
	*out = enlist(a, link);
	return 0;
}

void weir_arena_destroy(struct weir_arena *a)
{
	struct weir_arena **p;

	if (!a)
		return;
	for (struct weir_arena_watch *x = a->w->watches; x; x = x->next)
		x->gone(x, a);
	for (p = &a->w->arenas; *p && *p != a; p = &(*p)->next)
		;
	if (*p)
		*p = a->next;
	unplace(a->base, a->size);
	close(a->fd);
	while (a->chunks) {
		struct chunk *c = a->chunks;

		a->chunks = c->next;
		free(c);
	}
	free(a);
}

void weir_arena_watch(struct weir *w, struct weir_arena_watch *watch)
{
	watch->next = w->watches;
	w->watches = watch;
}

void weir_arena_unwatch(struct weir *w, struct weir_arena_watch *watch)
{
	struct weir_arena_watch **p = &w->watches;

	while (*p && *p != watch)
		p = &(*p)->next;
	if (*p)
		*p = watch->next;
}

struct weir_arena_info weir_arena_info(const struct weir_arena *a)
{
	return (struct weir_arena_info){
		.base = a->base,
		.size = a->size,
		.page_size = a->page,
		.node = a->node,
		.fd = a->fd,
		.used = a->used,
		.is_private = a->is_private,
	};
}

struct weir_arena *weir_arena_next(struct weir *w, const struct weir_arena *prev)
{
	return prev ? prev->next : w->arenas;
}

struct weir *weir_arena_handle(const struct weir_arena *a)
{
	return a->w;
}

/* Split @c so that it starts with @len bytes; the rest becomes a chunk of its own. */
static bool split(struct chunk *c, size_t len)
{
	struct chunk *rest;

	if (c->len == len)
		return true;
	rest = malloc(sizeof(*rest));
	if (!rest)
		return false;
	*rest = (struct chunk){ .next = c->next, .off = c->off + len, .len = c->len - len };
	c->next = rest;
	c->len = len;
	return true;
}

/* Where in a chunk an allocation can start; what fits a WEIR_DMA_PAGE does not cross into the next. */
static size_t skip_to(const struct weir_arena *a, const struct chunk *c, size_t size, size_t align)
{
	uintptr_t at = (uintptr_t)a->base + c->off, to = WEIR_ALIGN_UP(at, align);

	if (size <= WEIR_DMA_PAGE &&
	    WEIR_ALIGN_DOWN(to, WEIR_DMA_PAGE) != WEIR_ALIGN_DOWN(to + size - 1, WEIR_DMA_PAGE))
		to = WEIR_ALIGN_UP(WEIR_ALIGN_UP(to, WEIR_DMA_PAGE), align);
	return to - at;
}

void *weir_arena_alloc(struct weir_arena *a, size_t size, size_t align)
{
	if (!size || size > a->size || !weir_is_pow2(align))
		return NULL;
	if (align < WEIR_CACHE_LINE)
		align = WEIR_CACHE_LINE;
	size = WEIR_ALIGN_UP(size, (size_t)WEIR_CACHE_LINE);
	for (struct chunk *c = a->chunks; c; c = c->next) {
		size_t skip = skip_to(a, c, size, align);

		if (c->used || c->len < size || c->len - size < skip)
			continue;
		if (skip) {
			if (!split(c, skip))
				return NULL;
			c = c->next;
		}
		if (!split(c, size))
			return NULL;
		c->used = true;
		a->used += size;
		return memset(a->base + c->off, 0, size);
	}
	return NULL;
}

static void merge(struct chunk *c)
{
	while (c && c->next && !c->used && !c->next->used) {
		struct chunk *n = c->next;

		c->len += n->len;
		c->next = n->next;
		free(n);
	}
}

void weir_arena_free(struct weir_arena *a, void *p)
{
	struct chunk *prev = NULL;
	size_t off;

	if (!p)
		return;
	off = (size_t)((char *)p - a->base);
	for (struct chunk *c = a->chunks; c; prev = c, c = c->next) {
		if (c->off != off || !c->used)
			continue;
		c->used = false;
		a->used -= c->len;
		merge(c);
		if (prev && !prev->used)
			merge(prev);
		return;
	}
	weir_log(a->w, WEIR_LOG_ERR, "arena-free", "weir_arena_free(): %p was not allocated", p);
}
