/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ixgbe driver on a simulated NIC whose wire is a loop: a fixed number of frames goes round for
 * ever. What the driver's thread spends is counted in passes that brought something, with pauses
 * between them in which bursts gather, for the driver is faster than the NIC. Packets a second and all
 * cycles of a packet, without pauses, tell how fast both sides are together.
 *
 *   nicsim [head]    head: progress of TX by head write-back, and not in descriptors
 */
#include "tests/bench/bench.h"

#include "apps/app.h"
#include "core/io.h"
#include "nics/nics.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Cycles that the server is given for a packet. */
#define PAUSE	 1000
#define FRAMES	 512
#define ROUND_NS 30000000u
/* The server may be off its processor for a while. */
#define LIMIT_NS UINT64_C(5000000000)
#define ROUNDS	 BENCH_ROUNDS

struct side {
	struct weir_port *port;
	struct weir_rxq *rxq;
	struct weir_txq *txq;
	struct weir_cache *cache;
	unsigned burst;
	bool pause;
	uint64_t busy, packets;
};

static pid_t serve(char *socket)
{
	char name[] = "nicsim", opt[] = "--socket", wire[] = "--wire=loop", one[] = "--queues=1";
	char *argv[] = { name, opt, socket, wire, one, NULL };
	pid_t pid = fork();
	int null;

	if (pid)
		return pid;
	/* It ends with us, however we end. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	bench_pin(0);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	_exit(cmd_nicsim.run(5, argv));
}

static int open_port(struct weir_iommu *iommu, const char *socket, struct weir_port **p)
{
	char dev[128];
	int err = -ENOENT;

	snprintf(dev, sizeof(dev), "vfio-user:%s", socket);
	/* The socket appears when the server is ready. */
	for (unsigned i = 0; i < 200 && access(socket, F_OK); i++)
		weir_sleep_us(10000);
	if (!access(socket, F_OK))
		err = weir_port_open(iommu, dev, NULL, p);
	return err;
}

static void inject(struct side *s)
{
	for (unsigned i = 0; i < FRAMES; i++) {
		struct weir_pkt p = { .off = WEIR_BUF_HEADROOM, .len = 60 };

		if (weir_buf_alloc(s->cache, &p.buf, 1) != 1)
			return;
		memset(weir_pkt_data(s->rxq->dma.va_base, &p), 0xff, 60);
		weir_tx_post(s->txq, &p, 1);
	}
	weir_tx_kick(s->txq);
}

static void wait_for_burst(const struct side *s)
{
	uint64_t end = weir_cycles() + (uint64_t)s->burst * PAUSE;

	while (s->pause && weir_cycles() < end)
		weir_pause();
}

static void round_trip(struct side *s)
{
	uint64_t now = weir_now_ns(), end = now + ROUND_NS, limit = now + LIMIT_NS;
	struct weir_pkt p[64];

	s->busy = s->packets = 0;
	do {
		for (unsigned i = 0; i < 256; i++) {
			uint64_t t = weir_cycles();
			unsigned n = weir_rx(s->rxq, p, s->burst);

			if (!n)
				continue;
			/* The ring has room for all frames that there are. */
			weir_tx_post(s->txq, p, n);
			weir_tx_kick(s->txq);
			s->busy += weir_cycles() - t;
			s->packets += n;
			wait_for_burst(s);
		}
		now = weir_now_ns();
	} while (now < end || (!s->packets && now < limit));
}

static void print(const char *what, unsigned burst, double *v)
{
	qsort(v, ROUNDS, sizeof(v[0]), bench_cmp);
	printf("%s\tburst %u\t%.2f\t%.2f\t%.2f\n", what, burst, v[ROUNDS / 2], v[0], v[ROUNDS - 1]);
	fflush(stdout);
}

static void measure(struct side *s, unsigned burst)
{
	double busy[ROUNDS], all[ROUNDS], rate[ROUNDS];

	s->burst = burst;
	for (unsigned i = 0; i < 2 * ROUNDS; i++) {
		uint64_t t = weir_cycles(), ns = weir_now_ns();

		s->pause = i & 1;
		round_trip(s);
		if (!s->packets)
			bench_need(-EIO, "no packet came back");
		if (s->pause) {
			busy[i / 2] = (double)s->busy / (double)s->packets;
			continue;
		}
		all[i / 2] = (double)(weir_cycles() - t) / (double)s->packets;
		rate[i / 2] = (double)s->packets * 1e9 / (double)(weir_now_ns() - ns);
	}
	print("ixgbe on nicsim: packets/s", burst, rate);
	print("ixgbe on nicsim: RX + TX, driver", burst, busy);
	print("ixgbe on nicsim: RX + TX, round trip", burst, all);
}

int main(int argc, char **argv)
{
	static const unsigned bursts[] = { 1, 4, 32, 64 };
	struct weir_opts quiet = { .log_level = WEIR_LOG_ERR };
	struct weir_port_conf conf = { .rx_desc = 1024, .tx_desc = 1024, .promisc = true };
	char dir[] = "/tmp/weir-bench-XXXXXX", socket[sizeof(dir) + 8];
	struct side s = { 0 };
	struct weir_iommu *iommu;
	struct weir_pool *pool;
	struct weir *h;
	pid_t pid;

	conf.tx_head_wb = argc > 1 && !strcmp(argv[1], "head");
	bench_need(mkdtemp(dir) ? 0 : -errno, "temporary folder");
	snprintf(socket, sizeof(socket), "%s/sock", dir);
	pid = serve(socket);
	bench_pin(1);
	bench_need(weir_open(&quiet, &h), "open");
	bench_need(weir_iommu_open(h, &iommu), "iommu");
	bench_need(weir_pool_arena(h, 8192, 1 << 20, WEIR_NODE_ANY, 0, &conf.arena), "arena");
	bench_need(weir_pool_create(conf.arena, 8192, &pool), "pool");
	bench_need(weir_cache_create(pool, &s.cache), "cache");
	bench_need(open_port(iommu, socket, &s.port), "nicsim");
	bench_need(weir_port_configure(s.port, &conf), "configure");
	bench_need(weir_port_queue_cache(s.port, 0, s.cache), "cache");
	bench_need(weir_port_start(s.port), "start");
	s.rxq = s.port->rxq[0];
	s.txq = s.port->txq[0];
	inject(&s);
	for (unsigned i = 0; i < WEIR_ARRAY_SIZE(bursts); i++)
		measure(&s, bursts[i]);
	weir_port_close(s.port);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	weir_iommu_close(iommu);
	weir_cache_destroy(s.cache);
	weir_pool_destroy(pool);
	weir_arena_destroy(conf.arena);
	weir_close(h);
	unlink(socket);
	rmdir(dir);
	return 0;
}
