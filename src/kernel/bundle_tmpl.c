/* Bundles: a few neurons that share most of their successors, backward. Each row in_grad(v) is loaded once
 * for all of them, in the pull of out_grad and in the weight gradients. Compiled per instruction set and
 * type. May include kernel.h, vector.h, transpose.h. */
#include "kernel/transpose.h"

#define INLINE static inline __attribute__((always_inline))

#if defined BDAG_KERNEL_ISA_AVX512 || defined BDAG_KERNEL_ISA_NEON
#define PULL_VECTORS 4
#define DOTS         16
#else
#define PULL_VECTORS 2
#define DOTS         8
#endif

/* ---- Pull ---------------------------------------------------------------------------------------- */

/* What a bundle's sums have come to. */
typedef struct pull_place {
  const real *weight, *in_grad;
  const uint32_t *successor;
} pull_place;

/* Asks for the rows that the next bundle writes, or reads. */
INLINE void prefetch_next(const bdag_bundle_job *job, const void *first, size_t t, const int writes,
                          const int rows, const int vectors) {
  const char *base = (const char *)((const real *)first + t);
  for (uint32_t i = (uint32_t)rows; i < 2 * (uint32_t)rows && i < job->row_limit; i++) {
    const char *row = base + job->row[i] * job->row_stride * sizeof(real);
    for (size_t byte = 0; byte < vectors * LANES * sizeof(real); byte += 64) {
      if (writes)
        __builtin_prefetch(row + byte, 1, 3);
      else
        __builtin_prefetch(row + byte, 0, 3);
    }
  }
}

/* The next successors, of rows first … end−1. */
INLINE void pull_successors(const bdag_bundle_job *job, pull_place *at, uint32_t successors,
                            vec sum[][PULL_VECTORS], const int first, const int end,
                            const int vectors) {
  const size_t stride = job->row_stride;
  for (uint32_t k = 0; k < successors; k++, at->weight += end - first) {
    const real *row = at->in_grad + *at->successor++ * stride;
    vec g[PULL_VECTORS];
    for (int j = 0; j < vectors; j++) g[j] = vec_loadu(row + j * LANES);
    for (int i = first; i < end; i++) {
      const vec w = vec_set1(at->weight[i - first]);
      for (int j = 0; j < vectors; j++) sum[i][j] = vec_fma(w, g[j], sum[i][j]);
    }
  }
}

/* Returns 0, or NaN in some lane if a sum is not finite: x·0 is 0 for finite x and NaN otherwise. */
INLINE vec pull_columns(const bdag_bundle_job *job, size_t t, const int rows, const int vectors) {
  const uint8_t *rise = job->ramps.rise, *fall = job->ramps.fall;
  const uint32_t ramped = bdag_ramped_sources(&job->ramps);
  real *out_grad = (real *)job->out_grad + t;
  pull_place at = {.weight = job->weights,
                   .in_grad = (const real *)job->in_grad + t,
                   .successor = job->successor};
  vec sum[BDAG_BUNDLE_ROWS][PULL_VECTORS];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++)
      sum[i][j] = job->from_zero ? vec_zero()
                                 : vec_loadu(out_grad + job->row[i] * job->row_stride + j * LANES);
  prefetch_next(job, job->out_grad, t, 1, rows, vectors);
  pull_successors(job, &at, rise[0], sum, 0, 1, vectors);
  if (rows > 2) pull_successors(job, &at, rise[1], sum, 0, 2, vectors);
  if (rows > 3) pull_successors(job, &at, rise[2], sum, 0, 3, vectors);
  pull_successors(job, &at, job->successors - ramped, sum, 0, rows, vectors);
  prefetch_next(job, job->out, t, 0, rows, vectors);
  pull_successors(job, &at, fall[0], sum, 1, rows, vectors);
  if (rows > 2) pull_successors(job, &at, fall[1], sum, 2, rows, vectors);
  if (rows > 3) pull_successors(job, &at, fall[2], sum, 3, rows, vectors);
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++)
      vec_storeu(out_grad + job->row[i] * job->row_stride + j * LANES, sum[i][j]);
  vec odd[BDAG_BUNDLE_ROWS];
  for (int i = 0; i < rows; i++) odd[i] = vec_zero();
  if (job->unchecked) return odd[0];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++) odd[i] = vec_fma(sum[i][j], vec_zero(), odd[i]);
  for (int i = 1; i < rows; i++) odd[0] = vec_add(odd[0], odd[i]);
  return odd[0];
}

