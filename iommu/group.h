/* SPDX-License-Identifier: BSD-3-Clause */
/* What the group backends share (group.c, group_probe.c, phys.c): one set of functions, rows of data. */
#ifndef WEIR_IOMMU_GROUP_H
#define WEIR_IOMMU_GROUP_H

#include <stdbool.h>
#include <stddef.h>

struct weir;
struct weir_iommu;
struct weir_ioas;
struct weir_backend;

/**
 * struct weir_group_kind - how the group backends differ
 * @container: what VFIO_GROUP_SET_CONTAINER is given, below /dev
 * @nodes: what nodes of groups are named before their number, below /dev
 * @type: for VFIO_CHECK_EXTENSION and VFIO_SET_IOMMU
 * @type_name: in messages
 * @no_container: what to do where @container is not there
 * @no_type: what to do where it does not know @type
 * @lasting: the container keeps its IOMMU and its mappings when the last group leaves
 * @physical: nothing translates: addresses are those of physical memory (phys.c)
 */
struct weir_group_kind {
	const char *container, *nodes;
	unsigned long type;
	const char *type_name, *no_container, *no_type;
	bool lasting, physical;
};

/* Members of a group that are bound to something other than VFIO, as text. Return: how many. */
unsigned weir_group_offenders(const char *sysdev, char *list, size_t size);

/* The open file of a group, or -1. */
int weir_group_fd(const struct weir_iommu *iommu, int id);

/* The probe op of all these backends. */
int weir_group_probe(const struct weir_backend *be, struct weir *w, const char *sysdev, char *why,
		     const char **id);

#endif
