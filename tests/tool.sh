#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Black-box tests of the `weir` command, without a device: TAP on standard output.
#   usage: tests/tool.sh WEIR
# Bad input must get a sentence and an exit status, never a crash; files must be what went in.

set -u
here=$(dirname "$(realpath "$0")")
tmp=$(mktemp -d)
chmod 755 "$tmp"
install -m 755 "${1:?usage: tests/tool.sh WEIR}" "$tmp/weir"
weir=$tmp/weir
cd "$tmp" || exit 1
n=0 bad=0

end() {
	mountpoint -q "$tmp/disk" && umount "$tmp/disk"
	rm -rf "$tmp"
}
trap end EXIT

ok() { n=$((n + 1)); echo "ok $n - $1"; }

not_ok() {
	n=$((n + 1)) bad=$((bad + 1))
	echo "not ok $n - $1"
	shift
	printf '# %s\n' "$@"
	sed 's/^/# err: /' err | tail -20
}

skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

check() { # NAME COMMAND...: the command succeeds
	local name=$1
	shift
	if "$@" >> err 2>&1; then ok "$name"; else not_ok "$name" "failed: $*"; fi
}

# try NAME STATUS TEXT COMMAND...: runs, ends with STATUS, and says TEXT (on either stream)
try() {
	local name=$1 status=$2 text=$3 got
	shift 3
	timeout -k 5 60 "$@" > out 2> err < /dev/null
	got=$?
	if [ $got != "$status" ]; then
		not_ok "$name" "exit status $got, not $status: $*"
	elif ! cat out err | grep -qF -- "$text"; then
		not_ok "$name" "does not say: $text"
	else
		ok "$name"
	fi
}

# --- a machine of files ---

export WEIR_SYSFS=$tmp/sys WEIR_DEV=$tmp/dev WEIR_PROC=$tmp/proc WEIR_RUN=$tmp/run

machine() {
	rm -rf sys dev proc run
	mkdir -p sys/bus/pci/devices sys/bus/pci/drivers/{igb,vfio-pci} dev/vfio/devices proc
	: > sys/bus/pci/drivers_probe
}

device() { # BDF GROUP DRIVER [ID]
	local d=sys/bus/pci/devices/$1
	mkdir -p "$d"
	echo 0x8086 > "$d/vendor"
	echo "${4:-0x10c9}" > "$d/device"
	echo 0x020000 > "$d/class"
	echo -1 > "$d/numa_node"
	: > "$d/driver_override"
	[ -z "$3" ] || ln -s "$tmp/sys/bus/pci/drivers/$3" "$d/driver"
	[ -n "$2" ] || return 0
	mkdir -p "sys/kernel/iommu_groups/$2/devices"
	ln -s "$tmp/$d" "sys/kernel/iommu_groups/$2/devices/$1"
	ln -s "$tmp/sys/kernel/iommu_groups/$2" "$d/iommu_group"
}

nodes() { # the nodes of group $1 and of VFIO
	touch dev/iommu dev/vfio/vfio "dev/vfio/$1" dev/vfio/devices/vfio0
}

machine

# --- traffic: FILE COUNT, mixed frames of 60 to 1514 bytes, some tagged, UDP to three ports ---

cat > pcap.py << 'END'
import struct, sys

def frames(count):
    for n in range(count):
        size = 60 + n * 97 % 1455
        tag = b"\x81\x00\x00\x05" if n % 5 == 0 else b""
        udp = struct.pack(">HHHH", 4000, 1000 + n % 3, size - 34, 0)
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, n & 0xffff, 0, 64, 17, 0,
                         0x0a000001, 0x0a000002)
        frame = b"\x02" * 6 + b"\x04" * 6 + tag + b"\x08\x00" + ip + udp
        yield (frame + bytes((n + i) & 255 for i in range(size)))[:size]

def read(path):
    data = open(path, "rb").read()
    assert data[:4] == struct.pack("<I", 0xa1b23c4d), "no nanosecond pcap file"
    at, out = 24, []
    while at < len(data):
        sec, nsec, cap, size = struct.unpack_from("<IIII", data, at)
        assert nsec < 10**9 and cap <= size and at + 16 + cap <= len(data), "broken record"
        out.append((data[at + 16:at + 16 + cap], size))
        at += 16 + cap
    return out

def write(path, count):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for n, data in enumerate(frames(count)):
            f.write(struct.pack("<IIII", 1700000000, n, len(data), len(data)) + data)

