/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Basic types and compiler helpers. Types keep worlds apart: an IOVA is not a pointer, and what
 * a device reads or writes is little-endian and checked by sparse (`make lint`).
 */
#ifndef WEIR_CORE_TYPES_H
#define WEIR_CORE_TYPES_H

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>

#ifdef __cplusplus
#define WEIR_BEGIN_DECLS extern "C" {
#define WEIR_END_DECLS	 }
#else
#define WEIR_BEGIN_DECLS
#define WEIR_END_DECLS
#endif

#ifdef __CHECKER__
#define WEIR_FORCE  __attribute__((force))
#define WEIR_NOCAST __attribute__((nocast))
#else
#define WEIR_FORCE
#define WEIR_NOCAST
#endif

/* Marks a symbol that libweir.so exports. */
#define WEIR_API __attribute__((visibility("default")))

#define WEIR_CACHE_LINE	  64
#define weir_cacheline	  __attribute__((aligned(WEIR_CACHE_LINE)))
#define weir_printf(f, a) __attribute__((format(printf, f, a)))

#define weir_likely(x)	 __builtin_expect(!!(x), 1)
#define weir_unlikely(x) __builtin_expect(!!(x), 0)

#define WEIR_ARRAY_SIZE(a)		     (sizeof(a) / sizeof((a)[0]))
#define weir_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Device address: what a device puts on the bus; translated by the IOMMU. Never a pointer. */
typedef uint64_t WEIR_NOCAST weir_iova_t;

#define WEIR_ALIGN_UP(x, a)   (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define WEIR_ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))

static inline bool weir_is_pow2(uint64_t x)
{
	return x && !(x & (x - 1));
}

static inline uint64_t weir_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline unsigned weir_min_u(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Little-endian fields, as PCI devices and their rings have them. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WEIR_SWAP16(x) (x)
#define WEIR_SWAP32(x) (x)
#define WEIR_SWAP64(x) (x)
#else
#define WEIR_SWAP16(x) __builtin_bswap16(x)
#define WEIR_SWAP32(x) __builtin_bswap32(x)
#define WEIR_SWAP64(x) __builtin_bswap64(x)
#endif

static inline __le16 weir_le16(uint16_t x)
{
	return (WEIR_FORCE __le16)WEIR_SWAP16(x);
}

static inline __le32 weir_le32(uint32_t x)
{
	return (WEIR_FORCE __le32)WEIR_SWAP32(x);
}

static inline __le64 weir_le64(uint64_t x)
{
	return (WEIR_FORCE __le64)WEIR_SWAP64(x);
}

static inline uint16_t weir_from_le16(__le16 x)
{
	return WEIR_SWAP16((WEIR_FORCE uint16_t)x);
}

static inline uint32_t weir_from_le32(__le32 x)
{
	return WEIR_SWAP32((WEIR_FORCE uint32_t)x);
}

static inline uint64_t weir_from_le64(__le64 x)
{
	return WEIR_SWAP64((WEIR_FORCE uint64_t)x);
}

#endif
