/* The backward sweep of every instruction set and type: against long double, and bit by bit against
 * lists and against single rows. */
#include <criterion/criterion.h>
#include <string.h>

#include "kernel_check.h"

#define ROWS            40
#define STRIDE          272
#define SUCCESSOR_LIMIT 40
#define ENTRY_LIMIT     (ROWS * SUCCESSOR_LIMIT + 8)

typedef unsigned char row_set[ROWS * STRIDE * sizeof(double)];
typedef unsigned char entry_set[(ENTRY_LIMIT + 8) * sizeof(double)];

typedef struct sweep {
  const bdag_kernels *kernels;
  _Alignas(64) row_set out, in_grad, before, out_grad, again;
  entry_set weights, gradient_before, gradient, gradient_again;
  uint32_t rows;
  uint64_t offset[ROWS + 1];
  uint32_t *successor, *guard, *row, *row_guard;
  size_t count;
  int pulls, dots, from_zero, accumulate;
  uint32_t ahead;
  const bdag_derive_job *derive;
} sweep;

/* Odd rows of in_grad hold NaN and are nobody's successor. */
static void begin(generator *random, sweep *x, const bdag_kernels *kernels) {
  const bdag_type type = kernels->type;
  x->kernels = kernels;
  fill_numbers(random, type, x->out, ROWS * STRIDE);
  fill_numbers(random, type, x->in_grad, ROWS * STRIDE);
  for (size_t r = 1; r < ROWS; r += 2) set_nan(type, plus(type, x->in_grad, r * STRIDE), STRIDE);
  fill_numbers(random, type, x->before, ROWS * STRIDE);
  fill_numbers(random, type, x->weights, ENTRY_LIMIT + 8);
  fill_numbers(random, type, x->gradient_before, ENTRY_LIMIT + 8);
  if (x->guard == NULL) x->guard = (uint32_t *)guarded_end(ENTRY_LIMIT * sizeof(uint32_t));
  if (x->row_guard == NULL) x->row_guard = (uint32_t *)guarded_end(ROWS * sizeof(uint32_t));
}

/* The numbers of successors and of rows end where memory does. */
static void draw(generator *random, sweep *x, uint32_t rows, uint32_t most, size_t count) {
  uint32_t order[ROWS];
  for (uint32_t i = 0; i < ROWS; i++) order[i] = i;
  x->row = x->row_guard - rows;
  for (uint32_t i = 0; i < rows; i++) {
    const uint32_t j = i + below(random, ROWS - i);
    x->row[i] = order[j];
    order[j] = order[i];
  }
  x->rows = rows;
  x->count = count;
  x->offset[0] = below(random, 8);
  for (uint32_t i = 0; i < rows; i++) x->offset[i + 1] = x->offset[i] + below(random, most + 1);
  x->successor = x->guard - x->offset[rows];
  for (uint64_t e = 0; e < x->offset[rows]; e++) x->successor[e] = 2 * below(random, ROWS / 2);
  x->from_zero = (int)below(random, 2);
  x->accumulate = (int)below(random, 2);
  x->ahead = below(random, 2) * (1 + below(random, 40));
}

/* Rows first … first+rows−1 of the sweep, samples t … t+count−1. */
static void run(const sweep *x, row_set out_grad, entry_set gradient, uint32_t first, uint32_t rows,
                size_t t, size_t count) {
  const bdag_type type = x->kernels->type;
  const bdag_sweep_job job = {.weights = plus(type, x->weights, x->offset[first]),
                              .gradient = x->dots ? plus(type, gradient, x->offset[first]) : NULL,
                              .successor = x->successor,
                              .offset = x->offset + first,
                              .row = x->row + first,
                              .rows = rows,
                              .row_limit = x->rows - first,
                              .out = plus(type, x->out, t),
                              .in_grad = plus(type, x->in_grad, t),
                              .out_grad = x->pulls ? plus(type, out_grad, t) : NULL,
                              .row_stride = STRIDE,
                              .count = count,
                              .from_zero = x->from_zero,
                              .accumulate = x->accumulate,
                              .ahead = x->ahead,
                              .derive = x->derive,
                              .limit = x->offset[x->rows]};
  x->kernels->sweep(&job);
}

/* ---- Against the definition ---------------------------------------------------------------------- */

static void check_out_grad(const sweep *x, uint32_t i, size_t t) {
  const bdag_type type = x->kernels->type;
  const size_t at = x->row[i] * (size_t)STRIDE + t;
  exact_sum sum = {0};
  if (!x->from_zero) add_product(&sum, 1, get(type, x->before, at));
  for (uint64_t e = x->offset[i]; e < x->offset[i + 1]; e++)
    add_product(&sum, get(type, x->weights, e),
                get(type, x->in_grad, x->successor[e] * (size_t)STRIDE + t));
  if (!is_close(type, get(type, x->out_grad, at), &sum))
    cr_assert_fail("%s: out_grad of row %u, sample %zu of %zu: %.18Lg instead of %.18Lg",
                   kernels_name(x->kernels), i, t, x->count, get(type, x->out_grad, at), sum.sum);
}

