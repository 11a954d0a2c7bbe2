/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost: port and a hostile front end: messages that break the protocol, memory that is not what
 * it seems, and rings full of nonsense. Whatever it does, the port goes on serving the next one.
 */
#include "vhost_peer.h"

#include <fcntl.h>
#include <signal.h>

/* --- messages --- */

static void expect_end(struct peer *p, const char *what)
{
	service(p);
	if (!is_closed(p))
		fail_msg("%s did not end the connection", what);
	assert_false(linked(p));
	assert_said("vhost-protocol");
	close(p->sock);
	peer_connect(p);
	peer_up(p);
}

static void test_bad_messages(void **state)
{
	static const struct {
		const char *what;
		uint32_t req, flags, size;
		uint64_t body[2];
		unsigned fds;
	} bad[] = {
		{ "an unknown version", VHOST_USER_SET_OWNER, 2, 0, { 0 }, 0 },
		{ "a huge payload", VHOST_USER_SET_FEATURES, 1, 0xffffffff, { 0 }, 0 },
		{ "a payload one too long", VHOST_USER_SET_FEATURES, 1, 269, { 0 }, 0 },
		{ "features not offered", VHOST_USER_SET_FEATURES, 1, 8, { 4 }, 0 },
		{ "protocol features not offered",
		  VHOST_USER_SET_PROTOCOL_FEATURES,
		  1,
		  8,
		  { 1ull << 63 },
		  0 },
		{ "a short number", VHOST_USER_SET_FEATURES, 1, 4, { 0 }, 0 },
		{ "ring 2 of 2", VHOST_USER_SET_VRING_BASE, 1, 8, { 2 }, 0 },
		{ "ring 2^32 - 1", VHOST_USER_SET_VRING_BASE, 1, 8, { 0xffffffff }, 0 },
		{ "a ring of 0", VHOST_USER_SET_VRING_NUM, 1, 8, { 0 }, 0 },
		{ "a ring of 65536", VHOST_USER_SET_VRING_NUM, 1, 8, { 65536ull << 32 }, 0 },
		{ "the size of a live ring", VHOST_USER_SET_VRING_NUM, 1, 8, { 32ull << 32 }, 0 },
		{ "the base of a live ring", VHOST_USER_SET_VRING_BASE, 1, 8, { 1ull << 32 }, 0 },
		{ "enabled twice as much", VHOST_USER_SET_VRING_ENABLE, 1, 8, { 2ull << 32 }, 0 },
		{ "a kick without fd", VHOST_USER_SET_VRING_KICK, 1, 8, { 0 }, 0 },
		{ "no kick with fd", VHOST_USER_SET_VRING_KICK, 1, 8, { 0x100 }, 1 },
		{ "kicks by the dozen", VHOST_USER_SET_VRING_KICK, 1, 8, { 0 }, 8 },
		{ "a kick that is a file", VHOST_USER_SET_VRING_KICK, 1, 8, { 0 }, 1 },
		{ "a call that is a file", VHOST_USER_SET_VRING_CALL, 1, 8, { 1 }, 1 },
		{ "a ring's base without ring", VHOST_USER_GET_VRING_BASE, 1, 8, { 77 }, 0 },
		{ "a short area", VHOST_USER_SET_VRING_ADDR, 1, 16, { 0 }, 0 },
		{ "a short memory table", VHOST_USER_SET_MEM_TABLE, 1, 4, { 1 }, 1 },
		{ "regions that are not there", VHOST_USER_SET_MEM_TABLE, 1, 16, { 8 }, 8 },
		{ "no region", VHOST_USER_SET_MEM_TABLE, 1, 8, { 0 }, 0 },
		{ "2^32 - 1 regions", VHOST_USER_SET_MEM_TABLE, 1, 16, { 0xffffffff }, 1 },
	};
	struct peer p;
	int fds[VHOST_MAX_FDS];
	unsigned before;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	for (unsigned i = 0; i < VHOST_MAX_FDS; i++)
		fds[i] = p.memfd;
	before = unit_fds();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		struct vhost_msg m = { .req = bad[i].req, .flags = bad[i].flags };

		m.size = bad[i].size <= 16 ? bad[i].size : 0;
		memcpy(m.bytes, bad[i].body, 16);
		if (bad[i].size > 16) {
			m.size = bad[i].size;
			assert_int_equal(send(p.sock, &m, sizeof(m), MSG_DONTWAIT), sizeof(m));
		} else {
			send_fds(&p, &m, fds, bad[i].fds);
		}
		expect_end(&p, bad[i].what);
		/* Nothing of what came along is left open. */
		assert_int_equal(unit_fds(), before);
	}
	peer_end(&p);
}

