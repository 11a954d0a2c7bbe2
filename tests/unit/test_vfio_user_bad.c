/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user client against servers that break the rules: each way to misbehave at each message
 * of a device's life. It must end with an error, in time, and leave no fd and no mapping behind.
 */
#include "vfio_user_script.h"

/* Stalling servers are given this long; all others have time enough to be told from them. */
#define SHORT_MS 40
#define LONG_MS	 5000

/* --- ways to answer a message --- */

static void bad_close(struct vus *s, struct vus_msg *m)
{
	m->drop = true;
	shutdown(s->sock, SHUT_RDWR);
}

static void bad_close_in_header(struct vus *s, struct vus_msg *m)
{
	vus_send_raw(s, m, 7, NULL, 0);
	bad_close(s, m);
}

static void bad_close_in_body(struct vus *s, struct vus_msg *m)
{
	m->h.size += 100;
	vus_send(s, m);
	bad_close(s, m);
}

static void bad_silence(struct vus *s, struct vus_msg *m)
{
	(void)s;
	m->drop = true;
}

static void bad_stall_in_header(struct vus *s, struct vus_msg *m)
{
	vus_send_raw(s, m, 9, NULL, 0);
	m->drop = true;
}

static void bad_stall_in_body(struct vus *s, struct vus_msg *m)
{
	/* The payload that is promised fits, it just never comes. */
	if (!m->len) {
		m->drop = true;
		return;
	}
	vus_send_raw(s, m, sizeof(m->h) + m->len - 1, m->fds, m->n_fds);
	m->drop = true;
}

/* One byte now and then: always something to read, never a message. */
static void bad_trickle(struct vus *s, struct vus_msg *m)
{
	static const struct vu_hdr h = { .cmd = VU_DMA_WRITE, .size = 1 << 20 };
	struct pollfd p = { .fd = s->sock, .events = POLLIN };

	m->drop = true;
	vus_send_raw(s, &h, sizeof(h), NULL, 0);
	while (!poll(&p, 1, 1))
		vus_send_raw(s, "", 1, NULL, 0);
}

/* Commands without end, each in order by itself. */
static void bad_endless(struct vus *s, struct vus_msg *m)
{
	static const struct vu_hdr h = { .cmd = 99, .size = sizeof(h), .flags = VU_F_NO_REPLY };
	struct pollfd p = { .fd = s->sock, .events = POLLOUT | POLLIN };

	m->drop = true;
	while (poll(&p, 1, 1000) > 0 && !(p.revents & (POLLIN | POLLHUP)))
		vus_send_raw(s, &h, sizeof(h), NULL, 0);
}

static void bad_size_0(struct vus *s, struct vus_msg *m)
{
	(void)s;
	m->h.size = 0;
}

static void bad_size_15(struct vus *s, struct vus_msg *m)
{
	(void)s;
	m->h.size = 15;
}

static void bad_size_huge(struct vus *s, struct vus_msg *m)
{
	(void)s;
	m->h.size = UINT32_MAX;
}

static void bad_oversized(struct vus *s, struct vus_msg *m)
{
	(void)s;
	memset(m->body + m->len, 0xee, 70000);
	m->len += 70000;
	m->h.size = (uint32_t)(sizeof(m->h) + m->len);
}

static void bad_id(struct vus *s, struct vus_msg *m)
{
	(void)s;
	m->h.id++;
}

static void bad_cmd(struct vus *s, struct vus_msg *m)
{
	(void)s;
	m->h.cmd++;
}

static void bad_type(struct vus *s, struct vus_msg *m)
{
	(void)s;
	m->h.flags = 7;
}

static void bad_twice(struct vus *s, struct vus_msg *m)
{
	vus_send(s, m);
}

static void bad_garbage(struct vus *s, struct vus_msg *m)
{
	uint64_t seed = 42, noise[32];

	for (unsigned i = 0; i < 32; i++)
		noise[i] = unit_random(&seed);
	vus_send_raw(s, noise, sizeof(noise), NULL, 0);
	m->drop = true;
}

static void fds_more(struct vus *s, struct vus_msg *m, unsigned n)
{
	while (m->n_fds < n)
		m->fds[m->n_fds++] = s->memfd;
}

