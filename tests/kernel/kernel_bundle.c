/* Bundles of every instruction set and type: against long double, bit by bit against lists without the
 * absent cells and between ways to cut the same work, and around numbers that are not finite. */
#include <criterion/criterion.h>
#include <float.h>
#include <string.h>

#include "kernel_check.h"

#define ROWS            24
#define STRIDE          272
#define TILE_LIMIT      3
#define SUCCESSOR_LIMIT 40
#define CELL_LIMIT      (BDAG_BUNDLE_ROWS * SUCCESSOR_LIMIT)
#define ROOM            8

typedef unsigned char row_set[ROWS * STRIDE * sizeof(double)];
typedef unsigned char cell_set[(CELL_LIMIT + 2 * ROOM) * sizeof(double)];

typedef struct bundle {
  const bdag_kernels *kernels;
  _Alignas(64) row_set out[TILE_LIMIT], in_grad[TILE_LIMIT], before, out_grad, again;
  cell_set gradient_before, gradient, gradient_again;
  unsigned char *weights, *weight_guard;
  uint32_t *successor, *successor_guard, *row, *row_guard;
  uint32_t rows, successors, row_limit, tiles;
  bdag_ramps ramps;
  uint8_t is_hole[CELL_LIMIT]; /* [successors][rows], also where no cell is */
  size_t first, count, last_count;
  int from_zero, accumulate;
} bundle;

static size_t samples(const bundle *x, uint32_t tile) {
  return tile + 1 == x->tiles ? x->last_count : x->count;
}

/* Row `row` of a tile. */
static void *row_at(const bundle *x, const void *rows, uint32_t tile, uint32_t row) {
  return plus(x->kernels->type, rows, (tile * (size_t)ROWS + row) * STRIDE);
}

/* Odd rows hold NaN and are no part of a bundle, and so do samples that are no part of the work. */
static void fill_rows(generator *random, const bundle *x, void *rows) {
  const bdag_type type = x->kernels->type;
  fill_numbers(random, type, rows, TILE_LIMIT * ROWS * STRIDE);
  for (uint32_t tile = 0; tile < TILE_LIMIT; tile++)
    for (uint32_t r = 0; r < ROWS; r++) {
      const size_t used = tile < x->tiles && r % 2 == 0 ? samples(x, tile) : 0;
      set_nan(type, plus(type, row_at(x, rows, tile, r), used), STRIDE - used);
    }
}

static void begin(generator *random, bundle *x, const bdag_kernels *kernels, size_t count) {
  const bdag_type type = kernels->type;
  x->kernels = kernels;
  x->count = count;
  x->tiles = 1 + below(random, TILE_LIMIT);
  x->last_count = BDAG_ROW_QUANTUM * (1 + below(random, (uint32_t)count / BDAG_ROW_QUANTUM));
  fill_rows(random, x, x->out);
  fill_rows(random, x, x->in_grad);
  fill_numbers(random, type, x->before, ROWS * STRIDE);
  fill_numbers(random, type, x->gradient_before, CELL_LIMIT + 2 * ROOM);
  if (x->row_guard != NULL) return;
  x->weight_guard = guarded_end(CELL_LIMIT * sizeof(double));
  x->successor_guard = (uint32_t *)guarded_end(SUCCESSOR_LIMIT * sizeof(uint32_t));
  x->row_guard = (uint32_t *)guarded_end(ROWS * sizeof(uint32_t));
}

/* Cell of successor k and row i, cells(x) if there is none. */
static uint32_t cells(const bundle *x) {
  return (uint32_t)bdag_ramp_cells(&x->ramps, x->rows, x->successors);
}

static uint32_t cell_of(const bundle *x, uint32_t k, uint32_t i) {
  uint32_t cell = 0;
  for (uint32_t before = 0; before < k; before++) {
    const bdag_span span = bdag_span_of(&x->ramps, x->rows, x->successors, before);
    cell += span.end - span.first;
  }
  const bdag_span span = bdag_span_of(&x->ramps, x->rows, x->successors, k);
  return i < span.first || i >= span.end ? cells(x) : cell + i - span.first;
}

