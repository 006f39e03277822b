/* Rows are loaded and cut chunk by chunk, some at a time; then it is known where in the plan the parts of
 * each go, and they are copied there. So the plan is the same for any number of threads. May include base
 * and network. */
#include "plan/cut.h"

/* A chunk ends with a level once it has so many edges; one of many edges, where blocks usually end. */
#define CHUNK_EDGES  (UINT32_C(1) << 15)
#define SPLIT_EDGES  (UINT32_C(1) << 18)
#define SPLIT_ROWS   64u
#define CHUNKS_EACH  4u /* of a thread in a round */
#define LEAST_ROUNDS 8u /* so that chunks take little memory beside the plan */
#define PLACED_AHEAD 24u
/* Memory of threads by source row: so many bytes an edge, less in huge plans. */
#define SCRATCH_BYTES 4.0
#define HUGE_SCRATCH  0.25
#define LEAST_SCRATCH (UINT64_C(16) << 20)

typedef struct bdag_cutter {
  bdag_build *build;
  bdag_chunk *chunk; /* [round] */
  uint32_t round, chunks, workers;
  bdag_list_space *space; /* [team] */
  bdag_cut *cut;          /* [team] */
  uint64_t block_capacity, panel_capacity, union_capacity, run_capacity;
  uint64_t source_capacity, cell_capacity, hole_capacity;
  uint64_t listed;    /* entries of lists so far */
  uint64_t discarded; /* bytes of build->in */
} bdag_cutter;

/* ---- Chunks -------------------------------------------------------------------------------------- */

/* First row after the chunk that begins at `first`, which is of *level; *level becomes that of the end. */
static uint32_t chunk_end(const bdag_build *build, uint32_t first, uint32_t *level) {
  const bdag_plan *plan = build->plan;
  while (*level < plan->depth && first >= build->row_of_level[*level + 1]) ++*level;
  uint32_t row = first;
  while (row < plan->rows) {
    const uint32_t edges = build->row_first[++row] - build->row_first[first];
    if (*level < plan->depth && row >= build->row_of_level[*level + 1]) {
      ++*level;
      if (edges >= CHUNK_EDGES) break;
    } else if (edges >= SPLIT_EDGES && (row - build->row_of_level[*level]) % SPLIT_ROWS == 0) {
      break;
    }
  }
  return row;
}

static uint64_t count_chunks(const bdag_build *build) {
  uint64_t chunks = 0;
  for (uint32_t row = build->plan->first_neuron, level = 0; row < build->plan->rows; chunks++)
    row = chunk_end(build, row, &level);
  return chunks;
}

static void begin_chunk(bdag_chunk *chunk, uint32_t first, uint32_t end, uint32_t level) {
  chunk->first = first;
  chunk->end = end;
  chunk->level = level;
  chunk->blocks.count = chunk->panels.count = chunk->unions.count = chunk->runs.count = 0;
  chunk->sources.count = chunk->cells.count = chunk->holes.count = chunk->placed.count = 0;
  chunk->listed.count = chunk->list_end.count = 0;
  chunk->slots = 0;
}

static void destroy_chunk(const bdag_context *context, bdag_chunk *chunk) {
  bdag_free(context, chunk->in.at);
  bdag_free(context, chunk->level_of.at);
  bdag_free(context, chunk->blocks.at);
  bdag_free(context, chunk->panels.at);
  bdag_free(context, chunk->unions.at);
  bdag_free(context, chunk->runs.at);
  bdag_free(context, chunk->sources.at);
  bdag_free(context, chunk->cells.at);
  bdag_free(context, chunk->holes.at);
  bdag_free(context, chunk->placed.at);
  bdag_free(context, chunk->listed.at);
  bdag_free(context, chunk->list_end.at);
}

static void load_one(void *argument, uint32_t thread, uint64_t i) {
  bdag_cutter *cutter = argument;
  bdag_load_chunk(cutter->build, &cutter->chunk[i], &cutter->space[thread]);
}

static void cut_one(void *argument, uint32_t thread, uint64_t i) {
  bdag_cutter *cutter = argument;
  bdag_cut_chunk(&cutter->cut[thread], &cutter->chunk[i]);
}

/* ---- Threads ------------------------------------------------------------------------------------- */

static void free_cut(const bdag_context *context, bdag_cut *cut) {
  bdag_free(context, cut->stamp);
  bdag_free(context, cut->count);
  bdag_free(context, cut->last_reader);
  bdag_free(context, cut->column);
  bdag_free(context, cut->shared);
  *cut = (bdag_cut){.build = cut->build};
}

