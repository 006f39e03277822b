/* Forward sums and the pull of dense blocks: dense panels, unions, lists. Register tiles of targets ×
 * samples; each sum runs over its terms in order with one multiply-add a term, whatever the tile, so
 * that results do not depend on it. Compiled per instruction set and type. May include kernel.h and
 * vector.h. */
#include "kernel/vector.h"

/* Tiles that fit the registers: 32 vector registers with AVX-512 and NEON, 16 otherwise. */
#if defined BDAG_KERNEL_ISA_AVX512 || defined BDAG_KERNEL_ISA_NEON
#define TILE_VECTORS 4
#define TILE_TARGETS 6
#else
#define TILE_VECTORS 2
#define TILE_TARGETS 4
#endif
/* Of a shorter row, or of the end of one. */
#define HALF_VECTORS (TILE_VECTORS / 2)

/* Source rows of one visit: with 64 float32 samples they fill a third of a small L1. */
#define CHUNK_SOURCES 64u

#define INLINE static inline __attribute__((always_inline))

/* Rows that will be written soon are asked for line by line meanwhile: a store that misses waits. */
INLINE void prefetch_line(uintptr_t next, uint32_t line, uint32_t lines) {
  if (line < lines) __builtin_prefetch((const void *)(next + 64 * (size_t)line), 1, 3);
}

INLINE uint32_t lines_of(size_t row_stride, const int targets, const int vectors) {
  const size_t used = vectors * LANES == row_stride ? targets * row_stride : 0;
  return (uint32_t)(used * sizeof(real) / 64);
}

/* ---- Dense panels -------------------------------------------------------------------------------- */

INLINE real *target_at(const bdag_panel_job *job, uint32_t r) {
  return (real *)job->target + (job->target_row != NULL ? job->target_row[r] : r) * job->row_stride;
}

/* The same for rows of a list, from target r and element t on. */
INLINE void prefetch_listed(const bdag_panel_job *job, uint32_t r, size_t t, uint32_t line,
                            const int vectors) {
  const uint32_t bytes = vectors * LANES * sizeof(real), lines = (bytes + 63) / 64;
  const uint32_t i = r + line / lines;
  if (line < TILE_TARGETS * lines && i < job->target_limit)
    __builtin_prefetch((const char *)(target_at(job, i) + t) + line % lines * 64, 1, 3);
}

/* Weights are read once a tile of samples, often from far away: those of the targets after the next are
 * asked for meanwhile; behind the last target come those of the next sources or of the next panel. */
typedef struct weights_ahead {
  uintptr_t first;
  ptrdiff_t step;
  uint32_t count;
} weights_ahead;

INLINE weights_ahead weights_after(const bdag_panel_job *job, uint32_t first, uint32_t sources,
                                   uint32_t r) {
  const uint32_t next = r + 2 * TILE_TARGETS;
  const uintptr_t weight = (uintptr_t)job->weight;
  const ptrdiff_t size = sizeof(real), s = job->source_step * size, t = job->target_step * size;
  if (t == size) {
    const int ends = next >= job->targets;
    const ptrdiff_t source = first + (ends ? sources : 0),
                    target = ends ? next - job->targets : next;
    return (weights_ahead){weight + (uintptr_t)(source * s + target * t), s, sources};
  }
  const ptrdiff_t lowest = t > 0 ? next : next + TILE_TARGETS - 1;
  const size_t bytes = TILE_TARGETS * (size_t)(t > 0 ? t : -t);
  const uint32_t lines = (uint32_t)(bytes / 64);
  return (weights_ahead){weight + (uintptr_t)(lowest * t + first * s), 64,
                         lines < sources ? lines : sources};
}

