/* SPDX-License-Identifier: BSD-3-Clause */
/* Address spaces by PASID as messages: agreed on first, then used, by clients of good will and others. */
#include "nicsim_vuser_env.h"

/* What the server answers to a client that wants @bits of it; 0: nothing about it. */
static void agree(const char *json, const char *want)
{
	struct {
		struct vu_version v;
		char text[200];
	} m = { { VU_MAJOR, VU_MINOR }, "" };

	strcpy(m.text, json);
	assert_int_equal(ask(VU_VERSION, &m, sizeof(m.v) + strlen(json) + 1), 0);
	if (want)
		assert_non_null(strstr((char *)buf + sizeof(m.v), want));
	else
		assert_null(strstr((char *)buf + sizeof(m.v), VU_X_PASID_CAP));
	close(sock);
	assert_int_equal(vu_poll(vu), -1);
	dial();
}

#define WANT(n) "{\"capabilities\":{\"x_weir_pasid\":{\"bits\":" n "}}}"
#define GIVE(n) "\"x_weir_pasid\":{\"bits\":" n "}"

static void test_pasid_agreement(void **state)
{
	static const char *const none[] = {
		"{}",
		"{\"capabilities\":{}}",
		"{\"capabilities\":[1]}",
		"{\"capabilities\":{\"x_weir_pasid\":20}}",
		"[[[[[[[[[[[[1]]]]]]]]]]]]",
		"no JSON",
		"",
		WANT("-3"),
		WANT("0"),
		WANT("\"20\""),
	};

	(void)state;
	agree(WANT("20"), NULL); /* this server has none */
	vu_set_pasid(vu, 16);
	agree(WANT("20"), GIVE("16"));
	agree(WANT("99999999999"), GIVE("16"));
	agree(WANT("8"), GIVE("8"));
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(none); i++)
		agree(none[i], NULL);
}

static void test_pasid_config(void **state)
{
	(void)state;
	vu_set_pasid(vu, 20);
	negotiate();
	/* End-End TLP prefixes, one of them; then the chain: serial number, PASID, the block's place. */
	assert_int_equal(reg_read(7, 0xC4) & 0xE00000, 0x600000);
	assert_int_equal(reg_read(7, 0x140), 0x15010003);
	assert_int_equal(reg_read(7, 0x150), 0x1601001B);
	assert_int_equal(reg_read(7, 0x154), 20 << 8);
	assert_int_equal(reg_write(7, 0x154, UINT32_MAX), 0);
	assert_int_equal(reg_read(7, 0x154), 20 << 8 | 1 << 16);
	assert_int_equal(reg_read(7, 0x160), 0x0001000B);
	assert_int_equal(reg_read(7, 0x164), 24u << 20 | 1 << 16 | PCICFG_X_ID);
	assert_int_equal(reg_read(7, 0x168), PCICFG_X_MAGIC);
	assert_int_equal(reg_read(7, 0x16C), R_XPASID);
	assert_int_equal(reg_read(7, 0x170), 20 << 16 | 4);
	assert_int_equal(ask(VU_RESET, NULL, 0), 0);
	assert_int_equal(reg_read(7, 0x154), 20 << 8);
}

static int pasid_map(uint32_t pasid, uint32_t flags, uint64_t iova, int fd)
{
	struct vu_pasid_map m = { .p = { sizeof(m), flags, pasid, 0 }, .addr = iova, .size = 8192 };

	command(VU_X_PASID_MAP, &m, sizeof(m), &fd, fd >= 0);
	return answer();
}

static int pasid_unmap(uint32_t pasid, uint64_t iova)
{
	struct vu_pasid_unmap m = { .p = { sizeof(m), 0, pasid, 0 }, .addr = iova, .size = 8192 };

	return ask(VU_X_PASID_UNMAP, &m, sizeof(m));
}

static int pasid_do(unsigned cmd, uint32_t pasid)
{
	struct vu_pasid p = { .argsz = sizeof(p), .pasid = pasid };

	return ask(cmd, &p, sizeof(p));
}

