#!/usr/bin/env bash
# Serve simulated NICs, then become the machine that they are plugged into.
#
#   nicsims.sh WEIR DIR MAC=TAP[,OPTION]... -- COMMAND...
#
# COMMAND runs in DIR, where the n-th NIC answers at nicN.sock. Its summary comes to nicN.json when
# it ends, and each time that somebody makes the file nicN.ask, which goes when it is there. The
# NICs end with COMMAND, however it ends.
set -euo pipefail

weir=$1
cd "$2"
shift 2
nics=()

summaries() {
	local n
	while sleep 0.1 && kill -0 "${nics[0]}" 2>/dev/null; do
		for n in "${!nics[@]}"; do
			[ -e "nic$n.ask" ] || continue
			: >"nic$n.json"
			kill -USR1 "${nics[n]}"
			rm -f "nic$n.ask"
		done
	done
}

while [ "$1" != -- ]; do
	n=${#nics[@]}
	IFS=, read -ra options <<<"$1"
	setpriv --pdeathsig TERM "$weir" nicsim --socket "nic$n.sock" --mac "${options[0]%=*}" \
		--wire "tap:${options[0]#*=}" --json "${options[@]:1}" >>"nic$n.json" 2>"nic$n.err" </dev/null &
	nics+=($!)
	for ((i = 0; i < 100; i++)); do
		[ ! -S "nic$n.sock" ] || break
		sleep 0.05
	done
	[ -S "nic$n.sock" ] || {
		cat "nic$n.err" >&2
		exit 1
	}
	shift
done
shift
summaries &
exec "$@"
