/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts: of packets, and of the link. */
#include "core/clock.h"
#include "core/io.h"
#include "pci/pci.h"
#include "tests/vm/programs/nictest/nictest.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#define FRAMES	600
#define WAKE_MS 5000
#define MDIC	0x20
/* Write PHY register 0: auto-negotiation on, and anew. */
#define MDIC_RESTART (1u << 26 | 1u << 21 | 0u << 16 | 0x1340)

static bool readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

static void pause_for(int us)
{
	struct weir_deadline d = weir_deadline_us(us > 0 ? (uint64_t)us : 0);

	while (!weir_deadline_passed(d))
		weir_pause();
}

/* --- a sender on another processor --- */

/**
 * struct sender - what main and sender tell each other
 * @t: whose peer sends
 * @f: the frame
 * @delay: microseconds that the sender waits before it sends
 * @asked: frames that main wants; UINT_MAX ends the thread
 * @sent: frames sent
 */
struct sender {
	struct nt *t;
	struct nt_frame f;
	int delay;
	unsigned asked, sent;
};

static void *send_when_asked(void *arg)
{
	struct sender *s = arg;
	unsigned asked;

	while ((asked = __atomic_load_n(&s->asked, __ATOMIC_ACQUIRE)) != UINT_MAX) {
		if (asked == s->sent) {
			weir_pause();
			continue;
		}
		pause_for(s->delay);
		nt_peer_send(s->t, &s->f, false);
		__atomic_store_n(&s->sent, asked, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * Have a frame sent, and arm @offset microseconds after asking for it (or, when that is negative,
 * have it sent so much after arming). Return: 1 when it was slept for, 0 when it was there
 * already, -1 when nobody woke us or it did not come.
 */
static int one_frame(struct sender *s, int fd, int offset)
{
	struct nt *t = s->t;
	int slept = 0;

	nt_frame_in(t, &s->f, 100);
	s->delay = -offset;
	__atomic_store_n(&s->asked, s->sent + 1, __ATOMIC_RELEASE);
	pause_for(offset);
	if (!weir_port_rx_intr_arm(t->port, 0)) {
		if (!readable(fd, WAKE_MS))
			return -1;
		slept = 1;
	}
	weir_port_rx_intr_disarm(t->port, 0);
	weir_eventfd_drain(fd);
	while (__atomic_load_n(&s->sent, __ATOMIC_ACQUIRE) != s->asked)
		weir_pause();
	return nt_receive(t, &s->f) ? slept : -1;
}

/*
 * The moment of arming is moved towards that of arrival from whichever side it was on, so that the
 * frames fall all around it.
 */
static void no_wake_up_lost(struct sender *s, int fd)
{
	unsigned slept = 0, found = 0;
	int r = 0, offset = 100;

	for (unsigned i = 0; i < FRAMES; i++) {
		int step = 1 + abs(offset) / 16 + (int)(i * 7 % 13);

		r = one_frame(s, fd, offset);
		if (r < 0)
			break;
		offset += r ? step : -step;
		slept += r == 1;
		found += r == 0;
	}
	nt_check(r >= 0, "%u frames one by one, around the moment of arming: each was noticed",
		 slept + found);
	nt_check(slept >= FRAMES / 20 && found >= FRAMES / 20,
		 "%u of them by sleeping, %u were there already", slept, found);
}

static void with_sender(struct nt *t, int fd)
{
	static struct sender s;
	pthread_t thread;
	int r = 0;

	memset(&s, 0, sizeof(s));
	s.t = t;
	if (!nt_check(!pthread_create(&thread, NULL, send_when_asked, &s), "a sender"))
		return;
	no_wake_up_lost(&s, fd);
	nt_check(!nt_restart(t), "stop and start");
	weir_eventfd_drain(fd);
	/* Long enough before the frame, unless we were off the processor meanwhile. */
	for (unsigned i = 0; i < 10 && !r; i++)
		r = one_frame(&s, weir_port_rx_intr_fd(t->port, 0), -20000);
	nt_check(r == 1, "after that a sleeper is woken, too");
	__atomic_store_n(&s.asked, UINT_MAX, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/* Armed over and over without a frame: nothing wakes. */
static void quiet(struct nt *t, int fd)
{
	struct nt_frame f;
	bool woken = false;

	for (unsigned i = 0; i < 20; i++) {
		if (weir_port_rx_intr_arm(t->port, 0))
			woken = true;
		woken |= readable(fd, 2);
		weir_port_rx_intr_disarm(t->port, 0);
		weir_eventfd_drain(fd);
	}
	nt_check(!woken, "without a frame nobody is woken");
	nt_frame_in(t, &f, 100);
	nt_peer_send(t, &f, false);
	nt_check(!readable(fd, 300), "nor by a frame while the queue is not armed");
	nt_check(weir_port_rx_intr_arm(t->port, 0) == 1, "arming says that it is there already");
	weir_port_rx_intr_disarm(t->port, 0);
	nt_check(nt_receive(t, &f), "and it is");
	weir_eventfd_drain(fd);
}

/* The second queue has an interrupt of its own. */
static void second_queue(struct nt *t)
{
	struct weir_port_conf c = { .n_rxq = NT_QUEUES, .n_txq = NT_QUEUES, .rx_intr = true };
	struct nt_frame f;
	int fd[2], armed[2];

	if (t->queues < NT_QUEUES) {
		nt_skip("interrupts of two queues", "a QEMU hub carries one queue pair");
		return;
	}
	c.rss.reta_len = t->caps.reta_len;
	for (unsigned i = 0; i < c.rss.reta_len; i++)
		c.rss.reta[i] = 1;
	if (!nt_up(t, &c))
		return;
	for (unsigned q = 0; q < 2; q++) {
		fd[q] = weir_port_rx_intr_fd(t->port, q);
		armed[q] = weir_port_rx_intr_arm(t->port, q);
	}
	nt_frame_ip(&f, t->mac, t->peer_mac, false, false, 1, 100);
	nt_peer_send(t, &f, false);
	nt_check(!armed[0] && !armed[1] && readable(fd[1], WAKE_MS) && !readable(fd[0], 100),
		 "a frame for queue 1 wakes its reader, and only it");
	nt_check(nt_receive(t, &f) && t->got.queue == 1, "the frame is there");
	nt_down(t);
}

void nt_interrupts(struct nt *t)
{
	struct weir_port_conf c = { .rx_intr = true };
	int fd;

	if (!nt_up(t, &c))
		return;
	fd = weir_port_rx_intr_fd(t->port, 0);
	nt_check(fd >= 0, "there is an eventfd");
	quiet(t, fd);
	with_sender(t, fd);
	nt_down(t);
	c.rx_intr = false;
	if (!nt_up(t, &c))
		return;
	nt_check(weir_port_rx_intr_fd(t->port, 0) == -EINVAL, "unasked there is none");
	nt_down(t);
	second_queue(t);
}

/* Return: whether the link was seen to be down after the PHY was told to negotiate anew. */
static bool seen_down(struct nt *t, const struct weir_bar *bar)
{
	struct weir_link link = { .up = true };

	/* It is down for half a second; we may have been off the processor for so long. */
	for (unsigned i = 0; i < 10 && link.up; i++) {
		weir_mmio_write32(bar->va, MDIC, MDIC_RESTART);
		if (weir_port_link(t->port, &link))
			return false;
	}
	return !link.up;
}

static bool comes_up(struct nt *t)
{
	struct weir_deadline d = weir_deadline_us(NT_WAIT_US);
	struct weir_link link;

	do
		if (!weir_port_link(t->port, &link) && link.up)
			return true;
	while (!weir_deadline_passed(d));
	return false;
}

/* The wire's far end cannot be pulled from here; a PHY that negotiates anew has no link meanwhile. */
void nt_link_change(struct nt *t)
{
	struct weir_port_conf c = { .rx_intr = true, .promisc = true };
	struct weir_link link = { .up = true };
	struct weir_bar bar;
	struct nt_frame f;
	int fd;

	if (!nt_up(t, &c))
		return;
	fd = weir_port_lsc_fd(t->port);
	nt_check(fd >= 0, "there is an eventfd of the link");
	if (!t->igb) {
		nt_skip("a change of the link is signalled",
			"nothing in the guest can take the carrier from a virtio NIC");
		nt_down(t);
		return;
	}
	weir_port_link(t->port, &link);
	weir_eventfd_drain(fd);
	nt_check(!readable(fd, 50), "a link that does not change signals nothing");
	if (nt_check(!weir_pci_bar(weir_port_pci(t->port), 0, &bar), "the registers are there")) {
		nt_check(seen_down(t, &bar), "while its PHY negotiates the link is down");
		nt_check(readable(fd, WAKE_MS), "the change is signalled");
		nt_check(comes_up(t), "the link is up again");
		weir_eventfd_drain(fd);
		weir_mmio_write32(bar.va, MDIC, MDIC_RESTART);
		nt_check(readable(fd, WAKE_MS) && comes_up(t), "the next change is signalled, too");
	}
	nt_frame_in(t, &f, 100);
	nt_peer_send(t, &f, false);
	nt_check(nt_receive(t, &f), "frames arrive again");
	nt_down(t);
}
