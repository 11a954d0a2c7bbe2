/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Intel 82576EB: registers, their bits, and descriptors. Names are the datasheet's. Chapters:
 * 4.5 initialisation, 5.2.3.3 master disable, 7.1 receive, 7.2 transmit, 7.3 interrupts, 8.2
 * general registers, 8.4 EEPROM, 8.7 semaphores, 8.8 interrupt registers, 8.10 receive registers,
 * 8.12 transmit registers, 8.17 PCS, 8.19 statistics.
 */
#ifndef WEIR_NICS_IGB_REGS_H
#define WEIR_NICS_IGB_REGS_H

#include "core/types.h"

#define IGB_BIT(n) (UINT32_C(1) << (n))

/* BAR 0; nothing above is touched by this driver */
#define IGB_BAR_NEED 0x10000

/* --- general, 8.2 --- */

#define IGB_CTRL		    0x00000
#define IGB_CTRL_FD		    IGB_BIT(0)
#define IGB_CTRL_GIO_MASTER_DISABLE IGB_BIT(2)
#define IGB_CTRL_SLU		    IGB_BIT(6)
#define IGB_CTRL_SPEED_MASK	    (IGB_BIT(8) | IGB_BIT(9))
#define IGB_CTRL_SPEED_1000	    IGB_BIT(9)
#define IGB_CTRL_FRCSPD		    IGB_BIT(11)
#define IGB_CTRL_FRCDPLX	    IGB_BIT(12)
#define IGB_CTRL_SDP0_DATA	    IGB_BIT(18)
#define IGB_CTRL_SDP1_DATA	    IGB_BIT(19)
#define IGB_CTRL_RST		    IGB_BIT(26)
#define IGB_CTRL_RFCE		    IGB_BIT(27)
#define IGB_CTRL_TFCE		    IGB_BIT(28)
#define IGB_CTRL_VME		    IGB_BIT(30)

#define IGB_STATUS		 0x00008
#define IGB_STATUS_FD		 IGB_BIT(0)
#define IGB_STATUS_LU		 IGB_BIT(1)
#define IGB_STATUS_LAN_ID_SHIFT	 2
#define IGB_STATUS_LAN_ID_MASK	 0x3
#define IGB_STATUS_SPEED_SHIFT	 6
#define IGB_STATUS_SPEED_MASK	 0x3
#define IGB_STATUS_GIO_MASTER_EN IGB_BIT(19)

#define IGB_CTRL_EXT		      0x00018
#define IGB_CTRL_EXT_SDP3_DATA	      IGB_BIT(7)
#define IGB_CTRL_EXT_LINK_MODE_MASK   (IGB_BIT(22) | IGB_BIT(23))
#define IGB_CTRL_EXT_LINK_MODE_PHY    0
#define IGB_CTRL_EXT_LINK_MODE_SGMII  IGB_BIT(23)
#define IGB_CTRL_EXT_LINK_MODE_SERDES (IGB_BIT(22) | IGB_BIT(23))
#define IGB_CTRL_EXT_EXT_VLAN	      IGB_BIT(26)
#define IGB_CTRL_EXT_DRV_LOAD	      IGB_BIT(28)

#define IGB_MDIC		 0x00020
#define IGB_MDIC_DATA_MASK	 0xffff
#define IGB_MDIC_REGADD_SHIFT	 16
#define IGB_MDIC_PHYADD_INTERNAL (UINT32_C(1) << 21)
#define IGB_MDIC_OP_WRITE	 IGB_BIT(26)
#define IGB_MDIC_OP_READ	 IGB_BIT(27)
#define IGB_MDIC_R		 IGB_BIT(28)
#define IGB_MDIC_E		 IGB_BIT(30)

#define IGB_SCTL		     0x00024
#define IGB_SCTL_DIS_SERDES_LOOPBACK 0x400

/* --- EEPROM, 8.4 --- */

#define IGB_EEC			    0x00010
#define IGB_EEC_AUTO_RD		    IGB_BIT(9)
#define IGB_EEMNGCTL		    0x01010
#define IGB_EEMNGCTL_CFG_DONE(port) IGB_BIT(18 + (port))

/* --- semaphores, 8.7 --- */

#define IGB_SWSM		    0x05b50
#define IGB_SWSM_SMBI		    IGB_BIT(0)
#define IGB_SWSM_SWESMBI	    IGB_BIT(1)
#define IGB_SW_FW_SYNC		    0x05b5c
#define IGB_SW_FW_SYNC_SW_PHY(port) IGB_BIT(1 + (port))
#define IGB_SW_FW_SYNC_FW_PHY(port) IGB_BIT(17 + (port))

