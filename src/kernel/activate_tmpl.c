/* Activations and their derivatives on rows; the formulas stand in network.h. Compiled once for each
 * instruction set and type. Every element goes through the same vector code, wherever it stands: what
 * is left at a row's end is padded to a whole vector. May include kernel.h and the vector headers. */
#include "kernel/vector_math.h"

#include <assert.h>

/* in, out and p → σ'(in); `in` is valid only for kinds that take σ' from it */
typedef vec derivative_function(vec in, vec out, vec p);

#define INLINE static inline __attribute__((always_inline))

INLINE void map_values(vec_function *function, double parameter, const real *in, real *out,
                       size_t count) {
  const vec p = vec_set1((real)parameter);
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) vec_storeu(out + i, function(vec_loadu(in + i), p));
  if (i == count) return;
  vec_store_first(out + i, function(vec_load_first(in + i, count - i), p), count - i);
}

/* out_grad·σ'; 0 where out_grad is 0 even if σ' is not finite. */
INLINE vec chain(vec out_grad, vec derivative) {
  const vec zero = vec_zero();
  return vec_select(vec_equal(out_grad, zero), zero, vec_mul(out_grad, derivative));
}

INLINE const real *in_of(const bdag_derive_job *job, uint32_t row) {
  if (job->in == NULL) return (const real *)job->out + row * job->row_stride;
  const uint32_t in_row = job->in_row != NULL ? job->in_row[row] : row - job->in_first;
  return (const real *)job->in + in_row * job->row_stride;
}

/* Rows of `out` are asked for so much earlier. */
#define ROWS_AHEAD 4u

INLINE void prefetch_out(const bdag_derive_job *job, uint32_t r, size_t i) {
  if (r + ROWS_AHEAD >= job->rows || i * sizeof(real) % 64 != 0) return;
  __builtin_prefetch((const real *)job->out + job->row[r + ROWS_AHEAD] * job->row_stride + i, 0, 3);
}

/* Rows that are taken together, so that their sums do not wait for each other. */
#define ROWS_AT_ONCE 4

/* Rows r … r+`rows`−1, of whole vectors if there are several. Sums go vector by vector, as in row_sum. */
INLINE void map_rows(derivative_function *function, const bdag_derive_job *job, uint32_t r,
                     const int rows) {
  const vec p = vec_set1((real)job->parameter);
  const size_t count = job->count;
  const real *in[ROWS_AT_ONCE], *out[ROWS_AT_ONCE], *out_grad[ROWS_AT_ONCE];
  real *in_grad[ROWS_AT_ONCE];
  vec sum[ROWS_AT_ONCE];
  for (int k = 0; k < rows; k++) {
    const uint32_t row = job->row[r + (uint32_t)k];
    const size_t at = row * job->row_stride;
    in[k] = in_of(job, row);
    out[k] = (const real *)job->out + at;
    out_grad[k] = (const real *)job->out_grad + at;
    in_grad[k] = (real *)job->in_grad + at;
    sum[k] = vec_zero();
  }
  size_t i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int k = 0; k < rows; k++) {
      prefetch_out(job, r + (uint32_t)k, i);
      const vec derivative = function(vec_loadu(in[k] + i), vec_loadu(out[k] + i), p);
      const vec product = chain(vec_loadu(out_grad[k] + i), derivative);
      vec_storeu(in_grad[k] + i, product);
      sum[k] = vec_add(sum[k], product);
    }
  if (rows == ROWS_AT_ONCE) {
    sums_of_four(sum, job->sum + r);
    return;
  }
  if (i < count) {
    const size_t rest = count - i;
    const vec derivative =
        function(vec_load_first(in[0] + i, rest), vec_load_first(out[0] + i, rest), p);
    const vec product = chain(vec_load_first(out_grad[0] + i, rest), derivative);
    vec_store_first(in_grad[0] + i, product, rest);
    sum[0] = vec_add(sum[0], vec_load_first(in_grad[0] + i, rest));
  }
  job->sum[r] = vec_sum(sum[0]);
}

