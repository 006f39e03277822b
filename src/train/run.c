/* Runs over samples: mini-batches, epochs, validation, progress. May include runtime, plan, base. */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "train/gather.h"
#include "train/order.h"
#include "train/trainer_internal.h"

/* A mean of losses in the making. */
typedef struct mean {
  double sum, weight;
} mean;

typedef struct run {
  bdag_trainer *trainer;
  const bdag_samples *samples;
  const bdag_run_options *options;
  bdag_error *error;
  uint64_t *ids, *order, *held_out; /* training samples as given and shuffled; validation samples */
  uint64_t count, held_out_count;
  uint64_t batches; /* of an epoch */
  struct timespec start;
  uint64_t trained; /* samples so far */
} run;

/* ---- Checks ------------------------------------------------------------------------------------ */

static int is_type(bdag_type type) {
  return type == BDAG_FLOAT32 || type == BDAG_FLOAT64;
}

/* Non-zero if the offset of the last element of `count` can be computed. */
static int is_reachable(uint64_t count, ptrdiff_t stride) {
  int64_t offset;
  return count <= INT64_MAX && !__builtin_mul_overflow((int64_t)count, (int64_t)stride, &offset) &&
         offset > INT64_MIN / 16 && offset < INT64_MAX / 16;
}

static int is_matrix(const bdag_array *array, uint64_t rows, uint64_t columns) {
  if (columns == 0) return 1;
  return array->data != NULL && is_type(array->type) && is_reachable(rows, array->sample_stride) &&
         is_reachable(columns, array->vertex_stride);
}

static const char *complaint_about_samples(const bdag_trainer *trainer,
                                           const bdag_samples *samples) {
  if (samples == NULL || samples->count == 0) return "there are no samples";
  if (!is_matrix(&samples->x, samples->count, bdag_plan_input_count(trainer->plan)))
    return "samples need x[count][inputs] with a type and strides";
  if (!is_matrix(&samples->targets, samples->count, bdag_plan_target_count(trainer->plan)))
    return "samples need targets[count][target_count] with a type and strides";
  return NULL;
}

static const char *complaint_about_options(const bdag_trainer *trainer,
                                           const bdag_run_options *options) {
  if (options->size != sizeof *options)
    return "run options have an unknown size; begin with BDAG_RUN_OPTIONS_INIT";
  if (options->epochs == 0) return "epochs must be at least 1";
  if (options->batch == 0 || options->batch > trainer->options.max_batch)
    return "batch must lie between 1 and the trainer's max_batch";
  if (!(options->validation_share >= 0.0 && options->validation_share < 1.0))
    return "validation_share must lie in [0, 1)";
  if (options->validation == NULL) return NULL;
  if (options->validation_share > 0.0)
    return "give either validation samples or a validation_share, not both";
  return complaint_about_samples(trainer, options->validation) == NULL
             ? NULL
             : "the validation samples lack rows, x or targets";
}

/* ---- Mini-batches ------------------------------------------------------------------------------ */

typedef struct mini_batch {
  uint64_t count;
  bdag_array x, targets;
  const double *sample_weights;
  double weight; /* Σ c_s */
} mini_batch;

static mini_batch gather(bdag_trainer *trainer, const bdag_samples *samples, const uint64_t *rows,
                         uint64_t count) {
  const uint64_t inputs = bdag_plan_input_count(trainer->plan);
  const uint64_t columns = bdag_plan_target_count(trainer->plan);
  const bdag_type type = trainer->weights->type;
  bdag_gather_rows(type, trainer->x, &samples->x, inputs, rows, count);
  bdag_gather_rows(type, trainer->targets, &samples->targets, columns, rows, count);
  mini_batch batch = {count,
                      {trainer->x, type, (ptrdiff_t)inputs, 1},
                      {columns == 0 ? NULL : trainer->targets, type, (ptrdiff_t)columns, 1},
                      NULL,
                      (double)count};
  if (samples->sample_weights == NULL) return batch;
  batch.weight = 0.0;
  for (uint64_t i = 0; i < count; i++) {
    trainer->sample_weights[i] = samples->sample_weights[rows[i]];
    batch.weight += trainer->sample_weights[i];
  }
  batch.sample_weights = trainer->sample_weights;
  return batch;
}

/* A batch's loss is Σ c_s·ℓ_s / Z: Z is undone, so that batches of any size add up. */
static void add_loss(const bdag_trainer *trainer, const mini_batch *batch, double loss,
                     mean *total) {
  const int by_weight = trainer->plan->normalization == BDAG_NORMALIZE_WEIGHTS;
  total->sum += by_weight ? loss * batch->weight : loss;
  total->weight += batch->weight;
}

