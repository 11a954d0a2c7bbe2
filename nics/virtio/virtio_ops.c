/* SPDX-License-Identifier: BSD-3-Clause */
/* The control ops of a virtio port that are not about its life cycle. */
#include "nics/virtio/virtio.h"

static bool running(const struct weir_port *p)
{
	return p->state == WEIR_PORT_RUNNING;
}

static unsigned offloads_of(uint64_t offered)
{
	return (offered & VIRTIO_NET_F_CSUM ? WEIR_OFF_TX_CSUM : 0u) |
	       (offered & VIRTIO_NET_F_GUEST_CSUM ? WEIR_OFF_RX_CSUM : 0u) |
	       (offered & VIRTIO_NET_F_HASH_REPORT ? WEIR_OFF_RX_HASH : 0u) |
	       (offered & VIRTIO_NET_F_MRG_RXBUF ? WEIR_OFF_RX_JUMBO : 0u);
}

void virtio_caps(struct weir_port *p, struct weir_port_caps *caps)
{
	struct virtio_net *v = virtio_net_of(p);

	*caps = (struct weir_port_caps){
		.driver = "virtio",
		.max_rxq = weir_min_u(v->max_pairs, WEIR_MAX_QUEUES),
		.max_txq = weir_min_u(v->max_pairs, WEIR_MAX_QUEUES),
		.min_desc = VIRTIO_MIN_DESC,
		.max_desc = v->rx_size > v->tx_size ? v->rx_size : v->tx_size,
		.desc_align = VIRTIO_MIN_DESC,
		.desc_pow2 = true,
		.offloads = offloads_of(v->offered),
		.max_tx_segs = WEIR_MAX_SEGS,
		.rx_intr = v->t->ops->max_vectors(v->t) >= 2,
		.is_process = v->t->is_process,
		.node = v->t->node,
	};
	caps->max_mtu =
		weir_min_u(v->dev_mtu, v->offered & VIRTIO_NET_F_MRG_RXBUF ? VIRTIO_MTU_JUMBO
									   : VIRTIO_MTU_SINGLE);
	if (v->offered & VIRTIO_NET_F_RSS) {
		caps->rss_types = v->hash_types;
		caps->rss_key_len = v->rss_key_max;
		caps->reta_len = virtio_pow2(v->reta_max);
	}
}

int virtio_check(struct virtio_net *v)
{
	int status = v->t->ops->status(v->t);
	bool was;

	if (status < 0 || status == VIRTIO_STATUS_GONE) {
		was = weir_port_set_failed(&v->port);
		if (!was)
			weir_fail(v->port.w, ENODEV, "device-gone",
				  "%s: the device does not answer any more", v->port.name);
		return -ENODEV;
	}
	if (!(status & VIRTIO_STATUS_NEEDS_RESET))
		return 0;
	was = weir_port_set_failed(&v->port);
	if (!was)
		weir_fail(
			v->port.w, EIO, "device-needs-reset",
			"%s: the device met an error that it cannot recover from (status 0x%02x); "
			"close the port and open it again",
			v->port.name, status);
	return -EIO;
}

void virtio_misbehaved(struct virtio_net *v, unsigned queue, const char *what, unsigned a,
		       unsigned b)
{
	if (weir_port_set_failed(&v->port))
		return;
	weir_fail(
		v->port.w, EIO, "device-misbehaved",
		"%s: queue %u: the device wrote a wrong %s (%u, of %u); the port is stopped, close it "
		"and open it again",
		v->port.name, queue, what, a, b);
}

int virtio_link(struct weir_port *p, struct weir_link *link)
{
	struct virtio_net *v = virtio_net_of(p);
	uint16_t status = 0;
	uint32_t speed = 0;
	uint8_t duplex = 0;
	int err = virtio_check(v);

	if (err)
		return err;
	*link = (struct weir_link){ .up = true, .full_duplex = true };
	if (v->offered & VIRTIO_NET_F_STATUS) {
		err = v->t->ops->config_read(v->t, VIRTIO_NET_CFG_STATUS, &status, 2);
		link->up = status & VIRTIO_NET_S_LINK_UP && !v->lost;
	}
	if (!err && (v->offered & VIRTIO_NET_F_SPEED_DUPLEX)) {
		err = v->t->ops->config_read(v->t, VIRTIO_NET_CFG_SPEED, &speed, 4);
		if (!err)
			err = v->t->ops->config_read(v->t, VIRTIO_NET_CFG_DUPLEX, &duplex, 1);
		link->mbps = speed <= VIRTIO_NET_SPEED_MAX ? speed : 0;
		link->full_duplex = duplex != VIRTIO_NET_DUPLEX_HALF;
	}
	return err;
}

int virtio_mac_get(struct weir_port *p, uint8_t mac[6])
{
	memcpy(mac, virtio_net_of(p)->mac, 6);
	return 0;
}

static int refuse(struct weir_port *p, const char *what, const char *feature)
{
	return weir_fail(p->w, EOPNOTSUPP, "virtio-feature",
			 "%s: cannot %s: the device does not offer %s", p->name, what, feature);
}