/* `together`: for functions that are as short as a row's sum. */
INLINE void map_gradients(derivative_function *function, const bdag_derive_job *job,
                          const int together) {
  uint32_t r = 0;
  if (together && job->count % LANES == 0)
    for (; r + ROWS_AT_ONCE <= job->rows; r += ROWS_AT_ONCE)
      map_rows(function, job, r, ROWS_AT_ONCE);
  for (; r < job->rows; r++) map_rows(function, job, r, 1);
}

/* 0, but NaN for NaN. */
INLINE vec vanish(vec a) {
  return vec_select(vec_equal(a, a), vec_zero(), a);
}

INLINE vec positive_or(vec z, vec otherwise) {
  return vec_select(vec_less(vec_zero(), z), z, otherwise);
}

/* ---- Piecewise linear ------------------------------------------------------------------------- */

INLINE vec relu_value(vec z, vec p) {
  return vec_max(vec_zero(), z);
}

INLINE vec relu_derivative(vec in, vec out, vec p) {
  /* out is positive, zero or NaN */
  return vec_select(vec_less(vec_zero(), out), vec_set1(1), out);
}

INLINE vec leaky_relu_value(vec z, vec p) {
  return positive_or(z, vec_mul(p, z));
}

INLINE vec leaky_relu_derivative(vec in, vec out, vec p) {
  const vec left = vec_select(vec_less_equal(in, vec_zero()), p, in);
  return vec_select(vec_less(vec_zero(), in), vec_set1(1), left);
}

INLINE vec neat_lelu_value(vec z, vec p) {
  return leaky_relu_value(z, vec_set1((real)0.005));
}

INLINE vec neat_lelu_derivative(vec in, vec out, vec p) {
  return leaky_relu_derivative(out, out, vec_set1((real)0.005));
}

INLINE vec clipped_relu_value(vec z, vec p) {
  return vec_min(p, vec_max(vec_zero(), z));
}

INLINE vec clipped_relu_derivative(vec in, vec out, vec p) {
  const mask inside = mask_and(vec_less(vec_zero(), out), vec_less(out, p));
  return vec_select(inside, vec_set1(1), vanish(out));
}

INLINE vec neat_clamped_value(vec z, vec p) {
  return vec_clamp(z, -1, 1);
}

INLINE vec neat_clamped_derivative(vec in, vec out, vec p) {
  const vec one = vec_set1(1);
  return vec_select(vec_less(vec_abs(out), one), one, vanish(out));
}

INLINE vec abs_value(vec z, vec p) {
  return vec_abs(z);
}

INLINE vec abs_derivative(vec in, vec out, vec p) {
  const vec zero = vec_zero(), one = vec_set1(1);
  const vec left = vec_select(vec_less(in, zero), vec_neg(one), in);
  return vec_select(vec_less(zero, in), one, left);
}

INLINE vec neat_hat_value(vec z, vec p) {
  return vec_max(vec_zero(), vec_sub(vec_set1(1), vec_abs(z)));
}

INLINE vec neat_hat_derivative(vec in, vec out, vec p) {
  const vec slope = vec_neg(abs_derivative(in, out, p));
  return vec_select(vec_less(vec_abs(in), vec_set1(1)), slope, vanish(in));
}

/* ---- Powers ----------------------------------------------------------------------------------- */

INLINE vec square_value(vec z, vec p) {
  return vec_mul(z, z);
}

INLINE vec square_derivative(vec in, vec out, vec p) {
  return vec_add(in, in);
}

INLINE vec neat_cube_value(vec z, vec p) {
  return vec_mul(vec_mul(z, z), z);
}

INLINE vec neat_cube_derivative(vec in, vec out, vec p) {
  return vec_mul(vec_set1(3), vec_mul(in, in));
}

INLINE vec neat_inv_value(vec z, vec p) {
  const vec inverse = vec_div(vec_set1(1), z);
  return vec_select(vec_equal(vec_abs(inverse), vec_set1(REAL_INFINITY)), vec_zero(), inverse);
}