INLINE int pull_rows(const bdag_bundle_job *job, const int rows) {
  vec odd = vec_zero();
  size_t t = 0;
  for (; t + PULL_VECTORS * LANES <= job->count; t += PULL_VECTORS * LANES)
    odd = vec_add(odd, pull_columns(job, t, rows, PULL_VECTORS));
  for (; t < job->count; t += LANES) odd = vec_add(odd, pull_columns(job, t, rows, 1));
  return vec_sum(odd) == 0;
}

int NAME(bundle_pull)(const bdag_bundle_job *job) {
  return job->rows == BDAG_BUNDLE_ROWS ? pull_rows(job, BDAG_BUNDLE_ROWS) : pull_rows(job, 2);
}

/* ---- Weight gradients ---------------------------------------------------------------------------- */

#define GRADIENTS_AHEAD 64

/* Rows of the first tile: of the neurons. */
typedef struct dot_rows {
  const real *out[BDAG_BUNDLE_ROWS];
} dot_rows;

INLINE dot_rows rows_of(const bdag_bundle_job *job, const int rows) {
  dot_rows at;
  for (int i = 0; i < rows; i++) at.out[i] = (const real *)job->out + job->row[i] * job->row_stride;
  return at;
}

/* Of successors k … k+`count`−1; those behind the last one repeat it unless all are there. */
INLINE void targets_of(const bdag_bundle_job *job, const real **target, uint32_t k, const int count,
                       const int all) {
  const uint32_t last = job->successors - 1;
  for (uint32_t i = 0; i < (uint32_t)count; i++)
    target[i] = (const real *)job->in_grad +
                job->successor[all || k + i < last ? k + i : last] * job->row_stride;
}

INLINE void add_sums(const bdag_bundle_job *job, real *gradient, const real *sum, uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    gradient[i] = job->accumulate ? gradient[i] + sum[i] : sum[i];
}

/* Sums of dot[k·rows + i], which are stored where row i reads successor first + k. Returns how many;
 * `whole`: all are. */
INLINE uint32_t store_dots(const bdag_bundle_job *job, const vec *dot, real *gradient,
                           uint32_t first, uint32_t wanted, const int rows, const int successors,
                           const int whole) {
  real sum[DOTS];
  const uint32_t cells = (uint32_t)rows * wanted;
  for (size_t i = 0; i < DOTS && i < (size_t)rows * successors; i += LANES) {
    const vec sums = sums_of(dot + i);
    if (whole && i + LANES <= cells) {
      real *to = gradient + i;
      vec_storeu(to, job->accumulate ? vec_add(vec_loadu(to), sums) : sums);
    } else {
      vec_storeu(sum + i, sums);
    }
  }
  if (whole) {
    const uint32_t done = cells / (uint32_t)LANES * (uint32_t)LANES;
    if (done < cells) add_sums(job, gradient + done, sum + done, cells - done);
    return cells;
  }
  uint32_t stored = 0;
  for (uint32_t k = 0; k < wanted; k++) {
    const bdag_span span = bdag_span_of(&job->ramps, rows, job->successors, first + k);
    for (uint32_t i = span.first; i < span.end; i++, stored++)
      gradient[stored] = job->accumulate ? gradient[stored] + sum[k * rows + i] : sum[k * rows + i];
  }
  return stored;
}

