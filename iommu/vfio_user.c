/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backend: vfio-user, VFIO without the kernel. A server on a UNIX socket has the device; an address
 * space is a list of memory that each attached device's server is told of, arenas by their memfd.
 * Servers translate and check by themselves: there is no IOMMU between.
 */
#include "iommu/vfio_user.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEME "vfio-user:"
/* What x86 processors and most IOMMUs can address. */
#define IOVA_BITS 48

static const char *socket_path(const char *dev)
{
	return dev + strlen(SCHEME);
}

static int user_probe(struct weir *w, const char *dev, char why[WEIR_WHY_LEN], const char **id)
{
	const char *path = socket_path(dev);
	struct stat st;

	(void)w;
	if (stat(path, &st))
		return weir_why(why, id, errno, "no-socket", "%s: %s; start the server first", path,
				weir_strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return weir_why(why, id, ENOTSOCK, "no-socket",
				"%s is no socket; take the path that the server was given", path);
	if (access(path, W_OK))
		return weir_why(why, id, errno, "socket-access",
				"%s: %s; it belongs to user %u, mode %03o: run as that user, or "
				"have the server's user give access",
				path, weir_strerror(errno), st.st_uid, st.st_mode & 0777);
	return 0;
}

/* --- one device's half of a mapping --- */

static int tell_map(struct vu_dev *u, const struct weir_iova_map *m)
{
	int fd = m->fd;
	struct vu_dma_map req = {
		.argsz = sizeof(req),
		.flags = (m->prot & WEIR_PROT_READ ? VU_DMA_READABLE : 0) |
			 (m->prot & WEIR_PROT_WRITE ? VU_DMA_WRITEABLE : 0),
		.addr = m->iova,
		.size = m->len,
	};
	struct vu_call call = {
		.cmd = VU_DMA_MAP, .quiet = true, .req = &req, .req_len = sizeof(req)
	};

	/* Without an fd the server has to ask for each access. */
	if (fd >= 0 && u->c.max_fds) {
		req.offset = m->off;
		call.fds = &fd;
		call.n_fds = 1;
	}
	return vu_call(&u->c, &call);
}

static int dev_map(struct vu_dev *u, const struct weir_iova_map *m)
{
	int err;

	if (u->c.n_maps >= u->c.max_maps)
		return weir_fail(u->c.w, ENOSPC, "vfio-user-maps",
				 "%s: the server takes no more than %u mappings", u->c.name,
				 u->c.max_maps);
	/* The server may use it before its reply has been read. */
	err = vu_allow(&u->c, m);
	if (err)
		return err;
	err = tell_map(u, m);
	if (err)
		vu_forbid(&u->c, m->iova);
	return err;
}

/* A server that does not let go of memory is not used any more. */
static void dev_unmap(struct vu_dev *u, const struct weir_iova_map *m)
{
	struct vu_dma_unmap req = { .argsz = sizeof(req), .addr = m->iova, .size = m->len };
	struct vu_dma_unmap got;
	struct vu_call call = { .cmd = VU_DMA_UNMAP,
				.quiet = true,
				.req = &req,
				.req_len = sizeof(req),
				.reply = &got,
				.reply_len = sizeof(got) };
	int err = vu_call(&u->c, &call);

	if (err)
		vu_violation(&u->c, "it does not unmap %#llx: %s", (unsigned long long)m->iova,
			     weir_strerror(err));
	vu_forbid(&u->c, m->iova);
}

/* --- address spaces --- */

static int user_as_create(struct weir_ioas *as)
{
	as->users = NULL;
	return 0;
}

static void user_as_destroy(struct weir_ioas *as)
{
	(void)as;
}

/*
 * A server that is gone must not keep others from going on: mapping fails only if one refuses, or
 * if none is left.
 */
static int user_as_map(struct weir_ioas *as, const struct weir_iova_map *m)
{
	unsigned done = 0;
	int gone = 0;

	for (struct vu_dev *u = as->users; u; u = u->next) {
		int err = dev_map(u, m);

		if (!err) {
			done++;
		} else if (vu_is_broken(&u->c)) {
			gone = err;
		} else {
			for (struct vu_dev *v = as->users; v != u; v = v->next)
				dev_unmap(v, m);
			return err;
		}
	}
	return done ? 0 : gone;
}

static int user_as_unmap(struct weir_ioas *as, const struct weir_iova_map *m)
{
	for (struct vu_dev *u = as->users; u; u = u->next)
		dev_unmap(u, m);
	return 0;
}

static int user_as_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n,
			  uint64_t *align)
{
	*align = (uint64_t)sysconf(_SC_PAGESIZE);
	/* The smallest page of a server is the lowest bit of its sizes. */
	for (const struct vu_dev *u = as->users; u; u = u->next) {
		uint64_t page = u->c.pgsizes & -u->c.pgsizes;

		if (page > *align)
			*align = page;
	}
	if (n)
		r[0] = (struct weir_iova_range){ 0, (1ull << IOVA_BITS) - 1 };
	return 1;
}

/* --- devices --- */

static int user_dev_open(struct weir_iodev *d)
{
	struct vu_dev *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	for (unsigned i = 0; i < WEIR_MAX_REGIONS; i++)
		u->regions[i].fd = -1;
	err = vu_connect(&u->c, d->w, d->name, socket_path(d->sysdev), d->iommu->timeout_ms);
	if (!err)
		err = vu_negotiate(&u->c);
	if (!err)
		err = vu_dev_info(u);
	if (err) {
		vu_disconnect(&u->c);
		free(u);
		return err;
	}
	d->user = u;
	return 0;
}

static void user_dev_close(struct weir_iodev *d)
{
	vu_dev_close_regions(d->user);
	vu_disconnect(&d->user->c);
	free(d->user);
	d->user = NULL;
}

static void unmap_upto(struct vu_dev *u, const struct weir_iova_map *m,
		       const struct weir_iova_map *end)
{
	for (; m != end; m = m->next)
		dev_unmap(u, m);
}

static int user_dev_attach(struct weir_iodev *d)
{
	struct vu_dev *u = d->user;

	for (const struct weir_iova_map *m = d->as->maps; m; m = m->next) {
		int err = dev_map(u, m);

		if (err) {
			unmap_upto(u, d->as->maps, m);
			return weir_fail(d->w, err, "attach",
					 "%s: the server refused memory at %#llx: %s", d->name,
					 (unsigned long long)m->iova, weir_strerror(err));
		}
	}
	u->next = d->as->users;
	d->as->users = u;
	return 0;
}

static int user_dev_detach(struct weir_iodev *d)
{
	struct vu_dev **p = &d->as->users;

	while (*p != d->user)
		p = &(*p)->next;
	*p = d->user->next;
	unmap_upto(d->user, d->as->maps, NULL);
	vu_dev_close_regions(d->user);
	return 0;
}

const struct weir_backend weir_backend_user = {
	.mode = WEIR_MODE_VFIO_USER,
	.scheme = SCHEME,
	.probe = user_probe,
	.as_create = user_as_create,
	.as_destroy = user_as_destroy,
	.as_map = user_as_map,
	.as_unmap = user_as_unmap,
	.as_ranges = user_as_ranges,
	.dev_open = user_dev_open,
	.dev_close = user_dev_close,
	.dev_attach = user_dev_attach,
	.dev_detach = user_dev_detach,
	.io = &weir_user_devio,
};
