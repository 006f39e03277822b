/* Cases without layers: irregular, small-world, cascade and evolved networks. */
#include "cases.h"

#include <math.h>

bench_graph *bench_build_irregular(uint64_t vertices, uint64_t index, uint64_t seed) {
  enum { INPUTS = 256, WINDOW = 2048 };
  bench_random random = {seed + index};
  bench_graph *graph = bench_graph_create((uint32_t)vertices, INPUTS, vertices * 17);
  bench_graph_activate(graph, INPUTS, (uint32_t)vertices - INPUTS, BDAG_TANH, 0.0);
  uint64_t edge = 0;
  for (uint32_t v = INPUTS; v < vertices; v++) {
    const uint32_t degree = 12 + (uint32_t)bench_random_below(&random, 9);
    const uint32_t window = v < WINDOW ? v : WINDOW;
    for (uint32_t i = 0; i < degree; i++, edge++) {
      const uint32_t u = edge % 8 == 0 ? (uint32_t)bench_random_below(&random, v)
                                       : v - 1 - (uint32_t)bench_random_below(&random, window);
      bench_graph_add_edge(graph, u, v, sqrt(1.2 / degree) * bench_random_normal(&random));
    }
  }
  bench_graph_set_sinks_as_outputs(graph, BDAG_MEAN_SQUARED_ERROR);
  return graph;
}

/* D. Watts and S. Strogatz, Nature 393 (1998), made acyclic: a vertex reads its 16 predecessors on the
 * line, each edge rewired to anywhere before with probability 0.1. */
bench_graph *bench_build_small_world(uint64_t vertices, uint64_t index, uint64_t seed) {
  enum { INPUTS = 64, NEIGHBOURS = 16 };
  bench_random random = {seed + index};
  bench_graph *graph = bench_graph_create((uint32_t)vertices, INPUTS, vertices * NEIGHBOURS);
  bench_graph_activate(graph, INPUTS, (uint32_t)vertices - INPUTS, BDAG_TANH, 0.0);
  for (uint32_t v = INPUTS; v < vertices; v++)
    for (uint32_t i = 1; i <= NEIGHBOURS; i++) {
      const int rewired = bench_random_uniform(&random) < 0.1;
      const uint32_t u = rewired ? (uint32_t)bench_random_below(&random, v) : v - i;
      bench_graph_add_edge(graph, u, v, sqrt(1.2 / NEIGHBOURS) * bench_random_normal(&random));
    }
  bench_graph_set_sinks_as_outputs(graph, BDAG_MEAN_SQUARED_ERROR);
  return graph;
}

bench_graph *bench_build_cascade(uint64_t hidden, uint64_t index, uint64_t seed) {
  enum { INPUTS = 64, OUTPUTS = 10 };
  bench_random random = {seed + index};
  const uint32_t vertices = INPUTS + (uint32_t)hidden + OUTPUTS;
  bench_graph *graph = bench_graph_create(vertices, INPUTS, (uint64_t)vertices * vertices / 2);
  bench_graph_activate(graph, INPUTS, (uint32_t)hidden, BDAG_TANH, 0.0);
  for (uint32_t v = INPUTS; v < vertices; v++) {
    const uint32_t before = v < INPUTS + hidden ? v : INPUTS + (uint32_t)hidden;
    for (uint32_t u = 0; u < before; u++)
      bench_graph_add_edge(graph, u, v, sqrt(1.0 / before) * bench_random_normal(&random));
  }
  bench_graph_set_outputs(graph, INPUTS + (uint32_t)hidden, OUTPUTS, BDAG_MEAN_SQUARED_ERROR);
  return graph;
}

/* What evolution leaves: a few inputs, random edges forward, several activations. `edges` 0: 20 to 200
 * of them, drawn per member. */
bench_graph *bench_build_evolved(uint64_t edges, uint64_t index, uint64_t seed) {
  enum { INPUTS = 8, OUTPUTS = 2 };
  static const uint32_t kinds[] = {BDAG_TANH, BDAG_SIGMOID, BDAG_RELU, BDAG_SIN, BDAG_GAUSSIAN};
  bench_random random = {seed * 1000003u + index};
  if (edges == 0) edges = 20 + bench_random_below(&random, 181);
  const uint32_t hidden = (uint32_t)(edges / 4);
  const uint32_t vertices = INPUTS + hidden + OUTPUTS;
  bench_graph *graph = bench_graph_create(vertices, INPUTS, edges);
  for (uint32_t v = INPUTS; v < INPUTS + hidden; v++)
    bench_graph_activate(graph, v, 1, kinds[bench_random_below(&random, 5)], 0.0);
  bench_graph_activate(graph, INPUTS + hidden, OUTPUTS, BDAG_TANH, 0.0);
  for (uint64_t e = 0; e < edges; e++) {
    /* Every neuron gets one in-edge first. */
    const uint32_t neurons = hidden + OUTPUTS;
    const uint32_t v = INPUTS + (uint32_t)(e < neurons ? e : bench_random_below(&random, neurons));
    const uint32_t before = v < INPUTS + hidden ? v : INPUTS + hidden;
    bench_graph_add_edge(graph, (uint32_t)bench_random_below(&random, before), v,
                         bench_random_normal(&random));
  }
  bench_graph_set_outputs(graph, INPUTS + hidden, OUTPUTS, BDAG_MEAN_SQUARED_ERROR);
  return graph;
}
