#!/usr/bin/env bash
# Cross-compile everything for aarch64, against arm64 libraries unpacked into the cache. TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=../config/apt.sh
. config/apt.sh
# shellcheck source=vm/cache.sh
. tests/vm/cache.sh
packages=libnuma-dev,libpcap0.8-dev,libsmartcols-dev,libjson-c-dev,libcmocka-dev,libc6-dev,linux-libc-dev
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-trixie}")

make_sysroot() { # DIR LOG
	vm_say "unpacking arm64 libraries for the cross-compile: about half a minute, once"
	mmdebstrap --variant=extract --arch=arm64 --include="$packages" "$suite" "$1" "$(apt_mirror)" >"$2" 2>&1 ||
		return
	# Absolute links would lead out of the sysroot.
	find "$1" -type l -lname '/*' -print0 | while IFS= read -r -d '' l; do
		ln -snfr "$1$(readlink "$l")" "$l"
	done
}

sysroot=$(vm_cached sysroot-arm64 "$(vm_key 2 "$packages" "$suite")" make_sysroot) || {
	echo "not ok 1 - arm64 libraries can be unpacked"
	exit 1
}
if make -j"$(nproc)" CROSS=aarch64-linux-gnu- SYSROOT="$sysroot" all units bench-build 2>&1; then
	echo "ok 1 - cross-compiles for aarch64"
else
	echo "not ok 1 - cross-compiles for aarch64"
	exit 1
fi
file=build/aarch64-linux-gnu/weir
if [ "$(od -An -tu2 -j18 -N2 $file | tr -d ' ')" = 183 ]; then
	echo "ok 2 - the result is an aarch64 program"
else
	echo "not ok 2 - the result is an aarch64 program"
fi
echo "1..2"
