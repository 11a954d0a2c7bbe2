/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pktgen: a pcap file of mixed Ethernet frames, the same for the same seed.
 *
 *   pktgen [-n FRAMES] [-s SEED] [-f FLOWS] [-m MAXLEN] [-j PERCENT] [-k KIND] OUT.pcap
 *
 * -j: so many in a hundred may be up to MAXLEN long, the others up to 1514.
 * -k: frames of this kind only (their names are in the table below).
 * Each kind below comes in FLOWS flows (different addresses and ports). Each frame carries a
 * trailer (checker.h) with its number and flow; checksums are correct.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checker.h"

#define MIN_FRAME 60
#define MAX_FRAME 9216
#define ETH_FRAME 1514

enum layer4 { L4_NONE, L4_UDP, L4_TCP, L4_ICMP };

/* A kind of frame; the weights add up to the share it has. */
struct kind {
	const char *name;
	unsigned int weight;
	uint16_t type; /* innermost ethertype */
	enum layer4 l4;
	uint16_t tags[2]; /* outermost first, 0 for none */
	uint8_t dst[6];	  /* all zero: a unicast address of the flow */
};

#define BROADCAST                                  \
	{                                          \
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff \
	}
#define LLDP                                       \
	{                                          \
		0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e \
	}
#define MULTICAST                                  \
	{                                          \
		0x01, 0x00, 0x5e, 0x01, 0x02, 0x03 \
	}

