/* Unions: a few neighbours that share most of their sources. May include base and network. */
#include "plan/cut.h"

/* Kernel costs in cycles for 64 samples of float32 with 512-bit vectors: an edge in a list (a row read
 * and four multiply-adds); a source of a union (its row) and each of its weights. */
#define COST_LIST   3.5
#define COST_ROW    2.0
#define COST_WEIGHT 2.0

static double union_cost(uint32_t sources, uint32_t targets, uint64_t edges) {
  return sources * (COST_ROW + COST_WEIGHT * targets) / (double)(edges > 0 ? edges : 1);
}

/* Whether the first two rows may make a union: else none is begun. */
static int worth_two(const bdag_cut *cut, uint32_t first) {
  if (bdag_is_forced(cut) || first + 1 >= cut->chunk->end) return 1;
  const uint32_t edges = bdag_list_of(cut, first).length + bdag_list_of(cut, first + 1).length;
  return union_cost(edges - cut->shared[first + 1 - cut->chunk->first], 2, edges) < COST_LIST;
}

uint32_t bdag_union_rows(bdag_cut *cut, uint32_t first, uint32_t *sources, double *cost_an_edge) {
  const uint32_t mark = ++cut->stamps, lowest = cut->chunk->lowest;
  uint32_t known = 0, best_rows = 1;
  uint64_t edges = 0;
  double best = COST_LIST;
  *cost_an_edge = best;
  if (!worth_two(cut, first)) return 1;
  for (uint32_t r = 0; r < BDAG_UNION_TARGETS && first + r < cut->chunk->end; r++) {
    const bdag_row_list list = bdag_list_of(cut, first + r);
    for (uint32_t k = 0; k < list.length; k++) {
      const uint32_t source = list.source[k];
      if (source >= first || bdag_is_parallel(&list, k)) return best_rows;
      if (cut->stamp[source - lowest] == mark) continue;
      cut->stamp[source - lowest] = mark;
      cut->column[known++] = source - lowest;
    }
    edges += list.length;
    if (r == 0) continue;
    const double cost = union_cost(known, r + 1, edges);
    if (cost < best || bdag_is_forced(cut)) {
      best = *cost_an_edge = cost;
      best_rows = r + 1;
      *sources = known;
    } else if (best_rows == 1 || cost > best * 1.05) {
      break;
    }
  }
  return best_rows;
}

/* Sources in order, and where the cells of each begin. */
static bdag_ramps order_sources(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t sources) {
  const uint32_t lowest = cut->chunk->lowest;
  uint32_t *readers = cut->count;
  bdag_sort_numbers(cut->column, sources);
  for (uint32_t k = 0; k < sources; k++) readers[cut->column[k]] = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const bdag_row_list list = bdag_list_of(cut, first + r);
    for (uint32_t k = 0; k < list.length; k++) readers[list.source[k] - lowest] |= 1u << r;
  }
  uint32_t *sorted = cut->chunk->sources.at + cut->chunk->sources.count;
  const bdag_ramps ramps = bdag_order_by_readers(cut->column, sources, rows, readers, sorted);
  bdag_place_by_readers(&ramps, cut->column, sources, rows, cut->count);
  for (uint32_t k = 0; k < sources; k++) sorted[k] += lowest;
  return ramps;
}

void bdag_add_union(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t sources) {
  const bdag_build *build = cut->build;
  bdag_chunk *chunk = cut->chunk;
  if (bdag_chunk_grow(build, chunk, &chunk->unions, 1) ||
      bdag_chunk_grow(build, chunk, &chunk->sources, sources))
    return;
  bdag_union part = {.row = first,
                     .targets = rows,
                     .sources = sources,
                     .ramps = order_sources(cut, first, rows, sources),
                     .list = chunk->sources.count,
                     .entry = chunk->cells.count};
  const uint64_t cells = bdag_union_cells(&part);
  if (bdag_chunk_grow(build, chunk, &chunk->cells, cells)) return;
  uint32_t *place = chunk->cells.at + chunk->cells.count;
  memset(place, 0xff, cells * sizeof *place);
  uint64_t edges = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const bdag_row_list list = bdag_list_of(cut, first + r);
    for (uint32_t k = 0; k < list.length; k++)
      place[(uint32_t)(cut->count[list.source[k] - chunk->lowest] + r)] = list.edge[k];
    edges += list.length;
  }
  part.padded = edges < cells;
  chunk->padding += cells - edges;
  chunk->unions.at[chunk->unions.count++] = part;
  chunk->sources.count += sources;
  chunk->cells.count += cells;
}
