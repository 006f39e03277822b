/* The enumeration of the augmented network: v_0 = Loss, then v_1, v_2, … each a sink once those before
 * it are removed (Kahn's algorithm from the Loss vertex on, along the reversed edges). From it follow
 * which vertices reach Loss, and the levels. Linear in V + E. May include base and network. */
#include <stdio.h>
#include <string.h>

#include "plan/build.h"

#define LISTS_AHEAD    12u
#define VERTICES_AHEAD 32u
#define LINES_AHEAD    4u

/* Lists of vertices that are visited one after the other are far apart in memory. */
BDAG_PREFETCHING prefetch_sources(const bdag_build *build, uint32_t v) {
  const uint32_t line = 64 / (uint32_t)sizeof *build->in;
  const uint32_t *list = build->in + (uint64_t)build->in_offset[v] * build->step;
  for (uint32_t at = 0; at < LINES_AHEAD * line && at < build->in_degree[v] * build->step;
       at += line)
    __builtin_prefetch(&list[at]);
}

BDAG_PREFETCHING prefetch_vertex(const bdag_build *build, uint32_t v) {
  __builtin_prefetch(&build->in_offset[v]);
  __builtin_prefetch(&build->in_degree[v]);
  __builtin_prefetch(&build->in_loss[v]);
  __builtin_prefetch(&build->reaches[v]);
}

/* `waiting`: successors that are not yet enumerated; Loss counts as one of every vertex in N_loss and is
 * the first to go. A vertex reaches Loss if it is in N_loss or one of its successors does. */
static uint32_t enumerate_sinks(bdag_build *build, uint32_t *waiting, uint32_t *order) {
  const uint32_t step = build->step;
  uint32_t known = 0;
  for (uint32_t v = 0; v < build->vertices; v++)
    if (build->active[v] && waiting[v] == 0) order[known++] = v;
  for (uint32_t n = 0; n < known; n++) {
    const uint32_t v = order[n];
    if (build->in_loss[v]) build->reaches[v] = 1;
    const uint8_t reaches = build->reaches[v];
    if (n + VERTICES_AHEAD < known) prefetch_vertex(build, order[n + VERTICES_AHEAD]);
    if (n + LISTS_AHEAD < known) prefetch_sources(build, order[n + LISTS_AHEAD]);
    const uint32_t *list = build->in + (uint64_t)build->in_offset[v] * step;
    for (uint32_t i = 0; i < build->in_degree[v]; i++) {
      const uint32_t u = list[(uint64_t)i * step];
      build->reaches[u] |= reaches;
      if (--waiting[u] == 0) order[known++] = u;
    }
  }
  return known;
}

/* Every vertex left over has a successor among those left over, so following them must come back. */
static bdag_status fail_cycle(const bdag_build *build, const uint32_t *waiting, bdag_error *error) {
  const bdag_network *network = build->network;
  uint32_t *next = bdag_allocate_array(build->context, build->vertices, sizeof *next);
  if (next == NULL) return bdag_fail_memory(error);
  uint32_t v = 0;
  for (uint64_t e = 0; e < network->edge_count; e++) {
    const uint32_t from = network->source[e], to = network->target[e];
    if (!bdag_network_edge_active(network, e) || !build->active[from] || !build->active[to])
      continue;
    if (waiting[from] != 0 && waiting[to] != 0) next[v = from] = to;
  }
  for (uint32_t step = 0; step < build->vertices; step++) v = next[v];
  char list[400];
  size_t used = 0;
  uint64_t length = 0;
  const uint32_t start = v;
  do {
    if (used < sizeof list - 24)
      used += (size_t)snprintf(list + used, sizeof list - used, "%u → ", v);
    length++;
    v = next[v];
  } while (v != start);
  bdag_free(build->context, next);
  const int whole = used < sizeof list - 24;
  return bdag_fail(error, BDAG_ERROR_CYCLE,
                   "the edges contain a cycle of %llu vertices: %s%s%u; remove one of its edges",
                   (unsigned long long)length, list, whole ? "" : "… → ", start);
}

static void assign_levels(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const uint32_t step = build->step;
  for (uint32_t n = build->active_count; n-- > 0;) {
    const uint32_t v = build->order[n];
    uint32_t level = 0;
    if (n >= VERTICES_AHEAD) prefetch_vertex(build, build->order[n - VERTICES_AHEAD]);
    if (n >= LISTS_AHEAD) prefetch_sources(build, build->order[n - LISTS_AHEAD]);
    const uint32_t *list = build->in + (uint64_t)build->in_offset[v] * step;
    for (uint32_t i = 0; i < build->in_degree[v]; i++) {
      const uint32_t below = plan->level[list[(uint64_t)i * step]] + 1;
      if (below > level) level = below;
    }
    plan->level[v] = level;
    if (level > plan->depth) plan->depth = level;
  }
}

