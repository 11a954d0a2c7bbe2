/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/report.h"
#include "core/clock.h"

#include <json-c/json.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

enum {
	COL_PORT,
	COL_LINK,
	COL_RX,
	COL_RXB,
	COL_RXPPS,
	COL_RXBPS,
	COL_TX,
	COL_TXB,
	COL_TXPPS,
	COL_DROP
};

/* Widths that most numbers fit in, so that the live table does not jump. */
static const struct {
	const char *name;
	int flags;
	double width;
} columns[] = {
	[COL_PORT] = { "PORT", SCOLS_FL_TREE, 12 },
	[COL_LINK] = { "LINK", 0, 9 },
	[COL_RX] = { "RX-PKTS", SCOLS_FL_RIGHT, 8 },
	[COL_RXB] = { "RX-BYTES", SCOLS_FL_RIGHT, 8 },
	[COL_RXPPS] = { "RX/s", SCOLS_FL_RIGHT, 8 },
	[COL_RXBPS] = { "RX-bit/s", SCOLS_FL_RIGHT, 8 },
	[COL_TX] = { "TX-PKTS", SCOLS_FL_RIGHT, 8 },
	[COL_TXB] = { "TX-BYTES", SCOLS_FL_RIGHT, 8 },
	[COL_TXPPS] = { "TX/s", SCOLS_FL_RIGHT, 8 },
	[COL_DROP] = { "DROPS", 0, 12 },
};

struct report {
	const struct rt *rt;
	bool live;
	uint64_t began, last;
	struct rt_sides prev[RT_MAX_PORTS][WEIR_MAX_QUEUES];
	char link[RT_MAX_PORTS][16]; /* as last seen while the port ran */
};

int report_open(const struct rt *rt, bool live, struct report **out)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->rt = rt;
	r->live = live;
	r->began = r->last = weir_now_ns();
	*out = r;
	return 0;
}

void report_close(struct report *r)
{
	free(r);
}

static void sum(struct weir_qstats *to, const struct weir_qstats *s)
{
	to->packets += s->packets;
	to->bytes += s->bytes;
	to->calls += s->calls;
	to->empty += s->empty;
	to->kicks += s->kicks;
	for (unsigned i = 0; i < WEIR_DROP_MAX; i++)
		to->drops[i] += s->drops[i];
}

char *report_human(double v, char *out, size_t size)
{
	static const char unit[] = " kMGTP";
	unsigned u = 0;

	if (v < 10000) {
		snprintf(out, size, "%.0f", v);
		return out;
	}
	while (v >= 1000 && u < sizeof(unit) - 2) {
		v /= 1000;
		u++;
	}
	snprintf(out, size, v < 10 ? "%.2f %c" : v < 100 ? "%.1f %c" : "%.0f %c", v, unit[u]);
	return out;
}

static void set_num(struct libscols_line *l, unsigned col, double v)
{
	char text[32];

	scols_line_set_data(l, col, report_human(v, text, sizeof(text)));
}

static void drops_text(const struct rt_sides *s, char *out, size_t size)
{
	size_t n = 0;

	snprintf(out, size, "-");
	for (unsigned i = 0; i < WEIR_DROP_MAX && n < size; i++) {
		uint64_t d = s->rx.drops[i] + s->tx.drops[i];

		if (d)
			n += (size_t)snprintf(out + n, size - n, "%s%s:%llu", n ? " " : "",
					      weir_drop_name(i), (unsigned long long)d);
	}
}

static void fill(struct libscols_line *l, const char *name, const char *link,
		 const struct rt_sides *now, const struct rt_sides *was, double secs)
{
	char drops[160];

	scols_line_set_data(l, COL_PORT, name);
	scols_line_set_data(l, COL_LINK, link);
	set_num(l, COL_RX, (double)now->rx.packets);
	set_num(l, COL_RXB, (double)now->rx.bytes);
	set_num(l, COL_TX, (double)now->tx.packets);
	set_num(l, COL_TXB, (double)now->tx.bytes);
	set_num(l, COL_RXPPS, (double)(now->rx.packets - was->rx.packets) / secs);
	set_num(l, COL_RXBPS, (double)(now->rx.bytes - was->rx.bytes) * 8 / secs);
	set_num(l, COL_TXPPS, (double)(now->tx.packets - was->tx.packets) / secs);
	drops_text(now, drops, sizeof(drops));
	scols_line_set_data(l, COL_DROP, drops);
}

