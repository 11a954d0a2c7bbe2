/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of a plain pcap file, without a call for each. libpcap opens the file and judges it; where it
 * is a regular file in this machine's byte order, records are read here, in large pieces (a mapped file
 * that another process cuts short would end us with SIGBUS). Whatever is not a whole and ordinary record
 * is left to libpcap, and all that follows with it: one place says what is wrong with a file.
 */
#ifndef WEIR_PCAP_PLAIN_H
#define WEIR_PCAP_PLAIN_H

#include "core/types.h"

#include <pcap/pcap.h>
#include <sys/types.h>

/* Read and written at a time. */
#define PCAP_CHUNK (256u << 10)

/* Header of a frame in the file: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap, section 5. */
struct pcap_record {
	uint32_t sec, frac, caplen, len;
};

/**
 * struct pcap_plain - where reading is
 * @on: records are read here
 * @fd: the file, which libpcap owns
 * @limit: longest frame that is ordinary
 * @pos: next record in @chunk
 * @fill: bytes in @chunk
 * @off: of the file at the end of @chunk
 */
struct pcap_plain {
	bool on;
	int fd;
	uint32_t limit, pos, fill;
	off_t off;
	uint8_t chunk[PCAP_CHUNK];
};

/**
 * pcap_plain_open() - begin reading records here if the file allows it
 * @r: zeroed
 * @in: just opened, no frame read
 */
void pcap_plain_open(struct pcap_plain *r, pcap_t *in);

/**
 * pcap_plain_more() - read on
 * @r: reader
 * @want: bytes of the file that are wanted from @r->pos on, at most PCAP_CHUNK
 * Return: whether there are so many now.
 */
bool pcap_plain_more(struct pcap_plain *r, uint32_t want);

/**
 * pcap_plain_leave() - the rest is libpcap's
 * @r: reader, off afterwards
 * @in: reads on at the record that comes next
 * Return: whether it can.
 */
bool pcap_plain_leave(struct pcap_plain *r, pcap_t *in);

/**
 * pcap_plain_next() - the next frame
 * @r: reader that is on
 * @len: its length
 * Return: the frame, valid until the next call; NULL when what comes next is not an ordinary record or
 * is not there: pcap_plain_leave() then.
 */
static inline const uint8_t *pcap_plain_next(struct pcap_plain *r, uint32_t *len)
{
	struct pcap_record h;
	const uint8_t *frame;

	if (weir_unlikely(r->fill - r->pos < sizeof(h)) && !pcap_plain_more(r, sizeof(h)))
		return NULL;
	memcpy(&h, r->chunk + r->pos, sizeof(h));
	if (weir_unlikely(h.caplen > r->limit))
		return NULL;
	if (weir_unlikely(r->fill - r->pos < sizeof(h) + h.caplen) &&
	    !pcap_plain_more(r, (uint32_t)sizeof(h) + h.caplen))
		return NULL;
	frame = r->chunk + r->pos + sizeof(h);
	r->pos += (uint32_t)sizeof(h) + h.caplen;
	*len = h.caplen;
	return frame;
}

#endif