def port(frame):
    at = 18 if frame[12:14] == b"\x81\x00" else 14
    return struct.unpack_from(">H", frame, at + 22)[0]

what = sys.argv[1]
if what == "write":
    write(sys.argv[2], int(sys.argv[3]))
elif what == "same": # FILE COUNT [SNAPLEN [PORT]]: untagged frames only when a port is given
    want = list(frames(int(sys.argv[3])))
    if len(sys.argv) > 5:
        want = [f for f in want if f[12:14] == b"\x08\x00" and port(f) == int(sys.argv[5])]
    snap = int(sys.argv[4]) if len(sys.argv) > 4 else 65535
    got = read(sys.argv[2])
    assert len(got) == len(want), f"{len(got)} frames, not {len(want)}"
    for n, (w, g) in enumerate(zip(want, got)):
        assert g == (w[:snap], len(w)), f"frame {n} differs"
elif what == "rewritten": # FILE COUNT DST: another source, this destination, the rest the same
    assert len(read(sys.argv[2])) == int(sys.argv[3])
    for w, (g, size) in zip(frames(int(sys.argv[3])), read(sys.argv[2])):
        assert g[:6].hex() == sys.argv[4] and g[6:12] != w[6:12] and g[12:] == w[12:]
elif what == "count": # FILE... COUNT: so many frames in all files together
    assert sum(len(read(f)) for f in sys.argv[2:-1]) == int(sys.argv[-1])
elif what == "whole":
    assert len(read(sys.argv[2])) > 0
END
py() { python3 pcap.py "$@"; }
py write in.pcap 5000

# --- the command line ---

try "no command" 2 "usage: weir" "$weir"
try "unknown command" 2 'no command "fly"' "$weir" fly
try "--help" 0 "l2fwd" "$weir" --help
for s in fd:FD vfio-user:SOCKET vhost-user:SOCKET " vhost:SOCKET" vdpa:DEVICE tap:NAME null: pcap:IN,OUT; do
	try "--help: $s" 0 "$s" "$weir" --help
done
for c in "list --json" "top -n 1" "l2fwd --json --count 1 null:64 null:"; do
	# shellcheck disable=SC2086
	try "$c: a full disk" 1 "could not be written in full" sh -c '"$0" "$@" > /dev/full' "$weir" $c
done
try "top: ends with its reader" 0 "" bash -c 'set -o pipefail; timeout 10 "$0" top | head -n 1' "$weir"
try "--version" 0 "weir " "$weir" --version
for c in list top doctor bind release reset l2fwd capture nicsim; do
	try "$c --help" 0 "usage: weir $c" "$weir" $c --help
	try "$c: unknown option" 2 "Try \`weir $c --help\`" "$weir" $c --no-such-option
done
try "bind: no device" 2 "name at least one device" "$weir" bind
try "bind: no address" 2 "no PCI address" "$weir" bind eth0
try "release: no address" 2 "no PCI address" "$weir" release 0000:03:00.9
try "bind --vfs: no number" 2 "whole number" "$weir" bind --vfs many 0000:03:00.0
try "l2fwd: no device" 2 "name pairs of devices" "$weir" l2fwd
try "l2fwd: one device" 2 "with --mac-swap" "$weir" l2fwd null:
try "l2fwd: odd number of devices" 2 "not 3" "$weir" l2fwd null: null: null:
try "l2fwd: too many devices" 2 "not 18" "$weir" l2fwd $(yes null: | head -18)
try "l2fwd: bad mode" 2 "auto, cdev, group, compat, type1 or noiommu" "$weir" l2fwd --mode no-iommu null: null:
try "l2fwd: bad cores" 2 "--cores wants" "$weir" l2fwd --cores 1- null: null:
try "l2fwd: bad number" 2 "--queues wants a whole number" "$weir" l2fwd -q 0 null: null:
try "l2fwd: one device as a mirror" 0 "1000 packets forwarded" "$weir" l2fwd --mac-swap --count 1000 null:
try "l2fwd: a burst too short for jumbo frames" 2 "--burst must be 8 at least" \
	"$weir" l2fwd --mtu 9000 --burst 4 null: null:
try "l2fwd: bursts of one" 0 "1000 packets forwarded" "$weir" l2fwd --burst 1 --mac-swap --count 1000 null:
try "l2fwd: bad MAC" 2 "no MAC address" "$weir" l2fwd --mac-rewrite=1:2:3 null: null:
try "capture: no device" 2 "name the device" "$weir" capture -w x.pcap
try "capture: no file" 2 "-w" "$weir" capture null:
try "capture: bad snap length" 2 "-s wants" "$weir" capture -w x.pcap -s -1 null:

