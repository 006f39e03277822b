/* The forward pass of one sample: vectors run over targets instead of samples, rows are single numbers.
 * Results are bitwise those of larger batches. What it leaves is spread over rows of a tile when somebody
 * reads it or goes backward. May include plan and below. */
#include <omp.h>
#include <string.h>

#include "base/team.h"
#include "runtime/float_mode.h"
#include "runtime/trace_internal.h"

static double load(const void *data, bdag_type type, ptrdiff_t at) {
  return type == BDAG_FLOAT32 ? ((const float *)data)[at] : ((const double *)data)[at];
}

static void store(void *data, bdag_type type, ptrdiff_t at, double value) {
  if (type == BDAG_FLOAT32)
    ((float *)data)[at] = (float)value;
  else
    ((double *)data)[at] = value;
}

static void load_inputs(const bdag_engine *engine, const bdag_array *x) {
  const bdag_plan *plan = engine->plan;
  if (plan->input_count == 0) return; /* then x may be NULL */
  if (plan->inputs_in_order && x->type == BDAG_FLOAT32 && x->vertex_stride == 1 &&
      engine->options.type == BDAG_FLOAT32) {
    const float *from = x->data;
    for (uint32_t i = 0; i < plan->input_count; i++) ((float *)engine->single_out)[i] = from[i];
    return;
  }
  for (uint32_t i = 0; i < plan->input_count; i++)
    if (plan->input_row[i] != BDAG_NO_ROW)
      store(engine->single_out, engine->options.type, plan->input_row[i],
            load(x->data, x->type, (ptrdiff_t)i * x->vertex_stride));
}

static bdag_single_job job_of(const bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  return (bdag_single_job){.step = engine->single_step,
                           .steps = engine->single_steps,
                           .slots = engine->weights->slots,
                           .edge_base = plan->edge_base,
                           .source = plan->source,
                           .union_slot = plan->union_slot,
                           .list_source = plan->list_source,
                           .list_slot = plan->list_slot,
                           .list_offset = plan->list_offset,
                           .out = engine->single_out,
                           .in = engine->single_in};
}

/* ---- By a team ----------------------------------------------------------------------------------- */

static int stopped(const bdag_engine *engine) {
  return atomic_load_explicit(&engine->single_broken, memory_order_relaxed) ||
         atomic_load_explicit(&engine->cancelled, memory_order_relaxed);
}

/* Every thread comes to every meeting. Where OpenMP gave fewer threads than asked for, each works for
 * several. */
static void run_share(bdag_engine *engine, uint32_t number, uint32_t team) {
  bdag_single_job job = job_of(engine);
  for (uint32_t stage = 0; stage < engine->single_stages; stage++) {
    const uint64_t *segment = engine->single_segment + (uint64_t)stage * engine->single_threads;
    if (stage > 0) bdag_meet(&engine->single_meeting[stage], team, engine->patience);
    for (uint32_t t = number; t < engine->single_threads && !stopped(engine); t += team) {
      job.step = engine->single_step + segment[t];
      job.steps = segment[t + 1] - segment[t];
      if (engine->kernels->single(&job) != 0)
        atomic_store_explicit(&engine->single_broken, 1, memory_order_relaxed);
    }
  }
}

static int run_on_team(bdag_engine *engine) {
  atomic_store_explicit(&engine->single_broken, 0, memory_order_relaxed);
  for (uint32_t stage = 0; stage < engine->single_stages; stage++)
    bdag_meeting_prepare(&engine->single_meeting[stage]);
  bdag_float_mode_leave(engine->caller_mode); /* as in drive.c */
#pragma omp parallel num_threads(engine->pass_threads)
  {
    const uint32_t number = (uint32_t)omp_get_thread_num();
    const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
    bdag_team_bind(engine->context, number);
    const uint64_t begin = bdag_trace_begin(engine);
    run_share(engine, number, (uint32_t)omp_get_num_threads());
    bdag_trace_end(engine, begin, BDAG_TRACE_SINGLE, BDAG_NO_TASK, 0, 1, 0);
    bdag_team_unbind(engine->context, number);
    bdag_float_mode_leave(saved);
  }
  (void)bdag_float_mode_enter(engine->flush_to_zero);
  return atomic_load_explicit(&engine->single_broken, memory_order_relaxed) ? -1 : 0;
}

int bdag_forward_single(bdag_engine *engine, const bdag_array *x) {
  load_inputs(engine, x);
  if (engine->pass_threads > 1) return run_on_team(engine);
  const bdag_single_job job = job_of(engine);
  const uint64_t begin = bdag_trace_begin(engine);
  const int result = engine->kernels->single(&job);
  if (result == 0) bdag_trace_end(engine, begin, BDAG_TRACE_SINGLE, BDAG_NO_TASK, 0, 1, 0);
  return result;
}

/* ---- From numbers to outputs and rows ------------------------------------------------------------ */

void bdag_store_single(const bdag_engine *engine, const bdag_array *y) {
  const bdag_plan *plan = engine->plan;
  for (uint32_t i = 0; i < plan->output_count; i++)
    store(y->data, y->type, (ptrdiff_t)i * y->vertex_stride,
          load(engine->single_out, engine->options.type, plan->output_row[i]));
}

/* One number over the first lanes of a row. */
static void spread(const bdag_engine *engine, const char *numbers, uint64_t at, char *rows,
                   uint64_t row) {
  char *to = rows + row * engine->tile * engine->element;
  for (uint32_t s = 0; s < BDAG_ROW_QUANTUM; s++)
    memcpy(to + s * engine->element, numbers + at * engine->element, engine->element);
}

void bdag_spread_outputs(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  for (uint32_t i = 0; i < plan->output_count; i++) {
    const uint64_t row = plan->output_row[i];
    spread(engine, engine->single_out, row, engine->out, row);
  }
}

void bdag_spread_single(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  if (!engine->is_single) return;
  engine->is_single = 0;
  for (uint64_t row = 0; row < plan->rows; row++) {
    spread(engine, engine->single_out, row, engine->out, row);
    if (row < plan->first_neuron) continue;
    const uint64_t kept = engine->in_full ? row - plan->first_neuron : plan->in_row[row];
    if (engine->in_full || kept != BDAG_NO_ROW)
      spread(engine, engine->single_in, row, engine->in, kept);
  }
}
