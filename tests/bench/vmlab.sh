#!/usr/bin/env bash
# Parts g and h of the laboratory, in the test machine: vmlab.sh BUILD g|h [ROUNDS]
#
# Prints one line a round: PART, WHAT, WITH, UNIT, weir or dpdk, VALUE, tabs between. Kernel, QEMU and root
# file system are made if the cache has none. DPDK is this machine's, in a folder that the guest mounts.
# Exits with 0; with 77 and a sentence on standard error when this cannot run here.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=$(readlink -f "$1")
part=$2
rounds=${3:-5}
vm=$here/../vm
peer=$build/bench/vm-dpdk

no() {
	echo "vmlab: $*" >&2
	exit 77
}

# DPDK's libraries, those that they need, and the drivers for igb: a flat folder, and one for plugins.
peer_folder() {
	local pmds d f files=()
	pmds=$(dirname "$(find /usr/lib /usr/local/lib -path '*dpdk*' -name 'librte_net_e1000.so.*' 2>/dev/null | head -n 1)")
	[ -e "$pmds" ] || return
	rm -rf "$peer"
	mkdir -p "$peer"/{bin,lib,pmds}
	cp "$build"/bench/peer-{claim,igb} "$peer/bin/"
	for d in bus_pci net_e1000 mempool_ring; do
		f=$(find "$pmds" -name "librte_$d.so.*" | sort | head -n 1)
		[ -n "$f" ] || return
		cp -L "$f" "$peer/pmds/"
		files+=("$f")
	done
	# shellcheck disable=SC2046
	cp -L $(ldd "$build"/bench/peer-{claim,igb} "${files[@]}" | sed -nE 's/^\t(.* => )?(\/[^ ]+) \(0x.*/\2/p' |
		sort -u) "$peer/lib/"
	[ -e "$peer/lib/ld-linux-x86-64.so.2" ]
}

# boot TEST: those whose names begin so; what NAME printed is then the file $build/vm/NAME.igb.log
boot() {
	local tap=$build/bench/vmlab-$1.tap
	rm -f "$build/vm/$1"*.igb.log
	VM_DPDK=$peer VM_KERNEL_ARGS="lab_rounds=$rounds" \
		"$vm/run.sh" -b "$build" -d "$here/vm" -m igb "$1" >"$tap" 2>&1 &&
		[ -e "$build/vm/$1.igb.log" ] && return
	tail -n 25 "$tap" >&2
	no "the machine did not do its work; see $tap and $build/vm/$1.igb.log"
}

row() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$part" "$@"; }

# claims TEST MODE...: what it printed, each mode against DPDK
claims() {
	local log=$build/vm/$1.igb.log mode who until run
	shift
	for mode; do
		while read -r _ who until run; do
			[ "$who" = "$mode" ] && who=weir
			[ "$who" = weir ] || [ "$who" = dpdk ] || continue
			row "claim igb, map 1 GiB" "$mode" us "$who" "$until"
			row "the same, until it runs" "$mode" us "$who" "$run"
		done < <(grep '^claimed ' "$log")
	done
}

part_g() {
	export VM_MEMORY=2G
	boot claim
	claims claim cdev group compat type1
	claims claim-noiommu noiommu
}

# each INSTRUCTIONS BURSTS: a packet
each() { awk -v i="$1" -v n="$2" 'BEGIN { printf "%.2f", i / (32 * n) }'; }

# The plugin's lines are in the order of the programs': bursts must be as many.
part_h() {
	local log=$build/vm/forward.igb.log out=$build/bench/vmlab.count who bursts n rx tx
	export VM_EXTRA_ARGS="-plugin $build/bench/count.so,out=$out"
	boot forward
	while read -r _ who bursts _ n rx tx; do
		[[ $n -gt 0 && $bursts = "$n" ]] ||
			no "the plugin saw $n bursts and $who counted $bursts"
		row "igb, receive: instructions" "ring 512, burst 32" "a packet" "$who" "$(each "$rx" "$n")"
		row "igb, transmit: instructions" "ring 512, burst 32" "a packet" "$who" "$(each "$tx" "$n")"
		row "igb, both: instructions" "ring 512, burst 32" "a packet" "$who" "$(each $((rx + tx)) "$n")"
	done < <(paste -d ' ' <(grep '^counted ' "$log") "$out")
}

for f in peer-claim peer-igb count.so; do
	[ -e "$build/bench/$f" ] || no "there is no $build/bench/$f: DPDK's headers (libdpdk-dev) are not here"
done
[ "$(uname -m)" = x86_64 ] || no "the test machine is an x86_64"
peer_folder || no "DPDK's drivers for igb are not where Debian's package has them"
case $part in
g | h) "part_$part" ;;
*) echo "usage: vmlab.sh BUILD g|h [ROUNDS]" >&2 && exit 2 ;;
esac
