/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A model of the kernel's vhost-vdpa, TUN and vhost-net behind wrapped system calls: it enforces the
 * order of calls, knows what is mapped and what is open, answers control commands, fails the n-th
 * call when told to, and can answer with nonsense. "vdpa:/dev/null" is the vDPA device (that is a
 * device node that everybody has); net/tun and vhost-net are below the folder FK_DEV, which does not exist.
 */
#ifndef WEIR_TESTS_FAKE_VHOST_H
#define WEIR_TESTS_FAKE_VHOST_H

#include "unit.h"

#include "core/io.h"
#include "nics/nics.h"
#include "nics/virtio_regs.h"

/* Ahead of <linux/vhost.h>, which brings macros of the same names: there they are numbers of bits. */
static const uint64_t f_base = VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_NET_F_MRG_RXBUF;
static const uint64_t f_packed = VIRTIO_F_RING_PACKED;
static const uint64_t f_vdpa = VIRTIO_F_ACCESS_PLATFORM | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS;
static const uint64_t f_mq = VIRTIO_NET_F_MQ;
static const uint64_t f_ctrl =
	VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX | VIRTIO_NET_F_CTRL_MAC_ADDR | VIRTIO_NET_F_MQ;

#include <fcntl.h>
#include <limits.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef VHOST_VDPA_GET_VRING_SIZE
#define VHOST_VDPA_GET_VRING_SIZE _IOWR(VHOST_VIRTIO, 0x82, struct vhost_vring_state)
#endif

#define FK_DEV	 "/nowhere"
#define FK_FDS	 1024
#define FK_VQS	 64
#define FK_MAPS	 64
#define FK_PAGES 64

enum fk_kind { FK_NONE, FK_VDPA, FK_TUN, FK_VHOST };

struct fk_vq {
	uint32_t num;
	struct vhost_vring_addr addr;
	bool enabled;
	int call, kick, backend;
	uint16_t seen; /* control queue: answered so far */
};

/* An opened file. */
struct fk_file {
	enum fk_kind kind;
	bool owned;
	uint64_t features;
	uint8_t status;
	struct fk_vq vq[FK_VQS];
	uint32_t asid[FK_VQS]; /* of groups */
	struct vhost_iotlb_msg maps[FK_MAPS];
	uint32_t map_asid[FK_MAPS];
	unsigned n_maps;
	bool batch;
	struct vhost_memory_region regions[64];
	unsigned n_regions;
};

static struct {
	/* what there is */
	uint64_t features, backend;
	uint32_t n_vqs, spaces;
	uint16_t ring_max, pairs;
	struct vhost_vdpa_iova_range range;
	bool own_group; /* of the control queue, and the address spaces for it */
	bool bells;
	unsigned long odd_request; /* this one is answered with odd_answer, 8 bytes */
	uint64_t odd_answer;
	int odd_errno;	 /* or fails so */
	bool over_limit; /* on locked memory: no more mappings */
	bool no_room;	 /* of a device with tables on the chip: it says so at the end of a batch */
	uint64_t *random; /* answers are noise from this seed */
	/* failing calls */
	bool armed;
	unsigned calls, fail_at;
	const char *failed;
	/* state */
	struct fk_file *file[FK_FDS];
	void *page[FK_PAGES]; /* doorbells */
	unsigned page_vq[FK_PAGES];
	unsigned files, pages, commands;
	unsigned wrong; /* calls that the kernel would have refused, or that break memory */
} fk;

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_ioctl(int fd, unsigned long req, void *arg);
ssize_t __real_write(int fd, const void *buf, size_t n);
int __real_eventfd(unsigned v, int flags);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __real_munmap(void *at, size_t len);
int __real_memfd_create(const char *name, unsigned flags);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t a, size_t size);
char *__real_strdup(const char *s);
int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_ioctl(int fd, unsigned long req, void *arg);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
int __wrap_eventfd(unsigned v, int flags);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *at, size_t len);
int __wrap_memfd_create(const char *name, unsigned flags);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t a, size_t size);
char *__wrap_strdup(const char *s);

