/* SPDX-License-Identifier: BSD-3-Clause */
/* Everything between the command line and the forwarding loop: memory, ports, threads. */
#ifndef WEIR_APPS_RUNTIME_H
#define WEIR_APPS_RUNTIME_H

#include "apps/app.h"
#include "apps/fwd.h"
#include "apps/pcapw.h"

#define RT_MAX_PORTS   16
#define RT_MAX_WORKERS 16
#define RT_MAX_NODES   8
#define RT_DESC_MOST   4096
#define RT_HOLD_MS     100

/**
 * struct rt_opts - what a forwarding subcommand was asked for
 * @devs: device strings, @n_devs of them
 * @mode: how to claim PCI devices
 * @queues: RX (and, if @tx, TX) queues a port
 * @cpus: one worker each, pinned; none: workers are not pinned
 * @n_cpus: how many
 * @rx_desc: ring sizes, 0 for the default; RT_DESC_MOST for as many as the device and reason allow
 * @tx_desc: ring sizes, 0 for the default
 * @mtu: 0 for 1500
 * @burst: segments a burst
 * @hold_ms: how long packets wait for a full TX ring before they are dropped; 0 for RT_HOLD_MS
 * @idle: what idle workers do
 * @force: take NICs whose interfaces are in use
 * @verbose: count of -v
 * @capture: file to write what is received to, or NULL
 * @capture_count: end the capture after so many frames in the file, 0 never
 * @lossless: the capture may not miss a packet
 * @count: stop after so many packets, 0 never
 * @stall_ms: when a queue that stands still is said to; 0 for the default
 * @keep_going: ports that cannot be opened or started are left out
 * @iommu_fd: an open /dev/iommu that was handed in, by number or name (handed.h), or NULL
 * @memory_fd: a memfd for packets that was handed in, likewise
 */
struct rt_opts {
	char **devs;
	unsigned n_devs;
	enum weir_mode mode;
	unsigned queues;
	unsigned cpus[RT_MAX_WORKERS];
	unsigned n_cpus;
	unsigned rx_desc, tx_desc, mtu, burst, hold_ms;
	enum fwd_idle idle;
	bool force;
	unsigned verbose;
	const struct pcapw_opts *capture;
	uint64_t capture_count;
	bool lossless;
	uint64_t count;
	unsigned stall_ms;
	bool keep_going;
	const char *iommu_fd, *memory_fd;
};

/* Why a port is no longer in the run. */
enum rt_left {
	RT_HERE,
	RT_ASKED,  /* the kernel, or the server, wanted the device back */
	RT_FAILED, /* it failed, misbehaved or vanished */
};

/**
 * struct rt_health - a port's
 * @checked: last look, in weir_now_ns()
 * @link_checked: last look at the link
 * @link: what it showed: 0 nothing yet, 1 up, -1 down
 * @restarted: last restart
 * @tries: restarts that did not last
 * @restarts: all restarts of the run
 */
struct rt_health {
	uint64_t checked, link_checked, restarted;
	int link;
	unsigned tries, restarts;
};

/**
 * struct rt_way - what rt_route() was asked for, to be asked for again
 */
struct rt_way {
	unsigned from;
	int to;
	enum fwd_rewrite rewrite;
	bool set_dst;
	uint8_t dst[6];
};

struct rt_sides {
	struct weir_qstats rx, tx;
};

/**
 * struct rt_port - a port of the run
 * @port: NULL once it has left
 * @name: for people
 * @caps: what it could do
 * @bdf: if @is_pci, or if it was handed in with its address
 * @mode: how it is claimed, AUTO if it is no device
 * @bound: by us: give it back at the end
 * @gone: its vfio-user server is
 * @leaving: why it is about to leave
 * @health: what health.c remembers of it
 * @left: why @port is NULL; RT_HERE while it is there
 * @last: counters of its queues when it left
 */
struct rt_port {
	struct weir_port *port;
	char name[128];
	struct weir_port_caps caps;
	struct weir_bdf bdf;
	enum weir_mode mode;
	bool is_pci;
	bool bound;
	bool gone;
	enum rt_left leaving, left;
	struct rt_health health;
	struct rt_sides last[WEIR_MAX_QUEUES];
};

