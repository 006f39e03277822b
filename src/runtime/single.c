/* The forward pass of one sample: vectors run over targets instead of samples, rows are single numbers.
 * Results are bitwise those of larger batches. What it leaves is spread over rows of a tile when somebody
 * reads it or goes backward. May include plan and below. */
#include <math.h>
#include <string.h>

#include "runtime/engine_internal.h"

static char *number_at(const bdag_engine *engine, char *numbers, uint64_t at) {
  return numbers + at * engine->element;
}

static const char *slots_from(const bdag_engine *engine, uint64_t slot) {
  return (const char *)engine->weights->slots + slot * engine->element;
}

static const char *biases_from(const bdag_engine *engine, uint32_t row) {
  const bdag_plan *plan = engine->plan;
  return slots_from(engine, plan->bias_slot + row - plan->first_neuron);
}

int bdag_single_possible(const bdag_plan *plan) {
  for (uint32_t i = 0; i < plan->runs; i++)
    if (plan->run[i].activation >= BDAG_ACTIVATION_REGISTERED) return 0;
  return 1;
}

static int rows_finite(const bdag_engine *engine, uint32_t first, uint32_t rows) {
  for (uint32_t row = first; row < first + rows; row++) {
    const char *number = number_at(engine, engine->single_out, row);
    const int finite = engine->options.type == BDAG_FLOAT32 ? isfinite(*(const float *)number)
                                                            : isfinite(*(const double *)number);
    if (!finite) return 0;
  }
  return 1;
}

static void panel(bdag_engine *engine, const bdag_panel *part) {
  const bdag_panel_job job = {
      .weight = slots_from(engine, part->slot),
      .source_step = part->step,
      .source = engine->plan->source + part->list,
      .sources = part->sources,
      .targets = part->targets,
      .rows = engine->single_out,
      .target = number_at(engine, engine->single_out, part->row),
      .initial = biases_from(engine, part->row),
  };
  engine->kernels->panel_single(&job);
}

static void union_panel(bdag_engine *engine, const bdag_union *part) {
  const bdag_plan *plan = engine->plan;
  const bdag_union_job job = {
      .weights = slots_from(engine, plan->edge_base),
      .slot = plan->union_slot + part->entry,
      .source = plan->source + part->list,
      .sources = part->sources,
      .targets = part->targets,
      .rows = engine->single_out,
      .target = number_at(engine, engine->single_out, part->row),
      .initial = biases_from(engine, part->row),
  };
  engine->kernels->union_single(&job);
}

static void lists(bdag_engine *engine, const bdag_row_run *run, int from_bias) {
  const bdag_plan *plan = engine->plan;
  const bdag_list_job job = {
      .weights = slots_from(engine, plan->edge_base),
      .slot = plan->list_slot,
      .source = plan->list_source,
      .offset = plan->list_offset + run->row,
      .targets = run->rows,
      .rows = engine->single_out,
      .target = number_at(engine, engine->single_out, run->row),
      .initial = from_bias ? biases_from(engine, run->row) : NULL,
  };
  engine->kernels->list_single(&job);
}

static void activate(bdag_engine *engine, const bdag_row_run *run) {
  char *out = number_at(engine, engine->single_out, run->row);
  if (engine->in_full || run->keeps_in)
    memcpy(number_at(engine, engine->single_in, run->row), out, run->rows * engine->element);
  if (run->activation != BDAG_IDENTITY)
    engine->kernels->activate(run->activation, run->activation_parameter, out, out, run->rows);
}

/* 0: done; −1: padding met something that is not finite, the pass with rows must decide. */
static int block(bdag_engine *engine, const bdag_block *part) {
  const bdag_plan *plan = engine->plan;
  int padded = part->unions > 0;
  for (uint32_t p = part->panel; p < part->panel + part->panels; p++) {
    panel(engine, &plan->panel[p]);
    padded |= plan->panel[p].holes > 0;
  }
  for (uint32_t p = part->first_union; p < part->first_union + part->unions; p++)
    union_panel(engine, &plan->union_panel[p]);
  if (padded && !rows_finite(engine, part->row, part->rows)) return -1;
  const int from_bias = part->panels + part->unions == 0;
  for (uint32_t i = part->run; i < part->run + part->runs; i++) {
    if (plan->run[i].listed || from_bias) lists(engine, &plan->run[i], from_bias);
    activate(engine, &plan->run[i]);
  }
  return 0;
}

int bdag_forward_single(bdag_engine *engine, const bdag_array *x) {
  const bdag_plan *plan = engine->plan;
  for (uint32_t i = 0; i < plan->input_count; i++) {
    if (plan->input_row[i] == BDAG_NO_ROW) continue;
    const ptrdiff_t at = (ptrdiff_t)i * x->vertex_stride;
    const double value =
        x->type == BDAG_FLOAT32 ? ((const float *)x->data)[at] : ((const double *)x->data)[at];
    if (engine->options.type == BDAG_FLOAT32)
      ((float *)engine->single_out)[plan->input_row[i]] = (float)value;
    else
      ((double *)engine->single_out)[plan->input_row[i]] = value;
  }
  for (uint32_t i = 0; i < plan->blocks; i++)
    if (block(engine, &plan->block[i]) != 0) return -1;
  return 0;
}

/* One number over the first lanes of a row. */
static void spread(const bdag_engine *engine, const char *number, char *row) {
  for (uint32_t s = 0; s < BDAG_ROW_QUANTUM; s++)
    memcpy(row + s * engine->element, number, engine->element);
}

void bdag_spread_outputs(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  for (uint32_t i = 0; i < plan->output_count; i++) {
    const uint64_t row = plan->output_row[i];
    spread(engine, number_at(engine, engine->single_out, row),
           number_at(engine, engine->out, row * engine->tile));
  }
}

void bdag_spread_single(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  if (!engine->is_single) return;
  engine->is_single = 0;
  for (uint64_t row = 0; row < plan->rows; row++) {
    spread(engine, number_at(engine, engine->single_out, row),
           number_at(engine, engine->out, row * engine->tile));
    if (row < plan->first_neuron) continue;
    const uint64_t kept = engine->in_full ? row - plan->first_neuron : plan->in_row[row];
    if (engine->in_full || kept != BDAG_NO_ROW)
      spread(engine, number_at(engine, engine->single_in, row),
             number_at(engine, engine->in, kept * engine->tile));
  }
}
