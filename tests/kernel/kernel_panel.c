/* The forward kernels (panels, unions, lists) of every instruction set and type: against long double,
 * and bit by bit between kernels and between different ways to cut the same work. */
#include <criterion/criterion.h>
#include <string.h>

#include "kernel_check.h"

#define ROWS         48
#define STRIDE       272
#define TARGET_LIMIT 13
#define SOURCE_LIMIT 200
#define TERM_LIMIT   (TARGET_LIMIT * SOURCE_LIMIT)
#define WEIGHT_LIMIT ((TARGET_LIMIT + 2) * (SOURCE_LIMIT + 2))
#define ZERO_SLOT    WEIGHT_LIMIT
#define PLACES       29 /* a prime number */

typedef unsigned char target_rows[(TARGET_LIMIT + 1) * STRIDE * sizeof(double)];

/* Operands, and the terms weight[slot] · row(source) of each target in order: target r has those from
 * offset[r] to offset[r + 1]. */
typedef struct forward {
  const bdag_kernels *kernels;
  _Alignas(64) unsigned char rows[ROWS * STRIDE * sizeof(double)];
  _Alignas(64) target_rows before, target, again;
  unsigned char weight[(WEIGHT_LIMIT + 1) * sizeof(double)];
  unsigned char initial[TARGET_LIMIT * sizeof(double)];
  uint32_t targets, sources;
  ptrdiff_t source_step, target_step;
  size_t count;
  int has_initial;
  uint32_t ahead;
  uint64_t offset[TARGET_LIMIT + 1];
  uint32_t slot[TERM_LIMIT + 8], source[TERM_LIMIT + 8];
  unsigned char *guard;
  uint32_t *place, *place_guard; /* rows of the targets of run_listed */
  bdag_ramps ramps;              /* of run_ramps, and all sources: */
  uint32_t shared[SOURCE_LIMIT];
} forward;

/* What one call computes: targets first … first+targets−1, samples t … t+count−1. */
typedef struct piece {
  uint32_t first, targets;
  size_t t, count;
} piece;

typedef void run_piece(const forward *x, target_rows target, piece part);

/* Odd rows hold NaN and are nobody's source. */
static void begin(generator *random, forward *x, const bdag_kernels *kernels) {
  const bdag_type type = kernels->type;
  x->kernels = kernels;
  fill_numbers(random, type, x->rows, ROWS * STRIDE);
  for (size_t r = 1; r < ROWS; r += 2) set_nan(type, plus(type, x->rows, r * STRIDE), STRIDE);
  fill_numbers(random, type, x->before, (TARGET_LIMIT + 1) * STRIDE);
  fill_numbers(random, type, x->weight, WEIGHT_LIMIT);
  set(type, x->weight, ZERO_SLOT, 0);
  fill_numbers(random, type, x->initial, TARGET_LIMIT);
  if (x->guard != NULL) return;
  x->guard = guarded_end(sizeof x->source);
  x->place_guard = (uint32_t *)guarded_end(PLACES * sizeof(uint32_t));
}

static void draw(generator *random, forward *x, uint32_t sources, uint32_t targets, size_t count) {
  x->targets = targets;
  x->sources = sources;
  x->count = count;
  x->has_initial = (int)below(random, 2);
  x->ahead = 32 * below(random, 2);
  x->offset[0] = below(random, 8);
}

/* ---- Runs ---------------------------------------------------------------------------------------- */

static const void *initial_of(const forward *x, piece part) {
  return x->has_initial ? plus(x->kernels->type, x->initial, part.first) : NULL;
}

static bdag_panel_job panel_job(const forward *x, piece part) {
  const bdag_type type = x->kernels->type;
  return (bdag_panel_job){.weight = plus(type, x->weight, part.first * (size_t)x->target_step),
                          .source_step = x->source_step,
                          .target_step = x->target_step,
                          .source = x->source + x->offset[0],
                          .sources = x->sources,
                          .targets = part.targets,
                          .rows = plus(type, x->rows, part.t),
                          .row_stride = STRIDE,
                          .count = part.count,
                          .initial = initial_of(x, part)};
}

