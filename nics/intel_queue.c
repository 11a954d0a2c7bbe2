/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queues of advanced descriptors: their memory, which functions work on them, and what these do once
 * a burst and not for each packet.
 */
#include "core/io.h"
#include "nics/intel_queue.h"
#include "nics/xlate.h"

#include <stdlib.h>

#define REFILL_BATCH 32

/* --- paths --- */

static bool cpu_any(void)
{
	return true;
}

#ifdef __x86_64__
static bool cpu_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

static bool cpu_avx512(void)
{
	return cpu_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}
#endif

#define PATH(s)                                                           \
	.rx = { intel_rx_plain##s, intel_rx_meta##s, intel_rx_jumbo##s }, \
	.tx = { intel_tx_plain##s, intel_tx_full##s }, .fill = intel_rx_fill##s

const struct intel_path intel_paths[] = {
#ifdef __x86_64__
	{ .name = "avx512", .usable = cpu_avx512, PATH(_avx512) },
	{ .name = "avx2", .usable = cpu_avx2, PATH(_avx2) },
#endif
	{ .name = "scalar", .usable = cpu_any, PATH(_scalar) },
	{ 0 },
};

static const struct intel_path phys_path = { .name = "phys", .usable = cpu_any, PATH(_phys) };

static const struct intel_path *best_path(const struct weir_dma *dma)
{
	const struct intel_path *p = intel_paths;

	if (dma->pages)
		return &phys_path;
	while (!p->usable())
		p++;
	return p;
}

/* --- memory --- */

static void *queue_alloc(size_t size)
{
	void *q = aligned_alloc(WEIR_CACHE_LINE, WEIR_ALIGN_UP(size, (size_t)WEIR_CACHE_LINE));

	if (q)
		memset(q, 0, size);
	return q;
}

/* 16 bytes a descriptor, aligned to 128 bytes; @extra bytes follow. */
static void *ring_alloc(struct weir_port *p, const struct weir_dma *dma, struct weir_arena *arena,
			unsigned n, size_t extra, const char *side, unsigned index)
{
	size_t len = (size_t)n * 16 + extra;
	void *ring = weir_arena_alloc(arena, len, 128);

	if (!ring)
		weir_fail(p->w, ENOMEM, "arena-full",
			  "%s: no room in the arena for %s ring %u of %u descriptors; make the "
			  "arena larger",
			  p->name, side, index, n);
	return nic_ring_whole(p, dma, arena, ring, len);
}

static void rxq_free(struct weir_arena *arena, struct intel_rxq *q)
{
	if (q->ring)
		weir_arena_free(arena, (void *)(uintptr_t)q->ring);
	free(q->bufs);
	free(q);
}

static enum intel_rx_kind rx_kind(unsigned offloads)
{
	if (offloads & WEIR_OFF_RX_JUMBO)
		return INTEL_RX_JUMBO;
	return offloads & (WEIR_OFF_RX_CSUM | WEIR_OFF_RX_VLAN_STRIP | WEIR_OFF_RX_HASH)
		       ? INTEL_RX_META
		       : INTEL_RX_PLAIN;
}

static void rxq_offloads(struct intel_rxq *q, const struct intel_kind *k, unsigned offloads)
{
	q->rxe = k->rxe;
	q->l4e = k->l4e;
	q->udp_zero = k->udp_zero;
	q->hash = offloads & WEIR_OFF_RX_HASH;
	q->vlan = offloads & WEIR_OFF_RX_VLAN_STRIP ? (uint32_t)INTEL_RXD_VP : 0;
	if (!(offloads & WEIR_OFF_RX_CSUM))
		return;
	q->csum = (uint32_t)(INTEL_RXD_IPCS | INTEL_RXD_L4I) | k->l4e | k->l4e << 1;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(q->flags); i++) {
		uint32_t st = (i & 3) * k->l4e | i >> 2 << 5;

		q->flags[i] = (uint8_t)intel_rx_csum(st, k->l4e);
	}
}

int intel_rxq_create(struct weir_port *p, const struct weir_dma *dma, struct weir_arena *arena,
		     unsigned index, volatile void *tail, const struct intel_kind *k)
{
	const struct intel_path *path = best_path(dma);
	unsigned n = p->conf.rx_desc;
	struct intel_rxq *q = queue_alloc(sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->bufs = calloc(n, sizeof(*q->bufs));
	q->ring = q->bufs ? ring_alloc(p, dma, arena, n, 0, "RX", index) : NULL;
	if (!q->ring) {
		rxq_free(arena, q);
		return -ENOMEM;
	}
	q->q.dma = *dma;
	/* cppcheck-suppress AssignmentIntegerToAddress ; a function from a table */
	q->q.burst = path->rx[rx_kind(p->conf.offloads)];
	q->q.port = p;
	q->q.index = index;
	q->tail = tail;
	q->tail_fn = k->rx_tail;
	q->fill_fn = path->fill;
	q->size = (uint16_t)n;
	q->batch = (uint16_t)weir_min_u(REFILL_BATCH, n / 4);
	rxq_offloads(q, k, p->conf.offloads);
	p->rxq[index] = &q->q;
	return 0;
}

static void txq_free(struct weir_arena *arena, struct intel_txq *q)
{
	if (q->ring)
		weir_arena_free(arena, (void *)(uintptr_t)q->ring);
	free(q->bufs);
	free(q->rs);
	free(q);
}

static void txq_offloads(struct intel_txq *q, unsigned offloads)
{
	if (offloads & WEIR_OFF_TX_CSUM)
		q->offload |= WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM;
	if (offloads & WEIR_OFF_TX_VLAN)
		q->offload |= WEIR_PKT_VLAN;
	/* The device fills in the checksums of what it cuts, whoever asked for that. */
	if (offloads & WEIR_OFF_TX_TSO)
		q->offload |= WEIR_PKT_TX_TSO | WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM;
}

int intel_txq_create(struct weir_port *p, const struct weir_dma *dma, struct weir_arena *arena,
		     unsigned index, volatile void *tail, const struct intel_kind *k)
{
	struct intel_txq *q = queue_alloc(sizeof(*q));
	unsigned n = p->conf.tx_desc;

	if (!q)
		return -ENOMEM;
	q->bufs = calloc(n, sizeof(*q->bufs));
	q->rs = calloc(n, sizeof(*q->rs));
	if (q->bufs && q->rs)
		q->ring = ring_alloc(p, dma, arena, n, WEIR_CACHE_LINE, "TX", index);
	if (!q->ring) {
		txq_free(arena, q);
		return -ENOMEM;
	}
	txq_offloads(q, p->conf.offloads);
	q->q.dma = *dma;
	/* cppcheck-suppress AssignmentIntegerToAddress ; a function from a table */
	q->q.post = best_path(dma)->tx[q->offload != 0];
	q->q.kick = intel_tx_kick;
	q->q.reap = intel_tx_reap;
	q->q.port = p;
	q->q.index = index;
	q->tail_reg = tail;
	q->tail_fn = k->tx_tail;
	q->size = (uint16_t)n;
	q->free = q->size - 1;
	if (p->conf.tx_head_wb)
		q->head_wb = (volatile __le32 *)&q->ring[n];
	p->txq[index] = &q->q;
	return 0;
}

void intel_rxq_destroy(struct weir_port *p, struct weir_arena *arena, unsigned index)
{
	if (p->rxq[index])
		rxq_free(arena, intel_rxq_of(p->rxq[index]));
	p->rxq[index] = NULL;
}

void intel_txq_destroy(struct weir_port *p, struct weir_arena *arena, unsigned index)
{
	if (p->txq[index])
		txq_free(arena, intel_txq_of(p->txq[index]));
	p->txq[index] = NULL;
}

/* --- receive --- */

void intel_rx_tail(struct intel_rxq *q, unsigned slot)
{
	if (weir_likely(q->tail != NULL))
		weir_mmio_write32(q->tail, 0, slot);
	else
		q->tail_fn(q->q.port, q->q.index, slot);
}

bool intel_rx_pending(const struct intel_rxq *q)
{
	return !q->posted || intel_rx_status(q, q->next) & INTEL_RXD_DD;
}

void intel_rx_drain(struct intel_rxq *q)
{
	for (; q->posted; q->posted--) {
		weir_buf_free1(q->q.cache, q->bufs[q->next]);
		q->next = (uint16_t)intel_next(q->next, q->size);
	}
	q->next = 0;
	q->fill = 0;
	q->skip = false;
}

/* --- transmit --- */

/* Take @n buffers off the list of those in flight; at most half a stack at a time. */
static void tx_free(struct intel_txq *q, unsigned n)
{
	q->in_flight = (uint16_t)(q->in_flight - n);
	while (n) {
		unsigned run = weir_min_u(n, q->size - (unsigned)q->buf_head);

		run = weir_min_u(run, WEIR_CACHE_SIZE / 2);
		weir_buf_free(q->q.cache, &q->bufs[q->buf_head], run);
		n -= run;
		q->buf_head = (uint16_t)(q->buf_head + run);
		if (q->buf_head == q->size)
			q->buf_head = 0;
	}
}

static void tx_broken(struct intel_txq *q, uint32_t head)
{
	struct weir_port *p = q->q.port;

	weir_port_set_failed(p);
	weir_fail(p->w, EIO, "device-misbehaved",
		  "%s: the device says that TX queue %u is done up to descriptor %u, which it was "
		  "not given; close the port",
		  p->name, q->q.index, head);
}

/*
 * Descriptors that the device has finished, by its head. Those before it that are in use end at
 * our tail: a head anywhere else is a lie, after which nothing about the ring can be believed.
 */
static unsigned tx_head_done(struct intel_txq *q)
{
	unsigned used = q->size - 1u - q->free, done;
	uint32_t head = weir_from_le32(*q->head_wb);
	unsigned oldest = q->tail >= used ? q->tail - used : q->tail + q->size - used;

	done = head >= oldest ? head - oldest : head + q->size - oldest;
	if (weir_likely(head < q->size && done <= used))
		return done;
	tx_broken(q, head);
	return 0;
}

/* Whether the oldest descriptor with RS was reported; @done counts down with a head in memory. */
static inline bool tx_reported(const struct intel_txq *q, const struct intel_rs *r, unsigned *done)
{
	if (!q->head_wb)
		return weir_from_le64(q->ring[r->slot].hi) & INTEL_TXD_DD;
	if (*done < r->descs)
		return false;
	*done -= r->descs;
	return true;
}

/**
 * intel_tx_reclaim() - take back what the device reports as done
 * @q: queue
 */
void intel_tx_reclaim(struct intel_txq *q)
{
	unsigned bufs = 0, done = 0;

	if (weir_unlikely(weir_port_failed(q->q.port)))
		return;
	if (q->head_wb && q->n_rs)
		done = tx_head_done(q);
	while (q->n_rs) {
		const struct intel_rs *r = &q->rs[q->rs_head];

		if (!tx_reported(q, r, &done))
			break;
		bufs += r->bufs;
		q->free = (uint16_t)(q->free + r->descs);
		q->rs_head = (uint16_t)intel_next(q->rs_head, q->size);
		q->n_rs--;
	}
	if (!bufs) {
		if (q->n_rs)
			weir_txq_idle(&q->q);
		return;
	}
	weir_txq_busy(&q->q);
	weir_dma_rmb();
	tx_free(q, bufs);
}

/**
 * intel_tx_mark() - remember a descriptor that has RS
 * @q: queue
 * @slot: when it is done, so is all since the last one that had
 */
void intel_tx_mark(struct intel_txq *q, unsigned slot)
{
	q->rs[q->rs_tail] = (struct intel_rs){
		.slot = (uint16_t)slot,
		.descs = q->rs_descs,
		.bufs = q->rs_bufs,
	};
	q->rs_tail = (uint16_t)intel_next(q->rs_tail, q->size);
	q->n_rs++;
	q->rs_descs = 0;
	q->rs_bufs = 0;
}

/*
 * The device has not been told of the last descriptor yet, so it can still be given RS: nothing
 * that was kicked is left without a report.
 */
void intel_tx_kick(struct weir_txq *txq)
{
	struct intel_txq *q = intel_txq_of(txq);

	txq->unkicked = 0;
	if (weir_unlikely(weir_port_failed(txq->port)))
		return;
	if (q->rs_descs) {
		q->ring[q->last].hi = weir_le64(q->last_hi | INTEL_TXD_RS);
		intel_tx_mark(q, q->last);
	}
	if (weir_likely(q->tail_reg != NULL))
		weir_mmio_write32(q->tail_reg, 0, q->tail);
	else
		q->tail_fn(txq->port, txq->index, q->tail);
	weir_count(&txq->stats.kicks, 1);
}

unsigned intel_tx_reap(struct weir_txq *txq)
{
	struct intel_txq *q = intel_txq_of(txq);

	intel_tx_reclaim(q);
	return q->in_flight;
}

void intel_tx_drain(struct intel_txq *q)
{
	tx_free(q, q->in_flight);
	q->q.unkicked = 0;
	q->tail = 0;
	q->free = q->size - 1;
	q->buf_head = 0;
	q->buf_tail = 0;
	q->rs_head = 0;
	q->rs_tail = 0;
	q->n_rs = 0;
	q->rs_descs = 0;
	q->rs_bufs = 0;
	q->ctx_lo = 0;
	q->ctx_hi = 0;
	q->like.mask = 0;
	if (q->head_wb)
		*q->head_wb = weir_le32(0);
}
