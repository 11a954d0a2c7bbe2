#!/usr/bin/env bash
# Run the tests of the test machine and print TAP; the last line is "VM: N passed, N failed,
# N skipped". Exits with 0 when none failed.
#
#   run.sh [-b BUILD] [-d TESTS] [-m MACHINE] [-j N] [-l] [NAME...]
#
#   -b BUILD    build folder, default build; logs go to BUILD/vm
#   -d TESTS    folder of *.test files, default tests/vm/tests
#   -m MACHINE  only on this machine; may be repeated
#   -j N        so many machines at once, each one's lines when it is done; default 1: as they come
#   -l          list what would run
#   NAME        only tests whose name begins with it
#
# A test is one file, NAME.test, read by this script and by the guest's shell:
#
#   MACHINES="igb virtio"   where it runs (machines.sh)
#   ROWS="cdev group"       guest is called once for each, with it as $1 and $ROW; default: once
#   NEEDS="weir"            programs of the build folder that it uses
#   TIMEOUT=120             seconds for all rows on one machine
#   KERNEL_ARGS="..."       more kernel arguments; tests that differ in them do not share a boot
#   HUGEPAGES=128           2 MiB pages that the guest reserves; likewise
#   OWN_BOOT=yes            no other test in the same boot
#   guest() { ... }         what to do, with the words of guest/lib.sh
#
# Tests of a machine share one boot, in the order of their names. When the guest dies, hangs or
# cannot be put back in order, the test that was running fails and the others get a new boot. A
# splat in the kernel's log (splats.grep) fails the test that was running.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=build test_dir=$here/tests list=no jobs=1
only_machines=()
while getopts b:d:m:j:l o; do
	case $o in
	b) build=$OPTARG ;;
	d) test_dir=$(readlink -f "$OPTARG") ;;
	m) only_machines+=("$OPTARG") ;;
	j) jobs=$OPTARG ;;
	l) list=yes ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
mkdir -p "$build/vm"
build=$(readlink -f "$build")
log_dir=$build/vm
stop_qemu() {
	[ -z "$qemu_pid" ] || kill -9 "$qemu_pid" 2>/dev/null || true
	qemu_pid=
}
on_signals() {
	trap 'stop_qemu; exit 130' INT TERM
	trap stop_qemu EXIT
}

# A line of TAP as a group has it: without a number, for count.
emit() { printf '%s\n' "$1"; }

# count: pass standard input on, with TAP's lines numbered and counted
count() {
	local line
	while IFS= read -r line; do
		case $line in
		'ok - '*'# SKIP'*) skipped=$((skipped + 1)) ;;
		'ok - '*) passed=$((passed + 1)) ;;
		'not ok - '*) failed=$((failed + 1)) ;;
		*) printf '%s\n' "$line" && continue ;;
		esac
		printf '%s %d - %s\n' "${line%% - *}" $((passed + failed + skipped)) "${line#* - }"
	done
}

# shellcheck source=cache.sh
. "$here/cache.sh"
# shellcheck source=boot.sh
. "$here/boot.sh"

passed=0 failed=0 skipped=0
qemu_pid=
declare -A group_of=()

