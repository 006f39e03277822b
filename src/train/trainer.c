/* The trainer: steps and the optimizer's state. May include runtime, plan, network, base. */
#include <float.h>
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/team.h"
#include "train/optimizer.h"
#include "train/trainer_internal.h"

/* ---- Options ----------------------------------------------------------------------------------- */

/* Above 0 and finite also as a number of the weights' type, and not subnormal there. */
static int is_rate(double value, bdag_type type) {
  if (type == BDAG_FLOAT32) return value >= FLT_MIN && value <= FLT_MAX;
  return value >= DBL_MIN && value <= DBL_MAX;
}

static int is_share(double value) {
  return value >= 0.0 && value < 1.0;
}

static const char *complaint_about(const bdag_trainer_options *options, bdag_type type) {
  if (options->size != sizeof *options)
    return "trainer options have an unknown size; begin with BDAG_TRAINER_OPTIONS_INIT";
  if ((unsigned)options->optimizer > BDAG_ADAMW) return "the optimizer is unknown";
  if (!is_rate(options->learning_rate, type))
    return "learning_rate must be above 0 and finite in the weights' type";
  if (options->optimizer == BDAG_SGD) {
    if (!is_share(options->momentum)) return "momentum must lie in [0, 1)";
  } else {
    if (!is_share(options->beta1) || !is_share(options->beta2))
      return "beta1 and beta2 must lie in [0, 1)";
    if (!is_rate(options->epsilon, type))
      return "epsilon must be above 0 and finite in the weights' type (float32: at least 1.2e-38)";
  }
  if (options->weight_decay != 0.0 && !is_rate(options->weight_decay, type))
    return "weight_decay must be at least 0 and finite";
  if (options->max_batch == 0) return "max_batch must be at least 1";
  if ((unsigned)options->axis > BDAG_AXIS_BOTH) return "the axis is unknown";
  return NULL;
}

/* ---- Making ------------------------------------------------------------------------------------ */

static size_t element_size(bdag_type type) {
  return type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
}

static uint64_t end_of(const bdag_range *ranges, uint64_t count, uint64_t end) {
  for (uint64_t i = 0; i < count; i++) {
    if (ranges[i].count > 0 && ranges[i].first + ranges[i].count > end)
      end = ranges[i].first + ranges[i].count;
  }
  return end;
}

static uint64_t live_end(const bdag_plan *plan) {
  uint64_t count;
  const bdag_range *ranges = bdag_plan_live_weights(plan, &count);
  const uint64_t end = end_of(ranges, count, 0);
  ranges = bdag_plan_live_biases(plan, &count);
  return end_of(ranges, count, end);
}

static bdag_status take_weights(bdag_weights *weights, bdag_error *error) {
  int free_to_take = 0;
  /* Acquire pairs with the release in bdag_trainer_destroy. */
  if (!atomic_compare_exchange_strong_explicit(&weights->held, &free_to_take, 1,
                                               memory_order_acquire, memory_order_relaxed))
    return bdag_fail(error, BDAG_ERROR_BUSY,
                     "another trainer holds the weights; destroy it first, or train a copy");
  if (!atomic_load_explicit(&weights->frozen, memory_order_acquire)) return BDAG_OK;
  atomic_store_explicit(&weights->held, 0, memory_order_release);
  return bdag_fail(error, BDAG_ERROR_BUSY,
                   "frozen weights cannot be trained; train a copy of them (bdag_weights_copy)");
}

