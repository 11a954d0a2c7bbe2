# The test machine: a virtual machine with a vIOMMU, four NICs and a kernel of our own, for tests on
# a real kernel and for the demonstration. Included by the top Makefile; everything is under
# tests/vm, the slow parts are made once into the user's cache folder.

VM_CC ?= gcc
VM_HELPERS := pktgen wiretest pcapcmp tcpxfer foreground
VM_BIN := $(VM_HELPERS:%=$(BUILD)/vm/bin/%)
VM_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Werror -D_GNU_SOURCE -static
VM_TESTS ?=
VM_MACHINE ?=
VM_JOBS ?= 1

# Static: they run in the guest, whatever its libraries are.
$(BUILD)/vm/bin/%: tests/vm/helpers/%.c tests/vm/helpers/checker.c tests/vm/helpers/pcapfile.c \
		tests/vm/helpers/checker.h tests/vm/helpers/pcapfile.h
	@mkdir -p $(@D)
	$(call say,VM-CC,$@)
	$(Q)$(VM_CC) $(VM_CFLAGS) -o $@ $(filter %.c,$^)

# Programs that use the library on the guest's kernel. claim fails the n-th of these calls, mock has
# devices of its own behind one.
VM_PROGS := $(patsubst tests/vm/programs/%.c,$(BUILD)/vm/prog/%,$(wildcard tests/vm/programs/*.c))
VM_WRAP_claim := $(addprefix -Wl$(COMMA)--wrap=,ioctl open mmap eventfd memfd_create pread pwrite)
VM_WRAP_tenants := $(addprefix -Wl$(COMMA)--wrap=,ioctl calloc pread)
VM_WRAP_mock := -Wl,--wrap=ioctl
# A program of several files has a folder of its name for the others.
$(BUILD)/vm/prog/nictest: $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/vm/programs/nictest/*.c))
$(BUILD)/vm/prog/%: $(BUILD)/obj/tests/vm/programs/%.o $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(VM_WRAP_$*) $(BUILD)/libweir.a $(LIB_LIBS)
-include $(wildcard $(BUILD)/obj/tests/vm/programs/*/*.d)

.PHONY: vm vm-kernel vm-qemu vm-initramfs vm-helpers vm-check vm-selftest vm-shell run-vm
vm-kernel:
	@tests/vm/kernel.sh

vm-qemu:
	@tests/vm/qemu.sh

vm-initramfs:
	@tests/vm/initramfs.sh

vm-helpers: $(VM_BIN) $(VM_PROGS)

## vm: the test machine's kernel, QEMU and root file system, made once into the cache
vm: vm-kernel vm-qemu vm-initramfs

## vm-check: the tests that need a real kernel; VM_TESTS="NAME..." VM_MACHINE=NAME run a part; VM_JOBS=2: two machines
vm-check: all vm-helpers
	@tests/vm/run.sh -b $(BUILD) -j $(VM_JOBS) $(VM_MACHINE:%=-m %) $(VM_TESTS)

## vm-selftest: does the test machine notice a fault, a crash and a hang?
vm-selftest: vm-helpers
	@tests/vm/selftest.sh -b $(BUILD)

## vm-shell: a prompt in the test machine; VM_MACHINE=virtio for another than igb
vm-shell: all vm-helpers
	@tests/vm/shell.sh -b $(BUILD) $(VM_MACHINE)

## run-vm: the same with two igb in a virtual machine, through the kernel's VFIO cdev and IOMMUFD
run-vm: deps all vm-helpers
	@tests/vm/demo.sh -b $(BUILD)