/* Count a call; whether it shall fail. */
static bool fk_fails(const char *what)
{
	if (!fk.armed || ++fk.calls != fk.fail_at)
		return false;
	fk.failed = what;
	errno = fk.calls % 2 ? EIO : ENOSPC;
	return true;
}

static int fk_err(int err)
{
	errno = err;
	return -1;
}

static struct fk_file *fk_file(int fd)
{
	return fd >= 0 && fd < FK_FDS ? fk.file[fd] : NULL;
}

/* --- memory --- */

/* What the device finds at @iova in the space of @asid; NULL where it finds nothing. */
static void *fk_at(const struct fk_file *f, uint32_t asid, uint64_t iova, uint64_t len)
{
	for (unsigned i = 0; i < f->n_maps; i++) {
		const struct vhost_iotlb_msg *m = &f->maps[i];

		if (f->map_asid[i] == asid && iova >= m->iova && iova + len <= m->iova + m->size)
			return (void *)(uintptr_t)(m->uaddr + (iova - m->iova));
	}
	return NULL;
}

static unsigned fk_group(unsigned vq)
{
	return fk.own_group && vq == fk.n_vqs - 1;
}

static ssize_t fk_iotlb(struct fk_file *f, const struct vhost_msg_v2 *m)
{
	if (m->type != VHOST_IOTLB_MSG_V2 || m->asid >= fk.spaces || !f->owned)
		return fk_err(EINVAL);
	if (m->iotlb.type == VHOST_IOTLB_BATCH_BEGIN || m->iotlb.type == VHOST_IOTLB_BATCH_END) {
		fk.wrong += !f->batch && m->iotlb.type == VHOST_IOTLB_BATCH_END;
		f->batch = m->iotlb.type == VHOST_IOTLB_BATCH_BEGIN;
		return fk.no_room && f->n_maps && !f->batch ? fk_err(ENOSPC) : (int)sizeof(*m);
	}
	for (unsigned i = 0; i < f->n_maps; i++) {
		if (f->map_asid[i] != m->asid || f->maps[i].iova != m->iotlb.iova)
			continue;
		if (m->iotlb.type != VHOST_IOTLB_INVALIDATE || f->maps[i].size != m->iotlb.size)
			return fk_err(EEXIST);
		f->maps[i] = f->maps[--f->n_maps];
		f->map_asid[i] = f->map_asid[f->n_maps];
		return sizeof(*m);
	}
	if (m->iotlb.type == VHOST_IOTLB_INVALIDATE)
		return sizeof(*m);
	if (f->n_maps == FK_MAPS || fk.over_limit || m->iotlb.iova < fk.range.first ||
	    m->iotlb.iova + m->iotlb.size - 1 > fk.range.last)
		return fk_err(EFAULT);
	f->maps[f->n_maps] = m->iotlb;
	f->map_asid[f->n_maps++] = m->asid;
	return sizeof(*m);
}

/* --- the control queue, split --- */

static void fk_control(struct fk_file *f)
{
	unsigned last = f->features & f_mq ? fk.n_vqs - 1 : 2;
	struct fk_vq *q = &f->vq[last];
	uint32_t asid = f->asid[fk_group(last)];
	struct virtq_avail *avail;
	struct virtq_used *used;
	struct virtq_desc *d;

	if (!q->enabled || !(f->status & VIRTIO_STATUS_DRIVER_OK))
		return;
	d = fk_at(f, asid, q->addr.desc_user_addr, q->num * sizeof(*d));
	avail = fk_at(f, asid, q->addr.avail_user_addr, 4);
	used = fk_at(f, asid, q->addr.used_user_addr, 4);
	if (!d || !avail || !used) {
		fk.wrong++;
		return;
	}
	while (q->seen != weir_from_le16(avail->idx)) {
		uint16_t id = weir_from_le16(avail->ring[q->seen % q->num]);
		uint16_t data = weir_from_le16(d[id].next), ack = weir_from_le16(d[data].next);
		uint8_t *answer = fk_at(f, asid, weir_from_le64(d[ack].addr), 1);

		if (!answer || !fk_at(f, asid, weir_from_le64(d[id].addr), 2)) {
			fk.wrong++;
			return;
		}
		*answer = VIRTIO_NET_OK;
		used->ring[q->seen % q->num].id = weir_le32(id);
		used->idx = weir_le16(++q->seen);
		fk.commands++;
	}
}

