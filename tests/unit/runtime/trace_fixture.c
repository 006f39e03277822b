/* Small networks and engines whose passes are traced. */
#include "trace_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { INPUTS = 16, NEURONS = 200, HIDDEN = 40, OUTPUTS = 4 };

static void finish(trace_fixture *f, const trace_wish *wish, uint32_t outputs,
                   const uint32_t *output) {
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, outputs, output, 1, 0};
  bdag_plan_options plan_options = BDAG_PLAN_OPTIONS_INIT;
  bdag_engine_options engine_options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_trace_options trace_options = BDAG_TRACE_OPTIONS_INIT;
  bdag_output list[OUTPUTS];
  for (uint32_t i = 0; i < outputs; i++) list[i] = (bdag_output){output[i], 0, 0};
  plan_options.granularity = wish->granularity;
  plan_options.accumulation_groups = wish->groups;
  engine_options.max_batch = f->batch = wish->batch;
  engine_options.axis = wish->axis;
  engine_options.deterministic = wish->deterministic;
  trace_options.records = wish->records;
  cr_assert_eq(bdag_network_set_outputs(f->network, outputs, list, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_loss(f->network, &term, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&f->plan, f->network, &plan_options, NULL), BDAG_OK);
  cr_assert_eq(bdag_weights_create(&f->weights, f->plan, f->network, BDAG_FLOAT32, NULL), BDAG_OK);
  cr_assert_eq(bdag_engine_create(&f->engine, f->plan, &engine_options, NULL), BDAG_OK);
  cr_assert_eq(bdag_trace_create(&f->trace, f->engine, &trace_options, NULL), BDAG_OK);
  const uint32_t inputs = bdag_plan_input_count(f->plan);
  f->x = calloc(wish->batch * inputs, sizeof *f->x);
  f->y = calloc(wish->batch * outputs, sizeof *f->y);
  f->targets = calloc(wish->batch * outputs, sizeof *f->targets);
  cr_assert(f->x != NULL && f->y != NULL && f->targets != NULL);
  for (uint64_t i = 0; i < wish->batch * inputs; i++) f->x[i] = (float)(i * 7 % 11) / 11 - 0.4f;
}

static void begin(trace_fixture *f, const trace_wish *wish) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  *f = (trace_fixture){NULL};
  options.threads = wish->threads;
  options.oversubscribe = 1;
  options.allocator = wish->allocator;
  cr_assert_eq(bdag_context_create(&f->context, &options, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_create(&f->network, f->context, NULL), BDAG_OK);
}

void fixture_diamond(trace_fixture *f, const trace_wish *wish) {
  static const uint32_t from[] = {0, 0, 1, 2}, to[] = {1, 2, 3, 3}, output = 3;
  static const double weights[] = {0.5, -0.5, 1, 2};
  bdag_activation activation = bdag_activation_default(BDAG_TANH);
  trace_wish own = *wish;
  own.granularity = BDAG_GRANULARITY_VERTEX;
  begin(f, wish);
  if (wish->functions != NULL)
    cr_assert_eq(bdag_context_register_activation(f->context, "own", wish->functions,
                                                  &activation.kind, NULL),
                 BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(f->network, 1, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(f->network, 3, &activation, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_edges(f->network, 4, from, to, weights, NULL, NULL), BDAG_OK);
  finish(f, &own, 1, &output);
}

void fixture_random(trace_fixture *f, const trace_wish *wish) {
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  uint32_t output[OUTPUTS], random = 12345;
  begin(f, wish);
  cr_assert_eq(bdag_network_add_inputs(f->network, INPUTS, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(f->network, NEURONS, &activation, NULL, NULL), BDAG_OK);
  for (uint32_t v = INPUTS; v < INPUTS + NEURONS; v++)
    for (uint32_t k = 0; k <= v % 9; k++) {
      random = random * 1664525u + 1013904223u;
      const uint32_t window = v < 60 ? v : 60, u = v - 1 - (random >> 16) % window;
      const double weight = (double)(random >> 8 & 255) / 512 - 0.25;
      cr_assert_eq(bdag_network_add_edges(f->network, 1, &u, &v, &weight, NULL, NULL), BDAG_OK);
    }
  for (uint32_t i = 0; i < OUTPUTS; i++) output[i] = INPUTS + NEURONS - 1 - i;
  finish(f, wish, OUTPUTS, output);
}

void fixture_dense(trace_fixture *f, const trace_wish *wish) {
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  uint32_t output[OUTPUTS];
  begin(f, wish);
  cr_assert_eq(bdag_network_add_inputs(f->network, INPUTS, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(f->network, HIDDEN + OUTPUTS, &activation, NULL, NULL),
               BDAG_OK);
  for (uint32_t v = INPUTS; v < INPUTS + HIDDEN + OUTPUTS; v++) {
    const int last = v >= INPUTS + HIDDEN;
    for (uint32_t u = last ? INPUTS : 0; u < (last ? INPUTS + HIDDEN : INPUTS); u++) {
      const double weight = (double)((u * 5 + v * 3) % 17) / 34 - 0.25;
      cr_assert_eq(bdag_network_add_edges(f->network, 1, &u, &v, &weight, NULL, NULL), BDAG_OK);
    }
  }
  for (uint32_t i = 0; i < OUTPUTS; i++) output[i] = INPUTS + HIDDEN + i;
  finish(f, wish, OUTPUTS, output);
}

void fixture_release(trace_fixture *f) {
  bdag_trace_destroy(f->trace);
  bdag_engine_destroy(f->engine);
  bdag_weights_release(f->weights);
  bdag_plan_release(f->plan);
  bdag_network_destroy(f->network);
  bdag_context_destroy(f->context);
  free(f->x);
  free(f->y);
  free(f->targets);
}

bdag_status fixture_step(trace_fixture *f, double *loss) {
  const bdag_status status = bdag_forward(f->engine, f->weights, f->batch, f->x, f->y);
  if (status != BDAG_OK) return status;
  return bdag_backward(f->engine, f->weights, f->targets, NULL, loss);
}
