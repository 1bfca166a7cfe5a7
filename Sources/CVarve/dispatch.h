// How a function comes to be compiled for processors that can do more, and whether this one can.
#ifndef CVARVE_DISPATCH_H
#define CVARVE_DISPATCH_H

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,lzcnt")))
#define HAS_AVX2 (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("lzcnt"))
/// Comparisons of 64-bit integers that keep the lesser or greater, and words cut to fewer bits.
#define AVX512 __attribute__((target("avx2,lzcnt,avx512f,avx512bw,avx512dq,avx512vl")))
#define HAS_AVX512 \
  (HAS_AVX2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") \
   && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
#endif

#endif
