/* The forward pass, as the note has it, on some tiles of a batch:
 * in(v) = bias(v) + Σ_{u→v} w(u→v)·out(u), out(v) = σ_v(in(v)), blocks in order of rows.
 * May include plan and below. */
#include <string.h>

#include "network/activation.h"
#include "runtime/step.h"

/* in(v) as Σ over edges that exist: 0·∞ of a padded panel must not reach a vertex without that edge. */
static void forward_without_padding(const bdag_step *step, const bdag_block *block) {
  const bdag_plan *plan = step->plan;
  for (uint32_t row = block->row; row < block->row + block->rows; row++) {
    char *target = step->out + row * step->row_bytes;
    set_row(step, target, biases_from(step, row));
    for (uint32_t p = block->panel; p < block->panel + block->panels; p++) {
      const bdag_panel *panel = &plan->panel[p];
      for (uint32_t k = 0; k < panel->sources; k++) {
        const uint64_t slot = panel->slot + (uint64_t)k * panel->step + row - panel->row;
        if (!is_hole(plan, panel->hole, panel->holes, slot))
          add_term(step, target, slots_from(step->engine, slot), &plan->source[panel->list + k],
                   step->out);
      }
    }
    for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++) {
      const bdag_union *part = &plan->union_panel[p];
      for (uint32_t k = 0; k < part->sources; k++) {
        const uint32_t slot = bdag_plan_union_slot(plan, part, k, row - part->row);
        if (slot != 0)
          add_term(step, target, slots_from(step->engine, plan->edge_base + slot),
                   &plan->source[part->list + k], step->out);
      }
    }
  }
}

static void forward_panel(const bdag_step *step, const bdag_panel *panel) {
  const bdag_panel_job job = {
      .weight = slots_from(step->engine, panel->slot),
      .source_step = panel->step,
      .target_step = 1,
      .source = step->plan->source + panel->list,
      .sources = panel->sources,
      .targets = panel->targets,
      .rows = step->out,
      .row_stride = step->engine->tile,
      .target = step->out + panel->row * step->row_bytes,
      .count = step->lanes,
      .initial = biases_from(step, panel->row),
  };
  step->engine->kernels->panel(&job);
}

static void forward_union(const bdag_step *step, const bdag_union *part) {
  const bdag_union_job job = {
      .weights = step->irregular.unions +
                 (part->entry - step->irregular.union_first) * step->engine->element,
      .source = step->plan->source + part->list,
      .sources = part->sources,
      .targets = part->targets,
      .ramps = part->ramps,
      .rows = step->out,
      .row_stride = step->engine->tile,
      .target = step->out + part->row * step->row_bytes,
      .count = step->lanes,
      .initial = biases_from(step, part->row),
  };
  step->engine->kernels->union_panel(&job);
}

/* The rows whose bytes are those of BDAG_SEGMENT_ROWS rows of 64 float32 samples. */
static uint32_t segment_rows(const bdag_engine *engine) {
  const size_t bytes = engine->tile * engine->element;
  const size_t rows = BDAG_SEGMENT_ROWS * 64 * sizeof(float) / bytes;
  return rows > 0 ? (uint32_t)rows : 1;
}

/* Returns whether the rows are activated, too. */
static int forward_lists(const bdag_step *step, const bdag_row_run *run, int from_bias) {
  const bdag_plan *plan = step->plan;
  const int activates = !run->shares && run->activation < BDAG_ACTIVATION_REGISTERED;
  const bdag_list_job job = {
      .weights = step->irregular.lists +
                 (plan->list_offset[run->row] - step->irregular.list_first) * step->engine->element,
      .source = plan->list_source,
      .offset = plan->list_offset + run->row,
      .targets = run->rows,
      .rows = step->out,
      .row_stride = step->engine->tile,
      .target = step->out + run->row * step->row_bytes,
      .count = step->lanes,
      .initial = from_bias ? biases_from(step, run->row) : NULL,
      .ahead = step->engine->ahead,
      .limit = step->list_limit,
      .segment = segment_rows(step->engine),
      .activation = activates ? run->activation : BDAG_IDENTITY,
      .parameter = run->activation_parameter,
      .in = activates ? kept_in(step, run->row) : NULL,
  };
  if (run->shares)
    step->engine->kernels->list_segments(&job);
  else
    step->engine->kernels->list(&job);
  return activates;
}

