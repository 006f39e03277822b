/* Graphs whose tasks measure the minimum effective task granularity. May include graphs and random numbers. */
#include "metg_graph.h"

const char *const bench_metg_names[BENCH_METG_SHAPES] = {"chains", "stencil", "random"};

static void add_random_edges(bench_graph *graph, uint32_t v, uint32_t width, double weight,
                             bench_random *random) {
  const uint32_t window = v < 2 * width ? v : 2 * width;
  for (int i = 0; i < 2; i++) {
    const uint32_t source = v - 1 - (uint32_t)bench_random_below(random, window);
    bench_graph_add_edge(graph, source, v, weight);
  }
}

bench_graph *bench_metg_graph(bench_metg_shape shape, uint32_t width, uint32_t rows, double weight,
                              uint64_t seed) {
  bench_random random = {seed};
  bench_graph *graph = bench_graph_create(width * rows, width, 3u * width * rows);
  for (uint32_t v = width; v < width * rows; v++) {
    const uint32_t above = v - width, column = v % width;
    if (shape == BENCH_METG_RANDOM) {
      add_random_edges(graph, v, width, weight, &random);
      continue;
    }
    bench_graph_add_edge(graph, above, v, weight);
    if (shape == BENCH_METG_CHAINS) continue;
    if (column > 0) bench_graph_add_edge(graph, above - 1, v, weight);
    if (column + 1 < width) bench_graph_add_edge(graph, above + 1, v, weight);
  }
  return graph;
}
