#!/usr/bin/env bash
# Print the path of the guest's base root file system (an uncompressed cpio); make it first if the
# cache has none for these programs.
#
# It holds busybox and the few real tools below with their libraries, taken from this machine. What
# changes with weir (its binaries, the tests, init) is a second cpio, made anew by run.sh for each
# boot. Uncompressed, because an emulated processor copies faster than it unpacks.
#
#   initramfs.sh               print the path of the base
#   initramfs.sh --add ROOT PROGRAM[=/GUEST/PATH]...
#                              copy programs and the libraries they need into ROOT
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../../config/apt.sh
. "$here/../../config/apt.sh"
# shellcheck source=cache.sh
. "$here/cache.sh"

recipe=3
programs="dash ip bridge tc ss vdpa tcpdump ethtool hugeadm strace"
PATH=$PATH:/usr/sbin:/sbin

# Paths of the shared libraries and the loader that these files need, each once. A build folder's
# own libraries come along under their absolute path, where the loader looks for them.
libraries() {
	ldd "$@" 2>/dev/null | sed -nE 's/^\t(.* => )?(\/[^ ]+) \(0x.*/\2/p' | sort -u
}

add() {
	local root=$1 item from to lib
	shift
	for item; do
		from=${item%%=*}
		to=$root${item#*=}
		[ "$item" != "$from" ] || to=$root$from
		install -D -m 755 "$from" "$to"
	done
	for lib in $(libraries "${@%%=*}"); do
		[ -e "$root$lib" ] || install -D -m 755 "$lib" "$root$lib"
	done
}

paths() {
	local p
	for p in $programs; do
		command -v "$p" || true
	done
}

fill() {
	local root=$1/root applet p
	mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,run,out,etc,root,var} "$root"/usr/{bin,sbin,lib,lib64}
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for applet in $(busybox --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
	done
	# A real shell: busybox's own would run its applets in place of the programs below.
	ln -sf ../usr/bin/dash "$root/bin/sh"
	for p in $(paths); do
		add "$root" "$p=/usr/bin/${p##*/}"
		rm -f "$root/bin/${p##*/}"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\ntcpdump:x:100:100::/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\ntcpdump:x:100:\nnogroup:x:65534:\n' >"$root/etc/group"
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$1/base.cpio" &&
		rm -rf "$root"
}

build() {
	fill "$1" >"$2" 2>&1
}

if [ "${1:-}" = --add ]; then
	shift
	add "$@"
	exit
fi
apt_host_need busybox=busybox-static cpio=cpio ip=iproute2 tcpdump=tcpdump ethtool=ethtool \
	hugeadm=libhugetlbfs-bin strace=strace dash=dash
if ldd "$(command -v busybox)" >/dev/null 2>&1; then
	vm_say "busybox on this machine needs shared libraries; install the package busybox-static"
	exit 1
fi
mapfile -t files < <(paths; command -v busybox)
mapfile -t libs < <(libraries "${files[@]}")
key=$(vm_key "$recipe" "$programs" "$(sha256sum "${files[@]}" "${libs[@]}")")
dir=$(vm_cached initramfs "$key" build)
printf '%s/base.cpio\n' "$dir"