static void link_text(const struct rt_port *rp, char *out, size_t size)
{
	struct weir_port *p = rp->port;
	struct weir_link k;

	if (rp->left == RT_ASKED)
		snprintf(out, size, "given back");
	else if (!p || weir_port_failed(p))
		snprintf(out, size, "failed");
	else if (!p->ops->link || weir_port_link(p, &k))
		snprintf(out, size, "?");
	else if (!k.up)
		snprintf(out, size, "down");
	else if (k.mbps)
		snprintf(out, size, "%u Mb/s", k.mbps);
	else
		snprintf(out, size, "up");
}

static void add_port(struct report *r, struct libscols_table *t, unsigned i, double secs)
{
	const struct rt_port *p = &r->rt->ports[i];
	unsigned queues = r->rt->o.queues;
	struct rt_sides total = { 0 }, before = { 0 }, now[WEIR_MAX_QUEUES];
	struct libscols_line *line = scols_table_new_line(t, NULL);
	char name[24];

	for (unsigned q = 0; q < queues; q++) {
		rt_sides(p, q, &now[q]);
		sum(&total.rx, &now[q].rx);
		sum(&total.tx, &now[q].tx);
		sum(&before.rx, &r->prev[i][q].rx);
		sum(&before.tx, &r->prev[i][q].tx);
	}
	if (!p->port || p->port->state == WEIR_PORT_RUNNING)
		link_text(p, r->link[i], sizeof(r->link[i]));
	fill(line, p->name, r->link[i], &total, &before, secs);
	for (unsigned q = 0; q < queues; q++) {
		if (queues > 1) {
			snprintf(name, sizeof(name), "queue %u", q);
			fill(scols_table_new_line(t, line), name, "", &now[q], &r->prev[i][q],
			     secs);
		}
		r->prev[i][q] = now[q];
	}
}

static struct libscols_table *new_table(void)
{
	struct libscols_table *t = scols_new_table();

	for (unsigned c = 0; t && c < WEIR_ARRAY_SIZE(columns); c++)
		scols_table_new_column(t, columns[c].name, columns[c].width, columns[c].flags);
	return t;
}

void report_links(struct report *r)
{
	for (unsigned i = 0; i < r->rt->n_ports; i++)
		link_text(&r->rt->ports[i], r->link[i], sizeof(r->link[i]));
}

/* Over what the screen shows: line by line, each cleared behind its end, then all below. No flicker. */
static void put_screen(FILE *to, const char *text)
{
	fputs("\033[H", to);
	for (const char *end; (end = strchr(text, '\n')); text = end + 1)
		fprintf(to, "%.*s\033[K\n", (int)(end - text), text);
	fprintf(to, "%s\033[J", text);
}

void report_tick(struct report *r, FILE *to)
{
	uint64_t now = weir_now_ns();
	double secs = (double)(now - r->last) / 1e9;
	struct libscols_table *t = new_table();
	char *text = NULL, *all;

	if (!t)
		return;
	for (unsigned i = 0; i < r->rt->n_ports; i++)
		add_port(r, t, i, secs > 0 ? secs : 1);
	r->last = now;
	scols_table_enable_ascii(t, 1);
	if (!scols_print_table_to_string(t, &text) && text &&
	    asprintf(&all, "weir: %llu packets forwarded in %.1f s\n%s\n",
		     (unsigned long long)rt_forwarded(r->rt), (double)(now - r->began) / 1e9,
		     text) > 0) {
		if (r->live)
			put_screen(to, all);
		else
			fputs(all, to);
		fflush(to);
		free(all);
	}
	free(text);
	scols_unref_table(t);
}

/* --- JSON --- */

static json_object *num(uint64_t v)
{
	return json_object_new_uint64(v);
}

static json_object *side_json(const struct weir_qstats *s)
{
	json_object *o = json_object_new_object(), *d = json_object_new_object();

	json_object_object_add(o, "packets", num(s->packets));
	json_object_object_add(o, "bytes", num(s->bytes));
	json_object_object_add(o, "calls", num(s->calls));
	json_object_object_add(o, "empty", num(s->empty));
	json_object_object_add(o, "kicks", num(s->kicks));
	for (unsigned i = 0; i < WEIR_DROP_MAX; i++)
		json_object_object_add(d, weir_drop_name(i), num(s->drops[i]));
	json_object_object_add(o, "drops", d);
	return o;
}

static json_object *xstats_json(struct weir_port *p)
{
	json_object *o = json_object_new_object();
	struct weir_xstat x[256];
	int n = weir_port_xstats(p, x, WEIR_ARRAY_SIZE(x));

	for (int i = 0; i < n && i < (int)WEIR_ARRAY_SIZE(x); i++)
		json_object_object_add(o, x[i].name, num(x[i].value));
	return o;
}

