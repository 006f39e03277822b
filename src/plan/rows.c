/* Rows: inputs and constants, then neurons level by level; within a level targets with similar source
 * lists come next to each other. Which these are is found in all levels at once, by vertices; then a level's
 * chains are put in the order of the rows that they read. May include base and network. */
#include <string.h>

#include "network/activation.h"
#include "plan/build.h"

#define ROWS_A_SHARE 4096u
#define LISTS_AHEAD  8u

typedef struct bdag_leveller {
  bdag_build *build;
  uint64_t *offset;        /* [levels + 2] of a level in `sorted` */
  uint32_t *sorted;        /* neurons by level */
  uint32_t *space;         /* as long */
  uint8_t *marks;          /* as long, of chains */
  bdag_similar_work *work; /* [team] */
  _Atomic int failed;
} bdag_leveller;

static bdag_lists lists_of(const bdag_build *build) {
  return (bdag_lists){build->in_offset, build->in_degree, build->in, build->step};
}

/* ---- Levels -------------------------------------------------------------------------------------- */

static int comes_before(const bdag_build *build, uint32_t a, uint32_t b) {
  const bdag_network *network = build->network;
  if (build->reaches[a] != build->reaches[b]) return build->reaches[a] > build->reaches[b];
  if (network->activation[a] != network->activation[b])
    return network->activation[a] < network->activation[b];
  if (network->activation_parameter[a] != network->activation_parameter[b])
    return network->activation_parameter[a] < network->activation_parameter[b];
  return a < b;
}

/* Merge sort of `count` vertices, so that those with equal lists end up by activation. */
static void sort_level(const bdag_build *build, uint32_t *vertices, uint32_t *space,
                       uint32_t count) {
  uint32_t sorted = 1;
  while (sorted < count && comes_before(build, vertices[sorted - 1], vertices[sorted])) sorted++;
  if (sorted >= count) return;
  for (uint32_t width = 1; width < count; width *= 2) {
    for (uint32_t begin = 0; begin < count; begin += 2 * width) {
      uint32_t a = begin, b = begin + width < count ? begin + width : count;
      const uint32_t middle = b, end = b + width < count ? b + width : count;
      for (uint32_t i = begin; i < end; i++)
        space[i] = b >= end || (a < middle && !comes_before(build, vertices[b], vertices[a]))
                       ? vertices[a++]
                       : vertices[b++];
    }
    memcpy(vertices, space, count * sizeof *vertices);
  }
}

/* Vertices by level, neurons only: offset[level] … in `sorted`. */
static void sort_by_level(const bdag_build *build, uint64_t *offset, uint32_t levels,
                          uint32_t *sorted) {
  const bdag_plan *plan = build->plan;
  for (int fill = 0; fill < 2; fill++) {
    for (uint32_t v = 0; v < build->vertices; v++) {
      if (!build->active[v] || build->network->vertex_kind[v] != BDAG_VERTEX_NEURON) continue;
      if (fill)
        sorted[offset[plan->level[v] + 1]++] = v;
      else
        offset[plan->level[v] + 2]++;
    }
    for (uint32_t l = 0; !fill && l <= levels; l++) offset[l + 1] += offset[l];
  }
}

static void chain_level(void *argument, uint32_t thread, uint64_t l) {
  bdag_leveller *leveller = argument;
  const bdag_build *build = leveller->build;
  const uint64_t first = leveller->offset[l];
  const uint32_t count = (uint32_t)(leveller->offset[l + 1] - first);
  uint32_t *level = leveller->sorted + first;
  sort_level(build, level, leveller->space + first, count);
  if (build->plan->options.amalgamation == BDAG_AMALGAMATE_OFF) return;
  const bdag_lists lists = lists_of(build);
  if (bdag_find_chains(&leveller->work[thread], &lists, level, count, leveller->marks + first))
    atomic_store_explicit(&leveller->failed, 1, memory_order_relaxed);
}

/* ---- Rows ---------------------------------------------------------------------------------------- */

static inline void give_row(bdag_build *build, uint32_t v) {
  bdag_plan *plan = build->plan;
  const uint32_t row = plan->rows++;
  plan->row_of_vertex[v] = row;
  plan->vertex_of_row[row] = v;
  build->row_first[row + 1] = build->row_first[row] + build->in_degree[v];
}

