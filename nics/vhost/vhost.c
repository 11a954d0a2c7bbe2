/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port that is a virtio network device for others: "vhost:/path.sock". QEMU plugs a guest's NIC
 * into it, DPDK's virtio-user and weir's own vhost-user connect to it.
 */
#include "nics/vhost/vhost.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

static void vhost_caps(struct weir_port *p, struct weir_port_caps *c)
{
	struct vhost_port *v = vhost_of(p);

	c->driver = "vhost";
	c->max_rxq = c->max_txq = v->o.pairs ? v->o.pairs : WEIR_MAX_QUEUES;
	/* Rings are the front end's. */
	c->min_desc = 1;
	c->max_desc = 65536;
	c->desc_align = 1;
	c->max_mtu = 9216;
	c->offloads = WEIR_OFF_RX_JUMBO;
	if (!(v->o.masked & VIRTIO_NET_F_CSUM))
		c->offloads |= WEIR_OFF_RX_CSUM | WEIR_OFF_TX_CSUM | WEIR_OFF_RX_PARTIAL;
	c->max_tx_segs = WEIR_MAX_SEGS;
	c->rx_intr = true;
}

static void vhost_unconfigure(struct weir_port *p)
{
	struct vhost_port *v = vhost_of(p);

	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++) {
		if (v->rxq[i].epoll >= 0)
			close(v->rxq[i].epoll);
		if (v->rxq[i].wake >= 0)
			close(v->rxq[i].wake);
		v->rxq[i].epoll = v->rxq[i].wake = -1;
	}
}

static int configure_rxq(struct vhost_port *v, unsigned i)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct vhost_rxq *q = &v->rxq[i];

	q->base = (struct weir_rxq){ .burst = vhost_rx,
				     .dma = { .va_base = weir_window(v->port.w).base },
				     .port = &v->port,
				     .index = i };
	q->ring = &v->ring[2 * i + 1];
	q->v = v;
	v->port.rxq[i] = &q->base;
	q->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (q->epoll < 0)
		return -errno;
	q->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->wake < 0 || epoll_ctl(q->epoll, EPOLL_CTL_ADD, q->wake, &e))
		return -errno;
	return 0;
}

static int vhost_configure(struct weir_port *p)
{
	struct vhost_port *v = vhost_of(p);
	int err = 0;

	for (unsigned i = 0; i < p->conf.n_rxq && !err; i++)
		err = configure_rxq(v, i);
	if (err) {
		vhost_unconfigure(p);
		return weir_fail(p->w, err, "epoll", "%s: %s", p->name, weir_strerror(err));
	}
	for (unsigned i = 0; i < p->conf.n_txq; i++) {
		v->txq[i].base = (struct weir_txq){ .post = vhost_tx,
						    .kick = vhost_tx_kick,
						    .reap = vhost_tx_reap,
						    .dma = { .va_base = weir_window(p->w).base },
						    .port = p,
						    .index = i };
		v->txq[i].v = v;
		p->txq[i] = &v->txq[i].base;
	}
	return 0;
}

/* From now on weir_port_service() lets a front end in. */
static int vhost_start(struct weir_port *p)
{
	(void)p;
	return 0;
}

static void vhost_stop(struct weir_port *p)
{
	vhost_disconnect(vhost_of(p), NULL, NULL);
}

static void vhost_free(struct vhost_port *v)
{
	if (v->listener >= 0) {
		close(v->listener);
		unlink(v->o.path);
	}
	vhost_opts_free(&v->o);
	free(v);
}

static void vhost_close(struct weir_port *p)
{
	weir_port_fini(p);
	vhost_free(vhost_of(p));
}

static int vhost_link(struct weir_port *p, struct weir_link *link)
{
	link->full_duplex = true;
	link->up = __atomic_load_n(&vhost_of(p)->pairs_live, __ATOMIC_RELAXED) > 0;
	return 0;
}

static int vhost_mac_get(struct weir_port *p, uint8_t mac[6])
{
	memcpy(mac, vhost_of(p)->mac, 6);
	return 0;
}

static int vhost_mac_set(struct weir_port *p, const uint8_t mac[6])
{
	memcpy(vhost_of(p)->mac, mac, 6);
	return 0;
}

/* Whatever a guest sends arrives. */
static int vhost_promisc(struct weir_port *p, bool on)
{
	(void)on;
	(void)p;
	return 0;
}