INLINE vec neat_inv_derivative(vec in, vec out, vec p) {
  return vec_neg(vec_mul(out, out));
}

/* ---- Exponentials and logarithms -------------------------------------------------------------- */

INLINE vec elu_value(vec z, vec p) {
  return positive_or(z, vec_mul(p, SLEEF(expm1, u10)(z)));
}

INLINE vec elu_derivative(vec in, vec out, vec p) {
  return vec_select(vec_less(vec_zero(), in), vec_set1(1), vec_add(out, p));
}

INLINE vec neat_elu_value(vec z, vec p) {
  return positive_or(z, SLEEF(expm1, u10)(z));
}

INLINE vec neat_elu_derivative(vec in, vec out, vec p) {
  return elu_derivative(out, out, vec_set1(1));
}

#define SELU_SCALE ((real)1.0507009873554805)
#define SELU_ALPHA ((real)(1.0507009873554805 * 1.6732632423543772))

INLINE vec selu_value(vec z, vec p) {
  const vec left = vec_mul(vec_set1(SELU_ALPHA), SLEEF(expm1, u10)(z));
  return vec_select(vec_less(vec_zero(), z), vec_mul(vec_set1(SELU_SCALE), z), left);
}

INLINE vec selu_derivative(vec in, vec out, vec p) {
  const vec left = vec_add(out, vec_set1(SELU_ALPHA));
  return vec_select(vec_less(vec_zero(), out), vec_set1(SELU_SCALE), left);
}

INLINE vec sigmoid_value(vec z, vec p) {
  return vec_sigmoid(z).value;
}

INLINE vec sigmoid_derivative(vec in, vec out, vec p) {
  return vec_mul(out, vec_sub(vec_set1(1), out));
}

INLINE vec five_clamped(vec z) {
  return vec_clamp(vec_mul(vec_set1(5), z), -60, 60);
}

INLINE vec neat_sigmoid_value(vec z, vec p) {
  return vec_sigmoid(five_clamped(z)).value;
}

/* The next number inside a clamp at ±60 changes e^z by 64 units of roundoff: well told apart by a
 * margin of 16 in the output. */
#define CLAMP_MARGIN (16 * UNIT_ROUNDOFF)

INLINE vec neat_sigmoid_derivative(vec in, vec out, vec p) {
  const real low = (real)8.756510762696521e-27 * (1 + CLAMP_MARGIN); /* sigmoid(−60) */
  const vec inside = vec_mul(vec_set1(5), sigmoid_derivative(in, out, p));
  return vec_select(vec_less(vec_set1(low), out), inside, vanish(out));
}

INLINE vec neat_exp_value(vec z, vec p) {
  return SLEEF(exp, u10)(vec_clamp(z, -60, 60));
}

INLINE vec neat_exp_derivative(vec in, vec out, vec p) {
  const vec low = vec_set1((real)8.75651076269652e-27 * (1 + CLAMP_MARGIN));   /* e^−60 */
  const vec high = vec_set1((real)1.1420073898156842e26 * (1 - CLAMP_MARGIN)); /* e^60 */
  return vec_select(mask_and(vec_less(low, out), vec_less(out, high)), out, vanish(out));
}

INLINE vec tanh_value(vec z, vec p) {
  return SLEEF(tanh, u35)(z);
}

INLINE vec tanh_derivative(vec in, vec out, vec p) {
  const vec one = vec_set1(1);
  return vec_mul(vec_sub(one, out), vec_add(one, out));
}

INLINE vec neat_tanh_value(vec z, vec p) {
  return SLEEF(tanh, u35)(vec_clamp(vec_mul(vec_set1((real)2.5), z), -60, 60));
}

INLINE vec neat_tanh_derivative(vec in, vec out, vec p) {
  /* where the clamp is active out is ±1 */
  return vec_mul(vec_set1((real)2.5), tanh_derivative(in, out, p));
}

INLINE vec softplus_value(vec z, vec p) {
  return vec_softplus(z);
}

INLINE vec softplus_derivative(vec in, vec out, vec p) {
  return vec_sigmoid(in).value;
}

