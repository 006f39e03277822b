/* Rows and panels: supernode detection. Level by level, targets with the same source list (and the same
 * activation) are put next to each other and become one dense panel. The lists come out sorted without
 * sorting: rows are given out in ascending order and each row is appended to the lists of its
 * successors. May include base and network. */
#include <stdlib.h>
#include <string.h>

#include "network/activation.h"
#include "plan/build.h"

/* A panel's weights should stay in L1/L2 while its rows stream by, and a wide dense layer must leave
 * enough panels for all threads. */
#define PANEL_EDGES        32768u
#define PANEL_TARGETS_STEP 12u

typedef struct bdag_candidate {
  uint64_t hash;
  uint32_t first, vertex;
} bdag_candidate;

static int compare_candidates(const void *left, const void *right) {
  const bdag_candidate *a = left, *b = right;
  if (a->first != b->first) return a->first < b->first ? -1 : 1;
  if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
  return a->vertex < b->vertex ? -1 : a->vertex > b->vertex;
}

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

static bdag_candidate candidate(const bdag_build *build, uint32_t v) {
  const bdag_network *network = build->network;
  const uint32_t *list = build->in_source + build->in_offset[v];
  uint64_t bits, hash = mix(network->activation[v], build->reaches[v]);
  memcpy(&bits, &network->activation_parameter[v], sizeof bits);
  hash = mix(hash, bits);
  for (uint32_t k = 0; k < build->in_degree[v]; k++) hash = mix(hash, list[k]);
  return (bdag_candidate){hash, build->in_degree[v] > 0 ? list[0] : 0, v};
}

static int same_panel(const bdag_build *build, uint32_t a, uint32_t b) {
  const bdag_network *network = build->network;
  return build->in_degree[a] == build->in_degree[b] && build->reaches[a] == build->reaches[b] &&
         network->activation[a] == network->activation[b] &&
         memcmp(&network->activation_parameter[a], &network->activation_parameter[b],
                sizeof(double)) == 0 &&
         memcmp(build->in_source + build->in_offset[a], build->in_source + build->in_offset[b],
                build->in_degree[a] * sizeof *build->in_source) == 0;
}

static uint32_t target_limit(const bdag_plan_options *options, uint32_t sources) {
  if (options->granularity == BDAG_GRANULARITY_VERTEX ||
      options->amalgamation == BDAG_AMALGAMATE_OFF)
    return 1;
  const uint32_t limit = PANEL_EDGES / (sources > 0 ? sources : 1);
  if (limit < PANEL_TARGETS_STEP) return PANEL_TARGETS_STEP;
  return limit > 1024 ? 1024 : limit - limit % PANEL_TARGETS_STEP;
}

static void give_row(bdag_build *build, uint32_t v) {
  bdag_plan *plan = build->plan;
  const uint32_t row = plan->rows++;
  plan->row_of_vertex[v] = row;
  plan->vertex_of_row[row] = v;
  plan->reaches[row] = build->reaches[v];
  plan->in_loss[row] = build->in_loss[v];
}

/* Appends the row to the source lists of its successors. */
static void announce_row(bdag_build *build, uint32_t row, uint32_t *filled) {
  const uint32_t u = build->plan->vertex_of_row[row];
  for (uint64_t i = build->out_offset[u]; i < build->out_offset[u + 1]; i++) {
    const uint64_t e = build->out_edge[i];
    const uint32_t v = build->network->target[e];
    const uint64_t at = build->in_offset[v] + filled[v]++;
    build->in_source[at] = row;
    build->in_edge[at] = e;
  }
}

/* One panel from `targets` candidates with equal lists. */
static void add_panel(bdag_build *build, const bdag_candidate *candidates, uint32_t targets) {
  bdag_plan *plan = build->plan;
  const bdag_network *network = build->network;
  const uint32_t v0 = candidates[0].vertex, sources = build->in_degree[v0];
  bdag_panel *panel = &plan->panel[plan->panels++];
  *panel = (bdag_panel){.row = plan->rows,
                        .targets = targets,
                        .sources = sources,
                        .activation = network->activation[v0],
                        .activation_parameter = network->activation_parameter[v0],
                        .list = plan->sources,
                        .slot = plan->slot_count,
                        .in_row = BDAG_NO_ROW,
                        .reaches = build->reaches[v0],
                        .first = 1,
                        .last = 1};
  memcpy(plan->source + panel->list, build->in_source + build->in_offset[v0],
         sources * sizeof *plan->source);
  plan->sources += sources;
  plan->slot_count += (uint64_t)sources * targets;
  if (targets > plan->max_targets) plan->max_targets = targets;
  const int keeps_in =
      panel->reaches && !plan->options.inference &&
      bdag_activation_derivative_source(panel->activation) == BDAG_DERIVATIVE_FROM_IN;
  if (keeps_in) panel->in_row = plan->in_rows;
  for (uint32_t r = 0; r < targets; r++) {
    const uint32_t v = candidates[r].vertex;
    plan->in_row[plan->rows] = keeps_in ? plan->in_rows++ : BDAG_NO_ROW;
    give_row(build, v);
    for (uint32_t k = 0; k < sources; k++)
      build->slot_of_edge[build->in_edge[build->in_offset[v] + k]] =
          panel->slot + (uint64_t)k * targets + r;
  }
}