static int vhost_mtu_set(struct weir_port *p, unsigned mtu)
{
	p->conf.mtu = mtu;
	return 0;
}

static int vhost_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n)
{
	struct vhost_port *v = vhost_of(p);
	const struct weir_xstat all[] = {
		{ "connections", v->connections },
		{ "bad_chains", __atomic_load_n(&v->bad_chains, __ATOMIC_RELAXED) },
		{ "pairs_live", __atomic_load_n(&v->pairs_live, __ATOMIC_RELAXED) },
	};

	for (unsigned i = 0; i < n && i < WEIR_ARRAY_SIZE(all); i++)
		x[i] = all[i];
	return (int)WEIR_ARRAY_SIZE(all);
}

static int vhost_rx_intr_fd(struct weir_port *p, unsigned q)
{
	return vhost_of(p)->rxq[q].epoll;
}

/* The control path has the ring for a moment only: whoever wants to sleep can wait. */
static int set_armed(struct weir_port *p, unsigned q, bool on)
{
	struct vhost_ring *r = vhost_of(p)->rxq[q].ring;
	int has;

	vhost_lock(r);
	has = vhost_ring_arm(r, on);
	if (!on)
		vhost_eventfd_drain(vhost_of(p)->rxq[q].wake);
	vhost_unlock(r);
	return has;
}

static int vhost_rx_intr_arm(struct weir_port *p, unsigned q)
{
	return set_armed(p, q, true);
}

static int vhost_rx_intr_disarm(struct weir_port *p, unsigned q)
{
	return set_armed(p, q, false);
}

static const struct weir_port_ops vhost_ops = {
	.caps = vhost_caps,
	.configure = vhost_configure,
	.unconfigure = vhost_unconfigure,
	.start = vhost_start,
	.stop = vhost_stop,
	.close = vhost_close,
	.link = vhost_link,
	.mac_get = vhost_mac_get,
	.mac_set = vhost_mac_set,
	.promisc = vhost_promisc,
	.allmulti = vhost_promisc,
	.mtu_set = vhost_mtu_set,
	.xstats = vhost_xstats,
	.rx_intr_fd = vhost_rx_intr_fd,
	.rx_intr_arm = vhost_rx_intr_arm,
	.rx_intr_disarm = vhost_rx_intr_disarm,
	.service = vhost_service,
};

static int choose_mac(struct vhost_port *v)
{
	if (v->o.has_mac) {
		memcpy(v->mac, v->o.mac, sizeof(v->mac));
		return 0;
	}
	if (getrandom(v->mac, sizeof(v->mac), 0) != sizeof(v->mac))
		return -errno;
	v->mac[0] = (uint8_t)((v->mac[0] & ~1u) | 2);
	return 0;
}

static int prepare(struct vhost_port *v, struct weir *w, const char *name, const char *rest)
{
	int err = vhost_opts_parse(w, name, rest, &v->o);

	if (!err)
		err = choose_mac(v);
	if (err || v->o.client)
		return err;
	v->listener = vhost_listen(v->o.path);
	if (v->listener < 0)
		return weir_fail(w, v->listener, "no-socket", "%s: cannot listen there: %s", name,
				 weir_strerror(v->listener));
	return 0;
}

static int vhost_open(struct weir_iommu *iommu, const char *name, const char *rest,
		      const struct weir_port_open_opts *opts, struct weir_port **out)
{
	struct weir *w = weir_iommu_handle(iommu);
	struct vhost_port *v =
		aligned_alloc(WEIR_CACHE_LINE, WEIR_ALIGN_UP(sizeof(*v), (size_t)WEIR_CACHE_LINE));
	int err;

	if (!v)
		return -ENOMEM;
	(void)opts;
	memset(v, 0, sizeof(*v));
	v->iommu = iommu;
	v->listener = v->sock = v->answer_fd = -1;
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		v->ring[i].kick = v->ring[i].call = -1;
	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++)
		v->rxq[i].epoll = v->rxq[i].wake = -1;
	err = prepare(v, w, name, rest);
	if (!err)
		err = weir_port_init(&v->port, w, &vhost_ops, name);
	if (err) {
		vhost_free(v);
		return err;
	}
	*out = &v->port;
	return 0;
}

const struct weir_driver weir_vhost_driver = {
	.name = "vhost",
	.scheme = "vhost",
	.open_mapped = vhost_open,
};