static void want_pasids(void)
{
	struct {
		struct vu_version v;
		char text[sizeof(WANT("20"))];
	} m = { { VU_MAJOR, VU_MINOR }, WANT("20") };

	vu_set_pasid(vu, 8);
	assert_int_equal(ask(VU_VERSION, &m, sizeof(m)), 0);
}

static void test_pasid_messages(void **state)
{
	int fd = memfd_create("t", 0);
	struct dma_who who = { .pasid = 7 };
	unsigned before, v = 0;

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(pwrite(fd, "weir", 4, 0), 4);
	want_pasids();
	before = unit_fds();
	assert_int_equal(pasid_map(7, 3, 0x100000, fd), -ENOENT);
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 7), 0);
	assert_int_equal(pasid_map(7, 3, 0x100000, fd), 0);
	assert_true(dma_read(&vu->nic.dma, who, 0x100000, &v, 4));
	assert_memory_equal(&v, "weir", 4);
	assert_false(dma_read(&vu->nic.dma, (struct dma_who){ 0 }, 0x100000, &v, 4));
	/* Twice; no file; rights that are none; another PASID's; the device's own. */
	assert_int_equal(pasid_map(7, 3, 0x100000, fd), -EEXIST);
	assert_int_equal(pasid_map(7, 3, 0x200000, -1), -EINVAL);
	assert_int_equal(pasid_map(7, 7, 0x200000, fd), -EINVAL);
	assert_int_equal(pasid_map(8, 3, 0x200000, fd), -ENOENT);
	assert_int_equal(pasid_map(0, 3, 0x200000, fd), -ENOENT);
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 7), -EEXIST);
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 0), -EINVAL);
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 256), -EINVAL);
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, UINT32_MAX), -EINVAL);
	assert_int_equal(pasid_do(VU_X_PASID_DETACH, 8), -ENOENT);
	assert_int_equal(pasid_do(VU_X_PASID_DETACH, 0), -ENOENT);
	assert_int_equal(pasid_do(VU_X_PASID_MAP, 7), -EINVAL); /* too short */
	assert_int_equal(pasid_do(VU_X_PASID_UNMAP, 7), -EINVAL);
	assert_int_equal(pasid_do(VU_X_PASID_REPLACE, 7), -EINVAL);
	assert_int_equal(pasid_do(VU_X_PASID_REPLACE + 1, 7), -EOPNOTSUPP);
	assert_int_equal(ask(VU_X_PASID_ATTACH, NULL, 0), -EINVAL);
	assert_int_equal(pasid_unmap(7, 0x101000), -EINVAL);
	assert_int_equal(pasid_unmap(7, 0x100000), 0);
	assert_int_equal(pasid_unmap(7, 0x100000), -ENOENT);
	assert_false(dma_read(&vu->nic.dma, who, 0x100000, &v, 4));
	assert_int_equal(pasid_map(7, 3, 0x100000, fd), 0);
	assert_int_equal(pasid_do(VU_X_PASID_DETACH, 7), 0);
	assert_false(dma_read(&vu->nic.dma, who, 0x100000, &v, 4));
	assert_int_equal(unit_fds(), before);
	/* Nothing of it survives the client, memory that vanishes under a PASID is noticed too. */
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 7), 0);
	assert_int_equal(pasid_map(7, 3, 0x100000, fd), 0);
	vu_catch_sigbus(vu);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_true(dma_read(&vu->nic.dma, who, 0x100000, &v, 4));
	assert_int_equal(vu_poll(vu), -1);
	assert_said("dma-gone");
	assert_null(dma_pasid(&vu->nic.dma, 7));
	close(fd);
}

static int pasid_replace(uint32_t pasid, uint32_t with, uint32_t reserved)
{
	struct vu_pasid_replace m = { .p = { sizeof(m), 0, pasid, 0 }, with, reserved };

	return ask(VU_X_PASID_REPLACE, &m, sizeof(m));
}