static void run_panel(const forward *x, target_rows target, piece part) {
  bdag_panel_job job = panel_job(x, part);
  job.target = plus(x->kernels->type, target, part.first * STRIDE + part.t);
  x->kernels->panel(&job);
}

/* The targets are scattered over rows whose list ends where memory does; rows between stay as they are. */
static void run_listed(const forward *x, target_rows target, piece part) {
  static _Alignas(64) unsigned char rows[PLACES * STRIDE * sizeof(double)], untouched[sizeof rows];
  const bdag_type type = x->kernels->type;
  const size_t bytes = STRIDE * element_size(type);
  memset(untouched, 0x7f, sizeof untouched);
  memcpy(rows, untouched, sizeof rows);
  for (uint32_t r = 0; r < x->targets; r++)
    memcpy(rows + x->place[r] * bytes, target + r * bytes, bytes);
  bdag_panel_job job = panel_job(x, part);
  job.target = plus(type, rows, part.t);
  job.target_row = x->place + part.first;
  job.target_limit = (uint32_t)(x->place_guard - job.target_row);
  x->kernels->panel(&job);
  for (uint32_t r = 0; r < x->targets; r++) {
    memcpy(target + r * bytes, rows + x->place[r] * bytes, bytes);
    memset(rows + x->place[r] * bytes, 0x7f, bytes);
  }
  if (memcmp(rows, untouched, sizeof rows) != 0)
    cr_assert_fail("%s: a row that is not listed was written", kernels_name(x->kernels));
}

static void run_union(const forward *x, target_rows target, piece part) {
  const bdag_type type = x->kernels->type;
  static uint32_t slot[TERM_LIMIT];
  for (uint32_t k = 0; k < x->sources; k++)
    for (uint32_t i = 0; i < part.targets; i++)
      slot[k * part.targets + i] = x->slot[x->offset[part.first + i] + k];
  static unsigned char weights[TERM_LIMIT * sizeof(double)];
  x->kernels->gather(x->weight, slot, (size_t)x->sources * part.targets, weights);
  const bdag_union_job job = {.weights = weights,
                              .source = x->source + x->offset[0],
                              .sources = x->sources,
                              .targets = part.targets,
                              .rows = plus(type, x->rows, part.t),
                              .row_stride = STRIDE,
                              .target = plus(type, target, part.first * STRIDE + part.t),
                              .count = part.count,
                              .initial = initial_of(x, part)};
  x->kernels->union_panel(&job);
}

/* All targets; sources and weights end where memory does. */
static void run_ramps(const forward *x, target_rows target, piece part) {
  static unsigned char *weight_end;
  static uint32_t slot[TERM_LIMIT];
  if (weight_end == NULL) weight_end = guarded_end(TERM_LIMIT * sizeof(double));
  const bdag_type type = x->kernels->type;
  uint64_t next[BDAG_UNION_TARGETS];
  uint32_t cells = 0;
  memcpy(next, x->offset, x->targets * sizeof *next);
  for (uint32_t k = 0; k < x->sources; k++) {
    const bdag_span span = bdag_span_of(&x->ramps, x->targets, x->sources, k);
    for (uint32_t r = span.first; r < span.end; r++) slot[cells++] = x->slot[next[r]++];
  }
  cr_assert_eq(cells, bdag_ramp_cells(&x->ramps, x->targets, x->sources));
  unsigned char *weights = weight_end - cells * element_size(type);
  x->kernels->gather(x->weight, slot, cells, weights);
  uint32_t *source = (uint32_t *)x->guard - x->sources;
  memcpy(source, x->shared, x->sources * sizeof *source);
  const bdag_union_job job = {.weights = weights,
                              .source = source,
                              .sources = x->sources,
                              .targets = x->targets,
                              .ramps = x->ramps,
                              .rows = plus(type, x->rows, part.t),
                              .row_stride = STRIDE,
                              .target = plus(type, target, part.t),
                              .count = part.count,
                              .initial = initial_of(x, part)};
  x->kernels->union_panel(&job);
}

