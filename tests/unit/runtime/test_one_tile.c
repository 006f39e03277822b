/* Passes of fewer tiles than threads, whose tasks are shared out once and for all, in stages, or whose tiles are
 * cut in the forward pass: bitwise what one thread computes, for teams of several sizes. Prints TAP; no test
 * framework, so that it can run under ThreadSanitizer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context_internal.h"
#include "runtime/trace_internal.h"

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

/* z / (1 + z²), which may not work in place. */
static int bump(void *user, bdag_type type, double parameter, size_t count, const void *in,
                void *out) {
  for (size_t i = 0; i < count; i++) {
    const double z = type == BDAG_FLOAT32 ? ((const float *)in)[i] : ((const double *)in)[i];
    if (type == BDAG_FLOAT32)
      ((float *)out)[i] = (float)(z / (1 + z * z));
    else
      ((double *)out)[i] = z / (1 + z * z);
  }
  return user != NULL && parameter != 0;
}

static int bump_derivative(void *user, bdag_type type, double parameter, size_t count,
                           const void *in, const void *out, void *derivative) {
  for (size_t i = 0; i < count; i++) {
    const double z = type == BDAG_FLOAT32 ? ((const float *)in)[i] : ((const double *)in)[i];
    const double slope = (1 - z * z) / ((1 + z * z) * (1 + z * z));
    if (type == BDAG_FLOAT32)
      ((float *)derivative)[i] = (float)slope;
    else
      ((double *)derivative)[i] = slope;
  }
  return user != NULL && parameter != 0 && out == NULL;
}

/* A dense layer, then neurons that read up to 20 of those before, some from far away. */
static bdag_network *build(bdag_context *context, uint32_t window) {
  const bdag_activation_functions functions = {bump, bump_derivative, NULL};
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  bdag_activation other = {0};
  const uint64_t most = (uint64_t)INPUTS * DENSE + (uint64_t)VERTICES * 20;
  uint32_t *source = malloc(most * sizeof *source), *target = malloc(most * sizeof *target);
  double *weight = malloc(most * sizeof *weight);
  uint32_t outputs[OUTPUTS];
  bdag_output readable[OUTPUTS];
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
  for (uint32_t i = 0; i < OUTPUTS; i++) {
    outputs[i] = VERTICES - 1 - i;
    readable[i] = (bdag_output){.vertex = outputs[i], .read_out = BDAG_READ_OUT_SOFTMAX};
  }
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, OUTPUTS, outputs, 1.0, 0.0};
  bdag_network *network;
  must(bdag_network_create(&network, context, NULL));
  must(bdag_network_add_inputs(network, INPUTS, NULL, NULL));
  must(bdag_context_register_activation(context, "bump", &functions, &other.kind, NULL));
  must(bdag_network_add_vertices(network, VERTICES / 2 - INPUTS, &activation, NULL, NULL));
  must(bdag_network_add_vertices(network, VERTICES - VERTICES / 2, &other, NULL, NULL));
  must(bdag_network_add_edges(network, edges, source, target, weight, NULL, NULL));
  must(bdag_network_set_outputs(network, OUTPUTS, readable, NULL));
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
  char *out, *in, *weight_grad;
  double y[MOST_BATCH * OUTPUTS], loss;
  int in_stages, cut;
} result;

