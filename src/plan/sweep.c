/* The backward program, in its order: ranges of rows from the last to the first; in each the pulls from
 * dense panels, then the sweeps over irregular out-edges, rows with similar successors side by side;
 * then the weight gradients of panels whose targets are all done. Irregular edges get their slots in the
 * order in which the sweep meets them. May include base and network. */
#include <string.h>

#include "base/costs.h"
#include "plan/build.h"

/* Edges that rows of a task have: some microseconds of work at 64 samples a tile. Not by the context's
 * costs, because rows of one task are bundled, and with them the order of sums. */
#define ROWS_EDGES       16384u
#define LEAST_ROWS_EDGES 512u
#define ROWS_TASKS       8u
#define GROUP_ROWS       32u
/* Rows that are taken together by segments of their successors. */
#define SEGMENT_GROUP 64u
/* Rows of a task with dense pulls: register tiles of six. */
#define PULL_ROWS_STEP 6u

/* Out-edges are listed so many times at most. */
#define WINDOWS 32u

typedef struct bdag_member {
  uint32_t panel, position;
} bdag_member;

typedef struct bdag_backward {
  bdag_build *build;
  bdag_plan *plan;
  uint64_t *member_offset; /* [rows + 2] panels that read a row */
  bdag_member *member;
  uint32_t *out_offset; /* [rows] irregular out-edges of a row, targets ascending: */
  uint32_t *out_length;
  uint32_t *out_target;
  uint32_t *out_cell; /* entry of plan->list_slot, or `listed` + entry of plan->union_slot */
  uint64_t listed;
  uint64_t out_capacity, window_edges;
  uint32_t window, window_rows;         /* rows whose out-edges are listed */
  uint32_t *order;                      /* [rows] rows of the range at hand */
  uint32_t *stamp, *column, *successor; /* [rows] of the bundle at hand */
  uint32_t stamps;
  uint64_t swept_edges;
  uint64_t task_edges; /* that a task of panels should have */
  bdag_similar_work similar;
  uint64_t sweep_capacity, pull_capacity, term_capacity, task_capacity, bundle_capacity,
      hole_capacity, row_capacity, offset_capacity;
  uint32_t panels_left; /* panels below it have no gradient task yet */
  int failed;
} bdag_backward;

static int grow(bdag_backward *b, void *array, uint64_t *capacity, uint64_t used, uint64_t more,
                size_t size) {
  if (!b->failed && bdag_grow(b->build->context, array, capacity, used, used + more, size) != 0)
    b->failed = 1;
  return b->failed;
}

/* ---- Out-edges ----------------------------------------------------------------------------------- */

static void list_members(bdag_backward *b) {
  const bdag_plan *plan = b->plan;
  uint64_t *next = b->member_offset + 1;
  for (uint32_t p = 0; p < plan->panels; p++)
    for (uint32_t k = 0; plan->panel[p].reaches && k < plan->panel[p].sources; k++)
      next[plan->source[plan->panel[p].list + k] + 1]++;
  for (uint32_t row = 0; row < plan->rows; row++) next[row + 1] += next[row];
  for (uint32_t p = 0; p < plan->panels; p++)
    for (uint32_t k = 0; plan->panel[p].reaches && k < plan->panel[p].sources; k++)
      b->member[next[plan->source[plan->panel[p].list + k]]++] = (bdag_member){p, k};
}

static uint32_t level_of(const bdag_plan *plan, uint32_t row) {
  return plan->level[plan->vertex_of_row[row]];
}

static inline void list_out_edge(bdag_backward *b, uint32_t source, uint32_t target,
                                 uint64_t cell) {
  const uint32_t at = b->out_offset[source]++;
  b->out_target[at] = target;
  b->out_cell[at] = (uint32_t)cell;
}

static inline int in_window(const bdag_backward *b, uint32_t row) {
  return row - b->window < b->window_rows;
}

