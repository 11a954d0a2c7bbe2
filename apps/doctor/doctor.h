/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `weir doctor` finds: an observed fact, why it matters, what to do, and how to make that last.
 * Checks only look: they read sysfs, procfs and ask /dev/iommu which calls it knows. An id is that of
 * the error that the library would give for the same cause.
 */
#ifndef WEIR_APPS_DOCTOR_H
#define WEIR_APPS_DOCTOR_H

#include "apps/app.h"

#include <json-c/json.h>

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_NOTE, /* good to know */
	DOCTOR_WARN, /* works, but not as it could */
	DOCTOR_FAIL, /* does not work */
	DOCTOR_LEVELS,
};

/**
 * struct doctor_finding - what one check found
 * @id: stable name of the condition
 * @about: device, or "machine"
 * @fact: what was observed
 * @why: what follows from it, "" when the fact says it
 * @fix: command, "" if there is nothing to do
 * @keep: how to have it after the next boot too, or ""
 */
struct doctor_finding {
	const char *id;
	enum doctor_level level;
	char about[64];
	char fact[512];
	char why[512];
	char fix[384];
	char keep[384];
};

#define DOCTOR_NODES 16

/**
 * struct doctor - one examination
 * @w: handle; its roots are what is looked at
 * @about: goes into findings made now
 * @list: findings, @n of them
 * @wanted: bytes of packet memory that a run with @ports ports takes on each node
 * @nodes: NUMA nodes of the NICs, -1 among them for those without; @n_nodes of them
 * @ports: for the arithmetic above
 * @queues: likewise
 * @cdev: the machine can do cdev mode; @group: group mode
 */
struct doctor {
	struct weir *w;
	const char *about;
	struct doctor_finding *list;
	unsigned n;
	size_t wanted;
	int nodes[DOCTOR_NODES];
	unsigned n_nodes;
	unsigned ports, queues;
	bool cdev, group;
};

/* "ok", "note", "warn", "FAIL" */
const char *doctor_level_name(enum doctor_level level);

/*
 * Add a finding. The three that follow fill in the latest one. Without memory for it, findings end.
 */
void doctor_say(struct doctor *d, enum doctor_level level, const char *id, const char *fmt, ...)
	weir_printf(4, 5);
void doctor_why(struct doctor *d, const char *fmt, ...) weir_printf(2, 3);
void doctor_fix(struct doctor *d, const char *fmt, ...) weir_printf(2, 3);
void doctor_keep(struct doctor *d, const char *fmt, ...) weir_printf(2, 3);

/* --- checks of the machine --- */
void doctor_iommu(struct doctor *d);	/* firmware, kernel argument, groups, interrupt remapping */
void doctor_vfio(struct doctor *d);	/* modules, nodes, no-IOMMU; fills cdev and group */
void doctor_iommufd(struct doctor *d);	/* which calls this kernel's /dev/iommu knows */
void doctor_memory(struct doctor *d);	/* hugepages by node, locked memory */
void doctor_cpu(struct doctor *d);	/* time source, isolation, frequency */
void doctor_confined(struct doctor *d); /* containers, seccomp, read-only sysfs */

/* --- checks of a device --- */
void doctor_binding(struct doctor *d, const struct weir_pci_info *info);
void doctor_group(struct doctor *d, const struct weir_pci_info *info);
void doctor_modes(struct doctor *d, const char *name, const struct weir_mode_report *r,
		  bool could_bind);
void doctor_functions(struct doctor *d, const struct weir_pci_info *info); /* SR-IOV, reset */
void doctor_link(struct doctor *d, const struct weir_pci_info *info);
void doctor_node(struct doctor *d, const struct weir_pci_info *info);
void doctor_pasid(struct doctor *d, const struct weir_pci_info *info);

/* --- what they share --- */

/* Contents of a file below sysfs, "" if there is none. */
const char *doctor_sysfs(struct doctor *d, char *buf, size_t size, const char *fmt, ...)
	weir_printf(4, 5);
/* Whether a word stands in /proc/cmdline: "intel_iommu=off" also within "intel_iommu=on,off". */
bool doctor_cmdline(struct doctor *d, const char *key, const char *value);
/* The rest of the line in /proc/@file that begins with @key, "" if there is none. */
const char *doctor_proc(struct doctor *d, const char *file, const char *key, char *buf,
			size_t size);
/* Whether a capability (linux/capability.h) is in the effective set. */
bool doctor_capable(struct doctor *d, unsigned cap);

#endif
