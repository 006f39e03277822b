/* The caller's numbers into rows and back. Rows are [vertex][sample], the caller's matrices usually
 * [sample][vertex]: blocks of 16 columns keep both sides in cache. May include plan and below. */
#include <math.h>

#include "runtime/trace_internal.h"

#define BLOCK 16u

static inline double load(const void *data, bdag_type type, ptrdiff_t at) {
  return type == BDAG_FLOAT32 ? ((const float *)data)[at] : ((const double *)data)[at];
}

static inline void store(void *data, bdag_type type, ptrdiff_t at, double value) {
  if (type == BDAG_FLOAT32)
    ((float *)data)[at] = (float)value;
  else
    ((double *)data)[at] = value;
}

/* float32 on both sides is the common case: no conversion. */
static void load_block(const bdag_engine *engine, char *rows, const uint32_t *row, uint32_t first,
                       uint32_t columns, uint64_t sample, uint64_t samples,
                       const bdag_array *from) {
  const int same = from->type == BDAG_FLOAT32 && engine->options.type == BDAG_FLOAT32;
  for (uint64_t s = 0; s < samples; s++) {
    const ptrdiff_t at = (ptrdiff_t)(sample + s) * from->sample_stride;
    for (uint32_t c = first; c < first + columns; c++) {
      const uint32_t to = row != NULL ? row[c] : c;
      if (to == BDAG_NO_ROW) continue;
      const ptrdiff_t source = at + (ptrdiff_t)c * from->vertex_stride;
      const ptrdiff_t target = (ptrdiff_t)((uint64_t)to * engine->tile + s);
      if (same)
        ((float *)rows)[target] = ((const float *)from->data)[source];
      else
        store(rows, engine->options.type, target, load(from->data, from->type, source));
    }
  }
}

/* The lanes after the last sample repeat it. */
static void repeat_last(const bdag_engine *engine, char *rows, const uint32_t *row, uint32_t count,
                        uint64_t samples, size_t lanes) {
  for (uint32_t c = 0; c < count && samples < lanes; c++) {
    if (row[c] == BDAG_NO_ROW) continue;
    const ptrdiff_t first = (ptrdiff_t)((uint64_t)row[c] * engine->tile);
    const double last = load(rows, engine->options.type, first + (ptrdiff_t)samples - 1);
    for (uint64_t s = samples; s < lanes; s++)
      store(rows, engine->options.type, first + (ptrdiff_t)s, last);
  }
}

static uint64_t samples_of(const bdag_engine *engine, uint64_t tile,
                           const bdag_part_of_tile *part) {
  const uint64_t rest = bdag_tile_samples(engine, tile) - part->first;
  return rest < part->lanes ? rest : part->lanes;
}

static void load_inputs(bdag_engine *engine, uint64_t tile, const bdag_part_of_tile *part,
                        const bdag_array *x) {
  const bdag_plan *plan = engine->plan;
  char *rows =
      bdag_tile_rows(engine, engine->out, tile, plan->rows) + part->first * engine->element;
  const uint64_t samples = samples_of(engine, tile, part);
  const uint64_t sample = tile * engine->tile + part->first;
  if (x != NULL && x->type == engine->options.type && x->vertex_stride == 1 &&
      x->sample_stride >= 0 && plan->inputs_in_order) {
    const size_t first = sample * (size_t)x->sample_stride;
    engine->kernels->transpose((const char *)x->data + first * engine->element,
                               (size_t)x->sample_stride, rows, engine->tile, samples,
                               plan->input_count);
    repeat_last(engine, rows, plan->input_row, plan->input_count, samples, part->lanes);
    return;
  }
  for (uint32_t c = 0; c < plan->input_count; c += BLOCK) {
    const uint32_t columns = plan->input_count - c < BLOCK ? plan->input_count - c : BLOCK;
    load_block(engine, rows, plan->input_row, c, columns, sample, samples, x);
  }
  repeat_last(engine, rows, plan->input_row, plan->input_count, samples, part->lanes);
}

