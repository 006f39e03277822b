/* Weight gradients: dense panels by dot products or, transposed, as a matrix product without horizontal
 * sums. Compiled per instruction set and type. May include kernel.h, vector.h, transpose.h. */
#include "kernel/transpose.h"

#define INLINE static inline __attribute__((always_inline))

#if defined BDAG_KERNEL_ISA_AVX512 || defined BDAG_KERNEL_ISA_NEON
#define DOT_TARGETS   4
#define BLOCK_VECTORS 4
#define BLOCK_SOURCES 6
#define PAIR_SOURCES  8
#else
#define DOT_TARGETS   2
#define BLOCK_VECTORS 2
#define BLOCK_SOURCES 6
#define PAIR_SOURCES  6
#endif
#define DOT_SOURCES  4
#define MOST_SOURCES 12
#define LINE         (64 / sizeof(real))

static size_t lanes_of_tile(const bdag_weight_grad_job *job, uint32_t tile) {
  return tile + 1 == job->tiles ? job->last_count : job->count;
}

/* ---- Dot products -------------------------------------------------------------------------------- */

#define DOTS (DOT_SOURCES * DOT_TARGETS)

/* Sums of dot[i·targets + j]: the gradient of source k + i and target r + j. */
INLINE void store_dots(const bdag_weight_grad_job *job, const vec *dot, uint32_t r, uint32_t k,
                       const int targets, const int sources) {
  real sum[DOTS], *gradient = (real *)job->gradient + (ptrdiff_t)k * job->source_step + r;
  for (int i = 0; i < sources * targets; i += (int)LANES) vec_storeu(sum + i, sums_of(dot + i));
  for (int i = 0; i < sources; i++, gradient += job->source_step)
    for (int j = 0; j < targets; j++)
      gradient[j] = job->accumulate ? gradient[j] + sum[i * targets + j] : sum[i * targets + j];
}

INLINE void dot_tile(const bdag_weight_grad_job *job, uint32_t r, uint32_t k, const int targets,
                     const int sources) {
  const real *target = (const real *)job->target + r * job->row_stride, *row[DOT_SOURCES];
  const size_t stride = job->row_stride;
  vec dot[DOTS];
  for (int i = 0; i < DOTS; i++) dot[i] = vec_zero();
  for (int i = 0; i < sources; i++) row[i] = (const real *)job->rows + job->source[k + i] * stride;
  for (uint32_t tile = 0; tile < job->tiles; tile++) {
    const real *in_grad = target + tile * job->grad_tile_step;
    const size_t first = tile * job->out_tile_step, end = first + lanes_of_tile(job, tile);
    for (size_t t = first; t < end; t += LANES, in_grad += LANES) {
      vec g[DOT_TARGETS];
      for (int j = 0; j < targets; j++) {
        g[j] = vec_loadu(in_grad + j * stride);
        KEEP(g[j]);
      }
      for (int i = 0; i < sources; i++) {
        vec x = vec_loadu(row[i] + t);
        KEEP(x);
        for (int j = 0; j < targets; j++)
          dot[i * targets + j] = vec_fma(x, g[j], dot[i * targets + j]);
      }
    }
  }
  store_dots(job, dot, r, k, targets, sources);
}

INLINE void dot_targets(const bdag_weight_grad_job *job, uint32_t r, const int targets) {
  uint32_t k = 0;
  for (; k + DOT_SOURCES <= job->sources; k += DOT_SOURCES)
    dot_tile(job, r, k, targets, DOT_SOURCES);
  for (; k < job->sources; k++) dot_tile(job, r, k, targets, 1);
}

void NAME(weight_grad)(const bdag_weight_grad_job *job) {
  uint32_t r = 0;
  for (; r + DOT_TARGETS <= job->targets; r += DOT_TARGETS) dot_targets(job, r, DOT_TARGETS);
  for (; r < job->targets; r++) dot_targets(job, r, 1);
}

/* ---- Transposed ---------------------------------------------------------------------------------- */

/* Samples from t on of the rows that the next block reads, maybe the first one of the next panel. */
INLINE void prefetch_sources(const bdag_weight_grad_job *job, const real *rows, uint32_t k,
                             size_t t, const int sources) {
  for (int i = 0; i < sources; i++)
    __builtin_prefetch(rows + job->source[k + i] * job->row_stride + t, 0, 3);
}

