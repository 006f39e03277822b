/* The network's fields, for plan and io. Floor 1; may include base. */
#ifndef BDAG_NETWORK_INTERNAL_H
#define BDAG_NETWORK_INTERNAL_H

#include <backdag/network.h>

#include "base/context_internal.h"

/* Edges first_edge … first_edge+count−1 use consecutive parameters from first_parameter on, or, when
 * `parameters` is not NULL, parameters[i]. Runs are sorted by first_edge and cover all edges. */
typedef struct bdag_parameter_run {
  uint64_t first_edge, count, first_parameter;
  uint64_t *parameters;
} bdag_parameter_run;

typedef struct bdag_stored_loss {
  uint32_t kind, vertex_count;
  uint32_t *vertices;
  double weight, parameter;
  uint64_t target_first, target_count;
} bdag_stored_loss;

struct bdag_network {
  bdag_context *context;
  /* vertices, [vertex_count] */
  uint32_t vertex_count;
  uint64_t vertex_capacity;
  uint8_t *vertex_kind; /* bdag_vertex_kind */
  uint8_t *vertex_removed;
  uint8_t *aggregation;
  uint32_t *activation;         /* kind */
  double *activation_parameter; /* of a constant: its value */
  double *response;
  uint64_t *bias_parameter;
  int64_t *key; /* NULL while every key is the vertex id */
  /* edges, [edge_count] */
  uint64_t edge_count, edge_capacity;
  uint32_t *source, *target;
  uint8_t *edge_flags; /* NULL while all are 0 */
  bdag_parameter_run *run;
  uint64_t run_count, run_capacity;
  /* parameters, [parameter_count] */
  uint64_t parameter_count, value_capacity;
  double *value; /* NULL while all are 0 */
  /* inputs, outputs, losses */
  uint32_t *input;
  uint64_t input_count, input_capacity;
  bdag_output *output;
  uint32_t output_count;
  bdag_stored_loss *loss;
  uint64_t loss_count, loss_capacity;
  uint64_t target_count;
  bdag_normalization normalization;
};

/* Parameter of one edge; O(log runs). */
uint64_t bdag_network_edge_parameter(const bdag_network *network, uint64_t edge);
/* Edges that take part in a plan: not removed, not disabled. */
static inline int bdag_network_edge_active(const bdag_network *network, uint64_t edge) {
  return network->edge_flags == NULL || network->edge_flags[edge] == 0;
}

#endif
