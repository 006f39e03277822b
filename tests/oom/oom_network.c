/* Scenarios: contexts and networks. */
#include <stdio.h>

#include "oom.h"

float oom_x[OOM_SAMPLES * OOM_INPUTS], oom_targets[OOM_SAMPLES * OOM_TARGETS];

/* σ(z) = z/2 + p, for both types. */
static int half(void *user, bdag_type type, double parameter, size_t count, const void *in,
                void *out) {
  (void)user;
  for (size_t i = 0; i < count; i++) {
    if (type == BDAG_FLOAT32)
      ((float *)out)[i] = ((const float *)in)[i] / 2 + (float)parameter;
    else
      ((double *)out)[i] = ((const double *)in)[i] / 2 + parameter;
  }
  return 0;
}

static int one_half(void *user, bdag_type type, double parameter, size_t count, const void *in,
                    const void *out, void *derivative) {
  (void)user, (void)parameter, (void)in, (void)out;
  for (size_t i = 0; i < count; i++) {
    if (type == BDAG_FLOAT32)
      ((float *)derivative)[i] = 0.5f;
    else
      ((double *)derivative)[i] = 0.5;
  }
  return 0;
}

/* ℓ = Σ out. */
static int sum_of_outs(void *user, const bdag_loss_view *view) {
  (void)user;
  for (uint64_t s = 0; s < view->sample_count; s++) view->loss[s] = 0.0;
  for (uint32_t v = 0; v < view->vertex_count; v++) {
    for (uint64_t s = 0; s < view->sample_count; s++) {
      const size_t i = v * view->stride + s;
      if (view->type == BDAG_FLOAT32) {
        view->loss[s] += (double)((const float *)view->out)[i];
        ((float *)view->out_grad)[i] = 1.0f;
      } else {
        view->loss[s] += ((const double *)view->out)[i];
        ((double *)view->out_grad)[i] = 1.0;
      }
    }
  }
  return 0;
}

static const bdag_activation_functions halving = {half, one_half, NULL};

void oom_context(oom_state *state) {
  const bdag_allocator hook = oom_allocator();
  bdag_context_options options = BDAG_CONTEXT_OPTIONS_INIT;
  options.allocator = &hook;
  options.synthetic = "core:2 pu:1";
  bdag_context *context = NULL;
  uint32_t kind = 0;
  oom_arm();
  OOM_MAKE(bdag_context_create(&context, &options, &state->error));
  OOM_TRY(bdag_context_register_activation(context, "half", &halving, &kind, &state->error));
  oom_add(state, &kind, sizeof kind);
  OOM_TRY(
      bdag_context_register_loss(context, "sum", sum_of_outs, NULL, 0, 0, &kind, &state->error));
  oom_add(state, &kind, sizeof kind);
done:
  bdag_context_destroy(context);
}

static void add_network(oom_state *state, const bdag_network *network) {
  for (uint32_t v = 0; v < bdag_network_vertex_count(network); v++) {
    bdag_vertex vertex;
    bdag_network_get_vertex(network, v, &vertex);
    oom_add(state, &vertex.kind, sizeof vertex.kind);
    oom_add(state, &vertex.removed, sizeof vertex.removed);
    oom_add(state, &vertex.activation.kind, sizeof vertex.activation.kind);
    oom_add(state, &vertex.response, sizeof vertex.response);
    oom_add(state, &vertex.bias_parameter, sizeof vertex.bias_parameter);
    oom_add(state, &vertex.bias, sizeof vertex.bias);
    oom_add(state, &vertex.key, sizeof vertex.key);
  }
  for (uint64_t e = 0; e < bdag_network_edge_count(network); e++) {
    uint32_t ends[2];
    uint64_t parameter;
    double weight;
    uint8_t flags;
    bdag_network_get_edges(network, e, 1, ends, ends + 1, &parameter, &weight, &flags);
    oom_add(state, ends, sizeof ends);
    oom_add(state, &parameter, sizeof parameter);
    oom_add(state, &weight, sizeof weight);
    oom_add(state, &flags, sizeof flags);
  }
  oom_add(state, bdag_network_outputs(network),
          bdag_network_output_count(network) * sizeof(bdag_output));
  oom_add(state, bdag_network_inputs(network),
          bdag_network_input_count(network) * sizeof(uint32_t));
  const uint64_t columns = bdag_network_target_count(network);
  oom_add(state, &columns, sizeof columns);
}

