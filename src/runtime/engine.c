/* Engines: buffers for passes over a plan. After creation nothing is allocated.
 * May include plan and below. */
#include <omp.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "runtime/touch.h"
#include "runtime/trace_internal.h"

/* At 64 samples of float32 a row is four AVX-512 vectors: enough for the register tiles, and the rows
 * of a layer still fit L2. */
#define TILE 64u
/* Rows of a backward chunk that are needed at once should not take more. Half of a usual L2, but no
 * property of the machine: it decides sums. */
#define GRAD_BYTES (1u << 20)
/* Samples that a task takes together: its weights and lists are read once for them. */
#define CHUNK_SAMPLES  256u
#define PREFETCH_AHEAD 64u
/* Fewer bytes of rows stay in the nearest cache wherever they lie: no places are looked for. */
#define FEW_GRAD_BYTES (16u << 10)

static bdag_status check_options(const bdag_plan *plan, const bdag_engine_options *options,
                                 bdag_error *error) {
  if (options->size != sizeof *options)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "engine options have size %zu, expected %zu; use BDAG_ENGINE_OPTIONS_INIT",
                     options->size, sizeof *options);
  if (options->type != BDAG_FLOAT32 && options->type != BDAG_FLOAT64)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "unknown type %d", (int)options->type);
  if (options->max_batch == 0)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "max_batch must be at least 1");
  if (options->max_batch > UINT64_MAX / 4096 / ((uint64_t)plan->rows + 1))
    return bdag_fail(error, BDAG_ERROR_LIMIT, "max_batch %llu times %u vertices overflows",
                     (unsigned long long)options->max_batch, plan->rows);
  if ((unsigned)options->axis > BDAG_AXIS_BOTH || (options->keep & ~63u) != 0)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "axis %d or keep %u is unknown",
                     (int)options->axis, options->keep);
  if (options->threads > 1024)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "threads %u exceeds 1024",
                     options->threads);
  return BDAG_OK;
}

static void *claim(bdag_engine *engine, uint64_t count, uint64_t size) {
  if (size != 0 && count > SIZE_MAX / 2 / size) return NULL;
  engine->bytes += count * size;
  return bdag_allocate_zeroed(engine->context, count, size);
}

/* The same for what the threads of a pass share out among them. */
static void *claim_shared(bdag_engine *engine, uint64_t count, uint64_t size) {
  if (size != 0 && count > SIZE_MAX / 2 / size) return NULL;
  engine->bytes += count * size;
  return bdag_allocate_touched(engine->context, count, size, engine->options.threads);
}

/* Whether every pass takes the tasks of a tile in their order. */
static int keeps_order(const bdag_engine *engine) {
  return engine->options.threads == 1 || engine->options.axis == BDAG_AXIS_TILES;
}

/* Tiles whose gradients need places at the same time; see group_tiles. */
static uint64_t tiles_at_once(const bdag_engine *engine, uint64_t tiles, bdag_axis axis) {
  const uint64_t threads = axis == BDAG_AXIS_TILES ? engine->options.threads : 1;
  const uint64_t groups = bdag_engine_choose_groups(engine, tiles, axis);
  const uint64_t places = threads * ((tiles + groups - 1) / groups);
  return places < tiles ? places : tiles;
}

/* The same for any batch. */
static uint64_t most_tiles_at_once(const bdag_engine *engine) {
  uint64_t most = 0;
  for (uint64_t tiles = 1; tiles <= engine->tiles; tiles++) {
    const uint64_t serial = tiles_at_once(engine, tiles, BDAG_AXIS_SERIAL);
    const uint64_t by_tiles = tiles_at_once(engine, tiles, BDAG_AXIS_TILES);
    const uint64_t needed = serial > by_tiles ? serial : by_tiles;
    if (needed > most) most = needed;
  }
  return most;
}

/* A few rows more: the same row of several tiles then lies in different sets of a cache. */
static uint32_t staggered(uint32_t rows, uint32_t most) {
  const uint64_t more = ((uint64_t)rows + 15) / 16 * 16 + 4;
  return more < most ? (uint32_t)more : rows;
}

