/* SPDX-License-Identifier: BSD-3-Clause */
/* The vfio-user server: what it answers, and what it makes of clients that mean no good. */
#include "nicsim_vuser_env.h"

static void test_info(void **state)
{
	struct vu_device_info d = { .argsz = sizeof(d) };
	struct vu_region_info r = { .argsz = sizeof(r) }, out;
	struct vu_irq_info q = { .argsz = sizeof(q), .index = 2 };
	const struct vu_cap_sparse *s = (void *)(buf + sizeof(r));
	uint32_t *page;

	(void)state;
	negotiate();
	assert_int_equal(ask(VU_GET_INFO, &d, sizeof(d)), 0);
	memcpy(&d, buf, sizeof(d));
	assert_int_equal(d.num_regions, 9);
	/* Too little room for the areas: told how much, and no fd. */
	assert_int_equal(ask(VU_GET_REGION_INFO, &r, sizeof(r)), 0);
	memcpy(&out, buf, sizeof(out));
	assert_int_equal(out.size, NIC_BAR0);
	assert_int_equal(out.argsz, 80);
	assert_int_equal(out.cap_offset, 0);
	assert_false(out.flags & VFIO_REGION_INFO_FLAG_CAPS);
	assert_int_equal(got_fd, -1);
	r.argsz = 80;
	assert_int_equal(ask(VU_GET_REGION_INFO, &r, sizeof(r)), 0);
	assert_int_equal(s->n, 2);
	assert_true(got_fd >= 0);
	/* A queue register written by message is seen there, and the memory cannot be cut. */
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, got_fd,
		    (off_t)s->areas[0].offset);
	assert_true(page != MAP_FAILED);
	assert_int_equal(reg_write(0, R_RXQ + Q_TAIL, 5), 0);
	assert_int_equal(page[Q_TAIL / 4], 5);
	page[Q_TAIL / 4] = 9;
	assert_int_equal(reg_read(0, R_RXQ + Q_TAIL), 9);
	assert_int_equal(ftruncate(got_fd, 0), -1);
	munmap(page, 4096);
	close(got_fd);
	assert_int_equal(ask(VU_GET_IRQ_INFO, &q, sizeof(q)), 0);
	memcpy(&q, buf, sizeof(q));
	assert_int_equal(q.count, 64);
	assert_int_equal(reg_read(7, 0), 0x10FB8086);
	assert_int_equal(reg_write(2, 0, R_STATUS), 0);
	assert_int_equal(reg_read(2, 4), STATUS_GIO);
	assert_int_equal(reg_write(4, 16, 0xABCD), 0);
	assert_int_equal(reg_read(4, 16), 0xABCD);
}

static void test_dma(void **state)
{
	struct vu_dma_map m = { .argsz = sizeof(m), .flags = 3, .addr = 0x100000, .size = 8192 };
	struct vu_dma_unmap u = { .argsz = sizeof(u), .addr = 0x100000, .size = 8192 };
	int fd = memfd_create("t", 0);
	unsigned before, v = 0;

	(void)state;
	negotiate();
	assert_int_equal(ftruncate(fd, 16384), 0);
	assert_int_equal(pwrite(fd, "weir", 4, 4096), 4);
	before = unit_fds();
	m.offset = 4096;
	command(VU_DMA_MAP, &m, sizeof(m), &fd, 1);
	assert_int_equal(answer(), 0);
	assert_true(dma_read(&vu->nic.dma, (struct dma_who){ 0 }, 0x100000, &v, 4));
	assert_memory_equal(&v, "weir", 4);
	/* Twice; past the end of the file; without a file. */
	command(VU_DMA_MAP, &m, sizeof(m), &fd, 1);
	assert_int_equal(answer(), -EEXIST);
	m.addr = 0x200000;
	m.offset = 12288;
	command(VU_DMA_MAP, &m, sizeof(m), &fd, 1);
	assert_int_equal(answer(), -EINVAL);
	m.offset = UINT64_MAX - 4095;
	command(VU_DMA_MAP, &m, sizeof(m), &fd, 1);
	assert_int_equal(answer(), -EINVAL);
	assert_int_equal(ask(VU_DMA_MAP, &m, sizeof(m)), 0);
	/* A pipe is no memory. */
	m.addr = 0x300000;
	command(VU_DMA_MAP, &m, sizeof(m), &sock, 1);
	assert_int_equal(answer(), -EINVAL);
	u.size = 4096;
	assert_int_equal(ask(VU_DMA_UNMAP, &u, sizeof(u)), -EINVAL);
	u.size = 8192;
	assert_int_equal(ask(VU_DMA_UNMAP, &u, sizeof(u)), 0);
	/* What is not mapped (any more) is no error to QEMU. */
	assert_int_equal(ask(VU_DMA_UNMAP, &u, sizeof(u)), 0);
	u = (struct vu_dma_unmap){ .argsz = sizeof(u), .flags = 2 };
	assert_int_equal(ask(VU_DMA_UNMAP, &u, sizeof(u)), 0);
	assert_int_equal(vu->nic.dma.n, 0);
	assert_int_equal(unit_fds(), before);
	close(fd);
}