static int allocate_arrays(bdag_trainer *trainer) {
  const bdag_context *const context = trainer->context;
  const bdag_plan *const plan = trainer->plan;
  const size_t width = element_size(trainer->weights->type);
  const uint64_t batch = trainer->options.max_batch;
  const uint32_t moments =
      bdag_optimizer_moments(trainer->options.optimizer, trainer->options.momentum);
  uint64_t inputs, targets;
  if (__builtin_mul_overflow(batch, (uint64_t)bdag_plan_input_count(plan), &inputs) ||
      __builtin_mul_overflow(batch, bdag_plan_target_count(plan), &targets))
    return 0;
  trainer->moment_count = live_end(plan);
  if (moments > 0)
    trainer->first_moment = bdag_allocate_zeroed(context, trainer->moment_count, width);
  if (moments > 1)
    trainer->second_moment = bdag_allocate_zeroed(context, trainer->moment_count, width);
  trainer->x = bdag_allocate_array(context, inputs, width);
  trainer->targets = bdag_allocate_array(context, targets, width);
  trainer->sample_weights = bdag_allocate_array(context, batch, sizeof(double));
  trainer->rows = bdag_allocate_array(context, batch, sizeof(uint64_t));
  return (moments < 1 || trainer->first_moment != NULL) &&
         (moments < 2 || trainer->second_moment != NULL) && trainer->x != NULL &&
         trainer->targets != NULL && trainer->sample_weights != NULL && trainer->rows != NULL;
}

static bdag_status make_engine(bdag_trainer *trainer, bdag_error *error) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = trainer->weights->type;
  options.max_batch = trainer->options.max_batch;
  options.keep = BDAG_KEEP_WEIGHT_GRAD;
  options.axis = trainer->options.axis;
  options.threads = trainer->options.threads;
  options.deterministic = trainer->options.deterministic;
  const bdag_status status = bdag_engine_create(&trainer->engine, trainer->plan, &options, error);
  if (status != BDAG_OK) return status;
  bdag_engine_info info = {sizeof info};
  bdag_engine_describe(trainer->engine, &info);
  trainer->threads = info.threads;
  return BDAG_OK;
}

static bdag_status check_arguments(bdag_trainer **trainer, const bdag_plan *plan,
                                   const bdag_weights *weights, const bdag_trainer_options *options,
                                   bdag_error *error) {
  if (trainer == NULL || plan == NULL || weights == NULL)
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "a trainer needs a place for its handle, a plan and weights");
  const char *const complaint = complaint_about(options, weights->type);
  if (complaint != NULL) return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s", complaint);
  if (weights->plan != plan)
    return bdag_fail(error, BDAG_ERROR_MISMATCH,
                     "the weights belong to another plan; bdag_weights_transfer moves them");
  if (!plan->has_loss)
    return bdag_fail(error, BDAG_ERROR_NO_LOSS,
                     "the plan has no loss to train for; add a loss term to the network and make "
                     "the plan without `inference`");
  return BDAG_OK;
}

bdag_status bdag_trainer_create(bdag_trainer **trainer, bdag_plan *plan, bdag_weights *weights,
                                const bdag_trainer_options *options, bdag_error *error) {
  static const bdag_trainer_options defaults = BDAG_TRAINER_OPTIONS_INIT;
  if (options == NULL) options = &defaults;
  bdag_status status = check_arguments(trainer, plan, weights, options, error);
  if (status != BDAG_OK) return status;
  status = take_weights(weights, error);
  if (status != BDAG_OK) return status;
  bdag_trainer *const made = bdag_allocate_zeroed(weights->context, 1, sizeof *made);
  if (made == NULL) {
    atomic_store_explicit(&weights->held, 0, memory_order_release);
    return bdag_fail_memory(error);
  }
  made->context = weights->context;
  made->plan = bdag_plan_retain(plan);
  made->weights = bdag_weights_retain(weights);
  made->options = *options;
  status = make_engine(made, error);
  if (status != BDAG_OK) goto fail;
  if (!allocate_arrays(made)) {
    status = bdag_fail_memory(error);
    goto fail;
  }
  *trainer = made;
  return BDAG_OK;
fail:
  bdag_trainer_destroy(made);
  return status;
}

