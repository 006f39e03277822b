/* The oracle's own picture of a network, and its augmented form with Loss as a vertex. */
#ifndef ORACLE_NETWORK_H
#define ORACLE_NETWORK_H

#include "oracle_activation.h"
#include "oracle_loss.h"

typedef enum oracle_kind { NEURON, INPUT, CONSTANT, REMOVED } oracle_kind;

#define NO_BIAS SIZE_MAX

typedef struct oracle_vertex {
  oracle_kind kind;
  oracle_activation activation;
  double response; /* factor of the weighted sum */
  int mean;        /* non-zero: the sum is divided by the number of edges into the vertex */
  size_t bias;     /* a parameter, or NO_BIAS */
  size_t column;   /* of x; inputs */
  double value;    /* constants */
} oracle_vertex;

typedef struct oracle_edge {
  size_t source, target, parameter;
  int absent; /* removed or disabled */
} oracle_edge;

typedef struct oracle_network {
  size_t vertex_count, edge_count, parameter_count, input_count, term_count, target_count;
  oracle_vertex *vertex;
  oracle_edge *edge;
  double *parameter;
  oracle_loss_term *term;
} oracle_network;

/* The augmented network: V ∪ {Loss}, with an edge v → Loss for each v in N_loss. Loss has the number
 * vertex_count; its edges are numbered after the network's own. */
typedef struct oracle_graph {
  size_t loss;
  size_t *source;     /* of each edge */
  size_t *back_first; /* back(v) are the edges back[back_first[v]] … back[back_first[v + 1] − 1] */
  size_t *back;
} oracle_graph;

/* Memory full of zeros; ends the test when there is none. */
void *oracle_zeros(size_t count, size_t size);

/* A network without edges and terms yet: `inputs` inputs, then neurons, all of them identities with
 * response 1 and no bias. */
void oracle_network_init(oracle_network *network, size_t inputs, size_t neurons);
size_t oracle_add_parameter(oracle_network *network, double value);
/* An edge with a parameter of its own, and one with a given parameter; they return the edge. */
size_t oracle_add_edge(oracle_network *network, size_t source, size_t target, double weight);
size_t oracle_add_tied_edge(oracle_network *network, size_t source, size_t target,
                            size_t parameter);
/* A term with a copy of `vertex`, λ = 1 and parameter 1; its targets follow those before it. */
oracle_loss_term *oracle_add_term(oracle_network *network, uint32_t kind, size_t n,
                                  const size_t *vertex, size_t target_count);
void oracle_network_free(oracle_network *network);

void oracle_augment(oracle_graph *graph, const oracle_network *network);
void oracle_graph_free(oracle_graph *graph);

#endif
