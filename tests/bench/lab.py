#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The laboratory: weir and DPDK at the same work, in turn, on the same two processors.

    lab.py BUILD [--quick] [--rounds N] [--only a,b,...]

Each comparison runs A B A B ..., one short round each, so that whatever else the machine does
falls on both. Programs that poll are stopped (SIGSTOP) while it is the others' turn. Where that is
allowed, a round runs under SCHED_FIFO: other work on the machine then waits for its 80 ms instead of
falling into them. Ratios are of medians, weir by DPDK: below 1 is faster (for rates: above 1).
"""
import argparse
import datetime
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

WARM, WINDOW = 0.03, 0.08
RT = ["chrt", "-f", "5"]
rows = []


def say(*words):
    print("lab:", *words, file=sys.stderr, flush=True)


def may_rt():
    return shutil.which("chrt") and not subprocess.run(
        RT + ["true"], stderr=subprocess.DEVNULL).returncode


def add(part, what, with_, unit, weir, dpdk, weir_as="", dpdk_as=""):
    """One line of the table; weir and dpdk are lists of rounds."""
    med = [statistics.median(v) if v else None for v in (weir, dpdk)]
    rows.append({
        "part": part, "what": what, "with": with_, "unit": unit,
        "weir": med[0], "weir_min": min(weir, default=None), "weir_max": max(weir, default=None),
        "dpdk": med[1], "dpdk_min": min(dpdk, default=None), "dpdk_max": max(dpdk, default=None),
        "weir_options": weir_as, "dpdk_options": dpdk_as,
        "ratio": med[0] / med[1] if med[0] is not None and med[1] else None,
    })


class Pair:
    """A back end and a front end that forwards for it."""

    def __init__(self, lab, name, backend, front):
        self.lab, self.name, self.cycles, self.busy = lab, name, [], []
        self.dir = tempfile.mkdtemp(dir=lab.tmp)
        sock, self.counters = self.dir + "/sock", self.dir + "/counters"
        self.log = open(self.dir + "/log", "w+")
        self.backend = subprocess.Popen(
            [a.replace("SOCK", sock).replace("COUNT", self.counters) for a in backend],
            stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.time() + 10
        while not os.path.exists(sock) and time.time() < end:
            time.sleep(0.005)
        self.began = time.time()
        self.front = subprocess.Popen(shlex.split(front.replace("SOCK", sock)), stdout=self.log,
                                      stderr=self.log, stdin=subprocess.PIPE)

    def read(self):
        with open(self.counters, "rb") as f:
            return struct.unpack("<6Q", f.read(48))

    def wait(self, packets=1, seconds=30):
        """Seconds from exec to the first packets; None if there were none."""
        end = self.began + seconds
        while time.time() < end and self.front.poll() is None:
            if os.path.exists(self.counters) and os.path.getsize(self.counters) >= 48 and \
                    self.read()[1] >= packets:
                return time.time() - self.began
            time.sleep(0.001)
        self.log.flush()
        tail = open(self.dir + "/log").read()[-400:]
        say(self.name, "forwards nothing:", tail)
        return None

    def both(self, sig):
        for p in (self.backend, self.front):
            os.kill(p.pid, sig)

    def prio(self, on):
        if not self.lab.rt:
            return
        for p in (self.backend, self.front):
            subprocess.run(["chrt", "-a", "-p"] + (["-f", "5"] if on else ["-o", "0"]) +
                           [str(p.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def round(self):
        self.prio(True)
        self.both(signal.SIGCONT)
        time.sleep(WARM)
        a = self.read()
        time.sleep(WINDOW)
        b = self.read()
        self.both(signal.SIGSTOP)
        self.prio(False)
        n, t = b[1] - a[1], b[0] - a[0]
        if n > 0 and t > 0:
            self.cycles.append(t / n)
            self.busy.append((b[3] - a[3]) / t)

    def rss(self):
        text = open(f"/proc/{self.front.pid}/status").read()
        return sum(int(m) for m in re.findall(r"^(?:VmRSS|HugetlbPages):\s+(\d+)", text, re.M))

    def end(self):
        for p in (self.front, self.backend):
            p.kill()
            p.wait()
        self.log.close()


class Turns:
    """A program that measures when it is asked to (bench_main() in tests/bench/bench.h)."""

    def __init__(self, lab, path):
        self.p = subprocess.Popen((RT if lab.rt else []) + [path, "turns"], text=True, bufsize=1,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.cases = []
        for line in self.p.stdout:
            if line == "\n":
                break
            self.cases.append(tuple(line.rstrip("\n").split("\t")))

    def turn(self, case):
        self.p.stdin.write(f"{self.cases.index(case)}\n")
        self.p.stdin.flush()
        return float(self.p.stdout.readline().split("\t")[2])

    def end(self):
        self.p.stdin.close()
        if self.p.wait(10):
            raise RuntimeError(f"{self.p.args[-2]} failed")


class Lab:
    def __init__(self, args):
        self.build, self.rounds = os.path.abspath(args.build), args.rounds
        self.quick, self.rt = args.quick, may_rt()
        self.tmp = tempfile.mkdtemp(prefix="weir-lab-")
        self.huge = int(re.search(r"HugePages_Free:\s+(\d+)",
                                  open("/proc/meminfo").read()).group(1)) >= 256
        self.testpmd = shutil.which("dpdk-testpmd")
        if not self.huge:
            os.environ["PEER_NO_HUGE"] = "1"

    def bench(self, name):
        return self.build + "/bench/" + name

    def weir(self, ring, burst, options):
        return (f"{self.build}/weir l2fwd --cores 1 --mac-swap --rx-desc {ring} --tx-desc {ring} "
                f"--burst {burst} vhost-user:SOCK{options}")

    def dpdk(self, ring, burst, options, huge=True):
        huge = huge and self.huge
        wide = "--force-max-simd-bitwidth=512" if "packed_vq=1,mrg_rxbuf=0,vec" in options else ""
        memory = ("--in-memory --single-file-segments -m 256" if huge else
                  "--no-huge --no-shconf -m 96")
        return (f"{self.testpmd} -l 0,1 --main-lcore 0 --no-pci --iova-mode=va --no-telemetry "
                f"{memory} {wide} "
                f"--vdev=net_virtio_user0,path=SOCK,queues=1,queue_size={ring}{options} -- "
                f"--forward-mode=macswap --burst={burst} --txd={ring} --rxd={ring} "
                f"--total-num-mbufs=8192 --no-mlockall --auto-start")

    # Options among which each side's best is looked for.
    WEIR = {"split": [("default", ""), ("in-order", "")], "packed": [("default", ""), ("in-order", "")]}
    DPDK = {
        "split": [("default", ",mrg_rxbuf=0,in_order=0"), ("in-order", ",mrg_rxbuf=0,in_order=1"),
                  ("vectorized", ",mrg_rxbuf=0,in_order=0,vectorized=1")],
        "packed": [("default", ",packed_vq=1,mrg_rxbuf=0,in_order=0"),
                   ("in-order", ",packed_vq=1,mrg_rxbuf=0,in_order=1"),
                   ("vectorized", ",packed_vq=1,mrg_rxbuf=0,vectorized=1,in_order=1")],
    }

    def backend(self, kind, name):
        return [self.bench("backend"), "SOCK", "COUNT"] + (["packed"] if kind == "packed" else []) + \
            (["in-order"] if name in ("in-order", "vectorized") else [])

    def sides(self, kind, ring, burst, backend=None):
        made = []
        for who, table, front in (("weir", self.WEIR, self.weir), ("dpdk", self.DPDK, self.dpdk)):
            for name, options in table[kind]:
                if backend and name != "default":
                    continue
                if backend and who == "weir" and kind == "split":
                    options = ",packed=off"
                p = Pair(self, f"{who} {name}", backend or self.backend(kind, name),
                         front(ring, burst, options))
                ok = p.wait(2000)
                p.who = who
                if ok is None:
                    p.end()
                    continue
                p.both(signal.SIGSTOP)
                made.append(p)
        return made

    def compare(self, part, what, kind, ring, burst, backend=None):
        say(part, what, f"ring {ring} burst {burst}")
        made = self.sides(kind, ring, burst, backend)
        for _ in range(self.rounds):
            for p in made:
                p.round()
        best = {}
        for p in made:
            p.end()
            if p.cycles and (p.who not in best or statistics.median(p.cycles) <
                             statistics.median(best[p.who].cycles)):
                best[p.who] = p
        if len(best) == 2:
            w, d = best["weir"], best["dpdk"]
            note = [f"{p.name.split()[1]}, back end {100 * statistics.median(p.busy):.0f} % busy"
                    for p in (w, d)]
            add(part, what, f"ring {ring}, burst {burst}", "cycles/packet", w.cycles, d.cycles, *note)

    def part_a(self):
        bursts = [32] if self.quick else [4, 32, 64]
        for kind in ("split", "packed"):
            for ring in (256, 1024):
                for burst in bursts:
                    self.compare("a", f"virtio {kind}, fast back end", kind, ring, burst)
        vhost = [self.bench("peer-vhost"), "SOCK", "COUNT"]
        for kind in ("split", "packed"):
            self.compare("a", f"virtio {kind}, net_vhost", kind, 256, 32, vhost)

    def programs(self, part, ours, theirs):
        """The cases that both programs have, in turn; see tests/bench/bench.h."""
        made = [Turns(self, self.bench(name)) for name in (ours, theirs)]
        for case in [c for c in made[0].cases if c in made[1].cases]:
            got = ([], [])
            for _ in range(self.rounds):
                for p, values in zip(made, got):
                    values.append(p.turn(case))
            self.put(part, case, *got)
        for p in made:
            p.end()

    def put(self, part, case, weir, dpdk):
        """A row; of one case in two ways the better of each side."""
        what, with_ = case
        if with_ != "one":
            return add(part, what, with_, "cycles", weir, dpdk)
        row = next(r for r in rows if r["what"] == what and r["with"] == "bulk 1")
        for who, values in (("weir", weir), ("dpdk", dpdk)):
            if statistics.median(values) < row[who]:
                row.update({who: statistics.median(values), who + "_min": min(values),
                            who + "_max": max(values), who + "_options": "calls for one"})
        row["ratio"] = row["weir"] / row["dpdk"]

    def part_b(self):
        say("b packet buffers and rings")
        self.programs("b", "pool", "peer-pool")
        self.programs("b", "ring", "peer-ring")

    def part_c(self):
        say("c null ports")
        self.programs("c", "fwd", "peer-fwd")

    def pcap(self, what, weir_in, weir_out, dpdk_in, dpdk_out, n):
        got = ([], [])
        for _ in range(self.rounds):
            for i, cmd in enumerate(([self.bench("fwd"), weir_in, weir_out, str(n)],
                                     [self.bench("peer-fwd"), dpdk_in, dpdk_out, str(n)])):
                out = subprocess.run((RT if self.rt else []) + cmd, capture_output=True, text=True)
                if out.returncode:
                    say(what, out.stderr[-300:])
                    return
                got[i].append(float(out.stdout.split()[-1]))
        add("d", what, f"{n} packets of 64 bytes", "cycles/packet", *got)

    def part_d(self):
        say("d pcap files")
        n = 500000 if self.quick else 2000000
        inp = f"{self.tmp}/in.pcap"
        with open(inp, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            one = struct.pack("<IIII", 1, 0, 64, 64) + bytes(range(64))
            f.write(one * n)
        self.pcap("pcap, read", f"pcap:{inp},", "null:", f"net_pcap0,rx_pcap={inp},tx_pcap=/dev/null",
                  "net_null1,size=64", n)
        for where, name in ((f"{self.tmp}/out.pcap", "pcap, write to a file"),
                            ("/dev/null", "pcap, write to /dev/null")):
            self.pcap(name, "null:", f"pcap:,{where}", "net_null0,size=64",
                      f"net_pcap1,rx_pcap={inp},tx_pcap={where}", n)

    def part_e(self):
        say("e start and memory")
        first, rss = {"weir": [], "dpdk": []}, {"weir": [], "dpdk": []}
        fronts = {"weir": self.weir(256, 32, ""),
                  "dpdk": self.dpdk(256, 32, self.DPDK["split"][0][1])}
        for _ in range(3 if self.quick else self.rounds):
            for who, front in fronts.items():
                p = Pair(self, who, self.backend("split", "default"), front)
                t = p.wait()
                if t is not None:
                    first[who].append(1000 * t)
                    rss[who].append(p.rss() / 1024)
                p.end()
        add("e", "exec to first packet", "split, ring 256", "ms", first["weir"], first["dpdk"])
        add("e", "memory, hugepages too", "split, ring 256", "MiB", rss["weir"], rss["dpdk"])

    def instructions(self, kind, name, front, seconds):
        """Instructions a packet under callgrind; the back end sleeps while it waits."""
        p = Pair(self, "callgrind", (RT if self.rt else []) + self.backend(kind, name) + ["sleep"],
                 "true")
        p.front.wait()
        out = p.dir + "/cg"
        p.began = time.time()
        p.front = subprocess.Popen(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"] +
            shlex.split(front.replace("SOCK", p.dir + "/sock")),
            stdout=p.log, stderr=p.log, stdin=subprocess.PIPE, cwd=p.dir)
        result = None

        def control(*a):
            subprocess.run(["callgrind_control", *a, str(p.front.pid)], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, cwd=p.dir)
        if p.wait(20000, 60) is not None:
            control("-i", "on")
            a = p.read()
            time.sleep(seconds)
            control("-i", "off")
            b = p.read()
            control("-d")
            time.sleep(0.3)
            total = 0
            for f in os.listdir(p.dir):
                if f.startswith("cg"):
                    for m in re.findall(r"^(?:summary|totals): (\d+)",
                                        open(f"{p.dir}/{f}").read(), re.M):
                        total = max(total, int(m))
            if b[1] > a[1] and total:
                result = total / (b[1] - a[1])
        p.end()
        return result

    def part_f(self):
        say("f instructions")
        seconds = 2 if self.quick else 4
        if not shutil.which("valgrind"):
            return say("f needs valgrind")
        for kind in ("split", "packed"):
            best = {}
            for who, table, front in (("weir", self.WEIR, self.weir), ("dpdk", self.DPDK, self.dpdk)):
                for name, options in table[kind]:
                    # valgrind knows no AVX-512
                    if who == "dpdk" and kind == "packed" and name == "vectorized":
                        continue
                    # and leaves no room for the address space that DPDK wants for hugepages
                    cmd = front(256, 32, options) if who == "weir" else \
                        self.dpdk(256, 32, options, huge=False)
                    n = self.instructions(kind, name, cmd, seconds)
                    if n and (who not in best or n < best[who][0]):
                        best[who] = (n, name)
            w, d = best.get("weir"), best.get("dpdk")
            if w:
                add("f", f"instructions, virtio {kind}", "ring 256, burst 32", "a packet", [w[0]],
                    [d[0]] if d else [], w[1], d[1] if d else "")

    def virtual(self, part):
        """Rounds in the test machine; vmlab.sh prints a line each."""
        got = {}
        rounds = min(self.rounds, 3 if part == "h" or self.quick else 5)
        out = subprocess.run([os.path.dirname(os.path.abspath(__file__)) + "/vmlab.sh", self.build,
                              part, str(rounds)], stdout=subprocess.PIPE, text=True)
        if out.returncode:
            return say(part, "left out")
        for line in out.stdout.splitlines():
            f = line.split("\t")
            got.setdefault(tuple(f[1:4]), {"weir": [], "dpdk": []})[f[4]].append(float(f[5]))
        for (what, with_, unit), v in got.items():
            add(part, what, with_, unit, v["weir"], v["dpdk"])

    def part_g(self):
        say("g claiming a device, in the test machine")
        self.virtual("g")

    def part_h(self):
        say("h igb's instructions, in the test machine")
        self.virtual("h")

    def part_n(self):
        """The ixgbe driver on nicsim, which no other driver can use: without a peer."""
        say("n the ixgbe driver on nicsim")
        out = subprocess.run([self.bench("nicsim")], capture_output=True, text=True, check=True)
        for line in out.stdout.splitlines():
            what, with_, med, least, most = line.split("\t")
            add("n", what, with_, "packets/s" if "packets/s" in what else "cycles",
                [float(least), float(med), float(most)], [])


def machine():
    cpu = open("/proc/cpuinfo").read()
    flags = re.search(r"^flags\s*: (.*)", cpu, re.M)
    have = [f for f in ("avx2", "bmi2", "avx512f", "avx512vl") if flags and f in flags.group(1).split()]
    model = re.search(r"^model name\s*: (.*)", cpu, re.M)
    return {"model": model.group(1) if model else "unknown", "cpus": os.cpu_count(),
            "features": have, "kernel": os.uname().release,
            "cores": "front end on 1, back end on 0",
            "load": os.getloadavg()[0]}


def number(x):
    return "-" if x is None else f"{x:.0f}" if x >= 1000 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def table():
    lines = ["PART\tWHAT\tWITH\tUNIT\tWEIR\tMIN\tMAX\tDPDK\tMIN\tMAX\tRATIO"]
    for r in rows:
        lines.append("\t".join([r["part"], r["what"], r["with"], r["unit"]] + [
            number(r[k]) for k in ("weir", "weir_min", "weir_max", "dpdk", "dpdk_min", "dpdk_max",
                                   "ratio")]))
    text = "\n".join(lines) + "\n"
    if shutil.which("column"):
        subprocess.run(["column", "-t", "-s", "\t", "-R", "5,6,7,8,9,10,11"], input=text, text=True)
    else:
        print(text, end="")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--only", default="a,b,c,d,e,f,g,h,n")
    args = p.parse_args()
    lab = Lab(args)
    m = machine()
    if not lab.testpmd or not os.path.exists(lab.bench("peer-fwd")):
        say("DPDK is not here (Debian's dpdk and libdpdk-dev): nothing to compare with")
        return 0
    missing = []
    try:
        for part in args.only.split(","):
            # What one part lacks is no reason to lose the others.
            try:
                getattr(lab, "part_" + part)()
            except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as e:
                say("part", part, "ended early:", e)
                missing.append(part)
    finally:
        shutil.rmtree(lab.tmp, ignore_errors=True)
    version = subprocess.run(["pkg-config", "--modversion", "libdpdk"], capture_output=True,
                             text=True).stdout.strip()
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    print(f"\nmachine   {m['model']}, {m['cpus']} CPUs ({', '.join(m['features'])}), kernel "
          f"{m['kernel']}, load {m['load']:.1f}\n"
          f"peer      DPDK {version}; {'hugepages' if lab.huge else 'ordinary pages'}; {m['cores']}"
          f"{'' if not lab.rt else ', SCHED_FIFO'}; {args.rounds} rounds in turn; {day}\n")
    table()
    with open(args.build + "/bench/lab.json", "w") as f:
        json.dump({"machine": m, "dpdk": version, "date": day, "rounds": args.rounds,
                   "missing": missing, "rows": rows}, f, indent=1)
        f.write("\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
