/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost: port and a front end of random numbers: messages, rings, packets' headers and memory for
 * descriptors in flight. Nothing may be read or written that is not there, lost or leaked.
 */
#include "vhost_peer.h"

#define REGION 8192u

/* Random bytes as messages, with fds or without. */
static void test_message_fuzz(void **state)
{
	uint64_t seed = 88172645463325252ull;
	unsigned before, rounds = UNIT_SLOW ? 1000 : 6000;
	struct peer p;

	(void)state;
	peer_begin(&p, true);
	p.protocol |= VHOST_PROTOCOL_F_INFLIGHT;
	p.more = VIRTIO_F_EVENT_IDX | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM;
	before = unit_fds();
	for (unsigned i = 0; i < rounds; i++) {
		struct vhost_msg m;
		int fd = unit_random(&seed) % 2 ? p.memfd : p.kick[0];

		for (unsigned k = 0; k < sizeof(m.bytes); k++)
			m.bytes[k] = unit_random(&seed) % 4 ? 0 : (uint8_t)unit_random(&seed);
		m.req = (uint32_t)(unit_random(&seed) % 44);
		m.flags = VHOST_MSG_VERSION | (unit_random(&seed) % 2 ? VHOST_MSG_NEED_REPLY : 0);
		m.size = (uint32_t)(unit_random(&seed) % (sizeof(m.bytes) + 1));
		if (vhost_send(p.sock, &m, &fd, unit_random(&seed) % 2, weir_deadline_us(100000)) ||
		    unit_random(&seed) % 8 == 0)
			service(&p);
		if (is_closed(&p)) {
			close(p.sock);
			peer_connect(&p);
			if (unit_random(&seed) % 2)
				peer_up(&p);
		}
	}
	close(p.sock);
	service(&p);
	service(&p);
	assert_in_range(unit_fds(), before - 2, before);
	peer_connect(&p);
	peer_up(&p);
	peer_end(&p);
}

/* What a ring fuzz does besides: bits of its round. */
enum { PACKED = 1, FEATURES = 2, NOTED = 4, WAYS = 8 };

static char *fuzz_begin(struct peer *p, unsigned way)
{
	struct weir_port_conf c = { .n_rxq = 1, .n_txq = 1, .mtu = 9000 };
	char *region;

	c.offloads = WEIR_OFF_RX_JUMBO;
	if (way & FEATURES)
		c.offloads |= WEIR_OFF_RX_CSUM | WEIR_OFF_TX_CSUM |
			      (way & NOTED ? WEIR_OFF_RX_PARTIAL : 0);
	env_begin(&p->e);
	env_back(&p->e, "", &c);
	peer_make(p, way & PACKED);
	peer_connect(p);
	if (way & FEATURES)
		p->more = VIRTIO_F_EVENT_IDX | VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM;
	if (!(way & NOTED))
		return NULL;
	p->protocol |= VHOST_PROTOCOL_F_INFLIGHT;
	p->inflight = (struct vhost_inflight){ .mmap_size = REGION, .queues = 2, .size = RINGSIZE };
	p->inflight_fd = memfd_create("inflight", MFD_CLOEXEC);
	assert_true(p->inflight_fd >= 0);
	assert_int_equal(ftruncate(p->inflight_fd, REGION), 0);
	region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, p->inflight_fd, 0);
	assert_true(region != MAP_FAILED);
	return region;
}

/* A descriptor somewhere, in the ring or in a table, and somewhere in the available ring. */
static void scribble(struct peer *p, uint64_t *seed)
{
	char *ring = p->mem + AT_RING(unit_random(seed) % 2);
	struct virtq_avail *a = (void *)(ring + AT_AVAIL);
	unsigned at = unit_random(seed) % RINGSIZE;
	struct d d = {
		.addr = unit_random(seed) % 8 ? DATA + unit_random(seed) % 4096 : unit_random(seed),
		.len = (uint32_t)(unit_random(seed) % 8 ? unit_random(seed) % 3000
							: unit_random(seed)),
		.flags = (uint16_t)(unit_random(seed) % 8),
		.next = (uint16_t)(unit_random(seed) % (RINGSIZE + 2)),
	};

	put_desc(p, ring + at * 16, &d,
		 (uint16_t)(unit_random(seed) % 4 ? PVIRTQ_DESC_F_AVAIL
						  : unit_random(seed) & 0x8080));
	put_desc(p, p->mem + AT_DATA + unit_random(seed) % 256 * 16, &d, 0);
	/* Headers, most of them with a checksum to be finished somewhere. */
	p->mem[AT_DATA + unit_random(seed) % 4096] = (char)(unit_random(seed) % 4);
	if (p->packed)
		return;
	a->ring[unit_random(seed) % (RINGSIZE + 1)] = weir_le16(d.next);
	a->idx = weir_le16((uint16_t)(weir_from_le16(a->idx) + unit_random(seed) % 3));
}

static void exchange(struct peer *p, uint64_t *seed, unsigned i)
{
	struct weir_pkt got[32];
	unsigned n = weir_rx(p->e.be.port->rxq[0], got, 32);

	weir_pkt_free(p->e.be.cache, got, n);
	env_packet(&p->e.be, got, 1, 60 + i % 1900, i);
	if (unit_random(seed) % 2) {
		got[0].flags =
			(uint16_t)(unit_random(seed) & WEIR_PKT_TX_OFFLOAD & ~WEIR_PKT_TX_TSO);
		got[0].txo.l2_len = (uint8_t)unit_random(seed);
		got[0].txo.l3_len = (uint8_t)unit_random(seed);
	}
	if (!weir_tx_post(p->e.be.port->txq[0], got, 1))
		weir_pkt_free(p->e.be.cache, got, 1);
}

static void again(struct peer *p, char *region, uint64_t *seed)
{
	memset(p->mem + AT_RING(unit_random(seed) % 2), 0, AT_USED + 4096);
	if (region && unit_random(seed) % 4)
		memset(region, 0, REGION);
	close(p->sock);
	service(p);
	peer_connect(p);
	peer_attach(p);
	service(p);
	assert_false(is_closed(p));
}

/* Rings of random bytes, made to look plausible now and then. */
static void test_ring_fuzz(void **state)
{
	unsigned rounds = UNIT_SLOW ? 8000 : 80000;
	uint64_t seed = 2463534242ull;
	struct peer p;

	(void)state;
	for (unsigned way = 0; way < WAYS; way++) {
		char *region = fuzz_begin(&p, way);
		uint64_t taken = 0;

		peer_up(&p);
		for (unsigned i = 0; i < rounds; i++) {
			scribble(&p, &seed);
			if (region && unit_random(&seed) % 16 == 0)
				region[unit_random(&seed) % REGION] =
					(char)(unit_random(&seed) % (RINGSIZE + 2));
			exchange(&p, &seed, i);
			if (i % 256 == 0)
				again(&p, region, &seed);
		}
		taken = p.e.be.port->rxq[0]->stats.packets;
		assert_true(taken > rounds / 800);
		if (region)
			munmap(region, REGION);
		peer_end(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_fuzz),
		cmocka_unit_test(test_ring_fuzz),
	};

	return cmocka_run_group_tests_name("vhost_fuzz", tests, NULL, NULL);
}