# --- devices that are not there or cannot be used ---

try "l2fwd --keep-going: says how many are left" 1 "forwarding between 3 ports" \
	"$weir" l2fwd --keep-going --count 10 null:64 null: null: vfio-user:none.sock

try "unknown device" 1 "no PCI device 0000:99:00.0" "$weir" l2fwd 99:00.0 null:
try "no device string" 1 '"eth0" is no device' "$weir" l2fwd eth0 null:
echo '{ "devices": ["null:64", "null:64"], "duration": 1, "json": true }' > run.json
try "l2fwd: devices and options from a file" 0 '"forwarded"' "$weir" l2fwd --config run.json
echo '{ "devices": ["null:64", "null:64"], "speed": 9 }' > bad.json
try "l2fwd: a file with a word that is no option" 2 '"speed" is no option' "$weir" l2fwd --config bad.json
printf '{ "devices": ["null:64", "null:64"],\n  "duration" 1 }\n' > bad.json
try "l2fwd: a file that is no JSON" 2 "bad.json: line 2: " "$weir" l2fwd --config bad.json
try "l2fwd: no file" 2 "No such file" "$weir" l2fwd --config none.json
try "bad mode of one device" 1 "after the address of a device" "$weir" l2fwd 0000:ff:1f.7,mode=pci null:
try "other option of one device" 1 "after the address of a device" "$weir" capture 0000:ff:1f.7,node=1 -w x.pcap
try "mode of one device" 1 "0000:ff:1f.7" "$weir" capture 0000:ff:1f.7,mode=type1 -w x.pcap
try "unknown scheme" 1 "is no device" "$weir" capture tun:x -w x.pcap
try "bind: unknown device" 1 "no-device" "$weir" bind 0000:99:00.0
try "null: with nonsense" 1 "frame length" "$weir" l2fwd null:13 null:
try "null: too long" 1 "frame length" "$weir" l2fwd null:99999 null:
try "no capture to play" 1 "cannot play none.pcap" "$weir" l2fwd pcap:none.pcap, null:
head -c 1000 /dev/zero > zero.pcap
try "not a capture to play" 1 "cannot play zero.pcap" "$weir" l2fwd pcap:zero.pcap, null:
try "nowhere to write to" 1 "cannot write" "$weir" l2fwd null: pcap:,no/such/folder
try "one port twice" 1 "named twice" "$weir" l2fwd 0000:03:00.0 03:00.0
try "one file twice" 1 "named twice" "$weir" l2fwd pcap:in.pcap, pcap:in.pcap,
try "queues that a port lacks" 1 "asked for" "$weir" l2fwd -q 2 pcap:in.pcap, null:
try "MTU that a port lacks" 1 "MTU" "$weir" l2fwd --mtu 9000 null: null:

try "list: nothing" 0 "no network devices" "$weir" list
try "list --json: nothing" 0 "[" "$weir" list --json
check "list --json: nothing: is JSON" python3 -m json.tool out
device 0000:03:00.0 "" igb
device 0000:04:00.0 7 igb 0x9999
try "list" 0 "0000:03:00.0" "$weir" list
try "list: what is missing" 0 "modprobe iommufd" "$weir" list 03:00.0
try "list: unknown device" 1 "no-device" "$weir" list 0000:99:00.0
try "list: no address" 1 "no PCI address" "$weir" list eth0
try "list --json" 0 '"supported":false' "$weir" list --json
check "list --json: is JSON" python3 -m json.tool out
try "unsupported NIC" 1 "no driver in weir" "$weir" l2fwd 04:00.0 null:
try "no IOMMU" 1 "intel_iommu=on" "$weir" l2fwd 03:00.0 null:
try "bind: no IOMMU" 1 "no-iommu" "$weir" bind 03:00.0

machine
device 0000:03:00.0 5 igb
rmdir sys/bus/pci/drivers/vfio-pci
try "no vfio-pci" 1 "modprobe vfio-pci" "$weir" l2fwd 03:00.0 null:
mkdir -p sys/bus/pci/drivers/vfio-pci sys/bus/pci/devices/0000:03:00.0/net/lo
if ip -4 addr show dev lo 2> /dev/null | grep -q 127.0.0.1; then
	try "interface in use" 1 "127.0.0.1" "$weir" bind 03:00.0
	try "interface in use, for a run" 1 "--force" "$weir" capture 03:00.0 -w x.pcap
	# Files do not bind: the driver does not change, which is what a refusal looks like.
	try "--force goes on" 1 "vfio-pci did not take" "$weir" bind --force 03:00.0
	check "a refused bind leaves no record" test ! -e run/bind/0000:03:00.0
