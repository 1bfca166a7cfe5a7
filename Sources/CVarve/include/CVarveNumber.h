// Decimal text to double where Swift has no bounded, locale-free function for bytes.
#ifndef CVARVE_NUMBER_H
#define CVARVE_NUMBER_H

#include <locale.h>
#include <stdlib.h>

#if defined(__GLIBC__)
extern double strtod_l(const char *text, char **end, locale_t locale);
#endif

/// The double nearest to the decimal number in `text`, which ends in a NUL byte and was checked by the caller.
/// The C locale always: the decimal mark is a dot whatever the process has set.
static inline double cvarve_strtod(const char *text) {
  static locale_t c_locale = (locale_t)0;
  locale_t locale = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE);
  if (!locale) {
    locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    // Two threads may both come here; the C locale is static in glibc, so neither leaks.
    __atomic_store_n(&c_locale, locale, __ATOMIC_RELEASE);
  }
  return strtod_l(text, NULL, locale);
}

#endif
