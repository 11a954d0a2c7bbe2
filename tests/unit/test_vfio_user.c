/* SPDX-License-Identifier: BSD-3-Clause */
/* The vfio-user client against a server that behaves. */
#include "fake_vfio_user.h"

#include "pci/pci.h"

#include <sys/eventfd.h>

#define ARENA (1u << 20)

static struct env {
	struct weir *w;
	struct weir_arena *arena;
	struct weir_iommu *iommu;
	struct vus *s;
	unsigned fds, maps;
} e;

static int setup(void **state)
{
	(void)state;
	memset(&e, 0, sizeof(e));
	e.fds = unit_fds();
	e.maps = vus_mapped();
	e.w = unit_weir();
	assert_int_equal(
		weir_arena_create(e.w, ARENA, WEIR_NODE_ANY, WEIR_ARENA_SMALL_PAGES, &e.arena), 0);
	assert_int_equal(weir_iommu_open(e.w, &e.iommu), 0);
	e.s = vus_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	weir_iommu_close(e.iommu);
	weir_arena_destroy(e.arena);
	weir_close(e.w);
	vus_end(e.s);
	assert_int_equal(unit_fds(), e.fds);
	assert_int_equal(vus_mapped(), e.maps);
	return 0;
}

static struct weir_pci *up(struct vus *s)
{
	struct weir_pci *d;

	vus_start(s);
	assert_int_equal(weir_pci_open_user(e.iommu, s->path, NULL, 0, &d), 0);
	return d;
}

static void test_identity(void **state)
{
	const struct weir_pci_info *i;
	struct weir_pci *d = up(e.s);
	uint32_t v;

	(void)state;
	i = weir_pci_info_of(d);
	assert_int_equal(i->vendor, 0x1234);
	assert_int_equal(i->device, 0xabcd);
	assert_int_equal(i->class_code, 0x020000);
	assert_int_equal(i->revision, 7);
	assert_int_equal(i->subvendor, 1);
	assert_int_equal(i->subdevice, 2);
	assert_string_equal(weir_pci_name(d), e.s->dev);
	assert_int_equal(weir_iodev_mode(weir_pci_iodev(d)), WEIR_MODE_VFIO_USER);
	assert_int_equal(weir_pci_find_cap(d, PCI_CAP_ID_EXP, 0), 0x50);
	assert_int_equal(weir_pci_find_ext_cap(d, PCI_EXT_CAP_ID_DSN, 0), 0x200);
	assert_int_equal(weir_pci_cfg_write(d, 0xf0, 4, 0x01020304), 0);
	assert_int_equal(weir_pci_cfg_read(d, 0xf2, 1, &v), 0);
	assert_int_equal(v, 2);
	assert_int_equal(weir_pci_cfg_read(d, 0x1000, 4, &v), -EINVAL);
	weir_pci_close(d);
	assert_int_equal(e.s->n_resets, 2); /* when opened and when closed */
	assert_int_equal(e.s->n_maps, 0);
}

static void test_look(void **state)
{
	struct weir_pci *d;

	(void)state;
	vus_start(e.s);
	assert_int_equal(weir_pci_open_user(e.iommu, e.s->path, NULL, WEIR_PCI_LOOK, &d), 0);
	weir_pci_close(d);
	assert_int_equal(e.s->n_resets, 0);
	assert_int_equal(e.s->n_by_cmd[VU_DMA_MAP], 0);
	assert_int_equal(e.s->n_by_cmd[VU_REGION_WRITE], 0);
}