struct rt {
	struct rt_opts o;
	struct weir *w;
	struct weir_iommu *iommu;
	struct {
		int node;
		struct weir_arena *arena;
		struct weir_pool *pool;
	} mem[RT_MAX_NODES];
	unsigned n_mem;
	char *devs[RT_MAX_PORTS]; /* o.devs with names of handed-in files resolved */
	struct rt_port ports[RT_MAX_PORTS];
	unsigned n_ports;
	struct rt_way ways[RT_MAX_PORTS];
	unsigned n_ways;
	struct weir_cache *spare; /* for the queues of ports that leave */
	struct fwd_worker *workers[RT_MAX_WORKERS];
	unsigned n_workers, n_running;
	int stop_workers;
	int64_t budget;
	/* capture: written by a thread of its own */
	struct pcapw *pcap;
	struct capring *rings[RT_MAX_WORKERS];
	pthread_t cap_thread;
	bool cap_running;
	int cap_stop;
	int cap_err;
	uint64_t cap_seen, cap_written;
	char cap_path[4096];
	/* what others see of it (publish.c) */
	uint64_t published_ns;
	bool unpublished; /* the file could not be written, and that was said */
};

/**
 * rt_memory() - packet memory that a run takes on each NUMA node of its NICs
 * @o: of which @n_devs, @queues, @n_cpus and the ring sizes count
 * Return: bytes.
 */
size_t rt_memory(const struct rt_opts *o);

/**
 * rt_open() - claim devices, allocate memory, set up ports and workers
 * @rt: zeroed
 * @o: copied
 * Return: 0 or negative errno with a sentence; on failure nothing is left.
 */
int rt_open(struct rt *rt, const struct rt_opts *o);

/* Give workers something to do: @from to @to (-1: capture only), all queues, if both are there. */
int rt_route(struct rt *rt, unsigned from, int to, const uint8_t *dst_mac,
	     enum fwd_rewrite rewrite);

/* Do so again for a port that was taken out of the loops; the workers are paused. */
int rt_route_again(struct rt *rt, const struct weir_port *p);

/* Start ports and threads. Ports without a route stay as they are. */
int rt_start(struct rt *rt);

/**
 * rt_look_after() - serve vfio-user servers; see which ports failed or are asked back (leave.c)
 *
 * Such a port leaves the run: its queues leave the loops, it is stopped and closed, and the others
 * go on.
 */
void rt_look_after(struct rt *rt);

/* Take a port out of the loops and close it, for the reason p->leaving (leave.c). */
void rt_leave(struct rt *rt, struct rt_port *p);
/* Only out of the loops. Return: false if a worker does not come round; its queues may be in use. */
bool rt_out_of_loops(struct rt *rt, struct weir_port *p);

/**
 * rt_check() - see whether a port stands still, and reset it then (health.c)
 * @rt: run
 * @p: port that is there
 *
 * Looks a few times a second, however often it is called. A port that stands still is stopped, which
 * resets it, and started again, a few times; the other ports go on meanwhile.
 * Return: RT_FAILED if it should leave.
 */
enum rt_left rt_check(struct rt *rt, struct rt_port *p);

/**
 * rt_pause() - have all workers wait, so that ports, queues and caches may be touched (leave.c)
 * Return: false, and they go on, if one of them does not come round.
 */
bool rt_pause(struct rt *rt);
void rt_resume(struct rt *rt);

/* Whether any packet can still go anywhere (leave.c). */
bool rt_has_routes(const struct rt *rt);

/* Counters of one queue pair, also of a port that has left (leave.c). */
void rt_sides(const struct rt_port *p, unsigned q, struct rt_sides *s);

/* Ports that left for this reason. */
unsigned rt_left(const struct rt *rt, enum rt_left why);

/*
 * Looks after the ports. Whether the run should end: budget used up, no way left for packets, the
 * capture failed or is complete.
 */
bool rt_done(struct rt *rt);

/* Exit status of a run that ended with @err. */
int rt_status(const struct rt *rt, int err);

/* Stop threads, drain and stop ports, finish the capture. Counters stay readable. */
void rt_stop(struct rt *rt);

/* Release everything. Return: 0, or the first error of the run. */
int rt_close(struct rt *rt);

uint64_t rt_forwarded(const struct rt *rt);
uint64_t rt_capture_missed(const struct rt *rt);

#endif
