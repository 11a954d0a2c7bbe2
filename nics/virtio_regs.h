/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a virtio network device has in registers, in configuration space and in memory. Section
 * numbers are those of "Virtual I/O Device (VIRTIO) Version 1.2", names are the specification's.
 */
#ifndef WEIR_NICS_VIRTIO_REGS_H
#define WEIR_NICS_VIRTIO_REGS_H

#include "core/types.h"

/* 4.1.2.1 PCI ids. The transitional one may offer the modern interface beside the legacy one. */
#define VIRTIO_PCI_VENDOR	    0x1af4
#define VIRTIO_PCI_NET_TRANSITIONAL 0x1000
#define VIRTIO_PCI_NET_MODERN	    0x1041

/* 4.1.4 Vendor-specific capabilities: struct virtio_pci_cap, offsets in config space. */
#define VIRTIO_CAP_ID	       0x09
#define VIRTIO_CAP_LEN	       2
#define VIRTIO_CAP_CFG_TYPE    3
#define VIRTIO_CAP_BAR	       4
#define VIRTIO_CAP_OFFSET      8
#define VIRTIO_CAP_LENGTH      12
#define VIRTIO_CAP_NOTIFY_MULT 16
#define VIRTIO_CAP_SIZE	       16
#define VIRTIO_CAP_NOTIFY_SIZE 20

enum virtio_cfg_type {
	VIRTIO_PCI_CAP_COMMON_CFG = 1,
	VIRTIO_PCI_CAP_NOTIFY_CFG = 2,
	VIRTIO_PCI_CAP_ISR_CFG = 3,
	VIRTIO_PCI_CAP_DEVICE_CFG = 4,
};

/* 4.1.4.3 Common configuration: struct virtio_pci_common_cfg. */
#define VIRTIO_COMMON_DEVICE_FEATURE_SELECT 0x00
#define VIRTIO_COMMON_DEVICE_FEATURE	    0x04
#define VIRTIO_COMMON_DRIVER_FEATURE_SELECT 0x08
#define VIRTIO_COMMON_DRIVER_FEATURE	    0x0c
#define VIRTIO_COMMON_CONFIG_MSIX_VECTOR    0x10
#define VIRTIO_COMMON_NUM_QUEUES	    0x12
#define VIRTIO_COMMON_DEVICE_STATUS	    0x14
#define VIRTIO_COMMON_CONFIG_GENERATION	    0x15
#define VIRTIO_COMMON_QUEUE_SELECT	    0x16
#define VIRTIO_COMMON_QUEUE_SIZE	    0x18
#define VIRTIO_COMMON_QUEUE_MSIX_VECTOR	    0x1a
#define VIRTIO_COMMON_QUEUE_ENABLE	    0x1c
#define VIRTIO_COMMON_QUEUE_NOTIFY_OFF	    0x1e
#define VIRTIO_COMMON_QUEUE_DESC	    0x20
#define VIRTIO_COMMON_QUEUE_DRIVER	    0x28
#define VIRTIO_COMMON_QUEUE_DEVICE	    0x30
#define VIRTIO_COMMON_SIZE		    0x38

#define VIRTIO_MSI_NO_VECTOR 0xffff

/* 2.1 Device status. */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01
#define VIRTIO_STATUS_DRIVER	  0x02
#define VIRTIO_STATUS_DRIVER_OK	  0x04
#define VIRTIO_STATUS_FEATURES_OK 0x08
#define VIRTIO_STATUS_NEEDS_RESET 0x40
#define VIRTIO_STATUS_FAILED	  0x80
/* All ones: the device is gone. */
#define VIRTIO_STATUS_GONE 0xff

/* 5.1.3 Feature bits of a network device. */
#define VIRTIO_NET_F_CSUM	   (1ull << 0)
#define VIRTIO_NET_F_GUEST_CSUM	   (1ull << 1)
#define VIRTIO_NET_F_MTU	   (1ull << 3)
#define VIRTIO_NET_F_MAC	   (1ull << 5)
#define VIRTIO_NET_F_MRG_RXBUF	   (1ull << 15)
#define VIRTIO_NET_F_STATUS	   (1ull << 16)
#define VIRTIO_NET_F_CTRL_VQ	   (1ull << 17)
#define VIRTIO_NET_F_CTRL_RX	   (1ull << 18)
#define VIRTIO_NET_F_CTRL_VLAN	   (1ull << 19)
#define VIRTIO_NET_F_MQ		   (1ull << 22)
#define VIRTIO_NET_F_CTRL_MAC_ADDR (1ull << 23)
#define VIRTIO_NET_F_HASH_REPORT   (1ull << 57)
#define VIRTIO_NET_F_RSS	   (1ull << 60)
#define VIRTIO_NET_F_SPEED_DUPLEX  (1ull << 63)

/* 6 Reserved feature bits. */
#define VIRTIO_F_INDIRECT_DESC	 (1ull << 28)
#define VIRTIO_F_EVENT_IDX	 (1ull << 29)
#define VIRTIO_F_VERSION_1	 (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)
#define VIRTIO_F_RING_PACKED	 (1ull << 34)
#define VIRTIO_F_IN_ORDER	 (1ull << 35)
#define VIRTIO_F_ORDER_PLATFORM	 (1ull << 36)