/* Sources first … first+sources−1 for `targets` × `vectors` sums from target r and element t on. */
INLINE void panel_tile(const bdag_panel_job *job, uint32_t first, uint32_t sources, uint32_t r,
                       size_t t, const int targets, const int vectors) {
  const real *weight = (const real *)job->weight + (ptrdiff_t)first * job->source_step +
                       (ptrdiff_t)r * job->target_step;
  const real *rows = (const real *)job->rows + t;
  const uint32_t *source = job->source + first;
  real *target[TILE_TARGETS];
  for (int i = 0; i < targets; i++) target[i] = target_at(job, r + i) + t;
  const int starts = first == 0 && job->initial != NULL;
  const uintptr_t next = address_after(target[0], 2 * TILE_TARGETS * job->row_stride);
  const uint32_t lines =
      starts && job->target_row == NULL ? lines_of(job->row_stride, targets, vectors) : 0;
  const int listed = starts && job->target_row != NULL;
  const weights_ahead ahead = weights_after(job, first, sources, r);
  uintptr_t ask = ahead.first;
  vec sum[TILE_TARGETS][TILE_VECTORS];
  for (int i = 0; i < targets; i++)
    for (int j = 0; j < vectors; j++)
      sum[i][j] =
          starts ? vec_set1(((const real *)job->initial)[r + i]) : vec_loadu(target[i] + j * LANES);
  for (uint32_t k = 0; k < sources; k++) {
    const real *row = rows + source[k] * job->row_stride;
    prefetch_line(next, k, lines);
    if (listed) prefetch_listed(job, r + 2 * TILE_TARGETS, t, k, vectors);
    if (k < ahead.count) __builtin_prefetch((const void *)ask, 0, 3);
    ask += ahead.step;
    vec x[TILE_VECTORS];
    for (int j = 0; j < vectors; j++) x[j] = vec_loadu(row + j * LANES);
    for (int i = 0; i < targets; i++) {
      const vec w = vec_set1(weight[i * job->target_step]);
      for (int j = 0; j < vectors; j++) sum[i][j] = vec_fma(w, x[j], sum[i][j]);
    }
    weight += job->source_step;
  }
  for (int i = 0; i < targets; i++)
    for (int j = 0; j < vectors; j++) vec_storeu(target[i] + j * LANES, sum[i][j]);
}

INLINE void panel_targets(const bdag_panel_job *job, uint32_t first, uint32_t sources, size_t t,
                          const int vectors) {
  uint32_t r = 0;
  const uint32_t rest = job->targets % TILE_TARGETS;
  const uint32_t whole = job->targets - rest;
  const int splits = TILE_TARGETS > 4 && whole > 0 && (rest == 1 || rest == 2);
  for (; r < whole - (splits ? TILE_TARGETS : 0); r += TILE_TARGETS)
    panel_tile(job, first, sources, r, t, TILE_TARGETS, vectors);
  if (splits) { /* one or two sums a vector would wait for themselves: 7 is 4 and 3, 8 is 4 and 4 */
    panel_tile(job, first, sources, r, t, 4, vectors);
    r += 4;
  }
  switch (job->targets - r) {
#if TILE_TARGETS > 4
  case 5:
    panel_tile(job, first, sources, r, t, 5, vectors);
    break;
  case 4:
    panel_tile(job, first, sources, r, t, 4, vectors);
    break;
#endif
  case 3:
    panel_tile(job, first, sources, r, t, 3, vectors);
    break;
  case 2:
    panel_tile(job, first, sources, r, t, 2, vectors);
    break;
  case 1:
    panel_tile(job, first, sources, r, t, 1, vectors);
    break;
  default:
    break;
  }
}

/* Chunks of sources stay in L1 while all targets pass by. */
INLINE void panel_columns(const bdag_panel_job *job, size_t t, const int vectors) {
  uint32_t first = 0;
  do {
    const uint32_t rest = job->sources - first;
    const uint32_t sources = rest < 2 * CHUNK_SOURCES ? rest : CHUNK_SOURCES;
    panel_targets(job, first, sources, t, vectors);
    first += sources;
  } while (first < job->sources);
}

void NAME(panel)(const bdag_panel_job *job) {
  size_t t = 0;
  for (; t + TILE_VECTORS * LANES <= job->count; t += TILE_VECTORS * LANES)
    panel_columns(job, t, TILE_VECTORS);
  for (; t + HALF_VECTORS * LANES <= job->count; t += HALF_VECTORS * LANES)
    panel_columns(job, t, HALF_VECTORS);
  for (; t < job->count; t += LANES) panel_columns(job, t, 1);
}

/* ---- Unions -------------------------------------------------------------------------------------- */

#define UNION_WEIGHTS_AHEAD 384

/* What a union's sums have come to. */
typedef struct union_place {
  const real *weight, *rows;
  const uint32_t *source;
  size_t stride;
  uintptr_t next;
  uint32_t line, lines;
} union_place;

