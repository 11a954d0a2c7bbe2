/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ixgbe driver, as the library has it, against nicsim's model of the device, in one thread and
 * without a socket between them: registers go by function call, doorbells and rings by memory.
 */
#include "fake_no_caps.h"
#include "unit.h"

#include "apps/nicsim/wire.h"
#include "nics/nics.h"

#define IOVA	 UINT64_C(0x40000000)
#define BUFS	 4096
#define FRAMES	 512
#define BAR_AREA (2 * NIC_PAGE)

extern const struct weir_driver weir_ixgbe_driver;

/* What left the device. */
struct sent {
	unsigned len;
	uint8_t data[9728];
};

struct weir_pci {
	struct weir_pci_info info;
	struct weir_dma dma;
	unsigned n_vec;
};

static struct world {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_pool *pool;
	struct weir_cache *cache;
	struct weir_port *port;
	struct weir_pci pci;
	struct nic nic;
	struct wire wire;
	struct sent sent[FRAMES];
	unsigned n_sent;
	unsigned raised[64];
	bool drops_ok; /* frames that make no sense are expected */
	/* the BAR's address space: only the pages of the queues' registers are touched */
	uint8_t bar[NIC_BAR0] __attribute__((aligned(4096)));
} world;

/* --- the bus --- */

int weir_pci_reg_read32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t *v)
{
	(void)d;
	(void)bar;
	*v = nic_read(&world.nic, (uint32_t)off);
	return 0;
}

int weir_pci_reg_write32(struct weir_pci *d, unsigned bar, uint64_t off, uint32_t v)
{
	(void)d;
	(void)bar;
	nic_write(&world.nic, (uint32_t)off, v);
	return 0;
}

struct weir_iodev *weir_pci_iodev(struct weir_pci *d)
{
	return (struct weir_iodev *)d;
}

enum weir_mode weir_iodev_mode(const struct weir_iodev *d)
{
	(void)d;
	return WEIR_MODE_VFIO_USER;
}

int weir_iodev_region(struct weir_iodev *d, unsigned index, struct weir_region *r)
{
	(void)d;
	(void)index;
	*r = (struct weir_region){ .size = NIC_BAR0, .flags = WEIR_REGION_MMAP };
	return 0;
}

int weir_pci_bar(struct weir_pci *d, unsigned index, struct weir_bar *bar)
{
	(void)d;
	(void)index;
	bar->va = world.bar;
	bar->size = NIC_BAR0;
	return 0;
}

bool weir_bar_ok(struct weir_pci *d, unsigned index, uint64_t off, uint64_t len)
{
	(void)d;
	(void)index;
	return len <= NIC_PAGE &&
	       (off / NIC_PAGE == R_RXQ / NIC_PAGE || off / NIC_PAGE == R_TXQ / NIC_PAGE);
}

struct weir *weir_pci_handle(const struct weir_pci *d)
{
	(void)d;
	return world.w;
}

const struct weir_pci_info *weir_pci_info_of(const struct weir_pci *d)
{
	return &d->info;
}

const struct weir_dma *weir_pci_dma(const struct weir_pci *d)
{
	return &d->dma;
}

int weir_pci_msix(struct weir_pci *d, unsigned n)
{
	d->n_vec = n;
	return 0;
}

int weir_pci_msix_fd(struct weir_pci *d, unsigned i)
{
	return i < d->n_vec ? (int)i : -EINVAL;
}

int weir_pci_bus_master(struct weir_pci *d, bool on)
{
	(void)d;
	world.nic.bus_master = on;
	return 0;
}

void weir_pci_close(struct weir_pci *d)
{
	(void)d;
}

/* --- the wire --- */

static bool on_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	struct sent *s = &world.sent[world.n_sent++ % FRAMES];

	(void)wire;
	s->len = len;
	memcpy(s->data, f, weir_min_u(len, sizeof(s->data)));
	return true;
}

static unsigned on_poll(struct wire *wire, struct nic *n, unsigned budget)
{
	(void)wire;
	(void)n;
	(void)budget;
	return 0;
}

static const struct wire_ops wire_here = { .prefix = "here:", .poll = on_poll, .send = on_send };