/* 5.1.4 Device configuration: struct virtio_net_config. */
#define VIRTIO_NET_CFG_MAC		   0
#define VIRTIO_NET_CFG_STATUS		   6
#define VIRTIO_NET_CFG_MAX_VIRTQUEUE_PAIRS 8
#define VIRTIO_NET_CFG_MTU		   10
#define VIRTIO_NET_CFG_SPEED		   12
#define VIRTIO_NET_CFG_DUPLEX		   16
#define VIRTIO_NET_CFG_RSS_MAX_KEY_SIZE	   17
#define VIRTIO_NET_CFG_RSS_MAX_RETA_LENGTH 18
#define VIRTIO_NET_CFG_SUPPORTED_HASHES	   20

#define VIRTIO_NET_S_LINK_UP 0x1
/* 5.1.4: a speed above this is "unknown". */
#define VIRTIO_NET_SPEED_MAX   0x7fffffffu
#define VIRTIO_NET_DUPLEX_HALF 0

/* 5.1.6.5.6.1 Hash types; the first six stand in the order of enum weir_rss_type. */
#define VIRTIO_NET_RSS_HASH_TYPE_IPV4  (1u << 0)
#define VIRTIO_NET_RSS_HASH_TYPE_UDPV6 (1u << 5)
#define VIRTIO_NET_RSS_HASH_TYPES      0x3fu

/* 5.1.6 Header in front of each packet. */
#define VIRTIO_NET_HDR_F_NEEDS_CSUM 0x01
#define VIRTIO_NET_HDR_F_DATA_VALID 0x02

struct virtio_net_hdr {
	__u8 flags;
	__u8 gso_type;
	__le16 hdr_len;
	__le16 gso_size;
	__le16 csum_start;
	__le16 csum_offset;
	__le16 num_buffers;
	/* Only with VIRTIO_NET_F_HASH_REPORT; split, for the header starts at any multiple of 4. */
	__le16 hash_value_lo;
	__le16 hash_value_hi;
	__le16 hash_report;
	__le16 padding;
};
#define VIRTIO_NET_HDR_LEN	12
#define VIRTIO_NET_HDR_HASH_LEN 20
static_assert(sizeof(struct virtio_net_hdr) == VIRTIO_NET_HDR_HASH_LEN, "layout by 5.1.6");
static_assert(offsetof(struct virtio_net_hdr, hash_value_lo) == VIRTIO_NET_HDR_LEN, "5.1.6");

/* 2.7.5 Descriptor of a split ring; also of an indirect table. */
struct virtq_desc {
	__le64 addr;
	__le32 len;
	__le16 flags;
	__le16 next;
};
static_assert(sizeof(struct virtq_desc) == 16, "layout by 2.7.5");

#define VIRTQ_DESC_F_NEXT     (1u << 0)
#define VIRTQ_DESC_F_WRITE    (1u << 1)
#define VIRTQ_DESC_F_INDIRECT (1u << 2)

/* 2.7.6 Available ring. */
struct virtq_avail {
	__le16 flags;
	__le16 idx;
	__le16 ring[];
};
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1

/* 2.7.8 Used ring. */
struct virtq_used_elem {
	__le32 id;
	__le32 len;
};
struct virtq_used {
	__le16 flags;
	__le16 idx;
	struct virtq_used_elem ring[];
};
#define VIRTQ_USED_F_NO_NOTIFY 1

/* 2.8.13 Descriptor of a packed ring; 2.8.7 the same in an indirect table. */
struct pvirtq_desc {
	__le64 addr;
	__le32 len;
	__le16 id;
	__le16 flags;
};
static_assert(sizeof(struct pvirtq_desc) == 16, "layout by 2.8.13");

#define PVIRTQ_DESC_F_AVAIL (1u << 7)
#define PVIRTQ_DESC_F_USED  (1u << 15)

/* 2.8.14 Event suppression, one structure for either side. */
struct pvirtq_event_suppress {
	__le16 desc;
	__le16 flags;
};
#define RING_EVENT_FLAGS_ENABLE	 0
#define RING_EVENT_FLAGS_DISABLE 1
#define RING_EVENT_FLAGS_DESC	 2
#define RING_EVENT_FLAGS_MASK	 3

/* 2.7.5, 2.8: no ring is larger. */
#define VIRTQ_SIZE_MAX 32768

/* 5.1.6.5 Control queue. */
#define VIRTIO_NET_OK 0

#define VIRTIO_NET_CTRL_RX	    0
#define VIRTIO_NET_CTRL_RX_PROMISC  0
#define VIRTIO_NET_CTRL_RX_ALLMULTI 1

#define VIRTIO_NET_CTRL_MAC	      1
#define VIRTIO_NET_CTRL_MAC_TABLE_SET 0
#define VIRTIO_NET_CTRL_MAC_ADDR_SET  1

#define VIRTIO_NET_CTRL_MQ		4
#define VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET 0
#define VIRTIO_NET_CTRL_MQ_RSS_CONFIG	1
#define VIRTIO_NET_CTRL_MQ_HASH_CONFIG	2

#endif
