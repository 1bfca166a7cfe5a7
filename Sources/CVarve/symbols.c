// Range asymmetric numeral systems over symbols of four bits, eight states side by side: with AVX2 all eight take their
// step at once. The same bytes everywhere.
#include "include/CVarve.h"
#include "dispatch.h"

#define SYMBOLS 16
#define SCALE_BITS 11
#define SCALE (1u << SCALE_BITS)
#define LANES 8
#define LOWEST (1u << 16)

// What a step takes from its symbol. f × (x div f) and what is left give f × 2048 / f and more of a state, so that only
// the quotient is needed; and that is a product with a rounded 2^(32 + shift) / f (Giesen, "rANS with static
// probability distributions").
typedef struct {
  // x >> 21 above this: the state gives a word first.
  uint32_t limit;
  uint32_t reciprocal, shift;
  uint32_t bias;
  // 2048 - f.
  uint32_t complement;
} step;

// Whether the product is exact for all states that a step may meet: x below f × 2^21.
static int make_step(step *made, uint32_t frequency, uint32_t start) {
  made->limit = frequency - 1;
  made->complement = SCALE - frequency;
  made->bias = start;
  if (frequency == 1) {
    // 2^32 has 33 bits: one less makes the quotient x - 1, which the bias makes up for.
    made->reciprocal = UINT32_MAX;
    made->shift = 0;
    made->bias += SCALE - 1;
    return 1;
  }
  // The greatest shift that leaves the reciprocal 32 bits.
  made->shift = 31 - (uint32_t)__builtin_clz(frequency - 1);
  uint64_t power = 1ull << (32 + made->shift), reciprocal = (power + frequency - 1) / frequency;
  made->reciprocal = (uint32_t)reciprocal;
  uint64_t excess = reciprocal * frequency - power;
  return excess << 21 <= power / frequency || excess == 0;
}

ALWAYS_INLINE uint32_t take_step(uint32_t x, const step *by, uint8_t *room, size_t *at) {
  // Written in any case, and kept where the state gives a word: a jump would be guessed wrong too often.
  uint16_t word = (uint16_t)x;
  memcpy(room + *at - 2, &word, 2);
  int is_high = x >> 21 > by->limit;
  *at -= is_high ? 2 : 0;
  x = is_high ? x >> 16 : x;
  return x;
}

static size_t code_one_by_one(
    const uint8_t *symbols, size_t count, size_t from, const step *steps, int is_exact, uint32_t *states,
    uint8_t *room, size_t at) {
  for (size_t i = count; i > from; i--) {
    const step *by = steps + symbols[i - 1];
    uint32_t x = take_step(states[(i - 1) % LANES], by, room, &at);
    uint32_t frequency = SCALE - by->complement;
    uint32_t quotient = is_exact || frequency == 1 ? (uint32_t)((uint64_t)x * by->reciprocal >> 32 >> by->shift)
                                                   : x / frequency;
    states[(i - 1) % LANES] = x + by->bias + quotient * by->complement;
  }
  return at;
}

#if defined(__x86_64__)
#define AVX2_BMI2 __attribute__((target("avx2,lzcnt,bmi2,popcnt")))

/// Sixteen entries of 32 bits, looked up by eight symbols.
AVX2_BMI2 ALWAYS_INLINE __m256i look_up(__m256i low, __m256i high, __m256i symbols, __m256i is_high) {
  return _mm256_blendv_epi8(
      _mm256_permutevar8x32_epi32(low, symbols), _mm256_permutevar8x32_epi32(high, symbols), is_high);
}

/// The upper halves of products.
AVX2_BMI2 ALWAYS_INLINE __m256i multiply_high(__m256i a, __m256i b) {
  __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(a, b), 32);
  __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
  return _mm256_blend_epi32(even, odd, 0xAA);
}