/* The next sources, which targets first … end−1 read. */
INLINE void union_sources(union_place *at, uint32_t sources, vec sum[][TILE_VECTORS],
                          const int first, const int end, const int vectors) {
  for (uint32_t k = 0; k < sources; k++, at->weight += end - first) {
    const real *row = at->rows + *at->source++ * at->stride;
    prefetch_line(at->next, at->line++, at->lines);
    __builtin_prefetch((const void *)address_after(at->weight, UNION_WEIGHTS_AHEAD), 0, 3);
    vec x[TILE_VECTORS];
    for (int j = 0; j < vectors; j++) x[j] = vec_loadu(row + j * LANES);
    for (int i = first; i < end; i++) {
      const vec w = vec_set1(at->weight[i - first]);
      for (int j = 0; j < vectors; j++) sum[i][j] = vec_fma(w, x[j], sum[i][j]);
    }
  }
}

INLINE void union_rise(const bdag_union_job *job, union_place *at, vec sum[][TILE_VECTORS],
                       const int targets, const int vectors) {
  const uint8_t *rise = job->ramps.rise;
  if (targets > 1) union_sources(at, rise[0], sum, 0, 1, vectors);
  if (targets > 2) union_sources(at, rise[1], sum, 0, 2, vectors);
  if (targets > 3) union_sources(at, rise[2], sum, 0, 3, vectors);
  if (targets > 4) union_sources(at, rise[3], sum, 0, 4, vectors);
  if (targets > 5) union_sources(at, rise[4], sum, 0, 5, vectors);
}

INLINE void union_fall(const bdag_union_job *job, union_place *at, vec sum[][TILE_VECTORS],
                       const int targets, const int vectors) {
  const uint8_t *fall = job->ramps.fall;
  if (targets > 1) union_sources(at, fall[0], sum, 1, targets, vectors);
  if (targets > 2) union_sources(at, fall[1], sum, 2, targets, vectors);
  if (targets > 3) union_sources(at, fall[2], sum, 3, targets, vectors);
  if (targets > 4) union_sources(at, fall[3], sum, 4, targets, vectors);
  if (targets > 5) union_sources(at, fall[4], sum, 5, targets, vectors);
}

INLINE void union_tile(const bdag_union_job *job, size_t t, const int targets, const int vectors) {
  real *target = (real *)job->target + t;
  vec sum[BDAG_UNION_TARGETS][TILE_VECTORS];
  union_place at = {.weight = job->weights,
                    .rows = (const real *)job->rows + t,
                    .source = job->source,
                    .stride = job->row_stride,
                    .next = address_after(target, 2 * targets * job->row_stride),
                    .lines = lines_of(job->row_stride, targets, vectors)};
  const uint32_t ramped = bdag_ramped_sources(&job->ramps);
  for (int i = 0; i < targets; i++)
    for (int j = 0; j < vectors; j++)
      sum[i][j] = job->initial != NULL ? vec_set1(((const real *)job->initial)[i])
                                       : vec_loadu(target + i * job->row_stride + j * LANES);
  if (ramped > 0) union_rise(job, &at, sum, targets, vectors);
  union_sources(&at, job->sources - ramped, sum, 0, targets, vectors);
  if (ramped > 0) union_fall(job, &at, sum, targets, vectors);
  for (int i = 0; i < targets; i++)
    for (int j = 0; j < vectors; j++)
      vec_storeu(target + i * job->row_stride + j * LANES, sum[i][j]);
}

INLINE void union_columns(const bdag_union_job *job, size_t t, const int vectors) {
  switch (job->targets) {
  case 1:
    union_tile(job, t, 1, vectors);
    break;
  case 2:
    union_tile(job, t, 2, vectors);
    break;
  case 3:
    union_tile(job, t, 3, vectors);
    break;
  case 4:
    union_tile(job, t, 4, vectors);
    break;
  case 5:
    union_tile(job, t, 5, vectors);
    break;
  case 6:
    union_tile(job, t, 6, vectors);
    break;
  default:
    break;
  }
}

void NAME(union_panel)(const bdag_union_job *job) {
  size_t t = 0;
  for (; t + TILE_VECTORS * LANES <= job->count; t += TILE_VECTORS * LANES)
    union_columns(job, t, TILE_VECTORS);
  for (; t + HALF_VECTORS * LANES <= job->count; t += HALF_VECTORS * LANES)
    union_columns(job, t, HALF_VECTORS);
  for (; t < job->count; t += LANES) union_columns(job, t, 1);
}

/* ---- Lists --------------------------------------------------------------------------------------- */

