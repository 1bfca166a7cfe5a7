// What Swift cannot say: processor instructions and the C library's string functions, as inline functions.
#ifndef CVARVE_H
#define CVARVE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "CVarveAligned.h"
#include "CVarveLanes.h"
#include "CVarveMath.h"
#include "CVarveNumber.h"
#include "CVarveProcess.h"
#include "CVarveSocket.h"
#include "CVarveSymbols.h"
#include "CVarveThread.h"
#include "CVarveWords.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#define CVARVE_SSE42 __attribute__((target("sse4.2")))
#endif

/// CRC-32C (Castagnoli) of `count` bytes, continuing from `crc` (0 to begin). Same values as RFC 3720.
uint32_t cvarve_crc32c(uint32_t crc, const void *bytes, size_t count);

/// Replaces signed integers by the bit patterns of the doubles nearest to integer ÷ power and answers 1; or 0, and
/// replaces none, if one is not within ±2^51.
int cvarve_scale_decimals(uint64_t *words, size_t count, double power);

/// First `byte` in [bytes, bytes+count), or NULL.
static inline const void *cvarve_memchr(const void *bytes, int byte, size_t count) {
  return memchr(bytes, byte, count);
}

static inline int cvarve_memcmp(const void *a, const void *b, size_t count) { return memcmp(a, b, count); }

#endif
