# What the tests over simulated NICs share. Sourced from the top of the tree, with $weir set; goes to a
# folder of its own.
# shellcheck shell=bash disable=SC2034,SC2154
tools=build/vm/bin
make -s $tools/pktgen $tools/pcapcmp || exit 1
tools=$(realpath $tools)
dir=$(mktemp -d)
cd "$dir" || exit 1
n=0 bad=0
sims=()

stop_sims() {
	local p
	for p in "${sims[@]}"; do kill "$p" 2>/dev/null && wait "$p"; done
	sims=()
}
trap 'stop_sims; rm -rf "$dir"' EXIT

result() { # STATUS NAME [LOG...]
	local st=$1 name=$2
	shift 2
	n=$((n + 1))
	if [ "$st" -eq 0 ]; then
		echo "ok $n - $name"
		return
	fi
	bad=1
	echo "not ok $n - $name"
	tail -n 20 "$@" /dev/null 2>/dev/null | sed 's/^/# /'
}

# A simulated NIC NAME; its summary goes to NAME.json.
sim() { # NAME WIRE [OPTION...]
	local name=$1 wire=$2
	shift 2
	"$weir" nicsim --socket "$name.sock" --wire "$wire" --json "$@" >"$name.json" 2>"$name.err" &
	sims+=($!)
	# The socket's file is there before anybody listens.
	for _ in $(seq 500); do
		grep -qs '^serving' "$name.err" && return
		sleep 0.02
	done
}

# A number from a summary.
num() { sed -nE "s/^  \"$2\":([0-9]+),?\$/\1/p" "$1.json" | head -n 1; }
