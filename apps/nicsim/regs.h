/* SPDX-License-Identifier: BSD-3-Clause */
/* Registers of the 82599 that the model gives a meaning; section numbers are of its datasheet. */
#ifndef WEIR_APPS_NICSIM_REGS_H
#define WEIR_APPS_NICSIM_REGS_H

/* 8.2.3.1 general */
#define R_CTRL	     0x00000
#define CTRL_GIO_DIS (1u << 2)
#define CTRL_LRST    (1u << 3)
#define CTRL_RST     (1u << 26)
#define R_STATUS     0x00008
#define STATUS_GIO   (1u << 19)
#define R_CTRL_EXT   0x00018
#define R_ESDP	     0x00020
#define ESDP_SDP2    (1u << 2) /* the cage of the SFP module is full */
#define R_I2CCTL     0x00028
#define R_LEDCTL     0x00200
#define R_EXVET	     0x05078

/* 8.2.3.2 EEPROM and semaphores */
#define R_EEC	      0x10010
#define EEC_REQ	      (1u << 6)
#define EEC_GNT	      (1u << 7)
#define EEC_PRES      (1u << 8)
#define EEC_AUTO_RD   (1u << 9)
#define EEC_SIZE      (4u << 11) /* 2^(4 + 6) words */
#define R_EERD	      0x10014
#define EERD_START    (1u << 0)
#define EERD_DONE     (1u << 1)
#define R_EEMNGCTL    0x10110
#define EEMNGCTL_DONE (3u << 18)
#define R_SWSM	      0x10140
#define SWSM_SMBI     (1u << 0)
#define SWSM_SWESMBI  (1u << 1)
#define R_FWSM	      0x10148
#define FWSM_VALID    (1u << 15)
#define R_GSSR	      0x10160
#define R_FACTPS      0x10150
#define R_GRC	      0x10200

/* 8.2.3.5 interrupts */
#define R_EICR		 0x00800
#define R_EICS		 0x00808
#define R_EIAC		 0x00810
#define R_EITR0		 0x00820
#define R_EIMS		 0x00880
#define R_EIMC		 0x00888
#define R_EIAM		 0x00890
#define R_GPIE		 0x00898
#define GPIE_MSIX	 (1u << 4)
#define GPIE_OCD	 (1u << 5)
#define GPIE_EIAME	 (1u << 30)
#define R_IVAR		 0x00900
#define IVAR_VALID	 0x80
#define R_IVAR_MISC	 0x00A00
#define R_EICS_EX	 0x00A90
#define R_EIMS_EX	 0x00AA0
#define R_EIMC_EX	 0x00AB0
#define R_EIAM_EX	 0x00AD0
#define R_EITR24	 0x12300
#define EITR_INTERVAL(v) ((v) >> 3 & 0x1FF)
#define EICR_RX_MISS	 (1u << 17)
#define EICR_PCI	 (1u << 18)
#define EICR_LSC	 (1u << 20)

/* 8.2.3.7 filters */
#define R_FCTRL	     0x05080
#define FCTRL_SBP    (1u << 1)
#define FCTRL_MPE    (1u << 8)
#define FCTRL_UPE    (1u << 9)
#define FCTRL_BAM    (1u << 10)
#define R_VLNCTRL    0x05088
#define VLNCTRL_VFE  (1u << 30)
#define R_MCSTCTRL   0x05090
#define MCSTCTRL_MFE (1u << 2)
#define R_MTA	     0x05200
#define R_VFTA	     0x0A000
#define R_RAL	     0x0A200
#define RAH_AV	     (1u << 31)
#define R_MPSAR	     0x0A600
#define R_PSRTYPE    0x0EA00
#define R_RXCSUM     0x05000
#define RXCSUM_PCSD  (1u << 13)
#define R_MRQC	     0x0EC80
#define R_RETA	     0x0EB00
#define R_RSSRK	     0x0EB80
#define MRQC_TCP4    (1u << 16)
#define MRQC_IP4     (1u << 17)
#define MRQC_TCP6EX  (1u << 18)
#define MRQC_IP6EX   (1u << 19)
#define MRQC_IP6     (1u << 20)
#define MRQC_TCP6    (1u << 21)
#define MRQC_UDP4    (1u << 22)
#define MRQC_UDP6    (1u << 23)
#define MRQC_UDP6EX  (1u << 24)

/* 8.2.3.8 receive; a queue's registers are R_RXQ + 0x40 * queue + Q_... */
#define R_RXQ		0x01000
#define R_RXQ_HIGH	0x0D000
#define R_TXQ		0x06000
#define R_TXQ_HIGH	0x07000
#define Q_STRIDE	0x40
#define Q_BAL		0x00
#define Q_BAH		0x04
#define Q_LEN		0x08
#define Q_DCA		0x0C
#define Q_HEAD		0x10
#define Q_SRRCTL	0x14
#define Q_TAIL		0x18
#define Q_DCTL		0x28
#define Q_RSCCTL	0x2C
#define Q_QPRC		0x30
#define Q_WBAL		0x38
#define Q_WBAH		0x3C
#define DCTL_ENABLE	(1u << 25)
#define RXDCTL_VME	(1u << 30)
#define SRRCTL_DROP	(1u << 28)
#define R_RDRXCTL	0x02F00
#define RDRXCTL_DMADONE (1u << 3)
#define R_RXCTRL	0x03000
#define RXCTRL_RXEN	(1u << 0)
#define R_SECRXCTRL	0x08D00
#define R_SECRXSTAT	0x08D04
#define R_SECTXCTRL	0x08800
#define R_SECTXSTAT	0x08804
#define SECCTL_DIS	(1u << 1)
#define SECSTAT_READY	(1u << 0)