void bdag_trainer_destroy(bdag_trainer *trainer) {
  if (trainer == NULL) return;
  const bdag_context *const context = trainer->context;
  bdag_engine_destroy(trainer->engine);
  bdag_free(context, trainer->first_moment);
  bdag_free(context, trainer->second_moment);
  bdag_free(context, trainer->x);
  bdag_free(context, trainer->targets);
  bdag_free(context, trainer->sample_weights);
  bdag_free(context, trainer->rows);
  /* Release pairs with the acquire of the next one who takes the weights. */
  atomic_store_explicit(&trainer->weights->held, 0, memory_order_release);
  bdag_weights_release(trainer->weights);
  bdag_plan_release(trainer->plan);
  bdag_free(context, trainer);
}

bdag_status bdag_trainer_set_learning_rate(bdag_trainer *trainer, double learning_rate) {
  if (trainer == NULL || !is_rate(learning_rate, trainer->weights->type))
    return BDAG_ERROR_INVALID_ARGUMENT;
  trainer->options.learning_rate = learning_rate;
  return BDAG_OK;
}

/* ---- A step ------------------------------------------------------------------------------------ */

static int all_finite(bdag_type type, const bdag_range *ranges, uint64_t count,
                      const void *gradient) {
  for (uint64_t i = 0; i < count; i++) {
    if (!bdag_optimizer_is_finite(type, ranges[i].first, ranges[i].count, gradient)) return 0;
  }
  return 1;
}

static void update_ranges(bdag_trainer *trainer, const bdag_update *update,
                          const bdag_range *ranges, uint64_t count, const void *gradient) {
  for (uint64_t i = 0; i < count; i++)
    bdag_optimizer_apply(update, ranges[i].first, ranges[i].count, trainer->weights->state,
                         gradient, trainer->first_moment, trainer->second_moment);
}

/* Moves every live parameter along its gradient. A gradient that overflowed although the loss is
 * finite would ruin the weights for good, so it counts as a loss that is not finite. */
static bdag_status update_weights(bdag_trainer *trainer) {
  const bdag_trainer_options *const options = &trainer->options;
  const bdag_type type = trainer->weights->type;
  const void *const gradient = bdag_engine_state_gradient(trainer->engine);
  uint64_t weight_count, bias_count;
  const bdag_range *const weights = bdag_plan_live_weights(trainer->plan, &weight_count);
  const bdag_range *const biases = bdag_plan_live_biases(trainer->plan, &bias_count);
  if (!all_finite(type, weights, weight_count, gradient) ||
      !all_finite(type, biases, bias_count, gradient))
    return BDAG_ERROR_NOT_FINITE;
  trainer->steps++;
  bdag_update update = {
      .optimizer = options->optimizer,
      .type = type,
      .learning_rate = options->learning_rate,
      .momentum = options->momentum,
      .beta1 = options->beta1,
      .beta2 = options->beta2,
      .epsilon = options->epsilon,
      .decay = options->weight_decay,
      .nesterov = options->nesterov,
      .step = trainer->steps,
  };
  const bdag_context *const context = trainer->plan->context;
  const int alone = trainer->plan->state_count < BDAG_PARALLEL_UPDATE;
  const uint32_t threads = alone ? 1 : bdag_team_enter(context, trainer->threads);
  update.threads = threads > 0 ? threads : 1;
  update_ranges(trainer, &update, weights, weight_count, gradient);
  update.decay = 0.0;
  update_ranges(trainer, &update, biases, bias_count, gradient);
  bdag_team_leave(context, threads);
  bdag_weights_refresh(trainer->weights);
  return BDAG_OK;
}

/* Plain gradient descent needs no more than a gradient's slot and its weight. */
static int can_fuse(const bdag_trainer *trainer) {
  return trainer->options.optimizer == BDAG_SGD && trainer->options.momentum == 0.0 &&
         !trainer->plan->indirect;
}

