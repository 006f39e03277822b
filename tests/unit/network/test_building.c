/* Vertices, edges and parameters: ids, checks, all or nothing. */
#include "fixture.h"

#include "network/network_internal.h"

TestSuite(building, .init = set_up, .fini = tear_down);

static bdag_vertex vertex_of(uint32_t id) {
  bdag_vertex description;
  cr_assert_eq(bdag_network_get_vertex(network, id, &description), BDAG_OK);
  return description;
}

Test(building, an_empty_network) {
  cr_assert_eq(bdag_network_vertex_count(network), 0);
  cr_assert_eq(bdag_network_edge_count(network), 0);
  cr_assert_eq(bdag_network_parameter_count(network), 0);
  cr_assert_eq(bdag_network_input_count(network), 0);
  cr_assert_eq(bdag_network_output_count(network), 0);
  cr_assert_eq(bdag_network_loss_count(network), 0);
  cr_assert_eq(bdag_network_target_count(network), 0);
  cr_assert_eq(bdag_network_get_normalization(network), BDAG_NORMALIZE_WEIGHTS);
  cr_assert_eq(bdag_network_context(network), context);
  bdag_vertex description;
  cr_assert_eq(bdag_network_get_vertex(network, 0, &description), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_network_get_edges(network, 0, 0, NULL, NULL, NULL, NULL, NULL), BDAG_OK);
  bdag_network_destroy(NULL);
  bdag_network *none;
  cr_assert_eq(bdag_network_create(NULL, context, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_create(&none, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
}

Test(building, vertices_get_consecutive_ids) {
  uint32_t first;
  assert_ok(bdag_network_add_inputs(network, 3, &first, &error));
  cr_assert_eq(first, 0);
  const double values[] = {0.5, -2.0};
  assert_ok(bdag_network_add_constants(network, 2, values, &first, &error));
  cr_assert_eq(first, 3);
  const bdag_activation leaky = {BDAG_LEAKY_RELU, 0.25};
  assert_ok(bdag_network_add_vertices(network, 4, &leaky, &first, &error));
  cr_assert_eq(first, 5);
  assert_ok(bdag_network_add_inputs(network, 1, NULL, &error));
  assert_ok(bdag_network_add_vertices(network, 1, NULL, NULL, &error));
  cr_assert_eq(bdag_network_vertex_count(network), 11);
  cr_assert_eq(bdag_network_parameter_count(network), 5);
  cr_assert_eq(bdag_network_input_count(network), 4);
  const uint32_t inputs[] = {0, 1, 2, 9};
  cr_assert_arr_eq(bdag_network_inputs(network), inputs, sizeof inputs);

  const bdag_vertex input = vertex_of(1), constant = vertex_of(4), neuron = vertex_of(6);
  cr_assert_eq(input.kind, BDAG_VERTEX_INPUT);
  cr_assert_eq(input.activation.kind, BDAG_IDENTITY);
  cr_assert_eq(input.bias_parameter, BDAG_NONE);
  cr_assert_eq(input.key, 1);
  cr_assert_eq(constant.kind, BDAG_VERTEX_CONSTANT);
  cr_assert_eq(constant.value, -2.0);
  cr_assert_eq(constant.activation.parameter, 0.0);
  cr_assert_eq(constant.bias_parameter, BDAG_NONE);
  cr_assert_eq(neuron.kind, BDAG_VERTEX_NEURON);
  cr_assert_eq(neuron.removed, 0);
  cr_assert_eq(neuron.activation.kind, BDAG_LEAKY_RELU);
  cr_assert_eq(neuron.activation.parameter, 0.25);
  cr_assert_eq(neuron.aggregation, BDAG_SUM);
  cr_assert_eq(neuron.response, 1.0);
  cr_assert_eq(neuron.value, 0.0);
  cr_assert_eq(neuron.bias_parameter, 1);
  cr_assert_eq(neuron.bias, 0.0);
  cr_assert_eq(vertex_of(10).activation.kind, BDAG_IDENTITY);
  cr_assert_eq(vertex_of(10).bias_parameter, 4);
}

Test(building, bad_vertices_are_refused) {
  uint32_t first = 77;
  cr_assert_eq(bdag_network_add_inputs(network, 0, &first, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_inputs(NULL, 1, &first, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_constants(NULL, 1, NULL, &first, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_vertices(NULL, 1, NULL, &first, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_constants(network, 1, NULL, &first, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_vertices(network, 0, NULL, &first, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  const double values[] = {1.0, NAN, INFINITY};
  cr_assert_eq(bdag_network_add_constants(network, 3, values, &first, &error),
               BDAG_ERROR_NOT_FINITE);
  assert_message("constant 1");
  static const struct {
    bdag_activation activation;
    bdag_status status;
  } bad[] = {
      {{15, 0.0}, BDAG_ERROR_UNKNOWN_ID},
      {{31, 0.0}, BDAG_ERROR_UNKNOWN_ID},
      {{50, 0.0}, BDAG_ERROR_UNKNOWN_ID},
      {{UINT32_MAX, 0.0}, BDAG_ERROR_UNKNOWN_ID},
      {{BDAG_ACTIVATION_REGISTERED, 0.0}, BDAG_ERROR_UNKNOWN_ID},
      {{BDAG_ELU, NAN}, BDAG_ERROR_NOT_FINITE},
      {{BDAG_LEAKY_RELU, -INFINITY}, BDAG_ERROR_NOT_FINITE},
      {{BDAG_CLIPPED_RELU, 0.0}, BDAG_ERROR_INVALID_ARGUMENT},
      {{BDAG_CLIPPED_RELU, -1.0}, BDAG_ERROR_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    cr_assert_eq(bdag_network_add_vertices(network, 2, &bad[i].activation, &first, &error),
                 bad[i].status, "%d", (int)i);
  }
  cr_assert_eq(first, 77);
  cr_assert_eq(bdag_network_vertex_count(network), 0);
  cr_assert_eq(bdag_network_parameter_count(network), 0);
  /* A parameter that the kind does not have is ignored, whatever it is. */
  const bdag_activation relu = {BDAG_RELU, NAN};
  assert_ok(bdag_network_add_vertices(network, 1, &relu, &first, &error));
  cr_assert_eq(vertex_of(first).activation.parameter, 0.0);
}

Test(building, vertex_ids_never_reach_the_end) {
  static const double values[1];
  assert_ok(bdag_network_add_inputs(network, 1, NULL, &error));
  cr_assert_eq(bdag_network_add_inputs(network, UINT32_MAX, NULL, &error), BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_network_add_vertices(network, UINT32_MAX, NULL, NULL, &error),
               BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_network_reserve(network, UINT32_MAX, 0, &error), BDAG_ERROR_LIMIT);
  assert_ok(bdag_network_add_constants(network, 1, values, NULL, &error));
  cr_assert_eq(bdag_network_vertex_count(network), 2);
}

static void three_layers(void) {
  assert_ok(bdag_network_add_inputs(network, 2, NULL, &error));         /* 0 1 */
  assert_ok(bdag_network_add_vertices(network, 3, NULL, NULL, &error)); /* 2 3 4 */
  const double one = 1.0;
  assert_ok(bdag_network_add_constants(network, 1, &one, NULL, &error)); /* 5 */
}

Test(building, edges_get_parameters_of_their_own) {
  three_layers();
  const uint32_t sources[] = {0, 1, 5, 2, 0, 0}, targets[] = {2, 3, 4, 4, 4, 4};
  const double weights[] = {0.5, -1.5, 2.0, -0.0, 1e300, 5e-324};
  uint64_t first;
  assert_ok(bdag_network_add_edges(network, 6, sources, targets, weights, &first, &error));
  cr_assert_eq(first, 0);
  assert_ok(bdag_network_add_edges(network, 1, sources, targets, NULL, &first, &error));
  cr_assert_eq(first, 6);
  cr_assert_eq(bdag_network_edge_count(network), 7);
  cr_assert_eq(bdag_network_parameter_count(network), 10);
  uint32_t s[7], t[7];
  uint64_t p[7];
  double w[7];
  uint8_t f[7];
  memset(f, 0xFF, sizeof f);
  cr_assert_eq(bdag_network_get_edges(network, 0, 7, s, t, p, w, f), BDAG_OK);
  cr_assert_arr_eq(s, sources, sizeof sources);
  cr_assert_arr_eq(t, targets, sizeof targets);
  cr_assert_arr_eq(w, weights, sizeof weights);
  cr_assert(signbit(w[3]));
  cr_assert_eq(w[6], 0.0);
  for (uint64_t e = 0; e < 7; e++) {
    cr_assert_eq(p[e], 3 + e);
    cr_assert_eq(f[e], 0);
  }
  cr_assert_eq(network->run_count, 1, "consecutive additions make one run");
}

Test(building, negative_zero_is_a_value) {
  three_layers();
  const uint32_t source = 0, target = 2;
  const double weight = -0.0;
  double read = 1.0;
  assert_ok(bdag_network_add_edges(network, 1, &source, &target, &weight, NULL, &error));
  cr_assert_eq(bdag_network_get_edges(network, 0, 1, NULL, NULL, NULL, &read, NULL), BDAG_OK);
  cr_assert(read == 0.0 && signbit(read));
}

Test(building, zero_weights_need_no_memory_of_their_own) {
  three_layers();
  const uint32_t source = 0, target = 2;
  const double zero = 0.0, one = 1.0;
  assert_ok(bdag_network_add_edges(network, 1, &source, &target, &zero, NULL, &error));
  assert_ok(bdag_network_add_parameters(network, 1, NULL, NULL, &error));
  cr_assert_null(network->value);
  assert_ok(bdag_network_add_edges(network, 1, &source, &target, &one, NULL, &error));
  cr_assert_not_null(network->value);
  double values[6];
  cr_assert_eq(bdag_network_get_parameters(network, 0, 6, values), BDAG_OK);
  for (int i = 0; i < 5; i++) cr_assert_eq(values[i], 0.0);
  cr_assert_eq(values[5], 1.0);
  assert_ok(bdag_network_add_vertices(network, 1, NULL, NULL, &error));
  assert_ok(bdag_network_add_edges(network, 1, &source, &target, NULL, NULL, &error));
  double last[2] = {9.0, 9.0};
  cr_assert_eq(bdag_network_get_parameters(network, 6, 2, last), BDAG_OK);
  cr_assert(last[0] == 0.0 && last[1] == 0.0);
}

Test(building, bad_edges_are_refused_as_a_whole) {
  three_layers();
  assert_ok(bdag_network_add_vertices(network, 1, NULL, NULL, &error)); /* 6 */
  const uint32_t gone = 6;
  assert_ok(bdag_network_remove_vertices(network, 1, &gone, &error));
  static const struct {
    uint32_t source, target;
    double weight;
    bdag_status status;
    const char *message;
  } bad[] = {
      {0, 1, 1.0, BDAG_ERROR_INVALID_ARGUMENT,
       "edge 1 of this call, 0 -> 1: its target is an input"},
      {0, 5, 1.0, BDAG_ERROR_INVALID_ARGUMENT, "0 -> 5: its target is a constant"},
      {3, 3, 1.0, BDAG_ERROR_CYCLE, "3 -> 3, is a self-loop"},
      {7, 3, 1.0, BDAG_ERROR_UNKNOWN_ID, "7 -> 3: its source does not exist"},
      {0, 7, 1.0, BDAG_ERROR_UNKNOWN_ID, "0 -> 7: its target does not exist"},
      {6, 3, 1.0, BDAG_ERROR_UNKNOWN_ID, "6 -> 3: its source was removed"},
      {0, 6, 1.0, BDAG_ERROR_UNKNOWN_ID, "0 -> 6: its target was removed"},
      {UINT32_MAX, 3, 1.0, BDAG_ERROR_UNKNOWN_ID, "4294967295 -> 3"},
      {0, 3, NAN, BDAG_ERROR_NOT_FINITE, "edge 1 of this call, 0 -> 3: its weight"},
      {0, 3, INFINITY, BDAG_ERROR_NOT_FINITE, "edge 1"},
      {0, 3, -INFINITY, BDAG_ERROR_NOT_FINITE, "edge 1"},
  };
  const uint64_t parameters = bdag_network_parameter_count(network);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const uint32_t sources[] = {0, bad[i].source, 1}, targets[] = {2, bad[i].target, 2};
    const double weights[] = {1.0, bad[i].weight, 1.0};
    uint64_t first = 99;
    cr_assert_eq(bdag_network_add_edges(network, 3, sources, targets, weights, &first, &error),
                 bad[i].status, "%d", (int)i);
    assert_message(bad[i].message);
    cr_assert_eq(first, 99);
  }
  const uint32_t vertex = 0, target = 2;
  cr_assert_eq(bdag_network_add_edges(network, 0, &vertex, &target, NULL, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_edges(network, 1, NULL, &target, NULL, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_edges(network, 1, &vertex, NULL, NULL, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_add_edges(NULL, 1, &vertex, &target, NULL, NULL, NULL),
               BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_edge_count(network), 0);
  cr_assert_eq(bdag_network_parameter_count(network), parameters);
}

Test(building, tied_edges_name_their_parameters) {
  three_layers(); /* parameters 0 1 2 are biases */
  const double values[] = {0.25, 0.5, 0.75};
  uint64_t first;
  assert_ok(bdag_network_add_parameters(network, 3, values, &first, &error));
  cr_assert_eq(first, 3);
  const uint32_t s[] = {0, 1, 0, 1}, t[] = {2, 2, 3, 3};
  assert_ok(bdag_network_add_edges(network, 2, s, t, NULL, NULL, &error));
  const uint64_t tied[] = {4, 3, 4, 0};
  assert_ok(bdag_network_add_tied_edges(network, 4, s, t, tied, &first, &error));
  cr_assert_eq(first, 2);
  const uint64_t consecutive[] = {3, 4};
  assert_ok(bdag_network_add_tied_edges(network, 2, s, t, consecutive, NULL, &error));
  const uint64_t next[] = {5};
  assert_ok(bdag_network_add_tied_edges(network, 1, s, t, next, NULL, &error));
  assert_ok(bdag_network_add_edges(network, 2, s, t, values, NULL, &error));
  const uint64_t expected[] = {6, 7, 4, 3, 4, 0, 3, 4, 5, 8, 9};
  const double weights[] = {0, 0, 0.5, 0.25, 0.5, 0, 0.25, 0.5, 0.75, 0.25, 0.5};
  uint64_t p[11];
  double w[11];
  for (uint64_t from = 0; from < 11; from++) {
    for (uint64_t count = 0; from + count <= 11; count++) {
      cr_assert_eq(bdag_network_get_edges(network, from, count, NULL, NULL, p, w, NULL), BDAG_OK);
      for (uint64_t i = 0; i < count; i++) {
        cr_assert_eq(p[i], expected[from + i]);
        cr_assert_eq(w[i], weights[from + i]);
      }
    }
    cr_assert_eq(bdag_network_edge_parameter(network, from), expected[from]);
  }
  cr_assert_eq(bdag_network_parameter_count(network), 10);
}

Test(building, bad_tied_edges_are_refused) {
  three_layers();
  const uint32_t s[] = {0, 1}, t[] = {2, 2};
  const uint64_t parameters[] = {2, 3};
  cr_assert_eq(bdag_network_add_tied_edges(network, 2, s, t, parameters, NULL, &error),
               BDAG_ERROR_UNKNOWN_ID);
  assert_message("edge 1 of this call, 1 -> 2: parameter 3");
  cr_assert_eq(bdag_network_add_tied_edges(network, 2, s, t, NULL, NULL, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  const uint64_t none = BDAG_NONE;
  cr_assert_eq(bdag_network_add_tied_edges(network, 1, s, t, &none, NULL, &error),
               BDAG_ERROR_UNKNOWN_ID);
  const uint64_t first = 0;
  cr_assert_eq(bdag_network_add_tied_edges(network, 1, s, s, &first, NULL, &error),
               BDAG_ERROR_CYCLE);
  cr_assert_eq(bdag_network_edge_count(network), 0);
}

Test(building, bad_parameters_are_refused) {
  const double values[] = {0.0, NAN};
  uint64_t first = 5;
  cr_assert_eq(bdag_network_add_parameters(network, 2, values, &first, &error),
               BDAG_ERROR_NOT_FINITE);
  assert_message("parameter 1");
  cr_assert_eq(bdag_network_add_parameters(network, 0, values, &first, &error),
               BDAG_ERROR_INVALID_ARGUMENT);
  assert_ok(bdag_network_add_parameters(network, 1, NULL, &first, &error));
  cr_assert_eq(bdag_network_add_parameters(network, UINT64_MAX - 1, NULL, &first, &error),
               BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_network_parameter_count(network), 1);
  double value;
  cr_assert_eq(bdag_network_get_parameters(network, 0, 2, &value), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_network_get_parameters(network, 1, 1, &value), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_network_get_parameters(network, UINT64_MAX, 2, &value), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(bdag_network_get_parameters(network, 1, 0, NULL), BDAG_OK);
  cr_assert_eq(bdag_network_get_parameters(network, 0, 1, NULL), BDAG_ERROR_INVALID_ARGUMENT);
}

/* Without memory for their values: so many parameters fit as long as all are 0. */
Test(building, parameter_ids_never_reach_none) {
  assert_ok(bdag_network_add_parameters(network, UINT64_MAX - 1, NULL, NULL, &error));
  cr_assert_eq(bdag_network_parameter_count(network), UINT64_MAX - 1);
  cr_assert_eq(bdag_network_add_parameters(network, 1, NULL, NULL, &error), BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_network_add_vertices(network, 1, NULL, NULL, &error), BDAG_ERROR_LIMIT);
  assert_ok(bdag_network_add_inputs(network, 1, NULL, &error));
  const double one = 1.0;
  cr_assert_eq(bdag_network_set_parameters(network, 0, 1, &one, &error), BDAG_ERROR_OUT_OF_MEMORY);
}

Test(building, edge_ranges_are_checked) {
  three_layers();
  const uint32_t s[] = {0, 1}, t[] = {2, 2};
  assert_ok(bdag_network_add_edges(network, 2, s, t, NULL, NULL, &error));
  uint32_t sources[3];
#define GET(first, count)                                                                          \
  bdag_network_get_edges(network, first, count, sources, NULL, NULL, NULL, NULL)
  cr_assert_eq(GET(0, 2), BDAG_OK);
  cr_assert_eq(GET(2, 0), BDAG_OK);
  cr_assert_eq(GET(0, 3), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(GET(2, 1), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(GET(3, 0), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(GET(1, UINT64_MAX), BDAG_ERROR_UNKNOWN_ID);
  cr_assert_eq(GET(UINT64_MAX, 1), BDAG_ERROR_UNKNOWN_ID);
#undef GET
}

Test(building, reserve_spares_reallocations) {
  assert_ok(bdag_network_reserve(network, 1000, 5000, &error));
  assert_ok(bdag_network_add_inputs(network, 1, NULL, &error));
  const uint64_t before = counter.requests;
  assert_ok(bdag_network_add_vertices(network, 999, NULL, NULL, &error));
  static uint32_t s[5000], t[5000];
  static double w[5000];
  for (uint32_t i = 0; i < 5000; i++) {
    s[i] = 0;
    t[i] = 1 + i % 999;
    w[i] = i;
  }
  for (uint32_t i = 0; i < 5000; i += 100) {
    assert_ok(bdag_network_add_edges(network, 100, s + i, t + i, w + i, NULL, &error));
  }
  cr_assert_leq(counter.requests, before + 2); /* the values and the first run */
}

Test(building, reserve_after_values_exist) {
  three_layers();
  const uint32_t s = 0, t = 2;
  const double w = 3.0;
  assert_ok(bdag_network_add_edges(network, 1, &s, &t, &w, NULL, &error));
  assert_ok(bdag_network_reserve(network, 10, 100, &error));
  const uint64_t before = counter.requests;
  for (int i = 0; i < 100; i++) {
    assert_ok(bdag_network_add_edges(network, 1, &s, &t, &w, NULL, &error));
  }
  cr_assert_eq(counter.requests, before);
  double weight;
  cr_assert_eq(bdag_network_get_edges(network, 0, 1, NULL, NULL, NULL, &weight, NULL), BDAG_OK);
  cr_assert_eq(weight, 3.0);
}

Test(building, impossible_reservations_are_refused) {
  cr_assert_eq(bdag_network_reserve(NULL, 1, 1, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_reserve(network, (uint64_t)1 << 32, 0, &error), BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_network_reserve(network, 0, UINT64_MAX, &error), BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_network_reserve(network, 5, UINT64_MAX - 2, &error), BDAG_ERROR_LIMIT);
  cr_assert_eq(bdag_network_reserve(network, 0, (uint64_t)1 << 62, &error),
               BDAG_ERROR_OUT_OF_MEMORY);
  three_layers();
  assert_ok(bdag_network_reserve(network, 0, 0, &error));
}

Test(building, many_small_calls) {
  assert_ok(bdag_network_add_inputs(network, 1, NULL, &error));
  for (uint32_t v = 1; v <= 3000; v++) {
    assert_ok(bdag_network_add_vertices(network, 1, NULL, NULL, &error));
    const uint32_t sources[] = {0, v - 1}, targets[] = {v, v};
    const double weights[] = {v, -(double)v};
    assert_ok(bdag_network_add_edges(network, 2, sources, targets, weights, NULL, &error));
  }
  for (uint64_t e = 0; e < 6000; e++) {
    uint64_t p;
    double w;
    cr_assert_eq(bdag_network_get_edges(network, e, 1, NULL, NULL, &p, &w, NULL), BDAG_OK);
    cr_assert_eq(p, e / 2 * 3 + 1 + e % 2);
    cr_assert_eq(w, (e % 2 == 0 ? 1.0 : -1.0) * (double)(e / 2 + 1));
  }
}

static void assert_same(const bdag_network *a, const bdag_network *b) {
  cr_assert_eq(a->vertex_count, b->vertex_count);
  for (uint32_t v = 0; v < a->vertex_count; v++) {
    bdag_vertex x, y;
    memset(&x, 0, sizeof x);
    memset(&y, 0, sizeof y);
    cr_assert_eq(bdag_network_get_vertex(a, v, &x), BDAG_OK);
    cr_assert_eq(bdag_network_get_vertex(b, v, &y), BDAG_OK);
    cr_assert(x.kind == y.kind && x.removed == y.removed && x.key == y.key);
    cr_assert(x.activation.kind == y.activation.kind &&
              x.activation.parameter == y.activation.parameter);
    cr_assert(x.aggregation == y.aggregation && x.response == y.response && x.value == y.value);
    cr_assert(x.bias_parameter == y.bias_parameter && x.bias == y.bias);
  }
  cr_assert_eq(a->edge_count, b->edge_count);
  for (uint64_t e = 0; e < a->edge_count; e++) {
    uint32_t s[2], t[2];
    uint64_t p[2];
    double w[2];
    uint8_t f[2];
    cr_assert_eq(bdag_network_get_edges(a, e, 1, s, t, p, w, f), BDAG_OK);
    cr_assert_eq(bdag_network_get_edges(b, e, 1, s + 1, t + 1, p + 1, w + 1, f + 1), BDAG_OK);
    cr_assert(s[0] == s[1] && t[0] == t[1] && p[0] == p[1] && w[0] == w[1] && f[0] == f[1]);
  }
  cr_assert_eq(a->parameter_count, b->parameter_count);
  cr_assert_eq(a->input_count, b->input_count);
  cr_assert_arr_eq(a->input, b->input, a->input_count * sizeof *a->input);
  cr_assert_eq(a->output_count, b->output_count);
  cr_assert_arr_eq(a->output, b->output, a->output_count * sizeof *a->output);
  cr_assert_eq(a->loss_count, b->loss_count);
  cr_assert_eq(a->target_count, b->target_count);
  cr_assert_eq(a->normalization, b->normalization);
}

static void rich_network(void) {
  three_layers();
  const uint32_t s[] = {0, 1, 0, 2}, t[] = {2, 3, 4, 4};
  const double w[] = {1, 2, 3, 4};
  const uint64_t p[] = {2, 0, 2, 1};
  const int64_t key = -7;
  const uint32_t vertex = 3;
  const uint64_t edge = 1;
  const bdag_output outputs[] = {{4, BDAG_READ_OUT_SOFTMAX, 1}, {3, BDAG_READ_OUT_NONE, 0}};
  const uint32_t of_loss[] = {4, 3};
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 2, of_loss, 0.5, 0.0};
  assert_ok(bdag_network_add_edges(network, 4, s, t, w, NULL, &error));
  assert_ok(bdag_network_add_tied_edges(network, 4, s, t, p, NULL, &error));
  assert_ok(bdag_network_set_keys(network, 1, &vertex, &key, &error));
  assert_ok(bdag_network_enable_edges(network, 1, &edge, 0, &error));
  assert_ok(bdag_network_set_outputs(network, 2, outputs, &error));
  assert_ok(bdag_network_add_loss(network, &term, &error));
  assert_ok(bdag_network_set_normalization(network, BDAG_NORMALIZE_ONE, &error));
}

Test(building, copies_are_deep) {
  rich_network();
  bdag_network *copy, *second;
  assert_ok(bdag_network_copy(&copy, network, &error));
  assert_same(network, copy);
  assert_ok(bdag_network_copy(&second, copy, &error));
  const double w[] = {9, 9, 9};
  const uint64_t edges[] = {0, 1, 2};
  const uint32_t s = 0, t = 2;
  assert_ok(bdag_network_set_parameters(copy, 0, 3, w, &error));
  assert_ok(bdag_network_remove_edges(copy, 3, edges, &error));
  assert_ok(bdag_network_add_vertices(copy, 10, NULL, NULL, &error));
  assert_ok(bdag_network_add_edges(copy, 1, &s, &t, w, NULL, &error));
  assert_ok(bdag_network_set_outputs(copy, 0, NULL, &error));
  bdag_network_clear_loss(copy);
  assert_same(network, second);
  bdag_network_destroy(copy);
  assert_same(network, second);
  bdag_network_destroy(second);
  cr_assert_eq(bdag_network_copy(NULL, network, &error), BDAG_ERROR_INVALID_ARGUMENT);
  cr_assert_eq(bdag_network_copy(&copy, NULL, &error), BDAG_ERROR_INVALID_ARGUMENT);
}

Test(building, copies_of_nothing) {
  bdag_network *copy;
  assert_ok(bdag_network_copy(&copy, network, &error));
  assert_same(network, copy);
  assert_ok(bdag_network_add_inputs(copy, 2, NULL, &error));
  bdag_network_destroy(copy);
}

Test(building, a_failed_copy_leaks_nothing) {
  rich_network();
  for (uint64_t n = 0;; n++) {
    const uint64_t live = counter.live;
    bdag_network *copy;
    counter.fail_at = counter.requests + n;
    const bdag_status status = bdag_network_copy(&copy, network, &error);
    counter.fail_at = UINT64_MAX;
    if (status == BDAG_OK) {
      cr_assert_geq(n, 15);
      bdag_network_destroy(copy);
      break;
    }
    cr_assert_eq(status, BDAG_ERROR_OUT_OF_MEMORY);
    cr_assert_null(copy);
    cr_assert_eq(counter.live, live);
  }
}
