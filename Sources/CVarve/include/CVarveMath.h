#ifndef CVARVE_MATH_H
#define CVARVE_MATH_H

#include <math.h>

// The C library's functions of real numbers, for modules that make no system calls.
static inline double cvarve_exp(double x) { return exp(x); }
static inline double cvarve_log(double x) { return log(x); }
static inline double cvarve_log10(double x) { return log10(x); }
static inline double cvarve_pow(double x, double y) { return pow(x, y); }
static inline double cvarve_cbrt(double x) { return cbrt(x); }
static inline double cvarve_sin(double x) { return sin(x); }
static inline double cvarve_cos(double x) { return cos(x); }
static inline double cvarve_tan(double x) { return tan(x); }
static inline double cvarve_asin(double x) { return asin(x); }
static inline double cvarve_acos(double x) { return acos(x); }
static inline double cvarve_atan(double x) { return atan(x); }
static inline double cvarve_sinh(double x) { return sinh(x); }
static inline double cvarve_cosh(double x) { return cosh(x); }
static inline double cvarve_tanh(double x) { return tanh(x); }
static inline double cvarve_asinh(double x) { return asinh(x); }
static inline double cvarve_acosh(double x) { return acosh(x); }
static inline double cvarve_atanh(double x) { return atanh(x); }
static inline double cvarve_atan2(double y, double x) { return atan2(y, x); }

#endif
