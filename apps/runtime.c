/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/runtime.h"
#include "apps/fault.h"
#include "apps/handed.h"
#include "apps/publish.h"
#include "core/clock.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define CAPTURE_RING (16u << 20)
/*
 * What a ring pair takes at most besides buffers: virtio has 250 bytes for a TX descriptor, with its
 * share of rings, header and indirect table, and less for others.
 */
#define DESC_BYTES   256
#define QUEUE_BYTES  (64u << 10)
#define DESC_DEFAULT 1024
/* A device that is a process waits for a processor like any other, and for ours perhaps. */
#define HOLD_SOFT_MS 2000

/* --- memory --- */

static int dev_node(struct rt *rt, unsigned i)
{
	struct weir_bdf none = { 0 };
	struct weir_pci_info info;
	char dir[PATH_MAX];

	if (weir_bdf_equal(rt->ports[i].bdf, none) || rt->o.memory_fd ||
	    weir_pci_sysdev(rt->w, rt->ports[i].bdf, dir, sizeof(dir)) || access(dir, F_OK) ||
	    weir_pci_info(rt->w, rt->ports[i].bdf, &info))
		return WEIR_NODE_ANY;
	return info.node;
}

static unsigned mem_of(struct rt *rt, int node)
{
	for (unsigned i = 0; i < rt->n_mem; i++)
		if (rt->mem[i].node == node)
			return i;
	return 0;
}

/* Descriptors of a ring pair. */
static unsigned pair_descs(const struct rt *rt)
{
	return (rt->o.rx_desc ? rt->o.rx_desc : DESC_DEFAULT) +
	       (rt->o.tx_desc ? rt->o.tx_desc : DESC_DEFAULT);
}

static unsigned buffers_needed(const struct rt *rt)
{
	return rt->o.n_devs * rt->o.queues * (pair_descs(rt) + 2 * FWD_BURST_MAX) +
	       rt->n_workers * WEIR_CACHE_SIZE;
}

static size_t ring_bytes(const struct rt *rt)
{
	size_t pair = (size_t)pair_descs(rt) * DESC_BYTES + QUEUE_BYTES;

	return rt->o.n_devs * rt->o.queues * pair + (1u << 20);
}

/* One arena for all, which was handed in. */
static int take_memory(struct rt *rt, unsigned n, size_t rings)
{
	int fd = handed_fd(rt->w, rt->o.memory_fd), err;
	struct weir_arena_info a;

	if (fd < 0)
		return fd;
	err = weir_arena_create_fd(rt->w, fd, 0, &rt->mem[0].arena);
	if (err)
		return err;
	rt->mem[0].node = WEIR_NODE_ANY;
	rt->n_mem = 1;
	a = weir_arena_info(rt->mem[0].arena);
	if (a.size < weir_pool_bytes(n, a.page_size) + rings)
		return weir_fail(
			rt->w, ENOMEM, "arena-fd",
			"the memory that was handed in has %zu MiB; %u buffers and the rings "
			"need %zu MiB",
			a.size >> 20, n,
			(weir_pool_bytes(n, a.page_size) + rings + (1u << 20) - 1) >> 20);
	return weir_pool_create(rt->mem[0].arena, n, &rt->mem[0].pool);
}

static int open_memory(struct rt *rt)
{
	unsigned n = buffers_needed(rt);
	size_t rings = ring_bytes(rt);

	if (rt->o.memory_fd)
		return take_memory(rt, n, rings);
	for (unsigned i = 0; i < rt->o.n_devs; i++) {
		int node = dev_node(rt, i), err;

		if (rt->n_mem &&
		    (rt->n_mem == RT_MAX_NODES || rt->mem[mem_of(rt, node)].node == node))
			continue;
		err = weir_pool_arena(rt->w, n, rings, node, 0, &rt->mem[rt->n_mem].arena);
		if (err)
			return err;
		rt->mem[rt->n_mem].node = node;
		err = weir_pool_create(rt->mem[rt->n_mem].arena, n, &rt->mem[rt->n_mem].pool);
		rt->n_mem++;
		if (err)
			return err;
	}
	return 0;
}