static void list_united_edges(bdag_backward *b, const bdag_union *part) {
  const bdag_plan *plan = b->plan;
  uint64_t entry = part->entry;
  for (uint32_t k = 0; k < part->sources; k++) {
    const uint32_t source = plan->source[part->list + k];
    const bdag_span span = bdag_span_of(&part->ramps, part->targets, part->sources, k);
    const uint64_t first = entry;
    entry += span.end - span.first;
    if (!in_window(b, source)) continue;
    for (uint32_t r = span.first; r < span.end; r++) {
      const uint64_t cell = first + r - span.first;
      if (plan->union_slot[cell] != BDAG_NO_SLOT && plan->reaches[part->row + r])
        list_out_edge(b, source, part->row + r, b->listed + cell);
    }
  }
}

static void list_block_edges(bdag_backward *b, const bdag_block *block) {
  const bdag_plan *plan = b->plan;
  for (uint32_t p = 0; p < block->unions; p++)
    list_united_edges(b, &plan->union_panel[block->first_union + p]);
  for (uint32_t row = block->row; row < block->row + block->rows; row++)
    for (uint64_t e = plan->list_offset[row]; e < plan->list_offset[row + 1]; e++)
      if (plan->reaches[row] && in_window(b, plan->list_source[e]))
        list_out_edge(b, plan->list_source[e], row, e);
}

/* Rows `first` … end − 1, and with them what lies in front as far as there is room: whole levels. */
static uint32_t choose_window(const bdag_backward *b, uint32_t first, uint32_t end,
                              uint64_t *edges) {
  uint64_t sum = 0;
  for (uint32_t row = first; row < end; row++) sum += b->out_length[row];
  *edges = sum;
  for (uint32_t row = first; row > 0; row--) {
    sum += b->out_length[row - 1];
    if (sum > b->window_edges) break;
    if (row > 1 && level_of(b->plan, row - 2) == level_of(b->plan, row - 1)) continue;
    first = row - 1;
    *edges = sum;
  }
  return first;
}

/* Irregular edges from rows `first` … end − 1, which are dealt with next, by source row, targets ascending
 * (counting sort). All at once where that takes little memory. */
static void list_out_edges(bdag_backward *b, uint32_t first, uint32_t end) {
  const bdag_plan *plan = b->plan;
  const bdag_context *context = b->build->context;
  if (b->failed || first >= b->window) return;
  uint64_t edges;
  b->window = choose_window(b, first, end, &edges);
  b->window_rows = end - b->window;
  if (edges > b->out_capacity) {
    bdag_free(context, b->out_target);
    b->out_target = bdag_allocate_array(context, edges, 2 * sizeof *b->out_target);
    b->out_capacity = edges;
    b->failed = b->out_target == NULL;
    if (b->failed) return;
  }
  b->out_cell = b->out_target + b->out_capacity;
  uint32_t at = 0;
  for (uint32_t row = b->window; row < end; row++) {
    b->out_offset[row] = at;
    at += b->out_length[row];
  }
  uint32_t i = plan->blocks;
  while (i > 0 && plan->block[i - 1].row + plan->block[i - 1].rows > b->window) i--;
  const uint64_t after = (uint64_t)end + b->build->longest_reach;
  for (; i < plan->blocks && plan->block[i].row < after; i++) list_block_edges(b, &plan->block[i]);
  for (uint32_t row = b->window; row < end; row++) b->out_offset[row] -= b->out_length[row];
}

/* ---- Slots ---------------------------------------------------------------------------------------- */

static inline uint32_t *cell_of(const bdag_backward *b, uint64_t cell) {
  const bdag_plan *plan = b->plan;
  return cell < b->listed ? &plan->list_slot[cell] : &plan->union_slot[cell - b->listed];
}

/* Cells held ids and learn their slots. */
static inline void give_slot(const bdag_backward *b, uint32_t *cell, uint64_t slot) {
  bdag_set_slot(b->build, *cell, (uint32_t)slot);
  *cell = (uint32_t)(slot - b->plan->edge_base);
}

static void prefetch_slots(const bdag_backward *b, uint32_t row) {
  const uint32_t *cell = b->out_cell + b->out_offset[row];
  for (uint32_t k = 0; k < b->out_length[row]; k++)
    bdag_prefetch_slot(b->build, *cell_of(b, cell[k]));
}

/* ---- Groups -------------------------------------------------------------------------------------- */

