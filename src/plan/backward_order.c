/* The backward program, in its order: ranges of rows from the last to the first; in each the pulls from
 * dense panels, then the sweeps over irregular out-edges, rows with similar successors side by side;
 * then the weight gradients of panels whose targets are all done. May include base and network. */
#include "base/costs.h"
#include "plan/backward_build.h"

/* Edges that rows of a task have: some microseconds of work at 64 samples a tile. Not by the context's
 * costs, because rows of one task are bundled, and with them the order of sums. */
#define ROWS_EDGES       16384u
#define LEAST_ROWS_EDGES 512u
#define ROWS_TASKS       8u
/* Rows of a task with dense pulls: register tiles of six. */
#define PULL_ROWS_STEP 6u
/* Out-edges are listed so many times at most. */
#define WINDOWS 8u

static uint64_t term_edges(const bdag_backward *b, uint32_t row) {
  uint64_t edges = 0;
  for (uint64_t i = b->member_offset[row]; i < b->member_offset[row + 1]; i++)
    edges += b->plan->panel[b->member[i].panel].targets;
  return edges;
}

/* ---- Tasks --------------------------------------------------------------------------------------- */

/* One task of rows order[0] …, one by one if `single`. */
static void add_rows_task(bdag_backward *b, const uint32_t *order, uint32_t count, int single,
                          int is_input) {
  bdag_plan *plan = b->plan;
  if (bdag_backward_grow(b, &plan->backward_task, &b->task_capacity, plan->backward_tasks, 1,
                         sizeof *plan->backward_task))
    return;
  bdag_task task = {.kind = BDAG_TASK_ROWS,
                    .is_input = (uint8_t)is_input,
                    .first = plan->sweeps,
                    .pull = plan->pulls};
  for (uint32_t i = 0; i < count; i++)
    task.edges += b->out_length[order[i]] + term_edges(b, order[i]);
  bdag_add_pulls(b, order, count);
  bdag_add_sweeps(b, order, count, single);
  task.count = plan->sweeps - task.first;
  task.pulls = plan->pulls - task.pull;
  plan->backward_task[plan->backward_tasks++] = task;
}

/* Gradient tasks of the panels whose targets are all at or above `row`. */
static void add_panel_tasks(bdag_backward *b, uint32_t row) {
  bdag_plan *plan = b->plan;
  bdag_task *task = NULL;
  while (b->panels_left > 0 && plan->panel[b->panels_left - 1].row >= row) {
    const bdag_panel *panel = &plan->panel[--b->panels_left];
    if (!panel->reaches) continue;
    const uint64_t edges = (uint64_t)panel->targets * panel->sources;
    const int vertex = plan->options.granularity == BDAG_GRANULARITY_VERTEX;
    if (task == NULL || vertex || task->edges + edges > b->task_edges ||
        task->first != b->panels_left + 1) {
      if (bdag_backward_grow(b, &plan->backward_task, &b->task_capacity, plan->backward_tasks, 1,
                             sizeof *plan->backward_task))
        return;
      task = &plan->backward_task[plan->backward_tasks++];
      *task = (bdag_task){.kind = BDAG_TASK_PANELS};
    }
    task->first = b->panels_left;
    task->count++;
    task->edges += edges;
  }
}

static uint64_t row_edges(const bdag_backward *b, uint32_t row) {
  return b->out_length[row] + term_edges(b, row) + 8;
}

/* Edges that a task should have out of rows that do not depend on each other: some tasks for each of a
 * few threads; in a narrow range an even number of like ones, so that two threads can have the same. Where
 * rows are cut decides their bundles and so sums: no cost or number of threads may. */
static uint64_t rows_size(uint64_t edges) {
  const uint64_t share = edges / ROWS_TASKS, tasks = edges / LEAST_ROWS_EDGES;
  if (share >= LEAST_ROWS_EDGES) return share < ROWS_EDGES ? share : ROWS_EDGES;
  return tasks > 0 ? edges / (tasks + tasks % 2) : LEAST_ROWS_EDGES;
}

