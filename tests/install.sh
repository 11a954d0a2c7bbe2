#!/usr/bin/env bash
# Install into an empty folder and build a stranger's program against it, shared and static. TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
n=0 bad=0
check() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@" >"$dir/log" 2>&1; then
		printf 'ok %d - %s\n' $n "$name"
	else
		bad=1
		printf 'not ok %d - %s\n' $n "$name"
		sed 's/^/# /' "$dir/log" | tail -n 20
	fi
}

cat >"$dir/prog.c" <<'EOF'
#include <nics/nics.h>
#include <stdio.h>

static unsigned said;

static void count(void *arg, enum weir_log_level level, const char *id, const char *msg)
{
	(void)arg, (void)level, (void)id, (void)msg;
	said++;
}

int main(void)
{
	struct weir_opts o = { .log = count };
	struct weir_iommu *iommu;
	struct weir_port *port;
	struct weir *a, *b;

	/* Two handles at once: an embedder's second start must not fail. */
	if (weir_open(&o, &a) || weir_open(NULL, &b) || weir_iommu_open(a, &iommu))
		return 1;
	if (weir_port_open(iommu, "0000:ff:1f.7", NULL, &port) != -19 || said != 1)
		return 2;
	if (weir_port_open(iommu, "null:", NULL, &port))
		return 3;
	weir_port_close(port);
	weir_iommu_close(iommu);
	weir_close(b);
	weir_close(a);
	puts("fine");
	return 0;
}
EOF
export PKG_CONFIG_PATH=$dir/lib/pkgconfig
shared() {
	# shellcheck disable=SC2046
	gcc -std=gnu11 -Wall -Werror -o "$dir/shared" "$dir/prog.c" $(pkg-config --cflags --libs weir)
}
static() {
	rm -rf "$dir/onlya" && mkdir "$dir/onlya" && cp "$dir/lib/libweir.a" "$dir/onlya/"
	# shellcheck disable=SC2046
	gcc -std=gnu11 -Wall -Werror -o "$dir/static" "$dir/prog.c" -L"$dir/onlya" \
		$(pkg-config --static --cflags --libs weir)
}
# Only weir_ symbols may be visible from outside.
exported() { ! nm -D --defined-only "$dir/lib/libweir.so" | awk '$2 != "A" {print $3}' | grep -v '^weir_'; }
# Tables of pointers to const things are relocated once and then read-only: .data.rel.ro is fine.
mutable() { ! nm -f sysv "$dir/lib/libweir.a" | awk -F'|' '$4 ~ /OBJECT/ && $7 ~ /^\.(data|bss)(\.[^r].*)?$/ {print $1, $7}' | grep .; }

check "make install" make install PREFIX="$dir"
check "a program builds against the shared library" shared
check "and runs" env LD_LIBRARY_PATH="$dir/lib" "$dir/shared"
check "a program builds against the static library" static
check "and runs without the shared one" "$dir/static"
check "the shared library shows weir_ symbols only" exported
check "the library has no mutable globals" mutable
for h in $(cd "$dir/include/weir" && find . -name '*.h'); do
	check "$h stands alone, in C++ too" g++ -fsyntax-only -x c++ -I"$dir/include/weir" "$dir/include/weir/$h"
done
echo "1..$n"
exit $bad
