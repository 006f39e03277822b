/* Bulk additions of vertices, edges and parameters. Each call first checks everything, then makes
 * room, then writes, so that a failure changes nothing. Floor 1. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "network/activation.h"
#include "network/storage.h"

static bdag_status check_count(const bdag_network *network, uint64_t count, const char *what,
                               bdag_error *error) {
  if (network == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "network is NULL; create one first");
  }
  if (count == 0) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "count is 0; add at least one %s", what);
  }
  return BDAG_OK;
}

/* ---- Vertices ---- */

static bdag_status make_room_for_vertices(bdag_network *network, uint32_t count,
                                          uint64_t parameters, bdag_error *error) {
  if (count > UINT32_MAX - network->vertex_count) {
    return bdag_fail(error, BDAG_ERROR_LIMIT,
                     "%u more vertices on top of %u are too many: a network has at most 4294967295",
                     count, network->vertex_count);
  }
  if (parameters > UINT64_MAX - 1 - network->parameter_count) {
    return bdag_fail(error, BDAG_ERROR_LIMIT, "the network has too many parameters for %u more",
                     count);
  }
  if (bdag_network_grow_vertices(network, count) != 0) return bdag_fail_memory(error);
  if (parameters > 0 && network->value != NULL &&
      bdag_network_grow_values(network, parameters) != 0) {
    return bdag_fail_memory(error);
  }
  return BDAG_OK;
}

static uint32_t append_vertices(bdag_network *network, bdag_vertex_kind kind, uint32_t count,
                                bdag_activation activation) {
  const uint32_t first = network->vertex_count;
  memset(network->vertex_kind + first, (int)kind, count);
  memset(network->vertex_removed + first, 0, count);
  memset(network->aggregation + first, BDAG_SUM, count);
  for (uint32_t i = 0; i < count; i++) {
    network->activation[first + i] = activation.kind;
    network->activation_parameter[first + i] = activation.parameter;
    network->response[first + i] = 1.0;
    network->bias_parameter[first + i] = BDAG_NONE;
  }
  if (network->key != NULL) {
    for (uint32_t i = 0; i < count; i++) network->key[first + i] = (int64_t)first + i;
  }
  network->vertex_count += count;
  return first;
}

bdag_status bdag_network_add_inputs(bdag_network *network, uint32_t count, uint32_t *first,
                                    bdag_error *error) {
  bdag_status status = check_count(network, count, "input", error);
  if (status == BDAG_OK) status = make_room_for_vertices(network, count, 0, error);
  if (status != BDAG_OK) return status;
  if (bdag_grow(network->context, (void **)&network->input, &network->input_capacity,
                network->input_count, network->input_count + count, sizeof *network->input) != 0) {
    return bdag_fail_memory(error);
  }
  const uint32_t id =
      append_vertices(network, BDAG_VERTEX_INPUT, count, bdag_activation_default(BDAG_IDENTITY));
  for (uint32_t i = 0; i < count; i++) network->input[network->input_count + i] = id + i;
  network->input_count += count;
  if (first != NULL) *first = id;
  return BDAG_OK;
}

bdag_status bdag_network_add_constants(bdag_network *network, uint32_t count, const double *values,
                                       uint32_t *first, bdag_error *error) {
  bdag_status status = check_count(network, count, "constant", error);
  if (status != BDAG_OK) return status;
  if (values == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "values is NULL; constants need a value each");
  }
  const uint64_t bad = bdag_first_not_finite(count, values);
  if (bad < count) {
    return bdag_fail(error, BDAG_ERROR_NOT_FINITE,
                     "the value of constant %llu is not finite; use a finite number",
                     (unsigned long long)bad);
  }
  status = make_room_for_vertices(network, count, 0, error);
  if (status != BDAG_OK) return status;
  const uint32_t id =
      append_vertices(network, BDAG_VERTEX_CONSTANT, count, bdag_activation_default(BDAG_IDENTITY));
  memcpy(network->activation_parameter + id, values, count * sizeof *values);
  if (first != NULL) *first = id;
  return BDAG_OK;
}