/* Weights, successors and the numbers of rows end where memory does. About `holes` of 8 cells are absent. */
static void draw_with(generator *random, bundle *x, uint32_t rows, uint32_t successors,
                      uint32_t holes, bdag_ramps ramps) {
  const bdag_type type = x->kernels->type;
  const uint32_t turn = below(random, ROWS / 2);
  x->rows = rows;
  x->ramps = ramps;
  x->successors = successors;
  x->row_limit = rows + below(random, ROWS / 2 - rows + 1);
  x->row = x->row_guard - x->row_limit;
  for (uint32_t i = 0; i < x->row_limit; i++) x->row[i] = 2 * ((turn + 5 * i) % (ROWS / 2));
  x->successor = x->successor_guard - successors;
  for (uint32_t k = 0; k < successors; k++) x->successor[k] = 2 * below(random, ROWS / 2);
  x->weights = x->weight_guard - cells(x) * element_size(type);
  fill_numbers(random, type, x->weights, cells(x));
  for (uint32_t i = 0; i < rows * successors; i++) {
    const uint32_t cell = cell_of(x, i / rows, i % rows);
    x->is_hole[i] = cell == cells(x) || below(random, 8) < holes;
    if (cell < cells(x) && x->is_hole[i]) set(type, x->weights, cell, 0);
  }
  x->first = below(random, ROOM);
  x->from_zero = (int)below(random, 2);
  x->accumulate = (int)below(random, 2);
}

static void draw(generator *random, bundle *x, uint32_t rows, uint32_t successors, uint32_t holes) {
  draw_with(random, x, rows, successors, holes, (bdag_ramps){{0}, {0}});
}

static bdag_bundle_job job_of(const bundle *x) {
  return (bdag_bundle_job){.weights = x->weights,
                           .successor = x->successor,
                           .row = x->row,
                           .successors = x->successors,
                           .rows = x->rows,
                           .ramps = x->ramps,
                           .row_limit = x->row_limit,
                           .out = x->out,
                           .in_grad = x->in_grad,
                           .row_stride = STRIDE,
                           .tile_step = ROWS * STRIDE,
                           .tiles = x->tiles,
                           .count = x->count,
                           .last_count = x->last_count,
                           .from_zero = x->from_zero,
                           .accumulate = x->accumulate};
}

/* `width` samples at a time. */
static int pull(const bundle *x, row_set out_grad, size_t width) {
  const bdag_type type = x->kernels->type;
  const size_t all = samples(x, 0);
  int finite = 1;
  for (size_t t = 0; t < all; t += width) {
    bdag_bundle_job job = job_of(x);
    job.out = plus(type, x->out, t);
    job.in_grad = plus(type, x->in_grad, t);
    job.out_grad = plus(type, out_grad, t);
    job.count = all - t < width ? all - t : width;
    finite &= x->kernels->bundle_pull(&job);
  }
  return finite;
}

/* `group` successors at a time; all where there are ramps. */
static void multiply(const bundle *x, cell_set gradient, uint32_t group) {
  for (uint32_t k = 0; k < x->successors; k += group) {
    bdag_bundle_job job = job_of(x);
    job.gradient = plus(x->kernels->type, gradient, x->first + k * (size_t)x->rows);
    job.successor = x->successor + k;
    job.successors = x->successors - k < group ? x->successors - k : group;
    x->kernels->bundle_grad(&job);
  }
}

/* Row by row, by lists without the absent cells. */
static void pull_lists(const bundle *x, row_set out_grad) {
  const bdag_type type = x->kernels->type;
  const double zero = 0;
  memcpy(out_grad, x->before, sizeof x->before);
  for (uint32_t i = 0; i < x->rows; i++) {
    double weights[SUCCESSOR_LIMIT];
    uint32_t source[SUCCESSOR_LIMIT];
    uint64_t offset[2] = {0, 0};
    for (uint32_t k = 0; k < x->successors; k++) {
      if (x->is_hole[k * x->rows + i]) continue;
      set(type, weights, offset[1], get(type, x->weights, cell_of(x, k, i)));
      source[offset[1]++] = x->successor[k];
    }
    const bdag_list_job job = {.weights = weights,
                               .source = source,
                               .offset = offset,
                               .targets = 1,
                               .rows = x->in_grad,
                               .row_stride = STRIDE,
                               .target = row_at(x, out_grad, 0, x->row[i]),
                               .count = samples(x, 0),
                               .initial = x->from_zero ? &zero : NULL};
    x->kernels->list(&job);
  }
}

/* ---- Against the definition ---------------------------------------------------------------------- */

