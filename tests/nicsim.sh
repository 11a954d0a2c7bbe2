#!/usr/bin/env bash
# weir against its own simulated NIC, as TAP: forwarding compared byte for byte, links, faults, and
# sudden ends. No root, no VM. Usage: tests/nicsim.sh [BUILD/weir [FRAMES [ROUNDS]]]
# FRAMES a file; the long runs play theirs ROUNDS times, which makes a million.
set -u
cd "$(dirname "$0")/.." || exit 1
weir=$(realpath "${1:-build/weir}") frames=${2:-20000} rounds=${3:-50}
# shellcheck source=sims.sh
. tests/sims.sh

# Play PCAP so many times, and compare what comes out while it comes.
forward() { # NAME ORDER PCAP FRAMES ROUNDS OPTION...
	local name=$1 order=$2 in=$3 count=$(($4 * $5)) rounds=$5 st=0 cmp
	shift 5
	rm -f out.fifo
	mkfifo out.fifo
	timeout 120 "$tools/pcapcmp" --order "$order" --rounds "$rounds" "$in" out.fifo >cmp.log 2>&1 &
	cmp=$!
	sim a "pcap:$in,loop=$rounds"
	sim b "pcap:,out.fifo"
	timeout 120 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --count "$count" "$@" >l2.log 2>&1
	st=$?
	stop_sims
	wait $cmp && [ $st -eq 0 ] && [ "$(num a dma_faults)" = 0 ] && [ "$(num b dma_faults)" = 0 ] &&
		[ "$(num a rx)" = "$count" ] && [ "$(num b tx)" = "$count" ]
	result $? "$name" l2.log cmp.log a.err b.err
}

"$tools/pktgen" -n "$frames" -f 64 in.pcap
"$tools/pktgen" -n "$frames" -f 64 -m 9000 -j 5 mixed.pcap
"$tools/pktgen" -n $((frames / 4)) -f 64 -m 9000 jumbo.pcap
many=$((frames * rounds))
forward "forward $many frames of 60 to 9000 bytes, 1 queue: identical and in order" \
	total mixed.pcap "$frames" "$rounds" --mtu 9000
for q in 4 16; do
	forward "forward $many frames of 60 to 9000 bytes, $q queues: identical, each flow in order" \
		flow mixed.pcap "$frames" "$rounds" --mtu 9000 --queues $q
done
forward "4 queues, one buffer a packet" flow in.pcap "$frames" 1 --queues 4
forward "mostly large frames" total jumbo.pcap $((frames / 4)) 1 --mtu 9000
forward "bursts of 8, rings of 64" total in.pcap "$frames" 1 --burst 8 --rx-desc 64 --tx-desc 64
forward "sleeping on interrupts" total in.pcap "$frames" 1 --idle sleep

# Without mapped pages the doorbells are messages.
sim a "pcap:in.pcap" --no-mmap
sim b "pcap:,out.pcap" --no-mmap
timeout 120 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --count "$frames" >l2.log 2>&1
stop_sims
"$tools/pcapcmp" in.pcap out.pcap >cmp.log 2>&1
result $? "doorbells by message" l2.log cmp.log

# Without shared memory each access to a ring or a buffer is a message to the driver.
"$tools/pktgen" -n 30 few.pcap
sim a "pcap:few.pcap" --dma-messages
sim b "pcap:,few-out.pcap" --dma-messages --no-mmap
timeout 120 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --count 30 >l2.log 2>&1
stop_sims
"$tools/pcapcmp" few.pcap few-out.pcap >cmp.log 2>&1 && [ "$(num a dma_messages)" -ge 90 ] &&
	[ "$(num b dma_messages)" -ge 60 ] && [ "$(num a dma_faults)" = 0 ] && [ "$(num b dma_faults)" = 0 ]
result $? "memory by message" l2.log cmp.log a.err b.err

# A NIC that could give queues to tenants, used by a driver that does not.
sim a "pcap:in.pcap" --pasid 20
sim b "pcap:,out.pcap" --pasid 1
timeout 120 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --count "$frames" --queues 2 >l2.log 2>&1
stop_sims
"$tools/pcapcmp" --order flow in.pcap out.pcap >cmp.log 2>&1 &&
	[ "$(num a dma_faults).$(num b dma_faults).$(num a stopped_queues).$(num b stopped_queues)" = 0.0.0.0 ]
result $? "NICs with PASIDs, no queue tagged" l2.log cmp.log a.err b.err

# a -> l2fwd -> b === c -> capture
sim a "pcap:in.pcap"
sim b "link:cable.sock"
sim c "link:cable.sock"
timeout 120 "$weir" capture vfio-user:c.sock -c 2000 -w cap.pcap >cap.log 2>&1 &
cap=$!
for _ in $(seq 100); do grep -q capturing cap.log && break; sleep 0.05; done
sleep 0.3
timeout 120 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --count 2000 >l2.log 2>&1
wait $cap
st=$?
stop_sims
[ $st -eq 0 ] && "$tools/pcapcmp" --count 2000 in.pcap cap.pcap >cmp.log 2>&1
result $? "through a link into a capture" l2.log cap.log cmp.log

