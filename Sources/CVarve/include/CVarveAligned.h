// Values of 1, 2, 4, 8 or 16 bits one behind the other, least bits first: none lies across two bytes' halves, so that whole
// rows of them are cut and put together at once.
#ifndef CVARVE_ALIGNED_H
#define CVARVE_ALIGNED_H

#include <stddef.h>
#include <stdint.h>

/// Packs `count` values, each below 2^width; `count` is a multiple of 8.
void cvarve_pack_aligned(const uint16_t *values, size_t count, unsigned width, uint8_t *packed);

/// Unpacks any number of values; `packed` has the bytes that hold them.
void cvarve_unpack_aligned(const uint8_t *packed, size_t count, unsigned width, uint64_t *words);

#endif
