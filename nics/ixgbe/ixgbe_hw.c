/* SPDX-License-Identifier: BSD-3-Clause */
/* Device as a whole: its registers, is it there, reset (4.2, 4.6.3 of the datasheet). */
#include "nics/ixgbe/ixgbe.h"

/* 5.2.5.3.2: requests in flight end within this time, or never. */
#define MASTER_DISABLE_US 100000
/* 4.6.3.2: what the EEPROM holds is loaded within 10 ms of a reset. */
#define RESET_WAIT_US 20000
#define RESET_US      10000
#define AUTO_RD_US    30000
#define DMA_IDONE_US  30000

/**
 * ixgbe_msg_rd() - read a register through the backend
 * @x: port
 * @reg: register
 * Return: its value; all ones, as from a device that is gone, if that fails.
 */
uint32_t ixgbe_msg_rd(const struct ixgbe *x, unsigned reg)
{
	uint32_t v = UINT32_MAX;

	(void)weir_pci_reg_read32(x->pci, 0, reg, &v);
	/* As with a load from the device: what it wrote to memory before it answered is there. */
	weir_dma_rmb();
	return v;
}

/**
 * ixgbe_msg_wr() - write a register through the backend
 * @x: port
 * @reg: register
 * @v: value
 *
 * A failure shows at the next read.
 */
void ixgbe_msg_wr(const struct ixgbe *x, unsigned reg, uint32_t v)
{
	weir_io_wmb();
	(void)weir_pci_reg_write32(x->pci, 0, reg, v);
}

/**
 * ixgbe_bar() - find out how registers can be reached, and map what can be
 * @x: port
 * Return: 0, or negative errno with a sentence.
 */
int ixgbe_bar(struct ixgbe *x)
{
	struct weir_region r;
	struct weir_bar bar;
	int err = weir_iodev_region(weir_pci_iodev(x->pci), 0, &r);

	if (err)
		return err;
	x->server = weir_iodev_mode(weir_pci_iodev(x->pci)) == WEIR_MODE_VFIO_USER;
	if (r.size < IXGBE_BAR_NEED)
		return weir_fail(x->port.w, ENOTSUP, "bar",
				 "%s: BAR 0 has %llu bytes, the registers need %u", x->port.name,
				 (unsigned long long)r.size, IXGBE_BAR_NEED);
	if (!(r.flags & WEIR_REGION_MMAP))
		return 0;
	err = weir_pci_bar(x->pci, 0, &bar);
	if (err)
		return err;
	x->bar = bar.va;
	x->mapped = weir_bar_ok(x->pci, 0, 0, IXGBE_BAR_NEED);
	return 0;
}

/**
 * ixgbe_doorbell() - address of a register that the fast path writes
 * @x: port
 * @reg: RDT or TDT
 * Return: the address, or NULL if it must be written by ixgbe_wr().
 */
volatile void *ixgbe_doorbell(const struct ixgbe *x, unsigned reg)
{
	return x->bar && weir_bar_ok(x->pci, 0, reg, 4) ? x->bar + reg : NULL;
}

/**
 * ixgbe_alive() - look whether the device still answers
 * @x: port
 *
 * Says so once when it is gone, and marks the port as failed. A server whose connection ended has
 * been reported by the backend already, with the reason.
 * Return: 0, or -ENODEV.
 */
int ixgbe_alive(struct ixgbe *x)
{
	uint32_t v = UINT32_MAX;
	int err = 0;

	if (weir_port_failed(&x->port))
		return -ENODEV;
	if (x->mapped)
		v = weir_mmio_read32(x->bar, IXGBE_STATUS);
	else
		err = weir_pci_reg_read32(x->pci, 0, IXGBE_STATUS, &v);
	weir_dma_rmb();
	if (!weir_mmio_gone(v))
		return 0;
	if (weir_port_set_failed(&x->port) || (err && x->server))
		return -ENODEV;
	return weir_fail(x->port.w, ENODEV, "device-gone",
			 "%s: STATUS reads as all ones: the device was removed or lost its link; "
			 "close the port",
			 x->port.name);
}

/**
 * ixgbe_wait() - wait until bits of a register have a value
 * @x: port
 * @reg: register
 * @mask: bits to look at
 * @want: what they shall be
 * @us: for how long, in microseconds
 * Return: 0, -ETIMEDOUT, or -ENODEV for a device that is gone.
 */
int ixgbe_wait(struct ixgbe *x, unsigned reg, uint32_t mask, uint32_t want, unsigned us)
{
	struct weir_deadline d = weir_deadline_us(us);

	for (;;) {
		/* Look at the clock first: a thread that was off the processor gets one more try. */
		bool late = weir_deadline_passed(d);
		uint32_t v = ixgbe_rd(x, reg);

		if (weir_mmio_gone(v))
			return ixgbe_alive(x) ? -ENODEV : -EIO;
		if ((v & mask) == want)
			return 0;
		if (late)
			return -ETIMEDOUT;
		weir_sleep_us(20);
	}
}

