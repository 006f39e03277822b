/* Looking at a plan, and its end. May include base and network. */
#include "base/memory.h"
#include "plan/plan_internal.h"

bdag_plan *bdag_plan_retain(bdag_plan *plan) {
  if (plan != NULL) atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
  return plan;
}

static void free_graph(const bdag_context *context, bdag_task_graph *graph) {
  bdag_free(context, graph->predecessors);
  bdag_free(context, graph->offset);
  bdag_free(context, graph->successor);
  bdag_free(context, graph->priority);
}

static void free_state(const bdag_context *context, bdag_plan *plan) {
  for (uint64_t i = 0; i < plan->parameter_runs; i++)
    bdag_free(context, plan->parameter_run[i].parameters);
  bdag_free(context, plan->parameter_run);
  bdag_free(context, plan->state_of_parameter);
  bdag_free(context, plan->state_map.base);
  bdag_free(context, plan->state_map.offset);
  bdag_free(context, plan->state_map.exception);
  bdag_free(context, plan->edge_slot);
  bdag_free(context, plan->slot_parameter);
  bdag_free(context, plan->slot_scale);
  bdag_free(context, plan->use_offset);
  bdag_free(context, plan->use_slot);
  bdag_free(context, plan->has_bias);
  bdag_free(context, plan->live_weight);
  bdag_free(context, plan->live_bias);
}

void bdag_plan_release(bdag_plan *plan) {
  /* acq_rel: whoever drops the last reference sees what the others did before dropping theirs */
  if (plan == NULL || atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) != 1)
    return;
  const bdag_context *context = plan->context;
  bdag_free(context, plan->row_of_vertex);
  bdag_free(context, plan->vertex_of_row);
  bdag_free(context, plan->level);
  bdag_free(context, plan->reaches);
  bdag_free(context, plan->in_loss);
  bdag_free(context, plan->in_row);
  bdag_free(context, plan->enumeration);
  bdag_free(context, plan->input_row);
  bdag_free(context, plan->constant_row);
  bdag_free(context, plan->constant_value);
  bdag_free(context, plan->output);
  bdag_free(context, plan->output_row);
  for (uint32_t i = 0; i < plan->loss_count; i++) bdag_free(context, plan->loss[i].row);
  bdag_free(context, plan->loss);
  bdag_free(context, plan->loss_row);
  bdag_free(context, plan->block);
  bdag_free(context, plan->panel);
  bdag_free(context, plan->union_panel);
  bdag_free(context, plan->run);
  bdag_free(context, plan->source);
  bdag_free(context, plan->union_slot);
  bdag_free(context, plan->union_base);
  bdag_free(context, plan->union_near);
  bdag_free(context, plan->union_exception);
  bdag_free(context, plan->hole);
  bdag_free(context, plan->list_offset);
  bdag_free(context, plan->list_source);
  bdag_free(context, plan->list_slot);
  bdag_free(context, plan->sweep_row);
  bdag_free(context, plan->sweep_offset);
  bdag_free(context, plan->bundle);
  bdag_free(context, plan->sweep_successor);
  bdag_free(context, plan->sweep);
  bdag_free(context, plan->pull);
  bdag_free(context, plan->term);
  bdag_free(context, plan->iota);
  bdag_free(context, plan->forward_task);
  bdag_free(context, plan->backward_task);
  free_graph(context, &plan->forward);
  free_graph(context, &plan->backward);
  free_state(context, plan);
  bdag_free(context, plan);
}

static uint64_t graph_bytes(const bdag_task_graph *graph) {
  return graph->offset == NULL ? 0 : 16 * (uint64_t)graph->count + 4 * graph->offset[graph->count];
}

static uint64_t row_bytes(const bdag_plan *plan) {
  const uint64_t of_vertex = sizeof *plan->row_of_vertex + sizeof *plan->level;
  const uint64_t of_row = sizeof *plan->vertex_of_row + sizeof *plan->reaches +
                          sizeof *plan->in_loss + sizeof *plan->in_row + sizeof *plan->iota +
                          sizeof *plan->has_bias;
  return sizeof *plan + of_vertex * plan->network_vertices + of_row * plan->rows +
         sizeof *plan->enumeration * plan->enumeration_count;
}