INLINE vec neat_softplus_value(vec z, vec p) {
  return vec_mul(vec_set1((real)0.2), vec_softplus(five_clamped(z)));
}

INLINE vec neat_softplus_derivative(vec in, vec out, vec p) {
  const vec x = five_clamped(in);
  return vec_select(vec_less(vec_abs(x), vec_set1(60)), vec_sigmoid(x).value, vanish(in));
}

INLINE vec neat_log_value(vec z, vec p) {
  return SLEEF(log, u10)(vec_max(vec_set1((real)1e-7), z));
}

INLINE vec neat_log_derivative(vec in, vec out, vec p) {
  const mask inside = vec_less(vec_set1((real)1e-7), in);
  return vec_select(inside, vec_div(vec_set1(1), in), vanish(in));
}

/* Where e^−z, e^−z² and erfc(z/√2) have become 0: beyond these ends z may be clamped. */
#define EXP_END      ((real)(sizeof(real) == 4 ? 200 : 2000))
#define GAUSSIAN_END ((real)(sizeof(real) == 4 ? 12 : 28))
#define NORMAL_END   ((real)(sizeof(real) == 4 ? 16 : 40))

INLINE vec silu_value(vec z, vec p) {
  return vec_mul(vec_max(vec_set1(-EXP_END), z), vec_sigmoid(z).value);
}

INLINE vec silu_derivative(vec in, vec out, vec p) {
  const vec z = vec_clamp(in, -EXP_END, EXP_END);
  const sigmoid_pair s = vec_sigmoid(z);
  return vec_fma(z, vec_mul(s.value, s.complement), s.value);
}

/* ---- Gaussians, and the normal distribution of gelu ------------------------------------------- */

INLINE vec gaussian_value(vec z, vec p) {
  const vec x = vec_clamp(z, -GAUSSIAN_END, GAUSSIAN_END);
  const vec x2 = vec_mul(x, x);
  return vec_exp_sum(vec_neg(x2), vec_neg(vec_product_error(x, x, x2)));
}

INLINE vec gaussian_derivative(vec in, vec out, vec p) {
  /* the clamp keeps infinities finite; out is 0 there */
  const vec x = vec_clamp(in, -GAUSSIAN_END, GAUSSIAN_END);
  return vec_mul(vec_mul(vec_set1(-2), x), out);
}

INLINE vec neat_gauss_value(vec z, vec p) {
  const vec x = vec_clamp(z, (real)-3.4, (real)3.4), minus_five = vec_set1(-5);
  const vec x2 = vec_mul(x, x), a = vec_mul(minus_five, x2);
  const vec low = vec_mul(minus_five, vec_product_error(x, x, x2));
  return vec_exp_sum(a, vec_add(low, vec_product_error(minus_five, x2, a)));
}

INLINE vec neat_gauss_derivative(vec in, vec out, vec p) {
  const vec inside = vec_mul(vec_mul(vec_set1(-10), in), out);
  return vec_select(vec_less(vec_abs(in), vec_set1((real)3.4)), inside, vanish(in));
}

#define MINUS_SQRT_HALF     ((real)-0.70710678118654752440L)
#define MINUS_SQRT_HALF_LOW ((real)(-0.70710678118654752440L - MINUS_SQRT_HALF))

/* z·Φ(z) = z·erfc(x)/2 with x = −z/√2. What rounding left out of x is made good to first order by
 * erfc'(x)/erfc(x) ≈ −(x + sqrt(x² + 4/π)), exact at 0 and at infinity. */
INLINE vec gelu_value(vec z, vec p) {
  const vec a = vec_clamp(z, -NORMAL_END, NORMAL_END), factor = vec_set1(MINUS_SQRT_HALF);
  const vec x = vec_mul(a, factor);
  const vec low = vec_fma(a, vec_set1(MINUS_SQRT_HALF_LOW), vec_product_error(a, factor, x));
  const vec root = vec_sqrt(vec_fma(x, x, vec_set1((real)1.2732395447351627)));
  const vec y = SLEEF(erfc, u15)(x);
  const vec twice = vec_sub(y, vec_mul(y, vec_mul(vec_add(x, root), low)));
  return vec_mul(vec_max(vec_set1(-NORMAL_END), z), vec_mul(vec_set1((real)0.5), twice));
}

