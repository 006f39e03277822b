/* The end of a backward pass in indirect plans: slots become parameters. */
#include "runtime/trace_internal.h"

#define CHUNK 8192u

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

void bdag_sum_uses_share(bdag_engine *engine, uint32_t worker, uint32_t team) {
  const uint64_t parameters = engine->plan->network_parameters;
  const uint64_t end = (worker + UINT64_C(1)) * parameters / team;
  for (uint64_t p = worker * parameters / team; p < end;) {
    const uint64_t begin = bdag_trace_begin(engine), next = p + CHUNK < end ? p + CHUNK : end;
    for (; p < next; p++) gather_parameter(engine, p);
    bdag_trace_end(engine, begin, BDAG_TRACE_REDUCE, BDAG_NO_TASK, 0, 0, 1);
  }
}
