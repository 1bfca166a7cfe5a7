// Values at whole parts of bytes, with AVX2 where the processor has it. The same results everywhere.
#include "include/CVarve.h"
#include "dispatch.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values of 16 bits are stored as they lie");

ALWAYS_INLINE void pack(const uint16_t *restrict values, size_t count, unsigned width, uint8_t *restrict packed) {
  switch (width) {
  case 1:
    for (size_t i = 0; i < count / 8; i++, values += 8) {
      packed[i] = (uint8_t)(values[0] | values[1] << 1 | values[2] << 2 | values[3] << 3 | values[4] << 4
                            | values[5] << 5 | values[6] << 6 | values[7] << 7);
    }
    break;
  case 2:
    for (size_t i = 0; i < count / 4; i++, values += 4) {
      packed[i] = (uint8_t)(values[0] | values[1] << 2 | values[2] << 4 | values[3] << 6);
    }
    break;
  case 4:
    for (size_t i = 0; i < count / 2; i++) packed[i] = (uint8_t)(values[2 * i] | values[2 * i + 1] << 4);
    break;
  case 8:
    for (size_t i = 0; i < count; i++) packed[i] = (uint8_t)values[i];
    break;
  default: memcpy(packed, values, count * 2);
  }
}

ALWAYS_INLINE void unpack(const uint8_t *restrict packed, size_t count, unsigned width, uint64_t *restrict words) {
  switch (width) {
  case 1:
    for (size_t i = 0; i < count; i++) words[i] = packed[i / 8] >> (i % 8) & 1;
    break;
  case 2:
    for (size_t i = 0; i < count; i++) words[i] = packed[i / 4] >> (i % 4 * 2) & 3;
    break;
  case 4:
    for (size_t i = 0; i < count / 2; i++) {
      words[2 * i] = packed[i] & 15;
      words[2 * i + 1] = packed[i] >> 4;
    }
    if (count % 2) words[count - 1] = packed[count / 2] & 15;
    break;
  case 8:
    for (size_t i = 0; i < count; i++) words[i] = packed[i];
    break;
  default:
    for (size_t i = 0; i < count; i++) {
      uint16_t value;
      memcpy(&value, packed + 2 * i, 2);
      words[i] = value;
    }
  }
}

#if defined(__x86_64__)
AVX2 static void pack_by_avx2(const uint16_t *values, size_t count, unsigned width, uint8_t *packed) {
  pack(values, count, width, packed);
}

AVX2 static void unpack_by_avx2(const uint8_t *packed, size_t count, unsigned width, uint64_t *words) {
  unpack(packed, count, width, words);
}
#endif

void cvarve_pack_aligned(const uint16_t *values, size_t count, unsigned width, uint8_t *packed) {
#if defined(__x86_64__)
  if (HAS_AVX2) {
    pack_by_avx2(values, count, width, packed);
    return;
  }
#endif
  pack(values, count, width, packed);
}

void cvarve_unpack_aligned(const uint8_t *packed, size_t count, unsigned width, uint64_t *words) {
#if defined(__x86_64__)
  if (HAS_AVX2) {
    unpack_by_avx2(packed, count, width, words);
    return;
  }
#endif
  unpack(packed, count, width, words);
}