static void test_pasid_replace(void **state)
{
	struct dma_who who = { .pasid = 7 };
	int fd = memfd_create("t", 0);
	unsigned v;

	(void)state;
	assert_int_equal(ftruncate(fd, 8192), 0);
	want_pasids();
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 7), 0);
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 8), 0);
	assert_int_equal(pasid_map(7, 3, 0x100000, fd), 0);
	assert_int_equal(pasid_map(8, 3, 0x200000, fd), 0);
	assert_int_equal(pasid_replace(7, 9, 0), -ENOENT);
	assert_int_equal(pasid_replace(9, 8, 0), -ENOENT);
	assert_int_equal(pasid_replace(7, 7, 0), -ENOENT);
	assert_int_equal(pasid_replace(7, 0, 0), -EINVAL);
	assert_int_equal(pasid_replace(0, 8, 0), -EINVAL);
	assert_int_equal(pasid_replace(7, 8, 1), -EINVAL);
	assert_true(dma_read(&vu->nic.dma, who, 0x100000, &v, 4));
	assert_int_equal(pasid_replace(7, 8, 0), 0);
	assert_true(dma_read(&vu->nic.dma, who, 0x200000, &v, 4));
	assert_false(dma_read(&vu->nic.dma, who, 0x100000, &v, 4));
	assert_int_equal(vu->nic.dma.n_pasids, 1);
	close(fd);
}

/* Who has not agreed on them cannot use them, and the next client begins anew. */
static void test_pasid_without(void **state)
{
	(void)state;
	want_pasids();
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 7), 0);
	close(sock);
	assert_int_equal(vu_poll(vu), -1);
	dial();
	negotiate();
	assert_int_equal(pasid_do(VU_X_PASID_ATTACH, 7), -EOPNOTSUPP);
	assert_null(dma_pasid(&vu->nic.dma, 7));
}

/* Commands with PASIDs, their fields made up out of few values, so that some of it fits. */
static void test_pasid_noise(void **state)
{
	static const uint32_t sizes[] = { 0, 15, 16, 32, 40, 48, UINT32_MAX };
	static const uint64_t iovas[] = { 0, 4096, 1u << 20, 4097, UINT64_MAX - 4095, 1ull << 63 };
	int fd = memfd_create("t", 0), fds[2] = { fd, sock };
	uint64_t seed = 12;
	unsigned before, done = 0;

	(void)state;
	assert_int_equal(ftruncate(fd, 16384), 0);
	want_pasids();
	before = unit_fds();
	for (unsigned i = 0; i < (UNIT_SLOW ? 10000 : 20000); i++) {
		struct vu_pasid_map m = {
			.p = { .argsz = sizes[unit_random(&seed) % 7],
			       .flags = (uint32_t)(unit_random(&seed) % 5),
			       .pasid = (uint32_t)(unit_random(&seed) % 5) * 85,
			       .reserved = unit_random(&seed) % 16 == 0 },
			.offset = iovas[unit_random(&seed) % 6],
			.addr = iovas[unit_random(&seed) % 6],
			.size = iovas[unit_random(&seed) % 6],
		};
		unsigned cmd = VU_X_PASID_ATTACH + (unsigned)(unit_random(&seed) % 6), v;
		int err;

		command(cmd, &m, weir_min_u(sizes[unit_random(&seed) % 7], sizeof(m)), fds,
			(unsigned)(unit_random(&seed) % 3));
		err = answer();
		assert_int_not_equal(err, -ECONNRESET);
		done += !err;
		dma_read(&vu->nic.dma, (struct dma_who){ .pasid = m.p.pasid }, m.addr, &v, 4);
	}
	assert_true(done > 50);
	dma_pasid_end(&vu->nic.dma);
	assert_int_equal(unit_fds(), before);
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_pasid_agreement), T(test_pasid_config), T(test_pasid_messages),
		T(test_pasid_without),	 T(test_pasid_noise),  T(test_pasid_replace),
	};

	return cmocka_run_group_tests_name("nicsim_vuser_pasid", tests, NULL, NULL);
}