/* 0 1 2 inputs, 3 constant, 4 … 11 neurons. */
static void build(oom_state *state, bdag_network *network) {
  static const uint32_t s[] = {0, 1, 2, 3, 0, 4, 5, 4, 1, 6, 7, 8, 9, 2, 5, 4, 8};
  static const uint32_t t[] = {4, 4, 5, 5, 6, 6, 7, 8, 8, 9, 9, 10, 10, 11, 11, 11, 10};
  static const uint32_t tied_s[] = {0, 1, 2, 6}, tied_t[] = {5, 6, 7, 8};
  static const double w[] = {.5, -.25, 1,  .75, -1, .3,  .2, -.4, .6,
                             .7, -.8,  .9, 1.1, .1, -.3, .4, .2};
  const double constant = 0.5, tied_values[] = {0.5, -0.5};
  const bdag_activation tanh = {BDAG_TANH, 0.0};
  const uint32_t vertices[] = {5, 6, 7}, of_mse[] = {10, 11}, of_external[] = {9};
  const bdag_output outputs[] = {{10, BDAG_READ_OUT_NONE, 0}, {11, BDAG_READ_OUT_SIGMOID, 0}};
  const bdag_aggregation aggregations[] = {BDAG_SUM, BDAG_MEAN, BDAG_SUM};
  const double responses[] = {1.5, 1.0, -1.0}, biases[] = {0.1, 0.2, 0.3};
  const int64_t keys[] = {-1, -2, 100};
  const uint64_t disabled = 16;
  uint32_t half_kind, sum_kind;
  uint64_t tied;
  if (bdag_activation_find(state->context, "half", &half_kind) != BDAG_OK) {
    OOM_TRY(bdag_context_register_activation(state->context, "half", &halving, &half_kind,
                                             &state->error));
  }
  if (bdag_loss_find(state->context, "sum", &sum_kind) != BDAG_OK) {
    OOM_TRY(bdag_context_register_loss(state->context, "sum", sum_of_outs, NULL, 0, 0, &sum_kind,
                                       &state->error));
  }
  const bdag_activation activations[] = {{BDAG_RELU, 0}, {half_kind, 0.25}, {BDAG_GELU, 0}};
  const bdag_loss_term mse = {BDAG_MEAN_SQUARED_ERROR, 2, of_mse, 0.5, 0.0};
  const bdag_loss_term external = {BDAG_EXTERNAL_GRADIENT, 1, of_external, 1.0, 0.0};
  const bdag_loss_term sum = {sum_kind, 2, of_mse, 0.125, 0.0};
  OOM_TRY(bdag_network_add_inputs(network, 3, NULL, &state->error));
  OOM_TRY(bdag_network_add_constants(network, 1, &constant, NULL, &state->error));
  OOM_TRY(bdag_network_add_vertices(network, 8, &tanh, NULL, &state->error));
  OOM_TRY(bdag_network_add_edges(network, 17, s, t, w, NULL, &state->error));
  OOM_TRY(bdag_network_add_parameters(network, 2, tied_values, &tied, &state->error));
  const uint64_t parameters[] = {tied, tied + 1, tied, tied};
  OOM_TRY(bdag_network_add_tied_edges(network, 4, tied_s, tied_t, parameters, NULL, &state->error));
  OOM_TRY(bdag_network_set_activations(network, 3, vertices, activations, &state->error));
  OOM_TRY(
      bdag_network_set_aggregations(network, 3, vertices, aggregations, responses, &state->error));
  OOM_TRY(bdag_network_set_biases(network, 3, vertices, biases, &state->error));
  OOM_TRY(bdag_network_set_bias_parameters(network, 1, of_mse + 1, &tied, &state->error));
  OOM_TRY(bdag_network_set_keys(network, 3, vertices, keys, &state->error));
  OOM_TRY(bdag_network_enable_edges(network, 1, &disabled, 0, &state->error));
  OOM_TRY(bdag_network_set_outputs(network, OOM_OUTPUTS, outputs, &state->error));
  OOM_TRY(bdag_network_add_loss(network, &mse, &state->error));
  OOM_TRY(bdag_network_add_loss(network, &external, &state->error));
  OOM_TRY(bdag_network_add_loss(network, &sum, &state->error));
done:
  return;
}

