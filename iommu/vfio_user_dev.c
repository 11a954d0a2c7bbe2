/* SPDX-License-Identifier: BSD-3-Clause */
/* vfio-user: a device's regions, interrupts and reset. */
#include "iommu/uapi.h"
#include "iommu/vfio_user.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Regions are told apart in a file_off by its upper bits, as the kernel does it. */
#define REGION_SHIFT 48
#define REGION_MAX   (1ull << REGION_SHIFT)

/* Room for a region's capabilities; the sparse areas beyond WEIR_MAX_SPARSE are of no use. */
#define CAPS_MAX 4096

/* --- the device --- */

int vu_dev_info(struct vu_dev *u)
{
	struct vu_device_info info = { .argsz = sizeof(info) };
	struct vu_call call = {
		.cmd = VU_GET_INFO,
		.req = &info,
		.req_len = sizeof(info),
		.reply = &info,
		.reply_len = sizeof(info),
		.min = sizeof(info),
	};
	int err = vu_call(&u->c, &call);

	if (err)
		return err;
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI) || info.num_regions <= WEIR_REGION_CONFIG)
		return weir_fail(u->c.w, EOPNOTSUPP, "vfio-user-not-pci",
				 "%s serves no PCI device (flags %#x, %u regions)", u->c.name,
				 info.flags, info.num_regions);
	u->flags = info.flags;
	u->num_regions = info.num_regions;
	u->num_irqs = info.num_irqs;
	return 0;
}

static int user_reset(struct weir_iodev *d)
{
	struct vu_call call = { .cmd = VU_RESET, .quiet = true };

	if (!(d->user->flags & VFIO_DEVICE_FLAGS_RESET))
		return -EOPNOTSUPP;
	return vu_call(&d->user->c, &call);
}

/* --- regions --- */

struct region_reply {
	struct vu_region_info info;
	char caps[CAPS_MAX];
};

/* Whole pages inside the region only: anything else is no area to rely on. */
static void add_area(struct weir_region *r, uint64_t off, uint64_t size)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!size || off > r->size || size > r->size - off || off % page || size % page ||
	    r->n_sparse == WEIR_MAX_SPARSE)
		return;
	r->sparse[r->n_sparse].off = off;
	r->sparse[r->n_sparse].size = size;
	r->n_sparse++;
}

/* Return: whether the areas are all there; if not, nothing may be taken for mappable. */
static bool read_sparse(const struct region_reply *in, size_t len, size_t at, struct weir_region *r)
{
	const char *p = (const char *)in + at;
	struct vu_cap_sparse s;

	if (len - at < sizeof(s))
		return false;
	memcpy(&s, p, sizeof(s));
	if (s.n > (len - at - sizeof(s)) / sizeof(s.areas[0]))
		return false;
	for (unsigned i = 0; i < s.n; i++) {
		uint64_t area[2];

		memcpy(area, p + sizeof(s) + i * sizeof(area), sizeof(area));
		add_area(r, area[0], area[1]);
	}
	return r->n_sparse > 0;
}

static bool read_caps(const struct region_reply *in, size_t len, struct weir_region *r)
{
	size_t at = in->info.cap_offset;

	/* What did not fit may be the very list of areas. */
	if (in->info.argsz > len)
		return false;
	/* Offsets only ever grow in a sane chain: one that turns back would loop. */
	while (at >= sizeof(in->info) && at <= len && len - at >= sizeof(struct vu_cap)) {
		struct vu_cap cap;

		memcpy(&cap, (const char *)in + at, sizeof(cap));
		if (cap.id == VU_CAP_SPARSE)
			return read_sparse(in, len, at, r);
		if (cap.next <= at)
			return !cap.next;
		at = cap.next;
	}
	return false;
}

/* End of the last mappable byte in the region. */
static uint64_t mapped_end(const struct weir_region *r)
{
	uint64_t end = r->n_sparse ? 0 : r->size;

	for (unsigned i = 0; i < r->n_sparse; i++)
		if (r->sparse[i].off + r->sparse[i].size > end)
			end = r->sparse[i].off + r->sparse[i].size;
	return end;
}

/*
 * Touching a mapping past the end of its file kills the process: what is mapped must be long
 * enough, and stay so. A memfd can be sealed against shrinking; other files cannot.
 */
static bool fd_is_safe(int fd, uint64_t off, uint64_t end)
{
	struct stat st;
	int seals;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) && errno != EPERM)
		return false;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) || st.st_size < 0)
		return false;
	return off % (uint64_t)sysconf(_SC_PAGESIZE) == 0 && off <= (uint64_t)st.st_size &&
	       end <= (uint64_t)st.st_size - off;
}

