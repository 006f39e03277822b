/* Reading a network from JSON, in steps: vertices, edges, then what neat-python's format cannot say.
 * Floor 5: may include base, network. */
#ifndef BDAG_IO_JSON_NETWORK_H
#define BDAG_IO_JSON_NETWORK_H

#include <backdag/network.h>

#include "io/json_value.h"

/* The newest "backdag" object that this library understands. */
#define BDAG_JSON_READER 1

typedef struct bdag_json_key {
  int64_t key;
  uint32_t vertex;
} bdag_json_key;

/* A file on its way to a network. The arrays are by vertex id: the order of "nodes". */
typedef struct bdag_json_source {
  bdag_json_reader reader;
  const json_t *root;
  const json_t *extension; /* the "backdag" object, or NULL */
  bdag_network *network;
  uint64_t vertex_count, neuron_count;
  int64_t *key;
  uint8_t *kind, *role;
  bdag_activation *activation;
  bdag_aggregation *aggregation;
  double *bias, *response;
  uint32_t *neuron;      /* ids of the neurons, [neuron_count] */
  bdag_json_key *sorted; /* by key */
  uint64_t sorted_count;
} bdag_json_source;

/* Reads "topology" and "nodes" into the arrays. */
bdag_status bdag_json_read_vertices(bdag_json_source *source);
/* Adds the vertices to the network. */
bdag_status bdag_json_build_vertices(bdag_json_source *source);
/* Declares the outputs by "topology.output_keys" and the extension's read-outs. */
bdag_status bdag_json_build_outputs(bdag_json_source *source);
void bdag_json_release(bdag_json_source *source);

/* Vertex of a key, or BDAG_NONE. */
uint64_t bdag_json_find_vertex(const bdag_json_source *source, int64_t key);
/* Vertex whose key is element `index` of a list that is called `name`. */
bdag_status bdag_json_vertex_at(const bdag_json_source *source, const json_t *list,
                                const char *name, uint64_t index, uint32_t *vertex);

/* The extension: checks its version; turns nodes into constants (before building); takes biases away;
 * reads shared parameters; adds losses and normalization. Each does nothing without an extension. */
bdag_status bdag_json_open_extension(bdag_json_source *source);
bdag_status bdag_json_mark_constants(bdag_json_source *source);
bdag_status bdag_json_remove_biases(const bdag_json_source *source);
/* parameters[edge_count] receives the parameter of each edge, or NULL when every edge has its own. The
 * caller releases it. */
bdag_status bdag_json_read_parameters(bdag_json_source *source, uint64_t edge_count,
                                      const double *weights, uint64_t **parameters);
/* Read-outs of `count` outputs. */
bdag_status bdag_json_read_outs(const bdag_json_source *source, uint64_t count,
                                bdag_output *outputs);
bdag_status bdag_json_build_losses(const bdag_json_source *source);

#endif
