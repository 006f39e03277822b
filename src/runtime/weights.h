/* The weights' fields, for engine and trainer. Floor 3.
 *
 * `state` holds the values that are trained: one per slot of the plan (direct plans), or one per
 * parameter of the network (indirect plans: tied parameters, responses other than 1, means).
 * `slots` is what the kernels read; in direct plans it is the same array. */
#ifndef BDAG_RUNTIME_WEIGHTS_H
#define BDAG_RUNTIME_WEIGHTS_H

#include <stdatomic.h>

#include <backdag/engine.h>

#include "plan/plan_internal.h"

struct bdag_weights {
  const bdag_context *context;
  bdag_plan *plan;
  bdag_type type;
  _Atomic uint32_t references;
  _Atomic int frozen;
  _Atomic int held; /* by a trainer */
  uint64_t version; /* another one after each change, unlike that of any other weights */
  void *state;      /* [plan->state_count] */
  void *slots;      /* [plan->slot_count] */
};

/* Carries changes of `state` over to `slots`; to be called after each change. */
void bdag_weights_refresh(bdag_weights *weights);

/* Notes that values have changed; bdag_weights_refresh does. */
void bdag_weights_touch(bdag_weights *weights);

/* Ranges of state indices whose parameters reach Loss: edges' weights, and biases apart, since weight
 * decay leaves biases alone. Borrowed from the plan. */
const bdag_range *bdag_plan_live_weights(const bdag_plan *plan, uint64_t *count);
const bdag_range *bdag_plan_live_biases(const bdag_plan *plan, uint64_t *count);

/* A backward pass that steps the weights, w ← w − rate·(∂L/∂w + decay·w), biases without decay: while a
 * panel's gradient is in cache, the stepped weights are written over it, and buffers change places at
 * the end. For direct plans; accumulates nothing. Afterwards gradients cannot be read.
 * Returns what bdag_backward_arrays returns, or NOT_FINITE; then the weights are as before. */
bdag_status bdag_backward_descend(bdag_engine *engine, bdag_weights *weights,
                                  const bdag_backward_options *options, double rate, double decay,
                                  double *loss);

/* ∂L/∂state of the last backward pass: [plan->state_count] of the engine's type. Entries outside the
 * live ranges are unspecified. NULL before the first backward pass. */
const void *bdag_engine_state_gradient(const bdag_engine *engine);

#endif
