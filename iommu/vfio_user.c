/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backend: vfio-user, VFIO without the kernel. A server on a UNIX socket has the device; an address
 * space is a list of memory that each attached device's server is told of, arenas by their memfd.
 * Servers translate and check by themselves: there is no IOMMU between.
 */
#include "iommu/vfio_user.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEME "vfio-user:"
/* What x86 processors and most IOMMUs can address. */
#define IOVA_BITS 48

static const char *socket_path(const char *dev)
{
	return dev + strlen(SCHEME);
}

/* "fd=N" for a socket that is connected already; a file of that name is "./fd=N". */
static bool handed_in(const char *path, int *fd)
{
	unsigned n;
	int end = 0;

	if (sscanf(path, "fd=%9u%n", &n, &end) != 1 || path[end])
		return false;
	*fd = (int)n;
	return true;
}

static int probe_fd(int fd, char why[WEIR_WHY_LEN], const char **id)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(int), peer_len = sizeof(peer);
	int domain = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
		return weir_why(why, id, errno, "no-socket", "fd %d: %s; hand in a socket", fd,
				weir_strerror(errno));
	if (domain != AF_UNIX || getpeername(fd, (struct sockaddr *)&peer, &peer_len))
		return weir_why(why, id, ENOTCONN, "no-socket",
				"fd %d is no connected UNIX socket; connect it to the server first",
				fd);
	return 0;
}

