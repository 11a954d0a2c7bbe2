# weir: everything is made by this file, into build/ (or BUILD=). `make help` lists the targets.
#
#   CC=clang            another compiler
#   CROSS=aarch64-linux-gnu-   cross-compile
#   SAN=1               ASan + UBSan, in a build folder of its own;  SAN=thread: TSan
#   COV=1               line coverage, likewise
#   DEBUG=1             -O0 -g3
#   V=1                 show commands

MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DEFAULT_GOAL := all

VERSION := $(shell sed -n 's/^\#define WEIR_VERSION "\(.*\)"/\1/p' core/weir.h)
SOVER   := $(firstword $(subst ., ,$(VERSION)))

BUILD ?= build$(if $(filter thread,$(SAN)),/tsan,$(if $(SAN),/san))$(if $(COV),/cov)$(if $(DEBUG),/debug)$(if $(CROSS),/$(patsubst %-,%,$(CROSS)))$(if $(filter clang%,$(CC)),/clang)
PREFIX ?= /usr/local

ifeq ($(origin CC),default)
CC := $(CROSS)gcc
endif
AR := $(if $(CROSS),$(CROSS)ar,ar)
PKG_CONFIG ?= pkg-config
COMMA := ,
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wpointer-arith -Wwrite-strings
CPPFLAGS += -I. -D_GNU_SOURCE
OPT := $(if $(DEBUG),-O0 -g3,-O2 -g)
CFLAGS_ALL = -std=gnu11 $(OPT) $(WARN) -fPIC -fvisibility=hidden -fno-strict-aliasing -pthread $(CFLAGS)
LDFLAGS_ALL = -pthread $(LDFLAGS)
ifdef SAN
SANFLAGS := $(if $(filter thread,$(SAN)),-fsanitize=thread,-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all) -fno-omit-frame-pointer
CFLAGS_ALL += $(SANFLAGS)
LDFLAGS_ALL += $(SANFLAGS)
endif
ifdef COV
CFLAGS_ALL += --coverage -O0
LDFLAGS_ALL += --coverage
endif
ifdef SYSROOT
CFLAGS_ALL += --sysroot=$(SYSROOT)
LDFLAGS_ALL += --sysroot=$(SYSROOT)
endif

LIB_LIBS  := -lnuma -lpcap -ljson-c
APP_LIBS  := -lsmartcols
TEST_LIBS := -lcmocka


# --- what is built ---

