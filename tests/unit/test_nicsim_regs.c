/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated NIC's registers, EEPROM, interrupts and configuration space. */
#include "nicsim_env.h"
#include "apps/nicsim/pcicfg.h"
#include "core/clock.h"

static unsigned word(unsigned at)
{
	uint32_t v;

	reg(R_EERD, at << 2 | EERD_START);
	v = rd(R_EERD);
	assert_true(v & EERD_DONE);
	return v >> 16;
}

static void test_eeprom(void **state)
{
	unsigned sum = 0;

	(void)state;
	for (unsigned i = 0; i <= 0x3F; i++)
		sum += word(i);
	for (unsigned i = 3; i < 0xF; i++)
		assert_true(word(i) == 0xFFFF);
	assert_int_equal(sum & 0xFFFF, 0xBABA);
	assert_int_equal(word(0x3FFF), 0xFFFF);
	/* Where drivers look for the firmware's version, which is to be above 5. */
	assert_int_equal(word(word(word(0x0F) + 4) + 7), 6);
	assert_true(rd(R_EEC) & EEC_PRES);
	nic_set_fault(&env->nic, "eeprom-checksum");
	assert_true(word(0x3F) != 0);
	nic_set_fault(&env->nic, "stuck-eeprom");
	reg(R_EERD, EERD_START);
	assert_false(rd(R_EERD) & EERD_DONE);
}

static void test_semaphore(void **state)
{
	(void)state;
	assert_false(rd(R_SWSM) & SWSM_SMBI);
	assert_true(rd(R_SWSM) & SWSM_SMBI);
	reg(R_SWSM, 0);
	assert_false(rd(R_SWSM) & SWSM_SMBI);
	reg(R_SWSM, SWSM_SMBI | SWSM_SWESMBI);
	assert_true(rd(R_SWSM) & SWSM_SWESMBI);
	nic_set_fault(&env->nic, "stuck-semaphore");
	assert_true(rd(R_SWSM) & SWSM_SMBI);
}

static void test_reset(void **state)
{
	(void)state;
	rx_start(0, 8);
	tx_start();
	reg(R_RAL, 0x12345678);
	assert_true(env->nic.rx[0].on);
	reg(R_CTRL, CTRL_RST);
	assert_int_equal(rd(R_CTRL), 0);
	assert_false(env->nic.rx[0].on);
	assert_false(env->nic.tx[0].r.on);
	assert_int_equal(rd(R_RAL), 0x00000002);
	assert_int_equal(rd(R_RAL + 4), 0x0200 | RAH_AV);
	assert_int_equal(rd(R_RXQ + Q_DCTL), 0);
	assert_true(rd(R_RDRXCTL) & RDRXCTL_DMADONE);
	nic_set_fault(&env->nic, "stuck-reset");
	reg(R_CTRL, CTRL_RST);
	assert_true(rd(R_CTRL) & CTRL_RST);
}

static void test_stuck_queues(void **state)
{
	(void)state;
	nic_set_fault(&env->nic, "stuck-rx");
	rx_start(0, 8);
	assert_int_equal(rd(R_RXQ + Q_DCTL) & DCTL_ENABLE, 0);
	nic_set_fault(&env->nic, "stuck-tx");
	tx_start();
	assert_int_equal(rd(R_TXQ + Q_DCTL) & DCTL_ENABLE, 0);
	rx_start(0, 8);
	assert_true(rd(R_RXQ + Q_DCTL) & DCTL_ENABLE);
}

static void test_ones(void **state)
{
	(void)state;
	nic_set_fault(&env->nic, "ones:3");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rd(R_STATUS), STATUS_GIO);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(rd(R_STATUS), UINT32_MAX);
	/* In the mapped pages too. */
	assert_int_equal(env->page[0][Q_TAIL / 4], UINT32_MAX);
	assert_int_equal(nic_poll(&env->nic, 64), 0);
}

static void test_table(void **state)
{
	(void)state;
	/* Unknown: zero, counted, no write. */
	assert_int_equal(rd(0x1F000), 0);
	reg(0x1F000, 5);
	assert_int_equal(rd(0x1F000), 0);
	assert_int_equal(env->nic.unknown, 3);
	assert_int_equal(env->nic.n_unknown, 1);
	assert_null(nic_reg_name(0x1F000));
	assert_string_equal(nic_reg_name(R_CTRL), "CTRL");
	/* Old places of registers. */
	reg(0x02104, 0x123);
	assert_int_equal(rd(R_RXQ + Q_STRIDE + Q_SRRCTL), 0x123);
	reg(0x05C04, 0xFFFFFFFF);
	assert_int_equal(rd(R_RETA + 4), 0x0F0F0F0F);
	/* A module is in the cage, whatever is written; firmware there is. */
	reg(R_ESDP, 0);
	assert_int_equal(rd(R_ESDP), ESDP_SDP2);
	assert_int_equal(rd(R_FWSM), FWSM_VALID);
	reg(R_RAL + 12, 0x800CFFFF);
	assert_int_equal(rd(0x0540C), 0x8000FFFF);
	reg(0x03008, 0x5A5A5A5A);
	assert_int_equal(rd(0x03008), 0x5A5A5A5A);
	/* Every offset can be touched. */
	for (uint32_t off = 0; off < NIC_BAR0; off += 4) {
		rd(off);
		reg(off, off == R_CTRL || off == 4 ? 0 : 0xFFFFFFFF);
	}
	nic_poll(&env->nic, 64);
}

