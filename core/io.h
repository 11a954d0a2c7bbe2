/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Barriers, MMIO and spinning: everything that depends on the processor, in one header.
 *
 * x86-64 is strongly ordered: stores become visible in program order, so ordering memory against
 * a doorbell on uncached MMIO needs only a compiler barrier. aarch64 needs DMB OSHST/OSHLD for
 * memory that a device shares, and DSB before a doorbell.
 */
#ifndef WEIR_CORE_IO_H
#define WEIR_CORE_IO_H

#include "core/types.h"

#define weir_compiler_barrier() __asm__ volatile("" ::: "memory")

#if defined(__x86_64__)
#define weir_mb()      __asm__ volatile("lock; addl $0, -128(%%rsp)" ::: "memory", "cc")
#define weir_dma_wmb() weir_compiler_barrier()
#define weir_dma_rmb() weir_compiler_barrier()
/* Before ringing a doorbell: descriptors in memory first. */
#define weir_io_wmb() weir_compiler_barrier()
#define weir_pause()  __builtin_ia32_pause()
#elif defined(__aarch64__)
#define weir_mb()      __asm__ volatile("dmb osh" ::: "memory")
#define weir_dma_wmb() __asm__ volatile("dmb oshst" ::: "memory")
#define weir_dma_rmb() __asm__ volatile("dmb oshld" ::: "memory")
#define weir_io_wmb()  __asm__ volatile("dsb oshst" ::: "memory")
#define weir_pause()   __asm__ volatile("yield" ::: "memory")
#else
#error "weir: add this processor's barriers to core/io.h"
#endif

/**
 * weir_mmio_read32() - read a 32-bit register
 * @bar: start of the mapped BAR
 * @off: byte offset, a multiple of 4
 *
 * A device that is gone reads as all ones; the caller checks (see weir_mmio_gone()).
 * Return: the value, in the processor's byte order.
 */
static inline uint32_t weir_mmio_read32(const volatile void *bar, size_t off)
{
	__le32 v = *(const volatile __le32 *)((const volatile char *)bar + off);

	weir_dma_rmb();
	return weir_from_le32(v);
}

static inline uint16_t weir_mmio_read16(const volatile void *bar, size_t off)
{
	__le16 v = *(const volatile __le16 *)((const volatile char *)bar + off);

	weir_dma_rmb();
	return weir_from_le16(v);
}

static inline uint8_t weir_mmio_read8(const volatile void *bar, size_t off)
{
	uint8_t v = *((const volatile uint8_t *)bar + off);

	weir_dma_rmb();
	return v;
}

/**
 * weir_mmio_write32() - write a 32-bit register, after all earlier stores to memory
 * @bar: start of the mapped BAR
 * @off: byte offset, a multiple of 4
 * @v: value in the processor's byte order
 */
static inline void weir_mmio_write32(volatile void *bar, size_t off, uint32_t v)
{
	weir_io_wmb();
	*(volatile __le32 *)((volatile char *)bar + off) = weir_le32(v);
}

static inline void weir_mmio_write16(volatile void *bar, size_t off, uint16_t v)
{
	weir_io_wmb();
	*(volatile __le16 *)((volatile char *)bar + off) = weir_le16(v);
}

static inline void weir_mmio_write8(volatile void *bar, size_t off, uint8_t v)
{
	weir_io_wmb();
	*((volatile uint8_t *)bar + off) = v;
}

/* A removed PCIe device answers every read with ones. */
static inline bool weir_mmio_gone(uint32_t v)
{
	return v == UINT32_MAX;
}

#endif