static int user_probe(const struct weir_backend *be, struct weir *w, const char *dev,
		      char why[WEIR_WHY_LEN], const char **id)
{
	const char *path = socket_path(dev);
	struct stat st;
	int fd;

	(void)be;
	(void)w;
	if (handed_in(path, &fd))
		return probe_fd(fd, why, id);
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

static unsigned prot_flags(const struct weir_iova_map *m)
{
	return (m->prot & WEIR_PROT_READ ? VU_DMA_READABLE : 0) |
	       (m->prot & WEIR_PROT_WRITE ? VU_DMA_WRITEABLE : 0);
}

/* The file behind a mapping goes with @call; false if it has none, or the server takes none. */
static bool add_fd(struct vu_dev *u, const struct weir_iova_map *m, struct vu_call *call,
		   uint64_t *offset)
{
	if (m->fd < 0 || !u->c.max_fds)
		return false;
	*offset = m->off;
	call->fds = &m->fd;
	call->n_fds = 1;
	return true;
}

static int tell_map(struct vu_dev *u, const struct weir_iova_map *m)
{
	struct vu_dma_map req = {
		.argsz = sizeof(req),
		.flags = prot_flags(m),
		.addr = m->iova,
		.size = m->len,
	};
	struct vu_call call = {
		.cmd = VU_DMA_MAP, .quiet = true, .req = &req, .req_len = sizeof(req)
	};

	/* Without an fd the server has to ask for each access. */
	add_fd(u, m, &call, &req.offset);
	return vu_call(&u->c, &call);
}

static int room_for_map(struct vu_dev *u)
{
	if (u->c.n_maps + u->pasid_maps < u->c.max_maps)
		return 0;
	return weir_fail(u->c.w, ENOSPC, "vfio-user-maps",
			 "%s: the server takes no more than %u mappings", u->c.name, u->c.max_maps);
}

static int dev_map(struct vu_dev *u, const struct weir_iova_map *m)
{
	int err = room_for_map(u);

	/* The server may use it before its reply has been read. */
	if (!err)
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

/* --- the same for one PASID of a device --- */

/* DMA messages carry no PASID: what has no file cannot be reached. */
static int pasid_map(struct vu_user *t, const struct weir_iova_map *m)
{
	struct vu_dev *u = t->dev;
	struct vu_pasid_map req = {
		.p = { .argsz = sizeof(req), .flags = prot_flags(m), .pasid = t->pasid },
		.addr = m->iova,
		.size = m->len,
	};
	struct vu_call call = {
		.cmd = VU_X_PASID_MAP, .quiet = true, .req = &req, .req_len = sizeof(req)
	};
	int err = room_for_map(u);

	if (err)
		return err;
	if (!add_fd(u, m, &call, &req.offset))
		return weir_fail(u->c.w, EOPNOTSUPP, "pasid",
				 "%s: PASID %u reaches only memory that has a file, as arenas have",
				 u->c.name, t->pasid);
	err = vu_call(&u->c, &call);
	u->pasid_maps += !err;
	return err;
}

static void pasid_unmap(struct vu_user *t, const struct weir_iova_map *m)
{
	struct vu_dev *u = t->dev;
	struct vu_pasid_unmap req = {
		.p = { .argsz = sizeof(req), .pasid = t->pasid },
		.addr = m->iova,
		.size = m->len,
	};
	struct vu_call call = {
		.cmd = VU_X_PASID_UNMAP, .quiet = true, .req = &req, .req_len = sizeof(req)
	};
	int err = vu_call(&u->c, &call);

	if (err)
		vu_violation(&u->c, "it does not unmap %#llx of PASID %u: %s",
			     (unsigned long long)m->iova, t->pasid, weir_strerror(err));
	else
		u->pasid_maps--;
}

static int tell_pasid(struct vu_dev *u, enum vu_cmd cmd, uint32_t pasid)
{
	struct vu_pasid req = { .argsz = sizeof(req), .pasid = pasid };
	struct vu_call call = { .cmd = cmd, .quiet = true, .req = &req, .req_len = sizeof(req) };

	return vu_call(&u->c, &call);
}

/* --- users of an address space --- */

static int user_map(struct vu_user *t, const struct weir_iova_map *m)
{
	return t->pasid == WEIR_PASID_NONE ? dev_map(t->dev, m) : pasid_map(t, m);
}

static void user_unmap(struct vu_user *t, const struct weir_iova_map *m)
{
	if (t->pasid == WEIR_PASID_NONE)
		dev_unmap(t->dev, m);
	else
		pasid_unmap(t, m);
}

static void unmap_upto(struct vu_user *t, const struct weir_iova_map *m,
		       const struct weir_iova_map *end)
{
	for (; m != end; m = m->next)
		user_unmap(t, m);
}

/* All that is mapped in @as, for a new user. On failure nothing is. */
static int join(struct weir_ioas *as, struct vu_user *t)
{
	for (const struct weir_iova_map *m = as->maps; m; m = m->next) {
		int err = user_map(t, m);

		if (err) {
			unmap_upto(t, as->maps, m);
			return weir_fail(t->dev->c.w, err, "attach",
					 "%s: the server refused memory at %#llx: %s",
					 t->dev->c.name, (unsigned long long)m->iova,
					 weir_strerror(err));
		}
	}
	t->next = as->users;
	as->users = t;
	return 0;
}

static void leave(struct weir_ioas *as, struct vu_user *t)
{
	struct vu_user **p = &as->users;

	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	unmap_upto(t, as->maps, NULL);
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

	for (struct vu_user *t = as->users; t; t = t->next) {
		int err = user_map(t, m);

		if (!err) {
			done++;
		} else if (vu_is_broken(&t->dev->c)) {
			gone = err;
		} else {
			for (struct vu_user *v = as->users; v != t; v = v->next)
				user_unmap(v, m);
			return err;
		}
	}
	return done ? 0 : gone;
}

static int user_as_unmap(struct weir_ioas *as, const struct weir_iova_map *m)
{
	for (struct vu_user *t = as->users; t; t = t->next)
		user_unmap(t, m);
	return 0;
}

static int user_as_ranges(struct weir_ioas *as, struct weir_iova_range *r, unsigned n,
			  uint64_t *align)
{
	*align = (uint64_t)sysconf(_SC_PAGESIZE);
	/* The smallest page of a server is the lowest bit of its sizes. */
	for (const struct vu_user *t = as->users; t; t = t->next) {
		uint64_t page = t->dev->c.pgsizes & -t->dev->c.pgsizes;

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
	const char *path = socket_path(d->sysdev);
	int err, fd = -1;

	if (!u)
		return -ENOMEM;
	handed_in(path, &fd);
	for (unsigned i = 0; i < WEIR_MAX_REGIONS; i++)
		u->regions[i].fd = -1;
	u->self.dev = u;
	err = vu_connect(&u->c, d->w, d->name, path, fd, d->iommu->timeout_ms);
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

static int user_dev_attach(struct weir_iodev *d)
{
	return join(d->as, &d->user->self);
}

static int user_dev_detach(struct weir_iodev *d)
{
	leave(d->as, &d->user->self);
	vu_dev_close_regions(d->user);
	return 0;
}

static int user_pasid_bits(struct weir_iodev *d, char why[WEIR_WHY_LEN])
{
	if (d->user->c.pasid_bits)
		return (int)d->user->c.pasid_bits;
	snprintf(why, WEIR_WHY_LEN,
		 "the vfio-user server does not offer them (capability " VU_X_PASID_CAP
		 "); weir nicsim does with --pasid");
	return -EOPNOTSUPP;
}

static int user_pasid_attach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct vu_user *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->dev = d->user;
	t->pasid = pasid;
	err = tell_pasid(d->user, VU_X_PASID_ATTACH, pasid);
	if (err) {
		weir_fail(d->w, err, "pasid", "%s: the server refused PASID %u: %s", d->name, pasid,
			  weir_strerror(err));
		goto free;
	}
	err = join(as, t);
	if (err)
		goto detach;
	return 0;
detach:
	tell_pasid(d->user, VU_X_PASID_DETACH, pasid);
free:
	free(t);
	return err;
}

static struct vu_user *user_of(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct vu_user *t = as->users;

	while (t->dev != d->user || t->pasid != pasid)
		t = t->next;
	return t;
}

/* As with mappings: a server that does not let go of a PASID is not used any more. */
static int user_pasid_detach(struct weir_iodev *d, uint32_t pasid, struct weir_ioas *as)
{
	struct vu_user *t = user_of(d, pasid, as);
	int err;

	leave(as, t);
	free(t);
	err = tell_pasid(d->user, VU_X_PASID_DETACH, pasid);
	if (err)
		vu_violation(&d->user->c, "it does not detach PASID %u: %s", pasid,
			     weir_strerror(err));
	return 0;
}

/* A number that is not in use, for the time of a move. */
static uint32_t spare_pasid(struct weir_iodev *d)
{
	uint32_t n = (1u << d->user->c.pasid_bits) - 1;

	while (n && weir_pasid_find(d, n))
		n--;
	return n;
}

static int tell_replace(struct vu_dev *u, uint32_t pasid, uint32_t with)
{
	struct vu_pasid_replace req = {
		.p = { .argsz = sizeof(req), .pasid = pasid },
		.with = with,
	};
	struct vu_call call = {
		.cmd = VU_X_PASID_REPLACE, .quiet = true, .req = &req, .req_len = sizeof(req)
	};

	return vu_call(&u->c, &call);
}

/* The server has dropped what @t had mapped, without being told of each. */
static void forget(struct weir_ioas *as, struct vu_user *t)
{
	struct vu_user **p = &as->users;

	for (const struct weir_iova_map *m = as->maps; m; m = m->next)
		t->dev->pasid_maps--;
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	free(t);
}

/*
 * The new address space is made ready behind a number that no queue carries, and then changes places
 * with the old one in a single message.
 */
static int user_pasid_move(struct weir_iodev *d, struct weir_pasid *p, struct weir_ioas *as)
{
	uint32_t spare = spare_pasid(d);
	int err;

	if (!spare)
		return weir_fail(
			d->w, ENOSPC, "move",
			"%s: moving PASID %u takes another one, and all of %u bits are in use",
			d->name, p->pasid, d->user->c.pasid_bits);
	err = user_pasid_attach(d, spare, as);
	if (err)
		return err;
	err = tell_replace(d->user, p->pasid, spare);
	if (err) {
		user_pasid_detach(d, spare, as);
		return weir_fail(d->w, err, "move", "%s: the server did not move PASID %u: %s",
				 d->name, p->pasid, weir_strerror(err));
	}
	forget(p->as, user_of(d, p->pasid, p->as));
	user_of(d, spare, as)->pasid = p->pasid;
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
	.pasid_bits = user_pasid_bits,
	.pasid_attach = user_pasid_attach,
	.pasid_detach = user_pasid_detach,
	.pasid_move = user_pasid_move,
	.io = &weir_user_devio,
};
