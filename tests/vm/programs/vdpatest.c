/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vDPA devices: one that sends back what it is sent (vdpa_sim_net), the address spaces that weir gives it,
 * and one that is a NIC (vp_vdpa).
 *
 *   vdpatest faults DEV    packets in mapped memory come back; in memory that was unmapped they do not,
 *                      and nothing is written there; mapped again, they do
 *   vdpatest asids DEV     the control queue's memory is in an address space of its own, and nowhere else
 *   vdpatest reach DEV NETDEV read|write    NETDEV is at the other end of its wire: frames pass; once packet
 *                      memory is unmapped none does, sent (read) or received (write), and nothing is written
 *
 * Exits with 0 when all was as it should be.
 */
#include "core/clock.h"
#include "nics/nics.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME	100
#define TRIES	200
#define TRY_US	10000
#define PATTERN 0xa5

static struct {
	struct weir *w;
	struct weir_arena *rings, *bufs;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_iommu *iommu;
	struct weir_port *port;
} t;

static void must(bool yes, const char *what)
{
	if (yes)
		return;
	printf("not so: %s\n", what);
	exit(1);
}

static void begin(const char *dev)
{
	struct weir_port_conf c = { .rx_desc = 64, .tx_desc = 64 };

	must(!weir_open(&(struct weir_opts){ .log_level = WEIR_LOG_INFO }, &t.w), "a handle");
	must(!weir_arena_create(t.w, 2u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &t.rings),
	     "memory for rings");
	must(!weir_arena_create(t.w, 4u << 20, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &t.bufs),
	     "memory for buffers");
	must(!weir_pool_create(t.bufs, 1024, &t.pool), "a pool");
	must(!weir_cache_create(t.pool, &t.cache), "a cache");
	must(!weir_iommu_open(t.w, &t.iommu), "an iommu");
	must(!weir_port_open(t.iommu, dev, NULL, &t.port), "a port");
	c.arena = t.rings;
	must(!weir_port_configure(t.port, &c), "a configuration");
	must(!weir_port_queue_cache(t.port, 0, t.cache), "its cache");
	must(!weir_port_start(t.port), "a start");
}

static void end(void)
{
	weir_port_close(t.port);
	weir_iommu_close(t.iommu);
	weir_cache_destroy(t.cache);
	must(weir_pool_available(t.pool) == 1024, "every buffer is back");
	weir_pool_destroy(t.pool);
	weir_arena_destroy(t.bufs);
	weir_arena_destroy(t.rings);
	weir_close(t.w);
}

static void fill(uint8_t *frame, uint8_t seed)
{
	memset(frame, seed, FRAME);
	memset(frame, 0xff, 6);
}

static bool is(const uint8_t *frame, size_t len, uint8_t seed)
{
	return len == FRAME && frame[0] == 0xff && frame[6] == seed && frame[FRAME - 1] == seed;
}

/* Send a broadcast with @seed in it. */
static void transmit(uint8_t seed)
{
	struct weir_pkt p;
	uint32_t buf;

	must(weir_buf_alloc(t.cache, &buf, 1) == 1, "a buffer");
	p = (struct weir_pkt){ .buf = buf, .off = WEIR_BUF_HEADROOM, .len = FRAME };
	fill(weir_pkt_data(weir_window(t.w).base, &p), seed);
	must(weir_tx_post(t.port->txq[0], &p, 1) == 1, "room to send");
	weir_tx_kick(t.port->txq[0]);
}

/* Return: whether the frame with @seed was received, whole. */
static bool receive(uint8_t seed)
{
	char *base = weir_window(t.w).base;
	struct weir_pkt got[8];
	bool same = false;

	for (unsigned i = 0; i < TRIES && !same; i++) {
		unsigned n = weir_rx(t.port->rxq[0], got, 8);

		for (unsigned k = 0; k < n; k++)
			same |= is(weir_pkt_data(base, &got[k]), got[k].len, seed);
		weir_pkt_free(t.cache, got, n);
		weir_tx_reap(t.port->txq[0]);
		if (!same)
			weir_sleep_us(TRY_US);
	}
	return same;
}

static bool echo(uint8_t seed)
{
	transmit(seed);
	return receive(seed);
}

/* --- the other end of the wire --- */

static int wire(const char *netdev)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(netdev) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

	must(fd >= 0 && at.sll_ifindex && !bind(fd, (struct sockaddr *)&at, sizeof(at)), netdev);
	return fd;
}

