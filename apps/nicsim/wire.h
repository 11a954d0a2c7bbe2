/* SPDX-License-Identifier: BSD-3-Clause */
/* What the simulated port is plugged into: one ops table a kind of wire, chosen by its prefix. */
#ifndef WEIR_APPS_NICSIM_WIRE_H
#define WEIR_APPS_NICSIM_WIRE_H

#include "apps/nicsim/nic.h"
#include "core/weir.h"

/**
 * struct wire - a wire; the kinds embed it
 * @ops: its kind
 * @w: for errors
 * @rx, @rx_bytes: frames that went into the NIC, or were offered to it
 * @tx, @tx_bytes: frames that came out of it
 * @lost: frames that it could not carry
 * @done: nothing more will come
 */
struct wire {
	const struct wire_ops *ops;
	struct weir *w;
	uint64_t rx, rx_bytes, tx, tx_bytes, lost;
	bool done;
};

/**
 * struct wire_ops - kind of wire
 * @prefix: "pcap:"
 * @open: make one from what follows the prefix
 * @poll: bring up to @budget frames to the NIC. Return: how many
 * @send: carry a frame away. Return: false if it was lost
 * @ready: whether it would take a frame now; NULL: always
 * @fd: readable when there is something to poll, or -1; NULL: none
 * @idle: called when there was nothing to do for a while; may be NULL
 * @close: end it
 */
struct wire_ops {
	const char *prefix;
	const char *help;
	int (*open)(struct weir *w, const char *spec, uint64_t seed, struct wire **out);
	unsigned (*poll)(struct wire *wire, struct nic *n, unsigned budget);
	bool (*send)(struct wire *wire, const uint8_t *f, unsigned len);
	bool (*ready)(struct wire *wire);
	int (*fd)(struct wire *wire);
	void (*idle)(struct wire *wire);
	int (*close)(struct wire *wire);
};

extern const struct wire_ops wire_pcap, wire_loop, wire_link, wire_tap, wire_gen;

/* Kinds there are, NULL at the end. */
extern const struct wire_ops *const wire_kinds[];

/* Open a wire by its name. Return: 0, or negative errno with a sentence. */
int wire_open(struct weir *w, const char *name, uint64_t seed, struct wire **out);
int wire_close(struct wire *wire);
unsigned wire_poll(struct wire *wire, struct nic *n, unsigned budget);
bool wire_send(struct wire *wire, const uint8_t *f, unsigned len);

static inline bool wire_ready(struct wire *wire)
{
	return !wire->ops->ready || wire->ops->ready(wire);
}

/* Frames into the NIC, counted. As nic_rx(). */
enum rx_result wire_rx(struct wire *wire, struct nic *n, const uint8_t *f, unsigned len, bool wait);

/**
 * wire_option() - value of "key=value" in a comma-separated list
 * @spec: list, or NULL
 * @key: key
 * @out: value, "" if there is none
 * Return: whether the key is there.
 */
bool wire_option(const char *spec, const char *key, char *out, size_t size);
/* As wire_option(), a number. Return: false if it is there and no number. */
bool wire_number(const char *spec, const char *key, uint64_t *v);

/* Frames that wait, oldest first; grows up to WIRE_FIFO_MAX bytes. */
#define WIRE_FIFO_MAX (64u << 20)

struct wire_fifo {
	uint8_t *data;
	size_t size, head, tail;
	size_t frames;
};

bool wire_fifo_push(struct wire_fifo *q, const uint8_t *f, unsigned len);
const uint8_t *wire_fifo_peek(const struct wire_fifo *q, unsigned *len);
void wire_fifo_pop(struct wire_fifo *q);

#endif
