/* See oracle_import.h. Uses the getters of backdag/network.h and nothing else of the library. */
#include "oracle_import.h"

#include <stdlib.h>

static double rounded(double value, bdag_type type) {
  return type == BDAG_FLOAT32 ? (double)(float)value : value;
}

static oracle_activation import_activation(bdag_activation activation, bdag_type type,
                                           const oracle_custom *custom) {
  oracle_activation result = {.kind = activation.kind,
                              .parameter = rounded(activation.parameter, type)};
  if (custom != NULL && activation.kind == custom->activation_kind) {
    result.custom_value = custom->value;
    result.custom_derivative = custom->derivative;
  }
  return result;
}

static int import_vertices(oracle_network *oracle, const bdag_network *network, bdag_type type,
                           const oracle_custom *custom) {
  static const oracle_kind kinds[] = {NEURON, INPUT, CONSTANT};
  for (size_t v = 0; v < oracle->vertex_count; v++) {
    bdag_vertex vertex;
    if (bdag_network_get_vertex(network, (uint32_t)v, &vertex) != BDAG_OK) return -1;
    oracle->vertex[v] = (oracle_vertex){
        .kind = vertex.removed ? REMOVED : kinds[vertex.kind],
        .activation = import_activation(vertex.activation, type, custom),
        .response = rounded(vertex.response, type),
        .mean = vertex.aggregation == BDAG_MEAN,
        .bias = vertex.bias_parameter == BDAG_NONE ? NO_BIAS : (size_t)vertex.bias_parameter,
        .value = rounded(vertex.value, type)};
  }
  const uint32_t *inputs = bdag_network_inputs(network);
  for (size_t i = 0; i < oracle->input_count; i++) oracle->vertex[inputs[i]].column = i;
  return 0;
}

static int import_edges(oracle_network *oracle, const bdag_network *network, bdag_type type) {
  const uint64_t parameters = bdag_network_parameter_count(network);
  for (uint64_t p = 0; p < parameters; p++) {
    double value;
    if (bdag_network_get_parameters(network, p, 1, &value) != BDAG_OK) return -1;
    oracle_add_parameter(oracle, rounded(value, type));
  }
  const uint64_t edges = bdag_network_edge_count(network);
  for (uint64_t e = 0; e < edges; e++) {
    uint32_t source, target;
    uint64_t parameter;
    uint8_t flags;
    if (bdag_network_get_edges(network, e, 1, &source, &target, &parameter, NULL, &flags) !=
        BDAG_OK)
      return -1;
    oracle_add_tied_edge(oracle, source, target, parameter);
    oracle->edge[e].absent = flags != 0;
  }
  return 0;
}

static int import_terms(oracle_network *oracle, const bdag_network *network,
                        const oracle_custom *custom) {
  const uint32_t terms = bdag_network_loss_count(network);
  for (uint32_t t = 0; t < terms; t++) {
    bdag_loss_term term;
    uint64_t first, count;
    if (bdag_network_get_loss(network, t, &term, &first, &count) != BDAG_OK) return -1;
    size_t *vertex = oracle_zeros(term.vertex_count, sizeof *vertex);
    for (uint32_t i = 0; i < term.vertex_count; i++) vertex[i] = term.vertices[i];
    oracle_loss_term *copy = oracle_add_term(oracle, term.kind, term.vertex_count, vertex, count);
    free(vertex);
    copy->target_first = first;
    copy->lambda = term.weight;
    copy->parameter = term.parameter;
    for (int i = 0; custom != NULL && i < 2; i++) {
      if (term.kind == custom->loss_kind[i]) copy->custom = custom->loss[i];
    }
  }
  return oracle->target_count == bdag_network_target_count(network) ? 0 : -1;
}

int oracle_import(oracle_network *oracle, const bdag_network *network, bdag_type type,
                  const oracle_custom *custom) {
  oracle_network_init(oracle, 0, bdag_network_vertex_count(network));
  oracle->input_count = bdag_network_input_count(network);
  if (import_vertices(oracle, network, type, custom) == 0 &&
      import_edges(oracle, network, type) == 0 && import_terms(oracle, network, custom) == 0)
    return 0;
  oracle_network_free(oracle);
  return -1;
}
