/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The register file: a table of what exists, and the few registers whose access does something.
 * What is not in the table reads as zero, takes no write, and is counted: a driver that depends on
 * it shows up in the summary.
 */
#include "apps/nicsim/nic.h"
#include "core/clock.h"

struct reg;
typedef uint32_t reg_read_fn(struct nic *n, const struct reg *r, uint32_t off);
typedef void reg_write_fn(struct nic *n, const struct reg *r, uint32_t off, uint32_t v);

/**
 * struct reg - a row: a register or an array of them
 * @name: as in the datasheet
 * @off: offset in BAR 0
 * @count: how many
 * @stride: bytes from one to the next
 * @reset: value after a reset
 * @mask: bits that a write changes
 * @rd: what a read does beyond returning the content, or NULL
 * @wr: likewise for a write
 * @alias: offset (and stride) where these really are, 0 here
 * @alias_stride: see @alias
 */
struct reg {
	const char *name;
	uint32_t off;
	uint16_t count, stride;
	uint32_t reset, mask;
	reg_read_fn *rd;
	reg_write_fn *wr;
	uint32_t alias, alias_stride;
};

#define ALL UINT32_MAX

static uint32_t rd_intr(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	return intr_read(n, off);
}

static void wr_intr(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	intr_write(n, off, v);
}

static uint32_t rd_stats(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	return stats_read(n, off);
}

static void wr_ctrl(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	*nic_reg(n, off) = v;
	if (!(v & (CTRL_RST | CTRL_LRST)))
		return;
	if (n->fault == FAULT_STUCK_RESET)
		return;
	nic_reset(n);
	*nic_reg(n, off) = v & ~(CTRL_RST | CTRL_LRST);
}

static uint32_t rd_status(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	(void)off;
	return *nic_reg(n, R_CTRL) & CTRL_GIO_DIS ? 0 : STATUS_GIO;
}

static uint32_t rd_timer(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)n;
	(void)r;
	(void)off;
	return (uint32_t)(weir_now_ns() / 1000);
}

/* Drivers of fibre ports believe a link only while a module is plugged in. */
static uint32_t rd_esdp(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	return *nic_reg(n, off) | ESDP_SDP2;
}

static uint32_t rd_eec(struct nic *n, const struct reg *r, uint32_t off)
{
	uint32_t v = *nic_reg(n, off);

	(void)r;
	return v | EEC_PRES | EEC_AUTO_RD | EEC_SIZE | (v & EEC_REQ ? EEC_GNT : 0);
}

static void wr_eerd(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	*nic_reg(n, off) = n->fault == FAULT_STUCK_EERD ? v & ~EERD_DONE : nvm_eerd(n, v);
}

/* 8.2.3.4.11: the first to read finds SMBI clear, and thereby owns it. */
static uint32_t rd_swsm(struct nic *n, const struct reg *r, uint32_t off)
{
	uint32_t v = *nic_reg(n, off);

	(void)r;
	if (n->fault == FAULT_STUCK_SEM)
		return v | SWSM_SMBI;
	*nic_reg(n, off) = v | SWSM_SMBI;
	return v;
}

static uint32_t rd_sec(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	/* The status register follows its control register. */
	return *nic_reg(n, off - 4) & SECCTL_DIS ? SECSTAT_READY : 0;
}

static uint32_t rd_rdrxctl(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	return *nic_reg(n, off) | RDRXCTL_DMADONE;
}

/* MDIO: nothing is connected, so commands end at once and read ones. */
static void wr_msca(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	*nic_reg(n, off) = v & ~MSCA_COMMAND;
	if (v & MSCA_COMMAND)
		*nic_reg(n, R_MSRWD) |= 0xFFFF0000u;
}

static void wr_autoc(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	*nic_reg(n, off) = v & ~AUTOC_RESTART;
	if (v & AUTOC_RESTART)
		intr_other(n, EICR_LSC);
}