static void bad_fds_9(struct vus *s, struct vus_msg *m)
{
	fds_more(s, m, 9);
}

static void bad_fds_253(struct vus *s, struct vus_msg *m)
{
	fds_more(s, m, 253);
}

/* Not all at once, but eight with each of two halves. */
static void bad_fds_halves(struct vus *s, struct vus_msg *m)
{
	fds_more(s, m, 8);
	vus_send_raw(s, m, 10, m->fds, 8);
	vus_send_raw(s, (char *)m + 10, sizeof(m->h) - 10 + m->len, m->fds, 8);
	m->drop = true;
}

static void ok_fds_8(struct vus *s, struct vus_msg *m)
{
	fds_more(s, m, 8);
}

static void error_reply(struct vus_msg *m, uint32_t error, uint32_t extra)
{
	m->h.flags |= VU_F_ERROR;
	m->h.error = error;
	m->n_fds = 0;
	m->len = extra;
	m->h.size = (uint32_t)sizeof(m->h) + extra;
}

static void bad_error(struct vus *s, struct vus_msg *m)
{
	(void)s;
	error_reply(m, EINVAL, 0);
}

static void bad_error_0(struct vus *s, struct vus_msg *m)
{
	(void)s;
	error_reply(m, 0, 0);
}

static void bad_error_huge(struct vus *s, struct vus_msg *m)
{
	(void)s;
	error_reply(m, 0x80000000u, 0);
}

static void bad_error_fds(struct vus *s, struct vus_msg *m)
{
	error_reply(m, EINVAL, 64);
	fds_more(s, m, 8);
}

static void bad_dma_short(struct vus *s, struct vus_msg *m)
{
	static const struct vu_hdr h[2] = { { .cmd = VU_DMA_READ, .size = 24 } };

	(void)m;
	vus_send_raw(s, h, 24, NULL, 0);
}

static void bad_dma_length(struct vus *s, struct vus_msg *m)
{
	static const struct {
		struct vu_hdr h;
		struct vu_dma_rw rw;
		char data[8];
	} w = { { .cmd = VU_DMA_WRITE, .size = sizeof(w) }, { 1ull << 32, 4096 }, "" };

	(void)m;
	vus_send_raw(s, &w, sizeof(w), NULL, 0);
}

static void ok_dma_refused(struct vus *s, struct vus_msg *m)
{
	(void)m;
	vus_ask(s, VU_DMA_READ, 0xdead0000, 8, NULL, 0);
}

static void ok_unknown_command(struct vus *s, struct vus_msg *m)
{
	(void)m;
	vus_ask(s, 1000, 1, 2, "fourteen bytes", 14);
}

enum expect {
	FINE, /* nothing happens to the client */
	FAIL, /* an error, always */
	ANY,  /* may have no effect: after the reply, or without a payload */
};

static const struct row {
	const char *name;
	void (*answer)(struct vus *s, struct vus_msg *m);
	enum expect expect;
	unsigned timeout_ms;
} rows[] = {
	{ "closes", bad_close, FAIL, LONG_MS },
	{ "closes within the header", bad_close_in_header, FAIL, LONG_MS },
	{ "closes within the payload", bad_close_in_body, FAIL, LONG_MS },
	{ "says nothing", bad_silence, FAIL, SHORT_MS },
	{ "stalls within the header", bad_stall_in_header, FAIL, SHORT_MS },
	{ "stalls within the payload", bad_stall_in_body, FAIL, SHORT_MS },
	{ "trickles", bad_trickle, FAIL, SHORT_MS },
	{ "sends commands without end", bad_endless, FAIL, SHORT_MS },
	{ "size 0", bad_size_0, FAIL, LONG_MS },
	{ "size 15", bad_size_15, FAIL, LONG_MS },
	{ "size 4 GiB", bad_size_huge, FAIL, LONG_MS },
	{ "oversized", bad_oversized, FAIL, LONG_MS },
	{ "wrong id", bad_id, FAIL, LONG_MS },
	{ "wrong command", bad_cmd, FAIL, LONG_MS },
	{ "neither command nor reply", bad_type, FAIL, LONG_MS },
	{ "answers twice", bad_twice, ANY, LONG_MS },
	{ "garbage", bad_garbage, FAIL, LONG_MS },
	{ "9 fds", bad_fds_9, FAIL, LONG_MS },
	{ "253 fds", bad_fds_253, FAIL, LONG_MS },
	{ "twice 8 fds", bad_fds_halves, FAIL, LONG_MS },
	{ "8 fds that nobody wants", ok_fds_8, FINE, LONG_MS },
	{ "an error", bad_error, ANY, LONG_MS },
	{ "an error without a number", bad_error_0, ANY, LONG_MS },
	{ "an error that is none", bad_error_huge, ANY, LONG_MS },
	{ "an error with fds and payload", bad_error_fds, ANY, LONG_MS },
	{ "a DMA request that is too short", bad_dma_short, FAIL, LONG_MS },
	{ "a DMA request of another length", bad_dma_length, FAIL, LONG_MS },
	{ "asks for memory it has no right to", ok_dma_refused, FINE, LONG_MS },
	{ "sends a command that does not exist", ok_unknown_command, FINE, LONG_MS },
};

