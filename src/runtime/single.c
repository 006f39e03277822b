/* The forward pass of one sample: vectors run over targets instead of samples, rows are single numbers.
 * Results are bitwise those of larger batches. What it leaves is spread over rows of a tile when somebody
 * reads it or goes backward. May include plan and below. */
#include <string.h>

#include "runtime/engine_internal.h"

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

int bdag_forward_single(bdag_engine *engine, const bdag_array *x) {
  const bdag_plan *plan = engine->plan;
  load_inputs(engine, x);
  const bdag_single_job job = {.step = engine->single_step,
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
  return engine->kernels->single(&job);
}

void bdag_store_single(const bdag_engine *engine, const bdag_array *y) {
  const bdag_plan *plan = engine->plan;
  for (uint32_t i = 0; i < plan->output_count; i++)
    store(y->data, y->type, (ptrdiff_t)i * y->vertex_stride,
          load(engine->single_out, engine->options.type, plan->output_row[i]));
}

/* ---- Over rows ----------------------------------------------------------------------------------- */

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
