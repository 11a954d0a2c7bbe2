/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/nicsim/wire.h"

#include <stdio.h>
#include <stdlib.h>

const struct wire_ops *const wire_kinds[] = {
	&wire_pcap, &wire_loop, &wire_link, &wire_tap, &wire_gen, NULL,
};

int wire_open(struct weir *w, const char *name, uint64_t seed, struct wire **out)
{
	for (unsigned i = 0; wire_kinds[i]; i++) {
		const struct wire_ops *o = wire_kinds[i];
		size_t n = strlen(o->prefix);
		int err;

		/* "loop" is as good as "loop:". */
		if (strncmp(name, o->prefix, n) != 0 &&
		    (strncmp(name, o->prefix, n - 1) != 0 || name[n - 1]))
			continue;
		err = o->open(w, name[n - 1] ? name + n : "", seed, out);
		if (!err) {
			(*out)->ops = o;
			(*out)->w = w;
		}
		return err;
	}
	return weir_fail(
		w, EINVAL, "wire",
		"there is no wire \"%s\"; the kinds are pcap:, loop:, link:, tap: and gen:", name);
}

int wire_close(struct wire *wire)
{
	return wire ? wire->ops->close(wire) : 0;
}

unsigned wire_poll(struct wire *wire, struct nic *n, unsigned budget)
{
	return wire->ops->poll ? wire->ops->poll(wire, n, budget) : 0;
}

bool wire_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	if (!wire->ops->send(wire, f, len)) {
		wire->lost++;
		return false;
	}
	wire->tx++;
	wire->tx_bytes += len;
	return true;
}

enum rx_result wire_rx(struct wire *wire, struct nic *n, const uint8_t *f, unsigned len, bool wait)
{
	enum rx_result r = nic_rx(n, f, len, wait);

	if (r != RX_WAIT) {
		wire->rx++;
		/* On a wire nothing is shorter. */
		wire->rx_bytes += len < NET_ETH_MIN ? NET_ETH_MIN : len;
	}
	return r;
}

bool wire_option(const char *spec, const char *key, char *out, size_t size)
{
	size_t k = strlen(key);

	*out = '\0';
	while (spec && *spec) {
		size_t n = strcspn(spec, ",");

		if (n >= k && !strncmp(spec, key, k) && (spec[k] == '=' || n == k)) {
			if (n > k)
				snprintf(out, size, "%.*s", (int)(n - k - 1), spec + k + 1);
			return true;
		}
		spec += n + (spec[n] == ',');
	}
	return false;
}

bool wire_number(const char *spec, const char *key, uint64_t *v)
{
	char text[32], *end;

	if (!wire_option(spec, key, text, sizeof(text)))
		return true;
	errno = 0;
	*v = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* Make room for @need bytes at the tail: move what is there to the front, or grow. */
static bool fifo_room(struct wire_fifo *q, size_t need)
{
	size_t size = q->size ? q->size : 65536;
	uint8_t *p;

	if (q->size - q->tail >= need)
		return true;
	if (q->head) {
		memmove(q->data, q->data + q->head, q->tail - q->head);
		q->tail -= q->head;
		q->head = 0;
	}
	while (size - q->tail < need)
		size *= 2;
	if (size == q->size)
		return true;
	p = size <= WIRE_FIFO_MAX ? realloc(q->data, size) : NULL;
	if (!p)
		return false;
	q->data = p;
	q->size = size;
	return true;
}

bool wire_fifo_push(struct wire_fifo *q, const uint8_t *f, unsigned len)
{
	uint32_t n = len;

	if (!fifo_room(q, sizeof(n) + len))
		return false;
	memcpy(q->data + q->tail, &n, sizeof(n));
	memcpy(q->data + q->tail + sizeof(n), f, len);
	q->tail += sizeof(n) + len;
	q->frames++;
	return true;
}

const uint8_t *wire_fifo_peek(const struct wire_fifo *q, unsigned *len)
{
	uint32_t n;

	if (!q->frames)
		return NULL;
	memcpy(&n, q->data + q->head, sizeof(n));
	*len = n;
	return q->data + q->head + sizeof(n);
}

void wire_fifo_pop(struct wire_fifo *q)
{
	uint32_t n;

	memcpy(&n, q->data + q->head, sizeof(n));
	q->head += sizeof(n) + n;
	if (!--q->frames)
		q->head = q->tail = 0;
}