/* Terms of one target: row(source[i]) times weight[i]; row(ahead[i]) is asked for if ahead is not NULL. */
INLINE void add_terms(const char *rows, size_t stride, const uint32_t *source,
                      const uint32_t *ahead, const real *weight, uint64_t count, vec *sum,
                      const int vectors, const int asks) {
  for (uint64_t i = 0; i < count; i++) {
    if (asks) {
      const char *next = rows + ahead[i] * stride;
      for (size_t byte = 0; byte < vectors * LANES * sizeof(real); byte += 64)
        __builtin_prefetch(next + byte, 0, 3);
    }
    const real *row = (const real *)(rows + source[i] * stride);
    const vec w = vec_set1(weight[i]);
    for (int j = 0; j < vectors; j++) sum[j] = vec_fma(w, vec_loadu(row + j * LANES), sum[j]);
  }
}

INLINE void list_columns(const bdag_list_job *shared, size_t t, const int vectors,
                         const int ahead) {
  const bdag_list_job job = *shared; /* as far as the compiler knows a stored row could change it */
  const size_t stride = job.row_stride;
  const char *rows = (const char *)((const real *)job.rows + t);
  const real *weight = job.weights, *initial = job.initial;
  real *target = (real *)job.target + t, *in = job.in == NULL ? NULL : (real *)job.in + t;
  vec_function *const function = NAME(activation)[job.activation];
  const vec parameter = vec_set1((real)job.parameter);
  for (uint32_t r = 0; r < job.targets; r++, target += stride) {
    const uint64_t first = job.offset[r], count = job.offset[r + 1] - first;
    const uint32_t *source = job.source + first;
    vec sum[TILE_VECTORS];
    for (int j = 0; j < vectors; j++)
      sum[j] = initial != NULL ? vec_set1(initial[r]) : vec_loadu(target + j * LANES);
    if (ahead && first + count + job.ahead <= job.limit)
      add_terms(rows, stride * sizeof(real), source, source + job.ahead, weight, count, sum,
                vectors, 1);
    else
      add_terms(rows, stride * sizeof(real), source, NULL, weight, count, sum, vectors, 0);
    weight += count;
    for (int j = 0; in != NULL && j < vectors; j++) vec_storeu(in + r * stride + j * LANES, sum[j]);
    for (int j = 0; j < vectors; j++)
      vec_storeu(target + j * LANES, function != NULL ? function(sum[j], parameter) : sum[j]);
  }
}

INLINE void list_with(const bdag_list_job *job, const int ahead) {
  size_t t = 0;
  for (; t + TILE_VECTORS * LANES <= job->count; t += TILE_VECTORS * LANES)
    list_columns(job, t, TILE_VECTORS, ahead);
  for (; t + HALF_VECTORS * LANES <= job->count; t += HALF_VECTORS * LANES)
    list_columns(job, t, HALF_VECTORS, ahead);
  for (; t < job->count; t += LANES) list_columns(job, t, 1, ahead);
}

void NAME(list)(const bdag_list_job *job) {
  if (job->ahead > 0)
    list_with(job, 1);
  else
    list_with(job, 0);
}

/* Weights are far apart where edges are irregular: asked for that many entries ahead. */
#define WEIGHTS_AHEAD 48u

void NAME(gather)(const void *weights, const uint32_t *slot, size_t count, void *to) {
  const real *from = weights;
  real *target = to;
  size_t i = 0;
  for (; i + WEIGHTS_AHEAD < count; i++) {
    __builtin_prefetch(from + slot[i + WEIGHTS_AHEAD], 0, 3);
    target[i] = from[slot[i]];
  }
  for (; i < count; i++) target[i] = from[slot[i]];
}

double NAME(row_sum)(const void *row, size_t count) {
  const real *element = row;
  vec sum = vec_zero();
  for (size_t t = 0; t < count; t += LANES) sum = vec_add(sum, vec_loadu(element + t));
  return vec_sum(sum);
}

/* x·0 is 0 for finite x and NaN otherwise. */
int NAME(finite)(const void *row, size_t count) {
  const real *element = row;
  vec sum[4] = {vec_zero(), vec_zero(), vec_zero(), vec_zero()};
  size_t t = 0;
  for (; t + 4 * LANES <= count; t += 4 * LANES)
    for (size_t j = 0; j < 4; j++)
      sum[j] = vec_fma(vec_loadu(element + t + j * LANES), vec_zero(), sum[j]);
  for (; t < count; t += LANES) sum[0] = vec_fma(vec_loadu(element + t), vec_zero(), sum[0]);
  return vec_sum(vec_add(vec_add(sum[0], sum[1]), vec_add(sum[2], sum[3]))) == 0;
}
