/* The trainer: single steps against arithmetic by hand, refusals, and the optimizer's state. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "train_fixture.h"

static const bdag_trainer_options defaults = BDAG_TRAINER_OPTIONS_INIT;

static bdag_trainer *train(fixture *made, const bdag_trainer_options *options) {
  bdag_trainer *trainer = NULL;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_create(&trainer, made->plan, made->weights, options, &error), BDAG_OK,
               "%s", error.message);
  return trainer;
}

static bdag_trainer_options sgd(double rate) {
  bdag_trainer_options options = defaults;
  options.optimizer = BDAG_SGD;
  options.learning_rate = rate;
  options.momentum = 0.0;
  return options;
}

/* ---- Steps by hand ----------------------------------------------------------------------------- */

Test(trainer, sgd_step_on_a_linear_model) {
  const double x[] = {1.0, 2.0, -3.0, 0.5}, y[] = {1.0, -1.0};
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  fixture made = fixture_linear(BDAG_FLOAT64);
  const bdag_trainer_options options = sgd(0.1);
  bdag_trainer *const trainer = train(&made, &options);
  double loss = 0.0;
  cr_assert_eq(bdag_trainer_step(trainer, 2, &inputs, &targets, NULL, &loss), BDAG_OK);
  /* out = 0.125 and −1.5; d = out − y = −0.875 and −0.5 */
  cr_assert_float_eq(loss, (0.875 * 0.875 + 0.25) / 2.0, 1e-15);
  double *const values = fixture_values(&made);
  cr_assert_float_eq(values[0], 0.125 - 0.1 * (-0.875 - 0.5), 1e-15);
  cr_assert_float_eq(values[1], 0.5 - 0.1 * (-0.875 * 1.0 - 0.5 * -3.0), 1e-15);
  cr_assert_float_eq(values[2], -0.25 - 0.1 * (-0.875 * 2.0 - 0.5 * 0.5), 1e-15);
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* float64 columns of a wider matrix, vertex-major, into a float32 trainer. */
Test(trainer, step_takes_any_type_and_strides) {
  const double x[] = {1.0, -3.0, 99.0, 2.0, 0.5, 99.0};
  const float y[] = {1.0f, 99.0f, -1.0f};
  const bdag_array inputs = {(void *)(uintptr_t)x, BDAG_FLOAT64, 1, 3};
  const bdag_array targets = {(void *)(uintptr_t)y, BDAG_FLOAT32, 2, 1};
  fixture made = fixture_linear(BDAG_FLOAT32);
  const bdag_trainer_options options = sgd(0.1);
  bdag_trainer *const trainer = train(&made, &options);
  cr_assert_eq(bdag_trainer_step(trainer, 2, &inputs, &targets, NULL, NULL), BDAG_OK);
  double *const values = fixture_values(&made);
  cr_assert_float_eq(values[0], 0.2625, 1e-6);
  cr_assert_float_eq(values[1], 0.4375, 1e-6);
  cr_assert_float_eq(values[2], -0.05, 1e-6);
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(trainer, sample_weights_count) {
  const double x[] = {1.0, 2.0, -3.0, 0.5}, y[] = {1.0, -1.0}, c[] = {3.0, 1.0};
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  fixture made = fixture_linear(BDAG_FLOAT64);
  const bdag_trainer_options options = sgd(0.1);
  bdag_trainer *const trainer = train(&made, &options);
  cr_assert_eq(bdag_trainer_step(trainer, 2, &inputs, &targets, c, NULL), BDAG_OK);
  double *const values = fixture_values(&made);
  cr_assert_float_eq(values[0], 0.125 - 0.1 * 2.0 * (0.75 * -0.875 + 0.25 * -0.5), 1e-15);
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(trainer, learning_rate_changes) {
  const double x[] = {1.0, 2.0}, y[] = {1.125};
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  fixture made = fixture_linear(BDAG_FLOAT64);
  const bdag_trainer_options options = sgd(0.1);
  bdag_trainer *const trainer = train(&made, &options);
  cr_assert_eq(bdag_trainer_set_learning_rate(trainer, 0.0), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_set_learning_rate(trainer, NAN), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_set_learning_rate(trainer, INFINITY), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_set_learning_rate(NULL, 0.5), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_set_learning_rate(trainer, 0.25), BDAG_OK);
  cr_assert_eq(bdag_trainer_step(trainer, 1, &inputs, &targets, NULL, NULL), BDAG_OK);
  double *const values = fixture_values(&made);
  cr_assert_float_eq(values[0], 0.125 + 0.25 * 2.0, 1e-15);
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* One parameter on both edges and, with `bias`, as the bias too: its gradient is the sum. */
static void step_tied(int bias) {
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
  const uint32_t v = fixture_neurons(&made, 1, BDAG_IDENTITY);
  uint64_t shared = 0;
  const double start = 0.5;
  cr_assert_eq(bdag_network_add_parameters(made.network, 1, &start, &shared, NULL), BDAG_OK);
  const uint64_t bias_parameter = bias ? shared : BDAG_NONE;
  cr_assert_eq(bdag_network_set_bias_parameters(made.network, 1, &v, &bias_parameter, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_network_add_tied_edges(made.network, 2, (const uint32_t[]){0, 1},
                                           (const uint32_t[]){v, v},
                                           (const uint64_t[]){shared, shared}, NULL, NULL),
               BDAG_OK);
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, &v);
  fixture_finish(&made, BDAG_FLOAT64);
  const bdag_trainer_options options = sgd(0.1);
  bdag_trainer *const trainer = train(&made, &options);
  const double x[] = {1.0, 2.0}, y[] = {1.0};
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  double weight = start;
  for (int step = 0; step < 3; step++) {
    double loss = 0.0;
    cr_assert_eq(bdag_trainer_step(trainer, 1, &inputs, &targets, NULL, &loss), BDAG_OK);
    double *const values = fixture_values(&made);
    const double factor = bias ? 4.0 : 3.0, d = factor * weight - 1.0;
    cr_assert_float_eq(loss, d * d, 1e-12);
    weight -= 0.1 * 2.0 * d * factor;
    cr_assert_float_eq(values[shared], weight, 1e-12);
    free(values);
  }
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(trainer, tied_edges_move_together) {
  step_tied(0);
}

Test(trainer, a_bias_may_be_tied_to_edges) {
  step_tied(1);
}

/* ---- Decay ------------------------------------------------------------------------------------- */

/* Inputs 0, 1; a dead relu 2 (its gradient is 0) read by output 3; vertex 4 does not reach Loss.
 * Parameters: biases of 2, 3, 4 are 0, 1, 2; the edges' follow. */
static fixture decaying(void) {
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
  const uint32_t dead = fixture_neurons(&made, 1, BDAG_RELU);
  const uint32_t y = fixture_neurons(&made, 2, BDAG_IDENTITY), aside = y + 1;
  fixture_edges(&made, 4, (const edge_spec[]){{0, dead}, {dead, y}, {1, aside}, {y, aside}},
                (const double[]){0.5, 2.0, 3.0, 4.0});
  const uint32_t vertices[] = {dead, y, aside};
  cr_assert_eq(
      bdag_network_set_biases(made.network, 3, vertices, (const double[]){-9.0, 1.0, 5.0}, NULL),
      BDAG_OK);
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, &y);
  fixture_finish(&made, BDAG_FLOAT64);
  return made;
}

static void check_decay(bdag_optimizer optimizer, double factor) {
  fixture made = decaying();
  bdag_trainer_options options = sgd(0.1);
  options.optimizer = optimizer;
  options.weight_decay = 0.5;
  bdag_trainer *const trainer = train(&made, &options);
  const double x[] = {1.0, 1.0}, y[] = {1.0};
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  double loss = 1.0;
  cr_assert_eq(bdag_trainer_step(trainer, 1, &inputs, &targets, NULL, &loss), BDAG_OK);
  cr_assert_eq(loss, 0.0);
  double *const values = fixture_values(&made);
  const double expected[] = {-9.0, 1.0, 5.0};
  for (int p = 0; p < 3; p++) cr_assert_eq(values[p], expected[p], "bias %d moved", p);
  if (factor > 0.0) {
    cr_assert_float_eq(values[3], 0.5 * factor, 1e-12);
    cr_assert_float_eq(values[4], 2.0 * factor, 1e-12);
  } else {
    cr_assert_lt(values[3], 0.5);
    cr_assert_lt(values[4], 2.0);
  }
  cr_assert_eq(values[5], 3.0, "an edge that does not reach Loss moved");
  cr_assert_eq(values[6], 4.0, "an edge that does not reach Loss moved");
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(trainer, decay_spares_biases_and_what_does_not_reach_loss) {
  check_decay(BDAG_SGD, 0.95);
  check_decay(BDAG_ADAMW, 0.95);
  check_decay(BDAG_ADAM, 0.0);
}

/* ---- Losses and gradients that are not finite --------------------------------------------------- */

static void expect_refused_step(bdag_type type, double x, double weight) {
  fixture made = fixture_linear(type);
  const double start[] = {0.0, weight, 0.0};
  fixture_set_values(&made, start);
  const bdag_trainer_options options = defaults;
  bdag_trainer *const trainer = train(&made, &options);
  double row[] = {x, 0.0}, y[] = {0.0};
  const bdag_array inputs = fixture_array(row, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  cr_assert_eq(bdag_trainer_step(trainer, 1, &inputs, &targets, NULL, NULL), BDAG_ERROR_NOT_FINITE);
  double *const values = fixture_values(&made);
  for (int p = 0; p < 3; p++)
    cr_assert_eq(values[p], type == BDAG_FLOAT32 ? (double)(float)start[p] : start[p]);
  uint64_t steps = 99;
  double first[3], second[3];
  cr_assert_eq(bdag_trainer_get_state(trainer, &steps, first, second), BDAG_OK);
  cr_assert_eq(steps, 0);
  for (int p = 0; p < 3; p++) cr_assert(first[p] == 0.0 && second[p] == 0.0);
  row[0] = 1e-30;
  cr_assert_eq(bdag_trainer_step(trainer, 1, &inputs, &targets, NULL, NULL), BDAG_OK);
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(trainer, loss_not_finite_updates_nothing) {
  expect_refused_step(BDAG_FLOAT64, NAN, 0.5);
  expect_refused_step(BDAG_FLOAT32, INFINITY, 0.5);
  /* Only the loss, 1e320, overflows. */
  expect_refused_step(BDAG_FLOAT64, 1.0, 1e160);
}

/* The loss is 1e10, its gradient 2·1e5·1e35. */
Test(trainer, gradient_not_finite_updates_nothing) {
  expect_refused_step(BDAG_FLOAT32, 1e35, 1e-30);
}

/* ---- Refusals ---------------------------------------------------------------------------------- */

static void expect_refused(fixture *made, bdag_trainer_options options) {
  bdag_trainer *trainer = NULL;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_create(&trainer, made->plan, made->weights, &options, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(error.status, BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_neq(error.message[0], '\0');
  cr_assert_null(trainer);
}

#define EXPECT_REFUSED(field, value)                                                               \
  do {                                                                                             \
    bdag_trainer_options options = defaults;                                                       \
    options.optimizer = optimizer;                                                                 \
    options.field = value;                                                                         \
    expect_refused(&made, options);                                                                \
  } while (0)

Test(trainer, refuses_bad_options) {
  fixture made = fixture_linear(BDAG_FLOAT32);
  bdag_optimizer optimizer = BDAG_SGD;
  EXPECT_REFUSED(size, 8);
  EXPECT_REFUSED(optimizer, (bdag_optimizer)3);
  EXPECT_REFUSED(learning_rate, 0.0);
  EXPECT_REFUSED(learning_rate, -1.0);
  EXPECT_REFUSED(learning_rate, NAN);
  EXPECT_REFUSED(learning_rate, INFINITY);
  EXPECT_REFUSED(learning_rate, 1e39);
  EXPECT_REFUSED(momentum, 1.0);
  EXPECT_REFUSED(momentum, -0.1);
  EXPECT_REFUSED(momentum, NAN);
  EXPECT_REFUSED(weight_decay, -1e-3);
  EXPECT_REFUSED(weight_decay, NAN);
  EXPECT_REFUSED(max_batch, 0);
  EXPECT_REFUSED(axis, (bdag_axis)5);
  optimizer = BDAG_ADAM;
  EXPECT_REFUSED(beta1, 1.0);
  EXPECT_REFUSED(beta1, NAN);
  EXPECT_REFUSED(beta2, -0.5);
  EXPECT_REFUSED(epsilon, 0.0);
  EXPECT_REFUSED(epsilon, 1e-40);
  bdag_trainer_destroy(train(&made, NULL));
  fixture_end(&made);
}

Test(trainer, refuses_missing_or_foreign_objects) {
  fixture made = fixture_linear(BDAG_FLOAT32), other = fixture_linear(BDAG_FLOAT32);
  bdag_trainer *trainer = NULL;
  cr_assert_eq(bdag_trainer_create(NULL, made.plan, made.weights, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_create(&trainer, NULL, made.weights, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_create(&trainer, made.plan, NULL, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_create(&trainer, other.plan, made.weights, NULL, NULL),
               BDAG_ERROR_MISMATCH);
  cr_assert_null(trainer);
  bdag_trainer_destroy(NULL);
  fixture_end(&made);
  fixture_end(&other);
}

Test(trainer, refuses_a_network_without_loss) {
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 1, NULL, NULL), BDAG_OK);
  const uint32_t v = fixture_neurons(&made, 1, BDAG_TANH);
  fixture_edges(&made, 1, &(edge_spec){0, v}, NULL);
  fixture_finish(&made, BDAG_FLOAT32);
  bdag_trainer *trainer = NULL;
  cr_assert_eq(bdag_trainer_create(&trainer, made.plan, made.weights, NULL, NULL),
               BDAG_ERROR_NO_LOSS);
  cr_assert_eq(bdag_weights_freeze(made.weights), BDAG_OK);
  fixture_end(&made);
}

Test(trainer, holds_the_weights) {
  fixture made = fixture_linear(BDAG_FLOAT32);
  const double values[] = {1.0, 2.0, 3.0};
  bdag_trainer *const trainer = train(&made, NULL);
  bdag_trainer *second = NULL;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_create(&second, made.plan, made.weights, NULL, &error),
               BDAG_ERROR_BUSY);
  cr_assert_null(second);
  cr_assert_neq(error.message[0], '\0');
  cr_assert_eq(bdag_weights_write(made.weights, 0, 3, values), BDAG_ERROR_BUSY);
  cr_assert_eq(bdag_weights_freeze(made.weights), BDAG_ERROR_BUSY);
  bdag_trainer_destroy(trainer);
  cr_assert_eq(bdag_weights_write(made.weights, 0, 3, values), BDAG_OK);
  second = train(&made, NULL);
  bdag_trainer_destroy(second);
  cr_assert_eq(bdag_weights_freeze(made.weights), BDAG_OK);
  cr_assert_eq(bdag_trainer_create(&second, made.plan, made.weights, NULL, &error),
               BDAG_ERROR_BUSY);
  fixture_end(&made);
}

Test(trainer, a_failed_step_changes_nothing) {
  fixture made = fixture_linear(BDAG_FLOAT64);
  bdag_trainer_options options = sgd(0.1);
  options.max_batch = 2;
  bdag_trainer *const trainer = train(&made, &options);
  const double x[6] = {1.0}, y[3] = {1.0}, c[2] = {0.0, 0.0};
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  cr_assert_eq(bdag_trainer_step(NULL, 1, &inputs, &targets, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_step(trainer, 3, &inputs, &targets, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_step(trainer, 0, &inputs, &targets, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_step(trainer, 2, &inputs, NULL, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_step(trainer, 2, &inputs, &targets, c, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  double *const values = fixture_values(&made);
  cr_assert(values[0] == 0.125 && values[1] == 0.5 && values[2] == -0.25);
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* ---- State ------------------------------------------------------------------------------------- */

static void random_steps(bdag_trainer *trainer, uint64_t first, uint64_t count) {
  for (uint64_t step = first; step < first + count; step++) {
    double x[10], y[5];
    for (uint64_t i = 0; i < 10; i++) x[i] = bdag_random_normal(4, step, i);
    for (uint64_t i = 0; i < 5; i++) y[i] = bdag_random_normal(5, step, i);
    const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
    const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
    cr_assert_eq(bdag_trainer_step(trainer, 5, &inputs, &targets, NULL, NULL), BDAG_OK);
  }
}

/* Ten steps, against five, a new process as it were, and five more. */
static void check_round_trip(bdag_trainer_options options, bdag_type type) {
  fixture whole = fixture_small(type, 1), parts = fixture_small(type, 1);
  const uint64_t count = fixture_parameters(&whole);
  bdag_trainer *trainer = train(&whole, &options);
  random_steps(trainer, 0, 10);
  bdag_trainer_destroy(trainer);

  trainer = train(&parts, &options);
  random_steps(trainer, 0, 5);
  uint64_t steps = 0;
  double *const first = malloc(count * sizeof *first), *const second =
                                                           malloc(count * sizeof *second);
  cr_assert_eq(bdag_trainer_get_state(trainer, &steps, first, second), BDAG_OK);
  cr_assert_eq(steps, 5);
  bdag_trainer_destroy(trainer);
  double *const middle = fixture_values(&parts);
  fixture_end(&parts);
  parts = fixture_small(type, 1);
  fixture_set_values(&parts, middle);
  trainer = train(&parts, &options);
  cr_assert_eq(bdag_trainer_set_state(trainer, steps, first, second), BDAG_OK);
  random_steps(trainer, 5, 5);
  bdag_trainer_destroy(trainer);

  double *const expected = fixture_values(&whole), *const got = fixture_values(&parts);
  cr_assert_arr_eq(expected, got, count * sizeof *got);
  cr_assert_neq(memcmp(middle, got, count * sizeof *got), 0);
  free(first);
  free(second);
  free(middle);
  free(expected);
  free(got);
  fixture_end(&whole);
  fixture_end(&parts);
}

Test(trainer, state_round_trip_continues_bit_for_bit) {
  for (int type = BDAG_FLOAT32; type <= BDAG_FLOAT64; type++) {
    bdag_trainer_options options = defaults;
    options.learning_rate = 0.01;
    options.weight_decay = 0.01;
    for (int optimizer = BDAG_SGD; optimizer <= BDAG_ADAMW; optimizer++) {
      options.optimizer = (bdag_optimizer)optimizer;
      check_round_trip(options, (bdag_type)type);
    }
    options.optimizer = BDAG_SGD;
    options.nesterov = 1;
    check_round_trip(options, (bdag_type)type);
    options.momentum = 0.0;
    check_round_trip(options, (bdag_type)type);
  }
}

Test(trainer, state_of_what_is_not_trained_reads_as_zero) {
  fixture made = decaying();
  bdag_trainer *const trainer = train(&made, NULL);
  const double x[] = {1.0, 1.0}, y[] = {3.0};
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT64, 2);
  const bdag_array targets = fixture_array(y, BDAG_FLOAT64, 1);
  cr_assert_eq(bdag_trainer_step(trainer, 1, &inputs, &targets, NULL, NULL), BDAG_OK);
  double first[7], second[7];
  cr_assert_eq(bdag_trainer_get_state(trainer, NULL, first, second), BDAG_OK);
  for (int p = 0; p < 7; p++) {
    /* Only the bias of the output has a gradient: 2·(1 − 3). */
    cr_assert_float_eq(first[p], p == 1 ? 0.1 * -4.0 : 0.0, 1e-12, "parameter %d", p);
    cr_assert_float_eq(second[p], p == 1 ? 0.001 * 16.0 : 0.0, 1e-12, "parameter %d", p);
  }
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(trainer, sgd_without_momentum_has_no_moments) {
  fixture made = fixture_linear(BDAG_FLOAT32);
  const bdag_trainer_options options = sgd(0.1);
  bdag_trainer *const trainer = train(&made, &options);
  double first[3] = {1.0, 1.0, 1.0}, second[3] = {1.0, 1.0, 1.0};
  cr_assert_eq(bdag_trainer_set_state(trainer, 12, first, second), BDAG_OK);
  uint64_t steps = 0;
  cr_assert_eq(bdag_trainer_get_state(trainer, &steps, first, second), BDAG_OK);
  cr_assert_eq(steps, 12);
  for (int p = 0; p < 3; p++) cr_assert(first[p] == 0.0 && second[p] == 0.0);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(trainer, state_must_be_finite) {
  fixture made = fixture_linear(BDAG_FLOAT32);
  bdag_trainer *const trainer = train(&made, NULL);
  static const double bad[] = {NAN, INFINITY, -INFINITY, 1e39};
  double zero[3] = {0.0}, values[3] = {0.5, 0.5, 0.5};
  for (int k = 0; k < 4; k++) {
    values[2] = bad[k];
    cr_assert_eq(bdag_trainer_set_state(trainer, 3, values, zero), BDAG_ERROR_INVALID_ARGUMENT);
    cr_assert_eq(bdag_trainer_set_state(trainer, 3, zero, values), BDAG_ERROR_INVALID_ARGUMENT);
  }
  values[2] = -0.5;
  cr_assert_eq(bdag_trainer_set_state(trainer, 3, zero, values), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_set_state(trainer, UINT64_MAX, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_set_state(NULL, 3, zero, zero), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_trainer_get_state(NULL, NULL, zero, zero), BDAG_ERROR_INVALID_ARGUMENT);
  uint64_t steps = 9;
  cr_assert_eq(bdag_trainer_get_state(trainer, &steps, values, NULL), BDAG_OK);
  cr_assert_eq(steps, 0);
  cr_assert_eq(values[2], 0.0);
  cr_assert_eq(bdag_trainer_set_state(trainer, 4, NULL, NULL), BDAG_OK);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}
