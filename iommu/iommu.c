/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices and the choice of a backend: what is common to all modes. */
#include "iommu/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

const struct weir_backend *const weir_backends[WEIR_MODE_MAX] = {
	[WEIR_MODE_CDEV] = &weir_backend_cdev,	    [WEIR_MODE_GROUP] = &weir_backend_group,
	[WEIR_MODE_COMPAT] = &weir_backend_compat,  [WEIR_MODE_TYPE1] = &weir_backend_type1,
	[WEIR_MODE_VFIO_USER] = &weir_backend_user, [WEIR_MODE_NOIOMMU] = &weir_backend_noiommu,
	[WEIR_MODE_VDPA] = &weir_backend_vdpa,
};

#define USER_TIMEOUT_MS 5000

static const char *const mode_names[WEIR_MODE_MAX] = {
	[WEIR_MODE_AUTO] = "auto",	 [WEIR_MODE_CDEV] = "cdev",
	[WEIR_MODE_GROUP] = "group",	 [WEIR_MODE_COMPAT] = "compat",
	[WEIR_MODE_TYPE1] = "type1",	 [WEIR_MODE_VFIO_USER] = "vfio-user",
	[WEIR_MODE_NOIOMMU] = "noiommu", [WEIR_MODE_VDPA] = "vdpa",
};

const char *weir_mode_name(enum weir_mode mode)
{
	return (unsigned)mode < WEIR_MODE_MAX ? mode_names[mode] : "?";
}

