/* Edits after building: edges and vertices are marked as removed, so that ids stay. Floor 1. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "network/storage.h"

static bdag_status check_edge_list(const bdag_network *network, uint64_t count,
                                   const uint64_t *edges, bdag_error *error) {
  if (network == NULL || (count > 0 && edges == NULL)) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s is NULL",
                     network == NULL ? "network" : "edges");
  }
  for (uint64_t i = 0; i < count; i++) {
    if (edges[i] < network->edge_count &&
        (network->edge_flags == NULL || !(network->edge_flags[edges[i]] & BDAG_EDGE_REMOVED))) {
      continue;
    }
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "edge %llu, number %llu of this call, does not exist or was removed",
                     (unsigned long long)edges[i], (unsigned long long)i);
  }
  return BDAG_OK;
}

bdag_status bdag_network_remove_edges(bdag_network *network, uint64_t count, const uint64_t *edges,
                                      bdag_error *error) {
  const bdag_status status = check_edge_list(network, count, edges, error);
  if (status != BDAG_OK || count == 0) return status;
  if (bdag_network_make_edge_flags(network) != 0) return bdag_fail_memory(error);
  for (uint64_t i = 0; i < count; i++) network->edge_flags[edges[i]] |= BDAG_EDGE_REMOVED;
  return BDAG_OK;
}

bdag_status bdag_network_enable_edges(bdag_network *network, uint64_t count, const uint64_t *edges,
                                      int enabled, bdag_error *error) {
  const bdag_status status = check_edge_list(network, count, edges, error);
  if (status != BDAG_OK || count == 0) return status;
  if (enabled && network->edge_flags == NULL) return BDAG_OK;
  if (bdag_network_make_edge_flags(network) != 0) return bdag_fail_memory(error);
  for (uint64_t i = 0; i < count; i++) {
    if (enabled)
      network->edge_flags[edges[i]] &= (uint8_t)~BDAG_EDGE_DISABLED;
    else
      network->edge_flags[edges[i]] |= BDAG_EDGE_DISABLED;
  }
  return BDAG_OK;
}

static bdag_status check_vertex_list(const bdag_network *network, uint64_t count,
                                     const uint32_t *vertices, bdag_error *error) {
  if (network == NULL || (count > 0 && vertices == NULL)) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s is NULL",
                     network == NULL ? "network" : "vertices");
  }
  for (uint64_t i = 0; i < count; i++) {
    if (bdag_network_has_vertex(network, vertices[i])) continue;
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "vertex %u, number %llu of this call, does not exist or was removed",
                     vertices[i], (unsigned long long)i);
  }
  return BDAG_OK;
}

/* doomed[vertex]: is to be removed. */
static bdag_status check_uses(const bdag_network *network, const uint8_t *doomed,
                              bdag_error *error) {
  for (uint32_t i = 0; i < network->output_count; i++) {
    if (!doomed[network->output[i].vertex]) continue;
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "vertex %u is output %u; declare other outputs before removing it",
                     network->output[i].vertex, i);
  }
  for (uint64_t t = 0; t < network->loss_count; t++) {
    const bdag_stored_loss *const term = &network->loss[t];
    for (uint32_t i = 0; i < term->vertex_count; i++) {
      if (!doomed[term->vertices[i]]) continue;
      return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                       "vertex %u stands in loss term %llu; clear the loss before removing it",
                       term->vertices[i], (unsigned long long)t);
    }
  }
  return BDAG_OK;
}

static void remove_doomed(bdag_network *network, const uint8_t *doomed) {
  for (uint64_t e = 0; e < network->edge_count; e++) {
    if (doomed[network->source[e]] || doomed[network->target[e]]) {
      network->edge_flags[e] |= BDAG_EDGE_REMOVED;
    }
  }
  for (uint32_t v = 0; v < network->vertex_count; v++) network->vertex_removed[v] |= doomed[v];
  uint64_t kept = 0;
  for (uint64_t i = 0; i < network->input_count; i++) {
    if (!doomed[network->input[i]]) network->input[kept++] = network->input[i];
  }
  network->input_count = kept;
}

bdag_status bdag_network_remove_vertices(bdag_network *network, uint64_t count,
                                         const uint32_t *vertices, bdag_error *error) {
  bdag_status status = check_vertex_list(network, count, vertices, error);
  if (status != BDAG_OK || count == 0) return status;
  uint8_t *const doomed = bdag_allocate_zeroed(network->context, network->vertex_count, 1);
  if (doomed == NULL) return bdag_fail_memory(error);
  for (uint64_t i = 0; i < count; i++) doomed[vertices[i]] = 1;
  status = check_uses(network, doomed, error);
  if (status == BDAG_OK && bdag_network_make_edge_flags(network) != 0) {
    status = bdag_fail_memory(error);
  }
  if (status == BDAG_OK) remove_doomed(network, doomed);
  bdag_free(network->context, doomed);
  return status;
}

bdag_status bdag_network_set_parameters(bdag_network *network, uint64_t first, uint64_t count,
                                        const double *values, bdag_error *error) {
  if (network == NULL || (count > 0 && values == NULL)) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "%s is NULL",
                     network == NULL ? "network" : "values");
  }
  if (first > network->parameter_count || count > network->parameter_count - first) {
    return bdag_fail(error, BDAG_ERROR_UNKNOWN_ID,
                     "parameters from %llu on, %llu of them, reach beyond the network's %llu",
                     (unsigned long long)first, (unsigned long long)count,
                     (unsigned long long)network->parameter_count);
  }
  const uint64_t bad = bdag_first_not_finite(count, values);
  if (bad < count) {
    return bdag_fail(error, BDAG_ERROR_NOT_FINITE,
                     "the value of parameter %llu is not finite; use a finite number",
                     (unsigned long long)(first + bad));
  }
  if (count == 0 || (network->value == NULL && !bdag_any_value(count, values))) return BDAG_OK;
  if (bdag_network_grow_values(network, 0) != 0) return bdag_fail_memory(error);
  memcpy(network->value + first, values, (size_t)count * sizeof *values);
  return BDAG_OK;
}