static void load_targets(bdag_engine *engine, uint64_t tile, const bdag_array *targets) {
  const uint32_t count = (uint32_t)engine->plan->target_count;
  char *rows = bdag_tile_rows(engine, engine->targets, tile, count);
  for (uint32_t c = 0; c < count; c += BLOCK) {
    const uint32_t columns = count - c < BLOCK ? count - c : BLOCK;
    load_block(engine, rows, NULL, c, columns, tile * engine->tile, bdag_tile_samples(engine, tile),
               targets);
  }
}

/* ---- Outputs ------------------------------------------------------------------------------------- */

/* log Σ e^{out} over the outputs of one softmax group, for one sample. */
static double group_log_sum(const bdag_engine *engine, const char *rows, uint32_t group,
                            uint64_t s) {
  const bdag_plan *plan = engine->plan;
  double largest = -INFINITY, sum = 0;
  for (uint32_t i = 0; i < plan->output_count; i++) {
    if (plan->output[i].read_out != BDAG_READ_OUT_SOFTMAX || plan->output[i].group != group)
      continue;
    const ptrdiff_t at = (ptrdiff_t)((uint64_t)plan->output_row[i] * engine->tile + s);
    const double out = load(rows, engine->options.type, at);
    if (!(out <= largest)) largest = out;
  }
  for (uint32_t i = 0; i < plan->output_count; i++) {
    if (plan->output[i].read_out != BDAG_READ_OUT_SOFTMAX || plan->output[i].group != group)
      continue;
    const ptrdiff_t at = (ptrdiff_t)((uint64_t)plan->output_row[i] * engine->tile + s);
    sum += exp(load(rows, engine->options.type, at) - largest);
  }
  return largest + log(sum);
}

static void store_sample(const bdag_engine *engine, const char *rows, uint64_t s, uint64_t sample,
                         const bdag_array *y, int read_out) {
  const bdag_plan *plan = engine->plan;
  uint32_t known_group = 0;
  double log_sum = 0;
  int known = 0;
  for (uint32_t i = 0; i < plan->output_count; i++) {
    const bdag_output *output = &plan->output[i];
    double value = load(rows, engine->options.type,
                        (ptrdiff_t)((uint64_t)plan->output_row[i] * engine->tile + s));
    if (read_out && output->read_out == BDAG_READ_OUT_SIGMOID) value = 1 / (1 + exp(-value));
    if (read_out && output->read_out == BDAG_READ_OUT_SOFTMAX) {
      if (!known || known_group != output->group)
        log_sum = group_log_sum(engine, rows, output->group, s);
      known = 1;
      known_group = output->group;
      value = exp(value - log_sum);
    }
    store(y->data, y->type, (ptrdiff_t)sample * y->sample_stride + (ptrdiff_t)i * y->vertex_stride,
          value);
  }
}

static void store_outputs(bdag_engine *engine, uint64_t tile, const bdag_part_of_tile *part,
                          const bdag_array *y, int read_out) {
  const char *rows = bdag_tile_rows(engine, engine->out, tile, engine->plan->rows);
  const uint64_t end = part->first + samples_of(engine, tile, part);
  for (uint64_t s = part->first; s < end; s++)
    store_sample(engine, rows, s, tile * engine->tile + s, y, read_out);
}

/* ---- The same, for a trace ----------------------------------------------------------------------- */

void bdag_load_inputs(bdag_engine *engine, uint64_t tile, const bdag_part_of_tile *part,
                      const bdag_array *x) {
  const uint64_t begin = bdag_trace_begin(engine);
  load_inputs(engine, tile, part, x);
  bdag_trace_end(engine, begin, BDAG_TRACE_LOAD, BDAG_NO_TASK, tile, 1, part->number);
}

void bdag_load_targets(bdag_engine *engine, uint64_t tile, const bdag_array *targets) {
  const uint64_t begin = bdag_trace_begin(engine);
  load_targets(engine, tile, targets);
  bdag_trace_end(engine, begin, BDAG_TRACE_LOSS, BDAG_NO_TASK, tile, 1, 0);
}

void bdag_store_outputs(bdag_engine *engine, uint64_t tile, const bdag_part_of_tile *part,
                        const bdag_array *y, int read_out) {
  const uint64_t begin = bdag_trace_begin(engine);
  store_outputs(engine, tile, part, y, read_out);
  bdag_trace_end(engine, begin, BDAG_TRACE_STORE, BDAG_NO_TASK, tile, 1, part->number);
}
