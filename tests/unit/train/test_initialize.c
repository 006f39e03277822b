/* Initial weights: their statistics, and what they may and may not depend on. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "train_fixture.h"

enum { SOURCES = 100, TARGETS = 60 };

/* SOURCES inputs, all read by TARGETS neurons; response and aggregation as given. */
static fixture dense(uint32_t kind, double response, bdag_aggregation aggregation, bdag_type type,
                     uint32_t threads) {
  fixture made = fixture_begin(threads, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, SOURCES, NULL, NULL), BDAG_OK);
  const uint32_t first = fixture_neurons(&made, TARGETS, kind);
  for (uint32_t r = 0; r < TARGETS; r++) {
    const uint32_t v = first + r;
    for (uint32_t s = 0; s < SOURCES; s++) fixture_edges(&made, 1, &(edge_spec){s, v}, NULL);
    cr_assert_eq(bdag_network_set_aggregations(made.network, 1, &v, &aggregation, &response, NULL),
                 BDAG_OK);
    cr_assert_eq(bdag_network_set_biases(made.network, 1, &v, (const double[]){0.75}, NULL),
                 BDAG_OK);
    const bdag_output output = {v, BDAG_READ_OUT_NONE, 0};
    if (r == 0) cr_assert_eq(bdag_network_set_outputs(made.network, 1, &output, NULL), BDAG_OK);
  }
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, &first);
  fixture_finish(&made, type);
  return made;
}

static void initialize(fixture *made, bdag_initialization scheme, uint64_t seed) {
  bdag_error error = {0};
  cr_assert_eq(bdag_weights_initialize(made->weights, made->network, scheme, seed, &error), BDAG_OK,
               "%s", error.message);
}

/* Parameters 0 … TARGETS−1 are biases, the rest are weights. */
static void check_moments(uint32_t kind, double response, bdag_aggregation aggregation,
                          bdag_initialization scheme, double sigma, int uniform) {
  fixture made = dense(kind, response, aggregation, BDAG_FLOAT64, 1);
  initialize(&made, scheme, 42);
  double *const values = fixture_values(&made);
  const int count = SOURCES * TARGETS;
  double sum = 0.0, squares = 0.0, fourth = 0.0, largest = 0.0;
  for (int i = 0; i < TARGETS; i++) cr_assert_eq(values[i], 0.0);
  for (int i = TARGETS; i < TARGETS + count; i++) {
    sum += values[i];
    squares += values[i] * values[i];
    fourth += pow(values[i], 4.0);
    largest = fmax(largest, fabs(values[i]));
  }
  /* Standard errors: of the mean σ/√n = 0.013σ, of σ at most 0.0091σ; five of them. */
  const double measured = sqrt(squares / count), kurtosis = fourth * count / (squares * squares);
  cr_assert_lt(fabs(sum / count), 0.065 * sigma);
  cr_assert_float_eq(measured / sigma, 1.0, 0.046, "σ is %g, not %g", measured, sigma);
  cr_assert_float_eq(kurtosis, uniform ? 1.8 : 3.0, uniform ? 0.06 : 0.35);
  if (uniform) cr_assert_leq(largest, sqrt(3.0) * sigma);
  free(values);
  fixture_end(&made);
}

static const double n = SOURCES, both = SOURCES + TARGETS;

Test(initialize, schemes) {
  check_moments(BDAG_TANH, 1.0, BDAG_SUM, BDAG_INIT_HE_NORMAL, sqrt(2.0 / n), 0);
  check_moments(BDAG_TANH, 1.0, BDAG_SUM, BDAG_INIT_HE_UNIFORM, sqrt(2.0 / n), 1);
  check_moments(BDAG_RELU, 1.0, BDAG_SUM, BDAG_INIT_GLOROT_NORMAL, sqrt(2.0 / both), 0);
  check_moments(BDAG_RELU, 1.0, BDAG_SUM, BDAG_INIT_GLOROT_UNIFORM, sqrt(2.0 / both), 1);
}

