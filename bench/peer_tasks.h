/* The schedulers' comparison: random graphs of tasks with empty bodies. */
#ifndef BENCH_PEER_TASKS_H
#define BENCH_PEER_TASKS_H

#include "case_graph.h"

enum { BENCH_MOST_PREDECESSORS = 4 };

/* `tasks` vertices; each but the first two has two different predecessors, drawn from all before. */
bench_graph *bench_build_tasks(uint64_t tasks, uint64_t seed);
/* The same with two to `most` predecessors, as many as there are at first. */
bench_graph *bench_build_mixed_tasks(uint64_t tasks, uint32_t most, uint64_t seed);

#endif
