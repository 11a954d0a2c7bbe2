/* SPDX-License-Identifier: BSD-3-Clause */
/* Receive and transmit of the igb driver: see intel.h. */
#include "tests/bench/bench.h"
#include "tests/unit/fake_igb.h"

/* Registers of the control path have side effects; bursts write their tails into memory. */
#define weir_mmio_read32  fake_read
#define weir_mmio_write32 fake_write
#include "nics/igb/igb.c"
#include "nics/igb/igb_filter.c"
#include "nics/igb/igb_hw.c"
#include "nics/igb/igb_intr.c"
#include "nics/igb/igb_phy.c"
#include "nics/igb/igb_queue.c"
#include "nics/igb/igb_stats.c"
#undef weir_mmio_read32
#undef weir_mmio_write32

#define RDT IGB_RDT(0)
#define TDT IGB_TDT(0)
#include "tests/bench/intel.h"

int main(int argc, char **argv)
{
	fake.link = true;
	fake.mac_lo = 2;
	return bench_intel(argc, argv, "igb", &weir_igb_driver, IGB_RDBAL(0), IGB_TDBAL(0),
			   IGB_TDBAL(0) + 0x38);
}