static const struct row *row;

static void answer_row(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	(void)req;
	if (s->n_msgs == s->at)
		row->answer(s, rep);
}

/* Messages that a device's life takes until it is closed, and in all. */
static void count_messages(unsigned *until_close, unsigned *all)
{
	struct script t;

	script_begin(&t, LONG_MS);
	t.s->tweak = NULL;
	assert_int_equal(script_run(&t), 0);
	*until_close = t.n_msgs;
	*all = t.n_msgs + 12; /* more than closing takes: no harm done */
}

static void run_row(const struct row *r, unsigned at, unsigned until_close)
{
	struct script t;
	int err;

	row = r;
	script_begin(&t, r->timeout_ms);
	t.s->tweak = answer_row;
	t.s->at = at;
	err = script_run(&t);
	if (r->expect == FINE && err)
		fail_msg("server %s at message %u: %d (%s)", r->name, at, err, said.text);
	if (r->expect == FAIL && at <= until_close && !err)
		fail_msg("server %s at message %u: not noticed", r->name, at);
	if (t.ms > (r->timeout_ms == SHORT_MS ? 20 * SHORT_MS : LONG_MS))
		fail_msg("server %s at message %u: took %u ms", r->name, at, t.ms);
}

static void test_each_at_each_message(void **state)
{
	unsigned until_close, all;

	(void)state;
	count_messages(&until_close, &all);
	assert_in_range(until_close, 15, 60);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++)
		for (unsigned at = 1; at <= all; at++)
			/* Stalls take their time: not each of them under a sanitizer. */
			if (!UNIT_SLOW || rows[i].timeout_ms != SHORT_MS || at % 3 == 1)
				run_row(&rows[i], at, until_close);
}

/* A stall is reported as one, once. */
static void test_messages_of_errors(void **state)
{
	static const struct {
		void (*answer)(struct vus *s, struct vus_msg *m);
		const char *id;
		int err;
	} t[] = {
		{ bad_silence, "vfio-user-timeout", -ETIMEDOUT },
		{ bad_close, "device-gone", -ENODEV },
		{ bad_id, "vfio-user-protocol", -EPROTO },
		{ bad_fds_9, "vfio-user-protocol", -EPROTO },
		{ bad_error, "vfio-user-refused", -EINVAL },
		{ bad_error_0, "vfio-user-refused", -EIO },
		{ bad_error_huge, "vfio-user-refused", -EIO },
	};

	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(t); i++) {
		struct row r = { .answer = t[i].answer };
		struct script s;

		row = &r;
		script_begin(&s, t[i].answer == bad_silence ? SHORT_MS : LONG_MS);
		s.s->tweak = answer_row;
		s.s->at = 2;
		assert_int_equal(script_run(&s), t[i].err);
		assert_said(t[i].id);
		assert_int_equal(said.n, 1);
	}
}

/* --- capabilities --- */