/* The client's answer to access number @id, sent before it is asked. */
static void serve_access(unsigned id, unsigned cmd, uint64_t addr, uint64_t count, const char *data,
			 uint32_t flags)
{
	struct {
		struct vu_hdr h;
		struct vu_dma_rw rw;
		char data[16];
	} m = { .h = { .id = (uint16_t)id, .cmd = (uint16_t)cmd, .flags = VU_F_REPLY | flags },
		.rw = { .addr = addr, .count = count } };
	size_t len = sizeof(m.h) + sizeof(m.rw) + strlen(data);

	if (flags & VU_F_ERROR)
		len = sizeof(m.h);
	m.h.size = (uint32_t)len;
	memcpy(m.data, data, strlen(data));
	transmit(&m, len, NULL, 0);
}

static void assert_asked(unsigned id, unsigned cmd, uint64_t addr, const char *data)
{
	struct vu_hdr *h = (void *)buf;
	struct vu_dma_rw *rw = (void *)(h + 1);
	size_t len = sizeof(*h) + sizeof(*rw) + strlen(data);

	assert_int_equal(recv(sock, buf, len, MSG_DONTWAIT), len);
	assert_int_equal(h->id, id);
	assert_int_equal(h->cmd, cmd);
	assert_int_equal(h->size, len);
	assert_int_equal(rw->addr, addr);
	assert_memory_equal(rw + 1, data, strlen(data));
}

static void test_dma_by_message(void **state)
{
	struct vu_dma_map m = { .argsz = sizeof(m), .flags = 3, .addr = 0x200000, .size = 4096 };
	struct vu_region_rw rw = { .offset = 0,
				   .region = VFIO_PCI_CONFIG_REGION_INDEX,
				   .count = 4 };
	struct dma *d = &vu->nic.dma;
	struct dma_who who = { 0 };
	uint64_t v = 0;

	(void)state;
	negotiate();
	assert_int_equal(ask(VU_DMA_MAP, &m, sizeof(m)), 0);
	/* A command that comes between request and answer has to wait, and is not lost. */
	command(VU_REGION_READ, &rw, sizeof(rw), NULL, 0);
	serve_access(1, VU_DMA_READ, 0x200010, 4, "weir", 0);
	assert_true(dma_read(d, who, 0x200010, &v, 4));
	assert_memory_equal(&v, "weir", 4);
	assert_asked(1, VU_DMA_READ, 0x200010, "");
	assert_int_equal(answer(), 0);
	assert_memory_equal(buf + sizeof(rw), "\x86\x80\xfb\x10", 4);
	serve_access(2, VU_DMA_WRITE, 0x200ff8, 8, "", 0);
	assert_true(dma_store(d, who, 0x200ff8, "01234567", 8));
	assert_asked(2, VU_DMA_WRITE, 0x200ff8, "01234567");
	/* Refused: a fault, and the client stays. */
	assert_int_equal(d->faults, 0);
	serve_access(3, VU_DMA_READ, 0, 0, "", VU_F_ERROR);
	assert_false(dma_read(d, who, 0x200000, &v, 4));
	assert_asked(3, VU_DMA_READ, 0x200000, "");
	assert_int_equal(d->faults, 1);
	assert_int_equal(vu_poll(vu), 0);
	/* What is not mapped is not asked for. */
	assert_false(dma_read(d, who, 0x201000, &v, 4));
	assert_int_equal(vu->asks, 3);
	/* An answer to something else, or of another length, is the end. */
	serve_access(4, VU_DMA_READ, 0x200000, 4, "weirweir", 0);
	assert_false(dma_read(d, who, 0x200000, &v, 4));
	assert_int_equal(vu_poll(vu), -1);
	assert_int_equal(vu->fd, -1);
}

/* More commands than can wait, one with a file; all is given back. */
static void test_dma_flood(void **state)
{
	struct vu_dma_map m = { .argsz = sizeof(m), .flags = 3, .addr = 0x200000, .size = 4096 };
	unsigned before;
	uint64_t v;

	(void)state;
	negotiate();
	before = unit_fds();
	assert_int_equal(ask(VU_DMA_MAP, &m, sizeof(m)), 0);
	for (unsigned i = 0; i < 70; i++)
		command(VU_DMA_MAP, &m, sizeof(m), &sock, 1);
	assert_false(dma_read(&vu->nic.dma, (struct dma_who){ 0 }, 0x200000, &v, 4));
	assert_int_equal(vu_poll(vu), -1);
	/* the connection's end, too */
	assert_int_equal(unit_fds(), before - 1);
	assert_null(vu->late);
}

