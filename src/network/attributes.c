/* Attributes of vertices and the declared outputs. All values of a call are checked before the first
 * is written. Floor 1. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "network/activation.h"
#include "network/storage.h"

static bdag_status check_arrays(const bdag_network *network, uint64_t count,
                                const uint32_t *vertices, int has_values, bdag_error *error) {
  if (network == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "network is NULL; create one first");
  }
  if (count > 0 && (vertices == NULL || !has_values)) {
    return bdag_fail(
        error, BDAG_ERROR_INVALID_ARGUMENT, "%s is NULL; pass an array of %llu elements",
        vertices == NULL ? "vertices" : "the array of values", (unsigned long long)count);
  }
  for (uint64_t i = 0; i < count; i++) {
    if (bdag_network_has_vertex(network, vertices[i])) continue;
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "vertex %u, number %llu of this call, does not exist or was removed",
                     vertices[i], (unsigned long long)i);
  }
  return BDAG_OK;
}

static bdag_status check_neurons(const bdag_network *network, uint64_t count,
                                 const uint32_t *vertices, int has_values, bdag_error *error) {
  const bdag_status status = check_arrays(network, count, vertices, has_values, error);
  if (status != BDAG_OK) return status;
  for (uint64_t i = 0; i < count; i++) {
    if (network->vertex_kind[vertices[i]] == BDAG_VERTEX_NEURON) continue;
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "vertex %u, number %llu of this call, is an input or a constant; only neurons "
                     "have this attribute",
                     vertices[i], (unsigned long long)i);
  }
  return BDAG_OK;
}

static bdag_status check_finite(uint64_t count, const uint32_t *vertices, const double *values,
                                const char *what, bdag_error *error) {
  const uint64_t bad = bdag_first_not_finite(count, values);
  if (bad == count) return BDAG_OK;
  return bdag_fail(
      error, BDAG_ERROR_NOT_FINITE,
      "the %s of vertex %u, number %llu of this call, is not finite; use a finite number", what,
      vertices[bad], (unsigned long long)bad);
}

bdag_status bdag_network_set_activations(bdag_network *network, uint64_t count,
                                         const uint32_t *vertices,
                                         const bdag_activation *activations, bdag_error *error) {
  bdag_status status = check_neurons(network, count, vertices, activations != NULL, error);
  for (uint64_t i = 0; status == BDAG_OK && i < count; i++) {
    bdag_activation activation = activations[i];
    status = bdag_activation_check(network->context, &activation, error);
  }
  if (status != BDAG_OK) return status;
  for (uint64_t i = 0; i < count; i++) {
    const uint32_t kind = activations[i].kind;
    network->activation[vertices[i]] = kind;
    network->activation_parameter[vertices[i]] =
        bdag_activation_has_parameter(kind) ? activations[i].parameter : 0.0;
  }
  return BDAG_OK;
}

bdag_status bdag_network_set_biases(bdag_network *network, uint64_t count, const uint32_t *vertices,
                                    const double *biases, bdag_error *error) {
  bdag_status status = check_neurons(network, count, vertices, biases != NULL, error);
  if (status == BDAG_OK) status = check_finite(count, vertices, biases, "bias", error);
  if (status != BDAG_OK) return status;
  for (uint64_t i = 0; i < count; i++) {
    if (network->bias_parameter[vertices[i]] != BDAG_NONE) continue;
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "vertex %u, number %llu of this call, has no bias; give it a bias parameter "
                     "first",
                     vertices[i], (unsigned long long)i);
  }
  if (network->value == NULL && !bdag_any_value(count, biases)) return BDAG_OK;
  if (bdag_network_grow_values(network, 0) != 0) return bdag_fail_memory(error);
  for (uint64_t i = 0; i < count; i++) {
    network->value[network->bias_parameter[vertices[i]]] = biases[i];
  }
  return BDAG_OK;
}

bdag_status bdag_network_set_bias_parameters(bdag_network *network, uint64_t count,
                                             const uint32_t *vertices, const uint64_t *parameters,
                                             bdag_error *error) {
  const bdag_status status = check_neurons(network, count, vertices, parameters != NULL, error);
  if (status != BDAG_OK) return status;
  for (uint64_t i = 0; i < count; i++) {
    if (parameters[i] == BDAG_NONE || parameters[i] < network->parameter_count) continue;
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "parameter %llu, number %llu of this call, does not exist; add it first",
                     (unsigned long long)parameters[i], (unsigned long long)i);
  }
  for (uint64_t i = 0; i < count; i++) network->bias_parameter[vertices[i]] = parameters[i];
  return BDAG_OK;
}

bdag_status bdag_network_set_aggregations(bdag_network *network, uint64_t count,
                                          const uint32_t *vertices,
                                          const bdag_aggregation *aggregations,
                                          const double *responses, bdag_error *error) {
  bdag_status status = check_neurons(network, count, vertices, 1, error);
  if (status == BDAG_OK && responses != NULL) {
    status = check_finite(count, vertices, responses, "response", error);
  }
  if (status != BDAG_OK) return status;
  for (uint64_t i = 0; aggregations != NULL && i < count; i++) {
    if (aggregations[i] == BDAG_SUM || aggregations[i] == BDAG_MEAN) continue;
    return bdag_fail(
        error, BDAG_ERROR_INVALID_ARGUMENT,
        "the aggregation of vertex %u, number %llu of this call, is neither BDAG_SUM nor "
        "BDAG_MEAN",
        vertices[i], (unsigned long long)i);
  }
  for (uint64_t i = 0; i < count; i++) {
    if (aggregations != NULL) network->aggregation[vertices[i]] = (uint8_t)aggregations[i];
    if (responses != NULL) network->response[vertices[i]] = responses[i];
  }
  return BDAG_OK;
}

bdag_status bdag_network_set_keys(bdag_network *network, uint64_t count, const uint32_t *vertices,
                                  const int64_t *keys, bdag_error *error) {
  const bdag_status status = check_arrays(network, count, vertices, keys != NULL, error);
  if (status != BDAG_OK || count == 0) return status;
  if (bdag_network_make_keys(network) != 0) return bdag_fail_memory(error);
  for (uint64_t i = 0; i < count; i++) network->key[vertices[i]] = keys[i];
  return BDAG_OK;
}

bdag_status bdag_network_set_outputs(bdag_network *network, uint32_t count,
                                     const bdag_output *outputs, bdag_error *error) {
  if (network == NULL || (count > 0 && outputs == NULL)) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s is NULL",
                     network == NULL ? "network" : "outputs");
  }
  for (uint32_t i = 0; i < count; i++) {
    if (!bdag_network_has_vertex(network, outputs[i].vertex)) {
      return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                       "vertex %u of output %u does not exist or was removed", outputs[i].vertex,
                       i);
    }
    if (outputs[i].read_out > BDAG_READ_OUT_SOFTMAX) {
      return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                       "the read-out %u of output %u is unknown; take a bdag_read_out_kind",
                       outputs[i].read_out, i);
    }
  }
  bdag_output *list = NULL;
  if (count > 0) {
    list = bdag_allocate_array(network->context, count, sizeof *list);
    if (list == NULL) return bdag_fail_memory(error);
    memcpy(list, outputs, count * sizeof *list);
  }
  bdag_free(network->context, network->output);
  network->output = list;
  network->output_count = count;
  return BDAG_OK;
}
