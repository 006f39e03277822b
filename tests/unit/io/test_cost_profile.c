/* Cost profiles from files: what is read, what is refused, and that choices follow. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <backdag/backdag.h>

#include "base/costs.h"

static const char good[] =
    "{\"format\": \"backdag-cost-profile\", \"version\": 1, \"cpu\": \"any\",\n"
    " \"seconds_per_flop\": {\"dense_forward\": 5e-12, \"dense_backward\": 6e-12,\n"
    "  \"list_forward\": 3.5e-11, \"list_backward\": null},\n"
    " \"seconds_per_task\": 2e-7, \"seconds_per_team\": 3e-6,\n"
    " \"bytes_per_second\": [4e11, 1.2e11, null, 3e10]}\n";

static bdag_context *make_context(uint32_t threads) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  options.oversubscribe = 1;
  bdag_context *context;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  return context;
}

/* The text with the first `from` replaced by `to`, as a file. */
static bdag_status load(bdag_context *context, const char *from, const char *to,
                        bdag_cost_profile *profile, bdag_error *error) {
  char path[] = "/tmp/cost-profile-XXXXXX";
  const int file = mkstemp(path);
  cr_assert_geq(file, 0);
  const char *at = strstr(good, from);
  cr_assert_not_null(at, "%s", from);
  FILE *stream = fdopen(file, "w");
  fprintf(stream, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
  fclose(stream);
  const bdag_status status = bdag_cost_profile_load(profile, context, path, error);
  unlink(path);
  return status;
}

Test(cost_profile, everything_is_read) {
  bdag_context *context = make_context(1);
  bdag_cost_profile profile;
  bdag_error error;
  const bdag_cost_profile unknown = BDAG_COST_PROFILE_INIT;
  cr_assert_eq(load(context, "any", "any", &profile, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(profile.size, sizeof profile);
  cr_assert_eq(profile.dense_forward, 5e-12);
  cr_assert_eq(profile.dense_backward, 6e-12);
  cr_assert_eq(profile.list_forward, 3.5e-11);
  cr_assert_eq(profile.list_backward, unknown.list_backward, "null keeps the library's own");
  cr_assert_eq(profile.task, 2e-7);
  cr_assert_eq(profile.team, 3e-6);
  cr_assert_eq(profile.bytes_per_second[1], 1.2e11);
  cr_assert_eq(profile.bytes_per_second[2], unknown.bytes_per_second[2]);
  bdag_context_destroy(context);
}

Test(cost_profile, what_is_wrong_is_named) {
  static const struct {
    const char *from, *to;
    bdag_status status;
    const char *expected;
  } cases[] = {
      {"backdag-cost-profile", "backdag-bench", BDAG_ERROR_FORMAT, "backdag-cost-profile"},
      {"\"version\": 1", "\"version\": 2", BDAG_ERROR_UNSUPPORTED, "version"},
      {"\"version\": 1", "\"version\": 1.0", BDAG_ERROR_FORMAT, "version"},
      {"\"seconds_per_task\": 2e-7,", "", BDAG_ERROR_FORMAT, "seconds_per_task"},
      {"2e-7", "\"short\"", BDAG_ERROR_FORMAT, "seconds_per_task"},
      {"2e-7", "-2e-7", BDAG_ERROR_FORMAT, "seconds_per_task"},
      {"5e-12", "0", BDAG_ERROR_FORMAT, "dense_forward"},
      {"5e-12", "1e400", BDAG_ERROR_FORMAT, "JSON"},
      {", null, 3e10", ", 3e10", BDAG_ERROR_FORMAT, "bytes_per_second"},
      {"4e11", "true", BDAG_ERROR_FORMAT, "bytes_per_second[0]"},
      {"\"seconds_per_flop\": {", "\"seconds_per_flop\": 1, \"x\": {", BDAG_ERROR_FORMAT,
       "seconds_per_flop"},
      {"{\"format\"", "[{\"format\"", BDAG_ERROR_FORMAT, "JSON"},
  };
  bdag_context *context = make_context(1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bdag_cost_profile profile = {.task = 42};
    bdag_error error = {0};
    const bdag_status status = load(context, cases[i].from, cases[i].to, &profile, &error);
    cr_assert_eq(status, cases[i].status, "%s: %d %s", cases[i].to, status, error.message);
    cr_assert(strstr(error.message, cases[i].expected) != NULL, "%s", error.message);
    cr_assert(strstr(error.file, "cost-profile") != NULL, "the file is named");
    cr_assert_eq(profile.task, 42, "a failure changes nothing");
  }
  bdag_context_destroy(context);
}

Test(cost_profile, arguments_are_checked) {
  bdag_context *context = make_context(1);
  bdag_cost_profile profile = BDAG_COST_PROFILE_INIT;
  bdag_error error;
  cr_assert_eq(bdag_cost_profile_load(NULL, context, "x", &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_cost_profile_load(&profile, NULL, "x", &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_cost_profile_load(&profile, context, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_cost_profile_load(&profile, context, "/no/such/file", &error), BDAG_ERROR_IO);
  cr_assert_eq(bdag_context_set_costs(NULL, &profile), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_context_set_costs(context, &profile), BDAG_OK);
  profile.list_forward = 0.0;
  cr_assert_eq(bdag_context_set_costs(context, &profile), BDAG_ERROR_INVALID_ARGUMENT);
  profile = (bdag_cost_profile)BDAG_COST_PROFILE_INIT;
  profile.team = -1.0;
  cr_assert_eq(bdag_context_set_costs(context, &profile), BDAG_ERROR_INVALID_ARGUMENT);
  profile = (bdag_cost_profile)BDAG_COST_PROFILE_INIT;
  profile.task = strtod("nan", NULL);
  cr_assert_eq(bdag_context_set_costs(context, &profile), BDAG_ERROR_INVALID_ARGUMENT);
  profile = (bdag_cost_profile)BDAG_COST_PROFILE_INIT;
  profile.size--;
  cr_assert_eq(bdag_context_set_costs(context, &profile), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_context_set_costs(context, NULL), BDAG_OK);
  bdag_context_destroy(context);
}

Test(cost_profile, the_table_means_what_was_measured_with_it) {
  bdag_context *context = make_context(1);
  cr_assert_eq(bdag_costs_task_edges(context), 16384);
  cr_assert_eq(bdag_costs_serial_work(context), 200000);
  bdag_cost_profile profile = BDAG_COST_PROFILE_INIT;
  profile.task = profile.team = 1e300;
  cr_assert_eq(bdag_context_set_costs(context, &profile), BDAG_OK);
  cr_assert_eq(bdag_costs_task_edges(context), UINT64_C(1) << 24);
  cr_assert_eq(bdag_costs_serial_work(context), UINT64_C(1000000000000000000));
  profile.task = profile.team = 0.0;
  cr_assert_eq(bdag_context_set_costs(context, &profile), BDAG_OK);
  cr_assert_eq(bdag_costs_task_edges(context), 256);
  cr_assert_eq(bdag_costs_serial_work(context), 0);
  bdag_context_destroy(context);
}

/* ---- What follows from it -------------------------------------------------------------------------- */

enum { VERTICES = 4000, DEGREE = 4 };

/* Each neuron reads 4 of the 400 vertices before it, nothing dense; or, of the first 400 neurons, each the
 * 40 of the layer before. */
static bdag_network *make_network(bdag_context *context, int dense) {
  static uint32_t source[VERTICES * DEGREE], target[VERTICES * DEGREE];
  static double weight[VERTICES * DEGREE];
  uint32_t first;
  uint64_t edges = 0, state = 1;
  bdag_network *network;
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, 400, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, VERTICES, NULL, &first, NULL), BDAG_OK);
  const uint32_t neurons = dense ? VERTICES / 10 : VERTICES, degree = dense ? 40 : DEGREE;
  for (uint32_t v = first; v < first + neurons; v++)
    for (uint32_t i = 0; i < degree; i++, edges++) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      source[edges] = dense ? v - v % 40 - 40 + i : v - 1 - (uint32_t)((state >> 33) % 400);
      target[edges] = v;
      weight[edges] = 0.1;
    }
  cr_assert_eq(bdag_network_add_edges(network, edges, source, target, weight, NULL, NULL), BDAG_OK);
  const bdag_output output = {.vertex = first + neurons - 1};
  cr_assert_eq(bdag_network_set_outputs(network, 1, &output, NULL), BDAG_OK);
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 1, &output.vertex, 1.0, 1.0};
  cr_assert_eq(bdag_network_add_loss(network, &term, NULL), BDAG_OK);
  return network;
}

typedef struct choice {
  bdag_axis axis;
  uint64_t forward_tasks, backward_tasks;
} choice;

static choice choose(const bdag_cost_profile *profile) {
  bdag_context *context = make_context(2);
  cr_assert_eq(bdag_context_set_costs(context, profile), BDAG_OK);
  bdag_network *network = make_network(context, 0);
  bdag_plan *plan;
  bdag_engine *engine;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.max_batch = 256;
  options.threads = 2;
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
  bdag_plan_summary summary = {sizeof summary};
  bdag_engine_info info = {sizeof info};
  cr_assert_eq(bdag_plan_summarize(plan, &summary), BDAG_OK);
  cr_assert_eq(bdag_engine_describe(engine, &info), BDAG_OK);
  const choice made = {info.axis, summary.forward_tasks, summary.backward_tasks};
  bdag_engine_destroy(engine);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  return made;
}

Test(cost_profile, a_dear_team_keeps_passes_serial) {
  bdag_cost_profile profile = BDAG_COST_PROFILE_INIT;
  cr_assert_neq(choose(NULL).axis, BDAG_AXIS_SERIAL);
  cr_assert_neq(choose(&profile).axis, BDAG_AXIS_SERIAL);
  profile.team = 1.0;
  cr_assert_eq(choose(&profile).axis, BDAG_AXIS_SERIAL);
}

/* Gradients of one deterministic pass; [VERTICES * DEGREE]. */
static float *gradients(const bdag_cost_profile *profile, uint32_t threads, int dense) {
  enum { BATCH = 256, INPUTS = 400 };
  static float x[BATCH * INPUTS], targets[BATCH];
  for (int i = 0; i < BATCH * INPUTS; i++) x[i] = (float)((i * 2654435761u >> 8) % 1000) / 500 - 1;
  bdag_context *context = make_context(threads);
  cr_assert_eq(bdag_context_set_costs(context, profile), BDAG_OK);
  bdag_network *network = make_network(context, dense);
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.max_batch = BATCH;
  options.threads = threads;
  options.deterministic = 1;
  float *gradient = calloc(VERTICES * DEGREE, sizeof *gradient);
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_forward(engine, weights, BATCH, x, NULL), BDAG_OK);
  cr_assert_eq(bdag_backward(engine, weights, targets, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_read_weight_grad(engine, 0, VERTICES * DEGREE, gradient), BDAG_OK);
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  return gradient;
}

static void check_results(int dense) {
  bdag_cost_profile profile = BDAG_COST_PROFILE_INIT;
  float *usual = gradients(NULL, 2, dense);
  profile.task *= 100.0;
  float *dear = gradients(&profile, 3, dense);
  profile.task /= 10000.0;
  profile.team = 1.0;
  float *cheap = gradients(&profile, 1, dense);
  const size_t size = VERTICES * DEGREE * sizeof *usual;
  double sum = 0.0;
  for (int i = 0; i < VERTICES * DEGREE; i++) sum += (double)(usual[i] * usual[i]);
  cr_assert(sum > 0.0, "there are gradients");
  cr_assert(memcmp(usual, dear, size) == 0, "dear tasks change results");
  cr_assert(memcmp(usual, cheap, size) == 0, "cheap tasks change results");
  free(usual);
  free(dear);
  free(cheap);
}

Test(cost_profile, deterministic_results_do_not_depend_on_costs) {
  check_results(0);
  check_results(1);
}

Test(cost_profile, dear_tasks_become_few) {
  bdag_cost_profile profile = BDAG_COST_PROFILE_INIT;
  const choice usual = choose(&profile);
  profile.task *= 100.0;
  const choice dear = choose(&profile);
  profile.task /= 1000.0;
  const choice cheap = choose(&profile);
  cr_assert_lt(dear.forward_tasks, cheap.forward_tasks);
  cr_assert_leq(dear.forward_tasks, usual.forward_tasks);
  cr_assert_leq(usual.forward_tasks, cheap.forward_tasks);
  cr_assert_leq(dear.backward_tasks, cheap.backward_tasks);
}