static uint32_t rd_links(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	(void)off;
	return n->fault == FAULT_NO_LINK ? 0 : LINKS_UP | LINKS_10G | LINKS_AN_DONE;
}

static uint32_t rd_i2c(struct nic *n, const struct reg *r, uint32_t off)
{
	(void)r;
	(void)off;
	return i2c_read(n);
}

static void wr_i2c(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	(void)off;
	i2c_write(n, v);
}

static void wr_key(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	*nic_reg(n, off) = v;
	n->rss_dirty = true;
}

static void wr_queue(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	(void)r;
	*nic_reg(n, off) = v;
	nic_sync(n);
}

static void wr_xpasid(struct nic *n, const struct reg *r, uint32_t off, uint32_t v)
{
	nic_pasid_write(n, (off - r->off) / 4, v);
}

#define PLAIN(n, o, c, s, r, m)                                                     \
	{                                                                           \
		.name = n, .off = o, .count = c, .stride = s, .reset = r, .mask = m \
	}
#define ACTS(n, o, c, s, r, m, read, write)                                                      \
	{                                                                                        \
		.name = n, .off = o, .count = c, .stride = s, .reset = r, .mask = m, .rd = read, \
		.wr = write                                                                      \
	}
#define ALIAS(n, o, c, s, to, to_stride)                                   \
	{                                                                  \
		.name = n, .off = o, .count = c, .stride = s, .alias = to, \
		.alias_stride = to_stride                                  \
	}

