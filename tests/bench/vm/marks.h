/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the programs of the laboratory's parts g and h have in common, weir's and its peer's: marks that
 * the plugin of the emulator sees (tests/bench/plugin/count.c), frames from a NIC of the kernel's, and the
 * loop that counts.
 */
#ifndef WEIR_TESTS_BENCH_VM_MARKS_H
#define WEIR_TESTS_BENCH_VM_MARKS_H

#include "tests/bench/bench.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A no-op that no compiler emits: a displacement of its own in the long form of nop. */
#define MARK_MAGIC 0x57454900
enum mark { MARK_BEGIN, MARK_RX, MARK_COMMIT, MARK_RESET, MARK_REPORT };

#ifdef __x86_64__
#define MARK(which)                                                \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00; .long %c0" \
			 :                                         \
			 : "i"(MARK_MAGIC + (which))               \
			 : "memory")
#else
#define MARK(which) ((void)(which))
#endif

#define LAB_BURST  32
#define LAB_RING   512
#define LAB_BATCH  256
#define LAB_WARM   4
#define LAB_ROUNDS 12
#define LAB_FRAME  60 /* and four bytes of checksum on the wire */

/* One pass of the forwarder: marks in it, see lab_count(). Return: packets received. */
typedef unsigned lab_pass_fn(void *arg);

static inline int lab_source(const char *netdev)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex(netdev) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	bench_need(fd < 0 || !at.sll_ifindex || bind(fd, (struct sockaddr *)&at, sizeof(at))
			   ? -errno
			   : 0,
		   netdev);
	return fd;
}

static inline void lab_send(int source, unsigned n)
{
	uint8_t f[LAB_FRAME] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };

	for (unsigned i = 0; i < n; i++) {
		memset(f + 14, (int)i, sizeof(f) - 14);
		while (send(source, f, sizeof(f), 0) < 0)
			bench_need(errno == ENOBUFS ? 0 : -errno, "send");
	}
}

/* Packets that lie ready are taken in full bursts; @full: how many of these there were. */
static inline unsigned lab_batch(int source, lab_pass_fn *pass, void *arg, unsigned *full)
{
	unsigned got = 0;

	lab_send(source, LAB_BATCH);
	usleep(20000);
	for (unsigned tries = 0; got < LAB_BATCH && tries < 2000; tries++) {
		unsigned n = pass(arg);

		got += n;
		*full += n == LAB_BURST;
		if (!n)
			usleep(1000);
	}
	return got;
}

/**
 * lab_count() - forward full bursts of frames of 64 bytes and let the plugin count
 * @who: "weir" or "dpdk"
 * @netdev: the kernel's NIC at the other end of the first port's wire
 * @pass: receives a burst of up to LAB_BURST from the first port and sends it from the second, with
 *        MARK_BEGIN before, MARK_RX between and MARK_COMMIT after, the last one only after a full burst:
 *        what found nothing or less is not counted
 * @arg: for @pass
 *
 * Prints WHO, full bursts, packets in all.
 */
static inline void lab_count(const char *who, const char *netdev, lab_pass_fn *pass, void *arg)
{
	unsigned full = 0, got = 0;
	int source = lab_source(netdev);

	for (unsigned i = 0; i < LAB_WARM; i++)
		lab_batch(source, pass, arg, &full);
	MARK(MARK_RESET);
	full = 0;
	for (unsigned i = 0; i < LAB_ROUNDS; i++)
		got += lab_batch(source, pass, arg, &full);
	MARK(MARK_REPORT);
	printf("counted %s %u %u\n", who, full, got);
	close(source);
}

/* Wait for both links. */
static inline void lab_links(bool (*up)(void *arg, unsigned port), void *arg)
{
	for (unsigned i = 0; i < 200; i++) {
		if (up(arg, 0) && up(arg, 1))
			return;
		usleep(50000);
	}
	bench_need(-ETIMEDOUT, "link");
}

#endif
