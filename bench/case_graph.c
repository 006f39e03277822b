/* Plain arrays of a case's network, and their way through the public builder. */
#include "case_graph.h"

#include <string.h>

bench_graph *bench_graph_create(uint32_t vertices, uint32_t inputs, uint64_t expected_edges) {
  bench_graph *graph = bench_allocate(1, sizeof *graph);
  graph->vertex_count = vertices;
  graph->input_count = inputs;
  graph->activation = bench_allocate(vertices, sizeof *graph->activation);
  graph->parameter = bench_allocate(vertices, sizeof *graph->parameter);
  graph->bias = bench_allocate(vertices, sizeof *graph->bias);
  graph->edge_capacity = expected_edges > 0 ? expected_edges : 1;
  graph->source = bench_allocate(graph->edge_capacity, sizeof *graph->source);
  graph->target = bench_allocate(graph->edge_capacity, sizeof *graph->target);
  graph->weight = bench_allocate(graph->edge_capacity, sizeof *graph->weight);
  return graph;
}

void bench_graph_destroy(bench_graph *graph) {
  if (graph == NULL) return;
  bench_free(graph->activation);
  bench_free(graph->parameter);
  bench_free(graph->bias);
  bench_free(graph->source);
  bench_free(graph->target);
  bench_free(graph->weight);
  bench_free(graph->output);
  bench_free(graph->layer_first);
  bench_free(graph);
}

static void *grown(void *old, uint64_t used, uint64_t capacity, size_t size) {
  void *array = bench_allocate(capacity, size);
  memcpy(array, old, used * size);
  bench_free(old);
  return array;
}

void bench_graph_add_edge(bench_graph *graph, uint32_t source, uint32_t target, double weight) {
  const uint64_t e = graph->edge_count;
  if (e == graph->edge_capacity) {
    const uint64_t capacity = graph->edge_capacity + graph->edge_capacity / 2 + 16;
    graph->source = grown(graph->source, e, capacity, sizeof *graph->source);
    graph->target = grown(graph->target, e, capacity, sizeof *graph->target);
    graph->weight = grown(graph->weight, e, capacity, sizeof *graph->weight);
    graph->edge_capacity = capacity;
  }
  graph->source[e] = source;
  graph->target[e] = target;
  graph->weight[e] = (double)(float)weight;
  graph->edge_count = e + 1;
}

void bench_graph_activate(bench_graph *graph, uint32_t first, uint32_t count, uint32_t kind,
                          double parameter) {
  for (uint32_t v = first; v < first + count; v++) {
    graph->activation[v] = kind;
    graph->parameter[v] = parameter;
  }
}

void bench_graph_set_outputs(bench_graph *graph, uint32_t first, uint32_t count, uint32_t loss) {
  bench_free(graph->output);
  graph->output = bench_allocate(count, sizeof *graph->output);
  for (uint32_t i = 0; i < count; i++) graph->output[i] = first + i;
  graph->output_count = count;
  graph->loss = loss;
}

void bench_graph_set_sinks_as_outputs(bench_graph *graph, uint32_t loss) {
  uint8_t *has_successor = bench_allocate(graph->vertex_count, 1);
  for (uint64_t e = 0; e < graph->edge_count; e++) has_successor[graph->source[e]] = 1;
  bench_free(graph->output);
  graph->output = bench_allocate(graph->vertex_count, sizeof *graph->output);
  graph->output_count = 0;
  for (uint32_t v = graph->input_count; v < graph->vertex_count; v++)
    if (!has_successor[v]) graph->output[graph->output_count++] = v;
  graph->loss = loss;
  bench_free(has_successor);
}

void bench_graph_set_layers(bench_graph *graph, uint32_t layers, const uint32_t *sizes) {
  bench_free(graph->layer_first);
  graph->layer_first = bench_allocate(layers + 1, sizeof *graph->layer_first);
  graph->layer_count = layers;
  for (uint32_t l = 0; l < layers; l++)
    graph->layer_first[l + 1] = graph->layer_first[l] + sizes[l];
}