static int allocate_grad_rows(bdag_engine *engine) {
  const uint32_t keep = engine->options.keep;
  const int in_order = !(keep & BDAG_KEEPS_GRAD) && keeps_order(engine);
  engine->grad_rows = engine->plan->rows;
  const uint64_t row = (uint64_t)engine->tile * engine->element;
  if (!(keep & BDAG_KEEPS_GRAD) && engine->plan->rows * row > FEW_GRAD_BYTES) {
    if (bdag_grad_places_create(&engine->places, engine->plan)) return 1;
    engine->bytes += engine->places.bytes;
    if (in_order && engine->places.rows > 0)
      engine->grad_rows = staggered(engine->places.rows, engine->plan->rows);
  }
  const uint64_t rows = (in_order ? most_tiles_at_once(engine) : engine->tiles) * engine->grad_rows;
  engine->out_grad = claim_shared(engine, rows, row);
  engine->in_grad =
      (keep & BDAG_KEEP_OUT_GRAD) ? claim_shared(engine, rows, row) : engine->out_grad;
  return engine->out_grad == NULL || engine->in_grad == NULL;
}

static int allocate_rows(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  const uint32_t keep = engine->options.keep;
  const uint64_t row = (uint64_t)engine->tile * engine->element;
  engine->out = claim_shared(engine, engine->tiles * plan->rows, row);
  engine->in_full = (keep & BDAG_KEEP_IN) != 0;
  engine->in_rows = engine->in_full ? plan->rows - plan->first_neuron : plan->in_rows;
  engine->in = claim_shared(engine, engine->tiles * engine->in_rows, row);
  int failed = engine->out == NULL || engine->in == NULL || bdag_single_create(engine) != 0;
  return failed || (plan->has_loss && allocate_grad_rows(engine));
}

static int allocate_gradients(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  if (!plan->has_loss) return 0;
  /* in direct plans it may change places with the state of weights */
  engine->gradient =
      claim(engine, plan->indirect ? plan->slot_count : plan->state_count, engine->element);
  engine->state_gradient =
      plan->indirect ? claim(engine, plan->state_count, engine->element) : engine->gradient;
  engine->zeros = claim(engine, plan->rows, engine->element);
  engine->targets =
      claim(engine, engine->tiles * plan->target_count, (uint64_t)engine->tile * engine->element);
  engine->sample_weight = claim(engine, engine->tiles * engine->tile, sizeof(double));
  engine->factor = claim(engine, engine->tiles * engine->tile, sizeof(double));
  engine->sample_loss = claim(engine, engine->tiles * engine->tile, sizeof(double));
  engine->has_left_out = claim(engine, engine->tiles, 1);
  return bdag_parts_create(engine) != 0 || engine->gradient == NULL ||
         engine->state_gradient == NULL || engine->zeros == NULL || engine->targets == NULL ||
         engine->sample_weight == NULL || engine->factor == NULL || engine->sample_loss == NULL ||
         engine->has_left_out == NULL;
}

/* Scratch of a worker: a row of derivatives; three rows of doubles for losses; a user's loss needs its
 * vertices' rows side by side, out and out_grad. */
