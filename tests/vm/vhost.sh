#!/usr/bin/env bash
# A Linux guest's own virtio NICs on our vhost: ports, as TAP: QEMU's vhost-user net, two NICs of one guest
# in two namespaces of it, and l2fwd on the host the only way between. Packed rings, then split ones.
# Usage: tests/vm/vhost.sh [BUILD]
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
i=0
for ns in A B; do
	i=$((i + 1))
	ip netns add $ns
	dev=$(ls /sys/class/net | grep eth | sort | head -n 1)
	echo "guest: packed $(cut -c 35 "/sys/class/net/$dev/device/features")"
	ip link set "$dev" netns $ns
	ip netns exec $ns ip link set "$dev" name e up
	ip netns exec $ns ip addr add 10.9.0.$i/24 dev e
done
sleep 2
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
(cd root && find . | cpio -o -H newc -R 0:0 --quiet) >init.cpio
cat "$base" init.cpio >all.cpio

nic() { # N PACKED
	printf '%s\n' -chardev "socket,id=c$1,path=v$1.sock" -netdev "vhost-user,id=n$1,chardev=c$1" \
		-device "virtio-net-pci,netdev=n$1,romfile=,disable-legacy=on,packed=$2"
}
n=0 bad=0
result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then printf 'ok %d - %s\n' $n "$2" && return; fi
	bad=1
	printf 'not ok %d - %s\n' $n "$2"
	tail -n 20 guest.log weir.log | tr -d '\r' | sed 's/^/# /'
}
for packed in on off; do
	"$build/weir" l2fwd vhost:v0.sock vhost:v1.sock --idle sleep --hold 2000 >weir.log 2>&1 &
	weir_pid=$!
	for _ in $(seq 50); do [ -S v1.sock ] && break; sleep 0.1; done
	mapfile -t nics < <(nic 0 $packed && nic 1 $packed)
	timeout 100 "$qemu" -M q35,memory-backend=m0 -object memory-backend-memfd,id=m0,size=512M,share=on \
		-accel tcg,thread=multi -cpu max -smp 2 -m 512M -display none -vga none -nic none "${nics[@]}" \
		-kernel "$kernel" -initrd all.cpio -append "console=ttyS0 panic=-1 quiet net.ifnames=0" \
		-serial stdio -no-reboot >guest.log 2>&1 </dev/null
	kill -INT $weir_pid
	wait $weir_pid
	result $? "packed $packed: l2fwd ends with status 0"
	weir_pid=''
	want=1
	[ $packed = on ] || want=0
	[ "$(grep -ac "guest: packed $want" guest.log)" = 2 ]
	result $? "packed $packed: the guest's driver agreed"
	grep -aq "20 packets transmitted, 20 packets received" guest.log
	result $? "packed $packed: 20 of 20 pings"
	grep -aq "guest: tcp whole" guest.log
	result $? "packed $packed: 5 MB of TCP, whole"
done
echo "1..$n"
exit $bad
