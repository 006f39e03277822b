/* The forward program: consecutive rows are cut into blocks. What a block's targets (nearly) all read
 * becomes a dense panel; what a few neighbours share, a union; the rest stays in lists. A block may hold
 * edges of its own (triangle of a cascade): they stay in lists, and its rows are finished one by one.
 * May include base and network. */
#include <stdlib.h>
#include <string.h>

#include "plan/build.h"

#define PANEL_TARGETS 64u /* a block of transposed in_grad in L1, and panels enough for threads */
#define PANEL_STEP    16u /* vectors of targets: a panel of 8 or more is padded to it */
#define STEP_TARGETS  8u
#define NARROW_ROWS   8u /* that read the same two or three sources are a panel */
#define LISTS_AHEAD   8u
#define AHEAD         256u /* rows that are measured together; half are more than a block has, and one */
#define SHORT_SORT    512u /* up to there faster than qsort */
#define RUN_ROWS      32u  /* of lists: what a block's rows share stays in L1 */
/* Levels up to so many of them are cut evenly, into runs of no fewer rows. */
#define EVEN_RUNS      8u
#define LEAST_RUN_ROWS 8u

/* Kernel costs in cycles for 64 samples of float32 with 512-bit vectors: an edge in a list (a row read
 * and four multiply-adds); a source of a union (its row) and each of its weights. */
#define COST_LIST   3.5
#define COST_ROW    2.0
#define COST_WEIGHT 2.0
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

typedef struct bdag_cut {
  bdag_build *build;
  uint32_t *stamp, *count; /* [rows] marks by source; occurrences in the run at hand */
  uint32_t stamps;
  uint32_t *shared;      /* [rows] sources that a row shares with the row before it */
  uint32_t *last_reader; /* [rows] among measured rows */
  uint32_t measured;     /* rows of which that is known, from the first neuron on */
  uint32_t hopeless;     /* no dense block begins before this row */
  uint32_t *column;      /* [rows] sources of the panel at hand; column number by source */
  uint64_t panel_capacity, union_capacity, run_capacity, block_capacity;
  uint64_t source_capacity, union_slot_capacity, hole_capacity;
  uint64_t discarded; /* bytes of build->in */
  int failed;
} bdag_cut;

/* The in-edges of a row: source rows, ascending, and ids. */
typedef struct bdag_row_list {
  const uint32_t *source;
  uint32_t *edge;
  uint32_t length;
} bdag_row_list;

static bdag_row_list list_of(const bdag_build *build, uint32_t row) {
  const uint32_t first = build->row_first[row], length = build->row_first[row + 1] - first;
  uint32_t *list = build->in + 2 * (uint64_t)first;
  return (bdag_row_list){list, list + length, length};
}

/* Whether edge k repeats the source of the edge before it. */
static int is_parallel(const bdag_row_list *list, uint32_t k) {
  return k > 0 && list->source[k - 1] == list->source[k];
}

static int have_equal_sources(const bdag_row_list *a, const bdag_row_list *b) {
  if (a->length != b->length) return 0;
  uint32_t different = 0;
  for (uint32_t k = 0; k < a->length; k++) different |= a->source[k] ^ b->source[k];
  return different == 0;
}

/* Room for `more` further elements of an array of the plan. */
static int grow(bdag_cut *cut, void *array, uint64_t *capacity, uint64_t used, uint64_t more,
                size_t size) {
  void **pointer = array;
  if (!cut->failed &&
      bdag_grow(cut->build->context, pointer, capacity, used, used + more, size) != 0)
    cut->failed = 1;
  return cut->failed;
}

/* At first for as many as there usually are. */
static int grow_sources(bdag_cut *cut, uint32_t more) {
  bdag_plan *plan = cut->build->plan;
  const uint64_t usual = cut->build->edges / 8;
  return grow(cut, &plan->source, &cut->source_capacity, plan->sources,
              plan->source == NULL && usual > more ? usual : more, sizeof *plan->source);
}

/* ---- Dense panels -------------------------------------------------------------------------------- */

/* Of a list some rows ahead. */
static inline void prefetch_sources(const bdag_build *build, uint32_t row) {
  if (row + LISTS_AHEAD >= build->plan->rows) return;
  const bdag_row_list list = list_of(build, row + LISTS_AHEAD);
  for (uint32_t k = 0; k < 2 * list.length; k += 16) __builtin_prefetch(&list.source[k]);
}

