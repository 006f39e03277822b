/* Small fixed cases whose instructions callgrind counts, on one thread. Each measured function makes one
 * count; the program prints their names in the order of the counts. May include the bench's cases. */
#include <backdag/backdag.h>
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"

typedef struct subject {
  bdag_network *network;
  bdag_plan *plan;
  bdag_weights *weights, *trained;
  bdag_engine *engine;
  bdag_trainer *trainer;
  uint64_t batch;
  float *x, *targets;
} subject;

/* Names that callgrind is told: measure_… */
void measure_plan(subject *s);
void measure_forward(subject *s);
void measure_backward(subject *s);
void measure_one(subject *s);
void measure_step(subject *s);

static void check(bdag_status status) {
  if (status == BDAG_OK) return;
  fprintf(stderr, "instruction_cases: %s\n", bdag_status_string(status));
  exit(1);
}

__attribute__((noinline)) void measure_plan(subject *s) {
  check(bdag_plan_create(&s->plan, s->network, NULL, NULL));
}

__attribute__((noinline)) void measure_forward(subject *s) {
  check(bdag_forward(s->engine, s->weights, s->batch, s->x, NULL));
}

__attribute__((noinline)) void measure_backward(subject *s) {
  double loss;
  check(bdag_backward(s->engine, s->weights, s->targets, NULL, &loss));
}

__attribute__((noinline)) void measure_one(subject *s) {
  check(bdag_forward(s->engine, s->weights, 1, s->x, NULL));
}

static void step(subject *s) {
  const bdag_array x = {s->x, BDAG_FLOAT32, bdag_plan_input_count(s->plan), 1};
  const bdag_array targets = {s->targets, BDAG_FLOAT32, (ptrdiff_t)bdag_plan_target_count(s->plan),
                              1};
  double loss;
  check(bdag_trainer_step(s->trainer, s->batch, &x, &targets, NULL, &loss));
}

__attribute__((noinline)) void measure_step(subject *s) {
  step(s);
}

static void make_engine(subject *s) {
  check(bdag_weights_create(&s->weights, s->plan, s->network, BDAG_FLOAT32, NULL));
  check(bdag_weights_create(&s->trained, s->plan, s->network, BDAG_FLOAT32, NULL));
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  options.max_batch = s->batch;
  check(bdag_engine_create(&s->engine, s->plan, &options, NULL));
  bdag_trainer_options training = BDAG_TRAINER_OPTIONS_INIT;
  training.max_batch = s->batch;
  check(bdag_trainer_create(&s->trainer, s->plan, s->trained, &training, NULL));
}

/* Numbers that any loss takes as targets: 0. */
static void make_data(subject *s) {
  bench_random random = {1};
  const uint64_t inputs = s->batch * bdag_plan_input_count(s->plan);
  s->x = bench_allocate(inputs, sizeof *s->x);
  s->targets = bench_allocate(s->batch * bdag_plan_target_count(s->plan), sizeof *s->targets);
  for (uint64_t i = 0; i < inputs; i++) s->x[i] = (float)bench_random_normal(&random);
}

/* What only the first pass does is not counted. */
static void warm_up(subject *s) {
  double loss;
  check(bdag_forward(s->engine, s->weights, 1, s->x, NULL));
  check(bdag_forward(s->engine, s->weights, s->batch, s->x, NULL));
  check(bdag_backward(s->engine, s->weights, s->targets, NULL, &loss));
  step(s);
}

static void release(subject *s) {
  bdag_trainer_destroy(s->trainer);
  bdag_engine_destroy(s->engine);
  bdag_weights_release(s->weights);
  bdag_weights_release(s->trained);
  bdag_plan_release(s->plan);
  bdag_network_destroy(s->network);
  bench_free(s->x);
  bench_free(s->targets);
}

static void run(bdag_context *context, const char *name, bench_graph *graph, uint64_t batch) {
  subject s = {.batch = batch};
  uint32_t *vertex_map;
  uint64_t *edge_map;
  check(bench_graph_to_network(graph, context, 1, &s.network, &vertex_map, &edge_map, NULL));
  measure_plan(&s);
  make_engine(&s);
  make_data(&s);
  warm_up(&s);
  measure_forward(&s);
  measure_backward(&s);
  measure_one(&s);
  measure_step(&s);
  static const char *const measured[] = {"plan", "forward", "backward", "one", "step"};
  for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
    printf("%s %s\n", name, measured[i]);
  release(&s);
  bench_graph_destroy(graph);
  bench_free(vertex_map);
  bench_free(edge_map);
}

int main(void) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.threads = 1;
  /* The same caches everywhere, because plans depend on them. */
  options.synthetic = "pack:1 l3:1(size=33554432) l2:1(size=1048576) l1d:1(size=32768) core:1 pu:1";
  bdag_context *context;
  bdag_error error;
  if (bdag_context_create(&context, &options, &error) != BDAG_OK) {
    fprintf(stderr, "instruction_cases: %s\n", error.message);
    return 1;
  }
  run(context, "mlp-small", bench_build_mlp(BENCH_MLP_SMALL, 0, 1), 32);
  run(context, "cascade", bench_build_cascade(100, 0, 1), 64);
  run(context, "radix", bench_build_radix(64, 0, 1), 64);
  run(context, "irregular", bench_build_irregular(4000, 0, 1), 64);
  run(context, "sparse-99", bench_build_sparse(99, 0, 1), 64);
  run(context, "chain", bench_build_chain(200, 0, 1), 64);
  run(context, "evolved-100", bench_build_evolved(100, 0, 1), 32);
  bdag_context_destroy(context);
  return 0;
}
