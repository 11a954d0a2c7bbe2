/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "pcap:[IN][,OUT][,pace=fast|ts|PPS][,loop=N]": plays IN into the NIC, records in OUT what it
 * sends. Playing starts when the driver enables reception. At pace "fast" the next frame waits
 * until there is a descriptor for it, so that none is lost; at the others the wire does not wait.
 */
#include "apps/nicsim/wire.h"
#include "core/clock.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define OUT_BUFFER (1u << 20)

struct wire_pcap {
	struct wire wire;
	char in_name[512], out_name[512];
	pcap_t *in, *dead;
	pcap_dumper_t *out;
	uint64_t pps, loops;
	bool by_ts;
	/* the frame to be played next */
	const u_char *held;
	unsigned held_len;
	uint64_t held_ts;
	uint64_t began, first_ts, played;
};

static int open_in(struct wire_pcap *p, struct weir *w)
{
	char err[PCAP_ERRBUF_SIZE];

	p->in = pcap_open_offline_with_tstamp_precision(p->in_name, PCAP_TSTAMP_PRECISION_NANO,
							err);
	if (!p->in)
		return weir_fail(w, ENOENT, "wire-pcap", "cannot play %s: %s", p->in_name, err);
	if (pcap_datalink(p->in) == DLT_EN10MB)
		return 0;
	return weir_fail(w, EINVAL, "wire-pcap", "%s does not hold Ethernet frames", p->in_name);
}

static int open_out(struct wire_pcap *p, struct weir *w)
{
	FILE *f = fopen(p->out_name, "we");

	p->dead =
		pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 65535, PCAP_TSTAMP_PRECISION_NANO);
	if (!f || !p->dead) {
		int err = f ? ENOMEM : errno;

		if (f)
			fclose(f);
		return weir_fail(w, err, "wire-pcap", "cannot write %s: %s", p->out_name,
				 weir_strerror(err));
	}
	setvbuf(f, NULL, _IOFBF, OUT_BUFFER);
	p->out = pcap_dump_fopen(p->dead, f);
	if (p->out)
		return 0;
	fclose(f);
	return weir_fail(w, EIO, "wire-pcap", "cannot write %s", p->out_name);
}

/* The two file names are what has no "=" in it. */
static void names(struct wire_pcap *p, const char *spec)
{
	char *to[2] = { p->in_name, p->out_name };

	for (unsigned i = 0; i < 2 && *spec; i++) {
		size_t n = strcspn(spec, ",");

		if (memchr(spec, '=', n))
			return;
		snprintf(to[i], sizeof(p->in_name), "%.*s", (int)n, spec);
		spec += n + (spec[n] == ',');
	}
}

static int pace(struct wire_pcap *p, struct weir *w, const char *spec)
{
	char text[32];

	p->loops = 1;
	if (wire_option(spec, "pace", text, sizeof(text))) {
		if (!strcmp(text, "ts"))
			p->by_ts = true;
		else if (strcmp(text, "fast") != 0 &&
			 (!wire_number(spec, "pace", &p->pps) || !p->pps))
			return weir_fail(w, EINVAL, "wire-pcap",
					 "pace is fast, ts or frames a second, not \"%s\"", text);
	}
	if (!wire_number(spec, "loop", &p->loops))
		return weir_fail(w, EINVAL, "wire-pcap", "loop wants a number; 0 is for ever");
	return 0;
}

static int pcap_wire_close(struct wire *wire)
{
	struct wire_pcap *p = (struct wire_pcap *)wire;
	int err = 0;

	if (p->out) {
		if (pcap_dump_flush(p->out))
			err = weir_fail(wire->w, EIO, "wire-pcap", "%s is not complete: %s",
					p->out_name, weir_strerror(errno));
		pcap_dump_close(p->out);
	}
	if (p->dead)
		pcap_close(p->dead);
	if (p->in)
		pcap_close(p->in);
	free(p);
	return err;
}

static int pcap_wire_open(struct weir *w, const char *spec, uint64_t seed, struct wire **out)
{
	struct wire_pcap *p = calloc(1, sizeof(*p));
	int err;

	(void)seed;
	if (!p)
		return -ENOMEM;
	p->wire.w = w;
	names(p, spec);
	err = pace(p, w, spec);
	if (!err && *p->in_name)
		err = open_in(p, w);
	if (!err && *p->out_name)
		err = open_out(p, w);
	if (err) {
		pcap_wire_close(&p->wire);
		return err;
	}
	p->wire.done = !p->in;
	*out = &p->wire;
	return 0;
}

/* Begin the file anew, if there is another round. */
static bool rewind_in(struct wire_pcap *p)
{
	bool again = p->played && (!p->loops || --p->loops);

	pcap_close(p->in);
	p->in = NULL;
	p->began = 0;
	if (again && !open_in(p, p->wire.w))
		return true;
	p->wire.done = true;
	return false;
}

static bool next(struct wire_pcap *p)
{
	struct pcap_pkthdr *h;

	while (!p->held) {
		if (!p->in)
			return false;
		if (pcap_next_ex(p->in, &h, &p->held) == 1) {
			p->held_len = h->caplen;
			p->held_ts = (uint64_t)h->ts.tv_sec * 1000000000u + (uint64_t)h->ts.tv_usec;
			return true;
		}
		p->held = NULL;
		if (!rewind_in(p))
			return false;
	}
	return true;
}

/* Whether the held frame's time has come. */
static bool due(struct wire_pcap *p)
{
	uint64_t now;

	if (!p->pps && !p->by_ts)
		return true;
	now = weir_now_ns();
	if (!p->began) {
		p->began = now;
		p->first_ts = p->held_ts;
		if (p->pps)
			p->first_ts = p->played;
	}
	if (p->by_ts)
		return p->held_ts < p->first_ts || now - p->began >= p->held_ts - p->first_ts;
	return (now - p->began) / 1000 * p->pps / 1000000 >= p->played - p->first_ts;
}

static unsigned pcap_wire_poll(struct wire *wire, struct nic *n, unsigned budget)
{
	struct wire_pcap *p = (struct wire_pcap *)wire;
	unsigned done = 0;

	if (wire->done || !nic_rx_ready(n))
		return 0;
	while (done < budget && next(p) && due(p)) {
		if (wire_rx(wire, n, p->held, p->held_len, !p->pps && !p->by_ts) == RX_WAIT)
			break;
		p->held = NULL;
		p->played++;
		done++;
	}
	return done;
}

static bool pcap_wire_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	struct wire_pcap *p = (struct wire_pcap *)wire;
	struct pcap_pkthdr h = { .caplen = len, .len = len };
	struct timespec now;

	if (!p->out)
		return true;
	clock_gettime(CLOCK_REALTIME, &now);
	h.ts.tv_sec = now.tv_sec;
	h.ts.tv_usec = now.tv_nsec; /* the file is of nanosecond precision */
	pcap_dump((u_char *)p->out, &h, f);
	return true;
}

static void pcap_wire_idle(struct wire *wire)
{
	struct wire_pcap *p = (struct wire_pcap *)wire;

	if (p->out)
		pcap_dump_flush(p->out);
}

const struct wire_ops wire_pcap = {
	.prefix = "pcap:",
	.help = "pcap:[IN][,OUT][,pace=fast|ts|PPS][,loop=N]  play a file, record another",
	.open = pcap_wire_open,
	.poll = pcap_wire_poll,
	.send = pcap_wire_send,
	.idle = pcap_wire_idle,
	.close = pcap_wire_close,
};