/* --- ports --- */

static int identify(struct rt *rt, unsigned i)
{
	struct rt_port *p = &rt->ports[i];
	enum weir_mode mode;
	char name[64];
	const char *dev, *bdf;
	int err = handed_device(rt->w, rt->o.devs[i], &rt->devs[i]);

	if (err)
		return err;
	dev = rt->devs[i];
	bdf = strstr(dev, ",bdf=");
	if (!strncmp(dev, "fd:", 3) && bdf)
		weir_bdf_parse(bdf + 5, &p->bdf);
	snprintf(p->name, sizeof(p->name), "%s", dev);
	p->caps.driver = "none";
	p->is_pci = !weir_driver_for_scheme(dev) &&
		    !weir_devstr_split(dev, name, sizeof(name), &mode) &&
		    !weir_bdf_parse(name, &p->bdf);
	for (unsigned k = 0; k < i; k++) {
		const struct rt_port *q = &rt->ports[k];
		bool same = p->is_pci ? q->is_pci && weir_bdf_equal(p->bdf, q->bdf)
				      : !strcmp(dev, rt->devs[k]) && strncmp(dev, "null:", 5);

		if (same)
			return weir_fail(rt->w, EINVAL, "twice", "%s is named twice", dev);
	}
	return 0;
}

/* Take the NIC from its kernel driver if it has one, and remember to give it back. */
static int bind_port(struct rt *rt, struct rt_port *p)
{
	struct weir_pci_info info;
	char name[WEIR_BDF_LEN];
	int r;

	r = weir_pci_info(rt->w, p->bdf, &info);
	if (r)
		return r;
	weir_bdf_format(p->bdf, name);
	if (!weir_driver_for(&info, NULL))
		return weir_fail(
			rt->w, EOPNOTSUPP, "no-driver",
			"%s (%04x:%04x, class %06x) has no driver in weir; `weir list` shows "
			"which devices are supported",
			name, info.vendor, info.device, info.class_code);
	r = weir_pci_bind(rt->w, p->bdf, rt->o.force ? WEIR_BIND_FORCE : 0);
	if (!r) {
		p->bound = true;
		fprintf(stderr, "weir: %s taken from %s for this run\n", name,
			*info.driver ? info.driver : "no driver");
	}
	return r < 0 ? r : 0;
}

static int open_port(struct rt *rt, unsigned i)
{
	struct weir_port_open_opts oo = { .mode = rt->o.mode };
	struct rt_port *p = &rt->ports[i];
	struct weir_port_conf c = {
		.n_rxq = rt->o.queues,
		.n_txq = rt->o.queues,
		.rx_desc = rt->o.rx_desc,
		.tx_desc = rt->o.tx_desc,
		.mtu = rt->o.mtu,
		.promisc = true,
		.stall_ms = rt->o.stall_ms,
		.rx_intr = rt->o.idle == FWD_SLEEP,
		.arena = rt->mem[mem_of(rt, dev_node(rt, i))].arena,
	};
	int err = weir_port_open(rt->iommu, rt->devs[i], &oo, &p->port);

	if (err)
		return err;
	snprintf(p->name, sizeof(p->name), "%s", p->port->name);
	weir_port_caps(p->port, &p->caps);
	if (weir_port_pci(p->port)) {
		p->mode = weir_iodev_mode(weir_pci_iodev(weir_port_pci(p->port)));
		err = weir_pci_watch(weir_port_pci(p->port));
		if (err < 0)
			return err;
	}
	if (c.rx_desc == RT_DESC_MOST)
		c.rx_desc = weir_min_u(c.rx_desc, p->caps.max_desc);
	/* Frames longer than one buffer arrive in several segments. */
	if (p->caps.offloads & WEIR_OFF_RX_JUMBO && c.mtu > WEIR_BUF_ROOM - 64)
		c.offloads |= WEIR_OFF_RX_JUMBO;
	return weir_port_configure(p->port, &c);
}