/* Rows order[0] … order[count−1] in tasks worth their cost. */
static void cut_tasks(bdag_backward *b, const uint32_t *order, uint32_t count, int pulls,
                      int is_input) {
  const int vertex = b->plan->options.granularity == BDAG_GRANULARITY_VERTEX;
  const uint32_t step = vertex ? 1 : pulls ? PULL_ROWS_STEP : BDAG_BUNDLE_ROWS;
  uint64_t all = 0;
  for (uint32_t i = 0; i < count; i++) all += row_edges(b, order[i]);
  const uint64_t size = rows_size(all);
  /* like tasks end at the step that is nearest */
  const uint64_t early = size < LEAST_ROWS_EDGES * 2 && count > 0 ? all * step / count / 2 : 0;
  for (uint32_t begin = 0; begin < count && !b->failed;) {
    uint64_t edges = 0;
    uint32_t rows = 0;
    while (begin + rows < count &&
           (rows == 0 || rows % step != 0 || (edges + early < size && !vertex)))
      edges += row_edges(b, order[begin + rows++]);
    add_rows_task(b, order + begin, rows, 0, is_input);
    begin += rows;
  }
}

/* By the first panel that a row is read by and the place there, then by row. */
static void sort_pulls(bdag_backward *b, uint32_t *order, uint32_t count) {
  for (uint32_t gap = count / 2; gap > 0; gap /= 2)
    for (uint32_t i = gap; i < count; i++) {
      const uint32_t row = order[i];
      const bdag_member *member = &b->member[b->member_offset[row]];
      uint32_t j = i;
      for (; j >= gap; j -= gap) {
        const bdag_member *other = &b->member[b->member_offset[order[j - gap]]];
        if (other->panel < member->panel ||
            (other->panel == member->panel && other->position <= member->position))
          break;
        order[j] = order[j - gap];
      }
      order[j] = row;
    }
}

/* ---- Pieces -------------------------------------------------------------------------------------- */

/* Rows that do not depend on each other: those that pull from panels in the order of the panels, then the
 * others, rows with similar successors side by side. */
static void order_range(bdag_backward *b, bdag_piece *piece, uint32_t thread) {
  const bdag_plan *plan = b->plan;
  const bdag_lists lists = {b->out_offset, b->out_length, b->out_target, 1};
  uint32_t *order = b->order + piece->first;
  for (uint32_t row = piece->first; row < piece->end; row++)
    if (plan->reaches[row] && bdag_has_terms(b, row)) order[piece->pulled++] = row;
  sort_pulls(b, order, piece->pulled);
  order += piece->pulled;
  for (uint32_t row = piece->first; row < piece->end; row++)
    if (plan->reaches[row] && !bdag_has_terms(b, row)) order[piece->others++] = row;
  if (plan->options.amalgamation != BDAG_AMALGAMATE_OFF &&
      bdag_order_similar(&b->similar[thread], &lists, order, piece->others))
    atomic_store_explicit(&b->failed, 1, memory_order_relaxed);
}

/* Rows that depend on each other, from the last to the first. */
static void order_triangle(bdag_backward *b, bdag_piece *piece) {
  uint32_t *order = b->order + piece->first;
  for (uint32_t row = piece->end; row-- > piece->first;)
    if (b->plan->reaches[row]) order[piece->others++] = row;
}

static void order_piece(void *argument, uint32_t thread, uint64_t i) {
  bdag_backward *b = argument;
  bdag_piece *piece = &b->piece[b->ordered + i];
  if (piece->triangle)
    order_triangle(b, piece);
  else
    order_range(b, piece, thread);
}

/* Lists the out-edges of a window that begins with piece `i`, and orders the rows of its pieces. */
static void open_window(bdag_backward *b, uint64_t i) {
  bdag_list_out_edges(b, b->piece[i].first, b->piece[i].end);
  uint64_t end = i;
  while (end < b->pieces && b->piece[end].first >= b->window) end++;
  b->ordered = i;
  if (!b->failed) bdag_share_work(b->build, end - i, order_piece, b);
  b->ordered = end;
}

static void add_piece(bdag_backward *b, const bdag_piece *piece) {
  const uint32_t *order = b->order + piece->first;
  if (piece->triangle) {
    if (piece->others > 0) add_rows_task(b, order, piece->others, 1, 0);
  } else {
    cut_tasks(b, order, piece->pulled, 1, piece->is_input);
    cut_tasks(b, order + piece->pulled, piece->others, 0, piece->is_input);
  }
  if (!piece->is_input) add_panel_tasks(b, piece->first);
}

