/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/fwd.h"
#include "core/clock.h"
#include "core/io.h"
#include "pci/pci.h"

#include <poll.h>
#include <sched.h>

/* Passes without a packet before a worker goes to sleep, and the longest sleep. */
#define IDLE_PASSES 2000
#define SLEEP_MS    100
/* While frames wait in a TX ring: they tell nobody when they are gone. */
#define SLEEP_TX_MS 1
/* How long the last packets may take to leave a TX ring at the end. */
#define DRAIN_US 200000
/* How often a paused worker looks whether it may go on. */
#define PAUSE_US 50

static unsigned count_packets(const struct weir_pkt *p, unsigned n)
{
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		k += !(p[i].flags & WEIR_PKT_MORE);
	return k;
}

/* Source and destination, each for the other, in registers: bytes 0 to 7 and 4 to 11. */
static inline void swap_macs(uint8_t *d)
{
	__le64 low, high;
	__le32 end;
	uint64_t x;

	memcpy(&low, d, 8);
	memcpy(&high, d + 4, 8);
	x = weir_from_le64(low);
	low = weir_le64(weir_from_le64(high) >> 16 | x << 48);
	end = weir_le32((uint32_t)(x >> 16));
	memcpy(d, &low, 8);
	memcpy(d + 8, &end, 4);
}

static void swap(const struct fwd_route *r, const struct weir_pkt *p, unsigned n)
{
	const char *base = r->rxq->dma.va_base;
	bool first = true;

	for (unsigned i = 0; i < n; i++) {
		if (first && p[i].len >= 12)
			swap_macs(weir_pkt_data(base, &p[i]));
		first = !(p[i].flags & WEIR_PKT_MORE);
	}
}

static void swap_plain(const struct fwd_route *r, const struct weir_pkt *p, unsigned n)
{
	const char *base = r->rxq->dma.va_base;

	for (unsigned i = 0; i < n; i++)
		if (weir_likely(p[i].len >= 12))
			swap_macs(weir_pkt_data(base, &p[i]));
}

static void set_macs(const struct fwd_route *r, const struct weir_pkt *p, unsigned n)
{
	const char *base = r->rxq->dma.va_base;
	bool first = true;

	for (unsigned i = 0; i < n; i++) {
		if (first && p[i].len >= 12) {
			uint8_t *d = weir_pkt_data(base, &p[i]);

			if (r->set_dst)
				memcpy(d, r->mac, 6);
			memcpy(d + 6, r->mac + 6, 6);
		}
		first = !(p[i].flags & WEIR_PKT_MORE);
	}
}

/* What the RX side says about a packet means nothing, or something else, on the way out. */
static void clear_rx_flags(struct weir_pkt *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i].flags &= (uint16_t)~WEIR_PKT_RX_ONLY;
}

/* Drop what a stuck TX ring did not take in time, so that RX does not stand still for ever. */
static void give_up(struct fwd_worker *w, struct fwd_route *r)
{
	unsigned n = count_packets(r->held, r->n_held);

	weir_drop(&r->txq->stats, WEIR_DROP_TX_FULL, n);
	weir_count(&w->dropped, n);
	weir_pkt_free(w->cache, r->held, r->n_held);
	r->n_held = 0;
}

/* Post, keep the rest. */
static void send(struct fwd_worker *w, struct fwd_route *r, const struct weir_pkt *p, unsigned n)
{
	unsigned sent = weir_tx_post(r->txq, p, n);

	weir_count(&w->forwarded, r->plain ? sent : count_packets(p, sent));
	if (weir_likely(sent == n)) {
		r->n_held = 0;
		return;
	}
	if (!r->n_held)
		r->held_since = weir_cycles();
	r->n_held = n - sent;
	memmove(r->held, p + sent, r->n_held * sizeof(*p));
}

/* Return: whether the route is free to receive. */
static bool send_held(struct fwd_worker *w, struct fwd_route *r)
{
	weir_tx_kick(r->txq);
	weir_tx_reap(r->txq);
	send(w, r, r->held, r->n_held);
	if (r->n_held && weir_cycles() - r->held_since > w->hold_cycles)
		give_up(w, r);
	return !r->n_held;
}

