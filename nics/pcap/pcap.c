/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port that is two capture files: "pcap:IN,OUT". RX plays IN from start to end as fast as it is
 * asked; TX writes OUT. Either may be left out. libpcap reads and writes the files.
 */
#include "nics/nics.h"
#include "nics/pcap/plain.h"

#include <stdio_ext.h>
#include <stdlib.h>
#include <time.h>

#define FRAME_MAX (WEIR_MAX_SEGS * WEIR_BUF_ROOM)

struct pcap_rxq {
	struct weir_rxq q;
	pcap_t *in;
	/* a frame that found no room in the last burst */
	const u_char *held;
	unsigned held_len;
	bool end;
	bool broken; /* that was no proper end */
	struct pcap_plain plain;
};

struct pcap_txq {
	struct weir_txq q;
	pcap_dumper_t *out;
	/* frames on their way to the file */
	unsigned fill;
	uint8_t chunk[PCAP_CHUNK];
};

struct pcap_port {
	struct weir_port port;
	pcap_t *in, *dead;
	pcap_dumper_t *out;
	struct pcap_rxq rxq;
	struct pcap_txq txq;
};

static bool next_by_libpcap(struct pcap_rxq *r)
{
	struct pcap_pkthdr *h;
	int got = pcap_next_ex(r->in, &h, &r->held);

	if (got != 1) {
		r->held = NULL;
		r->end = true;
		r->broken = got == PCAP_ERROR;
		return false;
	}
	r->held_len = h->caplen;
	return true;
}

/* Next frame of the file, or false at its end. */
static bool next_frame(struct pcap_rxq *r)
{
	if (weir_unlikely(r->held))
		return true;
	if (weir_likely(r->plain.on)) {
		r->held = pcap_plain_next(&r->plain, &r->held_len);
		if (weir_likely(r->held))
			return true;
		r->end = r->broken = !pcap_plain_leave(&r->plain, r->in);
	}
	return r->in && !r->end && next_by_libpcap(r);
}

/* Copy the held frame into one buffer, as most are. Return: whether there was one. */
static bool copy_one(struct pcap_rxq *r, struct weir_pkt *p)
{
	uint32_t buf = weir_buf_alloc1(r->q.cache);

	if (weir_unlikely(buf == WEIR_BUF_NONE))
		return false;
	*p = (struct weir_pkt){ .buf = buf,
				.off = WEIR_BUF_HEADROOM,
				.len = (uint16_t)r->held_len };
	memcpy(weir_pkt_data(r->q.dma.va_base, p), r->held, r->held_len);
	return true;
}

/* Copy the held frame into buffers. Return: segments, 0 without buffers. */
static unsigned copy_in(struct pcap_rxq *r, struct weir_pkt *p, unsigned segs)
{
	const char *base = r->q.dma.va_base;
	uint32_t bufs[WEIR_MAX_SEGS];
	unsigned got, at = 0;

	if (weir_likely(segs == 1))
		return copy_one(r, p);
	got = weir_buf_alloc(r->q.cache, bufs, segs);
	if (got < segs) {
		weir_buf_free(r->q.cache, bufs, got);
		return 0; /* it waits in the file: nothing is lost */
	}
	for (unsigned i = 0; i < segs; i++) {
		unsigned len = weir_min_u(r->held_len - at, WEIR_BUF_ROOM);

		p[i] = (struct weir_pkt){
			.buf = bufs[i],
			.off = WEIR_BUF_HEADROOM,
			.len = (uint16_t)len,
			.flags = i + 1 < segs ? WEIR_PKT_MORE : 0,
		};
		memcpy(weir_pkt_data(base, &p[i]), r->held + at, len);
		at += len;
	}
	return segs;
}

static unsigned pcap_rx(struct weir_rxq *q, struct weir_pkt *pkts, unsigned n)
{
	struct pcap_rxq *r = (struct pcap_rxq *)q;
	unsigned at = 0, packets = 0;
	uint64_t bytes = 0;

	while (at < n && next_frame(r)) {
		unsigned segs = (r->held_len + WEIR_BUF_ROOM - 1) / WEIR_BUF_ROOM;

		if (!segs || segs > WEIR_MAX_SEGS) {
			weir_drop(&q->stats, segs ? WEIR_DROP_TOO_MANY : WEIR_DROP_BAD_LEN, 1);
			r->held = NULL;
			continue;
		}
		if (segs > n && !at && weir_rxq_short(q, segs)) {
			weir_drop(&q->stats, WEIR_DROP_TOO_MANY, 1);
			r->held = NULL;
			continue;
		}
		if (segs > n - at || !copy_in(r, pkts + at, segs))
			break;
		at += segs;
		packets++;
		bytes += r->held_len;
		r->held = NULL;
	}
	weir_count(&q->stats.calls, 1);
	weir_count(&q->stats.empty, !at);
	weir_count(&q->stats.packets, packets);
	weir_count(&q->stats.bytes, bytes);
	return at;
}