/* With NEED_REPLY a refusal is an answer, and the connection goes on. */
static void test_refusals(void **state)
{
	struct vhost_msg m = { .req = VHOST_USER_SET_VRING_NUM,
			       .flags = VHOST_MSG_VERSION | VHOST_MSG_NEED_REPLY,
			       .size = 8,
			       .num = { .index = 9, .num = 64 } };
	struct vhost_fds fds;
	struct vhost_msg r;
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	for (unsigned i = 0; i < 3; i++) {
		send_fds(&p, &m, NULL, 0);
		service(&p);
		assert_int_equal(vhost_recv(p.sock, &r, &fds, weir_deadline_us(1000000)), 0);
		assert_int_equal(r.req, m.req);
		assert_true(r.flags & VHOST_MSG_REPLY);
		assert_int_equal(r.u64, 1);
		m.req = i ? VHOST_USER_SET_LOG_BASE : 200;
	}
	assert_said("vhost-no-log");
	assert_true(linked(&p));
	peer_end(&p);
}

/* Regions that cannot be mapped, or whose files are too short. */
static void test_bad_memory(void **state)
{
	static const struct vhost_region bad[] = {
		{ GUEST, 0, USER, 0 },
		{ GUEST, MEM_SIZE + 1, USER, 0 },
		{ GUEST, MEM_SIZE, USER, 4096 },
		{ GUEST, 4096, USER, MEM_SIZE },
		{ GUEST, UINT64_MAX, USER, 0 },
		{ GUEST, 4096, USER, UINT64_MAX - 4095 },
		{ UINT64_MAX - 100, 4096, USER, 0 },
		{ GUEST, 4096, UINT64_MAX - 100, 0 },
	};
	struct peer p;
	unsigned maps;

	(void)state;
	peer_begin(&p, true);
	maps = unit_maps();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		struct vhost_msg m = { .req = VHOST_USER_SET_MEM_TABLE,
				       .flags = VHOST_MSG_VERSION,
				       .size = 8 + sizeof(bad[0]),
				       .mem = { .n = 1, .region = { bad[i] } } };

		send_fds(&p, &m, &p.memfd, 1);
		service(&p);
		assert_true(is_closed(&p));
		assert_int_equal(unit_maps(), maps);
		close(p.sock);
		peer_connect(&p);
	}
	peer_up(&p);
	peer_end(&p);
}

/* Ring areas outside, across, or askew: the ring never becomes live. */
static void test_bad_areas(void **state)
{
	static const uint64_t at[] = {
		0,	  USER - 16,	  USER + MEM_SIZE / 2 - 16, USER + MEM_SIZE / 2,
		USER + 8, UINT64_MAX - 7,
	};
	struct peer p;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		peer_begin(&p, k);
		peer_up(&p);
		for (unsigned i = 0; i < WEIR_ARRAY_SIZE(at); i++) {
			put_area(&p, 0, at[i]);
			service(&p);
			assert_false(linked(&p));
			put_area(&p, 0, USER + AT_RING(0));
			service(&p);
			assert_true(linked(&p));
		}
		peer_end(&p);
	}
}