static void on_raise(void *arg, unsigned vector)
{
	(void)arg;
	world.raised[vector]++;
}

/* Misbehave from now on; nic_set_fault() would reset the device as well. */
static void nic_set_fault_only(const char *text)
{
	size_t len = strcspn(text, ":");

	for (unsigned i = 0; i < nic_fault_count; i++) {
		const struct nic_fault_row *f = &nic_fault_table[i];

		if (strlen(f->name) != len || strncmp(f->name, text, len))
			continue;
		world.nic.fault = f->id;
		world.nic.fault_arg = text[len] ? strtoull(text + len + 1, NULL, 10) : f->arg;
		world.nic.fault_seen = 0;
		return;
	}
	fail_msg("no fault %s", text);
}

static void settle(void)
{
	while (nic_poll(&world.nic, 64))
		;
}

/* --- before and after --- */

static int setup(void **state)
{
	static const uint8_t mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
	void *pages[2] = { world.bar + R_RXQ, world.bar + R_TXQ };
	struct weir_window win;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.w = unit_weir();
	assert_int_equal(weir_arena_create(world.w, 32u << 20, WEIR_NODE_ANY,
					   WEIR_ARENA_SMALL_PAGES, &world.arena),
			 0);
	assert_int_equal(weir_pool_create(world.arena, BUFS, &world.pool), 0);
	assert_int_equal(weir_cache_create(world.pool, &world.cache), 0);
	win = weir_window(world.w);
	world.pci.dma = (struct weir_dma){ .va_base = win.base, .iova_base = IOVA };
	world.pci.info.device = 0x10fb;
	nic_init(&world.nic, NIC_QUEUES, mac, pages);
	assert_int_equal(dma_map_va(&world.nic.dma,
				    IOVA + (uint64_t)(weir_arena_info(world.arena).base - win.base),
				    weir_arena_info(world.arena).size, DMA_DEV_READ | DMA_DEV_WRITE,
				    weir_arena_info(world.arena).base),
			 0);
	world.wire = (struct wire){ .ops = &wire_here };
	world.nic.wire = &world.wire;
	world.nic.raise = on_raise;
	assert_int_equal(weir_ixgbe_driver.probe(&world.pci, "ixgbe0", &world.port), 0);
	return 0;
}

/* No fault, no malformed descriptor, no register that the model lacks, no buffer lost. */
static int teardown(void **state)
{
	(void)state;
	weir_port_close(world.port);
	assert_int_equal(world.nic.dma.faults, 0);
	for (unsigned q = 0; q < NIC_QUEUES && !world.drops_ok; q++)
		assert_int_equal(world.nic.tx[q].r.drops[NIC_DROP_TX_BAD], 0);
	for (unsigned i = 0; i < world.nic.n_unknown; i++)
		print_message("unknown register %#x\n", world.nic.unknown_off[i]);
	nic_fini(&world.nic);
	weir_cache_destroy(world.cache);
	assert_int_equal(weir_pool_destroy(world.pool), 0);
	weir_arena_destroy(world.arena);
	weir_close(world.w);
	return 0;
}

static void start(struct weir_port_conf c)
{
	c.arena = world.arena;
	c.promisc = true;
	assert_int_equal(weir_port_configure(world.port, &c), 0);
	for (unsigned q = 0; !q || q < c.n_rxq || q < c.n_txq; q++)
		assert_int_equal(weir_port_queue_cache(world.port, q, world.cache), 0);
	assert_int_equal(weir_port_start(world.port), 0);
	settle();
}

static uint8_t *data_of(const struct weir_pkt *p)
{
	return weir_pkt_data(world.pci.dma.va_base, p);
}

static void fill(uint8_t *d, unsigned len, unsigned seed)
{
	for (unsigned i = 0; i < len; i++)
		d[i] = (uint8_t)(seed * 37 + i * 11 + i / 256);
	memset(d, 2, 12);
	d[12] = 0x88;
	d[13] = 0xb5;
}