/* `in` of the rows of a run, from the rows that are to be activated. */
static void keep_in(const bdag_step *step, uint32_t rows, const char *out, char *kept) {
  const int together = step->lanes == step->engine->tile;
  const size_t bytes = together ? rows * step->row_bytes : step->lanes * step->engine->element;
  for (uint32_t r = 0; r < (together ? 1 : rows); r++)
    memcpy(kept + r * step->row_bytes, out + r * step->row_bytes, bytes);
}

/* A user's σ may not work in place. */
static void activate_registered(const bdag_step *step, const bdag_row_run *run, const char *kept) {
  const bdag_registered_activation *activation =
      bdag_context_activation(step->engine->context, run->activation);
  for (uint32_t r = 0; r < run->rows; r++) {
    char *out = step->out + (run->row + r) * step->row_bytes;
    const char *in = kept != NULL ? kept + r * step->row_bytes : bdag_engine_scratch(step->engine);
    if (kept == NULL)
      memcpy(bdag_engine_scratch(step->engine), out, step->lanes * step->engine->element);
    if (activation->functions.value(activation->functions.user, step->engine->options.type,
                                    run->activation_parameter, step->lanes, in, out))
      bdag_engine_fail(step->engine, BDAG_ERROR_CALLBACK, step->plan->vertex_of_row[run->row + r],
                       BDAG_NONE, BDAG_NONE);
  }
}

static void activate(const bdag_step *step, const bdag_row_run *run) {
  const bdag_engine *engine = step->engine;
  char *out = step->out + run->row * step->row_bytes;
  char *kept = kept_in(step, run->row);
  if (kept != NULL) keep_in(step, run->rows, out, kept);
  if (run->activation >= BDAG_ACTIVATION_REGISTERED) {
    activate_registered(step, run, kept);
    return;
  }
  if (run->activation == BDAG_IDENTITY) return;
  const int together = step->lanes == engine->tile;
  const uint32_t calls = together ? 1 : run->rows;
  const size_t count = together ? run->rows * step->lanes : step->lanes;
  for (uint32_t r = 0; r < calls; r++)
    engine->kernels->activate(run->activation, run->activation_parameter, out + r * step->row_bytes,
                              out + r * step->row_bytes, count);
}

static int is_padded(const bdag_plan *plan, const bdag_block *block) {
  return (block->unions > 0 && plan->union_panel[block->first_union].padded) ||
         (block->panels > 0 && plan->panel[block->panel].holes > 0);
}

static void forward_block(const bdag_step *step, const bdag_block *block) {
  const bdag_plan *plan = step->plan;
  for (uint32_t p = block->panel; p < block->panel + block->panels; p++)
    forward_panel(step, &plan->panel[p]);
  for (uint32_t p = block->first_union; p < block->first_union + block->unions; p++)
    forward_union(step, &plan->union_panel[p]);
  if (is_padded(plan, block) &&
      !rows_finite(step, step->out + block->row * step->row_bytes, block->rows))
    forward_without_padding(step, block);
  const int from_bias = block->panels + block->unions == 0;
  for (uint32_t i = block->run; i < block->run + block->runs; i++) {
    const bdag_row_run *run = &plan->run[i];
    const int lists = run->listed || from_bias;
    if (!lists || !forward_lists(step, run, from_bias)) activate(step, run);
  }
}

static void take_part(bdag_step *step, const bdag_part_of_tile *part) {
  const bdag_engine *engine = step->engine;
  step->out += part->first * engine->element;
  if (engine->in_rows > 0) step->in += part->first * engine->element;
  step->lanes = part->lanes;
}