/* The numbers of sources end where memory does. */
static void run_list(const forward *x, target_rows target, piece part) {
  const bdag_type type = x->kernels->type;
  const uint64_t end = x->offset[x->targets];
  uint32_t *const source = (uint32_t *)x->guard - end;
  memcpy(source, x->source, end * sizeof *source);
  static unsigned char weights[TERM_LIMIT * sizeof(double)];
  const uint64_t first = x->offset[part.first];
  x->kernels->gather(x->weight, x->slot + first, end - first, weights);
  const bdag_list_job job = {.weights = weights,
                             .source = source,
                             .offset = x->offset + part.first,
                             .targets = part.targets,
                             .rows = plus(type, x->rows, part.t),
                             .row_stride = STRIDE,
                             .target = plus(type, target, part.first * STRIDE + part.t),
                             .count = part.count,
                             .initial = initial_of(x, part),
                             .ahead = x->ahead,
                             .limit = end};
  x->kernels->list(&job);
}

/* ---- Checks -------------------------------------------------------------------------------------- */

static void check_element(const forward *x, uint32_t r, size_t t) {
  const bdag_type type = x->kernels->type;
  exact_sum sum = {0};
  add_product(&sum, 1,
              x->has_initial ? get(type, x->initial, r) : get(type, x->before, r * STRIDE + t));
  for (uint64_t i = x->offset[r]; i < x->offset[r + 1]; i++)
    add_product(&sum, get(type, x->weight, x->slot[i]),
                get(type, x->rows, x->source[i] * STRIDE + t));
  const long double value = get(type, x->target, r * STRIDE + t);
  if (!is_close(type, value, &sum))
    cr_assert_fail("%s: %u × %u, target %u, sample %zu of %zu: %.18Lg instead of %.18Lg",
                   kernels_name(x->kernels), x->targets, x->sources, r, t, x->count, value,
                   sum.sum);
}

/* Nothing may be written beyond the targets and the count. */
static void check_rest(const forward *x) {
  const size_t size = element_size(x->kernels->type);
  for (size_t r = 0; r <= TARGET_LIMIT; r++) {
    const size_t begin = (r * STRIDE + (r < x->targets ? x->count : 0)) * size;
    const size_t end = (r + 1) * STRIDE * size;
    if (memcmp(x->target + begin, x->before + begin, end - begin) != 0)
      cr_assert_fail("%s: row %zu of %u was written beyond element %zu", kernels_name(x->kernels),
                     r, x->targets, x->count);
  }
}

/* The same bits from pieces of at most `group` targets and `width` samples. */
static void check_pieces(forward *x, run_piece *run, uint32_t group, size_t width) {
  memcpy(x->again, x->before, sizeof x->again);
  for (uint32_t r = 0; r < x->targets; r += group)
    for (size_t t = 0; t < x->count; t += width) {
      const uint32_t targets = x->targets - r < group ? x->targets - r : group;
      const size_t count = x->count - t < width ? x->count - t : width;
      run(x, x->again, (piece){r, targets, t, count});
    }
  if (memcmp(x->again, x->target, sizeof x->again) != 0)
    cr_assert_fail("%s: %u × %u, %zu samples: other bits by %u targets and %zu samples",
                   kernels_name(x->kernels), x->targets, x->sources, x->count, group, width);
}

static void run_whole(forward *x, run_piece *run) {
  memcpy(x->target, x->before, sizeof x->target);
  run(x, x->target, (piece){0, x->targets, 0, x->count});
}

static void check_run(generator *random, forward *x, run_piece *run) {
  run_whole(x, run);
  for (uint32_t r = 0; r < x->targets; r++)
    for (size_t t = 0; t < x->count; t++) check_element(x, r, t);
  check_rest(x);
  check_pieces(x, run, 1 + below(random, x->targets), 16 << below(random, 5));
  check_pieces(x, run_list, 1 + below(random, x->targets), 16 << below(random, 5));
}