static void check_out_grad(const bundle *x, uint32_t i, size_t t) {
  const bdag_type type = x->kernels->type;
  const size_t at = x->row[i] * (size_t)STRIDE + t;
  exact_sum sum = {0};
  if (!x->from_zero) add_product(&sum, 1, get(type, x->before, at));
  for (uint32_t k = 0; k < x->successors; k++)
    if (cell_of(x, k, i) < cells(x))
      add_product(&sum, get(type, x->weights, cell_of(x, k, i)),
                  get(type, row_at(x, x->in_grad, 0, x->successor[k]), t));
  if (!is_close(type, get(type, x->out_grad, at), &sum))
    cr_assert_fail("%s: %u × %u, out_grad %u, sample %zu of %zu: %.18Lg instead of %.18Lg",
                   kernels_name(x->kernels), x->rows, x->successors, i, t, samples(x, 0),
                   get(type, x->out_grad, at), sum.sum);
}

static void check_gradient(const bundle *x, uint32_t i, uint32_t k) {
  const bdag_type type = x->kernels->type;
  const size_t at = x->first + cell_of(x, k, i);
  exact_sum sum = {0};
  if (cell_of(x, k, i) == cells(x)) return;
  if (x->accumulate) add_product(&sum, 1, get(type, x->gradient_before, at));
  for (uint32_t tile = 0; tile < x->tiles; tile++)
    add_dot(type, &sum, row_at(x, x->out, tile, x->row[i]),
            row_at(x, x->in_grad, tile, x->successor[k]), samples(x, tile));
  if (!is_close(type, get(type, x->gradient, at), &sum))
    cr_assert_fail("%s: %u × %u, gradient %u, %u, %u tiles of %zu and %zu: %.18Lg, not %.18Lg",
                   kernels_name(x->kernels), x->rows, x->successors, i, k, x->tiles, x->count,
                   x->last_count, get(type, x->gradient, at), sum.sum);
}

/* Rows and cells that are no part of the work, and numbers beyond the count. */
static void check_rest(const bundle *x) {
  const size_t size = element_size(x->kernels->type);
  size_t written[ROWS] = {0};
  for (uint32_t i = 0; i < x->rows; i++) written[x->row[i]] = samples(x, 0);
  for (size_t r = 0; r < ROWS; r++) {
    const size_t from = (r * STRIDE + written[r]) * size;
    if (memcmp(x->out_grad + from, x->before + from, (r + 1) * STRIDE * size - from) != 0)
      cr_assert_fail("%s: row %zu was written", kernels_name(x->kernels), r);
  }
  const size_t end = (x->first + cells(x)) * size;
  cr_assert_arr_eq(x->gradient, x->gradient_before, x->first * size);
  cr_assert_arr_eq(x->gradient + end, x->gradient_before + end, sizeof x->gradient - end);
}

static void run_whole(bundle *x) {
  memcpy(x->out_grad, x->before, sizeof x->out_grad);
  memcpy(x->gradient, x->gradient_before, sizeof x->gradient);
  if (!pull(x, x->out_grad, STRIDE)) cr_assert_fail("%s: not finite", kernels_name(x->kernels));
  multiply(x, x->gradient, SUCCESSOR_LIMIT);
}

static void check_bits(bundle *x, size_t width, uint32_t group) {
  memcpy(x->again, x->before, sizeof x->again);
  memcpy(x->gradient_again, x->gradient_before, sizeof x->gradient_again);
  pull(x, x->again, width);
  multiply(x, x->gradient_again, group);
  if (memcmp(x->again, x->out_grad, sizeof x->again) != 0)
    cr_assert_fail("%s: other out_grad by %zu samples", kernels_name(x->kernels), width);
  if (memcmp(x->gradient_again, x->gradient, sizeof x->gradient) != 0)
    cr_assert_fail("%s: other gradient by %u successors", kernels_name(x->kernels), group);
  pull_lists(x, x->again);
  if (memcmp(x->again, x->out_grad, sizeof x->again) != 0)
    cr_assert_fail("%s: other bits than lists", kernels_name(x->kernels));
}

static void check_drawn(generator *random, bundle *x, uint32_t group) {
  const uint32_t rows = x->rows, successors = x->successors;
  run_whole(x);
  for (uint32_t i = 0; i < rows; i++) {
    for (size_t t = 0; t < samples(x, 0); t++) check_out_grad(x, i, t);
    for (uint32_t k = 0; k < successors; k++) check_gradient(x, i, k);
  }
  check_rest(x);
  check_bits(x, 16 << below(random, 4), group);
}

static void check(generator *random, bundle *x, uint32_t rows, uint32_t successors) {
  draw(random, x, rows, successors, below(random, 7));
  check_drawn(random, x, 1 + below(random, successors + 1));
}