else
	skip "interface in use" "no loopback interface with an address"
fi
try "no SR-IOV" 1 "0 virtual functions" "$weir" bind --vfs 3 03:00.0
try "release: nothing to do" 0 "its driver is igb" "$weir" release 03:00.0

machine
device 0000:03:00.0 5 vfio-pci
try "no container" 1 "modprobe vfio-pci" "$weir" l2fwd --mode group 03:00.0 null:
try "no IOMMUFD" 1 "modprobe iommufd" "$weir" l2fwd --mode cdev 03:00.0 null:
nodes 5
try "no cdev" 1 "no cdev" "$weir" l2fwd --mode cdev 03:00.0 null:
device 0000:03:00.1 5 igb
mkdir -p sys/bus/pci/devices/0000:03:00.1/net/eth9
try "group not viable" 1 "0000:03:00.1 (igb, eth9)" "$weir" l2fwd --mode group 03:00.0 null:
try "group not viable: in the list" 0 "not viable" "$weir" list
try "nodes that are no devices" 1 "weir: " "$weir" l2fwd --mode group 03:00.0 null:
mkdir -p sys/bus/pci/devices/0000:03:00.0/vfio-dev/vfio0
try "an iommufd that is none" 1 "Inappropriate ioctl" "$weir" l2fwd --mode cdev 03:00.0 null:
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
	nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
	chmod 600 dev/iommu dev/vfio/vfio dev/vfio/5 dev/vfio/devices/vfio0
	try "no permission for a node" 1 "60-weir.rules" \
		$nobody "$weir" l2fwd --mode cdev 03:00.0 null:
	try "no permission: whose it is" 1 "root:root mode 600" \
		$nobody "$weir" l2fwd --mode auto 03:00.0 null:
	rm sys/bus/pci/devices/0000:03:00.0/driver
	try "no permission to bind" 1 "needs root" $nobody "$weir" bind 03:00.0
	mkdir -p locked && chmod 700 locked
	try "no permission for a file" 1 "Permission denied" \
		$nobody "$weir" capture null: -w locked/x.pcap
else
	skip "no permission" "needs root and setpriv"
fi

# --- memory ---

# Pages of a size that no processor of ours has: as if there were none.
machine
echo "Hugepagesize:    8192 kB" > proc/meminfo
try "no hugepages: goes on" 0 "hugeadm --pool-pages-min 8192KB" \
	"$weir" l2fwd --count 100 null: null:
check "no hugepages: said once" test "$(grep -c 'hugepages\]' err)" = 1
if grep -qaE '__[at]san_init' "$weir"; then
	skip "no address space" "the sanitizer needs more than weir itself"
else
	try "no address space" 1 "ulimit -v" bash -c "ulimit -v 4000000; exec $weir l2fwd null: null:"
fi
rm proc/meminfo

# --- filters and files ---

try "l2fwd: bad filter" 1 "does not compile" "$weir" l2fwd --capture 'x.pcap:((' null: null:
try "capture: bad filter" 1 "does not compile" "$weir" capture null: -w x.pcap tcp port
check "no file was made for them" test ! -e x.pcap
try "capture: no such folder" 1 "No such file" "$weir" capture null: -w no/such/x.pcap
try "capture: full device" 1 "No space left" "$weir" capture null: -w /dev/full
try "l2fwd: full device under the port" 1 "file-write" \
	"$weir" l2fwd --count 100000 null: pcap:,/dev/full