static void test_links(void **state)
{
	(void)state;
	assert_true(rd(R_LINKS) & LINKS_UP);
	nic_set_fault(&env->nic, "no-link");
	assert_false(rd(R_LINKS) & LINKS_UP);
	assert_false(nic_rx_ready(&env->nic));
}

static void msix_on(void)
{
	reg(R_GPIE, GPIE_MSIX | GPIE_OCD | GPIE_EIAME);
	reg(R_IVAR, 0x83828180); /* RX 0, TX 0, RX 1, TX 1 */
	reg(R_IVAR_MISC, 0x8500);
	reg(R_EICR, 0xFFFFFFFF);
}

static void test_msix(void **state)
{
	(void)state;
	msix_on();
	intr_queue(&env->nic, false, 0);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[0], 0); /* masked */
	assert_int_equal(rd(R_EICR) & 0xFFFF, 1);
	reg(R_EIMS_EX, 0xF);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[0], 1);
	/* Not again until it is cleared. */
	intr_queue(&env->nic, false, 0);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[0], 1);
	reg(R_EICR, 1);
	intr_queue(&env->nic, false, 0);
	intr_queue(&env->nic, true, 1);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[0], 2);
	assert_int_equal(env->raised[3], 1);
	/* Auto-clear and auto-mask. */
	reg(R_EIAC, 0xFFFF);
	reg(R_EIAM_EX, 0xFFFF);
	reg(R_EICR, 0xFFFF);
	intr_queue(&env->nic, false, 1);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[2], 1);
	assert_int_equal(rd(R_EICR) & 4, 0);
	assert_int_equal(rd(R_EIMS_EX) & 4, 0);
	intr_queue(&env->nic, false, 1);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[2], 1);
	reg(R_EIMS_EX, 4);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[2], 2);
}

static void test_other_causes(void **state)
{
	(void)state;
	msix_on();
	reg(R_EIMS, EICR_LSC);
	intr_other(&env->nic, EICR_LSC);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[5], 1);
	assert_true(rd(R_EICR) & EICR_LSC);
	assert_false(rd(R_EICR) & EICR_LSC);
	/* By software. */
	reg(R_EICS, EICR_LSC);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[5], 2);
}

static void test_moderation(void **state)
{
	uint64_t wait;

	(void)state;
	msix_on();
	reg(R_EITR0, 511 << 3); /* about 1 ms */
	reg(R_EIMS, 1);
	for (unsigned i = 0; i < 2; i++) {
		intr_queue(&env->nic, false, 0);
		wait = intr_poll(&env->nic);
		reg(R_EICR, i ? 0 : 1);
	}
	assert_int_equal(env->raised[0], 1);
	assert_true(wait > 0 && wait <= 1100000);
	weir_sleep_us(1500);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[0], 2);
}

static void test_intx(void **state)
{
	(void)state;
	reg(R_IVAR, 0x83828180);
	reg(R_EIAM, 0xFFFF);
	reg(R_EICR, 0xFFFFFFFF);
	reg(R_EIMS, 0xFFFF);
	intr_queue(&env->nic, false, 1);
	intr_poll(&env->nic);
	assert_int_equal(env->raised[0], 1);
	/* The read clears, and masks. */
	assert_int_equal(rd(R_EICR) & 0xFFFF, 4);
	assert_int_equal(rd(R_EICR) & 0xFFFF, 0);
	assert_int_equal(rd(R_EIMS) & 0xFFFF, 0);
}

static uint32_t cfg32(const struct pcicfg *c, unsigned off)
{
	uint32_t v;

	pcicfg_read(c, off, &v, 4);
	return v;
}