/* Keep the fd if the region can be mapped with it; else it is reached by messages alone. */
static void take_fd(struct vu_dev *u, unsigned index, const struct region_reply *in, size_t len,
		    struct weir_region *r, struct vu_fds *fds)
{
	bool ok = fds->n > 0;

	if (!(r->flags & WEIR_REGION_MMAP))
		return;
	if (ok && in->info.flags & VFIO_REGION_INFO_FLAG_CAPS)
		ok = read_caps(in, len, r);
	if (ok && !fd_is_safe(fds->fd[0], in->info.offset, mapped_end(r))) {
		weir_info(
			u->c.w,
			"%s: region %u is reached by messages: its file is too short or can shrink",
			u->c.name, index);
		ok = false;
	}
	if (!ok) {
		r->flags &= ~(unsigned)WEIR_REGION_MMAP;
		r->n_sparse = 0;
		return;
	}
	u->regions[index].fd = fds->fd[0];
	u->regions[index].off = in->info.offset;
	fds->fd[0] = -1;
}

static int check_region(struct vu_dev *u, unsigned index, const struct vu_region_info *info)
{
	if (info->index != index || info->argsz < sizeof(*info))
		return vu_violation(&u->c, "asked about region %u it told of region %u", index,
				    info->index);
	if (info->size > REGION_MAX)
		return vu_violation(&u->c, "region %u of %llu bytes", index,
				    (unsigned long long)info->size);
	return 0;
}

static int user_region(struct weir_iodev *d, unsigned index, struct weir_region *r,
		       uint64_t *file_off)
{
	struct vu_region_info req = { .argsz = sizeof(struct region_reply), .index = index };
	struct region_reply in = { .info = { .argsz = 0 } };
	struct vu_dev *u = d->user;
	struct vu_fds fds = { .n = 0 };
	struct vu_call call = {
		.cmd = VU_GET_REGION_INFO,
		.req = &req,
		.req_len = sizeof(req),
		.reply = &in,
		.reply_len = sizeof(in),
		.min = sizeof(in.info),
		.rfds = &fds,
	};
	int err;

	memset(r, 0, sizeof(*r));
	*file_off = (uint64_t)index << REGION_SHIFT;
	if (index >= u->num_regions)
		return 0;
	err = vu_call(&u->c, &call);
	if (!err)
		err = check_region(u, index, &in.info);
	if (!err) {
		r->size = in.info.size;
		r->flags =
			in.info.flags & (WEIR_REGION_READ | WEIR_REGION_WRITE | WEIR_REGION_MMAP);
		if (!r->size)
			r->flags &= ~(unsigned)WEIR_REGION_MMAP;
		take_fd(u, index, &in, call.len, r, &fds);
	}
	vu_fds_close(&fds);
	return err;
}

void vu_dev_close_regions(struct vu_dev *u)
{
	for (unsigned i = 0; i < WEIR_MAX_REGIONS; i++)
		weir_close_fd(&u->regions[i].fd);
}

/* The reply must be about what was asked. Return: 0, -EIO for a short one. */
static int check_rw(struct vu_conn *c, const struct vu_region_rw *asked,
		    const struct vu_region_rw *got, size_t data)
{
	if (got->region != asked->region || got->offset != asked->offset ||
	    got->count > asked->count || data > got->count)
		return vu_violation(c, "asked for %u bytes at %#llx of region %u", asked->count,
				    (unsigned long long)asked->offset, asked->region);
	return got->count == asked->count ? 0 : -EIO;
}

static int read_chunk(struct vu_conn *c, struct vu_region_rw rw, void *buf)
{
	struct vu_region_rw got = { .count = 0 };
	struct vu_call call = {
		.cmd = VU_REGION_READ,
		.req = &rw,
		.req_len = sizeof(rw),
		.reply = &got,
		.reply_len = sizeof(got),
		.rdata = buf,
		.rdata_len = rw.count,
		.min = sizeof(got),
	};
	int err = vu_call(c, &call);

	if (!err)
		err = check_rw(c, &rw, &got, call.len - sizeof(got));
	return !err && call.len != sizeof(got) + rw.count ? -EIO : err;
}

static int write_chunk(struct vu_conn *c, struct vu_region_rw rw, const void *buf)
{
	struct vu_region_rw got = { .count = 0 };
	struct vu_call call = {
		.cmd = VU_REGION_WRITE,
		.req = &rw,
		.req_len = sizeof(rw),
		.data = buf,
		.data_len = rw.count,
		.reply = &got,
		.reply_len = sizeof(got),
		.min = sizeof(got),
	};
	int err = vu_call(c, &call);

	return err ? err : check_rw(c, &rw, &got, 0);
}

