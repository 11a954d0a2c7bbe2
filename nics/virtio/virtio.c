/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-net: life cycle. The device is initialised at start (3.1.1) and reset at stop; what was
 * set through the control queue is kept here and set again at the next start.
 */
#include "nics/virtio/virtio.h"
#include <stdlib.h>
#include <sys/random.h>

/* The control queue takes one command of three descriptors at a time. */
#define CTRL_SIZE 8
/* 5.1.4.1 */
#define MAX_PAIRS 0x7fff

/* What is taken whenever it is offered. Not among them:
 * CTRL_VLAN: with it, devices drop VLANs that nobody asked for;
 * EVENT_IDX: a ring whose interrupts are off is better off with a flag, which stays;
 * GUEST_TSO and its like: packets would be larger than a packet can be here.
 */
#define FEATURES_ALWAYS                                                                     \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | VIRTIO_F_ORDER_PLATFORM |          \
	 VIRTIO_F_IN_ORDER | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_MAC | VIRTIO_NET_F_MTU | \
	 VIRTIO_NET_F_STATUS | VIRTIO_NET_F_SPEED_DUPLEX | VIRTIO_NET_F_CTRL_VQ |           \
	 VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_MAC_ADDR)
/* 5.1.3.1: these need a control queue. */
#define FEATURES_CTRL                                                                 \
	(VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_VLAN | VIRTIO_NET_F_CTRL_MAC_ADDR | \
	 VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS | VIRTIO_NET_F_HASH_REPORT)

static void *zalloc_lines(size_t size)
{
	void *p;

	size = WEIR_ALIGN_UP(size, (size_t)WEIR_CACHE_LINE);
	p = aligned_alloc(WEIR_CACHE_LINE, size);
	if (p)
		memset(p, 0, size);
	return p;
}

/* --- start and stop --- */

static uint64_t wanted_features(const struct virtio_net *v)
{
	const struct weir_port_conf *c = &v->port.conf;
	uint64_t f = FEATURES_ALWAYS;

	if (v->packed)
		f |= VIRTIO_F_RING_PACKED;
	if (c->any_order)
		f &= ~VIRTIO_F_IN_ORDER;
	if (c->offloads & WEIR_OFF_RX_JUMBO)
		f |= VIRTIO_NET_F_MRG_RXBUF;
	if (c->offloads & WEIR_OFF_RX_CSUM)
		f |= VIRTIO_NET_F_GUEST_CSUM;
	if (c->offloads & WEIR_OFF_TX_CSUM)
		f |= VIRTIO_NET_F_CSUM;
	if (c->offloads & WEIR_OFF_RX_HASH)
		f |= VIRTIO_NET_F_HASH_REPORT;
	/* RSS for several transmit queues too: MQ alone would spread packets over as many to receive. */
	if (virtio_pairs(v) > 1)
		f |= VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS;
	return f & v->offered;
}

