/* The public calls of the loss and of the backward pass. May include plan and below. */
#include <math.h>
#include <string.h>

#include "runtime/drive.h"
#include "runtime/float_mode.h"
#include "runtime/trace_internal.h"

/* c_s and c_s/Z; the lanes after the last sample get 0. */
static bdag_status weigh_samples(bdag_engine *engine, const double *sample_weights,
                                 double normalizer) {
  double total = 0;
  for (uint64_t s = 0; s < engine->batch; s++) {
    const double c = sample_weights != NULL ? sample_weights[s] : 1.0;
    if (!(c >= 0) || !isfinite(c)) {
      engine->failure = (bdag_failure){BDAG_ERROR_INVALID_ARGUMENT, BDAG_NONE, s, BDAG_NONE};
      return BDAG_ERROR_INVALID_ARGUMENT;
    }
    engine->sample_weight[s] = c;
    total += c;
  }
  const bdag_normalization kind = engine->plan->normalization;
  const double z = kind == BDAG_NORMALIZE_WEIGHTS ? total
                   : kind == BDAG_NORMALIZE_ONE   ? 1.0
                                                  : normalizer;
  if (!(z > 0) || !isfinite(z)) return BDAG_ERROR_INVALID_ARGUMENT;
  const uint64_t lanes = engine->batch_tiles * engine->tile;
  for (uint64_t s = engine->batch; s < lanes; s++) engine->sample_weight[s] = 0;
  for (uint64_t s = 0; s < lanes; s++) engine->factor[s] = engine->sample_weight[s] / z;
  memset(engine->sample_loss, 0, lanes * sizeof *engine->sample_loss);
  return BDAG_OK;
}

/* Checks, and what a pass over the losses of the last forward pass begins with. */
static bdag_status begin_loss(bdag_engine *engine, const bdag_backward_options *options,
                              bdag_pass_kind kind, bdag_axis *axis) {
  if (!engine->plan->has_loss) return BDAG_ERROR_NO_LOSS;
  if (!engine->forward_done) return BDAG_ERROR_ORDER;
  bdag_spread_single(engine);
  if (engine->plan->target_count > 0 &&
      (options->targets == NULL || !bdag_is_array(options->targets)))
    return BDAG_ERROR_INVALID_ARGUMENT;
  *axis = bdag_begin_pass(engine, *axis);
  if (bdag_engine_failed(engine)) return (bdag_status)atomic_load(&engine->status);
  bdag_trace_begin_pass(engine, kind, *axis);
  return weigh_samples(engine, options->sample_weights, options->normalizer);
}

bdag_status bdag_loss(bdag_engine *engine, const void *targets, const double *sample_weights,
                      double *loss) {
  if (engine == NULL || loss == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_array array = bdag_dense_array(engine, targets, engine->plan->target_count);
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = targets != NULL ? &array : NULL;
  options.sample_weights = sample_weights;
  engine->caller_mode = bdag_float_mode_enter(engine->flush_to_zero);
  bdag_axis axis = bdag_engine_choose_axis(engine, engine->batch_tiles, 0);
  bdag_status status = begin_loss(engine, &options, BDAG_PASS_LOSS, &axis);
  if (status == BDAG_OK) {
    const bdag_exchange exchange = {.targets = options.targets};
    bdag_drive_loss(engine, &exchange);
    status = (bdag_status)atomic_load(&engine->status);
    if (status == BDAG_OK) *loss = bdag_loss_total(engine);
    bdag_trace_end_pass(engine);
  }
  bdag_float_mode_leave(engine->caller_mode);
  bdag_end_pass(engine);
  return status;
}

/* Groups of the pass, and whether each takes the place of the one before it. */
static void group_tiles(bdag_engine *engine, bdag_axis axis) {
  const int by_tiles = axis == BDAG_AXIS_TILES || axis == BDAG_AXIS_SERIAL;
  const uint64_t tiles = engine->batch_tiles;
  const uint32_t keep = BDAG_KEEP_OUT_GRAD | BDAG_KEEP_IN_GRAD | BDAG_KEEP_INPUT_GRAD;
  const uint32_t groups = bdag_engine_choose_groups(engine, tiles, axis);
  engine->pass_groups = groups;
  engine->group_step = 0;
  if (axis == BDAG_AXIS_TILES && !engine->options.deterministic)
    engine->group_step = groups < engine->pass_threads ? 1 : groups / engine->pass_threads;
  const uint64_t places = engine->pass_threads * ((tiles + groups - 1) / groups);
  engine->reuses_grad = by_tiles && (engine->options.keep & keep) == 0 && places <= tiles;
}

static bdag_status backward(bdag_engine *engine, const bdag_weights *weights,
                            const bdag_backward_options *options, double *loss) {
  bdag_axis axis = bdag_engine_choose_axis(engine, engine->batch_tiles, 1);
  bdag_status status = begin_loss(engine, options, BDAG_PASS_BACKWARD, &axis);
  if (status != BDAG_OK) return status;
  engine->backward_done = 0;
  engine->weights = weights;
  engine->accumulate = options->accumulate && engine->has_gradient;
  group_tiles(engine, axis);
  const bdag_exchange exchange = {.targets = options->targets, .want_grad = 1};
  bdag_drive_backward(engine, axis, &exchange);
  status = (bdag_status)atomic_load(&engine->status);
  engine->has_gradient = status == BDAG_OK;
  if (status != BDAG_OK) return status;
  if (loss != NULL) *loss = bdag_loss_total(engine);
  bdag_trace_end_pass(engine);
  engine->backward_done = 1;
  return BDAG_OK;
}

bdag_status bdag_backward_arrays(bdag_engine *engine, const bdag_weights *weights,
                                 const bdag_backward_options *options, double *loss) {
  const bdag_status status = bdag_check_weights(engine, weights);
  if (status != BDAG_OK) return status;
  if (options == NULL || options->size != sizeof *options) return BDAG_ERROR_INVALID_ARGUMENT;
  engine->caller_mode = bdag_float_mode_enter(engine->flush_to_zero);
  const bdag_status result = backward(engine, weights, options, loss);
  bdag_float_mode_leave(engine->caller_mode);
  bdag_end_pass(engine);
  return result;
}

bdag_status bdag_backward(bdag_engine *engine, const bdag_weights *weights, const void *targets,
                          const double *sample_weights, double *loss) {
  if (engine == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_array array = bdag_dense_array(engine, targets, engine->plan->target_count);
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = targets != NULL ? &array : NULL;
  options.sample_weights = sample_weights;
  return bdag_backward_arrays(engine, weights, &options, loss);
}
