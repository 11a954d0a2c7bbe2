# What tests in the guest are written with (dash and busybox). Sourced by init and by each test's process.
#
#   ok NAME, not_ok NAME, skip NAME REASON      report a check
#   check NAME COMMAND...                       ok when the command succeeds
#   DUT0 DUT1 PEER0 PEER1                       the NICs' PCI addresses
#   ROW, MACHINE, QUEUES, WIRE                  what this run is about

[ -r /vm/machine ] && . /vm/machine
[ -r /run/nics ] && . /run/nics

say() { printf '@vm %s\n' "$*" >/dev/console; }
note() { printf '# %s\n' "$*"; }

tap() {
	printf '%s\n' "$*" >>/out/tap
	printf '%s\n' "$*" >/dev/console
	[ -z "$IN_TEST" ] || printf '%s\n' "$*"
}
label() { printf '%s %s%s: %s' "$TEST" "$MACHINE" "${ROW:+/$ROW}" "$*"; }
ok() { tap "ok - $(label "$*")"; }
not_ok() {
	tap "not ok - $(label "$*")"
	return 1
}
skip() { tap "ok - $(label "$1") # SKIP $2"; }
check() {
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name (status $?)"; fi
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local n=$(($1 * 10))
	shift
	while ! "$@"; do
		n=$((n - 1))
		[ $n -gt 0 ] || return 1
		usleep 100000
	done
}

# --- devices