static int allocate_scratch(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  uint32_t most = 0;
  uint64_t of_batch = 0;
  for (uint32_t t = 0; t < plan->loss_count; t++) {
    const bdag_plan_loss *loss = &plan->loss[t];
    if (loss->vertex_count > most) most = loss->vertex_count;
    if (loss->whole_batch) of_batch += loss->vertex_count;
  }
  int user_loss = 0;
  for (uint32_t t = 0; t < plan->loss_count; t++) user_loss |= plan->loss[t].registered;
  const uint64_t rows = user_loss ? 2 * (uint64_t)most + 2 : 2;
  engine->scratch_bytes = (rows * engine->element + 4 * sizeof(double)) * engine->tile;
  uint64_t turned = 0;
  for (uint32_t p = 0; p < plan->panels; p++)
    if (plan->panel[p].step > turned) turned = plan->panel[p].step;
  turned *= (uint64_t)engine->chunk_tiles * engine->tile * engine->element;
  if (engine->scratch_bytes < turned) engine->scratch_bytes = turned;
  engine->scratch_bytes = (engine->scratch_bytes + 127) / 128 * 128;
  engine->scratch = claim_shared(engine, engine->options.threads, engine->scratch_bytes);
  engine->loss_column = claim(engine, most, sizeof *engine->loss_column);
  engine->batch_rows =
      claim(engine, 3 * of_batch * engine->tiles, (uint64_t)engine->tile * engine->element);
  engine->batch_loss =
      claim(engine, of_batch > 0 ? engine->tiles : 0, (uint64_t)engine->tile * sizeof(double));
  if (engine->scratch == NULL || bdag_gather_create(engine) != 0 || engine->loss_column == NULL ||
      engine->batch_rows == NULL || engine->batch_loss == NULL)
    return 1;
  for (uint32_t i = 0; i < most; i++) engine->loss_column[i] = i;
  const uint32_t tasks =
      plan->forward_tasks > plan->backward_tasks ? plan->forward_tasks : plan->backward_tasks;
  const int copied =
      engine->options.axis == BDAG_AXIS_BOTH || engine->options.axis == BDAG_AXIS_AUTO;
  const uint64_t all =
      (uint64_t)tasks * (copied ? bdag_engine_choose_copies(engine, engine->tiles) : 1);
  if (all >= UINT32_MAX) return 1;
  engine->bytes += all * sizeof *engine->scheduler.state;
  engine->reach = claim(engine, engine->options.threads, sizeof *engine->reach);
  return engine->reach == NULL || bdag_engine_share_tasks(engine) ||
         bdag_scheduler_create(&engine->scheduler, engine->context, (uint32_t)all,
                               engine->options.threads);
}

/* Constants keep their rows for good: no pass writes them. */
static void fill_constants(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  for (uint32_t i = 0; engine->single_out != NULL && i < plan->constant_count; i++) {
    if (engine->options.type == BDAG_FLOAT32)
      ((float *)engine->single_out)[plan->constant_row[i]] = (float)plan->constant_value[i];
    else
      ((double *)engine->single_out)[plan->constant_row[i]] = plan->constant_value[i];
  }
  for (uint64_t t = 0; t < engine->tiles; t++) {
    char *rows = bdag_tile_rows(engine, engine->out, t, plan->rows);
    for (uint32_t i = 0; i < plan->constant_count; i++)
      for (uint32_t s = 0; s < engine->tile; s++) {
        const uint64_t at = (uint64_t)plan->constant_row[i] * engine->tile + s;
        if (engine->options.type == BDAG_FLOAT32)
          ((float *)rows)[at] = (float)plan->constant_value[i];
        else
          ((double *)rows)[at] = plan->constant_value[i];
      }
  }
}

/* Narrow tiles where one for each thread is quicker than rows that go to and fro between them; in
 * deterministic mode no number of threads may decide. */
static uint32_t choose_tile(const bdag_engine *engine) {
  const bdag_engine_options *options = &engine->options;
  if (engine->plan->tile != 0) return engine->plan->tile;
  const uint64_t needed =
      (engine->options.max_batch + BDAG_ROW_QUANTUM - 1) / BDAG_ROW_QUANTUM * BDAG_ROW_QUANTUM;
  const uint32_t usual = needed < TILE ? (uint32_t)needed : TILE;
  const int by_tiles = options->axis == BDAG_AXIS_TILES || options->axis == BDAG_AXIS_AUTO;
  if (options->threads == 1 || options->deterministic || !by_tiles || usual <= BDAG_NARROW_TILE ||
      options->max_batch > usual || !bdag_engine_narrows(engine))
    return usual;
  return BDAG_NARROW_TILE;
}

/* As many tiles as have their rows that are needed at once in so many bytes. */
static uint32_t fitting_tiles(const bdag_engine *engine, uint64_t bytes, uint64_t most) {
  const uint64_t rows = engine->plan->usual_reach * engine->tile * engine->element;
  const uint64_t fitting = bytes / rows;
  return (uint32_t)(fitting < 1 ? 1 : fitting < most ? fitting : most);
}

