// Integers to decimals, four at a time where the processor has AVX2: a division of two doubles at a time would hold up
// everything before it. The same results everywhere, since division is correctly rounded.
#include "include/CVarve.h"

// 1.5 × 2^52: integers within ±2^51 added to its bits are the mantissa of their sum with it.
#define SHIFTER 0x1.8p52

static inline __attribute__((always_inline)) int scale(uint64_t *words, size_t count, double power) {
  uint64_t beyond = 0;
  for (size_t i = 0; i < count; i++) beyond |= (words[i] + (1ull << 51)) >> 52;
  if (beyond) return 0;
  uint64_t base;
  double shifter = SHIFTER;
  memcpy(&base, &shifter, 8);
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = words[i] + base;
    double value;
    memcpy(&value, &bits, 8);
    value = (value - SHIFTER) / power;
    memcpy(&words[i], &value, 8);
  }
  return 1;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static int scale_by_avx2(uint64_t *words, size_t count, double power) {
  return scale(words, count, power);
}
#endif

int cvarve_scale_decimals(uint64_t *words, size_t count, double power) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return scale_by_avx2(words, count, power);
#endif
  return scale(words, count, power);
}