Test(initialize, automatic) {
  check_moments(BDAG_RELU, 1.0, BDAG_SUM, BDAG_INIT_AUTO, sqrt(2.0 / n), 0);
  check_moments(BDAG_SELU, 1.0, BDAG_SUM, BDAG_INIT_AUTO, sqrt(1.0 / n), 0);
  check_moments(BDAG_TANH, 1.0, BDAG_SUM, BDAG_INIT_AUTO, sqrt(2.0 / both), 1);
  check_moments(BDAG_NEAT_SIGMOID, 1.0, BDAG_SUM, BDAG_INIT_AUTO, sqrt(2.0 / both) / 5.0, 1);
}

Test(initialize, rescaled_sums) {
  check_moments(BDAG_RELU, -4.0, BDAG_SUM, BDAG_INIT_AUTO, sqrt(2.0 / n) / 4.0, 0);
  check_moments(BDAG_RELU, 1.0, BDAG_MEAN, BDAG_INIT_AUTO, sqrt(2.0 / n) * n, 0);
  check_moments(BDAG_RELU, 2.0, BDAG_MEAN, BDAG_INIT_HE_NORMAL, sqrt(2.0 / n) * n / 2.0, 0);
  check_moments(BDAG_RELU, 0.0, BDAG_SUM, BDAG_INIT_AUTO, sqrt(2.0 / n), 0);
}

/* Weights of two fixtures after one seed, compared bit by bit. */
static void expect_same(fixture *a, fixture *b, uint64_t seed_a, uint64_t seed_b, int same) {
  initialize(a, BDAG_INIT_AUTO, seed_a);
  initialize(b, BDAG_INIT_AUTO, seed_b);
  double *const left = fixture_values(a), *const right = fixture_values(b);
  const size_t bytes = fixture_parameters(a) * sizeof *left;
  cr_assert_eq(memcmp(left, right, bytes) == 0, same);
  free(left);
  free(right);
}

Test(initialize, depends_on_the_seed_alone) {
  fixture a = dense(BDAG_RELU, 1.0, BDAG_SUM, BDAG_FLOAT64, 1);
  fixture b = dense(BDAG_RELU, 1.0, BDAG_SUM, BDAG_FLOAT64, 4);
  expect_same(&a, &b, 9, 9, 1);
  expect_same(&a, &a, 9, 9, 1);
  expect_same(&a, &b, 9, 10, 0);
  fixture_end(&a);
  fixture_end(&b);
}

Test(initialize, is_independent_of_the_plan) {
  fixture a = fixture_small(BDAG_FLOAT64, 1), b = fixture_small(BDAG_FLOAT64, 1);
  for (int amalgamation = 0; amalgamation <= 2; amalgamation++) {
    for (int granularity = 0; granularity <= 1; granularity++) {
      bdag_plan_options options = BDAG_PLAN_OPTIONS_INIT;
      options.amalgamation = (bdag_amalgamation)amalgamation;
      options.granularity = (bdag_granularity)granularity;
      bdag_weights_release(b.weights);
      bdag_plan_release(b.plan);
      cr_assert_eq(bdag_plan_create(&b.plan, b.network, &options, NULL), BDAG_OK);
      cr_assert_eq(bdag_weights_create(&b.weights, b.plan, b.network, BDAG_FLOAT64, NULL), BDAG_OK);
      expect_same(&a, &b, 5, 5, 1);
    }
  }
  fixture_end(&a);
  fixture_end(&b);
}

Test(initialize, float32_is_float64_rounded) {
  fixture wide = dense(BDAG_TANH, 1.0, BDAG_SUM, BDAG_FLOAT64, 1);
  fixture narrow = dense(BDAG_TANH, 1.0, BDAG_SUM, BDAG_FLOAT32, 1);
  initialize(&wide, BDAG_INIT_AUTO, 1);
  initialize(&narrow, BDAG_INIT_AUTO, 1);
  double *const exact = fixture_values(&wide), *const rounded = fixture_values(&narrow);
  for (uint64_t p = 0; p < fixture_parameters(&wide); p++)
    cr_assert_eq(rounded[p], (double)(float)exact[p]);
  free(exact);
  free(rounded);
  fixture_end(&wide);
  fixture_end(&narrow);
}

