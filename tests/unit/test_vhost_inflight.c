/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors in flight: what a vhost: port notes in the memory that its front end keeps, what it
 * makes of that of another back end, and that it loses none when it is killed in full traffic.
 */
#include "vhost_peer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define REGION 8192u

/* Memory for descriptors in flight, as a front end gets it: filled by the back end, then mapped. */
static char *ask_for_region(struct peer *p)
{
	struct vhost_inflight d = { .queues = 2, .size = RINGSIZE };
	struct vhost_fds fds;
	struct vhost_msg m;
	char *at;

	put64(p, VHOST_USER_SET_PROTOCOL_FEATURES, p->protocol, -1);
	post(p, VHOST_USER_GET_INFLIGHT_FD, &d, sizeof(d), -1);
	if (p->e.be.port)
		service(p);
	assert_int_equal(vhost_recv(p->sock, &m, &fds, weir_deadline_us(5000000)), 0);
	assert_int_equal(m.req, VHOST_USER_GET_INFLIGHT_FD);
	assert_int_equal(m.size, sizeof(d));
	assert_int_equal(fds.n, 1);
	p->inflight = m.inflight;
	p->inflight_fd = vhost_fds_take(&fds, 0);
	assert_true(p->inflight.mmap_size >= 2 * vhost_inflight_stride(RINGSIZE, p->packed));
	at = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED, p->inflight_fd, 0);
	assert_true(at != MAP_FAILED);
	return at;
}

static void begin(struct peer *p, bool packed, char **region)
{
	peer_begin(p, packed);
	p->protocol |= VHOST_PROTOCOL_F_INFLIGHT;
	*region = ask_for_region(p);
}

static void end(struct peer *p, char *region)
{
	munmap(region, REGION);
	peer_end(p);
}

static struct vhost_split_region *split_of(char *region)
{
	return (void *)(region + vhost_inflight_stride(RINGSIZE, false));
}

static struct vhost_packed_region *packed_of(char *region)
{
	return (void *)(region + vhost_inflight_stride(RINGSIZE, true));
}

/* Packet @k of a test: header, then 60 bytes that begin with its number. */
#define PACKET 72u
static uint64_t put_data(struct peer *p, unsigned k)
{
	char *at = p->mem + AT_DATA + k * 256;

	memset(at, 0, PACKET);
	at[12] = (char)k;
	return DATA + k * 256;
}

/* What arrives, by number. */
static unsigned receive(struct peer *p, unsigned *seen, unsigned n)
{
	struct weir_pkt got[16];
	unsigned k = weir_rx(p->e.be.port->rxq[0], got, n);

	for (unsigned i = 0; i < k; i++)
		seen[i] = *weir_pkt_data(weir_window(p->e.be.w).base, &got[i]);
	weir_pkt_free(p->e.be.cache, got, k);
	return k;
}

static void expect(struct peer *p, const unsigned *want, unsigned n)
{
	unsigned seen[16], k = receive(p, seen, 16);

	assert_int_equal(k, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(seen[i], want[i]);
}

/* The fd is of memory that nobody can cut short; noted is what the document says. */
static void test_region(void **state)
{
	struct vhost_packed_region *pr;
	struct vhost_split_region *sr;
	struct d d = { .len = PACKET };
	struct peer p;
	char *region;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		begin(&p, k, &region);
		assert_int_not_equal(ftruncate(p.inflight_fd, 4096), 0);
		peer_up(&p);
		d.addr = put_data(&p, 7);
		offer(&p, 1, &d, 1);
		expect(&p, (unsigned[]){ 7 }, 1);
		sr = split_of(region);
		pr = packed_of(region);
		assert_int_equal(k ? pr->version : sr->version, 1);
		assert_int_equal(k ? pr->desc_num : sr->desc_num, RINGSIZE);
		assert_int_equal(k ? pr->used_idx : sr->used_idx, 1);
		if (k) {
			assert_int_equal(pr->old_used_idx, 1);
			assert_int_equal(pr->old_free_head, pr->free_head);
			assert_int_equal(pr->desc[0].addr, d.addr);
			assert_int_equal(pr->desc[0].num, 1);
		}
		assert_int_equal(k ? pr->desc[0].inflight : sr->desc[0].inflight, 0);
		end(&p, region);
	}
}

