/* Taking weights, and checkpoints: a run that was interrupted goes on as if it had not been. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "io/bytes.h"
#include "network_samples.h"

enum { SAMPLES = 12 };

static bdag_context *context;

typedef struct setup {
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_trainer *trainer;
} setup;

static void make_context(void) {
  context = sample_context();
}

static void destroy_context(void) {
  bdag_context_destroy(context);
}

TestSuite(checkpoint, .init = make_context, .fini = destroy_context);

static setup start(bdag_network *network, bdag_type type, bdag_optimizer optimizer) {
  setup s = {.network = network};
  bdag_error error;
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.optimizer = optimizer;
  options.learning_rate = 0.01;
  options.deterministic = 1;
  cr_assert_eq(bdag_plan_create(&s.plan, network, NULL, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(bdag_weights_create(&s.weights, s.plan, network, type, &error), BDAG_OK);
  cr_assert_eq(bdag_trainer_create(&s.trainer, s.plan, s.weights, &options, &error), BDAG_OK, "%s",
               error.message);
  return s;
}

static void finish(setup s) {
  bdag_trainer_destroy(s.trainer);
  bdag_weights_release(s.weights);
  bdag_plan_release(s.plan);
  bdag_network_destroy(s.network);
}

static void train(const setup *s, int steps) {
  const uint32_t inputs = bdag_network_input_count(s->network);
  double *const x = malloc(SAMPLES * inputs * sizeof *x), y[SAMPLES];
  for (uint32_t i = 0; i < SAMPLES * inputs; i++) x[i] = sin(i * 1.7);
  for (int i = 0; i < SAMPLES; i++) y[i] = cos(i * 0.9);
  const bdag_array xs = {x, BDAG_FLOAT64, inputs, 1}, ys = {y, BDAG_FLOAT64, 1, 1};
  for (int i = 0; i < steps; i++) {
    const bdag_status status = bdag_trainer_step(s->trainer, SAMPLES, &xs, &ys, NULL, NULL);
    cr_assert_eq(status, BDAG_OK, "%s", bdag_status_string(status));
  }
  free(x);
}

static void expect_same_state(const setup *a, const setup *b) {
  const uint64_t count = bdag_network_parameter_count(a->network);
  double *const values[2][3] = {{malloc(count * 8), malloc(count * 8), malloc(count * 8)},
                                {malloc(count * 8), malloc(count * 8), malloc(count * 8)}};
  const setup *const both[2] = {a, b};
  uint64_t steps[2];
  for (int i = 0; i < 2; i++) {
    cr_assert_eq(bdag_weights_read(both[i]->weights, 0, count, values[i][0]), BDAG_OK);
    cr_assert_eq(bdag_trainer_get_state(both[i]->trainer, &steps[i], values[i][1], values[i][2]),
                 0);
  }
  cr_assert_eq(steps[0], steps[1]);
  for (int k = 0; k < 3; k++) {
    cr_assert_arr_eq(values[0][k], values[1][k], count * sizeof(double), "array %d", k);
    free(values[0][k]);
    free(values[1][k]);
  }
}

static void interrupted_run(bdag_type type, bdag_optimizer optimizer, uint64_t seed) {
  const char *const path = temporary_path("checkpoint.safetensors");
  bdag_error error;
  setup whole = start(sample_random(context, seed), type, optimizer);
  train(&whole, 7);
  cr_assert_eq(bdag_checkpoint_save(whole.network, whole.weights, whole.trainer, 3, path, &error),
               BDAG_OK, "%s", error.message);
  bdag_network *network;
  cr_assert_eq(bdag_network_load(&network, context, path, &error), BDAG_OK, "%s", error.message);
  setup rest = start(network, type, optimizer);
  uint64_t epoch = 0;
  cr_assert_eq(bdag_checkpoint_restore(rest.trainer, rest.network, path, &epoch, &error), BDAG_OK,
               "%s", error.message);
  cr_assert_eq(epoch, 3);
  expect_same_state(&whole, &rest);
  train(&whole, 5);
  train(&rest, 5);
  expect_same_state(&whole, &rest);
  unlink(path);
  finish(whole);
  finish(rest);
}

Test(checkpoint, interrupted_runs_go_on) {
  for (uint64_t seed = 1; seed <= 5; seed++) {
    interrupted_run(BDAG_FLOAT32, BDAG_SGD, seed);
    interrupted_run(BDAG_FLOAT64, BDAG_ADAM, seed);
    interrupted_run(BDAG_FLOAT32, BDAG_ADAMW, seed);
  }
}

Test(checkpoint, taken_weights_are_saved) {
  setup s = start(sample_random(context, 4), BDAG_FLOAT64, BDAG_ADAM);
  train(&s, 3);
  bdag_error error;
  cr_assert_eq(bdag_network_take_weights(s.network, s.weights, &error), BDAG_OK);
  const char *const path = temporary_path("taken.json");
  bdag_network *network;
  cr_assert_eq(bdag_network_save(s.network, path, BDAG_NETWORK_AUTO, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_load(&network, context, path, NULL), BDAG_OK);
  expect_same_network(s.network, network);
  for (uint64_t p = 0; p < bdag_network_parameter_count(network); p++) {
    double trained, saved;
    cr_assert_eq(bdag_weights_read(s.weights, p, 1, &trained), BDAG_OK);
    cr_assert_eq(bdag_network_get_parameters(network, p, 1, &saved), BDAG_OK);
    cr_assert_eq(trained, saved);
  }
  unlink(path);
  bdag_network_destroy(network);
  finish(s);
}

Test(checkpoint, parameters_outside_the_plan_keep_their_values) {
  bdag_network *const network = sample_plain(context);
  const uint32_t vertex = 3;
  const bdag_loss_term loss = {BDAG_MEAN_SQUARED_ERROR, 1, &vertex, 1, 1};
  const double extra = 0.625;
  uint64_t unused;
  cr_assert_eq(bdag_network_add_loss(network, &loss, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_parameters(network, 1, &extra, &unused, NULL), BDAG_OK);
  setup s = start(network, BDAG_FLOAT64, BDAG_SGD);
  cr_assert_eq(bdag_network_take_weights(network, s.weights, NULL), BDAG_OK);
  double disabled, still;
  cr_assert_eq(bdag_network_get_edges(network, 3, 1, NULL, NULL, NULL, &disabled, NULL), BDAG_OK);
  cr_assert_eq(disabled, 1e22);
  cr_assert_eq(bdag_network_get_parameters(network, unused, 1, &still), BDAG_OK);
  cr_assert_eq(still, extra);
  finish(s);
}

Test(checkpoint, foreign_objects_do_not_match) {
  setup a = start(sample_random(context, 4), BDAG_FLOAT64, BDAG_ADAM);
  setup b = start(sample_random(context, 5), BDAG_FLOAT64, BDAG_SGD);
  setup c = start(sample_random(context, 4), BDAG_FLOAT64, BDAG_SGD);
  const char *const path = temporary_path("foreign.safetensors");
  bdag_error error;
  cr_assert_eq(bdag_network_take_weights(a.network, b.weights, &error), BDAG_ERROR_MISMATCH);
  cr_assert_eq(bdag_checkpoint_save(a.network, a.weights, b.trainer, 0, path, &error),
               BDAG_ERROR_MISMATCH);
  cr_assert_neq(access(path, F_OK), 0);
  cr_assert_eq(bdag_checkpoint_save(a.network, a.weights, a.trainer, 0, path, &error), BDAG_OK);
  uint64_t epoch = 9;
  cr_assert_eq(bdag_checkpoint_restore(a.trainer, b.network, path, &epoch, &error),
               BDAG_ERROR_MISMATCH);
  cr_assert_eq(bdag_checkpoint_restore(c.trainer, c.network, path, &epoch, &error),
               BDAG_ERROR_MISMATCH);
  cr_assert_not_null(strstr(error.message, "\"adam\""), "%s", error.message);
  cr_assert_eq(epoch, 9);
  unlink(path);
  finish(a);
  finish(b);
  finish(c);
}

Test(checkpoint, only_checkpoints_are_restored) {
  setup s = start(sample_random(context, 4), BDAG_FLOAT64, BDAG_ADAM);
  bdag_error error;
  const char *path = temporary_path("no.safetensors");
  cr_assert_eq(bdag_checkpoint_restore(s.trainer, s.network, path, NULL, &error), BDAG_ERROR_IO);
  cr_assert_eq(bdag_network_save(s.network, path, BDAG_NETWORK_AUTO, NULL), BDAG_OK);
  cr_assert_eq(bdag_checkpoint_restore(s.trainer, s.network, path, NULL, &error),
               BDAG_ERROR_FORMAT);
  cr_assert_not_null(strstr(error.message, "no optimizer state"));
  cr_assert_eq(bdag_network_save(s.network, path, BDAG_NETWORK_JSON, NULL), BDAG_OK);
  cr_assert_eq(bdag_checkpoint_restore(s.trainer, s.network, path, NULL, &error),
               BDAG_ERROR_FORMAT);
  cr_assert_eq(bdag_checkpoint_save(s.network, s.weights, s.trainer, 0, "/nonexistent/c", &error),
               BDAG_ERROR_IO);
  unlink(path);
  finish(s);
}
