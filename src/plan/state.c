/* From parameters to slots: which number of the weights' state belongs to which parameter, edge and
 * bias. Direct while every parameter has one use and no sum is rescaled; then state and slots are one
 * array. May include base and network. */
#include <string.h>

#include "plan/build.h"

static double scale_of(const bdag_build *build, uint32_t v) {
  const bdag_network *network = build->network;
  double scale = network->response[v];
  if (network->aggregation[v] == BDAG_MEAN && build->in_degree[v] > 0)
    scale /= (double)build->in_degree[v];
  return scale;
}

typedef struct bdag_state {
  bdag_build *build;
  uint8_t *flags; /* [network parameters] */
} bdag_state;

typedef void (*visit_use)(bdag_state *state, uint64_t parameter, uint64_t slot, double scale,
                          int is_bias, int reaches);

/* Every use of a parameter, edges in the order of their ids, then biases in the order of rows. */
static void walk_uses(bdag_state *state, visit_use visit) {
  const bdag_build *build = state->build;
  const bdag_network *network = build->network;
  const bdag_plan *plan = build->plan;
  for (uint64_t i = 0; i < network->run_count; i++) {
    const bdag_parameter_run *run = &network->run[i];
    for (uint64_t j = 0; j < run->count; j++) {
      const uint64_t e = run->first_edge + j;
      if (build->slot_of_edge[e] == BDAG_NO_SLOT) continue;
      const uint32_t v = network->target[e];
      visit(state, run->parameters != NULL ? run->parameters[j] : run->first_parameter + j,
            build->slot_of_edge[e], scale_of(build, v), 0, build->reaches[v]);
    }
  }
  for (uint32_t row = plan->first_neuron; row < plan->rows; row++) {
    const uint64_t parameter = network->bias_parameter[plan->vertex_of_row[row]];
    if (parameter != BDAG_NONE)
      visit(state, parameter, plan->bias_slot + row - plan->first_neuron, 1.0, 1,
            plan->reaches[row]);
  }
}

static void note_use(bdag_state *state, uint64_t parameter, uint64_t slot, double scale,
                     int is_bias, int reaches) {
  bdag_plan *plan = state->build->plan;
  if (state->flags[parameter] || scale != 1.0) plan->indirect = 1;
  state->flags[parameter] = 1;
  if (is_bias) plan->has_bias[slot - plan->bias_slot + plan->first_neuron] = 1;
}

/* An edge that takes no part reads as 0, which direct state cannot tell if its parameter is in use. */
static void note_absent_edges(bdag_state *state) {
  bdag_build *build = state->build;
  const bdag_network *network = build->network;
  if (build->edges == network->edge_count) return;
  for (uint64_t i = 0; i < network->run_count && !build->plan->indirect; i++) {
    const bdag_parameter_run *run = &network->run[i];
    for (uint64_t j = 0; j < run->count; j++) {
      const uint64_t p = run->parameters != NULL ? run->parameters[j] : run->first_parameter + j;
      if (build->slot_of_edge[run->first_edge + j] == BDAG_NO_SLOT && state->flags[p])
        build->plan->indirect = 1;
    }
  }
}

static void set_direct(bdag_state *state, uint64_t parameter, uint64_t slot, double scale,
                       int is_bias, int reaches) {
  state->build->plan->state_of_parameter[parameter] = (uint32_t)slot;
}

static void count_use(bdag_state *state, uint64_t parameter, uint64_t slot, double scale,
                      int is_bias, int reaches) {
  bdag_plan *plan = state->build->plan;
  uint8_t *live = state->flags;
  plan->use_offset[parameter + 2]++;
  plan->slot_parameter[slot] = parameter;
  plan->slot_scale[slot] = scale;
  if (reaches && (!is_bias || live[parameter] == 0)) live[parameter] = is_bias ? 2 : 1;
}

