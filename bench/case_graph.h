/* A case's network as plain arrays, before it is shuffled and handed to backdag: the peers read these
 * arrays, so that both sides work on the same numbers. Weights are representable in float32.
 *
 * Vertex ids are a topological order (source < target); inputs come first. */
#ifndef BENCH_CASE_GRAPH_H
#define BENCH_CASE_GRAPH_H

#include <backdag/backdag.h>

#include "bench_base.h"

typedef struct bench_graph {
  uint32_t vertex_count, input_count, output_count;
  uint32_t *activation; /* [vertex_count] kinds */
  double *parameter;    /* [vertex_count] */
  double *bias;         /* [vertex_count] */
  uint64_t edge_count, edge_capacity;
  uint32_t *source, *target;
  double *weight;
  uint32_t *output; /* [output_count] */
  uint32_t loss;    /* BDAG_CLASS_CROSS_ENTROPY or BDAG_MEAN_SQUARED_ERROR over the outputs */
  /* Layered graphs only: layer l holds vertices layer_first[l] … layer_first[l+1]−1. */
  uint32_t layer_count;
  uint32_t *layer_first; /* [layer_count + 1] */
} bench_graph;

bench_graph *bench_graph_create(uint32_t vertices, uint32_t inputs, uint64_t expected_edges);
void bench_graph_destroy(bench_graph *graph);
void bench_graph_add_edge(bench_graph *graph, uint32_t source, uint32_t target, double weight);
/* Activation of vertices first … first+count−1. */
void bench_graph_activate(bench_graph *graph, uint32_t first, uint32_t count, uint32_t kind,
                          double parameter);
/* Outputs first … first+count−1, which are also the vertices of the loss. */
void bench_graph_set_outputs(bench_graph *graph, uint32_t first, uint32_t count, uint32_t loss);
/* Every vertex without a successor becomes an output. */
void bench_graph_set_sinks_as_outputs(bench_graph *graph, uint32_t loss);
void bench_graph_set_layers(bench_graph *graph, uint32_t layers, const uint32_t *sizes);

/* The graph as a backdag network: single edges in shuffled order, vertices behind the inputs
 * renumbered at random. `vertex_map` [vertex_count] and `edge_map` [edge_count] receive the ids in the
 * network and belong to the caller; bench_free releases them. */
bdag_status bench_graph_to_network(const bench_graph *graph, bdag_context *context, uint64_t seed,
                                   bdag_network **network, uint32_t **vertex_map,
                                   uint64_t **edge_map, bdag_error *error);

#endif