static int has_own_edges(const bdag_plan *plan, const bdag_block *block) {
  for (uint64_t i = plan->list_offset[block->row]; i < plan->list_offset[block->row + block->rows];
       i++)
    if (plan->list_source[i] >= block->row) return 1;
  return 0;
}

static void note_piece(bdag_backward *b, bdag_piece piece) {
  if (bdag_backward_grow(b, &b->piece, &b->piece_capacity, b->pieces, 1, sizeof *b->piece)) return;
  b->piece[b->pieces++] = piece;
}

/* Blocks from the last to the first; between triangles ranges of one level. */
static void find_pieces(bdag_backward *b) {
  const bdag_plan *plan = b->plan;
  uint32_t end = plan->rows; /* rows from here on are done */
  for (uint32_t i = plan->blocks; i-- > 0 && !b->failed;) {
    const bdag_block *block = &plan->block[i];
    const int triangle = has_own_edges(plan, block);
    for (uint32_t row = block->row + block->rows; row-- > block->row && !b->failed;) {
      const int range_begins =
          row > plan->first_neuron &&
                  bdag_level_of_row(plan, row - 1) == bdag_level_of_row(plan, row)
              ? row == block->row && i > 0 && has_own_edges(plan, &plan->block[i - 1])
              : 1;
      if (triangle || !range_begins) continue;
      note_piece(b, (bdag_piece){.first = row, .end = end});
      end = row;
    }
    if (!triangle) continue;
    note_piece(b, (bdag_piece){.first = block->row, .end = end, .triangle = 1});
    end = block->row;
  }
  note_piece(b, (bdag_piece){.first = 0, .end = plan->first_neuron, .is_input = 1});
}

static void add_all(bdag_backward *b) {
  find_pieces(b);
  for (uint64_t i = 0; i < b->pieces && !b->failed; i++) {
    if (i == b->ordered) open_window(b, i);
    if (!b->failed) add_piece(b, &b->piece[i]);
  }
}

/* ---- The rest ------------------------------------------------------------------------------------- */

/* Edges that do not reach Loss come after those of the sweep, in the order of the lists. */
static void number_row(const bdag_backward *b, const bdag_block *block, uint32_t row,
                       uint64_t *next) {
  const bdag_plan *plan = b->plan;
  if (block->unions > 0) {
    const bdag_union *part = &plan->union_panel[block->first_union];
    uint32_t *cell = plan->union_slot + part->entry;
    for (uint32_t k = 0; k < part->sources; k++) {
      const bdag_span span = bdag_span_of(&part->ramps, part->targets, part->sources, k);
      const uint32_t r = row - part->row;
      if (r >= span.first && r < span.end && cell[r - span.first] != BDAG_NO_SLOT)
        bdag_give_slot(b, cell + r - span.first, (*next)++);
      cell += span.end - span.first;
    }
  }
  for (uint64_t e = plan->list_offset[row]; e < plan->list_offset[row + 1]; e++)
    bdag_give_slot(b, &plan->list_slot[e], (*next)++);
}

static void number_rest(const bdag_backward *b) {
  const bdag_plan *plan = b->plan;
  uint64_t next = plan->edge_base + 1 + plan->live_slots;
  for (uint32_t i = 0; i < plan->blocks; i++) {
    const bdag_block *block = &plan->block[i];
    for (uint32_t row = block->row; row < block->row + block->rows; row++)
      if (!plan->reaches[row]) number_row(b, block, row, &next);
  }
  for (uint64_t i = 0; i < plan->union_entries; i++)
    if (plan->union_slot[i] == BDAG_NO_SLOT) plan->union_slot[i] = 0;
}

static bdag_status number_edges(bdag_backward *b, bdag_error *error) {
  const bdag_build *build = b->build;
  bdag_plan *plan = b->plan;
  plan->live_entries = plan->sweep_offset[plan->swept];
  plan->slot_count =
      plan->edge_base + 1 + plan->live_slots + build->edges - build->dense - b->swept_edges;
  if (plan->slot_count >= UINT32_MAX)
    return bdag_fail(error, BDAG_ERROR_LIMIT,
                     "%llu weights, biases and zeros between them are more than a plan takes "
                     "(2^32 - 2); split the network",
                     (unsigned long long)plan->slot_count);
  number_rest(b);
  return BDAG_OK;
}