static const struct json_row {
	const char *text;
	int err;
} json_rows[] = {
	{ NULL, 0 },
	{ "{}", 0 },
	{ "{\"capabilities\":{}}", 0 },
	{ "{\"capabilities\":{\"max_msg_fds\":2,\"migration\":{\"pgsize\":4096},\"x\":[1]}}", 0 },
	{ "{\"capabilities\":{\"max_msg_fds\":100000000000}}", -EINVAL }, /* the fake takes 2 */
	{ "{\"capabilities\":{\"max_msg_fds\":0}}", -EOPNOTSUPP },
	{ "{\"capabilities\":{\"pgsizes\":2097152}}", -EINVAL },
	{ "{\"capabilities\":{\"max_dma_maps\":1}}", -ENOSPC },
	{ "{\"capabilities\":{\"max_msg_fds\":2,\"x_weir_pasid\":{\"bits\":20}}}", 0 },
	{ "{\"capabilities\":{\"max_msg_fds\":2,\"x_weir_pasid\":{}}}", 0 },
	{ "{\"capabilities\":{\"x_weir_pasid\":20}}", -EPROTO },
	{ "{\"capabilities\":{\"x_weir_pasid\":{\"bits\":-1}}}", -EPROTO },
	{ "{\"capabilities\":{\"x_weir_pasid\":{\"bits\":\"20\"}}}", -EPROTO },
	{ "", -EPROTO },
	{ "{", -EPROTO },
	{ "[]", -EPROTO },
	{ "null", -EPROTO },
	{ "4711", -EPROTO },
	{ "{\"capabilities\":7}", -EPROTO },
	{ "{\"capabilities\":null}", -EPROTO },
	{ "{\"capabilities\":{\"max_msg_fds\":-1}}", -EPROTO },
	{ "{\"capabilities\":{\"max_msg_fds\":\"8\"}}", -EPROTO },
	{ "{\"capabilities\":{\"max_msg_fds\":1.5}}", -EPROTO },
	{ "{\"capabilities\":{\"max_data_xfer_size\":3}}", -EPROTO },
	{ "{\"capabilities\":{\"max_dma_maps\":0}}", -EPROTO },
	{ "{\"capabilities\":{\"pgsizes\":0}}", -EPROTO },
	{ "{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", -EPROTO },
	{ "{\"capabilities\":{\"\xff\xfe\":\"\x01\"}}", 0 },
};

static void test_capabilities(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(json_rows); i++) {
		struct script t;
		int err;

		script_begin(&t, LONG_MS);
		t.s->caps = json_rows[i].text;
		err = script_run(&t);
		if (err != json_rows[i].err)
			fail_msg("%s: %d, not %d (%s)", json_rows[i].text, err, json_rows[i].err,
				 said.text);
	}
}

/* --- contents --- */

static uint32_t field(const struct vus_msg *m, unsigned at)
{
	uint32_t v;

	memcpy(&v, m->body + at, 4);
	return v;
}

static void set32(struct vus_msg *m, unsigned at, uint32_t v)
{
	memcpy(m->body + at, &v, 4);
}

static void set64(struct vus_msg *m, unsigned at, uint64_t v)
{
	memcpy(m->body + at, &v, 8);
}

static void replace_fd(struct vus_msg *m, int fd)
{
	/* Sent and closed here: what the tweak opens does not outlive the message. */
	m->fds[0] = fd;
}

