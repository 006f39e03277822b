/* Getters. Floor 1. */
#include <string.h>

#include "network/storage.h"

bdag_context *bdag_network_context(const bdag_network *network) {
  return network->context;
}

uint32_t bdag_network_vertex_count(const bdag_network *network) {
  return network->vertex_count;
}

uint64_t bdag_network_edge_count(const bdag_network *network) {
  return network->edge_count;
}

uint64_t bdag_network_parameter_count(const bdag_network *network) {
  return network->parameter_count;
}

uint32_t bdag_network_input_count(const bdag_network *network) {
  return (uint32_t)network->input_count;
}

uint32_t bdag_network_output_count(const bdag_network *network) {
  return network->output_count;
}

uint32_t bdag_network_loss_count(const bdag_network *network) {
  return (uint32_t)network->loss_count;
}

uint64_t bdag_network_target_count(const bdag_network *network) {
  return network->target_count;
}

bdag_normalization bdag_network_get_normalization(const bdag_network *network) {
  return network->normalization;
}

const uint32_t *bdag_network_inputs(const bdag_network *network) {
  return network->input;
}

const bdag_output *bdag_network_outputs(const bdag_network *network) {
  return network->output;
}

static double value_of(const bdag_network *network, uint64_t parameter) {
  return network->value == NULL || parameter == BDAG_NONE ? 0.0 : network->value[parameter];
}

bdag_status bdag_network_get_vertex(const bdag_network *network, uint32_t vertex,
                                    bdag_vertex *description) {
  if (network == NULL || description == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (vertex >= network->vertex_count) return BDAG_ERROR_UNKNOWN_ID;
  const bdag_vertex_kind kind = (bdag_vertex_kind)network->vertex_kind[vertex];
  const double parameter = network->activation_parameter[vertex];
  const int constant = kind == BDAG_VERTEX_CONSTANT;
  *description = (bdag_vertex){
      .kind = kind,
      .removed = network->vertex_removed[vertex],
      .activation = {network->activation[vertex], constant ? 0.0 : parameter},
      .aggregation = (bdag_aggregation)network->aggregation[vertex],
      .response = network->response[vertex],
      .value = constant ? parameter : 0.0,
      .bias_parameter = network->bias_parameter[vertex],
      .bias = value_of(network, network->bias_parameter[vertex]),
      .key = network->key != NULL ? network->key[vertex] : (int64_t)vertex,
  };
  return BDAG_OK;
}

/* The run that holds an edge. */
static const bdag_parameter_run *run_of(const bdag_network *network, uint64_t edge) {
  uint64_t low = 0, high = network->run_count;
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    if (network->run[middle].first_edge <= edge)
      low = middle;
    else
      high = middle;
  }
  return &network->run[low];
}

static uint64_t parameter_in_run(const bdag_parameter_run *run, uint64_t edge) {
  const uint64_t i = edge - run->first_edge;
  return run->parameters != NULL ? run->parameters[i] : run->first_parameter + i;
}

uint64_t bdag_network_edge_parameter(const bdag_network *network, uint64_t edge) {
  return parameter_in_run(run_of(network, edge), edge);
}

static void copy_parameters(const bdag_network *network, uint64_t first, uint64_t count,
                            uint64_t *parameters, double *weights) {
  const bdag_parameter_run *run = run_of(network, first);
  for (uint64_t i = 0; i < count; i++) {
    if (first + i - run->first_edge == run->count) run++;
    const uint64_t parameter = parameter_in_run(run, first + i);
    if (parameters != NULL) parameters[i] = parameter;
    if (weights != NULL) weights[i] = value_of(network, parameter);
  }
}

static int is_range(uint64_t first, uint64_t count, uint64_t total) {
  return first <= total && count <= total - first;
}

bdag_status bdag_network_get_edges(const bdag_network *network, uint64_t first, uint64_t count,
                                   uint32_t *sources, uint32_t *targets, uint64_t *parameters,
                                   double *weights, uint8_t *flags) {
  if (network == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (!is_range(first, count, network->edge_count)) return BDAG_ERROR_UNKNOWN_ID;
  if (count == 0) return BDAG_OK;
  if (sources != NULL) memcpy(sources, network->source + first, (size_t)count * sizeof *sources);
  if (targets != NULL) memcpy(targets, network->target + first, (size_t)count * sizeof *targets);
  if (parameters != NULL || weights != NULL) {
    copy_parameters(network, first, count, parameters, weights);
  }
  if (flags != NULL && network->edge_flags != NULL) {
    memcpy(flags, network->edge_flags + first, (size_t)count);
  } else if (flags != NULL) {
    memset(flags, 0, (size_t)count);
  }
  return BDAG_OK;
}

bdag_status bdag_network_get_parameters(const bdag_network *network, uint64_t first, uint64_t count,
                                        double *values) {
  if (network == NULL || (count > 0 && values == NULL)) return BDAG_ERROR_INVALID_ARGUMENT;
  if (!is_range(first, count, network->parameter_count)) return BDAG_ERROR_UNKNOWN_ID;
  for (uint64_t i = 0; i < count; i++) values[i] = value_of(network, first + i);
  return BDAG_OK;
}

bdag_status bdag_network_get_loss(const bdag_network *network, uint32_t index, bdag_loss_term *term,
                                  uint64_t *target_first, uint64_t *target_count) {
  if (network == NULL) return BDAG_ERROR_INVALID_ARGUMENT;
  if (index >= network->loss_count) return BDAG_ERROR_UNKNOWN_ID;
  const bdag_stored_loss *const stored = &network->loss[index];
  if (term != NULL) {
    *term = (bdag_loss_term){
        .kind = stored->kind,
        .vertex_count = stored->vertex_count,
        .vertices = stored->vertices,
        .weight = stored->weight,
        .parameter = stored->parameter,
    };
  }
  if (target_first != NULL) *target_first = stored->target_first;
  if (target_count != NULL) *target_count = stored->target_count;
  return BDAG_OK;
}
