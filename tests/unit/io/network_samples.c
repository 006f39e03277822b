/* Networks to write and read, and the comparison of what comes back. */
#include "network_samples.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

static void must(bdag_status status) {
  cr_assert_eq(status, BDAG_OK, "%s", bdag_status_string(status));
}

bdag_context *sample_context(void) {
  bdag_context *context;
  must(bdag_context_create(&context, NULL, NULL));
  return context;
}

static int double_value(void *user, bdag_type type, double parameter, size_t count, const void *in,
                        void *out) {
  for (size_t i = 0; i < count; i++) {
    if (type == BDAG_FLOAT64)
      ((double *)out)[i] = 2 * ((const double *)in)[i];
    else
      ((float *)out)[i] = 2 * ((const float *)in)[i];
  }
  return 0;
}

static int double_derivative(void *user, bdag_type type, double parameter, size_t count,
                             const void *in, const void *out, void *derivative) {
  for (size_t i = 0; i < count; i++) {
    if (type == BDAG_FLOAT64)
      ((double *)derivative)[i] = 2;
    else
      ((float *)derivative)[i] = 2;
  }
  return 0;
}

static int no_loss(void *user, const bdag_loss_view *view) {
  for (uint64_t s = 0; s < view->sample_count; s++) view->loss[s] = 0;
  return 0;
}

void sample_register(bdag_context *context) {
  const bdag_activation_functions functions = {double_value, double_derivative, NULL};
  uint32_t kind;
  must(bdag_context_register_activation(context, "test.double", &functions, &kind, NULL));
  must(bdag_context_register_loss(context, "test.loss", no_loss, NULL, 0, 1, &kind, NULL));
}

bdag_network *sample_plain(bdag_context *context) {
  bdag_network *network;
  uint32_t hidden;
  must(bdag_network_create(&network, context, NULL));
  must(bdag_network_add_inputs(network, 2, NULL, NULL));
  const bdag_activation sigmoid = bdag_activation_default(BDAG_NEAT_SIGMOID);
  must(bdag_network_add_vertices(network, 2, &sigmoid, &hidden, NULL));
  const double biases[] = {0.1, -2.5e-300};
  const uint32_t neurons[] = {2, 3};
  must(bdag_network_set_biases(network, 2, neurons, biases, NULL));
  const int64_t keys[] = {-1, -2, 7, INT64_MIN};
  const uint32_t all[] = {0, 1, 2, 3};
  must(bdag_network_set_keys(network, 4, all, keys, NULL));
  const uint32_t sources[] = {0, 1, 2, 0, 0}, targets[] = {2, 2, 3, 3, 3};
  const double weights[] = {1.0 / 3, -0.0, 4, 1e22, 5e-324};
  must(bdag_network_add_edges(network, 5, sources, targets, weights, NULL, NULL));
  const uint64_t off = 3;
  must(bdag_network_enable_edges(network, 1, &off, 0, NULL));
  const bdag_output output = {3, BDAG_READ_OUT_NONE, 0};
  must(bdag_network_set_outputs(network, 1, &output, NULL));
  return network;
}

static void add_losses(bdag_network *network) {
  bdag_context *const context = bdag_network_context(network);
  const uint32_t vertices[] = {5, 6, 5};
  uint32_t custom;
  must(bdag_loss_find(context, "test.loss", &custom));
  const bdag_loss_term terms[] = {
      {BDAG_HUBER, 3, vertices, 0.25, 1.5},
      {BDAG_CLASS_CROSS_ENTROPY, 2, vertices, 0, 1},
      {custom, 1, vertices + 1, -1, 1},
  };
  for (int t = 0; t < 3; t++) must(bdag_network_add_loss(network, &terms[t], NULL));
  must(bdag_network_set_normalization(network, BDAG_NORMALIZE_GIVEN, NULL));
}

bdag_network *sample_full(bdag_context *context) {
  bdag_network *network;
  must(bdag_network_create(&network, context, NULL));
  const double constants[] = {1, -0.7};
  must(bdag_network_add_inputs(network, 1, NULL, NULL));               /* 0 */
  must(bdag_network_add_constants(network, 2, constants, NULL, NULL)); /* 1 2 */
  const bdag_activation leaky = {BDAG_LEAKY_RELU, 0.2};
  must(bdag_network_add_vertices(network, 2, &leaky, NULL, NULL)); /* 3 4 */
  uint32_t custom;
  must(bdag_activation_find(context, "test.double", &custom));
  const bdag_activation own = {custom, 3.5};
  must(bdag_network_add_vertices(network, 2, &own, NULL, NULL)); /* 5 6 */
  must(bdag_network_add_inputs(network, 1, NULL, NULL));         /* 7 */
  uint64_t shared;
  const double values[] = {0.5, 0.1};
  must(bdag_network_add_parameters(network, 2, values, &shared, NULL));
  const uint32_t sources[] = {0, 7, 1, 3, 4, 3}, targets[] = {3, 3, 4, 5, 5, 6};
  const uint64_t parameters[] = {shared, shared, shared, shared + 1, 2, shared};
  must(bdag_network_add_tied_edges(network, 6, sources, targets, parameters, NULL, NULL));
  const double weights[] = {0.25, 0.75};
  must(bdag_network_add_edges(network, 2, sources, targets, weights, NULL, NULL));
  const uint32_t neurons[] = {3, 5, 6};
  const uint64_t bias_parameters[] = {shared, BDAG_NONE, shared + 1};
  must(bdag_network_set_bias_parameters(network, 3, neurons, bias_parameters, NULL));
  const bdag_aggregation means[] = {BDAG_MEAN, BDAG_SUM, BDAG_MEAN};
  const double responses[] = {1, -2, 0.3};
  must(bdag_network_set_aggregations(network, 3, neurons, means, responses, NULL));
  const bdag_output outputs[] = {{6, BDAG_READ_OUT_SOFTMAX, 3},
                                 {5, BDAG_READ_OUT_SOFTMAX, 3},
                                 {0, BDAG_READ_OUT_NONE, 0},
                                 {1, BDAG_READ_OUT_SIGMOID, 0},
                                 {6, BDAG_READ_OUT_NONE, 9}};
  must(bdag_network_set_outputs(network, 5, outputs, NULL));
  add_losses(network);
  return network;
}

