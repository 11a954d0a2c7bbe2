/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapcmp: compare a capture with the test frames that were sent.
 *
 *   pcapcmp [--order total|class|flow] [--count N] SENT.pcap CAPTURED.pcap
 *
 * Timestamps need not match, but must be there and not run backwards; frames that are not test
 * frames (a neighbour's ARP) are counted and ignored. --count N: only the first N frames of SENT
 * were sent. Exits with 0 when equal, 1 if not, 2 when a file cannot be read.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"

int main(int argc, char **argv)
{
	static const struct option names[] = { { "order", required_argument, NULL, 'o' },
					       { "count", required_argument, NULL, 'c' },
					       { NULL, 0, NULL, 0 } };
	enum order order = ORDER_TOTAL;
	struct pcapfile sent, captured;
	struct checker check;
	size_t count = 0, cut = 0, i;
	int c, status;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'o')
			order = *optarg == 'f'	 ? ORDER_FLOW
				: *optarg == 'c' ? ORDER_CLASS
						 : ORDER_TOTAL;
		else if (c == 'c')
			count = strtoul(optarg, NULL, 0);
		else
			die("usage: pcapcmp [--order ORDER] [--count N] SENT.pcap CAPTURED.pcap");
	}
	if (optind + 2 != argc)
		die("pcapcmp: name the file that was sent and the capture");
	pcapfile_read(&sent, argv[optind]);
	pcapfile_read(&captured, argv[optind + 1]);
	checker_init(&check, &sent, order);
	for (i = 0; i < captured.count; i++) {
		const struct pcap_frame *f = &captured.frames[i];

		cut += f->len != f->wire_len;
		checker_add(&check, f->data, f->len);
	}
	if (cut)
		printf("# %zu frames of the capture were cut short\n", cut);
	status =
		checker_report(&check, "pcapcmp", count && count < sent.count ? count : sent.count);
	checker_free(&check);
	pcapfile_free(&sent);
	pcapfile_free(&captured);
	return status || cut;
}
