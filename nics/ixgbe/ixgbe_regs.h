/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intel 82599, X540 and X550: registers and their bits. Names are the datasheets'. Chapters of the
 * 82599's: 4.2 reset, 4.6 initialisation, 5.2.5.3.2 master disable, 7.1 receive, 7.2 transmit, 7.3
 * interrupts, 8.2.3.1 general registers, 8.2.3.2 EEPROM, 8.2.3.5 interrupt registers, 8.2.3.7 and
 * 8.2.3.8 receive registers, 8.2.3.9 transmit registers, 8.2.3.22 MAC, 8.2.3.23 statistics. Where a
 * register has two addresses this is the one that the kernel's driver uses too.
 */
#ifndef WEIR_NICS_IXGBE_REGS_H
#define WEIR_NICS_IXGBE_REGS_H

#include "core/types.h"

#define IXGBE_BIT(n) (UINT32_C(1) << (n))

/* BAR 0; nothing above is touched by this driver */
#define IXGBE_BAR_NEED 0x20000

/* --- general, 8.2.3.1 --- */

#define IXGBE_CTRL		  0x00000
#define IXGBE_CTRL_MASTER_DISABLE IXGBE_BIT(2)
#define IXGBE_CTRL_LRST		  IXGBE_BIT(3)
#define IXGBE_CTRL_RST		  IXGBE_BIT(26)
#define IXGBE_STATUS		  0x00008
#define IXGBE_STATUS_LAN_ID_SHIFT 2
#define IXGBE_STATUS_LAN_ID_MASK  0x3
#define IXGBE_STATUS_MASTER_EN	  IXGBE_BIT(19)
#define IXGBE_CTRL_EXT		  0x00018
#define IXGBE_CTRL_EXT_NS_DIS	  IXGBE_BIT(16)
#define IXGBE_CTRL_EXT_DRV_LOAD	  IXGBE_BIT(28)
#define IXGBE_ESDP		  0x00020
#define IXGBE_ESDP_SDP3_DATA	  IXGBE_BIT(3)

/* --- EEPROM, 8.2.3.2 --- */

#define IXGBE_EEC	  0x10010
#define IXGBE_EEC_AUTO_RD IXGBE_BIT(9)

/* --- semaphores, 8.2.3.4 --- */

#define IXGBE_SWSM		    0x10140
#define IXGBE_SWSM_SMBI		    IXGBE_BIT(0)
#define IXGBE_SWSM_SWESMBI	    IXGBE_BIT(1)
#define IXGBE_SW_FW_SYNC	    0x10160
#define IXGBE_SW_FW_SYNC_SW_MAC_CSR IXGBE_BIT(3)
#define IXGBE_SW_FW_SYNC_FW_MAC_CSR IXGBE_BIT(8)

/* --- interrupts, 8.2.3.5 --- */

#define IXGBE_EICR	       0x00800
#define IXGBE_EIAC	       0x00810
#define IXGBE_EIMS	       0x00880
#define IXGBE_EIMC	       0x00888
#define IXGBE_EI_RTXQ	       0xffff
#define IXGBE_EI_PCI	       IXGBE_BIT(18)
#define IXGBE_EI_LSC	       IXGBE_BIT(20)
#define IXGBE_EIMS_EX(i)       (0x00aa0 + 4 * (i))
#define IXGBE_EIMC_EX(i)       (0x00ab0 + 4 * (i))
#define IXGBE_EIAM_EX(i)       (0x00ad0 + 4 * (i))
#define IXGBE_EITR(v)	       (0x00820 + 4 * (v)) /* v < 24 */
#define IXGBE_GPIE	       0x00898
#define IXGBE_GPIE_MSIX	       IXGBE_BIT(4)
#define IXGBE_GPIE_OCD	       IXGBE_BIT(5)
#define IXGBE_GPIE_EIAME       IXGBE_BIT(30)
#define IXGBE_GPIE_PBA_SUPPORT IXGBE_BIT(31)
/* RX queue q: byte 0 (even) or 2 (odd) of IVAR(q / 2) */
#define IXGBE_IVAR(i)	       (0x00900 + 4 * (i))
#define IXGBE_IVAR_RX_SHIFT(q) ((q)&1 ? 16 : 0)
#define IXGBE_IVAR_VALID       0x80
#define IXGBE_IVAR_MISC	       0x00a00
#define IXGBE_IVAR_OTHER_SHIFT 8

/* --- receive, 8.2.3.7 and 8.2.3.8 --- */

