/* Runs: mini-batches, order, validation, progress, stopping, refusals. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "train/order.h"
#include "train_fixture.h"

static const bdag_trainer_options trainer_defaults = BDAG_TRAINER_OPTIONS_INIT;
static const bdag_run_options run_defaults = BDAG_RUN_OPTIONS_INIT;

static bdag_trainer *train(fixture *made, uint64_t max_batch, double rate) {
  bdag_trainer_options options = trainer_defaults;
  options.max_batch = max_batch;
  options.learning_rate = rate;
  bdag_trainer *trainer = NULL;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_create(&trainer, made->plan, made->weights, &options, &error), BDAG_OK,
               "%s", error.message);
  return trainer;
}

enum { MANY = 53 };
static double many_x[MANY][2], many_y[MANY];

/* MANY samples of a smooth function. */
static bdag_samples many_samples(void) {
  for (uint64_t s = 0; s < MANY; s++) {
    for (uint64_t j = 0; j < 2; j++) many_x[s][j] = bdag_random_normal(1, j, s);
    many_y[s] = many_x[s][0] * 0.5 + sin(many_x[s][1]);
  }
  return (bdag_samples){MANY, fixture_array(many_x, BDAG_FLOAT64, 2),
                        fixture_array(many_y, BDAG_FLOAT64, 1), NULL};
}

static void run_well(bdag_trainer *trainer, const bdag_samples *samples,
                     const bdag_run_options *options) {
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_run(trainer, samples, options, &error), BDAG_OK, "%s", error.message);
}

/* ---- Learning ---------------------------------------------------------------------------------- */

static void learn_xor(bdag_type type, bdag_optimizer optimizer, double rate) {
  const float x[4][2] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}}, y[4] = {0, 1, 1, 0};
  const bdag_samples samples = {4, fixture_array(x, BDAG_FLOAT32, 2),
                                fixture_array(y, BDAG_FLOAT32, 1), NULL};
  fixture made = fixture_small(type, 1);
  bdag_trainer_options options = trainer_defaults;
  options.optimizer = optimizer;
  options.learning_rate = rate;
  bdag_trainer *trainer = NULL;
  cr_assert_eq(bdag_trainer_create(&trainer, made.plan, made.weights, &options, NULL), BDAG_OK);
  bdag_run_options run = run_defaults;
  run.epochs = 1500;
  run.batch = 4;
  double before = 0.0, after = 1.0;
  cr_assert_eq(bdag_trainer_evaluate(trainer, &samples, &before), BDAG_OK);
  run_well(trainer, &samples, &run);
  cr_assert_eq(bdag_trainer_evaluate(trainer, &samples, &after), BDAG_OK);
  cr_assert_gt(before, 0.1);
  cr_assert_lt(after, 1e-3, "%g before, %g after", before, after);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(run, learns_xor) {
  learn_xor(BDAG_FLOAT32, BDAG_ADAM, 0.02);
  learn_xor(BDAG_FLOAT64, BDAG_SGD, 0.05);
}

