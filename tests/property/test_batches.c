/* What must hold bit for bit: a sample's outputs do not depend on the batch it comes in, nor on threads
 * and axes; deterministic gradients do not depend on the latter; and small results are exact. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "dice.h"

enum { FIRST_SEED = 1000000, SEEDS = 60 };

static property_world world;

static void set_up(void) {
  bdag_error error;
  cr_assert_eq(property_world_create(&world, &error), BDAG_OK);
}

static void tear_down(void) {
  property_world_destroy(&world);
}

static random_case draw(uint64_t seed) {
  random_case c;
  bdag_error error = {.message = ""};
  cr_assert_eq(random_case_draw(&c, &world, seed, &error), BDAG_OK, "%s", error.message);
  c.engine.keep |= BDAG_KEEP_OUT;
  c.poisoned = c.accumulated = 0;
  return c;
}

static double *outputs_of(const random_case *c) {
  double *out;
  bdag_error error = {.message = ""};
  cr_assert_eq(engine_forward(&out, c, &error), BDAG_OK, "seed %" PRIu64 ": %s", c->seed,
               error.message);
  return out;
}

static void assert_same_bits(const double *a, const double *b, size_t count, uint64_t seed,
                             const char *what) {
  for (size_t i = 0; i < count; i++) {
    const int same = memcmp(&a[i], &b[i], sizeof *a) == 0 || (isnan(a[i]) && isnan(b[i]));
    cr_assert(same, "seed %" PRIu64 ", %s: number %zu is %.17g and %.17g", seed, what, i, a[i],
              b[i]);
  }
}

/* The samples order[0], order[1], … of a case as a batch of their own. */
static random_case pick(const random_case *c, const uint32_t *order, size_t count) {
  const size_t inputs = c->oracle.input_count;
  random_case part = *c;
  part.batch.samples = count;
  part.x = oracle_zeros(count * inputs, sizeof *part.x);
  for (size_t s = 0; s < count; s++)
    memcpy(part.x + s * inputs, c->x + order[s] * inputs, inputs * sizeof *part.x);
  return part;
}

static void compare_part(const random_case *c, const double *whole, const uint32_t *order,
                         size_t count, const char *what) {
  const size_t vertices = c->oracle.vertex_count;
  random_case part = pick(c, order, count);
  double *out = outputs_of(&part);
  for (size_t s = 0; s < count; s++)
    assert_same_bits(out + s * vertices, whole + order[s] * vertices, vertices, c->seed, what);
  free(out);
  free(part.x);
}

Test(batches, shuffled_and_sliced, .init = set_up, .fini = tear_down) {
  for (uint64_t seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    random_case c = draw(seed);
    const size_t samples = c.batch.samples;
    double *whole = outputs_of(&c);
    dice dice = dice_make(seed, 7);
    uint32_t order[RANDOM_MAX_BATCH];
    dice_shuffle(&dice, samples, order);
    compare_part(&c, whole, order, samples, "shuffled");
    for (size_t begin = 0; begin < samples;) {
      const size_t count = dice_between(&dice, 1, samples - begin);
      compare_part(&c, whole, order + begin, count, "sliced");
      begin += count;
    }
    compare_part(&c, whole, order, 1, "alone");
    free(whole);
    random_case_free(&c);
  }
}

static const bdag_axis AXES[] = {BDAG_AXIS_AUTO, BDAG_AXIS_TILES, BDAG_AXIS_VERTICES,
                                 BDAG_AXIS_SERIAL, BDAG_AXIS_BOTH};
static const uint32_t THREADS[] = {1, 2, 3, 8};

Test(batches, threads_and_axes, .init = set_up, .fini = tear_down) {
  for (uint64_t seed = FIRST_SEED + 1000; seed < FIRST_SEED + 1000 + SEEDS / 2; seed++) {
    random_case c = draw(seed);
    double *first = outputs_of(&c);
    for (size_t i = 0; i < 16; i++) {
      random_case other = c;
      other.engine.axis = AXES[i / 4];
      other.engine.threads = THREADS[i % 4];
      double *out = outputs_of(&other);
      assert_same_bits(out, first, c.batch.samples * c.oracle.vertex_count, seed, "out");
      free(out);
    }
    free(first);
    random_case_free(&c);
  }
}

