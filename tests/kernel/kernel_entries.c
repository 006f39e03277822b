/* Kernels on arrays of weights, of every instruction set and type: gather and descend, whose arrays begin
 * anywhere and end where memory does. */
#include <criterion/criterion.h>
#include <float.h>
#include <string.h>

#include "kernel_check.h"

#define LIMIT 160
#define ROOM  16 /* numbers before an array */

/* The end of memory for each of the arrays. */
enum { WEIGHTS, RESULT, INDEX, ENDS };

static unsigned char *end_of(int array) {
  static unsigned char *end[ENDS];
  if (end[array] == NULL) end[array] = guarded_end((LIMIT + ROOM) * sizeof(double));
  return end[array];
}

/* `count` numbers that end there. */
static unsigned char *numbers_at(int array, bdag_type type, size_t count) {
  return end_of(array) - count * element_size(type);
}

/* ---- Gather -------------------------------------------------------------------------------------- */

static void check_gather(generator *random, const bdag_kernels *kernels, size_t count) {
  const bdag_type type = kernels->type;
  unsigned char *const weights = numbers_at(WEIGHTS, type, LIMIT);
  unsigned char *const to = numbers_at(RESULT, type, count);
  uint32_t *const slot = (uint32_t *)end_of(INDEX) - count;
  for (size_t i = 0; i < count; i++) slot[i] = below(random, LIMIT);
  memset(numbers_at(RESULT, type, count + ROOM), 0x7f, ROOM * element_size(type));
  kernels->gather(weights, slot, count, to);
  for (size_t i = 0; i < count; i++)
    if (memcmp(plus(type, to, i), plus(type, weights, slot[i]), element_size(type)) != 0)
      cr_assert_fail("%s: %zu of %zu gathered from %u", kernels_name(kernels), i, count, slot[i]);
  for (size_t i = 0; i < ROOM * element_size(type); i++) cr_assert_eq(to[-1 - (ptrdiff_t)i], 0x7f);
}

/* Bits are kept, whatever they mean. */
Test(gather, all_counts) {
  generator random = {61};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (size_t count = 0; count <= LIMIT; count++) {
      for (size_t i = 0; i < LIMIT * sizeof(double); i++)
        end_of(WEIGHTS)[-1 - (ptrdiff_t)i] = (unsigned char)next(&random);
      check_gather(&random, kernels_at(n), count);
    }
}

/* ---- Descend ------------------------------------------------------------------------------------- */

typedef struct descent {
  const bdag_kernels *kernels;
  unsigned char *weights, *gradient;
  size_t count;
  double rate, decay;
} descent;

/* Steps of no size, without decay, with numbers that no type holds exactly, backwards. */
static const double steps[][2] = {{0, 0}, {0.1, 0}, {1, 1e-4}, {0.003, 0.01}, {-3, 0.7}};
#define STEPS (sizeof steps / sizeof *steps)

/* `before` numbers ahead of the arrays' ends, so that they begin at any address. */
static descent draw_descent(generator *random, const bdag_kernels *kernels, size_t count,
                            size_t before) {
  const bdag_type type = kernels->type;
  const double *const step = steps[below(random, STEPS)];
  fill_numbers(random, type, numbers_at(WEIGHTS, type, LIMIT), LIMIT);
  fill_numbers(random, type, numbers_at(RESULT, type, LIMIT), LIMIT);
  return (descent){.kernels = kernels,
                   .weights = numbers_at(WEIGHTS, type, count + below(random, 2) * before),
                   .gradient = numbers_at(RESULT, type, count + before),
                   .count = count,
                   .rate = step[0],
                   .decay = step[1]};
}

static int descend(const descent *x) {
  return x->kernels->descend(x->weights, x->gradient, x->count, x->rate, x->decay);
}

/* The formula of kernel.h in the type's own arithmetic: every number has these bits, wherever it is. */
static void reference_descend(const descent *x, unsigned char *gradient) {
  for (size_t i = 0; i < x->count; i++)
    if (x->kernels->type == BDAG_FLOAT32) {
      const float w = ((const float *)x->weights)[i], g = ((float *)gradient)[i];
      ((float *)gradient)[i] = w - (float)x->rate * (g + (float)x->decay * w);
    } else {
      const double w = ((const double *)x->weights)[i], g = ((double *)gradient)[i];
      ((double *)gradient)[i] = w - x->rate * (g + x->decay * w);
    }
}

static void check_descend(const descent *x) {
  const size_t size = element_size(x->kernels->type);
  static _Alignas(double) unsigned char expected[LIMIT * sizeof(double)];
  unsigned char *const first = numbers_at(RESULT, x->kernels->type, LIMIT);
  memcpy(expected, first, LIMIT * size);
  reference_descend(x, expected + (x->gradient - first));
  cr_assert_eq(descend(x), 1);
  if (memcmp(first, expected, LIMIT * size) != 0)
    cr_assert_fail("%s: %zu numbers, rate %g, decay %g, %td from the end", kernels_name(x->kernels),
                   x->count, x->rate, x->decay, end_of(RESULT) - x->gradient);
}

Test(descend, all_counts) {
  generator random = {62};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (size_t count = 0; count <= LIMIT - ROOM; count++)
      for (size_t before = 0; before < ROOM; before++) {
        const descent x = draw_descent(&random, kernels_at(n), count, before);
        check_descend(&x);
      }
}

/* Told at every position; its neighbours step on, and what lies around the arrays does not count. */
Test(descend, what_is_not_finite_is_told) {
  generator random = {63};
  const long double bad[] = {NAN, INFINITY, -INFINITY};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (size_t count = 1; count <= 70; count++)
      for (size_t i = 0; i < count; i++) {
        const bdag_type type = kernels_at(n)->type;
        descent x = draw_descent(&random, kernels_at(n), count, ROOM / 2);
        x.rate = 0.5;
        static _Alignas(double) unsigned char expected[LIMIT * sizeof(double)];
        memcpy(expected, x.gradient, count * element_size(type));
        reference_descend(&x, expected);
        set_nan(type, plus(type, x.gradient, count), ROOM / 2);
        set_nan(type, x.gradient - ROOM * element_size(type), ROOM);
        set(type, i % 2 == 0 ? x.weights : x.gradient, i, bad[(count + i / 2) % 3]);
        cr_assert_eq(descend(&x), 0);
        for (size_t j = 0; j < count; j++)
          cr_assert(j == i ? !isfinite(get(type, x.gradient, j))
                           : same(type, x.gradient, j, expected, j));
      }
}

/* The largest numbers are finite; a step beyond them is told. */
Test(descend, largest_numbers) {
  generator random = {64};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (size_t count = 1; count <= 70; count++) {
      const bdag_type type = kernels_at(n)->type;
      const long double most = type == BDAG_FLOAT32 ? (long double)FLT_MAX : DBL_MAX;
      descent x = draw_descent(&random, kernels_at(n), count, 0);
      x.rate = 1;
      x.decay = 0;
      for (size_t i = 0; i < count; i++) {
        set(type, x.weights, i, i % 3 == 0 ? -most : most);
        set(type, x.gradient, i, 0);
      }
      cr_assert_eq(descend(&x), 1);
      const uint32_t i = below(&random, (uint32_t)count);
      for (size_t j = 0; j < count; j++) set(type, x.gradient, j, 0);
      set(type, x.gradient, i, i % 3 == 0 ? most : -most);
      cr_assert_eq(descend(&x), 0);
    }
}