/* Go on without port @i if that is wanted. Return: 0 then, or @err. */
static int without(struct rt *rt, unsigned i, int err)
{
	struct rt_port *p = &rt->ports[i];

	if (!err || !rt->o.keep_going)
		return err;
	weir_log(rt->w, WEIR_LOG_ERR, "port-left-out", "%s: left out of the run (%s)", p->name,
		 weir_strerror(err));
	/* Nothing runs yet: out of the loops is where it is at once. */
	if (p->port)
		rt_out_of_loops(rt, p->port);
	weir_port_close(p->port);
	p->port = NULL;
	p->left = RT_FAILED;
	return 0;
}

static int open_iommu(struct rt *rt)
{
	int err = weir_iommu_open(rt->w, &rt->iommu), fd;

	if (err)
		return err;
	fault_catch(rt->iommu);
	if (!rt->o.iommu_fd)
		return 0;
	fd = handed_fd(rt->w, rt->o.iommu_fd);
	return fd < 0 ? fd : weir_iommu_set_fd(rt->iommu, fd);
}

static int open_ports(struct rt *rt)
{
	int err = 0;

	for (unsigned i = 0; i < rt->n_ports && !err; i++)
		if (rt->ports[i].is_pci)
			err = without(rt, i, bind_port(rt, &rt->ports[i]));
	if (!err)
		err = open_memory(rt);
	if (!err)
		err = open_iommu(rt);
	for (unsigned i = 0; i < rt->n_ports && !err; i++)
		if (!rt->ports[i].left)
			err = without(rt, i, open_port(rt, i));
	if (!err && rt_left(rt, RT_FAILED) == rt->n_ports)
		err = weir_fail(rt->w, ENODEV, "no-port", "no port of the run could be opened");
	return err;
}

/* --- workers --- */

static unsigned worker_count(const struct rt_opts *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = o->n_cpus;

	/* Unasked, leave a processor for everything else. */
	if (!n)
		n = cpus > 2 ? weir_min_u(o->queues, (unsigned)cpus - 1) : 1;
	n = weir_min_u(n, o->queues);
	return weir_min_u(n, RT_MAX_WORKERS);
}

static unsigned hold_ms(const struct rt *rt)
{
	if (rt->o.hold_ms)
		return rt->o.hold_ms;
	for (unsigned i = 0; i < rt->n_ports; i++)
		if (rt->ports[i].caps.is_process)
			return HOLD_SOFT_MS;
	return RT_HOLD_MS;
}

static int open_worker(struct rt *rt, unsigned i)
{
	struct fwd_worker *f = aligned_alloc(WEIR_CACHE_LINE, sizeof(*f));
	unsigned m = mem_of(rt, dev_node(rt, 0));
	int err = 0;

	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	rt->workers[i] = f;
	f->burst = rt->o.burst;
	f->idle = rt->o.idle;
	f->stop = &rt->stop_workers;
	f->budget = rt->o.count ? &rt->budget : NULL;
	f->hold_cycles = weir_cycles_hz() / 1000 * hold_ms(rt);
	f->cpu = i < rt->o.n_cpus ? (int)rt->o.cpus[i] : -1;
	if (rt->o.capture) {
		err = capring_create(CAPTURE_RING, &rt->rings[i]);
		f->cap = rt->rings[i];
		/* The filter must see whole frames; what is too long is cut behind it. */
		f->snaplen = rt->o.capture->filter && *rt->o.capture->filter
				     ? UINT32_MAX
				     : rt->o.capture->snaplen;
		f->lossless = rt->o.lossless;
	}
	return err ? err : weir_cache_create(rt->mem[m].pool, &f->cache);
}

size_t rt_memory(const struct rt_opts *o)
{
	struct rt rt = { .o = *o, .n_workers = worker_count(o) };

	return weir_pool_bytes(buffers_needed(&rt), 2u << 20) + ring_bytes(&rt);
}

