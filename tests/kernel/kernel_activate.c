/* Activations and derivatives of every instruction set and type against long double. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <string.h>

#include "kernel_check.h"
#include "kernel_reference.h"
#include "network/activation.h"
#include "runtime/float_mode.h"

#define VALUE_LIMIT      4  /* units in the last place */
#define DERIVATIVE_LIMIT 8  /* units of roundoff of the sum of the terms */
#define CHUNK            64 /* elements a call */

static double parameter_of(uint32_t kind) {
  return kind == BDAG_LEAKY_RELU     ? 0.01
         : kind == BDAG_ELU          ? 1.3
         : kind == BDAG_CLIPPED_RELU ? 6
                                     : 0;
}

/* Numbers of every size that matters: around 0, the bulk, the tails, and far out. */
static long double draw(generator *random, bdag_type type) {
  const double sign = below(random, 2) ? 1 : -1;
  switch (below(random, 8)) {
  case 0:
    return rounded(type, sign * exp2(uniform(random, -40, 0)));
  case 1:
    return rounded(type, uniform(random, -100, 100));
  case 2:
    return rounded(type, uniform(random, -16, 16));
  case 3:
    return rounded(type, sign * exp2(uniform(random, 0, 20)));
  default:
    return rounded(type, uniform(random, -4, 4));
  }
}

static void fill(generator *random, bdag_type type, row *numbers) {
  for (size_t i = 0; i < ROW_LIMIT; i++) set(type, numbers->bytes, i, draw(random, type));
}

/* With powers of two, or a value that is nearly the largest number, σ or σ' may overflow. */
static int is_comparable(bdag_type type, long double expected) {
  return isfinite(rounded(type, expected));
}

typedef struct worst {
  long double floor; /* absolute error that is nothing: of numbers that cannot be told from 0 */
  double value, derivative;
  size_t compared;
} worst;

static void compare_value(const bdag_kernels *kernels, uint32_t kind, long double z,
                          long double value, const reference *expected, worst *seen) {
  const bdag_type type = kernels->type;
  if (!is_comparable(type, expected->value)) return;
  const long double error = fabsl(value - expected->value);
  const long double allowed = expected->value_condition * unit_roundoff(type);
  const long double place = unit_in_last_place(type, expected->value);
  const long double units = fmaxl(0, error - allowed - seen->floor) / place;
  if (!(units <= VALUE_LIMIT))
    cr_assert_fail("%s, activation %u of %.20Lg: %.20Lg instead of %.20Lg, %.2Lf ulp",
                   kernels_name(kernels), kind, z, value, expected->value, units);
  if (units > seen->value) seen->value = (double)units;
  seen->compared++;
}

static void compare_derivative(const bdag_kernels *kernels, uint32_t kind, long double z,
                               long double value, const reference *expected, worst *seen) {
  const bdag_type type = kernels->type;
  if (!is_comparable(type, expected->derivative)) return;
  const long double error = fabsl(value - expected->derivative);
  const long double allowed = expected->derivative_condition * unit_roundoff(type);
  const long double excess = fmaxl(0, error - allowed - seen->floor);
  const long double units =
      excess == 0 ? 0 : excess / (expected->derivative_terms * unit_roundoff(type));
  if (!(units <= DERIVATIVE_LIMIT))
    cr_assert_fail("%s, derivative %u of %.20Lg: %.20Lg instead of %.20Lg, %.2Lf u",
                   kernels_name(kernels), kind, z, value, expected->derivative, units);
  if (units > seen->derivative) seen->derivative = (double)units;
  seen->compared++;
}

/* One row. */
static void derive(const bdag_kernels *kernels, uint32_t kind, double parameter, const void *in,
                   const void *out, const void *out_grad, void *in_grad, size_t count) {
  static const uint32_t first = 0;
  double sum;
  const bdag_derive_job job = {.kind = kind,
                               .parameter = parameter,
                               .row = &first,
                               .rows = 1,
                               .in = in,
                               .out = out,
                               .out_grad = out_grad,
                               .in_grad = in_grad,
                               .count = count,
                               .sum = &sum};
  kernels->derive(&job);
}