static void check_gradient(const sweep *x, uint32_t i, uint64_t e) {
  const bdag_type type = x->kernels->type;
  const void *const out = plus(type, x->out, x->row[i] * (size_t)STRIDE);
  const void *const in_grad = plus(type, x->in_grad, x->successor[e] * (size_t)STRIDE);
  exact_sum sum = {0};
  if (x->accumulate) add_product(&sum, 1, get(type, x->gradient_before, e));
  add_dot(type, &sum, out, in_grad, x->count);
  if (!is_close(type, get(type, x->gradient, e), &sum))
    cr_assert_fail("%s: gradient of entry %zu, row %u, %zu samples: %.18Lg instead of %.18Lg",
                   kernels_name(x->kernels), (size_t)e, i, x->count, get(type, x->gradient, e),
                   sum.sum);
}

/* Rows and entries that are no part of the work, and numbers beyond the count. */
static void check_rest(const sweep *x) {
  const size_t size = element_size(x->kernels->type);
  int swept[ROWS] = {0};
  for (uint32_t i = 0; i < x->rows; i++) swept[x->row[i]] = x->pulls;
  for (size_t r = 0; r < ROWS; r++) {
    const size_t begin = (r * STRIDE + (swept[r] ? x->count : 0)) * size;
    if (memcmp(x->out_grad + begin, x->before + begin, (r + 1) * STRIDE * size - begin) != 0)
      cr_assert_fail("%s: row %zu was written", kernels_name(x->kernels), r);
  }
  const size_t first = x->dots ? (size_t)x->offset[0] * size : 0;
  const size_t end = x->dots ? (size_t)x->offset[x->rows] * size : 0;
  cr_assert_arr_eq(x->gradient, x->gradient_before, first);
  cr_assert_arr_eq(x->gradient + end, x->gradient_before + end, sizeof x->gradient - end);
}

static void run_whole(sweep *x) {
  memcpy(x->out_grad, x->before, sizeof x->out_grad);
  memcpy(x->gradient, x->gradient_before, sizeof x->gradient);
  run(x, x->out_grad, x->gradient, 0, x->rows, 0, x->count);
}

static void check(sweep *x) {
  run_whole(x);
  for (uint32_t i = 0; i < x->rows; i++) {
    for (size_t t = 0; x->pulls && t < x->count; t++) check_out_grad(x, i, t);
    for (uint64_t e = x->offset[i]; x->dots && e < x->offset[i + 1]; e++) check_gradient(x, i, e);
  }
  check_rest(x);
}

/* ---- Bit by bit ---------------------------------------------------------------------------------- */

/* Lists with the weights of successors: sums over a sample's terms are the same everywhere. */
static void check_lists(sweep *x) {
  const bdag_type type = x->kernels->type;
  const double zero = 0;
  memcpy(x->again, x->before, sizeof x->again);
  for (uint32_t i = 0; i < x->rows; i++) {
    const bdag_list_job job = {.weights = plus(type, x->weights, x->offset[i]),
                               .source = x->successor,
                               .offset = x->offset + i,
                               .targets = 1,
                               .rows = x->in_grad,
                               .row_stride = STRIDE,
                               .target = plus(type, x->again, x->row[i] * (size_t)STRIDE),
                               .count = x->count,
                               .initial = x->from_zero ? &zero : NULL};
    x->kernels->list(&job);
  }
  if (memcmp(x->again, x->out_grad, sizeof x->again) != 0)
    cr_assert_fail("%s: other bits than lists, %zu samples", kernels_name(x->kernels), x->count);
}

static void check_again(sweep *x, const char *way) {
  if (x->pulls && memcmp(x->again, x->out_grad, sizeof x->again) != 0)
    cr_assert_fail("%s: other out_grad %s", kernels_name(x->kernels), way);
  if (x->dots && memcmp(x->gradient_again, x->gradient, sizeof x->gradient) != 0)
    cr_assert_fail("%s: other gradient %s", kernels_name(x->kernels), way);
}

static void check_single_rows(sweep *x) {
  memcpy(x->again, x->before, sizeof x->again);
  memcpy(x->gradient_again, x->gradient_before, sizeof x->gradient);
  for (uint32_t i = 0; i < x->rows; i++) run(x, x->again, x->gradient_again, i, 1, 0, x->count);
  check_again(x, "row by row");
}