/* `sources` × `vectors` of targets from target c on; the turned in_grad is [tile][sample][target]. */
INLINE void product_block(const bdag_weight_grad_job *job, uint32_t k, size_t c, const int sources,
                          const int vectors) {
  const size_t width = (size_t)job->source_step;
  vec sum[MOST_SOURCES][BLOCK_VECTORS];
  for (int i = 0; i < sources; i++) {
    const char *gradient =
        (const char *)((real *)job->gradient + (ptrdiff_t)(k + i) * job->source_step + c);
    for (size_t byte = 0; byte < vectors * LANES * sizeof(real); byte += 64)
      __builtin_prefetch(gradient + byte, 1, 3);
    for (int j = 0; j < vectors; j++) sum[i][j] = vec_zero();
  }
  const int asks = c == 0 && k + 2 * (uint64_t)sources <= job->source_limit;
  for (uint32_t tile = 0; tile < job->tiles; tile++) {
    const real *rows = (const real *)job->rows + tile * job->out_tile_step;
    const real *turned = (const real *)job->scratch + tile * job->count * width + c;
    const size_t count = lanes_of_tile(job, tile);
    const real *row[MOST_SOURCES];
    for (int i = 0; i < sources; i++) row[i] = rows + job->source[k + i] * job->row_stride;
    for (size_t t = 0; t < count; t++, turned += width) {
      if (asks && t % LINE == 0) prefetch_sources(job, rows, k + sources, t, sources);
      vec g[BLOCK_VECTORS];
      for (int j = 0; j < vectors; j++) {
        g[j] = vec_loadu(turned + j * LANES);
        KEEP(g[j]);
      }
      for (int i = 0; i < sources; i++) {
        const vec x = vec_set1(row[i][t]);
        for (int j = 0; j < vectors; j++) sum[i][j] = vec_fma(x, g[j], sum[i][j]);
      }
    }
  }
  for (int i = 0; i < sources; i++) {
    real *gradient = (real *)job->gradient + (ptrdiff_t)(k + i) * job->source_step + c;
    for (int j = 0; j < vectors; j++, gradient += LANES)
      vec_storeu(gradient, job->accumulate ? vec_add(vec_loadu(gradient), sum[i][j]) : sum[i][j]);
  }
}

INLINE void product_columns(const bdag_weight_grad_job *job, size_t c, const int sources,
                            const int vectors) {
  uint32_t k = 0;
  for (; k + sources <= job->sources; k += sources) product_block(job, k, c, sources, vectors);
  for (; k + 4 <= job->sources; k += 4) product_block(job, k, c, 4, vectors);
  for (; k + 2 <= job->sources; k += 2) product_block(job, k, c, 2, vectors);
  if (k < job->sources) product_block(job, k, c, 1, vectors);
}

static void turn_in_grad(const bdag_weight_grad_job *job) {
  const size_t width = (size_t)job->source_step;
  for (uint32_t tile = 0; tile < job->tiles; tile++) {
    real *turned = (real *)job->scratch + tile * job->count * width;
    const size_t count = lanes_of_tile(job, tile);
    NAME(transpose)
    ((const real *)job->target + tile * job->grad_tile_step, job->row_stride, turned, width,
     job->targets, count);
    for (size_t t = 0; t < count; t++)
      for (size_t r = job->targets; r < width; r++) turned[t * width + r] = 0;
  }
}

void NAME(weight_grad_transposed)(const bdag_weight_grad_job *job) {
  const size_t width = (size_t)job->source_step;
  turn_in_grad(job);
  size_t c = 0;
  for (; c + BLOCK_VECTORS * LANES <= width; c += BLOCK_VECTORS * LANES)
    product_columns(job, c, BLOCK_SOURCES, BLOCK_VECTORS);
  for (; c + 2 * LANES <= width; c += 2 * LANES) product_columns(job, c, PAIR_SOURCES, 2);
  for (; c < width; c += LANES) product_columns(job, c, MOST_SOURCES, 1);
}

void NAME(transpose)(const void *from, size_t from_stride, void *to, size_t to_stride, size_t rows,
                     size_t columns) {
  const real *source = from;
  real *target = to;
  size_t r = 0;
  for (; r + TRANSPOSE_BLOCK <= rows; r += TRANSPOSE_BLOCK) {
    size_t c = 0;
    for (; c + TRANSPOSE_BLOCK <= columns; c += TRANSPOSE_BLOCK)
      transpose_block(source + r * from_stride + c, from_stride, target + c * to_stride + r,
                      to_stride);
    for (; c < columns; c++)
      for (size_t i = r; i < r + TRANSPOSE_BLOCK; i++)
        target[c * to_stride + i] = source[i * from_stride + c];
  }
  for (; r < rows; r++)
    for (size_t c = 0; c < columns; c++) target[c * to_stride + r] = source[r * from_stride + c];
}