/* The client takes its memory back while it is mapped. */
static void test_memory_vanishes(void **state)
{
	struct vu_dma_map m = { .argsz = sizeof(m), .flags = 3, .addr = 0x100000, .size = 8192 };
	int fd = memfd_create("t", 0);
	uint32_t v = 1;

	(void)state;
	vu_catch_sigbus(vu);
	negotiate();
	assert_int_equal(ftruncate(fd, 8192), 0);
	command(VU_DMA_MAP, &m, sizeof(m), &fd, 1);
	assert_int_equal(answer(), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_true(dma_read(&vu->nic.dma, (struct dma_who){ 0 }, 0x100000, &v, 4));
	assert_int_equal(v, 0);
	assert_int_equal(vu_poll(vu), -1);
	assert_int_equal(vu->fd, -1);
	assert_said("dma-gone");
	close(fd);
}

static void test_irqs(void **state)
{
	struct vu_irq_set s = { .argsz = sizeof(s), .flags = 4 | 32, .index = 2, .count = 2 };
	int fds[2] = { eventfd(0, EFD_NONBLOCK), eventfd(0, EFD_NONBLOCK) };
	unsigned before;
	uint64_t n;

	(void)state;
	negotiate();
	before = unit_fds();
	command(VU_SET_IRQS, &s, sizeof(s), fds, 2);
	assert_int_equal(answer(), 0);
	assert_int_equal(unit_fds(), before + 2);
	reg_write(0, R_GPIE, GPIE_MSIX);
	vu_raise(vu, 1);
	vu_raise(vu, 40); /* has none */
	assert_int_equal(read(fds[1], &n, 8), 8);
	assert_int_equal(read(fds[0], &n, 8), -1);
	/* One fd too few; too many vectors; unknown index; unknown data. */
	command(VU_SET_IRQS, &s, sizeof(s), fds, 1);
	assert_int_equal(answer(), -EINVAL);
	s.start = 63;
	assert_int_equal(ask(VU_SET_IRQS, &s, sizeof(s)), -EINVAL);
	s.start = UINT32_MAX;
	assert_int_equal(ask(VU_SET_IRQS, &s, sizeof(s)), -EINVAL);
	s.start = 0;
	s.index = 5;
	assert_int_equal(ask(VU_SET_IRQS, &s, sizeof(s)), -EINVAL);
	s.index = 2;
	s.flags = 2 | 32;
	assert_int_equal(ask(VU_SET_IRQS, &s, sizeof(s)), -EOPNOTSUPP);
	/* All off. */
	s.flags = 1 | 32;
	s.count = 0;
	assert_int_equal(ask(VU_SET_IRQS, &s, sizeof(s)), 0);
	assert_int_equal(unit_fds(), before);
	close(fds[0]);
	close(fds[1]);
}

static void test_bad_accesses(void **state)
{
	struct vu_region_rw rows[] = {
		{ .offset = 0, .region = 9, .count = 4 },
		{ .offset = 0, .region = 1, .count = 4 },
		{ .offset = NIC_BAR0, .region = 0, .count = 4 },
		{ .offset = NIC_BAR0 - 4, .region = 0, .count = 8 },
		{ .offset = UINT64_MAX - 3, .region = 0, .count = 4 },
		{ .offset = 0, .region = 0, .count = 0 },
		{ .offset = 0, .region = 0, .count = UINT32_MAX },
		{ .offset = 2, .region = 0, .count = 4 },
		{ .offset = 0, .region = 0, .count = 1 },
		{ .offset = 4095, .region = 7, .count = 2 },
		{ .offset = 0, .region = 2, .count = 2 },
	};

	(void)state;
	negotiate();
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		assert_int_equal(ask(VU_REGION_READ, &rows[i], sizeof(rows[i])), -EINVAL);
		assert_int_equal(ask(VU_REGION_WRITE, &rows[i], sizeof(rows[i])), -EINVAL);
	}
	/* Data that did not come. */
	rows[0] = (struct vu_region_rw){ .region = 0, .count = 4 };
	assert_int_equal(ask(VU_REGION_WRITE, &rows[0], sizeof(rows[0])), -EINVAL);
	assert_int_equal(ask(VU_REGION_READ, &rows[0], 8), -EINVAL);
	assert_int_equal(ask(99, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(ask(VU_GET_INFO, NULL, 0), -EINVAL);
	assert_int_equal(reg_read(0, R_STATUS), STATUS_GIO);
}

static void test_reset(void **state)
{
	(void)state;
	negotiate();
	assert_int_equal(reg_write(7, 4, 6), 0);
	assert_true(vu->nic.bus_master);
	reg_write(0, R_RXQ + Q_DCTL, DCTL_ENABLE);
	assert_true(vu->nic.rx[0].on);
	assert_int_equal(ask(VU_RESET, NULL, 0), 0);
	assert_false(vu->nic.bus_master);
	assert_false(vu->nic.rx[0].on);
}

static void hung_up(void)
{
	assert_int_equal(answer(), -ECONNRESET);
	assert_int_equal(vu->fd, -1);
	close(sock);
	dial();
}

/* What no client of good will sends: it is disconnected, the next one is served. */
static void test_disconnected(void **state)
{
	struct vu_hdr h = { .id = 1, .cmd = VU_VERSION, .size = 15 };
	struct vu_version v = { .major = 9 };
	int fds[70];
	unsigned before = unit_fds();

	(void)state;
	transmit(&h, sizeof(h), NULL, 0); /* shorter than itself */
	hung_up();
	h.size = VU_MSG_MAX + 1;
	transmit(&h, sizeof(h), NULL, 0);
	hung_up();
	h.size = sizeof(h);
	h.flags = VU_F_REPLY;
	transmit(&h, sizeof(h), NULL, 0); /* an answer to nothing */
	hung_up();
	/* No version, or one that is not ours. */
	assert_int_equal(ask(VU_GET_INFO, NULL, 0), -EINVAL);
	hung_up();
	assert_int_equal(ask(VU_VERSION, &v, sizeof(v)), -EINVAL);
	hung_up();
	/* More fds than it said it takes; none stays open. */
	negotiate();
	for (unsigned i = 0; i < 70; i++)
		fds[i] = sock;
	command(VU_DMA_MAP, &v, sizeof(v), fds, 70);
	hung_up();
	assert_int_equal(unit_fds(), before);
	/* In the middle of a message. */
	transmit(&h, 7, NULL, 0);
	assert_int_equal(vu_poll(vu), 0);
	shutdown(sock, SHUT_RDWR);
	assert_int_equal(vu_poll(vu), -1);
	close(sock);
	dial();
	negotiate();
}

/* A message in pieces is a message. */
static void test_pieces(void **state)
{
	struct {
		struct vu_hdr h;
		struct vu_device_info d;
	} m = { { .id = 77, .cmd = VU_GET_INFO, .size = sizeof(m) }, { .argsz = 16 } };

	(void)state;
	negotiate();
	for (unsigned i = 0; i < sizeof(m); i++) {
		assert_int_equal(vu_poll(vu), 0);
		transmit((char *)&m + i, 1, NULL, 0);
	}
	assert_int_equal(answer(), 0);
	assert_true(vu->fd >= 0);
}

static void test_faults(void **state)
{
	(void)state;
	negotiate();
	nic_set_fault(&vu->nic, "stall:3");
	assert_int_equal(reg_read(0, R_STATUS), STATUS_GIO);
	assert_int_equal(ask(VU_RESET, NULL, 0), -EAGAIN);
	nic_set_fault(&vu->nic, "gone:4");
	vu->stalled = false;
	command(VU_RESET, NULL, 0, NULL, 0);
	hung_up();
	assert_int_equal(vu->clients, 2);
}

static void test_second_server(void **state)
{
	static const uint8_t mac[6] = { 2 };
	struct vu *other = NULL;

	(void)state;
	assert_int_equal(vu_open(w, path, 1, mac, &other), -EADDRINUSE);
	assert_said("nicsim-socket");
}

/* Random commands with random payloads: an answer or the end, and nothing leaks. */
static void test_noise(void **state)
{
	uint64_t seed = 11;
	unsigned before = unit_fds();

	(void)state;
	for (unsigned i = 0; i < (UNIT_SLOW ? 1000 : 5000); i++) {
		uint32_t m[32];
		unsigned words = (unsigned)(unit_random(&seed) % 32);
		int fds[2] = { sock, sock };

		if (!vu->versioned)
			negotiate();
		for (unsigned k = 0; k < words; k++)
			m[k] = (uint32_t)(unit_random(&seed) % (k & 1 ? 9 : 5000));
		if (words)
			m[0] = 4096;
		command(2 + (unsigned)(unit_random(&seed) % 17), m, words * 4, fds,
			(unsigned)(unit_random(&seed) % 3));
		if (answer() == -ECONNRESET) {
			close(sock);
			dial();
		}
		if (got_fd >= 0)
			close(got_fd);
		nic_poll(&vu->nic, 8);
	}
	vu_irqs_close(vu);
	assert_int_equal(unit_fds(), before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_info),
		T(test_dma),
		T(test_dma_by_message),
		T(test_dma_flood),
		T(test_memory_vanishes),
		T(test_irqs),
		T(test_bad_accesses),
		T(test_reset),
		T(test_disconnected),
		T(test_pieces),
		T(test_faults),
		T(test_noise),
		T(test_second_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
