/* What forward and backward pass share: the rows of one tile, and sums term by term. */
#ifndef BDAG_STEP_H
#define BDAG_STEP_H

#include "runtime/trace_internal.h"

/* Rows that a step reads and writes, and how many lanes of them. */
typedef struct bdag_step {
  bdag_engine *engine;
  const bdag_plan *plan;
  char *out, *in;           /* first rows of the tile */
  char *out_grad, *in_grad; /* backward: the same for the rows that a task makes, */
  char *listed_grad;        /* for the rows of in_grad in its lists, */
  char *grad;               /* and without a shift */
  const bdag_grad_task *places;
  size_t row_bytes, lanes;
  uint64_t tile;
  uint64_t list_limit;     /* entries of lists that may be looked at */
  bdag_gathered irregular; /* forward: weights of the task */
} bdag_step;

static inline bdag_step step_of(bdag_engine *engine, uint64_t tile) {
  const bdag_plan *plan = engine->plan;
  bdag_step step = {.engine = engine, .plan = plan, .tile = tile};
  step.row_bytes = engine->tile * engine->element;
  step.lanes = bdag_tile_lanes(engine, tile);
  step.out = bdag_tile_rows(engine, engine->out, tile, plan->rows);
  step.in = bdag_tile_rows(engine, engine->in, tile, engine->in_rows);
  return step;
}

/* Asks for bytes that are needed later. */
static inline void prefetch_read(const void *first, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)first + at, 0, 2);
}

static inline const char *slots_from(const bdag_engine *engine, uint64_t slot) {
  return (const char *)engine->weights->slots + slot * engine->element;
}

/* The kept row of `in`, or NULL. Rows of a run, or of a consecutive group, follow each other. */
static inline char *kept_in(const bdag_step *step, uint32_t row) {
  if (step->engine->in_rows == 0) return NULL;
  if (step->engine->in_full) return step->in + (row - step->plan->first_neuron) * step->row_bytes;
  const uint32_t in_row = step->plan->in_row[row];
  return in_row == BDAG_NO_ROW ? NULL : step->in + in_row * step->row_bytes;
}

static inline const char *biases_from(const bdag_step *step, uint32_t row) {
  return slots_from(step->engine, step->plan->bias_slot + row - step->plan->first_neuron);
}

/* Whether a slot is among the `holes` from `hole` on. */
static inline int is_hole(const bdag_plan *plan, uint64_t hole, uint32_t holes, uint64_t slot) {
  uint64_t low = hole, high = hole + holes;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (plan->hole[middle] < slot)
      low = middle + 1;
    else
      high = middle;
  }
  return low < hole + holes && plan->hole[low] == slot;
}

/* One term of a sum, by the kernel that makes the others: what does not touch it stays bitwise equal. */
static inline void add_term(const bdag_step *step, char *target, const char *weight,
                            const uint32_t *source, const char *rows) {
  const bdag_panel_job job = {.weight = weight,
                              .source = source,
                              .sources = 1,
                              .targets = 1,
                              .rows = rows,
                              .row_stride = step->engine->tile,
                              .target = target,
                              .count = step->lanes};
  step->engine->kernels->panel(&job);
}

static inline void set_row(const bdag_step *step, char *target, const char *initial) {
  const bdag_panel_job job = {.targets = 1,
                              .row_stride = step->engine->tile,
                              .target = target,
                              .count = step->lanes,
                              .initial = initial};
  step->engine->kernels->panel(&job);
}

static inline int rows_finite(const bdag_step *step, const char *first, uint32_t rows) {
  const int together = step->lanes == step->engine->tile;
  const uint32_t runs = together ? 1 : rows;
  const size_t count = together ? rows * step->lanes : step->lanes;
  for (uint32_t r = 0; r < runs; r++)
    if (!step->engine->kernels->finite(first + r * step->row_bytes, count)) return 0;
  return 1;
}

#endif
