#!/usr/bin/env bash
# Run the benches and print one table: cycles (of the time stamp counter) an operation, medians of
# 31 rounds, next to the machine they were measured on. The same as JSON in BUILD/bench/bench.json.
set -eu
build=$1
tsv=$build/bench/bench.tsv

cpu() { sed -n "s/^$1[[:space:]]*: //p" /proc/cpuinfo | head -n 1; }
machine="$(cpu 'model name'), $(nproc) CPUs, kernel $(uname -r)"
hz=$(dmesg 2>/dev/null | sed -nE 's/.*tsc: Detected ([0-9.]+ MHz).*/\1/p' | head -n 1)
features=$(cpu flags | tr ' ' '\n' | grep -xE 'avx2|avx512f|avx512vl|movdir64b|clwb' | tr '\n' ' ')
pages=$(sed -n 's/^HugePages_Free: *//p' /proc/meminfo)

: >"$tsv"
for b in pool ring fwd nicsim; do
	echo "bench: $b ..." >&2
	"$build/bench/$b" >>"$tsv"
done

echo
echo "machine   $machine"
echo "          TSC ${hz:-unknown rate}; ${features:-no vector extensions worth a name}; $pages hugepages free"
echo "compiler  $(cat "$build/.flags" | cut -d' ' -f1) $(gcc -dumpfullversion), date $(date -u +%F)"
echo
{
	printf 'WHAT\tWITH\tMEDIAN\tMIN\tMAX\n'
	cat "$tsv"
} | column -t -s "$(printf '\t')" -R 3,4,5
echo
echo "cycles an operation (an object, a packet) where no unit is named; medians of 31 rounds"
awk -F'\t' -v m="$machine" 'BEGIN { printf "{\"machine\":\"%s\",\"rows\":[", m }
	{ printf "%s{\"what\":\"%s\",\"with\":\"%s\",\"median\":%s,\"min\":%s,\"max\":%s,\"unit\":\"%s\"}", (NR > 1 ? "," : ""),
		$1, $2, $3, $4, $5, $1 ~ /packets\/s$/ ? "packets/s" : "cycles" }
	END { print "]}" }' "$tsv" >"$build/bench/bench.json"