/* A message cut off, and bytes that trickle in. */
static void test_slow_and_short(void **state)
{
	struct vhost_msg m = { .req = VHOST_USER_SET_OWNER, .flags = VHOST_MSG_VERSION };
	struct vhost_msg get = { .req = VHOST_USER_GET_FEATURES, .flags = VHOST_MSG_VERSION };
	struct vhost_fds fds;
	struct peer p;
	uint64_t now;

	(void)state;
	peer_begin(&p, false);
	assert_int_equal(send(p.sock, &m, 7, 0), 7);
	/* The rest has its second, but nobody waits for it. */
	now = weir_now_ns();
	for (unsigned i = 0; i < 5; i++) {
		service(&p);
		assert_false(is_closed(&p));
	}
	assert_true(weir_now_ns() - now < 500000000);
	weir_sleep_us(1010000);
	service(&p);
	assert_true(is_closed(&p));
	close(p.sock);
	peer_connect(&p);
	/* One that comes byte by byte is a message like any other. */
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(send(p.sock, (char *)&get + i, 1, 0), 1);
		service(&p);
	}
	assert_int_equal(vhost_recv(p.sock, &get, &fds, weir_deadline_us(0)), 0);
	assert_int_equal(get.size, 8);
	assert_int_equal(send(p.sock, &m, 7, 0), 7);
	shutdown(p.sock, SHUT_WR);
	service(&p);
	assert_true(is_closed(&p));
	close(p.sock);
	peer_connect(&p);
	peer_up(&p);
	peer_end(&p);
}

/* One that asks and never listens: it is not waited for either. */
static void test_answers_not_taken(void **state)
{
	struct vhost_msg get = { .req = VHOST_USER_GET_FEATURES, .flags = VHOST_MSG_VERSION };
	uint64_t now = weir_now_ns();
	struct peer p;
	unsigned i;

	(void)state;
	peer_begin(&p, false);
	for (i = 0; i < 1000000 && !strstr(p.e.be.ids, "vhost-gone"); i++) {
		while (send(p.sock, &get, VHOST_HDR_LEN, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
			;
		service(&p);
	}
	assert_non_null(strstr(p.e.be.ids, "vhost-gone"));
	assert_true(weir_now_ns() - now < 900000000ull * (UNIT_SLOW ? 10 : 1));
	peer_end(&p);
}

/* A wish for replies that was not agreed on does not turn what is wrong into an answer. */
static void test_reply_not_agreed(void **state)
{
	struct vhost_msg m = { .req = VHOST_USER_SET_VRING_NUM,
			       .flags = VHOST_MSG_VERSION | VHOST_MSG_NEED_REPLY,
			       .size = 8,
			       .num = { .index = 9, .num = 64 } };
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	p.protocol = VHOST_PROTOCOL_F_MQ;
	peer_up(&p);
	send_fds(&p, &m, NULL, 0);
	service(&p);
	assert_true(is_closed(&p));
	assert_said("vhost-protocol");
	peer_end(&p);
}

/* --- eventfds and memory that are changed behind our back --- */

static void *receive_one(void *arg)
{
	struct peer *p = arg;
	struct weir_pkt got[4];
	unsigned n = weir_rx(p->e.be.port->rxq[0], got, 4);

	weir_pkt_free(p->e.be.cache, got, n);
	return NULL;
}

/* Calls that would block: the worker hangs until the control path looks, and no longer. */
static void test_full_eventfd(void **state)
{
	struct weir_deadline end = weir_deadline_us(5000000);
	struct peer p;
	pthread_t t;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	offer(&p, 1, &(struct d){ DATA, 100, 0, 0 }, 1);
	assert_int_equal(fcntl(p.call[1], F_SETFL, O_RDWR), 0);
	assert_int_equal(eventfd_write(p.call[1], UINT64_MAX - 1), 0);
	assert_int_equal(pthread_create(&t, NULL, receive_one, &p), 0);
	while (!given_back(&p, 1))
		assert_false(weir_deadline_passed(end));
	weir_sleep_us(20000);
	service(&p);
	pthread_join(t, NULL);
	assert_said("vhost-protocol");
	assert_true(is_closed(&p));
	peer_end(&p);
}

/* A kick that is not there is not waited for. */
static void test_blocking_kick(void **state)
{
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	assert_int_equal(fcntl(p.kick[1], F_SETFL, O_RDWR), 0);
	alarm(20);
	assert_int_equal(weir_port_rx_intr_disarm(p.e.be.port, 0), 0);
	alarm(0);
	peer_end(&p);
}

static struct weir_iommu *faulting;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (!weir_iommu_bus_fault(faulting, info->si_addr))
		signal(sig, SIG_DFL);
}

/* Memory that is cut short ends the connection, where the application catches the fault. */
static void test_memory_vanishes(void **state)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO }, old;
	struct weir_pkt got[4];
	struct peer p;

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		/* Packed or not; the data, or all of it. */
		peer_begin(&p, k & 1);
		peer_up(&p);
		offer(&p, 1, &(struct d){ DATA, 100, 0, 0 }, 1);
		faulting = p.e.be.iommu;
		sigaction(SIGBUS, &sa, &old);
		assert_int_equal(ftruncate(p.memfd, k & 2 ? 0 : AT_DATA), 0);
		weir_pkt_free(p.e.be.cache, got, weir_rx(p.e.be.port->rxq[0], got, 4));
		service(&p);
		assert_true(is_closed(&p));
		assert_said("vhost-memory");
		assert_int_equal(ftruncate(p.memfd, MEM_SIZE), 0);
		close(p.sock);
		peer_connect(&p);
		peer_up(&p);
		offer(&p, 1, &(struct d){ DATA, 100, 0, 0 }, 1);
		assert_int_equal(weir_rx(p.e.be.port->rxq[0], got, 4), 1);
		weir_pkt_free(p.e.be.cache, got, 1);
		sigaction(SIGBUS, &old, NULL);
		peer_end(&p);
	}
}

