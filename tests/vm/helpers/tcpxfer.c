/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcpxfer: move bytes over one TCP connection and prove that they arrived.
 *
 *   tcpxfer serve PORT BYTES [SEED]           take one connection, check what comes
 *   tcpxfer send ADDRESS PORT BYTES [SEED]    the other side
 *
 * The data is a pseudo-random stream of the seed. The receiver compares each byte with the stream
 * and sends its checksum (64-bit FNV-1a over 8-byte words) back, so both sides know. Both print
 * "tcpxfer: BYTES bytes, checksum X, S s, M Mbit/s" and exit with 0 only when all of it matches.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "pcapfile.h"

#define CHUNK 65536 /* a multiple of 8 */

struct stream {
	uint64_t state, checksum;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void stream_init(struct stream *s, uint64_t seed)
{
	s->state = seed * 0x9e3779b97f4a7c15u + 1;
	s->checksum = 0xcbf29ce484222325u;
}

/* The next CHUNK bytes of the stream; its checksum is over all chunks drawn so far. */
static void stream_next(struct stream *s, uint64_t *words)
{
	unsigned int i;

	for (i = 0; i < CHUNK / 8; i++) {
		s->state ^= s->state << 13;
		s->state ^= s->state >> 7;
		s->state ^= s->state << 17;
		words[i] = s->state;
		s->checksum = (s->checksum ^ s->state) * 0x100000001b3u;
	}
}

static void send_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			die("tcpxfer: cannot send: %s", strerror(errno));
		p += n;
		len -= (size_t)n;
	}
}

/* Returns how many bytes came before the peer closed. */
static size_t receive_all(int fd, void *data, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fd, (char *)data + got, len - got, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("tcpxfer: cannot receive: %s", strerror(errno));
		if (!n)
			break;
		got += (size_t)n;
	}
	return got;
}

static void report(uint64_t bytes, uint64_t checksum, double seconds)
{
	printf("tcpxfer: %llu bytes, checksum %016llx, %.1f s, %.1f Mbit/s\n",
	       (unsigned long long)bytes, (unsigned long long)checksum, seconds,
	       (double)bytes * 8 / 1e6 / seconds);
}

static void set_timeouts(int fd)
{
	const struct timeval patience = { .tv_sec = 30 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

static int serve(uint16_t port, uint64_t bytes, uint64_t seed)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	static uint64_t want[CHUNK / 8], got[CHUNK / 8];
	int one = 1, fd, listener = socket(AF_INET6, SOCK_STREAM, 0);
	struct stream s;
	uint64_t done = 0, bad = 0;
	double start;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) || listen(listener, 1))
		die("tcpxfer: cannot listen on port %u: %s", port, strerror(errno));
	set_timeouts(listener);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		die("tcpxfer: nobody connected: %s", strerror(errno));
	set_timeouts(fd);
	start = now();
	stream_init(&s, seed);
	while (done < bytes) {
		size_t part = bytes - done < CHUNK ? (size_t)(bytes - done) : CHUNK;
		size_t n = receive_all(fd, got, part);

		stream_next(&s, want);
		if (memcmp(want, got, n) && !bad++)
			printf("tcpxfer: data differs in the 64 KiB from byte %llu on\n",
			       (unsigned long long)done);
		done += n;
		if (n < part)
			die("tcpxfer: the connection ended after %llu of %llu bytes",
			    (unsigned long long)done, (unsigned long long)bytes);
	}
	if (bad)
		s.checksum = ~s.checksum;
	send_all(fd, &s.checksum, sizeof(s.checksum));
	report(done, s.checksum, now() - start);
	close(fd);
	close(listener);
	return bad != 0;
}

static int connect_to(const char *address, uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		die("tcpxfer: %s is no IPv4 address", address);
	set_timeouts(fd);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("tcpxfer: cannot connect to %s: %s", address, strerror(errno));
	return fd;
}

static int send_stream(const char *address, uint16_t port, uint64_t bytes, uint64_t seed)
{
	static uint64_t words[CHUNK / 8];
	int fd = connect_to(address, port);
	uint64_t done = 0, theirs = 0;
	double start = now();
	struct stream s;

	stream_init(&s, seed);
	while (done < bytes) {
		size_t part = bytes - done < CHUNK ? (size_t)(bytes - done) : CHUNK;

		stream_next(&s, words);
		send_all(fd, words, part);
		done += part;
	}
	if (receive_all(fd, &theirs, sizeof(theirs)) != sizeof(theirs))
		die("tcpxfer: the receiver sent no checksum back");
	report(done, s.checksum, now() - start);
	if (theirs != s.checksum)
		printf("tcpxfer: the receiver's checksum is %016llx\n", (unsigned long long)theirs);
	close(fd);
	return theirs != s.checksum;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc >= 4 && !strcmp(argv[1], "serve"))
		return serve((uint16_t)atoi(argv[2]), strtoull(argv[3], NULL, 0),
			     argc > 4 ? strtoull(argv[4], NULL, 0) : 1);
	if (argc >= 5 && !strcmp(argv[1], "send"))
		return send_stream(argv[2], (uint16_t)atoi(argv[3]), strtoull(argv[4], NULL, 0),
				   argc > 5 ? strtoull(argv[5], NULL, 0) : 1);
	die("usage: tcpxfer serve PORT BYTES [SEED] | tcpxfer send ADDRESS PORT BYTES [SEED]");
}
