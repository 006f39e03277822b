/* Dense weight gradients of every instruction set and type, both forms: against long double, and bit by
 * bit between different ways to cut the same work. */
#include <criterion/criterion.h>
#include <string.h>

#include "kernel_check.h"

#define ROWS         24
#define STRIDE       272
#define TILE_LIMIT   4
#define TARGET_LIMIT 70
#define SOURCE_LIMIT 30
#define STEP_LIMIT   80
#define EDGE_LIMIT   ((SOURCE_LIMIT + 1) * STEP_LIMIT)

typedef unsigned char edges[EDGE_LIMIT * sizeof(double)];

typedef struct dense {
  const bdag_kernels *kernels;
  /* [tile][row][sample]; samples that are no part of the work hold NaN */
  _Alignas(64) unsigned char out[TILE_LIMIT * ROWS * STRIDE * sizeof(double)];
  _Alignas(64) unsigned char in_grad[TILE_LIMIT * TARGET_LIMIT * STRIDE * sizeof(double)];
  _Alignas(64) edges before, gradient, again;
  uint32_t *source, *source_guard;
  uint32_t sources, targets, tiles;
  size_t step, count, last_count;
  int accumulate;
  unsigned char *guard;
} dense;

/* What one call computes. */
typedef struct block {
  uint32_t source, sources, target, targets;
} block;

typedef void run_block(const dense *x, edges gradient, block part);

static size_t samples(const dense *x, uint32_t tile) {
  return tile + 1 == x->tiles ? x->last_count : x->count;
}

static void forget_rest(const dense *x, void *numbers, size_t rows) {
  const bdag_type type = x->kernels->type;
  for (uint32_t tile = 0; tile < TILE_LIMIT; tile++)
    for (size_t r = 0; r < rows; r++) {
      const size_t used = tile < x->tiles ? samples(x, tile) : 0;
      set_nan(type, plus(type, numbers, (tile * rows + r) * STRIDE + used), STRIDE - used);
    }
}

/* Another number of tiles and samples. */
static void begin(generator *random, dense *x, const bdag_kernels *kernels, size_t count) {
  const bdag_type type = kernels->type;
  x->kernels = kernels;
  x->count = count;
  x->tiles = 1 + below(random, TILE_LIMIT);
  x->last_count = BDAG_ROW_QUANTUM * (1 + below(random, (uint32_t)count / BDAG_ROW_QUANTUM));
  fill_numbers(random, type, x->out, TILE_LIMIT * ROWS * STRIDE);
  fill_numbers(random, type, x->in_grad, TILE_LIMIT * TARGET_LIMIT * STRIDE);
  forget_rest(x, x->out, ROWS);
  forget_rest(x, x->in_grad, TARGET_LIMIT);
  if (x->guard != NULL) return;
  x->guard = guarded_end(TILE_LIMIT * 256 * STEP_LIMIT * sizeof(double));
  x->source_guard = (uint32_t *)guarded_end(2 * SOURCE_LIMIT * sizeof(uint32_t));
}

/* The list of sources, with those that may be looked at, ends where memory does. Columns beyond the
 * targets are zero where gradients are added to, and anything otherwise. */
static void draw(generator *random, dense *x, uint32_t sources, uint32_t targets) {
  const bdag_type type = x->kernels->type;
  const size_t next_multiple = (targets + 15) / 16 * 16;
  x->sources = sources;
  x->targets = targets;
  x->step = below(random, 2) ? next_multiple : targets;
  x->accumulate = (int)below(random, 2);
  x->source = x->source_guard - sources - below(random, SOURCE_LIMIT);
  for (uint32_t *source = x->source; source < x->source_guard; source++)
    *source = below(random, ROWS);
  fill_numbers(random, type, x->before, EDGE_LIMIT);
  for (size_t i = 0; x->accumulate && i < sources * x->step; i++)
    if (i % x->step >= targets) set(type, x->before, i, 0);
}

static bdag_weight_grad_job job_of(const dense *x, edges gradient, block part) {
  const bdag_type type = x->kernels->type;
  return (bdag_weight_grad_job){
      .gradient = plus(type, gradient, part.source * x->step + part.target),
      .source_step = (ptrdiff_t)x->step,
      .source = x->source + part.source,
      .source_limit = (uint64_t)(x->source_guard - x->source) - part.source,
      .sources = part.sources,
      .targets = part.targets,
      .rows = x->out,
      .target = plus(type, x->in_grad, part.target * STRIDE),
      .row_stride = STRIDE,
      .out_tile_step = ROWS * STRIDE,
      .grad_tile_step = TARGET_LIMIT * STRIDE,
      .tiles = x->tiles,
      .count = x->count,
      .last_count = x->last_count,
      .accumulate = x->accumulate};
}

static void run_dot(const dense *x, edges gradient, block part) {
  const bdag_weight_grad_job job = job_of(x, gradient, part);
  x->kernels->weight_grad(&job);
}