/* Cut a frame into buffers. Return: segments. */
static unsigned cut(const uint8_t *f, unsigned len, unsigned seg, struct weir_pkt *p)
{
	unsigned n = 0;

	for (unsigned at = 0; at < len; n++) {
		unsigned l = weir_min_u(seg, len - at);
		uint32_t buf;

		assert_int_equal(weir_buf_alloc(world.cache, &buf, 1), 1);
		p[n] = (struct weir_pkt){ .buf = buf,
					  .off = WEIR_BUF_HEADROOM,
					  .len = (uint16_t)l };
		p[n].flags = at + l < len ? WEIR_PKT_MORE : 0;
		memcpy(data_of(&p[n]), f + at, l);
		at += l;
	}
	return n;
}

static void post(struct weir_pkt *p, unsigned n)
{
	struct weir_txq *q = world.port->txq[0];

	assert_int_equal(weir_tx_post(q, p, n), n);
	weir_tx_kick(q);
	settle();
	assert_int_equal(weir_tx_reap(q), 0);
}

static uint64_t xstat(const char *name)
{
	struct weir_xstat x[256];
	int n = weir_port_xstats(world.port, x, 256);

	for (int i = 0; i < n; i++)
		if (!strcmp(x[i].name, name))
			return x[i].value;
	fail_msg("no counter %s", name);
	return 0;
}

/* --- tests --- */

static void test_link(void **state)
{
	struct weir_link l;
	uint8_t mac[6];

	(void)state;
	assert_int_equal(weir_port_link(world.port, &l), 0);
	assert_true(l.up);
	assert_int_equal(l.mbps, 10000);
	assert_int_equal(weir_port_mac_get(world.port, mac), 0);
	assert_int_equal(mac[5], 3);
	assert_int_equal(said.n, 0);
}

/* Every length from 60 to beyond two buffers, then up to the longest, both ways. */
static void test_lengths(void **state)
{
	static uint8_t f[9728];
	struct weir_pkt p[32];
	unsigned frames = 0, bytes = 0;

	(void)state;
	start((struct weir_port_conf){ .mtu = 9702, .offloads = WEIR_OFF_RX_JUMBO });
	for (unsigned len = 60; len <= 9720; len += len < 4200 ? 1 : 97) {
		unsigned n, at = 0, before = world.n_sent;

		fill(f, len, len);
		assert_int_equal(nic_rx(&world.nic, f, len, false), RX_DONE);
		n = weir_rx(world.port->rxq[0], p, 32);
		assert_int_equal(n, (len + 2047) / 2048);
		for (unsigned i = 0; i < n; i++) {
			assert_memory_equal(data_of(&p[i]), f + at, p[i].len);
			at += p[i].len;
		}
		assert_int_equal(at, len);
		post(p, n);
		assert_int_equal(world.n_sent, before + 1);
		assert_int_equal(world.sent[before % FRAMES].len, len);
		assert_memory_equal(world.sent[before % FRAMES].data, f, len);
		frames++;
		bytes += len;
	}
	assert_int_equal(xstat("gprc"), frames);
	assert_int_equal(xstat("gptc"), frames);
	assert_int_equal(xstat("gorc"), bytes + 4 * frames);
	assert_int_equal(xstat("gotc"), bytes + 4 * frames);
	assert_int_equal(xstat("qprc0"), frames);
	assert_int_equal(xstat("qbtc0"), bytes);
}

/* Ethernet, IP, TCP or UDP, with right lengths and checksums of 0. Return: bytes. */
static unsigned ip_frame(uint8_t *f, bool v6, bool tcp, unsigned payload, unsigned flow)
{
	unsigned l3 = v6 ? 40 : 20, l4 = tcp ? 20 : 8, len = 14 + l3 + l4 + payload;
	uint8_t *ip = f + 14, *h = ip + l3;

	fill(f, len, flow);
	memset(ip, 0, l3 + l4);
	net_put16(f + 12, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		net_put16(ip + 4, l4 + payload);
		ip[6] = tcp ? 6 : 17;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		net_put16(ip + 22, flow);
		ip[39] = 1;
	} else {
		ip[0] = 0x45;
		net_put16(ip + 2, l3 + l4 + payload);
		ip[8] = 64;
		ip[9] = tcp ? 6 : 17;
		ip[12] = ip[16] = 10;
		net_put16(ip + 14, flow);
		ip[19] = 1;
	}
	net_put16(h, 1000 + flow);
	net_put16(h + 2, 80);
	if (tcp) {
		h[12] = 0x50;
		h[13] = 0x18;
	} else {
		net_put16(h + 4, l4 + payload);
	}
	return len;
}