/* --- rings --- */

/* Ring 0 anew, elsewhere and with @n descriptors, all of them zero. */
static void put_big_ring(struct peer *p, unsigned n)
{
	struct vhost_vring_num get = { 0 };

	post(p, VHOST_USER_GET_VRING_BASE, &get, sizeof(get), -1);
	putnum(p, VHOST_USER_SET_VRING_NUM, 0, n);
	putnum(p, VHOST_USER_SET_VRING_BASE, 0, 0);
	put_area(p, 0, USER + AT_TABLE);
	put64(p, VHOST_USER_SET_VRING_CALL, 0, p->call[0]);
	put64(p, VHOST_USER_SET_VRING_KICK, 0, p->kick[0]);
	service(p);
	assert_true(linked(p));
}

/* One chain each in the ring that the guest sends on. What is to become of it: */
enum fate { TAKEN, DROPPED, BROKEN };

/* No table: its fields are left out. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct {
	const char *what;
	enum fate split, packed;
	struct d d[4], t[4];
} chains[] = {
	{ "a packet", TAKEN, TAKEN, { { DATA, 112, 0, 0 } } },
	{ "header and data apart",
	  TAKEN,
	  TAKEN,
	  { { DATA, 12, NEXT, 1 }, { DATA + 99, 60, 0, 0 } } },
	{ "a header in two pieces", TAKEN, TAKEN, { { DATA, 5, NEXT, 1 }, { DATA, 100, 0, 0 } } },
	{ "an empty piece", TAKEN, TAKEN, { { DATA, 0, NEXT, 1 }, { DATA, 100, 0, 0 } } },
	{ "across the border of regions",
	  TAKEN,
	  TAKEN,
	  { { GUEST + MEM_SIZE / 2 - 50, 100, 0, 0 } } },
	{ "the last byte", TAKEN, TAKEN, { { GUEST + MEM_SIZE - 100, 100, 0, 0 } } },
	{ "one past it", DROPPED, DROPPED, { { GUEST + MEM_SIZE - 99, 100, 0, 0 } } },
	{ "before memory", DROPPED, DROPPED, { { GUEST - 1, 100, 0, 0 } } },
	{ "a user address", DROPPED, DROPPED, { { USER, 100, 0, 0 } } },
	{ "address 2^64 - 50", DROPPED, DROPPED, { { UINT64_MAX - 49, 100, 0, 0 } } },
	{ "nothing", DROPPED, DROPPED, { { DATA, 0, 0, 0 } } },
	{ "too short for a frame", DROPPED, DROPPED, { { DATA, 25, 0, 0 } } },
	{ "4 GiB", DROPPED, DROPPED, { { DATA, UINT32_MAX, 0, 0 } } },
	{ "a sum that wraps",
	  DROPPED,
	  DROPPED,
	  { { DATA, 100, NEXT, 1 }, { DATA, UINT32_MAX - 50, 0, 0 } } },
	{ "more than a buffer", DROPPED, DROPPED, { { DATA, 2048 + 13, 0, 0 } } },
	{ "for us to write", DROPPED, DROPPED, { { DATA, 100, WRITE, 0 } } },
	{ "some of each", DROPPED, DROPPED, { { DATA, 100, NEXT, 1 }, { DATA, 100, WRITE, 0 } } },
	{ "a circle", BROKEN, TAKEN, { { DATA, 100, NEXT, 0 } } },
	{ "a next that is nowhere", BROKEN, TAKEN, { { DATA, 100, NEXT, RINGSIZE } } },
	{ "a table",
	  TAKEN,
	  TAKEN,
	  { { TABLE, 32, IND, 0 } },
	  { { DATA, 12, NEXT, 1 }, { DATA, 60, 0, 0 } } },
	{ "a table of 17 bytes", DROPPED, DROPPED, { { TABLE, 17, IND, 0 } } },
	{ "a table of nothing", DROPPED, DROPPED, { { TABLE, 0, IND, 0 } } },
	{ "a table outside", DROPPED, DROPPED, { { GUEST - 32, 32, IND, 0 } } },
	{ "a table across regions",
	  DROPPED,
	  DROPPED,
	  { { GUEST + MEM_SIZE / 2 - 16, 32, IND, 0 } } },
	{ "a table askew",
	  DROPPED,
	  DROPPED,
	  { { TABLE + 4, 32, IND, 0 } },
	  { { DATA, 60, 0, 0 } } },
	{ "a huge table", DROPPED, DROPPED, { { TABLE, 0x10000, IND, 0 } } },
	{ "a table of tables",
	  DROPPED,
	  DROPPED,
	  { { TABLE, 16, IND, 0 } },
	  { { TABLE, 16, IND, 0 } } },
	{ "a table and more",
	  DROPPED,
	  DROPPED,
	  { { TABLE, 16, IND | NEXT, 1 }, { DATA, 60, 0, 0 } },
	  { { DATA, 60, 0, 0 } } },
	{ "a table's circle",
	  DROPPED,
	  TAKEN,
	  { { TABLE, 32, IND, 0 } },
	  { { DATA, 40, NEXT, 1 }, { DATA, 60, NEXT, 0 } } },
	{ "a table's next that is nowhere",
	  DROPPED,
	  TAKEN,
	  { { TABLE, 32, IND, 0 } },
	  { { DATA, 40, NEXT, 2 }, { DATA, 60, 0, 0 } } },
};

/* A packed chain that never ends reads on into what is not there: available by its flags or not. */
static unsigned descs_of(unsigned i)
{
	unsigned n = 1;

	while (n < 4 && chains[i].d[n].addr)
		n++;
	return n;
}

