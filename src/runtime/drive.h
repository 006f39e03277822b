/* Driving a pass over all tiles and tasks: what the public calls hand to it. Floor 3. */
#ifndef BDAG_RUNTIME_DRIVE_H
#define BDAG_RUNTIME_DRIVE_H

#include "runtime/engine_internal.h"

/* What a pass reads from the caller and gives back. */
typedef struct bdag_exchange {
  const bdag_array *x, *y, *targets; /* NULL: not wanted */
  int read_out, want_grad;
} bdag_exchange;

static inline int bdag_is_array(const bdag_array *array) {
  return array->data != NULL && (array->type == BDAG_FLOAT32 || array->type == BDAG_FLOAT64);
}

/* [batch][columns] of the engine's type. */
static inline bdag_array bdag_dense_array(const bdag_engine *engine, const void *data,
                                          uint64_t columns) {
  return (bdag_array){(void *)(uintptr_t)data, engine->options.type, (ptrdiff_t)columns, 1};
}

/* Returns OK, INVALID_ARGUMENT, MISMATCH. */
bdag_status bdag_check_weights(const bdag_engine *engine, const bdag_weights *weights);
/* Nothing has failed, nobody has cancelled, and the pass has its threads out of the context's budget; when
 * none are left the axis returned is SERIAL. When the system does not allow them the pass
 * has failed with THREADS. End gives the threads back; without a begin it does nothing. */
bdag_axis bdag_begin_pass(bdag_engine *engine, bdag_axis axis);
void bdag_end_pass(bdag_engine *engine);

/* The whole forward pass: inputs to rows, tasks, rows to outputs. One parallel region, or none. */
void bdag_drive_forward(bdag_engine *engine, bdag_axis axis, const bdag_exchange *exchange);
/* Targets and losses of all samples, without gradients. */
void bdag_drive_loss(bdag_engine *engine, const bdag_exchange *exchange);
/* The whole backward pass: targets, losses, tasks, sum of the gradient buffers. One parallel region, or
 * none; one more where a callback wants to see the whole batch. */
void bdag_drive_backward(bdag_engine *engine, bdag_axis axis, const bdag_exchange *exchange);

#endif