int weir_mode_parse(const char *s, enum weir_mode *mode)
{
	for (unsigned i = 0; i < WEIR_MODE_MAX; i++) {
		if (!strcmp(s, mode_names[i])) {
			*mode = (enum weir_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

int weir_iommu_open(struct weir *w, struct weir_iommu **out)
{
	struct weir_iommu *iommu = calloc(1, sizeof(*iommu));

	if (!iommu)
		return -ENOMEM;
	iommu->w = w;
	iommu->iommufd = -1;
	iommu->timeout_ms = USER_TIMEOUT_MS;
	iommu->watch.gone = weir_map_arena_gone;
	weir_arena_watch(w, &iommu->watch);
	*out = iommu;
	return 0;
}

void weir_iommu_close(struct weir_iommu *iommu)
{
	if (!iommu)
		return;
	if (iommu->devices) {
		weir_log(
			iommu->w, WEIR_LOG_ERR, "iommu-busy",
			"weir_iommu_close() with %u devices open: close them before; their address "
			"spaces end with the last of them",
			iommu->devices);
		iommu->closed = true;
		return;
	}
	while (iommu->spaces && !weir_ioas_destroy(iommu->spaces))
		;
	weir_close_fd(&iommu->iommufd);
	weir_arena_unwatch(iommu->w, &iommu->watch);
	free(iommu);
}

struct weir *weir_iommu_handle(const struct weir_iommu *iommu)
{
	return iommu->w;
}

void weir_iommu_set_timeout(struct weir_iommu *iommu, unsigned ms)
{
	if (ms)
		iommu->timeout_ms = ms;
}

/* Whether a backend is for devices of this kind: what the string begins with tells. */
static bool is_for(const struct weir_backend *be, const char *dev)
{
	for (unsigned i = 0; i < WEIR_MODE_MAX; i++) {
		const char *s = weir_backends[i] ? weir_backends[i]->scheme : NULL;

		if (s && !strncmp(dev, s, strlen(s)))
			return be == weir_backends[i];
	}
	return !be->scheme;
}

void weir_mode_probe(struct weir *w, const char *sysdev, struct weir_mode_report *r)
{
	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < WEIR_MODE_MAX; i++) {
		r->id[i] = "";
		if (!weir_backends[i])
			continue;
		r->usable[i] = -EOPNOTSUPP;
		if (!is_for(weir_backends[i], sysdev))
			continue;
		r->usable[i] =
			weir_backends[i]->probe(weir_backends[i], w, sysdev, r->why[i], &r->id[i]);
		if (!r->usable[i] && !weir_backends[i]->only_asked && r->chosen == WEIR_MODE_AUTO)
			r->chosen = (enum weir_mode)i;
	}
}

/* The safest mode that is made for this kind of device. */
static enum weir_mode best_of(const struct weir_mode_report *r)
{
	unsigned m = WEIR_MODE_AUTO + 1;

	while (m < WEIR_MODE_MAX - 1 && !*r->why[m])
		m++;
	return (enum weir_mode)m;
}

/* "cdev: reason. group: reason.", each reason once; modes that AUTO would not take are left out. */
static void all_reasons(const struct weir_mode_report *r, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = WEIR_MODE_AUTO + 1; i < WEIR_MODE_MAX && n < size; i++) {
		bool said = !*r->why[i] || weir_backends[i]->only_asked;

		for (unsigned k = WEIR_MODE_AUTO + 1; k < i && !said; k++)
			said = !strcmp(r->why[k], r->why[i]);
		if (!said)
			n += (size_t)snprintf(out + n, size - n, "%s%s: %s", n ? ". " : "",
					      weir_mode_name((enum weir_mode)i), r->why[i]);
	}
}

/* Say for every mode why it is not usable; the error is that of the best mode. */
static int none_usable(struct weir_iodev *d, enum weir_mode asked)
{
	const struct weir_mode_report *r = &d->report;
	enum weir_mode m = asked == WEIR_MODE_AUTO ? best_of(r) : asked;
	char text[3 * WEIR_WHY_LEN];

	if (!*r->why[m])
		return weir_fail(d->w, EOPNOTSUPP, "mode",
				 "%s cannot be used in %s mode: that is for another kind of device",
				 d->name, weir_mode_name(m));
	if (asked != WEIR_MODE_AUTO || strcmp(r->why[WEIR_MODE_CDEV], r->why[WEIR_MODE_GROUP]) == 0)
		return weir_fail(d->w, r->usable[m], r->id[m], "%s cannot be used in %s mode: %s",
				 d->name, asked == WEIR_MODE_AUTO ? "any" : weir_mode_name(m),
				 r->why[m]);
	all_reasons(r, text, sizeof(text));
	if (m == WEIR_MODE_CDEV)
		m = WEIR_MODE_GROUP;
	return weir_fail(d->w, r->usable[m], r->id[m], "%s cannot be used. %s", d->name, text);
}

static int choose(struct weir_iodev *d, enum weir_mode asked)
{
	struct weir_mode_report *r = &d->report;

	weir_mode_probe(d->w, d->sysdev, r);
	if (asked != WEIR_MODE_AUTO)
		r->chosen = r->usable[asked] ? WEIR_MODE_AUTO : asked;
	if (r->chosen == WEIR_MODE_AUTO)
		return none_usable(d, asked);
	for (unsigned i = WEIR_MODE_AUTO + 1; i < r->chosen; i++)
		if (!r->usable[i] || (asked == WEIR_MODE_AUTO && *r->why[i]))
			weir_info(d->w, "%s: %s mode passed over: %s", d->name,
				  weir_mode_name((enum weir_mode)i),
				  r->usable[i] ? r->why[i] : "another one was asked for");
	return 0;
}

/* One way to open one device. */
static int try_open(struct weir_iodev *d, enum weir_mode mode)
{
	d->be = weir_backends[mode];
	return d->be->dev_open(d);
}

/* Why AUTO leaves a mode that looked usable: kept in the report. */
static void give_up(struct weir_iodev *d, enum weir_mode mode, int err, const char *what)
{
	struct weir_mode_report *r = &d->report;

	r->usable[mode] = err;
	r->id[mode] = "refused";
	snprintf(r->why[mode], WEIR_WHY_LEN, "the kernel refused %s: %s", what, weir_strerror(err));
}

/* AUTO goes on to the next mode when the kernel refuses one that looked usable. */
static int open_auto(struct weir_iodev *d)
{
	struct weir_mode_report *r = &d->report;
	int err = -ENODEV;

	for (unsigned i = r->chosen; i < WEIR_MODE_MAX; i++) {
		if (r->usable[i] || weir_backends[i]->only_asked)
			continue;
		err = try_open(d, (enum weir_mode)i);
		if (!err) {
			r->chosen = (enum weir_mode)i;
			return 0;
		}
		/* A device that another process holds is held in every mode. */
		if (err == -EBUSY)
			break;
		give_up(d, (enum weir_mode)i, err, "it");
	}
	r->chosen = WEIR_MODE_AUTO;
	return err;
}

void weir_iodev_free(struct weir_iodev *d)
{
	pthread_mutex_destroy(&d->lock);
	free(d);
}

struct weir_iodev *weir_iodev_new(struct weir_iommu *iommu)
{
	struct weir_iodev *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->iommu = iommu;
	d->w = iommu->w;
	d->fd = -1;
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

int weir_iodev_open(struct weir_iommu *iommu, const char *sysdev, enum weir_mode mode,
		    struct weir_iodev **out)
{
	struct weir_iodev *d;
	int err;

	if ((unsigned)mode >= WEIR_MODE_MAX || strlen(sysdev) >= PATH_MAX)
		return -EINVAL;
	d = weir_iodev_new(iommu);
	if (!d)
		return -ENOMEM;
	strcpy(d->sysdev, sysdev);
	d->name = d->sysdev;
	if (*sysdev == '/')
		d->name = strrchr(d->sysdev, '/') + 1;
	err = choose(d, mode);
	if (!err)
		err = mode == WEIR_MODE_AUTO ? open_auto(d) : try_open(d, mode);
	d->automatic = mode == WEIR_MODE_AUTO;
	if (err) {
		weir_iodev_free(d);
		return err;
	}
	iommu->devices++;
	*out = d;
	return 0;
}

void weir_iodev_close(struct weir_iodev *d)
{
	struct weir_iommu *iommu;

	if (!d)
		return;
	iommu = d->iommu;
	weir_iodev_detach(d);
	if (!d->shut)
		d->be->dev_close(d);
	weir_iodev_free(d);
	if (!--iommu->devices && iommu->closed)
		weir_iommu_close(iommu);
}

int weir_iodev_check_ioas(struct weir_iodev *d, const struct weir_ioas *as)
{
	if (as->iommu == d->iommu)
		return 0;
	return weir_fail(d->w, EINVAL, "ioas-place",
			 "%s: the address space is of another weir_iommu_open() than the device: "
			 "make it with the one that the device was opened with",
			 d->name);
}

int weir_iodev_attach(struct weir_iodev *d, struct weir_ioas *as)
{
	int err = weir_iodev_check_ioas(d, as);

	if (err)
		return err;
	if (d->as)
		return weir_fail(d->w, EBUSY, "attach", "%s is attached already; detach it first",
				 d->name);
	if (d->shut)
		return weir_fail(d->w, ENODEV, "attach",
				 "%s could not be opened again in any other mode: close it, and "
				 "open it anew",
				 d->name);
	if (as->be != d->be)
		return weir_fail(d->w, EINVAL, "attach",
				 "%s is in %s mode, the address space in %s mode", d->name,
				 weir_mode_name(d->be->mode), weir_mode_name(as->be->mode));
	d->as = as;
	err = d->be->dev_attach(d);
	if (err)
		d->as = NULL;
	else
		as->devices++;
	return err;
}

/* The next mode after one that opened but did not attach. Return: 0 if there is one, opened. */
static int next_mode(struct weir_iodev *d, int err)
{
	enum weir_mode mode = d->be->mode;

	give_up(d, mode, err, "to attach it to an address space");
	for (unsigned i = mode + 1; i < WEIR_MODE_MAX; i++) {
		if (d->report.usable[i] || weir_backends[i]->only_asked)
			continue;
		d->be->dev_close(d);
		d->hw_known = false;
		err = open_auto(d);
		d->shut = err;
		return err;
	}
	return err;
}

int weir_iodev_attach_default(struct weir_iodev *d, struct weir_ioas **as)
{
	int err;

	for (;;) {
		enum weir_mode mode = d->be->mode;

		err = weir_ioas_default(d->iommu, mode, as);
		if (!err)
			err = weir_iodev_attach(d, *as);
		if (!err || !d->automatic || d->shut || next_mode(d, err))
			return err;
		weir_info(d->w, "%s: %s mode passed over: %s", d->name, weir_mode_name(mode),
			  d->report.why[mode]);
	}
}

int weir_iodev_detach(struct weir_iodev *d)
{
	int err;

	if (!d->as)
		return 0;
	weir_map_dev_gone(d);
	weir_pasids_end(d);
	err = d->be->dev_detach(d);
	if (err)
		weir_warn(d->w, "%s: detaching: %s", d->name, weir_strerror(err));
	weir_ioas_left(d->as);
	d->as = NULL;
	memset(d->regions, 0, sizeof(d->regions));
	return err;
}

int weir_iodev_move(struct weir_iodev *d, struct weir_ioas *as)
{
	int err = weir_iodev_check_ioas(d, as);

	if (err)
		return err;
	if (!d->as || as->be != d->be)
		return weir_fail(d->w, EINVAL, "move",
				 "%s: to be moved it must be attached, and the address space be of "
				 "its mode",
				 d->name);
	if (!d->be->dev_move)
		return weir_fail(d->w, EOPNOTSUPP, "move",
				 "%s: in %s mode a device cannot change its address space in one "
				 "step: stop it, detach it and all devices that share its group, "
				 "and attach them to the other; cdev mode can",
				 d->name, weir_mode_name(d->be->mode));
	err = as == d->as ? 0 : d->be->dev_move(d, as);
	if (err)
		return err;
	as->devices++;
	weir_ioas_left(d->as);
	d->as = as;
	return 0;
}

enum weir_mode weir_iodev_mode(const struct weir_iodev *d)
{
	return d->be->mode;
}

struct weir_ioas *weir_iodev_ioas(const struct weir_iodev *d)
{
	return d->as;
}

const struct weir_mode_report *weir_iodev_report(const struct weir_iodev *d)
{
	return &d->report;
}

struct weir *weir_iodev_handle(const struct weir_iodev *d)
{
	return d->w;
}

int weir_iodev_fd(const struct weir_iodev *d)
{
	return d->be->mode == WEIR_MODE_VDPA ? d->fd : -1;
}

const char *weir_iodev_name(const struct weir_iodev *d)
{
	return d->name;
}

int weir_iodev_not_attached(struct weir_iodev *d)
{
	return weir_fail(d->w, ENODEV, "not-attached",
			 "%s can be used once it is attached to an address space", d->name);
}

static int ask_region(struct weir_iodev *d, unsigned index)
{
	int err = d->be->io->region(d, index, &d->regions[index].r, &d->regions[index].file_off);

	d->regions[index].known = !err;
	return err;
}

/* Asked for once; never changed after that while the device is attached. */
static int need_region(struct weir_iodev *d, unsigned index)
{
	int err = 0;

	if (!d->as)
		return weir_iodev_not_attached(d);
	if (index >= WEIR_MAX_REGIONS)
		return -EINVAL;
	pthread_mutex_lock(&d->lock);
	if (!d->regions[index].known)
		err = ask_region(d, index);
	pthread_mutex_unlock(&d->lock);
	return err;
}

int weir_iodev_region(struct weir_iodev *d, unsigned index, struct weir_region *r)
{
	int err = need_region(d, index);

	if (!err)
		*r = d->regions[index].r;
	return err;
}

static int check_access(struct weir_iodev *d, unsigned index, uint64_t off, size_t len,
			unsigned flag)
{
	const struct weir_region *r;
	int err = need_region(d, index);

	if (err)
		return err;
	r = &d->regions[index].r;
	if (off > r->size || len > r->size - off || (r->flags & flag) != flag)
		return weir_fail(
			d->w, EINVAL, "region",
			"%s: %zu bytes at %#llx of region %u (%llu bytes) cannot be reached",
			d->name, len, (unsigned long long)off, index, (unsigned long long)r->size);
	return 0;
}

/* A backend with a peer says once itself that the peer is gone, silent or talks nonsense. */
static int told(struct weir_iodev *d, int err, const char *what, unsigned index, uint64_t off)
{
	bool lost = err == -ENODEV || err == -ETIMEDOUT || err == -EPROTO;

	if (!err || (lost && d->be->mode == WEIR_MODE_VFIO_USER))
		return err;
	return weir_fail(d->w, err, "region", "%s: %s region %u at %#llx: %s", d->name, what, index,
			 (unsigned long long)off, weir_strerror(err));
}

int weir_iodev_read(struct weir_iodev *d, unsigned index, uint64_t off, void *buf, size_t len)
{
	int err = check_access(d, index, off, len, WEIR_REGION_READ);

	if (err)
		return err;
	err = d->be->io->read(d, d->regions[index].file_off + off, buf, len);
	return told(d, err, "reading", index, off);
}

int weir_iodev_write(struct weir_iodev *d, unsigned index, uint64_t off, const void *buf,
		     size_t len)
{
	int err = check_access(d, index, off, len, WEIR_REGION_WRITE);

	if (err)
		return err;
	err = d->be->io->write(d, d->regions[index].file_off + off, buf, len);
	return told(d, err, "writing", index, off);
}

int weir_iodev_mmap(struct weir_iodev *d, unsigned index, uint64_t off, size_t len, void **va)
{
	int err = check_access(d, index, off, len, WEIR_REGION_MMAP);

	return err ? err : d->be->io->mmap(d, d->regions[index].file_off + off, len, va);
}

int weir_iodev_irq_count(struct weir_iodev *d, enum weir_irq_index index)
{
	return d->as ? d->be->io->irq_count(d, index) : weir_iodev_not_attached(d);
}

int weir_iodev_irq_set(struct weir_iodev *d, enum weir_irq_index index, unsigned n, const int *fds)
{
	return d->as ? d->be->io->irq_set(d, index, n, fds) : weir_iodev_not_attached(d);
}

int weir_iodev_reset(struct weir_iodev *d)
{
	return d->as ? d->be->io->reset(d) : weir_iodev_not_attached(d);
}

int weir_iodev_service(struct weir_iodev *d)
{
	return d->as && d->be->io->service ? d->be->io->service(d) : 0;
}