static const struct kind kinds[] = {
	{ "udp4", 16, 0x0800, L4_UDP, { 0 }, { 0 } },
	{ "tcp4", 16, 0x0800, L4_TCP, { 0 }, { 0 } },
	{ "icmp4", 4, 0x0800, L4_ICMP, { 0 }, { 0 } },
	{ "udp6", 10, 0x86dd, L4_UDP, { 0 }, { 0 } },
	{ "tcp6", 10, 0x86dd, L4_TCP, { 0 }, { 0 } },
	{ "icmp6", 4, 0x86dd, L4_ICMP, { 0 }, { 0 } },
	{ "arp", 4, 0x0806, L4_NONE, { 0 }, BROADCAST },
	{ "lldp", 2, 0x88cc, L4_NONE, { 0 }, LLDP },
	{ "experimental", 3, 0x88b5, L4_NONE, { 0 }, { 0 } },
	{ "mpls", 3, 0x8847, L4_NONE, { 0 }, { 0 } },
	{ "multicast", 3, 0x0800, L4_UDP, { 0 }, MULTICAST },
	{ "broadcast", 2, 0x0800, L4_UDP, { 0 }, BROADCAST },
	{ "vlan-udp4", 6, 0x0800, L4_UDP, { 0x8100 }, { 0 } },
	{ "vlan-tcp4", 6, 0x0800, L4_TCP, { 0x8100 }, { 0 } },
	{ "vlan-tcp6", 4, 0x86dd, L4_TCP, { 0x8100 }, { 0 } },
	{ "vlan-arp", 2, 0x0806, L4_NONE, { 0x8100 }, BROADCAST },
	{ "qinq-udp4", 3, 0x0800, L4_UDP, { 0x88a8, 0x8100 }, { 0 } },
	{ "stacked-udp4", 2, 0x0800, L4_UDP, { 0x8100, 0x8100 }, { 0 } },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* A frame under construction. */
struct frame {
	uint8_t data[MAX_FRAME];
	uint32_t at, len;
};

static uint64_t state;

static uint64_t rnd(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void put8(struct frame *f, unsigned int v)
{
	f->data[f->at++] = (uint8_t)v;
}

static void put16(struct frame *f, unsigned int v)
{
	put8(f, v >> 8);
	put8(f, v);
}

static void put32(struct frame *f, uint32_t v)
{
	put16(f, v >> 16);
	put16(f, v);
}

static void set16(struct frame *f, uint32_t at, unsigned int v)
{
	f->data[at] = (uint8_t)(v >> 8);
	f->data[at + 1] = (uint8_t)v;
}

static uint64_t sum(const uint8_t *p, uint32_t len)
{
	uint64_t s = 0;
	uint32_t i;

	for (i = 0; i + 1 < len; i += 2)
		s += (unsigned int)(p[i] << 8 | p[i + 1]);
	return len & 1 ? s + ((unsigned int)p[len - 1] << 8) : s;
}

static unsigned int fold(uint64_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (unsigned int)~s & 0xffff;
}

static uint32_t l4_header(enum layer4 l4)
{
	return l4 == L4_TCP ? 20 : l4 == L4_NONE ? 0 : 8;
}

static uint32_t header_len(const struct kind *k)
{
	uint32_t len = 14 + (k->tags[0] ? 4 : 0) + (k->tags[1] ? 4 : 0);

	if (k->type == 0x0800)
		return len + 20 + l4_header(k->l4);
	if (k->type == 0x86dd)
		return len + 40 + l4_header(k->l4);
	return len + (k->type == 0x0806 ? 28 : 4);
}

static void put_ethernet(struct frame *f, const struct kind *k, unsigned int flow)
{
	static const uint8_t none[6];
	int i;

	if (memcmp(k->dst, none, 6)) {
		memcpy(f->data, k->dst, 6);
		f->at = 6;
	} else {
		put16(f, 0x0200);
		put32(f, 0x00010000 + flow);
	}
	put16(f, 0x0200);
	put32(f, 0x00020000 + flow);
	for (i = 0; i < 2 && k->tags[i]; i++) {
		put16(f, k->tags[i]);
		put16(f, (flow % 8) << 13 | (1 + flow % 4094));
	}
	put16(f, k->type);
}

static void put_ipv4(struct frame *f, const struct kind *k, unsigned int flow, uint32_t seq)
{
	static const uint8_t protocol[] = { [L4_UDP] = 17, [L4_TCP] = 6, [L4_ICMP] = 1 };
	uint32_t start = f->at;

	put16(f, 0x4500);
	put16(f, f->len - start);
	put16(f, seq);
	put16(f, 0x4000);
	put8(f, 64);
	put8(f, protocol[k->l4]);
	put16(f, 0);
	put32(f, 0xc6120000 + flow); /* 198.18.0.0/15: for benchmarks, RFC 2544 */
	if (k->dst[0] == 0xff)
		put32(f, 0xffffffff);
	else
		put32(f, k->dst[0] ? 0xef010203 : 0xc6130000 + flow);
	set16(f, start + 10, fold(sum(f->data + start, 20)));
}

static void put_ipv6(struct frame *f, const struct kind *k, unsigned int flow)
{
	static const uint8_t protocol[] = { [L4_UDP] = 17, [L4_TCP] = 6, [L4_ICMP] = 58 };
	uint32_t side;

	put32(f, 0x60000000 | flow);
	put16(f, f->len - f->at - 36);
	put8(f, protocol[k->l4]);
	put8(f, 64);
	for (side = 0; side < 2; side++) { /* 2001:2::/48: for benchmarks, RFC 5180 */
		put32(f, 0x20010002);
		put32(f, side);
		put32(f, 0);
		put32(f, flow);
	}
}

/* Returns where the checksum of the layer stands. */
static uint32_t put_l4(struct frame *f, const struct kind *k, unsigned int flow, uint32_t seq)
{
	uint32_t start = f->at;

	if (k->l4 == L4_ICMP) {
		put16(f, k->type == 0x0800 ? 0x0800 : 0x8000); /* echo request */
		put16(f, 0);
		put16(f, flow);
		put16(f, seq);
		return start + 2;
	}
	put16(f, 10000 + flow);
	put16(f, 20000 + flow);
	if (k->l4 == L4_UDP) {
		put16(f, f->len - start);
		put16(f, 0);
		return start + 6;
	}
	put32(f, seq);
	put32(f, 1);
	put16(f, 0x5010);
	put16(f, 8192);
	put32(f, 0);
	return start + 16;
}

static void put_other(struct frame *f, const struct kind *k, unsigned int flow)
{
	if (k->type != 0x0806) {
		put32(f, k->type == 0x8847 ? flow << 12 | 0x1ff : 0x02070400 | flow % 256);
		return;
	}
	put16(f, 1);
	put16(f, 0x0800);
	put16(f, 0x0604);
	put16(f, 1);
	put16(f, 0x0200);
	put32(f, 0x00020000 + flow);
	put32(f, 0xc6120000 + flow);
	put16(f, 0);
	put32(f, 0);
	put32(f, 0xc6130000 + flow);
}

/* Random bytes, then the trailer, up to the frame's length. */
static void put_payload(struct frame *f, uint32_t seq, uint32_t flow)
{
	struct trailer t = { .seq = htonl(seq), .flow = htonl(flow) };

	memcpy(t.magic, TRAILER_MAGIC, sizeof(t.magic));
	while (f->at < f->len - sizeof(t))
		put8(f, (unsigned int)rnd());
	memcpy(f->data + f->at, &t, sizeof(t));
	f->at += sizeof(t);
}

static void l4_checksum(struct frame *f, const struct kind *k, uint32_t ip, uint32_t l4,
			uint32_t where)
{
	uint64_t s = sum(f->data + l4, f->len - l4);
	unsigned int c;

	if (k->type == 0x86dd)
		s += sum(f->data + ip + 8, 32) + f->data[ip + 6] + (f->len - l4);
	else if (k->l4 != L4_ICMP)
		s += sum(f->data + ip + 12, 8) + f->data[ip + 9] + (f->len - l4);
	c = fold(s);
	set16(f, where, k->l4 == L4_UDP && !c ? 0xffff : c);
}

static void build(struct frame *f, const struct kind *k, unsigned int index, uint32_t seq,
		  uint32_t len)
{
	/* Flows of different kinds must not share a hash tuple: number them through. */
	unsigned int flow = (unsigned int)(k - kinds) * 64 + index;
	uint32_t ip, l4, where = 0;

	f->at = 0;
	f->len = len;
	put_ethernet(f, k, flow);
	ip = f->at;
	if (k->type == 0x0800)
		put_ipv4(f, k, flow, seq);
	else if (k->type == 0x86dd)
		put_ipv6(f, k, flow);
	else
		put_other(f, k, flow);
	l4 = f->at;
	if (k->l4 != L4_NONE)
		where = put_l4(f, k, flow, seq);
	put_payload(f, seq, flow);
	if (k->l4 != L4_NONE)
		l4_checksum(f, k, ip, l4, where);
}

static const struct kind *find_kind(const char *name)
{
	unsigned int i;

	for (i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	die("pktgen: there is no kind %s", name);
}

static const struct kind *pick_kind(void)
{
	unsigned int total = 0, at, i;

	for (i = 0; i < KINDS; i++)
		total += kinds[i].weight;
	at = (unsigned int)(rnd() % total);
	for (i = 0; at >= kinds[i].weight; i++)
		at -= kinds[i].weight;
	return &kinds[i];
}

/* The edges get a share of their own; the rest is spread evenly. */
static uint32_t pick_len(const struct kind *k, uint32_t max)
{
	uint32_t min = header_len(k) + (uint32_t)sizeof(struct trailer);

	/* A tag on top of a frame of minimum size: what a switch sends. */
	if (min < MIN_FRAME + (k->tags[0] ? 4 : 0))
		min = MIN_FRAME + (k->tags[0] ? 4 : 0);
	switch (rnd() % 8) {
	case 0:
		return min;
	case 1:
		return max;
	default:
		return min + (uint32_t)(rnd() % (max - min + 1));
	}
}

int main(int argc, char **argv)
{
	unsigned long count = 10000, seed = 1, flows = 8, max = ETH_FRAME, jumbo = 100, i;
	const struct kind *only = NULL;
	static struct frame f;
	FILE *out;
	int c;

	while ((c = getopt(argc, argv, "n:s:f:m:j:k:")) != -1) {
		unsigned long v = optarg ? strtoul(optarg, NULL, 0) : 0;

		if (c == 'n')
			count = v;
		else if (c == 's')
			seed = v;
		else if (c == 'k')
			only = find_kind(optarg);
		else if (c == 'f' && v >= 1 && v <= 64)
			flows = v;
		else if (c == 'm' && v >= 128 && v <= MAX_FRAME)
			max = v;
		else if (c == 'j' && v <= 100)
			jumbo = v;
		else
			die("usage: pktgen [-n FRAMES] [-s SEED] [-f FLOWS 1..64]"
			    " [-m MAXLEN 128..9216] [-j PERCENT] [-k KIND] OUT.pcap");
	}
	if (optind + 1 != argc)
		die("pktgen: name one file to write");
	state = seed;
	out = pcapfile_create(argv[optind]);
	for (i = 0; i < count; i++) {
		const struct kind *k = only ? only : pick_kind();
		unsigned int index = (unsigned int)(rnd() % flows);
		unsigned long most = max;

		/* No draw without -j: the same frames for the same seed. */
		if (jumbo < 100 && max > ETH_FRAME && rnd() % 100 >= jumbo)
			most = ETH_FRAME;
		build(&f, k, index, (uint32_t)i, pick_len(k, (uint32_t)most));
		pcapfile_add(out, i * 1000, f.data, f.len);
	}
	pcapfile_close(out, argv[optind]);
	return 0;
}
