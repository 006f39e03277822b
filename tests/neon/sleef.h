/* The C library's functions in place of SLEEF's, lane by lane, where there is no SLEEF for aarch64: the
 * kernels around them are what is tested. */
#ifndef BDAG_TESTS_NEON_SLEEF_H
#define BDAG_TESTS_NEON_SLEEF_H

#include <arm_neon.h>
#include <math.h>

#define STAND_IN(function, error)                                                                  \
  static inline float32x4_t Sleef_##function##f4_##error##advsimd(float32x4_t a) {                 \
    for (int i = 0; i < 4; i++) a[i] = (float)function((double)a[i]);                              \
    return a;                                                                                      \
  }                                                                                                \
  static inline float64x2_t Sleef_##function##d2_##error##advsimd(float64x2_t a) {                 \
    for (int i = 0; i < 2; i++) a[i] = function(a[i]);                                             \
    return a;                                                                                      \
  }

STAND_IN(exp, u10)
STAND_IN(expm1, u10)
STAND_IN(log, u10)
STAND_IN(log1p, u10)
STAND_IN(sin, u10)
STAND_IN(cos, u10)
STAND_IN(erfc, u15)
STAND_IN(tanh, u35)

#endif