/* How much neighbours share decides most questions below at once. Some rows are measured ahead and are
 * then in cache. */
static void measure_rows(bdag_cut *cut, uint32_t until) {
  const bdag_build *build = cut->build;
  const bdag_plan *plan = build->plan;
  const uint32_t end = until < plan->rows ? until : plan->rows;
  for (; cut->measured < end; cut->measured++) {
    const uint32_t row = cut->measured;
    const bdag_row_list list = list_of(build, row);
    uint32_t shared = 0;
    prefetch_sources(build, row);
    for (uint32_t k = 0; k < list.length; k++) {
      const uint32_t source = list.source[k];
      shared += cut->last_reader[source] == row - 1;
      cut->last_reader[source] = row;
    }
    cut->shared[row] = shared;
  }
}

static double union_cost(uint32_t sources, uint32_t targets, uint64_t edges) {
  return sources * (COST_ROW + COST_WEIGHT * targets) / (double)(edges > 0 ? edges : 1);
}

/* Whether the first two rows may make a union: else none is begun. */
static int worth_two(const bdag_cut *cut, uint32_t first) {
  const bdag_plan *plan = cut->build->plan;
  if (plan->options.amalgamation == BDAG_AMALGAMATE_FORCED || first + 1 >= plan->rows) return 1;
  const uint32_t edges = list_of(cut->build, first).length + list_of(cut->build, first + 1).length;
  return union_cost(edges - cut->shared[first + 1], 2, edges) < COST_LIST;
}

/* How many rows from `first` on are best computed together, by cost an edge. */
static uint32_t union_rows(bdag_cut *cut, uint32_t first, uint32_t *union_sources,
                           double *cost_an_edge) {
  const bdag_plan *plan = cut->build->plan;
  const uint32_t mark = ++cut->stamps;
  uint32_t known = 0, best_rows = 1;
  uint64_t edges = 0;
  double best = COST_LIST;
  *cost_an_edge = best;
  if (!worth_two(cut, first)) return 1;
  for (uint32_t r = 0; r < BDAG_UNION_TARGETS && first + r < plan->rows; r++) {
    const bdag_row_list list = list_of(cut->build, first + r);
    for (uint32_t k = 0; k < list.length; k++) {
      const uint32_t source = list.source[k];
      if (source >= first || is_parallel(&list, k)) return best_rows;
      if (cut->stamp[source] == mark) continue;
      cut->stamp[source] = mark;
      cut->column[known++] = source;
    }
    edges += list.length;
    if (r == 0) continue;
    const double cost = union_cost(known, r + 1, edges);
    if (cost < best || plan->options.amalgamation == BDAG_AMALGAMATE_FORCED) {
      best = *cost_an_edge = cost;
      best_rows = r + 1;
      *union_sources = known;
    } else if (best_rows == 1 || cost > best * 1.05) {
      break;
    }
  }
  return best_rows;
}

/* How many rows from `first` on read most of what the first one reads. *same: lists are equal. */
static uint32_t dense_rows(bdag_cut *cut, uint32_t first, int *same) {
  const bdag_plan *plan = cut->build->plan;
  const bdag_row_list core = list_of(cut->build, first);
  *same = 1;
  if (first + 1 < plan->rows && cut->shared[first + 1] < PANEL_OVERLAP * core.length) return 1;
  const uint32_t mark = ++cut->stamps;
  for (uint32_t k = 0; k < core.length; k++) cut->stamp[core.source[k]] = mark;
  uint64_t own_edges = 0;
  uint32_t rows = 1;
  while (first + rows < plan->rows && rows < PANEL_TARGETS) {
    const bdag_row_list list = list_of(cut->build, first + rows);
    const int equal = have_equal_sources(&list, &core);
    uint32_t common = equal ? core.length : 0, own = 0;
    for (uint32_t k = 0; k < list.length && !equal; k++) {
      common += cut->stamp[list.source[k]] == mark;
      own += list.source[k] >= first;
    }
    own_edges += own;
    const uint64_t cells = (uint64_t)core.length * (rows + 1);
    if (plan->reaches[first + rows] != plan->reaches[first] ||
        common < PANEL_OVERLAP * core.length || common < PANEL_OVERLAP * (list.length - own) ||
        own_edges * 12 > cells)
      break;
    if (!equal && *same && rows >= PANEL_STEP &&
        plan->options.amalgamation != BDAG_AMALGAMATE_FORCED)
      break;
    *same &= equal;
    rows++;
  }
  return rows;
}

