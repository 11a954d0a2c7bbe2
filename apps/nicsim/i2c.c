/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SFP+ cage: drivers read the module's identity by toggling two wires in I2CCTL. In it is an
 * optical module (10GBASE-SR) as SFF-8472 describes one; writes to it are acknowledged and forgotten.
 */
#include "apps/nicsim/nic.h"

#define CLK_IN	 (1u << 0)
#define CLK_OUT	 (1u << 1)
#define DATA_IN	 (1u << 2)
#define DATA_OUT (1u << 3)

enum { IDLE, ADDR, OFFSET, WRITE, READ };

/* Identifier, 10G codes, encoding, vendor with its OUI, part, revision, wavelength, serial. */
static uint8_t module_byte(unsigned at)
{
	static const char vendor[] = "weir            ", part[] = "NICSIM-SR       ";
	static const uint8_t oui[] = { 0x00, 0x1B, 0x21 };

	if (at >= 20 && at < 36)
		return (uint8_t)vendor[at - 20];
	if (at >= 37 && at < 40)
		return oui[at - 37];
	if (at >= 40 && at < 56)
		return (uint8_t)part[at - 40];
	switch (at) {
	case 0:
		return 0x03;
	case 2:
		return 0x07;
	case 3:
		return 0x10;
	case 11:
		return 0x06;
	case 12:
		return 103;
	default:
		return 0;
	}
}

/* The clock fell: the module may change its wire. */
static void fall(struct nic_i2c *s)
{
	bool mine = (s->shift & 0xFE) == 0xA0;

	if (s->bit == 8) {
		if (s->state == ADDR && !mine)
			s->state = IDLE;
		if (s->state == OFFSET)
			s->at = s->shift;
		s->out = s->state == IDLE || s->state == READ;
	} else if (s->bit == 9) {
		s->bit = 0;
		if (s->state == ADDR)
			s->state = s->shift & 1 ? READ : OFFSET;
		else if (s->state == OFFSET)
			s->state = WRITE;
		else if (s->state == READ && !s->acked)
			s->state = IDLE;
		if (s->state == READ)
			s->shift = module_byte(s->at++);
	}
	if (s->bit < 8)
		s->out = s->state != READ || s->shift >> (7 - s->bit) & 1;
}

/* The clock rose: what is on the wire counts. */
static void rise(struct nic_i2c *s, bool sda)
{
	if (s->bit == 8)
		s->acked = !sda;
	else if (s->state != READ)
		s->shift = (uint8_t)(s->shift << 1 | sda);
	s->bit++;
}

uint32_t i2c_read(const struct nic *n)
{
	const struct nic_i2c *s = &n->i2c;

	return (s->scl ? CLK_IN | CLK_OUT : 0) | (s->sda ? DATA_OUT : 0) |
	       (s->sda && s->out ? DATA_IN : 0);
}

void i2c_write(struct nic *n, uint32_t v)
{
	struct nic_i2c *s = &n->i2c;
	bool scl = v & CLK_OUT, sda = v & DATA_OUT;

	if (s->scl && scl && s->sda != sda) {
		/* Start or stop. */
		s->state = sda ? IDLE : ADDR;
		s->bit = 0;
		s->out = true;
	} else if (s->state != IDLE && !s->scl && scl) {
		rise(s, sda);
	} else if (s->state != IDLE && s->scl && !scl) {
		fall(s);
	}
	s->scl = scl;
	s->sda = sda;
}

void i2c_reset(struct nic *n)
{
	n->i2c = (struct nic_i2c){ .scl = true, .sda = true, .out = true };
}
