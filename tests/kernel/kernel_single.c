/* Steps of the pass of one sample, of every instruction set and type: bit by bit what the kernels for rows
 * give; nothing is read behind the slots or written where it may not be. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kernel_check.h"

#define SOURCES     60  /* rows 0 … SOURCES−1 are read */
#define TARGETS     300 /* and so many from there on are written */
#define ROOM        16
#define ROWS        (SOURCES + TARGETS + ROOM)
#define SLOTS       (400 + SOURCES * 320)
#define PLACES      (SOURCES * TARGETS)
#define BIAS        3 /* slots of biases begin there */
#define SPECIAL     5 /* of the kinds below */
#define BY_ROW(row) ((row)*BDAG_ROW_QUANTUM)

static const uint32_t kinds[SPECIAL] = {BDAG_IDENTITY, BDAG_RELU, BDAG_TANH, BDAG_LEAKY_RELU,
                                        BDAG_NEAT_SIN};

typedef struct sample {
  const bdag_kernels *kernels;
  unsigned char *slots; /* [slot_count], behind which nothing may be read */
  size_t slot_count;
  _Alignas(64) unsigned char out[ROWS * sizeof(double)], in[ROWS * sizeof(double)];
  _Alignas(64) unsigned char out_before[ROWS * sizeof(double)], in_before[ROWS * sizeof(double)];
  _Alignas(64) unsigned char rows[BY_ROW(ROWS) * sizeof(double)]; /* of the reference */
  _Alignas(64) unsigned char sums[BY_ROW(ROWS) * sizeof(double)];
  uint32_t source[PLACES], slot[PLACES];
  uint64_t offset[ROWS + 1];
  unsigned char weights[PLACES * sizeof(double)];
} sample;

/* Slots end where memory does. */
static void begin(generator *random, sample *x, const bdag_kernels *kernels, size_t slot_count) {
  static unsigned char *end;
  if (end == NULL) end = guarded_end(SLOTS * sizeof(double));
  const bdag_type type = kernels->type;
  x->kernels = kernels;
  x->slot_count = slot_count;
  cr_assert(slot_count <= SLOTS);
  x->slots = end - slot_count * element_size(type);
  fill_numbers(random, type, x->slots, slot_count);
  fill_numbers(random, type, x->out, ROWS);
  fill_numbers(random, type, x->in, ROWS);
  memcpy(x->out_before, x->out, sizeof x->out);
  memcpy(x->in_before, x->in, sizeof x->in);
  for (size_t row = 0; row < ROWS; row++)
    for (size_t s = 0; s < BDAG_ROW_QUANTUM; s++)
      set(type, x->rows, BY_ROW(row) + s, get(type, x->out, row));
}

static int run(sample *x, const bdag_single_step *step, uint64_t steps) {
  const bdag_single_job job = {.step = step,
                               .steps = steps,
                               .slots = x->slots,
                               .edge_base = 1,
                               .source = x->source,
                               .union_slot = x->slot,
                               .list_source = x->source,
                               .list_slot = x->slot,
                               .list_offset = x->offset,
                               .out = x->out,
                               .in = x->in};
  return x->kernels->single(&job);
}

/* σ of the reference's rows, whose sums are kept. */
static void activate(sample *x, const bdag_single_step *step) {
  memcpy(x->sums, x->rows, sizeof x->sums);
  for (uint32_t r = 0; step->activates && r < step->targets; r++) {
    void *row = plus(x->kernels->type, x->rows, BY_ROW((size_t)step->row + r));
    x->kernels->activate(step->activation, step->parameter, row, row, BDAG_ROW_QUANTUM);
  }
}

static void check_row(const sample *x, const bdag_single_step *step, size_t row) {
  const bdag_type type = x->kernels->type;
  const size_t spilled =
      step->spills ? (step->targets + ROOM - 1) / ROOM * ROOM : (size_t)step->targets;
  const int target = row >= step->row && row < step->row + step->targets;
  const char *what = NULL;
  if (target && !same(type, x->out, row, x->rows, BY_ROW(row))) what = "out";
  if (target && step->keeps_in && !same(type, x->in, row, x->sums, BY_ROW(row))) what = "in";
  if (!target && (row < step->row || row >= step->row + spilled) &&
      !same(type, x->out, row, x->out_before, row))
    what = "out of others";
  if (!(target && step->keeps_in) && !same(type, x->in, row, x->in_before, row))
    what = "in of others";
  if (what != NULL)
    cr_assert_fail("%s, kind %u, activation %u, %u targets, %u sources, width %u: %s, row %zu",
                   kernels_name(x->kernels), step->kind, step->activation, step->targets,
                   step->sources, step->width, what, row);
}

