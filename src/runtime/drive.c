/* Driving a pass over all tiles and tasks: serially, tile by tile on several threads, or by tasks of
 * vertices; each pass in one parallel region. May include plan and below. */
#include "runtime/drive.h"

#include <math.h>
#include <omp.h>

#include "base/team.h"
#include "runtime/float_mode.h"

/* ---- Teams --------------------------------------------------------------------------------------- */

/* One of the threads that run a pass. */
typedef struct bdag_worker {
  uint32_t number, team;
} bdag_worker;

typedef void (*pass_part)(bdag_engine *engine, bdag_worker worker, const void *argument);

static int stopped(bdag_engine *engine) {
  if (atomic_load_explicit(&engine->cancelled, memory_order_relaxed))
    bdag_engine_fail(engine, BDAG_ERROR_CANCELLED, BDAG_NONE, BDAG_NONE, BDAG_NONE);
  return bdag_engine_failed(engine);
}

/* Calls `part` on every thread of a team: the one parallel region of a pass. A pass that was cancelled
 * meanwhile has failed, even if nothing was left to skip. */
static void on_team(bdag_engine *engine, pass_part part, const void *argument) {
  if (engine->pass_threads <= 1) {
    part(engine, (bdag_worker){0, 1}, argument);
    (void)stopped(engine);
    return;
  }
  bdag_float_mode_leave(engine->caller_mode); /* what threads that are made now begin with */
#pragma omp parallel num_threads(engine->pass_threads)
  {
    const uint64_t saved = bdag_float_mode_enter(engine->flush_to_zero);
    const bdag_worker worker = {(uint32_t)omp_get_thread_num(), (uint32_t)omp_get_num_threads()};
    bdag_team_bind(engine->context, worker.number);
    part(engine, worker, argument);
    bdag_team_unbind(engine->context, worker.number);
    bdag_float_mode_leave(saved);
  }
  (void)bdag_float_mode_enter(engine->flush_to_zero);
  (void)stopped(engine);
}

/* Until every thread of the team is here; `meeting` counts those of a pass. */
static void meet(bdag_engine *engine, bdag_worker worker, uint32_t meeting) {
  if (worker.team > 1) bdag_meet(&engine->meeting[meeting], worker.team, engine->patience);
}

/* Neighbouring items go to one thread, the same in every pass, so that a tile's rows stay in its
 * cache. */
static inline uint64_t share_begin(bdag_worker worker, uint64_t count) {
  return worker.number * count / worker.team;
}

static inline uint64_t share_end(bdag_worker worker, uint64_t count) {
  return (worker.number + UINT64_C(1)) * count / worker.team;
}