static void compare_chunk(const bdag_kernels *kernels, uint32_t kind, const row *in, worst *seen) {
  static row out, ones, derivative;
  const bdag_type type = kernels->type;
  const double parameter = parameter_of(kind);
  for (size_t i = 0; i < CHUNK; i++) set(type, ones.bytes, i, 1);
  kernels->activate(kind, parameter, in->bytes, out.bytes, CHUNK);
  derive(kernels, kind, parameter, in->bytes, out.bytes, ones.bytes, derivative.bytes, CHUNK);
  for (size_t i = 0; i < CHUNK; i++) {
    const long double z = get(type, in->bytes, i);
    const reference expected = reference_activation(type, kind, parameter, z);
    compare_value(kernels, kind, z, get(type, out.bytes, i), &expected, seen);
    compare_derivative(kernels, kind, z, get(type, derivative.bytes, i), &expected, seen);
  }
}

static void check_accuracy(int smallest_normals) {
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (int i = 0; i < KIND_COUNT; i++) {
      generator random = {(uint64_t)(1000 + i)};
      worst seen = {smallest_normals * smallest_normal(kernels_at(k)->type), 0, 0, 0};
      row in;
      for (int chunk = 0; chunk < 64; chunk++) {
        fill(&random, kernels_at(k)->type, &in);
        compare_chunk(kernels_at(k), kind_at(i), &in, &seen);
      }
      cr_assert_gt(seen.compared, 5000);
      cr_log_info("%s, activation %u: %.2f ulp, derivative %.2f u", kernels_name(kernels_at(k)),
                  kind_at(i), seen.value, seen.derivative);
    }
}

Test(activate, accuracy) {
  check_accuracy(1);
}

/* As a pass does for float32. The low halves of sums in two parts vanish a little earlier. */
Test(activate, accuracy_with_flush_to_zero) {
  const uint64_t mode = bdag_float_mode_enter(1);
  check_accuracy(64);
  bdag_float_mode_leave(mode);
}

/* The reference's own derivatives, against differences of its values. */
Test(activate, reference_differences) {
  generator random = {7};
  for (int i = 0; i < KIND_COUNT; i++)
    for (int n = 0; n < 200; n++) {
      const uint32_t kind = kind_at(i);
      const long double p = parameter_of(kind), z = uniform(&random, -5, 5), h = 1e-6L;
      if (distance_to_kink(kind, p, z) < 1e-2L) continue;
      const long double above = reference_activation(BDAG_FLOAT64, kind, p, z + h).value;
      const long double below_it = reference_activation(BDAG_FLOAT64, kind, p, z - h).value;
      const reference at = reference_activation(BDAG_FLOAT64, kind, p, z);
      const long double difference = (above - below_it) / (2 * h);
      const long double error = fabsl(difference - at.derivative);
      if (!(error <= 1e-7L * fmaxl(1, fabsl(at.derivative))))
        cr_assert_fail("kind %u at %Lg: %Lg, by differences %Lg", kind, z, at.derivative,
                       difference);
    }
}

/* A row in which calm numbers stand beside huge, infinite and missing ones. */
static void fill_wild(generator *random, bdag_type type, row *numbers, size_t count) {
  static const long double wild[] = {INFINITY, -INFINITY, NAN, 0,   -0.0L, 1e30L, -1e30L,
                                     1e-30L,   12,        60,  -60, 126,   40000, 1e15L};
  fill(random, type, numbers);
  for (size_t i = 0; i < count; i++)
    if (below(random, 4) == 0)
      set(type, numbers->bytes, i, wild[below(random, sizeof wild / sizeof wild[0])]);
}

/* For FROM_OUT kinds the derivative must do without `in`. */
static const void *in_for(uint32_t kind, const row *in) {
  return bdag_activation_derivative_source(kind) == BDAG_DERIVATIVE_FROM_IN ? in->bytes : NULL;
}

typedef struct triple {
  row in, out, out_grad, in_grad;
} triple;

static void compute(const bdag_kernels *kernels, uint32_t kind, triple *rows, size_t count) {
  const double parameter = parameter_of(kind);
  kernels->activate(kind, parameter, rows->in.bytes, rows->out.bytes, count);
  derive(kernels, kind, parameter, in_for(kind, &rows->in), rows->out.bytes, rows->out_grad.bytes,
         rows->in_grad.bytes, count);
}

static void copy(bdag_type type, void *to, size_t i, const void *from, size_t j) {
  const size_t size = element_size(type);
  memcpy((char *)to + i * size, (const char *)from + j * size, size);
}

