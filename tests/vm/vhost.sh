#!/usr/bin/env bash
# A Linux guest's own virtio NICs on our vhost: ports, as TAP: QEMU's vhost-user net, two NICs of one guest
# in two namespaces of it, and l2fwd on the host the only way between. Packed and split rings, 1 and 4 queue
# pairs: mixed frames pass bit by bit both ways, over each queue, and ping and TCP do.
# Usage: tests/vm/vhost.sh [BUILD]; wants the programs that `make vm-helpers` makes
set -u
here=$(dirname "$(readlink -f "$0")")
build=$(realpath "${1:-build}")
qemu=$("$here/qemu.sh") && kernel=$("$here/kernel.sh") && base=$("$here/initramfs.sh") || exit 1
dir=$(mktemp -d)
weir_pid=''
end() {
	[ -z "$weir_pid" ] || kill -9 "$weir_pid" 2>/dev/null
	rm -rf "$dir"
}
trap end EXIT
cd "$dir" || exit 1

mkdir root
cat >root/init <<'INIT'
#!/bin/sh
export PATH=/usr/bin:/bin:/sbin:/usr/sbin
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
mount -t tmpfs t /run
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
# One frame at a time up the stack: packet sockets then see every frame in the wire's order.
sysctl -qw net.core.gro_normal_batch=1
queues=$(sed -nE 's/.*queues=([0-9]+).*/\1/p' /proc/cmdline)
i=0
for ns in A B; do
	i=$((i + 1))
	ip netns add $ns
	dev=$(ls /sys/class/net | grep eth | sort | head -n 1)
	echo "guest: checksums $(cut -c 1-2 "/sys/class/net/$dev/device/features")"
	echo "guest: packed $(cut -c 35 "/sys/class/net/$dev/device/features")"
	ip link set "$dev" netns $ns
	ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip netns exec $ns ip link set "$dev" name e
	[ "$queues" = 1 ] || ip netns exec $ns ethtool -L e combined "$queues"
	ip netns exec $ns ethtool -K e gro off lro off 2>/dev/null
	# Each flow to a queue by its hash, and not by the processor that sends it.
	for xps in $(ip netns exec $ns sh -c 'ls /sys/class/net/e/queues/tx-*/xps_cpus'); do
		ip netns exec $ns sh -c "echo 0 >$xps"
	done
	ip netns exec $ns ip link set e up
done
sleep 2
# whole KIND ORDER: each way. With several queues a flow keeps its order; Linux hashes tagged ones to any queue.
whole() {
	pktgen -n 2000 -s 5 ${1:+-k "$1" -f 32} /run/in.pcap
	wiretest --order "$2" A:e B:e /run/in.pcap && wiretest --order "$2" B:e A:e /run/in.pcap
}
if [ "$queues" = 1 ]; then
	whole '' total
else
	whole udp4 flow && whole tcp6 flow
fi && echo "guest: frames whole"
for i in 1 2; do
	ns=$(echo A B | cut -d' ' -f$i)
	ip netns exec "$ns" ip addr add 10.9.0.$i/24 dev e
done
ip netns exec A ping -c 20 -i 0.1 -s 1400 10.9.0.2
(sleep 30 | ip netns exec B nc -l -p 5001 | md5sum >/run/sum) &
sleep 2
head -c 5000000 /dev/urandom >/run/data
ip netns exec A nc 10.9.0.2 5001 </run/data
sleep 2
[ "$(md5sum </run/data)" = "$(cat /run/sum)" ] && echo "guest: tcp whole"
poweroff -f
INIT
chmod +x root/init
mkdir -p root/usr/bin
cp "$build"/vm/bin/{pktgen,wiretest} root/usr/bin/ || exit 1
(cd root && find . | cpio -o -H newc -R 0:0 --quiet) >init.cpio
cat "$base" init.cpio >all.cpio

nic() { # N PACKED QUEUES
	local mq=''
	[ "$3" = 1 ] || mq=,mq=on,vectors=$((2 * $3 + 2))
	printf '%s\n' -chardev "socket,id=c$1,path=v$1.sock" -netdev "vhost-user,id=n$1,chardev=c$1,queues=$3" \
		-device "virtio-net-pci,netdev=n$1,romfile=,disable-legacy=on,packed=$2$mq"
}
# Queues that received, of both ports together.
used() { awk -f "$here/guest/json.awk" weir.json | grep -cE '^ports[.][0-9]+[.]queues[.][0-9]+[.]rx[.]packets [1-9]'; }
n=0 bad=0
result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then printf 'ok %d - %s\n' $n "$2" && return; fi
	bad=1
	printf 'not ok %d - %s\n' $n "$2"
	grep -avh ' bytes from ' guest.log weir.log | tail -n 30 | tr -d '\r' | sed 's/^/# /'
}
run() { # PACKED QUEUES
	local packed=$1 queues=$2 name="packed $1, $2 queue pairs" nics want=1
	"$build/weir" l2fwd "vhost:v0.sock,queues=$queues" "vhost:v1.sock,queues=$queues" --queues "$queues" \
		--idle sleep --hold 2000 --json >weir.json 2>weir.log &
	weir_pid=$!
	for _ in $(seq 50); do [ -S v1.sock ] && break; sleep 0.1; done
	mapfile -t nics < <(nic 0 "$packed" "$queues" && nic 1 "$packed" "$queues")
	timeout 100 "$qemu" -M q35,memory-backend=m0 -object memory-backend-memfd,id=m0,size=512M,share=on \
		-accel tcg,thread=multi -cpu max -smp 2 -m 512M -display none -vga none -nic none "${nics[@]}" \
		-kernel "$kernel" -initrd all.cpio -append "console=ttyS0 panic=-1 quiet net.ifnames=0 queues=$queues" \
		-serial stdio -no-reboot >guest.log 2>&1 </dev/null
	kill -INT $weir_pid
	wait $weir_pid
	result $? "$name: l2fwd ends with status 0"
	weir_pid=''
	[ "$packed" = on ] || want=0
	[ "$(grep -ac "guest: packed $want" guest.log)" = 2 ]
	result $? "$name: the guest's driver agreed"
	grep -aq "guest: frames whole" guest.log
	result $? "$name: thousands of frames each way, bit by bit and in order"
	[ "$(used)" = $((2 * queues)) ]
	result $? "$name: every queue of both ports received"
	[ "$(grep -ac "guest: checksums 11" guest.log)" = 2 ]
	result $? "$name: the guest leaves checksums to us, and takes unfinished ones"
	grep -aq "20 packets transmitted, 20 packets received" guest.log
	result $? "$name: 20 of 20 pings"
	grep -aq "guest: tcp whole" guest.log
	result $? "$name: 5 MB of TCP, whole"
}
for queues in 1 4; do
	for packed in on off; do
		run $packed $queues
	done
done
echo "1..$n"
exit $bad
