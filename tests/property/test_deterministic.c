/* Deterministic mode: 50 training steps end in bitwise the same weights for every number of threads, on
 * every axis, and in another process. Prints TAP; with an argument the weights' hash of that process. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backdag/backdag.h>

enum { INPUTS = 40, VERTICES = 400, OUTPUTS = 10, BATCH = 200, STEPS = 50, MOST_EDGES = 20000 };
#define RATE 0.05

static uint64_t dice_state;

static double dice(void) {
  dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (double)(dice_state >> 40) / (double)(UINT64_C(1) << 24);
}

static void must(bdag_status status) {
  if (status == BDAG_OK) return;
  printf("Bail out! %s\n", bdag_status_string(status));
  exit(99);
}

static bdag_network *build(bdag_context *context) {
  static uint32_t source[MOST_EDGES], target[MOST_EDGES];
  static double weight[MOST_EDGES];
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  uint32_t edges = 0, outputs[OUTPUTS];
  bdag_network *network;
  dice_state = 1;
  /* a dense layer of 60, then irregular neurons out of a window */
  for (uint32_t v = INPUTS; v < VERTICES; v++)
    for (uint32_t u = v < INPUTS + 60 ? 0 : v - INPUTS - 60; u < (v < INPUTS + 60 ? INPUTS : v);
         u++) {
      if (v >= INPUTS + 60 && dice() > 0.15) continue;
      source[edges] = u;
      target[edges] = v;
      weight[edges++] = dice() - 0.5;
    }
  for (uint32_t i = 0; i < OUTPUTS; i++) outputs[i] = VERTICES - 1 - i;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, OUTPUTS, outputs, 1.0, 0.0};
  must(bdag_network_create(&network, context, NULL));
  must(bdag_network_add_inputs(network, INPUTS, NULL, NULL));
  must(bdag_network_add_vertices(network, VERTICES - INPUTS, &activation, NULL, NULL));
  must(bdag_network_add_edges(network, edges, source, target, weight, NULL, NULL));
  must(bdag_network_add_loss(network, &term, NULL));
  return network;
}

static void take_steps(bdag_engine *engine, bdag_weights *weights, uint64_t parameters,
                       double *values) {
  static float x[BATCH * INPUTS], targets[BATCH * OUTPUTS];
  float *gradient = malloc(parameters * sizeof *gradient);
  dice_state = 2;
  for (int i = 0; i < BATCH * INPUTS; i++) x[i] = (float)(2 * dice() - 1);
  for (int i = 0; i < BATCH * OUTPUTS; i++) targets[i] = (float)(2 * dice() - 1);
  for (int step = 0; step < STEPS; step++) {
    must(bdag_forward(engine, weights, BATCH, x, NULL));
    must(bdag_backward(engine, weights, targets, NULL, NULL));
    must(bdag_read_parameter_grad(engine, 0, parameters, gradient));
    must(bdag_weights_read(weights, 0, parameters, values));
    for (uint64_t p = 0; p < parameters; p++) values[p] -= RATE * (double)gradient[p];
    must(bdag_weights_write(weights, 0, parameters, values));
  }
  must(bdag_weights_read(weights, 0, parameters, values));
  free(gradient);
}

/* The weights after all steps; their number in *count. */
static double *train(bdag_axis axis, uint32_t threads, uint64_t *count) {
  bdag_context_options wanted = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_plan_options plan_options = BDAG_PLAN_OPTIONS_INIT;
  bdag_context *context;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_engine *engine;
  wanted.threads = threads;
  wanted.oversubscribe = 1;
  options.axis = axis;
  options.threads = threads;
  options.max_batch = BATCH;
  options.deterministic = 1;
  plan_options.tile = 16;
  must(bdag_context_create(&context, &wanted, NULL));
  bdag_network *network = build(context);
  must(bdag_plan_create(&plan, network, &plan_options, NULL));
  must(bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, NULL));
  must(bdag_engine_create(&engine, plan, &options, NULL));
  *count = bdag_network_parameter_count(network);
  double *values = malloc(*count * sizeof *values);
  take_steps(engine, weights, *count, values);
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  bdag_plan_release(plan);
  bdag_network_destroy(network);
  bdag_context_destroy(context);
  return values;
}

/* FNV-1a. */
static uint64_t hash_of(const double *values, uint64_t count) {
  const unsigned char *bytes = (const unsigned char *)values;
  uint64_t hash = UINT64_C(14695981039346656037);
  for (uint64_t i = 0; i < count * sizeof *values; i++)
    hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
  return hash;
}

static int check_other_process(const char *program, uint64_t expected) {
  char command[4096];
  uint64_t hash = 0;
  snprintf(command, sizeof command, "'%s' hash", program);
  FILE *other = popen(command, "r");
  const int found = other != NULL && fscanf(other, "%" SCNx64, &hash) == 1;
  if (other != NULL) pclose(other);
  return found && hash == expected;
}

int main(int argc, char **argv) {
  static const uint32_t threads[] = {1, 2, 3, 4, 8, 16};
  static const struct {
    bdag_axis axis;
    const char *name;
  } axes[] = {
      {BDAG_AXIS_TILES, "tiles"}, {BDAG_AXIS_VERTICES, "vertices"}, {BDAG_AXIS_BOTH, "both"}};
  uint64_t count, other_count;
  double *expected =
      train(argc > 1 ? BDAG_AXIS_VERTICES : BDAG_AXIS_SERIAL, argc > 1 ? 3 : 1, &count);
  if (argc > 1) {
    printf("%" PRIx64 "\n", hash_of(expected, count));
    free(expected);
    return 0;
  }
  int number = 0, failures = 0;
  printf("1..19\n");
  for (size_t a = 0; a < 3; a++)
    for (size_t t = 0; t < 6; t++) {
      double *values = train(axes[a].axis, threads[t], &other_count);
      const int same =
          other_count == count && memcmp(values, expected, count * sizeof *values) == 0;
      printf("%s %d - %s, %u threads\n", same ? "ok" : "not ok", ++number, axes[a].name,
             threads[t]);
      failures += !same;
      free(values);
    }
  const int same = check_other_process(argv[0], hash_of(expected, count));
  printf("%s %d - another process\n", same ? "ok" : "not ok", ++number);
  free(expected);
  return failures + !same > 0;
}
