/* RadiX-Nets: J. Kepner and R. Robinett, "RadiX-Net: structured sparse matrices for deep neural
 * networks", IPDPSW 2019; weights of the Sparse DNN Graph Challenge or He's. */
#include "cases.h"

#include <math.h>

enum { LAYERS = 120, DEGREE = 32 };

/* Neuron j of a layer reads (j + k·place) mod n, k = 0 … 31; the place values 1, 32, … of one system
 * of radices repeat, the last one such that the system spans n. */
static bench_graph *radix(uint32_t n, uint32_t activation, double parameter) {
  uint32_t place[4], places = 0;
  for (uint64_t p = 1; p * DEGREE <= n; p *= DEGREE) place[places++] = (uint32_t)p;
  if ((uint64_t)place[places - 1] * DEGREE < n) place[places++] = n / DEGREE;
  const uint32_t vertices = n * (LAYERS + 1);
  bench_graph *graph = bench_graph_create(vertices, n, (uint64_t)n * LAYERS * DEGREE);
  uint32_t sizes[LAYERS + 1];
  for (uint32_t l = 0; l <= LAYERS; l++) sizes[l] = n;
  bench_graph_set_layers(graph, LAYERS + 1, sizes);
  bench_graph_activate(graph, n, vertices - n, activation, parameter);
  for (uint32_t l = 0; l < LAYERS; l++)
    for (uint32_t j = 0; j < n; j++)
      for (uint32_t k = 0; k < DEGREE; k++)
        bench_graph_add_edge(graph, l * n + (j + k * place[l % places]) % n, (l + 1) * n + j,
                             0.0625);
  bench_graph_set_outputs(graph, vertices - n, n, BDAG_MEAN_SQUARED_ERROR);
  return graph;
}

bench_graph *bench_build_radix(uint64_t neurons, uint64_t index, uint64_t seed) {
  bench_graph *graph = radix((uint32_t)neurons, BDAG_RELU, 0.0);
  bench_random random = {seed + index};
  const double deviation = sqrt(2.0 / DEGREE);
  for (uint64_t e = 0; e < graph->edge_count; e++)
    graph->weight[e] = (float)(deviation * bench_random_normal(&random));
  return graph;
}

bench_graph *bench_build_radix_challenge(uint64_t neurons, uint64_t index, uint64_t seed) {
  bench_graph *graph = radix((uint32_t)neurons, BDAG_CLIPPED_RELU, 32.0);
  const double bias = neurons <= 1024 ? -0.3 : neurons <= 4096 ? -0.35 : -0.4;
  for (uint32_t v = graph->input_count; v < graph->vertex_count; v++) graph->bias[v] = (float)bias;
  return graph;
}