/* Route of one queue, for the worker that has its number. */
static int add_route(struct rt *rt, const struct rt_way *y, unsigned q)
{
	struct weir_port *rx = rt->ports[y->from].port;
	struct weir_port *tx = y->to < 0 ? NULL : rt->ports[y->to].port;
	struct fwd_worker *f = rt->workers[q % rt->n_workers];
	struct fwd_route *r = &f->routes[f->n_routes];
	int err;

	if (f->n_routes == FWD_MAX_ROUTES)
		return weir_fail(rt->w, E2BIG, "routes",
				 "too many queues for one worker; name more CPUs with --cores");
	*r = (struct fwd_route){
		.rxq = rx->rxq[q],
		.txq = tx ? tx->txq[q] : NULL,
		.port = y->from,
		.rewrite = y->rewrite,
		.set_dst = y->set_dst,
		.plain = !rx->conf.offloads,
	};
	memcpy(r->mac, y->dst, 6);
	err = y->rewrite == FWD_SET_MAC && tx ? weir_port_mac_get(tx, r->mac + 6) : 0;
	if (!err)
		err = weir_port_queue_cache(rx, q, f->cache);
	if (!err)
		__atomic_store_n(&f->n_routes, f->n_routes + 1, __ATOMIC_RELAXED);
	return err;
}

int rt_route_again(struct rt *rt, const struct weir_port *p)
{
	int err = 0;

	for (unsigned i = 0; i < rt->n_ways; i++) {
		const struct rt_way *y = &rt->ways[i];
		const struct weir_port *rx = rt->ports[y->from].port;
		const struct weir_port *tx = y->to < 0 ? rx : rt->ports[y->to].port;

		if (!rx || !tx || (p != rx && p != tx))
			continue;
		for (unsigned q = 0; q < rt->o.queues && !err; q++)
			err = add_route(rt, y, q);
	}
	return err;
}

int rt_route(struct rt *rt, unsigned from, int to, const uint8_t *dst_mac, enum fwd_rewrite rewrite)
{
	struct rt_way *y = &rt->ways[rt->n_ways];
	int err = 0;

	if (!rt->ports[from].port || (to >= 0 && !rt->ports[to].port))
		return 0;
	*y = (struct rt_way){
		.from = from, .to = to, .rewrite = rewrite, .set_dst = dst_mac != NULL
	};
	if (dst_mac)
		memcpy(y->dst, dst_mac, 6);
	rt->n_ways++;
	for (unsigned q = 0; q < rt->o.queues && !err; q++)
		err = add_route(rt, y, q);
	return err;
}

/* --- capture --- */

static int write_ring(struct rt *rt, struct capring *r)
{
	const struct caprec *rec;
	int n = 0;

	while ((rec = capring_peek(r)) && n < 1024) {
		int err = pcapw_write(rt->pcap, rec->ts_ns, rec + 1, rec->caplen, rec->len);

		capring_pop(r, rec);
		if (err < 0)
			return err;
		rt->cap_seen++;
		__atomic_store_n(&rt->cap_written, pcapw_count(rt->pcap), __ATOMIC_RELAXED);
		if (rt->o.capture_count && pcapw_count(rt->pcap) >= rt->o.capture_count)
			return -ECANCELED;
		n++;
	}
	return n;
}

static void *capture_thread(void *arg)
{
	struct rt *rt = arg;
	bool last = false;

	for (;;) {
		int moved = 0;

		for (unsigned i = 0; i < rt->n_workers; i++) {
			int n = write_ring(rt, rt->rings[i]);

			if (n < 0) {
				__atomic_store_n(&rt->cap_err, n, __ATOMIC_RELEASE);
				return NULL;
			}
			moved += n;
		}
		if (moved)
			continue;
		if (last)
			return NULL;
		/* One more look after the workers have stopped. */
		last = __atomic_load_n(&rt->cap_stop, __ATOMIC_ACQUIRE);
		if (!last)
			weir_sleep_us(500);
	}
}

