/* The forward pass of one sample: what panel_tmpl.c does for rows of samples, with vectors of targets
 * instead. Each target's sum runs over the same terms in the same order with the same multiply-adds, so
 * a sample's result is bitwise that of a larger batch. Compiled per instruction set and type. May
 * include kernel.h and vector.h. */
#include "kernel/vector.h"

#define INLINE static inline __attribute__((always_inline))

/* Vectors of targets in registers at once. */
#define SINGLE_VECTORS 8

/* One multiply-add as a lane of the vectors does it. */
INLINE real scalar_fma(real a, real b, real c) {
#ifdef BDAG_KERNEL_ISA_BASELINE
  return a * b + c;
#elif defined BDAG_KERNEL_FLOAT32
  return __builtin_fmaf(a, b, c);
#else
  return __builtin_fma(a, b, c);
#endif
}

/* ---- From sums to rows --------------------------------------------------------------------------- */

INLINE vec activated(const bdag_single_step *step, vec sum) {
  if (!step->activates) return sum;
  if (step->activation == BDAG_RELU) return vec_max(vec_zero(), sum);
  return NAME(activation)[step->activation](sum, vec_set1((real)step->parameter));
}

/* The sums of `count` ≤ LANES targets from the r-th on. Whole vectors are written where that is allowed:
 * what is read soon after a masked store has to wait for it. */
INLINE void finish(const bdag_single_job *job, const bdag_single_step *step, uint32_t r,
                   size_t count, vec sum) {
  const size_t row = (size_t)step->row + r;
  if (step->keeps_in) vec_store_first((real *)job->in + row, sum, count);
  const vec out = activated(step, sum);
  if (count == LANES || step->spills)
    vec_storeu((real *)job->out + row, out);
  else
    vec_store_first((real *)job->out + row, out, count);
}

INLINE size_t lanes_from(const bdag_single_step *step, uint32_t r) {
  return step->targets - r < LANES ? step->targets - r : LANES;
}

static void activate_rows(const bdag_single_job *job, const bdag_single_step *step) {
  for (uint32_t r = 0; r < step->targets; r += LANES) {
    const size_t count = lanes_from(step, r);
    finish(job, step, r, count, vec_load_first((const real *)job->out + step->row + r, count));
  }
}

/* ---- Panels -------------------------------------------------------------------------------------- */

/* `whole`: what is read beyond the targets is padding of the panel. */
INLINE void panel_columns(const bdag_single_job *job, const bdag_single_step *step, uint32_t r,
                          const int vectors, const int whole) {
  const real *slots = job->slots, *weight = slots + step->weight + r, *rows = job->out;
  const uint32_t *source = job->source + step->list;
  const size_t last = lanes_from(step, r + (uint32_t)((size_t)(vectors - 1) * LANES));
  const real *initial = slots + step->bias + r;
  vec sum[SINGLE_VECTORS];
  for (int j = 0; j < vectors; j++)
    sum[j] = vec_load_first(initial + (size_t)j * LANES, j + 1 < vectors ? LANES : last);
  for (uint32_t k = 0; k < step->sources; k++, weight += step->width) {
    const vec x = vec_set1(rows[source[k]]);
    for (int j = 0; j < vectors; j++) {
      const real *from = weight + (size_t)j * LANES;
      const vec w = whole || j + 1 < vectors ? vec_loadu(from) : vec_load_first(from, last);
      sum[j] = vec_fma(w, x, sum[j]);
    }
  }
  for (int j = 0; j < vectors; j++)
    finish(job, step, r + (uint32_t)((size_t)j * LANES), j + 1 < vectors ? LANES : last, sum[j]);
}

