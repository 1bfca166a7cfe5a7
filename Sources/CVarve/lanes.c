// Vectors of bit-packed words, with AVX2 or AVX-512 where the processor has it. The same results everywhere.
#include "include/CVarve.h"
#include "dispatch.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed lanes are loaded and stored as they lie");

#define LANES 32
#define ROWS 32

ALWAYS_INLINE cvarve_extremes extremes(const uint64_t *words, size_t count) {
  int64_t least = INT64_MAX, greatest = INT64_MIN;
  for (size_t i = 0; i < count; i++) {
    int64_t word = (int64_t)words[i];
    least = word < least ? word : least;
    greatest = word > greatest ? word : greatest;
  }
  return (cvarve_extremes){(uint64_t)least, (uint64_t)greatest};
}

ALWAYS_INLINE void narrow(
    const uint64_t *restrict words, size_t count, uint64_t reference, int is_zigzag, uint16_t *restrict residuals) {
  for (size_t i = 0; i < count; i++) {
    // Sixteen bits say it all: the sign of a distance that zigzag brings to sixteen is its bit 15.
    uint16_t distance = (uint16_t)(words[i] - reference);
    residuals[i] = is_zigzag ? (uint16_t)(distance << 1 ^ (uint16_t)((int16_t)distance >> 15)) : distance;
  }
}

ALWAYS_INLINE cvarve_heights count_heights(
    const uint16_t *values, size_t count, uint16_t middle, int is_zigzag, unsigned width) {
  uint16_t first = (uint16_t)(1u << (width - 1)), second = first >> 1, third = first >> 2;
  uint16_t from_first = 0, from_second = 0, from_third = 0;
  for (size_t i = 0; i < count; i++) {
    uint16_t value = values[i];
    if (is_zigzag) {
      uint16_t distance = (uint16_t)(value - middle);
      value = (uint16_t)(distance << 1 ^ (uint16_t)((int16_t)distance >> 15));
    }
    from_first += value >= first;
    from_second += value >= second;
    from_third += value >= third;
  }
  return (cvarve_heights){from_first, from_second, from_third};
}

ALWAYS_INLINE void pack_lanes(const uint16_t *restrict values, unsigned width, uint8_t *restrict packed) {
  uint32_t open[LANES] = {0}, mask = (1u << width) - 1;
  for (unsigned row = 0; row < ROWS; row++, values += LANES) {
    unsigned bit = row * width & 31, end = bit + width;
    for (int lane = 0; lane < LANES; lane++) open[lane] |= (values[lane] & mask) << bit;
    if (end < 32) continue;
    memcpy(packed, open, sizeof open);
    packed += sizeof open;
    // The bits of the row that no longer fitted; widths are below 32, so that none are if the word is just full.
    unsigned used = 32 - bit;
    for (int lane = 0; lane < LANES; lane++) open[lane] = (values[lane] & mask) >> (used & 31) & -(uint32_t)(end > 32);
  }
}

ALWAYS_INLINE void unpack_lanes(const uint8_t *restrict packed, unsigned width, uint64_t *restrict words) {
  uint32_t mask = ~0u >> (32 - width);
  for (unsigned row = 0; row < ROWS; row++, words += LANES) {
    unsigned bit = row * width & 31;
    uint32_t low[LANES], high[LANES];
    const uint8_t *source = packed + (row * width >> 5) * sizeof low;
    memcpy(low, source, sizeof low);
    if (bit + width <= 32) {
      for (int lane = 0; lane < LANES; lane++) words[lane] = low[lane] >> bit & mask;
    } else {
      memcpy(high, source + sizeof low, sizeof high);
      unsigned used = 32 - bit;
      for (int lane = 0; lane < LANES; lane++) words[lane] = (low[lane] >> bit | high[lane] << used) & mask;
    }
  }
}

ALWAYS_INLINE uint64_t sum_up(uint64_t *words, size_t count, uint64_t reference, uint64_t base) {
  for (size_t i = 0; i < count; i++) words[i] = base += words[i] + reference;
  return base;
}