/* Samples of weight 0 take no part: no batch may consist of them alone. */
static int takes_part(const bdag_samples *samples, uint64_t sample) {
  return samples->sample_weights == NULL || samples->sample_weights[sample] != 0.0;
}

/* ---- Evaluation -------------------------------------------------------------------------------- */

static bdag_status evaluate_batch(bdag_trainer *trainer, const bdag_samples *samples,
                                  const uint64_t *rows, uint64_t count, mean *total) {
  const mini_batch batch = gather(trainer, samples, rows, count);
  bdag_status status = bdag_forward(trainer->engine, trainer->weights, count, batch.x.data, NULL);
  if (status != BDAG_OK) return status;
  double loss = 0.0;
  status = bdag_loss(trainer->engine, batch.targets.data, batch.sample_weights, &loss);
  if (status == BDAG_OK) add_loss(trainer, &batch, loss, total);
  return status;
}

/* Mean loss over samples ids[0 … count), or over all `count` samples when `ids` is NULL. */
static bdag_status evaluate(bdag_trainer *trainer, const bdag_samples *samples, const uint64_t *ids,
                            uint64_t count, double *loss) {
  mean total = {0.0, 0.0};
  uint64_t filled = 0;
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t sample = ids == NULL ? i : ids[i];
    if (takes_part(samples, sample)) trainer->rows[filled++] = sample;
    if (filled == 0 || (filled < trainer->options.max_batch && i + 1 < count)) continue;
    const bdag_status status = evaluate_batch(trainer, samples, trainer->rows, filled, &total);
    if (status != BDAG_OK) return status;
    filled = 0;
  }
  if (total.weight == 0.0) return BDAG_ERROR_INVALID_ARGUMENT;
  *loss = total.sum / total.weight;
  return BDAG_OK;
}

bdag_status bdag_trainer_evaluate(bdag_trainer *trainer, const bdag_samples *samples,
                                  double *loss) {
  if (trainer == NULL || loss == NULL || complaint_about_samples(trainer, samples) != NULL)
    return BDAG_ERROR_INVALID_ARGUMENT;
  return evaluate(trainer, samples, NULL, samples->count, loss);
}

/* ---- Epochs ------------------------------------------------------------------------------------ */

static double seconds_since(const struct timespec *start) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)(now.tv_sec - start->tv_sec) + 1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

static bdag_status report(const run *state, bdag_progress *progress) {
  if (state->options->progress == NULL) return BDAG_OK;
  const double seconds = seconds_since(&state->start);
  progress->epochs = state->options->epochs;
  progress->batches = state->batches;
  progress->samples_per_second = seconds > 0.0 ? (double)state->trained / seconds : 0.0;
  if (state->options->progress(state->options->progress_user, progress) == 0) return BDAG_OK;
  return bdag_fail(state->error, BDAG_ERROR_CANCELLED,
                   "training was stopped in epoch %" PRIu64 ", batch %" PRIu64 " of %" PRIu64,
                   progress->epoch, progress->batch, progress->batches);
}

/* Says where in the caller's samples a step failed. */
static bdag_status explain(const run *state, bdag_status status, uint64_t epoch, uint64_t batch,
                           const uint64_t *rows, uint64_t count) {
  if (status == BDAG_ERROR_NOT_FINITE)
    return bdag_fail(state->error, status,
                     "loss or gradient is not finite in epoch %" PRIu64 ", batch %" PRIu64
                     "; lower the learning rate, or look for extreme numbers in the data",
                     epoch, batch);
  bdag_failure failure = {status, BDAG_NONE, BDAG_NONE, BDAG_NONE};
  bdag_engine_last_failure(state->trainer->engine, &failure);
  if (failure.status != status || failure.sample >= count)
    return bdag_fail(state->error, status, "%s in epoch %" PRIu64 ", batch %" PRIu64,
                     bdag_status_string(status), epoch, batch);
  if (failure.column == BDAG_NONE)
    return bdag_fail(state->error, status, "%s at sample %" PRIu64 " (from 0)",
                     bdag_status_string(status), rows[failure.sample]);
  return bdag_fail(state->error, status,
                   "%s at sample %" PRIu64 ", target column %" PRIu64 " (both from 0)",
                   bdag_status_string(status), rows[failure.sample], failure.column);
}

static bdag_status train_batch(run *state, uint64_t epoch, uint64_t batch, mean *total) {
  const uint64_t first = (batch - 1) * state->options->batch;
  const uint64_t left = state->count - first;
  const uint64_t count = left < state->options->batch ? left : state->options->batch;
  const uint64_t *const rows = state->order + first;
  const mini_batch gathered = gather(state->trainer, state->samples, rows, count);
  double loss = 0.0;
  const bdag_status status = bdag_trainer_step(state->trainer, count, &gathered.x,
                                               &gathered.targets, gathered.sample_weights, &loss);
  if (status != BDAG_OK) return explain(state, status, epoch, batch, rows, count);
  add_loss(state->trainer, &gathered, loss, total);
  state->trained += count;
  bdag_progress progress = {.epoch = epoch, .batch = batch, .loss = loss, .validation_loss = NAN};
  return report(state, &progress);
}