/* The sources of a row that are of lower levels, ascending; returns their number. */
static uint32_t take_columns(bdag_cut *cut, uint32_t row) {
  const bdag_plan *plan = cut->build->plan;
  const uint32_t level_row = cut->build->row_of_level[plan->level[plan->vertex_of_row[row]]];
  const bdag_row_list list = list_of(cut->build, row);
  uint32_t kept = 0;
  for (uint32_t k = 0; k < list.length; k++)
    if (list.source[k] < level_row && !is_parallel(&list, k)) cut->column[kept++] = list.source[k];
  return kept;
}

/* Sources that at least a quarter of the rows read, ascending; returns their number. `entries` counts the
 * edges among them. They are of lower levels than all targets: the backward pass pulls them from all
 * targets of the panel, so even a target without an edge to them must be done by then. */
static uint32_t find_columns(bdag_cut *cut, uint32_t first, uint32_t rows, uint64_t *entries) {
  const bdag_plan *plan = cut->build->plan;
  const uint32_t mark = ++cut->stamps;
  const uint32_t level_row = cut->build->row_of_level[plan->level[plan->vertex_of_row[first]]];
  uint32_t known = 0, kept = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const bdag_row_list list = list_of(cut->build, first + r);
    for (uint32_t k = 0; k < list.length; k++) {
      const uint32_t source = list.source[k];
      if (source >= level_row || is_parallel(&list, k)) continue;
      if (cut->stamp[source] != mark) {
        cut->stamp[source] = mark;
        cut->count[source] = 0;
        cut->column[known++] = source;
      }
      cut->count[source]++;
    }
  }
  *entries = 0;
  const uint32_t least = plan->options.amalgamation == BDAG_AMALGAMATE_FORCED ? 1 : (rows + 3) / 4;
  for (uint32_t i = 0; i < known; i++) {
    const uint32_t source = cut->column[i];
    if (cut->count[source] < least) continue;
    *entries += cut->count[source];
    cut->column[kept++] = source;
  }
  return kept;
}

