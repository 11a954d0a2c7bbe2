# shellcheck shell=bash disable=SC2034,SC2054
# (what is set here is used where it is sourced; the commas are QEMU's)
# The machines that tests run on. Sourced, never run.
#
#   machine_qemu NAME      fill the arrays QEMU_ARGS, LAUNCH (what QEMU is started through) and
#                          NICSIMS (MAC=TAP,OPTION of the simulated ones); sets WIRE (hub or tap) and
#                          QUEUES (pairs that the NICs under test can use); fails with a sentence
#                          in REASON when this QEMU or this host cannot make the machine
#
# All are a q35 with an Intel vIOMMU and four NICs, each behind its own root port as in a real
# machine: two under test and, across a wire each, two e1000e that the guest's kernel drives as the
# peers. The guest knows them by the last byte of the MAC address.

# NAME: device under test; wire; options of the vIOMMU
#   hub: a QEMU hub a wire; carries one queue pair, needs nothing from the host
#   tap: a bridge of two TAP devices a wire, in a network namespace of QEMU's own (wires.sh);
#        carries several queue pairs
# virtio-packed has its doorbells on a page each, so that vp_vdpa lets a process map them; virtio has not.
# nicsim is our own model of an 82599, two processes that QEMU speaks vfio-user with
# (nicsims.sh): the doorbells of the first are in shared memory, the second gets each as a message.
# nicsim-pasid: the same with PASIDs, behind a vIOMMU that has them too.
virtio='virtio-net-pci,disable-legacy=on,iommu_platform=on,ats=on,speed=10000,duplex=full'
declare -A machine_nic=(
	[igb]=igb
	[igb-scalable]=igb
	[igb-hotplug]=igb
	[virtio]=$virtio,packed=off
	[virtio-packed]=$virtio,packed=on,page-per-vq=on
	[virtio-shared]=$virtio,packed=off
	[nicsim]=vfio-user-pci
	[nicsim-pasid]=vfio-user-pci
)
# Both NICs under test behind one conventional bridge, and so in one IOMMU group.
declare -A machine_bridge=([virtio-shared]=yes)
declare -A machine_wire=([virtio]=tap [virtio-packed]=tap [nicsim]=tap
	[nicsim-pasid]=tap)
declare -A machine_iommu=([igb-scalable]=scalable-mode=on,pasid-bits=20 [virtio]=device-iotlb=on
	[virtio-packed]=device-iotlb=on [nicsim-pasid]=scalable-mode=on,pasid-bits=20)
# More options for the simulated ones, a comma between.
declare -A machine_sim=([nicsim-pasid]=--pasid,20)

# Slots whose power the guest can turn off, instead of ACPI's.
declare -A machine_global=([igb-hotplug]=ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off)

# Drivers make no more queues than there are processors.
declare -A machine_cpus=([nicsim]=8)

mac_prefix=52:54:00:57:00
tap_queues=4

machine_has_device() {
	[[ $("$VM_QEMU" -device help 2>/dev/null) == *"name \"$1\""* ]] || { REASON="this QEMU has no $1" && return 1; }
}

