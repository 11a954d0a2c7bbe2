/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checked way to a driver's control table: arguments and states are looked at here, once, so
 * that drivers need not.
 */
#include "core/internal.h"
#include "core/port.h"

#include <stdlib.h>

#define DEFAULT_DESC 512
#define DEFAULT_MTU  1500

const uint8_t weir_rss_default_key[WEIR_MAX_RSS_KEY] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43,
	0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb,
	0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01,
	0xfa, 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d,
};

uint32_t weir_toeplitz(const uint8_t *key, const uint8_t *data, unsigned len)
{
	uint32_t hash = 0, window;

	window = (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
	for (unsigned i = 0; i < len; i++) {
		for (unsigned b = 0; b < 8; b++) {
			if (data[i] & 0x80 >> b)
				hash ^= window;
			window = window << 1 | (key[i + 4] >> (7 - b) & 1);
		}
	}
	return hash;
}

int weir_port_init(struct weir_port *p, struct weir *w, const struct weir_port_ops *ops,
		   const char *name)
{
	memset(p, 0, sizeof(*p));
	p->w = w;
	p->ops = ops;
	p->name = strdup(name);
	return p->name ? 0 : -ENOMEM;
}

void weir_port_fini(struct weir_port *p)
{
	free(p->name);
	p->name = NULL;
}

bool weir_rxq_short(struct weir_rxq *q, unsigned segs)
{
	if (q->short_at != q->stats.packets) {
		q->short_at = q->stats.packets;
		q->shorts = 0;
	}
	if (++q->shorts < WEIR_SHORT_BURSTS)
		return false;
	q->shorts = 0;
	if (!q->short_said)
		weir_log(q->port->w, WEIR_LOG_ERR, "burst-too-short",
			 "%s: queue %u: a packet of %u segments was dropped, for no burst had room "
			 "for it: ask for %u segments at least",
			 q->port->name, q->index, segs, WEIR_MAX_SEGS);
	q->short_said = true;
	return true;
}

static int unsupported(struct weir_port *p, const char *what)
{
	struct weir_port_caps caps = { .driver = "?" };

	p->ops->caps(p, &caps);
	return weir_fail(p->w, EOPNOTSUPP, "unsupported", "%s: the %s driver has no %s", p->name,
			 caps.driver, what);
}

int weir_port_caps(struct weir_port *p, struct weir_port_caps *caps)
{
	memset(caps, 0, sizeof(*caps));
	caps->node = WEIR_NODE_ANY;
	p->ops->caps(p, caps);
	return 0;
}

static int check_desc(struct weir_port *p, const struct weir_port_caps *caps, const char *side,
		      unsigned *n)
{
	if (!*n)
		*n = weir_min_u(caps->max_desc, DEFAULT_DESC);
	if (*n >= caps->min_desc && *n <= caps->max_desc &&
	    (caps->desc_pow2 ? weir_is_pow2(*n) : !caps->desc_align || *n % caps->desc_align == 0))
		return 0;
	return weir_fail(p->w, EINVAL, "ring-size",
			 "%s: %u %s descriptors are not possible; take %u to %u, a %s%u", p->name,
			 *n, side, caps->min_desc, caps->max_desc,
			 caps->desc_pow2 ? "power of " : "multiple of ",
			 caps->desc_pow2 ? 2 : caps->desc_align);
}

static int check_mtu(struct weir_port *p, const struct weir_port_caps *caps, unsigned mtu)
{
	if (mtu >= WEIR_MTU_MIN && mtu <= caps->max_mtu)
		return 0;
	return weir_fail(p->w, EINVAL, "mtu", "%s: an MTU of %u is not possible; take %u to %u",
			 p->name, mtu, WEIR_MTU_MIN, caps->max_mtu);
}

static int complete_rss(struct weir_port *p, const struct weir_port_caps *caps,
			struct weir_rss *rss, unsigned n_rxq)
{
	if (!rss->types)
		rss->types = caps->rss_types;
	if (!rss->key_len) {
		rss->key_len = caps->rss_key_len;
		memcpy(rss->key, weir_rss_default_key, rss->key_len);
	}
	if (!rss->reta_len) {
		rss->reta_len = caps->reta_len;
		for (unsigned i = 0; i < rss->reta_len; i++)
			rss->reta[i] = (uint16_t)(i % n_rxq);
	}
	if (rss->types & ~caps->rss_types)
		return weir_fail(p->w, EOPNOTSUPP, "rss",
				 "%s: RSS types %#x asked for, the device hashes %#x", p->name,
				 rss->types, caps->rss_types);
	if (rss->key_len != caps->rss_key_len || rss->reta_len != caps->reta_len)
		return weir_fail(p->w, EINVAL, "rss",
				 "%s: RSS wants a key of %u bytes and a table of %u entries, "
				 "given %u and %u",
				 p->name, caps->rss_key_len, caps->reta_len, rss->key_len,
				 rss->reta_len);
	for (unsigned i = 0; i < rss->reta_len; i++)
		if (rss->reta[i] >= n_rxq)
			return weir_fail(p->w, EINVAL, "rss",
					 "%s: RSS table entry %u names queue %u of %u", p->name, i,
					 rss->reta[i], n_rxq);
	return 0;
}

/* A device reaches the memory of its own handle only. */
static int check_arena(struct weir_port *p, const struct weir_arena *a)
{
	if (!a && p->bus)
		return weir_fail(p->w, EINVAL, "arena",
				 "%s: its rings need memory: set weir_port_conf.arena", p->name);
	if (a && weir_arena_handle(a) != p->w)
		return weir_fail(p->w, EINVAL, "arena",
				 "%s: the arena belongs to another handle than the port", p->name);
	return 0;
}

static int check_arenas(struct weir_port *p, const struct weir_port_conf *c)
{
	int err = check_arena(p, c->arena);

	for (unsigned q = 0; q < WEIR_MAX_QUEUES && !err; q++)
		if (c->queue_arena[q])
			err = check_arena(p, c->queue_arena[q]);
	return err;
}

static int check_conf(struct weir_port *p, struct weir_port_conf *c)
{
	struct weir_port_caps caps;
	int err = check_arenas(p, c);

	if (err)
		return err;
	weir_port_caps(p, &caps);
	if (!c->n_rxq)
		c->n_rxq = 1;
	if (!c->n_txq)
		c->n_txq = 1;
	if (!c->stall_ms)
		c->stall_ms = WEIR_STALL_MS;
	if (!c->mtu)
		c->mtu = weir_min_u(DEFAULT_MTU, caps.max_mtu);
	if (c->n_rxq > caps.max_rxq || c->n_txq > caps.max_txq)
		return weir_fail(p->w, EINVAL, "queues",
				 "%s: %u RX and %u TX queues asked for, the device has %u and %u",
				 p->name, c->n_rxq, c->n_txq, caps.max_rxq, caps.max_txq);
	if (c->offloads & ~caps.offloads)
		return weir_fail(p->w, EOPNOTSUPP, "offload",
				 "%s: offloads %#x asked for, the device has %#x", p->name,
				 c->offloads, caps.offloads);
	if (c->rx_intr && !caps.rx_intr)
		return unsupported(p, "RX interrupts");
	err = check_desc(p, &caps, "RX", &c->rx_desc);
	if (!err)
		err = check_desc(p, &caps, "TX", &c->tx_desc);
	if (!err)
		err = check_mtu(p, &caps, c->mtu);
	if (!err && c->n_rxq > 1 && caps.rss_types)
		err = complete_rss(p, &caps, &c->rss, c->n_rxq);
	return err;
}

static void unconfigure(struct weir_port *p)
{
	if (p->state == WEIR_PORT_RUNNING)
		weir_port_stop(p);
	if (p->state != WEIR_PORT_READY)
		return;
	p->ops->unconfigure(p);
	memset(p->rxq, 0, sizeof(p->rxq));
	memset(p->txq, 0, sizeof(p->txq));
	p->state = WEIR_PORT_OPEN;
}

int weir_port_configure(struct weir_port *p, const struct weir_port_conf *conf)
{
	struct weir_port_conf c = *conf;
	int err;

	if (p->state == WEIR_PORT_RUNNING)
		return weir_fail(p->w, EBUSY, "state", "%s: stop the port before configuring it",
				 p->name);
	for (unsigned q = 0; q < WEIR_MAX_QUEUES; q++)
		if (p->pasid[q])
			return weir_fail(p->w, EBUSY, "state",
					 "%s: queue pair %u has an address space of its own; "
					 "release it before configuring the port",
					 p->name, q);
	err = check_conf(p, &c);
	if (err)
		return err;
	unconfigure(p);
	p->conf = c;
	err = p->ops->configure(p);
	if (err)
		return err;
	p->state = WEIR_PORT_READY;
	return 0;
}

/* A tagged pair could not reach buffers outside of its tenant's memory. */
static int check_tenant(struct weir_port *p, unsigned q, const struct weir_cache *c)
{
	if (!p->pasid[q] || weir_pool_memory(c->pool) == weir_port_ring_arena(p, q))
		return 0;
	return weir_fail(p->w, EINVAL, "pool",
			 "%s: pair %u reaches its tenant's arena only, and the cache's pool lies "
			 "in another",
			 p->name, q);
}

int weir_port_queue_cache(struct weir_port *p, unsigned q, struct weir_cache *c)
{
	if (p->state == WEIR_PORT_OPEN || (q >= p->conf.n_rxq && q >= p->conf.n_txq))
		return weir_fail(p->w, EINVAL, "state", "%s: no queue %u that could take a cache",
				 p->name, q);
	if (c && weir_pool_va_base(c->pool) != weir_window(p->w).base)
		return weir_fail(p->w, EINVAL, "pool",
				 "%s: the cache's pool belongs to another handle than the port",
				 p->name);
	if (c && check_tenant(p, q, c))
		return -EINVAL;
	if (q < p->conf.n_rxq)
		p->rxq[q]->cache = c;
	if (q < p->conf.n_txq)
		p->txq[q]->cache = c;
	return 0;
}

int weir_port_start(struct weir_port *p)
{
	int err;

	if (p->state != WEIR_PORT_READY)
		return weir_fail(p->w, EINVAL, "state", "%s: %s", p->name,
				 p->state == WEIR_PORT_OPEN
					 ? "configure the port before starting it"
					 : "the port runs already");
	for (unsigned q = 0; q < WEIR_MAX_QUEUES; q++)
		if ((p->rxq[q] && !p->rxq[q]->cache) || (p->txq[q] && !p->txq[q]->cache))
			return weir_fail(p->w, EINVAL, "state",
					 "%s: queue %u has no buffer cache "
					 "(weir_port_queue_cache())",
					 p->name, q);
	for (unsigned q = 0; q < WEIR_MAX_QUEUES; q++)
		if (p->rxq[q] && check_tenant(p, q, p->rxq[q]->cache))
			return -EINVAL;
	weir_port_watch_reset(p);
	err = p->ops->start(p);
	if (!err)
		p->state = WEIR_PORT_RUNNING;
	return err;
}

int weir_port_stop(struct weir_port *p)
{
	if (p->state != WEIR_PORT_RUNNING)
		return 0;
	p->ops->stop(p);
	p->state = WEIR_PORT_READY;
	return 0;
}

void weir_port_close(struct weir_port *p)
{
	if (!p)
		return;
	p->closing = true;
	unconfigure(p);
	p->ops->close(p);
}

int weir_port_link(struct weir_port *p, struct weir_link *link)
{
	memset(link, 0, sizeof(*link));
	return p->ops->link ? p->ops->link(p, link) : unsupported(p, "link state");
}

int weir_port_mac_get(struct weir_port *p, uint8_t mac[6])
{
	return p->ops->mac_get ? p->ops->mac_get(p, mac) : unsupported(p, "MAC address");
}

int weir_port_mac_set(struct weir_port *p, const uint8_t mac[6])
{
	static const uint8_t zero[6];

	if (mac[0] & 1 || !memcmp(mac, zero, 6))
		return weir_fail(p->w, EINVAL, "mac",
				 "%s: %02x:%02x:%02x:%02x:%02x:%02x is not a unicast address",
				 p->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return p->ops->mac_set ? p->ops->mac_set(p, mac) : unsupported(p, "way to set its address");
}

int weir_port_promisc(struct weir_port *p, bool on)
{
	int err = p->ops->promisc ? p->ops->promisc(p, on) : unsupported(p, "promiscuous mode");

	if (!err)
		p->conf.promisc = on;
	return err;
}

int weir_port_allmulti(struct weir_port *p, bool on)
{
	return p->ops->allmulti ? p->ops->allmulti(p, on) : unsupported(p, "all-multicast mode");
}

int weir_port_mc_list(struct weir_port *p, const uint8_t (*macs)[6], unsigned n)
{
	if (n > WEIR_MAX_MC_ADDRS)
		return weir_fail(p->w, EINVAL, "multicast",
				 "%s: %u multicast groups, %u at most; use all-multicast instead",
				 p->name, n, WEIR_MAX_MC_ADDRS);
	for (unsigned i = 0; i < n; i++)
		if (!(macs[i][0] & 1))
			return weir_fail(p->w, EINVAL, "multicast",
					 "%s: entry %u of the list is not a multicast address",
					 p->name, i);
	return p->ops->mc_list ? p->ops->mc_list(p, macs, n) : unsupported(p, "multicast filter");
}

int weir_port_vlan_filter(struct weir_port *p, const uint16_t *vids, unsigned n)
{
	uint32_t vlans[WEIR_VLAN_WORDS] = { 0 };

	if (!p->ops->vlan_filter)
		return unsupported(p, "VLAN filter");
	for (unsigned i = 0; vids && i < n; i++) {
		if (vids[i] >= 32 * WEIR_VLAN_WORDS)
			return weir_fail(p->w, EINVAL, "vlan", "%s: there is no VLAN %u", p->name,
					 vids[i]);
		vlans[vids[i] / 32] |= UINT32_C(1) << vids[i] % 32;
	}
	return p->ops->vlan_filter(p, vids ? vlans : NULL);
}

int weir_port_mtu_set(struct weir_port *p, unsigned mtu)
{
	struct weir_port_caps caps;
	int err;

	if (p->state == WEIR_PORT_RUNNING)
		return weir_fail(p->w, EBUSY, "state", "%s: stop the port before changing its MTU",
				 p->name);
	weir_port_caps(p, &caps);
	err = check_mtu(p, &caps, mtu);
	if (err)
		return err;
	err = p->ops->mtu_set ? p->ops->mtu_set(p, mtu) : unsupported(p, "way to set its MTU");
	if (!err)
		p->conf.mtu = mtu;
	return err;
}

int weir_port_rss_set(struct weir_port *p, const struct weir_rss *rss)
{
	struct weir_port_caps caps;
	struct weir_rss r = *rss;
	int err;

	weir_port_caps(p, &caps);
	if (!p->ops->rss_set || !caps.rss_types)
		return unsupported(p, "RSS");
	if (p->state == WEIR_PORT_OPEN)
		return weir_fail(p->w, EINVAL, "state", "%s: configure the port before its RSS",
				 p->name);
	err = complete_rss(p, &caps, &r, p->conf.n_rxq);
	if (err)
		return err;
	err = p->ops->rss_set(p, &r);
	if (!err)
		p->conf.rss = r;
	return err;
}

int weir_port_rss_get(struct weir_port *p, struct weir_rss *rss)
{
	memset(rss, 0, sizeof(*rss));
	return p->ops->rss_get ? p->ops->rss_get(p, rss) : unsupported(p, "RSS");
}

int weir_port_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n)
{
	return p->ops->xstats ? p->ops->xstats(p, x, n) : 0;
}

static int check_intr(struct weir_port *p, unsigned q)
{
	if (p->conf.rx_intr && p->state != WEIR_PORT_OPEN && q < p->conf.n_rxq)
		return 0;
	return weir_fail(p->w, EINVAL, "rx-intr",
			 "%s: queue %u has no RX interrupt; ask for it with weir_port_conf.rx_intr",
			 p->name, q);
}

int weir_port_rx_intr_fd(struct weir_port *p, unsigned q)
{
	int err = check_intr(p, q);

	return err ? err : p->ops->rx_intr_fd(p, q);
}

int weir_port_rx_intr_arm(struct weir_port *p, unsigned q)
{
	int err = check_intr(p, q);

	return err ? err : p->ops->rx_intr_arm(p, q);
}

int weir_port_rx_intr_disarm(struct weir_port *p, unsigned q)
{
	int err = check_intr(p, q);

	return err ? err : p->ops->rx_intr_disarm(p, q);
}

int weir_port_lsc_fd(struct weir_port *p)
{
	return p->ops->lsc_fd ? p->ops->lsc_fd(p) : -EOPNOTSUPP;
}

int weir_port_service(struct weir_port *p)
{
	return p->ops->service ? p->ops->service(p) : 0;
}

int weir_port_queue_tag(struct weir_port *p, unsigned q, uint32_t pasid, const struct weir_dma *dma)
{
	struct weir_port_caps caps;
	int err;

	weir_port_caps(p, &caps);
	if (!caps.tag_queues || !p->ops->queue_tag)
		return unsupported(p, "queues that carry a PASID");
	if (p->state == WEIR_PORT_RUNNING)
		return weir_fail(p->w, EBUSY, "state",
				 "%s: stop the port before tagging its queues", p->name);
	if (p->state != WEIR_PORT_READY || q >= p->conf.n_rxq || q >= p->conf.n_txq ||
	    q % caps.tag_queues)
		return weir_fail(
			p->w, EINVAL, "queue-tag",
			"%s: no queue pair %u that could be tagged; there are %u RX and %u "
			"TX queues, tagged by %u",
			p->name, q, p->conf.n_rxq, p->conf.n_txq, caps.tag_queues);
	if (!pasid != !dma)
		return -EINVAL;
	err = p->ops->queue_tag(p, q, pasid, dma);
	for (unsigned i = q; !err && i < q + caps.tag_queues && i < WEIR_MAX_QUEUES; i++)
		p->pasid[i] = pasid;
	return err;
}

int weir_port_queue_stopped(struct weir_port *p, unsigned q)
{
	if (!p->ops->queue_stopped || p->state != WEIR_PORT_RUNNING || q >= WEIR_MAX_QUEUES)
		return 0;
	return p->ops->queue_stopped(p, q);
}