static void mode_json(json_object *o, struct weir_port *p)
{
	struct weir_pci *d = weir_port_pci(p);
	const struct weir_mode_report *r;
	enum weir_mode m;

	if (!d)
		return;
	m = weir_iodev_mode(weir_pci_iodev(d));
	r = weir_iodev_report(weir_pci_iodev(d));
	json_object_object_add(o, "mode", json_object_new_string(weir_mode_name(m)));
	for (unsigned i = WEIR_MODE_AUTO + 1; i < m; i++) {
		char key[32];

		if (r->usable[i] && !*r->why[i])
			continue;
		snprintf(key, sizeof(key), "not_%s_because", weir_mode_name(i));
		json_object_object_add(
			o, key,
			json_object_new_string(r->usable[i] ? r->why[i] : "another was asked for"));
	}
}

static json_object *port_json(const struct rt_port *rp, unsigned queues)
{
	json_object *o = json_object_new_object(), *qs = json_object_new_array();
	struct weir_port *p = rp->port;
	bool failed = p ? weir_port_failed(p) : rp->left == RT_FAILED;
	struct rt_sides total = { 0 }, s;
	uint8_t mac[6];
	char text[24];

	json_object_object_add(o, "device", json_object_new_string(rp->name));
	json_object_object_add(o, "driver", json_object_new_string(rp->caps.driver));
	if (p)
		mode_json(o, p);
	if (p && p->ops->mac_get && !weir_port_mac_get(p, mac)) {
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
			 mac[2], mac[3], mac[4], mac[5]);
		json_object_object_add(o, "mac", json_object_new_string(text));
	}
	json_object_object_add(o, "failed", json_object_new_boolean(failed));
	json_object_object_add(o, "restarts", num(rp->health.restarts));
	json_object_object_add(o, "given_back", json_object_new_boolean(rp->left == RT_ASKED));
	for (unsigned q = 0; q < queues; q++) {
		json_object *qo = json_object_new_object();

		rt_sides(rp, q, &s);
		sum(&total.rx, &s.rx);
		sum(&total.tx, &s.tx);
		json_object_object_add(qo, "rx", side_json(&s.rx));
		json_object_object_add(qo, "tx", side_json(&s.tx));
		json_object_array_add(qs, qo);
	}
	json_object_object_add(o, "rx", side_json(&total.rx));
	json_object_object_add(o, "tx", side_json(&total.tx));
	json_object_object_add(o, "queues", qs);
	if (p)
		json_object_object_add(o, "hardware", xstats_json(p));
	return o;
}

static void final_json(struct report *r, double secs)
{
	json_object *o = json_object_new_object(), *ports = json_object_new_array();
	const struct rt *rt = r->rt;
	uint64_t sleeps = 0;

	for (unsigned i = 0; i < rt->n_workers; i++)
		sleeps += rt->workers[i]->sleeps;
	json_object_object_add(o, "seconds", json_object_new_double(secs));
	json_object_object_add(o, "forwarded", num(rt_forwarded(rt)));
	json_object_object_add(o, "workers", num(rt->n_workers));
	json_object_object_add(o, "sleeps", num(sleeps));
	for (unsigned i = 0; i < rt->n_ports; i++)
		json_object_array_add(ports, port_json(&rt->ports[i], rt->o.queues));
	json_object_object_add(o, "ports", ports);
	if (rt->o.capture) {
		json_object *c = json_object_new_object();

		json_object_object_add(c, "file", json_object_new_string(rt->cap_path));
		json_object_object_add(c, "written", num(rt->cap_written));
		json_object_object_add(c, "missed", num(rt_capture_missed(rt)));
		json_object_object_add(o, "capture", c);
	}
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static void final_text(struct report *r)
{
	const struct rt *rt = r->rt;

	/* Rates of the whole run, this time. */
	r->live = false;
	r->last = r->began;
	memset(r->prev, 0, sizeof(r->prev));
	printf("\n");
	report_tick(r, stdout);
	for (unsigned i = 0; i < rt->n_ports; i++) {
		const struct rt_port *p = &rt->ports[i];

		if (p->mode != WEIR_MODE_AUTO)
			printf("%s: driver %s, %s mode\n", p->name, p->caps.driver,
			       weir_mode_name(p->mode));
		if (p->health.restarts)
			printf("%s: reset and started again %u time%s\n", p->name,
			       p->health.restarts, p->health.restarts == 1 ? "" : "s");
	}
	if (rt->o.capture)
		printf("%llu packets captured to %s, %llu missed\n",
		       (unsigned long long)rt->cap_written, rt->cap_path,
		       (unsigned long long)rt_capture_missed(rt));
}

void report_final(struct report *r, bool json)
{
	double secs = (double)(weir_now_ns() - r->began) / 1e9;

	if (json)
		final_json(r, secs);
	else
		final_text(r);
	fflush(stdout);
}
