/* SPDX-License-Identifier: BSD-3-Clause */
/* Link: the internal copper PHY behind MDIC, and the PCS for SerDes links. */
#include "nics/igb/igb.h"

#define SEM_WAIT_US  50000
#define SYNC_WAIT_US 200000
#define MDIC_WAIT_US 2000

static void sem_put(struct igb *g)
{
	igb_wr(g, IGB_SWSM, igb_rd(g, IGB_SWSM) & ~(IGB_SWSM_SMBI | IGB_SWSM_SWESMBI));
}

static bool sem_try(struct igb *g)
{
	/* Reading SMBI as 0 sets it: it is ours. */
	if (igb_wait(g, IGB_SWSM, IGB_SWSM_SMBI, 0, SEM_WAIT_US))
		return false;
	igb_wr(g, IGB_SWSM, igb_rd(g, IGB_SWSM) | IGB_SWSM_SWESMBI);
	if (igb_rd(g, IGB_SWSM) & IGB_SWSM_SWESMBI)
		return true;
	sem_put(g);
	return false;
}

/*
 * Guard of SW_FW_SYNC, shared with the firmware and the controller's other port (8.7). A process
 * that was killed may have left it taken: after a bounded wait it is taken over, once.
 */
static bool sem_get(struct igb *g)
{
	if (sem_try(g))
		return true;
	if (igb_alive(g))
		return false;
	weir_warn(g->port.w, "%s: the hardware semaphore is stuck, taking it over", g->port.name);
	sem_put(g);
	return sem_try(g);
}

/* The PHY's lock: our bit set, the firmware's clear. */
static bool phy_lock(struct igb *g)
{
	uint32_t sw = IGB_SW_FW_SYNC_SW_PHY(g->lan), fw = IGB_SW_FW_SYNC_FW_PHY(g->lan);
	struct weir_deadline d = weir_deadline_us(SYNC_WAIT_US);

	for (;;) {
		bool late = weir_deadline_passed(d);
		uint32_t v;

		if (!sem_get(g))
			return false;
		v = igb_rd(g, IGB_SW_FW_SYNC);
		/* Our own bit may be left over from a process that was killed. */
		if (!(v & fw) || late)
			igb_wr(g, IGB_SW_FW_SYNC, v | sw);
		sem_put(g);
		if (!(v & fw) || late)
			return true;
		weir_sleep_us(5000);
	}
}

static void phy_unlock(struct igb *g)
{
	if (!sem_get(g))
		return;
	igb_wr(g, IGB_SW_FW_SYNC, igb_rd(g, IGB_SW_FW_SYNC) & ~IGB_SW_FW_SYNC_SW_PHY(g->lan));
	sem_put(g);
}

static int mdic(struct igb *g, uint32_t cmd, unsigned reg)
{
	uint32_t v;

	igb_wr(g, IGB_MDIC, cmd | IGB_MDIC_PHYADD_INTERNAL | reg << IGB_MDIC_REGADD_SHIFT);
	if (igb_wait(g, IGB_MDIC, IGB_MDIC_R, IGB_MDIC_R, MDIC_WAIT_US))
		return -EIO;
	v = igb_rd(g, IGB_MDIC);
	return v & IGB_MDIC_E ? -EIO : (int)(v & IGB_MDIC_DATA_MASK);
}

static int phy_read(struct igb *g, unsigned reg)
{
	return mdic(g, IGB_MDIC_OP_READ, reg);
}

static int phy_write(struct igb *g, unsigned reg, unsigned v)
{
	int r = mdic(g, IGB_MDIC_OP_WRITE | v, reg);

	return r < 0 ? r : 0;
}

/* Leaves a PHY alone whose link is up and that offers no PAUSE: its link need not go down. */
static int copper_negotiate(struct igb *g)
{
	int ctl = phy_read(g, IGB_PHY_CONTROL), adv = phy_read(g, IGB_PHY_ANAR);
	int off = IGB_PHY_CONTROL_ISOLATE | IGB_PHY_CONTROL_POWER_DOWN;
	bool pause;
	int err;

	if (ctl < 0 || adv < 0)
		return -EIO;
	/* Flow control stays off, so do not promise it to the other side. */
	pause = adv & IGB_PHY_ANAR_PAUSE_MASK;
	if (!pause && !(ctl & off) && ctl & IGB_PHY_CONTROL_AN_ENABLE &&
	    igb_rd(g, IGB_STATUS) & IGB_STATUS_LU)
		return 0;
	if (pause) {
		err = phy_write(g, IGB_PHY_ANAR, (unsigned)(adv & ~IGB_PHY_ANAR_PAUSE_MASK));
		if (err)
			return err;
	}
	ctl = (ctl & ~off) | IGB_PHY_CONTROL_AN_ENABLE | IGB_PHY_CONTROL_RESTART_AN;
	return phy_write(g, IGB_PHY_CONTROL, (unsigned)ctl);
}