#define IXGBE_RXQ(q)		       (0x01000 + 0x40 * (q))
#define IXGBE_RDH(q)		       (IXGBE_RXQ(q) + 0x10)
#define IXGBE_RDT(q)		       (IXGBE_RXQ(q) + 0x18)
#define IXGBE_RXDCTL(q)		       (IXGBE_RXQ(q) + 0x28)
#define IXGBE_XDCTL_ENABLE	       IXGBE_BIT(25)
#define IXGBE_RXDCTL_VME	       IXGBE_BIT(30)
#define IXGBE_SRRCTL(q)		       (0x02100 + 4 * (q)) /* q < 16 */
#define IXGBE_SRRCTL_BSIZEPACKET_2K    2
#define IXGBE_SRRCTL_BSIZEHEADER_256   (UINT32_C(4) << 8)
#define IXGBE_SRRCTL_DESCTYPE_ADV_ONE  IXGBE_BIT(25)
#define IXGBE_SRRCTL_DROP_EN	       IXGBE_BIT(28)
#define IXGBE_DCA_RXCTRL(q)	       (0x02200 + 4 * (q)) /* q < 16 */
#define IXGBE_DCA_RXCTRL_MUST_BE_0     IXGBE_BIT(12)
#define IXGBE_RQSMR(i)		       (0x02300 + 4 * (i))
#define IXGBE_RDRXCTL		       0x02f00
#define IXGBE_RDRXCTL_CRCSTRIP	       IXGBE_BIT(1)
#define IXGBE_RDRXCTL_DMAIDONE	       IXGBE_BIT(3)
#define IXGBE_RDRXCTL_RSCFRSTSIZE_MASK (UINT32_C(0x1f) << 17)
#define IXGBE_RDRXCTL_RSCACKC	       IXGBE_BIT(25)
#define IXGBE_RDRXCTL_FCOE_WRFIX       IXGBE_BIT(26)
#define IXGBE_RXCTRL		       0x03000
#define IXGBE_RXCTRL_RXEN	       IXGBE_BIT(0)
#define IXGBE_RXPBSIZE(i)	       (0x03c00 + 4 * (i))
#define IXGBE_RXPBSIZE_KB(n)	       ((uint32_t)(n) << 10)
#define IXGBE_N_PB		       8
#define IXGBE_FCCFG		       0x03d00

#define IXGBE_RXCSUM	    0x05000
#define IXGBE_RXCSUM_PCSD   IXGBE_BIT(13)
#define IXGBE_FCTRL	    0x05080
#define IXGBE_FCTRL_MPE	    IXGBE_BIT(8)
#define IXGBE_FCTRL_UPE	    IXGBE_BIT(9)
#define IXGBE_FCTRL_BAM	    IXGBE_BIT(10)
#define IXGBE_VLNCTRL	    0x05088
#define IXGBE_VLNCTRL_VFE   IXGBE_BIT(30)
#define IXGBE_MCSTCTRL	    0x05090
#define IXGBE_MCSTCTRL_MFE  IXGBE_BIT(2)
#define IXGBE_MTA(i)	    (0x05200 + 4 * (i))
#define IXGBE_MTA_LEN	    128
#define IXGBE_VFTA(i)	    (0x0a000 + 4 * (i))
#define IXGBE_VFTA_LEN	    128
#define IXGBE_RAL(i)	    ((i) < 16 ? 0x05400 + 8 * (i) : 0x0a200 + 8 * (i))
#define IXGBE_RAH(i)	    (IXGBE_RAL(i) + 4)
#define IXGBE_RAH_AV	    IXGBE_BIT(31)
#define IXGBE_RAR_LEN	    128
#define IXGBE_MRQC	    0x05818
#define IXGBE_MRQC_RSS	    0x1
#define IXGBE_MRQC_TCP_IPV4 IXGBE_BIT(16)
#define IXGBE_MRQC_IPV4	    IXGBE_BIT(17)
#define IXGBE_MRQC_IPV6	    IXGBE_BIT(20)
#define IXGBE_MRQC_TCP_IPV6 IXGBE_BIT(21)
#define IXGBE_MRQC_UDP_IPV4 IXGBE_BIT(22)
#define IXGBE_MRQC_UDP_IPV6 IXGBE_BIT(23)
/* the X550's table of 512 goes on elsewhere after its first 128 */
#define IXGBE_RETA(i)	       ((i) < 32 ? 0x05c00 + 4 * (i) : 0x0ee80 + 4 * ((i)-32))
#define IXGBE_RETA_LEN	       128
#define IXGBE_RETA_LEN_X550    512
#define IXGBE_RSSRK(i)	       (0x05c80 + 4 * (i))
#define IXGBE_RSSRK_LEN	       40
#define IXGBE_SECRXCTRL	       0x08d00
#define IXGBE_SECRXCTRL_RX_DIS IXGBE_BIT(1)
#define IXGBE_SECRXSTAT	       0x08d04
#define IXGBE_SECRXSTAT_RDY    IXGBE_BIT(0)

