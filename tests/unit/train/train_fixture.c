/* What the tests of trainers share. */
#include "train_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

fixture fixture_begin(uint32_t threads, const bdag_allocator *allocator) {
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  options.oversubscribe = 1;
  options.allocator = allocator;
  fixture made = {0};
  bdag_error error = {0};
  cr_assert_eq(bdag_context_create(&made.context, &options, &error), BDAG_OK, "%s", error.message);
  cr_assert_eq(bdag_network_create(&made.network, made.context, &error), BDAG_OK);
  return made;
}

void fixture_finish(fixture *made, bdag_type type) {
  bdag_error error = {0};
  cr_assert_eq(bdag_plan_create(&made->plan, made->network, NULL, &error), BDAG_OK, "%s",
               error.message);
  cr_assert_eq(bdag_weights_create(&made->weights, made->plan, made->network, type, &error),
               BDAG_OK, "%s", error.message);
}

void fixture_end(fixture *made) {
  bdag_weights_release(made->weights);
  bdag_plan_release(made->plan);
  bdag_network_destroy(made->network);
  bdag_context_destroy(made->context);
}

uint32_t fixture_neurons(fixture *made, uint32_t count, uint32_t kind) {
  const bdag_activation activation = bdag_activation_default(kind);
  uint32_t first = 0;
  cr_assert_eq(bdag_network_add_vertices(made->network, count, &activation, &first, NULL), BDAG_OK);
  return first;
}

void fixture_edges(fixture *made, uint64_t count, const edge_spec *edges, const double *weights) {
  for (uint64_t e = 0; e < count; e++)
    cr_assert_eq(bdag_network_add_edges(made->network, 1, &edges[e].source, &edges[e].target,
                                        weights == NULL ? NULL : &weights[e], NULL, NULL),
                 BDAG_OK);
}

void fixture_loss(fixture *made, uint32_t kind, uint32_t count, const uint32_t *vertices) {
  const bdag_loss_term term = {kind, count, vertices, 1.0, 1.0};
  cr_assert_eq(bdag_network_add_loss(made->network, &term, NULL), BDAG_OK);
}

fixture fixture_linear(bdag_type type) {
  fixture made = fixture_begin(1, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
  const uint32_t y = fixture_neurons(&made, 1, BDAG_IDENTITY);
  fixture_edges(&made, 2, (const edge_spec[]){{0, y}, {1, y}}, (const double[]){0.5, -0.25});
  cr_assert_eq(bdag_network_set_biases(made.network, 1, &y, (const double[]){0.125}, NULL),
               BDAG_OK);
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, &y);
  fixture_finish(&made, type);
  return made;
}

fixture fixture_small(bdag_type type, uint32_t threads) {
  static const edge_spec edges[] = {{0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}, {0, 4}, {1, 4},
                                    {2, 4}, {3, 4}, {0, 5}, {1, 5}, {2, 5}, {3, 5}, {4, 5}};
  fixture made = fixture_begin(threads, NULL);
  cr_assert_eq(bdag_network_add_inputs(made.network, 2, NULL, NULL), BDAG_OK);
  fixture_neurons(&made, 3, BDAG_TANH);
  const uint32_t y = fixture_neurons(&made, 1, BDAG_IDENTITY);
  fixture_edges(&made, sizeof edges / sizeof *edges, edges, NULL);
  fixture_loss(&made, BDAG_MEAN_SQUARED_ERROR, 1, &y);
  fixture_finish(&made, type);
  cr_assert_eq(
      bdag_weights_initialize(made.weights, made.network, BDAG_INIT_GLOROT_NORMAL, 3, NULL),
      BDAG_OK);
  return made;
}

uint64_t fixture_parameters(const fixture *made) {
  return bdag_network_parameter_count(made->network);
}

double *fixture_values(const fixture *made) {
  const uint64_t count = fixture_parameters(made);
  double *const values = malloc((count + 1) * sizeof *values);
  cr_assert_eq(bdag_weights_read(made->weights, 0, count, values), BDAG_OK);
  return values;
}

void fixture_set_values(fixture *made, const double *values) {
  cr_assert_eq(bdag_weights_write(made->weights, 0, fixture_parameters(made), values), BDAG_OK);
}

bdag_array fixture_array(const void *data, bdag_type type, ptrdiff_t columns) {
  return (bdag_array){(void *)(uintptr_t)data, type, columns, 1};
}