static void test_config(void **state)
{
	static const uint8_t mac[6] = { 2, 0x82, 0x11, 0x22, 0x33, 0x44 };
	static const uint8_t caps[] = { 0x01, 0x05, 0x11, 0x10 };
	static struct pcicfg c;
	uint32_t ones = UINT32_MAX;
	unsigned at, i;

	(void)state;
	pcicfg_init(&c, mac);
	assert_int_equal(cfg32(&c, 0), 0x10FB8086);
	assert_int_equal(cfg32(&c, 8) >> 8, 0x020000);
	pcicfg_write(&c, 0, &ones, 4);
	assert_int_equal(cfg32(&c, 0), 0x10FB8086);
	/* Sizing of the BARs. */
	for (at = 0x10; at < 0x28; at += 4)
		pcicfg_write(&c, at, &ones, 4);
	assert_int_equal(cfg32(&c, 0x10), 0xFFFE000C);
	assert_int_equal(cfg32(&c, 0x18), 0xFFFFFFE1);
	assert_int_equal(cfg32(&c, 0x1C), 0);
	assert_int_equal(cfg32(&c, 0x20), 0xFFFFC00C);
	/* The chain ends, and holds what it should in this order. */
	for (at = c.b[0x34], i = 0; at; at = c.b[at + 1], i++) {
		assert_true(i < WEIR_ARRAY_SIZE(caps));
		assert_int_equal(c.b[at], caps[i]);
	}
	assert_int_equal(i, WEIR_ARRAY_SIZE(caps));
	assert_int_equal(cfg32(&c, 0x100) & 0xFFFF, 1);
	at = cfg32(&c, 0x100) >> 20;
	assert_int_equal(cfg32(&c, at) & 0xFFFF, 3);
	assert_int_equal(cfg32(&c, at + 4), 0xFF223344);
	assert_int_equal(cfg32(&c, at + 8), 0x028211FF);
	/* Bus mastering; FLR by any write that covers its bit, which reads as zero. */
	assert_false(pcicfg_bus_master(&c));
	assert_false(pcicfg_write(&c, 4, &(uint16_t){ 6 }, 2));
	assert_true(pcicfg_bus_master(&c));
	assert_true(pcicfg_write(&c, 0xA8, &(uint16_t){ 0x8000 }, 2));
	assert_int_equal(cfg32(&c, 0xA8) & 0x8000, 0);
	assert_false(pcicfg_write(&c, 0xA8, &(uint8_t){ 0x80 }, 1));
}

static void test_fifo(void **state)
{
	static struct wire_fifo q;
	uint64_t seed = 3;
	uint32_t in = 0, out = 0;
	static uint8_t f[3000];
	unsigned len;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		if (unit_random(&seed) % 100 < 51) {
			memcpy(f, &in, 4);
			assert_true(wire_fifo_push(&q, f, 4 + in % 2900));
			in++;
		} else if (out < in) {
			const uint8_t *p = wire_fifo_peek(&q, &len);

			assert_memory_equal(p, &out, 4);
			assert_int_equal(len, 4 + out % 2900);
			wire_fifo_pop(&q);
			out++;
		}
		assert_int_equal(q.frames, in - out);
	}
	free(q.data);
}

static void test_options(void **state)
{
	uint64_t v = 7;
	char text[8];

	(void)state;
	assert_true(wire_number("a,b=12,c", "b", &v));
	assert_int_equal(v, 12);
	assert_true(wire_number("a,b=12", "x", &v));
	assert_int_equal(v, 12);
	assert_false(wire_number("b=", "b", &v));
	assert_false(wire_number("b=1x", "b", &v));
	assert_false(wire_number("b=-1", "b", &v));
	assert_true(wire_option("abc=1,ab=2", "ab", text, sizeof(text)));
	assert_string_equal(text, "2");
	assert_false(wire_option("", "ab", text, sizeof(text)));
	assert_false(wire_option(NULL, "ab", text, sizeof(text)));
}

/* --- the module, read as a driver does --- */

static void wires(bool scl, bool sda)
{
	reg(R_I2CCTL, (scl ? 2 : 0) | (sda ? 8 : 0));
}

/* Clock a bit out, return what is on the wire. */
static bool clock_bit(bool sda)
{
	bool in;

	wires(false, sda);
	wires(true, sda);
	in = rd(R_I2CCTL) & 4;
	wires(false, sda);
	return in;
}

/* Return: acknowledged. */
static bool i2c_out(uint8_t b)
{
	for (int i = 7; i >= 0; i--)
		clock_bit(b >> i & 1);
	return !clock_bit(true);
}

static void i2c_start(void)
{
	wires(false, true);
	wires(true, true);
	wires(true, false);
	wires(false, false);
}

static int i2c_get(uint8_t dev, uint8_t at, unsigned n, uint8_t *out)
{
	i2c_start();
	if (!i2c_out(dev) || !i2c_out(at))
		return -1;
	i2c_start();
	assert_true(i2c_out(dev | 1));
	for (unsigned k = 0; k < n; k++) {
		out[k] = 0;
		for (unsigned i = 0; i < 8; i++)
			out[k] = (uint8_t)(out[k] << 1 | clock_bit(true));
		clock_bit(k + 1 == n);
	}
	wires(false, false);
	wires(true, false);
	wires(true, true);
	return 0;
}

static void test_module(void **state)
{
	uint8_t b[4];

	(void)state;
	assert_int_equal(i2c_get(0xA0, 0, 4, b), 0);
	assert_int_equal(b[0], 3);
	assert_int_equal(b[3], 0x10);
	assert_int_equal(i2c_get(0xA0, 20, 4, b), 0);
	assert_memory_equal(b, "weir", 4);
	assert_int_equal(i2c_get(0xB0, 0, 1, b), -1);
	assert_int_equal(i2c_get(0xA0, 37, 3, b), 0);
	assert_memory_equal(b, "\0\x1B\x21", 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, env_setup, env_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_eeprom), T(test_semaphore),    T(test_reset),	  T(test_stuck_queues),
		T(test_ones),	T(test_table),	      T(test_links),	  T(test_msix),
		T(test_intx),	T(test_other_causes), T(test_moderation), T(test_config),
		T(test_fifo),	T(test_options),      T(test_module),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
