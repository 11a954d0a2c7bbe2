/* SPDX-License-Identifier: BSD-3-Clause */
#include "checker.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define COMPLAINTS 10 /* the first few faults are described, the rest are counted */

void checker_init(struct checker *c, const struct pcapfile *sent, enum order order)
{
	*c = (struct checker){ .sent = sent, .order = order, .rounds = 1 };
	c->seen = calloc(sent->count + 1, sizeof(*c->seen));
	c->next = calloc(TRAILER_FLOWS, sizeof(*c->next));
	if (!c->seen || !c->next)
		die("no memory to check %zu frames", sent->count);
}

void checker_free(struct checker *c)
{
	free(c->seen);
	free(c->next);
}

static bool complain(struct checker *c)
{
	return !c->quiet && c->shown++ < COMPLAINTS;
}

static const uint8_t *find(const uint8_t *data, uint32_t len, const char *magic, size_t magic_len)
{
	return memmem(data, len, magic, magic_len);
}

static uint32_t order_class(const struct checker *c, const uint8_t *data, uint32_t flow)
{
	unsigned int type = data[12] << 8 | data[13];

	if (c->order == ORDER_FLOW)
		return flow % TRAILER_FLOWS;
	if (c->order == ORDER_TOTAL)
		return 0;
	switch (type) {
	case 0x0800:
	case 0x0806:
	case 0x86dd:
		return 1;
	case 0x8100:
		return 2;
	case 0x88a8:
		return 3;
	default:
		return 4;
	}
}

static void show_difference(const struct pcap_frame *want, const uint8_t *data, uint32_t len,
			    uint32_t seq)
{
	uint32_t i = 0, both = len < want->len ? len : want->len;

	while (i < both && data[i] == want->data[i])
		i++;
	printf("# frame %u: sent %u bytes, got %u; first difference at byte %u", seq, want->len,
	       len, i);
	if (i < both)
		printf(" (sent %02x, got %02x)", want->data[i], data[i]);
	putchar('\n');
}

static void check_order(struct checker *c, const uint8_t *data, uint32_t seq, uint32_t flow)
{
	uint64_t *next = &c->next[order_class(c, data, flow)];
	uint64_t at = (uint64_t)(c->seen[seq] - 1) * c->sent->count + seq;

	if (at >= *next) {
		*next = at + 1;
		return;
	}
	c->reordered++;
	if (complain(c))
		printf("# frame %u (flow %u, type %02x%02x) came after frame %llu\n", seq, flow,
		       data[12], data[13], (unsigned long long)((*next - 1) % c->sent->count));
}

bool checker_add(struct checker *c, const uint8_t *data, uint32_t len)
{
	const uint8_t *at = find(data, len, TRAILER_MAGIC, sizeof(TRAILER_MAGIC) - 1);
	const struct pcap_frame *want;
	struct trailer t;
	uint32_t seq;

	if (!at || (size_t)(data + len - at) < sizeof(t)) {
		c->foreign++;
		return false;
	}
	memcpy(&t, at, sizeof(t));
	seq = ntohl(t.seq);
	if (seq >= c->sent->count) {
		c->corrupted++;
		return false;
	}
	want = &c->sent->frames[seq];
	if (c->seen[seq] == c->rounds) {
		c->duplicated++;
		if (complain(c))
			printf("# frame %u came again\n", seq);
		return false;
	}
	c->seen[seq]++;
	c->received++;
	if (len != want->len || memcmp(data, want->data, len)) {
		c->corrupted++;
		if (complain(c))
			show_difference(want, data, len, seq);
	}
	check_order(c, data, seq, ntohl(t.flow));
	return true;
}

int checker_report(const struct checker *c, const char *name, size_t sent)
{
	uint64_t lost = 0;
	size_t i;

	for (i = 0; i < sent; i++) {
		if (c->seen[i] == c->rounds)
			continue;
		if (!c->quiet && lost < COMPLAINTS)
			printf("# frame %zu (%u bytes) was lost\n", i, c->sent->frames[i].len);
		lost += c->rounds - c->seen[i];
	}
	printf("%s: sent %zu received %llu lost %llu duplicated %llu corrupted %llu reordered %llu"
	       " foreign %llu\n",
	       name, sent * c->rounds, (unsigned long long)c->received, (unsigned long long)lost,
	       (unsigned long long)c->duplicated, (unsigned long long)c->corrupted,
	       (unsigned long long)c->reordered, (unsigned long long)c->foreign);
	return lost || c->duplicated || c->corrupted || c->reordered;
}