/* Take up to @n from the common budget. */
static unsigned take_budget(struct fwd_worker *w, unsigned n)
{
	int64_t left = __atomic_fetch_sub(w->budget, n, __ATOMIC_RELAXED);

	if (left >= (int64_t)n)
		return n;
	__atomic_fetch_add(w->budget, left > 0 ? (int64_t)n - left : (int64_t)n, __ATOMIC_RELAXED);
	return left > 0 ? (unsigned)left : 0;
}

/*
 * The budget counts packets, a burst segments: a packet of more segments than the budget has left
 * would never come. Asking for one segment more at a time brings just that packet.
 */
static unsigned receive_last(struct fwd_route *r, struct weir_pkt *p, unsigned want)
{
	bool jumbo = r->rxq->port->conf.offloads & WEIR_OFF_RX_JUMBO;
	unsigned n = weir_rx(r->rxq, p, want);

	while (jumbo && !n && want < WEIR_MAX_SEGS)
		n = weir_rx(r->rxq, p, ++want);
	return n;
}

static unsigned receive(struct fwd_worker *w, struct fwd_route *r, struct weir_pkt *p)
{
	unsigned want = w->burst, n;

	if (weir_unlikely(w->lossless) && !capring_room(w->cap, want))
		return 0;
	if (weir_unlikely(w->budget != NULL)) {
		want = take_budget(w, want);
		if (!want)
			return 0;
	}
	n = w->budget && want < WEIR_MAX_SEGS ? receive_last(r, p, want) : weir_rx(r->rxq, p, want);
	if (weir_unlikely(w->budget != NULL))
		__atomic_fetch_add(w->budget, (int64_t)want - count_packets(p, n),
				   __ATOMIC_RELAXED);
	return n;
}

static unsigned pass_route(struct fwd_worker *w, struct fwd_route *r)
{
	struct weir_pkt p[FWD_BURST_MAX];
	unsigned n;

	if (weir_unlikely(r->n_held) && !send_held(w, r))
		return 0;
	n = receive(w, r, p);
	if (!n)
		return 0;
	if (w->cap)
		capring_push(w->cap, r->rxq->dma.va_base, p, n, w->snaplen, r->port);
	if (!r->txq) {
		weir_count(&w->forwarded, count_packets(p, n));
		weir_pkt_free(w->cache, p, n);
		return n;
	}
	if (!r->plain)
		clear_rx_flags(p, n);
	if (r->rewrite == FWD_SWAP_MAC)
		(r->plain ? swap_plain : swap)(r, p, n);
	else if (r->rewrite == FWD_SET_MAC)
		set_macs(r, p, n);
	send(w, r, p, n);
	return n;
}

static void ask(struct fwd_worker *w, enum fwd_ask what)
{
	__atomic_store_n(&w->asked, what, __ATOMIC_RELEASE);
}

static enum fwd_ask asked(const struct fwd_worker *w)
{
	return __atomic_load_n(&w->asked, __ATOMIC_ACQUIRE);
}

