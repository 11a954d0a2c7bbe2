/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hardware counters (8.2.3.23). Each is cleared when it is read and stops at its maximum; of a
 * pair the low half is read first.
 */
#include "nics/ixgbe/ixgbe.h"

/**
 * struct ixgbe_stat - one counter
 * @name: as the datasheet names it
 * @reg: register, or the low half of a pair; the high half follows it
 * @wide: it is a pair
 */
struct ixgbe_stat {
	const char *name;
	unsigned reg;
	bool wide;
};

static const struct ixgbe_stat table[] = {
	{ "crcerrs", 0x04000, false },	  { "illerrc", 0x04004, false },
	{ "errbc", 0x04008, false },	  { "mspdc", 0x04010, false },
	{ "mlfc", 0x04034, false },	  { "mrfc", 0x04038, false },
	{ "rlec", 0x04040, false },	  { "mpc0", 0x03fa0, false },
	{ "mpc1", 0x03fa4, false },	  { "mpc2", 0x03fa8, false },
	{ "mpc3", 0x03fac, false },	  { "mpc4", 0x03fb0, false },
	{ "mpc5", 0x03fb4, false },	  { "mpc6", 0x03fb8, false },
	{ "mpc7", 0x03fbc, false },	  { "lxontxc", 0x03f60, false },
	{ "lxofftxc", 0x03f68, false },	  { "lxonrxcnt", 0x041a4, false },
	{ "lxoffrxcnt", 0x041a8, false }, { "prc64", 0x0405c, false },
	{ "prc127", 0x04060, false },	  { "prc255", 0x04064, false },
	{ "prc511", 0x04068, false },	  { "prc1023", 0x0406c, false },
	{ "prc1522", 0x04070, false },	  { "gprc", 0x04074, false },
	{ "bprc", 0x04078, false },	  { "mprc", 0x0407c, false },
	{ "gptc", 0x04080, false },	  { "gorc", 0x04088, true },
	{ "gotc", 0x04090, true },	  { "ruc", 0x040a4, false },
	{ "rfc", 0x040a8, false },	  { "roc", 0x040ac, false },
	{ "rjc", 0x040b0, false },	  { "mngprc", 0x040b4, false },
	{ "mngpdc", 0x040b8, false },	  { "mngptc", 0x0cf90, false },
	{ "tor", 0x040c0, true },	  { "tpr", 0x040d0, false },
	{ "tpt", 0x040d4, false },	  { "ptc64", 0x040d8, false },
	{ "ptc127", 0x040dc, false },	  { "ptc255", 0x040e0, false },
	{ "ptc511", 0x040e4, false },	  { "ptc1023", 0x040e8, false },
	{ "ptc1522", 0x040ec, false },	  { "mptc", 0x040f0, false },
	{ "bptc", 0x040f4, false },	  { "xec", 0x04120, false },
	{ "rxdgpc", 0x02f50, false },	  { "rxdgbc", 0x02f54, true },
	{ "rxnfgpc", 0x041b0, false },	  { "rxnfgbc", 0x041b4, true },
	{ "txdgpc", 0x087a0, false },	  { "txdgbc", 0x087a4, true },
	{ "fccrc", 0x05118, false },	  { "ssvpc", 0x08780, false },
};

/* Places in these tables. */
enum { STAT_MPC0 = 7, STAT_LXOFFRXCNT = 18, QSTAT_QPRC = 0, QSTAT_QPRDC = 1 };

static_assert(WEIR_ARRAY_SIZE(table) == IXGBE_N_PORT_STATS, "struct ixgbe holds every counter");

#define NAMES(n)                                                                              \
	{                                                                                     \
		n "0", n "1", n "2", n "3", n "4", n "5", n "6", n "7", n "8", n "9", n "10", \
			n "11", n "12", n "13", n "14", n "15",                               \
	}

/* Statistics set q is queue q's own; see ixgbe_stats_map(). */
static const struct {
	const char *name[IXGBE_MAX_QUEUES];
	unsigned reg, stride;
	bool wide;
} qtable[] = {
	{ NAMES("qprc"), IXGBE_QPRC(0), 0x40, false },
	{ NAMES("qprdc"), IXGBE_QPRDC(0), 0x40, false },
	{ NAMES("qbrc"), IXGBE_QBRC_L(0), 0x40, true },
	{ NAMES("qptc"), IXGBE_QPTC(0), 0x40, false },
	{ NAMES("qbtc"), IXGBE_QBTC_L(0), 8, true },
};
static_assert(WEIR_ARRAY_SIZE(qtable) == IXGBE_N_QUEUE_STATS, "struct ixgbe holds every counter");

static uint64_t stat_read(struct ixgbe *x, unsigned reg, bool wide)
{
	uint64_t v = ixgbe_rd(x, reg);

	if (wide)
		v |= (uint64_t)ixgbe_rd(x, reg + 4) << 32;
	return v;
}

