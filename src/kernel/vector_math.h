/* Elementary functions on vectors: SLEEF's of the same instruction set, made fit for rows.
 * Each lane's result depends on that lane alone. May include vector.h only. */
#ifndef BDAG_KERNEL_VECTOR_MATH_H
#define BDAG_KERNEL_VECTOR_MATH_H

#include <sleef.h>
#include <string.h>

#include "kernel/vector.h"

#if defined BDAG_KERNEL_ISA_BASELINE
#define SLEEF_F32(function, error) Sleef_##function##f4_##error##sse2
#define SLEEF_F64(function, error) Sleef_##function##d2_##error##sse2
typedef __m128d double_vec;
#elif defined BDAG_KERNEL_ISA_AVX2
#define SLEEF_F32(function, error) Sleef_##function##f8_##error##avx2
#define SLEEF_F64(function, error) Sleef_##function##d4_##error##avx2
typedef __m256d double_vec;
#elif defined BDAG_KERNEL_ISA_AVX512
#define SLEEF_F32(function, error) Sleef_##function##f16_##error##avx512f
#define SLEEF_F64(function, error) Sleef_##function##d8_##error##avx512f
typedef __m512d double_vec;
#else
#define SLEEF_F32(function, error) Sleef_##function##f4_##error##advsimd
#define SLEEF_F64(function, error) Sleef_##function##d2_##error##advsimd
typedef float64x2_t double_vec;
#endif

#ifdef BDAG_KERNEL_FLOAT32
#define SLEEF(function, error) SLEEF_F32(function, error)
#define UNIT_ROUNDOFF          0x1p-24f
#define REAL_INFINITY          __builtin_inff()
#else
#define SLEEF(function, error) SLEEF_F64(function, error)
#define UNIT_ROUNDOFF          0x1p-53
#define REAL_INFINITY          __builtin_inf()
#endif

/* To the nearest end; NaN stays. */
static inline vec vec_clamp(vec a, real low, real high) {
  return vec_max(vec_set1(low), vec_min(vec_set1(high), a));
}

/* What rounding a·b to `product` left out, exactly, for numbers far from overflow. */
static inline vec vec_product_error(vec a, vec b, vec product) {
#ifdef BDAG_KERNEL_ISA_BASELINE
  /* T. J. Dekker, "A floating-point technique for extending the available precision", 1971. */
  const vec splitter = vec_set1(sizeof(real) == 4 ? (real)0x1001p0 : (real)0x8000001p0);
  const vec a_scaled = vec_mul(a, splitter), b_scaled = vec_mul(b, splitter);
  const vec a_high = vec_sub(a_scaled, vec_sub(a_scaled, a)), a_low = vec_sub(a, a_high);
  const vec b_high = vec_sub(b_scaled, vec_sub(b_scaled, b)), b_low = vec_sub(b, b_high);
  const vec high = vec_sub(vec_mul(a_high, b_high), product);
  const vec middle = vec_add(vec_add(high, vec_mul(a_high, b_low)), vec_mul(a_low, b_high));
  return vec_add(middle, vec_mul(a_low, b_low));
#else
  return vec_fma(a, b, vec_neg(product));
#endif
}

/* e^(a + low), |low| ≪ 1 */
static inline vec vec_exp_sum(vec a, vec low) {
  const vec e = SLEEF(exp, u10)(a);
  return vec_fma(e, low, e);
}

/* SLEEF's sine and cosine choose a range reduction by the largest lane, so that lanes would influence
 * each other. Here each of its three ranges is a call of its own, in which other lanes hold a stand-in
 * from the same range. */
static inline __attribute__((always_inline)) vec vec_by_range(vec (*function)(vec), vec a) {
  const real first = sizeof(real) == 4 ? 125 : 15, second = sizeof(real) == 4 ? 39000 : (real)1e14;
  const vec size = vec_abs(a);
  const mask is_small = vec_less(size, vec_set1(first));
  vec result = function(vec_select(is_small, a, vec_zero()));
  const mask is_finite = vec_less(size, vec_set1(REAL_INFINITY));
  const mask is_medium = vec_less(size, vec_set1(second));
  const vec large = vec_select(is_finite, size, vec_set1(REAL_INFINITY));
  if (mask_any(vec_less_equal(vec_set1(first), large))) {
    const mask use = mask_and(is_medium, vec_less_equal(vec_set1(first), size));
    result = vec_select(is_small, result, function(vec_select(use, a, vec_set1(first))));
  }
  if (mask_any(vec_less_equal(vec_set1(second), large)))
    result = vec_select(is_medium, result, function(vec_select(is_medium, vec_set1(second), a)));
  return result;
}

static inline vec sleef_sin(vec a) {
  return SLEEF(sin, u10)(a);
}

static inline vec sleef_cos(vec a) {
  return SLEEF(cos, u10)(a);
}

static inline vec vec_sin(vec a) {
  return vec_by_range(sleef_sin, a);
}

static inline vec vec_cos(vec a) {
  return vec_by_range(sleef_cos, a);
}

/* sigmoid(a) and 1 − sigmoid(a), both to a few units in the last place. */
typedef struct sigmoid_pair {
  vec value, complement;
} sigmoid_pair;

static inline sigmoid_pair vec_sigmoid(vec a) {
  const vec one = vec_set1(1);
  const vec e = SLEEF(exp, u10)(vec_neg(vec_abs(a)));
  const vec large = vec_div(one, vec_add(one, e));
  const vec small = vec_mul(e, large);
  const mask is_negative = vec_less(a, vec_zero());
  return (sigmoid_pair){vec_select(is_negative, small, large),
                        vec_select(is_negative, large, small)};
}

/* log(1 + e^a) = max(a, 0) + log(1 + e^−|a|) */
static inline vec vec_softplus(vec a) {
  const vec e = SLEEF(exp, u10)(vec_neg(vec_abs(a)));
  return vec_add(vec_max(vec_zero(), a), SLEEF(log1p, u10)(e));
}

#endif
