#!/usr/bin/env bash
# `make run`: weir between two simulated NICs, in seconds, without root and without a virtual machine.
#
# Two network namespaces of our own let the kernel's stack talk to itself, which gives a capture file.
# One simulated 82599 plays it into a port of `weir l2fwd`, another records what comes out of the
# other port; the two files are compared frame by frame.
#
#   tests/demo.sh [BUILD]
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build} out=$build/run
weir=$build/weir bin=$build/vm/bin
frames=15000 pace=4000
rm -rf "$out"
mkdir -p "$out"
started=$SECONDS
sims=()

die() {
	printf 'demo: %s\n' "$*" >&2
	exit 1
}
stop_sims() {
	local p
	for p in "${sims[@]}"; do kill "$p" 2>/dev/null && wait "$p"; done
	sims=()
}
trap 'stop_sims; rm -f "$out"/*.sock' EXIT

# The kernel's own traffic: ping and TCP between two namespaces, as whole frames (no offloads).
# shellcheck disable=SC2016
kernel_traffic='
	set -e
	mount -t tmpfs none /run && mkdir -p /run/netns
	ip netns add a && ip netns add b
	ip link add va netns a type veth peer name vb netns b
	for i in a b; do
		ip netns exec $i ethtool -K v$i tx off rx off tso off gso off gro off >/dev/null 2>&1
		ip -n $i link set v$i up
	done
	ip -n a addr add 10.77.0.1/24 dev va
	ip -n b addr add 10.77.0.2/24 dev vb
	ip netns exec a tcpdump -q -i va -w "$1/kernel.pcap" -c "$3" -U 2>"$1/tcpdump.log" &
	dump=$!
	sleep 0.5
	ip netns exec a ping -q -c 5 -i 0.2 10.77.0.2
	ip netns exec b "$2/tcpxfer" serve 5001 40000000 7 &
	sleep 0.2
	ip netns exec a "$2/tcpxfer" send 10.77.0.2 5001 40000000 7
	wait $dump
'
make_traffic() {
	local how
	for how in "unshare -r -n -m" "unshare -n -m"; do
		# shellcheck disable=SC2086
		timeout 15 $how sh -c "$kernel_traffic" sh "$(realpath "$out")" "$(realpath "$bin")" $frames \
			>"$out/traffic.log" 2>&1 && [ -s "$out/kernel.pcap" ] && return
	done
	return 1
}

sim() { # NAME WIRE
	"$weir" nicsim --socket "$out/$1.sock" --wire "$2" --json >"$out/$1.json" 2>"$out/$1.log" &
	sims+=($!)
	for _ in $(seq 100); do
		[ -S "$out/$1.sock" ] && return
		sleep 0.02
	done
	die "the simulated NIC $1 does not start: $(cat "$out/$1.log")"
}
num() { sed -nE "s/^  \"$2\":([0-9]+),?\$/\1/p" "$out/$1.json" | head -n 1; }

source="the kernel's own traffic (ping and TCP between two namespaces)"
if ! make_traffic; then
	source="made-up mixed frames (this machine allows no network namespace: see $out/traffic.log)"
	"$bin/pktgen" -n $frames -s 1 "$out/kernel.pcap" >/dev/null || die "no traffic to play"
fi
n=$("$bin/pcapcmp" --frames "$out/kernel.pcap") || die "cannot read $out/kernel.pcap"

sim a "pcap:$out/kernel.pcap,pace=$pace"
sim b "pcap:,$out/received.pcap"
# The NIC that plays comes last: a wire does not wait for the other port to be started.
"$weir" l2fwd "vfio-user:$out/b.sock" "vfio-user:$out/a.sock" --count "$n" --duration 30 --stats 1 \
	--capture "$out/forward.pcap" 2>"$out/l2fwd.log"
status=$?
stop_sims
[ $status = 0 ] || die "weir l2fwd ended with status $status: $(tail -n 3 "$out/l2fwd.log")"

echo
echo "weir forwarded between two simulated 82599, over vfio-user, without root:"
echo "  played    $n frames: $source"
identical=yes
for f in received forward; do
	"$bin/pcapcmp" --exact "$out/kernel.pcap" "$out/$f.pcap" >"$out/$f.cmp" 2>&1 || identical=no
done
printf '  sent      %s by the first NIC, received %s by the second, %s refused DMA accesses\n' \
	"$(num a rx)" "$(num b tx)" "$(($(num a dma_faults) + $(num b dma_faults)))"
echo "  captured  $out/forward.pcap; recorded on the far side: $out/received.pcap"
echo "  identical $identical (every byte, in order; frames under 60 bytes are padded as on a wire)"
echo "  time      $((SECONDS - started)) s"
[ $identical = yes ] || { cat "$out"/*.cmp >&2 && exit 1; }
