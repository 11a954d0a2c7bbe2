/* SPDX-License-Identifier: BSD-3-Clause */
/* The NIC under test: from opening it to a frame received or sent. */
#include "core/clock.h"
#include "core/io.h"
#include "tests/vm/programs/nictest/nictest.h"

#define BUFFERS 4096

int nt_open(struct nt *t, enum weir_mode mode, const char *dev)
{
	struct weir_port_open_opts o = { .mode = mode };
	int err = weir_pool_arena(t->w, BUFFERS, 4 << 20, WEIR_NODE_ANY, 0, &t->arena);

	if (!err)
		err = weir_pool_create(t->arena, BUFFERS, &t->pool);
	if (!err)
		err = weir_cache_create(t->pool, &t->cache);
	if (!err)
		err = weir_iommu_open(t->w, &t->iommu);
	if (!err)
		err = weir_port_open(t->iommu, dev, &o, &t->port);
	if (err)
		return err;
	weir_port_caps(t->port, &t->caps);
	t->igb = !strcmp(t->caps.driver, "igb");
	return 0;
}

void nt_close(struct nt *t)
{
	weir_port_close(t->port);
	weir_iommu_close(t->iommu);
	weir_cache_destroy(t->cache);
	nt_check(weir_pool_destroy(t->pool) == 0, "no buffer is missing at the end");
	weir_arena_destroy(t->arena);
}

unsigned nt_buffers(const struct nt *t)
{
	return weir_pool_available(t->pool) + t->cache->n;
}

static int link_up(struct nt *t)
{
	struct weir_deadline d = weir_deadline_us(2 * NT_WAIT_US);
	struct weir_link link = { 0 };
	int err;

	do {
		err = weir_port_link(t->port, &link);
		if (err || link.up)
			return err;
		weir_sleep_us(10000);
	} while (!weir_deadline_passed(d));
	return -ENOLINK;
}

int nt_start(struct nt *t)
{
	int err = weir_port_start(t->port);

	return err ? err : link_up(t);
}

/* What a burst brought beyond the packet that was looked at. */
static struct {
	struct weir_pkt p[WEIR_MAX_SEGS];
	unsigned at, n;
} rest[NT_QUEUES];

static void drop_rest(struct nt *t)
{
	for (unsigned q = 0; q < NT_QUEUES; q++) {
		weir_pkt_free(t->cache, rest[q].p + rest[q].at, rest[q].n - rest[q].at);
		rest[q].at = rest[q].n = 0;
	}
}

int nt_restart(struct nt *t)
{
	int err = weir_port_stop(t->port);

	drop_rest(t);
	return err ? err : nt_start(t);
}

bool nt_up(struct nt *t, struct weir_port_conf *c)
{
	int err;

	c->arena = t->arena;
	err = weir_port_configure(t->port, c);
	for (unsigned q = 0; q < (c->n_rxq ? c->n_rxq : 1) && !err; q++)
		err = weir_port_queue_cache(t->port, q, t->cache);
	if (!err)
		err = nt_start(t);
	if (err)
		nt_check(false, "the port starts: %s", weir_strerror(err));
	return !err;
}

bool nt_down(struct nt *t)
{
	int err = weir_port_stop(t->port);

	drop_rest(t);
	if (!err && nt_buffers(t) == BUFFERS)
		return true;
	return nt_check(false, "the port stops (%d), with %u of %u buffers back", err,
			nt_buffers(t), BUFFERS);
}

/* --- receive --- */

static void gather(struct nt *t, unsigned queue, const struct weir_pkt *p, unsigned segs)
{
	struct nt_got *g = &t->got;
	const char *base = t->port->rxq[queue]->dma.va_base;

	g->pkt = *p;
	g->segs = segs;
	g->queue = queue;
	g->len = 0;
	for (unsigned i = 0; i < segs && g->len + p[i].len <= sizeof(g->b); i++) {
		memcpy(g->b + g->len, weir_pkt_data(base, &p[i]), p[i].len);
		g->len += p[i].len;
	}
}

