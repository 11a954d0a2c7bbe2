/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Advanced descriptors, as the 82599 and its successors have them (82599 datasheet 7.1.6 receive,
 * 7.2.3 transmit), and what a packet's offloads mean in them. No queue, no register: a driver adds
 * these.
 */
#ifndef WEIR_NICS_INTEL_ADV_H
#define WEIR_NICS_INTEL_ADV_H

#include "core/port.h"

#define INTEL_BIT64(n) (UINT64_C(1) << (n))

/**
 * union intel_rx_desc - receive descriptor, one buffer
 * @read: as software writes it
 * @wb: as the device writes it back; @status holds status and errors in bits 31:0, the length in
 *      47:32 and the VLAN tag in 63:48, so that one load gets a consistent set
 *
 * @read.hdr_addr lies under @wb.status: writing 0 there takes DD away.
 */
union intel_rx_desc {
	struct {
		__le64 pkt_addr;
		__le64 hdr_addr;
	} read;
	struct {
		__le32 info;
		__le32 rss;
		__le64 status;
	} wb;
};
static_assert(sizeof(union intel_rx_desc) == 16, "a receive descriptor has 16 bytes");

/* info */
#define INTEL_RXD_RSS_TYPE_MASK 0xf
#define INTEL_RXD_PKT_UDP	(UINT32_C(1) << 9)
/* status */
#define INTEL_RXD_DD	  INTEL_BIT64(0)
#define INTEL_RXD_EOP	  INTEL_BIT64(1)
#define INTEL_RXD_VP	  INTEL_BIT64(3)
#define INTEL_RXD_L4I	  INTEL_BIT64(5)
#define INTEL_RXD_IPCS	  INTEL_BIT64(6)
#define INTEL_RXD_RXE	  INTEL_BIT64(29)
#define INTEL_RXD_L4E	  INTEL_BIT64(30)
#define INTEL_RXD_IPE	  INTEL_BIT64(31)
#define INTEL_RXD_LEN(s)  ((uint16_t)((s) >> 32))
#define INTEL_RXD_VLAN(s) ((uint16_t)((s) >> 48))

/**
 * struct intel_tx_desc - transmit descriptor, data or context
 * @lo: data: IOVA of the segment. Context: IPLEN 8:0, MACLEN 15:9, VLAN tag 31:16
 * @hi: data: length, type and command in bits 31:0, options and PAYLEN in 63:32, where the device
 *      also writes DD. Context: type and TUCMD in 31:0, L4LEN and MSS in 63:32
 */
struct intel_tx_desc {
	__le64 lo;
	__le64 hi;
};
static_assert(sizeof(struct intel_tx_desc) == 16, "a transmit descriptor has 16 bytes");

#define INTEL_TXD_DTYP_CTX  (UINT64_C(2) << 20)
#define INTEL_TXD_DTYP_DATA (UINT64_C(3) << 20)
#define INTEL_TXD_DTYP_MASK (UINT64_C(15) << 20)
#define INTEL_TXD_EOP	    INTEL_BIT64(24)
#define INTEL_TXD_IFCS	    INTEL_BIT64(25)
#define INTEL_TXD_RS	    INTEL_BIT64(27)
#define INTEL_TXD_DEXT	    INTEL_BIT64(29)
#define INTEL_TXD_VLE	    INTEL_BIT64(30)
#define INTEL_TXD_TSE	    INTEL_BIT64(31)
#define INTEL_TXD_DD	    INTEL_BIT64(32)
#define INTEL_TXD_IXSM	    INTEL_BIT64(40)
#define INTEL_TXD_TXSM	    INTEL_BIT64(41)
#define INTEL_TXD_PAYLEN(n) ((uint64_t)(n) << 46)

#define INTEL_CTX_MACLEN_SHIFT 9
#define INTEL_CTX_MACLEN_MAX   127
#define INTEL_CTX_VLAN_SHIFT   16
#define INTEL_CTX_IPV4	       INTEL_BIT64(10)
#define INTEL_CTX_L4T_TCP      INTEL_BIT64(11)
#define INTEL_CTX_L4LEN_SHIFT  40
#define INTEL_CTX_MSS_SHIFT    48

/**
 * struct intel_tx_off - a packet's offloads in the device's terms
 * @lo: of the context descriptor
 * @hi: of the context descriptor; 0 if the packet needs none
 * @bits: for the upper half of its data descriptors, without PAYLEN
 * @hdr: bytes of headers that TSO repeats in each frame, 0 without TSO
 */
struct intel_tx_off {
	uint64_t lo, hi;
	uint64_t bits;
	unsigned hdr;
};