/* Without the other result. */
static void check_halves(sweep *x) {
  memcpy(x->again, x->before, sizeof x->again);
  memcpy(x->gradient_again, x->gradient_before, sizeof x->gradient);
  x->dots = 0;
  run(x, x->again, NULL, 0, x->rows, 0, x->count);
  x->dots = 1;
  x->pulls = 0;
  run(x, NULL, x->gradient_again, 0, x->rows, 0, x->count);
  x->pulls = 1;
  check_again(x, "alone");
}

/* out_grad of few samples at a time. */
static void check_widths(sweep *x, size_t width) {
  memcpy(x->again, x->before, sizeof x->again);
  x->dots = 0;
  for (size_t t = 0; t < x->count; t += width)
    run(x, x->again, NULL, 0, x->rows, t, x->count - t < width ? x->count - t : width);
  check_again(x, "by narrower rows");
  x->dots = 1;
}

static void check_bits(generator *random, sweep *x) {
  run_whole(x);
  check_lists(x);
  check_single_rows(x);
  check_halves(x);
  check_widths(x, 16 << below(random, 4));
}

/* ---- σ′ in the same kernel ------------------------------------------------------------------------- */

/* The results of one kernel and of two, in place or not. */
static void check_derived(sweep *x, uint32_t kind, int in_place) {
  const bdag_type type = x->kernels->type;
  static _Alignas(64) row_set derived, derived_again;
  double sum[ROWS], sum_again[ROWS];
  bdag_derive_job derive = {.kind = kind,
                            .row = x->row,
                            .rows = x->rows,
                            .out = x->out,
                            .out_grad = x->out_grad,
                            .in_grad = in_place ? x->out_grad : derived,
                            .row_stride = STRIDE,
                            .count = x->count,
                            .sum = sum};
  fill_numbers(&(generator){44}, type, derived, ROWS * STRIDE);
  memcpy(derived_again, derived, sizeof derived);
  x->derive = &derive;
  run_whole(x);
  x->derive = NULL;
  memcpy(x->again, x->before, sizeof x->again);
  memcpy(x->gradient_again, x->gradient_before, sizeof x->gradient);
  run(x, x->again, x->gradient_again, 0, x->rows, 0, x->count);
  derive.out_grad = x->again;
  derive.in_grad = in_place ? x->again : derived_again;
  derive.sum = sum_again;
  x->kernels->derive(&derive);
  check_again(x, "with derivatives");
  if (memcmp(derived, derived_again, sizeof derived) != 0 ||
      memcmp(sum, sum_again, x->rows * sizeof *sum) != 0)
    cr_assert_fail("%s: other in_grad, activation %u, %zu samples", kernels_name(x->kernels), kind,
                   x->count);
}

Test(sweep, derives_rows) {
  static const uint32_t kinds[] = {BDAG_RELU, BDAG_TANH, BDAG_SIGMOID, BDAG_IDENTITY,
                                   BDAG_NEAT_CLAMPED};
  static sweep x;
  generator random = {45};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    x.pulls = x.dots = 1;
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
      for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        draw(&random, &x, 1 + below(&random, ROWS), 1 + below(&random, SUCCESSOR_LIMIT), count);
        check_derived(&x, kinds[k], below(&random, 2) == 1);
      }
  }
}

/* ---- Shapes -------------------------------------------------------------------------------------- */

Test(sweep, all_counts) {
  static sweep x;
  generator random = {41};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
      for (int round = 0; round < 12; round++) {
        draw(&random, &x, 1 + below(&random, 12), 1 + below(&random, SUCCESSOR_LIMIT), count);
        x.pulls = round % 3 != 1;
        x.dots = round % 3 != 2;
        check(&x);
      }
  }
}

/* Many rows of few successors: sums that wait come from several rows. */
Test(sweep, all_rows) {
  static sweep x;
  generator random = {42};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (uint32_t rows = 0; rows <= ROWS; rows++)
      for (uint32_t most = 0; most <= 5; most++) {
        draw(&random, &x, rows, most, BDAG_ROW_QUANTUM * (1 + below(&random, 2)));
        x.pulls = x.dots = 1;
        check(&x);
      }
    draw(&random, &x, ROWS, SUCCESSOR_LIMIT, BDAG_ROW_QUANTUM);
    check(&x);
  }
}

Test(sweep, results_do_not_depend_on_neighbours) {
  static sweep x;
  generator random = {43};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    x.pulls = x.dots = 1;
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
      for (int round = 0; round < 4; round++) {
        draw(&random, &x, 1 + below(&random, ROWS), 1 + below(&random, SUCCESSOR_LIMIT), count);
        check_bits(&random, &x);
      }
  }
}
