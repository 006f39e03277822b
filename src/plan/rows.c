/* Rows: inputs and constants, then neurons level by level; within a level targets with similar source
 * lists come next to each other. The lists come out sorted without sorting: rows are given out in
 * ascending order and each is appended to the lists of its successors. May include base and network. */
#include <string.h>

#include "network/activation.h"
#include "plan/build.h"

static void give_row(bdag_build *build, uint32_t v) {
  bdag_plan *plan = build->plan;
  const uint32_t row = plan->rows++;
  plan->row_of_vertex[v] = row;
  plan->vertex_of_row[row] = v;
  uint64_t at = build->list_offset[row];
  for (uint64_t i = build->in_offset[v]; i < build->in_offset[v + 1]; i++, at++) {
    build->source[at] = build->in[i].vertex;
    build->edge[at] = build->in[i].edge;
    build->slot[at] = BDAG_NONE;
  }
  build->list_offset[row + 1] = at;
  plan->reaches[row] = build->reaches[v];
  plan->in_loss[row] = build->in_loss[v];
  plan->in_row[row] = BDAG_NO_ROW;
  const int neuron = build->network->vertex_kind[v] == BDAG_VERTEX_NEURON;
  plan->activation[row] = neuron ? build->network->activation[v] : BDAG_IDENTITY;
  plan->activation_parameter[row] = neuron ? build->network->activation_parameter[v] : 0;
  if (neuron && build->reaches[v] &&
      bdag_activation_derivative_source(plan->activation[row]) == BDAG_DERIVATIVE_FROM_IN)
    plan->in_row[row] = plan->in_rows++;
}

/* Appends the row to the source lists of its successors. */
static void announce_row(bdag_build *build, uint32_t row, uint32_t *filled) {
  const uint32_t u = build->plan->vertex_of_row[row];
  for (uint64_t i = build->out_offset[u]; i < build->out_offset[u + 1]; i++) {
    const uint32_t v = build->out[i].vertex;
    __builtin_prefetch(&build->in[build->in_offset[v] + filled[v]], 1);
  }
  for (uint64_t i = build->out_offset[u]; i < build->out_offset[u + 1]; i++) {
    const uint32_t v = build->out[i].vertex, place = filled[v]++;
    build->in[build->in_offset[v] + place] = (bdag_half_edge){row, build->out[i].edge};
    build->out[i].edge = place;
  }
}

static int comes_before(const bdag_network *network, const bdag_build *build, uint32_t a,
                        uint32_t b) {
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
  const bdag_network *network = build->network;
  for (uint32_t width = 1; width < count; width *= 2) {
    for (uint32_t begin = 0; begin < count; begin += 2 * width) {
      uint32_t a = begin, b = begin + width < count ? begin + width : count;
      const uint32_t middle = b, end = b + width < count ? b + width : count;
      for (uint32_t i = begin; i < end; i++)
        space[i] =
            b >= end || (a < middle && !comes_before(network, build, vertices[b], vertices[a]))
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

static void rows_of_inputs_and_constants(bdag_build *build) {
  build->list_offset[0] = 0;
  bdag_plan *plan = build->plan;
  const bdag_network *network = build->network;
  for (uint64_t i = 0; i < network->input_count; i++)
    if (build->active[network->input[i]]) give_row(build, network->input[i]);
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->active[v] && network->vertex_kind[v] == BDAG_VERTEX_CONSTANT) give_row(build, v);
  plan->first_neuron = plan->rows;
}

static int allocate_rows(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint32_t rows = build->active_count;
  plan->vertex_of_row = bdag_allocate_array(context, rows, sizeof *plan->vertex_of_row);
  plan->reaches = bdag_allocate_array(context, rows, 1);
  plan->in_loss = bdag_allocate_array(context, rows, 1);
  plan->has_bias = bdag_allocate_zeroed(context, rows, 1);
  plan->in_row = bdag_allocate_array(context, rows, sizeof *plan->in_row);
  plan->activation = bdag_allocate_array(context, rows, sizeof *plan->activation);
  plan->activation_parameter =
      bdag_allocate_array(context, rows, sizeof *plan->activation_parameter);
  plan->iota = bdag_allocate_array(context, rows, sizeof *plan->iota);
  return plan->vertex_of_row == NULL || plan->reaches == NULL || plan->in_loss == NULL ||
         plan->has_bias == NULL || plan->in_row == NULL || plan->activation == NULL ||
         plan->activation_parameter == NULL || plan->iota == NULL;
}

static int rows_of_levels(bdag_build *build, const uint64_t *offset, uint32_t *sorted,
                          uint32_t *space, uint32_t *filled) {
  bdag_plan *plan = build->plan;
  const bdag_lists lists = {build->in_offset, build->in_degree, &build->in[0].vertex, 2};
  bdag_similar_work work;
  int failed = bdag_similar_create(&work, build->context, build->active_count, build->active_count);
  for (uint32_t row = 0; row < plan->rows; row++) announce_row(build, row, filled);
  for (uint32_t l = 0; l <= plan->depth && !failed; l++) {
    uint32_t *level = sorted + offset[l];
    const uint32_t count = (uint32_t)(offset[l + 1] - offset[l]), first = plan->rows;
    if (count > plan->width) plan->width = count;
    sort_level(build, level, space, count);
    if (plan->options.amalgamation != BDAG_AMALGAMATE_OFF)
      failed = bdag_order_similar(&work, &lists, level, count);
    for (uint32_t i = 0; i < count; i++) give_row(build, level[i]);
    for (uint32_t row = first; row < plan->rows; row++) announce_row(build, row, filled);
  }
  bdag_similar_destroy(&work);
  return failed;
}

bdag_status bdag_build_rows(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint32_t levels = plan->depth + 1;
  uint64_t *offset = bdag_allocate_zeroed(context, (uint64_t)levels + 2, sizeof *offset);
  uint32_t *sorted = bdag_allocate_array(context, build->active_count, sizeof *sorted);
  uint32_t *space = bdag_allocate_array(context, build->active_count, sizeof *space);
  uint32_t *filled = bdag_allocate_zeroed(context, build->vertices, sizeof *filled);
  int failed =
      allocate_rows(build) || offset == NULL || sorted == NULL || space == NULL || filled == NULL;
  if (!failed) {
    sort_by_level(build, offset, levels, sorted);
    rows_of_inputs_and_constants(build);
    plan->width = plan->first_neuron;
    failed = rows_of_levels(build, offset, sorted, space, filled);
    for (uint32_t row = 0; row < plan->rows; row++) plan->iota[row] = row;
  }
  bdag_free(context, offset);
  bdag_free(context, sorted);
  bdag_free(context, space);
  bdag_free(context, filled);
  return failed ? bdag_fail_memory(error) : BDAG_OK;
}
