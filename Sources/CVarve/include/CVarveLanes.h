// Vectors of bit-packed words: their extremes, what is left of them less a reference, and the way to and from lanes of
// bits (FORMAT.md, "Bit packing").
#ifndef CVARVE_LANES_H
#define CVARVE_LANES_H

#include <stddef.h>
#include <stdint.h>

/// The least and the greatest of at least one word as signed integers.
typedef struct {
  uint64_t least, greatest;
} cvarve_extremes;

cvarve_extremes cvarve_extremes_of(const uint64_t *words, size_t count);

/// Residuals, word - reference and zigzag or not, that are known to have 16 bits at most.
void cvarve_narrow(const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint16_t *residuals);

/// Of at most 65,535 values, how many are 2^(width - 1) and more, 2^(width - 2) and more, and 2^(width - 3) and more
/// once zigzag of their distance to `middle`, or without `is_zigzag` as they are. `width` is 3 … 16; with `is_zigzag`
/// values and `middle` are below 2^15.
typedef struct {
  uint32_t first, second, third;
} cvarve_heights;

cvarve_heights cvarve_count_heights(
    const uint16_t *values, size_t count, uint16_t middle, int is_zigzag, unsigned width);

/// Writes the places of values with bits above the low `width` ≤ 16, ascending, and answers how many there are.
size_t cvarve_find_wide(const uint16_t *values, size_t count, unsigned width, uint16_t *places);

/// Packs the low `width` = 1 … 16 bits of 1,024 values; 128 × width bytes.
void cvarve_pack_lanes(const uint16_t *values, unsigned width, uint8_t *packed);

/// Unpacks 1,024 values of `width` = 1 … 32 bits.
void cvarve_unpack_lanes(const uint8_t *packed, unsigned width, uint64_t *words);

/// Replaces words[i] by base + (words[0] + reference) + … + (words[i] + reference); answers the last, or without words
/// `base`.
uint64_t cvarve_sum_up(uint64_t *words, size_t count, uint64_t reference, uint64_t base);

/// The same of symbols, each below 16, into `words`.
uint64_t cvarve_sum_up_symbols(
    const uint8_t *symbols, size_t count, uint64_t reference, uint64_t base, uint64_t *words);

#endif
