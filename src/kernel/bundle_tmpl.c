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

/* Line `line` of the rows that the next bundle writes, then of those that it reads. */
INLINE void prefetch_next(const bdag_bundle_job *job, size_t t, uint32_t line, const int vectors) {
  const uint32_t lines = (uint32_t)(vectors * LANES * sizeof(real) / 64);
  if (lines == 0 || line >= 2 * job->rows * lines) return;
  const uint32_t i = job->rows + line / lines % job->rows;
  if (i >= job->row_limit) return;
  const size_t at = (job->row[i] * job->row_stride + t) * sizeof(real) + line % lines * 64;
  if (line < job->rows * lines)
    __builtin_prefetch((char *)job->out_grad + at, 1, 3);
  else
    __builtin_prefetch((const char *)job->out + at, 0, 3);
}

#define SUCCESSORS_AHEAD 6

INLINE vec pull_columns(const bdag_bundle_job *job, size_t t, const int rows, const int vectors) {
  const real *weight = job->weights, *in_grad = (const real *)job->in_grad + t;
  real *out_grad = (real *)job->out_grad + t;
  const size_t bundle = (size_t)rows * job->successors; /* the next one's weights follow */
  vec sum[BDAG_BUNDLE_ROWS][PULL_VECTORS];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++)
      sum[i][j] = job->from_zero ? vec_zero()
                                 : vec_loadu(out_grad + job->row[i] * job->row_stride + j * LANES);
  for (uint32_t k = 0; k < job->successors; k++, weight += rows) {
    const real *row = in_grad + job->successor[k] * job->row_stride;
    prefetch_next(job, t, k, vectors);
    if (k % 4 == 0) __builtin_prefetch((const void *)address_after(weight, bundle), 0, 3);
    if (k + SUCCESSORS_AHEAD < job->successors) {
      const char *ahead =
          (const char *)(in_grad + job->successor[k + SUCCESSORS_AHEAD] * job->row_stride);
      for (size_t byte = 0; byte < vectors * LANES * sizeof(real); byte += 64)
        __builtin_prefetch(ahead + byte, 0, 3);
    }
    vec g[PULL_VECTORS];
    for (int j = 0; j < vectors; j++) g[j] = vec_loadu(row + j * LANES);
    for (int i = 0; i < rows; i++) {
      const vec w = vec_set1(weight[i]);
      for (int j = 0; j < vectors; j++) sum[i][j] = vec_fma(w, g[j], sum[i][j]);
    }
  }
  vec odd = vec_zero();
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++) {
      odd = vec_fma(sum[i][j], vec_zero(), odd);
      vec_storeu(out_grad + job->row[i] * job->row_stride + j * LANES, sum[i][j]);
    }
  return odd;
}

INLINE int pull_rows(const bdag_bundle_job *job, const int rows) {
  vec odd = vec_zero(); /* x·0 is 0 for finite x and NaN otherwise */
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

INLINE void store_dots(const bdag_bundle_job *job, const vec *dot, uint32_t k, const int rows,
                       const int successors) {
  real *gradient = (real *)job->gradient + (size_t)k * rows;
  const size_t wanted = (size_t)rows * successors;
  for (size_t first = 0; first < wanted; first += LANES) {
    const vec sums = sums_of(dot + first);
    if (first + LANES <= wanted) {
      real *to = gradient + first;
      vec_storeu(to, job->accumulate ? vec_add(vec_loadu(to), sums) : sums);
      continue;
    }
    real sum[VECTOR_BYTES / sizeof(real)];
    vec_storeu(sum, sums);
    for (size_t i = 0; first + i < wanted; i++)
      gradient[first + i] = job->accumulate ? gradient[first + i] + sum[i] : sum[i];
  }
}

/* `successors` from k on against all rows, over all tiles. */
INLINE void dot_block(const bdag_bundle_job *job, uint32_t k, const int rows,
                      const int successors) {
  vec dot[DOTS];
  for (int i = 0; i < DOTS; i++) dot[i] = vec_zero();
  __builtin_prefetch((const void *)address_after(job->gradient, (size_t)k * rows + GRADIENTS_AHEAD),
                     1, 3);
  for (uint32_t tile = 0; tile < job->tiles; tile++) {
    const real *out = (const real *)job->out + tile * job->out_tile_step;
    const real *in_grad = (const real *)job->in_grad + tile * job->grad_tile_step;
    const size_t count = tile + 1 == job->tiles ? job->last_count : job->count;
    const real *source[BDAG_BUNDLE_ROWS], *target[DOTS / 2];
    for (int i = 0; i < rows; i++) source[i] = out + job->row[i] * job->row_stride;
    for (int i = 0; i < successors; i++)
      target[i] = in_grad + job->successor[k + i] * job->row_stride;
    for (size_t t = 0; t < count; t += LANES) {
      vec x[BDAG_BUNDLE_ROWS];
      for (int i = 0; i < rows; i++) {
        x[i] = vec_loadu(source[i] + t);
        KEEP(x[i]);
      }
      for (int j = 0; j < successors; j++) {
        vec g = vec_loadu(target[j] + t);
        KEEP(g);
        for (int i = 0; i < rows; i++) dot[j * rows + i] = vec_fma(x[i], g, dot[j * rows + i]);
      }
    }
  }
  store_dots(job, dot, k, rows, successors);
}

INLINE void dot_rows(const bdag_bundle_job *job, const int rows) {
  const int block = DOTS / rows;
  uint32_t k = 0;
  for (; k + block <= job->successors; k += block) dot_block(job, k, rows, block);
  for (; k < job->successors; k++) dot_block(job, k, rows, 1);
}

void NAME(bundle_grad)(const bdag_bundle_job *job) {
  if (job->rows == BDAG_BUNDLE_ROWS)
    dot_rows(job, BDAG_BUNDLE_ROWS);
  else
    dot_rows(job, 2);
}
