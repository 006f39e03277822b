/* Cases for the programs of stress. */
#include "stress_subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stress_must(const char *what, bdag_status status) {
  if (status == BDAG_OK) return;
  printf("Bail out! %s: %s\n", what, bdag_status_string(status));
  exit(1);
}

uint64_t stress_draw(stress_subject *s, const property_world *world, uint64_t seed,
                     stress_size size) {
  for (;; seed++) {
    stress_must("draw", random_case_draw(&s->c, world, seed, NULL));
    const uint64_t edges = s->c.oracle.edge_count, samples = s->c.batch.samples;
    if (edges >= size.least_edges && edges <= size.most_edges && samples >= size.least_samples &&
        samples <= size.most_samples)
      break;
    random_case_free(&s->c);
  }
  s->c.plan.tile = 16;
  s->c.engine.deterministic = 1;
  s->c.engine.keep = BDAG_KEEP_ALL | BDAG_KEEP_INPUT_GRAD;
  stress_must("plan", bdag_plan_create(&s->plan, s->c.network, &s->c.plan, NULL));
  stress_must("weights",
              bdag_weights_create(&s->weights, s->plan, s->c.network, s->c.engine.type, NULL));
  stress_must("freeze", bdag_weights_freeze(s->weights));
  return seed + 1;
}

void stress_free(stress_subject *s) {
  bdag_weights_release(s->weights);
  bdag_plan_release(s->plan);
  random_case_free(&s->c);
}

bdag_engine *stress_engine(const stress_subject *s, bdag_axis axis, uint32_t threads) {
  bdag_engine *engine;
  bdag_engine_options options = s->c.engine;
  options.axis = axis;
  options.threads = threads;
  stress_must("engine", bdag_engine_create(&engine, s->plan, &options, NULL));
  return engine;
}

bdag_status stress_passes(const stress_subject *s, bdag_engine *engine, double *loss) {
  const random_case *c = &s->c;
  const bdag_array x = {c->x, BDAG_FLOAT64, (ptrdiff_t)c->oracle.input_count, 1};
  const bdag_array targets = {c->targets, BDAG_FLOAT64, (ptrdiff_t)c->oracle.target_count, 1};
  bdag_backward_options options = BDAG_BACKWARD_OPTIONS_INIT;
  options.targets = c->oracle.target_count > 0 ? &targets : NULL;
  options.sample_weights = c->weight;
  options.normalizer = c->batch.normalizer;
  const bdag_status status = bdag_forward_arrays(engine, s->weights, c->batch.samples,
                                                 c->oracle.input_count > 0 ? &x : NULL, NULL);
  return status == BDAG_OK ? bdag_backward_arrays(engine, s->weights, &options, loss) : status;
}

stress_result stress_result_make(const stress_subject *s) {
  return (stress_result){.out = oracle_zeros(s->c.batch.samples * s->c.oracle.vertex_count, 8),
                         .weight_grad = oracle_zeros(s->c.oracle.edge_count, 8)};
}

void stress_result_free(stress_result *r) {
  free(r->out);
  free(r->weight_grad);
}

bdag_status stress_run(const stress_subject *s, bdag_engine *engine, stress_result *r) {
  const bdag_array out = {r->out, BDAG_FLOAT64, (ptrdiff_t)s->c.oracle.vertex_count, 1};
  bdag_status status = stress_passes(s, engine, &r->loss);
  if (status != BDAG_OK) return status;
  status = bdag_read_vertices(engine, BDAG_OUT, s->c.oracle.vertex_count, NULL, &out);
  if (status != BDAG_OK) return status;
  return bdag_read_weight_grad(engine, 0, s->c.oracle.edge_count, r->weight_grad);
}

static int same_numbers(const double *a, const double *b, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const int both_nan = a[i] != a[i] && b[i] != b[i];
    if (!both_nan && memcmp(&a[i], &b[i], sizeof *a) != 0) return 0;
  }
  return 1;
}

int stress_same(const stress_subject *s, const stress_result *a, const stress_result *b) {
  const size_t element = s->c.engine.type == BDAG_FLOAT32 ? 4 : 8;
  return memcmp(&a->loss, &b->loss, sizeof a->loss) == 0 &&
         memcmp(a->weight_grad, b->weight_grad, s->c.oracle.edge_count * element) == 0 &&
         same_numbers(a->out, b->out, s->c.batch.samples * s->c.oracle.vertex_count);
}

stress_result stress_reference(const stress_subject *s) {
  stress_result expected = stress_result_make(s);
  bdag_engine *engine = stress_engine(s, BDAG_AXIS_SERIAL, 1);
  stress_must("serial pass", stress_run(s, engine, &expected));
  bdag_engine_destroy(engine);
  return expected;
}