static uint64_t term_edges(const bdag_backward *b, uint32_t row) {
  uint64_t edges = 0;
  for (uint64_t i = b->member_offset[row]; i < b->member_offset[row + 1]; i++)
    edges += b->plan->panel[b->member[i].panel].targets;
  return edges;
}

/* Whether a row can be pulled together with the row before it; *step: how its positions in the panels
 * follow those of that row, 0: not known yet. */
static int pulls_alike(const bdag_backward *b, uint32_t before, uint32_t row, int32_t *step) {
  const uint64_t *offset = b->member_offset;
  const uint64_t count = offset[row + 1] - offset[row];
  if (count != offset[before + 1] - offset[before] ||
      b->plan->in_loss[row] != b->plan->in_loss[before])
    return 0;
  const bdag_member *now = b->member + offset[row], *last = b->member + offset[before];
  const int32_t by = (int32_t)(now->position - last->position);
  if ((by != 1 && by != -1) || (*step != 0 && *step != by)) return 0;
  for (uint64_t i = 0; i < count; i++)
    if (now[i].panel != last[i].panel || (int32_t)(now[i].position - last[i].position) != by)
      return 0;
  *step = by;
  return 1;
}

/* Pulls of rows order[0] …, which will be the next in plan->sweep_row. */
static void add_pulls(bdag_backward *b, const uint32_t *order, uint32_t count) {
  bdag_plan *plan = b->plan;
  for (uint32_t i = 0, rows; i < count; i += rows) {
    const uint64_t begin = b->member_offset[order[i]];
    const uint64_t terms = b->member_offset[order[i] + 1] - begin;
    int32_t step = 0;
    rows = 1;
    if (terms == 0) continue;
    while (i + rows < count && pulls_alike(b, order[i + rows - 1], order[i + rows], &step)) rows++;
    if (grow(b, &plan->pull, &b->pull_capacity, plan->pulls, 1, sizeof *plan->pull) ||
        grow(b, &plan->term, &b->term_capacity, plan->terms, terms, sizeof *plan->term))
      return;
    plan->pull[plan->pulls++] = (bdag_pull_group){.first = plan->swept + i,
                                                  .rows = rows,
                                                  .term = plan->terms,
                                                  .terms = (uint32_t)terms,
                                                  .from_zero = !plan->in_loss[order[i]]};
    for (uint64_t k = begin; k < begin + terms; k++) {
      const bdag_panel *panel = &plan->panel[b->member[k].panel];
      plan->term[plan->terms++] =
          (bdag_pull_term){.successor = panel->row,
                           .successors = panel->targets,
                           .panel = b->member[k].panel,
                           .step = step * (int32_t)panel->step,
                           .slot = panel->slot + (uint64_t)b->member[k].position * panel->step};
    }
  }
}

static int has_terms(const bdag_backward *b, uint32_t row) {
  return b->member_offset[row] < b->member_offset[row + 1];
}

/* ---- Bundles and sweeps --------------------------------------------------------------------------- */

/* Cycles, forward rows being in L2 and 64 samples of float32: an edge of a sweep; a successor of a bundle. */
#define COST_EDGE    12.0
#define COST_BUNDLE4 30.0
#define COST_BUNDLE2 21.0

static int same_activation(const bdag_backward *b, uint32_t one, uint32_t other) {
  const bdag_build *build = b->build;
  return build->activation[one] == build->activation[other] &&
         (b->plan->in_row[one] != BDAG_NO_ROW) == (b->plan->in_row[other] != BDAG_NO_ROW) &&
         memcmp(&build->activation_parameter[one], &build->activation_parameter[other],
                sizeof(double)) == 0;
}

static int starts_at_zero(const bdag_backward *b, uint32_t row) {
  return !b->plan->in_loss[row] && !has_terms(b, row);
}

/* Successors of `rows` rows, ascending, into b->successor: their number, or 0 if the rows are not alike
 * or one has parallel edges. */
