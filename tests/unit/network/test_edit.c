/* Attributes, edits and outputs. */
#include "fixture.h"

#include "network/network_internal.h"

/* 0 1 inputs; 2 3 4 neurons; 5 constant; edges 0→2 1→3 5→4 2→4 3→4 */
static void begin(void) {
  set_up();
  const double one = 1.0;
  const uint32_t s[] = {0, 1, 5, 2, 3}, t[] = {2, 3, 4, 4, 4};
  const double w[] = {1, 2, 3, 4, 5};
  assert_ok(bdag_network_add_inputs(network, 2, NULL, &error));
  assert_ok(bdag_network_add_vertices(network, 3, NULL, NULL, &error));
  assert_ok(bdag_network_add_constants(network, 1, &one, NULL, &error));
  assert_ok(bdag_network_add_edges(network, 5, s, t, w, NULL, &error));
}
TestSuite(edit, .init = begin, .fini = tear_down);

static bdag_vertex vertex_of(uint32_t id) {
  bdag_vertex description;
  cr_assert_eq(bdag_network_get_vertex(network, id, &description), BDAG_OK);
  return description;
}

static uint8_t flags_of(uint64_t edge) {
  uint8_t flags;
  cr_assert_eq(bdag_network_get_edges(network, edge, 1, NULL, NULL, NULL, NULL, &flags), BDAG_OK);
  return flags;
}

static const uint32_t neuron_then_input[] = {2, 0};
static const uint32_t neuron_then_constant[] = {2, 5};
static const uint32_t neuron_then_unknown[] = {2, 6};
static const uint32_t two_neurons[] = {2, 4};