static engine_result results_of(const random_case *c) {
  engine_result result;
  bdag_error error = {.message = ""};
  cr_assert_eq(engine_result_run(&result, c, &error), BDAG_OK, "seed %" PRIu64 ": %s", c->seed,
               error.message);
  return result;
}

static void compare_results(const engine_result *a, const engine_result *b, const random_case *c) {
  const size_t numbers = c->batch.samples * c->oracle.vertex_count;
  assert_same_bits(&a->loss, &b->loss, 1, c->seed, "loss");
  assert_same_bits(a->out_grad, b->out_grad, numbers, c->seed, "out_grad");
  assert_same_bits(a->in_grad, b->in_grad, numbers, c->seed, "in_grad");
  assert_same_bits(a->weight_grad, b->weight_grad, c->oracle.edge_count, c->seed, "weight_grad");
  assert_same_bits(a->bias_grad, b->bias_grad, c->oracle.vertex_count, c->seed, "bias_grad");
  assert_same_bits(a->parameter_grad, b->parameter_grad, c->oracle.parameter_count, c->seed,
                   "parameter_grad");
}

Test(batches, deterministic_gradients, .init = set_up, .fini = tear_down) {
  for (uint64_t seed = FIRST_SEED + 2000; seed < FIRST_SEED + 2000 + SEEDS / 2; seed++) {
    random_case c = draw(seed);
    c.engine.deterministic = 1;
    c.engine.keep = BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD;
    engine_result first = results_of(&c);
    for (size_t i = 0; i < 16; i++) {
      random_case other = c;
      other.engine.axis = AXES[i / 4];
      other.engine.threads = THREADS[i % 4];
      engine_result result = results_of(&other);
      compare_results(&first, &result, &c);
      engine_result_free(&result);
    }
    engine_result_free(&first);
    random_case_free(&c);
  }
}

/* A network without inputs: vertices 0 and 1 are neurons without in-edges and with biases 0.75 and −2,
 * 2 one without a bias, 3 reads nothing but a disabled edge, 4 is a constant, 5 a mean of nothing,
 * 6 = 3·out(0) + out(4) + bias 0.5. All neurons but 2, a square, are relus. */
static bdag_network *build_empty_sums(void) {
  bdag_network *network;
  const bdag_activation relu = {BDAG_RELU, 0}, square = {BDAG_SQUARE, 0};
  const uint32_t two = 2, five = 5, biased[] = {0, 1, 6};
  const double biases[] = {0.75, -2, 0.5}, constant = -1.25, weights[] = {9, 3, 1};
  const uint32_t sources[] = {0, 0, 4}, targets[] = {3, 6, 6};
  const uint64_t none = BDAG_NONE, disabled = 0;
  const bdag_aggregation mean = BDAG_MEAN;
  cr_assert_eq(bdag_network_create(&network, world.context, NULL), BDAG_OK);
  const bdag_status status[] = {
      bdag_network_add_vertices(network, 4, &relu, NULL, NULL),
      bdag_network_add_constants(network, 1, &constant, NULL, NULL),
      bdag_network_add_vertices(network, 2, &relu, NULL, NULL),
      bdag_network_set_activations(network, 1, &two, &square, NULL),
      bdag_network_set_biases(network, 3, biased, biases, NULL),
      bdag_network_set_bias_parameters(network, 1, &two, &none, NULL),
      bdag_network_set_aggregations(network, 1, &five, &mean, NULL, NULL),
      bdag_network_add_edges(network, 3, sources, targets, weights, NULL, NULL),
      bdag_network_enable_edges(network, 1, &disabled, 0, NULL)};
  for (size_t i = 0; i < sizeof status / sizeof *status; i++) cr_assert_eq(status[i], BDAG_OK);
  return network;
}

static const double EXPECTED[] = {0.75, 0, 0, 0, -1.25, 0, 1.5};