/* ---- Panels -------------------------------------------------------------------------------------- */

static void draw_panel(generator *random, forward *x, uint32_t sources, uint32_t targets,
                       size_t count) {
  draw(random, x, sources, targets, count);
  const ptrdiff_t padding = below(random, 3);
  const int by_source = (int)below(random, 2);
  x->source_step = by_source ? (ptrdiff_t)targets + padding : 1;
  x->target_step = by_source ? 1 : (ptrdiff_t)sources + padding;
  x->place = x->place_guard - targets - below(random, 3);
  const uint32_t first = below(random, PLACES), turn = 1 + below(random, PLACES - 1);
  for (uint32_t i = 0; x->place + i < x->place_guard; i++)
    x->place[i] = (first + i * turn) % PLACES;
  uint64_t term = x->offset[0];
  for (uint32_t r = 0; r < targets; r++) {
    for (uint32_t k = 0; k < sources; k++, term++) {
      x->slot[term] = (uint32_t)(k * x->source_step + r * x->target_step);
      x->source[term] = r == 0 ? 2 * below(random, ROWS / 2) : x->source[term - sources];
    }
    x->offset[r + 1] = term;
  }
}

static void check_panel(generator *random, forward *x, uint32_t sources, uint32_t targets,
                        size_t count) {
  draw_panel(random, x, sources, targets, count);
  check_run(random, x, run_panel);
  check_pieces(x, run_listed, x->targets, x->count);
}

static void check_listed(generator *random, forward *x, uint32_t sources, uint32_t targets,
                         size_t count) {
  draw_panel(random, x, sources, targets, count);
  check_run(random, x, run_listed);
}

Test(panel, all_shapes) {
  static forward x;
  generator random = {11};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (uint32_t targets = 1; targets <= TARGET_LIMIT; targets++)
      for (uint32_t sources = 0; sources <= 140; sources++)
        check_panel(&random, &x, sources, targets, BDAG_ROW_QUANTUM);
  }
}

Test(panel, all_counts) {
  static forward x;
  generator random = {12};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM) {
      for (int round = 0; round < 12; round++)
        check_panel(&random, &x, below(&random, 40), 1 + below(&random, TARGET_LIMIT), count);
      check_panel(&random, &x, 126 + below(&random, 4), 1 + below(&random, TARGET_LIMIT), count);
      check_panel(&random, &x, 190 + below(&random, 11), 1 + below(&random, 6), count);
    }
  }
}

/* Around the ends of register tiles of targets and of chunks of sources. */
Test(panel, listed_targets) {
  static forward x;
  const uint32_t sources[] = {0, 1, 2, 7, 64, 127, 128, 129};
  generator random = {16};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (uint32_t targets = 1; targets <= TARGET_LIMIT; targets++)
      for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        check_listed(&random, &x, sources[i], targets,
                     BDAG_ROW_QUANTUM * (1 + below(&random, i < 4 ? 16 : 5)));
  }
}

/* Every way to group the targets and every width of rows. */
Test(panel, results_do_not_depend_on_neighbours) {
  static forward x;
  generator random = {13};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    draw_panel(&random, &x, 131, TARGET_LIMIT, 256);
    run_whole(&x, run_panel);
    for (uint32_t group = 1; group <= TARGET_LIMIT; group++) {
      for (size_t width = BDAG_ROW_QUANTUM; width <= 256; width += BDAG_ROW_QUANTUM)
        check_pieces(&x, run_panel, group, width);
      check_pieces(&x, run_listed, group, 16 << below(&random, 5));
    }
    check_pieces(&x, run_list, TARGET_LIMIT, 256);
    for (uint32_t group = 1; group <= BDAG_UNION_TARGETS; group++)
      check_pieces(&x, run_union, group, 64);
  }
}

