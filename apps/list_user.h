/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of `weir list` that asks vfio-user servers. */
#ifndef WEIR_APPS_LIST_USER_H
#define WEIR_APPS_LIST_USER_H

#include "apps/app.h"

#include <json-c/json.h>

/* Each mode that is made for such a device: usable, or the reason and its id. */
json_object *list_modes_json(const struct weir_mode_report *r);

/**
 * list_user() - look at a server's device, without resetting or changing it
 * @dev: "vfio-user:PATH"
 * @into: array that the facts are added to; NULL prints them
 * Return: 0, or negative errno; what went wrong has been said.
 */
int list_user(struct weir *w, const char *dev, json_object *into);

#endif