static uint32_t unite(bdag_backward *b, const uint32_t *order, uint32_t rows, uint64_t *edges) {
  const uint32_t mark = ++b->stamps;
  uint32_t known = 0;
  *edges = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const uint32_t row = order[r], length = b->out_length[row];
    const uint32_t *out = b->out_target + b->out_offset[row];
    if (length == 0 || !same_activation(b, row, order[0]) ||
        starts_at_zero(b, row) != starts_at_zero(b, order[0]))
      return 0;
    for (uint32_t k = 0; k < length; k++) {
      const uint32_t target = out[k];
      if (k > 0 && target == out[k - 1]) return 0;
      if (b->stamp[target] == mark) continue;
      b->stamp[target] = mark;
      b->successor[known++] = target;
    }
    *edges += length;
  }
  return known;
}

/* How many rows from order[0] on are best taken together: 1, 2 or BDAG_BUNDLE_ROWS. */
static uint32_t bundle_rows(bdag_backward *b, const uint32_t *order, uint32_t left) {
  const bdag_plan_options *options = &b->plan->options;
  if (options->granularity == BDAG_GRANULARITY_VERTEX ||
      options->amalgamation == BDAG_AMALGAMATE_OFF)
    return 1;
  const int forced = options->amalgamation == BDAG_AMALGAMATE_FORCED;
  for (uint32_t rows = BDAG_BUNDLE_ROWS; rows > 1; rows /= 2) {
    uint64_t edges;
    const uint32_t known = rows <= left ? unite(b, order, rows, &edges) : 0;
    /* what a row starts from would be lost where padding meets numbers that are not finite */
    if (!starts_at_zero(b, order[0]) && (uint64_t)known * rows != edges) continue;
    const double cost = known * (rows == BDAG_BUNDLE_ROWS ? COST_BUNDLE4 : COST_BUNDLE2);
    if (known > 0 && (forced || cost < COST_EDGE * (double)edges)) return rows;
  }
  return 1;
}

/* Successors in order, and a bit in b->column for each row that reads one. */
static bdag_ramps order_successors(bdag_backward *b, const uint32_t *order, uint32_t rows,
                                   uint32_t successors) {
  uint32_t *readers = b->column;
  bdag_sort_numbers(b->successor, successors);
  for (uint32_t k = 0; k < successors; k++) readers[b->successor[k]] = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const uint32_t *out = b->out_target + b->out_offset[order[r]];
    for (uint32_t k = 0; k < b->out_length[order[r]]; k++) readers[out[k]] |= 1u << r;
  }
  uint32_t *sorted = b->plan->sweep_successor + b->plan->sweep_offset[b->plan->swept];
  return bdag_order_by_readers(b->successor, successors, rows, readers, sorted);
}

/* Where a row of the bundle does not have a successor that all rows should have. */
static void note_holes(bdag_backward *b, const bdag_bundle *bundle) {
  bdag_plan *plan = b->plan;
  uint32_t slot = bundle->slot;
  for (uint32_t k = 0; k < bundle->successors && bundle->holes > 0; k++) {
    const bdag_span span = bdag_span_of(&bundle->ramps, bundle->rows, bundle->successors, k);
    for (uint32_t r = span.first; r < span.end; r++, slot++)
      if (!(b->column[b->successor[k]] >> r & 1)) plan->hole[plan->holes++] = slot;
  }
}

static void add_bundle(bdag_backward *b, const uint32_t *order, uint32_t rows) {
  bdag_plan *plan = b->plan;
  uint64_t edges, entry = plan->sweep_offset[plan->swept];
  const uint32_t successors = unite(b, order, rows, &edges);
  for (uint32_t r = 0; r < rows; r++) prefetch_slots(b, order[r]);
  const bdag_ramps ramps = order_successors(b, order, rows, successors);
  const uint64_t cells = bdag_ramp_cells(&ramps, rows, successors);
  if (grow(b, &plan->bundle, &b->bundle_capacity, plan->bundles, 1, sizeof *plan->bundle) ||
      grow(b, &plan->hole, &b->hole_capacity, plan->holes, cells - edges, sizeof *plan->hole))
    return;
  const uint64_t slot = plan->edge_base + 1 + plan->live_slots;
  bdag_bundle bundle = {.first = (uint32_t)plan->swept,
                        .entry = (uint32_t)entry,
                        .slot = (uint32_t)slot,
                        .hole = (uint32_t)plan->holes,
                        .holes = (uint32_t)(cells - edges),
                        .rows = rows,
                        .successors = successors,
                        .ramps = ramps};
  note_holes(b, &bundle);
  bdag_place_by_readers(&ramps, b->successor, successors, rows, b->column);
  for (uint32_t r = 0; r < rows; r++) {
    const uint32_t *out = b->out_target + b->out_offset[order[r]];
    const uint32_t *cell = b->out_cell + b->out_offset[order[r]];
    for (uint32_t k = 0; k < b->out_length[order[r]]; k++)
      give_slot(b, cell_of(b, cell[k]), slot + (uint32_t)(b->column[out[k]] + r));
    plan->sweep_row[plan->swept++] = order[r];
    plan->sweep_offset[plan->swept] = entry + successors;
  }
  plan->padding += bundle.holes;
  plan->live_slots += cells;
  b->swept_edges += edges;
  plan->bundle[plan->bundles++] = bundle;
}