/* --- ioctl --- */

static int fk_config(const struct fk_file *f, struct vhost_vdpa_config *c)
{
	uint8_t space[64] = {
		2, 0, 0, 0, 0, 9, 1, 0, (uint8_t)fk.pairs, (uint8_t)(fk.pairs >> 8), 0xdc, 5
	};

	(void)f;
	if (c->off + c->len > sizeof(space))
		return fk_err(EINVAL);
	memcpy(c->buf, space + c->off, c->len);
	return 0;
}

static int fk_vring(struct fk_file *f, unsigned long req, void *arg)
{
	struct vhost_vring_state *s = arg; /* the index comes first in all of them */
	unsigned n = f->kind == FK_VDPA ? fk.n_vqs : 2;
	struct fk_vq *q;

	if (s->index >= n || s->index >= FK_VQS)
		return fk_err(ENOBUFS);
	q = &f->vq[s->index];
	switch (req) {
	case VHOST_SET_VRING_NUM:
		if (!s->num || s->num & (s->num - 1))
			return fk_err(EINVAL);
		q->num = s->num;
		return 0;
	case VHOST_SET_VRING_BASE:
		q->seen = 0;
		return 0;
	case VHOST_SET_VRING_ADDR:
		q->addr = *(struct vhost_vring_addr *)arg;
		return 0;
	case VHOST_SET_VRING_CALL:
		q->call = ((struct vhost_vring_file *)arg)->fd;
		return 0;
	case VHOST_SET_VRING_KICK:
		q->kick = ((struct vhost_vring_file *)arg)->fd;
		return 0;
	case VHOST_VDPA_SET_VRING_ENABLE:
		q->enabled = s->num;
		fk.wrong += !fk_at(f, f->asid[fk_group(s->index)], q->addr.desc_user_addr,
				   q->num * 16ull);
		return 0;
	case VHOST_VDPA_GET_VRING_GROUP:
		s->num = fk_group(s->index);
		return fk.own_group ? 0 : fk_err(EOPNOTSUPP);
	case VHOST_VDPA_GET_VRING_SIZE:
		s->num = fk.ring_max;
		return 0;
	default:
		return fk_err(ENOTTY);
	}
}

static int fk_vdpa(struct fk_file *f, unsigned long req, void *arg)
{
	const struct vhost_vring_state *s = arg;

	if (!f->owned && req != VHOST_SET_OWNER)
		return fk_err(EPERM);
	switch (req) {
	case VHOST_SET_OWNER:
		f->owned = true;
		return 0;
	case VHOST_GET_BACKEND_FEATURES:
		*(uint64_t *)arg = fk.backend;
		return 0;
	case VHOST_SET_BACKEND_FEATURES:
		return *(uint64_t *)arg & ~fk.backend ? fk_err(EOPNOTSUPP) : 0;
	case VHOST_VDPA_GET_IOVA_RANGE:
		*(struct vhost_vdpa_iova_range *)arg = fk.range;
		return 0;
	case VHOST_VDPA_GET_AS_NUM:
		*(uint32_t *)arg = fk.spaces;
		return 0;
	case VHOST_VDPA_GET_STATUS:
		fk_control(f);
		*(uint8_t *)arg = f->status;
		return 0;
	case VHOST_VDPA_SET_STATUS:
		f->status = *(uint8_t *)arg;
		if (!f->status) {
			memset(f->vq, 0, sizeof(f->vq));
			memset(f->asid, 0, sizeof(f->asid));
		}
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = fk.features;
		return 0;
	case VHOST_SET_FEATURES:
		f->features = *(uint64_t *)arg;
		return f->features & ~fk.features ? fk_err(EINVAL) : 0;
	case VHOST_VDPA_GET_CONFIG:
		return fk_config(f, arg);
	case VHOST_VDPA_GET_VRING_NUM:
		*(uint16_t *)arg = fk.ring_max;
		return 0;
	case VHOST_VDPA_GET_VQS_COUNT:
		*(uint32_t *)arg = fk.n_vqs;
		return 0;
	case VHOST_VDPA_SET_GROUP_ASID:
		if (s->num >= fk.spaces || s->index > fk.own_group)
			return fk_err(EINVAL);
		f->asid[s->index] = s->num;
		return 0;
	case VHOST_VDPA_SET_CONFIG_CALL:
	case VHOST_VDPA_SUSPEND:
		return 0;
	default:
		return fk_vring(f, req, arg);
	}
}

