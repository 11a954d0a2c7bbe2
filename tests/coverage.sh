#!/usr/bin/env bash
# Line coverage of the library and the tool by the tests that need no virtual machine.
set -eu
cd "$(dirname "$0")/.."
rm -rf build/cov
make -j"$(nproc)" COV=1 all units >/dev/null
for t in build/cov/tests/test_*; do
	[ -f "$t" ] && [ -x "$t" ] || continue
	CMOCKA_MESSAGE_OUTPUT=TAP "$t" >/dev/null 2>&1 || echo "coverage: $t failed" >&2
done
tests/tool.sh build/cov/weir >/dev/null 2>&1 || echo "coverage: tests/tool.sh failed" >&2
gcovr -r . --object-directory build/cov --exclude 'tests/.*' --exclude-unreachable-branches \
	--sort-uncovered 2>/dev/null || gcovr -r . --object-directory build/cov --exclude 'tests/.*'