static unsigned csum_field(bool v6, bool tcp)
{
	return 14 + (v6 ? 40 : 20) + (tcp ? 16 : 6);
}

/* The pseudo header's sum, as who asks for a checksum has to put it there. */
static void pseudo(uint8_t *f, bool v6, bool tcp, unsigned l4_len)
{
	const uint8_t tail[4] = { 0, tcp ? 6 : 17, (uint8_t)(l4_len >> 8), (uint8_t)l4_len };
	uint8_t *ip = f + 14;

	net_put16(
		f + csum_field(v6, tcp),
		(uint16_t)net_fold(net_sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, net_sum(tail, 4, 0))));
}

static void check_sums(const struct sent *s)
{
	struct net_pkt p;

	net_parse(s->data, s->len, &p);
	if (p.l3 == 4)
		assert_true(net_ip_ok(s->data, &p));
	assert_true(net_l4_ok(s->data, &p));
}

static void test_csum(void **state)
{
	static uint8_t f[2048];
	struct weir_pkt p[2];

	(void)state;
	start((struct weir_port_conf){ .offloads = WEIR_OFF_TX_CSUM | WEIR_OFF_RX_CSUM |
						   WEIR_OFF_TX_VLAN | WEIR_OFF_RX_VLAN_STRIP });
	for (unsigned i = 0; i < 64; i++) {
		bool v6 = i & 1, tcp = i & 2, tag = i & 4;
		unsigned len = ip_frame(f, v6, tcp, 100 + i, i), before = world.n_sent;
		const struct sent *s = &world.sent[before % FRAMES];

		pseudo(f, v6, tcp, len - 14 - (v6 ? 40 : 20));
		cut(f, len, 2048, p);
		p[0].flags = (tcp ? WEIR_PKT_TX_TCP_CSUM : WEIR_PKT_TX_UDP_CSUM) |
			     (v6 ? WEIR_PKT_TX_IPV6 : WEIR_PKT_TX_IP_CSUM) |
			     (tag ? WEIR_PKT_VLAN : 0);
		p[0].vlan = (uint16_t)(100 + i);
		p[0].txo.l2_len = 14;
		p[0].txo.l3_len = v6 ? 40 : 20;
		post(p, 1);
		assert_int_equal(world.n_sent, before + 1);
		assert_int_equal(s->len, len + (tag ? 4 : 0));
		check_sums(s);
		/* and in again */
		assert_int_equal(nic_rx(&world.nic, s->data, s->len, false), RX_DONE);
		assert_int_equal(weir_rx(world.port->rxq[0], p, 2), 1);
		assert_int_equal(p[0].len, len);
		assert_int_equal(p[0].flags, WEIR_PKT_RX_L4_GOOD | (v6 ? 0 : WEIR_PKT_RX_IP_GOOD) |
						     (tag ? WEIR_PKT_VLAN : 0));
		if (tag)
			assert_int_equal(p[0].vlan, 100 + i);
		weir_pkt_free(world.cache, p, 1);
	}
}

