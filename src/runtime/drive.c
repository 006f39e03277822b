/* Driving a pass over all tiles and tasks: serially, tile by tile on several threads, or by tasks of
 * vertices; and the public calls. May include plan and below. */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "runtime/engine_internal.h"
#include "runtime/float_mode.h"

typedef void (*tile_work)(bdag_engine *engine, uint64_t item, const void *argument);

/* Calls work for items 0 … count−1. Neighbouring items go to one thread, the same in every pass, so
 * that a tile's rows stay in its cache. */
static void for_each(bdag_engine *engine, uint64_t count, uint32_t threads, tile_work work,
                     const void *argument) {
  if (threads <= 1 || count <= 1) {
    for (uint64_t item = 0; item < count; item++) work(engine, item, argument);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
#pragma omp for schedule(static) nowait
    for (uint64_t item = 0; item < count; item++) work(engine, item, argument);
    bdag_float_mode_leave(saved);
  }
}

static int stopped(bdag_engine *engine) {
  if (atomic_load_explicit(&engine->cancelled, memory_order_relaxed))
    bdag_engine_fail(engine, BDAG_ERROR_CANCELLED, BDAG_NONE, BDAG_NONE, BDAG_NONE);
  return bdag_engine_failed(engine);
}

static uint64_t enter_worker(void *argument) {
  return bdag_float_mode_enter(((bdag_engine *)argument)->flush_to_zero);
}

static void leave_worker(void *argument, uint64_t saved) {
  bdag_float_mode_leave(saved);
}

static void run_graph(bdag_engine *engine, const bdag_task_graph *graph,
                      void (*run)(void *, uint32_t)) {
  const bdag_task_work work = {run, enter_worker, leave_worker, engine};
  bdag_scheduler_run(&engine->scheduler, graph, engine->pass_threads, &work);
}

/* ---- Forward ------------------------------------------------------------------------------------- */

typedef struct bdag_exchange {
  const bdag_array *x, *y, *targets;
  int read_out, want_grad;
} bdag_exchange;

static void load_tile(bdag_engine *engine, uint64_t tile, const void *argument) {
  bdag_load_inputs(engine, tile, ((const bdag_exchange *)argument)->x);
}

static void store_tile(bdag_engine *engine, uint64_t tile, const void *argument) {
  const bdag_exchange *exchange = argument;
  if (exchange->y != NULL) bdag_store_outputs(engine, tile, exchange->y, exchange->read_out);
}

/* Tiles of a chunk: as many as share a task's weights, but enough chunks for the threads. */
static uint64_t chunk_of_pass(const bdag_engine *engine) {
  const uint64_t share = (engine->batch_tiles + engine->pass_threads - 1) / engine->pass_threads;
  return share < engine->forward_tiles ? share : engine->forward_tiles;
}

static void forward_chunk(bdag_engine *engine, uint64_t chunk, const void *argument) {
  const uint64_t size = chunk_of_pass(engine), first = chunk * size;
  const uint64_t rest = engine->batch_tiles - first, tiles = rest < size ? rest : size;
  for (uint64_t tile = first; tile < first + tiles; tile++) load_tile(engine, tile, argument);
  for (uint32_t t = 0; t < engine->plan->forward_tasks && !stopped(engine); t++)
    bdag_forward_task(engine, t, first, tiles);
  for (uint64_t tile = first; tile < first + tiles; tile++) store_tile(engine, tile, argument);
}

static void forward_all_tiles(void *argument, uint32_t task) {
  bdag_engine *engine = argument;
  if (!stopped(engine)) bdag_forward_task(engine, task, 0, engine->batch_tiles);
}

static void begin_pass(bdag_engine *engine, bdag_axis axis) {
  atomic_store(&engine->status, BDAG_OK);
  atomic_store(&engine->cancelled, 0);
  engine->failure = (bdag_failure){BDAG_OK, BDAG_NONE, BDAG_NONE, BDAG_NONE};
  engine->pass_threads = axis == BDAG_AXIS_SERIAL ? 1 : engine->options.threads;
}

