#!/usr/bin/env bash
# A prompt in the test machine, for a developer: shell.sh [-b BUILD] [MACHINE]
#
# weir is in the PATH, the words of guest/lib.sh are loaded (peers_up, forward_start, ...), /out is
# BUILD/vm/out-shell on the host. ^D or "poweroff -f" ends it; ^C reaches the guest.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=build
[ "${1:-}" != -b ] || { build=$2 && shift 2; }
machine=${1:-igb}
mkdir -p "$build/vm/out-shell"
build=$(readlink -f "$build")
# shellcheck source=cache.sh
. "$here/cache.sh"
# shellcheck source=boot.sh
. "$here/boot.sh"

boot_prepare
machine_qemu "$machine" || { vm_say "$REASON" && exit 1; }
boot_overlay "$build/vm/initrd-shell.cpio" shell weir
boot_command "$machine" "$build/vm/initrd-shell.cpio" "$build/vm/out-shell"
saved=$(stty -g 2>/dev/null || true)
trap '[ -z "$saved" ] || stty "$saved"' EXIT
"${QEMU[@]}" -serial mon:stdio