/* --- interrupts, 8.8 --- */

/* by their old addresses, which the device keeps as aliases and QEMU's model alone knows */
#define IGB_ICR		       0x000c0
#define IGB_IMS		       0x000d0
#define IGB_IMC		       0x000d8
#define IGB_INT_LSC	       IGB_BIT(2)
#define IGB_GPIE	       0x01514
#define IGB_GPIE_NSICR	       IGB_BIT(0)
#define IGB_GPIE_MULTIPLE_MSIX IGB_BIT(4)
#define IGB_GPIE_EIAME	       IGB_BIT(30)
#define IGB_GPIE_PBA_SUPPORT   IGB_BIT(31)
#define IGB_EIMS	       0x01524
#define IGB_EIMC	       0x01528
#define IGB_EIAC	       0x0152c
#define IGB_EIAM	       0x01530
#define IGB_EICR	       0x01580
#define IGB_EITR(v)	       (0x01680 + 4 * (v))
#define IGB_EITR_CNT_INGR      IGB_BIT(31)
/* RX queue q: byte 0 (q < 8) or 2 of IVAR(q & 7) */
#define IGB_IVAR(q)		  (0x01700 + 4 * ((q)&7))
#define IGB_IVAR_RX_SHIFT(q)	  ((q) < 8 ? 0 : 16)
#define IGB_IVAR_VALID		  0x80
#define IGB_IVAR_MISC		  0x01740
#define IGB_IVAR_MISC_OTHER_SHIFT 8

/* --- receive, 8.10 --- */

#define IGB_RCTL       0x00100
#define IGB_RCTL_RXEN  IGB_BIT(1)
#define IGB_RCTL_UPE   IGB_BIT(3)
#define IGB_RCTL_MPE   IGB_BIT(4)
#define IGB_RCTL_LPE   IGB_BIT(5)
#define IGB_RCTL_BAM   IGB_BIT(15)
#define IGB_RCTL_VFE   IGB_BIT(18)
#define IGB_RCTL_PMCF  IGB_BIT(23)
#define IGB_RCTL_SECRC IGB_BIT(26)

#define IGB_RXQ(q)		    (0x0c000 + 0x40 * (q))
#define IGB_RDBAL(q)		    (IGB_RXQ(q) + 0x00)
#define IGB_RDBAH(q)		    (IGB_RXQ(q) + 0x04)
#define IGB_RDLEN(q)		    (IGB_RXQ(q) + 0x08)
#define IGB_SRRCTL(q)		    (IGB_RXQ(q) + 0x0c)
#define IGB_SRRCTL_BSIZEPACKET_2K   2
#define IGB_SRRCTL_DESCTYPE_ADV_ONE IGB_BIT(25)
#define IGB_SRRCTL_DROP_EN	    IGB_BIT(31)
#define IGB_RDH(q)		    (IGB_RXQ(q) + 0x10)
#define IGB_RDT(q)		    (IGB_RXQ(q) + 0x18)
#define IGB_RXDCTL(q)		    (IGB_RXQ(q) + 0x28)
#define IGB_XDCTL_PTHRESH(n)	    ((uint32_t)(n))
#define IGB_XDCTL_HTHRESH(n)	    ((uint32_t)(n) << 8)
#define IGB_XDCTL_WTHRESH(n)	    ((uint32_t)(n) << 16)
#define IGB_XDCTL_ENABLE	    IGB_BIT(25)
#define IGB_RQDPC(q)		    (IGB_RXQ(q) + 0x30)

#define IGB_RXCSUM	     0x05000
#define IGB_RXCSUM_IPOFLD    IGB_BIT(8)
#define IGB_RXCSUM_TUOFLD    IGB_BIT(9)
#define IGB_RXCSUM_PCSD	     IGB_BIT(13)
#define IGB_RLPML	     0x05004
#define IGB_MTA(i)	     (0x05200 + 4 * (i))
#define IGB_MTA_LEN	     128
#define IGB_VFTA(i)	     (0x05600 + 4 * (i))
#define IGB_VFTA_LEN	     128
#define IGB_RAL(i)	     ((i) < 16 ? 0x05400 + 8 * (i) : 0x054e0 + 8 * ((i)-16))
#define IGB_RAH(i)	     (IGB_RAL(i) + 4)
#define IGB_RAH_AV	     IGB_BIT(31)
#define IGB_RAR_LEN	     24
#define IGB_MRQC	     0x05818
#define IGB_MRQC_RSS	     0x2
#define IGB_MRQC_TCP_IPV4    IGB_BIT(16)
#define IGB_MRQC_IPV4	     IGB_BIT(17)
#define IGB_MRQC_TCP_IPV6_EX IGB_BIT(18)
#define IGB_MRQC_IPV6	     IGB_BIT(20)
#define IGB_MRQC_TCP_IPV6    IGB_BIT(21)
#define IGB_MRQC_UDP_IPV4    IGB_BIT(22)
#define IGB_MRQC_UDP_IPV6    IGB_BIT(23)
#define IGB_RETA(i)	     (0x05c00 + 4 * (i))
#define IGB_RETA_LEN	     128
#define IGB_RSSRK(i)	     (0x05c80 + 4 * (i))
#define IGB_RSSRK_LEN	     40

