/* The end of a backward pass: gradient buffers are summed into the first by a fixed tree, so that the
 * result does not depend on who ran what; slots become parameters in indirect plans. */
#include "runtime/trace_internal.h"

#define CHUNK 8192u

static void add_float(float *restrict to, const float *restrict from, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) to[i] += from[i];
}

static void add_double(double *restrict to, const double *restrict from, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) to[i] += from[i];
}

/* The whole tree for slots first …: buffer 0 += 1, 2 += 3, …; 0 += 2, … */
static void reduce_chunk(bdag_engine *engine, uint64_t first, uint64_t count) {
  const uint64_t begin = bdag_trace_begin(engine);
  for (uint32_t step = 1; step < engine->pass_groups; step *= 2)
    for (uint32_t g = 0; g + step < engine->pass_groups; g += 2 * step) {
      char *to = bdag_gradient_of(engine, g) + first * engine->element;
      const char *from = bdag_gradient_of(engine, g + step) + first * engine->element;
      if (engine->options.type == BDAG_FLOAT32)
        add_float((float *)to, (const float *)from, count);
      else
        add_double((double *)to, (const double *)from, count);
    }
  if (engine->descent.wanted) bdag_descend_live(engine, first, count);
  bdag_trace_end(engine, begin, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 0);
}

/* ∂L/∂parameter = Σ over its uses of scale · ∂L/∂slot, in double, in the order of the uses. */
static void gather_parameter(bdag_engine *engine, uint64_t parameter) {
  const bdag_plan *plan = engine->plan;
  double sum = 0;
  for (uint64_t i = plan->use_offset[parameter]; i < plan->use_offset[parameter + 1]; i++) {
    const uint64_t slot = plan->use_slot[i];
    const double gradient = engine->options.type == BDAG_FLOAT32
                                ? ((const float *)engine->gradient)[slot]
                                : ((const double *)engine->gradient)[slot];
    sum += plan->slot_scale[slot] * gradient;
  }
  if (engine->options.type == BDAG_FLOAT32)
    ((float *)engine->state_gradient)[parameter] = (float)sum;
  else
    ((double *)engine->state_gradient)[parameter] = sum;
}

void bdag_reduce_share(bdag_engine *engine, uint32_t worker, uint32_t team) {
  const uint64_t slots = engine->plan->slot_count, chunks = (slots + CHUNK - 1) / CHUNK;
  if (engine->pass_groups < 2) return;
  for (uint64_t c = worker * chunks / team; c < (worker + UINT64_C(1)) * chunks / team; c++)
    reduce_chunk(engine, c * CHUNK, slots - c * CHUNK < CHUNK ? slots - c * CHUNK : CHUNK);
}

void bdag_sum_uses_share(bdag_engine *engine, uint32_t worker, uint32_t team) {
  const uint64_t parameters = engine->plan->network_parameters;
  const uint64_t end = (worker + UINT64_C(1)) * parameters / team;
  for (uint64_t p = worker * parameters / team; p < end;) {
    const uint64_t begin = bdag_trace_begin(engine), next = p + CHUNK < end ? p + CHUNK : end;
    for (; p < next; p++) gather_parameter(engine, p);
    bdag_trace_end(engine, begin, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 1);
  }
}
