#!/usr/bin/env bash
# Print the path of a folder with Debian's dpdk-testpmd and the libraries it needs, libc and its loader
# included; make it first if the cache has none. Nothing is installed.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../../config/apt.sh
. "$here/../../config/apt.sh"
# shellcheck source=cache.sh
. "$here/cache.sh"

recipe=1
release=${VM_DPDK_RELEASE:-bookworm}

# dpdk-dev (which has testpmd) and the libraries that it and they depend on; nothing to build with.
packages() {
	apt_in "$1" apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances dpdk-dev |
		grep -E '^(dpdk-dev|ibverbs-providers|lib.*|zlib1g)$' | grep -vE '^lib.*-dev$|perl|python' | sort -u
}

fetch() {
	local out=$1 apt deb
	apt=$(vm_cache)/apt-dpdk-$release
	apt_private "$apt" "$release" || return
	mkdir -p "$out/debs" "$out/root"
	packages "$apt" >"$out/packages"
	# shellcheck disable=SC2016 # the inner shell's arguments
	(cd "$out/debs" && xargs -a "$out/packages" bash -c '. "$0" && apt_in "$1" apt-get download "${@:2}"' \
		"$here/../../config/apt.sh" "$apt") || return
	for deb in "$out"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$out/root" --no-same-owner --wildcards \
			'./usr/bin/dpdk-testpmd' './lib/*' './lib64/*' './usr/lib/x86_64-linux-gnu/*' 2>/dev/null || true
	done
	rm -rf "$out/debs"
	[ -x "$out/root/usr/bin/dpdk-testpmd" ] || { echo "$release has no dpdk-testpmd" && return 1; }
}

build() {
	apt_host_need dpkg-deb=dpkg || return
	vm_say "unpacking DPDK of $release into the cache, once; log in $2"
	fetch "$1" >"$2" 2>&1
}

dir=$(vm_cached dpdk "$(vm_key "$recipe" "$release")" build)
printf '%s/root\n' "$dir"
