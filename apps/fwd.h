/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The forwarding loop: a thread that moves bursts along its routes, from an RX queue to a TX
 * queue, or to a capture ring only.
 */
#ifndef WEIR_APPS_FWD_H
#define WEIR_APPS_FWD_H

#include "apps/capring.h"
#include "core/port.h"

#include <pthread.h>

#define FWD_BURST_MAX  64
#define FWD_MAX_ROUTES 64

enum fwd_idle {
	FWD_SPIN,  /* poll without pause */
	FWD_YIELD, /* offer the processor when there was nothing */
	FWD_SLEEP, /* after a while of nothing, sleep on the RX interrupts */
};

enum fwd_ask { FWD_GO_ON, FWD_LEAVE, FWD_PAUSE, FWD_PAUSED };

enum fwd_rewrite {
	FWD_AS_IT_IS,
	FWD_SET_MAC,  /* source, and perhaps destination, are given */
	FWD_SWAP_MAC, /* source becomes destination and the other way round */
};

/**
 * struct fwd_route - from one RX queue onwards
 * @rxq: where packets come from
 * @txq: where they go; NULL: to the capture ring alone
 * @n_held: segments that found no room in @txq and go first in the next pass
 * @held_since: cycles at which @held began to wait
 * @rewrite: what to do with the addresses in the frames
 * @plain: frames come in one segment, and nothing is said about them
 * @mac: destination, then source address
 * @set_dst: rewrite the destination too
 * @port: number of the receiving port, for the capture
 * @held: these segments
 */
struct fwd_route {
	struct weir_rxq *rxq;
	struct weir_txq *txq;
	unsigned n_held;
	uint64_t held_since;
	enum fwd_rewrite rewrite;
	bool set_dst, plain;
	uint8_t mac[12];
	unsigned port;
	struct weir_pkt held[FWD_BURST_MAX];
};

/**
 * struct fwd_worker - one forwarding thread
 * @routes: its routes, @n_routes of them; nobody else touches their queues
 * @burst: segments asked for at once, at most FWD_BURST_MAX
 * @idle: what to do when there is nothing
 * @cap: where copies go, or NULL
 * @snaplen: bytes of each
 * @lossless: rather leave packets in the NIC than miss one in @cap
 * @stop: set to end the loop
 * @asked: what another thread wants of it between two passes; it answers there too
 * @leaving: FWD_LEAVE: the port to take out of the loop
 * @budget: packets that may still be received by all workers, or NULL
 * @hold_cycles: how long to hold packets for a full TX ring before dropping them
 * @forwarded: packets handed to TX (or captured); read by anyone
 * @dropped: packets given up on because the TX ring stayed full; read by anyone
 * @sleeps: times it slept
 * @cpu: pin to this, -1 not
 * @err: of the thread's start
 */
struct fwd_worker {
	struct fwd_route routes[FWD_MAX_ROUTES];
	unsigned n_routes;
	unsigned burst;
	enum fwd_idle idle;
	struct capring *cap;
	unsigned snaplen;
	bool lossless;
	int *stop;
	enum fwd_ask asked;
	struct weir_port *leaving;
	int64_t *budget;
	uint64_t hold_cycles;
	uint64_t forwarded weir_cacheline;
	uint64_t dropped;
	uint64_t sleeps;
	struct weir_cache *cache;
	int cpu;
	int err;
	pthread_t thread;
};

/**
 * fwd_leave() - ask a running worker to take a port out of its loop; any one other thread
 * @w: worker
 * @p: port; every route from it and to it goes
 *
 * One thing at a time: ask again only once fwd_left() says so.
 */
void fwd_leave(struct fwd_worker *w, struct weir_port *p);
/* The same at once, for a worker that does not run or is paused. */
void fwd_take_out(struct fwd_worker *w, const struct weir_port *p);
/* Whether the worker has done so: it touches no queue of the port any more. */
bool fwd_left(const struct fwd_worker *w);

/*
 * Ask a running worker to wait, touching no queue and no cache, until fwd_resume(). It does once
 * fwd_paused() says so. fwd_resume() takes back a pause that was not kept yet, too, and nothing else
 * that was asked for; the worker may be asked the next thing at once.
 */
void fwd_pause(struct fwd_worker *w);
bool fwd_paused(const struct fwd_worker *w);
void fwd_resume(struct fwd_worker *w);

/* One pass over all routes. Return: segments moved. */
unsigned fwd_pass(struct fwd_worker *w);

/* Loop until *w->stop, then see that nothing is left in a TX ring. @arg is a struct fwd_worker. */
void *fwd_run(void *arg);

#endif
