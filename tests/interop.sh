#!/usr/bin/env bash
# vhost-user against DPDK's testpmd in other processes, as TAP: its back end under our front end, and
# its front end on our back end; split and packed, 1 and 4 queues; and either side killed in full
# traffic and started again. Needs no root's hugepages and no VM. Usage: tests/interop.sh [BUILD]
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(realpath "${1:-build}")
testpmd=$(command -v dpdk-testpmd)
n=0 bad=0 pid=''
dir=$(mktemp -d)
end() {
	[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null
	rm -rf "$dir"
}
trap end EXIT

result() { # STATUS NAME LOG...
	local status=$1 name=$2 log
	shift 2
	n=$((n + 1))
	if [ "$status" -eq 0 ]; then
		printf 'ok %d - %s\n' $n "$name"
		return
	fi
	bad=1
	printf 'not ok %d - %s\n' $n "$name"
	for log; do tail -n 15 "$log" | strings | sed 's/^/# /'; done
}

[ -n "$testpmd" ] || {
	echo "ok 1 - DPDK's testpmd # SKIP dpdk-testpmd is not installed (Debian: dpdk-dev)"
	echo "1..1"
	exit 0
}

# pmd VDEV QUEUES: testpmd that sends each queue's frames back on the same queue
pmd() {
	stdbuf -oL "$testpmd" -l 0,1 --no-huge -m 256 --no-pci --file-prefix "weir$$" --vdev="$1" -- \
		--forward-mode=io --auto-start --stats-period 3600 --no-flush-rx --no-lsc-interrupt \
		--total-num-mbufs=16384 --rxq="$2" --txq="$2" --rxd=1024 --txd=1024 \
		>pmd.log 2>&1 </dev/null 3>&- &
	pid=$!
}
pmd_end() { # SIGNAL
	[ -n "$pid" ] || return
	kill "-$1" "$pid" 2>/dev/null
	for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
	kill -9 "$pid" 2>/dev/null
	{ wait "$pid"; } 2>/dev/null
	pid=''
}
started() { for _ in $(seq 200); do grep -q "packet forwarding packets/burst" pmd.log && return; sleep 0.1; done; return 1; }
socket_there() { for _ in $(seq 100); do [ -S "$1" ] && return; sleep 0.1; done; return 1; }

cd "$dir" || exit 1
"$build/vm/bin/pktgen" -n 5000 -s 5 in.pcap
echo="$build/interop/echo"

# Our front end, DPDK's net_vhost as the device.
for packed in on off; do
	for q in 1 4; do
		rm -f be.sock
		pmd "net_vhost0,iface=be.sock,queues=$q" $q
		started
		timeout 60 "$echo" -q $q -r 4 "vhost-user:be.sock,packed=$packed" in.pcap >echo.log 2>&1 &&
			grep -q "^20000 frames back through $q queues, 0 sent again" echo.log
		result $? "net_vhost as the device, packed $packed, $q queues: 20,000 frames" echo.log pmd.log
		pmd_end INT
	done
done

# DPDK's virtio-user as the driver of our device.
for packed in 1 0; do
	for q in 1 4; do
		rm -f fe.sock go
		mkfifo go
		timeout 60 "$echo" -w -q $q -r 4 "vhost:fe.sock" in.pcap >echo.log 2>&1 <go &
		e=$!
		exec 3>go
		socket_there fe.sock
		pmd "net_virtio_user0,path=fe.sock,queues=$q,cq=1,queue_size=1024,packed_vq=$packed" $q
		started
		exec 3>&-
		wait $e && grep -q "^20000 frames back through $q queues, 0 sent again" echo.log
		result $? "virtio_user on our device, packed $packed, $q queues: 20,000 frames" echo.log pmd.log
		pmd_end INT
	done
done

# The back end killed in full traffic, twice, and started again.
for packed in on off; do
	rm -f be.sock
	pmd "net_vhost0,iface=be.sock,queues=1" 1
	started
	timeout 100 "$echo" -b 2 -r 20 "vhost-user:be.sock,packed=$packed" in.pcap >echo.log 2>&1 &
	e=$!
	for _ in 1 2; do
		sleep 1
		pmd_end KILL
		sleep 0.3
		rm -f be.sock
		pmd "net_vhost0,iface=be.sock,queues=1" 1
		for _ in $(seq 100); do grep -q "vhost-user-back" echo.log && break; sleep 0.1; done
	done
	wait $e && grep -qE "^[0-9]{6,} frames back .* 2 connections" echo.log
	result $? "net_vhost killed twice in traffic and started again, packed $packed" \
		echo.log pmd.log
	grep "frames back" echo.log | sed 's/^/# /'
	pmd_end INT
done

# The driver killed in full traffic, another one started.
rm -f fe.sock
timeout 100 "$echo" -b 2 -r 20 "vhost:fe.sock" in.pcap >echo.log 2>&1 &
e=$!
socket_there fe.sock
pmd "net_virtio_user0,path=fe.sock,queues=1,queue_size=1024,packed_vq=1" 1
started
sleep 1
pmd_end KILL
pmd "net_virtio_user0,path=fe.sock,queues=1,queue_size=1024,packed_vq=0" 1
wait $e && grep -qE "^[0-9]{6,} frames back .* 2 connections" echo.log
result $? "virtio_user killed in traffic, another one comes" echo.log pmd.log
pmd_end INT

echo "1..$n"
exit $bad
