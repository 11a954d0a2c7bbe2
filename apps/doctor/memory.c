/* SPDX-License-Identifier: BSD-3-Clause */
/* Is there memory for packets, near the NICs, and may it be locked? */
#include "apps/doctor/doctor.h"
#include "core/file.h"

#include <linux/capability.h>
#include <stdlib.h>

struct huge {
	size_t page;   /* bytes */
	uint64_t want; /* pages, per node */
};

static uint64_t pages(struct doctor *d, const struct huge *h, int node, const char *what)
{
	char text[32];

	if (node >= 0)
		doctor_sysfs(d, text, sizeof(text),
			     "devices/system/node/node%d/hugepages/hugepages-%zukB/%s_hugepages",
			     node, h->page >> 10, what);
	else
		doctor_sysfs(d, text, sizeof(text),
			     "kernel/mm/hugepages/hugepages-%zukB/%s_hugepages", h->page >> 10,
			     what);
	return strtoull(text, NULL, 10);
}

/* On one node, or anywhere (-1). */
static void hugepages_on(struct doctor *d, const struct huge *h, int node)
{
	uint64_t free_now = pages(d, h, node, "free"), have = pages(d, h, node, "nr");
	unsigned long long want = h->want, more = want > free_now ? want - free_now : 0;
	char where[32] = "", size[64] = "";

	if (node >= 0)
		snprintf(where, sizeof(where), " on NUMA node %d", node);
	snprintf(size, sizeof(size), "hugepages of %zu KiB", h->page >> 10);
	doctor_say(d, more ? DOCTOR_WARN : DOCTOR_OK, "hugepages",
		   "%s%s: %llu wanted (%u ports, %u queue%s), %llu free of %llu", size, where, want,
		   d->ports, d->queues, d->queues == 1 ? "" : "s", (unsigned long long)free_now,
		   (unsigned long long)have);
	if (!more)
		return;
	doctor_why(d, "ordinary pages are taken instead: slower, and more entries for the IOMMU");
	if (node >= 0) {
		doctor_fix(d,
			   "echo %llu > /sys/devices/system/node/node%d/hugepages/"
			   "hugepages-%zukB/nr_hugepages",
			   (unsigned long long)have + more, node, h->page >> 10);
		doctor_keep(d, "kernel argument hugepagesz=%zuK hugepages=%d:%llu (Linux 5.15)",
			    h->page >> 10, node, (unsigned long long)have + more);
		return;
	}
	doctor_fix(d,
		   "hugeadm --pool-pages-min %zuKB:%llu (package libhugetlbfs-bin), or sysctl "
		   "vm.nr_hugepages=%llu",
		   h->page >> 10, (unsigned long long)have + more, (unsigned long long)have + more);
	doctor_keep(d, "echo vm.nr_hugepages=%llu > /etc/sysctl.d/60-weir.conf",
		    (unsigned long long)have + more);
}

static void hugepages(struct doctor *d)
{
	struct huge h = { 0 };
	char text[64];

	doctor_proc(d, "meminfo", "Hugepagesize:", text, sizeof(text));
	h.page = (size_t)strtoull(text, NULL, 10) << 10;
	if (!h.page) {
		doctor_say(d, DOCTOR_WARN, "hugepages", "the kernel has no hugepages");
		doctor_why(d, "ordinary pages are taken instead: slower, and more entries for the "
			      "IOMMU");
		doctor_fix(d, "a kernel with CONFIG_HUGETLBFS=y");
		return;
	}
	h.want = (d->wanted + h.page - 1) / h.page;
	for (unsigned i = 0; i < d->n_nodes; i++)
		hugepages_on(d, &h, d->nodes[i]);
	if (!d->n_nodes)
		hugepages_on(d, &h, -1);
}

static void memlock(struct doctor *d)
{
	unsigned long long need = d->wanted * (d->n_nodes ? d->n_nodes : 1), limit;
	char text[128];

	/* Arenas are whole hugepages. */
	need = WEIR_ALIGN_UP(need, 2u << 20) >> 10;
	if (doctor_capable(d, CAP_IPC_LOCK)) {
		doctor_say(d, DOCTOR_OK, "memlock",
			   "%llu KiB will be locked; with CAP_IPC_LOCK no limit applies", need);
		return;
	}
	if (!*doctor_proc(d, "self/limits", "Max locked memory", text, sizeof(text)))
		return;
	limit = strtoull(text, NULL, 10) >> 10;
	if (!strncmp(text, "unlimited", 9)) {
		doctor_say(d, DOCTOR_OK, "memlock", "%llu KiB will be locked; there is no limit",
			   need);
		return;
	}
	doctor_say(d, need <= limit ? DOCTOR_OK : DOCTOR_FAIL, "memlock",
		   "%llu KiB will be locked, the limit is %llu KiB", need, limit);
	if (need <= limit)
		return;
	doctor_why(
		d,
		"what a device reaches may not be swapped out, and counts against RLIMIT_MEMLOCK");
	doctor_fix(d, "ulimit -l %llu (as root, before starting), or run with CAP_IPC_LOCK", need);
	doctor_keep(d,
		    "in the service: LimitMEMLOCK=%lluK; for logins, "
		    "/etc/security/limits.d/weir.conf: @weir - memlock %llu",
		    need, need);
}

void doctor_memory(struct doctor *d)
{
	hugepages(d);
	memlock(d);
}
