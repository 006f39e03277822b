/* The multiply-add kernels: forward panel, pull of an irregular vertex, weight gradient by dot products.
 * Register tiles of targets × samples (sources × targets for the weight gradient); each sum runs over
 * its terms in order with one multiply-add a term, whatever the tile, so that results do not depend on
 * it. Compiled per instruction set and type. May include kernel.h and vector.h. */
#include "kernel/vector.h"

/* Tiles that fit the registers: 32 vector registers with AVX-512 and NEON, 16 otherwise. */
#if defined BDAG_KERNEL_ISA_AVX512 || defined BDAG_KERNEL_ISA_NEON
#define TILE_VECTORS 4
#define TILE_TARGETS 6
#define GRAD_TARGETS 4
#else
#define TILE_VECTORS 2
#define TILE_TARGETS 4
#define GRAD_TARGETS 2
#endif
#define GRAD_SOURCES 4

#define INLINE static inline __attribute__((always_inline))

/* `targets` × `vectors` sums from target r and element t on. */
INLINE void panel_tile(const bdag_panel_job *job, uint32_t r, size_t t, const int targets,
                       const int vectors) {
  const real *weight = (const real *)job->weight + (ptrdiff_t)r * job->target_step;
  const real *rows = (const real *)job->rows + t;
  real *target = (real *)job->target + r * job->row_stride + t;
  vec sum[TILE_TARGETS][TILE_VECTORS];
  for (int i = 0; i < targets; i++)
    for (int j = 0; j < vectors; j++)
      sum[i][j] = job->initial != NULL ? vec_set1(((const real *)job->initial)[r + i])
                                       : vec_loadu(target + i * job->row_stride + j * LANES);
  for (uint32_t k = 0; k < job->sources; k++) {
    const real *row = rows + job->source[k] * job->row_stride;
    vec x[TILE_VECTORS];
    for (int j = 0; j < vectors; j++) x[j] = vec_loadu(row + j * LANES);
    for (int i = 0; i < targets; i++) {
      const vec w = vec_set1(weight[i * job->target_step]);
      for (int j = 0; j < vectors; j++) sum[i][j] = vec_fma(w, x[j], sum[i][j]);
    }
    weight += job->source_step;
  }
  for (int i = 0; i < targets; i++)
    for (int j = 0; j < vectors; j++)
      vec_storeu(target + i * job->row_stride + j * LANES, sum[i][j]);
}

INLINE void panel_columns(const bdag_panel_job *job, size_t t, const int vectors) {
  uint32_t r = 0;
  for (; r + TILE_TARGETS <= job->targets; r += TILE_TARGETS)
    panel_tile(job, r, t, TILE_TARGETS, vectors);
  switch (job->targets - r) {
#if TILE_TARGETS > 4
  case 5:
    panel_tile(job, r, t, 5, vectors);
    break;
  case 4:
    panel_tile(job, r, t, 4, vectors);
    break;
#endif
  case 3:
    panel_tile(job, r, t, 3, vectors);
    break;
  case 2:
    panel_tile(job, r, t, 2, vectors);
    break;
  case 1:
    panel_tile(job, r, t, 1, vectors);
    break;
  default:
    break;
  }
}

void NAME(panel)(const bdag_panel_job *job) {
  size_t t = 0;
  for (; t + TILE_VECTORS * LANES <= job->count; t += TILE_VECTORS * LANES)
    panel_columns(job, t, TILE_VECTORS);
  for (; t < job->count; t += LANES) panel_columns(job, t, 1);
}

INLINE void pull_columns(const bdag_pull_job *job, size_t t, const int vectors) {
  const real *weights = job->weights, *rows = (const real *)job->rows + t;
  real *target = (real *)job->target + t;
  vec sum[TILE_VECTORS];
  for (int j = 0; j < vectors; j++) sum[j] = vec_loadu(target + j * LANES);
  for (uint64_t i = 0; i < job->successors; i++) {
    const vec w = vec_set1(weights[job->slot[i]]);
    const real *row = rows + job->successor[i] * job->row_stride;
    for (int j = 0; j < vectors; j++) sum[j] = vec_fma(w, vec_loadu(row + j * LANES), sum[j]);
  }
  for (int j = 0; j < vectors; j++) vec_storeu(target + j * LANES, sum[j]);
}

void NAME(pull)(const bdag_pull_job *job) {
  size_t t = 0;
  for (; t + TILE_VECTORS * LANES <= job->count; t += TILE_VECTORS * LANES)
    pull_columns(job, t, TILE_VECTORS);
  for (; t < job->count; t += LANES) pull_columns(job, t, 1);
}

/* Dot products of `targets` in_grad rows with `sources` out rows. */
INLINE void grad_tile(const bdag_weight_grad_job *job, uint32_t r, uint32_t k, const int targets,
                      const int sources) {
  const real *in_grad = (const real *)job->target + r * job->row_stride;
  const real *row[GRAD_SOURCES];
  for (int i = 0; i < sources; i++)
    row[i] = (const real *)job->rows + job->source[k + i] * job->row_stride;
  vec sum[GRAD_SOURCES][GRAD_TARGETS];
  for (int i = 0; i < sources; i++)
    for (int j = 0; j < targets; j++) sum[i][j] = vec_zero();
  for (size_t t = 0; t < job->count; t += LANES) {
    vec g[GRAD_TARGETS];
    for (int j = 0; j < targets; j++) g[j] = vec_loadu(in_grad + j * job->row_stride + t);
    for (int i = 0; i < sources; i++) {
      const vec x = vec_loadu(row[i] + t);
      for (int j = 0; j < targets; j++) sum[i][j] = vec_fma(x, g[j], sum[i][j]);
    }
  }
  real *gradient = (real *)job->gradient + (ptrdiff_t)r * job->target_step;
  for (int i = 0; i < sources; i++)
    for (int j = 0; j < targets; j++) {
      real *at = gradient + (ptrdiff_t)(k + i) * job->source_step + j * job->target_step;
      const real dot = vec_sum(sum[i][j]);
      *at = job->accumulate ? *at + dot : dot;
    }
}

INLINE void grad_targets(const bdag_weight_grad_job *job, uint32_t r, const int targets) {
  uint32_t k = 0;
  for (; k + GRAD_SOURCES <= job->sources; k += GRAD_SOURCES)
    grad_tile(job, r, k, targets, GRAD_SOURCES);
  for (; k < job->sources; k++) grad_tile(job, r, k, targets, 1);
}

void NAME(weight_grad)(const bdag_weight_grad_job *job) {
  uint32_t r = 0;
  for (; r + GRAD_TARGETS <= job->targets; r += GRAD_TARGETS) grad_targets(job, r, GRAD_TARGETS);
  for (; r < job->targets; r++) grad_targets(job, r, 1);
}

double NAME(row_sum)(const void *row, size_t count) {
  const real *element = row;
  vec sum = vec_zero();
  for (size_t t = 0; t < count; t += LANES) sum = vec_add(sum, vec_loadu(element + t));
  return vec_sum(sum);
}