/* Room for further rows: one that is taken by segments comes several times. */
static int make_room(bdag_backward *b, uint32_t rows) {
  bdag_plan *plan = b->plan;
  if (plan->swept + rows <= b->row_capacity) return 0;
  return grow(b, &plan->sweep_row, &b->row_capacity, plan->swept, rows, sizeof *plan->sweep_row) ||
         grow(b, &plan->sweep_offset, &b->offset_capacity, plan->swept + 1, rows,
              sizeof *plan->sweep_offset);
}

/* Out-edges first … end−1 of a row. */
static void add_sweep_row(bdag_backward *b, uint32_t row, uint32_t first, uint32_t end) {
  bdag_plan *plan = b->plan;
  uint64_t entry = plan->sweep_offset[plan->swept];
  const uint32_t *out = b->out_target + b->out_offset[row];
  const uint32_t *cell = b->out_cell + b->out_offset[row];
  if (first == 0) prefetch_slots(b, row);
  for (uint32_t k = first; k < end; k++, entry++) {
    plan->sweep_successor[entry] = out[k];
    give_slot(b, cell_of(b, cell[k]), plan->edge_base + 1 + plan->live_slots++);
  }
  b->swept_edges += end - first;
  plan->sweep_row[plan->swept++] = row;
  plan->sweep_offset[plan->swept] = entry;
}

/* Whether a row, or a bundle that begins with it, can join a group. */
static int joins(const bdag_backward *b, const bdag_sweep_group *group, uint32_t row, int bundled) {
  const bdag_plan *plan = b->plan;
  const uint32_t last = plan->sweep_row[group->first + group->rows - 1];
  const int swept = b->out_length[row] > 0;
  return same_activation(b, row, last) && starts_at_zero(b, row) == group->from_zero &&
         swept == group->swept && bundled == (group->bundles > 0) &&
         (!swept || group->rows < GROUP_ROWS);
}

static bdag_sweep_group *open_group(bdag_backward *b, uint32_t row) {
  bdag_plan *plan = b->plan;
  if (grow(b, &plan->sweep, &b->sweep_capacity, plan->sweeps, 1, sizeof *plan->sweep)) return NULL;
  bdag_sweep_group *group = &plan->sweep[plan->sweeps++];
  *group = (bdag_sweep_group){.first = plan->swept,
                              .activation = b->build->activation[row],
                              .activation_parameter = b->build->activation_parameter[row],
                              .from_zero = (uint8_t)starts_at_zero(b, row),
                              .consecutive = 1,
                              .swept = b->out_length[row] > 0,
                              .bundle = plan->bundles,
                              .slot = plan->edge_base + 1 + plan->live_slots};
  return group;
}

