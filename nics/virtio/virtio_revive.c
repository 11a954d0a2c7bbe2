/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device that is a process can end and be started again. So:
 *  1. the control path sees that the connection is gone, and puts functions into the queues that
 *     bring and take nothing;
 *  2. the owner of each queue pair comes by such a function. It has left the rings then, until 3;
 *  3. once each owner has been there, the control path reconnects, negotiates the same features,
 *     hands the rings over, and puts the usual functions back; if that fails half way, 2. comes again.
 *
 * Where somebody knows which buffers the device has taken and not given back (notes that it took, or
 * in split rings the order of the buffers: virtio_transport_ops.resumes), the rings go on where they
 * are, and nothing is lost; the device may do again what it had done and not given back. Unless that is
 * what it ends of, again and again: then what was with it is given up. Else nobody knows the state
 * of the rings: the owner takes all buffers back and makes them as new in step 2 (only it may touch its
 * cache), and packets that were with the device to be sent are lost, and counted.
 */
#include "nics/virtio/virtio_ring.h"

#include <sys/eventfd.h>

static void take_back(struct virtio_net *v, unsigned i)
{
	if (i < v->port.conf.n_txq)
		__atomic_fetch_add(&v->tx_lost, v->tx[i].segs, __ATOMIC_RELAXED);
	virtio_drain_pair(v, i);
	if (i < v->port.conf.n_rxq)
		virtio_fresh_rxq(&v->rx[i]);
	if (i < v->port.conf.n_txq)
		virtio_fresh_txq(&v->tx[i]);
}

/* What the owner of pair @i does once. */
static void leave(struct virtio_net *v, unsigned i)
{
	if (__atomic_load_n(&v->left[i], __ATOMIC_ACQUIRE))
		return;
	if (!v->resume)
		take_back(v, i);
	if (i < v->port.conf.n_txq) {
		/* Who comes back is told of all rings; that nothing moved until then means nothing. */
		v->tx[i].base.unkicked = 0;
		weir_txq_busy(&v->tx[i].base);
	}
	__atomic_store_n(&v->left[i], true, __ATOMIC_RELEASE);
}

static unsigned away_rx(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	(void)pkts;
	(void)n;
	leave(virtio_net_of(q->port), q->index);
	weir_count(&q->stats.calls, 1);
	weir_count(&q->stats.empty, 1);
	return 0;
}

static unsigned away_post(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	(void)pkts;
	(void)n;
	leave(virtio_net_of(q->port), q->index);
	return 0;
}

static void away_kick(struct weir_txq *q)
{
	leave(virtio_net_of(q->port), q->index);
}

static unsigned away_reap(struct weir_txq *q)
{
	leave(virtio_net_of(q->port), q->index);
	return ((struct virtio_txq *)q)->segs;
}

/* Devices that went on so often without a step forward begin anew. */
#define STUCK 2

#define SWAP(place, fn) __atomic_store_n(&(place), fn, __ATOMIC_RELEASE)

static bool can_resume(struct virtio_net *v)
{
	/* A packed ring may be half written over with what was used and never shown. */
	bool in_order = virtio_has(v, VIRTIO_F_IN_ORDER) && !v->packed;

	return v->stuck < STUCK && v->t->ops->resumes(v->t, in_order);
}

/* Each owner is to leave its rings, once more if it has. */
static void ask_owners(struct virtio_net *v, bool resume)
{
	v->resume = resume;
	for (unsigned i = 0; i < WEIR_MAX_QUEUES; i++)
		__atomic_store_n(&v->left[i], false, __ATOMIC_RELEASE);
}

static void send_away(struct virtio_net *v)
{
	const struct weir_port_conf *c = &v->port.conf;

	ask_owners(v, can_resume(v));
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

static bool all_left(struct virtio_net *v)
{
	for (unsigned i = 0; i < virtio_pairs(v); i++)
		if (!__atomic_load_n(&v->left[i], __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/* What has been used of a ring is its owner's to see; here it must make sense. */
static bool check_ring(struct virtio_net *v, const struct virtio_vq *vq)
{
	uint32_t base;

	if (virtio_vq_base(vq, &base))
		return true;
	virtio_misbehaved(v, vq->index, "used buffer before it went away", vq->done & vq->mask,
			  vq_inflight(vq));
	return false;
}

static bool check_rings(struct virtio_net *v)
{
	for (unsigned i = 0; i < v->port.conf.n_rxq; i++)
		if (!check_ring(v, &v->rx[i].vq))
			return false;
	for (unsigned i = 0; i < v->port.conf.n_txq; i++)
		if (!check_ring(v, &v->tx[i].vq))
			return false;
	return true;
}

/* It may not have seen the last time that it was told, or not have told us. */
static void kick_all(struct virtio_net *v)
{
	for (unsigned i = 0; i < v->port.conf.n_rxq; i++)
		vq_ring_doorbell(&v->rx[i].vq, v->t);
	for (unsigned i = 0; i < v->port.conf.n_txq; i++)
		vq_ring_doorbell(&v->tx[i].vq, v->t);
}

/* It goes on: further than the last time? The owners still keep away. */
static void note_progress(struct virtio_net *v)
{
	bool stuck = false;

	for (unsigned i = 0; i < v->port.conf.n_txq; i++) {
		struct virtio_txq *q = &v->tx[i];
		uint32_t base = 0;
		uint64_t at;

		virtio_vq_base(&q->vq, &base);
		at = v->resume ? 1ull << 32 | base : 0;
		stuck |= vq_inflight(&q->vq) && at && at == q->resumed;
		q->resumed = at;
	}
	v->stuck = stuck ? v->stuck + 1 : 0;
}

static int come_back(struct virtio_net *v)
{
	struct virtio_transport *t = v->t;
	uint64_t offered, before = v->features;
	int err = t->ops->features(t, &offered);

	if (!err && before & ~offered) {
		t->ops->disconnect(t, "the back end lacks features of the one before it");
		return -EPROTO;
	}
	if (!err)
		err = virtio_negotiate(v);
	if (!err)
		err = virtio_go(v);
	if (t->ops->unfinished(t))
		return -EAGAIN;
	if (err)
		t->ops->disconnect(t, "the back end could not be set up again");
	return err;
}

/* There is a connection, and all owners keep away. Return: 0 with the port as it was before. */
static int go_on(struct virtio_net *v)
{
	int err;

	/* This one cannot take up what the one before it has left: begin anew. */
	if (v->resume && !can_resume(v)) {
		ask_owners(v, false);
		wake_all(v);
		return -EAGAIN;
	}
	if (!check_rings(v))
		return -EIO;
	err = come_back(v);
	if (err && err != -EAGAIN) {
		/* It may have had some rings already, and used them. */
		ask_owners(v, v->resume);
		wake_all(v);
	}
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
	t->ops->begin(t, false);
	if (!all_left(v) || t->ops->reconnect(t) || go_on(v))
		return virtio_failed(p) ? -EIO : 0;
	v->lost = false;
	v->reconnects++;
	note_progress(v);
	kick_all(v);
	call_back(v);
	wake_all(v);
	weir_log(t->w, WEIR_LOG_WARN, "vhost-user-back", "%s: the back end is there again%s",
		 p->name, v->resume ? ", and goes on where it was" : "");
	v->resume = false;
	return 0;
}

void virtio_revive_end(struct virtio_net *v)
{
	if (v->lost)
		call_back(v);
	v->lost = v->resume = false;
	v->stuck = 0;
}