pci() { echo "/sys/bus/pci/devices/$1"; }
driver_of() { basename "$(readlink "$(pci "$1")/driver")" 2>/dev/null; }
netdev_of() { ls -d "$(pci "$1")"/net/* "$(pci "$1")"/virtio*/net/* 2>/dev/null | sed 's,.*/,,;q'; }
vfio_dev_of() { ls "$(pci "$1")/vfio-dev" 2>/dev/null | sed q; }
group_of() { basename "$(readlink "$(pci "$1")/iommu_group")"; }

# sysfs_bind BDF DRIVER: what `weir bind` does, for the tests that need no weir and to clean up
# after those whose weir failed. An empty DRIVER gives the device back to its usual one.
sysfs_bind() {
	local d
	d=$(pci "$1")
	echo "$2" >"$d/driver_override"
	[ -e "$d/driver" ] && echo "$1" >"$d/driver/unbind"
	echo "$1" >/sys/bus/pci/drivers_probe
	[ -n "$2" ] || { [ -e "$d/driver" ] && return; }
	[ "$(driver_of "$1")" = "$2" ]
}

# bdf_by_mac LAST_BYTE
bdf_by_mac() {
	local n
	for n in /sys/class/net/*; do
		case $(cat "$n/address") in
		52:54:00:57:00:"$1") readlink -f "$n/device" | sed -E 's,/virtio[0-9]+$,,;s,.*/,,' ;;
		esac
	done
}

# The peers' DMA need not be watched: without translation the emulated machine is much faster.
identity() {
	local driver type
	driver=$(driver_of "$1")
	type=/sys/kernel/iommu_groups/$(group_of "$1")/type
	echo "$1" >"$(pci "$1")/driver/unbind"
	echo identity >"$type" 2>/dev/null
	echo "$1" >"/sys/bus/pci/drivers/$driver/bind"
}

# name_netdev BDF NAME
name_netdev() {
	local dev
	dev=$(netdev_of "$1")
	[ "$dev" = "$2" ] && return
	[ -n "$dev" ] && ip link set "$dev" down && ip link set "$dev" name "$2"
}

machine_up() {
	{
		echo "DUT0=$(bdf_by_mac 00)"
		echo "DUT1=$(bdf_by_mac 01)"
		echo "PEER0=$(bdf_by_mac 80)"
		echo "PEER1=$(bdf_by_mac 81)"
	} >/run/nics
	. /run/nics
	[ -n "$DUT0" ] && [ -n "$DUT1" ] && DUT_DRIVER=$(driver_of "$DUT0")
	echo "DUT_DRIVER=$DUT_DRIVER" >>/run/nics
	sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	# One frame at a time up the stack: packet sockets then see every frame in the wire's order.
	sysctl -qw net.core.gro_normal_batch=1
	sysctl -qw kernel.hung_task_timeout_secs=30 vm.nr_hugepages="${HUGEPAGES:-128}"
	identity "$PEER0"
	identity "$PEER1"
	ip link set lo up
	restore_machine
}

# Everything as a test expects to find it. Fails when that takes a new boot.
restore_machine() {
	local n bdf
	for n in $(ip netns list | cut -d' ' -f1); do
		ip netns pids "$n" | xargs -r kill -9 2>/dev/null
		ip netns del "$n"
	done
	ip link del br0 2>/dev/null
	wait_for 5 has_netdev "$PEER0" && wait_for 5 has_netdev "$PEER1" || return
	for bdf in $DUT0 $DUT1; do
		[ "$(driver_of "$bdf")" = "$DUT_DRIVER" ] || sysfs_bind "$bdf" "" || return
		wait_for 5 has_netdev "$bdf" || return
	done
	name_netdev "$DUT0" dut0 && name_netdev "$DUT1" dut1 &&
		name_netdev "$PEER0" peer0 && name_netdev "$PEER1" peer1 || return
	for n in dut0 dut1 peer0 peer1; do
		ip addr flush dev $n
		ip link set $n down
	done
	rm -rf /tmp/*
	sysctl -qw vm.nr_hugepages=0 && sysctl -qw vm.nr_hugepages="${HUGEPAGES:-128}"
	[ "$(hugepages Free)" = "$(hugepages Total)" ]
}
has_netdev() { [ -n "$(netdev_of "$1")" ]; }
hugepages() { sed -n "s/^HugePages_$1: *//p" /proc/meminfo; }

# --- the peers: namespaces A and B, each with one end of a wire

peers_up() {
	local n
	for n in 0:A 1:B; do
		ip netns add "${n#*:}"
		ip link set "peer${n%:*}" netns "${n#*:}" || return
		in_ns "${n#*:}" sysctl -qw net.ipv6.conf.all.disable_ipv6=1
		in_ns "${n#*:}" ethtool -K "peer${n%:*}" gro off lro off 2>/dev/null
		in_ns "${n#*:}" ip link set "peer${n%:*}" mtu 1500 up || return
	done
	wait_for 10 carriers
}
in_ns() { ip netns exec "$@"; }
carriers() {
	[ "$(in_ns A cat /sys/class/net/peer0/carrier)$(in_ns B cat /sys/class/net/peer1/carrier)" = 11 ]
}
# Addresses for ping and TCP; fixed neighbours, so that nothing but the test's frames is sent.
peers_address() {
	in_ns A ip addr add 10.77.0.1/24 dev peer0
	in_ns B ip addr add 10.77.0.2/24 dev peer1
}
peers_ping() { in_ns A ping -q -c "${1:-5}" -i 0.2 -W 2 10.77.0.2 && in_ns B ping -q -c 1 -W 2 10.77.0.1; }

# tcp_through BYTES: from A to B, data compared at the far end and its checksum at both
tcp_through() {
	local server
	in_ns B tcpxfer serve 5001 "$1" 77 >/tmp/tcp.server 2>&1 &
	server=$!
	wait_for 5 listening 5001
	in_ns A tcpxfer send 10.77.0.2 5001 "$1" 77 >/tmp/tcp.client 2>&1 || {
		cat /tmp/tcp.server /tmp/tcp.client
		kill -9 $server
		return 1
	}
	wait $server
	server=$?
	cat /tmp/tcp.server /tmp/tcp.client
	[ $server = 0 ] && [ "$(checksum_in /tmp/tcp.server)" = "$(checksum_in /tmp/tcp.client)" ]
}
listening() { in_ns B netstat -ltn | grep -q ":$1 "; }
checksum_in() { sed -nE 's/.*checksum ([0-9a-f]+).*/\1/p' "$1"; }

# mixed COUNT: the path of a file of so many mixed frames
mixed() {
	[ -s "/tmp/mixed-$1.pcap" ] || pktgen -n "$1" -s 42 "/tmp/mixed-$1.pcap" || return
	echo "/tmp/mixed-$1.pcap"
}

# frames_through COUNT [WIRETEST OPTIONS]: mixed frames A to B, then B to A
frames_through() {
	local pcap
	pcap=$(mixed "$1") || return
	shift
	wiretest "$@" A:peer0 B:peer1 "$pcap" && wiretest "$@" B:peer1 A:peer0 "$pcap"
}

# flood SECONDS: both peers send as fast as they can, in the background; FLOODS: their process ids
flood() {
	local pcap
	pcap=$(mixed 2000) || return
	wiretest --flood "$1" A:peer0 "$pcap" &
	FLOODS=$!
	wiretest --flood "$1" B:peer1 "$pcap" &
	FLOODS="$FLOODS $!"
}

# --- the forwarder

# forward_start ARGUMENTS: weir l2fwd on the NICs under test, in the background, until it forwards
forward_start() {
	# The shell empties it in the background: an earlier run's words must be gone before we look.
	: >/tmp/forward.err
	foreground weir l2fwd "$DUT0" "$DUT1" "$@" >/tmp/forward.out 2>/tmp/forward.err &
	FORWARDER=$!
	wait_for 30 forwarding_or_gone
	if ! grep -q '^forwarding' /tmp/forward.err; then
		note "weir l2fwd $* does not forward; it said:"
		cat /tmp/forward.out /tmp/forward.err
		kill -9 $FORWARDER 2>/dev/null
		wait $FORWARDER
		return 1
	fi
}
forwarding_or_gone() { grep -q '^forwarding' /tmp/forward.err || ! kill -0 $FORWARDER 2>/dev/null; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# forward_stop SIGNAL: returns the forwarder's exit status
forward_stop() {
	local status
	kill -"$1" $FORWARDER || return 99
	wait_for 20 gone $FORWARDER || {
		note "the forwarder did not end within 20 s of SIG$1"
		kill -9 $FORWARDER
	}
	wait $FORWARDER
	status=$?
	cat /tmp/forward.err
	cat /tmp/forward.out
	return $status
}

# pinned: pages that the kernel holds for devices; its counters are a processor's each, and added up when asked
pinned() {
	cat /proc/sys/vm/stat_refresh >/dev/null 2>&1
	awk '$1 == "nr_foll_pin_acquired" { n += $2 } $1 == "nr_foll_pin_released" { n -= $2 } END { print n + 0 }' \
		/proc/vmstat
}

# mapped: entries of the NICs' tables in the IOMMU, by the kernel's debugfs; 0 without an IOMMU
mapped() {
	cat "/sys/kernel/debug/iommu/intel/$DUT0/domain_translation_struct" \
		"/sys/kernel/debug/iommu/intel/$DUT1/domain_translation_struct" 2>/dev/null | grep -c '^0x'
}

# held: what devices have of memory, but for what the kernel pins for a moment itself
held() { printf '%s hugepages free, %s mapped' "$(hugepages Free)" "$(mapped)"; }

# nothing_held BEFORE: no page is pinned, and the rest is as it was
nothing_held() {
	local pins
	pins=$(pinned)
	note "$(held), $pins pages pinned; before: $1"
	[ "$(held)" = "$1" ] && [ "$pins" = 0 ]
}

# reach MODE: whether the IOMMU leads the NICs to memory, as far as there is one
reach() {
	note "$(held), $(pinned) pages pinned"
	[ "$1" = noiommu ] || { [ "$(mapped)" -gt 0 ] && [ "$(pinned)" -gt 0 ]; }
}

# mode_round MODE: all that each way to claim a device must be able to do
mode_round() {
	local before mode=$1
	check "the peers come up" peers_up
	check "weir bind takes both NICs" weir bind "$DUT0" "$DUT1"
	before=$(held)
	check "claiming, each call failing in its turn" claim sweep "$mode" "$DUT0"
	check "two devices on one address space" claim share "$mode" "$DUT0" "$DUT1"
	if check "l2fwd forwards" forward_start --mode "$mode" --cores 1 --json; then
		check "the IOMMU leads to its memory" reach "$mode"
		check "2,000 mixed frames, in order" frames_through 1000
		check "SIGINT ends it with status 0" forward_stop INT
		check "it used the mode it was told" used_mode "$mode"
	fi
	check "no page is held" wait_for 5 nothing_held "$before"
	if check "it forwards, each NIC told its mode" forward_per_device "$mode"; then
		flood 3
		sleep 1
		check "SIGKILL in full traffic ends it" kill_hard
		check "no page is held after SIGKILL" wait_for 5 nothing_held "$before"
		wait $FLOODS
		check "the next start works" forward_start --mode "$mode" --cores 1
		check "and forwards 1,000 mixed frames" frames_through 500
		check "and ends with status 0" forward_stop INT
	fi
	check "weir release gives both back" weir release "$DUT0" "$DUT1"
	check "the first is at its kernel driver" released "$DUT0"
	check "the second is at its kernel driver" released "$DUT1"
	check "and both ping" kernel_ping
}
used_mode() {
	json /tmp/forward.out
	[ "$(json /tmp/forward.out | grep -cE "^ports[.][0-9]+[.]mode $1\$")" = 2 ]
}
forward_per_device() {
	local dut0=$DUT0 dut1=$DUT1 status
	DUT0=$dut0,mode=$1 DUT1=$dut1,mode=$1
	forward_start --cores 1
	status=$?
	DUT0=$dut0 DUT1=$dut1
	return $status
}
kill_hard() {
	kill -KILL $FORWARDER
	wait $FORWARDER
	[ $? = 137 ]
}

# json FILE: one "path value" line a leaf, as in "ports.0.queues.1.rx_packets 4711"
json() { awk -f /vm/json.awk "$1"; }

# json_count FILE PATTERN: how many leaves whose path matches have a number above 0
json_count() {
	json "$1" | awk -v p="$2" '$1 ~ p && $2 > 0 { n++ } END { print n + 0 }'
}

# released BDF: back at the driver it had, with an interface
released() { [ "$(driver_of "$1")" = "$DUT_DRIVER" ] && wait_for 5 has_netdev "$1"; }

# ping_thrice ADDRESS: three of three, once the link is up. Twice more if the host stalled meanwhile.
ping_thrice() {
	wait_for 10 ping -q -c 1 -W 1 "$1" >/dev/null || return
	ping -q -c 3 -i 0.2 -W 2 "$1" || ping -q -c 3 -i 0.2 -W 5 "$1" || ping -q -c 3 -i 0.2 -W 5 "$1"
}

# kernel_ping: the kernel's own driver on both NICs under test reaches the peers
kernel_ping() {
	local i dev
	for i in 0 1; do
		eval "wait_for 5 has_netdev \$DUT$i" || return
		eval "dev=\$(netdev_of \$DUT$i)"
		ip addr flush dev "$dev"
		ip addr add 10.78.$i.1/24 dev "$dev"
		ip link set "$dev" up
	done
	in_ns A ip addr replace 10.78.0.2/24 dev peer0
	in_ns B ip addr replace 10.78.1.2/24 dev peer1
	ping_thrice 10.78.0.2 && ping_thrice 10.78.1.2
	i=$?
	ip addr flush dev "$(netdev_of "$DUT0")"
	ip addr flush dev "$(netdev_of "$DUT1")"
	in_ns A ip addr del 10.78.0.2/24 dev peer0
	in_ns B ip addr del 10.78.1.2/24 dev peer1
	return $i
}

# --- simulated NICs under test (nicsims.sh)

# nicsim_summary N: what nicsim N has counted so far, to /tmp/nicN.json
nicsim_summary() {
	: >"/out/nic$1.ask"
	wait_for 10 nicsim_answered "$1" || return
	cp "/out/nic$1.json" "/tmp/nic$1.json"
}
nicsim_answered() { [ ! -e "/out/nic$1.ask" ] && [ "$(tail -n 1 "/out/nic$1.json")" = "}" ]; }
# nicsim_counted N PATH: a number of that summary
nicsim_counted() { json "/tmp/nic$1.json" | sed -n "s/^$2 //p"; }
# nicsim_content N: nothing that the model refused
nicsim_content() {
	nicsim_summary "$1" || return
	[ "$(nicsim_counted "$1" dma_faults).$(nicsim_counted "$1" refused_messages).$(nicsim_counted "$1" drops.tx-malformed)" = 0.0.0 ] &&
		return
	json "/tmp/nic$1.json"
	return 1
}

# --- running a test

kernel_log_since() { dmesg | sed "1,/weir-test: begin $1\$/d"; }

# provoke BDF Read|Write COMMAND...: DMA faults of this device are what the command is to cause, and none of
# the test's own. Fails if the command does, or if the kernel reports no such fault.
provoke() {
	local bdf=$1 way=$2 status
	shift 2
	echo "weir-test: provoke $bdf" >/dev/kmsg
	"$@"
	status=$?
	# The kernel reports faults from an interrupt's thread.
	[ $status != 0 ] || wait_for 5 provoked "$bdf" "$way" || status=1
	echo "weir-test: enough" >/dev/kmsg
	return $status
}
provoked() {
	dmesg | awk '/weir-test: provoke/ { seen = "" } { seen = seen $0 "\n" } END { printf "%s", seen }' |
		grep -q "\[DMA $2 .*Request device \[$1\]"
}

# Without the faults that were provoked: those lines, of that device, at that time, and nothing else.
unprovoked() {
	awk '/weir-test: provoke / { bdf = $NF } /weir-test: enough/ { bdf = "" }
		bdf && (/DMAR: DRHD: handling fault status reg/ ||
			(/DMAR: \[DMA (Read|Write)/ && index($0, "Request device [" bdf "]"))) { next }
		{ print }'
}

# splats FILE: lines of a kernel log that must not be there
splats() { grep -E -f /vm/splats.grep "$1"; }

# run_test NAME: in a session of its own, so that nothing it started outlives it
# The path of sh matters: busybox would run its own applet, whose "ip" is not the real one.
run_test() {
	local name=$1 pid status n
	tap "# begin $name"
	echo "weir-test: begin $name" >/dev/kmsg
	setsid /bin/sh /vm/one.sh "$name" >"/out/$name.log" 2>&1 &
	pid=$!
	n=$(($(. "/vm/tests/$name.test" >/dev/null && echo "${TIMEOUT:-120}") * 5))
	while kill -0 $pid 2>/dev/null && [ $n -gt 0 ]; do
		usleep 200000
		n=$((n - 1))
	done
	TEST=$name ROW=
	if [ $n = 0 ]; then
		kill -9 -$pid 2>/dev/null
		not_ok "ends within its time limit"
	fi
	wait $pid
	status=$?
	kill -9 -$pid 2>/dev/null
	[ $status = 0 ] || [ $n = 0 ] || not_ok "runs to its end (status $status)"
	kernel_log_since "$name" | unprovoked >/tmp/kernel.log
	cp /tmp/kernel.log "/out/$name.dmesg"
	if splats /tmp/kernel.log >/tmp/splats; then
		sed 's/^/# /;20q' /tmp/splats >>/out/tap
		not_ok "the kernel's log is clean"
	else
		ok "the kernel's log is clean"
	fi
	tap "# end $name"
}

# tty_size: give the console the size and kind of the host's terminal; fails when that is none
tty_size() {
	[ -n "$TTY_ROWS" ] || return
	stty rows "$TTY_ROWS" cols "$TTY_COLUMNS" </dev/console
	export TERM="$TTY_TERM"
}
