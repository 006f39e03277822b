/* What the forward pass of one sample does, step by step, made with the engine: kernels then follow the
 * list. Made twice, first to count. May include plan and below. */
#include "base/memory.h"
#include "runtime/engine_internal.h"

typedef struct step_list {
  const bdag_engine *engine;
  bdag_single_step *step; /* NULL: they are only counted */
  uint64_t count;
  uint32_t computed; /* rows below that are, or will have been */
} step_list;

/* Steps come in ascending order of rows, so that what lies behind them is to be computed yet, but for σ of
 * parts of a block. */
static void add_step(step_list *list, bdag_single_step step) {
  const bdag_plan *plan = list->engine->plan;
  const uint32_t end = step.row + step.targets;
  step.spills = end >= list->computed;
  step.bias = plan->bias_slot + step.row - plan->first_neuron;
  if (end > list->computed) list->computed = end;
  if (list->step != NULL) list->step[list->count] = step;
  list->count++;
}

static void add_activation(const step_list *list, const bdag_row_run *run, bdag_single_step *step) {
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
                            .list = part->list,
                            .weight = part->entry};
}

/* A dense layer: σ while the sums are in registers. */
static int is_one_panel(const bdag_plan *plan, const bdag_block *block) {
  const bdag_row_run *run = &plan->run[block->run];
  return block->panels == 1 && block->unions == 0 && block->runs == 1 && !run->listed &&
         plan->panel[block->panel].holes == 0;
}

static void add_runs(step_list *list, const bdag_block *block) {
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

static void add_block(step_list *list, const bdag_block *block) {
  const bdag_plan *plan = list->engine->plan;
  if (is_one_panel(plan, block)) {
    bdag_single_step step = panel_step(&plan->panel[block->panel]);
    add_activation(list, &plan->run[block->run], &step);
    add_step(list, step);
    return;
  }
  int padded = block->unions > 0;
  for (uint32_t p = block->panel; p < block->panel + block->panels; p++) {
    add_step(list, panel_step(&plan->panel[p]));
    padded |= plan->panel[p].holes > 0;
  }
  for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++)
    add_step(list, union_step(&plan->union_panel[p]));
  if (padded)
    add_step(list, (bdag_single_step){
                       .kind = BDAG_SINGLE_FINITE, .row = block->row, .targets = block->rows});
  add_runs(list, block);
}

static int is_possible(const bdag_plan *plan) {
  for (uint32_t i = 0; i < plan->runs; i++)
    if (plan->run[i].activation >= BDAG_ACTIVATION_REGISTERED) return 0;
  return 1;
}

int bdag_single_create(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  if (!is_possible(plan)) return 0;
  step_list list = {.engine = engine};
  for (uint32_t i = 0; i < plan->blocks; i++) add_block(&list, &plan->block[i]);
  const uint64_t numbers = (uint64_t)plan->rows + BDAG_SINGLE_ROOM;
  engine->single_steps = list.count;
  engine->single_step = bdag_allocate_array(engine->context, list.count, sizeof *list.step);
  engine->single_out = bdag_allocate_zeroed(engine->context, numbers, engine->element);
  engine->single_in = bdag_allocate_zeroed(engine->context, numbers, engine->element);
  engine->bytes += list.count * sizeof *list.step + 2 * numbers * engine->element;
  if (engine->single_step == NULL || engine->single_out == NULL || engine->single_in == NULL)
    return -1;
  list = (step_list){.engine = engine, .step = engine->single_step};
  for (uint32_t i = 0; i < plan->blocks; i++) add_block(&list, &plan->block[i]);
  return 0;
}
