#!/usr/bin/env bash
# Make wires out of TAP devices, then run a command among them.
#
#   unshare -n -- wires.sh A+B [C+D...] -- COMMAND...
#
# A+B is one wire: two TAP devices of those names in a bridge that carries every frame as it is, to
# the other side, whatever its addresses: no spanning tree, no learning, no multicast snooping, LLDP
# and its neighbours let through. To be run in a network namespace of its own; with that everything
# here goes when COMMAND ends, however it ends.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null || true
while [ "$1" != -- ]; do
	bridge=wire${1//[^a-z0-9]/}
	# 0xfff8: all of 01:80:c2:00:00:0X but the first three, which no bridge lets through.
	ip link add "${bridge:0:15}" type bridge stp_state 0 ageing_time 0 mcast_snooping 0 \
		group_fwd_mask 0xfff8
	for tap in ${1//+/ }; do
		case $tap in
		dut*) ip tuntap add dev "$tap" mode tap multi_queue ;;
		*) ip tuntap add dev "$tap" mode tap ;;
		esac
		ip link set "$tap" mtu 9216 master "${bridge:0:15}"
		ip link set "$tap" type bridge_slave learning off flood on mcast_flood on bcast_flood on
		ip link set "$tap" up
	done
	ip link set "${bridge:0:15}" up
	shift
done
shift
exec "$@"