bdag_status bdag_network_add_vertices(bdag_network *network, uint32_t count,
                                      const bdag_activation *activation, uint32_t *first,
                                      bdag_error *error) {
  bdag_activation used = bdag_activation_default(BDAG_IDENTITY);
  bdag_status status = check_count(network, count, "vertex", error);
  if (status == BDAG_OK && activation != NULL) {
    used = *activation;
    status = bdag_activation_check(network->context, &used, error);
  }
  if (status == BDAG_OK) status = make_room_for_vertices(network, count, count, error);
  if (status != BDAG_OK) return status;
  const uint32_t id = append_vertices(network, BDAG_VERTEX_NEURON, count, used);
  const uint64_t parameter = network->parameter_count;
  for (uint32_t i = 0; i < count; i++) network->bias_parameter[id + i] = parameter + i;
  if (network->value != NULL) memset(network->value + parameter, 0, count * sizeof(double));
  network->parameter_count += count;
  if (first != NULL) *first = id;
  return BDAG_OK;
}

/* ---- Parameters ---- */

static bdag_status make_room_for_parameters(bdag_network *network, uint64_t count,
                                            const double *values, bdag_error *error) {
  if (count > UINT64_MAX - 1 - network->parameter_count) {
    return bdag_fail(error, BDAG_ERROR_LIMIT, "the network has too many parameters for %llu more",
                     (unsigned long long)count);
  }
  if ((network->value != NULL || bdag_any_value(count, values)) &&
      bdag_network_grow_values(network, count) != 0) {
    return bdag_fail_memory(error);
  }
  return BDAG_OK;
}

static uint64_t append_parameters(bdag_network *network, uint64_t count, const double *values) {
  const uint64_t first = network->parameter_count;
  const size_t bytes = (size_t)count * sizeof *values;
  if (network->value != NULL && values != NULL)
    memcpy(network->value + first, values, bytes);
  else if (network->value != NULL)
    memset(network->value + first, 0, bytes);
  network->parameter_count += count;
  return first;
}

bdag_status bdag_network_add_parameters(bdag_network *network, uint64_t count, const double *values,
                                        uint64_t *first, bdag_error *error) {
  bdag_status status = check_count(network, count, "parameter", error);
  if (status != BDAG_OK) return status;
  const uint64_t bad = values != NULL ? bdag_first_not_finite(count, values) : count;
  if (bad < count) {
    return bdag_fail(error, BDAG_ERROR_NOT_FINITE,
                     "the value of parameter %llu of this call is not finite; use a finite number",
                     (unsigned long long)bad);
  }
  status = make_room_for_parameters(network, count, values, error);
  if (status != BDAG_OK) return status;
  const uint64_t id = append_parameters(network, count, values);
  if (first != NULL) *first = id;
  return BDAG_OK;
}

/* ---- Edges ---- */

static int edge_is_good(const bdag_network *network, uint32_t source, uint32_t target) {
  return bdag_network_has_vertex(network, source) && bdag_network_has_vertex(network, target) &&
         network->vertex_kind[target] == BDAG_VERTEX_NEURON && source != target;
}

static bdag_status refuse_edge(const bdag_network *network, uint64_t i, uint32_t source,
                               uint32_t target, bdag_error *error) {
  const unsigned long long index = i;
  for (int end = 0; end < 2; end++) {
    const uint32_t vertex = end == 0 ? source : target;
    if (bdag_network_has_vertex(network, vertex)) continue;
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "edge %llu of this call, %u -> %u: its %s %s; add the vertex first", index,
                     source, target, end == 0 ? "source" : "target",
                     vertex < network->vertex_count ? "was removed" : "does not exist");
  }
  if (source == target) {
    return bdag_fail(
        error, BDAG_ERROR_CYCLE,
        "edge %llu of this call, %u -> %u, is a self-loop; the network must be acyclic", index,
        source, target);
  }
  return bdag_fail(
      error, BDAG_ERROR_INVALID_ARGUMENT,
      "edge %llu of this call, %u -> %u: its target is %s, which has no incoming edges", index,
      source, target,
      network->vertex_kind[target] == BDAG_VERTEX_INPUT ? "an input" : "a constant");
}

static bdag_status check_edges(const bdag_network *network, uint64_t count, const uint32_t *sources,
                               const uint32_t *targets, bdag_error *error) {
  const bdag_status status = check_count(network, count, "edge", error);
  if (status != BDAG_OK) return status;
  if (sources == NULL || targets == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "%s is NULL; edges need both of their ends",
                     sources == NULL ? "sources" : "targets");
  }
  for (uint64_t i = 0; i < count; i++) {
    if (!edge_is_good(network, sources[i], targets[i])) {
      return refuse_edge(network, i, sources[i], targets[i], error);
    }
  }
  if (count > UINT64_MAX - 1 - network->edge_count) {
    return bdag_fail(error, BDAG_ERROR_LIMIT, "the network has too many edges for %llu more",
                     (unsigned long long)count);
  }
  return BDAG_OK;
}