/* clang-format off */
static const struct reg table[] = {
	/* name, offset, count, stride, then reset value and mask, or where an alias leads */
	ACTS("CTRL", R_CTRL, 1, 4, 0, ALL, NULL, wr_ctrl),
	ALIAS("CTRL", 0x00004, 1, 4, R_CTRL, 4),
	ACTS("STATUS", R_STATUS, 1, 4, 0, 0, rd_status, NULL),
	PLAIN("CTRL_EXT", R_CTRL_EXT, 1, 4, 0, ALL),
	ACTS("ESDP", R_ESDP, 1, 4, 0, ALL, rd_esdp, NULL),
	ACTS("I2CCTL", R_I2CCTL, 1, 4, 0, ALL, rd_i2c, wr_i2c),
	ACTS("FRTIMER", 0x00048, 1, 4, 0, 0, rd_timer, NULL),
	PLAIN("TCPTIMER", 0x0004C, 1, 4, 0, ALL),
	PLAIN("LEDCTL", R_LEDCTL, 1, 4, 0, ALL),
	PLAIN("CORESPARE", 0x00600, 1, 4, 0, ALL),
	ACTS("EICR", R_EICR, 1, 4, 0, ALL, rd_intr, wr_intr),
	ACTS("EICS", R_EICS, 1, 4, 0, ALL, rd_intr, wr_intr),
	ACTS("EIAC", R_EIAC, 1, 4, 0, ALL, rd_intr, wr_intr),
	PLAIN("EITR", R_EITR0, 24, 4, 0, 0x80000FF8u),
	ACTS("EIMS", R_EIMS, 1, 4, 0, ALL, rd_intr, wr_intr),
	ACTS("EIMC", R_EIMC, 1, 4, 0, ALL, rd_intr, wr_intr),
	ACTS("EIAM", R_EIAM, 1, 4, 0, ALL, rd_intr, wr_intr),
	PLAIN("EITRSEL", 0x00894, 1, 4, 0, ALL),
	PLAIN("GPIE", R_GPIE, 1, 4, 0, ALL),
	PLAIN("IVAR", R_IVAR, 64, 4, 0, 0xBFBFBFBFu),
	PLAIN("IVAR_MISC", R_IVAR_MISC, 1, 4, 0, 0xBFBFu),
	ACTS("EICS_EX", R_EICS_EX, 2, 4, 0, ALL, rd_intr, wr_intr),
	ACTS("EIMS_EX", R_EIMS_EX, 2, 4, 0, ALL, rd_intr, wr_intr),
	ACTS("EIMC_EX", R_EIMC_EX, 2, 4, 0, ALL, rd_intr, wr_intr),
	ACTS("EIAM_EX", R_EIAM_EX, 2, 4, 0, ALL, rd_intr, wr_intr),
	PLAIN("EITR", R_EITR24, 104, 4, 0, 0x80000FF8u),
	PLAIN("PBACL", 0x110C0, 8, 4, 0, ALL),

	ACTS("RDBAL", R_RXQ + Q_BAL, 64, 64, 0, 0xFFFFFF80u, NULL, wr_queue),
	ACTS("RDBAH", R_RXQ + Q_BAH, 64, 64, 0, ALL, NULL, wr_queue),
	ACTS("RDLEN", R_RXQ + Q_LEN, 64, 64, 0, 0xFFF80u, NULL, wr_queue),
	PLAIN("DCA_RXCTRL", R_RXQ + Q_DCA, 64, 64, 0, ALL),
	ACTS("RDH", R_RXQ + Q_HEAD, 64, 64, 0, 0xFFFF, NULL, wr_queue),
	ACTS("SRRCTL", R_RXQ + Q_SRRCTL, 64, 64, 0x400, ALL, NULL, wr_queue),
	ACTS("RDT", R_RXQ + Q_TAIL, 64, 64, 0, 0xFFFF, NULL, wr_queue),
	ACTS("RXDCTL", R_RXQ + Q_DCTL, 64, 64, 0, ALL, NULL, wr_queue),
	PLAIN("RSCCTL", R_RXQ + Q_RSCCTL, 64, 64, 0, ALL),
	ACTS("QPRC", R_RXQ + Q_QPRC, 16, 64, 0, 0, rd_stats, NULL),
	ACTS("QBRC_L", R_QBRCL, 16, 64, 0, 0, rd_stats, NULL),
	ACTS("QBRC_H", R_QBRCL + 4, 16, 64, 0, 0, rd_stats, NULL),
	ACTS("QPRDC", R_QPRDC, 16, 64, 0, 0, rd_stats, NULL),
	/* Queues 64 to 127 are not there, but drivers write to all of them. */
	PLAIN("RXQ64", R_RXQ_HIGH, 1024, 4, 0, 0),
	ALIAS("SRRCTL", 0x02100, 16, 4, R_RXQ + Q_SRRCTL, 64),
	ALIAS("DCA_RXCTRL", 0x02200, 16, 4, R_RXQ + Q_DCA, 64),
	PLAIN("RQSMR", 0x02300, 32, 4, 0, ALL),
	PLAIN("RTRPCS", 0x02430, 1, 4, 0, ALL),
	ACTS("RDRXCTL", R_RDRXCTL, 1, 4, 0, ALL & ~RDRXCTL_DMADONE, rd_rdrxctl, NULL),
	PLAIN("QDE", 0x02F04, 1, 4, 0, ALL),
	PLAIN("RXCTRL", R_RXCTRL, 1, 4, 0, ALL),
	PLAIN("PFCTOP", 0x03008, 1, 4, 0, ALL),
	PLAIN("RSCDBU", 0x03028, 1, 4, 0, ALL),
	PLAIN("RTRUP2TC", 0x03020, 1, 4, 0, ALL),
	PLAIN("FCBUFF", 0x03200, 4, 4, 0, ALL),
	PLAIN("FCRTL", 0x03220, 8, 4, 0, ALL),
	PLAIN("PXON2OFFCNT", 0x03240, 8, 4, 0, 0),
	PLAIN("FCRTH", 0x03260, 8, 4, 0, ALL),
	PLAIN("FCRTV", 0x032A0, 1, 4, 0, ALL),
	PLAIN("RXPBSIZE", 0x03C00, 8, 4, 0x80000, ALL),
	PLAIN("FCCFG", 0x03D00, 1, 4, 0, ALL),
	ACTS("PXONTXC", 0x03F00, 16, 4, 0, 0, rd_stats, NULL),
	ACTS("LXONTXC", 0x03F60, 1, 4, 0, 0, rd_stats, NULL),
	ACTS("LXOFFTXC", 0x03F68, 1, 4, 0, 0, rd_stats, NULL),
	ACTS("MPC", R_MPC, 8, 4, 0, 0, rd_stats, NULL),
	ACTS("RNBC", 0x03FC0, 8, 4, 0, 0, rd_stats, NULL),
	ACTS("CRCERRS", R_CRCERRS, 96, 4, 0, 0, rd_stats, NULL), /* to PXOFFRXCNT */
	PLAIN("LXONRXCNT", 0x041A4, 1, 4, 0, 0),
	ACTS("LXOFFRXCNT", R_LXOFFRXCNT, 1, 4, 0, 0, rd_stats, NULL),
	PLAIN("PCS1GCFIG", 0x04200, 16, 4, 0, ALL),
	PLAIN("HLREG0", R_HLREG0, 1, 4, HLREG0_TXCRCEN | HLREG0_RXCRCSTRP | HLREG0_TXPADEN, ALL),
	PLAIN("HLREG1", 0x04244, 1, 4, 0, 0),
	PLAIN("PAP", 0x04248, 4, 4, 0, ALL),
	PLAIN("AIS", 0x04258, 1, 4, 0, ALL),
	ACTS("MSCA", R_MSCA, 1, 4, 0, ALL, NULL, wr_msca),
	PLAIN("MSRWD", R_MSRWD, 1, 4, 0, ALL),
	PLAIN("MAXFRS", R_MAXFRS, 1, 4, 1518u << 16, 0xFFFF0000u),
	PLAIN("PCSS", 0x04288, 3, 4, 0, 0),
	PLAIN("MFLCN", 0x04294, 1, 4, 0, ALL),
	PLAIN("SERDESC", 0x04298, 1, 4, 0, 0),
	PLAIN("MACS", 0x0429C, 1, 4, 0, ALL),
	ACTS("AUTOC", R_AUTOC, 1, 4, 3u << 13, ALL, NULL, wr_autoc),
	ACTS("LINKS", R_LINKS, 1, 4, 0, 0, rd_links, NULL),
	PLAIN("AUTOC2", 0x042A8, 1, 4, 0xA0000, ALL),
	PLAIN("AUTOC3", 0x042AC, 1, 4, 0, ALL),
	PLAIN("ANLP1", 0x042B0, 2, 4, 1u << 16, 0), /* negotiation is under way */
	PLAIN("MMNGC", 0x042D0, 1, 4, 0, 0),
	PLAIN("LINKS2", R_LINKS2, 1, 4, 0, 0),
	PLAIN("MACC", 0x04330, 1, 4, 0, ALL),
	PLAIN("ATLASCTL", 0x04800, 1, 4, 0, ALL),
	PLAIN("RTTDCS", R_RTTDCS, 1, 4, 0, ALL),
	PLAIN("RTTDQSEL", 0x04904, 2, 4, 0, ALL),
	PLAIN("RTTDT1C", 0x04908, 1, 4, 0, ALL),
	PLAIN("RTTDT2C", 0x04910, 8, 4, 0, ALL),
	PLAIN("TXPBTHRESH", 0x04950, 8, 4, 0, ALL),
	PLAIN("RTTBCNRC", 0x04984, 5, 4, 0, ALL),
	PLAIN("DMATXCTL", R_DMATXCTL, 1, 4, 0x81000000u, ALL),
	PLAIN("DTXTCPFLGL", R_DTXTCPFLGL, 1, 4, 0x0F760FF6u, ALL),
	PLAIN("DTXTCPFLGH", R_DTXTCPFLGH, 1, 4, 0x00000F7Fu, ALL),
	PLAIN("RXCSUM", R_RXCSUM, 1, 4, 0, ALL),
	PLAIN("RFCTL", 0x05008, 1, 4, 0, ALL),
	PLAIN("EXVET", R_EXVET, 1, 4, 0x81000000u, ALL),
	PLAIN("FCTRL", R_FCTRL, 1, 4, 0, ALL),
	PLAIN("VLNCTRL", R_VLNCTRL, 1, 4, 0x8100, ALL),
	PLAIN("MCSTCTRL", R_MCSTCTRL, 1, 4, 0, ALL),
	PLAIN("FCCRC", 0x05118, 1, 4, 0, 0),
	PLAIN("ETQF", 0x05128, 8, 4, 0, ALL),
	PLAIN("VT_CTL", 0x051B0, 1, 4, 0, ALL),
	PLAIN("VFRE", 0x051E0, 2, 4, 0, ALL),
	PLAIN("MTA", R_MTA, 128, 4, 0, ALL),
	ALIAS("RAL", 0x05400, 32, 4, R_RAL, 4),
	ALIAS("PSRTYPE", 0x05480, 16, 4, R_PSRTYPE, 4),
	ALIAS("MRQC", 0x05818, 1, 4, R_MRQC, 4),
	PLAIN("WUC", 0x05800, 6, 4, 0, ALL),
	PLAIN("IMIR", 0x05A80, 24, 4, 0, ALL),
	ALIAS("RETA", 0x05C00, 32, 4, R_RETA, 4),
	ALIAS("RSSRK", 0x05C80, 10, 4, R_RSSRK, 4),

	ACTS("TDBAL", R_TXQ + Q_BAL, 64, 64, 0, 0xFFFFFF80u, NULL, wr_queue),
	ACTS("TDBAH", R_TXQ + Q_BAH, 64, 64, 0, ALL, NULL, wr_queue),
	ACTS("TDLEN", R_TXQ + Q_LEN, 64, 64, 0, 0xFFF80u, NULL, wr_queue),
	PLAIN("DCA_TXCTRL", R_TXQ + Q_DCA, 64, 64, 0, ALL),
	ACTS("TDH", R_TXQ + Q_HEAD, 64, 64, 0, 0xFFFF, NULL, wr_queue),
	ACTS("TDT", R_TXQ + Q_TAIL, 64, 64, 0, 0xFFFF, NULL, wr_queue),
	ACTS("TXDCTL", R_TXQ + Q_DCTL, 64, 64, 0, ALL, NULL, wr_queue),
	PLAIN("TDWBAL", R_TXQ + Q_WBAL, 64, 64, 0, ALL),
	PLAIN("TDWBAH", R_TXQ + Q_WBAH, 64, 64, 0, ALL),
	ALIAS("QPTC", R_TXQ + 0x30, 16, 64, R_QPTC, 4),
	PLAIN("TXQ64", R_TXQ_HIGH, 1024, 4, 0, 0), /* likewise */
	PLAIN("VMVIR", 0x08000, 64, 4, 0, ALL),
	PLAIN("DTXMXSZRQ", 0x08100, 1, 4, 0x10, ALL),
	PLAIN("VFTE", 0x08110, 2, 4, 0, ALL),
	PLAIN("MTQC", 0x08120, 1, 4, 0, ALL),
	PLAIN("PFVFSPOOF", 0x08200, 8, 4, 0, ALL),
	PLAIN("PFDTXGSWC", 0x08220, 1, 4, 0, ALL),
	PLAIN("TQSM", 0x08600, 32, 4, 0, ALL),
	ACTS("QPTC", R_QPTC, 16, 4, 0, 0, rd_stats, NULL),
	ACTS("QBTC_L", R_QBTCL, 16, 8, 0, 0, rd_stats, NULL),
	ACTS("QBTC_H", R_QBTCL + 4, 16, 8, 0, 0, rd_stats, NULL),
	PLAIN("SSVPC", 0x08780, 4, 4, 0, 0),
	PLAIN("SECTXCTRL", R_SECTXCTRL, 1, 4, 0, ALL),
	ACTS("SECTXSTAT", R_SECTXSTAT, 1, 4, 0, 0, rd_sec, NULL),
	PLAIN("SECTXBUFFAF", 0x08808, 2, 4, 0x250, ALL),
	PLAIN("SECRXCTRL", R_SECRXCTRL, 1, 4, 0, ALL),
	ACTS("SECRXSTAT", R_SECRXSTAT, 1, 4, 0, 0, rd_sec, NULL),
	PLAIN("VFTA", R_VFTA, 128, 4, 0, ALL),
	PLAIN("RAL", R_RAL, 128, 8, 0, ALL),
	PLAIN("RAH", R_RAL + 4, 128, 8, 0, RAH_AV | 0xFFFFu),
	PLAIN("MPSAR", R_MPSAR, 256, 4, 0, ALL),
	PLAIN("TIPG", 0x0CB00, 1, 4, 0, ALL),
	PLAIN("TXPBSIZE", 0x0CC00, 8, 4, 0x28000, ALL),
	PLAIN("RTTPCS", 0x0CD00, 1, 4, 0, ALL),
	PLAIN("MNGTXMAP", 0x0CD10, 1, 4, 0, ALL),
	PLAIN("RTTPT2C", 0x0CD20, 8, 4, 0, ALL),
	PLAIN("TFCS", 0x0CE00, 1, 4, 1, 0),
	PLAIN("PXONRXC", 0x0CF00, 24, 4, 0, 0),
	PLAIN("LXONRXC", 0x0CF60, 1, 4, 0, 0),
	PLAIN("LXOFFRXC", 0x0CF68, 1, 4, 0, 0),
	PLAIN("MNGPTC", 0x0CF90, 1, 4, 0, 0),
	PLAIN("SAQF", 0x0E000, 128, 4, 0, ALL),
	PLAIN("DAQF", 0x0E200, 128, 4, 0, ALL),
	PLAIN("SDPQF", 0x0E400, 128, 4, 0, ALL),
	PLAIN("FTQF", 0x0E600, 128, 4, 0, ALL),
	PLAIN("L34TIMIR", 0x0E800, 128, 4, 0, ALL),
	PLAIN("PSRTYPE", R_PSRTYPE, 64, 4, 0, ALL),
	PLAIN("RETA", R_RETA, 32, 4, 0, 0x0F0F0F0Fu),
	ACTS("RSSRK", R_RSSRK, 10, 4, 0, ALL, NULL, wr_key),
	PLAIN("ETQS", 0x0EC00, 8, 4, 0, ALL),
	PLAIN("SYNQF", 0x0EC30, 1, 4, 0, ALL),
	PLAIN("RTRPT4C", 0x0EC40, 8, 4, 0, ALL),
	PLAIN("RTTDTECC", 0x04990, 1, 4, 0, ALL),
	PLAIN("MRQC", R_MRQC, 1, 4, 0, ALL),
	PLAIN("RQTC", 0x0EC70, 1, 4, 0, ALL),
	PLAIN("LLITHRESH", 0x0EC90, 1, 4, 0, ALL),
	PLAIN("FDIR", 0x0EE00, 64, 4, 0, ALL),
	PLAIN("VMOLR", 0x0F000, 64, 4, 0, ALL),
	PLAIN("VLVF", 0x0F100, 64, 4, 0, ALL),
	PLAIN("VLVFB", 0x0F200, 128, 4, 0, ALL),
	PLAIN("PFUTA", 0x0F400, 128, 4, 0, ALL),
	PLAIN("MRCTL", 0x0F600, 16, 4, 0, ALL),
	ACTS("EEC", R_EEC, 1, 4, 0, EEC_REQ | 0xF, rd_eec, NULL),
	ACTS("EERD", R_EERD, 1, 4, 0, ALL, NULL, wr_eerd),
	PLAIN("EEWR", 0x10018, 1, 4, EERD_DONE, 0),
	PLAIN("FLA", 0x1001C, 1, 4, 0, ALL),
	PLAIN("EEMNGCTL", R_EEMNGCTL, 1, 4, EEMNGCTL_DONE, 0),
	ACTS("SWSM", R_SWSM, 1, 4, 0, SWSM_SMBI | SWSM_SWESMBI, rd_swsm, NULL),
	PLAIN("FWSM", R_FWSM, 1, 4, FWSM_VALID, 0),
	PLAIN("FACTPS", R_FACTPS, 1, 4, 0, ALL),
	PLAIN("GSSR", R_GSSR, 1, 4, 0, ALL),
	PLAIN("GRC", R_GRC, 1, 4, 0, ALL),
	PLAIN("GCR", 0x11000, 1, 4, 0, ALL),
	PLAIN("GSCL", 0x11010, 9, 4, 0, ALL),
	PLAIN("GCR_EXT", 0x11050, 1, 4, 0, ALL),
	PLAIN("CIAA", 0x11088, 2, 4, 0, ALL),
	PLAIN("CORECTL", 0x14F00, 1, 4, 0, ALL),
	/* experimental, not of the 82599 */
	ACTS("XPASID", R_XPASID, 16, 4, 0, ALL, NULL, wr_xpasid),
};
/* clang-format on */