# A receiver that stands still makes the sender wait, which is no reason to reset it.
sim a "gen:count=20000"
sim b "link:cable.sock"
sim c "link:cable.sock"
timeout 120 "$weir" capture vfio-user:c.sock -c 20000 -w cap.pcap >cap.log 2>&1 &
cap=$!
for _ in $(seq 100); do grep -q capturing cap.log && break; sleep 0.05; done
sleep 0.3
child=$(cat /proc/$cap/task/$cap/children)
kill -STOP $child
timeout 120 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --watchdog 400 --hold 20000 --count 20000 \
	>l2.log 2>&1 &
l2=$!
sleep 2
kill -CONT $child
wait $cap
st=$?
wait $l2
st=$((st + $?))
stop_sims
[ $st -eq 0 ] && ! grep -q 'tx-stall' l2.log && [ "$("$tools/pcapcmp" --frames cap.pcap)" = 20000 ]
result $? "a receiver that stands still for two seconds: nothing lost, nothing reset" l2.log cap.log

# The same NIC for one driver after the other, one of them killed in full traffic.
sim a "gen:size=imix"
sim b "gen:count=1"
for i in 1 2 3; do
	"$weir" l2fwd vfio-user:a.sock vfio-user:b.sock >l2.log 2>&1 &
	p=$!
	for _ in $(seq 200); do grep -q forwarding l2.log && break; sleep 0.05; done
	sleep 0.3
	{ kill -KILL $p && wait $p; } 2>/dev/null
done
timeout 60 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --count 5000 >l2.log 2>&1
st=$?
stop_sims
[ $st -eq 0 ] && [ "$(num a clients)" = 4 ] && [ "$(num a dma_faults)" = 0 ]
result $? "a driver killed in full traffic leaves nothing behind" l2.log a.json

# The server dies: the driver says so and ends, or goes on with what is left; it does not crash.
sim a "gen:"
sim b "gen:count=1"
timeout 20 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock --duration 3 >l2.log 2>&1 &
p=$!
sleep 1
{ kill -KILL "${sims[0]}" && wait "${sims[0]}"; } 2>/dev/null
wait $p
st=$?
stop_sims 2>/dev/null
[ $st -eq 1 ] && [ "$(grep -c 'device-gone' l2.log)" = 1 ]
result $? "the NIC vanishes in full traffic: said once, no crash, no hang" l2.log

# One NIC of four is asked back: it is closed within a second, and the other pair loses nothing.
sim a "gen:rate=20000" --fault request:2000
sim b "gen:rate=20000"
sim c "pcap:in.pcap"
sim d "pcap:,out.pcap"
timeout 60 "$weir" l2fwd vfio-user:a.sock vfio-user:b.sock vfio-user:c.sock vfio-user:d.sock \
	--duration 4 --json >l2.json 2>l2.log
st=$?
stop_sims
ms=$(sed -nE 's/.*a\.sock left the run and was closed within ([0-9]+) ms; 3 ports are left.*/\1/p' l2.log)
"$tools/pcapcmp" in.pcap out.pcap >cmp.log 2>&1 && [ $st -eq 3 ] && [ "${ms:-9999}" -le 1000 ] &&
	[ "$(grep -c '"given_back":true' l2.json)" = 1 ] && grep -q '\[device-request\]' l2.log
result $? "one NIC of four is asked back: the others go on, exit status 3" l2.log cmp.log a.err

sim a "gen:count=1"
"$weir" reset vfio-user:a.sock >r.log 2>&1 && grep -q "function reset" r.log
a=$?
"$weir" reset --hot vfio-user:a.sock >>r.log 2>&1
st=$?
[ $a -eq 0 ] && [ $st -eq 1 ] && grep -q '\[hot-reset\]' r.log
result $? "weir reset: the function, and no slot to reset" r.log
stop_sims

"$weir" nicsim --socket x.sock --wire nothing: >x.log 2>&1
[ $? -eq 1 ] && grep -q "there is no wire" x.log
result $? "a wire that does not exist" x.log
"$weir" nicsim --socket x.sock --wire loop --fault nothing >x.log 2>&1
[ $? -eq 1 ] && grep -q "there is no fault" x.log && [ ! -e x.sock ]
result $? "a fault that does not exist" x.log
"$weir" nicsim --socket x.sock --wire loop --pasid 21 >x.log 2>&1
[ $? -eq 2 ] && grep -q -- "--pasid" x.log && [ ! -e x.sock ]
result $? "PASIDs wider than PCIe has them" x.log
"$weir" nicsim --wire loop >x.log 2>&1
[ $? -eq 2 ]
result $? "no socket named" x.log

echo "1..$n"
exit $bad
