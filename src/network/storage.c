/* Arrays that grow together. An array may be larger than the common capacity says, never smaller, so
 * that a failure half-way leaves the network as it was. Floor 1. */
#include "network/storage.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"

typedef struct column {
  void **array;
  size_t size;
} column;

static int grow_columns(bdag_network *network, const column *columns, size_t column_count,
                        uint64_t used, uint64_t needed, uint64_t *capacity) {
  uint64_t reached = *capacity;
  for (size_t i = 0; i < column_count; i++) {
    uint64_t grown = *capacity;
    if (bdag_grow(network->context, columns[i].array, &grown, used, needed, columns[i].size) != 0) {
      return -1;
    }
    reached = grown;
  }
  *capacity = reached;
  return 0;
}

int bdag_network_grow_vertices(bdag_network *network, uint64_t more) {
  const column columns[] = {
      {(void **)&network->vertex_kind, sizeof *network->vertex_kind},
      {(void **)&network->vertex_removed, sizeof *network->vertex_removed},
      {(void **)&network->aggregation, sizeof *network->aggregation},
      {(void **)&network->activation, sizeof *network->activation},
      {(void **)&network->activation_parameter, sizeof *network->activation_parameter},
      {(void **)&network->response, sizeof *network->response},
      {(void **)&network->bias_parameter, sizeof *network->bias_parameter},
      {(void **)&network->key, sizeof *network->key}, /* last: present only when set */
  };
  const size_t count = sizeof columns / sizeof columns[0] - (network->key == NULL);
  return grow_columns(network, columns, count, network->vertex_count, network->vertex_count + more,
                      &network->vertex_capacity);
}

int bdag_network_grow_edges(bdag_network *network, uint64_t more) {
  const column columns[] = {
      {(void **)&network->source, sizeof *network->source},
      {(void **)&network->target, sizeof *network->target},
      {(void **)&network->edge_flags,
       sizeof *network->edge_flags}, /* last: present only when set */
  };
  const size_t count = sizeof columns / sizeof columns[0] - (network->edge_flags == NULL);
  return grow_columns(network, columns, count, network->edge_count, network->edge_count + more,
                      &network->edge_capacity);
}

int bdag_network_grow_runs(bdag_network *network) {
  return bdag_grow(network->context, (void **)&network->run, &network->run_capacity,
                   network->run_count, network->run_count + 1, sizeof *network->run);
}

/* value_capacity may have been raised by a reservation before the array exists. */
int bdag_network_grow_values(bdag_network *network, uint64_t more) {
  const uint64_t count = network->parameter_count;
  if (network->value != NULL) {
    return bdag_grow(network->context, (void **)&network->value, &network->value_capacity, count,
                     count + more, sizeof *network->value);
  }
  uint64_t capacity =
      count + more > network->value_capacity ? count + more : network->value_capacity;
  if (capacity == 0) capacity = 1;
  network->value = bdag_allocate_array(network->context, capacity, sizeof *network->value);
  if (network->value == NULL) return -1;
  memset(network->value, 0, (size_t)count * sizeof *network->value);
  network->value_capacity = capacity;
  return 0;
}

int bdag_network_make_edge_flags(bdag_network *network) {
  if (network->edge_flags != NULL) return 0;
  network->edge_flags =
      bdag_allocate_zeroed(network->context, network->edge_capacity, sizeof *network->edge_flags);
  return network->edge_flags != NULL ? 0 : -1;
}

int bdag_network_make_keys(bdag_network *network) {
  if (network->key != NULL) return 0;
  network->key =
      bdag_allocate_array(network->context, network->vertex_capacity, sizeof *network->key);
  if (network->key == NULL) return -1;
  for (uint32_t v = 0; v < network->vertex_count; v++) network->key[v] = v;
  return 0;
}

int bdag_any_value(uint64_t count, const double *values) {
  for (uint64_t i = 0; values != NULL && i < count; i++) {
    if (values[i] != 0.0 || signbit(values[i])) return 1;
  }
  return 0;
}

uint64_t bdag_first_not_finite(uint64_t count, const double *values) {
  for (uint64_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) return i;
  }
  return count;
}