bdag_network *sample_edited(bdag_context *context) {
  bdag_network *const network = sample_full(context);
  const double constant = 4;
  uint32_t input, fixed, neuron, kept;
  must(bdag_network_add_inputs(network, 1, &input, NULL));
  must(bdag_network_add_constants(network, 1, &constant, &fixed, NULL));
  must(bdag_network_add_vertices(network, 1, NULL, &neuron, NULL));
  must(bdag_network_add_vertices(network, 1, NULL, &kept, NULL));
  const uint32_t sources[] = {input, fixed, neuron, 0, input},
                 targets[] = {3, kept, kept, kept, neuron};
  uint64_t first;
  must(bdag_network_add_edges(network, 5, sources, targets, NULL, &first, NULL));
  const uint64_t removed_edges[] = {1, first + 3}, disabled = 2;
  must(bdag_network_enable_edges(network, 1, &disabled, 0, NULL));
  must(bdag_network_remove_edges(network, 2, removed_edges, NULL));
  const uint32_t removed[] = {neuron, 7, fixed};
  must(bdag_network_remove_vertices(network, 3, removed, NULL));
  return network;
}

static void random_edges(bdag_network *network, uint64_t seed, uint32_t first_neuron,
                         uint32_t count) {
  const uint64_t parameters = bdag_network_parameter_count(network);
  uint64_t counter = 0;
  for (uint32_t v = first_neuron; v < first_neuron + count; v++) {
    const uint64_t degree = bdag_random_below(seed, 1, counter++, 9);
    for (uint64_t i = 0; i < degree; i++) {
      const uint32_t source = (uint32_t)bdag_random_below(seed, 2, counter++, v);
      const double weight = bdag_random_normal(seed, 3, counter++);
      const uint64_t parameter = bdag_random_below(seed, 4, counter++, parameters);
      if (bdag_random_below(seed, 5, counter++, 4) == 0) {
        must(bdag_network_add_tied_edges(network, 1, &source, &v, &parameter, NULL, NULL));
      } else {
        must(bdag_network_add_edges(network, 1, &source, &v, &weight, NULL, NULL));
      }
    }
  }
}

bdag_network *sample_random(bdag_context *context, uint64_t seed) {
  static const uint32_t kinds[] = {BDAG_RELU, BDAG_ELU, BDAG_CLIPPED_RELU, BDAG_NEAT_HAT,
                                   BDAG_GELU};
  bdag_network *network;
  must(bdag_network_create(&network, context, NULL));
  const uint32_t inputs = 1 + (uint32_t)bdag_random_below(seed, 6, 0, 5);
  must(bdag_network_add_inputs(network, inputs, NULL, NULL));
  const uint32_t count = 1 + (uint32_t)bdag_random_below(seed, 6, 1, 40);
  must(bdag_network_add_vertices(network, count, NULL, NULL, NULL));
  for (uint32_t i = 0; i < count; i++) {
    const uint32_t v = inputs + i;
    bdag_activation activation = bdag_activation_default(kinds[bdag_random_below(seed, 7, i, 5)]);
    const double bias = bdag_random_normal(seed, 8, i);
    must(bdag_network_set_activations(network, 1, &v, &activation, NULL));
    must(bdag_network_set_biases(network, 1, &v, &bias, NULL));
  }
  random_edges(network, seed, inputs, count);
  const bdag_output output = {inputs + count - 1, BDAG_READ_OUT_SIGMOID, 0};
  must(bdag_network_set_outputs(network, 1, &output, NULL));
  const bdag_loss_term term = {BDAG_MEAN_SQUARED_ERROR, 1, &output.vertex, 1, 1};
  must(bdag_network_add_loss(network, &term, NULL));
  return network;
}