/* The next piece of an access; the server says how much it takes at a time. */
static struct vu_region_rw piece(struct weir_iodev *d, uint64_t file_off, size_t left)
{
	return (struct vu_region_rw){
		.offset = file_off & (REGION_MAX - 1),
		.region = (uint32_t)(file_off >> REGION_SHIFT),
		.count = (uint32_t)weir_min_u64(left, d->user->c.max_xfer),
	};
}

static int user_read(struct weir_iodev *d, uint64_t file_off, void *buf, size_t len)
{
	int err = 0;

	for (size_t at = 0; at < len && !err;) {
		struct vu_region_rw rw = piece(d, file_off + at, len - at);

		err = read_chunk(&d->user->c, rw, (char *)buf + at);
		at += rw.count;
	}
	return err;
}

static int user_write(struct weir_iodev *d, uint64_t file_off, const void *buf, size_t len)
{
	int err = 0;

	for (size_t at = 0; at < len && !err;) {
		struct vu_region_rw rw = piece(d, file_off + at, len - at);

		err = write_chunk(&d->user->c, rw, (const char *)buf + at);
		at += rw.count;
	}
	return err;
}

static int user_mmap(struct weir_iodev *d, uint64_t file_off, size_t len, void **va)
{
	unsigned index = (unsigned)(file_off >> REGION_SHIFT);
	uint64_t off = d->user->regions[index].off + (file_off & (REGION_MAX - 1));
	int flags = MAP_SHARED | (*va ? MAP_FIXED : 0);
	void *p;

	p = mmap(*va, len, PROT_READ | PROT_WRITE, flags, d->user->regions[index].fd, (off_t)off);
	if (p == MAP_FAILED)
		return -errno;
	*va = p;
	return 0;
}

/* --- interrupts --- */

static int user_irq_count(struct weir_iodev *d, unsigned index)
{
	struct vu_irq_info info = { .argsz = sizeof(info), .index = index };
	struct vu_call call = {
		.cmd = VU_GET_IRQ_INFO,
		.quiet = true,
		.req = &info,
		.req_len = sizeof(info),
		.reply = &info,
		.reply_len = sizeof(info),
		.min = sizeof(info),
	};
	int err;

	if (index >= d->user->num_irqs)
		return 0;
	err = vu_call(&d->user->c, &call);
	if (err)
		return err;
	if (info.index != index || info.count > 2048) /* PCI 3.0, 6.8.2.3: MSI-X has 2048 at most */
		return vu_violation(&d->user->c, "asked about interrupt %u it told of %u x %u",
				    index, info.count, info.index);
	return info.flags & VFIO_IRQ_INFO_EVENTFD ? (int)info.count : 0;
}

static int set_irqs(struct vu_conn *c, struct vu_irq_set set, const int *fds, unsigned n_fds)
{
	struct vu_call call = {
		.cmd = VU_SET_IRQS,
		.quiet = true,
		.req = &set,
		.req_len = sizeof(set),
		.fds = fds,
		.n_fds = n_fds,
	};

	set.argsz = sizeof(set);
	set.flags |= VFIO_IRQ_SET_ACTION_TRIGGER;
	return vu_call(c, &call);
}

static int irqs_off(struct vu_conn *c, unsigned index)
{
	struct vu_irq_set set = { .flags = VFIO_IRQ_SET_DATA_NONE, .index = index };

	return set_irqs(c, set, NULL, 0);
}

/* As many vectors from @fds on as go into one message: alike in having an fd or not. */
static unsigned irq_run(const struct vu_conn *c, const int *fds, unsigned n)
{
	unsigned k = 1;

	if (fds[0] < 0)
		return 1;
	while (k < n && k < c->max_fds && fds[k] >= 0)
		k++;
	return k;
}

static int user_irq_set(struct weir_iodev *d, unsigned index, unsigned n, const int *fds)
{
	struct vu_conn *c = &d->user->c;
	int err = 0;

	if (!n)
		return irqs_off(c, index);
	if (!c->max_fds)
		return weir_fail(d->w, EOPNOTSUPP, "vfio-user-fds",
				 "%s: the server takes no fds: no interrupts", d->name);
	for (unsigned i = 0; i < n && !err;) {
		struct vu_irq_set set = {
			.flags = VFIO_IRQ_SET_DATA_EVENTFD,
			.index = index,
			.start = i,
			.count = irq_run(c, fds + i, n - i),
		};

		err = set_irqs(c, set, fds + i, fds[i] < 0 ? 0 : set.count);
		i += set.count;
	}
	if (err)
		irqs_off(c, index);
	return err;
}

static int user_service(struct weir_iodev *d)
{
	return vu_service(&d->user->c);
}

const struct weir_devio_ops weir_user_devio = {
	.region = user_region,
	.read = user_read,
	.write = user_write,
	.mmap = user_mmap,
	.irq_count = user_irq_count,
	.irq_set = user_irq_set,
	.reset = user_reset,
	.service = user_service,
};