static int make_cut(bdag_cut *cut, uint64_t span, uint64_t rows) {
  const bdag_context *context = cut->build->context;
  if (span <= cut->span && rows <= cut->rows) return 0;
  free_cut(context, cut);
  span += span / 4;
  rows += rows / 4;
  cut->stamp = bdag_allocate_zeroed(context, span, sizeof *cut->stamp);
  cut->count = bdag_allocate_array(context, span, sizeof *cut->count);
  cut->last_reader = bdag_allocate_array(context, span, sizeof *cut->last_reader);
  cut->column = bdag_allocate_array(context, span, sizeof *cut->column);
  cut->shared = bdag_allocate_array(context, rows, sizeof *cut->shared);
  if (cut->stamp == NULL || cut->count == NULL || cut->last_reader == NULL || cut->column == NULL ||
      cut->shared == NULL)
    return -1;
  memset(cut->last_reader, 0xff, span * sizeof *cut->last_reader);
  cut->span = span;
  cut->rows = rows;
  return 0;
}

/* Memory for as many threads as there is some for; one always has it. */
static int make_cuts(bdag_cutter *cutter) {
  const bdag_build *build = cutter->build;
  uint64_t span = 1, rows = 1;
  for (uint32_t i = 0; i < cutter->chunks; i++) {
    const bdag_chunk *chunk = &cutter->chunk[i];
    if (chunk->end - chunk->lowest > span) span = chunk->end - chunk->lowest;
    if (chunk->end - chunk->first > rows) rows = chunk->end - chunk->first;
  }
  const int huge = build->edges >= build->context->huge_edges;
  const uint64_t allowed = (uint64_t)((huge ? HUGE_SCRATCH : SCRATCH_BYTES) * (double)build->edges);
  const uint64_t budget = allowed > LEAST_SCRATCH ? allowed : LEAST_SCRATCH;
  const uint64_t most = budget / (span * 16 + rows * 4);
  cutter->workers = most < 1 ? 1 : most < build->team ? (uint32_t)most : build->team;
  for (uint32_t i = cutter->workers; i < build->team; i++)
    free_cut(build->context, &cutter->cut[i]);
  int failed = 0;
  for (uint32_t i = 0; i < cutter->workers && !failed; i++)
    failed = make_cut(&cutter->cut[i], span, rows);
  return failed;
}

/* ---- Into the plan ------------------------------------------------------------------------------- */

/* Where the parts of each chunk begin; the plan's counts become those at the end of the round. */
static void number_chunks(bdag_cutter *cutter) {
  bdag_build *build = cutter->build;
  bdag_plan *plan = build->plan;
  for (uint32_t i = 0; i < cutter->chunks; i++) {
    bdag_chunk *chunk = &cutter->chunk[i];
    chunk->block = plan->blocks;
    chunk->panel = plan->panels;
    chunk->first_union = plan->unions;
    chunk->run = plan->runs;
    chunk->source = plan->sources;
    chunk->cell = plan->union_entries;
    chunk->hole = plan->holes;
    chunk->entry = cutter->listed;
    chunk->slot = plan->slot_count;
    plan->blocks += (uint32_t)chunk->blocks.count;
    plan->panels += (uint32_t)chunk->panels.count;
    plan->unions += (uint32_t)chunk->unions.count;
    plan->runs += (uint32_t)chunk->runs.count;
    plan->sources += chunk->sources.count;
    plan->union_entries += chunk->cells.count;
    plan->holes += chunk->holes.count;
    cutter->listed += chunk->listed.count;
    plan->slot_count += chunk->slots;
    build->dense += chunk->placed.count;
  }
}

static int grow(const bdag_cutter *cutter, void *array, uint64_t *capacity, uint64_t used,
                uint64_t needed, size_t size) {
  return bdag_grow(cutter->build->context, array, capacity, used, needed, size);
}

/* Cells at first for all edges to come: padding is rarely more than panels take, and room that is not used
 * costs less than copies. */
static int make_room(bdag_cutter *cutter) {
  const bdag_build *build = cutter->build;
  bdag_plan *plan = build->plan;
  const bdag_chunk *first = &cutter->chunk[0];
  const uint64_t left = build->edges - build->row_first[first->first];
  const uint64_t usual_cells = plan->union_slot == NULL && plan->union_entries > 0 ? left : 0;
  const uint64_t usual_sources = plan->source == NULL && plan->sources > 0 ? build->edges / 8 : 0;
  const uint64_t cells = plan->union_entries > usual_cells ? plan->union_entries : usual_cells;
  const uint64_t sources = plan->sources > usual_sources ? plan->sources : usual_sources;
  return grow(cutter, &plan->block, &cutter->block_capacity, first->block, plan->blocks,
              sizeof *plan->block) ||
         grow(cutter, &plan->panel, &cutter->panel_capacity, first->panel, plan->panels,
              sizeof *plan->panel) ||
         grow(cutter, &plan->union_panel, &cutter->union_capacity, first->first_union, plan->unions,
              sizeof *plan->union_panel) ||
         grow(cutter, &plan->run, &cutter->run_capacity, first->run, plan->runs,
              sizeof *plan->run) ||
         grow(cutter, &plan->source, &cutter->source_capacity, first->source, sources,
              sizeof *plan->source) ||
         grow(cutter, &plan->union_slot, &cutter->cell_capacity, first->cell, cells,
              sizeof *plan->union_slot) ||
         grow(cutter, &plan->hole, &cutter->hole_capacity, first->hole, plan->holes,
              sizeof *plan->hole);
}

