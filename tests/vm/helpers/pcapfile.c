/* SPDX-License-Identifier: BSD-3-Clause */
#include "pcapfile.h"

#include <byteswap.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_US	  0xa1b2c3d4u
#define MAGIC_NS	  0xa1b23c4du
#define LINKTYPE_ETHERNET 1
#define SNAPLEN		  262144

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snaplen, linktype;
};

struct record_header {
	uint32_t seconds, fraction, len, wire_len;
};

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

static uint8_t *read_all(const char *path, size_t *size)
{
	FILE *in = fopen(path, "rb");
	uint8_t *bytes = NULL;
	size_t room = 0, got = 0, n;

	if (!in)
		die("cannot open %s: %s", path, strerror(errno));
	do {
		if (room - got < 65536) {
			room = room ? room * 2 : 1 << 20;
			bytes = realloc(bytes, room);
			if (!bytes)
				die("no memory for %s", path);
		}
		n = fread(bytes + got, 1, room - got, in);
		got += n;
	} while (n);
	if (ferror(in))
		die("cannot read %s", path);
	fclose(in);
	*size = got;
	return bytes;
}

static uint32_t order(uint32_t v, bool swap)
{
	return swap ? bswap_32(v) : v;
}

static bool check_header(const struct file_header *h, const char *path)
{
	bool swap = h->magic == bswap_32(MAGIC_US) || h->magic == bswap_32(MAGIC_NS);

	if (!swap && h->magic != MAGIC_US && h->magic != MAGIC_NS)
		die("%s is no pcap file (magic %08x)", path, h->magic);
	if ((order(h->linktype, swap) & 0xffff) != LINKTYPE_ETHERNET)
		die("%s holds link type %u, not Ethernet", path, order(h->linktype, swap));
	return swap;
}

static void append(struct pcapfile *f, size_t *room, struct pcap_frame frame)
{
	if (f->count == *room) {
		*room = *room ? *room * 2 : 1024;
		f->frames = realloc(f->frames, *room * sizeof(*f->frames));
		if (!f->frames)
			die("no memory for %zu frames", *room);
	}
	f->frames[f->count++] = frame;
}

void pcapfile_read(struct pcapfile *f, const char *path)
{
	struct file_header fh;
	struct record_header rh;
	size_t size, at = sizeof(fh), room = 0;
	bool swap;

	*f = (struct pcapfile){ 0 };
	f->bytes = read_all(path, &size);
	if (size < sizeof(fh))
		die("%s is no pcap file (%zu bytes)", path, size);
	memcpy(&fh, f->bytes, sizeof(fh));
	swap = check_header(&fh, path);
	while (at < size) {
		struct pcap_frame frame;

		if (size - at < sizeof(rh))
			die("%s ends inside the header of record %zu", path, f->count);
		memcpy(&rh, f->bytes + at, sizeof(rh));
		at += sizeof(rh);
		frame.len = order(rh.len, swap);
		frame.wire_len = order(rh.wire_len, swap);
		frame.data = f->bytes + at;
		if (frame.len > SNAPLEN || frame.len > size - at)
			die("%s ends inside record %zu", path, f->count);
		append(f, &room, frame);
		at += frame.len;
	}
}

void pcapfile_free(struct pcapfile *f)
{
	free(f->frames);
	free(f->bytes);
	*f = (struct pcapfile){ 0 };
}

void pcapstream_open(struct pcapstream *s, const char *path)
{
	struct file_header fh;

	s->path = path;
	s->count = 0;
	s->in = fopen(path, "rb");
	if (!s->in)
		die("cannot open %s: %s", path, strerror(errno));
	if (fread(&fh, sizeof(fh), 1, s->in) != 1)
		die("%s is no pcap file", path);
	s->swap = check_header(&fh, path);
}

bool pcapstream_next(struct pcapstream *s, struct pcap_frame *frame)
{
	struct record_header rh;
	size_t n = fread(&rh, 1, sizeof(rh), s->in);

	if (!n && !ferror(s->in)) {
		fclose(s->in);
		return false;
	}
	frame->len = order(rh.len, s->swap);
	frame->wire_len = order(rh.wire_len, s->swap);
	frame->data = s->data;
	if (n != sizeof(rh) || frame->len > sizeof(s->data) ||
	    fread(s->data, 1, frame->len, s->in) != frame->len)
		die("%s ends inside record %zu", s->path, s->count);
	s->count++;
	return true;
}

FILE *pcapfile_create(const char *path)
{
	const struct file_header fh = {
		.magic = MAGIC_NS,
		.major = 2,
		.minor = 4,
		.snaplen = SNAPLEN,
		.linktype = LINKTYPE_ETHERNET,
	};
	FILE *out = fopen(path, "wb");

	if (!out || fwrite(&fh, sizeof(fh), 1, out) != 1)
		die("cannot write %s: %s", path, strerror(errno));
	return out;
}

void pcapfile_add(FILE *out, uint64_t time_ns, const void *data, uint32_t len)
{
	const struct record_header rh = {
		.seconds = (uint32_t)(time_ns / 1000000000u),
		.fraction = (uint32_t)(time_ns % 1000000000u),
		.len = len,
		.wire_len = len,
	};

	if (fwrite(&rh, sizeof(rh), 1, out) != 1 || fwrite(data, 1, len, out) != len)
		die("cannot write a frame: %s", strerror(errno));
}

void pcapfile_close(FILE *out, const char *path)
{
	if (fclose(out))
		die("cannot finish %s: %s", path, strerror(errno));
}