/* --- what another back end has left --- */

/* Six packets; 0 and 3 are back, 5 was never fetched, and 1, 4, 2 were fetched in this order. */
static void leave_split(struct peer *p, struct vhost_split_region *s, bool half)
{
	char *ring = p->mem + AT_RING(1);
	struct virtq_avail *a = (void *)(ring + AT_AVAIL);
	struct virtq_used *u = (void *)(ring + AT_USED);

	for (uint16_t i = 0; i < 6; i++) {
		struct d d = { put_data(p, i), PACKET, 0, 0 };

		put_desc(p, ring + i * 16, &d, 0);
		a->ring[(uint16_t)(65534 + i) % RINGSIZE] = weir_le16(i);
	}
	a->idx = weir_le16(4);
	u->idx = weir_le16(0);
	s->version = 1;
	s->desc_num = RINGSIZE;
	s->used_idx = half ? 65534 : 0;
	s->last_batch_head = 3;
	s->desc[3].next = 0;
	s->desc[3].inflight = s->desc[0].inflight = half;
	s->desc[1] = (struct vhost_split_state){ .inflight = 1, .counter = 11 };
	s->desc[2] = (struct vhost_split_state){ .inflight = 1, .counter = 13 };
	s->desc[4] = (struct vhost_split_state){ .inflight = 1, .counter = 12 };
}

static void test_resume_split(void **state)
{
	static const unsigned ids[] = { 1, 4, 2, 5 };
	struct vhost_split_region *s;
	struct virtq_used *u;
	eventfd_t n;
	struct peer p;
	char *region;

	(void)state;
	for (unsigned half = 0; half < 2; half++) {
		begin(&p, false, &region);
		s = split_of(region);
		u = (void *)(p.mem + AT_RING(1) + AT_USED);
		leave_split(&p, s, half);
		peer_attach(&p);
		service(&p);
		assert_true(linked(&p));
		/* Whoever was there may not have called. */
		assert_int_equal(eventfd_read(p.call[1], &n), 0);
		assert_int_equal(weir_port_rx_intr_arm(p.e.be.port, 0), 1);
		weir_port_rx_intr_disarm(p.e.be.port, 0);
		expect(&p, ids, 4);
		assert_int_equal(weir_from_le16(u->idx), 4);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(weir_from_le32(u->ring[i].id), ids[i]);
		assert_int_equal(s->used_idx, 4);
		for (unsigned i = 0; i < RINGSIZE; i++)
			assert_int_equal(s->desc[i].inflight, 0);
		assert_true(s->desc[5].counter > 13);
		end(&p, region);
	}
}

enum left { WHOLE, UNDONE, SHOWN };

/*
 * Two chains in flight, noted at 2 (two descriptors) and 0, fetched in this order; the ring itself
 * holds nothing of them any more. Between them and the driver: a third, noted at 1 and given back,
 * whole, or in a batch that nobody saw, or that was seen and not noted as such.
 */