/// Whole groups of eight, from the end; every step is exact.
AVX2_BMI2 static size_t code_by_avx2(
    const uint8_t *symbols, size_t count, const step *steps, uint32_t *states, uint8_t *room, size_t at) {
  uint32_t packed[SYMBOLS], reciprocals[SYMBOLS];
  for (int s = 0; s < SYMBOLS; s++) {
    packed[s] = steps[s].limit | steps[s].shift << 11 | steps[s].bias << 16;
    reciprocals[s] = steps[s].reciprocal;
  }
  const __m256i *tables = (const __m256i *)packed, *more = (const __m256i *)reciprocals;
  __m256i low = _mm256_loadu_si256(tables), high = _mm256_loadu_si256(tables + 1);
  __m256i low_reciprocals = _mm256_loadu_si256(more), high_reciprocals = _mm256_loadu_si256(more + 1);
  __m256i limits = _mm256_set1_epi32(SCALE - 1), shifts = _mm256_set1_epi32(15);
  // The low half of each 32 bits, in the low half of each 128.
  __m256i halves = _mm256_broadcastsi128_si256(_mm_set_epi64x(-1, 0x0D0C090805040100));
  __m256i x = _mm256_loadu_si256((const __m256i *)states);
  for (size_t i = count; i > 0; i -= LANES) {
    __m256i s = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(symbols + i - LANES)));
    __m256i from_eight = _mm256_srai_epi32(_mm256_slli_epi32(s, 28), 31);
    __m256i by = look_up(low, high, s, from_eight);
    __m256i reciprocal = look_up(low_reciprocals, high_reciprocals, s, from_eight);
    __m256i limit = _mm256_and_si256(by, limits);

    __m256i is_high = _mm256_cmpgt_epi32(_mm256_srli_epi32(x, 21), limit);
    unsigned which = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(is_high));
    unsigned given = (unsigned)__builtin_popcount(which);
    // The words of states that give one, side by side at the upper end of sixteen bytes.
    uint64_t lanes = _pext_u64(0x0706050403020100, _pdep_u64(which, 0x0101010101010101) * 0xFF);
    lanes <<= (64 - 8 * given) & 63;
    __m128i places = _mm_cvtepu8_epi16(_mm_cvtsi64_si128((long long)lanes));
    places = _mm_add_epi8(_mm_mullo_epi16(places, _mm_set1_epi16(0x0202)), _mm_set1_epi16(0x0100));
    __m256i words = _mm256_shuffle_epi8(x, halves);
    __m128i eight = _mm256_castsi256_si128(_mm256_permute4x64_epi64(words, 0x08));
    _mm_storeu_si128((__m128i *)(room + at - 16), _mm_shuffle_epi8(eight, places));
    at -= 2 * given;

    // Of both states that may be divided the product is taken: the steps wait for each other, not for multipliers.
    __m256i left = _mm256_srli_epi32(x, 16);
    __m256i product = _mm256_blendv_epi8(multiply_high(x, reciprocal), multiply_high(left, reciprocal), is_high);
    __m256i quotient = _mm256_srlv_epi32(product, _mm256_and_si256(_mm256_srli_epi32(by, 11), shifts));
    x = _mm256_blendv_epi8(x, left, is_high);
    __m256i complement = _mm256_xor_si256(limit, limits);
    x = _mm256_add_epi32(
        _mm256_add_epi32(x, _mm256_srli_epi32(by, 16)), _mm256_mullo_epi32(quotient, complement));
  }
  _mm256_storeu_si256((__m256i *)states, x);
  return at;
}

