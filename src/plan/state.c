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

typedef void (*visit_use)(bdag_build *build, uint64_t parameter, uint64_t slot, double scale,
                          int is_bias, int reaches, void *argument);

/* Every use of a parameter, edges in the order of their ids, then biases in the order of rows. */
static void walk_uses(bdag_build *build, visit_use visit, void *argument) {
  const bdag_network *network = build->network;
  bdag_plan *plan = build->plan;
  for (uint64_t i = 0; i < network->run_count; i++) {
    const bdag_parameter_run *run = &network->run[i];
    for (uint64_t j = 0; j < run->count; j++) {
      const uint64_t e = run->first_edge + j, slot = build->slot_of_edge[e];
      if (slot == BDAG_NONE) continue;
      const uint32_t v = network->target[e];
      visit(build, run->parameters != NULL ? run->parameters[j] : run->first_parameter + j, slot,
            scale_of(build, v), 0, build->reaches[v], argument);
    }
  }
  for (uint32_t row = plan->first_neuron; row < plan->rows; row++) {
    const uint64_t parameter = network->bias_parameter[plan->vertex_of_row[row]];
    if (parameter != BDAG_NONE)
      visit(build, parameter, plan->bias_slot + row - plan->first_neuron, 1.0, 1,
            plan->reaches[row], argument);
  }
}

static void note_use(bdag_build *build, uint64_t parameter, uint64_t slot, double scale,
                     int is_bias, int reaches, void *argument) {
  uint8_t *used = argument;
  if (used[parameter] || scale != 1.0) build->plan->indirect = 1;
  used[parameter] = 1;
  if (is_bias) build->plan->has_bias[slot - build->plan->bias_slot + build->plan->first_neuron] = 1;
}

/* An edge that takes no part reads as 0, which direct state cannot tell if its parameter is in use. */
static void note_absent_edges(bdag_build *build, const uint8_t *used) {
  const bdag_network *network = build->network;
  if (build->edges == network->edge_count) return;
  for (uint64_t i = 0; i < network->run_count && !build->plan->indirect; i++) {
    const bdag_parameter_run *run = &network->run[i];
    for (uint64_t j = 0; j < run->count; j++) {
      const uint64_t p = run->parameters != NULL ? run->parameters[j] : run->first_parameter + j;
      if (build->slot_of_edge[run->first_edge + j] == BDAG_NONE && used[p])
        build->plan->indirect = 1;
    }
  }
}

static void set_direct(bdag_build *build, uint64_t parameter, uint64_t slot, double scale,
                       int is_bias, int reaches, void *argument) {
  build->plan->state_of_parameter[parameter] = slot;
}

static void count_use(bdag_build *build, uint64_t parameter, uint64_t slot, double scale,
                      int is_bias, int reaches, void *argument) {
  bdag_plan *plan = build->plan;
  uint8_t *live = argument;
  plan->use_offset[parameter + 2]++;
  plan->slot_parameter[slot] = parameter;
  plan->slot_scale[slot] = scale;
  if (reaches && (!is_bias || live[parameter] == 0)) live[parameter] = is_bias ? 2 : 1;
}

static void list_use(bdag_build *build, uint64_t parameter, uint64_t slot, double scale,
                     int is_bias, int reaches, void *argument) {
  bdag_plan *plan = build->plan;
  plan->use_slot[plan->use_offset[parameter + 1]++] = slot;
}

static bdag_status direct_state(bdag_build *build) {
  bdag_plan *plan = build->plan;
  const uint64_t parameters = plan->network_parameters;
  plan->state_of_parameter =
      bdag_allocate_array(build->context, parameters, sizeof *plan->state_of_parameter);
  if (plan->state_of_parameter == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
  memset(plan->state_of_parameter, 0xff, parameters * sizeof *plan->state_of_parameter);
  walk_uses(build, set_direct, NULL);
  plan->state_count = plan->slot_count;
  for (uint64_t p = 0; p < parameters; p++)
    if (plan->state_of_parameter[p] == BDAG_NONE) plan->state_of_parameter[p] = plan->state_count++;
  return BDAG_OK;
}

static bdag_status indirect_state(bdag_build *build, uint8_t *live) {
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
  memset(live, 0, parameters);
  walk_uses(build, count_use, live);
  for (uint64_t p = 0; p <= parameters; p++) plan->use_offset[p + 1] += plan->use_offset[p];
  walk_uses(build, list_use, NULL);
  plan->state_count = parameters;
  plan->edge_slot = build->slot_of_edge;
  build->slot_of_edge = NULL;
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

bdag_status bdag_build_state(bdag_build *build, bdag_error *error) {
  bdag_plan *plan = build->plan;
  uint8_t *flags = bdag_allocate_zeroed(build->context, plan->network_parameters, 1);
  if (flags == NULL) return bdag_fail_memory(error);
  walk_uses(build, note_use, flags);
  note_absent_edges(build, flags);
  bdag_status status = plan->indirect ? indirect_state(build, flags) : direct_state(build);
  if (status == BDAG_OK && !plan->indirect) status = copy_runs(build);
  if (status == BDAG_OK && live_ranges(build, flags)) status = BDAG_ERROR_OUT_OF_MEMORY;
  bdag_free(build->context, flags);
  return status == BDAG_OK ? BDAG_OK : bdag_fail_memory(error);
}

uint64_t bdag_plan_slot_of_edge(const bdag_plan *plan, uint64_t edge) {
  if (plan->indirect) return plan->edge_slot[edge];
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
  const uint64_t slot = plan->state_of_parameter[parameter];
  return slot < plan->slot_count ? slot : BDAG_NONE;
}