static void rows_of_inputs_and_constants(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_network *network = build->network;
  build->row_first[0] = 0;
  for (uint64_t i = 0; i < network->input_count; i++)
    if (build->active[network->input[i]]) give_row(build, network->input[i]);
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->active[v] && network->vertex_kind[v] == BDAG_VERTEX_CONSTANT) give_row(build, v);
  plan->first_neuron = plan->rows;
}

/* The lowest row that a vertex reads, 0 if it reads none. */
static uint32_t lowest_source(const bdag_build *build, uint32_t v) {
  const uint32_t *row_of_vertex = build->plan->row_of_vertex;
  const uint64_t first = build->in_offset[v];
  uint32_t lowest = build->in_degree[v] > 0 ? UINT32_MAX : 0;
  for (uint32_t k = 0; k < build->in_degree[v]; k++) {
    const uint32_t row = row_of_vertex[bdag_source_at(build, first + k)];
    lowest = row < lowest ? row : lowest;
  }
  return lowest;
}

/* Of the first and the last vertex of each chain. */
static void find_lowest(const bdag_build *build, const uint32_t *level, const uint8_t *marks,
                        uint32_t count, uint32_t *lowest) {
  for (uint32_t i = 0; i < count; i++) {
    if (i + LISTS_AHEAD < count)
      __builtin_prefetch(
          &build->in[(uint64_t)build->in_offset[level[i + LISTS_AHEAD]] * build->step]);
    if ((marks[i] & BDAG_CHAIN_BEGINS) || i + 1 == count || (marks[i + 1] & BDAG_CHAIN_BEGINS))
      lowest[i] = lowest_source(build, level[i]);
  }
}

static int rows_of_levels(bdag_leveller *leveller) {
  bdag_build *build = leveller->build;
  bdag_plan *plan = build->plan;
  for (uint32_t l = 0; l <= plan->depth; l++) {
    const uint64_t first = leveller->offset[l];
    uint32_t *level = leveller->sorted + first, *space = leveller->space;
    uint8_t *marks = leveller->marks + first;
    const uint32_t count = (uint32_t)(leveller->offset[l + 1] - first);
    build->row_of_level[l] = plan->rows;
    if (count > plan->width) plan->width = count;
    if (plan->options.amalgamation != BDAG_AMALGAMATE_OFF) {
      find_lowest(build, level, marks, count, space);
      if (bdag_sort_chains(&leveller->work[0], level, count, marks, space)) return -1;
      bdag_stagger(build, level, marks, space, count);
    }
    for (uint32_t i = 0; i < count; i++) give_row(build, level[i]);
  }
  return 0;
}

/* What is known of the vertices of some rows. */
static void describe_rows(void *argument, uint32_t thread, uint64_t share) {
  bdag_build *build = argument;
  bdag_plan *plan = build->plan;
  const bdag_network *network = build->network;
  const uint64_t end = (share + 1) * ROWS_A_SHARE;
  for (uint64_t row = share * ROWS_A_SHARE; row < end && row < plan->rows; row++) {
    const uint32_t v = plan->vertex_of_row[row];
    const int neuron = network->vertex_kind[v] == BDAG_VERTEX_NEURON;
    plan->reaches[row] = build->reaches[v];
    plan->in_loss[row] = build->in_loss[v];
    plan->iota[row] = (uint32_t)row;
    build->activation[row] = neuron ? network->activation[v] : BDAG_IDENTITY;
    build->activation_parameter[row] = neuron ? network->activation_parameter[v] : 0;
  }
}

static void number_in_rows(bdag_build *build) {
  bdag_plan *plan = build->plan;
  for (uint32_t row = 0; row < plan->rows; row++) {
    const int needed =
        row >= plan->first_neuron && plan->reaches[row] &&
        bdag_activation_derivative_source(build->activation[row]) == BDAG_DERIVATIVE_FROM_IN;
    plan->in_row[row] = needed ? plan->in_rows++ : BDAG_NO_ROW;
  }
}

/* ---- All ----------------------------------------------------------------------------------------- */