/* The gradients have the bits that they have without ramps. */
static void check_plain(bundle *x) {
  static cell_set plain;
  static bundle all;
  const bdag_type type = x->kernels->type;
  all = *x;
  all.ramps = (bdag_ramps){{0}, {0}};
  all.accumulate = 0;
  multiply(&all, plain, SUCCESSOR_LIMIT);
  x->accumulate = 0;
  multiply(x, x->gradient_again, SUCCESSOR_LIMIT);
  for (uint32_t k = 0; k < x->successors; k++)
    for (uint32_t i = 0; i < x->rows; i++)
      if (cell_of(x, k, i) < cells(x))
        cr_assert(same(type, x->gradient_again, x->first + cell_of(x, k, i), plain,
                       x->first + k * x->rows + i));
}

static void check_ramped(generator *random, bundle *x, uint32_t rows, uint32_t full,
                         uint32_t most) {
  const bdag_ramps ramps = draw_ramps(random, rows, most);
  draw_with(random, x, rows, full + bdag_ramped_sources(&ramps), below(random, 3), ramps);
  check_drawn(random, x, SUCCESSOR_LIMIT);
  check_plain(x);
}

/* Up to 16 successors that all rows read: every rest of a block. */
Test(bundle, ramps) {
  static bundle x;
  generator random = {57};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t full = 0; full <= 16; full++)
      for (uint32_t most = 1; most <= 4; most++) {
        begin(&random, &x, kernels_at(n), BDAG_ROW_QUANTUM * (1 + below(&random, 6)));
        for (uint32_t rows = 2; rows <= BDAG_BUNDLE_ROWS; rows += 2)
          check_ramped(&random, &x, rows, full, most);
      }
}

Test(bundle, all_successors) {
  static bundle x;
  generator random = {51};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t successors = 0; successors <= SUCCESSOR_LIMIT; successors++) {
      begin(&random, &x, kernels_at(n), 2 * BDAG_ROW_QUANTUM);
      for (uint32_t rows = 2; rows <= BDAG_BUNDLE_ROWS; rows += 2)
        check(&random, &x, rows, successors);
    }
}

Test(bundle, all_counts) {
  static bundle x;
  generator random = {52};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
      for (int round = 0; round < 4; round++) {
        begin(&random, &x, kernels_at(n), count);
        for (uint32_t rows = 2; rows <= BDAG_BUNDLE_ROWS; rows += 2)
          check(&random, &x, rows, 1 + below(&random, 20));
      }
}

/* ---- What is not finite -------------------------------------------------------------------------- */

/* Whether row i of the bundle has an edge to `target`. */
static int is_connected(const bundle *x, uint32_t i, uint32_t target) {
  for (uint32_t k = 0; k < x->successors; k++)
    if (x->successor[k] == target && !x->is_hole[k * x->rows + i]) return 1;
  return 0;
}

/* Only sample t of rows for which `is_bad` may differ from out_grad, and is not finite there. */
static void check_only(const bundle *x, const int *is_bad, size_t t, const char *form) {
  const bdag_type type = x->kernels->type;
  for (uint32_t i = 0; i < x->rows; i++)
    for (size_t s = 0; s < STRIDE; s++) {
      const size_t at = x->row[i] * (size_t)STRIDE + s;
      if (s == t && is_bad[i] ? isfinite(get(type, x->again, at))
                              : !same(type, x->again, at, x->out_grad, at))
        cr_assert_fail("%s: %s, row %u, sample %zu of %zu, what is not finite is at %zu",
                       kernels_name(x->kernels), form, i, s, samples(x, 0), t);
    }
}

static void check_poison(bundle *x, uint32_t target, size_t t, long double bad) {
  const bdag_type type = x->kernels->type;
  void *const row = row_at(x, x->in_grad, 0, target);
  const long double good = get(type, row, t);
  set(type, row, t, bad);
  memcpy(x->again, x->before, sizeof x->again);
  if (pull(x, x->again, STRIDE))
    cr_assert_fail("%s: %Lf, sample %zu of %zu, was not seen", kernels_name(x->kernels), bad, t,
                   samples(x, 0));
  int is_bad[BDAG_BUNDLE_ROWS] = {1, 1, 1, 1};
  check_only(x, is_bad, t, "bundle");
  for (uint32_t i = 0; i < x->rows; i++) is_bad[i] = is_connected(x, i, target);
  pull_lists(x, x->again);
  check_only(x, is_bad, t, "lists");
  set(type, row, t, good);
}