static int short_file(void)
{
	int fd = memfd_create("vus-short", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert(!ftruncate(fd, 0x1000));
	return fd;
}

static int sealed_seals(void)
{
	int fd = memfd_create("vus-nosealing", MFD_CLOEXEC);

	assert(!ftruncate(fd, VUS_BAR));
	return fd;
}

static int any_file(void)
{
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

static int read_only_file(void)
{
	char path[64];
	int fd = memfd_create("vus-ro", MFD_CLOEXEC | MFD_ALLOW_SEALING), ro;

	assert(!ftruncate(fd, VUS_BAR));
	assert(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	return ro;
}

/* Offsets in the reply to GET_REGION_INFO: the structure, then the list of areas. */
enum {
	R_ARGSZ = 0,
	R_FLAGS = 4,
	R_INDEX = 8,
	R_CAP = 12,
	R_SIZE = 16,
	R_OFF = 24,
	C_ID = 32,
	C_NEXT = 36,
	C_N = 40,
	C_AREA = 48,
	C_LEN = 56
};

static const struct content {
	const char *name;
	unsigned cmd;
	int region; /* -1: not about a region */
	unsigned bytes, at;
	uint64_t v;
	int (*fd)(void);
	int err;
} contents[] = {
	/* The device. */
	{ "no PCI device", VU_GET_INFO, -1, 4, 4, 0, NULL, -EOPNOTSUPP },
	{ "too few regions", VU_GET_INFO, -1, 4, 8, 7, NULL, -EOPNOTSUPP },
	{ "4 billion regions", VU_GET_INFO, -1, 4, 8, UINT32_MAX, NULL, 0 },
	{ "no interrupts", VU_GET_INFO, -1, 4, 12, 0, NULL, -ENOSPC },
	{ "no reset", VU_GET_INFO, -1, 4, 4, 2, NULL, -EOPNOTSUPP },
	{ "version 1.0", VU_VERSION, -1, 4, 0, 1, NULL, -EPROTO },
	{ "version 0.1", VU_VERSION, -1, 4, 0, 1 << 16, NULL, -EPROTO },
	{ "capabilities without NUL", VU_VERSION, -1, 0, 0, 0, NULL, -EPROTO },
	/* Regions. */
	{ "another region", VU_GET_REGION_INFO, 0, 4, R_INDEX, 3, NULL, -EPROTO },
	{ "argsz 0", VU_GET_REGION_INFO, 0, 4, R_ARGSZ, 0, NULL, -EPROTO },
	{ "a region of 2^63", VU_GET_REGION_INFO, 0, 8, R_SIZE, 1ull << 63, NULL, -EPROTO },
	{ "a region of 2^64 - 1", VU_GET_REGION_INFO, 0, 8, R_SIZE, UINT64_MAX, NULL, -EPROTO },
	{ "no BAR 0", VU_GET_REGION_INFO, 0, 8, R_SIZE, 0, NULL, -EINVAL },
	{ "config space of 1 byte", VU_GET_REGION_INFO, 7, 8, R_SIZE, 1, NULL, -EINVAL },
	{ "config space that cannot be read", VU_GET_REGION_INFO, 7, 4, R_FLAGS, 2, NULL, -EINVAL },
	{ "more capabilities than sent", VU_GET_REGION_INFO, 0, 4, R_ARGSZ, 9000, NULL, -ENOTSUP },
	{ "capabilities past the end", VU_GET_REGION_INFO, 0, 4, R_CAP, 1000, NULL, -ENOTSUP },
	{ "capabilities at 4 GiB", VU_GET_REGION_INFO, 0, 4, R_CAP, UINT32_MAX, NULL, -ENOTSUP },
	{ "capabilities in the header", VU_GET_REGION_INFO, 0, 4, R_CAP, 4, NULL, -ENOTSUP },
	{ "capabilities at an odd place", VU_GET_REGION_INFO, 0, 4, R_CAP, 61, NULL, -ENOTSUP },
	{ "a chain that loops", VU_GET_REGION_INFO, 0, 8, C_ID, 32ull << 32 | 77, NULL, -ENOTSUP },
	{ "a chain that turns back", VU_GET_REGION_INFO, 0, 8, C_ID, 9ull << 32 | 77, NULL,
	  -ENOTSUP },
	{ "a chain past the end", VU_GET_REGION_INFO, 0, 8, C_ID, 65ull << 32 | 77, NULL,
	  -ENOTSUP },
	{ "4 billion areas", VU_GET_REGION_INFO, 0, 4, C_N, UINT32_MAX, NULL, -ENOTSUP },
	{ "no area", VU_GET_REGION_INFO, 0, 4, C_N, 0, NULL, -ENOTSUP },
	{ "an area past the region", VU_GET_REGION_INFO, 0, 8, C_AREA, VUS_BAR, NULL, -ENOTSUP },
	{ "an area that wraps", VU_GET_REGION_INFO, 0, 8, C_LEN, UINT64_MAX & ~4095ull, NULL,
	  -ENOTSUP },
	{ "an area within a page", VU_GET_REGION_INFO, 0, 8, C_AREA, 0x1004, NULL, -ENOTSUP },
	{ "an area of half a page", VU_GET_REGION_INFO, 0, 8, C_LEN, 2048, NULL, -ENOTSUP },
	{ "an offset past the file", VU_GET_REGION_INFO, 0, 8, R_OFF, 1 << 20, NULL, -ENOTSUP },
	{ "an offset that wraps", VU_GET_REGION_INFO, 0, 8, R_OFF, -4096ull, NULL, -ENOTSUP },
	{ "an offset within a page", VU_GET_REGION_INFO, 0, 8, R_OFF, 8, NULL, -ENOTSUP },
	{ "a file that is too short", VU_GET_REGION_INFO, 0, 0, 0, 0, short_file, -ENOTSUP },
	{ "a file that can shrink", VU_GET_REGION_INFO, 0, 0, 0, 0, sealed_seals, -ENOTSUP },
	{ "a device file", VU_GET_REGION_INFO, 0, 0, 0, 0, any_file, -ENOTSUP },
	{ "a file without write access", VU_GET_REGION_INFO, 0, 0, 0, 0, read_only_file, -EACCES },
	{ "nothing to map", VU_GET_REGION_INFO, 0, 4, R_FLAGS, 3, NULL, -ENOTSUP },
	/* Accesses. */
	{ "reads another offset", VU_REGION_READ, 0, 8, 0, 12, NULL, -EPROTO },
	{ "reads another region", VU_REGION_READ, 0, 4, 8, 7, NULL, -EPROTO },
	{ "reads more", VU_REGION_READ, 0, 4, 12, 1 << 30, NULL, -EPROTO },
	{ "reads less than it sends", VU_REGION_READ, 0, 4, 12, 2, NULL, -EPROTO },
	{ "writes another offset", VU_REGION_WRITE, 0, 8, 0, 12, NULL, -EPROTO },
	{ "writes less", VU_REGION_WRITE, 0, 4, 12, 2, NULL, -EIO },
	{ "writes more", VU_REGION_WRITE, 0, 4, 12, 5, NULL, -EPROTO },
	{ "no device in config space", VU_REGION_READ, 7, 4, 16, UINT32_MAX, NULL, -ENODEV },
	/* Interrupts. */
	{ "4 billion vectors", VU_GET_IRQ_INFO, -1, 4, 12, UINT32_MAX, NULL, -EPROTO },
	{ "another interrupt", VU_GET_IRQ_INFO, -1, 4, 8, 4, NULL, -EPROTO },
	{ "vectors without eventfds", VU_GET_IRQ_INFO, -1, 4, 4, 0, NULL, -ENOSPC },
};

static const struct content *content;

static bool is_about(const struct vus_msg *req)
{
	if (req->h.cmd != content->cmd)
		return false;
	return content->region < 0 || (int)field(req, 8) == content->region;
}

static void answer_content(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	int fd = -1;

	if (!is_about(req))
		return;
	if (content->bytes == 4)
		set32(rep, content->at, (uint32_t)content->v);
	else if (content->bytes == 8)
		set64(rep, content->at, content->v);
	else if (content->cmd == VU_VERSION)
		rep->body[rep->len - 1] = ' ';
	if (content->fd) {
		fd = content->fd();
		replace_fd(rep, fd);
		vus_send(s, rep);
		close(fd);
		rep->drop = true;
	}
}

static void test_contents(void **state)
{
	(void)state;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(contents); i++) {
		struct script t;
		int err;

		content = &contents[i];
		script_begin(&t, LONG_MS);
		t.s->tweak = answer_content;
		err = script_run(&t);
		if (err != content->err)
			fail_msg("%s: %d, not %d (%s)", content->name, err, content->err,
				 said.text);
	}
}

/* A reply that brings less data than it says. */
static void short_read(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	(void)s;
	if (req->h.cmd == VU_REGION_READ && !field(req, 8)) {
		rep->len -= 2;
		rep->h.size -= 2;
	}
}

/* One that does not let go of memory cannot be used any more. */
static void keep_memory(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	if (req->h.cmd == VU_DMA_UNMAP)
		bad_error(s, rep);
}

static void test_others(void **state)
{
	struct script t;

	(void)state;
	script_begin(&t, LONG_MS);
	t.s->tweak = short_read;
	assert_int_equal(script_run(&t), -EIO);
	script_begin(&t, LONG_MS);
	t.s->tweak = keep_memory;
	assert_int_equal(script_run(&t), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_at_each_message),
		cmocka_unit_test(test_messages_of_errors),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests_name("vfio_user_bad", tests, NULL, NULL);
}