/* Draws `count` elements of `whole` and computes them in a row of their own. */
static void check_selection(const bdag_kernels *kernels, uint32_t kind, const triple *whole,
                            size_t count, generator *random) {
  static triple part;
  static size_t from[ROW_LIMIT];
  const bdag_type type = kernels->type;
  memset(&part, 0x7b, sizeof part);
  for (size_t i = 0; i < count; i++) {
    from[i] = below(random, 130);
    copy(type, part.in.bytes, i, whole->in.bytes, from[i]);
    copy(type, part.out_grad.bytes, i, whole->out_grad.bytes, from[i]);
  }
  compute(kernels, kind, &part, count);
  for (size_t i = 0; i < count; i++) {
    if (same(type, part.out.bytes, i, whole->out.bytes, from[i]) &&
        same(type, part.in_grad.bytes, i, whole->in_grad.bytes, from[i]))
      continue;
    cr_assert_fail("%s, kind %u, element %zu of %zu, in %.20Lg: %.20Lg and %.20Lg differ",
                   kernels_name(kernels), kind, i, count, get(type, part.in.bytes, i),
                   get(type, part.out.bytes, i), get(type, whole->out.bytes, from[i]));
  }
  const size_t end = count * element_size(type);
  for (size_t i = end; i < sizeof part.out.bytes; i++)
    if (part.out.bytes[i] != 0x7b || part.in_grad.bytes[i] != 0x7b)
      cr_assert_fail("%s, kind %u wrote beyond %zu elements", kernels_name(kernels), kind, count);
}

Test(activate, elements_do_not_depend_on_place_or_neighbours) {
  static triple whole;
  generator random = {99};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (int i = 0; i < KIND_COUNT; i++) {
      const bdag_kernels *const kernels = kernels_at(k);
      fill_wild(&random, kernels->type, &whole.in, 130);
      fill_wild(&random, kernels->type, &whole.out_grad, 130);
      compute(kernels, kind_at(i), &whole, 130);
      for (size_t count = 1; count <= 130; count++)
        check_selection(kernels, kind_at(i), &whole, count, &random);
    }
}

Test(activate, in_place) {
  static triple rows, twice;
  generator random = {5};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (int i = 0; i < KIND_COUNT; i++) {
      const bdag_kernels *const kernels = kernels_at(k);
      const uint32_t kind = kind_at(i);
      const double parameter = parameter_of(kind);
      fill(&random, kernels->type, &rows.in);
      fill(&random, kernels->type, &rows.out_grad);
      compute(kernels, kind, &rows, 67);
      twice = rows;
      kernels->activate(kind, parameter, twice.in.bytes, twice.in.bytes, 67);
      derive(kernels, kind, parameter, in_for(kind, &rows.in), twice.out.bytes,
             twice.out_grad.bytes, twice.out_grad.bytes, 67);
      for (size_t s = 0; s < 67; s++) {
        cr_assert(same(kernels->type, twice.in.bytes, s, rows.out.bytes, s));
        cr_assert(same(kernels->type, twice.out_grad.bytes, s, rows.in_grad.bytes, s));
      }
    }
}

/* One element through activate and derive. */
typedef struct point {
  long double out, in_grad;
} point;

static point at(const bdag_kernels *kernels, uint32_t kind, double parameter, long double z,
                long double out_grad) {
  row in, out, grad;
  set(kernels->type, in.bytes, 0, z);
  set(kernels->type, grad.bytes, 0, out_grad);
  kernels->activate(kind, parameter, in.bytes, out.bytes, 1);
  derive(kernels, kind, parameter, in_for(kind, &in), out.bytes, grad.bytes, grad.bytes, 1);
  return (point){get(kernels->type, out.bytes, 0), get(kernels->type, grad.bytes, 0)};
}

