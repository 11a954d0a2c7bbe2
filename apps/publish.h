/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a run has, for others to see: its devices, their address spaces and what is mapped there, and
 * its ports' counters, as JSON in weir_run()/PID.json. `weir list --tree` and `weir top` read it.
 */
#ifndef WEIR_APPS_PUBLISH_H
#define WEIR_APPS_PUBLISH_H

#include "apps/runtime.h"

#include <json-c/json.h>

/**
 * publish_update() - write or rewrite the file; control thread
 *
 * Call it when ports have started, and again when a port has come or gone. A folder that may not be
 * written is no reason to stop: the run is not shown then.
 */
void publish_update(struct rt *rt);

/* The same twice a second, for the counters; call it often. */
void publish_tick(struct rt *rt);

/* Remove the file. */
void publish_end(struct rt *rt);

/**
 * publish_read() - what living processes have published
 * @w: handle
 * @out: array of their objects by ascending process id; json_object_put() it
 *
 * A file is of a living process when that has the id and the start time in it; others of the same
 * PID namespace are removed. Files of other namespaces are passed over.
 * Return: 0 or -ENOMEM.
 */
int publish_read(struct weir *w, json_object **out);

#endif