static void test_tso(void **state)
{
	static uint8_t f[16384];
	struct weir_pkt p[8];

	(void)state;
	start((struct weir_port_conf){ .offloads = WEIR_OFF_TX_TSO });
	for (unsigned i = 0; i < 24; i++) {
		bool v6 = i & 1;
		unsigned mss = 200 + 391 * i, payload = 3000 + 511 * i, before = world.n_sent,
			 at = 0;
		unsigned hdr = v6 ? 74 : 54, len = ip_frame(f, v6, true, payload, i), n;

		pseudo(f, v6, true, 0);
		n = cut(f, len, 2048, p);
		p[0].flags |= WEIR_PKT_TX_TSO | (v6 ? WEIR_PKT_TX_IPV6 : 0);
		p[0].txo.l2_len = 14;
		p[0].txo.l3_len = v6 ? 40 : 20;
		p[0].txo.mss = (uint16_t)mss;
		post(p, n);
		assert_int_equal(world.n_sent - before, (payload + mss - 1) / mss);
		for (; before < world.n_sent; before++) {
			const struct sent *s = &world.sent[before % FRAMES];

			check_sums(s);
			assert_int_equal(net_get32(s->data + hdr - 16), at);
			assert_memory_equal(s->data + hdr, f + hdr + at,
					    weir_min_u(mss, payload - at));
			at += weir_min_u(mss, payload - at);
		}
		assert_int_equal(at, payload);
	}
}

static void test_head_wb(void **state)
{
	static uint8_t f[2048];
	struct weir_pkt p[40];

	(void)state;
	start((struct weir_port_conf){ .tx_desc = 64, .tx_head_wb = true });
	for (unsigned i = 0; i < 200; i++) {
		unsigned n = 0, before = world.n_sent;

		fill(f, 2000, i);
		for (unsigned k = 0; k <= i % 13; k++)
			n += cut(f, 2000, 700 + 100 * (k % 4), p + n);
		post(p, n);
		assert_int_equal(world.n_sent - before, i % 13 + 1);
	}
}

/* Flows to queues, as the function and the table say. */
static void test_rss(void **state)
{
	static uint8_t f[2048];
	struct weir_pkt p[4];

	(void)state;
	start((struct weir_port_conf){
		.n_rxq = 16, .n_txq = 16, .rx_desc = 128, .offloads = WEIR_OFF_RX_HASH });
	for (unsigned i = 0; i < 500; i++) {
		bool v6 = i & 1, tcp = i & 2;
		unsigned len = ip_frame(f, v6, tcp, 100, i), addr = v6 ? 32 : 8;
		uint8_t in[36];
		uint32_t hash;

		memcpy(in, f + 14 + (v6 ? 8 : 12), addr);
		memcpy(in + addr, f + 14 + (v6 ? 40 : 20), 4);
		hash = weir_toeplitz(weir_rss_default_key, in, addr + 4);
		assert_int_equal(nic_rx(&world.nic, f, len, false), RX_DONE);
		assert_int_equal(weir_rx(world.port->rxq[(hash & 127) % 16], p, 4), 1);
		assert_true(p[0].flags & WEIR_PKT_HASH);
		assert_int_equal(p[0].hash, hash);
		weir_pkt_free(world.cache, p, 1);
	}
}

/* The filter of VLANs holds in promiscuous mode too, and over a stop and a start. */
static void test_vlans(void **state)
{
	static const uint16_t vids[] = { 7, 33 };
	static uint8_t f[64] = { [5] = 1, [6] = 2, [12] = 0x81 };
	struct weir_pkt p[4];

	(void)state;
	start((struct weir_port_conf){ .promisc = true });
	for (unsigned pass = 0; pass < 3; pass++) {
		if (pass == 1)
			assert_int_equal(weir_port_vlan_filter(world.port, vids, 2), 0);
		assert_int_equal(weir_port_stop(world.port), 0);
		assert_int_equal(weir_port_start(world.port), 0);
		if (pass == 2)
			assert_int_equal(weir_port_vlan_filter(world.port, NULL, 0), 0);
		for (unsigned v = 0; v < 40; v++) {
			bool in = pass != 1 || v == 7 || v == 33;

			f[15] = (uint8_t)v;
			assert_int_equal(nic_rx(&world.nic, f, 64, false),
					 in ? RX_DONE : RX_DROPPED);
			assert_int_equal(weir_rx(world.port->rxq[0], p, 4), in);
			weir_pkt_free(world.cache, p, in);
		}
	}
	world.drops_ok = true;
}