static void expect_same_vertices(const bdag_network *left, const bdag_network *right) {
  cr_assert_eq(bdag_network_vertex_count(left), bdag_network_vertex_count(right));
  for (uint32_t v = 0; v < bdag_network_vertex_count(left); v++) {
    bdag_vertex a, b;
    must(bdag_network_get_vertex(left, v, &a));
    must(bdag_network_get_vertex(right, v, &b));
    cr_assert_eq(a.kind, b.kind, "kind of vertex %u", v);
    cr_assert_eq(a.removed, b.removed, "vertex %u removed", v);
    cr_assert_eq(a.activation.kind, b.activation.kind, "activation of vertex %u", v);
    cr_assert_eq(a.activation.parameter, b.activation.parameter, "parameter of vertex %u", v);
    cr_assert_eq(a.aggregation, b.aggregation, "aggregation of vertex %u", v);
    cr_assert_eq(a.response, b.response, "response of vertex %u", v);
    cr_assert_eq(a.value, b.value, "value of vertex %u", v);
    cr_assert_eq(a.bias_parameter, b.bias_parameter, "bias parameter of vertex %u", v);
    cr_assert_eq(a.bias, b.bias, "bias of vertex %u", v);
    cr_assert_eq(a.key, b.key, "key of vertex %u", v);
  }
}

static void expect_same_edges(const bdag_network *left, const bdag_network *right) {
  cr_assert_eq(bdag_network_edge_count(left), bdag_network_edge_count(right));
  for (uint64_t e = 0; e < bdag_network_edge_count(left); e++) {
    uint32_t source[2], target[2];
    uint64_t parameter[2];
    uint8_t flags[2];
    double weight[2];
    must(bdag_network_get_edges(left, e, 1, &source[0], &target[0], &parameter[0], &weight[0],
                                &flags[0]));
    must(bdag_network_get_edges(right, e, 1, &source[1], &target[1], &parameter[1], &weight[1],
                                &flags[1]));
    cr_assert_eq(source[0], source[1], "source of edge %lu", (unsigned long)e);
    cr_assert_eq(target[0], target[1], "target of edge %lu", (unsigned long)e);
    cr_assert_eq(parameter[0], parameter[1], "parameter of edge %lu", (unsigned long)e);
    cr_assert_eq(memcmp(&weight[0], &weight[1], sizeof(double)), 0, "weight of edge %lu",
                 (unsigned long)e);
    cr_assert_eq(flags[0], flags[1], "flags of edge %lu", (unsigned long)e);
  }
}

static void expect_same_losses(const bdag_network *left, const bdag_network *right) {
  cr_assert_eq(bdag_network_loss_count(left), bdag_network_loss_count(right));
  for (uint32_t t = 0; t < bdag_network_loss_count(left); t++) {
    bdag_loss_term a, b;
    uint64_t first[2], count[2];
    must(bdag_network_get_loss(left, t, &a, &first[0], &count[0]));
    must(bdag_network_get_loss(right, t, &b, &first[1], &count[1]));
    cr_assert_eq(a.kind, b.kind);
    cr_assert_eq(a.weight, b.weight);
    cr_assert_eq(a.parameter, b.parameter);
    cr_assert_eq(first[0], first[1]);
    cr_assert_eq(count[0], count[1]);
    cr_assert_eq(a.vertex_count, b.vertex_count);
    cr_assert_arr_eq(a.vertices, b.vertices, a.vertex_count * sizeof *a.vertices);
  }
}

void expect_same_network(const bdag_network *left, const bdag_network *right) {
  expect_same_vertices(left, right);
  expect_same_edges(left, right);
  expect_same_losses(left, right);
  cr_assert_eq(bdag_network_get_normalization(left), bdag_network_get_normalization(right));
  cr_assert_eq(bdag_network_input_count(left), bdag_network_input_count(right));
  for (uint32_t i = 0; i < bdag_network_input_count(left); i++) {
    cr_assert_eq(bdag_network_inputs(left)[i], bdag_network_inputs(right)[i]);
  }
  cr_assert_eq(bdag_network_output_count(left), bdag_network_output_count(right));
  for (uint32_t i = 0; i < bdag_network_output_count(left); i++) {
    const bdag_output *const a = &bdag_network_outputs(left)[i];
    const bdag_output *const b = &bdag_network_outputs(right)[i];
    cr_assert_eq(a->vertex, b->vertex);
    cr_assert_eq(a->read_out, b->read_out);
    cr_assert_eq(a->group, b->group);
  }
  cr_assert_eq(bdag_network_parameter_count(left), bdag_network_parameter_count(right));
  for (uint64_t p = 0; p < bdag_network_parameter_count(left); p++) {
    double a, b;
    must(bdag_network_get_parameters(left, p, 1, &a));
    must(bdag_network_get_parameters(right, p, 1, &b));
    cr_assert_eq(memcmp(&a, &b, sizeof a), 0, "parameter %lu", (unsigned long)p);
  }
}

const char *temporary_path(const char *name) {
  static char path[512];
  const char *const folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/backdag-test-%ld-%s", folder != NULL ? folder : "/tmp",
           (long)getpid(), name);
  return path;
}