static void leave_packed(struct peer *p, struct vhost_packed_region *r, enum left left)
{
	struct pvirtq_desc *ring = (void *)(p->mem + AT_RING(1));
	struct d fresh = { put_data(p, 5), PACKET, 0, 5 };

	r->version = 1;
	r->desc_num = RINGSIZE;
	for (uint16_t i = 0; i < RINGSIZE; i++)
		r->desc[i].next = (uint16_t)(i + 1);
	r->desc[2] = (struct vhost_packed_state){ .inflight = 1,
						  .next = 3,
						  .last = 3,
						  .num = 2,
						  .counter = 5,
						  .id = 9,
						  .flags = NEXT | PVIRTQ_DESC_F_AVAIL,
						  .len = 12,
						  .addr = put_data(p, 3) };
	r->desc[3].id = 8;
	r->desc[3].len = PACKET - 12;
	r->desc[3].addr = r->desc[2].addr + 12;
	r->desc[0] = (struct vhost_packed_state){ .inflight = 1,
						  .num = 1,
						  .counter = 6,
						  .id = 7,
						  .len = PACKET,
						  .addr = put_data(p, 4) };
	r->desc[1] = (struct vhost_packed_state){ .inflight = left != WHOLE,
						  .next = 4,
						  .last = 1,
						  .num = 1,
						  .counter = 4,
						  .id = 6,
						  .len = PACKET,
						  .addr = put_data(p, 2) };
	r->free_head = 1;
	r->old_free_head = left == WHOLE ? 1 : 4;
	r->used_idx = 21;
	r->old_used_idx = left == WHOLE ? 21 : 20;
	r->used_wrap = r->old_used_wrap = 1;
	memset(ring, 0x55, 24 * 16);
	for (unsigned i = 0; i < 24; i++)
		ring[i].flags = weir_le16(PVIRTQ_DESC_F_AVAIL);
	if (left == SHOWN)
		ring[20].flags = weir_le16(PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED);
	put_desc(p, (char *)&ring[24], &fresh, PVIRTQ_DESC_F_AVAIL);
}

static void test_resume_packed(void **state)
{
	static const unsigned want[] = { 2, 3, 4, 5 };
	struct vhost_packed_region *r;
	struct pvirtq_desc *ring;
	struct peer p;
	char *region;

	(void)state;
	for (unsigned left = WHOLE; left <= SHOWN; left++) {
		unsigned skip = left != UNDONE;

		begin(&p, true, &region);
		r = packed_of(region);
		ring = (void *)(p.mem + AT_RING(1));
		leave_packed(&p, r, left);
		peer_attach(&p);
		service(&p);
		assert_true(linked(&p));
		expect(&p, want + skip, 4 - skip);
		/* Given back one after the other, each over as many places as it has descriptors. */
		assert_int_equal(weir_from_le16(ring[21].id), 8);
		assert_int_equal(weir_from_le16(ring[23].id), 7);
		assert_int_equal(weir_from_le16(ring[24].id), 5);
		if (!skip)
			assert_int_equal(weir_from_le16(ring[20].id), 6);
		assert_true(weir_from_le16(ring[24].flags) & PVIRTQ_DESC_F_USED);
		assert_int_equal(r->old_used_idx, 25);
		assert_int_equal(r->old_free_head, r->free_head);
		for (unsigned i = 0; i < RINGSIZE; i++)
			assert_int_equal(r->desc[i].inflight, 0);
		end(&p, region);
	}
}

/* A batch that nobody saw is in the ring, all but its first place: fewer shown at once do not show it. */
static void test_resume_packed_one_by_one(void **state)
{
	const uint16_t used = PVIRTQ_DESC_F_AVAIL | PVIRTQ_DESC_F_USED;
	struct pvirtq_desc *ring;
	struct peer p;
	char *region;

	(void)state;
	begin(&p, true, &region);
	ring = (void *)(p.mem + AT_RING(1));
	leave_packed(&p, packed_of(region), UNDONE);
	ring[21].flags = ring[23].flags = weir_le16(used);
	peer_attach(&p);
	service(&p);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned place[] = { 20, 21, 23, 24 };

		assert_int_equal(receive(&p, (unsigned[1]){ 0 }, 1), 1);
		assert_int_equal(weir_from_le16(ring[place[i]].flags) & used, used);
		assert_int_not_equal(weir_from_le16(ring[place[i + 1]].flags) & used, used);
	}
	expect(&p, (unsigned[]){ 5 }, 1);
	end(&p, region);
}

/* --- front ends that lie --- */

static void mangle_split(struct vhost_split_region *s, unsigned how)
{
	switch (how) {
	case 0:
		s->version = 2;
		break;
	case 1:
		s->desc_num = RINGSIZE / 2;
		break;
	case 2:
		s->used_idx = 40000;
		break;
	case 3:
		s->last_batch_head = RINGSIZE;
		break;
	case 4:
		s->desc[3].next = 0xffff;
		break;
	}
}