if mkdir -p disk && mount -t tmpfs -o size=4M weir disk 2> /dev/null; then
	try "capture: full disk" 1 "what was captured before is kept" \
		"$weir" capture null: -w disk/a.pcap
	check "capture: full disk: what is there is whole" py whole disk/a.pcap
	rm -f disk/*
	try "l2fwd --capture: full disk" 1 "disk-full" "$weir" l2fwd --capture disk/b.pcap null: null:
	check "l2fwd --capture: full disk: what is there is whole" py whole disk/b.pcap
	rm -f disk/*
	try "pcap port: full disk" 1 "is the disk full?" "$weir" l2fwd null: pcap:,disk/c.pcap
	umount disk
else
	skip "full disk" "cannot mount a tmpfs"
fi

# --- traffic ---

try "forward a file" 0 "5000" "$weir" l2fwd --count 5000 pcap:in.pcap, pcap:,out.pcap
check "forward a file: every bit, in order" py same out.pcap 5000
try "forward with a capture" 0 "5000 packets captured" \
	"$weir" l2fwd --count 5000 --capture cap.pcap pcap:in.pcap, pcap:,out.pcap
check "the capture is what passed" py same cap.pcap 5000
check "and so is what was forwarded" py same out.pcap 5000
try "forward, capture some" 0 "captured to cap.pcap" "$weir" l2fwd --count 5000 \
	--capture "cap.pcap:udp dst port 1001" pcap:in.pcap, pcap:,out.pcap
check "the filter chose" py same cap.pcap 5000 65535 1001
try "forward, as JSON" 0 '"forwarded":5000' \
	"$weir" l2fwd --json --count 5000 pcap:in.pcap, pcap:,out.pcap
check "forward: is JSON" python3 -m json.tool out
try "counters beside JSON" 0 '"forwarded":0' \
	"$weir" l2fwd --json --idle yield --duration 2 --stats 1 null:0 null:0
check "counters beside JSON: is JSON" python3 -m json.tool out
check "counters beside JSON: the counters" grep -q RX-PKTS err
try "forward with workers" 0 "4 workers" \
	"$weir" l2fwd -q 4 --cores 0,0,0,0 --idle yield --count 20000 null: null:
try "more CPUs than workers" 0 "3 CPUs named, 1 used" \
	"$weir" l2fwd --cores 0,0,0 --count 100 null: null:
try "count is exact" 0 '"forwarded":12345' \
	"$weir" l2fwd -q 2 --cores 0,0 --idle yield --json --count 12345 null: null:0
try "reset: no device" 2 "name 1 to 16 devices" "$weir" reset
try "reset: no address" 2 "is no PCI address" "$weir" reset --hot eth0
try "reset: no such mode" 2 "compat, type1 or noiommu" "$weir" reset -m fast 0000:7f:1f.7
try "reset: no such device" 1 "[no-device]" "$weir" reset 0000:7f:1f.7
# Files that were handed in, by number and by name.
try "handed in: a file that is not open" 1 "fd 77 (\"77\") is not open" "$weir" l2fwd fd:77 null:
try "handed in: a name that nobody gave" 1 "no file is handed in as" "$weir" l2fwd fd:nic0 null:
try "handed in: a name meant for another process" 1 "no file is handed in as" \
	env LISTEN_PID=1 LISTEN_FDS=1 LISTEN_FDNAMES=nic0 "$weir" l2fwd fd:nic0 null: 3< /dev/null
try "handed in: memory that is too small" 1 "that was handed in has 1 MiB" \
	python3 -c 'import os, sys
fd = os.memfd_create("packets", os.MFD_ALLOW_SEALING)
os.truncate(fd, 1 << 20)
os.set_inheritable(fd, True)
os.execv(sys.argv[1], sys.argv[1:] + ["--memory-fd", str(fd)])' "$weir" l2fwd --count 100 null: null:
try "handed in: memory" 0 "100 packets forwarded" \
	python3 -c 'import os, sys
fd = os.memfd_create("packets", os.MFD_ALLOW_SEALING)
os.truncate(fd, 64 << 20)
os.set_inheritable(fd, True)
os.execv(sys.argv[1], sys.argv[1:] + ["--memory-fd", str(fd)])' "$weir" l2fwd --count 100 null: null:
try "a CPU that is not there" 1 "CPU 1023 is not there" \
	"$weir" l2fwd --cores 1023 --count 100 null: null:
try "duration ends it" 0 "null:0" "$weir" l2fwd --idle yield --duration 1 --stats 1 null:0 null:0
try "sleep where there is no interrupt" 1 "RX interrupts" \
	"$weir" l2fwd --idle sleep null: null:
try "rewrite addresses" 0 "" "$weir" l2fwd --mac-rewrite=02:00:00:00:00:99 --count 1000 \
	pcap:in.pcap, pcap:,m.pcap
check "rewrite addresses: these and nothing else" py rewritten m.pcap 1000 020000000099
try "rewrite the source alone" 0 "" "$weir" l2fwd -M --count 1000 pcap:in.pcap, pcap:,m.pcap
check "rewrite the source alone: that and nothing else" py rewritten m.pcap 1000 020202020202

try "capture -c" 0 "100 packets captured" "$weir" capture pcap:in.pcap, -w c.pcap -c 100
check "capture -c: the first" py same c.pcap 100
try "capture -s" 0 "5000 packets captured" "$weir" capture pcap:in.pcap, -w s.pcap -s 30 -c 5000
check "capture -s: their beginnings" py same s.pcap 5000 30
try "capture -s with a filter" 0 "1334 packets captured" \
	"$weir" capture pcap:in.pcap, -w f.pcap -s 30 -c 1334 udp dst port 1001
check "capture -s with a filter: sees whole frames" py same f.pcap 5000 30 1001
mkdir -p c && try "capture -C" 0 "5000 packets captured" \
	"$weir" capture pcap:in.pcap, -w c/r -C 1 -c 5000
check "capture -C: several files" test "$(ls c | wc -l)" -ge 4
check "capture -C: all in them" py count c/* 5000
mkdir -p k && try "capture -C -W" 0 "5000 packets captured" \
	"$weir" capture pcap:in.pcap, -w k/r -C 1 -W 2 -c 5000
check "capture -C -W: a ring of files" test "$(ls k | wc -l)" = 2
try "capture -G" 0 "10 packets captured" "$weir" capture pcap:in.pcap, -w 'g-%j.pcap' -G 86400 -c 10
check "capture -G: name of its time" py count g-[0-9][0-9][0-9].pcap 10
timeout 60 "$weir" capture pcap:in.pcap, -w - -c 50 -q > out 2> err
check "capture -w -" py same out 50

# --- what runs: the real /proc, for processes are found in it ---

tree() { env -u WEIR_PROC "$weir" list --tree "$@"; }
running() { # PID: its name in the tree, and the file it comes from
	tree > out 2> err
	grep -q "process $1: weir l2fwd" out && [ -s "run/$1.json" ]
}
machine
try "list --tree: nothing" 0 "no process of weir" env -u WEIR_PROC "$weir" list --tree
mkdir -p run
touch -d "-5 minutes" run/77.json.new && touch run/78.json.new
tree >/dev/null
check "list --tree removes what a process killed long ago was writing, and no other" \
	test ! -e run/77.json.new -a -e run/78.json.new
rm -f run/78.json.new
try "list --tree takes no device" 2 "name no device" "$weir" list --tree 03:00.0
"$weir" nicsim --socket sim.sock --wire loop > sim.out 2> sim.err &
sim=$!
for _ in $(seq 100); do [ -S sim.sock ] && break; sleep 0.05; done
env -u WEIR_PROC "$weir" l2fwd --idle yield vfio-user:sim.sock null: > fwd.out 2> fwd.err &
fwd=$!
for _ in $(seq 200); do grep -q "forwarding between" fwd.err && break; sleep 0.05; done
for _ in $(seq 100); do [ -s run/$fwd.json ] && break; sleep 0.05; done
check "list --tree: a running process" running $fwd
check "list --tree: its device" grep -qE '^.-vfio-user:sim.sock \(ixgbe\)' out
check "list --tree: its RID's address space" grep -qE 'RID +vfio-user' out
check "list --tree: a mapping" grep -qE '0x[0-9a-f]+ +rw +[0-9]+ [KM]iB arena' out
try "list --tree --json" 0 '"process' env -u WEIR_PROC "$weir" list --tree --json
check "list --tree --json: is JSON" python3 -m json.tool out
check "list --tree --json: one mapping of an arena" python3 -c '
import json, sys
p = json.load(open("out"))["processes"][0]
m = p["spaces"][p["devices"][0]["space"]]["mappings"]
sys.exit(not (len(m) == 1 and m[0]["source"] == "arena" and m[0]["bytes"] > 1 << 20 and m[0]["write"]))'
# What cannot be renewed is not shown, and comes back.
gone() { for _ in $(seq 60); do [ -e "run/$1.json" ] || return 0; sleep 0.05; done; return 1; }
mkdir run/$fwd.json.new
check "list --tree: what was not renewed is not shown" gone $fwd
rmdir run/$fwd.json.new
for _ in $(seq 60); do [ -s run/$fwd.json ] && break; sleep 0.05; done
check "list --tree: and is again once it can be" running $fwd
cp run/$fwd.json keep.json
kill -KILL $fwd && wait $fwd 2> /dev/null
cp run/$fwd.json run/1.json # of a process that lives, but is another
try "list --tree: a killed process is not shown" 0 "no process of weir" \
	env -u WEIR_PROC "$weir" list --tree
check "list --tree: nor is its file left" test "$(ls run)" = ""
sed 's/pid:/other:/' keep.json > run/1.json
try "list --tree: of another PID namespace" 0 "no process of weir" \
	env -u WEIR_PROC "$weir" list --tree
check "list --tree: is left alone" test -e run/1.json
echo '{"pid":1,"devices":' > run/2.json
try "list --tree: a broken file" 0 "no process of weir" env -u WEIR_PROC "$weir" list --tree
rm -f run/*
# A process with PASIDs, made up, and the tables of an IOMMU to go with it.
sleep 60 &
sleeper=$!
start=$(sed 's/.*) //' /proc/$sleeper/stat | cut -d' ' -f20)
cat > run/$sleeper.json << JSON
{"pid":$sleeper,"start":$start,"pid_namespace":"$(readlink /proc/self/ns/pid)","devices":[
{"device":"0000:03:00.0","driver":"ixgbe","mode":"cdev","space":0,"pasids":[{"pasid":18,"space":1},{"pasid":19,"space":9}]}],
"spaces":[{"space":0,"mode":"cdev","ioas":2,"bytes":4096,"mappings":[]},{"space":1,"mode":"cdev","ioas":5,"bytes":6291456,
"mappings":[{"iova":"0x100000000","bytes":6291456,"read":true,"write":false,"source":"arena","copied":true,"page_bytes":2097152,"iommu_page_bytes":2097152},
{"iova":"0x200000000","bytes":4096,"read":true,"write":true,"source":"address"}]}]}
JSON
try "list --tree: a PASID" 0 "" env -u WEIR_PROC "$weir" list --tree
check "list --tree: its address space" grep -qE 'PASID 18 +cdev 5 +6 MiB' out
check "list --tree: what memory allows" grep -qE '0x100000000 +r +6 MiB arena, copied +2 MiB +2 MiB\?' out
check "list --tree: what is not known" grep -qE '0x200000000 +rw +4 KiB address +\?' out
check "list --tree: an address space that there is not" grep -qE 'PASID 19 *$' out
tables=sys/kernel/debug/iommu/intel/0000:03:00.0/12
mkdir -p $tables
{
	printf 'IOVA_PFN\t\tPML5E\n'
	printf '0x0000000100000 |\t0x0\t0x1\t0x2\t0x3\n0x0000000100200 |\t0x0\t0x1\t0x2\t0x3\n'
	for p in $(seq 0 511); do printf '0x%013x |\t0x0\t0x1\t0x2\t0x3\t0x4\n' $((0x100400 + p)); done
} > $tables/domain_translation_struct
try "list --tree: the IOMMU's tables of a PASID" 0 "2 x 2 MiB, 512 x 4 KiB" env -u WEIR_PROC "$weir" list --tree
check "list --tree: nothing is there for the other" grep -qE '0x200000000 .* none$' out
try "list --tree --json: they are there too" 0 '"2097152":2' env -u WEIR_PROC "$weir" list --tree --json
kill $sleeper && wait $sleeper 2> /dev/null
rm -rf run/* sys/kernel/debug
try "top: nothing runs" 0 "no process of weir" env -u WEIR_PROC "$weir" top --count 1
try "top: no such interval" 2 "whole number" "$weir" top --interval 0
try "top takes no device" 2 "no device" "$weir" top 03:00.0
env -u WEIR_PROC "$weir" l2fwd --idle yield pcap:in.pcap, null:0 > fwd.out 2> fwd.err &
fwd=$!
env -u WEIR_PROC "$weir" l2fwd --idle yield --duration 30 null: null: > /dev/null 2>&1 &
other=$!
for _ in $(seq 100); do [ -s run/$fwd.json ] && [ -s run/$other.json ] && break; sleep 0.05; done
try "top" 0 "process $fwd" env -u WEIR_PROC "$weir" top --count 3
check "top: what a file held was received" grep -qE '^.-pcap:in.pcap, +5000 ' out
check "top: and sent by the other port" grep -qE '^.-null:0 +0 .* 5000 ' out
check "top: rates of the other process" awk '/^process/ { mine = $2 == '$other' }
	mine && /null:/ { n++; if (n > 2 && $4 ~ /^[0-9.]+$/ && $4 > 0 && $5 == "M") good = 1 }
	END { exit !good }' out
kill $fwd $other && wait $fwd $other
env -u WEIR_PROC "$weir" l2fwd --duration 1 --idle yield null: null: > out 2> err
check "a run takes its file away" test "$(ls run)" = ""
kill $sim && wait $sim

# --- doctor ---

finding() { # ID LEVEL: in the JSON of the last run
	python3 -c '
import json, sys
c = json.load(open("out"))["checks"]
sys.exit(not any(f["id"] == sys.argv[1] and f["level"] == sys.argv[2] for f in c))' "$1" "$2"
}
machine
try "doctor: no IOMMU" 1 "intel_iommu=on" "$weir" doctor
try "doctor --json: no IOMMU" 1 '"no-iommu"' "$weir" doctor --json
check "doctor --json: what fails" finding no-iommu fail
try "doctor: unknown device" 1 "no-device" "$weir" doctor 0000:99:00.0
try "doctor: no device string" 2 "no device: take" "$weir" doctor eth0
try "doctor: bad queues" 2 "whole number" "$weir" doctor --queues 0
device 0000:03:00.0 5 igb
device 0000:04:00.0 7 igb 0x9999
nodes 5
rm dev/iommu
mkdir -p sys/module/vfio_iommu_type1 sys/class/iommu/dmar0
printf 'Hugepagesize: 2048 kB\n' > proc/meminfo
try "doctor: a sound machine" 0 "usable once bound" "$weir" doctor
check "doctor: its other NIC" grep -q "8086:9999 (igb): not supported" out
try "doctor DEV: can be bound" 0 "weir bind 0000:03:00.0" "$weir" doctor 03:00.0
check "doctor DEV: how that lasts" grep -q weir-bind@0000:03:00.0.service out
try "doctor DEV: not supported" 1 "no-driver" "$weir" doctor 04:00.0
device 0000:03:00.1 5 igb
try "doctor DEV: not viable" 1 "weir bind 0000:03:00.1" "$weir" doctor --json 03:00.0
check "doctor DEV: not viable: the finding" finding group-not-viable fail
check "doctor DEV: the modes as data" python3 -c '
import json, sys
m = json.load(open("out"))["devices"][0]
sys.exit(not (m["auto"] is None and m["modes"]["cdev"]["usable"] is False))'
find sys dev proc -exec stat -c '%n %Z %s' {} + | sort > before
"$weir" doctor > out 2> err
"$weir" doctor 03:00.0 04:00.0 >> out 2>> err
find sys dev proc -exec stat -c '%n %Z %s' {} + | sort > after
check "doctor touches nothing" cmp before after
check "doctor: nor the folder of records" test ! -e run
try "doctor DEV: a server's socket that is not there" 1 "start the server first" \
	"$weir" doctor --json "vfio-user:$tmp/none.sock"
try "doctor DEV: a port without a device" 0 "nothing is needed" "$weir" doctor null:
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
	chmod 600 dev/vfio/vfio
	chmod 755 "$tmp"
	try "doctor: no permission" 1 "60-weir.rules" \
		setpriv --reuid=65534 --regid=65534 --clear-groups "$weir" doctor
	check "doctor: no permission: whose it is" grep -q "root:root mode 600" out
else
	skip "doctor: no permission" "not root"
fi

# --- signals ---

# stopped NAME SIGNAL READY COMMAND...: started, told to stop once READY is said, ends with 0
stopped() {
	local name=$1 signal=$2 ready=$3 pid
	shift 3
	: > err # the words of the run before are not this one's
	# Whoever started us may have it ignored (nohup, &).
	env --default-signal="$signal" "$@" > out 2> err < /dev/null &
	pid=$!
	for _ in $(seq 600); do
		grep -q "$ready" err && break
		kill -0 $pid 2> /dev/null || break
		sleep 0.1
	done
	kill -s "$signal" $pid
	wait $pid
	got=$?
	if [ $got = 0 ]; then ok "$name"; else not_ok "$name" "exit status $got"; fi
}

for s in INT TERM HUP; do
	stopped "l2fwd: SIG$s" $s "forwarding between" "$weir" l2fwd --idle yield null: null:
	check "l2fwd: SIG$s: a whole summary" test "$(grep -c '^null:' out)" = 2
	stopped "l2fwd --json: SIG$s" $s "forwarding between" \
		"$weir" l2fwd --json --idle yield null: null:
	check "l2fwd --json: SIG$s: whole" python3 -m json.tool out
	stopped "capture: SIG$s" $s "capturing on" "$weir" capture null:0 -w sig.pcap
	check "capture: SIG$s: counts" grep -q "0 packets captured" err
	check "capture: SIG$s: an empty capture" py same sig.pcap 0
done

echo "1..$n"
[ $bad = 0 ]