/* Row of a register and, for an alias, where it really is. */
static const struct reg *find(uint32_t *off)
{
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(table); i++) {
		const struct reg *r = &table[i];
		uint32_t at = *off - r->off;

		if (*off < r->off || at / r->stride >= r->count || at % r->stride)
			continue;
		if (!r->alias)
			return r;
		*off = r->alias + at / r->stride * r->alias_stride;
		return find(off);
	}
	return NULL;
}

const char *nic_reg_name(uint32_t off)
{
	const struct reg *r = find(&off);

	return r ? r->name : NULL;
}

void nic_vanish(struct nic *n)
{
	n->gone = true;
	for (unsigned i = 0; i < NIC_PAGE / 4; i++)
		n->page[0][i] = n->page[1][i] = UINT32_MAX;
}

static bool ones(struct nic *n)
{
	n->accesses++;
	if (n->fault == FAULT_ONES && n->accesses > n->fault_arg && !n->gone)
		nic_vanish(n);
	return n->gone;
}

static const struct reg *known(struct nic *n, uint32_t *off)
{
	uint32_t asked = *off;
	const struct reg *r = find(off);

	/* Without PASIDs the model is an 82599 and nothing else. */
	if (r && (r->wr != wr_xpasid || n->pasid_bits))
		return r;
	n->unknown++;
	for (unsigned i = 0; i < n->n_unknown; i++)
		if (n->unknown_off[i] == asked)
			return NULL;
	if (n->n_unknown < NIC_UNKNOWN)
		n->unknown_off[n->n_unknown++] = asked;
	return NULL;
}

uint32_t nic_read(struct nic *n, uint32_t off)
{
	const struct reg *r;

	if (ones(n))
		return UINT32_MAX;
	r = known(n, &off);
	if (!r)
		return 0;
	return r->rd ? r->rd(n, r, off) : *nic_reg(n, off);
}

void nic_write(struct nic *n, uint32_t off, uint32_t v)
{
	const struct reg *r;

	if (ones(n))
		return;
	r = known(n, &off);
	if (!r)
		return;
	v = (*nic_reg(n, off) & ~r->mask) | (v & r->mask);
	if (r->wr)
		r->wr(n, r, off, v);
	else if (r->mask)
		*nic_reg(n, off) = v;
}

void nic_regs_reset(struct nic *n)
{
	memset(n->reg, 0, sizeof(n->reg));
	for (unsigned i = 0; i < NIC_PAGE / 4; i++)
		n->page[0][i] = n->page[1][i] = 0;
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(table); i++)
		for (unsigned k = 0; !table[i].alias && table[i].reset && k < table[i].count; k++)
			*nic_reg(n, table[i].off + k * table[i].stride) = table[i].reset;
}