static void copper_start(struct igb *g)
{
	int err = -EBUSY;

	if (phy_lock(g)) {
		err = copper_negotiate(g);
		phy_unlock(g);
	}
	/* Not fatal: the firmware may have brought the link up already. */
	if (err && !igb_alive(g))
		weir_warn(g->port.w, "%s: the PHY does not answer (%s); the link stays as it is",
			  g->port.name, weir_strerror(err));
}

/* 1000BASE-X: gigabit, full duplex, with auto-negotiation. */
static void serdes_start(struct igb *g)
{
	uint32_t lctl = igb_rd(g, IGB_PCS_LCTL);

	igb_wr(g, IGB_PCS_CFG, igb_rd(g, IGB_PCS_CFG) | IGB_PCS_CFG_PCS_EN);
	/* Laser on. */
	igb_wr(g, IGB_CTRL_EXT, igb_rd(g, IGB_CTRL_EXT) & ~IGB_CTRL_EXT_SDP3_DATA);
	igb_wr(g, IGB_SCTL, IGB_SCTL_DIS_SERDES_LOOPBACK);
	igb_wr(g, IGB_CTRL,
	       (igb_rd(g, IGB_CTRL) & ~IGB_CTRL_SPEED_MASK) | IGB_CTRL_SLU | IGB_CTRL_SPEED_1000 |
		       IGB_CTRL_FRCSPD | IGB_CTRL_FD | IGB_CTRL_FRCDPLX | IGB_CTRL_SDP0_DATA |
		       IGB_CTRL_SDP1_DATA);
	igb_wr(g, IGB_PCS_ANADV,
	       (igb_rd(g, IGB_PCS_ANADV) & ~IGB_PCS_ANADV_PAUSE_MASK) | IGB_PCS_ANADV_FD);
	lctl &= ~(IGB_PCS_LCTL_FLV | IGB_PCS_LCTL_FSD | IGB_PCS_LCTL_FORCE_LINK |
		  IGB_PCS_LCTL_FORCE_FC);
	lctl |= IGB_PCS_LCTL_FSV_1000 | IGB_PCS_LCTL_FDV | IGB_PCS_LCTL_AN_ENABLE |
		IGB_PCS_LCTL_AN_RESTART;
	igb_wr(g, IGB_PCS_LCTL, lctl);
}

/**
 * igb_link_start() - let the link come up; does not wait for it
 * @g: port
 */
void igb_link_start(struct igb *g)
{
	uint32_t ctrl = igb_rd(g, IGB_CTRL);

	ctrl &= ~(IGB_CTRL_FRCSPD | IGB_CTRL_FRCDPLX | IGB_CTRL_RFCE | IGB_CTRL_TFCE);
	igb_wr(g, IGB_CTRL, ctrl | IGB_CTRL_SLU);
	if (g->link_mode == IGB_CTRL_EXT_LINK_MODE_PHY)
		copper_start(g);
	else if (g->link_mode != IGB_CTRL_EXT_LINK_MODE_SGMII)
		serdes_start(g);
	/* SGMII: the PHY outside is set up by its own straps; the link needs SLU only. */
}

static void pcs_link(struct igb *g, struct weir_link *link)
{
	uint32_t s = igb_rd(g, IGB_PCS_LSTAT);

	link->up = s & IGB_PCS_LSTAT_LINK_OK && s & IGB_PCS_LSTAT_SYNC_OK;
	if (!link->up)
		return;
	link->full_duplex = s & IGB_PCS_LSTAT_DUPLEX;
	link->mbps = s & IGB_PCS_LSTAT_SPEED_1000 ? 1000 : s & IGB_PCS_LSTAT_SPEED_100 ? 100 : 10;
}

/**
 * igb_link_read() - decode the link's state
 * @g: port
 * @status: STATUS, just read
 * @link: zeroed; filled
 */
void igb_link_read(struct igb *g, uint32_t status, struct weir_link *link)
{
	/* 11b means 1000 too */
	static const unsigned mbps[] = { 10, 100, 1000, 1000 };

	if (g->link_mode != IGB_CTRL_EXT_LINK_MODE_PHY) {
		pcs_link(g, link);
		return;
	}
	link->up = status & IGB_STATUS_LU;
	if (!link->up)
		return;
	link->full_duplex = status & IGB_STATUS_FD;
	link->mbps = mbps[status >> IGB_STATUS_SPEED_SHIFT & IGB_STATUS_SPEED_MASK];
}
