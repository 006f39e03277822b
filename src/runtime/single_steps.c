/* The blocks of a plan as steps of the forward pass of one sample. May include plan and below. */
#include "runtime/single_internal.h"

/* Steps come in ascending order of rows, so that what lies behind them is to be computed yet, but for σ of
 * parts of a block. */
static void add_step(bdag_single_list *list, bdag_single_step step) {
  const bdag_plan *plan = list->engine->plan;
  const uint32_t end = step.row + step.targets;
  step.spills = list->in_order && end >= list->computed;
  step.bias = plan->bias_slot + step.row - plan->first_neuron;
  if (end > list->computed) list->computed = end;
  if (list->step != NULL) list->step[list->count] = step;
  list->count++;
}

static void add_activation(const bdag_single_list *list, const bdag_row_run *run,
                           bdag_single_step *step) {
  step->keeps_in = list->engine->in_full || run->keeps_in;
  step->activates = run->activation != BDAG_IDENTITY && run->activation != BDAG_NEAT_IDENTITY;
  step->activation = run->activation;
  step->parameter = run->activation_parameter;
}

static bdag_single_step panel_step(const bdag_panel *panel) {
  return (bdag_single_step){.kind = BDAG_SINGLE_PANEL,
                            .row = panel->row,
                            .targets = panel->targets,
                            .sources = panel->sources,
                            .width = panel->step,
                            .list = panel->list,
                            .weight = panel->slot};
}

static bdag_single_step union_step(const bdag_union *part) {
  return (bdag_single_step){.kind = BDAG_SINGLE_UNION,
                            .row = part->row,
                            .targets = part->targets,
                            .sources = part->sources,
                            .ramps = part->ramps,
                            .list = part->list,
                            .weight = part->entry};
}

int bdag_single_is_panel(const bdag_plan *plan, const bdag_block *block) {
  const bdag_row_run *run = &plan->run[block->run];
  return block->panels == 1 && block->unions == 0 && block->runs == 1 && !run->listed &&
         plan->panel[block->panel].holes == 0;
}

static void add_runs(bdag_single_list *list, const bdag_block *block) {
  const bdag_plan *plan = list->engine->plan;
  const int from_bias = block->panels + block->unions == 0;
  for (uint32_t i = block->run; i < block->run + block->runs; i++) {
    const bdag_row_run *run = &plan->run[i];
    const int listed = run->listed || from_bias;
    bdag_single_step step = {.kind = listed ? BDAG_SINGLE_LISTS : BDAG_SINGLE_ACTIVATE,
                             .adds = !from_bias,
                             .row = run->row,
                             .targets = run->rows};
    add_activation(list, run, &step);
    if (listed || step.activates || step.keeps_in) add_step(list, step);
  }
}

void bdag_single_add_block(bdag_single_list *list, const bdag_block *block) {
  const bdag_plan *plan = list->engine->plan;
  if (bdag_single_is_panel(plan, block)) {
    bdag_single_step step = panel_step(&plan->panel[block->panel]);
    add_activation(list, &plan->run[block->run], &step);
    add_step(list, step);
    return;
  }
  int padded = 0;
  for (uint32_t p = block->panel; p < block->panel + block->panels; p++) {
    add_step(list, panel_step(&plan->panel[p]));
    padded |= plan->panel[p].holes > 0;
  }
  for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++) {
    add_step(list, union_step(&plan->union_panel[p]));
    padded |= plan->union_panel[p].padded;
  }
  if (padded)
    add_step(list, (bdag_single_step){
                       .kind = BDAG_SINGLE_FINITE, .row = block->row, .targets = block->rows});
  add_runs(list, block);
}

void bdag_single_add_part(bdag_single_list *list, const bdag_block *block, uint32_t part,
                          uint32_t parts) {
  const bdag_plan *plan = list->engine->plan;
  const bdag_panel *panel = &plan->panel[block->panel];
  const uint32_t vectors = (panel->targets + BDAG_ROW_QUANTUM - 1) / BDAG_ROW_QUANTUM;
  const uint32_t first = vectors * part / parts * BDAG_ROW_QUANTUM;
  const uint32_t after = vectors * (part + 1) / parts * BDAG_ROW_QUANTUM;
  bdag_single_step step = panel_step(panel);
  step.row += first;
  step.targets = (after < panel->targets ? after : panel->targets) - first;
  step.weight += first;
  add_activation(list, &plan->run[block->run], &step);
  add_step(list, step);
}