static void mangle_packed(struct vhost_packed_region *r, unsigned how)
{
	switch (how) {
	case 0:
		r->version = 2;
		break;
	case 1:
		r->desc_num = RINGSIZE + 1;
		break;
	case 2:
		r->old_used_idx = RINGSIZE;
		break;
	case 3:
		r->used_idx = RINGSIZE;
		break;
	case 4:
		r->desc[0].num = 0;
		break;
	case 5:
		r->desc[0].num = RINGSIZE;
		break;
	case 6:
		r->desc[10].next = 6;
		break;
	}
}

/* The ring stays off, with a sentence; everything else goes on, and so does the ring with a good one. */
static void test_bad_regions(void **state)
{
	struct peer p;
	char *region;

	(void)state;
	for (unsigned k = 0; k < 2; k++)
		for (unsigned how = 0; how < 5 + 2 * k; how++) {
			struct weir_pkt got[4];

			begin(&p, k, &region);
			if (k) {
				leave_packed(&p, packed_of(region), UNDONE);
				mangle_packed(packed_of(region), how);
			} else {
				leave_split(&p, split_of(region), true);
				mangle_split(split_of(region), how);
			}
			peer_attach(&p);
			service(&p);
			assert_said("vhost-inflight");
			assert_int_equal(weir_rx(p.e.be.port->rxq[0], got, 4), 0);
			assert_false(is_closed(&p));
			memset(region, 0, REGION);
			memset(p.mem, 0, AT_DATA);
			put_area(&p, 1, USER + AT_RING(1));
			service(&p);
			offer(&p, 1, &(struct d){ put_data(&p, 3), PACKET, 0, 0 }, 1);
			expect(&p, (unsigned[]){ 3 }, 1);
			end(&p, region);
		}
}

/* Descriptions that cannot be. */
static void test_bad_descriptions(void **state)
{
	static const struct {
		const char *what;
		struct vhost_inflight d;
		unsigned len, fds;
		bool get;
	} bad[] = {
		{ "no rings", { 4096, 0, 0, 64 }, 24, 1, false },
		{ "no size", { 4096, 0, 2, 0 }, 24, 1, false },
		{ "too many rings", { 4096, 0, 65535, 64 }, 24, 1, false },
		{ "huge rings", { 4096, 0, 2, 65535 }, 24, 1, false },
		{ "nothing to map", { 0, 0, 2, 64 }, 24, 1, false },
		{ "past the file", { 1 << 20, 0, 2, 64 }, 24, 1, false },
		{ "an offset past the file", { 4096, 1 << 20, 2, 64 }, 24, 1, false },
		{ "a sum that wraps", { UINT64_MAX, 4096, 2, 64 }, 24, 1, false },
		{ "an offset askew", { 4096, 4, 2, 64 }, 24, 1, false },
		{ "no fd", { 4096, 0, 2, 64 }, 24, 0, false },
		{ "two fds", { 4096, 0, 2, 64 }, 24, 2, false },
		{ "a short one", { 4096, 0, 2, 64 }, 19, 1, false },
		{ "asked for no rings", { 0, 0, 0, 64 }, 24, 0, true },
		{ "asked for too many", { 0, 0, 33, 64 }, 24, 0, true },
		{ "asked for huge ones", { 0, 0, 2, 32769 }, 24, 0, true },
		{ "asked in short", { 0, 0, 2, 64 }, 19, 0, true },
	};
	unsigned before, maps;
	struct peer p;
	char *region;

	(void)state;
	begin(&p, false, &region);
	before = unit_fds();
	maps = unit_maps();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bad); i++) {
		struct vhost_msg m = { .req = bad[i].get ? VHOST_USER_GET_INFLIGHT_FD
							 : VHOST_USER_SET_INFLIGHT_FD,
				       .flags = VHOST_MSG_VERSION,
				       .size = bad[i].len,
				       .inflight = bad[i].d };
		int fds[2] = { p.inflight_fd, p.inflight_fd };

		put64(&p, VHOST_USER_SET_PROTOCOL_FEATURES, p.protocol, -1);
		send_fds(&p, &m, fds, bad[i].fds);
		service(&p);
		if (!is_closed(&p))
			fail_msg("%s did not end the connection", bad[i].what);
		close(p.sock);
		peer_connect(&p);
		assert_int_equal(unit_fds(), before);
		assert_int_equal(unit_maps(), maps);
	}
	/* While a ring is live it is too late. */
	peer_up(&p);
	post(&p, VHOST_USER_SET_INFLIGHT_FD, &p.inflight, 24, p.inflight_fd);
	service(&p);
	assert_true(is_closed(&p));
	end(&p, region);
}

