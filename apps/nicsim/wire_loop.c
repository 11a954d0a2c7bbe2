/* SPDX-License-Identifier: BSD-3-Clause */
/* "loop:": what the NIC sends comes back to it. */
#include "apps/nicsim/wire.h"

#include <stdlib.h>

#define FRAMES_MAX 1024u

struct wire_loop {
	struct wire wire;
	struct wire_fifo q;
};

static int loop_open(struct weir *w, const char *spec, uint64_t seed, struct wire **out)
{
	struct wire_loop *l = calloc(1, sizeof(*l));

	(void)w;
	(void)spec;
	(void)seed;
	if (!l)
		return -ENOMEM;
	*out = &l->wire;
	return 0;
}

static unsigned loop_poll(struct wire *wire, struct nic *n, unsigned budget)
{
	struct wire_loop *l = (struct wire_loop *)wire;
	unsigned done = 0, len;
	const uint8_t *f;

	while (done < budget && (f = wire_fifo_peek(&l->q, &len))) {
		if (wire_rx(wire, n, f, len, true) == RX_WAIT)
			break;
		wire_fifo_pop(&l->q);
		done++;
	}
	return done;
}

static bool loop_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	return wire_fifo_push(&((struct wire_loop *)wire)->q, f, len);
}

static bool loop_ready(struct wire *wire)
{
	return ((struct wire_loop *)wire)->q.frames < FRAMES_MAX;
}

static int loop_close(struct wire *wire)
{
	struct wire_loop *l = (struct wire_loop *)wire;

	free(l->q.data);
	free(l);
	return 0;
}

const struct wire_ops wire_loop = {
	.prefix = "loop:",
	.help = "loop                      what is sent comes back",
	.open = loop_open,
	.poll = loop_poll,
	.send = loop_send,
	.ready = loop_ready,
	.close = loop_close,
};
