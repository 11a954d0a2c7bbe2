#!/usr/bin/env bash
# Does the test machine notice what it must? selftest.sh [-b BUILD]; prints TAP, exits with 0 or 1.
#
# First the patterns of splats.grep against kernel messages that are faults (splats.bad, each must be
# found) and that are none (splats.good). Then run.sh on tests made to fail: a DMA fault in the log,
# a failed check, a hang, a guest that dies; its output must be what selftest/expected says.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=build
[ "${1:-}" != -b ] || build=$2
mkdir -p "$build/vm/selftest/vm"
n=0 bad=0

result() {
	n=$((n + 1))
	if "${@:2}"; then
		printf 'ok %d - %s\n' $n "$1"
	else
		printf 'not ok %d - %s\n' $n "$1"
		bad=$((bad + 1))
	fi
}
all_found() { ! grep -vE -f "$here/splats.grep" "$here/selftest/splats.bad" | sed 's/^/# missed: /' | grep .; }
none_found() { ! grep -E -f "$here/splats.grep" "$here/selftest/splats.good" | sed 's/^/# wrong: /' | grep .; }
refuses() {
	! "$here/run.sh" -b "$build/vm/selftest" -d "$here/selftest" "$@" >"$build/vm/selftest/refused"
}
as_expected() {
	"$here/run.sh" -b "$build/vm/selftest" -d "$here/selftest" -m igb >"$build/vm/selftest/tap" || true
	sed -nE 's/^(ok|not ok) [0-9]+ /\1 /p' "$build/vm/selftest/tap" >"$build/vm/selftest/got"
	diff -u "$here/selftest/expected" "$build/vm/selftest/got" | sed 's/^/# /'
	cmp -s "$here/selftest/expected" "$build/vm/selftest/got" &&
		grep -qx 'VM: 8 passed, 4 failed, 1 skipped' "$build/vm/selftest/tap"
}

ln -sfn ../../bin "$build/vm/selftest/vm/bin"
result "each kernel fault is found" all_found
result "nothing else is taken for one" none_found
result "an unknown machine is a failure" refuses 60
result "a fault, a failed check, a hang and a dead guest are told as such" as_expected
printf '1..%d\n' $n
[ $bad = 0 ]
