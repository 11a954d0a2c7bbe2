#!/usr/bin/env bash
# The house rules that a machine can check, as TAP: includes go down only, files stay readable, no
# path of a machine and no package registry's host name in the tree.
set -u
cd "$(dirname "$0")/.." || exit 1
n=0 bad=0

check() { # NAME OFFENDERS
	n=$((n + 1))
	if [ -z "$2" ]; then
		printf 'ok %d - %s\n' $n "$1"
	else
		bad=1
		printf 'not ok %d - %s\n' $n "$1"
		printf '%s\n' "$2" | head -n 20 | sed 's/^/# /'
	fi
}

# Each folder may include only itself and those below it.
upward() {
	local layers=(core iommu pci nics apps) i j
	for i in 0 1 2 3; do
		for j in $(seq $((i + 1)) 4); do
			grep -rnE "^#[[:space:]]*include[[:space:]]+[\"<](\.\./)*${layers[j]}/" \
				"${layers[i]}" --include='*.[ch]'
		done
	done
}
check "includes go down only: apps, nics, pci, iommu, core" "$(upward)"

# A driver may not reach into another driver's folder.
sideways() {
	local d
	for d in nics/*/; do
		d=${d#nics/}
		grep -rnE "^#[[:space:]]*include[[:space:]]+\"nics/[a-z_0-9]+/" "nics/$d" --include='*.[ch]' |
			grep -v "\"nics/$d"
	done
}
check "drivers do not include each other" "$(sideways)"

foreign() {
	grep -rnE '^#[[:space:]]*include[[:space:]]+"(core|iommu|pci)/internal.h"' apps nics --include='*.[ch]'
}
check "apps and drivers include no internal header" "$(foreign)"

check "no source file over 800 lines" \
	"$(find core iommu pci nics apps tests -name '*.[ch]' -exec wc -l {} + | awk '$1 > 800 && $2 != "total"')"

check "the library never ends the process, prints, or reads the environment" \
	"$(grep -rnE '\b(exit|abort|_exit|printf|puts|perror|getenv|signal|sigaction|pthread_create)\(' \
		core iommu pci nics --include='*.[ch]' | grep -vE '^core/weir\.c:.*fprintf|^[^:]*:[0-9]+:[[:space:]]*\*')"

top=$(git ls-files 2>/dev/null | sed 's,/.*,,' | sort -u |
	grep -vxE 'Makefile|core|iommu|pci|nics|apps|tests|config|docs|README\.md|LICENSE|CHANGELOG\.md|\..*')
check "nothing else at the top level" "$top"

paths() { git grep -nE '(^|[^a-zA-Z0-9_./])/(work|farm|root|home)/[a-z]' -- . ':!tests/house.sh' 2>/dev/null; }
check "no path of a machine in the tree" "$(paths)"

hosts() {
	local h
	for h in $({ apt-get indextargets --format '$(SITE)' 2>/dev/null; } |
		sed -nE 's#^[a-z+]+://([^/:]+).*#\1#p' | sort -u); do
		git grep -nF "$h" -- . 2>/dev/null
	done
}
check "no package registry's host name in the tree" "$(hosts)"

echo "1..$n"
exit $bad
