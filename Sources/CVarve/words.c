// Loops over words that writing a page stands on: with AVX2 where the processor has it, since what x86-64 has without
// neither compares 64-bit integers in vectors nor counts leading zeros. The same results everywhere.
#include "include/CVarve.h"
#include "dispatch.h"

#define SIGN (1ull << 63)

ALWAYS_INLINE cvarve_range range(const uint64_t *words, size_t count, uint64_t flip) {
  int64_t least = INT64_MAX, greatest = INT64_MIN;
  uint64_t high = 0, low = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t word = words[i] ^ flip;
    int64_t ordered = (int64_t)word;
    least = ordered < least ? ordered : least;
    greatest = ordered > greatest ? ordered : greatest;
    high += (word ^ SIGN) >> 32;
    low += word & 0xFFFFFFFF;
  }
  return (cvarve_range){(uint64_t)least ^ flip, (uint64_t)greatest ^ flip, high, low};
}

ALWAYS_INLINE cvarve_shape differences(const uint64_t *restrict words, size_t count, uint64_t *restrict out) {
  uint64_t step = words[1] - words[0], changes = 0, unsteady = 0;
  for (size_t i = 1; i < count; i++) {
    uint64_t difference = words[i] - words[i - 1];
    changes += difference != 0;
    unsteady |= difference ^ step;
    out[i] = difference;
  }
  out[0] = step;
  return (cvarve_shape){changes, unsteady};
}

ALWAYS_INLINE uint64_t residual(uint64_t word, uint64_t reference, int is_zigzag) {
  uint64_t distance = word - reference;
  return is_zigzag ? distance << 1 ^ (uint64_t)((int64_t)distance >> 63) : distance;
}

ALWAYS_INLINE unsigned width(uint64_t value) { return value ? 64 - (unsigned)__builtin_clzll(value) : 0; }

ALWAYS_INLINE void count_widest(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, unsigned width, uint32_t *counts) {
  // Residuals are below 2^63: compared as signed they need no sign inverted.
  int64_t first = (int64_t)1 << (width - 1), second = first >> 1, third = first >> 2;
  uint64_t from_first = 0, from_second = 0, from_third = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t value = (int64_t)residual(words[i], reference, is_zigzag);
    from_first += value >= first;
    from_second += value >= second;
    from_third += value >= third;
  }
  counts[0] = (uint32_t)(from_third - from_second);
  counts[1] = (uint32_t)(from_second - from_first);
  counts[2] = (uint32_t)from_first;
}

// Eight counters a width: neighbours often have the same one, and would wait for each other.
ALWAYS_INLINE void count_widths(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint32_t *counts) {
  uint16_t lanes[65 * 8] = {0};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (size_t lane = 0; lane < 8; lane++) lanes[width(residual(words[i + lane], reference, is_zigzag)) * 8 + lane]++;
  }
  for (; i < count; i++) lanes[width(residual(words[i], reference, is_zigzag)) * 8]++;
  for (size_t bits = 0; bits <= 64; bits++) {
    uint32_t sum = 0;
    for (size_t lane = 0; lane < 8; lane++) sum += lanes[bits * 8 + lane];
    counts[bits] = sum;
  }
}

ALWAYS_INLINE size_t split(
    const uint64_t *restrict words, size_t count, uint64_t reference, unsigned shift, uint8_t *restrict symbols,
    uint64_t *restrict low) {
  if (shift == 0) {
    for (size_t i = 0; i < count; i++) {
      uint64_t distance = words[i] - reference;
      symbols[i] = (uint8_t)(distance < 15 ? distance : 15);
    }
  } else {
    uint64_t mask = (1ull << shift) - 1;
    for (size_t i = 0; i < count; i++) {
      uint64_t distance = words[i] - reference, symbol = distance >> shift;
      symbols[i] = (uint8_t)(symbol < 15 ? symbol : 15);
      low[i] = symbol < 15 ? distance & mask : 0;
    }
  }
  size_t escapes = 0;
  for (size_t i = 0; i < count; i++) escapes += symbols[i] == 15;
  return escapes;
}