/* --- transmit, 8.2.3.9 --- */

#define IXGBE_RTTDCS		0x04900
#define IXGBE_RTTDCS_ARBDIS	IXGBE_BIT(6)
#define IXGBE_DMATXCTL		0x04a80
#define IXGBE_DMATXCTL_TE	IXGBE_BIT(0)
#define IXGBE_TXQ(q)		(0x06000 + 0x40 * (q))
#define IXGBE_TDH(q)		(IXGBE_TXQ(q) + 0x10)
#define IXGBE_TDT(q)		(IXGBE_TXQ(q) + 0x18)
#define IXGBE_TXDCTL(q)		(IXGBE_TXQ(q) + 0x28)
#define IXGBE_TXDCTL_PTHRESH(n) ((uint32_t)(n))
#define IXGBE_TXDCTL_HTHRESH(n) ((uint32_t)(n) << 8)
#define IXGBE_TDWBAL(q)		(IXGBE_TXQ(q) + 0x38)
#define IXGBE_TDWBAH(q)		(IXGBE_TXQ(q) + 0x3c)
#define IXGBE_TDWBAL_EN		IXGBE_BIT(0)
#define IXGBE_DTXMXSZRQ		0x08100
#define IXGBE_DTXMXSZRQ_MAX	0xfff
#define IXGBE_MTQC		0x08120
#define IXGBE_TQSM(i)		(0x08600 + 4 * (i))

/* offsets within RXQ(q) and TXQ(q) */
#define IXGBE_XDBAL 0x00
#define IXGBE_XDBAH 0x04
#define IXGBE_XDLEN 0x08
#define IXGBE_XDH   0x10
#define IXGBE_XDT   0x18

/* --- MAC and link, 8.2.3.22 --- */

#define IXGBE_HLREG0		 0x04240
#define IXGBE_HLREG0_TXCRCEN	 IXGBE_BIT(0)
#define IXGBE_HLREG0_RXCRCSTRP	 IXGBE_BIT(1)
#define IXGBE_HLREG0_JUMBOEN	 IXGBE_BIT(2)
#define IXGBE_HLREG0_TXPADEN	 IXGBE_BIT(10)
#define IXGBE_MAXFRS		 0x04268
#define IXGBE_MAXFRS_MFS(n)	 ((uint32_t)(n) << 16)
#define IXGBE_MFLCN		 0x04294
#define IXGBE_MFLCN_PMCF	 IXGBE_BIT(0)
#define IXGBE_AUTOC		 0x042a0
#define IXGBE_AUTOC_RESTART_AN	 IXGBE_BIT(12)
#define IXGBE_LINKS		 0x042a4
#define IXGBE_LINKS_SPEED_SHIFT	 28
#define IXGBE_LINKS_SPEED_MASK	 0x3
#define IXGBE_LINKS_SPEED_NONSTD IXGBE_BIT(27) /* X550 */
#define IXGBE_LINKS_UP		 IXGBE_BIT(30)

/* --- direct cache access, 8.2.3.11 --- */

#define IXGBE_DCA_CTRL	   0x11074
#define IXGBE_DCA_CTRL_DIS IXGBE_BIT(0)

/* --- statistics of queues, 8.2.3.23: set q belongs to queue q (RQSMR, TQSM) --- */

#define IXGBE_QPRC(q)	(IXGBE_RXQ(q) + 0x30)
#define IXGBE_QBRC_L(q) (IXGBE_RXQ(q) + 0x34)
#define IXGBE_QBRC_H(q) (IXGBE_RXQ(q) + 0x38)
#define IXGBE_QPRDC(q)	(0x01430 + 0x40 * (q))
#define IXGBE_QPTC(q)	(IXGBE_TXQ(q) + 0x30)
#define IXGBE_QBTC_L(q) (0x08700 + 8 * (q))
#define IXGBE_QBTC_H(q) (0x08704 + 8 * (q))

#endif