static void copy_blocks(bdag_plan *plan, const bdag_chunk *chunk) {
  for (uint64_t i = 0; i < chunk->blocks.count; i++) {
    bdag_block block = chunk->blocks.at[i];
    block.panel += chunk->panel;
    block.first_union += chunk->first_union;
    block.run += chunk->run;
    plan->block[chunk->block + i] = block;
  }
  for (uint64_t i = 0; i < chunk->panels.count; i++) {
    bdag_panel panel = chunk->panels.at[i];
    panel.list += chunk->source;
    panel.slot += chunk->slot;
    panel.hole += chunk->hole;
    plan->panel[chunk->panel + i] = panel;
  }
  for (uint64_t i = 0; i < chunk->unions.count; i++) {
    bdag_union part = chunk->unions.at[i];
    part.list += chunk->source;
    part.entry += chunk->cell;
    plan->union_panel[chunk->first_union + i] = part;
  }
  if (chunk->runs.count > 0)
    memcpy(plan->run + chunk->run, chunk->runs.at, chunk->runs.count * sizeof *plan->run);
}

/* Cells and lists hold ids until edges have slots. */
static void copy_lists(bdag_plan *plan, const bdag_chunk *chunk) {
  if (chunk->sources.count > 0)
    memcpy(plan->source + chunk->source, chunk->sources.at,
           chunk->sources.count * sizeof *plan->source);
  if (chunk->cells.count > 0)
    memcpy(plan->union_slot + chunk->cell, chunk->cells.at,
           chunk->cells.count * sizeof *plan->union_slot);
  for (uint64_t i = 0; i < chunk->holes.count; i++)
    plan->hole[chunk->hole + i] = (uint32_t)(chunk->slot + chunk->holes.at[i]);
  for (uint64_t i = 0; i < chunk->listed.count; i++) {
    plan->list_source[chunk->entry + i] = chunk->listed.at[i].source;
    plan->list_slot[chunk->entry + i] = chunk->listed.at[i].edge;
  }
  for (uint32_t row = chunk->first; row < chunk->end; row++)
    plan->list_offset[row + 1] = chunk->entry + chunk->list_end.at[row - chunk->first];
}

/* Edges come in any order. */
static void set_slots(bdag_build *build, const bdag_chunk *chunk) {
  const bdag_placed_edge *placed = chunk->placed.at;
  for (uint64_t i = 0; i < chunk->placed.count; i++) {
    if (i + PLACED_AHEAD < chunk->placed.count)
      bdag_prefetch_slot(build, placed[i + PLACED_AHEAD].edge);
    bdag_set_slot(build, placed[i].edge, (uint32_t)(chunk->slot + placed[i].slot));
  }
}

static void copy_one(void *argument, uint32_t thread, uint64_t i) {
  const bdag_cutter *cutter = argument;
  const bdag_chunk *chunk = &cutter->chunk[i];
  copy_blocks(cutter->build->plan, chunk);
  copy_lists(cutter->build->plan, chunk);
  if (cutter->build->slot_of_edge != NULL) set_slots(cutter->build, chunk);
}

static void add_counts(bdag_build *build, bdag_chunk *chunk) {
  bdag_plan *plan = build->plan;
  plan->padding += chunk->padding;
  plan->weight_edges += chunk->weight_edges;
  plan->out_edges += chunk->out_edges;
  build->reach += chunk->reach;
  for (uint32_t i = 0; i < 33; i++) build->reach_by_power[i] += chunk->reach_by_power[i];
  if (chunk->longest_reach > build->longest_reach) build->longest_reach = chunk->longest_reach;
}

/* ---- All ----------------------------------------------------------------------------------------- */

