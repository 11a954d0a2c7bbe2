#!/usr/bin/env bash
# Instructions a packet of the igb and ixgbe drivers' bursts, under callgrind, which do not depend on
# how busy a machine is: intel.sh BUILD [KIND ...]. Callgrind knows AVX2, and not AVX-512.
set -eu
build=$1
shift
[ $# -gt 0 ] || set -- plain meta jumbo head

# count FUNCTION PROGRAM KIND BURST: instructions that FUNCTION and what it calls take, a packet
count() {
	local f=$1 out
	shift
	out=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect="$f" "$@" 300 2>&1)
	awk -v p="$(awk -F'\t' 'NF == 6 { print $6 }' <<<"$out")" \
		'/Collected/ { printf "%.1f", $NF / p }' <<<"$out"
}

printf '%-8s %-8s %6s %8s %8s\n' DRIVER KIND BURST RX TX
for nic in igb ixgbe; do
	for kind in "$@"; do
		for burst in 4 32; do
			p="$build/bench/intel_$nic"
			printf '%-8s %-8s %6d %8s %8s\n' $nic "$kind" $burst \
				"$(count bench_rx "$p" "$kind" $burst)" "$(count bench_tx "$p" "$kind" $burst)"
		done
	done
done