/* Parameter 0 is the bias of v; the edges' follow. A disabled edge counts in no degree and keeps its
 * weight, so the other one is drawn with in-degree 1. */
Test(initialize, disabled_edges_are_left_out) {
  double drawn[2];
  for (int disabled = 0; disabled <= 1; disabled++) {
    fixture made = fixture_begin(1, NULL);
    cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
    const uint32_t v = fixture_neurons(&made, 1, BDAG_RELU);
    fixture_edges(&made, 2, (const edge_spec[]){{0, v}, {1, v}}, (const double[]){7.0, 8.0});
    if (disabled)
      cr_assert_eq(bdag_network_enable_edges(made.network, 1, (const uint64_t[]){1}, 0, NULL),
                   BDAG_OK);
    fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, &v);
    fixture_finish(&made, BDAG_FLOAT64);
    initialize(&made, BDAG_INIT_HE_NORMAL, 1);
    double *const values = fixture_values(&made);
    drawn[disabled] = values[1];
    cr_assert_eq(values[2] == 8.0, disabled);
    free(values);
    fixture_end(&made);
  }
  cr_assert_float_eq(drawn[1] / drawn[0], sqrt(2.0), 1e-12);
}

/* The shared parameter is first used by an edge into u (in-degree 1) and later into v (in-degree 4 and
 * a response): it is drawn for u, and no response is undone. */
Test(initialize, tied_weights_are_drawn_for_their_first_use) {
  double drawn[2];
  for (int tied = 0; tied <= 1; tied++) {
    fixture made = fixture_begin(1, NULL);
    cr_assert_eq(bdag_network_add_inputs(made.network, 4, NULL, NULL), BDAG_OK);
    uint64_t shared = 0;
    cr_assert_eq(bdag_network_add_parameters(made.network, 1, NULL, &shared, NULL), BDAG_OK);
    const uint32_t u = fixture_neurons(&made, 2, BDAG_RELU), v = u + 1;
    const double response = 3.0;
    cr_assert_eq(bdag_network_set_aggregations(made.network, 1, &u, NULL, &response, NULL),
                 BDAG_OK);
    const uint32_t sources[] = {0, 0, 1, 2, 3}, targets[] = {u, v, v, v, v};
    const uint64_t parameters[] = {shared, shared, shared, shared, shared};
    cr_assert_eq(bdag_network_add_tied_edges(made.network, tied ? 5 : 1, sources, targets,
                                             parameters, NULL, NULL),
                 BDAG_OK);
    fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 2, (const uint32_t[]){u, v});
    fixture_finish(&made, BDAG_FLOAT64);
    initialize(&made, BDAG_INIT_HE_NORMAL, 1);
    double *const values = fixture_values(&made);
    drawn[tied] = values[shared];
    free(values);
    fixture_end(&made);
  }
  cr_assert_neq(drawn[0], 0.0);
  cr_assert_float_eq(drawn[1] / drawn[0], 3.0, 1e-12);
}

Test(initialize, a_bias_tied_to_an_edge_is_drawn) {
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 1, NULL, NULL), BDAG_OK);
  uint64_t shared = 0;
  cr_assert_eq(bdag_network_add_parameters(made.network, 1, NULL, &shared, NULL), BDAG_OK);
  const uint32_t v = fixture_neurons(&made, 1, BDAG_RELU);
  cr_assert_eq(bdag_network_set_bias_parameters(made.network, 1, &v, &shared, NULL), BDAG_OK);
  cr_assert_eq(
      bdag_network_add_tied_edges(made.network, 1, (const uint32_t[]){0}, &v, &shared, NULL, NULL),
      BDAG_OK);
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, &v);
  fixture_finish(&made, BDAG_FLOAT64);
  initialize(&made, BDAG_INIT_AUTO, 1);
  double *const values = fixture_values(&made);
  cr_assert_neq(values[shared], 0.0);
  free(values);
  fixture_end(&made);
}