static bdag_status validate(const run *state, double *loss) {
  const bdag_samples *const own = state->options->validation;
  bdag_status status = BDAG_OK;
  *loss = NAN;
  if (own != NULL) {
    status = evaluate(state->trainer, own, NULL, own->count, loss);
  } else if (state->held_out_count > 0) {
    status = evaluate(state->trainer, state->samples, state->held_out, state->held_out_count, loss);
  }
  if (status == BDAG_OK) return BDAG_OK;
  return bdag_fail(state->error, status, "validation failed: %s", bdag_status_string(status));
}

static bdag_status train_epoch(run *state, uint64_t epoch) {
  if (state->options->shuffle)
    bdag_order_shuffle(state->options->seed, epoch, state->count, state->ids, state->order);
  mean total = {0.0, 0.0};
  for (uint64_t batch = 1; batch <= state->batches; batch++) {
    const bdag_status status = train_batch(state, epoch, batch, &total);
    if (status != BDAG_OK) return status;
  }
  if (state->options->progress == NULL) return BDAG_OK;
  bdag_progress progress = {.epoch = epoch,
                            .batch = state->batches + 1,
                            .loss = total.sum / total.weight,
                            .epoch_end = 1};
  const bdag_status status = validate(state, &progress.validation_loss);
  return status == BDAG_OK ? report(state, &progress) : status;
}

/* ---- The run ----------------------------------------------------------------------------------- */

/* Fills in ids, order and held_out. */
static bdag_status choose_samples(run *state) {
  const bdag_context *const context = state->trainer->context;
  const bdag_samples *const samples = state->samples;
  state->ids = bdag_allocate_array(context, samples->count, sizeof(uint64_t));
  state->order = bdag_allocate_array(context, samples->count, sizeof(uint64_t));
  if (state->ids == NULL || state->order == NULL) return bdag_fail_memory(state->error);
  uint64_t count = 0;
  for (uint64_t s = 0; s < samples->count; s++) {
    if (takes_part(samples, s)) state->ids[count++] = s;
  }
  state->held_out_count = (uint64_t)(state->options->validation_share * (double)count + 0.5);
  if (count <= state->held_out_count)
    return bdag_fail(state->error, BDAG_ERROR_INVALID_ARGUMENT,
                     "no samples are left to train on: of %" PRIu64 ", %" PRIu64
                     " have a weight and %" PRIu64 " are held out for validation",
                     samples->count, count, state->held_out_count);
  state->count = count - state->held_out_count;
  state->held_out = bdag_allocate_array(context, state->held_out_count, sizeof(uint64_t));
  if (state->held_out == NULL) return bdag_fail_memory(state->error);
  bdag_order_split(state->options->seed, count, state->ids, state->held_out_count, state->held_out);
  for (uint64_t i = 0; i < state->count; i++) state->order[i] = state->ids[i];
  return BDAG_OK;
}

static bdag_status run_epochs(run *state) {
  const uint64_t batch = state->options->batch;
  state->batches = state->count / batch + (state->count % batch != 0);
  clock_gettime(CLOCK_MONOTONIC, &state->start);
  for (uint64_t epoch = 1; epoch <= state->options->epochs; epoch++) {
    const bdag_status status = train_epoch(state, epoch);
    if (status != BDAG_OK) return status;
  }
  return BDAG_OK;
}

bdag_status bdag_trainer_run(bdag_trainer *trainer, const bdag_samples *samples,
                             const bdag_run_options *options, bdag_error *error) {
  if (trainer == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "a run needs a trainer");
  bdag_run_options defaults = BDAG_RUN_OPTIONS_INIT;
  if (defaults.batch > trainer->options.max_batch) defaults.batch = trainer->options.max_batch;
  if (options == NULL) options = &defaults;
  const char *complaint = complaint_about_samples(trainer, samples);
  if (complaint == NULL) complaint = complaint_about_options(trainer, options);
  if (complaint != NULL) return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s", complaint);
  run state = {.trainer = trainer, .samples = samples, .options = options, .error = error};
  bdag_status status = choose_samples(&state);
  if (status == BDAG_OK) status = run_epochs(&state);
  bdag_free(trainer->context, state.ids);
  bdag_free(trainer->context, state.order);
  bdag_free(trainer->context, state.held_out);
  return status;
}
