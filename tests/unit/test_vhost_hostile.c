/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user: port and a back end that means harm: messages of opening and starting, and of coming
 * back, are answered in every wrong way. Each ends in an error that says what was wrong, in time, with
 * all file descriptors closed. The front end's files are compiled into this program, with less patience
 * than in the library.
 */
#define USER_TIMEOUT_US	    600000
#define HANDSHAKE_TRIES	    0u
#define USER_RETRY_FIRST_MS 2
#define USER_RETRY_MOST_MS  10
#include "nics/virtio/virtio_user.c"
#include "nics/virtio/virtio_user_msg.c"

#include "vhost_back.h"

#include <sys/socket.h>

#define TIMEOUT_MS (USER_TIMEOUT_US / 1000)
/* More than any message has, and more than there is room for in the control buffer. */
#define SWARM 40

static struct plan {
	unsigned fault, at;  /* at the message of this number, from 1 */
	unsigned connection; /* of this one */
	unsigned count;
	uint32_t req; /* that message's */
	bool none;    /* which has no answer */
} plan;

static void send_raw(struct back *b, const void *p, size_t n)
{
	const char *c = p;

	/* The other side may hang up at any byte. */
	while (n) {
		ssize_t r = send(b->sock, c, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (r < 0 && errno != EAGAIN)
			return;
		if (r < 0 && vhost_wait(b->sock, POLLOUT, weir_deadline_us(300000)))
			return;
		c += r > 0 ? r : 0;
		n -= r > 0 ? (size_t)r : 0;
	}
}

static void send_swarm(struct back *b, const struct vhost_msg *m)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)m, .iov_len = VHOST_HDR_LEN + m->size };
	char ctl[CMSG_SPACE(SWARM * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	int fds[SWARM];

	for (unsigned i = 0; i < SWARM; i++)
		fds[i] = b->sock;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	sendmsg(b->sock, &mh, MSG_NOSIGNAL);
}

static void add_fds(struct back *b, unsigned n)
{
	while (b->n_out < n)
		b->out[b->n_out++] = back_memory(4096);
}

/* --- what can be wrong with any answer --- */

static enum back_does shorter(struct back *b, struct vhost_msg *m)
{
	(void)b;
	m->size -= 5;
	return BACK_SENDS;
}

static enum back_does empty(struct back *b, struct vhost_msg *m)
{
	(void)b;
	m->size = 0;
	send_raw(b, m, VHOST_HDR_LEN);
	return BACK_SILENT;
}

static enum back_does longer(struct back *b, struct vhost_msg *m)
{
	(void)b;
	m->size += 1;
	return BACK_SENDS;
}

static enum back_does oversized(struct back *b, struct vhost_msg *m)
{
	m->size = UINT32_MAX;
	send_raw(b, m, VHOST_HDR_LEN);
	return BACK_SILENT;
}

static enum back_does endless(struct back *b, struct vhost_msg *m)
{
	static const char junk[1 << 20];

	m->size = sizeof(m->config);
	send_raw(b, m, sizeof(*m));
	send_raw(b, junk, sizeof(junk));
	return BACK_SILENT;
}

static enum back_does other_request(struct back *b, struct vhost_msg *m)
{
	(void)b;
	m->req = m->req % VHOST_USER_MAX + 1;
	return BACK_SENDS;
}

static enum back_does no_request(struct back *b, struct vhost_msg *m)
{
	(void)b;
	m->req = UINT32_MAX;
	return BACK_SENDS;
}

static enum back_does no_reply(struct back *b, struct vhost_msg *m)
{
	(void)b;
	m->flags = VHOST_MSG_VERSION;
	return BACK_SENDS;
}

static enum back_does other_version(struct back *b, struct vhost_msg *m)
{
	(void)b;
	m->flags = VHOST_MSG_REPLY | 2;
	return BACK_SENDS;
}

static enum back_does all_zero(struct back *b, struct vhost_msg *m)
{
	memset(m, 0, sizeof(*m));
	send_raw(b, m, sizeof(*m));
	return BACK_SILENT;
}

static enum back_does with_fds(struct back *b, struct vhost_msg *m)
{
	(void)m;
	add_fds(b, 2);
	return BACK_SENDS;
}

static enum back_does with_most_fds(struct back *b, struct vhost_msg *m)
{
	(void)m;
	add_fds(b, VHOST_MAX_FDS);
	return BACK_SENDS;
}

static enum back_does with_swarm(struct back *b, struct vhost_msg *m)
{
	send_swarm(b, m);
	return BACK_SILENT;
}

static enum back_does hangs_up(struct back *b, struct vhost_msg *m)
{
	(void)b;
	(void)m;
	return BACK_CLOSES;
}

static enum back_does half_and_gone(struct back *b, struct vhost_msg *m)
{
	send_raw(b, m, VHOST_HDR_LEN + 3);
	return BACK_CLOSES;
}

static enum back_does half_with_fds(struct back *b, struct vhost_msg *m)
{
	add_fds(b, 4);
	vhost_send(b->sock, m, b->out, b->n_out, weir_deadline_us(100000));
	send_raw(b, m, 7);
	return BACK_CLOSES;
}

static enum back_does silent(struct back *b, struct vhost_msg *m)
{
	(void)b;
	(void)m;
	return BACK_SILENT;
}

static enum back_does half(struct back *b, struct vhost_msg *m)
{
	send_raw(b, m, VHOST_HDR_LEN + 1);
	return BACK_SILENT;
}

/* A byte now and then, for longer than anybody waits. */
static enum back_does drips(struct back *b, struct vhost_msg *m)
{
	m->size = sizeof(m->config);
	for (unsigned i = 0; i < 40 && vhost_peek(b->sock) == 0; i++) {
		send_raw(b, (const char *)m + i, 1);
		weir_sleep_us(TIMEOUT_MS * 1000 / 30);
	}
	return BACK_CLOSES;
}

static const struct fault {
	const char *name, *id;
	enum back_does (*fn)(struct back *b, struct vhost_msg *m);
	bool waits; /* until the time is over */
} faults[] = {
	{ "shorter", "vhost-user-protocol", shorter, false },
	{ "empty", "vhost-user-protocol", empty, false },
	{ "longer", "vhost-user-protocol", longer, false },
	{ "oversized", "vhost-user-protocol", oversized, false },
	{ "endless", "vhost-user-protocol", endless, false },
	{ "another request", "vhost-user-protocol", other_request, false },
	{ "no request", "vhost-user-protocol", no_request, false },
	{ "no reply", "vhost-user-protocol", no_reply, false },
	{ "another version", "vhost-user-protocol", other_version, false },
	{ "nothing but zeroes", "vhost-user-protocol", all_zero, false },
	{ "two fds", "vhost-user-protocol", with_fds, false },
	{ "eight fds", "vhost-user-protocol", with_most_fds, false },
	{ "a swarm of fds", "vhost-user-protocol", with_swarm, false },
	{ "fds and half a message", "vhost-user-protocol", half_with_fds, false },
	{ "hangs up", "vhost-user-lost", hangs_up, false },
	{ "half and gone", "vhost-user-lost", half_and_gone, false },
	{ "silent", "vhost-user-lost", silent, true },
	{ "half", "vhost-user-lost", half, true },
	{ "drips", "vhost-user-lost", drips, true },
};

#define ALL                                                                          \
	(VHOST_PROTOCOL_F_MQ | VHOST_PROTOCOL_F_CONFIG | VHOST_PROTOCOL_F_INFLIGHT | \
	 VHOST_PROTOCOL_F_RESET_DEVICE | VHOST_PROTOCOL_F_STATUS)

static enum back_does by_plan(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	if (b->connections != plan.connection || ++plan.count != plan.at)
		return BACK_SENDS;
	plan.req = req->req;
	plan.none = !m->size;
	if (plan.none)
		return BACK_SENDS;
	return plan.fault < WEIR_ARRAY_SIZE(faults) ? faults[plan.fault].fn(b, m) : BACK_SENDS;
}

static void begin(struct back *b, unsigned fault, unsigned at, unsigned connection)
{
	plan = (struct plan){ .fault = fault, .at = at, .connection = connection };
	back_begin(b, VIRTIO_NET_F_MAC | VIRTIO_F_RING_PACKED, ALL, by_plan);
}

/* Messages of opening and starting a port; @again: of coming back. */
static unsigned messages(bool again)
{
	struct back b;
	unsigned n;

	begin(&b, UINT32_MAX, 0, again ? 2 : 1);
	assert_int_equal(back_port(&b, "", 1), 0);
	if (again) {
		back_dies(&b);
		assert_true(back_run(&b, 3000, true));
	}
	n = plan.count;
	assert_true(n > 15 && n < 60);
	back_end(&b);
	return n;
}

/* An empty answer to this one says that there is nothing. */
static bool is_fine(unsigned fault)
{
	return plan.none || (faults[fault].fn == empty && plan.req == VHOST_USER_GET_CONFIG);
}

static void open_with(unsigned fault, unsigned at)
{
	unsigned fds = unit_fds();
	uint64_t begun = weir_now_ns();
	unsigned ms;
	struct back b;
	int err;

	begin(&b, fault, at, 1);
	err = back_port(&b, "", 1);
	ms = (unsigned)((weir_now_ns() - begun) / 1000000);
	if (is_fine(fault)) {
		assert_int_equal(err, 0);
	} else if (!err && strstr(b.fe.ids, faults[fault].id)) {
		/* Lost when the port had seen all that it needs to: the next connection will do. */
		assert_true(back_run(&b, 3000, true));
		assert_int_equal(b.connections, 2);
	} else if (err != -ENOTCONN || !strstr(b.fe.ids, faults[fault].id)) {
		fail_msg("%s at message %u, %s: %d, %s", faults[fault].name, at,
			 vhost_req_name(plan.req), err, b.fe.ids);
	} else if (!strstr(b.fe.ids, "no-socket")) {
		/* What is said last names the request, and what is wrong with the answer. */
		assert_text(vhost_req_name(plan.req));
		assert_said(faults[fault].id);
	}
	/* Opening, starting, and a machine that has other things to do. */
	assert_in_range(ms, 0, 2 * TIMEOUT_MS + 1500);
	back_end(&b);
	assert_int_equal(unit_fds(), fds);
}

static void test_open(void **state)
{
	unsigned n = messages(false);

	(void)state;
	for (unsigned f = 0; f < WEIR_ARRAY_SIZE(faults); f++)
		/* Who waits for the end of time does so at some messages only. */
		for (unsigned at = 1; at <= n; at += faults[f].waits ? 16 : 1)
			open_with(f, at);
}

/* It comes back with a fault; the port goes on with the one after that. */
static void come_back_with(unsigned fault, unsigned at)
{
	unsigned fds = unit_fds();
	struct back b;

	begin(&b, fault, at, 2);
	assert_int_equal(back_port(&b, "", 1), 0);
	back_dies(&b);
	memset(b.fe.ids, 0, sizeof(b.fe.ids));
	if (!back_run(&b, 5000, true))
		fail_msg("%s at message %u, %s: %s", faults[fault].name, at,
			 vhost_req_name(plan.req), b.fe.ids);
	if (is_fine(fault))
		assert_int_equal(b.connections, 2);
	else if (plan.count < at || b.connections != 3 || !strstr(b.fe.ids, faults[fault].id))
		fail_msg("%s at message %u of %u, %s: %u connections, %s", faults[fault].name, at,
			 plan.count, vhost_req_name(plan.req), b.connections, b.fe.ids);
	back_end(&b);
	assert_int_equal(unit_fds(), fds);
}

static void test_come_back(void **state)
{
	unsigned n = messages(true);

	(void)state;
	for (unsigned f = 0; f < WEIR_ARRAY_SIZE(faults); f++)
		/* Answers are judged by the same code: here each message is met by every third fault. */
		for (unsigned at = 1 + f % 3; at <= n; at += faults[f].waits ? 12 : 3)
			come_back_with(f, at);
}

/* --- answers that are well formed and lie --- */

static struct lie {
	const char *name;
	uint32_t req;
	uint64_t value;
	int err;
	const char *id, *text;
} lies[] = {
	{ "no VERSION_1", VHOST_USER_GET_FEATURES, VHOST_USER_F_PROTOCOL_FEATURES, -EOPNOTSUPP,
	  "virtio-not-modern", "VIRTIO_F_VERSION_1" },
	{ "no queues", VHOST_USER_GET_QUEUE_NUM, 0, -ENOTCONN, "vhost-user-protocol", NULL },
	{ "129 queues", VHOST_USER_GET_QUEUE_NUM, 129, -ENOTCONN, "vhost-user-protocol", NULL },
	{ "all queues", VHOST_USER_GET_QUEUE_NUM, UINT64_MAX, -ENOTCONN, "vhost-user-protocol",
	  NULL },
	{ "one queue, and much", VHOST_USER_GET_QUEUE_NUM, 1ull << 32 | 1, -ENOTCONN,
	  "vhost-user-protocol", NULL },
	{ "no FEATURES_OK", VHOST_USER_GET_STATUS, 3, -EOPNOTSUPP, "virtio-features", "accept" },
	{ "nine bits of status", VHOST_USER_GET_STATUS, 0x10b, -ENOTCONN, "vhost-user-protocol",
	  "0x10b" },
	{ "no", VHOST_USER_SET_MEM_TABLE, 1, -EIO, "vhost-user-refused", "SET_MEM_TABLE" },
	{ "no", VHOST_USER_SET_FEATURES, UINT64_MAX, -EIO, "vhost-user-refused", "SET_FEATURES" },
	{ "no", VHOST_USER_SET_VRING_ENABLE, 7, -EIO, "vhost-user-refused", "(7)" },
	{ "no", VHOST_USER_SET_INFLIGHT_FD, 1, -EIO, "vhost-user-refused", "SET_INFLIGHT_FD" },
};

static enum back_does lying(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	const struct lie *l = &lies[b->arg];

	if (req->req == l->req)
		m->u64 = l->value;
	return BACK_SENDS;
}

static void test_lies(void **state)
{
	struct back b;

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(lies); i++) {
		unsigned fds = unit_fds();
		int err;

		back_begin(&b, 0, ALL, lying);
		b.arg = i;
		err = back_port(&b, "", 1);
		if (err != lies[i].err || !strstr(b.fe.ids, lies[i].id))
			fail_msg("%s to %s: %d, %s", lies[i].name, vhost_req_name(lies[i].req), err,
				 b.fe.ids);
		if (lies[i].text)
			assert_text(lies[i].text);
		back_end(&b);
		assert_int_equal(unit_fds(), fds);
	}
}

