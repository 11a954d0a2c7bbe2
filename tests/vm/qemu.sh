#!/usr/bin/env bash
# Print the path of a script that runs a new enough qemu-system-x86_64; make it first if the cache
# has none.
#
# The host's QEMU serves when it is VM_QEMU_MIN (11.1: vfio-user-pci, scalable-mode and PASID on
# intel-iommu) or newer. Otherwise QEMU and every library it needs, libc and its loader included,
# are unpacked from a suite that has it into the cache and run from there: no root, no chroot, nothing
# installed.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../../config/apt.sh
. "$here/../../config/apt.sh"
# shellcheck source=cache.sh
. "$here/cache.sh"

recipe=1
min=${VM_QEMU_MIN:-11.1}
# Suite pairs to look in, best first: RELEASE RELEASE-backports.
releases=${VM_QEMU_RELEASES:-trixie bookworm}

at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

host_version() {
	qemu-system-x86_64 --version 2>/dev/null | sed -nE '1s/.*version ([0-9.]+).*/\1/p'
}

find_qemu() {
	local release ver apt first=${releases%% *}
	for release in $releases; do
		apt=$(vm_cache)/apt-qemu-$release
		apt_private "$apt" "$release" "$release-backports" >&2 || continue
		ver=$(apt_in "$apt" apt-cache madison qemu-system-x86 | awk -F' *[|] *' '{ print $2 }' |
			sort -V | tail -n 1)
		ver=${ver// /}
		at_least "${ver#*:}" 10.0 || continue
		[ "$release" = "$first" ] || vm_say "QEMU ${ver#*:} from $release is older than $min:" \
			"tests that need a newer one (vfio-user, PASID) will be skipped"
		printf '%s %s\n' "$release" "$ver"
		return
	done
	vm_say "no suite of the package mirror has QEMU 10.0 or newer; install qemu-system-x86 of that" \
		"version, or name another Debian archive with WEIR_DEBIAN_MIRROR"
	return 1
}

write_wrapper() {
	local out=$1 final=${1%.tmp} loader
	loader=$(cd "$out" && find root -name ld-linux-x86-64.so.2 \( -type f -o -type l \) | head -n 1)
	[ -n "$loader" ] || { echo "libc6's loader is not among the packages" && return 1; }
	cat >"$out/qemu" <<-WRAPPER
		#!/bin/sh
		# QEMU $version of $release, run from this folder with its own libraries.
		r='$final/root'
		u="\$r/usr/lib/x86_64-linux-gnu"
		export QEMU_MODULE_DIR="\$u/qemu"
		exec "$final/$loader" --library-path "\$u:\$r/lib/x86_64-linux-gnu:\$u/pulseaudio" \\
			"\$r/usr/bin/qemu-system-x86_64" -L "\$r/usr/share/qemu" -L "\$r/usr/share/seabios" "\$@"
	WRAPPER
	chmod +x "$out/qemu"
}

fetch_qemu() {
	local out=$1 apt deb
	apt=$(vm_cache)/apt-qemu-$release
	apt_private "$apt" "$release" "$release-backports" &&
		apt_in "$apt" apt-get -y --download-only --no-install-recommends install \
			"qemu-system-x86=$version" -t "$release-backports" ||
		{ echo "cannot fetch QEMU $version; VM_REFRESH=1 looks for a newer one" && return 1; }
	mkdir -p "$out/root"
	for deb in "$apt"/cache/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$out/root" --no-same-owner \
			--exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' \
			--exclude='./usr/share/locale/*' || return
	done
	rm -f "$apt"/cache/archives/*.deb
	write_wrapper "$out"
}

build() {
	local log=$2 start=$SECONDS
	apt_host_need dpkg-deb=dpkg || return
	vm_say "unpacking QEMU ${version#*:} from $release-backports into the cache: about half a" \
		"minute, once; log in $log"
	(fetch_qemu "$1") >"$log" 2>&1 || return
	vm_say "QEMU is ready after $((SECONDS - start)) s"
}

have=$(host_version || true)
if [ -n "$have" ] && at_least "$have" "$min"; then
	command -v qemu-system-x86_64
	exit
fi
found=$(vm_pin qemu find_qemu)
read -r release version <<<"$found"
dir=$(vm_cached qemu "$(vm_key "$recipe" "$release" "$version")" build)
printf '%s/qemu\n' "$dir"