/* `successors` from k on against all rows, over all tiles; `wanted` of them are there. */
INLINE uint32_t dot_block(const bdag_bundle_job *job, const dot_rows *at, real *gradient,
                          uint32_t k, uint32_t wanted, const int rows, const int successors,
                          const int all, const int whole) {
  vec dot[DOTS];
  const real *target[DOTS];
  targets_of(job, target, k, successors, all);
  for (int i = 0; i < DOTS; i++) dot[i] = vec_zero();
  __builtin_prefetch((const void *)address_after(gradient, GRADIENTS_AHEAD), 1, 3);
  for (uint32_t tile = 0; tile < job->tiles; tile++) {
    const size_t first = tile * job->out_tile_step, apart = tile * job->grad_tile_step - first;
    const size_t end = first + (tile + 1 == job->tiles ? job->last_count : job->count);
    for (size_t t = first; t < end; t += LANES) {
      vec x[BDAG_BUNDLE_ROWS];
      for (int i = 0; i < rows; i++) {
        x[i] = vec_loadu(at->out[i] + t);
        KEEP(x[i]);
      }
      for (int j = 0; j < successors; j++) {
        vec g = vec_loadu(target[j] + (t + apart));
        KEEP(g);
        for (int i = 0; i < rows; i++) dot[j * rows + i] = vec_fma(x[i], g, dot[j * rows + i]);
      }
    }
  }
  return store_dots(job, dot, gradient, k, wanted, rows, successors, whole);
}

/* Successors k … end−1, in blocks that waste little; all rows read those from `low` to `high`. Returns where
 * the next gradient belongs. */
INLINE real *dot_successors(const bdag_bundle_job *job, const dot_rows *at, real *gradient,
                            uint32_t k, uint32_t end, uint32_t low, uint32_t high, const int rows) {
  const uint32_t block = DOTS / rows;
  for (; k + block <= end; k += block)
    gradient +=
        dot_block(job, at, gradient, k, block, rows, DOTS / rows, 1, k >= low && k + block <= high);
  const uint32_t rest = end - k;
  const int whole = k >= low && end <= high;
  if (rest > block / 2)
    gradient += dot_block(job, at, gradient, k, rest, rows, DOTS / rows, 0, whole);
  else if (rest > block / 4)
    gradient += dot_block(job, at, gradient, k, rest, rows, DOTS / rows / 2, 0, whole);
  else if (rest > 0)
    gradient += dot_block(job, at, gradient, k, rest, rows, DOTS / rows / 4, 0, whole);
  return gradient;
}

INLINE void dot_all(const bdag_bundle_job *job, const int rows) {
  const dot_rows at = rows_of(job, rows);
  uint32_t low = 0, high = job->successors;
  for (int i = 0; i + 1 < rows; i++) {
    low += job->ramps.rise[i];
    high -= job->ramps.fall[i];
  }
  dot_successors(job, &at, job->gradient, 0, job->successors, low, high, rows);
}

/* ---- Windows that slide by one: four rows, each ramp 1, 1, 1 ---------------------------------------- */

#define RAMP_DOTS 6

INLINE int slides_by_one(const bdag_ramps *ramps) {
  for (int i = 0; i + 1 < BDAG_BUNDLE_ROWS; i++)
    if (ramps->rise[i] != 1 || ramps->fall[i] != 1) return 0;
  return 1;
}

