/* Lists of targets that share many sources, more than L1 has room for: all targets pass by a segment of
 * source rows before the next one, and two targets go side by side, as one alone waits for its own sums.
 * Each target's sum still runs over its sources in order. Compiled per instruction set and type. May
 * include kernel.h and vector.h. */
#include "kernel/vector.h"

#define INLINE static inline __attribute__((always_inline))

#define LIST_VECTORS 4
/* Targets whose sums stay in L1 beside the segment. */
#define SEGMENT_TARGETS 32u
/* Entries of a list that are asked for before its turn. */
#define ENTRIES_AHEAD 48u

/* Where the lists of some targets go on. */
typedef struct bdag_cursor {
  uint64_t next[SEGMENT_TARGETS + 1];
  uint32_t first, targets;
} bdag_cursor;

/* Addresses, maybe behind the last entry: no pointer is formed to it. */
INLINE void prefetch_entries(const bdag_list_job *job, uint64_t entry) {
  const uintptr_t source = (uintptr_t)(job->source + entry);
  const uintptr_t weight = (uintptr_t)((const real *)job->weights + (entry - job->offset[0]));
  for (uint32_t byte = 0; byte < ENTRIES_AHEAD * sizeof *job->source; byte += 64)
    __builtin_prefetch((const void *)(source + byte), 0, 3);
  for (uint32_t byte = 0; byte < ENTRIES_AHEAD * sizeof(real); byte += 64)
    __builtin_prefetch((const void *)(weight + byte), 0, 3);
}

/* What the targets of one visit share. */
typedef struct bdag_visit {
  const uint32_t *source;
  uint64_t base; /* entry of the first weight */
  const real *weights, *rows;
  size_t stride;
  uint32_t bound; /* the segment's sources are below it */
} bdag_visit;

INLINE int is_below(const bdag_visit *v, uint64_t next, uint64_t end) {
  return next < end && v->source[next] < v->bound;
}

INLINE void add_entry(const bdag_visit *v, uint64_t entry, vec *sum, const int vectors) {
  const real *row = v->rows + v->source[entry] * v->stride;
  const vec w = vec_set1(v->weights[entry - v->base]);
  for (int j = 0; j < vectors; j++) sum[j] = vec_fma(w, vec_loadu(row + j * LANES), sum[j]);
}

INLINE void begin_sum(const bdag_list_job *job, uint32_t target, int starts, const real *to,
                      vec *sum, const int vectors) {
  for (int j = 0; j < vectors; j++)
    sum[j] = starts && job->initial != NULL ? vec_set1(((const real *)job->initial)[target])
                                            : vec_loadu(to + j * LANES);
}

INLINE void end_sum(real *to, const vec *sum, const int vectors) {
  for (int j = 0; j < vectors; j++) vec_storeu(to + j * LANES, sum[j]);
}

/* Target r of the cursor, and the one after it if there are `two`. */
INLINE void segment_of(const bdag_list_job *job, bdag_cursor *cursor, uint32_t r, uint32_t bound,
                       size_t t, const int two, const int vectors) {
  const uint32_t target = cursor->first + r;
  const uint64_t *offset = job->offset + target;
  const bdag_visit visit = {.source = job->source,
                            .weights = job->weights,
                            .base = job->offset[0],
                            .rows = (const real *)job->rows + t,
                            .stride = job->row_stride,
                            .bound = bound};
  real *to = (real *)job->target + target * job->row_stride + t;
  uint64_t a = cursor->next[r], b = two ? cursor->next[r + 1] : 0;
  const uint32_t after = r + 2 < cursor->targets ? r + 2 : 0;
  prefetch_entries(job, cursor->next[after]);
  if (two) prefetch_entries(job, cursor->next[after + 1 < cursor->targets ? after + 1 : 0]);
  vec sum[LIST_VECTORS], other[LIST_VECTORS];
  begin_sum(job, target, a == offset[0], to, sum, vectors);
  if (two) begin_sum(job, target + 1, b == offset[1], to + job->row_stride, other, vectors);
  while (two && is_below(&visit, a, offset[1]) && is_below(&visit, b, offset[2])) {
    add_entry(&visit, a++, sum, vectors);
    add_entry(&visit, b++, other, vectors);
  }
  while (is_below(&visit, a, offset[1])) add_entry(&visit, a++, sum, vectors);
  while (two && is_below(&visit, b, offset[2])) add_entry(&visit, b++, other, vectors);
  cursor->next[r] = a;
  end_sum(to, sum, vectors);
  if (!two) return;
  cursor->next[r + 1] = b;
  end_sum(to + job->row_stride, other, vectors);
}

/* The lowest source that is not summed yet, or UINT32_MAX. */
INLINE uint32_t lowest_source(const bdag_list_job *job, const bdag_cursor *cursor) {
  uint32_t low = UINT32_MAX;
  for (uint32_t r = 0; r < cursor->targets; r++) {
    if (cursor->next[r] == job->offset[cursor->first + r + 1]) continue;
    const uint32_t source = job->source[cursor->next[r]];
    low = source < low ? source : low;
  }
  return low;
}

INLINE void segments(const bdag_list_job *job, uint32_t first, uint32_t targets, size_t t,
                     const int vectors) {
  bdag_cursor cursor = {.first = first, .targets = targets};
  for (uint32_t r = 0; r < targets; r++) cursor.next[r] = job->offset[first + r];
  uint32_t low = lowest_source(job, &cursor);
  do {
    const uint32_t bound = low < UINT32_MAX - job->segment ? low + job->segment : UINT32_MAX;
    uint32_t r = 0;
    for (; r + 2 <= targets; r += 2) segment_of(job, &cursor, r, bound, t, 1, vectors);
    if (r < targets) segment_of(job, &cursor, r, bound, t, 0, vectors);
    low = lowest_source(job, &cursor);
  } while (low < UINT32_MAX);
}

INLINE void list_columns(const bdag_list_job *job, size_t t, const int vectors) {
  for (uint32_t first = 0; first < job->targets; first += SEGMENT_TARGETS) {
    const uint32_t rest = job->targets - first;
    segments(job, first, rest < SEGMENT_TARGETS ? rest : SEGMENT_TARGETS, t, vectors);
  }
}

void NAME(list_segments)(const bdag_list_job *job) {
  size_t t = 0;
  for (; t + LIST_VECTORS * LANES <= job->count; t += LIST_VECTORS * LANES)
    list_columns(job, t, LIST_VECTORS);
  for (; t < job->count; t += LANES) list_columns(job, t, 1);
}
