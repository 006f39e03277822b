/* What a task of the backward program does with its rows: pulls from dense panels, then sweeps over irregular
 * out-edges, as bundles of rows with similar successors where they pay, by segments of the successors where
 * those do not fit L1. Irregular edges get their slots in the order in which the sweep meets them.
 * May include base and network. */
#include <string.h>

#include "plan/backward_build.h"

#define GROUP_ROWS 32u
/* Rows that are taken together by segments of their successors. */
#define SEGMENT_GROUP 64u

/* ---- Pulls --------------------------------------------------------------------------------------- */

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

void bdag_add_pulls(bdag_backward *b, const uint32_t *order, uint32_t count) {
  bdag_plan *plan = b->plan;
  for (uint32_t i = 0, rows; i < count; i += rows) {
    const uint64_t begin = b->member_offset[order[i]];
    const uint64_t terms = b->member_offset[order[i] + 1] - begin;
    int32_t step = 0;
    rows = 1;
    if (terms == 0) continue;
    while (i + rows < count && pulls_alike(b, order[i + rows - 1], order[i + rows], &step)) rows++;
    if (bdag_backward_grow(b, &plan->pull, &b->pull_capacity, plan->pulls, 1, sizeof *plan->pull) ||
        bdag_backward_grow(b, &plan->term, &b->term_capacity, plan->terms, terms,
                           sizeof *plan->term))
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

/* ---- Bundles and sweeps --------------------------------------------------------------------------- */

/* Cycles, forward rows being in L2 and 64 samples of float32: an edge of a sweep; a successor of a bundle. */
#define COST_EDGE    12.0
#define COST_BUNDLE4 30.0
#define COST_BUNDLE2 21.0

static inline uint32_t *cell_of(const bdag_backward *b, uint64_t cell) {
  const bdag_plan *plan = b->plan;
  return cell < b->listed ? &plan->list_slot[cell] : &plan->union_slot[cell - b->listed];
}

BDAG_PREFETCHING prefetch_slots(const bdag_backward *b, uint32_t row) {
  const uint32_t *cell = b->out_cell + b->out_offset[row];
  for (uint32_t k = 0; k < b->out_length[row]; k++)
    bdag_prefetch_slot(b->build, *cell_of(b, cell[k]));
}

static int same_activation(const bdag_backward *b, uint32_t one, uint32_t other) {
  const bdag_build *build = b->build;
  return build->activation[one] == build->activation[other] &&
         (b->plan->in_row[one] != BDAG_NO_ROW) == (b->plan->in_row[other] != BDAG_NO_ROW) &&
         memcmp(&build->activation_parameter[one], &build->activation_parameter[other],
                sizeof(double)) == 0;
}

static int starts_at_zero(const bdag_backward *b, uint32_t row) {
  return !b->plan->in_loss[row] && !bdag_has_terms(b, row);
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
  if (bdag_backward_grow(b, &plan->bundle, &b->bundle_capacity, plan->bundles, 1,
                         sizeof *plan->bundle) ||
      bdag_backward_grow(b, &plan->hole, &b->hole_capacity, plan->holes, cells - edges,
                         sizeof *plan->hole))
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
      bdag_give_slot(b, cell_of(b, cell[k]), slot + (uint32_t)(b->column[out[k]] + r));
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
  return bdag_backward_grow(b, &plan->sweep_row, &b->row_capacity, plan->swept, rows,
                            sizeof *plan->sweep_row) ||
         bdag_backward_grow(b, &plan->sweep_offset, &b->offset_capacity, plan->swept + 1, rows,
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
    bdag_give_slot(b, cell_of(b, cell[k]), plan->edge_base + 1 + plan->live_slots++);
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
  if (bdag_backward_grow(b, &plan->sweep, &b->sweep_capacity, plan->sweeps, 1, sizeof *plan->sweep))
    return NULL;
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
    if (length < BDAG_SEGMENT_EDGES || bdag_has_terms(b, row) ||
        !same_activation(b, row, order[0]) || b->plan->in_loss[row] != b->plan->in_loss[order[0]])
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

void bdag_add_sweeps(bdag_backward *b, const uint32_t *order, uint32_t count, int single) {
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
