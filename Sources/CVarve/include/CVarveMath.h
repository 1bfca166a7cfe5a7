#ifndef CVARVE_MATH_H
#define CVARVE_MATH_H

#include <math.h>

// The C library's functions of real numbers, for modules that make no system calls.
static inline double cvarve_exp(double x) { return exp(x); }
static inline double cvarve_log(double x) { return log(x); }
static inline double cvarve_log10(double x) { return log10(x); }
static inline double cvarve_pow(double x, double y) { return pow(x, y); }

#endif