/* Irregular edges that are taken segment by segment. */
static void count_segments(const bdag_plan *plan, uint64_t *forward, uint64_t *backward) {
  *forward = *backward = 0;
  for (uint32_t i = 0; i < plan->runs; i++) {
    const bdag_row_run *run = &plan->run[i];
    if (run->shares)
      *forward += plan->list_offset[run->row + run->rows] - plan->list_offset[run->row];
  }
  for (uint32_t i = 0; i < plan->sweeps; i++)
    if (plan->sweep[i].continues) *backward += plan->sweep[i].slots;
}

/* Dense panels gain most by weights that are read once for many samples, segments by weights that stay in
 * L2. Otherwise rows that are still needed should stay there; bundles gain by long sums, the sweep takes
 * tile by tile. The backward chunk decides sums: it does not depend on the machine. */
static void choose_chunks(bdag_engine *engine) {
  const bdag_plan *plan = engine->plan;
  const uint64_t most = engine->tile < CHUNK_SAMPLES ? CHUNK_SAMPLES / engine->tile : 1;
  engine->forward_tiles = engine->chunk_tiles = (uint32_t)most;
  if (plan->live_slots * 4 < plan->weight_edges) return;
  uint64_t swept = 0, forward, backward;
  count_segments(plan, &forward, &backward);
  for (uint32_t i = 0; i < plan->sweeps; i++)
    if (plan->sweep[i].bundles == 0) swept += plan->sweep[i].slots;
  if (forward * 2 < plan->weight_edges)
    engine->forward_tiles = fitting_tiles(engine, plan->context->machine.l2 / 2, most);
  if (backward * 2 < plan->weight_edges)
    engine->chunk_tiles =
        swept * 2 > plan->weight_edges ? 1 : fitting_tiles(engine, GRAD_BYTES, most);
}

bdag_status bdag_engine_create(bdag_engine **engine, bdag_plan *plan,
                               const bdag_engine_options *options, bdag_error *error) {
  static const bdag_engine_options defaults = BDAG_ENGINE_OPTIONS_INIT;
  if (engine == NULL || plan == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "engine and plan must not be NULL");
  *engine = NULL;
  if (options == NULL) options = &defaults;
  const bdag_status status = check_options(plan, options, error);
  if (status != BDAG_OK) return status;
  bdag_engine *made = bdag_allocate_zeroed(plan->context, 1, sizeof *made);
  if (made == NULL) return bdag_fail_memory(error);
  made->context = plan->context;
  made->plan = bdag_plan_retain(plan);
  made->options = *options;
  const uint32_t most = bdag_context_threads(plan->context);
  if (made->options.threads == 0 || made->options.threads > most) made->options.threads = most;
  if (made->options.axis == BDAG_AXIS_SERIAL) made->options.threads = 1;
  if (made->options.axis == BDAG_AXIS_AUTO)
    made->options.threads = bdag_context_at_once(plan->context, made->options.threads);
  made->kernels = bdag_kernels_get(plan->context->isa, options->type);
  made->element = options->type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  made->flush_to_zero =
      options->flush_to_zero < 0 ? options->type == BDAG_FLOAT32 : options->flush_to_zero;
  made->tile = choose_tile(made);
  made->tiles = (options->max_batch + made->tile - 1) / made->tile;
  choose_chunks(made);
  if (plan->mean_reach * made->tile * made->element > plan->context->machine.l2 / 4)
    made->ahead = PREFETCH_AHEAD;
  made->patience = bdag_scheduler_patience(made->context, made->options.threads);
  bdag_engine_estimate(made);
  made->bytes = sizeof *made;
  if (allocate_rows(made) || allocate_gradients(made) || allocate_scratch(made)) {
    const unsigned long long bytes = made->bytes;
    bdag_engine_destroy(made);
    return bdag_fail(error, BDAG_ERROR_OUT_OF_MEMORY,
                     "an engine for %u vertices and batches up to %llu needs more than %llu bytes; "
                     "use a smaller max_batch or keep less",
                     plan->rows, (unsigned long long)options->max_batch, bytes);
  }
  fill_constants(made);
  *engine = made;
  return BDAG_OK;
}

