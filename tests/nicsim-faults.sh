#!/usr/bin/env bash
# Each way in which a NIC can misbehave, as TAP. `weir l2fwd` forwards between a and b, and between c and
# d. The fault is a's: weir must report it and name the port, go on with it, reset it or let it leave, live
# on, forward every frame between c and d before, during and after it, and end when it is told to.
# Usage: tests/nicsim-faults.sh [BUILD/weir]
set -u
cd "$(dirname "$0")/.." || exit 1
weir=$(realpath "${1:-build/weir}")
# shellcheck source=sims.sh
. tests/sims.sh

rate=2000 idle=sleep
ports=(vfio-user:a.sock vfio-user:b.sock vfio-user:c.sock vfio-user:d.sock)
"$tools/pktgen" -n $rate -f 8 in.pcap

# Seconds since $began, in hundredths.
age() { echo $(($(date +%s%N) / 10000000 - began)); }

# Wait until the forwarder has said TEXT.
said() { # TEXT
	while ! grep -qsE -- "$1" l2.log; do
		[ "$(age)" -gt 2500 ] && return 1
		kill -0 $l2 2>/dev/null || return 1
		sleep 0.05
	done
}

# What came of what a sent, by pcapcmp: "lost 3".
lost() { # ROUNDS
	"$tools/pcapcmp" --rounds "$1" in.pcap b.pcap 2>/dev/null |
		sed -nE 's/^pcapcmp: .* (lost [0-9]+) .*/\1/p'
}

# A value of port a in the forwarder's summary.
of_a() { sed -nE '/"device":/,$p' l2.json | sed -nE "s/^ *\"$1\":([a-z0-9]+),?\$/\1/p" | head -n 1; }

# END is how it ends for a: runs (untouched), reset (and runs again), left. LOST is what of the frames from a
# does not arrive ("-": whatever). TEXT is what is said about a, or counted in the summary.
fault() { # FAULT SECONDS END LOST TEXT...
	local fault=$1 secs=$2 end=$3 lose=$4 why='' st l2 began text
	shift 4
	sim a "pcap:in.pcap,pace=$rate,loop=$secs" --fault "$fault"
	sim b "pcap:in.pcap,b.pcap,pace=$rate,loop=$secs"
	sim c "pcap:in.pcap,pace=$rate,loop=$secs"
	sim d "pcap:,d.pcap"
	# Rings for two seconds: frames at a pace do not wait for a machine that is busy.
	began=$(($(date +%s%N) / 10000000))
	"$weir" l2fwd "${ports[@]}" --keep-going --watchdog 400 --rx-desc 4096 --idle "$idle" --json \
		>l2.json 2>l2.log </dev/null &
	l2=$!
	said "forwarding between" || why+=" does not forward;"
	began=$(($(date +%s%N) / 10000000))
	for text in "$@"; do
		[[ $text = *:* ]] || said "a\\.sock: .*\\[$text\\]" || why+=" does not say $text;"
	done
	while [ "$(age)" -lt $((secs * 100 + 50)) ]; do sleep 0.1; done
	kill -0 $l2 || why+=" ended by itself;"
	kill -INT $l2
	timeout 10 tail --pid=$l2 -f /dev/null || why+=" does not end;"
	wait $l2
	st=$?
	stop_sims 2>/dev/null
	"$tools/pcapcmp" --rounds "$secs" in.pcap d.pcap >cmp.log 2>&1 || why+=" c to d is not whole;"
	for text in "$@"; do
		[[ $text != *:* ]] || [ "$(of_a "${text%:*}")" = "${text#*:}" ] || why+=" not $text;"
	done
	case $end in
	runs) [ "$st $(of_a failed) $(of_a restarts)" = "0 false 0" ] || why+=" not untouched;" ;;
	reset) [ $st = 0 ] && [ "$(of_a failed)" = false ] && [ "$(of_a restarts)" = 1 ] &&
		[ "$(lost "$secs" | tr -dc 0-9)" -lt $((secs * rate * 2 / 3)) ] || why+=" not recovered;" ;;
	left) [ "$st $(of_a failed)" = "1 true" ] || why+=" did not leave;" ;;
	esac
	[ "$lose" = - ] || [ "$(lost "$secs")" = "lost $lose" ] || why+=" a to b: $(lost "$secs");"
	[ "$(grep -cE '\[(device-gone|vfio-user-timeout)\]' l2.log)" -le 1 ] || why+=" said twice;"
	[ -z "$why" ]
	result $? "fault $fault: $end, $*${why:+ -$why}" l2.log l2.json cmp.log a.err
}

# Four at a time, each in a folder of its own.
row() { # as fault()
	n=$((n + 1))
	while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n; done
	(
		sims=()
		mkdir $n && cd $n && ln -s ../in.pcap . && fault "$@"
		stop_sims 2>/dev/null
	) >$n.out 2>&1 &
}

# A lie about one frame is counted; that frame is lost, and no other.
row rx-len-huge 1 runs 1 bad_len:1
row rx-len-zero 1 runs 1 bad_len:1
# This one takes the next one with it.
row rx-no-eop 1 runs 2 bad_len:1
# No driver can see this one: the frame is forwarded with what was in the buffer.
row rx-no-data 1 runs 1
# What weir's driver does not use.
for f in stuck-eeprom stuck-semaphore eeprom-checksum; do
	row $f 1 runs 0
done
row no-link 4 runs - link-down

# A queue stands still: reset, and if that does not help, the port leaves.
row tx-stall:100,once 2 reset - tx-stall port-restarted
row rx-stall:100,once 2 reset - rx-stall port-restarted
row tx-stall:100 4 left - tx-stall port-restarted port-stopped
row rx-stall:100 4 left - rx-stall port-restarted port-stopped
# Accesses in a row, so one of each kind: descriptor and data, RX and TX.
for i in 1000 1001 1002 1003; do
	row dma:$i 2 reset - device-fault port-restarted
done

# Before it runs, and while it does.
row stuck-rx 1 left - device-timeout port-left-out
row stuck-tx 1 left - device-timeout port-left-out
row stuck-reset 1 left - device-reset port-left-out
for f in ones:100 ones:760 ones-frame:200 gone:100 gone:760 gone-frame:200; do
	row $f 2 left - device-gone
done
# A worker that asks such a server for interrupts waits for the answer, and its other ports with it.
idle=yield
for f in stall:100 stall:760 stall-frame:200; do
	row $f 7 left - vfio-user-timeout
done
wait
for i in $(seq $n); do sed "s/^\\(\\(not \\)\\?ok\\) [0-9]* /\\1 $i /" $i.out; done
! grep -q '^not ok' ./*.out || bad=1

# Without --keep-going what cannot be had at the start is the end.
sim a "gen:" --fault stuck-rx
sim b "loop"
timeout 20 "$weir" l2fwd "${ports[@]:0:2}" >l2.log 2>&1
[ $? -eq 1 ] && grep -qE "a\.sock: .*\[device-timeout\]" l2.log
result $? "a port that does not start ends the run"
timeout 20 "$weir" l2fwd vfio-user:none.sock vfio-user:b.sock --keep-going >l2.log 2>&1
[ $? -eq 1 ] && grep -qE "\[no-port\]" l2.log
result $? "no pair is left to go on with" l2.log
stop_sims

echo "1..$n"
exit $bad
