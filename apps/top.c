/* SPDX-License-Identifier: BSD-3-Clause */
/* `weir top`: counters of all running processes, by what they publish. */
#include "apps/publish.h"
#include "apps/report.h"
#include "core/clock.h"

#include <getopt.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <unistd.h>

enum { COL_PORT, COL_RX, COL_RXPPS, COL_RXBPS, COL_TX, COL_TXPPS, COL_TXBPS, COL_DROPS };

static const struct {
	const char *name;
	int flags;
	double width;
} columns[] = {
	[COL_PORT] = { "PORT", SCOLS_FL_TREE, 24 },
	[COL_RX] = { "RX-PKTS", SCOLS_FL_RIGHT, 8 },
	[COL_RXPPS] = { "RX/s", SCOLS_FL_RIGHT, 8 },
	[COL_RXBPS] = { "RX-bit/s", SCOLS_FL_RIGHT, 8 },
	[COL_TX] = { "TX-PKTS", SCOLS_FL_RIGHT, 8 },
	[COL_TXPPS] = { "TX/s", SCOLS_FL_RIGHT, 8 },
	[COL_TXBPS] = { "TX-bit/s", SCOLS_FL_RIGHT, 8 },
	[COL_DROPS] = { "DROPS", 0, 12 },
};

static json_object *get(json_object *o, const char *key)
{
	json_object *e = NULL;

	return json_object_object_get_ex(o, key, &e) ? e : NULL;
}

static uint64_t num(json_object *o, const char *a, const char *b)
{
	return json_object_get_uint64(b ? get(get(o, a), b) : get(o, a));
}

/* The same process in an earlier look, or NULL. */
static json_object *same(json_object *before, json_object *p)
{
	for (size_t i = 0; before && i < json_object_array_length(before); i++) {
		json_object *q = json_object_array_get_idx(before, i);

		if (num(q, "pid", NULL) == num(p, "pid", NULL) &&
		    num(q, "start", NULL) == num(p, "start", NULL))
			return q;
	}
	return NULL;
}

static json_object *port_at(json_object *process, size_t i)
{
	json_object *ports = get(process, "ports");

	return json_object_is_type(ports, json_type_array) ? json_object_array_get_idx(ports, i)
							   : NULL;
}

static void put(struct libscols_line *l, unsigned col, double v)
{
	char text[32];

	scols_line_set_data(l, col, report_human(v, text, sizeof(text)));
}

/* A counter's growth by second; none where it went back, or time did not pass. */
static double rate(json_object *now, json_object *was, const char *side, const char *what,
		   double secs)
{
	uint64_t a = num(was, side, what), b = num(now, side, what);

	return secs > 0 && b > a ? (double)(b - a) / secs : 0;
}

static void drops(struct libscols_line *l, json_object *port)
{
	json_object *d = get(port, "drops");
	char text[160] = "-";
	size_t n = 0;

	if (!json_object_is_type(d, json_type_object))
		return;
	json_object_object_foreach(d, reason, count)
	{
		if (n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%s", n ? " " : "",
					      reason, json_object_get_string(count));
	}
	scols_line_set_data(l, COL_DROPS, text);
}

static void add_port(struct libscols_line *l, json_object *now, json_object *was, double secs)
{
	put(l, COL_RX, (double)num(now, "rx", "packets"));
	put(l, COL_TX, (double)num(now, "tx", "packets"));
	if (was) {
		put(l, COL_RXPPS, rate(now, was, "rx", "packets", secs));
		put(l, COL_RXBPS, rate(now, was, "rx", "bytes", secs) * 8);
		put(l, COL_TXPPS, rate(now, was, "tx", "packets", secs));
		put(l, COL_TXBPS, rate(now, was, "tx", "bytes", secs) * 8);
	}
	drops(l, now);
}

