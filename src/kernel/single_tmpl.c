/* Forward sums of one sample: what panel_tmpl.c does for rows of samples, with vectors of targets
 * instead. Each target's sum runs over the same terms in the same order with the same multiply-adds, so
 * a sample's result is bitwise that of a larger batch. Compiled per instruction set and type. May
 * include kernel.h and vector.h. */
#include <string.h>

#include "kernel/vector.h"

#define INLINE static inline __attribute__((always_inline))

/* Vectors of targets in registers at once. */
#define SINGLE_VECTORS 8

/* One multiply-add as a lane of the vectors does it. */
INLINE real scalar_fma(real a, real b, real c) {
  real result[VECTOR_BYTES / sizeof(real)];
  vec_storeu(result, vec_fma(vec_set1(a), vec_set1(b), vec_set1(c)));
  return result[0];
}

INLINE void single_columns(const bdag_panel_job *job, size_t r, const int vectors) {
  const real *weight = (const real *)job->weight + r, *rows = job->rows;
  real start[SINGLE_VECTORS * VECTOR_BYTES / sizeof(real)] = {0};
  const size_t wanted = job->targets - r < vectors * LANES ? job->targets - r : vectors * LANES;
  memcpy(start, (const real *)job->initial + r, wanted * sizeof(real));
  vec sum[SINGLE_VECTORS];
  for (int j = 0; j < vectors; j++) sum[j] = vec_loadu(start + j * LANES);
  for (uint32_t k = 0; k < job->sources; k++, weight += job->source_step) {
    const vec x = vec_set1(rows[job->source[k]]);
    for (int j = 0; j < vectors; j++) sum[j] = vec_fma(vec_loadu(weight + j * LANES), x, sum[j]);
  }
  for (int j = 0; j < vectors; j++) vec_storeu(start + j * LANES, sum[j]);
  memcpy((real *)job->target + r, start, wanted * sizeof(real));
}

void NAME(panel_single)(const bdag_panel_job *job) {
  const size_t width = (size_t)job->source_step;
  size_t r = 0;
  if (width % 16 == 0) {
    for (; r + SINGLE_VECTORS * LANES <= width; r += SINGLE_VECTORS * LANES)
      single_columns(job, r, SINGLE_VECTORS);
    for (; r + 4 * LANES <= width; r += 4 * LANES) single_columns(job, r, 4);
    for (; r < width && r < job->targets; r += LANES) single_columns(job, r, 1);
    return;
  }
  real *const target = job->target;
  memcpy(target, job->initial, job->targets * sizeof(real));
  for (uint32_t k = 0; k < job->sources; k++)
    for (uint32_t i = 0; i < job->targets; i++)
      target[i] = scalar_fma(((const real *)job->weight)[k * width + i],
                             ((const real *)job->rows)[job->source[k]], target[i]);
}

void NAME(union_single)(const bdag_union_job *job) {
  const real *const weights = job->weights, *const rows = job->rows;
  real *const target = job->target;
  memcpy(target, job->initial, job->targets * sizeof(real));
  const uint32_t *slot = job->slot;
  for (uint32_t k = 0; k < job->sources; k++)
    for (uint32_t i = 0; i < job->targets; i++, slot++)
      target[i] = scalar_fma(weights[*slot], rows[job->source[k]], target[i]);
}

void NAME(list_single)(const bdag_list_job *job) {
  const real *const weights = job->weights, *const rows = job->rows;
  real *const target = job->target;
  for (uint32_t r = 0; r < job->targets; r++) {
    real sum = job->initial != NULL ? ((const real *)job->initial)[r] : target[r];
    for (uint64_t i = job->offset[r]; i < job->offset[r + 1]; i++)
      sum = scalar_fma(weights[job->slot[i]], rows[job->source[i]], sum);
    target[r] = sum;
  }
}
