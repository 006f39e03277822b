/* Making a plan: what takes part, then enumeration, rows, blocks, sweeps, tasks, state, in that order.
 * May include base and network. */
#include <string.h>

#include "plan/build.h"

static bdag_status check_options(const bdag_network *network, const bdag_plan_options *options,
                                 bdag_error *error) {
  if (options->size != sizeof *options)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "plan options have size %zu, expected %zu; use BDAG_PLAN_OPTIONS_INIT",
                     options->size, sizeof *options);
  if ((unsigned)options->granularity > BDAG_GRANULARITY_VERTEX ||
      (unsigned)options->amalgamation > BDAG_AMALGAMATE_FORCED)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "granularity %d or amalgamation %d is unknown", (int)options->granularity,
                     (int)options->amalgamation);
  if (options->tile % BDAG_ROW_QUANTUM != 0 || options->tile > 1024)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "tile %u is not a multiple of 16 up to 1024", options->tile);
  if (options->accumulation_groups > 256)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "accumulation_groups %u exceeds 256",
                     options->accumulation_groups);
  if (options->inference && network->output_count == 0)
    return bdag_fail(error, BDAG_ERROR_NO_OUTPUTS,
                     "a plan for inference needs outputs; call bdag_network_set_outputs");
  if (options->inference && options->enumeration != NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "a plan for inference has no backward pass and takes no enumeration");
  return BDAG_OK;
}

/* In-edges of vertices one after the other. */
static void index_edges(bdag_build *build) {
  bdag_count_edges(build);
  uint32_t at = 0;
  for (uint32_t v = 0; v < build->vertices; v++) {
    build->in_offset[v] = at;
    at += build->in_degree[v];
  }
  bdag_place_edges(build);
}

/* Inference: only outputs and their ancestors stay. */
static void keep_ancestors(bdag_build *build, uint32_t *stack) {
  const bdag_network *network = build->network;
  memset(build->active, 0, build->vertices);
  uint32_t depth = 0;
  for (uint32_t i = 0; i < network->output_count; i++) {
    const uint32_t v = network->output[i].vertex;
    if (!build->active[v]) stack[depth++] = v;
    build->active[v] = 1;
  }
  while (depth > 0) {
    const uint32_t v = stack[--depth];
    for (uint64_t i = 0; i < build->in_degree[v]; i++) {
      const uint32_t u = bdag_source_at(build, build->in_offset[v] + i);
      if (!build->active[u]) stack[depth++] = u;
      build->active[u] = 1;
    }
  }
}

static bdag_status allocate_build(bdag_build *build) {
  const bdag_context *context = build->context;
  bdag_plan *plan = build->plan;
  const uint64_t vertices = build->vertices, edges = build->network->edge_count;
  build->active = bdag_allocate_zeroed(context, vertices, 1);
  build->reaches = bdag_allocate_zeroed(context, vertices, 1);
  build->in_loss = bdag_allocate_zeroed(context, vertices, 1);
  build->order = bdag_allocate_array(context, vertices, sizeof *build->order);
  build->in_offset = bdag_allocate_array(context, vertices, sizeof *build->in_offset);
  build->in_degree = bdag_allocate_array(context, vertices, sizeof *build->in_degree);
  build->out_degree = bdag_allocate_array(context, vertices, sizeof *build->out_degree);
  build->in = bdag_allocate_array(context, edges, 2 * sizeof *build->in);
  plan->row_of_vertex = bdag_allocate_array(context, vertices, sizeof *plan->row_of_vertex);
  plan->level = bdag_allocate_array(context, vertices, sizeof *plan->level);
  const int failed = build->active == NULL || build->reaches == NULL || build->in_loss == NULL ||
                     build->order == NULL || build->in_offset == NULL || build->in_degree == NULL ||
                     build->out_degree == NULL || build->in == NULL ||
                     plan->row_of_vertex == NULL || plan->level == NULL;
  return failed ? BDAG_ERROR_OUT_OF_MEMORY : BDAG_OK;
}

