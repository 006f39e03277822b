/* The graphs of tasks. */
#include "peer_tasks.h"

bench_graph *bench_build_tasks(uint64_t tasks, uint64_t seed) {
  bench_random random = {seed};
  bench_graph *graph = bench_graph_create((uint32_t)tasks, 1, 2 * tasks);
  for (uint32_t v = 2; v < tasks; v++) {
    const uint32_t first = (uint32_t)bench_random_below(&random, v);
    const uint32_t second = (uint32_t)bench_random_below(&random, v - 1);
    bench_graph_add_edge(graph, first, v, 0.0);
    bench_graph_add_edge(graph, second >= first ? second + 1 : second, v, 0.0);
  }
  return graph;
}

/* A number below `below` that is not among those drawn, which ascend; it joins them. */
static uint32_t draw_another(bench_random *random, uint32_t below, uint32_t *drawn,
                             uint32_t count) {
  uint32_t value = (uint32_t)bench_random_below(random, below - count), at = 0;
  while (at < count && value >= drawn[at]) {
    value++;
    at++;
  }
  for (uint32_t i = count; i > at; i--) drawn[i] = drawn[i - 1];
  drawn[at] = value;
  return value;
}

bench_graph *bench_build_mixed_tasks(uint64_t tasks, uint32_t most, uint64_t seed) {
  bench_random random = {seed};
  bench_graph *graph = bench_graph_create((uint32_t)tasks, 1, most * tasks);
  for (uint32_t v = 2; v < tasks; v++) {
    uint32_t drawn[BENCH_MOST_PREDECESSORS];
    const uint32_t wanted = 2 + (uint32_t)bench_random_below(&random, most - 1);
    for (uint32_t i = 0; i < wanted && i < v; i++)
      bench_graph_add_edge(graph, draw_another(&random, v, drawn, i), v, 0.0);
  }
  return graph;
}
