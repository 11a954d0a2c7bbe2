#!/usr/bin/env bash
# Print the path of the test machine's bzImage; build it first if the cache has none.
#
# Made from the newest linux-source-* of the distribution's mirror (at least VM_KERNEL_MIN: PASID
# attach came with 6.15), tinyconfig and config/kernel.fragment.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(readlink -f "$here/../..")
# shellcheck source=../../config/apt.sh
. "$top/config/apt.sh"
# shellcheck source=cache.sh
. "$here/cache.sh"

recipe=1
min=${VM_KERNEL_MIN:-6.15}
fragment=$top/config/kernel.fragment

# One line per linux-source package: name, version, suite order as apt knows it.
newest_source() {
	apt_in "$1" apt-cache search --names-only '^linux-source-[0-9.]+$' | cut -d' ' -f1 |
		sort -t- -k3 -V | tail -n 1
}

find_source() {
	local apt pkg ver suites
	apt=$(vm_cache)/apt-kernel
	# sid is the last resort: it has no stable promise, but its sources build the same way.
	for suites in "trixie-backports" "sid"; do
		# shellcheck disable=SC2086
		apt_private "$apt" $suites >&2 || continue
		pkg=$(newest_source "$apt")
		[ -n "$pkg" ] || continue
		ver=${pkg#linux-source-}
		[ "$(printf '%s\n' "$min" "$ver" | sort -V | head -n 1)" = "$min" ] || continue
		ver=$(apt_in "$apt" apt-cache madison "$pkg" | awk -F' *[|] *' '{ print $2 }' | sort -V | tail -n 1)
		printf '%s %s %s\n' "$pkg" "$ver" "$suites"
		return
	done
	vm_say "the package mirror offers no linux-source of $min or newer; name another Debian archive" \
		"with WEIR_DEBIAN_MIRROR"
	return 1
}

# Every option of the fragment, up to its list of former names, must stand in the final configuration.
check_config() {
	local config=$1 line name bad=()
	while IFS= read -r line; do
		case $line in
		CONFIG_*) grep -qxF "$line" "$config" || bad+=("$line") ;;
		'# CONFIG_'*' is not set')
			name=${line#\# }
			grep -q "^${name%% *}=" "$config" && bad+=("$line")
			;;
		esac
	done < <(sed '/^# --- former names/,$d' "$fragment")
	[ ${#bad[@]} = 0 ] && return
	printf 'these lines of config/kernel.fragment did not take (renamed, or a dependency is missing):\n'
	printf '  %s\n' "${bad[@]}"
	return 1
}

fetch_source() {
	local apt
	apt=$(vm_cache)/apt-kernel
	apt_in "$apt" apt-get download "$package=$version" ||
		{ apt_private "$apt" "$suite" && apt_in "$apt" apt-get download "$package=$version"; } ||
		{ echo "cannot fetch $package $version; VM_REFRESH=1 looks for a newer one" && return 1; }
	dpkg-deb --fsys-tarfile ./*.deb | tar -xO "./usr/src/$package.tar.xz" |
		tar -xJ --exclude='*/drivers/gpu/drm/*/include/asic_reg/*' && rm -f ./*.deb
}

configure() {
	make ARCH=x86_64 tinyconfig &&
		scripts/kconfig/merge_config.sh -m .config "$fragment" &&
		make ARCH=x86_64 olddefconfig &&
		check_config .config
}

# -e does not reach into a function whose status is asked for: hence the chain.
make_kernel() {
	local out=$1 jobs=$2
	export KBUILD_BUILD_USER=weir KBUILD_BUILD_HOST=vm KBUILD_BUILD_TIMESTAMP='1970-01-01 00:00'
	cd "$out" && fetch_source && cd "$package" && configure &&
		make ARCH=x86_64 -j"$jobs" bzImage &&
		cp arch/x86/boot/bzImage "$out/bzImage" && cp .config "$out/config" &&
		cd "$out" && rm -rf "$package"
}

build() {
	local out=$1 log=$2 jobs start
	jobs=$(nproc)
	apt_host_need flex=flex bison=bison bc=bc gcc=gcc make=make xz=xz-utils \
		/usr/include/libelf.h=libelf-dev /usr/include/openssl/opensslv.h=libssl-dev || return
	vm_say "building Linux $version for the test machine: about $(((14 + jobs) / jobs + 1)) minutes" \
		"on $jobs cores, once; log in $log"
	start=$SECONDS
	(make_kernel "$out" "$jobs") >"$log" 2>&1 || return
	vm_say "built Linux $version in $((SECONDS - start)) s"
}

[ "$(uname -m)" = x86_64 ] || {
	vm_say "the test machine needs an x86-64 host, this one is $(uname -m)"
	exit 2
}
found=$(vm_pin kernel find_source)
read -r package version suite <<<"$found"
key=$(vm_key "$recipe" "$package" "$version" "$(cat "$fragment")" \
	"$(gcc -dumpfullversion 2>/dev/null || true)")
dir=$(vm_cached kernel "$key" build)
printf '%s/bzImage\n' "$dir"