void bdag_engine_destroy(bdag_engine *engine) {
  if (engine == NULL) return;
  const bdag_context *context = engine->context;
  bdag_trace_forget(engine);
  bdag_free(context, engine->out);
  bdag_free(context, engine->in);
  bdag_free(context, engine->single_step);
  bdag_free(context, engine->single_segment);
  bdag_free(context, engine->single_meeting);
  bdag_free(context, engine->single_out);
  bdag_free(context, engine->single_in);
  if (engine->in_grad != engine->out_grad) bdag_free(context, engine->in_grad);
  bdag_free(context, engine->out_grad);
  bdag_grad_places_destroy(&engine->places, context);
  if (engine->state_gradient != engine->gradient) bdag_free(context, engine->state_gradient);
  bdag_free(context, engine->gradient);
  bdag_parts_destroy(engine);
  bdag_free(context, engine->zeros);
  bdag_free(context, engine->targets);
  bdag_free(context, engine->sample_weight);
  bdag_free(context, engine->factor);
  bdag_free(context, engine->sample_loss);
  bdag_free(context, engine->has_left_out);
  bdag_free(context, engine->scratch);
  bdag_free(context, engine->reach);
  bdag_free(context, engine->gathered);
  bdag_free(context, engine->loss_column);
  bdag_free(context, engine->batch_rows);
  bdag_free(context, engine->batch_loss);
  bdag_scheduler_destroy(&engine->scheduler, context);
  for (int i = 0; i < 2; i++) bdag_stages_destroy(&engine->stages[i], context);
  bdag_plan_release(engine->plan);
  bdag_free(context, engine);
}

void bdag_engine_cancel(bdag_engine *engine) {
  if (engine != NULL) atomic_store_explicit(&engine->cancelled, 1, memory_order_relaxed);
}

void bdag_engine_last_failure(const bdag_engine *engine, bdag_failure *failure) {
  *failure = engine->failure;
}

void bdag_engine_fail(bdag_engine *engine, bdag_status status, uint64_t vertex, uint64_t sample,
                      uint64_t column) {
  int expected = BDAG_OK;
  if (!atomic_compare_exchange_strong(&engine->status, &expected, (int)status)) return;
  engine->failure = (bdag_failure){status, vertex, sample, column};
}

size_t bdag_engine_worker(const bdag_engine *engine) {
  return engine->pass_threads > 1 ? (size_t)omp_get_thread_num() : 0;
}

void *bdag_engine_scratch(const bdag_engine *engine) {
  return engine->scratch + bdag_engine_worker(engine) * engine->scratch_bytes;
}

uint32_t bdag_engine_tile(const bdag_engine *engine) {
  return engine->tile;
}

bdag_status bdag_engine_describe(const bdag_engine *engine, bdag_engine_info *info) {
  if (engine == NULL || info == NULL || info->size != sizeof *info)
    return BDAG_ERROR_INVALID_ARGUMENT;
  const bdag_plan *plan = engine->plan;
  const bdag_axis axis = bdag_engine_choose_axis(engine, engine->tiles, 1);
  const uint64_t numbers =
      plan->indirect ? plan->slot_count + plan->state_count : plan->state_count;
  const uint64_t gradients =
      numbers * engine->element + engine->options.threads * engine->parts.room;
  *info = (bdag_engine_info){.size = sizeof *info,
                             .bytes = engine->bytes,
                             .gradient_bytes = plan->has_loss ? gradients : 0,
                             .tile = engine->tile,
                             .groups = bdag_engine_choose_groups(engine, engine->tiles, axis),
                             .threads = engine->options.threads,
                             .axis = axis};
  return BDAG_OK;
}

const void *bdag_engine_state_gradient(const bdag_engine *engine) {
  return engine->backward_done ? engine->state_gradient : NULL;
}