/* Offloads that say something about headers, and not only of a tag. */
#define INTEL_TX_HEADERS (WEIR_PKT_TX_IP_CSUM | WEIR_PKT_TX_L4_CSUM | WEIR_PKT_TX_TSO)

/* Longer than any L4 header. */
#define INTEL_L4_BAD 256

/*
 * Length of the L4 header as far as it has to be known: TCP's own word for it matters only when
 * the header is copied (TSO), and is believed only if it lies in the first segment.
 * Return: bytes; 0 if no L4 offload is asked for; INTEL_L4_BAD if the packet ends before.
 */
static inline unsigned intel_tx_l4_len(const struct weir_pkt *p, const char *va_base)
{
	unsigned at = (unsigned)p->txo.l2_len + p->txo.l3_len, len;

	if (p->flags & WEIR_PKT_TX_TSO) {
		if (at + 20 > p->len)
			return INTEL_L4_BAD;
		len = (unsigned)(weir_pkt_data(va_base, p)[at + 12] >> 4) * 4;
		return len < 20 || at + len > p->len ? INTEL_L4_BAD : len;
	}
	if (p->flags & WEIR_PKT_TX_TCP_CSUM)
		return 20;
	return p->flags & WEIR_PKT_TX_UDP_CSUM ? 8 : 0;
}

/* Lengths that contradict each other or the packet must not reach the device. */
static inline bool intel_tx_headers_ok(const struct weir_pkt *p, unsigned len, unsigned l4)
{
	unsigned l2 = p->txo.l2_len, l3 = p->txo.l3_len, f = p->flags;
	bool v6 = f & WEIR_PKT_TX_IPV6;

	if (f & WEIR_PKT_TX_UDP_CSUM && f & (WEIR_PKT_TX_TCP_CSUM | WEIR_PKT_TX_TSO))
		return false;
	if (v6 && f & WEIR_PKT_TX_IP_CSUM)
		return false;
	return l2 >= WEIR_ETH_HLEN && l2 <= INTEL_CTX_MACLEN_MAX && l3 >= (v6 ? 40u : 20u) &&
	       l4 < INTEL_L4_BAD && l2 + l3 + l4 <= len;
}

/**
 * intel_tx_offload() - translate a packet's offloads
 * @p: first segment; WEIR_PKT_TX_OFFLOAD flags are set
 * @len: bytes of the whole packet
 * @va_base: window base
 * @o: result
 * Return: false for a packet that must not be sent.
 */
static inline bool intel_tx_offload(const struct weir_pkt *p, unsigned len, const char *va_base,
				    struct intel_tx_off *o)
{
	unsigned l2 = p->txo.l2_len, l3 = p->txo.l3_len, l4;
	uint64_t lo = 0, hi = INTEL_TXD_DTYP_CTX | INTEL_TXD_DEXT;

	*o = (struct intel_tx_off){ 0 };
	if (p->flags & WEIR_PKT_VLAN) {
		lo = (uint64_t)p->vlan << INTEL_CTX_VLAN_SHIFT;
		o->bits = INTEL_TXD_VLE;
	}
	if (!(p->flags & INTEL_TX_HEADERS)) {
		l2 = WEIR_ETH_HLEN;
		l3 = 0;
		goto done;
	}
	l4 = intel_tx_l4_len(p, va_base);
	if (!intel_tx_headers_ok(p, len, l4))
		return false;
	if (l4)
		o->bits |= INTEL_TXD_TXSM;
	if (p->flags & WEIR_PKT_TX_IP_CSUM)
		o->bits |= INTEL_TXD_IXSM;
	if (!(p->flags & WEIR_PKT_TX_IPV6))
		hi |= INTEL_CTX_IPV4;
	if (p->flags & (WEIR_PKT_TX_TCP_CSUM | WEIR_PKT_TX_TSO))
		hi |= INTEL_CTX_L4T_TCP;
	if (p->flags & WEIR_PKT_TX_TSO) {
		o->hdr = l2 + l3 + l4;
		o->bits |= INTEL_TXD_TSE;
		if (!(p->flags & WEIR_PKT_TX_IPV6))
			o->bits |= INTEL_TXD_IXSM;
		hi |= (uint64_t)l4 << INTEL_CTX_L4LEN_SHIFT | (uint64_t)p->txo.mss
								      << INTEL_CTX_MSS_SHIFT;
	}
done:
	o->lo = lo | l2 << INTEL_CTX_MACLEN_SHIFT | l3;
	o->hi = hi;
	return true;
}

#endif
