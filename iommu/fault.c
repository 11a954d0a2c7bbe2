/* SPDX-License-Identifier: BSD-3-Clause */
/* Page requests: a queue of IOMMUFD's, read and answered by its file descriptor. */
#include "iommu/internal.h"
#include "iommu/uapi.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

/* PCIe 10.4.1 */
#define PERM_READ  (1u << 0)
#define PERM_WRITE (1u << 1)
#define PERM_EXEC  (1u << 2)
#define PERM_PRIV  (1u << 3)

int weir_faults_create(struct weir_iommu *iommu, struct weir_faults **out)
{
	struct uapi_fault_alloc cmd = { .size = sizeof(cmd) };
	struct weir_faults *f;
	int err = weir_iommufd_need(iommu);

	if (err)
		return err;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	err = weir_ioctl(iommu->iommufd, UAPI_IOMMU_FAULT_QUEUE_ALLOC, &cmd);
	if (err < 0) {
		free(f);
		return weir_fail(iommu->w, err == -ENOTTY ? -EOPNOTSUPP : err, "faults",
				 "the kernel made no queue for page requests: %s; it needs Linux "
				 "6.11",
				 weir_strerror(err));
	}
	*f = (struct weir_faults){ .iommu = iommu,
				   .id = cmd.out_fault_id,
				   .fd = (int)cmd.out_fault_fd };
	*out = f;
	return 0;
}

int weir_faults_destroy(struct weir_faults *f)
{
	struct uapi_iommu_destroy cmd = { .size = sizeof(cmd) };
	int err;

	if (!f)
		return 0;
	if (f->users)
		return weir_fail(f->iommu->w, EBUSY, "faults",
				 "a queue for page requests of %u page tables cannot be destroyed",
				 f->users);
	/* The descriptor holds the object: it goes first. */
	weir_close_fd(&f->fd);
	cmd.id = f->id;
	err = weir_ioctl(f->iommu->iommufd, UAPI_IOMMU_DESTROY, &cmd);
	if (err < 0)
		weir_warn(f->iommu->w, "IOMMU_DESTROY of fault queue %u: %s", f->id,
			  weir_strerror(err));
	free(f);
	return 0;
}

int weir_faults_fd(const struct weir_faults *f)
{
	return f->fd;
}

static struct weir_fault decode(const struct uapi_pgfault *k)
{
	return (struct weir_fault){
		.devid = k->dev_id,
		.pasid = k->flags & UAPI_PGFAULT_PASID ? k->pasid : WEIR_PASID_NONE,
		.group = k->grpid,
		.cookie = k->cookie,
		.last = k->flags & UAPI_PGFAULT_LAST,
		.read = k->perm & PERM_READ,
		.write = k->perm & PERM_WRITE,
		.exec = k->perm & PERM_EXEC,
		.priv = k->perm & PERM_PRIV,
		.addr = k->addr,
		.len = k->length,
	};
}

/* The kernel reads nothing when the first group has more requests than there is room for. */
static bool is_waiting(const struct weir_faults *f)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

int weir_faults_read(struct weir_faults *f, struct weir_fault *out, unsigned n)
{
	struct uapi_pgfault *k;
	ssize_t got;
	int err = 0;

	k = calloc(n ? n : 1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	got = read(f->fd, k, n * sizeof(*k));
	if (got < 0)
		err = errno == EAGAIN ? 0 : -errno;
	for (size_t i = 0; got > 0 && i < (size_t)got / sizeof(*k); i++)
		out[i] = decode(&k[i]);
	free(k);
	if (err)
		return weir_fail(f->iommu->w, err, "faults", "reading page requests: %s",
				 weir_strerror(err));
	if (got > 0)
		return (int)((size_t)got / sizeof(*k));
	return got == 0 && is_waiting(f) ? -EMSGSIZE : 0;
}

int weir_faults_answer(struct weir_faults *f, uint32_t cookie, bool mapped)
{
	const struct uapi_page_response r = { .cookie = cookie, .code = mapped ? 0 : 1 };
	ssize_t n = write(f->fd, &r, sizeof(r));

	if (n == sizeof(r))
		return 0;
	return weir_fail(f->iommu->w, n < 0 ? errno : EIO, "faults",
			 "answering the page requests with cookie %u: %s", cookie,
			 weir_strerror(n < 0 ? errno : EIO));
}
