/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames to send, with checksums computed here, not by the code under test. */
#include "tests/vm/programs/nictest/nictest.h"

#define ETHERTYPE_TEST 0x88b5 /* IEEE 802: local experiments */

const uint8_t nt_broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void put16(uint8_t *b, unsigned v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static void put_id(struct nt_frame *f)
{
	static uint32_t next = 0x4e000000;

	f->id = ++next;
	put16(f->b + f->len - 4, f->id >> 16);
	put16(f->b + f->len - 2, f->id & 0xffff);
}

static void fill(struct nt_frame *f, unsigned from)
{
	static uint32_t x = 2463534242u;

	for (unsigned i = from; i < f->len; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		f->b[i] = (uint8_t)(x >> 11);
	}
}

static void ethernet(struct nt_frame *f, const uint8_t dst[6], const uint8_t src[6], unsigned type,
		     unsigned len)
{
	memset(f, 0, sizeof(*f));
	f->len = len;
	f->l2 = WEIR_ETH_HLEN;
	memcpy(f->b, dst, 6);
	memcpy(f->b + 6, src, 6);
	put16(f->b + 12, type);
}

void nt_frame(struct nt_frame *f, const uint8_t dst[6], const uint8_t src[6], unsigned len)
{
	ethernet(f, dst, src, ETHERTYPE_TEST, len);
	fill(f, WEIR_ETH_HLEN);
	put_id(f);
}

void nt_frame_in(struct nt *t, struct nt_frame *f, unsigned len)
{
	nt_frame(f, t->mac, t->peer_mac, len);
}

/* RFC 1071, in the order of the wire. */
static uint32_t sum16(const uint8_t *b, unsigned len)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < len; i++)
		sum += i & 1 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t pseudo_sum(const struct nt_frame *f)
{
	const uint8_t *ip = f->b + f->l2;
	uint32_t sum = f->v6 ? sum16(ip + 8, 32) : sum16(ip + 12, 8);

	return fold(sum + (f->len - f->l2 - f->l3) + (f->tcp ? 6 : 17));
}

void nt_frame_open_sum(struct nt_frame *f)
{
	put16(f->b + f->csum, pseudo_sum(f));
}

void nt_frame_sum(struct nt_frame *f)
{
	unsigned l4 = f->l2 + f->l3;
	uint16_t sum;

	put16(f->b + f->csum, 0);
	sum = (uint16_t)~fold(pseudo_sum(f) + sum16(f->b + l4, f->len - l4));
	put16(f->b + f->csum, !sum && !f->tcp ? 0xffff : sum);
}

void nt_frame_seal(struct nt_frame *f)
{
	put_id(f);
	if (f->csum)
		nt_frame_sum(f);
}

void nt_frame_zero_sum(struct nt_frame *f)
{
	uint8_t *data = f->b + f->l2 + f->l3 + (f->tcp ? 20 : 8);

	put16(data, fold(sum16(data, 2) + sum16(f->b + f->csum, 2)));
	nt_frame_sum(f);
}

static void ipv4(struct nt_frame *f, unsigned flow)
{
	uint8_t *ip = f->b + f->l2;

	f->l3 = 20;
	ip[0] = 0x45;
	put16(ip + 2, f->len - f->l2);
	put16(ip + 4, flow);
	ip[8] = 64;
	ip[9] = f->tcp ? 6 : 17;
	memcpy(ip + 12, (uint8_t[]){ 10, 60, 1, (uint8_t)(1 + flow) }, 4);
	memcpy(ip + 16, (uint8_t[]){ 10, 60, 2, (uint8_t)(7 + flow * 3) }, 4);
	put16(ip + 10, (uint16_t)~sum16(ip, 20));
}

static void ipv6(struct nt_frame *f, unsigned flow)
{
	uint8_t *ip = f->b + f->l2;

	f->l3 = 40;
	ip[0] = 0x60;
	put16(ip + 4, f->len - f->l2 - 40);
	ip[6] = f->tcp ? 6 : 17;
	ip[7] = 64;
	memcpy(ip + 8, (uint8_t[]){ 0xfd, 0, 0, 0x60 }, 4);
	ip[23] = (uint8_t)(1 + flow);
	memcpy(ip + 24, (uint8_t[]){ 0xfd, 0, 0, 0x61 }, 4);
	ip[39] = (uint8_t)(7 + flow * 3);
}

void nt_frame_ip(struct nt_frame *f, const uint8_t dst[6], const uint8_t src[6], bool v6, bool tcp,
		 unsigned flow, unsigned len)
{
	uint8_t *l4;

	ethernet(f, dst, src, v6 ? 0x86dd : 0x0800, len);
	f->v6 = v6;
	f->tcp = tcp;
	if (v6)
		ipv6(f, flow);
	else
		ipv4(f, flow);
	l4 = f->b + f->l2 + f->l3;
	fill(f, f->l2 + f->l3);
	put16(l4, 10000 + flow);
	put16(l4 + 2, 20000 + flow * 7);
	f->csum = f->l2 + f->l3 + (tcp ? 16 : 6);
	if (tcp) {
		put16(l4 + 12, 0x5010);
		put16(l4 + 18, 0);
	} else {
		put16(l4 + 4, f->len - f->l2 - f->l3);
	}
	nt_frame_seal(f);
}

void nt_frame_tag(struct nt_frame *f, uint16_t tci)
{
	memmove(f->b + 16, f->b + 12, f->len - 12);
	put16(f->b + 12, 0x8100);
	put16(f->b + 14, tci);
	f->len += WEIR_VLAN_HLEN;
	f->l2 += WEIR_VLAN_HLEN;
	if (f->csum)
		f->csum += WEIR_VLAN_HLEN;
}

const char *nt_proto(const struct nt_frame *f)
{
	static const char *const names[] = { "UDP over IPv4", "TCP over IPv4", "UDP over IPv6",
					     "TCP over IPv6" };

	return names[f->v6 * 2 + f->tcp];
}
