/* The multiply-add kernels of every instruction set and type: against long double, for every shape of
 * remainder, and bit by bit between different ways to cut the same work. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kernel_check.h"

#define ROWS         32
#define STRIDE       272
#define TARGET_LIMIT 13
#define SOURCE_LIMIT 40
#define WEIGHT_LIMIT ((TARGET_LIMIT + 2) * (SOURCE_LIMIT + 2))

/* All operands of a job of any of the three kernels. */
typedef struct operands {
  _Alignas(64) unsigned char rows[ROWS * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char target[(TARGET_LIMIT + 1) * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char weight[WEIGHT_LIMIT * sizeof(double)];
  unsigned char initial[TARGET_LIMIT * sizeof(double)];
  uint32_t source[SOURCE_LIMIT];
  uint64_t slot[SOURCE_LIMIT];
  bdag_type type;
  uint32_t sources, targets;
  size_t count;
  ptrdiff_t source_step, target_step;
  int has_initial, accumulate;
} operands;

static void fill(generator *random, bdag_type type, void *numbers, size_t count) {
  for (size_t i = 0; i < count; i++)
    set(type, numbers, i, uniform(random, -1, 1) * exp2(uniform(random, -4, 4)));
}

/* Rows that no source names hold NaN. */
static void draw(generator *random, operands *x, bdag_type type, uint32_t sources, uint32_t targets,
                 size_t count) {
  x->type = type;
  x->sources = sources;
  x->targets = targets;
  x->count = count;
  x->has_initial = (int)below(random, 2);
  x->accumulate = (int)below(random, 2);
  const ptrdiff_t padding = below(random, 3);
  const int by_source = (int)below(random, 2);
  x->source_step = by_source ? (ptrdiff_t)targets + padding : 1;
  x->target_step = by_source ? 1 : (ptrdiff_t)sources + padding;
  for (size_t i = 0; i < ROWS * STRIDE; i++) set(type, x->rows, i, NAN);
  for (uint32_t k = 0; k < SOURCE_LIMIT; k++) {
    x->source[k] = below(random, ROWS);
    x->slot[k] = below(random, WEIGHT_LIMIT);
    if (k < sources)
      fill(random, type, x->rows + x->source[k] * STRIDE * element_size(type), count);
  }
  fill(random, type, x->target, (TARGET_LIMIT + 1) * STRIDE);
  fill(random, type, x->weight, WEIGHT_LIMIT);
  fill(random, type, x->initial, TARGET_LIMIT);
}

static void *plus(bdag_type type, const void *numbers, ptrdiff_t elements) {
  return (unsigned char *)numbers + elements * (ptrdiff_t)element_size(type);
}

static int is_close(bdag_type type, long double value, long double expected, long double terms,
                    size_t operations) {
  const long double bound = (long double)(operations + 2) * unit_roundoff(type) * terms;
  return fabsl(value - expected) <= bound;
}

/* Everything that a kernel had no business to write. */
static void check_rest(const operands *x, const operands *before, uint32_t targets) {
  for (size_t r = 0; r <= TARGET_LIMIT; r++)
    for (size_t t = r < targets ? x->count : 0; t < STRIDE; t++)
      if (!same(x->type, x->target, r * STRIDE + t, before->target, r * STRIDE + t))
        cr_assert_fail("row %zu of %u, element %zu of %zu was written", r, targets, t, x->count);
}

/* ---- Panel ------------------------------------------------------------------------------------ */

static bdag_panel_job panel_job(operands *x) {
  return (bdag_panel_job){.weight = x->weight,
                          .source_step = x->source_step,
                          .target_step = x->target_step,
                          .source = x->source,
                          .sources = x->sources,
                          .targets = x->targets,
                          .rows = x->rows,
                          .row_stride = STRIDE,
                          .target = x->target,
                          .count = x->count,
                          .initial = x->has_initial ? x->initial : NULL};
}

static void check_panel_element(const operands *x, const operands *before, uint32_t r, size_t t) {
  long double sum =
      x->has_initial ? get(x->type, x->initial, r) : get(x->type, before->target, r * STRIDE + t);
  long double terms = fabsl(sum);
  for (uint32_t k = 0; k < x->sources; k++) {
    const ptrdiff_t at = k * x->source_step + r * x->target_step;
    const long double term =
        get(x->type, x->weight, (size_t)at) * get(x->type, x->rows, x->source[k] * STRIDE + t);
    sum += term;
    terms += fabsl(term);
  }
  const long double value = get(x->type, x->target, r * STRIDE + t);
  if (!is_close(x->type, value, sum, terms, x->sources))
    cr_assert_fail("%u × %u, target %u, sample %zu of %zu: %.18Lg instead of %.18Lg", x->targets,
                   x->sources, r, t, x->count, value, sum);
}

/* The same panel one target and 16 samples at a time. */
static void check_panel_pieces(const bdag_kernels *kernels, operands *x, operands *before) {
  for (uint32_t r = 0; r < x->targets; r++)
    for (size_t t = 0; t < x->count; t += BDAG_ROW_QUANTUM) {
      bdag_panel_job job = panel_job(before);
      job.weight = plus(x->type, job.weight, r * x->target_step);
      job.rows = plus(x->type, job.rows, (ptrdiff_t)t);
      job.target = plus(x->type, job.target, (ptrdiff_t)(r * STRIDE + t));
      if (job.initial != NULL) job.initial = plus(x->type, job.initial, r);
      job.targets = 1;
      job.count = BDAG_ROW_QUANTUM;
      kernels->panel(&job);
    }
  cr_assert_arr_eq(x->target, before->target, sizeof x->target, "%s: %u × %u, %zu samples",
                   kernels_name(kernels), x->targets, x->sources, x->count);
}

static void check_panel(const bdag_kernels *kernels, operands *x) {
  static operands before;
  before = *x;
  const bdag_panel_job job = panel_job(x);
  kernels->panel(&job);
  for (uint32_t r = 0; r < x->targets; r++)
    for (size_t t = 0; t < x->count; t++) check_panel_element(x, &before, r, t);
  check_rest(x, &before, x->targets);
  check_panel_pieces(kernels, x, &before);
}

/* ---- Weight gradient -------------------------------------------------------------------------- */

static bdag_weight_grad_job weight_grad_job(operands *x) {
  return (bdag_weight_grad_job){.gradient = x->weight,
                                .source_step = x->source_step,
                                .target_step = x->target_step,
                                .source = x->source,
                                .sources = x->sources,
                                .targets = x->targets,
                                .rows = x->rows,
                                .target = x->target,
                                .row_stride = STRIDE,
                                .count = x->count,
                                .accumulate = x->accumulate};
}

static void check_gradient(const operands *x, const operands *before, uint32_t k, uint32_t r) {
  const size_t at = (size_t)(k * x->source_step + r * x->target_step);
  long double sum = x->accumulate ? get(x->type, before->weight, at) : 0;
  long double terms = fabsl(sum);
  for (size_t t = 0; t < x->count; t++) {
    const long double term =
        get(x->type, x->target, r * STRIDE + t) * get(x->type, x->rows, x->source[k] * STRIDE + t);
    sum += term;
    terms += fabsl(term);
  }
  const long double value = get(x->type, x->weight, at);
  if (!is_close(x->type, value, sum, terms, x->count))
    cr_assert_fail("%u × %u, gradient of source %u, target %u over %zu: %.18Lg instead of %.18Lg",
                   x->targets, x->sources, k, r, x->count, value, sum);
}

/* The same gradients one edge at a time. */
static void check_gradient_pieces(const bdag_kernels *kernels, operands *x, operands *before) {
  for (uint32_t k = 0; k < x->sources; k++)
    for (uint32_t r = 0; r < x->targets; r++) {
      bdag_weight_grad_job job = weight_grad_job(before);
      job.gradient = plus(x->type, job.gradient, k * x->source_step + r * x->target_step);
      job.source += k;
      job.target = plus(x->type, job.target, r * STRIDE);
      job.sources = job.targets = 1;
      kernels->weight_grad(&job);
    }
  cr_assert_arr_eq(x->weight, before->weight, sizeof x->weight, "%s: %u × %u, %zu samples",
                   kernels_name(kernels), x->targets, x->sources, x->count);
}

static void check_weight_grad(const bdag_kernels *kernels, operands *x) {
  static operands before;
  before = *x;
  const bdag_weight_grad_job job = weight_grad_job(x);
  kernels->weight_grad(&job);
  for (uint32_t k = 0; k < x->sources; k++)
    for (uint32_t r = 0; r < x->targets; r++) check_gradient(x, &before, k, r);
  check_rest(x, &before, 0);
  check_gradient_pieces(kernels, x, &before);
}

/* ---- Pull ------------------------------------------------------------------------------------- */

static bdag_pull_job pull_job(operands *x) {
  return (bdag_pull_job){.weights = x->weight,
                         .slot = x->slot,
                         .successor = x->source,
                         .successors = x->sources,
                         .rows = x->rows,
                         .row_stride = STRIDE,
                         .target = x->target,
                         .count = x->count};
}

static void check_pull_element(const operands *x, const operands *before, size_t t) {
  long double sum = get(x->type, before->target, t), terms = fabsl(sum);
  for (uint32_t i = 0; i < x->sources; i++) {
    const long double term =
        get(x->type, x->weight, x->slot[i]) * get(x->type, x->rows, x->source[i] * STRIDE + t);
    sum += term;
    terms += fabsl(term);
  }
  const long double value = get(x->type, x->target, t);
  if (!is_close(x->type, value, sum, terms, x->sources))
    cr_assert_fail("pull of %u, sample %zu of %zu: %.18Lg instead of %.18Lg", x->sources, t,
                   x->count, value, sum);
}

static void check_pull(const bdag_kernels *kernels, operands *x) {
  static operands before;
  before = *x;
  const bdag_pull_job job = pull_job(x);
  kernels->pull(&job);
  for (size_t t = 0; t < x->count; t++) check_pull_element(x, &before, t);
  check_rest(x, &before, 1);
  for (size_t t = 0; t < x->count; t += BDAG_ROW_QUANTUM) {
    bdag_pull_job piece = pull_job(&before);
    piece.rows = plus(x->type, piece.rows, (ptrdiff_t)t);
    piece.target = plus(x->type, piece.target, (ptrdiff_t)t);
    piece.count = BDAG_ROW_QUANTUM;
    kernels->pull(&piece);
  }
  cr_assert_arr_eq(x->target, before.target, sizeof x->target, "%s: pull of %u, %zu samples",
                   kernels_name(kernels), x->sources, x->count);
}

/* ---- Shapes ----------------------------------------------------------------------------------- */

typedef void shape_check(const bdag_kernels *kernels, operands *x);

static void check_shapes(shape_check *check, uint32_t target_limit, uint64_t seed) {
  static operands x;
  generator random = {seed};
  for (int k = 0; kernels_at(k) != NULL; k++) {
    const bdag_type type = kernels_at(k)->type;
    for (uint32_t targets = 1; targets <= target_limit; targets++)
      for (uint32_t sources = 0; sources <= SOURCE_LIMIT; sources++) {
        draw(&random, &x, type, sources, targets, BDAG_ROW_QUANTUM * (1 + below(&random, 16)));
        check(kernels_at(k), &x);
      }
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
      for (int round = 0; round < 4; round++) {
        draw(&random, &x, type, below(&random, SOURCE_LIMIT + 1), 1 + below(&random, target_limit),
             count);
        check(kernels_at(k), &x);
      }
  }
}

Test(panel, all_shapes) {
  check_shapes(check_panel, TARGET_LIMIT, 11);
}

Test(weight_grad, all_shapes) {
  check_shapes(check_weight_grad, TARGET_LIMIT, 12);
}

Test(pull, all_shapes) {
  check_shapes(check_pull, 1, 13);
}
