/* Learning from end to end on generated data, with graphs that have no layers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "train_fixture.h"

static bdag_trainer *train(fixture *made, const bdag_trainer_options *options) {
  bdag_trainer *trainer = NULL;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_create(&trainer, made->plan, made->weights, options, &error), BDAG_OK,
               "%s", error.message);
  return trainer;
}

static void run_well(bdag_trainer *trainer, const bdag_samples *samples,
                     const bdag_run_options *options) {
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_run(trainer, samples, options, &error), BDAG_OK, "%s", error.message);
}

static void initialize(fixture *made, uint64_t seed) {
  bdag_error error = {0};
  cr_assert_eq(bdag_weights_initialize(made->weights, made->network, BDAG_INIT_AUTO, seed, &error),
               BDAG_OK, "%s", error.message);
}

/* ---- Two spirals --------------------------------------------------------------------------------
 * K. Lang and M. Witbrock, "Learning to tell two spirals apart" (1988): 2 · 97 points, three turns. */

enum { ARM = 97, POINTS = 2 * ARM, HIDDEN = 40 };

/* Points of both arms; `shift` moves them along the arms, in steps between two points. */
static void spirals(double shift, float x[POINTS][2], float y[POINTS]) {
  for (int i = 0; i < ARM; i++) {
    const double at = i + shift, angle = at * M_PI / 16.0, radius = (104.0 - at) / 104.0;
    for (int arm = 0; arm < 2; arm++) {
      const double side = arm == 0 ? 1.0 : -1.0;
      x[2 * i + arm][0] = (float)(side * radius * sin(angle));
      x[2 * i + arm][1] = (float)(side * radius * cos(angle));
      y[2 * i + arm] = (float)arm;
    }
  }
}

/* A cascade: each hidden neuron reads the inputs and every neuron before it. */
static fixture cascade(bdag_type type, uint32_t threads) {
  fixture made = fixture_begin(threads, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
  for (uint32_t h = 0; h < HIDDEN; h++)
    fixture_neurons(&made, 1, h % 2 == 1 ? BDAG_SIN : BDAG_TANH);
  const uint32_t y = fixture_neurons(&made, 1, BDAG_IDENTITY);
  for (uint32_t v = 2; v <= y; v++)
    for (uint32_t u = 0; u < v; u++) fixture_edges(&made, 1, &(edge_spec){u, v}, NULL);
  const bdag_output output = {y, BDAG_READ_OUT_SIGMOID, 0};
  cr_assert_eq(bdag_network_set_outputs(made.network, 1, &output, NULL), BDAG_OK);
  fixture_loss(&made, BDAG_BINARY_CROSS_ENTROPY, 1, &y);
  fixture_finish(&made, type);
  return made;
}

static double accuracy(const fixture *made, float x[POINTS][2], const float y[POINTS]) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = bdag_weights_type(made->weights);
  options.max_batch = POINTS;
  bdag_engine *engine = NULL;
  cr_assert_eq(bdag_engine_create(&engine, made->plan, &options, NULL), BDAG_OK);
  float predicted[POINTS];
  const bdag_array inputs = fixture_array(x, BDAG_FLOAT32, 2);
  const bdag_array outputs = fixture_array(predicted, BDAG_FLOAT32, 1);
  cr_assert_eq(bdag_predict_arrays(engine, made->weights, POINTS, &inputs, &outputs), BDAG_OK);
  bdag_engine_destroy(engine);
  int right = 0;
  for (int i = 0; i < POINTS; i++) right += (predicted[i] > 0.5f) == (y[i] > 0.5f);
  return (double)right / POINTS;
}

static void learn_spirals(bdag_type type, uint32_t threads, bdag_optimizer optimizer,
                          uint64_t seed) {
  static float x[POINTS][2], y[POINTS];
  spirals(0.0, x, y);
  fixture made = cascade(type, threads);
  initialize(&made, seed);
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.optimizer = optimizer;
  options.learning_rate = 0.005;
  options.weight_decay = optimizer == BDAG_ADAMW ? 0.01 : 0.0;
  bdag_trainer *const trainer = train(&made, &options);
  const bdag_samples samples = {POINTS, fixture_array(x, BDAG_FLOAT32, 2),
                                fixture_array(y, BDAG_FLOAT32, 1), NULL};
  bdag_run_options run = BDAG_RUN_OPTIONS_INIT;
  run.epochs = 1500;
  run.batch = 50;
  cr_assert_lt(accuracy(&made, x, y), 0.8);
  run_well(trainer, &samples, &run);
  cr_assert_geq(accuracy(&made, x, y), 0.95, "only %g on the training points",
                accuracy(&made, x, y));
  spirals(0.5, x, y);
  cr_assert_geq(accuracy(&made, x, y), 0.85, "only %g between the training points",
                accuracy(&made, x, y));
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

Test(learning, two_spirals_float32) {
  learn_spirals(BDAG_FLOAT32, 1, BDAG_ADAM, 6);
}

Test(learning, two_spirals_float64_two_threads) {
  learn_spirals(BDAG_FLOAT64, 2, BDAG_ADAMW, 3);
}

/* ---- A teacher ---------------------------------------------------------------------------------
 * The student has the teacher's random graph and other weights, and is to imitate it on samples that
 * it has not seen. */

enum { INPUTS = 5, NEURONS = 12, OUTPUTS = 2, SAMPLES = 600, IN_DEGREE = 4 };

static fixture random_graph(void) {
  static const uint32_t kinds[] = {BDAG_TANH, BDAG_SOFTPLUS, BDAG_LEAKY_RELU, BDAG_SIGMOID};
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, INPUTS, NULL, NULL), BDAG_OK);
  for (uint32_t i = 0; i < NEURONS; i++) {
    const uint32_t v =
        fixture_neurons(&made, 1, i < NEURONS - OUTPUTS ? kinds[i % 4] : BDAG_IDENTITY);
    for (uint32_t k = 0; k < IN_DEGREE; k++) {
      const uint32_t u = (uint32_t)bdag_random_below(8, v, k, v);
      fixture_edges(&made, 1, &(edge_spec){u, v}, NULL);
    }
  }
  const uint32_t last = INPUTS + NEURONS - OUTPUTS;
  const uint32_t vertices[OUTPUTS] = {last, last + 1};
  const bdag_output outputs[OUTPUTS] = {{last, BDAG_READ_OUT_NONE, 0},
                                        {last + 1, BDAG_READ_OUT_NONE, 0}};
  cr_assert_eq(bdag_network_set_outputs(made.network, OUTPUTS, outputs, NULL), BDAG_OK);
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, OUTPUTS, vertices);
  fixture_finish(&made, BDAG_FLOAT64);
  return made;
}