static result *result_of(const subject *s, bdag_axis axis, uint32_t threads, uint32_t keep) {
  static double x[MOST_BATCH * INPUTS], targets[MOST_BATCH * OUTPUTS];
  const size_t element = s->type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_backward_options backward = BDAG_BACKWARD_OPTIONS_INIT;
  const bdag_array from = {x, BDAG_FLOAT64, INPUTS, 1},
                   wanted = {targets, BDAG_FLOAT64, OUTPUTS, 1};
  bdag_engine *engine;
  result *r = calloc(1, sizeof *r);
  const bdag_array y = {r->y, BDAG_FLOAT64, OUTPUTS, 1};
  r->out = calloc(s->batch * VERTICES, element);
  r->in = calloc(s->batch * VERTICES, element);
  r->weight_grad = calloc(s->edges, element);
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
    must(bdag_predict_arrays(engine, s->weights, s->batch, &from, &y));
    backward.accumulate = again;
    must(bdag_backward_arrays(engine, s->weights, &backward, &r->loss));
  }
  r->in_stages = engine->stages[0].count > 1 && engine->stages[1].count > 1;
  r->cut = bdag_engine_cuts(engine, engine->tiles, engine->options.threads);
  const bdag_array out = {r->out, s->type, VERTICES, 1};
  must(bdag_read_vertices(engine, BDAG_OUT, VERTICES, NULL, &out));
  must(bdag_read_weight_grad(engine, 0, s->edges, r->weight_grad));
  const bdag_array in = {r->in, s->type, VERTICES, 1};
  if (keep & BDAG_KEEP_IN) must(bdag_read_vertices(engine, BDAG_IN, VERTICES, NULL, &in));
  bdag_engine_destroy(engine);
  return r;
}

static void clear(result *r) {
  free(r->out);
  free(r->in);
  free(r->weight_grad);
  free(r);
}

static int same(const subject *s, const result *a, const result *b) {
  const size_t element = s->type == BDAG_FLOAT32 ? sizeof(float) : sizeof(double);
  return a->loss == b->loss && memcmp(a->y, b->y, sizeof a->y) == 0 &&
         memcmp(a->out, b->out, s->batch * VERTICES * element) == 0 &&
         memcmp(a->in, b->in, s->batch * VERTICES * element) == 0 &&
         memcmp(a->weight_grad, b->weight_grad, s->edges * element) == 0;
}

/* Whether stages, and parts of tiles, give what one thread gives. */
static int agrees(const subject *s, const result *expected, uint32_t threads, uint32_t keep) {
  result *in_stages = result_of(s, BDAG_AXIS_VERTICES, threads, keep);
  result *cut = result_of(s, BDAG_AXIS_TILES, threads, keep);
  const int right =
      in_stages->in_stages && cut->cut && same(s, in_stages, expected) && same(s, cut, expected);
  clear(in_stages);
  clear(cut);
  return right;
}

/* Parts of tiles are units of a traced forward pass that do not wait for each other; another one is that weights
 * are gathered. */
static int parts_are_traced(void) {
  subject s = subject_of(2, 2000, BDAG_FLOAT32, 64);
  float *x = calloc(64 * INPUTS, sizeof *x);
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_analysis analysis = {.size = sizeof analysis};
  bdag_engine *engine;
  bdag_trace *trace;
  options.max_batch = 64;
  options.deterministic = 1;
  must(bdag_engine_create(&engine, s.plan, &options, NULL));
  must(bdag_trace_create(&trace, engine, NULL, NULL));
  must(bdag_forward(engine, s.weights, 64, x, NULL));
  must(bdag_trace_analyse(trace, NULL, &analysis, NULL));
  const int right = analysis.axis == BDAG_AXIS_TILES && analysis.tasks == 3;
  bdag_trace_destroy(trace);
  bdag_engine_destroy(engine);
  release(&s);
  free(x);
  return right;
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
  printf("1..%d\n", CASES + 1);
  for (int i = 0; i < CASES; i++) {
    subject s = subject_of(cases[i].threads, cases[i].window, cases[i].type, cases[i].batch);
    result *expected = result_of(&s, BDAG_AXIS_SERIAL, 1, cases[i].keep);
    int right = 1;
    for (int again = 0; again < 3; again++)
      right &= agrees(&s, expected, cases[i].threads, cases[i].keep);
    printf("%s %d - %u threads, %u samples, kept %u\n", right ? "ok" : "not ok", i + 1,
           cases[i].threads, (unsigned)cases[i].batch, cases[i].keep);
    failures += !right;
    clear(expected);
    release(&s);
  }
  const int traced = parts_are_traced();
  printf("%s %d - parts of tiles in a trace\n", traced ? "ok" : "not ok", CASES + 1);
  return failures + !traced > 0;
}