static int compare_numbers(const void *left, const void *right) {
  const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

void bdag_sort_numbers(uint32_t *numbers, uint64_t count) {
  if (count > SHORT_SORT) {
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return;
  }
  for (uint64_t gap = count / 2; gap > 0; gap /= 2)
    for (uint64_t i = gap; i < count; i++) {
      const uint32_t value = numbers[i];
      uint64_t j = i;
      for (; j >= gap && numbers[j - gap] > value; j -= gap) numbers[j] = numbers[j - gap];
      numbers[j] = value;
    }
}

static void note_holes(bdag_cut *cut, bdag_panel *panel) {
  bdag_plan *plan = cut->build->plan;
  panel->hole = plan->holes;
  for (uint32_t r = 0; r < panel->targets; r++) {
    const bdag_row_list list = list_of(cut->build, panel->row + r);
    const uint32_t mark = ++cut->stamps;
    for (uint32_t k = 0; k < list.length; k++) cut->stamp[list.source[k]] = mark;
    for (uint32_t k = 0; k < panel->sources; k++) {
      if (cut->stamp[plan->source[panel->list + k]] == mark) continue;
      if (grow(cut, &plan->hole, &cut->hole_capacity, plan->holes, 1, sizeof *plan->hole)) return;
      plan->hole[plan->holes++] = (uint32_t)(panel->slot + (uint64_t)k * panel->step + r);
    }
  }
  panel->holes = (uint32_t)(plan->holes - panel->hole);
  bdag_sort_numbers(plan->hole + panel->hole, panel->holes);
  plan->padding += panel->holes;
}

/* Edges come in any order. */
static void prefetch_slots(const bdag_build *build, uint32_t row) {
  if (row >= build->plan->rows) return;
  const bdag_row_list list = list_of(build, row);
  for (uint32_t k = 0; k < list.length; k++) bdag_prefetch_slot(build, list.edge[k]);
}

/* Edges of a row that reads just the panel's sources. */
static void place_row(bdag_build *build, const bdag_panel *panel, uint32_t target, uint32_t *edge) {
  uint32_t slot = (uint32_t)panel->slot + target;
  for (uint32_t k = 0; k < panel->sources; k++, slot += panel->step) {
    bdag_set_slot(build, edge[k], slot);
    edge[k] = BDAG_NO_SLOT;
  }
}

static void add_panel(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t columns) {
  bdag_plan *plan = cut->build->plan;
  if (grow(cut, &plan->panel, &cut->panel_capacity, plan->panels, 1, sizeof *plan->panel) ||
      grow_sources(cut, columns))
    return;
  bdag_panel panel = {.row = first,
                      .targets = rows,
                      .sources = columns,
                      .list = plan->sources,
                      .slot = plan->slot_count,
                      .reaches = plan->reaches[first]};
  panel.step = rows < STEP_TARGETS ? rows : (rows + PANEL_STEP - 1) / PANEL_STEP * PANEL_STEP;
  memcpy(plan->source + plan->sources, cut->column, columns * sizeof *plan->source);
  plan->sources += columns;
  plan->slot_count += (uint64_t)panel.step * columns;
  const uint32_t mark = ++cut->stamps;
  for (uint32_t k = 0; k < columns; k++) {
    cut->stamp[cut->column[k]] = mark;
    cut->count[cut->column[k]] = k;
  }
  uint64_t placed = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const bdag_row_list list = list_of(cut->build, first + r);
    prefetch_slots(cut->build, first + r + 1);
    if (list.length == columns &&
        memcmp(list.source, cut->column, columns * sizeof *list.source) == 0) {
      place_row(cut->build, &panel, r, list.edge);
      placed += columns;
      continue;
    }
    for (uint32_t k = 0; k < list.length; k++) {
      const uint32_t source = list.source[k];
      if (cut->stamp[source] != mark || is_parallel(&list, k)) continue;
      bdag_set_slot(cut->build, list.edge[k],
                    (uint32_t)(panel.slot + (uint64_t)cut->count[source] * panel.step + r));
      list.edge[k] = BDAG_NO_SLOT;
      placed++;
    }
  }
  cut->build->dense += placed;
  if (placed < (uint64_t)rows * columns) note_holes(cut, &panel);
  plan->panel[plan->panels++] = panel;
}

static double least_share(const bdag_cut *cut, uint32_t columns, int unites) {
  if (unites) return PANEL_SHARE_UNITED;
  uint32_t consecutive = 0;
  for (uint32_t k = 1; k < columns; k++) consecutive += cut->column[k] == cut->column[k - 1] + 1;
  if (consecutive * 5 < columns * 4) return PANEL_SHARE_SCATTERED;
  return columns > LONG_ROW ? PANEL_SHARE_LONG : PANEL_SHARE;
}

/* Rows of a dense block beginning at `first`, 0 if there is none; cut->column holds its sources. */
static uint32_t find_dense(bdag_cut *cut, uint32_t first, uint32_t *columns) {
  const bdag_plan *plan = cut->build->plan;
  const int forced = plan->options.amalgamation == BDAG_AMALGAMATE_FORCED;
  if (list_of(cut->build, first).length < 2 && !forced) return 0;
  if (first < cut->hopeless && !forced) return 0;
  int same;
  const uint32_t rows = dense_rows(cut, first, &same);
  if (rows < (same ? 4 : PANEL_STEP) && !(forced && rows > 1)) return 0;
  if (same) {
    *columns = take_columns(cut, first);
    return *columns >= (rows >= NARROW_ROWS ? 2 : 4) || (forced && *columns > 0) ? rows : 0;
  }
  uint32_t sources;
  double cost;
  union_rows(cut, first, &sources, &cost);
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

/* The same; its panel is made. */
static uint32_t cut_dense(bdag_cut *cut, uint32_t first) {
  uint32_t columns;
  const uint32_t rows = find_dense(cut, first, &columns);
  if (rows > 0) add_panel(cut, first, rows, columns);
  return rows;
}

/* ---- Unions -------------------------------------------------------------------------------------- */

/* At first for all edges to come: padding is rarely more than panels take, and room that is not used
 * costs less than copies. */
static int grow_union_slots(bdag_cut *cut, uint32_t first, uint64_t cells) {
  bdag_plan *plan = cut->build->plan;
  const uint64_t left = cut->build->edges - cut->build->row_first[first];
  return grow(cut, &plan->union_slot, &cut->union_slot_capacity, plan->union_entries,
              plan->union_slot == NULL && left > cells ? left : cells, sizeof *plan->union_slot);
}

/* Sources in order, and where the cells of each begin. */
static bdag_ramps order_sources(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t sources) {
  uint32_t *readers = cut->count;
  bdag_sort_numbers(cut->column, sources);
  for (uint32_t k = 0; k < sources; k++) readers[cut->column[k]] = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const bdag_row_list list = list_of(cut->build, first + r);
    for (uint32_t k = 0; k < list.length; k++) readers[list.source[k]] |= 1u << r;
  }
  uint32_t *sorted = cut->build->plan->source + cut->build->plan->sources;
  const bdag_ramps ramps = bdag_order_by_readers(cut->column, sources, rows, readers, sorted);
  bdag_place_by_readers(&ramps, cut->column, sources, rows, cut->count);
  return ramps;
}