static bool fk_covers(const struct fk_file *f, uint64_t at)
{
	for (unsigned i = 0; i < f->n_regions; i++)
		if (at - f->regions[i].userspace_addr < f->regions[i].memory_size)
			return true;
	return false;
}

static int fk_net(struct fk_file *f, unsigned long req, void *arg)
{
	const struct vhost_vring_file *b = arg;
	const struct vhost_memory *m = arg;
	struct fk_vq *q;

	if (!f->owned && req != VHOST_SET_OWNER)
		return fk_err(EPERM);
	switch (req) {
	case VHOST_SET_OWNER:
		f->owned = true;
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = fk.features;
		return 0;
	case VHOST_SET_FEATURES:
		return *(uint64_t *)arg & ~fk.features ? fk_err(EOPNOTSUPP) : 0;
	case VHOST_SET_MEM_TABLE:
		f->n_regions = m->nregions;
		memcpy(f->regions, m->regions, m->nregions * sizeof(m->regions[0]));
		return 0;
	case VHOST_NET_SET_BACKEND:
		if (b->index > 1 ||
		    (b->fd >= 0 && (!fk_file(b->fd) || fk_file(b->fd)->kind != FK_TUN)))
			return fk_err(EINVAL);
		q = &f->vq[b->index];
		fk.wrong += b->fd >= 0 && (!q->num || !fk_covers(f, q->addr.desc_user_addr) ||
					   !fk_covers(f, q->addr.used_user_addr));
		q->enabled = b->fd >= 0;
		return 0;
	default:
		return fk_vring(f, req, arg);
	}
}

static int fk_tun(unsigned long req, const void *arg)
{
	const struct ifreq *r = arg;

	switch (req) {
	case TUNSETIFF:
		return r->ifr_flags & IFF_VNET_HDR && memchr(r->ifr_name, 0, IFNAMSIZ)
			       ? 0
			       : fk_err(EINVAL);
	case TUNSETVNETHDRSZ:
	case TUNSETOFFLOAD:
		return 0;
	default:
		return fk_err(ENOTTY);
	}
}

/* --- system calls --- */

int __wrap_open(const char *path, int flags, ...)
{
	enum fk_kind kind = FK_NONE;
	mode_t mode = 0;
	va_list ap;
	int fd;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (fk_fails("open"))
		return -1;
	if (!strcmp(path, "/dev/null"))
		kind = FK_VDPA;
	else if (!strcmp(path, FK_DEV "/net/tun"))
		kind = FK_TUN;
	else if (!strcmp(path, FK_DEV "/vhost-net"))
		kind = FK_VHOST;
	if (kind == FK_NONE)
		return __real_open(path, flags, mode);
	fk.wrong += !(flags & O_CLOEXEC);
	fd = __real_memfd_create("fake", MFD_CLOEXEC);
	assert_true(fd >= 0 && fd < FK_FDS && !fk.file[fd]);
	fk.file[fd] = __real_calloc(1, sizeof(struct fk_file));
	assert_non_null(fk.file[fd]);
	fk.file[fd]->kind = kind;
	fk.files++;
	return fd;
}

