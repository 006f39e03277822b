/* The blocks of a plan as steps of the forward pass of one sample. May include plan and below. */
#include "runtime/single_internal.h"

/* A step is written where it stays: a copy right after its fields would wait for their stores. */
static bdag_single_step *begin_step(bdag_single_list *list, bdag_single_kind kind, uint32_t row,
                                    uint32_t targets) {
  bdag_single_step *step = list->step != NULL ? &list->step[list->count] : &list->counted;
  *step = (bdag_single_step){0};
  step->kind = kind;
  step->row = row;
  step->targets = targets;
  return step;
}

/* Steps come in ascending order of rows, so that what lies behind them is to be computed yet, but for σ of
 * parts of a block. */
static void end_step(bdag_single_list *list, bdag_single_step *step) {
  const bdag_plan *plan = list->engine->plan;
  const uint32_t end = step->row + step->targets;
  step->spills = list->in_order && end >= list->computed;
  step->bias = plan->bias_slot + step->row - plan->first_neuron;
  if (end > list->computed) list->computed = end;
  list->count++;
}

static int activates(const bdag_row_run *run) {
  return run->activation != BDAG_IDENTITY && run->activation != BDAG_NEAT_IDENTITY;
}

static int keeps_in(const bdag_single_list *list, const bdag_row_run *run) {
  return list->engine->in_full || run->keeps_in;
}

static void activate(const bdag_single_list *list, const bdag_row_run *run,
                     bdag_single_step *step) {
  step->keeps_in = keeps_in(list, run);
  step->activates = activates(run);
  step->activation = run->activation;
  step->parameter = run->activation_parameter;
}

static bdag_single_step *begin_panel(bdag_single_list *list, const bdag_panel *panel) {
  bdag_single_step *step = begin_step(list, BDAG_SINGLE_PANEL, panel->row, panel->targets);
  step->sources = panel->sources;
  step->width = panel->step;
  step->list = panel->list;
  step->weight = panel->slot;
  return step;
}

static void add_union(bdag_single_list *list, const bdag_union *part) {
  bdag_single_step *step = begin_step(list, BDAG_SINGLE_UNION, part->row, part->targets);
  step->sources = part->sources;
  step->ramps = part->ramps;
  step->list = part->list;
  step->weight = part->entry;
  end_step(list, step);
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
    if (!listed && !activates(run) && !keeps_in(list, run)) continue;
    bdag_single_step *step =
        begin_step(list, listed ? BDAG_SINGLE_LISTS : BDAG_SINGLE_ACTIVATE, run->row, run->rows);
    step->adds = !from_bias;
    activate(list, run, step);
    end_step(list, step);
  }
}

void bdag_single_add_block(bdag_single_list *list, const bdag_block *block) {
  const bdag_plan *plan = list->engine->plan;
  if (bdag_single_is_panel(plan, block)) {
    bdag_single_step *step = begin_panel(list, &plan->panel[block->panel]);
    activate(list, &plan->run[block->run], step);
    end_step(list, step);
    return;
  }
  int padded = 0;
  for (uint32_t p = block->panel; p < block->panel + block->panels; p++) {
    end_step(list, begin_panel(list, &plan->panel[p]));
    padded |= plan->panel[p].holes > 0;
  }
  for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++) {
    add_union(list, &plan->union_panel[p]);
    padded |= plan->union_panel[p].padded;
  }
  if (padded) end_step(list, begin_step(list, BDAG_SINGLE_FINITE, block->row, block->rows));
  add_runs(list, block);
}

void bdag_single_add_part(bdag_single_list *list, const bdag_block *block, uint32_t part,
                          uint32_t parts) {
  const bdag_plan *plan = list->engine->plan;
  const bdag_panel *panel = &plan->panel[block->panel];
  const uint32_t vectors = (panel->targets + BDAG_ROW_QUANTUM - 1) / BDAG_ROW_QUANTUM;
  const uint32_t first = vectors * part / parts * BDAG_ROW_QUANTUM;
  const uint32_t after = vectors * (part + 1) / parts * BDAG_ROW_QUANTUM;
  bdag_single_step *step = begin_panel(list, panel);
  step->row += first;
  step->targets = (after < panel->targets ? after : panel->targets) - first;
  step->weight += first;
  activate(list, &plan->run[block->run], step);
  end_step(list, step);
}
