/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user: in-flight tracking (VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD). A back end that has it notes in
 * a file which buffers it has taken and not given back. The front end keeps that file, unread, and
 * hands it to the back end that comes after a crash, which takes those up again: the rings go on.
 */
#include "nics/virtio/virtio_user.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Far more than anybody's notes on a descriptor take. */
#define MOST_PER_DESC 4096ull

bool virtio_user_resumes(struct virtio_transport *t, bool in_order)
{
	struct virtio_user *u = weir_container_of(t, struct virtio_user, t);

	if (u->protocol & VHOST_PROTOCOL_F_INFLIGHT)
		return u->track >= 0;
	/* In order, what was not given back can simply be taken again. */
	return in_order;
}

static int nonsense(struct virtio_user *u, const char *what)
{
	return virtio_user_nonsense(u, VHOST_USER_GET_INFLIGHT_FD, "%s", what);
}

/*
 * The file is not read here, but the next back end maps it: it is memory that has the length that it
 * is said to have, and keeps it.
 */
static int check_file(struct virtio_user *u, const struct vhost_inflight *r, int fd)
{
	struct stat st;
	/* Where that is to be had. A file that has seals is memory: to look at it does not block. */
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return nonsense(u, "expected shared memory, got another kind of file");
	if (!(seals & F_SEAL_SHRINK))
		(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	if (fstat(fd, &st))
		return nonsense(u, "the file cannot be looked at");
	if (r->mmap_off > (uint64_t)st.st_size || r->mmap_size > (uint64_t)st.st_size - r->mmap_off)
		return virtio_user_nonsense(
			u, VHOST_USER_GET_INFLIGHT_FD,
			"expected a file of %llu bytes from %llu on, got one of %llu",
			(unsigned long long)r->mmap_size, (unsigned long long)r->mmap_off,
			(unsigned long long)st.st_size);
	return 0;
}

static int check_region(struct virtio_user *u, const struct vhost_inflight *want,
			const struct vhost_inflight *r, int fd)
{
	const uint64_t most = MOST_PER_DESC * want->queues * want->size;

	if (r->queues != want->queues || r->size != want->size)
		return virtio_user_nonsense(u, VHOST_USER_GET_INFLIGHT_FD,
					    "expected %u rings of %u descriptors, got %u of %u",
					    want->queues, want->size, r->queues, r->size);
	if (r->mmap_size > most)
		return virtio_user_nonsense(
			u, VHOST_USER_GET_INFLIGHT_FD, "expected %llu bytes at most, got %llu",
			(unsigned long long)most, (unsigned long long)r->mmap_size);
	if (fd < 0)
		return nonsense(u, "expected a file descriptor, got none");
	return check_file(u, r, fd);
}

/* Ask for a file. One of no length is the answer of a back end that has no notes to take. */
static int get_region(struct virtio_user *u, unsigned rings, unsigned size)
{
	struct vhost_msg m = { .req = VHOST_USER_GET_INFLIGHT_FD,
			       .size = sizeof(m.inflight),
			       .inflight = { .queues = (uint16_t)rings, .size = (uint16_t)size } };
	/* Some leave out what pads the structure to its alignment. */
	struct virtio_user_answer a = { .min = offsetof(struct vhost_inflight, size) + 2,
					.max = sizeof(a.m.inflight),
					.fds = 1 };
	struct vhost_inflight want = m.inflight, got;
	bool again = virtio_user_again(u);
	int err = virtio_user_ask(u, &m, &a);

	if (err || again)
		return err;
	got = a.m.inflight;
	if (!got.mmap_size && a.fd < 0)
		return 0;
	err = check_region(u, &want, &got, a.fd);
	if (err) {
		if (a.fd >= 0)
			close(a.fd);
		return err;
	}
	u->track = a.fd;
	u->region = got;
	return 0;
}

static void forget(struct virtio_user *u)
{
	if (u->track >= 0)
		close(u->track);
	u->track = -1;
}

int virtio_user_track(struct virtio_transport *t, unsigned rings, unsigned size, bool resume)
{
	struct virtio_user *u = weir_container_of(t, struct virtio_user, t);
	struct vhost_msg m = { .req = VHOST_USER_SET_INFLIGHT_FD, .size = sizeof(m.inflight) };
	int err = 0;

	/* Notes on rings that are new, or in the hands of somebody who takes none: none. */
	if (!(u->protocol & VHOST_PROTOCOL_F_INFLIGHT)) {
		forget(u);
		return 0;
	}
	if (!resume && !virtio_user_again(u))
		forget(u);
	if (u->track < 0 || u->track_new) {
		u->track_new = true;
		err = get_region(u, rings, size);
	}
	if (err || u->track < 0)
		return err;
	m.inflight = u->region;
	return virtio_user_tell(u, &m, &u->track, 1);
}