static bdag_status add_vertices(const bench_graph *graph, bdag_network *network,
                                const uint32_t *vertex_map, bdag_error *error) {
  const uint32_t inputs = graph->input_count, neurons = graph->vertex_count - inputs;
  bdag_status status = bdag_network_add_inputs(network, inputs, NULL, error);
  if (status != BDAG_OK) return status;
  status = bdag_network_add_vertices(network, neurons, NULL, NULL, error);
  if (status != BDAG_OK) return status;
  bdag_activation *activations = bench_allocate(neurons, sizeof *activations);
  for (uint32_t i = 0; i < neurons; i++) {
    activations[i].kind = graph->activation[inputs + i];
    activations[i].parameter = graph->parameter[inputs + i];
  }
  status = bdag_network_set_activations(network, neurons, vertex_map + inputs, activations, error);
  bench_free(activations);
  if (status != BDAG_OK) return status;
  return bdag_network_set_biases(network, neurons, vertex_map + inputs, graph->bias + inputs,
                                 error);
}

static bdag_status add_edges(const bench_graph *graph, bdag_network *network, bench_random *random,
                             const uint32_t *vertex_map, uint64_t *edge_map, bdag_error *error) {
  const uint64_t count = graph->edge_count;
  uint32_t *source = bench_allocate(count, sizeof *source);
  uint32_t *target = bench_allocate(count, sizeof *target);
  double *weight = bench_allocate(count, sizeof *weight);
  bench_random_permutation(random, count, edge_map);
  for (uint64_t e = 0; e < count; e++) {
    source[edge_map[e]] = vertex_map[graph->source[e]];
    target[edge_map[e]] = vertex_map[graph->target[e]];
    weight[edge_map[e]] = graph->weight[e];
  }
  const bdag_status status =
      bdag_network_add_edges(network, count, source, target, weight, NULL, error);
  bench_free(source);
  bench_free(target);
  bench_free(weight);
  return status;
}

static bdag_status add_outputs(const bench_graph *graph, bdag_network *network,
                               const uint32_t *vertex_map, bdag_error *error) {
  const uint32_t count = graph->output_count;
  bdag_output *outputs = bench_allocate(count, sizeof *outputs);
  uint32_t *vertices = bench_allocate(count, sizeof *vertices);
  for (uint32_t i = 0; i < count; i++)
    outputs[i].vertex = vertices[i] = vertex_map[graph->output[i]];
  bdag_status status = bdag_network_set_outputs(network, count, outputs, error);
  if (status == BDAG_OK) {
    const bdag_loss_term term = {graph->loss, count, vertices, 1.0, 1.0};
    status = bdag_network_add_loss(network, &term, error);
  }
  bench_free(outputs);
  bench_free(vertices);
  return status;
}

bdag_status bench_graph_to_network(const bench_graph *graph, bdag_context *context, uint64_t seed,
                                   bdag_network **network, uint32_t **vertex_map,
                                   uint64_t **edge_map, bdag_error *error) {
  bench_random random = {seed ^ 0x5bd1e995u};
  const uint32_t inputs = graph->input_count, neurons = graph->vertex_count - inputs;
  *vertex_map = bench_allocate(graph->vertex_count, sizeof **vertex_map);
  *edge_map = bench_allocate(graph->edge_count, sizeof **edge_map);
  uint64_t *order = bench_allocate(neurons, sizeof *order);
  bench_random_permutation(&random, neurons, order);
  for (uint32_t v = 0; v < inputs; v++) (*vertex_map)[v] = v;
  for (uint32_t i = 0; i < neurons; i++) (*vertex_map)[inputs + i] = inputs + (uint32_t)order[i];
  bench_free(order);
  bdag_status status = bdag_network_create(network, context, error);
  if (status == BDAG_OK)
    status = bdag_network_reserve(*network, graph->vertex_count, graph->edge_count, error);
  if (status == BDAG_OK) status = add_vertices(graph, *network, *vertex_map, error);
  if (status == BDAG_OK)
    status = add_edges(graph, *network, &random, *vertex_map, *edge_map, error);
  if (status == BDAG_OK) status = add_outputs(graph, *network, *vertex_map, error);
  return status;
}
