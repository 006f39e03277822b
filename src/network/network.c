/* Life of a network: creation, copy, release, reservation. Floor 1. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "network/storage.h"

bdag_status bdag_network_create(bdag_network **network, bdag_context *context, bdag_error *error) {
  if (network == NULL || context == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "%s is NULL; a network needs a context and a place to be returned in",
                     network == NULL ? "network" : "context");
  }
  *network = bdag_allocate_zeroed(context, 1, sizeof **network);
  if (*network == NULL) return bdag_fail_memory(error);
  (*network)->context = context;
  return BDAG_OK;
}

void bdag_network_destroy(bdag_network *network) {
  if (network == NULL) return;
  const bdag_context *const context = network->context;
  bdag_network_clear_loss(network);
  for (uint64_t r = 0; r < network->run_count; r++) bdag_free(context, network->run[r].parameters);
  void *const arrays[] = {
      network->vertex_kind,
      network->vertex_removed,
      network->aggregation,
      network->activation,
      network->activation_parameter,
      network->response,
      network->bias_parameter,
      network->key,
      network->source,
      network->target,
      network->edge_flags,
      network->run,
      network->value,
      network->input,
      network->output,
      network->loss,
      network,
  };
  for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) bdag_free(context, arrays[i]);
}

/* Replaces a borrowed array by a copy of its own; on failure by NULL, so that what was copied can be
 * released. */
static int own(const bdag_context *context, void **array, uint64_t count, size_t size) {
  const void *const borrowed = *array;
  if (borrowed == NULL) return 0;
  *array = bdag_allocate_array(context, count, size);
  if (*array == NULL) return -1;
  if (count > 0) memcpy(*array, borrowed, (size_t)count * size);
  return 0;
}

static int own_arrays(bdag_network *copy) {
  const bdag_context *const context = copy->context;
  const uint64_t vertices = copy->vertex_count, edges = copy->edge_count;
  const struct {
    void **array;
    uint64_t count;
    size_t size;
  } list[] = {
      {(void **)&copy->vertex_kind, vertices, sizeof *copy->vertex_kind},
      {(void **)&copy->vertex_removed, vertices, sizeof *copy->vertex_removed},
      {(void **)&copy->aggregation, vertices, sizeof *copy->aggregation},
      {(void **)&copy->activation, vertices, sizeof *copy->activation},
      {(void **)&copy->activation_parameter, vertices, sizeof *copy->activation_parameter},
      {(void **)&copy->response, vertices, sizeof *copy->response},
      {(void **)&copy->bias_parameter, vertices, sizeof *copy->bias_parameter},
      {(void **)&copy->key, vertices, sizeof *copy->key},
      {(void **)&copy->source, edges, sizeof *copy->source},
      {(void **)&copy->target, edges, sizeof *copy->target},
      {(void **)&copy->edge_flags, edges, sizeof *copy->edge_flags},
      {(void **)&copy->run, copy->run_count, sizeof *copy->run},
      {(void **)&copy->value, copy->parameter_count, sizeof *copy->value},
      {(void **)&copy->input, copy->input_count, sizeof *copy->input},
      {(void **)&copy->output, copy->output_count, sizeof *copy->output},
      {(void **)&copy->loss, copy->loss_count, sizeof *copy->loss},
  };
  int failed = 0;
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    /* After a failure the rest must not point into the original. */
    if (failed)
      *list[i].array = NULL;
    else
      failed = own(context, list[i].array, list[i].count, list[i].size);
  }
  return failed;
}

/* What runs and loss terms point to. Counts are raised one by one: they say what can be released. */
static int own_inner_arrays(bdag_network *copy, const bdag_network *network) {
  for (uint64_t r = 0; r < network->run_count; r++) {
    const uint64_t count = copy->run[r].count;
    copy->run_count = r + 1;
    if (own(copy->context, (void **)&copy->run[r].parameters, count, sizeof(uint64_t)) != 0) {
      return -1;
    }
  }
  for (uint64_t t = 0; t < network->loss_count; t++) {
    const uint64_t count = copy->loss[t].vertex_count;
    copy->loss_count = t + 1;
    if (own(copy->context, (void **)&copy->loss[t].vertices, count, sizeof(uint32_t)) != 0) {
      return -1;
    }
  }
  return 0;
}

bdag_status bdag_network_copy(bdag_network **copy, const bdag_network *network, bdag_error *error) {
  if (copy == NULL || network == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT,
                     "%s is NULL; a copy needs a network and a place to be returned in",
                     copy == NULL ? "copy" : "network");
  }
  *copy = NULL;
  bdag_network *const made = bdag_allocate(network->context, sizeof *made);
  if (made == NULL) return bdag_fail_memory(error);
  *made = *network;
  int failed = own_arrays(made);
  made->vertex_capacity = made->vertex_count;
  made->edge_capacity = made->edge_count;
  made->run_capacity = made->run_count;
  made->value_capacity = made->parameter_count;
  made->input_capacity = made->input_count;
  made->loss_capacity = made->loss_count;
  made->run_count = made->loss_count = 0;
  if (!failed) failed = own_inner_arrays(made, network);
  if (failed) {
    bdag_network_destroy(made);
    return bdag_fail_memory(error);
  }
  *copy = made;
  return BDAG_OK;
}

bdag_status bdag_network_reserve(bdag_network *network, uint64_t vertices, uint64_t edges,
                                 bdag_error *error) {
  if (network == NULL) {
    return bdag_fail(error, BDAG_ERROR_INVALID_ARGUMENT, "network is NULL; create one first");
  }
  uint64_t edge_total, parameters;
  if (vertices > UINT32_MAX - network->vertex_count ||
      __builtin_add_overflow(network->edge_count, edges, &edge_total) ||
      __builtin_add_overflow(network->parameter_count, edges + vertices, &parameters) ||
      edges > UINT64_MAX - vertices || parameters == UINT64_MAX) {
    return bdag_fail(
        error, BDAG_ERROR_LIMIT,
        "no room can be made for %llu more vertices and %llu more edges: a network has "
        "at most 4294967295 vertices and fewer than 2^64 parameters",
        (unsigned long long)vertices, (unsigned long long)edges);
  }
  if (bdag_network_grow_vertices(network, vertices) != 0 ||
      bdag_network_grow_edges(network, edges) != 0) {
    return bdag_fail_memory(error);
  }
  if (network->value == NULL) {
    if (parameters > network->value_capacity) network->value_capacity = parameters;
  } else if (bdag_network_grow_values(network, vertices + edges) != 0) {
    return bdag_fail_memory(error);
  }
  return BDAG_OK;
}