/**
 * ixgbe_stats_map() - give each of the first 16 queues a set of counters of its own
 * @x: port
 */
void ixgbe_stats_map(struct ixgbe *x)
{
	for (unsigned i = 0; i < IXGBE_MAX_QUEUES / 4; i++) {
		uint32_t v = 4 * i * 0x01010101u + 0x03020100u;

		ixgbe_wr(x, IXGBE_RQSMR(i), v);
		ixgbe_wr(x, IXGBE_TQSM(i), v);
	}
}

static unsigned queues(const struct ixgbe *x)
{
	const struct weir_port_conf *c = &x->port.conf;
	unsigned n = c->n_rxq > c->n_txq ? c->n_rxq : c->n_txq;

	return n ? n : 1;
}

/**
 * ixgbe_stats_update() - add up what the counters hold, which clears them
 * @x: port
 *
 * At the line rate of small packets a 32-bit counter is full after 288 seconds: read xstats more
 * often than that.
 */
void ixgbe_stats_update(struct ixgbe *x)
{
	uint64_t now[IXGBE_N_PORT_STATS], qnow[IXGBE_MAX_QUEUES][IXGBE_N_QUEUE_STATS];
	unsigned n_q = queues(x);

	if (ixgbe_alive(x))
		return;
	for (unsigned i = 0; i < IXGBE_N_PORT_STATS; i++)
		now[i] = stat_read(x, table[i].reg, table[i].wide);
	for (unsigned q = 0; q < n_q; q++)
		for (unsigned i = 0; i < IXGBE_N_QUEUE_STATS; i++)
			qnow[q][i] =
				stat_read(x, qtable[i].reg + q * qtable[i].stride, qtable[i].wide);
	/* If the device went away meanwhile these are all-ones, not counts. */
	if (ixgbe_alive(x))
		return;
	for (unsigned i = 0; i < IXGBE_N_PORT_STATS; i++)
		x->stats[i] += now[i];
	for (unsigned q = 0; q < n_q; q++)
		for (unsigned i = 0; i < IXGBE_N_QUEUE_STATS; i++)
			x->qstats[q][i] += qnow[q][i];
}

int ixgbe_xstats(struct weir_port *p, struct weir_xstat *s, unsigned n)
{
	struct ixgbe *x = ixgbe_of(p);
	unsigned have = IXGBE_N_PORT_STATS + queues(x) * IXGBE_N_QUEUE_STATS;

	ixgbe_stats_update(x);
	for (unsigned i = 0; i < weir_min_u(n, have); i++) {
		unsigned at = i - IXGBE_N_PORT_STATS;
		unsigned q = at / IXGBE_N_QUEUE_STATS, k = at % IXGBE_N_QUEUE_STATS;

		if (i < IXGBE_N_PORT_STATS)
			s[i] = (struct weir_xstat){ table[i].name, x->stats[i] };
		else
			s[i] = (struct weir_xstat){ qtable[k].name[q], x->qstats[q][k] };
	}
	return (int)have;
}

/**
 * ixgbe_paused() - look whether the other end has asked for a pause
 * @x: port; if so port.paused is now
 */
void ixgbe_paused(struct ixgbe *x)
{
	uint32_t n = ixgbe_rd(x, table[STAT_LXOFFRXCNT].reg);

	if (!n || weir_mmio_gone(n))
		return;
	x->stats[STAT_LXOFFRXCNT] += n;
	x->port.paused = weir_now_ns();
}

/**
 * ixgbe_arrived() - packets that the device has taken for a queue, or dropped for want of descriptors
 * @p: port
 * @q: queue
 * @n: receives the number
 *
 * Those of the only queue, which has no DROP_EN, are dropped by the packet buffer.
 * Return: 0, or -ENODEV.
 */
int ixgbe_arrived(struct weir_port *p, unsigned q, uint64_t *n)
{
	struct ixgbe *x = ixgbe_of(p);
	uint64_t got = ixgbe_rd(x, IXGBE_QPRC(q)), dropped = ixgbe_rd(x, IXGBE_QPRDC(q));
	uint64_t missed = p->conf.n_rxq == 1 ? ixgbe_rd(x, table[STAT_MPC0].reg) : 0;

	/* All-ones are no counts. */
	if (ixgbe_alive(x))
		return -ENODEV;
	x->qstats[q][QSTAT_QPRC] += got;
	x->qstats[q][QSTAT_QPRDC] += dropped;
	x->stats[STAT_MPC0] += missed;
	*n = x->qstats[q][QSTAT_QPRC] + x->qstats[q][QSTAT_QPRDC];
	if (p->conf.n_rxq == 1)
		*n += x->stats[STAT_MPC0];
	return 0;
}