static bdag_status keep_own(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  uint64_t count = 0;
  for (uint32_t n = 0; n < build->active_count; n++) count += build->reaches[build->order[n]];
  plan->enumeration = bdag_allocate_array(build->context, count, sizeof *plan->enumeration);
  if (plan->enumeration == NULL) return bdag_fail_memory(error);
  for (uint32_t n = 0; n < build->active_count; n++)
    if (build->reaches[build->order[n]])
      plan->enumeration[plan->enumeration_count++] = build->order[n];
  return BDAG_OK;
}

static bdag_status check_positions(const bdag_build *build, uint32_t *position, uint64_t reaching,
                                   bdag_error *error) {
  const bdag_network *network = build->network;
  const bdag_plan_options *options = &build->plan->options;
  memset(position, 0xff, build->vertices * sizeof *position);
  for (uint64_t n = 0; n < options->enumeration_count; n++) {
    const uint32_t v = options->enumeration[n];
    if (v >= build->vertices || !build->active[v])
      return bdag_fail(error, BDAG_ERROR_ENUMERATION,
                       "enumeration[%llu] is %u, which is no vertex of this plan",
                       (unsigned long long)n, v);
    if (position[v] != UINT32_MAX)
      return bdag_fail(error, BDAG_ERROR_ENUMERATION,
                       "enumeration[%llu] repeats vertex %u of enumeration[%u]",
                       (unsigned long long)n, v, position[v]);
    position[v] = (uint32_t)n;
  }
  const int all = options->enumeration_count == build->active_count;
  if (!all && options->enumeration_count != reaching)
    return bdag_fail(
        error, BDAG_ERROR_ENUMERATION,
        "the enumeration has %llu vertices; expected all %u, or the %llu that reach Loss",
        (unsigned long long)options->enumeration_count, build->active_count,
        (unsigned long long)reaching);
  for (uint32_t v = 0; v < build->vertices; v++)
    if (!all && build->active[v] && build->reaches[v] && position[v] == UINT32_MAX)
      return bdag_fail(error, BDAG_ERROR_ENUMERATION,
                       "vertex %u reaches Loss but is missing in the enumeration", v);
  for (uint64_t e = 0; e < network->edge_count; e++) {
    const uint32_t u = network->source[e], v = network->target[e];
    if (!bdag_network_edge_active(network, e) || !build->active[u] || !build->active[v]) continue;
    if (position[u] == UINT32_MAX || position[v] == UINT32_MAX) continue;
    if (position[v] > position[u])
      return bdag_fail(error, BDAG_ERROR_ENUMERATION,
                       "edge %llu (%u → %u) is violated: %u comes before its successor %u",
                       (unsigned long long)e, u, v, u, v);
  }
  return BDAG_OK;
}

static bdag_status keep_given(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  uint64_t reaching = 0;
  for (uint32_t n = 0; n < build->active_count; n++) reaching += build->reaches[build->order[n]];
  uint32_t *position = bdag_allocate_array(build->context, build->vertices, sizeof *position);
  plan->enumeration = bdag_allocate_array(build->context, reaching, sizeof *plan->enumeration);
  bdag_status status = BDAG_ERROR_OUT_OF_MEMORY;
  if (position == NULL || plan->enumeration == NULL)
    bdag_fail_memory(error);
  else
    status = check_positions(build, position, reaching, error);
  for (uint64_t n = 0; status == BDAG_OK && n < plan->options.enumeration_count; n++)
    if (build->reaches[plan->options.enumeration[n]])
      plan->enumeration[plan->enumeration_count++] = plan->options.enumeration[n];
  bdag_free(build->context, position);
  return status;
}

bdag_status bdag_enumerate(bdag_build *build, bdag_error *error) {
  uint32_t *waiting = bdag_allocate_array(build->context, build->vertices, sizeof *waiting);
  if (waiting == NULL) return bdag_fail_memory(error);
  memcpy(waiting, build->out_degree, build->vertices * sizeof *waiting);
  bdag_status status = BDAG_OK;
  if (enumerate_sinks(build, waiting, build->order) != build->active_count)
    status = fail_cycle(build, waiting, error);
  bdag_free(build->context, waiting);
  if (status != BDAG_OK) return status;
  assign_levels(build);
  return build->plan->options.enumeration != NULL ? keep_given(build, error)
                                                  : keep_own(build, error);
}
