#!/usr/bin/env bash
# All tests, one closing line: "check: N passed, N failed, N skipped". `make check` calls this.
#
#   tests/check.sh         everything
#   tests/check.sh san     the sanitizer half alone
#   tests/check.sh quick   without the virtual machine, other compilers and sanitizers
#
# Every suite prints TAP (or cmocka's TAP); what a suite printed is kept in build/check/NAME.log.
# A suite that ends badly without saying which test failed counts as one failure more.
set -u
cd "$(dirname "$0")/.." || exit 1
what=${1:-all}
# Variables of the make that called us (SAN=1) are not for the makes that we call.
unset MAKEFLAGS MFLAGS MAKELEVEL
jobs=$(nproc)
logs=build/check
rm -rf "$logs"
mkdir -p "$logs"
passed=0 failed=0 skipped=0
bad_suites=()
began=$SECONDS

say() { printf '%s\n' "$*"; }

count() { # LOG STATUS NAME SECONDS
	local log=$1 status=$2 name=$3 p f s
	s=$(grep -cE '^(not )?ok\b.*# *SKIP' "$log")
	f=$(grep -E '^not ok\b' "$log" | grep -cvE '# *SKIP')
	p=$(grep -E '^ok\b' "$log" | grep -cvE '# *SKIP')
	if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
		f=1
		echo "not ok - $name ended with status $status" >>"$log"
	fi
	if [ $((p + f + s)) -eq 0 ]; then
		f=1
		echo "not ok - $name ran no test" >>"$log"
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '  %-28s %4d passed %3d failed %3d skipped  %4d s\n' "$name" "$p" "$f" "$s" "$4"
	[ "$f" -eq 0 ] && return
	bad_suites+=("$name")
	grep -E -B3 -A12 '^not ok\b' "$log" | grep -v '# SKIP' | tail -n 60 | sed 's/^/    | /'
}

suite() { # NAME COMMAND...
	local name=$1 log=$logs/${1//[ \/]/-}.log t=$SECONDS status
	shift
	CMOCKA_MESSAGE_OUTPUT=TAP "$@" >"$log" 2>&1 </dev/null
	status=$?
	count "$log" $status "$name" $((SECONDS - t))
}

# A build is a test too: of warnings, of the other compiler, of the other processor.
build() { # NAME MAKE-ARGUMENTS...
	local name=$1 log=$logs/${1//[ \/]/-}.log t=$SECONDS status
	shift
	make -j"$jobs" "$@" >"$log" 2>&1
	status=$?
	if [ $status -eq 0 ]; then echo "ok - builds" >>"$log"; else echo "not ok - builds" >>"$log"; fi
	count "$log" $status "$name" $((SECONDS - t))
	return $status
}

units() { # PREFIX FOLDER
	local t
	for t in "$2"/tests/test_*; do
		[ -x "$t" ] && [ -f "$t" ] && suite "$1${t##*/}" timeout 300 "$t"
	done
}

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1

native() {
	build "build" all units bench-build || return
	units "" build
	suite "tool" tests/tool.sh build/weir
	suite "nicsim" tests/nicsim.sh build/weir
	suite "nicsim faults" tests/nicsim-faults.sh build/weir
	suite "install" tests/install.sh
	config/deps.sh interop
	build "build interop" interop-build && suite "interop DPDK" tests/interop.sh build
}

sanitizers() {
	build "build ASan+UBSan" SAN=1 all units || return
	units "asan " build/san
	suite "asan tool" tests/tool.sh build/san/weir
	suite "asan nicsim" tests/nicsim.sh build/san/weir 4000 5
	suite "asan nicsim faults" tests/nicsim-faults.sh build/san/weir
	local threaded=(test_ring test_pool test_capring test_fwd test_vfio_user) t
	config/deps.sh watch || return
	build "build TSan" SAN=thread build/tsan/weir "${threaded[@]/#/build/tsan/tests/}" || return
	for t in "${threaded[@]}"; do
		suite "tsan $t" timeout 300 "build/tsan/tests/$t"
	done
	suite "tsan, memcheck nicsim" tests/nicsim-watch.sh
}

portability() {
	config/deps.sh clang cross || return
	build "build clang" CC=clang all units
	suite "build aarch64" tests/cross.sh
}

vm() {
	suite "vm self-test" make vm-selftest
	suite "vm vhost-user" tests/vm/vhost.sh build
	# A machine waits about as long as it computes, so two share the processors well.
	suite "vm" make vm-check VM_JOBS=2
}

# Hugepages for the tests that want some, and the pool as it was afterwards.
pool=/proc/sys/vm/nr_hugepages
if [ -w $pool ] && PATH=$PATH:/usr/sbin command -v hugeadm >/dev/null; then
	before=$(cat $pool)
	trap 'echo "$before" >$pool' EXIT
	PATH=$PATH:/usr/sbin hugeadm --pool-pages-min 2MB:+64 2>/dev/null || true
fi

case $what in
san) sanitizers ;;
quick)
	suite "house" tests/house.sh
	native
	;;
all)
	suite "house" tests/house.sh
	native
	sanitizers
	portability
	vm
	;;
*)
	say "usage: tests/check.sh [san|quick]"
	exit 2
	;;
esac

say
[ ${#bad_suites[@]} -eq 0 ] || say "failed: ${bad_suites[*]} (see $logs)"
say "took $((SECONDS - began)) s"
say "check: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