/* How many rows from order[0] on share successors that do not fit L1; 0: none. *looked: at so many. */
static uint32_t sharing_rows(bdag_backward *b, const uint32_t *order, uint32_t count,
                             uint32_t *looked) {
  const bdag_plan_options *options = &b->plan->options;
  uint32_t rows = 0, low = UINT32_MAX, high = 0;
  uint64_t edges = 0;
  for (; rows < count && rows < SEGMENT_GROUP; rows++) {
    const uint32_t row = order[rows], length = b->out_length[row];
    if (length < BDAG_SEGMENT_EDGES || has_terms(b, row) || !same_activation(b, row, order[0]) ||
        b->plan->in_loss[row] != b->plan->in_loss[order[0]])
      break;
    const uint32_t *out = b->out_target + b->out_offset[row];
    low = out[0] < low ? out[0] : low;
    high = out[length - 1] > high ? out[length - 1] : high;
    edges += length;
  }
  *looked = rows;
  if (rows == 0 || options->amalgamation == BDAG_AMALGAMATE_OFF ||
      !bdag_shares_rows(rows, edges, low, high))
    return 0;
  return rows;
}

/* A group for each segment of their successors, whose rows of in_grad stay in L1 meanwhile. */
static void add_segments(bdag_backward *b, const uint32_t *order, uint32_t rows) {
  bdag_plan *plan = b->plan;
  uint32_t next[SEGMENT_GROUP] = {0};
  for (uint32_t left = rows, begins = 1; left > 0; begins = 0) {
    bdag_sweep_group *group = open_group(b, order[0]);
    if (group == NULL || make_room(b, rows)) return;
    uint32_t low = UINT32_MAX;
    for (uint32_t r = 0; r < rows; r++) {
      const uint32_t *out = b->out_target + b->out_offset[order[r]];
      if (next[r] < b->out_length[order[r]] && out[next[r]] < low) low = out[next[r]];
    }
    for (uint32_t r = 0; r < rows; r++) {
      const uint32_t *out = b->out_target + b->out_offset[order[r]];
      const uint32_t first = next[r], length = b->out_length[order[r]];
      while (next[r] < length && out[next[r]] - low < BDAG_SEGMENT_ROWS) next[r]++;
      left -= next[r] == length && first < length;
      if (r > 0 && order[r] != order[r - 1] + 1) group->consecutive = 0;
      add_sweep_row(b, order[r], first, next[r]);
    }
    group->from_zero = group->from_zero && begins;
    group->rows = rows;
    group->slots = plan->edge_base + 1 + plan->live_slots - group->slot;
    group->continues = left > 0;
  }
}

/* Rows order[0] … order[count−1], which must not depend on each other unless `single`. */
static void add_sweeps(bdag_backward *b, const uint32_t *order, uint32_t count, int single) {
  bdag_plan *plan = b->plan;
  const uint32_t first_group = plan->sweeps;
  for (uint32_t i = 0, rows, looked = 0; i < count && !b->failed; i += rows) {
    rows = single ? 1 : bundle_rows(b, order + i, count - i);
    if (rows == 1 && !single && i >= looked) {
      const uint32_t sharing = sharing_rows(b, order + i, count - i, &looked);
      looked += i;
      if (sharing > 0) {
        add_segments(b, order + i, sharing);
        rows = sharing;
        continue;
      }
    }
    bdag_sweep_group *group = plan->sweeps > first_group ? &plan->sweep[plan->sweeps - 1] : NULL;
    if (group == NULL || single || !joins(b, group, order[i], rows > 1))
      group = open_group(b, order[i]);
    if (group == NULL || make_room(b, rows)) return;
    for (uint32_t r = 0; r < rows; r++)
      if (group->rows + r > 0 &&
          order[i + r] != (r > 0 ? order[i + r - 1] : plan->sweep_row[plan->swept - 1]) + 1)
        group->consecutive = 0;
    if (rows > 1) {
      add_bundle(b, order + i, rows);
      group->bundles++;
    } else {
      add_sweep_row(b, order[i], 0, b->out_length[order[i]]);
    }
    group->rows += rows;
    group->slots = plan->edge_base + 1 + plan->live_slots - group->slot;
  }
}

/* ---- Tasks --------------------------------------------------------------------------------------- */