int virtio_mac_set(struct weir_port *p, const uint8_t mac[6])
{
	struct virtio_net *v = virtio_net_of(p);
	uint8_t old[6];
	int err = 0;

	if (!(v->offered & VIRTIO_NET_F_CTRL_MAC_ADDR))
		return refuse(p, "change the address", "VIRTIO_NET_F_CTRL_MAC_ADDR");
	memcpy(old, v->mac, sizeof(old));
	memcpy(v->mac, mac, sizeof(old));
	if (running(p))
		err = virtio_ctrl_mac(v);
	if (err)
		memcpy(v->mac, old, sizeof(old));
	else
		v->mac_set = true;
	return err;
}

/* Change a filter's switch, and back if the device refuses. */
static int set_filter(struct weir_port *p, bool *what, bool on, int (*send)(struct virtio_net *))
{
	bool old = *what;
	int err = 0;

	*what = on;
	if (running(p))
		err = send(virtio_net_of(p));
	if (err)
		*what = old;
	return err;
}

int virtio_promisc(struct weir_port *p, bool on)
{
	struct virtio_net *v = virtio_net_of(p);

	if (v->offered & VIRTIO_NET_F_CTRL_RX)
		return set_filter(p, &v->promisc, on, virtio_ctrl_promisc);
	/* Without filters all frames arrive. */
	return on ? 0 : refuse(p, "filter frames", "VIRTIO_NET_F_CTRL_RX");
}

int virtio_allmulti(struct weir_port *p, bool on)
{
	struct virtio_net *v = virtio_net_of(p);

	if (v->offered & VIRTIO_NET_F_CTRL_RX)
		return set_filter(p, &v->allmulti, on, virtio_ctrl_allmulti);
	return on ? 0 : refuse(p, "filter frames", "VIRTIO_NET_F_CTRL_RX");
}

int virtio_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n)
{
	struct virtio_net *v = virtio_net_of(p);

	if (!(v->offered & VIRTIO_NET_F_CTRL_RX))
		return 0; /* they arrive anyway */
	if (n)
		memcpy(v->mc, macs, n * sizeof(v->mc[0]));
	v->n_mc = n;
	return running(p) ? virtio_ctrl_mac_table(v) : 0;
}

int virtio_check_mtu(struct virtio_net *v, unsigned mtu)
{
	if (mtu <= VIRTIO_MTU_SINGLE || (v->port.conf.offloads & WEIR_OFF_RX_JUMBO))
		return 0;
	return weir_fail(v->port.w, EINVAL, "mtu",
			 "%s: an MTU of %u needs packets of several segments (WEIR_OFF_RX_JUMBO); "
			 "without them %u is the most",
			 v->port.name, mtu, VIRTIO_MTU_SINGLE);
}

int virtio_mtu_set(struct weir_port *p, unsigned mtu)
{
	int err = p->state == WEIR_PORT_OPEN ? 0 : virtio_check_mtu(virtio_net_of(p), mtu);

	if (!err)
		p->conf.mtu = mtu;
	return err;
}

int virtio_rss_set(struct weir_port *p, const struct weir_rss *rss)
{
	struct virtio_net *v = virtio_net_of(p);
	struct weir_rss old = v->rss;
	int err = 0;

	v->rss = *rss;
	if (running(p) && (virtio_has(v, VIRTIO_NET_F_RSS | VIRTIO_NET_F_HASH_REPORT)))
		err = virtio_ctrl_queues(v);
	if (err)
		v->rss = old;
	return err;
}

int virtio_rss_get(struct weir_port *p, struct weir_rss *rss)
{
	*rss = virtio_net_of(p)->rss;
	return 0;
}

int virtio_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n)
{
	const struct virtio_net *v = virtio_net_of(p);
	const struct weir_xstat all[] = {
		{ "ctrl_commands", v->ctrl.commands },
		{ "ctrl_refused", v->ctrl.refused },
		{ "reconnects", v->reconnects },
		{ "tx_lost", __atomic_load_n(&v->tx_lost, __ATOMIC_RELAXED) },
	};

	/* The last two are about devices that come back. */
	unsigned have = WEIR_ARRAY_SIZE(all) - (v->t->ops->service ? 0 : 2);

	for (unsigned i = 0; i < n && i < have; i++)
		x[i] = all[i];
	return (int)have;
}

/* --- interrupts: vector 0 for configuration changes, 1 + n for receive queue n --- */

static int vector_fd(struct weir_port *p, unsigned vector)
{
	struct virtio_net *v = virtio_net_of(p);

	if (!p->conf.rx_intr)
		return weir_fail(p->w, EOPNOTSUPP, "rx-intr",
				 "%s: configured without interrupts (weir_port_conf.rx_intr)",
				 p->name);
	return v->t->ops->vector_fd(v->t, vector);
}

int virtio_rx_intr_fd(struct weir_port *p, unsigned q)
{
	return vector_fd(p, 1 + q);
}

int virtio_lsc_fd(struct weir_port *p)
{
	return vector_fd(p, 0);
}

int virtio_rx_intr_arm(struct weir_port *p, unsigned q)
{
	struct virtio_net *v = virtio_net_of(p);

	if (virtio_failed(p))
		return -EIO;
	return v->packed ? virtio_rx_intr_packed(&v->rx[q], true)
			 : virtio_rx_intr_split(&v->rx[q], true);
}

int virtio_rx_intr_disarm(struct weir_port *p, unsigned q)
{
	struct virtio_net *v = virtio_net_of(p);

	return v->packed ? virtio_rx_intr_packed(&v->rx[q], false)
			 : virtio_rx_intr_split(&v->rx[q], false);
}
