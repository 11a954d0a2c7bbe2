/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the drivers promise beyond plain forwarding, on a real kernel: a NIC driven by weir against
 * a packet socket on the interface at the other end of its wire.
 *
 *   nictest MODE DEV MAC [NETNS:]INTERFACE WIRE QUEUES [PART...]
 *
 * MAC: the NIC's, as the kernel's driver had it; WIRE: tap or hub. The parts are in nictest/.
 * Prints "ok NAME", "not ok NAME" or "skip NAME # REASON" a check and "done N" at the end. Exits with 0
 * when none failed.
 */
#include "tests/vm/programs/nictest/nictest.h"

#include <stdarg.h>
#include <stdlib.h>

static const struct {
	const char *name;
	void (*run)(struct nt *t);
} parts[] = {
	{ "link", nt_link },
	{ "unicast", nt_unicast },
	{ "multicast", nt_multicast },
	{ "vlan-filter", nt_vlans },
	{ "jumbo", nt_jumbo },
	{ "mtu", nt_mtu },
	{ "counters", nt_counters },
	{ "rx-checksum", nt_rx_csum },
	{ "tx-checksum", nt_tx_csum },
	{ "vlan", nt_vlan },
	{ "rss", nt_rss },
	{ "interrupt", nt_interrupts },
	{ "link-change", nt_link_change },
	{ "rounds", nt_rounds },
};

unsigned nt_failed, nt_checks;
static const char *part = "end";

bool nt_check(bool good, const char *fmt, ...)
{
	va_list ap;

	nt_checks++;
	nt_failed += !good;
	printf("%s %s: ", good ? "ok" : "not ok", part);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	return good;
}

void nt_skip(const char *name, const char *why)
{
	nt_checks++;
	printf("skip %s: %s # %s\n", part, name, why);
}

void nt_note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void log_line(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg;
	(void)level;
	printf("# weir: %s [%s]\n", msg, id);
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

static void run_parts(struct nt *t, char **names)
{
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(parts); i++) {
		if (!wanted(parts[i].name, names))
			continue;
		part = parts[i].name;
		parts[i].run(t);
		/* Whatever went wrong in there, the next part starts from a stopped port. */
		weir_port_stop(t->port);
	}
	part = "end";
}

int main(int argc, char **argv)
{
	static const struct weir_opts opts = { .log = log_line, .log_level = WEIR_LOG_INFO };
	static struct nt t;
	enum weir_mode mode;
	uint8_t *m = t.mac;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 7 || weir_mode_parse(argv[1], &mode) ||
	    sscanf(argv[3], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2, m + 3, m + 4,
		   m + 5) != 6) {
		printf("usage: nictest MODE DEV MAC [NETNS:]INTERFACE WIRE QUEUES [PART...]\n");
		return 2;
	}
	nt_peer_open(&t, argv[4]);
	t.vnet = !strcmp(argv[5], "tap");
	t.queues = (unsigned)atoi(argv[6]);
	if (weir_open(&opts, &t.w) || nt_open(&t, mode, argv[2])) {
		printf("not ok the NIC opens\n");
		return 1;
	}
	run_parts(&t, argv + 7);
	nt_close(&t);
	weir_close(t.w);
	printf("done %u\n", nt_checks);
	return nt_failed != 0;
}