/* Φ(z) + z·φ(z), with Φ(z) = out/z */
INLINE vec gelu_derivative(vec in, vec out, vec p) {
  const vec z = vec_clamp(in, -NORMAL_END, NORMAL_END);
  const vec z2 = vec_mul(z, z), minus_half = vec_set1((real)-0.5);
  const vec low = vec_mul(minus_half, vec_product_error(z, z, z2));
  const vec density =
      vec_mul(vec_set1((real)0.39894228040143268), vec_exp_sum(vec_mul(minus_half, z2), low));
  const mask is_tiny = vec_less(vec_abs(in), vec_set1((real)1e-20));
  const mask is_beyond = vec_less_equal(vec_set1(NORMAL_END), in);
  const vec ratio = vec_div(vec_select(is_beyond, z, out), z);
  return vec_fma(z, density, vec_select(is_tiny, vec_set1((real)0.5), ratio));
}

/* ---- Sines ------------------------------------------------------------------------------------ */

INLINE vec sin_value(vec z, vec p) {
  return vec_sin(z);
}

INLINE vec sin_derivative(vec in, vec out, vec p) {
  return vec_cos(in);
}

INLINE vec neat_sin_value(vec z, vec p) {
  return vec_sin(five_clamped(z));
}

INLINE vec neat_sin_derivative(vec in, vec out, vec p) {
  const vec x = five_clamped(in);
  const vec inside = vec_mul(vec_set1(5), vec_cos(x));
  return vec_select(vec_less(vec_abs(x), vec_set1(60)), inside, vanish(in));
}

/* ---- The kernels ------------------------------------------------------------------------------ */

typedef void value_row(double parameter, const real *in, real *out, size_t count);
typedef void gradient_rows(const bdag_derive_job *job);

#define ROWS(name, together)                                                                       \
  static vec name##_vector(vec z, vec p) {                                                         \
    return name##_value(z, p);                                                                     \
  }                                                                                                \
  static void name##_values(double parameter, const real *in, real *out, size_t count) {           \
    map_values(name##_value, parameter, in, out, count);                                           \
  }                                                                                                \
  static void name##_gradients(const bdag_derive_job *job) {                                       \
    map_gradients(name##_derivative, job, together);                                               \
  }

ROWS(relu, 1)
ROWS(leaky_relu, 1)
ROWS(elu, 0)
ROWS(selu, 0)
ROWS(gelu, 0)
ROWS(silu, 0)
ROWS(softplus, 0)
ROWS(tanh, 1)
ROWS(sigmoid, 1)
ROWS(sin, 0)
ROWS(gaussian, 0)
ROWS(square, 0)
ROWS(abs, 1)
ROWS(clipped_relu, 1)
ROWS(neat_sigmoid, 0)
ROWS(neat_tanh, 0)
ROWS(neat_sin, 0)
ROWS(neat_gauss, 0)
ROWS(neat_elu, 0)
ROWS(neat_lelu, 0)
ROWS(neat_softplus, 0)
ROWS(neat_clamped, 0)
ROWS(neat_inv, 0)
ROWS(neat_log, 0)
ROWS(neat_exp, 0)
ROWS(neat_hat, 0)
ROWS(neat_cube, 0)

static void identity_values(double parameter, const real *in, real *out, size_t count) {
  if (in != out) memcpy(out, in, count * sizeof(real));
}

