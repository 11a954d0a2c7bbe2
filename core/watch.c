/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the queues of a running port move. The owners of the queues leave behind what they saw,
 * and this looks at it from another thread: every value is read whole, none is a snapshot.
 */
#include "core/internal.h"
#include "core/port.h"

static uint64_t stall_ns(const struct weir_port *p)
{
	return (uint64_t)p->conf.stall_ms * 1000000;
}

/* A pair that the device stopped for its tenant's fault: others shall not suffer a restart for it. */
static bool of_tenant(struct weir_port *p, unsigned q)
{
	return p->pasid[q] && weir_port_queue_stopped(p, q) == 1;
}

/*
 * The time between two looks of the owner counts, not that since the last one: a thread that looks
 * elsewhere says nothing about the device. Without a link, or while the other end asks for a pause,
 * nothing can be sent.
 */
static int check_txq(struct weir_port *p, struct weir_txq *q)
{
	uint64_t seen = __atomic_load_n(&q->idle_seen, __ATOMIC_RELAXED);
	uint64_t since = __atomic_load_n(&q->idle_since, __ATOMIC_RELAXED);
	bool paused = p->paused && (int64_t)(seen - p->paused) < (int64_t)stall_ns(p);
	struct weir_link link = { .up = true };

	if (!since || seen < since || seen - since < stall_ns(p) || paused)
		return 0;
	if (p->ops->link && p->ops->link(p, &link))
		return -ENODEV;
	if (!link.up || of_tenant(p, q->index))
		return 0;
	return weir_fail(p->w, EIO, "tx-stall",
			 "%s: TX queue %u: the device has sent nothing for %llu ms although its "
			 "link is up; stop the port, which resets it, and start it again",
			 p->name, q->index, (unsigned long long)((seen - since) / 1000000));
}

/* All that a packet can have come to. */
static uint64_t moved(const struct weir_qstats *s)
{
	uint64_t n = __atomic_load_n(&s->packets, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < WEIR_DROP_MAX; i++)
		n += __atomic_load_n(&s->drops[i], __ATOMIC_RELAXED);
	return n;
}

/*
 * What the queue has counted is read before what the device has: a packet that comes in between
 * must not look like one that was never handed out.
 */
static int check_rxq(struct weir_port *p, struct weir_rxq *q)
{
	struct weir_rx_watch is = { .moved = moved(&q->stats), .since = weir_now_ns() };
	struct weir_rx_watch *was = &q->watch;
	bool polled;
	int err;

	is.calls = __atomic_load_n(&q->stats.calls, __ATOMIC_RELAXED);
	err = p->ops->arrived(p, q->index, &is.arrived);
	if (err)
		return err;
	polled = is.calls != was->calls;
	if (!was->since || !polled || is.moved != was->moved || is.arrived == was->arrived) {
		*was = is;
		return 0;
	}
	was->calls = is.calls;
	if (is.since - was->since < stall_ns(p) || of_tenant(p, q->index))
		return 0;
	return weir_fail(p->w, EIO, "rx-stall",
			 "%s: RX queue %u: the device has counted %llu packets in the last %llu ms "
			 "and handed out none; stop the port, which resets it, and start it again",
			 p->name, q->index, (unsigned long long)(is.arrived - was->arrived),
			 (unsigned long long)((is.since - was->since) / 1000000));
}

void weir_port_watch_reset(struct weir_port *p)
{
	for (unsigned q = 0; q < WEIR_MAX_QUEUES; q++) {
		if (p->rxq[q])
			p->rxq[q]->watch.since = 0;
		if (p->txq[q])
			p->txq[q]->idle_since = 0;
	}
	p->stalled = false;
	p->paused = 0;
}

int weir_port_check(struct weir_port *p)
{
	int err;

	if (weir_port_failed(p))
		return -ENODEV;
	if (p->state != WEIR_PORT_RUNNING || !p->ops->check)
		return 0;
	if (p->stalled)
		return -EIO;
	err = p->ops->check(p);
	for (unsigned q = 0; q < p->conf.n_txq && !err; q++)
		err = check_txq(p, p->txq[q]);
	for (unsigned q = 0; q < p->conf.n_rxq && !err && p->ops->arrived; q++)
		err = check_rxq(p, p->rxq[q]);
	p->stalled = err == -EIO;
	return weir_port_failed(p) ? -ENODEV : err;
}
