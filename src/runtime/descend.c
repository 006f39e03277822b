/* The part of a fused descent that tasks do: new weights are written over a gradient as soon as it is
 * complete and still in cache; see call_descend.c. May include plan and below. */
#include "runtime/engine_internal.h"

void bdag_descend_slots(bdag_engine *engine, uint64_t first, uint64_t count, double decay) {
  const size_t at = first * engine->element;
  const char *weights = (const char *)engine->weights->slots + at;
  if (!engine->kernels->descend(weights, engine->gradient + at, count, engine->descent.rate, decay))
    atomic_store_explicit(&engine->descent.broken, 1, memory_order_relaxed);
}

void bdag_descend_live(bdag_engine *engine, uint64_t first, uint64_t count) {
  const bdag_plan *plan = engine->plan;
  for (uint64_t i = 0; i < plan->live_weights; i++) {
    const bdag_range range = plan->live_weight[i];
    const uint64_t begin = range.first > first ? range.first : first;
    const uint64_t range_end = range.first + range.count;
    const uint64_t end = range_end < first + count ? range_end : first + count;
    if (begin < end) bdag_descend_slots(engine, begin, end - begin, engine->descent.decay);
  }
}