static void identity_gradients(const bdag_derive_job *job) {
  for (uint32_t r = 0; r < job->rows; r++) {
    const size_t at = job->row[r] * job->row_stride;
    const real *out_grad = (const real *)job->out_grad + at;
    real *in_grad = (real *)job->in_grad + at;
    vec sum = vec_zero();
    size_t i = 0;
    for (; i + LANES <= job->count; i += LANES) {
      const vec g = vec_loadu(out_grad + i);
      if (in_grad != out_grad) vec_storeu(in_grad + i, g);
      sum = vec_add(sum, g);
    }
    if (i < job->count) {
      const vec g = vec_load_first(out_grad + i, job->count - i);
      vec_store_first(in_grad + i, g, job->count - i);
      sum = vec_add(sum, g);
    }
    job->sum[r] = vec_sum(sum);
  }
}

#define KINDS(ENTRY)                                                                               \
  ENTRY(BDAG_IDENTITY, identity)                                                                   \
  ENTRY(BDAG_RELU, relu)                                                                           \
  ENTRY(BDAG_LEAKY_RELU, leaky_relu)                                                               \
  ENTRY(BDAG_ELU, elu)                                                                             \
  ENTRY(BDAG_SELU, selu)                                                                           \
  ENTRY(BDAG_GELU, gelu)                                                                           \
  ENTRY(BDAG_SILU, silu)                                                                           \
  ENTRY(BDAG_SOFTPLUS, softplus)                                                                   \
  ENTRY(BDAG_TANH, tanh)                                                                           \
  ENTRY(BDAG_SIGMOID, sigmoid)                                                                     \
  ENTRY(BDAG_SIN, sin)                                                                             \
  ENTRY(BDAG_GAUSSIAN, gaussian)                                                                   \
  ENTRY(BDAG_SQUARE, square)                                                                       \
  ENTRY(BDAG_ABS, abs)                                                                             \
  ENTRY(BDAG_CLIPPED_RELU, clipped_relu)                                                           \
  ENTRY(BDAG_NEAT_SIGMOID, neat_sigmoid)                                                           \
  ENTRY(BDAG_NEAT_TANH, neat_tanh)                                                                 \
  ENTRY(BDAG_NEAT_SIN, neat_sin)                                                                   \
  ENTRY(BDAG_NEAT_GAUSS, neat_gauss)                                                               \
  ENTRY(BDAG_NEAT_RELU, relu)                                                                      \
  ENTRY(BDAG_NEAT_ELU, neat_elu)                                                                   \
  ENTRY(BDAG_NEAT_LELU, neat_lelu)                                                                 \
  ENTRY(BDAG_NEAT_SELU, selu)                                                                      \
  ENTRY(BDAG_NEAT_SOFTPLUS, neat_softplus)                                                         \
  ENTRY(BDAG_NEAT_IDENTITY, identity)                                                              \
  ENTRY(BDAG_NEAT_CLAMPED, neat_clamped)                                                           \
  ENTRY(BDAG_NEAT_INV, neat_inv)                                                                   \
  ENTRY(BDAG_NEAT_LOG, neat_log)                                                                   \
  ENTRY(BDAG_NEAT_EXP, neat_exp)                                                                   \
  ENTRY(BDAG_NEAT_ABS, abs)                                                                        \
  ENTRY(BDAG_NEAT_HAT, neat_hat)                                                                   \
  ENTRY(BDAG_NEAT_SQUARE, square)                                                                  \
  ENTRY(BDAG_NEAT_CUBE, neat_cube)

static const struct {
  value_row *values;
  gradient_rows *gradients;
} table[] = {
#define ENTRY(kind, name) [kind] = {name##_values, name##_gradients},
    KINDS(ENTRY)
#undef ENTRY
};

#define identity_vector NULL
vec_function *const NAME(activation)[] = {
#define ENTRY(kind, name) [kind] = name##_vector,
    KINDS(ENTRY)
#undef ENTRY
};

void NAME(activate)(uint32_t kind, double parameter, const void *in, void *out, size_t count) {
  assert(kind < sizeof table / sizeof table[0] && table[kind].values != NULL);
  table[kind].values(parameter, in, out, count);
}

void NAME(derive)(const bdag_derive_job *job) {
  assert(job->kind < sizeof table / sizeof table[0] && table[job->kind].values != NULL);
  table[job->kind].gradients(job);
}