/* Of its configuration, and of the ring that it lets go: 0 to 5. */
static enum back_does config_lies(struct back *b, const struct vhost_msg *req, struct vhost_msg *m)
{
	struct vhost_config c = m->config;

	if (req->req == VHOST_USER_GET_VRING_BASE && b->arg == 5)
		m->num.index ^= 1;
	if (req->req != VHOST_USER_GET_CONFIG)
		return BACK_SENDS;
	c.offset += b->arg == 0;
	c.size = b->arg == 1 ? UINT32_MAX : b->arg == 2 ? 5 : c.size;
	m->size -= b->arg == 3 ? 6 : 0;
	c.data[0] |= b->arg == 4;
	m->config = c;
	return BACK_SENDS;
}

static void test_config_lies(void **state)
{
	uint8_t mac[6];
	struct back b;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		back_begin(&b, VIRTIO_NET_F_MAC, ALL, config_lies);
		b.arg = i;
		assert_int_equal(back_port(&b, "", 1), i < 4 ? -ENOTCONN : 0);
		if (i < 4)
			assert_non_null(strstr(b.fe.ids, "vhost-user-protocol"));
		if (i == 4) {
			/* No address of a station: one is made up. */
			assert_int_equal(weir_port_mac_get(b.fe.port, mac), 0);
			assert_int_equal(mac[0] & 3, 2);
		}
		if (i == 5) {
			weir_port_stop(b.fe.port);
			assert_said("vhost-user-protocol");
			assert_text("GET_VRING_BASE");
		}
		back_end(&b);
	}
}