static void list_use(bdag_state *state, uint64_t parameter, uint64_t slot, double scale,
                     int is_bias, int reaches) {
  bdag_plan *plan = state->build->plan;
  plan->use_slot[plan->use_offset[parameter + 1]++] = slot;
}

static int is_placed(const bdag_plan *plan, uint64_t parameter) {
  if (plan->state_of_parameter != NULL) return plan->state_of_parameter[parameter] != BDAG_NO_SLOT;
  return plan->state_map.base[parameter / BDAG_MAP_BLOCK] != BDAG_NO_SLOT &&
         plan->state_map.offset[parameter] != BDAG_MAP_UNKNOWN;
}

/* Parameters that the plan does not use keep their values behind the slots. */
static bdag_status number_unused(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  plan->state_count = plan->slot_count;
  uint64_t p = 0;
  for (; p < plan->network_parameters && !build->failed && plan->state_of_parameter == NULL; p++)
    if (!is_placed(plan, p)) bdag_place_parameter(build, p, (uint32_t)plan->state_count++);
  for (uint32_t *slot = plan->state_of_parameter; p < plan->network_parameters && !build->failed;
       p++)
    if (slot[p] == BDAG_NO_SLOT) slot[p] = (uint32_t)plan->state_count++;
  if (build->failed) return bdag_fail_memory(error);
  if (plan->state_count < UINT32_MAX) return BDAG_OK;
  return bdag_fail(error, BDAG_ERROR_LIMIT,
                   "%llu parameters, used or not, are more than a plan takes (2^32 - 2); remove "
                   "unused ones or split the network",
                   (unsigned long long)plan->state_count);
}

static int allocate_direct(bdag_build *build) {
  bdag_plan *plan = build->plan;
  plan->state_of_parameter = bdag_allocate_array(build->context, plan->network_parameters,
                                                 sizeof *plan->state_of_parameter);
  return plan->state_of_parameter == NULL ? -1 : 0;
}

static void forget(uint32_t *slot, uint64_t from, uint64_t to) {
  if (to > from) memset(slot + from, 0xff, (to - from) * sizeof *slot);
}

/* The usual network: edges have consecutive parameters of their own and biases have others. Then the
 * state can be written from the lists. */
static int is_usual(const bdag_build *build) {
  const bdag_network *network = build->network;
  if (network->run_count != 1 || network->run[0].parameters != NULL) return 0;
  const uint64_t first = network->run[0].first_parameter, count = network->run[0].count;
  for (uint32_t v = 0; v < build->vertices; v++) {
    if (!build->active[v]) continue;
    const uint64_t bias = network->bias_parameter[v];
    if (bias != BDAG_NONE && bias - first < count) return 0;
    if (build->in_degree[v] > 0 && scale_of(build, v) != 1.0) return 0;
  }
  return 1;
}

/* As walk_uses with set_direct; 0 if two biases share a parameter. */
static int set_biases(bdag_build *build) {
  const bdag_network *network = build->network;
  bdag_plan *plan = build->plan;
  for (uint32_t row = plan->first_neuron; row < plan->rows; row++) {
    const uint64_t parameter = network->bias_parameter[plan->vertex_of_row[row]];
    if (parameter == BDAG_NONE) continue;
    if (build->failed) return 1;
    if (is_placed(plan, parameter)) return 0;
    bdag_place_parameter(build, parameter, (uint32_t)(plan->bias_slot + row - plan->first_neuron));
    plan->has_bias[row] = 1;
  }
  return 1;
}

