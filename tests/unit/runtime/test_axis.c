/* What AUTO chooses on machines of several sizes, and tiles that are made narrow for it. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/context_internal.h"
#include "runtime/trace_internal.h"

/* ---- Networks ------------------------------------------------------------------------------------ */

typedef struct edges {
  uint32_t *source, *target, count;
} edges;

static void add_edge(edges *list, uint32_t source, uint32_t target) {
  list->source[list->count] = source;
  list->target[list->count++] = target;
}

static edges edges_for(uint64_t most) {
  return (edges){malloc(most * sizeof(uint32_t)), malloc(most * sizeof(uint32_t)), 0};
}

/* The network goes to *made, unless NULL. */
static bdag_plan *plan_of(bdag_context *context, uint32_t inputs, uint32_t vertices, edges *list,
                          bdag_network **made) {
  const bdag_activation activation = bdag_activation_default(BDAG_TANH);
  const uint32_t output = vertices - 1;
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 1, &output, 1, 0};
  bdag_network *network;
  bdag_plan *plan;
  cr_assert_eq(bdag_network_create(&network, context, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_inputs(network, inputs, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_add_vertices(network, vertices - inputs, &activation, NULL, NULL),
               BDAG_OK);
  cr_assert_eq(
      bdag_network_add_edges(network, list->count, list->source, list->target, NULL, NULL, NULL),
      BDAG_OK);
  cr_assert_eq(bdag_network_add_loss(network, &term, NULL), BDAG_OK);
  cr_assert_eq(bdag_plan_create(&plan, network, NULL, NULL), BDAG_OK);
  if (made != NULL)
    *made = network;
  else
    bdag_network_destroy(network);
  free(list->source);
  free(list->target);
  return plan;
}

/* Layers of 256, each reading all of the one before. */
static bdag_plan *layered(bdag_context *context, bdag_network **network) {
  enum { WIDTH = 256, LAYERS = 9 };
  edges list = edges_for((LAYERS - 1) * WIDTH * WIDTH);
  for (uint32_t v = WIDTH; v < LAYERS * WIDTH; v++)
    for (uint32_t u = v / WIDTH * WIDTH - WIDTH; u < v / WIDTH * WIDTH; u++) add_edge(&list, u, v);
  return plan_of(context, WIDTH, LAYERS * WIDTH, &list, network);
}

/* Each neuron reads 12 out of the 2000 before it, and the last one all that nobody else does. */
static bdag_plan *irregular(bdag_context *context) {
  enum { INPUTS = 100, VERTICES = 30000, DEGREE = 12 };
  edges list = edges_for((uint64_t)(DEGREE + 1) * VERTICES);
  uint8_t *read = calloc(VERTICES, 1);
  uint32_t random = 1;
  for (uint32_t v = INPUTS; v < VERTICES - 1; v++)
    for (int k = 0; k < DEGREE; k++) {
      random = random * 1664525u + 1013904223u;
      const uint32_t window = v < 2000 ? v : 2000, u = v - 1 - (random >> 8) % window;
      add_edge(&list, u, v);
      read[u] = 1;
    }
  for (uint32_t u = 0; u < VERTICES - 1; u++)
    if (!read[u]) add_edge(&list, u, VERTICES - 1);
  free(read);
  return plan_of(context, INPUTS, VERTICES, &list, NULL);
}

/* As on a machine with so many processors. */
static bdag_context *context_of(uint32_t processors) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  bdag_context *context;
  options.threads = processors;
  options.oversubscribe = 1;
  cr_assert_eq(bdag_context_create(&context, &options, NULL), BDAG_OK);
  context->machine.processors = processors;
  context->machine.cores = processors;
  context->machine.quota = UINT32_MAX;
  return context;
}

/* ---- Axes ---------------------------------------------------------------------------------------- */

static bdag_engine *engine_of(bdag_plan *plan, uint64_t batch, bdag_axis axis, int deterministic) {
  bdag_engine_options options = BDAG_ENGINE_OPTIONS_INIT;
  bdag_engine *engine;
  options.max_batch = batch;
  options.axis = axis;
  options.deterministic = deterministic;
  cr_assert_eq(bdag_engine_create(&engine, plan, &options, NULL), BDAG_OK);
  return engine;
}

static bdag_axis axis_of(bdag_plan *plan, uint64_t batch) {
  bdag_engine *engine = engine_of(plan, batch, BDAG_AXIS_AUTO, 0);
  bdag_engine_info info = {.size = sizeof info};
  cr_assert_eq(bdag_engine_describe(engine, &info), BDAG_OK);
  bdag_engine_destroy(engine);
  return info.axis;
}

/* Few tiles are not enough for many threads, nor are the tasks of a layer. */
Test(axis, both_for_few_tiles_and_many_threads) {
  bdag_context *few = context_of(4), *many = context_of(16);
  bdag_plan *on_few = layered(few, NULL), *on_many = layered(many, NULL);
  cr_expect_eq(axis_of(on_few, 256), BDAG_AXIS_TILES);
  cr_expect_eq(axis_of(on_many, 256), BDAG_AXIS_BOTH);
  cr_expect_eq(axis_of(on_many, 64), BDAG_AXIS_VERTICES);
  cr_expect_eq(axis_of(on_many, 4096), BDAG_AXIS_TILES);
  bdag_plan_release(on_few);
  bdag_plan_release(on_many);
  bdag_context_destroy(few);
  bdag_context_destroy(many);
}