/* Errors stay with the stream, and are seen by pcap_kick() and pcap_stop(). */
static void flush_chunk(struct pcap_txq *t)
{
	if (t->fill)
		fwrite(t->chunk, 1, t->fill, pcap_dump_file(t->out));
	t->fill = 0;
}

static void write_out(struct pcap_txq *t, const struct weir_pkt *p, unsigned segs, unsigned len,
		      const struct timespec *now)
{
	struct pcap_record h = { .sec = (uint32_t)now->tv_sec,
				 .frac = (uint32_t)now->tv_nsec,
				 .caplen = len,
				 .len = len };

	if (!t->out)
		return;
	if (t->fill + sizeof(h) + len > sizeof(t->chunk))
		flush_chunk(t);
	memcpy(t->chunk + t->fill, &h, sizeof(h));
	t->fill += (unsigned)sizeof(h);
	for (unsigned i = 0; i < segs; i++) {
		memcpy(t->chunk + t->fill, weir_pkt_data(t->q.dma.va_base, &p[i]), p[i].len);
		t->fill += p[i].len;
	}
}

static unsigned pcap_post(struct weir_txq *q, const struct weir_pkt *pkts, unsigned n)
{
	struct pcap_txq *t = (struct pcap_txq *)q;
	uint64_t bytes = 0, packets = 0;
	struct timespec now;
	unsigned at = 0;

	/* What is sent together is sent at one time. */
	clock_gettime(CLOCK_REALTIME, &now);
	while (at < n) {
		unsigned segs = weir_pkt_segs(pkts + at, n - at), len = 0;

		if (!segs)
			break;
		for (unsigned i = 0; i < segs; i++)
			len += pkts[at + i].len;
		if (len && len <= FRAME_MAX) {
			write_out(t, pkts + at, segs, len, &now);
			packets++;
			bytes += len;
		} else {
			weir_drop(&q->stats, WEIR_DROP_TX_INVALID, 1);
		}
		weir_pkt_free(q->cache, pkts + at, segs);
		at += segs;
	}
	weir_count(&q->stats.packets, packets);
	weir_count(&q->stats.bytes, bytes);
	weir_count(&q->stats.calls, 1);
	q->unkicked += at;
	return at;
}

/* A short write stops the port: what comes after it would be no pcap file. */
static void pcap_kick(struct weir_txq *q)
{
	struct pcap_txq *t = (struct pcap_txq *)q;

	q->unkicked = 0;
	weir_count(&q->stats.kicks, 1);
	if (t->out && ferror(pcap_dump_file(t->out)) && !weir_port_set_failed(q->port))
		weir_fail(q->port->w, ENOSPC, "file-write",
			  "%s: writing the file failed; is the disk full?", q->port->name);
}

static unsigned pcap_reap(struct weir_txq *q)
{
	(void)q;
	return 0;
}

static void pcap_caps(struct weir_port *p, struct weir_port_caps *c)
{
	(void)p;
	c->driver = "pcap";
	c->max_rxq = c->max_txq = 1;
	c->min_desc = c->desc_align = 1;
	c->max_desc = 65536;
	c->max_mtu = FRAME_MAX - WEIR_ETH_HLEN - 2 * WEIR_VLAN_HLEN;
	c->offloads = WEIR_OFF_RX_JUMBO;
	c->max_tx_segs = WEIR_MAX_SEGS;
}

static int pcap_configure(struct weir_port *p)
{
	struct pcap_port *pp = (struct pcap_port *)p;
	struct weir_dma dma = { .va_base = weir_window(p->w).base };

	pp->rxq.q = (struct weir_rxq){ .burst = pcap_rx, .dma = dma, .port = p };
	pp->rxq.in = pp->in;
	pp->txq.q = (struct weir_txq){
		.post = pcap_post, .kick = pcap_kick, .reap = pcap_reap, .dma = dma, .port = p
	};
	pp->txq.out = pp->out;
	/* Frames are as long as they are in the file, whatever was asked for. */
	p->conf.offloads |= WEIR_OFF_RX_JUMBO;
	p->rxq[0] = &pp->rxq.q;
	p->txq[0] = &pp->txq.q;
	return 0;
}

static void pcap_nothing(struct weir_port *p)
{
	(void)p;
}

static int pcap_start(struct weir_port *p)
{
	(void)p;
	return 0;
}