bdag_status bdag_trainer_step(bdag_trainer *trainer, uint64_t batch, const bdag_array *x,
                              const bdag_array *targets, const double *sample_weights,
                              double *loss) {
  if (trainer == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  bdag_status status = bdag_forward_arrays(trainer->engine, trainer->weights, batch, x, NULL);
  if (status != BDAG_OK) return status;
  bdag_backward_options backward = BDAG_BACKWARD_OPTIONS_INIT;
  backward.targets = targets;
  backward.sample_weights = sample_weights;
  double value = 0.0;
  if (can_fuse(trainer)) {
    status = bdag_backward_descend(trainer->engine, trainer->weights, &backward,
                                   trainer->options.learning_rate, trainer->options.weight_decay,
                                   &value);
    if (loss != NULL && (status == BDAG_OK || status == BDAG_ERROR_NOT_FINITE)) *loss = value;
    if (status == BDAG_OK) trainer->steps++;
    return status;
  }
  status = bdag_backward_arrays(trainer->engine, trainer->weights, &backward, &value);
  if (status != BDAG_OK) return status;
  if (loss != NULL) *loss = value;
  if (!isfinite(value)) return BDAG_ERROR_NOT_FINITE;
  return update_weights(trainer);
}

/* ---- State ------------------------------------------------------------------------------------- */

static double load(bdag_type type, const void *array, uint64_t index) {
  return type == BDAG_FLOAT32 ? (double)((const float *)array)[index]
                              : ((const double *)array)[index];
}

static void save(bdag_type type, void *array, uint64_t index, double value) {
  if (type == BDAG_FLOAT32) {
    ((float *)array)[index] = (float)value;
  } else {
    ((double *)array)[index] = value;
  }
}

static void read_moments(const bdag_trainer *trainer, const void *moments, double *values) {
  const uint64_t count = trainer->plan->network_parameters;
  for (uint64_t p = 0; p < count; p++) {
    const uint64_t index = bdag_plan_state_of_parameter(trainer->plan, p);
    const int known = moments != NULL && index < trainer->moment_count;
    values[p] = known ? load(trainer->weights->type, moments, index) : 0.0;
  }
}

static void write_moments(bdag_trainer *trainer, void *moments, const double *values) {
  if (moments == NULL) return;
  const uint64_t count = trainer->plan->network_parameters;
  for (uint64_t p = 0; p < count; p++) {
    const uint64_t index = bdag_plan_state_of_parameter(trainer->plan, p);
    if (index < trainer->moment_count) save(trainer->weights->type, moments, index, values[p]);
  }
}

static int all_within(const double *values, uint64_t count, double lowest, bdag_type type) {
  const double highest = type == BDAG_FLOAT32 ? FLT_MAX : DBL_MAX;
  for (uint64_t p = 0; p < count; p++) {
    if (!(fabs(values[p]) <= highest && values[p] >= lowest)) return 0;
  }
  return 1;
}

bdag_status bdag_trainer_get_state(const bdag_trainer *trainer, uint64_t *steps,
                                   double *first_moment, double *second_moment) {
  if (trainer == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (steps != NULL) *steps = trainer->steps;
  if (first_moment != NULL) read_moments(trainer, trainer->first_moment, first_moment);
  if (second_moment != NULL) read_moments(trainer, trainer->second_moment, second_moment);
  return BDAG_OK;
}

/* An array that is NULL leaves those moments as they are. */
bdag_status bdag_trainer_set_state(bdag_trainer *trainer, uint64_t steps,
                                   const double *first_moment, const double *second_moment) {
  if (trainer == NULL || steps > INT64_MAX) return BDAG_ERROR_INVALID_ARGUMENT;
  const uint64_t count = trainer->plan->network_parameters;
  const bdag_type type = trainer->weights->type;
  if ((first_moment != NULL && !all_within(first_moment, count, -INFINITY, type)) ||
      (second_moment != NULL && !all_within(second_moment, count, 0.0, type)))
    return BDAG_ERROR_INVALID_ARGUMENT;
  trainer->steps = steps;
  if (first_moment != NULL) write_moments(trainer, trainer->first_moment, first_moment);
  if (second_moment != NULL) write_moments(trainer, trainer->second_moment, second_moment);
  return BDAG_OK;
}