static bool is(const struct nt_got *g, const struct nt_frame *f)
{
	return g->len > 4 && !memcmp(g->b + g->len - 4, f->b + f->len - 4, 4);
}

/* Look at the next packet. Return: whether there was one. */
static bool next_packet(struct nt *t, unsigned queue)
{
	struct weir_pkt *p = rest[queue].p + rest[queue].at;
	unsigned segs;

	if (rest[queue].at == rest[queue].n) {
		p = rest[queue].p;
		rest[queue].at = 0;
		rest[queue].n = weir_rx(t->port->rxq[queue], p, WEIR_MAX_SEGS);
	}
	if (!rest[queue].n)
		return false;
	segs = weir_pkt_segs(p, rest[queue].n - rest[queue].at);
	gather(t, queue, p, segs);
	weir_pkt_free(t->cache, p, segs);
	rest[queue].at += segs;
	return true;
}

bool nt_receive_for(struct nt *t, const struct nt_frame *f, uint64_t us)
{
	struct weir_deadline d = weir_deadline_us(us);

	do {
		for (unsigned q = 0; q < t->port->conf.n_rxq; q++)
			while (next_packet(t, q))
				if (is(&t->got, f))
					return true;
		weir_pause();
	} while (!weir_deadline_passed(d));
	return false;
}

bool nt_receive(struct nt *t, const struct nt_frame *f)
{
	return nt_receive_for(t, f, NT_WAIT_US);
}

bool nt_same(const struct nt *t, const struct nt_frame *f)
{
	return t->got.len == f->len && !memcmp(t->got.b, f->b, f->len);
}

int nt_arrives(struct nt *t, const struct nt_frame *f)
{
	struct weir_deadline d = weir_deadline_us(NT_WAIT_US);
	struct nt_frame end;
	bool seen = false;

	nt_frame(&end, nt_broadcast, t->peer_mac, 64);
	nt_peer_send(t, f, false);
	nt_peer_send(t, &end, false);
	do {
		while (next_packet(t, 0)) {
			seen |= is(&t->got, f);
			if (is(&t->got, &end))
				return seen;
		}
		weir_pause();
	} while (!weir_deadline_passed(d));
	nt_note("not even a broadcast arrived");
	return -1;
}

/* --- transmit --- */

static unsigned cut(struct nt *t, const struct nt_frame *f, unsigned seg,
		    const struct weir_pkt *how, struct weir_pkt *p)
{
	unsigned n = 0, at = 0;
	uint32_t buf;

	while (at < f->len && n < WEIR_MAX_SEGS && weir_buf_alloc(t->cache, &buf, 1)) {
		unsigned len = weir_min_u(seg, f->len - at);

		p[n] = (struct weir_pkt){ .buf = buf,
					  .off = WEIR_BUF_HEADROOM,
					  .len = (uint16_t)len };
		if (!n && how) {
			p[n].flags = how->flags;
			p[n].vlan = how->vlan;
			p[n].txo = how->txo;
		}
		memcpy(weir_pkt_data(t->port->txq[t->txq]->dma.va_base, &p[n]), f->b + at, len);
		at += len;
		if (at < f->len)
			p[n].flags |= WEIR_PKT_MORE;
		n++;
	}
	return n;
}

int nt_send(struct nt *t, const struct nt_frame *f, unsigned seg, const struct weir_pkt *how)
{
	struct weir_deadline d = weir_deadline_us(NT_WAIT_US);
	struct weir_txq *q = t->port->txq[t->txq];
	struct weir_pkt p[WEIR_MAX_SEGS];
	unsigned n = cut(t, f, seg, how, p);

	if (weir_tx_post(q, p, n) != n) {
		weir_pkt_free(t->cache, p, n);
		return -EAGAIN;
	}
	weir_tx_kick(q);
	while (weir_tx_reap(q))
		if (weir_deadline_passed(d))
			return -ETIMEDOUT;
	return 0;
}