static int allocate_rows(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint32_t rows = build->active_count;
  plan->vertex_of_row = bdag_allocate_array(context, rows, sizeof *plan->vertex_of_row);
  plan->reaches = bdag_allocate_array(context, rows, 1);
  plan->in_loss = bdag_allocate_array(context, rows, 1);
  plan->has_bias = bdag_allocate_zeroed(context, rows, 1);
  plan->in_row = bdag_allocate_array(context, rows, sizeof *plan->in_row);
  build->activation = bdag_allocate_array(context, rows, sizeof *build->activation);
  build->activation_parameter =
      bdag_allocate_array(context, rows, sizeof *build->activation_parameter);
  plan->iota = bdag_allocate_array(context, rows, sizeof *plan->iota);
  return plan->vertex_of_row == NULL || plan->reaches == NULL || plan->in_loss == NULL ||
         plan->has_bias == NULL || plan->in_row == NULL || build->activation == NULL ||
         build->activation_parameter == NULL || plan->iota == NULL;
}

/* In place of what only enumerating needed. */
static int allocate_levels(bdag_leveller *leveller) {
  bdag_build *build = leveller->build;
  const bdag_context *context = build->context;
  bdag_free(context, build->out_degree);
  bdag_free(context, build->order);
  build->out_degree = build->order = NULL;
  const uint32_t levels = build->plan->depth + 1;
  leveller->offset = bdag_allocate_zeroed(context, (uint64_t)levels + 2, sizeof *leveller->offset);
  leveller->sorted = bdag_allocate_array(context, build->active_count, sizeof *leveller->sorted);
  leveller->space = bdag_allocate_array(context, build->active_count, sizeof *leveller->space);
  leveller->marks = bdag_allocate_array(context, build->active_count, sizeof *leveller->marks);
  leveller->work = bdag_allocate_array(context, build->team, sizeof *leveller->work);
  for (uint32_t i = 0; i < build->team && leveller->work != NULL; i++)
    bdag_similar_create(&leveller->work[i], context, build->vertices);
  build->row_of_level = bdag_allocate_array(context, levels, sizeof *build->row_of_level);
  build->row_first =
      bdag_allocate_array(context, (uint64_t)build->active_count + 1, sizeof *build->row_first);
  return leveller->offset == NULL || leveller->sorted == NULL || leveller->space == NULL ||
         leveller->marks == NULL || leveller->work == NULL || build->row_of_level == NULL ||
         build->row_first == NULL;
}

static void free_levels(bdag_leveller *leveller) {
  const bdag_context *context = leveller->build->context;
  for (uint32_t i = 0; i < leveller->build->team && leveller->work != NULL; i++)
    bdag_similar_destroy(&leveller->work[i]);
  bdag_free(context, leveller->work);
  bdag_free(context, leveller->offset);
  bdag_free(context, leveller->sorted);
  bdag_free(context, leveller->space);
  bdag_free(context, leveller->marks);
}

/* Half edges by target row, where there were only sources by target. */
static void place_by_row(bdag_build *build) {
  const bdag_plan *plan = build->plan;
  for (uint32_t row = 0; row < plan->rows; row++)
    build->in_offset[plan->vertex_of_row[row]] = build->row_first[row];
  build->step = 2;
  bdag_place_edges(build);
  build->by_row = 1;
  bdag_free(build->context, build->in_offset);
  build->in_offset = NULL;
}

bdag_status bdag_build_rows(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  bdag_leveller leveller = {.build = build};
  int failed = allocate_rows(build) || allocate_levels(&leveller);
  if (!failed) {
    sort_by_level(build, leveller.offset, plan->depth + 1, leveller.sorted);
    bdag_share_work(build, (uint64_t)plan->depth + 1, chain_level, &leveller);
    rows_of_inputs_and_constants(build);
    plan->width = plan->first_neuron;
    failed = leveller.failed || rows_of_levels(&leveller);
  }
  if (!failed) {
    bdag_share_work(build, (plan->rows + UINT64_C(1) * ROWS_A_SHARE - 1) / ROWS_A_SHARE,
                    describe_rows, build);
    number_in_rows(build);
    if (build->step == 1) place_by_row(build);
  }
  free_levels(&leveller);
  return failed ? bdag_fail_memory(error) : BDAG_OK;
}