/* Memory that does not reach as far as the rings do. */
static void test_small_regions(void **state)
{
	struct peer p;
	char *region;

	(void)state;
	for (unsigned k = 0; k < 6; k++) {
		begin(&p, k % 2, &region);
		if (k / 2 == 0)
			p.inflight.size = RINGSIZE / 2;
		else if (k / 2 == 1)
			p.inflight.queues = 1;
		else
			p.inflight.mmap_size = vhost_inflight_stride(RINGSIZE, k % 2) * 2 - 1;
		peer_attach(&p);
		service(&p);
		assert_said("vhost-inflight");
		assert_false(is_closed(&p));
		end(&p, region);
	}
}

/* Regions of random numbers, and such that change while they are used. */
static void test_region_fuzz(void **state)
{
	unsigned rounds = UNIT_SLOW ? 3000 : 20000;
	uint64_t seed = 88172645463325252ull;
	unsigned seen[16], lived = 0;
	struct peer p;
	char *region;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		begin(&p, k, &region);
		for (unsigned i = 0; i < rounds; i++) {
			unsigned n = 1 + unit_random(&seed) % 6;

			if (i % 16 == 0) {
				memset(p.mem, 0, AT_DATA);
				memset(region, 0, REGION);
				if (k)
					leave_packed(&p, packed_of(region), unit_random(&seed) % 3);
				else
					leave_split(&p, split_of(region), unit_random(&seed) % 2);
			}
			while (n--) {
				unsigned at = (unsigned)unit_random(&seed) % 128;
				char *from =
					k ? (char *)packed_of(region) : (char *)split_of(region);

				from[at * (1 + unit_random(&seed) % 8)] =
					(char)(unit_random(&seed) % 4 ? unit_random(&seed) % 66
								      : unit_random(&seed));
			}
			if (i % 4 == 0) {
				close(p.sock);
				service(&p);
				peer_connect(&p);
				peer_attach(&p);
				service(&p);
				assert_false(is_closed(&p));
			}
			if (!k)
				((struct virtq_avail *)(void *)(p.mem + AT_RING(1) + AT_AVAIL))
					->idx = weir_le16((uint16_t)(4 + i % 16));
			lived += receive(&p, seen, 16);
		}
		end(&p, region);
	}
	assert_true(lived > rounds / 8);
}

/* --- killed --- */

#define CHAINS (RINGSIZE / 2)

/* A driver with all descriptors of both rings in flight, two a chain. */
struct driver {
	struct peer p;
	char *region;
	pid_t back;
	struct vring {
		uint16_t avail, used;
		bool avail_wrap, used_wrap;
		bool out[CHAINS];
		unsigned back, posted;
	} ring[2];
};