LIB_SRC  := $(wildcard core/*.c iommu/*.c pci/*.c nics/*.c nics/*/*.c)
APP_SRC  := $(wildcard apps/*.c apps/*/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
BENCH_SRC := $(wildcard tests/bench/*.c)
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
APP_OBJ  := $(APP_SRC:%.c=$(BUILD)/obj/%.o)
UNIT     := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
BENCH    := $(BENCH_SRC:tests/bench/%.c=$(BUILD)/bench/%)
# What embedders include; all other headers are between weir's own files.
HEADERS  := $(filter-out %/internal.h,$(wildcard core/*.h)) iommu/iommu.h iommu/hwpt.h pci/pci.h nics/nics.h

.PHONY: all
all: $(BUILD)/weir $(BUILD)/libweir.a $(BUILD)/libweir.so

$(BUILD)/obj/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Other flags or another compiler make everything anew.
$(BUILD)/.flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(CPPFLAGS) $(CFLAGS_ALL) $(LDFLAGS_ALL)' | cmp -s - $@ || \
		printf '%s\n' '$(CC) $(CPPFLAGS) $(CFLAGS_ALL) $(LDFLAGS_ALL)' > $@
.PHONY: FORCE
FORCE:

$(BUILD)/libweir.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/libweir.so: $(LIB_OBJ) config/libweir.map
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -shared -Wl,-soname,libweir.so.$(SOVER) \
		-Wl,--version-script=config/libweir.map -Wl,--no-undefined-version -o $@ $(LIB_OBJ) $(LIB_LIBS)
	$(Q)ln -sf libweir.so $@.$(SOVER)

$(BUILD)/weir: $(APP_OBJ) $(BUILD)/libweir.a
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS) $(APP_LIBS)

UNIT_WRAP_test_pci_sysfs := -Wl,--wrap=weir_file_write
# The model of the kernel in tests/unit/fake_vfio.h stands behind these.
KERNEL_CALLS := open close fstat ioctl mmap munmap pread pwrite eventfd memfd_create ftruncate madvise \
	calloc malloc strdup readlink
UNIT_WRAP_test_iommu := $(KERNEL_CALLS:%=-Wl,--wrap=%)
UNIT_WRAP_test_pci_dev := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_hot_reset := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_given := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_pci_events := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_walk := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_app_doctor := -Wl,--wrap=ioctl
UNIT_WRAP_test_hwpt := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_hwpt_user := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_map := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_iommu_edges := $(UNIT_WRAP_test_iommu)
UNIT_WRAP_test_vfio_user_sweep := $(patsubst %,-Wl$(COMMA)--wrap=%,calloc realloc socket connect \
	sendmsg recvmsg poll mmap fcntl fstat eventfd)
UNIT_WRAP_test_nicsim_assign := $(patsubst %,-Wl$(COMMA)--wrap=%,calloc sendmsg recvmsg \
	dma_pasid_add dma_pasid_del dma_map dma_unmap)

UNIT_WRAP_test_vhost_sweep := $(patsubst %,-Wl$(COMMA)--wrap=%,calloc aligned_alloc strdup socket \
	connect bind listen sendmsg recvmsg poll eventfd epoll_create1)
UNIT_WRAP_test_vhost_revive_sweep := $(patsubst %,-Wl$(COMMA)--wrap=%,socket connect sendmsg recvmsg recv \
	poll fcntl fstat eventfd)
UNIT_WRAP_test_virtio_kernel := $(patsubst %,-Wl$(COMMA)--wrap=%,open close ioctl write eventfd \
	mmap munmap memfd_create calloc aligned_alloc strdup)

$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(UNIT_WRAP_$*) $(BUILD)/libweir.a $(LIB_LIBS) $(APP_LIBS) $(TEST_LIBS)

# The simulated NIC is part of the tool, not of the library.
NICSIM_OBJ := $(filter $(BUILD)/obj/apps/nicsim/%,$(APP_OBJ))
$(BUILD)/tests/test_nicsim%: $(BUILD)/obj/tests/unit/test_nicsim%.o $(NICSIM_OBJ) $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(UNIT_WRAP_test_nicsim$*) $(LIB_LIBS) $(APP_LIBS) $(TEST_LIBS)

# Tests of what other commands are made of link all of the tool but main().
$(BUILD)/tests/test_app_%: $(BUILD)/obj/tests/unit/test_app_%.o $(filter-out %/main.o,$(APP_OBJ)) $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter-out %/libweir.a,$^) $(UNIT_WRAP_test_app_$*) $(BUILD)/libweir.a $(LIB_LIBS) $(APP_LIBS) $(TEST_LIBS)

# Benches time the forwarding loop of the tool itself, so they link all of it but main().
$(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(filter-out %/main.o,$(APP_OBJ)) $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS) $(APP_LIBS)

# These bring a device of their own, so they link the library alone.
$(BUILD)/bench/intel_%: $(BUILD)/obj/tests/bench/intel_%.o $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS)

# The peer's programs, where DPDK is there to build against.
PEER_SRC := $(wildcard tests/bench/peer/*.c)
PEER     := $(if $(shell $(PKG_CONFIG) --exists libdpdk 2>/dev/null && echo y),$(PEER_SRC:tests/bench/peer/%.c=$(BUILD)/bench/peer-%))
$(BUILD)/bench/peer-%: tests/bench/peer/%.c tests/bench/peer/peer.h tests/bench/bench.h tests/bench/vm/marks.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -O3 $$($(PKG_CONFIG) --cflags libdpdk) $(LDFLAGS_ALL) -o $@ $< \
		$$($(PKG_CONFIG) --libs libdpdk)

-include $(LIB_OBJ:.o=.d) $(APP_OBJ:.o=.d) $(UNIT_SRC:%.c=$(BUILD)/obj/%.d) $(BENCH_SRC:%.c=$(BUILD)/obj/%.d) \
	$(wildcard $(BUILD)/obj/tests/vm/programs/*.d $(BUILD)/obj/tests/interop/*.d)

# --- the two commands ---

.PHONY: deps run check
deps:
	@config/deps.sh build

## run: install what is missing, build, and forward real traffic between two simulated NICs
run:
	@config/deps.sh build run
	@$(MAKE) all vm-helpers
	@tests/demo.sh $(BUILD)

## check: install what is missing, then all tests; SAN=1: the sanitizer half alone
check:
	@config/deps.sh build check
	@tests/check.sh $(if $(SAN),san)

# --- pieces of check ---

.PHONY: units lint house coverage bench install clean help
units: $(UNIT)

-include tests/vm/vm.mk

## lint: clang-format, clang-tidy, cppcheck, sparse, include directions
lint:
	@config/deps.sh build lint
	@tests/lint.sh

house:
	@tests/house.sh

## coverage: line coverage of the unit and tool tests
coverage:
	@config/deps.sh build check cover
	@tests/coverage.sh

## bench: weir and DPDK at the same work, in turn, with ratios; BENCH_ARGS="--only a,b" for a part
bench:
	@config/deps.sh build bench
	@$(MAKE) bench-build bench-peer
	@tests/bench/run.sh $(BUILD) $(BENCH_ARGS)

# What the emulator counts instructions with, for part h.
$(BUILD)/bench/count.so: tests/bench/plugin/count.c
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(VM_CC) -std=gnu11 -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden -o $@ $<

bench-build: all $(BENCH)
bench-peer: $(PEER) $(BUILD)/bench/count.so vm-helpers
.PHONY: bench-build bench-peer

# Programs that talk to other people's programs (tests/interop.sh).
INTEROP := $(patsubst tests/interop/%.c,$(BUILD)/interop/%,$(wildcard tests/interop/*.c))
$(BUILD)/interop/%: $(BUILD)/obj/tests/interop/%.o $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIB_LIBS)

interop-build: $(INTEROP) vm-helpers
.PHONY: interop-build

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/bin/weir
	install -m 644 $(BUILD)/libweir.a $(DESTDIR)$(PREFIX)/lib/
	install -m 755 $(BUILD)/libweir.so $(DESTDIR)$(PREFIX)/lib/libweir.so.$(VERSION)
	ln -sf libweir.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libweir.so.$(SOVER)
	ln -sf libweir.so.$(SOVER) $(DESTDIR)$(PREFIX)/lib/libweir.so
	for h in $(HEADERS); do install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/weir/$$h; done
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' config/weir.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/weir.pc

clean:
	rm -rf build

help:
	@sed -n 's/^## //p' Makefile tests/vm/vm.mk

# Objects of tests are kept like all others.
.SECONDARY:
