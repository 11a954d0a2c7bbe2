/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What came out of a wire, compared with what went in. Test frames (pktgen) end in a trailer that
 * says which they are; the comparison itself is byte by byte with the file that was sent.
 */
#ifndef WEIR_VM_CHECKER_H
#define WEIR_VM_CHECKER_H

#include <stdbool.h>
#include <stdint.h>

#include "pcapfile.h"

#define TRAILER_MAGIC "weirtest"
#define TRAILER_FLOWS 4096

/* The last bytes of each test frame; numbers in network byte order. */
struct trailer {
	char magic[8];
	uint32_t seq;  /* position in the file */
	uint32_t flow; /* below TRAILER_FLOWS; frames of one flow must keep their order */
};

enum order {
	ORDER_TOTAL, /* as sent */
	ORDER_CLASS, /* within {IPv4, IPv6, ARP}, {802.1Q}, {802.1ad} and the rest */
	ORDER_FLOW,  /* within a flow: several queues share the work */
};

struct checker {
	const struct pcapfile *sent;
	enum order order;
	uint32_t rounds; /* how often the file was sent; 1 unless set after checker_init() */
	uint32_t *seen;	 /* how often each frame came */
	uint64_t *next;	 /* lowest position still in order, one an order class */
	uint64_t received, duplicated, corrupted, reordered, foreign;
	bool quiet;
	uint32_t shown;
};

void checker_init(struct checker *c, const struct pcapfile *sent, enum order order);
void checker_free(struct checker *c);

/*
 * Account one received frame. Returns true when it is one that was sent and is new. With several
 * rounds the n-th copy of a frame is taken for that of round n, at position n * frames + number.
 */
bool checker_add(struct checker *c, const uint8_t *data, uint32_t len);

/*
 * Print "NAME: sent .. received .. lost .. ..." over the first SENT frames. Returns 0 when all of
 * them arrived whole, once and in order, 1 otherwise. Frames that are none of ours do not count.
 */
int checker_report(const struct checker *c, const char *name, size_t sent);

#endif
