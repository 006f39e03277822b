/* The part of a fused descent that tasks do: new weights are written over a gradient as soon as it is
 * complete and still in cache; see call_descend.c. May include plan and below. */
#include "runtime/engine_internal.h"

void bdag_descend_slots(bdag_engine *engine, uint64_t first, uint64_t count, double decay) {
  const size_t at = first * engine->element;
  const char *weights = (const char *)engine->weights->slots + at;
  if (!engine->kernels->descend(weights, engine->gradient + at, count, engine->descent.rate, decay))
    atomic_store_explicit(&engine->descent.broken, 1, memory_order_relaxed);
}
