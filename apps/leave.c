/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port leaves the run, and the others go on: because the kernel wants the device back and waits
 * for it, or because the device failed. Its queues are taken out of the workers' loops first; then
 * they get a cache of this thread, because stopping a port puts its buffers there.
 */
#include "apps/publish.h"
#include "core/clock.h"

/* A worker that sleeps wakes within a tenth of a second; emulation may need longer. */
#define LEAVE_US 5000000

bool rt_has_routes(const struct rt *rt)
{
	for (unsigned i = 0; i < rt->n_workers; i++)
		if (__atomic_load_n(&rt->workers[i]->n_routes, __ATOMIC_RELAXED))
			return true;
	return false;
}

unsigned rt_left(const struct rt *rt, enum rt_left why)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rt->n_ports; i++)
		n += rt->ports[i].left == why;
	return n;
}

void rt_sides(const struct rt_port *p, unsigned q, struct rt_sides *s)
{
	*s = p->last[q];
	if (!p->port)
		return;
	if (p->port->rxq[q])
		weir_qstats_read(&p->port->rxq[q]->stats, &s->rx);
	if (p->port->txq[q])
		weir_qstats_read(&p->port->txq[q]->stats, &s->tx);
}

/* Until all workers have answered. */
static bool wait_workers(struct rt *rt, bool (*done)(const struct fwd_worker *w))
{
	struct weir_deadline d = weir_deadline_us(LEAVE_US);

	for (unsigned i = 0; i < rt->n_running; i++)
		while (!done(rt->workers[i])) {
			if (weir_deadline_passed(d))
				return false;
			weir_sleep_us(100);
		}
	return true;
}

bool rt_pause(struct rt *rt)
{
	/* A worker that was too late for an earlier question may not be asked another. */
	if (!wait_workers(rt, fwd_left))
		return false;
	for (unsigned i = 0; i < rt->n_running; i++)
		fwd_pause(rt->workers[i]);
	if (wait_workers(rt, fwd_paused))
		return true;
	rt_resume(rt);
	return false;
}

void rt_resume(struct rt *rt)
{
	for (unsigned i = 0; i < rt->n_running; i++)
		fwd_resume(rt->workers[i]);
}

bool rt_out_of_loops(struct rt *rt, struct weir_port *p)
{
	if (!wait_workers(rt, fwd_left))
		return false;
	for (unsigned i = 0; i < rt->n_running; i++)
		fwd_leave(rt->workers[i], p);
	/* Before the run there are workers already, but no threads. */
	for (unsigned i = rt->n_running; i < rt->n_workers; i++)
		fwd_take_out(rt->workers[i], p);
	return wait_workers(rt, fwd_left);
}

static void close_port(struct rt *rt, struct rt_port *p)
{
	for (unsigned q = 0; q < rt->o.queues; q++)
		weir_port_queue_cache(p->port, q, rt->spare);
	for (unsigned q = 0; q < rt->o.queues; q++)
		rt_sides(p, q, &p->last[q]);
	weir_port_close(p->port);
	p->port = NULL;
}

void rt_leave(struct rt *rt, struct rt_port *p)
{
	uint64_t began = weir_now_ns();
	unsigned here;

	if (p->gone || p->leaving == RT_FAILED)
		weir_port_set_failed(p->port);
	if (!rt_out_of_loops(rt, p->port)) {
		weir_warn(rt->w, "%s: a worker does not leave its queues; trying again", p->name);
		return;
	}
	p->left = p->leaving;
	close_port(rt, p);
	publish_update(rt);
	here = rt_left(rt, RT_HERE);
	weir_warn(rt->w, "%s left the run and was closed within %llu ms; %u port%s left", p->name,
		  (unsigned long long)((weir_now_ns() - began) / 1000000), here,
		  here == 1 ? " is" : "s are");
}

/* What is wanted of a device, or befell it. */
static enum rt_left look_at(struct rt *rt, struct rt_port *p)
{
	struct weir_pci *d = weir_port_pci(p->port);
	unsigned events = d ? weir_pci_events(d) : 0;

	/*
	 * A vfio-user server that ends leaves rings in which nothing moves: only its socket tells.
	 * And one that has not mapped memory wants its requests served.
	 */
	if (d && !p->gone && weir_iodev_service(weir_pci_iodev(d)))
		p->gone = true;
	if (!p->gone)
		weir_port_service(p->port);
	if (events & WEIR_PCI_EVENT_REQUEST) {
		weir_log(rt->w, WEIR_LOG_WARN, "device-request",
			 "%s is asked back: it is being unbound, removed or unplugged", p->name);
		return RT_ASKED;
	}
	if (events & WEIR_PCI_EVENT_ERROR)
		weir_log(rt->w, WEIR_LOG_ERR, "device-error",
			 "%s: the bus reports an error that was not corrected (AER); see the "
			 "kernel's log",
			 p->name);
	if (events & WEIR_PCI_EVENT_FAULT)
		weir_log(rt->w, WEIR_LOG_ERR, "device-gone",
			 "%s: touching its registers is a fault: it has vanished, or its memory "
			 "decoding was turned off",
			 p->name);
	if (events & (WEIR_PCI_EVENT_ERROR | WEIR_PCI_EVENT_FAULT) || p->gone ||
	    weir_port_failed(p->port))
		return RT_FAILED;
	return rt_check(rt, p);
}

void rt_look_after(struct rt *rt)
{
	for (unsigned i = 0; i < rt->n_ports; i++) {
		struct rt_port *p = &rt->ports[i];

		if (!p->port)
			continue;
		if (p->leaving == RT_HERE)
			p->leaving = look_at(rt, p);
		if (p->leaving != RT_HERE)
			rt_leave(rt, p);
	}
}