static void child(const struct driver *dr)
{
	struct weir_port_conf c = { .n_rxq = 1, .n_txq = 1, .rx_intr = true };
	struct weir_pkt got[64];
	struct env e;

	/* A test that fails must not leave one behind, and one that dies leaves nothing. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGBUS, SIG_DFL);
	memset(&e, 0, sizeof(e));
	env_side_open(&e.be);
	strcpy(e.path, dr->p.e.path);
	env_back(&e, "", &c);
	for (unsigned i = 0;; i++) {
		unsigned n, sent;

		if (i % 64 == 0)
			weir_port_service(e.be.port);
		n = weir_rx(e.be.port->rxq[0], got, 64);
		sent = weir_tx_post(e.be.port->txq[0], got, n);
		weir_pkt_free(e.be.cache, got + sent, n - sent);
	}
}

static void start_back(struct driver *dr)
{
	struct weir_deadline end = weir_deadline_us(20000000);

	dr->back = fork();
	assert_true(dr->back >= 0);
	if (!dr->back) {
		child(dr);
		_exit(1);
	}
	do {
		assert_false(weir_deadline_passed(end));
		weir_sleep_us(500);
		dr->p.sock = vhost_connect(dr->p.e.path);
	} while (dr->p.sock < 0);
	if (dr->p.inflight_fd < 0)
		dr->region = ask_for_region(&dr->p);
	peer_attach(&dr->p);
}

static void kill_back(struct driver *dr)
{
	kill(dr->back, SIGKILL);
	waitpid(dr->back, NULL, 0);
	close(dr->p.sock);
	dr->p.sock = -1;
}

static void advance(uint16_t *pos, bool *wrap)
{
	if (++*pos == RINGSIZE) {
		*pos = 0;
		*wrap = !*wrap;
	}
}

/* Where a chain's buffers are: packets to the back end first, then room for those from it. */
static unsigned data_of(unsigned q, unsigned id)
{
	return AT_DATA + ((1 - q) * CHAINS + id) * 4096;
}

/* Make chain @id of ring @q available: header and data of a packet, or room for them. */
static void post_chain(struct driver *dr, unsigned q, uint16_t id)
{
	struct vring *v = &dr->ring[q];
	char *ring = dr->p.mem + AT_RING(q);
	struct virtq_avail *a = (void *)(ring + AT_AVAIL);
	uint64_t at = GUEST + data_of(q, id);
	uint16_t kind = q ? 0 : WRITE, first = v->avail, flags = 0;

	assert_false(v->out[id]);
	v->out[id] = true;
	v->posted++;
	for (uint16_t i = 0; i < 2; i++) {
		struct d d = { at + i * 12u, i ? 1500 : 12, (uint16_t)(kind | (i ? 0 : NEXT)),
			       (uint16_t)(id * 2 + 1) };
		uint16_t f = v->avail_wrap ? PVIRTQ_DESC_F_AVAIL : PVIRTQ_DESC_F_USED;

		if (!dr->p.packed) {
			put_desc(&dr->p, ring + (id * 2 + i) * 16, &d, 0);
			continue;
		}
		d.next = id;
		if (!i) {
			flags = d.flags | f;
			/* Shown last. */
			d.flags = weir_from_le16(((struct pvirtq_desc *)(void *)ring)[first].flags);
			f = 0;
		}
		put_desc(&dr->p, ring + v->avail * 16, &d, f);
		advance(&v->avail, &v->avail_wrap);
	}
	weir_mb();
	if (dr->p.packed) {
		__atomic_store_n(&((struct pvirtq_desc *)(void *)ring)[first].flags,
				 weir_le16(flags), __ATOMIC_RELEASE);
		return;
	}
	a->ring[v->avail++ % RINGSIZE] = weir_le16((uint16_t)(id * 2));
	__atomic_store_n(&a->idx, weir_le16(v->avail), __ATOMIC_RELEASE);
}

/* Take back what is done; each chain once. */
static void collect(struct driver *dr, unsigned q, bool again)
{
	struct vring *v = &dr->ring[q];
	char *ring = dr->p.mem + AT_RING(q);
	struct virtq_used *u = (void *)(ring + AT_USED);
	struct pvirtq_desc *pd = (void *)ring;

	for (;;) {
		unsigned id;

		if (dr->p.packed) {
			uint16_t f = weir_from_le16(
				__atomic_load_n(&pd[v->used].flags, __ATOMIC_ACQUIRE));

			if (!!(f & PVIRTQ_DESC_F_AVAIL) != v->used_wrap ||
			    !!(f & PVIRTQ_DESC_F_USED) != v->used_wrap)
				return;
			id = weir_from_le16(pd[v->used].id);
			advance(&v->used, &v->used_wrap);
			advance(&v->used, &v->used_wrap);
		} else {
			if (weir_from_le16(__atomic_load_n(&u->idx, __ATOMIC_ACQUIRE)) == v->used)
				return;
			id = weir_from_le32(u->ring[v->used++ % RINGSIZE].id);
			assert_int_equal(id % 2, 0);
			id /= 2;
		}
		assert_true(id < CHAINS);
		assert_true(v->out[id]);
		v->out[id] = false;
		v->back++;
		if (again)
			post_chain(dr, q, (uint16_t)id);
	}
}

static unsigned noted(const struct driver *dr)
{
	unsigned n = 0;

	for (unsigned q = 0; q < 2; q++)
		for (unsigned i = 0; i < RINGSIZE; i++) {
			char *at = dr->region + q * vhost_inflight_stride(RINGSIZE, dr->p.packed);

			if (dr->p.packed)
				n += ((struct vhost_packed_region *)(void *)at)->desc[i].inflight;
			else
				n += ((struct vhost_split_region *)(void *)at)->desc[i].inflight;
		}
	return n;
}

static void run(struct driver *dr, unsigned us, bool again)
{
	struct weir_deadline end = weir_deadline_us(us);

	do {
		collect(dr, 0, again);
		collect(dr, 1, again);
		/* The other process may have this one's processor. */
		weir_sleep_us(1);
	} while (!weir_deadline_passed(end));
}

static void run_until_back(struct driver *dr, unsigned want, bool again)
{
	struct weir_deadline end = weir_deadline_us(20000000);

	while (dr->ring[1].back < want) {
		assert_false(weir_deadline_passed(end));
		run(dr, 0, again);
	}
}

/*
 * End the back end in the middle of a burst: the file ends where a chain's buffers begin, and it
 * dies of touching them. The chains before that one are taken by then, and not given back.
 */
static void trap_back(struct driver *dr, unsigned q, unsigned id)
{
	struct weir_deadline end = weir_deadline_us(20000000);
	int status;

	assert_int_equal(ftruncate(dr->p.memfd, data_of(q, id)), 0);
	while (!waitpid(dr->back, &status, WNOHANG)) {
		assert_false(weir_deadline_passed(end));
		run(dr, 0, true);
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	assert_true(noted(dr) > 0);
	assert_int_equal(ftruncate(dr->p.memfd, MEM_SIZE), 0);
	close(dr->p.sock);
	dr->p.sock = -1;
}

/* In the end each chain has come back, once. */
static void test_killed(void **state)
{
	uint64_t seed = 2463534242ull;
	struct driver dr;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		memset(&dr, 0, sizeof(dr));
		peer_make(&dr.p, k);
		dr.p.protocol |= VHOST_PROTOCOL_F_INFLIGHT;
		snprintf(dr.p.e.path, sizeof(dr.p.e.path), "/tmp/weir-vhost-kill-%d",
			 (int)getpid());
		for (unsigned q = 0; q < 2; q++) {
			dr.ring[q].avail_wrap = dr.ring[q].used_wrap = true;
			for (uint16_t i = 0; i < CHAINS; i++)
				post_chain(&dr, q, i);
		}
		for (unsigned i = 0; i < 12; i++) {
			start_back(&dr);
			run_until_back(&dr, dr.ring[1].back + 100, true);
			if (i % 3 < 2)
				trap_back(&dr, i % 3, (unsigned)(unit_random(&seed) % CHAINS));
			else
				kill_back(&dr);
		}
		start_back(&dr);
		run_until_back(&dr, dr.ring[1].back + 100, true);
		run_until_back(&dr, dr.ring[1].posted, false);
		/* All the packets that the back end had: its room for those is what is left. */
		for (unsigned i = 0; i < CHAINS; i++)
			assert_false(dr.ring[1].out[i]);
		kill_back(&dr);
		munmap(dr.region, REGION);
		peer_unmake(&dr.p);
		unlink(dr.p.e.path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_region),
		cmocka_unit_test(test_resume_split),
		cmocka_unit_test(test_resume_packed),
		cmocka_unit_test(test_bad_regions),
		cmocka_unit_test(test_bad_descriptions),
		cmocka_unit_test(test_small_regions),
		cmocka_unit_test(test_region_fuzz),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_resume_packed_one_by_one),
	};

	return cmocka_run_group_tests_name("vhost_inflight", tests, NULL, NULL);
}
