/* Rows: inputs and constants, then neurons level by level; within a level targets with similar source
 * lists come next to each other. When a level's turn comes all of its sources have rows, and its lists
 * are sorted by them. May include base and network. */
#include <string.h>

#include "network/activation.h"
#include "plan/build.h"

/* Up to there insertion is faster than counting. */
#define SHORT_LIST 20u
#define MOST_BITS  11u

static void give_row(bdag_build *build, uint32_t v) {
  bdag_plan *plan = build->plan;
  const uint32_t row = plan->rows++;
  plan->row_of_vertex[v] = row;
  plan->vertex_of_row[row] = v;
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

/* ---- Source lists -------------------------------------------------------------------------------- */

static void insert_each(bdag_half_edge *list, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    const bdag_half_edge edge = list[i];
    uint32_t j = i;
    for (; j > 0 && list[j - 1].vertex > edge.vertex; j--) list[j] = list[j - 1];
    list[j] = edge;
  }
}

/* Stable, by digits of about as many values as there are edges. Sources lie between `least` and
 * `most`. */
static void sort_by_digits(bdag_half_edge *list, bdag_half_edge *space, uint32_t count,
                           uint32_t least, uint32_t most) {
  uint32_t bits = 32 - (uint32_t)__builtin_clz(count), begin[1 << MOST_BITS];
  if (bits > MOST_BITS) bits = MOST_BITS;
  const uint32_t digits = 1u << bits;
  bdag_half_edge *from = list, *to = space;
  for (uint32_t shift = 0; shift < 32 && (most - least) >> shift != 0; shift += bits) {
    memset(begin, 0, digits * sizeof *begin);
    for (uint32_t i = 0; i < count; i++) begin[((from[i].vertex - least) >> shift) % digits]++;
    uint32_t at = 0;
    for (uint32_t d = 0; d < digits; d++) {
      const uint32_t here = begin[d];
      begin[d] = at;
      at += here;
    }
    for (uint32_t i = 0; i < count; i++)
      to[begin[((from[i].vertex - least) >> shift) % digits]++] = from[i];
    bdag_half_edge *swapped = from;
    from = to;
    to = swapped;
  }
  if (from != list) memcpy(list, from, count * sizeof *list);
}

/* Source vertices become source rows, ascending; parallel edges stay in the order of their ids. */
static void set_sources(bdag_build *build, uint32_t v, bdag_half_edge *space) {
  const uint32_t *row_of_vertex = build->plan->row_of_vertex;
  bdag_half_edge *list = build->in + build->in_offset[v];
  const uint32_t count = build->in_degree[v];
  uint32_t least = UINT32_MAX, most = 0, before = 0;
  int sorted = 1;
  for (uint32_t k = 0; k < count; k++) {
    const uint32_t row = row_of_vertex[list[k].vertex];
    list[k].vertex = row;
    sorted &= row >= before;
    before = row;
    least = row < least ? row : least;
    most = row > most ? row : most;
  }
  if (sorted) return;
  if (count <= SHORT_LIST)
    insert_each(list, count);
  else
    sort_by_digits(list, space, count, least, most);
}

/* ---- Levels -------------------------------------------------------------------------------------- */

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
                          uint32_t *space, bdag_half_edge *list_space) {
  bdag_plan *plan = build->plan;
  const bdag_lists lists = {build->in_offset, build->in_degree, &build->in[0].vertex, 2};
  bdag_similar_work work;
  int failed = bdag_similar_create(&work, build->context, build->active_count, build->active_count);
  for (uint32_t l = 0; l <= plan->depth && !failed; l++) {
    uint32_t *level = sorted + offset[l];
    const uint32_t count = (uint32_t)(offset[l + 1] - offset[l]);
    if (count > plan->width) plan->width = count;
    sort_level(build, level, space, count);
    for (uint32_t i = 0; i < count; i++) {
      if (i + 1 < count) bdag_prefetch_in_edges(build, level[i + 1]);
      set_sources(build, level[i], list_space);
    }
    if (plan->options.amalgamation != BDAG_AMALGAMATE_OFF)
      failed = bdag_order_similar(&work, &lists, level, count);
    for (uint32_t i = 0; i < count; i++) give_row(build, level[i]);
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
  uint32_t most = 0;
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->in_degree[v] > most) most = build->in_degree[v];
  bdag_half_edge *list_space = bdag_allocate_array(context, most, sizeof *list_space);
  int failed = allocate_rows(build) || offset == NULL || sorted == NULL || space == NULL ||
               list_space == NULL;
  if (!failed) {
    sort_by_level(build, offset, levels, sorted);
    rows_of_inputs_and_constants(build);
    plan->width = plan->first_neuron;
    failed = rows_of_levels(build, offset, sorted, space, list_space);
    for (uint32_t row = 0; row < plan->rows; row++) plan->iota[row] = row;
  }
  bdag_free(context, offset);
  bdag_free(context, sorted);
  bdag_free(context, space);
  bdag_free(context, list_space);
  return failed ? bdag_fail_memory(error) : BDAG_OK;
}