static void test_registers(void **state)
{
	struct weir_pci *d = up(e.s);
	struct weir_bar bar;
	uint32_t v;

	(void)state;
	assert_int_equal(weir_pci_reg_read32(d, 0, 8, &v), 0);
	assert_int_equal(v, VUS_MAGIC);
	assert_int_equal(weir_pci_bar(d, 0, &bar), 0);
	assert_int_equal(bar.size, VUS_BAR);
	assert_false(weir_bar_ok(d, 0, 0, 4));
	assert_true(weir_bar_ok(d, 0, VUS_AREA, 0x1000));
	assert_false(weir_bar_ok(d, 0, VUS_AREA + 0xffc, 8));
	/* What is shared is shared both ways. */
	((volatile uint32_t *)bar.va)[VUS_AREA / 4 + 6] = 42;
	assert_int_equal(((volatile uint32_t *)e.s->area)[6], 42);
	/* A register in a mapped page still goes by message. */
	assert_int_equal(weir_pci_reg_write32(d, 0, VUS_AREA + 4, 7), 0);
	assert_int_equal(weir_pci_reg_read32(d, 0, VUS_AREA + 4, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(((volatile uint32_t *)e.s->area)[1], 0);
	assert_int_equal(weir_pci_reg_read32(d, 0, VUS_BAR, &v), -EINVAL);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(weir_pci_reg_read32(d, 0, 2, &v), -EINVAL);
	assert_int_equal(weir_pci_bar(d, 1, &bar), -ENODEV);
	weir_pci_close(d);
}

/* The server takes 1,024 bytes at a time. */
static void test_chunks(void **state)
{
	struct weir_pci *d = up(e.s);
	uint8_t out[5000], in[5000];

	(void)state;
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	assert_int_equal(weir_iodev_write(weir_pci_iodev(d), 0, 100, out, sizeof(out)), 0);
	assert_int_equal(weir_iodev_read(weir_pci_iodev(d), 0, 100, in, sizeof(in)), 0);
	assert_memory_equal(in, out, sizeof(in));
	weir_pci_close(d);
	assert_int_equal(e.s->max_count, 1024);
}

static void test_interrupts(void **state)
{
	struct weir_pci *d = up(e.s);
	int fds[] = { eventfd(0, EFD_NONBLOCK), -1, eventfd(0, EFD_NONBLOCK) };
	unsigned before;

	(void)state;
	assert_int_equal(weir_pci_msix_count(d), VUS_VECS);
	assert_int_equal(weir_pci_msix(d, VUS_VECS + 1), -ENOSPC);
	assert_int_equal(weir_pci_msix(d, 5), 0);
	pthread_mutex_lock(&e.s->lock);
	assert_int_equal(e.s->n_irq_msgs, 3); /* two fds in a message */
	for (unsigned i = 0; i < VUS_VECS; i++)
		assert_int_equal(e.s->irqs[i] >= 0, i < 5);
	assert_int_equal(write(e.s->irqs[4], &(uint64_t){ 3 }, 8), 8);
	pthread_mutex_unlock(&e.s->lock);
	assert_int_equal(weir_eventfd_drain(weir_pci_msix_fd(d, 4)), 3);
	assert_int_equal(weir_eventfd_drain(weir_pci_msix_fd(d, 3)), 0);
	assert_int_equal(weir_pci_msix(d, 0), 0);
	/* A vector without an eventfd. */
	before = e.s->n_irq_msgs;
	assert_int_equal(weir_iodev_irq_set(weir_pci_iodev(d), WEIR_IRQ_MSIX, 3, fds), 0);
	assert_int_equal(e.s->n_irq_msgs, before + 3);
	assert_true(e.s->irqs[0] >= 0 && e.s->irqs[1] < 0 && e.s->irqs[2] >= 0);
	assert_int_equal(weir_iodev_irq_set(weir_pci_iodev(d), WEIR_IRQ_MSIX, 0, NULL), 0);
	assert_true(e.s->irqs[0] < 0);
	weir_pci_close(d);
	close(fds[0]);
	close(fds[2]);
}

static void test_memory(void **state)
{
	struct weir_pci *d = up(e.s);
	struct weir_ioas *as = weir_iodev_ioas(weir_pci_iodev(d));
	struct weir_arena_info i = weir_arena_info(e.arena);
	weir_iova_t iova = weir_dma_iova(weir_pci_dma(d), i.base);
	uint32_t *p = weir_arena_alloc(e.arena, 64, 64);
	struct vus_map *m = &e.s->maps[0];

	(void)state;
	pthread_mutex_lock(&e.s->lock);
	assert_int_equal(e.s->n_maps, 1);
	assert_int_equal(m->addr, iova);
	assert_int_equal(m->size, i.size);
	assert_int_equal(m->flags, VU_DMA_READABLE | VU_DMA_WRITEABLE);
	assert_non_null(m->va);
	*p = 4711;
	assert_int_equal(*(uint32_t *)(m->va + ((char *)p - i.base)), 4711);
	pthread_mutex_unlock(&e.s->lock);
	/* A part of an arena, read-only, at an offset in its file. */
	assert_int_equal(weir_ioas_map(as, i.base + 8192, 4096, 0x10000, WEIR_PROT_READ), 0);
	pthread_mutex_lock(&e.s->lock);
	assert_int_equal(e.s->n_maps, 2);
	assert_int_equal(e.s->maps[1].flags, VU_DMA_READABLE);
	i.base[8192] = 99;
	assert_int_equal(e.s->maps[1].va[0], 99);
	pthread_mutex_unlock(&e.s->lock);
	assert_int_equal(weir_ioas_map(as, i.base, 4096, 0x10000, WEIR_PROT_READ), -EEXIST);
	assert_int_equal(weir_ioas_map(as, i.base, 4096, 1ull << 48, WEIR_PROT_READ), -ERANGE);
	assert_int_equal(weir_ioas_unmap(as, 0x10000, 4096), 0);
	assert_int_equal(e.s->n_maps, 1);
	weir_arena_free(e.arena, p);
	weir_pci_close(d);
	assert_int_equal(e.s->n_maps, 0);
}

/* Two servers, one address space: each is told of all, whenever it comes. */
static void test_two_devices(void **state)
{
	struct weir_arena_info i = weir_arena_info(e.arena);
	struct vus *s2 = vus_new();
	struct weir_pci *d = up(e.s), *d2;
	struct weir_ioas *as = weir_iodev_ioas(weir_pci_iodev(d));

	(void)state;
	assert_int_equal(weir_ioas_map(as, i.base, 4096, 0x10000, WEIR_PROT_RW), 0);
	d2 = up(s2);
	assert_ptr_equal(weir_iodev_ioas(weir_pci_iodev(d2)), as);
	assert_int_equal(s2->n_maps, 2);
	assert_int_equal(weir_ioas_map(as, i.base, 4096, 0x20000, WEIR_PROT_RW), 0);
	assert_int_equal(e.s->n_maps, 3);
	assert_int_equal(s2->n_maps, 3);
	assert_int_equal(weir_ioas_unmap(as, 0x10000, 4096), 0);
	assert_int_equal(e.s->n_maps, 2);
	assert_int_equal(s2->n_maps, 2);
	weir_pci_close(d);
	assert_int_equal(e.s->n_maps, 0);
	assert_int_equal(s2->n_maps, 2);
	weir_pci_close(d2);
	assert_int_equal(s2->n_maps, 0);
	vus_end(s2);
}

/* One server refuses: no device is left with the memory. One that is gone does not count. */
static void refuse_map(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	if (req->h.cmd != VU_DMA_MAP || ++s->at < 2)
		return;
	if (s->seed)
		shutdown(s->sock, SHUT_RDWR);
	vus_error(rep, ENOSPC);
	rep->h.size = sizeof(rep->h);
	pthread_mutex_lock(&s->lock);
	munmap(s->maps[s->n_maps - 1].va, s->maps[s->n_maps - 1].size);
	s->n_maps--;
	pthread_mutex_unlock(&s->lock);
}

static void test_refused_map(void **state)
{
	struct weir_arena_info i = weir_arena_info(e.arena);
	struct vus *s2 = vus_new();
	struct weir_pci *d = up(e.s), *d2;
	struct weir_ioas *as = weir_iodev_ioas(weir_pci_iodev(d));

	(void)state;
	s2->tweak = refuse_map;
	d2 = up(s2);
	assert_int_equal(weir_ioas_map(as, i.base, 4096, 0x10000, WEIR_PROT_RW), -ENOSPC);
	assert_said("map");
	assert_int_equal(e.s->n_maps, 1);
	assert_int_equal(s2->n_maps, 1);
	s2->seed = 1; /* now it goes away instead */
	assert_int_equal(weir_ioas_map(as, i.base, 4096, 0x10000, WEIR_PROT_RW), 0);
	assert_said("device-gone");
	assert_int_equal(e.s->n_maps, 2);
	weir_pci_close(d2);
	assert_int_equal(weir_ioas_unmap(as, 0x10000, 4096), 0);
	weir_pci_close(d);
	vus_end(s2);
}

/* --- the server asks for memory --- */

static struct dma_row {
	unsigned cmd;
	int64_t at; /* from the arena's IOVA */
	uint64_t count;
	int error;
} const dma_rows[] = {
	{ VU_DMA_READ, 64, 16, 0 },
	{ VU_DMA_WRITE, 64, 16, 0 },
	{ VU_DMA_READ, ARENA - 16, 16, 0 },
	{ VU_DMA_READ, ARENA - 15, 16, EFAULT },
	{ VU_DMA_READ, -1, 16, EFAULT },
	{ VU_DMA_WRITE, ARENA, 16, EFAULT },
	{ VU_DMA_READ, 0, 0, EFAULT },
	{ VU_DMA_READ, 0, UINT64_MAX, EFAULT },
	{ VU_DMA_READ, 0, (1 << 20) + 1, EFAULT },
	{ VU_DMA_READ, INT64_MAX, 16, EFAULT },
	{ VU_RESET, 0, 16, EOPNOTSUPP },
};

static uint64_t arena_iova;

static void ask_row(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	const struct dma_row *r = &dma_rows[s->at];

	(void)rep;
	if (req->h.cmd == VU_REGION_READ && s->seed) {
		s->seed = 0;
		vus_ask(s, r->cmd, arena_iova + (uint64_t)r->at, r->count, "0123456789abcdef",
			r->cmd == VU_DMA_WRITE ? 16 : 0);
	}
}

static void test_dma_messages(void **state)
{
	struct weir_arena_info i = weir_arena_info(e.arena);
	struct weir_pci *d;
	uint32_t v;

	(void)state;
	e.s->tweak = ask_row;
	d = up(e.s);
	arena_iova = weir_dma_iova(weir_pci_dma(d), i.base);
	for (unsigned k = 0; k < WEIR_ARRAY_SIZE(dma_rows); k++) {
		const struct dma_row *r = &dma_rows[k];
		bool data = !r->error && r->cmd == VU_DMA_READ;

		pthread_mutex_lock(&e.s->lock);
		memset(i.base, 0, 4096);
		memcpy(i.base + 64, "fedcba9876543210", 16);
		e.s->at = k;
		e.s->seed = 1;
		pthread_mutex_unlock(&e.s->lock);
		assert_int_equal(weir_pci_reg_read32(d, 0, 8, &v), 0);
		assert_int_equal(v, VUS_MAGIC);
		pthread_mutex_lock(&e.s->lock);
		assert_int_equal(e.s->answer.id, 77);
		assert_int_equal(e.s->answer.cmd, r->cmd);
		assert_int_equal(e.s->answer.flags, VU_F_REPLY | (r->error ? VU_F_ERROR : 0));
		assert_int_equal(e.s->answer.error, r->error);
		assert_int_equal(e.s->answer.size, r->error ? 16 : data ? 48 : 32);
		if (data && r->at == 64)
			assert_memory_equal(e.s->answer_body + 16, "fedcba9876543210", 16);
		if (!r->error && r->cmd == VU_DMA_WRITE)
			assert_memory_equal(i.base + 64, "0123456789abcdef", 16);
		pthread_mutex_unlock(&e.s->lock);
	}
	assert_said("dma-fault");
	assert_int_equal(said.n, 1); /* said once, however often it happens */
	weir_pci_close(d);
}

static void ask_write(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	struct {
		struct vu_hdr h;
		struct vu_dma_rw rw;
		char data[4];
	} m = { { 5, VU_DMA_WRITE, 36, VU_F_NO_REPLY, 0 }, { arena_iova, 4 }, "abc" };

	(void)rep;
	if (req->h.cmd == VU_REGION_WRITE && arena_iova)
		vus_send_raw(s, &m, 36, NULL, 0); /* before the reply, and without wanting one */
}

/* Mappings have rights, and memory that is no arena's is reached by messages alone. */
static void test_dma_rights(void **state)
{
	static char plain[4096] __attribute__((aligned(4096)));
	struct weir_pci *d;
	struct weir_ioas *as;

	(void)state;
	arena_iova = 0;
	e.s->tweak = ask_write;
	d = up(e.s);
	as = weir_iodev_ioas(weir_pci_iodev(d));
	assert_int_equal(weir_ioas_map(as, plain, 4096, 0x10000, WEIR_PROT_READ), 0);
	assert_int_equal(weir_ioas_map(as, plain, 4096, 0x20000, WEIR_PROT_WRITE), 0);
	assert_null(e.s->maps[1].va);
	arena_iova = 0x10000;
	assert_int_equal(weir_pci_reg_write32(d, 0, 0, 1), 0);
	assert_int_equal(plain[0], 0);
	assert_said("dma-fault");
	arena_iova = 0x20000;
	assert_int_equal(weir_pci_reg_write32(d, 0, 0, 1), 0);
	assert_string_equal(plain, "abc");
	arena_iova = 0;
	weir_pci_close(d);
}

/* --- the server between calls --- */

static void ask_later(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	if (req->h.cmd != VU_REGION_WRITE || !s->at)
		return;
	vus_send(s, rep);
	rep->drop = true;
	vus_ask(s, VU_DMA_READ, arena_iova, 8, NULL, 0);
	s->at = 0;
}

static void test_service(void **state)
{
	struct weir_pci *d;
	uint32_t size = 0;

	(void)state;
	e.s->tweak = ask_later;
	d = up(e.s);
	arena_iova = weir_dma_iova(weir_pci_dma(d), weir_arena_info(e.arena).base);
	assert_int_equal(weir_iodev_service(weir_pci_iodev(d)), 0);
	e.s->at = 1;
	assert_int_equal(weir_pci_reg_write32(d, 0, 0, 1), 0);
	for (unsigned i = 0; i < 5000 && !size; i++) {
		assert_int_equal(weir_iodev_service(weir_pci_iodev(d)), 0);
		usleep(1000);
		pthread_mutex_lock(&e.s->lock);
		size = e.s->answer.size;
		pthread_mutex_unlock(&e.s->lock);
	}
	assert_int_equal(size, 16 + 16 + 8);
	weir_pci_close(d);
}

static void hang_up(struct vus *s, const struct vus_msg *req, struct vus_msg *rep)
{
	if (req->h.cmd != VU_REGION_WRITE || !s->at)
		return;
	vus_send(s, rep);
	rep->drop = true;
	shutdown(s->sock, SHUT_RDWR);
}

/* Gone between two calls: reported once, found by the next call or by looking. */
static void test_gone(void **state)
{
	struct weir_pci *d;
	uint32_t v;
	int err = 0;

	(void)state;
	e.s->tweak = hang_up;
	d = up(e.s);
	e.s->at = 1;
	unit_hush();
	assert_int_equal(weir_pci_reg_write32(d, 0, 0, 1), 0);
	for (unsigned i = 0; i < 5000 && !err; i++) {
		err = weir_iodev_service(weir_pci_iodev(d));
		usleep(1000);
	}
	assert_int_equal(err, -ENODEV);
	assert_said("device-gone");
	assert_int_equal(said.n, 1);
	assert_int_equal(weir_pci_reg_read32(d, 0, 0, &v), -ENODEV);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(weir_iodev_service(weir_pci_iodev(d)), -ENODEV);
	assert_int_equal(said.n, 1);
	weir_pci_close(d);
}

/* --- device strings and modes --- */

static void test_modes(void **state)
{
	struct weir_mode_report r;
	struct weir_iodev *d;
	enum weir_mode m;

	(void)state;
	assert_int_equal(weir_mode_parse("vfio-user", &m), 0);
	assert_int_equal(m, WEIR_MODE_VFIO_USER);
	weir_mode_probe(e.w, e.s->dev, &r);
	assert_int_equal(r.chosen, WEIR_MODE_AUTO);
	assert_int_equal(r.usable[WEIR_MODE_VFIO_USER], -ENOENT);
	assert_string_equal(r.why[WEIR_MODE_CDEV], "");
	assert_int_equal(weir_iodev_open(e.iommu, e.s->dev, WEIR_MODE_AUTO, &d), -ENOENT);
	assert_said("no-socket");
	assert_int_equal(weir_iodev_open(e.iommu, "vfio-user:/dev/null", WEIR_MODE_AUTO, &d),
			 -ENOTSOCK);
	assert_int_equal(weir_iodev_open(e.iommu, e.s->dev, WEIR_MODE_CDEV, &d), -EOPNOTSUPP);
	vus_start(e.s);
	weir_mode_probe(e.w, e.s->dev, &r);
	assert_int_equal(r.chosen, WEIR_MODE_VFIO_USER);
	/* Devices of the bus are never opened this way. */
	weir_mode_probe(e.w, "/sys/bus/pci/devices/0000:00:00.0", &r);
	assert_int_equal(r.usable[WEIR_MODE_VFIO_USER], -EOPNOTSUPP);
	assert_string_equal(r.why[WEIR_MODE_VFIO_USER], "");
}

static void test_refused_connection(void **state)
{
	struct weir_pci *d;
	char path[200];

	(void)state;
	vus_start(e.s);
	shutdown(e.s->listen, SHUT_RDWR);
	assert_int_equal(weir_pci_open_user(e.iommu, e.s->path, NULL, 0, &d), -ECONNREFUSED);
	assert_said("vfio-user-connect");
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(weir_pci_open_user(e.iommu, path, NULL, 0, &d), -ENAMETOOLONG);
	assert_said("socket-path");
}

/* A socket that somebody else connected; it is closed with the device, so that the server sees it. */
static void test_handed_in(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), other;
	struct weir_pci *d;
	char path[16];

	(void)state;
	vus_start(e.s);
	strcpy(a.sun_path, e.s->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	snprintf(path, sizeof(path), "fd=%d", fd);
	assert_int_equal(weir_pci_open_user(e.iommu, path, NULL, 0, &d), 0);
	assert_int_equal(weir_pci_info_of(d)->vendor, 0x1234);
	assert_true(weir_pci_info_of(d)->is_process);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	weir_pci_close(d);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	/* Not open, not connected, no UNIX socket. */
	assert_int_equal(weir_pci_open_user(e.iommu, "fd=1000", NULL, 0, &d), -EBADF);
	assert_said("no-socket");
	for (int domain = AF_UNIX; domain <= AF_INET; domain++) {
		other = socket(domain, SOCK_STREAM, 0);
		snprintf(path, sizeof(path), "fd=%d", other);
		assert_int_equal(weir_pci_open_user(e.iommu, path, NULL, 0, &d), -ENOTCONN);
		close(other);
	}
	assert_int_equal(weir_pci_open_user(e.iommu, "fd=3x", NULL, 0, &d), -ENOENT);
}

/* --- several threads --- */

struct reader {
	struct weir_pci *d;
	pthread_t thread;
	unsigned off, bad;
};

static void *read_often(void *arg)
{
	struct reader *r = arg;
	uint32_t v;

	for (unsigned i = 0; i < 500; i++) {
		if (weir_pci_reg_write32(r->d, 0, r->off, i) ||
		    weir_pci_reg_read32(r->d, 0, r->off, &v) || v != i)
			r->bad++;
		weir_iodev_service(weir_pci_iodev(r->d));
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct weir_arena_info i = weir_arena_info(e.arena);
	struct weir_pci *d = up(e.s);
	struct reader r[3];

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		r[k] = (struct reader){ .d = d, .off = 16 + 4 * k };
		assert_int_equal(pthread_create(&r[k].thread, NULL, read_often, &r[k]), 0);
	}
	for (unsigned k = 0; k < 100; k++) {
		struct weir_ioas *as = weir_iodev_ioas(weir_pci_iodev(d));

		assert_int_equal(weir_ioas_map(as, i.base, 4096, 0x10000, WEIR_PROT_RW), 0);
		assert_int_equal(weir_ioas_unmap(as, 0x10000, 4096), 0);
	}
	for (unsigned k = 0; k < 3; k++) {
		pthread_join(r[k].thread, NULL);
		assert_int_equal(r[k].bad, 0);
	}
	weir_pci_close(d);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_identity),     T(test_look),
		T(test_registers),    T(test_chunks),
		T(test_interrupts),   T(test_memory),
		T(test_two_devices),  T(test_refused_map),
		T(test_dma_messages), T(test_dma_rights),
		T(test_service),      T(test_gone),
		T(test_modes),	      T(test_refused_connection),
		T(test_handed_in),    T(test_threads),
	};

	return cmocka_run_group_tests_name("vfio_user", tests, NULL, NULL);
}
