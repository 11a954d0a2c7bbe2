/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "gen:[size=N|imix][,flows=N][,count=N][,rate=PPS]": makes UDP frames; each carries its number.
 * Without a rate the wire waits for descriptors; with one it loses what finds none. What the NIC
 * sends is counted and forgotten.
 */
#include "apps/nicsim/wire.h"
#include "core/clock.h"

#include <stdlib.h>

#define HEADERS 42u

struct wire_gen {
	struct wire wire;
	uint64_t size, flows, count, rate, made, began, seed;
	bool imix;
	uint8_t frame[NIC_FRAME_MAX];
	unsigned held;
};

static int gen_open(struct weir *w, const char *spec, uint64_t seed, struct wire **out)
{
	struct wire_gen *g = calloc(1, sizeof(*g));
	char text[32];

	if (!g)
		return -ENOMEM;
	g->size = 60;
	g->flows = 64;
	g->seed = seed;
	g->imix = wire_option(spec, "size", text, sizeof(text)) && !strcmp(text, "imix");
	if ((!g->imix && !wire_number(spec, "size", &g->size)) || g->size < 60 || g->size > 9000 ||
	    !wire_number(spec, "flows", &g->flows) || !g->flows || g->flows > 65536 ||
	    !wire_number(spec, "count", &g->count) || !wire_number(spec, "rate", &g->rate)) {
		free(g);
		return weir_fail(w, EINVAL, "wire-gen",
				 "gen: takes size=60..9000 or imix, flows=1..65536, count=N, "
				 "rate=PPS, not \"%s\"",
				 spec);
	}
	*out = &g->wire;
	return 0;
}

/* Seven small, four medium, one large: what the trade calls IMIX. */
static unsigned pick_size(const struct wire_gen *g)
{
	unsigned i = g->made % 12;

	if (!g->imix)
		return (unsigned)g->size;
	return i < 7 ? 60 : i < 11 ? 590 : 1514;
}

static void make(struct wire_gen *g)
{
	static const uint8_t head[] = {
		0x02, 0,    0, 0, 0, 2, 0x02, 0, 0, 0, 0,  1, 0x08, 0, 0x45, 0, 0, 0, 0, 0, 0,
		0,    0x40, 0, 0, 0, 0, 10,   0, 0, 1, 10, 0, 0,    2, 0,    0, 0, 9, 0, 0, 0,
	};
	unsigned len = pick_size(g), flow = (unsigned)(g->made % g->flows);
	uint8_t *f = g->frame;

	memset(f, 0, len);
	memcpy(f, head, HEADERS);
	f[23] = NET_UDP;
	f[22] = 64;
	net_put16(f + 16, len - 14);
	net_put16(f + 28, flow >> 8);
	net_put16(f + 34, 1024 + (flow + (unsigned)g->seed) % 60000);
	net_put16(f + 38, len - 34);
	net_put16(f + 24, (uint16_t)~net_fold(net_sum(f + 14, 20, 0)));
	net_put32(f + HEADERS, (uint32_t)g->made);
	g->held = len;
}

static bool due(struct wire_gen *g)
{
	uint64_t now;

	if (g->count && g->made >= g->count) {
		g->wire.done = true;
		return false;
	}
	if (!g->rate)
		return true;
	now = weir_now_ns();
	if (!g->began)
		g->began = now;
	return (now - g->began) / 1000 * g->rate / 1000000 >= g->made;
}

static unsigned gen_poll(struct wire *wire, struct nic *n, unsigned budget)
{
	struct wire_gen *g = (struct wire_gen *)wire;
	unsigned done = 0;

	if (wire->done || !nic_rx_ready(n))
		return 0;
	while (done < budget && due(g)) {
		if (!g->held)
			make(g);
		if (wire_rx(wire, n, g->frame, g->held, !g->rate) == RX_WAIT)
			break;
		g->held = 0;
		g->made++;
		done++;
	}
	return done;
}

static bool gen_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	(void)wire;
	(void)f;
	(void)len;
	return true;
}

static int gen_close(struct wire *wire)
{
	free(wire);
	return 0;
}

const struct wire_ops wire_gen = {
	.prefix = "gen:",
	.help = "gen:[size=N|imix][,flows=N][,count=N][,rate=PPS]  made-up UDP frames",
	.open = gen_open,
	.poll = gen_poll,
	.send = gen_send,
	.close = gen_close,
};
