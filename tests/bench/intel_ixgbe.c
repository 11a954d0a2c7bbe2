/* SPDX-License-Identifier: BSD-3-Clause */
/* Receive and transmit of the ixgbe driver: see intel.h. */
#include "tests/bench/bench.h"
#include "tests/unit/fake_ixgbe.h"

/* Registers of the control path have side effects; bursts write their tails into memory. */
#define weir_mmio_read32  fake_read
#define weir_mmio_write32 fake_write
#include "nics/ixgbe/ixgbe.c"
#include "nics/ixgbe/ixgbe_filter.c"
#include "nics/ixgbe/ixgbe_hw.c"
#include "nics/ixgbe/ixgbe_intr.c"
#include "nics/ixgbe/ixgbe_link.c"
#include "nics/ixgbe/ixgbe_queue.c"
#include "nics/ixgbe/ixgbe_stats.c"
#undef weir_mmio_read32
#undef weir_mmio_write32

#define RDT IXGBE_RDT(0)
#define TDT IXGBE_TDT(0)
#include "tests/bench/intel.h"

int main(int argc, char **argv)
{
	fake.link = true;
	fake.mac_lo = 2;
	fake.pci.info.device = 0x10fb;
	return bench_intel(argc, argv, "ixgbe", &weir_ixgbe_driver, IXGBE_RXQ(0), IXGBE_TXQ(0),
			   IXGBE_TDWBAL(0));
}
