/* The forward program: consecutive rows are cut into blocks. What a block's targets (nearly) all read
 * becomes a dense panel; what a few neighbours share, a union; the rest stays in lists. A block may hold
 * edges of its own (triangle of a cascade): they stay in lists, and its rows are finished one by one.
 * May include base and network. */
#include "plan/cut.h"

#define LISTS_AHEAD 8u
#define USUAL_EDGES (UINT32_C(1) << 18) /* of a chunk: room that is made at once */
#define AHEAD       256u /* rows that are measured together; half are more than a block has, and one */
#define RUN_ROWS    32u /* of lists: what a block's rows share stays in L1 */
/* Levels up to so many of them are cut evenly, into runs of no fewer rows. */
#define EVEN_RUNS      8u
#define LEAST_RUN_ROWS 8u

/* Of a list some rows ahead. */
BDAG_PREFETCHING prefetch_sources(const bdag_cut *cut, uint32_t row) {
  if (row + LISTS_AHEAD >= cut->chunk->end) return;
  const bdag_row_list list = bdag_list_of(cut, row + LISTS_AHEAD);
  for (uint32_t k = 0; k < list.length; k += 16) __builtin_prefetch(&list.source[k]);
}

/* How much neighbours share decides most questions at once. */
static void measure_rows(bdag_cut *cut, uint32_t until) {
  const bdag_chunk *chunk = cut->chunk;
  const uint32_t end = until < chunk->end ? until : chunk->end;
  for (; cut->measured < end; cut->measured++) {
    const uint32_t row = cut->measured;
    const bdag_row_list list = bdag_list_of(cut, row);
    uint32_t shared = 0;
    prefetch_sources(cut, row);
    for (uint32_t k = 0; k < list.length; k++) {
      uint32_t *reader = &cut->last_reader[list.source[k] - chunk->lowest];
      shared += *reader == row - 1;
      *reader = row;
    }
    cut->shared[row - chunk->first] = shared;
  }
}

/* ---- Lists --------------------------------------------------------------------------------------- */

/* Lists of rows: what no panel or union took. */
static void fill_lists(bdag_cut *cut, uint32_t first, uint32_t rows, int in_union) {
  bdag_chunk *chunk = cut->chunk;
  const uint32_t *row_first = cut->build->row_first;
  if (bdag_chunk_grow(cut->build, chunk, &chunk->listed,
                      row_first[first + rows] - row_first[first]))
    return;
  for (uint32_t row = first; row < first + rows; row++) {
    const bdag_row_list list = bdag_list_of(cut, row);
    bdag_half_edge *to = chunk->listed.at + chunk->listed.count;
    for (uint32_t k = 0; k < list.length && !in_union; k++)
      if (list.edge[k] != BDAG_NO_SLOT) *to++ = (bdag_half_edge){list.source[k], list.edge[k]};
    chunk->listed.count = (uint64_t)(to - chunk->listed.at);
    chunk->list_end.at[chunk->list_end.count++] = (uint32_t)chunk->listed.count;
  }
}

static bdag_half_edge *listed_begin(const bdag_chunk *chunk, uint32_t row) {
  return chunk->listed.at + (row == chunk->first ? 0 : chunk->list_end.at[row - chunk->first - 1]);
}

static bdag_half_edge *listed_end(const bdag_chunk *chunk, uint32_t row) {
  return chunk->listed.at + chunk->list_end.at[row - chunk->first];
}

/* How far away the sources of a row are, which ascend: distances of so many bits follow each other. */
static void count_reach(bdag_chunk *chunk, uint32_t row, const bdag_row_list *list) {
  if (list->length == 0) return;
  uint64_t sum = 0;
  uint32_t power = 0, alike = 0;
  for (uint32_t k = 0; k < list->length; k++) {
    const uint32_t distance = row - list->source[k];
    const uint32_t bits = 32 - (uint32_t)__builtin_clz(distance);
    sum += distance;
    if (bits != power) {
      chunk->reach_by_power[power] += alike;
      power = bits;
      alike = 0;
    }
    alike++;
  }
  chunk->reach_by_power[power] += alike;
  chunk->reach += sum;
  if (row - list->source[0] > chunk->longest_reach) chunk->longest_reach = row - list->source[0];
}