/// Counts whole groups of 32 symbols and answers how many symbols those are.
AVX2 static size_t count_by_avx2(const uint8_t *symbols, size_t count, uint32_t *counts) {
  size_t done = 0;
  while (done + 32 <= count) {
    // As many as a byte counts.
    size_t groups = (count - done) / 32 < 255 ? (count - done) / 32 : 255;
    const __m256i *held = (const __m256i *)(symbols + done);
    for (int s = 0; s < SYMBOLS; s += 4) {
      __m256i found[4];
      for (int k = 0; k < 4; k++) found[k] = _mm256_setzero_si256();
      for (size_t i = 0; i < groups; i++) {
        __m256i group = _mm256_loadu_si256(held + i);
        for (int k = 0; k < 4; k++) {
          found[k] = _mm256_sub_epi8(found[k], _mm256_cmpeq_epi8(group, _mm256_set1_epi8((char)(s + k))));
        }
      }
      for (int k = 0; k < 4; k++) {
        __m256i sums = _mm256_sad_epu8(found[k], _mm256_setzero_si256());
        __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        counts[s + k] += (uint32_t)(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
      }
    }
    done += groups * 32;
  }
  return done;
}

/// Whole groups of 32 symbols; answers how many symbols those are.
AVX2 static size_t find_by_avx2(const uint8_t *symbols, size_t count, int32_t *places, size_t room, size_t *found) {
  size_t done = 0, known = 0;
  for (; done + 32 <= count; done += 32) {
    __m256i group = _mm256_loadu_si256((const __m256i *)(symbols + done));
    uint32_t which = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(group, _mm256_set1_epi8(SYMBOLS - 1)));
    for (; which != 0; which &= which - 1, known++) {
      if (known < room) places[known] = (int32_t)done + __builtin_ctz(which);
    }
  }
  *found = known;
  return done;
}

#define HAS_AVX2_BMI2 (HAS_AVX2 && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
#endif

void cvarve_count_symbols(const uint8_t *symbols, size_t count, uint32_t *counts) {
  memset(counts, 0, SYMBOLS * sizeof *counts);
  size_t i = 0;
#if defined(__x86_64__)
  if (HAS_AVX2) i = count_by_avx2(symbols, count, counts);
#endif
  // In eight places: neighbours are often the same, and would wait for each other.
  uint32_t lanes[LANES][SYMBOLS] = {{0}};
  for (; i + LANES <= count; i += LANES) {
    uint64_t eight;
    memcpy(&eight, symbols + i, 8);
    for (int lane = 0; lane < LANES; lane++) lanes[lane][eight >> (8 * lane) & 15]++;
  }
  for (; i < count; i++) lanes[0][symbols[i] & 15]++;
  for (int s = 0; s < SYMBOLS; s++) {
    for (int lane = 0; lane < LANES; lane++) counts[s] += lanes[lane][s];
  }
}

size_t cvarve_find_escapes(const uint8_t *symbols, size_t count, int32_t *places, size_t room) {
  size_t i = 0, found = 0;
#if defined(__x86_64__)
  if (HAS_AVX2) i = find_by_avx2(symbols, count, places, room, &found);
#endif
  for (; i < count; i++) {
    if (symbols[i] != SYMBOLS - 1) continue;
    if (found < room) places[found] = (int32_t)i;
    found++;
  }
  return found;
}

size_t cvarve_code_symbols(const uint8_t *symbols, size_t count, const uint16_t *frequencies, uint8_t *room) {
  step steps[SYMBOLS] = {{0}};
  uint32_t states[LANES], start = 0;
  int is_exact = 1;
  for (int s = 0; s < SYMBOLS; s++) {
    if (frequencies[s] == 0) continue;
    is_exact &= make_step(steps + s, frequencies[s], start);
    start += frequencies[s];
  }
  for (int lane = 0; lane < LANES; lane++) states[lane] = LOWEST;
  // The last symbol is coded first: words come out in the order opposite to the reader's, from the back.
  size_t at = LANES * 4 + count * 2, whole = count / LANES * LANES;
#if defined(__x86_64__)
  if (is_exact && HAS_AVX2_BMI2) {
    at = code_one_by_one(symbols, count, whole, steps, 1, states, room, at);
    at = code_by_avx2(symbols, whole, steps, states, room, at);
    whole = count = 0;
  }
#endif
  at = code_one_by_one(symbols, count, 0, steps, is_exact, states, room, at);
  at -= LANES * 4;
  memcpy(room + at, states, sizeof states);
  return at;
}