wanted() {
	local name=$1 prefix
	shift
	[ $# -gt 0 ] || return 0
	for prefix; do
		[[ $name == "$prefix"* ]] && return 0
	done
	return 1
}

# For each test and machine: BOOT-KEY|MACHINE|NAME|TIMEOUT|HUGEPAGES|KERNEL_ARGS|NEEDS
collect() {
	local file name
	for file in "$test_dir"/*.test; do
		name=$(basename "$file" .test)
		wanted "$name" "$@" || continue
		(
			MACHINES='' NEEDS='' TIMEOUT=120 KERNEL_ARGS='' HUGEPAGES=128 OWN_BOOT=''
			# shellcheck disable=SC1090
			. "$file"
			for m in $MACHINES; do
				[ ${#only_machines[@]} = 0 ] || [[ " ${only_machines[*]} " == *" $m "* ]] || continue
				printf '%s|%s|%s|%s|%s|%s|%s\n' "$m/$HUGEPAGES/$KERNEL_ARGS/${OWN_BOOT:+$name}" \
					"$m" "$name" "$TIMEOUT" "$HUGEPAGES" "$KERNEL_ARGS" "$NEEDS"
			done
		)
	done
}

# Print new lines of the guest's TAP file and note how far it is. Sets begun, ended.
follow() {
	local line
	while IFS= read -r line <&7; do
		case $line in
		'# begin '*) begun=${line#\# begin } ended= begun_at=$SECONDS ;;
		'# end '*)
			ended=${line#\# end }
			done_tests[$ended]=1
			printf '# %s took %d s\n' "$ended" $((SECONDS - begun_at))
			;;
		*) emit "$line" ;;
		esac
	done
}

# Faults on the console that no test in the guest accounts for: in the test that the guest died of,
# before the first test and between tests. NAME: what to call it.
console_splats() {
	local log=$1 name=$2
	tr -d '\r' <"$log" | awk '/^# begin /{ inside = 1; held = "" }
		inside { held = held $0 "\n" } !inside { print }
		/^# end /{ inside = 0; held = "" }
		END { printf "%s", held }' | grep -a -E -f "$here/splats.grep" >"$log.splats" ||
		{ rm -f "$log.splats" && return; }
	sed -n 's/^/# /;1,20p' "$log.splats"
	rm -f "$log.splats"
	emit "not ok - $name: the kernel's log is clean"
}

# boot TESTS...: one boot for as many of them as it lasts. Sets done_tests.
boot() {
	local out=$log_dir/out-$tag limit=60 name log overlay started=$SECONDS begun='' ended='' begun_at=0
	boots=$((boots + 1))
	log=$log_dir/boot-$tag-$boots.log
	overlay=$log_dir/initrd-$tag.cpio
	rm -rf "$out"
	mkdir -p "$out"
	: >"$out/tap"
	for name; do
		limit=$((limit + ${timeout_of[$name]} + 15))
	done
	# shellcheck disable=SC2086
	VM_HUGEPAGES=$hugepages boot_overlay "$overlay" "$(printf '%s\n' "$@")" $needs
	VM_KERNEL_ARGS="${VM_KERNEL_ARGS:-} $kernel_args" boot_command "$machine" "$overlay" "$out"
	printf '# boot %s for %s; log %s\n' "$machine" "$*" "$log"
	"${QEMU[@]}" -serial stdio -monitor none </dev/null >"$log" 2>&1 7>&- &
	qemu_pid=$!
	exec 7<"$out/tap"
	while kill -0 "$qemu_pid" 2>/dev/null; do
		follow
		if [ $((SECONDS - started)) -gt $limit ]; then
			printf '# no end after %d s: the guest is stopped\n' "$limit"
			stop_qemu
			break
		fi
		sleep 0.2
	done
	wait "$qemu_pid" 2>/dev/null || true
	qemu_pid=
	follow
	exec 7<&-
	rm -f "$overlay"
	for name; do
		[ ! -e "$out/$name.log" ] || mv "$out/$name.log" "$log_dir/$name.$machine.log"
		[ ! -e "$out/$name.dmesg" ] || mv "$out/$name.dmesg" "$log_dir/$name.$machine.dmesg"
	done
	if grep -aq '^@vm finished' "$log"; then
		console_splats "$log" "$machine outside its tests"
		printf '# %s was up for %d s\n' "$machine" $((SECONDS - started))
		return
	fi
	# The guest died. The test that was running pays for it; before the first, all do.
	tail -n 25 "$log" | tr -d '\r' | sed 's/^/# console: /'
	if [ -n "$begun" ] && [ -z "$ended" ]; then
		console_splats "$log" "$begun $machine"
		emit "not ok - $begun $machine: the guest survives it"
		done_tests[$begun]=1
	elif [ -z "$begun" ]; then
		for name; do
			emit "not ok - $name $machine: the guest starts"
			done_tests[$name]=1
		done
	fi
}

# All tests of one boot key, with as many boots as it takes.
run_group() {
	local machine=$1 hugepages=$2 kernel_args=$3 needs=$4 binary name status=0 before
	shift 4
	declare -A done_tests=()
	local boots=0 left=()
	machine_qemu "$machine" || status=$?
	for name; do
		if [ $status = 1 ]; then
			emit "ok - $name $machine # SKIP $REASON"
			continue
		elif [ $status != 0 ]; then
			emit "not ok - $name $machine: $REASON"
			continue
		fi
		for binary in ${needs_of[$name]}; do
			[ ! -x "$build/$binary" ] || continue
			emit "not ok - $name $machine: $build/$binary is there (run make first)"
			continue 2
		done
		left+=("$name")
	done
	while [ ${#left[@]} -gt 0 ]; do
		before=${#left[@]}
		boot "${left[@]}"
		set -- "${left[@]}"
		left=()
		for name; do
			[ -n "${done_tests[$name]:-}" ] || left+=("$name")
		done
		if [ ${#left[@]} = "$before" ]; then
			emit "not ok - ${left[0]} $machine: the guest comes to it"
			left=("${left[@]:1}")
		fi
	done
}

rows=$(collect "$@")
if [ $list = yes ]; then
	awk -F'|' '{ printf "%-24s %s\n", $3, $2 }' <<<"$rows"
	exit
fi
[ -n "$rows" ] || {
	vm_say "no test in $test_dir matches: $* ${only_machines[*]:-}"
	exit 2
}
boot_prepare
# Tests whose name ends so want DPDK, and are skipped without.
[[ $rows != *-dpdk\|* ]] || VM_DPDK=$("$here/dpdk.sh") || VM_DPDK=
printf 'TAP version 13\n'

# group N KEY: the tests with this boot key. A process of its own; N tells its files from others'.
group() {
	local key=$2 tag='' machine='' hugepages='' kernel_args='' names=() all_needs='' m name timeout h args needs
	declare -A timeout_of=() needs_of=()
	while IFS='|' read -r _ m name timeout h args needs; do
		machine=$m hugepages=$h kernel_args=$args tag=$m-$1
		names+=("$name")
		timeout_of[$name]=$timeout
		needs_of[$name]=$needs
		all_needs+=" $needs"
	done < <(awk -F'|' -v k="$key" '$1 == k' <<<"$rows")
	run_group "$machine" "$hugepages" "$kernel_args" "$(tr ' ' '\n' <<<"$all_needs" | sort -u)" "${names[@]}"
}

mapfile -t keys < <(cut -d'|' -f1 <<<"$rows" | awk '!seen[$0]++')
if [ "$jobs" = 1 ] || [ ${#keys[@]} = 1 ]; then
	trap 'kill $! 2>/dev/null; exit 130' INT TERM
	for n in "${!keys[@]}"; do
		count < <(on_signals && group "$n" "${keys[n]}")
	done
else
	finished() {
		local pid
		for pid in "${!group_of[@]}"; do
			kill -0 "$pid" 2>/dev/null && continue
			wait "$pid" || emit "not ok - the machine ${keys[group_of[$pid]]}: its group ends with status $?" \
				>>"$log_dir/group-${group_of[$pid]}.tap"
			count <"$log_dir/group-${group_of[$pid]}.tap"
			unset "group_of[$pid]"
		done
	}
	# shellcheck disable=SC2154
	trap 'kill "${!group_of[@]}" 2>/dev/null; wait; exit 130' INT TERM
	for n in "${!keys[@]}"; do
		while [ ${#group_of[@]} -ge "$jobs" ]; do
			finished
			sleep 0.2
		done
		(on_signals && group "$n" "${keys[n]}") >"$log_dir/group-$n.tap" 2>&1 &
		group_of[$!]=$n
	done
	while [ ${#group_of[@]} -gt 0 ]; do
		finished
		sleep 0.2
	done
fi
printf '1..%d\n' $((passed + failed + skipped))
printf 'VM: %d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