/* One task of rows order[0] …, one by one if `single`. */
static void add_rows_task(bdag_backward *b, const uint32_t *order, uint32_t count, int single,
                          int is_input) {
  bdag_plan *plan = b->plan;
  if (grow(b, &plan->backward_task, &b->task_capacity, plan->backward_tasks, 1,
           sizeof *plan->backward_task))
    return;
  bdag_task task = {.kind = BDAG_TASK_ROWS,
                    .is_input = (uint8_t)is_input,
                    .first = plan->sweeps,
                    .pull = plan->pulls};
  for (uint32_t i = 0; i < count; i++)
    task.edges += b->out_length[order[i]] + term_edges(b, order[i]);
  add_pulls(b, order, count);
  add_sweeps(b, order, count, single);
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
      if (grow(b, &plan->backward_task, &b->task_capacity, plan->backward_tasks, 1,
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

/* Rows first … end−1 that do not depend on each other: those that pull from panels in the order of the
 * panels, then the others, rows with similar successors side by side. */
static void add_range(bdag_backward *b, uint32_t first, uint32_t end, int is_input) {
  bdag_plan *plan = b->plan;
  list_out_edges(b, first, end);
  if (b->failed) return;
  const bdag_lists lists = {b->out_offset, b->out_length, b->out_target, 1};
  for (int pulls = 1; pulls >= 0; pulls--) {
    uint32_t count = 0;
    for (uint32_t row = first; row < end; row++)
      if (plan->reaches[row] && has_terms(b, row) == pulls) b->order[count++] = row;
    if (pulls)
      sort_pulls(b, b->order, count);
    else if (plan->options.amalgamation != BDAG_AMALGAMATE_OFF &&
             bdag_order_similar(&b->similar, &lists, b->order, count))
      b->failed = 1;
    if (!b->failed) cut_tasks(b, b->order, count, pulls, is_input);
  }
}

/* A block whose rows depend on each other: one task, rows from the last to the first. */
static void add_triangle(bdag_backward *b, const bdag_block *block) {
  uint32_t count = 0;
  for (uint32_t row = block->row + block->rows; row-- > block->row;)
    if (b->plan->reaches[row]) b->order[count++] = row;
  if (count == 0) return;
  list_out_edges(b, block->row, block->row + block->rows);
  if (b->failed) return;
  add_rows_task(b, b->order, count, 1, 0);
}

static int has_own_edges(const bdag_plan *plan, const bdag_block *block) {
  for (uint64_t i = plan->list_offset[block->row]; i < plan->list_offset[block->row + block->rows];
       i++)
    if (plan->list_source[i] >= block->row) return 1;
  return 0;
}

/* Blocks from the last to the first; between triangles ranges of one level. */
static void add_all(bdag_backward *b) {
  bdag_plan *plan = b->plan;
  uint32_t end = plan->rows; /* rows from here on are done */
  for (uint32_t i = plan->blocks; i-- > 0 && !b->failed;) {
    const bdag_block *block = &plan->block[i];
    const int triangle = has_own_edges(plan, block);
    for (uint32_t row = block->row + block->rows; row-- > block->row && !b->failed;) {
      const int range_begins =
          row > plan->first_neuron && level_of(plan, row - 1) == level_of(plan, row)
              ? row == block->row && i > 0 && has_own_edges(plan, &plan->block[i - 1])
              : 1;
      if (triangle || !range_begins) continue;
      add_range(b, row, end, 0);
      end = row;
      add_panel_tasks(b, end);
    }
    if (!triangle) continue;
    add_triangle(b, block);
    end = block->row;
    add_panel_tasks(b, end);
  }
  if (!b->failed) add_range(b, 0, plan->first_neuron, 1);
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
        give_slot(b, cell + r - span.first, (*next)++);
      cell += span.end - span.first;
    }
  }
  for (uint64_t e = plan->list_offset[row]; e < plan->list_offset[row + 1]; e++)
    give_slot(b, &plan->list_slot[e], (*next)++);
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
  return bdag_similar_create(&b->similar, context, plan->rows, plan->rows) != 0 ||
         b->member_offset == NULL || b->member == NULL || b->out_offset == NULL ||
         b->order == NULL || b->stamp == NULL || b->column == NULL || b->successor == NULL ||
         plan->sweep_row == NULL || plan->sweep_offset == NULL || plan->sweep_successor == NULL;
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
    list_members(&b);
    add_all(&b);
  }
  bdag_similar_destroy(&b.similar);
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
