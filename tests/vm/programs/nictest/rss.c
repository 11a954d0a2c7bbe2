/* SPDX-License-Identifier: BSD-3-Clause */
/* Receive side scaling: hashes, table and key, on two queues. */
#include "tests/vm/programs/nictest/nictest.h"

#define FLOWS 12

static uint32_t expected(const struct nt_frame *f, const struct weir_rss *rss)
{
	unsigned addr = f->v6 ? 32 : 8;
	uint8_t in[36];

	memcpy(in, f->b + f->l2 + (f->v6 ? 8 : 12), addr);
	memcpy(in + addr, f->b + f->l2 + f->l3, 4);
	return weir_toeplitz(rss->key, in, addr + 4);
}

/* Queues that were used, as bits; 0 when a frame was lost or its hash or queue is not right. */
static unsigned spread(struct nt *t, bool v6, bool tcp, const struct weir_rss *rss)
{
	unsigned used = 0;

	for (unsigned flow = 0; flow < FLOWS; flow++) {
		struct nt_frame f;
		uint32_t hash;

		nt_frame_ip(&f, t->mac, t->peer_mac, v6, tcp, flow, 120);
		hash = expected(&f, rss);
		nt_peer_send(t, &f, false);
		if (!nt_receive(t, &f) || !nt_same(t, &f)) {
			nt_note("flow %u was lost", flow);
			return 0;
		}
		if (!(t->got.pkt.flags & WEIR_PKT_HASH) || t->got.pkt.hash != hash) {
			nt_note("flow %u: hash %#x (flags %#x), not %#x", flow, t->got.pkt.hash,
				t->got.pkt.flags, hash);
			return 0;
		}
		if (t->got.queue != rss->reta[hash % rss->reta_len]) {
			nt_note("flow %u: queue %u, the table says %u", flow, t->got.queue,
				rss->reta[hash % rss->reta_len]);
			return 0;
		}
		used |= 1u << t->got.queue;
	}
	return used;
}

static bool all_spread(struct nt *t, const struct weir_rss *rss, unsigned want, const char *how)
{
	bool good = true;

	for (unsigned i = 0; i < 4; i++) {
		unsigned used = spread(t, i & 2, i & 1, rss);

		good &= nt_check(used == want, "%s over IPv%d: hash and queue are right %s (%#x)",
				 i & 1 ? "TCP" : "UDP", i & 2 ? 6 : 4, how, used);
	}
	return good;
}

static void table_and_key(struct nt *t, struct weir_rss *rss)
{
	struct weir_rss now;

	for (unsigned i = 0; i < rss->reta_len; i++)
		rss->reta[i] = 1;
	nt_check(!weir_port_rss_set(t->port, rss), "a table that names queue 1 alone is set");
	all_spread(t, rss, 2, "with it");
	for (unsigned i = 0; i < rss->reta_len; i++)
		rss->reta[i] = (uint16_t)(i % 3 == 0);
	for (unsigned i = 0; i < rss->key_len; i++)
		rss->key[i] = (uint8_t)(rss->key[i] * 29 + 13 * i);
	nt_check(!weir_port_rss_set(t->port, rss), "another key is set while it runs");
	all_spread(t, rss, 3, "with it");
	nt_check(!weir_port_rss_get(t->port, &now) && now.key_len == rss->key_len &&
			 now.reta_len == rss->reta_len && !memcmp(now.key, rss->key, now.key_len) &&
			 !memcmp(now.reta, rss->reta, now.reta_len * sizeof(now.reta[0])),
		 "it can be read back");
	rss->reta[0] = NT_QUEUES;
	nt_check(weir_port_rss_set(t->port, rss) == -EINVAL,
		 "a table that names a queue which is not there is refused");
}

/* With hashes the header before each packet is longer, on the way out as well. */
static void send_on_each(struct nt *t)
{
	const struct weir_qstats *s[NT_QUEUES];
	struct nt_frame f;

	for (t->txq = 0; t->txq < NT_QUEUES; t->txq++) {
		s[t->txq] = &t->port->txq[t->txq]->stats;
		nt_frame(&f, t->peer_mac, t->mac, 700);
		nt_check(!nt_send(t, &f, 300, NULL) && nt_peer_gets(t, &f) &&
				 s[t->txq]->packets == 1,
			 "TX queue %u sends and counts", t->txq);
	}
	t->txq = 0;
}

/* Types that are not asked for have no hash of their ports. */
static void one_type(struct nt *t)
{
	struct weir_port_conf c = { .n_rxq = NT_QUEUES,
				    .n_txq = NT_QUEUES,
				    .offloads = WEIR_OFF_RX_HASH,
				    .rss = { .types = WEIR_RSS_IPV4_TCP } };
	struct weir_rss rss;
	struct nt_frame f;

	if (!nt_up(t, &c))
		return;
	weir_port_rss_get(t->port, &rss);
	nt_check(spread(t, false, true, &rss) == 3, "with TCP over IPv4 alone, its hash is right");
	nt_frame_ip(&f, t->mac, t->peer_mac, false, false, 1, 120);
	nt_peer_send(t, &f, false);
	nt_check(nt_receive(t, &f) && t->got.queue == 0 && !(t->got.pkt.flags & WEIR_PKT_HASH),
		 "and UDP has none");
	nt_down(t);
}

void nt_rss(struct nt *t)
{
	struct weir_port_conf c = { .n_rxq = NT_QUEUES,
				    .n_txq = NT_QUEUES,
				    .offloads = WEIR_OFF_RX_HASH };
	struct weir_rss rss;
	struct nt_frame f;

	if (t->queues < NT_QUEUES) {
		nt_skip("RSS", "a QEMU hub carries one queue pair");
		return;
	}
	if (!nt_up(t, &c))
		return;
	nt_check(!weir_port_rss_get(t->port, &rss) && rss.reta_len == t->caps.reta_len &&
			 rss.reta[0] == 0 && rss.reta[1] == 1,
		 "unasked, the table spreads evenly");
	all_spread(t, &rss, 3, "with the usual key");
	nt_frame_in(t, &f, 200);
	nt_peer_send(t, &f, false);
	nt_check(nt_receive(t, &f) && nt_same(t, &f) && t->got.queue == 0 &&
			 !(t->got.pkt.flags & WEIR_PKT_HASH),
		 "what is not IP has no hash and comes by queue 0");
	send_on_each(t);
	table_and_key(t, &rss);
	nt_down(t);
	one_type(t);
}