static void check_empty_sums(const bdag_network *network, bdag_type type, bdag_axis axis,
                             uint64_t batch) {
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = type;
  options.axis = axis;
  options.max_batch = batch;
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_weights_create(&weights, plan, network, type, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_forward(engine, weights, batch, NULL, NULL), BDAG_OK);

  double *out = oracle_zeros(batch * 7, sizeof *out), *gradient = oracle_zeros(8, sizeof *gradient);
  double *targets = oracle_zeros(batch * 6, sizeof *targets), loss;
  const bdag_array array = {out, BDAG_FLOAT64, 7, 1};
  cr_assert_eq(bdag_read_vertices(engine, BDAG_OUT, 7, NULL, &array), BDAG_OK);
  for (size_t i = 0; i < batch * 7; i++) cr_assert_eq(out[i], EXPECTED[i % 7], "number %zu", i);

  /* L = (1/6)·Σ out²: exact but for the division */
  cr_assert_eq(bdag_backward(engine, weights, targets, NULL, &loss), BDAG_OK);
  cr_assert_float_eq(loss, (0.75 * 0.75 + 1.5 * 1.5) / 6, 1e-7);
  cr_assert_eq(bdag_read_weight_grad(engine, 0, 3, gradient), BDAG_OK);
  const double w1 = type == BDAG_FLOAT64 ? gradient[1] : ((const float *)gradient)[1];
  const double w0 = type == BDAG_FLOAT64 ? gradient[0] : ((const float *)gradient)[0];
  cr_assert_eq(w0, 0);
  cr_assert_float_eq(w1, 2 * 1.5 / 6 * 0.75, 1e-6);
  free(out);
  free(gradient);
  free(targets);
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
}

Test(batches, empty_sums, .init = set_up, .fini = tear_down) {
  bdag_network *network = build_empty_sums();
  const uint32_t vertices[] = {0, 1, 2, 3, 5, 6};
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 6, vertices, 1, 1};
  cr_assert_eq(bdag_network_add_loss(network, &term, NULL), BDAG_OK);
  for (size_t i = 0; i < 4; i++) {
    check_empty_sums(network, BDAG_FLOAT32, AXES[i], 1);
    check_empty_sums(network, BDAG_FLOAT64, AXES[i], 1);
    check_empty_sums(network, BDAG_FLOAT32, AXES[i], 130);
    check_empty_sums(network, BDAG_FLOAT64, AXES[i], 67);
  }
  bdag_network_destroy(network);
}

/* Powers of two and small integers: every sum is exact in either type, so engine and oracle agree to the
 * last bit, for the largest in-degree as well. */
Test(batches, exact_sums, .init = set_up, .fini = tear_down) {
  bdag_network *network;
  const uint32_t vertex = 40;
  uint32_t sources[40], targets[40];
  double weights[40], x[17 * 40], y[17];
  const bdag_output output = {40, BDAG_READ_OUT_NONE, 0};
  cr_assert_eq(bdag_network_create(&network, world.context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, 40, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, 1, NULL, NULL, NULL), BDAG_OK);
  for (uint32_t k = 0; k < 40; k++) {
    sources[k] = k;
    targets[k] = vertex;
    weights[k] = (double)k - 20;
  }
  cr_assert_eq(bdag_network_add_edges(network, 40, sources, targets, weights, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_set_outputs(network, 1, &output, NULL), BDAG_OK);
  for (size_t i = 0; i < 17 * 40; i++) x[i] = (double)(i * 7 % 64) / 8;

  bdag_plan *plan;
  bdag_weights *state;
  bdag_engine *engine;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = BDAG_FLOAT64;
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_weights_create(&state, plan, network, BDAG_FLOAT64, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_forward(engine, state, 17, x, y), BDAG_OK);
  for (size_t s = 0; s < 17; s++) {
    double sum = 0;
    for (size_t k = 0; k < 40; k++) sum += weights[k] * x[s * 40 + k];
    cr_assert_eq(y[s], sum);
  }
  bdag_engine_destroy(engine);
  bdag_weights_release(state);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
}