Test(run, learns_a_regression) {
  fixture made = fixture_small(BDAG_FLOAT32, 2);
  bdag_trainer *const trainer = train(&made, 16, 0.01);
  const bdag_samples samples = many_samples();
  bdag_run_options run = run_defaults;
  run.epochs = 300;
  run.batch = 16;
  double loss = 1.0;
  run_well(trainer, &samples, &run);
  cr_assert_eq(bdag_trainer_evaluate(trainer, &samples, &loss), BDAG_OK);
  cr_assert_lt(loss, 0.01);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* ---- Order ------------------------------------------------------------------------------------- */

/* A run is the same, bit by bit, as steps by hand in the documented order. */
static void compare_with_steps(int shuffle, bdag_type type) {
  enum { BATCH = 8, EPOCHS = 3 };
  const bdag_samples samples = many_samples();
  fixture a = fixture_small(type, 1), b = fixture_small(type, 1);
  bdag_trainer *const runner = train(&a, 10, 0.01), *const stepper = train(&b, 10, 0.01);
  bdag_run_options run = run_defaults;
  run.epochs = EPOCHS;
  run.batch = BATCH;
  run.seed = 77;
  run.shuffle = shuffle;
  run_well(runner, &samples, &run);

  uint64_t ids[MANY], order[MANY];
  for (uint64_t s = 0; s < MANY; s++) ids[s] = order[s] = s;
  for (uint64_t epoch = 1; epoch <= EPOCHS; epoch++) {
    if (shuffle) bdag_order_shuffle(77, epoch, MANY, ids, order);
    for (uint64_t first = 0; first < MANY; first += BATCH) {
      const uint64_t count = MANY - first < BATCH ? MANY - first : BATCH;
      double x[BATCH][2], y[BATCH];
      for (uint64_t i = 0; i < count; i++) {
        memcpy(x[i], many_x[order[first + i]], sizeof x[i]);
        y[i] = many_y[order[first + i]];
      }
      const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
      const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
      cr_assert_eq(bdag_trainer_step(stepper, count, &inputs, &targets, NULL, NULL), BDAG_OK);
    }
  }
  double *const expected = fixture_values(&a), *const got = fixture_values(&b);
  cr_assert_arr_eq(expected, got, fixture_parameters(&a) * sizeof *got);
  free(expected);
  free(got);
  bdag_trainer_destroy(runner);
  bdag_trainer_destroy(stepper);
  fixture_end(&a);
  fixture_end(&b);
}

Test(run, is_the_same_as_steps_by_hand) {
  compare_with_steps(0, BDAG_FLOAT64);
  compare_with_steps(1, BDAG_FLOAT64);
  compare_with_steps(1, BDAG_FLOAT32);
}

Test(run, type_and_strides_of_samples_do_not_matter) {
  const bdag_samples plain = many_samples();
  static double wide[3][MANY];
  for (int s = 0; s < MANY; s++) {
    wide[0][s] = many_x[s][0];
    wide[1][s] = many_x[s][1];
    wide[2][s] = many_y[s];
  }
  const bdag_samples vertex_major = {
      MANY, {wide, BDAG_FLOAT64, 1, MANY}, {wide[2], BDAG_FLOAT64, 1, MANY}, NULL};
  double *values[2];
  for (int k = 0; k < 2; k++) {
    fixture made = fixture_small(BDAG_FLOAT32, 1);
    bdag_trainer *const trainer = train(&made, 128, 0.01);
    run_well(trainer, k == 0 ? &plain : &vertex_major, NULL);
    values[k] = fixture_values(&made);
    bdag_trainer_destroy(trainer);
    if (k == 1) cr_assert_arr_eq(values[0], values[1], fixture_parameters(&made) * sizeof(double));
    fixture_end(&made);
  }
  free(values[0]);
  free(values[1]);
}

/* In deterministic mode a whole run is bitwise the same for any number of threads and axis. */
Test(run, deterministic_runs_do_not_depend_on_threads) {
  static const bdag_axis axes[] = {BDAG_AXIS_SERIAL, BDAG_AXIS_TILES, BDAG_AXIS_VERTICES,
                                   BDAG_AXIS_BOTH};
  const bdag_samples samples = many_samples();
  double *values[4];
  for (int k = 0; k < 4; k++) {
    fixture made = fixture_small(BDAG_FLOAT32, k == 0 ? 1 : 4);
    bdag_trainer_options options = trainer_defaults;
    options.deterministic = 1;
    options.axis = axes[k];
    bdag_trainer *trainer = NULL;
    cr_assert_eq(bdag_trainer_create(&trainer, made.plan, made.weights, &options, NULL), BDAG_OK);
    bdag_run_options run = run_defaults;
    run.epochs = 20;
    run.batch = 40;
    run_well(trainer, &samples, &run);
    values[k] = fixture_values(&made);
    bdag_trainer_destroy(trainer);
    if (k > 0) cr_assert_arr_eq(values[0], values[k], fixture_parameters(&made) * sizeof(double));
    fixture_end(&made);
  }
  for (int k = 0; k < 4; k++) free(values[k]);
}

/* ---- Progress ---------------------------------------------------------------------------------- */

typedef struct diary {
  bdag_progress entries[64];
  int count, stop_after; /* 0: never */
} diary;

static int note(void *user, const bdag_progress *progress) {
  diary *const notes = user;
  if (notes->count < 64) notes->entries[notes->count] = *progress;
  notes->count++;
  return notes->count == notes->stop_after;
}

Test(run, reports_progress) {
  fixture made = fixture_small(BDAG_FLOAT64, 1);
  bdag_trainer *const trainer = train(&made, 32, 1e-300);
  const bdag_samples samples = many_samples();
  diary notes = {0};
  bdag_run_options run = run_defaults;
  run.epochs = 2;
  run.batch = 20;
  run.progress = note;
  run.progress_user = &notes;
  run_well(trainer, &samples, &run);
  double loss = 0.0;
  cr_assert_eq(bdag_trainer_evaluate(trainer, &samples, &loss), BDAG_OK);
  cr_assert_eq(notes.count, 8);
  for (int i = 0; i < 8; i++) {
    const bdag_progress *const entry = &notes.entries[i];
    cr_assert_eq(entry->epoch, (uint64_t)(i / 4 + 1));
    cr_assert_eq(entry->epochs, 2);
    cr_assert_eq(entry->batch, (uint64_t)(i % 4 + 1));
    cr_assert_eq(entry->batches, 3);
    cr_assert_eq(entry->epoch_end != 0, i % 4 == 3);
    cr_assert_gt(entry->samples_per_second, 0.0);
    cr_assert(isnan(entry->validation_loss));
    /* The last batch has 13 samples: the mean weighs it accordingly. */
    if (i % 4 == 3) cr_assert_float_eq(entry->loss, loss, 1e-12);
  }
  const double by_hand =
      (20.0 * notes.entries[0].loss + 20.0 * notes.entries[1].loss + 13.0 * notes.entries[2].loss) /
      53.0;
  cr_assert_float_eq(notes.entries[3].loss, by_hand, 1e-12);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(run, stops_when_the_callback_says_so) {
  for (int stop = 1; stop <= 6; stop++) {
    fixture made = fixture_small(BDAG_FLOAT64, 1);
    bdag_trainer *const trainer = train(&made, 32, 0.01);
    const bdag_samples samples = many_samples();
    diary notes = {.stop_after = stop};
    bdag_run_options run = run_defaults;
    run.epochs = 100;
    run.batch = 20;
    run.progress = note;
    run.progress_user = &notes;
    bdag_error error = {0};
    cr_assert_eq(bdag_trainer_run(trainer, &samples, &run, &error), BDAG_ERROR_CANCELLED);
    cr_assert_eq(error.status, BDAG_ERROR_CANCELLED);
    cr_assert_neq(error.message[0], '\0');
    cr_assert_eq(notes.count, stop);
    uint64_t steps = 0;
    cr_assert_eq(bdag_trainer_get_state(trainer, &steps, NULL, NULL), BDAG_OK);
    cr_assert_eq(steps, (uint64_t)(stop - stop / 4));
    double *const values = fixture_values(&made);
    for (uint64_t p = 0; p < fixture_parameters(&made); p++) cr_assert(isfinite(values[p]));
    free(values);
    run.progress = NULL;
    run.epochs = 1;
    run_well(trainer, &samples, &run);
    bdag_trainer_destroy(trainer);
    fixture_end(&made);
  }
}

/* ---- Validation -------------------------------------------------------------------------------- */

/* A loss that notes which samples (their target is their number) it sees, in training and after. */
typedef struct witness {
  int trained[MANY], validated[MANY];
  int training;
} witness;

static int see(void *user, const bdag_loss_view *view) {
  witness *const seen = user;
  for (uint64_t s = 0; s < view->sample_count; s++) {
    const int sample = (int)((const double *)view->targets)[s];
    (seen->training ? seen->trained : seen->validated)[sample]++;
    ((double *)view->out_grad)[s] = 0.0;
    view->loss[s] = 1.0;
  }
  return 0;
}

static int turn(void *user, const bdag_progress *progress) {
  ((witness *)user)->training = progress->batch != progress->batches;
  return 0;
}

static witness observe(double share, uint64_t seed) {
  witness seen = {.training = 1};
  fixture made = fixture_begin(1, NULL);
  uint32_t kind = 0;
  cr_assert_eq(bdag_context_register_loss(made.context, "see", see, &seen, 1, 1, &kind, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(made.network, 1, NULL, NULL), BDAG_OK);
  const uint32_t v = fixture_neurons(&made, 1, BDAG_IDENTITY);
  fixture_edges(&made, 1, &(edge_spec){0, v}, NULL);
  fixture_loss(&made, kind, 1, &v);
  fixture_finish(&made, BDAG_FLOAT64);
  bdag_trainer *const trainer = train(&made, 8, 0.01);
  double x[MANY], y[MANY];
  for (int s = 0; s < MANY; s++) x[s] = y[s] = s;
  const bdag_samples samples = {MANY, fixture_array(x, BDAG_FLOAT64, 1),
                                fixture_array(y, BDAG_FLOAT64, 1), NULL};
  bdag_run_options run = run_defaults;
  run.epochs = 3;
  run.batch = 8;
  run.seed = seed;
  run.validation_share = share;
  run.progress = turn;
  run.progress_user = &seen;
  run_well(trainer, &samples, &run);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
  return seen;
}

Test(run, held_out_samples_are_never_trained_on) {
  const double share = 0.3;
  const witness seen = observe(share, 1), again = observe(share, 1), other = observe(share, 2);
  int held_out = 0;
  for (int s = 0; s < MANY; s++) {
    cr_assert((seen.trained[s] == 3 && seen.validated[s] == 0) ||
                  (seen.trained[s] == 0 && seen.validated[s] == 3),
              "sample %d: trained %d times, validated %d times", s, seen.trained[s],
              seen.validated[s]);
    held_out += seen.validated[s] > 0;
  }
  cr_assert_eq(held_out, 16);
  cr_assert_arr_eq(seen.trained, again.trained, sizeof seen.trained);
  cr_assert_neq(memcmp(seen.trained, other.trained, sizeof seen.trained), 0);
}

Test(run, without_validation_every_sample_is_trained_on) {
  const witness seen = observe(0.0, 1);
  for (int s = 0; s < MANY; s++) cr_assert(seen.trained[s] == 3 && seen.validated[s] == 0);
}

Test(run, validates_on_samples_of_their_own) {
  fixture made = fixture_small(BDAG_FLOAT64, 1);
  bdag_trainer *const trainer = train(&made, 128, 0.01);
  const bdag_samples samples = many_samples();
  bdag_samples own = samples;
  own.count = 7;
  diary notes = {0};
  bdag_run_options run = run_defaults;
  run.validation = &own;
  run.progress = note;
  run.progress_user = &notes;
  run_well(trainer, &samples, &run);
  double loss = 0.0;
  cr_assert_eq(bdag_trainer_evaluate(trainer, &own, &loss), BDAG_OK);
  cr_assert_eq(notes.entries[1].validation_loss, loss);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* ---- Evaluation and sample weights -------------------------------------------------------------- */

Test(run, evaluates_the_weighted_mean) {
  const double x[3][2] = {{1.0, 2.0}, {NAN, 0.0}, {-3.0, 0.5}}, y[3] = {1.0, 0.0, -1.0};
  const double c[3] = {3.0, 0.0, 1.0};
  const bdag_samples samples = {3, fixture_array(x, BDAG_FLOAT64, 2),
                                fixture_array(y, BDAG_FLOAT64, 1), c};
  for (int normalization = BDAG_NORMALIZE_WEIGHTS; normalization <= BDAG_NORMALIZE_ONE;
       normalization++) {
    for (uint64_t batch = 1; batch <= 3; batch++) {
      fixture made = fixture_linear(BDAG_FLOAT64);
      bdag_weights_release(made.weights);
      bdag_plan_release(made.plan);
      cr_assert_eq(
          bdag_network_set_normalization(made.network, (bdag_normalization)normalization, NULL),
          BDAG_OK);
      fixture_finish(&made, BDAG_FLOAT64);
      bdag_trainer *const trainer = train(&made, batch, 0.01);
      double loss = 0.0;
      cr_assert_eq(bdag_trainer_evaluate(trainer, &samples, &loss), BDAG_OK);
      cr_assert_float_eq(loss, (3.0 * 0.875 * 0.875 + 0.25) / 4.0, 1e-14);
      bdag_trainer_destroy(trainer);
      fixture_end(&made);
    }
  }
}

/* The same as if the samples of weight 0 were not there: no batch consists of them alone. */
Test(run, samples_of_weight_zero_take_no_part) {
  const bdag_samples plain = many_samples();
  double c[MANY], x[MANY][2], y[MANY];
  uint64_t count = 0;
  for (int s = 0; s < MANY; s++) {
    c[s] = s % 3 == 0 || s < 9 ? 0.0 : 1.0;
    if (c[s] == 0.0) continue;
    memcpy(x[count], many_x[s], sizeof x[count]);
    y[count++] = many_y[s];
  }
  bdag_samples weighted = plain;
  weighted.sample_weights = c;
  const bdag_samples few = {count, fixture_array(x, BDAG_FLOAT64, 2),
                            fixture_array(y, BDAG_FLOAT64, 1), NULL};
  double *values[2];
  fixture made[2];
  for (int k = 0; k < 2; k++) {
    made[k] = fixture_small(BDAG_FLOAT64, 1);
    bdag_trainer *const trainer = train(&made[k], 4, 0.01);
    bdag_run_options run = run_defaults;
    run.batch = 4;
    run.epochs = 2;
    run_well(trainer, k == 0 ? &few : &weighted, &run);
    values[k] = fixture_values(&made[k]);
    bdag_trainer_destroy(trainer);
  }
  for (uint64_t p = 0; p < fixture_parameters(&made[0]); p++)
    cr_assert_float_eq(values[0][p], values[1][p], 1e-12);
  for (int k = 0; k < 2; k++) {
    free(values[k]);
    fixture_end(&made[k]);
  }
}

/* ---- Refusals ---------------------------------------------------------------------------------- */

static void expect_refused(bdag_trainer *trainer, const bdag_samples *samples,
                           const bdag_run_options *options) {
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_run(trainer, samples, options, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(error.status, BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_neq(error.message[0], '\0');
}

#define EXPECT_REFUSED(field, value)                                                               \
  do {                                                                                             \
    bdag_run_options options = run_defaults;                                                       \
    options.batch = 4;                                                                             \
    options.field = value;                                                                         \
    expect_refused(trainer, &samples, &options);                                                   \
  } while (0)

Test(run, refuses_bad_options) {
  fixture made = fixture_small(BDAG_FLOAT64, 1);
  bdag_trainer *const trainer = train(&made, 8, 0.01);
  const bdag_samples samples = many_samples();
  bdag_samples empty = samples;
  empty.count = 0;
  EXPECT_REFUSED(size, 3);
  EXPECT_REFUSED(epochs, 0);
  EXPECT_REFUSED(batch, 0);
  EXPECT_REFUSED(batch, 9);
  EXPECT_REFUSED(validation_share, 1.0);
  EXPECT_REFUSED(validation_share, -0.1);
  EXPECT_REFUSED(validation_share, NAN);
  EXPECT_REFUSED(validation_share, 0.995);
  EXPECT_REFUSED(validation, &empty);
  bdag_run_options both = run_defaults;
  both.batch = 4;
  both.validation = &samples;
  both.validation_share = 0.5;
  expect_refused(trainer, &samples, &both);
  expect_refused(NULL, &samples, NULL);
  run_well(trainer, &samples, NULL);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(run, refuses_bad_samples) {
  fixture made = fixture_small(BDAG_FLOAT64, 1);
  bdag_trainer *const trainer = train(&made, 8, 0.01);
  const bdag_samples good = many_samples();
  double zeros[MANY] = {0.0}, loss = 0.0;
  bdag_samples bad[9];
  for (int k = 0; k < 9; k++) bad[k] = good;
  bad[0].count = 0;
  bad[1].x.data = NULL;
  bad[2].targets.data = NULL;
  bad[3].x.type = (bdag_type)0;
  bad[4].targets.type = (bdag_type)3;
  bad[5].x.sample_stride = PTRDIFF_MAX / 2;
  bad[6].targets.vertex_stride = PTRDIFF_MIN;
  bad[7].count = UINT64_MAX;
  bad[8].sample_weights = zeros;
  for (int k = 0; k < 9; k++) {
    expect_refused(trainer, &bad[k], NULL);
    cr_assert_eq(bdag_trainer_evaluate(trainer, &bad[k], &loss), BDAG_ERROR_INVALID_ARGUMENT);
  }
  expect_refused(trainer, NULL, NULL);
  cr_assert_eq(bdag_trainer_evaluate(NULL, &good, &loss), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_evaluate(trainer, NULL, &loss), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_evaluate(trainer, &good, NULL), BDAG_ERROR_INVALID_ARGUMENT);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(run, negative_sample_weights_are_refused) {
  fixture made = fixture_small(BDAG_FLOAT64, 1);
  bdag_trainer *const trainer = train(&made, 64, 0.01);
  bdag_samples samples = many_samples();
  double c[MANY];
  for (int s = 0; s < MANY; s++) c[s] = s == 20 ? -1.0 : 1.0;
  samples.sample_weights = c;
  bdag_run_options run = run_defaults;
  run.batch = 64;
  expect_refused(trainer, &samples, &run);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(run, a_loss_that_is_not_finite_ends_it) {
  fixture made = fixture_small(BDAG_FLOAT64, 1);
  bdag_trainer *const trainer = train(&made, 8, 0.01);
  const bdag_samples samples = many_samples();
  many_x[20][0] = NAN;
  bdag_run_options run = run_defaults;
  run.batch = 8;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_run(trainer, &samples, &run, &error), BDAG_ERROR_NOT_FINITE);
  cr_assert_not_null(strstr(error.message, "epoch 1"));
  double *const values = fixture_values(&made);
  for (uint64_t p = 0; p < fixture_parameters(&made); p++) cr_assert(isfinite(values[p]));
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* The message names the sample by its number in the caller's data, not in the batch. */
Test(run, a_bad_target_is_named) {
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
  const uint32_t v = fixture_neurons(&made, 2, BDAG_IDENTITY);
  fixture_edges(&made, 2, (const edge_spec[]){{0, v}, {1, v + 1}}, NULL);
  fixture_loss(&made, BDAG_CLASS_CROSS_ENTROPY, 2, (const uint32_t[]){v, v + 1});
  fixture_finish(&made, BDAG_FLOAT64);
  bdag_trainer *const trainer = train(&made, 8, 0.01);
  const bdag_samples samples = many_samples();
  for (int s = 0; s < MANY; s++) many_y[s] = s == 37 ? 2.0 : s % 2;
  bdag_run_options run = run_defaults;
  run.batch = 8;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_run(trainer, &samples, &run, &error), BDAG_ERROR_BAD_TARGET);
  cr_assert_not_null(strstr(error.message, "sample 37"), "%s", error.message);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* ---- Memory ------------------------------------------------------------------------------------ */

typedef struct counter {
  _Atomic long allocations, live;
  long fail_from; /* allocations from this one on return NULL; −1: none */
} counter;

static void *count_allocate(void *user, size_t size) {
  counter *const counts = user;
  const long number = atomic_fetch_add(&counts->allocations, 1);
  if (counts->fail_from >= 0 && number >= counts->fail_from) return NULL;
  atomic_fetch_add(&counts->live, 1);
  return malloc(size == 0 ? 1 : size);
}

static void count_release(void *user, void *memory) {
  if (memory == NULL) return;
  atomic_fetch_sub(&((counter *)user)->live, 1);
  free(memory);
}

typedef struct allocation_diary {
  counter *counts;
  long first, last;
} allocation_diary;

static int note_allocations(void *user, const bdag_progress *progress) {
  allocation_diary *const notes = user;
  const long now = atomic_load(&notes->counts->allocations);
  if (progress->epoch == 1 && progress->batch == 1) notes->first = now;
  notes->last = now;
  return 0;
}

static fixture counted_fixture(counter *counts, const bdag_allocator *allocator) {
  fixture made = fixture_begin(1, allocator);
  cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
  const uint32_t v = fixture_neurons(&made, 2, BDAG_TANH);
  fixture_edges(&made, 4, (const edge_spec[]){{0, v}, {1, v}, {v, v + 1}, {0, v + 1}}, NULL);
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, (const uint32_t[]){v + 1});
  fixture_finish(&made, BDAG_FLOAT32);
  return made;
}

Test(run, batches_allocate_nothing) {
  counter counts = {.fail_from = -1};
  const bdag_allocator allocator = {count_allocate, count_release, &counts};
  fixture made = counted_fixture(&counts, &allocator);
  bdag_trainer *const trainer = train(&made, 8, 0.01);
  const bdag_samples samples = many_samples();
  allocation_diary notes = {&counts, -1, 0};
  bdag_run_options run = run_defaults;
  run.epochs = 3;
  run.batch = 8;
  run.validation_share = 0.25;
  run.progress = note_allocations;
  run.progress_user = &notes;
  run_well(trainer, &samples, &run);
  cr_assert_gt(notes.first, 0);
  cr_assert_eq(notes.first, notes.last);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
  cr_assert_eq(atomic_load(&counts.live), 0);
}

/* One more allocation succeeds each time, until everything does. */
Test(run, survives_running_out_of_memory) {
  counter counts = {.fail_from = -1};
  const bdag_allocator allocator = {count_allocate, count_release, &counts};
  fixture made = counted_fixture(&counts, &allocator);
  const bdag_samples samples = many_samples();
  bdag_trainer_options options = trainer_defaults;
  bdag_status status = BDAG_ERROR_OUT_OF_MEMORY;
  int failures = 0;
  for (long allowed = 0; status != BDAG_OK; allowed++) {
    cr_assert_lt(allowed, 500);
    const long live = atomic_load(&counts.live);
    bdag_trainer *trainer = NULL;
    bdag_error error = {0};
    counts.fail_from = atomic_load(&counts.allocations) + allowed;
    status = bdag_weights_initialize(made.weights, made.network, BDAG_INIT_AUTO, 1, &error);
    if (status == BDAG_OK)
      status = bdag_trainer_create(&trainer, made.plan, made.weights, &options, &error);
    if (status == BDAG_OK) status = bdag_trainer_run(trainer, &samples, NULL, &error);
    counts.fail_from = -1;
    if (status != BDAG_OK) {
      failures++;
      cr_assert_eq(status, BDAG_ERROR_OUT_OF_MEMORY);
      cr_assert_eq(error.status, BDAG_ERROR_OUT_OF_MEMORY);
    }
    bdag_trainer_destroy(trainer);
    cr_assert_eq(atomic_load(&counts.live), live, "a failure leaks");
  }
  cr_assert_gt(failures, 10);
  fixture_end(&made);
}