bdag_status bdag_check_weights(const bdag_engine *engine, const bdag_weights *weights) {
  if (engine == NULL || weights == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (weights->plan != engine->plan || weights->type != engine->options.type)
    return BDAG_ERROR_MISMATCH;
  return BDAG_OK;
}

bdag_axis bdag_begin_pass(bdag_engine *engine, bdag_axis axis) {
  atomic_store(&engine->status, BDAG_OK);
  atomic_store(&engine->cancelled, 0);
  engine->failure = (bdag_failure){BDAG_OK, BDAG_NONE, BDAG_NONE, BDAG_NONE};
  for (uint32_t i = 0; i < BDAG_MEETINGS; i++) bdag_meeting_prepare(&engine->meeting[i]);
  engine->pass_threads = 1;
  if (axis == BDAG_AXIS_SERIAL) return axis;
  engine->claimed = bdag_team_enter(engine->context, engine->options.threads);
  if (engine->claimed == 0)
    bdag_engine_fail(engine, BDAG_ERROR_THREADS, BDAG_NONE, BDAG_NONE, BDAG_NONE);
  if (engine->claimed <= 1) return BDAG_AXIS_SERIAL;
  engine->pass_threads = engine->claimed;
  return axis;
}

void bdag_end_pass(bdag_engine *engine) {
  bdag_team_leave(engine->context, engine->claimed);
  engine->claimed = 0;
}

typedef void (*task_run)(void *engine, uint32_t task);

static const bdag_task_graph *graph_of(const bdag_engine *engine, int backward) {
  return backward ? &engine->plan->backward : &engine->plan->forward;
}

static void prepare_tasks(bdag_engine *engine, int backward, task_run run) {
  const bdag_task_work work = {.run = run, .argument = engine};
  engine->in_stages = engine->stages[backward].count > 0;
  if (engine->in_stages)
    bdag_stages_prepare(&engine->stages[backward]);
  else
    bdag_scheduler_prepare(&engine->scheduler, graph_of(engine, backward), &work);
}

/* The same with as many copies of each task as there are stretches of tiles. */
static void prepare_copies(bdag_engine *engine, int backward, task_run run) {
  const bdag_task_work work = {
      .run = run, .argument = engine, .copies = engine->pass_copies, .chained = backward};
  bdag_scheduler_prepare(&engine->scheduler, graph_of(engine, backward), &work);
}

static void join_tasks(bdag_engine *engine, bdag_worker worker, int backward, task_run run) {
  const bdag_task_work work = {.run = run,
                               .argument = engine,
                               .expect = backward ? bdag_expect_backward : bdag_expect_forward};
  if (engine->in_stages)
    bdag_stages_join(&engine->stages[backward], worker.number, worker.team, &work);
  else
    bdag_scheduler_join(&engine->scheduler, worker.number, worker.team);
}

/* ---- Forward ------------------------------------------------------------------------------------- */

static void load_tile(bdag_engine *engine, uint64_t tile, const bdag_exchange *exchange) {
  const bdag_part_of_tile whole = bdag_whole_tile(engine, tile);
  bdag_load_inputs(engine, tile, &whole, exchange->x);
}

static void store_tile(bdag_engine *engine, uint64_t tile, const bdag_exchange *exchange) {
  if (exchange->y == NULL) return;
  const bdag_part_of_tile whole = bdag_whole_tile(engine, tile);
  bdag_store_outputs(engine, tile, &whole, exchange->y, exchange->read_out);
}

/* Tiles of a chunk: as many as share a task's weights, but enough chunks for the threads. */
static uint64_t chunk_of_pass(const bdag_engine *engine) {
  const uint64_t share = (engine->batch_tiles + engine->pass_threads - 1) / engine->pass_threads;
  return share < engine->forward_tiles ? share : engine->forward_tiles;
}

static void forward_chunk(bdag_engine *engine, uint64_t first, uint64_t tiles,
                          const bdag_exchange *exchange) {
  for (uint64_t tile = first; tile < first + tiles; tile++) load_tile(engine, tile, exchange);
  for (uint32_t t = 0; t < engine->plan->forward_tasks && !stopped(engine);)
    t += bdag_forward_tasks(engine, t, first, tiles, NULL);
  for (uint64_t tile = first; tile < first + tiles; tile++) store_tile(engine, tile, exchange);
}

static void forward_part(bdag_engine *engine, uint64_t tile, const bdag_part_of_tile *part,
                         const bdag_exchange *exchange) {
  bdag_load_inputs(engine, tile, part, exchange->x);
  for (uint32_t t = 0; t < engine->plan->forward_tasks && !stopped(engine);)
    t += bdag_forward_tasks(engine, t, tile, 1, part);
  if (exchange->y != NULL) bdag_store_outputs(engine, tile, part, exchange->y, exchange->read_out);
}

/* Parts of BDAG_NARROW_TILE lanes, of the lanes that have samples. */
static void forward_by_parts(bdag_engine *engine, bdag_worker worker,
                             const bdag_exchange *exchange) {
  const uint32_t most = BDAG_NARROW_TILE;
  const uint64_t a_tile = (engine->tile + most - 1) / most, last = engine->batch_tiles - 1;
  const uint64_t parts = last * a_tile + (bdag_tile_lanes(engine, last) + most - 1) / most;
  for (uint64_t p = share_begin(worker, parts); p < share_end(worker, parts); p++) {
    const uint64_t tile = p / a_tile;
    bdag_part_of_tile part = {.number = (uint32_t)(p % a_tile), .lanes = most};
    part.first = (size_t)part.number * most;
    const size_t rest = bdag_tile_lanes(engine, tile) - part.first;
    if (rest < most) part.lanes = rest;
    forward_part(engine, tile, &part, exchange);
  }
}

static void forward_by_tiles(bdag_engine *engine, bdag_worker worker, const void *argument) {
  if (bdag_engine_cuts(engine, engine->batch_tiles, engine->pass_threads)) {
    forward_by_parts(engine, worker, argument);
    return;
  }
  const uint64_t size = chunk_of_pass(engine), chunks = (engine->batch_tiles + size - 1) / size;
  for (uint64_t c = share_begin(worker, chunks); c < share_end(worker, chunks); c++) {
    const uint64_t rest = engine->batch_tiles - c * size;
    forward_chunk(engine, c * size, rest < size ? rest : size, argument);
  }
}

static void forward_all_tiles(void *argument, uint32_t task) {
  bdag_engine *engine = argument;
  if (!stopped(engine)) bdag_forward_task(engine, task, 0, engine->batch_tiles, NULL);
}

static uint64_t copy_begin(const bdag_engine *engine, uint64_t copy, uint64_t count) {
  return copy * count / engine->pass_copies;
}

static void forward_copy(void *argument, uint32_t number) {
  bdag_engine *engine = argument;
  const uint32_t tasks = engine->plan->forward_tasks, copy = number / tasks;
  const uint64_t end = copy_begin(engine, copy + 1, engine->batch_tiles);
  const uint64_t first = copy_begin(engine, copy, engine->batch_tiles);
  if (!stopped(engine)) bdag_forward_task(engine, number % tasks, first, end - first, NULL);
}

static void forward_by_vertices(bdag_engine *engine, bdag_worker worker, const void *argument) {
  const bdag_exchange *exchange = argument;
  const uint64_t begin = share_begin(worker, engine->batch_tiles);
  const uint64_t end = share_end(worker, engine->batch_tiles);
  for (uint64_t tile = begin; tile < end; tile++) load_tile(engine, tile, exchange);
  meet(engine, worker, 0);
  join_tasks(engine, worker, 0, forward_all_tiles);
  for (uint64_t tile = begin; tile < end; tile++) store_tile(engine, tile, exchange);
}

void bdag_drive_forward(bdag_engine *engine, bdag_axis axis, const bdag_exchange *exchange) {
  engine->pass_copies = 1;
  engine->in_stages = 0;
  if (axis != BDAG_AXIS_VERTICES && axis != BDAG_AXIS_BOTH) {
    on_team(engine, forward_by_tiles, exchange);
    return;
  }
  if (axis == BDAG_AXIS_BOTH)
    engine->pass_copies = bdag_engine_choose_copies(engine, engine->batch_tiles);
  if (engine->pass_copies > 1)
    prepare_copies(engine, 0, forward_copy);
  else
    prepare_tasks(engine, 0, forward_all_tiles);
  on_team(engine, forward_by_vertices, exchange);
}

/* ---- Loss ---------------------------------------------------------------------------------------- */

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

static void loss_of_tiles(bdag_engine *engine, uint64_t begin, uint64_t end,
                          const bdag_exchange *exchange) {
  for (uint64_t tile = begin; tile < end && !stopped(engine); tile++) {
    if (exchange->targets != NULL) bdag_load_targets(engine, tile, exchange->targets);
    bdag_loss_tile(engine, tile, exchange->want_grad);
    find_left_out(engine, tile);
  }
}

static void targets_by_tiles(bdag_engine *engine, bdag_worker worker, const void *argument) {
  const uint64_t end = share_end(worker, engine->batch_tiles);
  for (uint64_t tile = share_begin(worker, engine->batch_tiles); tile < end; tile++)
    bdag_load_targets(engine, tile, argument);
}

/* Callbacks that see the whole batch: on the calling thread, when all targets are in their rows.
 * What is left to load afterwards. */
static bdag_exchange see_batch(bdag_engine *engine, const bdag_exchange *exchange) {
  bdag_exchange rest = *exchange;
  int wanted = 0;
  for (uint32_t t = 0; t < engine->plan->loss_count; t++)
    wanted |= engine->plan->loss[t].whole_batch;
  if (!wanted) return rest;
  if (exchange->targets != NULL) on_team(engine, targets_by_tiles, exchange->targets);
  rest.targets = NULL;
  bdag_loss_batch(engine);
  return rest;
}

static void loss_by_tiles(bdag_engine *engine, bdag_worker worker, const void *argument) {
  loss_of_tiles(engine, share_begin(worker, engine->batch_tiles),
                share_end(worker, engine->batch_tiles), argument);
}

void bdag_drive_loss(bdag_engine *engine, const bdag_exchange *exchange) {
  const bdag_exchange rest = see_batch(engine, exchange);
  on_team(engine, loss_by_tiles, &rest);
}

/* ---- Backward ------------------------------------------------------------------------------------ */

static void backward_task(bdag_engine *engine, uint32_t task, uint32_t group) {
  const uint64_t stretch = bdag_stretch_of(engine, group);
  const uint64_t first = bdag_stretch_begin(engine, stretch);
  bdag_backward_task(engine, task, first, bdag_stretch_begin(engine, stretch + 1) - first, group);
}

static void backward_group(bdag_engine *engine, uint32_t group, const bdag_exchange *exchange) {
  const uint64_t stretch = bdag_stretch_of(engine, group);
  loss_of_tiles(engine, bdag_stretch_begin(engine, stretch),
                bdag_stretch_begin(engine, stretch + 1), exchange);
  for (uint32_t t = 0; t < engine->plan->backward_tasks && !stopped(engine); t++)
    backward_task(engine, t, group);
}

/* Once the gradient is complete. Every thread comes to the meeting, also after a failure. */
static void sum_uses(bdag_engine *engine, bdag_worker worker) {
  if (!engine->plan->indirect) return;
  meet(engine, worker, 1);
  if (!bdag_engine_failed(engine)) bdag_sum_uses_share(engine, worker.number, worker.team);
}

/* A thread takes every so-manieth group, so that those that add to a task's gradient one after the other
 * run side by side. */
static void backward_by_tiles(bdag_engine *engine, bdag_worker worker, const void *argument) {
  /* where rows are, and so who may run at once, was laid out for all threads */
  const bdag_worker alone = {worker.number == 0 ? 0 : engine->pass_groups, 1};
  const bdag_worker takes = worker.team < engine->pass_threads ? alone : worker;
  if (takes.team == 1 && takes.number == 0) engine->parts.rotates = 0;
  for (uint32_t g = takes.number; g < engine->pass_groups; g += takes.team)
    backward_group(engine, g, argument);
  bdag_parts_finish(engine);
  sum_uses(engine, worker);
}

/* The same sums, task by task. */
static void backward_all_groups(void *argument, uint32_t task) {
  bdag_engine *engine = argument;
  for (uint32_t group = 0; group < engine->pass_groups && !stopped(engine); group++)
    backward_task(engine, task, group);
}

/* Some of the groups, of one task. */
static void backward_copy(void *argument, uint32_t number) {
  bdag_engine *engine = argument;
  const uint32_t tasks = engine->plan->backward_tasks, copy = number / tasks;
  const uint64_t end = copy_begin(engine, copy + 1, engine->pass_groups);
  for (uint64_t g = copy_begin(engine, copy, engine->pass_groups); g < end && !stopped(engine); g++)
    backward_task(engine, number % tasks, (uint32_t)g);
}

static void backward_by_vertices(bdag_engine *engine, bdag_worker worker, const void *argument) {
  loss_by_tiles(engine, worker, argument);
  meet(engine, worker, 0);
  join_tasks(engine, worker, 1, backward_all_groups);
  sum_uses(engine, worker);
}

void bdag_drive_backward(bdag_engine *engine, bdag_axis axis, const bdag_exchange *exchange) {
  const bdag_exchange rest = see_batch(engine, exchange);
  for (uint32_t i = 0; i < BDAG_MEETINGS; i++) bdag_meeting_prepare(&engine->meeting[i]);
  bdag_parts_prepare(engine, axis == BDAG_AXIS_TILES);
  engine->pass_copies = 1;
  engine->in_stages = 0;
  if (axis != BDAG_AXIS_VERTICES && axis != BDAG_AXIS_BOTH) {
    on_team(engine, backward_by_tiles, &rest);
    return;
  }
  if (axis == BDAG_AXIS_BOTH)
    engine->pass_copies = bdag_engine_choose_copies(engine, engine->pass_groups);
  if (engine->pass_copies > 1)
    prepare_copies(engine, 1, backward_copy);
  else
    prepare_tasks(engine, 1, backward_all_groups);
  on_team(engine, backward_by_vertices, &rest);
}
