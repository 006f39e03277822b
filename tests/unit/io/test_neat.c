/* Genomes of neat-python: what they compute, and that a trained one keeps its ids. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "base/random.h"
#include "neat_genome.h"
#include "network_samples.h"

enum { BATCH = 37, GENOMES = 100, MOST_OUTPUTS = 4 };

static bdag_context *context;
static genome drawn;
static char text[GENOME_TEXT];

static void make_context(void) {
  context = sample_context();
}

static void destroy_context(void) {
  bdag_context_destroy(context);
}

TestSuite(neat, .init = make_context, .fini = destroy_context);

static bdag_network *load_drawn(void) {
  bdag_network *network;
  bdag_error error;
  genome_write(&drawn, text);
  cr_assert_eq(bdag_network_parse(&network, context, text, strlen(text), &error), BDAG_OK, "%s",
               error.message);
  return network;
}

static void draw_inputs(uint64_t seed, double *x) {
  for (int i = 0; i < BATCH * drawn.inputs; i++) x[i] = bdag_random_normal(seed, 77, (uint64_t)i);
}

static void run_engine(bdag_network *network, const double *x, double *y) {
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
  bdag_error error;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.type = BDAG_FLOAT64;
  options.max_batch = BATCH;
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(bdag_weights_create(&weights, plan, network, BDAG_FLOAT64, &error), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, &error), BDAG_OK, "%s", error.message);
  const bdag_status status = bdag_forward(engine, weights, BATCH, x, y);
  cr_assert_eq(status, BDAG_OK, "%s", bdag_status_string(status));
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
}

static double distance(double value, long double reference) {
  return (double)(fabsl(value - reference) / fmaxl(1.0L, fabsl(reference)));
}

/* How far double precision itself is from the truth: rounding may be amplified without bound, e.g. by
 * 1/z near 0. Such genomes say nothing about the engine. */
static double conditioning(const double *x) {
  double worst = 0, y[MOST_OUTPUTS];
  long double exact[MOST_OUTPUTS];
  for (int s = 0; s < BATCH; s++) {
    genome_evaluate(&drawn, x + s * drawn.inputs, y);
    genome_evaluate_long(&drawn, x + s * drawn.inputs, exact);
    for (int o = 0; o < drawn.outputs; o++) {
      const double d = distance(y[o], exact[o]);
      if (!(d <= worst)) worst = d;
    }
  }
  return worst;
}

Test(neat, outputs_are_those_of_the_definition) {
  static double x[BATCH * GENOME_INPUTS], y[BATCH * MOST_OUTPUTS];
  int compared = 0, redrawn = 0, seen[GENOME_FUNCTIONS] = {0};
  double worst = 0;
  for (uint64_t seed = 1; compared < GENOMES; seed++) {
    genome_draw(&drawn, seed, 0);
    draw_inputs(seed, x);
    if (!(conditioning(x) <= 1e-13)) {
      redrawn++;
      cr_assert_lt(redrawn, GENOMES, "too many genomes amplify rounding");
      continue;
    }
    bdag_network *const network = load_drawn();
    run_engine(network, x, y);
    for (int s = 0; s < BATCH; s++) {
      long double exact[MOST_OUTPUTS];
      genome_evaluate_long(&drawn, x + s * drawn.inputs, exact);
      for (int o = 0; o < drawn.outputs; o++) {
        const double d = distance(y[s * drawn.outputs + o], exact[o]);
        cr_assert_leq(d, 1e-12, "genome %lu, sample %d, output %d: %.17g instead of %.17Lg",
                      (unsigned long)seed, s, o, y[s * drawn.outputs + o], exact[o]);
        if (d > worst) worst = d;
      }
    }
    for (int n = 0; n < drawn.nodes; n++) seen[drawn.node[n].function]++;
    bdag_network_destroy(network);
    compared++;
  }
  for (int f = 0; f < GENOME_FUNCTIONS; f++) cr_assert_gt(seen[f], 5, "function %d", f);
  cr_log_info("%d genomes, largest difference %.3g, %d redrawn", compared, worst, redrawn);
}

/* ---- Training and writing back ---- */