/* What was chosen is what the pass takes, with some groups of tiles of the same task on several threads. */
Test(axis, both_is_taken_and_traced) {
  bdag_context *context = context_of(16);
  bdag_network *network;
  bdag_plan *plan = layered(context, &network);
  bdag_engine *engine = engine_of(plan, 256, BDAG_AXIS_AUTO, 0);
  float *x = calloc(256 * 256, sizeof *x), *targets = calloc(256, sizeof *targets);
  bdag_weights *weights;
  bdag_trace *trace;
  bdag_trace_pass pass;
  double loss;
  cr_assert_eq(bdag_weights_create(&weights, plan, network, BDAG_FLOAT32, NULL), BDAG_OK);
  cr_assert_eq(bdag_trace_create(&trace, engine, NULL, NULL), BDAG_OK);
  cr_assert_eq(bdag_forward(engine, weights, 256, x, NULL), BDAG_OK);
  cr_assert_eq(bdag_backward(engine, weights, targets, NULL, &loss), BDAG_OK);
  for (uint32_t p = 0; p < 2; p++) {
    uint64_t pieces = 0;
    bdag_trace_record record;
    cr_assert_eq(bdag_trace_get_pass(trace, p, &pass), BDAG_OK);
    cr_expect_eq(pass.axis, BDAG_AXIS_BOTH);
    for (uint64_t i = 0; bdag_trace_get_record(trace, i, &record) == BDAG_OK; i++)
      pieces += record.pass == p && record.task == 0;
    cr_expect_eq(pieces, 4);
  }
  bdag_trace_destroy(trace);
  bdag_engine_destroy(engine);
  bdag_weights_release(weights);
  bdag_network_destroy(network);
  bdag_plan_release(plan);
  bdag_context_destroy(context);
  free(x);
  free(targets);
}

/* ---- Narrow tiles -------------------------------------------------------------------------------- */

static uint32_t tile_of(bdag_plan *plan, uint64_t batch, bdag_axis axis, int deterministic) {
  bdag_engine *engine = engine_of(plan, batch, axis, deterministic);
  const uint32_t tile = bdag_engine_tile(engine);
  bdag_engine_destroy(engine);
  return tile;
}

/* One tile whose sums may not be cut: its vertices are shared out, and its lanes where there are no sums. */
Test(axis, one_tile_where_sums_may_not_depend_on_threads) {
  bdag_context *one = context_of(1), *two = context_of(2);
  bdag_plan *alone = irregular(one), *plan = irregular(two);
  bdag_engine *engine = engine_of(plan, 64, BDAG_AXIS_AUTO, 1);
  cr_expect_eq(bdag_engine_choose_axis(engine, 1, 0), BDAG_AXIS_TILES);
  cr_expect(bdag_engine_cuts(engine, 1, 2));
  cr_expect_eq(bdag_engine_choose_axis(engine, 1, 1), BDAG_AXIS_VERTICES);
  cr_expect_gt(engine->stages[0].count, 1);
  cr_expect_gt(engine->stages[1].count, 1);
  bdag_engine_destroy(engine);
  engine = engine_of(alone, 64, BDAG_AXIS_AUTO, 1);
  cr_expect_eq(bdag_engine_choose_axis(engine, 1, 1), BDAG_AXIS_SERIAL);
  bdag_engine_destroy(engine);
  bdag_plan_release(alone);
  bdag_plan_release(plan);
  bdag_context_destroy(one);
  bdag_context_destroy(two);
}

Test(axis, narrow_tiles_for_two_threads) {
  bdag_context *one = context_of(1), *two = context_of(2);
  bdag_plan *alone = irregular(one), *plan = irregular(two), *dense = layered(two, NULL);
  cr_expect_eq(tile_of(plan, 64, BDAG_AXIS_AUTO, 0), 32);
  cr_expect_eq(axis_of(plan, 64), BDAG_AXIS_TILES);
  cr_expect_eq(tile_of(plan, 64, BDAG_AXIS_TILES, 0), 32);
  cr_expect_eq(tile_of(plan, 40, BDAG_AXIS_AUTO, 0), 32);
  /* no more threads, sums that may not depend on their number, or enough tiles */
  cr_expect_eq(tile_of(alone, 64, BDAG_AXIS_AUTO, 0), 64);
  cr_expect_eq(tile_of(plan, 64, BDAG_AXIS_SERIAL, 0), 64);
  cr_expect_eq(tile_of(plan, 64, BDAG_AXIS_VERTICES, 0), 64);
  cr_expect_eq(tile_of(plan, 64, BDAG_AXIS_AUTO, 1), 64);
  cr_expect_eq(tile_of(plan, 128, BDAG_AXIS_AUTO, 0), 64);
  cr_expect_eq(tile_of(dense, 64, BDAG_AXIS_AUTO, 0), 64);
  bdag_plan_release(alone);
  bdag_plan_release(plan);
  bdag_plan_release(dense);
  bdag_context_destroy(one);
  bdag_context_destroy(two);
}
