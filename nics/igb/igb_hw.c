/* SPDX-License-Identifier: BSD-3-Clause */
/* Device as a whole: is it there, reset (4.2, 4.5 of the datasheet). */
#include "nics/igb/igb.h"

/* 5.2.3.3: requests in flight end within this time, or never. */
#define MASTER_DISABLE_US 100000
/* 4.2.1.6.1: a reset takes 1 ms; reading the EEPROM some more. */
#define RESET_US      1000
#define RESET_WAIT_US 20000
#define AUTO_RD_US    30000
#define CFG_DONE_US   150000

/**
 * igb_alive() - look whether the device still answers
 * @g: port
 *
 * Says so once when it is gone, and marks the port as failed.
 * Return: 0, or -ENODEV.
 */
int igb_alive(struct igb *g)
{
	if (weir_port_failed(&g->port))
		return -ENODEV;
	if (!weir_mmio_gone(igb_rd(g, IGB_STATUS)))
		return 0;
	if (weir_port_set_failed(&g->port))
		return -ENODEV;
	return weir_fail(g->port.w, ENODEV, "device-gone",
			 "%s: STATUS reads as all ones: the device was removed or lost its link; "
			 "close the port",
			 g->port.name);
}

/**
 * igb_wait() - wait until bits of a register have a value
 * @g: port
 * @reg: register
 * @mask: bits to look at
 * @want: what they shall be
 * @us: for how long, in microseconds
 * Return: 0, -ETIMEDOUT, or -ENODEV for a device that is gone.
 */
int igb_wait(struct igb *g, unsigned reg, uint32_t mask, uint32_t want, unsigned us)
{
	struct weir_deadline d = weir_deadline_us(us);

	for (;;) {
		/* Look at the clock first: a thread that was off the processor gets one more try. */
		bool late = weir_deadline_passed(d);
		uint32_t v = igb_rd(g, reg);

		if (weir_mmio_gone(v))
			return igb_alive(g) ? -ENODEV : -EIO;
		if ((v & mask) == want)
			return 0;
		if (late)
			return -ETIMEDOUT;
		weir_sleep_us(20);
	}
}

static void mask_interrupts(struct igb *g)
{
	igb_wr(g, IGB_IMC, UINT32_MAX);
	igb_wr(g, IGB_EIMC, UINT32_MAX);
	(void)igb_rd(g, IGB_ICR);
}

/* No more requests to memory, and none in flight. Without it a reset may cut a transfer short. */
static void master_disable(struct igb *g)
{
	igb_wr(g, IGB_CTRL, igb_rd(g, IGB_CTRL) | IGB_CTRL_GIO_MASTER_DISABLE);
	if (igb_wait(g, IGB_STATUS, IGB_STATUS_GIO_MASTER_EN, 0, MASTER_DISABLE_US) == -ETIMEDOUT)
		weir_warn(g->port.w, "%s: requests to memory are still pending after %u ms",
			  g->port.name, MASTER_DISABLE_US / 1000);
}

/* Wait for what the device loads from its EEPROM after a reset: MAC address, PHY settings. */
static void wait_eeprom(struct igb *g, bool phy_too)
{
	if (g->no_auto_rd)
		return;
	/* Real ones set this without an EEPROM too; QEMU's model never does, and loads nothing. */
	if (igb_wait(g, IGB_EEC, IGB_EEC_AUTO_RD, IGB_EEC_AUTO_RD, AUTO_RD_US)) {
		g->no_auto_rd = true;
		return;
	}
	if (phy_too && igb_wait(g, IGB_EEMNGCTL, IGB_EEMNGCTL_CFG_DONE(g->lan),
				IGB_EEMNGCTL_CFG_DONE(g->lan), CFG_DONE_US))
		weir_debug(g->port.w, "%s: the firmware did not report its PHY settings loaded",
			   g->port.name);
}

/**
 * igb_reset() - stop all DMA and reset
 * @g: port; counters are lost, so igb_stats_update() comes first
 * @phy_too: the PHY was reset as well (a function reset went before): wait for its settings
 *
 * Afterwards neither side runs and no interrupt is enabled. igb_restore() brings back the rest.
 * Return: 0; -ENODEV; -EIO if the device does not come back.
 */
int igb_reset(struct igb *g, bool phy_too)
{
	g->receiving = false;
	if (igb_alive(g))
		return -ENODEV;
	igb_wr(g, IGB_RCTL, 0);
	igb_wr(g, IGB_TCTL, IGB_TCTL_PSP);
	mask_interrupts(g);
	master_disable(g);
	igb_wr(g, IGB_CTRL, igb_rd(g, IGB_CTRL) | IGB_CTRL_RST);
	weir_sleep_us(RESET_US);
	if (igb_wait(g, IGB_CTRL, IGB_CTRL_RST, 0, RESET_WAIT_US)) {
		if (igb_alive(g))
			return -ENODEV;
		weir_port_set_failed(&g->port);
		return weir_fail(g->port.w, EIO, "device-reset",
				 "%s: the device did not come out of its reset within %u ms",
				 g->port.name, RESET_WAIT_US / 1000);
	}
	wait_eeprom(g, phy_too);
	mask_interrupts(g);
	return igb_alive(g);
}

/**
 * igb_restore() - after a reset: addresses, filters, interrupts, link
 * @g: port
 *
 * Flow control stays off in both directions, so that PAUSE frames are frames like all others
 * (8.5) and are forwarded.
 */
void igb_restore(struct igb *g)
{
	uint32_t ext = igb_rd(g, IGB_CTRL_EXT);

	g->link_mode = ext & IGB_CTRL_EXT_LINK_MODE_MASK;
	ext &= ~IGB_CTRL_EXT_EXT_VLAN;
	/* Tells the management firmware that a driver looks after the port. */
	igb_wr(g, IGB_CTRL_EXT, ext | IGB_CTRL_EXT_DRV_LOAD);
	igb_filter_apply(g);
	igb_intr_apply(g);
	igb_link_start(g);
}
