/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WEIR_APPS_NICSIM_SUMMARY_H
#define WEIR_APPS_NICSIM_SUMMARY_H

#include "apps/nicsim/vuser.h"
#include "apps/nicsim/wire.h"

#include <stdio.h>

/* What has happened so far, in a line. */
void summary_line(const struct vu *v, FILE *to);

/* What has happened, as text or JSON. Return: the wire, to be closed. */
struct wire *summary_print(struct vu *v, bool json, FILE *to);

#endif