ALWAYS_INLINE uint64_t sum_up_symbols(
    const uint8_t *restrict symbols, size_t count, uint64_t reference, uint64_t base, uint64_t *restrict words) {
  for (size_t i = 0; i < count; i++) words[i] = base += symbols[i] + reference;
  return base;
}

#if defined(__x86_64__)
AVX2 static cvarve_extremes extremes_by_avx2(const uint64_t *words, size_t count) { return extremes(words, count); }

AVX512 static cvarve_extremes extremes_by_avx512(const uint64_t *words, size_t count) {
  return extremes(words, count);
}

AVX2 static void narrow_by_avx2(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint16_t *residuals) {
  if (is_zigzag) narrow(words, count, reference, 1, residuals);
  else narrow(words, count, reference, 0, residuals);
}

AVX512 static void narrow_by_avx512(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint16_t *residuals) {
  if (is_zigzag) narrow(words, count, reference, 1, residuals);
  else narrow(words, count, reference, 0, residuals);
}

AVX2 static cvarve_heights count_heights_by_avx2(
    const uint16_t *values, size_t count, uint16_t middle, int is_zigzag, unsigned width) {
  return is_zigzag ? count_heights(values, count, middle, 1, width) : count_heights(values, count, 0, 0, width);
}

AVX512 static cvarve_heights count_heights_by_avx512(
    const uint16_t *values, size_t count, uint16_t middle, int is_zigzag, unsigned width) {
  return is_zigzag ? count_heights(values, count, middle, 1, width) : count_heights(values, count, 0, 0, width);
}

AVX2 static void pack_lanes_by_avx2(const uint16_t *values, unsigned width, uint8_t *packed) {
  pack_lanes(values, width, packed);
}

AVX2 static void unpack_lanes_by_avx2(const uint8_t *packed, unsigned width, uint64_t *words) {
  unpack_lanes(packed, width, words);
}

/// Each of four words plus all before it.
AVX2 ALWAYS_INLINE __m256i sums_of_four(__m256i words) {
  words = _mm256_add_epi64(words, _mm256_slli_si256(words, 8));
  __m256i second = _mm256_permute4x64_epi64(words, 0x55);
  return _mm256_add_epi64(words, _mm256_blend_epi32(_mm256_setzero_si256(), second, 0xF0));
}

AVX2 static uint64_t sum_up_by_avx2(uint64_t *words, size_t count, uint64_t reference, uint64_t base) {
  __m256i references = _mm256_set1_epi64x((long long)reference), before = _mm256_set1_epi64x((long long)base);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    __m256i four = _mm256_loadu_si256((const __m256i *)(words + i));
    __m256i sums = sums_of_four(_mm256_add_epi64(four, references));
    _mm256_storeu_si256((__m256i *)(words + i), _mm256_add_epi64(sums, before));
    // One addition from four words to the next: that is all that they wait for each other.
    before = _mm256_add_epi64(before, _mm256_permute4x64_epi64(sums, 0xFF));
  }
  return sum_up(words + i, count - i, reference, i > 0 ? words[i - 1] : base);
}

AVX2 static uint64_t sum_up_symbols_by_avx2(
    const uint8_t *symbols, size_t count, uint64_t reference, uint64_t base, uint64_t *words) {
  __m256i before = _mm256_set1_epi64x((long long)base), all = _mm256_set1_epi64x((long long)(reference * 16));
  __m256i references[4];
  for (uint64_t k = 0; k < 4; k++) {
    uint64_t first = reference * (4 * k + 1);
    references[k] = _mm256_set_epi64x(
        (long long)(first + 3 * reference), (long long)(first + 2 * reference), (long long)(first + reference),
        (long long)first);
  }
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    // Sixteen symbols sum up within a byte.
    __m128i sums = _mm_loadu_si128((const __m128i *)(symbols + i));
    sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 1));
    sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 2));
    sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 4));
    sums = _mm_add_epi8(sums, _mm_slli_si128(sums, 8));
    __m256i *out = (__m256i *)(words + i);
    __m256i fourth = _mm256_cvtepu8_epi64(_mm_srli_si128(sums, 12));
    _mm256_storeu_si256(
        out, _mm256_add_epi64(before, _mm256_add_epi64(references[0], _mm256_cvtepu8_epi64(sums))));
    _mm256_storeu_si256(
        out + 1,
        _mm256_add_epi64(
            before, _mm256_add_epi64(references[1], _mm256_cvtepu8_epi64(_mm_srli_si128(sums, 4)))));
    _mm256_storeu_si256(
        out + 2,
        _mm256_add_epi64(
            before, _mm256_add_epi64(references[2], _mm256_cvtepu8_epi64(_mm_srli_si128(sums, 8)))));
    _mm256_storeu_si256(out + 3, _mm256_add_epi64(before, _mm256_add_epi64(references[3], fourth)));
    before = _mm256_add_epi64(before, _mm256_add_epi64(all, _mm256_permute4x64_epi64(fourth, 0xFF)));
  }
  return sum_up_symbols(symbols + i, count - i, reference, i > 0 ? words[i - 1] : base, words + i);
}
#endif

