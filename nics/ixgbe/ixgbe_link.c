/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Link (3.7, 8.2.3.22 of the datasheet). An 82599 has its MAC side set up by AUTOC as the EEPROM
 * says; with X540 and X550 firmware negotiates for the copper PHY.
 */
#include "nics/ixgbe/ixgbe.h"

#define SEM_WAIT_US  50000
#define SYNC_WAIT_US 200000

static void sem_put(struct ixgbe *x)
{
	ixgbe_wr(x, IXGBE_SWSM, ixgbe_rd(x, IXGBE_SWSM) & ~(IXGBE_SWSM_SMBI | IXGBE_SWSM_SWESMBI));
}

static bool sem_try(struct ixgbe *x)
{
	/* Reading SMBI as 0 sets it: it is ours. */
	if (ixgbe_wait(x, IXGBE_SWSM, IXGBE_SWSM_SMBI, 0, SEM_WAIT_US))
		return false;
	ixgbe_wr(x, IXGBE_SWSM, ixgbe_rd(x, IXGBE_SWSM) | IXGBE_SWSM_SWESMBI);
	if (ixgbe_rd(x, IXGBE_SWSM) & IXGBE_SWSM_SWESMBI)
		return true;
	sem_put(x);
	return false;
}

/*
 * Guard of SW_FW_SYNC, shared with the firmware and the controller's other port (10.5.4). A process
 * that was killed may have left it taken: after a bounded wait it is taken over, once.
 */
static bool sem_get(struct ixgbe *x)
{
	if (sem_try(x))
		return true;
	if (ixgbe_alive(x))
		return false;
	weir_warn(x->port.w, "%s: the hardware semaphore is stuck, taking it over", x->port.name);
	sem_put(x);
	return sem_try(x);
}

/* Firmware that looks after the link (LESM) writes AUTOC too. */
static bool mac_lock(struct ixgbe *x)
{
	struct weir_deadline d = weir_deadline_us(SYNC_WAIT_US);

	for (;;) {
		bool late = weir_deadline_passed(d);
		uint32_t v;

		if (!sem_get(x))
			return false;
		v = ixgbe_rd(x, IXGBE_SW_FW_SYNC);
		/* Our own bit may be left over from a process that was killed. */
		if (!(v & IXGBE_SW_FW_SYNC_FW_MAC_CSR) || late)
			ixgbe_wr(x, IXGBE_SW_FW_SYNC, v | IXGBE_SW_FW_SYNC_SW_MAC_CSR);
		sem_put(x);
		if (!(v & IXGBE_SW_FW_SYNC_FW_MAC_CSR) || late)
			return true;
		weir_sleep_us(5000);
	}
}

static void mac_unlock(struct ixgbe *x)
{
	if (!sem_get(x))
		return;
	ixgbe_wr(x, IXGBE_SW_FW_SYNC, ixgbe_rd(x, IXGBE_SW_FW_SYNC) & ~IXGBE_SW_FW_SYNC_SW_MAC_CSR);
	sem_put(x);
}

/**
 * ixgbe_link_start() - have the link come up, if it is not
 * @x: port
 *
 * Mode and lanes stay as the EEPROM set them. SDP3 of a fibre board is the laser's off switch.
 */
void ixgbe_link_start(struct ixgbe *x)
{
	if (!x->kind->autoc || ixgbe_rd(x, IXGBE_LINKS) & IXGBE_LINKS_UP)
		return;
	ixgbe_wr(x, IXGBE_ESDP, ixgbe_rd(x, IXGBE_ESDP) & ~IXGBE_ESDP_SDP3_DATA);
	if (!mac_lock(x))
		return;
	ixgbe_wr(x, IXGBE_AUTOC, ixgbe_rd(x, IXGBE_AUTOC) | IXGBE_AUTOC_RESTART_AN);
	mac_unlock(x);
}

static unsigned speed(uint32_t links)
{
	static const unsigned mbps[] = { 10, 100, 1000, 10000 };
	static const unsigned odd[] = { 0, 5000, 0, 2500 };
	unsigned s = links >> IXGBE_LINKS_SPEED_SHIFT & IXGBE_LINKS_SPEED_MASK;

	return links & IXGBE_LINKS_SPEED_NONSTD ? odd[s] : mbps[s];
}

/*
 * Taking the causes away lets the next change of the link signal again. With GPIE.OCD those of
 * queues stay; without vectors nobody waits for them. A refused access to memory stops a queue
 * without a word in its ring, so here is where it can be told; ixgbe_check() wants it again.
 */
static void read_causes(struct ixgbe *x)
{
	uint32_t v = ixgbe_rd(x, IXGBE_EICR);

	if (weir_mmio_gone(v) || !(v & IXGBE_EI_PCI) || x->refused)
		return;
	x->refused = true;
	weir_log(x->port.w, WEIR_LOG_WARN, "device-fault",
		 "%s: an access of the device to memory was refused (EICR %08x); the queue that it "
		 "was for may stand still until the port is stopped and started",
		 x->port.name, v);
}

/**
 * ixgbe_check() - look whether the device is there, and whether it reports a fault
 * @p: running port
 * Return: 0, -ENODEV, or -EIO if memory was refused to it since it was started.
 */
int ixgbe_check(struct weir_port *p)
{
	struct ixgbe *x = ixgbe_of(p);

	if (ixgbe_alive(x))
		return -ENODEV;
	read_causes(x);
	ixgbe_paused(x);
	return x->refused ? -EIO : 0;
}

int ixgbe_link(struct weir_port *p, struct weir_link *link)
{
	struct ixgbe *x = ixgbe_of(p);
	uint32_t links;

	if (ixgbe_alive(x))
		return -ENODEV;
	read_causes(x);
	links = ixgbe_rd(x, IXGBE_LINKS);
	if (weir_mmio_gone(links))
		return ixgbe_alive(x);
	link->up = links & IXGBE_LINKS_UP;
	if (!link->up)
		return 0;
	/* There is no half duplex from 1 Gb/s on, and the family does none below. */
	link->full_duplex = true;
	link->mbps = speed(links);
	return 0;
}