static int start_capture(struct rt *rt)
{
	int err;

	if (!rt->o.capture)
		return 0;
	err = pcapw_start(rt->pcap);
	if (err)
		return err;
	err = -pthread_create(&rt->cap_thread, NULL, capture_thread, rt);
	if (err)
		return weir_fail(rt->w, err, "thread", "no thread for the capture: %s",
				 weir_strerror(err));
	rt->cap_running = true;
	return 0;
}

static void stop_capture(struct rt *rt)
{
	if (rt->cap_running) {
		__atomic_store_n(&rt->cap_stop, 1, __ATOMIC_RELEASE);
		pthread_join(rt->cap_thread, NULL);
		rt->cap_running = false;
	}
	if (rt->pcap) {
		int err;

		snprintf(rt->cap_path, sizeof(rt->cap_path), "%s", pcapw_path(rt->pcap));
		err = pcapw_close(rt->pcap);
		rt->pcap = NULL;
		if (err && (!rt->cap_err || rt->cap_err == -ECANCELED))
			rt->cap_err = err;
	}
}

/* --- the whole --- */

/* A worker on a CPU that this process may not use would run anywhere. */
static int check_cpus(struct rt *rt)
{
	cpu_set_t may;

	if (sched_getaffinity(0, sizeof(may), &may))
		return 0;
	for (unsigned i = 0; i < rt->o.n_cpus; i++)
		if (!CPU_ISSET(rt->o.cpus[i], &may))
			return weir_fail(rt->w, EINVAL, "cpu",
					 "CPU %u is not there, or not for this process, which has "
					 "%d CPUs: see `taskset -pc $$` and --cores",
					 rt->o.cpus[i], CPU_COUNT(&may));
	return 0;
}

int rt_open(struct rt *rt, const struct rt_opts *o)
{
	int err;

	rt->o = *o;
	rt->budget = (int64_t)o->count;
	err = app_open(o->verbose, &rt->w);
	if (err)
		return err;
	rt->n_ports = o->n_devs;
	rt->n_workers = worker_count(o);
	if (rt->n_workers < o->n_cpus)
		weir_warn(rt->w,
			  "%u CPUs named, %u used: there are as many workers as queues (--queues)",
			  o->n_cpus, rt->n_workers);
	err = check_cpus(rt);
	for (unsigned i = 0; i < rt->n_ports && !err; i++)
		err = identify(rt, i);
	/* The cheap things that can be wrong come before devices are touched. */
	if (!err && o->capture)
		err = pcapw_open(rt->w, o->capture, &rt->pcap);
	if (!err)
		err = open_ports(rt);
	if (!err)
		err = weir_cache_create(rt->mem[0].pool, &rt->spare);
	for (unsigned i = 0; i < rt->n_workers && !err; i++)
		err = open_worker(rt, i);
	if (err)
		rt_close(rt);
	return err;
}

static int start_workers(struct rt *rt)
{
	for (; rt->n_running < rt->n_workers; rt->n_running++) {
		struct fwd_worker *f = rt->workers[rt->n_running];
		int err = -pthread_create(&f->thread, NULL, fwd_run, f);

		if (err)
			return weir_fail(rt->w, err, "thread", "no thread for worker %u: %s",
					 rt->n_running, weir_strerror(err));
	}
	return 0;
}

int rt_start(struct rt *rt)
{
	int err;

	/* The file before the ports: no packet is taken that could not be written. */
	err = start_capture(rt);
	for (unsigned i = 0; i < rt->n_ports && !err; i++)
		if (rt->ports[i].port && rt->ports[i].port->rxq[0]->cache)
			err = without(rt, i, weir_port_start(rt->ports[i].port));
	if (!err && !rt_has_routes(rt))
		err = weir_fail(rt->w, ENODEV, "no-port", "no pair of ports could be started");
	if (!err)
		err = start_workers(rt);
	if (!err)
		publish_update(rt);
	return err;
}

/* Packets that are done with: sent, or given up on. */
static uint64_t settled(const struct rt *rt)
{
	uint64_t n = rt_forwarded(rt);

	for (unsigned i = 0; i < rt->n_workers; i++)
		n += __atomic_load_n(&rt->workers[i]->dropped, __ATOMIC_RELAXED);
	return n;
}