void cvarve_make_symbol_table(const uint16_t *frequencies, cvarve_symbol_table *table) {
  unsigned slot = 0;
  for (int s = 0; s < SYMBOLS; s++) {
    unsigned count = frequencies[s] < SCALE - slot ? frequencies[s] : SCALE - slot;
    // A loop for each array: such are made of whole vectors.
    for (unsigned i = 0; i < count; i++) table->frequencies[slot + i] = frequencies[s];
    for (unsigned i = 0; i < count; i++) table->distances[slot + i] = (uint16_t)i;
    memset(table->symbols + slot, s, count);
    slot += count;
  }
}

// Three whole loads cost less than cutting one up.
ALWAYS_INLINE uint32_t divided(uint32_t x, const cvarve_symbol_table *table) {
  unsigned slot = x & (SCALE - 1);
  return table->frequencies[slot] * (x >> SCALE_BITS) + table->distances[slot];
}

// A step of one state, without a jump: it would be guessed wrong too often.
#define DECODE(x, lane) \
  do { \
    unsigned slot = x & (SCALE - 1); \
    uint32_t left = divided(x, table); \
    uint16_t word; \
    memcpy(&word, bytes + at, 2); \
    uint32_t is_low = left >> 16 == 0; \
    x = left << (is_low << 4) | (word & -is_low); \
    at += is_low << 1; \
    symbols[i + lane] = table->symbols[slot]; \
  } while (0)

// Answers how many bytes the symbols took, 0 if there are too few; `left` are the states behind them.
ALWAYS_INLINE size_t decode(
    const cvarve_symbol_table *table, const uint8_t *bytes, size_t byte_count, uint8_t *symbols, size_t count,
    uint32_t *left) {
  uint32_t states[LANES];
  memcpy(states, bytes, sizeof states);
  // Each in a variable of its own: in registers, all eight of them.
  uint32_t a = states[0], b = states[1], c = states[2], d = states[3];
  uint32_t e = states[4], f = states[5], g = states[6], h = states[7];
  size_t at = sizeof states, i = 0;
  for (; i + LANES <= count && at + 2 * LANES <= byte_count; i += LANES) {
    DECODE(a, 0);
    DECODE(b, 1);
    DECODE(c, 2);
    DECODE(d, 3);
    DECODE(e, 4);
    DECODE(f, 5);
    DECODE(g, 6);
    DECODE(h, 7);
  }
  left[0] = a, left[1] = b, left[2] = c, left[3] = d;
  left[4] = e, left[5] = f, left[6] = g, left[7] = h;
  for (; i < count; i++) {
    symbols[i] = table->symbols[left[i % LANES] & (SCALE - 1)];
    uint32_t x = divided(left[i % LANES], table);
    if (x < LOWEST) {
      if (at + 2 > byte_count) return 0;
      uint16_t word;
      memcpy(&word, bytes + at, 2);
      at += 2;
      x = x << 16 | word;
    }
    left[i % LANES] = x;
  }
  return at;
}

int cvarve_decode_symbols(
    const cvarve_symbol_table *table, const uint8_t *bytes, size_t byte_count, uint8_t *symbols, size_t count) {
  uint32_t left[LANES];
  size_t at = decode(table, bytes, byte_count, symbols, count, left);
  uint32_t different = 0;
  for (int lane = 0; lane < LANES; lane++) different |= left[lane] ^ LOWEST;
  return at == byte_count && different == 0;
}

int cvarve_decode_first_symbols(
    const cvarve_symbol_table *table, const uint8_t *bytes, size_t byte_count, uint8_t *symbols, size_t count) {
  uint32_t left[LANES];
  return decode(table, bytes, byte_count, symbols, count, left) != 0;
}