INLINE void panel_of(const bdag_single_job *job, const bdag_single_step *step, const int whole) {
  uint32_t r = 0;
  for (; r + SINGLE_VECTORS * LANES <= step->targets; r += (uint32_t)(SINGLE_VECTORS * LANES))
    panel_columns(job, step, r, SINGLE_VECTORS, whole);
  switch ((step->targets - r + LANES - 1) / LANES) {
  case 8:
    panel_columns(job, step, r, 8, whole);
    break;
  case 7:
    panel_columns(job, step, r, 7, whole);
    break;
  case 6:
    panel_columns(job, step, r, 6, whole);
    break;
  case 5:
    panel_columns(job, step, r, 5, whole);
    break;
  case 4:
    panel_columns(job, step, r, 4, whole);
    break;
  case 3:
    panel_columns(job, step, r, 3, whole);
    break;
  case 2:
    panel_columns(job, step, r, 2, whole);
    break;
  case 1:
    panel_columns(job, step, r, 1, whole);
    break;
  default:
    break;
  }
}

/* ---- Large panels: weights are read once from end to end ------------------------------------------ */

/* Sums of so many targets wait in L1, and so many sources are added to them at once. */
#define STREAM_TARGETS 1024
#define STREAM_SOURCES 8
/* From so many vectors of targets on; with fewer, sums would wait for each other. */
#define STREAM_VECTORS 4

INLINE void stream(const real *weight, size_t width, const uint32_t *source, const int sources,
                   const real *rows, real *sum, size_t count) {
  vec x[STREAM_SOURCES];
  for (int i = 0; i < sources; i++) x[i] = vec_set1(rows[source[i]]);
  for (size_t c = 0; c < count; c += LANES) {
    vec s = vec_load(sum + c);
    for (int i = 0; i < sources; i++)
      s = vec_fma(vec_loadu(weight + (size_t)i * width + c), x[i], s);
    vec_store(sum + c, s);
  }
}

static void stream_panel(const bdag_single_job *job, const bdag_single_step *step) {
  const real *slots = job->slots;
  const uint32_t *source = job->source + step->list;
  _Alignas(64) real sum[STREAM_TARGETS];
  for (uint32_t r = 0; r < step->targets; r += STREAM_TARGETS) {
    const uint32_t rest = step->targets - r, count = rest < STREAM_TARGETS ? rest : STREAM_TARGETS;
    const real *weight = slots + step->weight + r, *initial = slots + step->bias + r;
    for (uint32_t c = 0; c < count; c += (uint32_t)LANES)
      vec_store(sum + c, vec_load_first(initial + c, lanes_from(step, r + c)));
    uint32_t k = 0;
    for (; k + STREAM_SOURCES <= step->sources; k += STREAM_SOURCES)
      stream(weight + (size_t)k * step->width, step->width, source + k, STREAM_SOURCES, job->out,
             sum, count);
    for (; k < step->sources; k++)
      stream(weight + (size_t)k * step->width, step->width, source + k, 1, job->out, sum, count);
    for (uint32_t c = 0; c < count; c += (uint32_t)LANES)
      finish(job, step, r + c, lanes_from(step, r + c), vec_load(sum + c));
  }
}

static void panel(const bdag_single_job *job, const bdag_single_step *step) {
  const int whole = step->width % BDAG_ROW_QUANTUM == 0;
  if (whole && step->targets >= STREAM_VECTORS * LANES && step->sources >= 2 * STREAM_SOURCES)
    stream_panel(job, step);
  else if (whole)
    panel_of(job, step, 1);
  else
    panel_of(job, step, 0);
}

/* ---- Unions -------------------------------------------------------------------------------------- */

typedef struct union_place {
  const real *weights, *rows;
  const uint32_t *source, *slot;
} union_place;

/* The next sources, which targets first … end−1 read. */
INLINE void union_sources(union_place *at, uint32_t sources, real *sum, const int first,
                          const int end) {
  for (uint32_t k = 0; k < sources; k++) {
    const real x = at->rows[*at->source++];
    for (int i = first; i < end; i++)
      sum[i] = scalar_fma(at->weights[at->slot[i - first]], x, sum[i]);
    at->slot += end - first;
  }
}