static void check_rows(sample *x, const bdag_single_step *step) {
  activate(x, step);
  cr_assert_eq(run(x, step, 1), 0);
  for (size_t row = 0; row < ROWS; row++) check_row(x, step, row);
}

static bdag_single_step draw_step(generator *random, bdag_single_kind kind, uint32_t targets) {
  const uint32_t activation = kinds[below(random, SPECIAL)];
  return (bdag_single_step){.kind = (uint8_t)kind,
                            .keeps_in = (uint8_t)below(random, 2),
                            .activates = activation != BDAG_IDENTITY,
                            .spills = (uint8_t)below(random, 2),
                            .row = SOURCES + below(random, TARGETS - targets + 1),
                            .targets = targets,
                            .activation = activation,
                            .parameter = 0.25,
                            .bias = BIAS};
}

/* ---- Panels -------------------------------------------------------------------------------------- */

/* Widths that a plan has: the number of targets, or the next multiple of 16. The last slot is the last
 * that a sum needs. */
static void check_panel(generator *random, sample *x, const bdag_kernels *kernels, uint32_t targets,
                        uint32_t sources) {
  bdag_single_step step = draw_step(random, BDAG_SINGLE_PANEL, targets);
  const uint32_t padded = (targets + 15) / 16 * 16;
  step.sources = sources;
  step.width = below(random, 2) ? padded : targets;
  step.weight = BIAS + targets;
  begin(random, x, kernels, step.weight + (size_t)sources * step.width);
  for (uint32_t k = 0; k < sources; k++) x->source[k] = below(random, SOURCES);
  const bdag_panel_job job = {.weight = plus(kernels->type, x->slots, step.weight),
                              .source_step = step.width,
                              .target_step = 1,
                              .source = x->source,
                              .sources = sources,
                              .targets = targets,
                              .rows = x->rows,
                              .row_stride = BDAG_ROW_QUANTUM,
                              .target = plus(kernels->type, x->rows, BY_ROW((size_t)step.row)),
                              .count = BDAG_ROW_QUANTUM,
                              .initial = plus(kernels->type, x->slots, step.bias)};
  kernels->panel(&job);
  check_rows(x, &step);
}

Test(single, panels) {
  static sample x;
  generator random = {51};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    for (uint32_t targets = 1; targets <= 40; targets++)
      for (uint32_t sources = 0; sources <= 40; sources++)
        check_panel(&random, &x, kernels_at(n), targets, sources);
    for (uint32_t targets = 41; targets <= TARGETS; targets++)
      for (int round = 0; round < 4; round++)
        check_panel(&random, &x, kernels_at(n), targets, below(&random, SOURCES + 1));
  }
}

/* Wider than what is summed at once. */
Test(single, wide_panels) {
  enum { WIDE = 2500, FEW = 17 };
  static _Alignas(64) float slots[WIDE + FEW * 2512], out[FEW + WIDE + ROOM], wide[WIDE][16];
  static _Alignas(64) float rows[FEW][16];
  uint32_t source[FEW];
  generator random = {52};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    const bdag_kernels *kernels = kernels_at(n);
    if (kernels->type != BDAG_FLOAT32) continue;
    fill_numbers(&random, BDAG_FLOAT32, slots, sizeof slots / sizeof *slots);
    fill_numbers(&random, BDAG_FLOAT32, out, FEW);
    for (uint32_t k = 0; k < FEW; k++) {
      source[k] = k;
      for (int s = 0; s < 16; s++) rows[k][s] = out[k];
    }
    const bdag_single_step step = {
        .row = FEW, .targets = WIDE, .sources = FEW, .width = 2512, .weight = WIDE};
    const bdag_single_job single = {
        .step = &step, .steps = 1, .slots = slots, .source = source, .out = out};
    const bdag_panel_job job = {.weight = slots + WIDE,
                                .source_step = 2512,
                                .target_step = 1,
                                .source = source,
                                .sources = FEW,
                                .targets = WIDE,
                                .rows = rows,
                                .row_stride = 16,
                                .target = wide,
                                .count = 16,
                                .initial = slots};
    kernels->panel(&job);
    cr_assert_eq(kernels->single(&single), 0);
    for (int r = 0; r < WIDE; r++)
      cr_assert(same(BDAG_FLOAT32, out, (size_t)(FEW + r), wide[r], 0), "%s, target %d",
                kernels_name(kernels), r);
  }
}

/* ---- Unions and lists ---------------------------------------------------------------------------- */

static void draw_places(generator *random, sample *x, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    x->source[i] = below(random, SOURCES);
    x->slot[i] =
        below(random, (uint32_t)x->slot_count - 1); /* counted from edge_base, which is 1 */
  }
  x->kernels->gather(plus(x->kernels->type, x->slots, 1), x->slot, count, x->weights);
}