/* 3.1.1, steps 1 to 6. */
int virtio_negotiate(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;
	int err = t->ops->reset(t);

	if (err)
		return err;
	t->ops->set_status(t, VIRTIO_STATUS_ACKNOWLEDGE);
	t->ops->set_status(t, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	v->features = wanted_features(v);
	err = t->ops->set_features(t, v->features);
	if (err)
		return err;
	t->ops->set_status(t, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
				      VIRTIO_STATUS_FEATURES_OK);
	err = virtio_check(v);
	if (err)
		return err;
	if (t->ops->status(t) & VIRTIO_STATUS_FEATURES_OK)
		return 0;
	return weir_fail(v->port.w, EOPNOTSUPP, "virtio-features",
			 "%s: the device offers features 0x%llx but does not accept 0x%llx of them",
			 v->port.name, (unsigned long long)v->offered,
			 (unsigned long long)v->features);
}

static void fill(struct virtio_rxq *q)
{
	if (q->base.dma.pages)
		(q->vq.packed ? virtio_rx_fill_packed_phys : virtio_rx_fill_split_phys)(q);
	else if (q->vq.packed)
		virtio_rx_fill_packed(q);
	else
		virtio_rx_fill_split(q);
}

static void notify_all(struct virtio_net *v)
{
	for (unsigned i = 0; i < v->port.conf.n_rxq; i++) {
		if (v->packed)
			virtio_rx_notify_packed(&v->rx[i]);
		else
			virtio_rx_notify_split(&v->rx[i]);
	}
}

void virtio_fresh_rxq(struct virtio_rxq *q)
{
	virtio_vq_reset(&q->vq);
	q->skip = 0;
	q->unnotified = false;
	fill(q);
}

void virtio_fresh_txq(struct virtio_txq *q)
{
	virtio_vq_reset(&q->vq);
	q->segs = 0;
	q->base.unkicked = 0;
}

static void start_rxq(struct virtio_net *v, struct virtio_rxq *q)
{
	bool full;

	q->mrg = virtio_has(v, VIRTIO_NET_F_MRG_RXBUF);
	q->csum = virtio_has(v, VIRTIO_NET_F_GUEST_CSUM);
	q->hash = virtio_has(v, VIRTIO_NET_F_HASH_REPORT);
	q->vq.hdr_len = q->hash ? VIRTIO_NET_HDR_HASH_LEN : VIRTIO_NET_HDR_LEN;
	q->vq.in_order = virtio_has(v, VIRTIO_F_IN_ORDER);
	full = q->mrg || q->csum || q->hash;
	q->base.burst = full ? v->path->rx_full[v->packed] : v->path->rx[v->packed];
	virtio_fresh_rxq(q);
}

static void start_txq(struct virtio_net *v, struct virtio_txq *q)
{
	virtio_fresh_txq(q);
	q->max_len = (uint16_t)VIRTIO_FRAME(v->port.conf.mtu);
	q->short_len = (uint16_t)weir_min_u(q->max_len, WEIR_BUF_ROOM);
	q->short_off = (uint16_t)(WEIR_BUF_SIZE - q->short_len);
	q->csum = virtio_has(v, VIRTIO_NET_F_CSUM);
	q->vq.in_order = virtio_has(v, VIRTIO_F_IN_ORDER);
	q->vq.hdr_len = virtio_has(v, VIRTIO_NET_F_HASH_REPORT) ? VIRTIO_NET_HDR_HASH_LEN
								: VIRTIO_NET_HDR_LEN;
}

/* 5.1.2: the control queue follows all pairs that the device could have, as far as negotiated. */
static int start_ctrl(struct virtio_net *v)
{
	unsigned pairs = virtio_has(v, VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS) ? v->max_pairs : 1;

	if (!virtio_has(v, VIRTIO_NET_F_CTRL_VQ))
		return 0;
	virtio_vq_reset(&v->ctrl.vq);
	v->ctrl.dead = false;
	return virtio_vq_enable(&v->ctrl.vq, v->t, 2 * pairs, VIRTIO_MSI_NO_VECTOR);
}

int virtio_enable_queues(struct virtio_net *v)
{
	const struct weir_port_conf *c = &v->port.conf;
	int err = 0;

	if (c->rx_intr)
		err = v->t->ops->config_vector(v->t, 0);
	for (unsigned i = 0; !err && i < c->n_rxq; i++)
		err = virtio_vq_enable(&v->rx[i].vq, v->t, 2 * i,
				       c->rx_intr ? (uint16_t)(1 + i) : VIRTIO_MSI_NO_VECTOR);
	for (unsigned i = 0; !err && i < c->n_txq; i++)
		err = virtio_vq_enable(&v->tx[i].vq, v->t, 2 * i + 1, VIRTIO_MSI_NO_VECTOR);
	return err ? err : start_ctrl(v);
}

static void start_queues(struct virtio_net *v)
{
	for (unsigned i = 0; i < v->port.conf.n_rxq; i++)
		start_rxq(v, &v->rx[i]);
	for (unsigned i = 0; i < v->port.conf.n_txq; i++)
		start_txq(v, &v->tx[i]);
}

/* Tell a device that was reset all that it had been told. */
static int apply_settings(struct virtio_net *v)
{
	int err = virtio_has(v, VIRTIO_NET_F_CTRL_VQ) ? virtio_ctrl_queues(v) : 0;

	if (!err && v->mac_set && virtio_has(v, VIRTIO_NET_F_CTRL_MAC_ADDR))
		err = virtio_ctrl_mac(v);
	if (err || !virtio_has(v, VIRTIO_NET_F_CTRL_RX))
		return err;
	err = virtio_ctrl_promisc(v);
	if (!err)
		err = virtio_ctrl_allmulti(v);
	/* After a reset the table is empty. */
	if (!err && v->n_mc)
		err = virtio_ctrl_mac_table(v);
	return err;
}

void virtio_drain_pair(struct virtio_net *v, unsigned i)
{
	if (i < v->port.conf.n_rxq)
		virtio_vq_drain(&v->rx[i].vq, v->rx[i].base.cache);
	if (i < v->port.conf.n_txq) {
		struct virtio_txq *q = &v->tx[i];

		virtio_tx_drain_indirect(q);
		virtio_vq_drain(&q->vq, q->base.cache);
		q->segs = 0;
		q->base.unkicked = 0;
	}
}

/* However the device is, afterwards it does no DMA and all buffers are back. */
static void take_down(struct virtio_net *v)
{
	if (v->t->ops->suspend)
		v->t->ops->suspend(v->t);
	v->t->ops->reset(v->t);
	v->t->ops->set_dma(v->t, false);
	virtio_revive_end(v);
	for (unsigned i = 0; i < virtio_pairs(v); i++)
		virtio_drain_pair(v, i);
}

static int announce(struct virtio_net *v)
{
	const struct weir_port_conf *c = &v->port.conf;
	unsigned size = c->rx_desc > c->tx_desc ? c->rx_desc : c->tx_desc;

	return v->t->ops->track ? v->t->ops->track(v->t, 2 * virtio_pairs(v), size, v->resume) : 0;
}

static void virtio_stop(struct weir_port *p)
{
	struct virtio_net *v = virtio_net_of(p);

	if (v->t->ops->begin)
		v->t->ops->begin(v->t, true);
	take_down(v);
}

int virtio_go(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;
	int err = announce(v);

	if (!err)
		err = virtio_enable_queues(v);
	if (!err)
		err = t->ops->set_dma(t, true);
	if (err)
		return err;
	t->ops->set_status(t, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
				      VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
	err = virtio_check(v);
	if (!err)
		err = apply_settings(v);
	if (!err)
		notify_all(v);
	return err;
}

static int bring_up(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;
	int err;

	if (t->ops->begin)
		t->ops->begin(t, true);
	/* A device that went away while stopped may be back. */
	if (t->ops->service && t->ops->service(t)) {
		err = t->ops->reconnect(t);
		if (err)
			return weir_fail(t->w, ENOTCONN, "vhost-user-lost",
					 "%s: the back end is gone; start it again", t->name);
	}
	err = virtio_negotiate(v);
	if (err)
		return err;
	start_queues(v);
	return virtio_go(v);
}

static int virtio_start(struct weir_port *p)
{
	struct virtio_net *v = virtio_net_of(p);
	int err;

	if (virtio_failed(p))
		return weir_fail(p->w, EIO, "device-misbehaved",
				 "%s: the port has failed; close it and open it again", p->name);
	err = bring_up(v);
	if (err == -ENODEV)
		virtio_check(v);
	if (err)
		take_down(v);
	return err;
}

/* --- configure --- */

static int configure_rxq(struct virtio_net *v, unsigned i)
{
	struct weir_port_conf *c = &v->port.conf;
	struct virtio_rxq *q = &v->rx[i];

	q->net = v;
	q->base.port = &v->port;
	q->base.index = i;
	q->base.dma = v->t->dma;
	q->base.burst = v->path->rx[v->packed];
	q->block = (uint16_t)weir_min_u(VIRTIO_RX_BLOCK, c->rx_desc / 4);
	v->port.rxq[i] = &q->base;
	return virtio_vq_alloc(&q->vq, c->arena, c->rx_desc, v->packed);
}

static int configure_txq(struct virtio_net *v, unsigned i)
{
	struct weir_port_conf *c = &v->port.conf;
	struct virtio_txq *q = &v->tx[i];
	size_t ind_bytes = c->tx_desc * sizeof(*q->ind) * VIRTIO_IND_DESCS;
	int err;

	q->net = v;
	q->base.port = &v->port;
	q->base.index = i;
	q->base.dma = v->t->dma;
	q->base.post = v->path->tx[v->packed];
	q->base.kick = v->packed ? virtio_kick_packed : virtio_kick_split;
	q->base.reap = v->path->reap[v->packed];
	v->port.txq[i] = &q->base;
	err = virtio_vq_alloc(&q->vq, c->arena, c->tx_desc, v->packed);
	q->hdrs = weir_arena_alloc(c->arena, c->tx_desc * (size_t)VIRTIO_HDR_SLOT, 64);
	if (err || !q->hdrs)
		return -ENOMEM;
	if (!(v->offered & VIRTIO_F_INDIRECT_DESC))
		return 0;
	q->ind = weir_arena_alloc(c->arena, ind_bytes, 64);
	q->ind_bufs = calloc(c->tx_desc, WEIR_MAX_SEGS * sizeof(*q->ind_bufs));
	if (!q->ind || !q->ind_bufs)
		return -ENOMEM;
	if (!weir_dma_whole(&v->t->dma, q->ind, ind_bytes)) {
		/* A table could lie across two physical pages: long packets take chains then. */
		weir_arena_free(c->arena, q->ind);
		q->ind = NULL;
	}
	return 0;
}

static int configure_ctrl(struct virtio_net *v)
{
	struct weir_arena *a = virtio_ctrl_arena(v);

	if (!(v->offered & VIRTIO_NET_F_CTRL_VQ))
		return 0;
	v->ctrl.mem = weir_arena_alloc(a, sizeof(*v->ctrl.mem), WEIR_CACHE_LINE);
	v->ctrl.vq.hdr_len = 0;
	if (!v->ctrl.mem)
		return -ENOMEM;
	return virtio_vq_alloc(&v->ctrl.vq, a, CTRL_SIZE, v->packed);
}

static void virtio_unconfigure(struct weir_port *p)
{
	struct virtio_net *v = virtio_net_of(p);
	struct weir_arena *a = p->conf.arena;

	for (unsigned i = 0; v->rx && i < p->conf.n_rxq; i++) {
		virtio_vq_free(&v->rx[i].vq, a);
		p->rxq[i] = NULL;
	}
	for (unsigned i = 0; v->tx && i < p->conf.n_txq; i++) {
		virtio_vq_free(&v->tx[i].vq, a);
		weir_arena_free(a, v->tx[i].hdrs);
		weir_arena_free(a, v->tx[i].ind);
		free(v->tx[i].ind_bufs);
		p->txq[i] = NULL;
	}
	virtio_vq_free(&v->ctrl.vq, virtio_ctrl_arena(v));
	weir_arena_free(virtio_ctrl_arena(v), v->ctrl.mem);
	v->ctrl.mem = NULL;
	free(v->rx);
	free(v->tx);
	v->rx = NULL;
	v->tx = NULL;
	if (p->conf.rx_intr)
		v->t->ops->vectors(v->t, 0);
}

static int check_conf(struct virtio_net *v)
{
	struct weir_port_conf *c = &v->port.conf;
	int vectors;

	if (c->n_txq > c->n_rxq && !(v->offered & VIRTIO_NET_F_RSS))
		return weir_fail(
			v->port.w, EINVAL, "virtio-queues",
			"%s: %u transmit queues need as many receive queues (%u asked for), for "
			"the device, which has no RSS, spreads packets over all pairs",
			v->port.name, c->n_txq, c->n_rxq);
	if (c->rx_intr) {
		vectors = v->t->ops->max_vectors(v->t);
		if (vectors < (int)c->n_rxq + 1)
			return weir_fail(
				v->port.w, ENOSPC, "virtio-vector",
				"%s: interrupts for %u receive queues take %u vectors, the "
				"device has %d; give it more with vectors=N",
				v->port.name, c->n_rxq, c->n_rxq + 1, vectors);
	}
	return virtio_check_mtu(v, c->mtu);
}

static int alloc_queues(struct virtio_net *v)
{
	struct weir_port_conf *c = &v->port.conf;
	int err = 0;

	v->rx = zalloc_lines(c->n_rxq * sizeof(*v->rx));
	v->tx = zalloc_lines(c->n_txq * sizeof(*v->tx));
	if (!v->rx || !v->tx)
		return -ENOMEM;
	for (unsigned i = 0; !err && i < c->n_rxq; i++)
		err = configure_rxq(v, i);
	for (unsigned i = 0; !err && i < c->n_txq; i++)
		err = configure_txq(v, i);
	return err ? err : configure_ctrl(v);
}

/*
 * Hashes are wanted of a single queue, too, and without RSS. Then what stands in the configuration
 * counts for nothing and was not checked: take the default key, and a table of the first queue.
 */
static void set_rss(struct virtio_net *v)
{
	if (v->port.conf.n_rxq > 1 && (v->offered & VIRTIO_NET_F_RSS)) {
		v->rss = v->port.conf.rss;
		return;
	}
	v->rss = (struct weir_rss){
		.types = v->hash_types,
		.key_len = v->rss_key_max,
		.reta_len = 1,
	};
	memcpy(v->rss.key, weir_rss_default_key, v->rss.key_len);
}

static int virtio_configure(struct weir_port *p)
{
	struct virtio_net *v = virtio_net_of(p);
	struct weir_port_conf *c = &p->conf;
	int err = check_conf(v);

	if (err)
		return err;
	if (!c->arena)
		return weir_fail(p->w, EINVAL, "arena",
				 "%s: its rings need memory: set weir_port_conf.arena", p->name);
	c->rx_desc = virtio_pow2(weir_min_u(c->rx_desc, v->rx_size));
	c->tx_desc = virtio_pow2(weir_min_u(c->tx_desc, v->tx_size));
	v->packed = (v->offered & VIRTIO_F_RING_PACKED) && !c->split_rings;
	if (!v->path)
		v->path = virtio_best_path(&v->t->dma);
	v->promisc = c->promisc;
	set_rss(v);
	err = alloc_queues(v);
	if (err)
		weir_fail(p->w, err, "arena-full",
			  "%s: no memory for %u+%u rings of %u and %u descriptors", p->name,
			  c->n_rxq, c->n_txq, c->rx_desc, c->tx_desc);
	else if (c->rx_intr)
		err = v->t->ops->vectors(v->t, 1 + c->n_rxq);
	if (err)
		virtio_unconfigure(p);
	return err;
}

/* --- open and close --- */

static void virtio_close(struct weir_port *p)
{
	struct virtio_net *v = virtio_net_of(p);

	v->t->ops->close(v->t);
	weir_port_fini(p);
	free(v);
}

static const struct weir_port_ops virtio_port_ops = {
	.caps = virtio_caps,
	.configure = virtio_configure,
	.unconfigure = virtio_unconfigure,
	.start = virtio_start,
	.stop = virtio_stop,
	.close = virtio_close,
	.link = virtio_link,
	.mac_get = virtio_mac_get,
	.mac_set = virtio_mac_set,
	.promisc = virtio_promisc,
	.allmulti = virtio_allmulti,
	.mc_list = virtio_mc_list,
	.mtu_set = virtio_mtu_set,
	.rss_set = virtio_rss_set,
	.rss_get = virtio_rss_get,
	.xstats = virtio_xstats,
	.rx_intr_fd = virtio_rx_intr_fd,
	.rx_intr_arm = virtio_rx_intr_arm,
	.rx_intr_disarm = virtio_rx_intr_disarm,
	.lsc_fd = virtio_lsc_fd,
	.service = virtio_service,
};

static int check_features(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;

	if (!(v->offered & VIRTIO_F_VERSION_1))
		return weir_fail(
			t->w, EOPNOTSUPP, "virtio-not-modern",
			"%s: the device does not offer VIRTIO_F_VERSION_1 (features 0x%llx); give "
			"it disable-legacy=on",
			t->name, (unsigned long long)v->offered);
	if (t->translated && !(v->offered & VIRTIO_F_ACCESS_PLATFORM))
		return weir_fail(
			t->w, EOPNOTSUPP, "virtio-access-platform",
			"%s: the device does not offer VIRTIO_F_ACCESS_PLATFORM, so it would use "
			"memory past the IOMMU; give it iommu_platform=on (in QEMU: -device "
			"virtio-net-pci,disable-legacy=on,iommu_platform=on)",
			t->name);
	return 0;
}

static int no_config(struct virtio_transport *t)
{
	return weir_fail(t->w, EIO, "virtio-config",
			 "%s: the device's configuration cannot be read", t->name);
}

/* Queue pairs, RSS limits and MTU; features whose numbers make no sense are not used. */
static int read_limits(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;
	uint16_t pairs = 1, mtu = 0, reta = 0;
	uint8_t key = 0;
	uint32_t types = 0;
	int err = 0;

	if (!(v->offered & VIRTIO_NET_F_CTRL_VQ))
		v->offered &= ~(t->direct_mq ? FEATURES_CTRL & ~VIRTIO_NET_F_MQ : FEATURES_CTRL);
	if (v->offered & (VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS))
		err |= t->ops->config_read(t, VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS, &pairs, 2);
	if (v->offered & VIRTIO_NET_F_MTU)
		err |= t->ops->config_read(t, VIRTIO_NET_CFG_MTU, &mtu, 2);
	if (v->offered & (VIRTIO_NET_F_RSS | VIRTIO_NET_F_HASH_REPORT)) {
		err |= t->ops->config_read(t, VIRTIO_NET_CFG_RSS_MAX_KEY_SIZE, &key, 1);
		err |= t->ops->config_read(t, VIRTIO_NET_CFG_RSS_MAX_RETA_LENGTH, &reta, 2);
		err |= t->ops->config_read(t, VIRTIO_NET_CFG_SUPPORTED_HASHES, &types, 4);
	}
	if (err)
		return no_config(t);
	v->max_pairs = pairs;
	v->dev_mtu = mtu;
	v->rss_key_max = weir_min_u(key, WEIR_MAX_RSS_KEY);
	v->reta_max = weir_min_u(reta, WEIR_MAX_RETA);
	v->hash_types = types & VIRTIO_NET_RSS_HASH_TYPES;
	return 0;
}

static int check_limits(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;

	static_assert(WEIR_RSS_IPV4 == VIRTIO_NET_RSS_HASH_TYPE_IPV4 &&
			      WEIR_RSS_IPV6_UDP == VIRTIO_NET_RSS_HASH_TYPE_UDPV6,
		      "hash types are passed on as they are");
	if (v->dev_mtu < WEIR_MTU_MIN) {
		v->offered &= ~VIRTIO_NET_F_MTU;
		v->dev_mtu = UINT16_MAX;
	}
	if (v->rss_key_max < 40 || !v->hash_types)
		v->offered &= ~(VIRTIO_NET_F_RSS | VIRTIO_NET_F_HASH_REPORT);
	if (!v->reta_max)
		v->offered &= ~VIRTIO_NET_F_RSS;
	/*
	 * Whether they are all there shows only once features are negotiated: QEMU takes queues
	 * away when a driver does without MQ, and gives them back when the next one wants it.
	 */
	if (!v->max_pairs || v->max_pairs > MAX_PAIRS) {
		v->offered &= ~(VIRTIO_NET_F_MQ | VIRTIO_NET_F_RSS);
		v->max_pairs = 1;
	}
	v->rx_size = virtio_pow2(t->ops->queue_size(t, 0));
	v->tx_size = virtio_pow2(t->ops->queue_size(t, 1));
	if (v->rx_size >= VIRTIO_MIN_DESC && v->tx_size >= VIRTIO_MIN_DESC)
		return 0;
	return weir_fail(t->w, EIO, "virtio-queue-size",
			 "%s: rings of %u and %u descriptors are too small, %u are needed", t->name,
			 v->rx_size, v->tx_size, VIRTIO_MIN_DESC);
}

/* 5.1.5: without an address of the device's, make one up, locally administered. */
static int read_mac(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;

	if (v->offered & VIRTIO_NET_F_MAC)
		return t->ops->config_read(t, VIRTIO_NET_CFG_MAC, v->mac, sizeof(v->mac))
			       ? no_config(t)
			       : 0;
	if (getrandom(v->mac, sizeof(v->mac), 0) != sizeof(v->mac))
		return -errno;
	v->mac[0] = (uint8_t)((v->mac[0] & ~1u) | 2);
	v->mac_set = true;
	return 0;
}

/* Look at the device, and leave it reset. */
static int identify(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;
	int err = t->ops->reset(t);

	if (!err) {
		t->ops->set_status(t, VIRTIO_STATUS_ACKNOWLEDGE);
		err = t->ops->features(t, &v->offered);
	}
	if (err == -ENODEV)
		return weir_fail(t->w, ENODEV, "device-gone", "%s: the device reads as all ones",
				 t->name);
	if (!err)
		err = check_features(v);
	if (!err)
		err = read_limits(v);
	if (!err)
		err = check_limits(v);
	if (!err)
		err = read_mac(v);
	t->ops->reset(t);
	return err;
}

int virtio_make(struct virtio_transport *t, const char *name, struct weir_port **out)
{
	struct virtio_net *v = zalloc_lines(sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	v->t = t;
	err = identify(v);
	if (!err)
		err = weir_port_init(&v->port, t->w, &virtio_port_ops, name);
	if (err) {
		free(v);
		return err;
	}
	*out = &v->port;
	return 0;
}

static int virtio_probe(struct weir_pci *d, const char *name, struct weir_port **out)
{
	struct virtio_transport *t;
	int err = virtio_pci_open(d, &t);

	if (err)
		return err;
	err = virtio_make(t, name, out);
	if (err)
		virtio_pci_abandon(t);
	else
		(*out)->bus = d;
	return err;
}

static const struct weir_pci_id virtio_ids[] = {
	{ VIRTIO_PCI_VENDOR, VIRTIO_PCI_NET_MODERN, "virtio network device" },
	{ VIRTIO_PCI_VENDOR, VIRTIO_PCI_NET_TRANSITIONAL, "virtio network device (transitional)" },
	{ 0 },
};

const struct weir_driver weir_virtio_driver = {
	.name = "virtio",
	.ids = virtio_ids,
	.probe = virtio_probe,
};
