/* backdag's own scheduler on a bare graph of tasks. It is no public interface: this part is built from the
 * library's objects. */
#ifndef BENCH_OWN_TASKS_H
#define BENCH_OWN_TASKS_H

#include "case_graph.h"

typedef struct bench_own_tasks bench_own_tasks;

/* `body` is run once for each task; NULL: empty. `context` and `argument` outlive it. */
bench_own_tasks *bench_own_tasks_create(bdag_context *context, const bench_graph *graph,
                                        uint32_t threads, void (*body)(void *argument),
                                        void *argument);
void bench_own_tasks_destroy(bench_own_tasks *own);

/* Runs every task of the graph once per repetition, each after its predecessors; returns seconds.
 * `own` is a bench_own_tasks. */
double bench_own_tasks_run(void *own, uint64_t repetitions);

#endif