bool rt_done(struct rt *rt)
{
	rt_look_after(rt);
	publish_tick(rt);
	return !rt_has_routes(rt) || __atomic_load_n(&rt->cap_err, __ATOMIC_ACQUIRE) ||
	       (rt->o.count && __atomic_load_n(&rt->budget, __ATOMIC_RELAXED) <= 0 &&
		settled(rt) >= rt->o.count);
}

void rt_stop(struct rt *rt)
{
	__atomic_store_n(&rt->stop_workers, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < rt->n_running; i++) {
		pthread_join(rt->workers[i]->thread, NULL);
		if (rt->workers[i]->err)
			weir_warn(rt->w, "worker %u could not be pinned to CPU %d: %s", i,
				  rt->workers[i]->cpu, weir_strerror(rt->workers[i]->err));
	}
	rt->n_running = 0;
	for (unsigned i = 0; i < rt->n_ports; i++) {
		if (!rt->ports[i].port)
			continue;
		rt->ports[i].port->failed |= rt->ports[i].gone;
		weir_port_stop(rt->ports[i].port);
	}
	stop_capture(rt);
}

static bool any_failed(const struct rt *rt)
{
	bool failed = rt_left(rt, RT_FAILED) > 0;

	for (unsigned i = 0; i < rt->n_ports; i++)
		failed |= rt->ports[i].port && weir_port_failed(rt->ports[i].port);
	return failed;
}

/* A NIC that left may have been unplugged meanwhile. */
static int give_back(struct rt *rt, const struct rt_port *p)
{
	char dir[PATH_MAX];

	if (!p->bound ||
	    (p->left && (weir_pci_sysdev(rt->w, p->bdf, dir, sizeof(dir)) || access(dir, F_OK))))
		return 0;
	return weir_pci_release(rt->w, p->bdf);
}

int rt_status(const struct rt *rt, int err)
{
	if (err)
		return APP_FAIL;
	return rt_left(rt, RT_ASKED) ? APP_ASKED : APP_OK;
}

int rt_close(struct rt *rt)
{
	int err = 0;

	if (!rt->w)
		return 0;
	rt_stop(rt);
	publish_end(rt);
	err = any_failed(rt) ? -EIO : 0;
	if (!err && rt->cap_err != -ECANCELED)
		err = rt->cap_err;
	for (unsigned i = 0; i < rt->n_ports; i++) {
		weir_port_close(rt->ports[i].port);
		rt->ports[i].port = NULL;
	}
	if (rt->iommu)
		fault_release();
	weir_iommu_close(rt->iommu);
	for (unsigned i = 0; i < rt->n_workers; i++) {
		if (rt->workers[i])
			weir_cache_destroy(rt->workers[i]->cache);
		free(rt->workers[i]);
		capring_destroy(rt->rings[i]);
	}
	weir_cache_destroy(rt->spare);
	for (unsigned i = 0; i < rt->n_mem; i++) {
		weir_pool_destroy(rt->mem[i].pool);
		weir_arena_destroy(rt->mem[i].arena);
	}
	for (unsigned i = 0; i < rt->n_ports; i++)
		if (give_back(rt, &rt->ports[i]) < 0 && !err)
			err = -EIO;
	for (unsigned i = 0; i < rt->n_ports; i++)
		free(rt->devs[i]);
	weir_close(rt->w);
	rt->w = NULL;
	return err;
}

uint64_t rt_forwarded(const struct rt *rt)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < rt->n_workers; i++)
		n += __atomic_load_n(&rt->workers[i]->forwarded, __ATOMIC_RELAXED);
	return n;
}

uint64_t rt_capture_missed(const struct rt *rt)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < rt->n_workers; i++)
		if (rt->rings[i])
			n += __atomic_load_n(&rt->rings[i]->missed, __ATOMIC_RELAXED);
	return n;
}