/* It is told wherever it is, also across absent cells, and lists then keep it from rows without that edge. */
Test(bundle, what_is_not_finite_is_told) {
  static bundle x;
  generator random = {53};
  const long double bad[] = {NAN, INFINITY, -INFINITY};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (size_t count = BDAG_ROW_QUANTUM; count <= 80; count += BDAG_ROW_QUANTUM) {
      begin(&random, &x, kernels_at(n), count);
      for (uint32_t rows = 2; rows <= BDAG_BUNDLE_ROWS; rows += 2) {
        draw(&random, &x, rows, 5, 5);
        run_whole(&x);
        for (size_t t = 0; t < samples(&x, 0); t++)
          check_poison(&x, x.successor[below(&random, 5)], t, bad[t % 3]);
      }
    }
}

/* Also where the sums start from it; never where they start from zero. */
Test(bundle, what_sums_start_from) {
  static bundle x;
  generator random = {54};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t i = 0; i < BDAG_BUNDLE_ROWS; i++) {
      begin(&random, &x, kernels_at(n), 3 * BDAG_ROW_QUANTUM);
      draw(&random, &x, BDAG_BUNDLE_ROWS, 3, 2);
      const size_t t = below(&random, (uint32_t)samples(&x, 0));
      for (x.from_zero = 0; x.from_zero < 2; x.from_zero++) {
        memcpy(x.again, x.before, sizeof x.again);
        set(kernels_at(n)->type, row_at(&x, x.again, 0, x.row[i]), t, NAN);
        cr_assert_eq(pull(&x, x.again, STRIDE), x.from_zero);
      }
    }
}

/* The largest numbers are finite, twice as much is not. */
Test(bundle, largest_numbers) {
  static bundle x;
  generator random = {55};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    const bdag_type type = kernels_at(n)->type;
    begin(&random, &x, kernels_at(n), 5 * BDAG_ROW_QUANTUM);
    draw(&random, &x, BDAG_BUNDLE_ROWS, 1, 0);
    x.from_zero = 1;
    for (size_t t = 0; t < samples(&x, 0); t++)
      set(type, row_at(&x, x.in_grad, 0, x.successor[0]), t,
          (t % 3 == 0 ? -1 : 1) * (type == BDAG_FLOAT32 ? (long double)FLT_MAX : DBL_MAX));
    for (uint32_t i = 0; i < x.rows; i++) set(type, x.weights, i, i % 2 == 0 ? 1 : -1);
    cr_assert_eq(pull(&x, x.out_grad, STRIDE), 1);
    for (uint32_t i = 0; i < x.rows; i++) {
      set(type, x.weights, i, 2);
      cr_assert_eq(pull(&x, x.out_grad, STRIDE), 0);
      set(type, x.weights, i, 1);
    }
  }
}

/* NaN in a row makes the gradients of its own cells NaN and leaves all others. */
Test(bundle, gradients_do_not_leak) {
  static bundle x;
  generator random = {56};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t row = 0; row < ROWS; row += 2) {
      const bdag_type type = kernels_at(n)->type;
      begin(&random, &x, kernels_at(n), 3 * BDAG_ROW_QUANTUM);
      const uint32_t together = 2 + row % 4;
      const bdag_ramps ramps = draw_ramps(&random, together, row % 3);
      draw_with(&random, &x, together, 1 + below(&random, 12) + bdag_ramped_sources(&ramps), 3,
                ramps);
      run_whole(&x);
      const uint32_t tile = below(&random, x.tiles), in_out = below(&random, 2);
      void *const rows = in_out ? x.out : x.in_grad;
      set(type, row_at(&x, rows, tile, row), below(&random, (uint32_t)samples(&x, tile)), NAN);
      memcpy(x.gradient_again, x.gradient_before, sizeof x.gradient_again);
      multiply(&x, x.gradient_again, SUCCESSOR_LIMIT);
      for (uint32_t i = 0; i < x.rows * x.successors; i++) {
        const uint32_t own = in_out ? x.row[i % x.rows] : x.successor[i / x.rows];
        if (cell_of(&x, i / x.rows, i % x.rows) == cells(&x)) continue;
        const size_t at = x.first + cell_of(&x, i / x.rows, i % x.rows);
        cr_assert(own == row ? isnan(get(type, x.gradient_again, at))
                             : same(type, x.gradient_again, at, x.gradient, at));
      }
    }
}
