/* Passes whose tasks are shared out once and for all, in stages: bitwise what one thread computes, for teams
 * of several sizes. Prints TAP; no test framework, so that it can run under ThreadSanitizer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context_internal.h"
#include "runtime/engine_internal.h"

enum { INPUTS = 60, VERTICES = 6000, DENSE = 64, OUTPUTS = 16, MOST_BATCH = 150 };

static uint32_t random_state;

static uint32_t dice(uint32_t sides) {
  random_state = random_state * 1664525u + 1013904223u;
  return (random_state >> 8) % sides;
}

static void must(bdag_status status) {
  if (status == BDAG_OK) return;
  printf("Bail out! %s\n", bdag_status_string(status));
  exit(99);
}

typedef struct subject {
  bdag_context *context;
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights;
  bdag_type type;
  uint64_t edges, batch;
} subject;

/* A dense layer, then neurons that read up to 20 of those before, some from far away. */
static bdag_network *build(bdag_context *context, uint32_t window) {
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  const uint64_t most = (uint64_t)INPUTS * DENSE + (uint64_t)VERTICES * 20;
  uint32_t *source = malloc(most * sizeof *source), *target = malloc(most * sizeof *target);
  double *weight = malloc(most * sizeof *weight);
  uint32_t outputs[OUTPUTS];
  uint64_t edges = 0;
  random_state = window;
  for (uint32_t v = INPUTS; v < VERTICES; v++) {
    const int dense = v < INPUTS + DENSE;
    const uint32_t degree = dense ? INPUTS : 8 + dice(13), near = v < window ? v : window;
    for (uint32_t k = 0; k < degree; k++, edges++) {
      source[edges] = dense ? k : dice(8) == 0 ? dice(v) : v - 1 - dice(near);
      target[edges] = v;
      weight[edges] = 0.002 * ((double)dice(401) - 200);
    }
  }
  for (uint32_t i = 0; i < OUTPUTS; i++) outputs[i] = VERTICES - 1 - i;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, OUTPUTS, outputs, 1.0, 0.0};
  bdag_network *network;
  must(bdag_network_create(&network, context, NULL));
  must(bdag_network_add_inputs(network, INPUTS, NULL, NULL));
  must(bdag_network_add_vertices(network, VERTICES - INPUTS, &activation, NULL, NULL));
  must(bdag_network_add_edges(network, edges, source, target, weight, NULL, NULL));
  must(bdag_network_add_loss(network, &term, NULL));
  free(source);
  free(target);
  free(weight);
  return network;
}

/* As on a machine with so many processors. */
static subject subject_of(uint32_t processors, uint32_t window, bdag_type type, uint64_t batch) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  subject s = {.type = type, .batch = batch};
  options.threads = processors;
  options.oversubscribe = 1;
  must(bdag_context_create(&s.context, &options, NULL));
  s.context->machine.processors = s.context->machine.cores = processors;
  s.context->machine.quota = UINT32_MAX;
  s.network = build(s.context, window);
  s.edges = bdag_network_edge_count(s.network);
  must(bdag_plan_create(&s.plan, s.network, NULL, NULL));
  must(bdag_weights_create(&s.weights, s.plan, s.network, type, NULL));
  return s;
}

static void release(subject *s) {
  bdag_weights_release(s->weights);
  bdag_plan_release(s->plan);
  bdag_network_destroy(s->network);
  bdag_context_destroy(s->context);
}

typedef struct result {
  char *out, *weight_grad;
  double loss;
  int in_stages;
} result;

static result result_of(const subject *s, bdag_axis axis, uint32_t threads, uint32_t keep) {
  static double x[MOST_BATCH * INPUTS], targets[MOST_BATCH * OUTPUTS];
  const size_t element = s->type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_backward_options backward = BDAG_BACKWARD_OPTIONS_INIT;
  const bdag_array from = {x, BDAG_FLOAT64, INPUTS, 1},
                   wanted = {targets, BDAG_FLOAT64, OUTPUTS, 1};
  bdag_engine *engine;
  result r = {.out = calloc(s->batch * VERTICES, element),
              .weight_grad = calloc(s->edges, element)};
  random_state = 7;
  for (uint64_t i = 0; i < s->batch * INPUTS; i++) x[i] = 0.01 * dice(200) - 1;
  for (uint64_t i = 0; i < s->batch * OUTPUTS; i++) targets[i] = 0.01 * dice(200) - 1;
  options.type = s->type;
  options.max_batch = s->batch;
  options.axis = axis;
  options.threads = threads;
  options.keep = BDAG_KEEP_WEIGHT_GRAD | BDAG_KEEP_OUT | keep;
  options.deterministic = 1;
  backward.targets = &wanted;
  must(bdag_engine_create(&engine, s->plan, &options, NULL));
  for (int again = 0; again < 2; again++) {
    must(bdag_forward_arrays(engine, s->weights, s->batch, &from, NULL));
    backward.accumulate = again;
    must(bdag_backward_arrays(engine, s->weights, &backward, &r.loss));
  }
  r.in_stages = engine->stages[0].count > 1 && engine->stages[1].count > 1;
  const bdag_array out = {r.out, s->type, VERTICES, 1};
  must(bdag_read_vertices(engine, BDAG_OUT, VERTICES, NULL, &out));
  must(bdag_read_weight_grad(engine, 0, s->edges, r.weight_grad));
  bdag_engine_destroy(engine);
  return r;
}

static void clear(result *r) {
  free(r->out);
  free(r->weight_grad);
}

/* Whether stages give what one thread gives. */
static int agrees(const subject *s, const result *expected, uint32_t threads, uint32_t keep) {
  const size_t element = s->type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  result found = result_of(s, BDAG_AXIS_VERTICES, threads, keep);
  const int same = found.in_stages && found.loss == expected->loss &&
                   memcmp(found.out, expected->out, s->batch * VERTICES * element) == 0 &&
                   memcmp(found.weight_grad, expected->weight_grad, s->edges * element) == 0;
  clear(&found);
  return same;
}

int main(void) {
  static const struct {
    uint32_t window, threads;
    bdag_type type;
    uint64_t batch;
    uint32_t keep;
  } cases[] = {{2000, 2, BDAG_FLOAT32, 64, 0},
               {2000, 3, BDAG_FLOAT32, 64, BDAG_KEEP_INPUT_GRAD},
               {2000, 2, BDAG_FLOAT32, 40, BDAG_KEEP_ALL},
               {500, 4, BDAG_FLOAT32, 150, 0},
               {1500, 2, BDAG_FLOAT64, 64, BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD},
               {2000, 5, BDAG_FLOAT64, 33, 0}};
  enum { CASES = sizeof cases / sizeof *cases };
  int failures = 0;
  printf("1..%d\n", CASES);
  for (int i = 0; i < CASES; i++) {
    subject s = subject_of(cases[i].threads, cases[i].window, cases[i].type, cases[i].batch);
    result expected = result_of(&s, BDAG_AXIS_SERIAL, 1, cases[i].keep);
    int right = 1;
    for (int again = 0; again < 3; again++)
      right &= agrees(&s, &expected, cases[i].threads, cases[i].keep);
    printf("%s %d - %u threads, %u samples\n", right ? "ok" : "not ok", i + 1, cases[i].threads,
           (unsigned)cases[i].batch);
    failures += !right;
    clear(&expected);
    release(&s);
  }
  return failures > 0;
}