Test(activate, nan_stays) {
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (int i = 0; i < KIND_COUNT; i++) {
      const bdag_kernels *const kernels = kernels_at(k);
      const uint32_t kind = kind_at(i);
      const point missing = at(kernels, kind, parameter_of(kind), NAN, 1);
      cr_assert(isnan(missing.out), "%s: kind %u of NaN is %Lg", kernels_name(kernels), kind,
                missing.out);
      if (kind != BDAG_IDENTITY && kind != BDAG_NEAT_IDENTITY)
        cr_assert(isnan(missing.in_grad), "%s: derivative %u at NaN is %Lg", kernels_name(kernels),
                  kind, missing.in_grad);
      for (double z = -2; z <= 2; z++) {
        const point gradient = at(kernels, kind, parameter_of(kind), z, NAN);
        cr_assert(isnan(gradient.in_grad), "%s: kind %u at %g loses a NaN gradient",
                  kernels_name(kernels), kind, z);
      }
    }
}

Test(activate, zero_gradient_stays_zero) {
  static const long double wild[] = {INFINITY, -INFINITY, NAN, 1e30L, -1e30L, 1e-30L, 0, 1};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (int i = 0; i < KIND_COUNT; i++)
      for (size_t w = 0; w < sizeof wild / sizeof wild[0]; w++) {
        const uint32_t kind = kind_at(i);
        const point result = at(kernels_at(k), kind, parameter_of(kind), wild[w], 0);
        cr_assert(result.in_grad == 0, "%s: kind %u at %Lg", kernels_name(kernels_at(k)), kind,
                  wild[w]);
      }
}

typedef struct kink {
  uint32_t kind;
  double parameter, z, out, derivative;
} kink;

#define SELU_LEFT (1.0507009873554805 * 1.6732632423543772)

static const kink kinks[] = {
    {BDAG_RELU, 0, 0, 0, 0},
    {BDAG_LEAKY_RELU, 0.25, 0, 0, 0.25},
    {BDAG_LEAKY_RELU, -0.5, -2, 1, -0.5},
    {BDAG_LEAKY_RELU, 0, -2, 0, 0},
    {BDAG_ELU, 1.5, 0, 0, 1.5},
    {BDAG_ELU, -0.5, 0, 0, -0.5},
    {BDAG_ELU, -0.5, -1000, 0.5, 0},
    {BDAG_SELU, 0, 0, 0, SELU_LEFT},
    {BDAG_GELU, 0, 0, 0, 0.5},
    {BDAG_SILU, 0, 0, 0, 0.5},
    {BDAG_ABS, 0, 0, 0, 0},
    {BDAG_CLIPPED_RELU, 6, 0, 0, 0},
    {BDAG_CLIPPED_RELU, 6, 6, 6, 0},
    {BDAG_CLIPPED_RELU, 6, 5.5, 5.5, 1},
    {BDAG_CLIPPED_RELU, 0.5, 0.5, 0.5, 0},
    {BDAG_CLIPPED_RELU, 0.1, 7, 0.1, 0},
    {BDAG_NEAT_RELU, 0, 0, 0, 0},
    {BDAG_NEAT_ELU, 0, 0, 0, 1},
    {BDAG_NEAT_LELU, 0, 0, 0, 0.005},
    {BDAG_NEAT_SELU, 0, 0, 0, SELU_LEFT},
    {BDAG_NEAT_CLAMPED, 0, 1, 1, 0},
    {BDAG_NEAT_CLAMPED, 0, -1, -1, 0},
    {BDAG_NEAT_INV, 0, 0, 0, 0},
    {BDAG_NEAT_INV, 0, 1e-310, 0, 0},
    {BDAG_NEAT_LOG, 0, 1e-7, -16.11809565095832, 0},
    {BDAG_NEAT_LOG, 0, -3, -16.11809565095832, 0},
    {BDAG_NEAT_ABS, 0, 0, 0, 0},
    {BDAG_NEAT_HAT, 0, 0, 1, 0},
    {BDAG_NEAT_HAT, 0, 1, 0, 0},
    {BDAG_NEAT_HAT, 0, -1, 0, 0},
    {BDAG_NEAT_HAT, 0, -0.5, 0.5, 1},
    {BDAG_NEAT_SIGMOID, 0, 12, 1, 0},
    {BDAG_NEAT_SIGMOID, 0, -12, 8.7565107626965204e-27, 0},
    {BDAG_NEAT_SIGMOID, 0, -100, 8.7565107626965204e-27, 0},
    {BDAG_NEAT_TANH, 0, 24, 1, 0},
    {BDAG_NEAT_TANH, 0, -24, -1, 0},
    {BDAG_NEAT_SIN, 0, 12, -0.30481062110221668, 0},
    {BDAG_NEAT_SIN, 0, -100, 0.30481062110221668, 0},
    {BDAG_NEAT_GAUSS, 0, 3.4, 7.902787e-26, 0},
    {BDAG_NEAT_GAUSS, 0, -50, 7.902787e-26, 0},
    {BDAG_NEAT_SOFTPLUS, 0, 12, 12, 0},
    {BDAG_NEAT_SOFTPLUS, 0, -12, 1.7513021525393e-27, 0},
    {BDAG_NEAT_EXP, 0, 60, 1.1420073898156842e26, 0},
    {BDAG_NEAT_EXP, 0, -60, 8.7565107626965204e-27, 0},
    {BDAG_NEAT_EXP, 0, -1000, 8.7565107626965204e-27, 0},
    {BDAG_RELU, 0, INFINITY, INFINITY, 1},
    {BDAG_RELU, 0, -INFINITY, 0, 0},
    {BDAG_ELU, 1, -INFINITY, -1, 0},
    {BDAG_GELU, 0, INFINITY, INFINITY, 1},
    {BDAG_GELU, 0, -INFINITY, 0, 0},
    {BDAG_SILU, 0, INFINITY, INFINITY, 1},
    {BDAG_SILU, 0, -INFINITY, 0, 0},
    {BDAG_SOFTPLUS, 0, INFINITY, INFINITY, 1},
    {BDAG_SOFTPLUS, 0, -INFINITY, 0, 0},
    {BDAG_TANH, 0, INFINITY, 1, 0},
    {BDAG_TANH, 0, -INFINITY, -1, 0},
    {BDAG_SIGMOID, 0, INFINITY, 1, 0},
    {BDAG_SIGMOID, 0, -INFINITY, 0, 0},
    {BDAG_GAUSSIAN, 0, INFINITY, 0, 0},
    {BDAG_GAUSSIAN, 0, -INFINITY, 0, 0},
    {BDAG_NEAT_INV, 0, INFINITY, 0, 0},
};

