/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device that is a process can end and be started again. Its rings then hold what nobody knows the
 * state of. So:
 *  1. the control path sees that the connection is gone, and puts functions into the queues that
 *     bring and take nothing;
 *  2. the owner of each queue pair comes by such a function. It has left the rings for good then:
 *     it takes all buffers back and makes both rings as new (only it may touch its cache);
 *  3. once each owner has been there, the control path reconnects, negotiates the same features,
 *     hands the rings over, and puts the usual functions back; if that fails half way, 2. comes again.
 * Packets that were with the device to be sent are lost, and counted.
 */
#include "nics/virtio/virtio.h"

#include <sys/eventfd.h>

/* What the owner of pair @i does once. */
static void take_back(struct virtio_net *v, unsigned i)
{
	if (__atomic_load_n(&v->fresh[i], __ATOMIC_RELAXED))
		return;
	if (i < v->port.conf.n_txq)
		__atomic_fetch_add(&v->tx_lost, v->tx[i].segs, __ATOMIC_RELAXED);
	virtio_drain_pair(v, i);
	if (i < v->port.conf.n_rxq)
		virtio_fresh_rxq(&v->rx[i]);
	if (i < v->port.conf.n_txq)
		virtio_fresh_txq(&v->tx[i]);
	__atomic_store_n(&v->fresh[i], true, __ATOMIC_RELEASE);
}

static unsigned away_rx(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	(void)pkts;
	(void)n;
	take_back(virtio_net_of(q->port), q->index);
	weir_count(&q->stats.calls, 1);
	weir_count(&q->stats.empty, 1);
	return 0;
}

static unsigned away_post(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	(void)pkts;
	(void)n;
	take_back(virtio_net_of(q->port), q->index);
	return 0;
}

static void away_kick(struct weir_txq *q)
{
	take_back(virtio_net_of(q->port), q->index);
}

static unsigned away_reap(struct weir_txq *q)
{
	take_back(virtio_net_of(q->port), q->index);
	return 0;
}

#define SWAP(place, fn) __atomic_store_n(&(place), fn, __ATOMIC_RELEASE)

/* Each owner is to make its rings as new, once more if it has. */
static void ask_owners(struct virtio_net *v)
{
	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++)
		__atomic_store_n(&v->fresh[i], false, __ATOMIC_RELEASE);
}

static void send_away(struct virtio_net *v)
{
	const struct weir_port_conf *c = &v->port.conf;

	ask_owners(v);
	for (unsigned i = 0; i < c->n_rxq; i++) {
		v->rx[i].live_burst = v->rx[i].base.burst;
		SWAP(v->rx[i].base.burst, away_rx);
	}
	for (unsigned i = 0; i < c->n_txq; i++) {
		v->tx[i].live_post = v->tx[i].base.post;
		v->tx[i].live_kick = v->tx[i].base.kick;
		v->tx[i].live_reap = v->tx[i].base.reap;
		SWAP(v->tx[i].base.post, away_post);
		SWAP(v->tx[i].base.kick, away_kick);
		SWAP(v->tx[i].base.reap, away_reap);
	}
}

static void call_back(struct virtio_net *v)
{
	const struct weir_port_conf *c = &v->port.conf;

	for (unsigned i = 0; i < c->n_txq; i++) {
		SWAP(v->tx[i].base.post, v->tx[i].live_post);
		SWAP(v->tx[i].base.kick, v->tx[i].live_kick);
		SWAP(v->tx[i].base.reap, v->tx[i].live_reap);
	}
	for (unsigned i = 0; i < c->n_rxq; i++)
		SWAP(v->rx[i].base.burst, v->rx[i].live_burst);
}

/* Who sleeps on an interrupt must come by, too; vector 0 says that the link has changed. */
static void wake_all(struct virtio_net *v)
{
	if (!v->port.conf.rx_intr)
		return;
	for (unsigned i = 0; i <= v->port.conf.n_rxq; i++)
		eventfd_write(v->t->ops->vector_fd(v->t, i), 1);
}

static bool all_fresh(struct virtio_net *v)
{
	for (unsigned i = 0; i < virtio_pairs(v); i++)
		if (!__atomic_load_n(&v->fresh[i], __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static int come_back(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;
	uint64_t offered, before = v->features;
	int err = t->ops->features(t, &offered);

	if (err)
		return err;
	if (before & ~offered) {
		t->ops->disconnect(t, "the back end lacks features of the one before it");
		return -EPROTO;
	}
	err = virtio_negotiate(v);
	if (!err)
		err = virtio_go(v);
	if (err)
		t->ops->disconnect(t, "the back end could not be set up again");
	return err;
}

int virtio_service(struct weir_port *p)
{
	struct virtio_net *v = virtio_net_of(p);
	struct virtio_transport *t = v->t;

	if (!t->ops->service || p->state != WEIR_PORT_RUNNING)
		return 0;
	if (virtio_failed(p))
		return -EIO;
	if (!v->lost) {
		if (!t->ops->service(t))
			return 0;
		v->lost = true;
		send_away(v);
		wake_all(v);
	}
	if (!all_fresh(v) || t->ops->reconnect(t))
		return 0;
	if (come_back(v)) {
		/* It may have had some rings already, and used them. */
		ask_owners(v);
		wake_all(v);
		return 0;
	}
	v->lost = false;
	v->reconnects++;
	call_back(v);
	wake_all(v);
	weir_log(t->w, WEIR_LOG_WARN, "vhost-user-back", "%s: the back end is there again",
		 p->name);
	return 0;
}

void virtio_revive_end(struct virtio_net *v)
{
	if (v->lost)
		call_back(v);
	v->lost = false;
}