/* Rows from *row on, which is of *level. */
static int cut_round(bdag_cutter *cutter, uint32_t *row, uint32_t *level) {
  bdag_build *build = cutter->build;
  int failed = 0;
  for (cutter->chunks = 0; cutter->chunks < cutter->round && *row < build->plan->rows;) {
    const uint32_t first = *row, begins = *level;
    *row = chunk_end(build, first, level);
    begin_chunk(&cutter->chunk[cutter->chunks++], first, *row, begins);
  }
  bdag_share_work(build, cutter->chunks, load_one, cutter);
  for (uint32_t i = 0; i < cutter->chunks; i++) failed |= cutter->chunk[i].failed;
  if (failed || make_cuts(cutter)) return -1;
  bdag_team_each(build->context, build->team, cutter->workers, cutter->chunks, cut_one, cutter);
  for (uint32_t i = 0; i < cutter->chunks; i++) failed |= cutter->chunk[i].failed;
  if (failed) return -1;
  number_chunks(cutter);
  if (make_room(cutter)) return -1;
  bdag_share_work(build, cutter->chunks, copy_one, cutter);
  /* the map takes one edge after the other */
  for (uint32_t i = 0; i < cutter->chunks && build->slot_of_edge == NULL; i++)
    set_slots(build, &cutter->chunk[i]);
  if (build->by_row)
    cutter->discarded = bdag_discard(build->in, cutter->discarded,
                                     2 * (uint64_t)build->row_first[*row] * sizeof *build->in);
  return build->failed;
}

static int allocate_cutter(bdag_cutter *cutter) {
  bdag_build *build = cutter->build;
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint64_t each = count_chunks(build) / LEAST_ROUNDS / build->team;
  cutter->round = build->team;
  if (build->team > 1)
    cutter->round *= each < 1 ? 1 : each < CHUNKS_EACH ? (uint32_t)each : CHUNKS_EACH;
  cutter->chunk = bdag_allocate_zeroed(context, cutter->round, sizeof *cutter->chunk);
  cutter->space = bdag_allocate_zeroed(context, build->team, sizeof *cutter->space);
  cutter->cut = bdag_allocate_zeroed(context, build->team, sizeof *cutter->cut);
  for (uint32_t i = 0; i < build->team && cutter->cut != NULL; i++) cutter->cut[i].build = build;
  plan->list_offset =
      bdag_allocate_array(context, (uint64_t)plan->rows + 1, sizeof *plan->list_offset);
  plan->list_source = bdag_allocate_array(context, build->edges, sizeof *plan->list_source);
  plan->list_slot = bdag_allocate_array(context, build->edges, sizeof *plan->list_slot);
  build->out_length = bdag_allocate_zeroed(context, plan->rows, sizeof *build->out_length);
  if (cutter->chunk == NULL || cutter->space == NULL || cutter->cut == NULL ||
      plan->list_offset == NULL || plan->list_source == NULL || plan->list_slot == NULL ||
      build->out_length == NULL)
    return -1;
  memset(plan->list_offset, 0, (plan->first_neuron + UINT64_C(1)) * sizeof *plan->list_offset);
  return 0;
}

static void free_cutter(bdag_cutter *cutter) {
  bdag_build *build = cutter->build;
  const bdag_context *context = build->context;
  for (uint32_t i = 0; i < cutter->round && cutter->chunk != NULL; i++) {
    add_counts(build, &cutter->chunk[i]);
    destroy_chunk(context, &cutter->chunk[i]);
  }
  for (uint32_t i = 0; i < build->team && cutter->space != NULL; i++)
    bdag_free(context, cutter->space[i].list);
  for (uint32_t i = 0; i < build->team && cutter->cut != NULL; i++)
    free_cut(context, &cutter->cut[i]);
  bdag_free(context, cutter->chunk);
  bdag_free(context, cutter->space);
  bdag_free(context, cutter->cut);
}

bdag_status bdag_build_blocks(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  bdag_cutter cutter = {.build = build};
  int failed = allocate_cutter(&cutter);
  plan->bias_slot = BDAG_PANEL_STEP;
  plan->slot_count = BDAG_PANEL_STEP + (plan->rows - plan->first_neuron + BDAG_PANEL_STEP - 1) /
                                           BDAG_PANEL_STEP * (uint64_t)BDAG_PANEL_STEP;
  plan->panel_slot = plan->slot_count;
  for (uint32_t row = plan->first_neuron, level = 0; row < plan->rows && !failed;)
    failed = cut_round(&cutter, &row, &level);
  plan->edge_base = plan->slot_count++;
  free_cutter(&cutter);
  bdag_free(build->context, build->row_first);
  bdag_free(build->context, build->row_of_level);
  bdag_free(build->context, build->in_offset);
  build->row_first = build->row_of_level = build->in_offset = NULL;
  if (build->edges > BDAG_LARGE_EDGES) {
    bdag_free(build->context, build->in);
    build->in = NULL;
  }
  return failed ? bdag_fail_memory(error) : BDAG_OK;
}