static void mask_interrupts(struct ixgbe *x)
{
	ixgbe_wr(x, IXGBE_EIMC, UINT32_MAX);
	ixgbe_wr(x, IXGBE_EIMC_EX(0), UINT32_MAX);
	ixgbe_wr(x, IXGBE_EIMC_EX(1), UINT32_MAX);
	(void)ixgbe_rd(x, IXGBE_EICR);
}

/* No more requests to memory, and none in flight. Return: whether that is so. */
static bool master_disable(struct ixgbe *x)
{
	ixgbe_wr(x, IXGBE_CTRL, ixgbe_rd(x, IXGBE_CTRL) | IXGBE_CTRL_MASTER_DISABLE);
	if (ixgbe_wait(x, IXGBE_STATUS, IXGBE_STATUS_MASTER_EN, 0, MASTER_DISABLE_US) != -ETIMEDOUT)
		return true;
	weir_warn(x->port.w, "%s: requests to memory are still pending after %u ms", x->port.name,
		  MASTER_DISABLE_US / 1000);
	return false;
}

static int reset_once(struct ixgbe *x, uint32_t how)
{
	ixgbe_wr(x, IXGBE_CTRL, ixgbe_rd(x, IXGBE_CTRL) | how);
	ixgbe_flush(x);
	if (!ixgbe_wait(x, IXGBE_CTRL, how, 0, RESET_WAIT_US)) {
		weir_sleep_us(RESET_US);
		return 0;
	}
	if (ixgbe_alive(x) || weir_port_set_failed(&x->port))
		return -ENODEV;
	return weir_fail(x->port.w, EIO, "device-reset",
			 "%s: the device did not come out of its reset within %u ms", x->port.name,
			 RESET_WAIT_US / 1000);
}

/* Wait for what the device does by itself after a reset: read its EEPROM, set up its DMA. */
static void wait_ready(struct ixgbe *x)
{
	if (ixgbe_wait(x, IXGBE_EEC, IXGBE_EEC_AUTO_RD, IXGBE_EEC_AUTO_RD, AUTO_RD_US))
		weir_warn(x->port.w, "%s: the device did not read its EEPROM within %u ms",
			  x->port.name, AUTO_RD_US / 1000);
	if (ixgbe_wait(x, IXGBE_RDRXCTL, IXGBE_RDRXCTL_DMAIDONE, IXGBE_RDRXCTL_DMAIDONE,
		       DMA_IDONE_US))
		weir_warn(x->port.w, "%s: the receive DMA was not set up within %u ms",
			  x->port.name, DMA_IDONE_US / 1000);
}

/**
 * ixgbe_reset() - stop all DMA and reset
 * @x: port; counters are lost, so ixgbe_stats_update() comes first
 * @link_too: reset the link as well; it comes up anew, which takes seconds
 *
 * Afterwards neither side runs and no interrupt is enabled. ixgbe_restore() brings back the rest.
 * Return: 0; -ENODEV; -EIO if the device does not come back.
 */
int ixgbe_reset(struct ixgbe *x, bool link_too)
{
	uint32_t how = IXGBE_CTRL_RST | (link_too ? IXGBE_CTRL_LRST : 0);
	bool quiet;
	int err;

	x->receiving = false;
	if (ixgbe_alive(x))
		return -ENODEV;
	mask_interrupts(x);
	quiet = master_disable(x);
	err = reset_once(x, how);
	/* 5.2.5.3.2: requests that never ended are given up by a second reset. */
	if (!err && !quiet)
		err = reset_once(x, how);
	if (err)
		return err;
	wait_ready(x);
	mask_interrupts(x);
	return ixgbe_alive(x);
}

/* One traffic class: all of the receive packet buffer is its own (4.6.11.3.4). */
static void packet_buffer(struct ixgbe *x)
{
	ixgbe_wr(x, IXGBE_RXPBSIZE(0), IXGBE_RXPBSIZE_KB(x->kind->rxpb_kb));
	for (unsigned i = 1; i < IXGBE_N_PB; i++)
		ixgbe_wr(x, IXGBE_RXPBSIZE(i), 0);
}

/**
 * ixgbe_restore() - after a reset: addresses, filters, interrupts, link
 * @x: port
 *
 * Flow control stays off in both directions, so that PAUSE frames are frames like all others and
 * are forwarded. Direct cache access is off: it is an affair of platforms, not of drivers.
 */
void ixgbe_restore(struct ixgbe *x)
{
	uint32_t ext = ixgbe_rd(x, IXGBE_CTRL_EXT) | IXGBE_CTRL_EXT_NS_DIS;

	/* Tells the management firmware that a driver looks after the port. */
	ixgbe_wr(x, IXGBE_CTRL_EXT, ext | IXGBE_CTRL_EXT_DRV_LOAD);
	ixgbe_wr(x, IXGBE_DCA_CTRL, IXGBE_DCA_CTRL_DIS);
	ixgbe_wr(x, IXGBE_FCCFG, 0);
	packet_buffer(x);
	ixgbe_stats_map(x);
	ixgbe_filter_apply(x);
	ixgbe_intr_apply(x);
	ixgbe_link_start(x);
}
