/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole pcap file in memory, and a writer of one: enough for test frames, without libpcap, so
 * that the tests do not read weir's captures with the library that wrote them.
 */
#ifndef WEIR_VM_PCAPFILE_H
#define WEIR_VM_PCAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct pcap_frame {
	const uint8_t *data;
	uint32_t len;	   /* bytes in the file */
	uint32_t wire_len; /* bytes on the wire; larger when the capture was cut */
};

struct pcapfile {
	struct pcap_frame *frames;
	size_t count;
	uint8_t *bytes;
};

/* Read PATH (micro- or nanosecond, either byte order). Complains on stderr and exits with 2. */
void pcapfile_read(struct pcapfile *f, const char *path);
void pcapfile_free(struct pcapfile *f);

/* Record after record of a file that need not fit into memory, or of a pipe. */
struct pcapstream {
	FILE *in;
	const char *path;
	bool swap;
	size_t count;
	uint8_t data[262144];
};

void pcapstream_open(struct pcapstream *s, const char *path);
/* The next record, until the next call. Returns false at the end; exits with 2 if it is cut. */
bool pcapstream_next(struct pcapstream *s, struct pcap_frame *frame);

/* Start a nanosecond Ethernet pcap, add a frame, close. All exit with 2 when writing fails. */
FILE *pcapfile_create(const char *path);
void pcapfile_add(FILE *out, uint64_t time_ns, const void *data, uint32_t len);
void pcapfile_close(FILE *out, const char *path);

/* Complain and exit with 2: the machinery failed, as opposed to the thing under test (1). */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
