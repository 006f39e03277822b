/* Gradient descent fused into the backward pass: tasks write new weights over gradients, and at the end the
 * two buffers change places. Until then the weights are untouched, so that every task may still pull
 * through them and a pass that fails has changed nothing. May include plan and below. */
#include <math.h>
#include <string.h>

#include "runtime/engine_internal.h"
#include "runtime/float_mode.h"

static void copy_slots(bdag_engine *engine, uint64_t begin, uint64_t end) {
  const size_t at = begin * engine->element;
  if (begin < end)
    memcpy(engine->gradient + at, (const char *)engine->weights->slots + at,
           (end - begin) * engine->element);
}

/* State that no descent moves: zeros, biases that do not exist, edges that do not reach Loss, and behind
 * the slots parameters that nothing uses. Live ranges ascend, biases before weights. */
static void copy_rest(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  uint64_t done = 0;
  for (uint64_t i = 0; i < plan->live_biases + plan->live_weights; i++) {
    const bdag_range range =
        i < plan->live_biases ? plan->live_bias[i] : plan->live_weight[i - plan->live_biases];
    copy_slots(engine, done, range.first);
    done = range.first + range.count;
  }
  copy_slots(engine, done, plan->state_count);
}

static void exchange_buffers(bdag_engine *engine, bdag_weights *weights) {
  char *stepped = engine->gradient;
  engine->gradient = engine->state_gradient = weights->slots;
  weights->slots = weights->state = stepped;
  bdag_weights_touch(weights);
  engine->backward_done = engine->has_gradient = 0;
}

bdag_status bdag_backward_descend(bdag_engine *engine, bdag_weights *weights,
                                  const bdag_backward_options *options, double rate, double decay,
                                  double *loss) {
  engine->descent.rate = rate;
  engine->descent.decay = decay;
  atomic_store_explicit(&engine->descent.broken, 0, memory_order_relaxed);
  engine->descent.wanted = 1;
  bdag_status status = bdag_backward_arrays(engine, weights, options, loss);
  engine->descent.wanted = 0;
  engine->has_gradient = engine->backward_done = 0;
  if (status != BDAG_OK) return status;
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  for (uint64_t i = 0; i < engine->plan->live_biases; i++)
    bdag_descend_slots(engine, engine->plan->live_bias[i].first, engine->plan->live_bias[i].count,
                       0);
  bdag_float_mode_leave(saved);
  if (!isfinite(*loss) || atomic_load_explicit(&engine->descent.broken, memory_order_relaxed))
    return BDAG_ERROR_NOT_FINITE;
  copy_rest(engine);
  exchange_buffers(engine, weights);
  return BDAG_OK;
}