static void add_union(bdag_cut *cut, uint32_t first, uint32_t rows, uint32_t sources) {
  bdag_build *build = cut->build;
  bdag_plan *plan = build->plan;
  if (grow(cut, &plan->union_panel, &cut->union_capacity, plan->unions, 1,
           sizeof *plan->union_panel) ||
      grow_sources(cut, sources))
    return;
  bdag_union part = {.row = first,
                     .targets = rows,
                     .sources = sources,
                     .ramps = order_sources(cut, first, rows, sources),
                     .list = plan->sources,
                     .entry = plan->union_entries};
  const uint64_t cells = bdag_union_cells(&part);
  if (grow_union_slots(cut, first, cells)) return;
  uint32_t *place = plan->union_slot + plan->union_entries;
  memset(place, 0xff, cells * sizeof *place);
  uint64_t edges = 0;
  for (uint32_t r = 0; r < rows; r++) {
    const bdag_row_list list = list_of(build, first + r);
    for (uint32_t k = 0; k < list.length; k++)
      place[(uint32_t)(cut->count[list.source[k]] + r)] = list.edge[k];
    edges += list.length;
  }
  part.padded = edges < cells;
  plan->padding += cells - edges;
  plan->union_panel[plan->unions++] = part;
  plan->sources += sources;
  plan->union_entries += cells;
}

/* ---- Blocks -------------------------------------------------------------------------------------- */

/* Lists of rows: what no panel or union took. Cells hold ids until edges have slots. */
static void fill_lists(bdag_cut *cut, uint32_t first, uint32_t rows, int in_union) {
  bdag_build *build = cut->build;
  bdag_plan *plan = build->plan;
  for (uint32_t row = first; row < first + rows; row++) {
    uint64_t at = plan->list_offset[row];
    const bdag_row_list list = list_of(build, row);
    for (uint32_t k = 0; k < list.length && !in_union; k++) {
      if (list.edge[k] == BDAG_NO_SLOT) continue;
      plan->list_source[at] = list.source[k];
      plan->list_slot[at++] = list.edge[k];
    }
    plan->list_offset[row + 1] = at;
  }
  if (build->edges > BDAG_LARGE_EDGES)
    cut->discarded = bdag_discard(build->in, cut->discarded,
                                  2 * (uint64_t)build->row_first[first + rows] * sizeof *build->in);
}

/* What the backward pass will have to do for the in-edges of these rows. */
static void count_edges(bdag_build *build, uint32_t first, uint32_t rows) {
  bdag_plan *plan = build->plan;
  for (uint32_t row = first; row < first + rows; row++) {
    if (!plan->reaches[row]) continue;
    const bdag_row_list list = list_of(build, row);
    plan->weight_edges += list.length;
    for (uint32_t k = 0; k < list.length; k++) {
      const uint32_t source = list.source[k];
      plan->out_edges += source >= plan->first_neuron;
      build->reach += row - source;
      if (row - source > build->longest_reach) build->longest_reach = row - source;
      build->reach_by_power[32 - __builtin_clz(row - source)]++;
      build->out_length[source] += list.edge[k] != BDAG_NO_SLOT;
    }
  }
}

