/* The graph of tasks, and the place for our own scheduler. */
#include "peer_tasks.h"

bench_task_runner bench_own_tasks = NULL;

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