static void free_build(bdag_build *build) {
  const bdag_context *context = build->context;
  bdag_free(context, build->active);
  bdag_free(context, build->reaches);
  bdag_free(context, build->in_loss);
  bdag_free(context, build->order);
  bdag_free(context, build->activation);
  bdag_free(context, build->activation_parameter);
  bdag_free(context, build->in_offset);
  bdag_free(context, build->in_degree);
  bdag_free(context, build->out_degree);
  bdag_free(context, build->row_of_level);
  bdag_free(context, build->row_first);
  bdag_free(context, build->in);
  bdag_free(context, build->own_slots);
  bdag_free(context, build->out_length);
}

static void choose_vertices(bdag_build *build) {
  const bdag_network *network = build->network;
  bdag_plan *plan = build->plan;
  memset(plan->row_of_vertex, 0xff, build->vertices * sizeof *plan->row_of_vertex);
  memset(plan->level, 0xff, build->vertices * sizeof *plan->level);
  for (uint32_t v = 0; v < build->vertices; v++) build->active[v] = !network->vertex_removed[v];
  index_edges(build);
  if (plan->options.inference) {
    keep_ancestors(build, build->order);
    index_edges(build);
  } else {
    for (uint64_t t = 0; t < network->loss_count; t++)
      for (uint32_t i = 0; i < network->loss[t].vertex_count; i++)
        build->in_loss[network->loss[t].vertices[i]] = 1;
  }
  for (uint32_t v = 0; v < build->vertices; v++) build->active_count += build->active[v];
  plan->edges = build->edges;
}

static bdag_status copy_columns(bdag_build *build) {
  const bdag_network *network = build->network;
  const bdag_context *context = build->context;
  bdag_plan *plan = build->plan;
  plan->input_count = (uint32_t)network->input_count;
  plan->input_row = bdag_allocate_array(context, plan->input_count, sizeof *plan->input_row);
  plan->output_count = network->output_count;
  plan->output = bdag_allocate_array(context, plan->output_count, sizeof *plan->output);
  plan->output_row = bdag_allocate_array(context, plan->output_count, sizeof *plan->output_row);
  plan->constant_row = bdag_allocate_array(context, plan->first_neuron, sizeof *plan->constant_row);
  plan->constant_value =
      bdag_allocate_array(context, plan->first_neuron, sizeof *plan->constant_value);
  if (plan->input_row == NULL || plan->output == NULL || plan->output_row == NULL ||
      plan->constant_row == NULL || plan->constant_value == NULL)
    return BDAG_ERROR_OUT_OF_MEMORY;
  plan->inputs_in_order = 1;
  for (uint32_t i = 0; i < plan->input_count; i++) {
    plan->input_row[i] = plan->row_of_vertex[network->input[i]];
    if (plan->input_row[i] != i) plan->inputs_in_order = 0;
  }
  for (uint32_t i = 0; i < plan->output_count; i++) {
    plan->output[i] = network->output[i];
    plan->output_row[i] = plan->row_of_vertex[network->output[i].vertex];
  }
  for (uint32_t row = 0; row < plan->first_neuron; row++) {
    const uint32_t v = plan->vertex_of_row[row];
    if (network->vertex_kind[v] != BDAG_VERTEX_CONSTANT) continue;
    plan->constant_row[plan->constant_count] = row;
    plan->constant_value[plan->constant_count++] = network->activation_parameter[v];
  }
  return BDAG_OK;
}

static bdag_status copy_loss(bdag_build *build) {
  const bdag_network *network = build->network;
  const bdag_context *context = build->context;
  bdag_plan *plan = build->plan;
  plan->target_count = network->target_count;
  plan->normalization = network->normalization;
  if (plan->options.inference) return BDAG_OK;
  plan->loss = bdag_allocate_zeroed(context, network->loss_count, sizeof *plan->loss);
  plan->loss_row = bdag_allocate_array(context, plan->rows, sizeof *plan->loss_row);
  if (plan->loss == NULL || plan->loss_row == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
  for (uint64_t t = 0; t < network->loss_count; t++) {
    const bdag_stored_loss *from = &network->loss[t];
    bdag_plan_loss *loss = &plan->loss[plan->loss_count++];
    *loss = (bdag_plan_loss){.kind = from->kind,
                             .vertex_count = from->vertex_count,
                             .weight = from->weight,
                             .parameter = from->parameter,
                             .target_first = from->target_first,
                             .target_count = from->target_count};
    const bdag_registered_loss *registered = bdag_context_loss(context, from->kind);
    if (registered != NULL) {
      loss->registered = 1;
      loss->whole_batch = registered->whole_batch;
      loss->callback = registered->callback;
      loss->user = registered->user;
    }
    loss->row = bdag_allocate_array(context, loss->vertex_count, sizeof *loss->row);
    if (loss->row == NULL) return BDAG_ERROR_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < loss->vertex_count; i++)
      loss->row[i] = plan->row_of_vertex[from->vertices[i]];
  }
  for (uint32_t row = 0; row < plan->rows; row++)
    if (plan->in_loss[row]) plan->loss_row[plan->loss_row_count++] = row;
  plan->has_loss = plan->loss_count > 0;
  return BDAG_OK;
}