/* --- transmit, 8.12 --- */

#define IGB_TCTL	 0x00400
#define IGB_TCTL_EN	 IGB_BIT(1)
#define IGB_TCTL_PSP	 IGB_BIT(3)
#define IGB_TCTL_CT_MASK (UINT32_C(0xff) << 4)
#define IGB_TCTL_CT(n)	 ((uint32_t)(n) << 4)

#define IGB_TXQ(q)    (0x0e000 + 0x40 * (q))
#define IGB_TDBAL(q)  (IGB_TXQ(q) + 0x00)
#define IGB_TDBAH(q)  (IGB_TXQ(q) + 0x04)
#define IGB_TDLEN(q)  (IGB_TXQ(q) + 0x08)
#define IGB_TDH(q)    (IGB_TXQ(q) + 0x10)
#define IGB_TDT(q)    (IGB_TXQ(q) + 0x18)
#define IGB_TXDCTL(q) (IGB_TXQ(q) + 0x28)
#define IGB_TDWBAL(q) (IGB_TXQ(q) + 0x38)
#define IGB_TDWBAL_EN IGB_BIT(0)
#define IGB_TDWBAH(q) (IGB_TXQ(q) + 0x3c)

/* --- PCS, 8.17: links without the internal PHY --- */

#define IGB_PCS_CFG		 0x04200
#define IGB_PCS_CFG_PCS_EN	 IGB_BIT(3)
#define IGB_PCS_LCTL		 0x04208
#define IGB_PCS_LCTL_FLV	 IGB_BIT(0)
#define IGB_PCS_LCTL_FSV_1000	 IGB_BIT(2)
#define IGB_PCS_LCTL_FDV	 IGB_BIT(3)
#define IGB_PCS_LCTL_FSD	 IGB_BIT(4)
#define IGB_PCS_LCTL_FORCE_LINK	 IGB_BIT(5)
#define IGB_PCS_LCTL_FORCE_FC	 IGB_BIT(7)
#define IGB_PCS_LCTL_AN_ENABLE	 IGB_BIT(16)
#define IGB_PCS_LCTL_AN_RESTART	 IGB_BIT(17)
#define IGB_PCS_LSTAT		 0x0420c
#define IGB_PCS_LSTAT_LINK_OK	 IGB_BIT(0)
#define IGB_PCS_LSTAT_SPEED_100	 IGB_BIT(1)
#define IGB_PCS_LSTAT_SPEED_1000 IGB_BIT(2)
#define IGB_PCS_LSTAT_DUPLEX	 IGB_BIT(3)
#define IGB_PCS_LSTAT_SYNC_OK	 IGB_BIT(4)
#define IGB_PCS_ANADV		 0x04218
#define IGB_PCS_ANADV_FD	 IGB_BIT(5)
#define IGB_PCS_ANADV_PAUSE_MASK (IGB_BIT(7) | IGB_BIT(8))

/* --- PHY registers: IEEE 802.3 clause 22 --- */

#define IGB_PHY_CONTROL		   0
#define IGB_PHY_CONTROL_RESTART_AN 0x0200
#define IGB_PHY_CONTROL_ISOLATE	   0x0400
#define IGB_PHY_CONTROL_POWER_DOWN 0x0800
#define IGB_PHY_CONTROL_AN_ENABLE  0x1000
#define IGB_PHY_ANAR		   4
#define IGB_PHY_ANAR_PAUSE_MASK	   0x0c00

/* --- descriptors --- */

/*
 * Descriptors are those of nics/intel_adv.h, but for the error bits of a received one (7.1.5.2), and
 * without TSO.
 */
#define IGB_RXD_L4E INTEL_BIT64(29)
#define IGB_RXD_IPE INTEL_BIT64(30)
#define IGB_RXD_RXE INTEL_BIT64(31)

#endif