static bdag_status indirect_state(bdag_state *state) {
  bdag_build *build = state->build;
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  const uint64_t parameters = plan->network_parameters, slots = plan->slot_count;
  const uint64_t uses = plan->edges + plan->rows;
  plan->slot_parameter = bdag_allocate_array(context, slots, sizeof *plan->slot_parameter);
  plan->slot_scale = bdag_allocate_zeroed(context, slots, sizeof *plan->slot_scale);
  plan->use_offset = bdag_allocate_zeroed(context, parameters + 2, sizeof *plan->use_offset);
  plan->use_slot = bdag_allocate_array(context, uses, sizeof *plan->use_slot);
  if (plan->slot_parameter == NULL || plan->slot_scale == NULL || plan->use_offset == NULL ||
      plan->use_slot == NULL)
    return BDAG_ERROR_OUT_OF_MEMORY;
  memset(plan->slot_parameter, 0xff, slots * sizeof *plan->slot_parameter);
  memset(state->flags, 0, parameters);
  walk_uses(state, count_use);
  for (uint64_t p = 0; p <= parameters; p++) plan->use_offset[p + 1] += plan->use_offset[p];
  walk_uses(state, list_use);
  plan->state_count = parameters;
  plan->edge_slot = build->own_slots;
  build->own_slots = NULL;
  return BDAG_OK;
}

/* Appends state indices first … first+count−1 to ranges, merging neighbours. */
static int append_range(const bdag_context *context, bdag_range **ranges, uint64_t *used,
                        uint64_t *capacity, uint64_t first, uint64_t count) {
  if (count == 0) return 0;
  if (*used > 0 && (*ranges)[*used - 1].first + (*ranges)[*used - 1].count == first) {
    (*ranges)[*used - 1].count += count;
    return 0;
  }
  void *array = *ranges;
  if (bdag_grow(context, &array, capacity, *used, *used + 1, sizeof **ranges) != 0) return -1;
  *ranges = array;
  (*ranges)[(*used)++] = (bdag_range){first, count};
  return 0;
}

static int live_ranges(bdag_build *build, const uint8_t *live) {
  bdag_plan *plan = build->plan;
  const bdag_context *context = build->context;
  uint64_t weight_capacity = 0, bias_capacity = 0;
  int failed = 0;
  if (plan->indirect) {
    for (uint64_t p = 0; p < plan->network_parameters && !failed; p++) {
      if (live[p] == 1)
        failed =
            append_range(context, &plan->live_weight, &plan->live_weights, &weight_capacity, p, 1);
      if (live[p] == 2)
        failed = append_range(context, &plan->live_bias, &plan->live_biases, &bias_capacity, p, 1);
    }
    return failed;
  }
  for (uint32_t i = 0; i < plan->panels && !failed; i++) {
    const bdag_panel *panel = &plan->panel[i];
    if (panel->reaches)
      failed = append_range(context, &plan->live_weight, &plan->live_weights, &weight_capacity,
                            panel->slot, (uint64_t)panel->sources * panel->step);
  }
  if (!failed)
    failed = append_range(context, &plan->live_weight, &plan->live_weights, &weight_capacity,
                          plan->edge_base + 1, plan->live_slots);
  for (uint32_t row = plan->first_neuron; row < plan->rows && !failed; row++)
    if (plan->reaches[row] && plan->has_bias[row])
      failed = append_range(context, &plan->live_bias, &plan->live_biases, &bias_capacity,
                            plan->bias_slot + row - plan->first_neuron, 1);
  return failed;
}