static void test_intr(void **state)
{
	static uint8_t f[64];
	struct weir_pkt p[4];

	(void)state;
	start((struct weir_port_conf){ .n_rxq = 2, .rx_intr = true });
	fill(f, 64, 1);
	assert_int_equal(weir_port_rx_intr_arm(world.port, 0), 0);
	settle();
	assert_int_equal(world.raised[0], 0);
	/* many packets, one interrupt */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(nic_rx(&world.nic, f, 64, false), RX_DONE);
		settle();
	}
	assert_int_equal(world.raised[0], 1);
	assert_int_equal(weir_port_rx_intr_arm(world.port, 0), 1);
	assert_int_equal(weir_rx(world.port->rxq[0], p, 4), 3);
	weir_pkt_free(world.cache, p, 3);
	assert_int_equal(weir_port_rx_intr_arm(world.port, 0), 0);
	settle();
	assert_int_equal(world.raised[0], 1);
	assert_int_equal(nic_rx(&world.nic, f, 64, false), RX_DONE);
	settle();
	assert_int_equal(world.raised[0], 2);
	assert_int_equal(world.raised[1], 0);
	/* the link: vector 2, once a change */
	intr_other(&world.nic, EICR_LSC);
	settle();
	settle();
	assert_int_equal(world.raised[2], 1);
	assert_int_equal(weir_port_link(world.port, &(struct weir_link){ 0 }), 0);
	intr_other(&world.nic, EICR_LSC);
	settle();
	assert_int_equal(world.raised[2], 2);
}

/* Stopped in traffic: no DMA, all buffers back, and it starts again. */
static void test_restart(void **state)
{
	static uint8_t f[64];
	struct weir_pkt p[8];

	(void)state;
	fill(f, 64, 1);
	start((struct weir_port_conf){ .n_rxq = 1 });
	for (unsigned round = 0; round < 5; round++) {
		uint64_t ops;

		for (unsigned i = 0; i < 20; i++)
			assert_int_equal(nic_rx(&world.nic, f, 64, false), RX_DONE);
		assert_int_equal(weir_rx(world.port->rxq[0], p, 8), 8);
		assert_int_equal(weir_tx_post(world.port->txq[0], p, 8), 8);
		if (round & 1)
			weir_tx_kick(world.port->txq[0]);
		assert_int_equal(weir_port_stop(world.port), 0);
		assert_int_equal(world.cache->n + weir_pool_available(world.pool), BUFS);
		ops = world.nic.dma.ops;
		assert_int_equal(nic_rx(&world.nic, f, 64, true), RX_WAIT);
		settle();
		assert_int_equal(world.nic.dma.ops, ops);
		assert_int_equal(weir_port_start(world.port), 0);
		settle();
	}
}

/* --- misbehaviour --- */

/* Take what came until there is no more. Return: packets, freed. */
static unsigned drain(void)
{
	struct weir_pkt p[32];
	unsigned n, all = 0;

	while ((n = weir_rx(world.port->rxq[0], p, 32))) {
		weir_pkt_free(world.cache, p, n);
		all += n;
	}
	return all;
}

/* One frame of twenty is a lie: it is counted, the others pass, and the queue goes on. */
static void test_fault_rx(void **state)
{
	static const struct {
		const char *fault;
		unsigned got, bad_len;
	} rows[] = {
		{ "rx-len-huge", 19, 1 },
		{ "rx-len-zero", 19, 1 },
		/* the one without an end takes the next one with it */
		{ "rx-no-eop", 18, 1 },
		/* data that was not written cannot be told from data that was */
		{ "rx-no-data", 20, 0 },
	};
	static uint8_t f[100];

	(void)state;
	fill(f, 100, 1);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(rows); i++) {
		const struct weir_qstats *s;

		start((struct weir_port_conf){ .n_rxq = 1 });
		s = &world.port->rxq[0]->stats;
		nic_set_fault_only(rows[i].fault);
		for (unsigned k = 0; k < 20; k++)
			assert_int_equal(nic_rx(&world.nic, f, 100, false), RX_DONE);
		assert_int_equal(drain() + drain(), rows[i].got);
		assert_int_equal(s->drops[WEIR_DROP_BAD_LEN], rows[i].bad_len);
		assert_false(world.port->failed);
		world.nic.fault = FAULT_NONE;
		weir_port_stop(world.port);
	}
}