static int allocate(bdag_backward *b) {
  const bdag_build *build = b->build;
  const bdag_context *context = build->context;
  bdag_plan *plan = b->plan;
  const uint64_t rows = plan->rows;
  uint64_t members = 0;
  for (uint32_t p = 0; p < plan->panels; p++) members += plan->panel[p].sources;
  uint64_t irregular = 0;
  for (uint32_t row = 0; row < plan->rows; row++) irregular += build->out_length[row];
  b->member_offset = bdag_allocate_zeroed(context, rows + 2, sizeof *b->member_offset);
  b->member = bdag_allocate_array(context, members, sizeof *b->member);
  b->out_offset = bdag_allocate_array(context, rows, sizeof *b->out_offset);
  b->out_length = build->out_length;
  b->out_target = build->in;
  b->out_capacity = build->in != NULL ? build->edges : 0;
  b->build->in = NULL;
  b->window = plan->rows;
  b->window_edges = irregular / WINDOWS > BDAG_LARGE_EDGES ? irregular / WINDOWS : BDAG_LARGE_EDGES;
  b->listed = plan->list_offset[plan->rows];
  b->order = bdag_allocate_array(context, rows, sizeof *b->order);
  b->stamp = bdag_allocate_zeroed(context, rows, sizeof *b->stamp);
  b->column = bdag_allocate_array(context, rows, sizeof *b->column);
  b->successor = bdag_allocate_array(context, rows, sizeof *b->successor);
  b->hole_capacity = plan->holes;
  b->row_capacity = rows;
  b->offset_capacity = rows + 1;
  plan->sweep_row = bdag_allocate_array(context, rows, sizeof *plan->sweep_row);
  plan->sweep_offset = bdag_allocate_zeroed(context, rows + 1, sizeof *plan->sweep_offset);
  plan->sweep_successor = bdag_allocate_array(context, irregular, sizeof *plan->sweep_successor);
  b->similar = bdag_allocate_array(context, build->team, sizeof *b->similar);
  for (uint32_t i = 0; i < build->team && b->similar != NULL; i++)
    bdag_similar_create(&b->similar[i], context, plan->rows);
  return b->similar == NULL || b->member_offset == NULL || b->member == NULL ||
         b->out_offset == NULL || b->order == NULL || b->stamp == NULL || b->column == NULL ||
         b->successor == NULL || plan->sweep_row == NULL || plan->sweep_offset == NULL ||
         plan->sweep_successor == NULL;
}

bdag_status bdag_build_sweeps(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  bdag_backward b = {.build = build,
                     .plan = plan,
                     .task_edges = bdag_costs_task_edges(build->context),
                     .panels_left = plan->panels};
  const uint64_t cells = plan->list_offset[plan->rows] + plan->union_entries;
  if (cells >= UINT32_MAX)
    return bdag_fail(error, BDAG_ERROR_LIMIT,
                     "%llu irregular edges and zeros between them are more than a plan takes "
                     "(2^32 - 2); split the network",
                     (unsigned long long)cells);
  b.failed = allocate(&b);
  if (!b.failed) {
    bdag_list_members(&b);
    add_all(&b);
  }
  for (uint32_t i = 0; i < build->team && b.similar != NULL; i++)
    bdag_similar_destroy(&b.similar[i]);
  bdag_free(context, b.similar);
  bdag_free(context, b.piece);
  bdag_free(context, b.member_offset);
  bdag_free(context, b.member);
  bdag_free(context, b.out_offset);
  bdag_free(context, b.out_target);
  bdag_free(context, b.order);
  bdag_free(context, b.stamp);
  bdag_free(context, b.column);
  bdag_free(context, b.successor);
  if (b.failed) return bdag_fail_memory(error);
  const bdag_status status = number_edges(&b, error);
  return status == BDAG_OK && build->failed ? bdag_fail_memory(error) : status;
}
