/* The public calls of the forward pass. May include plan and below. */
#include "runtime/drive.h"
#include "runtime/float_mode.h"
#include "runtime/trace_internal.h"

/* What bdag_begin_pass does, without what only teams need. */
static void begin_alone(bdag_engine *engine) {
  atomic_store_explicit(&engine->status, BDAG_OK, memory_order_relaxed);
  atomic_store_explicit(&engine->cancelled, 0, memory_order_relaxed);
  engine->failure = (bdag_failure){BDAG_OK, BDAG_NONE, BDAG_NONE, BDAG_NONE};
  engine->pass_threads = 1;
}

static void end_one(bdag_engine *engine, const bdag_exchange *exchange) {
  if (exchange->y == NULL) return;
  if (!exchange->read_out) {
    bdag_store_single(engine, exchange->y);
    return;
  }
  bdag_spread_outputs(engine);
  const bdag_part_of_tile whole = bdag_whole_tile(engine, 0);
  bdag_store_outputs(engine, 0, &whole, exchange->y, 1);
}

/* Only large networks are worth a team for one sample. */
static bdag_axis begin_one(bdag_engine *engine) {
  if (engine->single_threads > 1) return bdag_begin_pass(engine, BDAG_AXIS_VERTICES);
  begin_alone(engine);
  return BDAG_AXIS_SERIAL;
}

static bdag_status forward_one(bdag_engine *engine, const bdag_exchange *exchange) {
  const bdag_axis axis = begin_one(engine);
  if (bdag_engine_failed(engine)) return (bdag_status)atomic_load(&engine->status);
  bdag_trace_begin_pass(engine, BDAG_PASS_FORWARD, axis);
  engine->caller_mode = bdag_float_mode_enter(engine->flush_to_zero);
  engine->is_single = bdag_forward_single(engine, exchange->x) == 0;
  if (engine->is_single) {
    end_one(engine, exchange);
  } else {
    bdag_gather_weights(engine);
    bdag_drive_forward(engine, BDAG_AXIS_SERIAL, exchange);
  }
  bdag_float_mode_leave(engine->caller_mode);
  if (engine->single_threads > 1) bdag_end_pass(engine);
  bdag_trace_end_pass(engine);
  if (atomic_load_explicit(&engine->cancelled, memory_order_relaxed))
    bdag_engine_fail(engine, BDAG_ERROR_CANCELLED, BDAG_NONE, BDAG_NONE, BDAG_NONE);
  engine->forward_done = !bdag_engine_failed(engine);
  return (bdag_status)atomic_load_explicit(&engine->status, memory_order_relaxed);
}

static bdag_status check_exchange(const bdag_engine *engine, uint64_t batch, const bdag_array *x,
                                  const bdag_array *y) {
  if (batch == 0 || batch > engine->options.max_batch) return BDAG_ERROR_INVALID_ARGUMENT;
  if (engine->plan->input_count > 0 && (x == NULL || !bdag_is_array(x)))
    return BDAG_ERROR_INVALID_ARGUMENT;
  if (y != NULL && engine->plan->output_count == 0) return BDAG_ERROR_NO_OUTPUTS;
  if (y != NULL && !bdag_is_array(y)) return BDAG_ERROR_INVALID_ARGUMENT;
  return BDAG_OK;
}

static bdag_status forward(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                           const bdag_array *x, const bdag_array *y, int read_out) {
  bdag_status status = bdag_check_weights(engine, weights);
  if (status == BDAG_OK) status = check_exchange(engine, batch, x, y);
  if (status != BDAG_OK) return status;
  engine->weights = weights;
  engine->batch = batch;
  engine->batch_tiles = (batch + engine->tile - 1) / engine->tile;
  engine->forward_done = engine->backward_done = engine->is_single = 0;
  const bdag_exchange exchange = {.x = x, .y = y, .read_out = read_out};
  if (batch == 1 && engine->single_step != NULL) return forward_one(engine, &exchange);
  const bdag_axis axis =
      bdag_begin_pass(engine, bdag_engine_choose_axis(engine, engine->batch_tiles, 0));
  bdag_trace_begin_pass(engine, BDAG_PASS_FORWARD, axis);
  bdag_gather_weights(engine);
  engine->caller_mode = bdag_float_mode_enter(engine->flush_to_zero);
  bdag_drive_forward(engine, axis, &exchange);
  bdag_float_mode_leave(engine->caller_mode);
  bdag_end_pass(engine);
  bdag_trace_end_pass(engine);
  engine->forward_done = !bdag_engine_failed(engine);
  return (bdag_status)atomic_load(&engine->status);
}

static bdag_status forward_simple(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                                  const void *x, void *y, int read_out) {
  if (engine == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_array from = bdag_dense_array(engine, x, engine->plan->input_count);
  const bdag_array to = bdag_dense_array(engine, y, engine->plan->output_count);
  return forward(engine, weights, batch, &from, y != NULL ? &to : NULL, read_out);
}

bdag_status bdag_forward(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                         const void *x, void *y) {
  return forward_simple(engine, weights, batch, x, y, 0);
}

bdag_status bdag_predict(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                         const void *x, void *y) {
  return forward_simple(engine, weights, batch, x, y, 1);
}

bdag_status bdag_forward_arrays(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                                const bdag_array *x, const bdag_array *y) {
  return forward(engine, weights, batch, x, y, 0);
}

bdag_status bdag_predict_arrays(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                                const bdag_array *x, const bdag_array *y) {
  return forward(engine, weights, batch, x, y, 1);
}