static uint64_t forward_bytes(const bdag_plan *plan) {
  const uint64_t unions = plan->union_near != NULL
                              ? sizeof *plan->union_base * plan->sources + plan->union_entries +
                                    sizeof *plan->union_exception * plan->union_exceptions
                              : sizeof *plan->union_slot * plan->union_entries;
  return sizeof(bdag_block) * (uint64_t)plan->blocks + sizeof(bdag_panel) * (uint64_t)plan->panels +
         sizeof(bdag_union) * (uint64_t)plan->unions + sizeof(bdag_row_run) * (uint64_t)plan->runs +
         sizeof *plan->source * plan->sources + unions +
         sizeof *plan->list_offset * ((uint64_t)plan->rows + 1) +
         (sizeof *plan->list_source + sizeof *plan->list_slot) * plan->list_offset[plan->rows];
}

/* With the holes of both directions. */
static uint64_t backward_bytes(const bdag_plan *plan) {
  return sizeof *plan->hole * plan->holes + sizeof *plan->sweep_successor * plan->live_entries +
         (sizeof *plan->sweep_row + sizeof *plan->sweep_offset) * plan->swept +
         sizeof(bdag_bundle) * (uint64_t)plan->bundles +
         sizeof(bdag_sweep_group) * (uint64_t)plan->sweeps +
         sizeof(bdag_pull_group) * (uint64_t)plan->pulls + sizeof(bdag_pull_term) * plan->terms;
}

static uint64_t state_bytes(const bdag_plan *plan) {
  const uint64_t ranges = sizeof(bdag_range) * (plan->live_weights + plan->live_biases);
  if (plan->indirect)
    return ranges + 4 * plan->network_edges +
           8 * (2 * plan->slot_count + plan->network_parameters + plan->edges);
  if (plan->state_of_parameter != NULL)
    return ranges + sizeof *plan->state_of_parameter * plan->network_parameters;
  const bdag_state_map *map = &plan->state_map;
  return ranges + sizeof *map->offset * plan->network_parameters +
         sizeof *map->base * (plan->network_parameters / BDAG_MAP_BLOCK + 1) +
         sizeof *map->exception * map->exceptions;
}

static uint64_t task_bytes(const bdag_plan *plan) {
  return sizeof(bdag_task) * ((uint64_t)plan->forward_tasks + plan->backward_tasks) +
         graph_bytes(&plan->forward) + graph_bytes(&plan->backward);
}

bdag_status bdag_plan_summarize(const bdag_plan *plan, bdag_plan_summary *summary) {
  if (plan == NULL || summary == NULL || summary->size != sizeof *summary)
    return BDAG_ERROR_INVALID_ARGUMENT;
  *summary = (bdag_plan_summary){
      .size = sizeof *summary,
      .vertices = plan->rows,
      .edges = plan->edges,
      .loss_vertices = plan->loss_row_count,
      .reaching = plan->enumeration_count,
      .unreachable = plan->rows - plan->enumeration_count,
      .depth = plan->depth,
      .width = plan->width,
      .panels = (uint64_t)plan->panels + plan->unions,
      .forward_tasks = plan->forward.count,
      .backward_tasks = plan->backward.count,
      .padding = plan->padding,
      .weight_edges = plan->weight_edges,
      .out_edges = plan->out_edges,
      .row_bytes = row_bytes(plan),
      .forward_bytes = forward_bytes(plan),
      .backward_bytes = backward_bytes(plan),
      .state_bytes = state_bytes(plan),
      .task_bytes = task_bytes(plan),
  };
  summary->plan_bytes = summary->row_bytes + summary->forward_bytes + summary->backward_bytes +
                        summary->state_bytes + summary->task_bytes;
  return BDAG_OK;
}

const uint32_t *bdag_plan_enumeration(const bdag_plan *plan, uint64_t *count) {
  if (count != NULL) *count = plan->enumeration_count;
  return plan->enumeration;
}

const uint32_t *bdag_plan_levels(const bdag_plan *plan) {
  return plan->level;
}

int bdag_plan_reaches_loss(const bdag_plan *plan, uint32_t vertex) {
  if (vertex >= plan->network_vertices || plan->row_of_vertex[vertex] == BDAG_NO_ROW) return 0;
  return plan->reaches[plan->row_of_vertex[vertex]];
}

uint32_t bdag_plan_input_count(const bdag_plan *plan) {
  return plan->input_count;
}

uint32_t bdag_plan_output_count(const bdag_plan *plan) {
  return plan->output_count;
}

uint64_t bdag_plan_target_count(const bdag_plan *plan) {
  return plan->target_count;
}