/* Irregular out-edges of sources that other threads may count as well. */
static void count_out_edges(const bdag_build *build, const bdag_row_list *list) {
  uint32_t *out_length = build->out_length;
  for (uint32_t k = 0; k < list->length; k++) {
    if (list->edge[k] == BDAG_NO_SLOT) continue;
    if (build->team > 1)
      __atomic_fetch_add(&out_length[list->source[k]], 1, __ATOMIC_RELAXED);
    else
      out_length[list->source[k]]++;
  }
}

/* What the backward pass will have to do for the in-edges of these rows. */
static void count_edges(bdag_cut *cut, uint32_t first, uint32_t rows) {
  const bdag_plan *plan = cut->build->plan;
  bdag_chunk *chunk = cut->chunk;
  for (uint32_t row = first; row < first + rows; row++) {
    if (!plan->reaches[row]) continue;
    const bdag_row_list list = bdag_list_of(cut, row);
    uint32_t inputs = 0;
    while (inputs < list.length && list.source[inputs] < plan->first_neuron) inputs++;
    chunk->weight_edges += list.length;
    chunk->out_edges += list.length - inputs;
    count_reach(chunk, row, &list);
    count_out_edges(cut->build, &list);
  }
}

/* ---- Runs ---------------------------------------------------------------------------------------- */

static int same_run(const bdag_cut *cut, const bdag_row_run *run, uint32_t row) {
  const bdag_build *build = cut->build;
  const bdag_half_edge *begin = listed_begin(cut->chunk, row), *end = listed_end(cut->chunk, row);
  if (build->activation[row] != run->activation ||
      memcmp(&build->activation_parameter[row], &run->activation_parameter, sizeof(double)) != 0 ||
      (build->plan->in_row[row] != BDAG_NO_ROW) != run->keeps_in)
    return 0;
  return begin == end || end[-1].source < run->row;
}

static int shares_sources(const bdag_chunk *chunk, const bdag_row_run *run) {
  uint32_t low = UINT32_MAX, high = 0;
  uint64_t edges = 0;
  for (uint32_t row = run->row; row < run->row + run->rows; row++) {
    const bdag_half_edge *begin = listed_begin(chunk, row), *end = listed_end(chunk, row);
    if (begin == end) continue;
    if (begin->source < low) low = begin->source;
    if (end[-1].source > high) high = end[-1].source;
    edges += (uint64_t)(end - begin);
  }
  return edges > 0 && bdag_shares_rows(run->rows, edges, low, high);
}

static void add_runs(bdag_cut *cut, bdag_block *block) {
  const bdag_build *build = cut->build;
  bdag_chunk *chunk = cut->chunk;
  block->run = (uint32_t)chunk->runs.count;
  if (bdag_chunk_grow(build, chunk, &chunk->runs, block->rows)) return;
  bdag_row_run *last = NULL;
  for (uint32_t row = block->row; row < block->row + block->rows; row++) {
    if (last == NULL || !same_run(cut, last, row)) {
      last = &chunk->runs.at[chunk->runs.count++];
      *last = (bdag_row_run){.row = row,
                             .activation = build->activation[row],
                             .activation_parameter = build->activation_parameter[row],
                             .keeps_in = build->plan->in_row[row] != BDAG_NO_ROW};
    }
    last->rows++;
    last->listed |= listed_begin(chunk, row) < listed_end(chunk, row);
  }
  block->runs = (uint32_t)chunk->runs.count - block->run;
  for (uint32_t i = block->run; i < chunk->runs.count; i++)
    chunk->runs.at[i].shares = (uint8_t)shares_sources(chunk, &chunk->runs.at[i]);
}

/* Most rows for a run. Narrow levels are cut into an even number of like runs, so that two or four threads
 * can have the same. */