static void check_union(generator *random, sample *x, const bdag_kernels *kernels, uint32_t targets,
                        uint32_t sources) {
  bdag_single_step step = draw_step(random, BDAG_SINGLE_UNION, targets);
  if (below(random, 2)) step.ramps = draw_ramps(random, targets, 1 + below(random, 3));
  step.sources = sources + bdag_ramped_sources(&step.ramps);
  step.keeps_in = step.activates = 0; /* other steps do that */
  begin(random, x, kernels, BIAS + targets);
  draw_places(random, x, (uint64_t)step.sources * targets);
  const bdag_union_job job = {.weights = x->weights,
                              .source = x->source,
                              .sources = step.sources,
                              .targets = targets,
                              .ramps = step.ramps,
                              .rows = x->rows,
                              .row_stride = BDAG_ROW_QUANTUM,
                              .target = plus(kernels->type, x->rows, BY_ROW((size_t)step.row)),
                              .count = BDAG_ROW_QUANTUM,
                              .initial = plus(kernels->type, x->slots, step.bias)};
  kernels->union_panel(&job);
  check_rows(x, &step);
}

Test(single, unions) {
  static sample x;
  generator random = {53};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t targets = 1; targets <= BDAG_UNION_TARGETS; targets++)
      for (uint32_t sources = 0; sources <= 40; sources++)
        check_union(&random, &x, kernels_at(n), targets, sources);
}

static void check_lists(generator *random, sample *x, const bdag_kernels *kernels,
                        uint32_t targets) {
  bdag_single_step step = draw_step(random, BDAG_SINGLE_LISTS, targets);
  step.adds = (uint8_t)below(random, 2);
  begin(random, x, kernels, BIAS + targets);
  x->offset[step.row] = below(random, 8);
  for (uint32_t r = 0; r < targets; r++)
    x->offset[step.row + r + 1] = x->offset[step.row + r] + below(random, 3) * below(random, 9);
  draw_places(random, x, x->offset[step.row + targets]);
  const bdag_list_job job = {.weights = plus(kernels->type, x->weights, x->offset[step.row]),
                             .source = x->source,
                             .offset = x->offset + step.row,
                             .targets = targets,
                             .rows = x->rows,
                             .row_stride = BDAG_ROW_QUANTUM,
                             .target = plus(kernels->type, x->rows, BY_ROW((size_t)step.row)),
                             .count = BDAG_ROW_QUANTUM,
                             .initial = step.adds ? NULL : plus(kernels->type, x->slots, step.bias),
                             .limit = x->offset[step.row + targets]};
  kernels->list(&job);
  check_rows(x, &step);
}

Test(single, lists) {
  static sample x;
  generator random = {54};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t targets = 1; targets <= 70; targets++)
      for (int round = 0; round < 10; round++) check_lists(&random, &x, kernels_at(n), targets);
}

/* ---- Steps without sums -------------------------------------------------------------------------- */

Test(single, activations) {
  static sample x;
  generator random = {55};
  for (int n = 0; kernels_at(n) != NULL; n++)
    for (uint32_t targets = 1; targets <= 70; targets++)
      for (int round = 0; round < 5; round++) {
        const bdag_single_step step = draw_step(&random, BDAG_SINGLE_ACTIVATE, targets);
        begin(&random, &x, kernels_at(n), BIAS + targets);
        check_rows(&x, &step);
      }
}

Test(single, what_is_not_finite) {
  static sample x;
  generator random = {56};
  static const long double bad[] = {INFINITY, -INFINITY, NAN};
  for (int n = 0; kernels_at(n) != NULL; n++) {
    const bdag_kernels *kernels = kernels_at(n);
    const bdag_single_step steps[] = {{.kind = BDAG_SINGLE_FINITE, .row = SOURCES, .targets = 37},
                                      {.kind = BDAG_SINGLE_ACTIVATE,
                                       .row = SOURCES,
                                       .targets = 37,
                                       .activates = 1,
                                       .activation = BDAG_RELU}};
    for (uint32_t row = SOURCES - 1; row < SOURCES + 38; row++) {
      const int among = row >= SOURCES && row < SOURCES + 37;
      begin(&random, &x, kernels, BIAS);
      set(kernels->type, x.out, row, bad[row % 3]);
      memcpy(x.out_before, x.out, sizeof x.out);
      cr_assert_eq(run(&x, steps, 2), among ? -1 : 0, "%s, row %u", kernels_name(kernels), row);
      /* what comes after does not run */
      if (among) cr_assert(memcmp(x.out, x.out_before, sizeof x.out) == 0);
    }
  }
}