static void panels_of_level(bdag_build *build, bdag_candidate *candidates, uint32_t count) {
  qsort(candidates, count, sizeof *candidates, compare_candidates);
  for (uint32_t begin = 0; begin < count;) {
    const uint32_t v0 = candidates[begin].vertex;
    const uint32_t limit = target_limit(&build->plan->options, build->in_degree[v0]);
    uint32_t end = begin + 1;
    while (end < count && end - begin < limit && same_panel(build, v0, candidates[end].vertex))
      end++;
    add_panel(build, candidates + begin, end - begin);
    begin = end;
  }
}

/* Vertices by level: offset[level] … in `sorted`. */
static uint32_t *sort_by_level(const bdag_build *build, uint64_t *offset, uint32_t levels) {
  const bdag_plan *plan = build->plan;
  uint32_t *sorted = bdag_allocate_array(build->context, build->active_count, sizeof *sorted);
  if (sorted == NULL) return NULL;
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->active[v]) offset[plan->level[v] + 1]++;
  for (uint32_t l = 0; l < levels; l++) offset[l + 1] += offset[l];
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->active[v]) sorted[offset[plan->level[v]]++] = v;
  memmove(offset + 1, offset, levels * sizeof *offset);
  offset[0] = 0;
  return sorted;
}

static bdag_status allocate_rows(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint32_t rows = build->active_count;
  plan->vertex_of_row = bdag_allocate_array(context, rows, sizeof *plan->vertex_of_row);
  plan->reaches = bdag_allocate_array(context, rows, 1);
  plan->in_loss = bdag_allocate_array(context, rows, 1);
  plan->has_bias = bdag_allocate_zeroed(context, rows, 1);
  plan->in_row = bdag_allocate_array(context, rows, sizeof *plan->in_row);
  plan->panel = bdag_allocate_array(context, rows, sizeof *plan->panel);
  plan->source = bdag_allocate_array(context, build->edges, sizeof *plan->source);
  const int failed = plan->vertex_of_row == NULL || plan->reaches == NULL ||
                     plan->in_loss == NULL || plan->has_bias == NULL || plan->in_row == NULL ||
                     plan->panel == NULL || plan->source == NULL;
  return failed ? BDAG_ERROR_OUT_OF_MEMORY : BDAG_OK;
}

static void rows_of_inputs_and_constants(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_network *network = build->network;
  for (uint64_t i = 0; i < network->input_count; i++)
    if (build->active[network->input[i]]) give_row(build, network->input[i]);
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->active[v] && network->vertex_kind[v] == BDAG_VERTEX_CONSTANT) give_row(build, v);
  plan->first_neuron = plan->rows;
  for (uint32_t row = 0; row < plan->rows; row++) plan->in_row[row] = BDAG_NO_ROW;
}

bdag_status bdag_build_panels(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint32_t levels = plan->depth + 1;
  uint64_t *offset = bdag_allocate_zeroed(context, (uint64_t)levels + 1, sizeof *offset);
  uint32_t *filled = bdag_allocate_zeroed(context, build->vertices, sizeof *filled);
  bdag_candidate *candidates =
      bdag_allocate_array(context, build->active_count, sizeof *candidates);
  uint32_t *sorted = offset != NULL ? sort_by_level(build, offset, levels) : NULL;
  bdag_status status = allocate_rows(build);
  if (offset == NULL || filled == NULL || candidates == NULL || sorted == NULL)
    status = BDAG_ERROR_OUT_OF_MEMORY;
  if (status != BDAG_OK) {
    bdag_fail_memory(error);
    goto done;
  }
  rows_of_inputs_and_constants(build);
  for (uint32_t row = 0; row < plan->rows; row++) announce_row(build, row, filled);
  const uint64_t neurons = build->active_count - plan->first_neuron;
  plan->slot_count = (neurons + 15) / 16 * 16;
  for (uint32_t l = 0; l < levels; l++) {
    uint32_t count = 0;
    for (uint64_t i = offset[l]; i < offset[l + 1]; i++)
      if (build->network->vertex_kind[sorted[i]] == BDAG_VERTEX_NEURON)
        candidates[count++] = candidate(build, sorted[i]);
    if (offset[l + 1] - offset[l] > plan->width) plan->width = offset[l + 1] - offset[l];
    const uint32_t first_row = plan->rows;
    panels_of_level(build, candidates, count);
    for (uint32_t row = first_row; row < plan->rows; row++) announce_row(build, row, filled);
  }
done:
  bdag_free(context, offset);
  bdag_free(context, filled);
  bdag_free(context, candidates);
  bdag_free(context, sorted);
  return status;
}