static int same_run(const bdag_build *build, const bdag_row_run *run, uint32_t row) {
  const bdag_plan *plan = build->plan;
  const uint64_t begin = plan->list_offset[row], end = plan->list_offset[row + 1];
  if (build->activation[row] != run->activation ||
      memcmp(&build->activation_parameter[row], &run->activation_parameter, sizeof(double)) != 0 ||
      (plan->in_row[row] != BDAG_NO_ROW) != run->keeps_in)
    return 0;
  return begin == end || plan->list_source[end - 1] < run->row;
}

static int shares_sources(const bdag_plan *plan, const bdag_row_run *run) {
  uint32_t low = UINT32_MAX, high = 0;
  for (uint32_t row = run->row; row < run->row + run->rows; row++) {
    const uint64_t begin = plan->list_offset[row], end = plan->list_offset[row + 1];
    if (begin == end) continue;
    if (plan->list_source[begin] < low) low = plan->list_source[begin];
    if (plan->list_source[end - 1] > high) high = plan->list_source[end - 1];
  }
  const uint64_t edges = plan->list_offset[run->row + run->rows] - plan->list_offset[run->row];
  return edges > 0 && bdag_shares_rows(run->rows, edges, low, high);
}

static void add_runs(bdag_cut *cut, bdag_block *block) {
  bdag_plan *plan = cut->build->plan;
  block->run = plan->runs;
  if (grow(cut, &plan->run, &cut->run_capacity, plan->runs, block->rows, sizeof *plan->run)) return;
  for (uint32_t row = block->row; row < block->row + block->rows; row++) {
    bdag_row_run *last = plan->runs > block->run ? &plan->run[plan->runs - 1] : NULL;
    if (last == NULL || !same_run(cut->build, last, row)) {
      last = &plan->run[plan->runs++];
      *last = (bdag_row_run){.row = row,
                             .activation = cut->build->activation[row],
                             .activation_parameter = cut->build->activation_parameter[row],
                             .keeps_in = plan->in_row[row] != BDAG_NO_ROW};
    }
    last->rows++;
    last->listed |= plan->list_offset[row] < plan->list_offset[row + 1];
  }
  block->runs = plan->runs - block->run;
  for (bdag_row_run *run = plan->run + block->run; run < plan->run + plan->runs; run++)
    run->shares = (uint8_t)shares_sources(plan, run);
}

static uint32_t level_of(const bdag_plan *plan, uint32_t row) {
  return plan->level[plan->vertex_of_row[row]];
}

/* Most rows for a run. Narrow levels are cut into an even number of like runs, so that two or four threads
 * can have the same. */
static uint32_t even_rows(const bdag_plan *plan, uint32_t first) {
  const uint32_t level = level_of(plan, first), most = EVEN_RUNS * RUN_ROWS;
  uint32_t begin = first, end = first + 1;
  while (begin > plan->first_neuron && end - begin <= most && level_of(plan, begin - 1) == level)
    begin--;
  while (end < plan->rows && end - begin <= most && level_of(plan, end) == level) end++;
  const uint32_t rows = end - begin;
  if (rows > most || rows < 2 * LEAST_RUN_ROWS) return RUN_ROWS;
  const uint32_t runs = (rows + 2 * RUN_ROWS - 1) / (2 * RUN_ROWS) * 2;
  uint32_t run = (first - begin) * runs / rows;
  while (begin + (uint64_t)(run + 1) * rows / runs <= first) run++;
  return begin + (uint32_t)((uint64_t)(run + 1) * rows / runs) - first;
}

/* Rows of lists only, as many as belong to one run. */
static uint32_t listed_rows(bdag_cut *cut, uint32_t first) {
  const bdag_plan *plan = cut->build->plan;
  const uint32_t most = even_rows(plan, first);
  uint32_t rows = 1, sources;
  double cost;
  while (rows < most && first + rows < plan->rows) {
    const uint32_t row = first + rows;
    const bdag_row_list list = list_of(cut->build, row);
    if (cut->build->activation[row] != cut->build->activation[first]) break;
    /* a block of two levels waits for one and is waited for by the next */
    if (level_of(plan, row) != level_of(plan, first)) break;
    if (list.length > 0 && list.source[list.length - 1] >= first) break;
    uint32_t columns;
    if (find_dense(cut, row, &columns) > 0) break;
    if (union_rows(cut, row, &sources, &cost) > 1) break;
    rows++;
  }
  return rows;
}