INLINE void union_of(const bdag_single_job *job, const bdag_single_step *step, const int targets) {
  const real *bias = (const real *)job->slots + step->bias;
  union_place at = {.weights = (const real *)job->slots + job->edge_base,
                    .rows = job->out,
                    .source = job->source + step->list,
                    .slot = job->union_slot + step->weight};
  const uint8_t *rise = step->ramps.rise, *fall = step->ramps.fall;
  real sum[BDAG_UNION_TARGETS];
  for (int i = 0; i < targets; i++) sum[i] = bias[i];
  const uint32_t ramped = bdag_ramped_sources(&step->ramps);
  if (ramped > 0) {
    if (targets > 1) union_sources(&at, rise[0], sum, 0, 1);
    if (targets > 2) union_sources(&at, rise[1], sum, 0, 2);
    if (targets > 3) union_sources(&at, rise[2], sum, 0, 3);
    if (targets > 4) union_sources(&at, rise[3], sum, 0, 4);
    if (targets > 5) union_sources(&at, rise[4], sum, 0, 5);
  }
  union_sources(&at, step->sources - ramped, sum, 0, targets);
  if (ramped > 0) {
    if (targets > 1) union_sources(&at, fall[0], sum, 1, targets);
    if (targets > 2) union_sources(&at, fall[1], sum, 2, targets);
    if (targets > 3) union_sources(&at, fall[2], sum, 3, targets);
    if (targets > 4) union_sources(&at, fall[3], sum, 4, targets);
    if (targets > 5) union_sources(&at, fall[4], sum, 5, targets);
  }
  for (int i = 0; i < targets; i++) ((real *)job->out)[step->row + (uint32_t)i] = sum[i];
}

static void union_panel(const bdag_single_job *job, const bdag_single_step *step) {
  switch (step->targets) {
  case 1:
    union_of(job, step, 1);
    break;
  case 2:
    union_of(job, step, 2);
    break;
  case 3:
    union_of(job, step, 3);
    break;
  case 4:
    union_of(job, step, 4);
    break;
  case 5:
    union_of(job, step, 5);
    break;
  case 6:
    union_of(job, step, 6);
    break;
  default:
    break;
  }
}

/* ---- Lists --------------------------------------------------------------------------------------- */

INLINE real list_sum(const bdag_single_job *job, const bdag_single_step *step, uint32_t r) {
  const real *slots = job->slots, *weights = slots + job->edge_base, *rows = job->out;
  const uint64_t end = job->list_offset[step->row + r + 1];
  real sum = step->adds ? rows[step->row + r] : slots[step->bias + r];
  for (uint64_t i = job->list_offset[step->row + r]; i < end; i++)
    sum = scalar_fma(weights[job->list_slot[i]], rows[job->list_source[i]], sum);
  return sum;
}

static void lists(const bdag_single_job *job, const bdag_single_step *step) {
  real *out = (real *)job->out + step->row;
  if (step->targets == 1) { /* from register to register */
    const real sum = list_sum(job, step, 0);
    if (step->keeps_in) ((real *)job->in)[step->row] = sum;
    out[0] = vec_first(activated(step, vec_set1(sum)));
    return;
  }
  for (uint32_t r = 0; r < step->targets; r++) out[r] = list_sum(job, step, r);
  if (step->activates || step->keeps_in) activate_rows(job, step);
}

/* ---- All steps ----------------------------------------------------------------------------------- */

static int rows_are_finite(const bdag_single_job *job, const bdag_single_step *step) {
  for (uint32_t r = 0; r < step->targets; r++) {
    const real out = ((const real *)job->out)[step->row + r];
    if (!(out - out == 0)) return 0;
  }
  return 1;
}

int NAME(single)(const bdag_single_job *job) {
  for (const bdag_single_step *step = job->step; step < job->step + job->steps; step++)
    switch (step->kind) {
    case BDAG_SINGLE_PANEL:
      panel(job, step);
      break;
    case BDAG_SINGLE_UNION:
      union_panel(job, step);
      break;
    case BDAG_SINGLE_LISTS:
      lists(job, step);
      break;
    case BDAG_SINGLE_ACTIVATE:
      activate_rows(job, step);
      break;
    default:
      if (!rows_are_finite(job, step)) return -1;
    }
  return 0;
}