/* A frame through @fd to the device, or from the device to @fd. Return: whether it arrived. */
static bool passes(int fd, bool to_device, uint8_t seed)
{
	uint8_t frame[2048];

	if (to_device) {
		fill(frame, seed);
		must(send(fd, frame, FRAME, 0) == FRAME, "a frame is sent");
		return receive(seed);
	}
	transmit(seed);
	for (unsigned i = 0; i < TRIES; i++) {
		ssize_t n = recv(fd, frame, sizeof(frame), 0);

		if (n > 0 && is(frame, (size_t)n, seed))
			return true;
		if (n < 0)
			weir_sleep_us(TRY_US);
	}
	return false;
}

/* All memory that no packet is in: a device that writes where it must not writes there. */
static void paint(struct weir_arena *a, bool check)
{
	struct weir_arena_info i = weir_arena_info(a);

	for (size_t k = i.used; k < i.size; k++) {
		if (check)
			must((uint8_t)i.base[k] == PATTERN, "memory is as it was");
		i.base[k] = (char)PATTERN;
	}
}

static int faults(const char *dev)
{
	struct weir_ioas *as;
	struct weir_dma dma;

	begin(dev);
	must(!weir_ioas_default(t.iommu, WEIR_MODE_VDPA, &as), "the address space");
	must(echo(1), "a packet comes back");
	paint(t.bufs, false);
	must(!weir_ioas_unmap_arena(as, t.bufs), "unmapping");
	must(!echo(2), "a packet in unmapped memory does not come back");
	paint(t.bufs, true);
	must(!weir_ioas_map_arena(as, t.bufs, &dma), "mapping again");
	weir_port_stop(t.port);
	must(!weir_port_start(t.port), "starting again");
	must(echo(3), "mapped again, a packet comes back");
	end();
	printf("unmapped memory is out of reach\n");
	return 0;
}

static int reach(const char *dev, const char *netdev, bool write)
{
	struct weir_ioas *as;
	int fd = wire(netdev);

	begin(dev);
	must(!weir_ioas_default(t.iommu, WEIR_MODE_VDPA, &as), "the address space");
	/* Even: the seed is where the source's group bit is. */
	must(passes(fd, write, 2), "a frame passes");
	paint(t.bufs, false);
	must(!weir_ioas_unmap_arena(as, t.bufs), "unmapping");
	must(!passes(fd, write, 4), "with memory that is unmapped no frame passes");
	paint(t.bufs, true);
	end();
	close(fd);
	printf("unmapped memory is out of reach of a %s\n", write ? "write" : "read");
	return 0;
}

static unsigned mappings(struct weir_ioas *as)
{
	struct weir_mapping m;
	unsigned n = 0;

	for (bool more = weir_ioas_map_next(as, NULL, &m); more;
	     more = weir_ioas_map_next(as, &m, &m))
		n++;
	return n;
}

static uint64_t xstat(const char *name)
{
	struct weir_xstat x[16];
	int n = weir_port_xstats(t.port, x, 16);

	for (int i = 0; i < n; i++)
		if (!strcmp(x[i].name, name))
			return x[i].value;
	return UINT64_MAX;
}

static int asids(const char *dev)
{
	struct weir_ioas *as = NULL;
	unsigned spaces = 0, small = 0;
	uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	uint64_t commands;

	begin(dev);
	while ((as = weir_ioas_next(t.iommu, as))) {
		uint64_t bytes = weir_ioas_mapped(as);
		unsigned n = mappings(as);

		printf("address space: %u mappings, %llu KiB\n", n,
		       (unsigned long long)bytes >> 10);
		spaces++;
		small += n == 1 && bytes <= 65536;
	}
	must(spaces == 2, "there are two address spaces");
	must(small == 1, "one of them has the control queue's memory and nothing else");
	/* That memory is mapped nowhere else: had the device not used it, there would be no answer. */
	must(!weir_port_mac_set(t.port, mac), "a control command is answered");
	commands = xstat("ctrl_commands");
	must(commands > 0 && xstat("ctrl_refused") == 0, "commands went well");
	must(echo(4), "a packet comes back");
	end();
	printf("%llu control commands through an address space of its own\n",
	       (unsigned long long)commands);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "faults"))
		return faults(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "asids"))
		return asids(argv[2]);
	if (argc == 5 && !strcmp(argv[1], "reach"))
		return reach(argv[2], argv[3], !strcmp(argv[4], "write"));
	fprintf(stderr, "usage: vdpatest faults|asids DEV | reach DEV NETDEV read|write\n");
	return 2;
}