static void pcap_stop(struct weir_port *p)
{
	struct pcap_port *pp = (struct pcap_port *)p;
	int err;

	if (pp->rxq.broken)
		weir_log(p->w, WEIR_LOG_WARN, "file-read",
			 "%s: the file could not be played to its end: %s", p->name,
			 pcap_geterr(pp->in));
	pp->rxq.broken = false;
	if (pp->out)
		flush_chunk(&pp->txq);
	err = pp->out && pcap_dump_flush(pp->out) ? errno : 0;
	/* What failed earlier has left a mark on the stream, but no errno that could be trusted now. */
	if (pp->out && !err && ferror(pcap_dump_file(pp->out)))
		err = EIO;
	if (err && !weir_port_set_failed(p))
		weir_fail(p->w, err, "file-write", "%s: writing the file: %s", p->name,
			  weir_strerror(err));
}

static void pcap_port_close(struct weir_port *p)
{
	struct pcap_port *pp = (struct pcap_port *)p;

	if (pp->out) {
		if (pp->txq.out)
			flush_chunk(&pp->txq);
		pcap_dump_close(pp->out);
	}
	if (pp->dead)
		pcap_close(pp->dead);
	if (pp->in)
		pcap_close(pp->in);
	weir_port_fini(p);
	free(pp);
}

static int pcap_link(struct weir_port *p, struct weir_link *link)
{
	(void)p;
	link->up = link->full_duplex = true;
	return 0;
}

/* A locally administered address, so that --mac-rewrite has one to write. */
static int pcap_mac_get(struct weir_port *p, uint8_t mac[6])
{
	static const uint8_t addr[6] = { 0x02, 'w', 'e', 'i', 'r', 0 };

	(void)p;
	memcpy(mac, addr, 6);
	return 0;
}

static int pcap_promisc(struct weir_port *p, bool on)
{
	(void)p;
	(void)on;
	return 0;
}

static int pcap_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n)
{
	if (n)
		x[0] = (struct weir_xstat){ "in_end", ((struct pcap_port *)p)->rxq.end };
	return 1;
}

static const struct weir_port_ops pcap_ops = {
	.caps = pcap_caps,
	.configure = pcap_configure,
	.unconfigure = pcap_nothing,
	.start = pcap_start,
	.stop = pcap_stop,
	.close = pcap_port_close,
	.link = pcap_link,
	.mac_get = pcap_mac_get,
	.promisc = pcap_promisc,
	.xstats = pcap_xstats,
};

/* One thread has it: no lock for each frame. */
static void quick_stream(FILE *f)
{
	if (f)
		__fsetlocking(f, FSETLOCKING_BYCALLER);
}

static int open_in(struct pcap_port *pp, const char *file)
{
	char why[PCAP_ERRBUF_SIZE];

	pp->in = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!pp->in)
		return weir_fail(pp->port.w, EINVAL, "file-open", "cannot play %s: %s", file, why);
	quick_stream(pcap_file(pp->in));
	if (pcap_datalink(pp->in) != DLT_EN10MB)
		return weir_fail(pp->port.w, EINVAL, "file-open",
				 "cannot play %s: its frames are %s, not Ethernet", file,
				 pcap_datalink_val_to_name(pcap_datalink(pp->in)));
	pcap_plain_open(&pp->rxq.plain, pp->in);
	return 0;
}

static int open_out(struct pcap_port *pp, const char *file)
{
	pp->dead = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, FRAME_MAX,
							PCAP_TSTAMP_PRECISION_NANO);
	if (!pp->dead)
		return -ENOMEM;
	pp->out = pcap_dump_open(pp->dead, file);
	if (!pp->out)
		return weir_fail(pp->port.w, EIO, "file-open", "cannot write: %s",
				 pcap_geterr(pp->dead));
	quick_stream(pcap_dump_file(pp->out));
	return 0;
}

static int pcap_port_open(struct weir *w, const char *name, const char *rest,
			  struct weir_port **out)
{
	struct pcap_port *pp = aligned_alloc(WEIR_CACHE_LINE, sizeof(*pp));
	const char *comma = strchr(rest, ',');
	char *in;
	int err;

	if (!pp)
		return -ENOMEM;
	memset(pp, 0, sizeof(*pp));
	err = weir_port_init(&pp->port, w, &pcap_ops, name);
	if (err) {
		free(pp);
		return err;
	}
	in = comma ? strndup(rest, (size_t)(comma - rest)) : strdup(rest);
	if (!in)
		err = -ENOMEM;
	if (!err && *in)
		err = open_in(pp, in);
	if (!err && comma && comma[1])
		err = open_out(pp, comma + 1);
	free(in);
	if (err) {
		pcap_port_close(&pp->port);
		return err;
	}
	*out = &pp->port;
	return 0;
}

const struct weir_driver weir_pcap_driver = {
	.name = "pcap",
	.scheme = "pcap",
	.open = pcap_port_open,
};
