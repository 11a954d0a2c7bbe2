/* SPDX-License-Identifier: BSD-3-Clause */
#include "nics/pcap/plain.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du

/* Header of the file: the same draft, section 4. */
struct pcap_head {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t reserved[2];
	uint32_t snaplen;
	uint32_t
		link; /* with bits for a checksum at the end of frames, which libpcap is to look at */
};

void pcap_plain_open(struct pcap_plain *r, pcap_t *in)
{
	FILE *f = pcap_file(in);
	int fd = f ? fileno(f) : -1, snap = pcap_snapshot(in);
	/* Standard input may be a file that others have read from: its header is not at its start. */
	off_t at = f ? ftello(f) - (off_t)sizeof(struct pcap_head) : -1;
	struct pcap_head h;
	struct stat st;

	if (at < 0 || fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    pread(fd, &h, sizeof(h), at) != (ssize_t)sizeof(h))
		return;
	if ((h.magic != MAGIC_US && h.magic != MAGIC_NS) || h.major != 2 || h.minor != 4 ||
	    h.link != DLT_EN10MB || snap <= 0)
		return;
	r->fd = fd;
	r->limit = weir_min_u((unsigned)snap, PCAP_CHUNK - (unsigned)sizeof(struct pcap_record));
	r->off = at + (off_t)sizeof(h);
	r->on = true;
}

bool pcap_plain_more(struct pcap_plain *r, uint32_t want)
{
	memmove(r->chunk, r->chunk + r->pos, r->fill - r->pos);
	r->fill -= r->pos;
	r->pos = 0;
	while (r->fill < want) {
		ssize_t n = pread(r->fd, r->chunk + r->fill, sizeof(r->chunk) - r->fill, r->off);

		if (n < 0 && errno == EINTR)
			continue;
		/* libpcap will meet the same error or the same end. */
		if (n <= 0)
			return false;
		r->fill += (uint32_t)n;
		r->off += n;
	}
	return true;
}

bool pcap_plain_leave(struct pcap_plain *r, pcap_t *in)
{
	r->on = false;
	return !fseeko(pcap_file(in), r->off - (off_t)(r->fill - r->pos), SEEK_SET);
}