/* The scratch ends where memory does. */
static void run_transposed(const dense *x, edges gradient, block part) {
  bdag_weight_grad_job job = job_of(x, gradient, part);
  const size_t size = element_size(x->kernels->type) * x->tiles * x->count * x->step;
  job.scratch = x->guard - size;
  memset(job.scratch, 0xff, size);
  if (size < TILE_LIMIT * 256 * STEP_LIMIT * sizeof(double)) x->guard[-(ptrdiff_t)size - 1] = 0x5a;
  x->kernels->weight_grad_transposed(&job);
  if (size < TILE_LIMIT * 256 * STEP_LIMIT * sizeof(double))
    cr_assert_eq(x->guard[-(ptrdiff_t)size - 1], 0x5a);
}

/* ---- Checks -------------------------------------------------------------------------------------- */

static void exact_gradients(const dense *x, exact_sum *exact) {
  const bdag_type type = x->kernels->type;
  for (uint32_t k = 0; k < x->sources; k++)
    for (uint32_t r = 0; r < x->targets; r++) {
      exact_sum sum = {0};
      if (x->accumulate) add_product(&sum, 1, get(type, x->before, k * x->step + r));
      for (uint32_t tile = 0; tile < x->tiles; tile++) {
        const void *const out = plus(type, x->out, (tile * ROWS + x->source[k]) * STRIDE);
        const void *const in_grad = plus(type, x->in_grad, (tile * TARGET_LIMIT + r) * STRIDE);
        add_dot(type, &sum, out, in_grad, samples(x, tile));
      }
      exact[k * TARGET_LIMIT + r] = sum;
    }
}

static void check_gradients(const dense *x, const exact_sum *exact, int padding_is_zero,
                            const char *form) {
  const bdag_type type = x->kernels->type;
  for (size_t i = 0; i < EDGE_LIMIT; i++) {
    const size_t k = i / x->step, r = i % x->step;
    const long double value = get(type, x->gradient, i);
    int right;
    if (k < x->sources && r < x->targets)
      right = is_close(type, value, &exact[k * TARGET_LIMIT + r]);
    else if (k < x->sources && padding_is_zero)
      right = value == 0;
    else
      right = same(type, x->gradient, i, x->before, i);
    if (!right)
      cr_assert_fail("%s, %s: %u × %u, step %zu, %u tiles of %zu and %zu, source %zu, target %zu: "
                     "%.18Lg",
                     kernels_name(x->kernels), form, x->targets, x->sources, x->step, x->tiles,
                     x->count, x->last_count, k, r, value);
  }
}

static void run_whole(dense *x, run_block *run) {
  memcpy(x->gradient, x->before, sizeof x->gradient);
  run(x, x->gradient, (block){0, x->sources, 0, x->targets});
}

/* The same bits from pieces of at most that many sources and targets. */
static void check_pieces(dense *x, run_block *run, uint32_t sources, uint32_t targets) {
  memcpy(x->again, x->before, sizeof x->again);
  for (uint32_t k = 0; k < x->sources; k += sources)
    for (uint32_t r = 0; r < x->targets; r += targets)
      run(x, x->again,
          (block){k, x->sources - k < sources ? x->sources - k : sources, r,
                  x->targets - r < targets ? x->targets - r : targets});
  if (memcmp(x->again, x->gradient, sizeof x->again) != 0)
    cr_assert_fail("%s: %u × %u, %u tiles: other bits by %u sources and %u targets",
                   kernels_name(x->kernels), x->targets, x->sources, x->tiles, sources, targets);
}

static void check(generator *random, dense *x, uint32_t sources, uint32_t targets) {
  static exact_sum exact[SOURCE_LIMIT * TARGET_LIMIT];
  draw(random, x, sources, targets);
  exact_gradients(x, exact);
  run_whole(x, run_dot);
  check_gradients(x, exact, 0, "dot products");
  check_pieces(x, run_dot, 1 + below(random, sources), 1 + below(random, targets));
  if (x->step % 16 != 0) return;
  run_whole(x, run_transposed);
  check_gradients(x, exact, 1, "transposed");
  check_pieces(x, run_transposed, 1 + below(random, sources), targets);
}

Test(weight_grad, all_shapes) {
  static dense x;
  generator random = {21};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t targets = 1; targets <= TARGET_LIMIT; targets++) {
      if (targets % 5 == 1) begin(&random, &x, kernels_at(n), BDAG_ROW_QUANTUM);
      for (int round = 0; round < 3; round++)
        check(&random, &x, 1 + below(&random, SOURCE_LIMIT), targets);
    }
}

Test(weight_grad, all_sources) {
  static dense x;
  generator random = {22};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t sources = 1; sources <= SOURCE_LIMIT; sources++) {
      if (sources % 5 == 1) begin(&random, &x, kernels_at(n), 2 * BDAG_ROW_QUANTUM);
      for (uint32_t vectors = 1; vectors <= 4; vectors++)
        check(&random, &x, sources, 16 * vectors - below(&random, 16));
    }
}

Test(weight_grad, all_counts) {
  static dense x;
  generator random = {23};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM) {
      begin(&random, &x, kernels_at(n), count);
      for (int round = 0; round < 4; round++)
        check(&random, &x, 1 + below(&random, 14), 1 + below(&random, 24));
    }
}
