/* SPDX-License-Identifier: BSD-3-Clause */
/* Hardware counters (8.19). Each is cleared when it is read and stops at its maximum. */
#include "nics/igb/igb.h"

/**
 * struct igb_stat - one counter
 * @name: as the datasheet names it
 * @reg: register, or the low half of a pair; the high half follows it and clears both
 * @wide: it is a pair
 */
struct igb_stat {
	const char *name;
	unsigned reg;
	bool wide;
};

static const struct igb_stat table[] = {
	{ "crcerrs", 0x04000, false }, { "algnerrc", 0x04004, false },
	{ "symerrs", 0x04008, false }, { "rxerrc", 0x0400c, false },
	{ "mpc", 0x04010, false },     { "scc", 0x04014, false },
	{ "ecol", 0x04018, false },    { "mcc", 0x0401c, false },
	{ "latecol", 0x04020, false }, { "colc", 0x04028, false },
	{ "dc", 0x04030, false },      { "tncrs", 0x04034, false },
	{ "htdpmc", 0x0403c, false },  { "rlec", 0x04040, false },
	{ "xonrxc", 0x04048, false },  { "xontxc", 0x0404c, false },
	{ "xoffrxc", 0x04050, false }, { "xofftxc", 0x04054, false },
	{ "fcruc", 0x04058, false },   { "prc64", 0x0405c, false },
	{ "prc127", 0x04060, false },  { "prc255", 0x04064, false },
	{ "prc511", 0x04068, false },  { "prc1023", 0x0406c, false },
	{ "prc1522", 0x04070, false }, { "gprc", 0x04074, false },
	{ "bprc", 0x04078, false },    { "mprc", 0x0407c, false },
	{ "gptc", 0x04080, false },    { "gorc", 0x04088, true },
	{ "gotc", 0x04090, true },     { "rnbc", 0x040a0, false },
	{ "ruc", 0x040a4, false },     { "rfc", 0x040a8, false },
	{ "roc", 0x040ac, false },     { "rjc", 0x040b0, false },
	{ "mngprc", 0x040b4, false },  { "mpdc", 0x040b8, false },
	{ "mngptc", 0x040bc, false },  { "tor", 0x040c0, true },
	{ "tot", 0x040c8, true },      { "tpr", 0x040d0, false },
	{ "tpt", 0x040d4, false },     { "ptc64", 0x040d8, false },
	{ "ptc127", 0x040dc, false },  { "ptc255", 0x040e0, false },
	{ "ptc511", 0x040e4, false },  { "ptc1023", 0x040e8, false },
	{ "ptc1522", 0x040ec, false }, { "mptc", 0x040f0, false },
	{ "bptc", 0x040f4, false },    { "tsctc", 0x040f8, false },
	{ "iac", 0x04100, false },     { "rpthc", 0x04104, false },
	{ "hgptc", 0x04118, false },   { "rxdmtc", 0x04120, false },
	{ "hgorc", 0x04128, true },    { "hgotc", 0x04130, true },
	{ "lenerrs", 0x04138, false }, { "scvpc", 0x04228, false },
};

/* Places in this table. */
enum { STAT_MPC = 4, STAT_GPRC = 25, STAT_MNGPRC = 36 };

static const char *const rqdpc[IGB_MAX_QUEUES] = {
	"rqdpc0", "rqdpc1", "rqdpc2",  "rqdpc3",  "rqdpc4",  "rqdpc5",	"rqdpc6",  "rqdpc7",
	"rqdpc8", "rqdpc9", "rqdpc10", "rqdpc11", "rqdpc12", "rqdpc13", "rqdpc14", "rqdpc15",
};

#define N_TABLE WEIR_ARRAY_SIZE(table)
static_assert(N_TABLE + IGB_MAX_QUEUES == IGB_N_STATS, "struct igb holds every counter");

static uint64_t stat_read(struct igb *g, const struct igb_stat *s)
{
	uint64_t v = igb_rd(g, s->reg);

	if (s->wide)
		v |= (uint64_t)igb_rd(g, s->reg + 4) << 32;
	return v;
}

/**
 * igb_stats_update() - add up what the counters hold, which clears them
 * @g: port
 *
 * At the line rate of small packets a 32-bit counter is full after 48 minutes: read xstats more
 * often than that.
 */
void igb_stats_update(struct igb *g)
{
	uint64_t now[IGB_N_STATS];

	if (igb_alive(g))
		return;
	for (unsigned i = 0; i < N_TABLE; i++)
		now[i] = stat_read(g, &table[i]);
	for (unsigned q = 0; q < IGB_MAX_QUEUES; q++)
		now[N_TABLE + q] = igb_rd(g, IGB_RQDPC(q));
	/* If the device went away meanwhile these are all-ones, not counts. */
	if (igb_alive(g))
		return;
	for (unsigned i = 0; i < IGB_N_STATS; i++)
		g->stats[i] += now[i];
}

int igb_xstats(struct weir_port *p, struct weir_xstat *x, unsigned n)
{
	struct igb *g = igb_of(p);
	unsigned have = N_TABLE + (p->conf.n_rxq ? p->conf.n_rxq : 1);

	igb_stats_update(g);
	for (unsigned i = 0; i < weir_min_u(n, have); i++) {
		x[i].name = i < N_TABLE ? table[i].name : rqdpc[i - N_TABLE];
		x[i].value = g->stats[i];
	}
	return (int)have;
}

/* Add up a counter, which clears it. */
static void take(struct igb *g, unsigned stat, uint32_t reg)
{
	g->stats[stat] += igb_rd(g, reg);
}

/**
 * igb_arrived() - packets that the device has taken for a queue, or dropped for want of descriptors
 * @p: port
 * @q: queue
 * @n: receives the number
 *
 * There is no counter of a queue's packets, so those that were taken and not handed out can be told
 * for the only queue alone; of several, each is known to have no descriptors. What goes to the board's
 * management controller is nobody's here.
 * Return: 0, or -ENODEV.
 */
int igb_arrived(struct weir_port *p, unsigned q, uint64_t *n)
{
	struct igb *g = igb_of(p);
	uint64_t was[IGB_N_STATS];

	memcpy(was, g->stats, sizeof(was));
	take(g, N_TABLE + q, IGB_RQDPC(q));
	if (p->conf.n_rxq == 1) {
		take(g, STAT_MNGPRC, table[STAT_MNGPRC].reg);
		take(g, STAT_GPRC, table[STAT_GPRC].reg);
		take(g, STAT_MPC, table[STAT_MPC].reg);
	}
	/* All-ones are no counts. */
	if (igb_alive(g)) {
		memcpy(g->stats, was, sizeof(was));
		return -ENODEV;
	}
	*n = g->stats[N_TABLE + q];
	if (p->conf.n_rxq == 1)
		*n += g->stats[STAT_GPRC] + g->stats[STAT_MPC] - g->stats[STAT_MNGPRC];
	return 0;
}