/* ---- Unions -------------------------------------------------------------------------------------- */

/* About `holes` of 8 terms have the weight zero. */
static void draw_union(generator *random, forward *x, uint32_t sources, uint32_t targets,
                       size_t count, uint32_t holes) {
  draw(random, x, sources, targets, count);
  uint64_t term = x->offset[0];
  for (uint32_t r = 0; r < targets; r++) {
    for (uint32_t k = 0; k < sources; k++, term++) {
      x->slot[term] = below(random, 8) < holes ? ZERO_SLOT : below(random, WEIGHT_LIMIT);
      x->source[term] = r == 0 ? 2 * below(random, ROWS / 2) : x->source[term - sources];
    }
    x->offset[r + 1] = term;
  }
}

/* The lists without those terms have the same bits. */
static void drop_holes(forward *x) {
  uint64_t term = x->offset[0], i = term;
  for (uint32_t r = 0; r < x->targets; r++) {
    for (; i < x->offset[r + 1]; i++)
      if (x->slot[i] != ZERO_SLOT) {
        x->slot[term] = x->slot[i];
        x->source[term++] = x->source[i];
      }
    x->offset[r + 1] = term;
  }
}

static void check_union(generator *random, forward *x, uint32_t sources, uint32_t targets,
                        size_t count) {
  draw_union(random, x, sources, targets, count, below(random, 7));
  check_run(random, x, run_union);
  drop_holes(x);
  check_pieces(x, run_list, x->targets, x->count);
}

Test(union_panel, all_shapes) {
  static forward x;
  generator random = {14};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (uint32_t targets = 1; targets <= BDAG_UNION_TARGETS; targets++) {
      for (uint32_t sources = 0; sources <= 70; sources++)
        check_union(&random, &x, sources, targets, BDAG_ROW_QUANTUM);
      for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
        check_union(&random, &x, below(&random, 40), targets, count);
    }
  }
}

/* `full` sources that all targets read, between ramps. A source may come twice. */
static void draw_ramped(generator *random, forward *x, uint32_t full, uint32_t targets,
                        uint32_t most, size_t count) {
  x->ramps = draw_ramps(random, targets, most);
  draw(random, x, full + bdag_ramped_sources(&x->ramps), targets, count);
  for (uint32_t k = 0; k < x->sources; k++) x->shared[k] = 2 * below(random, ROWS / 2);
  uint64_t term = x->offset[0];
  for (uint32_t r = 0; r < targets; r++) {
    for (uint32_t k = 0; k < x->sources; k++) {
      const bdag_span span = bdag_span_of(&x->ramps, targets, x->sources, k);
      if (r < span.first || r >= span.end) continue;
      x->slot[term] = below(random, WEIGHT_LIMIT);
      x->source[term++] = x->shared[k];
    }
    x->offset[r + 1] = term;
  }
}

/* Bit by bit the lists of what each target reads. */
static void check_ramped(generator *random, forward *x, uint32_t full, uint32_t targets,
                         uint32_t most, size_t count) {
  draw_ramped(random, x, full, targets, most, count);
  run_whole(x, run_ramps);
  for (uint32_t r = 0; r < targets; r++)
    for (size_t t = 0; t < count; t++) check_element(x, r, t);
  check_rest(x);
  check_pieces(x, run_ramps, targets, 16 << below(random, 5));
  check_pieces(x, run_list, 1 + below(random, targets), 16 << below(random, 5));
}

Test(union_panel, ramps) {
  static forward x;
  generator random = {18};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (uint32_t targets = 1; targets <= BDAG_UNION_TARGETS; targets++) {
      for (uint32_t full = 0; full <= 40; full++)
        check_ramped(&random, &x, full, targets, 1 + full % 4, BDAG_ROW_QUANTUM);
      for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
        check_ramped(&random, &x, below(&random, 40), targets, 1 + below(&random, 4), count);
    }
  }
}

/* ---- Lists --------------------------------------------------------------------------------------- */

