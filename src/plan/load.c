/* The lists of a chunk: source rows, ascending, and ids. May include base and network. */
#include "plan/cut.h"

/* Up to there insertion is faster than counting. */
#define SHORT_LIST 20u
#define MOST_BITS  11u
#define ROWS_AHEAD 8u

static void insert_each(bdag_half_edge *list, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    const bdag_half_edge edge = list[i];
    uint32_t j = i;
    for (; j > 0 && list[j - 1].source > edge.source; j--) list[j] = list[j - 1];
    list[j] = edge;
  }
}

/* Stable, by digits of about as many values as there are edges. Sources lie between `least` and
 * `most`. Returns where the sorted list is, `list` or `space`. */
static bdag_half_edge *sort_by_digits(bdag_half_edge *list, bdag_half_edge *space, uint32_t count,
                                      uint32_t least, uint32_t most) {
  uint32_t bits = 32 - (uint32_t)__builtin_clz(count), begin[1 << MOST_BITS];
  if (bits > MOST_BITS) bits = MOST_BITS;
  const uint32_t all_bits = 32 - (uint32_t)__builtin_clz(most - least);
  const uint32_t passes = (all_bits + bits - 1) / bits;
  bits = (all_bits + passes - 1) / passes;
  const uint32_t digits = 1u << bits;
  bdag_half_edge *from = list, *to = space;
  for (uint32_t shift = 0; shift < 32 && (most - least) >> shift != 0; shift += bits) {
    memset(begin, 0, digits * sizeof *begin);
    for (uint32_t i = 0; i < count; i++) begin[((from[i].source - least) >> shift) % digits]++;
    uint32_t at = 0;
    for (uint32_t d = 0; d < digits; d++) {
      const uint32_t here = begin[d];
      begin[d] = at;
      at += here;
    }
    for (uint32_t i = 0; i < count; i++)
      to[begin[((from[i].source - least) >> shift) % digits]++] = from[i];
    bdag_half_edge *swapped = from;
    from = to;
    to = swapped;
  }
  return from;
}

/* Half edges of a row. */
static inline const bdag_half_edge *half_edges(const bdag_build *build, uint32_t row) {
  const uint64_t first =
      build->by_row ? build->row_first[row] : build->in_offset[build->plan->vertex_of_row[row]];
  return (const bdag_half_edge *)build->in + first;
}

/* Lists are far apart. */
BDAG_PREFETCHING prefetch_list(const bdag_build *build, uint32_t row, uint32_t end) {
  if (build->by_row) return;
  const uint32_t *vertex = build->plan->vertex_of_row;
  if (row + 2 * ROWS_AHEAD < end)
    __builtin_prefetch(&build->in_offset[vertex[row + 2 * ROWS_AHEAD]]);
  if (row + ROWS_AHEAD >= end) return;
  const uint32_t *first = build->row_first + row + ROWS_AHEAD, count = first[1] - first[0];
  const bdag_half_edge *list = half_edges(build, row + ROWS_AHEAD);
  for (uint32_t k = 0; k < count && k < 64; k += 8) __builtin_prefetch(&list[k]);
}

/* Parallel edges stay in the order of ids. Returns the lowest source. */
static uint32_t load_row(const bdag_build *build, uint32_t row, uint32_t count, uint32_t *sources,
                         bdag_half_edge *space) {
  const uint32_t *row_of_vertex = build->plan->row_of_vertex;
  const bdag_half_edge *given = half_edges(build, row);
  bdag_half_edge *list = space;
  uint32_t least = UINT32_MAX, most = 0, before = 0;
  int sorted = 1;
  for (uint32_t k = 0; k < count; k++) {
    const uint32_t source = row_of_vertex[given[k].source];
    list[k] = (bdag_half_edge){source, given[k].edge};
    sorted &= source >= before;
    before = source;
    least = source < least ? source : least;
    most = source > most ? source : most;
  }
  if (!sorted && count <= SHORT_LIST)
    insert_each(list, count);
  else if (!sorted)
    list = sort_by_digits(list, space + count, count, least, most);
  for (uint32_t k = 0; k < count; k++) {
    sources[k] = list[k].source;
    sources[count + k] = list[k].edge;
  }
  return least;
}

static int make_room(const bdag_build *build, bdag_chunk *chunk, bdag_list_space *space) {
  const uint32_t *first = build->row_first;
  uint32_t longest = 0;
  for (uint32_t row = chunk->first; row < chunk->end; row++)
    if (first[row + 1] - first[row] > longest) longest = first[row + 1] - first[row];
  if (bdag_chunk_grow(build, chunk, &chunk->in,
                      2 * (uint64_t)(first[chunk->end] - first[chunk->first])) ||
      bdag_chunk_grow(build, chunk, &chunk->level_of, chunk->end - chunk->first) ||
      bdag_chunk_grow_list(build, chunk, &space->list, &space->capacity, 0, 2 * (uint64_t)longest,
                           sizeof *space->list))
    return -1;
  return 0;
}

void bdag_load_chunk(const bdag_build *build, bdag_chunk *chunk, bdag_list_space *space) {
  const uint32_t *first = build->row_first;
  if (make_room(build, chunk, space)) return;
  chunk->lowest = chunk->first;
  uint32_t level = chunk->level;
  for (uint32_t row = chunk->first; row < chunk->end; row++) {
    const uint32_t count = first[row + 1] - first[row];
    while (level < build->plan->depth && row >= build->row_of_level[level + 1]) level++;
    chunk->level_of.at[row - chunk->first] = level;
    prefetch_list(build, row, chunk->end);
    if (count == 0) continue;
    uint32_t *list = chunk->in.at + 2 * (uint64_t)(first[row] - first[chunk->first]);
    const uint32_t lowest = load_row(build, row, count, list, space->list);
    if (lowest < chunk->lowest) chunk->lowest = lowest;
  }
}
