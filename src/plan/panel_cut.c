/* Dense panels: what the targets of a block (nearly) all read. May include base and network. */
#include "plan/cut.h"

#define PANEL_TARGETS 64u /* a block of transposed in_grad in L1, and panels enough for threads */
#define STEP_TARGETS  8u
#define NARROW_ROWS   8u /* that read the same two or three sources are a panel */

/* A dense panel pays in both directions if that share of its weights exists: a weight of a panel costs
 * about 7 cycles forward and backward, an irregular edge about 13. With many sources forward's copy of
 * irregular weights is dearer, panels are cheaper. Where sources are not consecutive rows they are pulled
 * one by one, and a panel pays later. */
#define PANEL_SHARE           0.53
#define PANEL_SHARE_LONG      0.45
#define LONG_ROW              256u
#define PANEL_SHARE_SCATTERED 0.75
/* Neighbours that share nearly all sources cost about 9 cycles an edge as unions and bundles. */
#define PANEL_SHARE_UNITED 0.75
#define COST_UNITED        3.0
/* Rows of a panel share that part of what the first one reads. */
#define PANEL_OVERLAP 0.28

static int have_equal_sources(const bdag_row_list *a, const bdag_row_list *b) {
  if (a->length != b->length) return 0;
  uint32_t different = 0;
  for (uint32_t k = 0; k < a->length; k++) different |= a->source[k] ^ b->source[k];
  return different == 0;
}

/* How many rows from `first` on read most of what the first one reads. *same: lists are equal. */
static uint32_t dense_rows(bdag_cut *cut, uint32_t first, int *same) {
  const bdag_plan *plan = cut->build->plan;
  const bdag_chunk *chunk = cut->chunk;
  const bdag_row_list core = bdag_list_of(cut, first);
  *same = 1;
  if (first + 1 < chunk->end && cut->shared[first + 1 - chunk->first] < PANEL_OVERLAP * core.length)
    return 1;
  const uint32_t mark = ++cut->stamps, lowest = chunk->lowest;
  for (uint32_t k = 0; k < core.length; k++) cut->stamp[core.source[k] - lowest] = mark;
  uint64_t own_edges = 0;
  uint32_t rows = 1;
  while (first + rows < chunk->end && rows < PANEL_TARGETS) {
    const bdag_row_list list = bdag_list_of(cut, first + rows);
    const int equal = have_equal_sources(&list, &core);
    uint32_t common = equal ? core.length : 0, own = 0;
    for (uint32_t k = 0; k < list.length && !equal; k++) {
      common += cut->stamp[list.source[k] - lowest] == mark;
      own += list.source[k] >= first;
    }
    own_edges += own;
    const uint64_t cells = (uint64_t)core.length * (rows + 1);
    if (plan->reaches[first + rows] != plan->reaches[first] ||
        common < PANEL_OVERLAP * core.length || common < PANEL_OVERLAP * (list.length - own) ||
        own_edges * 12 > cells)
      break;
    if (!equal && *same && rows >= BDAG_PANEL_STEP && !bdag_is_forced(cut)) break;
    *same &= equal;
    rows++;
  }
  return rows;
}

/* The sources of a row that are of lower levels, ascending; returns their number. */
static uint32_t take_columns(bdag_cut *cut, uint32_t row) {
  const uint32_t level_row = cut->build->row_of_level[bdag_cut_level(cut, row)];
  const bdag_row_list list = bdag_list_of(cut, row);
  uint32_t kept = 0;
  for (uint32_t k = 0; k < list.length; k++)
    if (list.source[k] < level_row && !bdag_is_parallel(&list, k))
      cut->column[kept++] = list.source[k] - cut->chunk->lowest;
  return kept;
}

/* Sources that at least a quarter of the rows read, ascending; returns their number. `entries` counts the
 * edges among them. They are of lower levels than all targets: the backward pass pulls them from all
 * targets of the panel, so even a target without an edge to them must be done by then. */
static uint32_t find_columns(bdag_cut *cut, uint32_t first, uint32_t rows, uint64_t *entries) {
  const uint32_t mark = ++cut->stamps, lowest = cut->chunk->lowest;
  const uint32_t level_row = cut->build->row_of_level[bdag_cut_level(cut, first)];
  uint32_t known = 0, kept = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const bdag_row_list list = bdag_list_of(cut, first + r);
    for (uint32_t k = 0; k < list.length; k++) {
      const uint32_t source = list.source[k];
      if (source >= level_row || bdag_is_parallel(&list, k)) continue;
      if (cut->stamp[source - lowest] != mark) {
        cut->stamp[source - lowest] = mark;
        cut->count[source - lowest] = 0;
        cut->column[known++] = source - lowest;
      }
      cut->count[source - lowest]++;
    }
  }
  *entries = 0;
  const uint32_t least = bdag_is_forced(cut) ? 1 : (rows + 3) / 4;
  for (uint32_t i = 0; i < known; i++) {
    const uint32_t source = cut->column[i];
    if (cut->count[source] < least) continue;
    *entries += cut->count[source];
    cut->column[kept++] = source;
  }
  return kept;
}

/* ---- Making one ---------------------------------------------------------------------------------- */

