/* The scheduler's comparison: one random graph of tasks with empty bodies. */
#ifndef BENCH_PEER_TASKS_H
#define BENCH_PEER_TASKS_H

#include "case_graph.h"

/* Runs every task of the graph once per repetition, each after its predecessors; returns seconds.
 * backdag's scheduler is no public interface: a build that can reach it fills this in, until then it
 * is NULL and its row a dash. */
typedef double (*bench_task_runner)(const bench_graph *graph, uint32_t threads,
                                    uint64_t repetitions);
extern bench_task_runner bench_own_tasks;

/* `tasks` vertices; each but the first two has two different predecessors, drawn from all before. */
bench_graph *bench_build_tasks(uint64_t tasks, uint64_t seed);

#endif
