/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/pcapw.h"

#include <limits.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_BUFFER (1u << 20)

struct pcapw {
	struct weir *w;
	struct pcapw_opts o;
	char *file, *filter;
	pcap_t *dead;
	struct bpf_program prog;
	bool has_prog;
	FILE *f;
	char *buf; /* glibc takes a buffer's size only together with the buffer */
	pcap_dumper_t *dump;
	char path[PATH_MAX];
	unsigned seq;
	uint64_t count;
	uint64_t written; /* bytes of whole frames given to this file */
	uint64_t safe;	  /* of these, known to be in the file */
	time_t began;
	int err;
};

static int digits(unsigned n)
{
	int d = 1;

	for (; n >= 10; n /= 10)
		d++;
	return d;
}

static void name_file(struct pcapw *p)
{
	char base[PATH_MAX - 16];
	struct tm tm;

	snprintf(base, sizeof(base), "%s", p->file);
	if (p->o.rotate_s) {
		localtime_r(&p->began, &tm);
		if (!strftime(base, sizeof(base), p->file, &tm))
			snprintf(base, sizeof(base), "%s", p->file);
	}
	/*
	 * As tcpdump: the first file has the plain name, later ones a number after it; in a ring of
	 * -W files all have one, as wide as the last one's, so that they sort.
	 */
	if (p->o.rotate_bytes && p->o.files)
		snprintf(p->path, sizeof(p->path), "%s%0*u", base, digits(p->o.files - 1), p->seq);
	else if (p->o.rotate_bytes && p->seq)
		snprintf(p->path, sizeof(p->path), "%s%u", base, p->seq);
	else
		snprintf(p->path, sizeof(p->path), "%s", base);
}

static int fail(struct pcapw *p, int err, const char *what)
{
	if (p->err)
		return p->err;
	p->err = weir_fail(p->w, err, err == ENOSPC ? "disk-full" : "file-write", "%s %s: %s%s",
			   what, p->path, weir_strerror(err),
			   err == ENOSPC ? "; what was captured before is kept" : "");
	return p->err;
}

static int open_file(struct pcapw *p)
{
	p->began = time(NULL);
	name_file(p);
	p->f = strcmp(p->path, "-") ? fopen(p->path, "we") : fdopen(dup(STDOUT_FILENO), "w");
	if (!p->f)
		return fail(p, errno, "cannot write");
	setvbuf(p->f, p->buf, _IOFBF, FILE_BUFFER);
	p->dump = pcap_dump_fopen(p->dead, p->f);
	if (!p->dump) {
		p->f = NULL; /* libpcap has closed it */
		return fail(p, errno ? errno : EIO, "cannot write the header of");
	}
	p->written = 24; /* the file header */
	p->safe = 0;
	return pcapw_flush(p);
}

static int compile_filter(struct pcapw *p)
{
	if (!p->filter || !*p->filter)
		return 0;
	if (pcap_compile(p->dead, &p->prog, p->filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return weir_fail(p->w, EINVAL, "filter", "the filter \"%s\" does not compile: %s",
				 p->filter, pcap_geterr(p->dead));
	p->has_prog = true;
	return 0;
}

int pcapw_open(struct weir *w, const struct pcapw_opts *o, struct pcapw **out)
{
	struct pcapw *p = calloc(1, sizeof(*p));
	int err = -ENOMEM;

	if (!p)
		return err;
	p->w = w;
	p->o = *o;
	p->file = strdup(o->file);
	p->filter = strdup(o->filter ? o->filter : "");
	p->dead = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, (int)o->snaplen,
						       PCAP_TSTAMP_PRECISION_NANO);
	p->buf = malloc(FILE_BUFFER);
	if (p->file && p->filter && p->dead && p->buf)
		err = compile_filter(p);
	if (err) {
		pcapw_close(p);
		return err;
	}
	*out = p;
	return 0;
}

int pcapw_start(struct pcapw *p)
{
	return open_file(p);
}

int pcapw_flush(struct pcapw *p)
{
	if (p->err)
		return p->err;
	errno = 0;
	if (pcap_dump_flush(p->dump) < 0 || ferror(p->f))
		return fail(p, errno ? errno : EIO, "cannot write");
	p->safe = p->written;
	return 0;
}

/* Close the current file; if writing failed, cut it after the last whole frame known to be in. */
static void close_file(struct pcapw *p)
{
	struct stat st;
	int fd = -1;

	if (!p->dump)
		return;
	if (!p->err)
		pcapw_flush(p);
	/* Standard output may be a file with more in it than what is ours. */
	if (p->err && strcmp(p->path, "-") && !fstat(fileno(p->f), &st) && S_ISREG(st.st_mode))
		fd = dup(fileno(p->f));
	pcap_dump_close(p->dump);
	p->dump = NULL;
	p->f = NULL;
	if (fd >= 0) {
		if (ftruncate(fd, (off_t)p->safe) < 0)
			weir_warn(p->w, "cannot cut %s after its last whole frame: %s", p->path,
				  weir_strerror(errno));
		close(fd);
	}
}

int pcapw_close(struct pcapw *p)
{
	int err;

	if (!p)
		return 0;
	close_file(p);
	err = p->err;
	if (p->has_prog)
		pcap_freecode(&p->prog);
	if (p->dead)
		pcap_close(p->dead);
	free(p->buf);
	free(p->file);
	free(p->filter);
	free(p);
	return err;
}

static int rotate(struct pcapw *p)
{
	bool by_size = p->o.rotate_bytes && p->written >= p->o.rotate_bytes;
	bool by_time = p->o.rotate_s && time(NULL) - p->began >= (time_t)p->o.rotate_s;

	if (!by_size && !by_time)
		return 0;
	close_file(p);
	if (p->err)
		return p->err;
	p->seq++;
	/* As tcpdump: -W with -C is a ring of files, with -G it is the number to write. */
	if (p->o.files && p->seq >= p->o.files) {
		if (!p->o.rotate_bytes)
			return -ECANCELED;
		p->seq = 0;
	}
	return open_file(p);
}

int pcapw_write(struct pcapw *p, uint64_t ts_ns, const void *data, unsigned caplen, unsigned len)
{
	struct pcap_pkthdr h = { .caplen = caplen, .len = len };
	int err;

	if (p->err)
		return p->err;
	h.ts.tv_sec = (time_t)(ts_ns / 1000000000);
	h.ts.tv_usec = (suseconds_t)(ts_ns % 1000000000); /* nanoseconds, as the file says */
	if (p->has_prog && !pcap_offline_filter(&p->prog, &h, data))
		return 0;
	if (h.caplen > p->o.snaplen)
		h.caplen = p->o.snaplen;
	err = rotate(p);
	if (err)
		return err;
	/* Flush at a frame's end, so that the buffer never spills in the middle of one. */
	if (p->written - p->safe + 16 + h.caplen > FILE_BUFFER - 4096 || p->o.unbuffered) {
		err = pcapw_flush(p);
		if (err)
			return err;
	}
	pcap_dump((u_char *)p->dump, &h, data);
	p->written += 16 + h.caplen;
	p->count++;
	return p->o.unbuffered && pcapw_flush(p) ? p->err : 1;
}

uint64_t pcapw_count(const struct pcapw *p)
{
	return p->count;
}

const char *pcapw_path(const struct pcapw *p)
{
	return p->path;
}
