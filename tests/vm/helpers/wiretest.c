/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wiretest: send a pcap file into one interface and compare what comes out of another with it.
 *
 *   wiretest [OPTIONS] TX RX FILE.pcap        TX and RX: [NETNS:]INTERFACE
 *   wiretest --flood SECONDS TX FILE.pcap     send only, over and over, as fast as it goes
 *   wiretest --once RATE TX FILE.pcap         send only, once, so many frames a second at most
 *
 *   --order total|class|flow   what must keep its order (checker.h); default total
 *   --window N                 frames under way at most, default 64: an emulated receiver is slow
 *   --count N                  send only the first N frames
 *   --wait SECONDS             how long nothing may arrive before frames count as lost, default 3
 *   --write OUT.pcap           keep what arrived
 *
 * Packet sockets: promiscuous, VLAN tags put back from PACKET_AUXDATA, own frames ignored. Exits
 * with 0 when every frame arrived whole, once and in order, 1 if not, 2 if it could not be tried.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "checker.h"

#define BATCH 32
#define ROOM  16384
#define TAG   4

struct options {
	enum order order;
	unsigned long window, count, flood, once;
	double wait;
	const char *write;
};

/* A batch of received frames, each with room in front for the tag that the kernel took off. */
struct inbox {
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	union {
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control[BATCH];
	uint8_t data[BATCH][ROOM];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void enter(const char *netns, size_t len)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)len, netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("cannot enter the network namespace %s: %s", path, strerror(errno));
	close(fd);
}

static void set(int fd, int level, int option, int value, const char *name)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		die("cannot set %s: %s", name, strerror(errno));
}

/* WHERE is [NETNS:]INTERFACE; returns a packet socket bound to it, for PROTOCOL (0: send only). */
static int open_socket(const char *where, uint16_t protocol)
{
	const char *name = strchr(where, ':') ? strchr(where, ':') + 1 : where;
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol) };
	struct packet_mreq promisc = { .mr_type = PACKET_MR_PROMISC };
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	if (name != where)
		enter(where, (size_t)(name - 1 - where));
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	addr.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !addr.sll_ifindex)
		die("cannot open a packet socket on %s: %s", where, strerror(errno));
	promisc.mr_ifindex = addr.sll_ifindex;
	set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, "PACKET_IGNORE_OUTGOING");
	set(fd, SOL_PACKET, PACKET_AUXDATA, 1, "PACKET_AUXDATA");
	set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20, "SO_RCVBUFFORCE");
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)))
		die("cannot make %s promiscuous: %s", where, strerror(errno));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("cannot bind to %s: %s", where, strerror(errno));
	if (home >= 0) {
		if (setns(home, CLONE_NEWNET))
			die("cannot go back to the first network namespace: %s", strerror(errno));
		close(home);
	}
	return fd;
}

static struct inbox *make_inbox(void)
{
	struct inbox *in = calloc(1, sizeof(*in));
	int i;

	if (!in)
		die("no memory");
	for (i = 0; i < BATCH; i++) {
		in->iov[i] = (struct iovec){ in->data[i] + TAG, ROOM - TAG };
		in->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &in->iov[i], .msg_iovlen = 1 };
	}
	return in;
}

/* The frame as it was on the wire: *LEN grows by the tag that the kernel had taken off. */
static const uint8_t *with_tag(struct inbox *in, int i, uint32_t *len)
{
	uint8_t *frame = in->data[i] + TAG;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(&in->msgs[i].msg_hdr); c; c = CMSG_NXTHDR(&in->msgs[i].msg_hdr, c)) {
		struct tpacket_auxdata aux;
		uint16_t tag[2];

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			continue;
		tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid
									 : ETHERTYPE_VLAN);
		tag[1] = htons(aux.tp_vlan_tci);
		memmove(frame - TAG, frame, 2 * ETHER_ADDR_LEN);
		frame -= TAG;
		memcpy(frame + 2 * ETHER_ADDR_LEN, tag, TAG);
		*len += TAG;
	}
	return frame;
}

/* Take what is there; returns how many of the frames sent came in for the first time. */
static unsigned long drain(int fd, struct inbox *in, struct checker *check, FILE *out)
{
	unsigned long fresh = 0;
	int i, n;

	do {
		for (i = 0; i < BATCH; i++) {
			in->msgs[i].msg_hdr.msg_control = in->control[i].bytes;
			in->msgs[i].msg_hdr.msg_controllen = sizeof(in->control[i].bytes);
		}
		n = recvmmsg(fd, in->msgs, BATCH, MSG_DONTWAIT, NULL);
		for (i = 0; i < n; i++) {
			uint32_t len = in->msgs[i].msg_len;
			const uint8_t *frame = with_tag(in, i, &len);

			fresh += checker_add(check, frame, len);
			if (out)
				pcapfile_add(out, (uint64_t)(now() * 1e9), frame, len);
		}
	} while (n == BATCH);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		die("cannot receive: %s", strerror(errno));
	return fresh;
}

/* Returns how many frames of the file, from FIRST on and at most MAX, the kernel took. */
static unsigned long send_some(int fd, const struct pcapfile *file, size_t first, unsigned long max)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	unsigned int i;
	int n;

	if (max > BATCH)
		max = BATCH;
	for (i = 0; i < max; i++) {
		const struct pcap_frame *f = &file->frames[first + i];

		iov[i] = (struct iovec){ (void *)(uintptr_t)f->data, f->len };
		msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	n = sendmmsg(fd, msgs, (unsigned int)max, MSG_DONTWAIT);
	if (n < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
		die("cannot send frame %zu (%u bytes): %s", first, file->frames[first].len,
		    strerror(errno));
	return n < 0 ? 0 : (unsigned long)n;
}

static void check_socket_drops(int fd)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (!getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) && stats.tp_drops)
		printf("# the packet socket itself dropped %u frames\n", stats.tp_drops);
}