static bdag_status check_weights(const bdag_engine *engine, const bdag_weights *weights) {
  if (engine == NULL || weights == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (weights->plan != engine->plan || weights->type != engine->options.type)
    return BDAG_ERROR_MISMATCH;
  return BDAG_OK;
}

static int valid_array(const bdag_array *array) {
  return array->data != NULL && (array->type == BDAG_FLOAT32 || array->type == BDAG_FLOAT64);
}

static void forward_chunks(bdag_engine *engine, const bdag_exchange *exchange) {
  const uint64_t size = chunk_of_pass(engine);
  for_each(engine, (engine->batch_tiles + size - 1) / size, engine->pass_threads, forward_chunk,
           exchange);
}

/* One sample is not worth a team. */
static bdag_status forward_one(bdag_engine *engine, const bdag_array *x, const bdag_array *y,
                               int read_out) {
  const bdag_exchange exchange = {.x = x, .y = y, .read_out = read_out};
  begin_pass(engine, BDAG_AXIS_SERIAL);
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  engine->is_single = bdag_forward_single(engine, x) == 0;
  if (!engine->is_single) {
    bdag_gather_weights(engine);
    forward_chunks(engine, &exchange);
  } else if (y != NULL) {
    bdag_spread_outputs(engine);
    bdag_store_outputs(engine, 0, y, read_out);
  }
  bdag_float_mode_leave(saved);
  engine->forward_done = !bdag_engine_failed(engine);
  return (bdag_status)atomic_load(&engine->status);
}

static bdag_status forward(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                           const bdag_array *x, const bdag_array *y, int read_out) {
  const bdag_status status = check_weights(engine, weights);
  if (status != BDAG_OK) return status;
  if (batch == 0 || batch > engine->options.max_batch) return BDAG_ERROR_INVALID_ARGUMENT;
  if (engine->plan->input_count > 0 && (x == NULL || !valid_array(x)))
    return BDAG_ERROR_INVALID_ARGUMENT;
  if (y != NULL && engine->plan->output_count == 0) return BDAG_ERROR_NO_OUTPUTS;
  if (y != NULL && !valid_array(y)) return BDAG_ERROR_INVALID_ARGUMENT;
  engine->weights = weights;
  engine->batch = batch;
  engine->batch_tiles = (batch + engine->tile - 1) / engine->tile;
  engine->forward_done = engine->backward_done = engine->is_single = 0;
  if (batch == 1 && engine->single_out != NULL) return forward_one(engine, x, y, read_out);
  const bdag_axis axis = bdag_engine_choose_axis(engine, engine->batch_tiles, 0);
  begin_pass(engine, axis);
  const bdag_exchange exchange = {.x = x, .y = y, .read_out = read_out};
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  bdag_gather_weights(engine);
  if (axis == BDAG_AXIS_VERTICES) {
    for_each(engine, engine->batch_tiles, engine->pass_threads, load_tile, &exchange);
    run_graph(engine, &engine->plan->forward, forward_all_tiles);
    for_each(engine, engine->batch_tiles, engine->pass_threads, store_tile, &exchange);
  } else {
    forward_chunks(engine, &exchange);
  }
  bdag_float_mode_leave(saved);
  engine->forward_done = !bdag_engine_failed(engine);
  return (bdag_status)atomic_load(&engine->status);
}

static bdag_array rows_of(const bdag_engine *engine, const void *data, uint64_t columns) {
  return (bdag_array){(void *)(uintptr_t)data, engine->options.type, (ptrdiff_t)columns, 1};
}

static bdag_status forward_simple(bdag_engine *engine, const bdag_weights *weights, uint64_t batch,
                                  const void *x, void *y, int read_out) {
  if (engine == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_array from = rows_of(engine, x, engine->plan->input_count);
  const bdag_array to = rows_of(engine, y, engine->plan->output_count);
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

/* ---- Loss ---------------------------------------------------------------------------------------- */

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

static int finite_at(const bdag_engine *engine, const char *rows, uint64_t at) {
  return engine->options.type == BDAG_FLOAT32 ? isfinite(((const float *)rows)[at])
                                              : isfinite(((const double *)rows)[at]);
}

/* Whether a sample of weight 0 holds something that is not finite: 0·NaN must not reach a sum. */
static void find_left_out(bdag_engine *engine, uint64_t tile) {
  const uint64_t first = tile * engine->tile;
  const char *rows = bdag_tile_rows(engine, engine->out, tile, engine->plan->rows);
  engine->has_left_out[tile] = 0;
  for (uint64_t s = 0; s < bdag_tile_samples(engine, tile); s++) {
    if (engine->sample_weight[first + s] != 0) continue;
    for (uint32_t row = 0; row < engine->plan->rows; row++)
      if (!finite_at(engine, rows, (uint64_t)row * engine->tile + s)) {
        engine->has_left_out[tile] = 1;
        return;
      }
  }
}

static void loss_of_tile(bdag_engine *engine, uint64_t tile, const void *argument) {
  const bdag_exchange *exchange = argument;
  if (stopped(engine)) return;
  bdag_loss_tile(engine, tile, exchange->want_grad);
  find_left_out(engine, tile);
}

static void targets_of_tile(bdag_engine *engine, uint64_t tile, const void *argument) {
  const bdag_exchange *exchange = argument;
  if (exchange->targets != NULL) bdag_load_targets(engine, tile, exchange->targets);
}

static int has_batch_loss(const bdag_plan *plan) {
  for (uint32_t t = 0; t < plan->loss_count; t++)
    if (plan->loss[t].whole_batch) return 1;
  return 0;
}

static bdag_status begin_loss(bdag_engine *engine, const bdag_backward_options *options,
                              bdag_axis axis) {
  if (!engine->plan->has_loss) return BDAG_ERROR_NO_LOSS;
  if (!engine->forward_done) return BDAG_ERROR_ORDER;
  bdag_spread_single(engine);
  if (engine->plan->target_count > 0 &&
      (options->targets == NULL || !valid_array(options->targets)))
    return BDAG_ERROR_INVALID_ARGUMENT;
  begin_pass(engine, axis);
  const bdag_status status = weigh_samples(engine, options->sample_weights, options->normalizer);
  if (status != BDAG_OK) return status;
  const bdag_exchange exchange = {.targets = options->targets};
  for_each(engine, engine->batch_tiles, engine->pass_threads, targets_of_tile, &exchange);
  if (has_batch_loss(engine->plan)) bdag_loss_batch(engine);
  return BDAG_OK;
}

bdag_status bdag_loss(bdag_engine *engine, const void *targets, const double *sample_weights,
                      double *loss) {
  if (engine == NULL || loss == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_array array = rows_of(engine, targets, engine->plan->target_count);
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = targets != NULL ? &array : NULL;
  options.sample_weights = sample_weights;
  const bdag_axis axis = bdag_engine_choose_axis(engine, engine->batch_tiles, 0);
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  bdag_status status = begin_loss(engine, &options, axis);
  if (status == BDAG_OK) {
    const bdag_exchange exchange = {.want_grad = 0};
    for_each(engine, engine->batch_tiles, engine->pass_threads, loss_of_tile, &exchange);
    status = (bdag_status)atomic_load(&engine->status);
    if (status == BDAG_OK) *loss = bdag_loss_total(engine);
  }
  bdag_float_mode_leave(saved);
  return status;
}

/* ---- Backward ------------------------------------------------------------------------------------ */

static uint64_t group_begin(const bdag_engine *engine, uint64_t group) {
  return group * engine->batch_tiles / engine->pass_groups;
}

/* The tiles of one gradient buffer, chunk by chunk. */
static void backward_group(bdag_engine *engine, uint64_t group, const void *argument) {
  const uint64_t begin = group_begin(engine, group), end = group_begin(engine, group + 1);
  for (uint64_t first = begin; first < end; first += engine->chunk_tiles) {
    const uint64_t rest = end - first;
    const uint64_t tiles = rest < engine->chunk_tiles ? rest : engine->chunk_tiles;
    for (uint64_t tile = first; tile < first + tiles; tile++) loss_of_tile(engine, tile, argument);
    const int accumulate = first > begin || (engine->accumulate && group == 0);
    for (uint32_t t = 0; t < engine->plan->backward_tasks && !stopped(engine); t++)
      bdag_backward_task(engine, t, first, tiles, (uint32_t)group, accumulate);
  }
}

/* The same sums as backward_group takes, chunk by chunk. */
static void backward_all_tiles(void *argument, uint32_t task) {
  bdag_engine *engine = argument;
  for (uint32_t group = 0; group < engine->pass_groups; group++) {
    const uint64_t begin = group_begin(engine, group), end = group_begin(engine, group + 1);
    for (uint64_t first = begin; first < end && !stopped(engine); first += engine->chunk_tiles) {
      const uint64_t rest = end - first;
      bdag_backward_task(engine, task, first,
                         rest < engine->chunk_tiles ? rest : engine->chunk_tiles, group,
                         first > begin || (engine->accumulate && group == 0));
    }
  }
}

static void run_backward(bdag_engine *engine, bdag_axis axis) {
  const bdag_exchange want_grad = {.want_grad = 1};
  if (axis != BDAG_AXIS_VERTICES) {
    for_each(engine, engine->pass_groups, engine->pass_threads, backward_group, &want_grad);
    return;
  }
  for_each(engine, engine->batch_tiles, engine->pass_threads, loss_of_tile, &want_grad);
  run_graph(engine, &engine->plan->backward, backward_all_tiles);
}

/* Gradient buffers of this pass: fixed by the engine in deterministic mode, else one a thread. */
static uint32_t groups_of_pass(const bdag_engine *engine, bdag_axis axis) {
  uint64_t groups = engine->groups;
  if (!engine->options.deterministic && axis != BDAG_AXIS_TILES) groups = 1;
  if (groups > engine->batch_tiles) groups = engine->batch_tiles;
  return (uint32_t)groups;
}

static bdag_status backward(bdag_engine *engine, const bdag_weights *weights,
                            const bdag_backward_options *options, double *loss) {
  const bdag_axis axis = bdag_engine_choose_axis(engine, engine->batch_tiles, 1);
  bdag_status status = begin_loss(engine, options, axis);
  if (status != BDAG_OK) return status;
  engine->backward_done = 0;
  engine->weights = weights;
  engine->accumulate = options->accumulate && engine->has_gradient;
  engine->pass_groups = groups_of_pass(engine, axis);
  run_backward(engine, axis);
  status = (bdag_status)atomic_load(&engine->status);
  if (status != BDAG_OK) return status;
  bdag_reduce_gradients(engine, engine->pass_threads);
  if (loss != NULL) *loss = bdag_loss_total(engine);
  engine->backward_done = engine->has_gradient = 1;
  return BDAG_OK;
}

bdag_status bdag_backward_arrays(bdag_engine *engine, const bdag_weights *weights,
                                 const bdag_backward_options *options, double *loss) {
  const bdag_status status = check_weights(engine, weights);
  if (status != BDAG_OK) return status;
  if (options == NULL || options->size != sizeof *options) return BDAG_ERROR_INVALID_ARGUMENT;
  const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
  const bdag_status result = backward(engine, weights, options, loss);
  bdag_float_mode_leave(saved);
  return result;
}

bdag_status bdag_backward(bdag_engine *engine, const bdag_weights *weights, const void *targets,
                          const double *sample_weights, double *loss) {
  if (engine == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_array array = rows_of(engine, targets, engine->plan->target_count);
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = targets != NULL ? &array : NULL;
  options.sample_weights = sample_weights;
  return bdag_backward_arrays(engine, weights, &options, loss);
}