static double train(bdag_network *network, const double *x, int steps, double *first_loss) {
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_trainer *trainer;
  bdag_error error;
  bdag_trainer_options options = BDAG_TRAINER_OPTIONS_INIT;
  options.learning_rate = 0.02;
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(bdag_weights_create(&weights, plan, network, BDAG_FLOAT64, &error), BDAG_OK);
  cr_assert_eq(bdag_trainer_create(&trainer, plan, weights, &options, &error), BDAG_OK, "%s",
               error.message);
  static double targets[BATCH * MOST_OUTPUTS];
  for (int i = 0; i < BATCH * drawn.outputs; i++) targets[i] = 0.5 + 0.3 * sin(i);
  const bdag_array xs = {(void *)x, BDAG_FLOAT64, drawn.inputs, 1};
  const bdag_array ys = {targets, BDAG_FLOAT64, drawn.outputs, 1};
  double loss = 0;
  for (int i = 0; i < steps; i++) {
    cr_assert_eq(bdag_trainer_step(trainer, BATCH, &xs, &ys, NULL, &loss), BDAG_OK);
    if (i == 0) *first_loss = loss;
  }
  cr_assert_eq(bdag_network_take_weights(network, weights, NULL), BDAG_OK);
  bdag_trainer_destroy(trainer);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
  return loss;
}

static void add_loss(bdag_network *network) {
  uint32_t vertices[MOST_OUTPUTS];
  for (int o = 0; o < drawn.outputs; o++) vertices[o] = bdag_network_outputs(network)[o].vertex;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, (uint32_t)drawn.outputs, vertices, 1, 1};
  cr_assert_eq(bdag_network_add_loss(network, &term, NULL), BDAG_OK);
}

/* Everything of the list `name` but the numbers that training changes. */
static void expect_same_list(const json_t *before, const json_t *after, const char *name,
                             const char *changing) {
  const json_t *const old = json_object_get(before, name), *const new =
                                                               json_object_get(after, name);
  int changed = 0;
  cr_assert_eq(json_array_size(old), json_array_size(new), "%s", name);
  for (size_t i = 0; i < json_array_size(old); i++) {
    const char *key;
    json_t *value;
    json_object_foreach(json_array_get(old, i), key, value) {
      const json_t *const other = json_object_get(json_array_get(new, i), key);
      cr_assert_not_null(other, "%s[%zu].%s", name, i, key);
      const int same = json_is_number(value) ? json_number_value(value) == json_number_value(other)
                                             : json_equal(value, (json_t *)other);
      if (strcmp(key, changing) == 0)
        changed += !same;
      else
        cr_assert(same, "%s[%zu].%s", name, i, key);
    }
  }
  cr_assert_gt(changed, 0, "%s of %s did not change", changing, name);
}

static void expect_same_ids(const char *path) {
  json_t *const before = json_loads(text, 0, NULL), *const after = json_load_file(path, 0, NULL);
  cr_assert_not_null(before);
  cr_assert_not_null(after);
  static const char *const members[] = {"format_version", "network_type", "topology"};
  for (int i = 0; i < 3; i++) {
    cr_assert(json_equal(json_object_get(before, members[i]), json_object_get(after, members[i])),
              "%s", members[i]);
  }
  cr_assert(json_is_object(json_object_get(after, "metadata")));
  expect_same_list(before, after, "nodes", "bias");
  expect_same_list(before, after, "connections", "weight");
  json_decref(before);
  json_decref(after);
}

Test(neat, trained_genome_keeps_its_ids) {
  static double x[BATCH * GENOME_INPUTS], trained[BATCH * MOST_OUTPUTS],
      again[BATCH * MOST_OUTPUTS];
  for (uint64_t seed = 1; seed <= 5; seed++) {
    genome_draw(&drawn, seed, 1);
    draw_inputs(seed, x);
    bdag_network *const network = load_drawn();
    add_loss(network);
    double first = 0;
    const double last = train(network, x, 60, &first);
    cr_assert_lt(last, first);
    const char *const path = temporary_path("genome.json");
    cr_assert_eq(bdag_network_save(network, path, BDAG_NETWORK_AUTO, NULL), BDAG_OK);
    expect_same_ids(path);
    /* Without the loss nothing stands in it but neat-python's format. */
    bdag_network_clear_loss(network);
    cr_assert_eq(bdag_network_save(network, path, BDAG_NETWORK_AUTO, NULL), BDAG_OK);
    expect_same_ids(path);
    json_t *const pure = json_load_file(path, 0, NULL);
    cr_assert_null(json_object_get(pure, "backdag"));
    json_decref(pure);
    bdag_network *loaded;
    cr_assert_eq(bdag_network_load(&loaded, context, path, NULL), BDAG_OK);
    expect_same_network(network, loaded);
    run_engine(network, x, trained);
    run_engine(loaded, x, again);
    cr_assert_arr_eq(trained, again, sizeof(double) * (size_t)(BATCH * drawn.outputs));
    unlink(path);
    bdag_network_destroy(loaded);
    bdag_network_destroy(network);
  }
}