static void check_fate(struct peer *p, unsigned i, enum fate want)
{
	struct weir_rxq *q = p->e.be.port->rxq[0];
	uint64_t bad = q->stats.drops[WEIR_DROP_BAD_LEN], broken = q->stats.drops[WEIR_DROP_BAD_ID];
	struct weir_pkt got[4];
	unsigned n = weir_rx(q, got, 4);

	weir_pkt_free(p->e.be.cache, got, n);
	if (n != (want == TAKEN))
		fail_msg("%s: %u packets", chains[i].what, n);
	if (q->stats.drops[WEIR_DROP_BAD_LEN] - bad != (want == DROPPED))
		fail_msg("%s: not dropped as it should be", chains[i].what);
	if (q->stats.drops[WEIR_DROP_BAD_ID] - broken != (want == BROKEN))
		fail_msg("%s: whether the ring is broken", chains[i].what);
	if (given_back(p, 1) != (want != BROKEN))
		fail_msg("%s: given back or not", chains[i].what);
}

static void test_chains(void **state)
{
	struct peer p;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		peer_begin(&p, k);
		for (unsigned i = 0; i < WEIR_ARRAY_SIZE(chains); i++) {
			peer_up(&p);
			for (unsigned j = 0; j < 4; j++)
				put_desc(&p, p.mem + AT_TABLE + j * 16, &chains[i].t[j], 0);
			offer(&p, 1, chains[i].d, descs_of(i));
			check_fate(&p, i, k ? chains[i].packed : chains[i].split);
			/* The next connection starts from nothing. */
			close(p.sock);
			service(&p);
			peer_connect(&p);
		}
		peer_up(&p);
		peer_end(&p);
	}
}

