/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages of the vhost-user front end: requests, and what of the back end's answers is believed.
 * An answer that is not one ends the connection, and what was wrong with it is said.
 */
#include "nics/virtio/virtio_user.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void virtio_user_drop(struct virtio_user *u, const char *id, const char *what, const char *why)
{
	if (u->sock < 0)
		return;
	close(u->sock);
	u->sock = -1;
	u->started = 0;
	u->ready = false;
	virtio_user_done(u);
	u->retry_ms = USER_RETRY_FIRST_MS;
	u->retry_at = weir_now_ns();
	weir_log(u->t.w, WEIR_LOG_WARN, id, "%s: %s: %s; the connection is closed", u->t.name, what,
		 why);
}

const char *virtio_user_reason(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "no answer in time";
	case -ENOTCONN:
	case -EPIPE:
	case -ECONNRESET:
		return "the back end has closed the connection";
	default:
		return weir_strerror(err);
	}
}

int virtio_user_nonsense(struct virtio_user *u, uint32_t req, const char *fmt, ...)
{
	char why[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	virtio_user_drop(u, "vhost-user-protocol", vhost_req_name(req), why);
	return -ENOTCONN;
}

/* What vhost_recv() took for no message at all; @r has its header. */
static int no_message(struct virtio_user *u, uint32_t req, const struct vhost_msg *r)
{
	const unsigned most = sizeof(*r) - VHOST_HDR_LEN;

	if (r->size > most)
		return virtio_user_nonsense(
			u, req, "expected an answer, got a message of %u bytes, %u are the most",
			r->size, most);
	if (r->flags && (r->flags & VHOST_MSG_VERSION_MASK) != VHOST_MSG_VERSION)
		return virtio_user_nonsense(u, req, "expected version %u, got flags 0x%x",
					    VHOST_MSG_VERSION, r->flags);
	return virtio_user_nonsense(u, req, "more than %u file descriptors came with the answer",
				    VHOST_MAX_FDS);
}

/* Is @r, with @n fds, the answer to @req that @a expects? Return: 0, or -ENOTCONN, said. */
static int check_answer(struct virtio_user *u, uint32_t req, const struct virtio_user_answer *a,
			const struct vhost_msg *r, unsigned n)
{
	if (r->req != req)
		return virtio_user_nonsense(u, req, "expected its answer, got message %u (%s)",
					    r->req, vhost_req_name(r->req));
	if (!(r->flags & VHOST_MSG_REPLY))
		return virtio_user_nonsense(
			u, req, "expected an answer, got a request of that name (flags 0x%x)",
			r->flags);
	if (r->size < a->min || r->size > a->max)
		return virtio_user_nonsense(u, req, "expected %u to %u bytes of payload, got %u",
					    a->min, a->max, r->size);
	if (n > a->fds)
		return virtio_user_nonsense(
			u, req, "expected %u file descriptors with the answer, got %u", a->fds, n);
	return 0;
}

/* --- slices --- */

static void rewind_to_start(struct virtio_user *u)
{
	u->cursor = u->asked = 0;
	u->paused = false;
}

void virtio_user_done(struct virtio_user *u)
{
	rewind_to_start(u);
	u->n_done = u->n_answers = 0;
	u->sent = false;
}

void virtio_user_begin(struct virtio_user *u, bool whole)
{
	u->sliced = !whole;
	rewind_to_start(u);
	if (!whole) {
		u->slice = weir_deadline_us(USER_SLICE_US);
		/* Rings are told of again from the first one. */
		u->started = 0;
		return;
	}
	/* Another sequence has got half way: the back end would mistake this one for it. */
	if (u->sock >= 0 && (!u->ready || u->n_done || u->sent))
		virtio_user_drop(u, "vhost-user-lost", "connection",
				 "the port was stopped while it was made");
	u->end = weir_deadline_us(USER_TIMEOUT_US);
}

bool virtio_user_again(const struct virtio_user *u)
{
	return u->cursor < u->n_done;
}

static bool replay(struct virtio_user *u, struct virtio_user_answer *a)
{
	if (!virtio_user_again(u))
		return false;
	u->cursor++;
	if (a) {
		a->m = u->answers[u->asked++];
		a->fd = -1;
	}
	return true;
}

/* There are fewer questions in any sequence than can be remembered. */
static void remember(struct virtio_user *u, const struct virtio_user_answer *a)
{
	u->sent = false;
	if (!u->sliced)
		return;
	u->cursor = ++u->n_done;
	if (a && u->n_answers < USER_ANSWERS) {
		u->answers[u->n_answers++] = a->m;
		u->asked = u->n_answers;
	}
}

static int lost(struct virtio_user *u, uint32_t req, int err)
{
	virtio_user_drop(u, "vhost-user-lost", vhost_req_name(req), virtio_user_reason(err));
	return -ENOTCONN;
}

/*
 * In a slice: wait for the socket, and say in *@end how long a message may take that has begun.
 * Return: 0; -EAGAIN when the slice is over first; -ENOTCONN, said.
 */
static int wait_slice(struct virtio_user *u, uint32_t req, short events, struct weir_deadline *end)
{
	int err;

	*end = u->end;
	if (!u->sliced)
		return 0;
	if (weir_deadline_passed(u->end))
		return lost(u, req, -ETIMEDOUT);
	err = vhost_wait(u->sock, events, u->slice);
	if (err == -ETIMEDOUT) {
		u->paused = true;
		return -EAGAIN;
	}
	*end = weir_deadline_us(USER_SLICE_US);
	return err ? lost(u, req, err) : 0;
}

/* --- messages --- */

static int transmit(struct virtio_user *u, struct vhost_msg *m, const int *fds, unsigned n)
{
	struct weir_deadline end;
	int err;

	if (u->sock < 0)
		return -ENOTCONN;
	if (u->paused)
		return -EAGAIN;
	if (u->sent)
		return 0;
	err = wait_slice(u, m->req, POLLOUT, &end);
	if (err)
		return err;
	err = vhost_send(u->sock, m, fds, n, end);
	u->sent = u->sliced && !err;
	return err ? lost(u, m->req, err) : 0;
}

static int receive(struct virtio_user *u, uint32_t req, struct virtio_user_answer *a)
{
	struct weir_deadline end;
	struct vhost_fds fds;
	int err = wait_slice(u, req, POLLIN, &end);

	if (err)
		return err;
	err = vhost_recv(u->sock, &a->m, &fds, end);
	a->fd = -1;
	if (err)
		return err == -EPROTO ? no_message(u, req, &a->m) : lost(u, req, err);
	err = check_answer(u, req, a, &a->m, fds.n);
	if (!err)
		a->fd = vhost_fds_take(&fds, 0);
	vhost_fds_close(&fds);
	return err;
}

int virtio_user_ask(struct virtio_user *u, struct vhost_msg *m, struct virtio_user_answer *a)
{
	int err;

	if (replay(u, a))
		return 0;
	m->flags = VHOST_MSG_VERSION;
	err = transmit(u, m, NULL, 0);
	if (!err)
		err = receive(u, m->req, a);
	if (!err)
		remember(u, a);
	return err;
}

int virtio_user_tell(struct virtio_user *u, struct vhost_msg *m, const int *fds, unsigned n)
{
	bool ack = u->protocol & VHOST_PROTOCOL_F_REPLY_ACK;
	struct virtio_user_answer a = { .min = sizeof(a.m.u64), .max = sizeof(a.m.u64) };
	int err;

	if (replay(u, NULL))
		return 0;
	m->flags = VHOST_MSG_VERSION | (ack ? VHOST_MSG_NEED_REPLY : 0);
	err = transmit(u, m, fds, n);
	if (!err && ack)
		err = receive(u, m->req, &a);
	if (err)
		return err;
	remember(u, NULL);
	if (!ack || !a.m.u64)
		return 0;
	return weir_fail(u->t.w, EIO, "vhost-user-refused",
			 "%s: the back end says that %s failed (%llu)", u->t.name,
			 vhost_req_name(m->req), (unsigned long long)a.m.u64);
}

int virtio_user_get(struct virtio_user *u, uint32_t req, uint64_t *value)
{
	struct vhost_msg m = { .req = req };
	struct virtio_user_answer a = { .min = sizeof(m.u64), .max = sizeof(m.u64) };
	int err = virtio_user_ask(u, &m, &a);

	if (!err)
		*value = a.m.u64;
	return err;
}

int virtio_user_set(struct virtio_user *u, uint32_t req, uint64_t value)
{
	struct vhost_msg m = { .req = req, .size = sizeof(m.u64), .u64 = value };

	return virtio_user_tell(u, &m, NULL, 0);
}

int virtio_user_num(struct virtio_user *u, uint32_t req, unsigned index, unsigned num)
{
	struct vhost_msg m = { .req = req,
			       .size = sizeof(m.num),
			       .num = { .index = index, .num = num } };

	return virtio_user_tell(u, &m, NULL, 0);
}

int virtio_user_fd(struct virtio_user *u, uint32_t req, unsigned index, int fd)
{
	struct vhost_msg m = { .req = req,
			       .size = sizeof(m.u64),
			       .u64 = index | (fd < 0 ? VHOST_VRING_NOFD : 0) };

	return virtio_user_tell(u, &m, &fd, fd >= 0);
}