#if defined(__x86_64__)
AVX2 static cvarve_range range_by_avx2(const uint64_t *words, size_t count, uint64_t flip) {
  return range(words, count, flip);
}

AVX512 static cvarve_range range_by_avx512(const uint64_t *words, size_t count, uint64_t flip) {
  return range(words, count, flip);
}

AVX2 static cvarve_shape differences_by_avx2(const uint64_t *words, size_t count, uint64_t *out) {
  return differences(words, count, out);
}

AVX2 static void count_widths_by_avx2(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint32_t *counts) {
  if (is_zigzag) count_widths(words, count, reference, 1, counts);
  else count_widths(words, count, reference, 0, counts);
}

AVX2 static void count_widest_by_avx2(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, unsigned width, uint32_t *counts) {
  if (is_zigzag) count_widest(words, count, reference, 1, width, counts);
  else count_widest(words, count, reference, 0, width, counts);
}

AVX2 static size_t split_by_avx2(
    const uint64_t *words, size_t count, uint64_t reference, unsigned shift, uint8_t *symbols, uint64_t *low) {
  return split(words, count, reference, shift, symbols, low);
}

AVX512 static cvarve_shape differences_by_avx512(const uint64_t *words, size_t count, uint64_t *out) {
  return differences(words, count, out);
}

AVX512 static size_t split_by_avx512(
    const uint64_t *words, size_t count, uint64_t reference, unsigned shift, uint8_t *symbols, uint64_t *low) {
  return split(words, count, reference, shift, symbols, low);
}
#endif

cvarve_range cvarve_range_of(const uint64_t *words, size_t count, int is_signed) {
  uint64_t flip = is_signed ? 0 : SIGN;
#if defined(__x86_64__)
  if (HAS_AVX512) return range_by_avx512(words, count, flip);
  if (HAS_AVX2) return range_by_avx2(words, count, flip);
#endif
  return range(words, count, flip);
}

cvarve_shape cvarve_differences(const uint64_t *words, size_t count, uint64_t *out) {
#if defined(__x86_64__)
  if (HAS_AVX512) return differences_by_avx512(words, count, out);
  if (HAS_AVX2) return differences_by_avx2(words, count, out);
#endif
  return differences(words, count, out);
}

void cvarve_count_widths(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint32_t *counts) {
#if defined(__x86_64__)
  if (HAS_AVX2) {
    count_widths_by_avx2(words, count, reference, is_zigzag, counts);
    return;
  }
#endif
  count_widths(words, count, reference, is_zigzag, counts);
}

void cvarve_count_widest(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, unsigned width, uint32_t *counts) {
#if defined(__x86_64__)
  if (HAS_AVX2) {
    count_widest_by_avx2(words, count, reference, is_zigzag, width, counts);
    return;
  }
#endif
  count_widest(words, count, reference, is_zigzag, width, counts);
}

size_t cvarve_split_words(
    const uint64_t *words, size_t count, uint64_t reference, unsigned shift, uint8_t *symbols, uint64_t *low) {
#if defined(__x86_64__)
  if (HAS_AVX512) return split_by_avx512(words, count, reference, shift, symbols, low);
  if (HAS_AVX2) return split_by_avx2(words, count, reference, shift, symbols, low);
#endif
  return split(words, count, reference, shift, symbols, low);
}

void cvarve_gather(
    const uint64_t *words, uint32_t start, const uint32_t *places, size_t count, uint64_t *out) {
  for (size_t i = 0; i < count; i++) out[i] = words[places[i] - start];
}

void cvarve_bring_near(const uint64_t *words, uint32_t start, const uint32_t *places, size_t count) {
  for (size_t i = 0; i < count; i++) __builtin_prefetch(words + (places[i] - start));
}
