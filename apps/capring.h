/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a forwarding thread to the thread that writes a capture file: a byte ring with one writer
 * and one reader. Forwarding never waits for the disk; what finds no room is counted.
 */
#ifndef WEIR_APPS_CAPRING_H
#define WEIR_APPS_CAPRING_H

#include "core/pkt.h"

/**
 * struct caprec - one captured frame, followed by its bytes
 * @ts_ns: CLOCK_REALTIME
 * @len: bytes of the frame on the wire
 * @caplen: bytes that follow; CAPREC_SKIP means: go on at the ring's start
 * @port: which port received it
 */
struct caprec {
	uint64_t ts_ns;
	uint32_t len;
	uint32_t caplen;
	uint32_t port;
	uint32_t pad;
};

#define CAPREC_SKIP UINT32_MAX

struct capring {
	uint8_t *data;
	uint64_t size; /* power of two */
	uint64_t head weir_cacheline;
	uint64_t tail_seen;
	uint64_t missed;
	uint64_t tail weir_cacheline;
};

int capring_create(size_t size, struct capring **out);
void capring_destroy(struct capring *r);

/**
 * capring_push() - copy packets in; the forwarding thread
 * @r: ring
 * @va_base: window base
 * @p: whole packets, @n segments
 * @snaplen: most bytes of a packet to keep
 * @port: for the record
 *
 * One time stamp serves the burst.
 */
void capring_push(struct capring *r, const char *va_base, const struct weir_pkt *p, unsigned n,
		  unsigned snaplen, unsigned port);

/* Whether a burst of @n full-size packets would surely fit. */
bool capring_room(struct capring *r, unsigned n);

/**
 * capring_peek() - oldest frame; the writing thread
 * Return: its record (bytes follow it), valid until capring_pop(); NULL when empty.
 */
const struct caprec *capring_peek(struct capring *r);
void capring_pop(struct capring *r, const struct caprec *rec);

#endif
