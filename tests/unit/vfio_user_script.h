/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a driver does with a device, from opening to closing, in one call: whatever the server does
 * meanwhile, it must come to an end in time and leave nothing behind.
 */
#ifndef WEIR_TESTS_VFIO_USER_SCRIPT_H
#define WEIR_TESTS_VFIO_USER_SCRIPT_H

#include "fake_vfio_user.h"

#include "core/clock.h"
#include "pci/pci.h"

struct script {
	struct vus *s;
	unsigned timeout_ms;
	unsigned fds, maps;
	uint64_t start;
	void (*arm)(bool on); /* called around what the client does */
	/* result */
	unsigned ms;	 /* how long it took */
	unsigned n_msgs; /* that the server had got when only closing was left */
};

static inline int script_registers(struct weir_pci *d)
{
	struct weir_bar bar;
	uint32_t v;
	int err = weir_pci_reg_read32(d, 0, 8, &v);

	if (!err && v != VUS_MAGIC)
		err = -EBADMSG;
	if (!err)
		err = weir_pci_reg_write32(d, 0, 16, 1);
	if (!err)
		err = weir_pci_bar(d, 0, &bar);
	/* Whatever the server claims: what is said to be mapped can be touched. */
	for (uint64_t at = 0; !err && at < bar.size && at < 1 << 20; at += 4096)
		if (weir_bar_ok(d, 0, at, 4))
			((volatile uint32_t *)bar.va)[at / 4] = 1;
	return err;
}

static inline int script_memory(struct weir_pci *d, struct weir_arena *a)
{
	struct weir_ioas *as = weir_iodev_ioas(weir_pci_iodev(d));
	struct weir_arena_info i = weir_arena_info(a);
	int err = weir_ioas_map(as, i.base, 4096, 0x10000, WEIR_PROT_RW);

	return err ? err : weir_ioas_unmap(as, 0x10000, 4096);
}

static inline int script_device(struct script *t, struct weir_iommu *iommu, struct weir_arena *a)
{
	struct weir_pci *d;
	uint32_t v;
	int err = weir_pci_open_user(iommu, t->s->path, NULL, 0, &d);

	if (err)
		return err;
	err = script_registers(d);
	if (!err)
		err = weir_pci_cfg_read(d, 0, 4, &v);
	if (!err)
		err = weir_pci_msix(d, 3);
	if (!err)
		err = script_memory(d, a);
	if (!err)
		err = weir_pci_reset(d);
	if (!err)
		err = weir_pci_cfg_read(d, 0, 4, &v);
	if (!err)
		err = weir_iodev_service(weir_pci_iodev(d));
	pthread_mutex_lock(&t->s->lock);
	t->n_msgs = t->s->n_msgs;
	pthread_mutex_unlock(&t->s->lock);
	weir_pci_close(d);
	return err;
}

static inline void script_begin(struct script *t, unsigned timeout_ms)
{
	memset(t, 0, sizeof(*t));
	t->timeout_ms = timeout_ms;
	t->fds = unit_fds();
	t->maps = vus_mapped();
	t->s = vus_new();
}

/* Run it, and end the server. Return: 0 or the first error. */
static inline int script_run(struct script *t)
{
	struct weir *w = unit_weir();
	struct weir_iommu *iommu;
	struct weir_arena *a;
	int err;

	vus_start(t->s);
	assert_int_equal(weir_arena_create(w, 65536, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &a), 0);
	assert_int_equal(weir_iommu_open(w, &iommu), 0);
	weir_iommu_set_timeout(iommu, t->timeout_ms);
	t->start = weir_now_ns();
	if (t->arm)
		t->arm(true);
	err = script_device(t, iommu, a);
	if (t->arm)
		t->arm(false);
	t->ms = (unsigned)((weir_now_ns() - t->start) / 1000000);
	weir_iommu_close(iommu);
	weir_arena_destroy(a);
	weir_close(w);
	vus_end(t->s);
	assert_int_equal(unit_fds(), t->fds);
	assert_int_equal(vus_mapped(), t->maps);
	return err;
}

#endif
