/* SPDX-License-Identifier: BSD-3-Clause */
/* The part of `weir list` that shows who has which address spaces. */
#ifndef WEIR_APPS_LIST_TREE_H
#define WEIR_APPS_LIST_TREE_H

#include "apps/app.h"

/**
 * list_tree() - running processes, their devices, address spaces and mappings; and free NICs
 * @json: as JSON
 * Return: exit status.
 */
int list_tree(struct weir *w, bool json);

#endif