/* Where the index of the available ring cannot be, or names no descriptor. */
static void test_bad_index(void **state)
{
	static const struct {
		uint16_t idx, head;
	} bad[] = { { RINGSIZE + 1, 0 }, { 0xffff, 0 }, { 1, RINGSIZE }, { 1, 0xffff } };
	struct weir_pkt got[4];
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		struct virtq_avail *a = (void *)(p.mem + AT_RING(1) + AT_AVAIL);

		peer_up(&p);
		a->ring[0] = weir_le16(bad[i].head);
		a->idx = weir_le16(bad[i].idx);
		assert_int_equal(weir_rx(p.e.be.port->rxq[0], got, 4), 0);
		assert_said("vhost-bad-ring");
		/* Set up again, it is used again. */
		a->idx = weir_le16(0);
		put_area(&p, 1, USER + AT_RING(1));
		service(&p);
		offer(&p, 1, chains[0].d, 1);
		assert_int_equal(weir_rx(p.e.be.port->rxq[0], got, 4), 1);
		weir_pkt_free(p.e.be.cache, got, 1);
		close(p.sock);
		service(&p);
		peer_connect(&p);
	}
	peer_end(&p);
}

/* A ring that is left alone is no link. */
static void test_broken_ring_is_down(void **state)
{
	struct weir_pkt pkt;
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	((struct virtq_avail *)(void *)(p.mem + AT_RING(0) + AT_AVAIL))->idx = weir_le16(0xffff);
	env_packet(&p.e.be, &pkt, 1, 100, 0);
	assert_int_equal(weir_tx_post(p.e.be.port->txq[0], &pkt, 1), 0);
	weir_pkt_free(p.e.be.cache, &pkt, 1);
	service(&p);
	assert_said("vhost-bad-ring");
	assert_false(linked(&p));
	peer_end(&p);
}

/* What reaches past a buffer is not sent. */
static void test_packet_past_buffer(void **state)
{
	struct weir_pkt pkt;
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	offer(&p, 0, &(struct d){ DATA, 4000, WRITE, 0 }, 1);
	env_packet(&p.e.be, &pkt, 1, 100, 0);
	pkt.off = WEIR_BUF_SIZE - 99;
	assert_int_equal(weir_tx_post(p.e.be.port->txq[0], &pkt, 1), 1);
	assert_int_equal(p.e.be.port->txq[0]->stats.drops[WEIR_DROP_TX_INVALID], 1);
	assert_false(given_back(&p, 0));
	peer_end(&p);
}