/* A third of the lists is empty. */
static void draw_list(generator *random, forward *x, size_t count) {
  draw(random, x, 0, 1 + below(random, TARGET_LIMIT), count);
  uint64_t term = x->offset[0];
  for (uint32_t r = 0; r < x->targets; r++) {
    for (uint32_t rest = below(random, 3) == 0 ? 0 : below(random, 50); rest > 0; rest--, term++) {
      x->slot[term] = below(random, WEIGHT_LIMIT);
      x->source[term] = 2 * below(random, ROWS / 2);
    }
    x->offset[r + 1] = term;
  }
}

Test(list, all_counts) {
  static forward x;
  generator random = {15};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (size_t count = BDAG_ROW_QUANTUM; count <= 256; count += BDAG_ROW_QUANTUM)
      for (int round = 0; round < 16; round++) {
        draw_list(&random, &x, count);
        check_run(&random, &x, run_list);
      }
  }
}

/* ---- What is not finite -------------------------------------------------------------------------- */

static int reads(const forward *x, uint32_t r, uint32_t source) {
  for (uint64_t i = x->offset[r]; i < x->offset[r + 1]; i++)
    if (x->source[i] == source) return 1;
  return 0;
}

/* A source's sample t that is not finite shows in that sample of the targets that read the source, also
 * with a weight zero, and nowhere else. */
static void check_poison(forward *x, run_piece *run, uint32_t source, size_t t, long double bad) {
  const bdag_type type = x->kernels->type;
  const size_t at = source * (size_t)STRIDE + t;
  const long double good = get(type, x->rows, at);
  memcpy(x->again, x->before, sizeof x->again);
  set(type, x->rows, at, bad);
  run(x, x->again, (piece){0, x->targets, 0, x->count});
  set(type, x->rows, at, good);
  for (uint32_t r = 0; r < x->targets; r++) {
    const int poisoned = reads(x, r, source);
    cr_assert_eq(x->kernels->finite(plus(type, x->again, r * STRIDE), x->count), !poisoned);
    for (size_t s = 0; s < STRIDE; s++) {
      const size_t i = r * STRIDE + s;
      if (poisoned && s == t ? isfinite(get(type, x->again, i))
                             : !same(type, x->again, i, x->target, i))
        cr_assert_fail(
            "%s: %u × %u, %zu samples: sample %zu of source %u shows in %zu of target %u",
            kernels_name(x->kernels), x->targets, x->sources, x->count, t, source, s, r);
    }
  }
}

/* What a union spreads over absent cells, lists without them keep where it belongs. */
Test(panel, what_is_not_finite) {
  static forward x;
  generator random = {17};
  const long double bad[] = {NAN, INFINITY, -INFINITY};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    begin(&random, &x, kernels_at(n));
    for (int round = 0; round < 300; round++) {
      const size_t count = BDAG_ROW_QUANTUM * (1 + below(&random, 8));
      const size_t t = below(&random, (uint32_t)count);
      const uint32_t source = 2 * below(&random, ROWS / 2);
      draw_panel(&random, &x, 1 + below(&random, 70), 1 + below(&random, TARGET_LIMIT), count);
      run_whole(&x, run_panel);
      check_poison(&x, run_panel, source, t, bad[round % 3]);
      check_poison(&x, run_listed, source, t, bad[round % 3]);
      draw_union(&random, &x, 1 + below(&random, 30), 1 + below(&random, BDAG_UNION_TARGETS), count,
                 5);
      run_whole(&x, run_union);
      check_poison(&x, run_union, source, t, bad[round % 3]);
      drop_holes(&x);
      check_poison(&x, run_list, source, t, bad[round % 3]);
      draw_ramped(&random, &x, below(&random, 8), 1 + below(&random, BDAG_UNION_TARGETS), 2, count);
      run_whole(&x, run_ramps);
      check_poison(&x, run_ramps, source, t, bad[round % 3]);
    }
  }
}