static int nearly(long double value, double expected) {
  if (isinf(expected)) return value == expected;
  return fabsl(value - expected) <= 1e-5L * fabsl((long double)expected);
}

Test(activate, kinks_clamps_and_infinities) {
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (size_t i = 0; i < sizeof kinks / sizeof kinks[0]; i++) {
      const kink *const c = &kinks[i];
      const point result = at(kernels_at(k), c->kind, c->parameter, c->z, 1);
      cr_assert(nearly(result.out, c->out) && nearly(result.in_grad, c->derivative),
                "%s: kind %u at %g: %Lg and derivative %Lg instead of %g and %g",
                kernels_name(kernels_at(k)), c->kind, c->z, result.out, result.in_grad, c->out,
                c->derivative);
    }
}

static long double next_towards(bdag_type type, long double z, double to) {
  return type == BDAG_FLOAT32 ? (long double)nextafterf((float)z, (float)to)
                              : (long double)nextafter((double)z, to);
}

/* Just inside a clamp the derivative is not 0, just outside it is. */
Test(activate, neighbours_of_clamps) {
  static const kink edges[] = {
      {BDAG_NEAT_SIGMOID, 0, -12, 0, 0},  {BDAG_NEAT_EXP, 0, 60, 0, 0},
      {BDAG_NEAT_EXP, 0, -60, 0, 0},      {BDAG_NEAT_SIN, 0, 12, 0, 0},
      {BDAG_NEAT_GAUSS, 0, 3.4, 0, 0},    {BDAG_NEAT_SOFTPLUS, 0, 12, 0, 0},
      {BDAG_NEAT_SOFTPLUS, 0, -12, 0, 0}, {BDAG_NEAT_CLAMPED, 0, 1, 0, 0},
      {BDAG_NEAT_HAT, 0, -1, 0, 0},       {BDAG_CLIPPED_RELU, 6, 6, 0, 0},
  };
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
      const bdag_type type = kernels_at(k)->type;
      const long double inside = next_towards(type, rounded(type, edges[i].z), 0);
      const long double outside = next_towards(type, rounded(type, edges[i].z), 1e6 * edges[i].z);
      const double p = edges[i].parameter;
      cr_assert(at(kernels_at(k), edges[i].kind, p, inside, 1).in_grad != 0,
                "%s: kind %u at %.20Lg", kernels_name(kernels_at(k)), edges[i].kind, inside);
      cr_assert(at(kernels_at(k), edges[i].kind, p, outside, 1).in_grad == 0,
                "%s: kind %u at %.20Lg", kernels_name(kernels_at(k)), edges[i].kind, outside);
    }
}