/* How far apart the rows of an edge are: on average, and for three quarters of them. */
static void set_reach(const bdag_build *build) {
  bdag_plan *plan = build->plan;
  plan->mean_reach = plan->weight_edges > 0 ? build->reach / plan->weight_edges : 0;
  uint32_t power = 0;
  for (uint64_t within = 0; power < 32; power++) {
    within += build->reach_by_power[power];
    if (within * 4 >= plan->weight_edges * 3) break;
  }
  plan->usual_reach = UINT64_C(1) << power;
}

static bdag_status build_all(bdag_build *build, bdag_error *error) {
  if (build->network->edge_count >= UINT32_MAX)
    return bdag_fail(error, BDAG_ERROR_LIMIT, "a plan takes fewer than 2^32 - 1 edges, not %llu",
                     (unsigned long long)build->network->edge_count);
  build->step = build->network->edge_count >= build->context->huge_edges ? 1 : 2;
  if (allocate_build(build) != BDAG_OK) return bdag_fail_memory(error);
  choose_vertices(build);
  if (build->active_count == 0)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "the network has no vertices; add inputs and neurons first");
  bdag_status status = bdag_enumerate(build, error);
  if (status == BDAG_OK) status = bdag_build_rows(build, error);
  if (status == BDAG_OK) status = bdag_prepare_state(build, error);
  if (status == BDAG_OK) status = bdag_build_blocks(build, error);
  if (status == BDAG_OK) status = bdag_build_sweeps(build, error);
  if (status == BDAG_OK) status = bdag_build_tasks(build, error);
  if (status == BDAG_OK && build->edges >= build->context->huge_edges &&
      !build->plan->options.inference && bdag_shorten_unions(build->plan))
    status = bdag_fail_memory(error);
  if (status == BDAG_OK) status = bdag_build_state(build, error);
  if (status != BDAG_OK) return status;
  if (copy_columns(build) != BDAG_OK || copy_loss(build) != BDAG_OK) return bdag_fail_memory(error);
  set_reach(build);
  return BDAG_OK;
}

static uint32_t enter_team(const bdag_plan *plan) {
  const bdag_context *context = plan->context;
  if (plan->options.threads == 0) return bdag_team_enter_again(context);
  const uint32_t size = bdag_team_enter(context, plan->options.threads);
  return size > 0 ? size : 1;
}

bdag_status bdag_plan_create(bdag_plan **plan, const bdag_network *network,
                             const bdag_plan_options *options, bdag_error *error) {
  static const bdag_plan_options defaults = BDAG_PLAN_OPTIONS_INIT;
  if (plan == NULL || network == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "plan and network must not be NULL");
  *plan = NULL;
  if (options == NULL) options = &defaults;
  bdag_status status = check_options(network, options, error);
  if (status != BDAG_OK) return status;
  const bdag_context *context = network->context;
  bdag_plan *made = bdag_allocate_zeroed(context, 1, sizeof *made);
  if (made == NULL) return bdag_fail_memory(error);
  atomic_init(&made->references, 1);
  made->context = context;
  made->options = *options;
  made->tile = options->tile;
  made->network_vertices = network->vertex_count;
  made->network_edges = network->edge_count;
  made->network_parameters = network->parameter_count;
  bdag_build build = {
      .network = network, .context = context, .plan = made, .vertices = network->vertex_count};
  const uint32_t claimed = network->edge_count < context->team_edges ? 1 : enter_team(made);
  build.team = claimed;
  status = build_all(&build, error);
  bdag_team_leave(context, claimed);
  free_build(&build);
  made->options.enumeration = NULL;
  if (status == BDAG_OK)
    *plan = made;
  else
    bdag_plan_release(made);
  return status;
}