/* With a response the kernels read other numbers than the parameters: those must follow. */
Test(initialize, passes_see_the_new_weights) {
  fixture made = dense(BDAG_IDENTITY, 2.0, BDAG_SUM, BDAG_FLOAT64, 1);
  initialize(&made, BDAG_INIT_AUTO, 1);
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = BDAG_FLOAT64;
  bdag_engine *engine = NULL;
  cr_assert_eq(bdag_engine_create(&engine, made.plan, &options, NULL), BDAG_OK);
  double x[SOURCES], y = 0.0, expected = 0.0;
  double *const values = fixture_values(&made);
  for (int s = 0; s < SOURCES; s++) {
    x[s] = sin(s);
    expected += 2.0 * x[s] * values[TARGETS + s];
  }
  cr_assert_eq(bdag_forward(engine, made.weights, 1, x, &y), BDAG_OK);
  cr_assert_float_eq(y, expected, 1e-13);
  free(values);
  bdag_engine_destroy(engine);
  fixture_end(&made);
}

Test(initialize, an_edited_network_is_refused) {
  fixture made = fixture_linear(BDAG_FLOAT32);
  bdag_network *edited = NULL;
  cr_assert_eq(bdag_network_copy(&edited, made.network, NULL), BDAG_OK);
  cr_assert_eq(bdag_weights_initialize(made.weights, edited, BDAG_INIT_AUTO, 1, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_tied_edges(edited, 1, (const uint32_t[]){0}, (const uint32_t[]){2},
                                           (const uint64_t[]){1}, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(bdag_weights_initialize(made.weights, edited, BDAG_INIT_AUTO, 1, NULL),
               BDAG_ERROR_MISMATCH);
  bdag_network_destroy(edited);
  fixture_end(&made);
}

Test(initialize, refuses_bad_arguments) {
  fixture made = fixture_linear(BDAG_FLOAT32), other = fixture_small(BDAG_FLOAT32, 1);
  bdag_error error = {0};
  cr_assert_eq(bdag_weights_initialize(NULL, made.network, BDAG_INIT_AUTO, 1, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_weights_initialize(made.weights, NULL, BDAG_INIT_AUTO, 1, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  for (int scheme = -1; scheme <= 5; scheme += 6)
    cr_assert_eq(
        bdag_weights_initialize(made.weights, made.network, (bdag_initialization)scheme, 1, &error),
        BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_weights_initialize(made.weights, other.network, BDAG_INIT_AUTO, 1, &error),
               BDAG_ERROR_MISMATCH);
  cr_assert_neq(error.message[0], '\0');
  double *const values = fixture_values(&made);
  cr_assert_eq(values[1], 0.5);
  free(values);
  fixture_end(&made);
  fixture_end(&other);
}

Test(initialize, refuses_held_and_frozen_weights) {
  fixture made = fixture_linear(BDAG_FLOAT32);
  bdag_trainer *trainer = NULL;
  bdag_error error = {0};
  cr_assert_eq(bdag_trainer_create(&trainer, made.plan, made.weights, NULL, &error), BDAG_OK);
  cr_assert_eq(bdag_weights_initialize(made.weights, made.network, BDAG_INIT_AUTO, 1, &error),
               BDAG_ERROR_BUSY);
  bdag_trainer_destroy(trainer);
  initialize(&made, BDAG_INIT_AUTO, 1);
  cr_assert_eq(bdag_weights_freeze(made.weights), BDAG_OK);
  double *const before = fixture_values(&made);
  cr_assert_eq(bdag_weights_initialize(made.weights, made.network, BDAG_INIT_AUTO, 2, &error),
               BDAG_ERROR_BUSY);
  double *const after = fixture_values(&made);
  cr_assert_arr_eq(before, after, fixture_parameters(&made) * sizeof *before);
  free(before);
  free(after);
  fixture_end(&made);
}