Test(activate, row_sum) {
  generator random = {3};
  row numbers;
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM) {
      const bdag_kernels *const kernels = kernels_at(k);
      fill(&random, kernels->type, &numbers);
      long double sum = 0, terms = 0;
      for (size_t i = 0; i < count; i++) {
        sum += get(kernels->type, numbers.bytes, i);
        terms += fabsl(get(kernels->type, numbers.bytes, i));
      }
      const long double error = fabsl(kernels->row_sum(numbers.bytes, count) - sum);
      cr_assert(error <= (long double)count * unit_roundoff(kernels->type) * terms, "%s, %zu: %Lg",
                kernels_name(kernels), count, error);
    }
}

#define MANY_ROWS 9
#define STRIDE    80

typedef unsigned char row_set[MANY_ROWS * STRIDE * sizeof(double)];

/* Rows in any order, `in` by number or elsewhere: each as alone, its sum that of row_sum, others untouched. */
static void check_rows(const bdag_kernels *kernels, uint32_t kind, size_t count, int in_place,
                       int by_number, generator *random) {
  static _Alignas(64) row_set in, out, out_grad, in_grad, expected;
  static const uint32_t list[] = {7, 2, 3, 5, 0, 8},
                        elsewhere[MANY_ROWS] = {4, 9, 0, 3, 9, 2, 9, 1, 5};
  const uint32_t rows = 1 + below(random, 6);
  const bdag_type type = kernels->type;
  double sum[6];
  fill_numbers(random, type, in, MANY_ROWS * STRIDE);
  fill_numbers(random, type, out_grad, MANY_ROWS * STRIDE);
  fill_numbers(random, type, in_grad, MANY_ROWS * STRIDE);
  if (in_place) memcpy(in_grad, out_grad, sizeof in_grad);
  memcpy(expected, in_grad, sizeof in_grad);
  const int needs_in = bdag_activation_derivative_source(kind) == BDAG_DERIVATIVE_FROM_IN;
  for (uint32_t i = 0; i < rows; i++) {
    const size_t at = list[i] * (size_t)STRIDE;
    const void *z = plus(type, in, (by_number ? list[i] : elsewhere[list[i]]) * (size_t)STRIDE);
    kernels->activate(kind, parameter_of(kind), z, plus(type, out, at), count);
    derive(kernels, kind, parameter_of(kind), needs_in ? z : NULL, plus(type, out, at),
           plus(type, out_grad, at), plus(type, expected, at), count);
  }
  const bdag_derive_job job = {.kind = kind,
                               .parameter = parameter_of(kind),
                               .row = list,
                               .rows = rows,
                               .in = needs_in ? in : NULL,
                               .in_row = by_number ? NULL : elsewhere,
                               .out = out,
                               .out_grad = in_place ? in_grad : out_grad,
                               .in_grad = in_grad,
                               .row_stride = STRIDE,
                               .count = count,
                               .sum = sum};
  kernels->derive(&job);
  cr_assert(memcmp(in_grad, expected, sizeof in_grad) == 0, "%s: kind %u, %u rows of %zu",
            kernels_name(kernels), kind, rows, count);
  for (uint32_t i = 0; i < rows; i++) {
    const double row_sum = kernels->row_sum(plus(type, in_grad, list[i] * (size_t)STRIDE), count);
    cr_assert(same(BDAG_FLOAT64, sum, i, &row_sum, 0), "%s: kind %u, sum %u of %u",
              kernels_name(kernels), kind, i, rows);
  }
}

Test(activate, rows) {
  generator random = {4};
  for (int k = 0; kernels_at(k) != NULL; k++)
    for (int i = 0; i < KIND_COUNT; i++)
      for (size_t count = BDAG_ROW_QUANTUM; count <= STRIDE; count += BDAG_ROW_QUANTUM)
        for (int form = 0; form < 4; form++)
          check_rows(kernels_at(k), kind_at(i), count, form & 1, form >> 1, &random);
}