static uint32_t even_rows(const bdag_cut *cut, uint32_t first) {
  const bdag_plan *plan = cut->build->plan;
  const uint32_t level = bdag_cut_level(cut, first);
  const uint32_t begin = cut->build->row_of_level[level];
  const uint32_t end = level < plan->depth ? cut->build->row_of_level[level + 1] : plan->rows;
  const uint32_t rows = end - begin;
  if (rows > EVEN_RUNS * RUN_ROWS || rows < 2 * LEAST_RUN_ROWS) return RUN_ROWS;
  const uint32_t runs = (rows + 2 * RUN_ROWS - 1) / (2 * RUN_ROWS) * 2;
  uint32_t run = (first - begin) * runs / rows;
  while (begin + (uint64_t)(run + 1) * rows / runs <= first) run++;
  return begin + (uint32_t)((uint64_t)(run + 1) * rows / runs) - first;
}

/* Rows of lists only, as many as belong to one run. */
static uint32_t listed_rows(bdag_cut *cut, uint32_t first) {
  const bdag_build *build = cut->build;
  const uint32_t most = even_rows(cut, first);
  uint32_t rows = 1, sources;
  double cost;
  while (rows < most && first + rows < cut->chunk->end) {
    const uint32_t row = first + rows;
    const bdag_row_list list = bdag_list_of(cut, row);
    if (build->activation[row] != build->activation[first]) break;
    /* a block of two levels waits for one and is waited for by the next */
    if (bdag_cut_level(cut, row) != bdag_cut_level(cut, first)) break;
    if (list.length > 0 && list.source[list.length - 1] >= first) break;
    uint32_t columns;
    if (bdag_find_dense(cut, row, &columns) > 0) break;
    if (bdag_union_rows(cut, row, &sources, &cost) > 1) break;
    rows++;
  }
  return rows;
}

/* ---- Blocks -------------------------------------------------------------------------------------- */

static uint32_t cut_block(bdag_cut *cut, uint32_t first) {
  const bdag_plan_options *options = &cut->build->plan->options;
  bdag_chunk *chunk = cut->chunk;
  const int merges = options->granularity != BDAG_GRANULARITY_VERTEX &&
                     options->amalgamation != BDAG_AMALGAMATE_OFF;
  bdag_block block = {.row = first,
                      .panel = (uint32_t)chunk->panels.count,
                      .first_union = (uint32_t)chunk->unions.count};
  uint32_t sources = 0, columns;
  double cost;
  if (first + AHEAD / 2 > cut->measured) measure_rows(cut, first + AHEAD);
  if (merges) block.rows = bdag_find_dense(cut, first, &columns);
  if (block.rows > 0) {
    bdag_add_panel(cut, first, block.rows, columns);
  } else if (merges) {
    block.rows = bdag_union_rows(cut, first, &sources, &cost);
    if (block.rows > 1)
      bdag_add_union(cut, first, block.rows, sources);
    else
      block.rows = listed_rows(cut, first);
  } else {
    block.rows = 1;
  }
  block.panels = (uint32_t)chunk->panels.count - block.panel;
  block.unions = (uint32_t)chunk->unions.count - block.first_union;
  count_edges(cut, first, block.rows);
  fill_lists(cut, first, block.rows, block.unions > 0);
  if (chunk->failed) return 0;
  add_runs(cut, &block);
  if (bdag_chunk_grow(cut->build, chunk, &chunk->blocks, 1)) return 0;
  chunk->blocks.at[chunk->blocks.count++] = block;
  return block.rows;
}

void bdag_cut_chunk(bdag_cut *cut, bdag_chunk *chunk) {
  cut->chunk = chunk;
  cut->measured = chunk->first;
  cut->hopeless = 0;
  const uint32_t *row_first = cut->build->row_first;
  const uint32_t edges = row_first[chunk->end] - row_first[chunk->first];
  const uint32_t usual = edges < USUAL_EDGES ? edges : USUAL_EDGES;
  if (bdag_chunk_grow(cut->build, chunk, &chunk->list_end, chunk->end - chunk->first) ||
      bdag_chunk_grow(cut->build, chunk, &chunk->cells, usual) ||
      bdag_chunk_grow(cut->build, chunk, &chunk->placed, usual) ||
      bdag_chunk_grow(cut->build, chunk, &chunk->listed, usual))
    return;
  for (uint32_t row = chunk->first; row < chunk->end && !chunk->failed;) row += cut_block(cut, row);
}
