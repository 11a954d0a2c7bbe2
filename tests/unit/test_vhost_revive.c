/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user: port and a back end that comes back badly: it fails in the middle of being set up, with
 * rings in its hands. It is a thread here, so ring addresses are good for it as they are.
 */
#include "vhost_env.h"

#include "nics/vhost_msg.h"
#include "nics/virtio_regs.h"

/* What becomes of a connection. */
enum plan { GOOD, REFUSE_OWNER, REFUSE_ENABLE, HANG_UP };

struct back {
	struct env_side fe;
	char path[64];
	enum plan plan[8]; /* of each connection; the last one's goes on */
	unsigned n_plan, connections;
	int listener, sock, stop, end;
	struct vhost_vring_area area[2];
	pthread_t thread;
};

/* The driver finds a buffer used that it would take for a packet. */
static void use_one(const struct back *b)
{
	struct virtq_used *u = (void *)(uintptr_t)b->area[0].used;

	u->ring[0].id = weir_le32(0);
	u->ring[0].len = weir_le32(112);
	__atomic_store_n(&u->idx, weir_le16(1), __ATOMIC_RELEASE);
}

/* Return: bytes of answer that stand in @m. */
static unsigned answer(struct back *b, enum plan plan, struct vhost_msg *m)
{
	switch (m->req) {
	case VHOST_USER_GET_FEATURES:
		m->u64 = VIRTIO_F_VERSION_1 | VHOST_USER_F_PROTOCOL_FEATURES;
		return 8;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		m->u64 = VHOST_PROTOCOL_F_REPLY_ACK;
		return 8;
	case VHOST_USER_GET_VRING_BASE:
		m->num.num = 0;
		return sizeof(m->num);
	case VHOST_USER_SET_VRING_ADDR:
		b->area[m->area.index % 2] = m->area;
		m->u64 = 0;
		break;
	case VHOST_USER_SET_VRING_ENABLE:
		if (plan == REFUSE_ENABLE && m->num.index == 1)
			use_one(b);
		m->u64 = plan == REFUSE_ENABLE && m->num.index == 1;
		break;
	default:
		m->u64 = m->req == VHOST_USER_SET_OWNER && plan == REFUSE_OWNER;
	}
	return m->flags & VHOST_MSG_NEED_REPLY ? 8 : 0;
}

static void serve_one(struct back *b, enum plan plan)
{
	struct vhost_msg m;
	struct vhost_fds fds;

	while (plan != HANG_UP && !__atomic_load_n(&b->end, __ATOMIC_ACQUIRE)) {
		int r = vhost_peek(b->sock);

		if (r < 0)
			break;
		if (!r) {
			weir_sleep_us(200);
			continue;
		}
		if (vhost_recv(b->sock, &m, &fds, weir_deadline_us(1000000)))
			break;
		vhost_fds_close(&fds);
		m.size = answer(b, plan, &m);
		m.flags = VHOST_MSG_VERSION | VHOST_MSG_REPLY;
		if (m.size && vhost_send(b->sock, &m, NULL, 0, weir_deadline_us(1000000)))
			break;
	}
}

static void *back_thread(void *arg)
{
	struct back *b = arg;

	while (!__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE)) {
		unsigned n = b->connections;

		b->sock = vhost_accept(b->listener);
		if (b->sock < 0) {
			weir_sleep_us(200);
			continue;
		}
		__atomic_store_n(&b->connections, n + 1, __ATOMIC_RELEASE);
		serve_one(b, b->plan[n < b->n_plan ? n : b->n_plan - 1]);
		close(b->sock);
		__atomic_store_n(&b->end, 0, __ATOMIC_RELEASE);
	}
	return NULL;
}

static unsigned connections(const struct back *b)
{
	return __atomic_load_n(&b->connections, __ATOMIC_ACQUIRE);
}

static bool is_up(const struct back *b)
{
	struct weir_link l;

	assert_int_equal(weir_port_link(b->fe.port, &l), 0);
	return l.up;
}

