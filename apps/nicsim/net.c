/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/nicsim/net.h"

static void parse_l4(const uint8_t *f, struct net_pkt *p)
{
	unsigned len = p->proto == NET_TCP ? 20 : p->proto == NET_UDP ? 8 : 12;

	if (p->frag || (p->proto != NET_TCP && p->proto != NET_UDP && p->proto != NET_SCTP))
		return;
	if (p->l4_off + len > p->end)
		return;
	if (p->proto == NET_TCP)
		len = (unsigned)(f[p->l4_off + 12] >> 4) * 4;
	if (len < 8 || p->l4_off + len > p->end)
		return;
	p->l4 = true;
	p->l4_end = p->l4_off + len;
}

static void parse_ip4(const uint8_t *f, unsigned len, struct net_pkt *p)
{
	const uint8_t *ip = f + p->l3_off;
	unsigned hlen, total;

	if (len < p->l3_off + 20 || ip[0] >> 4 != 4)
		return;
	hlen = (ip[0] & 15u) * 4;
	total = net_get16(ip + 2);
	if (hlen < 20 || total < hlen || p->l3_off + total > len)
		return;
	p->l3 = 4;
	p->ext = hlen > 20;
	p->proto = ip[9];
	p->frag = net_get16(ip + 6) & 0x3FFF;
	p->l4_off = p->l3_off + hlen;
	p->end = p->l3_off + total;
	parse_l4(f, p);
}

static bool is_ext(uint8_t proto)
{
	return proto == 0 || proto == 43 || proto == 60 || proto == 44;
}

static void parse_ip6(const uint8_t *f, unsigned len, struct net_pkt *p)
{
	const uint8_t *ip = f + p->l3_off;

	if (len < p->l3_off + 40 || ip[0] >> 4 != 6)
		return;
	p->end = p->l3_off + 40 + net_get16(ip + 4);
	if (p->end > len)
		return;
	p->l3 = 6;
	p->proto = ip[6];
	p->l4_off = p->l3_off + 40;
	while (is_ext(p->proto) && p->l4_off + 8 <= p->end) {
		const uint8_t *x = f + p->l4_off;

		p->ext = true;
		p->frag |= p->proto == 44;
		p->l4_off += p->proto == 44 ? 8 : (x[1] + 1u) * 8;
		p->proto = x[0];
	}
	if (p->l4_off <= p->end)
		parse_l4(f, p);
}

void net_parse(const uint8_t *f, unsigned len, struct net_pkt *p)
{
	uint16_t type;

	memset(p, 0, sizeof(*p));
	if (len < 14)
		return;
	type = net_get16(f + 12);
	p->l3_off = 14;
	if (type == NET_VLAN_TPID && len >= 18) {
		p->vlan = true;
		p->tci = net_get16(f + 14);
		type = net_get16(f + 16);
		p->l3_off = 18;
	}
	if (type == 0x0800)
		parse_ip4(f, len, p);
	else if (type == 0x86DD)
		parse_ip6(f, len, p);
}

uint64_t net_sum(const uint8_t *p, size_t len, uint64_t acc)
{
	/* Any order of bytes does, as long as it is the same for all words. */
	while (len >= 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		acc += v;
		p += 4;
		len -= 4;
	}
	if (len) {
		uint32_t v = 0;

		memcpy(&v, p, len);
		acc += v;
	}
	return acc;
}

uint16_t net_fold(uint64_t acc)
{
	uint16_t v;
	uint8_t b[2];

	while (acc >> 16)
		acc = (acc & 0xFFFF) + (acc >> 16);
	v = (uint16_t)acc;
	memcpy(b, &v, 2);
	return net_get16(b);
}

uint64_t net_pseudo(const uint8_t *f, const struct net_pkt *p)
{
	const uint8_t proto[2] = { 0, p->proto };
	uint64_t acc = net_sum(proto, 2, 0);

	if (p->l3 == 4)
		return net_sum(f + p->l3_off + 12, 8, acc);
	return net_sum(f + p->l3_off + 8, 32, acc);
}

bool net_ip_ok(const uint8_t *f, const struct net_pkt *p)
{
	return net_fold(net_sum(f + p->l3_off, (f[p->l3_off] & 15u) * 4, 0)) == 0xFFFF;
}

bool net_l4_ok(const uint8_t *f, const struct net_pkt *p)
{
	unsigned len = p->end - p->l4_off;
	const uint8_t n[4] = { 0, 0, (uint8_t)(len >> 8), (uint8_t)len };

	return net_fold(net_sum(f + p->l4_off, len, net_sum(n, 4, net_pseudo(f, p)))) == 0xFFFF;
}

uint32_t net_crc32(const uint8_t *p, size_t len)
{
	uint32_t crc = UINT32_MAX;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return ~crc;
}

/* 32 bits of the key from bit @at on. */
static uint32_t key_bits(const uint8_t key[NET_KEY], unsigned at)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 5; i++)
		v = v << 8 | (at / 8 + i < NET_KEY ? key[at / 8 + i] : 0);
	return (uint32_t)(v >> (8 - at % 8));
}

void net_rss_key(struct net_rss *r, const uint8_t key[NET_KEY])
{
	for (unsigned i = 0; i < NET_TUPLE_MAX; i++)
		for (unsigned v = 0; v < 256; v++) {
			uint32_t h = 0;

			for (unsigned b = 0; b < 8; b++)
				if (v & 0x80u >> b)
					h ^= key_bits(key, i * 8 + b);
			r->t[i][v] = h;
		}
}

unsigned net_tuple(const uint8_t *f, const struct net_pkt *p, bool ports, uint8_t *out)
{
	unsigned n = p->l3 == 4 ? 8 : 32;

	memcpy(out, f + p->l3_off + (p->l3 == 4 ? 12 : 8), n);
	if (!ports)
		return n;
	memcpy(out + n, f + p->l4_off, 4);
	return n + 4;
}