/* Only from @was: what another thread asks for meanwhile is not overwritten, and answered next. */
static bool turn(struct fwd_worker *w, enum fwd_ask was, enum fwd_ask to)
{
	return __atomic_compare_exchange_n(&w->asked, &was, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

void fwd_leave(struct fwd_worker *w, struct weir_port *p)
{
	w->leaving = p;
	ask(w, FWD_LEAVE);
}

bool fwd_left(const struct fwd_worker *w)
{
	return asked(w) == FWD_GO_ON;
}

void fwd_pause(struct fwd_worker *w)
{
	ask(w, FWD_PAUSE);
}

bool fwd_paused(const struct fwd_worker *w)
{
	return asked(w) == FWD_PAUSED;
}

void fwd_resume(struct fwd_worker *w)
{
	/* A pause becomes one that is kept at any time, and never the other way. */
	if (!turn(w, FWD_PAUSE, FWD_GO_ON))
		turn(w, FWD_PAUSED, FWD_GO_ON);
}

/* Routes keep their order; what waited for a ring that goes is given up. */
void fwd_take_out(struct fwd_worker *w, const struct weir_port *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_routes; i++) {
		struct fwd_route *r = &w->routes[i];

		if (r->rxq->port != p && (!r->txq || r->txq->port != p)) {
			if (n != i)
				w->routes[n] = *r;
			n++;
		} else if (r->n_held) {
			give_up(w, r);
		}
	}
	__atomic_store_n(&w->n_routes, n, __ATOMIC_RELAXED);
}

/* Between two passes: what another thread asked for. */
static void answer(struct fwd_worker *w)
{
	if (asked(w) == FWD_LEAVE) {
		fwd_take_out(w, w->leaving);
		turn(w, FWD_LEAVE, FWD_GO_ON);
		return;
	}
	if (!turn(w, FWD_PAUSE, FWD_PAUSED))
		return;
	while (asked(w) == FWD_PAUSED && !__atomic_load_n(w->stop, __ATOMIC_RELAXED))
		weir_sleep_us(PAUSE_US);
}

unsigned fwd_pass(struct fwd_worker *w)
{
	unsigned moved = 0;

	for (unsigned i = 0; i < w->n_routes; i++)
		moved += pass_route(w, &w->routes[i]);
	/* One doorbell a queue and pass. */
	for (unsigned i = 0; i < w->n_routes; i++)
		if (w->routes[i].txq)
			weir_tx_kick(w->routes[i].txq);
	return moved;
}

/* Return: segments that are still in TX rings or held. */
static unsigned reap_all(struct fwd_worker *w)
{
	unsigned left = 0;

	for (unsigned i = 0; i < w->n_routes; i++)
		if (w->routes[i].txq)
			left += weir_tx_reap(w->routes[i].txq) + w->routes[i].n_held;
	return left;
}

/* Arm every RX queue. Return: true if nothing came meanwhile and all can be waited for. */
static bool arm_all(struct fwd_worker *w, struct pollfd *fds)
{
	bool quiet = true;

	for (unsigned i = 0; i < w->n_routes; i++) {
		struct weir_rxq *q = w->routes[i].rxq;

		fds[i].fd = weir_port_rx_intr_fd(q->port, q->index);
		fds[i].events = POLLIN;
		quiet &= fds[i].fd >= 0 && !weir_port_rx_intr_arm(q->port, q->index);
	}
	return quiet;
}

static void sleep_on_interrupts(struct fwd_worker *w)
{
	struct pollfd fds[FWD_MAX_ROUTES];
	int ms = reap_all(w) ? SLEEP_TX_MS : SLEEP_MS;

	if (arm_all(w, fds)) {
		weir_count(&w->sleeps, 1);
		poll(fds, w->n_routes, ms);
	}
	for (unsigned i = 0; i < w->n_routes; i++) {
		struct weir_rxq *q = w->routes[i].rxq;

		weir_port_rx_intr_disarm(q->port, q->index);
		if (fds[i].fd >= 0)
			weir_eventfd_drain(fds[i].fd);
	}
}

static void idle(struct fwd_worker *w, unsigned passes)
{
	if (passes % 64 == 0)
		reap_all(w);
	if (w->idle == FWD_YIELD)
		sched_yield();
	else if (w->idle == FWD_SLEEP && passes >= IDLE_PASSES)
		sleep_on_interrupts(w);
	else
		weir_pause();
}

static void drain(struct fwd_worker *w)
{
	struct weir_deadline d = weir_deadline_us(DRAIN_US);

	do {
		for (unsigned i = 0; i < w->n_routes; i++) {
			struct fwd_route *r = &w->routes[i];

			if (r->txq && r->n_held)
				send_held(w, r);
			if (r->txq)
				weir_tx_kick(r->txq);
		}
	} while (reap_all(w) && !weir_deadline_passed(d));
	for (unsigned i = 0; i < w->n_routes; i++)
		if (w->routes[i].n_held)
			give_up(w, &w->routes[i]);
}

void *fwd_run(void *arg)
{
	struct fwd_worker *w = arg;
	unsigned passes = 0;

	if (w->cpu >= 0) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((unsigned)w->cpu, &set);
		w->err = -pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	}
	while (!__atomic_load_n(w->stop, __ATOMIC_RELAXED)) {
		if (weir_unlikely(asked(w) != FWD_GO_ON))
			answer(w);
		if (fwd_pass(w))
			passes = 0;
		else
			idle(w, ++passes);
	}
	drain(w);
	return NULL;
}