cvarve_extremes cvarve_extremes_of(const uint64_t *words, size_t count) {
#if defined(__x86_64__)
  if (HAS_AVX512) return extremes_by_avx512(words, count);
  if (HAS_AVX2) return extremes_by_avx2(words, count);
#endif
  return extremes(words, count);
}

void cvarve_narrow(const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint16_t *residuals) {
#if defined(__x86_64__)
  if (HAS_AVX512) {
    narrow_by_avx512(words, count, reference, is_zigzag, residuals);
    return;
  }
  if (HAS_AVX2) {
    narrow_by_avx2(words, count, reference, is_zigzag, residuals);
    return;
  }
#endif
  narrow(words, count, reference, is_zigzag, residuals);
}

cvarve_heights cvarve_count_heights(
    const uint16_t *values, size_t count, uint16_t middle, int is_zigzag, unsigned width) {
#if defined(__x86_64__)
  if (HAS_AVX512) return count_heights_by_avx512(values, count, middle, is_zigzag, width);
  if (HAS_AVX2) return count_heights_by_avx2(values, count, middle, is_zigzag, width);
#endif
  return count_heights(values, count, middle, is_zigzag, width);
}

size_t cvarve_find_wide(const uint16_t *values, size_t count, unsigned width, uint16_t *places) {
  uint64_t mask = 0xFFFF & ~((1u << width) - 1), masks = mask << 48 | mask << 32 | mask << 16 | mask;
  size_t found = 0, i = 0;
  for (; i + 4 <= count; i += 4) {
    uint64_t four;
    memcpy(&four, values + i, 8);
    if ((four & masks) == 0) continue;
    for (size_t k = i; k < i + 4; k++) {
      places[found] = (uint16_t)k;
      found += (values[k] & mask) != 0;
    }
  }
  for (; i < count; i++) {
    places[found] = (uint16_t)i;
    found += (values[i] & mask) != 0;
  }
  return found;
}

void cvarve_pack_lanes(const uint16_t *values, unsigned width, uint8_t *packed) {
#if defined(__x86_64__)
  if (HAS_AVX2) {
    pack_lanes_by_avx2(values, width, packed);
    return;
  }
#endif
  pack_lanes(values, width, packed);
}

void cvarve_unpack_lanes(const uint8_t *packed, unsigned width, uint64_t *words) {
#if defined(__x86_64__)
  if (HAS_AVX2) {
    unpack_lanes_by_avx2(packed, width, words);
    return;
  }
#endif
  unpack_lanes(packed, width, words);
}

uint64_t cvarve_sum_up(uint64_t *words, size_t count, uint64_t reference, uint64_t base) {
#if defined(__x86_64__)
  if (HAS_AVX2) return sum_up_by_avx2(words, count, reference, base);
#endif
  return sum_up(words, count, reference, base);
}

uint64_t cvarve_sum_up_symbols(
    const uint8_t *symbols, size_t count, uint64_t reference, uint64_t base, uint64_t *words) {
#if defined(__x86_64__)
  if (HAS_AVX2) return sum_up_symbols_by_avx2(symbols, count, reference, base, words);
#endif
  return sum_up_symbols(symbols, count, reference, base, words);
}
