# shellcheck shell=bash disable=SC2154
# Boot the test machine. Sourced, never run; wants $here (tests/vm) and $build (the build folder).
#
#   boot_prepare                    kernel, QEMU and base root file system: made if missing
#   boot_overlay FILE PLAN BINARY...  the second cpio: init, tests, helpers, weir and libraries;
#                                   PLAN is the text of /vm/plan, BINARY a program under $build
#   boot_command MACHINE FILE OUT   fill the array QEMU with the command that boots the machine
#                                   with this overlay and shares the folder OUT; set REASON if not
#
# VM_DPDK: folder with DPDK (dpdk.sh) that the guest can mount by the tag "dpdk".
# VM_EXTRA_ARGS: more QEMU arguments; VM_KERNEL_ARGS: more kernel arguments; VM_ACCEL: kvm instead
# of emulation, where it works.

# shellcheck source=machines.sh
. "$here/machines.sh"

boot_prepare() {
	VM_KERNEL=${VM_KERNEL:-$("$here/kernel.sh")} || return
	VM_QEMU=${VM_QEMU:-$("$here/qemu.sh")} || return
	VM_BASE=${VM_BASE:-$("$here/initramfs.sh")} || return
	export VM_KERNEL VM_QEMU VM_BASE
}

boot_overlay() {
	local file=$1 plan=$2 root binary size items=()
	shift 2
	root=$(mktemp -d "${TMPDIR:-/tmp}/weir-vm.XXXXXX") || return
	chmod 755 "$root"
	mkdir -p "$root/vm/tests" "$root/usr/lib" "$root/usr/lib64" "$root/usr/bin" "$root/opt/weir"
	# The base has these links; an archive with folders in their place would replace them.
	ln -s usr/lib "$root/lib"
	ln -s usr/lib64 "$root/lib64"
	cp "$here"/guest/* "$here/splats.grep" "$root/vm/"
	cp "${test_dir:-$here/tests}"/*.test "$root/vm/tests/"
	mv "$root/vm/init" "$root/init"
	chmod 755 "$root/init"
	printf '%s\n' "$plan" >"$root/vm/plan"
	printf 'MACHINE=%s WIRE=%s QUEUES=%s HUGEPAGES=%s\n' "$machine" "$WIRE" "$QUEUES" \
		"${VM_HUGEPAGES:-128}" >"$root/vm/machine"
	if [ -t 1 ] && { size=$(stty size 2>/dev/null <&8); } 8<&1; then
		printf 'TTY_ROWS=%s TTY_COLUMNS=%s TTY_TERM=%s\n' "${size% *}" "${size#* }" \
			"${TERM:-vt100}" >>"$root/vm/machine"
	fi
	for binary in "$build"/vm/bin/*; do
		install -m 755 "$binary" "$root/usr/bin/"
	done
	for binary; do
		[ ! -x "$build/$binary" ] || items+=("$build/$binary=/opt/weir/${binary##*/}")
	done
	[ ${#items[@]} = 0 ] || "$here/initramfs.sh" --add "$root" "${items[@]}" || return
	(cat "$VM_BASE" && cd "$root" && find . | LC_ALL=C sort |
		cpio -o -H newc -R 0:0 --quiet) >"$file" || return
	rm -rf "$root"
}

boot_command() {
	local machine=$1 overlay=$2 out=$3 serve=()
	[ ${#NICSIMS[@]} = 0 ] || serve=("$here/nicsims.sh" "$build/weir" "$out" "${NICSIMS[@]}" --)
	QEMU=("${LAUNCH[@]}" "${serve[@]}" "$VM_QEMU" "${QEMU_ARGS[@]}"
		-virtfs "local,id=out,path=$out,mount_tag=out,security_model=none"
		-kernel "$VM_KERNEL" -initrd "$overlay"
		-append "console=ttyS0 no_timer_check panic=-1 oops=panic loglevel=${VM_LOGLEVEL:-5} log_buf_len=4M nokaslr \
intel_iommu=on random.trust_cpu=on tsc=reliable ${VM_KERNEL_ARGS:-}")
	[ -z "${VM_DPDK:-}" ] ||
		QEMU+=(-virtfs "local,id=dpdk,path=$VM_DPDK,mount_tag=dpdk,security_model=none,readonly=on")
	# shellcheck disable=SC2206
	QEMU+=(${VM_EXTRA_ARGS:-})
}
