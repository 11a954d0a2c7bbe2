#!/usr/bin/env bash
# Short runs over simulated NICs under ThreadSanitizer and valgrind's memcheck, as TAP: workers, control
# calls, a port that is reset and one that leaves; then the memory of both programs.
# Usage: tests/nicsim-watch.sh [BUILD/weir [TSAN-BUILD/weir]]
set -u
cd "$(dirname "$0")/.." || exit 1
weir=$(realpath "${1:-build/weir}") tsan=$(realpath "${2:-build/tsan/weir}")
# shellcheck source=sims.sh
. tests/sims.sh

ports=(vfio-user:a.sock vfio-user:b.sock)
"$tools/pktgen" -n 2000 -f 32 in.pcap
mem=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite)

# A forwarder under TSan: it ends well, and says nothing of a race.
race() { # NAME STATUS A-OPTIONS... -- L2FWD-OPTIONS...
	local name=$1 want=$2 wire st opts=()
	shift 2
	wire=$1
	shift
	while [ "$1" != -- ]; do
		opts+=("$1")
		shift
	done
	shift
	sim a "$wire" "${opts[@]}"
	sim b "loop"
	TSAN_OPTIONS=halt_on_error=0:exitcode=66 timeout 60 "$tsan" l2fwd "${ports[@]}" \
		"$@" >l2.out 2>l2.log </dev/null
	st=$?
	stop_sims
	[ $st -eq "$want" ] && ! grep -q 'WARNING: ThreadSanitizer' l2.log
	result $? "TSan: $name" l2.log l2.out
}

race "4 queues, 2 workers, live counters" 0 "pcap:in.pcap,loop=20" -- \
	--queues 4 --cores 0,1 --stats 1 --count 60000
race "workers that sleep on interrupts" 0 "pcap:in.pcap,pace=5000,loop=2" -- \
	--queues 4 --cores 0,1 --idle sleep --duration 3
race "a port that is reset" 0 "gen:rate=5000" --fault tx-stall:200,once -- \
	--queues 2 --cores 0,1 --watchdog 300 --duration 3
grep -q 'port-restarted' l2.log
result $? "TSan: it was reset" l2.log
race "a port that leaves" 1 "gen:rate=5000" --fault gone-frame:2000 -- \
	--queues 2 --cores 0,1 --duration 3
race "a capture on the side" 0 "pcap:in.pcap" -- --queues 2 --cores 0,1 --capture cap.pcap --count 4000

# The driver's side.
sim a "pcap:in.pcap"
sim b "pcap:,out.pcap"
timeout 60 "${mem[@]}" "$weir" l2fwd "${ports[@]}" --count 2000 >l2.log 2>&1
st=$?
stop_sims
[ $st -eq 0 ] && "$tools/pcapcmp" in.pcap out.pcap >cmp.log 2>&1
result $? "memcheck: the forwarder" l2.log cmp.log

# The model's side: valgrind prints to standard error, which sim keeps.
plain=$weir
printf '#!/bin/sh\nexec %s %s "$@"\n' "${mem[*]}" "$plain" >checked
chmod +x checked
rm -f out.pcap
weir=$PWD/checked
sim a "pcap:in.pcap" --once
sim b "pcap:,out.pcap" --once
weir=$plain
for _ in $(seq 200); do grep -q ^serving a.err && grep -q ^serving b.err && break; sleep 0.1; done
timeout 100 "$plain" l2fwd "${ports[@]}" --count 2000 >l2.log 2>&1
st=$?
for p in "${sims[@]}"; do wait "$p" || st=99; done
sims=()
[ $st -eq 0 ] && "$tools/pcapcmp" in.pcap out.pcap >cmp.log 2>&1
result $? "memcheck: both NICs" l2.log cmp.log a.err b.err

echo "1..$n"
exit $bad
