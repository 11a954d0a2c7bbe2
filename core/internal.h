/* SPDX-License-Identifier: BSD-3-Clause */
/* What core's own files share; not installed. */
#ifndef WEIR_CORE_INTERNAL_H
#define WEIR_CORE_INTERNAL_H

#include "core/arena.h"

struct weir_arena;
struct weir_port;

struct weir {
	weir_log_fn *log;
	void *log_arg;
	enum weir_log_level log_level;
	char *sysfs, *dev, *proc, *run;
	struct weir_window win;
	/* the whole reservation, of which win is the aligned part */
	void *resv;
	size_t resv_len;
	struct weir_arena *arenas; /* ascending by address */
	struct weir_arena_watch *watches;
	bool told_hugepages;
};

/* watch.c: a port is about to start; forget what weir_port_check() saw of its last run. */
void weir_port_watch_reset(struct weir_port *p);

#endif
