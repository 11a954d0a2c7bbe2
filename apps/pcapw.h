/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Capture files as tcpdump writes them, through libpcap: filter, snap length, rotation. Time
 * stamps are in nanoseconds. When the disk is full the file ends after the last whole frame.
 */
#ifndef WEIR_APPS_PCAPW_H
#define WEIR_APPS_PCAPW_H

#include "core/weir.h"

/**
 * struct pcapw_opts - what to write
 * @file: path, "-" for standard output; with @rotate_s it goes through strftime()
 * @filter: expression as in pcap-filter(7), NULL or "" for everything
 * @snaplen: bytes of a frame to keep
 * @rotate_bytes: begin a new file when this one is larger; 0 never
 * @rotate_s: begin a new file after so many seconds; 0 never
 * @files: with rotation, how many files to keep (-C) or to write (-G); 0 any number
 * @unbuffered: write each frame out at once
 */
struct pcapw_opts {
	const char *file;
	const char *filter;
	unsigned snaplen;
	uint64_t rotate_bytes;
	unsigned rotate_s;
	unsigned files;
	bool unbuffered;
};

struct pcapw;

/* Compiles the filter, opens no file yet. Return: 0; -EINVAL (filter) with a sentence. */
int pcapw_open(struct weir *w, const struct pcapw_opts *o, struct pcapw **out);

/* Open the (first) file; a file of that name is replaced. Return: 0, or negative errno. */
int pcapw_start(struct pcapw *p);

/**
 * pcapw_write() - filter and write one frame
 * @ts_ns: CLOCK_REALTIME
 * @data: @caplen bytes
 * @len: bytes on the wire
 * Return: 1 if written, 0 if filtered out, -ENOSPC or another errno when the file took it no
 * more, -ECANCELED when the last file of a rotation is full.
 */
int pcapw_write(struct pcapw *p, uint64_t ts_ns, const void *data, unsigned caplen, unsigned len);

/* Bring what was written into the file. Return: 0 or negative errno (with a sentence, once). */
int pcapw_flush(struct pcapw *p);

/* Finish the file. Return: 0, or the first error there was. NULL is fine. */
int pcapw_close(struct pcapw *p);

/* Frames written so far, to all files. */
uint64_t pcapw_count(const struct pcapw *p);
/* Path of the current file. */
const char *pcapw_path(const struct pcapw *p);

#endif