/* What an earlier test left in the queues on the way must not be taken for this one's. */
static void settle(int rx)
{
	struct pollfd p = { .fd = rx, .events = POLLIN };
	double end = now() + 20;
	unsigned long stale = 0;
	uint8_t byte;

	while (now() < end && poll(&p, 1, 300) > 0) {
		while (recv(rx, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0)
			stale++;
	}
	if (stale)
		printf("# %lu frames were still on the way from before\n", stale);
}

static int compare(const struct options *o, int tx, int rx, const struct pcapfile *file)
{
	FILE *out = o->write ? pcapfile_create(o->write) : NULL;
	size_t sent = 0, arrived = 0, given_up = 0;
	struct inbox *in = make_inbox();
	struct checker check;
	double start, last;
	int status;

	checker_init(&check, file, o->order);
	settle(rx);
	start = last = now();
	while (sent < o->count || arrived + given_up < sent) {
		struct pollfd p = { .fd = rx, .events = POLLIN };
		unsigned long room = o->window - (sent - arrived - given_up), n;

		if (room > o->count - sent)
			room = o->count - sent;
		n = room ? send_some(tx, file, sent, room) : 0;
		sent += n;
		poll(&p, 1, n ? 0 : 10);
		n = drain(rx, in, &check, out);
		arrived += n;
		if (n) {
			last = now();
			/* Stragglers after all: what arrives late is not both lost and arrived. */
			if (arrived + given_up > sent)
				given_up = sent - arrived;
		} else if (now() - last > o->wait && sent > arrived + given_up) {
			printf("# nothing arrived for %.1f s, %zu frames under way\n", o->wait,
			       sent - arrived - given_up);
			given_up = sent - arrived;
			last = now();
			if (given_up > 4 * o->window)
				break;
		}
	}
	/* One more look: a doubled last frame comes after the count is complete. */
	usleep(100000);
	drain(rx, in, &check, out);
	check_socket_drops(rx);
	status = checker_report(&check, "wiretest", sent);
	printf("# %.1f s, %.0f frames/s\n", now() - start, (double)sent / (now() - start));
	if (sent < o->count)
		printf("# gave up after %zu of %lu frames\n", sent, o->count);
	if (out)
		pcapfile_close(out, o->write);
	checker_free(&check);
	free(in);
	return status || sent < o->count;
}

static int flood(const struct options *o, int tx, const struct pcapfile *file)
{
	double end = now() + (double)o->flood;
	unsigned long sent = 0;
	size_t at = 0;

	while (now() < end) {
		unsigned long n = send_some(tx, file, at, file->count - at);

		if (!n)
			usleep(100);
		at = (at + n) % file->count;
		sent += n;
	}
	printf("wiretest: flooded %lu frames in %lu s\n", sent, o->flood);
	return 0;
}

/* Without feedback: never more at once than a ring holds, and no catching up when late. */
static int send_once(const struct options *o, int tx, const struct pcapfile *file)
{
	unsigned long slice = o->once > 100 ? o->once / 100 : 1;
	size_t sent = 0;

	while (sent < o->count) {
		unsigned long room = slice;

		if (room > o->count - sent)
			room = o->count - sent;
		sent += send_some(tx, file, sent, room);
		usleep(10000);
	}
	printf("wiretest: sent %zu frames once\n", sent);
	return 0;
}

static enum order parse_order(const char *s)
{
	if (!strcmp(s, "total"))
		return ORDER_TOTAL;
	if (!strcmp(s, "class"))
		return ORDER_CLASS;
	if (!strcmp(s, "flow"))
		return ORDER_FLOW;
	die("wiretest: --order is total, class or flow, not %s", s);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "order", required_argument, NULL, 'o' },
		{ "window", required_argument, NULL, 'w' },
		{ "count", required_argument, NULL, 'c' },
		{ "wait", required_argument, NULL, 't' },
		{ "write", required_argument, NULL, 'W' },
		{ "flood", required_argument, NULL, 'f' },
		{ "once", required_argument, NULL, 'O' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'o')
			o->order = parse_order(optarg);
		else if (c == 'w')
			o->window = strtoul(optarg, NULL, 0);
		else if (c == 'c')
			o->count = strtoul(optarg, NULL, 0);
		else if (c == 't')
			o->wait = strtod(optarg, NULL);
		else if (c == 'W')
			o->write = optarg;
		else if (c == 'f')
			o->flood = strtoul(optarg, NULL, 0);
		else if (c == 'O')
			o->once = strtoul(optarg, NULL, 0);
		else
			die("wiretest: the head of wiretest.c lists the options");
	}
	if (argc - optind != (o->flood || o->once ? 2 : 3) || !o->window)
		die("usage: wiretest [OPTIONS] TX RX FILE.pcap, or wiretest"
		    " --flood SECONDS|--once RATE TX FILE.pcap");
}

int main(int argc, char **argv)
{
	struct options o = { .window = 64, .wait = 3 };
	struct pcapfile file;
	int status, tx, rx;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(&o, argc, argv);
	pcapfile_read(&file, argv[argc - 1]);
	if (!file.count)
		die("wiretest: %s holds no frame", argv[argc - 1]);
	if (!o.count || o.count > file.count)
		o.count = file.count;
	tx = open_socket(argv[optind], 0);
	if (o.flood) {
		status = flood(&o, tx, &file);
	} else if (o.once) {
		status = send_once(&o, tx, &file);
	} else {
		rx = open_socket(argv[optind + 1], ETH_P_ALL);
		status = compare(&o, tx, rx, &file);
	}
	pcapfile_free(&file);
	return status;
}