int __wrap_close(int fd)
{
	struct fk_file *f = fk_file(fd);

	if (f) {
		/* Nothing runs, and nothing is mapped any more: the driver has the memory back already. */
		fk.wrong += f->n_maps || f->status & VIRTIO_STATUS_DRIVER_OK || f->batch;
		for (unsigned i = 0; f->kind == FK_VHOST && i < 2; i++)
			fk.wrong += f->vq[i].enabled;
		fk.file[fd] = NULL;
		fk.files--;
		free(f);
	}
	return __real_close(fd);
}

/* Return: whether the answer is not the model's. */
static bool fk_odd(unsigned long req, void *arg, int *r)
{
	unsigned size = _IOC_SIZE(req);

	if (req == fk.odd_request && fk.odd_errno) {
		*r = fk_err(fk.odd_errno);
		return true;
	}
	/* Of what names a queue only the number that comes with it. */
	if (req == fk.odd_request) {
		if (req == VHOST_VDPA_GET_VRING_GROUP || req == VHOST_VDPA_GET_VRING_SIZE)
			((struct vhost_vring_state *)arg)->num = (uint32_t)fk.odd_answer;
		else
			memcpy(arg, &fk.odd_answer, weir_min_u(size, sizeof(fk.odd_answer)));
		if (req == VHOST_VDPA_GET_IOVA_RANGE)
			memset((char *)arg + 8, 0, 8);
		*r = 0;
		return true;
	}
	if (!fk.random || !(_IOC_DIR(req) & _IOC_READ) || unit_random(fk.random) % 4)
		return false;
	*r = unit_random(fk.random) % 4 ? 0 : fk_err(EIO);
	for (unsigned i = 0; i < size; i++)
		((uint8_t *)arg)[i] = (uint8_t)unit_random(fk.random);
	return true;
}

int __wrap_ioctl(int fd, unsigned long req, void *arg)
{
	struct fk_file *f = fk_file(fd);
	int r;

	if (!f)
		return __real_ioctl(fd, req, arg);
	if (fk_fails("ioctl"))
		return -1;
	if (fk_odd(req, arg, &r))
		return r;
	if (f->kind == FK_TUN)
		return fk_tun(req, arg);
	return f->kind == FK_VDPA ? fk_vdpa(f, req, arg) : fk_net(f, req, arg);
}

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	struct fk_file *f = fk_file(fd);

	if (!f)
		return __real_write(fd, buf, n);
	if (fk_fails("write"))
		return -1;
	assert_int_equal(n, sizeof(struct vhost_msg_v2));
	return f->kind == FK_VDPA ? fk_iotlb(f, buf) : fk_err(EINVAL);
}

int __wrap_eventfd(unsigned v, int flags)
{
	return fk_fails("eventfd") ? -1 : __real_eventfd(v, flags);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p;

	/* Giving a range back to the reservation is part of cleaning up: it has to work. */
	if (prot == PROT_NONE && flags & MAP_FIXED)
		return __real_mmap(at, len, prot, flags, fd, off);
	if (fk_fails("mmap"))
		return MAP_FAILED;
	if (!fk_file(fd))
		return __real_mmap(at, len, prot, flags, fd, off);
	if (!fk.bells || prot & PROT_READ || !(flags & MAP_SHARED) || fk.pages == FK_PAGES) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	p = __real_mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fk.page_vq[fk.pages] = (unsigned)(off / (off_t)len);
	fk.page[fk.pages++] = p;
	return p;
}

int __wrap_munmap(void *at, size_t len)
{
	for (unsigned i = 0; i < fk.pages; i++)
		if (fk.page[i] == at) {
			fk.page[i] = fk.page[--fk.pages];
			fk.page_vq[i] = fk.page_vq[fk.pages];
		}
	return __real_munmap(at, len);
}

int __wrap_memfd_create(const char *name, unsigned flags)
{
	return fk_fails("memfd_create") ? -1 : __real_memfd_create(name, flags);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fk_fails("memory") ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t a, size_t size)
{
	return fk_fails("memory") ? NULL : __real_aligned_alloc(a, size);
}

char *__wrap_strdup(const char *s)
{
	return fk_fails("memory") ? NULL : __real_strdup(s);
}

#endif
