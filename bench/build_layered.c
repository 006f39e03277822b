/* Layered cases: dense nets, sparse layers, dense layers with skips, deep narrow chains. */
#include "cases.h"

#include <math.h>

/* He's scale under ReLU, Glorot's for tanh. */
static double scale(uint32_t activation, uint32_t fan_in, uint32_t fan_out) {
  return activation == BDAG_RELU ? sqrt(2.0 / fan_in) : sqrt(2.0 / ((double)fan_in + fan_out));
}

static bench_graph *layered(uint32_t layers, const uint32_t *sizes, uint32_t activation,
                            uint32_t loss, uint64_t edges) {
  uint32_t vertices = 0;
  for (uint32_t l = 0; l < layers; l++) vertices += sizes[l];
  bench_graph *graph = bench_graph_create(vertices, sizes[0], edges);
  bench_graph_set_layers(graph, layers, sizes);
  const uint32_t last = sizes[layers - 1];
  bench_graph_activate(graph, sizes[0], vertices - sizes[0] - last, activation, 0.0);
  bench_graph_set_outputs(graph, vertices - last, last, loss);
  return graph;
}

/* Edges between layers l and l+1, each present with probability `density`. */
static void connect(bench_graph *graph, uint32_t l, uint32_t activation, double density,
                    bench_random *random) {
  const uint32_t source = graph->layer_first[l], target = graph->layer_first[l + 1];
  const uint32_t end = graph->layer_first[l + 2];
  const double fan_in = density * (target - source);
  const double deviation = scale(activation, (uint32_t)fmax(fan_in, 1.0), end - target);
  for (uint32_t v = target; v < end; v++) {
    graph->bias[v] = (float)(0.01 * bench_random_normal(random));
    for (uint32_t u = source; u < target; u++)
      if (density >= 1.0 || bench_random_uniform(random) < density)
        bench_graph_add_edge(graph, u, v, deviation * bench_random_normal(random));
  }
}

bench_graph *bench_build_mlp(uint64_t which, uint64_t index, uint64_t seed) {
  static const uint32_t sizes[][4] = {
      {784, 512, 512, 10}, {1024, 1024, 1024, 1024}, {784, 512, 512, 10}, {2, 8, 8, 1}};
  const uint32_t activation =
      which == BENCH_MLP_MNIST || which == BENCH_MLP_SQUARE ? BDAG_RELU : BDAG_TANH;
  const uint32_t loss =
      which == BENCH_MLP_MNIST ? BDAG_CLASS_CROSS_ENTROPY : BDAG_MEAN_SQUARED_ERROR;
  bench_random random = {seed + index};
  const uint32_t *size = sizes[which];
  const uint64_t edges = (uint64_t)size[0] * size[1] + size[1] * size[2] + size[2] * size[3];
  bench_graph *graph = layered(4, size, activation, loss, edges);
  for (uint32_t l = 0; l < 3; l++) connect(graph, l, activation, 1.0, &random);
  return graph;
}

bench_graph *bench_build_sparse(uint64_t percent, uint64_t index, uint64_t seed) {
  static const uint32_t sizes[] = {1024, 1024, 1024, 1024, 10};
  const double density = 1.0 - (double)percent / 100.0;
  bench_random random = {seed + index};
  bench_graph *graph = layered(5, sizes, BDAG_RELU, BDAG_CLASS_CROSS_ENTROPY,
                               (uint64_t)(3.0 * 1024 * 1024 * density) + 30000);
  for (uint32_t l = 0; l < 3; l++) connect(graph, l, BDAG_RELU, density, &random);
  connect(graph, 3, BDAG_RELU, 1.0, &random);
  return graph;
}

bench_graph *bench_build_skips(uint64_t permille, uint64_t index, uint64_t seed) {
  bench_graph *graph = bench_build_mlp(BENCH_MLP_MNIST, index, seed);
  bench_random random = {seed + index + 1};
  const uint64_t skips = graph->edge_count * permille / 1000;
  const uint32_t *first = graph->layer_first;
  for (uint64_t i = 0; i < skips; i++) {
    const uint32_t u = (uint32_t)bench_random_below(&random, first[2]);
    const uint32_t next = u < first[1] ? first[2] : first[3];
    const uint32_t v = next + (uint32_t)bench_random_below(&random, first[4] - next);
    bench_graph_add_edge(graph, u, v, 0.01 * bench_random_normal(&random));
  }
  /* No longer a net that a matrix library could run layer by layer. */
  graph->layer_count = 0;
  return graph;
}

/* Plane rotations of the four vertices of a layer: the signal neither dies nor explodes. */
bench_graph *bench_build_chain(uint64_t depth, uint64_t index, uint64_t seed) {
  enum { WIDTH = 4 };
  bench_random random = {seed + index};
  const uint32_t layers = (uint32_t)depth + 1;
  bench_graph *graph = bench_graph_create(layers * WIDTH, WIDTH, depth * WIDTH * WIDTH);
  bench_graph_activate(graph, WIDTH, (uint32_t)depth * WIDTH, BDAG_TANH, 0.0);
  for (uint32_t l = 0; l < depth; l++) {
    const double a = 6.283185307179586 * bench_random_uniform(&random);
    const double b = 6.283185307179586 * bench_random_uniform(&random);
    const double ca = cos(a), sa = sin(a), cb = cos(b), sb = sin(b);
    const double matrix[WIDTH][WIDTH] = {{ca * cb, -sa * cb, -ca * sb, sa * sb},
                                         {sa * cb, ca * cb, -sa * sb, -ca * sb},
                                         {ca * sb, -sa * sb, ca * cb, -sa * cb},
                                         {sa * sb, ca * sb, sa * cb, ca * cb}};
    for (uint32_t r = 0; r < WIDTH; r++)
      for (uint32_t k = 0; k < WIDTH; k++)
        bench_graph_add_edge(graph, l * WIDTH + k, (l + 1) * WIDTH + r, matrix[r][k]);
  }
  bench_graph_set_outputs(graph, (uint32_t)depth * WIDTH, WIDTH, BDAG_MEAN_SQUARED_ERROR);
  return graph;
}
