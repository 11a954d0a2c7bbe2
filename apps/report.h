/* SPDX-License-Identifier: BSD-3-Clause */
/* What a run shows of itself: the live table, the summary, the same as JSON. */
#ifndef WEIR_APPS_REPORT_H
#define WEIR_APPS_REPORT_H

#include "apps/runtime.h"

struct report;

/* 1234567 as "1.23 M"; below ten thousand as it is. */
char *report_human(double v, char *out, size_t size);

/* @live: repaint one screen; otherwise print lines. */
int report_open(const struct rt *rt, bool live, struct report **out);
void report_close(struct report *r);

/* Print the state now to @to; rates are since the last call. */
void report_tick(struct report *r, FILE *to);

/* Remember the links' states for the summary, before the ports are stopped. */
void report_links(struct report *r);

/* The summary at the end, as text or JSON, on stdout. */
void report_final(struct report *r, bool json);

#endif