bdag_network *oom_make_network(oom_state *state) {
  bdag_network *network = NULL;
  oom_heal();
  OOM_MAKE(bdag_network_create(&network, state->context, &state->error));
  build(state, network);
  for (int i = 0; i < OOM_SAMPLES * OOM_INPUTS; i++) oom_x[i] = (float)(i * 7 % 11) / 11 - 0.5f;
  for (int i = 0; i < OOM_SAMPLES * OOM_TARGETS; i++) {
    oom_targets[i] = (float)(i * 5 % 13) / 13 - 0.5f;
  }
done:
  return network;
}

void oom_building(oom_state *state) {
  bdag_network *network = NULL;
  oom_arm();
  OOM_MAKE(bdag_network_create(&network, state->context, &state->error));
  build(state, network);
  add_network(state, network);
  /* A second round grows what exists. */
  OOM_TRY(bdag_network_reserve(network, 20, 100, &state->error));
  for (uint32_t v = 12; v < 200; v++) {
    const uint32_t sources[] = {v - 1, v - 5}, targets[] = {v, v};
    const double weights[] = {v, 0.5};
    OOM_TRY(bdag_network_add_vertices(network, 1, NULL, NULL, &state->error));
    OOM_TRY(bdag_network_add_edges(network, 2, sources, targets, weights, NULL, &state->error));
  }
  OOM_TRY(bdag_network_add_inputs(network, 50, NULL, &state->error));
  add_network(state, network);
done:
  bdag_network_destroy(network);
}

void oom_editing(oom_state *state) {
  bdag_network *const network = oom_make_network(state);
  bdag_network *copy = NULL, *sparse = NULL;
  const uint64_t edges[] = {1, 3};
  const uint32_t vertices[] = {6, 0}, input = 0, neuron = 1;
  const double value = 2.0;
  const int64_t key = -3;
  if (network == NULL) return;
  oom_arm();
  OOM_MAKE(bdag_network_copy(&copy, network, &state->error));
  OOM_TRY(bdag_network_remove_edges(copy, 2, edges, &state->error));
  OOM_TRY(bdag_network_remove_vertices(copy, 2, vertices, &state->error));
  OOM_TRY(bdag_network_set_outputs(copy, 0, NULL, &state->error));
  add_network(state, copy);
  add_network(state, network);
  /* Arrays that appear only when needed. */
  OOM_MAKE(bdag_network_create(&sparse, state->context, &state->error));
  OOM_TRY(bdag_network_add_inputs(sparse, 1, NULL, &state->error));
  OOM_TRY(bdag_network_add_vertices(sparse, 1, NULL, NULL, &state->error));
  OOM_TRY(bdag_network_add_edges(sparse, 1, &input, &neuron, NULL, NULL, &state->error));
  OOM_TRY(bdag_network_set_parameters(sparse, 1, 1, &value, &state->error));
  OOM_TRY(bdag_network_set_keys(sparse, 1, &neuron, &key, &state->error));
  OOM_TRY(bdag_network_remove_vertices(sparse, 1, &neuron, &state->error));
  add_network(state, sparse);
done:
  bdag_network_destroy(sparse);
  bdag_network_destroy(copy);
  bdag_network_destroy(network);
}