/* 8.2.3.9 transmit */
#define R_DMATXCTL   0x04A80
#define DMATXCTL_TE  (1u << 0)
#define R_DTXTCPFLGL 0x04A88
#define R_DTXTCPFLGH 0x04A8C
#define R_RTTDCS     0x04900

/* 8.2.3.22 MAC */
#define R_HLREG0	 0x04240
#define HLREG0_TXCRCEN	 (1u << 0)
#define HLREG0_RXCRCSTRP (1u << 1)
#define HLREG0_JUMBOEN	 (1u << 2)
#define HLREG0_TXPADEN	 (1u << 10)
#define HLREG0_LPBK	 (1u << 15)
#define R_MSCA		 0x0425C
#define MSCA_COMMAND	 (1u << 30)
#define R_MSRWD		 0x04260
#define R_MAXFRS	 0x04268
#define R_AUTOC		 0x042A0
#define AUTOC_RESTART	 (1u << 12)
#define R_LINKS		 0x042A4
#define LINKS_UP	 (1u << 30)
#define LINKS_10G	 (3u << 28)
#define LINKS_AN_DONE	 (1u << 31)
#define R_LINKS2	 0x04324

/* 8.2.3.23 statistics */
#define R_CRCERRS    0x04000
#define R_RLEC	     0x04040
#define R_MPC	     0x03FA0
#define R_PRC64	     0x0405C
#define R_GPRC	     0x04074
#define R_BPRC	     0x04078
#define R_MPRC	     0x0407C
#define R_GPTC	     0x04080
#define R_GORCL	     0x04088
#define R_GORCH	     0x0408C
#define R_GOTCL	     0x04090
#define R_GOTCH	     0x04094
#define R_RUC	     0x040A4
#define R_ROC	     0x040AC
#define R_RJC	     0x040B0
#define R_TORL	     0x040C0
#define R_TORH	     0x040C4
#define R_TPR	     0x040D0
#define R_TPT	     0x040D4
#define R_PTC64	     0x040D8
#define R_MPTC	     0x040F0
#define R_BPTC	     0x040F4
#define R_XEC	     0x04120
#define R_LXOFFRXCNT 0x041A8
#define R_QPRDC	     0x01430
#define R_QBRCL	     0x01034
#define R_QPTC	     0x08680
#define R_QBTCL	     0x08700

/* 7.1.6 receive descriptors, second quadword and the type field of the first */
#define RXD_DD	   (1u << 0)
#define RXD_EOP	   (1u << 1)
#define RXD_VP	   (1u << 3)
#define RXD_L4I	   (1u << 5)
#define RXD_IPCS   (1u << 6)
#define RXD_PIF	   (1u << 7)
#define RXD_UDPV   (1u << 10)
#define RXD_HBO	   (1u << 23)
#define RXD_RXE	   (1u << 29)
#define RXD_L4E	   (1u << 30)
#define RXD_IPE	   (1u << 31)
#define RXD_SPH	   (1u << 31)
#define PTYPE_IP4  (1u << 4)
#define PTYPE_IP4E (1u << 5)
#define PTYPE_IP6  (1u << 6)
#define PTYPE_IP6E (1u << 7)
#define PTYPE_TCP  (1u << 8)
#define PTYPE_UDP  (1u << 9)
#define PTYPE_SCTP (1u << 10)

/*
 * Experimental, of no 82599: a PASID for each queue pair, at a place that a vendor-specific
 * capability tells (pcicfg.c).
 */
#define R_XPASID       0x1E000
#define XPASID_MASK    0xFFFFFu
#define XPASID_STOPPED (1u << 30) /* a refused access stopped the pair; writing 1 clears it */
#define XPASID_EN      (1u << 31)

/* 7.2.3 transmit descriptors, second quadword */
#define TXD_EOP	    (1u << 24)
#define TXD_IC	    (1u << 26) /* legacy */
#define TXD_RS	    (1u << 27)
#define TXD_DEXT    (1u << 29)
#define TXD_VLE	    (1u << 30)
#define TXD_TSE	    (1u << 31)
#define TXD_DTYP(v) ((v) >> 20 & 0xF)
#define TXD_CONTEXT 2
#define TXD_DATA    3
#define TXD_DD	    (1ull << 32)
#define TXD_CC	    (1ull << 39)
#define TXD_IXSM    (1ull << 40)
#define TXD_TXSM    (1ull << 41)

#endif