/* What comes back is not what went: it is refused for as long as it is so. */
static void changes(uint32_t what)
{
	struct back b;

	back_begin(&b, VIRTIO_F_IN_ORDER | VIRTIO_NET_F_MRG_RXBUF, ALL, lying);
	lies[0].req = 0;
	assert_int_equal(back_port(&b, "", 1), 0);
	lies[0].req = what;
	lies[0].value = what == VHOST_USER_GET_FEATURES ? VIRTIO_F_VERSION_1 : 1;
	back_dies(&b);
	assert_false(back_run(&b, 300, true));
	assert_true(back_connections(&b) > 2);
	assert_non_null(strstr(b.fe.ids, "vhost-user-changed"));
	assert_false(weir_port_failed(b.fe.port));
	__atomic_store_n(&lies[0].req, 0, __ATOMIC_RELEASE);
	assert_true(back_run(&b, 3000, true));
	back_end(&b);
}

static void test_changes(void **state)
{
	(void)state;
	changes(VHOST_USER_GET_FEATURES);
	changes(VHOST_USER_GET_QUEUE_NUM);
}

/* Something is said that nobody asked for, while all is well. */
static void test_unasked(void **state)
{
	struct back b;

	(void)state;
	back_begin(&b, 0, ALL, NULL);
	assert_int_equal(back_port(&b, "", 1), 0);
	send_raw(&b, "?", 1);
	assert_true(back_run(&b, 2000, false));
	assert_non_null(strstr(b.fe.ids, "vhost-user-protocol"));
	assert_true(back_run(&b, 3000, true));
	back_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),	cmocka_unit_test(test_come_back),
		cmocka_unit_test(test_lies),	cmocka_unit_test(test_config_lies),
		cmocka_unit_test(test_changes), cmocka_unit_test(test_unasked),
	};

	return cmocka_run_group_tests_name("vhost_hostile", tests, NULL, NULL);
}
