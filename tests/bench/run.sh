#!/usr/bin/env bash
# Run the benches: weir and its peer at the same work (lab.py, arguments go there). Cycles are of the time
# stamp counter. JSON in BUILD/bench/lab.json.
set -eu
build=$1
shift
here=$(dirname "$0")

# Hugepages for both sides, given back at the end.
pages=/proc/sys/vm/nr_hugepages
before=$(cat $pages)
if [ -w $pages ] && [ "$(awk '/HugePages_Free/ { print $2 }' /proc/meminfo)" -lt 512 ]; then
	trap 'echo "$before" >$pages' EXIT
	echo $((before + 768)) >$pages
fi

"$here/lab.py" "$build" "$@"
