#!/usr/bin/env bash
# The demonstration behind `make run`: demo.sh [-b BUILD] [MACHINE]
#
# Boots the machine (igb unless named), binds its two NICs to vfio-pci, runs weir l2fwd on them through
# cdev + IOMMUFD, sends ping and 50 MB of TCP between two namespaces whose only path that is, and
# shows the live statistics on this terminal (plain lines when there is none). At the end: what came
# of it, and where the capture is. Exits with 0 when all of it worked. ^C ends it at any time.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
build=build
[ "${1:-}" != -b ] || { build=$2 && shift 2; }
machine=${1:-igb}
mkdir -p "$build/run"
shown=$build/run
build=$(readlink -f "$build")
out=$build/run
# shellcheck source=cache.sh
. "$here/cache.sh"
# shellcheck source=boot.sh
. "$here/boot.sh"

started=$SECONDS
[ -x "$build/weir" ] || { vm_say "there is no $build/weir; run make first" && exit 1; }
rm -f "$out"/{demo.*,*.pcap,tap,dmesg}
boot_prepare
machine_qemu "$machine" || { vm_say "$REASON" && exit 1; }
boot_overlay "$out/initrd.cpio" demo weir
VM_LOGLEVEL=1 boot_command "$machine" "$out/initrd.cpio" "$out"

saved=
[ ! -t 0 ] || saved=$(stty -g)
cleanup() {
	[ -z "$saved" ] || stty "$saved"
	rm -f "$out/initrd.cpio"
}
trap cleanup EXIT
vm_say "starting the virtual machine ($machine, a vIOMMU, four NICs)"
input=/dev/null
[ ! -t 0 ] || input=/dev/stdin
status=0
"${QEMU[@]}" -chardev stdio,id=console,signal=on -serial chardev:console -monitor none \
	<$input 2>"$out/demo.qemu" || status=$?
[ -z "$saved" ] || stty "$saved"

if [ ! -s "$out/demo.status" ]; then
	vm_say "the virtual machine ended before the demonstration did (QEMU's status $status)"
	tail -n 5 "$out/demo.qemu" >&2
	exit 1
fi
cat "$out/demo.summary"
if [ -s "$out/forward.pcap" ]; then
	printf '  capture  %s/forward.pcap (%s bytes; read it with tcpdump -nr)\n' "$shown" \
		"$(stat -c %s "$out/forward.pcap")"
fi
printf '  time     %d s\n' $((SECONDS - started))
exit "$(cat "$out/demo.status")"