/* Buffers for us to write that are none: the packet is dropped or waits, memory stays as it was. */
static void test_bad_receive_buffers(void **state)
{
	static const struct d bad[] = {
		{ DATA, 2000, 0, 0 }, /* not for us to write */
		{ GUEST - 100, 2000, WRITE, 0 },
		{ GUEST + MEM_SIZE - 100, 2000, WRITE, 0 },
		{ DATA, 11, WRITE, 0 }, /* no room for a header */
		{ DATA, 0, WRITE, 0 },
		{ UINT64_MAX - 100, 2000, WRITE, 0 },
	};
	struct weir_pkt pkt;
	struct peer p;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		peer_begin(&p, k);
		for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
			struct weir_txq *q = p.e.be.port->txq[0];
			uint64_t before = q->stats.drops[WEIR_DROP_BAD_LEN];

			peer_up(&p);
			offer(&p, 0, &bad[i], 1);
			env_packet(&p.e.be, &pkt, 1, 100, i);
			assert_int_equal(weir_tx_post(q, &pkt, 1), 0);
			weir_pkt_free(p.e.be.cache, &pkt, 1);
			assert_int_equal(q->stats.drops[WEIR_DROP_BAD_LEN] - before, 1);
			assert_true(given_back(&p, 0));
			close(p.sock);
			service(&p);
			peer_connect(&p);
		}
		peer_end(&p);
	}
}

/* A packet's second buffer is none: the packet is dropped, and both go back, none is lost. */
static void test_bad_second_buffer(void **state)
{
	static const struct d two[] = { { DATA, 64, WRITE, 0 }, { UINT64_MAX, 64, WRITE, 1 } };
	struct virtq_avail *a;
	struct virtq_used *u;
	struct weir_pkt pkt;
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	a = (void *)(p.mem + AT_RING(0) + AT_AVAIL);
	u = (void *)(p.mem + AT_RING(0) + AT_USED);
	offer(&p, 0, two, 2);
	a->ring[1] = weir_le16(1);
	a->idx = weir_le16(2);
	env_packet(&p.e.be, &pkt, 1, 100, 0);
	assert_int_equal(weir_tx_post(p.e.be.port->txq[0], &pkt, 1), 1);
	assert_int_equal(weir_from_le16(u->idx), 2);
	assert_int_equal(weir_from_le32(u->ring[1].id), 1);
	peer_end(&p);
}

/*
 * Many at once: a guest that adds more as fast as they are given back must not keep the worker, so
 * one call takes a burst of them and no more.
 */
static void test_flood_of_bad_buffers(void **state)
{
	const unsigned n = 1024;
	struct virtq_avail *a;
	struct virtq_used *u;
	struct weir_txq *q;
	struct weir_pkt pkt;
	struct peer p;

	(void)state;
	peer_begin(&p, false);
	peer_up(&p);
	put_big_ring(&p, n);
	q = p.e.be.port->txq[0];
	a = (void *)(p.mem + AT_TABLE + AT_AVAIL);
	u = (void *)(p.mem + AT_TABLE + AT_USED);
	a->idx = weir_le16((uint16_t)n);
	for (unsigned call = 1; call <= 2; call++) {
		env_packet(&p.e.be, &pkt, 1, 100, 0);
		assert_int_equal(weir_tx_post(q, &pkt, 1), 0);
		weir_pkt_free(p.e.be.cache, &pkt, 1);
		assert_int_equal(weir_from_le16(u->idx), 64 * call);
		assert_int_equal(q->stats.drops[WEIR_DROP_BAD_LEN], 64 * call);
	}
	peer_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_messages),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_bad_memory),
		cmocka_unit_test(test_bad_areas),
		cmocka_unit_test(test_slow_and_short),
		cmocka_unit_test(test_answers_not_taken),
		cmocka_unit_test(test_reply_not_agreed),
		cmocka_unit_test(test_full_eventfd),
		cmocka_unit_test(test_blocking_kick),
		cmocka_unit_test(test_memory_vanishes),
		cmocka_unit_test(test_broken_ring_is_down),
		cmocka_unit_test(test_packet_past_buffer),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_bad_index),
		cmocka_unit_test(test_bad_receive_buffers),
		cmocka_unit_test(test_bad_second_buffer),
		cmocka_unit_test(test_flood_of_bad_buffers),
	};

	return cmocka_run_group_tests_name("vhost_bad", tests, NULL, NULL);
}