static bdag_status copy_runs(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const bdag_network *network = build->network;
  plan->parameter_run =
      bdag_allocate_zeroed(build->context, network->run_count, sizeof *plan->parameter_run);
  if (plan->parameter_run == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
  for (uint64_t i = 0; i < network->run_count; i++) {
    bdag_parameter_run *run = &plan->parameter_run[plan->parameter_runs++];
    *run = network->run[i];
    if (run->parameters == NULL) continue;
    run->parameters = bdag_allocate_array(build->context, run->count, sizeof *run->parameters);
    if (run->parameters == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
    memcpy(run->parameters, network->run[i].parameters, run->count * sizeof *run->parameters);
  }
  return BDAG_OK;
}

static int allocate_own(bdag_build *build) {
  build->own_slots =
      bdag_allocate_array(build->context, build->network->edge_count, sizeof *build->own_slots);
  return build->own_slots == NULL ? -1 : 0;
}

bdag_status bdag_prepare_state(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  const uint64_t edges = build->network->edge_count;
  if (is_usual(build)) {
    const uint64_t first = build->first_parameter = build->network->run[0].first_parameter;
    if (bdag_begin_state_map(build)) return build->failed ? bdag_fail_memory(error) : BDAG_OK;
    if (allocate_direct(build)) return bdag_fail_memory(error);
    build->slot_of_edge = plan->state_of_parameter + first;
    forget(plan->state_of_parameter, 0, first);
    forget(plan->state_of_parameter, first + edges, plan->network_parameters);
  } else {
    if (allocate_own(build)) return bdag_fail_memory(error);
    build->slot_of_edge = build->own_slots;
  }
  if (build->edges < edges) forget(build->slot_of_edge, 0, edges);
  return BDAG_OK;
}

/* Biases share a parameter: slots by edge are all that stays of what was prepared. */
static int leave_usual(bdag_build *build) {
  bdag_plan *plan = build->plan;
  if (plan->state_of_parameter == NULL && bdag_widen_state_map(build)) return -1;
  if (allocate_own(build)) return -1;
  memcpy(build->own_slots, build->slot_of_edge,
         build->network->edge_count * sizeof *build->own_slots);
  build->slot_of_edge = build->own_slots;
  bdag_free(build->context, plan->state_of_parameter);
  plan->state_of_parameter = NULL;
  memset(plan->has_bias, 0, plan->rows);
  return 0;
}

static bdag_status any_state(bdag_state *state, bdag_error *error) {
  bdag_build *build = state->build;
  bdag_plan *plan = build->plan;
  state->flags = bdag_allocate_zeroed(build->context, plan->network_parameters, 1);
  if (state->flags == NULL) return bdag_fail_memory(error);
  walk_uses(state, note_use);
  note_absent_edges(state);
  if (plan->indirect) return indirect_state(state) == BDAG_OK ? BDAG_OK : bdag_fail_memory(error);
  if (allocate_direct(build)) return bdag_fail_memory(error);
  forget(plan->state_of_parameter, 0, plan->network_parameters);
  walk_uses(state, set_direct);
  return number_unused(build, error);
}

static bdag_status map_state(bdag_state *state, bdag_error *error) {
  bdag_build *build = state->build;
  if (build->own_slots != NULL) return any_state(state, error);
  if (set_biases(build)) return number_unused(build, error);
  return leave_usual(build) ? bdag_fail_memory(error) : any_state(state, error);
}

bdag_status bdag_build_state(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  bdag_state state = {.build = build};
  bdag_status status = map_state(&state, error);
  if (status == BDAG_OK &&
      ((!plan->indirect && (copy_runs(build) != BDAG_OK || bdag_shorten_state_map(build))) ||
       live_ranges(build, state.flags)))
    status = bdag_fail_memory(error);
  if (status == BDAG_OK) bdag_end_state_map(plan);
  bdag_free(build->context, state.flags);
  return status;
}

uint64_t bdag_plan_slot_of_edge(const bdag_plan *plan, uint64_t edge) {
  if (plan->indirect)
    return plan->edge_slot[edge] == BDAG_NO_SLOT ? BDAG_NONE : plan->edge_slot[edge];
  uint64_t low = 0, high = plan->parameter_runs;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    if (plan->parameter_run[middle].first_edge <= edge)
      low = middle;
    else
      high = middle;
  }
  const bdag_parameter_run *run = &plan->parameter_run[low];
  const uint64_t at = edge - run->first_edge;
  const uint64_t parameter =
      run->parameters != NULL ? run->parameters[at] : run->first_parameter + at;
  const uint64_t slot = bdag_plan_state_of_parameter(plan, parameter);
  return slot < plan->slot_count ? slot : BDAG_NONE;
}