static uint64_t append_edges(bdag_network *network, uint64_t count, const uint32_t *sources,
                             const uint32_t *targets) {
  const uint64_t first = network->edge_count;
  memcpy(network->source + first, sources, (size_t)count * sizeof *sources);
  memcpy(network->target + first, targets, (size_t)count * sizeof *targets);
  if (network->edge_flags != NULL) memset(network->edge_flags + first, 0, (size_t)count);
  network->edge_count += count;
  return first;
}

/* Takes over `parameters`; NULL: consecutive from first_parameter on. */
static void append_run(bdag_network *network, uint64_t first_edge, uint64_t count,
                       uint64_t first_parameter, uint64_t *parameters) {
  bdag_parameter_run *const last =
      network->run_count > 0 ? &network->run[network->run_count - 1] : NULL;
  if (parameters == NULL && last != NULL && last->parameters == NULL &&
      last->first_parameter + last->count == first_parameter) {
    last->count += count;
    return;
  }
  network->run[network->run_count++] =
      (bdag_parameter_run){first_edge, count, first_parameter, parameters};
}

bdag_status bdag_network_add_edges(bdag_network *network, uint64_t count, const uint32_t *sources,
                                   const uint32_t *targets, const double *weights, uint64_t *first,
                                   bdag_error *error) {
  bdag_status status = check_edges(network, count, sources, targets, error);
  if (status != BDAG_OK) return status;
  const uint64_t bad = weights != NULL ? bdag_first_not_finite(count, weights) : count;
  if (bad < count) {
    return bdag_fail(error, BDAG_ERROR_NOT_FINITE,
                     "edge %llu of this call, %u -> %u: its weight is not finite; use a finite one",
                     (unsigned long long)bad, sources[bad], targets[bad]);
  }
  if (bdag_network_grow_edges(network, count) != 0 || bdag_network_grow_runs(network) != 0) {
    return bdag_fail_memory(error);
  }
  status = make_room_for_parameters(network, count, weights, error);
  if (status != BDAG_OK) return status;
  const uint64_t id = append_edges(network, count, sources, targets);
  append_run(network, id, count, append_parameters(network, count, weights), NULL);
  if (first != NULL) *first = id;
  return BDAG_OK;
}

static int are_consecutive(uint64_t count, const uint64_t *parameters) {
  for (uint64_t i = 1; i < count; i++) {
    if (parameters[i] != parameters[0] + i) return 0;
  }
  return 1;
}

bdag_status bdag_network_add_tied_edges(bdag_network *network, uint64_t count,
                                        const uint32_t *sources, const uint32_t *targets,
                                        const uint64_t *parameters, uint64_t *first,
                                        bdag_error *error) {
  const bdag_status status = check_edges(network, count, sources, targets, error);
  if (status != BDAG_OK) return status;
  if (parameters == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "parameters is NULL; tied edges need a parameter each");
  }
  for (uint64_t i = 0; i < count; i++) {
    if (parameters[i] < network->parameter_count) continue;
    return bdag_fail(
        error, BDAG_ERROR_UNKNOWN_ID,
        "edge %llu of this call, %u -> %u: parameter %llu does not exist; add it first",
        (unsigned long long)i, sources[i], targets[i], (unsigned long long)parameters[i]);
  }
  uint64_t *list = NULL;
  if (!are_consecutive(count, parameters)) {
    list = bdag_allocate_array(network->context, count, sizeof *list);
    if (list == NULL) return bdag_fail_memory(error);
    memcpy(list, parameters, (size_t)count * sizeof *list);
  }
  if (bdag_network_grow_edges(network, count) != 0 || bdag_network_grow_runs(network) != 0) {
    bdag_free(network->context, list);
    return bdag_fail_memory(error);
  }
  const uint64_t id = append_edges(network, count, sources, targets);
  append_run(network, id, count, parameters[0], list);
  if (first != NULL) *first = id;
  return BDAG_OK;
}