/* Nothing is reported as sent: the ring fills, the port stops all the same, no buffer is lost. */
static void test_fault_tx_stall(void **state)
{
	static uint8_t f[100];
	struct weir_pkt p[8];
	unsigned sent = 0;

	(void)state;
	fill(f, 100, 1);
	start((struct weir_port_conf){ .tx_desc = 64 });
	nic_set_fault_only("tx-stall:1");
	for (unsigned i = 0; i < 100; i++) {
		unsigned n = cut(f, 100, 2048, p), took = weir_tx_post(world.port->txq[0], p, n);

		weir_tx_kick(world.port->txq[0]);
		settle();
		sent += took;
		if (!took)
			weir_pkt_free(world.cache, p, n);
	}
	assert_int_equal(sent, 63);
	assert_int_equal(weir_tx_reap(world.port->txq[0]), 63);
}

static void test_fault_start(void **state)
{
	struct weir_port_conf c = { .arena = world.arena };

	(void)state;
	assert_int_equal(weir_port_configure(world.port, &c), 0);
	assert_int_equal(weir_port_queue_cache(world.port, 0, world.cache), 0);
	nic_set_fault_only("stuck-rx");
	assert_int_equal(weir_port_start(world.port), -EIO);
	assert_said("device-timeout");
	nic_set_fault_only("stuck-tx");
	assert_int_equal(weir_port_start(world.port), -EIO);
	assert_said("device-timeout");
	world.nic.fault = FAULT_NONE;
	assert_int_equal(weir_port_start(world.port), 0);
	nic_set_fault_only("stuck-reset");
	weir_port_stop(world.port);
	assert_said("device-reset");
	assert_true(world.port->failed);
	assert_int_equal(weir_port_start(world.port), -ENODEV);
	world.nic.fault = FAULT_NONE;
}

/* All ones from the n-th register access on. */
static void test_fault_ones(void **state)
{
	struct weir_pkt p[4];

	(void)state;
	start((struct weir_port_conf){ .n_rxq = 1 });
	nic_set_fault_only("ones:0");
	assert_int_equal(weir_port_link(world.port, &(struct weir_link){ 0 }), -ENODEV);
	assert_said("device-gone");
	assert_int_equal(weir_rx(world.port->rxq[0], p, 4), 0);
}

/* Each access to memory in turn is refused. The queue that it hits stands still, the port lives. */
static void test_fault_dma(void **state)
{
	static uint8_t f[3000];

	(void)state;
	fill(f, 3000, 1);
	for (unsigned at = 1; at < 60; at++) {
		struct weir_pkt p[8];
		unsigned n;

		start((struct weir_port_conf){ .offloads = WEIR_OFF_RX_JUMBO, .mtu = 3000 });
		world.nic.dma.fail_at = world.nic.dma.ops + at;
		for (unsigned i = 0; i < 10; i++) {
			nic_rx(&world.nic, f, 3000, false);
			n = weir_rx(world.port->rxq[0], p, 8);
			n -= weir_tx_post(world.port->txq[0], p, n);
			weir_tx_kick(world.port->txq[0]);
			assert_int_equal(n, 0);
			settle();
			weir_tx_reap(world.port->txq[0]);
		}
		assert_int_equal(world.nic.dma.faults, 1);
		world.nic.dma.faults = 0;
		assert_false(world.port->failed);
		unit_hush();
		assert_int_equal(weir_port_link(world.port, &(struct weir_link){ 0 }), 0);
		assert_said("device-fault");
		weir_port_stop(world.port);
		assert_int_equal(world.cache->n + weir_pool_available(world.pool), BUFS);
	}
	world.drops_ok = true;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_link),	    T(test_lengths),   T(test_csum),	       T(test_tso),
		T(test_head_wb),    T(test_rss),       T(test_vlans),	       T(test_intr),
		T(test_restart),    T(test_fault_rx),  T(test_fault_tx_stall), T(test_fault_start),
		T(test_fault_ones), T(test_fault_dma),
	};

	return cmocka_run_group_tests_name("nicsim_ixgbe", tests, NULL, NULL);
}
