/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port that stands still is reset. Only its own queues leave the loops for that, so the others
 * lose nothing; what was in its rings is lost. One that needs that again and again is given up.
 */
#include "apps/runtime.h"
#include "core/clock.h"

#define CHECK_NS  200000000ull
#define LINK_NS	  1000000000ull
#define MAX_TRIES 3
/* A restart after which the port did its work for so long has helped. */
#define LASTING_NS 60000000000ull

static void caches_of(struct rt *rt, struct weir_port *p, struct weir_cache *c)
{
	for (unsigned q = 0; q < rt->o.queues; q++)
		weir_port_queue_cache(p, q, c);
}

/*
 * Back into the loops. The workers wait for that, but not longer than it takes to write a few
 * lines of a table; a port that does not get there leaves at the next look.
 */
static int back_into_loops(struct rt *rt, struct weir_port *p)
{
	int err = rt_pause(rt) ? rt_route_again(rt, p) : -EBUSY;

	rt_resume(rt);
	return err;
}

static int restart(struct rt *rt, struct rt_port *p)
{
	int err;

	if (!rt_out_of_loops(rt, p->port))
		return -EBUSY;
	caches_of(rt, p->port, rt->spare);
	weir_port_stop(p->port);
	err = weir_port_start(p->port);
	return err ? err : back_into_loops(rt, p->port);
}

static enum rt_left stands_still(struct rt *rt, struct rt_port *p)
{
	struct rt_health *h = &p->health;
	uint64_t began = weir_now_ns();
	int err;

	if (h->restarted && began - h->restarted > LASTING_NS)
		h->tries = 0;
	if (h->tries == MAX_TRIES) {
		weir_log(rt->w, WEIR_LOG_ERR, "port-stopped",
			 "%s: was reset %u times and stands still again; it is stopped", p->name,
			 h->tries);
		return RT_FAILED;
	}
	h->tries++;
	h->restarts++;
	err = restart(rt, p);
	h->restarted = weir_now_ns();
	if (err) {
		weir_log(rt->w, WEIR_LOG_ERR, "port-stopped",
			 "%s: does not start again after a reset (%s); it is stopped", p->name,
			 weir_strerror(err));
		return RT_FAILED;
	}
	weir_log(rt->w, WEIR_LOG_WARN, "port-restarted",
		 "%s: was reset and works again after %llu ms; what was in its rings is lost",
		 p->name, (unsigned long long)((h->restarted - began) / 1000000));
	return RT_HERE;
}

/* Links take a while to come up; one that is down at the second look is worth a word. */
static void see_link(struct rt *rt, struct rt_port *p, uint64_t now)
{
	struct rt_health *h = &p->health;
	struct weir_link k;
	int was = h->link;

	if (!p->port->ops->link || now - h->link_checked < LINK_NS)
		return;
	if (!h->link_checked) {
		h->link_checked = now;
		return;
	}
	h->link_checked = now;
	if (weir_port_link(p->port, &k))
		return;
	h->link = k.up ? 1 : -1;
	if (h->link == was)
		return;
	if (!k.up)
		weir_log(rt->w, WEIR_LOG_WARN, "link-down", "%s: has no link", p->name);
	else if (was)
		weir_log(rt->w, WEIR_LOG_WARN, "link-up", "%s: has a link again, %u Mb/s", p->name,
			 k.mbps);
}

enum rt_left rt_check(struct rt *rt, struct rt_port *p)
{
	uint64_t now = weir_now_ns();
	int err;

	if (now - p->health.checked < CHECK_NS || p->port->state != WEIR_PORT_RUNNING)
		return RT_HERE;
	p->health.checked = now;
	err = weir_port_check(p->port);
	if (err == -EIO)
		return stands_still(rt, p);
	if (err)
		return RT_FAILED;
	see_link(rt, p, now);
	return weir_port_failed(p->port) ? RT_FAILED : RT_HERE;
}