Test(learning, a_student_imitates_its_teacher) {
  static double x[SAMPLES][INPUTS], y[SAMPLES][OUTPUTS];
  for (uint64_t s = 0; s < SAMPLES; s++)
    for (uint64_t j = 0; j < INPUTS; j++) x[s][j] = bdag_random_normal(6, j, s);
  fixture made = random_graph();
  initialize(&made, 100);
  bdag_engine_options wide = BDAG_ENGINE_OPTIONS_INIT;
  wide.type = BDAG_FLOAT64;
  bdag_engine *engine = NULL;
  cr_assert_eq(bdag_engine_create(&engine, made.plan, &wide, NULL), BDAG_OK);
  cr_assert_eq(bdag_forward(engine, made.weights, SAMPLES, x, y), BDAG_OK);
  bdag_engine_destroy(engine);

  initialize(&made, 200);
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.learning_rate = 0.01;
  bdag_trainer *const trainer = train(&made, &options);
  const bdag_samples seen = {500, fixture_array(x, BDAG_FLOAT64, INPUTS),
                             fixture_array(y, BDAG_FLOAT64, OUTPUTS), NULL};
  const bdag_samples unseen = {SAMPLES - 500, fixture_array(x[500], BDAG_FLOAT64, INPUTS),
                               fixture_array(y[500], BDAG_FLOAT64, OUTPUTS), NULL};
  double before = 0.0, after = 1.0;
  cr_assert_eq(bdag_trainer_evaluate(trainer, &unseen, &before), BDAG_OK);
  bdag_run_options run = BDAG_RUN_OPTIONS_INIT;
  run.epochs = 300;
  run.batch = 32;
  run_well(trainer, &seen, &run);
  cr_assert_eq(bdag_trainer_evaluate(trainer, &unseen, &after), BDAG_OK);
  cr_assert_lt(after, 0.02 * before, "%g before, %g after", before, after);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}

/* ---- Tied weights -------------------------------------------------------------------------------
 * A convolution of width 3 over 12 inputs whose three weights are shared, to be found from data. */

enum { LENGTH = 12, WIDTH = 3, PLACES = LENGTH - WIDTH + 1, ROWS = 200 };

Test(learning, a_shared_filter_is_found) {
  static const double filter[WIDTH] = {0.5, -1.0, 0.25};
  static double x[ROWS][LENGTH], y[ROWS][PLACES];
  for (uint64_t s = 0; s < ROWS; s++) {
    for (uint64_t j = 0; j < LENGTH; j++) x[s][j] = bdag_random_normal(7, j, s);
    for (int p = 0; p < PLACES; p++)
      for (int k = 0; k < WIDTH; k++) y[s][p] += filter[k] * x[s][p + k];
  }
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, LENGTH, NULL, NULL), BDAG_OK);
  uint64_t shared = 0;
  cr_assert_eq(bdag_network_add_parameters(made.network, WIDTH, NULL, &shared, NULL), BDAG_OK);
  const uint32_t first = fixture_neurons(&made, PLACES, BDAG_IDENTITY);
  uint32_t vertices[PLACES];
  for (uint32_t p = 0; p < PLACES; p++) {
    const uint32_t v = vertices[p] = first + p;
    cr_assert_eq(
        bdag_network_add_tied_edges(made.network, WIDTH, (const uint32_t[]){p, p + 1, p + 2},
                                    (const uint32_t[]){v, v, v},
                                    (const uint64_t[]){shared, shared + 1, shared + 2}, NULL, NULL),
        BDAG_OK);
  }
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, PLACES, vertices);
  fixture_finish(&made, BDAG_FLOAT64);
  initialize(&made, 1);
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.optimizer = BDAG_SGD;
  options.learning_rate = 0.05;
  bdag_trainer *const trainer = train(&made, &options);
  const bdag_samples samples = {ROWS, fixture_array(x, BDAG_FLOAT64, LENGTH),
                                fixture_array(y, BDAG_FLOAT64, PLACES), NULL};
  bdag_run_options run = BDAG_RUN_OPTIONS_INIT;
  run.epochs = 100;
  run.batch = 20;
  run_well(trainer, &samples, &run);
  double *const values = fixture_values(&made);
  for (uint64_t k = 0; k < WIDTH; k++)
    cr_assert_float_eq(values[shared + k], filter[k], 1e-6, "weight %d is %g", (int)k,
                       values[shared + k]);
  free(values);
  bdag_trainer_destroy(trainer);
  fixture_end(&made);
}
