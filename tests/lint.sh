#!/usr/bin/env bash
# clang-format, cppcheck, sparse, clang-tidy and the house rules. Exits with 0 when all are content.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
files=$(git ls-files '*.c' '*.h')
lib=$(git ls-files 'core/*.c' 'iommu/*.c' 'pci/*.c' 'nics/*.c' 'apps/*.c')

step() {
	local name=$1
	shift
	printf '%-14s' "$name"
	if out=$("$@" 2>&1); then
		echo ok
	else
		echo FAILED
		printf '%s\n' "$out" | head -n 60
		bad=1
	fi
}

format() { printf '%s\n' "$files" | xargs clang-format --dry-run -Werror; }
check() {
	printf '%s\n' "$lib" | xargs cppcheck --quiet --error-exitcode=1 --inline-suppr \
		--enable=warning,performance,portability --std=c11 -I. -D_GNU_SOURCE -D__x86_64__ \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		--suppress=AssignmentIntegerToAddress:nics/virtio/virtio.c # (a function from a table)
}
sparse_one() {
	local f out=''
	for f in $lib; do
		out+=$(sparse -I. -D_GNU_SOURCE -D__CHECK_ENDIAN__ -std=gnu11 -Wbitwise -Wno-decl \
			-Wno-transparent-union -I"$(gcc -print-file-name=include)" "$f" 2>&1 |
			grep -E '^(core|iommu|pci|nics|apps)/' | grep -E 'bitwise|restricted|base types|address space|nocast')
	done
	printf '%s' "$out"
	[ -z "$out" ]
}
tidy_checks='-*,bugprone-*,clang-analyzer-core.*,clang-analyzer-unix.*'
for c in easily-swappable-parameters reserved-identifier narrowing-conversions macro-parentheses \
	assignment-in-if-condition implicit-widening-of-multiplication-result branch-clone suspicious-include suspicious-string-compare misplaced-widening-cast; do
	tidy_checks+=",-bugprone-$c"
done
tidy() {
	# shellcheck disable=SC2016
	printf '%s\n' "$lib" | CHECKS=$tidy_checks xargs -P "$(nproc)" -n 8 sh -c \
		'clang-tidy --quiet --warnings-as-errors="*" --checks="$CHECKS" "$@" -- -std=gnu11 -I. -D_GNU_SOURCE' tidy
}

step clang-format format
step cppcheck check
step sparse sparse_one
step clang-tidy tidy
step house tests/house.sh
exit $bad
