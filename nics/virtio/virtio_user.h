/* SPDX-License-Identifier: BSD-3-Clause */
/* The front end of vhost-user, inside: the transport, and its messages. */
#ifndef WEIR_NICS_VIRTIO_USER_H
#define WEIR_NICS_VIRTIO_USER_H

#include "nics/vhost_msg.h"
#include "nics/virtio/virtio.h"

/* All messages of opening, starting, stopping, or coming back: together. */
#ifndef USER_TIMEOUT_US
#define USER_TIMEOUT_US 5000000
#endif
/* One call that looks after a port waits for so long; a message that has begun must end within. */
#define USER_SLICE_US 100000
/* Answers that are remembered from one slice to the next. */
#define USER_ANSWERS 8
/* Between attempts to reach a back end that is gone. */
#ifndef USER_RETRY_MOST_MS
#define USER_RETRY_FIRST_MS 20
#define USER_RETRY_MOST_MS  1000
#endif

#define USER_MAX_RINGS (2 * WEIR_MAX_QUEUES)
#define USER_MAX_CALLS (1 + WEIR_MAX_QUEUES)

/**
 * struct virtio_user - transport
 * @t: common part, first
 * @o: options; the path among them
 * @listener: in server mode, else -1
 * @sock: -1 while there is no back end
 * @backend: its features; @protocol: protocol features in use
 * @pairs: queue pairs
 * @has_mac: @mac is known: from the options or from the back end
 * @status: device status, kept here
 * @kick: eventfds of rings; made when a ring is first used, and kept
 * @call: eventfds of vectors, @n_call of them
 * @started: rings that the back end was told of
 * @track: -1, or a file of the back end's in which it notes what it has taken of the rings and not
 *         given back; kept for the one that comes after it. @region: what it says of that file
 * @track_new: the file was asked for on this connection
 * @end: what is being done must be over by then; a back end that is not is given up
 * @sliced: it need not be done in one go: it stops at @slice, and begins again from its start in the
 *          next call, where the first @n_done messages are taken for done, with the first @n_answers
 *          answers; @cursor and @asked count those of this time
 * @sent: the message after them is sent, its answer is waited for
 * @paused: this time it goes no further
 * @ready: the first messages of a connection are through
 * @retry_at: not before this, in ns; @retry_ms: until the attempt after that
 */
struct virtio_user {
	struct virtio_transport t;
	struct vhost_opts o;
	int listener, sock;
	uint64_t backend, protocol;
	unsigned pairs;
	bool has_mac;
	uint8_t mac[6];
	uint8_t status;
	int kick[USER_MAX_RINGS];
	int call[USER_MAX_CALLS];
	unsigned n_call;
	uint32_t started;
	int track;
	bool track_new;
	struct vhost_inflight region;
	struct weir_deadline end, slice;
	bool sliced, sent, paused, ready;
	unsigned cursor, n_done, asked, n_answers;
	struct vhost_msg answers[USER_ANSWERS];
	uint64_t retry_at;
	unsigned retry_ms;
};

/**
 * struct virtio_user_answer - what is expected of a request that has an answer of its own
 * @min: bytes of payload, at least; @max: at most
 * @fds: that come with it, at most
 * @m: filled: the answer
 * @fd: filled: what came with it, the caller's to close; or -1
 */
struct virtio_user_answer {
	unsigned min, max, fds;
	struct vhost_msg m;
	int fd;
};

/* The connection is of no use any more: close it, and say so once. */
void virtio_user_drop(struct virtio_user *u, const char *id, const char *what, const char *why);
/* The back end has said something that makes no sense: likewise. Return: -ENOTCONN. */
int virtio_user_nonsense(struct virtio_user *u, uint32_t req, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Why a connection is of no use, in words. */
const char *virtio_user_reason(int err);

/*
 * A sequence of messages begins: the @whole of it, in one go; or a slice of one, that goes on where the
 * last slice ended.
 */
void virtio_user_begin(struct virtio_user *u, bool whole);
/* The sequence is through: the next one is another. */
void virtio_user_done(struct virtio_user *u);
/* The next message is one that an earlier slice has sent. */
bool virtio_user_again(const struct virtio_user *u);

/**
 * virtio_user_ask() - send a request, wait for its answer
 * Return: 0 with *@a filled (an answer to an earlier slice has no @fd any more); -EAGAIN: this slice
 * is over; -ENOTCONN when there is no connection (any more), said.
 */
int virtio_user_ask(struct virtio_user *u, struct vhost_msg *m, struct virtio_user_answer *a);

/**
 * virtio_user_tell() - send a request that has no answer of its own
 * @fds: @n of them go along
 * Return: 0; -EAGAIN: this slice is over; -ENOTCONN, said; -EIO when the back end says that it failed, said.
 */
int virtio_user_tell(struct virtio_user *u, struct vhost_msg *m, const int *fds, unsigned n);

/* The same for the usual payloads. */
int virtio_user_get(struct virtio_user *u, uint32_t req, uint64_t *value);
int virtio_user_set(struct virtio_user *u, uint32_t req, uint64_t value);
int virtio_user_num(struct virtio_user *u, uint32_t req, unsigned index, unsigned num);
/* SET_VRING_KICK, _CALL: without an fd (-1), a bit says so. */
int virtio_user_fd(struct virtio_user *u, uint32_t req, unsigned index, int fd);

/* In-flight tracking, virtio_user_track.c: operations of the transport. */
bool virtio_user_resumes(struct virtio_transport *t, bool in_order);
int virtio_user_track(struct virtio_transport *t, unsigned rings, unsigned size, bool resume);

#endif