machine_has_iommu_options() {
	local option help
	help=$("$VM_QEMU" -device intel-iommu,help 2>/dev/null)
	for option in ${1//,/ }; do
		# Not "grep -q" in the pipe: it would close it early and pipefail would call that an error.
		[[ $help == *" ${option%%=*}="* ]] || { REASON="this QEMU's intel-iommu has no ${option%%=*}" && return 1; }
	done
}

# A network namespace with TAP devices. A user namespace first, for root too: in it QEMU cannot load its
# eBPF program for RSS, which spreads the frames of one double-tagged flow over all queues (seen
# with QEMU 11.1); its own code, which then does RSS, hashes them as the specification says.
tap_unshare() {
	local how
	for how in "unshare -r -n" "unshare -n"; do
		if $how ip tuntap add dev t mode tap multi_queue 2>/dev/null; then
			printf '%s\n' "$how"
			return
		fi
	done
	return 1
}

# nic WIRE SIDE DEVICE: SIDE is dut or peer
# x-speed: after a reset of a faster port's bus Linux waits for a link-active bit that QEMU does not set.
nic() {
	local wire=$1 side=$2 device=$3 id=$2$1 byte=$1
	[ "$side" = peer ] && byte=8$wire
	if [ "$device" = vfio-user-pci ]; then
		QEMU_ARGS+=(-device "pcie-root-port,id=port-$id,chassis=$((++chassis)),slot=$chassis" -device
			'{"driver":"vfio-user-pci","bus":"port-'"$id"'","socket":{"type":"unix","path":"nic'"$wire"'.sock"}}')
		return
	fi
	if [ "$WIRE" = hub ]; then
		QEMU_ARGS+=(-netdev "hubport,id=$id,hubid=$wire")
	elif [ "$side" = dut ]; then
		QEMU_ARGS+=(-netdev "tap,id=$id,ifname=$id,script=no,downscript=no,vhost=off,queues=$tap_queues")
		device+=",mq=on,vectors=$((2 * tap_queues + 2)),rss=on,hash=on"
	else
		QEMU_ARGS+=(-netdev "tap,id=$id,ifname=$id,script=no,downscript=no,vhost=off")
	fi
	if [ "$side" = dut ] && [ -n "${machine_bridge[$name]:-}" ]; then
		[ "$wire" != 0 ] || QEMU_ARGS+=(-device "pcie-root-port,id=port-bridge,chassis=$((++chassis)),slot=$chassis"
			-device pcie-pci-bridge,id=bridge,bus=port-bridge)
		QEMU_ARGS+=(-device "$device,netdev=$id,bus=bridge,addr=$((wire + 1)),romfile=,mac=$mac_prefix:$(printf %02x 0x"$byte")")
		return
	fi
	QEMU_ARGS+=(-device "pcie-root-port,id=port-$id,x-speed=5,chassis=$((++chassis)),slot=$chassis"
		-device "$device,netdev=$id,bus=port-$id,romfile=,mac=$mac_prefix:$(printf %02x 0x"$byte")")
}

machine_qemu() {
	local name=$1 iommu=intel-iommu,intremap=on,caching-mode=on chassis=0 wire dut=dut memory=${VM_MEMORY:-1536M}
	[ -n "${machine_nic[$name]:-}" ] ||
		{ REASON="there is no machine $name; known: ${!machine_nic[*]}" && return 2; }
	if [ -n "${machine_iommu[$name]:-}" ]; then
		machine_has_iommu_options "${machine_iommu[$name]}" || return 1
		iommu+=,${machine_iommu[$name]}
	fi
	machine_has_device "${machine_nic[$name]%%,*}" || return 1
	WIRE=${VM_WIRE:-${machine_wire[$name]:-hub}}
	LAUNCH=() NICSIMS=()
	[[ $name != nicsim* ]] || dut=sim
	if [ "$WIRE" = tap ]; then
		if how=$(tap_unshare); then
			# shellcheck disable=SC2206
			LAUNCH=($how -- "$here/wires.sh" "${dut}0+peer0" "${dut}1+peer1" --)
			[ "$how" != "unshare -n" ] || LAUNCH+=(setpriv "--bounding-set=-bpf,-sys_admin" --)
		else
			WIRE=hub
		fi
	fi
	if [[ $name = nicsim* ]]; then
		[ "$WIRE" = tap ] || { REASON="this host has no TAP devices to wire a nicsim with" && return 1; }
		NICSIMS=("$mac_prefix:00=sim0${machine_sim[$name]:+,${machine_sim[$name]}}"
			"$mac_prefix:01=sim1,--no-mmap${machine_sim[$name]:+,${machine_sim[$name]}}")
	fi
	QUEUES=$tap_queues
	if [ "$WIRE" = hub ] && [[ ${machine_nic[$name]} == virtio* ]]; then
		QUEUES=1
	fi
	QEMU_ARGS=(-M "q35,kernel-irqchip=split,memory-backend=ram"
		-object "memory-backend-memfd,id=ram,size=$memory,share=on" -m "$memory"
		-accel "${VM_ACCEL:-tcg,thread=multi}" -cpu max -smp "${machine_cpus[$name]:-2}"
		-display none -vga none -nic none -no-reboot -no-user-config
		-device "$iommu")
	[ -z "${machine_global[$name]:-}" ] || QEMU_ARGS+=(-global "${machine_global[$name]}")
	for wire in 0 1; do
		nic "$wire" dut "${machine_nic[$name]}"
	done
	for wire in 0 1; do
		nic "$wire" peer e1000e
	done
}