static void note_holes(bdag_cut *cut, bdag_panel *panel) {
  bdag_chunk *chunk = cut->chunk;
  panel->hole = chunk->holes.count;
  for (uint32_t r = 0; r < panel->targets; r++) {
    const bdag_row_list list = bdag_list_of(cut, panel->row + r);
    const uint32_t mark = ++cut->stamps;
    for (uint32_t k = 0; k < list.length; k++) cut->stamp[list.source[k] - chunk->lowest] = mark;
    for (uint32_t k = 0; k < panel->sources; k++) {
      if (cut->stamp[chunk->sources.at[panel->list + k] - chunk->lowest] == mark) continue;
      if (bdag_chunk_grow(cut->build, chunk, &chunk->holes, 1)) return;
      chunk->holes.at[chunk->holes.count++] =
          (uint32_t)(panel->slot + (uint64_t)k * panel->step + r);
    }
  }
  panel->holes = (uint32_t)(chunk->holes.count - panel->hole);
  bdag_sort_numbers(chunk->holes.at + panel->hole, panel->holes);
  chunk->padding += panel->holes;
}

static int reads_columns(const bdag_cut *cut, const bdag_row_list *list, uint32_t columns) {
  uint32_t different = list->length ^ columns;
  for (uint32_t k = 0; k < columns && different == 0; k++)
    different = (list->source[k] - cut->chunk->lowest) ^ cut->column[k];
  return different == 0;
}

/* Edges of target `r` from the panel's sources, whose columns are in cut->count under `mark`. */
static void place_row(bdag_cut *cut, const bdag_panel *panel, uint32_t r, uint32_t mark) {
  bdag_chunk *chunk = cut->chunk;
  const bdag_row_list list = bdag_list_of(cut, panel->row + r);
  bdag_placed_edge *to = chunk->placed.at + chunk->placed.count;
  const int all = reads_columns(cut, &list, panel->sources);
  uint64_t slot = panel->slot + r;
  for (uint32_t k = 0; k < list.length && all; k++, slot += panel->step) {
    *to++ = (bdag_placed_edge){list.edge[k], (uint32_t)slot};
    list.edge[k] = BDAG_NO_SLOT;
  }
  for (uint32_t k = 0; k < list.length && !all; k++) {
    const uint32_t at = list.source[k] - chunk->lowest;
    if (cut->stamp[at] != mark || bdag_is_parallel(&list, k)) continue;
    slot = panel->slot + (uint64_t)cut->count[at] * panel->step + r;
    *to++ = (bdag_placed_edge){list.edge[k], (uint32_t)slot};
    list.edge[k] = BDAG_NO_SLOT;
  }
  chunk->placed.count = (uint64_t)(to - chunk->placed.at);
}

void bdag_add_panel(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t columns) {
  const bdag_build *build = cut->build;
  bdag_chunk *chunk = cut->chunk;
  const uint64_t cells = (uint64_t)rows * columns, before = chunk->placed.count;
  if (bdag_chunk_grow(build, chunk, &chunk->panels, 1) ||
      bdag_chunk_grow(build, chunk, &chunk->sources, columns) ||
      bdag_chunk_grow(build, chunk, &chunk->placed, cells))
    return;
  bdag_panel panel = {.row = first,
                      .targets = rows,
                      .sources = columns,
                      .list = chunk->sources.count,
                      .slot = chunk->slots,
                      .reaches = build->plan->reaches[first]};
  panel.step =
      rows < STEP_TARGETS ? rows : (rows + BDAG_PANEL_STEP - 1) / BDAG_PANEL_STEP * BDAG_PANEL_STEP;
  for (uint32_t k = 0; k < columns; k++)
    chunk->sources.at[chunk->sources.count++] = cut->column[k] + chunk->lowest;
  chunk->slots += (uint64_t)panel.step * columns;
  const uint32_t mark = ++cut->stamps;
  for (uint32_t k = 0; k < columns; k++) {
    cut->stamp[cut->column[k]] = mark;
    cut->count[cut->column[k]] = k;
  }
  for (uint32_t r = 0; r < rows; r++) place_row(cut, &panel, r, mark);
  if (chunk->placed.count - before < cells) note_holes(cut, &panel);
  chunk->panels.at[chunk->panels.count++] = panel;
}

static double least_share(const bdag_cut *cut, uint32_t columns, int unites) {
  if (unites) return PANEL_SHARE_UNITED;
  uint32_t consecutive = 0;
  for (uint32_t k = 1; k < columns; k++) consecutive += cut->column[k] == cut->column[k - 1] + 1;
  if (consecutive * 5 < columns * 4) return PANEL_SHARE_SCATTERED;
  return columns > LONG_ROW ? PANEL_SHARE_LONG : PANEL_SHARE;
}

uint32_t bdag_find_dense(bdag_cut *cut, uint32_t first, uint32_t *columns) {
  const int forced = bdag_is_forced(cut);
  if (bdag_list_of(cut, first).length < 2 && !forced) return 0;
  if (first < cut->hopeless && !forced) return 0;
  int same;
  const uint32_t rows = dense_rows(cut, first, &same);
  if (rows < (same ? 4 : BDAG_PANEL_STEP) && !(forced && rows > 1)) return 0;
  if (same) {
    *columns = take_columns(cut, first);
    return *columns >= (rows >= NARROW_ROWS ? 2 : 4) || (forced && *columns > 0) ? rows : 0;
  }
  uint32_t sources;
  double cost;
  bdag_union_rows(cut, first, &sources, &cost);
  uint64_t entries;
  *columns = find_columns(cut, first, rows, &entries);
  if (*columns < 4 && !(forced && *columns > 0)) return 0;
  bdag_sort_numbers(cut->column, *columns);
  if (!forced &&
      (double)entries < least_share(cut, *columns, cost < COST_UNITED) * rows * *columns) {
    /* half of these rows further on the same would be found */
    cut->hopeless = first + rows / 2;
    return 0;
  }
  return rows;
}
