/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapcmp: compare a capture with the test frames that were sent.
 *
 *   pcapcmp [--order total|class|flow] [--count N] [--rounds N] SENT.pcap CAPTURED.pcap
 *
 *   pcapcmp --exact A.pcap B.pcap     the same frames, whatever they are, in the same order
 *   pcapcmp --frames A.pcap           how many frames it has
 *
 * Timestamps need not match, but must be there and not run backwards; frames that are not test
 * frames (a neighbour's ARP) are counted and ignored. --count N: only the first N frames of SENT
 * were sent. --rounds N: SENT was sent N times over. CAPTURED may be a pipe. Exits with 0 when equal, 1 if not, 2 when a file cannot be read.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"

/* On a wire no frame is shorter than 60 bytes: what a kernel hands over shorter is padded by the NIC. */
static bool same_frame(const struct pcap_frame *x, const struct pcap_frame *y)
{
	static const unsigned char zero[60];

	if (memcmp(x->data, y->data, x->len < y->len ? x->len : y->len))
		return false;
	return x->len == y->len ||
	       (x->len < 60 && y->len == 60 && !memcmp(y->data + x->len, zero, 60 - x->len));
}

static int exact(const char *a, const char *b)
{
	struct pcapfile x, y;
	size_t n, bad = 0;

	pcapfile_read(&x, a);
	pcapfile_read(&y, b);
	n = x.count < y.count ? x.count : y.count;
	for (size_t i = 0; i < n; i++) {
		if (same_frame(&x.frames[i], &y.frames[i]))
			continue;
		if (!bad++)
			printf("frame %zu is the first that differs\n", i);
	}
	printf("pcapcmp: %zu and %zu frames, %zu differ\n", x.count, y.count, bad);
	bad |= x.count != y.count;
	pcapfile_free(&x);
	pcapfile_free(&y);
	return bad != 0;
}

static int frames(const char *a)
{
	struct pcapfile x;

	pcapfile_read(&x, a);
	printf("%zu\n", x.count);
	pcapfile_free(&x);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "order", required_argument, NULL, 'o' },
					       { "count", required_argument, NULL, 'c' },
					       { "rounds", required_argument, NULL, 'r' },
					       { "exact", no_argument, NULL, 'e' },
					       { "frames", no_argument, NULL, 'f' },
					       { NULL, 0, NULL, 0 } };
	enum order order = ORDER_TOTAL;
	static struct pcapstream captured;
	size_t count = 0, rounds = 1, cut = 0;
	struct pcap_frame f;
	struct pcapfile sent;
	struct checker check;
	int c, status;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'o')
			order = *optarg == 'f'	 ? ORDER_FLOW
				: *optarg == 'c' ? ORDER_CLASS
						 : ORDER_TOTAL;
		else if (c == 'e' && optind + 2 == argc)
			return exact(argv[optind], argv[optind + 1]);
		else if (c == 'f' && optind + 1 == argc)
			return frames(argv[optind]);
		else if (c == 'c')
			count = strtoul(optarg, NULL, 0);
		else if (c == 'r')
			rounds = strtoul(optarg, NULL, 0);
		else
			die("usage: pcapcmp [--order ORDER] [--count N] [--rounds N] SENT.pcap "
			    "CAPTURED.pcap");
	}
	if (optind + 2 != argc)
		die("pcapcmp: name the file that was sent and the capture");
	pcapfile_read(&sent, argv[optind]);
	checker_init(&check, &sent, order);
	check.rounds = (uint32_t)rounds;
	pcapstream_open(&captured, argv[optind + 1]);
	while (pcapstream_next(&captured, &f)) {
		cut += f.len != f.wire_len;
		checker_add(&check, f.data, f.len);
	}
	if (cut)
		printf("# %zu frames of the capture were cut short\n", cut);
	status =
		checker_report(&check, "pcapcmp", count && count < sent.count ? count : sent.count);
	checker_free(&check);
	pcapfile_free(&sent);
	return status || cut;
}