Test(edit, activations) {
  const bdag_activation good[] = {{BDAG_ELU, 2.0}, {BDAG_TANH, INFINITY}};
  assert_ok(bdag_network_set_activations(network, 2, two_neurons, good, &error));
  cr_assert_eq(vertex_of(2).activation.kind, BDAG_ELU);
  cr_assert_eq(vertex_of(2).activation.parameter, 2.0);
  cr_assert_eq(vertex_of(4).activation.kind, BDAG_TANH);
  cr_assert_eq(vertex_of(4).activation.parameter, 0.0);
  cr_assert_eq(vertex_of(3).activation.kind, BDAG_IDENTITY);

  const bdag_activation relu[] = {{BDAG_RELU, 0}, {BDAG_RELU, 0}};
  cr_assert_eq(bdag_network_set_activations(network, 2, neuron_then_input, relu, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  assert_message("vertex 0");
  cr_assert_eq(bdag_network_set_activations(network, 2, neuron_then_constant, relu, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_set_activations(network, 2, neuron_then_unknown, relu, &error),
               BDAG_ERROR_UNKNOWN_ID);
  const bdag_activation unknown[] = {{BDAG_RELU, 0}, {20, 0}};
  cr_assert_eq(bdag_network_set_activations(network, 2, two_neurons, unknown, &error),
               BDAG_ERROR_UNKNOWN_ID);
  const bdag_activation infinite[] = {{BDAG_RELU, 0}, {BDAG_ELU, NAN}};
  cr_assert_eq(bdag_network_set_activations(network, 2, two_neurons, infinite, &error),
               BDAG_ERROR_NOT_FINITE);
  cr_assert_eq(bdag_network_set_activations(network, 2, two_neurons, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_set_activations(network, 2, NULL, relu, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  assert_ok(bdag_network_set_activations(network, 0, NULL, NULL, &error));
  cr_assert_eq(vertex_of(2).activation.kind, BDAG_ELU);
}

Test(edit, biases) {
  const double values[] = {0.5, -1.0};
  assert_ok(bdag_network_set_biases(network, 2, two_neurons, values, &error));
  cr_assert_eq(vertex_of(2).bias, 0.5);
  cr_assert_eq(vertex_of(3).bias, 0.0);
  cr_assert_eq(vertex_of(4).bias, -1.0);
  const double bad[] = {3.0, NAN};
  cr_assert_eq(bdag_network_set_biases(network, 2, two_neurons, bad, &error),
               BDAG_ERROR_NOT_FINITE);
  assert_message("vertex 4");
  cr_assert_eq(bdag_network_set_biases(network, 2, neuron_then_input, values, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_set_biases(network, 2, neuron_then_unknown, values, &error),
               BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(vertex_of(2).bias, 0.5);
  const uint64_t none = BDAG_NONE;
  assert_ok(bdag_network_set_bias_parameters(network, 1, two_neurons + 1, &none, &error));
  cr_assert_eq(vertex_of(4).bias_parameter, BDAG_NONE);
  cr_assert_eq(vertex_of(4).bias, 0.0);
  cr_assert_eq(bdag_network_set_biases(network, 2, two_neurons, values, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  assert_message("no bias");
}

Test(edit, bias_parameters_may_be_shared) {
  const uint64_t shared[] = {0, 0};
  assert_ok(bdag_network_set_bias_parameters(network, 2, two_neurons, shared, &error));
  const double value = 2.5;
  assert_ok(bdag_network_set_biases(network, 1, two_neurons, &value, &error));
  cr_assert_eq(vertex_of(4).bias, 2.5);
  const uint64_t bad[] = {1, 8};
  cr_assert_eq(bdag_network_set_bias_parameters(network, 2, two_neurons, bad, &error),
               BDAG_ERROR_UNKNOWN_ID);
  assert_message("parameter 8");
  cr_assert_eq(vertex_of(2).bias_parameter, 0);
  cr_assert_eq(bdag_network_set_bias_parameters(network, 2, neuron_then_constant, shared, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_set_bias_parameters(network, 2, two_neurons, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
}

Test(edit, aggregations_and_responses) {
  const bdag_aggregation mean[] = {BDAG_MEAN, BDAG_MEAN};
  const double responses[] = {2.0, -0.5};
  assert_ok(bdag_network_set_aggregations(network, 2, two_neurons, mean, NULL, &error));
  cr_assert_eq(vertex_of(2).aggregation, BDAG_MEAN);
  cr_assert_eq(vertex_of(2).response, 1.0);
  assert_ok(bdag_network_set_aggregations(network, 2, two_neurons, NULL, responses, &error));
  cr_assert_eq(vertex_of(4).aggregation, BDAG_MEAN);
  cr_assert_eq(vertex_of(4).response, -0.5);
  assert_ok(bdag_network_set_aggregations(network, 2, two_neurons, NULL, NULL, &error));
  const bdag_aggregation bad[] = {BDAG_SUM, (bdag_aggregation)2};
  cr_assert_eq(bdag_network_set_aggregations(network, 2, two_neurons, bad, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  const double infinite[] = {1.0, INFINITY};
  cr_assert_eq(bdag_network_set_aggregations(network, 2, two_neurons, NULL, infinite, &error),
               BDAG_ERROR_NOT_FINITE);
  cr_assert_eq(bdag_network_set_aggregations(network, 2, neuron_then_input, mean, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(vertex_of(2).aggregation, BDAG_MEAN);
  cr_assert_eq(vertex_of(2).response, 2.0);
}

Test(edit, keys) {
  cr_assert_null(network->key);
  const int64_t keys[] = {-1, INT64_MAX};
  assert_ok(bdag_network_set_keys(network, 2, neuron_then_input, keys, &error));
  cr_assert_eq(vertex_of(2).key, -1);
  cr_assert_eq(vertex_of(0).key, INT64_MAX);
  cr_assert_eq(vertex_of(1).key, 1);
  assert_ok(bdag_network_add_vertices(network, 100, NULL, NULL, &error));
  cr_assert_eq(vertex_of(105).key, 105);
  cr_assert_eq(vertex_of(2).key, -1);
  cr_assert_eq(bdag_network_set_keys(network, 2, neuron_then_unknown, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  const uint32_t unknown = 106;
  cr_assert_eq(bdag_network_set_keys(network, 1, &unknown, keys, &error), BDAG_ERROR_UNKNOWN_ID);
}

Test(edit, edges_are_removed_for_good) {
  const uint64_t edges[] = {1, 3};
  assert_ok(bdag_network_remove_edges(network, 2, edges, &error));
  for (uint64_t e = 0; e < 5; e++) {
    cr_assert_eq(flags_of(e), e == 1 || e == 3 ? BDAG_EDGE_REMOVED : 0);
    cr_assert_eq(bdag_network_edge_active(network, e), e != 1 && e != 3);
  }
  const uint64_t again[] = {0, 3};
  cr_assert_eq(bdag_network_remove_edges(network, 2, again, &error), BDAG_ERROR_UNKNOWN_ID);
  assert_message("edge 3");
  cr_assert_eq(flags_of(0), 0);
  cr_assert_eq(bdag_network_enable_edges(network, 2, again, 0, &error), BDAG_ERROR_UNKNOWN_ID);
  const uint64_t beyond[] = {0, 5};
  cr_assert_eq(bdag_network_remove_edges(network, 2, beyond, &error), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(flags_of(0), 0);
  cr_assert_eq(bdag_network_remove_edges(network, 1, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
  assert_ok(bdag_network_remove_edges(network, 0, NULL, &error));
  /* Ids go on after those removed. */
  const uint32_t s = 0, t = 3;
  uint64_t first;
  assert_ok(bdag_network_add_edges(network, 1, &s, &t, NULL, &first, &error));
  cr_assert_eq(first, 5);
  cr_assert_eq(flags_of(5), 0);
}

Test(edit, edges_are_disabled_and_enabled) {
  const uint64_t edges[] = {0, 4};
  assert_ok(bdag_network_enable_edges(network, 2, edges, 1, &error));
  cr_assert_null(network->edge_flags);
  assert_ok(bdag_network_enable_edges(network, 2, edges, 0, &error));
  cr_assert_eq(flags_of(4), BDAG_EDGE_DISABLED);
  assert_ok(bdag_network_enable_edges(network, 1, edges, 5, &error));
  cr_assert_eq(flags_of(0), 0);
  cr_assert_eq(flags_of(4), BDAG_EDGE_DISABLED);
  assert_ok(bdag_network_remove_edges(network, 1, edges + 1, &error));
  cr_assert_eq(flags_of(4), BDAG_EDGE_DISABLED | BDAG_EDGE_REMOVED);
}

Test(edit, vertices_go_with_their_edges) {
  const uint32_t vertex = 3;
  assert_ok(bdag_network_remove_vertices(network, 1, &vertex, &error));
  cr_assert_eq(vertex_of(3).removed, 1);
  cr_assert_eq(vertex_of(2).removed, 0);
  for (uint64_t e = 0; e < 5; e++) {
    cr_assert_eq(flags_of(e), e == 1 || e == 4 ? BDAG_EDGE_REMOVED : 0);
  }
  cr_assert_eq(bdag_network_remove_vertices(network, 1, &vertex, &error), BDAG_ERROR_UNKNOWN_ID);
  const double bias = 1.0;
  cr_assert_eq(bdag_network_set_biases(network, 1, &vertex, &bias, &error), BDAG_ERROR_UNKNOWN_ID);
  uint32_t first;
  assert_ok(bdag_network_add_vertices(network, 1, NULL, &first, &error));
  cr_assert_eq(first, 6);
  cr_assert_eq(vertex_of(6).removed, 0);
}

Test(edit, a_removed_input_takes_its_column_along) {
  const uint32_t vertex = 0;
  assert_ok(bdag_network_remove_vertices(network, 1, &vertex, &error));
  cr_assert_eq(bdag_network_input_count(network), 1);
  cr_assert_eq(bdag_network_inputs(network)[0], 1);
  assert_ok(bdag_network_add_inputs(network, 1, NULL, &error));
  cr_assert_eq(bdag_network_inputs(network)[1], 6);
}

Test(edit, vertices_in_use_cannot_go) {
  const bdag_output output = {4, BDAG_READ_OUT_NONE, 0};
  const uint32_t in_loss[] = {2, 3};
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 2, in_loss, 1.0, 0.0};
  assert_ok(bdag_network_set_outputs(network, 1, &output, &error));
  assert_ok(bdag_network_add_loss(network, &term, &error));
  const uint32_t with_output[] = {0, 4}, with_loss[] = {0, 3};
  cr_assert_eq(bdag_network_remove_vertices(network, 2, with_output, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  assert_message("vertex 4 is output 0");
  cr_assert_eq(bdag_network_remove_vertices(network, 2, with_loss, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  assert_message("vertex 3 stands in loss term 0");
  const uint32_t unknown[] = {0, 60};
  cr_assert_eq(bdag_network_remove_vertices(network, 2, unknown, &error), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(vertex_of(0).removed, 0);
  cr_assert_eq(bdag_network_input_count(network), 2);
  bdag_network_clear_loss(network);
  assert_ok(bdag_network_remove_vertices(network, 2, with_loss, &error));
  cr_assert_eq(bdag_network_remove_vertices(network, 1, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
  assert_ok(bdag_network_remove_vertices(network, 0, NULL, &error));
}

Test(edit, parameters_are_overwritten) {
  const double values[] = {7.0, -0.0, 9.0};
  assert_ok(bdag_network_set_parameters(network, 2, 3, values, &error));
  double read[8];
  cr_assert_eq(bdag_network_get_parameters(network, 0, 8, read), BDAG_OK);
  const double expected[] = {0, 0, 7, -0.0, 9, 3, 4, 5};
  cr_assert_arr_eq(read, expected, sizeof expected);
  const double bad[] = {1.0, -INFINITY};
  cr_assert_eq(bdag_network_set_parameters(network, 0, 2, bad, &error), BDAG_ERROR_NOT_FINITE);
  assert_message("parameter 1");
  cr_assert_eq(bdag_network_set_parameters(network, 7, 2, values, &error), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_network_set_parameters(network, UINT64_MAX, 2, values, &error),
               BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_network_set_parameters(network, 0, 1, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_get_parameters(network, 0, 8, read), BDAG_OK);
  cr_assert_arr_eq(read, expected, sizeof expected);
}

Test(edit, outputs_replace_earlier_ones) {
  const bdag_output outputs[] = {
      {4, BDAG_READ_OUT_SOFTMAX, 7}, {0, BDAG_READ_OUT_NONE, 0}, {4, BDAG_READ_OUT_SIGMOID, 0}};
  assert_ok(bdag_network_set_outputs(network, 3, outputs, &error));
  cr_assert_eq(bdag_network_output_count(network), 3);
  cr_assert_arr_eq(bdag_network_outputs(network), outputs, sizeof outputs);
  const bdag_output unknown[] = {{2, 0, 0}, {9, 0, 0}}, strange[] = {{2, 3, 0}};
  cr_assert_eq(bdag_network_set_outputs(network, 2, unknown, &error), BDAG_ERROR_UNKNOWN_ID);
  assert_message("output 1");
  cr_assert_eq(bdag_network_set_outputs(network, 1, strange, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_set_outputs(network, 1, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_arr_eq(bdag_network_outputs(network), outputs, sizeof outputs);
  /* What a getter lends may be handed back. */
  assert_ok(bdag_network_set_outputs(network, 2, bdag_network_outputs(network) + 1, &error));
  cr_assert_arr_eq(bdag_network_outputs(network), outputs + 1, 2 * sizeof *outputs);
  assert_ok(bdag_network_set_outputs(network, 0, NULL, &error));
  cr_assert_eq(bdag_network_output_count(network), 0);
}

Test(edit, null_networks_are_refused) {
  const uint32_t vertex = 2;
  const uint64_t edge = 0, parameter = 0;
  const double value = 1.0;
  const int64_t key = 1;
  const bdag_activation relu = {BDAG_RELU, 0.0};
  const bdag_aggregation sum = BDAG_SUM;
  bdag_vertex description;
#define REFUSED(call) cr_assert_eq(call, BDAG_ERROR_INVALID_ARGUMENT)
  REFUSED(bdag_network_set_activations(NULL, 1, &vertex, &relu, &error));
  REFUSED(bdag_network_set_biases(NULL, 1, &vertex, &value, &error));
  REFUSED(bdag_network_set_bias_parameters(NULL, 1, &vertex, &parameter, &error));
  REFUSED(bdag_network_set_aggregations(NULL, 1, &vertex, &sum, NULL, &error));
  REFUSED(bdag_network_set_keys(NULL, 1, &vertex, &key, &error));
  REFUSED(bdag_network_remove_edges(NULL, 1, &edge, &error));
  REFUSED(bdag_network_remove_vertices(NULL, 1, &vertex, &error));
  REFUSED(bdag_network_enable_edges(NULL, 1, &edge, 1, &error));
  REFUSED(bdag_network_set_parameters(NULL, 0, 1, &value, &error));
  REFUSED(bdag_network_set_outputs(NULL, 0, NULL, &error));
  REFUSED(bdag_network_get_vertex(NULL, 0, &description));
  REFUSED(bdag_network_get_vertex(network, 0, NULL));
  REFUSED(bdag_network_get_edges(NULL, 0, 1, NULL, NULL, NULL, NULL, NULL));
  REFUSED(bdag_network_get_parameters(NULL, 0, 0, NULL));
  REFUSED(bdag_network_get_loss(NULL, 0, NULL, NULL, NULL));
#undef REFUSED
}
