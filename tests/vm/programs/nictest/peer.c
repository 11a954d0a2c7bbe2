/* SPDX-License-Identifier: BSD-3-Clause */
/* The other end of the wire: a packet socket on an interface that the kernel drives. */
#include "core/clock.h"
#include "tests/vm/programs/nictest/nictest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static void need(bool good, const char *what)
{
	if (good)
		return;
	printf("nictest: cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

static void set(int fd, int level, int option, int value, const char *name)
{
	need(!setsockopt(fd, level, option, &value, sizeof(value)), name);
}

static void enter(const char *where)
{
	const char *colon = strchr(where, ':');
	char path[128];
	int fd;

	if (!colon)
		return;
	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(colon - where), where);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	need(fd >= 0 && !setns(fd, CLONE_NEWNET), "enter the peer's network namespace");
	close(fd);
}

static void bind_to(struct nt *t, const char *name)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq promisc = { .mr_type = PACKET_MR_PROMISC };
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	need(!ioctl(t->peer, SIOCGIFHWADDR, &ifr), "read the peer's address");
	memcpy(t->peer_mac, ifr.ifr_hwaddr.sa_data, 6);
	addr.sll_ifindex = promisc.mr_ifindex = (int)if_nametoindex(name);
	need(!setsockopt(t->peer, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)),
	     "make the peer promiscuous");
	need(!bind(t->peer, (struct sockaddr *)&addr, sizeof(addr)), "bind to the peer");
}

void nt_peer_open(struct nt *t, const char *where)
{
	const char *colon = strchr(where, ':');
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	enter(where);
	t->peer = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	need(t->peer >= 0, "open a packet socket");
	set(t->peer, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "set PACKET_IGNORE_OUTGOING");
	set(t->peer, SOL_PACKET, PACKET_AUXDATA, 1, "set PACKET_AUXDATA");
	set(t->peer, SOL_PACKET, PACKET_VNET_HDR, 1, "set PACKET_VNET_HDR");
	bind_to(t, colon ? colon + 1 : where);
	need(home >= 0 && !setns(home, CLONE_NEWNET), "go back to the first network namespace");
	close(home);
}

void nt_peer_send(struct nt *t, const struct nt_frame *f, bool open)
{
	struct virtio_net_hdr h = { 0 };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)f->b, f->len } };

	if (open) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = (uint16_t)(f->l2 + f->l3);
		h.csum_offset = (uint16_t)(f->csum - f->l2 - f->l3);
	}
	need(writev(t->peer, iov, 2) == (ssize_t)(sizeof(h) + f->len), "send from the peer");
}

/* The tag that the peer's NIC took out, back to its place. */
static unsigned put_tag_back(struct msghdr *m, uint8_t *b, unsigned len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
		return len;
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return len;
	tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid
								 : ETHERTYPE_VLAN);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(b + 16, b + 12, len - 12);
	memcpy(b + 12, tag, 4);
	return len + WEIR_VLAN_HLEN;
}

static unsigned take(struct nt *t, uint8_t *b)
{
	struct virtio_net_hdr h;
	struct iovec iov[2] = { { &h, sizeof(h) }, { b, NT_FRAME_MAX - WEIR_VLAN_HLEN } };
	union {
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(t->peer, &m, MSG_DONTWAIT);

	if (n < (ssize_t)sizeof(h) + WEIR_ETH_HLEN)
		return 0;
	return put_tag_back(&m, b, (unsigned)n - (unsigned)sizeof(h));
}

unsigned nt_peer_receive(struct nt *t, const struct nt_frame *f, uint8_t *b, uint64_t us)
{
	struct weir_deadline d = weir_deadline_us(us);
	struct pollfd p = { .fd = t->peer, .events = POLLIN };

	do {
		unsigned len;

		poll(&p, 1, 10);
		while ((len = take(t, b)))
			if (!memcmp(b + len - 4, f->b + f->len - 4, 4))
				return len;
	} while (!weir_deadline_passed(d));
	return 0;
}

bool nt_peer_gets(struct nt *t, const struct nt_frame *f)
{
	static uint8_t b[NT_FRAME_MAX];
	unsigned len = nt_peer_receive(t, f, b, NT_WAIT_US);

	if (len == f->len && !memcmp(b, f->b, len))
		return true;
	if (!len)
		nt_note("the frame did not come out at the peer");
	for (unsigned i = 0; len && i < weir_min_u(len, f->len); i++)
		if (b[i] != f->b[i]) {
			nt_note("byte %u of %u (%u expected) is %02x, not %02x", i, len, f->len,
				b[i], f->b[i]);
			break;
		}
	return false;
}