static void forward_task(bdag_engine *engine, uint32_t task, uint64_t first_tile, uint64_t tiles,
                         const bdag_part_of_tile *part) {
  const bdag_task *work = &engine->plan->forward_task[task];
  const bdag_gathered weights = bdag_gather_task(engine, work);
  const uint64_t limit = engine->in_stages ? engine->reach[bdag_engine_worker(engine)].entry
                                           : engine->plan->list_offset[engine->plan->rows];
  for (uint64_t tile = first_tile; tile < first_tile + tiles; tile++) {
    bdag_step step = step_of(engine, tile);
    if (part != NULL) take_part(&step, part);
    step.irregular = weights;
    step.list_limit = limit;
    for (uint32_t i = work->first; i < work->first + work->count; i++)
      forward_block(&step, &step.plan->block[i]);
  }
}

void bdag_forward_task(bdag_engine *engine, uint32_t task, uint64_t first_tile, uint64_t tiles,
                       const bdag_part_of_tile *part) {
  const uint64_t begin = bdag_trace_begin(engine);
  forward_task(engine, task, first_tile, tiles, part);
  bdag_trace_end(engine, begin, BDAG_TRACE_FORWARD, task, first_tile, tiles,
                 part != NULL ? part->number : 0);
}

/* ---- Tasks one after the other ------------------------------------------------------------------- */

/* Rows of one kernel call; a pass that is cancelled waits for them. */
#define JOINED_ROWS 2048u

/* Whether a block of lists can follow the rows of `run`, to which it is added then. Rows that follow each
 * other and keep `in` do so there, too. */
static int join_block(const bdag_plan *plan, const bdag_block *block, bdag_row_run *run) {
  const bdag_row_run *next = &plan->run[block->run];
  if (block->panels + block->unions > 0 || block->runs != 1 || next->shares ||
      next->activation >= BDAG_ACTIVATION_REGISTERED)
    return 0;
  if (run->rows == 0) {
    *run = *next;
    return 1;
  }
  if (next->row != run->row + run->rows || next->activation != run->activation ||
      next->keeps_in != run->keeps_in ||
      memcmp(&next->activation_parameter, &run->activation_parameter, sizeof(double)) != 0)
    return 0;
  run->rows += next->rows;
  return 1;
}

/* How many tasks from `first` on are lists that one kernel call can do: it takes rows in order, so that
 * they may depend on each other. */
static uint32_t tasks_of_one_call(const bdag_plan *plan, uint32_t first, bdag_row_run *run) {
  uint32_t end = first;
  *run = (bdag_row_run){0};
  for (; end < plan->forward_tasks && run->rows < JOINED_ROWS; end++) {
    const bdag_task *task = &plan->forward_task[end];
    bdag_row_run longer = *run;
    for (uint32_t i = task->first; i < task->first + task->count; i++)
      if (!join_block(plan, &plan->block[i], &longer)) return end - first;
    *run = longer;
  }
  return end - first;
}

uint32_t bdag_forward_tasks(bdag_engine *engine, uint32_t task, uint64_t first_tile, uint64_t tiles,
                            const bdag_part_of_tile *part) {
  const bdag_plan *plan = engine->plan;
  bdag_row_run run;
  const bdag_block *first = &plan->block[plan->forward_task[task].first];
  if (first->panels + first->unions == 0 && tiles == 1 && engine->trace == NULL &&
      engine->gathered_bytes == 0) {
    const uint32_t tasks = tasks_of_one_call(plan, task, &run);
    if (tasks > 1) {
      bdag_step step = step_of(engine, first_tile);
      if (part != NULL) take_part(&step, part);
      step.irregular = bdag_gather_task(engine, &plan->forward_task[task]);
      step.list_limit = plan->list_offset[plan->rows];
      (void)forward_lists(&step, &run, 1);
      return tasks;
    }
  }
  bdag_forward_task(engine, task, first_tile, tiles, part);
  return 1;
}