/* Poll and serve as an application does for @ms, or until the link is @want. */
static bool run(struct back *b, unsigned ms, bool want)
{
	struct weir_deadline end = weir_deadline_us(ms * 1000ull);
	struct weir_pkt got[4];

	while (is_up(b) != want && !weir_deadline_passed(end)) {
		assert_int_equal(weir_rx(b->fe.port->rxq[0], got, 4), 0);
		assert_int_equal(weir_port_service(b->fe.port), 0);
		weir_sleep_us(500);
	}
	return is_up(b) == want;
}

/* A port with its first connection up, and that one's end. */
static void begin(struct back *b, const enum plan *plan, unsigned n)
{
	static const struct weir_port_conf conf = { .rx_desc = 64, .tx_desc = 64 };
	static unsigned count;

	memset(b, 0, sizeof(*b));
	unit_hush();
	memcpy(b->plan, plan, n * sizeof(*plan));
	b->n_plan = n;
	snprintf(b->path, sizeof(b->path), "/tmp/weir-revive-%d-%u", (int)getpid(), count++);
	b->listener = vhost_listen(b->path);
	assert_true(b->listener >= 0);
	assert_int_equal(pthread_create(&b->thread, NULL, back_thread, b), 0);
	env_side_open(&b->fe);
	assert_int_equal(env_port(&b->fe, "vhost-user", b->path, "", &conf), 0);
	assert_true(is_up(b));
	__atomic_store_n(&b->end, 1, __ATOMIC_RELEASE);
	assert_true(run(b, 2000, false));
}

static void end(struct back *b)
{
	__atomic_store_n(&b->stop, 1, __ATOMIC_RELEASE);
	env_side_close(&b->fe);
	pthread_join(b->thread, NULL);
	close(b->listener);
	unlink(b->path);
}

/* What it did to the rings before it failed is not there any more when the next one gets them. */
static void test_fails_with_rings(void **state)
{
	static const enum plan plan[] = { GOOD, REFUSE_ENABLE, GOOD };
	struct weir_pkt got[4];
	struct back b;

	(void)state;
	begin(&b, plan, 3);
	assert_true(run(&b, 5000, true));
	for (unsigned i = 0; connections(&b) < 3 && i < 5000; i++) {
		assert_int_equal(weir_rx(b.fe.port->rxq[0], got, 4), 0);
		weir_port_service(b.fe.port);
		weir_sleep_us(1000);
	}
	assert_true(run(&b, 5000, true));
	assert_int_equal(weir_rx(b.fe.port->rxq[0], got, 4), 0);
	use_one(&b);
	assert_int_equal(weir_rx(b.fe.port->rxq[0], got, 4), 1);
	weir_pkt_free(b.fe.cache, got, 1);
	end(&b);
}

/* A connection whose first messages fail is closed, and not taken for one that was made. */
static void test_refuses_owner(void **state)
{
	static const enum plan plan[] = { GOOD, REFUSE_OWNER, GOOD };
	struct back b;

	(void)state;
	begin(&b, plan, 3);
	assert_true(run(&b, 5000, true));
	/* A link may be seen while the second one is still there. */
	for (unsigned i = 0; connections(&b) < 3 && i < 500; i++) {
		run(&b, 10, true);
		weir_port_service(b.fe.port);
		weir_sleep_us(1000);
	}
	assert_int_equal(connections(&b), 3);
	assert_true(run(&b, 5000, true));
	end(&b);
}

/* It accepts and hangs up: attempts become rare. */
static void test_hangs_up(void **state)
{
	static const enum plan plan[] = { GOOD, HANG_UP };
	struct back b;

	(void)state;
	begin(&b, plan, 2);
	run(&b, 1000, true);
	/* At 0, 20, 60, 140, 300, 620 ms. */
	assert_in_range(connections(&b), 3, 8);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fails_with_rings),
		cmocka_unit_test(test_refuses_owner),
		cmocka_unit_test(test_hangs_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
