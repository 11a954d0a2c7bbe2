/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of one device for several tenants: a PASID of its own for each pair, and behind it an address
 * space with the tenant's memory alone.
 */
#include "nics/nics.h"

#include <stdio.h>

static struct weir_iodev *iodev_of(struct weir_port *p)
{
	struct weir_pci *d = weir_port_pci(p);

	return d ? weir_pci_iodev(d) : NULL;
}

int weir_queue_assignable(struct weir_port *p, char why[WEIR_WHY_LEN])
{
	struct weir_iodev *d = iodev_of(p);
	struct weir_port_caps caps;

	weir_port_caps(p, &caps);
	if (!d || !caps.tag_queues) {
		snprintf(why, WEIR_WHY_LEN,
			 "the %s driver knows of no queues of this device that could carry a PASID",
			 caps.driver);
		return -EOPNOTSUPP;
	}
	return weir_iodev_pasid_bits(d, why);
}

/* Rings outside of the tenant's memory could not be reached. */
static int check_rings(struct weir_port *p, unsigned q, unsigned n, const struct weir_arena *a)
{
	for (unsigned i = q; i < q + n && i < WEIR_MAX_QUEUES; i++)
		if (weir_port_ring_arena(p, i) != a)
			return weir_fail(p->w, EINVAL, "queue-arena",
					 "%s: the rings of pair %u lie outside of its tenant's "
					 "arena; set weir_port_conf.queue_arena[%u]",
					 p->name, i, i);
	return 0;
}

static int check(struct weir_port *p, unsigned q)
{
	if (p->state == WEIR_PORT_RUNNING)
		return weir_fail(p->w, EBUSY, "state",
				 "%s: stop the port before giving its queues away", p->name);
	if (p->state != WEIR_PORT_READY || q >= p->conf.n_rxq || q >= p->conf.n_txq)
		return weir_fail(p->w, EINVAL, "queue-assign",
				 "%s: there is no queue pair %u; configure the port first", p->name,
				 q);
	if (p->pasid[q])
		return weir_fail(p->w, EBUSY, "queue-assign",
				 "%s: pair %u is assigned already, with PASID %u", p->name, q,
				 p->pasid[q]);
	return 0;
}

/* The tenant's arena in @a->ioas. */
static int map(struct weir_assign *a)
{
	return weir_ioas_hold_arena(a->ioas, a->arena, &a->dma);
}

static bool is_mapped(const struct weir_ioas *as, const struct weir_arena *a)
{
	const char *base = weir_arena_info(a).base;
	struct weir_mapping m;

	for (bool more = weir_ioas_map_next(as, NULL, &m); more;
	     more = weir_ioas_map_next(as, &m, &m))
		if (m.va == base)
			return true;
	return false;
}

/* An address space that nothing is attached to keeps none of the tenant's memory pinned. */
static int unmap(const struct weir_assign *a)
{
	int err = weir_ioas_drop_arena(a->ioas, a->arena);

	if (!err && !weir_ioas_devices(a->ioas) && is_mapped(a->ioas, a->arena))
		err = weir_ioas_unmap_arena(a->ioas, a->arena);
	return err;
}

static int share(struct weir_assign *a)
{
	struct weir_iodev *d = iodev_of(a->port);

	if (!d)
		return weir_fail(a->port->w, EOPNOTSUPP, "queue-assign",
				 "%s: it has no device whose address space could be shared",
				 a->port->name);
	a->shared = true;
	a->ioas = weir_iodev_ioas(d);
	weir_warn(
		a->port->w,
		"%s: pair %u shares the address space of its device, its tenant is not kept apart: "
		"%s",
		a->port->name, a->queue, a->why);
	return map(a);
}

static int separate(struct weir_assign *a)
{
	struct weir_iodev *d = iodev_of(a->port);
	struct weir_port_caps caps;
	int err;

	weir_port_caps(a->port, &caps);
	err = check_rings(a->port, a->queue, caps.tag_queues, a->arena);
	if (!err)
		err = weir_iodev_pasid_attach(d, a->ioas, &a->pasid);
	if (err)
		return err;
	err = map(a);
	if (err)
		goto detach;
	err = weir_port_queue_tag(a->port, a->queue, a->pasid, &a->dma);
	if (err)
		goto unmap;
	return 0;
unmap:
	weir_ioas_drop_arena(a->ioas, a->arena);
detach:
	weir_iodev_pasid_detach(d, a->pasid);
	return err;
}

int weir_queue_assign(struct weir_port *p, unsigned q, struct weir_ioas *as,
		      const struct weir_arena *arena, unsigned flags, struct weir_assign *out)
{
	int err = check(p, q), bits;

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	out->port = p;
	out->queue = q;
	out->ioas = as;
	out->arena = arena;
	bits = weir_queue_assignable(p, out->why);
	if (bits > 0)
		err = separate(out);
	else if (flags & WEIR_ASSIGN_OR_SHARE)
		err = share(out);
	else
		err = weir_fail(p->w, EOPNOTSUPP, "queue-assign",
				"%s: pair %u cannot have an address space of its own: %s", p->name,
				q, out->why);
	if (err)
		out->port = NULL;
	return err;
}

int weir_queue_release(struct weir_assign *a)
{
	struct weir_port *p = a->port;
	int err = 0, e = 0;

	if (!p)
		return 0;
	if (p->state == WEIR_PORT_RUNNING)
		return weir_fail(p->w, EBUSY, "state",
				 "%s: stop the port before taking its queues back", p->name);
	if (!a->shared) {
		err = weir_port_queue_tag(p, a->queue, 0, NULL);
		e = weir_iodev_pasid_detach(iodev_of(p), a->pasid);
		err = err ? err : e;
	}
	e = unmap(a);
	a->port = NULL;
	return err ? err : e;
}