static void add_process(struct libscols_table *t, json_object *p, json_object *was)
{
	struct libscols_line *parent = scols_table_new_line(t, NULL), *l;
	double secs = 0;
	char text[160];

	if (!parent)
		return;
	snprintf(text, sizeof(text), "process %llu", (unsigned long long)num(p, "pid", NULL));
	scols_line_set_data(parent, COL_PORT, text);
	if (was && num(p, "time_ns", NULL) > num(was, "time_ns", NULL))
		secs = (double)(num(p, "time_ns", NULL) - num(was, "time_ns", NULL)) / 1e9;
	for (size_t i = 0; port_at(p, i); i++) {
		json_object *port = port_at(p, i);

		l = scols_table_new_line(t, parent);
		if (!l)
			return;
		snprintf(text, sizeof(text), "%.120s%s", json_object_get_string(get(port, "name")),
			 json_object_get_boolean(get(port, "here")) ? "" : " (left)");
		scols_line_set_data(l, COL_PORT, text);
		add_port(l, port, port_at(was, i), secs);
	}
}

static void print(json_object *now, json_object *before, bool live)
{
	struct libscols_table *t = scols_new_table();
	char *text = NULL;

	for (unsigned c = 0; t && c < WEIR_ARRAY_SIZE(columns); c++)
		scols_table_new_column(t, columns[c].name, columns[c].width, columns[c].flags);
	for (size_t i = 0; t && i < json_object_array_length(now); i++)
		add_process(t, json_object_array_get_idx(now, i),
			    same(before, json_object_array_get_idx(now, i)));
	if (t)
		scols_table_enable_ascii(t, 1);
	if (live)
		printf("\033[H\033[J");
	if (!json_object_array_length(now))
		printf("no process of weir runs here\n");
	else if (t && !scols_print_table_to_string(t, &text) && text)
		printf("%s\n", text);
	fflush(stdout);
	free(text);
	scols_unref_table(t);
}

/*
 * A look that finds nothing newer than the one before, since it came too soon, keeps that for the
 * rates: they do not fall to 0 in between.
 */
static bool newer(json_object *now, json_object *before)
{
	for (size_t i = 0; i < json_object_array_length(now); i++) {
		json_object *p = json_object_array_get_idx(now, i), *was = same(before, p);

		if (!was || num(p, "time_ns", NULL) != num(was, "time_ns", NULL))
			return true;
	}
	return json_object_array_length(now) != json_object_array_length(before);
}

static void nap(uint64_t seconds)
{
	uint64_t end = weir_now_ns() + seconds * 1000000000ull;

	while (!app_stop && weir_now_ns() < end)
		weir_sleep_us(50000);
}

static int watch(struct weir *w, uint64_t interval, uint64_t times)
{
	bool live = isatty(STDOUT_FILENO) && times != 1;
	json_object *now = NULL, *latest = NULL, *before = NULL;

	for (uint64_t i = 0; !app_stop && !ferror(stdout) && (!times || i < times); i++) {
		if (i)
			nap(interval);
		if (publish_read(w, &now))
			break;
		if (!latest || newer(now, latest)) {
			json_object_put(before);
			before = latest;
			latest = now;
		} else {
			json_object_put(now);
		}
		print(latest, before, live);
	}
	json_object_put(before);
	json_object_put(latest);
	return APP_OK;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t interval = 1, times = 0;
	struct weir *w;
	int c, status;

	while ((c = getopt_long(argc, argv, "i:n:h", opts, NULL)) != -1) {
		if (c == 'h')
			return app_help(&cmd_top, stdout);
		if (c != 'i' && c != 'n')
			return app_usage(&cmd_top, "see the options.");
		if (!app_number(&cmd_top, c == 'i' ? "--interval" : "--count", optarg, 1, 86400,
				c == 'i' ? &interval : &times))
			return APP_USAGE;
	}
	if (optind < argc)
		return app_usage(&cmd_top, "it takes no device.");
	if (app_open(0, &w))
		return APP_FAIL;
	app_catch_signals();
	status = watch(w, interval, times);
	weir_close(w);
	return status;
}

const struct app_cmd cmd_top = {
	.name = "top",
	.args = "[OPTIONS]",
	.summary = "show the counters of all running processes",
	.help = "  -i, --interval S  look every S seconds (default 1)\n"
		"  -n, --count N     look N times, then end\n"
		"\n"
		"On a terminal one table is repainted; elsewhere each look prints one.\n",
	.run = run,
};
