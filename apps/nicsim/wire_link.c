/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "link:/path.sock": a cable to another nicsim. Who comes first listens, the other connects; a
 * frame is a message. When the other side is slow, the sender holds its frames back.
 */
#include "apps/nicsim/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG_MAX 64u
#define SOCK_BUFFER (4 << 20)

struct wire_link {
	struct wire wire;
	char path[108];
	int listen, fd;
	struct wire_fifo out;
	uint8_t frame[NIC_FRAME_MAX];
	unsigned held;
};

static int listen_at(struct wire_link *l, const struct sockaddr_un *a)
{
	unlink(l->path);
	l->listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->listen < 0)
		return -errno;
	if (bind(l->listen, (const void *)a, sizeof(*a)) || listen(l->listen, 1))
		return -errno;
	return 0;
}

static void buffers(int fd)
{
	int size = SOCK_BUFFER;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int link_close(struct wire *wire)
{
	struct wire_link *l = (struct wire_link *)wire;

	if (l->fd >= 0)
		close(l->fd);
	if (l->listen >= 0) {
		close(l->listen);
		unlink(l->path);
	}
	free(l->out.data);
	free(l);
	return 0;
}

static int link_open(struct weir *w, const char *spec, uint64_t seed, struct wire **out)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct wire_link *l = calloc(1, sizeof(*l));
	int err = 0;

	(void)seed;
	if (!l)
		return -ENOMEM;
	l->listen = -1;
	snprintf(l->path, sizeof(l->path), "%s", spec);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", spec);
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		err = -errno;
	else if (!connect(l->fd, (const void *)&a, sizeof(a)))
		buffers(l->fd);
	else {
		close(l->fd);
		l->fd = -1;
		err = listen_at(l, &a);
	}
	if (err) {
		weir_fail(w, err, "wire-link", "cannot have a link at \"%s\": %s", spec,
			  weir_strerror(err));
		link_close(&l->wire);
		return err;
	}
	*out = &l->wire;
	return 0;
}

static bool connected(struct wire_link *l)
{
	if (l->fd < 0 && l->listen >= 0) {
		l->fd = accept4(l->listen, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (l->fd >= 0)
			buffers(l->fd);
	}
	return l->fd >= 0;
}

static void lost(struct wire_link *l)
{
	close(l->fd);
	l->fd = -1;
}

/* Return: 1 sent, 0 later, -1 the other side is gone. */
static int transmit(struct wire_link *l, const uint8_t *f, unsigned len)
{
	if (send(l->fd, f, len, MSG_NOSIGNAL) >= 0)
		return 1;
	return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
}

static void flush(struct wire_link *l)
{
	unsigned len;
	const uint8_t *f;

	while (l->fd >= 0 && (f = wire_fifo_peek(&l->out, &len))) {
		int r = transmit(l, f, len);

		if (!r)
			return;
		if (r < 0)
			lost(l);
		wire_fifo_pop(&l->out);
	}
}

static unsigned link_poll(struct wire *wire, struct nic *n, unsigned budget)
{
	struct wire_link *l = (struct wire_link *)wire;
	unsigned done = 0;

	if (!connected(l))
		return 0;
	flush(l);
	while (l->fd >= 0 && done < budget) {
		if (!l->held) {
			ssize_t len = recv(l->fd, l->frame, sizeof(l->frame), 0);

			if (len == 0 || (len < 0 && errno != EAGAIN))
				lost(l);
			if (len <= 0)
				break;
			l->held = (unsigned)len;
		}
		/* Pausing the sender is what a switch port would do with flow control. */
		if (wire_rx(wire, n, l->frame, l->held, nic_rx_ready(n)) == RX_WAIT)
			break;
		l->held = 0;
		done++;
	}
	return done;
}

static bool link_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	struct wire_link *l = (struct wire_link *)wire;
	int r;

	if (!connected(l))
		return false;
	if (l->out.frames)
		return wire_fifo_push(&l->out, f, len);
	r = transmit(l, f, len);
	if (r < 0)
		lost(l);
	return r ? r > 0 : wire_fifo_push(&l->out, f, len);
}

static bool link_ready(struct wire *wire)
{
	struct wire_link *l = (struct wire_link *)wire;

	return l->fd < 0 || l->out.frames < BACKLOG_MAX;
}

static int link_fd(struct wire *wire)
{
	struct wire_link *l = (struct wire_link *)wire;

	return l->fd >= 0 ? l->fd : l->listen;
}

const struct wire_ops wire_link = {
	.prefix = "link:",
	.help = "link:/path.sock           a cable to another nicsim",
	.open = link_open,
	.poll = link_poll,
	.send = link_send,
	.ready = link_ready,
	.fd = link_fd,
	.close = link_close,
};