/* Both ramps, or one, and between them `full` successors that all rows read. */
INLINE void ramp_block(const bdag_bundle_job *job, const dot_rows *at, real *rise, real *fall,
                       const int rises, const int falls, const int full) {
  const int rows = BDAG_BUNDLE_ROWS, ramp = rows - 1, first = rises ? RAMP_DOTS : 0;
  vec dot[RAMP_DOTS * 2 + BDAG_BUNDLE_ROWS];
  const real *low[BDAG_BUNDLE_ROWS], *high[BDAG_BUNDLE_ROWS];
  if (rises) targets_of(job, low, 0, ramp, 1);
  if (falls) targets_of(job, high, job->successors - (uint32_t)(ramp + full), ramp + full, 1);
  for (int i = 0; i < RAMP_DOTS * 2 + BDAG_BUNDLE_ROWS; i++) dot[i] = vec_zero();
  for (uint32_t tile = 0; tile < job->tiles; tile++) {
    const size_t begin = tile * job->out_tile_step, apart = tile * job->grad_tile_step - begin;
    const size_t end = begin + (tile + 1 == job->tiles ? job->last_count : job->count);
    for (size_t t = begin; t < end; t += LANES) {
      vec x[BDAG_BUNDLE_ROWS];
      for (int i = 0; i < BDAG_BUNDLE_ROWS; i++) {
        x[i] = vec_loadu(at->out[i] + t);
        KEEP(x[i]);
      }
      for (int k = 0; rises && k < BDAG_BUNDLE_ROWS - 1; k++) {
        vec g = vec_loadu(low[k] + (t + apart));
        KEEP(g);
        vec *to = dot + k * (k + 1) / 2;
        for (int i = 0; i < BDAG_BUNDLE_ROWS - 1; i++)
          if (i <= k) to[i] = vec_fma(x[i], g, to[i]);
      }
      for (int k = 0; falls && k < BDAG_BUNDLE_ROWS - 1 + full; k++) {
        vec g = vec_loadu(high[k] + (t + apart));
        KEEP(g);
        const int from = k + 1 - full; /* first row that reads it */
        const int to = first + from * (2 * BDAG_BUNDLE_ROWS - 1 - from) / 2 -
                       (1 - full) * BDAG_BUNDLE_ROWS; /* less than 0 where i cannot be 0 */
        for (int i = 0; i < BDAG_BUNDLE_ROWS; i++)
          if (i >= from) dot[to + i] = vec_fma(x[i], g, dot[to + i]);
      }
    }
  }
  real sum[RAMP_DOTS * 2 + BDAG_BUNDLE_ROWS];
  for (int i = 0; i < first + (falls ? RAMP_DOTS + full * rows : 0); i += (int)LANES)
    vec_storeu(sum + i, sums_of(dot + i));
  if (rises) add_sums(job, rise, sum, RAMP_DOTS);
  if (falls) add_sums(job, fall, sum + first, (uint32_t)(RAMP_DOTS + full * rows));
}

INLINE void sliding_rows(const bdag_bundle_job *job) {
  const uint32_t ramp = BDAG_BUNDLE_ROWS - 1, end = job->successors - ramp;
  const dot_rows at = rows_of(job, BDAG_BUNDLE_ROWS);
  real *rise = job->gradient, *fall = rise + RAMP_DOTS;
#if DOTS > RAMP_DOTS * 2
  const int full = (end - ramp) % (DOTS / BDAG_BUNDLE_ROWS) == 1;
  fall =
      dot_successors(job, &at, fall, ramp, end - (uint32_t)full, 0, UINT32_MAX, BDAG_BUNDLE_ROWS);
  if (full)
    ramp_block(job, &at, rise, fall, 1, 1, 1);
  else
    ramp_block(job, &at, rise, fall, 1, 1, 0);
#else
  fall = dot_successors(job, &at, fall, ramp, end, 0, UINT32_MAX, BDAG_BUNDLE_ROWS);
  ramp_block(job, &at, rise, fall, 1, 0, 0);
  ramp_block(job, &at, rise, fall, 0, 1, 0);
#endif
}

void NAME(bundle_grad)(const bdag_bundle_job *job) {
  if (job->rows == BDAG_BUNDLE_ROWS && slides_by_one(&job->ramps))
    sliding_rows(job);
  else if (job->rows == BDAG_BUNDLE_ROWS)
    dot_all(job, BDAG_BUNDLE_ROWS);
  else
    dot_all(job, 2);
}
