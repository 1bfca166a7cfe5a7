// Loops over words that writing a page stands on.
#ifndef CVARVE_WORDS_H
#define CVARVE_WORDS_H

#include <stddef.h>
#include <stdint.h>

/// The extremes, and the sum in halves: of word >> 32, with the sign bit inverted where words are signed, and of the
/// low 32 bits.
typedef struct {
  uint64_t least, greatest, high, low;
} cvarve_range;

/// Of `count` words, at most 2^31. Without words the extremes are the wrong way round.
cvarve_range cvarve_range_of(const uint64_t *words, size_t count, int is_signed);

/// How many words differ from the one before, and the bits in which differences from the one before differ from the
/// first such difference.
typedef struct {
  uint64_t changes, unsteady;
} cvarve_shape;

/// Of at least two words. Each word's difference from the one before goes to `out`; the first word's is made equal to the
/// second's.
cvarve_shape cvarve_differences(const uint64_t *words, size_t count, uint64_t *out);

/// Counts how many of at most 65,535 residuals, word - reference (mod 2^64) and zigzag or not, are 0 … 64 bits wide.
void cvarve_count_widths(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, uint32_t *counts);

/// Counts how many of such residuals are width - 2, width - 1 and `width` bits wide. None is wider than `width`, which
/// is 3 … 63.
void cvarve_count_widest(
    const uint64_t *words, size_t count, uint64_t reference, int is_zigzag, unsigned width, uint32_t *counts);

/// Cuts every u = word - reference (mod 2^64) into the symbol u >> shift and, for `shift` > 0, its `shift` < 64 low
/// bits; symbols from 15 on become 15 with low bits 0. Answers how many those are. Without a shift `low` is untouched.
size_t cvarve_split_words(
    const uint64_t *words, size_t count, uint64_t reference, unsigned shift, uint8_t *symbols, uint64_t *low);

/// out[i] = words[places[i] - start].
void cvarve_gather(
    const uint64_t *words, uint32_t start, const uint32_t *places, size_t count, uint64_t *out);

/// Has the processor fetch what `cvarve_gather` will read, and does not wait for it.
void cvarve_bring_near(const uint64_t *words, uint32_t start, const uint32_t *places, size_t count);

#endif
