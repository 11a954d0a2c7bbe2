#!/usr/bin/env bash
# Run the benches: first weir and its peer at the same work (lab.py, arguments go there), then what has
# no peer. Cycles are of the time stamp counter. JSON in BUILD/bench/lab.json and BUILD/bench/bench.json.
set -eu
build=$1
shift
here=$(dirname "$0")
tsv=$build/bench/bench.tsv

# Hugepages for both sides, given back at the end.
pages=/proc/sys/vm/nr_hugepages
before=$(cat $pages)
if [ -w $pages ] && [ "$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)" -lt 512 ]; then
	trap 'echo "$before" >$pages' EXIT
	echo $((before + 768)) >$pages
fi

"$here/lab.py" "$build" "$@"
[ $# -eq 0 ] || exit 0

: >"$tsv"
for b in ring nicsim; do
	echo "bench: $b ..." >&2
	"$build/bench/$b" >>"$tsv"
done
echo
{
	printf 'WHAT\tWITH\tMEDIAN\tMIN\tMAX\n'
	cat "$tsv"
} | column -t -s "$(printf '\t')" -R 3,4,5
echo
echo "without a peer: cycles an operation (an object, a packet) where no unit is named; medians of 31 rounds"
machine=$(sed -n "s/^model name[[:space:]]*: //p" /proc/cpuinfo | head -n 1)
awk -F'\t' -v m="$machine" 'BEGIN { printf "{\"machine\":\"%s\",\"rows\":[", m }
	{ printf "%s{\"what\":\"%s\",\"with\":\"%s\",\"median\":%s,\"min\":%s,\"max\":%s,\"unit\":\"%s\"}", (NR > 1 ? "," : ""),
		$1, $2, $3, $4, $5, $1 ~ /packets\/s$/ ? "packets/s" : "cycles" }
	END { print "]}" }' "$tsv" >"$build/bench/bench.json"