static uint32_t cut_block(bdag_cut *cut, uint32_t first) {
  bdag_plan *plan = cut->build->plan;
  const int merges = plan->options.granularity != BDAG_GRANULARITY_VERTEX &&
                     plan->options.amalgamation != BDAG_AMALGAMATE_OFF;
  bdag_block block = {.row = first, .panel = plan->panels, .first_union = plan->unions};
  uint32_t sources = 0;
  double cost;
  if (first + AHEAD / 2 > cut->measured) measure_rows(cut, first + AHEAD);
  if (merges) block.rows = cut_dense(cut, first);
  if (merges && block.rows == 0) {
    block.rows = union_rows(cut, first, &sources, &cost);
    if (block.rows > 1)
      add_union(cut, first, block.rows, sources);
    else
      block.rows = 0;
  }
  block.panels = plan->panels - block.panel;
  block.unions = plan->unions - block.first_union;
  if (block.rows == 0) block.rows = merges ? listed_rows(cut, first) : 1;
  if (cut->failed) return 0;
  count_edges(cut->build, first, block.rows);
  fill_lists(cut, first, block.rows, block.unions > 0);
  add_runs(cut, &block);
  if (grow(cut, &plan->block, &cut->block_capacity, plan->blocks, 1, sizeof *plan->block)) return 0;
  plan->block[plan->blocks++] = block;
  return block.rows;
}

static int allocate_lists(bdag_cut *cut) {
  bdag_build *build = cut->build;
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  cut->stamp = bdag_allocate_zeroed(context, plan->rows, sizeof *cut->stamp);
  cut->count = bdag_allocate_array(context, plan->rows, sizeof *cut->count);
  cut->column = bdag_allocate_array(context, plan->rows, sizeof *cut->column);
  cut->shared = bdag_allocate_array(context, plan->rows, sizeof *cut->shared);
  cut->last_reader = bdag_allocate_array(context, plan->rows, sizeof *cut->last_reader);
  plan->list_offset =
      bdag_allocate_zeroed(context, (uint64_t)plan->rows + 1, sizeof *plan->list_offset);
  plan->list_source = bdag_allocate_array(context, build->edges, sizeof *plan->list_source);
  plan->list_slot = bdag_allocate_array(context, build->edges, sizeof *plan->list_slot);
  build->out_length = bdag_allocate_zeroed(context, plan->rows, sizeof *build->out_length);
  return cut->stamp == NULL || cut->count == NULL || cut->column == NULL || cut->shared == NULL ||
         cut->last_reader == NULL || plan->list_offset == NULL || plan->list_source == NULL ||
         plan->list_slot == NULL || build->out_length == NULL;
}

bdag_status bdag_build_blocks(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  bdag_cut cut = {.build = build};
  cut.failed = allocate_lists(&cut);
  if (!cut.failed) memset(cut.last_reader, 0xff, plan->rows * sizeof *cut.last_reader);
  cut.measured = plan->first_neuron;
  plan->bias_slot = PANEL_STEP;
  plan->slot_count = PANEL_STEP + (plan->rows - plan->first_neuron + PANEL_STEP - 1) / PANEL_STEP *
                                      (uint64_t)PANEL_STEP;
  plan->panel_slot = plan->slot_count;
  for (uint32_t row = plan->first_neuron; row < plan->rows && !cut.failed;)
    row += cut_block(&cut, row);
  plan->edge_base = plan->slot_count++;
  bdag_free(build->context, build->row_first);
  bdag_free(build->context, build->row_of_level);
  build->row_first = build->row_of_level = NULL;
  if (build->edges > BDAG_LARGE_EDGES) {
    bdag_free(build->context, build->in);
    build->in = NULL;
  }
  bdag_free(build->context, cut.stamp);
  bdag_free(build->context, cut.count);
  bdag_free(build->context, cut.column);
  bdag_free(build->context, cut.shared);
  bdag_free(build->context, cut.last_reader);
  return cut.failed || build->failed ? bdag_fail_memory(error) : BDAG_OK;
}
