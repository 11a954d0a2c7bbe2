/* SPDX-License-Identifier: BSD-3-Clause */
/* "tap:NAME": the host's own network stack is at the other end. */
#include "apps/nicsim/wire.h"

#include <fcntl.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct wire_tap {
	struct wire wire;
	int fd;
	uint8_t frame[NIC_FRAME_MAX];
};

static int tap_open(struct weir *w, const char *spec, uint64_t seed, struct wire **out)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct wire_tap *t = calloc(1, sizeof(*t));
	int err;

	(void)seed;
	if (!t)
		return -ENOMEM;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", spec);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &ifr)) {
		err = weir_fail(
			w, errno, "wire-tap",
			"cannot have the tap interface \"%s\": %s; it takes CAP_NET_ADMIN, or "
			"one made before with `ip tuntap add mode tap user $USER name %s`",
			spec, weir_strerror(errno), spec);
		if (t->fd >= 0)
			close(t->fd);
		free(t);
		return err;
	}
	*out = &t->wire;
	return 0;
}

static unsigned tap_poll(struct wire *wire, struct nic *n, unsigned budget)
{
	struct wire_tap *t = (struct wire_tap *)wire;
	unsigned done = 0;

	while (done < budget) {
		ssize_t len = read(t->fd, t->frame, sizeof(t->frame));

		if (len <= 0)
			break;
		wire_rx(wire, n, t->frame, (unsigned)len, false);
		done++;
	}
	return done;
}

static bool tap_send(struct wire *wire, const uint8_t *f, unsigned len)
{
	return write(((struct wire_tap *)wire)->fd, f, len) == (ssize_t)len;
}

static int tap_fd(struct wire *wire)
{
	return ((struct wire_tap *)wire)->fd;
}

static int tap_close(struct wire *wire)
{
	close(((struct wire_tap *)wire)->fd);
	free(wire);
	return 0;
}

const struct wire_ops wire_tap = {
	.prefix = "tap:",
	.help = "tap:NAME                  the host's network stack",
	.open = tap_open,
	.poll = tap_poll,
	.send = tap_send,
	.fd = tap_fd,
	.close = tap_close,
};
